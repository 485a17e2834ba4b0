//! The client side, towards upstream servers: what is trusted, what is checked, and which certificate we
//! present. Two specifications that differ in any of it have different identities and never share a
//! connection or a session.

use super::suites::{Suite, TlsVersions, provider};
use super::verify::{ServerRefusal, UpstreamVerifier, check_server, parse_all};
use super::{Identity, TimeSource, TlsConfigError, identity};
use handfast_core::{Clock, UnixTime};
use handfast_pki::{Certificate, Credential, path::Trust};
use rustls::ClientConfig;
use rustls::client::Resumption;
use rustls::pki_types::ServerName;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use std::sync::Arc;

/// A set of trust anchors with intermediates that help to reach them.
#[derive(Clone)]
pub struct TrustSet {
    trust: Trust,
    id: Identity,
}

impl TrustSet {
    /// A set of anchors and extra intermediates.
    pub fn new(anchors: Vec<Certificate>, intermediates: Vec<Certificate>) -> Self {
        let mut parts: Vec<&[u8]> = vec![b"anchors"];
        parts.extend(anchors.iter().map(|certificate| certificate.sha256().as_slice()));
        parts.push(b"intermediates");
        parts.extend(intermediates.iter().map(|certificate| certificate.sha256().as_slice()));
        let id = identity(&parts);
        Self { trust: Trust { anchors, extra_intermediates: intermediates, ..Trust::default() }, id }
    }

    /// The same set, which also accepts these leaves (SHA-256 of the certificate or of its public key).
    #[must_use]
    pub fn with_pins(mut self, pins: Vec<[u8; 32]>) -> Self {
        self.id = identity(&[&self.id, b"pins", &pins.concat()]);
        self.trust.pins = pins;
        self
    }

    /// The set as the path builder takes it.
    pub fn trust(&self) -> &Trust {
        &self.trust
    }

    /// Changes whenever a member does.
    pub fn id(&self) -> &Identity {
        &self.id
    }
}

impl std::fmt::Debug for TrustSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TrustSet({} anchors)", self.trust.anchors.len())
    }
}

/// How an upstream server is checked and what we show it.
#[derive(Clone)]
pub struct ClientTlsSpec {
    /// Trust anchors. An empty set trusts nobody.
    pub trust: Arc<TrustSet>,
    /// Whether chain and validity are checked. Off is an insecure mode that must be spelled out.
    pub check_chain: bool,
    /// Whether the server's name is checked.
    pub check_name: bool,
    /// The certificate that we present when asked.
    pub credential: Option<Arc<Credential>>,
    /// Whether HTTP/2 is offered.
    pub http2: bool,
}

/// A client configuration, ready for handshakes.
pub struct ClientTls {
    spec: ClientTlsSpec,
    identity: Identity,
    config: Arc<ClientConfig>,
}

impl ClientTls {
    /// Builds the configuration.
    pub fn build(
        name: &str,
        spec: ClientTlsSpec,
        clock: &Arc<dyn Clock>,
    ) -> Result<Arc<Self>, TlsConfigError> {
        let error = |reason: &dyn std::fmt::Display| TlsConfigError::new(name, reason);
        let identity = identity(&[
            spec.trust.id(),
            &[u8::from(spec.check_chain), u8::from(spec.check_name), u8::from(spec.http2)],
            spec.credential.as_ref().map_or(&[][..], |credential| credential.id()),
        ]);
        let provider = provider(&Suite::ALL);
        let time: Arc<dyn rustls::time_provider::TimeProvider> = Arc::new(TimeSource(clock.clone()));
        let builder = ClientConfig::builder_with_details(provider.clone(), time)
            .with_protocol_versions(TlsVersions::Tls12And13.list())
            .map_err(|e| error(&e))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(UpstreamVerifier::new(spec.clone(), &provider)));
        let mut config = match &spec.credential {
            None => builder.with_no_client_auth(),
            Some(credential) => {
                let key = provider
                    .key_provider
                    .load_private_key(credential.key_pki_types())
                    .map_err(|e| error(&e))?;
                let certified = CertifiedKey::new(credential.chain_pki_types(), key);
                builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(certified)))
            }
        };
        config.resumption = Resumption::in_memory_sessions(64);
        config.alpn_protocols = match spec.http2 {
            true => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
            false => vec![b"http/1.1".to_vec()],
        };
        Ok(Arc::new(Self { spec, identity, config: Arc::new(config) }))
    }

    /// What connections and sessions are keyed by.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// What it was built from.
    pub fn spec(&self) -> &ClientTlsSpec {
        &self.spec
    }

    /// Judges a server again whose session was resumed: its chain was judged when the session was made.
    pub(crate) fn check_resumed(
        &self,
        connection: &rustls::ClientConnection,
        name: &ServerName<'_>,
        now: UnixTime,
    ) -> Result<(), ServerRefusal> {
        if connection.handshake_kind() != Some(rustls::HandshakeKind::Resumed) {
            return Ok(());
        }
        let chain = connection.peer_certificates().unwrap_or_default();
        let Some((leaf, others)) = chain.split_first() else {
            return Err(ServerRefusal::Malformed("none".to_owned()));
        };
        let (leaf, others) = parse_all(leaf, others)?;
        check_server(&self.spec, &leaf, &others, name, now)
    }

    /// The suites that a ClientHello of ours offers, in order.
    pub(crate) fn offered_ciphers(&self) -> Vec<u16> {
        Suite::ALL.iter().map(|suite| suite.rustls().suite().into()).collect()
    }

    pub(crate) fn config(&self) -> Arc<ClientConfig> {
        self.config.clone()
    }
}
