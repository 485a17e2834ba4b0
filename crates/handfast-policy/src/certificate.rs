//! The client certificate as policies see it. The host fills it from the TLS connection and judges the
//! chain; nothing here parses or verifies.

use handfast_core::UnixTime;
use handfast_pki::Certificate;

/// A client certificate and what the host found out about it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientCertificate {
    /// SHA-1 of the certificate, hex.
    pub thumbprint: String,
    /// The subject as .NET prints it, `CN=x, O="A, Inc."`.
    pub subject: String,
    /// The issuer as .NET prints it.
    pub issuer: String,
    /// The serial number, hex.
    pub serial: String,
    /// The first second of validity.
    pub not_before: UnixTime,
    /// The last second of validity.
    pub not_after: UnixTime,
    /// The subject's common name.
    pub common_name: Option<String>,
    /// The dNSName entries of the subject alternative name.
    pub dns_names: Vec<String>,
    /// SHA-1 of the issuer's certificate, hex, when the chain holds it.
    pub issuer_thumbprint: Option<String>,
    /// Whether the chain ends in a trusted authority.
    pub trust: Trust,
    /// What is known about revocation.
    pub revocation: Revocation,
    /// The certificate itself and those that came with it, leaf first, for expressions.
    pub chain: Vec<Certificate>,
}

/// The host's verdict on the chain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Trust {
    /// It ends in a trusted root.
    Trusted,
    /// It does not.
    #[default]
    Untrusted,
}

/// The host's verdict on revocation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Revocation {
    /// The certificate names neither a revocation list nor a responder, so nothing can be asked.
    NoPointer,
    /// It names one, and nobody has given an answer that is still fresh.
    #[default]
    Unknown,
    /// It is not revoked.
    Good,
    /// It is revoked.
    Revoked,
}
