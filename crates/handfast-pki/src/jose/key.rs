//! Keys that check tokens: RSA and elliptic curves from JWK, certificates or numbers, and shared secrets.

use super::SignatureAlgorithm;
use super::json::{base64url, text};
use crate::certificate::Certificate;
use crate::der;
use crate::public_key::{KeyAlgorithm, PublicKey, modulus_bits};
use handfast_core::Secret;
use serde_json::{Map, Value};
use std::sync::Arc;

/// A shared secret has at least so many bytes; with fewer it can be guessed.
pub const SHARED_BYTES_MIN: usize = 16;
/// A shared secret has at most so many bytes.
pub const SHARED_BYTES_MAX: usize = 1024;

/// A key that signatures of tokens are checked with.
#[derive(Clone, Debug)]
pub struct TokenKey {
    /// Its id, which a token's `kid` names.
    pub id: Option<String>,
    /// The thumbprint of its certificate, which a token's `x5t` names.
    pub thumbprint: Option<String>,
    /// The only algorithm that it may be used with, if its owner says so.
    pub algorithm: Option<SignatureAlgorithm>,
    pub(super) material: Material,
}

#[derive(Clone, Debug)]
pub(super) enum Material {
    Public(PublicKey),
    Shared(Arc<Secret<Vec<u8>>>),
}

/// Why a key is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyRefusal {
    /// A JWK that is not an object or has no `kty`.
    #[error("not a JSON Web Key")]
    Malformed,
    /// `use` or `key_ops` say that it checks no signatures.
    #[error("the key is not meant for checking signatures")]
    OtherUse,
    /// A kind of key other than RSA and elliptic curves.
    #[error("the kind of key is not supported, use RSA or EC")]
    Kind,
    /// A curve other than the three.
    #[error("the curve is not supported, use P-256, P-384 or P-521")]
    Curve,
    /// An algorithm that is not known, or does not go with the key.
    #[error("the algorithm of the key is unknown or does not go with it")]
    Algorithm,
    /// Numbers that are missing, not base64url, or no key.
    #[error("the numbers of the key are missing or malformed")]
    Numbers,
    /// RSA below 2048 or above 8192 bits, or a shared secret below 16 or above 1024 bytes.
    #[error("the key is too short or too long")]
    Size,
    /// A shared secret behind a public address.
    #[error("a shared secret in a public key set is no secret")]
    Public,
}

impl KeyRefusal {
    /// A stable code.
    pub fn code(self) -> &'static str {
        match self {
            Self::Malformed => "TokenKeyMalformed",
            Self::OtherUse => "TokenKeyOtherUse",
            Self::Kind => "TokenKeyKind",
            Self::Curve => "TokenKeyCurve",
            Self::Algorithm => "TokenKeyAlgorithm",
            Self::Numbers => "TokenKeyNumbers",
            Self::Size => "TokenKeySize",
            Self::Public => "TokenKeyPublic",
        }
    }
}

// === impl TokenKey ===

impl TokenKey {
    /// A shared secret.
    pub fn shared(bytes: Vec<u8>) -> Result<Self, KeyRefusal> {
        if !(SHARED_BYTES_MIN..=SHARED_BYTES_MAX).contains(&bytes.len()) {
            return Err(KeyRefusal::Size);
        }
        Ok(Self::of(Material::Shared(Arc::new(Secret::new(bytes)))))
    }

    /// An RSA key by modulus and exponent, big-endian.
    pub fn rsa(modulus: &[u8], exponent: &[u8]) -> Result<Self, KeyRefusal> {
        let strip = |number: &[u8]| -> Vec<u8> { number.iter().copied().skip_while(|&b| b == 0).collect() };
        let (modulus, exponent) = (strip(modulus), strip(exponent));
        // An even exponent, or one of nothing, checks anything or nothing.
        let odd = |number: &[u8]| number.last().is_some_and(|last| last & 1 == 1);
        if !odd(&modulus) || !odd(&exponent) || exponent == [1] || exponent.len() > 4 {
            return Err(KeyRefusal::Numbers);
        }
        let bits = der::sequence(&[der::integer(&modulus), der::integer(&exponent)]);
        Self::public(PublicKey { algorithm: KeyAlgorithm::Rsa(modulus_bits(&modulus)), bits })
    }

    /// The key of a certificate, whose dates and issuer say nothing about tokens.
    pub fn of_certificate(certificate: &Certificate) -> Result<Self, KeyRefusal> {
        Self::public(certificate.public_key().clone())
    }

    /// A public key.
    pub fn public(key: PublicKey) -> Result<Self, KeyRefusal> {
        match key.algorithm {
            KeyAlgorithm::Rsa(2048..=8192) | KeyAlgorithm::P256 | KeyAlgorithm::P384 | KeyAlgorithm::P521 => {
                Ok(Self::of(Material::Public(key)))
            }
            KeyAlgorithm::Rsa(_) => Err(KeyRefusal::Size),
            KeyAlgorithm::Secp256k1 => Err(KeyRefusal::Curve),
            KeyAlgorithm::Ed25519 | KeyAlgorithm::Other(_) => Err(KeyRefusal::Kind),
        }
    }

    /// A JWK of a public key set (RFC 7517 §4, RFC 7518 §6).
    pub fn from_jwk(jwk: &Map<String, Value>) -> Result<Self, KeyRefusal> {
        let kind = text(jwk, "kty").ok_or(KeyRefusal::Malformed)?;
        if text(jwk, "use").is_some_and(|usage| usage != "sig") || !may_verify(jwk.get("key_ops")) {
            return Err(KeyRefusal::OtherUse);
        }
        let number = |name: &str| text(jwk, name).and_then(base64url).ok_or(KeyRefusal::Numbers);
        let mut key = match kind {
            "RSA" => Self::rsa(&number("n")?, &number("e")?)?,
            "EC" => Self::curve(text(jwk, "crv").unwrap_or_default(), &number("x")?, &number("y")?)?,
            "oct" => return Err(KeyRefusal::Public),
            _ => return Err(KeyRefusal::Kind),
        };
        key.id = text(jwk, "kid").map(str::to_owned);
        key.thumbprint = text(jwk, "x5t").map(str::to_owned);
        if let Some(name) = jwk.get("alg") {
            let algorithm = name.as_str().and_then(SignatureAlgorithm::parse).ok_or(KeyRefusal::Algorithm)?;
            if !algorithm.takes(&key) {
                return Err(KeyRefusal::Algorithm);
            }
            key.algorithm = Some(algorithm);
        }
        Ok(key)
    }

    /// The same key under an id.
    #[must_use]
    pub fn with_id(self, id: Option<String>) -> Self {
        Self { id, ..self }
    }

    /// A point of a curve, uncompressed (SEC1 §2.3.3). That it lies on the curve is checked with each use.
    fn curve(name: &str, x: &[u8], y: &[u8]) -> Result<Self, KeyRefusal> {
        let (algorithm, size) = match name {
            "P-256" => (KeyAlgorithm::P256, 32),
            "P-384" => (KeyAlgorithm::P384, 48),
            "P-521" => (KeyAlgorithm::P521, 66),
            _ => return Err(KeyRefusal::Curve),
        };
        if x.len() != size || y.len() != size {
            return Err(KeyRefusal::Numbers);
        }
        Self::public(PublicKey { algorithm, bits: [&[4], x, y].concat() })
    }

    fn of(material: Material) -> Self {
        Self { id: None, thumbprint: None, algorithm: None, material }
    }
}

/// Whether `key_ops`, if it is there, names `verify`.
fn may_verify(operations: Option<&Value>) -> bool {
    match operations {
        None => true,
        Some(Value::Array(operations)) => operations.iter().any(|one| one.as_str() == Some("verify")),
        Some(_) => false,
    }
}
