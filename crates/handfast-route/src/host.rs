//! Host-name patterns of listeners: exact names, and names with `*` (any run of allowed characters, dots
//! included) and `?` (one character). Comparison ignores case.
//!
//! Source of the rules: Application Gateway multi-site listeners (at most two `*` in a name, one in a
//! label, four wildcards in all, no two of them adjacent in a label when one is `*`).

use std::fmt;

/// A host name or a host-name pattern, lower case.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HostPattern {
    text: Box<str>,
    wildcard: bool,
}

/// Why a text is no host pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostPatternError {
    /// The name is empty or longer than 253 characters.
    Length(usize),
    /// A character outside `A-Z a-z 0-9 - . * ?`.
    Character(char),
    /// More wildcards than allowed, or two that touch.
    Wildcards,
}

impl fmt::Display for HostPatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length(found) => write!(f, "host name has {found} characters; 1 to 253 are accepted"),
            Self::Character(found) => {
                write!(f, "host name has the character {found:?}; letters, digits, \"-\", \".\", \"*\" and \"?\" are accepted")
            }
            Self::Wildcards => f.write_str(
                "host name has too many or touching wildcards; at most two \"*\" (one in a label) and four \"*\" and \"?\" in all are accepted",
            ),
        }
    }
}

impl std::error::Error for HostPatternError {}

impl HostPattern {
    /// Reads a name or pattern.
    pub fn parse(text: &str) -> Result<Self, HostPatternError> {
        let length = text.chars().count();
        if length == 0 || length > 253 {
            return Err(HostPatternError::Length(length));
        }
        if let Some(found) = text.chars().find(|c| !(c.is_ascii_alphanumeric() || "-.*?_".contains(*c))) {
            return Err(HostPatternError::Character(found));
        }
        let stars = text.matches('*').count();
        let wildcards = stars + text.matches('?').count();
        let touching = ["**", "*?", "?*"].iter().any(|pair| text.contains(pair));
        let crowded = text.split('.').any(|label| label.matches('*').count() > 1);
        if stars > 2 || wildcards > 4 || touching || crowded {
            return Err(HostPatternError::Wildcards);
        }
        Ok(Self { text: text.to_ascii_lowercase().into(), wildcard: wildcards > 0 })
    }

    /// The pattern, lower case.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether the pattern has a wildcard.
    pub fn is_wildcard(&self) -> bool {
        self.wildcard
    }

    /// Whether a host (without port) matches. Linear in the host for at most two stars.
    pub fn matches(&self, host: &str) -> bool {
        if !self.wildcard {
            return self.text.eq_ignore_ascii_case(host);
        }
        glob(self.text.as_bytes(), host.as_bytes())
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Iterative glob with one backtrack point: the last star.
fn glob(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        let byte = text[t].to_ascii_lowercase();
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(b'?') if is_host_byte(byte) => (p, t) = (p + 1, t + 1),
            Some(&expected) if expected == byte => (p, t) = (p + 1, t + 1),
            _ => {
                let Some((star_p, star_t)) = star else { return false };
                if !is_host_byte(text[star_t]) {
                    return false;
                }
                star = Some((star_p, star_t + 1));
                (p, t) = (star_p + 1, star_t + 1);
            }
        }
    }
    pattern[p..].iter().all(|&b| b == b'*')
}

fn is_host_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.' || byte == b'_'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, host: &str) -> bool {
        HostPattern::parse(pattern).expect("valid pattern").matches(host)
    }

    #[test]
    fn stars_span_labels_and_question_marks_do_not_vanish() {
        assert!(matches("*.contoso.com", "a.b.contoso.com"));
        assert!(!matches("*.contoso.com", "contoso.com"));
        assert!(matches("shop?.contoso.com", "Shop1.contoso.com"));
        assert!(!matches("shop?.contoso.com", "shop.contoso.com"));
        assert!(matches("*.a.*", "x.a.y.z"));
        assert!(matches("exact.test", "EXACT.test"));
        assert!(!matches("exact.test", "exact.test.evil"));
        assert!(matches("*", "anything.at-all"));
    }

    #[test]
    fn patterns_outside_the_limits_are_refused() {
        for bad in ["**.a", "*?.a", "a*b*.c", "*.*.*.a", "?.?.?.?.?", "a b", "", "a/b"] {
            assert!(HostPattern::parse(bad).is_err(), "{bad:?}");
        }
    }
}
