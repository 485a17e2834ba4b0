//! `authentication-managed-identity`: a token of the service's identity for the backend (specification 5.2). The host
//! has the tokens; here it is decided where one goes.
//!
//! A token stands in no trace: the context leaves out the text of every token that the request was given.

use super::{Policy, read};
use crate::compile::{Compiler, Parts};
use crate::failure::Failure;
use crate::machine::io::{Input, Output, TokenFailure};
use crate::machine::step::{At, Flow, Halt, Ran, Step};
use crate::schema::{AttributeSchema, Content, ElementSchema, Kind};
use crate::setting::Text;
use crate::tree::Element;
use handfast_core::Secret;
use handfast_expression::Value;
use std::sync::Arc;

pub(crate) static SCHEMA: ElementSchema = ElementSchema {
    attributes: &[
        AttributeSchema::new("resource", Kind::Name).required(),
        AttributeSchema::new("client-id", Kind::Text),
        AttributeSchema::new("output-token-variable-name", Kind::Name).literal(),
        AttributeSchema::new("ignore-error", Kind::Boolean).literal(),
    ],
    content: Content::Empty,
};

pub(crate) static POLICY: Policy =
    Policy { name: "authentication-managed-identity", schema: &SCHEMA, compile };

/// Whose token for what, and where it goes.
#[derive(Debug)]
pub(crate) struct ManagedIdentity {
    resource: Text,
    client_id: Option<Text>,
    /// Without it the token becomes the request's `Authorization`.
    variable: Option<Arc<str>>,
    ignore_error: bool,
}

fn compile(element: &Element, compiler: &mut Compiler<'_>) -> Option<Parts> {
    Parts::leaf(read(element, compiler))
}

/// Reads one element; also for the children of `send-request`.
pub(crate) fn read(element: &Element, compiler: &mut Compiler<'_>) -> ManagedIdentity {
    ManagedIdentity {
        resource: compiler.text(element, "resource"),
        client_id: compiler.optional_text(element, "client-id"),
        variable: element.get("output-token-variable-name").map(Into::into),
        ignore_error: read::boolean(element, "ignore-error", false),
    }
}

impl ManagedIdentity {
    /// What the host is asked for.
    pub(crate) fn request(&self, at: &mut At<'_>) -> Result<Output, Halt> {
        let resource = at.text(&self.resource)?.trim().to_owned();
        let client_id = at.optional_text(self.client_id.as_ref())?;
        // An empty id, such as an empty named value, is the service's own identity.
        let client_id = client_id.map(|id| id.trim().to_owned()).filter(|id| !id.is_empty());
        at.note(|| format!("a token for '{resource}' is being acquired"));
        Ok(Output::Token { resource, client_id })
    }

    /// Takes the host's answer: the value of `Authorization`, unless the token went into a variable or its
    /// absence is ignored.
    pub(crate) fn take(
        &self,
        at: &mut At<'_>,
        outcome: Result<Secret<String>, TokenFailure>,
    ) -> Result<Option<Secret<String>>, Halt> {
        match (outcome, &self.variable) {
            (Ok(token), Some(variable)) => {
                at.note(|| format!("token stored in variable '{variable}'"));
                at.context.variables.set(variable, Value::str(token.expose().as_str()));
                at.context.hide(token);
                Ok(None)
            }
            (Ok(token), None) => {
                at.note(|| "header 'Authorization' set");
                let value = Secret::new(format!("Bearer {}", token.expose()));
                at.context.hide(token);
                Ok(Some(value))
            }
            (Err(failure), _) if self.ignore_error => {
                at.note(|| format!("{} ignored", failure.message));
                Ok(None)
            }
            (Err(failure), _) => Err(failed(failure).into()),
        }
    }
}

/// The reason is not documented (unverified).
fn failed(failure: TokenFailure) -> Failure {
    Failure::internal("TokenAcquisitionFailed", failure.message)
}

impl Step for ManagedIdentity {
    fn run(&self, at: &mut At<'_>) -> Ran {
        self.request(at).map(Flow::Await)
    }

    fn resume(&self, at: &mut At<'_>, answer: Input) -> Ran {
        let Input::Token(outcome) = answer else { return Ok(Flow::unexpected(&answer)) };
        if let Some(value) = self.take(at, outcome)? {
            let _ = at.context.request.fields.set(b"Authorization", value.expose().as_bytes());
        }
        Ok(Flow::Next)
    }
}
