//! The handshake of a fused hop: what TLS on a wire would have decided, without the wire. Both certificates
//! are judged by the same functions, and the outcome reports the version, cipher and protocol that wire
//! would negotiate. Outcomes are cached by the caller per (client configuration, server name, host).

use super::client::ClientTls;
use super::names::openssl_name;
use super::server::{ClientAuth, Selection, TlsHost, TlsTable};
use super::suites::TlsVersions;
use super::verify::{ServerRefusal, check_required_client, check_server};
use handfast_core::UnixTime;
use handfast_pki::KeyAlgorithm;
use rustls::pki_types::ServerName;
use std::sync::Arc;

/// The outcome of a fused handshake.
#[derive(Clone)]
pub(crate) struct Negotiated {
    pub(crate) host: Arc<TlsHost>,
    pub(crate) protocol: &'static str,
    pub(crate) cipher: &'static str,
    pub(crate) http2: bool,
    /// Whether the host asked, so that our certificate was shown.
    pub(crate) showed_certificate: bool,
    /// When one of the certificates involved expires and the handshake must be judged again.
    pub(crate) valid_until: UnixTime,
}

/// Why a fused handshake failed; the classes are those of a wire handshake.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FusedRefusal {
    #[error("server refused the name with unrecognized_name")]
    UnrecognisedName,
    #[error(transparent)]
    Server(#[from] ServerRefusal),
    #[error("server refused our certificate: {0}")]
    Client(String),
}

/// Judges both sides.
pub(crate) fn fuse(
    client: &ClientTls,
    name: &ServerName<'_>,
    table: &TlsTable,
    now: UnixTime,
) -> Result<Negotiated, FusedRefusal> {
    let server_name = match name {
        ServerName::DnsName(dns) => Some(dns.as_ref()),
        _ => None,
    };
    let Selection::Host(host) = table.select(server_name) else { return Err(FusedRefusal::UnrecognisedName) };
    let spec = host.spec();
    let chain = spec.credential.chain();
    let (leaf, others) = chain.split_first().ok_or(FusedRefusal::UnrecognisedName)?;
    check_server(client.spec(), leaf, others, name, now)?;
    let mut valid_until = chain.iter().map(|certificate| certificate.not_after()).min().unwrap_or(now);
    let ours = client.spec().credential.as_ref().filter(|_| host.asks_for_certificate());
    if let ClientAuth::Require { trust } = &spec.client_auth {
        let refused = |reason: &dyn std::fmt::Debug| FusedRefusal::Client(format!("{reason:?}"));
        let credential = ours.ok_or_else(|| refused(&"no certificate sent"))?;
        let (leaf, others) =
            credential.chain().split_first().ok_or_else(|| refused(&"no certificate sent"))?;
        check_required_client(trust, leaf, others, now).map_err(|error| refused(&error))?;
    }
    if let Some(credential) = ours {
        let ends = credential.chain().iter().map(|certificate| certificate.not_after()).min();
        valid_until = valid_until.min(ends.unwrap_or(valid_until));
    }
    let tls13 = spec.versions != TlsVersions::Tls12;
    let ecdsa = !matches!(leaf.public_key().algorithm, KeyAlgorithm::Rsa(_));
    let suite =
        spec.suites.iter().find(|suite| suite.is_tls13() == tls13 && (tls13 || suite.is_ecdsa() == ecdsa));
    Ok(Negotiated {
        host: host.clone(),
        protocol: if tls13 { "TLSv1.3" } else { "TLSv1.2" },
        cipher: suite.map_or("", |&suite| openssl_name(suite)),
        http2: spec.http2 && client.spec().http2,
        showed_certificate: ours.is_some(),
        valid_until,
    })
}
