//! Password-based encryption of keys and PFX contents: PKCS#12 appendix B/C, PBES2 (RFC 8018) with PBKDF2
//! or scrypt, and the old PEM encryption with its MD5 key derivation.
//!
//! Every derivation is paid for from a [`Budget`] *before* it runs, so that a hostile file cannot buy hours
//! of hashing. RC4 and single DES are refused by name. Nothing here logs or returns input bytes in errors.

use crate::der::{self, DerError, Reader, tag};
use aws_lc_rs::cipher::{self, DecryptionContext, EncryptionContext, PaddedBlockDecryptingKey};
use aws_lc_rs::cipher::{PaddedBlockEncryptingKey, UnboundCipherKey};
use aws_lc_rs::iv::FixedLength;
use aws_lc_rs::{digest, pbkdf2};
use md5::Digest as _;
use rc2::cipher::{Array, BlockCipherDecrypt, BlockCipherEncrypt, BlockSizeUser, KeyInit, consts::U8};
use std::num::NonZeroU32;
use zeroize::Zeroizing;

mod pkcs12_kdf;

pub(crate) use pkcs12_kdf::{Purpose, derive as pkcs12_derive};

/// Sum of key-derivation iterations that one input may cost.
pub(crate) const ITERATIONS_MAX: u64 = 2_000_000;
/// Largest scrypt memory, in bytes.
const SCRYPT_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Longest salt, in bytes.
const SALT_BYTES_MAX: usize = 1024;

/// Why something could not be decrypted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PbeError {
    /// The scheme is unknown or refused; its name.
    Unsupported(String),
    /// The file asks for more work than [`ITERATIONS_MAX`].
    TooMuchWork,
    /// The parameters cannot be read.
    Malformed,
    /// The padding is wrong: wrong password, or damaged.
    Decrypt,
}

impl From<DerError> for PbeError {
    fn from(_: DerError) -> Self {
        Self::Malformed
    }
}

/// How many iterations may still be spent.
#[derive(Debug)]
pub(crate) struct Budget {
    left: u64,
}

impl Budget {
    pub(crate) fn new() -> Self {
        Self { left: ITERATIONS_MAX }
    }

    /// Pays for a derivation and returns its count in the form that the derivations take.
    pub(crate) fn spend(&mut self, iterations: u64) -> Result<NonZeroU32, PbeError> {
        let count = u32::try_from(iterations).ok().and_then(NonZeroU32::new);
        let left = self.left.checked_sub(iterations);
        match (count, left) {
            (Some(count), Some(left)) => {
                self.left = left;
                Ok(count)
            }
            (None, _) if iterations == 0 => Err(PbeError::Malformed),
            _ => Err(PbeError::TooMuchWork),
        }
    }
}

/// A password in the two encodings that PKCS#12 knows; `Null` is the zero-length form of "empty".
#[derive(Clone, Copy)]
pub(crate) enum Password<'a> {
    Null,
    Text(&'a str),
}

impl Password<'_> {
    /// UTF-16BE with a terminator of two zero bytes; nothing at all for the null password.
    pub(crate) fn utf16(self) -> Zeroizing<Vec<u8>> {
        let mut out = Zeroizing::new(Vec::new());
        if let Self::Text(text) = self {
            out.reserve_exact(text.len() * 2 + 2);
            for unit in text.encode_utf16() {
                out.extend_from_slice(&unit.to_be_bytes());
            }
            out.extend_from_slice(&[0, 0]);
        }
        out
    }

    pub(crate) fn utf8(&self) -> &[u8] {
        match self {
            Self::Null => &[],
            Self::Text(text) => text.as_bytes(),
        }
    }
}

/// Hash functions of MACs and derivations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hash {
    Sha1,
    Sha256,
    Sha384,
    Sha512,
}

impl Hash {
    pub(crate) fn from_digest_oid(oid: &str) -> Option<Self> {
        match oid {
            "1.3.14.3.2.26" => Some(Self::Sha1),
            "2.16.840.1.101.3.4.2.1" => Some(Self::Sha256),
            "2.16.840.1.101.3.4.2.2" => Some(Self::Sha384),
            "2.16.840.1.101.3.4.2.3" => Some(Self::Sha512),
            _ => None,
        }
    }

    pub(crate) fn from_hmac_oid(oid: &str) -> Option<Self> {
        match oid {
            "1.2.840.113549.2.7" => Some(Self::Sha1),
            "1.2.840.113549.2.9" => Some(Self::Sha256),
            "1.2.840.113549.2.10" => Some(Self::Sha384),
            "1.2.840.113549.2.11" => Some(Self::Sha512),
            _ => None,
        }
    }

    pub(crate) fn digest(self) -> &'static digest::Algorithm {
        match self {
            Self::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
            Self::Sha256 => &digest::SHA256,
            Self::Sha384 => &digest::SHA384,
            Self::Sha512 => &digest::SHA512,
        }
    }

    pub(crate) fn pbkdf2(self) -> pbkdf2::Algorithm {
        match self {
            Self::Sha1 => pbkdf2::PBKDF2_HMAC_SHA1,
            Self::Sha256 => pbkdf2::PBKDF2_HMAC_SHA256,
            Self::Sha384 => pbkdf2::PBKDF2_HMAC_SHA384,
            Self::Sha512 => pbkdf2::PBKDF2_HMAC_SHA512,
        }
    }
}

/// Decrypts with the scheme that an AlgorithmIdentifier names; the reader stands inside its SEQUENCE.
pub(crate) fn decrypt(
    mut identifier: Reader<'_>,
    ciphertext: &[u8],
    password: Password<'_>,
    budget: &mut Budget,
) -> Result<Zeroizing<Vec<u8>>, PbeError> {
    let oid = identifier.oid()?;
    if oid == "1.2.840.113549.1.5.13" {
        return pbes2(identifier.sequence()?, ciphertext, password, budget);
    }
    let (key_bytes, cipher) = match oid.as_str() {
        "1.2.840.113549.1.12.1.3" => (24, Cipher::TripleDes),
        "1.2.840.113549.1.12.1.4" => (16, Cipher::TripleDes),
        "1.2.840.113549.1.12.1.5" => (16, Cipher::Rc2(128)),
        "1.2.840.113549.1.12.1.6" => (5, Cipher::Rc2(40)),
        "1.2.840.113549.1.12.1.1" => return Err(PbeError::Unsupported("128-bit RC4".into())),
        "1.2.840.113549.1.12.1.2" => return Err(PbeError::Unsupported("40-bit RC4".into())),
        other => return Err(PbeError::Unsupported(other.to_owned())),
    };
    let mut parameters = identifier.sequence()?;
    let salt = salt(parameters.value(tag::OCTET_STRING)?)?;
    let iterations = budget.spend(parameters.unsigned()?)?;
    let password = password.utf16();
    let key = pkcs12_derive(Hash::Sha1, Purpose::Key, &password, salt, iterations, key_bytes);
    let iv = pkcs12_derive(Hash::Sha1, Purpose::Iv, &password, salt, iterations, 8);
    cipher.decrypt(&key, &iv, ciphertext)
}

/// PBES2: a derivation and a cipher, each with parameters.
fn pbes2(
    mut parameters: Reader<'_>,
    ciphertext: &[u8],
    password: Password<'_>,
    budget: &mut Budget,
) -> Result<Zeroizing<Vec<u8>>, PbeError> {
    let mut derivation = parameters.sequence()?;
    let mut encryption = parameters.sequence()?;
    let (key_bytes, cipher) = match encryption.oid()?.as_str() {
        "2.16.840.1.101.3.4.1.2" => (16, Cipher::Aes),
        "2.16.840.1.101.3.4.1.22" => (24, Cipher::Aes),
        "2.16.840.1.101.3.4.1.42" => (32, Cipher::Aes),
        "1.2.840.113549.3.7" => (24, Cipher::TripleDes),
        other => return Err(PbeError::Unsupported(format!("PBES2 with the cipher {other}"))),
    };
    let iv = encryption.value(tag::OCTET_STRING)?;
    let mut key = Zeroizing::new(vec![0; key_bytes]);
    match derivation.oid()?.as_str() {
        "1.2.840.113549.1.5.12" => {
            pbkdf2_into(derivation.sequence()?, password.utf8(), budget, &mut key)?;
        }
        "1.3.6.1.4.1.11591.4.11" => scrypt_into(derivation.sequence()?, password.utf8(), budget, &mut key)?,
        other => return Err(PbeError::Unsupported(format!("PBES2 with the key derivation {other}"))),
    }
    cipher.decrypt(&key, iv, ciphertext)
}

/// PBKDF2 with the given PBKDF2-params, filling `key`.
pub(crate) fn pbkdf2_into(
    mut parameters: Reader<'_>,
    password: &[u8],
    budget: &mut Budget,
    key: &mut [u8],
) -> Result<(), PbeError> {
    let salt = salt(parameters.value(tag::OCTET_STRING)?)?;
    let iterations = parameters.unsigned()?;
    if let Some(length) = parameters.optional(tag::INTEGER)?
        && der::unsigned(length.value)? != key.len() as u64
    {
        return Err(PbeError::Malformed);
    }
    let prf = match parameters.optional(tag::SEQUENCE)? {
        None => Hash::Sha1,
        Some(identifier) => {
            let oid = identifier.reader().oid()?;
            Hash::from_hmac_oid(&oid).ok_or_else(|| PbeError::Unsupported(format!("PBKDF2 with {oid}")))?
        }
    };
    pbkdf2::derive(prf.pbkdf2(), budget.spend(iterations)?, salt, password, key);
    Ok(())
}

fn scrypt_into(
    mut parameters: Reader<'_>,
    password: &[u8],
    budget: &mut Budget,
    key: &mut [u8],
) -> Result<(), PbeError> {
    let salt = salt(parameters.value(tag::OCTET_STRING)?)?;
    let (n, r, p) = (parameters.unsigned()?, parameters.unsigned()?, parameters.unsigned()?);
    let memory =
        n.checked_mul(r).and_then(|product| product.checked_mul(128)).ok_or(PbeError::TooMuchWork)?;
    if memory > SCRYPT_BYTES_MAX || p > 16 {
        return Err(PbeError::TooMuchWork);
    }
    // One block of scrypt costs about as much as one iteration of PBKDF2.
    budget.spend(n.saturating_mul(r).saturating_mul(p))?;
    if !n.is_power_of_two() || n < 2 {
        return Err(PbeError::Malformed);
    }
    let small = |number: u64| u32::try_from(number).map_err(|_| PbeError::Malformed);
    let parameters = scrypt::Params::new(n.trailing_zeros() as u8, small(r)?, small(p)?)
        .map_err(|_| PbeError::Malformed)?;
    scrypt::scrypt(password, salt, &parameters, key).map_err(|_| PbeError::Malformed)
}

fn salt(salt: &[u8]) -> Result<&[u8], PbeError> {
    if salt.len() <= SALT_BYTES_MAX { Ok(salt) } else { Err(PbeError::Malformed) }
}

/// Block ciphers in CBC mode with PKCS#7 padding. The key length selects the variant.
#[derive(Clone, Copy)]
pub(crate) enum Cipher {
    Aes,
    TripleDes,
    /// RC2 with this many effective key bits.
    Rc2(usize),
}

impl Cipher {
    pub(crate) fn decrypt(self, key: &[u8], iv: &[u8], input: &[u8]) -> Result<Zeroizing<Vec<u8>>, PbeError> {
        match self {
            Self::Aes => aes_decrypt(key, iv, input),
            Self::TripleDes => cbc_decrypt(&triple_des(key)?, iv, input),
            Self::Rc2(bits) => cbc_decrypt(&rc2::Rc2::new_with_eff_key_len(key, bits), iv, input),
        }
    }
}

fn aes(key: &[u8]) -> Result<UnboundCipherKey, PbeError> {
    let algorithm = match key.len() {
        16 => &cipher::AES_128,
        24 => &cipher::AES_192,
        _ => &cipher::AES_256,
    };
    UnboundCipherKey::new(algorithm, key).map_err(|_| PbeError::Malformed)
}

fn aes_decrypt(key: &[u8], iv: &[u8], input: &[u8]) -> Result<Zeroizing<Vec<u8>>, PbeError> {
    let iv: [u8; 16] = iv.try_into().map_err(|_| PbeError::Malformed)?;
    if input.is_empty() || !input.len().is_multiple_of(16) {
        return Err(PbeError::Decrypt);
    }
    let mut buffer = Zeroizing::new(input.to_vec());
    let key = PaddedBlockDecryptingKey::cbc_pkcs7(aes(key)?).map_err(|_| PbeError::Malformed)?;
    let length = key
        .decrypt(&mut buffer, DecryptionContext::Iv128(FixedLength::from(iv)))
        .map_err(|_| PbeError::Decrypt)?
        .len();
    buffer.truncate(length);
    Ok(buffer)
}

/// AES-256-CBC with padding, for writing.
pub(crate) fn aes256_encrypt(key: &[u8; 32], iv: [u8; 16], input: &[u8]) -> Result<Vec<u8>, PbeError> {
    let mut buffer = input.to_vec();
    let key = PaddedBlockEncryptingKey::cbc_pkcs7(aes(key)?).map_err(|_| PbeError::Malformed)?;
    key.less_safe_encrypt(&mut buffer, EncryptionContext::Iv128(FixedLength::from(iv)))
        .map_err(|_| PbeError::Malformed)?;
    Ok(buffer)
}

/// 3DES-CBC with padding, for writing files that old systems read.
pub(crate) fn triple_des_encrypt(key: &[u8], iv: &[u8], input: &[u8]) -> Result<Vec<u8>, PbeError> {
    let cipher = triple_des(key)?;
    let padding = 8 - input.len() % 8;
    let mut padded = Zeroizing::new(input.to_vec());
    padded.extend(std::iter::repeat_n(padding as u8, padding));
    let mut previous: [u8; 8] = iv.try_into().map_err(|_| PbeError::Malformed)?;
    let mut out = Vec::with_capacity(padded.len());
    for chunk in padded.chunks_exact(8) {
        let mut block = Array::<u8, U8>::default();
        for ((target, byte), mask) in block.iter_mut().zip(chunk).zip(previous) {
            *target = byte ^ mask;
        }
        cipher.encrypt_block(&mut block);
        previous.copy_from_slice(&block);
        out.extend_from_slice(&block);
    }
    Ok(out)
}

fn triple_des(key: &[u8]) -> Result<des::TdesEde3, PbeError> {
    // Two-key 3DES uses its first key again as the third.
    let full: Vec<u8> =
        key.iter().chain(key.iter().take(24usize.saturating_sub(key.len()))).copied().collect();
    des::TdesEde3::new_from_slice(&Zeroizing::new(full)).map_err(|_| PbeError::Malformed)
}

fn cbc_decrypt<C>(cipher: &C, iv: &[u8], input: &[u8]) -> Result<Zeroizing<Vec<u8>>, PbeError>
where
    C: BlockCipherDecrypt + BlockSizeUser<BlockSize = U8>,
{
    let mut previous: [u8; 8] = iv.try_into().map_err(|_| PbeError::Malformed)?;
    if input.is_empty() || !input.len().is_multiple_of(8) {
        return Err(PbeError::Decrypt);
    }
    let mut out = Zeroizing::new(Vec::with_capacity(input.len()));
    for chunk in input.chunks_exact(8) {
        let mut block = Array::<u8, U8>::default();
        block.copy_from_slice(chunk);
        cipher.decrypt_block(&mut block);
        out.extend(block.iter().zip(previous).map(|(byte, mask)| byte ^ mask));
        previous.copy_from_slice(chunk);
    }
    let padding = usize::from(out.last().copied().unwrap_or(0));
    let keep = out.len().checked_sub(padding).ok_or(PbeError::Decrypt)?;
    let padded_right =
        (1..=8).contains(&padding) && out.iter().skip(keep).all(|&byte| usize::from(byte) == padding);
    if !padded_right {
        return Err(PbeError::Decrypt);
    }
    out.truncate(keep);
    Ok(out)
}

/// Decrypts the body of a traditional encrypted PEM block (`DEK-Info: NAME,IV`).
pub(crate) fn decrypt_traditional(
    name: &str,
    iv: &[u8],
    body: &[u8],
    password: &str,
) -> Result<Zeroizing<Vec<u8>>, PbeError> {
    let (key_bytes, cipher) = match name {
        "AES-128-CBC" => (16, Cipher::Aes),
        "AES-192-CBC" => (24, Cipher::Aes),
        "AES-256-CBC" => (32, Cipher::Aes),
        "DES-EDE3-CBC" => (24, Cipher::TripleDes),
        other => return Err(PbeError::Unsupported(other.to_owned())),
    };
    let salt = iv.get(..8).ok_or(PbeError::Malformed)?;
    let mut key = Zeroizing::new(Vec::new());
    while key.len() < key_bytes {
        let mut hash = md5::Md5::new();
        let previous = key.len().checked_sub(16).and_then(|start| key.get(start..)).unwrap_or_default();
        hash.update(previous);
        hash.update(password.as_bytes());
        hash.update(salt);
        let block = hash.finalize();
        key.extend_from_slice(&block);
    }
    key.truncate(key_bytes);
    cipher.decrypt(&key, iv, body)
}
