//! `wait`: requests of documents' own really run beside one another, and what is superfluous is given up.

use crate::world::World;
use handfast_net::Hop;
use handfast_testkit::ScriptedUpstream;
use serde_json::json;
use std::sync::mpsc::channel;
use std::sync::{Arc, Barrier, Mutex, PoisonError};
use std::time::Duration;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// An open API `a` that answers with what a policy left in `v`.
fn world(policies: &str) -> World {
    let mut world = World::new(Hop::Wire);
    let properties = json!({ "serviceUrl": "http://svc.localhost", "subscriptionRequired": false });
    world.api("a", properties, &["GET /x"]);
    let answer = "<return-response><set-body>@(string.Join(\" \", context.Variables.Keys.OrderBy(key => key)))</set-body></return-response>";
    world.policy("apis/a", &format!("<policies><inbound>{policies}{answer}</inbound></policies>"));
    world.serve();
    world
}

fn send(name: &str, upstream: &ScriptedUpstream) -> String {
    let url = format!("http://{}/{name}", upstream.address());
    format!("<send-request response-variable-name=\"{name}\"><set-url>{url}</set-url></send-request>")
}

#[test]
fn requests_run_at_the_same_time() {
    // Neither is answered before all have arrived.
    let arrived = Arc::new(Barrier::new(3));
    let upstream = ScriptedUpstream::start(move |_, mut peer| {
        while !peer.read_head().is_empty() {
            arrived.wait();
            peer.write(OK);
        }
    });
    let third = format!("<choose><when condition=\"true\">{}</when></choose>", send("third", &upstream));
    let all =
        format!("<wait for=\"all\">{}{}{third}</wait>", send("first", &upstream), send("second", &upstream));
    let world = world(&all);
    assert_eq!(world.get("/a/x").text(), "first second third");
    assert_eq!(world.get("/a/x").text(), "first second third");
}

#[test]
fn what_is_superfluous_is_given_up() {
    let (closed, seen) = channel();
    let closed = Mutex::new(closed);
    let (arrived, slow_is_there) = channel();
    let arrived = Mutex::new(arrived);
    let slow = ScriptedUpstream::start(move |_, mut peer| {
        peer.read_head();
        let _ = arrived.lock().unwrap_or_else(PoisonError::into_inner).send(());
        peer.reads_to_end();
        let _ = closed.lock().unwrap_or_else(PoisonError::into_inner).send(());
    });
    let slow_is_there = Mutex::new(slow_is_there);
    let quick = ScriptedUpstream::start(move |_, mut peer| {
        peer.read_head();
        let there = slow_is_there.lock().unwrap_or_else(PoisonError::into_inner);
        there.recv_timeout(Duration::from_secs(20)).expect("the other request arrives");
        peer.write(OK);
    });
    let world = world(&format!("<wait for=\"any\">{}{}</wait>", send("slow", &slow), send("quick", &quick)));
    assert_eq!(world.get("/a/x").text(), "quick");
    seen.recv_timeout(Duration::from_secs(20)).expect("the connection of the slow request ends");
}
