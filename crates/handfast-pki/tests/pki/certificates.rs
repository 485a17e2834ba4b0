//! What is read from certificates, compared with what OpenSSL prints.

use crate::openssl::{Issue, Kind, Lab};
use handfast_pki::edge::CertificateVariables;
use handfast_pki::{Certificate, CertificateError};

fn printed(lab: &Lab, name: &str, options: &str) -> String {
    let output = lab.openssl(&format!("x509 -noout -in {name}.crt {options}"), &[]);
    let text = String::from_utf8(output).unwrap();
    text.trim_end_matches('\n').split_once('=').unwrap().1.to_owned()
}

#[test]
fn the_edge_variables_are_what_openssl_prints() {
    let lab = Lab::chain(Kind::P256);
    let subjects = [
        "/C=US/ST=Ohio/L=Columbus/O=Fabrikam, Inc./OU=A+B/CN=api \"x\"/emailAddress=ops@a.test",
        "/DC=test/DC=a/UID=u1/CN=Zoë <z>; #1",
        "/O=#lead/CN= blank ",
        "/serialNumber=42/GN=G/SN=S/title=T/CN=x",
    ];
    for (index, subject) in subjects.iter().enumerate() {
        let name = format!("n{index}");
        let certificate = lab.issue(Issue { name: &name, subject, ..Issue::default() });
        let variables = CertificateVariables::of(&certificate);
        assert_eq!(variables.subject, printed(&lab, &name, "-subject -nameopt RFC2253"), "{subject}");
        assert_eq!(variables.issuer, printed(&lab, &name, "-issuer -nameopt RFC2253"));
        assert_eq!(variables.serial, printed(&lab, &name, "-serial"));
        assert_eq!(variables.start_date, printed(&lab, &name, "-startdate"));
        assert_eq!(variables.end_date, printed(&lab, &name, "-enddate"));
        let fingerprint = printed(&lab, &name, "-fingerprint -sha1").replace(':', "");
        assert_eq!(certificate.thumbprint(), fingerprint);
        assert_eq!(variables.fingerprint, fingerprint.to_lowercase());
    }
}

#[test]
fn extensions_are_read() {
    let lab = Lab::chain(Kind::P256);
    let extensions = "basicConstraints=CA:FALSE\nkeyUsage=critical,digitalSignature,keyEncipherment\n\
        extendedKeyUsage=clientAuth\nsubjectAltName=DNS:Valid Client,IP:127.0.0.1,IP:::1,email:u@a.test,\
        URI:spiffe://a.test/x\nauthorityInfoAccess=OCSP;URI:http://ocsp.test\n\
        crlDistributionPoints=URI:http://crl.test/a.crl\nsubjectKeyIdentifier=none\nauthorityKeyIdentifier=none";
    let certificate = lab.issue(Issue {
        name: "full",
        extensions,
        dates: ("20491231235959Z", "20991231235959Z"),
        ..Issue::default()
    });
    assert_eq!(certificate.dns_names(), ["Valid Client"]);
    let names = certificate.subject_alt_names().unwrap();
    assert_eq!(names.ip.iter().map(ToString::to_string).collect::<Vec<_>>(), ["127.0.0.1", "::1"]);
    assert_eq!((names.email[0].as_str(), names.uri[0].as_str()), ("u@a.test", "spiffe://a.test/x"));
    assert_eq!(certificate.key_usage(), Some(0b101));
    assert_eq!(certificate.ocsp_urls(), ["http://ocsp.test"]);
    assert_eq!(certificate.crl_urls(), ["http://crl.test/a.crl"]);
    assert_eq!(certificate.signature_algorithm_name(), "sha256ECDSA");
    assert!(certificate.has_revocation_pointer() && !lab.certificate("leaf").has_revocation_pointer());
    assert_eq!(certificate.not_after().to_string(), "2099-12-31T23:59:59Z");
    assert!(lab.certificate("root").is_self_signed() && !certificate.is_self_signed());
    assert_eq!(certificate.authority_key_id(), None);
    assert_eq!(lab.certificate("leaf").authority_key_id(), lab.certificate("intermediate").subject_key_id());
}

#[test]
fn thumbprints_and_serial_numbers_match_however_they_are_written() {
    let lab = Lab::chain(Kind::P256);
    let leaf = lab.certificate("leaf");
    let pasted = format!("\u{200e}{}", printed(&lab, "leaf", "-fingerprint -sha1").to_lowercase());
    assert!(leaf.has_thumbprint(&pasted));
    assert!(leaf.has_thumbprint(&printed(&lab, "leaf", "-fingerprint -sha256")));
    assert!(!leaf.has_thumbprint("") && !leaf.has_serial("") && !leaf.has_serial("00"));
    assert!(leaf.has_serial(&format!("00 {}", leaf.serial_hex().to_lowercase())));
}

#[test]
fn unreadable_intermediates_of_a_peer_are_left_out() {
    let lab = Lab::chain(Kind::P256);
    let (leaf, root) = (lab.certificate("leaf"), lab.certificate("root"));
    let chain = Certificate::parse_presented(&[leaf.der(), b"junk", root.der()]).unwrap();
    assert_eq!(chain, [leaf.clone(), root]);
    assert!(Certificate::parse_presented(&[b"junk".as_slice(), leaf.der()]).is_err());
    assert_eq!(Certificate::parse_presented::<Vec<u8>>(&[]), Ok(Vec::new()));
}

#[test]
fn a_repeated_extension_is_malformed() {
    let lab = Lab::chain(Kind::P256);
    let config = "[req]\ndistinguished_name=dn\n[dn]\n[e]\n1.2.3.4=DER:0500\n1.2.3.5=DER:0500\n";
    lab.write("twice.cnf", config);
    lab.openssl(
        "req -x509 -new -key leaf.key -config twice.cnf -extensions e -subj /CN=x -outform DER -out t.der",
        &[],
    );
    let mut der = lab.read("t.der");
    assert!(Certificate::parse(&der).is_ok());
    let at = der.windows(5).position(|window| window == [0x06, 0x03, 0x2a, 0x03, 0x05]).unwrap();
    der[at + 4] = 0x04;
    assert_eq!(Certificate::parse(&der), Err(CertificateError::DuplicateExtension("1.2.3.4".into())));
}
