//! `retry`: runs its children again while the condition is true (specification 5.12). A child's error counts
//! as a run; with no retry left it passes on.

use super::{Policy, read};
use crate::compile::{Compiler, Parts};
use crate::machine::step::{After, At, BlockState, Flow, Halt, Ran, Step};
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
    /// The wait before retry `n`, 1-based. The random factor 0.8–1.2 of the exponential form is left at 1:
    /// the machine has no randomness, and hosts that want jitter add it to the sleep.
    fn before(&self, n: u32) -> Duration {
        if n == 1 && self.first_fast {
            return Duration::ZERO;
        }
        let interval = u64::from(self.interval);
        let seconds = match (self.delta.map(u64::from), self.max_interval.map(u64::from)) {
            (None, _) => interval,
            (Some(delta), None) => interval + u64::from(n - 1) * delta,
            (Some(delta), Some(max)) => {
                let growth = 1_u64.checked_shl(n - 1).unwrap_or(u64::MAX).saturating_mul(delta);
                interval.saturating_add(growth).min(max)
            }
        };
        Duration::from_secs(seconds)
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
        let wait = waits.before(retry);
        at.note(|| format!("retry {retry} of {count} after {} seconds", wait.as_secs()));
        Ok(After::Again(wait))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_fixed_linear_or_exponential() {
        let waits = |delta, max_interval, first_fast| {
            let waits = Waits { interval: 2, delta, max_interval, first_fast };
            (1..=4).map(|n| waits.before(n).as_secs()).collect::<Vec<_>>()
        };
        assert_eq!(waits(None, None, false), [2, 2, 2, 2]);
        assert_eq!(waits(Some(3), None, true), [0, 5, 8, 11]);
        assert_eq!(waits(Some(1), Some(9), false), [3, 4, 6, 9]);
    }
}
