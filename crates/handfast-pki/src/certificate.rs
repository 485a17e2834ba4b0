//! A certificate, parsed once and shared cheaply.
//!
//! The DER is kept as it came; everything that display, policies, matching and path validation need is
//! read at parse time. Parsing is lenient where real certificates are (odd serials, names with blanks,
//! dates after 2049) and strict where leniency would be dangerous (duplicate extensions, an inner
//! signature algorithm that differs from the outer one, malformed known extensions).
//! It does *not* judge: see [`crate::path`].

use crate::civil;
use crate::der::{DerError, Reader, context, context_primitive, tag};
use crate::extensions::{self, Extensions};
use crate::name::Name;
use crate::public_key::PublicKey;
use crate::{digest, hex, signature};
use handfast_core::UnixTime;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

pub use crate::extensions::{BasicConstraints, GeneralName, NameConstraints, SubjectAltNames};

/// Largest certificate that is read, in bytes.
pub const CERTIFICATE_BYTES_MAX: usize = 128 * 1024;

/// Why bytes are not a certificate. Carries no input bytes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateError {
    /// Not the DER of an X.509 certificate.
    #[error("not an X.509 certificate in DER form: the part \"{0}\" cannot be read")]
    Malformed(&'static str),
    /// Larger than [`CERTIFICATE_BYTES_MAX`].
    #[error("certificate of {0} bytes is too large, at most {CERTIFICATE_BYTES_MAX} are read")]
    TooLarge(usize),
    /// The same extension twice.
    #[error("certificate has the extension \"{0}\" twice")]
    DuplicateExtension(String),
    /// The signature algorithm inside the signed part differs from the one outside.
    #[error("certificate names two different signature algorithms")]
    AlgorithmMismatch,
    /// A known extension whose content is not what its standard says.
    #[error("certificate has a malformed extension \"{0}\"")]
    MalformedExtension(String),
}

impl CertificateError {
    /// A stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "CertificateMalformed",
            Self::TooLarge(_) => "CertificateTooLarge",
            Self::DuplicateExtension(_) => "CertificateDuplicateExtension",
            Self::AlgorithmMismatch => "CertificateAlgorithmMismatch",
            Self::MalformedExtension(_) => "CertificateMalformedExtension",
        }
    }
}

/// A parsed X.509 certificate. Cloning shares it; equality is that of the DER.
#[derive(Clone)]
pub struct Certificate(Arc<Parsed>);

struct Parsed {
    der: Arc<[u8]>,
    sha256: [u8; 32],
    tbs: Range<usize>,
    spki: Range<usize>,
    signature_algorithm: Range<usize>,
    signature: Range<usize>,
    version: u8,
    serial: Vec<u8>,
    issuer: Name,
    subject: Name,
    not_before: UnixTime,
    not_after: UnixTime,
    public_key: PublicKey,
    extensions: Extensions,
    self_signed: OnceLock<bool>,
}

// === impl Certificate ===

impl Certificate {
    /// Reads the DER of exactly one certificate.
    pub fn parse(der: &[u8]) -> Result<Self, CertificateError> {
        if der.len() > CERTIFICATE_BYTES_MAX {
            return Err(CertificateError::TooLarge(der.len()));
        }
        let outer = |_: DerError| CertificateError::Malformed("certificate");
        let mut whole = Reader::new(der);
        let mut certificate = whole.sequence().map_err(outer)?;
        whole.end().map_err(outer)?;
        let tbs = certificate.element(tag::SEQUENCE).map_err(outer)?;
        let algorithm = certificate.element(tag::SEQUENCE).map_err(outer)?;
        let signature = certificate.element(tag::BIT_STRING).map_err(outer)?;
        certificate.end().map_err(outer)?;
        if signature.value.first() != Some(&0) {
            return Err(CertificateError::Malformed("signature"));
        }
        let fields = Fields::read(tbs.reader())?;
        if der.get(fields.inner_algorithm.clone()) != Some(algorithm.raw) {
            return Err(CertificateError::AlgorithmMismatch);
        }
        let signature_end = signature.range().end;
        Ok(Self(Arc::new(Parsed {
            der: der.into(),
            sha256: digest::sha256(&[der]),
            tbs: tbs.range(),
            spki: fields.spki,
            signature_algorithm: algorithm.range(),
            signature: signature_end + 1 - signature.value.len()..signature_end,
            version: fields.version,
            serial: fields.serial,
            issuer: fields.issuer,
            subject: fields.subject,
            not_before: fields.not_before,
            not_after: fields.not_after,
            public_key: fields.public_key,
            extensions: fields.extensions,
            self_signed: OnceLock::new(),
        })))
    }

    /// Reads what a TLS peer presented, leaf first. The leaf must be readable; of the others, those that are not
    /// cannot be part of a path and are left out.
    pub fn parse_presented<T: AsRef<[u8]>>(ders: &[T]) -> Result<Vec<Self>, CertificateError> {
        let Some((leaf, others)) = ders.split_first() else { return Ok(Vec::new()) };
        let mut chain = vec![Self::parse(leaf.as_ref())?];
        chain.extend(others.iter().filter_map(|der| Self::parse(der.as_ref()).ok()));
        Ok(chain)
    }

    /// Whether `text` is the certificate's thumbprint, SHA-1 or SHA-256, in any way of writing
    /// (see [`crate::hex::normalise`]).
    pub fn has_thumbprint(&self, text: &str) -> bool {
        let digits = hex::normalise(text);
        digits == self.thumbprint() || digits == self.thumbprint_sha256()
    }

    /// Whether `text` is the certificate's serial number; leading zeros do not matter.
    pub fn has_serial(&self, text: &str) -> bool {
        let (wanted, own) = (hex::normalise(text), self.serial_hex());
        !wanted.is_empty() && wanted.trim_start_matches('0') == own.trim_start_matches('0')
    }

    /// The certificate's bytes.
    pub fn der(&self) -> &[u8] {
        &self.0.der
    }

    /// The certificate as rustls wants it.
    pub fn to_pki_types(&self) -> rustls_pki_types::CertificateDer<'static> {
        self.der().to_vec().into()
    }

    /// X.509 version: 1, 2 or 3.
    pub fn version(&self) -> u8 {
        self.0.version
    }

    /// Serial number as .NET and nginx print it: upper-case hex of whole bytes, no sign byte.
    pub fn serial_hex(&self) -> String {
        hex::upper(&self.0.serial)
    }

    /// Who is certified.
    pub fn subject(&self) -> &Name {
        &self.0.subject
    }

    /// Who certified.
    pub fn issuer(&self) -> &Name {
        &self.0.issuer
    }

    /// First second of validity.
    pub fn not_before(&self) -> UnixTime {
        self.0.not_before
    }

    /// Last second of validity.
    pub fn not_after(&self) -> UnixTime {
        self.0.not_after
    }

    /// SHA-1 of the DER, 40 upper-case hex digits: the thumbprint of Azure and Windows.
    pub fn thumbprint(&self) -> String {
        hex::upper(&digest::sha1(self.der()))
    }

    /// SHA-256 of the DER.
    pub fn sha256(&self) -> &[u8; 32] {
        &self.0.sha256
    }

    /// SHA-256 of the DER, 64 upper-case hex digits.
    pub fn thumbprint_sha256(&self) -> String {
        hex::upper(self.sha256())
    }

    /// The public key.
    pub fn public_key(&self) -> &PublicKey {
        &self.0.public_key
    }

    /// DER of the SubjectPublicKeyInfo, as it was signed.
    pub fn spki_der(&self) -> &[u8] {
        self.part(&self.0.spki)
    }

    /// Dotted object identifier of the signature algorithm.
    pub fn signature_algorithm(&self) -> String {
        let identifier = Reader::new(self.part(&self.0.signature_algorithm)).sequence();
        identifier.and_then(|mut reader| reader.oid()).unwrap_or_default()
    }

    /// The signature algorithm's name on Windows, such as `sha256RSA`; the dotted identifier if it has none.
    pub fn signature_algorithm_name(&self) -> String {
        let oid = self.signature_algorithm();
        signature::windows_name(&oid).map_or(oid.clone(), str::to_owned)
    }

    /// The last common name of the subject.
    pub fn common_name(&self) -> Option<String> {
        self.subject().common_name()
    }

    /// Subject alternative names as they stand; `None` without the extension.
    pub fn subject_alt_names(&self) -> Option<&SubjectAltNames> {
        self.0.extensions.subject_alt_names.as_ref()
    }

    /// dNSName values as raw text, blanks and all.
    pub fn dns_names(&self) -> &[String] {
        self.subject_alt_names().map_or(&[], |names| &names.dns)
    }

    /// Extended key usages, dotted; `None` without the extension.
    pub fn extended_key_usage(&self) -> Option<&[String]> {
        self.0.extensions.extended_key_usage.as_deref()
    }

    /// Whether the certificate may be used for a purpose: it has no extended key usage, lists `oid`, or
    /// lists anyExtendedKeyUsage.
    pub fn allows_purpose(&self, oid: &str) -> bool {
        self.extended_key_usage()
            .is_none_or(|usages| usages.iter().any(|usage| usage == oid || usage == "2.5.29.37.0"))
    }

    /// Key usage bits, bit 0 (digitalSignature) lowest; `None` without the extension.
    pub fn key_usage(&self) -> Option<u16> {
        self.0.extensions.key_usage
    }

    /// Basic constraints; `None` without the extension.
    pub fn basic_constraints(&self) -> Option<BasicConstraints> {
        self.0.extensions.basic_constraints
    }

    /// Whether basic constraints say CA:TRUE.
    pub fn is_ca(&self) -> bool {
        self.basic_constraints().is_some_and(|constraints| constraints.ca)
    }

    /// Subject key identifier.
    pub fn subject_key_id(&self) -> Option<&[u8]> {
        self.0.extensions.subject_key_id.as_deref()
    }

    /// Authority key identifier, its key part.
    pub fn authority_key_id(&self) -> Option<&[u8]> {
        self.0.extensions.authority_key_id.as_deref()
    }

    /// Name constraints; `None` without the extension.
    pub fn name_constraints(&self) -> Option<&NameConstraints> {
        self.0.extensions.name_constraints.as_ref()
    }

    /// OCSP responder URLs of the authority information access extension.
    pub fn ocsp_urls(&self) -> &[String] {
        &self.0.extensions.ocsp_urls
    }

    /// CRL distribution point URLs.
    pub fn crl_urls(&self) -> &[String] {
        &self.0.extensions.crl_urls
    }

    /// Whether the certificate says where its revocation status can be asked.
    pub fn has_revocation_pointer(&self) -> bool {
        !self.ocsp_urls().is_empty() || !self.crl_urls().is_empty() || self.0.extensions.has_crl_points
    }

    /// Critical extensions that this crate does not process, dotted.
    pub fn unknown_critical_extensions(&self) -> &[String] {
        &self.0.extensions.unknown_critical
    }

    /// All extensions in order: dotted identifier, critical flag, content.
    pub fn extensions(&self) -> impl Iterator<Item = (&str, bool, &[u8])> {
        self.0.extensions.all.iter().map(|(oid, critical, range)| (oid.as_str(), *critical, self.part(range)))
    }

    /// Whether issuer and subject are the same name.
    pub fn is_self_issued(&self) -> bool {
        self.issuer().matches(self.subject())
    }

    /// Whether the certificate is issued by itself and its own key verifies its signature.
    pub fn is_self_signed(&self) -> bool {
        *self.0.self_signed.get_or_init(|| self.is_self_issued() && self.is_signed_by(self))
    }

    /// Whether `issuer`'s key made this certificate's signature. Looks at nothing else, and old algorithms
    /// (SHA-1, short RSA keys) count: for pairing and ordering, never for trust.
    pub fn is_signed_by(&self, issuer: &Self) -> bool {
        signature::verify(self, issuer.public_key(), signature::Floor::Legacy).is_ok()
    }

    /// Whether the time lies in the validity period, both ends included.
    pub fn is_valid_at(&self, now: UnixTime) -> bool {
        self.not_before() <= now && now <= self.not_after()
    }

    pub(crate) fn tbs(&self) -> &[u8] {
        self.part(&self.0.tbs)
    }

    pub(crate) fn signature_algorithm_der(&self) -> &[u8] {
        self.part(&self.0.signature_algorithm)
    }

    pub(crate) fn signature(&self) -> &[u8] {
        self.part(&self.0.signature)
    }

    fn part(&self, range: &Range<usize>) -> &[u8] {
        self.0.der.get(range.clone()).unwrap_or_default()
    }
}

impl PartialEq for Certificate {
    fn eq(&self, other: &Self) -> bool {
        self.0.sha256 == other.0.sha256
    }
}

impl Eq for Certificate {}

impl std::hash::Hash for Certificate {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.sha256.hash(state);
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Certificate({}, {})", self.subject().dotnet(), self.thumbprint())
    }
}

// === the signed part ===

/// What stands in the TBSCertificate.
struct Fields {
    version: u8,
    serial: Vec<u8>,
    inner_algorithm: Range<usize>,
    issuer: Name,
    not_before: UnixTime,
    not_after: UnixTime,
    subject: Name,
    spki: Range<usize>,
    public_key: PublicKey,
    extensions: Extensions,
}

/// Turns a reader's error into one that names the part.
fn part<T>(name: &'static str, result: Result<T, DerError>) -> Result<T, CertificateError> {
    result.map_err(|DerError| CertificateError::Malformed(name))
}

impl Fields {
    fn read(mut tbs: Reader<'_>) -> Result<Self, CertificateError> {
        let version = part("version", read_version(&mut tbs))?;
        let serial = part("serial number", tbs.value(tag::INTEGER))?;
        let inner_algorithm = part("signature algorithm", tbs.element(tag::SEQUENCE))?.range();
        let issuer = part("issuer", tbs.element(tag::SEQUENCE).and_then(|name| Name::parse(name.raw)))?;
        let (not_before, not_after) = part("validity", read_validity(&mut tbs))?;
        let subject = part("subject", tbs.element(tag::SEQUENCE).and_then(|name| Name::parse(name.raw)))?;
        let spki = part("public key", tbs.element(tag::SEQUENCE))?;
        let public_key = part("public key", PublicKey::parse(spki.raw))?;
        for n in [1, 2] {
            part("unique identifier", tbs.optional(context_primitive(n)))?;
        }
        let extensions = match part("extensions", tbs.optional(context(3)))? {
            Some(wrapper) if version == 3 => extensions::read(wrapper.reader())?,
            Some(_) => return Err(CertificateError::Malformed("extensions")),
            None => Extensions::default(),
        };
        part("signed part", tbs.end())?;
        Ok(Self {
            version,
            serial: significant(serial).to_vec(),
            inner_algorithm,
            issuer,
            not_before,
            not_after,
            subject,
            spki: spki.range(),
            public_key,
            extensions,
        })
    }
}

fn read_version(tbs: &mut Reader<'_>) -> Result<u8, DerError> {
    let Some(wrapper) = tbs.optional(context(0))? else { return Ok(1) };
    match wrapper.reader().unsigned()? {
        number @ 0..=2 => Ok(number as u8 + 1),
        _ => Err(DerError),
    }
}

fn read_validity(tbs: &mut Reader<'_>) -> Result<(UnixTime, UnixTime), DerError> {
    let mut validity = tbs.sequence()?;
    let times = (civil::read(&mut validity)?, civil::read(&mut validity)?);
    validity.end()?;
    Ok(times)
}

/// A serial number without its sign byte; zero stays one byte.
fn significant(serial: &[u8]) -> &[u8] {
    match serial {
        [0, rest @ ..] if !rest.is_empty() => rest,
        all => all,
    }
}
