//! A description compiled for judging messages: each parameter and representation with its schema, or with the
//! reason why there is none. A policy asks it per request and compiles nothing.

use crate::description::{
    Description, Document, Location, Operation, Parameter, Representation, SchemaSource,
};
use crate::description::{Response, Statuses};
use crate::pattern::Patterns;
use crate::schema::{JsonSchema, SchemaDocument};
use crate::xsd::XmlSchema;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a value must be.
#[derive(Clone, Debug, Default)]
pub enum Rule {
    /// Nothing is said.
    #[default]
    None,
    /// A JSON schema.
    Json(JsonSchema),
    /// XML schemas.
    Xml(Arc<XmlSchema>),
    /// The document has no such definition.
    MissingDefinition,
    /// The document of schemas does not exist or cannot be read.
    NoDocument,
    /// The document has no definitions at all.
    NoDefinitions,
    /// The schema cannot be used, because of this.
    Unusable(String),
}

/// What an operation promises.
#[derive(Debug, Default)]
pub struct Contract {
    /// Parameters of all places.
    pub parameters: Vec<ParameterRule>,
    /// Bodies that the request may have.
    pub request: Vec<BodyRule>,
    /// The responses.
    pub responses: Vec<ResponseRule>,
    /// The documents of schemas of the API.
    pub documents: Arc<Documents>,
    /// The schema of a GraphQL API.
    pub graphql: Option<Arc<crate::graphql::Schema>>,
}

/// A parameter or response header.
#[derive(Clone, Debug)]
pub struct ParameterRule {
    /// The name.
    pub name: String,
    /// Where it stands.
    pub location: Location,
    /// Whether it must be there.
    pub required: bool,
    /// The name of its definition; empty when it stands in place.
    pub definition: String,
    /// What its value must be.
    pub rule: Rule,
}

/// A form of a body.
#[derive(Clone, Debug)]
pub struct BodyRule {
    /// Media type without parameters.
    pub content_type: String,
    /// The name of its definition; empty when it stands in place.
    pub definition: String,
    /// What the body must be.
    pub rule: Rule,
    /// Examples, each the text of a body.
    pub examples: Vec<String>,
}

/// A response.
#[derive(Debug)]
pub struct ResponseRule {
    /// The statuses that it stands for.
    pub status: Statuses,
    /// Its headers.
    pub headers: Vec<ParameterRule>,
    /// Its bodies.
    pub bodies: Vec<BodyRule>,
}

impl Contract {
    /// Compiles what an operation says.
    pub fn compile(operation: &Operation, documents: &Arc<Documents>, patterns: Patterns<'_>) -> Self {
        let compiler = Compiler { documents, patterns };
        Self {
            parameters: operation.parameters.iter().map(|one| compiler.parameter(one)).collect(),
            request: operation.request.iter().map(|one| compiler.body(one)).collect(),
            responses: operation.responses.iter().map(|one| compiler.response(one)).collect(),
            documents: documents.clone(),
            graphql: None,
        }
    }

    /// The response that stands for a status.
    pub fn response(&self, status: u16) -> Option<&ResponseRule> {
        let ranked = self.responses.iter().filter_map(|one| Some((one.status.rank(status)?, one)));
        // The first of equals.
        ranked.rev().max_by_key(|(rank, _)| *rank).map(|(_, response)| response)
    }
}

/// The compiled documents of schemas of an API.
#[derive(Debug, Default)]
pub struct Documents(BTreeMap<String, Compiled>);

/// A compiled document.
#[derive(Debug)]
pub enum Compiled {
    /// JSON schemas.
    Json(SchemaDocument),
    /// XML schemas.
    Xml(Arc<XmlSchema>),
    /// It cannot be used, because of this.
    Unusable(String),
}

impl Documents {
    /// Compiles documents of schemas.
    pub fn compile(sources: &BTreeMap<String, Document>, patterns: Patterns<'_>) -> Self {
        let compiled = |document: &Document| Compiled::of(document, patterns);
        Self(sources.iter().map(|(id, document)| (id.clone(), compiled(document))).collect())
    }

    /// The same for a whole description.
    pub fn of(description: &Description, patterns: Patterns<'_>) -> Self {
        Self::compile(&description.documents, patterns)
    }

    /// A document by id.
    pub fn get(&self, id: &str) -> Option<&Compiled> {
        self.0.get(id)
    }

    /// All documents.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Compiled)> {
        self.0.iter().map(|(id, document)| (id.as_str(), document))
    }
}

impl Compiled {
    /// Compiles one document.
    pub fn of(document: &Document, patterns: Patterns<'_>) -> Self {
        match document {
            Document::Json(source) => Self::Json(SchemaDocument::compile(source.clone(), patterns)),
            Document::Xml(sources) => match XmlSchema::compile(sources, patterns) {
                Ok(schema) => Self::Xml(Arc::new(schema)),
                Err(problem) => Self::Unusable(problem.to_string()),
            },
            Document::Unreadable(why) => Self::Unusable(why.clone()),
        }
    }

    /// The rule of a named definition.
    pub fn rule(&self, name: &str) -> Rule {
        match self {
            Self::Unusable(why) => Rule::Unusable(why.clone()),
            Self::Xml(schema) => Rule::Xml(schema.clone()),
            Self::Json(document) => match document.named(name) {
                Some(Ok(schema)) => Rule::Json(schema),
                Some(Err(problems)) => Rule::Unusable(listed(&problems)),
                None if !document.has_definitions() => Rule::NoDefinitions,
                None => Rule::MissingDefinition,
            },
        }
    }
}

/// Problems in one line.
fn listed(problems: &[crate::schema::Problem]) -> String {
    let all: Vec<String> = problems.iter().map(ToString::to_string).collect();
    all.join("; ")
}

struct Compiler<'a> {
    documents: &'a Documents,
    patterns: Patterns<'a>,
}

impl Compiler<'_> {
    fn rule(&self, source: &SchemaSource) -> (String, Rule) {
        match source {
            SchemaSource::None => (String::new(), Rule::None),
            SchemaSource::Named { document, name } => {
                let rule = self.documents.get(document).map_or(Rule::NoDocument, |known| known.rule(name));
                (name.rsplit('/').next().unwrap_or_default().to_owned(), rule)
            }
            SchemaSource::Inline { schema, document } => {
                let none = SchemaDocument::default();
                let known = match self.documents.get(document) {
                    Some(Compiled::Json(known)) => known,
                    _ => &none,
                };
                let rule = match known.inline(schema, self.patterns) {
                    Ok(schema) => Rule::Json(schema),
                    Err(problems) => Rule::Unusable(listed(&problems)),
                };
                (String::new(), rule)
            }
        }
    }

    fn parameter(&self, parameter: &Parameter) -> ParameterRule {
        let (definition, rule) = self.rule(&parameter.schema);
        ParameterRule {
            name: parameter.name.clone(),
            location: parameter.location,
            required: parameter.required,
            definition,
            rule,
        }
    }

    fn body(&self, representation: &Representation) -> BodyRule {
        let (definition, rule) = self.rule(&representation.schema);
        BodyRule {
            content_type: media_type(&representation.content_type).to_owned(),
            definition,
            rule,
            examples: representation.examples.clone(),
        }
    }

    fn response(&self, response: &Response) -> ResponseRule {
        ResponseRule {
            status: response.status,
            headers: response.headers.iter().map(|one| self.parameter(one)).collect(),
            bodies: response.representations.iter().map(|one| self.body(one)).collect(),
        }
    }
}

/// A content type without its parameters.
pub fn media_type(content_type: &str) -> &str {
    content_type.split(';').next().unwrap_or_default().trim()
}
