//! `forward-request`: the exchange with the backend (specification 3.7, 5.5).

use super::{Policy, read};
use crate::compile::{Compiler, Parts};
use crate::context::{Body, Response};
use crate::failure::{Answer, Failure};
use crate::machine::io::{
    BackendVersion, ForwardFailure, ForwardOptions, ForwardRequest, Input, Output, ReadFailure, Side,
};
use crate::machine::step::{At, Flow, Halt, Ran, Step};
use crate::position::Position;
use crate::schema::{AttributeSchema, Content, ElementSchema, Kind};
use crate::setting::Setting;
use crate::trace::{Detail, header_lines};
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
struct Forward {
    /// In seconds, or in milliseconds.
    timeout: Timeout,
    follow_redirects: Setting<bool>,
    /// What is said by literals; complete when all is.
    options: Arc<ForwardOptions>,
}

#[derive(Debug)]
enum Timeout {
    Seconds(Setting<u32>),
    Milliseconds(Setting<u32>),
}

impl Timeout {
    /// The time, if it is known.
    fn literal(&self) -> Option<Duration> {
        match self {
            Self::Seconds(seconds) => seconds.literal().map(|&seconds| Duration::from_secs(seconds.into())),
            Self::Milliseconds(time) => time.literal().map(|&time| Duration::from_millis(time.into())),
        }
    }

    fn get(&self, at: &mut At<'_>) -> Result<Duration, Halt> {
        Ok(match self {
            Self::Seconds(seconds) => Duration::from_secs(at.number(seconds)?.into()),
            Self::Milliseconds(time) => Duration::from_millis(at.number(time)?.into()),
        })
    }
}

fn compile(element: &Element, compiler: &mut Compiler<'_>) -> Option<Parts> {
    let seconds = compiler.optional_number(element, "timeout");
    let timeout = match (seconds, compiler.optional_number(element, "timeout-ms")) {
        (Some(_), Some(_)) => {
            compiler.refuse(element, "The attributes 'timeout' and 'timeout-ms' exclude each other");
            return None;
        }
        (None, Some(milliseconds)) => Timeout::Milliseconds(milliseconds),
        (seconds, None) => Timeout::Seconds(seconds.unwrap_or(Setting::Literal(TIMEOUT_DEFAULT))),
    };
    // Without effect, but its expression has to compile.
    compiler.optional_number(element, "continue-timeout");
    let follow_redirects = compiler.boolean(element, "follow-redirects", false);
    if let Some(value) = element.get("continue-timeout") {
        let text = format!(
            "The value '{value}' of the attribute 'continue-timeout' has no effect: the request body is sent without waiting for '100 Continue'"
        );
        let Position { line, column } = element.position;
        let message = format!("Error in element '{}' on line {line}, column {column}: {text}", element.name);
        compiler.push(Diagnostic::warning("AttributeWithoutEffect", message).at(element.position.place()));
    }
    let options = ForwardOptions {
        timeout: timeout.literal().unwrap_or_default(),
        http_version: match element.get("http-version") {
            Some("2") => BackendVersion::Http2,
            Some("2or1") => BackendVersion::Http2Or1,
            _ => BackendVersion::Http1,
        },
        follow_redirects: follow_redirects.literal().copied().unwrap_or(false),
        buffer_request_body: read::boolean(element, "buffer-request-body", false),
        buffer_response: read::boolean(element, "buffer-response", true),
        fail_on_error_status_code: read::boolean(element, "fail-on-error-status-code", false),
    };
    Parts::leaf(Forward { timeout, follow_redirects, options: Arc::new(options) })
}

impl Forward {
    /// The options of this exchange; shared unless an expression or the plan changes them.
    fn options(&self, at: &mut At<'_>) -> Result<Arc<ForwardOptions>, Halt> {
        let timeout = self.timeout.get(at)?;
        let follow_redirects = at.boolean(&self.follow_redirects)?;
        let buffer_request_body = self.options.buffer_request_body || at.context.keeps_request_body;
        let known = &self.options;
        if (timeout, follow_redirects, buffer_request_body)
            == (known.timeout, known.follow_redirects, known.buffer_request_body)
        {
            return Ok(Arc::clone(known));
        }
        Ok(Arc::new(ForwardOptions {
            timeout,
            follow_redirects,
            buffer_request_body,
            ..ForwardOptions::clone(known)
        }))
    }
}

impl Step for Forward {
    fn run(&self, at: &mut At<'_>) -> Ran {
        let options = self.options(at)?;
        let context = &mut *at.context;
        if context.request_body == Body::Keep && context.request_has_body && context.request_bytes.is_none() {
            if context.request_body_sent {
                let message = "the request body was streamed to the backend and cannot be sent again";
                return Err(Failure::internal("BodyNotBuffered", message).into());
            }
            context.request_body_sent = !options.buffer_request_body;
        }
        context.pending_status = None;
        let backend = context.backend.clone();
        let seconds = options.timeout.as_secs();
        let (method, base) = (at.context.request.method.clone(), backend.base_url.clone());
        let target = at.context.request.target.as_str().to_owned();
        let headers = if at.context.trace { header_lines(&at.context.request.fields) } else { Vec::new() };
        at.note_with(|| {
            let url = format!("{}{target}", base.as_deref().unwrap_or_default());
            let request = Detail::Request { method: method.to_string(), url, headers };
            let message = format!(
                "Request is being forwarded to the backend service. Timeout set to {seconds} seconds"
            );
            (message, vec![("request", request)])
        });
        Ok(Flow::Await(Output::Forward(Box::new(ForwardRequest { backend, options }))))
    }

    fn resume(&self, at: &mut At<'_>, answer: Input) -> Ran {
        match answer {
            Input::Response(head) => {
                let status = head.status;
                at.note_with(|| {
                    let (reason, headers) = (head.reason.to_string(), header_lines(&head.fields));
                    let response = Detail::Response { status, reason, headers };
                    (format!("response status {status}"), vec![("response", response)])
                });
                at.context.set_response(Response { head, body: Body::Keep });
                if self.options.fail_on_error_status_code && (400..600).contains(&status) {
                    return Ok(Flow::fail(Failure {
                        source: "",
                        reason: "ErrorStatusCode",
                        message: format!("The backend responded with status code {status}.").into(),
                        answer: Answer::Keep,
                    }));
                }
                Ok(Flow::Next)
            }
            Input::ForwardFailed(failure) => Err(failed(failure).into()),
            other => Ok(Flow::unexpected(&other)),
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
