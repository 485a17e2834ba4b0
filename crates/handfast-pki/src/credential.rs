//! A certificate chain with the key that belongs to it: what a TLS endpoint presents.

use crate::certificate::Certificate;
use crate::digest;
use crate::private_key::PrivateKey;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

/// Why certificates and keys do not make a credential. Names are subjects, never key material.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CredentialError {
    /// Certificates without any private key.
    #[error("the input contains no private key, only {certificates} certificates")]
    NoPrivateKey {
        /// How many certificates there are.
        certificates: usize,
    },
    /// A private key without any certificate.
    #[error("the input contains a private key but no certificate")]
    NoCertificate,
    /// No certificate has the key's public key.
    #[error("the private key does not belong to any of the certificates: {}", .subjects.join("; "))]
    KeyDoesNotMatch {
        /// Subjects of the certificates.
        subjects: Vec<String>,
    },
    /// Several keys with certificates, none of which is clearly the leaf.
    #[error("the input contains several certificates with private keys, one is expected: {}", .subjects.join("; "))]
    SeveralCredentials {
        /// Subjects of the candidates.
        subjects: Vec<String>,
    },
}

impl CredentialError {
    /// A stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoPrivateKey { .. } => "CredentialHasNoPrivateKey",
            Self::NoCertificate => "CredentialHasNoCertificate",
            Self::KeyDoesNotMatch { .. } => "CredentialKeyDoesNotMatch",
            Self::SeveralCredentials { .. } => "CredentialAmbiguous",
        }
    }
}

/// A chain, its key, and an identity that changes whenever the chain does.
#[derive(Clone, Debug)]
pub struct Credential {
    chain: Vec<Certificate>,
    key: PrivateKey,
    id: [u8; 32],
}

/// Longest chain that is put together; the rest counts as unrelated.
const CHAIN_LENGTH_MAX: usize = 10;

/// What [`Credential::assemble`] made of a heap of certificates and keys.
#[derive(Clone, Debug)]
pub struct Assembled {
    /// The credential.
    pub credential: Credential,
    /// The self-signed root that ends the chain, if the input held it. It is not sent.
    pub root: Option<Certificate>,
    /// Certificates that do not belong to the chain.
    pub unrelated: Vec<Certificate>,
}

// === impl Credential ===

impl Credential {
    /// A credential of a chain in sending order (leaf first). The key must be the leaf's.
    pub fn new(chain: Vec<Certificate>, key: PrivateKey) -> Result<Self, CredentialError> {
        let leaf = chain.first().ok_or(CredentialError::NoCertificate)?;
        if leaf.public_key() != key.public_key() {
            return Err(CredentialError::KeyDoesNotMatch { subjects: vec![leaf.subject().dotnet()] });
        }
        let ders: Vec<&[u8]> = chain.iter().map(Certificate::der).collect();
        let id = digest::sha256(&ders);
        Ok(Self { chain, key, id })
    }

    /// Finds the leaf by its key and orders the chain by issuer links, whatever the order of the input.
    pub fn assemble(
        certificates: Vec<Certificate>,
        keys: &[PrivateKey],
    ) -> Result<Assembled, CredentialError> {
        let certificates = without_duplicates(certificates);
        let (leaf, key) = choose_leaf(&certificates, keys)?;
        let others: Vec<Certificate> = certificates.into_iter().filter(|other| *other != leaf).collect();
        let (mut chain, unrelated) = order(&leaf, others);
        let ends_in_root = chain.len() > 1 && chain.last().is_some_and(Certificate::is_self_signed);
        let root = if ends_in_root { chain.pop() } else { None };
        Ok(Assembled { credential: Self::new(chain, key)?, root, unrelated })
    }

    /// The certificate that the key belongs to.
    pub fn leaf(&self) -> &Certificate {
        // `new` refuses an empty chain.
        &self.chain[0]
    }

    /// The chain as it is sent: leaf first, then intermediates, without the root.
    pub fn chain(&self) -> &[Certificate] {
        &self.chain
    }

    /// The private key.
    pub fn key(&self) -> &PrivateKey {
        &self.key
    }

    /// SHA-256 of the chain: pools and caches are keyed by it.
    pub fn id(&self) -> &[u8; 32] {
        &self.id
    }

    /// The chain as rustls wants it.
    pub fn chain_pki_types(&self) -> Vec<CertificateDer<'static>> {
        self.chain.iter().map(Certificate::to_pki_types).collect()
    }

    /// The key as rustls wants it.
    pub fn key_pki_types(&self) -> PrivateKeyDer<'static> {
        self.key.to_pki_types()
    }

    /// Whether the TLS stack can use the key (RSA from 2048 bits, P-256/384/521, Ed25519).
    pub fn usable_for_tls(&self) -> bool {
        self.key.algorithm().usable_for_tls()
    }
}

fn without_duplicates(certificates: Vec<Certificate>) -> Vec<Certificate> {
    let mut seen = std::collections::HashSet::new();
    certificates.into_iter().filter(|certificate| seen.insert(*certificate.sha256())).collect()
}

fn subjects<'a>(certificates: impl IntoIterator<Item = &'a Certificate>) -> Vec<String> {
    certificates.into_iter().map(|certificate| certificate.subject().dotnet()).collect()
}

/// The pair of certificate and key; of several pairs, the one whose certificate issues none of the others.
fn choose_leaf(
    certificates: &[Certificate],
    keys: &[PrivateKey],
) -> Result<(Certificate, PrivateKey), CredentialError> {
    if keys.is_empty() {
        return Err(CredentialError::NoPrivateKey { certificates: certificates.len() });
    }
    if certificates.is_empty() {
        return Err(CredentialError::NoCertificate);
    }
    let pairs: Vec<(&Certificate, &PrivateKey)> = certificates
        .iter()
        .filter_map(|certificate| {
            let key = keys.iter().find(|key| key.public_key() == certificate.public_key())?;
            Some((certificate, key))
        })
        .collect();
    let issues_another = |candidate: &Certificate| {
        pairs.iter().any(|(other, _)| {
            *other != candidate
                && other.issuer().matches(candidate.subject())
                && other.is_signed_by(candidate)
        })
    };
    let mut leaves = pairs.iter().filter(|(candidate, _)| !issues_another(candidate));
    match (leaves.next(), leaves.next()) {
        (Some((certificate, key)), None) => Ok(((*certificate).clone(), (*key).clone())),
        (None, _) if pairs.is_empty() => {
            Err(CredentialError::KeyDoesNotMatch { subjects: subjects(certificates) })
        }
        _ => Err(CredentialError::SeveralCredentials {
            subjects: subjects(pairs.iter().map(|(certificate, _)| *certificate)),
        }),
    }
}

/// Follows issuer links from the leaf through `others`, up to a self-signed certificate or a gap.
/// Returns the chain, leaf first, and what does not belong to it.
pub(crate) fn order(
    leaf: &Certificate,
    mut others: Vec<Certificate>,
) -> (Vec<Certificate>, Vec<Certificate>) {
    let mut chain = vec![leaf.clone()];
    while let Some(current) = chain.last().filter(|current| !current.is_self_signed()).cloned() {
        if chain.len() >= CHAIN_LENGTH_MAX {
            break;
        }
        let fits_key_id =
            |candidate: &Certificate| match (current.authority_key_id(), candidate.subject_key_id()) {
                (Some(authority), Some(subject)) => authority == subject,
                _ => false,
            };
        let mut candidates: Vec<usize> = (0..others.len())
            .filter(|&index| others.get(index).is_some_and(|other| other.subject().matches(current.issuer())))
            .collect();
        candidates.sort_by_key(|&index| !others.get(index).is_some_and(fits_key_id));
        let issuer = candidates
            .into_iter()
            .find(|&index| others.get(index).is_some_and(|candidate| current.is_signed_by(candidate)));
        match issuer {
            Some(index) => chain.push(others.remove(index)),
            None => break,
        }
    }
    (chain, others)
}
