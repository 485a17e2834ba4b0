//! `rate-limit` and `rate-limit-by-key`: calls per window (specification 5.1). The host counts; the machine
//! names the counter and turns the outcome into headers, variables or a 429.

use super::quota::{Named, named};
use super::{Policy, read};
use crate::compile::{Compiler, Parts};
use crate::context::Context;
use crate::failure::Failure;
use crate::machine::io::{CountRequest, CountWhen, Counted, Input, Output, Settlement};
use crate::machine::step::{At, Flow, Halt, Ran, Step};
use crate::schema::{AttributeSchema, Content, ElementSchema, Kind, Particle};
use crate::setting::{Setting, Text};
use crate::tree::Element;
use handfast_expression::Value;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

const PERIOD: Kind = Kind::Unsigned { min: 1, max: 300 };
/// The same for expressions, in seconds.
const PERIODS: RangeInclusive<u32> = 1..=300;

macro_rules! with_outputs {
    ($($own:expr),* $(,)?) => {
        &[
            $($own,)*
            AttributeSchema::new("retry-after-header-name", Kind::Name).literal(),
            AttributeSchema::new("retry-after-variable-name", Kind::Name).literal(),
            AttributeSchema::new("remaining-calls-header-name", Kind::Name).literal(),
            AttributeSchema::new("remaining-calls-variable-name", Kind::Name).literal(),
            AttributeSchema::new("total-calls-header-name", Kind::Name).literal(),
        ]
    };
}

static OPERATION: ElementSchema = ElementSchema {
    attributes: &[
        AttributeSchema::new("name", Kind::Name).literal(),
        AttributeSchema::new("id", Kind::Name).literal(),
        AttributeSchema::new("calls", read::NUMBER).required().literal(),
        AttributeSchema::new("renewal-period", PERIOD).required().literal(),
    ],
    content: Content::Empty,
};

static API: ElementSchema = ElementSchema {
    attributes: OPERATION.attributes,
    content: Content::Sequence(&[Particle::any("operation", &OPERATION)]),
};

static SCHEMA: ElementSchema = ElementSchema {
    attributes: with_outputs![
        AttributeSchema::new("calls", read::NUMBER).required().literal(),
        AttributeSchema::new("renewal-period", PERIOD).required().literal(),
    ],
    content: Content::Sequence(&[Particle::any("api", &API)]),
};

static BY_KEY_SCHEMA: ElementSchema = ElementSchema {
    attributes: with_outputs![
        AttributeSchema::new("calls", read::NUMBER).required(),
        AttributeSchema::new("renewal-period", PERIOD).required(),
        AttributeSchema::new("counter-key", Kind::Name).required(),
        AttributeSchema::new("increment-condition", Kind::Boolean),
        AttributeSchema::new("increment-count", read::NUMBER),
        AttributeSchema::new("flexible-retry-window", Kind::Text).literal(),
    ],
    content: Content::Empty,
};

pub(crate) static POLICY: Policy = Policy { name: "rate-limit", schema: &SCHEMA, compile };
pub(crate) static BY_KEY: Policy =
    Policy { name: "rate-limit-by-key", schema: &BY_KEY_SCHEMA, compile: compile_by_key };

/// What the counter is of.
#[derive(Debug)]
enum Counter {
    /// The subscription, at this place.
    Subscription,
    /// A key of the document's own.
    Key(Text),
}

/// A limit within `rate-limit`: of an API or an operation of it.
#[derive(Debug)]
struct Part {
    api: Named,
    operation: Option<Named>,
    calls: u32,
    seconds: u32,
}

/// One counter of a request, with its limit.
struct Limited {
    key: String,
    calls: u32,
    seconds: u32,
}

#[derive(Debug)]
struct RateLimit {
    /// The narrower ones first.
    parts: Vec<Part>,
    counter: Counter,
    calls: Setting<u32>,
    period: Setting<u32>,
    condition: Setting<bool>,
    amount: Setting<u32>,
    retry_after_header: Box<str>,
    retry_after_variable: Option<Arc<str>>,
    remaining_header: Option<Box<str>>,
    remaining_variable: Option<Arc<str>>,
    total_header: Option<Box<str>>,
}

fn compile(element: &Element, compiler: &mut Compiler<'_>) -> Option<Parts> {
    let mut parts = Vec::new();
    for api in element.named("api") {
        let owner = named(api, compiler)?;
        for operation in api.named("operation") {
            parts.push(part(operation, owner.clone(), Some(named(operation, compiler)?)));
        }
        parts.push(part(api, owner, None));
    }
    let own = RateLimit::read(element, Counter::Subscription, compiler);
    Parts::leaf(RateLimit { parts, ..own })
}

fn compile_by_key(element: &Element, compiler: &mut Compiler<'_>) -> Option<Parts> {
    let key = compiler.text(element, "counter-key");
    Parts::leaf(RateLimit::read(element, Counter::Key(key), compiler))
}

fn part(element: &Element, api: Named, operation: Option<Named>) -> Part {
    let number = |name| read::number(element, name).unwrap_or_default();
    Part { api, operation, calls: number("calls"), seconds: number("renewal-period") }
}

impl Part {
    /// The id of what it limits, when the request concerns it.
    fn concerns(&self, context: &Context) -> Option<String> {
        let api = context.api.as_ref().filter(|api| self.api.is(&api.id, &api.name))?;
        let Some(named) = &self.operation else { return Some(format!("api:{}", api.id)) };
        let operation = context.operation.as_ref().filter(|one| named.is(&one.id, &one.name))?;
        Some(format!("operation:{}:{}", api.id, operation.id))
    }
}

impl RateLimit {
    fn read(element: &Element, counter: Counter, compiler: &mut Compiler<'_>) -> Self {
        Self {
            parts: Vec::new(),
            counter,
            calls: compiler.number(element, "calls", 0),
            period: compiler.number(element, "renewal-period", 1),
            condition: compiler.boolean(element, "increment-condition", true),
            amount: compiler.number(element, "increment-count", 1),
            retry_after_header: element.get("retry-after-header-name").unwrap_or("Retry-After").into(),
            retry_after_variable: element.get("retry-after-variable-name").map(Into::into),
            remaining_header: element.get("remaining-calls-header-name").map(Into::into),
            remaining_variable: element.get("remaining-calls-variable-name").map(Into::into),
            total_header: element.get("total-calls-header-name").map(Into::into),
        }
    }

    /// Whether the call is counted after the response, which condition and amount may then read.
    fn is_deferred(&self) -> bool {
        self.condition.literal().is_none() || self.amount.literal().is_none()
    }

    /// The counter's name. `rate-limit` counts per subscription; a call without one is not limited.
    fn counter(&self, at: &mut At<'_>) -> Result<Option<String>, Halt> {
        if let Counter::Key(key) = &self.counter {
            let key = at.text(key)?;
            return Ok(Some(format!("rate-limit-by-key:{key}")));
        }
        let context = &at.context;
        let Some(subscription) = &context.subscription else { return Ok(None) };
        let owner = match at.node.scope() {
            crate::Scope::Product => context.product.as_ref().map_or("", |product| &product.id),
            _ => context.api.as_ref().map_or("", |api| &api.id),
        };
        let operation = match at.node.scope() {
            crate::Scope::Operation => context.operation.as_ref().map_or("", |operation| &operation.id),
            _ => "",
        };
        let scope = at.node.scope().as_str();
        Ok(Some(format!("rate-limit:{}:{scope}:{owner}:{operation}", subscription.id)))
    }

    /// By how much a call counts.
    fn amount(&self, at: &mut At<'_>) -> Result<u32, Halt> {
        Ok(if at.boolean(&self.condition)? { at.number(&self.amount)? } else { 0 })
    }

    /// All counters that the request has to pass, its own last.
    fn counters(&self, at: &mut At<'_>) -> Result<Vec<Limited>, Halt> {
        let Some(key) = self.counter(at)? else { return Ok(Vec::new()) };
        let concerned = self.parts.iter().filter_map(|part| Some((part, part.concerns(at.context)?)));
        let mut all: Vec<Limited> = concerned
            .map(|(part, id)| Limited {
                key: format!("{key}:{id}"),
                calls: part.calls,
                seconds: part.seconds,
            })
            .collect();
        let (calls, seconds) = (at.number(&self.calls)?, at.number_within(&self.period, PERIODS)?);
        all.push(Limited { key, calls, seconds });
        Ok(all)
    }

    /// Asks for the counter whose turn it is; nothing when all have passed.
    fn next(&self, at: &mut At<'_>) -> Ran {
        let amount = if self.is_deferred() { 0 } else { self.amount(at)? };
        let turn = at.context.turn;
        let next = self.counters(at)?.into_iter().nth(turn);
        let ask = |limited: Limited| Flow::Await(Output::Count(limited.count(amount, CountWhen::Now)));
        Ok(next.map_or(Flow::Next, ask))
    }

    fn refuse(&self, at: &mut At<'_>, counted: Counted) -> Failure {
        let whole = counted.retry_after.as_secs() + u64::from(counted.retry_after.subsec_nanos() > 0);
        let seconds = whole.max(1);
        if let Some(name) = &self.retry_after_variable {
            at.context.variables.set(name, Value::int(i32::try_from(seconds).unwrap_or(i32::MAX)));
        }
        let body = format!("Rate limit is exceeded. Try again in {seconds} seconds.");
        let failure = Failure::denied(429, "RateLimitExceeded", "Rate limit is exceeded", body);
        failure.with_field(&self.retry_after_header, &seconds.to_string())
    }
}

impl Limited {
    fn count(self, amount: u32, when: CountWhen) -> CountRequest {
        let period = Duration::from_secs(self.seconds.into());
        CountRequest { key: self.key, limit: self.calls, period, amount, when }
    }
}

impl Step for RateLimit {
    fn run(&self, at: &mut At<'_>) -> Ran {
        at.context.turn = 0;
        if self.counter(at)?.is_none() {
            at.note(|| "no subscription, not limited");
            return Ok(Flow::Next);
        }
        let first = self.next(at)?;
        if self.is_deferred() {
            at.defer();
        }
        Ok(first)
    }

    fn resume(&self, at: &mut At<'_>, answer: Input) -> Ran {
        let Input::Counted(counted) = answer else { return Ok(Flow::unexpected(&answer)) };
        if let Some(name) = &self.total_header {
            let calls = at.number(&self.calls)?;
            at.context.record_field(name, &calls.to_string());
        }
        if let Some(name) = &self.remaining_header {
            at.context.record_field(name, &counted.remaining.to_string());
        }
        if let Some(name) = &self.remaining_variable {
            at.context.variables.set(name, Value::int(i32::try_from(counted.remaining).unwrap_or(i32::MAX)));
        }
        at.note(|| format!("{} calls left", counted.remaining));
        if !counted.allowed {
            return Err(self.refuse(at, counted).into());
        }
        at.context.turn += 1;
        self.next(at)
    }

    fn after_response(&self, at: &mut At<'_>) -> Result<Option<Output>, Halt> {
        let amount = self.amount(at)?;
        if amount == 0 {
            return Ok(None);
        }
        let counters = self.counters(at)?.into_iter();
        let count = |limited: Limited| Settlement::Count(limited.count(amount, CountWhen::AfterResponse));
        Ok(Some(Output::Settle(counters.map(count).collect())))
    }
}
