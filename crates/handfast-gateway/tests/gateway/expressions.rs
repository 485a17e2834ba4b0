//! Policy expressions on the wire: bodies of both sides, identities, and documents that want more than their
//! share of the core.

use crate::world::{HOST, World, request};
use handfast_net::Hop;
use handfast_testkit::RawClient;
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A service with an open API `a` (`GET /x`, `POST /x`, `GET /free`) in front of an echo.
fn world() -> (World, Arc<handfast_testkit::Echo>) {
    let mut world = World::new(Hop::Wire);
    let (url, echo) = world.upstream("svc.localhost", false);
    let properties = json!({ "serviceUrl": url, "subscriptionRequired": false });
    world.api("a", properties, &["GET /x", "POST /x", "GET /free"]);
    (world, echo)
}

fn inbound(policies: &str) -> String {
    format!(
        "<policies><inbound><base />{policies}</inbound><backend><base /></backend><outbound><base /></outbound><on-error><base /><set-header name=\"X-Why\"><value>@(context.LastError.Message)</value></set-header></on-error></policies>"
    )
}

fn post(world: &World, body: &str) -> handfast_testkit::RawResponse {
    let mut client = world.client(None);
    client.send(request("POST", "/a/x", &[&format!("Content-Length: {}", body.len())]));
    client.send(body);
    client.response()
}

#[test]
fn expressions_read_and_replace_the_bodies_of_both_sides() {
    let (mut world, echo) = world();
    world.policy("apis/a/operations/op1", "<policies><inbound><base /><set-variable name=\"n\" value=\"@(context.Request.Body.As<JObject>(preserveContent: true)[\"n\"].Value<int>())\" /><set-header name=\"X-N\"><value>@(((int)context.Variables[\"n\"] + 1).ToString())</value></set-header></inbound><backend><base /></backend><outbound><base /><set-header name=\"X-Length\"><value>@(context.Response.Body.As<string>(preserveContent: true).Length.ToString())</value></set-header><set-body>@(context.Response.Body.As<string>().Replace(\"{\", \"[\"))</set-body></outbound><on-error><base /></on-error></policies>");
    world.serve();
    let response = post(&world, "{\"n\": 41}");
    let text = response.text();
    assert_eq!(response.status(), 200, "{text}");
    assert!(text.contains("X-N: 42\n") && text.ends_with("\n\n[\"n\": 41}"), "{text}");
    let length = text.len().to_string();
    assert_eq!(response.field("x-length"), Some(length.as_str()));
    assert_eq!(response.field("content-length"), Some(length.as_str()));
    assert_eq!(echo.seen(), 1);
}

#[test]
fn a_body_over_the_limit_is_refused_only_where_an_expression_reads_it() {
    let (mut world, echo) = world();
    world.policy(
        "apis/a/operations/op1",
        &inbound("<choose><when condition=\"@(context.Request.Headers.ContainsKey(&quot;X-Read&quot;))\"><set-body>@(context.Request.Body.As<string>())</set-body></when></choose>"),
    );
    world.serve();
    let body = "b".repeat((4 << 20) + 1);
    let ask = |header: &str| {
        let mut client = world.client(None);
        client.send(request("POST", "/a/x", &[&format!("Content-Length: {}", body.len()), header]));
        client.send_while_reading(&body)
    };
    assert_eq!(ask("X-Other: 1").status(), 200);
    assert_eq!(echo.seen(), 1);
    assert_eq!(ask("X-Read: 1").status(), 413);
    assert_eq!(echo.seen(), 1);
}

#[test]
fn expressions_know_who_calls_which_operation_of_what() {
    let (mut world, _) = world();
    world.put(
        "users/ann",
        json!({ "properties": { "email": "ann@example.com", "firstName": "Ann", "lastName": "Lee" } }),
    );
    world.put("groups/staff", json!({ "properties": { "displayName": "Staff" } }));
    world.put("groups/staff/users/ann", json!({}));
    world.put("products/p", json!({ "properties": { "displayName": "Gold", "subscriptionRequired": true } }));
    world.put("products/p/apis/a", json!({}));
    world.put(
        "subscriptions/s",
        json!({ "properties": { "displayName": "Ann's", "scope": "/products/p", "ownerId": "/users/ann", "primaryKey": "k1", "secondaryKey": "k2", "state": "active" } }),
    );
    world.policy(
        "apis/a",
        &inbound("<return-response><set-body>@(string.Join(\"|\", new [] { context.Api.Name, context.Operation.Id, context.Product.Name, context.Subscription.Name, context.Subscription.Key, context.User.Email, context.User.Groups.First().Name, context.Deployment.ServiceName, context.Request.OriginalUrl.Path, context.Request.Url.Path }))</set-body></return-response>"),
    );
    world.serve();
    let response = world.send("GET", "/a/x?z=1", &["Ocp-Apim-Subscription-Key: k2"]);
    assert_eq!(response.text(), "a|op0|Gold|Ann's|k2|ann@example.com|Staff|contoso|/a/x|/x");
}

#[test]
fn what_an_expression_throws_is_a_500_that_tells_the_client_nothing() {
    let (mut world, echo) = world();
    world.policy(
        "apis/a",
        &inbound("<set-variable name=\"v\" value=\"@(int.Parse(context.Request.Method))\" />"),
    );
    world.serve();
    let response = world.get("/a/x");
    let text = response.text();
    assert_eq!(response.status(), 500);
    assert!(
        text.starts_with("{ \"statusCode\": 500, \"message\": \"Internal server error\", \"activityId\": ")
    );
    assert_eq!(
        response.field("x-why"),
        Some("Expression evaluation failed. Input string was not in a correct format.")
    );
    assert_eq!(echo.seen(), 0);
}

const BUDGET: &str = "Expression evaluation failed. The expression exceeded its evaluation budget.";

#[test]
fn an_endless_expression_shares_the_core_and_is_stopped() {
    let (mut world, _) = world();
    world.policy(
        "apis/a/operations/op0",
        &inbound(
            "<set-variable name=\"v\" value=\"@{ var n = 0; while (true) { n = n + 1; } return n; }\" />",
        ),
    );
    world.serve();
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let (front, root) = (world.front.expect("open"), world.pki.ca().root().clone());
        let over = &over;
        scope.spawn(move || {
            let mut hostile = RawClient::tls(front, HOST, &root, None);
            let response = hostile.get(HOST, "/a/x");
            over.store(true, Ordering::SeqCst);
            assert_eq!((response.status(), response.field("x-why")), (500, Some(BUDGET)));
        });
        // One core serves both. Were it kept busy, at most a request that came first would be answered.
        let mut other = world.client(None);
        let mut answered = 0;
        while !over.load(Ordering::SeqCst) {
            assert_eq!(other.get(HOST, "/a/free").status(), 200);
            answered += usize::from(!over.load(Ordering::SeqCst));
        }
        assert!(answered >= 3, "{answered} requests were answered meanwhile");
    });
}

#[test]
fn expressions_that_want_too_much_are_stopped_within_their_budget() {
    let (mut world, _) = world();
    let hostile = [
        "@{ var s = new string('a', 1000000000); return s.Length; }",
        "@(\"a\".PadLeft(1000000000))",
        "@{ var s = \"aaaaaaaaaaaaaaaa\"; while (true) { s = s + s; } return s; }",
        "@{ Func<int, int> f = null; f = n => f(n + 1); return f(0); }",
        "@(Enumerable.Range(0, 2000000000).Select(n => n.ToString()).ToArray())",
    ];
    for (index, text) in hostile.iter().enumerate() {
        world.api(
            &format!("h{index}"),
            json!({ "serviceUrl": "https://svc.localhost", "subscriptionRequired": false }),
            &["GET /x"],
        );
        world.policy(
            &format!("apis/h{index}"),
            &inbound(&format!("<set-variable name=\"v\" value=\"{text}\" />")),
        );
    }
    world.serve();
    let mut client = world.client(None);
    for (index, text) in hostile.iter().enumerate() {
        let response = client.get(HOST, &format!("/h{index}/x"));
        assert_eq!((response.status(), response.field("x-why")), (500, Some(BUDGET)), "{text}");
        assert_eq!(client.get(HOST, "/a/free").status(), 200, "after {text}");
    }
}
