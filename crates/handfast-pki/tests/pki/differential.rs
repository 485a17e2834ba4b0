//! Second opinions: rustls-webpki judges the same chains as servers, OpenSSL judges them as clients. Every
//! difference is listed with its reason.

use crate::openssl::{INTERMEDIATE, Issue, Kind, LEAF, Lab, NOW, ROOT};
use handfast_pki::Certificate;
use handfast_pki::edge::{ClientProfile, EdgeVerdict, TrustedClientBundle, judge_edge_client};
use handfast_pki::path::{Profile, Trust, judge};
use rustls_pki_types::{CertificateDer, UnixTime};
use std::time::Duration;
use webpki::{ALL_VERIFICATION_ALGS, EndEntityCert, KeyUsage, anchor_from_trusted_cert};

fn by_webpki(leaf: &Certificate, presented: &[Certificate], root: &Certificate) -> bool {
    let root: CertificateDer<'_> = root.der().into();
    let Ok(anchor) = anchor_from_trusted_cert(&root) else { return false };
    let leaf: CertificateDer<'_> = leaf.der().into();
    let presented: Vec<CertificateDer<'_>> = presented.iter().map(Certificate::to_pki_types).collect();
    let now = UnixTime::since_unix_epoch(Duration::from_secs(NOW.0 as u64));
    let usage = KeyUsage::server_auth();
    EndEntityCert::try_from(&leaf).is_ok_and(|leaf| {
        leaf.verify_for_usage(ALL_VERIFICATION_ALGS, &[anchor], &presented, now, usage, None, None).is_ok()
    })
}

fn by_us(leaf: &Certificate, presented: &[Certificate], root: &Certificate) -> bool {
    let trust = Trust { anchors: vec![root.clone()], ..Trust::default() };
    judge(leaf, presented, &trust, Profile::Server, NOW).is_accepted()
}

/// Variants of one place in the chain: name, extensions, dates.
type Variant = (&'static str, &'static str, (&'static str, &'static str));

const FINE: (&str, &str) = ("20260101000000Z", "20390101000000Z");
const OLD: (&str, &str) = ("20200101000000Z", "20290101000000Z");
const FUTURE: (&str, &str) = ("20310101000000Z", "20550101000000Z");

const INTERMEDIATES: &[Variant] = &[
    ("i-plain", INTERMEDIATE, FINE),
    ("i-old", INTERMEDIATE, OLD),
    ("i-future", INTERMEDIATE, FUTURE),
    ("i-leaf", "basicConstraints=CA:FALSE", FINE),
    ("i-bare", "subjectKeyIdentifier=hash", FINE),
    ("i-client", "basicConstraints=CA:TRUE\nextendedKeyUsage=clientAuth", FINE),
    ("i-server", "basicConstraints=CA:TRUE\nextendedKeyUsage=serverAuth", FINE),
    ("i-permit", "basicConstraints=CA:TRUE\nnameConstraints=critical,permitted;DNS:a.test", FINE),
    ("i-exclude", "basicConstraints=CA:TRUE\nnameConstraints=critical,excluded;DNS:a.test", FINE),
    ("i-ip", "basicConstraints=CA:TRUE\nnameConstraints=critical,permitted;IP:10.0.0.0/255.0.0.0", FINE),
    ("i-critical", "basicConstraints=CA:TRUE\n1.2.3.4=critical,DER:0500", FINE),
];

const LEAVES: &[Variant] = &[
    ("l-plain", LEAF, FINE),
    ("l-old", LEAF, OLD),
    ("l-future", LEAF, FUTURE),
    ("l-a", "subjectAltName=DNS:x.a.test", FINE),
    ("l-both", "subjectAltName=DNS:x.a.test,IP:10.1.1.1", FINE),
    ("l-ip", "subjectAltName=IP:11.1.1.1", FINE),
    ("l-client", "extendedKeyUsage=clientAuth\nsubjectAltName=DNS:x.a.test", FINE),
    ("l-ca", "basicConstraints=critical,CA:TRUE\nsubjectAltName=DNS:x.a.test", FINE),
    ("l-critical", "subjectAltName=DNS:x.a.test\n1.2.3.4=critical,DER:0500", FINE),
    ("l-long", LEAF, ("20260101000000Z", "20991231235959Z")),
];

#[test]
fn both_judges_agree_on_every_combination() {
    let lab = Lab::new();
    lab.key("root", Kind::P256);
    let root = lab.issue(Issue { name: "root", issuer: None, extensions: ROOT, ..Issue::default() });
    lab.key("shared", Kind::P256);
    let crowd: Vec<Certificate> = (0..15)
        .map(|index| lab.issue(Issue { name: &format!("c{index}"), issuer: None, ..Issue::default() }))
        .collect();
    let mut differences = Vec::new();
    let mut accepted = 0;
    for (issuer, extensions, dates) in INTERMEDIATES.iter().copied() {
        let issue = Issue { name: issuer, issuer: Some("root"), extensions, dates, ..Issue::default() };
        let intermediate = lab.issue(issue);
        for (leaf, extensions, dates) in LEAVES.iter().copied() {
            lab.write(&format!("{leaf}.key"), lab.read("shared.key"));
            let leaf_certificate =
                lab.issue(Issue { name: leaf, issuer: Some(issuer), extensions, dates, ..Issue::default() });
            let presented = std::slice::from_ref(&intermediate);
            let (ours, theirs) =
                (by_us(&leaf_certificate, presented, &root), by_webpki(&leaf_certificate, presented, &root));
            let crowded: Vec<Certificate> = crowd.iter().chain(presented).cloned().collect();
            assert_eq!(by_us(&leaf_certificate, &crowded, &root), ours, "{issuer} {leaf} in a crowd");
            accepted += usize::from(ours);
            if ours != theirs {
                differences.push(format!("{issuer} {leaf}: ours {ours}, theirs {theirs}"));
            }
        }
    }
    assert_eq!(differences, [""; 0], "{accepted} accepted");
    assert!(accepted > 10, "{accepted}");
}

/// Where OpenSSL and we refuse in other words, ours first: it renamed a reason, and it looks at the dates before
/// the name constraints, which the edge does the other way round.
const OTHER_WORDS: &[(&str, &str)] = &[
    ("unsupported certificate purpose", "unsuitable certificate purpose"),
    ("permitted subtree violation", "certificate has expired"),
    ("permitted subtree violation", "certificate is not yet valid"),
];

#[test]
fn openssl_gives_the_same_verdicts_and_reasons_on_clients() {
    let lab = Lab::new();
    lab.issue(Issue { name: "root", issuer: None, extensions: ROOT, ..Issue::default() });
    let bundle = TrustedClientBundle::parse(&lab.text("root.crt")).unwrap();
    let profile = ClientProfile::new(&[bundle], false, 1);
    let mut differences = Vec::new();
    for (issuer, extensions, dates) in INTERMEDIATES.iter().copied() {
        let intermediate =
            lab.issue(Issue { name: issuer, issuer: Some("root"), extensions, dates, ..Issue::default() });
        for (leaf, extensions, dates) in LEAVES.iter().copied() {
            let certificate =
                lab.issue(Issue { name: leaf, issuer: Some(issuer), extensions, dates, ..Issue::default() });
            let ours = match judge_edge_client(&[certificate, intermediate.clone()], &profile, NOW).verdict {
                EdgeVerdict::Failed(reason) => Err(reason.to_owned()),
                _ => Ok(()),
            };
            let theirs = lab.verify_client("root", issuer, leaf);
            let same = match (&ours, &theirs) {
                (Err(ours), Err(theirs)) => {
                    ours == theirs || OTHER_WORDS.contains(&(ours.as_str(), theirs.as_str()))
                }
                (ours, theirs) => ours.is_ok() == theirs.is_ok(),
            };
            if !same {
                differences.push(format!("{issuer} {leaf}: ours {ours:?}, theirs {theirs:?}"));
            }
        }
    }
    assert_eq!(differences, [""; 0]);
}

#[test]
fn the_reviewed_differences_are_still_there() {
    let lab = Lab::chain(Kind::P256);
    let old_root = Issue { name: "old-root", issuer: None, extensions: ROOT, dates: OLD, ..Issue::default() };
    let old_root = lab.issue(old_root);
    let under_old = Issue { name: "under-old", issuer: Some("old-root"), ..Issue::default() };
    let under_old = lab.issue(under_old);
    assert!(by_webpki(&under_old, &[], &old_root), "webpki ignores the dates of anchors");
    assert!(!by_us(&under_old, &[], &old_root), "we do not");

    let extensions = "basicConstraints=critical,CA:TRUE\nkeyUsage=digitalSignature";
    let issuer = Issue { name: "no-cert-sign", issuer: Some("root"), extensions, ..Issue::default() };
    let issuer = [lab.issue(issuer)];
    let leaf = lab.issue(Issue { name: "below", issuer: Some("no-cert-sign"), ..Issue::default() });
    assert!(by_webpki(&leaf, &issuer, &lab.certificate("root")), "webpki ignores the key usage of issuers");
    assert!(!by_us(&leaf, &issuer, &lab.certificate("root")), "we demand keyCertSign");

    let subject = "/CN=intermediate";
    lab.issue(Issue { name: "rollover", subject, extensions: INTERMEDIATE, ..Issue::default() });
    let rolled = lab.issue(Issue { name: "rolled", issuer: Some("rollover"), ..Issue::default() });
    let presented = [lab.certificate("rollover"), lab.certificate("intermediate")];
    assert!(
        !by_webpki(&rolled, &presented, &lab.certificate("root")),
        "webpki counts self-issued certificates"
    );
    assert!(by_us(&rolled, &presented, &lab.certificate("root")), "RFC 5280 does not");
}
