//! The certificate extensions that Handfast understands (RFC 5280 §4.2). Everything else is kept as bytes
//! and, when critical, listed, so that path validation refuses it.

use crate::certificate::CertificateError;
use crate::der::{DerError, Element, Reader, context, context_primitive, tag};
use crate::name::Name;
use std::collections::HashSet;
use std::net::IpAddr;
use std::ops::Range;

/// Basic constraints.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BasicConstraints {
    /// May issue certificates.
    pub ca: bool,
    /// How many further intermediates may follow.
    pub path_length: Option<u64>,
}

/// Subject alternative names, values as they stand in the certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SubjectAltNames {
    /// dNSName, raw: it may hold blanks or an IP literal.
    pub dns: Vec<String>,
    /// iPAddress.
    pub ip: Vec<IpAddr>,
    /// rfc822Name.
    pub email: Vec<String>,
    /// uniformResourceIdentifier.
    pub uri: Vec<String>,
    /// directoryName.
    pub directory: Vec<Name>,
    /// How many names of other kinds there are.
    pub other_count: usize,
}

/// One constrained subtree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GeneralName {
    /// Host name and all below it.
    Dns(String),
    /// Network address and mask, 4 or 16 bytes each.
    Ip(Vec<u8>, Vec<u8>),
    /// Mailbox, host, or `.domain`.
    Email(String),
    /// Host, or `.domain`.
    Uri(String),
    /// Leading part of a distinguished name.
    Directory(Name),
    /// A kind that is not processed.
    Unsupported,
    /// Not of the shape that RFC 5280 demands. The certificate can still be shown and stored, but no path
    /// leads through it.
    Malformed,
}

/// Name constraints of an issuer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NameConstraints {
    /// Whether the extension is critical.
    pub critical: bool,
    /// Names below must lie in one of these, per kind.
    pub permitted: Vec<GeneralName>,
    /// Names below must lie in none of these.
    pub excluded: Vec<GeneralName>,
}

/// All extensions of one certificate.
#[derive(Debug, Default)]
pub(crate) struct Extensions {
    pub(crate) all: Vec<(String, bool, Range<usize>)>,
    pub(crate) unknown_critical: Vec<String>,
    pub(crate) subject_alt_names: Option<SubjectAltNames>,
    pub(crate) extended_key_usage: Option<Vec<String>>,
    pub(crate) key_usage: Option<u16>,
    pub(crate) basic_constraints: Option<BasicConstraints>,
    pub(crate) subject_key_id: Option<Vec<u8>>,
    pub(crate) authority_key_id: Option<Vec<u8>>,
    pub(crate) name_constraints: Option<NameConstraints>,
    pub(crate) ocsp_urls: Vec<String>,
    pub(crate) crl_urls: Vec<String>,
    pub(crate) has_crl_points: bool,
}

/// Known extensions that need no processing here even when critical: the certificate policies, TLS
/// feature, Netscape type.
const TOLERATED: &[&str] = &["2.5.29.32", "1.3.6.1.5.5.7.1.24", "2.16.840.1.113730.1.1"];

/// Reads the content of the `[3]` wrapper.
pub(crate) fn read(mut wrapper: Reader<'_>) -> Result<Extensions, CertificateError> {
    let broken = |_: DerError| CertificateError::Malformed("extensions");
    let mut list = wrapper.sequence().map_err(broken)?;
    wrapper.end().map_err(broken)?;
    let mut extensions = Extensions::default();
    let mut seen = HashSet::new();
    while !list.is_empty() {
        let (oid, critical, content) = read_one(&mut list).map_err(broken)?;
        if !seen.insert(oid.clone()) {
            return Err(CertificateError::DuplicateExtension(oid));
        }
        extensions
            .take(&oid, critical, content)
            .map_err(|DerError| CertificateError::MalformedExtension(oid.clone()))?;
        let end = content.range().end;
        extensions.all.push((oid, critical, end - content.value.len()..end));
    }
    Ok(extensions)
}

fn read_one<'a>(list: &mut Reader<'a>) -> Result<(String, bool, Element<'a>), DerError> {
    let mut extension = list.sequence()?;
    let oid = extension.oid()?;
    let critical = if extension.peek() == Some(tag::BOOLEAN) { extension.boolean()? } else { false };
    let content = extension.element(tag::OCTET_STRING)?;
    extension.end()?;
    Ok((oid, critical, content))
}

impl Extensions {
    fn take(&mut self, oid: &str, critical: bool, content: Element<'_>) -> Result<(), DerError> {
        let mut reader = Reader::new(content.value);
        match oid {
            "2.5.29.14" => self.subject_key_id = Some(reader.value(tag::OCTET_STRING)?.to_vec()),
            "2.5.29.15" => self.key_usage = Some(key_usage(&mut reader)?),
            "2.5.29.17" => self.subject_alt_names = Some(subject_alt_names(&mut reader)?),
            "2.5.29.19" => self.basic_constraints = Some(basic_constraints(&mut reader)?),
            "2.5.29.30" => self.name_constraints = Some(name_constraints(&mut reader, critical)?),
            "2.5.29.31" => {
                self.crl_urls = crl_urls(&mut reader)?;
                self.has_crl_points = true;
            }
            "2.5.29.35" => self.authority_key_id = authority_key_id(&mut reader)?,
            "2.5.29.37" => self.extended_key_usage = Some(extended_key_usage(&mut reader)?),
            "1.3.6.1.5.5.7.1.1" => {
                // A malformed access list is common enough and decides nothing about trust.
                self.ocsp_urls = ocsp_urls(&mut reader).unwrap_or_default();
                return Ok(());
            }
            _ => {
                if critical && !TOLERATED.contains(&oid) {
                    self.unknown_critical.push(oid.to_owned());
                }
                return Ok(());
            }
        }
        reader.end()
    }
}

fn key_usage(reader: &mut Reader<'_>) -> Result<u16, DerError> {
    let content = reader.value(tag::BIT_STRING)?;
    let (_, bytes) = content.split_first().ok_or(DerError)?;
    let first = bytes.first().copied().unwrap_or(0).reverse_bits();
    let second = bytes.get(1).copied().unwrap_or(0).reverse_bits();
    Ok(u16::from_le_bytes([first, second]))
}

fn basic_constraints(reader: &mut Reader<'_>) -> Result<BasicConstraints, DerError> {
    let mut fields = reader.sequence()?;
    let ca = if fields.peek() == Some(tag::BOOLEAN) { fields.boolean()? } else { false };
    let path_length = if fields.is_empty() { None } else { Some(fields.unsigned()?) };
    fields.end()?;
    Ok(BasicConstraints { ca, path_length })
}

fn extended_key_usage(reader: &mut Reader<'_>) -> Result<Vec<String>, DerError> {
    let mut list = reader.sequence()?;
    let mut usages = Vec::new();
    while !list.is_empty() {
        usages.push(list.oid()?);
    }
    Ok(usages)
}

fn authority_key_id(reader: &mut Reader<'_>) -> Result<Option<Vec<u8>>, DerError> {
    let mut fields = reader.sequence()?;
    Ok(fields.optional(context_primitive(0))?.map(|key| key.value.to_vec()))
}

fn ia5(content: &[u8]) -> String {
    String::from_utf8_lossy(content).into_owned()
}

fn subject_alt_names(reader: &mut Reader<'_>) -> Result<SubjectAltNames, DerError> {
    let mut list = reader.sequence()?;
    let mut names = SubjectAltNames::default();
    while !list.is_empty() {
        let name = list.any()?;
        match name.tag {
            0x81 => names.email.push(ia5(name.value)),
            0x82 => names.dns.push(ia5(name.value)),
            0x86 => names.uri.push(ia5(name.value)),
            0x87 => names.ip.push(ip_address(name.value)?),
            0xa4 => names.directory.push(Name::parse(name.value)?),
            _ => names.other_count += 1,
        }
    }
    Ok(names)
}

fn ip_address(content: &[u8]) -> Result<IpAddr, DerError> {
    if let Ok(four) = <[u8; 4]>::try_from(content) {
        return Ok(four.into());
    }
    <[u8; 16]>::try_from(content).map(IpAddr::from).map_err(|_| DerError)
}

fn name_constraints(reader: &mut Reader<'_>, critical: bool) -> Result<NameConstraints, DerError> {
    let mut fields = reader.sequence()?;
    let permitted = fields.optional(context(0))?.map(|list| subtrees(list.reader())).transpose()?;
    let excluded = fields.optional(context(1))?.map(|list| subtrees(list.reader())).transpose()?;
    fields.end()?;
    let permitted = permitted.unwrap_or_default();
    let mut excluded = excluded.unwrap_or_default();
    // RFC 5280 forbids an extension that constrains nothing.
    if permitted.is_empty() && excluded.is_empty() {
        excluded.push(GeneralName::Malformed);
    }
    Ok(NameConstraints { critical, permitted, excluded })
}

fn subtrees(mut list: Reader<'_>) -> Result<Vec<GeneralName>, DerError> {
    let mut subtrees = Vec::new();
    while !list.is_empty() {
        let mut subtree = list.sequence()?;
        let base = subtree.any()?;
        // minimum must be 0 and maximum absent; an explicit default 0 is tolerated.
        let minimum = subtree.optional(context_primitive(0))?;
        let unlimited = minimum.is_none_or(|minimum| minimum.value == [0]) && subtree.is_empty();
        let base = constraint(base).unwrap_or(GeneralName::Malformed);
        subtrees.push(if unlimited { base } else { GeneralName::Malformed });
    }
    Ok(subtrees)
}

fn constraint(base: Element<'_>) -> Result<GeneralName, DerError> {
    Ok(match base.tag {
        0x81 => GeneralName::Email(ia5(base.value)),
        0x82 => match ia5(base.value) {
            dotted if dotted.starts_with('.') => return Err(DerError),
            host => GeneralName::Dns(host),
        },
        0x86 => GeneralName::Uri(ia5(base.value)),
        0x87 => {
            let half = match base.value.len() {
                8 => 4,
                32 => 16,
                _ => return Err(DerError),
            };
            let (network, mask) = base.value.split_at_checked(half).ok_or(DerError)?;
            if !is_prefix_mask(mask) {
                return Err(DerError);
            }
            GeneralName::Ip(network.to_vec(), mask.to_vec())
        }
        0xa4 => GeneralName::Directory(Name::parse(base.value)?),
        _ => GeneralName::Unsupported,
    })
}

/// Whether a mask is ones followed by zeros.
fn is_prefix_mask(mask: &[u8]) -> bool {
    let ones: u32 = mask.iter().map(|byte| byte.count_ones()).sum();
    let leading: u32 = {
        let full = mask.iter().take_while(|&&byte| byte == 0xff).count();
        full as u32 * 8 + mask.get(full).map_or(0, |byte| byte.leading_ones())
    };
    ones == leading
}

fn ocsp_urls(reader: &mut Reader<'_>) -> Result<Vec<String>, DerError> {
    let mut list = reader.sequence()?;
    let mut urls = Vec::new();
    while !list.is_empty() {
        let mut access = list.sequence()?;
        let method = access.oid()?;
        let location = access.any()?;
        if method == "1.3.6.1.5.5.7.48.1" && location.tag == 0x86 {
            urls.push(ia5(location.value));
        }
    }
    Ok(urls)
}

fn crl_urls(reader: &mut Reader<'_>) -> Result<Vec<String>, DerError> {
    let mut list = reader.sequence()?;
    let mut urls = Vec::new();
    while !list.is_empty() {
        let mut point = list.sequence()?;
        let Some(name) = point.optional(context(0))? else { continue };
        let Some(mut full) = name.reader().optional(context(0))?.map(|names| names.reader()) else {
            continue;
        };
        while !full.is_empty() {
            let location = full.any()?;
            if location.tag == 0x86 {
                urls.push(ia5(location.value));
            }
        }
    }
    Ok(urls)
}
