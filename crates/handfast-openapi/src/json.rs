//! JSON text to a tree in which every value knows its place: errors of content validation name a line and a
//! position (policy specification 5.3).
//!
//! Places are counted as Newtonsoft's reader counts them: lines from 1, and the position is the number of
//! characters of the line that have been read when the value is known, so it points behind the value.
//! Source: RFC 8259, strictly; what another reader might take for something else is refused. A name that
//! stands twice in one object is refused for the same reason.

mod read;

pub(crate) use read::is_number;

use std::cmp::Ordering;

/// The deepest nesting of arrays and objects.
pub const DEPTH_MAX: usize = 64;

/// A line and the characters read of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// From 1.
    pub line: usize,
    /// Characters of the line up to here.
    pub position: usize,
}

/// A value in its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Json {
    /// What it is.
    pub kind: Kind,
    /// Behind the first token: the bracket of an array or object, else the whole value.
    pub start: Place,
    /// Behind the last token.
    pub end: Place,
}

/// What a value is.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number, as written.
    Number(Number),
    /// A string, escapes resolved.
    String(String),
    /// An array.
    Array(Vec<Json>),
    /// An object, in the order of the text.
    Object(Vec<Member>),
}

/// A member of an object.
#[derive(Clone, Debug, PartialEq)]
pub struct Member {
    /// The name.
    pub name: String,
    /// Behind the name's colon.
    pub place: Place,
    /// The value.
    pub value: Json,
}

/// A number as it was written.
#[derive(Clone, Debug)]
pub struct Number(pub(crate) String);

/// Why a text is not JSON.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message} Path '{path}', line {line}, position {position}.", line = place.line, position = place.position)]
pub struct JsonError {
    /// What was found.
    pub message: String,
    /// Where in the tree.
    pub path: String,
    /// Where in the text.
    pub place: Place,
}

impl JsonError {
    /// Stable code.
    pub fn code(&self) -> &'static str {
        "InvalidJson"
    }
}

impl Json {
    /// Reads a text that is one value.
    pub fn parse(text: &str) -> Result<Self, JsonError> {
        read::parse(text)
    }

    /// The same value of a document that was read elsewhere; it has no places.
    pub fn from_value(value: &serde_json::Value) -> Self {
        use serde_json::Value;
        let kind = match value {
            Value::Null => Kind::Null,
            Value::Bool(truth) => Kind::Bool(*truth),
            Value::Number(number) => Kind::Number(Number(number.to_string())),
            Value::String(text) => Kind::String(text.clone()),
            Value::Array(items) => Kind::Array(items.iter().map(Self::from_value).collect()),
            Value::Object(members) => Kind::Object(
                members
                    .iter()
                    .map(|(name, value)| Member {
                        name: name.clone(),
                        place: Place::default(),
                        value: Self::from_value(value),
                    })
                    .collect(),
            ),
        };
        Self { kind, start: Place::default(), end: Place::default() }
    }

    /// A string that stands alone, such as the value of a parameter.
    pub(crate) fn alone(text: &str) -> Self {
        let place = Place { line: 1, position: text.chars().count() };
        Self { kind: Kind::String(text.to_owned()), start: place, end: place }
    }

    /// Equality of JSON Schema: numbers by value, members in any order.
    pub(crate) fn same(&self, other: &Self) -> bool {
        match (&self.kind, &other.kind) {
            (Kind::Null, Kind::Null) => true,
            (Kind::Bool(a), Kind::Bool(b)) => a == b,
            (Kind::Number(a), Kind::Number(b)) => a == b,
            (Kind::String(a), Kind::String(b)) => a == b,
            (Kind::Array(a), Kind::Array(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|(one, other)| one.same(other))
            }
            (Kind::Object(a), Kind::Object(b)) => {
                let in_b = |one: &Member| b.iter().any(|m| m.name == one.name && m.value.same(&one.value));
                a.len() == b.len() && a.iter().all(in_b)
            }
            _ => false,
        }
    }

    /// The text of the value as messages show it: no more than a line of it.
    pub(crate) fn shown(&self) -> String {
        match &self.kind {
            Kind::Null => "null".to_owned(),
            Kind::Bool(truth) => truth.to_string(),
            Kind::Number(number) => number.0.clone(),
            Kind::String(text) => format!("\"{}\"", shortened(text)),
            Kind::Array(items) => format!("an array of {} items", items.len()),
            Kind::Object(members) => format!("an object of {} properties", members.len()),
        }
    }
}

/// A text as messages show it.
pub(crate) fn shortened(text: &str) -> String {
    const CHARACTERS_MAX: usize = 100;
    match text.char_indices().nth(CHARACTERS_MAX) {
        Some((end, _)) => format!("{}...", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

impl Number {
    /// The nearest double.
    pub fn as_f64(&self) -> f64 {
        self.0.parse().unwrap_or(f64::NAN)
    }

    /// The exact value, when it is written as an integer.
    pub fn as_integer(&self) -> Option<i128> {
        self.0.parse().ok()
    }

    /// Whether it is written without fraction and exponent.
    pub fn is_integer(&self) -> bool {
        !self.0.contains(['.', 'e', 'E'])
    }

    /// Order by value: exact for integers, else of the nearest doubles.
    pub(crate) fn order(&self, other: &Self) -> Option<Ordering> {
        match (self.as_integer(), other.as_integer()) {
            (Some(a), Some(b)) => Some(a.cmp(&b)),
            _ => self.as_f64().partial_cmp(&other.as_f64()),
        }
    }

    /// Whether it is a whole multiple of another: exact for integers, else within the rounding of doubles.
    pub(crate) fn is_multiple_of(&self, step: &Self) -> bool {
        if let (Some(a), Some(b)) = (self.as_integer(), step.as_integer()) {
            return b != 0 && a % b == 0;
        }
        let times = self.as_f64() / step.as_f64();
        times.is_finite() && (times - times.round()).abs() <= 1e-9 * times.abs().max(1.0)
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        self.order(other) == Some(Ordering::Equal)
    }
}

impl Json {
    /// The value without its places.
    pub fn to_value(&self) -> serde_json::Value {
        use serde_json::Value;
        match &self.kind {
            Kind::Null => Value::Null,
            Kind::Bool(truth) => Value::Bool(*truth),
            Kind::Number(number) => serde_json::from_str(&number.0).unwrap_or(Value::Null),
            Kind::String(text) => Value::String(text.clone()),
            Kind::Array(items) => Value::Array(items.iter().map(Self::to_value).collect()),
            Kind::Object(members) => Value::Object(
                members.iter().map(|member| (member.name.clone(), member.value.to_value())).collect(),
            ),
        }
    }
}
