//! What a PUT of a gateway answers: Azure's codes, each with its place, and the rest still serves.

#[path = "support/gateway.rs"]
mod gateway;

use gateway::{World, base64, bundle, child, document, environment, gateway_id, pfx_data};
use handfast_testkit::{TestClock, TestPki};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;

struct Checked {
    /// `severity code place`
    found: Vec<String>,
    frontends: usize,
}

fn check(change: impl FnOnce(&TestPki, &mut Value)) -> Checked {
    let clock = Arc::new(TestClock::new());
    let pki = TestPki::new(handfast_core::Clock::now(&*clock));
    let mut body = document(&["127.0.0.1:8080".parse::<SocketAddr>().expect("address")]);
    change(&pki, &mut body);
    let mut world = World::new();
    world.put(&gateway_id(), body);
    let (plan, diagnostics) = world.compile(None, &environment(clock, pki.ca().root()));
    let line = |d: &handfast_core::Diagnostic| {
        let place = d.place.as_ref().map(ToString::to_string).unwrap_or_default();
        format!("{} {} {}", d.severity.as_str(), d.code, place.trim_start_matches("properties."))
    };
    Checked { found: diagnostics.iter().map(line).collect(), frontends: plan.frontends().len() }
}

fn expect(change: impl FnOnce(&TestPki, &mut Value), expected: &str) {
    let checked = check(change);
    assert!(
        checked.found.iter().any(|found| found == expected),
        "{expected} is not among {:#?}",
        checked.found
    );
}

fn properties(body: &mut Value) -> &mut Value {
    &mut body["properties"]
}

fn push(body: &mut Value, collection: &str, name: &str, inner: Value) {
    let properties = properties(body);
    if !properties[collection].is_array() {
        properties[collection] = json!([]);
    }
    properties[collection]
        .as_array_mut()
        .expect("an array")
        .push(json!({ "name": name, "properties": inner }));
}

fn https(pki: &TestPki, body: &mut Value) {
    let data = pfx_data(&pki.server("a.localhost"), "pw");
    push(body, "sslCertificates", "cert", json!({ "data": data, "password": "pw" }));
    let listener = &mut properties(body)["httpListeners"][0]["properties"];
    listener["protocol"] = "Https".into();
    listener["sslCertificate"] = child("sslCertificates", "cert");
}

#[test]
fn the_plain_document_has_nothing_to_complain_about() {
    let checked = check(|_, _| {});
    assert!(checked.found.is_empty(), "{:?}", checked.found);
    assert_eq!(checked.frontends, 1);
    let checked = check(https);
    assert!(checked.found.is_empty(), "{:?}", checked.found);
}

#[test]
fn rules_need_priorities_listeners_of_their_own_and_existing_children() {
    expect(
        |_, body| {
            properties(body)["requestRoutingRules"][0]["properties"]
                .as_object_mut()
                .expect("object")
                .remove("priority");
        },
        "error ApplicationGatewayRequestRoutingRulePriorityCannotBeEmpty requestRoutingRules[0].properties",
    );
    let second = |body: &mut Value, priority: u32| {
        let mut rule = properties(body)["requestRoutingRules"][0]["properties"].clone();
        rule["priority"] = priority.into();
        push(body, "requestRoutingRules", "second", rule);
    };
    expect(
        |_, body| second(body, 10),
        "error ApplicationGatewayRequestRoutingRuleDuplicatePriority requestRoutingRules[1].properties.priority",
    );
    expect(
        |_, body| second(body, 11),
        "error ApplicationGatewayListenerMustBeUsedByOneRule requestRoutingRules[1].properties.httpListener",
    );
    expect(
        |_, body| {
            properties(body)["requestRoutingRules"][0]["properties"]["backendAddressPool"] =
                child("backendAddressPools", "x")
        },
        "error InvalidResourceReference requestRoutingRules[0].properties.backendAddressPool",
    );
    expect(
        |_, body| properties(body)["requestRoutingRules"][0]["properties"]["priority"] = 20001.into(),
        "error InvalidProperty requestRoutingRules[0].properties.priority",
    );
}

#[test]
fn certificates_and_client_ca_bundles_are_told_apart_by_code() {
    let bundle_of = |data: String| {
        move |_: &TestPki, body: &mut Value| {
            push(body, "trustedClientCertificates", "ca", json!({ "data": data }))
        }
    };
    let place = "trustedClientCertificates[0].properties.data";
    expect(
        bundle_of(String::new()),
        &format!("error ApplicationGatewayTrustedClientCertificateMustSpecifyData {place}"),
    );
    expect(
        bundle_of("rubbish".into()),
        &format!("error ApplicationGatewayTrustedClientCertificateInvalidData {place}"),
    );
    expect(
        |pki, body| {
            let leaf = handfast_pki::pem::certificate_pem(pki.client("x").leaf());
            push(body, "trustedClientCertificates", "ca", json!({ "data": base64(leaf.as_bytes()) }));
        },
        &format!("error ApplicationGatewayTrustedClientCertificateDoesNotContainAnyCACertificate {place}"),
    );
    expect(
        |pki, body| {
            let intermediate = handfast_pki::pem::certificate_pem(pki.ca().intermediate());
            push(body, "trustedClientCertificates", "ca", json!({ "data": base64(intermediate.as_bytes()) }));
        },
        &format!("error ApplicationGatewayOnlyOneRootCAAllowedInTrustedClientCertificate {place}"),
    );
    expect(
        |pki, body| {
            let credential = handfast_pki::pem::credential_pem(&pki.client("x"));
            push(
                body,
                "trustedClientCertificates",
                "ca",
                json!({ "data": base64(credential.expose().as_bytes()) }),
            );
        },
        &format!("error ApplicationGatewayTrustedClientCertificateMustNotHavePrivateKey {place}"),
    );
    expect(
        |_, body| push(body, "sslCertificates", "cert", json!({ "data": "QUJD", "password": "x" })),
        "error ApplicationGatewaySslCertificateDataMustBePfx sslCertificates[0].properties",
    );
    expect(
        |pki, body| {
            let data = pfx_data(&pki.server("a.localhost"), "right");
            push(body, "sslCertificates", "cert", json!({ "data": data, "password": "wrong" }));
        },
        "error ApplicationGatewaySslCertificateInvalidPassword sslCertificates[0].properties",
    );
    expect(
        |_, body| properties(body)["httpListeners"][0]["properties"]["protocol"] = "Https".into(),
        "error ApplicationGatewayHttpListenerSslCertificateMustBeSpecified httpListeners[0].properties",
    );
}

#[test]
fn profiles_are_checked() {
    let profile = |auth: Value, with_bundle: bool| {
        move |pki: &TestPki, body: &mut Value| {
            https(pki, body);
            let mut inner = json!({ "clientAuthConfiguration": auth });
            if with_bundle {
                push(body, "trustedClientCertificates", "ca", json!({ "data": bundle(pki) }));
                inner["trustedClientCertificates"] = json!([child("trustedClientCertificates", "ca")]);
            }
            push(body, "sslProfiles", "mtls", inner);
            properties(body)["httpListeners"][0]["properties"]["sslProfile"] = child("sslProfiles", "mtls");
        }
    };
    let good = check(profile(json!({ "verifyClientAuthMode": "strict" }), true));
    assert!(good.found.is_empty(), "{:?}", good.found);
    let open = check(profile(json!({ "verifyClientAuthMode": "Passthrough" }), false));
    assert!(open.found.is_empty(), "{:?}", open.found);
    expect(
        profile(json!({ "verifyClientAuthMode": "Strict" }), false),
        "error ApplicationGatewaySslProfileMustHaveTrustedClientCertificate sslProfiles[0].properties",
    );
    expect(
        profile(json!({ "verifyClientRevocation": "OCSP" }), true),
        "error PropertyNotSupported sslProfiles[0].properties.clientAuthConfiguration.verifyClientRevocation",
    );
    expect(
        profile(json!({ "verifyClientAuthMode": "Passthrough", "verifyClientCertIssuerDN": true }), true),
        "warning NoEffectInPassthrough sslProfiles[0].properties.clientAuthConfiguration",
    );
    expect(
        profile(json!({ "verifyClientAuthMode": "Loose" }), true),
        "error InvalidEnumValue sslProfiles[0].properties.clientAuthConfiguration.verifyClientAuthMode",
    );
}

#[test]
fn hosts_paths_and_rewrites_are_checked() {
    expect(
        |_, body| properties(body)["httpListeners"][0]["properties"]["hostName"] = "*.a.test".into(),
        "error InvalidHostName httpListeners[0].properties.hostName",
    );
    let map = |path: &str| {
        let path = path.to_owned();
        move |_: &TestPki, body: &mut Value| {
            let pool = child("backendAddressPools", "pool");
            let settings = child("backendHttpSettingsCollection", "settings");
            push(
                body,
                "urlPathMaps",
                "map",
                json!({ "defaultBackendAddressPool": pool, "defaultBackendHttpSettings": settings,
                    "pathRules": [ { "name": "p", "properties": { "paths": [path], "backendAddressPool": pool, "backendHttpSettings": settings } } ] }),
            );
            let rule = &mut properties(body)["requestRoutingRules"][0]["properties"];
            rule["ruleType"] = "PathBasedRouting".into();
            rule["urlPathMap"] = child("urlPathMaps", "map");
        }
    };
    for good in ["/images/*", "/images*", "/a", "/*"] {
        let checked = check(map(good));
        assert!(checked.found.is_empty(), "{good}: {:?}", checked.found);
    }
    for bad in ["/*.jpg", "/a/*/b", "images", "/a?b"] {
        expect(
            map(bad),
            "error InvalidPathPattern urlPathMaps[0].properties.pathRules[0].properties.paths[0]",
        );
    }
    let rewrite = |rule: Value| {
        move |_: &TestPki, body: &mut Value| {
            push(body, "rewriteRuleSets", "set", json!({ "rewriteRules": [rule] }));
            properties(body)["requestRoutingRules"][0]["properties"]["rewriteRuleSet"] =
                child("rewriteRuleSets", "set");
        }
    };
    let rule = "rewriteRuleSets[0].properties.rewriteRules[0]";
    let header = |name: &str| json!({ "name": "r", "ruleSequence": 1, "conditions": [], "actionSet": { "requestHeaderConfigurations": [ { "headerName": name, "headerValue": "x" } ] } });
    expect(
        rewrite(header("Connection")),
        &format!(
            "error ApplicationGatewayHeaderNotAllowedForRewrite {rule}.actionSet.requestHeaderConfigurations[0].headerName"
        ),
    );
    expect(
        rewrite(
            json!({ "name": "r", "conditions": [ { "variable": "var_host", "pattern": "(" } ], "actionSet": {} }),
        ),
        &format!("error InvalidPattern {rule}.conditions[0].pattern"),
    );
    expect(
        rewrite(
            json!({ "name": "r", "conditions": [ { "variable": "var_moon", "pattern": "x" } ], "actionSet": {} }),
        ),
        &format!("error InvalidServerVariable {rule}.conditions[0].variable"),
    );
    expect(
        rewrite(
            json!({ "name": "r", "conditions": [], "actionSet": { "urlConfiguration": { "modifiedPath": "/x", "reroute": true } } }),
        ),
        "error ApplicationGatewayRerouteNotAllowedForBasicRule requestRoutingRules[0].properties.rewriteRuleSet",
    );
}

#[test]
fn security_controls_that_do_not_exist_are_refused_not_ignored() {
    for (property, value) in [
        ("firewallPolicy", json!({ "id": "/x" })),
        ("webApplicationFirewallConfiguration", json!({ "enabled": true })),
        ("entraJWTValidationConfigs", json!([ { "name": "j" } ])),
        ("listeners", json!([ { "name": "l4" } ])),
    ] {
        expect(
            move |_, body| properties(body)[property] = value,
            &format!("error PropertyNotSupported {property}"),
        );
    }
    expect(
        |_, body| {
            let settings = &mut properties(body)["backendHttpSettingsCollection"][0]["properties"];
            settings["protocol"] = "Https".into();
            settings["validateCertChainAndExpiry"] = false.into();
        },
        "warning BackendNotVerified backendHttpSettingsCollection[0].properties.validateCertChainAndExpiry",
    );
}

#[test]
fn a_listener_that_no_longer_compiles_keeps_its_last_good_version() {
    let clock = Arc::new(TestClock::new());
    let pki = TestPki::new(handfast_core::Clock::now(&*clock));
    let environment = environment(clock, pki.ca().root());
    let mut body = document(&["127.0.0.1:8080".parse::<SocketAddr>().expect("address")]);
    https(&pki, &mut body);
    let mut world = World::new();
    world.put(&gateway_id(), body.clone());
    let (good, found) = world.compile(None, &environment);
    assert!(found.is_empty());
    properties(&mut body)["sslCertificates"][0]["properties"] = json!({ "data": "QUJD", "password": "pw" });
    world.put(&gateway_id(), body);
    let (kept, found) = world.compile(Some(&good), &environment);
    assert!(found.iter().any(|d| d.code == "ApplicationGatewaySslCertificateDataMustBePfx"));
    let identity = |plan: &handfast_edge::EdgePlan| {
        *plan.frontends()[0].state.tls.as_ref().expect("TLS").hosts()[0].identity()
    };
    assert_eq!(identity(&kept), identity(&good));
}

#[test]
fn counts_have_limits_that_a_tag_lifts() {
    let many = |collection: &'static str, count: usize, entry: fn(usize) -> Value| {
        move |body: &mut Value| {
            for index in 0..count {
                push(body, collection, &format!("n{index}"), entry(index));
            }
        }
    };
    let pool = |_: usize| json!({ "backendAddresses": [] });
    let port = |index: usize| json!({ "port": 1000 + index });
    let settings = |_: usize| json!({ "port": 80, "protocol": "Http" });
    let redirect = |_: usize| json!({ "redirectType": "Found", "targetUrl": "https://a.test" });
    type Fill = Box<dyn Fn(&mut Value)>;
    let table: Vec<(&str, &str, Fill)> = vec![
        ("frontendPorts", "FrontendPorts", Box::new(many("frontendPorts", 99, port))),
        ("backendAddressPools", "BackendAddressPools", Box::new(many("backendAddressPools", 100, pool))),
        (
            "backendHttpSettingsCollection",
            "BackendHttpSettings",
            Box::new(many("backendHttpSettingsCollection", 100, settings)),
        ),
        (
            "redirectConfigurations",
            "RedirectConfigurations",
            Box::new(many("redirectConfigurations", 101, redirect)),
        ),
        (
            "backendAddressPools[0].properties.backendAddresses",
            "BackendAddressPoolTargets",
            Box::new(|body| {
                let targets: Vec<Value> =
                    (0..1201).map(|i| json!({ "fqdn": format!("h{i}.test") })).collect();
                properties(body)["backendAddressPools"][0]["properties"]["backendAddresses"] = targets.into();
            }),
        ),
        (
            "rewriteRuleSets[0].properties.rewriteRules",
            "RewriteConfigurations",
            Box::new(|body| {
                let headers: Vec<Value> =
                    (0..41).map(|i| json!({ "headerName": format!("X-{i}"), "headerValue": "v" })).collect();
                let rule = json!({ "name": "r", "actionSet": { "requestHeaderConfigurations": headers } });
                push(body, "rewriteRuleSets", "set", json!({ "rewriteRules": [rule] }));
            }),
        ),
    ];
    for (place, what, fill) in table {
        let expected = format!("error ApplicationGateway{what}LimitExceeded {place}");
        expect(|_, body| fill(body), &expected);
        let lifted = check(|_, body| {
            fill(body);
            body["tags"] = json!({ "handfast:limits": "off" });
        });
        assert!(lifted.found.is_empty(), "{what}: {:?}", lifted.found);
    }
}

#[test]
fn what_has_no_effect_is_told_and_what_cannot_be_read_is_named() {
    let listener = |field: &'static str| {
        move |_: &TestPki, body: &mut Value| {
            properties(body)["httpListeners"][0]["properties"].as_object_mut().expect("object").remove(field);
        }
    };
    for field in ["protocol", "frontendPort", "frontendIPConfiguration"] {
        expect(listener(field), &format!("error MissingProperty httpListeners[0].properties.{field}"));
    }
    let settings = |field: &'static str, value: Value| {
        move |_: &TestPki, body: &mut Value| {
            properties(body)["backendHttpSettingsCollection"][0]["properties"][field] = value
        }
    };
    let place = "backendHttpSettingsCollection[0].properties";
    expect(
        settings("connectionDraining", json!({ "enabled": true, "drainTimeoutInSec": 3601 })),
        &format!("error InvalidProperty {place}.connectionDraining.drainTimeoutInSec"),
    );
    expect(settings("path", "/a b\r\nX: y".into()), &format!("error InvalidProperty {place}.path"));
    expect(settings("hostName", "a.test\r\n".into()), &format!("error InvalidProperty {place}.hostName"));
    let tag = |name: &'static str, value: &'static str| {
        move |_: &TestPki, body: &mut Value| body["tags"] = json!({ name: value })
    };
    expect(tag("handfast:limit", "off"), "warning UnknownTag tags.handfast:limit");
    let lb = "handfast:backendHttpSettings:settings:lb";
    expect(tag(lb, "fastest"), &format!("error InvalidTagValue tags.{lb}"));
    let lb = "handfast:backendHttpSettings:other:lb";
    expect(tag(lb, "random"), &format!("warning TagWithoutEffect tags.{lb}"));
    expect(
        |_, body| {
            let mut listener = properties(body)["httpListeners"][0]["properties"].clone();
            listener["hostName"] = "a.shop.test".into();
            properties(body)["httpListeners"][0]["properties"]["hostNames"] = json!(["*.shop.test"]);
            push(body, "httpListeners", "specific", listener);
            let mut rule = properties(body)["requestRoutingRules"][0]["properties"].clone();
            rule["priority"] = 20.into();
            rule["httpListener"] = child("httpListeners", "specific");
            push(body, "requestRoutingRules", "specific", rule);
        },
        "warning ListenerShadowed httpListeners[1]",
    );
}

#[test]
fn a_broken_root_never_falls_back_to_the_roots_of_the_system() {
    let checked = check(|_, body| {
        push(body, "trustedRootCertificates", "own", json!({ "data": "rubbish" }));
        let settings = &mut properties(body)["backendHttpSettingsCollection"][0]["properties"];
        settings["protocol"] = "Https".into();
        settings["trustedRootCertificates"] = json!([child("trustedRootCertificates", "own")]);
    });
    assert!(
        checked.found.iter().any(|found| found.starts_with("warning ListenerWithoutRule")),
        "the rule does not serve: {:?}",
        checked.found
    );
}
