//! The neutral description of an API: what an OpenAPI document and the resources of API Management both say.
//! Schemas are as they were written; [`crate::contract`] compiles them.
//!
//! *Not* here: what only one of the two forms knows, such as callbacks, links and security requirements.

use serde_json::Value;
use std::collections::BTreeMap;

/// An API.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Description {
    /// The title.
    pub title: String,
    /// What people read about it.
    pub description: String,
    /// The version that the document gives itself.
    pub version: String,
    /// Base URLs of the backend, the preferred one first.
    pub servers: Vec<String>,
    /// The operations in the order of the document.
    pub operations: Vec<Operation>,
    /// Documents of schemas by id.
    pub documents: BTreeMap<String, Document>,
}

/// A document of schemas.
#[derive(Clone, Debug, PartialEq)]
pub enum Document {
    /// JSON schemas, named below `components/schemas` or `definitions`.
    Json(Value),
    /// XML schemas, one text each.
    Xml(Vec<String>),
    /// It is there and cannot be read, because of this.
    Unreadable(String),
}

/// An operation.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Operation {
    /// The id, if the document gives one.
    pub id: Option<String>,
    /// The display name.
    pub name: String,
    /// What people read about it.
    pub description: String,
    /// In upper case.
    pub method: String,
    /// The URL template, `/orders/{id}`.
    pub template: String,
    /// Tags.
    pub tags: Vec<String>,
    /// Parameters of all places.
    pub parameters: Vec<Parameter>,
    /// Bodies that the request may have.
    pub request: Vec<Representation>,
    /// The responses.
    pub responses: Vec<Response>,
}

/// Where a parameter stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Location {
    /// In the URL template.
    Path,
    /// In the query.
    Query,
    /// In the header.
    Header,
}

/// A parameter or response header.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    /// The name.
    pub name: String,
    /// Where it stands.
    pub location: Location,
    /// Whether it must be there.
    pub required: bool,
    /// What people read about it.
    pub description: String,
    /// What its value must be.
    pub schema: SchemaSource,
}

/// A form of a body.
#[derive(Clone, Debug, PartialEq)]
pub struct Representation {
    /// Media type.
    pub content_type: String,
    /// What the body must be.
    pub schema: SchemaSource,
    /// Examples in the order of the document, each the text of a body.
    pub examples: Vec<String>,
}

/// A response.
#[derive(Clone, Debug, PartialEq)]
pub struct Response {
    /// The statuses that it stands for.
    pub status: Statuses,
    /// What people read about it.
    pub description: String,
    /// Its headers.
    pub headers: Vec<Parameter>,
    /// Its bodies.
    pub representations: Vec<Representation>,
}

/// The statuses of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Statuses {
    /// One status.
    Code(u16),
    /// All that begin with a digit: `4XX`.
    Class(u16),
    /// Those that no other response stands for.
    Default,
}

impl Statuses {
    /// From `200`, `2XX` or `default`.
    pub fn parse(text: &str) -> Option<Self> {
        if text.eq_ignore_ascii_case("default") {
            return Some(Self::Default);
        }
        if let Some(class) = text.strip_suffix("XX").or_else(|| text.strip_suffix("xx")) {
            return class.parse().ok().filter(|class| (1..=5).contains(class)).map(Self::Class);
        }
        text.parse().ok().filter(|code| (100..=999).contains(code)).map(Self::Code)
    }

    /// How well a status is met; the best response is the one that counts.
    pub(crate) fn rank(self, status: u16) -> Option<u8> {
        match self {
            Self::Code(code) => (code == status).then_some(3),
            Self::Class(class) => (class == status / 100).then_some(2),
            Self::Default => Some(1),
        }
    }
}

/// Where a schema is.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum SchemaSource {
    /// Nothing is said.
    #[default]
    None,
    /// A named schema of a document.
    Named {
        /// The id of the document.
        document: String,
        /// The name in it.
        name: String,
    },
    /// It stands here, and may refer into a document.
    Inline {
        /// The schema.
        schema: Value,
        /// The id of the document that its references are about.
        document: String,
    },
}
