//! What a case says about the surroundings of its requests: addresses, identities, the client certificate.

use super::{Block, CaseError, Setup};
use crate::certificate::{ClientCertificate, Revocation, Trust};
use crate::context::{
    ApiIdentity, Context, DeploymentIdentity, Example, GroupIdentity, OperationIdentity, ProductIdentity,
    SubscriptionIdentity, UserIdentity,
};
use crate::failure::Failure;
use handfast_core::UnixTime;
use handfast_openapi::contract::{Contract, Documents};
use handfast_openapi::description::{Description, Operation};
use handfast_openapi::openapi;
use std::sync::Arc;

/// The clock of a case at its first request, 2026-01-01T00:00:00Z.
pub(super) const START: UnixTime = UnixTime(1_767_225_600);
/// The request id, and so the activity id of 500 bodies, unless the case names one.
const REQUEST_ID: &str = "11111111-2222-3333-4444-555555555555";

/// Settings of the `context`, `certificate` and `example` sections.
#[derive(Debug, Default)]
pub(super) struct Facts {
    context: Vec<(usize, String, String)>,
    certificate: Option<ClientCertificate>,
    examples: Vec<Example>,
    /// The description of the API.
    description: Option<Description>,
    /// Keys of which no permit is free.
    pub(super) permits_taken: Vec<String>,
    pub(super) preflight: bool,
    /// Tokens by resource and client id.
    tokens: Vec<(String, String)>,
    /// Base URLs of backends by lower-case id.
    backends: Vec<(String, Arc<str>)>,
}

impl Facts {
    pub(super) fn context(&mut self, block: &Block) -> Result<(), CaseError> {
        for (line, name, value) in pairs(block)? {
            match name.as_str() {
                "permits-taken" => self.permits_taken.push(value),
                "token" => self.tokens.push(around_equals(&value, line)?),
                "preflight" => self.preflight = value == "yes",
                _ => self.context.push((line, name, value)),
            }
        }
        Ok(())
    }

    /// Ids with base URLs, which may be empty.
    pub(super) fn backends<'u>(&mut self, named: impl Iterator<Item = (String, &'u str)>) {
        let with_url = named.filter(|(_, url)| !url.is_empty());
        self.backends = with_url.map(|(id, url)| (id.to_lowercase(), url.into())).collect();
    }

    pub(super) fn example(&mut self, header: &str, block: &Block) -> Result<(), CaseError> {
        let parsed = header.split_once(' ').and_then(|(status, kind)| Some((status.parse().ok()?, kind)));
        let Some((status, kind)) = parsed else {
            return Err(CaseError::new(
                block.line,
                format!("unknown '{header}'; expected STATUS CONTENT-TYPE"),
            ));
        };
        let body = block.text.clone().into();
        self.examples.push(Example { status, content_type: kind.trim().to_owned(), body });
        Ok(())
    }

    pub(super) fn openapi(&mut self, block: &Block) -> Result<(), CaseError> {
        let wrong = |text: String| CaseError::new(block.line + 1, text);
        let (description, findings) =
            openapi::read(&super::parse::json(block)?).map_err(|error| wrong(error.to_string()))?;
        if let Some(finding) = findings.first() {
            return Err(wrong(format!("{}: {}", finding.pointer, finding.message)));
        }
        self.description = Some(description);
        Ok(())
    }

    /// The operation of the case: by its id, else the first of the description.
    fn operation(&self, id: Option<&str>) -> Option<OperationIdentity> {
        let contract = self.description.as_ref().and_then(|description| {
            let is_it = |one: &&Operation| id.is_none_or(|id| one.id.as_deref() == Some(id));
            let operation = description.operations.iter().find(is_it)?;
            let documents = Arc::new(Documents::of(description, &crate::patterns::compile));
            Some(Arc::new(Contract::compile(operation, &documents, &crate::patterns::compile)))
        });
        if id.is_none() && contract.is_none() && self.examples.is_empty() {
            return None;
        }
        let id = id.unwrap_or_default().to_owned();
        Some(OperationIdentity { id, examples: self.examples.clone(), contract, ..Default::default() })
    }

    pub(super) fn certificate(&mut self, block: &Block) -> Result<(), CaseError> {
        let mut certificate = ClientCertificate {
            not_before: START.minus(DAY),
            not_after: START.plus(DAY),
            trust: Trust::Trusted,
            revocation: Revocation::Good,
            ..ClientCertificate::default()
        };
        for (line, name, value) in pairs(block)? {
            match name.as_str() {
                "thumbprint" => certificate.thumbprint = value,
                "subject" => certificate.subject = value,
                "issuer" => certificate.issuer = value,
                "serial" => certificate.serial = value,
                "common-name" => certificate.common_name = Some(value),
                "dns-name" => certificate.dns_names.push(value),
                "issuer-thumbprint" => certificate.issuer_thumbprint = Some(value),
                "valid" => certificate.set_validity(&value, line)?,
                "trust" => certificate.trust = trust(&value, line)?,
                "revocation" => certificate.revocation = revocation(&value, line)?,
                _ => return Err(CaseError::new(line, format!("unknown certificate fact '{name}'"))),
            }
        }
        self.certificate = Some(certificate);
        Ok(())
    }

    /// The token of an identity, for who asks in this way: `RESOURCE`, or `RESOURCE CLIENT-ID`.
    pub(super) fn token(&self, resource: &str, client_id: Option<&str>) -> Option<&str> {
        let asked = client_id.map_or_else(|| resource.to_owned(), |id| format!("{resource} {id}"));
        self.tokens.iter().find(|(known, _)| *known == asked).map(|(_, token)| token.as_str())
    }

    /// A fresh context with everything that the case says.
    pub(super) fn setup(&self) -> Result<Setup, CaseError> {
        let mut context = Context { request_id: REQUEST_ID.to_owned(), trace: true, ..Context::default() };
        context.client_ip = Some(std::net::IpAddr::from([203, 0, 113, 7]));
        let mut operation = None;
        let mut api = None;
        let mut rejection = None;
        for (line, name, value) in &self.context {
            let value = value.clone();
            match name.as_str() {
                "client-ip" if value == "none" => context.client_ip = None,
                "client-ip" => context.client_ip = Some(parsed(&value, *line)?),
                "request-id" => context.request_id = value,
                "api" => api.get_or_insert_with(ApiIdentity::default).id = value,
                "api-path" => api.get_or_insert_with(ApiIdentity::default).path = value,
                "service-url" => api.get_or_insert_with(ApiIdentity::default).service_url = Some(value),
                "operation" => operation = Some(value),
                "product" => {
                    context.product =
                        Some(Arc::new(ProductIdentity { id: value, ..ProductIdentity::default() }));
                }
                "subscription" => {
                    let subscription = SubscriptionIdentity { id: value, ..SubscriptionIdentity::default() };
                    context.subscription = Some(Arc::new(subscription));
                }
                "user" => {
                    let groups = vec![GroupIdentity { id: "g".to_owned(), name: "Group".to_owned() }];
                    let user = UserIdentity { id: value, groups, ..UserIdentity::default() };
                    context.user = Some(Arc::new(user));
                }
                "parameter" => {
                    let (name, value) = value.split_once('=').unwrap_or((&value, ""));
                    context.matched_parameters.push((name.trim().to_owned(), value.trim().to_owned()));
                }
                "template-query" => context.template_query_names.push(value),
                "reject" => rejection = Some(rejected(&value, *line)?),
                _ => return Err(CaseError::new(*line, format!("unknown context fact '{name}'"))),
            }
        }
        context.api = api.map(Arc::new);
        context.deployment = Some(Arc::new(DeploymentIdentity {
            service_name: "cases".to_owned(),
            gateway_id: "managed".to_owned(),
            backends: self.backends.clone(),
            ..DeploymentIdentity::default()
        }));
        context.operation = self.operation(operation.as_deref()).map(Arc::new);
        Ok(Setup { context, certificate: self.certificate.clone(), rejection })
    }
}

const DAY: std::time::Duration = std::time::Duration::from_secs(86_400);

impl ClientCertificate {
    fn set_validity(&mut self, value: &str, line: usize) -> Result<(), CaseError> {
        match value {
            "now" => {}
            "expired" => self.not_after = START.minus(DAY),
            "not yet" => self.not_before = START.plus(DAY),
            _ => {
                return Err(CaseError::new(
                    line,
                    format!("unknown '{value}'; expected now, expired or not yet"),
                ));
            }
        }
        Ok(())
    }
}

fn trust(value: &str, line: usize) -> Result<Trust, CaseError> {
    match value {
        "trusted" => Ok(Trust::Trusted),
        "untrusted" => Ok(Trust::Untrusted),
        _ => Err(CaseError::new(line, format!("unknown '{value}'; expected trusted or untrusted"))),
    }
}

fn revocation(value: &str, line: usize) -> Result<Revocation, CaseError> {
    match value {
        "no pointer" => Ok(Revocation::NoPointer),
        "unknown" => Ok(Revocation::Unknown),
        "good" => Ok(Revocation::Good),
        "revoked" => Ok(Revocation::Revoked),
        _ => Err(CaseError::new(
            line,
            format!("unknown '{value}'; expected no pointer, unknown, good or revoked"),
        )),
    }
}

fn rejected(value: &str, line: usize) -> Result<Failure, CaseError> {
    const REALM: &str = "https://gateway.test/orders";
    const HEADER: &str = "Ocp-Apim-Subscription-Key";
    match value {
        "operation not found" => Ok(Failure::operation_not_found()),
        "key missing" => Ok(Failure::subscription_key_missing(REALM, HEADER)),
        "key invalid" => Ok(Failure::subscription_key_invalid(REALM, HEADER)),
        _ => {
            let accepted = "operation not found, key missing or key invalid";
            Err(CaseError::new(line, format!("unknown '{value}'; expected {accepted}")))
        }
    }
}

fn parsed<T: std::str::FromStr>(value: &str, line: usize) -> Result<T, CaseError> {
    value.parse().map_err(|_| CaseError::new(line, format!("'{value}' is not a value of this fact")))
}

/// `name = value`.
fn around_equals(text: &str, line: usize) -> Result<(String, String), CaseError> {
    let (name, value) = text
        .split_once(" = ")
        .ok_or_else(|| CaseError::new(line, format!("expected 'name = value', found '{text}'")))?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}

/// `name: value` lines with their line numbers.
pub(super) fn pairs(block: &Block) -> Result<Vec<(usize, String, String)>, CaseError> {
    let lines = block.text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(index, text)| {
            let line = block.line + index + 1;
            let (name, value) = text
                .split_once(':')
                .ok_or_else(|| CaseError::new(line, format!("expected 'name: value', found '{text}'")))?;
            Ok((line, name.trim().to_owned(), value.trim().to_owned()))
        })
        .collect()
}
