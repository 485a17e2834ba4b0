//! What operations promise: parameters, representations and schemas of the resource graph as a neutral
//! description (ARM specification 6, operations and schemas), compiled for the policies that judge by it.

use super::Task;
use crate::plan::Schemas;
use bytes::Bytes;
use handfast_model::{Resource, View};
pub(super) use handfast_openapi::contract::Documents;
use handfast_openapi::contract::{Compiled, Contract};
use handfast_openapi::description::{
    Document, Location, Operation, Parameter, Representation, Response, SchemaSource, Statuses,
};
use handfast_policy::{Example, schema_pattern};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The largest document of schemas (specification 5.3).
const SCHEMA_BYTES_MAX: usize = 4 << 20;

/// The documents of schemas of an API, compiled. What cannot be used is told as a warning: only a policy that
/// needs it fails.
pub(super) fn documents(task: &Task<'_>, api: &Resource) -> Arc<Documents> {
    let mut sources = BTreeMap::new();
    for resource in task.graph.children(&api.id, "schemas") {
        if let Some(document) = document_of_api(resource.properties()) {
            sources.insert(name_of(resource.name()), document);
        }
    }
    let documents = Documents::compile(&sources, &schema_pattern);
    for resource in task.graph.children(&api.id, "schemas") {
        if let Some(compiled) = documents.get(&name_of(resource.name())) {
            warn(task, resource, compiled);
        }
    }
    Arc::new(documents)
}

/// The service's own schemas; one whose document is as before is taken over.
pub(super) fn schemas(task: &Task<'_>) -> Schemas {
    let mut schemas = Schemas::new();
    for resource in task.graph.children(&task.resource.id, "schemas") {
        let name = resource.name().to_lowercase();
        let before = task.previous.and_then(|previous| previous.schemas.get(&name));
        let compiled = match before.filter(|(revision, _)| *revision == resource.revision) {
            Some((_, kept)) => kept.clone(),
            None => Arc::new(Compiled::of(&document_of_service(resource.properties()), &schema_pattern)),
        };
        warn(task, resource, &compiled);
        schemas.insert(name, (resource.revision, compiled));
    }
    schemas
}

fn warn(task: &Task<'_>, resource: &Resource, compiled: &Compiled) {
    let problems: Vec<String> = match compiled {
        Compiled::Unusable(why) => vec![why.clone()],
        Compiled::Json(document) => document.problems().map(ToString::to_string).collect(),
        Compiled::Xml(_) => Vec::new(),
    };
    let Some(first) = problems.first() else { return };
    let message = format!("schema \"{}\" cannot be used for validation: {first}", resource.name());
    let diagnostic = handfast_core::Diagnostic::warning("SchemaNotUsable", message);
    task.diagnostics.borrow_mut().push(diagnostic.on(resource.id.as_str()));
}

/// Names of schemas compare without letter case, as resource names do.
fn name_of(reference: &str) -> String {
    reference.rsplit('/').next().unwrap_or_default().to_lowercase()
}

/// The document of `apis/{a}/schemas/{id}`; `None` when it has no schemas of values.
fn document_of_api(properties: &Value) -> Option<Document> {
    let content_type = properties.get("contentType").and_then(Value::as_str).unwrap_or_default();
    let content_type = content_type.to_ascii_lowercase();
    let document = properties.get("document").unwrap_or(&Value::Null);
    let member = |name: &str| document.get(name).filter(|value| !value.is_null());
    if content_type.contains("graphql") || content_type.contains("wadl") {
        return None;
    }
    if content_type.contains("xml") {
        let text = member("value").and_then(Value::as_str).unwrap_or_default();
        return Some(sized(text, |text| Document::Xml(vec![text.to_owned()])));
    }
    if let Some(components) = member("components") {
        return Some(Document::Json(json!({ "components": components })));
    }
    if let Some(definitions) = member("definitions") {
        return Some(Document::Json(json!({ "definitions": definitions })));
    }
    Some(json_document(member("value").unwrap_or(&Value::Null)))
}

/// The document of `schemas/{id}` of a service.
fn document_of_service(properties: &Value) -> Document {
    let kind = properties.get("schemaType").and_then(Value::as_str).unwrap_or_default();
    let value =
        properties.get("value").filter(|value| !value.is_null()).or_else(|| properties.get("document"));
    let value = value.unwrap_or(&Value::Null);
    match kind.eq_ignore_ascii_case("xml") {
        true => sized(value.as_str().unwrap_or_default(), |text| Document::Xml(vec![text.to_owned()])),
        false => json_document(value),
    }
}

fn sized(text: &str, read: impl FnOnce(&str) -> Document) -> Document {
    match text.len() > SCHEMA_BYTES_MAX {
        true => Document::Unreadable(format!("the schema is larger than {SCHEMA_BYTES_MAX} bytes")),
        false => read(text),
    }
}

/// A document that is an object, or the text of one.
fn json_document(value: &Value) -> Document {
    match value {
        Value::String(text) => sized(text, |text| match serde_json::from_str(text) {
            Ok(value) => Document::Json(value),
            Err(error) => Document::Unreadable(format!("the schema is not JSON: {error}")),
        }),
        Value::Null => Document::Unreadable("the schema has no document".to_owned()),
        other => Document::Json(other.clone()),
    }
}

/// What an operation promises.
pub(super) fn contract(properties: &View<'_>, documents: &Arc<Documents>) -> Contract {
    Contract::compile(&operation(properties), documents, &schema_pattern)
}

fn operation(properties: &View<'_>) -> Operation {
    let request = properties.field("request");
    let mut parameters = parameters(properties, "templateParameters", Location::Path);
    parameters.extend(self::parameters(&request, "queryParameters", Location::Query));
    parameters.extend(self::parameters(&request, "headers", Location::Header));
    let mut responses = Vec::new();
    for response in properties.array("responses") {
        let Some(code) = response.integer_in("statusCode", 100..=999) else { continue };
        responses.push(Response {
            status: Statuses::Code(code),
            description: String::new(),
            headers: self::parameters(&response, "headers", Location::Header),
            representations: representations(&response),
        });
    }
    Operation { parameters, request: representations(&request), responses, ..Operation::default() }
}

fn parameters(owner: &View<'_>, member: &str, location: Location) -> Vec<Parameter> {
    let read = |view: View<'_>| Parameter {
        name: view.str("name").unwrap_or_default().to_owned(),
        location,
        required: view.bool_or("required", false) || location == Location::Path,
        description: String::new(),
        schema: parameter_schema(&view),
    };
    owner.array(member).into_iter().map(read).filter(|one| !one.name.is_empty()).collect()
}

/// A named definition, else what type and values say.
fn parameter_schema(view: &View<'_>) -> SchemaSource {
    if let SchemaSource::Named { document, name } = named(view) {
        return SchemaSource::Named { document, name };
    }
    const TYPES: &[&str] = &["string", "number", "integer", "boolean", "array", "object"];
    let of = view.str("type").unwrap_or_default().to_ascii_lowercase();
    let mut schema = Map::new();
    if TYPES.contains(&of.as_str()) {
        schema.insert("type".to_owned(), of.as_str().into());
    }
    let value = |text: &str| match of.as_str() {
        "number" | "integer" | "boolean" => serde_json::from_str(text).unwrap_or_else(|_| text.into()),
        _ => Value::from(text),
    };
    let values: Vec<Value> = view.strings("values").into_iter().map(value).collect();
    if !values.is_empty() && of != "array" {
        schema.insert("enum".to_owned(), values.into());
    }
    SchemaSource::Inline { schema: Value::Object(schema), document: String::new() }
}

fn named(view: &View<'_>) -> SchemaSource {
    match view.str("schemaId").filter(|id| !id.is_empty()) {
        Some(id) => SchemaSource::Named {
            document: name_of(id),
            name: view.str("typeName").unwrap_or_default().to_owned(),
        },
        None => SchemaSource::None,
    }
}

fn representations(owner: &View<'_>) -> Vec<Representation> {
    let read = |view: View<'_>| Representation {
        content_type: view.str("contentType").unwrap_or_default().to_owned(),
        schema: named(&view),
        examples: Vec::new(),
    };
    owner.array("representations").into_iter().map(read).collect()
}

/// Example responses: all examples of each representation, in order.
pub(super) fn examples(properties: &View<'_>) -> Vec<Example> {
    let mut examples = Vec::new();
    for response in properties.array("responses") {
        let Some(status) = response.integer_in("statusCode", 100..=999) else { continue };
        for representation in response.array("representations") {
            let members = representation.field("examples").members();
            let mut values: Vec<&Value> =
                members.iter().map(|(_, example)| example.any("value").value()).collect();
            if values.is_empty() {
                values.push(representation.any("sample").value());
            }
            for value in values {
                let body = match value {
                    Value::Null => continue,
                    Value::String(text) => text.clone(),
                    other => other.to_string(),
                };
                examples.push(Example {
                    status,
                    content_type: representation.str("contentType").unwrap_or_default().to_owned(),
                    body: Bytes::from(body),
                });
            }
        }
    }
    examples
}
