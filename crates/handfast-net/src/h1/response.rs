//! Response heads from upstream servers: RFC 9112 §4 and §6.3.

use super::request::{FIELDS_CAPACITY, decimal, is_hop_by_hop};
use super::scan::{HeadScan, scan_head};
use crate::Limits;
use handfast_core::message::{Method, ResponseHead, Version, is_field_value, standard_reason};
use std::mem::MaybeUninit;

/// How the body of a response is delimited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResponseFraming {
    /// There is none.
    None,
    /// That many bytes.
    Length(u64),
    /// Chunked coding.
    Chunked,
    /// Everything until the server closes.
    Close,
}

/// What the codec needs to know about a complete response head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResponseMeta {
    /// Bytes of input that it took.
    pub consumed: usize,
    /// How the body is delimited.
    pub framing: ResponseFraming,
    /// Whether the connection may carry another request afterwards.
    pub reusable: bool,
}

/// A response that cannot be trusted; the connection is closed and the client gets 502.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResponseFailure {
    /// Not a response head.
    #[error("upstream sent a malformed response head")]
    Malformed,
    /// The head is longer than allowed or has too many lines.
    #[error("upstream sent a response head above the limit")]
    TooLarge,
    /// `Content-Length` is contradictory or not a number, or the transfer coding is unknown.
    #[error("upstream sent invalid message framing")]
    Framing,
}

/// Reads a response head into `head`; `Ok(None)` asks for more bytes. Hop-by-hop fields are removed, but for
/// `Upgrade` on 101.
pub fn parse_response(
    bytes: &[u8],
    limits: &Limits,
    request: &Method,
    head: &mut ResponseHead,
) -> Result<Option<ResponseMeta>, ResponseFailure> {
    let end = match scan_head(bytes) {
        HeadScan::Complete { skip: 0, end } if end <= limits.head_bytes_max => end,
        HeadScan::Complete { skip: 0, .. } => return Err(ResponseFailure::TooLarge),
        HeadScan::Partial if bytes.len() > limits.head_bytes_max => return Err(ResponseFailure::TooLarge),
        HeadScan::Partial => return Ok(None),
        HeadScan::Complete { .. } | HeadScan::Bad => return Err(ResponseFailure::Malformed),
    };
    let mut room = [const { MaybeUninit::<httparse::Header<'_>>::uninit() }; FIELDS_CAPACITY];
    let mut response = httparse::Response::new(&mut []);
    let config = httparse::ParserConfig::default();
    match config.parse_response_with_uninit_headers(&mut response, &bytes[..end], &mut room) {
        Ok(httparse::Status::Complete(_)) => {}
        Err(httparse::Error::TooManyHeaders) => return Err(ResponseFailure::TooLarge),
        Ok(httparse::Status::Partial) | Err(_) => return Err(ResponseFailure::Malformed),
    }
    let (Some(status), Some(minor)) = (response.code, response.version) else {
        return Err(ResponseFailure::Malformed);
    };
    if !(100..=999).contains(&status) {
        return Err(ResponseFailure::Malformed);
    }
    head.status = status;
    head.version = if minor == 0 { Version::Http10 } else { Version::Http11 };
    let reason = response.reason.unwrap_or_default();
    head.reason = match standard_reason(status) {
        standard if standard == reason => standard.into(),
        _ => reason.to_owned().into(),
    };
    let facts = read_fields(response.headers, head, limits)?;
    // RFC 9112 §6.1: HTTP/1.0 knows no transfer coding, and the server before may have read on.
    if minor == 0 && facts.transfer_encoding {
        return Err(ResponseFailure::Framing);
    }
    let framing = facts.framing(status, request)?;
    let reusable = framing != ResponseFraming::Close
        && !facts.close
        && (minor == 1 || facts.keep_alive)
        && !(facts.transfer_encoding && facts.content_lengths > 0);
    Ok(Some(ResponseMeta { consumed: end, framing, reusable }))
}

#[derive(Default)]
struct Facts {
    content_length: Option<u64>,
    content_lengths: usize,
    bad_length: bool,
    transfer_encoding: bool,
    chunked: bool,
    close: bool,
    keep_alive: bool,
}

impl Facts {
    /// RFC 9112 §6.3, rules 1 to 8.
    fn framing(&self, status: u16, request: &Method) -> Result<ResponseFraming, ResponseFailure> {
        // Also where it delimits nothing: a length that is known to be wrong is not sent on (RFC 9110 §8.6).
        if self.bad_length && !self.transfer_encoding {
            return Err(ResponseFailure::Framing);
        }
        if *request == Method::Head || status < 200 || status == 204 || status == 304 {
            return Ok(ResponseFraming::None);
        }
        if self.transfer_encoding {
            return if self.chunked { Ok(ResponseFraming::Chunked) } else { Err(ResponseFailure::Framing) };
        }
        Ok(match self.content_length {
            Some(0) => ResponseFraming::None,
            Some(length) => ResponseFraming::Length(length),
            None => ResponseFraming::Close,
        })
    }
}

fn read_fields(
    lines: &[httparse::Header<'_>],
    head: &mut ResponseHead,
    limits: &Limits,
) -> Result<Facts, ResponseFailure> {
    if lines.len() > limits.fields_max {
        return Err(ResponseFailure::TooLarge);
    }
    head.fields.clear();
    let mut facts = Facts::default();
    let mut named: Vec<&[u8]> = Vec::new();
    for line in lines {
        let (name, value) = (line.name.as_bytes(), line.value);
        if !is_field_value(value) {
            return Err(ResponseFailure::Malformed);
        }
        if name.eq_ignore_ascii_case(b"content-length") {
            let length = decimal(value);
            facts.bad_length |=
                length.is_none() || (facts.content_lengths > 0 && facts.content_length != length);
            facts.content_lengths += 1;
            facts.content_length = length;
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            facts.chunked = !facts.transfer_encoding && value.eq_ignore_ascii_case(b"chunked");
            facts.transfer_encoding = true;
            continue;
        } else if name.eq_ignore_ascii_case(b"connection") {
            for option in value.split(|&b| b == b',').map(<[u8]>::trim_ascii) {
                facts.close |= option.eq_ignore_ascii_case(b"close");
                facts.keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
                if !option.eq_ignore_ascii_case(b"upgrade") {
                    named.push(option);
                }
            }
            continue;
        } else if is_hop_by_hop(name) && !(head.status == 101 && name.eq_ignore_ascii_case(b"upgrade")) {
            continue;
        }
        head.fields.append_checked(name, value).map_err(|_| ResponseFailure::TooLarge)?;
    }
    for option in named.iter().filter(|option| !option.eq_ignore_ascii_case(b"content-length")) {
        head.fields.remove(option);
    }
    if facts.transfer_encoding {
        head.fields.remove(b"content-length");
    }
    Ok(facts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str, method: Method) -> Result<Option<(ResponseMeta, ResponseHead)>, ResponseFailure> {
        let mut head = ResponseHead::default();
        Ok(parse_response(text.as_bytes(), &Limits::default(), &method, &mut head)?.map(|meta| (meta, head)))
    }

    fn framing(text: &str, method: Method) -> (ResponseFraming, bool) {
        let (meta, _) = parse(text, method).expect("accepted").expect("complete");
        (meta.framing, meta.reusable)
    }

    #[test]
    fn body_length_follows_rfc_9112_section_6_3() {
        let get = || Method::Get;
        assert_eq!(
            framing("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", get()),
            (ResponseFraming::Length(5), true)
        );
        assert_eq!(
            framing("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", Method::Head),
            (ResponseFraming::None, true)
        );
        assert_eq!(
            framing("HTTP/1.1 304 X\r\nContent-Length: 5\r\n\r\n", get()),
            (ResponseFraming::None, true)
        );
        assert_eq!(framing("HTTP/1.1 200 OK\r\n\r\n", get()), (ResponseFraming::Close, false));
        assert_eq!(
            framing("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", get()),
            (ResponseFraming::Chunked, true)
        );
        assert_eq!(
            framing("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n", get()),
            (ResponseFraming::Chunked, false)
        );
        assert_eq!(
            framing("HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\n", get()),
            (ResponseFraming::Length(1), false)
        );
        assert_eq!(
            framing("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\n", get()),
            (ResponseFraming::Length(1), false)
        );
    }

    #[test]
    fn contradictory_lengths_and_unknown_codings_are_refused() {
        for lines in [
            "Content-Length: 5\r\nContent-Length: 6",
            "Content-Length: x",
            "Transfer-Encoding: gzip",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        ] {
            let text = format!("HTTP/1.1 200 OK\r\n{lines}\r\n\r\n");
            assert_eq!(parse(&text, Method::Get).err(), Some(ResponseFailure::Framing), "{lines}");
        }
        assert_eq!(parse("HTTP/1.1 200 OK\nA: b\n\n", Method::Get).err(), Some(ResponseFailure::Malformed));
    }

    #[test]
    fn reason_phrases_pass_unchanged() {
        let (_, head) =
            parse("HTTP/1.1 401 Access Denied\r\n\r\n", Method::Get).expect("ok").expect("complete");
        assert_eq!(head.reason, "Access Denied");
    }
}
