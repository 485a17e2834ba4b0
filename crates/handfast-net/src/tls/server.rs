//! The server side: one immutable configuration per host of a listener, chosen at the ClientHello.

use super::client::TrustSet;
use super::suites::{Suite, TlsVersions, provider};
use super::verify::{DeferredClientVerifier, RequiredClientVerifier, check_required_client};
use super::{ClientChain, Identity, TimeSource, TlsConfigError, identity};
use handfast_core::{Clock, UnixTime};
use handfast_pki::Credential;
use handfast_route::HostPattern;
use rustls::ServerConfig;
use rustls::server::danger::ClientCertVerifier;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use std::sync::Arc;

/// Whether a client is asked for a certificate (vault-and-identity specification §3.5).
#[derive(Clone, Debug, Default)]
pub enum ClientAuth {
    /// No certificate request.
    #[default]
    None,
    /// Asked; the role judges what comes, also when nothing comes. The CA names are a hint.
    Request {
        /// DER subjects of acceptable issuers; may be empty.
        hints: Vec<Vec<u8>>,
    },
    /// Asked, and judged in the handshake: none or a bad one is an alert.
    Require {
        /// What the chain must end in.
        trust: Arc<TrustSet>,
    },
}

/// What a host's configuration is made from.
#[derive(Clone)]
pub struct TlsHostSpec {
    /// Name for logs and for the 421 rule: the listener or hostname configuration.
    pub name: String,
    /// The server names that select it; `None` matches any.
    pub pattern: Option<HostPattern>,
    /// Certificate and key.
    pub credential: Arc<Credential>,
    /// Whether clients are asked for a certificate.
    pub client_auth: ClientAuth,
    /// Version of the trust that the role will judge with; a change invalidates sessions.
    pub trust_version: Identity,
    /// Protocol versions.
    pub versions: TlsVersions,
    /// Suites in order of preference; TLS 1.3 suites are added when a list has none and 1.3 is on.
    pub suites: Vec<Suite>,
    /// Whether HTTP/2 is offered.
    pub http2: bool,
}

/// A host of a listener, ready for handshakes.
pub struct TlsHost {
    spec: TlsHostSpec,
    identity: Identity,
    config: Arc<ServerConfig>,
}

impl TlsHost {
    /// Builds the configuration, or takes over `previous` when nothing that matters has changed, so that
    /// its session tickets stay valid.
    pub fn build(
        mut spec: TlsHostSpec,
        listener: &str,
        clock: &Arc<dyn Clock>,
        previous: Option<&Arc<Self>>,
    ) -> Result<Arc<Self>, TlsConfigError> {
        if spec.versions != TlsVersions::Tls12 && !spec.suites.iter().any(|suite| suite.is_tls13()) {
            spec.suites.splice(0..0, [Suite::Tls13Aes256GcmSha384, Suite::Tls13Aes128GcmSha256]);
        }
        let identity = spec_identity(&spec, listener);
        if let Some(previous) = previous.filter(|previous| previous.identity == identity) {
            return Ok(previous.clone());
        }
        let config = Arc::new(server_config(&spec, clock)?);
        Ok(Arc::new(Self { spec, identity, config }))
    }

    /// Name of the listener or hostname configuration.
    pub fn name(&self) -> &str {
        &self.spec.name
    }

    /// The server names that select it.
    pub fn pattern(&self) -> Option<&HostPattern> {
        self.spec.pattern.as_ref()
    }

    /// What sessions are bound to.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The certificate that is served.
    pub fn credential(&self) -> &Arc<Credential> {
        &self.spec.credential
    }

    /// Whether clients are asked for a certificate.
    pub fn asks_for_certificate(&self) -> bool {
        !matches!(self.spec.client_auth, ClientAuth::None)
    }

    /// Whether a server name selects this host.
    pub fn matches(&self, server_name: &str) -> bool {
        self.spec.pattern.as_ref().is_none_or(|pattern| pattern.matches(server_name))
    }

    /// Whether a client whose chain was judged in an earlier handshake would pass now.
    pub(crate) fn still_admits(&self, chain: &ClientChain, now: UnixTime) -> bool {
        let ClientAuth::Require { trust } = &self.spec.client_auth else { return true };
        let Some((leaf, others)) = chain.certificates().split_first() else { return false };
        check_required_client(trust, leaf, others, now).is_ok()
    }

    pub(super) fn spec(&self) -> &TlsHostSpec {
        &self.spec
    }

    pub(crate) fn config(&self) -> Arc<ServerConfig> {
        self.config.clone()
    }
}

/// The hosts of one listener.
#[derive(Clone, Default)]
pub struct TlsTable {
    hosts: Vec<Arc<TlsHost>>,
    disabled: Vec<HostPattern>,
    default: Option<usize>,
}

/// What a server name selects.
pub enum Selection<'a> {
    /// This host.
    Host(&'a Arc<TlsHost>),
    /// A host that is switched off, or none: alert `unrecognized_name`.
    Unrecognised,
}

impl TlsTable {
    /// Hosts in order of priority. `default` is the index of the one for no or an unknown server name;
    /// `disabled` are names whose host is switched off.
    pub fn new(hosts: Vec<Arc<TlsHost>>, default: Option<usize>, disabled: Vec<HostPattern>) -> Self {
        Self { hosts, disabled, default }
    }

    /// The host with that name.
    pub fn host(&self, name: &str) -> Option<&Arc<TlsHost>> {
        self.hosts.iter().find(|host| host.name() == name)
    }

    /// All hosts.
    pub fn hosts(&self) -> &[Arc<TlsHost>] {
        &self.hosts
    }

    /// Exact names first, then wildcards, each in order of priority, then the default.
    pub fn select(&self, server_name: Option<&str>) -> Selection<'_> {
        if let Some(name) = server_name {
            let exact = |host: &&Arc<TlsHost>| host.spec.pattern.as_ref().is_some_and(|p| !p.is_wildcard());
            let wildcard =
                |host: &&Arc<TlsHost>| host.spec.pattern.as_ref().is_some_and(HostPattern::is_wildcard);
            let named = self.hosts.iter().filter(exact).chain(self.hosts.iter().filter(wildcard));
            if let Some(host) = named.into_iter().find(|host| host.matches(name)) {
                return Selection::Host(host);
            }
            if self.disabled.iter().any(|pattern| pattern.matches(name)) {
                return Selection::Unrecognised;
            }
        }
        match self.default.and_then(|index| self.hosts.get(index)) {
            Some(host) => Selection::Host(host),
            None => Selection::Unrecognised,
        }
    }
}

fn spec_identity(spec: &TlsHostSpec, listener: &str) -> Identity {
    let mode: (&[u8], Vec<u8>) = match &spec.client_auth {
        ClientAuth::None => (b"none", Vec::new()),
        ClientAuth::Request { hints } => (b"request", hints.concat()),
        ClientAuth::Require { trust } => (b"require", trust.id().to_vec()),
    };
    let suites: Vec<u8> = spec.suites.iter().map(|&suite| suite as u8).collect();
    let pattern = spec.pattern.as_ref().map_or("", HostPattern::as_str);
    identity(&[
        listener.as_bytes(),
        spec.name.as_bytes(),
        pattern.as_bytes(),
        spec.credential.id(),
        mode.0,
        &mode.1,
        &spec.trust_version,
        &[spec.versions as u8, u8::from(spec.http2)],
        &suites,
    ])
}

fn server_config(spec: &TlsHostSpec, clock: &Arc<dyn Clock>) -> Result<ServerConfig, TlsConfigError> {
    let error = |reason: &dyn std::fmt::Display| TlsConfigError::new(&spec.name, reason);
    let provider = provider(&spec.suites);
    let time: Arc<dyn rustls::time_provider::TimeProvider> = Arc::new(TimeSource(clock.clone()));
    let key =
        provider.key_provider.load_private_key(spec.credential.key_pki_types()).map_err(|e| error(&e))?;
    let certified = CertifiedKey::new(spec.credential.chain_pki_types(), key);
    let verifier: Option<Arc<dyn ClientCertVerifier>> = match &spec.client_auth {
        ClientAuth::None => None,
        ClientAuth::Request { hints } => Some(Arc::new(DeferredClientVerifier::new(hints, &provider))),
        ClientAuth::Require { trust } => {
            Some(Arc::new(RequiredClientVerifier::new(trust.clone(), &provider)))
        }
    };
    let builder = ServerConfig::builder_with_details(provider, time)
        .with_protocol_versions(spec.versions.list())
        .map_err(|e| error(&e))?;
    let builder = match verifier {
        Some(verifier) => builder.with_client_cert_verifier(verifier),
        None => builder.with_no_client_auth(),
    };
    let mut config = builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
    config.ignore_client_order = true;
    config.max_early_data_size = 0;
    config.send_tls13_tickets = 1;
    config.ticketer = rustls::crypto::aws_lc_rs::Ticketer::new().map_err(|e| error(&e))?;
    // HTTP/1.0 has a name of its own (RFC 7301 §6), and clients that ask for it by name are refused otherwise.
    let http1 = [b"http/1.1".to_vec(), b"http/1.0".to_vec()];
    config.alpn_protocols = spec.http2.then(|| b"h2".to_vec()).into_iter().chain(http1).collect();
    Ok(config)
}
