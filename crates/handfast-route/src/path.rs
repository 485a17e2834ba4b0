//! The path that routing compares: unreserved characters decoded, dot segments resolved (RFC 3986 §6.2.2.3),
//! while the raw target goes on to the backend. Encoded slashes and semicolons stay as they are and never
//! match `/`, so a path cannot mean one thing to routing and another to the backend.

use std::borrow::Cow;
use std::fmt;

/// A path that routing refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathError {
    /// It does not begin with `/`.
    NotAbsolute,
    /// A `%` without two hex digits, or `%00`.
    Encoding,
    /// Dot segments lead above the root.
    AboveRoot,
}

impl fmt::Display for PathError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotAbsolute => "path does not begin with \"/\"",
            Self::Encoding => "path has an invalid percent-encoding",
            Self::AboveRoot => "path leads above the root",
        })
    }
}

impl std::error::Error for PathError {}

/// The comparable form of a raw path. Borrowed when there is nothing to do, which is the common case.
pub fn normalise(raw: &str) -> Result<Cow<'_, str>, PathError> {
    if !raw.starts_with('/') {
        return Err(PathError::NotAbsolute);
    }
    if !raw.contains('%') && !raw.contains("/.") {
        return Ok(Cow::Borrowed(raw));
    }
    let decoded = decode_unreserved(raw)?;
    if !decoded.contains("/.") {
        return Ok(Cow::Owned(decoded));
    }
    resolve_dots(&decoded).map(Cow::Owned)
}

fn decode_unreserved(raw: &str) -> Result<String, PathError> {
    let mut out = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        let hex = rest.as_bytes().get(at + 1..at + 3).ok_or(PathError::Encoding)?;
        let byte = hex_byte(hex).ok_or(PathError::Encoding)?;
        match byte {
            0 => return Err(PathError::Encoding),
            b if b.is_ascii_alphanumeric() || b"-._~".contains(&b) => out.push(char::from(b)),
            _ => {
                out.push('%');
                hex.iter().for_each(|digit| out.push(char::from(digit.to_ascii_uppercase())));
            }
        }
        rest = &rest[at + 3..];
    }
    out.push_str(rest);
    Ok(out)
}

fn resolve_dots(path: &str) -> Result<String, PathError> {
    let mut segments: Vec<&str> = Vec::new();
    let mut parts = path[1..].split('/').peekable();
    while let Some(part) = parts.next() {
        let last = parts.peek().is_none();
        match part {
            "." if last => segments.push(""),
            "." => {}
            ".." => {
                segments.pop().ok_or(PathError::AboveRoot)?;
                if last {
                    segments.push("");
                }
            }
            other => segments.push(other),
        }
    }
    Ok(format!("/{}", segments.join("/")))
}

fn hex_byte(hex: &[u8]) -> Option<u8> {
    let digit = |b: u8| char::from(b).to_digit(16);
    Some((digit(hex[0])? * 16 + digit(hex[1])?) as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dots_are_resolved_and_slashes_stay_encoded() {
        for (raw, expected) in [
            ("/a/b", "/a/b"),
            ("/a/./b", "/a/b"),
            ("/a/x/../b", "/a/b"),
            ("/a/%2e%2E/b", "/b"),
            ("/a%2fb", "/a%2Fb"),
            ("/%61", "/a"),
            ("//a", "//a"),
            ("/a/..", "/"),
            ("/a/.", "/a/"),
            ("/a;b/../c", "/c"),
            ("/.well-known/x", "/.well-known/x"),
            ("/caf%C3%A9", "/caf%C3%A9"),
        ] {
            assert_eq!(normalise(raw).as_deref(), Ok(expected), "{raw}");
        }
    }

    #[test]
    fn paths_above_the_root_and_bad_encodings_are_refused() {
        assert_eq!(normalise("/a/../../etc"), Err(PathError::AboveRoot));
        assert_eq!(normalise("/%2e%2e/"), Err(PathError::AboveRoot));
        assert_eq!(normalise("/%zz"), Err(PathError::Encoding));
        assert_eq!(normalise("/%4"), Err(PathError::Encoding));
        assert_eq!(normalise("/%00"), Err(PathError::Encoding));
        assert_eq!(normalise("a"), Err(PathError::NotAbsolute));
        assert_eq!(normalise("/é%"), Err(PathError::Encoding));
    }
}
