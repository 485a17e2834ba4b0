//! The trust that the instance starts with: the system's roots and its own CA.

use handfast_net::tls::TrustSet;
use handfast_pki::{Certificate, pem};
use std::path::Path;
use std::sync::Arc;

/// Where distributions keep their bundle of roots; `SSL_CERT_FILE` comes first.
const BUNDLES: &[&str] = &[
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// The system's roots; those that cannot be parsed are left out.
pub(crate) fn system_roots() -> Vec<Certificate> {
    let named = std::env::var_os("SSL_CERT_FILE").map(std::path::PathBuf::from);
    let bundle = named
        .iter()
        .map(|path| path.as_path())
        .chain(BUNDLES.iter().map(Path::new))
        .find(|path| path.exists());
    let Some(text) = bundle.and_then(|path| std::fs::read(path).ok()) else { return Vec::new() };
    pem::certificates(&text).unwrap_or_default()
}

/// Roots and the instance's own CA, which plays the part of a well-known one.
pub(crate) fn with_own(own: &Certificate) -> Arc<TrustSet> {
    let mut anchors = system_roots();
    anchors.push(own.clone());
    Arc::new(TrustSet::new(anchors, Vec::new()))
}
