//! PEM as people really have it: certificates and private keys from editors, environment variables, YAML,
//! PowerShell and portals.
//!
//! Read are `CERTIFICATE` (also `X509` and `TRUSTED`), `PKCS7`, the private key labels, and their encrypted
//! forms; base64 or bare DER without markers too. Text is normalised first (byte order marks, UTF-16, literal
//! `\n`, percent-encoding, indentation, one long line). No error carries a byte of the input: a private key must never
//! reach a log through an error text. Emitted is PKCS#8, 64 columns, LF, leaf first.

use crate::certificate::{Certificate, CertificateError};
use crate::credential::{Assembled, Credential, CredentialError};
use crate::der::{DerError, Reader, context, tag};
use crate::pbe::{self, Budget, Password, PbeError};
use crate::private_key::{KeyError, PrivateKey};
use zeroize::Zeroizing;

mod blocks;
mod emit;

pub use blocks::{Block, blocks};
pub use emit::{certificate_pem, chain_pem, credential_pem, key_pem, percent_encoded};

/// Largest input, in bytes.
pub const INPUT_BYTES_MAX: usize = 1024 * 1024;
/// Most certificates in one input.
pub const CERTIFICATES_MAX: usize = 200;
/// Most private keys in one input.
pub const KEYS_MAX: usize = 20;

/// Why text is not the PEM that was expected. Lines are 1-based; no variant holds input bytes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PemError {
    /// Larger than [`INPUT_BYTES_MAX`].
    #[error("input of {0} bytes is too large, at most {INPUT_BYTES_MAX} are read")]
    TooLarge(usize),
    /// Neither text nor DER.
    #[error("input is neither PEM text nor DER")]
    NotText,
    /// Nothing of the wanted kind.
    #[error("input contains no {0}")]
    NothingFound(&'static str),
    /// A BEGIN line without its END line.
    #[error("the block \"{label}\" that begins on line {line} has no matching \"-----END {label}-----\"")]
    Unclosed {
        /// Label of the BEGIN line.
        label: String,
        /// Line of the BEGIN marker.
        line: usize,
    },
    /// A body that is not base64.
    #[error("the block \"{label}\" that begins on line {line} is not base64")]
    NotBase64 {
        /// Label of the BEGIN line.
        label: String,
        /// Line of the BEGIN marker.
        line: usize,
    },
    /// More blocks than are read.
    #[error("input has more than {0} {1}")]
    TooMany(usize, &'static str),
    /// A P7B that is not plain SignedData.
    #[error("the PKCS#7 block is not a bag of certificates")]
    NotCertificateBag,
    /// A certificate that cannot be read.
    #[error("certificate on line {line}: {source}")]
    Certificate {
        /// Line of the BEGIN marker.
        line: usize,
        /// What is wrong with it.
        source: CertificateError,
    },
    /// A private key that cannot be read.
    #[error("private key on line {line}: {source}")]
    Key {
        /// Line of the BEGIN marker.
        line: usize,
        /// What is wrong with it.
        source: KeyError,
    },
    /// An encrypted key and no password.
    #[error("the private key on line {line} is encrypted, a password is needed")]
    PasswordRequired {
        /// Line of the BEGIN marker.
        line: usize,
    },
    /// The password does not open the key.
    #[error("the password does not open the private key on line {line}")]
    WrongPassword {
        /// Line of the BEGIN marker.
        line: usize,
    },
    /// A scheme that is not handled.
    #[error("the private key is encrypted with \"{0}\", use PBES2 with AES instead")]
    UnsupportedEncryption(String),
    /// More key-derivation work than is done.
    #[error("the private key asks for more than {} key-derivation iterations", pbe::ITERATIONS_MAX)]
    TooManyIterations,
    /// Several private keys where one is expected.
    #[error("input contains {0} private keys, one is expected")]
    SeveralKeys(usize),
    /// Certificates and key do not fit together.
    #[error(transparent)]
    Credential(#[from] CredentialError),
}

impl PemError {
    /// A stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooLarge(_) => "PemTooLarge",
            Self::NotText => "PemNotText",
            Self::NothingFound(_) => "PemNothingFound",
            Self::Unclosed { .. } => "PemUnclosedBlock",
            Self::NotBase64 { .. } => "PemNotBase64",
            Self::TooMany(..) => "PemTooManyBlocks",
            Self::NotCertificateBag => "PemNotCertificateBag",
            Self::Certificate { source, .. } => source.code(),
            Self::Key { source, .. } => source.code(),
            Self::PasswordRequired { .. } => "PemPasswordRequired",
            Self::WrongPassword { .. } => "PemWrongPassword",
            Self::UnsupportedEncryption(_) => "PemUnsupportedEncryption",
            Self::TooManyIterations => "PemTooManyIterations",
            Self::SeveralKeys(_) => "PemSeveralKeys",
            Self::Credential(source) => source.code(),
        }
    }
}

/// Everything that one input holds, in input order.
#[derive(Clone, Debug, Default)]
pub struct Contents {
    /// Certificates.
    pub certificates: Vec<Certificate>,
    /// Private keys.
    pub keys: Vec<PrivateKey>,
}

impl Contents {
    /// The one private key.
    pub fn single_key(&self) -> Result<&PrivateKey, PemError> {
        match self.keys.as_slice() {
            [key] => Ok(key),
            [] => Err(PemError::NothingFound("private key")),
            several => Err(PemError::SeveralKeys(several.len())),
        }
    }

    /// Pairs the one key with its certificate and orders the chain.
    pub fn assemble(self) -> Result<Assembled, PemError> {
        if self.keys.len() > 1 {
            return Err(PemError::SeveralKeys(self.keys.len()));
        }
        Ok(Credential::assemble(self.certificates, &self.keys)?)
    }
}

/// Reads all certificates and private keys. `password` opens encrypted keys.
pub fn read(input: &[u8], password: Option<&str>) -> Result<Contents, PemError> {
    let mut contents = Contents::default();
    let mut budget = Budget::new();
    let mut curve_parameters: Option<Zeroizing<Vec<u8>>> = None;
    for block in blocks(input)? {
        match block.label() {
            "EC PARAMETERS" => curve_parameters = Some(Zeroizing::new(block.der().to_vec())),
            label if label.ends_with("PRIVATE KEY") => {
                let der = open_key(&block, password, &mut budget)?;
                let key = read_key(label, &der, curve_parameters.as_deref().map(Vec::as_slice));
                let key = key.map_err(|source| PemError::Key { line: block.line(), source })?;
                contents.keys.push(key);
            }
            _ => take_certificates(&block, &mut contents.certificates)?,
        }
        if contents.certificates.len() > CERTIFICATES_MAX {
            return Err(PemError::TooMany(CERTIFICATES_MAX, "certificates"));
        }
        if contents.keys.len() > KEYS_MAX {
            return Err(PemError::TooMany(KEYS_MAX, "private keys"));
        }
    }
    Ok(contents)
}

/// Reads certificates only; blocks of other kinds are passed over. At least one must be there.
pub fn certificates(input: &[u8]) -> Result<Vec<Certificate>, PemError> {
    let mut certificates = Vec::new();
    for block in blocks(input)? {
        take_certificates(&block, &mut certificates)?;
        if certificates.len() > CERTIFICATES_MAX {
            return Err(PemError::TooMany(CERTIFICATES_MAX, "certificates"));
        }
    }
    if certificates.is_empty() { Err(PemError::NothingFound("certificate")) } else { Ok(certificates) }
}

/// Reads exactly one private key; certificates beside it are passed over.
pub fn private_key(input: &[u8], password: Option<&str>) -> Result<PrivateKey, PemError> {
    Ok(read(input, password)?.single_key()?.clone())
}

/// The DER of a key block, decrypted if need be.
fn open_key(
    block: &Block,
    password: Option<&str>,
    budget: &mut Budget,
) -> Result<Zeroizing<Vec<u8>>, PemError> {
    let line = block.line();
    let explain = |error| match error {
        PbeError::Unsupported(name) => PemError::UnsupportedEncryption(name),
        PbeError::TooMuchWork => PemError::TooManyIterations,
        PbeError::Malformed => PemError::Key { line, source: KeyError::Malformed },
        PbeError::Decrypt => PemError::WrongPassword { line },
    };
    if let Some((name, iv)) = block.traditional_encryption() {
        let password = password.ok_or(PemError::PasswordRequired { line })?;
        return pbe::decrypt_traditional(name, iv, block.der(), password).map_err(explain);
    }
    let Some((identifier, ciphertext)) = encrypted_parts(block.der()) else {
        return Ok(Zeroizing::new(block.der().to_vec()));
    };
    let password = password.ok_or(PemError::PasswordRequired { line })?;
    let opened = pbe::decrypt(identifier, ciphertext, Password::Text(password), budget).map_err(explain)?;
    // A wrong password gives valid padding once in 256 times; the result is then no DER.
    let mut whole = Reader::new(&opened);
    let looks_right = whole.element(tag::SEQUENCE).is_ok() && whole.is_empty();
    if looks_right { Ok(opened) } else { Err(PemError::WrongPassword { line }) }
}

/// EncryptedPrivateKeyInfo: algorithm and ciphertext. A plain key starts with a version number instead.
pub(crate) fn encrypted_parts(der: &[u8]) -> Option<(Reader<'_>, &[u8])> {
    let mut outer = Reader::new(der).sequence().ok()?;
    let identifier = outer.sequence().ok()?;
    let ciphertext = outer.value(tag::OCTET_STRING).ok()?;
    outer.end().ok()?;
    Some((identifier, ciphertext))
}

fn read_key(label: &str, der: &[u8], curve_parameters: Option<&[u8]>) -> Result<PrivateKey, KeyError> {
    match label {
        "RSA PRIVATE KEY" => PrivateKey::from_pkcs1(der).or_else(|_| PrivateKey::from_der(der)),
        "EC PRIVATE KEY" => {
            PrivateKey::from_sec1(der, curve_parameters).or_else(|_| PrivateKey::from_der(der))
        }
        _ => PrivateKey::from_der(der),
    }
}

fn take_certificates(block: &Block, out: &mut Vec<Certificate>) -> Result<(), PemError> {
    let wrong = |source| PemError::Certificate { line: block.line(), source };
    match block.label() {
        "CERTIFICATE" | "X509 CERTIFICATE" => out.push(Certificate::parse(block.der()).map_err(wrong)?),
        "TRUSTED CERTIFICATE" => {
            // OpenSSL appends its trust settings to the certificate.
            let first = Reader::new(block.der()).any().map(|element| element.raw).unwrap_or_default();
            out.push(Certificate::parse(first).map_err(wrong)?);
        }
        "PKCS7" | "CMS" => {
            for der in bag_of_certificates(block.der()).map_err(|DerError| PemError::NotCertificateBag)? {
                if out.len() > CERTIFICATES_MAX {
                    break;
                }
                out.push(Certificate::parse(der).map_err(wrong)?);
            }
        }
        _ => {}
    }
    Ok(())
}

/// The certificates of a SignedData without content (RFC 5652 §5.1), as `.p7b` files have it.
fn bag_of_certificates(der: &[u8]) -> Result<Vec<&[u8]>, DerError> {
    let mut info = Reader::new(der).sequence()?;
    if info.oid()? != "1.2.840.113549.1.7.2" {
        return Err(DerError);
    }
    let mut signed = info.nested(context(0))?.sequence()?;
    signed.unsigned()?;
    signed.element(tag::SET)?;
    signed.element(tag::SEQUENCE)?;
    let mut list = signed.nested(context(0))?;
    let mut found = Vec::new();
    while !list.is_empty() {
        let element = list.any()?;
        if element.tag == tag::SEQUENCE {
            found.push(element.raw);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests;
