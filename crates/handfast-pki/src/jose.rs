//! JSON Web Tokens that others issued: reading, decrypting and checking them, and the keys for it.
//!
//! | module | what it gives | source |
//! |---|---|---|
//! | [`algorithm`] | the signature algorithms, each bound to one kind of key | RFC 7518 §3 |
//! | [`key`] | [`TokenKey`]: a public key or a shared secret with its id | RFC 7517, RFC 7518 §6 |
//! | [`key_set`] | [`KeySet`]: what stands behind a `jwks_uri` | RFC 7517 §5 |
//! | [`discovery`] | [`Discovery`]: an issuer's metadata document | OpenID Connect Discovery 1.0 §3 |
//! | [`token`] | compact tokens taken apart | RFC 7515 §3.1, RFC 7516 §3.1 |
//! | [`decrypt`] | [`DecryptionKey`]: encrypted tokens opened | RFC 7516 §5.2, RFC 7518 §4 and §5 |
//! | [`claims`] | [`Claims`]: what a token says | RFC 7519 §4 |
//! | [`rules`] | [`Rules`], [`verify`]: what a token must say, and why it is refused | vault specification §2.11 |
//!
//! A token is refused before anything is believed of it: one kind of key per algorithm, so that a public key is
//! never a shared secret; keys only from configuration, so `jku`, `jwk`, `x5u` and `x5c` have no effect; no
//! `crit`, because no extension is understood; no compression; no member twice.
//!
//! *Not* here: fetching, caching, and issuing.

pub mod algorithm;
pub mod claims;
pub mod decrypt;
pub mod discovery;
mod json;
pub mod key;
pub mod key_set;
pub mod rules;
pub mod token;

pub use algorithm::SignatureAlgorithm;
pub use claims::Claims;
pub use decrypt::DecryptionKey;
pub use discovery::{Discovery, DiscoveryError};
pub use key::{KeyRefusal, TokenKey};
pub use key_set::{KeySet, KeySetError, LeftOut};
pub use rules::{ClaimMatch, Jwt, RequiredClaim, Rules, TokenFailure, verify};
pub use token::TOKEN_BYTES_MAX;

/// Bytes of a key set or metadata document that are read.
pub const DOCUMENT_BYTES_MAX: usize = 1024 * 1024;

/// What tells tokens apart without keeping them: SHA-256.
pub fn fingerprint(token: &str) -> [u8; 32] {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, token.as_bytes());
    digest.as_ref().try_into().unwrap_or_default()
}

#[cfg(test)]
mod tests;
