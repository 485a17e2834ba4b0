//! Encrypted tokens (RFC 7516 §5.2) opened: RSA-OAEP, RSA1_5, AES key wrap and shared keys, with AES-CBC-HMAC
//! and AES-GCM as content encryption (RFC 7518 §4 and §5).
//!
//! Every failure is the same: what went wrong inside would help whoever forged the token.

use super::key::{KeyRefusal, SHARED_BYTES_MAX, SHARED_BYTES_MIN};
use super::token::Encrypted;
use crate::private_key::PrivateKey;
use crate::public_key::KeyAlgorithm;
use crate::rsa::{self, Hash, Padding};
use aws_lc_rs::aead::{self, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::cipher::{self, DecryptionContext, PaddedBlockDecryptingKey, UnboundCipherKey};
use aws_lc_rs::iv::FixedLength;
use aws_lc_rs::key_wrap::{self, AesKek, KeyWrap};
use aws_lc_rs::{hmac, rand};
use handfast_core::Secret;
use std::sync::Arc;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// A key that opens encrypted tokens.
#[derive(Clone, Debug)]
pub struct DecryptionKey {
    /// Its id, which a token's `kid` names.
    pub id: Option<String>,
    material: Material,
}

#[derive(Clone)]
enum Material {
    Rsa(PrivateKey),
    Shared(Arc<Secret<Vec<u8>>>),
}

/// Content encryption: the name, bytes of its key, and how it works.
const CONTENT: [(&str, usize, Cipher); 6] = [
    ("A128CBC-HS256", 32, Cipher::CbcHmac(&cipher::AES_128, hmac::HMAC_SHA256)),
    ("A192CBC-HS384", 48, Cipher::CbcHmac(&cipher::AES_192, hmac::HMAC_SHA384)),
    ("A256CBC-HS512", 64, Cipher::CbcHmac(&cipher::AES_256, hmac::HMAC_SHA512)),
    ("A128GCM", 16, Cipher::Gcm(&aead::AES_128_GCM)),
    ("A192GCM", 24, Cipher::Gcm(&aead::AES_192_GCM)),
    ("A256GCM", 32, Cipher::Gcm(&aead::AES_256_GCM)),
];

#[derive(Clone, Copy)]
enum Cipher {
    CbcHmac(&'static cipher::Algorithm, hmac::Algorithm),
    Gcm(&'static aead::Algorithm),
}

type ContentKey = Zeroizing<Vec<u8>>;

// === impl DecryptionKey ===

impl DecryptionKey {
    /// The private key of a certificate.
    pub fn rsa(key: PrivateKey) -> Result<Self, KeyRefusal> {
        match key.algorithm() {
            KeyAlgorithm::Rsa(2048..=8192) => Ok(Self { id: None, material: Material::Rsa(key) }),
            KeyAlgorithm::Rsa(_) => Err(KeyRefusal::Size),
            _ => Err(KeyRefusal::Kind),
        }
    }

    /// A shared secret.
    pub fn shared(bytes: Vec<u8>) -> Result<Self, KeyRefusal> {
        if !(SHARED_BYTES_MIN..=SHARED_BYTES_MAX).contains(&bytes.len()) {
            return Err(KeyRefusal::Size);
        }
        Ok(Self { id: None, material: Material::Shared(Arc::new(Secret::new(bytes))) })
    }

    /// The same key under an id.
    #[must_use]
    pub fn with_id(self, id: Option<String>) -> Self {
        Self { id, ..self }
    }

    /// Opens a token; `None` when this key does not.
    pub fn open(&self, token: &Encrypted<'_>) -> Option<Zeroizing<Vec<u8>>> {
        let name = token.header.encryption.as_deref()?;
        let (_, key_bytes, cipher) = CONTENT.iter().find(|(known, ..)| *known == name)?;
        let key = self.content_key(token, *key_bytes)?;
        match cipher {
            Cipher::CbcHmac(cipher, code) => open_cbc(cipher, *code, &key, token),
            Cipher::Gcm(cipher) => open_gcm(cipher, &key, token),
        }
    }

    /// The key of the content, of the length that its encryption wants.
    fn content_key(&self, token: &Encrypted<'_>, length: usize) -> Option<ContentKey> {
        let key = match (&self.material, token.header.algorithm.as_str()) {
            (Material::Rsa(key), "RSA-OAEP") => unwrap_oaep(key, Hash::Sha1, &token.key)?,
            (Material::Rsa(key), "RSA-OAEP-256") => unwrap_oaep(key, Hash::Sha256, &token.key)?,
            (Material::Rsa(key), "RSA1_5") => unwrap_pkcs1(key, &token.key, length)?,
            (Material::Shared(key), "dir") if token.key.is_empty() => Zeroizing::new(key.expose().clone()),
            (Material::Shared(key), "A128KW") => unwrap_aes(&key_wrap::AES_128, key.expose(), &token.key)?,
            (Material::Shared(key), "A256KW") => unwrap_aes(&key_wrap::AES_256, key.expose(), &token.key)?,
            _ => return None,
        };
        (key.len() == length).then_some(key)
    }
}

impl std::fmt::Debug for Material {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Rsa(_) => "Rsa(..)",
            Self::Shared(_) => "Shared(..)",
        })
    }
}

fn unwrap_oaep(key: &PrivateKey, hash: Hash, wrapped: &[u8]) -> Option<ContentKey> {
    rsa::decrypt(key, wrapped, Padding::Oaep(hash)).ok().map(Zeroizing::new)
}

/// RFC 7516 §11.5: when the padding is wrong, a random key takes its place, so that the token fails like any
/// other whose content was changed.
fn unwrap_pkcs1(key: &PrivateKey, wrapped: &[u8], length: usize) -> Option<ContentKey> {
    let mut random = Zeroizing::new(vec![0; length]);
    rand::fill(&mut random).ok()?;
    match rsa::decrypt(key, wrapped, Padding::Pkcs1).map(Zeroizing::new) {
        Ok(unwrapped) if unwrapped.len() == length => Some(unwrapped),
        _ => Some(random),
    }
}

/// RFC 3394.
fn unwrap_aes(cipher: &'static key_wrap::AesBlockCipher, key: &[u8], wrapped: &[u8]) -> Option<ContentKey> {
    let key = AesKek::new(cipher, key).ok()?;
    let mut room = Zeroizing::new(vec![0; wrapped.len()]);
    let unwrapped = key.unwrap(wrapped, &mut room).ok()?;
    Some(Zeroizing::new(unwrapped.to_vec()))
}

/// RFC 7518 §5.2.2.2: the code first, over header, vector, content and the length of the header in bits.
fn open_cbc(
    cipher: &'static cipher::Algorithm,
    code: hmac::Algorithm,
    key: &[u8],
    token: &Encrypted<'_>,
) -> Option<Zeroizing<Vec<u8>>> {
    let (code_key, cipher_key) = key.split_at_checked(key.len() / 2)?;
    let vector: &[u8; 16] = token.vector.as_slice().try_into().ok()?;
    let mut context = hmac::Context::with_key(&hmac::Key::new(code, code_key));
    context.update(token.authenticated);
    context.update(&token.vector);
    context.update(&token.ciphertext);
    context.update(&(token.authenticated.len() as u64 * 8).to_be_bytes());
    let expected = context.sign();
    let expected = expected.as_ref().get(..code_key.len())?;
    if !bool::from(expected.ct_eq(&token.tag)) {
        return None;
    }
    let key = PaddedBlockDecryptingKey::cbc_pkcs7(UnboundCipherKey::new(cipher, cipher_key).ok()?).ok()?;
    let mut content = Zeroizing::new(token.ciphertext.clone());
    let context = DecryptionContext::Iv128(FixedLength::from(vector));
    let opened = key.decrypt(&mut content, context).ok()?.len();
    content.truncate(opened);
    Some(content)
}

/// RFC 7518 §5.3.
fn open_gcm(
    cipher: &'static aead::Algorithm,
    key: &[u8],
    token: &Encrypted<'_>,
) -> Option<Zeroizing<Vec<u8>>> {
    let key = LessSafeKey::new(UnboundKey::new(cipher, key).ok()?);
    let nonce = Nonce::try_assume_unique_for_key(&token.vector).ok()?;
    if token.tag.len() != cipher.tag_len() {
        return None;
    }
    let mut content = Zeroizing::new([token.ciphertext.as_slice(), &token.tag].concat());
    let opened = key.open_in_place(nonce, Aad::from(token.authenticated), &mut content).ok()?.len();
    content.truncate(opened);
    Some(content)
}
