//! Request and response heads.

use super::fields::Fields;
use std::fmt;

/// A request method (RFC 9110 §9); names are case-sensitive.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Method {
    /// `GET`
    #[default]
    Get,
    /// `HEAD`
    Head,
    /// `POST`
    Post,
    /// `PUT`
    Put,
    /// `PATCH`
    Patch,
    /// `DELETE`
    Delete,
    /// `OPTIONS`
    Options,
    /// `TRACE`
    Trace,
    /// `CONNECT`
    Connect,
    /// Any other token.
    Other(Box<str>),
}

impl Method {
    /// Reads a method; `None` when it is not a token.
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "GET" => Self::Get,
            "HEAD" => Self::Head,
            "POST" => Self::Post,
            "PUT" => Self::Put,
            "PATCH" => Self::Patch,
            "DELETE" => Self::Delete,
            "OPTIONS" => Self::Options,
            "TRACE" => Self::Trace,
            "CONNECT" => Self::Connect,
            other if super::is_token(other.as_bytes()) => Self::Other(other.into()),
            _ => return None,
        })
    }

    /// The name on the wire.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
            Self::Options => "OPTIONS",
            Self::Trace => "TRACE",
            Self::Connect => "CONNECT",
            Self::Other(name) => name,
        }
    }

    /// Whether sending the request twice has the effect of sending it once (RFC 9110 §9.2.2).
    pub fn is_idempotent(&self) -> bool {
        matches!(self, Self::Get | Self::Head | Self::Put | Self::Delete | Self::Options | Self::Trace)
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The protocol version that a message arrived with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    /// HTTP/1.0
    Http10,
    /// HTTP/1.1
    #[default]
    Http11,
    /// HTTP/2
    Http2,
}

impl Version {
    /// As in a status line or log: `HTTP/1.1`, `HTTP/2.0`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http10 => "HTTP/1.0",
            Self::Http11 => "HTTP/1.1",
            Self::Http2 => "HTTP/2.0",
        }
    }
}

/// The scheme of the request's effective URL, which is the scheme of the listener it came in on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// Without TLS.
    Http,
    /// With TLS.
    #[default]
    Https,
}

impl Scheme {
    /// `http` or `https`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// 80 or 443.
    pub fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// A request target in origin form, as received: raw path and raw query. `*` for `OPTIONS *`.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Target {
    raw: String,
    path_len: usize,
}

impl Target {
    /// Splits a raw origin-form target at its first `?`.
    pub fn new(raw: impl Into<String>) -> Self {
        let raw = raw.into();
        let path_len = raw.find('?').unwrap_or(raw.len());
        Self { raw, path_len }
    }

    /// Replaces the target and keeps the memory.
    pub fn assign(&mut self, raw: &str) {
        self.raw.clear();
        self.raw.push_str(raw);
        self.path_len = raw.find('?').unwrap_or(raw.len());
    }

    /// Path and query as received, `/a/b?c=d`.
    pub fn as_str(&self) -> &str {
        &self.raw
    }

    /// The raw path, without the query.
    pub fn path(&self) -> &str {
        &self.raw[..self.path_len]
    }

    /// The raw query without `?`; `None` when there is no `?`.
    pub fn query(&self) -> Option<&str> {
        self.raw.get(self.path_len + 1..)
    }

    /// Replaces the path and keeps the query.
    pub fn set_path(&mut self, path: &str) {
        self.raw.replace_range(..self.path_len, path);
        self.path_len = path.len();
    }

    /// Replaces the query; `None` removes it together with its `?`.
    pub fn set_query(&mut self, query: Option<&str>) {
        self.raw.truncate(self.path_len);
        if let Some(query) = query {
            self.raw.push('?');
            self.raw.push_str(query);
        }
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.path())
    }
}

/// The head of a request. Framing fields (`Content-Length`, `Transfer-Encoding`) may stand in `fields`
/// for reading; codecs write their own.
#[derive(Clone, Debug, Default)]
pub struct RequestHead {
    /// The method.
    pub method: Method,
    /// The scheme of the listener.
    pub scheme: Scheme,
    /// Host and optional port as received, from `Host`, the absolute-form target or `:authority`.
    pub authority: String,
    /// Path and query.
    pub target: Target,
    /// The version that the client spoke.
    pub version: Version,
    /// The header section, `Host` included.
    pub fields: Fields,
}

impl RequestHead {
    /// The host of the authority without port and IPv6 brackets, in the case received.
    pub fn host(&self) -> &str {
        split_authority(&self.authority).0
    }

    /// The port of the authority, if one was given.
    pub fn port(&self) -> Option<u16> {
        split_authority(&self.authority).1
    }

    /// Empties the head for the next message and keeps its memory.
    pub fn clear(&mut self) {
        self.method = Method::Get;
        self.authority.clear();
        self.target.assign("");
        self.fields.clear();
    }
}

/// The head of a response.
#[derive(Clone, Debug)]
pub struct ResponseHead {
    /// The status code, 100–999.
    pub status: u16,
    /// The reason phrase as received or set; HTTP/2 has none.
    pub reason: std::borrow::Cow<'static, str>,
    /// The version that the server spoke.
    pub version: Version,
    /// The header section.
    pub fields: Fields,
}

impl ResponseHead {
    /// A head with the standard reason phrase and no fields.
    pub fn new(status: u16) -> Self {
        Self {
            status,
            reason: standard_reason(status).into(),
            version: Version::Http11,
            fields: Fields::new(),
        }
    }
}

impl Default for ResponseHead {
    fn default() -> Self {
        Self::new(200)
    }
}

fn split_authority(authority: &str) -> (&str, Option<u16>) {
    if let Some(rest) = authority.strip_prefix('[') {
        let Some((host, after)) = rest.split_once(']') else { return (authority, None) };
        return (host, after.strip_prefix(':').and_then(|port| port.parse().ok()));
    }
    match authority.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') => (host, port.parse().ok()),
        _ => (authority, None),
    }
}

/// The reason phrase of the IANA registry for a status; empty for unknown ones.
pub fn standard_reason(status: u16) -> &'static str {
    match status {
        100 => "Continue",
        101 => "Switching Protocols",
        103 => "Early Hints",
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        203 => "Non-Authoritative Information",
        204 => "No Content",
        205 => "Reset Content",
        206 => "Partial Content",
        207 => "Multi-Status",
        300 => "Multiple Choices",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        402 => "Payment Required",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        407 => "Proxy Authentication Required",
        408 => "Request Timeout",
        409 => "Conflict",
        410 => "Gone",
        411 => "Length Required",
        412 => "Precondition Failed",
        413 => "Content Too Large",
        414 => "URI Too Long",
        415 => "Unsupported Media Type",
        416 => "Range Not Satisfiable",
        417 => "Expectation Failed",
        421 => "Misdirected Request",
        422 => "Unprocessable Content",
        423 => "Locked",
        424 => "Failed Dependency",
        425 => "Too Early",
        426 => "Upgrade Required",
        428 => "Precondition Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        451 => "Unavailable For Legal Reasons",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        507 => "Insufficient Storage",
        511 => "Network Authentication Required",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_split_at_the_first_question_mark() {
        let mut target = Target::new("/a/b?x=1?y");
        assert_eq!((target.path(), target.query()), ("/a/b", Some("x=1?y")));
        target.set_path("/c");
        assert_eq!(target.as_str(), "/c?x=1?y");
        target.set_query(None);
        assert_eq!((target.as_str(), target.query()), ("/c", None));
        target.set_query(Some(""));
        assert_eq!((target.as_str(), target.query()), ("/c?", Some("")));
    }

    #[test]
    fn hosts_are_read_with_and_without_port() {
        let mut head = RequestHead::default();
        for (authority, host, port) in [
            ("a.test", "a.test", None),
            ("a.test:8443", "a.test", Some(8443)),
            ("[::1]:443", "::1", Some(443)),
            ("[::1]", "::1", None),
            ("::1", "::1", None),
        ] {
            head.authority = authority.into();
            assert_eq!((head.host(), head.port()), (host, port), "{authority}");
        }
    }
}
