//! GraphQL: schemas (SDL) and requests, and whether a request is valid for a schema.
//!
//! Source: the GraphQL specification of October 2021, §2 (language), §3 (types) and §5 (validation). Every rule
//! of §5 is there but "field selection merging" (§5.3.2), which is about what a response looks like and is left
//! to the service behind. Requests are measured (depth, fields) with their fragments expanded, so that a small
//! text cannot ask for a large tree. A pure reader: nothing is executed here.
//!
//! *Not* here: execution, resolvers, subscriptions' transport.

mod cut;
mod lexer;
mod measure;
mod query;
mod schema;
mod sdl;
mod validate;

#[cfg(test)]
mod tests;

pub use cut::without;
pub use measure::{Measure, Visit, measure};
pub use query::{Directive, Document, Field, Fragment, Kind, Operation, Selection, Variable, parse};
pub use schema::{Schema, SchemaError};
pub use validate::validate;

use crate::json::Place;

/// The longest request or schema.
pub const TEXT_BYTES_MAX: usize = 4 << 20;
/// Nesting of selections, values and types in a text.
pub const DEPTH_MAX: usize = 64;

/// What is wrong with a request, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message} ({line}:{column})", line = place.line, column = place.position)]
pub struct GraphQlError {
    /// What was found.
    pub message: String,
    /// Line and column from 1.
    pub place: Place,
}

impl GraphQlError {
    /// Stable code.
    pub fn code(&self) -> &'static str {
        "InvalidGraphQl"
    }

    fn new(message: impl Into<String>, place: Place) -> Self {
        Self { message: message.into(), place }
    }
}

/// A reference to a type: `[Name!]!`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TypeRef {
    /// A type by name.
    Named(String),
    /// A list of a type.
    List(Box<TypeRef>),
    /// A type without null.
    NonNull(Box<TypeRef>),
}

impl TypeRef {
    /// The innermost name.
    pub fn name(&self) -> &str {
        match self {
            Self::Named(name) => name,
            Self::List(inner) | Self::NonNull(inner) => inner.name(),
        }
    }

    fn is_required(&self) -> bool {
        matches!(self, Self::NonNull(_))
    }
}

impl std::fmt::Display for TypeRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Named(name) => f.write_str(name),
            Self::List(inner) => write!(f, "[{inner}]"),
            Self::NonNull(inner) => write!(f, "{inner}!"),
        }
    }
}

/// A value as it is written.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `$name`.
    Variable(String, Place),
    /// A whole number.
    Int(String),
    /// Another number.
    Float(String),
    /// A string.
    String(String),
    /// `true` or `false`.
    Boolean(bool),
    /// `null`.
    Null,
    /// A name of an enumeration.
    Enum(String),
    /// A list.
    List(Vec<Value>),
    /// An input object.
    Object(Vec<(String, Value)>),
}

impl Value {
    /// The value as messages show it.
    fn shown(&self) -> String {
        match self {
            Self::Variable(name, _) => format!("${name}"),
            Self::Int(text) | Self::Float(text) | Self::Enum(text) => text.clone(),
            Self::String(text) => format!("\"{}\"", crate::json::shortened(text)),
            Self::Boolean(truth) => truth.to_string(),
            Self::Null => "null".to_owned(),
            Self::List(items) => format!("a list of {} items", items.len()),
            Self::Object(fields) => format!("an object of {} fields", fields.len()),
        }
    }
}
