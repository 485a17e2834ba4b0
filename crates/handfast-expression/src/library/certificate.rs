//! `X509Certificate2` and what hangs from it.
//!
//! Whether a certificate is trusted is `handfast-pki`'s verdict over the trust that the host names; without a
//! host that does, nothing is.

use super::crypto::{certificate_key, failed, oid};
use crate::call::Call;
use crate::context::Revocation;
use crate::fault::Fault;
use crate::surface::{PLAIN, Row, TypeDef};
use crate::types::{EnumDef, Prim, Type};
use crate::value::{CertificateValue, Date, Object, Value};
use handfast_core::UnixTime;
use handfast_pki::path::{self, Profile};
use handfast_pki::{Certificate, Credential, KeyAlgorithm, Name};
use std::fmt::Write as _;
use std::sync::Arc;

pub(super) static NAME_TYPE: EnumDef = EnumDef {
    name: "X509NameType",
    namespace: "System.Security.Cryptography.X509Certificates",
    flags: false,
    members: &[
        ("SimpleName", 0),
        ("EmailName", 1),
        ("UpnName", 2),
        ("DnsName", 3),
        ("DnsFromAlternativeName", 4),
        ("UrlName", 5),
    ],
};

pub(super) static CONTENT_TYPE: EnumDef = EnumDef {
    name: "X509ContentType",
    namespace: "System.Security.Cryptography.X509Certificates",
    flags: false,
    members: &[
        ("Unknown", 0),
        ("Cert", 1),
        ("SerializedCert", 2),
        ("Pfx", 3),
        ("Pkcs12", 3),
        ("SerializedStore", 4),
        ("Pkcs7", 5),
        ("Authenticode", 6),
    ],
};

fn held(call: &Call<'_>, at: usize) -> Result<Arc<Object>, Fault> {
    let object = call.object(at)?;
    match &*object {
        Object::Certificate(_) => Ok(object),
        _ => Err(call.missing(at)),
    }
}

fn with<T>(call: &Call<'_>, body: impl FnOnce(&CertificateValue) -> T) -> Result<T, Fault> {
    let object = held(call, 0)?;
    match &*object {
        Object::Certificate(held) => Ok(body(held)),
        _ => Err(call.missing(0)),
    }
}

/// From DER, PEM or PFX bytes; a file name is not accepted.
fn create(call: &mut Call<'_>) -> Result<Value, Fault> {
    let bytes = call.bytes(0)?;
    call.allocate(bytes.len().saturating_mul(4))?;
    let password = if call.count() > 1 { call.arg(1).as_str().unwrap_or("") } else { "" };
    if let Ok(certificate) = Certificate::parse(&bytes) {
        return Ok(Value::certificate(certificate, None, Vec::new()));
    }
    if let Ok(certificates) = handfast_pki::pem::certificates(&bytes)
        && let Some(first) = certificates.first()
    {
        return Ok(Value::certificate(first.clone(), None, Vec::new()));
    }
    match Credential::from_pfx(&bytes, password) {
        Ok(found) => {
            let chain = found.chain().to_vec();
            Ok(Value::certificate(found.leaf().clone(), Some(found.key().clone()), chain))
        }
        Err(error) if error.code().contains("Password") => {
            Err(failed("The specified network password is not correct."))
        }
        Err(_) => Err(failed("Cannot find the requested object.")),
    }
}

fn date(time: UnixTime) -> Value {
    let ticks = time.0.saturating_mul(super::time::SECOND);
    Value::Date(Date { ticks: ticks.saturating_add(super::time::UNIX_EPOCH), kind: 2 })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut out, byte| {
        let _ = write!(out, "{byte:02X}");
        out
    })
}

fn unhex(text: &str) -> Vec<u8> {
    text.as_bytes()
        .chunks(2)
        .filter_map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect()
}

fn key_oid(algorithm: &KeyAlgorithm) -> (&str, &'static str) {
    match algorithm {
        KeyAlgorithm::Rsa(_) => ("1.2.840.113549.1.1.1", "RSA"),
        KeyAlgorithm::Ed25519 => ("1.3.101.112", "Ed25519"),
        KeyAlgorithm::Other(oid) => (oid, ""),
        _ => ("1.2.840.10045.2.1", "ECC"),
    }
}

fn text_part(call: &mut Call<'_>) -> Result<Value, Fault> {
    let name = call.member.name.as_str();
    with(call, |held| {
        let certificate = &held.certificate;
        Value::str(match name {
            "Thumbprint" | "GetCertHashString" => certificate.thumbprint(),
            "SerialNumber" | "GetSerialNumberString" => certificate.serial_hex(),
            "Subject" | "GetName" => certificate.subject().dotnet(),
            "Issuer" | "GetIssuerName" => certificate.issuer().dotnet(),
            "GetExpirationDateString" => date(certificate.not_after()).to_text(),
            "GetEffectiveDateString" => date(certificate.not_before()).to_text(),
            "GetKeyAlgorithm" => key_oid(&certificate.public_key().algorithm).0.to_owned(),
            "GetPublicKeyString" => hex(&certificate.public_key().bits),
            "GetRawCertDataString" => hex(certificate.der()),
            "GetFormat" => "X509".to_owned(),
            _ => String::new(),
        })
    })
}

fn part(call: &mut Call<'_>) -> Result<Value, Fault> {
    let name = call.member.name.as_str();
    with(call, |held| {
        let certificate = &held.certificate;
        let named =
            |name: &Name| Value::record("X500DistinguishedName", vec![("Name", Value::str(name.dotnet()))]);
        match name {
            "NotBefore" => date(certificate.not_before()),
            "NotAfter" => date(certificate.not_after()),
            "Version" => Value::int(certificate.version().into()),
            "HasPrivateKey" => Value::Bool(held.key.is_some()),
            "RawData" | "GetRawCertData" => Value::bytes(certificate.der().to_vec()),
            "GetCertHash" => Value::bytes(unhex(&certificate.thumbprint())),
            "GetSerialNumber" => {
                let mut bytes = unhex(&certificate.serial_hex());
                bytes.reverse();
                Value::bytes(bytes)
            }
            "GetPublicKey" => Value::bytes(certificate.public_key().bits.clone()),
            "SubjectName" => named(certificate.subject()),
            "IssuerName" => named(certificate.issuer()),
            "SignatureAlgorithm" => {
                oid(&certificate.signature_algorithm(), &certificate.signature_algorithm_name())
            }
            "PublicKey" => {
                let (id, friendly) = key_oid(&certificate.public_key().algorithm);
                Value::record(
                    "PublicKey",
                    vec![("Oid", oid(id, friendly)), ("Certificate", call.arg(0).clone())],
                )
            }
            _ => Value::array(
                Type::class("X509Extension"),
                certificate
                    .extensions()
                    .map(|(id, critical, value)| {
                        Value::record(
                            "X509Extension",
                            vec![
                                ("Oid", oid(id, "")),
                                ("Critical", Value::Bool(critical)),
                                ("RawData", Value::bytes(value.to_vec())),
                            ],
                        )
                    })
                    .collect(),
            ),
        }
    })
}

/// `PublicKey.Key`: the key itself.
fn public_key(call: &mut Call<'_>) -> Result<Value, Fault> {
    let certificate = super::context::named(call.arg(0), "Certificate");
    match &certificate {
        Value::Object(object) => match &**object {
            Object::Certificate(held) => {
                Ok(super::crypto::rsa_value(Some(held.certificate.public_key().clone()), None))
            }
            _ => Ok(Value::Null),
        },
        _ => Ok(Value::Null),
    }
}

/// The text of the first attribute with one of the identifiers, in their order.
fn attribute(name: &Name, oids: &[&str]) -> Option<String> {
    oids.iter().find_map(|oid| name.attributes().find(|found| found.oid == *oid)?.text())
}

const EMAIL: &str = "1.2.840.113549.1.9.1";

fn name_info(certificate: &Certificate, kind: i64, for_issuer: bool) -> String {
    let name = if for_issuer { certificate.issuer() } else { certificate.subject() };
    let alternative = certificate.subject_alt_names().filter(|_| !for_issuer);
    let dns = alternative.and_then(|names| names.dns.first().cloned());
    let email = alternative.and_then(|names| names.email.first().cloned());
    let found = match kind {
        0 => attribute(name, &["2.5.4.3", "2.5.4.11", "2.5.4.10", EMAIL]).or(email).or(dns),
        1 => email.or_else(|| attribute(name, &[EMAIL])),
        2 => None,
        3 => dns.or_else(|| attribute(name, &["2.5.4.3"])),
        4 => dns,
        _ => alternative.and_then(|names| names.uri.first().cloned()),
    };
    found.unwrap_or_default()
}

fn get_name_info(call: &mut Call<'_>) -> Result<Value, Fault> {
    let (kind, for_issuer) = (call.int(1)?, call.truth(2));
    with(call, |held| Value::str(name_info(&held.certificate, kind, for_issuer)))
}

fn export(call: &mut Call<'_>) -> Result<Value, Fault> {
    match call.int(1)? {
        1 => with(call, |held| Value::bytes(held.certificate.der().to_vec())),
        _ => Err(failed("Only X509ContentType.Cert is exported.")),
    }
}

fn equals(call: &mut Call<'_>) -> Result<Value, Fault> {
    let other = held(call, 1).ok();
    with(call, |mine| match other.as_deref() {
        Some(Object::Certificate(other)) => Value::Bool(mine.certificate.der() == other.certificate.der()),
        _ => Value::Bool(false),
    })
}

/// `Verify()` and `VerifyNoRevocation()`: a chain to what the host trusts, now.
fn verify(call: &mut Call<'_>) -> Result<Value, Fault> {
    let object = held(call, 0)?;
    let Object::Certificate(held) = &*object else { return Err(call.missing(0)) };
    let Some(trust) = call.host.trust() else { return Ok(Value::Bool(false)) };
    let seconds = (call.host.now_ticks() - super::time::UNIX_EPOCH) / super::time::SECOND;
    let now = UnixTime(seconds);
    let verdict = path::judge(&held.certificate, &held.chain, &trust, Profile::ClientPolicy, now);
    if !verdict.is_accepted() {
        return Ok(Value::Bool(false));
    }
    if call.member.name == "VerifyNoRevocation" {
        return Ok(Value::Bool(true));
    }
    Ok(Value::Bool(call.host.revocation(verdict.path.as_deref().unwrap_or(&[])) == Revocation::Good))
}

// === Text ===

fn block(out: &mut String, title: &str, lines: &[String]) {
    let _ = writeln!(out, "[{title}]");
    for line in lines {
        let _ = writeln!(out, "  {line}");
    }
    out.push('\n');
}

/// `ToString()`: the short form.
pub(crate) fn short(certificate: &Certificate) -> String {
    let mut out = String::new();
    block(&mut out, "Subject", &[certificate.subject().dotnet()]);
    block(&mut out, "Issuer", &[certificate.issuer().dotnet()]);
    block(&mut out, "Serial Number", &[certificate.serial_hex()]);
    block(&mut out, "Not Before", &[date(certificate.not_before()).to_text()]);
    block(&mut out, "Not After", &[date(certificate.not_after()).to_text()]);
    block(&mut out, "Thumbprint", &[certificate.thumbprint()]);
    out
}

/// `ToString(true)`.
fn long(certificate: &Certificate) -> String {
    let mut out = String::new();
    let names = |for_issuer: bool, full: String| {
        let mut lines = vec![full];
        for (label, kind) in [("Simple Name", 0), ("Email Name", 1), ("UPN Name", 2), ("DNS Name", 3)] {
            let name = name_info(certificate, kind, for_issuer);
            if !name.is_empty() {
                lines.push(format!("{label}: {name}"));
            }
        }
        lines
    };
    let spaced = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ");
    let key = certificate.public_key();
    let (id, friendly) = key_oid(&key.algorithm);
    block(&mut out, "Version", &[format!("V{}", certificate.version())]);
    block(&mut out, "Subject", &names(false, certificate.subject().dotnet()));
    block(&mut out, "Issuer", &names(true, certificate.issuer().dotnet()));
    block(&mut out, "Serial Number", &[certificate.serial_hex()]);
    block(&mut out, "Not Before", &[date(certificate.not_before()).to_text()]);
    block(&mut out, "Not After", &[date(certificate.not_after()).to_text()]);
    block(&mut out, "Thumbprint", &[certificate.thumbprint()]);
    let (name, number) = (certificate.signature_algorithm_name(), certificate.signature_algorithm());
    block(&mut out, "Signature Algorithm", &[format!("{name}({number})")]);
    let mut lines = vec![format!("Algorithm: {}", if friendly.is_empty() { id } else { friendly })];
    if let KeyAlgorithm::Rsa(bits) = key.algorithm {
        lines.push(format!("Length: {bits}"));
    }
    lines.push(format!("Key Blob: {}", spaced(&key.bits)));
    block(&mut out, "Public Key", &lines);
    let extensions: Vec<_> = certificate
        .extensions()
        .map(|(id, _, value)| format!("* {id}({}): {}", value.len(), spaced(value)))
        .collect();
    if !extensions.is_empty() {
        block(&mut out, "Extensions", &extensions);
    }
    out
}

fn text(call: &mut Call<'_>) -> Result<Value, Fault> {
    let verbose = call.truth(1);
    let text = with(call, |held| if verbose { long(&held.certificate) } else { short(&held.certificate) })?;
    call.allocate(text.len())?;
    Ok(Value::str(text))
}

fn hash(call: &mut Call<'_>) -> Result<Value, Fault> {
    let bytes = with(call, |held| unhex(&held.certificate.thumbprint()))?;
    let first = bytes.iter().take(4).fold(0i32, |sum, byte| sum << 8 | i32::from(*byte));
    Ok(Value::Int(Prim::Int, first.into()))
}

const SPACE: TypeDef = TypeDef { namespace: "System.Security.Cryptography.X509Certificates", ..PLAIN };

pub(super) const TYPES: &[TypeDef] = &[
    TypeDef {
        name: "X509Certificate",
        rows: &[
            Row(
                "string Subject; string Issuer; string GetName(); string GetIssuerName(); string GetCertHashString(); string GetSerialNumberString(); string GetExpirationDateString(); string GetEffectiveDateString(); string GetKeyAlgorithm(); string GetPublicKeyString(); string GetRawCertDataString(); string GetFormat()",
                text_part,
            ),
            Row(
                "byte[] GetRawCertData(); byte[] GetCertHash(); byte[] GetSerialNumber(); byte[] GetPublicKey()",
                part,
            ),
            Row("byte[] Export(X509ContentType contentType)", export),
            Row("string ToString(); string ToString(bool fVerbose)", text),
            Row("bool Equals(X509Certificate other); bool Equals(object obj)", equals),
            Row("int GetHashCode()", hash),
        ],
        ..SPACE
    },
    TypeDef {
        name: "X509Certificate2",
        bases: &["X509Certificate"],
        rows: &[
            Row("new(byte[] rawData); new(byte[] rawData, string password)", create),
            Row("string Thumbprint; string SerialNumber; string FriendlyName", text_part),
            Row(
                "DateTime NotBefore; DateTime NotAfter; int Version; bool HasPrivateKey; byte[] RawData; X500DistinguishedName SubjectName; X500DistinguishedName IssuerName; Oid SignatureAlgorithm; PublicKey PublicKey; X509Extension[] Extensions",
                part,
            ),
            Row("string GetNameInfo(X509NameType nameType, bool forIssuer)", get_name_info),
            Row("bool Verify()", verify),
        ],
        ..SPACE
    },
    TypeDef { name: "X500DistinguishedName", rows: &[Row("string Name", super::context::field)], ..SPACE },
    TypeDef {
        name: "X509Extension",
        lenient: true,
        rows: &[Row("Oid Oid; bool Critical; byte[] RawData", super::context::field)],
        ..SPACE
    },
    TypeDef {
        name: "PublicKey",
        rows: &[Row("Oid Oid", super::context::field), Row("AsymmetricAlgorithm Key", public_key)],
        ..SPACE
    },
    TypeDef {
        name: "RSACertificateExtensions",
        rows: &[Row(
            "static RSA GetRSAPublicKey(this X509Certificate2 certificate); static RSA GetRSAPrivateKey(this X509Certificate2 certificate)",
            certificate_key,
        )],
        ..SPACE
    },
    TypeDef {
        name: "CertificateExtensions",
        rows: &[Row("static bool VerifyNoRevocation(this X509Certificate2 certificate)", verify)],
        ..PLAIN
    },
];
