//! `authentication-basic`: an `Authorization: Basic` header for the backend (specification 5.2).

use super::{Policy, read};
use crate::compile::{Compiler, Parts};
use crate::machine::step::{At, Flow, Step};
use crate::schema::{AttributeSchema, Content, ElementSchema, Kind};
use crate::tree::Element;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use handfast_core::Secret;
use handfast_core::message::Fields;

pub(crate) static SCHEMA: ElementSchema = ElementSchema {
    attributes: &[
        AttributeSchema::new("username", Kind::Text).required(),
        AttributeSchema::new("password", Kind::Text).required(),
    ],
    content: Content::Empty,
};

pub(crate) static POLICY: Policy = Policy { name: "authentication-basic", schema: &SCHEMA, compile };

/// The header's value.
#[derive(Debug)]
pub(crate) struct AuthenticationBasic(Secret<String>);

fn compile(element: &Element, _compiler: &mut Compiler<'_>) -> Option<Parts> {
    Parts::leaf(read(element))
}

/// Reads one element; also for the children of `send-request`.
pub(crate) fn read(element: &Element) -> AuthenticationBasic {
    let pair = format!("{}:{}", read::text(element, "username"), read::text(element, "password"));
    AuthenticationBasic(Secret::new(format!("Basic {}", STANDARD.encode(pair))))
}

impl AuthenticationBasic {
    /// Sets the header.
    pub(crate) fn apply(&self, fields: &mut Fields) {
        let _ = fields.set(b"Authorization", self.0.expose().as_bytes());
    }
}

impl Step for AuthenticationBasic {
    fn run(&self, at: &mut At<'_>) -> Flow {
        self.apply(&mut at.context.request.fields);
        at.note(|| "header 'Authorization' set");
        Flow::Next
    }
}
