//! XML Schema, as much as the payloads of SOAP services need, compiled once and then asked about documents.
//!
//! What there is: global and local elements and types, sequences, choices, `all`, groups, wildcards,
//! occurrences, extension and restriction of complex types, simple types with all their facets, lists and unions,
//! attributes and their groups, `nillable`, `xsi:type`, `fixed` values.
//!
//! What is refused by name, with a [`SchemaProblem`]: `redefine`, `override`, identity constraints (`key`,
//! `keyref`, `unique`), substitution groups, `notation`, `block`, bounds of dates and durations, and imports of
//! documents that are not given. What a refused part would have forbidden is never let through as valid.
//!
//! Sources: XML Schema 1.0 parts 1 and 2 (second edition). Texts are those of .NET's schema validator.
//! Content models are matched without backtracking, which is right for schemas that obey "unique particle
//! attribution" (part 1 §3.8.6), and valid ones do.

mod check;
mod compile;
mod particle;
mod simple;
mod soap;

#[cfg(test)]
mod tests;

pub use soap::SoapVersion;

use crate::json::Place;
use crate::pattern::Patterns;
use crate::xml::{self, Name};
use particle::Particle;
use simple::SimpleType;
use std::collections::HashMap;

/// The namespace of XML Schema.
pub(crate) const XSD: &str = "http://www.w3.org/2001/XMLSchema";
/// The namespace of its attributes in documents.
pub(crate) const XSI: &str = "http://www.w3.org/2001/XMLSchema-instance";
/// Elements of a document that are judged.
pub const ELEMENTS_MAX: usize = 500_000;

/// Compiled schemas of one or more namespaces.
#[derive(Debug, Default)]
pub struct XmlSchema {
    /// Global elements.
    elements: HashMap<Name, ElementRule>,
    types: Vec<ComplexType>,
    simple: Vec<SimpleType>,
    /// Global types.
    named: HashMap<Name, TypeId>,
    /// Global attributes.
    attributes: HashMap<Name, AttributeRule>,
}

/// A type among those of its schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TypeId {
    /// Anything at all: `xs:anyType`.
    Any,
    Simple(usize),
    Complex(usize),
}

/// What an element must be.
#[derive(Clone, Debug)]
struct ElementRule {
    of: TypeId,
    nillable: bool,
    is_abstract: bool,
    fixed: Option<String>,
}

/// What an attribute must be.
#[derive(Clone, Debug)]
struct AttributeRule {
    /// `None` takes any text.
    of: Option<usize>,
    required: bool,
    prohibited: bool,
    fixed: Option<String>,
}

/// A type of elements with attributes or children.
#[derive(Clone, Debug, Default)]
struct ComplexType {
    /// What it is derived from.
    base: Option<usize>,
    is_abstract: bool,
    attributes: Vec<(Name, AttributeRule)>,
    /// Whether other attributes may stand, and of which namespaces.
    any_attribute: Option<Spaces>,
    content: Content,
}

/// What stands between the tags.
#[derive(Clone, Debug, Default)]
enum Content {
    #[default]
    Empty,
    Text(usize),
    Children {
        particle: Particle,
        mixed: bool,
    },
}

/// The namespaces of a wildcard.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Spaces {
    Any,
    /// Another namespace than this one.
    Other(String),
    /// One of these; the empty one is no namespace.
    Of(Vec<String>),
}

impl Spaces {
    fn takes(&self, space: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Other(own) => !space.is_empty() && space != own,
            Self::Of(spaces) => spaces.iter().any(|one| one == space),
        }
    }
}

/// What cannot be used of a schema, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, position {position}: {message}", line = place.line, position = place.position)]
pub struct SchemaProblem {
    /// What was found, and what would be accepted.
    pub message: String,
    /// Where in the text of the schema.
    pub place: Place,
}

impl SchemaProblem {
    /// Stable code.
    pub fn code(&self) -> &'static str {
        "XmlSchemaNotUsable"
    }
}

/// One way in which a document does not fit.
pub type Violation = crate::schema::Violation;

/// Why there is no judgement.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unjudged {
    /// The text is not XML.
    #[error("{0}")]
    Malformed(#[from] xml::XmlError),
    /// It has too many elements.
    #[error("the document has more than {ELEMENTS_MAX} elements")]
    TooLarge,
    /// The search of a regular expression was given up.
    #[error("matching the pattern '{0}' takes too long")]
    Pattern(String),
}

impl Unjudged {
    /// Stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "InvalidXml",
            Self::TooLarge => "XmlTooLarge",
            Self::Pattern(_) => "PatternTimeout",
        }
    }
}

impl XmlSchema {
    /// Compiles texts that each are a schema, or hold schemas somewhere inside, as a WSDL does.
    pub fn compile(sources: &[String], patterns: Patterns<'_>) -> Result<Self, SchemaProblem> {
        compile::compile(sources, patterns)
    }

    /// Everything in which a document does not fit, in its order, no more than `violations_max`.
    pub fn check(&self, text: &str, violations_max: usize) -> Result<Vec<Violation>, Unjudged> {
        check::document(self, &xml::parse(text)?, violations_max)
    }

    /// The same for the payload of a SOAP message.
    pub fn check_soap(
        &self,
        text: &str,
        version: SoapVersion,
        violations_max: usize,
    ) -> Result<Vec<Violation>, Unjudged> {
        soap::check(self, text, version, violations_max)
    }
}
