//! JSON schemas, compiled once and then asked about values.
//!
//! Why own: what a policy reports is the text and the place of each failure as the schema library of the real
//! service words them, and it may override `additionalProperties` and compare names without letter case. A
//! general validator gives neither.
//!
//! Sources: JSON Schema drafts 4 to 2020-12 (core and validation), OpenAPI 2.0, 3.0 and 3.1 schema objects
//! (`nullable`, Boolean exclusive bounds). What of them is not built is a [`Problem`] that names the keyword:
//! references out of the document, dynamic references, `unevaluated…`. A value is judged within
//! [`STEPS_MAX`] steps.

mod check;
mod compile;
mod format;
pub mod sample;

#[cfg(test)]
mod tests;

pub use check::{Options, Unjudged, Violation};
pub use compile::{Problem, SchemaDocument};
pub(crate) use format::{is_base64, is_date, is_time};

use crate::json::{Json, Number};
use crate::pattern::Pattern;
use format::Format;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Schemas that are looked at for one value.
pub const STEPS_MAX: usize = 1_000_000;

/// The types of a value, as a set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Types(u8);

/// A type with its name in schemas and in messages.
struct TypeName {
    bit: u8,
    name: &'static str,
    shown: &'static str,
}

const fn type_name(bit: u8, name: &'static str, shown: &'static str) -> TypeName {
    TypeName { bit, name, shown }
}

static TYPES: [TypeName; 7] = [
    type_name(1, "string", "String"),
    type_name(2, "number", "Number"),
    type_name(4, "integer", "Integer"),
    type_name(8, "boolean", "Boolean"),
    type_name(16, "object", "Object"),
    type_name(32, "array", "Array"),
    type_name(64, "null", "Null"),
];

impl Types {
    pub(crate) const STRING: Self = Self(1);
    pub(crate) const NUMBER: Self = Self(2);
    pub(crate) const INTEGER: Self = Self(4);
    pub(crate) const BOOLEAN: Self = Self(8);
    pub(crate) const OBJECT: Self = Self(16);
    pub(crate) const ARRAY: Self = Self(32);
    pub(crate) const NULL: Self = Self(64);

    fn named(name: &str) -> Option<Self> {
        TYPES.iter().find(|one| one.name == name).map(|one| Self(one.bit))
    }

    pub(crate) fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(crate) fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// `String, Null`.
    pub(crate) fn shown(self) -> String {
        let names: Vec<&str> =
            TYPES.iter().filter(|one| self.has(Self(one.bit))).map(|one| one.shown).collect();
        names.join(", ")
    }
}

/// The place of a schema among those of its document.
pub(crate) type SchemaId = usize;

/// One schema object. What a keyword does not say is absent or empty.
#[derive(Debug, Default)]
pub(crate) struct Node {
    /// The schema `false`.
    pub(crate) never: bool,
    pub(crate) reference: Option<SchemaId>,
    pub(crate) types: Option<Types>,
    pub(crate) one_of_values: Option<Vec<Json>>,
    pub(crate) constant: Option<Json>,
    pub(crate) number: NumberRules,
    pub(crate) string: StringRules,
    pub(crate) array: ArrayRules,
    pub(crate) object: ObjectRules,
    pub(crate) all_of: Vec<SchemaId>,
    pub(crate) any_of: Vec<SchemaId>,
    pub(crate) one_of: Vec<SchemaId>,
    pub(crate) not: Option<SchemaId>,
    /// `if`, `then`, `else`.
    pub(crate) condition: Option<(SchemaId, Option<SchemaId>, Option<SchemaId>)>,
    /// An example or default of its own, for samples.
    pub(crate) example: Option<serde_json::Value>,
}

#[derive(Debug, Default)]
pub(crate) struct NumberRules {
    pub(crate) minimum: Option<Bound>,
    pub(crate) maximum: Option<Bound>,
    pub(crate) multiple_of: Option<Number>,
}

/// A bound of numbers.
#[derive(Clone, Debug)]
pub(crate) struct Bound {
    pub(crate) value: Number,
    pub(crate) exclusive: bool,
}

#[derive(Debug, Default)]
pub(crate) struct StringRules {
    /// In characters.
    pub(crate) length_min: Option<usize>,
    pub(crate) length_max: Option<usize>,
    pub(crate) pattern: Option<Pattern>,
    pub(crate) format: Option<&'static Format>,
}

#[derive(Debug, Default)]
pub(crate) struct ArrayRules {
    pub(crate) count_min: Option<usize>,
    pub(crate) count_max: Option<usize>,
    pub(crate) unique: bool,
    /// By position.
    pub(crate) first: Vec<SchemaId>,
    /// Those behind them.
    pub(crate) rest: Option<SchemaId>,
    /// What some items must be, and how many at least and at most.
    pub(crate) contains: Option<(SchemaId, usize, Option<usize>)>,
}

#[derive(Debug, Default)]
pub(crate) struct ObjectRules {
    pub(crate) count_min: Option<usize>,
    pub(crate) count_max: Option<usize>,
    pub(crate) required: Vec<String>,
    pub(crate) properties: Vec<(String, SchemaId)>,
    pub(crate) patterns: Vec<(Pattern, SchemaId)>,
    pub(crate) additional: Additional,
    pub(crate) names: Option<SchemaId>,
    /// Names that a property needs beside it.
    pub(crate) needs: Vec<(String, Vec<String>)>,
    /// What an object with a property must be.
    pub(crate) implies: Vec<(String, SchemaId)>,
}

/// What properties without a schema of their own are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Additional {
    /// Anything; nothing is said about them.
    #[default]
    Unsaid,
    Refused,
    Like(SchemaId),
}

/// All schemas of a document, with those that have a name of their own.
#[derive(Debug, Default)]
pub(crate) struct Arena {
    pub(crate) nodes: Vec<Node>,
    pub(crate) by_pointer: BTreeMap<String, SchemaId>,
}

/// A schema among those of its document.
#[derive(Clone, Debug)]
pub struct JsonSchema {
    pub(crate) arena: Arc<Arena>,
    pub(crate) root: SchemaId,
}

impl JsonSchema {
    /// Everything in which a value does not fit, in the order of the value, no more than `Options::violations_max`.
    pub fn check(&self, value: &Json, options: &Options) -> Result<Vec<Violation>, Unjudged> {
        check::check(self, value, options)
    }

    /// The types that a value may have, if the schema or what it refers to says so.
    pub(crate) fn types(&self) -> Option<Types> {
        let mut at = self.node(self.root)?;
        for _ in 0..self.arena.nodes.len() {
            match at.reference.and_then(|next| self.node(next)) {
                Some(next) if at.types.is_none() => at = next,
                _ => break,
            }
        }
        at.types
    }

    /// The schema of the items of an array.
    pub(crate) fn items(&self) -> Option<Self> {
        let mut at = self.root;
        for _ in 0..self.arena.nodes.len() {
            let node = self.node(at)?;
            match node.array.rest {
                Some(root) => return Some(Self { arena: self.arena.clone(), root }),
                None => at = node.reference?,
            }
        }
        None
    }

    pub(crate) fn node(&self, id: SchemaId) -> Option<&Node> {
        self.arena.nodes.get(id)
    }
}

impl PartialEq for JsonSchema {
    /// The same schema of the same compile.
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.arena, &other.arena) && self.root == other.root
    }
}

impl Eq for JsonSchema {}
