//! Pools, HTTP settings, probes and trusted roots.

use super::Task;
use super::children::Children;
use crate::affinity::Affinity;
use crate::plan::{Backend, BackendHost, HttpSettings, Member, ProbeSettings};
use handfast_core::message::is_token;
use handfast_model::{ResourceId, View};
use handfast_net::balance::{Algorithm, Pool, Server};
use handfast_net::tls::{ClientTls, ClientTlsSpec, TrustSet};
use handfast_net::{Address, UpstreamTimeouts};
use handfast_pki::{Certificate, Credential, pem};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// Everything that rules can forward to; a backend is made when a rule first names its pool and settings.
pub(super) struct Backends<'a> {
    task: &'a Task<'a>,
    pools: BTreeMap<String, (String, Vec<Member>)>,
    settings: BTreeMap<String, (HttpSettings, Option<String>, ProbeSettings)>,
    made: RefCell<BTreeMap<(String, String), Arc<Backend>>>,
}

impl<'a> Backends<'a> {
    pub(super) fn compile(task: &'a Task<'a>, properties: &View<'_>, children: &Children<'_>) -> Self {
        let network = Network::of(task, properties);
        let roots = trusted_roots(task, properties);
        let probes = probes(properties);
        let mut settings = BTreeMap::new();
        for view in properties.array("backendHttpSettingsCollection") {
            let Some(name) = view.str("name") else { continue };
            let reader = SettingsReader { task, children, network: &network, roots: &roots, probes: &probes };
            if let Some(read) = reader.read(name, &view) {
                settings.insert(name.to_lowercase(), read);
            }
        }
        let mut pools = BTreeMap::new();
        for view in properties.array("backendAddressPools") {
            let Some(name) = view.str("name") else { continue };
            // A pool with a wrong address is none: rules that use it keep their last good version.
            if let Some(members) = members(&view, &network) {
                pools.insert(name.to_lowercase(), (name.to_owned(), members));
            }
        }
        Self { task, pools, settings, made: RefCell::default() }
    }

    /// The backend of a pool under settings, both by lower-case name.
    pub(super) fn get(&self, pool: &str, settings: &str) -> Option<Arc<Backend>> {
        let key = (pool.to_owned(), settings.to_owned());
        if let Some(made) = self.made.borrow().get(&key) {
            return Some(made.clone());
        }
        let (pool_name, members) = self.pools.get(pool)?;
        let (http, cookie, probe) = self.settings.get(settings)?;
        let previous = self.task.previous.and_then(|previous| previous.backends.get(&key));
        let known: Vec<&Server<Member>> =
            previous.into_iter().flat_map(|p| p.servers.servers().iter().chain(&p.leaving)).collect();
        let servers: Vec<Server<Member>> = members
            .iter()
            .map(|member| {
                let known = known.iter().find(|server| server.target == *member);
                known.map_or_else(|| Server::new(member.clone()), |server| (*server).clone())
            })
            .collect();
        let leaving: Vec<Server<Member>> = known
            .into_iter()
            .filter(|server| !members.contains(&server.target) && !server.state.is_gone())
            .cloned()
            .collect();
        let scope = format!("{}/{pool}/{settings}", self.task.resource.id.key());
        let affinity = cookie.as_ref().map(|cookie| {
            let named = servers.iter().chain(&leaving);
            Affinity::new(cookie.clone(), &self.task.environment.affinity_key, &scope, named)
        });
        let tag = format!("handfast:backendHttpSettings:{}:lb", http.name);
        let algorithm = match self.task.resource.tag(&tag) {
            Some(word) if word.eq_ignore_ascii_case("least-request") => Algorithm::LeastRequest,
            Some(word) if word.eq_ignore_ascii_case("random") => Algorithm::Random,
            _ => Algorithm::RoundRobin,
        };
        let made = Arc::new(Backend {
            pool_name: pool_name.clone(),
            settings: http.clone(),
            servers: Pool::new(servers, algorithm).with_eligible_min(probe.eligible_min),
            leaving,
            probe: probe.clone(),
            affinity,
        });
        self.made.borrow_mut().insert(key, made.clone());
        Some(made)
    }

    pub(super) fn into_map(self) -> BTreeMap<(String, String), Arc<Backend>> {
        self.made.into_inner()
    }
}

/// The virtual network that the gateway's subnet belongs to.
pub(super) struct Network {
    id: Option<Arc<str>>,
    prefixes: Vec<ipnet::IpNet>,
    /// An address of the gateway's own subnet: its first usable one.
    source: Option<IpAddr>,
}

impl Network {
    pub(super) fn of(task: &Task<'_>, properties: &View<'_>) -> Self {
        let none = Self { id: None, prefixes: Vec::new(), source: None };
        let configurations = properties.array("gatewayIPConfigurations");
        let Some(subnet) = configurations.first().and_then(|view| view.field("properties").id_ref("subnet"))
        else {
            return none;
        };
        let Some(network) = subnet.parent_resource().and_then(|id| task.graph.get(&id)) else {
            if let Some(view) = configurations.first() {
                view.field("properties").any("subnet").error(
                    "InvalidResourceReference",
                    format!("subnet \"{}\" does not exist", subnet.as_str()),
                );
            }
            return none;
        };
        let prefixes =
            network.properties().pointer("/addressSpace/addressPrefixes").and_then(|v| v.as_array());
        let prefixes: Vec<ipnet::IpNet> =
            prefixes.into_iter().flatten().filter_map(|prefix| prefix.as_str()?.parse().ok()).collect();
        let source = subnet_prefix(task, &subnet).and_then(|prefix| prefix.hosts().nth(3));
        Self { id: Some(network.id.key().into()), prefixes, source }
    }

    /// An address literal: virtual when it lies in the network.
    fn address(&self, ip: IpAddr) -> Address {
        match &self.id {
            Some(network) if self.prefixes.iter().any(|prefix| prefix.contains(&ip)) => {
                Address::Virtual { network: network.clone(), ip, port: 0 }
            }
            _ => Address::Real(std::net::SocketAddr::new(ip, 0)),
        }
    }
}

/// The prefix of a subnet, inline in its network or a resource of its own.
fn subnet_prefix(task: &Task<'_>, subnet: &ResourceId) -> Option<ipnet::IpNet> {
    let own = task
        .graph
        .get(subnet)
        .and_then(|resource| resource.properties().get("addressPrefix")?.as_str()?.parse().ok());
    own.or_else(|| {
        let network = task.graph.get(&subnet.parent_resource()?)?;
        let subnets = network.properties().get("subnets")?.as_array()?;
        let entry = subnets
            .iter()
            .find(|entry| entry["name"].as_str().is_some_and(|n| n.eq_ignore_ascii_case(subnet.name())))?;
        entry.pointer("/properties/addressPrefix")?.as_str()?.parse().ok()
    })
}

fn members(pool: &View<'_>, network: &Network) -> Option<Vec<Member>> {
    let (mut members, mut broken) = (Vec::new(), false);
    for address in pool.field("properties").array("backendAddresses") {
        let literal = address.str("ipAddress");
        let Some(host) = literal.or_else(|| address.str("fqdn")) else {
            address.error("MissingProperty", "a backend address needs \"ipAddress\" or \"fqdn\"");
            broken = true;
            continue;
        };
        if literal.is_none() && !is_host(host) {
            address.any("fqdn").error("InvalidProperty", format!("\"{host}\" is no host name"));
            broken = true;
            continue;
        }
        let ip = host.parse::<IpAddr>().ok();
        if literal.is_some() && ip.is_none() {
            address
                .any("ipAddress")
                .error("InvalidProperty", format!("\"{host}\" is no IP address; use \"fqdn\" for names"));
            broken = true;
            continue;
        }
        members.push(Member { host: host.to_owned(), address: ip.map(|ip| network.address(ip)) });
    }
    (!broken).then_some(members)
}

/// Something that can stand in `Host`: a name or an address.
fn is_host(host: &str) -> bool {
    let known = |b: u8| b.is_ascii_alphanumeric() || b"-._:[]".contains(&b);
    (1..=253).contains(&host.len()) && host.bytes().all(known)
}

/// A host in a field, reported when it is none. `Err` is one that cannot be used.
fn host_field<'v>(view: &View<'v>, field: &str) -> Result<Option<&'v str>, ()> {
    match view.str(field).filter(|host| !host.is_empty()) {
        Some(host) if !is_host(host) => {
            view.any(field).error("InvalidProperty", format!("\"{host}\" is no host name"));
            Err(())
        }
        host => Ok(host),
    }
}

/// A path in a field: it stands in a request line as it is.
fn is_path(path: &str) -> bool {
    path.starts_with('/') && path.bytes().all(|b| (0x21..=0x7e).contains(&b) && b != b'#')
}

/// Trusted root certificates by lower-case name.
fn trusted_roots(task: &Task<'_>, properties: &View<'_>) -> BTreeMap<String, Vec<Certificate>> {
    let mut roots = BTreeMap::new();
    for collection in ["trustedRootCertificates", "authenticationCertificates"] {
        for view in properties.array(collection) {
            let Some(name) = view.str("name") else { continue };
            let inner = view.field("properties");
            let vault = inner.str("keyVaultSecretId").and_then(|url| task.material.vault(url));
            let data = match (inner.str("data"), vault) {
                (Some(data), _) => data.as_bytes(),
                (None, Some((_, secret))) => secret.expose(),
                (None, None) => {
                    inner.error("MissingProperty", "\"data\" or a readable \"keyVaultSecretId\" is needed");
                    continue;
                }
            };
            match pem::certificates(data) {
                Ok(certificates) => {
                    roots.insert(format!("{collection}/{}", name.to_lowercase()), certificates);
                }
                Err(error) => inner.any("data").error(error.code(), error.to_string()),
            }
        }
    }
    roots
}

fn probes(properties: &View<'_>) -> BTreeMap<String, (ProbeSettings, bool, bool, String)> {
    let mut probes = BTreeMap::new();
    for view in properties.array("probes") {
        let Some(name) = view.str("name") else { continue };
        let inner = view.field("properties");
        let path = inner.str("path").unwrap_or("/");
        if !is_path(path) {
            inner.any("path").error(
                "InvalidProperty",
                format!("probe path \"{path}\" must begin with \"/\" and have no spaces"),
            );
            continue;
        }
        let Ok(host) = host_field(&inner, "host") else { continue };
        let https = inner.one_of("protocol", &[("Http", false), ("Https", true)]).unwrap_or(false);
        let matcher = inner.field("match");
        let statuses = statuses(&matcher);
        let settings = ProbeSettings {
            host: host.map(str::to_owned),
            path: path.to_owned(),
            port: inner.integer_in("port", 1..=65535).unwrap_or(0),
            interval_s: inner.integer_in("interval", 1..=86400).unwrap_or(30),
            timeout_s: inner.integer_in("timeout", 1..=86400).unwrap_or(30),
            unhealthy_threshold: inner.integer_in("unhealthyThreshold", 1..=20).unwrap_or(3),
            eligible_min: inner.integer_in("minServers", 0..=1200).unwrap_or(0),
            statuses,
            body: matcher.str("body").filter(|body| !body.is_empty()).map(str::to_owned),
        };
        let pick = inner.bool_or("pickHostNameFromBackendHttpSettings", false);
        probes.insert(name.to_lowercase(), (settings, https, pick, inner.path().to_owned()));
    }
    probes
}

/// `200-399`, `404`; the default is 200 to 399.
fn statuses(matcher: &View<'_>) -> Vec<(u16, u16)> {
    let mut ranges = Vec::new();
    for item in matcher.array("statusCodes") {
        let Some(text) = item.as_str() else { continue };
        let (low, high) = text.split_once('-').unwrap_or((text, text));
        match (low.trim().parse(), high.trim().parse()) {
            (Ok(low), Ok(high)) if low <= high => ranges.push((low, high)),
            _ => item.error(
                "InvalidProperty",
                format!("\"{text}\" is no status range; \"200-399\" or \"404\" would be accepted"),
            ),
        }
    }
    if ranges.is_empty() { vec![(200, 399)] } else { ranges }
}

/// How long servers that leave the pool go on (§1.12): 30 seconds where draining is off.
fn drain(draining: &View<'_>) -> Duration {
    let seconds = draining.integer_in("drainTimeoutInSec", 1..=3600);
    let enabled = draining.bool_or("enabled", false);
    Duration::from_secs(seconds.filter(|_| enabled).unwrap_or(30))
}

struct SettingsReader<'a> {
    task: &'a Task<'a>,
    children: &'a Children<'a>,
    network: &'a Network,
    roots: &'a BTreeMap<String, Vec<Certificate>>,
    probes: &'a BTreeMap<String, (ProbeSettings, bool, bool, String)>,
}

impl SettingsReader<'_> {
    fn read(&self, name: &str, view: &View<'_>) -> Option<(HttpSettings, Option<String>, ProbeSettings)> {
        let inner = view.field("properties");
        inner.required("protocol")?;
        let https = inner.one_of("protocol", &[("Http", false), ("Https", true)])?;
        let port: u16 = inner.integer_in("port", 1..=65535).or_else(|| {
            inner.required("port");
            None
        })?;
        let pick = inner.bool_or("pickHostNameFromBackendAddress", false);
        let host_name = host_field(&inner, "hostName").ok()?;
        let server_name = host_field(&inner, "sniName").ok()?;
        if pick && host_name.is_some() {
            inner.any("hostName").error(
                "ApplicationGatewayHostNameAndPickHostNameFromBackendAddressSpecified",
                "\"hostName\" and \"pickHostNameFromBackendAddress\" exclude each other",
            );
            return None;
        }
        let path = inner.str("path").filter(|path| !path.is_empty());
        if path.is_some_and(|path| !is_path(&format!("/{path}")) || path.contains('?')) {
            inner.any("path").error("InvalidProperty", "\"path\" has characters that a path cannot have");
            return None;
        }
        let host = match (host_name, pick) {
            (Some(host), _) => BackendHost::Fixed(host.to_owned()),
            (None, true) => BackendHost::Member,
            (None, false) => BackendHost::Client,
        };
        let timeout = Duration::from_secs(inner.integer_in("requestTimeout", 1..=86400).unwrap_or(20));
        let tag = format!("handfast:backendHttpSettings:{name}:backendProtocol");
        let http2 = self.task.resource.tag(&tag).is_some_and(|value| value.eq_ignore_ascii_case("h2"));
        let tls = if https { Some(self.tls(name, &inner, http2)?) } else { None };
        let settings = HttpSettings {
            name: name.to_owned(),
            port,
            tls,
            http2,
            host,
            server_name: server_name.map(str::to_owned),
            path: path.map(|path| format!("/{}", path.trim_start_matches('/'))),
            timeouts: UpstreamTimeouts {
                connect: Duration::from_secs(5),
                response: timeout,
                body_idle: timeout,
            },
            source: self.network.source,
            drain: drain(&inner.field("connectionDraining")),
            dedicated: inner.bool_or("dedicatedBackendConnection", false),
        };
        let cookie =
            inner.one_of("cookieBasedAffinity", &[("Enabled", true), ("Disabled", false)]) == Some(true);
        let cookie = cookie
            .then(|| inner.str("affinityCookieName").unwrap_or("ApplicationGatewayAffinity").to_owned());
        if cookie.as_ref().is_some_and(|cookie| !is_token(cookie.as_bytes())) {
            inner
                .any("affinityCookieName")
                .error("InvalidProperty", "\"affinityCookieName\" is no cookie name");
            return None;
        }
        let probe = self.probe(&inner, &settings, https)?;
        Some((settings, cookie, probe))
    }

    fn tls(&self, name: &str, inner: &View<'_>, http2: bool) -> Option<Arc<ClientTls>> {
        let mut anchors = Vec::new();
        let mut pins = Vec::new();
        let named = |collection: &str| self.children.references(inner, collection, collection);
        // A root that cannot be read breaks the settings: without it the system's roots would be trusted.
        for root in named("trustedRootCertificates")? {
            anchors.extend(self.roots.get(&format!("trustedRootCertificates/{root}"))?.iter().cloned());
        }
        for pin in named("authenticationCertificates")? {
            let certificates = self.roots.get(&format!("authenticationCertificates/{pin}"))?;
            pins.extend(certificates.iter().map(|certificate| *certificate.sha256()));
        }
        let trust = match anchors.is_empty() && pins.is_empty() {
            true => self.task.environment.default_trust.clone(),
            false => Arc::new(TrustSet::new(anchors, Vec::new()).with_pins(pins)),
        };
        let spec = ClientTlsSpec {
            trust,
            check_chain: inner.bool_or("validateCertChainAndExpiry", true),
            check_name: inner.bool_or("validateSNI", true),
            credential: self.client_certificate(name, inner)?,
            http2,
        };
        for (checked, field) in
            [(spec.check_chain, "validateCertChainAndExpiry"), (spec.check_name, "validateSNI")]
        {
            if !checked {
                inner.any(field).warning(
                    "BackendNotVerified",
                    format!("\"{field}\" is false: the backend of settings \"{name}\" is not verified"),
                );
            }
        }
        match ClientTls::build(name, spec, &self.task.environment.clock) {
            Ok(tls) => Some(tls),
            Err(error) => {
                inner.error(error.code(), error.to_string());
                None
            }
        }
    }

    /// The edge's own certificate towards this backend: a tag that names an sslCertificates entry or a vault secret.
    /// `None` when it is named and cannot be used.
    fn client_certificate(&self, name: &str, inner: &View<'_>) -> Option<Option<Arc<Credential>>> {
        let tag = format!("handfast:backendHttpSettings:{name}:clientCertificate");
        let Some(value) = self.task.resource.tag(&tag) else { return Some(None) };
        match super::listeners::named_credential(self.task, value) {
            Ok(credential) => Some(Some(credential)),
            Err(reason) => {
                inner.error("ClientCertificateUnusable", format!("tag \"{tag}\": {reason}"));
                None
            }
        }
    }

    /// The probe of the settings, or the default one; `None` when the one they name is broken.
    fn probe(&self, inner: &View<'_>, settings: &HttpSettings, https: bool) -> Option<ProbeSettings> {
        if !inner.has("probe") {
            return Some(ProbeSettings {
                host: None,
                path: "/".to_owned(),
                port: settings.port,
                interval_s: 30,
                timeout_s: 30,
                unhealthy_threshold: 3,
                eligible_min: 0,
                statuses: vec![(200, 399)],
                body: None,
            });
        }
        let named = self.children.reference(inner, "probe", "probes")?;
        let (probe, probe_https, pick, path) = self.probes.get(&named)?;
        if *probe_https != https {
            inner.any("probe").error(
                "ApplicationGatewayProbeProtocolMustMatchBackendHttpSettingsProtocol",
                format!("the protocol of the probe at {path} differs from the settings'"),
            );
        }
        let mut probe = probe.clone();
        if *pick {
            probe.host = None;
        }
        if probe.port == 0 {
            probe.port = settings.port;
        }
        Some(probe)
    }
}
