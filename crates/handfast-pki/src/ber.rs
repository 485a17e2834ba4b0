//! From BER to DER: indefinite lengths, chunked octet strings and long-form lengths, as Java, Firefox and old
//! CMS tools write them. Only the framing changes; values stay as they are.

use crate::der::{self, DerError, tag};
use zeroize::Zeroizing;

/// Deepest nesting that is followed.
const DEPTH_MAX: usize = 24;

/// The same element in DER framing; trailing bytes are refused.
pub(crate) fn to_der(input: &[u8]) -> Result<Zeroizing<Vec<u8>>, DerError> {
    let (element, rest) = element(input, 0)?;
    if rest.is_empty() { Ok(element) } else { Err(DerError) }
}

/// One element and what follows it.
fn element(input: &[u8], depth: usize) -> Result<(Zeroizing<Vec<u8>>, &[u8]), DerError> {
    if depth > DEPTH_MAX {
        return Err(DerError);
    }
    let (&tag, after_tag) = input.split_first().ok_or(DerError)?;
    if tag & 0x1f == 0x1f {
        return Err(DerError);
    }
    let constructed = tag & 0x20 != 0;
    let (length, content) = length(after_tag)?;
    match length {
        Some(length) => {
            let (content, rest) = content.split_at_checked(length).ok_or(DerError)?;
            if !constructed {
                return Ok((Zeroizing::new(der::tlv(tag, content)), rest));
            }
            let (children, _) = children(content, depth, false)?;
            Ok((assemble(tag, &children), rest))
        }
        None if constructed => {
            let (children, rest) = children(content, depth, true)?;
            Ok((assemble(tag, &children), rest))
        }
        None => Err(DerError),
    }
}

/// The length octets: `None` is the indefinite form.
fn length(input: &[u8]) -> Result<(Option<usize>, &[u8]), DerError> {
    let (&first, rest) = input.split_first().ok_or(DerError)?;
    if first < 0x80 {
        return Ok((Some(usize::from(first)), rest));
    }
    let count = usize::from(first & 0x7f);
    if count == 0 {
        return Ok((None, rest));
    }
    let (bytes, rest) = rest.split_at_checked(count).ok_or(DerError)?;
    let skip = bytes.iter().take_while(|&&byte| byte == 0).count();
    if count - skip > 4 {
        return Err(DerError);
    }
    Ok((Some(bytes.iter().fold(0usize, |sum, &byte| (sum << 8) | usize::from(byte))), rest))
}

type Children<'a> = (Vec<Zeroizing<Vec<u8>>>, &'a [u8]);

/// Children up to the end of the slice, or up to the end-of-contents octets.
fn children(mut input: &[u8], depth: usize, until_mark: bool) -> Result<Children<'_>, DerError> {
    let mut children = Vec::new();
    loop {
        match input {
            [0, 0, rest @ ..] if until_mark => return Ok((children, rest)),
            [] if until_mark => return Err(DerError),
            [] => return Ok((children, input)),
            _ => {}
        }
        let (child, rest) = element(input, depth + 1)?;
        children.push(child);
        input = rest;
    }
}

/// An element of children; a chunked octet string becomes one primitive.
fn assemble(tag: u8, children: &[Zeroizing<Vec<u8>>]) -> Zeroizing<Vec<u8>> {
    if tag == tag::OCTET_STRING | 0x20 {
        let mut joined = Zeroizing::new(Vec::new());
        for child in children {
            let content = der::Reader::new(child).any().map(|chunk| chunk.value).unwrap_or_default();
            joined.extend_from_slice(content);
        }
        return Zeroizing::new(der::octets(&joined));
    }
    Zeroizing::new(der::constructed(tag, &children.iter().map(|child| child.as_slice()).collect::<Vec<_>>()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indefinite_lengths_and_chunks_become_definite() {
        let input =
            [0x30, 0x80, 0x24, 0x80, 0x04, 0x01, 0xaa, 0x04, 0x81, 0x01, 0xbb, 0, 0, 0x02, 0x01, 0x05, 0, 0];
        let expected = der::sequence(&[der::octets(&[0xaa, 0xbb]), der::small(5)]);
        assert_eq!(to_der(&input).unwrap().as_slice(), expected);
        assert_eq!(to_der(&expected).unwrap().as_slice(), expected, "DER stays as it is");
    }

    #[test]
    fn unfinished_and_bottomless_input_is_refused() {
        assert!(to_der(&[0x30, 0x80, 0x02, 0x01, 0x05]).is_err());
        assert!(to_der(&[0x04, 0x80, 0, 0]).is_err());
        assert!(to_der(&[0x30, 0x80].repeat(5000)).is_err());
    }
}
