//! Compact tokens taken apart (RFC 7515 §3.1, RFC 7516 §3.1). Nothing is believed here.

use super::json;
use serde_json::{Map, Value};

/// Bytes of a token that are looked at. A request head has less room by itself.
pub const TOKEN_BYTES_MAX: usize = 64 * 1024;

/// A header: RFC 7515 §4.1. `jku`, `jwk`, `x5u` and `x5c` are not looked at: keys come from configuration only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// `alg`.
    pub algorithm: String,
    /// `kid`.
    pub key_id: Option<String>,
    /// `x5t`, which names a key as well.
    pub thumbprint: Option<String>,
    /// `typ`.
    pub kind: Option<String>,
    /// `enc`, with encrypted tokens.
    pub encryption: Option<String>,
}

/// A signed token, or one with `alg` `none`.
#[derive(Clone, Debug)]
pub struct Signed<'a> {
    /// Its header.
    pub header: Header,
    /// What the signature is of.
    pub input: &'a [u8],
    /// Its content.
    pub payload: Vec<u8>,
    /// The signature; empty when there is none.
    pub signature: Vec<u8>,
}

/// An encrypted token.
#[derive(Clone, Debug)]
pub struct Encrypted<'a> {
    /// Its header.
    pub header: Header,
    /// The header as it stands in the token, which is authenticated with the content.
    pub authenticated: &'a [u8],
    /// The key of the content, encrypted; empty with `dir`.
    pub key: Vec<u8>,
    /// Initialisation vector.
    pub vector: Vec<u8>,
    /// The content.
    pub ciphertext: Vec<u8>,
    /// The tag.
    pub tag: Vec<u8>,
}

/// A token in its parts.
#[derive(Clone, Debug)]
pub enum Parts<'a> {
    /// Three segments.
    Signed(Signed<'a>),
    /// Five segments.
    Encrypted(Encrypted<'a>),
}

/// Takes a token apart; `None` when it is none.
pub fn parts(token: &str) -> Option<Parts<'_>> {
    if token.len() > TOKEN_BYTES_MAX {
        return None;
    }
    // One more than the longest form has, so that a long row of dots costs nothing.
    let segments: Vec<&str> = token.splitn(6, '.').collect();
    match segments.as_slice() {
        [header, payload, signature] => {
            let input = token.get(..header.len() + 1 + payload.len())?.as_bytes();
            let (payload, signature) = (json::base64url(payload)?, json::base64url(signature)?);
            Some(Parts::Signed(Signed { header: parse_header(header)?, input, payload, signature }))
        }
        [header, key, vector, ciphertext, tag] => Some(Parts::Encrypted(Encrypted {
            header: parse_header(header)?,
            authenticated: header.as_bytes(),
            key: json::base64url(key)?,
            vector: json::base64url(vector)?,
            ciphertext: json::base64url(ciphertext)?,
            tag: json::base64url(tag)?,
        })),
        _ => None,
    }
}

fn parse_header(segment: &str) -> Option<Header> {
    let members = json::object(&json::base64url(segment)?)?;
    // No extension is understood (RFC 7515 §4.1.11), and compressed content may grow without bound.
    if members.contains_key("crit") || members.contains_key("zip") {
        return None;
    }
    Some(Header {
        algorithm: json::text(&members, "alg")?.to_owned(),
        key_id: optional(&members, "kid")?,
        thumbprint: optional(&members, "x5t")?,
        kind: optional(&members, "typ")?,
        encryption: optional(&members, "enc")?,
    })
}

/// A text that may be missing, but is nothing else; `None` when it is.
fn optional(members: &Map<String, Value>, name: &str) -> Option<Option<String>> {
    match members.get(name) {
        None | Some(Value::Null) => Some(None),
        Some(Value::String(text)) => Some(Some(text.clone())),
        Some(_) => None,
    }
}
