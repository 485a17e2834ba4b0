//! Tokens of managed identities from a double of their endpoint, in both of its forms.

use crate::world::World;
use handfast_core::{Clock, Secret};
use handfast_gateway::IdentityEndpoint;
use handfast_net::Hop;
use handfast_testkit::{Echo, ScriptedUpstream};
use serde_json::json;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// An endpoint that answers as it is told, and what it was asked.
#[derive(Clone, Default)]
pub(crate) struct Double(Arc<Mutex<(Vec<String>, String)>>);

impl Double {
    pub(crate) fn start() -> (Self, ScriptedUpstream) {
        let double = Self::default();
        let script = double.clone();
        let upstream = ScriptedUpstream::start(move |_, mut peer| {
            loop {
                let head = peer.read_head();
                if head.is_empty() {
                    return;
                }
                let answer = {
                    let mut state = script.0.lock().unwrap_or_else(PoisonError::into_inner);
                    state.0.push(head);
                    state.1.clone()
                };
                peer.write(answer);
            }
        });
        (double, upstream)
    }

    fn answers(&self, status: &str, body: &str) {
        let text = format!(
            "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        self.0.lock().unwrap_or_else(PoisonError::into_inner).1 = text;
    }

    pub(crate) fn grants(&self, token: &str, world: &World, seconds: i64) {
        let expires_on = (world.engine.clock.now().0 + seconds).to_string();
        let body = json!({ "access_token": token, "expires_on": expires_on, "token_type": "Bearer" });
        self.answers("200 OK", &body.to_string());
    }

    pub(crate) fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner).0)
    }
}

/// A service with an open API `a` in front of an echo; its inbound policies, and why a request failed in `X-Why`.
fn world(policies: &str, identity: Option<IdentityEndpoint>) -> (World, Arc<Echo>) {
    let mut world = World::new(Hop::Wire);
    world.env.identity = identity.map(Arc::new);
    let (url, echo) = world.upstream("svc.localhost", false);
    world.api("a", json!({ "serviceUrl": url, "subscriptionRequired": false }), &["GET /x"]);
    let text = format!(
        "<policies><inbound><base />{policies}</inbound><backend><base /></backend><outbound><base /></outbound><on-error><base /><set-header name=\"X-Why\"><value>@(context.LastError.Message)</value></set-header></on-error></policies>"
    );
    world.policy("apis/a", &text);
    world.serve();
    (world, echo)
}

const VAULT: &str = "<authentication-managed-identity resource=\"https://vault.azure.net\" />";

#[test]
fn a_token_is_kept_renewed_before_it_ends_and_outlives_a_failing_endpoint() {
    let (double, endpoint) = Double::start();
    let url = format!("http://{}/msi/token", endpoint.address());
    let identity = IdentityEndpoint::app_service(url, Secret::new("the-header".to_owned()));
    let (world, _) = world(VAULT, Some(identity));
    let authorization = |world: &World| {
        let text = world.get("/a/x").text();
        let line = text.lines().find_map(|line| line.strip_prefix("Authorization: "));
        line.map(str::to_owned).unwrap_or(text)
    };
    double.grants("token-one", &world, 3600);
    assert_eq!([authorization(&world), authorization(&world)], ["Bearer token-one", "Bearer token-one"]);
    let asked = double.asked();
    assert_eq!(asked.len(), 1);
    let line = "GET /msi/token?api-version=2019-08-01&resource=https%3A%2F%2Fvault.azure.net HTTP/1.1\r\n";
    assert!(
        asked[0].starts_with(line) && asked[0].contains("\r\nX-IDENTITY-HEADER: the-header\r\n"),
        "{asked:?}"
    );

    // Five minutes before the end it is renewed; the endpoint fails.
    world.engine.clock.advance(Duration::from_secs(3300));
    double.answers("500 Internal Server Error", "");
    assert_eq!([authorization(&world), authorization(&world)], ["Bearer token-one", "Bearer token-one"]);
    assert_eq!(double.asked().len(), 1);
    world.engine.clock.advance(Duration::from_secs(30));
    double.grants("token-two", &world, 3600);
    assert_eq!([authorization(&world), authorization(&world)], ["Bearer token-two", "Bearer token-two"]);
    assert_eq!(double.asked().len(), 1);

    // The second ends, and nothing follows.
    world.engine.clock.advance(Duration::from_secs(3600));
    double.answers("500 Internal Server Error", "");
    assert_eq!(world.get("/a/x").status(), 500);
    let log = world.engine.into_log().join("\n");
    assert!(!log.contains("token-one") && !log.contains("token-two") && !log.contains("the-header"), "{log}");
}

#[test]
fn the_metadata_service_is_asked_for_an_identity_by_client_id_and_its_reason_is_passed_on() {
    let (double, endpoint) = Double::start();
    let identity = IdentityEndpoint::metadata(&format!("http://{}", endpoint.address()));
    let (world, echo) =
        world("<authentication-managed-identity resource=\"api://a b\" client-id=\"7\" />", Some(identity));
    double.answers(
        "400 Bad Request",
        r#"{ "error": "invalid_request", "error_description": "Identity not found" }"#,
    );
    let response = world.get("/a/x");
    let why = "the endpoint for managed identities gave no token for 'api://a b': it answered 400: Identity not found";
    assert_eq!((response.status(), response.field("x-why")), (500, Some(why)));
    assert_eq!(echo.seen(), 0);
    let asked = double.asked();
    let line = "GET /metadata/identity/oauth2/token?api-version=2018-02-01&resource=api%3A%2F%2Fa%20b&client_id=7 HTTP/1.1\r\n";
    assert!(asked[0].starts_with(line) && asked[0].contains("\r\nMetadata: true\r\n"), "{asked:?}");
    double.grants("t", &world, 60);
    assert!(world.get("/a/x").text().contains("Authorization: Bearer t\n"));
}

#[test]
fn without_an_endpoint_the_policy_fails_and_says_so() {
    let (world, echo) = world(VAULT, None);
    let response = world.get("/a/x");
    assert_eq!((response.status(), echo.seen()), (500, 0));
    let why = response.field("x-why").unwrap_or_default().to_owned();
    assert!(why.starts_with("there is no endpoint for managed identities"), "{why}");
}

#[test]
fn a_request_of_the_documents_own_carries_a_token() {
    let (double, endpoint) = Double::start();
    let url = format!("http://{}/msi/token", endpoint.address());
    let identity = IdentityEndpoint::app_service(url, Secret::new("h".to_owned()));
    let own = ScriptedUpstream::start(|_, mut peer| {
        let head = peer.read_head();
        let line = head.lines().find(|line| line.starts_with("Authorization:")).unwrap_or("none").to_owned();
        peer.write(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{line}", line.len()));
    });
    let send = format!(
        "<send-request mode=\"new\" response-variable-name=\"r\"><set-url>http://{}/</set-url>{VAULT}</send-request>\
         <return-response><set-body>@(((IResponse)context.Variables[\"r\"]).Body.As<string>())</set-body></return-response>",
        own.address()
    );
    let (world, _) = world(&send, Some(identity));
    double.grants("own", &world, 60);
    assert_eq!(world.get("/a/x").text(), "Authorization: Bearer own");
}
