//! TLS towards clients and servers, on rustls with aws-lc-rs. rustls types do not leave this module and the
//! streams of [`crate::io`].
//!
//! A client certificate is taken with proof of possession only and judged by the role afterwards, because a
//! gateway answers a bad certificate with a response, not with an alert. Session tickets belong to one host
//! identity (listener, name, certificate, client-auth mode, trust version), so a session never resumes where
//! the client would have been asked for something else.

mod client;
mod fused;
mod names;
mod server;
mod suites;
mod verify;

pub use client::{ClientTls, ClientTlsSpec, TrustSet};
pub(crate) use fused::{Negotiated, fuse};
pub use names::{cipher_list, cipher_name, protocol_name};
pub use server::{ClientAuth, Selection, TlsHost, TlsHostSpec, TlsTable};
pub use suites::{Suite, TlsVersions};
pub use verify::ServerRefusal;

use handfast_core::{Clock, UnixTime};
use handfast_pki::Certificate;
use rustls::pki_types::CertificateDer;
use sha2::{Digest, Sha256};
use std::cell::OnceCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// A SHA-256 over everything that makes two configurations differ.
pub type Identity = [u8; 32];

/// What a completed handshake with a client established.
#[derive(Clone)]
pub struct TlsInfo {
    /// `TLSv1.2` or `TLSv1.3`.
    pub protocol: &'static str,
    /// OpenSSL's name of the cipher suite.
    pub cipher: &'static str,
    /// Whether HTTP/2 was negotiated.
    pub http2: bool,
    /// The server name that the client asked for.
    pub server_name: Option<Rc<str>>,
    /// The host whose certificate was served.
    pub host: Arc<TlsHost>,
    /// The chain that the client proved to own the leaf of; empty when it sent none.
    pub client_chain: Rc<ClientChain>,
    /// The cipher suites that the client offered, by number, in its order.
    pub client_ciphers: Rc<[u16]>,
    /// From our answer to the ClientHello to the client's end of the handshake: one round trip and the client's
    /// computing. Zero for a fused hop.
    pub round_trip: Duration,
}

/// A client's certificates as sent, parsed when somebody looks.
#[derive(Default)]
pub struct ClientChain {
    der: Vec<CertificateDer<'static>>,
    id: OnceCell<Identity>,
    parsed: OnceCell<Vec<Certificate>>,
}

impl ClientChain {
    pub(crate) fn new(der: Vec<CertificateDer<'static>>) -> Self {
        Self { der, id: OnceCell::new(), parsed: OnceCell::new() }
    }

    /// Whether no certificate was sent.
    pub fn is_empty(&self) -> bool {
        self.der.is_empty()
    }

    /// SHA-256 over the chain, the key of verdict caches.
    pub fn id(&self) -> &Identity {
        self.id.get_or_init(|| {
            let mut hash = Sha256::new();
            for certificate in &self.der {
                hash.update((certificate.len() as u64).to_be_bytes());
                hash.update(certificate);
            }
            hash.finalize().into()
        })
    }

    /// The certificates that could be parsed, leaf first. Empty when the leaf is malformed.
    pub fn certificates(&self) -> &[Certificate] {
        self.parsed.get_or_init(|| {
            let mut parsed = Vec::with_capacity(self.der.len());
            for (at, der) in self.der.iter().enumerate() {
                match Certificate::parse(der) {
                    Ok(certificate) => parsed.push(certificate),
                    Err(_) if at == 0 => return Vec::new(),
                    Err(_) => {}
                }
            }
            parsed
        })
    }

    /// The leaf.
    pub fn leaf(&self) -> Option<&Certificate> {
        self.certificates().first()
    }
}

/// A TLS configuration that rustls refuses: a key that does not fit its certificate, or no usable suite.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("TLS configuration of \"{name}\" is unusable: {reason}")]
pub struct TlsConfigError {
    /// The host or backend.
    pub name: String,
    /// What rustls said.
    pub reason: String,
}

impl TlsConfigError {
    fn new(name: &str, reason: impl std::fmt::Display) -> Self {
        Self { name: name.to_owned(), reason: reason.to_string() }
    }

    /// The stable code of the diagnostic.
    pub fn code(&self) -> &'static str {
        "TlsConfigurationUnusable"
    }
}

/// Our clock where rustls asks for one, so that virtual time reaches certificate checks and tickets.
#[derive(Clone)]
struct TimeSource(Arc<dyn Clock>);

impl std::fmt::Debug for TimeSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TimeSource")
    }
}

impl rustls::time_provider::TimeProvider for TimeSource {
    fn current_time(&self) -> Option<rustls::pki_types::UnixTime> {
        let seconds = u64::try_from(self.0.now().0).ok()?;
        Some(rustls::pki_types::UnixTime::since_unix_epoch(Duration::from_secs(seconds)))
    }
}

fn unix_time(now: rustls::pki_types::UnixTime) -> UnixTime {
    UnixTime(i64::try_from(now.as_secs()).unwrap_or(i64::MAX))
}

fn identity(parts: &[&[u8]]) -> Identity {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}
