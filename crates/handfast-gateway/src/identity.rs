//! Tokens of managed identities, for `authentication-managed-identity`: asked of the endpoint that the process'
//! environment names, in the two forms that workloads of Azure find there, and kept until shortly before they end.
//!
//! A token that is due for renewal goes on being used while it is valid: one request at a time asks for its
//! successor, and when the endpoint fails the old one serves. What is kept is bounded; tokens are [`Secret`]s and
//! stand in no log, trace or message. Without an endpoint the policy fails and says so.
//!
//! Sources: vault and identity specification, table of managed-identity endpoints.

use crate::forward::Forwarder;
use bytes::Bytes;
use handfast_core::Secret;
use handfast_core::message::Fields;
use handfast_net::within;
use handfast_policy::{Body, ForwardFailure, SendRequest, TokenFailure};
use handfast_state::{Cache, Weigh};
use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// From the question to the end of the answer.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(5);
/// A token is renewed so long before it ends, or in the last quarter of a shorter life.
const RENEWAL_MS: u64 = 5 * 60_000;
/// A failed renewal is tried again after this time.
const RENEWAL_PAUSE_MS: u64 = 30_000;
/// A token is not used in its last moments: it must still be valid when it arrives.
const MARGIN_MS: u64 = 10_000;
/// All tokens that are kept.
const TOKENS_BYTES_MAX: usize = 4 << 20;
/// The longest token that is taken.
const TOKEN_BYTES_MAX: usize = 32 << 10;
/// How much of an endpoint's own words is passed on.
const WORDS_MAX: usize = 200;

/// Where tokens come from.
pub struct IdentityEndpoint {
    url: String,
    /// `X-IDENTITY-HEADER` of the App Service form; the form of the instance metadata service has none.
    secret: Option<Secret<String>>,
}

impl IdentityEndpoint {
    /// The App Service form.
    pub fn app_service(url: impl Into<String>, secret: Secret<String>) -> Self {
        Self { url: url.into(), secret: Some(secret) }
    }

    /// The instance metadata service at a base URL such as `http://169.254.169.254`.
    pub fn metadata(base_url: &str) -> Self {
        let base = base_url.trim_end_matches('/');
        Self { url: format!("{base}/metadata/identity/oauth2/token"), secret: None }
    }

    /// What the environment names: `IDENTITY_ENDPOINT` with `IDENTITY_HEADER`, else the metadata service of
    /// `AZURE_POD_IDENTITY_AUTHORITY_HOST`. Nobody is asked who was not named.
    pub fn from_environment(variable: impl Fn(&str) -> Option<String>) -> Option<Self> {
        let named = |name| variable(name).filter(|value| !value.trim().is_empty());
        if let (Some(url), Some(secret)) = (named("IDENTITY_ENDPOINT"), named("IDENTITY_HEADER")) {
            return Some(Self::app_service(url, Secret::new(secret)));
        }
        named("AZURE_POD_IDENTITY_AUTHORITY_HOST").map(|base| Self::metadata(&base))
    }

    fn question(&self, resource: &str, client_id: Option<&str>) -> SendRequest {
        let version = if self.secret.is_some() { "2019-08-01" } else { "2018-02-01" };
        let joint = if self.url.contains('?') { '&' } else { '?' };
        let mut url = format!("{}{joint}api-version={version}&resource={}", self.url, encoded(resource));
        if let Some(id) = client_id {
            let _ = write!(url, "&client_id={}", encoded(id));
        }
        let mut fields = Fields::new();
        // One that may not stand in a header is answered 401 by the endpoint.
        let _ = match &self.secret {
            Some(secret) => fields.set(b"X-IDENTITY-HEADER", secret.expose().as_bytes()),
            None => fields.set(b"Metadata", b"true"),
        };
        SendRequest { fields, ..SendRequest::get(&url, Bytes::new()) }
    }
}

/// A query parameter's value (RFC 3986 §2).
pub(crate) fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            // Writing to a string cannot fail.
            other => _ = write!(out, "%{other:02X}"),
        }
    }
    out
}

/// The tokens of the process.
pub(crate) struct Tokens(Cache<Kept>);

impl Default for Tokens {
    fn default() -> Self {
        Self(Cache::new(TOKENS_BYTES_MAX))
    }
}

#[derive(Clone)]
struct Kept {
    token: Arc<Secret<String>>,
    due_ms: u64,
    /// When somebody last asked for its successor.
    asked_ms: Arc<AtomicU64>,
}

impl Weigh for Kept {
    fn bytes(&self) -> usize {
        self.token.expose().len() + size_of::<Self>()
    }
}

impl Kept {
    /// Whether the caller has to ask for the successor: true for one caller in a while.
    fn is_mine_to_renew(&self, now_ms: u64) -> bool {
        let asked = self.asked_ms.load(Ordering::Relaxed);
        now_ms >= self.due_ms
            && now_ms >= asked.saturating_add(RENEWAL_PAUSE_MS)
            && self.asked_ms.compare_exchange(asked, now_ms, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

/// Which token is wanted of whom.
pub(crate) struct Asked {
    /// What it is kept under.
    pub(crate) key: String,
    pub(crate) question: SendRequest,
    /// Who is asked, for people.
    pub(crate) who: String,
    /// What for, for people.
    pub(crate) what: String,
}

/// A token as an endpoint gave it.
struct Granted {
    token: Secret<String>,
    /// Milliseconds from now.
    life_ms: u64,
}

impl Forwarder<'_> {
    /// A token of an identity: the service's own, or a user-assigned one.
    pub(crate) async fn token(
        &self,
        resource: &str,
        client_id: Option<&str>,
    ) -> Result<Secret<String>, TokenFailure> {
        let Some(endpoint) = &self.service.identity else {
            let message = "there is no endpoint for managed identities: the environment names neither IDENTITY_ENDPOINT with IDENTITY_HEADER nor AZURE_POD_IDENTITY_AUTHORITY_HOST";
            return Err(TokenFailure { message: message.to_owned() });
        };
        let asked = Asked {
            key: format!("{} {resource}", client_id.unwrap_or_default()),
            question: endpoint.question(resource, client_id),
            who: "the endpoint for managed identities".to_owned(),
            what: format!(" for '{resource}'"),
        };
        self.kept_token(asked).await
    }

    /// A token that is kept while it is good.
    pub(crate) async fn kept_token(&self, asked: Asked) -> Result<Secret<String>, TokenFailure> {
        let Asked { key, mut question, who, what } = asked;
        question.timeout = ANSWER_TIME_MAX;
        let Tokens(kept) = &self.service.shared.tokens;
        let now_ms = self.core.clock().now_ms();
        if let Some((one, _)) = kept.get(&key, now_ms)
            && !one.is_mine_to_renew(now_ms)
        {
            return Ok((*one.token).clone());
        }
        let asked = within(ANSWER_TIME_MAX, self.ask(&question)).await;
        let now_ms = self.core.clock().now_ms();
        match asked.unwrap_or_else(|| Err("it did not answer in time".to_owned())) {
            Ok(Granted { token, life_ms }) => {
                let due_ms = now_ms + life_ms - RENEWAL_MS.min(life_ms / 4);
                let one = Kept { token: Arc::new(token.clone()), due_ms, asked_ms: Arc::default() };
                kept.put(key, one, life_ms.saturating_sub(MARGIN_MS), now_ms);
                Ok(token)
            }
            Err(why) => match kept.get(&key, now_ms) {
                Some((last_good, _)) => Ok((*last_good.token).clone()),
                None => Err(TokenFailure { message: format!("{who} gave no token{what}: {why}") }),
            },
        }
    }

    async fn ask(&self, question: &SendRequest) -> Result<Granted, String> {
        let body = match &question.body {
            Body::Replace(body) => body.clone(),
            Body::Keep => Bytes::new(),
        };
        let answer = self.send_own(question, body).await.map_err(|failure| match failure {
            ForwardFailure::Timeout => "it did not answer in time".to_owned(),
            ForwardFailure::Connection(text) | ForwardFailure::Unavailable(text) => text,
            ForwardFailure::Client | ForwardFailure::BodyTooLarge => "its answer broke off".to_owned(),
        })?;
        let Body::Replace(bytes) = answer.body else { return Err("its answer is empty".to_owned()) };
        let document: serde_json::Value = serde_json::from_slice(&bytes).unwrap_or_default();
        if answer.head.status != 200 {
            let words = document.get("error_description").and_then(|text| text.as_str()).unwrap_or_default();
            let words: String = words.chars().filter(|c| !c.is_control()).take(WORDS_MAX).collect();
            let joint = if words.is_empty() { "" } else { ": " };
            return Err(format!("it answered {}{joint}{words}", answer.head.status));
        }
        granted(&document, self.core.clock().now_ms())
    }
}

/// Reads an answer: `expires_on` is seconds since 1970, `expires_in` seconds from now; both are numbers or texts.
fn granted(document: &serde_json::Value, now_ms: u64) -> Result<Granted, String> {
    let token = document.get("access_token").and_then(|text| text.as_str()).unwrap_or_default();
    if token.is_empty() || token.len() > TOKEN_BYTES_MAX || !token.bytes().all(|byte| byte.is_ascii_graphic())
    {
        return Err("its answer has no usable \"access_token\"".to_owned());
    }
    let seconds = |name| {
        let value = document.get(name)?;
        value.as_u64().or_else(|| value.as_str()?.trim().parse().ok())
    };
    let ends_ms = seconds("expires_on").map(|seconds: u64| seconds.saturating_mul(1000));
    let life_ms = match (ends_ms, seconds("expires_in")) {
        (Some(ends_ms), _) => ends_ms.saturating_sub(now_ms),
        (None, Some(seconds)) => seconds.saturating_mul(1000),
        (None, None) => return Err("its answer has no \"expires_on\"".to_owned()),
    };
    if life_ms == 0 {
        return Err("its token has expired already".to_owned());
    }
    Ok(Granted { token: Secret::new(token.to_owned()), life_ms: life_ms.min(LIFE_MS_MAX) })
}

/// The longest life that is believed, a day and a bit.
const LIFE_MS_MAX: u64 = 25 * 3_600_000;

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_environment_names_the_endpoint() {
        let of = |variables: &[(&str, &str)]| {
            let find = |name: &str| variables.iter().find(|one| one.0 == name).map(|one| one.1.to_owned());
            IdentityEndpoint::from_environment(find).map(|one| (one.url, one.secret.is_some()))
        };
        let (endpoint, header) =
            (("IDENTITY_ENDPOINT", "http://127.0.0.1:41/msi/token"), ("IDENTITY_HEADER", "s"));
        let metadata = ("AZURE_POD_IDENTITY_AUTHORITY_HOST", "http://127.0.0.1:42/");
        assert_eq!(of(&[endpoint, header, metadata]), Some((endpoint.1.to_owned(), true)));
        let imds = "http://127.0.0.1:42/metadata/identity/oauth2/token".to_owned();
        assert_eq!(of(&[endpoint, metadata]), Some((imds, false)));
        assert_eq!(of(&[endpoint, ("IDENTITY_HEADER", " ")]), None);
        assert_eq!(of(&[]), None);
    }

    #[test]
    fn answers_are_read_with_numbers_and_with_texts() {
        let read = |document| granted(&document, 1_000_000).map(|one| one.life_ms);
        assert_eq!(read(json!({ "access_token": "a.b", "expires_on": "1060" })), Ok(60_000));
        assert_eq!(read(json!({ "access_token": "a.b", "expires_on": 1060 })), Ok(60_000));
        assert_eq!(read(json!({ "access_token": "a.b", "expires_in": "60" })), Ok(60_000));
        for (document, why) in [
            (json!({ "access_token": "a.b", "expires_on": "1000" }), "its token has expired already"),
            (json!({ "access_token": "a.b" }), "its answer has no \"expires_on\""),
            (
                json!({ "access_token": "a\nb", "expires_on": "1060" }),
                "its answer has no usable \"access_token\"",
            ),
            (json!(null), "its answer has no usable \"access_token\""),
        ] {
            assert_eq!(read(document), Err(why.to_owned()));
        }
    }

    #[test]
    fn one_request_at_a_time_renews() {
        let kept =
            Kept { token: Arc::new(Secret::new("t".to_owned())), due_ms: 100_000, asked_ms: Arc::default() };
        let asks = [99_999, 100_000, 100_001, 129_999, 130_000].map(|now| kept.is_mine_to_renew(now));
        assert_eq!(asks, [false, true, false, false, true]);
    }
}
