//! The formats of strings that are looked at. Others are annotations, as JSON Schema has it: `password`,
//! `binary`, formats of somebody's own.
//!
//! Sources: RFC 3339 (dates), RFC 3986 (URIs), RFC 4122 (UUIDs), RFC 4648 (Base64), OpenAPI 3.0.3 §4.4.

use std::net::{Ipv4Addr, Ipv6Addr};

/// A format by its name.
#[derive(Debug)]
pub(crate) struct Format {
    pub(crate) name: &'static str,
    pub(crate) fits: fn(&str) -> bool,
}

static FORMATS: &[Format] = &[
    Format { name: "date-time", fits: is_date_time },
    Format { name: "date", fits: is_date },
    Format { name: "time", fits: is_full_time },
    Format { name: "email", fits: is_email },
    Format { name: "hostname", fits: is_hostname },
    Format { name: "ipv4", fits: |text| text.parse::<Ipv4Addr>().is_ok() },
    Format { name: "ipv6", fits: |text| text.parse::<Ipv6Addr>().is_ok() },
    Format { name: "uri", fits: is_uri },
    Format { name: "uuid", fits: is_uuid },
    Format { name: "byte", fits: is_base64 },
];

pub(crate) fn find(name: &str) -> Option<&'static Format> {
    FORMATS.iter().find(|format| format.name == name)
}

fn number(text: &str, digits: usize) -> Option<u32> {
    (text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok())?
}

pub(crate) fn is_date(text: &str) -> bool {
    let mut parts = text.split('-');
    let mut next = |digits| parts.next().and_then(|part| number(part, digits));
    let (Some(year), Some(month), Some(day)) = (next(4), next(2), next(2)) else { return false };
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 => 28 + u32::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => 0,
    };
    (1..=days).contains(&day) && parts.next().is_none()
}

/// `hh:mm:ss` with an optional fraction.
pub(crate) fn is_time(text: &str) -> bool {
    let (clock, fraction) = match text.split_once('.') {
        Some((clock, fraction)) => (clock, Some(fraction)),
        None => (text, None),
    };
    let mut parts = clock.split(':');
    let mut within = |max: u32| parts.next().and_then(|part| number(part, 2)).is_some_and(|n| n <= max);
    within(23)
        && within(59)
        && within(60)
        && parts.next().is_none()
        && fraction.is_none_or(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
}

fn is_full_time(text: &str) -> bool {
    if let Some(time) = text.strip_suffix(['Z', 'z']) {
        return is_time(time);
    }
    let Some(at) = text.rfind(['+', '-']) else { return false };
    let (time, offset) = text.split_at(at);
    let offset = offset.get(1..).unwrap_or_default();
    is_time(time) && offset.len() == 5 && is_time(&format!("{offset}:00"))
}

fn is_date_time(text: &str) -> bool {
    text.split_once(['T', 't', ' ']).is_some_and(|(date, time)| is_date(date) && is_full_time(time))
}

fn is_email(text: &str) -> bool {
    let printable = !text.chars().any(|c| c.is_whitespace() || c.is_control());
    printable
        && text.rsplit_once('@').is_some_and(|(local, domain)| {
            !local.is_empty() && local.len() <= 64 && (is_hostname(domain) || domain.starts_with('['))
        })
}

fn is_hostname(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= 253 && text.split('.').all(label)
}

/// An absolute URI: a scheme, and only characters that may stand in one.
fn is_uri(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else { return false };
    let begins = scheme.as_bytes().first().is_some_and(u8::is_ascii_alphabetic);
    let scheme = scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    let allowed = |byte: u8| byte > b' ' && byte != 0x7f && !b"\"<>\\^`{|}".contains(&byte);
    begins && scheme && !rest.is_empty() && rest.bytes().all(allowed)
}

fn is_uuid(text: &str) -> bool {
    let mut lengths = [8, 4, 4, 4, 12].iter();
    text.split('-')
        .all(|part| lengths.next() == Some(&part.len()) && part.bytes().all(|byte| byte.is_ascii_hexdigit()))
        && lengths.next().is_none()
}

pub(crate) fn is_base64(text: &str) -> bool {
    let data = text.trim_end_matches('=');
    text.len().is_multiple_of(4)
        && text.len() - data.len() <= 2
        && data.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_take_and_refuse() {
        let cases: &[(&str, &[&str], &[&str])] = &[
            (
                "date-time",
                &["2024-02-29T23:59:60Z", "2024-01-01T00:00:00.5+02:00"],
                &["2024-02-29", "2023-02-29T00:00:00Z", "2024-01-01T00:00:00"],
            ),
            ("date", &["2000-02-29"], &["1900-02-29", "2024-13-01", "2024-1-01", "2024-01-00"]),
            ("time", &["12:00:00Z", "12:00:00-05:30"], &["12:00:00", "24:00:00Z"]),
            ("email", &["a.b@example.com"], &["a", "@b.de", "a b@c.de"]),
            ("ipv4", &["10.0.0.1"], &["10.0.0.256", "1.2.3"]),
            ("ipv6", &["::1"], &["1", ":::"]),
            ("uri", &["https://a/b?c", "urn:x:y"], &["a/b", "https://a b", "1:x"]),
            (
                "uuid",
                &["11111111-2222-3333-4444-555555555555"],
                &["11111111-2222-3333-4444-55555555555", "11111111222233334444555555555555"],
            ),
            ("byte", &["aGk=", ""], &["aGk", "a?k="]),
            ("hostname", &["a-b.example"], &["-a", "a..b"]),
        ];
        for (name, good, bad) in cases {
            let format = find(name).expect("a format");
            assert!(good.iter().all(|text| (format.fits)(text)), "{name}");
            assert!(!bad.iter().any(|text| (format.fits)(text)), "{name}");
        }
        assert!(find("password").is_none());
    }
}
