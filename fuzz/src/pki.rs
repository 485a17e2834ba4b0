//! Certificates, PEM and PFX.

use handfast_pki::{Certificate, Credential, pem as pem_format, pfx as pfx_format};

/// The password of all encrypted files in the corpora.
const PASSWORD: &str = "fuzz";

/// Parsing is stable under its own output, and every accessor is total.
pub(crate) fn certificate(data: &[u8]) {
    let Ok(certificate) = Certificate::parse(data) else { return };
    let again = Certificate::parse(certificate.der()).expect("what was accepted is accepted again");
    assert!(again == certificate, "a certificate must equal its second reading");
    assert_eq!(again.sha256(), certificate.sha256());
    let names = [certificate.subject(), certificate.issuer()];
    assert!(names.iter().all(|name| name.matches(name)), "a name must match itself");
    for name in names {
        let _ = (name.dotnet(), name.rfc2253(), name.common_name());
    }
    assert!(certificate.has_thumbprint(&certificate.thumbprint()));
    assert!(certificate.has_serial(&certificate.serial_hex()));
    let _ = (certificate.signature_algorithm_name(), certificate.extensions().count());
    let _ = (certificate.is_self_signed(), certificate.subject_alt_names(), certificate.name_constraints());
}

/// Certificates survive being written as PEM, and a single key too.
pub(crate) fn pem(data: &[u8]) {
    if let Ok(certificates) = pem_format::certificates(data) {
        let text = pem_format::chain_pem(&certificates);
        let again = pem_format::certificates(text.as_bytes()).expect("own PEM is readable");
        assert!(again == certificates, "certificates must survive a round trip");
    }
    let Ok(contents) = pem_format::read(data, Some(PASSWORD)) else { return };
    if let Ok(key) = contents.single_key() {
        let text = pem_format::key_pem(key);
        let again = pem_format::private_key(text.expose().as_bytes(), None).expect("own PEM is readable");
        assert!(again.public_key() == key.public_key(), "a key must survive a round trip");
    }
    if let Ok(assembled) = contents.assemble() {
        holds_together(&assembled.credential);
    }
}

/// What the import policy accepts is a credential whose parts belong together.
pub(crate) fn pfx(data: &[u8]) {
    let opened = pfx_format::open(data, PASSWORD);
    let Ok(imported) = pfx_format::read(data, PASSWORD) else { return };
    let archive = opened.expect("what can be imported can be opened");
    assert!(archive.certificates.len() <= pfx_format::CERTIFICATES_MAX);
    assert!(archive.keys.len() <= pfx_format::KEYS_MAX);
    holds_together(&imported.credential);
    let found = |wanted: &Certificate| archive.certificates.iter().any(|one| one == wanted);
    assert!(imported.credential.chain().iter().all(found), "the chain must come from the file");
}

fn holds_together(credential: &Credential) {
    assert!(credential.leaf().public_key() == credential.key().public_key());
    let same = Credential::new(credential.chain().to_vec(), credential.key().clone());
    assert!(same.is_ok_and(|same| same.id() == credential.id()), "the id must follow the chain alone");
}
