//! `retry`: runs its children again while the condition is true (specification 5.12). A child's error counts
//! as a run; with no retry left it passes on.

use super::{Policy, read};
use crate::compile::{Compiler, Parts};
use crate::machine::step::{After, At, BlockState, Flow, Halt, Ran, Step};
use crate::schema::messages::invalid_child;
use crate::schema::{AttributeSchema, Content, ElementSchema, Kind};
use crate::section::Section;
use crate::setting::Setting;
use crate::tree::Element;
use std::ops::RangeInclusive;
use std::time::Duration;

static SCHEMA: ElementSchema = ElementSchema {
    attributes: &[
        AttributeSchema::new("condition", Kind::Boolean).required(),
        AttributeSchema::new("count", Kind::Unsigned { min: 1, max: 50 }).required(),
        AttributeSchema::new("interval", read::NUMBER).required(),
        AttributeSchema::new("delta", read::NUMBER),
        AttributeSchema::new("max-interval", read::NUMBER),
        AttributeSchema::new("first-fast-retry", Kind::Boolean),
    ],
    content: Content::Policies,
};

pub(crate) static POLICY: Policy = Policy { name: "retry", schema: &SCHEMA, compile };

/// Retries that `count` may ask for.
const COUNTS: RangeInclusive<u32> = 1..=50;

#[derive(Debug)]
struct Retry {
    condition: Setting<bool>,
    count: Setting<u32>,
    interval: Setting<u32>,
    delta: Option<Setting<u32>>,
    max_interval: Option<Setting<u32>>,
    first_fast: Setting<bool>,
}

/// How long to wait before a retry; seconds.
#[derive(Debug)]
struct Waits {
    interval: u32,
    delta: Option<u32>,
    max_interval: Option<u32>,
    first_fast: bool,
}

fn compile(element: &Element, compiler: &mut Compiler<'_>) -> Option<Parts> {
    let step = Retry {
        condition: compiler.boolean(element, "condition", false),
        count: compiler.number(element, "count", 1),
        interval: compiler.number(element, "interval", 0),
        delta: compiler.optional_number(element, "delta"),
        max_interval: compiler.optional_number(element, "max-interval"),
        first_fast: compiler.boolean(element, "first-fast-retry", false),
    };
    if let Some(wait) = element.child("wait") {
        compiler.push(invalid_child(element, wait, &[]));
        return None;
    }
    let children = compiler.block(element, None);
    Parts::wrapper(step, vec![children])
}

impl Retry {
    fn waits(&self, at: &mut At<'_>) -> Result<Waits, Halt> {
        Ok(Waits {
            interval: at.number(&self.interval)?,
            delta: self.delta.as_ref().map(|delta| at.number(delta)).transpose()?,
            max_interval: self.max_interval.as_ref().map(|max| at.number(max)).transpose()?,
            first_fast: at.boolean(&self.first_fast)?,
        })
    }
}

impl Waits {
    /// The wait before retry `n`, 1-based. In the exponential form delta is taken times a factor from 0.8 to 1.2,
    /// so that clients which failed together do not come back together; `random` says which.
    fn before(&self, n: u32, random: impl FnOnce() -> u32) -> Duration {
        if n == 1 && self.first_fast {
            return Duration::ZERO;
        }
        let interval = u64::from(self.interval);
        match (self.delta.map(u64::from), self.max_interval.map(u64::from)) {
            (None, _) => Duration::from_secs(interval),
            (Some(delta), None) => Duration::from_secs(interval + u64::from(n - 1) * delta),
            (Some(delta), Some(max)) => {
                // Thousandths of delta, 800 to 1200.
                let factor = 800 + u64::from(random()) * 401 / (u64::from(u32::MAX) + 1);
                let growth_ms = 1_u64.checked_shl(n - 1).unwrap_or(u64::MAX).saturating_mul(delta * factor);
                Duration::from_millis((interval * 1000).saturating_add(growth_ms).min(max * 1000))
            }
        }
    }
}

impl Step for Retry {
    fn run(&self, _at: &mut At<'_>) -> Ran {
        Ok(Flow::Enter(0, BlockState::Attempts(1)))
    }

    fn after(&self, at: &mut At<'_>, state: &mut BlockState, failed: bool) -> Result<After, Halt> {
        let BlockState::Attempts(runs) = state else { return Ok(After::Leave) };
        if !at.boolean(&self.condition)? || *runs > at.number_within(&self.count, COUNTS)? {
            // Inside on-error the error being handled stays.
            if !failed && at.section != Section::OnError {
                at.context.last_error = None;
            }
            return Ok(After::Leave);
        }
        let count = at.number_within(&self.count, COUNTS)?;
        let waits = self.waits(at)?;
        let retry = *runs;
        *runs += 1;
        let wait = waits.before(retry, || random(at));
        at.note(|| format!("retry {retry} of {count} after {} seconds", wait.as_secs_f64()));
        Ok(After::Again(wait))
    }
}

fn random(at: &mut At<'_>) -> u32 {
    let mut bytes = [0; 4];
    at.context.random(&mut bytes);
    u32::from_le_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_fixed_linear_or_exponential() {
        let waits = |delta, max_interval, first_fast, random| {
            let waits = Waits { interval: 2, delta, max_interval, first_fast };
            (1..=4).map(|n| waits.before(n, || random).as_secs_f64()).collect::<Vec<_>>()
        };
        assert_eq!(waits(None, None, false, 0), [2.0, 2.0, 2.0, 2.0]);
        assert_eq!(waits(Some(3), None, true, 0), [0.0, 5.0, 8.0, 11.0]);
        assert_eq!(waits(Some(1), Some(9), false, 1 << 31), [3.0, 4.0, 6.0, 9.0]);
        assert_eq!(waits(Some(1), Some(9), false, 0), [2.8, 3.6, 5.2, 8.4]);
        assert_eq!(waits(Some(1), Some(9), false, u32::MAX), [3.2, 4.4, 6.8, 9.0]);
    }
}
