//! Trusted client bundles and the verdicts of the edge, with the cast of the reference scenario: two sibling
//! intermediates under one root, and clients of each.

use crate::openssl::{CLIENT, INTERMEDIATE, Issue, Kind, Lab, NOW, ROOT};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use handfast_core::UnixTime;
use handfast_pki::Certificate;
use handfast_pki::edge::{ClientProfile, EdgeVerdict, TrustedClientBundle, judge_edge_client};

/// Root R; intermediates A and B below it; the clients. All leaves share one RSA key.
fn cast() -> Lab {
    let lab = Lab::new();
    lab.key("client", Kind::Rsa2048);
    lab.issue(Issue { name: "R", issuer: None, extensions: ROOT, ..Issue::default() });
    for name in ["A", "B"] {
        lab.issue(Issue { name, issuer: Some("R"), extensions: INTERMEDIATE, ..Issue::default() });
    }
    let leaves: [(&str, &str, &str, (&str, &str)); 9] = [
        ("valid", "A", CLIENT, ("20260101000000Z", "20390101000000Z")),
        ("unregistered", "A", CLIENT, ("20260101000000Z", "20390101000000Z")),
        ("untrusted", "B", CLIENT, ("20260101000000Z", "20390101000000Z")),
        ("by-root", "R", CLIENT, ("20260101000000Z", "20390101000000Z")),
        ("expired", "A", CLIENT, ("20200101000000Z", "20291231235959Z")),
        ("not-yet", "A", CLIENT, ("20310101000000Z", "20390101000000Z")),
        ("server-only", "A", "extendedKeyUsage=serverAuth", ("20260101000000Z", "20390101000000Z")),
        ("ca-true", "A", "basicConstraints=critical,CA:TRUE", ("20260101000000Z", "20390101000000Z")),
        ("after-2049", "A", CLIENT, ("20260101000000Z", "20991231235959Z")),
    ];
    for (name, issuer, extensions, dates) in leaves {
        lab.write(&format!("{name}.key"), lab.read("client.key"));
        lab.issue(Issue { name, issuer: Some(issuer), extensions, dates, ..Issue::default() });
    }
    let own = Issue { name: "self-signed", issuer: None, extensions: CLIENT, ..Issue::default() };
    lab.issue(own);
    lab
}

fn profile(lab: &Lab, bundle: &[&str], verify_issuer_dn: bool) -> ClientProfile {
    let bundle = TrustedClientBundle::parse(&lab.bundle(bundle)).unwrap();
    ClientProfile::new(&[bundle], verify_issuer_dn, 1)
}

fn verdict(lab: &Lab, presented: &[&str], profile: &ClientProfile) -> String {
    let presented: Vec<Certificate> = presented.iter().map(|name| lab.certificate(name)).collect();
    judge_edge_client(&presented, profile, NOW).verdict.to_string()
}

#[test]
fn verdicts_with_the_issuer_check() {
    let lab = cast();
    let profile = profile(&lab, &["A", "R"], true);
    let cases: [(&[&str], &str); 14] = [
        (&[], "NONE"),
        (&["valid"], "SUCCESS"),
        (&["valid", "A"], "SUCCESS"),
        (&["valid", "R", "A"], "SUCCESS"),
        (&["unregistered"], "SUCCESS"),
        (&["untrusted"], "FAILED:unable to verify the first certificate"),
        (&["untrusted", "B"], "FAILED:issuer DN mismatch"),
        (&["by-root"], "FAILED:issuer DN mismatch"),
        (&["expired"], "FAILED:certificate has expired"),
        (&["not-yet"], "FAILED:certificate is not yet valid"),
        (&["server-only"], "FAILED:unsupported certificate purpose"),
        (&["ca-true"], "SUCCESS"),
        (&["after-2049"], "SUCCESS"),
        (&["self-signed"], "FAILED:self-signed certificate in certificate chain"),
    ];
    for (presented, expected) in cases {
        assert_eq!(verdict(&lab, presented, &profile), expected, "{presented:?}");
    }
}

#[test]
fn verdicts_without_the_issuer_check_and_with_another_root() {
    let lab = cast();
    let open = profile(&lab, &["A", "R"], false);
    assert_eq!(verdict(&lab, &["untrusted", "B"], &open), "SUCCESS", "the shared root anchors the sibling");
    assert_eq!(verdict(&lab, &["by-root"], &open), "SUCCESS");
    lab.issue(Issue { name: "S", issuer: None, extensions: ROOT, ..Issue::default() });
    let other = profile(&lab, &["S"], false);
    let self_signed = "FAILED:self-signed certificate in certificate chain";
    assert_eq!(verdict(&lab, &["valid"], &other), "FAILED:unable to verify the first certificate");
    assert_eq!(verdict(&lab, &["valid", "A"], &other), "FAILED:unable to get local issuer certificate");
    assert_eq!(verdict(&lab, &["valid", "A", "R"], &other), self_signed);
    let first = "FAILED:unable to verify the first certificate";
    assert_eq!(verdict(&lab, &["server-only"], &other), first, "no path comes before a wrong purpose");
    assert_eq!(verdict(&lab, &["expired"], &other), first, "and before the dates");
    let nothing = ClientProfile::new(&[], true, 0);
    assert_eq!(
        verdict(&lab, &["valid", "A", "R"], &nothing),
        "FAILED:unable to verify the first certificate"
    );
    let root_only = profile(&lab, &["R"], true);
    assert_eq!(verdict(&lab, &["by-root"], &root_only), "SUCCESS", "a bundle of a root names the root");
    assert_eq!(verdict(&lab, &["valid", "A"], &root_only), "FAILED:issuer DN mismatch");
}

#[test]
fn a_verdict_is_cached_no_longer_than_its_dates_hold() {
    let lab = cast();
    let profile = profile(&lab, &["A", "R"], true);
    let leaf = [lab.certificate("expired")];
    let at = |now| judge_edge_client(&leaf, &profile, now);
    let end = leaf[0].not_after();
    assert_eq!(at(UnixTime(end.0 - 100)).verdict, EdgeVerdict::Success);
    assert_eq!(at(UnixTime(end.0 - 100)).valid_until, end);
    assert_eq!(at(UnixTime(end.0 - 10_000)).valid_until, UnixTime(end.0 - 9_400));
    let begin = [lab.certificate("not-yet")];
    let soon = UnixTime(begin[0].not_before().0 - 5);
    let early = judge_edge_client(&begin, &profile, soon);
    assert_eq!(early.valid_until, UnixTime(begin[0].not_before().0 - 1));
    assert_ne!(at(NOW).chain_id, early.chain_id);
}

#[test]
fn bundles_are_read_as_pem_or_base64_and_refused_with_azures_codes() {
    let lab = cast();
    let pem = lab.bundle(&["A", "R"]);
    let issuer = |data: &str| TrustedClientBundle::parse(data).map(|bundle| bundle.issuer_dn().rfc2253());
    assert_eq!(issuer(&pem), Ok("CN=A".into()));
    assert_eq!(issuer(&STANDARD.encode(&pem)), Ok("CN=A".into()));
    assert_eq!(issuer(&lab.bundle(&["R", "A"])), Ok("CN=A".into()));
    assert_eq!(issuer(&lab.bundle(&["R", "B", "A"])), Ok("CN=B".into()), "the first of equally long chains");
    assert_eq!(issuer(&lab.bundle(&["R", "A", "valid"])), Ok("CN=A".into()), "leaves do not count");
    assert_eq!(issuer(&lab.bundle(&["R"])), Ok("CN=R".into()));
    assert_eq!(issuer(&lab.bundle(&["R", "A", "R"])), Ok("CN=A".into()), "the same root twice is one root");
    assert_eq!(issuer(&STANDARD.encode(format!("comment\n{pem}"))), Ok("CN=A".into()));
    lab.issue(Issue { name: "S", issuer: None, extensions: ROOT, ..Issue::default() });
    let code = |data: &str| TrustedClientBundle::parse(data).map(|_| ()).unwrap_err().code();
    let prefix = "ApplicationGatewayTrustedClientCertificate";
    let only_one = "ApplicationGatewayOnlyOneRootCAAllowedInTrustedClientCertificate";
    let cases = [
        (" \n".to_owned(), format!("{prefix}MustSpecifyData")),
        (pem.clone() + &lab.text("A.key"), format!("{prefix}MustNotHavePrivateKey")),
        ("words".to_owned(), format!("{prefix}InvalidData")),
        ("A".repeat(40_000), format!("{prefix}InvalidData")),
        (lab.bundle(&["valid"]), format!("{prefix}DoesNotContainAnyCACertificate")),
        (lab.bundle(&["A"]), only_one.to_owned()),
        (lab.bundle(&["R", "S"]), only_one.to_owned()),
    ];
    for (data, expected) in cases {
        assert_eq!(code(&data), expected);
    }
}

#[test]
fn hints_are_the_subjects_of_the_authorities() {
    let lab = cast();
    let profile = profile(&lab, &["A", "R", "valid"], true);
    let hints: Vec<&[u8]> = profile.ca_subjects().collect();
    assert_eq!(hints, [lab.certificate("A").subject().der(), lab.certificate("R").subject().der()]);
}
