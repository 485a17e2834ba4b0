//! The example of the repository, deployed from its template and served.

use crate::world::{PASSWORD, World, base64_pfx, request};
use base64::Engine;
use handfast_core::{Diagnostic, Secret};
use handfast_gateway::FrontendAddress;
use handfast_model::{Command, ResourceId};
use handfast_net::Hop;
use handfast_net::tls::ClientAuth;
use handfast_pki::Credential;
use handfast_pki::ca::{InstanceCa, Request};
use handfast_template::{Host, Parameters, Put, Scope, Template, VaultReference, deploy};
use handfast_testkit::{Echo, RawClient};
use serde_json::Value;
use std::sync::Arc;

const TEMPLATE: &str = include_str!("../../../../examples/mtls-chain/main.json");
const POLICIES: [(&str, &str); 4] = [
    ("policies/global.xml", include_str!("../../../../examples/mtls-chain/policies/global.xml")),
    ("policies/orders.xml", include_str!("../../../../examples/mtls-chain/policies/orders.xml")),
    ("policies/customers.xml", include_str!("../../../../examples/mtls-chain/policies/customers.xml")),
    (
        "policies/order-for-customer.xml",
        include_str!("../../../../examples/mtls-chain/policies/order-for-customer.xml"),
    ),
];

/// Deploys into a world.
struct Deployer<'w>(&'w mut World);

impl Host for Deployer<'_> {
    fn put(&mut self, resources: Vec<Put>) -> Vec<Result<Value, Vec<Diagnostic>>> {
        let mut answers = Vec::new();
        for mut put in resources {
            let properties = &mut put.body["properties"];
            if let Some((_, text)) = POLICIES.iter().find(|(name, _)| properties["value"] == *name) {
                properties["value"] = (*text).into();
                properties["format"] = "rawxml".into();
            }
            self.0.apply(Command::Put { id: put.id.clone(), api_version: put.api_version, body: put.body });
            answers.push(Ok(self.0.graph.get(&put.id).map(|one| one.effective()).unwrap_or_default()));
        }
        answers
    }

    fn get(&mut self, id: &ResourceId, _: &str) -> Option<Value> {
        self.0.graph.get(id).map(|one| one.effective())
    }

    fn secret(&mut self, reference: &VaultReference) -> Result<Secret<String>, Vec<Diagnostic>> {
        panic!("no vault: {}", reference.secret)
    }

    fn action(&mut self, id: &ResourceId, name: &str, _: &str, _: &Value) -> Result<Value, Vec<Diagnostic>> {
        panic!("no action: {name} of {id}")
    }
}

/// Certificates under one root, which may issue for any name.
struct Certificates {
    ca: InstanceCa,
    world_now: handfast_core::UnixTime,
}

impl Certificates {
    fn issue(&self, request: &Request) -> Credential {
        self.ca.issue(self.world_now, request).expect("a certificate")
    }
}

#[test]
fn the_mtls_chain_example_serves_its_apis_behind_the_private_address() {
    for hop in [Hop::Wire, Hop::Fused] {
        let mut world = World::new(hop);
        world.apply(Command::Delete { id: crate::world::SERVICE.parse().expect("an id") });
        let now = world.env.clock.now();
        let certificates =
            Certificates { ca: InstanceCa::create_for(now, "internal", &[]).expect("a CA"), world_now: now };
        let trust =
            Arc::new(handfast_net::tls::TrustSet::new(vec![certificates.ca.root().clone()], Vec::new()));
        let gateway = certificates.issue(&Request::server("gateway.contoso.internal"));
        let gateway_client = certificates.issue(&Request::client("gateway.contoso.internal"));
        let edge = certificates.issue(&Request::client("edge.contoso.internal"));
        let mut parameters = Parameters::new()
            .with("location", "local")
            .with("pfxPassword", PASSWORD)
            .with("shopPfx", base64_pfx(&gateway))
            .with("edgeClientPfx", base64_pfx(&edge))
            .with("gatewayPfx", base64_pfx(&gateway))
            .with("gatewayClientPfx", base64_pfx(&gateway_client))
            .with(
                "internalRoot",
                base64::engine::general_purpose::STANDARD.encode(certificates.ca.root().der()),
            )
            .with("partnerBundle", "")
            .with("partnerTokenModulus", format!("{}w", "x".repeat(341)))
            .with("subscriptionKey", "partner-key");
        let echo = Arc::new(Echo::default());
        for name in ["orders", "customers"] {
            let host = format!("{name}.localhost");
            let server = Arc::new(certificates.issue(&Request::server(&host)));
            let tls = world.engine.host(&host, server, ClientAuth::Require { trust: trust.clone() }, false);
            let state = world.engine.state(echo.clone(), Some(tls));
            let port = world.engine.listen(&host, state).port();
            parameters = parameters.with(format!("{name}Url"), format!("https://{host}:{port}"));
        }
        let template = Template::parse(TEMPLATE, "main.json").expect("a template");
        deploy(&template, parameters, Scope::group("s", "g"), &mut Deployer(&mut world)).expect("it deploys");
        world.compile();
        assert!(world.errors().is_empty(), "{:?}", world.errors());
        let [frontend] = world.plan.frontends() else { panic!("one frontend") };
        assert!(
            matches!(&frontend.address, FrontendAddress::Private { ip, .. } if ip.to_string() == "10.10.1.4")
        );
        // The engine of this test has no virtual network: the same state on a loopback address, open to it.
        let mut state = frontend.state.clone();
        state.filter = handfast_net::SourceFilter::default();
        let address = world.engine.listen("gateway", state);
        let host = "gateway.contoso.internal";
        let ask = |credential: Option<&Credential>, target: &str, headers: &[&str]| {
            let mut client = RawClient::tls(address, host, certificates.ca.root(), credential);
            client.send(request("GET", target, headers).replace(crate::world::HOST, host));
            client.response()
        };
        let key = "Ocp-Apim-Subscription-Key: partner-key";
        let probe = ask(None, "/status-0123456789abcdef", &[]);
        assert_eq!(probe.status(), 200);
        for (target, sent, by) in [
            ("/orders", "GET / HTTP/1.1", "orders"),
            ("/orders/", "GET / HTTP/1.1", "orders"),
            ("/orders/42?full=true", "GET /42?full=true HTTP/1.1", "orders"),
            ("/customers/7", "GET /7 HTTP/1.1", "customers"),
            ("/shop/orders/42", "GET /orders/42 HTTP/1.1", "orders"),
            ("/shop/customers/7", "GET /customers/7 HTTP/1.1", "customers"),
        ] {
            let response = ask(Some(&edge), target, &[key]);
            let text = response.text();
            assert_eq!(response.status(), 200, "{hop:?} {target}: {text}");
            assert_eq!(text.lines().next(), Some(sent), "{hop:?}");
            assert_eq!(response.field("x-served-by"), Some(by), "{target}");
            assert!(text.contains("client CN=gateway.contoso.internal"), "{text}");
            assert!(!text.to_lowercase().contains("subscription-key"), "{text}");
        }
        let seen = echo.seen();
        assert_eq!(
            ask(None, "/orders", &[key]).text(),
            "{ \"statusCode\": 401, \"message\": \"Client certificate missing\" }"
        );
        assert_eq!(ask(Some(&gateway_client), "/orders", &[key]).status(), 401);
        assert_eq!(ask(Some(&edge), "/orders", &[]).body.len(), 152);
        assert_eq!(ask(Some(&edge), "/orders/1/2", &[key]).status(), 404);
        assert_eq!(echo.seen(), seen);
    }
}
