//! The MAC of a PFX: the PKCS#12 derivation with HMAC, or PBMAC1 (RFC 9579).

use super::PfxError;
use super::archive::pbe_error;
use crate::der::{DerError, Reader, tag};
use crate::pbe::{Budget, Hash, Password, PbeError, Purpose, pbkdf2_into, pkcs12_derive};
use aws_lc_rs::hmac;
use std::num::NonZeroU32;
use zeroize::Zeroizing;

/// MacData.
pub(super) struct Mac<'a> {
    algorithm: Reader<'a>,
    digest: &'a [u8],
    salt: &'a [u8],
    iterations: u64,
}

impl<'a> Mac<'a> {
    /// Reads the content of MacData.
    pub(super) fn read(mut data: Reader<'a>) -> Result<Self, DerError> {
        let mut info = data.sequence()?;
        let algorithm = info.sequence()?;
        let digest = info.value(tag::OCTET_STRING)?;
        let salt = data.value(tag::OCTET_STRING)?;
        let iterations = if data.is_empty() { 1 } else { data.unsigned()? };
        data.end()?;
        Ok(Self { algorithm, digest, salt, iterations })
    }
}

/// The password form under which the MAC is right.
pub(super) fn choose<'p>(
    mac: &Mac<'_>,
    content: &[u8],
    forms: &[Password<'p>],
    budget: &mut Budget,
) -> Result<Password<'p>, PfxError> {
    for form in forms {
        if verify(mac, content, *form, budget).map_err(pbe_error)? {
            return Ok(*form);
        }
    }
    Err(PfxError::WrongPassword)
}

fn verify(
    mac: &Mac<'_>,
    content: &[u8],
    password: Password<'_>,
    budget: &mut Budget,
) -> Result<bool, PbeError> {
    let mut algorithm = mac.algorithm;
    let oid = algorithm.oid()?;
    if oid == "1.2.840.113549.1.5.14" {
        return pbmac1(algorithm.sequence()?, mac, content, password, budget);
    }
    let hash = Hash::from_digest_oid(&oid)
        .ok_or_else(|| PbeError::Unsupported(format!("a MAC with the digest {oid}")))?;
    let iterations = budget.spend(mac.iterations)?;
    let key = derive_key(hash, password, mac.salt, iterations);
    Ok(hmac::verify(&key, content, mac.digest).is_ok())
}

/// The HMAC key of the classic MAC.
pub(super) fn derive_key(
    hash: Hash,
    password: Password<'_>,
    salt: &[u8],
    iterations: NonZeroU32,
) -> hmac::Key {
    let length = hash.digest().output_len();
    let key = pkcs12_derive(hash, Purpose::Mac, &password.utf16(), salt, iterations, length);
    hmac::Key::new(hmac_algorithm(hash), &key)
}

fn pbmac1(
    mut parameters: Reader<'_>,
    mac: &Mac<'_>,
    content: &[u8],
    password: Password<'_>,
    budget: &mut Budget,
) -> Result<bool, PbeError> {
    let mut derivation = parameters.sequence()?;
    let mut message = parameters.sequence()?;
    let scheme = derivation.oid()?;
    if scheme != "1.2.840.113549.1.5.12" {
        return Err(PbeError::Unsupported(format!("PBMAC1 with {scheme}")));
    }
    let hmac_oid = message.oid()?;
    let hash = Hash::from_hmac_oid(&hmac_oid)
        .ok_or_else(|| PbeError::Unsupported(format!("PBMAC1 with {hmac_oid}")))?;
    let mut key = Zeroizing::new(vec![0; hash.digest().output_len()]);
    pbkdf2_into(derivation.sequence()?, password.utf8(), budget, &mut key)?;
    let key = hmac::Key::new(hmac_algorithm(hash), &key);
    Ok(hmac::verify(&key, content, mac.digest).is_ok())
}

fn hmac_algorithm(hash: Hash) -> hmac::Algorithm {
    match hash {
        Hash::Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
        Hash::Sha256 => hmac::HMAC_SHA256,
        Hash::Sha384 => hmac::HMAC_SHA384,
        Hash::Sha512 => hmac::HMAC_SHA512,
    }
}
