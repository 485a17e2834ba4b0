//! OpenAPI documents to the neutral description.
//!
//! Sources: OpenAPI 2.0, 3.0.3 and 3.1.0. The input is the value of a document: whether its text was JSON or YAML
//! is the caller's. References into the document are resolved, except those of schemas, which stay named.
//! What is met and not understood is a [`Finding`], and the rest is read nevertheless.
//!
//! *Not* here: callbacks, links, webhooks and security, of which API Management's operations know nothing.

mod v2;
mod v3;

#[cfg(test)]
mod tests;

use crate::description::{Description, Document, Operation, SchemaSource};
use serde_json::{Map, Value};

/// The id of the one document of schemas that a description gets.
pub const SCHEMAS: &str = "components";

/// Operations of a document.
const OPERATIONS_MAX: usize = 10_000;
/// References that lead to references.
const REFERENCES_MAX: usize = 16;

/// Something in a document that is not taken over, or an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// JSON pointer with `#` before it.
    pub pointer: String,
    /// What was found, and what would be accepted.
    pub message: String,
}

/// Why a document is no description at all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenApiError {
    /// It does not say that it is one.
    #[error(
        "the document is '{0}'; 'swagger: \"2.0\"', 'openapi: 3.0.x' or 'openapi: 3.1.x' would be accepted"
    )]
    Version(String),
    /// It is too large.
    #[error("the document has more than {OPERATIONS_MAX} operations")]
    TooLarge,
}

impl OpenApiError {
    /// Stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Version(_) => "UnknownOpenApiVersion",
            Self::TooLarge => "OpenApiTooLarge",
        }
    }
}

/// Reads a document.
pub fn read(document: &Value) -> Result<(Description, Vec<Finding>), OpenApiError> {
    let text = |member: &str| document.get(member).and_then(Value::as_str).unwrap_or_default();
    let mut reader = Reader { root: document, findings: Vec::new() };
    let mut description = match (text("swagger"), text("openapi")) {
        ("2.0", _) => v2::read(&mut reader)?,
        (_, version) if version.starts_with("3.0") || version.starts_with("3.1") => v3::read(&mut reader)?,
        ("", version) => return Err(OpenApiError::Version(version.to_owned())),
        (version, _) => return Err(OpenApiError::Version(version.to_owned())),
    };
    let info = document.get("info").unwrap_or(&Value::Null);
    description.title = string(info, "title");
    description.description = string(info, "description");
    description.version = string(info, "version");
    Ok((description, reader.findings))
}

/// The methods of a path item.
const METHODS: &[&str] = &["get", "put", "post", "delete", "options", "head", "patch", "trace"];

struct Reader<'d> {
    root: &'d Value,
    findings: Vec<Finding>,
}

impl<'d> Reader<'d> {
    fn find(&mut self, pointer: &str, message: impl Into<String>) {
        self.findings.push(Finding { pointer: pointer.to_owned(), message: message.into() });
    }

    /// What a value or the reference in its place means.
    fn resolve(&mut self, value: &'d Value, at: &str) -> &'d Value {
        let mut value = value;
        for _ in 0..REFERENCES_MAX {
            let Some(reference) = value.get("$ref").and_then(Value::as_str) else { return value };
            match reference.strip_prefix('#').and_then(|pointer| self.root.pointer(pointer)) {
                Some(target) => value = target,
                None => {
                    self.find(at, format!("'{reference}' does not exist in this document"));
                    return &Value::Null;
                }
            }
        }
        self.find(at, format!("references lead to references more than {REFERENCES_MAX} times"));
        &Value::Null
    }

    /// A schema: named when it is nothing but a reference to a named one.
    fn schema(schema: &Value) -> SchemaSource {
        match schema.get("$ref").and_then(Value::as_str) {
            Some(name) => SchemaSource::Named { document: SCHEMAS.to_owned(), name: name.to_owned() },
            None if schema.is_null() => SchemaSource::None,
            None => SchemaSource::Inline { schema: schema.clone(), document: SCHEMAS.to_owned() },
        }
    }

    /// Every operation with its path item and place.
    fn operations(
        &mut self,
        mut read: impl FnMut(&mut Self, &'d Value, &'d Value, &str) -> Operation,
    ) -> Result<Vec<Operation>, OpenApiError> {
        let mut out = Vec::new();
        let Some(paths) = self.root.get("paths").and_then(Value::as_object) else {
            self.find("#/paths", "there is no object of paths");
            return Ok(out);
        };
        for (path, item) in paths.iter().filter(|(path, _)| !path.starts_with("x-")) {
            let at = format!("#/paths/{}", path.replace('~', "~0").replace('/', "~1"));
            let item = self.resolve(item, &at);
            for method in METHODS {
                let Some(operation) = item.get(*method) else { continue };
                if out.len() >= OPERATIONS_MAX {
                    return Err(OpenApiError::TooLarge);
                }
                let mut read = read(self, item, operation, &format!("{at}/{method}"));
                read.method = method.to_ascii_uppercase();
                read.template.clone_from(path);
                read.id = operation.get("operationId").and_then(Value::as_str).map(str::to_owned);
                let summary = string(operation, "summary");
                let id = || read.id.clone().unwrap_or_else(|| format!("{} {path}", read.method));
                read.name = if summary.is_empty() { id() } else { summary };
                read.description = string(operation, "description");
                read.tags = strings(operation, "tags");
                out.push(read);
            }
        }
        Ok(out)
    }
}

fn string(value: &Value, member: &str) -> String {
    value.get(member).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn strings(value: &Value, member: &str) -> Vec<String> {
    let items = value.get(member).and_then(Value::as_array).into_iter().flatten();
    items.filter_map(Value::as_str).map(str::to_owned).collect()
}

fn truth(value: &Value, member: &str) -> bool {
    value.get(member).and_then(Value::as_bool).unwrap_or(false)
}

fn members<'v>(value: &'v Value, member: &str) -> impl Iterator<Item = (&'v String, &'v Value)> {
    value.get(member).and_then(Value::as_object).into_iter().flatten()
}

fn items<'v>(value: &'v Value, member: &str) -> impl Iterator<Item = &'v Value> {
    value.get(member).and_then(Value::as_array).into_iter().flatten()
}

/// An example as the text of a body.
fn example_text(example: &Value) -> String {
    match example {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The document of schemas of a description: nothing but the part that holds them.
fn schemas(path: &[&str], found: Option<&Value>) -> Option<(String, Document)> {
    let mut value = found?.clone();
    for name in path.iter().rev() {
        value = Value::Object(Map::from_iter([((*name).to_owned(), value)]));
    }
    Some((SCHEMAS.to_owned(), Document::Json(value)))
}
