use super::*;
use crate::path::{Profile, Trust, judge, judge_server_name};
use crate::{KeyAlgorithm, public_key};
use rustls_pki_types::ServerName;

const NOW: UnixTime = UnixTime(1_893_456_000);

fn trust(ca: &InstanceCa) -> Trust {
    Trust { anchors: vec![ca.root().clone()], ..Trust::default() }
}

#[test]
fn a_server_leaf_is_accepted_with_the_chain_it_sends() {
    let ca = InstanceCa::create(NOW, "handfast.localhost").unwrap();
    let credential = ca.issue(NOW, &Request::server("api.handfast.localhost")).unwrap();
    let verdict = judge(credential.leaf(), credential.chain(), &trust(&ca), Profile::Server, NOW);
    assert!(verdict.is_accepted(), "{verdict:?}");
    assert_eq!(verdict.path.map(|path| path.len()), Some(3));
    let name = ServerName::try_from("api.handfast.localhost").unwrap();
    assert_eq!(judge_server_name(credential.leaf(), &name), Ok(()));
    let client = judge(credential.leaf(), credential.chain(), &trust(&ca), Profile::ClientEdge, NOW);
    assert!(!client.is_accepted(), "a server certificate is no client certificate");
}

#[test]
fn every_kind_of_key_can_be_certified() {
    let ca = InstanceCa::create(NOW, "handfast.localhost").unwrap();
    for key in [NewKey::P256, NewKey::P384, NewKey::P521, NewKey::Ed25519, NewKey::Rsa2048] {
        let request = Request { key, ..Request::workload("w.handfast.localhost") };
        let credential = ca.issue(NOW, &request).unwrap();
        assert!(credential.usable_for_tls());
        for profile in [Profile::Server, Profile::ClientEdge, Profile::ClientPolicy] {
            let verdict = judge(credential.leaf(), credential.chain(), &trust(&ca), profile, NOW);
            assert!(verdict.is_accepted(), "{key:?} {verdict:?}");
        }
    }
}

#[test]
fn leaves_begin_early_and_never_outlive_their_issuer() {
    let ca = InstanceCa::create(NOW, "handfast.localhost").unwrap();
    let leaf = ca.issue(NOW, &Request::client("partner")).unwrap();
    assert_eq!(leaf.leaf().not_before(), NOW.minus(Duration::from_secs(600)));
    assert_eq!(leaf.leaf().serial_hex().len(), 32);
    let late = UnixTime(ca.intermediate().not_after().0 - 60);
    let short = ca.issue(late, &Request::client("partner")).unwrap();
    assert_eq!(short.leaf().not_after(), ca.intermediate().not_after());
    let after = ca.issue(late.plus(DAY), &Request::client("partner"));
    assert_eq!(after.map(|_| ()).map_err(|error| error.code()), Err("CaIssuerNotValid"));
}

#[test]
fn foreign_names_are_refused_by_the_authority_and_by_its_name_constraints() {
    let ca = InstanceCa::create(NOW, "corp.test").unwrap();
    let error = ca.issue(NOW, &Request::server("bank.example")).map(|_| ()).unwrap_err();
    assert_eq!(error.code(), "CaNameNotAllowed");
    let key = PrivateKey::generate(NewKey::P256).unwrap();
    let rogue = Template {
        subject: "bank.example",
        not_before: NOW,
        not_after: NOW.plus(DAY),
        public_key: key.public_key(),
        kind: Kind::Leaf(&Request::server("bank.example")),
    }
    .sign(Some(ca.intermediate()), &ca.intermediate_key)
    .unwrap();
    let verdict = judge(&rogue, &[ca.intermediate().clone()], &trust(&ca), Profile::Server, NOW);
    assert_eq!(verdict.trust.map_err(|failure| failure.code()), Err("CertificateNameConstraint"));
}

#[test]
fn an_authority_without_domains_certifies_every_name() {
    let ca = InstanceCa::create_for(NOW, "any", &[]).unwrap();
    let credential = ca.issue(NOW, &Request::server("api.contoso.test")).unwrap();
    assert!(judge(credential.leaf(), credential.chain(), &trust(&ca), Profile::Server, NOW).is_accepted());
    let odd = ca.issue(NOW, &Request::server("bad name")).map(|_| ()).unwrap_err();
    assert_eq!(odd.code(), "CaBadName");
}

#[test]
fn the_stored_text_gives_the_same_authority_back() {
    let ca = InstanceCa::create(NOW, "handfast.localhost").unwrap();
    let again = InstanceCa::from_pem(ca.to_pem().expose()).unwrap();
    assert_eq!(again.root(), ca.root());
    assert!(again.has_root_key());
    let credential = again.issue(NOW, &Request::server("a.handfast.localhost")).unwrap();
    assert!(judge(credential.leaf(), credential.chain(), &trust(&ca), Profile::Server, NOW).is_accepted());
    assert_eq!(InstanceCa::from_pem("nothing").unwrap_err().code(), "PemNothingFound");
}

#[test]
fn the_root_is_p384_and_the_intermediate_p256_with_path_length_zero() {
    let ca = InstanceCa::create(NOW, "handfast.localhost").unwrap();
    assert_eq!(ca.root().public_key().algorithm, KeyAlgorithm::P384);
    let intermediate = ca.intermediate();
    assert_eq!(intermediate.public_key().algorithm, public_key::KeyAlgorithm::P256);
    assert_eq!(intermediate.basic_constraints().and_then(|constraints| constraints.path_length), Some(0));
    assert!(ca.root().not_after().to_string().starts_with("2049"), "{}", ca.root().not_after());
}
