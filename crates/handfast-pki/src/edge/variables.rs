//! The values of the edge's `client_certificate*` server variables, in the formats of nginx on OpenSSL 3.

use crate::certificate::Certificate;
use crate::{civil, digest, hex, pem};

/// Computed once per connection, read by every request on it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CertificateVariables {
    /// `client_certificate`: percent-encoded PEM of the leaf.
    pub certificate: String,
    /// `client_certificate_start_date`: `Mar  4 09:15:00 2031 GMT`.
    pub start_date: String,
    /// `client_certificate_end_date`.
    pub end_date: String,
    /// `client_certificate_fingerprint`: SHA-1, 40 lower-case hex digits.
    pub fingerprint: String,
    /// `client_certificate_serial`: upper-case hex.
    pub serial: String,
    /// `client_certificate_issuer`: RFC 2253.
    pub issuer: String,
    /// `client_certificate_subject`: RFC 2253.
    pub subject: String,
}

impl CertificateVariables {
    /// The values for a presented leaf; without a certificate all are empty, as [`Default`] gives them.
    pub fn of(leaf: &Certificate) -> Self {
        Self {
            certificate: pem::percent_encoded(leaf),
            start_date: civil::openssl_text(leaf.not_before()),
            end_date: civil::openssl_text(leaf.not_after()),
            fingerprint: hex::lower(&digest::sha1(leaf.der())),
            serial: leaf.serial_hex(),
            issuer: leaf.issuer().rfc2253(),
            subject: leaf.subject().rfc2253(),
        }
    }
}
