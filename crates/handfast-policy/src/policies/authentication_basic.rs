//! `authentication-basic`: an `Authorization: Basic` header for the backend (specification 5.2).

use super::Policy;
use crate::compile::{Compiler, Parts};
use crate::machine::step::{At, Flow, Halt, Ran, Step};
use crate::schema::{AttributeSchema, Content, ElementSchema, Kind};
use crate::setting::Text;
use crate::tree::Element;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use handfast_core::Secret;

pub(crate) static SCHEMA: ElementSchema = ElementSchema {
    attributes: &[
        AttributeSchema::new("username", Kind::Text).required(),
        AttributeSchema::new("password", Kind::Text).required(),
    ],
    content: Content::Empty,
};

pub(crate) static POLICY: Policy = Policy { name: "authentication-basic", schema: &SCHEMA, compile };

/// The credentials; literal ones are encoded once.
#[derive(Debug)]
pub(crate) enum AuthenticationBasic {
    Known(Secret<String>),
    Given { username: Text, password: Text },
}

fn compile(element: &Element, compiler: &mut Compiler<'_>) -> Option<Parts> {
    Parts::leaf(read(element, compiler))
}

/// Reads one element; also for the children of `send-request`.
pub(crate) fn read(element: &Element, compiler: &mut Compiler<'_>) -> AuthenticationBasic {
    let (username, password) = (compiler.text(element, "username"), compiler.text(element, "password"));
    match (username.literal(), password.literal()) {
        (Some(username), Some(password)) => AuthenticationBasic::Known(header(username, password)),
        _ => AuthenticationBasic::Given { username, password },
    }
}

pub(super) fn header(username: &str, password: &str) -> Secret<String> {
    Secret::new(format!("Basic {}", STANDARD.encode(format!("{username}:{password}"))))
}

impl AuthenticationBasic {
    /// The header's value.
    pub(crate) fn value(&self, at: &mut At<'_>) -> Result<Secret<String>, Halt> {
        match self {
            Self::Known(value) => Ok(value.clone()),
            Self::Given { username, password } => Ok(header(&at.text(username)?, &at.text(password)?)),
        }
    }
}

impl Step for AuthenticationBasic {
    fn run(&self, at: &mut At<'_>) -> Ran {
        let value = self.value(at)?;
        let _ = at.context.request.fields.set(b"Authorization", value.expose().as_bytes());
        at.note(|| "header 'Authorization' set");
        Ok(Flow::Next)
    }
}
