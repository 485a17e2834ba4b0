//! The text of a parameter as the value that its schema speaks of: `5` is a number where a number is wanted, and a
//! string where a string is (OpenAPI 3.0.3 §4.7.12.2, styles `simple` and `form`).

use crate::json::{Json, Kind, Number, Place};
use crate::schema::{JsonSchema, Types};

/// Why a text is no value of the type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("The value '{text}' is no {wanted}.")]
pub struct NotAValue {
    /// What was found.
    pub text: String,
    /// The type that would be accepted.
    pub wanted: String,
}

impl NotAValue {
    /// Stable code.
    pub fn code(&self) -> &'static str {
        "InvalidParameterValue"
    }
}

/// Whether a schema takes several values.
pub fn takes_many(schema: &JsonSchema) -> bool {
    schema.types().is_some_and(|types| types.has(Types::ARRAY))
}

/// The value of one or more texts. An array is written as several parameters or as one with commas.
pub fn value(schema: &JsonSchema, texts: &[&str]) -> Result<Json, NotAValue> {
    let first = texts.first().copied().unwrap_or_default();
    if !takes_many(schema) {
        return scalar(schema.types(), first);
    }
    let of = schema.items().and_then(|items| items.types());
    let parts: Vec<&str> = match texts {
        [""] => Vec::new(),
        [one] => one.split(',').map(str::trim).collect(),
        many => many.to_vec(),
    };
    let items: Result<Vec<Json>, NotAValue> = parts.iter().map(|part| scalar(of, part)).collect();
    let end = Place { line: 1, position: first.chars().count() };
    Ok(Json { kind: Kind::Array(items?), start: end, end })
}

/// A text as one value of the types, strings last.
fn scalar(types: Option<Types>, text: &str) -> Result<Json, NotAValue> {
    let mut value = Json::alone(text);
    let Some(types) = types else { return Ok(value) };
    let number = || Json::parse(text).ok().filter(|json| matches!(json.kind, Kind::Number(_)));
    let kind = if types.has(Types::BOOLEAN) && text.eq_ignore_ascii_case("true") {
        Kind::Bool(true)
    } else if types.has(Types::BOOLEAN) && text.eq_ignore_ascii_case("false") {
        Kind::Bool(false)
    } else if types.has(Types::INTEGER.with(Types::NUMBER))
        && let Some(Kind::Number(number)) = number().map(|json| json.kind)
    {
        Kind::Number(Number(number.0))
    } else if types.has(Types::NULL) && text.is_empty() && !types.has(Types::STRING) {
        Kind::Null
    } else if types.has(Types::OBJECT) {
        let wrong = |_| NotAValue { text: text.to_owned(), wanted: types.shown() };
        return Json::parse(text).map_err(wrong);
    } else if types.has(Types::STRING) {
        return Ok(value);
    } else {
        return Err(NotAValue { text: text.to_owned(), wanted: types.shown() });
    };
    value.kind = kind;
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::SchemaDocument;
    use serde_json::{Value, json};

    fn read(schema: Value, texts: &[&str]) -> Result<Value, String> {
        let schema = SchemaDocument::default().inline(&schema, &|_| Err(String::new())).expect("usable");
        value(&schema, texts).map(|json| json.to_value()).map_err(|error| error.to_string())
    }

    #[test]
    fn texts_become_what_the_schema_speaks_of() {
        assert_eq!(read(json!({"type": "string"}), &["5"]), Ok(json!("5")));
        assert_eq!(read(json!({"type": "integer"}), &["5"]), Ok(json!(5)));
        assert_eq!(read(json!({"type": "boolean"}), &["True"]), Ok(json!(true)));
        assert_eq!(read(json!({}), &["x"]), Ok(json!("x")));
        let numbers = json!({"type": "array", "items": {"type": "number"}});
        assert_eq!(read(numbers.clone(), &["1,2.5"]), Ok(json!([1, 2.5])));
        assert_eq!(read(numbers.clone(), &["1", "2"]), Ok(json!([1, 2])));
        assert_eq!(read(numbers, &["1,x"]), Err("The value 'x' is no Number.".to_owned()));
        assert_eq!(read(json!({"type": "integer"}), &["x"]), Err("The value 'x' is no Integer.".to_owned()));
        assert_eq!(read(json!({"type": "object"}), &["{\"a\":1}"]), Ok(json!({"a": 1})));
    }
}
