//! Responses that are found by likeness, for the semantic caches (specification 5.6): vectors of prompts with the
//! answers they got, in partitions, within a bound in bytes.
//!
//! A look-up compares with every vector of its partition, of which there are few: an answer is found in well under
//! a millisecond, and what is older than the newest few hundred is seldom the nearest. A partition is replaced whole
//! when it changes, so that nobody waits while vectors are compared.

use handfast_policy::{Cached, cosine_distance};
use handfast_state::{Cache, Weigh};
use std::sync::Arc;

/// All vectors and answers.
const BYTES_MAX: usize = 64 << 20;
/// Vectors that a look-up compares with.
const NEIGHBOURS_MAX: usize = 256;

/// A prompt and its answer.
#[derive(Clone)]
struct Neighbour {
    vector: Arc<[f32]>,
    answer: Cached,
    ends_ms: u64,
}

/// A partition, oldest first.
#[derive(Clone)]
struct Neighbours(Arc<[Neighbour]>);

impl Weigh for Neighbours {
    fn bytes(&self) -> usize {
        self.0.iter().map(|one| size_of_val(&*one.vector) + one.answer.bytes + size_of::<Neighbour>()).sum()
    }
}

/// The partitions.
pub(crate) struct Similar(Cache<Neighbours>);

impl Default for Similar {
    fn default() -> Self {
        Self(Cache::new(BYTES_MAX))
    }
}

impl Similar {
    /// The nearest answer within a distance, and the milliseconds that it has left.
    pub(crate) fn nearest(
        &self,
        partition: &str,
        vector: &[f32],
        distance_max: f32,
        now_ms: u64,
    ) -> Option<(Cached, u64)> {
        let (Neighbours(known), _) = self.0.get(partition, now_ms)?;
        let fresh = known.iter().filter(|one| one.ends_ms > now_ms);
        let near = fresh.filter_map(|one| Some((one, cosine_distance(&one.vector, vector)?)));
        let near = near.filter(|(_, distance)| *distance <= distance_max);
        let (nearest, _) = near.min_by(|one, other| one.1.total_cmp(&other.1))?;
        Some((nearest.answer.clone(), nearest.ends_ms - now_ms))
    }

    /// Keeps an answer. Of two at the same time in one partition one may be lost, as in any cache.
    pub(crate) fn keep(
        &self,
        partition: String,
        vector: Arc<[f32]>,
        answer: Cached,
        life_ms: u64,
        now_ms: u64,
    ) {
        let ends_ms = now_ms.saturating_add(life_ms);
        let known = self.0.get(&partition, now_ms).map(|(Neighbours(known), _)| known).unwrap_or_default();
        let fresh: Vec<&Neighbour> = known.iter().filter(|one| one.ends_ms > now_ms).collect();
        let kept = fresh.len().min(NEIGHBOURS_MAX - 1);
        let newest = fresh.into_iter().rev().take(kept).rev().cloned();
        let all: Arc<[Neighbour]> = newest.chain([Neighbour { vector, answer, ends_ms }]).collect();
        let life_ms = all.iter().map(|one| one.ends_ms - now_ms).max().unwrap_or(life_ms);
        self.0.put(partition, Neighbours(all), life_ms, now_ms);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use handfast_policy::{CachedContent, Value};

    fn answer(text: &str) -> Cached {
        Cached { content: CachedContent::Value(Value::str(text)), bytes: text.len() }
    }

    fn found(similar: &Similar, vector: &[f32], distance_max: f32, now_ms: u64) -> Option<String> {
        let (cached, _) = similar.nearest("p", vector, distance_max, now_ms)?;
        match cached.content {
            CachedContent::Value(value) => Some(value.to_text()),
            CachedContent::Response(_) => None,
        }
    }

    #[test]
    fn the_nearest_answer_within_the_distance_is_found_while_it_lasts() {
        let similar = Similar::default();
        similar.keep("p".into(), Arc::from([1.0, 0.0]), answer("east"), 1_000, 0);
        similar.keep("p".into(), Arc::from([0.0, 2.0]), answer("north"), 5_000, 0);
        similar.keep("q".into(), Arc::from([1.0, 0.1]), answer("elsewhere"), 5_000, 0);
        assert_eq!(found(&similar, &[1.0, 0.1], 0.05, 0).as_deref(), Some("east"));
        assert_eq!(found(&similar, &[0.6, 0.8], 1.0, 0).as_deref(), Some("north"));
        assert_eq!(found(&similar, &[1.0, 1.0], 0.05, 0), None);
        assert_eq!(found(&similar, &[1.0, 0.1], 0.05, 1_000), None, "its life is over");
        for unlike in [&[1.0][..], &[0.0, 0.0], &[f32::NAN, 1.0]] {
            assert_eq!(found(&similar, unlike, 2.0, 0), None);
        }
    }

    #[test]
    fn a_partition_keeps_its_newest() {
        let similar = Similar::default();
        for number in 0..300_u16 {
            let angle = f32::from(number) / 100.0;
            let vector = Arc::from([angle.cos(), angle.sin()]);
            similar.keep("p".into(), vector, answer(&number.to_string()), 60_000, 0);
        }
        assert_eq!(found(&similar, &[1.0, 0.0], 2.0, 0).as_deref(), Some("44"));
    }
}
