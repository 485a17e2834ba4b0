//! Certificates of a service: custom hosts, clients towards backends, and the roots that it trusts.

use super::Task;
use base64::Engine;
use handfast_core::Secret;
use handfast_model::View;
use handfast_net::tls::TrustSet;
use handfast_pki::{Certificate, Credential, PfxError, pem, pfx};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A code and a reason.
pub(super) type Refused = (&'static str, String);

/// Reads a certificate with its key from the members of a view: base64 PFX with password, or a vault secret.
pub(super) fn credential(
    task: &Task<'_>,
    view: &View<'_>,
    (data, password): (&str, &str),
    vault: Option<&str>,
) -> Result<Arc<Credential>, Refused> {
    if let Some(url) = vault.filter(|url| !url.is_empty()) {
        let Some((_, secret)) = task.material.vault(url) else {
            return Err(("KeyVaultSecretUnreadable", format!("vault secret \"{url}\" cannot be read")));
        };
        return from_vault(secret);
    }
    let secret = |field: &str| view.secret(field).and_then(|reference| task.material.get(&reference));
    let Some(data) = secret(data) else {
        return Err(("MissingProperty", format!("\"{data}\" or a key vault reference is needed")));
    };
    let password = secret(password).map(|password| String::from_utf8_lossy(password.expose()).into_owned());
    let bytes = base64_bytes(data.expose())
        .ok_or_else(|| ("InvalidCertificate", "the certificate is not base64".to_owned()))?;
    from_pfx(&bytes, password.as_deref().unwrap_or_default())
}

fn from_pfx(bytes: &[u8], password: &str) -> Result<Arc<Credential>, Refused> {
    let credential = Credential::from_pfx(bytes, password).map_err(|error| {
        let code = match error {
            PfxError::WrongPassword => "InvalidCertificatePassword",
            _ => "InvalidCertificate",
        };
        (code, error.to_string())
    })?;
    usable(credential)
}

fn usable(credential: Credential) -> Result<Arc<Credential>, Refused> {
    if credential.usable_for_tls() {
        return Ok(Arc::new(credential));
    }
    let accepted = "the key cannot be used for TLS; RSA from 2048 bits, P-256, P-384, P-521 and Ed25519 can";
    Err(("KeyTypeNotUsableForTls", accepted.to_owned()))
}

/// A vault secret: base64 PFX without password, or PEM.
fn from_vault(secret: &Secret<Vec<u8>>) -> Result<Arc<Credential>, Refused> {
    let bytes = secret.expose();
    if bytes.windows(11).any(|window| window == b"-----BEGIN ") {
        let read = Credential::from_pem(bytes, None).map_err(|error| (error.code(), error.to_string()))?;
        return usable(read);
    }
    match base64_bytes(bytes) {
        Some(decoded) => from_pfx(&decoded, ""),
        None => from_pfx(bytes, ""),
    }
}

fn base64_bytes(text: &[u8]) -> Option<Vec<u8>> {
    let text: Vec<u8> = text.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
    base64::engine::general_purpose::STANDARD.decode(&text).ok()
}

/// The certificates of a service by lower-case name.
#[derive(Default)]
pub(super) struct Certificates {
    /// Those with a key: client certificates.
    pub(super) credentials: BTreeMap<String, Arc<Credential>>,
    /// Those read from their document, with its revision.
    pub(super) revisions: BTreeMap<String, u64>,
    /// Those without a key.
    pub(super) bare: BTreeMap<String, Certificate>,
    /// SHA-1 thumbprints, also of those without a key.
    pub(super) thumbprints: BTreeMap<String, String>,
}

/// Reads what is not known from the same revision of its document. Vault secrets are read each time: they
/// have revisions of their own.
pub(super) fn certificates(task: &Task<'_>) -> Certificates {
    let mut all = Certificates::default();
    task.each_child("certificates", |resource, root| {
        let properties = root.field("properties");
        let name = resource.name().to_lowercase();
        let vault = properties.field("keyVault").str("secretIdentifier");
        let kept = task.previous.and_then(|previous| {
            let known = *previous.credential_revisions.get(&name)? == resource.revision;
            previous.credentials.get(&name).filter(|_| known)
        });
        let read = match kept {
            Some(kept) => Ok(kept.clone()),
            None => {
                task.count(|work| work.certificates += 1);
                credential(task, &properties, ("data", "password"), vault)
            }
        };
        match read {
            Ok(read) => {
                all.thumbprints.insert(name.clone(), read.leaf().thumbprint());
                if vault.is_none_or(str::is_empty) {
                    all.revisions.insert(name.clone(), resource.revision);
                }
                all.credentials.insert(name, read);
            }
            Err((code, reason)) => match bare(task, &properties) {
                // Legal, and of no use towards backends.
                Some(certificate) => {
                    all.thumbprints.insert(name.clone(), certificate.thumbprint());
                    all.bare.insert(name, certificate);
                }
                None => {
                    properties.error(code, format!("certificate \"{}\": {reason}", resource.name()));
                    if let Some(last_good) = task.previous.and_then(|p| p.credentials.get(&name)) {
                        all.thumbprints.insert(name.clone(), last_good.leaf().thumbprint());
                        all.credentials.insert(name, last_good.clone());
                    }
                }
            },
        }
    });
    all
}

/// A certificate without a key.
fn bare(task: &Task<'_>, properties: &View<'_>) -> Option<Certificate> {
    let data = properties.secret("data").and_then(|reference| task.material.get(&reference))?;
    pem::certificates(data.expose()).ok()?.into_iter().next()
}

/// What client certificates are judged with, and what backends are.
pub(super) fn trust(task: &Task<'_>, properties: &View<'_>) -> (Arc<TrustSet>, Arc<TrustSet>) {
    let (mut anchors, mut intermediates) = (Vec::new(), Vec::new());
    for view in properties.array("certificates") {
        let store = view.one_of("storeName", &[("Root", true), ("CertificateAuthority", false)]);
        let Some(text) = view.require_str("encodedCertificate") else { continue };
        let password = view.secret("certificatePassword").and_then(|reference| task.material.get(&reference));
        match read_authority(text, password) {
            Ok(certificates) if store == Some(true) => anchors.extend(certificates),
            Ok(certificates) => intermediates.extend(certificates),
            Err((code, reason)) => view.any("encodedCertificate").error(code, reason),
        }
    }
    let default = task.env.default_trust.trust();
    let all = default.anchors.iter().cloned().chain(anchors.iter().cloned()).collect();
    let backend_intermediates =
        default.extra_intermediates.iter().cloned().chain(intermediates.iter().cloned()).collect();
    let backends = TrustSet::new(all, backend_intermediates);
    (Arc::new(TrustSet::new(anchors, intermediates)), Arc::new(backends))
}

/// Base64 of DER or of a PFX.
fn read_authority(text: &str, password: Option<&Secret<Vec<u8>>>) -> Result<Vec<Certificate>, Refused> {
    let error = match pem::certificates(text.as_bytes()) {
        Ok(certificates) => return Ok(certificates),
        Err(error) => error,
    };
    let password = password.map(|password| String::from_utf8_lossy(password.expose()).into_owned());
    let archive = base64_bytes(text.as_bytes())
        .and_then(|bytes| pfx::open(&bytes, password.as_deref().unwrap_or_default()).ok());
    archive.map(|archive| archive.certificates).ok_or_else(|| (error.code(), error.to_string()))
}
