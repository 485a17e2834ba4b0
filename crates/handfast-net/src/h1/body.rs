//! Body decoding without IO (RFC 9112 §7.1): a decoder looks at received bytes and says how many framing
//! bytes to skip and how many data bytes follow. It never copies.

use crate::Limits;
use handfast_core::message::{Fields, is_field_value, is_token};

/// A body that broke its own framing; the connection cannot be used any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyFailure {
    /// A chunk size that is not 1 to 16 hex digits, or a line that does not end in CRLF.
    #[error("malformed chunked coding")]
    Chunk,
    /// Chunk extensions or trailers above the limit.
    #[error("chunk extensions or trailers above the limit")]
    TooLarge,
    /// The peer closed before the end.
    #[error("message body ended early")]
    Truncated,
    /// The body is longer than the listener allows.
    #[error("message body above the limit")]
    BodyTooLarge,
    /// No bytes arrived in time.
    #[error("message body timed out")]
    Timeout,
    /// The transport failed.
    #[error("connection failed while a body was read")]
    Io,
}

/// What the next bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// More bytes are needed to tell.
    Need,
    /// After `skip` bytes of framing come `len` bytes of data (`len > 0`).
    Data {
        /// Framing bytes to drop first.
        skip: usize,
        /// Data bytes available after them.
        len: usize,
    },
    /// After `skip` bytes of framing the body is complete.
    End {
        /// Framing bytes to drop.
        skip: usize,
    },
}

/// The state of one body.
#[derive(Clone, Debug)]
pub struct BodyDecoder {
    state: State,
    extension_bytes: usize,
    trailer_bytes: usize,
    /// Trailer fields, when the body had any.
    pub trailers: Option<Fields>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Length(u64),
    Close,
    ChunkSize,
    ChunkData(u64),
    ChunkEnd,
    Trailers,
    Done,
}

impl BodyDecoder {
    /// A body that is complete already.
    pub fn empty() -> Self {
        Self::new(State::Done)
    }

    /// A body of `length` bytes.
    pub fn length(length: u64) -> Self {
        Self::new(if length == 0 { State::Done } else { State::Length(length) })
    }

    /// A chunked body.
    pub fn chunked() -> Self {
        Self::new(State::ChunkSize)
    }

    /// A body that ends when the peer closes.
    pub fn until_close() -> Self {
        Self::new(State::Close)
    }

    fn new(state: State) -> Self {
        Self { state, extension_bytes: 0, trailer_bytes: 0, trailers: None }
    }

    /// Whether the end was seen.
    pub fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// Bytes that remain, if the length is known.
    pub fn remaining(&self) -> Option<u64> {
        match self.state {
            State::Length(left) => Some(left),
            State::Done => Some(0),
            _ => None,
        }
    }

    /// What the bytes at the front of the receive buffer are. The caller drops `skip` bytes, then uses up
    /// to `len` and reports what it used through [`BodyDecoder::used`].
    pub fn step(&mut self, input: &[u8], limits: &Limits) -> Result<Step, BodyFailure> {
        let mut skip = 0;
        loop {
            let rest = &input[skip..];
            match self.state {
                State::Done => return Ok(Step::End { skip }),
                State::Length(_) | State::Close | State::ChunkData(_) if rest.is_empty() => {
                    return Ok(if skip == 0 { Step::Need } else { Step::Data { skip, len: 0 } });
                }
                State::Length(left) | State::ChunkData(left) => {
                    let len = usize::try_from(left).unwrap_or(usize::MAX).min(rest.len());
                    return Ok(Step::Data { skip, len });
                }
                State::Close => return Ok(Step::Data { skip, len: rest.len() }),
                State::ChunkSize | State::ChunkEnd | State::Trailers => match self.line(rest, limits)? {
                    Some(used) => skip += used,
                    None if skip == 0 => return Ok(Step::Need),
                    None => return Ok(Step::Data { skip, len: 0 }),
                },
            }
        }
    }

    /// Records that `count` data bytes were taken.
    pub fn used(&mut self, count: usize) {
        let count = count as u64;
        self.state = match self.state {
            State::Length(left) if left <= count => State::Done,
            State::Length(left) => State::Length(left - count),
            State::ChunkData(left) if left <= count => State::ChunkEnd,
            State::ChunkData(left) => State::ChunkData(left - count),
            other => other,
        };
    }

    /// The peer closed its side: fine only for a body that ends that way.
    pub fn eof(&mut self) -> Result<(), BodyFailure> {
        match self.state {
            State::Close | State::Done => {
                self.state = State::Done;
                Ok(())
            }
            _ => Err(BodyFailure::Truncated),
        }
    }

    /// Takes one framing line; `None` when it is not complete yet.
    fn line(&mut self, input: &[u8], limits: &Limits) -> Result<Option<usize>, BodyFailure> {
        let Some(lf) = input.iter().position(|&b| b == b'\n') else {
            return self.incomplete(input, limits).map(|()| None);
        };
        let Some(line) = input[..lf].strip_suffix(b"\r") else { return Err(BodyFailure::Chunk) };
        if line.contains(&b'\r') {
            return Err(BodyFailure::Chunk);
        }
        match self.state {
            State::ChunkSize => self.chunk_size(line, limits)?,
            State::ChunkEnd if line.is_empty() => self.state = State::ChunkSize,
            State::Trailers if line.is_empty() => self.state = State::Done,
            State::Trailers => self.trailer(line, limits)?,
            _ => return Err(BodyFailure::Chunk),
        }
        Ok(Some(lf + 1))
    }

    /// Refuses a line that can no longer become valid, so that a slow peer cannot grow it without bound.
    fn incomplete(&self, input: &[u8], limits: &Limits) -> Result<(), BodyFailure> {
        let (used, max) = match self.state {
            State::ChunkSize => {
                let digits = input.iter().take_while(|b| b.is_ascii_hexdigit()).count();
                let next_ok = input.get(digits).is_none_or(|b| b";\r \t".contains(b));
                if digits > 16 || !next_ok || (digits == 0 && !input.is_empty()) {
                    return Err(BodyFailure::Chunk);
                }
                (self.extension_bytes, limits.chunk_extension_bytes_max + 16)
            }
            State::Trailers => (self.trailer_bytes, limits.trailer_bytes_max),
            _ if !b"\r".starts_with(input) => return Err(BodyFailure::Chunk),
            _ => (0, 2),
        };
        if used + input.len() > max { Err(BodyFailure::TooLarge) } else { Ok(()) }
    }

    /// `chunk-size [ chunk-ext ]`: 1 to 16 hex digits, then nothing or blanks and `;`.
    fn chunk_size(&mut self, line: &[u8], limits: &Limits) -> Result<(), BodyFailure> {
        let digits = line.iter().take_while(|b| b.is_ascii_hexdigit()).count();
        if digits == 0 || digits > 16 {
            return Err(BodyFailure::Chunk);
        }
        let (size, extension) = line.split_at(digits);
        if !extension.is_empty() {
            let text = extension.trim_ascii_start();
            if text.first() != Some(&b';')
                || !extension.iter().all(|&b| b == b'\t' || (b >= b' ' && b != 0x7f))
            {
                return Err(BodyFailure::Chunk);
            }
            self.extension_bytes += extension.len();
            if self.extension_bytes > limits.chunk_extension_bytes_max {
                return Err(BodyFailure::TooLarge);
            }
        }
        let size = size
            .iter()
            .try_fold(0u64, |n, &b| n.checked_mul(16)?.checked_add(u64::from(char::from(b).to_digit(16)?)))
            .filter(|&size| size <= i64::MAX as u64)
            .ok_or(BodyFailure::Chunk)?;
        self.state = if size == 0 { State::Trailers } else { State::ChunkData(size) };
        Ok(())
    }

    /// One trailer line. Fields that would change framing, routing or authority are dropped (RFC 9110 §6.5.1).
    fn trailer(&mut self, line: &[u8], limits: &Limits) -> Result<(), BodyFailure> {
        self.trailer_bytes += line.len() + 2;
        if self.trailer_bytes > limits.trailer_bytes_max {
            return Err(BodyFailure::TooLarge);
        }
        let colon = line.iter().position(|&b| b == b':').ok_or(BodyFailure::Chunk)?;
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        if !is_token(name) || !is_field_value(value) {
            return Err(BodyFailure::Chunk);
        }
        if is_allowed_trailer(name) {
            let trailers = self.trailers.get_or_insert_default();
            trailers.append_checked(name, value).map_err(|_| BodyFailure::TooLarge)?;
        }
        Ok(())
    }
}

/// Whether a field may arrive after the body.
pub(crate) fn is_allowed_trailer(name: &[u8]) -> bool {
    const FORBIDDEN: [&[u8]; 14] = [
        b"transfer-encoding",
        b"content-length",
        b"host",
        b"authorization",
        b"cookie",
        b"set-cookie",
        b"content-encoding",
        b"content-type",
        b"content-range",
        b"trailer",
        b"cache-control",
        b"max-forwards",
        b"www-authenticate",
        b"te",
    ];
    !super::request::is_hop_by_hop(name)
        && !FORBIDDEN.iter().any(|f| name.eq_ignore_ascii_case(f))
        && !name.get(..2).is_some_and(|start| start.eq_ignore_ascii_case(b"x-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds the input in pieces of `size` bytes and collects the data; `Ok((data, left over, trailers))`.
    fn decode(input: &[u8], size: usize) -> Result<(Vec<u8>, usize, Option<Fields>), BodyFailure> {
        let limits = Limits::default();
        let mut decoder = BodyDecoder::chunked();
        let (mut buffer, mut data, mut fed) = (Vec::new(), Vec::new(), 0);
        loop {
            match decoder.step(&buffer, &limits)? {
                Step::End { skip } => {
                    return Ok((data, buffer.len() - skip + input.len() - fed, decoder.trailers));
                }
                Step::Data { skip, len } => {
                    data.extend_from_slice(&buffer[skip..skip + len]);
                    buffer.drain(..skip + len);
                    decoder.used(len);
                }
                Step::Need if fed == input.len() => {
                    decoder.eof()?;
                }
                Step::Need => {
                    let next = (fed + size).min(input.len());
                    buffer.extend_from_slice(&input[fed..next]);
                    fed = next;
                }
            }
        }
    }

    #[test]
    fn chunked_bodies_decode_alike_for_any_split() {
        let input =
            b"5\r\nhello\r\n00A;x=\"y\"\r\n0123456789\r\n0\r\nGrpc-Status: 0\r\nHost: evil\r\n\r\nNEXT";
        for size in 1..=input.len() {
            let (data, left, trailers) = decode(input, size).expect("valid");
            assert_eq!((data.as_slice(), left), (&b"hello0123456789"[..], 4), "{size}");
            let trailers = trailers.expect("trailers");
            assert_eq!((trailers.get(b"grpc-status"), trailers.len()), (Some(&b"0"[..]), 1));
        }
    }

    #[test]
    fn broken_chunked_codings_are_refused_for_any_split() {
        for bad in [
            &b"0x5\r\nhello\r\n0\r\n\r\n"[..],
            b"-1\r\n\r\n",
            b"+5\r\nhello\r\n0\r\n\r\n",
            b"11111111111111111\r\n",
            b"8000000000000000\r\n",
            b"5\nhello\r\n0\r\n\r\n",
            b"5\r\nhello0\r\n\r\n",
            b"5\r\nhello\n0\r\n\r\n",
            b"5 x\r\nhello\r\n0\r\n\r\n",
            b"\r\nhello",
            b"5;a\rb\r\nhello\r\n0\r\n\r\n",
            b"0\r\nbad trailer\r\n\r\n",
            b"0\r\nA : b\r\n\r\n",
            b"0\r\nA: b\n\r\n",
            b"5\r\nhel",
            b"0\r\n",
        ] {
            for size in 1..=bad.len() {
                assert!(decode(bad, size).is_err(), "{:?} in pieces of {size}", String::from_utf8_lossy(bad));
            }
        }
    }

    #[test]
    fn extensions_and_trailers_are_bounded_even_without_a_line_end() {
        let long = [b"5;a=".to_vec(), vec![b'x'; 17 * 1024]].concat();
        assert_eq!(decode(&long, 1000).err(), Some(BodyFailure::TooLarge));
        let many: Vec<u8> = (0..5000).flat_map(|_| b"1;a=bcdef\r\nx\r\n".to_vec()).collect();
        assert_eq!(decode(&many, 1000).err(), Some(BodyFailure::TooLarge));
        let trailer = [b"0\r\nA: ".to_vec(), vec![b'x'; 17 * 1024]].concat();
        assert_eq!(decode(&trailer, 1000).err(), Some(BodyFailure::TooLarge));
    }
}
