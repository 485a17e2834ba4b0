//! Does a certificate belong to the server that was called?
//!
//! Only dNSName and iPAddress alternative names count (RFC 9525); the common name does not, unless the
//! caller asks for it by [`judge_server_name_or_common_name`].

use crate::certificate::Certificate;
use rustls_pki_types::ServerName;
use std::net::IpAddr;

/// Why the name does not fit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameFailure {
    /// No alternative name is the expected one.
    #[error("certificate is not valid for \"{expected}\", only for {}", quoted(.offered))]
    Mismatch {
        /// The name that was called.
        expected: String,
        /// The names in the certificate.
        offered: Vec<String>,
    },
    /// No alternative names at all.
    #[error(
        "certificate has no subjectAltName, \"{expected}\" is expected there (its common name \"{common_name}\" does not count)"
    )]
    NoSubjectAltName {
        /// The name that was called.
        expected: String,
        /// The subject's common name, empty if there is none.
        common_name: String,
    },
}

impl NameFailure {
    /// A stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Mismatch { .. } => "CertificateNameMismatch",
            Self::NoSubjectAltName { .. } => "CertificateHasNoSubjectAltName",
        }
    }
}

fn quoted(names: &[String]) -> String {
    if names.is_empty() {
        return "names of other kinds".to_owned();
    }
    let shown: Vec<String> = names.iter().take(10).map(|name| format!("\"{name}\"")).collect();
    let more = if names.len() > 10 { format!(" and {} more", names.len() - 10) } else { String::new() };
    format!("{}{more}", shown.join(", "))
}

/// Checks that the certificate names the server.
pub fn judge_server_name(certificate: &Certificate, expected: &ServerName<'_>) -> Result<(), NameFailure> {
    let (text, address) = match expected {
        ServerName::DnsName(name) => (name.as_ref().to_owned(), None),
        ServerName::IpAddress(address) => {
            let address = match address {
                rustls_pki_types::IpAddr::V4(four) => IpAddr::from(*four.as_ref()),
                rustls_pki_types::IpAddr::V6(six) => IpAddr::from(*six.as_ref()),
            };
            (address.to_string(), Some(address))
        }
        _ => (String::new(), None),
    };
    let Some(names) = certificate.subject_alt_names() else {
        let common_name = certificate.common_name().unwrap_or_default();
        return Err(NameFailure::NoSubjectAltName { expected: text, common_name });
    };
    let fits = match address {
        Some(address) => names.ip.contains(&address),
        None => names.dns.iter().any(|pattern| host_matches(pattern, &text)),
    };
    if fits {
        return Ok(());
    }
    let offered = names.dns.iter().cloned().chain(names.ip.iter().map(ToString::to_string)).collect();
    Err(NameFailure::Mismatch { expected: text, offered })
}

/// The same, but a certificate without alternative names may name the host in its common name: the legacy
/// switch `handfast:allowCnHostname`.
pub fn judge_server_name_or_common_name(
    certificate: &Certificate,
    expected: &ServerName<'_>,
) -> Result<(), NameFailure> {
    match judge_server_name(certificate, expected) {
        Err(NameFailure::NoSubjectAltName { expected: host, common_name })
            if host_matches(&common_name, &host) =>
        {
            Ok(())
        }
        result => result,
    }
}

/// Compares a host with a dNSName, which may have `*` as its whole left-most label.
fn host_matches(pattern: &str, host: &str) -> bool {
    let pattern = pattern.strip_suffix('.').unwrap_or(pattern);
    let host = host.strip_suffix('.').unwrap_or(host);
    if host.is_empty() {
        return false;
    }
    match pattern.strip_prefix("*.") {
        Some(parent) => host.split_once('.').is_some_and(|(label, rest)| {
            !label.is_empty() && !parent.is_empty() && rest.eq_ignore_ascii_case(parent)
        }),
        None => pattern.eq_ignore_ascii_case(host),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_cover_one_label() {
        let cases = [
            ("api.a.test", "API.a.test", true),
            ("api.a.test.", "api.a.test", true),
            ("*.a.test", "b.a.test", true),
            ("*.a.test", "a.test", false),
            ("*.a.test", "c.b.a.test", false),
            ("b*.a.test", "bc.a.test", false),
            ("*", "a", false),
            ("under_score.a.test", "under_score.a.test", true),
        ];
        for (pattern, host, expected) in cases {
            assert_eq!(host_matches(pattern, host), expected, "{pattern} for {host}");
        }
    }
}
