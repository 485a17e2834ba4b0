//! One proxy hop with mutual TLS on both sides, as a program of its own so that its system calls and its CPU
//! time can be measured. Arguments: a file with a CA (both sides' certificates come from it), the address to
//! listen on, and the address of the server. It runs until its standard input ends.

use handfast_core::Clock;
use handfast_net::tls::{ClientAuth, ClientTls, ClientTlsSpec, TlsHost, TlsHostSpec, TlsTable, TlsVersions};
use handfast_net::tls::{Suite, TrustSet};
use handfast_net::{
    Address, Engine, EngineConfig, GlobalLimits, Hop, Limits, ListenSource, ListenerPlan, ListenerState,
    ServerName, SourceFilter, Target, UpstreamProtocol, UpstreamTimeouts,
};
use handfast_pki::ca::{InstanceCa, Request};
use handfast_telemetry::Metrics;
use handfast_testkit::{Forward, TestClock};
use std::error::Error;
use std::io::Read;
use std::net::SocketAddr;
use std::sync::Arc;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [ca, listen, server] = arguments.as_slice() else {
        return Err("usage: hop CA-FILE LISTEN-ADDRESS SERVER-ADDRESS".into());
    };
    let (listen, server): (SocketAddr, SocketAddr) = (listen.parse()?, server.parse()?);
    let clock: Arc<dyn Clock> = Arc::new(TestClock::new());
    let ca = InstanceCa::from_pem(&std::fs::read_to_string(ca)?)?;
    let trust = Arc::new(TrustSet::new(vec![ca.root().clone()], Vec::new()));
    let spec = ClientTlsSpec {
        trust: trust.clone(),
        check_chain: true,
        check_name: true,
        credential: Some(Arc::new(ca.issue(clock.now(), &Request::client("hop"))?)),
        http2: false,
    };
    let target = Target {
        address: Address::Real(server),
        tls: Some(ClientTls::build("server", spec, &clock)?),
        server_name: Some(ServerName::try_from("back.localhost")?),
        protocol: UpstreamProtocol::Http1,
        source: None,
        dedicated: None,
        tunnel: None,
    };
    let host = TlsHostSpec {
        name: "front".to_owned(),
        pattern: None,
        credential: Arc::new(ca.issue(clock.now(), &Request::server("front.localhost"))?),
        client_auth: ClientAuth::Require { trust },
        trust_version: [0; 32],
        versions: TlsVersions::default(),
        suites: Suite::ALL.to_vec(),
        http2: true,
    };
    let host = TlsHost::build(host, "front", &clock, None)?;
    let mut engine = Engine::start(EngineConfig {
        cores: 1,
        limits: GlobalLimits::default(),
        hop: Hop::Wire,
        clock,
        metrics: Arc::new(Metrics::default()),
        log: None,
    })?;
    let state = ListenerState {
        tls: Some(TlsTable::new(vec![host], Some(0), Vec::new())),
        service: Arc::new(Forward { target, timeouts: UpstreamTimeouts::default() }),
        limits: Arc::new(Limits::default()),
        filter: SourceFilter::default(),
        trusted_proxies: Arc::new([]),
    };
    let errors = engine.apply(vec![ListenerPlan {
        name: "front".to_owned(),
        address: Address::Real(listen),
        aliases: Vec::new(),
        source: ListenSource::Bind(listen),
        state,
    }]);
    if let Some(error) = errors.into_iter().next() {
        return Err(error.into());
    }
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}
