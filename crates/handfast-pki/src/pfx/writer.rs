//! Writing PFX files that OpenSSL, Windows, Java and Python read.

use super::PfxError;
use super::archive::{DATA, ENCRYPTED_DATA};
use super::mac;
use crate::certificate::Certificate;
use crate::credential::Credential;
use crate::der::{self, context, context_primitive, tag};
use crate::digest;
use crate::pbe::{self, Hash, Password, Purpose};
use aws_lc_rs::{hmac, pbkdf2, rand};
use handfast_core::Secret;
use std::num::NonZeroU32;
use zeroize::Zeroizing;

/// How a file is encrypted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encryption {
    /// PBES2 with AES-256-CBC and HMAC-SHA-256; read by OpenSSL, Java from 8u301, Windows from 10 1709.
    #[default]
    Modern,
    /// 3DES with SHA-1, for older Windows and Java.
    Legacy,
}

const MODERN_ITERATIONS: NonZeroU32 = NonZeroU32::new(10_000).unwrap();
const LEGACY_ITERATIONS: NonZeroU32 = NonZeroU32::new(2_000).unwrap();

/// Writes a credential: key, chain (leaf first) and further certificates such as the root.
pub fn write(
    credential: &Credential,
    further: &[Certificate],
    friendly_name: Option<&str>,
    password: &str,
    encryption: Encryption,
) -> Result<Secret<Vec<u8>>, PfxError> {
    let leaf_attributes = attributes(credential, friendly_name);
    let mut bags = Vec::new();
    for (index, certificate) in credential.chain().iter().chain(further).enumerate() {
        let attributes = if index == 0 { leaf_attributes.as_slice() } else { &[] };
        bags.push(certificate_bag(certificate, attributes));
    }
    let (identifier, ciphertext) = encrypt(&der::sequence(&bags), password, encryption)?;
    let encrypted_content =
        der::sequence(&[der::oid(DATA), identifier, der::tlv(context_primitive(0), &ciphertext)]);
    let encrypted_data = der::sequence(&[der::small(0), encrypted_content]);
    let certificates = der::sequence(&[der::oid(ENCRYPTED_DATA), der::tlv(context(0), &encrypted_data)]);

    let (identifier, ciphertext) = encrypt(credential.key().pkcs8_der(), password, encryption)?;
    let shrouded = der::sequence(&[identifier, der::octets(&ciphertext)]);
    let key_bag = bag("1.2.840.113549.1.12.10.1.2", &shrouded, &leaf_attributes);
    let key = content_info(&der::sequence(&[key_bag]));

    let safe = der::sequence(&[certificates, key]);
    let mac = mac_data(&safe, password, encryption)?;
    Ok(Secret::new(der::sequence(&[der::small(3), content_info(&safe), mac])))
}

fn content_info(content: &[u8]) -> Vec<u8> {
    der::sequence(&[der::oid(DATA), der::tlv(context(0), &der::octets(content))])
}

fn bag(oid: &str, value: &[u8], attributes: &[u8]) -> Vec<u8> {
    let mut parts = vec![der::oid(oid), der::tlv(context(0), value)];
    if !attributes.is_empty() {
        parts.push(der::tlv(tag::SET, attributes));
    }
    der::sequence(&parts)
}

fn certificate_bag(certificate: &Certificate, attributes: &[u8]) -> Vec<u8> {
    let value = der::tlv(context(0), &der::octets(certificate.der()));
    let inner = der::sequence(&[der::oid("1.2.840.113549.1.9.22.1"), value]);
    bag("1.2.840.113549.1.12.10.1.3", &inner, attributes)
}

/// localKeyID (SHA-1 of the leaf, as everyone writes it) and the friendly name.
fn attributes(credential: &Credential, friendly_name: Option<&str>) -> Vec<u8> {
    let attribute = |oid: &str, value: Vec<u8>| der::sequence(&[der::oid(oid), der::tlv(tag::SET, &value)]);
    let id = digest::sha1(credential.leaf().der());
    let mut parts = vec![attribute("1.2.840.113549.1.9.21", der::octets(&id))];
    if let Some(name) = friendly_name {
        let units: Vec<u8> = name.encode_utf16().flat_map(u16::to_be_bytes).collect();
        parts.push(attribute("1.2.840.113549.1.9.20", der::tlv(tag::BMP_STRING, &units)));
    }
    // DER orders the members of a set.
    parts.sort();
    parts.concat()
}

/// AlgorithmIdentifier and ciphertext.
fn encrypt(clear: &[u8], password: &str, encryption: Encryption) -> Result<(Vec<u8>, Vec<u8>), PfxError> {
    match encryption {
        Encryption::Modern => encrypt_modern(clear, password),
        Encryption::Legacy => encrypt_legacy(clear, password),
    }
}

fn encrypt_modern(clear: &[u8], password: &str) -> Result<(Vec<u8>, Vec<u8>), PfxError> {
    let salt: [u8; 16] = random()?;
    let iv: [u8; 16] = random()?;
    let mut key = Zeroizing::new([0; 32]);
    let algorithm = pbkdf2::PBKDF2_HMAC_SHA256;
    pbkdf2::derive(algorithm, MODERN_ITERATIONS, &salt, password.as_bytes(), key.as_mut());
    let prf = der::sequence(&[der::oid("1.2.840.113549.2.9"), der::null()]);
    let parameters = der::sequence(&[der::octets(&salt), der::small(MODERN_ITERATIONS.get()), prf]);
    let derivation = der::sequence(&[der::oid("1.2.840.113549.1.5.12"), parameters]);
    let cipher = der::sequence(&[der::oid("2.16.840.1.101.3.4.1.42"), der::octets(&iv)]);
    let scheme = der::sequence(&[derivation, cipher]);
    let identifier = der::sequence(&[der::oid("1.2.840.113549.1.5.13"), scheme]);
    let ciphertext = pbe::aes256_encrypt(&key, iv, clear).map_err(|_| PfxError::Encrypt)?;
    Ok((identifier, ciphertext))
}

fn encrypt_legacy(clear: &[u8], password: &str) -> Result<(Vec<u8>, Vec<u8>), PfxError> {
    let salt: [u8; 8] = random()?;
    let password = Password::Text(password).utf16();
    let derive = |purpose, length| {
        pbe::pkcs12_derive(Hash::Sha1, purpose, &password, &salt, LEGACY_ITERATIONS, length)
    };
    let (key, iv) = (derive(Purpose::Key, 24), derive(Purpose::Iv, 8));
    let parameters = der::sequence(&[der::octets(&salt), der::small(LEGACY_ITERATIONS.get())]);
    let identifier = der::sequence(&[der::oid("1.2.840.113549.1.12.1.3"), parameters]);
    let ciphertext = pbe::triple_des_encrypt(&key, &iv, clear).map_err(|_| PfxError::Encrypt)?;
    Ok((identifier, ciphertext))
}

fn mac_data(safe: &[u8], password: &str, encryption: Encryption) -> Result<Vec<u8>, PfxError> {
    let (hash, oid, iterations) = match encryption {
        Encryption::Modern => (Hash::Sha256, "2.16.840.1.101.3.4.2.1", MODERN_ITERATIONS),
        Encryption::Legacy => (Hash::Sha1, "1.3.14.3.2.26", LEGACY_ITERATIONS),
    };
    let salt: [u8; 8] = random()?;
    let key = mac::derive_key(hash, Password::Text(password), &salt, iterations);
    let digest = hmac::sign(&key, safe);
    let algorithm = der::sequence(&[der::oid(oid), der::null()]);
    let info = der::sequence(&[algorithm, der::octets(digest.as_ref())]);
    Ok(der::sequence(&[info, der::octets(&salt), der::small(iterations.get())]))
}

fn random<const N: usize>() -> Result<[u8; N], PfxError> {
    let mut bytes = [0; N];
    rand::fill(&mut bytes).map_err(|_| PfxError::Encrypt)?;
    Ok(bytes)
}
