//! `get-authorization-context`: the access token of a connection of the credential manager (specification 5.2, vault
//! 2.13). The host has the connections, their tokens and their access policies; here it is decided where a token goes.
//!
//! A token stands in no trace: the context leaves out the text of every token that the request was given.

use super::Policy;
use crate::compile::{Compiler, Parts};
use crate::failure::Failure;
use crate::machine::evaluate::unfit;
use crate::machine::io::{ConnectionRequest, Input, Output};
use crate::machine::step::{At, Flow, Halt, Ran, Step};
use crate::schema::{AttributeSchema, Content, ElementSchema, Kind};
use crate::setting::{Setting, Text};
use crate::tree::Element;
use handfast_core::Secret;
use handfast_expression::Value;

static SCHEMA: ElementSchema = ElementSchema {
    attributes: &[
        AttributeSchema::new("provider-id", Kind::Name).required(),
        AttributeSchema::new("authorization-id", Kind::Name).required(),
        AttributeSchema::new("context-variable-name", Kind::Name).required(),
        AttributeSchema::new("identity-type", Kind::OneOf(&["managed", "jwt"])),
        AttributeSchema::new("identity", Kind::Text),
        AttributeSchema::new("ignore-error", Kind::Boolean),
    ],
    content: Content::Empty,
};

pub(crate) static POLICY: Policy = Policy { name: "get-authorization-context", schema: &SCHEMA, compile };

#[derive(Debug)]
struct GetAuthorizationContext {
    provider: Text,
    authorization: Text,
    variable: Text,
    identity_type: Text,
    identity: Option<Text>,
    ignore_error: Setting<bool>,
}

fn compile(element: &Element, compiler: &mut Compiler<'_>) -> Option<Parts> {
    let policy = GetAuthorizationContext {
        provider: compiler.text(element, "provider-id"),
        authorization: compiler.text(element, "authorization-id"),
        variable: compiler.text(element, "context-variable-name"),
        identity_type: compiler.text(element, "identity-type"),
        identity: compiler.optional_text(element, "identity"),
        ignore_error: compiler.boolean(element, "ignore-error", false),
    };
    if policy.identity_type.literal().is_some_and(|kind| &**kind == "jwt") && policy.identity.is_none() {
        compiler.refuse(
            element,
            "The attribute 'identity' is required when the attribute 'identity-type' is 'jwt'",
        );
        return None;
    }
    Parts::leaf(policy)
}

impl GetAuthorizationContext {
    fn request(&self, at: &mut At<'_>) -> Result<ConnectionRequest, Halt> {
        let provider = at.text(&self.provider)?.trim().to_owned();
        let authorization = at.text(&self.authorization)?.trim().to_owned();
        let kind = at.text(&self.identity_type)?;
        let identity = at.optional_text(self.identity.as_ref())?;
        let caller = match (&*kind, identity) {
            ("" | "managed", _) => None,
            ("jwt", identity) => {
                let token = identity.as_deref().map(str::trim).unwrap_or_default();
                let token = token.strip_prefix("Bearer ").unwrap_or(token);
                Some(Secret::new(token.to_owned()))
            }
            _ => return Err(unfit(&Value::str(&*kind), "'managed' or 'jwt'")),
        };
        Ok(ConnectionRequest { provider, authorization, caller })
    }
}

/// The reason is not documented (unverified).
fn failed(message: String) -> Failure {
    Failure::internal("AuthorizationContextFailed", message)
}

impl Step for GetAuthorizationContext {
    fn run(&self, at: &mut At<'_>) -> Ran {
        let request = self.request(at)?;
        // What `resume` needs is worked out before the host is asked.
        at.text(&self.variable)?;
        at.boolean(&self.ignore_error)?;
        at.note(|| {
            format!("authorization '{}' of provider '{}' asked for", request.authorization, request.provider)
        });
        Ok(Flow::Await(Output::Authorization(Box::new(request))))
    }

    fn resume(&self, at: &mut At<'_>, answer: Input) -> Ran {
        let Input::Authorization(outcome) = answer else { return Ok(Flow::unexpected(&answer)) };
        let variable = at.text(&self.variable)?;
        let value = match outcome {
            Ok(token) => {
                let value = Value::authorization(token.expose());
                at.context.hide(token);
                at.note(|| format!("authorization stored in variable '{variable}'"));
                value
            }
            Err(failure) if at.boolean(&self.ignore_error)? => {
                at.note(|| format!("{} ignored", failure.message));
                Value::Null
            }
            Err(failure) => return Err(failed(failure.message).into()),
        };
        at.context.variables.set(&(*variable).into(), value);
        Ok(Flow::Next)
    }
}
