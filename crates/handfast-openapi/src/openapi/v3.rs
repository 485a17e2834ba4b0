//! OpenAPI 3.0 and 3.1.

use super::{OpenApiError, Reader, example_text, items, members, schemas, string, truth};
use crate::description::{Description, Location, Operation, Parameter, Representation, Response, Statuses};
use serde_json::{Value, json};

pub(super) fn read(reader: &mut Reader<'_>) -> Result<Description, OpenApiError> {
    let root = reader.root;
    let operations = reader.operations(operation)?;
    Ok(Description {
        servers: items(root, "servers").map(server).filter(|url| !url.is_empty()).collect(),
        operations,
        documents: schemas(&["components", "schemas"], root.pointer("/components/schemas"))
            .into_iter()
            .collect(),
        ..Description::default()
    })
}

/// A URL with the defaults of its variables.
fn server(server: &Value) -> String {
    let mut url = string(server, "url");
    for (name, variable) in members(server, "variables") {
        url = url.replace(&format!("{{{name}}}"), &string(variable, "default"));
    }
    url
}

fn operation<'d>(reader: &mut Reader<'d>, item: &'d Value, operation: &'d Value, at: &str) -> Operation {
    let mut parameters: Vec<Parameter> = Vec::new();
    for source in items(item, "parameters").chain(items(operation, "parameters")) {
        let source = reader.resolve(source, at);
        let Some(parameter) = parameter(reader, source, at) else { continue };
        parameters.retain(|one| (&one.name, one.location) != (&parameter.name, parameter.location));
        parameters.push(parameter);
    }
    let body = operation.get("requestBody").map(|body| reader.resolve(body, at));
    let request = body.map(|body| bodies(reader, body, at)).unwrap_or_default();
    let mut responses = Vec::new();
    for (status, response) in members(operation, "responses").filter(|(status, _)| !status.starts_with("x-"))
    {
        let at = format!("{at}/responses/{status}");
        let Some(status) = Statuses::parse(status) else {
            reader.find(&at, "is no status; '200', '2XX' or 'default' would be accepted");
            continue;
        };
        let response = reader.resolve(response, &at);
        let mut headers = Vec::new();
        for (name, header) in members(response, "headers") {
            let header = reader.resolve(header, &at);
            headers.push(header_of(name, header));
        }
        responses.push(Response {
            status,
            description: string(response, "description"),
            headers,
            representations: bodies(reader, response, &at),
        });
    }
    Operation { parameters, request, responses, ..Operation::default() }
}

/// The schema of a parameter, which may stand in the one content of it.
fn schema_of(parameter: &Value) -> crate::description::SchemaSource {
    let content = || members(parameter, "content").next().and_then(|(_, media)| media.get("schema"));
    Reader::schema(parameter.get("schema").or_else(content).unwrap_or(&Value::Null))
}

fn parameter(reader: &mut Reader<'_>, source: &Value, at: &str) -> Option<Parameter> {
    let location = match source.get("in").and_then(Value::as_str) {
        Some("path") => Location::Path,
        Some("query") => Location::Query,
        Some("header") => Location::Header,
        Some("cookie") => {
            reader.find(at, format!("the cookie '{}' is not taken over", string(source, "name")));
            return None;
        }
        _ => return None,
    };
    Some(Parameter {
        name: string(source, "name"),
        location,
        required: truth(source, "required") || location == Location::Path,
        description: string(source, "description"),
        schema: schema_of(source),
    })
}

fn header_of(name: &str, header: &Value) -> Parameter {
    Parameter {
        name: name.to_owned(),
        location: Location::Header,
        required: truth(header, "required"),
        description: string(header, "description"),
        schema: schema_of(header),
    }
}

fn bodies<'d>(reader: &mut Reader<'d>, owner: &'d Value, at: &str) -> Vec<Representation> {
    let mut out = Vec::new();
    for (content_type, media) in members(owner, "content") {
        let mut examples: Vec<String> = media.get("example").map(example_text).into_iter().collect();
        for (_, example) in members(media, "examples") {
            let example = reader.resolve(example, at);
            examples.extend(example.get("value").map(example_text));
        }
        let schema = Reader::schema(media.get("schema").unwrap_or(&json!(null)));
        out.push(Representation { content_type: content_type.clone(), schema, examples });
    }
    out
}
