//! `send-service-bus-message`: a message for a queue or topic (specification 5.9), over the REST interface "Send
//! message" with a token of the service's identity. Properties that brokers know go into `BrokerProperties`, others are
//! header lines of the message.

use super::Policy;
use super::send_request::failed;
use crate::compile::{Compiler, Parts};
use crate::context::Body;
use crate::failure::Failure;
use crate::machine::evaluate::unfit;
use crate::machine::io::{Input, Output, SendRequest};
use crate::machine::step::{At, Flow, Halt, Ran, Step};
use crate::schema::{AttributeSchema, Content, ElementSchema, Kind, Particle, TEXT};
use crate::setting::{Setting, Text};
use crate::tree::Element;
use bytes::Bytes;
use handfast_core::message::{Fields, Method, is_token};
use handfast_expression::Value;
use serde_json::{Map, Value as Json};
use std::time::Duration;

/// The application that a token for a namespace is for.
const RESOURCE: &str = "https://servicebus.azure.net";
/// Until the response's head.
const TIMEOUT: Duration = Duration::from_secs(60);
/// What a broker's namespace may have in its name.
const NAMESPACE: &str = "a host name such as 'contoso.servicebus.windows.net'";

/// Properties of a message that go into `BrokerProperties` (Service Bus REST, "Message headers and properties").
const BROKER: &[&str] = &[
    "CorrelationId",
    "ForcePersistence",
    "Label",
    "MessageId",
    "PartitionKey",
    "ReplyTo",
    "ReplyToSessionId",
    "ScheduledEnqueueTimeUtc",
    "SessionId",
    "TimeToLive",
    "To",
    "ViaPartitionKey",
];
/// Header lines that are not the message's to set.
const TAKEN: &[&str] = &[
    "Authorization",
    "BrokerProperties",
    "Connection",
    "Content-Length",
    "Content-Type",
    "Host",
    "Transfer-Encoding",
];

static PROPERTY: ElementSchema = ElementSchema {
    attributes: &[AttributeSchema::new("name", Kind::Name).required().literal()],
    content: Content::Text,
};
static PROPERTIES: ElementSchema = ElementSchema {
    attributes: &[],
    content: Content::Sequence(&[Particle::any("message-property", &PROPERTY)]),
};
static SCHEMA: ElementSchema = ElementSchema {
    attributes: &[
        AttributeSchema::new("queue-name", Kind::Name),
        AttributeSchema::new("topic-name", Kind::Name),
        AttributeSchema::new("namespace", Kind::Name).required(),
        AttributeSchema::new("client-id", Kind::Text),
    ],
    content: Content::Sequence(&[
        Particle::optional("message-properties", &PROPERTIES),
        Particle::one("payload", &TEXT),
    ]),
};

pub(crate) static POLICY: Policy = Policy { name: "send-service-bus-message", schema: &SCHEMA, compile };

#[derive(Debug)]
struct SendMessage {
    namespace: Text,
    /// Queue or topic.
    entity: Text,
    client_id: Option<Text>,
    properties: Vec<(Box<str>, Text)>,
    payload: Setting<Bytes>,
}

fn compile(element: &Element, compiler: &mut Compiler<'_>) -> Option<Parts> {
    let queue = compiler.optional_text(element, "queue-name");
    let topic = compiler.optional_text(element, "topic-name");
    let entity = match (queue, topic) {
        (Some(name), None) | (None, Some(name)) => name,
        (Some(_), Some(_)) => {
            compiler.refuse(element, "The attributes 'queue-name' and 'topic-name' exclude each other");
            return None;
        }
        (None, None) => {
            compiler.refuse(element, "One of the attributes 'queue-name' and 'topic-name' is required");
            return None;
        }
    };
    let namespace = compiler.text(element, "namespace");
    if let Setting::Literal(name) = &namespace
        && !is_host(name)
    {
        compiler
            .refuse(element, format!("The value '{name}' of the attribute 'namespace' is not {NAMESPACE}"));
        return None;
    }
    let mut properties = Vec::new();
    for property in
        element.child("message-properties").into_iter().flat_map(|all| all.named("message-property"))
    {
        let name = property.get("name").unwrap_or_default().trim();
        if !is_token(name.as_bytes()) || TAKEN.iter().any(|taken| taken.eq_ignore_ascii_case(name)) {
            let text = format!("The value '{name}' of the attribute 'name' cannot be the name of a property");
            compiler.refuse(property, text);
            return None;
        }
        properties.push((name.into(), compiler.content(property)));
    }
    let payload = compiler.body(element.child("payload")?);
    let client_id = compiler.optional_text(element, "client-id");
    Parts::leaf(SendMessage { namespace, entity, client_id, properties, payload })
}

/// A host with or without a port.
fn is_host(text: &str) -> bool {
    let text = text.trim();
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-:".contains(&byte))
}

impl SendMessage {
    /// The message, without authorization.
    fn request(&self, at: &mut At<'_>) -> Result<SendRequest, Halt> {
        let (namespace, entity) = (at.text(&self.namespace)?, at.text(&self.entity)?);
        if !is_host(&namespace) {
            return Err(unfit(&Value::str(&*namespace), NAMESPACE));
        }
        let payload = at.bytes(&self.payload)?;
        let (mut fields, mut broker) = (Fields::new(), Map::new());
        let _ = fields.set(b"Content-Type", b"text/plain");
        for (name, value) in &self.properties {
            let value = at.text(value)?.to_string();
            match BROKER.iter().find(|known| known.eq_ignore_ascii_case(name)) {
                Some(known) => {
                    broker.insert((*known).to_owned(), Self::broker_value(known, value));
                }
                None => {
                    // The interface takes texts in quotes; what may not stand in a header does not go out.
                    let quoted = Json::String(value).to_string();
                    if fields.set(name.as_bytes(), quoted.as_bytes()).is_err() {
                        return Err(unfit(&Value::str(quoted), "a value for a header line"));
                    }
                }
            }
        }
        if !broker.is_empty() {
            let _ = fields.set(b"BrokerProperties", Json::Object(broker).to_string().as_bytes());
        }
        // Entities may have slashes in their names.
        let path: Vec<String> = entity.trim_matches('/').split('/').map(super::dapr::segment).collect();
        Ok(SendRequest {
            url: format!("https://{}/{}/messages", namespace.trim(), path.join("/")),
            method: Method::Post,
            fields,
            body: Body::Replace(payload),
            timeout: TIMEOUT,
            ..SendRequest::default()
        })
    }

    /// `TimeToLive` is a number of seconds, `ForcePersistence` a truth value; others are texts.
    fn broker_value(name: &str, value: String) -> Json {
        let bare = match name {
            "TimeToLive" => value.trim().parse::<f64>().ok().map(Json::from),
            "ForcePersistence" => value.trim().to_ascii_lowercase().parse::<bool>().ok().map(Json::from),
            _ => None,
        };
        bare.unwrap_or(Json::String(value))
    }
}

impl Step for SendMessage {
    fn run(&self, at: &mut At<'_>) -> Ran {
        let request = self.request(at)?;
        let client_id = at.optional_text(self.client_id.as_ref())?;
        let client_id = client_id.map(|id| id.trim().to_owned()).filter(|id| !id.is_empty());
        at.context.held = Some(Box::new(request));
        Ok(Flow::Await(Output::Token { resource: RESOURCE.to_owned(), client_id }))
    }

    fn resume(&self, at: &mut At<'_>, answer: Input) -> Ran {
        match answer {
            Input::Token(Ok(token)) => {
                let Some(mut request) = at.context.held.take() else {
                    return Err(Failure::internal("UnexpectedAnswer", "no message waited for a token").into());
                };
                let value = format!("Bearer {}", token.expose());
                let _ = request.fields.set(b"Authorization", value.as_bytes());
                at.context.hide(token);
                at.note(|| format!("{} {} is being sent", request.method, request.url));
                Ok(Flow::Await(Output::Send(request)))
            }
            Input::Token(Err(failure)) => {
                at.context.held = None;
                Err(Failure::internal("TokenAcquisitionFailed", failure.message).into())
            }
            Input::Sent(Ok(response)) if response.head.status < 300 => {
                at.note(|| format!("the broker answered {}", response.head.status));
                Ok(Flow::Next)
            }
            Input::Sent(Ok(response)) => {
                let text =
                    format!("The Service Bus broker answered with status code {}.", response.head.status);
                Err(Failure::internal("ServiceBusError", text).into())
            }
            Input::Sent(Err(failure)) => Err(failed(failure).into()),
            other => Ok(Flow::unexpected(&other)),
        }
    }
}
