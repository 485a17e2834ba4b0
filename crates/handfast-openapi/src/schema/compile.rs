//! From the JSON of a schema document to nodes: references become ids, keywords typed rules. Total: what is
//! wrong becomes problems with their place, and a schema with a problem anywhere below it has none.

use super::{
    Additional, Arena, ArrayRules, Bound, JsonSchema, Node, NumberRules, ObjectRules, SchemaId, StringRules,
    Types, format,
};
use crate::json::{Json, Number};
use crate::pattern::{Pattern, Patterns};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Schemas of one document.
const NODES_MAX: usize = 100_000;
/// The deepest nesting of schemas.
const DEPTH_MAX: usize = 256;

/// What cannot be used of a schema, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{pointer}': {message}")]
pub struct Problem {
    /// JSON pointer with `#` before it.
    pub pointer: String,
    /// What was found, and what would be accepted.
    pub message: String,
}

impl Problem {
    /// Stable code.
    pub fn code(&self) -> &'static str {
        "SchemaNotUsable"
    }
}

/// Keywords that change what a value may be, and are not built.
const REFUSED: &[&str] =
    &["$dynamicRef", "$recursiveRef", "unevaluatedProperties", "unevaluatedItems", "extends", "disallow"];

/// A document of schemas.
#[derive(Clone, Debug)]
pub struct SchemaDocument {
    source: Arc<Value>,
    arena: Arc<Arena>,
    /// What is wrong, by the named schema in which it was found.
    problems: Arc<BTreeMap<String, Vec<Problem>>>,
}

impl SchemaDocument {
    /// Compiles all named schemas of a document: those below `components/schemas`, `definitions` and `$defs`.
    pub fn compile(source: Value, patterns: Patterns<'_>) -> Self {
        let names: Vec<String> = ["#/components/schemas", "#/definitions", "#/$defs"]
            .iter()
            .filter_map(|pointer| Some((*pointer, find(&source, pointer)?.as_object()?)))
            .flat_map(|(pointer, named)| named.keys().map(move |name| format!("{pointer}/{}", escaped(name))))
            .collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let (arena, problems) = compile(&source, &names, patterns);
        Self { source: Arc::new(source), arena: Arc::new(arena), problems: Arc::new(problems) }
    }

    /// Whether the document has a place for schemas at all.
    pub fn has_definitions(&self) -> bool {
        ["#/components/schemas", "#/definitions", "#/$defs"]
            .iter()
            .any(|pointer| find(&self.source, pointer).is_some_and(Value::is_object))
    }

    /// Everything that is wrong.
    pub fn problems(&self) -> impl Iterator<Item = &Problem> {
        self.problems.values().flatten()
    }

    /// A named schema, by its name or by a reference `#/…`: `None` when there is none, and its problems when it
    /// cannot be used.
    pub fn named(&self, name: &str) -> Option<Result<JsonSchema, Vec<Problem>>> {
        let pointers = match name.starts_with('#') {
            true => vec![name.to_owned()],
            false => ["#/components/schemas", "#/definitions", "#/$defs"]
                .iter()
                .map(|place| format!("{place}/{}", escaped(name)))
                .collect(),
        };
        pointers.iter().find_map(|pointer| {
            let root = *self.arena.by_pointer.get(pointer)?;
            Some(match self.problems.get(pointer) {
                Some(problems) => Err(problems.clone()),
                None => Ok(JsonSchema { arena: self.arena.clone(), root }),
            })
        })
    }

    /// The schema at any place of the document, `#` being the document itself.
    pub fn at(&self, pointer: &str, patterns: Patterns<'_>) -> Option<Result<JsonSchema, Vec<Problem>>> {
        if let Some(known) = self.named(pointer) {
            return Some(known);
        }
        find(&self.source, pointer)?;
        let (arena, mut problems) = compile(&self.source, &[pointer], patterns);
        if let Some(problems) = problems.remove(pointer) {
            return Some(Err(problems));
        }
        let root = *arena.by_pointer.get(pointer)?;
        Some(Ok(JsonSchema { arena: Arc::new(arena), root }))
    }

    /// A schema that stands outside the document and may refer into it.
    pub fn inline(&self, schema: &Value, patterns: Patterns<'_>) -> Result<JsonSchema, Vec<Problem>> {
        let mut document = (*self.source).clone();
        const HERE: &str = "x-inline";
        match &mut document {
            Value::Object(members) => {
                members.insert(HERE.to_owned(), schema.clone());
            }
            other => *other = serde_json::json!({ HERE: schema }),
        }
        let pointer = format!("#/{HERE}");
        let (arena, mut problems) = compile(&document, &[&pointer], patterns);
        match (problems.remove(&pointer), arena.by_pointer.get(&pointer).copied()) {
            (None, Some(root)) => Ok(JsonSchema { arena: Arc::new(arena), root }),
            (found, _) => Err(found.unwrap_or_default()),
        }
    }
}

impl Default for SchemaDocument {
    fn default() -> Self {
        Self::compile(Value::Object(Map::new()), &|_| Err(String::new()))
    }
}

fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// The value at a `#/…` reference.
fn find<'v>(root: &'v Value, pointer: &str) -> Option<&'v Value> {
    let pointer = pointer.strip_prefix('#')?;
    root.pointer(pointer).or_else(|| root.pointer(&percent_decoded(pointer)))
}

/// A fragment is percent-encoded (RFC 6901 §6).
fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        let hex = behind.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()).filter(|_| *first == b'%') {
            Some(byte) => {
                bytes.push(byte);
                rest = behind.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(*first);
                rest = behind;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Compiles the schemas at some places, and all that they refer to. A problem counts for every place from which
/// it is reached.
fn compile(
    root: &Value,
    pointers: &[&str],
    patterns: Patterns<'_>,
) -> (Arena, BTreeMap<String, Vec<Problem>>) {
    let keeps_siblings = root
        .get("$schema")
        .and_then(Value::as_str)
        .is_some_and(|dialect| dialect.contains("2019-09") || dialect.contains("2020-12"));
    let mut compiler = Compiler {
        root,
        patterns,
        keeps_siblings,
        arena: Arena::default(),
        uses: Vec::new(),
        problems: Vec::new(),
        pending: Vec::new(),
    };
    for pointer in pointers {
        compiler.referred(pointer);
    }
    while let Some((pointer, id)) = compiler.pending.pop() {
        if let Some(schema) = find(root, &pointer) {
            compiler.fill(id, schema, &pointer, 0);
        }
    }
    let mut found = BTreeMap::new();
    for pointer in pointers {
        let problems = compiler.arena.by_pointer.get(*pointer).map(|id| compiler.below(*id));
        if let Some(problems) = problems.filter(|problems| !problems.is_empty()) {
            found.insert((*pointer).to_owned(), problems);
        }
    }
    (compiler.arena, found)
}

struct Compiler<'a> {
    root: &'a Value,
    patterns: Patterns<'a>,
    /// Whether what stands beside `$ref` counts: since draft 2019-09.
    keeps_siblings: bool,
    arena: Arena,
    /// By schema: those that it uses.
    uses: Vec<Vec<SchemaId>>,
    problems: Vec<(SchemaId, Problem)>,
    pending: Vec<(String, SchemaId)>,
}

impl Compiler<'_> {
    /// The id of a referred schema, which is filled later.
    fn referred(&mut self, pointer: &str) -> Option<SchemaId> {
        if let Some(known) = self.arena.by_pointer.get(pointer) {
            return Some(*known);
        }
        find(self.root, pointer)?;
        let id = self.node();
        self.arena.by_pointer.insert(pointer.to_owned(), id);
        self.pending.push((pointer.to_owned(), id));
        Some(id)
    }

    fn node(&mut self) -> SchemaId {
        self.arena.nodes.push(Node::default());
        self.uses.push(Vec::new());
        self.arena.nodes.len() - 1
    }

    /// The problems of everything that is reached from a schema.
    fn below(&self, from: SchemaId) -> Vec<Problem> {
        let mut seen = vec![false; self.uses.len()];
        let mut pending = vec![from];
        while let Some(id) = pending.pop() {
            let Some(known) = seen.get_mut(id).filter(|known| !**known) else { continue };
            *known = true;
            pending.extend(self.uses.get(id).into_iter().flatten());
        }
        let reached = |id: SchemaId| seen.get(id).copied().unwrap_or(false);
        self.problems.iter().filter(|(id, _)| reached(*id)).map(|(_, one)| one.clone()).collect()
    }

    fn fill(&mut self, id: SchemaId, schema: &Value, pointer: &str, depth: usize) {
        let node = Schema { compiler: self, id, pointer, depth }.read(schema);
        if let Some(slot) = self.arena.nodes.get_mut(id) {
            *slot = node;
        }
    }
}

/// The schema that is being read.
struct Schema<'c, 'a> {
    compiler: &'c mut Compiler<'a>,
    id: SchemaId,
    pointer: &'c str,
    depth: usize,
}

impl Schema<'_, '_> {
    fn problem(&mut self, keyword: &str, message: impl Into<String>) {
        let pointer = match keyword {
            "" => self.pointer.to_owned(),
            keyword => format!("{}/{keyword}", self.pointer),
        };
        self.compiler.problems.push((self.id, Problem { pointer, message: message.into() }));
    }

    fn uses(&mut self, other: SchemaId) -> SchemaId {
        if let Some(uses) = self.compiler.uses.get_mut(self.id) {
            uses.push(other);
        }
        other
    }

    /// A schema below this one.
    fn child(&mut self, schema: &Value, place: &str) -> SchemaId {
        let id = self.compiler.node();
        let pointer = format!("{}/{place}", self.pointer);
        if self.depth >= DEPTH_MAX || id >= NODES_MAX {
            let text = format!(
                "schemas nest deeper than {DEPTH_MAX} or are more than {NODES_MAX}; fewer would be accepted"
            );
            self.problem("", text);
        } else {
            self.compiler.fill(id, schema, &pointer, self.depth + 1);
        }
        self.uses(id)
    }

    fn optional(&mut self, members: &Map<String, Value>, keyword: &str) -> Option<SchemaId> {
        members.get(keyword).map(|schema| self.child(schema, keyword))
    }

    fn list(&mut self, members: &Map<String, Value>, keyword: &str) -> Vec<SchemaId> {
        match members.get(keyword) {
            None => Vec::new(),
            Some(Value::Array(items)) => items
                .iter()
                .enumerate()
                .map(|(index, schema)| self.child(schema, &format!("{keyword}/{index}")))
                .collect(),
            Some(_) => {
                self.problem(keyword, "is no array of schemas");
                Vec::new()
            }
        }
    }

    fn read(mut self, schema: &Value) -> Node {
        let members = match schema {
            Value::Bool(truth) => return Node { never: !truth, ..Node::default() },
            Value::Object(members) => members,
            _ => {
                self.problem("", "is no schema; an object or a Boolean would be accepted");
                return Node::default();
            }
        };
        let reference = members.get("$ref").map(|reference| self.reference(reference));
        if let Some(reference) = reference
            && !self.compiler.keeps_siblings
        {
            return Node { reference, ..Node::default() };
        }
        for keyword in REFUSED.iter().filter(|keyword| members.contains_key(**keyword)) {
            self.problem(keyword, "this keyword is not available; a schema without it would be accepted");
        }
        let types = self.types(members);
        let constant = members.get("const").map(Json::from_value);
        Node {
            never: false,
            reference: reference.flatten(),
            types,
            one_of_values: self.values(members, types),
            constant,
            number: self.number_rules(members),
            string: self.string_rules(members),
            array: self.array_rules(members),
            object: self.object_rules(members),
            all_of: self.list(members, "allOf"),
            any_of: self.list(members, "anyOf"),
            one_of: self.list(members, "oneOf"),
            not: self.optional(members, "not"),
            condition: self.condition(members),
            example: example(members),
        }
    }

    fn reference(&mut self, reference: &Value) -> Option<SchemaId> {
        let target = reference.as_str().unwrap_or_default();
        match self.compiler.referred(target) {
            Some(id) => Some(self.uses(id)),
            None => {
                let text = format!(
                    "'{target}' does not exist in this document; '#/components/schemas/NAME' or '#/definitions/NAME' would be accepted"
                );
                self.problem("$ref", text);
                None
            }
        }
    }

    fn types(&mut self, members: &Map<String, Value>) -> Option<Types> {
        let names: Vec<&str> = match members.get("type")? {
            Value::String(name) => vec![name],
            Value::Array(names) => names.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        let mut types = Types::default();
        for name in &names {
            match (Types::named(name), *name) {
                (Some(one), _) => types = types.with(one),
                // `file` of OpenAPI 2.0 and `any` of old drafts take anything.
                (None, "file" | "any") => return None,
                (None, name) => {
                    let text = format!(
                        "'{name}' is no type; string, number, integer, boolean, object, array and null would be accepted"
                    );
                    self.problem("type", text);
                }
            }
        }
        let nullable = ["nullable", "x-nullable"]
            .iter()
            .any(|keyword| members.get(*keyword).and_then(Value::as_bool) == Some(true));
        Some(if nullable { types.with(Types::NULL) } else { types })
    }

    fn values(&mut self, members: &Map<String, Value>, types: Option<Types>) -> Option<Vec<Json>> {
        let Some(values) = members.get("enum")?.as_array() else {
            self.problem("enum", "is no array");
            return None;
        };
        let mut values: Vec<Json> = values.iter().map(Json::from_value).collect();
        let nullable = members.get("nullable").and_then(Value::as_bool) == Some(true);
        if nullable && types.is_some_and(|types| types.has(Types::NULL)) {
            values.push(Json::from_value(&Value::Null));
        }
        Some(values)
    }

    fn number_rules(&mut self, members: &Map<String, Value>) -> NumberRules {
        NumberRules {
            minimum: self.bound(members, "minimum", "exclusiveMinimum"),
            maximum: self.bound(members, "maximum", "exclusiveMaximum"),
            multiple_of: self.number(members, "multipleOf"),
        }
    }

    /// A bound whose exclusive form is a Boolean beside it (draft 4) or a number of its own.
    fn bound(&mut self, members: &Map<String, Value>, name: &str, exclusive: &str) -> Option<Bound> {
        let inclusive = self.number(members, name);
        match members.get(exclusive) {
            Some(Value::Bool(exclusive)) => inclusive.map(|value| Bound { value, exclusive: *exclusive }),
            Some(_) => {
                let value = self.number(members, exclusive)?;
                let below = |limit: &Number| match name {
                    "minimum" => limit.as_f64() > value.as_f64(),
                    _ => limit.as_f64() < value.as_f64(),
                };
                match inclusive.filter(below) {
                    Some(value) => Some(Bound { value, exclusive: false }),
                    None => Some(Bound { value, exclusive: true }),
                }
            }
            None => inclusive.map(|value| Bound { value, exclusive: false }),
        }
    }

    fn number(&mut self, members: &Map<String, Value>, keyword: &str) -> Option<Number> {
        let value = members.get(keyword)?;
        if !value.is_number() {
            self.problem(keyword, "is no number");
            return None;
        }
        Some(Number(value.to_string()))
    }

    fn count(&mut self, members: &Map<String, Value>, keyword: &str) -> Option<usize> {
        let value = members.get(keyword)?;
        let whole = value
            .as_u64()
            .or_else(|| value.as_f64().filter(|n| *n >= 0.0 && n.fract() == 0.0).map(|n| n as u64));
        let count = whole.and_then(|count| usize::try_from(count).ok());
        if count.is_none() {
            self.problem(keyword, "is no whole number from 0");
        }
        count
    }

    fn pattern(&mut self, source: &str, place: &str) -> Option<Pattern> {
        match Pattern::compile(source, source, self.compiler.patterns) {
            Ok(pattern) => Some(pattern),
            Err(error) => {
                self.problem(place, format!("'{source}' is no regular expression: {error}"));
                None
            }
        }
    }

    fn string_rules(&mut self, members: &Map<String, Value>) -> StringRules {
        let pattern = members.get("pattern").and_then(Value::as_str);
        StringRules {
            length_min: self.count(members, "minLength"),
            length_max: self.count(members, "maxLength"),
            pattern: pattern.and_then(|source| self.pattern(source, "pattern")),
            format: members.get("format").and_then(Value::as_str).and_then(format::find),
        }
    }

    fn array_rules(&mut self, members: &Map<String, Value>) -> ArrayRules {
        let (mut first, mut rest) = (self.list(members, "prefixItems"), None);
        match members.get("items") {
            Some(Value::Array(_)) => {
                first = self.list(members, "items");
                rest = self.optional(members, "additionalItems");
            }
            Some(schema) => rest = Some(self.child(schema, "items")),
            None => {}
        }
        let contains = self.optional(members, "contains").map(|schema| {
            let at_least = self.count(members, "minContains").unwrap_or(1);
            (schema, at_least, self.count(members, "maxContains"))
        });
        ArrayRules {
            count_min: self.count(members, "minItems"),
            count_max: self.count(members, "maxItems"),
            unique: members.get("uniqueItems").and_then(Value::as_bool).unwrap_or(false),
            first,
            rest,
            contains,
        }
    }

    fn object_rules(&mut self, members: &Map<String, Value>) -> ObjectRules {
        let none = Map::new();
        let map = |keyword: &str| members.get(keyword).and_then(Value::as_object).unwrap_or(&none);
        let strings = |value: &Value| -> Vec<String> {
            let items = value.as_array().into_iter().flatten();
            items.filter_map(Value::as_str).map(str::to_owned).collect()
        };
        let mut rules = ObjectRules {
            count_min: self.count(members, "minProperties"),
            count_max: self.count(members, "maxProperties"),
            required: members.get("required").map(strings).unwrap_or_default(),
            names: self.optional(members, "propertyNames"),
            ..ObjectRules::default()
        };
        for (name, schema) in map("properties") {
            let id = self.child(schema, &format!("properties/{}", escaped(name)));
            rules.properties.push((name.clone(), id));
        }
        for (source, schema) in map("patternProperties") {
            let id = self.child(schema, &format!("patternProperties/{}", escaped(source)));
            rules.patterns.extend(self.pattern(source, "patternProperties").map(|pattern| (pattern, id)));
        }
        rules.additional = match members.get("additionalProperties") {
            None | Some(Value::Bool(true)) => Additional::Unsaid,
            Some(Value::Bool(false)) => Additional::Refused,
            Some(schema) => Additional::Like(self.child(schema, "additionalProperties")),
        };
        for keyword in ["dependencies", "dependentRequired", "dependentSchemas"] {
            for (name, value) in map(keyword) {
                if value.is_array() {
                    rules.needs.push((name.clone(), strings(value)));
                } else {
                    let id = self.child(value, &format!("{keyword}/{}", escaped(name)));
                    rules.implies.push((name.clone(), id));
                }
            }
        }
        rules
    }

    fn condition(
        &mut self,
        members: &Map<String, Value>,
    ) -> Option<(SchemaId, Option<SchemaId>, Option<SchemaId>)> {
        let question = self.optional(members, "if")?;
        Some((question, self.optional(members, "then"), self.optional(members, "else")))
    }
}

/// What stands for the schema in a sample.
fn example(members: &Map<String, Value>) -> Option<Value> {
    let listed = || members.get("examples").and_then(Value::as_array).and_then(|all| all.first());
    members.get("example").or_else(listed).or_else(|| members.get("default")).cloned()
}
