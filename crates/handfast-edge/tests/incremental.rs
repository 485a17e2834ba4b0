//! A compile of what changed equals a compile of everything, after any sequence of edits.

#[path = "support/gateway.rs"]
mod gateway;

use gateway::{World, child, document, environment, gateway_id};
use handfast_core::Diagnostic;
use handfast_testkit::{TestClock, TestPki};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;

/// xorshift64*: small, and the same everywhere for a seed.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % bound
    }
}

fn address() -> [SocketAddr; 1] {
    ["127.0.0.1:8080".parse().expect("an address")]
}

/// One random edit; some break the document, so that last good versions come into play.
fn edit(body: &mut Value, random: &mut Random) {
    let number = random.below(1000);
    let some_rule = |body: &Value, random: &mut Random| {
        random.below(body["properties"]["requestRoutingRules"].as_array().map_or(1, Vec::len).max(1) as u64)
            as usize
    };
    match random.below(11) {
        0 => {
            let name = format!("l{number}");
            let mut listener = document(&address())["properties"]["httpListeners"][0].clone();
            listener["name"] = name.clone().into();
            listener["properties"]["hostName"] = format!("{name}.test").into();
            let mut rule = document(&address())["properties"]["requestRoutingRules"][0].clone();
            rule["name"] = name.clone().into();
            rule["properties"]["priority"] = (100 + number).into();
            rule["properties"]["httpListener"] = child("httpListeners", &name);
            let properties = &mut body["properties"];
            properties["httpListeners"].as_array_mut().expect("listeners").push(listener);
            properties["requestRoutingRules"].as_array_mut().expect("rules").push(rule);
        }
        1 => {
            // A rule goes and its listener stays: the listener must answer 404 from then on.
            let at = some_rule(body, random);
            let rules = body["properties"]["requestRoutingRules"].as_array_mut().expect("rules");
            if at < rules.len() {
                rules.remove(at);
            }
        }
        2 => {
            let listeners = body["properties"]["httpListeners"].as_array_mut().expect("listeners");
            if listeners.len() > 1 {
                listeners.pop();
            }
        }
        3 => {
            body["properties"]["backendAddressPools"][0]["properties"]["backendAddresses"] =
                json!([{ "ipAddress": format!("127.0.0.{}", 1 + number % 200) }])
        }
        4 => {
            body["properties"]["backendAddressPools"][0]["properties"]["backendAddresses"] =
                json!([{ "ipAddress": "no address" }])
        }
        5 => {
            body["properties"]["backendHttpSettingsCollection"][0]["properties"]["requestTimeout"] =
                (1 + number).into()
        }
        6 => {
            let properties = &mut body["properties"];
            properties["redirectConfigurations"] = json!([{ "name": "away", "properties": {
                "redirectType": "Found", "targetUrl": format!("https://n{number}.test") } }]);
            let at = some_rule(body, random);
            if let Some(rule) =
                body["properties"]["requestRoutingRules"].as_array_mut().and_then(|rules| rules.get_mut(at))
            {
                rule["properties"]["redirectConfiguration"] = child("redirectConfigurations", "away");
            }
        }
        7 => {
            let at = some_rule(body, random);
            if let Some(rule) =
                body["properties"]["requestRoutingRules"].as_array_mut().and_then(|rules| rules.get_mut(at))
            {
                rule["properties"]["rewriteRuleSet"] = child("rewriteRuleSets", "set");
            }
        }
        8 => {
            let pattern = if number.is_multiple_of(3) { "(" } else { "a" };
            body["properties"]["rewriteRuleSets"] = json!([{ "name": "set", "properties": { "rewriteRules": [
                { "name": "r", "conditions": [ { "variable": "var_host", "pattern": pattern } ],
                  "actionSet": { "requestHeaderConfigurations": [
                    { "headerName": format!("X-{number}"), "headerValue": "{var_client_certificate}" } ] } } ] } }]);
        }
        9 => body["tags"] = json!({ "handfast:serverToken": format!("T{number}") }),
        _ => *body = document(&address()),
    }
}

#[test]
fn a_compile_of_what_changed_equals_one_of_everything() {
    let clock = Arc::new(TestClock::new());
    let pki = TestPki::new(handfast_core::Clock::now(&*clock));
    let environment = environment(clock, pki.ca().root());
    let (mut compared, mut broken) = (0, 0);
    for seed in 1..=24 {
        let mut random = Random(seed * 0x9e37_79b9_7f4a_7c15);
        let mut world = World::new();
        // A second gateway whose id begins with the first one's.
        let other = format!("{}2", gateway_id());
        let other_body = || json!({ "location": "local", "properties": {} });
        world.put(&other, other_body());
        let mut body = document(&address());
        world.put(&gateway_id(), body.clone());
        let (mut plan, _) = world.compile(None, &environment);
        for step in 0..40 {
            let changes = if random.below(5) == 0 {
                let mut body = other_body();
                body["tags"] = json!({ "step": step.to_string() });
                world.put(&other, body)
            } else {
                edit(&mut body, &mut random);
                world.put(&gateway_id(), body.clone())
            };
            plan = world.compile_changes(&plan, &changes, &environment).0;
            let (scratch, found) = world.compile(None, &environment);
            if found.iter().any(Diagnostic::is_error) {
                broken += 1;
                continue;
            }
            compared += 1;
            assert_eq!(plan.summary(), scratch.summary(), "seed {seed}, step {step}: {body:#}");
        }
    }
    assert!(compared > 100 && broken > 100, "{compared} compared, {broken} broken");
}
