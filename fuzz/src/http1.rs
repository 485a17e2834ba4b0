//! The HTTP/1.1 codec and the PROXY header.

use handfast_core::message::{Fields, Method, RequestHead, ResponseHead};
use handfast_net::h1::{
    BodyDecoder, Framing, RequestFraming, ResponseFraming, Step, encode_chunk_end, encode_chunk_start,
    encode_request, encode_response, encode_trailers, parse_request, parse_response,
};
use handfast_net::{Limits, proxy_protocol};

/// Room for what an encoder adds: a framing line and a connection option.
fn roomy() -> Limits {
    let limits = Limits::default();
    Limits { head_bytes_max: limits.head_bytes_max * 2, fields_max: limits.fields_max + 2, ..limits }
}

/// Header lines without those that the encoder writes itself, names in lower case.
fn lines(fields: &Fields) -> Vec<(Vec<u8>, Vec<u8>)> {
    let own = |name: &[u8]| [&b"content-length"[..], b"transfer-encoding", b"connection"].contains(&name);
    let lower = fields.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.to_vec()));
    lower.filter(|(name, _)| !own(name)).collect()
}

/// Every part of an accepted head is needed, what follows it is not looked at, and its encoding reads as the
/// same request with the same framing: a peer behind this codec cannot see another request than it did.
pub(crate) fn request(data: &[u8]) {
    let limits = Limits::default();
    let mut head = RequestHead::default();
    let Ok(Some(parsed)) = parse_request(data, &limits, &mut head) else { return };
    assert!((16..=data.len()).contains(&parsed.consumed));
    let mut other = RequestHead::default();
    for cut in [0, 1, parsed.consumed / 2, parsed.consumed - 1] {
        assert_eq!(parse_request(&data[..cut], &limits, &mut other), Ok(None), "cut at {cut}");
    }
    let followed = [&data[..parsed.consumed], b"GET /other HTTP/1.1\r\nHost: other\r\n\r\n"].concat();
    assert_eq!(parse_request(&followed, &limits, &mut other), Ok(Some(parsed)));
    if !head.fields.contains(b"host") {
        // HTTP/1.0 without a host; a role gives the request one before it goes on.
        let authority = if head.authority.is_empty() { "fuzz.test" } else { &head.authority };
        head.fields.append(b"host", authority.as_bytes()).expect("an authority is a field value");
    }
    let framing = match parsed.framing {
        RequestFraming::None => Framing::Absent,
        RequestFraming::Length(length) => Framing::Length(length),
        RequestFraming::Chunked => Framing::Chunked,
    };
    let mut encoded = Vec::new();
    encode_request(&head, framing, parsed.connection.upgrade, &mut encoded);
    let again = parse_request(&encoded, &roomy(), &mut other);
    let again = again.expect("own encoding is accepted").expect("own encoding is complete");
    assert_eq!(again.consumed, encoded.len());
    assert_eq!(again.framing, parsed.framing);
    assert_eq!(again.connection.upgrade, parsed.connection.upgrade);
    assert_eq!((&other.method, &other.target), (&head.method, &head.target));
    assert_eq!(lines(&other.fields), lines(&head.fields));
}

/// The same for responses, read as answers to GET and to HEAD.
pub(crate) fn response(data: &[u8]) {
    let limits = Limits::default();
    for method in [Method::Get, Method::Head] {
        let mut head = ResponseHead::new(200);
        let Ok(Some(meta)) = parse_response(data, &limits, &method, &mut head) else { continue };
        assert!(meta.consumed <= data.len());
        let mut other = ResponseHead::new(200);
        let cut = &data[..meta.consumed - 1];
        assert_eq!(parse_response(cut, &limits, &method, &mut other), Ok(None));
        if method == Method::Head {
            assert_eq!(meta.framing, ResponseFraming::None);
            continue;
        }
        let bodiless = head.status < 200 || matches!(head.status, 204 | 304);
        let framing = match meta.framing {
            ResponseFraming::None if bodiless => Framing::Absent,
            ResponseFraming::None => Framing::Length(0),
            ResponseFraming::Length(length) => Framing::Length(length),
            ResponseFraming::Chunked => Framing::Chunked,
            ResponseFraming::Close => Framing::Close,
        };
        let mut encoded = Vec::new();
        encode_response(&head, framing, meta.framing != ResponseFraming::Close, &mut encoded);
        let again = parse_response(&encoded, &roomy(), &method, &mut other);
        let again = again.expect("own encoding is accepted").expect("own encoding is complete");
        assert_eq!((again.consumed, again.framing), (encoded.len(), meta.framing));
        assert_eq!(other.status, head.status);
        assert_eq!(lines(&other.fields), lines(&head.fields));
    }
}

/// What became of a body.
#[derive(Debug, PartialEq, Eq)]
struct Decoded {
    data: Vec<u8>,
    /// Bytes taken when it ended; `None` while it goes on.
    consumed: Option<usize>,
    refused: bool,
    trailers: Vec<(Vec<u8>, Vec<u8>)>,
}

/// Feeds the input in pieces of `size` bytes, as reads from a socket would.
fn decode(input: &[u8], size: usize, limits: &Limits) -> Decoded {
    let mut decoder = BodyDecoder::chunked();
    let mut decoded = Decoded { data: Vec::new(), consumed: None, refused: false, trailers: Vec::new() };
    let (mut begin, mut end) = (0, 0);
    loop {
        match decoder.step(&input[begin..end], limits) {
            Err(_) => {
                decoded.refused = true;
                return decoded;
            }
            Ok(Step::End { skip }) => {
                decoded.consumed = Some(begin + skip);
                decoded.trailers = decoder.trailers.as_ref().map(lines).unwrap_or_default();
                return decoded;
            }
            Ok(Step::Data { skip, len }) => {
                assert!(skip + len > 0 && skip + len <= end - begin);
                decoded.data.extend_from_slice(&input[begin + skip..][..len]);
                decoder.used(len);
                begin += skip + len;
            }
            Ok(Step::Need) if end == input.len() => return decoded,
            Ok(Step::Need) => end = input.len().min(end + size),
        }
    }
}

/// Chunked decoding does not depend on how the bytes arrive, and undoes the encoder.
pub(crate) fn body(data: &[u8]) {
    // A line that arrives byte by byte is scanned again each time: quadratic, so the input is short.
    let data = &data[..data.len().min(4096)];
    let limits = Limits::default();
    let whole = decode(data, usize::MAX >> 1, &limits);
    for size in [1, 2, 7, 64] {
        let pieces = decode(data, size, &limits);
        assert_eq!((pieces.consumed, pieces.refused), (whole.consumed, whole.refused), "pieces of {size}");
        assert_eq!((&pieces.data, &pieces.trailers), (&whole.data, &whole.trailers), "pieces of {size}");
    }
    let mut encoded = Vec::new();
    for piece in data.chunks(1 + data.first().map_or(0, |&b| usize::from(b))) {
        encode_chunk_start(piece.len(), &mut encoded);
        encoded.extend_from_slice(piece);
        encode_chunk_end(&mut encoded);
    }
    encode_trailers(None, &mut encoded);
    let decoded = decode(&encoded, 13, &limits);
    assert_eq!(decoded.data, data);
    assert_eq!(decoded.consumed, Some(encoded.len()));
}

/// A header is accepted only when it is complete, and what follows it does not matter.
pub(crate) fn proxy(data: &[u8]) {
    let Ok(Some((header, consumed))) = proxy_protocol::parse(data) else { return };
    assert!(consumed <= data.len() && consumed <= proxy_protocol::HEADER_BYTES_MAX);
    for cut in 0..consumed {
        assert_eq!(proxy_protocol::parse(&data[..cut]), Ok(None), "cut at {cut}");
    }
    let followed = [&data[..consumed], b"GET / HTTP/1.1\r\n"].concat();
    assert_eq!(proxy_protocol::parse(&followed), Ok(Some((header, consumed))));
}
