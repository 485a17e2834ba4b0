//! The expressions of the policy that runs: their values so far, the evaluation under way, and what a request
//! may spend on all of them.
//!
//! A step asks [`At`] for a setting. What is worked out is kept until the step is over, so a step that had to
//! stop for a body or for the other requests of the core begins again and finds it (see [`crate::setting`]).

use super::io::{BodyForm, Output, Side};
use super::step::{At, Halt};
use crate::failure::Failure;
use crate::setting::{Expression, Setting, Text, body_bytes};
use crate::trace::Detail;
use crate::view::View;
use bytes::Bytes;
use handfast_expression::{Budget, Evaluation, Exception, Need, Outcome, Value};
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

/// Steps between two looks at the other requests of the core, about 0.2 ms.
const SLICE_STEPS: u32 = 20_000;
/// Steps of all expressions of a request.
const REQUEST_STEPS_MAX: u64 = 50_000_000;
/// Bytes that all expressions of a request may allocate, freed ones counted too.
const REQUEST_BYTES_MAX: usize = 256 << 20;
/// The largest body that an expression reads (expressions 7.1).
pub(crate) const BODY_BYTES_MAX: usize = 4 << 20;

/// The values of the policy that runs.
#[derive(Debug)]
pub(crate) struct Evaluations {
    done: Vec<(u32, Value)>,
    running: Option<(u32, Evaluation)>,
    left: Budget,
}

impl Default for Evaluations {
    fn default() -> Self {
        let left = Budget { steps: REQUEST_STEPS_MAX, bytes: REQUEST_BYTES_MAX };
        Self { done: Vec::new(), running: None, left }
    }
}

impl Evaluations {
    /// The policy is over, or is asked anew.
    pub(crate) fn clear(&mut self) {
        self.done.clear();
        self.running = None;
    }

    /// Exchanges what is left for the request with another's.
    pub(crate) fn share(&mut self, other: &mut Self) {
        std::mem::swap(&mut self.left, &mut other.left);
    }

    fn known(&self, slot: u32) -> Option<&Value> {
        self.done.iter().find(|(known, _)| *known == slot).map(|(_, value)| value)
    }

    /// The evaluation that was stopped, or a new one.
    fn begin(&mut self, expression: &Expression) -> Evaluation {
        match self.running.take() {
            Some((slot, evaluation)) if slot == expression.slot => evaluation,
            _ => {
                let each = Budget::default();
                expression.program.start(Budget {
                    steps: each.steps.min(self.left.steps),
                    bytes: each.bytes.min(self.left.bytes),
                })
            }
        }
    }

    /// Takes what a slice has used from what the request has.
    fn charge(&mut self, before: Budget, after: Budget) {
        self.left.steps = self.left.steps.saturating_sub(before.steps - after.steps);
        self.left.bytes = self.left.bytes.saturating_sub(before.bytes.saturating_sub(after.bytes));
    }
}

/// A text as a step uses it: the document's own, or one that an expression made.
pub(crate) enum Words<'s> {
    Literal(&'s str),
    Made(Arc<str>),
}

impl Deref for Words<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        match self {
            Self::Literal(text) => text,
            Self::Made(text) => text,
        }
    }
}

impl AsRef<str> for Words<'_> {
    fn as_ref(&self) -> &str {
        self
    }
}

impl fmt::Display for Words<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

impl At<'_> {
    /// The text of a setting.
    pub(crate) fn text<'s>(&mut self, setting: &'s Text) -> Result<Words<'s>, Halt> {
        match setting {
            Setting::Literal(text) => Ok(Words::Literal(text)),
            Setting::Expression(expression) => self.made_text(expression).map(Words::Made),
        }
    }

    /// The text of a setting that goes into the context.
    pub(crate) fn shared_text(&mut self, setting: &Setting<Arc<str>>) -> Result<Arc<str>, Halt> {
        match setting {
            Setting::Literal(text) => Ok(Arc::clone(text)),
            Setting::Expression(expression) => self.made_text(expression),
        }
    }

    fn made_text(&mut self, expression: &Expression) -> Result<Arc<str>, Halt> {
        Ok(match self.evaluate(expression)? {
            Value::Str(text) => text,
            other => other.to_text().into(),
        })
    }

    /// The texts of several settings.
    pub(crate) fn texts<'s>(&mut self, settings: &'s [Text]) -> Result<Vec<Words<'s>>, Halt> {
        settings.iter().map(|setting| self.text(setting)).collect()
    }

    /// The text of a setting that may be absent.
    pub(crate) fn optional_text<'s>(&mut self, setting: Option<&'s Text>) -> Result<Option<Words<'s>>, Halt> {
        setting.map(|setting| self.text(setting)).transpose()
    }

    /// The Boolean of a setting.
    pub(crate) fn boolean(&mut self, setting: &Setting<bool>) -> Result<bool, Halt> {
        match setting {
            Setting::Literal(truth) => Ok(*truth),
            Setting::Expression(expression) => {
                let value = self.evaluate(expression)?;
                value.as_bool().ok_or_else(|| unfit(&value, "a Boolean value"))
            }
        }
    }

    /// The number of a setting.
    pub(crate) fn number(&mut self, setting: &Setting<u32>) -> Result<u32, Halt> {
        match setting {
            Setting::Literal(number) => Ok(*number),
            Setting::Expression(expression) => {
                let value = self.evaluate(expression)?;
                let number = value.as_int().and_then(|number| u32::try_from(number).ok());
                number.ok_or_else(|| unfit(&value, "a number from 0"))
            }
        }
    }

    /// The number of a setting, when it is within bounds; literals were checked with the document.
    pub(crate) fn number_within(
        &mut self,
        setting: &Setting<u32>,
        bounds: std::ops::RangeInclusive<u32>,
    ) -> Result<u32, Halt> {
        let number = self.number(setting)?;
        if !bounds.contains(&number) {
            let wanted = format!("a number from {} to {}", bounds.start(), bounds.end());
            return Err(unfit(&Value::str(number.to_string()), &wanted));
        }
        Ok(number)
    }

    /// The value of a setting.
    pub(crate) fn value(&mut self, setting: &Setting<Value>) -> Result<Value, Halt> {
        match setting {
            Setting::Literal(value) => Ok(value.clone()),
            Setting::Expression(expression) => self.evaluate(expression),
        }
    }

    /// The bytes of a setting for a message body.
    pub(crate) fn bytes(&mut self, setting: &Setting<Bytes>) -> Result<Bytes, Halt> {
        match setting {
            Setting::Literal(bytes) => Ok(bytes.clone()),
            Setting::Expression(expression) => Ok(body_bytes(&self.evaluate(expression)?)),
        }
    }

    /// The value of an expression, worked out once per run of the step.
    fn evaluate(&mut self, expression: &Expression) -> Result<Value, Halt> {
        if let Some(value) = self.evaluations.known(expression.slot) {
            return Ok(value.clone());
        }
        let mut evaluation = self.evaluations.begin(expression);
        loop {
            let before = evaluation.left();
            let outcome = evaluation.run(&mut View::new(self), SLICE_STEPS);
            self.evaluations.charge(before, evaluation.left());
            let output = match outcome {
                Outcome::Done(value) => {
                    let value = expression.program.target_value(value);
                    self.evaluations.done.push((expression.slot, value.clone()));
                    self.note_evaluated(expression, &value);
                    return Ok(value);
                }
                Outcome::Failed(exception) => return Err(self.threw(expression, &exception)),
                // An answer of the host is being taken: it cannot be taken twice.
                Outcome::Yield if self.resuming => continue,
                Outcome::Yield => Output::Yield,
                Outcome::Need(_) if self.resuming => {
                    let text = "the message body is not at hand while a policy waits for an answer";
                    return Err(Failure::internal("BodyNotAvailable", text).into());
                }
                Outcome::Need(need) => {
                    let form = BodyForm::AsReceived;
                    Output::ReadBody { side: side_of(need), bytes_max: BODY_BYTES_MAX, form }
                }
            };
            self.evaluations.running = Some((expression.slot, evaluation));
            return Err(Halt::Wait(output));
        }
    }

    fn threw(&mut self, expression: &Expression, exception: &Exception) -> Halt {
        let message = format!("Expression evaluation failed. {}", exception.message);
        self.note_with(|| {
            let details = vec![
                ("expression", Detail::text(&expression.source)),
                ("details", Detail::text(format!("{}: {}", exception.kind, exception.message))),
            ];
            ("Expression evaluation failed.", details)
        });
        evaluation_failure(message)
    }

    fn note_evaluated(&mut self, expression: &Expression, value: &Value) {
        self.note_with(|| {
            let details = vec![
                ("expression", Detail::text(&expression.source)),
                ("value", Detail::text(value.to_text())),
            ];
            ("Expression was successfully evaluated.", details)
        });
    }
}

fn side_of(need: Need) -> Side {
    match need {
        Need::RequestBody => Side::Request,
        Need::ResponseBody => Side::Response,
    }
}

/// The failure of an expression that threw or gave what the policy cannot use (specification 6.3).
fn evaluation_failure(message: String) -> Halt {
    Failure::internal("ExpressionValueEvaluationFailure", message).into()
}

/// The failure of a value that an attribute cannot take.
pub(crate) fn unfit(value: &Value, wanted: &str) -> Halt {
    let found = value.to_text();
    evaluation_failure(format!("Expression evaluation failed. The value '{found}' is not {wanted}."))
}
