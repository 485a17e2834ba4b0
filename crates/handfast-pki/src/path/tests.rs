use super::*;
use crate::ca::{InstanceCa, Request};

const NOW: UnixTime = UnixTime(1_893_456_000);

#[test]
fn without_anchors_nothing_is_trusted() {
    let ca = InstanceCa::create(NOW, "a.test").unwrap();
    let leaf = ca.issue(NOW, &Request::server("x.a.test")).unwrap();
    let verdict = judge(leaf.leaf(), leaf.chain(), &Trust::default(), Profile::Server, NOW);
    assert!(matches!(verdict.trust, Err(TrustFailure::UnknownIssuer { depth: 1, .. })), "{verdict:?}");
    assert!(verdict.not_before_ok && verdict.not_after_ok);
}

#[test]
fn an_intermediate_is_an_anchor_only_if_partial_chains_are_allowed() {
    let ca = InstanceCa::create(NOW, "a.test").unwrap();
    let leaf = ca.issue(NOW, &Request::workload("x.a.test")).unwrap();
    let mut trust = Trust { anchors: vec![ca.intermediate().clone()], ..Trust::default() };
    assert!(judge(leaf.leaf(), &[], &trust, Profile::Server, NOW).trust.is_err());
    trust.partial_chain = true;
    assert!(judge(leaf.leaf(), &[], &trust, Profile::Server, NOW).is_accepted());
    assert!(!judge(leaf.leaf(), &[], &trust, Profile::ClientEdge, NOW).is_accepted());
}

#[test]
fn a_pin_stands_for_trust_but_not_for_dates() {
    let ca = InstanceCa::create(NOW, "a.test").unwrap();
    let credential = ca.issue(NOW, &Request::server("x.a.test")).unwrap();
    let trust = Trust { pins: vec![*credential.leaf().sha256()], ..Trust::default() };
    let verdict = judge(credential.leaf(), &[], &trust, Profile::Server, NOW);
    assert!(verdict.is_accepted());
    assert_eq!(verdict.warnings, [Warning::Pinned]);
    let later = UnixTime(credential.leaf().not_after().0 + 1);
    let verdict = judge(credential.leaf(), &[], &trust, Profile::Server, later);
    assert!(verdict.trust.is_ok() && verdict.not_before_ok && !verdict.not_after_ok);
}

#[test]
fn validity_includes_both_ends() {
    let ca = InstanceCa::create(NOW, "a.test").unwrap();
    let credential = ca.issue(NOW, &Request::server("x.a.test")).unwrap();
    let trust = Trust { anchors: vec![ca.root().clone()], ..Trust::default() };
    let at = |now| {
        let verdict = judge(credential.leaf(), credential.chain(), &trust, Profile::Server, now);
        (verdict.trust.is_ok(), verdict.not_before_ok, verdict.not_after_ok)
    };
    let (begin, end) = (credential.leaf().not_before(), credential.leaf().not_after());
    assert_eq!(at(begin), (true, true, true));
    assert_eq!(at(end), (true, true, true));
    assert_eq!(at(UnixTime(begin.0 - 1)), (true, false, true));
    assert_eq!(at(UnixTime(end.0 + 1)), (true, true, false));
}

#[test]
fn too_much_presented_is_refused_without_work() {
    let ca = InstanceCa::create(NOW, "a.test").unwrap();
    let trust = Trust { anchors: vec![ca.root().clone()], ..Trust::default() };
    let leaf = ca.issue(NOW, &Request::server("x.a.test")).unwrap();
    let crowd: Vec<Certificate> = (0..20)
        .map(|index| ca.issue(NOW, &Request::client(&format!("c{index}"))).unwrap().leaf().clone())
        .chain([ca.intermediate().clone()])
        .collect();
    let verdict = judge(leaf.leaf(), &crowd, &trust, Profile::Server, NOW);
    assert_eq!(verdict.trust, Err(TrustFailure::TooComplex));
}
