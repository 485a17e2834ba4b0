//! A sample microservice: one collection of things over HTTPS. It demands a client certificate of a given
//! root in the handshake, so that nobody gets past the chain in front of it, and tells in each answer who
//! called it.
#![allow(clippy::print_stdout, reason = "an example talks to the terminal")]

use clap::Parser;
use handfast_core::message::Method;
use handfast_core::{Clock, UnixTime};
use handfast_net::tls::{ClientAuth, Suite, TlsHost, TlsHostSpec, TlsTable, TlsVersions, TrustSet};
use handfast_net::{
    Address, ConnectionInfo, Core, Engine, EngineConfig, GlobalLimits, Hop, Limits, ListenSource,
    ListenerPlan, ListenerState, LocalFuture, Refusal, Request, Response, Service, SourceFilter,
};
use handfast_pki::{Credential, pem};
use handfast_telemetry::Metrics;
use serde_json::{Value, json};
use std::error::Error;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

#[derive(Parser)]
struct Options {
    /// Name of the collection
    #[arg(long)]
    name: String,
    /// Address to listen on
    #[arg(long)]
    listen: SocketAddr,
    /// Certificate chain, PEM
    #[arg(long)]
    certificate: PathBuf,
    /// Private key, PEM
    #[arg(long)]
    key: PathBuf,
    /// Root that clients' certificates must end in, PEM
    #[arg(long)]
    client_ca: PathBuf,
}

struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> UnixTime {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        UnixTime(since.as_secs() as i64)
    }
}

struct Collection {
    name: String,
}

impl Service for Collection {
    fn call(self: Arc<Self>, _core: Core, request: Request) -> LocalFuture<Response> {
        Box::pin(async move { self.answer(request).await })
    }

    fn refuse(&self, _core: &Core, _connection: &Rc<ConnectionInfo>, refusal: Refusal) -> Response {
        answer(refusal.status(), &json!({ "error": refusal.to_string() })).closing()
    }

    fn fail(&self, _connection: &ConnectionInfo, status: u16) -> Response {
        answer(status, &json!({ "error": "the service failed" }))
    }
}

impl Collection {
    async fn answer(&self, request: Request) -> Response {
        let Request { head, mut body, connection, .. } = request;
        let caller = connection
            .tls
            .as_ref()
            .and_then(|tls| tls.client_chain.leaf())
            .map(|leaf| leaf.subject().dotnet());
        let field = |name: &str| head.fields.get_str(name).map(str::to_owned);
        let facts = json!({
            "service": self.name,
            "path": head.target.path(),
            "caller": caller,
            "tls": connection.tls.as_ref().map(|tls| tls.protocol),
            "forwardedFor": field("x-forwarded-for"),
            "clientSubject": field("x-client-subject"),
        });
        let id = head.target.path().trim_matches('/');
        match head.method {
            Method::Get if id.is_empty() => {
                let items: Vec<Value> = (1..=3).map(|id| json!({ "id": id })).collect();
                answer(200, &json!({ "items": items, "seen": facts }))
            }
            Method::Get => answer(200, &json!({ "id": id, "seen": facts })),
            Method::Post => match body.collect(1 << 20).await {
                Ok(sent) => {
                    let mut created = json!({ "created": String::from_utf8_lossy(&sent), "seen": facts });
                    for (name, header) in [("customer", "x-customer"), ("orderedBy", "x-ordered-by")] {
                        if let Some(value) = head.fields.get_str(header) {
                            created[name] = value.into();
                        }
                    }
                    answer(201, &created)
                }
                Err(failure) => answer(400, &json!({ "error": failure.to_string() })),
            },
            _ => answer(405, &json!({ "error": "GET and POST are accepted" })),
        }
    }
}

fn answer(status: u16, value: &Value) -> Response {
    Response::full(status, "application/json", value.to_string())
}

fn main() -> Result<(), Box<dyn Error>> {
    // The only way that this fails is a provider that is installed already, and then it is this one.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let options = Options::parse();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let both = [std::fs::read(&options.certificate)?, std::fs::read(&options.key)?].concat();
    let credential = Arc::new(Credential::from_pem(&both, None)?);
    let roots = pem::certificates(&std::fs::read(&options.client_ca)?)?;
    let spec = TlsHostSpec {
        name: options.name.clone(),
        pattern: None,
        credential,
        client_auth: ClientAuth::Require { trust: Arc::new(TrustSet::new(roots, Vec::new())) },
        trust_version: [0; 32],
        versions: TlsVersions::default(),
        suites: Suite::ALL.to_vec(),
        http2: true,
    };
    let host = TlsHost::build(spec, &options.name, &clock, None)?;
    let state = ListenerState {
        tls: Some(TlsTable::new(vec![host], Some(0), Vec::new())),
        service: Arc::new(Collection { name: options.name.clone() }),
        limits: Arc::new(Limits::default()),
        filter: SourceFilter::default(),
        trusted_proxies: Arc::new([]),
    };
    let mut engine = Engine::start(EngineConfig {
        cores: 1,
        limits: GlobalLimits {
            connections_per_source_max: 10_000,
            accepts_per_source_per_second: 100_000,
            accepts_per_source_burst: 100_000,
            ..GlobalLimits::default()
        },
        hop: Hop::Wire,
        clock,
        metrics: Arc::new(Metrics::default()),
        log: None,
    })?;
    let errors = engine.apply(vec![ListenerPlan {
        name: options.name.clone(),
        address: Address::Real(options.listen),
        aliases: Vec::new(),
        source: ListenSource::Bind(options.listen),
        state,
    }]);
    if let Some(error) = errors.into_iter().next() {
        return Err(error.into());
    }
    println!("{} listens on {}", options.name, options.listen);
    loop {
        std::thread::park();
    }
}
