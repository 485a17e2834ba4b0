//! Host patterns and path normalisation.

use handfast_route::{HostPattern, normalise};

/// Normalising is idempotent, and its result has nothing left to resolve.
pub(crate) fn path(data: &[u8]) {
    let Ok(raw) = std::str::from_utf8(data) else { return };
    let Ok(once) = normalise(raw) else { return };
    assert!(once.starts_with('/'), "{once:?}");
    assert!(!once.split('/').any(|segment| segment == "." || segment == ".."), "{once:?}");
    assert_eq!(normalise(&once).as_deref(), Ok(&*once), "second pass over {once:?}");
    let slashes = |text: &str| text.matches("%2F").count() + text.matches("%2f").count();
    assert!(slashes(&once) <= slashes(raw), "an encoded slash must not appear from nowhere: {raw:?}");
}

/// First line the pattern, second line the host: a pattern reads back as itself, and matching agrees with the
/// obvious recursive definition.
pub(crate) fn host(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (pattern, host) = text.split_once('\n').unwrap_or((text, text));
    let Ok(pattern) = HostPattern::parse(pattern) else { return };
    assert_eq!(HostPattern::parse(pattern.as_str()).as_ref(), Ok(&pattern));
    if !pattern.is_wildcard() {
        assert!(pattern.matches(pattern.as_str()) && pattern.matches(&pattern.as_str().to_ascii_uppercase()));
    }
    // Routing sees only hosts that the codec has accepted. The recursion is over four wildcards at most, but
    // quadratic in the host for each.
    if host.len() <= 100 && host.bytes().all(is_host_byte) {
        let lower = host.to_ascii_lowercase();
        let expected = if pattern.is_wildcard() {
            matches(pattern.as_str().as_bytes(), lower.as_bytes())
        } else {
            pattern.as_str() == lower
        };
        assert_eq!(pattern.matches(host), expected, "{pattern} against {host:?}");
    }
}

fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let allowed = |b: &u8| is_host_byte(*b);
    match (pattern.split_first(), text.split_first()) {
        (None, None) => true,
        (Some((b'*', rest)), None) => matches(rest, text),
        (Some((b'*', rest)), Some((first, tail))) => {
            matches(rest, text) || (allowed(first) && matches(pattern, tail))
        }
        (Some((b'?', rest)), Some((first, tail))) => allowed(first) && matches(rest, tail),
        (Some((expected, rest)), Some((first, tail))) => expected == first && matches(rest, tail),
        (Some(_), None) | (None, Some(_)) => false,
    }
}

fn is_host_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._".contains(&byte)
}
