use super::*;
use crate::ca::{InstanceCa, Request};
use handfast_core::UnixTime;

fn credential() -> Credential {
    let now = UnixTime(1_893_456_000);
    let ca = InstanceCa::create(now, "handfast.localhost").unwrap();
    ca.issue(now, &Request::server("api.handfast.localhost")).unwrap()
}

#[test]
fn what_is_emitted_is_read_back() {
    let credential = credential();
    let text = credential_pem(&credential);
    let again = Credential::from_pem(text.expose().as_bytes(), None).unwrap();
    assert_eq!(again.id(), credential.id());
    assert!(text.expose().lines().all(|line| line.len() <= 64));
    assert!(text.expose().starts_with("-----BEGIN PRIVATE KEY-----\n"));
    assert!(text.expose().ends_with("-----END CERTIFICATE-----\n"));
}

#[test]
fn percent_encoding_leaves_only_unreserved_bytes() {
    let encoded = percent_encoded(credential().leaf());
    assert!(encoded.starts_with("-----BEGIN%20CERTIFICATE-----%0AMII"), "{encoded}");
    assert!(encoded.ends_with("%0A-----END%20CERTIFICATE-----%0A"));
    assert!(!encoded.contains(['+', '/', '=']));
    let again = certificates(encoded.as_bytes()).unwrap();
    assert_eq!(percent_encoded(&again[0]), encoded, "and is read back");
}

#[test]
fn errors_name_the_place_and_never_the_payload() {
    let credential = credential();
    let key = key_pem(credential.key());
    let body: String = key.expose().lines().nth(1).unwrap().to_owned();
    let cases = [
        (format!("\n\n-----BEGIN PRIVATE KEY-----\n{body}"), "PemUnclosedBlock"),
        (format!("-----BEGIN PRIVATE KEY-----\n{body}*\n-----END PRIVATE KEY-----"), "PemNotBase64"),
        (format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----"), "PrivateKeyMalformed"),
        (format!("-----BEGIN {body}-----\n"), "PemUnclosedBlock"),
        (body.clone(), "PemNothingFound"),
        (String::new(), "PemNothingFound"),
    ];
    for (text, code) in cases {
        let error = read(text.as_bytes(), None).unwrap_err();
        assert_eq!(error.code(), code, "{error}");
        for shown in [error.to_string(), format!("{error:?}")] {
            assert!(!shown.contains(&body[..8]), "{shown}");
        }
    }
}

#[test]
fn two_keys_are_refused_where_one_is_expected() {
    let one = key_pem(credential().key());
    let two = key_pem(credential().key());
    let text = format!("{}{}", one.expose(), two.expose());
    assert_eq!(private_key(text.as_bytes(), None).unwrap_err(), PemError::SeveralKeys(2));
}
