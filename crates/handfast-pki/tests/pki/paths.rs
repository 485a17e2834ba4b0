//! Path validation over chains that OpenSSL made: one defect each.

use crate::openssl::{CLIENT, INTERMEDIATE, Issue, Kind, LEAF, Lab, NOW, ROOT};
use handfast_pki::Certificate;
use handfast_pki::path::{Profile, Trust, judge, judge_server_name, judge_server_name_or_common_name};
use rustls_pki_types::ServerName;

const PROFILES: [Profile; 3] = [Profile::Server, Profile::ClientEdge, Profile::ClientPolicy];

fn trust_in(root: &Certificate) -> Trust {
    Trust { anchors: vec![root.clone()], ..Trust::default() }
}

fn code(leaf: &Certificate, presented: &[Certificate], trust: &Trust, profile: Profile) -> &'static str {
    judge(leaf, presented, trust, profile, NOW).trust.map_or_else(|failure| failure.code(), |()| "ok")
}

#[test]
fn chains_of_every_kind_of_key_are_trusted_in_any_order() {
    for kind in [Kind::Rsa2048, Kind::P256, Kind::P384, Kind::P521, Kind::Ed25519] {
        let lab = Lab::chain(kind);
        let (root, intermediate, leaf) =
            (lab.certificate("root"), lab.certificate("intermediate"), lab.certificate("leaf"));
        let trust = trust_in(&root);
        let orders = [
            vec![intermediate.clone()],
            vec![leaf.clone(), root.clone(), intermediate.clone()],
            vec![intermediate.clone(), leaf.clone()],
        ];
        for presented in &orders {
            for profile in PROFILES {
                let verdict = judge(&leaf, presented, &trust, profile, NOW);
                assert!(verdict.is_accepted(), "{kind:?} {profile:?} {verdict:?}");
                assert_eq!(verdict.path.unwrap(), [leaf.clone(), intermediate.clone(), root.clone()]);
            }
        }
    }
}

#[test]
fn rsa_pss_signatures_verify() {
    let lab = Lab::new();
    lab.key("root", Kind::Rsa2048);
    lab.openssl(
        "req -x509 -new -key root.key -subj /CN=root -days 9000 -sha384 -sigopt rsa_padding_mode:pss -sigopt \
         rsa_pss_saltlen:48 -out root.crt",
        &[],
    );
    assert!(lab.certificate("root").is_self_signed());
}

#[test]
fn a_leaf_with_one_defect_is_refused_for_it() {
    let lab = Lab::chain(Kind::P256);
    let trust = trust_in(&lab.certificate("root"));
    let cases = [
        ("other-purpose", "extendedKeyUsage=codeSigning", ["CertificatePurpose", "CertificatePurpose", "ok"]),
        ("any-purpose", "extendedKeyUsage=anyExtendedKeyUsage", ["ok"; 3]),
        ("server-only", "extendedKeyUsage=serverAuth", ["ok", "CertificatePurpose", "ok"]),
        ("client-only", CLIENT, ["CertificatePurpose", "ok", "ok"]),
        ("no-purpose", "subjectAltName=DNS:a b", ["ok"; 3]),
        ("ca", "basicConstraints=critical,CA:TRUE", ["CertificateCaAsLeaf", "ok", "ok"]),
        ("critical", "1.2.3.4=critical,DER:0500", ["CertificateCriticalExtension"; 3]),
        ("not-critical", "1.2.3.4=DER:0500", ["ok"; 3]),
    ];
    for (name, extensions, expected) in cases {
        let leaf = lab.issue(Issue { name, extensions, ..Issue::default() });
        let presented = [lab.certificate("intermediate")];
        assert_eq!(PROFILES.map(|profile| code(&leaf, &presented, &trust, profile)), expected, "{name}");
    }
}

#[test]
fn an_issuer_with_one_defect_is_refused_for_it() {
    let lab = Lab::chain(Kind::P256);
    let trust = trust_in(&lab.certificate("root"));
    let ca = "basicConstraints=critical,CA:TRUE";
    let with = |line: &str| format!("{ca}\n{line}");
    let cases = [
        ("not-ca", "basicConstraints=CA:FALSE".to_owned(), "CertificateIssuerNotCa"),
        ("no-constraints", "subjectKeyIdentifier=hash".to_owned(), "CertificateIssuerNotCa"),
        ("no-cert-sign", with("keyUsage=cRLSign"), "CertificateIssuerKeyUsage"),
        ("other-purpose", with("extendedKeyUsage=codeSigning"), "CertificatePurpose"),
        ("critical", with("1.2.3.4=critical,DER:0500"), "CertificateCriticalExtension"),
        ("excluded", with("nameConstraints=critical,excluded;DNS:test"), "CertificateNameConstraint"),
        ("permitted", with("nameConstraints=critical,permitted;DNS:leaf.test"), "ok"),
        ("other", with("nameConstraints=critical,permitted;DNS:other.test"), "CertificateNameConstraint"),
        ("mail-only", with("nameConstraints=critical,permitted;email:other.test"), "ok"),
        ("ip-only", with("nameConstraints=critical,permitted;IP:10.0.0.0/255.0.0.0"), "ok"),
        ("unsupported", with("nameConstraints=critical,permitted;RID:1.2.3"), "CertificateNameConstraint"),
        ("leading-period", with("nameConstraints=critical,permitted;DNS:.test"), "CertificateNameConstraint"),
        (
            "holed-mask",
            with("nameConstraints=permitted;IP:10.0.0.0/255.0.255.0"),
            "CertificateNameConstraint",
        ),
        ("fine", with("keyUsage=keyCertSign\nextendedKeyUsage=serverAuth"), "ok"),
    ];
    for (name, extensions, expected) in cases {
        let issuer =
            lab.issue(Issue { name, issuer: Some("root"), extensions: &extensions, ..Issue::default() });
        let leaf_name = format!("leaf-{name}");
        let leaf = lab.issue(Issue {
            name: &leaf_name,
            issuer: Some(name),
            extensions: "extendedKeyUsage=serverAuth\nsubjectAltName=DNS:leaf.test",
            ..Issue::default()
        });
        assert_eq!(code(&leaf, &[issuer], &trust, Profile::Server), expected, "{name}");
    }
}

#[test]
fn name_constraints_reach_every_kind_of_name() {
    let lab = Lab::chain(Kind::P256);
    let trust = trust_in(&lab.certificate("root"));
    let constraints = "basicConstraints=critical,CA:TRUE\nnameConstraints=critical,permitted;DNS:a.test,\
        permitted;IP:10.0.0.0/255.0.0.0,permitted;email:.a.test,permitted;URI:.a.test,permitted;dirName:dn\n\
        [dn]\nO=Fabrikam";
    let issuer =
        lab.issue(Issue { name: "nc", issuer: Some("root"), extensions: constraints, ..Issue::default() });
    let refused = "CertificateNameConstraint";
    let cases = [
        ("/O=Fabrikam/CN=x", "DNS:x.a.test", "ok"),
        ("/O=FABRIKAM /CN=x", "DNS:x.a.test", "ok"),
        ("/O=Other/CN=x", "DNS:x.a.test", refused),
        ("/O=Fabrikam/CN=x", "DNS:x.b.test", refused),
        ("/O=Fabrikam/CN=x", "DNS:x.a.test,IP:10.1.2.3", "ok"),
        ("/O=Fabrikam/CN=x", "DNS:x.a.test,IP:11.1.2.3", refused),
        ("/O=Fabrikam/CN=x", "DNS:x.a.test,email:u@m.a.test", "ok"),
        ("/O=Fabrikam/CN=x", "DNS:x.a.test,email:u@a.test", refused),
        ("/O=Fabrikam/CN=x", "DNS:x.a.test,URI:https://h.a.test/p", "ok"),
        ("/O=Fabrikam/CN=x", "DNS:x.a.test,URI:https://10.0.0.1/p", refused),
    ];
    for (index, (subject, names, expected)) in cases.into_iter().enumerate() {
        let extensions = format!("subjectAltName={names}");
        let name = format!("nc{index}");
        let issue =
            Issue { name: &name, issuer: Some("nc"), subject, extensions: &extensions, ..Issue::default() };
        let leaf = lab.issue(issue);
        assert_eq!(
            code(&leaf, std::slice::from_ref(&issuer), &trust, Profile::Server),
            expected,
            "{subject} {names}"
        );
    }
    let without =
        Issue { name: "cn", issuer: Some("nc"), subject: "/O=Fabrikam/CN=x.b.test", ..Issue::default() };
    let leaf = lab.issue(Issue { extensions: "basicConstraints=CA:FALSE", ..without });
    assert_eq!(
        code(&leaf, std::slice::from_ref(&issuer), &trust, Profile::Server),
        refused,
        "CN stands in as a host"
    );
    assert_eq!(code(&leaf, std::slice::from_ref(&issuer), &trust, Profile::ClientEdge), "ok");
}

#[test]
fn an_anchor_may_be_of_version_1_or_without_basic_constraints_but_no_intermediate_may() {
    let lab = Lab::new();
    lab.key("old", Kind::P256);
    lab.write("req.cnf", "[req]\ndistinguished_name=dn\n[dn]\n");
    lab.openssl("req -new -config req.cnf -key old.key -subj /CN=old -out old.csr", &[]);
    lab.openssl("x509 -req -in old.csr -signkey old.key -days 9000 -out old.crt", &[]);
    let bare = "subjectKeyIdentifier=hash";
    lab.issue(Issue { name: "bare", issuer: None, extensions: bare, ..Issue::default() });
    let denying = "basicConstraints=CA:FALSE";
    let extensions = "extendedKeyUsage=serverAuth";
    lab.issue(Issue { name: "denying", issuer: None, extensions: denying, ..Issue::default() });
    for (name, version, expected) in
        [("old", 1, "ok"), ("bare", 3, "ok"), ("denying", 3, "CertificateIssuerNotCa")]
    {
        let anchor = lab.certificate(name);
        assert_eq!(anchor.version(), version);
        let leaf = lab.issue(Issue { issuer: Some(name), extensions, ..Issue::default() });
        assert_eq!(code(&leaf, &[], &trust_in(&anchor), Profile::Server), expected, "{name}");
    }
    lab.issue(Issue { name: "root", issuer: None, extensions: ROOT, ..Issue::default() });
    lab.openssl(
        "x509 -req -in old.csr -CA root.crt -CAkey root.key -CAcreateserial -days 9000 -out old.crt",
        &[],
    );
    let leaf = lab.issue(Issue { issuer: Some("old"), extensions, ..Issue::default() });
    let result = code(&leaf, &[lab.certificate("old")], &trust_in(&lab.certificate("root")), Profile::Server);
    assert_eq!(result, "CertificateIssuerNotCa");
}

#[test]
fn cross_signed_certificates_lead_to_either_root() {
    let lab = Lab::chain(Kind::P256);
    lab.issue(Issue { name: "other", issuer: None, extensions: ROOT, ..Issue::default() });
    lab.write("cross.key", lab.read("root.key"));
    let subject = "/CN=root";
    let cross = Issue { name: "cross", issuer: Some("other"), subject, extensions: ROOT, ..Issue::default() };
    let cross = lab.issue(cross);
    let leaf = lab.certificate("leaf");
    let presented = [cross, lab.certificate("intermediate")];
    for (root, length) in [("root", 3), ("other", 4)] {
        let verdict = judge(&leaf, &presented, &trust_in(&lab.certificate(root)), Profile::Server, NOW);
        assert!(verdict.is_accepted(), "{root} {verdict:?}");
        assert_eq!(verdict.path.unwrap().len(), length);
    }
}

#[test]
fn path_length_counts_only_intermediates_of_another_name() {
    let lab = Lab::chain(Kind::P256);
    let trust = trust_in(&lab.certificate("root"));
    lab.issue(Issue { name: "second", issuer: Some("intermediate"), extensions: ROOT, ..Issue::default() });
    let leaf = lab.issue(Issue { name: "deep", issuer: Some("second"), ..Issue::default() });
    let presented = [lab.certificate("second"), lab.certificate("intermediate")];
    assert_eq!(code(&leaf, &presented, &trust, Profile::Server), "CertificatePathLength");
    // The same name with another key is self-issued and does not count.
    let subject = "/CN=intermediate";
    let rollover = Issue { name: "rollover", subject, extensions: INTERMEDIATE, ..Issue::default() };
    lab.issue(rollover);
    let leaf = lab.issue(Issue { name: "rolled", issuer: Some("rollover"), ..Issue::default() });
    let presented = [lab.certificate("rollover"), lab.certificate("intermediate")];
    assert_eq!(code(&leaf, &presented, &trust, Profile::Server), "ok");
}

#[test]
fn weak_algorithms_need_a_setting_and_never_serve() {
    let lab = Lab::chain(Kind::P256);
    let mut trust = trust_in(&lab.certificate("root"));
    lab.openssl("genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:1024 -out short.key", &[]);
    let short = lab.issue(Issue { name: "short", ..Issue::default() });
    let sha1 = lab.issue(Issue { name: "sha1", digest: "sha1", ..Issue::default() });
    let presented = [lab.certificate("intermediate")];
    for profile in PROFILES {
        assert_eq!(code(&short, &presented, &trust, profile), "CertificateKeyWeak");
        assert_eq!(code(&sha1, &presented, &trust, profile), "CertificateSignatureWeak");
    }
    trust.allow_sha1 = true;
    trust.allow_rsa_1024 = true;
    for (profile, expected) in PROFILES.into_iter().zip([false, true, true]) {
        assert_eq!(code(&short, &presented, &trust, profile) == "ok", expected, "{profile:?}");
        assert_eq!(code(&sha1, &presented, &trust, profile) == "ok", expected, "{profile:?}");
    }
}

#[test]
fn a_root_with_the_same_name_and_another_key_does_not_hide_the_right_one() {
    let lab = Lab::chain(Kind::P256);
    lab.issue(Issue {
        name: "twin",
        issuer: None,
        subject: "/CN=root",
        extensions: ROOT,
        ..Issue::default()
    });
    let (twin, root) = (lab.certificate("twin"), lab.certificate("root"));
    let presented = [lab.certificate("intermediate")];
    let both = Trust { anchors: vec![twin.clone(), root], ..Trust::default() };
    assert_eq!(code(&lab.certificate("leaf"), &presented, &both, Profile::Server), "ok");
    let only_twin = code(&lab.certificate("leaf"), &presented, &trust_in(&twin), Profile::Server);
    assert_eq!(only_twin, "CertificateSignatureInvalid");
}

#[test]
fn dates_of_the_whole_path_count_apart_from_trust() {
    let lab = Lab::chain(Kind::P256);
    let trust = trust_in(&lab.certificate("root"));
    let old = ("20200101000000Z", "20290101000000Z");
    let issuer =
        Issue { name: "old", issuer: Some("root"), extensions: INTERMEDIATE, dates: old, ..Issue::default() };
    let issuer = lab.issue(issuer);
    let leaf = lab.issue(Issue { name: "late", issuer: Some("old"), ..Issue::default() });
    let verdict = judge(&leaf, std::slice::from_ref(&issuer), &trust, Profile::Server, NOW);
    assert!(verdict.trust.is_ok() && verdict.not_before_ok && !verdict.not_after_ok, "{verdict:?}");
    assert_eq!(verdict.valid_until, issuer.not_after());
    // A second, valid certificate for the same intermediate is preferred.
    lab.write("new.key", lab.read("old.key"));
    let subject = "/CN=old";
    let renewed =
        Issue { name: "new", issuer: Some("root"), subject, extensions: INTERMEDIATE, ..Issue::default() };
    let renewed = lab.issue(renewed);
    assert!(judge(&leaf, &[issuer, renewed], &trust, Profile::Server, NOW).is_accepted());
}

#[test]
fn pathological_meshes_end_quickly() {
    let lab = Lab::new();
    // Every certificate is issued under the same name by a key that none of them has.
    lab.issue(Issue { name: "root", issuer: None, extensions: ROOT, ..Issue::default() });
    let extensions = "basicConstraints=critical,CA:TRUE";
    let mesh: Vec<Certificate> = (0..19)
        .map(|index| {
            let name = format!("m{index}");
            let issue =
                Issue { name: &name, issuer: None, subject: "/CN=mesh", extensions, ..Issue::default() };
            lab.issue(issue)
        })
        .collect();
    lab.write("mesh.key", lab.read("m0.key"));
    lab.write("mesh.crt", lab.read("m0.crt"));
    let leaf = lab.issue(Issue { issuer: Some("mesh"), ..Issue::default() });
    let begin = std::time::Instant::now();
    let result = code(&leaf, &mesh, &trust_in(&lab.certificate("root")), Profile::Server);
    assert_ne!(result, "ok");
    assert!(begin.elapsed().as_millis() < 1_000);
}

#[test]
fn server_names_are_alternative_names_only() {
    let lab = Lab::chain(Kind::P256);
    let issue = |name: &'static str, extensions| lab.issue(Issue { name, extensions, ..Issue::default() });
    let named = issue("named", "subjectAltName=DNS:*.a.test,DNS:b.test,DNS:127.0.0.9,IP:127.0.0.1");
    let bare = issue("bare.test", "basicConstraints=CA:FALSE");
    let fits = |certificate: &Certificate, name: &str| {
        judge_server_name(certificate, &ServerName::try_from(name.to_owned()).unwrap())
    };
    for name in ["x.a.test", "B.test", "127.0.0.1"] {
        assert_eq!(fits(&named, name), Ok(()), "{name}");
    }
    for name in ["a.test", "y.x.a.test", "127.0.0.9", "named"] {
        let error = fits(&named, name).unwrap_err();
        assert_eq!(error.code(), "CertificateNameMismatch");
        let text = error.to_string();
        assert!(text.contains(&format!("\"{name}\"")) && text.contains("\"*.a.test\""), "{text}");
    }
    let error = fits(&bare, "bare.test").unwrap_err();
    assert_eq!(error.code(), "CertificateHasNoSubjectAltName");
    assert!(error.to_string().contains("certificate has no subjectAltName"));
    let name = ServerName::try_from("bare.test").unwrap();
    assert_eq!(judge_server_name_or_common_name(&bare, &name), Ok(()));
}

#[test]
fn a_self_signed_leaf_is_trusted_only_as_anchor_or_pin() {
    let lab = Lab::chain(Kind::P256);
    let own = lab.issue(Issue { name: "own", issuer: None, extensions: LEAF, ..Issue::default() });
    let own_ca = lab.issue(Issue { name: "own-ca", issuer: None, extensions: ROOT, ..Issue::default() });
    for certificate in [own, own_ca] {
        for profile in PROFILES {
            let foreign = code(&certificate, &[], &trust_in(&lab.certificate("root")), profile);
            assert!(["CertificateRootUntrusted", "CertificateCaAsLeaf"].contains(&foreign), "{foreign}");
            assert_eq!(code(&certificate, &[], &trust_in(&certificate), profile), "ok");
            let pinned = Trust { pins: vec![*certificate.sha256()], ..Trust::default() };
            assert_eq!(code(&certificate, &[], &pinned, profile), "ok");
        }
    }
}
