//! `set-status`: status code and reason phrase of the response (specification 5.8). Before a response exists
//! it is kept aside, and lost when the request is forwarded.

use super::{Policy, read};
use crate::compile::{Compiler, Parts};
use crate::machine::step::{At, Flow, Step};
use crate::schema::{AttributeSchema, Content, ElementSchema, Kind};
use crate::tree::Element;
use handfast_core::message::{ResponseHead, is_field_value, standard_reason};
use std::borrow::Cow;
use std::sync::Arc;

pub(crate) static SCHEMA: ElementSchema = ElementSchema {
    attributes: &[
        AttributeSchema::new("code", Kind::Unsigned { min: 100, max: 999 }).required(),
        AttributeSchema::new("reason", Kind::Text),
    ],
    content: Content::Empty,
};

pub(crate) static POLICY: Policy = Policy { name: "set-status", schema: &SCHEMA, compile };

/// A compiled status.
#[derive(Debug)]
pub(crate) struct SetStatus {
    code: u16,
    reason: Reason,
}

#[derive(Debug)]
enum Reason {
    Standard(&'static str),
    Own(Arc<str>),
}

fn compile(element: &Element, compiler: &mut Compiler<'_>) -> Option<Parts> {
    Parts::leaf(read(element, compiler)?)
}

/// Reads one element; also for `return-response`.
pub(crate) fn read(element: &Element, compiler: &mut Compiler<'_>) -> Option<SetStatus> {
    let code = read::number(element, "code").and_then(|code| u16::try_from(code).ok()).unwrap_or(200);
    let standard = standard_reason(code);
    let reason = match element.get("reason") {
        Some(own) if !is_field_value(own.as_bytes()) => {
            compiler.refuse(
                element,
                format!("The value '{own}' of the attribute 'reason' is not a reason phrase"),
            );
            return None;
        }
        Some(own) if own != standard => Reason::Own(own.into()),
        _ => Reason::Standard(standard),
    };
    Some(SetStatus { code, reason })
}

impl SetStatus {
    /// Writes the status into a head.
    pub(crate) fn apply(&self, head: &mut ResponseHead) {
        head.status = self.code;
        head.reason = self.phrase();
    }

    fn phrase(&self) -> Cow<'static, str> {
        match &self.reason {
            Reason::Standard(phrase) => Cow::Borrowed(phrase),
            Reason::Own(phrase) => Cow::Owned(phrase.as_ref().to_owned()),
        }
    }
}

impl Step for SetStatus {
    fn run(&self, at: &mut At<'_>) -> Flow {
        match &mut at.context.response {
            Some(response) => self.apply(&mut response.head),
            None => at.context.pending_status = Some((self.code, self.phrase())),
        }
        at.note(|| format!("status set to {}", self.code));
        Flow::Next
    }
}
