//! `quota` and `quota-by-key`: calls and bytes in long periods (specification 5.1). What is used is looked at before the
//! call and counted after it, so calls in flight may overrun a quota.

use super::{Policy, read};
use crate::compile::{Compiler, Parts};
use crate::context::{Body, Context};
use crate::failure::Failure;
use crate::machine::io::{Input, Output, QuotaPeriod, QuotaUsage, Settlement};
use crate::machine::step::{At, Flow, Halt, Ran, Step};
use crate::schema::{AttributeSchema, Content, ElementSchema, Kind, Particle};
use crate::setting::{Setting, Text};
use crate::tree::Element;
use handfast_core::UnixTime;
use std::time::Duration;

/// `0001-01-01T00:00:00Z`, the default of `first-period-start`.
const BEGINNING: UnixTime = UnixTime(-62_135_596_800);

macro_rules! limits {
    ($($own:expr),* $(,)?) => {
        &[
            AttributeSchema::new("calls", read::NUMBER).literal(),
            AttributeSchema::new("bandwidth", read::NUMBER).literal(),
            AttributeSchema::new("renewal-period", Kind::Name).required().literal(),
            $($own,)*
        ]
    };
}

static OPERATION: ElementSchema = ElementSchema {
    attributes: limits![
        AttributeSchema::new("name", Kind::Name).literal(),
        AttributeSchema::new("id", Kind::Name).literal(),
    ],
    content: Content::Empty,
};

static API: ElementSchema = ElementSchema {
    attributes: &[
        AttributeSchema::new("calls", read::NUMBER).literal(),
        AttributeSchema::new("bandwidth", read::NUMBER).literal(),
        AttributeSchema::new("renewal-period", Kind::Name).literal(),
        AttributeSchema::new("name", Kind::Name).literal(),
        AttributeSchema::new("id", Kind::Name).literal(),
    ],
    content: Content::Sequence(&[Particle::any("operation", &OPERATION)]),
};

static SCHEMA: ElementSchema =
    ElementSchema { attributes: limits![], content: Content::Sequence(&[Particle::any("api", &API)]) };

static BY_KEY_SCHEMA: ElementSchema = ElementSchema {
    attributes: limits![
        AttributeSchema::new("counter-key", Kind::Text).required(),
        AttributeSchema::new("increment-condition", Kind::Boolean),
        AttributeSchema::new("increment-count", read::NUMBER),
        AttributeSchema::new("first-period-start", Kind::Name).literal(),
    ],
    content: Content::Empty,
};

pub(crate) static POLICY: Policy = Policy { name: "quota", schema: &SCHEMA, compile };
pub(crate) static BY_KEY: Policy =
    Policy { name: "quota-by-key", schema: &BY_KEY_SCHEMA, compile: compile_by_key };

/// What is allowed in a period.
#[derive(Debug, Clone, Copy)]
struct Limits {
    calls: Option<u64>,
    bytes: Option<u64>,
    length: Duration,
}

/// A quota within `quota`: of the product, an API or an operation.
#[derive(Debug)]
struct Part {
    /// Name or id of the API, and of the operation; the product's own has none.
    api: Option<Named>,
    operation: Option<Named>,
    limits: Limits,
}

/// An API or operation as the document names it.
#[derive(Debug, Clone)]
pub(super) enum Named {
    Id(String),
    Name(String),
}

#[derive(Debug)]
struct Quota {
    parts: Vec<Part>,
}

fn compile(element: &Element, compiler: &mut Compiler<'_>) -> Option<Parts> {
    let mut parts = Vec::new();
    parts.extend(limits(element, 1, compiler)?.map(|limits| Part { api: None, operation: None, limits }));
    for api in element.named("api") {
        let named = named(api, compiler)?;
        let own = if api.attribute("renewal-period").is_some() { limits(api, 1, compiler)? } else { None };
        parts.extend(own.map(|limits| Part { api: Some(named.clone()), operation: None, limits }));
        for operation in api.named("operation") {
            let (api, operation_name) = (Some(named.clone()), Some(self::named(operation, compiler)?));
            let found = limits(operation, 1, compiler)?;
            parts.extend(found.map(|limits| Part { api, operation: operation_name, limits }));
        }
    }
    if parts.is_empty() {
        compiler.refuse(element, "At least one of 'calls' and 'bandwidth' must be specified");
        return None;
    }
    Parts::leaf(Quota { parts })
}

/// Limits of an element: `Some(None)` when it sets none.
fn limits(element: &Element, period_min: u64, compiler: &mut Compiler<'_>) -> Option<Option<Limits>> {
    let text = element.get("renewal-period").unwrap_or_default();
    let Some(seconds) = seconds(text).filter(|&seconds| seconds == 0 || seconds >= period_min) else {
        let text = format!(
            "The value '{text}' of the attribute 'renewal-period' is no period: seconds from {period_min}, 0 for ever, or P30D"
        );
        compiler.refuse(element, text);
        return None;
    };
    let calls = read::number(element, "calls").map(u64::from);
    // Kilobytes.
    let bytes = read::number(element, "bandwidth").map(|kilobytes| u64::from(kilobytes) * 1024);
    let length = Duration::from_secs(seconds);
    Some((calls.is_some() || bytes.is_some()).then_some(Limits { calls, bytes, length }))
}

/// Seconds, or a duration such as `P30D` and `PT1H30M` (ISO 8601 without years and months).
fn seconds(text: &str) -> Option<u64> {
    let text = text.trim();
    let Some(rest) = text.strip_prefix('P') else { return text.parse().ok() };
    let (date, time) = rest.split_once('T').unwrap_or((rest, ""));
    let parts = |text: &str, units: &[(char, u64)]| -> Option<u64> {
        let (mut total, mut digits) = (0u64, String::new());
        for c in text.chars() {
            if c.is_ascii_digit() {
                digits.push(c);
                continue;
            }
            let (_, unit) = units.iter().find(|(sign, _)| *sign == c)?;
            total = total.checked_add(digits.parse::<u64>().ok()?.checked_mul(*unit)?)?;
            digits.clear();
        }
        digits.is_empty().then_some(total)
    };
    if date.is_empty() && time.is_empty() {
        return None;
    }
    let days = parts(date, &[('W', 7 * 86_400), ('D', 86_400)])?;
    days.checked_add(parts(time, &[('H', 3_600), ('M', 60), ('S', 1)])?)
}

pub(super) fn named(element: &Element, compiler: &mut Compiler<'_>) -> Option<Named> {
    match (element.get("id"), element.get("name")) {
        (Some(id), _) => Some(Named::Id(id.to_owned())),
        (None, Some(name)) => Some(Named::Name(name.to_owned())),
        (None, None) => {
            compiler.refuse(element, "One of 'name' and 'id' must be specified");
            None
        }
    }
}

impl Named {
    pub(super) fn is(&self, id: &str, name: &str) -> bool {
        match self {
            Self::Id(wanted) => wanted.eq_ignore_ascii_case(id),
            // The display name; resource names are accepted, too (unverified).
            Self::Name(wanted) => wanted.eq_ignore_ascii_case(name) || wanted.eq_ignore_ascii_case(id),
        }
    }
}

impl Quota {
    /// The parts that concern the request, each with its counter. Without a subscription there is none.
    fn counters<'q>(&'q self, context: &Context) -> Vec<(&'q Limits, QuotaPeriod)> {
        let Some(subscription) = &context.subscription else { return Vec::new() };
        let anchor = subscription.starts.unwrap_or(subscription.created);
        let product = context.product.as_ref().map_or("", |product| &product.id);
        let mut found = Vec::new();
        for part in &self.parts {
            let (api, operation) = (context.api.as_ref(), context.operation.as_ref());
            let of_api =
                part.api.as_ref().is_none_or(|named| api.is_some_and(|api| named.is(&api.id, &api.name)));
            let of_operation = part.operation.as_ref().is_none_or(|named| {
                operation.is_some_and(|operation| named.is(&operation.id, &operation.name))
            });
            if !of_api || !of_operation {
                continue;
            }
            let api = api.filter(|_| part.api.is_some()).map_or("", |api| &api.id);
            let operation =
                operation.filter(|_| part.operation.is_some()).map_or("", |operation| &operation.id);
            let key = format!("quota:{}:{product}:{api}:{operation}", subscription.id);
            found.push((&part.limits, QuotaPeriod { key, anchor, length: part.limits.length }));
        }
        found
    }

    /// Counters are looked at and counted one after the other; which one's turn it is stands in the context.
    fn next(&self, at: &At<'_>) -> Option<(&Limits, QuotaPeriod)> {
        let counters = self.counters(at.context);
        let done = |key: &str| at.context.counted_quotas.iter().any(|known| known == key);
        counters.into_iter().find(|(_, period)| !done(&turn(&period.key)))
    }
}

/// The mark of a counter that was looked at.
fn turn(key: &str) -> String {
    format!("looked-at:{key}")
}

impl Step for Quota {
    fn run(&self, at: &mut At<'_>) -> Ran {
        match self.next(at) {
            Some((_, period)) => {
                at.defer();
                Ok(Flow::Await(Output::QuotaUsed(period)))
            }
            None => {
                at.note(|| "no subscription, not limited");
                Ok(Flow::Next)
            }
        }
    }

    fn resume(&self, at: &mut At<'_>, answer: Input) -> Ran {
        let Input::Used(used) = answer else { return Ok(Flow::unexpected(&answer)) };
        let Some((limits, period)) = self.next(at) else { return Ok(Flow::Next) };
        if let Some(failure) = limits.refuse(used, &period, at.now) {
            return Err(failure.into());
        }
        at.context.counted_quotas.push(turn(&period.key));
        match self.next(at) {
            Some((_, period)) => Ok(Flow::Await(Output::QuotaUsed(period))),
            None => Ok(Flow::Next),
        }
    }

    fn after_response(&self, at: &mut At<'_>) -> Result<Option<Output>, Halt> {
        // A call that was refused is none.
        if at.context.last_error.as_ref().is_some_and(|error| error.reason == REASON) {
            return Ok(None);
        }
        let usage = usage(at.context, 1);
        let mut all = Vec::new();
        for (_, period) in self.counters(at.context) {
            if !at.context.counted_quotas.contains(&period.key) {
                at.context.counted_quotas.push(period.key.clone());
                all.push(Settlement::Quota(period, usage));
            }
        }
        Ok((!all.is_empty()).then_some(Output::Settle(all)))
    }
}

#[derive(Debug)]
struct QuotaByKey {
    key: Text,
    condition: Setting<bool>,
    amount: Setting<u32>,
    limits: Limits,
    anchor: UnixTime,
}

fn compile_by_key(element: &Element, compiler: &mut Compiler<'_>) -> Option<Parts> {
    let found = limits(element, 300, compiler)?;
    let start = element.get("first-period-start").map(|text| (text, utc(text)));
    if let Some((text, None)) = start {
        compiler.refuse(
            element,
            format!("The value '{text}' of the attribute 'first-period-start' is no date such as 2026-01-31T00:00:00Z"),
        );
        return None;
    }
    let Some(limits) = found else {
        compiler.refuse(element, "At least one of 'calls' and 'bandwidth' must be specified");
        return None;
    };
    Parts::leaf(QuotaByKey {
        key: compiler.text(element, "counter-key"),
        condition: compiler.boolean(element, "increment-condition", true),
        amount: compiler.number(element, "increment-count", 1),
        limits,
        anchor: start.and_then(|(_, time)| time).unwrap_or(BEGINNING),
    })
}

/// `yyyy-MM-ddTHH:mm:ssZ` as a time.
fn utc(text: &str) -> Option<UnixTime> {
    let text = text.trim().strip_suffix('Z')?;
    let (date, time) = text.split_once('T')?;
    let numbers = |text: &str, by: char| -> Option<[i64; 3]> {
        let parts: Vec<i64> = text.split(by).map(str::parse).collect::<Result<_, _>>().ok()?;
        parts.try_into().ok()
    };
    let ([year, month, day], [hour, minute, second]) = (numbers(date, '-')?, numbers(time, ':')?);
    UnixTime::from_civil(year, month, day, hour, minute, second).filter(|_| (1..=9999).contains(&year))
}

impl QuotaByKey {
    fn period(&self, at: &mut At<'_>) -> Result<QuotaPeriod, Halt> {
        let key = format!("quota-by-key:{}", at.text(&self.key)?);
        Ok(QuotaPeriod { key, anchor: self.anchor, length: self.limits.length })
    }
}

impl Step for QuotaByKey {
    fn run(&self, at: &mut At<'_>) -> Ran {
        let period = self.period(at)?;
        at.defer();
        Ok(Flow::Await(Output::QuotaUsed(period)))
    }

    fn resume(&self, at: &mut At<'_>, answer: Input) -> Ran {
        let Input::Used(used) = answer else { return Ok(Flow::unexpected(&answer)) };
        let period = self.period(at)?;
        match self.limits.refuse(used, &period, at.now) {
            Some(failure) => Err(failure.into()),
            None => Ok(Flow::Next),
        }
    }

    fn after_response(&self, at: &mut At<'_>) -> Result<Option<Output>, Halt> {
        let period = self.period(at)?;
        let counts = at.boolean(&self.condition)?;
        let amount = at.number(&self.amount)?;
        let refused = at.context.last_error.as_ref().is_some_and(|error| error.reason == REASON);
        // One key counts once per request, however many policies name it.
        if !counts || refused || at.context.counted_quotas.contains(&period.key) {
            return Ok(None);
        }
        at.context.counted_quotas.push(period.key.clone());
        let usage = usage(at.context, amount.into());
        Ok(Some(Output::Settle(vec![Settlement::Quota(period, usage)])))
    }
}

const REASON: &str = "QuotaExceeded";

impl Limits {
    /// The refusal of a call, when the quota is used up.
    fn refuse(&self, used: QuotaUsage, period: &QuotaPeriod, now: UnixTime) -> Option<Failure> {
        let what = if self.calls.is_some_and(|calls| used.calls >= calls) {
            "call volume"
        } else if self.bytes.is_some_and(|bytes| used.bytes >= bytes) {
            "bandwidth"
        } else {
            return None;
        };
        let Some(left) = left(period, now) else {
            let text = format!("Out of {what} quota.");
            return Some(Failure::denied(403, REASON, text.clone(), text));
        };
        let text = format!("Out of {what} quota. Quota will be replenished in {}.", span(left));
        let failure = Failure::denied(403, REASON, text.clone(), text);
        Some(failure.with_field("Retry-After", &left.to_string()))
    }
}

/// Seconds until the period ends; a quota that is never renewed has no end.
pub(super) fn left(period: &QuotaPeriod, now: UnixTime) -> Option<u64> {
    let length = i64::try_from(period.length.as_secs()).ok().filter(|&length| length > 0)?;
    let into = now.0.saturating_sub(period.anchor.0).rem_euclid(length);
    u64::try_from(length - into).ok()
}

/// `[d.]hh:mm:ss`.
fn span(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let time = format!("{:02}:{:02}:{:02}", rest / 3_600, rest / 60 % 60, rest % 60);
    if days > 0 { format!("{days}.{time}") } else { time }
}

/// What a call used: bytes as far as they are declared, of both messages (unverified).
fn usage(context: &Context, calls: u64) -> QuotaUsage {
    let declared = |fields: &handfast_core::message::Fields, body: Option<&Body>| match body {
        Some(Body::Replace(bytes)) => bytes.len() as u64,
        _ => fields.get_str("content-length").and_then(|text| text.parse().ok()).unwrap_or(0),
    };
    let request = declared(&context.request.fields, Some(&context.request_body));
    let response = context.response.as_ref();
    let response = response.map_or(0, |response| declared(&response.head.fields, Some(&response.body)));
    QuotaUsage { calls, bytes: request + response }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_and_dates_are_read() {
        for (text, expected) in [
            ("300", Some(300)),
            ("0", Some(0)),
            ("P30D", Some(2_592_000)),
            ("PT1H30M", Some(5_400)),
            ("P1W", Some(604_800)),
            ("P1DT1S", Some(86_401)),
            ("P", None),
            ("P1Y", None),
            ("x", None),
        ] {
            assert_eq!(seconds(text), expected, "{text}");
        }
        assert_eq!(utc("0001-01-01T00:00:00Z"), Some(BEGINNING));
        assert_eq!(utc("2000-02-29T00:00:00Z"), Some(UnixTime(951_782_400)));
        assert_eq!(utc("2026-12-03T22:47:10Z"), Some(UnixTime(1_796_338_030)));
        assert_eq!(utc("2026-13-03T22:47:10Z"), None);
        assert_eq!(span(1_802), "00:30:02");
        assert_eq!(span(5 * 86_400 + 3 * 3_600 + 23 * 60 + 11), "5.03:23:11");
    }
}
