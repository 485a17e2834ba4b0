//! One running instance: graph, secrets, store, the roles' plans and the engine. Every change goes the same
//! way: command → next graph → compile → store → publish (DESIGN §4). A change that adds an error is
//! refused before anything is stored.

use crate::addresses::{AddressMap, virtual_address};
use crate::clock::SystemClock;
use crate::output::Failure;
use crate::trust;
use handfast_core::{Clock, Diagnostic, UnixTime};
use handfast_edge::EdgePlan;
use handfast_gateway::{DebugKey, GatewayPlan, IdentityEndpoint, sidecar_from_environment};
use handfast_model::{ChangeSet, Command, Context, Graph, Material, Settings, apply, kind};
use handfast_net::{
    Address, Engine, EngineConfig, GlobalLimits, Hop, ListenError, ListenSource, ListenerPlan, PrivateName,
};
use handfast_pki::Credential;
use handfast_pki::ca::{InstanceCa, Request};
use handfast_store::Store;
use handfast_telemetry::{LogSink, Metrics};
use ipnet::IpNet;
use std::collections::{BTreeSet, HashMap};
use std::fs::{File, TryLockError};
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Names of the sealed values that are no part of the graph.
const CA_BLOB: &str = "instance-ca";
const AFFINITY_BLOB: &str = "affinity-key";
const DEBUG_BLOB: &str = "debug-key";

/// How an instance is set up.
pub(crate) struct InstanceOptions {
    pub(crate) hop: Hop,
    pub(crate) cores: usize,
    pub(crate) front_door: SocketAddr,
    pub(crate) addresses: AddressMap,
    pub(crate) log: Option<LogSink>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) memory_bytes_max: u64,
}

/// A running instance.
pub(crate) struct Instance {
    store: Store,
    graph: Graph,
    material: Material,
    settings: Settings,
    clock: Arc<dyn Clock>,
    ca: Arc<InstanceCa>,
    edge: EdgePlan,
    edge_environment: handfast_edge::Environment,
    gateway: GatewayPlan,
    gateway_environment: handfast_gateway::Environment,
    /// What is wrong with the published graph.
    diagnostics: Vec<Diagnostic>,
    engine: Engine,
    /// Listeners that could not be opened at the last publication; the next one tries again.
    unopened: Vec<ListenError>,
    addresses: AddressMap,
    front_door: SocketAddr,
    /// Held for as long as the instance lives.
    _lock: StateLock,
    probers: BTreeSet<usize>,
}

/// Plans of a graph that is not published yet.
struct Candidate {
    edge: EdgePlan,
    gateway: GatewayPlan,
    diagnostics: Vec<Diagnostic>,
}

/// An address that clients can reach.
pub(crate) struct Endpoint {
    pub(crate) name: String,
    pub(crate) declared: SocketAddr,
    /// Absent when only this process reaches it, or nobody.
    pub(crate) bound: Option<SocketAddr>,
    /// Why it could not be opened.
    pub(crate) error: Option<String>,
}

impl Instance {
    /// Opens the state folder and starts the engine with what is stored there.
    pub(crate) fn open(state: &Path, options: InstanceOptions) -> Result<Self, Failure> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let store = open_store(state)?;
        let lock = StateLock::take(state)?;
        let loaded = store.load().map_err(Failure::new)?;
        let settings = Settings { front_door: options.front_door.ip(), ..Settings::default() };
        let ca = Arc::new(open_ca(&store, clock.now(), &settings)?);
        let default_trust = trust::with_own(ca.root());
        let edge_environment = handfast_edge::Environment {
            clock: clock.clone(),
            default_trust: default_trust.clone(),
            affinity_key: open_key(&store, AFFINITY_BLOB)?,
        };
        let gateway_environment = handfast_gateway::Environment {
            clock: clock.clone(),
            default_trust,
            issue: issuer(ca.clone(), clock.clone()),
            identity: IdentityEndpoint::from_environment(|name| std::env::var(name).ok()).map(Arc::new),
            debug_key: Arc::new(DebugKey::new(&open_key(&store, DEBUG_BLOB)?)),
            dapr: sidecar_from_environment(|name| std::env::var(name).ok()),
            domain: settings.gateway_domain.clone(),
        };
        let engine = Engine::start(EngineConfig {
            cores: options.cores,
            limits: GlobalLimits { memory_bytes_max: options.memory_bytes_max, ..GlobalLimits::default() },
            hop: options.hop,
            clock: clock.clone(),
            metrics: options.metrics,
            log: options.log,
        })
        .map_err(Failure::new)?;
        let mut instance = Self {
            store,
            graph: loaded.graph,
            material: loaded.material,
            settings,
            clock,
            ca,
            edge: EdgePlan::default(),
            edge_environment,
            gateway: GatewayPlan::default(),
            gateway_environment,
            diagnostics: Vec::new(),
            engine,
            unopened: Vec::new(),
            addresses: options.addresses,
            front_door: options.front_door,
            _lock: lock,
            probers: BTreeSet::new(),
        };
        let everything = ChangeSet::everything(&instance.graph);
        let candidate = instance.compile(&instance.graph, &everything, &instance.material);
        instance.publish(candidate);
        Ok(instance)
    }

    /// Applies a command. On success what is worth telling; on failure nothing has changed.
    pub(crate) fn change(&mut self, command: Command) -> Result<Vec<Diagnostic>, Vec<Diagnostic>> {
        let mut random = fill_random;
        let mut context = Context { settings: &self.settings, material: &self.material, random: &mut random };
        let applied = apply(&self.graph, command, &mut context)?;
        if applied.changes.is_empty() {
            return Ok(applied.diagnostics);
        }
        let mut material = self.material.clone();
        material.extend(&applied.secrets);
        let candidate = self.compile(&applied.graph, &applied.changes, &material);
        let added: Vec<Diagnostic> =
            candidate.diagnostics.iter().filter(|found| !self.diagnostics.contains(found)).cloned().collect();
        if added.iter().any(Diagnostic::is_error) {
            return Err(added);
        }
        self.store
            .commit(&applied, self.clock.now())
            .map_err(|error| vec![Diagnostic::error(error.code(), error.to_string())])?;
        for reference in &applied.dropped_secrets {
            material.remove(reference);
        }
        self.graph = applied.graph;
        self.material = material;
        self.publish(candidate);
        Ok(applied.diagnostics.into_iter().chain(added).collect())
    }

    /// The graph that is served.
    pub(crate) fn graph(&self) -> &Graph {
        &self.graph
    }

    /// The secrets of the graph.
    pub(crate) fn material(&self) -> &Material {
        &self.material
    }

    /// The instance's CA.
    pub(crate) fn ca(&self) -> &InstanceCa {
        &self.ca
    }

    /// The clock.
    pub(crate) fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    /// Takes note of the memory in use, bytes.
    pub(crate) fn report_memory(&self, used_bytes: u64) {
        self.engine.report_memory(used_bytes);
    }

    /// Everything that listens, or should.
    pub(crate) fn endpoints(&self) -> Vec<Endpoint> {
        let of_edge = self.edge.frontends().iter().map(|f| self.endpoint(&f.name, edge_address(f)));
        let of_gateway = self.gateway.frontends().iter();
        let of_gateway = of_gateway.map(|f| self.endpoint(&f.name, self.gateway_address(f)));
        of_edge.chain(of_gateway).collect()
    }

    fn endpoint(&self, name: &str, address: Address) -> Endpoint {
        let error = self.unopened.iter().find(|error| error.address == address);
        Endpoint {
            name: self.as_written(name),
            declared: SocketAddr::new(address.ip(), address.port()),
            bound: self.engine.bound(&address),
            error: error.map(|error| error.reason.clone()),
        }
    }

    /// A frontend's name begins with the key of its resource, in lower case: shown in the case of the graph.
    fn as_written(&self, name: &str) -> String {
        let resources = self.graph.of_kind(kind::APPLICATION_GATEWAY);
        let resources = resources.chain(self.graph.of_kind(kind::SERVICE));
        let hit = resources.map(|resource| resource.id.as_str()).find(|id| {
            name.get(..id.len()).is_some_and(|start| start.eq_ignore_ascii_case(id))
                && name
                    .get(id.len()..)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', ':', ' ']))
        });
        match hit {
            Some(id) => format!("{id}{}", name.get(id.len()..).unwrap_or_default()),
            None => name.to_owned(),
        }
    }

    /// What could not be opened.
    pub(crate) fn unopened(&self) -> Vec<Diagnostic> {
        self.unopened.iter().map(listen_diagnostic).collect()
    }

    /// Ends: no new connections, requests in flight get `grace`.
    pub(crate) fn drain(&mut self, grace: Duration) -> bool {
        self.engine.drain(grace)
    }

    fn compile(&self, graph: &Graph, changes: &ChangeSet, material: &Material) -> Candidate {
        let (edge, found) =
            handfast_edge::compile(Some(&self.edge), graph, changes, material, &self.edge_environment);
        // What a part that was not compiled again said still holds.
        let mut diagnostics: Vec<Diagnostic> =
            self.diagnostics.iter().filter(|old| stands(old, graph, changes)).cloned().collect();
        diagnostics.extend(found);
        let (gateway, found) = handfast_gateway::compile(
            Some(&self.gateway),
            graph,
            changes,
            material,
            &self.gateway_environment,
        );
        diagnostics.extend(found);
        let mut seen = BTreeSet::new();
        diagnostics.retain(|diagnostic| seen.insert(diagnostic.to_string()));
        Candidate { edge, gateway, diagnostics }
    }

    fn publish(&mut self, candidate: Candidate) {
        let previous = std::mem::replace(&mut self.edge, candidate.edge);
        self.gateway = candidate.gateway;
        self.diagnostics = candidate.diagnostics;
        self.engine.resolver().publish(self.private_names());
        let mut plans = Vec::new();
        for frontend in self.edge.frontends() {
            let address = edge_address(frontend);
            let (source, aliases) = match &frontend.address {
                handfast_edge::FrontendAddress::Public(ip) => {
                    let real = self.addresses.public(*ip, frontend.port);
                    (self.addresses.source(real), alias(&address, real))
                }
                handfast_edge::FrontendAddress::Private { ip, .. } => {
                    (self.addresses.private(*ip, frontend.port), Vec::new())
                }
            };
            plans.push(ListenerPlan {
                name: frontend.name.clone(),
                address,
                aliases,
                source,
                state: frontend.state.clone(),
            });
        }
        for frontend in self.gateway.frontends() {
            let source = match &frontend.address {
                handfast_gateway::FrontendAddress::FrontDoor => self.addresses.source(self.front_door),
                handfast_gateway::FrontendAddress::Private { ip, .. } => {
                    self.addresses.private(*ip, frontend.port)
                }
            };
            let mut state = frontend.state.clone();
            let mapped = matches!(&frontend.address, handfast_gateway::FrontendAddress::Private { .. })
                && !matches!(source, ListenSource::Memory);
            if mapped {
                // On a single host loopback counts as inside of the virtual network.
                state.filter =
                    state.filter.allowing(IpNet::new_assert(std::net::Ipv4Addr::new(127, 0, 0, 0).into(), 8));
            }
            plans.push(ListenerPlan {
                name: frontend.name.clone(),
                address: self.gateway_address(frontend),
                aliases: Vec::new(),
                source,
                state,
            });
        }
        self.unopened = self.engine.apply(plans);
        self.edge.settle(&previous);
        self.engine.announce();
        self.start_probers();
    }

    fn start_probers(&mut self) {
        let probers = self.edge.probers();
        let now: BTreeSet<usize> = probers.iter().map(|prober| prober.identity()).collect();
        for prober in probers.into_iter().filter(|prober| !self.probers.contains(&prober.identity())) {
            self.engine.spawn(0, move |core| prober.start(&core));
        }
        self.probers = now;
    }

    fn private_names(&self) -> HashMap<String, PrivateName> {
        let name = |(host, address): (String, handfast_gateway::FrontendAddress)| {
            let leads = match address {
                handfast_gateway::FrontendAddress::FrontDoor => PrivateName::Real(self.front_door),
                handfast_gateway::FrontendAddress::Private { network, ip } => {
                    PrivateName::Virtual { network, ip }
                }
            };
            (host, leads)
        };
        self.gateway.names().into_iter().map(name).collect()
    }

    fn gateway_address(&self, frontend: &handfast_gateway::Frontend) -> Address {
        match &frontend.address {
            handfast_gateway::FrontendAddress::FrontDoor => Address::Real(self.front_door),
            handfast_gateway::FrontendAddress::Private { network, ip } => {
                virtual_address(network, *ip, frontend.port)
            }
        }
    }
}

fn edge_address(frontend: &handfast_edge::Frontend) -> Address {
    match &frontend.address {
        handfast_edge::FrontendAddress::Public(ip) => Address::Real(SocketAddr::new(*ip, frontend.port)),
        handfast_edge::FrontendAddress::Private { network, ip } => {
            virtual_address(network, *ip, frontend.port)
        }
    }
}

fn alias(address: &Address, real: SocketAddr) -> Vec<Address> {
    let real = Address::Real(real);
    if real == *address { Vec::new() } else { vec![real] }
}

/// Whether a diagnostic is about a part that a change does not touch.
fn stands(diagnostic: &Diagnostic, graph: &Graph, changes: &ChangeSet) -> bool {
    let Some(resource) = &diagnostic.resource else { return false };
    let Ok(id) = handfast_model::ResourceId::parse(resource) else { return false };
    // A service is compiled as a whole, so anything that changes below it brings all of its diagnostics again.
    let mut top = id.clone();
    while let Some(parent) = top.parent_resource() {
        top = parent;
    }
    graph.get(&id).is_some() && !changes.touches(&top)
}

fn listen_diagnostic(error: &ListenError) -> Diagnostic {
    Diagnostic::error("ListenerNotOpened", error.to_string())
        .help("free the address, or give it another one with --address")
}

/// The mark of a running instance on its state folder. The kernel takes it away when the process ends, however
/// it ends.
struct StateLock {
    _file: File,
}

impl StateLock {
    fn take(state: &Path) -> Result<Self, Failure> {
        let path = state.join("lock");
        let failed = |error: std::io::Error| Failure::Message(format!("\"{}\": {error}", path.display()));
        let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(Failure::Message(format!(
                "state folder \"{}\" is in use by another handfast; end it, or give another folder with --state",
                state.display()
            ))),
            Err(TryLockError::Error(error)) => Err(failed(error)),
        }
    }
}

fn open_store(state: &Path) -> Result<Store, Failure> {
    Store::open(state)
        .map_err(|error| Failure::Message(format!("state folder \"{}\": {error}", state.display())))
}

fn open_ca(store: &Store, now: UnixTime, settings: &Settings) -> Result<InstanceCa, Failure> {
    if let Some(pem) = store.blob(CA_BLOB).map_err(Failure::new)? {
        let text = String::from_utf8_lossy(pem.expose()).into_owned();
        return InstanceCa::from_pem(&text).map_err(Failure::new);
    }
    let ca = InstanceCa::create_for(
        now,
        &settings.domain,
        &[&settings.domain, &settings.gateway_domain, "localhost"],
    )
    .map_err(Failure::new)?;
    store.put_blob(CA_BLOB, ca.to_pem().expose().as_bytes()).map_err(Failure::new)?;
    Ok(ca)
}

/// The CA of a state folder, made when there is none yet.
pub(crate) fn ca_of(state: &Path) -> Result<InstanceCa, Failure> {
    let store = open_store(state)?;
    open_ca(&store, SystemClock.now(), &Settings::default())
}

/// The key that debug tokens of a state folder are signed with, and what is served from there.
pub(crate) fn debugging_of(state: &Path) -> Result<(DebugKey, Graph), Failure> {
    let store = open_store(state)?;
    let key = DebugKey::new(&open_key(&store, DEBUG_BLOB)?);
    Ok((key, store.load().map_err(Failure::new)?.graph))
}

/// A key of the instance's own, made when there is none yet.
fn open_key(store: &Store, blob: &str) -> Result<[u8; 32], Failure> {
    if let Some(stored) = store.blob(blob).map_err(Failure::new)?
        && let Ok(key) = <[u8; 32]>::try_from(stored.expose().as_slice())
    {
        return Ok(key);
    }
    let mut key = [0; 32];
    fill_random(&mut key);
    store.put_blob(blob, &key).map_err(Failure::new)?;
    Ok(key)
}

/// Certificates of the instance's CA for host names, issued once and renewed at two thirds of their life.
fn issuer(ca: Arc<InstanceCa>, clock: Arc<dyn Clock>) -> handfast_gateway::Issue {
    let issued: Mutex<HashMap<String, Arc<Credential>>> = Mutex::default();
    Arc::new(move |host: &str| {
        let now = clock.now();
        let mut issued = issued.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = issued.get(host).filter(|known| !is_due(known, now)) {
            return Some(known.clone());
        }
        let credential = Arc::new(ca.issue(now, &Request::server(host)).ok()?);
        issued.insert(host.to_owned(), credential.clone());
        Some(credential)
    })
}

fn is_due(credential: &Credential, now: UnixTime) -> bool {
    let leaf = credential.leaf();
    now.0 >= leaf.not_before().0 + (leaf.not_after().0 - leaf.not_before().0) / 3 * 2
}

/// Fills a buffer from the system's random source.
fn fill_random(buffer: &mut [u8]) {
    // The source fails only when the kernel has none, and then nothing here is safe to continue.
    aws_lc_rs::rand::fill(buffer).expect("the system has a random source");
}

/// The address of a loopback listener for humans: `127.0.0.1` instead of `0.0.0.0`.
pub(crate) fn dialable(address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => {
            SocketAddr::new(std::net::Ipv4Addr::LOCALHOST.into(), address.port())
        }
        IpAddr::V6(ip) if ip.is_unspecified() => {
            SocketAddr::new(std::net::Ipv6Addr::LOCALHOST.into(), address.port())
        }
        _ => address,
    }
}
