//! PEM in the shapes that people and tools produce.

use crate::openssl::{Kind, Lab};
use handfast_pki::{Credential, KeyAlgorithm, PemError, pem};

/// The same text in many disguises; each must give the same contents.
fn disguises(text: &str) -> Vec<(&'static str, Vec<u8>)> {
    let utf16 = |unit: fn(u16) -> [u8; 2], mark: &[u8]| {
        mark.iter().copied().chain(text.encode_utf16().flat_map(unit)).collect::<Vec<u8>>()
    };
    vec![
        ("as it is", text.into()),
        ("CRLF", text.replace('\n', "\r\n").into()),
        ("CR only", text.replace('\n', "\r").into()),
        ("byte order mark", format!("\u{feff}{text}").into()),
        ("UTF-16 little endian", utf16(u16::to_le_bytes, &[0xff, 0xfe])),
        ("UTF-16 big endian", utf16(u16::to_be_bytes, &[0xfe, 0xff])),
        ("UTF-16 without mark", utf16(u16::to_le_bytes, &[])),
        ("indented", text.lines().map(|line| format!("      {line}  \n")).collect::<String>().into()),
        ("one line", text.replace('\n', " ").into()),
        ("literal \\n", text.replace('\n', "\\n").into()),
        ("literal \\r\\n", text.replace('\n', "\\r\\n").into()),
        ("no final newline", text.trim_end().into()),
        ("text around", format!("Bag Attributes\n    friendlyName: x\n{text}\ntrailing words").into()),
    ]
}

#[test]
fn every_disguise_gives_the_same_credential() {
    let lab = Lab::chain(Kind::P256);
    let (key, leaf, rest) =
        (lab.text("leaf.key"), lab.text("leaf.crt"), lab.bundle(&["root", "intermediate"]));
    let orders = [format!("{key}{leaf}{rest}"), format!("{rest}{leaf}{key}"), format!("{leaf}{key}{rest}")];
    for text in &orders {
        for (disguise, input) in disguises(text) {
            let credential =
                Credential::from_pem(&input, None).unwrap_or_else(|error| panic!("{disguise}: {error}"));
            assert_eq!(
                credential.chain(),
                [lab.certificate("leaf"), lab.certificate("intermediate")],
                "{disguise}"
            );
        }
    }
}

#[test]
fn every_form_of_private_key_is_the_same_key() {
    for (kind, tool) in [(Kind::Rsa2048, "rsa"), (Kind::P256, "ec"), (Kind::P384, "ec"), (Kind::P521, "ec")] {
        let lab = Lab::new();
        lab.key("k", kind);
        let expected = lab.private_key("k");
        let pass = "-passout pass:pässword";
        let traditional = if tool == "rsa" { "-traditional" } else { "" };
        let commands = [
            (format!("{tool} -in k.key {traditional}"), None),
            (format!("{tool} -in k.key {traditional} -outform DER"), None),
            ("pkcs8 -topk8 -nocrypt -in k.key -outform DER".to_owned(), None),
            (format!("pkcs8 -topk8 -in k.key -v2 aes-256-cbc {pass}"), Some("pässword")),
            (format!("pkcs8 -topk8 -in k.key -v2 aes-128-cbc -v2prf hmacWithSHA1 {pass}"), Some("pässword")),
            (format!("pkcs8 -topk8 -in k.key -v2 des3 {pass}"), Some("pässword")),
            (format!("pkcs8 -topk8 -in k.key -v1 PBE-SHA1-3DES {pass}"), Some("pässword")),
            (format!("pkcs8 -topk8 -in k.key -scrypt {pass}"), Some("pässword")),
            (format!("{tool} -in k.key {traditional} -aes256 {pass}"), Some("pässword")),
            (format!("{tool} -in k.key {traditional} -des3 {pass}"), Some("pässword")),
        ];
        for (command, password) in commands {
            let input = lab.openssl(&command, &[]);
            let key = pem::private_key(&input, password).unwrap_or_else(|error| panic!("{command}: {error}"));
            assert!(key.pkcs8_der() == expected.pkcs8_der(), "{command}");
            assert_eq!(key.public_key(), expected.public_key(), "{command}");
            if password.is_some() {
                assert_eq!(
                    pem::private_key(&input, None).unwrap_err().code(),
                    "PemPasswordRequired",
                    "{command}"
                );
                assert_eq!(
                    pem::private_key(&input, Some("no")).unwrap_err().code(),
                    "PemWrongPassword",
                    "{command}"
                );
            }
        }
    }
}

#[test]
fn sec1_keys_may_follow_their_parameters() {
    let lab = Lab::new();
    let text = lab.openssl("ecparam -genkey -name secp384r1", &[]);
    assert_eq!(pem::private_key(&text, None).unwrap().algorithm(), &KeyAlgorithm::P384);
    let ed = lab.openssl("genpkey -algorithm ed25519", &[]);
    assert_eq!(pem::private_key(&ed, None).unwrap().algorithm(), &KeyAlgorithm::Ed25519);
}

#[test]
fn short_and_foreign_keys_are_kept_but_not_for_tls() {
    let lab = Lab::new();
    let rsa = lab.openssl("genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:1024", &[]);
    let rsa = pem::private_key(&rsa, None).unwrap();
    assert_eq!(rsa.algorithm(), &KeyAlgorithm::Rsa(1024));
    let koblitz = lab.openssl("ecparam -genkey -name secp256k1 -noout", &[]);
    let koblitz = pem::private_key(&koblitz, None).unwrap();
    assert_eq!(koblitz.algorithm(), &KeyAlgorithm::Secp256k1);
    assert!(!rsa.algorithm().usable_for_tls() && !koblitz.algorithm().usable_for_tls());
    let dsa =
        lab.openssl("genpkey -genparam -algorithm DSA -pkeyopt dsa_paramgen_bits:1024 -out dsa.pem", &[]);
    assert!(dsa.is_empty());
    let dsa = lab.openssl("genpkey -paramfile dsa.pem", &[]);
    assert_eq!(pem::private_key(&dsa, None).unwrap_err().code(), "PrivateKeyUnsupported");
}

#[test]
fn certificates_come_bare_labelled_trusted_and_bagged() {
    let lab = Lab::chain(Kind::P256);
    let expected = [lab.certificate("leaf")];
    let body: String = lab.text("leaf.crt").lines().filter(|line| !line.starts_with('-')).collect();
    let text = lab.text("leaf.crt");
    let cases: Vec<Vec<u8>> = vec![
        expected[0].der().to_vec(),
        body.clone().into(),
        body.as_bytes().chunks(76).flat_map(|chunk| [chunk, b"\r\n"].concat()).collect(),
        text.replace(" CERTIFICATE", " X509 CERTIFICATE").into(),
        lab.openssl("x509 -in leaf.crt -trustout -addtrust clientAuth", &[]),
        lab.openssl("crl2pkcs7 -nocrl -certfile leaf.crt", &[]),
        lab.openssl("crl2pkcs7 -nocrl -certfile leaf.crt -outform DER", &[]),
        lab.openssl("base64 -in leaf.crt", &[]),
    ];
    for (index, input) in cases.iter().enumerate() {
        let read = pem::certificates(input).unwrap_or_else(|error| panic!("case {index}: {error}"));
        assert_eq!(read, expected, "case {index}");
    }
    lab.write("all.pem", lab.bundle(&["leaf", "intermediate", "root"]));
    let bag = lab.openssl("crl2pkcs7 -nocrl -certfile all.pem", &[]);
    assert_eq!(pem::certificates(&bag).unwrap().len(), 3);
}

#[test]
fn a_key_that_is_not_the_certificates_is_refused() {
    let lab = Lab::chain(Kind::P256);
    lab.key("other", Kind::P256);
    let text = format!("{}{}", lab.text("other.key"), lab.text("leaf.crt"));
    let error = Credential::from_pem(text.as_bytes(), None).unwrap_err();
    assert_eq!(error.code(), "CredentialKeyDoesNotMatch");
    assert!(error.to_string().contains("CN=leaf"), "{error}");
    assert!(matches!(pem::certificates(b"words"), Err(PemError::NothingFound(_))));
}
