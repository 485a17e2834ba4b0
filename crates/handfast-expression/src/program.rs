//! A compiled expression: what hosts keep, ask for its facts, and run.

use crate::binder;
use crate::code::{Code, Op, generate};
use crate::context::{ContextView, Part};
use crate::lexer::Problem;
use crate::machine::{Budget, Evaluation, Outcome};
use crate::parser;
use crate::types::Type;
use crate::value::{Exception, Object, Value};
use handfast_core::{Diagnostic, Place};
use std::sync::Arc;

/// Longest source in bytes.
const SOURCE_BYTES_MAX: usize = 256 << 10;
/// Steps of one slice when nobody shares the core.
const SLICE: u32 = 20_000;

/// Which of the two forms the text has; it comes without `@(` `)` or `@{` `}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// One expression.
    Expression,
    /// Statements that return.
    Block,
}

/// What the place of the expression wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// Text; in the lenient profile anything is turned into it.
    String,
    /// A condition.
    Bool,
    /// A number.
    Int,
    /// Any value.
    Object,
}

/// What is known of a program without running it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// It may read the body of the request.
    pub request_body: bool,
    /// It may read the body of the response.
    pub response_body: bool,
    /// It reads or writes nothing of the request: its value may be kept.
    pub constant: bool,
}

/// A compiled expression; cheap to clone.
#[derive(Clone, Debug)]
pub struct Program {
    code: Arc<Vec<Code>>,
    facts: Facts,
    text: bool,
}

/// Compiles a text. `strict` accepts only what Azure accepts.
pub fn compile(source: &str, form: Form, target: Target, strict: bool) -> Result<Program, Vec<Diagnostic>> {
    let of = match target {
        Target::String => Type::String,
        Target::Bool => Type::BOOL,
        Target::Int => Type::INT,
        Target::Object => Type::Object,
    };
    if source.len() > SOURCE_BYTES_MAX {
        let message =
            format!("expression has {} bytes; at most {SOURCE_BYTES_MAX} are accepted", source.len());
        return Err(vec![Diagnostic::error("ExpressionTooLong", message)]);
    }
    let bound = match form {
        Form::Expression => parser::expression(source)
            .and_then(|expr| binder::expression(&expr, &of, strict))
            .map_err(|problem| vec![problem]),
        Form::Block => parser::block(source)
            .map_err(|problem| vec![problem])
            .and_then(|body| binder::block(&body, &of, strict)),
    };
    let function = bound
        .map_err(|problems| problems.iter().map(|problem| diagnostic(source, problem)).collect::<Vec<_>>())?;
    let code = generate(&function);
    let facts = facts(&code);
    Ok(Program { code: Arc::new(code), facts, text: target == Target::String })
}

fn diagnostic(source: &str, problem: &Problem) -> Diagnostic {
    let before = source.get(..problem.at).unwrap_or(source);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
    let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    Diagnostic::error(problem.code, problem.message.clone()).at(Place::text(number(line), number(column)))
}

fn facts(code: &[Code]) -> Facts {
    let mut facts = Facts { constant: true, ..Facts::default() };
    for op in code.iter().flat_map(|code| &code.ops) {
        match op {
            Op::Context => facts.constant = false,
            Op::Push(Value::Object(object)) if matches!(**object, Object::Part(_) | Object::Lookup(_)) => {
                facts.constant = false;
            }
            Op::Call(call) => {
                let member = call.member;
                facts.request_body |= member.owner == Part::Request.class() && member.name == "Body";
                facts.response_body |= member.owner == Part::Response.class() && member.name == "Body";
                let ambient = matches!(member.name.as_str(), "Now" | "UtcNow" | "Today" | "NewGuid")
                    || member.owner == "Random";
                facts.constant &= !ambient;
            }
            _ => {}
        }
    }
    facts
}

impl Program {
    /// What is known without running it.
    pub fn facts(&self) -> Facts {
        self.facts
    }

    /// Starts an evaluation.
    pub fn start(&self, budget: Budget) -> Evaluation {
        Evaluation::new(self.code.clone(), budget)
    }

    /// Runs to the end, slice after slice; the host must have all bodies at hand.
    pub fn evaluate(&self, host: &mut dyn ContextView, budget: Budget) -> Result<Value, Exception> {
        let mut evaluation = self.start(budget);
        loop {
            match evaluation.run(host, SLICE) {
                Outcome::Done(value) => return Ok(self.target_value(value)),
                Outcome::Yield => {}
                Outcome::Failed(exception) => return Err(exception),
                Outcome::Need(_) => {
                    return Err(Exception {
                        kind: "InvalidOperationException",
                        message: "The message body has not been read.".into(),
                    });
                }
            }
        }
    }

    /// The value as the target wants it: text for a `string` target, null as empty text.
    pub fn target_value(&self, value: Value) -> Value {
        match value {
            Value::Str(_) => value,
            other if self.text => Value::str(other.to_text()),
            other => other,
        }
    }
}
