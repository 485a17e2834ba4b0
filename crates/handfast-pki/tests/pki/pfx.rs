//! PFX files as OpenSSL writes them, and ours as others read them.

use crate::openssl::{ALL_KINDS, Issue, Kind, Lab};
use handfast_pki::pfx::{self, Encryption};
use handfast_pki::{Credential, PfxError};

const PASSWORD: &str = "P@ssw0rd";

fn code(result: Result<pfx::Imported, PfxError>) -> &'static str {
    result.err().map_or("ok", |error| error.code())
}

#[test]
fn every_kind_of_key_is_read_modern_and_legacy() {
    for kind in ALL_KINDS {
        let lab = Lab::chain(kind);
        for options in ["", "-legacy"] {
            let imported = pfx::read(&lab.pfx(options, PASSWORD), PASSWORD).unwrap();
            let chain = imported.credential.chain();
            assert_eq!(
                chain,
                [lab.certificate("leaf"), lab.certificate("intermediate")],
                "{kind:?} {options}"
            );
            assert_eq!(imported.root, Some(lab.certificate("root")));
            assert!(imported.credential.usable_for_tls());
            assert_rustls_takes(&imported.credential);
        }
    }
}

fn assert_rustls_takes(credential: &Credential) {
    let key = rustls::crypto::aws_lc_rs::sign::any_supported_type(&credential.key_pki_types()).unwrap();
    let certified = rustls::sign::CertifiedKey::new(credential.chain_pki_types(), key);
    assert_eq!(certified.keys_match(), Ok(()));
}

#[test]
fn every_encryption_that_openssl_writes_is_read() {
    let lab = Lab::chain(Kind::P256);
    let cases = [
        "",
        "-legacy",
        "-keypbe PBE-SHA1-3DES -certpbe PBE-SHA1-3DES -macalg sha1",
        "-keypbe PBE-SHA1-2DES -certpbe PBE-SHA1-2DES",
        "-legacy -keypbe PBE-SHA1-RC2-128 -certpbe PBE-SHA1-RC2-128",
        "-legacy -keypbe PBE-SHA1-RC2-40 -certpbe PBE-SHA1-RC2-40",
        "-keypbe AES-128-CBC -certpbe AES-192-CBC",
        "-macalg sha384",
        "-macalg sha512",
        "-keypbe NONE -certpbe NONE",
        "-certpbe NONE",
        "-nomac",
        "-nomac -keypbe NONE -certpbe NONE",
        "-iter 600000",
    ];
    for options in cases {
        for password in [PASSWORD, "", "pässwörd€𝄞"] {
            if password.is_empty() && options.contains("600000") {
                continue;
            }
            let file = lab.pfx(options, password);
            let imported =
                pfx::read(&file, password).unwrap_or_else(|error| panic!("{options} {password}: {error}"));
            assert_eq!(imported.credential.leaf(), &lab.certificate("leaf"));
        }
    }
}

#[test]
fn a_wrong_password_is_told_from_a_damaged_file_and_from_another_kind_of_file() {
    let lab = Lab::chain(Kind::P256);
    let good = lab.pfx("", PASSWORD);
    assert_eq!(code(pfx::read(&good, "wrong")), "PfxWrongPassword");
    assert_eq!(code(pfx::read(&good, "")), "PfxWrongPassword");
    assert_eq!(code(pfx::read(&lab.pfx("-nomac", PASSWORD), "wrong")), "PfxWrongPassword");
    assert_eq!(code(pfx::read(&lab.read("leaf.crt"), PASSWORD)), "PfxNotPfx");
    assert_eq!(code(pfx::read(lab.certificate("leaf").der(), PASSWORD)), "PfxNotPfx");
    assert_eq!(code(pfx::read(b"", PASSWORD)), "PfxNotPfx");
    assert_eq!(code(pfx::read(&vec![0; 4 * 1024 * 1024], PASSWORD)), "PfxTooLarge");
    for index in 1..=64 {
        let cut = good.len() * index / 65;
        assert_eq!(code(pfx::read(&good[..cut], PASSWORD)), "PfxCorrupt", "cut at {cut}");
    }
}

#[test]
fn rc4_is_refused_by_name() {
    let lab = Lab::chain(Kind::P256);
    for pbe in ["PBE-SHA1-RC4-128", "PBE-SHA1-RC4-40"] {
        let file = lab.pfx(&format!("-legacy -keypbe {pbe} -certpbe {pbe}"), PASSWORD);
        let error = pfx::read(&file, PASSWORD).unwrap_err();
        assert_eq!(error.code(), "PfxUnsupportedAlgorithm");
        assert!(error.to_string().contains("RC4"), "{error}");
    }
}

#[test]
fn too_many_iterations_are_refused_before_any_work() {
    let lab = Lab::chain(Kind::P256);
    let mut file = lab.pfx("-iter 600000", PASSWORD);
    let (from, to) = ([0x02, 0x03, 0x09, 0x27, 0xc0], [0x02, 0x03, 0x7a, 0x12, 0x00]);
    let mut at = 0;
    while let Some(found) = file[at..].windows(5).position(|window| window == from) {
        file[at + found..at + found + 5].copy_from_slice(&to);
        at += found + 5;
    }
    assert!(at > 0, "the iteration count was found");
    let begin = std::time::Instant::now();
    assert_eq!(code(pfx::read(&file, PASSWORD)), "PfxTooManyIterations");
    assert!(begin.elapsed().as_millis() < 100);
}

#[test]
fn the_order_of_certificates_does_not_matter_and_strangers_are_dropped() {
    let lab = Lab::chain(Kind::P256);
    let stranger = Issue { name: "stranger", issuer: None, ..Issue::default() };
    lab.issue(stranger);
    for others in [["root", "intermediate", "stranger"], ["stranger", "root", "intermediate"]] {
        let imported = pfx::read(&lab.pfx_of("leaf", &others, "", PASSWORD), PASSWORD).unwrap();
        assert_eq!(imported.credential.chain(), [lab.certificate("leaf"), lab.certificate("intermediate")]);
        assert_eq!(imported.unrelated, [lab.certificate("stranger")]);
    }
    let gap = pfx::read(&lab.pfx_of("leaf", &["root"], "", PASSWORD), PASSWORD).unwrap();
    assert_eq!(gap.credential.chain().len(), 1);
    assert_eq!(gap.root, None);
}

#[test]
fn friendly_names_are_read_as_unicode() {
    let lab = Lab::chain(Kind::P256);
    lab.write("others.pem", lab.bundle(&["intermediate"]));
    let line =
        "pkcs12 -export -inkey leaf.key -in leaf.crt -certfile others.pem -out out.pfx -passout pass:x -name";
    lab.openssl(line, &["Zoë 証明書"]);
    let imported = pfx::read(&lab.read("out.pfx"), "x").unwrap();
    assert_eq!(imported.friendly_name.as_deref(), Some("Zoë 証明書"));
}

#[test]
fn files_without_a_key_or_without_a_certificate_say_so() {
    let lab = Lab::chain(Kind::P256);
    lab.openssl("pkcs12 -export -nokeys -in root.crt -out trust.pfx -passout pass:x", &[]);
    let trust = pfx::read(&lab.read("trust.pfx"), "x").unwrap_err();
    assert_eq!(trust.code(), "CredentialHasNoPrivateKey");
    assert!(trust.to_string().contains("contains no private key"), "{trust}");
    lab.openssl("pkcs12 -export -nocerts -inkey leaf.key -out key.pfx -passout pass:x", &[]);
    assert_eq!(code(pfx::read(&lab.read("key.pfx"), "x")), "CredentialHasNoCertificate");
    assert_eq!(pfx::open(&lab.read("trust.pfx"), "x").unwrap().certificates, [lab.certificate("root")]);
}

/// Definite constructed elements become indefinite, octet strings come in chunks: the way of Java and Firefox.
fn indefinite(der: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = der;
    while let [tag, first, ..] = *rest {
        let count = if first < 0x80 { 0 } else { usize::from(first & 0x7f) };
        let length = match count {
            0 => usize::from(first),
            _ => rest[2..2 + count].iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)),
        };
        let content = &rest[2 + count..2 + count + length];
        match tag {
            0x30 | 0xa0 => {
                out.extend([tag, 0x80]);
                out.extend(indefinite(content));
                out.extend([0, 0]);
            }
            0x04 if length > 100 => {
                out.extend([0x24, 0x80]);
                for chunk in content.chunks(100) {
                    out.extend([0x04, chunk.len() as u8]);
                    out.extend(chunk);
                }
                out.extend([0, 0]);
            }
            _ => out.extend(&rest[..2 + count + length]),
        }
        rest = &rest[2 + count + length..];
    }
    out
}

#[test]
fn indefinite_lengths_are_read() {
    let lab = Lab::chain(Kind::P256);
    let file = indefinite(&lab.pfx("", PASSWORD));
    let imported = pfx::read(&file, PASSWORD).unwrap();
    assert_eq!(imported.credential.leaf(), &lab.certificate("leaf"));
}

#[test]
fn what_we_write_is_read_by_openssl_by_p12_keystore_and_by_us() {
    for kind in [Kind::P256, Kind::Rsa2048] {
        let lab = Lab::chain(kind);
        let credential = pfx::read(&lab.pfx("", PASSWORD), PASSWORD).unwrap().credential;
        let root = [lab.certificate("root")];
        for (encryption, options) in [(Encryption::Modern, ""), (Encryption::Legacy, "-legacy")] {
            for password in [PASSWORD, "", "pässwörd"] {
                let file = pfx::write(&credential, &root, Some("web"), password, encryption).unwrap();
                check_written(&lab, &credential, file.expose(), password, options);
            }
        }
    }
}

fn check_written(lab: &Lab, credential: &Credential, file: &[u8], password: &str, options: &str) {
    let again = pfx::read(file, password).unwrap();
    assert_eq!(again.credential.id(), credential.id());
    assert_eq!(again.friendly_name.as_deref(), Some("web"));
    lab.write("ours.pfx", file);
    let pass = format!("pass:{password}");
    let pem = lab.openssl(&format!("pkcs12 -in ours.pfx -nodes {options} -passin"), &[&pass]);
    let by_openssl = Credential::from_pem(&pem, None).unwrap();
    assert_eq!(by_openssl.id(), credential.id());
    let store =
        p12_keystore::KeyStore::from_pkcs12(file, password, p12_keystore::Pkcs12ImportPolicy::Relaxed)
            .unwrap();
    let (_, chain) = store.private_key_chain().unwrap();
    assert_eq!(chain.key().as_der(), credential.key().pkcs8_der());
}
