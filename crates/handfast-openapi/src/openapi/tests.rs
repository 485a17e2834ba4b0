//! Documents of all three versions say the same of the same API.

use super::*;
use crate::contract::{Contract, Documents, Rule};
use crate::description::{Location, Statuses};
use serde_json::json;
use std::sync::Arc;

fn version_3(version: &str) -> Value {
    json!({
        "openapi": version,
        "info": {"title": "Orders", "version": "v1"},
        "servers": [{"url": "https://{stage}.example.com/v1", "variables": {"stage": {"default": "prod"}}}],
        "paths": {"/orders/{id}": {
            "parameters": [{"$ref": "#/components/parameters/Id"}],
            "put": {
                "operationId": "putOrder",
                "parameters": [{"name": "dry", "in": "query", "schema": {"type": "boolean"}}],
                "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Order"}}}},
                "responses": {
                    "200": {"description": "done", "headers": {"ETag": {"required": true, "schema": {"type": "string"}}},
                        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Order"},
                            "examples": {"small": {"value": {"id": 1}}}}}},
                    "default": {"description": "wrong"}
                }
            }
        }},
        "components": {
            "parameters": {"Id": {"name": "id", "in": "path", "required": true, "schema": {"type": "integer"}}},
            "schemas": {"Order": {"type": "object", "required": ["id"], "properties": {"id": {"type": "integer"}}}}
        }
    })
}

fn version_2() -> Value {
    json!({
        "swagger": "2.0",
        "info": {"title": "Orders", "version": "v1"},
        "host": "prod.example.com", "basePath": "/v1", "schemes": ["http", "https"],
        "paths": {"/orders/{id}": {
            "parameters": [{"$ref": "#/parameters/Id"}],
            "put": {
                "operationId": "putOrder",
                "parameters": [
                    {"name": "dry", "in": "query", "type": "boolean"},
                    {"name": "body", "in": "body", "schema": {"$ref": "#/definitions/Order"}}
                ],
                "responses": {
                    "200": {"description": "done", "headers": {"ETag": {"type": "string"}},
                        "schema": {"$ref": "#/definitions/Order"}, "examples": {"application/json": {"id": 1}}},
                    "default": {"description": "wrong"}
                }
            }
        }},
        "parameters": {"Id": {"name": "id", "in": "path", "required": true, "type": "integer"}},
        "definitions": {"Order": {"type": "object", "required": ["id"], "properties": {"id": {"type": "integer"}}}}
    })
}

#[test]
fn all_versions_describe_the_same_operation() {
    for document in [version_2(), version_3("3.0.3"), version_3("3.1.0")] {
        let (description, findings) = read(&document).expect("a description");
        assert_eq!(findings, []);
        assert_eq!((description.title.as_str(), description.version.as_str()), ("Orders", "v1"));
        assert_eq!(description.servers[0], "https://prod.example.com/v1");
        let operation = &description.operations[0];
        assert_eq!((operation.method.as_str(), operation.template.as_str()), ("PUT", "/orders/{id}"));
        assert_eq!(operation.id.as_deref(), Some("putOrder"));
        let parameters: Vec<(&str, Location, bool)> =
            operation.parameters.iter().map(|one| (one.name.as_str(), one.location, one.required)).collect();
        assert_eq!(parameters, [("id", Location::Path, true), ("dry", Location::Query, false)]);
        let statuses: Vec<Statuses> = operation.responses.iter().map(|one| one.status).collect();
        assert_eq!(statuses, [Statuses::Code(200), Statuses::Default]);
        assert_eq!(operation.responses[0].representations[0].examples, ["{\"id\":1}"]);
    }
}

#[test]
fn a_contract_has_a_rule_for_each_part() {
    for document in [version_2(), version_3("3.0.3")] {
        let (description, _) = read(&document).expect("a description");
        let patterns = |_: &str| Err(String::new());
        let documents = Arc::new(Documents::of(&description, &patterns));
        let contract = Contract::compile(&description.operations[0], &documents, &patterns);
        assert!(contract.parameters.iter().all(|one| matches!(one.rule, Rule::Json(_))));
        assert_eq!(contract.request[0].definition, "Order");
        assert!(matches!(contract.request[0].rule, Rule::Json(_)));
        let of = |status| contract.response(status).map(|response| response.status);
        assert_eq!((of(200), of(404)), (Some(Statuses::Code(200)), Some(Statuses::Default)));
    }
}

#[test]
fn what_is_not_understood_is_found_and_the_rest_is_read() {
    assert_eq!(read(&json!({"openapi": "4.0"})), Err(OpenApiError::Version("4.0".to_owned())));
    let (description, findings) = read(&json!({"openapi": "3.0.0", "paths": {"/a": {"get": {
        "parameters": [{"name": "c", "in": "cookie"}, {"$ref": "other.json#/p"}],
        "responses": {"2xy": {}, "204": {}}
    }}}}))
    .expect("a description");
    let messages: Vec<&str> = findings.iter().map(|one| one.message.as_str()).collect();
    assert_eq!(
        messages,
        [
            "the cookie 'c' is not taken over",
            "'other.json#/p' does not exist in this document",
            "is no status; '200', '2XX' or 'default' would be accepted"
        ]
    );
    assert_eq!(description.operations[0].responses.len(), 1);
}
