//! Content codings of bodies that a policy reads (specification 2.3): gzip and deflate are taken off, within
//! the limit of the reader. Others are told by name.

use bytes::Bytes;
use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use handfast_policy::ReadFailure;
use std::io::Read;

/// The body without its coding, or why it cannot be had.
pub(crate) fn decode(coding: &str, body: Bytes, bytes_max: usize) -> Result<Bytes, ReadFailure> {
    if body.is_empty() {
        // Answers to HEAD and 304 name the coding of a body that is not there.
        return Ok(body);
    }
    let input = body.as_ref();
    match coding.trim().to_ascii_lowercase().as_str() {
        "" | "identity" => Ok(body),
        "gzip" | "x-gzip" => read(MultiGzDecoder::new(input), bytes_max),
        // Servers send both forms under this name.
        "deflate" if is_zlib(input) => read(ZlibDecoder::new(input), bytes_max),
        "deflate" => read(DeflateDecoder::new(input), bytes_max),
        _ => {
            let text =
                format!("the body has the content coding \"{coding}\"; \"gzip\" and \"deflate\" can be read");
            Err(ReadFailure::Unreadable(text))
        }
    }
}

fn is_zlib(input: &[u8]) -> bool {
    matches!(input, [first, second, ..] if first & 0x0f == 8 && u16::from_be_bytes([*first, *second]) % 31 == 0)
}

fn read(decoder: impl Read, bytes_max: usize) -> Result<Bytes, ReadFailure> {
    let mut out = Vec::new();
    let limit = u64::try_from(bytes_max).unwrap_or(u64::MAX).saturating_add(1);
    decoder
        .take(limit)
        .read_to_end(&mut out)
        .map_err(|error| ReadFailure::Unreadable(format!("the body cannot be decoded: {error}")))?;
    if out.len() > bytes_max {
        return Err(ReadFailure::TooLarge);
    }
    Ok(out.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
    use std::io::Write;

    #[test]
    fn codings_are_taken_off_within_the_limit() {
        let text = "hello ".repeat(100);
        let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::default());
        let mut deflate = DeflateEncoder::new(Vec::new(), Compression::default());
        gzip.write_all(text.as_bytes()).expect("memory");
        zlib.write_all(text.as_bytes()).expect("memory");
        deflate.write_all(text.as_bytes()).expect("memory");
        for (coding, body) in [
            ("gzip", gzip.finish()),
            ("deflate", zlib.finish()),
            ("Deflate", deflate.finish()),
            ("identity", Ok(text.clone().into_bytes())),
        ] {
            let body = Bytes::from(body.expect("memory"));
            assert_eq!(decode(coding, body.clone(), 600), Ok(Bytes::from(text.clone())), "{coding}");
            if coding != "identity" {
                assert!(decode(coding, body.clone(), 599).is_err(), "{coding}");
                assert!(decode(coding, body.slice(..8), 600).is_err(), "{coding}");
            }
        }
        assert!(decode("br", Bytes::from_static(b"x"), 600).is_err());
        assert_eq!(decode("gzip", Bytes::new(), 600), Ok(Bytes::new()), "an answer to HEAD");
    }
}
