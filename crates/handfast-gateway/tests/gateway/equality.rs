//! Full and incremental compile are equal: random edits of everything that a service consists of, followed
//! by the same requests to both plans.

use crate::world::{HOST, World, base64_pfx, request};
use handfast_core::Diagnostic;
use handfast_gateway::{FrontendAddress, GatewayPlan, compile};
use handfast_model::{ChangeSet, Command, ResourceId};
use handfast_net::{Address, Hop, ListenSource, ListenerPlan, ListenerState};
use handfast_testkit::RawClient;
use serde_json::{Value, json};
use std::net::SocketAddr;

const SEEDS: [u64; 3] = [1, 20_260_101, 0xdead_beef];
const STEPS: usize = 120;

/// A small generator: the sequence of a seed never changes (splitmix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    fn pick<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }
}

const APIS: [&str; 5] = ["a", "b", "c", "a;rev=2", "b;rev=2"];
const OPERATIONS: [&str; 3] = ["o0", "o1", "o2"];
const TEMPLATES: [&str; 4] = ["/x", "/y", "/{id}", "/x?q={q}"];
const NAMES: [&str; 2] = ["n0", "n1"];

/// A document of a random shape; one in ten is broken.
fn document(random: &mut Random, scope: &str) -> String {
    let mark = format!("{scope}{}", random.below(3));
    let header = |value: &str| {
        format!("<set-header name=\"X-V\" exists-action=\"append\"><value>{value}</value></set-header>")
    };
    let (mut inbound, mut outbound) = ("<base />".to_owned(), "<base />".to_owned());
    match random.below(10) {
        0 => inbound.push_str("<nonsense />"),
        1 => outbound.push_str(&header(&format!("{{{{{}}}}}", random.pick(&NAMES)))),
        2 => outbound.push_str("<include-fragment fragment-id=\"f0\" />"),
        3 => inbound.push_str("<set-backend-service backend-id=\"b0\" />"),
        4 => inbound.push_str(
            "<validate-client-certificate><identities><identity issuer-certificate-id=\"c0\" /></identities></validate-client-certificate>",
        ),
        5 => outbound = header(&mark),
        _ => outbound.push_str(&header(&mark)),
    }
    let on_error = format!("<base />{}", header(&format!("e{mark}")));
    format!(
        "<policies><inbound>{inbound}</inbound><backend /><outbound>{outbound}</outbound><on-error>{on_error}</on-error></policies>"
    )
}

/// One random edit, as path and body; no body deletes.
fn edit(random: &mut Random, world: &World) -> (String, Option<Value>) {
    let api = random.pick(&APIS);
    let operation = format!("apis/{api}/operations/{}", random.pick(&OPERATIONS));
    let raw = |text: String| json!({ "properties": { "format": "rawxml", "value": text } });
    let (path, body) = match random.below(16) {
        0 | 1 => {
            let kind = if random.below(8) == 0 { "soap" } else { "http" };
            let path = random.pick(&["a", "b", "a/b"]);
            let needed = random.below(2) == 0;
            let body = json!({ "displayName": api, "path": path, "protocols": ["https"], "type": kind,
                "subscriptionRequired": needed });
            (format!("apis/{api}"), json!({ "properties": body }))
        }
        2 | 3 => {
            let template = random.pick(&TEMPLATES);
            let body = json!({ "displayName": "o", "method": "GET", "urlTemplate": template });
            (operation, json!({ "properties": body }))
        }
        4 => (format!("apis/{api}/policies/policy"), raw(document(random, "a"))),
        5 => (format!("{operation}/policies/policy"), raw(document(random, "o"))),
        6 => ("policies/policy".to_owned(), raw(document(random, "g").replace("<base />", ""))),
        7 => {
            let open = random.below(2) == 0;
            let body = json!({ "displayName": "p", "subscriptionRequired": !open });
            (format!("products/{}", random.pick(&["p0", "p1"])), json!({ "properties": body }))
        }
        8 => {
            (format!("products/{}/apis/{}", random.pick(&["p0", "p1"]), random.pick(&["a", "b"])), json!({}))
        }
        9 => (format!("products/{}/policies/policy", random.pick(&["p0", "p1"])), raw(document(random, "p"))),
        10 => {
            let scope = random.pick(&["/products/p0", "/apis/a", "/apis", "/products/p1"]);
            let state = random.pick(&["active", "active", "suspended"]);
            let key = random.below(2);
            let body = json!({ "displayName": "s", "scope": scope, "state": state,
                "primaryKey": format!("key-{key}"), "secondaryKey": format!("other-{key}") });
            (format!("subscriptions/s{key}"), json!({ "properties": body }))
        }
        11 => {
            let name = random.pick(&NAMES);
            let value = format!("v{}", random.below(3));
            (format!("namedValues/{name}"), json!({ "properties": { "displayName": name, "value": value } }))
        }
        12 => {
            let value = format!("f{}{{{{{}}}}}", random.below(3), random.pick(&NAMES));
            let text = format!(
                "<fragment><set-header name=\"X-V\" exists-action=\"append\"><value>{value}</value></set-header></fragment>"
            );
            ("policyFragments/f0".to_owned(), raw(text))
        }
        13 => {
            let body = json!({ "url": "https://b0.localhost", "protocol": "http" });
            ("backends/b0".to_owned(), json!({ "properties": body }))
        }
        14 => {
            let credential = world.pki.client(random.pick(&["one", "two"]));
            let body = json!({ "data": base64_pfx(&credential), "password": crate::world::PASSWORD });
            ("certificates/c0".to_owned(), json!({ "properties": body }))
        }
        _ => {
            let revision = random.pick(&["a", "a;rev=2"]);
            let body = json!({ "apiId": format!("/apis/{revision}"), "notes": format!("{}", random.next()) });
            ("apis/a/releases/r".to_owned(), json!({ "properties": body }))
        }
    };
    let delete = random.below(4) == 0;
    (path, (!delete).then_some(body))
}

fn plan(world: &World, previous: Option<&GatewayPlan>, changes: &ChangeSet) -> (GatewayPlan, Vec<String>) {
    let (plan, found) = compile(previous, &world.graph, changes, &world.material, &world.env);
    let mut found: Vec<String> = found.iter().map(Diagnostic::to_string).collect();
    found.sort();
    (plan, found)
}

/// Serves plans on listeners that stay open.
struct Fronts([SocketAddr; 2]);

impl Fronts {
    fn state(plan: &GatewayPlan) -> ListenerState {
        let front = plan.frontends().iter().find(|one| one.address == FrontendAddress::FrontDoor);
        front.expect("a front door").state.clone()
    }

    fn serve(&self, world: &mut World, plans: [&GatewayPlan; 2]) {
        let listeners = self.0.iter().zip(plans).enumerate().map(|(index, (address, plan))| ListenerPlan {
            name: format!("front-{index}"),
            address: Address::Real(*address),
            aliases: Vec::new(),
            source: ListenSource::Bind(*address),
            state: Self::state(plan),
        });
        let errors = world.engine.engine.apply(listeners.collect());
        assert!(errors.is_empty(), "{errors:?}");
    }

    /// What a client sees: status, the marks of the policies that ran, and the realm of a refusal.
    fn answers(&self, world: &World, index: usize) -> Vec<String> {
        let mut client = RawClient::tls(self.0[index], HOST, world.pki.ca().root(), None);
        let mut answers = Vec::new();
        for target in ["/a/x", "/a/y", "/a/z", "/a/b/x", "/b/x", "/b/x?q=1", "/a;rev=2/x", "/b;rev=2/y", "/c"]
        {
            for key in ["", "key-0", "other-1"] {
                let header = format!("Ocp-Apim-Subscription-Key: {key}");
                let headers: &[&str] = if key.is_empty() { &[] } else { &[&header] };
                client.send(request("GET", target, headers));
                let answer = client.response();
                let marks: Vec<&str> = answer
                    .head
                    .lines()
                    .filter(|line| line.starts_with("X-V:") || line.starts_with("WWW"))
                    .collect();
                answers.push(format!("{target} {key:?}: {} {marks:?}", answer.status()));
            }
        }
        answers
    }
}

#[test]
fn random_edits_compile_to_the_same_whether_in_steps_or_at_once() {
    for seed in SEEDS {
        let mut random = Random(seed);
        let mut world = World::new(Hop::Wire);
        world.compile();
        let state = Fronts::state(&world.plan);
        let fronts = Fronts(["front-0", "front-1"].map(|name| world.engine.listen(name, state.clone())));
        for step in 0..STEPS {
            let (path, body) = edit(&mut random, &world);
            let at = format!("seed {seed}, step {step}: {path} {}", body.is_some());
            let id = ResourceId::parse(&format!("{}/{path}", crate::world::SERVICE)).expect("an id");
            let command = match body {
                Some(body) => Command::Put { id, api_version: "2024-05-01".into(), body },
                None => Command::Delete { id },
            };
            // A parent may be missing; nothing changes then.
            let Ok(changes) = world.try_apply(command) else { continue };
            let everything = ChangeSet::everything(&world.graph);
            let (stepwise, found) = plan(&world, Some(&world.plan), &changes);
            let (whole, expected) = plan(&world, Some(&world.plan), &everything);
            if !changes.is_empty() {
                assert_eq!(found, expected, "{at}");
            }
            fronts.serve(&mut world, [&stepwise, &whole]);
            let seen = fronts.answers(&world, 0);
            assert_eq!(seen, fronts.answers(&world, 1), "{at}");
            let (fresh, found) = plan(&world, None, &everything);
            if !found.iter().any(|text| text.starts_with("error")) {
                fronts.serve(&mut world, [&stepwise, &fresh]);
                assert_eq!(seen, fronts.answers(&world, 1), "{at}, from nothing");
            }
            world.plan = stepwise;
        }
    }
}
