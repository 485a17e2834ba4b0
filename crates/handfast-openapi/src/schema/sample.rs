//! Samples: a value that fits a schema as far as its simple rules go, for mocked responses
//! (policy specification 5.8). Examples and defaults of the schema come first; patterns are not solved.

use super::{JsonSchema, Node, SchemaId, Types};
use serde_json::{Map, Value, json};

/// Nesting of a sample; a schema that contains itself ends here.
const DEPTH_MAX: usize = 8;
/// Values in a sample.
const VALUES_MAX: usize = 2_000;

/// A sample for a schema.
pub fn sample(schema: &JsonSchema) -> Value {
    let mut values = VALUES_MAX;
    Sampler { schema, values: &mut values }.value(schema.root, 0).unwrap_or(Value::Null)
}

struct Sampler<'a> {
    schema: &'a JsonSchema,
    values: &'a mut usize,
}

impl Sampler<'_> {
    /// `None` when it would nest too deep or grow too large.
    fn value(&mut self, id: SchemaId, depth: usize) -> Option<Value> {
        *self.values = self.values.checked_sub(1)?;
        let node = self.schema.node(id).filter(|_| depth <= DEPTH_MAX)?;
        if let Some(example) = &node.example {
            return Some(example.clone());
        }
        let listed = node.one_of_values.as_ref().and_then(|values| values.first());
        if let Some(value) = node.constant.as_ref().or(listed) {
            return Some(value.to_value());
        }
        if let Some(reference) = node.reference {
            return self.value(reference, depth + 1);
        }
        if let Some(first) = node.one_of.first().or(node.any_of.first()) {
            return self.value(*first, depth + 1);
        }
        if !node.all_of.is_empty() {
            return self.all(node, depth);
        }
        match node.types {
            Some(types) if types.has(Types::OBJECT) => Some(Value::Object(self.object(node, depth))),
            Some(types) if types.has(Types::ARRAY) => Some(Value::Array(self.array(node, depth))),
            Some(types) if types.has(Types::STRING) => Some(string(node).into()),
            Some(types) if types.has(Types::INTEGER) || types.has(Types::NUMBER) => Some(number(node)),
            Some(types) if types.has(Types::BOOLEAN) => Some(Value::Bool(true)),
            None if !node.object.properties.is_empty() => Some(Value::Object(self.object(node, depth))),
            None if node.array.rest.is_some() => Some(Value::Array(self.array(node, depth))),
            _ => Some(Value::Null),
        }
    }

    /// The properties of all parts together; the last part counts when they are no objects.
    fn all(&mut self, node: &Node, depth: usize) -> Option<Value> {
        let mut members = self.object(node, depth);
        let mut other = None;
        for id in &node.all_of {
            match self.value(*id, depth + 1)? {
                Value::Object(more) => members.extend(more),
                value => other = Some(value),
            }
        }
        Some(other.filter(|_| members.is_empty()).unwrap_or(Value::Object(members)))
    }

    fn object(&mut self, node: &Node, depth: usize) -> Map<String, Value> {
        let mut members = Map::new();
        for (name, id) in &node.object.properties {
            if let Some(value) = self.value(*id, depth + 1) {
                members.insert(name.clone(), value);
            }
        }
        members
    }

    fn array(&mut self, node: &Node, depth: usize) -> Vec<Value> {
        let wanted = node.array.count_min.unwrap_or(1).clamp(1, 10);
        let mut items: Vec<Value> =
            node.array.first.iter().filter_map(|id| self.value(*id, depth + 1)).collect();
        while let Some(id) = node.array.rest.filter(|_| items.len() < wanted) {
            let Some(item) = self.value(id, depth + 1) else { break };
            items.push(item);
        }
        items
    }
}

fn string(node: &Node) -> String {
    let by_format = match node.string.format.map(|format| format.name) {
        Some("date-time") => "2024-01-01T00:00:00Z",
        Some("date") => "2024-01-01",
        Some("time") => "00:00:00Z",
        Some("email") => "user@example.com",
        Some("hostname") => "example.com",
        Some("ipv4") => "192.0.2.1",
        Some("ipv6") => "2001:db8::1",
        Some("uri") => "https://example.com",
        Some("uuid") => "00000000-0000-0000-0000-000000000000",
        Some("byte") => "c3RyaW5n",
        _ => "string",
    };
    let min = node.string.length_min.unwrap_or(0).min(1_000);
    let max = node.string.length_max.unwrap_or(usize::MAX);
    by_format.chars().chain(std::iter::repeat('x')).take(by_format.len().max(min).min(max)).collect()
}

fn number(node: &Node) -> Value {
    let whole = node.types.is_some_and(|types| types.has(Types::INTEGER));
    let bounds = &node.number;
    let least =
        bounds.minimum.as_ref().map(|bound| bound.value.as_f64() + f64::from(u8::from(bound.exclusive)));
    let most =
        bounds.maximum.as_ref().map(|bound| bound.value.as_f64() - f64::from(u8::from(bound.exclusive)));
    let value = match (least, most) {
        (Some(least), _) => least.max(0.0_f64.min(most.unwrap_or(f64::MAX))),
        (None, Some(most)) => most.min(0.0),
        (None, None) => 0.0,
    };
    if whole { json!(value.ceil() as i64) } else { json!(value) }
}
