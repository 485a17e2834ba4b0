//! The path builder: depth first from the leaf, candidates ordered by likelihood, every edge checked as it is
//! taken, all within [`LIMITS`].

use super::names::{self, Comparisons};
use super::{LIMITS, Profile, Trust, TrustFailure, Verdict, Warning};
use crate::certificate::Certificate;
use crate::digest;
use crate::public_key::KeyAlgorithm;
use crate::signature::{self, Floor, SignatureError};
use handfast_core::UnixTime;
use std::collections::{HashMap, HashSet};

const KEY_CERT_SIGN: u16 = 1 << 5;

pub(super) fn judge(
    leaf: &Certificate,
    presented: &[Certificate],
    trust: &Trust,
    profile: Profile,
    now: UnixTime,
) -> Verdict {
    if is_pinned(leaf, trust) {
        return verdict(vec![leaf.clone()], trust, now, vec![Warning::Pinned]);
    }
    if is_too_large(leaf, presented) {
        return refused(leaf, trust, now, TrustFailure::TooComplex);
    }
    let mut search = Search::new(leaf, presented, trust, profile, now);
    let admitted = search.admit(leaf);
    if let (Err(failure), Profile::Server | Profile::ClientPolicy) = (&admitted, profile) {
        return refused(leaf, trust, now, failure.clone());
    }
    let mut path = vec![leaf.clone()];
    let found = match search.extend(&mut path) {
        Step::Found => Some(path),
        Step::Exhausted | Step::Continue => search.outdated.take(),
    };
    match (found, admitted) {
        (Some(path), Ok(())) => verdict(path, trust, now, search.warnings(leaf)),
        (Some(_), Err(failure)) => refused(leaf, trust, now, failure),
        (None, admitted) => {
            let failure = search.failure.take().unwrap_or(TrustFailure::TooComplex);
            // OpenSSL looks for a path first and only then at the leaf's purpose and extensions.
            let no_path =
                matches!(failure, TrustFailure::UnknownIssuer { .. } | TrustFailure::UntrustedRoot { .. });
            refused(leaf, trust, now, if no_path { failure } else { admitted.err().unwrap_or(failure) })
        }
    }
}

/// Whether more was presented than is looked at.
fn is_too_large(leaf: &Certificate, presented: &[Certificate]) -> bool {
    let others = presented.iter().filter(|certificate| *certificate != leaf);
    let bytes: usize = others.clone().map(|certificate| certificate.der().len()).sum();
    others.count() >= LIMITS.presented || bytes + leaf.der().len() > LIMITS.presented_bytes
}

fn is_pinned(leaf: &Certificate, trust: &Trust) -> bool {
    !trust.pins.is_empty() && {
        let spki = digest::sha256(&[leaf.spki_der()]);
        trust.pins.iter().any(|pin| pin == leaf.sha256() || *pin == spki)
    }
}

fn verdict(path: Vec<Certificate>, trust: &Trust, now: UnixTime, warnings: Vec<Warning>) -> Verdict {
    Verdict {
        trust: Ok(()),
        not_before_ok: path.iter().all(|certificate| certificate.not_before() <= now),
        not_after_ok: path.iter().all(|certificate| now <= certificate.not_after()),
        valid_until: path.iter().map(Certificate::not_after).min().unwrap_or_default(),
        path: Some(path),
        warnings,
        trust_version: trust.version,
    }
}

fn refused(leaf: &Certificate, trust: &Trust, now: UnixTime, failure: TrustFailure) -> Verdict {
    Verdict {
        path: None,
        trust: Err(failure),
        not_before_ok: leaf.not_before() <= now,
        not_after_ok: now <= leaf.not_after(),
        valid_until: leaf.not_after(),
        warnings: Vec::new(),
        trust_version: trust.version,
    }
}

fn shown(certificate: &Certificate) -> String {
    certificate.subject().dotnet()
}

enum Step {
    /// `path` is complete and valid now.
    Found,
    /// This branch leads nowhere.
    Continue,
    /// A limit was reached; stop everywhere.
    Exhausted,
}

struct Search<'a> {
    trust: &'a Trust,
    profile: Profile,
    now: UnixTime,
    anchors: HashSet<[u8; 32]>,
    /// Every certificate that may be an issuer, once.
    pool: Vec<Certificate>,
    steps_left: usize,
    signatures_left: usize,
    comparisons: Comparisons,
    signature_results: HashMap<([u8; 32], [u8; 32]), Result<(), SignatureError>>,
    failure: Option<TrustFailure>,
    /// A path that is right in all but its dates.
    outdated: Option<Vec<Certificate>>,
}

impl<'a> Search<'a> {
    fn new(
        leaf: &Certificate,
        presented: &[Certificate],
        trust: &'a Trust,
        profile: Profile,
        now: UnixTime,
    ) -> Self {
        let partial = trust.partial_chain && profile != Profile::ClientEdge;
        let anchors: HashSet<[u8; 32]> = trust
            .anchors
            .iter()
            .filter(|anchor| partial || anchor.is_self_signed())
            .map(|anchor| *anchor.sha256())
            .collect();
        let mut seen = HashSet::from([*leaf.sha256()]);
        let pool = trust
            .anchors
            .iter()
            .chain(&trust.extra_intermediates)
            .chain(presented)
            .filter(|certificate| seen.insert(*certificate.sha256()))
            .cloned()
            .collect();
        Self {
            trust,
            profile,
            now,
            anchors,
            pool,
            steps_left: LIMITS.steps,
            signatures_left: LIMITS.signatures,
            comparisons: Comparisons::new(LIMITS.name_comparisons),
            signature_results: HashMap::new(),
            failure: None,
            outdated: None,
        }
    }

    /// What concerns the leaf alone.
    fn admit(&self, leaf: &Certificate) -> Result<(), TrustFailure> {
        self.check_key(leaf)?;
        self.check_extensions(leaf)?;
        if let Some(purpose) = self.profile.purpose()
            && !leaf.allows_purpose(purpose)
        {
            return Err(TrustFailure::Purpose { subject: shown(leaf), purpose });
        }
        if self.profile == Profile::Server && leaf.is_ca() && !self.is_anchor(leaf) {
            return Err(TrustFailure::CaAsLeaf { subject: shown(leaf) });
        }
        Ok(())
    }

    /// Tries to complete the path whose end is the last certificate of `path`.
    fn extend(&mut self, path: &mut Vec<Certificate>) -> Step {
        let Some(current) = path.last().cloned() else { return Step::Continue };
        if self.is_anchor(&current) {
            if path.iter().all(|certificate| certificate.is_valid_at(self.now)) {
                return Step::Found;
            }
            self.outdated.get_or_insert_with(|| path.clone());
            return Step::Continue;
        }
        let depth = path.len() - 1;
        let candidates = self.candidates(&current, path);
        if candidates.is_empty() {
            self.note(gap(&current, depth));
            return Step::Continue;
        }
        if path.len() >= LIMITS.path_length {
            self.note(TrustFailure::TooComplex);
            return Step::Continue;
        }
        for candidate in candidates {
            if self.steps_left == 0 {
                self.note(TrustFailure::TooComplex);
                return Step::Exhausted;
            }
            self.steps_left -= 1;
            if let Err(failure) = self.check_edge(&current, &candidate, path) {
                let exhausted = failure == TrustFailure::TooComplex;
                self.note(failure);
                if exhausted {
                    return Step::Exhausted;
                }
                continue;
            }
            path.push(candidate);
            match self.extend(path) {
                Step::Continue => {
                    path.pop();
                }
                other => return other,
            }
        }
        Step::Continue
    }

    /// Possible issuers, the likeliest first, without those that would close a circle.
    fn candidates(&self, current: &Certificate, path: &[Certificate]) -> Vec<Certificate> {
        let on_path = |candidate: &Certificate| {
            path.iter().any(|member| {
                member.subject().matches(candidate.subject()) && member.public_key() == candidate.public_key()
            })
        };
        let mut found: Vec<Certificate> = self
            .pool
            .iter()
            .filter(|candidate| candidate.subject().matches(current.issuer()) && !on_path(candidate))
            .cloned()
            .collect();
        found.sort_by_cached_key(|candidate| {
            let key_id_differs = match (current.authority_key_id(), candidate.subject_key_id()) {
                (Some(authority), Some(subject)) => authority != subject,
                _ => true,
            };
            (
                key_id_differs,
                !self.is_anchor(candidate),
                !candidate.is_valid_at(self.now),
                std::cmp::Reverse(candidate.not_after()),
            )
        });
        found
    }

    /// Everything that must hold for `issuer` above the certificates of `path`, the last of which it issued.
    fn check_edge(
        &mut self,
        issued: &Certificate,
        issuer: &Certificate,
        path: &[Certificate],
    ) -> Result<(), TrustFailure> {
        // The key comes first: a signature by a key that is too short would only look wrong.
        self.check_key(issuer)?;
        self.check_signature(issued, issuer)?;
        self.check_issuer(issuer, path)?;
        self.check_extensions(issuer)?;
        names::check(issuer, path, self.profile, &mut self.comparisons)?;
        match self.profile.purpose() {
            Some(purpose) if !self.is_anchor(issuer) && !issuer.allows_purpose(purpose) => {
                Err(TrustFailure::Purpose { subject: shown(issuer), purpose })
            }
            _ => Ok(()),
        }
    }

    fn check_signature(&mut self, issued: &Certificate, issuer: &Certificate) -> Result<(), TrustFailure> {
        let lenient = self.profile != Profile::Server;
        let sha1_ok = lenient && self.trust.allow_sha1;
        if !signature::is_modern(issued) && !sha1_ok {
            return Err(TrustFailure::WeakSignature {
                subject: shown(issued),
                algorithm: issued.signature_algorithm(),
            });
        }
        let floor =
            if sha1_ok || (lenient && self.trust.allow_rsa_1024) { Floor::Legacy } else { Floor::Modern };
        let pair = (*issued.sha256(), digest::sha256(&[issuer.spki_der()]));
        let result = match self.signature_results.get(&pair) {
            Some(result) => *result,
            None => {
                self.signatures_left = self.signatures_left.checked_sub(1).ok_or(TrustFailure::TooComplex)?;
                let result = signature::verify(issued, issuer.public_key(), floor);
                self.signature_results.insert(pair, result);
                result
            }
        };
        match result {
            Ok(()) => Ok(()),
            Err(SignatureError::Invalid) => Err(TrustFailure::BadSignature { subject: shown(issued) }),
            Err(SignatureError::Unsupported) => Err(TrustFailure::WeakSignature {
                subject: shown(issued),
                algorithm: issued.signature_algorithm(),
            }),
        }
    }

    /// CA flag, key usage and path length of an issuer.
    fn check_issuer(&self, issuer: &Certificate, path: &[Certificate]) -> Result<(), TrustFailure> {
        let may_sign = issuer.key_usage().map(|usage| usage & KEY_CERT_SIGN != 0);
        let is_ca = match issuer.basic_constraints() {
            Some(constraints) if constraints.ca => true,
            // A configured anchor may lack the extension, or contradict itself; it may not deny being a CA.
            Some(_) => self.is_anchor(issuer) && may_sign == Some(true),
            None => self.is_anchor(issuer),
        };
        if !is_ca {
            return Err(TrustFailure::NotCa { subject: shown(issuer) });
        }
        if may_sign == Some(false) {
            return Err(TrustFailure::KeyUsage { subject: shown(issuer) });
        }
        if issuer.subject().is_empty() && !self.is_anchor(issuer) {
            return Err(TrustFailure::NotCa { subject: String::new() });
        }
        let below = path.iter().skip(1).filter(|member| !member.is_self_issued()).count() as u64;
        match issuer.basic_constraints().and_then(|constraints| constraints.path_length) {
            Some(limit) if below > limit => Err(TrustFailure::PathLength { subject: shown(issuer) }),
            _ => Ok(()),
        }
    }

    fn check_key(&self, certificate: &Certificate) -> Result<(), TrustFailure> {
        let algorithm = &certificate.public_key().algorithm;
        let short_allowed = self.trust.allow_rsa_1024 && self.profile != Profile::Server;
        let accepted = match algorithm {
            KeyAlgorithm::Rsa(bits) if short_allowed => (1024..=8192).contains(bits),
            other => other.usable_for_tls(),
        };
        if accepted {
            return Ok(());
        }
        Err(TrustFailure::WeakKey { subject: shown(certificate), algorithm: algorithm.to_string() })
    }

    fn check_extensions(&self, certificate: &Certificate) -> Result<(), TrustFailure> {
        match certificate.unknown_critical_extensions().first() {
            None => Ok(()),
            Some(oid) => {
                Err(TrustFailure::UnknownCriticalExtension { subject: shown(certificate), oid: oid.clone() })
            }
        }
    }

    fn is_anchor(&self, certificate: &Certificate) -> bool {
        self.anchors.contains(certificate.sha256())
    }

    /// Remembers the most informative failure; of equal ones, the deepest gap, else the first.
    fn note(&mut self, failure: TrustFailure) {
        let deeper = match (&self.failure, &failure) {
            (
                Some(TrustFailure::UnknownIssuer { depth: old, .. }),
                TrustFailure::UnknownIssuer { depth: new, .. },
            ) => new > old,
            (Some(old), new) => new.rank() > old.rank(),
            (None, _) => true,
        };
        if deeper {
            self.failure = Some(failure);
        }
    }

    fn warnings(&self, leaf: &Certificate) -> Vec<Warning> {
        let mut warnings = Vec::new();
        if !leaf.has_revocation_pointer() {
            warnings.push(Warning::NoRevocationPointer);
        }
        if self.trust.allow_sha1 && !signature::is_modern(leaf) {
            warnings.push(Warning::Sha1Signature);
        }
        if matches!(leaf.public_key().algorithm, KeyAlgorithm::Rsa(bits) if bits < 2048) {
            warnings.push(Warning::ShortKey);
        }
        warnings
    }
}

/// The failure of a certificate that has no issuer candidate.
fn gap(current: &Certificate, depth: usize) -> TrustFailure {
    if current.is_self_signed() {
        TrustFailure::UntrustedRoot { subject: shown(current), depth }
    } else {
        TrustFailure::UnknownIssuer { issuer: current.issuer().dotnet(), depth }
    }
}
