//! Absolute URIs as `System.Uri` sees them: what is normalised, escaped and un-escaped in which form.
//!
//! Sources: RFC 3986, and the documented differences of `System.Uri` (scheme and host in lower case, dot segments
//! removed, a default port left out, `ToString()` un-escaped as far as it stays unambiguous). Not here: relative
//! references as values; they exist only as an argument of [`Uri::resolve`].

/// Schemes with an authority, and their default ports.
const PORTS: &[(&str, i32)] =
    &[("http", 80), ("https", 443), ("ws", 80), ("wss", 443), ("ftp", 21), ("file", -1), ("ldap", 389)];

/// A parsed absolute URI; the parts are escaped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uri {
    /// As it was written.
    pub original: String,
    /// Lower case.
    pub scheme: String,
    /// What stands before `@`, escaped; empty when there is none.
    pub user: String,
    /// Lower case; an IPv6 address with its brackets.
    pub host: String,
    /// −1 when neither written nor known by the scheme.
    pub port: i32,
    /// With its leading `/` where there is an authority.
    pub path: String,
    /// With its leading `?`, or empty.
    pub query: String,
    /// With its leading `#`, or empty.
    pub fragment: String,
    /// Whether `//` stands after the scheme.
    pub has_authority: bool,
}

/// Why a text is no absolute URI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Problem {
    /// There is no scheme.
    Relative,
    Empty,
    Host,
    Port,
}

impl Problem {
    /// The exception's text.
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Relative => "Invalid URI: The format of the URI could not be determined.",
            Self::Empty => "Invalid URI: The URI is empty.",
            Self::Host => "Invalid URI: The hostname could not be parsed.",
            Self::Port => "Invalid URI: Invalid port specified.",
        }
    }
}

impl Uri {
    /// Parses an absolute URI.
    pub(crate) fn parse(text: &str) -> Result<Self, Problem> {
        let trimmed = text.trim();
        if trimmed.is_empty() {
            return Err(Problem::Empty);
        }
        let (scheme, rest) = split_scheme(trimmed).ok_or(Problem::Relative)?;
        let scheme = scheme.to_ascii_lowercase();
        let known = PORTS.iter().find(|row| row.0 == scheme);
        let (rest, fragment) = cut(rest, '#');
        let (rest, query) = cut(rest, '?');
        let plain = if known.is_some() { rest.replace('\\', "/") } else { rest.to_owned() };
        let mut uri = Self {
            original: text.to_owned(),
            scheme,
            user: String::new(),
            host: String::new(),
            port: known.map_or(-1, |row| row.1),
            path: String::new(),
            query: escape(query, false),
            fragment: escape(fragment, false),
            has_authority: false,
        };
        match plain.strip_prefix("//") {
            Some(after) => {
                let end = after.find('/').unwrap_or(after.len());
                uri.authority(&after[..end])?;
                let path = escape(&after[end..], true);
                uri.path = if path.is_empty() { "/".into() } else { remove_dots(&path) };
            }
            None if known.is_some() => return Err(Problem::Host),
            None => uri.path = escape(&plain, true),
        }
        Ok(uri)
    }

    fn authority(&mut self, text: &str) -> Result<(), Problem> {
        self.has_authority = true;
        let (user, rest) = text.rsplit_once('@').map_or(("", text), |(user, rest)| (user, rest));
        self.user = escape(user, true);
        let closing = rest.rfind(']').map_or(0, |at| at + 1);
        let (host, port) = match rest[closing..].rfind(':') {
            Some(at) => (&rest[..closing + at], &rest[closing + at + 1..]),
            None => (rest, ""),
        };
        if !port.is_empty() {
            self.port = port
                .parse::<u16>()
                .ok()
                .filter(|_| port.bytes().all(|b| b.is_ascii_digit()))
                .ok_or(Problem::Port)?
                .into();
        }
        let wrong = |c: char| c.is_whitespace() || c.is_control() || "<>\"{}|^`%/\\?#@[]:".contains(c);
        let valid = match host.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')) {
            Some(inner) => inner.parse::<std::net::Ipv6Addr>().is_ok(),
            None => !host.contains(wrong) && (!host.is_empty() || self.scheme == "file"),
        };
        if !valid {
            return Err(Problem::Host);
        }
        self.host = host.to_lowercase();
        Ok(())
    }

    /// Whether the port is the scheme's own.
    pub(crate) fn is_default_port(&self) -> bool {
        PORTS.iter().any(|row| row.0 == self.scheme && row.1 == self.port) || self.port < 0
    }

    /// Host, and the port unless it is the default.
    pub(crate) fn authority_text(&self) -> String {
        if self.is_default_port() { self.host.clone() } else { format!("{}:{}", self.host, self.port) }
    }

    fn prefix(&self) -> String {
        let slashes = if self.has_authority { "//" } else { "" };
        let user = if self.user.is_empty() { String::new() } else { format!("{}@", self.user) };
        format!("{}:{slashes}{user}{}", self.scheme, self.authority_text())
    }

    /// Everything escaped.
    pub(crate) fn absolute(&self) -> String {
        format!("{}{}{}{}", self.prefix(), self.path, self.query, self.fragment)
    }

    /// `ToString()`: un-escaped where that stays unambiguous.
    pub(crate) fn display(&self) -> String {
        format!(
            "{}{}{}{}",
            self.prefix(),
            readable(&self.path),
            readable(&self.query),
            readable(&self.fragment)
        )
    }

    /// `GetLeftPart`: 0 scheme, 1 authority, 2 path, 3 query.
    pub(crate) fn left_part(&self, part: i64) -> String {
        match part {
            0 => format!("{}:{}", self.scheme, if self.has_authority { "//" } else { "" }),
            1 if !self.has_authority => String::new(),
            1 => self.prefix(),
            2 => format!("{}{}", self.prefix(), self.path),
            _ => format!("{}{}{}", self.prefix(), self.path, self.query),
        }
    }

    /// The path cut after each slash.
    pub(crate) fn segments(&self) -> Vec<String> {
        self.path.split_inclusive('/').map(str::to_owned).collect()
    }

    /// A reference resolved against this one (RFC 3986 §5.2).
    pub(crate) fn resolve(&self, reference: &str) -> Result<Self, Problem> {
        let reference = reference.trim();
        if split_scheme(reference).is_some() {
            return Self::parse(reference);
        }
        if let Some(rest) = reference.strip_prefix("//") {
            return Self::parse(&format!("{}://{rest}", self.scheme));
        }
        let (rest, fragment) = cut(reference, '#');
        let (path, query) = cut(rest, '?');
        let base = self.path.rfind('/').map_or("", |at| &self.path[..=at]);
        let (path, query) = match path {
            "" if query.is_empty() => (self.path.clone(), self.query.clone()),
            "" => (self.path.clone(), query.to_owned()),
            absolute if absolute.starts_with('/') => (absolute.to_owned(), query.to_owned()),
            relative => (format!("{base}{relative}"), query.to_owned()),
        };
        let mut uri = Self::parse(&format!("{}{path}{query}{fragment}", self.prefix()))?;
        uri.original = uri.absolute();
        Ok(uri)
    }

    /// The reference that leads from here to `other`; absolute when the two have nothing in common.
    pub(crate) fn relative_to(&self, other: &Self) -> String {
        if self.prefix() != other.prefix() {
            return other.absolute();
        }
        let from: Vec<_> = self.path.split('/').collect();
        let to: Vec<_> = other.path.split('/').collect();
        let last = from.len().min(to.len()).saturating_sub(1);
        let common = from.iter().zip(&to).take(last).take_while(|(a, b)| a == b).count();
        let up = "../".repeat(from.len() - 1 - common);
        let path = to.get(common..).unwrap_or(&[]).join("/");
        format!("{up}{path}{}{}", other.query, other.fragment)
    }

    /// Equality: the fragment does not count.
    pub(crate) fn same(&self, other: &Self) -> bool {
        self.prefix() == other.prefix() && self.path == other.path && self.query == other.query
    }
}

/// The text up to a character, and from there on with it.
fn cut(text: &str, at: char) -> (&str, &str) {
    text.find(at).map_or((text, ""), |index| text.split_at(index))
}

/// Scheme and the rest behind the colon.
pub(crate) fn split_scheme(text: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = text.split_once(':')?;
    let valid = scheme.len() > 1
        && scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
    valid.then_some((scheme, rest))
}

fn is_escape(rest: &[u8]) -> bool {
    matches!(rest, [b'%', a, b, ..] if a.is_ascii_hexdigit() && b.is_ascii_hexdigit())
}

/// Escapes what may not stand in a path (or a query); valid escapes stay.
fn escape(text: &str, _path: bool) -> String {
    let mut out = String::with_capacity(text.len());
    let bytes = text.as_bytes();
    for (at, byte) in bytes.iter().enumerate() {
        let keep = byte.is_ascii_alphanumeric()
            || b"-._~!$&'()*+,;=:@/?#[]".contains(byte)
            || (*byte == b'%' && is_escape(bytes.get(at..).unwrap_or(&[])));
        if keep {
            out.push(char::from(*byte));
        } else {
            push_escape(&mut out, *byte);
        }
    }
    out
}

fn push_escape(out: &mut String, byte: u8) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    out.push('%');
    out.push(char::from(HEX[usize::from(byte >> 4)]));
    out.push(char::from(HEX[usize::from(byte & 15)]));
}

/// Escapes every byte of the UTF-8 form that `keep` does not name.
pub(crate) fn escape_all(text: &str, keep: impl Fn(u8) -> bool) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if keep(byte) { out.push(char::from(byte)) } else { push_escape(&mut out, byte) }
    }
    out
}

/// Replaces escapes by what they stand for; sequences that are not valid, or not UTF-8, stay.
pub(crate) fn unescape(text: &str, keep: impl Fn(char) -> bool) -> String {
    let bytes = text.as_bytes();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < bytes.len() {
        let mut run = Vec::new();
        let mut end = at;
        while is_escape(bytes.get(end..).unwrap_or(&[])) {
            let digits = text.get(end + 1..end + 3).unwrap_or("00");
            run.push(u8::from_str_radix(digits, 16).unwrap_or(0));
            end += 3;
        }
        if run.is_empty() {
            let next = text[at..].chars().next().unwrap_or(' ');
            out.push(next);
            at += next.len_utf8();
            continue;
        }
        at = end;
        for chunk in run.utf8_chunks() {
            for c in chunk.valid().chars() {
                if keep(c) {
                    c.to_string().bytes().for_each(|byte| push_escape(&mut out, byte));
                } else {
                    out.push(c);
                }
            }
            chunk.invalid().iter().for_each(|byte| push_escape(&mut out, *byte));
        }
    }
    out
}

fn readable(text: &str) -> String {
    unescape(text, |c| c.is_control() || "%/\\?#[]@:&=+$,;".contains(c))
}

/// RFC 3986 §5.2.4.
fn remove_dots(path: &str) -> String {
    let mut out: Vec<&str> = Vec::new();
    let parts: Vec<_> = path.split('/').skip(1).collect();
    let last = parts.len().saturating_sub(1);
    for (index, part) in parts.iter().enumerate() {
        let dots = part.replace("%2E", ".").replace("%2e", ".");
        match dots.as_str() {
            "." if index == last => out.push(""),
            "." => {}
            ".." => {
                out.pop();
                if index == last {
                    out.push("");
                }
            }
            _ => out.push(part),
        }
    }
    format!("/{}", out.join("/"))
}

#[cfg(test)]
mod tests {
    use super::Uri;

    #[test]
    fn references_are_resolved_as_rfc_3986_section_5_4_lists_them() {
        let base = Uri::parse("http://a/b/c/d;p?q").expect("base");
        for (reference, expected) in [
            ("g", "http://a/b/c/g"),
            ("./g", "http://a/b/c/g"),
            ("g/", "http://a/b/c/g/"),
            ("/g", "http://a/g"),
            ("//g", "http://g/"),
            ("?y", "http://a/b/c/d;p?y"),
            ("g?y#s", "http://a/b/c/g?y#s"),
            ("", "http://a/b/c/d;p?q"),
            (".", "http://a/b/c/"),
            ("..", "http://a/b/"),
            ("../../../g", "http://a/g"),
            ("g;x=1/../y", "http://a/b/c/y"),
        ] {
            assert_eq!(
                base.resolve(reference).map(|uri| uri.absolute()).as_deref(),
                Ok(expected),
                "{reference}"
            );
        }
    }

    #[test]
    fn what_is_read_back_is_the_same_uri() {
        for text in ["https://u:p@Example.COM:8443/a%20b/ü?x=%20#f", "urn:a:b", "http://[::1]:81/", "ws://h"]
        {
            let uri = Uri::parse(text).expect(text);
            let again = Uri::parse(&uri.absolute()).expect("its own text");
            assert_eq!(uri.absolute(), again.absolute());
        }
    }
}
