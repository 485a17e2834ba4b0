//! `llm-token-limit` and `azure-openai-token-limit`: tokens of language models per minute and per period (specification
//! 5.1). An estimated prompt is counted at once, the rest of what the answer used when it is over; without an
//! estimate everything is, and a call is refused when what was counted so far is over the limit.

use super::quota::left;
use super::{Policy, read};
use crate::compile::{Compiler, Parts};
use crate::failure::Failure;
use crate::machine::io::{CountRequest, CountWhen, Counted, Input, Output, QuotaPeriod};
use crate::machine::step::{At, Flow, Halt, Ran, Step};
use crate::schema::{AttributeSchema, Content, ElementSchema, Kind};
use crate::setting::{Setting, Text};
use crate::tree::Element;
use crate::usage::{TokenUse, prompt_estimate, settle};
use handfast_core::UnixTime;
use handfast_expression::Value;
use std::sync::Arc;
use std::time::Duration;

const PERIODS: &[&str] = &["Hourly", "Daily", "Weekly", "Monthly", "Yearly"];
const MINUTE: Duration = Duration::from_secs(60);
const DAY_SECONDS: i64 = 86_400;

static SCHEMA: ElementSchema = ElementSchema {
    attributes: &[
        AttributeSchema::new("counter-key", Kind::Name).required(),
        AttributeSchema::new("tokens-per-minute", read::NUMBER),
        AttributeSchema::new("token-quota", read::NUMBER),
        AttributeSchema::new("token-quota-period", Kind::OneOf(PERIODS)),
        AttributeSchema::new("estimate-prompt-tokens", Kind::Boolean).required(),
        AttributeSchema::new("retry-after-header-name", Kind::Name).literal(),
        AttributeSchema::new("retry-after-variable-name", Kind::Name).literal(),
        AttributeSchema::new("remaining-tokens-header-name", Kind::Name).literal(),
        AttributeSchema::new("remaining-tokens-variable-name", Kind::Name).literal(),
        AttributeSchema::new("remaining-quota-tokens-header-name", Kind::Name).literal(),
        AttributeSchema::new("remaining-quota-tokens-variable-name", Kind::Name).literal(),
        AttributeSchema::new("tokens-consumed-header-name", Kind::Name).literal(),
        AttributeSchema::new("tokens-consumed-variable-name", Kind::Name).literal(),
    ],
    content: Content::Empty,
};

pub(crate) static AZURE_OPENAI: Policy =
    Policy { name: "azure-openai-token-limit", schema: &SCHEMA, compile };
pub(crate) static LLM: Policy = Policy { name: "llm-token-limit", schema: &SCHEMA, compile };

/// Where a number is shown: a header line of the response, a variable.
#[derive(Debug)]
struct Shown {
    header: Option<Box<str>>,
    variable: Option<Arc<str>>,
}

#[derive(Debug)]
struct TokenLimit {
    key: Text,
    per_minute: Option<Setting<u32>>,
    quota: Option<(Setting<u32>, Text)>,
    estimate: Setting<bool>,
    retry_after: Shown,
    remaining: Shown,
    remaining_quota: Shown,
    consumed: Shown,
}

impl Shown {
    fn read(element: &Element, what: &str) -> Self {
        let named = |kind: &str| element.get(&format!("{what}-{kind}-name"));
        Self { header: named("header").map(Into::into), variable: named("variable").map(Into::into) }
    }

    fn show(&self, at: &mut At<'_>, number: u64) {
        if let Some(name) = &self.header {
            at.context.record_field(name, &number.to_string());
        }
        self.store(at, number);
    }

    fn store(&self, at: &mut At<'_>, number: u64) {
        if let Some(name) = &self.variable {
            at.context.variables.set(name, Value::int(i32::try_from(number).unwrap_or(i32::MAX)));
        }
    }
}

fn compile(element: &Element, compiler: &mut Compiler<'_>) -> Option<Parts> {
    let per_minute = compiler.optional_number(element, "tokens-per-minute");
    let quota = compiler.optional_number(element, "token-quota");
    let period = compiler.optional_text(element, "token-quota-period");
    if quota.is_some() != period.is_some() {
        compiler.refuse(element, "The attributes 'token-quota' and 'token-quota-period' go together");
        return None;
    }
    if per_minute.is_none() && quota.is_none() {
        let text = "At least one of 'tokens-per-minute' and 'token-quota' must be specified";
        compiler.refuse(element, text);
        return None;
    }
    Parts::leaf(TokenLimit {
        key: compiler.text(element, "counter-key"),
        per_minute,
        quota: quota.zip(period),
        estimate: compiler.boolean(element, "estimate-prompt-tokens", false),
        retry_after: Shown::read(element, "retry-after"),
        remaining: Shown::read(element, "remaining-tokens"),
        remaining_quota: Shown::read(element, "remaining-quota-tokens"),
        consumed: Shown::read(element, "tokens-consumed"),
    })
}

impl TokenLimit {
    /// The tokens that are counted before the call.
    fn reserved(&self, at: &mut At<'_>) -> Result<u32, Halt> {
        let prompt = prompt_estimate(at)?;
        Ok(if at.boolean(&self.estimate)? { prompt } else { 0 })
    }

    fn count(&self, at: &mut At<'_>, amount: u32, when: CountWhen) -> Result<Option<CountRequest>, Halt> {
        let Some(limit) = &self.per_minute else { return Ok(None) };
        let (limit, key) = (at.number(limit)?, at.text(&self.key)?);
        Ok(Some(CountRequest { key: format!("tokens:{key}"), limit, period: MINUTE, amount, when }))
    }

    /// The quota and the period that it is now.
    fn quota(&self, at: &mut At<'_>) -> Result<Option<(u64, QuotaPeriod)>, Halt> {
        let Some((quota, period)) = &self.quota else { return Ok(None) };
        let (quota, name, key) = (at.number(quota)?, at.text(period)?, at.text(&self.key)?);
        let Some((anchor, length)) = period_around(&name, at.now) else {
            let wanted = "one of Hourly, Daily, Weekly, Monthly, Yearly";
            return Err(crate::machine::evaluate::unfit(&Value::str(&*name), wanted));
        };
        Ok(Some((quota.into(), QuotaPeriod { key: format!("token-quota:{name}:{key}"), anchor, length })))
    }

    /// Goes on behind the limit per minute.
    fn ask_quota(&self, at: &mut At<'_>) -> Ran {
        match self.quota(at)? {
            Some((_, period)) => Ok(Flow::Await(Output::QuotaUsed(period))),
            None => self.passed(at),
        }
    }

    fn passed(&self, at: &mut At<'_>) -> Ran {
        let reserved = self.reserved(at)?;
        self.consumed.store(at, reserved.into());
        at.defer();
        Ok(Flow::Next)
    }

    fn take_count(&self, at: &mut At<'_>, counted: Counted) -> Ran {
        self.remaining.show(at, counted.remaining.into());
        at.note(|| format!("{} tokens left in this minute", counted.remaining));
        if counted.allowed {
            return self.ask_quota(at);
        }
        let reserved = self.reserved(at)?;
        let limit = self.per_minute.as_ref().map(|limit| at.number(limit)).transpose()?;
        let whole = counted.retry_after.as_secs() + u64::from(counted.retry_after.subsec_nanos() > 0);
        // A prompt that is larger than the limit never fits.
        let seconds = (limit.is_none_or(|limit| reserved <= limit)).then_some(whole.max(1));
        let again = seconds.map(|seconds| format!("{seconds} seconds"));
        Err(self.refuse(at, (429, "TokenLimitExceeded", "Token limit is exceeded"), (seconds, again)).into())
    }

    fn take_quota(&self, at: &mut At<'_>, used: u64) -> Ran {
        let reserved = u64::from(self.reserved(at)?);
        let Some((quota, period)) = self.quota(at)? else { return self.passed(at) };
        let unused = quota.saturating_sub(used);
        let fits = unused > 0 && reserved <= unused;
        self.remaining_quota.show(at, if fits { unused - reserved } else { unused });
        at.note(|| format!("{unused} tokens left of the quota"));
        if fits {
            return self.passed(at);
        }
        let seconds = left(&period, at.now).unwrap_or(1);
        let wait = (reserved <= quota).then_some(seconds);
        let denial = (403, "TokenQuotaExceeded", "Token quota is exceeded");
        Err(self.refuse(at, denial, (wait, wait.map(in_words))).into())
    }

    fn refuse(
        &self,
        at: &mut At<'_>,
        (status, reason, text): (u16, &'static str, &'static str),
        (seconds, again): (Option<u64>, Option<String>),
    ) -> Failure {
        let body = match again {
            Some(again) => format!("{text}. Try again in {again}."),
            None => format!("{text}."),
        };
        let failure = Failure::denied(status, reason, text, body);
        let Some(seconds) = seconds else { return failure };
        self.retry_after.store(at, seconds);
        // The quota's refusal names a header only when the document does.
        match (&self.retry_after.header, status) {
            (Some(name), _) => failure.with_field(name, &seconds.to_string()),
            (None, 429) => failure.with_field("Retry-After", &seconds.to_string()),
            (None, _) => failure,
        }
    }
}

impl Step for TokenLimit {
    fn run(&self, at: &mut At<'_>) -> Ran {
        // Everything is worked out before the first question.
        let reserved = self.reserved(at)?;
        self.quota(at)?;
        match self.count(at, reserved, CountWhen::Now)? {
            Some(count) => Ok(Flow::Await(Output::Count(count))),
            None => self.ask_quota(at),
        }
    }

    fn resume(&self, at: &mut At<'_>, answer: Input) -> Ran {
        match answer {
            Input::Counted(counted) => self.take_count(at, counted),
            Input::Used(used) => self.take_quota(at, used.calls),
            other => Ok(Flow::unexpected(&other)),
        }
    }

    fn after_response(&self, at: &mut At<'_>) -> Result<Option<Output>, Halt> {
        let reserved = self.reserved(at)?;
        let minute = self.count(at, 0, CountWhen::AfterResponse)?;
        let quota = self.quota(at)?.map(|(_, period)| period);
        settle(at, TokenUse::Limit { minute, quota, reserved }, |at, usage| {
            self.consumed.show(at, usage.total().into());
        })
    }
}

/// The calendar period that a time lies in, in UTC: when one of its kind began and how long this one is. Periods of one
/// length have one anchor, so that a counter stays the same whenever it is asked for. Weeks begin on Monday
/// (unverified).
fn period_around(name: &str, now: UnixTime) -> Option<(UnixTime, Duration)> {
    let (year, month, day, ..) = now.civil();
    let midnight = now.0.div_euclid(DAY_SECONDS) * DAY_SECONDS;
    let month_begins = midnight - (i64::from(day) - 1) * DAY_SECONDS;
    let (begin, seconds) = match name {
        "Hourly" => (0, 3_600),
        "Daily" => (0, DAY_SECONDS),
        // 1970-01-05 was a Monday.
        "Weekly" => (4 * DAY_SECONDS, 7 * DAY_SECONDS),
        "Monthly" => (month_begins, days_of(year, month) * DAY_SECONDS),
        "Yearly" => {
            let before: i64 = (1..month).map(|month| days_of(year, month)).sum();
            let all: i64 = (1..=12).map(|month| days_of(year, month)).sum();
            (month_begins - before * DAY_SECONDS, all * DAY_SECONDS)
        }
        _ => return None,
    };
    Some((UnixTime(begin), Duration::from_secs(u64::try_from(seconds).unwrap_or_default())))
}

fn days_of(year: i64, month: u8) -> i64 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// `21 minutes and 33 seconds`; units without a count are left out (unverified beyond minutes and seconds).
fn in_words(seconds: u64) -> String {
    let units = [("day", 86_400, u64::MAX), ("hour", 3_600, 24), ("minute", 60, 60), ("second", 1, 60)];
    let parts: Vec<String> = units
        .iter()
        .map(|(name, length, cycle)| (name, seconds / length % cycle))
        .filter(|(_, count)| *count > 0)
        .map(|(name, count)| format!("{count} {name}{}", if count == 1 { "" } else { "s" }))
        .collect();
    match parts.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
        None => "0 seconds".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_are_those_of_the_calendar() {
        // 2028-02-29T13:14:15Z, a Tuesday.
        let now = UnixTime(1_835_442_855);
        assert_eq!(now.to_string(), "2028-02-29T13:14:15Z");
        for (name, end_expected, seconds) in [
            ("Hourly", "2028-02-29T14:00:00Z", 3_600),
            ("Daily", "2028-03-01T00:00:00Z", 86_400),
            ("Weekly", "2028-03-06T00:00:00Z", 7 * 86_400),
            ("Monthly", "2028-03-01T00:00:00Z", 29 * 86_400),
            ("Yearly", "2029-01-01T00:00:00Z", 366 * 86_400),
        ] {
            let (anchor, length) = period_around(name, now).expect("a period");
            let period = QuotaPeriod { key: String::new(), anchor, length };
            let end = now.plus(Duration::from_secs(left(&period, now).expect("an end")));
            assert_eq!((end.to_string().as_str(), length.as_secs()), (end_expected, seconds), "{name}");
        }
        assert_eq!(period_around("Fortnightly", now), None);
    }

    #[test]
    fn times_are_told_in_words() {
        for (seconds, words) in [
            (1293, "21 minutes and 33 seconds"),
            (3600, "1 hour"),
            (90_061, "1 day, 1 hour, 1 minute and 1 second"),
        ] {
            assert_eq!(in_words(seconds), words);
        }
    }
}
