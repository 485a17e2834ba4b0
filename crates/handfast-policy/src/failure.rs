//! Errors of a request: what `context.LastError` will say and which response is prepared (specification 3, 6).

use crate::context::{Body, Response};
use crate::section::{Scope, Section};
use bytes::Bytes;
use handfast_core::message::{Fields, ResponseHead};
use std::borrow::Cow;
use std::sync::Arc;

/// An error before it is tied to a place in the plan.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Policy element name or built-in step; empty means the policy that raised it.
    pub source: &'static str,
    /// Machine code.
    pub reason: &'static str,
    /// Human text for `context.LastError.Message`.
    pub message: Cow<'static, str>,
    /// What the client gets unless on-error changes it.
    pub answer: Answer,
}

/// The response prepared for an error.
#[derive(Clone, Debug)]
pub enum Answer {
    /// `{ "statusCode": 500, "message": "Internal server error", "activityId": ... }`.
    Internal,
    /// A status with its standard phrase, a message, and extra header lines.
    Status {
        /// The status code.
        status: u16,
        /// The reason phrase, when it is not the standard one.
        phrase: Option<&'static str>,
        /// The message in the JSON body.
        message: Cow<'static, str>,
        /// Header lines such as `WWW-Authenticate`.
        fields: Fields,
    },
    /// The response that is there already stays.
    Keep,
}

/// `context.LastError`.
#[derive(Clone, Debug)]
pub struct LastError {
    /// Policy element name or built-in step.
    pub source: &'static str,
    /// Machine code.
    pub reason: &'static str,
    /// Human text.
    pub message: Cow<'static, str>,
    /// The scope of the policy that failed.
    pub scope: Option<Scope>,
    /// The section that was running.
    pub section: Option<Section>,
    /// The nested position of the policy that failed.
    pub path: Option<Arc<str>>,
    /// The policy's `id` attribute.
    pub policy_id: Option<Arc<str>>,
}

impl Failure {
    /// A failure of the running policy that is answered with a JSON body of the given status.
    pub fn denied(
        status: u16,
        reason: &'static str,
        message: impl Into<Cow<'static, str>>,
        body: impl Into<Cow<'static, str>>,
    ) -> Self {
        let answer = Answer::Status { status, phrase: None, message: body.into(), fields: Fields::new() };
        Self { source: "", reason, message: message.into(), answer }
    }

    /// A failure that is answered with the 500 body.
    pub fn internal(reason: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self { source: "", reason, message: message.into(), answer: Answer::Internal }
    }

    /// No API or operation matches (specification 3.4).
    pub fn operation_not_found() -> Self {
        let mut failure = Self::denied(
            404,
            "OperationNotFound",
            "Unable to match incoming request to an operation.",
            "Resource not found",
        );
        failure.source = "configuration";
        failure.with_phrase("Resource Not Found")
    }

    /// No subscription key (specification 3.6); `realm` is scheme, host and API path, `header` the key's name.
    pub fn subscription_key_missing(realm: &str, header: &str) -> Self {
        Self::subscription_key(
            "SubscriptionKeyNotFound",
            "Access denied due to missing subscription key. Make sure to include subscription key when making requests to this API.",
            "Access denied due to missing subscription key. Make sure to include subscription key when making requests to an API.",
            (realm, header),
        )
    }

    /// A key that is wrong, inactive or does not cover the API.
    pub fn subscription_key_invalid(realm: &str, header: &str) -> Self {
        let text = "Access denied due to invalid subscription key. Make sure to provide a valid key for an active subscription.";
        Self::subscription_key("SubscriptionKeyInvalid", text, text, (realm, header))
    }

    fn subscription_key(
        reason: &'static str,
        message: &'static str,
        body: &'static str,
        (realm, header): (&str, &str),
    ) -> Self {
        let challenge = format!("AzureApiManagementKey realm=\"{realm}\",name=\"{header}\",type=\"header\"");
        let mut failure = Self::denied(401, reason, message, body).with_phrase("Access Denied");
        failure.source = "authorization";
        failure.with_field("WWW-Authenticate", &challenge)
    }

    /// Replaces the standard reason phrase.
    #[must_use]
    pub fn with_phrase(mut self, text: &'static str) -> Self {
        if let Answer::Status { phrase, .. } = &mut self.answer {
            *phrase = Some(text);
        }
        self
    }

    /// Adds a header line to the prepared response; one that may not stand in a header is left out.
    #[must_use]
    pub fn with_field(mut self, name: &str, value: &str) -> Self {
        if let Answer::Status { fields, .. } = &mut self.answer {
            let _ = fields.append(name.as_bytes(), value.as_bytes());
        }
        self
    }

    /// The prepared response; `None` keeps what is there.
    pub(crate) fn response(&self, activity_id: &str) -> Option<Response> {
        let (mut head, body) = match &self.answer {
            Answer::Keep => return None,
            Answer::Internal => (ResponseHead::new(500), internal_body(activity_id)),
            Answer::Status { status, phrase, message, fields } => {
                let mut head = ResponseHead::new(*status);
                if let Some(phrase) = phrase {
                    head.reason = Cow::Borrowed(phrase);
                }
                head.fields = fields.clone();
                (head, status_body(*status, message))
            }
        };
        let _ = head.fields.set(b"Content-Type", b"application/json");
        Some(Response { head, body: Body::Replace(Bytes::from(body)) })
    }
}

fn internal_body(activity_id: &str) -> String {
    let id = json_escape(activity_id);
    format!("{{ \"statusCode\": 500, \"message\": \"Internal server error\", \"activityId\": \"{id}\" }}")
}

fn status_body(status: u16, message: &str) -> String {
    format!("{{ \"statusCode\": {status}, \"message\": \"{}\" }}", json_escape(message))
}

fn json_escape(text: &str) -> Cow<'_, str> {
    if !text.bytes().any(|byte| byte < b' ' || matches!(byte, b'"' | b'\\')) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            control if control < ' ' => out.push_str(&format!("\\u{:04x}", u32::from(control))),
            other => out.push(other),
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(failure: &Failure) -> String {
        match failure.response("id").expect("prepared").body {
            Body::Replace(bytes) => String::from_utf8(bytes.to_vec()).expect("text"),
            Body::Keep => String::new(),
        }
    }

    #[test]
    fn bodies_have_the_documented_lengths() {
        assert_eq!(body(&Failure::operation_not_found()).len(), 54);
        assert_eq!(body(&Failure::subscription_key_missing("r", "h")).len(), 152);
        assert_eq!(body(&Failure::subscription_key_invalid("r", "h")).len(), 143);
    }

    #[test]
    fn messages_are_escaped() {
        let failure = Failure::denied(400, "X", "m", "a \"b\"\n\u{1}\\");
        assert_eq!(body(&failure), r#"{ "statusCode": 400, "message": "a \"b\"\n\u0001\\" }"#);
    }
}
