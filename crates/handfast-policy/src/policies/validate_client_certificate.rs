//! `validate-client-certificate`: judges the certificate of the connection (policies 5.2, vault 3.9).
//!
//! The order is presence, validity dates, trust, revocation, identities. The chain's verdicts are the host's.
//! A certificate without a revocation pointer passes with a warning in the trace; one with a pointer and no
//! fresh answer is refused.

use super::{Policy, read};
use crate::certificate::{ClientCertificate, Revocation, Trust};
use crate::compile::{Compiler, Parts};
use crate::failure::Failure;
use crate::machine::step::{At, Flow, Ran, Step};
use crate::schema::{AttributeSchema, Content, ElementSchema, Kind, Particle};
use crate::tree::Element;
use handfast_core::UnixTime;

static IDENTITY: ElementSchema = ElementSchema {
    attributes: &[
        AttributeSchema::new("thumbprint", Kind::Name).literal(),
        AttributeSchema::new("serial-number", Kind::Name).literal(),
        AttributeSchema::new("common-name", Kind::Name).literal(),
        AttributeSchema::new("subject", Kind::Name).literal(),
        AttributeSchema::new("dns-name", Kind::Name).literal(),
        AttributeSchema::new("issuer-subject", Kind::Name).literal(),
        AttributeSchema::new("issuer-thumbprint", Kind::Name).literal(),
        AttributeSchema::new("issuer-certificate-id", Kind::Name).literal(),
    ],
    content: Content::Empty,
};

static IDENTITIES: ElementSchema = ElementSchema {
    attributes: &[],
    content: Content::Sequence(&[Particle { name: "identity", min: 1, max: 10, element: &IDENTITY }]),
};

static SCHEMA: ElementSchema = ElementSchema {
    attributes: &[
        AttributeSchema::new("validate-revocation", Kind::Boolean).literal(),
        AttributeSchema::new("validate-trust", Kind::Boolean).literal(),
        AttributeSchema::new("validate-not-before", Kind::Boolean).literal(),
        AttributeSchema::new("validate-not-after", Kind::Boolean).literal(),
        AttributeSchema::new("ignore-error", Kind::Boolean).literal(),
    ],
    content: Content::Sequence(&[Particle::optional("identities", &IDENTITIES)]),
};

pub(crate) static POLICY: Policy = Policy { name: "validate-client-certificate", schema: &SCHEMA, compile };

#[derive(Debug)]
struct ValidateClientCertificate {
    revocation: bool,
    trust: bool,
    not_before: bool,
    not_after: bool,
    ignore_error: bool,
    identities: Vec<Vec<Claim>>,
}

/// One attribute of an identity.
#[derive(Debug)]
enum Claim {
    Thumbprint(String),
    SerialNumber(String),
    CommonName(String),
    Subject(String),
    DnsName(String),
    IssuerSubject(String),
    IssuerThumbprint(String),
}

fn compile(element: &Element, compiler: &mut Compiler<'_>) -> Option<Parts> {
    let mut identities = Vec::new();
    for identity in element.named("identities").flat_map(|identities| identities.named("identity")) {
        identities.push(claims(identity, compiler)?);
    }
    Parts::leaf(ValidateClientCertificate {
        revocation: read::boolean(element, "validate-revocation", true),
        trust: read::boolean(element, "validate-trust", true),
        not_before: read::boolean(element, "validate-not-before", true),
        not_after: read::boolean(element, "validate-not-after", true),
        ignore_error: read::boolean(element, "ignore-error", false),
        identities,
    })
}

fn claims(identity: &Element, compiler: &mut Compiler<'_>) -> Option<Vec<Claim>> {
    let mut claims = Vec::new();
    for attribute in &identity.attributes {
        let value = attribute.value.text();
        claims.push(match attribute.name.as_str() {
            "thumbprint" => Claim::Thumbprint(hex_digits(value)),
            "serial-number" => Claim::SerialNumber(serial(value)),
            "common-name" => Claim::CommonName(value.to_owned()),
            "subject" => Claim::Subject(value.to_owned()),
            "dns-name" => Claim::DnsName(value.to_owned()),
            "issuer-subject" => Claim::IssuerSubject(value.to_owned()),
            "issuer-thumbprint" => Claim::IssuerThumbprint(hex_digits(value)),
            _ => match (compiler.options.certificate_thumbprint)(value) {
                Some(print) => Claim::IssuerThumbprint(hex_digits(&print)),
                None => {
                    compiler.refuse(identity, format!("Certificate with id '{value}' could not be found."));
                    return None;
                }
            },
        });
    }
    let names = |name: &str| identity.attribute(name).is_some();
    if names("issuer-certificate-id") && (names("issuer-subject") || names("issuer-thumbprint")) {
        let text = "The attribute 'issuer-certificate-id' excludes 'issuer-subject' and 'issuer-thumbprint'";
        compiler.refuse(identity, text);
        return None;
    }
    if claims.is_empty() {
        compiler.refuse(identity, "An identity needs at least one attribute");
        return None;
    }
    Some(claims)
}

impl Claim {
    fn holds(&self, certificate: &ClientCertificate) -> bool {
        match self {
            Self::Thumbprint(wanted) => hex_digits(&certificate.thumbprint) == *wanted,
            Self::SerialNumber(wanted) => serial(&certificate.serial) == *wanted,
            Self::CommonName(wanted) => certificate.common_name.as_ref() == Some(wanted),
            Self::Subject(wanted) => certificate.subject == *wanted,
            Self::DnsName(wanted) => {
                certificate.dns_names.iter().any(|name| name.eq_ignore_ascii_case(wanted))
            }
            Self::IssuerSubject(wanted) => certificate.issuer == *wanted,
            Self::IssuerThumbprint(wanted) => {
                certificate.issuer_thumbprint.as_deref().is_some_and(|print| hex_digits(print) == *wanted)
            }
        }
    }
}

/// Hex digits in upper case, without colons, blanks and the invisible marks that certificate dialogs add.
fn hex_digits(text: &str) -> String {
    text.chars().filter(char::is_ascii_hexdigit).map(|digit| digit.to_ascii_uppercase()).collect()
}

/// A serial number for comparing: hex digits without leading zeros.
fn serial(text: &str) -> String {
    hex_digits(text).trim_start_matches('0').to_owned()
}

impl ValidateClientCertificate {
    /// The reason and message of the first check that fails.
    fn objection(
        &self,
        certificate: Option<&ClientCertificate>,
        now: UnixTime,
    ) -> Option<(&'static str, &'static str)> {
        let Some(certificate) = certificate else {
            return Some(("ClientCertificateNotFound", "Client certificate is missing."));
        };
        if self.not_before && now < certificate.not_before {
            return Some(("ClientCertificateNotYetValid", "Certificate is not valid yet."));
        }
        if self.not_after && now > certificate.not_after {
            return Some(("ClientCertificateExpired", "Certificate has expired."));
        }
        if self.trust && certificate.trust != Trust::Trusted {
            let message = "A certificate chain could not be built to a trusted root authority.";
            return Some(("ClientCertificateNotTrusted", message));
        }
        match certificate.revocation {
            Revocation::Revoked if self.revocation => {
                return Some(("ClientCertificateRevoked", "Certificate has been revoked."));
            }
            Revocation::Unknown if self.revocation => {
                let message = "The revocation status of the certificate could not be established.";
                return Some(("ClientCertificateRevoked", message));
            }
            _ => {}
        }
        let matched = self.identities.is_empty()
            || self.identities.iter().any(|claims| claims.iter().all(|claim| claim.holds(certificate)));
        let message = "Certificate does not match any of allowed identities.";
        (!matched).then_some(("ClientCertificateIdentityNotMatched", message))
    }
}

impl Step for ValidateClientCertificate {
    fn run(&self, at: &mut At<'_>) -> Ran {
        let certificate = at.context.certificate.clone();
        if let Some((reason, message)) = self.objection(certificate.as_deref(), at.now) {
            if self.ignore_error {
                at.note(|| format!("{reason} ignored: {message}"));
                return Ok(Flow::Next);
            }
            let body = if certificate.is_some() {
                "Invalid client certificate"
            } else {
                "Client certificate missing"
            };
            return Err(Failure::denied(401, reason, message, body).into());
        }
        let unchecked = self.revocation
            && certificate.is_some_and(|certificate| certificate.revocation == Revocation::NoPointer);
        at.note(|| match unchecked {
            true => "client certificate accepted; warning: it names no revocation list or responder",
            false => "client certificate accepted",
        });
        Ok(Flow::Next)
    }
}
