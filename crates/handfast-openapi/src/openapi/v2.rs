//! OpenAPI 2.0, known as Swagger.

use super::{OpenApiError, Reader, example_text, items, members, schemas, string, strings, truth};
use crate::description::{
    Description, Location, Operation, Parameter, Representation, Response, SchemaSource, Statuses,
};
use serde_json::{Map, Value};

pub(super) fn read(reader: &mut Reader<'_>) -> Result<Description, OpenApiError> {
    let root = reader.root;
    let operations = reader.operations(operation)?;
    Ok(Description {
        servers: servers(root),
        operations,
        documents: schemas(&["definitions"], root.get("definitions")).into_iter().collect(),
        ..Description::default()
    })
}

/// `schemes`, `host` and `basePath`; https first.
fn servers(root: &Value) -> Vec<String> {
    let host = string(root, "host");
    if host.is_empty() {
        return Vec::new();
    }
    let mut schemes = strings(root, "schemes");
    if schemes.is_empty() {
        schemes.push("https".to_owned());
    }
    schemes.sort_by_key(|scheme| scheme != "https");
    let path = string(root, "basePath");
    schemes.iter().map(|scheme| format!("{scheme}://{host}{}", path.trim_end_matches('/'))).collect()
}

/// The media types of an operation, else those of the document.
fn media(reader: &Reader<'_>, operation: &Value, member: &str) -> Vec<String> {
    let owner = if operation.get(member).is_some() { operation } else { reader.root };
    let found = strings(owner, member);
    if found.is_empty() { vec!["application/json".to_owned()] } else { found }
}

fn operation<'d>(reader: &mut Reader<'d>, item: &'d Value, operation: &'d Value, at: &str) -> Operation {
    let (mut parameters, mut body, mut form) = (Vec::<Parameter>::new(), None, Vec::new());
    for source in items(item, "parameters").chain(items(operation, "parameters")) {
        let source = reader.resolve(source, at);
        let location = match source.get("in").and_then(Value::as_str) {
            Some("path") => Location::Path,
            Some("query") => Location::Query,
            Some("header") => Location::Header,
            Some("body") => {
                body = Some(Reader::schema(source.get("schema").unwrap_or(&Value::Null)));
                continue;
            }
            Some("formData") => {
                form.push(source);
                continue;
            }
            _ => continue,
        };
        let name = string(source, "name");
        parameters.retain(|one| (&one.name, one.location) != (&name, location));
        parameters.push(Parameter {
            name,
            location,
            required: truth(source, "required") || location == Location::Path,
            description: string(source, "description"),
            schema: inline(source),
        });
    }
    let request = request(reader, operation, body, &form);
    let mut responses = Vec::new();
    for (status, response) in members(operation, "responses").filter(|(status, _)| !status.starts_with("x-"))
    {
        let at = format!("{at}/responses/{status}");
        let Some(status) = Statuses::parse(status) else {
            reader.find(&at, "is no status; '200' or 'default' would be accepted");
            continue;
        };
        let source = reader.resolve(response, &at);
        responses.push(response_of(reader, operation, source, status));
    }
    Operation { parameters, request, responses, ..Operation::default() }
}

/// The members of a parameter or header that are a schema.
fn inline(source: &Value) -> SchemaSource {
    const OTHER: &[&str] = &["name", "in", "required", "description", "collectionFormat", "allowEmptyValue"];
    let keep = |(name, _): &(&String, &Value)| !OTHER.contains(&name.as_str());
    let members = source.as_object().into_iter().flatten().filter(keep);
    let schema: Map<String, Value> = members.map(|(name, value)| (name.clone(), value.clone())).collect();
    Reader::schema(&Value::Object(schema))
}

fn request(
    reader: &Reader<'_>,
    operation: &Value,
    body: Option<SchemaSource>,
    form: &[&Value],
) -> Vec<Representation> {
    let representation =
        |content_type: String, schema| Representation { content_type, schema, examples: Vec::new() };
    if let Some(schema) = body {
        let types = media(reader, operation, "consumes").into_iter();
        return types.map(|content_type| representation(content_type, schema.clone())).collect();
    }
    if form.is_empty() {
        return Vec::new();
    }
    let has_file = form.iter().any(|field| string(field, "type") == "file");
    let default = if has_file { "multipart/form-data" } else { "application/x-www-form-urlencoded" };
    let types = media(reader, operation, "consumes");
    let of_forms = types.into_iter().find(|one| one.contains("form"));
    vec![representation(of_forms.unwrap_or_else(|| default.to_owned()), SchemaSource::None)]
}

fn response_of(reader: &Reader<'_>, operation: &Value, source: &Value, status: Statuses) -> Response {
    let header = |(name, header): (&String, &Value)| Parameter {
        name: name.clone(),
        location: Location::Header,
        required: false,
        description: string(header, "description"),
        schema: inline(header),
    };
    let schema = Reader::schema(source.get("schema").unwrap_or(&Value::Null));
    let examples: Vec<(String, String)> =
        members(source, "examples").map(|(name, example)| (name.clone(), example_text(example))).collect();
    let mut types: Vec<String> = examples.iter().map(|(name, _)| name.clone()).collect();
    if schema != SchemaSource::None {
        let more: Vec<String> = media(reader, operation, "produces");
        types.extend(more);
    }
    let mut representations: Vec<Representation> = Vec::new();
    for content_type in types {
        if representations.iter().all(|known| known.content_type != content_type) {
            let own = examples.iter().filter(|(name, _)| *name == content_type);
            let examples = own.map(|(_, example)| example.clone()).collect();
            representations.push(Representation { content_type, schema: schema.clone(), examples });
        }
    }
    Response {
        status,
        description: string(source, "description"),
        headers: members(source, "headers").map(header).collect(),
        representations,
    }
}
