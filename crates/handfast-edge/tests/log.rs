//! The access log (edge specification §1.20): Azure's shape, and a line for every request, answered or not.

#[path = "support/gateway.rs"]
mod gateway;

use gateway::{Running, document};
use handfast_testkit::RawClient;
use serde_json::{Value, json};

#[test]
fn a_line_has_azures_members_and_every_request_has_a_line() {
    let silent = std::net::TcpListener::bind("127.0.0.23:0").expect("a port");
    let port = silent.local_addr().expect("bound").port();
    let (edge, _) = Running::start(1, |_, backends| {
        let mut body = document(backends);
        let properties = &mut body["properties"];
        let mut pool = properties["backendAddressPools"][0].clone();
        pool["name"] = "silent".into();
        pool["properties"]["backendAddresses"] = json!([ { "ipAddress": "127.0.0.23" } ]);
        properties["backendAddressPools"].as_array_mut().expect("pools").push(pool);
        let mut settings = properties["backendHttpSettingsCollection"][0].clone();
        settings["name"] = "silent".into();
        settings["properties"]["port"] = port.into();
        properties["backendHttpSettingsCollection"].as_array_mut().expect("settings").push(settings);
        properties["urlPathMaps"] = json!([ { "name": "map", "properties": {
            "defaultBackendAddressPool": gateway::child("backendAddressPools", "pool"),
            "defaultBackendHttpSettings": gateway::child("backendHttpSettingsCollection", "settings"),
            "pathRules": [ { "name": "silent", "properties": { "paths": [ "/silent" ],
                "backendAddressPool": gateway::child("backendAddressPools", "silent"),
                "backendHttpSettings": gateway::child("backendHttpSettingsCollection", "silent") } } ] } } ]);
        let rule = &mut properties["requestRoutingRules"][0]["properties"];
        *rule = json!({ "ruleType": "PathBasedRouting", "priority": 10, "httpListener": rule["httpListener"],
            "urlPathMap": gateway::child("urlPathMaps", "map") });
        body
    });
    let front = edge.addresses[0];
    let mut client = RawClient::plain(front);
    let request =
        "POST /bytes/1000?a=1 HTTP/1.1\r\nHost: a.test\r\nUser-Agent: it\r\nContent-Length: 5\r\n\r\nhello";
    client.send(request);
    let answer = client.response();
    assert_eq!((answer.status(), answer.body.len()), (200, 1000));
    let mut refused = RawClient::plain(front);
    refused.send("GET / HTTP/1.1\r\nHost: a.test\r\nContent-Length: x\r\n\r\n");
    assert_eq!(refused.response().status(), 400);
    let mut gone = RawClient::plain(front);
    gone.send("GET /silent HTTP/1.1\r\nHost: a.test\r\n\r\n");
    // The edge has asked the backend: now the client goes away.
    let _asked = silent.accept().expect("the edge connects");
    drop(gone);
    let lines: Vec<Value> =
        edge.engine.into_log().iter().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let find = |reason: &str| {
        lines
            .iter()
            .find(|line| line["properties"]["error_info"] == reason)
            .unwrap_or_else(|| panic!("{reason}: {lines:?}"))
    };
    let line = find("ERRORINFO_NO_ERROR");
    for (name, value) in [
        ("category", json!("ApplicationGatewayAccessLog")),
        ("operationName", json!("ApplicationGatewayAccess")),
        ("listenerName", json!("web")),
        ("ruleName", json!("rule")),
        ("backendPoolName", json!("pool")),
        ("backendSettingName", json!("settings")),
    ] {
        assert_eq!(line[name], value, "{name}");
    }
    assert!(line["timeStamp"].as_str().is_some_and(|time| time.ends_with("+00:00")), "{line}");
    let properties = &line["properties"];
    for (name, value) in [
        ("clientIP", json!("127.0.0.1")),
        ("httpMethod", json!("POST")),
        ("originalRequestUriWithArgs", json!("/bytes/1000?a=1")),
        ("requestUri", json!("/bytes/1000")),
        ("requestQuery", json!("a=1")),
        ("userAgent", json!("it")),
        ("httpStatus", json!(200)),
        ("httpVersion", json!("HTTP/1.1")),
        ("receivedBytes", json!(request.len())),
        ("serverStatus", json!("200")),
        ("sslEnabled", json!("off")),
        ("originalHost", json!("a.test")),
        ("host", json!("a.test")),
        ("contentType", json!("application/octet-stream")),
    ] {
        assert_eq!(properties[name], value, "{name}");
    }
    assert_eq!(properties["sentBytes"].as_u64(), Some((answer.head.len() + answer.body.len()) as u64));
    assert!(properties["timeTaken"].is_number() && properties["serverResponseLatency"].is_string());
    assert_eq!(find("ERRORINFO_INVALID_CONTENT_LENGTH")["properties"]["httpStatus"], 400);
    let line = find("ERRORINFO_CLIENT_CLOSED_REQUEST");
    assert_eq!(
        (&line["properties"]["httpStatus"], &line["backendPoolName"]),
        (&json!(499), &json!("silent"))
    );
}
