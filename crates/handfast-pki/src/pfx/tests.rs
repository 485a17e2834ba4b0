use super::archive::{DATA, ENCRYPTED_DATA};
use super::*;
use crate::ca::{InstanceCa, Request};
use crate::der::{self, context, context_primitive, tag};
use crate::pbe::{Hash, Password, Purpose, pkcs12_derive, triple_des_encrypt};
use aws_lc_rs::{hmac, pbkdf2};
use handfast_core::UnixTime;
use std::num::NonZeroU32;

const NOW: UnixTime = UnixTime(1_893_456_000);
const SALT: &[u8] = b"saltsalt";
const ROUNDS: NonZeroU32 = NonZeroU32::new(100).unwrap();

fn credential(ca: &InstanceCa, name: &str) -> Credential {
    ca.issue(NOW, &Request::client(name)).unwrap()
}

fn data(content: &[u8]) -> Vec<u8> {
    der::sequence(&[der::oid(DATA), der::tlv(context(0), &der::octets(content))])
}

fn bag(kind: u8, value: &[u8]) -> Vec<u8> {
    der::sequence(&[der::oid(&format!("1.2.840.113549.1.12.10.1.{kind}")), der::tlv(context(0), value)])
}

fn certificate_bag(certificate: &Certificate) -> Vec<u8> {
    let value = der::tlv(context(0), &der::octets(certificate.der()));
    bag(3, &der::sequence(&[der::oid("1.2.840.113549.1.9.22.1"), value]))
}

/// A file of clear bags without a MAC.
fn clear(bags: &[Vec<u8>]) -> Vec<u8> {
    der::sequence(&[der::small(3), data(&der::sequence(&[data(&der::sequence(bags))]))])
}

/// The file that old Java writes: 3DES and SHA-1 under one form of the password for the contents and one
/// for the MAC.
fn legacy(credential: &Credential, contents: Password<'_>, mac: Option<Password<'_>>) -> Vec<u8> {
    let encrypt = |clear: &[u8]| {
        let derive =
            |purpose, length| pkcs12_derive(Hash::Sha1, purpose, &contents.utf16(), SALT, ROUNDS, length);
        let sealed = triple_des_encrypt(&derive(Purpose::Key, 24), &derive(Purpose::Iv, 8), clear).unwrap();
        let parameters = der::sequence(&[der::octets(SALT), der::small(ROUNDS.get())]);
        (der::sequence(&[der::oid("1.2.840.113549.1.12.1.3"), parameters]), sealed)
    };
    let (identifier, sealed) = encrypt(&der::sequence(&[certificate_bag(credential.leaf())]));
    let info = der::sequence(&[der::oid(DATA), identifier, der::tlv(context_primitive(0), &sealed)]);
    let encrypted = der::sequence(&[der::small(0), info]);
    let certificates = der::sequence(&[der::oid(ENCRYPTED_DATA), der::tlv(context(0), &encrypted)]);
    let (identifier, sealed) = encrypt(credential.key().pkcs8_der());
    let key = bag(2, &der::sequence(&[identifier, der::octets(&sealed)]));
    let safe = der::sequence(&[certificates, data(&der::sequence(&[key]))]);
    let mut parts = vec![der::small(3), data(&safe)];
    if let Some(password) = mac {
        let key = super::mac::derive_key(Hash::Sha1, password, SALT, ROUNDS);
        let algorithm = der::sequence(&[der::oid("1.3.14.3.2.26"), der::null()]);
        let digest = der::sequence(&[algorithm, der::octets(hmac::sign(&key, &safe).as_ref())]);
        parts.push(der::sequence(&[digest, der::octets(SALT), der::small(ROUNDS.get())]));
    }
    der::sequence(&parts)
}

#[test]
fn both_encodings_of_an_empty_password_are_tried() {
    let ca = InstanceCa::create(NOW, "a.test").unwrap();
    let credential = credential(&ca, "x");
    let (empty, null) = (Password::Text(""), Password::Null);
    for contents in [empty, null] {
        for mac in [Some(contents), None] {
            let read = read(&legacy(&credential, contents, mac), "").unwrap();
            assert_eq!(read.credential.leaf(), credential.leaf());
        }
    }
    let error = read(&legacy(&credential, null, Some(null)), "x").unwrap_err();
    assert_eq!(error, PfxError::WrongPassword);
}

#[test]
fn a_good_mac_over_contents_of_another_password_is_damage() {
    let ca = InstanceCa::create(NOW, "a.test").unwrap();
    let file = legacy(&credential(&ca, "x"), Password::Text("other"), Some(Password::Text("right")));
    assert_eq!(read(&file, "right").unwrap_err().code(), "PfxCorrupt");
}

#[test]
fn pbmac1_is_verified() {
    let ca = InstanceCa::create(NOW, "a.test").unwrap();
    let credential = credential(&ca, "x");
    let bags = [certificate_bag(credential.leaf()), bag(1, credential.key().pkcs8_der())];
    let safe = der::sequence(&[data(&der::sequence(&bags))]);
    let mut key = [0; 32];
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, ROUNDS, SALT, "pässword".as_bytes(), &mut key);
    let digest = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), &safe);
    let hash = der::sequence(&[der::oid("1.2.840.113549.2.9"), der::null()]);
    let parameters =
        der::sequence(&[der::octets(SALT), der::small(ROUNDS.get()), der::small(32), hash.clone()]);
    let derivation = der::sequence(&[der::oid("1.2.840.113549.1.5.12"), parameters]);
    let scheme = der::sequence(&[der::oid("1.2.840.113549.1.5.14"), der::sequence(&[derivation, hash])]);
    let info = der::sequence(&[scheme, der::octets(digest.as_ref())]);
    let mac = der::sequence(&[info, der::octets(b"NOT USED"), der::small(1)]);
    let file = der::sequence(&[der::small(3), data(&safe), mac]);
    assert_eq!(read(&file, "pässword").unwrap().credential.id(), Credential::id(&single(&credential)));
    assert_eq!(read(&file, "password").unwrap_err(), PfxError::WrongPassword);
}

/// The credential without its intermediate.
fn single(credential: &Credential) -> Credential {
    Credential::new(vec![credential.leaf().clone()], credential.key().clone()).unwrap()
}

#[test]
fn several_keys_are_sorted_out_or_refused_by_name() {
    let ca = InstanceCa::create(NOW, "a.test").unwrap();
    let (one, two) = (credential(&ca, "one"), credential(&ca, "two"));
    let key = |credential: &Credential| bag(1, credential.key().pkcs8_der());
    let certificate = |credential: &Credential| certificate_bag(credential.leaf());
    let both = clear(&[key(&one), certificate(&one), key(&two), certificate(&two)]);
    let error = read(&both, "").unwrap_err();
    assert_eq!(error.code(), "CredentialAmbiguous");
    assert!(error.to_string().contains("CN=one; CN=two"), "{error}");
    let twice = clear(&[key(&one), key(&one), certificate(&one), certificate(&one)]);
    assert_eq!(read(&twice, "").unwrap().credential.leaf(), one.leaf());
    let foreign = clear(&[key(&two), certificate(&one)]);
    assert_eq!(read(&foreign, "").unwrap_err().code(), "CredentialKeyDoesNotMatch");
    let spare = clear(&[key(&two), key(&one), certificate(&one)]);
    assert_eq!(read(&spare, "").unwrap().credential.leaf(), one.leaf());
}

#[test]
fn the_key_attributes_of_windows_do_not_matter() {
    let ca = InstanceCa::create(NOW, "a.test").unwrap();
    let credential = credential(&ca, "x");
    let plain = der::Reader::new(credential.key().pkcs8_der()).any().unwrap();
    let usage = der::sequence(&[der::oid("2.5.29.15"), der::tlv(tag::SET, &der::tlv(3, &[7, 0x80]))]);
    let with_attributes = der::tlv(tag::SEQUENCE, &[plain.value, &der::tlv(context(0), &usage)].concat());
    let file = clear(&[bag(1, &with_attributes), certificate_bag(credential.leaf())]);
    let read = read(&file, "").unwrap();
    assert_eq!(read.credential.key().pkcs8_der(), credential.key().pkcs8_der());
}

#[test]
fn nested_bags_are_followed_to_a_depth_and_counts_are_limited() {
    let ca = InstanceCa::create(NOW, "a.test").unwrap();
    let credential = credential(&ca, "x");
    let mut bags = vec![bag(1, credential.key().pkcs8_der()), certificate_bag(credential.leaf())];
    for depth in 1..=5 {
        bags = vec![bag(6, &der::sequence(&bags))];
        assert_eq!(read(&clear(&bags), "").is_ok(), depth <= 4, "depth {depth}");
    }
    let keys = vec![bag(1, credential.key().pkcs8_der()); KEYS_MAX + 1];
    assert_eq!(read(&clear(&keys), "").unwrap_err(), PfxError::TooMany(KEYS_MAX, "private keys"));
    let crowd = vec![certificate_bag(credential.leaf()); CERTIFICATES_MAX + 1];
    assert_eq!(read(&clear(&crowd), "").unwrap_err(), PfxError::TooMany(CERTIFICATES_MAX, "certificates"));
}
