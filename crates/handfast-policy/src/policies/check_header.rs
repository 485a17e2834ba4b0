//! `check-header`: refuses a request without a header, or with another value than those listed
//! (specification 5.2).

use super::Policy;
use crate::compile::{Compiler, Parts};
use crate::failure::Failure;
use crate::machine::evaluate::Words;
use crate::machine::step::{At, Flow, Ran, Step};
use crate::schema::{AttributeSchema, Content, ElementSchema, Kind, Particle, TEXT};
use crate::setting::{Setting, Text};
use crate::tree::Element;
use std::ops::RangeInclusive;

static SCHEMA: ElementSchema = ElementSchema {
    attributes: &[
        AttributeSchema::new("name", Kind::Name).required(),
        AttributeSchema::new("failed-check-httpcode", Kind::Unsigned { min: 100, max: 999 }).required(),
        AttributeSchema::new("failed-check-error-message", Kind::Text),
        AttributeSchema::new("ignore-case", Kind::Boolean),
    ],
    content: Content::Sequence(&[Particle::any("value", &TEXT)]),
};

pub(crate) static POLICY: Policy = Policy { name: "check-header", schema: &SCHEMA, compile };

/// The statuses that an expression may give.
const CODES: RangeInclusive<u32> = 100..=999;

#[derive(Debug)]
struct CheckHeader {
    name: Text,
    status: Setting<u32>,
    message: Option<Text>,
    ignore_case: Setting<bool>,
    values: Vec<Text>,
}

fn compile(element: &Element, compiler: &mut Compiler<'_>) -> Option<Parts> {
    Parts::leaf(CheckHeader {
        name: compiler.text(element, "name").map(|name| name.trim().into()),
        status: compiler.number(element, "failed-check-httpcode", 401),
        message: compiler.optional_text(element, "failed-check-error-message"),
        ignore_case: compiler.boolean(element, "ignore-case", false),
        values: element.named("value").map(|value| compiler.content(value)).collect(),
    })
}

fn allows(values: &[Words<'_>], ignore_case: bool, value: &[u8]) -> bool {
    values.is_empty()
        || values.iter().any(|allowed| match ignore_case {
            true => allowed.as_bytes().eq_ignore_ascii_case(value),
            false => allowed.as_bytes() == value,
        })
}

impl Step for CheckHeader {
    fn run(&self, at: &mut At<'_>) -> Ran {
        let name = at.text(&self.name)?;
        let status = at.number_within(&self.status, CODES)?;
        let own_message = at.optional_text(self.message.as_ref())?;
        let ignore_case = at.boolean(&self.ignore_case)?;
        let allowed = at.texts(&self.values)?;
        let refused = |reason, message: String| {
            let body = own_message.as_deref().map_or_else(|| message.clone(), str::to_owned);
            Failure::denied(u16::try_from(status).unwrap_or(401), reason, message, body)
        };
        let mut values = at.context.request.fields.get_all(name.as_bytes());
        let Some(value) = values.next() else {
            let message = format!("Header {name} was not found in the request. Access denied.");
            return Err(refused("HeaderNotFound", message).into());
        };
        if values.next().is_some() || !allows(&allowed, ignore_case, value) {
            let value = String::from_utf8_lossy(value);
            let message = format!("Header {name} value of {value} is not allowed. Access denied.");
            return Err(refused("HeaderValueNotAllowed", message).into());
        }
        drop(values);
        at.note(|| "Header validated.");
        Ok(Flow::Next)
    }
}
