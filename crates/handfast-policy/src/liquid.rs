//! Liquid templates of `set-body`, in the dialect that API Management has (specification 5.8): DotLiquid with
//! C# names, and the block `JSONArrayFor`.
//!
//! A template is parsed once per document and rendered over two JSON values, `body` and `context`. Rendering
//! counts steps and output bytes, so a loop over a loop over a large body ends with an error. There is no way
//! out of it: no includes, no files, no dates but those that are passed in.

mod expression;
mod filters;
mod parse;
mod render;
mod value;

#[cfg(test)]
mod tests;

use expression::{Condition, Operand, Output};
use serde_json::Value;

/// What a template sees.
#[derive(Clone, Debug, Default)]
pub(crate) struct Inputs {
    /// The message's body.
    pub(crate) body: Value,
    /// `context`.
    pub(crate) context: Value,
}

/// Bounds on one rendering.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget {
    /// Nodes rendered and values visited.
    pub(crate) steps: u64,
    /// Bytes written, captured ones included.
    pub(crate) bytes: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Self { steps: 2_000_000, bytes: 8 << 20 }
    }
}

/// A template that is not one, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(crate) struct LiquidError {
    /// Byte offset in the template.
    pub(crate) offset: usize,
    /// What was found and what would be accepted.
    pub(crate) message: String,
}

/// Why a rendering stopped.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RenderError {
    /// Steps or bytes are used up.
    #[error("the Liquid template exceeded its limit of {0}")]
    Budget(&'static str),
    /// A filter got what it cannot work with.
    #[error("Liquid error: {0}")]
    Filter(String),
}

/// A parsed template.
#[derive(Debug)]
pub(crate) struct Template {
    nodes: Vec<Node>,
    uses_body: bool,
    uses_context: bool,
}

impl Template {
    /// Parses a template.
    pub(crate) fn parse(source: &str) -> Result<Self, LiquidError> {
        parse::parse(source)
    }

    /// Whether the body is read.
    pub(crate) fn uses_body(&self) -> bool {
        self.uses_body
    }

    /// Whether `context` is read.
    pub(crate) fn uses_context(&self) -> bool {
        self.uses_context
    }

    /// Renders over inputs.
    pub(crate) fn render(&self, inputs: &Inputs, budget: Budget) -> Result<String, RenderError> {
        render::render(&self.nodes, inputs, budget)
    }
}

/// A piece of a template.
#[derive(Debug)]
enum Node {
    Text(String),
    Output(Output),
    Assign {
        name: String,
        value: Output,
    },
    Capture {
        name: String,
        body: Vec<Node>,
    },
    /// `if`, `unless` (a negated first condition) and `elsif`; the last branch may have no condition.
    If(Vec<(Option<Condition>, Vec<Node>)>),
    Case {
        subject: Operand,
        branches: Vec<(Vec<Operand>, Vec<Node>)>,
        otherwise: Vec<Node>,
    },
    For(Box<For>),
    Cycle {
        key: String,
        values: Vec<Operand>,
    },
    /// `increment` and `decrement`, which count apart from variables.
    Step {
        name: String,
        by: i64,
    },
    Break,
    Continue,
}

/// `for` and `JSONArrayFor`.
#[derive(Debug)]
struct For {
    variable: String,
    list: Operand,
    limit: Option<Operand>,
    offset: Option<Operand>,
    reversed: bool,
    /// Commas between the items.
    json_array: bool,
    body: Vec<Node>,
    otherwise: Vec<Node>,
}
