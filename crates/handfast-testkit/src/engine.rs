//! An engine with listeners on loopback or in memory.

use crate::clock::TestClock;
use handfast_core::Clock;
use handfast_net::tls::{
    ClientAuth, ClientTls, ClientTlsSpec, TlsHost, TlsHostSpec, TlsTable, TlsVersions, TrustSet,
};
use handfast_net::{
    Address, Engine, EngineConfig, GlobalLimits, Hop, Limits, ListenSource, ListenerPlan, ListenerState,
    ServerName, Service, SourceFilter, Target, UpstreamProtocol,
};
use handfast_pki::Credential;
use handfast_telemetry::{LogSink, Metrics};
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

/// An engine, its clock and its counters.
pub struct TestEngine {
    /// The engine.
    pub engine: Engine,
    /// The clock that certificates are judged by.
    pub clock: Arc<TestClock>,
    /// The counters.
    pub metrics: Arc<Metrics>,
    listeners: Vec<TestListener>,
    log: LogLines,
}

struct TestListener {
    name: String,
    address: Address,
    source: fn(&Address) -> ListenSource,
    state: ListenerState,
}

/// What the log sink has written.
#[derive(Clone, Default)]
struct LogLines(Arc<Mutex<Vec<u8>>>);

impl Write for LogLines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl TestEngine {
    /// One core, default limits.
    pub fn start(hop: Hop) -> Self {
        Self::start_with(hop, GlobalLimits::default())
    }

    /// One core, given limits.
    pub fn start_with(hop: Hop, limits: GlobalLimits) -> Self {
        let (clock, metrics) = (Arc::new(TestClock::new()), Arc::new(Metrics::default()));
        let log = LogLines::default();
        let (sink, _) = LogSink::start(Box::new(log.clone()), metrics.clone()).expect("a thread starts");
        let config = EngineConfig {
            cores: 1,
            limits,
            hop,
            clock: clock.clone(),
            metrics: metrics.clone(),
            log: Some(sink),
        };
        let engine = Engine::start(config).expect("threads start");
        Self { engine, clock, metrics, listeners: Vec::new(), log }
    }

    /// Stops the engine; the log lines of the requests that it has served.
    pub fn into_log(self) -> Vec<String> {
        let Self { engine, log, .. } = self;
        drop(engine);
        // The writer thread lets go of the lines when it has written the last one.
        while Arc::strong_count(&log.0) > 1 {
            std::thread::yield_now();
        }
        let bytes = std::mem::take(&mut *log.0.lock().unwrap_or_else(PoisonError::into_inner));
        String::from_utf8_lossy(&bytes).lines().map(str::to_owned).collect()
    }

    /// The clock as the engine takes it.
    pub fn shared_clock(&self) -> Arc<dyn Clock> {
        self.clock.clone()
    }

    /// A host of a listener.
    pub fn host(
        &self,
        name: &str,
        credential: Arc<Credential>,
        client_auth: ClientAuth,
        http2: bool,
    ) -> Arc<TlsHost> {
        let spec = TlsHostSpec {
            name: name.to_owned(),
            pattern: None,
            credential,
            client_auth,
            trust_version: [0; 32],
            versions: TlsVersions::default(),
            suites: handfast_net::tls::Suite::ALL.to_vec(),
            http2,
        };
        TlsHost::build(spec, name, &self.shared_clock(), None).expect("a usable certificate")
    }

    /// A state with one host, or without TLS.
    pub fn state(&self, service: Arc<dyn Service>, host: Option<Arc<TlsHost>>) -> ListenerState {
        ListenerState {
            tls: host.map(|host| TlsTable::new(vec![host], Some(0), Vec::new())),
            service,
            limits: Arc::new(Limits::default()),
            filter: SourceFilter::default(),
            trusted_proxies: Arc::new([]),
        }
    }

    /// Opens one more listener on a free loopback port; its address.
    pub fn listen(&mut self, name: &str, state: ListenerState) -> SocketAddr {
        let probe = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = probe.local_addr().expect("bound");
        drop(probe);
        let source = |address: &Address| ListenSource::Bind(SocketAddr::new(address.ip(), address.port()));
        self.open(name, Address::Real(address), source, state);
        address
    }

    /// Has a listener answer with another state.
    pub fn publish(&mut self, name: &str, state: ListenerState) {
        for listener in self.listeners.iter_mut().filter(|listener| listener.name == name) {
            listener.state = state.clone();
        }
        self.apply();
    }

    /// Opens one more listener that only this process reaches.
    pub fn listen_in_memory(&mut self, name: &str, address: Address, state: ListenerState) {
        self.open(name, address, |_| ListenSource::Memory, state);
    }

    fn open(
        &mut self,
        name: &str,
        address: Address,
        source: fn(&Address) -> ListenSource,
        state: ListenerState,
    ) {
        self.listeners.push(TestListener { name: name.to_owned(), address, source, state });
        self.apply();
    }

    fn apply(&mut self) {
        let plan = |listener: &TestListener| ListenerPlan {
            name: listener.name.clone(),
            address: listener.address.clone(),
            aliases: Vec::new(),
            source: (listener.source)(&listener.address),
            state: listener.state.clone(),
        };
        let errors = self.engine.apply(self.listeners.iter().map(plan).collect());
        assert!(errors.is_empty(), "{errors:?}");
    }

    /// A target over TLS.
    pub fn tls_target(
        &self,
        address: Address,
        name: &str,
        trust: Arc<TrustSet>,
        credential: Option<Arc<Credential>>,
    ) -> Target {
        let spec = ClientTlsSpec { trust, check_chain: true, check_name: true, credential, http2: false };
        Target {
            address,
            tls: Some(ClientTls::build(name, spec, &self.shared_clock()).expect("a usable certificate")),
            server_name: Some(ServerName::try_from(name.to_owned()).expect("a host name")),
            protocol: UpstreamProtocol::Http1,
            source: None,
            dedicated: None,
            tunnel: None,
        }
    }

    /// A target without TLS.
    pub fn plain_target(address: SocketAddr) -> Target {
        Target {
            address: Address::Real(address),
            tls: None,
            server_name: None,
            protocol: UpstreamProtocol::Http1,
            source: None,
            dedicated: None,
            tunnel: None,
        }
    }
}
