//! Distinguished names: parsed attributes, comparison, and the two ways of printing.
//!
//! *Comparison* follows RFC 5280 §7.1: letters without case, runs of blanks as one, string types alike.
//! *Printing* has two styles, both checked against golden texts: the one of .NET on Windows (policy
//! expressions, vault) and RFC 2253 as OpenSSL prints it (edge variables). The order of both is that of
//! Windows and of RFC 2253: the last RDN of the certificate comes first.

use crate::der::{self, DerError, Reader, tag};

mod printing;

/// One attribute of a distinguished name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribute {
    /// The attribute type, dotted.
    pub oid: String,
    /// The DER tag of the value.
    tag: u8,
    /// The value's content bytes.
    content: Vec<u8>,
}

impl Attribute {
    /// The value as text, if its type is one of the ASN.1 string types.
    pub fn text(&self) -> Option<String> {
        decode(self.tag, &self.content)
    }

    fn der(&self) -> Vec<u8> {
        der::tlv(self.tag, &self.content)
    }

    /// What equal attributes have in common.
    fn canonical(&self) -> Vec<u8> {
        let value = match self.text() {
            Some(text) => {
                let folded: Vec<String> = text.split_whitespace().map(str::to_lowercase).collect();
                der::tlv(tag::UTF8_STRING, folded.join(" ").as_bytes())
            }
            None => self.der(),
        };
        der::sequence(&[der::oid(&self.oid), value])
    }
}

/// A distinguished name as it stands in a certificate.
#[derive(Clone, Debug)]
pub struct Name {
    der: Vec<u8>,
    rdns: Vec<Vec<Attribute>>,
    canonical: Vec<Vec<u8>>,
}

impl Name {
    /// Reads the DER of a `Name`, the SEQUENCE included.
    pub(crate) fn parse(raw: &[u8]) -> Result<Self, DerError> {
        let mut outer = Reader::new(raw);
        let mut sequence = outer.sequence()?;
        outer.end()?;
        let mut rdns = Vec::new();
        while !sequence.is_empty() {
            let mut set = sequence.nested(tag::SET)?;
            let mut rdn = Vec::new();
            while !set.is_empty() {
                let mut pair = set.sequence()?;
                let oid = pair.oid()?;
                let value = pair.any()?;
                pair.end()?;
                rdn.push(Attribute { oid, tag: value.tag, content: value.value.to_vec() });
            }
            if rdn.is_empty() {
                return Err(DerError);
            }
            rdns.push(rdn);
        }
        let canonical = rdns.iter().map(|rdn| canonical_rdn(rdn)).collect();
        Ok(Self { der: raw.to_vec(), rdns, canonical })
    }

    /// A name of one common name, as the instance's own CA writes it.
    pub(crate) fn common_name_only(common_name: &str) -> Vec<u8> {
        let value = der::tlv(tag::UTF8_STRING, common_name.as_bytes());
        let attribute = der::sequence(&[der::oid("2.5.4.3"), value]);
        der::sequence(&[der::constructed(tag::SET, &[attribute])])
    }

    /// The DER bytes, as they were signed.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// Whether the name has no attribute at all.
    pub fn is_empty(&self) -> bool {
        self.rdns.is_empty()
    }

    /// The attributes in certificate order.
    pub fn attributes(&self) -> impl Iterator<Item = &Attribute> {
        self.rdns.iter().flatten()
    }

    /// The last common name, as text.
    pub fn common_name(&self) -> Option<String> {
        self.attributes().filter(|attribute| attribute.oid == "2.5.4.3").last().and_then(Attribute::text)
    }

    /// RFC 5280 equality: case and runs of blanks do not matter.
    pub fn matches(&self, other: &Self) -> bool {
        self.canonical == other.canonical
    }

    /// Whether this name lies below `base`: the first RDNs are equal (directoryName constraints).
    pub(crate) fn is_within(&self, base: &Self) -> bool {
        self.canonical.starts_with(&base.canonical)
    }

    /// As .NET on Windows prints it: `CN=api, O="Fabrikam, Inc.", S=Ohio`.
    pub fn dotnet(&self) -> String {
        printing::dotnet(&self.rdns)
    }

    /// RFC 2253 as OpenSSL and nginx print it: `CN=api,O=Fabrikam\, Inc.,ST=Ohio`.
    pub fn rfc2253(&self) -> String {
        printing::rfc2253(&self.rdns)
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        self.matches(other)
    }
}

impl Eq for Name {}

fn canonical_rdn(rdn: &[Attribute]) -> Vec<u8> {
    let mut parts: Vec<Vec<u8>> = rdn.iter().map(Attribute::canonical).collect();
    parts.sort();
    parts.concat()
}

/// Text of an ASN.1 string type; `None` for other types and for bytes that are not of the type.
pub(crate) fn decode(tag: u8, content: &[u8]) -> Option<String> {
    match tag {
        tag::UTF8_STRING => String::from_utf8(content.to_vec()).ok(),
        tag::PRINTABLE_STRING
        | tag::IA5_STRING
        | tag::NUMERIC_STRING
        | tag::VISIBLE_STRING
        | tag::TELETEX_STRING => Some(content.iter().map(|&byte| char::from(byte)).collect()),
        tag::BMP_STRING if content.len().is_multiple_of(2) => {
            let units =
                content.chunks_exact(2).filter_map(|pair| pair.try_into().ok().map(u16::from_be_bytes));
            char::decode_utf16(units).collect::<Result<String, _>>().ok()
        }
        tag::UNIVERSAL_STRING if content.len().is_multiple_of(4) => content
            .chunks_exact(4)
            .map(|unit| unit.try_into().ok().map(u32::from_be_bytes).and_then(char::from_u32))
            .collect(),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
