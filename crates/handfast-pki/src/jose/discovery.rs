//! OpenID Connect Discovery 1.0 §3: what a gateway needs of an issuer's metadata document.

use super::{DOCUMENT_BYTES_MAX, json};

/// Issuer and place of the keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Discovery {
    /// What `iss` of its tokens says. In documents for many tenants it holds `{tenantid}`.
    pub issuer: String,
    /// Where its keys are.
    pub jwks_uri: String,
}

/// Why bytes are no metadata document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DiscoveryError {
    /// Longer than is read.
    #[error("the metadata document is longer than {DOCUMENT_BYTES_MAX} bytes")]
    TooLong,
    /// Not an object.
    #[error("not a metadata document: a JSON object is expected")]
    Malformed,
    /// No issuer.
    #[error("the metadata document has no \"issuer\"")]
    NoIssuer,
    /// No address of keys, or none that TLS protects.
    #[error("the metadata document has no \"jwks_uri\" that begins with \"https://\"")]
    NoKeys,
}

impl DiscoveryError {
    /// A stable code.
    pub fn code(self) -> &'static str {
        match self {
            Self::TooLong => "DiscoveryTooLong",
            Self::Malformed => "DiscoveryMalformed",
            Self::NoIssuer => "DiscoveryWithoutIssuer",
            Self::NoKeys => "DiscoveryWithoutKeys",
        }
    }
}

impl Discovery {
    /// Reads a document.
    pub fn parse(bytes: &[u8]) -> Result<Self, DiscoveryError> {
        if bytes.len() > DOCUMENT_BYTES_MAX {
            return Err(DiscoveryError::TooLong);
        }
        let document = json::object(bytes).ok_or(DiscoveryError::Malformed)?;
        let issuer = json::text(&document, "issuer").filter(|issuer| !issuer.is_empty());
        let keys = json::text(&document, "jwks_uri")
            .filter(|url| url.get(..8).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https://")));
        Ok(Self {
            issuer: issuer.ok_or(DiscoveryError::NoIssuer)?.to_owned(),
            jwks_uri: keys.ok_or(DiscoveryError::NoKeys)?.to_owned(),
        })
    }
}
