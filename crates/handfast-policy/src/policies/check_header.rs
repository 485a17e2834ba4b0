//! `check-header`: refuses a request without a header, or with another value than those listed
//! (specification 5.2).

use super::{Policy, read};
use crate::compile::{Compiler, Parts};
use crate::failure::Failure;
use crate::machine::step::{At, Flow, Step};
use crate::schema::{AttributeSchema, Content, ElementSchema, Kind, Particle, TEXT};
use crate::tree::Element;

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

#[derive(Debug)]
struct CheckHeader {
    name: Box<str>,
    status: u16,
    message: Option<Box<str>>,
    ignore_case: bool,
    values: Vec<Box<str>>,
}

fn compile(element: &Element, _compiler: &mut Compiler<'_>) -> Option<Parts> {
    let status = read::number(element, "failed-check-httpcode").and_then(|code| u16::try_from(code).ok());
    Parts::leaf(CheckHeader {
        name: read::text(element, "name").trim().into(),
        status: status.unwrap_or(401),
        message: element.get("failed-check-error-message").map(Into::into),
        ignore_case: read::boolean(element, "ignore-case", false),
        values: element.named("value").map(|value| value.trimmed_text().into()).collect(),
    })
}

impl CheckHeader {
    fn allows(&self, value: &[u8]) -> bool {
        self.values.is_empty()
            || self.values.iter().any(|allowed| match self.ignore_case {
                true => allowed.as_bytes().eq_ignore_ascii_case(value),
                false => allowed.as_bytes() == value,
            })
    }

    fn refused(&self, reason: &'static str, message: String) -> Flow {
        let body = self.message.as_deref().map_or_else(|| message.clone(), str::to_owned);
        Flow::fail(Failure::denied(self.status, reason, message, body))
    }
}

impl Step for CheckHeader {
    fn run(&self, at: &mut At<'_>) -> Flow {
        let mut values = at.context.request.fields.get_all(self.name.as_bytes());
        let name = &self.name;
        let Some(value) = values.next() else {
            let message = format!("Header {name} was not found in the request. Access denied.");
            return self.refused("HeaderNotFound", message);
        };
        if values.next().is_some() || !self.allows(value) {
            let value = String::from_utf8_lossy(value);
            let message = format!("Header {name} value of {value} is not allowed. Access denied.");
            return self.refused("HeaderValueNotAllowed", message);
        }
        drop(values);
        at.note(|| "Header validated.");
        Flow::Next
    }
}
