//! Requests against one schema.

use super::*;

const SDL: &str = r#"
"""The root."""
type Query { user(id: ID!, kind: Kind = NEW): User  search(filter: Filter, first: Int): [Found!]!  node: Node }
type Mutation { save(user: UserInput!): User! @deprecated(reason: "old") }
directive @deprecated(reason: String = "no") on FIELD_DEFINITION | FIELD
interface Node { id: ID! }
type User implements Node & Named { id: ID! name: String friends(first: Int): [User!] }
type Group implements Node { id: ID! size: Float }
interface Named { name: String }
union Found = User | Group
enum Kind { NEW OLD }
input Filter { text: String! kinds: [Kind!] = [NEW] }
input UserInput { name: String!, age: Int }
scalar Date
extend type Group { made: Date }
"#;

fn schema() -> Schema {
    Schema::parse(SDL).expect("a schema")
}

fn errors(text: &str) -> Vec<String> {
    match parse(text) {
        Ok(document) => validate(&schema(), &document).iter().map(ToString::to_string).collect(),
        Err(error) => vec![error.to_string()],
    }
}

#[test]
fn valid_requests_pass() {
    for text in [
        "{ user(id: 1) { name } }",
        "query Q($id: ID!, $k: Kind) { user(id: $id, kind: $k) { ...F @include(if: true) } } fragment F on User { id friends(first: 2) { name } }",
        "{ search(filter: {text: \"x\", kinds: NEW}) { __typename ... on User { name } ... on Group { size made } } }",
        "mutation { save(user: {name: \"n\"}) { id } }",
        "{ node { id ... on Named { name } } __schema { types { name fields(includeDeprecated: true) { name } } } }",
        "query($n: Int = 3) { search(first: $n) { ... on Node { id } } }",
    ] {
        assert_eq!(errors(text), [""; 0], "{text}");
    }
}

#[test]
fn each_rule_refuses() {
    let cases = [
        ("{ nothing }", "Cannot query field \"nothing\" on type \"Query\". (1:3)"),
        (
            "{ user { name } }",
            "Argument \"id\" of type \"ID!\" is required on field \"Query.user\", but it was not provided. (1:3)",
        ),
        ("{ user(id: 1, x: 2) { name } }", "Unknown argument \"x\" on field \"Query.user\". (1:3)"),
        ("{ user(id: 1.5) { name } }", "Expected value of type \"ID\", found 1.5. (1:3)"),
        ("{ user(id: 1, kind: BLUE) { name } }", "Expected value of type \"Kind\", found BLUE. (1:3)"),
        ("{ user(id: null) { name } }", "Expected value of type \"ID!\", found null. (1:3)"),
        (
            "{ user(id: 1) }",
            "Field \"user\" of type \"User\" must have a selection of subfields. Did you mean \"user { ... }\"? (1:3)",
        ),
        (
            "{ user(id: 1) { name { x } } }",
            "Field \"name\" must not have a selection since type \"String\" has no subfields. (1:17)",
        ),
        ("{ user(id: $i) { name } }", "Variable \"$i\" is not defined. (1:12)"),
        ("query($i: ID!) { node { id } }", "Variable \"$i\" is never used. (1:7)"),
        (
            "query($i: Int) { user(id: $i) { name } }",
            "Variable \"$i\" of type \"Int\" used in position expecting type \"ID!\". (1:27)",
        ),
        ("query($i: User) { node { id } }", "Variable \"$i\" cannot be non-input type \"User\". (1:7)"),
        ("{ ...F }", "Unknown fragment \"F\". (1:3)"),
        ("{ node { id } } fragment F on User { id }", "Fragment \"F\" is never used. (1:17)"),
        (
            "{ node { ...F } } fragment F on Node { ...G } fragment G on Node { ...F }",
            "Cannot spread fragment \"F\" within itself. (1:19)",
        ),
        (
            "{ user(id: 1) { ... on Group { size } } }",
            "Fragment cannot be spread here as objects of type \"User\" can never be of type \"Group\". (1:17)",
        ),
        ("{ node @magic { id } }", "Unknown directive \"@magic\". (1:8)"),
        (
            "{ node @skip { id } }",
            "Argument \"if\" of type \"Boolean!\" is required on directive \"@skip\", but it was not provided. (1:8)",
        ),
        (
            "{ search(filter: {}) { __typename } }",
            "Field \"Filter.text\" of required type \"String!\" was not provided. (1:3)",
        ),
        (
            "{ search(filter: {text: \"\", x: 1}) { __typename } }",
            "Field \"x\" is not defined by type \"Filter\". (1:3)",
        ),
        ("subscription { x }", "The schema has no type for operations of kind subscription. (1:1)"),
        (
            "{ node { id } } { node { id } }",
            "This anonymous operation must be the only defined operation. (1:1)",
        ),
        ("{ node { id } ", "Syntax Error: Expected a name, found the end. (1:15)"),
        ("{ }", "Syntax Error: A selection set is empty. (1:4)"),
        ("{ a(b: \"x) }", "Syntax Error: Unterminated string. (1:8)"),
        (
            "type A { b: C }",
            "Syntax Error: Expected query, mutation, subscription, fragment or '{', found 'type'. (1:1)",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(errors(text).first().map(String::as_str), Some(expected), "{text}");
    }
}

#[test]
fn fields_are_taken_out_with_what_only_they_needed() {
    let text = "query Q($a: ID!, $b: Int) { user(id: $a) { name friends(first: $b) { ...F } } node { ...F } } fragment F on Node { id }";
    let document = parse(text).expect("a request");
    let measured = measure(&schema(), &document, &document.operations[0], 250);
    let cut = |names: &[&str]| {
        let spans: Vec<_> = measured
            .visits
            .iter()
            .filter(|one| names.contains(&one.field.as_str()))
            .map(|one| one.span.clone())
            .collect();
        without(text, &document, &spans).map(|text| text.split_whitespace().collect::<Vec<_>>().join(" "))
    };
    assert_eq!(
        cut(&["friends"]).as_deref(),
        Some("query Q($a: ID!, ) { user(id: $a) { name } node { ...F } } fragment F on Node { id }")
    );
    assert_eq!(cut(&["user"]).as_deref(), Some("query Q { node { ...F } } fragment F on Node { id }"));
    assert_eq!(cut(&["id"]).as_deref(), Some("query Q($a: ID!, ) { user(id: $a) { name } }"));
    assert_eq!(cut(&["user", "id"]), None);
    for names in [&["friends"][..], &["user"], &["id"]] {
        let text = cut(names).expect("something is left");
        assert_eq!(errors(&text), [""; 0], "{text}");
    }
}

#[test]
fn schemas_are_checked() {
    let error = |text: &str| Schema::parse(text).expect_err("no schema").message;
    assert_eq!(error("type Query { a: Nothing }"), "Unknown type 'Nothing'.");
    assert_eq!(error("type A { a: Int }"), "The schema has no type 'Query'.");
    assert_eq!(
        error("type Query { a: Int } type Query { b: Int }"),
        "There can be only one type named 'Query'."
    );
    assert!(error("extend type X { a: Int }").starts_with("Cannot extend 'X'"));
    let renamed = Schema::parse("schema { query: Root } type Root { a: [Int!]! }").expect("a schema");
    assert_eq!((renamed.root(Kind::Query), renamed.type_of_field("Root", "a")), (Some("Root"), Some("Int")));
}

#[test]
fn fragments_count_as_often_as_they_are_reached() {
    let text = "{ a: user(id: 1) { ...F } b: user(id: 2) { ...F friends { name } } } fragment F on User { id friends { id } }";
    let (schema, document) = (schema(), parse(text).expect("a request"));
    assert_eq!(validate(&schema, &document), []);
    let measured = measure(&schema, &document, &document.operations[0], 250);
    assert_eq!((measured.depth, measured.fields, measured.over), (3, 10, false));
    assert!(measured.visits.iter().any(|one| one.of == "User" && one.field == "name" && one.is_leaf));
    let span = measured.visits.iter().find(|one| one.field == "name").map(|one| one.span.clone());
    assert_eq!(span.and_then(|span| text.get(span)), Some("name"));
    // Each fragment doubles the next: two to the power of thirty fields in a short text.
    let mut text = String::from("{ node { ...F0 } }");
    for index in 0..30 {
        text.push_str(&format!(" fragment F{index} on Node {{ id ...F{} ...F{} }}", index + 1, index + 1));
    }
    text.push_str(" fragment F30 on Node { id }");
    let document = parse(&text).expect("a request");
    assert_eq!(validate(&schema, &document), []);
    let measured = measure(&schema, &document, &document.operations[0], 250);
    assert!(measured.over && measured.fields == 251);
    let deep = format!("{}id{}", "{ node ".repeat(80), " }".repeat(80));
    assert!(errors(&deep)[0].starts_with("Syntax Error: The text nests deeper than 64."));
}
