//! HTTP listeners, their certificates and profiles, and the frontends that they share.

use super::Task;
use super::children::Children;
use super::routing::{RuleOf, named};
use super::ssl_policy::SslPolicy;
use crate::pipeline::FrontendService;
use crate::plan::{
    ClientAuthRule, CompiledListener, Frontend, FrontendAddress, Gateway, HostParts, HttpListener, Rule,
};
use handfast_core::Secret;
use handfast_model::View;
use handfast_net::tls::{ClientAuth, TlsHost, TlsHostSpec, TlsTable};
use handfast_net::{Limits, ListenerState, SourceFilter};
use handfast_pki::edge::{ClientProfile, TrustedClientBundle};
use handfast_pki::{Credential, pfx};
use handfast_route::HostPattern;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

/// The listeners of one gateway.
pub(super) struct Listeners {
    compiled: Vec<Arc<CompiledListener>>,
    frontends: BTreeMap<String, FrontendAddress>,
    http2: bool,
}

struct Profile {
    auth: Option<(bool, ClientProfile, [u8; 32])>,
    policy: Option<SslPolicy>,
}

impl Listeners {
    pub(super) fn compile(
        task: &Task<'_>,
        properties: &View<'_>,
        children: &Children<'_>,
        rules: Vec<RuleOf>,
        broken: BTreeSet<String>,
    ) -> Self {
        let frontends = frontends(task, properties);
        let ports = ports(properties);
        let certificates = certificates(task, properties);
        let policy = SslPolicy::read(&properties.field("sslPolicy"))
            .map(|read| read.unwrap_or_else(|| SslPolicy::default_for(&task.resource.api_version)))
            .ok();
        let profiles = profiles(properties, children, policy.as_ref());
        let mut rules: BTreeMap<String, Rule> =
            rules.into_iter().map(|rule| (rule.listener, rule.rule)).collect();
        let mut compiled = Vec::new();
        let reader = Reader {
            children,
            certificates: &certificates,
            profiles: &profiles,
            policy: policy.as_ref(),
            ports: &ports,
        };
        for view in properties.array("httpListeners") {
            let Some(name) = view.str("name") else { continue };
            let key = name.to_lowercase();
            let last_good = task.previous.and_then(|previous| previous.listeners.get(&key));
            // A rule that was taken out of the document is gone; one that broke keeps its last good version.
            let kept = || last_good.filter(|_| broken.contains(&key))?.listener.rule.clone();
            let rule = rules.remove(&key).map(Arc::new).or_else(kept);
            match reader.read(name, &view, rule) {
                Some(made) => compiled.push(Arc::new(CompiledListener { key, ..made })),
                None => compiled.extend(last_good.cloned()),
            }
        }
        compiled.sort_by_key(|listener| listener.priority);
        refuse_collisions(&mut compiled, properties);
        warn_about_shadows(&compiled, properties);
        Self { compiled, frontends, http2: properties.bool_or("enableHttp2", false) }
    }

    pub(super) fn by_name(&self) -> BTreeMap<String, Arc<CompiledListener>> {
        self.compiled.iter().map(|made| (made.key.clone(), made.clone())).collect()
    }

    /// One frontend per address and port.
    pub(super) fn frontends(&self, task: &Task<'_>, gateway: &Arc<Gateway>) -> Vec<Frontend> {
        let mut groups: BTreeMap<(String, u16), Vec<&CompiledListener>> = BTreeMap::new();
        for made in &self.compiled {
            groups.entry((made.frontend.clone(), made.listener.port)).or_default().push(made);
        }
        let mut frontends = Vec::new();
        for ((frontend, port), listeners) in groups {
            let Some(address) = self.frontends.get(&frontend) else { continue };
            let name = format!("{}/{frontend}:{port}", task.resource.id.key());
            let before = task.previous_frontends().find(|frontend| frontend.name == name);
            let table = before.and_then(|before| before.state.tls.as_ref());
            let (tls, served) = self.tls_table(task, &name, &listeners, table);
            let service = FrontendService { gateway: gateway.clone(), listeners: served };
            let state = ListenerState {
                tls,
                service: Arc::new(service),
                limits: limits(task),
                filter: SourceFilter::default(),
                trusted_proxies: trusted_proxies(task, &listeners),
            };
            frontends.push(Frontend { name, address: address.clone(), port, state });
        }
        frontends
    }

    /// The hosts of a frontend and the listeners that could be set up.
    fn tls_table(
        &self,
        task: &Task<'_>,
        scope: &str,
        listeners: &[&CompiledListener],
        previous: Option<&TlsTable>,
    ) -> (Option<TlsTable>, Vec<Arc<HttpListener>>) {
        let mut hosts: Vec<Arc<TlsHost>> = Vec::new();
        let mut served = Vec::new();
        let mut default = None;
        for made in listeners {
            served.push(made.listener.clone());
            let Some(parts) = &made.tls else { continue };
            let basic = made.listener.hosts.is_empty();
            if basic || default.is_none() {
                default = Some(hosts.len());
            }
            let patterns: Vec<Option<HostPattern>> = match basic {
                true => vec![None],
                false => made.listener.hosts.iter().cloned().map(Some).collect(),
            };
            for pattern in patterns {
                let spec = self.host_spec(&made.listener.name, parts, pattern);
                let before = previous.and_then(|table| {
                    table.hosts().iter().find(|host| {
                        host.name() == made.listener.name && host.pattern() == spec.pattern.as_ref()
                    })
                });
                // The key was checked against its certificate when it was read; what rustls refuses then is
                // a key type, which was checked too.
                if let Ok(host) = TlsHost::build(spec, scope, &task.environment.clock, before) {
                    hosts.push(host);
                }
            }
        }
        ((!hosts.is_empty()).then(|| TlsTable::new(hosts, default, Vec::new())), served)
    }

    fn host_spec(&self, name: &str, parts: &HostParts, pattern: Option<HostPattern>) -> TlsHostSpec {
        let (client_auth, trust_version) = match &parts.auth {
            None => (ClientAuth::None, [0; 32]),
            Some((strict, version, hints)) => {
                let hints = if *strict { hints.clone() } else { Vec::new() };
                (ClientAuth::Request { hints }, *version)
            }
        };
        TlsHostSpec {
            name: name.to_owned(),
            pattern,
            credential: parts.credential.clone(),
            client_auth,
            trust_version,
            versions: parts.policy.versions,
            suites: parts.policy.suites.clone(),
            http2: self.http2,
        }
    }
}

/// The engine's bounds; tag `handfast:limits.requestsPerConnection` replaces that of HTTP/2 requests, 0 lifts it.
fn limits(task: &Task<'_>) -> Arc<Limits> {
    let mut limits = Limits::default();
    match task.resource.tag("handfast:limits.requestsPerConnection").map(str::parse) {
        None | Some(Err(_)) => {}
        Some(Ok(0)) => limits.h2_requests_max = u64::MAX,
        Some(Ok(count)) => limits.h2_requests_max = count,
    }
    Arc::new(limits)
}

/// Peers whose PROXY header is believed: tag `handfast:httpListeners:{name}:trustedProxies`, networks by comma.
fn trusted_proxies(task: &Task<'_>, listeners: &[&CompiledListener]) -> Arc<[ipnet::IpNet]> {
    let tags = listeners.iter().filter_map(|made| {
        task.resource.tag(&format!("handfast:httpListeners:{}:trustedProxies", made.listener.name))
    });
    tags.flat_map(|tag| tag.split(',')).filter_map(|network| network.trim().parse().ok()).collect()
}

/// Two basic listeners, the same host name twice, or Http and Https, on one address and port: the later is left out.
fn refuse_collisions(compiled: &mut Vec<Arc<CompiledListener>>, properties: &View<'_>) {
    let mut kept: Vec<Arc<CompiledListener>> = Vec::new();
    for made in compiled.drain(..) {
        let same = |other: &&Arc<CompiledListener>| {
            other.frontend == made.frontend && other.listener.port == made.listener.port
        };
        let clash = kept.iter().filter(same).find(|other| {
            let hosts = &made.listener.hosts;
            other.listener.https != made.listener.https
                || (hosts.is_empty() && other.listener.hosts.is_empty())
                || hosts.iter().any(|host| other.listener.hosts.contains(host))
        });
        match clash {
            None => kept.push(made),
            Some(other) => {
                if let Some(view) = named(properties, "httpListeners", &made.key) {
                    view.error(
                        "ApplicationGatewayHttpListenersUsingSameFrontendPortAndFrontendIpConfig",
                        format!(
                            "listeners \"{}\" and \"{}\" share frontend \"{}\" and port {} and cannot be told apart by host name",
                            other.listener.name, made.listener.name, made.frontend, made.listener.port
                        ),
                    );
                }
            }
        }
    }
    *compiled = kept;
}

/// A wildcard with a lower priority number takes the requests of a specific name behind it, as in Azure.
fn warn_about_shadows(compiled: &[Arc<CompiledListener>], properties: &View<'_>) {
    for (index, made) in compiled.iter().enumerate() {
        let before = compiled
            .iter()
            .take(index)
            .filter(|other| other.frontend == made.frontend && other.listener.port == made.listener.port);
        for other in before {
            let hidden =
                |host: &&HostPattern| !host.is_wildcard() && other.listener.matches(&host.to_string());
            let Some(host) = made.listener.hosts.iter().find(hidden) else { continue };
            if let Some(view) = named(properties, "httpListeners", &made.key) {
                view.warning(
                    "ListenerShadowed",
                    format!(
                        "requests for \"{host}\" go to listener \"{}\", whose rule has a lower priority number ({} before {})",
                        other.listener.name, other.priority, made.priority
                    ),
                );
            }
        }
    }
}

fn frontends(task: &Task<'_>, properties: &View<'_>) -> BTreeMap<String, FrontendAddress> {
    let mut frontends = BTreeMap::new();
    let effective = task.resource.effective();
    for view in properties.array("frontendIPConfigurations") {
        let Some(name) = view.str("name") else { continue };
        let inner = view.field("properties");
        if let Some(id) = inner.id_ref("publicIPAddress") {
            let address = task
                .graph
                .get(&id)
                .and_then(|public| public.computed_str("/properties/ipAddress")?.parse().ok());
            match address {
                Some(ip) => {
                    frontends.insert(name.to_lowercase(), FrontendAddress::Public(ip));
                }
                None => inner.any("publicIPAddress").error(
                    "InvalidResourceReference",
                    format!("public IP address \"{}\" does not exist", id.as_str()),
                ),
            }
            continue;
        }
        let network = inner.id_ref("subnet").and_then(|subnet| subnet.parent_resource());
        let ip = private_address(&effective, name);
        match (network, ip) {
            (Some(network), Some(ip)) => {
                let address = FrontendAddress::Private { network: network.key().into(), ip };
                frontends.insert(name.to_lowercase(), address);
            }
            _ => inner
                .error("MissingProperty", "a frontend needs \"publicIPAddress\" or a \"subnet\" that exists"),
        }
    }
    frontends
}

/// The address of a private frontend, given or allocated.
fn private_address(effective: &serde_json::Value, name: &str) -> Option<IpAddr> {
    let frontends = effective.pointer("/properties/frontendIPConfigurations")?.as_array()?;
    let frontend = frontends.iter().find(|frontend| frontend["name"].as_str() == Some(name))?;
    frontend.pointer("/properties/privateIPAddress")?.as_str()?.parse().ok()
}

fn ports(properties: &View<'_>) -> BTreeMap<String, u16> {
    let port = |view: &View<'_>| {
        let name = view.str("name")?.to_lowercase();
        let inner = view.field("properties");
        if !inner.has("port") {
            inner.required("port");
        }
        Some((name, inner.integer_in("port", 1..=64999)?))
    };
    properties.array("frontendPorts").iter().filter_map(port).collect()
}

/// Usable certificates by lower-case name.
fn certificates(task: &Task<'_>, properties: &View<'_>) -> BTreeMap<String, Arc<Credential>> {
    let mut certificates = BTreeMap::new();
    for view in properties.array("sslCertificates") {
        let Some(name) = view.str("name") else { continue };
        match read_certificate(task, &view.field("properties")) {
            Ok(credential) => {
                warn_about_dates(task, &view, &credential);
                certificates.insert(name.to_lowercase(), credential);
            }
            Err((code, reason)) => {
                view.field("properties").error(code, format!("certificate \"{name}\": {reason}"))
            }
        }
    }
    certificates
}

fn warn_about_dates(task: &Task<'_>, view: &View<'_>, credential: &Credential) {
    let (leaf, now) = (credential.leaf(), task.environment.now());
    if now > leaf.not_after() {
        view.warning(
            "CertificateExpired",
            format!("the certificate expired at {}; it is served all the same", leaf.not_after()),
        );
    } else if leaf.not_after().minus(std::time::Duration::from_secs(30 * 86_400)) < now {
        view.warning("ExpiresSoon", format!("the certificate expires at {}", leaf.not_after()));
    }
}

/// The certificate behind an sslCertificates name or a vault secret id.
pub(super) fn named_credential(task: &Task<'_>, reference: &str) -> Result<Arc<Credential>, String> {
    if reference.starts_with("https://") {
        let (_, secret) = task
            .material
            .vault(reference)
            .ok_or_else(|| format!("vault secret \"{reference}\" cannot be read"))?;
        return from_vault(secret).map_err(|(_, reason)| reason);
    }
    let report = handfast_model::Report::of(task.resource);
    let root = View::of(task.resource, &report);
    let view =
        named(&root.field("properties"), "sslCertificates", &reference.to_lowercase()).ok_or_else(|| {
            format!("\"{reference}\" is none of this gateway's sslCertificates and no vault secret id")
        })?;
    read_certificate(task, &view.field("properties")).map_err(|(_, reason)| reason)
}

fn read_certificate(task: &Task<'_>, inner: &View<'_>) -> Result<Arc<Credential>, (&'static str, String)> {
    if let Some(url) = inner.str("keyVaultSecretId").filter(|url| !url.is_empty()) {
        let Some((_, secret)) = task.material.vault(url) else {
            return Err((
                "ApplicationGatewayKeyVaultSecretException",
                format!("vault secret \"{url}\" cannot be read"),
            ));
        };
        return from_vault(secret);
    }
    let secret = |field: &str| inner.secret(field).and_then(|reference| task.material.get(&reference));
    let Some(data) = secret("data") else {
        return Err(("MissingProperty", "\"data\" or \"keyVaultSecretId\" is needed".to_owned()));
    };
    let password = secret("password").map(|password| String::from_utf8_lossy(password.expose()).into_owned());
    use base64::Engine;
    let text: Vec<u8> = data.expose().iter().copied().filter(|b| !b.is_ascii_whitespace()).collect();
    let bytes = base64::engine::general_purpose::STANDARD.decode(&text).map_err(|_| {
        ("ApplicationGatewaySslCertificateDataMustBePfx", "\"data\" is not base64".to_owned())
    })?;
    read_pfx(&bytes, password.as_deref().unwrap_or_default())
}

/// Largest PFX (edge specification §1.19).
const PFX_BYTES_MAX: usize = 16 << 10;
/// Largest bundle of client CAs.
const BUNDLE_BYTES_MAX: usize = 25 << 10;

fn read_pfx(bytes: &[u8], password: &str) -> Result<Arc<Credential>, (&'static str, String)> {
    if bytes.len() > PFX_BYTES_MAX {
        return Err((
            "ApplicationGatewaySslCertificateDataLimitExceeded",
            format!("the PFX has {} bytes; {PFX_BYTES_MAX} are accepted", bytes.len()),
        ));
    }
    let credential = Credential::from_pfx(bytes, password).map_err(|error| {
        let code = match error {
            pfx::PfxError::WrongPassword => "ApplicationGatewaySslCertificateInvalidPassword",
            _ => "ApplicationGatewaySslCertificateDataMustBePfx",
        };
        (code, error.to_string())
    })?;
    if !credential.usable_for_tls() {
        return Err((
            "KeyTypeNotUsableForTls",
            "the key cannot serve TLS; RSA from 2048 bits, P-256, P-384, P-521 and Ed25519 can".to_owned(),
        ));
    }
    Ok(Arc::new(credential))
}

/// A vault secret: base64 PFX without password, or PEM.
fn from_vault(secret: &Secret<Vec<u8>>) -> Result<Arc<Credential>, (&'static str, String)> {
    let bytes = secret.expose();
    if bytes.windows(11).any(|window| window == b"-----BEGIN ") {
        return Credential::from_pem(bytes, None)
            .map(Arc::new)
            .map_err(|error| (error.code(), error.to_string()));
    }
    use base64::Engine;
    let text: Vec<u8> = bytes.iter().copied().filter(|b| !b.is_ascii_whitespace()).collect();
    match base64::engine::general_purpose::STANDARD.decode(&text) {
        Ok(decoded) => read_pfx(&decoded, ""),
        Err(_) => read_pfx(bytes, ""),
    }
}

fn profiles(
    properties: &View<'_>,
    children: &Children<'_>,
    gateway: Option<&SslPolicy>,
) -> BTreeMap<String, Profile> {
    let bundles = bundles(properties);
    let mut profiles = BTreeMap::new();
    for view in properties.array("sslProfiles") {
        let Some(name) = view.str("name") else { continue };
        let inner = view.field("properties");
        let Ok(policy) = SslPolicy::read(&inner.field("sslPolicy")) else { continue };
        let mixed = |policy: &SslPolicy| gateway.is_some_and(|gateway| policy.modern != gateway.modern);
        if policy.as_ref().is_some_and(mixed) {
            inner.any("sslPolicy").error(
                "ApplicationGatewaySslPolicyMixed",
                "the gateway's policy and this profile's must both be 2022 or CustomV2, or both older",
            );
            continue;
        }
        let named = children.references(&inner, "trustedClientCertificates", "trustedClientCertificates");
        let Some(named) = named else { continue };
        let chosen: Option<Vec<TrustedClientBundle>> =
            named.iter().map(|name| bundles.get(name).cloned()).collect();
        let Some(chosen) = chosen else { continue };
        let auth = inner.field("clientAuthConfiguration");
        let Some(auth) = client_auth(&inner, &auth, &chosen) else { continue };
        profiles.insert(name.to_lowercase(), Profile { auth, policy });
    }
    profiles
}

/// `Some(None)` is a profile that does not ask for certificates; `None` one that is refused.
#[allow(clippy::type_complexity, reason = "the two levels of absence differ, as documented")]
fn client_auth(
    inner: &View<'_>,
    auth: &View<'_>,
    bundles: &[TrustedClientBundle],
) -> Option<Option<(bool, ClientProfile, [u8; 32])>> {
    if !auth.exists() && bundles.is_empty() {
        return Some(None);
    }
    let strict =
        auth.one_of("verifyClientAuthMode", &[("Strict", true), ("Passthrough", false)]).unwrap_or(true);
    let verify_dn = auth.bool_or("verifyClientCertIssuerDN", false);
    let ocsp = auth.one_of("verifyClientRevocation", &[("None", false), ("OCSP", true)]).unwrap_or(false);
    if strict && bundles.is_empty() {
        inner.error(
            "ApplicationGatewaySslProfileMustHaveTrustedClientCertificate",
            "a profile with \"verifyClientAuthMode\" Strict needs a trusted client certificate",
        );
        return None;
    }
    if strict && ocsp {
        auth.any("verifyClientRevocation").error(
            "PropertyNotSupported",
            "\"verifyClientRevocation\" OCSP is refused: revocation checks are not available yet",
        );
        return None;
    }
    if !strict && (verify_dn || ocsp) {
        auth.warning(
            "NoEffectInPassthrough",
            "\"verifyClientCertIssuerDN\" and \"verifyClientRevocation\" have no effect in Passthrough",
        );
    }
    let mut hash = Sha256::new();
    hash.update([u8::from(strict), u8::from(verify_dn)]);
    for certificate in bundles.iter().flat_map(|bundle| bundle.certificates()) {
        hash.update(certificate.sha256());
    }
    let version: [u8; 32] = hash.finalize().into();
    let short = u64::from_be_bytes(version[..8].try_into().unwrap_or_default());
    let profile = ClientProfile::new(bundles, verify_dn && strict, short);
    Some(Some((strict, profile, version)))
}

fn bundles(properties: &View<'_>) -> BTreeMap<String, TrustedClientBundle> {
    let mut bundles = BTreeMap::new();
    for view in properties.array("trustedClientCertificates") {
        let Some(name) = view.str("name") else { continue };
        let inner = view.field("properties");
        let data = inner.str("data").unwrap_or_default();
        if data.len() / 4 * 3 > BUNDLE_BYTES_MAX {
            inner.any("data").error(
                "ApplicationGatewayTrustedClientCertificateDataLimitExceeded",
                format!("\"{name}\" is too long; {BUNDLE_BYTES_MAX} bytes are accepted"),
            );
            continue;
        }
        match TrustedClientBundle::parse(data) {
            Ok(bundle) => {
                bundles.insert(name.to_lowercase(), bundle);
            }
            Err(error) => inner.any("data").error(error.code(), format!("\"{name}\": {error}")),
        }
    }
    bundles
}

struct Reader<'a> {
    children: &'a Children<'a>,
    certificates: &'a BTreeMap<String, Arc<Credential>>,
    profiles: &'a BTreeMap<String, Profile>,
    /// The gateway's; absent when it is unusable.
    policy: Option<&'a SslPolicy>,
    ports: &'a BTreeMap<String, u16>,
}

impl Reader<'_> {
    fn read(&self, name: &str, view: &View<'_>, rule: Option<Arc<Rule>>) -> Option<CompiledListener> {
        let inner = view.field("properties");
        let frontend =
            self.children.required(&inner, "frontendIPConfiguration", "frontendIPConfigurations")?;
        let port = *self.ports.get(&self.children.required(&inner, "frontendPort", "frontendPorts")?)?;
        inner.required("protocol")?;
        let https = inner.one_of("protocol", &[("Http", false), ("Https", true)])?;
        let hosts = hosts(&inner)?;
        if !https && inner.has("sslProfile") {
            inner.any("sslProfile").error(
                "InvalidProperty",
                format!("listener \"{name}\" has protocol Http, and \"sslProfile\" would have no effect"),
            );
            return None;
        }
        let (tls, client_auth) = if https { self.tls(name, &inner)? } else { (None, None) };
        if rule.is_none() {
            view.warning(
                "ListenerWithoutRule",
                format!("listener \"{name}\" has no rule that compiles and answers 404"),
            );
        }
        let priority = rule.as_ref().map_or(u32::MAX, |rule| rule.priority);
        let listener = HttpListener { name: name.to_owned(), https, port, hosts, client_auth, rule };
        Some(CompiledListener { key: String::new(), listener: Arc::new(listener), frontend, tls, priority })
    }

    fn tls(&self, name: &str, inner: &View<'_>) -> Option<(Option<HostParts>, Option<ClientAuthRule>)> {
        if !inner.has("sslCertificate") {
            inner.error(
                "ApplicationGatewayHttpListenerSslCertificateMustBeSpecified",
                format!("listener \"{name}\" has protocol Https and needs \"sslCertificate\""),
            );
            return None;
        }
        let certificate = self.children.reference(inner, "sslCertificate", "sslCertificates")?;
        let profile = match inner.has("sslProfile") {
            true => {
                Some(self.profiles.get(&self.children.reference(inner, "sslProfile", "sslProfiles")?)?)
            }
            false => None,
        };
        let auth = profile.and_then(|profile| profile.auth.as_ref());
        let rule =
            auth.map(|(strict, profile, _)| ClientAuthRule { strict: *strict, profile: profile.clone() });
        let auth = auth.map(|(strict, profile, version)| {
            (*strict, *version, profile.ca_subjects().map(<[u8]>::to_vec).collect())
        });
        // A certificate that was reported has no entry: the listener keeps its last good version.
        let credential = self.certificates.get(&certificate)?.clone();
        let policy = profile.and_then(|profile| profile.policy.as_ref()).or(self.policy)?.clone();
        Some((Some(HostParts { credential, policy, auth }), rule))
    }
}

/// `hostName` or `hostNames`; none is a basic listener.
fn hosts(inner: &View<'_>) -> Option<Vec<HostPattern>> {
    let single = inner.str("hostName").filter(|host| !host.is_empty());
    let many = inner.strings("hostNames");
    if single.is_some() && !many.is_empty() {
        inner.any("hostNames").error("InvalidProperty", "\"hostName\" and \"hostNames\" exclude each other");
        return None;
    }
    if many.len() > 5 {
        inner.any("hostNames").error(
            "ApplicationGatewayHostNamesLimitExceeded",
            format!("{} host names; 5 are accepted", many.len()),
        );
        return None;
    }
    let mut hosts = Vec::new();
    for host in single.into_iter().chain(many) {
        match HostPattern::parse(host) {
            Ok(pattern) if pattern.is_wildcard() && single.is_some() => {
                inner
                    .any("hostName")
                    .error("InvalidHostName", format!("\"{host}\" has a wildcard; use \"hostNames\""));
                return None;
            }
            Ok(pattern) => hosts.push(pattern),
            Err(error) => {
                inner
                    .any(if single.is_some() { "hostName" } else { "hostNames" })
                    .error("InvalidHostName", format!("\"{host}\": {error}"));
                return None;
            }
        }
    }
    Some(hosts)
}
