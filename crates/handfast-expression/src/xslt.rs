//! XSLT 1.0: a stylesheet compiled once and applied to documents within a budget of steps, on the XPath and the
//! trees of [`crate::xml`].
//!
//! What there is: template rules with priorities and modes, named templates, parameters and variables, `for-each`,
//! `if`, `choose`, `value-of`, `copy`, `copy-of`, `element`, `attribute`, `text`, `comment`,
//! `processing-instruction`, `sort`, `number` (levels single and any), `key`, `decimal-format`, `strip-space`,
//! `message`, the output methods xml, html and text, and the functions of the standard.
//!
//! What is refused by name when a stylesheet is compiled: `import`, `include`, `apply-imports`, `attribute-set`,
//! `namespace-alias`, scripts and other extension elements, `disable-output-escaping`, CDATA sections and document
//! types in the output, `lang` and `case-order` of sorts. `document()` is refused when it is called: nothing
//! outside the message can be read.
//!
//! Source: the W3C recommendation of 16 November 1999; oracle: `xsltproc`.

mod compile;
mod function;
mod number;
mod output;
mod pattern;
mod run;

#[cfg(test)]
mod tests;

use crate::xml::xpath::{Expr, Problem};
use crate::xml::{self, Name};
use pattern::Rule;
use std::collections::HashMap;

/// The namespace of the language.
pub(crate) const XSLT: &str = "http://www.w3.org/1999/XSL/Transform";
/// Steps of one transformation: instructions, and nodes that expressions visit.
pub const STEPS_MAX: usize = 2_000_000;
/// Templates inside templates.
pub const DEPTH_MAX: usize = 200;
/// Characters of the result.
pub const RESULT_BYTES_MAX: usize = 8 << 20;

/// Why a stylesheet or a transformation failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum XsltError {
    /// The stylesheet cannot be used; what was found, and what would be accepted.
    Stylesheet(String),
    /// The document is not XML.
    Document(String),
    /// The transformation came to no end.
    Failed(String),
    /// A limit was reached, which the text names.
    Limit(String),
}

impl std::fmt::Display for XsltError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Stylesheet(text) | Self::Document(text) | Self::Failed(text) | Self::Limit(text) => {
                f.write_str(text)
            }
        }
    }
}

impl std::error::Error for XsltError {}

impl XsltError {
    /// Stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Stylesheet(_) => "StylesheetNotUsable",
            Self::Document(_) => "InvalidXml",
            Self::Failed(_) => "TransformationFailed",
            Self::Limit(_) => "TransformationTooLarge",
        }
    }

    fn of(problem: Problem) -> Self {
        match problem {
            Problem::Syntax(text) => Self::Failed(text),
            Problem::Budget => Self::Limit(format!("the transformation takes more than {STEPS_MAX} steps")),
        }
    }
}

/// A compiled stylesheet.
#[derive(Default)]
pub struct Stylesheet {
    templates: Vec<Template>,
    /// Match rules, the one that counts most first.
    rules: Vec<Rule>,
    named: HashMap<String, usize>,
    /// Global variables and parameters in order.
    globals: Vec<Variable>,
    keys: Vec<Key>,
    formats: HashMap<String, number::DecimalFormat>,
    output: output::Output,
    /// Elements whose white space is dropped (`true`) or kept, the last that fits counts.
    spaces: Vec<(crate::xml::xpath::Test, bool)>,
}

/// A template.
struct Template {
    parameters: Vec<Variable>,
    body: Vec<Op>,
}

/// A variable or parameter with its default.
struct Variable {
    name: String,
    parameter: bool,
    value: Binding,
}

/// What a variable is bound to.
enum Binding {
    Select(Expr),
    Body(Vec<Op>),
}

/// `xsl:key`.
struct Key {
    name: String,
    matches: Vec<Expr>,
    uses: Expr,
}

/// An attribute value template.
enum Part {
    Text(String),
    Value(Expr),
}

type Avt = Vec<Part>;

/// `xsl:sort`.
struct Sort {
    select: Expr,
    numeric: Avt,
    order: Avt,
}

/// An instruction.
enum Op {
    Text(String),
    ValueOf(Expr),
    Apply {
        select: Option<Expr>,
        mode: Option<String>,
        sorts: Vec<Sort>,
        with: Vec<Variable>,
    },
    Call {
        name: String,
        with: Vec<Variable>,
    },
    ForEach {
        select: Expr,
        sorts: Vec<Sort>,
        body: Vec<Op>,
    },
    /// The first branch whose test holds.
    Choose(Vec<(Option<Expr>, Vec<Op>)>),
    Copy(Vec<Op>),
    CopyOf(Expr),
    /// Name, namespace if given, and the prefixes of the stylesheet there.
    Element {
        name: Avt,
        space: Option<Avt>,
        prefixes: Vec<(String, String)>,
        body: Vec<Op>,
    },
    Attribute {
        name: Avt,
        space: Option<Avt>,
        prefixes: Vec<(String, String)>,
        body: Vec<Op>,
    },
    Literal {
        name: Name,
        prefixes: Vec<(String, String)>,
        attributes: Vec<(Name, Avt)>,
        body: Vec<Op>,
    },
    Comment(Vec<Op>),
    Instruction {
        name: Avt,
        body: Vec<Op>,
    },
    Variable(Variable),
    Number(number::Numbering),
    Message {
        terminate: bool,
        body: Vec<Op>,
    },
}

impl Stylesheet {
    /// Compiles the text of a stylesheet.
    pub fn compile(text: &str) -> Result<Self, XsltError> {
        compile::compile(text)
    }

    /// Applies it to the text of a document; parameters are strings by name. The result is text.
    pub fn apply(&self, document: &str, parameters: &[(&str, &str)]) -> Result<String, XsltError> {
        let source = xml::parse(document, true).map_err(XsltError::Document)?;
        run::apply(self, &source, parameters)
    }
}

impl std::fmt::Debug for Stylesheet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Stylesheet({} templates)", self.templates.len())
    }
}
