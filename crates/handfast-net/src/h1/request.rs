//! Request heads: RFC 9112 §3 (request line), §5 (field syntax), §6.3 (message body length).

use super::refusal::Refusal;
use super::scan::{HeadScan, scan_head};
use crate::Limits;
use handfast_core::message::{Method, RequestHead, Version};
use std::mem::MaybeUninit;

/// The most header lines that the tokeniser has room for; [`Limits::fields_max`] is at most this.
pub(super) const FIELDS_CAPACITY: usize = 256;

/// How the body of a request is delimited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestFraming {
    /// There is none.
    None,
    /// That many bytes.
    Length(u64),
    /// Chunked coding.
    Chunked,
}

/// What a head says about its connection (RFC 9110 §7.6.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Connection {
    /// The peer will close, or this is HTTP/1.0 without `keep-alive`.
    pub close: bool,
    /// `Connection: upgrade` together with an `Upgrade` field.
    pub upgrade: bool,
    /// `Expect: 100-continue`.
    pub expect_continue: bool,
}

/// A complete head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parsed {
    /// Bytes of input that it took.
    pub consumed: usize,
    /// How the body is delimited.
    pub framing: RequestFraming,
    /// Connection options.
    pub connection: Connection,
}

/// Reads a request head into `head` (which is cleared first); `Ok(None)` asks for more bytes.
///
/// Hop-by-hop fields are removed from `head` (RFC 9110 §7.6.1), except `Upgrade` when an upgrade is asked
/// for and `TE: trailers`. Framing fields stay for roles to read.
pub fn parse_request(
    bytes: &[u8],
    limits: &Limits,
    head: &mut RequestHead,
) -> Result<Option<Parsed>, Refusal> {
    let (skip, end) = match scan_head(bytes) {
        HeadScan::Complete { skip, end } if end - skip <= limits.head_bytes_max => (skip, end),
        HeadScan::Complete { skip, .. } => return Err(too_large(&bytes[skip..], limits)),
        HeadScan::Partial if bytes.len() > limits.head_bytes_max => return Err(too_large(bytes, limits)),
        HeadScan::Partial => return Ok(None),
        HeadScan::Bad => return Err(Refusal::Malformed),
    };
    let mut room = [const { MaybeUninit::<httparse::Header<'_>>::uninit() }; FIELDS_CAPACITY];
    let mut request = httparse::Request::new(&mut []);
    match request.parse_with_uninit_headers(&bytes[skip..end], &mut room) {
        Ok(httparse::Status::Complete(_)) => {}
        Ok(httparse::Status::Partial) => return Err(Refusal::Malformed),
        Err(httparse::Error::Version) => return Err(Refusal::Version),
        Err(httparse::Error::TooManyHeaders) => return Err(Refusal::HeadTooLarge),
        Err(_) => return Err(Refusal::Malformed),
    }
    head.clear();
    let (Some(method), Some(target), Some(minor)) = (request.method, request.path, request.version) else {
        return Err(Refusal::Malformed);
    };
    // httparse accepts any blank run between the parts; RFC 9112 §3 has exactly one SP.
    let line = method.len() + 1 + target.len() + 1;
    if bytes[skip..end].get(line..line + 5) != Some(b"HTTP/") {
        return Err(Refusal::Malformed);
    }
    if target.len() > limits.target_bytes_max {
        return Err(Refusal::TargetTooLong);
    }
    if request.headers.len() > limits.fields_max {
        return Err(Refusal::HeadTooLarge);
    }
    head.method = Method::parse(method).ok_or(Refusal::Malformed)?;
    head.version = if minor == 0 { Version::Http10 } else { Version::Http11 };
    let facts = read_fields(&bytes[skip..end], request.headers, head)?;
    read_target(target, &facts, head)?;
    let framing = facts.framing(head.version)?;
    let connection = facts.connection(head.version);
    strip_hop_by_hop(&facts, connection, head)?;
    Ok(Some(Parsed { consumed: end, framing, connection }))
}

/// What the field lines say that the codec acts on.
#[derive(Default)]
struct Facts {
    hosts: usize,
    content_length: Option<u64>,
    content_lengths: usize,
    chunked: bool,
    transfer_encodings: usize,
    close: bool,
    keep_alive: bool,
    connection_upgrade: bool,
    has_connection: bool,
    has_upgrade: bool,
    has_hop_fields: bool,
    expect_continue: bool,
}

impl Facts {
    fn framing(&self, version: Version) -> Result<RequestFraming, Refusal> {
        match (self.transfer_encodings, self.content_lengths) {
            (0, 0) => Ok(RequestFraming::None),
            (0, 1) => match self.content_length {
                Some(0) => Ok(RequestFraming::None),
                Some(length) => Ok(RequestFraming::Length(length)),
                None => Err(Refusal::ContentLength),
            },
            (0, _) => Err(Refusal::ContentLength),
            (1, 0) if self.chunked && version == Version::Http11 => Ok(RequestFraming::Chunked),
            _ => Err(Refusal::Framing),
        }
    }

    fn connection(&self, version: Version) -> Connection {
        Connection {
            close: self.close || (version == Version::Http10 && !self.keep_alive),
            upgrade: version == Version::Http11 && self.connection_upgrade && self.has_upgrade,
            expect_continue: version == Version::Http11 && self.expect_continue,
        }
    }
}

/// Whether a field line is written in the plain way: no blank but at most one space after the colon. Legal
/// blanks elsewhere (RFC 9112 §5) are how Transfer-Encoding is hidden from one of two recipients.
fn is_plain_line(head: &[u8], line: &httparse::Header<'_>) -> bool {
    // Both are slices of `head`; only their distance matters.
    let offset = |part: &[u8]| (part.as_ptr() as usize).wrapping_sub(head.as_ptr() as usize);
    let (from, to) = (offset(line.name.as_bytes()) + line.name.len(), offset(line.value));
    let end = to.wrapping_add(line.value.len());
    matches!(head.get(from..to), Some(b":" | b": ")) && head.get(end..end + 2) == Some(b"\r\n")
}

fn read_fields(
    bytes: &[u8],
    lines: &[httparse::Header<'_>],
    head: &mut RequestHead,
) -> Result<Facts, Refusal> {
    let mut facts = Facts::default();
    for line in lines {
        let (name, value) = (line.name.as_bytes(), line.value);
        if !handfast_core::message::is_field_value(value) {
            return Err(Refusal::Malformed);
        }
        match name.len() {
            4 if name.eq_ignore_ascii_case(b"host") => {
                facts.hosts += 1;
                read_host(value, head)?;
            }
            14 if name.eq_ignore_ascii_case(b"content-length") => {
                facts.content_lengths += 1;
                facts.content_length = decimal(value);
            }
            17 if name.eq_ignore_ascii_case(b"transfer-encoding") => {
                facts.transfer_encodings += 1;
                facts.has_hop_fields = true;
                facts.chunked = value.eq_ignore_ascii_case(b"chunked") && is_plain_line(bytes, line);
            }
            10 if name.eq_ignore_ascii_case(b"connection") => read_connection(value, &mut facts)?,
            7 if name.eq_ignore_ascii_case(b"upgrade") => {
                facts.has_upgrade = true;
                facts.has_hop_fields = true;
            }
            6 if name.eq_ignore_ascii_case(b"expect") => {
                facts.expect_continue = value.eq_ignore_ascii_case(b"100-continue");
            }
            2 | 7 | 10 | 16 if is_hop_by_hop(name) => facts.has_hop_fields = true,
            _ => {}
        }
        head.fields.append_checked(name, value).map_err(|_| Refusal::HeadTooLarge)?;
    }
    Ok(facts)
}

fn read_connection(value: &[u8], facts: &mut Facts) -> Result<(), Refusal> {
    facts.has_connection = true;
    for option in options(value) {
        match option.len() {
            5 if option.eq_ignore_ascii_case(b"close") => facts.close = true,
            10 if option.eq_ignore_ascii_case(b"keep-alive") => facts.keep_alive = true,
            7 if option.eq_ignore_ascii_case(b"upgrade") => facts.connection_upgrade = true,
            _ if is_protected(option) => return Err(Refusal::ConnectionOptions),
            _ => {}
        }
    }
    Ok(())
}

/// The comma-separated members of a list field.
fn options(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|&b| b == b',').map(|option| option.trim_ascii()).filter(|option| !option.is_empty())
}

/// Fields that `Connection` may not name: removing them would change who the request is for or from.
fn is_protected(name: &[u8]) -> bool {
    const EXACT: [&[u8]; 6] =
        [b"host", b"authorization", b"cookie", b"content-length", b"content-type", b"transfer-encoding"];
    const PREFIXES: [&[u8]; 4] = [b"x-forwarded-", b"x-original-", b"client-cert", b"x-appgw-"];
    EXACT.iter().any(|exact| name.eq_ignore_ascii_case(exact))
        || PREFIXES.iter().any(|p| name.get(..p.len()).is_some_and(|start| start.eq_ignore_ascii_case(p)))
}

/// Validates a `Host` value (RFC 9112 §3.2, RFC 3986 §3.2.2) and makes it the authority.
fn read_host(value: &[u8], head: &mut RequestHead) -> Result<(), Refusal> {
    let text = std::str::from_utf8(value).map_err(|_| Refusal::Host)?;
    if !is_authority(text) {
        return Err(Refusal::Host);
    }
    head.authority.clear();
    head.authority.push_str(text);
    Ok(())
}

/// Host and optional port: a name of letters, digits, `-._~`, an IPv4 literal, or a bracketed IPv6 literal.
pub(crate) fn is_authority(text: &str) -> bool {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((literal, after)) if literal.parse::<std::net::Ipv6Addr>().is_ok() => {
                return after.is_empty() || after.strip_prefix(':').is_some_and(is_port);
            }
            _ => return false,
        },
        None => text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port))),
    };
    !host.is_empty()
        && host.len() <= 255
        && host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~".contains(&b))
        && port.is_none_or(is_port)
}

fn is_port(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) && text.parse::<u16>().is_ok()
}

/// Reads the target in origin, absolute or asterisk form (RFC 9112 §3.2).
fn read_target(target: &str, facts: &Facts, head: &mut RequestHead) -> Result<(), Refusal> {
    if !target.bytes().all(|b| (0x21..=0x7e).contains(&b) && b != b'#') {
        return Err(Refusal::Target);
    }
    if matches!(head.method, Method::Connect | Method::Trace) {
        return Err(Refusal::Method);
    }
    if facts.hosts > 1 || (facts.hosts == 0 && head.version == Version::Http11) {
        return Err(Refusal::Host);
    }
    if target.starts_with('/') {
        head.target.assign(target);
        return Ok(());
    }
    if target == "*" {
        if head.method != Method::Options {
            return Err(Refusal::Target);
        }
        head.target.assign("*");
        return Ok(());
    }
    let rest = strip_scheme(target).ok_or(Refusal::Target)?;
    let split = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(split);
    if !is_authority(authority) {
        return Err(Refusal::Target);
    }
    if facts.hosts == 1 && !authority.eq_ignore_ascii_case(&head.authority) {
        return Err(Refusal::Host);
    }
    if facts.hosts == 0 {
        // HTTP/1.0 without Host: the next hop finds the authority there, whatever form it came in.
        head.fields.append(b"Host", authority.as_bytes()).map_err(|_| Refusal::Target)?;
    }
    head.authority.clear();
    head.authority.push_str(authority);
    if path.starts_with('/') {
        head.target.assign(path);
    } else {
        head.target.assign(&format!("/{path}"));
    }
    Ok(())
}

fn strip_scheme(target: &str) -> Option<&str> {
    ["http://", "https://"]
        .iter()
        .find(|scheme| target.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme)))
        .map(|scheme| &target[scheme.len()..])
}

/// Removes hop-by-hop fields and those that `Connection` names.
fn strip_hop_by_hop(facts: &Facts, connection: Connection, head: &mut RequestHead) -> Result<(), Refusal> {
    if !facts.has_connection && !facts.has_hop_fields {
        return Ok(());
    }
    let named: Vec<Vec<u8>> =
        head.fields.get_all(b"connection").flat_map(options).map(<[u8]>::to_ascii_lowercase).collect();
    head.fields.retain(|name, value| {
        if name.eq_ignore_ascii_case(b"upgrade") {
            return connection.upgrade;
        }
        if name.eq_ignore_ascii_case(b"te") {
            return value.eq_ignore_ascii_case(b"trailers");
        }
        !is_hop_by_hop(name) && !named.iter().any(|option| option.eq_ignore_ascii_case(name))
    });
    Ok(())
}

/// Fields that concern one connection only (RFC 9110 §7.6.1, and the old `Proxy-Connection`).
pub(crate) fn is_hop_by_hop(name: &[u8]) -> bool {
    const NAMES: [&[u8]; 7] = [
        b"connection",
        b"keep-alive",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    ];
    NAMES.iter().any(|hop| name.eq_ignore_ascii_case(hop))
}

/// Decimal digits up to 2^63 − 1, nothing else.
pub(crate) fn decimal(value: &[u8]) -> Option<u64> {
    if value.is_empty() || value.len() > 19 || !value.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number = value.iter().try_fold(0u64, |n, b| n.checked_mul(10)?.checked_add(u64::from(b - b'0')))?;
    (number <= i64::MAX as u64).then_some(number)
}

fn too_large(bytes: &[u8], limits: &Limits) -> Refusal {
    let line = bytes.iter().take(limits.target_bytes_max).position(|&b| b == b'\n');
    if line.is_none() { Refusal::TargetTooLong } else { Refusal::HeadTooLarge }
}

#[cfg(test)]
mod tests;
