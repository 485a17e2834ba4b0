//! One request end to end: key, policies of all scopes, client certificate to the service.

use crate::world::World;
use handfast_net::Hop;
use serde_json::json;

#[test]
fn a_request_passes_key_and_policies_and_reaches_a_service_that_demands_a_certificate() {
    for hop in [Hop::Wire, Hop::Fused] {
        let mut world = World::new(hop);
        let (url, echo) = world.upstream("orders.localhost", true);
        let client = world.pki.client("gateway.contoso.internal");
        world.certificate("gateway-client", &client);
        world.put(
            "backends/orders",
            json!({ "properties": { "protocol": "http", "url": format!("{url}/base"),
                "credentials": { "certificateIds": ["/certificates/gateway-client"] } } }),
        );
        world.api("orders", json!({}), &["GET /{id}"]);
        world.policy(
            "apis/orders",
            "<policies><inbound><base /><set-backend-service backend-id=\"orders\" /></inbound><backend><base /></backend>\
             <outbound><base /><set-header name=\"X-Served-By\"><value>orders</value></set-header></outbound><on-error /></policies>",
        );
        world.put(
            "subscriptions/partner",
            json!({ "properties": { "scope": "/apis", "displayName": "p", "state": "active", "primaryKey": "secret-key" } }),
        );
        world.serve();
        let response = world.send("GET", "/orders/7?x=1", &["Ocp-Apim-Subscription-Key: secret-key"]);
        assert_eq!(response.status(), 200, "{hop:?}: {}", response.text());
        assert_eq!(response.field("x-served-by"), Some("orders"));
        let text = response.text();
        assert!(text.starts_with("GET /base/7?x=1 "), "{text}");
        assert!(text.contains("client CN=gateway.contoso.internal"), "{text}");
        assert!(text.contains("X-Forwarded-For: 127.0.0.1"), "{text}");
        assert_eq!(echo.seen(), 1);
        let refused = world.get("/orders/7");
        assert_eq!(refused.status(), 401);
        assert_eq!(refused.body.len(), 152);
        assert_eq!(world.get("/status-0123456789abcdef").status(), 200);
        assert_eq!(echo.seen(), 1);
    }
}
