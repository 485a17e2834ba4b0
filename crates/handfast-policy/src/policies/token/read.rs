//! Reading the elements that both token policies have.

use super::{Claim, Source};
use crate::compile::Compiler;
use crate::schema::{AttributeSchema, Content, ElementSchema, Kind, Particle, TEXT};
use crate::setting::{Setting, Text};
use crate::tree::Element;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use handfast_pki::jose::{ClaimMatch, DecryptionKey, KeyRefusal, TokenKey};
use std::sync::Arc;

/// base64 as documents have it: white space is skipped, padding may be missing.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A key of the document.
#[derive(Debug)]
pub(crate) enum Key {
    Known(TokenKey),
    /// A shared secret that an expression gives.
    Evaluated {
        id: Option<String>,
        text: Text,
    },
}

static CLAIM: ElementSchema = ElementSchema {
    attributes: &[
        AttributeSchema::new("name", Kind::Name).required().literal(),
        AttributeSchema::new("match", Kind::OneOf(&["all", "any"])).literal(),
        AttributeSchema::new("separator", Kind::Name).literal(),
    ],
    content: Content::Sequence(&[Particle::any("value", &TEXT)]),
};

/// `required-claims`.
pub(crate) static CLAIMS: ElementSchema =
    ElementSchema { attributes: &[], content: Content::Sequence(&[Particle::some("claim", &CLAIM)]) };

/// `audiences`.
pub(crate) static AUDIENCES: ElementSchema =
    ElementSchema { attributes: &[], content: Content::Sequence(&[Particle::some("audience", &TEXT)]) };

/// Where the token is: the attribute that says it, or a header by that name.
pub(crate) fn source(
    element: &Element,
    default: Option<&str>,
    compiler: &mut Compiler<'_>,
) -> Option<Source> {
    let header = compiler.optional_text(element, "header-name");
    let query = compiler.optional_text(element, "query-parameter-name");
    let value = compiler.optional_text(element, "token-value");
    match (header, query, value) {
        (Some(header), None, None) => Some(Source::Header(header)),
        (None, Some(query), None) => Some(Source::Query(query)),
        (None, None, Some(value)) => Some(Source::Value(value)),
        (None, None, None) if default.is_some() => {
            Some(Source::Header(Setting::Literal(default.unwrap_or_default().into())))
        }
        _ => {
            let text = "Exactly one of the attributes 'header-name', 'query-parameter-name' and 'token-value' must be specified";
            compiler.refuse(element, text);
            None
        }
    }
}

/// The texts of the elements of one name inside of others.
pub(crate) fn texts(
    element: &Element,
    (group, name): (&str, &str),
    compiler: &mut Compiler<'_>,
) -> Vec<Text> {
    let inner = element.named(group).flat_map(|group| group.named(name));
    inner.map(|one| compiler.content(one)).collect()
}

/// `audiences`.
pub(crate) fn audiences(element: &Element, compiler: &mut Compiler<'_>) -> Vec<Text> {
    texts(element, ("audiences", "audience"), compiler)
}

/// `required-claims`.
pub(crate) fn required_claims(element: &Element, compiler: &mut Compiler<'_>) -> Vec<Claim> {
    let claims = element.named("required-claims").flat_map(|claims| claims.named("claim"));
    claims
        .map(|claim| Claim {
            name: claim.get("name").unwrap_or_default().to_owned(),
            matching: if claim.get("match") == Some("any") { ClaimMatch::Any } else { ClaimMatch::All },
            separator: claim.get("separator").map(str::to_owned),
            values: claim.named("value").map(|value| compiler.content(value)).collect(),
        })
        .collect()
}

/// The name of the output variable.
pub(crate) fn variable(element: &Element) -> Option<Arc<str>> {
    element.get("output-token-variable-name").map(Into::into)
}

/// `issuer-signing-keys`.
pub(crate) fn issuer_keys(element: &Element, compiler: &mut Compiler<'_>) -> Option<Vec<Key>> {
    let mut keys = Vec::new();
    for key in element.named("issuer-signing-keys").flat_map(|keys| keys.named("key")) {
        keys.extend(issuer_key(key, compiler)?);
    }
    Some(keys)
}

/// One key; nothing when the host does not say what the certificate holds.
fn issuer_key(element: &Element, compiler: &mut Compiler<'_>) -> Option<Option<Key>> {
    let id = element.get("id").map(str::to_owned);
    let read = if let Some(name) = element.get("certificate-id") {
        let found = certificate(name, element, compiler)?;
        let Some(certificate) = found.certificate else { return Some(None) };
        TokenKey::of_certificate(&certificate)
    } else if let (Some(modulus), Some(exponent)) = (element.get("n"), element.get("e")) {
        let number = |text: &str| URL_SAFE_NO_PAD.decode(text.trim().trim_end_matches('='));
        match (number(modulus), number(exponent)) {
            (Ok(modulus), Ok(exponent)) => TokenKey::rsa(&modulus, &exponent),
            _ => Err(KeyRefusal::Numbers),
        }
    } else {
        match compiler.content(element) {
            Setting::Literal(text) => shared(&text).ok_or(KeyRefusal::Size),
            text @ Setting::Expression(_) => return Some(Some(Key::Evaluated { id, text })),
        }
    };
    match read {
        Ok(key) => Some(Some(Key::Known(key.with_id(id)))),
        Err(refusal) => {
            compiler.refuse(element, format!("The key cannot be used: {refusal}"));
            None
        }
    }
}

/// A shared secret of base64.
pub(crate) fn shared(text: &str) -> Option<TokenKey> {
    TokenKey::shared(secret(text)?).ok()
}

fn secret(text: &str) -> Option<Vec<u8>> {
    let text: String = text.split_ascii_whitespace().collect();
    if text.contains(['-', '_']) { URL_SAFE_NO_PAD.decode(text) } else { LENIENT.decode(text) }.ok()
}

/// `decryption-keys`.
pub(crate) fn decryption_keys(element: &Element, compiler: &mut Compiler<'_>) -> Option<Vec<DecryptionKey>> {
    let mut keys = Vec::new();
    for key in element.named("decryption-keys").flat_map(|keys| keys.named("key")) {
        let id = key.get("id").map(str::to_owned);
        let read = match key.get("certificate-id") {
            Some(name) => {
                let found = certificate(name, key, compiler)?;
                match (found.key, found.certificate) {
                    (Some(private), _) => DecryptionKey::rsa(private),
                    (None, Some(_)) => {
                        compiler.refuse(key, format!("Certificate with id '{name}' has no private key."));
                        return None;
                    }
                    (None, None) => continue,
                }
            }
            None => {
                let bytes = secret(key.content().text()).ok_or(KeyRefusal::Size);
                bytes.and_then(DecryptionKey::shared)
            }
        };
        match read {
            Ok(read) => keys.push(read.with_id(id)),
            Err(refusal) => {
                compiler.refuse(key, format!("The key cannot be used: {refusal}"));
                return None;
            }
        }
    }
    Some(keys)
}

fn certificate(
    name: &str,
    element: &Element,
    compiler: &mut Compiler<'_>,
) -> Option<crate::compile::ServiceCertificate> {
    let found = (compiler.options.certificate)(name);
    if found.is_none() {
        compiler.refuse(element, format!("Certificate with id '{name}' could not be found."));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_read_with_and_without_padding_and_in_both_alphabets() {
        let bytes = [0xfb, 0xff, 0xfe, 1];
        assert_eq!(base64::engine::general_purpose::STANDARD.encode(bytes), "+//+AQ==");
        for text in ["+//+AQ==", "+//+AQ", " +//+\n AQ== ", "-__-AQ"] {
            assert_eq!(secret(text).as_deref(), Some(&bytes[..]), "{text:?}");
        }
        assert_eq!(secret("not base64!"), None);
    }
}
