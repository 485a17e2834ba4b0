//! `cache-lookup-value`, `cache-store-value` and `cache-remove-value`: values by key, for all requests of the service
//! (specification 5.6). What cannot be kept is not; a cache never fails a request.

use super::Policy;
use crate::compile::{Compiler, Parts};
use crate::machine::io::{Cached, CachedContent, Input, Output};
use crate::machine::step::{At, Flow, Halt, Ran, Step};
use crate::schema::{AttributeSchema, Content, ElementSchema, Kind};
use crate::setting::{Setting, Text};
use crate::tree::Element;
use handfast_expression::Value;
use std::time::Duration;

/// `internal`, `external` and `prefer-external` are all this process' cache: there is no other yet.
pub(super) const CACHING_TYPE: AttributeSchema =
    AttributeSchema::new("caching-type", Kind::OneOf(&["prefer-external", "external", "internal"])).literal();
/// Seconds; deployed documents contain 2147483647.
pub(super) const DURATION: Kind = Kind::Unsigned { min: 0, max: i32::MAX as u32 };
/// The largest value that is kept.
pub(super) const VALUE_BYTES_MAX: usize = 4 << 20;

pub(super) static LOOKUP_SCHEMA: ElementSchema = ElementSchema {
    attributes: &[
        AttributeSchema::new("key", Kind::Text).required(),
        AttributeSchema::new("variable-name", Kind::Name).required(),
        AttributeSchema::new("default-value", Kind::Text),
        CACHING_TYPE,
    ],
    content: Content::Empty,
};

static STORE_SCHEMA: ElementSchema = ElementSchema {
    attributes: &[
        AttributeSchema::new("key", Kind::Text).required(),
        AttributeSchema::new("value", Kind::Text).required(),
        AttributeSchema::new("duration", DURATION).required(),
        CACHING_TYPE,
    ],
    content: Content::Empty,
};

static REMOVE_SCHEMA: ElementSchema = ElementSchema {
    attributes: &[
        AttributeSchema::new("key", Kind::Text).required(),
        AttributeSchema::new("fail-on-cache-removal-error", Kind::Boolean),
        CACHING_TYPE,
    ],
    content: Content::Empty,
};

pub(crate) static LOOKUP: Policy =
    Policy { name: "cache-lookup-value", schema: &LOOKUP_SCHEMA, compile: compile_lookup };
pub(crate) static STORE: Policy =
    Policy { name: "cache-store-value", schema: &STORE_SCHEMA, compile: compile_store };
pub(crate) static REMOVE: Policy =
    Policy { name: "cache-remove-value", schema: &REMOVE_SCHEMA, compile: compile_remove };

#[derive(Debug)]
struct Lookup {
    key: Text,
    variable: Text,
    default: Option<Setting<Value>>,
}

fn compile_lookup(element: &Element, compiler: &mut Compiler<'_>) -> Option<Parts> {
    Parts::leaf(Lookup {
        key: compiler.text(element, "key"),
        variable: compiler.text(element, "variable-name"),
        default: element.attribute("default-value").map(|_| compiler.value(element, "default-value")),
    })
}

impl Lookup {
    fn default(&self, at: &mut At<'_>) -> Result<Option<Value>, Halt> {
        self.default.as_ref().map(|default| at.value(default)).transpose()
    }
}

impl Step for Lookup {
    fn run(&self, at: &mut At<'_>) -> Ran {
        let key = at.text(&self.key)?;
        at.text(&self.variable)?;
        self.default(at)?;
        Ok(Flow::Await(Output::CacheGet { key: value_key(&key) }))
    }

    fn resume(&self, at: &mut At<'_>, answer: Input) -> Ran {
        let Input::Cached(found) = answer else { return Ok(Flow::unexpected(&answer)) };
        let found = found.and_then(|(cached, _)| match cached.content {
            // A copy again, so that the request cannot change what is kept.
            CachedContent::Value(value) => value.detached(VALUE_BYTES_MAX).map(|(copy, _)| copy),
            CachedContent::Response(_) => None,
        });
        let hit = found.is_some();
        let value = match found {
            Some(value) => Some(value),
            None => self.default(at)?,
        };
        let variable = at.text(&self.variable)?;
        at.note(|| format!("'{variable}' {}", if hit { "found in the cache" } else { "not in the cache" }));
        if let Some(value) = value {
            at.context.variables.set(&(&*variable).into(), value);
        }
        Ok(Flow::Next)
    }
}

#[derive(Debug)]
struct Store {
    key: Text,
    value: Setting<Value>,
    duration: Setting<u32>,
}

fn compile_store(element: &Element, compiler: &mut Compiler<'_>) -> Option<Parts> {
    Parts::leaf(Store {
        key: compiler.text(element, "key"),
        value: compiler.value(element, "value"),
        duration: compiler.number(element, "duration", 0),
    })
}

impl Step for Store {
    fn run(&self, at: &mut At<'_>) -> Ran {
        let (key, value) = (at.text(&self.key)?, at.value(&self.value)?);
        let seconds = at.number(&self.duration)?;
        let Some((value, bytes)) = value.detached(VALUE_BYTES_MAX) else {
            at.note(|| format!("the value of '{key}' cannot be cached"));
            return Ok(Flow::Next);
        };
        at.note(|| format!("'{key}' stored for {seconds} s"));
        let entry = Cached { content: CachedContent::Value(value), bytes };
        let life = Duration::from_secs(seconds.into());
        Ok(Flow::Await(Output::CacheSet { key: value_key(&key), entry, life }))
    }

    fn resume(&self, _: &mut At<'_>, answer: Input) -> Ran {
        Ok(stored(&answer))
    }
}

#[derive(Debug)]
struct Remove {
    key: Text,
    /// Evaluated, though a cache in this process cannot fail.
    fails: Setting<bool>,
}

fn compile_remove(element: &Element, compiler: &mut Compiler<'_>) -> Option<Parts> {
    Parts::leaf(Remove {
        key: compiler.text(element, "key"),
        fails: compiler.boolean(element, "fail-on-cache-removal-error", false),
    })
}

impl Step for Remove {
    fn run(&self, at: &mut At<'_>) -> Ran {
        let key = at.text(&self.key)?;
        at.boolean(&self.fails)?;
        at.note(|| format!("'{key}' removed from the cache"));
        Ok(Flow::Await(Output::CacheRemove { key: value_key(&key) }))
    }

    fn resume(&self, _: &mut At<'_>, answer: Input) -> Ran {
        Ok(stored(&answer))
    }
}

/// Values and responses cannot meet under one key.
pub(super) fn value_key(key: &str) -> String {
    format!("value:{key}")
}

pub(super) fn stored(answer: &Input) -> Flow {
    match answer {
        Input::Stored => Flow::Next,
        other => Flow::unexpected(other),
    }
}
