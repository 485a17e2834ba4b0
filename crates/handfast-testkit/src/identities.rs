//! Certificates for tests, from a CA of their own.

use base64::Engine;
use handfast_core::UnixTime;
use handfast_net::tls::TrustSet;
use handfast_pki::Credential;
use handfast_pki::ca::{InstanceCa, Request};
use std::sync::Arc;
use std::time::Duration;

/// A certificate authority with everything under `localhost`.
pub struct TestPki {
    ca: InstanceCa,
    now: UnixTime,
}

impl TestPki {
    /// A new authority.
    pub fn new(now: UnixTime) -> Self {
        Self { ca: InstanceCa::create(now, "localhost").expect("a CA can be made"), now }
    }

    /// A server certificate for a host below `localhost`.
    pub fn server(&self, host: &str) -> Arc<Credential> {
        Arc::new(self.ca.issue(self.now, &Request::server(host)).expect("a certificate can be issued"))
    }

    /// A client certificate.
    pub fn client(&self, common_name: &str) -> Arc<Credential> {
        Arc::new(self.ca.issue(self.now, &Request::client(common_name)).expect("a certificate can be issued"))
    }

    /// A client certificate that ends after `lifetime`.
    pub fn client_for(&self, common_name: &str, lifetime: Duration) -> Arc<Credential> {
        let request = Request { lifetime, ..Request::client(common_name) };
        Arc::new(self.ca.issue(self.now, &request).expect("a certificate can be issued"))
    }

    /// The authority itself.
    pub fn ca(&self) -> &InstanceCa {
        &self.ca
    }

    /// Trust in this authority.
    pub fn trust(&self) -> Arc<TrustSet> {
        Arc::new(TrustSet::new(vec![self.ca.root().clone()], Vec::new()))
    }
}

/// Chain and key as PEM, for programs that read files.
pub fn pem(credential: &Credential) -> String {
    let mut text = String::new();
    for certificate in credential.chain_pki_types() {
        text += &block("CERTIFICATE", &certificate);
    }
    text + &block("PRIVATE KEY", credential.key_pki_types().secret_der())
}

fn block(label: &str, der: &[u8]) -> String {
    let encoded = base64::engine::general_purpose::STANDARD.encode(der);
    let lines: Vec<&str> =
        encoded.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).expect("ASCII")).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}
