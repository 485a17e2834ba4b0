//! A graph with its material, the gateway compiled from it, and an engine that serves it.

use base64::Engine;
use handfast_core::Diagnostic;
use handfast_gateway::{DebugKey, Environment, FrontendAddress, GatewayPlan, compile};
use handfast_model::{ChangeSet, Command, Context, Graph, Material, ResourceId, Settings, apply};
use handfast_net::tls::ClientAuth;
use handfast_net::{Address, Hop, ListenSource, ListenerPlan, PrivateName};
use handfast_pki::{Credential, pfx};
use handfast_testkit::{Echo, RawClient, RawResponse, TestEngine, TestPki};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

pub(crate) const SERVICE: &str =
    "/subscriptions/s/resourceGroups/g/providers/Microsoft.ApiManagement/service/contoso";
pub(crate) const HOST: &str = "contoso.gateway.localhost";
pub(crate) const PASSWORD: &str = "P@ssw0rd";

/// Everything that a test of the gateway needs.
pub(crate) struct World {
    pub(crate) graph: Graph,
    pub(crate) material: Material,
    pub(crate) plan: GatewayPlan,
    pub(crate) diagnostics: Vec<Diagnostic>,
    pub(crate) env: Environment,
    pub(crate) engine: TestEngine,
    pub(crate) pki: Arc<TestPki>,
    pub(crate) front: Option<SocketAddr>,
    settings: Settings,
    counter: u8,
}

impl World {
    /// A service named `contoso`, not served yet.
    pub(crate) fn new(hop: Hop) -> Self {
        let engine = TestEngine::start(hop);
        let clock = engine.shared_clock();
        let pki = Arc::new(TestPki::new(clock.now()));
        let issuer = pki.clone();
        let env = Environment {
            clock,
            default_trust: pki.trust(),
            issue: Arc::new(move |host| Some(issuer.server(host))),
            identity: None,
            debug_key: Arc::new(DebugKey::new(&[9; 32])),
            dapr: None,
            domain: "gateway.localhost".to_owned(),
        };
        let mut world = Self {
            graph: Graph::new(),
            material: Material::new(),
            plan: GatewayPlan::default(),
            diagnostics: Vec::new(),
            env,
            engine,
            pki,
            front: None,
            settings: Settings { gateway_domain: "gateway.localhost".to_owned(), ..Settings::default() },
            counter: 0,
        };
        world.put("", json!({ "location": "local", "sku": { "name": "Developer", "capacity": 1 } }));
        world
    }

    /// Puts a resource below the service; an absolute id is taken as it is.
    pub(crate) fn put(&mut self, path: &str, body: Value) -> ChangeSet {
        let id = match path {
            "" => SERVICE.to_owned(),
            path if path.starts_with('/') => path.to_owned(),
            path => format!("{SERVICE}/{path}"),
        };
        let id = ResourceId::parse(&id).expect("an id");
        self.apply(Command::Put { id, api_version: "2024-05-01".into(), body })
    }

    pub(crate) fn apply(&mut self, command: Command) -> ChangeSet {
        self.try_apply(command).expect("the command is accepted")
    }

    pub(crate) fn try_apply(&mut self, command: Command) -> Result<ChangeSet, Vec<Diagnostic>> {
        let counter = &mut self.counter;
        let mut random = |bytes: &mut [u8]| {
            *counter = counter.wrapping_add(1);
            bytes.fill(*counter);
        };
        let mut context = Context { settings: &self.settings, material: &self.material, random: &mut random };
        let applied = apply(&self.graph, command, &mut context)?;
        self.graph = applied.graph;
        self.material.extend(&applied.secrets);
        Ok(applied.changes)
    }

    /// An API with operations, each `METHOD template`, named `op0`, `op1` and so on.
    pub(crate) fn api(&mut self, name: &str, properties: Value, operations: &[&str]) {
        let mut all = json!({ "displayName": name, "path": name, "protocols": ["https"] });
        for (member, value) in properties.as_object().expect("members") {
            all[member] = value.clone();
        }
        self.put(&format!("apis/{name}"), json!({ "properties": all }));
        for (index, operation) in operations.iter().enumerate() {
            let (method, template) = operation.split_once(' ').expect("method and template");
            let body = json!({ "displayName": operation, "method": method, "urlTemplate": template });
            self.put(&format!("apis/{name}/operations/op{index}"), json!({ "properties": body }));
        }
    }

    /// A policy document; `owner` is a path below the service.
    pub(crate) fn policy(&mut self, owner: &str, text: &str) {
        let path =
            if owner.is_empty() { "policies/policy".to_owned() } else { format!("{owner}/policies/policy") };
        self.put(&path, json!({ "properties": { "format": "rawxml", "value": text } }));
    }

    /// A client certificate of the service.
    pub(crate) fn certificate(&mut self, name: &str, credential: &Credential) {
        let body = json!({ "data": base64_pfx(credential), "password": PASSWORD });
        self.put(&format!("certificates/{name}"), json!({ "properties": body }));
    }

    /// An echo service on a free port; with `mtls` it demands a client certificate of the test's CA. Its URL.
    pub(crate) fn upstream(&mut self, host: &str, mtls: bool) -> (String, Arc<Echo>) {
        let echo = Arc::new(Echo::default());
        let auth = match mtls {
            true => ClientAuth::Require { trust: self.pki.trust() },
            false => ClientAuth::None,
        };
        let tls = self.engine.host(host, self.pki.server(host), auth, false);
        let state = self.engine.state(echo.clone(), Some(tls));
        let address = self.engine.listen(host, state);
        (format!("https://{host}:{}", address.port()), echo)
    }

    /// Compiles everything and serves the front door; panics when there is an error.
    pub(crate) fn serve(&mut self) -> SocketAddr {
        self.compile();
        let errors: Vec<String> = self.diagnostics.iter().map(ToString::to_string).collect();
        assert!(!self.diagnostics.iter().any(Diagnostic::is_error), "{}", errors.join("\n"));
        self.open()
    }

    /// Compiles everything.
    pub(crate) fn compile(&mut self) {
        let changes = ChangeSet::everything(&self.graph);
        let (plan, diagnostics) = compile(Some(&self.plan), &self.graph, &changes, &self.material, &self.env);
        self.plan = plan;
        self.diagnostics = diagnostics;
    }

    /// Serves the front door of the compiled plan.
    pub(crate) fn open(&mut self) -> SocketAddr {
        let frontend = self.plan.frontends().iter().find(|one| one.address == FrontendAddress::FrontDoor);
        let state = frontend.expect("a front door").state.clone();
        let address = self.engine.listen("front-door", state);
        let names = self.plan.names().into_iter().map(|(name, _)| (name, PrivateName::Real(address)));
        self.engine.engine.resolver().publish(names.collect::<HashMap<_, _>>());
        self.front = Some(address);
        address
    }

    /// Publishes the compiled plan on a front door that is open: connections stay.
    pub(crate) fn republish(&mut self, front: SocketAddr) {
        let frontend = self.plan.frontends().iter().find(|one| one.address == FrontendAddress::FrontDoor);
        let state = frontend.expect("a front door").state.clone();
        let errors = self.engine.engine.apply(vec![ListenerPlan {
            name: "front-door".to_owned(),
            address: Address::Real(front),
            aliases: Vec::new(),
            source: ListenSource::Bind(front),
            state,
        }]);
        assert!(errors.is_empty(), "{errors:?}");
    }

    /// A client of the front door.
    pub(crate) fn client(&self, credential: Option<&Credential>) -> RawClient {
        let front = self.front.expect("the front door is open");
        RawClient::tls(front, HOST, self.pki.ca().root(), credential)
    }

    /// One request on a new connection.
    pub(crate) fn get(&self, target: &str) -> RawResponse {
        self.client(None).get(HOST, target)
    }

    /// One request with header lines.
    pub(crate) fn send(&self, method: &str, target: &str, headers: &[&str]) -> RawResponse {
        let mut client = self.client(None);
        client.send(request(method, target, headers));
        client.response()
    }

    /// Codes and messages of what is wrong.
    pub(crate) fn errors(&self) -> Vec<String> {
        self.diagnostics
            .iter()
            .filter(|one| one.is_error())
            .map(|one| format!("{}: {}", one.code, one.message))
            .collect()
    }
}

pub(crate) fn request(method: &str, target: &str, headers: &[&str]) -> String {
    let lines: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
    format!("{method} {target} HTTP/1.1\r\nHost: {HOST}\r\n{lines}\r\n")
}

pub(crate) fn base64_pfx(credential: &Credential) -> String {
    let bytes =
        pfx::write(credential, &[], None, PASSWORD, pfx::Encryption::Modern).expect("a PFX can be written");
    base64::engine::general_purpose::STANDARD.encode(bytes.expose())
}
