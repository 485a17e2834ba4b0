//! What a token must say, and checking it: vault specification §2.11, policy specification §5 `validate-jwt`.
//!
//! Reasons and messages are those of the gateway that users know; [`TokenFailure::reason`] is the only place
//! that decides between them.

use super::claims::WrongType;
use super::token::{Header, Parts, Signed, parts};
use super::{Claims, DecryptionKey, SignatureAlgorithm, TokenKey, json};
use handfast_core::UnixTime;

/// Keys that are tried for a token that names none.
const KEYS_TRIED_MAX: usize = 32;

/// A token that was believed.
#[derive(Clone, Debug)]
pub struct Jwt {
    /// `alg` of the signed token; `none` when it was not signed and need not be.
    pub algorithm: String,
    /// `typ`.
    pub kind: Option<String>,
    /// The token itself, decrypted when it was encrypted; without a signature when it had none.
    pub compact: String,
    /// What it says.
    pub claims: Claims,
}

/// What a token must be.
#[derive(Clone, Debug)]
pub struct Rules<'a> {
    /// Whether `exp` must be there.
    pub require_expiration: bool,
    /// Whether it must be signed.
    pub require_signed: bool,
    /// Seconds that clocks may differ.
    pub clock_skew_s: i64,
    /// Allowed `iss`, `{tenantid}` standing for the claim `tid`; empty allows all.
    pub issuers: &'a [String],
    /// Allowed `aud`; empty allows all.
    pub audiences: &'a [String],
    /// Claims that must hold.
    pub required_claims: &'a [RequiredClaim],
}

/// A claim that must hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequiredClaim {
    /// Its name; case matters.
    pub name: String,
    /// How many of the values must be among the token's.
    pub matching: ClaimMatch,
    /// What separates several values in one text.
    pub separator: Option<String>,
    /// The values; none demands only that the claim is there.
    pub values: Vec<String>,
}

/// How many values must be there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClaimMatch {
    /// Every one.
    #[default]
    All,
    /// At least one.
    Any,
}

/// Why a token is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenFailure {
    /// There is none.
    #[error("JWT not present.")]
    NotPresent,
    /// Not a compact token, or with a header, claim or algorithm that is not understood.
    #[error("IDX12741: JWT must have three segments (JWS) or five segments (JWE). Access denied.")]
    Malformed,
    /// None of the decryption keys opens it.
    #[error("IDX10603: Decryption failed. Access denied.")]
    NotDecrypted,
    /// It is not signed and must be.
    #[error("IDX10504: Unable to validate signature, token does not have a signature. Access denied.")]
    NotSigned,
    /// No key that it may be signed with.
    #[error("IDX10501: Signature validation failed. Unable to match key: kid: '{0}'. Access denied.")]
    KeyNotFound(String),
    /// None of the keys made its signature.
    #[error("IDX10503: Signature validation failed. Access denied.")]
    Signature,
    /// No `exp`.
    #[error("IDX10225: Lifetime validation failed. The token is missing an Expiration Time. Access denied.")]
    NoExpiration,
    /// `exp` has passed.
    #[error("IDX10223: Lifetime validation failed. The token is expired. Access denied.")]
    Expired,
    /// `nbf` has not come.
    #[error("IDX10222: Lifetime validation failed. The token is not yet valid. Access denied.")]
    NotYetValid,
    /// Another issuer.
    #[error("IDX10205: Issuer validation failed. Access denied.")]
    Issuer,
    /// Another audience.
    #[error("IDX10214: Audience validation failed. Access denied.")]
    Audience,
    /// Claims that are not there.
    #[error("JWT token is missing the following claims: {}. Access denied.", .0.join(", "))]
    ClaimNotFound(Vec<String>),
    /// A claim with other values.
    #[error("Claim {name} value of {value} is not allowed. Access denied.")]
    ClaimValue {
        /// Its name.
        name: String,
        /// What the token says.
        value: String,
    },
}

impl TokenFailure {
    /// The reason as `context.LastError` tells it.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::NotPresent => "TokenNotPresent",
            Self::Malformed | Self::NotDecrypted | Self::NoExpiration => "JwtInvalid",
            Self::NotSigned | Self::Signature => "TokenSignatureInvalid",
            Self::KeyNotFound(_) => "TokenSignatureKeyNotFound",
            Self::Expired | Self::NotYetValid => "TokenExpired",
            Self::Issuer => "TokenIssuerNotAllowed",
            Self::Audience => "TokenAudienceNotAllowed",
            Self::ClaimNotFound(_) => "TokenClaimNotFound",
            Self::ClaimValue { .. } => "TokenClaimValueNotAllowed",
        }
    }
}

/// Reads a token, opens it when it is encrypted, and checks its signature and what it says.
pub fn verify(
    token: &str,
    keys: &[&TokenKey],
    decryption: &[DecryptionKey],
    rules: &Rules<'_>,
    now: UnixTime,
) -> Result<Jwt, TokenFailure> {
    let jwt = authenticate(token, keys, decryption, rules.require_signed)?;
    rules.check(&jwt.claims, now)?;
    Ok(jwt)
}

/// A token whose signature is good; what it says is not looked at.
pub fn authenticate(
    token: &str,
    keys: &[&TokenKey],
    decryption: &[DecryptionKey],
    require_signed: bool,
) -> Result<Jwt, TokenFailure> {
    match parts(token).ok_or(TokenFailure::Malformed)? {
        Parts::Signed(signed) => signed_token(token, &signed, keys, require_signed),
        Parts::Encrypted(encrypted) => {
            let wanted = encrypted.header.key_id.as_deref();
            let fits =
                |key: &&DecryptionKey| key.id.is_none() || wanted.is_none() || key.id.as_deref() == wanted;
            let opened = decryption.iter().filter(fits).find_map(|key| key.open(&encrypted));
            let opened = opened.ok_or(TokenFailure::NotDecrypted)?;
            let inner = std::str::from_utf8(&opened).map_err(|_| TokenFailure::Malformed)?;
            match parts(inner) {
                Some(Parts::Signed(signed)) => signed_token(inner, &signed, keys, require_signed),
                Some(Parts::Encrypted(_)) => Err(TokenFailure::Malformed),
                // Claims without a token around them: the encryption is all there is.
                None if require_signed => Err(TokenFailure::NotSigned),
                None => {
                    let token = format!("{}.{}.", json::encode(br#"{"alg":"none"}"#), json::encode(&opened));
                    content(&encrypted.header, &opened, &token)
                }
            }
        }
    }
}

fn signed_token(
    token: &str,
    signed: &Signed<'_>,
    keys: &[&TokenKey],
    require_signed: bool,
) -> Result<Jwt, TokenFailure> {
    let header = &signed.header;
    if header.algorithm.eq_ignore_ascii_case("none") {
        return match (require_signed, signed.signature.is_empty()) {
            (true, _) => Err(TokenFailure::NotSigned),
            (false, true) => content(header, &signed.payload, token),
            (false, false) => Err(TokenFailure::Malformed),
        };
    }
    let Some(algorithm) = SignatureAlgorithm::parse(&header.algorithm) else {
        return Err(TokenFailure::Malformed);
    };
    let named = header.key_id.as_ref().or(header.thumbprint.as_ref());
    let is_named = |key: &&&TokenKey| match (named, &key.id, &key.thumbprint) {
        (None, ..) | (Some(_), None, None) => true,
        (Some(wanted), id, thumbprint) => id.as_ref() == Some(wanted) || thumbprint.as_ref() == Some(wanted),
    };
    let mut candidates =
        keys.iter().filter(is_named).filter(|key| algorithm.takes(key)).take(KEYS_TRIED_MAX).peekable();
    if candidates.peek().is_none() {
        return Err(TokenFailure::KeyNotFound(named.cloned().unwrap_or_default()));
    }
    if !candidates.any(|key| algorithm.is_signed(key, signed.input, &signed.signature)) {
        return Err(TokenFailure::Signature);
    }
    content(header, &signed.payload, token)
}

fn content(header: &Header, payload: &[u8], token: &str) -> Result<Jwt, TokenFailure> {
    let claims = Claims::parse(payload).ok_or(TokenFailure::Malformed)?;
    let compact = token.to_owned();
    Ok(Jwt { algorithm: header.algorithm.clone(), kind: header.kind.clone(), compact, claims })
}

// === impl Rules ===

impl Rules<'_> {
    /// Whether claims hold, in the order of the specification: time, issuer, audience, others.
    pub fn check(&self, claims: &Claims, now: UnixTime) -> Result<(), TokenFailure> {
        self.check_time(claims, now)?;
        if !self.issuers.is_empty() {
            let issuer = claims.text("iss").ok_or(TokenFailure::Issuer)?;
            if !self.issuers.iter().any(|allowed| is_issuer(allowed, issuer, claims)) {
                return Err(TokenFailure::Issuer);
            }
        }
        if !self.audiences.is_empty()
            && !claims.audiences().iter().any(|audience| self.audiences.iter().any(|a| a == audience))
        {
            return Err(TokenFailure::Audience);
        }
        self.check_claims(claims)
    }

    fn check_time(&self, claims: &Claims, now: UnixTime) -> Result<(), TokenFailure> {
        let malformed = |WrongType| TokenFailure::Malformed;
        let expires = claims.date("exp").map_err(malformed)?;
        let begins = claims.date("nbf").map_err(malformed)?;
        match expires {
            None if self.require_expiration => return Err(TokenFailure::NoExpiration),
            Some(expires) if expires.saturating_add(self.clock_skew_s) <= now.0 => {
                return Err(TokenFailure::Expired);
            }
            _ => {}
        }
        match begins {
            Some(begins) if begins.saturating_sub(self.clock_skew_s) > now.0 => {
                Err(TokenFailure::NotYetValid)
            }
            _ => Ok(()),
        }
    }

    fn check_claims(&self, claims: &Claims) -> Result<(), TokenFailure> {
        let missing: Vec<String> = self
            .required_claims
            .iter()
            .filter(|required| claims.get(&required.name).is_none())
            .map(|required| required.name.clone())
            .collect();
        if !missing.is_empty() {
            return Err(TokenFailure::ClaimNotFound(missing));
        }
        for required in self.required_claims {
            let said = required.said(claims);
            if !required.holds(&said) {
                return Err(TokenFailure::ClaimValue { name: required.name.clone(), value: said.join(", ") });
            }
        }
        Ok(())
    }
}

impl RequiredClaim {
    /// The token's values of this claim.
    fn said(&self, claims: &Claims) -> Vec<String> {
        let values = claims.values(&self.name).unwrap_or_default();
        match self.separator.as_deref().filter(|separator| !separator.is_empty()) {
            None => values,
            Some(separator) => {
                let parts = values.iter().flat_map(|value| value.split(separator));
                parts.map(str::to_owned).collect()
            }
        }
    }

    fn holds(&self, said: &[String]) -> bool {
        let is_said = |value: &String| said.contains(value);
        match self.matching {
            _ if self.values.is_empty() => true,
            ClaimMatch::All => self.values.iter().all(is_said),
            ClaimMatch::Any => self.values.iter().any(is_said),
        }
    }
}

/// Metadata for many tenants names its issuer with a place for the tenant (`https://…/{tenantid}/v2.0`).
fn is_issuer(allowed: &str, issuer: &str, claims: &Claims) -> bool {
    if allowed == issuer {
        return true;
    }
    let tenant = claims.text("tid").filter(|tenant| !tenant.is_empty() && is_tenant(tenant));
    match (allowed.split_once("{tenantid}"), tenant) {
        (Some((before, after)), Some(tenant)) => {
            issuer.strip_prefix(before).and_then(|rest| rest.strip_suffix(after)) == Some(tenant)
        }
        _ => false,
    }
}

/// Ids of tenants are GUIDs; anything else could move the border of the placeholder.
fn is_tenant(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.')
}
