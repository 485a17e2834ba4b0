//! Reading and writing DER (X.690), only as much as certificates, keys and PFX files need.
//!
//! The reader never allocates, never panics and never looks past its slice; every length is checked
//! against what is there. It is strict (shortest lengths, definite form, one-byte tags). Files in the
//! older BER form are first brought to DER by [`crate::ber`].
//!
//! Object identifiers are handled as dotted text, so that code and tables read like the standards.

use std::ops::Range;

/// Tags used in this crate.
pub(crate) mod tag {
    pub(crate) const BOOLEAN: u8 = 0x01;
    pub(crate) const INTEGER: u8 = 0x02;
    pub(crate) const BIT_STRING: u8 = 0x03;
    pub(crate) const OCTET_STRING: u8 = 0x04;
    pub(crate) const NULL: u8 = 0x05;
    pub(crate) const OID: u8 = 0x06;
    pub(crate) const UTF8_STRING: u8 = 0x0c;
    pub(crate) const NUMERIC_STRING: u8 = 0x12;
    pub(crate) const PRINTABLE_STRING: u8 = 0x13;
    pub(crate) const TELETEX_STRING: u8 = 0x14;
    pub(crate) const IA5_STRING: u8 = 0x16;
    pub(crate) const UTC_TIME: u8 = 0x17;
    pub(crate) const GENERALIZED_TIME: u8 = 0x18;
    pub(crate) const VISIBLE_STRING: u8 = 0x1a;
    pub(crate) const UNIVERSAL_STRING: u8 = 0x1c;
    pub(crate) const BMP_STRING: u8 = 0x1e;
    pub(crate) const SEQUENCE: u8 = 0x30;
    pub(crate) const SET: u8 = 0x31;
}

/// The constructed context tag `[n]`.
pub(crate) const fn context(n: u8) -> u8 {
    0xa0 | n
}

/// The primitive context tag `[n]`.
pub(crate) const fn context_primitive(n: u8) -> u8 {
    0x80 | n
}

/// The bytes are not the DER that was expected. Carries no input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not valid DER")]
pub(crate) struct DerError;

/// One element: its tag, its content, and where the whole of it lies in the outermost input.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Element<'a> {
    pub(crate) tag: u8,
    pub(crate) value: &'a [u8],
    pub(crate) raw: &'a [u8],
    start: usize,
}

impl<'a> Element<'a> {
    /// Byte range of the whole element (tag and length included) in the outermost input.
    pub(crate) fn range(&self) -> Range<usize> {
        self.start..self.start + self.raw.len()
    }

    /// A reader over the content.
    pub(crate) fn reader(&self) -> Reader<'a> {
        let header_bytes = self.raw.len() - self.value.len();
        Reader { rest: self.value, offset: self.start + header_bytes }
    }
}

/// A cursor over consecutive DER elements.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
    offset: usize,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(input: &'a [u8]) -> Self {
        Self { rest: input, offset: 0 }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The tag of the next element, if there is one.
    pub(crate) fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    /// The next element, whatever it is.
    pub(crate) fn any(&mut self) -> Result<Element<'a>, DerError> {
        let (header_bytes, content_bytes) = header(self.rest)?;
        let total = header_bytes.checked_add(content_bytes).ok_or(DerError)?;
        let (raw, rest) = self.rest.split_at_checked(total).ok_or(DerError)?;
        let value = raw.get(header_bytes..).ok_or(DerError)?;
        let tag = *raw.first().ok_or(DerError)?;
        let start = self.offset;
        self.rest = rest;
        self.offset += total;
        Ok(Element { tag, value, raw, start })
    }

    /// The next element, which must have this tag.
    pub(crate) fn element(&mut self, tag: u8) -> Result<Element<'a>, DerError> {
        if self.peek() != Some(tag) {
            return Err(DerError);
        }
        self.any()
    }

    /// The content of the next element, which must have this tag.
    pub(crate) fn value(&mut self, tag: u8) -> Result<&'a [u8], DerError> {
        Ok(self.element(tag)?.value)
    }

    /// A reader over the next element's content; the element must have this tag.
    pub(crate) fn nested(&mut self, tag: u8) -> Result<Reader<'a>, DerError> {
        Ok(self.element(tag)?.reader())
    }

    /// A reader over the next element, a SEQUENCE.
    pub(crate) fn sequence(&mut self) -> Result<Reader<'a>, DerError> {
        self.nested(tag::SEQUENCE)
    }

    /// The next element if it has this tag.
    pub(crate) fn optional(&mut self, tag: u8) -> Result<Option<Element<'a>>, DerError> {
        if self.peek() == Some(tag) { self.any().map(Some) } else { Ok(None) }
    }

    /// The next element, an OBJECT IDENTIFIER, as dotted text.
    pub(crate) fn oid(&mut self) -> Result<String, DerError> {
        dotted(self.value(tag::OID)?)
    }

    /// The next element, a non-negative INTEGER that fits `u64`.
    pub(crate) fn unsigned(&mut self) -> Result<u64, DerError> {
        unsigned(self.value(tag::INTEGER)?)
    }

    /// The next element, a BOOLEAN.
    pub(crate) fn boolean(&mut self) -> Result<bool, DerError> {
        match self.value(tag::BOOLEAN)? {
            [0x00] => Ok(false),
            [0xff] => Ok(true),
            _ => Err(DerError),
        }
    }

    /// The next element, a BIT STRING of whole bytes, without its leading count.
    pub(crate) fn bit_string(&mut self) -> Result<&'a [u8], DerError> {
        match self.value(tag::BIT_STRING)?.split_first() {
            Some((0, bits)) => Ok(bits),
            _ => Err(DerError),
        }
    }

    /// Nothing may be left.
    pub(crate) fn end(&self) -> Result<(), DerError> {
        if self.rest.is_empty() { Ok(()) } else { Err(DerError) }
    }
}

/// Length of the header and of the content of the element at the start of `input`.
fn header(input: &[u8]) -> Result<(usize, usize), DerError> {
    let (&tag, rest) = input.split_first().ok_or(DerError)?;
    if tag & 0x1f == 0x1f {
        return Err(DerError);
    }
    let (&first, rest) = rest.split_first().ok_or(DerError)?;
    if first < 0x80 {
        return Ok((2, usize::from(first)));
    }
    let count = usize::from(first & 0x7f);
    if count == 0 || count > 4 {
        return Err(DerError);
    }
    let bytes = rest.get(..count).ok_or(DerError)?;
    let length = bytes.iter().fold(0usize, |sum, &byte| (sum << 8) | usize::from(byte));
    let shortest = length >= 0x80 && bytes.first() != Some(&0);
    if shortest { Ok((2 + count, length)) } else { Err(DerError) }
}

/// A non-negative INTEGER content as a number.
pub(crate) fn unsigned(content: &[u8]) -> Result<u64, DerError> {
    let digits = match content {
        [] => return Err(DerError),
        [0, rest @ ..] if !rest.is_empty() => rest,
        [first, ..] if first & 0x80 != 0 => return Err(DerError),
        all => all,
    };
    if digits.len() > 8 {
        return Err(DerError);
    }
    Ok(digits.iter().fold(0, |sum, &byte| (sum << 8) | u64::from(byte)))
}

/// An object identifier's content as dotted text.
pub(crate) fn dotted(content: &[u8]) -> Result<String, DerError> {
    if content.is_empty() || content.len() > 64 || content.last().is_some_and(|last| last & 0x80 != 0) {
        return Err(DerError);
    }
    let mut text = String::new();
    let mut arc: u64 = 0;
    for &byte in content {
        arc = arc.checked_mul(128).ok_or(DerError)? | u64::from(byte & 0x7f);
        if byte & 0x80 != 0 {
            continue;
        }
        if text.is_empty() {
            let first = (arc / 40).min(2);
            text.push_str(&format!("{first}.{}", arc - first * 40));
        } else {
            text.push_str(&format!(".{arc}"));
        }
        arc = 0;
    }
    Ok(text)
}

/// An element from its tag and content.
pub(crate) fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(content.len() + 6);
    out.push(tag);
    let length = content.len();
    if length < 0x80 {
        out.push(length as u8);
    } else {
        let bytes = length.to_be_bytes();
        let skip = bytes.iter().take_while(|&&byte| byte == 0).count();
        out.push(0x80 | (bytes.len() - skip) as u8);
        out.extend(bytes.iter().skip(skip));
    }
    out.extend_from_slice(content);
    out
}

/// A constructed element from its children, each already encoded.
pub(crate) fn constructed<T: AsRef<[u8]>>(tag: u8, children: &[T]) -> Vec<u8> {
    let mut content = Vec::new();
    for child in children {
        content.extend_from_slice(child.as_ref());
    }
    tlv(tag, &content)
}

/// A SEQUENCE of encoded children.
pub(crate) fn sequence<T: AsRef<[u8]>>(children: &[T]) -> Vec<u8> {
    constructed(tag::SEQUENCE, children)
}

/// A non-negative INTEGER from big-endian digits.
pub(crate) fn integer(digits: &[u8]) -> Vec<u8> {
    let skip = digits.iter().take_while(|&&byte| byte == 0).count();
    let mut content = Vec::with_capacity(digits.len() + 1);
    if digits.get(skip).is_none_or(|first| first & 0x80 != 0) {
        content.push(0);
    }
    content.extend(digits.iter().skip(skip));
    tlv(tag::INTEGER, &content)
}

/// A small INTEGER.
pub(crate) fn small(number: u32) -> Vec<u8> {
    integer(&number.to_be_bytes())
}

/// An OCTET STRING.
pub(crate) fn octets(content: &[u8]) -> Vec<u8> {
    tlv(tag::OCTET_STRING, content)
}

/// A BIT STRING of whole bytes.
pub(crate) fn bits(content: &[u8]) -> Vec<u8> {
    let mut with_count = vec![0];
    with_count.extend_from_slice(content);
    tlv(tag::BIT_STRING, &with_count)
}

/// NULL.
pub(crate) fn null() -> Vec<u8> {
    tlv(tag::NULL, &[])
}

/// An OBJECT IDENTIFIER from dotted text; the text comes from this crate's own tables.
pub(crate) fn oid(text: &str) -> Vec<u8> {
    let mut arcs = text.split('.').map(|arc| arc.parse::<u64>().unwrap_or(0));
    let first = arcs.next().unwrap_or(0) * 40 + arcs.next().unwrap_or(0);
    let mut content = Vec::new();
    for arc in std::iter::once(first).chain(arcs) {
        let groups = (64 - arc.leading_zeros()).div_ceil(7).max(1);
        for group in (0..groups).rev() {
            let more = if group == 0 { 0 } else { 0x80 };
            content.push(((arc >> (7 * group)) & 0x7f) as u8 | more);
        }
    }
    tlv(tag::OID, &content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn object_identifiers_survive_a_round_trip() {
        for text in ["1.2.840.113549.1.12.10.1.2", "2.5.29.19", "2.16.840.1.113894.746875.1.1", "2.999.3"] {
            let encoded = oid(text);
            assert_eq!(Reader::new(&encoded).oid().as_deref(), Ok(text));
        }
        assert_eq!(oid("1.2.840.113549"), [6, 6, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d]);
    }

    #[test]
    fn lengths_must_be_shortest_and_inside_the_input() {
        assert!(Reader::new(&[0x04, 0x81, 0x01, 0xaa]).any().is_err());
        assert!(Reader::new(&[0x04, 0x80, 0x00, 0x00]).any().is_err());
        assert!(Reader::new(&[0x04, 0x05, 0xaa]).any().is_err());
        assert!(Reader::new(&[0x1f, 0x01, 0xaa]).any().is_err());
        assert_eq!(Reader::new(&tlv(4, &[7; 300])).value(4).map(<[u8]>::len), Ok(300));
    }

    #[test]
    fn integers_keep_their_sign_byte() {
        assert_eq!(small(0), [2, 1, 0]);
        assert_eq!(small(128), [2, 2, 0, 128]);
        assert_eq!(unsigned(&[0, 128]), Ok(128));
        assert_eq!(unsigned(&[128]), Err(DerError));
    }

    #[test]
    fn ranges_point_into_the_outermost_input() {
        let input = sequence(&[small(5), octets(&[1, 2, 3])]);
        let mut inner = Reader::new(&input).sequence().unwrap();
        inner.any().unwrap();
        let range = inner.any().unwrap().range();
        assert_eq!(&input[range], octets(&[1, 2, 3]));
    }
}
