//! `rate-limit` and `rate-limit-by-key`: calls per window (specification 5.1). The host counts; the machine
//! names the counter and turns the outcome into headers, variables or a 429.

use super::{Policy, read};
use crate::compile::{Compiler, Parts};
use crate::context::Variable;
use crate::failure::Failure;
use crate::machine::io::{CountRequest, Counted, Input, Output};
use crate::machine::step::{At, Flow, Step};
use crate::schema::{AttributeSchema, Content, ElementSchema, Kind};
use crate::tree::Element;
use std::sync::Arc;
use std::time::Duration;

const PERIOD: Kind = Kind::Unsigned { min: 1, max: 300 };

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

static SCHEMA: ElementSchema = ElementSchema {
    attributes: with_outputs![
        AttributeSchema::new("calls", read::NUMBER).required().literal(),
        AttributeSchema::new("renewal-period", PERIOD).required().literal(),
    ],
    content: Content::Empty,
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

#[derive(Debug)]
struct RateLimit {
    /// The literal key; without one the counter is the subscription's at this place.
    key: Option<Arc<str>>,
    calls: u32,
    period: Duration,
    amount: u32,
    retry_after_header: Box<str>,
    retry_after_variable: Option<Arc<str>>,
    remaining_header: Option<Box<str>>,
    remaining_variable: Option<Arc<str>>,
    total_header: Option<Box<str>>,
}

fn compile(element: &Element, _compiler: &mut Compiler<'_>) -> Option<Parts> {
    Parts::leaf(RateLimit::read(element, None))
}

fn compile_by_key(element: &Element, _compiler: &mut Compiler<'_>) -> Option<Parts> {
    Parts::leaf(RateLimit::read(element, element.get("counter-key").map(Into::into)))
}

impl RateLimit {
    fn read(element: &Element, key: Option<Arc<str>>) -> Self {
        let counts = read::boolean(element, "increment-condition", true);
        Self {
            key,
            calls: read::number(element, "calls").unwrap_or(0),
            period: Duration::from_secs(read::number(element, "renewal-period").unwrap_or(1).into()),
            amount: if counts { read::number(element, "increment-count").unwrap_or(1) } else { 0 },
            retry_after_header: element.get("retry-after-header-name").unwrap_or("Retry-After").into(),
            retry_after_variable: element.get("retry-after-variable-name").map(Into::into),
            remaining_header: element.get("remaining-calls-header-name").map(Into::into),
            remaining_variable: element.get("remaining-calls-variable-name").map(Into::into),
            total_header: element.get("total-calls-header-name").map(Into::into),
        }
    }

    /// The counter's name. `rate-limit` counts per subscription; a call without one is not limited.
    fn counter(&self, at: &At<'_>) -> Option<String> {
        if let Some(key) = &self.key {
            return Some(format!("rate-limit-by-key:{key}"));
        }
        let context = &at.context;
        let subscription = context.subscription.as_ref()?;
        let owner = match at.node.scope() {
            crate::Scope::Product => context.product.as_ref().map_or("", |product| &product.id),
            _ => context.api.as_ref().map_or("", |api| &api.id),
        };
        let operation = match at.node.scope() {
            crate::Scope::Operation => context.operation.as_ref().map_or("", |operation| &operation.id),
            _ => "",
        };
        let scope = at.node.scope().as_str();
        Some(format!("rate-limit:{}:{scope}:{owner}:{operation}", subscription.id))
    }

    fn refuse(&self, at: &mut At<'_>, counted: Counted) -> Flow {
        let whole = counted.retry_after.as_secs() + u64::from(counted.retry_after.subsec_nanos() > 0);
        let seconds = whole.max(1);
        if let Some(name) = &self.retry_after_variable {
            let value = Variable::Integer(i64::try_from(seconds).unwrap_or(i64::MAX));
            at.context.variables.set(name, value);
        }
        let body = format!("Rate limit is exceeded. Try again in {seconds} seconds.");
        let failure = Failure::denied(429, "RateLimitExceeded", "Rate limit is exceeded", body);
        Flow::fail(failure.with_field(&self.retry_after_header, &seconds.to_string()))
    }
}

impl Step for RateLimit {
    fn run(&self, at: &mut At<'_>) -> Flow {
        let Some(key) = self.counter(at) else {
            at.note(|| "no subscription, not limited");
            return Flow::Next;
        };
        let request = CountRequest { key, limit: self.calls, period: self.period, amount: self.amount };
        Flow::Await(Output::Count(request))
    }

    fn resume(&self, at: &mut At<'_>, answer: Input) -> Flow {
        let Input::Counted(counted) = answer else { return Flow::unexpected(&answer) };
        if let Some(name) = &self.total_header {
            at.context.record_field(name, &self.calls.to_string());
        }
        if let Some(name) = &self.remaining_header {
            at.context.record_field(name, &counted.remaining.to_string());
        }
        if let Some(name) = &self.remaining_variable {
            at.context.variables.set(name, Variable::Integer(counted.remaining.into()));
        }
        at.note(|| format!("{} calls left", counted.remaining));
        if counted.allowed { Flow::Next } else { self.refuse(at, counted) }
    }
}
