//! Active probes (edge specification §1.13): one prober per pool and settings in use. A server is eligible
//! until its first probe has failed often enough, and again after one success.

use crate::forward::{authority, resolve, tls_name};
use crate::plan::{Backend, BackendHost, Member};
use handfast_core::message::{Method, RequestHead, Scheme};
use handfast_net::balance::Health;
use handfast_net::{Core, Target, UpstreamFailure, UpstreamProtocol, UpstreamRequest, UpstreamTimeouts};
use std::sync::{Arc, Weak};
use std::time::Duration;

/// Bytes of a probe's response that are searched for the match.
const BODY_BYTES_MAX: usize = 64 * 1024;

/// Probes the servers of one backend for as long as the plan has it.
#[derive(Clone)]
pub struct Prober {
    backend: Weak<Backend>,
    identity: usize,
}

/// What probes know about one server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerHealth {
    /// The server as the pool names it.
    pub address: String,
    /// Its state.
    pub health: Health,
}

impl Prober {
    pub(crate) fn of(backend: &Arc<Backend>) -> Self {
        Self { backend: Arc::downgrade(backend), identity: Arc::as_ptr(backend) as usize }
    }

    /// Tells probers apart: a backend that a new plan took over has the same one.
    pub fn identity(&self) -> usize {
        self.identity
    }

    /// Starts probing on a core.
    pub fn start(&self, core: &Core) {
        let Some(backend) = self.backend.upgrade() else { return };
        for index in 0..backend.servers.servers().len() {
            let (prober, core) = (self.clone(), core.clone());
            core.clone().spawn(async move { prober.watch(&core, index).await });
        }
    }

    async fn watch(&self, core: &Core, index: usize) {
        let mut failures = 0;
        let mut first = true;
        loop {
            let Some(backend) = self.backend.upgrade() else { return };
            let Some(server) = backend.servers.servers().get(index) else { return };
            let interval = Duration::from_secs(u64::from(backend.probe.interval_s));
            if !first {
                match probe(core, &backend, &server.target).await {
                    Ok(status) => {
                        failures = 0;
                        if server.state.health() == Health::Unhealthy {
                            let text = format!("Success. Received {status} status code");
                            log(core, &backend, &server.target, "Healthy", &text);
                        }
                        server.state.set_health(Health::Healthy);
                    }
                    Err(text) => {
                        failures += 1;
                        if failures == backend.probe.unhealthy_threshold {
                            server.state.set_health(Health::Unhealthy);
                            log(core, &backend, &server.target, "Unhealthy", &text);
                        }
                    }
                }
            }
            drop(backend);
            // The first probe is spread over one interval, so that a start does not probe everything at once;
            // at most a second, so that a broken server is known soon.
            let wait = if first {
                interval.min(Duration::from_secs(1)).mul_f64(unit(core.random()))
            } else {
                interval
            };
            first = false;
            handfast_net::sleep(wait).await;
        }
    }
}

/// A number in [0, 1).
fn unit(random: u64) -> f64 {
    (random >> 11) as f64 / (1u64 << 53) as f64
}

fn log(core: &Core, backend: &Backend, member: &Member, health: &str, text: &str) {
    core.log(|line| {
        line.text("timeStamp", &core.clock().now().to_string())
            .text("category", "HealthProbeLog")
            .text("backendPoolName", &backend.pool_name)
            .text("backendSettingName", &backend.settings.name)
            .text("server", &member.host)
            .text("health", health)
            .text("healthProbeLog", text);
    });
}

async fn probe(core: &Core, backend: &Backend, member: &Member) -> Result<u16, String> {
    let settings = &backend.settings;
    let limit = Duration::from_secs(u64::from(backend.probe.timeout_s));
    let host = probe_host(backend, member);
    let address = resolve(core, member, backend.probe.port).await.map_err(|_| {
        format!("The backend health check could not create a probe for this backend: the FQDN \"{}\" could not be resolved.", member.host)
    })?;
    let target = Target {
        address,
        tls: settings.tls.clone(),
        server_name: tls_name(&host, member),
        protocol: if settings.http2 { UpstreamProtocol::Http2 } else { UpstreamProtocol::Http1 },
        source: settings.source,
        dedicated: None,
        tunnel: None,
    };
    let mut head = RequestHead { method: Method::Get, scheme: Scheme::Https, ..RequestHead::default() };
    head.target.assign(&backend.probe.path);
    let value = authority(&host, backend.probe.port, settings.tls.is_some());
    for (name, value) in [("Host", value.as_str()), ("User-Agent", "Handfast-Probe/1")] {
        head.fields.append(name.as_bytes(), value.as_bytes()).map_err(|error| error.to_string())?;
    }
    let timeouts = UpstreamTimeouts { connect: limit, response: limit, body_idle: limit };
    let request = UpstreamRequest { head, body: handfast_net::Body::Empty, upgrade: false, timeouts };
    let mut response = core.send(&target, request).await.map_err(|error| failure_text(&error.failure))?;
    let status = response.head.status;
    if !backend.probe.statuses.iter().any(|(low, high)| (*low..=*high).contains(&status)) {
        let expected: Vec<String> =
            backend.probe.statuses.iter().map(|(low, high)| range(*low, *high)).collect();
        let expected = expected.join(",");
        return Err(format!(
            "Status code of the backend's HTTP response did not match the probe setting. Expected:{expected} Received:{status}."
        ));
    }
    let Some(wanted) = &backend.probe.body else { return Ok(status) };
    let body = start_of(&mut response.body).await;
    if String::from_utf8_lossy(&body).contains(wanted.as_str()) {
        return Ok(status);
    }
    Err("Body of the backend's HTTP response did not match the probe setting.".to_owned())
}

/// The beginning of a body, as far as a match is looked for.
async fn start_of(body: &mut handfast_net::Body) -> Vec<u8> {
    let mut start = Vec::new();
    while start.len() < BODY_BYTES_MAX {
        if std::future::poll_fn(|cx| body.poll_ready(cx)).await.is_err() || body.chunk().is_empty() {
            break;
        }
        let count = body.chunk().len().min(BODY_BYTES_MAX - start.len());
        start.extend_from_slice(body.chunk().get(..count).unwrap_or_default());
        body.consume(count);
    }
    start
}

fn range(low: u16, high: u16) -> String {
    if low == high { low.to_string() } else { format!("{low}-{high}") }
}

/// Probe host, else the settings' host, else the member's name; the default probe says 127.0.0.1.
fn probe_host(backend: &Backend, member: &Member) -> String {
    if let Some(host) = &backend.probe.host {
        return host.clone();
    }
    match &backend.settings.host {
        BackendHost::Fixed(host) => host.clone(),
        _ if member.address.is_none() => member.host.clone(),
        _ => "127.0.0.1".to_owned(),
    }
}

fn failure_text(failure: &UpstreamFailure) -> String {
    match failure {
        UpstreamFailure::Timeout | UpstreamFailure::ConnectTimeout(_) => {
            "Time taken by the backend to respond to application gateway's health probe is more than the timeout threshold in the probe setting.".to_owned()
        }
        UpstreamFailure::Tls { reason, .. } => format!("The server certificate of the backend could not be verified: {reason}."),
        other => format!("Application gateway could not connect to the backend: {other}."),
    }
}
