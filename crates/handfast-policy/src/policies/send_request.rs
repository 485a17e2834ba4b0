//! `send-request` and `send-one-way-request`: a request of the document's own (specification 5.9). The first
//! waits and stores the response in a variable; the second goes on at once.

use super::set_header::{self, SetHeader};
use super::set_method::MethodSetting;
use super::{
    Policy, authentication_basic, authentication_certificate, authentication_managed_identity, proxy, read,
    set_body, set_method,
};
use crate::compile::{Compiler, Parts};
use crate::context::{Body, Context, Response};
use crate::failure::Failure;
use crate::machine::evaluate::unfit;
use crate::machine::io::{ForwardFailure, Input, Output, ReadFailure, SendRequest, Side};
use crate::machine::step::{At, Flow, Halt, Ran, Step};
use crate::schema::{AttributeSchema, Content, ElementSchema, Kind, Particle, TEXT};
use crate::setting::{Setting, Text};
use crate::tree::Element;
use crate::view::message::{response_of, response_value};
use bytes::Bytes;
use handfast_core::Secret;
use handfast_core::message::{Fields, Method};
use handfast_expression::Value;
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
    Particle::optional("authentication-managed-identity", &authentication_managed_identity::SCHEMA),
    Particle::optional("authentication-basic", &authentication_basic::SCHEMA),
    Particle::optional("proxy", &proxy::SCHEMA),
]);

pub(super) static SCHEMA: ElementSchema = ElementSchema {
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
    mode: Mode,
    url: Option<Text>,
    method: Option<MethodSetting>,
    headers: Vec<SetHeader>,
    body: Option<set_body::Source>,
    certificate: Option<authentication_certificate::Selected>,
    authorization: Option<authentication_basic::AuthenticationBasic>,
    identity: Option<authentication_managed_identity::ManagedIdentity>,
    proxy: Option<proxy::Proxy>,
    timeout: Setting<u32>,
    ignore_error: bool,
    /// Where the response goes; without it nobody waits.
    variable: Option<Arc<str>>,
}

/// Whether to begin with the current request (`copy`) rather than with nothing (`new`).
#[derive(Debug)]
enum Mode {
    Known(bool),
    Named(Text),
}

impl Mode {
    fn copies(&self, at: &mut At<'_>) -> Result<bool, Halt> {
        match self {
            Self::Known(copies) => Ok(*copies),
            Self::Named(name) => {
                let name = at.text(name)?;
                match &*name {
                    "copy" => Ok(true),
                    "new" => Ok(false),
                    _ => Err(unfit(&Value::str(&*name), "'new' or 'copy'")),
                }
            }
        }
    }
}

/// Whether a text is an absolute URL, with or without a query.
fn is_url(text: &str) -> bool {
    super::set_backend_service::is_http_url(text.split(['?', '#']).next().unwrap_or(text))
}

fn compile(element: &Element, compiler: &mut Compiler<'_>) -> Option<Parts> {
    let mode = match compiler.optional_text(element, "mode") {
        None => Mode::Known(false),
        Some(Setting::Literal(mode)) => Mode::Known(&*mode == "copy"),
        Some(expression) => Mode::Named(expression),
    };
    let url = element.child("set-url").map(|child| compiler.content(child));
    match &url {
        None if matches!(mode, Mode::Known(false)) => {
            compiler.refuse(element, "The element 'set-url' is required unless the mode is 'copy'");
            return None;
        }
        Some(Setting::Literal(url)) if !is_url(url) => {
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
    let proxy = match element.child("proxy") {
        Some(child) => Some(proxy::read(child, compiler)?),
        None => None,
    };
    Parts::leaf(Send {
        mode,
        url,
        method,
        headers,
        body,
        certificate,
        authorization: element
            .child("authentication-basic")
            .map(|child| authentication_basic::read(child, compiler)),
        identity: element
            .child("authentication-managed-identity")
            .map(|child| authentication_managed_identity::read(child, compiler)),
        proxy,
        timeout: compiler.number(element, "timeout", TIMEOUT_DEFAULT),
        ignore_error: read::boolean(element, "ignore-error", false),
        variable: element.get("response-variable-name").map(Into::into),
    })
}

impl Send {
    /// The request, all values worked out.
    fn request(&self, at: &mut At<'_>) -> Result<SendRequest, Halt> {
        let copy = self.mode.copies(at)?;
        let url = at.optional_text(self.url.as_ref())?;
        if let Some(url) = url.as_deref().filter(|url| !is_url(url.trim())) {
            return Err(unfit(&Value::str(url), "an absolute http or https URL"));
        }
        let method = self.method.as_ref().map(|method| method.get(at)).transpose()?;
        let edits = set_header::edits(&self.headers, at)?;
        let body = self.body.as_ref().map(|body| body.bytes(at, true)).transpose()?;
        let authorization = self.authorization.as_ref().map(|basic| basic.value(at)).transpose()?;
        let certificate = self.certificate.as_ref().map(|one| one.get(at)).transpose()?;
        let proxy = self.proxy.as_ref().map(|proxy| proxy.get(at)).transpose()?;
        let timeout = Duration::from_secs(at.number(&self.timeout)?.into());
        let mut fields = if copy { at.context.request.fields.clone() } else { Fields::new() };
        if copy && url.is_some() {
            // The host of another URL is that URL's.
            fields.remove(b"Host");
        }
        for edit in &edits {
            edit.apply(&mut fields);
        }
        if let Some(authorization) = authorization {
            let _ = fields.set(b"Authorization", authorization.expose().as_bytes());
        }
        let inherited = if copy { at.context.request.method.clone() } else { Method::Get };
        let body = match body {
            Some(bytes) => Body::Replace(bytes),
            None if copy && !at.section.is_response_side() => at.context.request_body.clone(),
            None => Body::Replace(Bytes::new()),
        };
        Ok(SendRequest {
            backend_id: None,
            url: url.as_deref().map_or(&*at.context.original_url, str::trim).to_owned(),
            method: method.unwrap_or(inherited),
            fields,
            body,
            certificate,
            proxy,
            timeout,
            detached: self.variable.is_none(),
        })
    }
}

impl Step for Send {
    fn run(&self, at: &mut At<'_>) -> Ran {
        let request = Box::new(self.request(at)?);
        let Some(identity) = &self.identity else { return Ok(send(at, request)) };
        let token = identity.request(at)?;
        at.context.held = Some(request);
        Ok(Flow::Await(token))
    }

    fn resume(&self, at: &mut At<'_>, answer: Input) -> Ran {
        let outcome = match (answer, &self.identity) {
            (Input::Sent(outcome), _) => outcome,
            (Input::Token(outcome), Some(identity)) => {
                let authorization = identity.take(at, outcome)?;
                return authorized(at, authorization);
            }
            (other, _) => return Ok(Flow::unexpected(&other)),
        };
        let Some(variable) = &self.variable else { return Ok(Flow::Next) };
        let value = match outcome {
            Ok(response) => {
                at.note(|| format!("response status {}", response.head.status));
                response_value(&response)
            }
            Err(failure) if self.ignore_error => {
                at.note(|| format!("{} ignored", failed(failure).reason));
                Value::Null
            }
            Err(failure) => return Err(failed(failure).into()),
        };
        at.context.variables.set(variable, value);
        Ok(Flow::Next)
    }
}

fn send(at: &mut At<'_>, request: Box<SendRequest>) -> Flow {
    at.note(|| format!("{} {} is being sent", request.method, request.url));
    Flow::Await(Output::Send(request))
}

/// Sends the request that waited for its token.
fn authorized(at: &mut At<'_>, authorization: Option<Secret<String>>) -> Ran {
    let Some(mut request) = at.context.held.take() else {
        return Err(Failure::internal("UnexpectedAnswer", "no request waited for a token").into());
    };
    if let Some(value) = authorization {
        let _ = request.fields.set(b"Authorization", value.expose().as_bytes());
    }
    Ok(send(at, request))
}

pub(super) fn failed(failure: ForwardFailure) -> Failure {
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
    context.variables.get(name).and_then(response_of)
}
