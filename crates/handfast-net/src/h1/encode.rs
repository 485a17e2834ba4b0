//! Heads and chunk framing as bytes. The codec writes its own framing fields; those of the head are left out.

use handfast_core::message::{Fields, Method, RequestHead, ResponseHead};

/// The framing that goes out with a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// No body and no framing field (GET, 204, 304, 101).
    Absent,
    /// No body, but the head's own `Content-Length` stays: the answer to HEAD, and 304.
    Declared,
    /// `Content-Length`.
    Length(u64),
    /// `Transfer-Encoding: chunked`.
    Chunked,
    /// The body ends with the connection.
    Close,
}

/// What a response says about the connection that it goes out on (RFC 9112 §9.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Persistence {
    /// Nothing: HTTP/1.1 keeps it.
    KeepAlive,
    /// It is kept, which an HTTP/1.0 client that asked for it must be told.
    KeepAliveStated,
    /// It is closed.
    Close,
}

/// Writes a request head in origin form. `upgrade` sends the head's `Upgrade` field with its connection option.
pub fn encode_request(head: &RequestHead, framing: Framing, upgrade: bool, out: &mut Vec<u8>) {
    out.extend_from_slice(head.method.as_str().as_bytes());
    out.push(b' ');
    out.extend_from_slice(head.target.as_str().as_bytes());
    out.extend_from_slice(b" HTTP/1.1\r\n");
    encode_fields(&head.fields, false, out);
    match framing {
        // A server may wait for a body on these methods without being told that there is none.
        Framing::Absent if matches!(head.method, Method::Post | Method::Put | Method::Patch) => {
            encode_length(0, out)
        }
        Framing::Absent | Framing::Declared | Framing::Close => {}
        Framing::Length(length) => encode_length(length, out),
        Framing::Chunked => out.extend_from_slice(b"transfer-encoding: chunked\r\n"),
    }
    if upgrade {
        out.extend_from_slice(b"connection: upgrade\r\n");
    }
    out.extend_from_slice(b"\r\n");
}

/// Writes a response head. `keep_alive` false adds `Connection: close`.
pub fn encode_response(head: &ResponseHead, framing: Framing, keep_alive: bool, out: &mut Vec<u8>) {
    let persistence = if keep_alive { Persistence::KeepAlive } else { Persistence::Close };
    encode_response_head(head, framing, persistence, out);
}

/// Writes a response head.
pub fn encode_response_head(
    head: &ResponseHead,
    framing: Framing,
    persistence: Persistence,
    out: &mut Vec<u8>,
) {
    out.extend_from_slice(b"HTTP/1.1 ");
    let status = head.status;
    out.extend_from_slice(&[
        b'0' + (status / 100 % 10) as u8,
        b'0' + (status / 10 % 10) as u8,
        b'0' + (status % 10) as u8,
        b' ',
    ]);
    out.extend(head.reason.bytes().filter(|&b| b == b'\t' || (b >= b' ' && b != 0x7f)));
    out.extend_from_slice(b"\r\n");
    encode_fields(&head.fields, framing == Framing::Declared, out);
    match framing {
        Framing::Absent | Framing::Declared | Framing::Close => {}
        Framing::Length(length) => encode_length(length, out),
        Framing::Chunked => out.extend_from_slice(b"transfer-encoding: chunked\r\n"),
    }
    if head.status == 101 {
        out.extend_from_slice(b"connection: upgrade\r\n");
    } else {
        out.extend_from_slice(match persistence {
            Persistence::KeepAlive => b"",
            Persistence::KeepAliveStated => b"connection: keep-alive\r\n",
            Persistence::Close => b"connection: close\r\n",
        });
    }
    out.extend_from_slice(b"\r\n");
}

/// Writes the size line of a chunk of `len` bytes.
pub fn encode_chunk_start(len: usize, out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let digits = (usize::BITS - len.leading_zeros()).div_ceil(4).max(1);
    for digit in (0..digits).rev() {
        out.push(HEX[(len >> (digit * 4)) & 15]);
    }
    out.extend_from_slice(b"\r\n");
}

/// Writes the line end after the data of a chunk.
pub fn encode_chunk_end(out: &mut Vec<u8>) {
    out.extend_from_slice(b"\r\n");
}

/// Writes the last chunk and the trailer section.
pub fn encode_trailers(trailers: Option<&Fields>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"0\r\n");
    if let Some(trailers) = trailers {
        encode_fields(trailers, false, out);
    }
    out.extend_from_slice(b"\r\n");
}

fn encode_fields(fields: &Fields, keep_length: bool, out: &mut Vec<u8>) {
    for (name, value) in fields.iter() {
        let framing = match name.len() {
            14 => !keep_length && name.eq_ignore_ascii_case(b"content-length"),
            17 => name.eq_ignore_ascii_case(b"transfer-encoding"),
            10 => name.eq_ignore_ascii_case(b"connection"),
            _ => false,
        };
        if framing {
            continue;
        }
        out.extend_from_slice(name);
        out.extend_from_slice(b": ");
        out.extend_from_slice(value);
        out.extend_from_slice(b"\r\n");
    }
}

fn encode_length(length: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(b"content-length: ");
    let mut digits = [0u8; 20];
    let mut at = digits.len();
    let mut rest = length;
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn framing_fields_of_the_head_are_replaced() {
        let mut head = ResponseHead::new(200);
        head.fields.append(b"Content-Length", b"999").expect("valid");
        head.fields.append(b"A", b"b").expect("valid");
        let mut out = Vec::new();
        encode_response(&head, Framing::Length(5), false, &mut out);
        assert_eq!(out, b"HTTP/1.1 200 OK\r\nA: b\r\ncontent-length: 5\r\nconnection: close\r\n\r\n");
    }

    #[test]
    fn chunk_sizes_are_hex() {
        for (len, text) in [(0, "0\r\n"), (15, "f\r\n"), (16, "10\r\n"), (0x1a2b, "1a2b\r\n")] {
            let mut out = Vec::new();
            encode_chunk_start(len, &mut out);
            assert_eq!(out, text.as_bytes());
        }
    }
}
