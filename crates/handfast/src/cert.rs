//! `handfast cert`: look at certificates, judge chains, and use the instance's CA.

use crate::cli::{CertCommand, CertUsage};
use crate::clock::SystemClock;
use crate::instance::ca_of;
use crate::output::{self, Failure};
use crate::trust;
use handfast_core::{Clock, Severity, UnixTime};
use handfast_net::ServerName;
use handfast_pki::ca::{Request, Usage};
use handfast_pki::path::{Profile, Trust, judge, judge_server_name};
use handfast_pki::pfx::{self, Encryption};
use handfast_pki::{Certificate, Credential, pem};
use serde_json::{Value, json};
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

/// Certificate files larger than this are refused.
const FILE_BYTES_MAX: u64 = 4 << 20;

pub(crate) fn run(command: CertCommand) -> Result<(), Failure> {
    match command {
        CertCommand::Inspect { file, password, json } => inspect(&file, &password, json),
        CertCommand::Verify { file, ca, host, password } => {
            verify(&file, ca.as_deref(), host.as_deref(), &password)
        }
        CertCommand::Ca { state } => {
            output::print(pem::certificate_pem(ca_of(&state)?.root()).trim_end());
            Ok(())
        }
        CertCommand::Issue { state, name, usage, days, pfx, out } => {
            let ca = ca_of(&state)?;
            let request = Request {
                usage: match usage {
                    CertUsage::Server => Usage::Server,
                    CertUsage::Client => Usage::Client,
                    CertUsage::Workload => Usage::Workload,
                },
                lifetime: Duration::from_secs(days.saturating_mul(86_400)),
                ..match usage {
                    CertUsage::Client => Request::client(&name),
                    CertUsage::Server | CertUsage::Workload => Request::server(&name),
                }
            };
            let credential = ca.issue(SystemClock.now(), &request).map_err(Failure::new)?;
            write_credential(&credential, ca.root(), pfx.as_deref(), &out)?;
            output::note(&format!("\"{}\" valid until {}", out.display(), credential.leaf().not_after()));
            Ok(())
        }
    }
}

/// What a file holds.
struct Contents {
    certificates: Vec<Certificate>,
    keys: usize,
    format: &'static str,
}

fn read_contents(file: &Path, password: &str) -> Result<Contents, Failure> {
    let bytes = read(file)?;
    let shown = file.display();
    let looks_like_text = bytes.windows(10).any(|window| window == b"-----BEGIN");
    if looks_like_text {
        let password = Some(password).filter(|password| !password.is_empty());
        let contents =
            pem::read(&bytes, password).map_err(|error| Failure::Message(format!("\"{shown}\": {error}")))?;
        return Ok(Contents {
            certificates: contents.certificates,
            keys: contents.keys.len(),
            format: "PEM",
        });
    }
    if let Ok(certificate) = Certificate::parse(&bytes) {
        return Ok(Contents { certificates: vec![certificate], keys: 0, format: "DER" });
    }
    match pfx::open(&bytes, password) {
        Ok(archive) => {
            Ok(Contents { keys: archive.keys.len(), certificates: archive.certificates, format: "PFX" })
        }
        Err(error) => Err(Failure::Message(format!(
            "\"{shown}\" is no PEM and no DER certificate, and as PFX: {error}"
        ))),
    }
}

fn inspect(file: &Path, password: &str, as_json: bool) -> Result<(), Failure> {
    let contents = read_contents(file, password)?;
    if as_json {
        let certificates: Vec<Value> = contents.certificates.iter().map(describe).collect();
        let value =
            json!({ "format": contents.format, "privateKeys": contents.keys, "certificates": certificates });
        output::print(&serde_json::to_string_pretty(&value).unwrap_or_default());
        return Ok(());
    }
    let count = |number: usize, what: &str| match number {
        0 => format!("no {what}"),
        1 => format!("1 {what}"),
        _ => format!("{number} {what}s"),
    };
    output::print(&format!(
        "{}: {}, {}",
        contents.format,
        count(contents.certificates.len(), "certificate"),
        count(contents.keys, "private key")
    ));
    for certificate in &contents.certificates {
        output::print("");
        for (name, value) in rows(certificate, SystemClock.now()) {
            output::print(&format!("  {name:<11} {value}"));
        }
    }
    Ok(())
}

/// What is worth seeing of a certificate, in the order that people look for it.
fn rows(certificate: &Certificate, now: UnixTime) -> Vec<(&'static str, String)> {
    let role = if certificate.is_ca() { "CA" } else { "leaf" };
    let mut rows =
        vec![("subject", certificate.subject().dotnet()), ("issuer", certificate.issuer().dotnet())];
    if !certificate.dns_names().is_empty() {
        rows.push(("DNS names", certificate.dns_names().join(", ")));
    }
    rows.push(("valid", format!("{} to {}", certificate.not_before(), certificate.not_after())));
    rows.push(("", validity(certificate, now)));
    rows.push(("key", format!("{}, {role}", certificate.public_key().algorithm)));
    rows.push(("serial", certificate.serial_hex()));
    rows.push(("thumbprint", certificate.thumbprint()));
    rows.push(("SHA-256", certificate.thumbprint_sha256()));
    rows
}

fn validity(certificate: &Certificate, now: UnixTime) -> String {
    let (from, to) = (certificate.not_before(), certificate.not_after());
    let days = |seconds: i64| match (seconds / 86_400, seconds / 3_600) {
        (0 | 1, 1) => "1 hour".to_owned(),
        (0 | 1, hours) => format!("{hours} hours"),
        (days, _) => format!("{days} days"),
    };
    if now > to {
        output::paint_severity(Severity::Error, &format!("expired {} ago", days(now.0 - to.0)))
    } else if now < from {
        output::paint_severity(Severity::Error, &format!("not valid for another {}", days(from.0 - now.0)))
    } else {
        output::paint_good(&format!("valid for another {}", days(to.0 - now.0)))
    }
}

fn describe(certificate: &Certificate) -> Value {
    json!({
        "subject": certificate.subject().dotnet(),
        "issuer": certificate.issuer().dotnet(),
        "serial": certificate.serial_hex(),
        "notBefore": certificate.not_before().to_string(),
        "notAfter": certificate.not_after().to_string(),
        "key": certificate.public_key().algorithm.to_string(),
        "dnsNames": certificate.dns_names(),
        "ca": certificate.is_ca(),
        "thumbprint": certificate.thumbprint(),
        "sha256": certificate.thumbprint_sha256(),
    })
}

fn verify(file: &Path, ca: Option<&Path>, host: Option<&str>, password: &str) -> Result<(), Failure> {
    let contents = read_contents(file, password)?;
    let Some((leaf, others)) = contents.certificates.split_first() else {
        return Err(Failure::Message(format!("\"{}\" holds no certificate", file.display())));
    };
    let anchors = match ca {
        Some(ca) => pem::certificates(&read(ca)?)
            .map_err(|error| Failure::Message(format!("\"{}\": {error}", ca.display())))?,
        None => trust::system_roots(),
    };
    let trust = Trust { anchors, ..Trust::default() };
    let profile = if host.is_some() { Profile::Server } else { Profile::ClientEdge };
    let verdict = judge(leaf, others, &trust, profile, SystemClock.now());
    let mut problems = Vec::new();
    if let Err(failure) = &verdict.trust {
        problems.push(failure.to_string());
    }
    if !verdict.not_after_ok {
        problems.push("certificate has expired".to_owned());
    }
    if !verdict.not_before_ok {
        problems.push("certificate is not yet valid".to_owned());
    }
    if let Some(host) = host {
        match ServerName::try_from(host.to_owned()) {
            Ok(name) => {
                problems.extend(judge_server_name(leaf, &name).err().map(|failure| failure.to_string()))
            }
            Err(_) => problems.push(format!("\"{host}\" is no host name and no address")),
        }
    }
    for (depth, certificate) in verdict.path.iter().flatten().enumerate() {
        output::print(&format!("  {depth}  {}", certificate.subject().dotnet()));
    }
    if problems.is_empty() {
        output::print(&output::paint_good("trusted"));
        return Ok(());
    }
    Err(Failure::Message(format!("not trusted: {}", problems.join("; "))))
}

fn write_credential(
    credential: &Credential,
    root: &Certificate,
    password: Option<&str>,
    out: &Path,
) -> Result<(), Failure> {
    let bytes = match password {
        Some(password) => {
            pfx::write(credential, std::slice::from_ref(root), None, password, Encryption::Modern)
                .map_err(Failure::new)?
        }
        None => {
            let text = [pem::chain_pem(credential.chain()), pem::key_pem(credential.key()).expose().clone()]
                .concat();
            handfast_core::Secret::new(text.into_bytes())
        }
    };
    let failed = |error: std::io::Error| Failure::Message(format!("\"{}\": {error}", out.display()));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(out).map_err(failed)?;
    file.write_all(bytes.expose()).map_err(failed)
}

fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    let failed = |error: std::io::Error| Failure::Message(format!("\"{}\": {error}", file.display()));
    let size = std::fs::metadata(file).map_err(failed)?.len();
    if size > FILE_BYTES_MAX {
        return Err(Failure::Message(format!(
            "\"{}\" has {size} bytes; {FILE_BYTES_MAX} are accepted",
            file.display()
        )));
    }
    std::fs::read(file).map_err(failed)
}
