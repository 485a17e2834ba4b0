//! PFX (PKCS#12, RFC 7292) files: what Windows, Azure Key Vault, OpenSSL, Java and Python write.
//!
//! [`read`] applies the import policy: limits before work, the pair of certificate and key chosen by public
//! key (never by localKeyID or friendly name), the chain rebuilt by issuer links. [`open`] gives the raw
//! contents. [`write()`] makes modern files (AES-256, SHA-256) or legacy ones (3DES, SHA-1).
//!
//! A password can be wrong, a file can be damaged, and a file can be no PFX at all: these are three errors.
//! RC4 is refused by name. No error holds input bytes.
//!
//! The decoder is our own and not the crate p12-keystore (which is the oracle of a test): it has to charge key
//! derivation to a budget before it runs, to try both encodings of an empty password, to verify PBMAC1 and to
//! read BER, and it decrypts with the same code as encrypted PEM keys.

use crate::certificate::{Certificate, CertificateError};
use crate::credential::{Credential, CredentialError};
use crate::pbe;
use crate::pem;
use crate::private_key::{KeyError, PrivateKey};

mod archive;
mod mac;
mod writer;

pub use archive::open;
pub use writer::{Encryption, write};

/// Largest file that is read, in bytes.
pub const INPUT_BYTES_MAX: usize = 1024 * 1024;
/// Most certificates in one file.
pub const CERTIFICATES_MAX: usize = 200;
/// Most private keys in one file.
pub const KEYS_MAX: usize = 20;

/// Why a PFX file is not imported.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PfxError {
    /// Larger than [`INPUT_BYTES_MAX`].
    #[error("PFX of {0} bytes is too large, at most {INPUT_BYTES_MAX} are read")]
    TooLarge(usize),
    /// Something else than a PFX; the text says what, if it is known.
    #[error("input is not a PFX (PKCS#12) file{0}")]
    NotPfx(&'static str),
    /// The password is wrong.
    #[error("the password of the PFX is wrong")]
    WrongPassword,
    /// The file is damaged; the text names the part.
    #[error("the PFX is damaged: the part \"{0}\" cannot be read")]
    Corrupt(&'static str),
    /// An encryption or MAC scheme that is refused or unknown.
    #[error("the PFX uses \"{0}\", which is not supported: export it again with AES-256 or 3DES")]
    UnsupportedAlgorithm(String),
    /// More key-derivation work than is done.
    #[error("the PFX asks for more than {} key-derivation iterations", pbe::ITERATIONS_MAX)]
    TooManyIterations,
    /// More certificates or keys than are read.
    #[error("the PFX has more than {0} {1}")]
    TooMany(usize, &'static str),
    /// A certificate inside that cannot be read.
    #[error("the PFX holds an unreadable certificate: {0}")]
    Certificate(CertificateError),
    /// A key inside that cannot be read.
    #[error("the PFX holds an unreadable private key: {0}")]
    Key(KeyError),
    /// No private key, no match, or several leaves.
    #[error(transparent)]
    Credential(#[from] CredentialError),
    /// Writing failed inside the crypto library.
    #[error("the PFX could not be encrypted")]
    Encrypt,
}

impl PfxError {
    /// A stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooLarge(_) => "PfxTooLarge",
            Self::NotPfx(_) => "PfxNotPfx",
            Self::WrongPassword => "PfxWrongPassword",
            Self::Corrupt(_) => "PfxCorrupt",
            Self::UnsupportedAlgorithm(_) => "PfxUnsupportedAlgorithm",
            Self::TooManyIterations => "PfxTooManyIterations",
            Self::TooMany(..) => "PfxTooManyEntries",
            Self::Certificate(source) => source.code(),
            Self::Key(source) => source.code(),
            Self::Credential(source) => source.code(),
            Self::Encrypt => "PfxEncryptFailed",
        }
    }
}

/// The contents of a file, in file order.
#[derive(Clone, Debug, Default)]
pub struct Archive {
    /// Certificates.
    pub certificates: Vec<Certificate>,
    /// Private keys.
    pub keys: Vec<PrivateKey>,
    /// Friendly names of certificates, by SHA-256.
    pub friendly_names: Vec<([u8; 32], String)>,
    /// Whether a MAC protected the file.
    pub has_mac: bool,
}

/// An imported file.
#[derive(Clone, Debug)]
pub struct Imported {
    /// Leaf, chain and key.
    pub credential: Credential,
    /// The self-signed root that ends the chain, if the file held it. It is not sent.
    pub root: Option<Certificate>,
    /// Certificates in the file that do not belong to the chain.
    pub unrelated: Vec<Certificate>,
    /// Friendly name of the leaf.
    pub friendly_name: Option<String>,
}

/// Reads a file and applies the import policy.
pub fn read(input: &[u8], password: &str) -> Result<Imported, PfxError> {
    let archive = open(input, password)?;
    let assembled = Credential::assemble(archive.certificates, &archive.keys)?;
    let leaf = *assembled.credential.leaf().sha256();
    let friendly_name = archive.friendly_names.into_iter().find(|(id, _)| *id == leaf).map(|(_, name)| name);
    Ok(Imported {
        credential: assembled.credential,
        root: assembled.root,
        unrelated: assembled.unrelated,
        friendly_name,
    })
}

impl Credential {
    /// The credential of a PFX file.
    pub fn from_pfx(input: &[u8], password: &str) -> Result<Self, PfxError> {
        Ok(read(input, password)?.credential)
    }

    /// The credential of a PEM text that holds one key and its certificates, in any order.
    pub fn from_pem(input: &[u8], password: Option<&str>) -> Result<Self, pem::PemError> {
        Ok(pem::read(input, password)?.assemble()?.credential)
    }
}

#[cfg(test)]
mod tests;
