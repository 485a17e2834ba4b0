//! Claims (RFC 7519 §4): what a token says, with the registered ones read as what they are.

use super::json;
use serde_json::{Map, Number, Value};

/// The claims of a token.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Claims(Map<String, Value>);

/// A registered claim that is not what RFC 7519 §4.1 says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrongType;

impl Claims {
    /// Reads the content of a token.
    pub fn parse(payload: &[u8]) -> Option<Self> {
        json::object(payload).map(Self)
    }

    /// All claims in their order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// A claim.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    /// A claim that is a text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(Value::as_str)
    }

    /// The values of a claim as texts: those of an array one by one, numbers and others as JSON.
    pub fn values(&self, name: &str) -> Option<Vec<String>> {
        Some(match self.get(name)? {
            Value::Array(values) => values.iter().map(as_text).collect(),
            one => vec![as_text(one)],
        })
    }

    /// `aud`: a text or an array of them.
    pub fn audiences(&self) -> Vec<&str> {
        match self.get("aud") {
            Some(Value::String(one)) => vec![one],
            Some(Value::Array(many)) => many.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        }
    }

    /// A NumericDate (`exp`, `nbf`, `iat`): whole seconds since 1970, a fraction cut off.
    pub fn date(&self, name: &str) -> Result<Option<i64>, WrongType> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::Number(number)) => seconds(number).map(Some).ok_or(WrongType),
            Some(_) => Err(WrongType),
        }
    }
}

fn seconds(number: &Number) -> Option<i64> {
    match number.as_i64() {
        Some(seconds) => Some(seconds),
        // Above 2^53 a fraction has no whole seconds to tell apart.
        None => number.as_f64().filter(|seconds| seconds.abs() < 9e15).map(|seconds| seconds.floor() as i64),
    }
}

fn as_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
