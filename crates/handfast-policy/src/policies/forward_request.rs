//! `forward-request`: the exchange with the backend (specification 3.7, 5.5).

use super::{Policy, read};
use crate::compile::{Compiler, Parts};
use crate::context::{Body, Response};
use crate::failure::{Answer, Failure};
use crate::machine::io::{
    BackendVersion, ForwardFailure, ForwardOptions, ForwardRequest, Input, Output, ReadFailure, Side,
};
use crate::machine::step::{At, Flow, Step};
use crate::position::Position;
use crate::schema::{AttributeSchema, Content, ElementSchema, Kind};
use crate::tree::Element;
use handfast_core::Diagnostic;
use std::sync::Arc;
use std::time::Duration;

/// Seconds until response headers when nothing else is said.
const TIMEOUT_DEFAULT: u32 = 300;

static SCHEMA: ElementSchema = ElementSchema {
    attributes: &[
        AttributeSchema::new("timeout", read::NUMBER),
        AttributeSchema::new("timeout-ms", read::NUMBER),
        AttributeSchema::new("continue-timeout", read::NUMBER),
        AttributeSchema::new("http-version", Kind::OneOf(&["1", "2", "2or1"])).literal(),
        AttributeSchema::new("follow-redirects", Kind::Boolean),
        AttributeSchema::new("buffer-request-body", Kind::Boolean).literal(),
        AttributeSchema::new("buffer-response", Kind::Boolean).literal(),
        AttributeSchema::new("fail-on-error-status-code", Kind::Boolean).literal(),
    ],
    content: Content::Empty,
};

pub(crate) static POLICY: Policy = Policy { name: "forward-request", schema: &SCHEMA, compile };

#[derive(Debug)]
struct Forward(Arc<ForwardOptions>);

fn compile(element: &Element, compiler: &mut Compiler<'_>) -> Option<Parts> {
    let timeout = match (read::number(element, "timeout"), read::number(element, "timeout-ms")) {
        (Some(_), Some(_)) => {
            compiler.refuse(element, "The attributes 'timeout' and 'timeout-ms' exclude each other");
            return None;
        }
        (None, Some(milliseconds)) => Duration::from_millis(milliseconds.into()),
        (seconds, None) => Duration::from_secs(seconds.unwrap_or(TIMEOUT_DEFAULT).into()),
    };
    if let Some(value) = element.get("continue-timeout") {
        let text = format!(
            "The value '{value}' of the attribute 'continue-timeout' has no effect: the request body is sent without waiting for '100 Continue'"
        );
        let Position { line, column } = element.position;
        let message = format!("Error in element '{}' on line {line}, column {column}: {text}", element.name);
        compiler.push(Diagnostic::warning("AttributeWithoutEffect", message).at(element.position.place()));
    }
    Parts::leaf(Forward(Arc::new(ForwardOptions {
        timeout,
        http_version: match element.get("http-version") {
            Some("2") => BackendVersion::Http2,
            Some("2or1") => BackendVersion::Http2Or1,
            _ => BackendVersion::Http1,
        },
        follow_redirects: read::boolean(element, "follow-redirects", false),
        buffer_request_body: read::boolean(element, "buffer-request-body", false),
        buffer_response: read::boolean(element, "buffer-response", true),
        fail_on_error_status_code: read::boolean(element, "fail-on-error-status-code", false),
    })))
}

impl Step for Forward {
    fn run(&self, at: &mut At<'_>) -> Flow {
        let context = &mut *at.context;
        if context.request_body == Body::Keep && context.request_has_body {
            if context.request_body_sent {
                let message = "the request body was streamed to the backend and cannot be sent again";
                return Flow::fail(Failure::internal("BodyNotBuffered", message));
            }
            context.request_body_sent = !self.0.buffer_request_body;
        }
        context.pending_status = None;
        let backend = context.backend.clone();
        let seconds = self.0.timeout.as_secs();
        at.note(|| {
            format!("Request is being forwarded to the backend service. Timeout set to {seconds} seconds")
        });
        Flow::Await(Output::Forward(Box::new(ForwardRequest { backend, options: Arc::clone(&self.0) })))
    }

    fn resume(&self, at: &mut At<'_>, answer: Input) -> Flow {
        match answer {
            Input::Response(head) => {
                let status = head.status;
                at.context.response = Some(Response { head, body: Body::Keep });
                at.note(|| format!("response status {status}"));
                if self.0.fail_on_error_status_code && (400..600).contains(&status) {
                    return Flow::fail(Failure {
                        source: "",
                        reason: "ErrorStatusCode",
                        message: format!("The backend responded with status code {status}.").into(),
                        answer: Answer::Keep,
                    });
                }
                Flow::Next
            }
            Input::ForwardFailed(failure) => Flow::fail(failed(failure)),
            other => Flow::unexpected(&other),
        }
    }
}

fn failed(failure: ForwardFailure) -> Failure {
    match failure {
        ForwardFailure::Timeout => {
            Failure::internal("Timeout", "No response headers were received from the backend in time.")
        }
        ForwardFailure::Connection(text) => Failure::internal("BackendConnectionFailure", text),
        ForwardFailure::BodyTooLarge => ReadFailure::TooLarge.failure(Side::Request),
        ForwardFailure::Client => Failure::internal("ClientConnectionFailure", "The operation was canceled."),
        ForwardFailure::Unavailable(text) => {
            Failure::denied(503, "BackendUnavailable", text, "Service unavailable")
        }
    }
}
