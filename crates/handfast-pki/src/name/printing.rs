//! The two printers of distinguished names, side by side so that they are not confused.

use super::Attribute;
use std::fmt::Write as _;

/// Attribute types: OID, Windows name (empty: printed as `OID.x`), OpenSSL short name.
const TYPES: &[(&str, &str, &str)] = &[
    ("2.5.4.3", "CN", "CN"),
    ("2.5.4.4", "SN", "SN"),
    ("2.5.4.5", "SERIALNUMBER", "serialNumber"),
    ("2.5.4.6", "C", "C"),
    ("2.5.4.7", "L", "L"),
    ("2.5.4.8", "S", "ST"),
    ("2.5.4.9", "STREET", "street"),
    ("2.5.4.10", "O", "O"),
    ("2.5.4.11", "OU", "OU"),
    ("2.5.4.12", "T", "title"),
    ("2.5.4.13", "Description", "description"),
    ("2.5.4.15", "", "businessCategory"),
    ("2.5.4.17", "PostalCode", "postalCode"),
    ("2.5.4.41", "", "name"),
    ("2.5.4.42", "G", "GN"),
    ("2.5.4.43", "I", "initials"),
    ("2.5.4.44", "", "generationQualifier"),
    ("2.5.4.45", "", "x500UniqueIdentifier"),
    ("2.5.4.46", "dnQualifier", "dnQualifier"),
    ("2.5.4.65", "", "pseudonym"),
    ("2.5.4.97", "", "organizationIdentifier"),
    ("0.9.2342.19200300.100.1.1", "", "UID"),
    ("0.9.2342.19200300.100.1.25", "DC", "DC"),
    ("1.2.840.113549.1.9.1", "E", "emailAddress"),
    ("1.2.840.113549.1.9.2", "", "unstructuredName"),
    ("1.3.6.1.4.1.311.60.2.1.1", "", "jurisdictionL"),
    ("1.3.6.1.4.1.311.60.2.1.2", "", "jurisdictionST"),
    ("1.3.6.1.4.1.311.60.2.1.3", "", "jurisdictionC"),
];

/// .NET on Windows: RDNs reversed, `, ` between, ` + ` inside, quotes where needed.
pub(super) fn dotnet(rdns: &[Vec<Attribute>]) -> String {
    let parts: Vec<String> = rdns
        .iter()
        .rev()
        .map(|rdn| rdn.iter().map(dotnet_attribute).collect::<Vec<_>>().join(" + "))
        .collect();
    parts.join(", ")
}

fn dotnet_attribute(attribute: &Attribute) -> String {
    let known = TYPES.iter().find(|(oid, windows, _)| *oid == attribute.oid && !windows.is_empty());
    let label =
        known.map_or_else(|| format!("OID.{}", attribute.oid), |(_, windows, _)| (*windows).to_owned());
    match attribute.text() {
        Some(text) => format!("{label}={}", dotnet_quoted(&text)),
        None => format!("{label}=#{}", hex_upper(&attribute.der())),
    }
}

fn dotnet_quoted(text: &str) -> String {
    let blank = |c: char| c == ' ' || c == '\t' || c == '\n' || c == '\r';
    let quote = text.is_empty()
        || text.starts_with(blank)
        || text.ends_with(blank)
        || text.contains([',', '+', '=', '"', '\n', '<', '>', '#', ';']);
    if quote { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() }
}

/// RFC 2253 with OpenSSL's names and escapes: everything reversed, `,` and `+` without blanks.
pub(super) fn rfc2253(rdns: &[Vec<Attribute>]) -> String {
    let parts: Vec<String> = rdns
        .iter()
        .rev()
        .map(|rdn| rdn.iter().rev().map(rfc2253_attribute).collect::<Vec<_>>().join("+"))
        .collect();
    parts.join(",")
}

fn rfc2253_attribute(attribute: &Attribute) -> String {
    let known = TYPES.iter().find(|(oid, ..)| *oid == attribute.oid);
    match (known, attribute.text()) {
        (Some((_, _, short)), Some(text)) => format!("{short}={}", rfc2253_escaped(&text)),
        (Some((_, _, short)), None) => format!("{short}=#{}", hex_upper(&attribute.der())),
        (None, _) => format!("{}=#{}", attribute.oid, hex_upper(&attribute.der())),
    }
}

fn rfc2253_escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let last = text.len().saturating_sub(1);
    for (index, byte) in text.bytes().enumerate() {
        match byte {
            b',' | b'+' | b'"' | b'\\' | b'<' | b'>' | b';' => {
                out.push('\\');
                out.push(char::from(byte));
            }
            b'#' if index == 0 => out.push_str("\\#"),
            b' ' if index == 0 || index == last => out.push_str("\\ "),
            0x20..=0x7e => out.push(char::from(byte)),
            _ => {
                let _ = write!(out, "\\{byte:02X}");
            }
        }
    }
    out
}

fn hex_upper(bytes: &[u8]) -> String {
    crate::hex::upper(bytes)
}
