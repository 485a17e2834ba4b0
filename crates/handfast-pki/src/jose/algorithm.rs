//! The signature algorithms of RFC 7518 §3, and checking a signature with one.

use super::key::{Material, TokenKey};
use crate::public_key::KeyAlgorithm;
use aws_lc_rs::hmac;
use aws_lc_rs::signature::{self as aws, UnparsedPublicKey, VerificationAlgorithm};

/// How a token may be signed. `none` is no algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names are those of RFC 7518")]
pub enum SignatureAlgorithm {
    Hs256,
    Hs384,
    Hs512,
    Rs256,
    Rs384,
    Rs512,
    Ps256,
    Ps384,
    Ps512,
    Es256,
    Es384,
    Es512,
}

/// Which key an algorithm goes with, and what checks it.
enum Check {
    Hmac(hmac::Algorithm),
    Rsa(&'static dyn VerificationAlgorithm),
    Ec(KeyAlgorithm, &'static dyn VerificationAlgorithm),
}

// === impl SignatureAlgorithm ===

impl SignatureAlgorithm {
    /// All of them, with the names of the registry.
    pub const ALL: [(&'static str, Self); 12] = [
        ("HS256", Self::Hs256),
        ("HS384", Self::Hs384),
        ("HS512", Self::Hs512),
        ("RS256", Self::Rs256),
        ("RS384", Self::Rs384),
        ("RS512", Self::Rs512),
        ("PS256", Self::Ps256),
        ("PS384", Self::Ps384),
        ("PS512", Self::Ps512),
        ("ES256", Self::Es256),
        ("ES384", Self::Es384),
        ("ES512", Self::Es512),
    ];

    /// By its name, which knows case.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, algorithm)| *algorithm)
    }

    fn check(self) -> Check {
        match self {
            Self::Hs256 => Check::Hmac(hmac::HMAC_SHA256),
            Self::Hs384 => Check::Hmac(hmac::HMAC_SHA384),
            Self::Hs512 => Check::Hmac(hmac::HMAC_SHA512),
            Self::Rs256 => Check::Rsa(&aws::RSA_PKCS1_2048_8192_SHA256),
            Self::Rs384 => Check::Rsa(&aws::RSA_PKCS1_2048_8192_SHA384),
            Self::Rs512 => Check::Rsa(&aws::RSA_PKCS1_2048_8192_SHA512),
            Self::Ps256 => Check::Rsa(&aws::RSA_PSS_2048_8192_SHA256),
            Self::Ps384 => Check::Rsa(&aws::RSA_PSS_2048_8192_SHA384),
            Self::Ps512 => Check::Rsa(&aws::RSA_PSS_2048_8192_SHA512),
            Self::Es256 => Check::Ec(KeyAlgorithm::P256, &aws::ECDSA_P256_SHA256_FIXED),
            Self::Es384 => Check::Ec(KeyAlgorithm::P384, &aws::ECDSA_P384_SHA384_FIXED),
            Self::Es512 => Check::Ec(KeyAlgorithm::P521, &aws::ECDSA_P521_SHA512_FIXED),
        }
    }

    /// Whether a key is of the kind that this algorithm takes. An RSA key is never a shared secret.
    pub fn takes(self, key: &TokenKey) -> bool {
        if key.algorithm.is_some_and(|only| only != self) {
            return false;
        }
        match (self.check(), &key.material) {
            (Check::Hmac(_), Material::Shared(_)) => true,
            (Check::Rsa(_), Material::Public(public)) => matches!(public.algorithm, KeyAlgorithm::Rsa(_)),
            (Check::Ec(curve, _), Material::Public(public)) => public.algorithm == curve,
            (Check::Hmac(_), Material::Public(_)) | (Check::Rsa(_) | Check::Ec(..), Material::Shared(_)) => {
                false
            }
        }
    }

    /// Whether a key made this signature. Codes are compared in constant time.
    pub(super) fn is_signed(self, key: &TokenKey, input: &[u8], signature: &[u8]) -> bool {
        if !self.takes(key) {
            return false;
        }
        match (self.check(), &key.material) {
            (Check::Hmac(algorithm), Material::Shared(secret)) => {
                let secret = hmac::Key::new(algorithm, secret.expose());
                hmac::verify(&secret, input, signature).is_ok()
            }
            (Check::Rsa(algorithm) | Check::Ec(_, algorithm), Material::Public(public)) => {
                UnparsedPublicKey::new(algorithm, &public.bits).verify(input, signature).is_ok()
            }
            _ => false,
        }
    }
}
