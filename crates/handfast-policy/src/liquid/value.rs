//! What values are in Liquid: text, truth, order and members.

use serde_json::Value;
use std::cmp::Ordering;

/// What is written for a value.
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => number_text(number),
        Value::Array(items) => items.iter().map(text).collect(),
        // A URL knows its own text; of other objects JSON is what an author would mean.
        Value::Object(members) => match members.get("ToString") {
            Some(Value::String(text)) => text.clone(),
            _ => value.to_string(),
        },
    }
}

/// A whole number is written without a point, whatever it came from.
fn number_text(number: &serde_json::Number) -> String {
    match number.as_f64() {
        Some(float) if !number.is_i64() && !number.is_u64() && float.fract() == 0.0 && float.abs() < 1e15 => {
            format!("{float:.1}")
        }
        _ => number.to_string(),
    }
}

/// Everything is true but `null` and `false`.
pub(super) fn is_true(value: &Value) -> bool {
    !matches!(value, Value::Null | Value::Bool(false))
}

/// Nothing, no text, no items, no members.
pub(super) fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Equality across number types.
pub(super) fn equal(left: &Value, right: &Value) -> bool {
    match (left.as_f64(), right.as_f64()) {
        (Some(left), Some(right)) => left == right,
        _ => left == right,
    }
}

/// Numbers by value, texts by code point; others have no order.
pub(super) fn compare(left: &Value, right: &Value) -> Option<Ordering> {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => left.as_f64()?.partial_cmp(&right.as_f64()?),
        (Value::String(left), Value::String(right)) => Some(left.cmp(right)),
        _ => None,
    }
}

/// A number, also from text.
pub(super) fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok().filter(|number: &f64| number.is_finite()),
        _ => None,
    }
}

/// A number as a value: whole ones stay whole.
pub(super) fn from_number(number: f64, whole: bool) -> Value {
    if whole && number.fract() == 0.0 && number.abs() < 9e15 {
        return Value::from(number as i64);
    }
    Value::from(number)
}

/// A member by name; `size`, `first` and `last` of lists and texts. The exact name comes first, then any case
/// (unverified for the original).
pub(super) fn member<'v>(value: &'v Value, name: &str) -> std::borrow::Cow<'v, Value> {
    use std::borrow::Cow;
    let found = match value {
        Value::Object(members) => members.get(name).or_else(|| {
            let any_case = |(known, _): &(&String, &Value)| known.eq_ignore_ascii_case(name);
            members.iter().find(any_case).map(|(_, value)| value)
        }),
        Value::Array(items) if name.eq_ignore_ascii_case("first") => items.first(),
        Value::Array(items) if name.eq_ignore_ascii_case("last") => items.last(),
        _ => None,
    };
    match (found, value) {
        (Some(found), _) => Cow::Borrowed(found),
        (None, Value::Array(items)) if name.eq_ignore_ascii_case("size") => Cow::Owned(items.len().into()),
        (None, Value::Object(members)) if name.eq_ignore_ascii_case("size") => {
            Cow::Owned(members.len().into())
        }
        (None, Value::String(text)) if name.eq_ignore_ascii_case("size") => {
            Cow::Owned(text.chars().count().into())
        }
        _ => Cow::Owned(Value::Null),
    }
}

/// An item by index or key; negative indices count from the end.
pub(super) fn item<'v>(value: &'v Value, index: &Value) -> std::borrow::Cow<'v, Value> {
    use std::borrow::Cow;
    match (value, index) {
        (Value::Array(items), Value::Number(number)) => {
            let at = number.as_i64().unwrap_or(i64::MAX);
            let at = if at < 0 { at.checked_add(items.len() as i64) } else { Some(at) };
            let found = at.and_then(|at| usize::try_from(at).ok()).and_then(|at| items.get(at));
            found.map_or(Cow::Owned(Value::Null), Cow::Borrowed)
        }
        (_, Value::String(name)) => member(value, name),
        _ => Cow::Owned(Value::Null),
    }
}
