//! The certificate authority of one installation.
//!
//! A root (P-384, 20 years) signs an issuing intermediate (P-256, 5 years, path length 0), which signs leaves:
//! servers, clients, workloads. Serial numbers are 16 random bytes; validity begins ten minutes early against
//! clock skew and never ends after the issuer's. The intermediate carries the installation's domain as a name
//! constraint, so that a stolen issuing key is worth nothing elsewhere.
//!
//! *Not* here: revocation lists, ACME, storage. [`InstanceCa::to_pem`] gives the secret text that the store
//! seals; the sizes and lifetimes are those of the vault specification, §3.14.

use crate::certificate::{Certificate, CertificateError, GeneralName};
use crate::credential::{Credential, CredentialError};
use crate::pem::{self, PemError};
use crate::private_key::{KeyError, NewKey, PrivateKey};
use handfast_core::{Secret, UnixTime};
use std::net::IpAddr;
use std::time::Duration;

mod template;

use template::{Kind, Template};

const DAY: Duration = Duration::from_secs(86_400);
/// Lifetime of the root.
const ROOT_LIFETIME: Duration = Duration::from_secs(20 * 365 * 86_400);
/// Lifetime of the issuing intermediate.
const INTERMEDIATE_LIFETIME: Duration = Duration::from_secs(5 * 365 * 86_400);
/// How long before its issue a certificate is already valid.
const BACKDATE: Duration = Duration::from_secs(600);

/// Lifetime of server certificates.
pub const SERVER_LIFETIME: Duration = Duration::from_secs(90 * 86_400);
/// Lifetime of workload certificates.
pub const WORKLOAD_LIFETIME: Duration = DAY;

/// Why the authority cannot do what was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CaError {
    /// The random source or a key failed.
    #[error("a key or signature could not be made: {0}")]
    Key(#[from] KeyError),
    /// The authority's own certificates are not valid now.
    #[error("the issuing certificate is valid from {from} to {until}, not at {now}")]
    IssuerNotValid {
        /// Begin of the issuer's validity.
        from: UnixTime,
        /// End of the issuer's validity.
        until: UnixTime,
        /// The time of the request.
        now: UnixTime,
    },
    /// A name outside the domain that the authority may issue for.
    #[error("the name \"{name}\" is not below \"{domain}\", the domain of this authority")]
    NameNotAllowed {
        /// The name.
        name: String,
        /// The domain.
        domain: String,
    },
    /// A name that cannot stand in a certificate.
    #[error("\"{0}\" is not a name that can be certified: use 1 to 253 printable ASCII characters")]
    BadName(String),
    /// Stored text that is not an authority.
    #[error("the stored authority cannot be read: {0}")]
    Stored(#[from] PemError),
    /// Stored text whose parts do not belong together.
    #[error("the stored authority is incomplete: {0}")]
    Incomplete(&'static str),
    /// A certificate that was just made cannot be read back.
    #[error("the new certificate is unreadable: {0}")]
    Unreadable(#[from] CertificateError),
    /// A certificate that was just made does not fit its key.
    #[error(transparent)]
    Credential(#[from] CredentialError),
}

impl CaError {
    /// A stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Key(source) => source.code(),
            Self::IssuerNotValid { .. } => "CaIssuerNotValid",
            Self::NameNotAllowed { .. } => "CaNameNotAllowed",
            Self::BadName(_) => "CaBadName",
            Self::Stored(source) => source.code(),
            Self::Incomplete(_) => "CaIncomplete",
            Self::Unreadable(source) => source.code(),
            Self::Credential(source) => source.code(),
        }
    }
}

/// What a leaf may be used for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Usage {
    /// TLS server.
    #[default]
    Server,
    /// TLS client.
    Client,
    /// Both: hops and workloads.
    Workload,
}

/// A leaf to issue.
#[derive(Clone, Debug)]
pub struct Request {
    /// Common name of the subject.
    pub common_name: String,
    /// dNSName alternative names; they must lie below the authority's domains.
    pub dns_names: Vec<String>,
    /// iPAddress alternative names.
    pub ip_addresses: Vec<IpAddr>,
    /// URI alternative names, such as `spiffe://…`.
    pub uris: Vec<String>,
    /// Purpose.
    pub usage: Usage,
    /// Lifetime from now; cut at the issuer's end.
    pub lifetime: Duration,
    /// Kind of the new key.
    pub key: NewKey,
}

impl Request {
    /// A server certificate for one host: P-256, 90 days.
    pub fn server(host: &str) -> Self {
        Self {
            common_name: host.to_owned(),
            dns_names: vec![host.to_owned()],
            ip_addresses: Vec::new(),
            uris: Vec::new(),
            usage: Usage::Server,
            lifetime: SERVER_LIFETIME,
            key: NewKey::P256,
        }
    }

    /// A client certificate with nothing but a common name: P-256, 90 days.
    pub fn client(common_name: &str) -> Self {
        Self { dns_names: Vec::new(), usage: Usage::Client, ..Self::server(common_name) }
    }

    /// A workload certificate for both sides of a hop: P-256, one day.
    pub fn workload(host: &str) -> Self {
        Self { usage: Usage::Workload, lifetime: WORKLOAD_LIFETIME, ..Self::server(host) }
    }
}

/// Root and issuing intermediate with their keys.
#[derive(Clone, Debug)]
pub struct InstanceCa {
    root: Certificate,
    root_key: Option<PrivateKey>,
    intermediate: Certificate,
    intermediate_key: PrivateKey,
}

// === impl InstanceCa ===

impl InstanceCa {
    /// Makes a new authority for a domain and what lies below it. `localhost`, its sub-domains and loopback
    /// addresses may always be certified.
    pub fn create(now: UnixTime, domain: &str) -> Result<Self, CaError> {
        Self::create_for(now, domain, &[domain, "localhost"])
    }

    /// Makes a new authority, named after `name`, for the given domains and what lies below them. Without any
    /// domain it may certify every name: the vault's issuer needs that when it serves custom host names.
    pub fn create_for(now: UnixTime, name: &str, domains: &[&str]) -> Result<Self, CaError> {
        std::iter::once(&name).chain(domains).try_for_each(|domain| check_dns_name(domain))?;
        let not_before = now.minus(BACKDATE);
        let root_key = PrivateKey::generate(NewKey::P384)?;
        let root = Template {
            subject: &format!("Handfast root {name}"),
            not_before,
            not_after: now.plus(ROOT_LIFETIME),
            public_key: root_key.public_key(),
            kind: Kind::Root,
        }
        .sign(None, &root_key)?;
        let intermediate_key = PrivateKey::generate(NewKey::P256)?;
        let intermediate = Template {
            subject: &format!("Handfast issuing {name}"),
            not_before,
            not_after: now.plus(INTERMEDIATE_LIFETIME),
            public_key: intermediate_key.public_key(),
            kind: Kind::Intermediate { domains },
        }
        .sign(Some(&root), &root_key)?;
        Ok(Self { root, root_key: Some(root_key), intermediate, intermediate_key })
    }

    /// The self-signed root: what clients must trust.
    pub fn root(&self) -> &Certificate {
        &self.root
    }

    /// The issuing intermediate.
    pub fn intermediate(&self) -> &Certificate {
        &self.intermediate
    }

    /// Whether the root's key is at hand; it may be kept offline.
    pub fn has_root_key(&self) -> bool {
        self.root_key.is_some()
    }

    /// Issues a leaf with a new key. The chain of the result is leaf, intermediate.
    pub fn issue(&self, now: UnixTime, request: &Request) -> Result<Credential, CaError> {
        let key = PrivateKey::generate(request.key)?;
        let leaf = self.certify(now, request, &key)?;
        Ok(Credential::new(vec![leaf, self.intermediate.clone()], key)?)
    }

    /// Certifies a key that exists already.
    pub fn certify(
        &self,
        now: UnixTime,
        request: &Request,
        key: &PrivateKey,
    ) -> Result<Certificate, CaError> {
        if !self.intermediate.is_valid_at(now) {
            return Err(CaError::IssuerNotValid {
                from: self.intermediate.not_before(),
                until: self.intermediate.not_after(),
                now,
            });
        }
        self.check_names(request)?;
        Template {
            subject: &request.common_name,
            not_before: now.minus(BACKDATE).max(self.intermediate.not_before()),
            not_after: now.plus(request.lifetime).min(self.intermediate.not_after()),
            public_key: key.public_key(),
            kind: Kind::Leaf(request),
        }
        .sign(Some(&self.intermediate), &self.intermediate_key)
    }

    /// Certificates and keys as one secret text, for the store to seal.
    pub fn to_pem(&self) -> Secret<String> {
        let certificates = pem::chain_pem(&[self.root.clone(), self.intermediate.clone()]);
        let root_key = self.root_key.as_ref().map(pem::key_pem);
        let intermediate_key = pem::key_pem(&self.intermediate_key);
        // One allocation, so that no half-written copy of a key stays behind in memory.
        let parts = [
            certificates.as_str(),
            root_key.as_ref().map_or("", |key| key.expose()),
            intermediate_key.expose(),
        ];
        Secret::new(parts.concat())
    }

    /// Reads what [`InstanceCa::to_pem`] wrote. The root's key may be missing.
    pub fn from_pem(text: &str) -> Result<Self, CaError> {
        let contents = pem::read(text.as_bytes(), None)?;
        let key_of = |certificate: &Certificate| {
            contents.keys.iter().find(|key| key.public_key() == certificate.public_key()).cloned()
        };
        let root = contents.certificates.iter().find(|certificate| certificate.is_self_signed());
        let root = root.ok_or(CaError::Incomplete("no self-signed root"))?;
        let below = |candidate: &&Certificate| *candidate != root && candidate.is_signed_by(root);
        let intermediate = contents.certificates.iter().find(below);
        let intermediate = intermediate.ok_or(CaError::Incomplete("no intermediate below the root"))?;
        let intermediate_key =
            key_of(intermediate).ok_or(CaError::Incomplete("no key of the intermediate"))?;
        Ok(Self {
            root: root.clone(),
            root_key: key_of(root),
            intermediate: intermediate.clone(),
            intermediate_key,
        })
    }

    fn check_names(&self, request: &Request) -> Result<(), CaError> {
        if request.common_name.is_empty() || request.common_name.chars().count() > 64 {
            return Err(CaError::BadName(request.common_name.clone()));
        }
        let domains = self.domains();
        for name in &request.dns_names {
            check_dns_name(name)?;
            let lower = name.to_ascii_lowercase();
            let inside = |domain: &&str| {
                lower.strip_suffix(*domain).is_some_and(|prefix| prefix.is_empty() || prefix.ends_with('.'))
            };
            if !domains.is_empty() && !domains.iter().any(inside) {
                return Err(CaError::NameNotAllowed { name: name.clone(), domain: domains.join("\", \"") });
            }
        }
        match request.uris.iter().find(|uri| uri.is_empty() || !uri.is_ascii()) {
            Some(uri) => Err(CaError::BadName(uri.clone())),
            None => Ok(()),
        }
    }

    /// The domains of the intermediate's name constraints.
    fn domains(&self) -> Vec<&str> {
        let Some(constraints) = self.intermediate.name_constraints() else { return Vec::new() };
        let mut domains = Vec::new();
        for name in &constraints.permitted {
            if let GeneralName::Dns(domain) = name {
                domains.push(domain.as_str());
            }
        }
        domains
    }
}

fn check_dns_name(name: &str) -> Result<(), CaError> {
    let host = name.strip_prefix("*.").unwrap_or(name);
    let label_ok = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    if name.len() <= 253 && host.split('.').all(label_ok) {
        Ok(())
    } else {
        Err(CaError::BadName(name.to_owned()))
    }
}

#[cfg(test)]
mod tests;
