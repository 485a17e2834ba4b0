//! What `validate-jwt` and `validate-azure-ad-token` share: taking a token off the request, getting the keys of
//! its issuers, believing it or not, and what the client is told (specification 5.2; vault 2.11, 2.12).
//!
//! A token that was believed is remembered for a minute at most, and no longer than its issuers' keys stay the
//! same; what it *says* is looked at with every request.

mod read;
mod verified;

pub(super) use read::{AUDIENCES, CLAIMS, Key, issuer_keys, texts};
use read::{audiences, decryption_keys, required_claims, source, variable};
use verified::Verified;

use super::set_query_parameter::{name_is, pairs, percent_decode};
use crate::compile::Compiler;
use crate::failure::Failure;
use crate::machine::evaluate::Words;
use crate::machine::io::{Input, Output};
use crate::machine::step::{At, Flow, Halt, Ran};
use crate::setting::{Setting, Text};
use crate::tokens::{FoundKeys, IssuerKeys, KeysUnavailable};
use crate::tree::Element;
use handfast_expression::Value;
use handfast_pki::jose::rules::authenticate;
use handfast_pki::jose::{ClaimMatch, DecryptionKey, Jwt, RequiredClaim, Rules, TokenFailure, TokenKey};
use std::borrow::Cow;
use std::sync::Arc;

/// Where the token is.
#[derive(Debug)]
pub(super) enum Source {
    /// In a header, after the scheme.
    Header(Text),
    /// In a query parameter.
    Query(Text),
    /// The token itself.
    Value(Text),
}

/// A claim that must hold.
#[derive(Debug)]
pub(super) struct Claim {
    pub(super) name: String,
    pub(super) matching: ClaimMatch,
    pub(super) separator: Option<String>,
    pub(super) values: Vec<Text>,
}

/// The settings of both policies.
#[derive(Debug)]
pub(super) struct TokenCheck {
    pub(super) source: Source,
    pub(super) require_scheme: Option<Text>,
    pub(super) status: Setting<u32>,
    pub(super) message: Option<Text>,
    pub(super) require_expiration: Setting<bool>,
    pub(super) require_signed: Setting<bool>,
    pub(super) clock_skew: Setting<u32>,
    pub(super) keys: Vec<Key>,
    pub(super) decryption: Vec<DecryptionKey>,
    pub(super) audiences: Vec<Text>,
    pub(super) claims: Vec<Claim>,
    /// Where the believed token goes.
    pub(super) variable: Option<Arc<str>>,
    pub(super) verified: Verified,
}

/// What differs between the policies: which metadata is asked for and which issuers are allowed.
pub(super) struct Issuers {
    /// Metadata documents.
    pub(super) urls: Vec<Arc<str>>,
    /// Those that the document names.
    pub(super) allowed: Vec<String>,
    /// Those that follow from metadata.
    pub(super) of_metadata: fn(&str) -> Vec<String>,
    /// Audiences beside those of the document's element.
    pub(super) audiences: Vec<String>,
    /// What else the claims must satisfy: one of these claims has one of these values.
    pub(super) also: Vec<(&'static [&'static str], Vec<String>)>,
}

impl TokenCheck {
    /// What both policies have; the rest is what holds for a policy that does not say it.
    pub(super) fn read(
        element: &Element,
        default_header: Option<&'static str>,
        compiler: &mut Compiler<'_>,
    ) -> Option<Self> {
        Some(Self {
            source: source(element, default_header, compiler)?,
            require_scheme: None,
            status: compiler.number(element, "failed-validation-httpcode", 401),
            message: compiler.optional_text(element, "failed-validation-error-message"),
            require_expiration: Setting::Literal(true),
            require_signed: Setting::Literal(true),
            clock_skew: Setting::Literal(0),
            keys: Vec::new(),
            decryption: decryption_keys(element, compiler)?,
            audiences: audiences(element, compiler),
            claims: required_claims(element, compiler),
            variable: variable(element),
            verified: Verified::default(),
        })
    }

    /// Takes the token and asks for keys, or goes on when none are needed from elsewhere.
    pub(super) fn run(&self, at: &mut At<'_>, issuers: &Issuers) -> Ran {
        // Everything is evaluated before anything is asked for, because an answer is taken once.
        self.token(at)?;
        self.told(at)?;
        if issuers.urls.is_empty() {
            return self.judge(at, issuers, &FoundKeys { issuers: Vec::new(), newer: true });
        }
        Ok(Flow::Await(Output::Keys { urls: issuers.urls.clone(), newer: false }))
    }

    /// Judges the token with the keys that the host found.
    pub(super) fn resume(&self, at: &mut At<'_>, issuers: &Issuers, answer: Input) -> Ran {
        match answer {
            Input::Keys(Ok(found)) => self.judge(at, issuers, &found),
            Input::Keys(Err(KeysUnavailable(text))) => {
                Ok(Flow::fail(Failure::internal("TokenValidationConfiguration", text)))
            }
            other => Ok(Flow::unexpected(&other)),
        }
    }

    fn judge(&self, at: &mut At<'_>, issuers: &Issuers, found: &FoundKeys) -> Ran {
        let token = self.token(at)?;
        match self.verdict(at, issuers, found, &token)? {
            Ok(jwt) => {
                at.note(|| "JWT validated.");
                if let Some(variable) = &self.variable {
                    let value = Value::jwt(&jwt.compact).unwrap_or(Value::Null);
                    at.context.variables.set(variable, value);
                }
                Ok(Flow::Next)
            }
            // A key that is not known may be a new one.
            Err(TokenFailure::KeyNotFound(_)) if !found.newer => {
                Ok(Flow::Await(Output::Keys { urls: issuers.urls.clone(), newer: true }))
            }
            Err(failure) => {
                let (status, own_message) = self.told(at)?;
                Ok(Flow::fail(refusal(&failure, status, own_message.as_deref())))
            }
        }
    }

    /// Whether the token is believed, and what it says allowed.
    fn verdict(
        &self,
        at: &mut At<'_>,
        issuers: &Issuers,
        found: &FoundKeys,
        token: &str,
    ) -> Result<Result<Arc<Jwt>, TokenFailure>, Halt> {
        if token.is_empty() {
            return Ok(Err(TokenFailure::NotPresent));
        }
        let require_signed = at.boolean(&self.require_signed)?;
        let jwt = match self.authentic(at, &found.issuers, token, require_signed)? {
            Ok(jwt) => jwt,
            Err(failure) => return Ok(Err(failure)),
        };
        let mut audiences: Vec<String> = owned(&at.texts(&self.audiences)?);
        audiences.extend_from_slice(&issuers.audiences);
        let mut required_claims = Vec::with_capacity(self.claims.len());
        for claim in &self.claims {
            let values = owned(&at.texts(&claim.values)?);
            let Claim { name, matching, separator, .. } = claim;
            let (name, separator) = (name.clone(), separator.clone());
            required_claims.push(RequiredClaim { name, matching: *matching, separator, values });
        }
        let mut allowed = issuers.allowed.clone();
        allowed.extend(found.issuers.iter().flat_map(|issuer| (issuers.of_metadata)(&issuer.issuer)));
        let rules = Rules {
            require_expiration: at.boolean(&self.require_expiration)?,
            require_signed,
            clock_skew_s: at.number(&self.clock_skew)?.into(),
            issuers: &allowed,
            audiences: &audiences,
            required_claims: &required_claims,
        };
        let checked = rules.check(&jwt.claims, at.now).and_then(|()| issuers.check(&jwt));
        Ok(checked.map(|()| jwt))
    }

    fn authentic(
        &self,
        at: &mut At<'_>,
        issuers: &[Arc<IssuerKeys>],
        token: &str,
        require_signed: bool,
    ) -> Result<Result<Arc<Jwt>, TokenFailure>, Halt> {
        let mut made = Vec::new();
        for key in &self.keys {
            if let Key::Evaluated { id, text } = key {
                let text = at.text(text)?;
                made.extend(read::shared(&text).map(|key| key.with_id(id.clone())));
            }
        }
        // Keys that an expression makes may differ with each request.
        let lasting = !self.keys.iter().any(|key| matches!(key, Key::Evaluated { .. }));
        if lasting && let Some(jwt) = self.verified.get(token, issuers, require_signed, at.now) {
            return Ok(Ok(jwt));
        }
        let own = self.keys.iter().filter_map(|key| match key {
            Key::Known(key) => Some(key),
            Key::Evaluated { .. } => None,
        });
        let keys: Vec<&TokenKey> =
            issuers.iter().flat_map(|issuer| &issuer.keys.keys).chain(own).chain(&made).collect();
        let jwt = match authenticate(token, &keys, &self.decryption, require_signed) {
            Ok(jwt) => Arc::new(jwt),
            Err(failure) => return Ok(Err(failure)),
        };
        if lasting {
            self.verified.put(token, issuers, require_signed, &jwt, at.now);
        }
        Ok(Ok(jwt))
    }

    /// The token; empty when there is none.
    fn token(&self, at: &mut At<'_>) -> Result<String, Halt> {
        Ok(match &self.source {
            Source::Value(value) => at.text(value)?.trim().to_owned(),
            Source::Query(name) => {
                let name = at.text(name)?;
                let query = at.context.request.target.query().unwrap_or_default();
                let found = pairs(query).filter(|(known, _)| name_is(known, &name));
                one(found.map(|(_, pair)| {
                    let value = pair.split_once('=').map_or("", |(_, value)| value);
                    String::from_utf8_lossy(&percent_decode(value)).into_owned().into()
                }))
                .into_owned()
            }
            Source::Header(name) => {
                let name = at.text(name)?;
                let scheme = at.optional_text(self.require_scheme.as_ref())?;
                let lines = at.context.request.fields.get_all(name.as_bytes());
                let value = one(lines.map(String::from_utf8_lossy));
                let scheme = scheme.as_deref().filter(|_| name.eq_ignore_ascii_case("Authorization"));
                after_scheme(&value, scheme).to_owned()
            }
        })
    }

    /// Status and message for the client.
    fn told(&self, at: &mut At<'_>) -> Result<(u32, Option<Words<'_>>), Halt> {
        Ok((at.number_within(&self.status, 100..=999)?, at.optional_text(self.message.as_ref())?))
    }
}

impl Issuers {
    /// Claims of which one must have one of these values; nothing is demanded without values.
    fn check(&self, jwt: &Jwt) -> Result<(), TokenFailure> {
        for (names, allowed) in self.also.iter().filter(|(_, allowed)| !allowed.is_empty()) {
            let said = names.iter().find_map(|name| Some((*name, jwt.claims.text(name)?)));
            match said {
                Some((_, value)) if allowed.iter().any(|one| one.eq_ignore_ascii_case(value)) => {}
                Some((name, value)) => {
                    return Err(TokenFailure::ClaimValue { name: name.to_owned(), value: value.to_owned() });
                }
                None => {
                    let names = names.iter().take(1).map(|name| (*name).to_owned()).collect();
                    return Err(TokenFailure::ClaimNotFound(names));
                }
            }
        }
        Ok(())
    }
}

fn owned(texts: &[Words<'_>]) -> Vec<String> {
    texts.iter().map(|text| text.trim().to_owned()).collect()
}

/// The only one of several values. Two are no token: another server might look at the other one.
fn one<'v>(mut values: impl Iterator<Item = Cow<'v, str>>) -> Cow<'v, str> {
    let first = values.next().unwrap_or_default();
    values.fold(first, |all, next| Cow::Owned(format!("{all},{next}")))
}

/// A header's value without the word of its scheme; nothing when another scheme is required.
fn after_scheme<'v>(value: &'v str, required: Option<&str>) -> &'v str {
    let value = value.trim();
    match (value.split_once(' '), required) {
        (Some((scheme, token)), Some(required)) if scheme.eq_ignore_ascii_case(required) => token.trim(),
        (_, Some(_)) => "",
        (Some((_, token)), None) => token.trim(),
        (None, None) if value.eq_ignore_ascii_case("Bearer") => "",
        (None, None) => value,
    }
}

/// What the client gets: the document's message, else one of two that tell nothing.
fn refusal(failure: &TokenFailure, status: u32, own_message: Option<&str>) -> Failure {
    let standard = match failure {
        TokenFailure::NotPresent => "JWT not present.",
        _ => "Invalid JWT.",
    };
    let body = own_message.unwrap_or(standard).to_owned();
    Failure::denied(u16::try_from(status).unwrap_or(401), failure.reason(), failure.to_string(), body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_of_a_scheme_is_taken_off() {
        for (value, required, token) in [
            ("Bearer a.b.c", None, "a.b.c"),
            ("a.b.c", None, "a.b.c"),
            ("DPoP  a.b.c ", None, "a.b.c"),
            ("bearer a.b.c", Some("Bearer"), "a.b.c"),
            ("Basic a.b.c", Some("Bearer"), ""),
            ("a.b.c", Some("Bearer"), ""),
            ("Bearer", Some("Bearer"), ""),
            ("Bearer ", None, ""),
            ("", None, ""),
        ] {
            assert_eq!(after_scheme(value, required), token, "{value:?} {required:?}");
        }
    }
}
