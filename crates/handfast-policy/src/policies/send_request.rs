//! `send-request` and `send-one-way-request`: a request of the document's own (specification 5.9). The first
//! waits and stores the response in a variable; the second goes on at once.

use super::set_header::{self, SetHeader};
use super::{Policy, authentication_basic, authentication_certificate, read, set_body, set_method};
use crate::compile::{Compiler, Parts};
use crate::context::{Body, CertificateSelection, Context, Response, Variable};
use crate::failure::Failure;
use crate::machine::io::{ForwardFailure, Input, Output, ReadFailure, SendRequest, Side};
use crate::machine::step::{At, Flow, Step};
use crate::schema::{AttributeSchema, Content, ElementSchema, Kind, Particle, TEXT};
use crate::tree::Element;
use bytes::Bytes;
use handfast_core::message::{Fields, Method};
use std::sync::Arc;
use std::time::Duration;

/// Seconds to wait when nothing else is said.
const TIMEOUT_DEFAULT: u32 = 60;

const MODE: AttributeSchema = AttributeSchema::new("mode", Kind::OneOf(&["new", "copy"]));
const TIMEOUT: AttributeSchema = AttributeSchema::new("timeout", read::NUMBER);

const CHILDREN: Content = Content::Sequence(&[
    Particle::optional("set-url", &TEXT),
    Particle::optional("set-method", &TEXT),
    Particle::any("set-header", &super::multimap::SCHEMA),
    Particle::optional("set-body", &set_body::SCHEMA),
    Particle::optional("authentication-certificate", &authentication_certificate::SCHEMA),
    Particle::optional("authentication-basic", &authentication_basic::SCHEMA),
]);

static SCHEMA: ElementSchema = ElementSchema {
    attributes: &[
        MODE,
        AttributeSchema::new("response-variable-name", Kind::Name).required().literal(),
        TIMEOUT,
        AttributeSchema::new("ignore-error", Kind::Boolean).literal(),
    ],
    content: CHILDREN,
};

static ONE_WAY_SCHEMA: ElementSchema = ElementSchema { attributes: &[MODE, TIMEOUT], content: CHILDREN };

pub(crate) static POLICY: Policy = Policy { name: "send-request", schema: &SCHEMA, compile };
pub(crate) static ONE_WAY: Policy = Policy { name: "send-one-way-request", schema: &ONE_WAY_SCHEMA, compile };

#[derive(Debug)]
struct Send {
    /// Begin with the current request rather than with nothing.
    copy: bool,
    url: Option<Arc<str>>,
    method: Option<Method>,
    headers: Vec<SetHeader>,
    body: Option<Bytes>,
    certificate: Option<CertificateSelection>,
    authorization: Option<authentication_basic::AuthenticationBasic>,
    timeout: Duration,
    ignore_error: bool,
    /// Where the response goes; without it nobody waits.
    variable: Option<Arc<str>>,
}

fn compile(element: &Element, compiler: &mut Compiler<'_>) -> Option<Parts> {
    let copy = element.get("mode") == Some("copy");
    let url = element.child("set-url").map(Element::trimmed_text);
    match &url {
        None if !copy => {
            compiler.refuse(element, "The element 'set-url' is required unless the mode is 'copy'");
            return None;
        }
        Some(url)
            if !super::set_backend_service::is_http_url(url.split(['?', '#']).next().unwrap_or(url)) =>
        {
            compiler.refuse(
                element,
                format!("The text '{url}' of 'set-url' is not an absolute http or https URL"),
            );
            return None;
        }
        _ => {}
    }
    let method = match element.child("set-method") {
        Some(child) => Some(set_method::read(child, compiler)?),
        None => None,
    };
    let mut headers = Vec::new();
    for child in element.named("set-header") {
        headers.push(set_header::read(child, compiler)?);
    }
    let body = match element.child("set-body") {
        Some(child) => Some(set_body::read(child, compiler)?),
        None => None,
    };
    let certificate = match element.child("authentication-certificate") {
        Some(child) => Some(authentication_certificate::read(child, compiler)?),
        None => None,
    };
    Parts::leaf(Send {
        copy,
        url: url.map(Into::into),
        method,
        headers,
        body,
        certificate,
        authorization: element.child("authentication-basic").map(authentication_basic::read),
        timeout: Duration::from_secs(read::number(element, "timeout").unwrap_or(TIMEOUT_DEFAULT).into()),
        ignore_error: read::boolean(element, "ignore-error", false),
        variable: element.get("response-variable-name").map(Into::into),
    })
}

impl Send {
    fn request(&self, context: &Context, response_side: bool) -> SendRequest {
        let mut fields = if self.copy { context.request.fields.clone() } else { Fields::new() };
        if self.copy && self.url.is_some() {
            // The host of another URL is that URL's.
            fields.remove(b"Host");
        }
        for header in &self.headers {
            header.apply(&mut fields);
        }
        if let Some(authorization) = &self.authorization {
            authorization.apply(&mut fields);
        }
        let inherited = if self.copy { context.request.method.clone() } else { Method::Get };
        let body = match &self.body {
            Some(bytes) => Body::Replace(bytes.clone()),
            None if self.copy && !response_side => context.request_body.clone(),
            None => Body::Replace(Bytes::new()),
        };
        SendRequest {
            url: self.url.as_deref().unwrap_or(&context.original_url).to_owned(),
            method: self.method.clone().unwrap_or(inherited),
            fields,
            body,
            certificate: self.certificate.clone(),
            timeout: self.timeout,
            detached: self.variable.is_none(),
        }
    }
}

impl Step for Send {
    fn run(&self, at: &mut At<'_>) -> Flow {
        let request = self.request(at.context, at.section.is_response_side());
        at.note(|| format!("{} {} is being sent", request.method, request.url));
        Flow::Await(Output::Send(Box::new(request)))
    }

    fn resume(&self, at: &mut At<'_>, answer: Input) -> Flow {
        let Input::Sent(outcome) = answer else { return Flow::unexpected(&answer) };
        let Some(variable) = &self.variable else { return Flow::Next };
        match outcome {
            Ok(response) => {
                at.note(|| format!("response status {}", response.head.status));
                at.context.variables.set(variable, Variable::Response(Arc::new(response)));
                Flow::Next
            }
            Err(failure) if self.ignore_error => {
                at.note(|| format!("{} ignored", failed(failure).reason));
                at.context.variables.set(variable, Variable::Null);
                Flow::Next
            }
            Err(failure) => Flow::fail(failed(failure)),
        }
    }
}

fn failed(failure: ForwardFailure) -> Failure {
    match failure {
        ForwardFailure::Timeout => Failure::internal("Timeout", "No response headers were received in time."),
        ForwardFailure::Connection(text) | ForwardFailure::Unavailable(text) => {
            Failure::internal("BackendConnectionFailure", text)
        }
        ForwardFailure::BodyTooLarge => ReadFailure::TooLarge.failure(Side::Request),
        ForwardFailure::Client => Failure::internal("ClientConnectionFailure", "The operation was canceled."),
    }
}

/// The response that a variable holds, for `return-response`.
pub(crate) fn stored(context: &Context, name: &str) -> Option<Response> {
    match context.variables.get(name) {
        Some(Variable::Response(response)) => Some(Response::clone(response)),
        _ => None,
    }
}
