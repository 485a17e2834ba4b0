//! Requests through a running edge: routing, redirects, rewrites, client certificates, failures.

#[path = "support/gateway.rs"]
mod gateway;

use gateway::{Running, bundle, child, document, pfx_data};
use handfast_telemetry::Metric;
use handfast_testkit::{RawClient, TestPki};
use serde_json::{Value, json};
use std::net::SocketAddr;

fn push(body: &mut Value, collection: &str, name: &str, inner: Value) {
    let properties = &mut body["properties"];
    if !properties[collection].is_array() {
        properties[collection] = json!([]);
    }
    properties[collection]
        .as_array_mut()
        .expect("an array")
        .push(json!({ "name": name, "properties": inner }));
}

fn get(address: SocketAddr, host: &str, target: &str) -> handfast_testkit::RawResponse {
    RawClient::plain(address).get(host, target)
}

#[test]
fn the_backend_sees_the_forwarded_headers() {
    let (edge, _echo) = Running::start(1, |_, backends| document(backends));
    let mut client = RawClient::plain(edge.addresses[0]);
    client.send("GET /a?b=c HTTP/1.1\r\nHost: Shop.test:8080\r\nX-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: https\r\nX_odd: 1\r\n\r\n");
    let answer = client.response();
    let text = answer.text();
    assert_eq!(answer.status(), 200);
    for line in [
        "GET /a?b=c HTTP/1.1",
        "X-Forwarded-Proto: http",
        "X-Forwarded-Port: 80",
        "X-Original-Host: Shop.test:8080",
        "X-Original-URL: /a?b=c",
        "Host: Shop.test:8080",
    ] {
        assert!(text.contains(&format!("{line}\n")), "{line}: {text}");
    }
    let forwarded = text.lines().find(|line| line.starts_with("X-Forwarded-For: ")).expect("the header");
    assert!(forwarded.starts_with("X-Forwarded-For: 192.0.2.7, 127.0.0.1:"), "{forwarded}");
    let trace = text.lines().find_map(|line| line.strip_prefix("X-AppGW-Trace-Id: ")).expect("the header");
    assert!(trace.len() == 32 && trace.bytes().all(|b| b.is_ascii_hexdigit()));
    assert!(!text.contains("X_odd"));
}

#[test]
fn path_maps_take_the_first_match_and_override_the_path() {
    let (edge, echoes) = Running::start(2, |_, backends| {
        let mut body = document(&backends[..1]);
        push(
            &mut body,
            "backendAddressPools",
            "images",
            json!({ "backendAddresses": [ { "ipAddress": "127.0.0.1" } ] }),
        );
        push(
            &mut body,
            "backendHttpSettingsCollection",
            "images",
            json!({ "port": backends[1].port(), "protocol": "Http", "path": "/static/" }),
        );
        let to = |pool: &str, settings: &str| {
            (child("backendAddressPools", pool), child("backendHttpSettingsCollection", settings))
        };
        let ((pool, settings), (images, image_settings)) = (to("pool", "settings"), to("images", "images"));
        push(
            &mut body,
            "urlPathMaps",
            "map",
            json!({
            "defaultBackendAddressPool": pool, "defaultBackendHttpSettings": settings,
            "pathRules": [ { "name": "images", "properties": { "paths": ["/Images/*"], "backendAddressPool": images, "backendHttpSettings": image_settings } } ] }),
        );
        let rule = &mut body["properties"]["requestRoutingRules"][0]["properties"];
        rule["ruleType"] = "PathBasedRouting".into();
        rule["urlPathMap"] = child("urlPathMaps", "map");
        body
    });
    let address = edge.addresses[0];
    assert!(get(address, "a.test", "/images/cat.png?s=1").text().starts_with("GET /static/cat.png?s=1 "));
    assert!(get(address, "a.test", "/x/../images/cat.png").text().starts_with("GET /static/cat.png "));
    assert!(get(address, "a.test", "/images").text().starts_with("GET /images "));
    assert!(get(address, "a.test", "/a%2fb").text().starts_with("GET /a%2fb "));
    assert_eq!((echoes[0].seen(), echoes[1].seen()), (2, 2));
    assert_eq!(get(address, "a.test", "/../etc").status(), 400);
}

#[test]
fn redirects_and_unknown_hosts_are_answered_by_the_edge() {
    let (edge, echoes) = Running::start(1, |_, backends| {
        let mut body = document(backends);
        body["properties"]["httpListeners"][0]["properties"]["hostNames"] = json!(["*.shop.test"]);
        push(
            &mut body,
            "redirectConfigurations",
            "move",
            json!({ "redirectType": "Permanent", "targetUrl": "https://new.test", "includePath": true, "includeQueryString": true }),
        );
        let rule =
            body["properties"]["requestRoutingRules"][0]["properties"].as_object_mut().expect("object");
        rule.remove("backendAddressPool");
        rule.remove("backendHttpSettings");
        rule.insert("redirectConfiguration".to_owned(), child("redirectConfigurations", "move"));
        body
    });
    let answer = get(edge.addresses[0], "a.shop.test", "/x?y=1");
    assert_eq!((answer.status(), answer.field("location")), (301, Some("https://new.test/x?y=1")));
    let answer = get(edge.addresses[0], "other.test", "/");
    assert_eq!(answer.status(), 404);
    assert!(answer.text().contains("<hr><center>Handfast</center>"));
    assert_eq!(echoes[0].seen(), 0);
}

#[test]
fn rewrites_use_captures_and_reach_both_directions() {
    let (edge, _) = Running::start(1, |_, backends| {
        let mut body = document(backends);
        let rules = json!([
            { "name": "url", "ruleSequence": 1,
              "conditions": [ { "variable": "var_uri_path", "pattern": "/(.+)/(.+)", "ignoreCase": false, "negate": false } ],
              "actionSet": { "urlConfiguration": { "modifiedPath": "buy.aspx", "modifiedQueryString": "category={var_uri_path_1}&product={var_uri_path_2}" } } },
            { "name": "headers", "ruleSequence": 2, "conditions": [],
              "actionSet": {
                "requestHeaderConfigurations": [ { "headerName": "X-Seen", "headerValue": "{var_request_scheme}/{http_req_User-Agent}" }, { "headerName": "X-Gone", "headerValue": "" } ],
                "responseHeaderConfigurations": [ { "headerName": "X-Status", "headerValue": "{var_http_status}" }, { "headerName": "Content-Type", "headerValue": "text/x" } ] } }
        ]);
        push(&mut body, "rewriteRuleSets", "set", json!({ "rewriteRules": rules }));
        body["properties"]["requestRoutingRules"][0]["properties"]["rewriteRuleSet"] =
            child("rewriteRuleSets", "set");
        body
    });
    let mut client = RawClient::plain(edge.addresses[0]);
    client.send("GET /fashion/shirts HTTP/1.1\r\nHost: a.test\r\nUser-Agent: me\r\nX-Gone: 1\r\n\r\n");
    let answer = client.response();
    let text = answer.text();
    assert!(text.starts_with("GET /buy.aspx?category=fashion&product=shirts "), "{text}");
    assert!(text.contains("X-Seen: http/me\n") && !text.contains("X-Gone"), "{text}");
    assert_eq!((answer.field("x-status"), answer.field("content-type")), (Some("200"), Some("text/x")));
}

/// An HTTPS listener `mtls.localhost` with a profile, and one without, `open.localhost`, on one port.
fn with_profiles(pki: &TestPki, backends: &[SocketAddr], mode: &str) -> Value {
    let mut body = document(backends);
    push(&mut body, "trustedClientCertificates", "ca", json!({ "data": bundle(pki) }));
    push(
        &mut body,
        "sslProfiles",
        "mtls",
        json!({
        "clientAuthConfiguration": { "verifyClientAuthMode": mode },
        "trustedClientCertificates": [ child("trustedClientCertificates", "ca") ] }),
    );
    push(
        &mut body,
        "rewriteRuleSets",
        "identity",
        json!({ "rewriteRules": [ { "name": "r", "ruleSequence": 1, "conditions": [], "actionSet": {
        "requestHeaderConfigurations": [
            { "headerName": "X-Verify", "headerValue": "{var_client_certificate_verification}" },
            { "headerName": "X-Subject", "headerValue": "{var_client_certificate_subject}" },
            { "headerName": "X-Offered", "headerValue": "{var_ciphers_supported}" },
            { "headerName": "X-Sizes", "headerValue": "{var_received_bytes}/{var_sent_bytes}/{var_client_tcp_rtt}" } ] } } ] }),
    );
    for (priority, (host, profile)) in [(20, ("mtls", true)), (30, ("open", false))] {
        let name = format!("{host}.localhost");
        let data = pfx_data(&pki.server(&name), "pw");
        push(&mut body, "sslCertificates", host, json!({ "data": data, "password": "pw" }));
        let mut listener = json!({
            "frontendIPConfiguration": child("frontendIPConfigurations", "public"), "frontendPort": child("frontendPorts", "p443"),
            "protocol": "Https", "hostName": name, "sslCertificate": child("sslCertificates", host) });
        let mut rule = body["properties"]["requestRoutingRules"][0]["properties"].clone();
        if profile {
            listener["sslProfile"] = child("sslProfiles", "mtls");
            rule["rewriteRuleSet"] = child("rewriteRuleSets", "identity");
        }
        push(&mut body, "httpListeners", host, listener);
        rule["priority"] = priority.into();
        rule["httpListener"] = child("httpListeners", host);
        push(&mut body, "requestRoutingRules", host, rule);
    }
    body
}

#[test]
fn strict_refuses_after_the_handshake_and_forwards_identity() {
    let (edge, echoes) = Running::start(1, |pki, backends| with_profiles(pki, backends, "Strict"));
    assert!(edge.diagnostics.is_empty(), "{:?}", edge.diagnostics);
    let (address, root) = (edge.addresses[1], edge.pki.ca().root());
    let answer = RawClient::tls(address, "mtls.localhost", root, None).get("mtls.localhost", "/");
    assert_eq!(answer.status(), 400);
    assert!(answer.text().contains("No required SSL certificate was sent"));
    let other = TestPki::new(handfast_core::Clock::now(&*edge.engine.clock));
    let answer = RawClient::tls(address, "mtls.localhost", root, Some(&other.client("stranger")))
        .get("mtls.localhost", "/");
    assert!(answer.status() == 400 && answer.text().contains("The SSL certificate error"));
    assert_eq!(echoes[0].seen(), 0);
    let client = edge.pki.client("friend");
    let answer = RawClient::tls(address, "mtls.localhost", root, Some(&client)).get("mtls.localhost", "/");
    assert!(
        answer.text().contains("X-Verify: SUCCESS\n") && answer.text().contains("X-Subject: CN=friend\n"),
        "{}",
        answer.text()
    );
    let text = answer.text();
    let value =
        |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).expect("the header").to_owned();
    assert!(value("X-Offered: ").split(':').any(|suite| suite == "TLS_AES_256_GCM_SHA384"), "{text}");
    let request = "GET / HTTP/1.1\r\nHost: mtls.localhost\r\n\r\n".len();
    let sizes = value("X-Sizes: ");
    let sizes: Vec<u64> = sizes.split('/').map(|size| size.parse().expect("a number")).collect();
    assert_eq!(sizes.len(), 3);
    assert!(sizes[0] >= request as u64 && sizes[1] == 0, "{sizes:?}");
}

#[test]
fn passthrough_forwards_every_verdict() {
    let (edge, _) = Running::start(1, |pki, backends| with_profiles(pki, backends, "Passthrough"));
    let (address, root) = (edge.addresses[1], edge.pki.ca().root());
    let verdict = |client: Option<&handfast_pki::Credential>| {
        let answer = RawClient::tls(address, "mtls.localhost", root, client).get("mtls.localhost", "/");
        let text = answer.text();
        text.lines().find_map(|line| line.strip_prefix("X-Verify: ").map(str::to_owned)).unwrap_or_default()
    };
    assert_eq!(verdict(None), "NONE");
    assert_eq!(verdict(Some(&edge.pki.client("friend"))), "SUCCESS");
    let other = TestPki::new(handfast_core::Clock::now(&*edge.engine.clock));
    assert!(verdict(Some(&other.client("stranger"))).starts_with("FAILED:"));
}

#[test]
fn a_listener_without_mtls_is_no_way_around_one_with_it() {
    let (edge, echoes) = Running::start(1, |pki, backends| with_profiles(pki, backends, "Strict"));
    let (address, root) = (edge.addresses[1], edge.pki.ca().root());
    let mut client = RawClient::tls(address, "open.localhost", root, None);
    assert_eq!(client.get("mtls.localhost", "/").status(), 421);
    assert_eq!(echoes[0].seen(), 0);
    let mut client = RawClient::tls(address, "open.localhost", root, None);
    client
        .send("GET / HTTP/1.1\r\nHost: open.localhost\r\nX-Subject: CN=forged\r\nx_verify: SUCCESS\r\n\r\n");
    let text = client.response().text();
    assert!(!text.contains("forged") && !text.contains("SUCCESS"), "{text}");
}

#[test]
fn failures_of_the_backend_are_answered_502_and_504_and_one_other_server_is_tried() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("bound");
    let (edge, _) = Running::start(0, |_, _| document(&[closed]));
    let answer = get(edge.addresses[0], "a.test", "/");
    assert!(answer.status() == 502 && answer.text().contains("502 Bad Gateway"), "{}", answer.text());
    let (edge, _) = Running::start(0, |_, _| document(&[]));
    assert_eq!(get(edge.addresses[0], "a.test", "/").status(), 502);
    // The pool's other member answers on the same port of another loopback address.
    let (edge, echoes) = Running::start(1, |_, backends| {
        let mut body = document(backends);
        body["properties"]["backendAddressPools"][0]["properties"]["backendAddresses"] =
            json!([ { "ipAddress": "127.0.0.9" }, { "ipAddress": "127.0.0.1" } ]);
        body
    });
    for _ in 0..4 {
        assert_eq!(get(edge.addresses[0], "a.test", "/").status(), 200);
    }
    assert_eq!(echoes[0].seen(), 4);
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let (edge, _) = Running::start(0, |_, _| {
        let mut body = document(&[silent.local_addr().expect("bound")]);
        body["properties"]["backendHttpSettingsCollection"][0]["properties"]["requestTimeout"] = 1.into();
        body
    });
    assert_eq!(get(edge.addresses[0], "a.test", "/").status(), 504);
}

#[test]
fn affinity_keeps_a_client_on_its_server() {
    let (edge, echoes) = Running::start(1, |_, backends| {
        let mut body = document(backends);
        body["properties"]["backendHttpSettingsCollection"][0]["properties"]["cookieBasedAffinity"] =
            "Enabled".into();
        body
    });
    let mut client = RawClient::plain(edge.addresses[0]);
    let answer = client.get("a.test", "/");
    let cookie = answer.field("set-cookie").expect("a cookie").split(';').next().expect("a pair").to_owned();
    assert!(cookie.starts_with("ApplicationGatewayAffinityCORS="));
    client.send(format!("GET / HTTP/1.1\r\nHost: a.test\r\nCookie: own=1; {cookie}\r\n\r\n"));
    let answer = client.response();
    assert_eq!(answer.field("set-cookie"), None);
    assert!(answer.text().contains("Cookie: own=1\n"), "{}", answer.text());
    assert_eq!(echoes[0].seen(), 2);
}

/// A document whose only rule goes through a path map with one rewrite set on its default.
fn with_set(backends: &[SocketAddr], rules: Value) -> Value {
    let mut body = document(backends);
    push(&mut body, "rewriteRuleSets", "set", json!({ "rewriteRules": rules }));
    push(
        &mut body,
        "urlPathMaps",
        "map",
        json!({
            "defaultBackendAddressPool": child("backendAddressPools", "pool"),
            "defaultBackendHttpSettings": child("backendHttpSettingsCollection", "settings"),
            "defaultRewriteRuleSet": child("rewriteRuleSets", "set") }),
    );
    let rule = &mut body["properties"]["requestRoutingRules"][0]["properties"];
    rule["ruleType"] = "PathBasedRouting".into();
    rule["urlPathMap"] = child("urlPathMaps", "map");
    body
}

#[test]
fn what_a_rewrite_wrote_is_not_written_over_by_the_edge() {
    let (edge, _) = Running::start(1, |_, backends| {
        let mut body = with_set(
            backends,
            json!([ { "name": "r", "conditions": [], "actionSet": { "requestHeaderConfigurations": [
                { "headerName": "x-forwarded-for", "headerValue": "{var_add_x_forwarded_for_proxy}" },
                { "headerName": "X-Original-Host", "headerValue": "" },
                { "headerName": "Host", "headerValue": "{var_host}" },
                { "headerName": "X-Port", "headerValue": "{var_server_port}" } ] } } ]),
        );
        body["properties"]["backendHttpSettingsCollection"][0]["properties"]["hostName"] =
            "backend.test".into();
        body
    });
    let mut client = RawClient::plain(edge.addresses[0]);
    client.send(
        "GET / HTTP/1.1\r\nHost: a.test\r\nX-Forwarded-For: 192.0.2.1\r\nX-Forwarded-For: 192.0.2.2\r\n\r\n",
    );
    let text = client.response().text().to_lowercase();
    assert!(text.contains("x-forwarded-for: 192.0.2.1, 192.0.2.2, 127.0.0.1\n"), "{text}");
    assert!(text.contains("\nhost: a.test\n") && !text.contains("x-original-host"), "{text}");
    assert!(text.contains("x-port: 80\n"), "the listener's port, not the mapped one: {text}");
}

#[test]
fn a_rewrite_that_reroutes_for_ever_is_answered_500() {
    let (edge, echoes) = Running::start(1, |_, backends| {
        with_set(
            backends,
            json!([ { "name": "r", "conditions": [ { "variable": "var_uri_path", "pattern": "/loop" } ],
                "actionSet": { "urlConfiguration": { "modifiedPath": "/x{var_uri_path}", "reroute": true } } } ]),
        )
    });
    assert_eq!(get(edge.addresses[0], "a.test", "/loop").status(), 500);
    assert_eq!(get(edge.addresses[0], "a.test", "/other").status(), 200);
    assert_eq!(echoes[0].seen(), 1);
}

#[test]
fn a_rewrite_of_set_cookie_does_not_lose_the_affinity() {
    let (edge, _) = Running::start(1, |_, backends| {
        let mut body = with_set(
            backends,
            json!([ { "name": "r", "conditions": [], "actionSet": { "responseHeaderConfigurations": [
                { "headerName": "Set-Cookie", "headerValue": "own=1" } ] } } ]),
        );
        body["properties"]["backendHttpSettingsCollection"][0]["properties"]["cookieBasedAffinity"] =
            "Enabled".into();
        body
    });
    let head = get(edge.addresses[0], "a.test", "/").head;
    assert!(head.contains("own=1") && head.contains("ApplicationGatewayAffinity="), "{head}");
}

#[test]
fn a_dedicated_backend_connection_is_shared_with_no_other_client() {
    for (dedicated, connects) in [(false, 1), (true, 2)] {
        let (edge, _) = Running::start(1, |_, backends| {
            let mut body = document(backends);
            let settings = &mut body["properties"]["backendHttpSettingsCollection"][0]["properties"];
            settings["dedicatedBackendConnection"] = dedicated.into();
            body
        });
        let before = edge.engine.metrics.get(Metric::UpstreamConnects);
        let mut clients = [RawClient::plain(edge.addresses[0]), RawClient::plain(edge.addresses[0])];
        for client in &mut clients {
            assert_eq!(client.get("a.test", "/").status(), 200);
            assert_eq!(client.get("a.test", "/").status(), 200);
        }
        let made = edge.engine.metrics.get(Metric::UpstreamConnects) - before;
        assert_eq!(made, connects, "dedicated: {dedicated}");
    }
}

#[test]
fn every_server_variable_has_its_value() {
    // Name, and what it is for the request below; a star stands for a value that differs from run to run.
    let table = [
        ("add_x_forwarded_for_proxy", "192.0.2.1, 127.0.0.1"),
        ("ciphers_supported", ""),
        ("ciphers_used", ""),
        ("client_ip", "127.0.0.1"),
        ("client_port", "*"),
        ("client_tcp_rtt", ""),
        ("client_user", "ada"),
        ("cookie_flavour", "dark"),
        ("host", "a.test"),
        ("http_method", "POST"),
        ("http_version", "HTTP/1.1"),
        ("query_string", "q=1&r=2"),
        ("received_bytes", "*"),
        ("request_query", "q=1&r=2"),
        ("request_scheme", "http"),
        ("request_uri", "/p/x?q=1&r=2"),
        ("sent_bytes", "0"),
        ("server_port", "80"),
        ("ssl_connection_protocol", ""),
        ("ssl_enabled", ""),
        ("uri_path", "/p/x"),
        ("client_certificate", ""),
        ("client_certificate_end_date", ""),
        ("client_certificate_fingerprint", ""),
        ("client_certificate_issuer", ""),
        ("client_certificate_serial", ""),
        ("client_certificate_start_date", ""),
        ("client_certificate_subject", ""),
        ("client_certificate_verification", ""),
    ];
    let (edge, _) = Running::start(1, |_, backends| {
        let header = |(name, _): &(&str, &str)| json!({ "headerName": format!("V-{}", name.replace('_', "-")), "headerValue": format!("[{{var_{name}}}]") });
        let rules: Vec<Value> = table
            .chunks(10)
            .enumerate()
            .map(|(index, part)| {
                json!({ "name": format!("r{index}"), "ruleSequence": 100 + index, "conditions": [], "actionSet": {
                    "requestHeaderConfigurations": part.iter().map(header).collect::<Vec<_>>() } })
            })
            .collect();
        with_set(backends, rules.into())
    });
    assert!(edge.diagnostics.is_empty(), "{:?}", edge.diagnostics);
    let mut client = RawClient::plain(edge.addresses[0]);
    client.send(
        "POST /p/x?q=1&r=2 HTTP/1.1\r\nHost: a.test\r\nX-Forwarded-For: 192.0.2.1\r\nCookie: flavour=dark\r\n\
         Authorization: Basic YWRhOnB3\r\nContent-Length: 0\r\n\r\n",
    );
    let text = client.response().text();
    for (name, value) in table {
        let start = format!("V-{}: [", name.replace('_', "-"));
        let line =
            text.lines().find(|line| line.starts_with(&start)).unwrap_or_else(|| panic!("{name}: {text}"));
        let found = line[start.len()..].trim_end_matches(']');
        assert!(found == value || (value == "*" && !found.is_empty()), "{name} is {found:?}, not {value:?}");
    }
}
