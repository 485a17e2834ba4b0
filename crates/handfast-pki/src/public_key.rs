//! SubjectPublicKeyInfo: which kind of key, and its bytes.

use crate::der::{self, DerError, Reader, tag};
use std::fmt;

/// The kind of a key. Only the kinds of which [`KeyAlgorithm::usable_for_tls`] holds can serve TLS.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum KeyAlgorithm {
    /// RSA with this many bits of modulus.
    Rsa(usize),
    /// NIST P-256.
    P256,
    /// NIST P-384.
    P384,
    /// NIST P-521.
    P521,
    /// secp256k1; can be kept, but not used for TLS.
    Secp256k1,
    /// Ed25519.
    Ed25519,
    /// Anything else, by its dotted object identifier (for elliptic curves, the curve's).
    Other(String),
}

impl KeyAlgorithm {
    /// Whether the TLS stack can sign or verify with such a key: RSA from 2048 bits, P-256/384/521, Ed25519.
    pub fn usable_for_tls(&self) -> bool {
        match self {
            Self::Rsa(bits) => (2048..=8192).contains(bits),
            Self::P256 | Self::P384 | Self::P521 | Self::Ed25519 => true,
            Self::Secp256k1 | Self::Other(_) => false,
        }
    }

    fn curve(oid: &str) -> Self {
        match oid {
            "1.2.840.10045.3.1.7" => Self::P256,
            "1.3.132.0.34" => Self::P384,
            "1.3.132.0.35" => Self::P521,
            "1.3.132.0.10" => Self::Secp256k1,
            other => Self::Other(other.to_owned()),
        }
    }

    /// The object identifier of the named curve, for elliptic-curve keys.
    pub(crate) fn curve_oid(&self) -> Option<&'static str> {
        match self {
            Self::P256 => Some("1.2.840.10045.3.1.7"),
            Self::P384 => Some("1.3.132.0.34"),
            Self::P521 => Some("1.3.132.0.35"),
            Self::Secp256k1 => Some("1.3.132.0.10"),
            _ => None,
        }
    }
}

impl fmt::Display for KeyAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rsa(bits) => write!(f, "RSA-{bits}"),
            Self::P256 => f.write_str("P-256"),
            Self::P384 => f.write_str("P-384"),
            Self::P521 => f.write_str("P-521"),
            Self::Secp256k1 => f.write_str("secp256k1"),
            Self::Ed25519 => f.write_str("Ed25519"),
            Self::Other(oid) => f.write_str(oid),
        }
    }
}

/// A public key: its kind and the content of its `subjectPublicKey` bit string.
///
/// Two keys are equal when kind and bits are; the optional parameters of RSA do not matter.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PublicKey {
    /// The kind.
    pub algorithm: KeyAlgorithm,
    /// RSA: DER of `RSAPublicKey`; elliptic curves: the point; Ed25519: 32 bytes.
    pub bits: Vec<u8>,
}

pub(crate) const RSA_OID: &str = "1.2.840.113549.1.1.1";
pub(crate) const EC_OID: &str = "1.2.840.10045.2.1";
pub(crate) const ED25519_OID: &str = "1.3.101.112";

impl PublicKey {
    /// Reads a SubjectPublicKeyInfo, its SEQUENCE included.
    pub(crate) fn parse(raw: &[u8]) -> Result<Self, DerError> {
        let mut info = Reader::new(raw).sequence()?;
        let identifier = info.sequence()?;
        let bits = info.bit_string()?;
        info.end()?;
        Ok(Self { algorithm: algorithm(identifier, bits)?, bits: bits.to_vec() })
    }

    /// The DER of the SubjectPublicKeyInfo, written afresh.
    pub fn spki_der(&self) -> Vec<u8> {
        let identifier = algorithm_identifier(&self.algorithm);
        der::sequence(&[identifier, der::bits(&self.bits)])
    }

    /// SHA-1 of the key bits: RFC 5280 §4.2.1.2 method 1, the usual subject key identifier.
    pub(crate) fn identifier(&self) -> [u8; 20] {
        crate::digest::sha1(&self.bits)
    }
}

/// The kind of key that an AlgorithmIdentifier names; the reader stands inside its SEQUENCE.
pub(crate) fn algorithm(mut identifier: Reader<'_>, bits: &[u8]) -> Result<KeyAlgorithm, DerError> {
    Ok(match identifier.oid()?.as_str() {
        RSA_OID => KeyAlgorithm::Rsa(rsa_bits(bits)?),
        EC_OID if identifier.peek() == Some(tag::OID) => KeyAlgorithm::curve(&identifier.oid()?),
        ED25519_OID => KeyAlgorithm::Ed25519,
        other => KeyAlgorithm::Other(other.to_owned()),
    })
}

/// The AlgorithmIdentifier of a key kind.
pub(crate) fn algorithm_identifier(algorithm: &KeyAlgorithm) -> Vec<u8> {
    match algorithm {
        KeyAlgorithm::Rsa(_) => der::sequence(&[der::oid(RSA_OID), der::null()]),
        KeyAlgorithm::Ed25519 => der::sequence(&[der::oid(ED25519_OID)]),
        KeyAlgorithm::Other(oid) => der::sequence(&[der::oid(oid)]),
        curve => der::sequence(&[der::oid(EC_OID), der::oid(curve.curve_oid().unwrap_or_default())]),
    }
}

/// Bits of the modulus of a DER `RSAPublicKey`.
fn rsa_bits(bits: &[u8]) -> Result<usize, DerError> {
    let mut key = Reader::new(bits).sequence()?;
    let modulus = key.value(tag::INTEGER)?;
    Ok(modulus_bits(modulus))
}

/// Bits of a big-endian number, leading zeros ignored.
pub(crate) fn modulus_bits(modulus: &[u8]) -> usize {
    let skip = modulus.iter().take_while(|&&byte| byte == 0).count();
    match modulus.get(skip) {
        Some(first) => (modulus.len() - skip) * 8 - first.leading_zeros() as usize,
        None => 0,
    }
}

impl PublicKey {
    /// An RSA key from its modulus and exponent, big-endian.
    pub fn rsa(modulus: &[u8], exponent: &[u8]) -> Self {
        let bits = der::sequence(&[der::integer(modulus), der::integer(exponent)]);
        Self { algorithm: KeyAlgorithm::Rsa(modulus_bits(modulus)), bits }
    }
}
