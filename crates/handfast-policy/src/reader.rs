//! Reads policy documents in both text forms (specification 1.2, 1.3): `xml`, which must be well-formed,
//! and `rawxml`, in which C# expressions stand unescaped inside attributes and text.
//!
//! Total: any input gives a tree or one error with a place; time is linear in its length and the nesting
//! is bounded. It knows no policy, and puts no named value in.

mod convert;
mod entity;
mod parse;
mod scan;

#[cfg(test)]
mod tests;

pub use convert::write;
pub(crate) use entity::{escape_attribute, escape_text};

use crate::position::Position;
use crate::tree::Element;
use handfast_core::Diagnostic;

/// The two text forms of `properties.format`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// Well-formed XML, expressions escaped.
    Xml,
    /// Expressions as plain C#.
    RawXml,
}

impl Format {
    /// Reads the `format` property; the `-link` forms differ only in where the text comes from.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "xml" | "xml-link" => Some(Self::Xml),
            "rawxml" | "rawxml-link" => Some(Self::RawXml),
            _ => None,
        }
    }

    /// `xml` or `rawxml`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Xml => "xml",
            Self::RawXml => "rawxml",
        }
    }
}

/// A document as read.
#[derive(Clone, Debug)]
pub struct Tree {
    /// The root element.
    pub root: Element,
    /// Whether the text is well-formed XML as it stands.
    pub well_formed: bool,
    spans: Vec<ValueSpan>,
}

/// Where in the source a value stands and what it decodes to; kept for writing the other form.
#[derive(Clone, Debug)]
struct ValueSpan {
    start: usize,
    end: usize,
    quote: Option<u8>,
    is_expression: bool,
    decoded: String,
}

/// Why a text is not a document; the message has the .NET reader's wording with its line and position.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ReadError {
    message: String,
    position: Position,
}

impl ReadError {
    /// Stable code of all syntax errors.
    pub fn code(&self) -> &'static str {
        "ValidationError"
    }

    /// Where reading stopped.
    pub fn position(&self) -> Position {
        self.position
    }

    /// The error as a diagnostic.
    pub fn diagnostic(&self) -> Diagnostic {
        Diagnostic::error(self.code(), self.message.clone()).at(self.position.place())
    }
}

/// Reads a document.
pub fn read(text: &str, format: Format) -> Result<Tree, ReadError> {
    let strict = parse::parse(text, parse::Mode::Strict);
    match (format, strict) {
        (Format::Xml, result) => result,
        (Format::RawXml, strict) => parse::parse(text, parse::Mode::Tolerant { well_formed: strict.is_ok() }),
    }
}
