//! Path validation: from a leaf to an anchor, with a reason when there is no way.
//!
//! One builder serves three profiles (see [`Profile`]). It differs from a browser's validator in what it
//! tells apart: trust, begin and end of validity are judged independently and the caller combines them, and a
//! refusal names the most informative failure that was met. It is a pure function: time comes in, revocation
//! stays outside, and [`Limits`] bound the work whatever a peer sends.
//!
//! Rules are those of RFC 5280 §6 where the profile does not say otherwise; self-issued intermediates are
//! exempt from path length and name constraints, also when they share a name but not a key.

use crate::certificate::Certificate;
use handfast_core::UnixTime;

mod build;
mod names;
mod server_name;

pub use server_name::{NameFailure, judge_server_name, judge_server_name_or_common_name};

/// Extended key usage: TLS server.
pub const SERVER_AUTH: &str = "1.3.6.1.5.5.7.3.1";
/// Extended key usage: TLS client.
pub const CLIENT_AUTH: &str = "1.3.6.1.5.5.7.3.2";

/// Whose rules apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Profile {
    /// A server that we connect to. Needs serverAuth; a CA certificate is no server certificate.
    Server,
    /// A client of the edge, judged as OpenSSL would. Needs clientAuth; CA:TRUE leaves are allowed.
    ClientEdge,
    /// A client of the API gateway, judged as .NET would. No purpose is demanded.
    ClientPolicy,
}

impl Profile {
    /// The purpose that leaf and intermediates must allow.
    fn purpose(self) -> Option<&'static str> {
        match self {
            Self::Server => Some(SERVER_AUTH),
            Self::ClientEdge => Some(CLIENT_AUTH),
            Self::ClientPolicy => None,
        }
    }
}

/// What is trusted, and the settings that go with it.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    /// Certificates that end a path. Those that are not self-signed only help to build paths, unless
    /// `partial_chain` is set.
    pub anchors: Vec<Certificate>,
    /// Intermediates that need not be presented.
    pub extra_intermediates: Vec<Certificate>,
    /// SHA-256 of leaf certificates or of their SubjectPublicKeyInfo that are accepted as they are; only
    /// the validity period is still looked at.
    pub pins: Vec<[u8; 32]>,
    /// Let anchors that are not self-signed end a path. Without effect for [`Profile::ClientEdge`].
    pub partial_chain: bool,
    /// Accept SHA-1 signatures. Without effect for [`Profile::Server`].
    pub allow_sha1: bool,
    /// Accept RSA keys from 1024 bits. Without effect for [`Profile::Server`].
    pub allow_rsa_1024: bool,
    /// Names this set in caches; whoever builds the set changes it with every change of content.
    pub version: u64,
}

/// Bounds of the work for one verdict.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Longest path, leaf and anchor included.
    pub path_length: usize,
    /// Issuer candidates that are looked at.
    pub steps: usize,
    /// Signatures that are checked.
    pub signatures: usize,
    /// Names compared with name constraints.
    pub name_comparisons: usize,
    /// Presented certificates, leaf included.
    pub presented: usize,
    /// Presented bytes, leaf included.
    pub presented_bytes: usize,
}

/// The limits that [`judge`] applies.
pub const LIMITS: Limits = Limits {
    path_length: 10,
    steps: 200,
    signatures: 100,
    name_comparisons: 250_000,
    presented: 20,
    presented_bytes: 64 * 1024,
};

/// Why a certificate is not trusted. Names are printed in .NET style.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TrustFailure {
    /// No issuer is known. `depth` is the place in the chain that lacks one, 0 is the leaf.
    #[error("the issuer \"{issuer}\" is not known")]
    UnknownIssuer {
        /// The issuer's name.
        issuer: String,
        /// How many certificates of the chain were found before the gap, minus one.
        depth: usize,
    },
    /// The chain ends in a self-signed certificate that is no anchor.
    #[error("the self-signed certificate \"{subject}\" is not among the trusted roots")]
    UntrustedRoot {
        /// Its name.
        subject: String,
        /// Its place in the chain, 0 is the leaf itself.
        depth: usize,
    },
    /// A signature does not verify under the key of the certificate that bears the issuer's name.
    #[error("the signature on \"{subject}\" does not verify")]
    BadSignature {
        /// The certificate with the bad signature.
        subject: String,
    },
    /// A signature algorithm that is too old or unknown.
    #[error("\"{subject}\" is signed with an algorithm that is not accepted ({algorithm})")]
    WeakSignature {
        /// The certificate.
        subject: String,
        /// Dotted object identifier of the algorithm.
        algorithm: String,
    },
    /// A key that is too short or of an unaccepted kind.
    #[error(
        "the key of \"{subject}\" is not accepted ({algorithm}); RSA from 2048 bits, P-256, P-384, P-521 and Ed25519 are"
    )]
    WeakKey {
        /// The certificate.
        subject: String,
        /// The kind of key.
        algorithm: String,
    },
    /// An issuer that is no CA.
    #[error("\"{subject}\" issued a certificate but is not a CA")]
    NotCa {
        /// The issuer.
        subject: String,
    },
    /// An issuer whose key usage lacks keyCertSign.
    #[error("\"{subject}\" issued a certificate but its key usage does not allow that")]
    KeyUsage {
        /// The issuer.
        subject: String,
    },
    /// More intermediates than an issuer allows.
    #[error("\"{subject}\" does not allow that many intermediates below it")]
    PathLength {
        /// The issuer with the limit.
        subject: String,
    },
    /// A name outside an issuer's name constraints.
    #[error("the name \"{name}\" violates the name constraints of \"{issuer}\"")]
    NameConstraint {
        /// The offending name.
        name: String,
        /// The constraining issuer.
        issuer: String,
        /// Whether the name is excluded, and not merely missing among the permitted ones.
        excluded: bool,
    },
    /// An extended key usage that does not include the purpose.
    #[error("the extended key usage of \"{subject}\" does not include the purpose {purpose}")]
    Purpose {
        /// The certificate.
        subject: String,
        /// Dotted object identifier of the purpose.
        purpose: &'static str,
    },
    /// A critical extension that is not understood.
    #[error("\"{subject}\" has the critical extension {oid}, which is not understood")]
    UnknownCriticalExtension {
        /// The certificate.
        subject: String,
        /// Dotted object identifier of the extension.
        oid: String,
    },
    /// A CA certificate used as a server certificate.
    #[error("\"{subject}\" is a CA certificate and not among the pinned ones")]
    CaAsLeaf {
        /// The certificate.
        subject: String,
    },
    /// The limits were reached before a path was found.
    #[error("the certificate path is too complex")]
    TooComplex,
}

impl TrustFailure {
    /// A stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::UnknownIssuer { .. } => "CertificateIssuerUnknown",
            Self::UntrustedRoot { .. } => "CertificateRootUntrusted",
            Self::BadSignature { .. } => "CertificateSignatureInvalid",
            Self::WeakSignature { .. } => "CertificateSignatureWeak",
            Self::WeakKey { .. } => "CertificateKeyWeak",
            Self::NotCa { .. } => "CertificateIssuerNotCa",
            Self::KeyUsage { .. } => "CertificateIssuerKeyUsage",
            Self::PathLength { .. } => "CertificatePathLength",
            Self::NameConstraint { .. } => "CertificateNameConstraint",
            Self::Purpose { .. } => "CertificatePurpose",
            Self::UnknownCriticalExtension { .. } => "CertificateCriticalExtension",
            Self::CaAsLeaf { .. } => "CertificateCaAsLeaf",
            Self::TooComplex => "CertificatePathTooComplex",
        }
    }

    /// How much the failure tells; of several, the highest is reported.
    fn rank(&self) -> u8 {
        match self {
            Self::TooComplex => 9,
            Self::NameConstraint { .. } => 8,
            Self::Purpose { .. } => 7,
            Self::UnknownCriticalExtension { .. } | Self::CaAsLeaf { .. } => 6,
            Self::WeakKey { .. } | Self::WeakSignature { .. } => 5,
            Self::NotCa { .. } | Self::KeyUsage { .. } | Self::PathLength { .. } => 4,
            Self::BadSignature { .. } => 3,
            Self::UntrustedRoot { .. } => 2,
            Self::UnknownIssuer { .. } => 1,
        }
    }
}

/// Something to tell an operator about an accepted certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Warning {
    /// Accepted because it is pinned; no path was looked for.
    Pinned,
    /// The leaf says nowhere how its revocation status can be asked.
    NoRevocationPointer,
    /// A signature with SHA-1 was accepted because a setting allows it.
    Sha1Signature,
    /// An RSA key below 2048 bits was accepted because a setting allows it.
    ShortKey,
}

/// The verdict, one member per dimension.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// The path that was found, leaf first, anchor last; only with trust.
    pub path: Option<Vec<Certificate>>,
    /// Whether the leaf is trusted, validity periods aside.
    pub trust: Result<(), TrustFailure>,
    /// No certificate of the path (without a path: not the leaf) has its validity still before it.
    pub not_before_ok: bool,
    /// No certificate of the path (without a path: not the leaf) has expired.
    pub not_after_ok: bool,
    /// The last second at which the dates still hold: the earliest end of validity on the path.
    pub valid_until: UnixTime,
    /// Things worth telling.
    pub warnings: Vec<Warning>,
    /// [`Trust::version`] of the set that was used.
    pub trust_version: u64,
}

impl Verdict {
    /// Trusted and within all validity periods.
    pub fn is_accepted(&self) -> bool {
        self.trust.is_ok() && self.not_before_ok && self.not_after_ok
    }
}

/// Judges a leaf. `presented` is what the peer sent beside it, in any order; the leaf may be among it.
pub fn judge(
    leaf: &Certificate,
    presented: &[Certificate],
    trust: &Trust,
    profile: Profile,
    now: UnixTime,
) -> Verdict {
    build::judge(leaf, presented, trust, profile, now)
}

#[cfg(test)]
mod tests;
