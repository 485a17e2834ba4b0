//! `publish-to-dapr` and `invoke-dapr-binding`: messages to the Dapr sidecar over its HTTP interface (specification
//! 5.9; Dapr "Pub/sub" and "Bindings" API reference). Where the sidecar is, the host says.

use super::send_request::failed;
use super::{Policy, read, set_body};
use crate::compile::{Compiler, Parts};
use crate::context::{Body, Context};
use crate::failure::Failure;
use crate::machine::evaluate::unfit;
use crate::machine::io::{Input, Output, SendRequest};
use crate::machine::step::{At, Flow, Halt, Ran, Step};
use crate::schema::{AttributeSchema, Content, ElementSchema, Kind, Particle};
use crate::setting::{Setting, Text};
use crate::tree::Element;
use crate::view::message::response_value;
use bytes::Bytes;
use handfast_core::message::{Fields, Method};
use handfast_expression::Value;
use serde_json::{Map, Value as Json};
use std::fmt::Write;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

/// Where a sidecar listens unless the host says otherwise.
const SIDECAR: &str = "http://localhost:3500";
/// Seconds that a document may wait for it.
const TIMEOUTS: RangeInclusive<u32> = 1..=240;
const TIMEOUT_DEFAULT: u32 = 5;
const JSON: &str = "application/json";

macro_rules! attributes {
    ($($own:expr),* $(,)?) => {
        &[
            $($own,)*
            AttributeSchema::new("ignore-error", Kind::Boolean).literal(),
            AttributeSchema::new("response-variable-name", Kind::Name).literal(),
            AttributeSchema::new("timeout", Kind::Unsigned { min: 1, max: 240 }),
            AttributeSchema::new("template", Kind::OneOfAnyCase(&["Liquid"])).literal(),
            AttributeSchema::new("content-type", Kind::Name).literal(),
        ]
    };
}

static PUBLISH_SCHEMA: ElementSchema = ElementSchema {
    attributes: attributes![
        AttributeSchema::new("pubsub-name", Kind::Name),
        AttributeSchema::new("topic", Kind::Name).required(),
    ],
    content: Content::Markup,
};

static ITEM: ElementSchema = ElementSchema {
    attributes: &[AttributeSchema::new("key", Kind::Name).required().literal()],
    content: Content::Text,
};
static METADATA: ElementSchema =
    ElementSchema { attributes: &[], content: Content::Sequence(&[Particle::any("item", &ITEM)]) };
static DATA: ElementSchema = ElementSchema { attributes: &[], content: Content::Markup };

static INVOKE_SCHEMA: ElementSchema = ElementSchema {
    attributes: attributes![
        AttributeSchema::new("name", Kind::Name).required(),
        AttributeSchema::new("operation", Kind::Name),
    ],
    content: Content::Sequence(&[
        Particle::optional("metadata", &METADATA),
        Particle::optional("data", &DATA),
    ]),
};

pub(crate) static PUBLISH: Policy =
    Policy { name: "publish-to-dapr", schema: &PUBLISH_SCHEMA, compile: compile_publish };
pub(crate) static INVOKE: Policy =
    Policy { name: "invoke-dapr-binding", schema: &INVOKE_SCHEMA, compile: compile_invoke };

/// The base URL of the sidecar, without a slash at the end.
pub(crate) fn sidecar(context: &Context) -> &str {
    let told = context.deployment.as_ref().and_then(|deployment| deployment.dapr.as_deref());
    told.unwrap_or(SIDECAR).trim_end_matches('/')
}

/// A segment of a path (RFC 3986 §3.3).
pub(crate) fn segment(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            // Writing to a string cannot fail.
            other => _ = write!(out, "%{other:02X}"),
        }
    }
    out
}

#[derive(Debug)]
struct Dapr {
    call: Call,
    body: Option<set_body::Source>,
    content_type: Box<str>,
    timeout: Setting<u32>,
    ignore_error: bool,
    variable: Option<Arc<str>>,
}

#[derive(Debug)]
enum Call {
    Publish { pubsub: Option<Text>, topic: Text },
    Invoke { name: Text, operation: Option<Text>, metadata: Vec<(Box<str>, Text)> },
}

fn compile_publish(element: &Element, compiler: &mut Compiler<'_>) -> Option<Parts> {
    let (pubsub, topic) = (compiler.optional_text(element, "pubsub-name"), compiler.text(element, "topic"));
    if let (None, Setting::Literal(topic)) = (&pubsub, &topic)
        && both(topic).is_none()
    {
        let text = format!(
            "The value '{topic}' of the attribute 'topic' names no pubsub component; use 'pubsub/topic' or the attribute 'pubsub-name'"
        );
        compiler.refuse(element, text);
        return None;
    }
    let body = set_body::read_template(element, element, compiler)?;
    Parts::leaf(Dapr::read(element, Call::Publish { pubsub, topic }, Some(body), compiler))
}

fn compile_invoke(element: &Element, compiler: &mut Compiler<'_>) -> Option<Parts> {
    let mut metadata = Vec::new();
    for item in element.child("metadata").into_iter().flat_map(|all| all.named("item")) {
        metadata.push((read::text(item, "key").into(), compiler.content(item)));
    }
    let body = match element.child("data") {
        Some(data) => Some(set_body::read_template(element, data, compiler)?),
        None => None,
    };
    let (name, operation) = (compiler.text(element, "name"), compiler.optional_text(element, "operation"));
    Parts::leaf(Dapr::read(element, Call::Invoke { name, operation, metadata }, body, compiler))
}

/// `pubsub/topic`.
fn both(topic: &str) -> Option<(&str, &str)> {
    topic.split_once('/').filter(|(pubsub, topic)| !pubsub.is_empty() && !topic.is_empty())
}

impl Dapr {
    fn read(
        element: &Element,
        call: Call,
        body: Option<set_body::Source>,
        compiler: &mut Compiler<'_>,
    ) -> Self {
        Self {
            call,
            body,
            content_type: element.get("content-type").unwrap_or(JSON).into(),
            timeout: compiler.number(element, "timeout", TIMEOUT_DEFAULT),
            ignore_error: read::boolean(element, "ignore-error", false),
            variable: element.get("response-variable-name").map(Into::into),
        }
    }

    /// The path below the sidecar's address, and the body.
    fn message(&self, at: &mut At<'_>) -> Result<(String, Bytes), Halt> {
        let text = self.body.as_ref().map(|body| body.bytes(at, true)).transpose()?;
        match &self.call {
            Call::Publish { pubsub, topic } => {
                let (pubsub, topic) = (at.optional_text(pubsub.as_ref())?, at.text(topic)?);
                let named = pubsub.as_deref().map(|pubsub| (pubsub, &*topic)).or_else(|| both(&topic));
                let Some((pubsub, topic)) = named else {
                    return Err(unfit(&Value::str(&*topic), "'pubsub/topic'"));
                };
                let path = format!("/v1.0/publish/{}/{}", segment(pubsub), segment(topic));
                Ok((path, text.unwrap_or_default()))
            }
            Call::Invoke { name, operation, metadata } => {
                let path = format!("/v1.0/bindings/{}", segment(&at.text(name)?));
                let mut call = Map::new();
                if let Some(text) = text {
                    call.insert("data".to_owned(), self.data(&text));
                }
                let mut items = Map::new();
                for (key, value) in metadata {
                    items.insert(key.to_string(), Json::String(at.text(value)?.to_string()));
                }
                if !items.is_empty() {
                    call.insert("metadata".to_owned(), Json::Object(items));
                }
                if let Some(operation) = at.optional_text(operation.as_ref())? {
                    call.insert("operation".to_owned(), Json::String(operation.to_string()));
                }
                Ok((path, Bytes::from(Json::Object(call).to_string())))
            }
        }
    }

    /// Data of a binding: JSON as it is when the content type says so, else a text (unverified).
    fn data(&self, bytes: &Bytes) -> Json {
        let text = || Json::String(String::from_utf8_lossy(bytes).into_owned());
        match self.content_type.starts_with(JSON) {
            true => serde_json::from_slice(bytes).unwrap_or_else(|_| text()),
            false => text(),
        }
    }
}

impl Step for Dapr {
    fn run(&self, at: &mut At<'_>) -> Ran {
        let (path, body) = self.message(at)?;
        let timeout = Duration::from_secs(at.number_within(&self.timeout, TIMEOUTS)?.into());
        let mut fields = Fields::new();
        // What stands between the sidecar and a binding is always JSON.
        let kind = if matches!(self.call, Call::Invoke { .. }) { JSON } else { &self.content_type };
        let _ = fields.set(b"Content-Type", kind.as_bytes());
        let url = format!("{}{path}", sidecar(at.context));
        at.note(|| format!("POST {url} is being sent"));
        Ok(Flow::Await(Output::Send(Box::new(SendRequest {
            url,
            method: Method::Post,
            fields,
            body: Body::Replace(body),
            timeout,
            ..SendRequest::default()
        }))))
    }

    fn resume(&self, at: &mut At<'_>, answer: Input) -> Ran {
        let Input::Sent(outcome) = answer else { return Ok(Flow::unexpected(&answer)) };
        let (value, failure) = match outcome {
            Ok(response) => {
                let status = response.head.status;
                at.note(|| format!("the sidecar answered {status}"));
                let text = format!("The Dapr sidecar answered with status code {status}.");
                (response_value(&response), (status >= 400).then(|| Failure::internal("DaprError", text)))
            }
            Err(failure) => (Value::Null, Some(failed(failure))),
        };
        if let Some(variable) = &self.variable {
            at.context.variables.set(variable, value);
        }
        match failure {
            Some(failure) if !self.ignore_error => Err(failure.into()),
            Some(failure) => {
                at.note(|| format!("{} ignored", failure.reason));
                Ok(Flow::Next)
            }
            None => Ok(Flow::Next),
        }
    }
}
