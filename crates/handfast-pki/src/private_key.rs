//! Private keys: kept as PKCS#8 in a [`Secret`], with the public key computed once.
//!
//! Whatever came in (PKCS#8 with or without attributes, PKCS#1, SEC1) is written afresh as plain PKCS#8
//! version 1: Windows puts attributes behind the key, and other parsers reject them.

use crate::der::{self, DerError, Reader, context, tag};
use crate::public_key::{self, KeyAlgorithm, PublicKey};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa;
use aws_lc_rs::signature::{
    self as aws, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair, RsaKeyPair,
};
use handfast_core::Secret;
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use std::fmt;
use std::sync::Arc;
use zeroize::Zeroizing;

/// Why bytes are not a usable private key. Carries no input bytes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// Not PKCS#8, PKCS#1 or SEC1.
    #[error("not a private key in PKCS#8, PKCS#1 or SEC1 form")]
    Malformed,
    /// A kind of key that is not handled.
    #[error("private keys of the kind \"{0}\" are not supported, use RSA, P-256, P-384, P-521 or Ed25519")]
    Unsupported(String),
    /// The numbers do not form a key.
    #[error("the private key is inconsistent")]
    Inconsistent,
    /// The crypto library could not make a key or a signature.
    #[error("the crypto library refused to use a key of the kind \"{0}\"")]
    Refused(String),
}

impl KeyError {
    /// A stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Malformed => "PrivateKeyMalformed",
            Self::Unsupported(_) => "PrivateKeyUnsupported",
            Self::Inconsistent => "PrivateKeyInconsistent",
            Self::Refused(_) => "PrivateKeyRefused",
        }
    }
}

/// A private key. Cloning shares it; it cannot be printed.
#[derive(Clone)]
pub struct PrivateKey {
    pkcs8: Arc<Secret<Vec<u8>>>,
    public: PublicKey,
}

/// The kinds of key that [`PrivateKey::generate`] makes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NewKey {
    /// P-256, the default: fast on both sides.
    #[default]
    P256,
    /// P-384.
    P384,
    /// P-521.
    P521,
    /// Ed25519.
    Ed25519,
    /// RSA with 2048 bits.
    Rsa2048,
    /// RSA with 3072 bits.
    Rsa3072,
    /// RSA with 4096 bits.
    Rsa4096,
}

// === impl PrivateKey ===

impl PrivateKey {
    /// Reads PKCS#8, version 1 or 2, with or without attributes.
    pub fn from_pkcs8(der: &[u8]) -> Result<Self, KeyError> {
        let (algorithm, key) = read_pkcs8(der).map_err(|DerError| KeyError::Malformed)?;
        Self::from_parts(algorithm, &key)
    }

    /// Reads PKCS#1 `RSAPrivateKey`.
    pub fn from_pkcs1(der: &[u8]) -> Result<Self, KeyError> {
        let bits = rsa_public(der).map_err(|DerError| KeyError::Malformed)?.0;
        Self::from_parts(KeyAlgorithm::Rsa(bits), der)
    }

    /// Reads SEC1 `ECPrivateKey`; the curve must stand in it or be given (DER of the `EC PARAMETERS`).
    pub fn from_sec1(der: &[u8], parameters: Option<&[u8]>) -> Result<Self, KeyError> {
        let curve = sec1_curve(der, parameters).map_err(|DerError| KeyError::Malformed)?;
        let identifier = der::sequence(&[der::oid(public_key::EC_OID), der::oid(&curve)]);
        let algorithm = Reader::new(&identifier)
            .sequence()
            .and_then(|reader| public_key::algorithm(reader, &[]))
            .map_err(|DerError| KeyError::Malformed)?;
        Self::from_parts(algorithm, der)
    }

    /// Reads any of the three forms.
    pub fn from_der(der: &[u8]) -> Result<Self, KeyError> {
        let forms = [Self::from_pkcs8, Self::from_pkcs1, |der: &[u8]| Self::from_sec1(der, None)];
        let mut first = KeyError::Malformed;
        for form in forms {
            match form(der) {
                Err(KeyError::Malformed) => {}
                Err(other) => first = other,
                Ok(key) => return Ok(key),
            }
        }
        Err(first)
    }

    /// Makes a new key.
    pub fn generate(kind: NewKey) -> Result<Self, KeyError> {
        let refused = || KeyError::Refused(format!("{kind:?}"));
        let random = SystemRandom::new();
        let rsa = |size| -> Option<Vec<u8>> {
            use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
            let pair = rsa::KeyPair::generate(size).ok()?;
            let der: Pkcs8V1Der<'_> = pair.as_der().ok()?;
            Some(der.as_ref().to_vec())
        };
        let curve = |algorithm: &'static EcdsaSigningAlgorithm| {
            EcdsaKeyPair::generate_pkcs8(algorithm, &random).ok().map(|der| der.as_ref().to_vec())
        };
        let pkcs8 = match kind {
            NewKey::P256 => curve(&aws::ECDSA_P256_SHA256_ASN1_SIGNING),
            NewKey::P384 => curve(&aws::ECDSA_P384_SHA384_ASN1_SIGNING),
            NewKey::P521 => curve(&aws::ECDSA_P521_SHA512_ASN1_SIGNING),
            NewKey::Ed25519 => {
                Ed25519KeyPair::generate_pkcs8v1(&random).ok().map(|der| der.as_ref().to_vec())
            }
            NewKey::Rsa2048 => rsa(rsa::KeySize::Rsa2048),
            NewKey::Rsa3072 => rsa(rsa::KeySize::Rsa3072),
            NewKey::Rsa4096 => rsa(rsa::KeySize::Rsa4096),
        };
        Self::from_pkcs8(&Zeroizing::new(pkcs8.ok_or_else(refused)?))
    }

    /// Plain PKCS#8 version 1.
    pub fn pkcs8_der(&self) -> &[u8] {
        self.pkcs8.expose()
    }

    /// The public half.
    pub fn public_key(&self) -> &PublicKey {
        &self.public
    }

    /// The kind of key.
    pub fn algorithm(&self) -> &KeyAlgorithm {
        &self.public.algorithm
    }

    /// The key as rustls wants it; the caller's copy zeroes itself.
    pub fn to_pki_types(&self) -> PrivateKeyDer<'static> {
        PrivatePkcs8KeyDer::from(self.pkcs8_der().to_vec()).into()
    }

    /// Signs with the key's usual hash and returns (AlgorithmIdentifier, signature), as certificates and
    /// requests carry them.
    pub(crate) fn sign(&self, message: &[u8]) -> Result<(Vec<u8>, Vec<u8>), KeyError> {
        let refused = || KeyError::Refused(self.algorithm().to_string());
        let random = SystemRandom::new();
        let curve = |algorithm, oid| {
            let pair = EcdsaKeyPair::from_pkcs8(algorithm, self.pkcs8_der()).map_err(|_| refused())?;
            let signature = pair.sign(&random, message).map_err(|_| refused())?;
            Ok((der::sequence(&[der::oid(oid)]), signature.as_ref().to_vec()))
        };
        match self.algorithm() {
            KeyAlgorithm::P256 => curve(&aws::ECDSA_P256_SHA256_ASN1_SIGNING, "1.2.840.10045.4.3.2"),
            KeyAlgorithm::P384 => curve(&aws::ECDSA_P384_SHA384_ASN1_SIGNING, "1.2.840.10045.4.3.3"),
            KeyAlgorithm::P521 => curve(&aws::ECDSA_P521_SHA512_ASN1_SIGNING, "1.2.840.10045.4.3.4"),
            KeyAlgorithm::Ed25519 => {
                let pair =
                    Ed25519KeyPair::from_pkcs8_maybe_unchecked(self.pkcs8_der()).map_err(|_| refused())?;
                let identifier = der::sequence(&[der::oid(public_key::ED25519_OID)]);
                Ok((identifier, pair.sign(message).as_ref().to_vec()))
            }
            KeyAlgorithm::Rsa(_) => {
                let pair = RsaKeyPair::from_pkcs8(self.pkcs8_der()).map_err(|_| refused())?;
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&aws::RSA_PKCS1_SHA256, &random, message, &mut signature).map_err(|_| refused())?;
                Ok((der::sequence(&[der::oid("1.2.840.113549.1.1.11"), der::null()]), signature))
            }
            KeyAlgorithm::Secp256k1 | KeyAlgorithm::Other(_) => Err(refused()),
        }
    }

    fn from_parts(algorithm: KeyAlgorithm, key: &[u8]) -> Result<Self, KeyError> {
        let identifier = public_key::algorithm_identifier(&algorithm);
        let wrap =
            |key: &[u8]| Secret::new(der::sequence(&[der::small(0), identifier.clone(), der::octets(key)]));
        let mut pkcs8 = wrap(key);
        let bits = public_bits(&algorithm, key, pkcs8.expose())?;
        if algorithm.curve_oid().is_some() {
            // The optional members come and go between tools; the same key must always be the same bytes.
            let key = plain_sec1(key, &bits).map_err(|DerError| KeyError::Malformed)?;
            pkcs8 = wrap(&key);
        }
        Ok(Self { pkcs8: Arc::new(pkcs8), public: PublicKey { algorithm, bits } })
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PrivateKey({})", self.algorithm())
    }
}

fn read_pkcs8(der: &[u8]) -> Result<(KeyAlgorithm, Zeroizing<Vec<u8>>), DerError> {
    let mut outer = Reader::new(der);
    let mut info = outer.sequence()?;
    outer.end()?;
    if info.unsigned()? > 1 {
        return Err(DerError);
    }
    let identifier = info.sequence()?;
    let key = info.value(tag::OCTET_STRING)?;
    // Attributes [0] and the public key [1] may follow; neither is needed.
    let algorithm = match public_key::algorithm(identifier, &der::sequence(&[der::small(0)]))? {
        KeyAlgorithm::Rsa(_) => KeyAlgorithm::Rsa(rsa_public(key)?.0),
        other => other,
    };
    Ok((algorithm, Zeroizing::new(key.to_vec())))
}

/// Modulus bits and `RSAPublicKey` of an `RSAPrivateKey`.
fn rsa_public(key: &[u8]) -> Result<(usize, Vec<u8>), DerError> {
    let mut outer = Reader::new(key);
    let mut fields = outer.sequence()?;
    outer.end()?;
    if fields.unsigned()? > 1 {
        return Err(DerError);
    }
    let modulus = fields.value(tag::INTEGER)?;
    let exponent = fields.value(tag::INTEGER)?;
    for _ in 0..6 {
        fields.value(tag::INTEGER)?;
    }
    let public = der::sequence(&[der::integer(modulus), der::integer(exponent)]);
    Ok((public_key::modulus_bits(modulus), public))
}

fn sec1_curve(key: &[u8], parameters: Option<&[u8]>) -> Result<String, DerError> {
    let mut outer = Reader::new(key);
    let mut fields = outer.sequence()?;
    outer.end()?;
    if fields.unsigned()? != 1 {
        return Err(DerError);
    }
    fields.value(tag::OCTET_STRING)?;
    match (fields.optional(context(0))?, parameters) {
        (Some(curve), _) => curve.reader().oid(),
        (None, Some(parameters)) => Reader::new(parameters).oid(),
        (None, None) => Err(DerError),
    }
}

/// The `ECPrivateKey` without the curve, which PKCS#8 names already, and with the public key.
fn plain_sec1(key: &[u8], public: &[u8]) -> Result<Zeroizing<Vec<u8>>, DerError> {
    let mut fields = Reader::new(key).sequence()?;
    fields.unsigned()?;
    let scalar = Zeroizing::new(der::octets(fields.value(tag::OCTET_STRING)?));
    let version = der::small(1);
    let public = der::tlv(context(1), &der::bits(public));
    Ok(Zeroizing::new(der::sequence(&[version.as_slice(), scalar.as_slice(), public.as_slice()])))
}

fn public_bits(algorithm: &KeyAlgorithm, key: &[u8], pkcs8: &[u8]) -> Result<Vec<u8>, KeyError> {
    let curve = |signing: &'static EcdsaSigningAlgorithm| {
        let pair = EcdsaKeyPair::from_pkcs8(signing, pkcs8).map_err(|_| KeyError::Inconsistent)?;
        Ok(pair.public_key().as_ref().to_vec())
    };
    match algorithm {
        KeyAlgorithm::Rsa(bits) => {
            // Sizes that the library handles are checked for consistency; others are only kept.
            if (2048..=8192).contains(bits) {
                RsaKeyPair::from_pkcs8(pkcs8).map_err(|_| KeyError::Inconsistent)?;
            }
            rsa_public(key).map(|(_, public)| public).map_err(|DerError| KeyError::Malformed)
        }
        KeyAlgorithm::P256 => curve(&aws::ECDSA_P256_SHA256_ASN1_SIGNING),
        KeyAlgorithm::P384 => curve(&aws::ECDSA_P384_SHA384_ASN1_SIGNING),
        KeyAlgorithm::P521 => curve(&aws::ECDSA_P521_SHA512_ASN1_SIGNING),
        KeyAlgorithm::Secp256k1 => curve(&aws::ECDSA_P256K1_SHA256_ASN1_SIGNING),
        KeyAlgorithm::Ed25519 => {
            let pair =
                Ed25519KeyPair::from_pkcs8_maybe_unchecked(pkcs8).map_err(|_| KeyError::Inconsistent)?;
            Ok(pair.public_key().as_ref().to_vec())
        }
        KeyAlgorithm::Other(oid) => Err(KeyError::Unsupported(oid.clone())),
    }
}
