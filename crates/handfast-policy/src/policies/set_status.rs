//! `set-status`: status code and reason phrase of the response (specification 5.8). Before a response exists
//! it is kept aside, and lost when the request is forwarded.

use super::Policy;
use crate::compile::{Compiler, Parts};
use crate::machine::evaluate::unfit;
use crate::machine::step::{At, Flow, Halt, Ran, Step};
use crate::schema::{AttributeSchema, Content, ElementSchema, Kind};
use crate::setting::{Setting, Text};
use crate::tree::Element;
use handfast_core::message::{ResponseHead, is_field_value, standard_reason};
use handfast_expression::Value;
use std::borrow::Cow;
use std::ops::RangeInclusive;

pub(crate) static SCHEMA: ElementSchema = ElementSchema {
    attributes: &[
        AttributeSchema::new("code", Kind::Unsigned { min: 100, max: 999 }).required(),
        AttributeSchema::new("reason", Kind::Text),
    ],
    content: Content::Empty,
};

pub(crate) static POLICY: Policy = Policy { name: "set-status", schema: &SCHEMA, compile };

/// The codes that an expression may give.
const CODES: RangeInclusive<u32> = 100..=999;

/// A compiled status.
#[derive(Debug)]
pub(crate) struct SetStatus {
    code: Setting<u32>,
    reason: Option<Text>,
}

/// A status of a request, all values worked out.
pub(crate) struct Status {
    code: u16,
    phrase: Cow<'static, str>,
}

fn compile(element: &Element, compiler: &mut Compiler<'_>) -> Option<Parts> {
    Parts::leaf(read(element, compiler)?)
}

/// Reads one element; also for `return-response`.
pub(crate) fn read(element: &Element, compiler: &mut Compiler<'_>) -> Option<SetStatus> {
    let code = compiler.number(element, "code", 200);
    let reason = compiler.optional_text(element, "reason");
    let own = reason.as_ref().and_then(Setting::literal);
    if let Some(own) = own.filter(|own| !is_field_value(own.as_bytes())) {
        compiler
            .refuse(element, format!("The value '{own}' of the attribute 'reason' is not a reason phrase"));
        return None;
    }
    Some(SetStatus { code, reason })
}

impl SetStatus {
    /// Works out the status.
    pub(crate) fn status(&self, at: &mut At<'_>) -> Result<Status, Halt> {
        let code = at.number_within(&self.code, CODES)?;
        let code = u16::try_from(code).unwrap_or(500);
        let standard = standard_reason(code);
        let phrase = match at.optional_text(self.reason.as_ref())? {
            Some(own) if !is_field_value(own.as_bytes()) => {
                return Err(unfit(&Value::str(&*own), "a reason phrase"));
            }
            Some(own) if *own != *standard => Cow::Owned(own.to_string()),
            _ => Cow::Borrowed(standard),
        };
        Ok(Status { code, phrase })
    }
}

impl Status {
    /// Writes the status into a head.
    pub(crate) fn apply(self, head: &mut ResponseHead) {
        head.status = self.code;
        head.reason = self.phrase;
    }
}

impl Step for SetStatus {
    fn run(&self, at: &mut At<'_>) -> Ran {
        let status = self.status(at)?;
        at.note(|| format!("status set to {}", status.code));
        match &mut at.context.response {
            Some(response) => status.apply(&mut response.head),
            None => at.context.pending_status = Some((status.code, status.phrase)),
        }
        Ok(Flow::Next)
    }
}
