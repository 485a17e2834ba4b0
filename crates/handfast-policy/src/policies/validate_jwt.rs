//! `validate-jwt`: only requests with a token that one of the issuers made for this audience go on
//! (specification 5.2, vault 2.11).

use super::Policy;
use super::token::{self, AUDIENCES, CLAIMS, Issuers, TokenCheck};
use crate::compile::{Compiler, Parts};
use crate::machine::io::Input;
use crate::machine::step::{At, Halt, Ran, Step};
use crate::schema::{AttributeSchema, Content, ElementSchema, Kind, Particle, TEXT};
use crate::setting::Text;
use crate::tree::Element;
use std::sync::Arc;

static OPENID_CONFIG: ElementSchema = ElementSchema {
    attributes: &[
        AttributeSchema::new("url", Kind::Name).required(),
        AttributeSchema::new("validate-connectivity", Kind::Boolean).literal(),
    ],
    content: Content::Empty,
};

static SIGNING_KEY: ElementSchema = ElementSchema {
    attributes: &[
        AttributeSchema::new("id", Kind::Name).literal(),
        AttributeSchema::new("certificate-id", Kind::Name).literal(),
        AttributeSchema::new("n", Kind::Name).literal(),
        AttributeSchema::new("e", Kind::Name).literal(),
    ],
    content: Content::Text,
};

static SIGNING_KEYS: ElementSchema =
    ElementSchema { attributes: &[], content: Content::Sequence(&[Particle::some("key", &SIGNING_KEY)]) };

static DECRYPTION_KEY: ElementSchema = ElementSchema {
    attributes: &[
        AttributeSchema::new("id", Kind::Name).literal(),
        AttributeSchema::new("certificate-id", Kind::Name).literal(),
    ],
    content: Content::Text,
};

static DECRYPTION_KEYS: ElementSchema =
    ElementSchema { attributes: &[], content: Content::Sequence(&[Particle::some("key", &DECRYPTION_KEY)]) };

static ISSUERS: ElementSchema =
    ElementSchema { attributes: &[], content: Content::Sequence(&[Particle::some("issuer", &TEXT)]) };

static SCHEMA: ElementSchema = ElementSchema {
    attributes: &[
        AttributeSchema::new("header-name", Kind::Name),
        AttributeSchema::new("query-parameter-name", Kind::Name),
        AttributeSchema::new("token-value", Kind::Text),
        AttributeSchema::new("failed-validation-httpcode", Kind::Unsigned { min: 100, max: 999 }),
        AttributeSchema::new("failed-validation-error-message", Kind::Text),
        AttributeSchema::new("require-expiration-time", Kind::Boolean),
        AttributeSchema::new("require-scheme", Kind::Text),
        AttributeSchema::new("require-signed-tokens", Kind::Boolean),
        AttributeSchema::new("clock-skew", Kind::Unsigned { min: 0, max: u32::MAX }),
        AttributeSchema::new("output-token-variable-name", Kind::Name).literal(),
    ],
    content: Content::Sequence(&[
        Particle::any("openid-config", &OPENID_CONFIG),
        Particle::optional("issuer-signing-keys", &SIGNING_KEYS),
        Particle::optional("decryption-keys", &DECRYPTION_KEYS),
        Particle::optional("audiences", &AUDIENCES),
        Particle::optional("issuers", &ISSUERS),
        Particle::optional("required-claims", &CLAIMS),
    ]),
};

pub(crate) static POLICY: Policy = Policy { name: "validate-jwt", schema: &SCHEMA, compile };

#[derive(Debug)]
struct ValidateJwt {
    check: TokenCheck,
    metadata: Vec<Text>,
    issuers: Vec<Text>,
}

fn compile(element: &Element, compiler: &mut Compiler<'_>) -> Option<Parts> {
    let mut metadata = Vec::new();
    for config in element.named("openid-config") {
        let url = compiler.text(config, "url");
        if let Some(literal) = url.literal()
            && !is_https(literal)
        {
            compiler
                .refuse(config, format!("The value '{literal}' of the attribute 'url' is not an https URL"));
            return None;
        }
        metadata.push(url);
    }
    let check = TokenCheck {
        require_scheme: compiler.optional_text(element, "require-scheme"),
        require_expiration: compiler.boolean(element, "require-expiration-time", true),
        require_signed: compiler.boolean(element, "require-signed-tokens", true),
        clock_skew: compiler.number(element, "clock-skew", 0),
        keys: token::issuer_keys(element, compiler)?,
        ..TokenCheck::read(element, None, compiler)?
    };
    let keyless = check.keys.is_empty() && element.named("issuer-signing-keys").next().is_none();
    if metadata.is_empty() && keyless && check.require_signed.literal() == Some(&true) {
        let text = "One of the elements 'openid-config' and 'issuer-signing-keys' is required, because no signature can be validated without a key";
        compiler.refuse(element, text);
        return None;
    }
    let issuers = token::texts(element, ("issuers", "issuer"), compiler);
    Parts::leaf(ValidateJwt { check, metadata, issuers })
}

/// Whether a URL is one that TLS protects.
pub(super) fn is_https(url: &str) -> bool {
    let url = url.trim();
    url.get(..8).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https://")) && url.len() > 8
}

impl ValidateJwt {
    fn issuers(&self, at: &mut At<'_>) -> Result<Issuers, Halt> {
        let urls = at.texts(&self.metadata)?.iter().map(|url| Arc::from(url.trim())).collect();
        let allowed = at.texts(&self.issuers)?.iter().map(|issuer| issuer.trim().to_owned()).collect();
        Ok(Issuers {
            urls,
            allowed,
            of_metadata: |issuer| vec![issuer.to_owned()],
            audiences: Vec::new(),
            also: Vec::new(),
        })
    }
}

impl Step for ValidateJwt {
    fn run(&self, at: &mut At<'_>) -> Ran {
        let issuers = self.issuers(at)?;
        self.check.run(at, &issuers)
    }

    fn resume(&self, at: &mut At<'_>, answer: Input) -> Ran {
        let issuers = self.issuers(at)?;
        self.check.resume(at, &issuers, answer)
    }
}
