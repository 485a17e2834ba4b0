//! A value of a document that is a literal or a policy expression: the one way in which a policy module
//! reads attributes and texts that may be either (specification 1.4, expressions 1.5).
//!
//! How a policy module uses it:
//!
//! 1. Its schema says where an expression may stand: [`AttributeSchema::new`](crate::schema::AttributeSchema)
//!    allows one, `.literal()` does not. Texts of elements allow one.
//! 2. Its compile function reads with [`Compiler`]: `text`, `optional_text`, `content`, `boolean`, `number`,
//!    `optional_number`, `value`. They cannot fail: what is wrong is reported with its place, and a document
//!    with an error is refused. What an expression always gives becomes a literal here.
//!    An expression that no policy reads is reported at the end, so nothing is ignored in silence.
//! 3. Its `run` asks [`At`](crate::machine::step::At): `at.text(&self.name)?`, `at.boolean`, `at.number`,
//!    `at.value`, `at.bytes`. A literal costs nothing. An expression may need a body or more time; then `?`
//!    leaves `run`, the machine does what is needed and calls `run` **again**, with the values worked out so
//!    far at hand. So: *evaluate everything first, then act*. Only what is asked for is evaluated.
//! 4. `resume` may read what `run` has evaluated. `after` follows the same rule as `run`.
//!
//! ```text
//! fn run(&self, at: &mut At<'_>) -> Ran {
//!     let name = at.text(&self.name)?;
//!     let value = at.text(&self.value)?;
//!     let _ = at.context.request.fields.set(name.as_bytes(), value.as_bytes());
//!     Ok(Flow::Next)
//! }
//! ```

use crate::compile::Compiler;
use crate::position::Position;
use crate::schema::messages::in_policy;
use crate::tree::{self, Element, Value as Source};
use bytes::Bytes;
use handfast_core::Place;
use handfast_expression::{
    BodyState, Budget, ContextView, Form, Lookup, Part, Program, Side, Target, Value, compile,
};
use std::fmt;
use std::sync::Arc;

/// What folding a constant may cost; larger ones stay expressions.
const FOLD_BUDGET: Budget = Budget { steps: 100_000, bytes: 1 << 20 };

/// A literal, or an expression that gives such a value per request.
#[derive(Debug)]
pub(crate) enum Setting<T> {
    /// Known at compile time.
    Literal(T),
    /// Worked out when the policy runs.
    Expression(Box<Expression>),
}

/// A text.
pub(crate) type Text = Setting<Box<str>>;

/// A compiled expression in its place.
pub(crate) struct Expression {
    /// Tells the expressions of a document apart.
    pub(crate) slot: u32,
    pub(crate) program: Program,
    /// The source without `@(` and `)`, for traces.
    pub(crate) source: Arc<str>,
}

/// What the expressions of a policy read, beside its own doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reads {
    /// The client certificate, so that the host name has to ask for one.
    pub(crate) client_certificate: bool,
    /// The request's body.
    pub(crate) request_body: bool,
}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Expression({} bytes)", self.source.len())
    }
}

impl<T: Default> Default for Setting<T> {
    fn default() -> Self {
        Self::Literal(T::default())
    }
}

impl<T> Setting<T> {
    /// The value, when it is known.
    pub(crate) fn literal(&self) -> Option<&T> {
        match self {
            Self::Literal(value) => Some(value),
            Self::Expression(_) => None,
        }
    }

    /// Another literal made of this one.
    pub(crate) fn map<U>(self, change: impl FnOnce(T) -> U) -> Setting<U> {
        match self {
            Self::Literal(value) => Setting::Literal(change(value)),
            Self::Expression(expression) => Setting::Expression(expression),
        }
    }
}

/// A kind of setting: the type that expressions are compiled for and what their values become.
struct Want<T> {
    target: Target,
    literal: fn(&str) -> T,
    value: fn(&Value) -> Option<T>,
}

const TEXT: Want<Box<str>> = Want {
    target: Target::String,
    literal: |text| text.into(),
    value: |value| Some(value.as_str().unwrap_or_default().into()),
};
const TRIMMED: Want<Box<str>> = Want { literal: |text| text.trim().into(), ..TEXT };
const BOOLEAN: Want<bool> = Want {
    target: Target::Bool,
    literal: |text| text.trim().eq_ignore_ascii_case("true"),
    value: Value::as_bool,
};
const NUMBER: Want<u32> = Want {
    target: Target::Int,
    literal: |text| text.trim().parse().unwrap_or_default(),
    value: |value| value.as_int().and_then(|number| u32::try_from(number).ok()),
};
const ANY: Want<Value> =
    Want { target: Target::Object, literal: |text| Value::str(text), value: |value| Some(value.clone()) };
const BYTES: Want<Bytes> = Want {
    target: Target::Object,
    literal: |text| Bytes::from(text.to_owned()),
    value: |value| Some(body_bytes(value)),
};

impl Compiler<'_> {
    /// The text of an attribute; empty when absent.
    pub(crate) fn text(&mut self, element: &Element, name: &str) -> Text {
        self.optional_text(element, name).unwrap_or_default()
    }

    /// The text of an attribute, if it is there.
    pub(crate) fn optional_text(&mut self, element: &Element, name: &str) -> Option<Text> {
        element.attribute(name).map(|attribute| self.setting(&attribute.value, &TEXT))
    }

    /// The text between an element's tags; a literal without white space around it.
    pub(crate) fn content(&mut self, element: &Element) -> Text {
        self.setting(&element.content(), &TRIMMED)
    }

    /// The bytes of an attribute; empty when absent.
    pub(crate) fn bytes(&mut self, element: &Element, name: &str) -> Setting<Bytes> {
        match element.attribute(name) {
            Some(attribute) => self.setting(&attribute.value, &BYTES),
            None => Setting::default(),
        }
    }

    /// A body between an element's tags, literal white space kept.
    pub(crate) fn body(&mut self, element: &Element) -> Setting<Bytes> {
        self.setting(&element.content(), &BYTES)
    }

    /// A Boolean attribute, or the default.
    pub(crate) fn boolean(&mut self, element: &Element, name: &str, default: bool) -> Setting<bool> {
        match element.attribute(name) {
            Some(attribute) => self.setting(&attribute.value, &BOOLEAN),
            None => Setting::Literal(default),
        }
    }

    /// A number, or the default.
    pub(crate) fn number(&mut self, element: &Element, name: &str, default: u32) -> Setting<u32> {
        self.optional_number(element, name).unwrap_or(Setting::Literal(default))
    }

    /// A number, if the attribute is there.
    pub(crate) fn optional_number(&mut self, element: &Element, name: &str) -> Option<Setting<u32>> {
        element.attribute(name).map(|attribute| self.setting(&attribute.value, &NUMBER))
    }

    /// A value of any type; a literal is a string, also when the attribute is absent.
    pub(crate) fn value(&mut self, element: &Element, name: &str) -> Setting<Value> {
        match element.attribute(name) {
            Some(attribute) => self.setting(&attribute.value, &ANY),
            None => Setting::Literal(Value::str("")),
        }
    }

    fn setting<T>(&mut self, source: &Source, want: &Want<T>) -> Setting<T> {
        // What stands for a refused expression until the document is refused.
        let nothing = || Setting::Literal((want.literal)(""));
        let expression = match source {
            Source::Literal(text) => return Setting::Literal((want.literal)(text)),
            Source::Expression(expression) => expression,
        };
        self.taken.insert(expression.position);
        let Some((text, form)) = cut(&expression.text) else {
            self.push(in_policy(&self.policy, unclosed(&expression.text)).at(expression.position.place()));
            return nothing();
        };
        let program = match compile(text, form, want.target, self.options.strict) {
            Ok(program) => program,
            Err(problems) => {
                for problem in problems {
                    let place = place_in_document(expression, problem.place.as_ref());
                    self.push(in_policy(&self.policy, &problem.message).at(place));
                }
                return nothing();
            }
        };
        if program.facts().constant
            && let Ok(value) = program.evaluate(&mut Nothing, FOLD_BUDGET)
            && let Some(value) = (want.value)(&value)
        {
            return Setting::Literal(value);
        }
        self.reads.client_certificate |= reads_certificate(text);
        self.reads.request_body |= program.facts().request_body;
        self.slots += 1;
        Setting::Expression(Box::new(Expression { slot: self.slots, program, source: text.trim().into() }))
    }
}

/// The source between the delimiters, and which form they say it is; `None` when the closing one is missing.
fn cut(text: &str) -> Option<(&str, Form)> {
    if let Some(rest) = text.strip_prefix("@(") {
        return Some((rest.strip_suffix(')')?, Form::Expression));
    }
    Some((text.strip_prefix("@{")?.strip_suffix('}')?, Form::Block))
}

/// The message for a closing delimiter that is not at the end (expressions 1.3).
fn unclosed(text: &str) -> &'static str {
    match text.starts_with("@(") {
        true => {
            "The explicit expression block is missing a closing \")\" character.  Make sure you have a matching \")\" character for all the \"(\" characters within this block, and that none of the \")\" characters are being interpreted as markup."
        }
        false => {
            "The code block is missing a closing \"}\" character.  Make sure you have a matching \"}\" character for all the \"{\" characters within this block, and that none of the \"}\" characters are being interpreted as markup."
        }
    }
}

/// The place in the document of a place in an expression's source.
fn place_in_document(expression: &tree::Expression, place: Option<&Place>) -> Place {
    let Position { line, column } = expression.position;
    match place {
        Some(Place::Text { line: 1, column: inner, .. }) => Place::text(line, column + 2 + inner - 1),
        Some(Place::Text { line: inner_line, column: inner, .. }) => {
            Place::text(line + inner_line - 1, *inner)
        }
        _ => expression.position.place(),
    }
}

/// Whether a source may read the client certificate. Rather once too often: asking for a certificate that
/// nobody reads refuses nobody.
fn reads_certificate(source: &str) -> bool {
    source.contains(".ClientCertificates")
        || source.match_indices(".Certificate").any(|(at, found)| {
            let next = source.get(at + found.len()..).and_then(|rest| rest.chars().next());
            !next.is_some_and(|next| next.is_alphanumeric() || next == '_')
        })
}

/// What a value is as a message body (specification 1.4): bytes as they are, null as nothing, else its text.
pub(crate) fn body_bytes(value: &Value) -> Bytes {
    match value.as_bytes() {
        Some(bytes) => Bytes::from(bytes),
        None => Bytes::from(value.to_text()),
    }
}

/// The context of an expression that reads none.
struct Nothing;

impl ContextView for Nothing {
    fn present(&self, _part: Part) -> bool {
        false
    }

    fn field(&self, _part: Part, _name: &str) -> Value {
        Value::Null
    }

    fn lookup(&self, _lookup: Lookup, _key: &str) -> Option<Value> {
        None
    }

    fn entries(&self, _lookup: Lookup) -> Vec<(String, Value)> {
        Vec::new()
    }

    fn has_body(&self, _side: Side) -> bool {
        false
    }

    fn body(&mut self, _side: Side, _preserve: bool) -> BodyState {
        BodyState::Consumed
    }

    fn trace(&mut self, _source: &str, _data: &str) {}

    fn now_ticks(&self) -> i64 {
        0
    }

    fn random(&mut self, bytes: &mut [u8]) {
        bytes.fill(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_in_expressions_are_places_in_the_document() {
        let expression = tree::Expression { text: String::new(), position: Position { line: 4, column: 10 } };
        let of = |line, column| place_in_document(&expression, Some(&Place::text(line, column)));
        assert_eq!(of(1, 1), Place::text(4, 12));
        assert_eq!(of(3, 5), Place::text(6, 5));
    }

    #[test]
    fn only_the_requests_certificate_makes_a_host_ask() {
        assert!(reads_certificate("context.Request.Certificate.Thumbprint"));
        assert!(reads_certificate("context.Request.Certificate"));
        assert!(!reads_certificate("context.Deployment.Certificates[\"x\"]"));
        assert!(!reads_certificate("context.Request.Method"));
    }
}
