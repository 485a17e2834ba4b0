//! `validate-content`: size, content type and content of the section's message (specification 5.3).
//!
//! The policy reads the body once and judges it by schemas that were compiled with the plan: the
//! representation of the operation, or a service-level schema that was compiled with the document.
//! A message without a body is not looked at (no source says otherwise).

mod judge;
mod read;

use super::Policy;
use super::validation::parameters::shown;
use super::validation::{Action, Finding, INTERNAL, action, settle, variable};
use crate::compile::{Compiler, Parts};
use crate::context::Body;
use crate::machine::io::{BodyForm, Input, Output, ReadFailure, Side};
use crate::machine::step::{At, Flow, Halt, Ran, Step};
use crate::schema::{AttributeSchema, Content, ElementSchema, Kind, Particle};
use crate::setting::{Setting, Text};
use crate::tree::Element;
use handfast_openapi::contract::media_type;
use read::{ContentRule, TypeMap};
use std::sync::Arc;

/// The largest body that is read (specification 5.3, 10).
const BODY_BYTES_MAX: u32 = 4 << 20;

static MAP_TYPE: ElementSchema = ElementSchema {
    attributes: &[
        AttributeSchema::new("from", Kind::Text).literal(),
        AttributeSchema::new("when", Kind::Boolean),
        AttributeSchema::new("to", Kind::Name).required().literal(),
    ],
    content: Content::Empty,
};

static MAP: ElementSchema = ElementSchema {
    attributes: &[
        AttributeSchema::new("any-content-type-value", Kind::Text).literal(),
        AttributeSchema::new("missing-content-type-value", Kind::Text).literal(),
    ],
    content: Content::Sequence(&[Particle::any("type", &MAP_TYPE)]),
};

static CONTENT: ElementSchema = ElementSchema {
    attributes: &[
        AttributeSchema::new("type", Kind::Text).literal(),
        AttributeSchema::new("validate-as", Kind::OneOf(&["json", "xml", "soap"])).required().literal(),
        AttributeSchema::new("schema-id", Kind::Text).literal(),
        AttributeSchema::new("schema-ref", Kind::Text).literal(),
        action("action").required(),
        AttributeSchema::new("allow-additional-properties", Kind::Boolean).literal(),
        AttributeSchema::new("case-insensitive-property-names", Kind::Boolean).literal(),
    ],
    content: Content::Empty,
};

static SCHEMA: ElementSchema = ElementSchema {
    attributes: &[
        action("unspecified-content-type-action").required(),
        AttributeSchema::new("max-size", Kind::Unsigned { min: 0, max: BODY_BYTES_MAX }).required(),
        action("size-exceeded-action").required(),
        AttributeSchema::new("errors-variable-name", Kind::Text).literal(),
        AttributeSchema::new("error-variable-name", Kind::Text).literal(),
    ],
    content: Content::Sequence(&[
        Particle::optional("content-type-map", &MAP),
        Particle::any("content", &CONTENT),
    ]),
};

pub(crate) static POLICY: Policy = Policy { name: "validate-content", schema: &SCHEMA, compile };

#[derive(Debug)]
struct ValidateContent {
    unspecified: Text,
    size_max: Setting<u32>,
    size_exceeded: Text,
    map: TypeMap,
    contents: Vec<ContentRule>,
    variable: Option<Arc<str>>,
}

fn compile(element: &Element, compiler: &mut Compiler<'_>) -> Option<Parts> {
    let contents: Vec<Option<ContentRule>> =
        element.named("content").map(|child| ContentRule::read(child, compiler)).collect();
    Parts::leaf(ValidateContent {
        unspecified: compiler.text(element, "unspecified-content-type-action"),
        size_max: compiler.number(element, "max-size", BODY_BYTES_MAX),
        size_exceeded: compiler.text(element, "size-exceeded-action"),
        map: TypeMap::read(element.child("content-type-map"), compiler),
        contents: contents.into_iter().collect::<Option<Vec<_>>>()?,
        variable: variable(element, compiler),
    })
}

/// Everything that the attributes say, worked out.
struct Wanted {
    unspecified: Action,
    size_max: u64,
    size_exceeded: Action,
    content_type: String,
    /// By content rule.
    actions: Vec<Action>,
}

impl ValidateContent {
    fn wanted(&self, at: &mut At<'_>) -> Result<Wanted, Halt> {
        let mut actions = Vec::with_capacity(self.contents.len());
        for content in &self.contents {
            actions.push(at.action(&content.action)?);
        }
        Ok(Wanted {
            unspecified: at.action(&self.unspecified)?,
            size_max: at.number_within(&self.size_max, 0..=BODY_BYTES_MAX)?.into(),
            size_exceeded: at.action(&self.size_exceeded)?,
            content_type: self.map.content_type(at)?,
            actions,
        })
    }

    /// Judges what is known before the body: its declared length. `None` when the body has to be read.
    fn declared(&self, at: &mut At<'_>, wanted: &Wanted) -> Option<Ran> {
        let fields = at.context.fields(at.side())?;
        let length = fields.get_str("content-length")?.parse::<u64>().ok()?;
        if length == 0 {
            return Some(Ok(Flow::Next));
        }
        let over = length > wanted.size_max;
        if over && wanted.size_exceeded == Action::Prevent {
            return Some(settle(at, vec![size(at.side(), length, wanted)], self.variable.as_ref()));
        }
        // What cannot be read cannot be judged either.
        (length > BODY_BYTES_MAX.into()).then(|| self.unread(at, wanted, length))
    }

    /// A body that is larger than what is read.
    fn unread(&self, at: &mut At<'_>, wanted: &Wanted, length: u64) -> Ran {
        let side = at.side();
        let mut findings = vec![size(side, length, wanted)];
        let why = format!("The body is larger than {BODY_BYTES_MAX} bytes.");
        for (content, action) in self.contents.iter().zip(&wanted.actions) {
            if content.takes(&wanted.content_type) {
                findings.push(judge::unjudged(side, &wanted.content_type, &why, *action));
            }
        }
        settle(at, findings, self.variable.as_ref())
    }

    fn judge(&self, at: &mut At<'_>, body: &[u8]) -> Ran {
        if body.is_empty() {
            return Ok(Flow::Next);
        }
        let wanted = self.wanted(at)?;
        let (side, length) = (at.side(), body.len() as u64);
        let mut findings = Vec::new();
        if length > wanted.size_max {
            findings.push(size(side, length, &wanted));
        }
        let stops = |findings: &[Finding]| findings.iter().any(|finding| finding.action == Action::Prevent);
        if !stops(&findings) {
            let text = String::from_utf8_lossy(body);
            findings.extend(self.content(at, &wanted, &text));
        }
        settle(at, findings, self.variable.as_ref())
    }

    /// The content by each rule that takes its type; else by whether the contract knows the type.
    fn content(&self, at: &At<'_>, wanted: &Wanted, text: &str) -> Vec<Finding> {
        let side = at.side();
        let contract = at.contract().unwrap_or_default();
        let promised = match side {
            Side::Request => Some(contract.request.as_slice()),
            Side::Response => {
                let status = at.context.response.as_ref().map_or(0, |response| response.head.status);
                contract.response(status).map(|response| response.bodies.as_slice())
            }
        };
        let mut promised = promised.unwrap_or_default().iter();
        let representation =
            promised.find(|body| body.content_type.eq_ignore_ascii_case(&wanted.content_type));
        let mut findings = Vec::new();
        let mut known = representation.is_some();
        for (content, action) in self.contents.iter().zip(&wanted.actions) {
            let applies = match content.content_type.is_empty() {
                // All types of the API's schema, or every type when the rule brings its own schema.
                true => representation.is_some() || content.own.is_some(),
                false => content.takes(&wanted.content_type),
            };
            if !applies {
                continue;
            }
            known = true;
            let about = judge::About { side, content_type: &wanted.content_type, action: *action };
            if *action != Action::Ignore && findings.is_empty() {
                findings = content.judge(&about, representation, text);
            }
        }
        if !known {
            findings.push(unspecified(side, wanted));
        }
        findings
    }
}

fn kind(side: Side) -> &'static str {
    match side {
        Side::Request => "RequestBody",
        Side::Response => "ResponseBody",
    }
}

fn size(side: Side, length: u64, wanted: &Wanted) -> Finding {
    let (whose, max) = (if side == Side::Request { "Request" } else { "Response" }, wanted.size_max);
    let said =
        |limit| format!("{whose}'s body is {length} bytes long and it exceeds the {limit} of {max} bytes.");
    Finding {
        name: String::new(),
        of: kind(side),
        rule: "SizeLimit",
        details: said("configured limit"),
        public: if side == Side::Request { said("limit") } else { INTERNAL.to_owned() },
        action: wanted.size_exceeded,
    }
}

fn unspecified(side: Side, wanted: &Wanted) -> Finding {
    let details = format!("Unspecified content type {} is not allowed.", wanted.content_type);
    Finding {
        name: wanted.content_type.clone(),
        of: kind(side),
        rule: "Unspecified",
        public: if side == Side::Request { details.clone() } else { INTERNAL.to_owned() },
        details,
        action: wanted.unspecified,
    }
}

impl Step for ValidateContent {
    fn run(&self, at: &mut At<'_>) -> Ran {
        let wanted = self.wanted(at)?;
        let side = at.side();
        match at.context.body(side).cloned() {
            None => Ok(Flow::Next),
            Some(Body::Replace(bytes)) => self.judge(at, &bytes),
            Some(Body::Keep) if side == Side::Request && !at.context.request_has_body => Ok(Flow::Next),
            Some(Body::Keep) => match self.declared(at, &wanted) {
                Some(ran) => ran,
                None => {
                    let bytes_max = BODY_BYTES_MAX as usize;
                    Ok(Flow::Await(Output::ReadBody { side, bytes_max, form: BodyForm::Decoded }))
                }
            },
        }
    }

    fn resume(&self, at: &mut At<'_>, answer: Input) -> Ran {
        match answer {
            Input::Body(bytes) => self.judge(at, &bytes),
            Input::BodyFailed(ReadFailure::TooLarge) => {
                let wanted = self.wanted(at)?;
                self.unread(at, &wanted, u64::from(BODY_BYTES_MAX) + 1)
            }
            Input::BodyFailed(failure) => Err(failure.failure(at.side()).into()),
            other => Ok(Flow::unexpected(&other)),
        }
    }
}
