//! Decoding: from the outer structure through MAC and decryption to certificates and keys.

use super::mac::{self, Mac};
use super::{Archive, CERTIFICATES_MAX, INPUT_BYTES_MAX, KEYS_MAX, PfxError};
use crate::ber;
use crate::certificate::Certificate;
use crate::der::{DerError, Element, Reader, context, context_primitive, tag};
use crate::name;
use crate::pbe::{self, Budget, Password, PbeError};
use crate::private_key::PrivateKey;
use zeroize::Zeroizing;

pub(super) const DATA: &str = "1.2.840.113549.1.7.1";
pub(super) const ENCRYPTED_DATA: &str = "1.2.840.113549.1.7.6";
const FRIENDLY_NAME: &str = "1.2.840.113549.1.9.20";
const X509_CERTIFICATE: &str = "1.2.840.113549.1.9.22.1";
/// Deepest nesting of bags in bags.
const DEPTH_MAX: usize = 4;
/// Most bags of any kind.
const BAGS_MAX: usize = 1_000;

/// Decodes a file: every certificate and key in it, without choosing among them.
pub fn open(input: &[u8], password: &str) -> Result<Archive, PfxError> {
    if input.len() > INPUT_BYTES_MAX {
        return Err(PfxError::TooLarge(input.len()));
    }
    let der = ber::to_der(input).map_err(|DerError| what_else(input))?;
    let (safe, mac) = outer(&der).map_err(|error| match error {
        Outer::NotPfx => what_else(input),
        Outer::Corrupt(part) => PfxError::Corrupt(part),
        Outer::PublicKeyMode => PfxError::UnsupportedAlgorithm("a PFX signed by public key".to_owned()),
    })?;
    // "Empty" has two encodings; see the module documentation of `pbe`.
    let forms: &[Password<'_>] =
        if password.is_empty() { &[Password::Text(""), Password::Null] } else { &[Password::Text(password)] };
    let mut budget = Budget::new();
    let forms = match &mac {
        Some(mac) => vec![mac::choose(mac, safe, forms, &mut budget)?],
        None => forms.to_vec(),
    };
    let mut decoder =
        Decoder { budget, forms, verified: mac.is_some(), bags: 0, archive: Archive::default() };
    decoder.archive.has_mac = mac.is_some();
    decoder.authenticated_safe(safe)?;
    Ok(decoder.archive)
}

enum Outer {
    NotPfx,
    Corrupt(&'static str),
    PublicKeyMode,
}

/// The bytes of the authenticated safe, and the MAC over them.
fn outer(der: &[u8]) -> Result<(&[u8], Option<Mac<'_>>), Outer> {
    let not_pfx = |_: DerError| Outer::NotPfx;
    let mut whole = Reader::new(der);
    let mut pfx = whole.sequence().map_err(not_pfx)?;
    if pfx.unsigned().map_err(not_pfx)? != 3 {
        return Err(Outer::NotPfx);
    }
    let mut info = pfx.sequence().map_err(not_pfx)?;
    match info.oid().map_err(not_pfx)?.as_str() {
        DATA => {}
        "1.2.840.113549.1.7.2" => return Err(Outer::PublicKeyMode),
        _ => return Err(Outer::NotPfx),
    }
    let content = info.nested(context(0)).and_then(|mut wrapper| wrapper.value(tag::OCTET_STRING));
    let safe = content.map_err(|DerError| Outer::Corrupt("contents"))?;
    let mac = match pfx.is_empty() {
        true => None,
        false => Some(pfx.sequence().and_then(Mac::read).map_err(|DerError| Outer::Corrupt("MAC"))?),
    };
    Ok((safe, mac))
}

/// The most helpful error for input that is not the structure of a PFX.
fn what_else(input: &[u8]) -> PfxError {
    let pfx_start = |input: &[u8]| {
        // SEQUENCE, length, then INTEGER 3.
        let body = match input {
            [0x30, 0x82, _, _, body @ ..] | [0x30, 0x81, _, body @ ..] | [0x30, 0x80, body @ ..] => body,
            [0x30, 0x83, _, _, _, body @ ..] | [0x30, _, body @ ..] => body,
            _ => return false,
        };
        body.starts_with(&[0x02, 0x01, 0x03])
    };
    if pfx_start(input) {
        return PfxError::Corrupt("outer structure");
    }
    if Certificate::parse(input).is_ok() {
        return PfxError::NotPfx(", it is a certificate without a private key");
    }
    if input.windows(11).take(4096).any(|window| window == b"-----BEGIN ") {
        return PfxError::NotPfx(", it is PEM text");
    }
    if PrivateKey::from_der(input).is_ok() {
        return PfxError::NotPfx(", it is a private key without a certificate");
    }
    PfxError::NotPfx("")
}

struct Decoder<'p> {
    budget: Budget,
    /// Password encodings to try, the likeliest first.
    forms: Vec<Password<'p>>,
    /// Whether the MAC proved the password: a failure is then damage, not a wrong password.
    verified: bool,
    bags: usize,
    archive: Archive,
}

impl Decoder<'_> {
    fn authenticated_safe(&mut self, safe: &[u8]) -> Result<(), PfxError> {
        let corrupt = |_: DerError| PfxError::Corrupt("authenticated safe");
        let safe = ber::to_der(safe).map_err(corrupt)?;
        let mut list = Reader::new(&safe).sequence().map_err(corrupt)?;
        while !list.is_empty() {
            let mut info = list.sequence().map_err(corrupt)?;
            let kind = info.oid().map_err(corrupt)?;
            let mut wrapper = info.nested(context(0)).map_err(corrupt)?;
            match kind.as_str() {
                DATA => {
                    let contents = wrapper.value(tag::OCTET_STRING).map_err(corrupt)?;
                    self.safe_contents(contents, 0)?;
                }
                ENCRYPTED_DATA => {
                    let (identifier, ciphertext) = encrypted_data(wrapper).map_err(corrupt)?;
                    let contents = self.decrypt(identifier, &ciphertext)?;
                    self.safe_contents(&contents, 0)?;
                }
                "1.2.840.113549.1.7.3" => {
                    return Err(PfxError::UnsupportedAlgorithm("encryption to a public key".to_owned()));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Decrypts with the first password form that gives DER.
    fn decrypt(&mut self, identifier: Reader<'_>, ciphertext: &[u8]) -> Result<Zeroizing<Vec<u8>>, PfxError> {
        let failed =
            if self.verified { PfxError::Corrupt("encrypted contents") } else { PfxError::WrongPassword };
        for form in self.forms.clone() {
            match pbe::decrypt(identifier, ciphertext, form, &mut self.budget) {
                // Padding is right by chance once in 256 times; the result is then no DER.
                Ok(clear) if ber::to_der(&clear).is_ok() => return Ok(clear),
                Ok(_) | Err(PbeError::Decrypt) => {}
                Err(other) => return Err(pbe_error(other)),
            }
        }
        Err(failed)
    }

    fn safe_contents(&mut self, contents: &[u8], depth: usize) -> Result<(), PfxError> {
        let corrupt = |_: DerError| PfxError::Corrupt("safe contents");
        if depth > DEPTH_MAX {
            return Err(PfxError::Corrupt("nested bags"));
        }
        let contents = ber::to_der(contents).map_err(corrupt)?;
        let mut list = Reader::new(&contents).sequence().map_err(corrupt)?;
        while !list.is_empty() {
            self.bags += 1;
            if self.bags > BAGS_MAX {
                return Err(PfxError::TooMany(BAGS_MAX, "bags"));
            }
            let mut bag = list.sequence().map_err(corrupt)?;
            let kind = bag.oid().map_err(corrupt)?;
            let wrapper = bag.element(context(0)).map_err(corrupt)?;
            let attributes = bag.optional(tag::SET).map_err(corrupt)?;
            match kind.strip_prefix("1.2.840.113549.1.12.10.1.") {
                Some("1") => self.key(wrapper.value)?,
                Some("2") => {
                    let (identifier, ciphertext) =
                        crate::pem::encrypted_parts(wrapper.value).ok_or(PfxError::Corrupt("private key"))?;
                    let key = self.decrypt(identifier, ciphertext)?;
                    self.key(&key)?;
                }
                Some("3") => self.certificate(wrapper.reader(), attributes)?,
                Some("6") => self.safe_contents(wrapper.value, depth + 1)?,
                // CRLs, secrets and unknown bags carry nothing that is imported.
                _ => {}
            }
        }
        Ok(())
    }

    fn key(&mut self, pkcs8: &[u8]) -> Result<(), PfxError> {
        if self.archive.keys.len() >= KEYS_MAX {
            return Err(PfxError::TooMany(KEYS_MAX, "private keys"));
        }
        self.archive.keys.push(PrivateKey::from_pkcs8(pkcs8).map_err(PfxError::Key)?);
        Ok(())
    }

    fn certificate(
        &mut self,
        mut wrapper: Reader<'_>,
        attributes: Option<Element<'_>>,
    ) -> Result<(), PfxError> {
        let corrupt = |_: DerError| PfxError::Corrupt("certificate bag");
        let mut bag = wrapper.sequence().map_err(corrupt)?;
        if bag.oid().map_err(corrupt)? != X509_CERTIFICATE {
            return Ok(());
        }
        let der =
            bag.nested(context(0)).and_then(|mut value| value.value(tag::OCTET_STRING)).map_err(corrupt)?;
        if self.archive.certificates.len() >= CERTIFICATES_MAX {
            return Err(PfxError::TooMany(CERTIFICATES_MAX, "certificates"));
        }
        let certificate = Certificate::parse(der).map_err(PfxError::Certificate)?;
        if let Some(name) = attributes.and_then(|set| friendly_name(set.reader()).ok().flatten()) {
            self.archive.friendly_names.push((*certificate.sha256(), name));
        }
        self.archive.certificates.push(certificate);
        Ok(())
    }
}

pub(super) fn pbe_error(error: PbeError) -> PfxError {
    match error {
        PbeError::Unsupported(name) => PfxError::UnsupportedAlgorithm(name),
        PbeError::TooMuchWork => PfxError::TooManyIterations,
        PbeError::Malformed => PfxError::Corrupt("encryption parameters"),
        PbeError::Decrypt => PfxError::WrongPassword,
    }
}

/// Algorithm and ciphertext of an EncryptedData; the ciphertext may come in chunks.
fn encrypted_data(mut wrapper: Reader<'_>) -> Result<(Reader<'_>, Vec<u8>), DerError> {
    let mut data = wrapper.sequence()?;
    data.unsigned()?;
    let mut info = data.sequence()?;
    info.oid()?;
    let identifier = info.sequence()?;
    let content = info.any()?;
    if content.tag == context_primitive(0) {
        return Ok((identifier, content.value.to_vec()));
    }
    if content.tag != context(0) {
        return Err(DerError);
    }
    let mut chunks = content.reader();
    let mut joined = Vec::new();
    while !chunks.is_empty() {
        joined.extend_from_slice(chunks.value(tag::OCTET_STRING)?);
    }
    Ok((identifier, joined))
}

fn friendly_name(mut attributes: Reader<'_>) -> Result<Option<String>, DerError> {
    while !attributes.is_empty() {
        let mut attribute = attributes.sequence()?;
        let oid = attribute.oid()?;
        let mut values = attribute.nested(tag::SET)?;
        if oid == FRIENDLY_NAME {
            let value = values.any()?;
            return Ok(name::decode(value.tag, value.value));
        }
    }
    Ok(None)
}
