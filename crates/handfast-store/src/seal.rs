//! Sealing of values at rest: AES-256-GCM with a random nonce, `nonce ‖ ciphertext ‖ tag`, and the label
//! of the value as additional data.

use crate::error::StoreError;
use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use handfast_core::Secret;

/// Seals and opens values under one key.
pub(crate) struct Sealer {
    key: RandomizedNonceKey,
}

/// What a sealed value is, authenticated with it.
pub(crate) enum Label<'l> {
    /// A version of a secret.
    Secret(&'l str, u64),
    /// A named blob.
    Blob(&'l str),
}

impl Label<'_> {
    fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Secret(name, version) => {
                [b"secret\0", &version.to_be_bytes()[..], name.as_bytes()].concat()
            }
            Self::Blob(name) => [b"blob\0", name.as_bytes()].concat(),
        }
    }

    fn name(&self) -> String {
        match self {
            Self::Secret(name, version) => format!("{name}@{version}"),
            Self::Blob(name) => (*name).to_owned(),
        }
    }
}

impl Sealer {
    pub(crate) fn new(key: &Secret<Vec<u8>>) -> Result<Self, StoreError> {
        let key = RandomizedNonceKey::new(&AES_256_GCM, key.expose()).map_err(|_| StoreError::Crypto)?;
        Ok(Self { key })
    }

    pub(crate) fn seal(&self, label: &Label<'_>, value: &[u8]) -> Result<Vec<u8>, StoreError> {
        let mut text = value.to_vec();
        let aad = Aad::from(label.bytes());
        let nonce = self.key.seal_in_place_append_tag(aad, &mut text).map_err(|_| StoreError::Crypto)?;
        let mut sealed = nonce.as_ref().to_vec();
        sealed.append(&mut text);
        Ok(sealed)
    }

    pub(crate) fn open(&self, label: &Label<'_>, sealed: &[u8]) -> Result<Secret<Vec<u8>>, StoreError> {
        let damaged = || StoreError::Sealed { name: label.name() };
        let (nonce, text) = sealed.split_at_checked(NONCE_LEN).ok_or_else(damaged)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| damaged())?;
        let mut text = text.to_vec();
        let len =
            self.key.open_in_place(nonce, Aad::from(label.bytes()), &mut text).map_err(|_| damaged())?.len();
        text.truncate(len);
        Ok(Secret::new(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_open_only_under_their_own_label_and_key() {
        let sealer = Sealer::new(&Secret::new(vec![7; 32])).unwrap();
        let sealed = sealer.seal(&Label::Secret("a", 1), b"value").unwrap();
        assert!(sealer.open(&Label::Secret("a", 1), &sealed).unwrap().equals(b"value"));
        for label in [Label::Secret("a", 2), Label::Secret("b", 1), Label::Blob("a")] {
            assert_eq!(sealer.open(&label, &sealed).unwrap_err().code(), "StoreSealedDamaged");
        }
        let other = Sealer::new(&Secret::new(vec![8; 32])).unwrap();
        assert!(other.open(&Label::Secret("a", 1), &sealed).is_err());
        for cut in 0..sealed.len() {
            assert!(sealer.open(&Label::Secret("a", 1), &sealed[..cut]).is_err());
        }
        assert_ne!(
            sealer.seal(&Label::Blob("a"), b"x").unwrap(),
            sealer.seal(&Label::Blob("a"), b"x").unwrap()
        );
    }
}
