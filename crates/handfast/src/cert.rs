//! `handfast cert`: look at certificates, judge chains, and use the instance's CA.

use crate::cli::{CertCommand, CertUsage};
use crate::clock::SystemClock;
use crate::instance::ca_of;
use crate::output::{self, Failure};
use crate::trust;
use handfast_core::Clock;
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
    let (count, keys) = (contents.certificates.len(), contents.keys);
    output::print(&format!("{}, {count} certificate(s), {keys} private key(s)", contents.format));
    let now = SystemClock.now();
    for certificate in &contents.certificates {
        let state = if now > certificate.not_after() {
            "EXPIRED"
        } else if now < certificate.not_before() {
            "NOT YET VALID"
        } else {
            "valid"
        };
        output::print(&format!("\n  subject     {}", certificate.subject().dotnet()));
        output::print(&format!("  issuer      {}", certificate.issuer().dotnet()));
        output::print(&format!("  serial      {}", certificate.serial_hex()));
        output::print(&format!(
            "  validity    {} to {}, {state}",
            certificate.not_before(),
            certificate.not_after()
        ));
        output::print(&format!("  key         {}", certificate.public_key().algorithm));
        if !certificate.dns_names().is_empty() {
            output::print(&format!("  DNS names   {}", certificate.dns_names().join(", ")));
        }
        output::print(&format!("  CA          {}", if certificate.is_ca() { "yes" } else { "no" }));
        output::print(&format!("  thumbprint  {}", certificate.thumbprint()));
        output::print(&format!("  SHA-256     {}", certificate.thumbprint_sha256()));
    }
    Ok(())
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
    for certificate in verdict.path.iter().flatten() {
        output::print(&format!("  {}", certificate.subject().dotnet()));
    }
    if problems.is_empty() {
        output::print("trusted");
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
