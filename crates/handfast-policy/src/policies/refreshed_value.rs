//! `cache-value`: a value that its children work out when the cache has none, or none that is fresh enough
//! (specification 5.6). A value that is stale stands in when they fail.

use super::cache_value::{CACHING_TYPE, VALUE_BYTES_MAX, stored, value_key};
use super::{Policy, read};
use crate::compile::{Compiler, Parts};
use crate::machine::io::{Cached, CachedContent, Input, Output};
use crate::machine::step::{After, At, BlockState, Flow, Halt, Ran, Step};
use crate::schema::{AttributeSchema, Content, ElementSchema, Kind, Particle};
use crate::setting::{Setting, Text};
use crate::tree::Element;
use handfast_expression::Value;
use std::sync::Arc;
use std::time::Duration;

/// Seconds until a value is forgotten, when the document does not say.
const EXPIRES_AFTER: u32 = 28_800;

static VALUE: ElementSchema = ElementSchema { attributes: &[], content: Content::Policies };

static SCHEMA: ElementSchema = ElementSchema {
    attributes: &[
        AttributeSchema::new("key", Kind::Text).required(),
        AttributeSchema::new("variable-name", Kind::Name).required().literal(),
        AttributeSchema::new("expires-after", read::NUMBER),
        AttributeSchema::new("refresh-after", read::NUMBER),
        AttributeSchema::new("default-value", Kind::Text),
        CACHING_TYPE,
    ],
    content: Content::Sequence(&[Particle::one("value", &VALUE)]),
};

pub(crate) static POLICY: Policy = Policy { name: "cache-value", schema: &SCHEMA, compile };

#[derive(Debug)]
struct RefreshedValue {
    key: Text,
    variable: Arc<str>,
    expires_after: Setting<u32>,
    /// Without it a value is fresh until it is forgotten; 0 is never.
    refresh_after: Option<Setting<u32>>,
    default: Option<Setting<Value>>,
}

fn compile(element: &Element, compiler: &mut Compiler<'_>) -> Option<Parts> {
    let step = RefreshedValue {
        key: compiler.text(element, "key"),
        variable: read::text(element, "variable-name").into(),
        expires_after: compiler.number(element, "expires-after", EXPIRES_AFTER),
        refresh_after: compiler.optional_number(element, "refresh-after"),
        default: element.attribute("default-value").map(|_| compiler.value(element, "default-value")),
    };
    let children = compiler.block(element.child("value")?, Some("value"));
    Parts::wrapper(step, vec![children])
}

impl RefreshedValue {
    /// All values, so that nothing has to wait later.
    fn evaluate(&self, at: &mut At<'_>) -> Result<(Duration, Option<Duration>), Halt> {
        at.text(&self.key)?;
        self.default.as_ref().map(|default| at.value(default)).transpose()?;
        let life = Duration::from_secs(at.number(&self.expires_after)?.into());
        let fresh = self.refresh_after.as_ref().map(|after| at.number(after)).transpose()?;
        Ok((life, fresh.map(|seconds| Duration::from_secs(seconds.into()))))
    }

    fn set(&self, at: &mut At<'_>, value: Value) {
        at.context.variables.set(&self.variable, value);
    }
}

impl Step for RefreshedValue {
    fn run(&self, at: &mut At<'_>) -> Ran {
        self.evaluate(at)?;
        let key = value_key(&at.text(&self.key)?);
        Ok(Flow::Await(Output::CacheGet { key }))
    }

    fn resume(&self, at: &mut At<'_>, answer: Input) -> Ran {
        let found = match answer {
            Input::Cached(found) => found,
            // What the children made is stored.
            other => return Ok(stored(&other)),
        };
        let (life, fresh) = self.evaluate(at)?;
        let found = found.and_then(|(cached, left)| match cached.content {
            CachedContent::Value(value) => {
                Some((value.detached(VALUE_BYTES_MAX)?.0, life.saturating_sub(left)))
            }
            CachedContent::Response(_) => None,
        });
        let variable = &self.variable;
        match found {
            Some((value, age)) if fresh.is_none_or(|fresh| age < fresh) => {
                at.note(|| format!("'{variable}' found in the cache"));
                self.set(at, value);
                Ok(Flow::Next)
            }
            found => {
                at.note(|| match &found {
                    Some((_, age)) => format!("'{variable}' is {} seconds old and made anew", age.as_secs()),
                    None => format!("'{variable}' is not in the cache"),
                });
                // What they do not set is told from what was there before.
                at.context.variables.remove(variable);
                let key = value_key(&at.text(&self.key)?);
                Ok(Flow::Enter(0, BlockState::Refresh { key, stale: found.map(|(value, _)| value) }))
            }
        }
    }

    fn after(&self, at: &mut At<'_>, state: &mut BlockState, failed: bool) -> Result<After, Halt> {
        let (life, _) = self.evaluate(at)?;
        let BlockState::Refresh { key, stale } = state else { return Ok(After::Leave) };
        let made =
            at.context.variables.get(&self.variable).filter(|value| !failed && !value.is_null()).cloned();
        let Some(made) = made else {
            let default = self.default.as_ref().map(|default| at.value(default)).transpose()?;
            let stands_in = stale.take().or_else(|| default.filter(|_| !failed));
            let Some(value) = stands_in else { return Ok(After::Leave) };
            at.note(|| format!("'{}' keeps another value", self.variable));
            self.set(at, value);
            return Ok(if failed { After::Recover } else { After::Leave });
        };
        let Some((value, bytes)) = made.detached(VALUE_BYTES_MAX) else {
            at.note(|| format!("the value of '{}' cannot be cached", self.variable));
            return Ok(After::Leave);
        };
        at.note(|| format!("'{}' stored for {} seconds", self.variable, life.as_secs()));
        let entry = Cached { content: CachedContent::Value(value), bytes };
        Ok(After::Ask(Output::CacheSet { key: std::mem::take(key), entry, life }))
    }
}
