//! Calls of a policy to a backend entity: with a token of the service's identity if the policy has one asked for, else
//! with the backend's own credentials.

use super::send_request::failed;
use crate::machine::io::{Input, Output, SendRequest, TokenFailure};
use crate::machine::step::At;
use bytes::Bytes;
use handfast_core::Secret;
use handfast_core::message::{Fields, Method};
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;

/// The application that tokens for Azure's AI services are for.
pub(crate) const AI_SERVICES: &str = "https://cognitiveservices.azure.com";
/// The time until the head of an answer.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A POST of JSON to a backend; `path` goes behind the backend's URL.
pub(crate) fn post(backend: &str, path: &str, document: &Value) -> Box<SendRequest> {
    let mut fields = Fields::new();
    // A literal that a header can hold.
    let _ = fields.set(b"Content-Type", b"application/json");
    Box::new(SendRequest {
        backend_id: Some(Arc::from(backend)),
        method: Method::Post,
        fields,
        timeout: TIMEOUT,
        ..SendRequest::get(path, Bytes::from(document.to_string()))
    })
}

/// Asks for the identity's token first; [`with_token`] goes on with the answer.
pub(crate) fn for_token(at: &mut At<'_>, request: Box<SendRequest>) -> Output {
    at.context.held = Some(request);
    Output::Token { resource: AI_SERVICES.to_owned(), client_id: None }
}

/// The request that waited for its token. Without one it goes with what the backend has for it.
pub(crate) fn with_token(at: &mut At<'_>, token: Result<Secret<String>, TokenFailure>) -> Option<Output> {
    let mut request = at.context.held.take()?;
    authorize(at, token, std::iter::once(&mut *request));
    Some(Output::Send(request))
}

/// Gives requests a token. Without one they go with what the backend has for them.
pub(crate) fn authorize<'r>(
    at: &mut At<'_>,
    token: Result<Secret<String>, TokenFailure>,
    requests: impl Iterator<Item = &'r mut SendRequest>,
) {
    match token {
        Ok(token) => {
            let value = Secret::new(format!("Bearer {}", token.expose()));
            for request in requests {
                let _ = request.fields.set(b"Authorization", value.expose().as_bytes());
            }
            at.context.hide(token);
        }
        Err(failure) => at.note(|| format!("no token of the service's identity: {}", failure.message)),
    }
}

/// The JSON of an answer with status 200, or why there is none.
pub(crate) fn answer(input: Input) -> Result<Value, String> {
    let response = match input {
        Input::Sent(Ok(response)) => response,
        Input::Sent(Err(failure)) => return Err(failed(failure).message.into_owned()),
        other => return Err(other.out_of_turn().message.into_owned()),
    };
    if response.head.status != 200 {
        return Err(format!("the backend answered {}", response.head.status));
    }
    let crate::context::Body::Replace(bytes) = response.body else {
        return Err("the answer is empty".to_owned());
    };
    serde_json::from_slice(&bytes).map_err(|_| "the answer is no JSON".to_owned())
}
