//! Keys and certificates: reading and writing them, judging them, issuing them.
//!
//! A pure crate: no IO, no clock (`now` is an argument), no TLS. The crypto library (aws-lc-rs) stays inside;
//! of foreign types only those of `rustls-pki-types` appear.
//!
//! | module | what it gives |
//! |---|---|
//! | [`certificate`] | [`Certificate`]: one certificate, parsed once, shared cheaply |
//! | [`name`] | distinguished names: comparison, the .NET and the RFC 2253 way of printing |
//! | [`private_key`], [`public_key`] | [`PrivateKey`] in any common form, kept as PKCS#8; kinds of keys |
//! | [`credential`] | [`Credential`]: chain and key that belong together, with an id |
//! | [`pem`] | PEM in all its variants; emission; percent-encoded PEM |
//! | [`pfx`] | PKCS#12 files: import policy, limits, writing (modern and legacy) |
//! | [`path`] | path validation in three profiles, server-name check |
//! | [`edge`] | trusted client bundles, client-certificate verdicts and variables of the edge |
//! | [`ca`] | the instance's own certificate authority |
//! | [`jose`] | JSON Web Tokens, their keys, and what they must say |
//! | [`cipher`], [`rsa`] | encryption and signatures of data, for policy expressions |
//!
//! Every reader is total: any bytes give a value or an error with a `code()`, within named limits.
//!
//! ```no_run
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let (pfx_bytes, pem_text): (Vec<u8>, Vec<u8>) = Default::default();
//! use handfast_core::UnixTime;
//! use handfast_pki::path::{self, Profile, Trust};
//! use handfast_pki::{Credential, pem};
//!
//! let credential = Credential::from_pfx(&pfx_bytes, "password")?;
//! let anchors = pem::certificates(&pem_text)?;
//! let trust = Trust { anchors, ..Trust::default() };
//! let now = UnixTime(1_893_456_000);
//! let verdict = path::judge(credential.leaf(), credential.chain(), &trust, Profile::Server, now);
//! assert!(verdict.is_accepted());
//! # Ok(()) }
//! ```

mod ber;
pub mod ca;
pub mod certificate;
pub mod cipher;
mod civil;
pub mod credential;
mod der;
mod digest;
pub mod edge;
mod extensions;
pub mod hex;
pub mod jose;
mod mac;
pub mod name;
pub mod path;
mod pbe;
pub mod pem;
pub mod pfx;
pub mod private_key;
pub mod public_key;
mod random;
pub mod rsa;
mod signature;

pub use certificate::{Certificate, CertificateError};
pub use credential::{Credential, CredentialError};
pub use mac::MacKey;
pub use name::Name;
pub use pem::PemError;
pub use pfx::PfxError;
pub use private_key::{KeyError, NewKey, PrivateKey};
pub use public_key::{KeyAlgorithm, PublicKey};
pub use random::{NoRandomness, fill_random};
