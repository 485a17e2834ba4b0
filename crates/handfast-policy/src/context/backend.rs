//! Where a request goes and what goes with it.

use handfast_core::Secret;
use std::fmt;
use std::sync::Arc;

/// Where `forward-request` goes. Empty means the API's own service URL.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BackendTarget {
    /// An absolute `http` or `https` URL whose path comes before the request's.
    pub base_url: Option<Arc<str>>,
    /// A backend or pool by id; it goes before `base_url`.
    pub backend_id: Option<Arc<str>>,
    /// The client certificate for the connection.
    pub certificate: Option<CertificateSelection>,
    /// The HTTP proxy to go through.
    pub proxy: Option<ProxySelection>,
    /// Send the request's own `Host`, because a policy set it, instead of the backend's.
    pub keeps_host: bool,
}

/// Which client certificate to present.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CertificateSelection {
    /// By SHA-1 thumbprint, hex.
    Thumbprint(Arc<str>),
    /// By resource name.
    Id(Arc<str>),
    /// One that the request brought along.
    Pfx(Arc<PfxBody>),
}

/// A PFX file with its password, made by expressions.
#[derive(Debug)]
pub struct PfxBody {
    /// The file.
    pub bytes: Secret<Vec<u8>>,
    /// Empty when there is none.
    pub password: Secret<String>,
}

impl PartialEq for PfxBody {
    fn eq(&self, other: &Self) -> bool {
        self.bytes.equals(other.bytes.expose()) && self.password.equals(other.password.expose().as_bytes())
    }
}

impl Eq for PfxBody {}

impl fmt::Display for CertificateSelection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Thumbprint(thumbprint) => write!(f, "thumbprint {thumbprint}"),
            Self::Id(id) => write!(f, "id {id}"),
            Self::Pfx(pfx) => write!(f, "pfx of {} bytes", pfx.bytes.expose().len()),
        }
    }
}

/// An HTTP proxy (RFC 9110 §7.6, §9.3.6).
#[derive(Clone, Debug)]
pub struct ProxySelection {
    /// `http://host:port`.
    pub url: Arc<str>,
    /// The value of `Proxy-Authorization`.
    pub authorization: Option<Secret<String>>,
}

impl PartialEq for ProxySelection {
    fn eq(&self, other: &Self) -> bool {
        let same = match (&self.authorization, &other.authorization) {
            (Some(one), Some(other)) => one.equals(other.expose().as_bytes()),
            (one, other) => one.is_none() && other.is_none(),
        };
        self.url == other.url && same
    }
}

impl Eq for ProxySelection {}
