//! `handfast cert` against files that openssl made, and openssl against files that it made.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A self-signed certificate `name.pem` with its key `name.key`.
    fn certificate(&self, name: &str) {
        openssl(
            self.0.path(),
            &[
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:P-256",
                "-nodes",
                "-days",
                "30",
                "-subj",
                &format!("/CN={name}"),
                "-addext",
                &format!("subjectAltName=DNS:{name}"),
                "-keyout",
                &format!("{name}.key"),
                "-out",
                &format!("{name}.pem"),
            ],
        );
    }
}

fn openssl(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new("openssl").current_dir(folder).args(arguments).output().expect("openssl runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "openssl {arguments:?}: {said}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn cert(folder: &Folder, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_handfast"));
    command.current_dir(folder.0.path()).arg("cert").args(arguments).output().expect("handfast runs")
}

/// Standard output of a command that succeeds.
fn good(folder: &Folder, arguments: &[&str]) -> String {
    let output = cert(folder, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Standard error of a command that fails.
fn bad(folder: &Folder, arguments: &[&str]) -> String {
    let output = cert(folder, arguments);
    assert_eq!(output.status.code(), Some(1), "{arguments:?}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn inspect_reads_pem_der_and_pfx_alike() {
    let folder = Folder::new();
    folder.certificate("a.test");
    openssl(folder.0.path(), &["x509", "-in", "a.test.pem", "-outform", "DER", "-out", "a.der"]);
    openssl(
        folder.0.path(),
        &[
            "pkcs12",
            "-export",
            "-in",
            "a.test.pem",
            "-inkey",
            "a.test.key",
            "-passout",
            "pass:s3cret",
            "-out",
            "a.pfx",
        ],
    );
    let fingerprint =
        openssl(folder.0.path(), &["x509", "-in", "a.test.pem", "-noout", "-fingerprint", "-sha1"]);
    let thumbprint = fingerprint.trim().rsplit('=').next().expect("a value").replace(':', "");
    for (arguments, head) in [
        (vec!["inspect", "a.test.pem"], "PEM: 1 certificate, no private key"),
        (vec!["inspect", "a.der"], "DER: 1 certificate, no private key"),
        (vec!["inspect", "a.pfx", "--password", "s3cret"], "PFX: 1 certificate, 1 private key"),
    ] {
        let text = good(&folder, &arguments);
        assert_eq!(text.lines().next(), Some(head));
        assert!(text.contains("subject     CN=a.test") && text.contains(&thumbprint), "{text}");
        assert!(text.contains("valid for another "), "{text}");
    }
    let json = good(&folder, &["inspect", "a.pfx", "--password", "s3cret", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json["certificates"][0]["thumbprint"], thumbprint.as_str());
    assert_eq!((&json["format"], &json["privateKeys"]), (&"PFX".into(), &1.into()));
}

#[test]
fn what_cannot_be_read_is_said_without_the_password() {
    let folder = Folder::new();
    folder.certificate("a.test");
    openssl(
        folder.0.path(),
        &[
            "pkcs12",
            "-export",
            "-in",
            "a.test.pem",
            "-inkey",
            "a.test.key",
            "-passout",
            "pass:right",
            "-out",
            "a.pfx",
        ],
    );
    let said = bad(&folder, &["inspect", "a.pfx", "--password", "wr0ng"]);
    assert!(said.contains("password") && !said.contains("wr0ng"), "{said}");
    std::fs::write(folder.path("rubbish"), b"no certificate").expect("a file");
    let said = bad(&folder, &["inspect", "rubbish"]);
    assert!(said.contains("\"rubbish\" is no PEM and no DER certificate"), "{said}");
    let said = bad(&folder, &["inspect", "missing.pem"]);
    assert!(said.contains("\"missing.pem\""), "{said}");
    std::fs::write(folder.path("empty"), b"").expect("a file");
    bad(&folder, &["inspect", "empty"]);
}

#[test]
fn verify_judges_chain_name_and_trust() {
    let folder = Folder::new();
    for name in ["a.test", "other.test"] {
        folder.certificate(name);
    }
    let own = ["verify", "a.test.pem", "--ca", "a.test.pem", "--host"];
    let with = |host| [&own[..], &[host]].concat();
    assert!(good(&folder, &with("a.test")).contains("trusted"));
    assert!(bad(&folder, &with("b.test")).contains("not trusted"));
    assert!(bad(&folder, &with("no host name")).contains("no host name"));
    let stranger = ["verify", "a.test.pem", "--ca", "other.test.pem", "--host", "a.test"];
    assert!(bad(&folder, &stranger).contains("not trusted"));
}

#[test]
fn what_is_issued_openssl_accepts() {
    let folder = Folder::new();
    let ca = good(&folder, &["ca", "--state", "state"]);
    assert_eq!(ca, good(&folder, &["ca", "--state", "state"]), "the CA stays");
    std::fs::write(folder.path("ca.pem"), ca).expect("a file");
    good(&folder, &["issue", "--state", "state", "a.handfast.localhost", "--out", "a.pem"]);
    let verify = [
        "verify",
        "-CAfile",
        "ca.pem",
        "-untrusted",
        "a.pem",
        "-verify_hostname",
        "a.handfast.localhost",
        "a.pem",
    ];
    assert!(openssl(folder.0.path(), &verify).contains("OK"));
    assert!(
        good(&folder, &["verify", "a.pem", "--ca", "ca.pem", "--host", "a.handfast.localhost"])
            .contains("trusted")
    );
    let again = bad(&folder, &["issue", "--state", "state", "a.handfast.localhost", "--out", "a.pem"]);
    assert!(again.contains("\"a.pem\""), "a file is never written over: {again}");
    let client = ["issue", "--state", "state", "me", "--usage", "client", "--pfx", "pw", "--out", "me.pfx"];
    good(&folder, &client);
    let inside = openssl(folder.0.path(), &["pkcs12", "-in", "me.pfx", "-passin", "pass:pw", "-nodes"]);
    assert!(inside.contains("BEGIN PRIVATE KEY") && inside.contains("CN"), "{inside}");
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::metadata(folder.path("me.pfx")).expect("the file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}
