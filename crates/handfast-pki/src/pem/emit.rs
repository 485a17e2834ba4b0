//! Writing PEM: 64 columns, LF, keys as PKCS#8, leaf first.

use crate::certificate::Certificate;
use crate::credential::Credential;
use crate::private_key::PrivateKey;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use handfast_core::Secret;
use std::fmt::Write as _;
use zeroize::Zeroizing;

/// One certificate.
pub fn certificate_pem(certificate: &Certificate) -> String {
    armour("CERTIFICATE", certificate.der())
}

/// Several certificates, in the order given.
pub fn chain_pem(chain: &[Certificate]) -> String {
    chain.iter().map(certificate_pem).collect()
}

/// The private key as PKCS#8.
pub fn key_pem(key: &PrivateKey) -> Secret<String> {
    Secret::new(armour("PRIVATE KEY", key.pkcs8_der()))
}

/// The key, then the chain, leaf first: the form of a vault secret of type `application/x-pem-file`.
pub fn credential_pem(credential: &Credential) -> Secret<String> {
    let key = key_pem(credential.key());
    Secret::new(format!("{}{}", key.expose(), chain_pem(credential.chain())))
}

/// The certificate's PEM with every byte outside `A-Za-z0-9-._~` as `%HH`: the edge's variable
/// `client_certificate`.
pub fn percent_encoded(certificate: &Certificate) -> String {
    let pem = certificate_pem(certificate);
    let mut out = String::with_capacity(pem.len() * 5 / 4);
    for byte in pem.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

fn armour(label: &str, der: &[u8]) -> String {
    let encoded = Zeroizing::new(STANDARD.encode(der));
    let lines = encoded.len().div_ceil(64);
    let mut out = String::with_capacity(encoded.len() + lines + 2 * label.len() + 32);
    let _ = writeln!(out, "-----BEGIN {label}-----");
    let mut rest = encoded.as_str();
    while !rest.is_empty() {
        // Base64 is ASCII, so that any index is a character border.
        let (line, next) = rest.split_at(rest.len().min(64));
        let _ = writeln!(out, "{line}");
        rest = next;
    }
    let _ = writeln!(out, "-----END {label}-----");
    out
}
