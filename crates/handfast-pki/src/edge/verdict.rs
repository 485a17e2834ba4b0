//! The verdict on a client's chain, with OpenSSL's words.

use super::TrustedClientBundle;
use crate::certificate::Certificate;
use crate::digest;
use crate::name::Name;
use crate::path::{self, Profile, Trust, TrustFailure, Verdict};
use handfast_core::UnixTime;
use std::fmt;
use std::time::Duration;

/// How long a verdict may be cached at most.
const CACHE_SPAN_MAX: Duration = Duration::from_secs(600);

/// The reasons of refusals, word for word.
pub mod reason {
    /// Only the leaf is known, its issuer is not.
    pub const FIRST_CERTIFICATE: &str = "unable to verify the first certificate";
    /// The chain breaks off after the leaf.
    pub const LOCAL_ISSUER: &str = "unable to get local issuer certificate";
    /// The chain ends in a root that is not trusted.
    pub const SELF_SIGNED: &str = "self-signed certificate in certificate chain";
    /// Extended key usage without clientAuth.
    pub const PURPOSE: &str = "unsupported certificate purpose";
    /// After the end of validity.
    pub const EXPIRED: &str = "certificate has expired";
    /// Before the begin of validity.
    pub const NOT_YET_VALID: &str = "certificate is not yet valid";
    /// The leaf's issuer is none of the profile's.
    pub const ISSUER_DN: &str = "issuer DN mismatch";
    /// OCSP: revoked.
    pub const REVOKED: &str = "certificate revoked";
    /// OCSP: no answer.
    pub const OCSP_UNREACHABLE: &str = "OCSP responder unreachable";
    /// OCSP: the leaf names no responder.
    pub const NO_OCSP: &str = "no OCSP responder";
    /// A signature that does not verify.
    pub const SIGNATURE: &str = "certificate signature failure";
    /// An issuer that is no CA or may not sign certificates.
    pub const INVALID_CA: &str = "invalid CA certificate";
    /// Path length exceeded.
    pub const PATH_LENGTH: &str = "path length constraint exceeded";
    /// A name outside the permitted name constraints.
    pub const NOT_PERMITTED: &str = "permitted subtree violation";
    /// A name within the excluded name constraints.
    pub const EXCLUDED: &str = "excluded subtree violation";
    /// A critical extension that is not understood.
    pub const CRITICAL_EXTENSION: &str = "unhandled critical extension";
    /// A key that is too short.
    pub const WEAK_KEY: &str = "EE certificate key too weak";
    /// A signature algorithm that is too old.
    pub const WEAK_SIGNATURE: &str = "CA signature digest algorithm too weak";
    /// More work than the limits allow.
    pub const TOO_COMPLEX: &str = "certificate chain too long";
}

/// What a client's certificate is worth. Displays as the variable `client_certificate_verification`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EdgeVerdict {
    /// No certificate was presented.
    None,
    /// Everything holds.
    Success,
    /// Something does not; one of [`reason`].
    Failed(&'static str),
}

impl EdgeVerdict {
    /// Whether the certificate may pass in strict mode.
    pub fn is_success(self) -> bool {
        self == Self::Success
    }
}

impl fmt::Display for EdgeVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("NONE"),
            Self::Success => f.write_str("SUCCESS"),
            Self::Failed(reason) => write!(f, "FAILED:{reason}"),
        }
    }
}

/// The trust of one sslProfile, prepared once and shared by its connections.
#[derive(Clone, Debug)]
pub struct ClientProfile {
    trust: Trust,
    issuer_dns: Vec<Name>,
    verify_issuer_dn: bool,
}

impl ClientProfile {
    /// A profile of bundles. `version` names their content in caches.
    pub fn new(bundles: &[TrustedClientBundle], verify_issuer_dn: bool, version: u64) -> Self {
        let anchors = bundles.iter().flat_map(|bundle| bundle.certificates().iter().cloned()).collect();
        let issuer_dns = bundles.iter().map(|bundle| bundle.issuer_dn().clone()).collect();
        Self { trust: Trust { anchors, version, ..Trust::default() }, issuer_dns, verify_issuer_dn }
    }

    /// Also accept SHA-1 signatures and RSA keys from 1024 bits.
    #[must_use]
    pub fn allow_legacy_algorithms(mut self, allow: bool) -> Self {
        self.trust.allow_sha1 = allow;
        self.trust.allow_rsa_1024 = allow;
        self
    }

    /// DER of the subjects of all CAs: the hints of the certificate request in strict mode.
    pub fn ca_subjects(&self) -> impl Iterator<Item = &[u8]> {
        self.trust.anchors.iter().filter(|certificate| certificate.is_ca()).map(|ca| ca.subject().der())
    }

    /// The version given at construction.
    pub fn version(&self) -> u64 {
        self.trust.version
    }
}

/// A verdict with what a cache and a log need.
#[derive(Clone, Debug)]
pub struct EdgeJudgement {
    /// The verdict.
    pub verdict: EdgeVerdict,
    /// The verdict may be used up to and including this second.
    pub valid_until: UnixTime,
    /// SHA-256 of the presented chain: with the profile's version, the key of a cache.
    pub chain_id: [u8; 32],
    /// The path behind a success, leaf first, or behind a refusal by date or issuer name.
    pub path: Option<Vec<Certificate>>,
}

/// Judges what a client presented, leaf first as TLS demands, others in any order.
pub fn judge_edge_client(presented: &[Certificate], profile: &ClientProfile, now: UnixTime) -> EdgeJudgement {
    let ders: Vec<&[u8]> = presented.iter().map(Certificate::der).collect();
    let chain_id = digest::sha256(&ders);
    let Some((leaf, others)) = presented.split_first() else {
        let valid_until = now.plus(CACHE_SPAN_MAX);
        return EdgeJudgement { verdict: EdgeVerdict::None, valid_until, chain_id, path: None };
    };
    let verdict = path::judge(leaf, others, &profile.trust, Profile::ClientEdge, now);
    EdgeJudgement {
        verdict: worded(leaf, &verdict, profile, now),
        valid_until: valid_until(&verdict, now),
        chain_id,
        path: verdict.path,
    }
}

/// Steps 2 to 5 of the edge's algorithm, in its order.
fn worded(leaf: &Certificate, verdict: &Verdict, profile: &ClientProfile, now: UnixTime) -> EdgeVerdict {
    if profile.trust.anchors.is_empty() {
        return EdgeVerdict::Failed(reason::FIRST_CERTIFICATE);
    }
    if let Err(failure) = &verdict.trust {
        return EdgeVerdict::Failed(reason_of(failure));
    }
    // OpenSSL walks from the root down and reports the first date that does not hold.
    for certificate in verdict.path.iter().flatten().rev() {
        if now < certificate.not_before() {
            return EdgeVerdict::Failed(reason::NOT_YET_VALID);
        }
        if certificate.not_after() < now {
            return EdgeVerdict::Failed(reason::EXPIRED);
        }
    }
    if profile.verify_issuer_dn && !profile.issuer_dns.iter().any(|dn| dn.matches(leaf.issuer())) {
        return EdgeVerdict::Failed(reason::ISSUER_DN);
    }
    EdgeVerdict::Success
}

fn reason_of(failure: &TrustFailure) -> &'static str {
    match failure {
        TrustFailure::UnknownIssuer { depth: 0, .. } => reason::FIRST_CERTIFICATE,
        TrustFailure::UnknownIssuer { .. } => reason::LOCAL_ISSUER,
        TrustFailure::UntrustedRoot { .. } => reason::SELF_SIGNED,
        TrustFailure::BadSignature { .. } => reason::SIGNATURE,
        TrustFailure::WeakSignature { .. } => reason::WEAK_SIGNATURE,
        TrustFailure::WeakKey { .. } => reason::WEAK_KEY,
        TrustFailure::NotCa { .. } | TrustFailure::KeyUsage { .. } | TrustFailure::CaAsLeaf { .. } => {
            reason::INVALID_CA
        }
        TrustFailure::PathLength { .. } => reason::PATH_LENGTH,
        TrustFailure::NameConstraint { excluded: true, .. } => reason::EXCLUDED,
        TrustFailure::NameConstraint { .. } => reason::NOT_PERMITTED,
        TrustFailure::Purpose { .. } => reason::PURPOSE,
        TrustFailure::UnknownCriticalExtension { .. } => reason::CRITICAL_EXTENSION,
        TrustFailure::TooComplex => reason::TOO_COMPLEX,
    }
}

/// A verdict holds at most ten minutes, and never over the next date that may change it.
fn valid_until(verdict: &Verdict, now: UnixTime) -> UnixTime {
    let latest = now.plus(CACHE_SPAN_MAX);
    let dates = verdict.path.iter().flatten().flat_map(|certificate| {
        let begin = UnixTime(certificate.not_before().0.saturating_sub(1));
        [begin, certificate.not_after()]
    });
    dates.filter(|date| *date >= now).fold(latest, UnixTime::min)
}
