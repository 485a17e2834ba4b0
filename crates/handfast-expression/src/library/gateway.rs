//! The gateway's own helpers: `AsJwt`, `AsBasic`, forms, `Encrypt` and `Decrypt`.
//!
//! A token is only read here (RFC 7519 over RFC 7515 §3.1): no signature, no lifetime is looked at.

use super::cell;
use crate::call::Call;
use crate::fault::{Fault, throw};
use crate::json::{self, Token};
use crate::surface::{PLAIN, Row, TypeDef};
use crate::types::Type;
use crate::value::{Date, Dictionary, Object, Value, lock};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use std::sync::Mutex;

/// Longest token that is read.
const TOKEN_BYTES_MAX: usize = 1 << 20;

fn map(of: Vec<Type>, entries: Vec<(String, Value)>) -> Value {
    let mut map = Dictionary::new(true, true);
    for (name, value) in entries {
        map.set(Value::str(name), value);
    }
    Value::object(Object::Dictionary(Type::Class("IReadOnlyDictionary", of), Mutex::new(map)))
}

/// The claims of a token that has none: names to objects.
pub(crate) fn no_claims() -> Value {
    map(vec![Type::String, Type::Object], Vec::new())
}

fn strings_of() -> Type {
    Type::Array(std::sync::Arc::new(Type::String))
}

/// The entries of a claim: one per item of an array.
fn entries(value: &Token) -> Vec<String> {
    match value.class() {
        "JArray" => value.children().iter().map(entry).collect(),
        _ => vec![entry(value)],
    }
}

fn entry(value: &Token) -> String {
    match value.scalar() {
        Value::Bool(truth) => truth.to_string(),
        Value::Null if value.class() != "JValue" => value.to_json(false),
        scalar => scalar.to_text(),
    }
}

/// A compact token, with or without `Bearer `, as a `Jwt`; `None` when it is none.
pub(crate) fn jwt(text: &str) -> Option<Value> {
    if text.len() > TOKEN_BYTES_MAX {
        return None;
    }
    let text = text.trim();
    let scheme = text.get(..7).is_some_and(|scheme| scheme.eq_ignore_ascii_case("bearer "));
    let compact = if scheme { text.get(7..)?.trim() } else { text };
    let mut parts = compact.split('.');
    let (header, payload, signature) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || URL_SAFE_NO_PAD.decode(signature.trim_end_matches('=')).is_err() {
        return None;
    }
    let read = |part: &str| {
        let bytes = URL_SAFE_NO_PAD.decode(part.trim_end_matches('=')).ok()?;
        json::parse_plain(std::str::from_utf8(&bytes).ok()?).ok().filter(|token| token.class() == "JObject")
    };
    let (header, payload) = (read(header)?, read(payload)?);
    let text_of =
        |token: &Token, name: &str| token.get(name).map_or(Value::Null, |value| Value::str(entry(&value)));
    let date = |name: &str| {
        let seconds = payload.get(name).and_then(|value| crate::arith::to_double(&value.scalar()));
        seconds.filter(|s| s.is_finite() && s.abs() < 2e11).map_or(Value::Null, |seconds| {
            let ticks = super::time::UNIX_EPOCH + (seconds * 1e7) as i64;
            Value::Date(Date { ticks, kind: 1 })
        })
    };
    let claims = payload.children().iter().map(|p| (p.name(), Value::strings(entries(&p.value())))).collect();
    let audiences = payload.get("aud").map(|value| entries(&value)).unwrap_or_default();
    Some(Value::record(
        "Jwt",
        vec![
            ("Id", text_of(&payload, "jti")),
            ("Algorithm", text_of(&header, "alg")),
            ("Issuer", text_of(&payload, "iss")),
            ("Subject", text_of(&payload, "sub")),
            ("Type", text_of(&header, "typ")),
            ("Audiences", Value::strings(audiences)),
            ("Claims", map(vec![Type::String, strings_of()], claims)),
            ("ExpirationTime", date("exp")),
            ("NotBefore", date("nbf")),
            ("IssuedAt", date("iat")),
        ],
    ))
}

/// `Basic` credentials (RFC 7617): split at the first colon.
fn basic(text: &str) -> Option<Value> {
    let scheme = text.get(..6).filter(|scheme| scheme.eq_ignore_ascii_case("basic "))?;
    let bytes = STANDARD.decode(text.get(scheme.len()..)?.trim()).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    let (user, password) = text.split_once(':')?;
    Some(Value::record(
        "BasicAuthCredentials",
        vec![("UserId", Value::str(user)), ("Password", Value::str(password))],
    ))
}

/// `AsJwt`, `AsBasic`, and the forms that try.
fn credentials(call: &mut Call<'_>) -> Result<Value, Fault> {
    let name = call.member.name.as_str();
    let read = if name.ends_with("Jwt") { jwt } else { basic };
    let found = call.arg(0).as_str().and_then(read);
    call.allocate(call.arg(0).as_str().map_or(0, str::len).saturating_mul(4))?;
    if !name.starts_with("Try") {
        return Ok(found.unwrap_or(Value::Null));
    }
    let is_some = found.is_some();
    call.set(1, found.unwrap_or(Value::Null));
    Ok(Value::Bool(is_some))
}

// === Forms ===

fn form_types() -> Vec<Type> {
    vec![Type::String, Type::generic("IList", Type::String)]
}

/// The form that a body holds: names and lists of values.
pub(super) fn form(text: &str) -> Value {
    let mut map = Dictionary::default();
    map.grows = true;
    for pair in text.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let key = Value::str(super::web::form_decode(name));
        let value = Value::str(super::web::form_decode(value));
        match map.get(&key) {
            Some(Value::Object(object)) => {
                if let Object::List(_, items) = &**object {
                    lock(items).push(value);
                }
            }
            _ => {
                map.set(key, Value::list(Type::generic("List", Type::String), vec![value]));
            }
        }
    }
    Value::object(Object::Dictionary(Type::Class("Dictionary", form_types()), Mutex::new(map)))
}

fn form_text(call: &mut Call<'_>) -> Result<Value, Fault> {
    let mut parts = Vec::new();
    for pair in call.items(0)? {
        let name = super::web::form_encode(&super::context::named(&pair, "Key").to_text());
        let values = super::context::named(&pair, "Value");
        for value in call.items_of(&values)?.unwrap_or_default() {
            parts.push(format!("{name}={}", super::web::form_encode(&value.to_text())));
        }
    }
    let text = parts.join("&");
    call.allocate(text.len())?;
    Ok(match call.member.name.as_str() {
        "ToQueryString" if parts.is_empty() => Value::Null,
        "ToQueryString" => Value::str(format!("?{text}")),
        _ => Value::str(text),
    })
}

// === Encryption ===

fn encrypted(call: &mut Call<'_>) -> Result<Value, Fault> {
    let input = call.bytes(0)?;
    call.allocate(input.len().saturating_mul(2))?;
    let decrypt = call.member.name == "Decrypt";
    let cipher = match call.arg(1) {
        Value::Str(name) => super::crypto::Cipher::named(name)?,
        other => super::crypto::Cipher::of(other)?,
    };
    let (key, iv) = match call.count() {
        2 => (cell::of(call.arg(1), "Key").as_bytes(), cell::of(call.arg(1), "IV").as_bytes()),
        _ => (Some(call.bytes(2)?), Some(call.bytes(3)?)),
    };
    let (Some(key), Some(iv)) = (key, iv) else {
        return Err(throw("CryptographicException", "The key or the initialization vector is not set."));
    };
    cipher.run(decrypt, &key, &iv, &input).map(Value::bytes)
}

pub(super) const TYPES: &[TypeDef] = &[
    TypeDef {
        name: "Jwt",
        rows: &[Row(
            "string Id; string Algorithm; string Issuer; string Subject; string Type; IEnumerable<string> Audiences; IReadOnlyDictionary<string, string[]> Claims; DateTime? ExpirationTime; DateTime? NotBefore; DateTime? IssuedAt",
            super::context::field,
        )],
        ..PLAIN
    },
    TypeDef {
        name: "BasicAuthCredentials",
        rows: &[Row("string UserId; string Password", super::context::field)],
        ..PLAIN
    },
    TypeDef {
        name: "Authorization",
        rows: &[Row("string AccessToken; IReadOnlyDictionary<string, object> Claims", super::context::field)],
        ..PLAIN
    },
    TypeDef {
        name: "GatewayExtensions",
        rows: &[
            Row(
                "static Jwt AsJwt(this string value); static BasicAuthCredentials AsBasic(this string value); static bool TryParseJwt(this string value, out Jwt result); static bool TryParseBasic(this string value, out BasicAuthCredentials result)",
                credentials,
            ),
            Row(
                "static string ToFormUrlEncodedContent(this IDictionary<string, IList<string>> form); static string ToQueryString(this IDictionary<string, IList<string>> form)",
                form_text,
            ),
            Row(
                "static byte[] Encrypt(this byte[] input, string alg, byte[] key, byte[] iv); static byte[] Decrypt(this byte[] input, string alg, byte[] key, byte[] iv); static byte[] Encrypt(this byte[] input, SymmetricAlgorithm alg); static byte[] Decrypt(this byte[] input, SymmetricAlgorithm alg); static byte[] Encrypt(this byte[] input, SymmetricAlgorithm alg, byte[] key, byte[] iv); static byte[] Decrypt(this byte[] input, SymmetricAlgorithm alg, byte[] key, byte[] iv)",
                encrypted,
            ),
        ],
        ..PLAIN
    },
];
