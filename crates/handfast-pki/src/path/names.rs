//! Name constraints (RFC 5280 §4.2.1.10): DNS, IP address, e-mail, directory name and URI.

use super::{Profile, TrustFailure};
use crate::certificate::{Certificate, GeneralName, NameConstraints, SubjectAltNames};
use crate::name::Name;
use std::net::IpAddr;

/// How many comparisons may still be made.
pub(super) struct Comparisons {
    left: usize,
}

impl Comparisons {
    pub(super) fn new(left: usize) -> Self {
        Self { left }
    }

    fn spend(&mut self, count: usize) -> Result<(), TrustFailure> {
        self.left = self.left.checked_sub(count).ok_or(TrustFailure::TooComplex)?;
        Ok(())
    }
}

/// One name of a certificate below the constraining issuer.
enum Subject<'a> {
    Dns(&'a str),
    Ip(IpAddr),
    Email(&'a str),
    Uri(&'a str),
    Directory(&'a Name),
}

/// Checks all names of all certificates of `path` against the constraints of `issuer`. Self-issued
/// intermediates are exempt, the leaf (the first) never is.
pub(super) fn check(
    issuer: &Certificate,
    path: &[Certificate],
    profile: Profile,
    comparisons: &mut Comparisons,
) -> Result<(), TrustFailure> {
    let Some(constraints) = issuer.name_constraints() else { return Ok(()) };
    let failure = |name: String, violation| {
        let excluded = violation == Violation::Excluded;
        TrustFailure::NameConstraint { name, issuer: issuer.subject().dotnet(), excluded }
    };
    let contains = |name| constraints.permitted.contains(&name) || constraints.excluded.contains(&name);
    if contains(GeneralName::Malformed) {
        return Err(failure("a malformed constraint".to_owned(), Violation::NotPermitted));
    }
    if constraints.critical && contains(GeneralName::Unsupported) {
        return Err(failure("a kind of name that is not supported".to_owned(), Violation::NotPermitted));
    }
    for (index, certificate) in path.iter().enumerate() {
        if index > 0 && certificate.is_self_issued() {
            continue;
        }
        let fallback =
            (index == 0 && profile == Profile::Server && certificate.subject_alt_names().is_none())
                .then(|| certificate.common_name())
                .flatten();
        for_each_name(certificate, fallback.as_deref(), |name| {
            comparisons.spend(constraints.permitted.len() + constraints.excluded.len())?;
            violation(&name, constraints).map_or(Ok(()), |violation| Err(failure(shown(&name), violation)))
        })?;
    }
    Ok(())
}

/// Visits the subject, every alternative name, and what stands in for missing alternative names: the e-mail
/// addresses of the subject and, if given, the common name as a host.
fn for_each_name(
    certificate: &Certificate,
    common_name: Option<&str>,
    mut visit: impl FnMut(Subject<'_>) -> Result<(), TrustFailure>,
) -> Result<(), TrustFailure> {
    if !certificate.subject().is_empty() {
        visit(Subject::Directory(certificate.subject()))?;
    }
    let Some(SubjectAltNames { dns, ip, email, uri, directory, .. }) = certificate.subject_alt_names() else {
        for attribute in certificate.subject().attributes() {
            if attribute.oid == "1.2.840.113549.1.9.1"
                && let Some(address) = attribute.text()
            {
                visit(Subject::Email(&address))?;
            }
        }
        return common_name.map_or(Ok(()), |host| visit(Subject::Dns(host)));
    };
    dns.iter().try_for_each(|name| visit(Subject::Dns(name)))?;
    ip.iter().try_for_each(|address| visit(Subject::Ip(*address)))?;
    email.iter().try_for_each(|address| visit(Subject::Email(address)))?;
    uri.iter().try_for_each(|uri| visit(Subject::Uri(uri)))?;
    directory.iter().try_for_each(|name| visit(Subject::Directory(name)))
}

/// How a name offends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Violation {
    Excluded,
    NotPermitted,
}

fn violation(name: &Subject<'_>, constraints: &NameConstraints) -> Option<Violation> {
    if constraints.excluded.iter().any(|base| within(name, base, true) == Some(true)) {
        return Some(Violation::Excluded);
    }
    let mut same_kind = constraints.permitted.iter().filter_map(|base| within(name, base, false)).peekable();
    let permitted = same_kind.peek().is_none() || same_kind.any(|inside| inside);
    (!permitted).then_some(Violation::NotPermitted)
}

/// Whether a name lies in a subtree; `None` if the subtree is of another kind. A name that cannot be read
/// lies in every excluded and in no permitted subtree.
fn within(name: &Subject<'_>, base: &GeneralName, excluded: bool) -> Option<bool> {
    Some(match (name, base) {
        (Subject::Dns(host), GeneralName::Dns(base)) => dns_within(host, base, excluded),
        (Subject::Ip(address), GeneralName::Ip(network, mask)) => ip_within(*address, network, mask),
        (Subject::Email(address), GeneralName::Email(base)) => {
            email_within(address, base).unwrap_or(excluded)
        }
        (Subject::Uri(uri), GeneralName::Uri(base)) => {
            uri_host(uri).map_or(excluded, |host| host_within(host, base))
        }
        (Subject::Directory(name), GeneralName::Directory(base)) => name.is_within(base),
        _ => return None,
    })
}

fn plain_host(host: &str) -> String {
    host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase()
}

/// `base` itself and everything below it. A wildcard lies in an excluded subtree if any of its hosts would.
fn dns_within(host: &str, base: &str, excluded: bool) -> bool {
    let (host, base) = (plain_host(host), plain_host(base));
    if base.is_empty() {
        return true;
    }
    let below =
        |host: &str| host == base || host.strip_suffix(&base).is_some_and(|prefix| prefix.ends_with('.'));
    match host.strip_prefix("*.") {
        Some(parent) if excluded => {
            below(parent) || base.split_once('.').is_some_and(|(_, base_parent)| base_parent == parent)
        }
        _ => below(&host),
    }
}

fn ip_within(address: IpAddr, network: &[u8], mask: &[u8]) -> bool {
    let octets = match address {
        IpAddr::V4(four) => four.octets().to_vec(),
        IpAddr::V6(six) => six.octets().to_vec(),
    };
    octets.len() == network.len()
        && octets.iter().zip(network).zip(mask).all(|((octet, base), mask)| octet & mask == base & mask)
}

/// A mailbox, a host, or `.domain`. `None` if the address has no host part.
fn email_within(address: &str, base: &str) -> Option<bool> {
    let (local, host) = address.rsplit_once('@')?;
    Some(match base.rsplit_once('@') {
        Some((base_local, base_host)) => local == base_local && host.eq_ignore_ascii_case(base_host),
        None => host_within(host, base),
    })
}

/// An exact host, or with a leading period any host below.
fn host_within(host: &str, base: &str) -> bool {
    let (host, base) = (plain_host(host), plain_host(base));
    if base.starts_with('.') {
        host.len() > base.len() && host.ends_with(&base)
    } else {
        base.is_empty() || host == base
    }
}

/// The host of a URI, if it has one that is a name and not an address.
fn uri_host(uri: &str) -> Option<&str> {
    let (_, rest) = uri.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = authority.rsplit('@').next()?;
    if host.starts_with('[') {
        return None;
    }
    let host = host.split(':').next()?;
    (!host.is_empty() && host.parse::<IpAddr>().is_err()).then_some(host)
}

fn shown(name: &Subject<'_>) -> String {
    match name {
        Subject::Dns(text) | Subject::Email(text) | Subject::Uri(text) => (*text).to_owned(),
        Subject::Ip(address) => address.to_string(),
        Subject::Directory(name) => name.dotnet(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dns_subtrees_hold_the_base_and_all_below_it() {
        assert!(dns_within("A.Example.com.", "example.com", false));
        assert!(dns_within("example.com", "example.com", false));
        assert!(!dns_within("badexample.com", "example.com", false));
        assert!(dns_within("anything at all", "", false));
        assert!(dns_within("*.example.com", "a.example.com", true), "the wildcard covers an excluded host");
        assert!(!dns_within("*.example.com", "a.example.com", false), "but is not permitted as a whole");
    }

    #[test]
    fn mail_and_uri_subtrees() {
        let mail = [
            ("u@a.test", "u@a.test", Some(true)),
            ("U@a.test", "u@a.test", Some(false)),
            ("u@A.test", "a.test", Some(true)),
            ("u@b.a.test", "a.test", Some(false)),
            ("u@b.a.test", ".a.test", Some(true)),
            ("u@a.test", ".a.test", Some(false)),
            ("nobody", "a.test", None),
        ];
        for (address, base, expected) in mail {
            assert_eq!(email_within(address, base), expected, "{address} in {base}");
        }
        assert_eq!(uri_host("https://u:p@a.test:8443/x"), Some("a.test"));
        assert_eq!(uri_host("https://127.0.0.1/x"), None);
        assert_eq!(uri_host("urn:a:b"), None);
    }
}
