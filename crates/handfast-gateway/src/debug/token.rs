//! Debug tokens: `aid={API}&p=tracing&e={seconds since 1970}&s={signature}`, as `listDebugCredentials` gives them and
//! `Apim-Debug-Authorization` takes them (specification 7.1). Azure's own begin with `aid=` too; what follows is known
//! to nobody but who signs.
//!
//! A token is bound to one API of one service, in all its revisions (unverified), and to a time of at most an hour.
//! The signature also covers the service, so a token of one opens nothing of another.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use handfast_core::{Secret, UnixTime};
use handfast_model::{Graph, ResourceId};
use handfast_pki::MacKey;
use serde_json::Value;
use std::time::Duration;

/// The longest life of a token.
const LIFE_MAX: Duration = Duration::from_secs(3600);
/// A longer text is no token.
const TOKEN_BYTES_MAX: usize = 1024;

/// What signs the tokens and trace locations of an instance.
#[derive(Debug)]
pub struct DebugKey(MacKey);

/// What a token opens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The API that was asked for.
    Granted,
    /// Nothing any more, since then.
    Expired(UnixTime),
    /// Another API.
    OtherApi(String),
    /// Nothing: this instance has not signed it for this service.
    Unknown,
}

/// Why no token is given.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DebugError {
    /// The API's id does not name one of the service's.
    #[error("\"apiId\" is \"{0}\"; the full resource id of an API of the service would be accepted")]
    Api(String),
    /// Something other than tracing is wanted.
    #[error("\"purposes\" is {0}; [\"tracing\"] would be accepted")]
    Purposes(String),
    /// The time cannot be read or is too long.
    #[error("\"credentialsExpireAfter\" is \"{0}\"; a duration of up to \"PT1H\" would be accepted")]
    Life(String),
}

impl DebugError {
    /// Stable code.
    pub fn code(&self) -> &'static str {
        "ValidationError"
    }
}

/// `listDebugCredentials` of a service: the token for a request body `{"apiId", "purposes", "credentialsExpireAfter"}`.
pub fn debug_credentials(
    key: &DebugKey,
    graph: &Graph,
    service: &ResourceId,
    body: &Value,
    now: UnixTime,
) -> Result<Secret<String>, DebugError> {
    let text = |name: &str| body.get(name).and_then(Value::as_str);
    let asked = text("apiId").unwrap_or_default();
    let api = ResourceId::parse(asked).ok().filter(|id| {
        let inside = id.parent_resource().is_some_and(|parent| parent.key() == service.key());
        inside && graph.get(id).is_some() && id.key().contains("/apis/")
    });
    let api = api.ok_or_else(|| DebugError::Api(asked.to_owned()))?;
    let purposes = body.get("purposes").cloned().unwrap_or_default();
    let tracing = |one: &Value| one.as_str().is_some_and(|one| one.eq_ignore_ascii_case("tracing"));
    if !purposes.as_array().is_some_and(|all| !all.is_empty() && all.iter().all(tracing)) {
        return Err(DebugError::Purposes(purposes.to_string()));
    }
    let life = match text("credentialsExpireAfter") {
        None => LIFE_MAX,
        Some(text) => read_life(text).ok_or_else(|| DebugError::Life(text.to_owned()))?,
    };
    Ok(key.issue(service, api.name(), now.plus(life)))
}

/// An ISO 8601 duration such as `PT30M`.
fn read_life(text: &str) -> Option<Duration> {
    // The reader also takes forms that are not of the standard.
    let duration: jiff::SignedDuration = text.starts_with('P').then(|| text.parse().ok())??;
    Duration::try_from(duration).ok().filter(|life| !life.is_zero() && *life <= LIFE_MAX)
}

// === impl DebugKey ===

impl DebugKey {
    /// Of 32 random bytes.
    pub fn new(secret: &[u8; 32]) -> Self {
        Self(MacKey::new(secret))
    }

    fn issue(&self, service: &ResourceId, api: &str, ends: UnixTime) -> Secret<String> {
        let claims = format!("aid={}&p=tracing&e={}", family(api), ends.0);
        let signature = URL_SAFE_NO_PAD.encode(self.0.sign(message("token", service, &claims).as_bytes()));
        Secret::new(format!("{claims}&s={signature}"))
    }

    /// What a token opens of an API.
    pub(super) fn judge(&self, token: &str, service: &ResourceId, api: &str, now: UnixTime) -> Verdict {
        let Some((of, ends)) = self.read(token, service) else { return Verdict::Unknown };
        if now >= ends {
            return Verdict::Expired(ends);
        }
        if of == family(api) { Verdict::Granted } else { Verdict::OtherApi(of) }
    }

    /// API and end of a token with a good signature.
    fn read(&self, token: &str, service: &ResourceId) -> Option<(String, UnixTime)> {
        let (claims, signature) =
            token.trim().rsplit_once("&s=").filter(|_| token.len() <= TOKEN_BYTES_MAX)?;
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        if !self.0.verify(message("token", service, claims).as_bytes(), &signature) {
            return None;
        }
        let (api, ends) = claims.strip_prefix("aid=")?.rsplit_once("&p=tracing&e=")?;
        Some((api.to_owned(), UnixTime(ends.parse().ok()?)))
    }

    /// What opens one trace to whoever has its location.
    pub(super) fn ticket(&self, service: &ResourceId, trace: &str) -> String {
        URL_SAFE_NO_PAD.encode(self.0.sign(message("trace", service, trace).as_bytes()))
    }

    pub(super) fn opens(&self, ticket: &str, service: &ResourceId, trace: &str) -> bool {
        let code = URL_SAFE_NO_PAD.decode(ticket);
        code.is_ok_and(|code| self.0.verify(message("trace", service, trace).as_bytes(), &code))
    }
}

/// What is signed: for what, where, and the text itself.
fn message(purpose: &str, service: &ResourceId, text: &str) -> String {
    format!("{purpose}\n{}\n{text}", service.key())
}

/// An API's name without its revision, lower case.
pub(super) fn family(api: &str) -> String {
    let lower = api.to_lowercase();
    lower.split_once(";rev=").map_or(lower.as_str(), |(family, _)| family).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const NOW: UnixTime = UnixTime(1_767_225_600);

    fn service(name: &str) -> ResourceId {
        let id =
            format!("/subscriptions/s/resourceGroups/g/providers/Microsoft.ApiManagement/service/{name}");
        ResourceId::parse(&id).expect("an id")
    }

    #[test]
    fn a_token_opens_its_api_until_it_ends() {
        let (key, contoso) = (DebugKey::new(&[1; 32]), service("contoso"));
        let token = key.issue(&contoso, "Orders;rev=2", NOW.plus(Duration::from_secs(60)));
        let token = token.expose();
        assert!(token.starts_with("aid=orders&"));
        let judge =
            |api: &str, seconds| key.judge(token, &contoso, api, NOW.plus(Duration::from_secs(seconds)));
        assert_eq!(judge("orders", 59), Verdict::Granted);
        assert_eq!(judge("ORDERS;rev=3", 0), Verdict::Granted);
        assert_eq!(judge("orders", 60), Verdict::Expired(NOW.plus(Duration::from_secs(60))));
        assert_eq!(judge("other", 0), Verdict::OtherApi("orders".into()));
    }

    #[test]
    fn what_was_not_signed_here_for_this_service_is_unknown() {
        let (key, contoso) = (DebugKey::new(&[1; 32]), service("contoso"));
        let token = key.issue(&contoso, "orders", NOW.plus(LIFE_MAX));
        let token = token.expose();
        let later = token.replace("&e=17", "&e=18");
        for (token, key, service) in [
            ("", &key, &contoso),
            ("aid=orders&p=tracing", &key, &contoso),
            (later.as_str(), &key, &contoso),
            (&token[..token.len() - 1], &key, &contoso),
            (token, &DebugKey::new(&[2; 32]), &contoso),
            (token, &key, &self::service("fabrikam")),
            (&"a".repeat(5000), &key, &contoso),
        ] {
            assert_eq!(key.judge(token, service, "orders", NOW), Verdict::Unknown, "{token}");
        }
        assert!(!key.opens(token, &contoso, "id"), "a token is no ticket");
        assert!(key.opens(&key.ticket(&contoso, "id"), &contoso, "id"));
        assert!(!key.opens(&key.ticket(&contoso, "id"), &contoso, "ie"));
    }

    #[test]
    fn lives_are_iso_8601_and_at_most_an_hour() {
        for (text, seconds) in [("PT1H", Some(3600)), ("PT30M", Some(1800)), ("PT1H1S", None), ("PT0S", None)]
        {
            assert_eq!(read_life(text).map(|life| life.as_secs()), seconds, "{text}");
        }
        assert!(read_life("1:00:00").is_none() && read_life("-PT1M").is_none() && read_life("").is_none());
    }

    #[test]
    fn what_is_asked_for_wrongly_is_told() {
        let (key, contoso, graph) = (DebugKey::new(&[1; 32]), service("contoso"), Graph::new());
        let ask = |body| debug_credentials(&key, &graph, &contoso, &body, NOW).map(|_| ());
        assert_eq!(ask(json!({})), Err(DebugError::Api(String::new())));
        let unknown = format!("{}/apis/orders", contoso.as_str());
        assert_eq!(ask(json!({ "apiId": unknown })), Err(DebugError::Api(unknown.clone())));
    }
}
