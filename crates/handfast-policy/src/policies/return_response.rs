//! `return-response`: ends the pipeline with a response of its own (specification 5.8).

use super::set_header::{self, SetHeader};
use super::set_status::{self, SetStatus};
use super::{Policy, send_request, set_body};
use crate::compile::{Compiler, Parts};
use crate::context::{Body, Response};
use crate::machine::step::{At, Flow, Ran, Step};
use crate::schema::{AttributeSchema, Content, ElementSchema, Kind, Particle};
use crate::tree::Element;
use bytes::Bytes;

static SCHEMA: ElementSchema = ElementSchema {
    attributes: &[AttributeSchema::new("response-variable-name", Kind::Name).literal()],
    content: Content::Sequence(&[
        Particle::optional("set-status", &set_status::SCHEMA),
        Particle::any("set-header", &super::multimap::SCHEMA),
        Particle::optional("set-body", &set_body::SCHEMA),
    ]),
};

pub(crate) static POLICY: Policy = Policy { name: "return-response", schema: &SCHEMA, compile };

#[derive(Debug)]
struct ReturnResponse {
    /// A response of `send-request` to begin with.
    variable: Option<Box<str>>,
    status: Option<SetStatus>,
    headers: Vec<SetHeader>,
    body: Option<set_body::Source>,
}

fn compile(element: &Element, compiler: &mut Compiler<'_>) -> Option<Parts> {
    let status = element.child("set-status").map(|child| set_status::read(child, compiler));
    let headers: Vec<_> =
        element.named("set-header").map(|child| set_header::read(child, compiler)).collect();
    let body = element.child("set-body").map(|child| set_body::read(child, compiler));
    Parts::leaf(ReturnResponse {
        variable: element.get("response-variable-name").map(Into::into),
        status: transpose(status)?,
        headers: headers.into_iter().collect::<Option<_>>()?,
        body: transpose(body)?,
    })
}

/// `None` when the child was there and was refused.
fn transpose<T>(child: Option<Option<T>>) -> Option<Option<T>> {
    match child {
        Some(None) => None,
        Some(read) => Some(read),
        None => Some(None),
    }
}

impl Step for ReturnResponse {
    fn run(&self, at: &mut At<'_>) -> Ran {
        let status = self.status.as_ref().map(|status| status.status(at)).transpose()?;
        let headers = set_header::edits(&self.headers, at)?;
        let body = self.body.as_ref().map(|body| body.bytes(at, false)).transpose()?;
        let stored = self.variable.as_deref().and_then(|name| send_request::stored(at.context, name));
        let mut response =
            stored.unwrap_or_else(|| Response { body: Body::Replace(Bytes::new()), ..Response::default() });
        if let Some(status) = status {
            status.apply(&mut response.head);
        }
        for header in &headers {
            header.apply(&mut response.head.fields);
        }
        if let Some(body) = body {
            response.body = Body::Replace(body);
        }
        let status = response.head.status;
        at.context.set_response(response);
        at.note(|| format!("response {status} returned"));
        Ok(Flow::Finish)
    }
}
