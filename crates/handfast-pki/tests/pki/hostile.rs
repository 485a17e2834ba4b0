//! Damaged input: nothing panics, nothing takes long. The seed is fixed, so that a failure repeats.

use crate::openssl::{Kind, Lab, NOW};
use handfast_pki::path::{Profile, Trust, judge};
use handfast_pki::{Certificate, pem, pfx};
use std::time::{Duration, Instant};

/// xorshift64: enough to spread mutations.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit.max(1) as u64) as usize
    }
}

/// Flips, sets, cuts, removes, doubles.
fn mutate(original: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = original.to_vec();
    for _ in 0..=random.below(3) {
        let at = random.below(bytes.len());
        match random.below(6) {
            0 => bytes.truncate(at),
            1 if at < bytes.len() => drop(bytes.remove(at)),
            2 => bytes.insert(at, random.below(256) as u8),
            3 => {
                let piece = bytes[at..bytes.len().min(at + 40)].to_vec();
                bytes.splice(at..at, piece);
            }
            4 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
            _ if at < bytes.len() => bytes[at] = [0, 0x7f, 0x80, 0xff, 0x30, 0x84][random.below(6)],
            _ => {}
        }
    }
    bytes
}

fn mutations(original: &[u8], count: usize, mut check: impl FnMut(&[u8])) {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let begin = Instant::now();
    for _ in 0..count {
        check(&mutate(original, &mut random));
    }
    assert!(begin.elapsed() < Duration::from_secs(60), "{:?}", begin.elapsed());
}

#[test]
fn damaged_certificates() {
    let lab = Lab::chain(Kind::P256);
    let trust = Trust { anchors: vec![lab.certificate("root")], ..Trust::default() };
    for name in ["root", "intermediate", "leaf"] {
        mutations(lab.certificate(name).der(), 20_000, |bytes| {
            if let Ok(certificate) = Certificate::parse(bytes) {
                let _ = (
                    certificate.subject().dotnet(),
                    certificate.issuer().rfc2253(),
                    certificate.is_self_signed(),
                );
                let verdict = judge(&certificate, &[lab.certificate(name)], &trust, Profile::Server, NOW);
                assert!(!verdict.is_accepted() || trust.anchors.contains(&certificate) || name == "leaf");
            }
        });
    }
}

#[test]
fn damaged_pfx_files() {
    let lab = Lab::chain(Kind::P256);
    for options in ["-nomac -keypbe NONE -certpbe NONE", "-iter 1", "-iter 1 -legacy", "-nomac -iter 1"] {
        let file = lab.pfx(options, "x");
        let count = if options.contains("NONE") { 20_000 } else { 4_000 };
        mutations(&file, count, |bytes| {
            let _ = pfx::read(bytes, "x");
            let _ = pfx::open(bytes, "");
        });
    }
}

#[test]
fn damaged_pem() {
    let lab = Lab::chain(Kind::P256);
    let encrypted = lab.openssl("pkcs8 -topk8 -in leaf.key -iter 1 -passout pass:x", &[]);
    let old = lab.openssl("ec -in leaf.key -aes256 -passout pass:x", &[]);
    lab.write("all.pem", lab.bundle(&["leaf", "root"]));
    let bag = lab.openssl("crl2pkcs7 -nocrl -certfile all.pem -outform DER", &[]);
    let plain = format!("{}{}", lab.text("leaf.key"), lab.text("leaf.crt")).into_bytes();
    let key = lab.private_key("leaf").pkcs8_der().to_vec();
    for input in [encrypted, old, bag, plain, key] {
        mutations(&input, 4_000, |bytes| {
            let _ = pem::read(bytes, Some("x"));
            let _ = pem::certificates(bytes);
            let _ = pem::private_key(bytes, None);
        });
    }
}

#[test]
fn inputs_that_are_only_structure_end_quickly() {
    let begin = Instant::now();
    let nested: Vec<u8> = [0x30, 0x80].repeat(400_000);
    let markers = "-----BEGIN ".repeat(90_000);
    let empty = "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n".repeat(10_000);
    let flat: Vec<u8> = [&[0x30, 0x83, 0x0c, 0x35, 0x00][..], &[0x05, 0x00].repeat(400_000)].concat();
    for input in [nested.as_slice(), markers.as_bytes(), empty.as_bytes(), &flat] {
        let _ = Certificate::parse(input);
        let _ = pfx::read(input, "");
        let _ = pem::read(input, None);
    }
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
}
