//! Hostile documents and bodies on the wire: each is stopped within its limit, the client is told nothing but 500,
//! and another connection of the same core goes on being served meanwhile.
//!
//! That is shown by order, not by time. The engine has one core, for the gateway and the service behind it. The
//! hostile request first asks the service for `/begin`, which is held until the first of many requests of another
//! connection is there, so that all of those are waiting when the work begins. The access log has the order in which
//! requests ended. Work that kept the core to itself would end before most of the others.

use crate::world::{World, request};
use handfast_net::Hop;
use handfast_net::tls::ClientAuth;
use handfast_net::{ConnectionInfo, Core, LocalFuture, Refusal, Request, Response, Service, give_way};
use handfast_testkit::Echo;
use serde_json::json;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Requests of the other connection.
const OTHERS: usize = 120;
const BUDGET: &str = "The expression exceeded its evaluation budget.";

/// Holds `/begin` and `/b/0` until both are there.
#[derive(Default)]
struct Gate {
    begun: AtomicBool,
    others: AtomicBool,
}

impl Service for Gate {
    fn call(self: Arc<Self>, _core: Core, request: Request) -> LocalFuture<Response> {
        Box::pin(async move {
            let flag = match request.head.target.path() {
                "/begin" => &self.begun,
                "/b/0" => &self.others,
                _ => return Response::full(200, "text/plain", "served"),
            };
            flag.store(true, Ordering::SeqCst);
            while !(self.begun.load(Ordering::SeqCst) && self.others.load(Ordering::SeqCst)) {
                give_way().await;
            }
            Response::full(200, "text/plain", "served")
        })
    }

    fn refuse(&self, core: &Core, connection: &Rc<ConnectionInfo>, refusal: Refusal) -> Response {
        Echo::default().refuse(core, connection, refusal)
    }

    fn fail(&self, connection: &ConnectionInfo, status: u16) -> Response {
        Echo::default().fail(connection, status)
    }
}

/// What a policy does with a body that is meant to break it.
struct Attack {
    name: &'static str,
    policies: &'static str,
    body: String,
    /// What the error of the policy says; nothing when the request is served.
    why: &'static str,
    /// Whether the work is long enough to see that it is shared.
    long: bool,
}

/// An expression that works until it is stopped.
fn long(name: &'static str, policies: &'static str) -> Attack {
    Attack { name, policies, body: String::new(), why: BUDGET, long: true }
}

/// Something that is refused as soon as it is seen.
fn short(name: &'static str, policies: &'static str, body: String, why: &'static str) -> Attack {
    Attack { name, policies, body, why, long: false }
}

const READ_JSON: &str = "<set-variable name=\"v\" value=\"@(context.Request.Body.As<JToken>().Type)\" />";
const READ_XML: &str = "<set-variable name=\"v\" value=\"@(context.Request.Body.As<XElement>().Name)\" />";
const TO_XML: &str = "<json-to-xml apply=\"always\" />";
const TO_JSON: &str = "<xml-to-json kind=\"direct\" apply=\"always\" />";

fn attacks() -> Vec<Attack> {
    let attributes = (0..5_000).map(|number| format!(" a{number}=''")).collect::<String>();
    let entities: String =
        (1..12).map(|n| format!("<!ENTITY e{n} \"&e{};&e{};&e{};\">", n - 1, n - 1, n - 1)).collect();
    let bomb = format!("<!DOCTYPE a [<!ENTITY e0 'ha'>{entities}]><a>&e11;</a>");
    vec![
        long("endless-loop", "<set-variable name=\"v\" value=\"@{ while (true) { } }\" />"),
        short(
            "endless-query",
            "<set-variable name=\"v\" value=\"@(Enumerable.Range(0, 2000000000).Where(n => n < 0).Count())\" />",
            String::new(),
            BUDGET,
        ),
        long(
            "branching-recursion",
            "<set-variable name=\"v\" value=\"@{ int F(int n) { return n > 60 ? 0 : F(n + 1) + F(n + 1); } return F(0); }\" />",
        ),
        long(
            "patterns-in-a-loop",
            "<set-variable name=\"v\" value=\"@{ var n = 0; while (true) { try { Regex.IsMatch(new string('a', 64), &quot;^(a+)+$b&quot;); } catch { n++; } } return n; }\" />",
        ),
        short(
            "exponential-pattern",
            "<set-variable name=\"v\" value=\"@(Regex.IsMatch(new string('a', 64), &quot;^(a+)+$b&quot;))\" />",
            String::new(),
            "nested quantifiers, back-references and other factors.",
        ),
        short(
            "deep-recursion",
            "<set-variable name=\"v\" value=\"@{ int F(int n) { return F(n + 1); } return F(0); }\" />",
            String::new(),
            BUDGET,
        ),
        short(
            "huge-string",
            "<set-variable name=\"v\" value=\"@(new string('x', 1000000000))\" />",
            String::new(),
            BUDGET,
        ),
        short(
            "doubling-string",
            "<set-variable name=\"v\" value=\"@{ var s = &quot;a&quot;; while (true) { s += s; } return s; }\" />",
            String::new(),
            BUDGET,
        ),
        short("deep-json", READ_JSON, "[".repeat(100_000), "MaxDepth of 64 has been exceeded"),
        short("deep-xml", READ_XML, "<a>".repeat(100_000), "Elements are nested more than 256 deep"),
        short("entity-bomb", READ_XML, bomb.clone(), "DTD is prohibited"),
        short("many-attributes", READ_XML, format!("<a{attributes}/>"), "more than 4096 attributes"),
        short("deep-json-to-xml", TO_XML, "[".repeat(100_000), "recursion limit exceeded"),
        short("deep-xml-to-json", TO_JSON, "<a>".repeat(100_000), "the body has more than 128 levels"),
        short("entity-bomb-to-json", TO_JSON, bomb, "a document type declaration, which is not accepted"),
        short("many-attributes-to-json", TO_JSON, format!("<a{attributes}/>"), ""),
    ]
}

fn document(attack: &Attack, service: &str) -> String {
    let tell = |path: &str| {
        format!(
            "<send-request mode=\"new\" response-variable-name=\"r\" timeout=\"60\" ignore-error=\"false\"><set-url>{service}/{path}</set-url><set-method>GET</set-method></send-request>"
        )
    };
    format!(
        "<policies><inbound><base />{}{}</inbound><backend><base /></backend><outbound><base /></outbound><on-error><base /><set-header name=\"X-Why\"><value>@(context.LastError.Message)</value></set-header></on-error></policies>",
        tell("begin"),
        attack.policies,
    )
}

/// A world with the API `h` for the attack and `b` for everybody else.
fn world(attack: &Attack) -> World {
    let mut world = World::new(Hop::Wire);
    let tls = world.engine.host("svc.localhost", world.pki.server("svc.localhost"), ClientAuth::None, false);
    let state = world.engine.state(Arc::<Gate>::default(), Some(tls));
    let url = format!("https://svc.localhost:{}", world.engine.listen("svc.localhost", state).port());
    world.api("h", json!({ "serviceUrl": url, "subscriptionRequired": false }), &["POST /x"]);
    world.api("b", json!({ "serviceUrl": format!("{url}/b"), "subscriptionRequired": false }), &["GET /*"]);
    world.policy("apis/h", &document(attack, &url));
    world.serve();
    world
}

#[test]
fn each_attack_is_stopped_while_others_of_the_core_are_served() {
    for attack in attacks() {
        let (world, name) = (world(&attack), attack.name);
        let (mut hostile, mut other) = (world.client(None), world.client(None));
        let length = format!("Content-Length: {}", attack.body.len());
        hostile.send(request("POST", "/h/x", &[&length, "Content-Type: application/json"]));
        hostile.send(&attack.body);
        let others = (0..OTHERS).map(|number| request("GET", &format!("/b/{number}"), &[]));
        other.send(others.collect::<String>());
        let stopped = hostile.response();
        let status = if attack.why.is_empty() { 200 } else { 500 };
        let why = stopped.field("x-why").unwrap_or_default();
        assert!(stopped.status() == status && why.contains(attack.why), "{name}: {} {why}", stopped.status());
        assert!(!stopped.text().contains("Expression"), "{name}: the client is told too much");
        for _ in 0..OTHERS {
            assert_eq!(other.response().status(), 200, "{name}");
        }
        drop((hostile, other));
        let log = world.engine.into_log();
        let before = log.iter().position(|line| line.contains("/h/x\"")).expect("a line of the attack");
        assert!(!attack.long || before == OTHERS, "{name} lets {before} of {OTHERS} requests pass");
    }
}
