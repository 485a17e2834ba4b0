//! Gateway documents for tests: a small one that works, changed by each test, compiled from a real graph and
//! opened on loopback.
#![allow(dead_code, reason = "each test binary uses its part")]

use handfast_core::{Clock, Diagnostic};
use handfast_edge::{EdgePlan, Environment, compile};
use handfast_model::{ChangeSet, Command, Context, Graph, Material, ResourceId, Settings, apply};
use handfast_net::Hop;
use handfast_net::tls::TrustSet;
use handfast_pki::pfx::{self, Encryption};
use handfast_pki::{Certificate, Credential, pem};
use handfast_testkit::{Echo, TestEngine, TestPki};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;

const GROUP: &str = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network";

/// Id of the gateway.
pub(crate) fn gateway_id() -> String {
    format!("{GROUP}/applicationGateways/edge")
}

/// A reference to a child of the gateway.
pub(crate) fn child(collection: &str, name: &str) -> Value {
    json!({ "id": format!("{}/{collection}/{name}", gateway_id()) })
}

/// A working document: one HTTP listener, one pool, one Basic rule.
pub(crate) fn document(backends: &[SocketAddr]) -> Value {
    let port = backends.first().map_or(80, |address| address.port());
    let addresses: Vec<Value> =
        backends.iter().map(|address| json!({ "ipAddress": address.ip().to_string() })).collect();
    json!({ "location": "local", "properties": {
        "sku": { "name": "Standard_v2", "tier": "Standard_v2" },
        "gatewayIPConfigurations": [ { "name": "g", "properties": { "subnet": { "id": format!("{GROUP}/virtualNetworks/net/subnets/edge") } } } ],
        "frontendIPConfigurations": [ { "name": "public", "properties": { "publicIPAddress": { "id": format!("{GROUP}/publicIPAddresses/ip") } } } ],
        "frontendPorts": [ { "name": "p80", "properties": { "port": 80 } }, { "name": "p443", "properties": { "port": 443 } } ],
        "httpListeners": [ { "name": "web", "properties": {
            "frontendIPConfiguration": child("frontendIPConfigurations", "public"),
            "frontendPort": child("frontendPorts", "p80"), "protocol": "Http" } } ],
        "backendAddressPools": [ { "name": "pool", "properties": { "backendAddresses": addresses } } ],
        "backendHttpSettingsCollection": [ { "name": "settings", "properties": { "port": port, "protocol": "Http", "requestTimeout": 5 } } ],
        "requestRoutingRules": [ { "name": "rule", "properties": { "ruleType": "Basic", "priority": 10,
            "httpListener": child("httpListeners", "web"), "backendAddressPool": child("backendAddressPools", "pool"),
            "backendHttpSettings": child("backendHttpSettingsCollection", "settings") } } ]
    } })
}

/// A graph with the gateway in it.
pub(crate) struct World {
    graph: Graph,
    material: Material,
    counter: u8,
}

impl World {
    /// Network and public address.
    pub(crate) fn new() -> Self {
        let mut world = Self { graph: Graph::new(), material: Material::new(), counter: 0 };
        let network = json!({ "location": "local", "properties": {
            "addressSpace": { "addressPrefixes": [ "10.0.0.0/16" ] },
            "subnets": [ { "name": "edge", "properties": { "addressPrefix": "10.0.0.0/24" } } ] } });
        world.put(&format!("{GROUP}/virtualNetworks/net"), network);
        world.put(
            &format!("{GROUP}/publicIPAddresses/ip"),
            json!({ "location": "local", "tags": { "handfast:address": "127.0.0.1" }, "properties": {} }),
        );
        world
    }

    /// Puts a resource; what changed by it.
    pub(crate) fn put(&mut self, id: &str, body: Value) -> ChangeSet {
        let settings = Settings::default();
        let counter = &mut self.counter;
        let mut random = |bytes: &mut [u8]| {
            *counter = counter.wrapping_add(1);
            bytes.fill(*counter);
        };
        let mut context = Context { settings: &settings, material: &self.material, random: &mut random };
        let command = Command::Put {
            id: ResourceId::parse(id).expect("an id"),
            api_version: "2024-05-01".to_owned(),
            body,
        };
        let applied = apply(&self.graph, command, &mut context).expect("it applies");
        self.graph = applied.graph;
        self.material.extend(&applied.secrets);
        applied.changes
    }

    /// Compiles what a change touches.
    pub(crate) fn compile_changes(
        &self,
        previous: &EdgePlan,
        changes: &ChangeSet,
        environment: &Environment,
    ) -> (EdgePlan, Vec<Diagnostic>) {
        compile(Some(previous), &self.graph, changes, &self.material, environment)
    }

    /// Compiles everything.
    pub(crate) fn compile(
        &self,
        previous: Option<&EdgePlan>,
        environment: &Environment,
    ) -> (EdgePlan, Vec<Diagnostic>) {
        let changes = ChangeSet::everything(&self.graph);
        compile(previous, &self.graph, &changes, &self.material, environment)
    }
}

/// An environment that trusts one root.
pub(crate) fn environment(clock: Arc<dyn Clock>, root: &Certificate) -> Environment {
    let default_trust = Arc::new(TrustSet::new(vec![root.clone()], Vec::new()));
    Environment { clock, default_trust, affinity_key: [7; 32] }
}

/// A credential as `data` of an sslCertificates entry.
pub(crate) fn pfx_data(credential: &Credential, password: &str) -> String {
    let bytes = pfx::write(credential, &[], None, password, Encryption::Modern).expect("a PFX");
    base64(bytes.expose())
}

/// Standard base64.
pub(crate) fn base64(bytes: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// A gateway that serves a document.
pub(crate) struct Running {
    pub(crate) engine: TestEngine,
    pub(crate) pki: TestPki,
    pub(crate) plan: EdgePlan,
    pub(crate) diagnostics: Vec<Diagnostic>,
    /// One address per frontend port of the document, in order of the port.
    pub(crate) addresses: Vec<SocketAddr>,
    world: World,
}

impl Running {
    /// Compiles and opens what `make` writes; it gets the PKI and the addresses of echo services, which the
    /// second argument asks for.
    pub(crate) fn start(
        services: usize,
        make: impl FnOnce(&TestPki, &[SocketAddr]) -> Value,
    ) -> (Self, Vec<Arc<Echo>>) {
        let mut engine = TestEngine::start(Hop::Wire);
        let pki = TestPki::new(engine.clock.now());
        let echoes: Vec<Arc<Echo>> = (0..services).map(|_| Arc::new(Echo::default())).collect();
        let backends: Vec<SocketAddr> = echoes
            .iter()
            .enumerate()
            .map(|(index, echo)| {
                let state = engine.state(echo.clone(), None);
                engine.listen(&format!("echo{index}"), state)
            })
            .collect();
        let mut world = World::new();
        world.put(&gateway_id(), make(&pki, &backends));
        let environment = environment(engine.shared_clock(), pki.ca().root());
        let (plan, diagnostics) = world.compile(None, &environment);
        let mut frontends = plan.frontends().to_vec();
        frontends.sort_by_key(|frontend| frontend.port);
        let addresses =
            frontends.into_iter().map(|frontend| engine.listen(&frontend.name, frontend.state)).collect();
        (Self { engine, pki, plan, diagnostics, addresses, world }, echoes)
    }

    /// Changes the document; its frontends stay.
    pub(crate) fn change(&mut self, body: Value) {
        let changes = self.world.put(&gateway_id(), body);
        let environment = environment(self.engine.shared_clock(), self.pki.ca().root());
        let (plan, diagnostics) = self.world.compile_changes(&self.plan, &changes, &environment);
        for frontend in plan.frontends() {
            self.engine.publish(&frontend.name, frontend.state.clone());
        }
        plan.settle(&self.plan);
        self.engine.engine.announce();
        (self.plan, self.diagnostics) = (plan, diagnostics);
    }
}

/// The CA certificates that a client needs, as `data` of a trustedClientCertificates entry.
pub(crate) fn bundle(pki: &TestPki) -> String {
    let text =
        [pem::certificate_pem(pki.ca().intermediate()), pem::certificate_pem(pki.ca().root())].concat();
    base64(text.as_bytes())
}
