//! Fixtures made by the `openssl` command line: keys, certificates with any dates and extensions, PFX files.
//!
//! Everything lies in a temporary directory that goes away with the [`Lab`]. A missing or failing `openssl`
//! fails the test. Other crates' tests may include this file by `#[path]`.

// Each test crate that includes this file uses a part of it.
#![allow(dead_code)]

use handfast_core::UnixTime;
use handfast_pki::{Certificate, PrivateKey, pem};
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use tempfile::TempDir;

/// The time of all tests: 2030-01-01T00:00:00Z.
pub(crate) const NOW: UnixTime = UnixTime(1_893_456_000);

/// Kinds of keys; RSA is slow to make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Rsa2048,
    P256,
    P384,
    P521,
    Ed25519,
}

pub(crate) const ALL_KINDS: [Kind; 5] = [Kind::Rsa2048, Kind::P256, Kind::P384, Kind::P521, Kind::Ed25519];

pub(crate) const ROOT: &str =
    "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash";
pub(crate) const INTERMEDIATE: &str = "basicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=critical,keyCertSign,cRLSign\n\
    subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid";
pub(crate) const LEAF: &str = "basicConstraints=CA:FALSE\nkeyUsage=critical,digitalSignature\n\
    extendedKeyUsage=clientAuth,serverAuth\nsubjectAltName=DNS:leaf.test\nsubjectKeyIdentifier=hash\n\
    authorityKeyIdentifier=keyid";
pub(crate) const CLIENT: &str =
    "basicConstraints=CA:FALSE\nextendedKeyUsage=clientAuth\nsubjectAltName=DNS:Valid Client";

/// The attributes that `openssl ca` lets into a subject.
const SUBJECT_FIELDS: [&str; 13] = [
    "commonName",
    "countryName",
    "stateOrProvinceName",
    "localityName",
    "organizationName",
    "organizationalUnitName",
    "emailAddress",
    "domainComponent",
    "userId",
    "serialNumber",
    "givenName",
    "surname",
    "title",
];

/// A certificate to make.
#[derive(Clone, Copy)]
pub(crate) struct Issue<'a> {
    /// File name without ending; the key of the same name is made if it is missing.
    pub(crate) name: &'a str,
    /// Name of the issuer; `None` makes a self-signed certificate.
    pub(crate) issuer: Option<&'a str>,
    /// Subject in openssl's form, `/CN=x`; empty means `/CN=` and the name.
    pub(crate) subject: &'a str,
    /// Lines of an extension section.
    pub(crate) extensions: &'a str,
    /// First and last second, `YYYYMMDDHHMMSSZ`.
    pub(crate) dates: (&'a str, &'a str),
    /// Digest of the signature; `default` for Ed25519.
    pub(crate) digest: &'a str,
}

impl Default for Issue<'_> {
    fn default() -> Self {
        Self {
            name: "leaf",
            issuer: Some("intermediate"),
            subject: "",
            extensions: LEAF,
            dates: ("20260101000000Z", "20390101000000Z"),
            digest: "sha256",
        }
    }
}

/// A directory of fixtures.
pub(crate) struct Lab {
    dir: TempDir,
}

impl Lab {
    pub(crate) fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    /// Root, intermediate and leaf with keys of one kind.
    pub(crate) fn chain(kind: Kind) -> Self {
        let lab = Self::new();
        let digest = if kind == Kind::Ed25519 { "default" } else { "sha256" };
        for name in ["root", "intermediate", "leaf"] {
            lab.key(name, kind);
        }
        lab.issue(Issue { name: "root", issuer: None, extensions: ROOT, digest, ..Issue::default() });
        let intermediate = Issue {
            name: "intermediate",
            issuer: Some("root"),
            extensions: INTERMEDIATE,
            digest,
            ..Issue::default()
        };
        lab.issue(intermediate);
        lab.issue(Issue { digest, ..Issue::default() });
        lab
    }

    pub(crate) fn path(&self, file: &str) -> PathBuf {
        self.dir.path().join(file)
    }

    pub(crate) fn read(&self, file: &str) -> Vec<u8> {
        fs::read(self.path(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
    }

    pub(crate) fn text(&self, file: &str) -> String {
        String::from_utf8(self.read(file)).unwrap()
    }

    pub(crate) fn write(&self, file: &str, content: impl AsRef<[u8]>) {
        fs::write(self.path(file), content).unwrap();
    }

    /// Runs openssl in the directory; the words of `line` are its arguments, `more` follows them.
    pub(crate) fn openssl(&self, line: &str, more: &[&str]) -> Vec<u8> {
        let output = Command::new("openssl")
            .args(line.split_whitespace())
            .args(more)
            .current_dir(self.dir.path())
            .output()
            .expect("the openssl command line is needed for these tests");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "openssl {line} {more:?}: {errors}");
        output.stdout
    }

    /// What `openssl verify` says of a client certificate at [`NOW`]: the reason of a refusal.
    pub(crate) fn verify_client(&self, root: &str, intermediate: &str, leaf: &str) -> Result<(), String> {
        let at = NOW.0;
        let line = format!(
            "verify -attime {at} -purpose sslclient -no-CApath -no-CAstore -CAfile {root}.crt -untrusted \
             {intermediate}.crt {leaf}.crt"
        );
        let output = Command::new("openssl")
            .args(line.split_whitespace())
            .current_dir(self.dir.path())
            .output()
            .expect("the openssl command line is needed for these tests");
        if output.status.success() {
            return Ok(());
        }
        let errors = String::from_utf8_lossy(&output.stderr);
        let reason = errors.lines().find_map(|line| line.split_once("lookup: ")).map(|(_, reason)| reason);
        Err(reason.unwrap_or(&errors).trim().to_owned())
    }

    /// Makes `name.key`, PKCS#8, unless it is there.
    pub(crate) fn key(&self, name: &str, kind: Kind) {
        if self.path(&format!("{name}.key")).exists() {
            return;
        }
        let algorithm = match kind {
            Kind::Rsa2048 => "RSA -pkeyopt rsa_keygen_bits:2048",
            Kind::P256 => "EC -pkeyopt ec_paramgen_curve:P-256 -pkeyopt ec_param_enc:named_curve",
            Kind::P384 => "EC -pkeyopt ec_paramgen_curve:P-384 -pkeyopt ec_param_enc:named_curve",
            Kind::P521 => "EC -pkeyopt ec_paramgen_curve:P-521 -pkeyopt ec_param_enc:named_curve",
            Kind::Ed25519 => "ED25519",
        };
        self.openssl(&format!("genpkey -algorithm {algorithm} -out {name}.key"), &[]);
    }

    /// Makes `name.crt` and returns it.
    pub(crate) fn issue(&self, issue: Issue<'_>) -> Certificate {
        let Issue { name, issuer, subject, extensions, dates, digest } = issue;
        self.key(name, Kind::P256);
        let subject = if subject.is_empty() { format!("/CN={name}") } else { subject.to_owned() };
        self.write("req.cnf", "[req]\ndistinguished_name=dn\n[dn]\n");
        let request = format!("req -new -utf8 -config req.cnf -key {name}.key -out {name}.csr -subj");
        self.openssl(&request, &[&subject]);
        let policy: String = SUBJECT_FIELDS.iter().map(|field| format!("{field}=optional\n")).collect();
        let config = format!(
            "[ca]\ndefault_ca=c\n[c]\ndatabase={name}.db\nnew_certs_dir=.\nrand_serial=yes\ndefault_md={digest}\n\
             policy=p\nunique_subject=no\nemail_in_dn=yes\n[p]\n{policy}[ext]\n{extensions}\n"
        );
        self.write(&format!("{name}.cnf"), config);
        self.write(&format!("{name}.db"), "");
        let from = match issuer {
            None => format!("-selfsign -keyfile {name}.key"),
            Some(issuer) => format!("-cert {issuer}.crt -keyfile {issuer}.key"),
        };
        let (start, end) = dates;
        let sign = format!(
            "ca -batch -notext -utf8 -preserveDN -config {name}.cnf {from} -in {name}.csr -out {name}.crt -startdate {start} \
             -enddate {end} -extensions ext"
        );
        self.openssl(&sign, &[]);
        self.certificate(name)
    }

    pub(crate) fn certificate(&self, name: &str) -> Certificate {
        pem::certificates(&self.read(&format!("{name}.crt"))).unwrap().remove(0)
    }

    pub(crate) fn private_key(&self, name: &str) -> PrivateKey {
        pem::private_key(&self.read(&format!("{name}.key")), None).unwrap()
    }

    /// The texts of several certificates, one after the other.
    pub(crate) fn bundle(&self, names: &[&str]) -> String {
        names.iter().map(|name| self.text(&format!("{name}.crt"))).collect()
    }

    /// `openssl pkcs12 -export` of leaf, intermediate and root with further options.
    pub(crate) fn pfx(&self, options: &str, password: &str) -> Vec<u8> {
        self.pfx_of("leaf", &["intermediate", "root"], options, password)
    }

    pub(crate) fn pfx_of(&self, leaf: &str, others: &[&str], options: &str, password: &str) -> Vec<u8> {
        self.write("others.pem", self.bundle(others));
        let line = format!(
            "pkcs12 -export -inkey {leaf}.key -in {leaf}.crt -certfile others.pem -out out.pfx {options} -passout"
        );
        self.openssl(&line, &[&format!("pass:{password}")]);
        self.read("out.pfx")
    }
}
