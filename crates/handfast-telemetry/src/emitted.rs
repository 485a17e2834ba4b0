//! Metrics that policies make up (`emit-metric`): their names and labels come from documents and requests, so they are
//! bounded in number and in length, unlike the counters of [`crate::metrics`], whose names are an enum.
//!
//! A metric is shown as a Prometheus summary, a sum and a count: samples may be of any size and sign. Series beyond
//! [`SERIES_MAX`] are not begun, and counted as dropped.

use std::collections::BTreeMap;
use std::collections::hash_map::DefaultHasher;
use std::fmt::Write;
use std::hash::{Hash, Hasher};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// Combinations of name and labels that are kept.
pub const SERIES_MAX: usize = 10_000;
/// Bytes of a name or of a label's value; the rest is cut off.
const TEXT_BYTES_MAX: usize = 256;
/// Parts with a lock of their own, so that cores seldom meet and showing one does not hold up the others.
const SHARDS: usize = 16;
/// What every name begins with.
const PREFIX: &str = "handfast_custom_";

/// All metrics of documents' own.
#[derive(Debug, Default)]
pub struct Emitted {
    shards: [Mutex<BTreeMap<Series, Samples>>; SHARDS],
    count: AtomicUsize,
    dropped: AtomicU64,
}

/// The name in the exposition, and the labels as they stand between braces.
type Series = (String, String);

#[derive(Clone, Copy, Debug, Default)]
struct Samples {
    sum: f64,
    count: u64,
}

impl Emitted {
    /// Adds a sample. Labels without a value are left out.
    pub fn add(&self, namespace: &str, name: &str, labels: &[(String, String)], value: f64) {
        let series = (format!("{PREFIX}{}", identifier(name)), braces(namespace, labels));
        let mut hasher = DefaultHasher::new();
        series.hash(&mut hasher);
        let Some(shard) = self.shards.get(hasher.finish() as usize % SHARDS) else { return };
        let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
        if !shard.contains_key(&series) {
            // Several cores may begin a last one at the same time; that is a matter of a few.
            if self.count.load(Ordering::Relaxed) >= SERIES_MAX {
                self.dropped.fetch_add(1, Ordering::Relaxed);
                return;
            }
            self.count.fetch_add(1, Ordering::Relaxed);
        }
        let samples = shard.entry(series).or_default();
        samples.sum += value;
        samples.count += 1;
    }

    /// The Prometheus text exposition of all of them.
    pub fn prometheus(&self, out: &mut String) {
        let mut all = BTreeMap::new();
        for shard in &self.shards {
            let shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            all.extend(shard.iter().map(|(series, samples)| (series.clone(), *samples)));
        }
        let mut last = String::new();
        for ((name, labels), Samples { sum, count }) in all {
            if name != last {
                // Writing to a string cannot fail.
                let _ = writeln!(out, "# HELP {name} Emitted by a policy.\n# TYPE {name} summary");
                last.clone_from(&name);
            }
            let _ = writeln!(out, "{name}_sum{{{labels}}} {sum}\n{name}_count{{{labels}}} {count}");
        }
        let name = "handfast_custom_samples_dropped_total";
        let dropped = self.dropped.load(Ordering::Relaxed);
        let help = "Samples of policies' own metrics beyond the number of series that is kept.";
        let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} counter\n{name} {dropped}");
    }
}

/// A text as a metric or label name: `API ID` is `api_id`.
fn identifier(text: &str) -> String {
    let map = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' };
    let name: String = text.chars().take(TEXT_BYTES_MAX).map(map).collect();
    match name.chars().next() {
        Some(first) if !first.is_ascii_digit() => name,
        _ => format!("_{name}"),
    }
}

fn braces(namespace: &str, labels: &[(String, String)]) -> String {
    let mut named = BTreeMap::new();
    for (name, value) in
        [("namespace", namespace)].into_iter().chain(labels.iter().map(|(n, v)| (&**n, &**v)))
    {
        // The first of two names that come to the same stays.
        named.entry(identifier(name)).or_insert(value);
    }
    let mut out = String::new();
    for (name, value) in named.iter().filter(|(_, value)| !value.is_empty()) {
        let joint = if out.is_empty() { "" } else { "," };
        let _ = write!(out, "{joint}{name}=\"{}\"", escaped(value));
    }
    out
}

/// A label's value (Prometheus text format 0.0.4).
fn escaped(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for c in value.chars() {
        if out.len() >= TEXT_BYTES_MAX {
            break;
        }
        match c {
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            '\n' => out.push_str("\\n"),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(all: &[(&str, &str)]) -> Vec<(String, String)> {
        all.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn shown(emitted: &Emitted) -> String {
        let mut out = String::new();
        emitted.prometheus(&mut out);
        out
    }

    #[test]
    fn samples_are_summed_and_counted_by_their_labels() {
        let emitted = Emitted::default();
        let of = |user: &str| labels(&[("User ID", user), ("Product ID", "")]);
        emitted.add("my ns", "Total Tokens", &of("a\"b"), 3.0);
        emitted.add("my ns", "Total Tokens", &of("a\"b"), -0.5);
        emitted.add("my ns", "Total Tokens", &of("c"), 1.0);
        let text = shown(&emitted);
        assert_eq!(text.matches("# TYPE handfast_custom_total_tokens summary\n").count(), 1);
        for line in [
            "handfast_custom_total_tokens_sum{namespace=\"my ns\",user_id=\"a\\\"b\"} 2.5\n",
            "handfast_custom_total_tokens_count{namespace=\"my ns\",user_id=\"a\\\"b\"} 2\n",
            "handfast_custom_total_tokens_sum{namespace=\"my ns\",user_id=\"c\"} 1\n",
            "handfast_custom_samples_dropped_total 0\n",
        ] {
            assert!(text.contains(line), "{line}{text}");
        }
    }

    #[test]
    fn series_are_bounded_and_what_is_beyond_is_counted() {
        let emitted = Emitted::default();
        for number in 0..SERIES_MAX + 7 {
            emitted.add("n", "m", &labels(&[("user", &number.to_string())]), 1.0);
        }
        // One that is known goes on.
        emitted.add("n", "m", &labels(&[("user", "0")]), 1.0);
        let text = shown(&emitted);
        assert_eq!(text.matches("handfast_custom_m_sum").count(), SERIES_MAX);
        assert!(text.contains("handfast_custom_samples_dropped_total 7\n"));
        assert!(text.contains("handfast_custom_m_sum{namespace=\"n\",user=\"0\"} 2\n"));
    }

    #[test]
    fn names_and_values_are_cut_and_made_fit() {
        let emitted = Emitted::default();
        emitted.add("n", "1 ä", &labels(&[("x", &"v".repeat(1000)), ("X", "second")]), 1.0);
        let text = shown(&emitted);
        let line = format!("handfast_custom__1___sum{{namespace=\"n\",x=\"{}\"}} 1\n", "v".repeat(256));
        assert!(text.contains(&line), "{text}");
    }
}
