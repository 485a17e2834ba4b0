//! Certificates for tests, from a CA of their own.

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
