//! RSA as a user's configuration uses it directly: signatures and encryption with the key of a certificate
//! (RFC 8017; PKCS#1 v1.5, PSS, OAEP). Certificates and TLS do not come through here.

use crate::der::{DerError, Reader, tag};
use crate::private_key::PrivateKey;
use crate::public_key::{KeyAlgorithm, PublicKey};
use aws_lc_rs::digest::{self, Digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{
    OAEP_SHA1_MGF1SHA1, OAEP_SHA256_MGF1SHA256, OAEP_SHA384_MGF1SHA384, OAEP_SHA512_MGF1SHA512,
    OaepAlgorithm, OaepPrivateDecryptingKey, OaepPublicEncryptingKey, Pkcs1PrivateDecryptingKey,
    Pkcs1PublicEncryptingKey, PrivateDecryptingKey, PublicEncryptingKey,
};
use aws_lc_rs::signature::{self as aws, RsaEncoding, RsaKeyPair, RsaParameters};

/// The hash of a signature or of OAEP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hash {
    /// Verified and used in OAEP, never signed with.
    Sha1,
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

/// The scheme of a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// PKCS#1 v1.5.
    Pkcs1,
    /// PSS, the salt as long as the hash.
    Pss,
}

/// The padding of an encryption.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Padding {
    /// PKCS#1 v1.5.
    Pkcs1,
    /// OAEP with MGF1 of the same hash.
    Oaep(Hash),
}

/// Why an operation did not happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RsaError {
    /// The key is of another kind, or too short.
    #[error("the key is not an RSA key of 2048 to 8192 bits")]
    Key,
    /// Nothing is signed with SHA-1 any more.
    #[error("signatures with this hash are only verified")]
    Hash,
    /// The input does not fit the key, or was not made for it.
    #[error("the data cannot be processed with this key")]
    Data,
}

impl RsaError {
    /// Stable name of the error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Key => "RsaKey",
            Self::Hash => "RsaHash",
            Self::Data => "RsaData",
        }
    }
}

fn encoding(scheme: Scheme, hash: Hash) -> Result<&'static dyn RsaEncoding, RsaError> {
    Ok(match (scheme, hash) {
        (_, Hash::Sha1) => return Err(RsaError::Hash),
        (Scheme::Pkcs1, Hash::Sha256) => &aws::RSA_PKCS1_SHA256,
        (Scheme::Pkcs1, Hash::Sha384) => &aws::RSA_PKCS1_SHA384,
        (Scheme::Pkcs1, Hash::Sha512) => &aws::RSA_PKCS1_SHA512,
        (Scheme::Pss, Hash::Sha256) => &aws::RSA_PSS_SHA256,
        (Scheme::Pss, Hash::Sha384) => &aws::RSA_PSS_SHA384,
        (Scheme::Pss, Hash::Sha512) => &aws::RSA_PSS_SHA512,
    })
}

fn parameters(scheme: Scheme, hash: Hash) -> Option<&'static RsaParameters> {
    Some(match (scheme, hash) {
        (Scheme::Pkcs1, Hash::Sha1) => &aws::RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY,
        (Scheme::Pkcs1, Hash::Sha256) => &aws::RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY,
        (Scheme::Pkcs1, Hash::Sha384) => &aws::RSA_PKCS1_2048_8192_SHA384,
        (Scheme::Pkcs1, Hash::Sha512) => &aws::RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY,
        (Scheme::Pss, Hash::Sha1) => return None,
        (Scheme::Pss, Hash::Sha256) => &aws::RSA_PSS_2048_8192_SHA256,
        (Scheme::Pss, Hash::Sha384) => &aws::RSA_PSS_2048_8192_SHA384,
        (Scheme::Pss, Hash::Sha512) => &aws::RSA_PSS_2048_8192_SHA512,
    })
}

fn digest_of(hash: Hash, bytes: &[u8]) -> Option<Digest> {
    let algorithm = match hash {
        Hash::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
        Hash::Sha256 => &digest::SHA256,
        Hash::Sha384 => &digest::SHA384,
        Hash::Sha512 => &digest::SHA512,
    };
    Digest::import_less_safe(bytes, algorithm).ok()
}

fn pair(key: &PrivateKey) -> Result<RsaKeyPair, RsaError> {
    match key.algorithm() {
        KeyAlgorithm::Rsa(_) => RsaKeyPair::from_pkcs8(key.pkcs8_der()).map_err(|_| RsaError::Key),
        _ => Err(RsaError::Key),
    }
}

/// Signs a message.
pub fn sign(key: &PrivateKey, message: &[u8], scheme: Scheme, hash: Hash) -> Result<Vec<u8>, RsaError> {
    let (pair, encoding) = (pair(key)?, encoding(scheme, hash)?);
    let mut signature = vec![0; pair.public_modulus_len()];
    pair.sign(encoding, &SystemRandom::new(), message, &mut signature).map_err(|_| RsaError::Data)?;
    Ok(signature)
}

/// Signs a digest that was computed elsewhere.
pub fn sign_digest(key: &PrivateKey, digest: &[u8], scheme: Scheme, hash: Hash) -> Result<Vec<u8>, RsaError> {
    let (pair, encoding) = (pair(key)?, encoding(scheme, hash)?);
    let digest = digest_of(hash, digest).ok_or(RsaError::Data)?;
    let mut signature = vec![0; pair.public_modulus_len()];
    pair.sign_digest(encoding, &digest, &mut signature).map_err(|_| RsaError::Data)?;
    Ok(signature)
}

/// Whether a signature is one of the message.
pub fn verify(key: &PublicKey, message: &[u8], signature: &[u8], scheme: Scheme, hash: Hash) -> bool {
    matches!(key.algorithm, KeyAlgorithm::Rsa(_))
        && parameters(scheme, hash).is_some_and(|parameters| {
            aws::UnparsedPublicKey::new(parameters, &key.bits).verify(message, signature).is_ok()
        })
}

/// Whether a signature is one of a message with the digest.
pub fn verify_digest(key: &PublicKey, digest: &[u8], signature: &[u8], scheme: Scheme, hash: Hash) -> bool {
    matches!(key.algorithm, KeyAlgorithm::Rsa(_))
        && parameters(scheme, hash).zip(digest_of(hash, digest)).is_some_and(|(parameters, digest)| {
            aws::UnparsedPublicKey::new(parameters, &key.bits).verify_digest(&digest, signature).is_ok()
        })
}

fn oaep(hash: Hash) -> &'static OaepAlgorithm {
    match hash {
        Hash::Sha1 => &OAEP_SHA1_MGF1SHA1,
        Hash::Sha256 => &OAEP_SHA256_MGF1SHA256,
        Hash::Sha384 => &OAEP_SHA384_MGF1SHA384,
        Hash::Sha512 => &OAEP_SHA512_MGF1SHA512,
    }
}

/// Encrypts for the holder of the private key.
pub fn encrypt(key: &PublicKey, input: &[u8], padding: Padding) -> Result<Vec<u8>, RsaError> {
    let public = PublicEncryptingKey::from_der(&key.spki_der()).map_err(|_| RsaError::Key)?;
    let made = match padding {
        Padding::Pkcs1 => {
            let key = Pkcs1PublicEncryptingKey::new(public).map_err(|_| RsaError::Key)?;
            let mut out = vec![0; key.ciphertext_size()];
            key.encrypt(input, &mut out).map(|made| made.to_vec())
        }
        Padding::Oaep(hash) => {
            let key = OaepPublicEncryptingKey::new(public).map_err(|_| RsaError::Key)?;
            let mut out = vec![0; key.ciphertext_size()];
            key.encrypt(oaep(hash), input, &mut out, None).map(|made| made.to_vec())
        }
    };
    made.map_err(|_| RsaError::Data)
}

/// Decrypts with the private key.
pub fn decrypt(key: &PrivateKey, input: &[u8], padding: Padding) -> Result<Vec<u8>, RsaError> {
    let private = PrivateDecryptingKey::from_pkcs8(key.pkcs8_der()).map_err(|_| RsaError::Key)?;
    let made = match padding {
        Padding::Pkcs1 => {
            let key = Pkcs1PrivateDecryptingKey::new(private).map_err(|_| RsaError::Key)?;
            let mut out = vec![0; key.min_output_size()];
            key.decrypt(input, &mut out).map(|made| made.to_vec())
        }
        Padding::Oaep(hash) => {
            let key = OaepPrivateDecryptingKey::new(private).map_err(|_| RsaError::Key)?;
            let mut out = vec![0; key.min_output_size()];
            key.decrypt(oaep(hash), input, &mut out, None).map(|made| made.to_vec())
        }
    };
    made.map_err(|_| RsaError::Data)
}

/// Modulus and public exponent, big-endian without leading zeros.
pub fn public_numbers(key: &PublicKey) -> Result<(Vec<u8>, Vec<u8>), RsaError> {
    let mut numbers = Reader::new(&key.bits).sequence().map_err(|DerError| RsaError::Key)?;
    let mut next = || -> Result<Vec<u8>, RsaError> {
        let digits = numbers.value(tag::INTEGER).map_err(|DerError| RsaError::Key)?;
        Ok(digits.iter().skip_while(|byte| **byte == 0).copied().collect())
    };
    Ok((next()?, next()?))
}

#[cfg(test)]
mod tests {
    use super::{
        Hash, Padding, RsaError, Scheme, decrypt, encrypt, public_numbers, sign, sign_digest, verify,
        verify_digest,
    };
    use crate::{NewKey, PrivateKey};

    #[test]
    fn what_one_key_signs_and_encrypts_the_other_verifies_and_decrypts() {
        let key = PrivateKey::generate(NewKey::Rsa2048).expect("a key");
        let public = key.public_key();
        for scheme in [Scheme::Pkcs1, Scheme::Pss] {
            for hash in [Hash::Sha256, Hash::Sha384, Hash::Sha512] {
                let signature = sign(&key, b"message", scheme, hash).expect("signs");
                assert!(verify(public, b"message", &signature, scheme, hash));
                assert!(!verify(public, b"another", &signature, scheme, hash));
            }
        }
        for padding in [Padding::Pkcs1, Padding::Oaep(Hash::Sha1), Padding::Oaep(Hash::Sha256)] {
            let made = encrypt(public, b"secret", padding).expect("encrypts");
            assert_eq!(decrypt(&key, &made, padding), Ok(b"secret".to_vec()));
        }
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, b"message");
        let signature = sign_digest(&key, digest.as_ref(), Scheme::Pkcs1, Hash::Sha256).expect("signs");
        assert!(verify_digest(public, digest.as_ref(), &signature, Scheme::Pkcs1, Hash::Sha256));
        assert!(verify(public, b"message", &signature, Scheme::Pkcs1, Hash::Sha256));
        assert_eq!(sign(&key, b"message", Scheme::Pkcs1, Hash::Sha1), Err(RsaError::Hash));
        assert_eq!(public_numbers(public).map(|(n, e)| (n.len(), e)), Ok((256, vec![1, 0, 1])));
    }

    #[test]
    fn other_kinds_of_key_are_refused() {
        let key = PrivateKey::generate(NewKey::P256).expect("a key");
        assert_eq!(sign(&key, b"m", Scheme::Pkcs1, Hash::Sha256), Err(RsaError::Key));
        assert!(!verify(key.public_key(), b"m", b"", Scheme::Pkcs1, Hash::Sha256));
        assert_eq!(encrypt(key.public_key(), b"m", Padding::Pkcs1), Err(RsaError::Key));
    }
}
