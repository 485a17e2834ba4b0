//! The verifiers that rustls calls, all on the path builder of `handfast-pki`.

use super::client::{ClientTlsSpec, TrustSet};
use super::unix_time;
use handfast_core::UnixTime;
use handfast_pki::Certificate;
use handfast_pki::path::{Profile, judge, judge_server_name};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, OtherError, SignatureScheme,
};
use std::sync::Arc;

/// Why a server certificate was refused. The text names the failing dimension.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ServerRefusal {
    /// A certificate could not be parsed.
    #[error("certificate: {0}")]
    Malformed(String),
    /// No path to a trust anchor.
    #[error("chain: {0}")]
    Chain(String),
    /// Expired or not yet valid.
    #[error("{0}")]
    Validity(&'static str),
    /// The certificate is for other names.
    #[error("name: {0}")]
    Name(String),
}

/// Judges a server's chain the same way for a wire handshake and for a fused hop.
pub(super) fn check_server(
    spec: &ClientTlsSpec,
    leaf: &Certificate,
    presented: &[Certificate],
    name: &ServerName<'_>,
    now: UnixTime,
) -> Result<(), ServerRefusal> {
    if spec.check_chain {
        let verdict = judge(leaf, presented, spec.trust.trust(), Profile::Server, now);
        if let Err(failure) = &verdict.trust {
            return Err(ServerRefusal::Chain(failure.to_string()));
        }
        if !verdict.not_after_ok {
            return Err(ServerRefusal::Validity("certificate has expired"));
        }
        if !verdict.not_before_ok {
            return Err(ServerRefusal::Validity("certificate is not yet valid"));
        }
    }
    if spec.check_name {
        judge_server_name(leaf, name).map_err(|failure| ServerRefusal::Name(failure.to_string()))?;
    }
    Ok(())
}

pub(super) fn parse_all(
    leaf: &[u8],
    others: &[CertificateDer<'_>],
) -> Result<(Certificate, Vec<Certificate>), ServerRefusal> {
    let leaf = Certificate::parse(leaf).map_err(|error| ServerRefusal::Malformed(error.to_string()))?;
    Ok((leaf, others.iter().filter_map(|der| Certificate::parse(der).ok()).collect()))
}

/// What every verifier does with the signatures of a handshake: check them, with the provider's algorithms.
macro_rules! check_signatures {
    () => {
        fn verify_tls12_signature(
            &self,
            message: &[u8],
            cert: &CertificateDer<'_>,
            dss: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            verify_tls12_signature(message, cert, dss, &self.algorithms)
        }

        fn verify_tls13_signature(
            &self,
            message: &[u8],
            cert: &CertificateDer<'_>,
            dss: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            verify_tls13_signature(message, cert, dss, &self.algorithms)
        }

        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            self.algorithms.supported_schemes()
        }
    };
}

/// Checks upstream servers.
#[derive(Debug)]
pub(super) struct UpstreamVerifier {
    spec: Spec,
    algorithms: WebPkiSupportedAlgorithms,
}

struct Spec(ClientTlsSpec);

impl std::fmt::Debug for Spec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "check_chain: {}, check_name: {}", self.0.check_chain, self.0.check_name)
    }
}

impl UpstreamVerifier {
    pub(super) fn new(spec: ClientTlsSpec, provider: &CryptoProvider) -> Self {
        Self { spec: Spec(spec), algorithms: provider.signature_verification_algorithms }
    }
}

impl ServerCertVerifier for UpstreamVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: rustls::pki_types::UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        parse_all(end_entity, intermediates)
            .and_then(|(leaf, others)| {
                check_server(&self.spec.0, &leaf, &others, server_name, unix_time(now))
            })
            .map(|()| ServerCertVerified::assertion())
            .map_err(|refusal| {
                Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(refusal))))
            })
    }

    check_signatures!();
}

/// Takes any client chain whose leaf key the client proves to have. The role judges the chain.
#[derive(Debug)]
pub(super) struct DeferredClientVerifier {
    hints: Vec<DistinguishedName>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl DeferredClientVerifier {
    pub(super) fn new(hints: &[Vec<u8>], provider: &CryptoProvider) -> Self {
        let hints = hints.iter().map(|name| DistinguishedName::from(name.clone())).collect();
        Self { hints, algorithms: provider.signature_verification_algorithms }
    }
}

/// Certificates in a client's message: more, or more bytes, is no honest client.
const CLIENT_CHAIN_MAX: usize = 20;
const CLIENT_CHAIN_BYTES_MAX: usize = 64 * 1024;

fn within_limits(leaf: &CertificateDer<'_>, others: &[CertificateDer<'_>]) -> bool {
    let bytes = leaf.len() + others.iter().map(|der| der.len()).sum::<usize>();
    others.len() < CLIENT_CHAIN_MAX && bytes <= CLIENT_CHAIN_BYTES_MAX
}

impl ClientCertVerifier for DeferredClientVerifier {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.hints
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _now: rustls::pki_types::UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        if within_limits(end_entity, intermediates) {
            Ok(ClientCertVerified::assertion())
        } else {
            Err(Error::InvalidCertificate(CertificateError::BadEncoding))
        }
    }

    check_signatures!();
}

/// Demands a certificate with a path to a trust set, in the handshake.
pub(super) struct RequiredClientVerifier {
    trust: Arc<TrustSet>,
    hints: Vec<DistinguishedName>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl std::fmt::Debug for RequiredClientVerifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RequiredClientVerifier")
    }
}

impl RequiredClientVerifier {
    pub(super) fn new(trust: Arc<TrustSet>, provider: &CryptoProvider) -> Self {
        let subject = |anchor: &Certificate| DistinguishedName::from(anchor.subject().der().to_vec());
        let hints = trust.trust().anchors.iter().map(subject).collect();
        Self { trust, hints, algorithms: provider.signature_verification_algorithms }
    }
}

/// Whether a client chain reaches the trust set now; the same for wire and fused.
pub(super) fn check_required_client(
    trust: &TrustSet,
    leaf: &Certificate,
    presented: &[Certificate],
    now: UnixTime,
) -> Result<(), CertificateError> {
    let verdict = judge(leaf, presented, trust.trust(), Profile::ClientEdge, now);
    match &verdict.trust {
        Err(_) => Err(CertificateError::UnknownIssuer),
        Ok(_) if !verdict.not_after_ok => Err(CertificateError::Expired),
        Ok(_) if !verdict.not_before_ok => Err(CertificateError::NotValidYet),
        Ok(_) => Ok(()),
    }
}

impl ClientCertVerifier for RequiredClientVerifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.hints
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: rustls::pki_types::UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        if !within_limits(end_entity, intermediates) {
            return Err(Error::InvalidCertificate(CertificateError::BadEncoding));
        }
        let (leaf, others) = parse_all(end_entity, intermediates)
            .map_err(|_| Error::InvalidCertificate(CertificateError::BadEncoding))?;
        check_required_client(&self.trust, &leaf, &others, unix_time(now))
            .map_err(Error::InvalidCertificate)?;
        Ok(ClientCertVerified::assertion())
    }

    check_signatures!();
}
