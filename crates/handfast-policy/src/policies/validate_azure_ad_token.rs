//! `validate-azure-ad-token`: `validate-jwt` for one tenant of Microsoft Entra ID, or of an issuer that speaks
//! like it (specification 5.2, vault 2.12).

use super::Policy;
use super::token::{self, AUDIENCES, CLAIMS, Issuers, TokenCheck};
use crate::compile::{Compiler, Parts};
use crate::machine::io::Input;
use crate::machine::step::{At, Halt, Ran, Step};
use crate::schema::{AttributeSchema, Content, ElementSchema, Kind, Particle, TEXT};
use crate::setting::Text;
use crate::tenant::{AUTHORITY, issuers_of_metadata, metadata};
use crate::tree::Element;
use std::sync::Arc;

static APPLICATIONS: ElementSchema =
    ElementSchema { attributes: &[], content: Content::Sequence(&[Particle::some("application-id", &TEXT)]) };

static DECRYPTION_KEY: ElementSchema = ElementSchema {
    attributes: &[AttributeSchema::new("certificate-id", Kind::Name).required().literal()],
    content: Content::Empty,
};

static DECRYPTION_KEYS: ElementSchema =
    ElementSchema { attributes: &[], content: Content::Sequence(&[Particle::some("key", &DECRYPTION_KEY)]) };

static SCHEMA: ElementSchema = ElementSchema {
    attributes: &[
        AttributeSchema::new("tenant-id", Kind::Name).required(),
        AttributeSchema::new("header-name", Kind::Name),
        AttributeSchema::new("query-parameter-name", Kind::Name),
        AttributeSchema::new("token-value", Kind::Text),
        AttributeSchema::new("authentication-endpoint", Kind::Name),
        AttributeSchema::new("failed-validation-httpcode", Kind::Unsigned { min: 100, max: 999 }),
        AttributeSchema::new("failed-validation-error-message", Kind::Text),
        AttributeSchema::new("output-token-variable-name", Kind::Name).literal(),
    ],
    content: Content::Sequence(&[
        Particle::optional("backend-application-ids", &APPLICATIONS),
        Particle::optional("client-application-ids", &APPLICATIONS),
        Particle::optional("audiences", &AUDIENCES),
        Particle::optional("required-claims", &CLAIMS),
        Particle::optional("decryption-keys", &DECRYPTION_KEYS),
    ]),
};

pub(crate) static POLICY: Policy = Policy { name: "validate-azure-ad-token", schema: &SCHEMA, compile };

#[derive(Debug)]
struct ValidateAzureAdToken {
    check: TokenCheck,
    tenant: Text,
    authority: Option<Text>,
    clients: Vec<Text>,
    backends: Vec<Text>,
}

fn compile(element: &Element, compiler: &mut Compiler<'_>) -> Option<Parts> {
    let clients = token::texts(element, ("client-application-ids", "application-id"), compiler);
    let backends = token::texts(element, ("backend-application-ids", "application-id"), compiler);
    let check = TokenCheck::read(element, Some("Authorization"), compiler)?;
    let tenant = compiler.text(element, "tenant-id");
    let authority = compiler.optional_text(element, "authentication-endpoint");
    Parts::leaf(ValidateAzureAdToken { check, tenant, authority, clients, backends })
}

impl ValidateAzureAdToken {
    fn issuers(&self, at: &mut At<'_>) -> Result<Issuers, Halt> {
        let authority = at.optional_text(self.authority.as_ref())?;
        let tenant = at.text(&self.tenant)?;
        let clients: Vec<String> = at.texts(&self.clients)?.iter().map(|id| id.trim().to_owned()).collect();
        let backends = at.texts(&self.backends)?;
        let mut audiences: Vec<String> = backends.iter().map(|id| id.trim().to_owned()).collect();
        audiences.extend(backends.iter().map(|id| format!("api://{}", id.trim())));
        let url = metadata(authority.as_deref().unwrap_or(AUTHORITY), &tenant);
        Ok(Issuers {
            urls: vec![Arc::from(url)],
            allowed: Vec::new(),
            of_metadata: issuers_of_metadata,
            audiences,
            also: vec![(&["appid", "azp"], clients)],
        })
    }
}

impl Step for ValidateAzureAdToken {
    fn run(&self, at: &mut At<'_>) -> Ran {
        let issuers = self.issuers(at)?;
        self.check.run(at, &issuers)
    }

    fn resume(&self, at: &mut At<'_>, answer: Input) -> Ran {
        let issuers = self.issuers(at)?;
        self.check.resume(at, &issuers, answer)
    }
}
