//! Checking the signatures on certificates, by aws-lc-rs.
//!
//! Accepted are RSA PKCS#1 v1.5 and PSS with SHA-256/384/512, ECDSA on P-256/384/521 with the same hashes,
//! and Ed25519. Older algorithms (SHA-1, RSA below 2048 bits) need a lower [`Floor`].

use crate::certificate::Certificate;
use crate::der::{self, DerError, Reader, context};
use crate::public_key::{KeyAlgorithm, PublicKey};
use aws_lc_rs::signature::{self as aws, UnparsedPublicKey, VerificationAlgorithm};

/// How old an algorithm may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Floor {
    /// Today's algorithms only.
    Modern,
    /// Also SHA-1 and RSA from 1024 bits: for pairing and ordering, and where a setting allows it.
    Legacy,
}

/// Why a signature does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SignatureError {
    /// The algorithm is unknown, does not fit the key, or is below the floor.
    Unsupported,
    /// The signature is wrong.
    Invalid,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Hash {
    Sha1,
    Sha256,
    Sha384,
    Sha512,
}

#[derive(Clone, Copy)]
enum Scheme {
    RsaPkcs1(Hash),
    RsaPss(Hash),
    Ecdsa(Hash),
    Ed25519,
}

/// Checks that `key` made the signature on `certificate`.
pub(crate) fn verify(certificate: &Certificate, key: &PublicKey, floor: Floor) -> Result<(), SignatureError> {
    let scheme =
        scheme(certificate.signature_algorithm_der()).map_err(|DerError| SignatureError::Unsupported)?;
    let algorithm = algorithm(scheme, &key.algorithm, floor).ok_or(SignatureError::Unsupported)?;
    UnparsedPublicKey::new(algorithm, &key.bits)
        .verify(certificate.tbs(), certificate.signature())
        .map_err(|_| SignatureError::Invalid)
}

/// Whether a certificate's signature algorithm is one of today's.
pub(crate) fn is_modern(certificate: &Certificate) -> bool {
    match scheme(certificate.signature_algorithm_der()) {
        Ok(Scheme::RsaPkcs1(hash) | Scheme::RsaPss(hash) | Scheme::Ecdsa(hash)) => hash != Hash::Sha1,
        Ok(Scheme::Ed25519) => true,
        Err(DerError) => false,
    }
}

/// What Windows and .NET call a signature algorithm.
pub(crate) fn windows_name(oid: &str) -> Option<&'static str> {
    Some(match oid {
        "1.2.840.113549.1.1.4" => "md5RSA",
        "1.2.840.113549.1.1.5" => "sha1RSA",
        "1.2.840.113549.1.1.10" => "RSASSA-PSS",
        "1.2.840.113549.1.1.11" => "sha256RSA",
        "1.2.840.113549.1.1.12" => "sha384RSA",
        "1.2.840.113549.1.1.13" => "sha512RSA",
        "1.2.840.10045.4.1" => "sha1ECDSA",
        "1.2.840.10045.4.3.2" => "sha256ECDSA",
        "1.2.840.10045.4.3.3" => "sha384ECDSA",
        "1.2.840.10045.4.3.4" => "sha512ECDSA",
        _ => return None,
    })
}

fn scheme(identifier: &[u8]) -> Result<Scheme, DerError> {
    let mut fields = Reader::new(identifier).sequence()?;
    Ok(match fields.oid()?.as_str() {
        "1.2.840.113549.1.1.5" => Scheme::RsaPkcs1(Hash::Sha1),
        "1.2.840.113549.1.1.11" => Scheme::RsaPkcs1(Hash::Sha256),
        "1.2.840.113549.1.1.12" => Scheme::RsaPkcs1(Hash::Sha384),
        "1.2.840.113549.1.1.13" => Scheme::RsaPkcs1(Hash::Sha512),
        "1.2.840.113549.1.1.10" => Scheme::RsaPss(pss_hash(fields)?),
        "1.2.840.10045.4.1" => Scheme::Ecdsa(Hash::Sha1),
        "1.2.840.10045.4.3.2" => Scheme::Ecdsa(Hash::Sha256),
        "1.2.840.10045.4.3.3" => Scheme::Ecdsa(Hash::Sha384),
        "1.2.840.10045.4.3.4" => Scheme::Ecdsa(Hash::Sha512),
        "1.3.101.112" => Scheme::Ed25519,
        _ => return Err(DerError),
    })
}

/// PSS parameters: hash, MGF1 with the same hash, salt as long as the hash (RFC 4055 §3.1).
fn pss_hash(mut fields: Reader<'_>) -> Result<Hash, DerError> {
    let mut parameters = fields.sequence()?;
    let hash_of = |mut identifier: Reader<'_>| hash(&identifier.sequence()?.oid()?);
    let digest = hash_of(parameters.nested(context(0))?)?;
    let mut mask = parameters.nested(context(1))?.sequence()?;
    if mask.oid()? != "1.2.840.113549.1.1.8" || hash_of(mask)? != digest {
        return Err(DerError);
    }
    let salt_bytes = parameters.nested(context(2))?.unsigned()?;
    let fits = match digest {
        Hash::Sha1 => false,
        Hash::Sha256 => salt_bytes == 32,
        Hash::Sha384 => salt_bytes == 48,
        Hash::Sha512 => salt_bytes == 64,
    };
    if fits { Ok(digest) } else { Err(DerError) }
}

fn hash(oid: &str) -> Result<Hash, DerError> {
    match oid {
        "2.16.840.1.101.3.4.2.1" => Ok(Hash::Sha256),
        "2.16.840.1.101.3.4.2.2" => Ok(Hash::Sha384),
        "2.16.840.1.101.3.4.2.3" => Ok(Hash::Sha512),
        _ => Err(der::DerError),
    }
}

fn algorithm(scheme: Scheme, key: &KeyAlgorithm, floor: Floor) -> Option<&'static dyn VerificationAlgorithm> {
    let legacy = floor == Floor::Legacy;
    let algorithm: &'static dyn VerificationAlgorithm = match (scheme, key) {
        (Scheme::RsaPkcs1(hash), KeyAlgorithm::Rsa(bits)) => match hash {
            Hash::Sha1 if legacy => &aws::RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY,
            Hash::Sha256 if legacy && *bits < 2048 => &aws::RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY,
            Hash::Sha512 if legacy && *bits < 2048 => &aws::RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY,
            Hash::Sha1 => return None,
            Hash::Sha256 => &aws::RSA_PKCS1_2048_8192_SHA256,
            Hash::Sha384 => &aws::RSA_PKCS1_2048_8192_SHA384,
            Hash::Sha512 => &aws::RSA_PKCS1_2048_8192_SHA512,
        },
        (Scheme::RsaPss(hash), KeyAlgorithm::Rsa(_)) => match hash {
            Hash::Sha1 => return None,
            Hash::Sha256 => &aws::RSA_PSS_2048_8192_SHA256,
            Hash::Sha384 => &aws::RSA_PSS_2048_8192_SHA384,
            Hash::Sha512 => &aws::RSA_PSS_2048_8192_SHA512,
        },
        (Scheme::Ecdsa(hash), curve) => match (curve, hash) {
            (KeyAlgorithm::P256, Hash::Sha1) if legacy => &aws::ECDSA_P256_SHA1_ASN1,
            (KeyAlgorithm::P256, Hash::Sha256) => &aws::ECDSA_P256_SHA256_ASN1,
            (KeyAlgorithm::P256, Hash::Sha384) => &aws::ECDSA_P256_SHA384_ASN1,
            (KeyAlgorithm::P256, Hash::Sha512) => &aws::ECDSA_P256_SHA512_ASN1,
            (KeyAlgorithm::P384, Hash::Sha256) => &aws::ECDSA_P384_SHA256_ASN1,
            (KeyAlgorithm::P384, Hash::Sha384) => &aws::ECDSA_P384_SHA384_ASN1,
            (KeyAlgorithm::P384, Hash::Sha512) => &aws::ECDSA_P384_SHA512_ASN1,
            (KeyAlgorithm::P521, Hash::Sha256) => &aws::ECDSA_P521_SHA256_ASN1,
            (KeyAlgorithm::P521, Hash::Sha384) => &aws::ECDSA_P521_SHA384_ASN1,
            (KeyAlgorithm::P521, Hash::Sha512) => &aws::ECDSA_P521_SHA512_ASN1,
            (KeyAlgorithm::Secp256k1, Hash::Sha256) if legacy => &aws::ECDSA_P256K1_SHA256_ASN1,
            _ => return None,
        },
        (Scheme::Ed25519, KeyAlgorithm::Ed25519) => &aws::ED25519,
        _ => return None,
    };
    Some(algorithm)
}
