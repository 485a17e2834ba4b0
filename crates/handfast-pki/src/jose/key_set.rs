//! JWK sets (RFC 7517 §5): the keys that an issuer publishes. Keys that cannot be used are left out, each with
//! its reason: one odd key does not take the others away.

use super::key::{KeyRefusal, TokenKey};
use super::{DOCUMENT_BYTES_MAX, json};
use serde_json::Value;
use std::fmt;

/// Keys of one set that are looked at.
pub const KEYS_MAX: usize = 256;

/// The usable keys of a set.
#[derive(Clone, Debug, Default)]
pub struct KeySet {
    /// In the order of the set.
    pub keys: Vec<TokenKey>,
    /// What is not used.
    pub left_out: Vec<LeftOut>,
}

/// A key that is not used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// Its place in the set.
    pub place: usize,
    /// Its id, if it has one.
    pub id: Option<String>,
    /// Why.
    pub reason: KeyRefusal,
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.id {
            Some(id) => write!(f, "key {id:?} is left out: {}", self.reason),
            None => write!(f, "key {} is left out: {}", self.place, self.reason),
        }
    }
}

/// Why bytes are no key set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeySetError {
    /// Longer than is read.
    #[error("the key set is longer than {DOCUMENT_BYTES_MAX} bytes")]
    TooLong,
    /// Not an object with an array `keys`.
    #[error("not a key set: a JSON object with an array \"keys\" is expected")]
    Malformed,
    /// More keys than are looked at.
    #[error("the key set has more than {KEYS_MAX} keys")]
    TooMany,
}

impl KeySetError {
    /// A stable code.
    pub fn code(self) -> &'static str {
        match self {
            Self::TooLong => "KeySetTooLong",
            Self::Malformed => "KeySetMalformed",
            Self::TooMany => "KeySetTooManyKeys",
        }
    }
}

impl KeySet {
    /// Reads a set.
    pub fn parse(bytes: &[u8]) -> Result<Self, KeySetError> {
        if bytes.len() > DOCUMENT_BYTES_MAX {
            return Err(KeySetError::TooLong);
        }
        let document = json::object(bytes).ok_or(KeySetError::Malformed)?;
        let Some(Value::Array(jwks)) = document.get("keys") else { return Err(KeySetError::Malformed) };
        if jwks.len() > KEYS_MAX {
            return Err(KeySetError::TooMany);
        }
        let mut set = Self::default();
        for (place, jwk) in jwks.iter().enumerate() {
            let key = jwk.as_object().ok_or(KeyRefusal::Malformed).and_then(TokenKey::from_jwk);
            match key {
                Ok(key) => set.keys.push(key),
                Err(reason) => {
                    let id = jwk.get("kid").and_then(Value::as_str).map(str::to_owned);
                    set.left_out.push(LeftOut { place, id, reason });
                }
            }
        }
        Ok(set)
    }
}
