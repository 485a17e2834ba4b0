//! Schemas against values: texts, places, overrides, limits.

use super::sample::sample;
use super::*;
use crate::json::Json;
use serde_json::{Value, json};

/// What the tests' patterns can be: a text that must be contained, with `^` for the beginning.
fn contains(source: &str) -> Result<crate::pattern::Match, String> {
    let source = source.to_owned();
    match source.strip_prefix('^').map(str::to_owned) {
        Some(start) => Ok(Arc::new(move |text: &str| Some(text.starts_with(&start)))),
        None if source == "(" => Err("a bracket is open".to_owned()),
        None if source == "slow" => Ok(Arc::new(|_: &str| None)),
        None => Ok(Arc::new(move |text: &str| Some(text.contains(&source)))),
    }
}

fn schema(schema: Value) -> JsonSchema {
    SchemaDocument::default().inline(&schema, &contains).expect("a schema that can be used")
}

fn violations(schema: &JsonSchema, text: &str, options: &Options) -> Vec<String> {
    let found = schema.check(&Json::parse(text).expect("JSON"), options).expect("a judgement");
    let shown = |one: &Violation| format!("{} {}:{}", one.message, one.place.line, one.place.position);
    found.iter().map(shown).collect()
}

#[test]
fn each_keyword_takes_and_refuses() {
    let cases: &[(Value, &str, &[&str])] = &[
        (json!({"type": "string"}), "1", &["Invalid type. Expected String but got Integer. 1:1"]),
        (
            json!({"type": ["string", "null"]}),
            "true",
            &["Invalid type. Expected String, Null but got Boolean. 1:4"],
        ),
        (json!({"type": "integer"}), "1.5", &["Invalid type. Expected Integer but got Number. 1:3"]),
        (json!({"type": "number"}), "1", &[]),
        (json!({"type": "string", "nullable": true}), "null", &[]),
        (json!({"enum": ["a", 1.0]}), "1", &[]),
        (json!({"enum": ["a"]}), "\"b\"", &["Value \"b\" is not defined in enum. 1:3"]),
        (json!({"const": {"a": [1]}}), "{\"a\":[1]}", &[]),
        (json!({"const": 1}), "2", &["Value 2 does not match const. 1:1"]),
        (json!({"maximum": 10}), "11", &["Integer 11 exceeds maximum value of 10. 1:2"]),
        (
            json!({"maximum": 10, "exclusiveMaximum": true}),
            "10",
            &["Integer 10 equals maximum value of 10 and exclusive maximum is true. 1:2"],
        ),
        (
            json!({"exclusiveMinimum": 1, "minimum": 0}),
            "1",
            &["Integer 1 equals minimum value of 1 and exclusive minimum is true. 1:1"],
        ),
        (json!({"minimum": 0.5}), "0.25", &["Float 0.25 is less than minimum value of 0.5. 1:4"]),
        (json!({"multipleOf": 3}), "7", &["Integer 7 is not a multiple of 3. 1:1"]),
        (json!({"maxLength": 2}), "\"äöü\"", &["String 'äöü' exceeds maximum length of 2. 1:5"]),
        (json!({"minLength": 2}), "\"a\"", &["String 'a' is less than minimum length of 2. 1:3"]),
        (json!({"pattern": "^a"}), "\"ba\"", &["String 'ba' does not match regex pattern '^a'. 1:4"]),
        (json!({"format": "date"}), "\"x\"", &["String 'x' does not validate against format 'date'. 1:3"]),
        (json!({"format": "secret"}), "\"x\"", &[]),
        (
            json!({"items": {"type": "string"}}),
            "[\"a\", 1]",
            &["Invalid type. Expected String but got Integer. 1:7"],
        ),
        (json!({"maxItems": 1}), "[1,2]", &["Array item count 2 exceeds maximum count of 1. 1:5"]),
        (json!({"minItems": 1}), "[]", &["Array item count 0 is less than minimum count of 1. 1:2"]),
        (json!({"uniqueItems": true}), "[1,1.0]", &["Non-unique array item at index 1. 1:6"]),
        (json!({"contains": {"type": "string"}}), "[1]", &["No items match contains. 1:3"]),
        (
            json!({"prefixItems": [{"type": "string"}], "items": {"type": "integer"}}),
            "[\"a\",\"b\"]",
            &["Invalid type. Expected Integer but got String. 1:8"],
        ),
        (
            json!({"required": ["a", "b", "c"]}),
            "{\"b\":\n1}",
            &["Required properties are missing from object: a, c. 2:2"],
        ),
        (
            json!({"properties": {"a": {}}, "additionalProperties": false}),
            "{\"a\":1, \"b\":2}",
            &["Property 'b' has not been defined and the schema does not allow additional properties. 1:12"],
        ),
        (
            json!({"additionalProperties": {"type": "string"}}),
            "{\"a\":1}",
            &["Invalid type. Expected String but got Integer. 1:6"],
        ),
        (json!({"patternProperties": {"^x": {}}, "additionalProperties": false}), "{\"xa\":1}", &[]),
        (
            json!({"maxProperties": 0}),
            "{\"a\":1}",
            &["Object property count 1 exceeds maximum count of 0. 1:7"],
        ),
        (
            json!({"minProperties": 1}),
            "{}",
            &["Object property count 0 is less than minimum count of 1. 1:2"],
        ),
        (
            json!({"propertyNames": {"maxLength": 1}}),
            "{\"ab\":1}",
            &["String 'ab' exceeds maximum length of 1. 1:6"],
        ),
        (
            json!({"dependentRequired": {"a": ["b"]}}),
            "{\"a\":1}",
            &["Dependencies for property 'a' failed. Missing required keys: b. 1:7"],
        ),
        (
            json!({"anyOf": [{"type": "string"}, {"type": "null"}]}),
            "1",
            &["JSON does not match any schemas from 'anyOf'. 1:1"],
        ),
        (
            json!({"oneOf": [{"type": "number"}, {"type": "integer"}]}),
            "1",
            &["JSON is valid against more than one schema from 'oneOf'. Valid schema indexes: 0, 1. 1:1"],
        ),
        (json!({"oneOf": [false]}), "1", &["JSON is valid against no schemas from 'oneOf'. 1:1"]),
        (json!({"not": {}}), "1", &["JSON is valid against schema from 'not'. 1:1"]),
        (
            json!({"if": {"type": "integer"}, "then": {"minimum": 5}, "else": {"type": "string"}}),
            "1",
            &["Integer 1 is less than minimum value of 5. 1:1"],
        ),
        (json!(false), "1", &["Schema always fails validation. 1:1"]),
    ];
    for (source, text, expected) in cases {
        let found = violations(&schema(source.clone()), text, &Options::default());
        assert_eq!(found, *expected, "{source} {text}");
    }
}

#[test]
fn references_and_schemas_that_contain_themselves_are_followed() {
    let document = SchemaDocument::compile(
        json!({"components": {"schemas": {
            "Tree": {"type": "object", "required": ["name"], "properties": {
                "name": {"$ref": "#/components/schemas/a~1b"},
                "below": {"type": "array", "items": {"$ref": "#/components/schemas/Tree"}}
            }},
            "a/b": {"type": "string"}
        }}}),
        &contains,
    );
    let tree = document.named("Tree").expect("known").expect("usable");
    let text = "{\"name\":\"a\",\"below\":[{\"name\":\"b\",\"below\":[{\"name\":1}]}]}";
    assert_eq!(
        violations(&tree, text, &Options::default()),
        ["Invalid type. Expected String but got Integer. 1:51"]
    );
    assert!(document.named("#/components/schemas/Tree").is_some());
    assert!(document.named("Bush").is_none());
    let name = document.at("#/components/schemas/Tree/properties/below", &contains).expect("a place");
    assert_eq!(name.expect("usable").types(), Some(Types::ARRAY));
}

#[test]
fn problems_are_told_for_all_that_use_them() {
    let document = SchemaDocument::compile(
        json!({"definitions": {
            "A": {"items": {"$ref": "#/definitions/B"}},
            "B": {"pattern": "("},
            "C": {"type": "text", "minLength": -1},
            "D": {"$ref": "other.json#/X"},
            "E": {"unevaluatedProperties": false},
            "F": {"type": "string"}
        }}),
        &contains,
    );
    let problems = |name: &str| -> Vec<String> {
        match document.named(name).expect("known") {
            Ok(_) => Vec::new(),
            Err(problems) => problems.iter().map(ToString::to_string).collect(),
        }
    };
    assert_eq!(problems("A"), ["'#/definitions/B/pattern': '(' is no regular expression: a bracket is open"]);
    assert_eq!(problems("B"), problems("A"));
    assert_eq!(problems("C").len(), 2);
    assert!(problems("D")[0].starts_with("'#/definitions/D/$ref': 'other.json#/X' does not exist"));
    assert!(problems("E")[0].contains("unevaluatedProperties"));
    assert!(problems("F").is_empty());
}

#[test]
fn overrides_concern_additional_properties_and_letter_case() {
    let parts = schema(json!({"type": "object", "allOf": [
        {"properties": {"a": {"type": "integer"}}, "required": ["a"]},
        {"properties": {"b": {"properties": {"c": {}}, "additionalProperties": false}}}
    ]}));
    let text = "{\"A\":1,\"b\":{\"d\":1},\"e\":1}";
    let with = |additional_properties, ignore_case| Options {
        additional_properties,
        ignore_case,
        ..Options::default()
    };
    let of = |options| -> Vec<String> {
        let all = violations(&parts, text, &options);
        all.iter().map(|one| one.split(' ').take(2).collect::<Vec<_>>().join(" ")).collect()
    };
    assert_eq!(of(with(None, true)), ["Property 'd'"]);
    assert_eq!(of(with(Some(true), true)), [""; 0]);
    assert_eq!(of(with(Some(false), true)), ["Property 'e'", "Property 'd'"]);
    assert_eq!(of(with(Some(true), false)), ["Required properties"]);
}

#[test]
fn work_has_a_limit() {
    let value = Json::parse("[\"a\"]").expect("JSON");
    let slow = schema(json!({"items": {"pattern": "slow"}}));
    let unjudged = slow.check(&value, &Options::default()).expect_err("no judgement");
    assert_eq!(unjudged.code(), "PatternTimeout");
    let document = SchemaDocument::compile(
        json!({"definitions": {"A": {"allOf": [{"$ref": "#/definitions/A"}]}}}),
        &contains,
    );
    let endless = document.named("A").expect("known").expect("usable");
    assert_eq!(endless.check(&value, &Options::default()), Err(Unjudged::Budget));
    let many = Json::parse(&format!("[{}1]", "1,".repeat(2_000))).expect("JSON");
    let unique = schema(json!({"uniqueItems": true}));
    assert_eq!(unique.check(&many, &Options::default()), Err(Unjudged::Budget));
}

#[test]
fn samples_fit_their_schema() {
    let order = schema(json!({"type": "object", "required": ["id", "lines", "kind"], "properties": {
        "id": {"type": "integer", "minimum": 10},
        "when": {"type": "string", "format": "date-time"},
        "kind": {"enum": ["new", "old"]},
        "note": {"type": "string", "maxLength": 3, "example": "abc"},
        "share": {"type": "number", "maximum": -1.5},
        "lines": {"type": "array", "minItems": 2, "items": {"allOf": [
            {"type": "object", "properties": {"sku": {"type": "string", "minLength": 8}}},
            {"type": "object", "properties": {"ok": {"type": "boolean"}}}
        ]}}
    }}));
    let made = sample(&order);
    assert_eq!(
        made,
        json!({"id": 10, "when": "2024-01-01T00:00:00Z", "kind": "new", "note": "abc", "share": -1.5,
               "lines": [{"sku": "stringxx", "ok": true}, {"sku": "stringxx", "ok": true}]})
    );
    assert_eq!(order.check(&Json::from_value(&made), &Options::default()), Ok(Vec::new()));
}
