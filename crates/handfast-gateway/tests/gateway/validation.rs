//! Validating policies over the resources that they read: schemas of the API and of the service, metadata of
//! operations.

use crate::world::{HOST, World};
use handfast_net::Hop;
use serde_json::json;

const POLICY: &str = r#"<policies>
<inbound><base />
  <validate-parameters specified-parameter-action="prevent" unspecified-parameter-action="prevent">
    <headers specified-parameter-action="prevent" unspecified-parameter-action="ignore" />
  </validate-parameters>
  <validate-content unspecified-content-type-action="prevent" max-size="200" size-exceeded-action="prevent">
    <content type="application/json" validate-as="json" action="prevent" />
    <content type="application/xml" validate-as="xml" action="prevent" />
    <content type="application/vnd.note+json" validate-as="json" schema-id="note" action="prevent" />
  </validate-content>
</inbound><backend><base /></backend><outbound><base />
  <validate-status-code unspecified-status-code-action="prevent"><status-code code="418" action="detect" /></validate-status-code>
  <validate-headers specified-header-action="prevent" unspecified-header-action="ignore" />
</outbound><on-error><base /></on-error></policies>"#;

const XSD: &str = r#"<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"><xs:element name="order"><xs:complexType><xs:sequence><xs:element name="id" type="xs:int"/></xs:sequence></xs:complexType></xs:element></xs:schema>"#;

/// An API `a` with `POST /orders/{id}` whose bodies are described, in front of an echo.
fn world() -> World {
    let mut world = World::new(Hop::Wire);
    let (url, _) = world.upstream("svc.localhost", false);
    world.api("a", json!({ "serviceUrl": url, "subscriptionRequired": false }), &["GET /status/{code}"]);
    world.put(
        "apis/a/schemas/Components",
        json!({ "properties": {
            "contentType": "application/vnd.oai.openapi.components+json",
            "document": { "components": { "schemas": { "Order": {
                "type": "object", "required": ["id"], "properties": { "id": { "type": "integer", "minimum": 1 } }
            } } } }
        } }),
    );
    world.put(
        "apis/a/schemas/xml",
        json!({ "properties": { "contentType": "application/vnd.ms-azure-apim.xsd+xml", "document": { "value": XSD } } }),
    );
    world.put(
        "schemas/note",
        json!({ "properties": { "schemaType": "json", "value": "{\"type\":\"string\"}" } }),
    );
    world.put(
        "apis/a/operations/put",
        json!({ "properties": {
            "displayName": "put", "method": "POST", "urlTemplate": "/orders/{id}",
            "templateParameters": [{ "name": "id", "type": "integer", "required": true }],
            "request": {
                "queryParameters": [{ "name": "state", "type": "string", "values": ["new", "old"] }],
                "headers": [{ "name": "X-Must", "type": "boolean", "required": true }],
                "representations": [
                    { "contentType": "application/json", "schemaId": "components", "typeName": "Order" },
                    { "contentType": "application/xml", "schemaId": "xml", "typeName": "order" }
                ]
            },
            "responses": [{ "statusCode": 200, "headers": [{ "name": "X-Odd", "type": "integer" }] }]
        } }),
    );
    world.policy("apis/a/operations/put", POLICY);
    world
}

fn post(world: &World, target: &str, content_type: &str, body: &str) -> (u16, String) {
    let mut client = world.client(None);
    let length = body.len();
    client.send(format!(
        "POST {target} HTTP/1.1\r\nHost: {HOST}\r\nX-Must: true\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\n\r\n{body}"
    ));
    let response = client.response();
    (response.status(), response.text())
}

#[test]
fn bodies_and_parameters_are_judged_by_the_resources_of_the_api() {
    let mut world = world();
    world.serve();
    let json = |target: &str, body: &str| post(&world, target, "application/json", body);
    assert_eq!(json("/a/orders/1?state=new", "{\"id\":1}").0, 200);
    let (status, text) = json("/a/orders/1", "{\"id\":0}");
    assert_eq!(status, 400);
    assert!(
        text.contains("definition Order, which is associated with the content type application/json."),
        "{text}"
    );
    assert!(text.contains("Integer 0 is less than minimum value of 1. Line: 1, Position: 7"), "{text}");
    assert!(json("/a/orders/x", "{\"id\":1}").1.contains("path parameter id couldn't be parsed"));
    assert!(
        json("/a/orders/1?state=sold", "{\"id\":1}").1.contains("query parameter state does not conform")
    );
    assert!(json("/a/orders/1?more=1", "{\"id\":1}").1.contains("Unspecified query parameter more"));
    let long = format!("{{\"id\":1,\"x\":\"{}\"}}", "y".repeat(200));
    assert!(json("/a/orders/1", &long).1.contains("it exceeds the limit of 200 bytes."));
    let xml = |body: &str| post(&world, "/a/orders/1", "application/xml", body);
    assert_eq!(xml("<order><id>1</id></order>").0, 200);
    assert!(xml("<order><id>x</id></order>").1.contains("The string 'x' is not a valid Int32 value."));
    assert_eq!(post(&world, "/a/orders/1", "text/plain", "x").0, 400);
}

#[test]
fn a_changed_schema_of_the_service_counts_for_the_next_request() {
    let mut world = world();
    let front = world.serve();
    let note = |world: &World| post(world, "/a/orders/1", "application/vnd.note+json", "\"n\"").0;
    assert_eq!(note(&world), 200);
    world.put(
        "schemas/note",
        json!({ "properties": { "schemaType": "json", "value": "{\"type\":\"integer\"}" } }),
    );
    world.compile();
    assert_eq!(world.errors(), Vec::<String>::new());
    world.republish(front);
    assert_eq!(note(&world), 400);
}

#[test]
fn a_schema_that_cannot_be_used_warns_and_refuses_only_who_needs_it() {
    let mut world = world();
    world.put(
        "apis/a/schemas/Components",
        json!({ "properties": { "document": { "components": { "schemas": { "Order": { "$ref": "other.json" } } } } } }),
    );
    world.serve();
    assert!(
        world
            .diagnostics
            .iter()
            .any(|one| one.code == "SchemaNotUsable" && one.message.contains("other.json"))
    );
    assert_eq!(post(&world, "/a/orders/1", "application/xml", "<order><id>1</id></order>").0, 200);
    let (status, text) = post(&world, "/a/orders/1", "application/json", "{}");
    assert_eq!(status, 400);
    assert!(text.contains("due to an internal error. Contact the API owner."), "{text}");
}

#[test]
fn responses_that_are_not_promised_do_not_reach_the_client() {
    let mut world = world();
    let mock = r#"<policies><inbound><mock-response status-code="200" content-type="application/json" /></inbound></policies>"#;
    world.put(
        "apis/a/operations/op0",
        json!({ "properties": {
            "displayName": "status", "method": "GET", "urlTemplate": "/status/{code}",
            "templateParameters": [{ "name": "code", "type": "integer" }],
            "responses": [
                { "statusCode": 200, "representations": [{ "contentType": "application/json", "schemaId": "Components", "typeName": "Order" }] }
            ]
        } }),
    );
    let check = r#"<policies><outbound><validate-status-code unspecified-status-code-action="prevent"><status-code code="418" action="detect" /></validate-status-code></outbound></policies>"#;
    world.policy("apis/a/operations/op0", check);
    let front = world.serve();
    let of = |world: &World, code: u16| world.get(&format!("/a/status/{code}")).status();
    assert_eq!((of(&world, 200), of(&world, 418), of(&world, 500)), (200, 418, 502));
    world.policy("apis/a/operations/op0", mock);
    world.compile();
    world.republish(front);
    assert_eq!(world.get("/a/status/1").text(), "{\"id\":1}");
}
