//! What requests share: cached values and responses, quotas and rate limits, over the wire.

use crate::world::{HOST, World};
use handfast_net::Hop;
use handfast_testkit::{RawClient, ScriptedUpstream};
use serde_json::json;
use std::time::Duration;

fn policy(inbound: &str, outbound: &str) -> String {
    format!(
        "<policies><inbound><base />{inbound}</inbound><backend><base /></backend><outbound>{outbound}<base /></outbound></policies>"
    )
}

/// A service with an open API `a` in front of a server that answers `GET /N` with N bytes in chunks, and counts.
fn world() -> (World, ScriptedUpstream) {
    let upstream = ScriptedUpstream::start(|_, mut peer| {
        loop {
            let head = peer.read_head();
            let Some(path) = head.split(' ').nth(1) else { return };
            let size: usize =
                path.trim_start_matches('/').split('?').next().and_then(|n| n.parse().ok()).unwrap_or(0);
            peer.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
            let chunk = "x".repeat(10_000);
            let mut left = size;
            while left > 0 {
                let count = left.min(chunk.len());
                peer.write(format!("{count:x}\r\n{}\r\n", &chunk[..count]));
                left -= count;
            }
            peer.write("0\r\n\r\n");
        }
    });
    let mut world = World::new(Hop::Wire);
    let url = format!("http://{}", upstream.address());
    world.api("a", json!({ "serviceUrl": url, "subscriptionRequired": false }), &["GET /{size}"]);
    (world, upstream)
}

#[test]
fn a_cached_response_comes_without_the_backend_and_one_that_is_too_large_comes_whole() {
    let (mut world, upstream) = world();
    let lookup = "<cache-lookup vary-by-developer=\"false\" vary-by-developer-groups=\"false\" />";
    world.policy("apis/a", &policy(lookup, "<cache-store duration=\"60\" />"));
    world.serve();
    for _ in 0..3 {
        assert_eq!(world.get("/a/100").body.len(), 100);
    }
    assert_eq!(upstream.connections(), 1);
    let large = 2 * (1 << 20) + 5;
    for _ in 0..2 {
        let answer = world.get(&format!("/a/{large}"));
        assert_eq!((answer.status(), answer.body.len()), (200, large));
    }
    world.engine.clock.advance(Duration::from_secs(60));
    assert_eq!(world.get("/a/100").body.len(), 100);
}

#[test]
fn cached_values_are_shared_by_connections_and_outlive_a_change_of_policies() {
    let (mut world, _) = world();
    let count = |by: u32| {
        format!(
            "<cache-lookup-value key=\"n\" variable-name=\"n\" default-value=\"@(0)\" />\
             <cache-store-value key=\"n\" value=\"@((int)context.Variables[&quot;n&quot;] + {by})\" duration=\"600\" />\
             <return-response><set-body>@(((int)context.Variables[\"n\"]).ToString())</set-body></return-response>"
        )
    };
    world.policy("apis/a", &policy(&count(1), ""));
    world.serve();
    let ask = |world: &World| world.get("/a/0").text();
    assert_eq!([ask(&world), ask(&world), ask(&world)], ["0", "1", "2"]);
    world.policy("apis/a", &policy(&count(10), ""));
    world.serve();
    assert_eq!([ask(&world), ask(&world)], ["3", "13"]);
}

#[test]
fn limits_slide_and_quotas_renew() {
    let (mut world, _) = world();
    let limits = "<rate-limit-by-key calls=\"2\" renewal-period=\"10\" counter-key=\"k\" />\
                  <quota-by-key calls=\"4\" renewal-period=\"300\" counter-key=\"k\" />";
    world.policy("apis/a", &policy(limits, ""));
    let front = world.serve();
    let mut client = RawClient::tls(front, HOST, world.pki.ca().root(), None);
    let mut ask = || client.get(HOST, "/a/1").status();
    assert_eq!([ask(), ask(), ask()], [200, 200, 429]);
    world.engine.clock.advance(Duration::from_secs(10));
    assert_eq!([ask(), ask()], [200, 200]);
    world.engine.clock.advance(Duration::from_secs(10));
    assert_eq!(ask(), 403);
    world.engine.clock.advance(Duration::from_secs(300));
    assert_eq!(ask(), 200);
}
