//! `get-authorization-context`: tokens of connections from a double of a provider's token endpoint, for those whom an
//! access policy names.

use crate::world::World;
use handfast_net::Hop;
use handfast_testkit::ScriptedUpstream;
use serde_json::json;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// A token endpoint: it gives numbered tokens that last an hour, and keeps what it was asked.
#[derive(Clone, Default)]
struct Provider(Arc<Mutex<Vec<String>>>);

impl Provider {
    fn start() -> (Self, ScriptedUpstream) {
        let provider = Self::default();
        let script = provider.clone();
        let upstream = ScriptedUpstream::start(move |_, mut peer| {
            loop {
                let head = peer.read_head();
                if head.is_empty() {
                    return;
                }
                let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
                let body = peer
                    .read_bytes(length.and_then(|text| text.parse().ok()).unwrap_or(0))
                    .unwrap_or_default();
                let number = {
                    let mut asked = script.0.lock().unwrap_or_else(PoisonError::into_inner);
                    asked.push(format!("{head}{}", String::from_utf8_lossy(&body)));
                    asked.len()
                };
                let answer =
                    json!({ "access_token": format!("token-{number}"), "expires_in": 3600 }).to_string();
                peer.write(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{answer}", answer.len()));
            }
        });
        (provider, upstream)
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

const PROVIDER: &str = "authorizationProviders/crm";

/// A service with a connection `bot` that its own identity may use when `named` says so.
fn world(token_url: &str, named: bool) -> World {
    let mut world = World::new(Hop::Wire);
    let (url, _) = world.upstream("svc.localhost", false);
    let identity = json!({ "type": "SystemAssigned" });
    let sku = json!({ "name": "Developer", "capacity": 1 });
    world.put("", json!({ "location": "local", "sku": sku, "identity": identity }));
    world.api("a", json!({ "serviceUrl": url, "subscriptionRequired": false }), &["GET /x"]);
    world.policy(
        "apis/a",
        "<policies><inbound><base /><get-authorization-context provider-id=\"CRM\" authorization-id=\"bot\" context-variable-name=\"auth\" /><set-header name=\"Authorization\"><value>@(\"Bearer \" + ((Authorization)context.Variables[\"auth\"]).AccessToken)</value></set-header></inbound><backend><base /></backend><outbound><base /></outbound><on-error><base /><set-header name=\"X-Why\"><value>@(context.LastError.Message)</value></set-header></on-error></policies>",
    );
    let grant =
        json!({ "clientId": "c", "clientSecret": "s=&1", "scopes": "read write", "tokenUrl": token_url });
    world.put(
        PROVIDER,
        json!({ "properties": { "identityProvider": "oauth2", "oauth2": { "grantTypes": { "clientCredentials": grant } } } }),
    );
    world.put(
        &format!("{PROVIDER}/authorizations/bot"),
        json!({ "properties": { "authorizationType": "OAuth2", "oauth2grantType": "ClientCredentials" } }),
    );
    if named {
        let service = world.graph.of_kind("Microsoft.ApiManagement/service").next().expect("the service");
        let principal = service.effective()["identity"]["principalId"].clone();
        world.put(
            &format!("{PROVIDER}/authorizations/bot/accessPolicies/own"),
            json!({ "properties": { "tenantId": "t", "objectId": principal } }),
        );
    }
    world.serve();
    world
}

#[test]
fn the_services_identity_gets_a_token_that_is_kept_and_renewed() {
    let (provider, endpoint) = Provider::start();
    let world = world(&format!("http://{}/token?x=1", endpoint.address()), true);
    let authorization = |world: &World| {
        let text = world.get("/a/x").text();
        let line = text.lines().find_map(|line| line.strip_prefix("Authorization: "));
        line.map(str::to_owned).unwrap_or(text)
    };
    assert_eq!([authorization(&world), authorization(&world)], ["Bearer token-1", "Bearer token-1"]);
    let asked = provider.asked();
    assert_eq!(asked.len(), 1);
    let form = "grant_type=client_credentials&client_id=c&client_secret=s%3D%261&scope=read%20write";
    assert!(asked[0].starts_with("POST /token?x=1 HTTP/1.1\r\n") && asked[0].ends_with(form), "{asked:?}");
    world.engine.clock.advance(Duration::from_secs(3300));
    assert_eq!(authorization(&world), "Bearer token-1");
    assert_eq!(provider.asked().len(), 1, "renewed before it ends");
    let log = world.engine.into_log().join("\n");
    assert!(!log.contains("token-1") && !log.contains("s%3D"), "{log}");
}

#[test]
fn nobody_gets_a_token_whom_no_access_policy_names() {
    let (provider, endpoint) = Provider::start();
    let world = world(&format!("http://{}/token", endpoint.address()), false);
    let response = world.get("/a/x");
    let why = "no access policy of authorization 'CRM/bot' names the caller";
    assert_eq!((response.status(), response.field("x-why")), (500, Some(why)));
    assert_eq!(provider.asked(), Vec::<String>::new());
}
