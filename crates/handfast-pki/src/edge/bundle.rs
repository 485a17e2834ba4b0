//! `trustedClientCertificates`: a bundle with exactly one root, and the issuer name that is taken from it.

use crate::certificate::Certificate;
use crate::name::Name;
use crate::pem::{self, PemError};
use std::collections::HashSet;

/// Largest bundle, in bytes.
pub const BUNDLE_BYTES_MAX: usize = 25 * 1024;

/// Why a bundle is refused. The codes are those of the resource provider.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BundleError {
    /// Empty data.
    #[error("a trusted client certificate must have \"data\"")]
    MustSpecifyData,
    /// A private key in the bundle.
    #[error("a trusted client certificate must not contain a private key")]
    MustNotHavePrivateKey,
    /// No certificate, unreadable, or too large.
    #[error(
        "\"data\" of a trusted client certificate is not valid: {0}; give PEM text or base64 of it, at most {BUNDLE_BYTES_MAX} bytes"
    )]
    InvalidData(String),
    /// Only leaves.
    #[error("a trusted client certificate must contain a CA certificate (basicConstraints CA:TRUE)")]
    DoesNotContainAnyCaCertificate,
    /// No root, or several.
    #[error("a trusted client certificate must contain exactly one self-signed root CA, it contains {0}")]
    OnlyOneRootCaAllowed(usize),
}

impl BundleError {
    /// The resource provider's code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::MustSpecifyData => "ApplicationGatewayTrustedClientCertificateMustSpecifyData",
            Self::MustNotHavePrivateKey => "ApplicationGatewayTrustedClientCertificateMustNotHavePrivateKey",
            Self::InvalidData(_) => "ApplicationGatewayTrustedClientCertificateInvalidData",
            Self::DoesNotContainAnyCaCertificate => {
                "ApplicationGatewayTrustedClientCertificateDoesNotContainAnyCACertificate"
            }
            Self::OnlyOneRootCaAllowed(_) => {
                "ApplicationGatewayOnlyOneRootCAAllowedInTrustedClientCertificate"
            }
        }
    }
}

/// An uploaded bundle of client CAs.
#[derive(Clone, Debug)]
pub struct TrustedClientBundle {
    certificates: Vec<Certificate>,
    issuer: Certificate,
}

impl TrustedClientBundle {
    /// Reads `data`: PEM text, or base64 of PEM text or of DER.
    pub fn parse(data: &str) -> Result<Self, BundleError> {
        if data.trim().is_empty() {
            return Err(BundleError::MustSpecifyData);
        }
        // The limit holds for the content; base64 around it makes it a third larger.
        let limit =
            if data.contains("-----BEGIN ") { BUNDLE_BYTES_MAX } else { BUNDLE_BYTES_MAX * 4 / 3 + 128 };
        if data.len() > limit {
            return Err(BundleError::InvalidData("it is too large".to_owned()));
        }
        let invalid = |error: PemError| BundleError::InvalidData(error.to_string());
        let blocks = pem::blocks(data.as_bytes()).map_err(invalid)?;
        if blocks.iter().any(pem::Block::is_private_key) {
            return Err(BundleError::MustNotHavePrivateKey);
        }
        Self::from_certificates(pem::certificates(data.as_bytes()).map_err(invalid)?)
    }

    /// A bundle of parsed certificates; a repeated one counts once.
    pub fn from_certificates(mut certificates: Vec<Certificate>) -> Result<Self, BundleError> {
        let mut seen = HashSet::new();
        certificates.retain(|certificate| seen.insert(*certificate.sha256()));
        if !certificates.iter().any(Certificate::is_ca) {
            return Err(BundleError::DoesNotContainAnyCaCertificate);
        }
        let is_root = |certificate: &&Certificate| certificate.is_ca() && certificate.is_self_signed();
        let roots = certificates.iter().filter(is_root).count();
        if roots != 1 {
            return Err(BundleError::OnlyOneRootCaAllowed(roots));
        }
        let issuer = longest_chain_end(&certificates).ok_or(BundleError::OnlyOneRootCaAllowed(0))?;
        Ok(Self { certificates, issuer })
    }

    /// All certificates, in upload order.
    pub fn certificates(&self) -> &[Certificate] {
        &self.certificates
    }

    /// The name that `verifyClientCertIssuerDN` compares with a leaf's issuer, and `clientCertIssuerDN` shows.
    pub fn issuer_dn(&self) -> &Name {
        self.issuer.subject()
    }

    /// The self-signed root.
    pub fn root(&self) -> Option<&Certificate> {
        self.certificates.iter().find(|certificate| certificate.is_ca() && certificate.is_self_signed())
    }
}

/// The last CA of the longest chain, counted from the root down; of equally long ones the first in the bundle.
fn longest_chain_end(certificates: &[Certificate]) -> Option<Certificate> {
    let authorities: Vec<&Certificate> =
        certificates.iter().filter(|certificate| certificate.is_ca()).collect();
    // max_by_key gives the last of equals, so the walk is backwards.
    authorities.iter().rev().max_by_key(|end| chain_length(end, &authorities)).map(|end| (*end).clone())
}

/// How many certificates lead from `end` up to its top within the bundle.
fn chain_length(end: &Certificate, authorities: &[&Certificate]) -> usize {
    let mut length = 1;
    let mut current = end;
    while length <= authorities.len() && !current.is_self_issued() {
        let issuer = authorities.iter().find(|candidate| {
            candidate.subject().matches(current.issuer()) && current.is_signed_by(candidate)
        });
        match issuer {
            Some(issuer) => current = issuer,
            None => break,
        }
        length += 1;
    }
    length
}
