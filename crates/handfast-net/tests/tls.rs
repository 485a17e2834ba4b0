//! TLS facts as openssl sees them: versions, ALPN, tickets, alerts, and sessions that resume only where the
//! client would have been asked for the same.

use handfast_core::Clock;
use handfast_net::tls::{ClientAuth, Suite, TlsHost, TlsHostSpec, TlsTable, TlsVersions};
use handfast_net::{Hop, ListenerState};
use handfast_pki::Credential;
use handfast_testkit::client::{converse, statuses};
use handfast_testkit::{Echo, TestEngine, TestPki};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

struct Setup {
    engine: TestEngine,
    pki: TestPki,
    directory: tempfile::TempDir,
}

fn setup() -> Setup {
    let engine = TestEngine::start(Hop::Wire);
    let pki = TestPki::new(engine.clock.now());
    Setup { engine, pki, directory: tempfile::tempdir().expect("a directory") }
}

impl Setup {
    fn spec(&self, name: &str, client_auth: ClientAuth) -> TlsHostSpec {
        TlsHostSpec {
            name: name.to_owned(),
            pattern: None,
            credential: self.pki.server("a.localhost"),
            client_auth,
            trust_version: [0; 32],
            versions: TlsVersions::default(),
            suites: Suite::ALL.to_vec(),
            http2: true,
        }
    }

    fn listen(&mut self, name: &str, spec: TlsHostSpec) -> SocketAddr {
        let host = TlsHost::build(spec, name, &self.engine.shared_clock(), None).expect("usable");
        let state = self.engine.state(Arc::new(Echo::default()), Some(host));
        self.engine.listen(name, state)
    }

    fn listen_with(&mut self, name: &str, state: ListenerState) -> SocketAddr {
        self.engine.listen(name, state)
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.directory.path().join(name)
    }

    fn write_credential(&self, credential: &Credential) -> std::path::PathBuf {
        let path = self.path("client.pem");
        std::fs::write(&path, handfast_testkit::identities::pem(credential)).expect("a file");
        path
    }
}

/// Runs `openssl s_client` with a request on its input; everything that it says.
fn s_client(address: SocketAddr, arguments: &[&str]) -> String {
    let mut process = Command::new("openssl")
        .args(["s_client", "-connect", &address.to_string(), "-ign_eof"])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("openssl is installed");
    let mut input = process.stdin.take().expect("piped");
    // When the handshake fails, nobody reads the request.
    let _ = input.write_all(b"GET / HTTP/1.1\r\nHost: a.localhost\r\nConnection: close\r\n\r\n");
    let output = process.wait_with_output().expect("it ends");
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn versions_ciphers_and_protocols_are_negotiated_in_the_servers_order() {
    let mut setup = setup();
    let spec = setup.spec("both", ClientAuth::None);
    let both = setup.listen("both", spec);
    let new = s_client(both, &["-tls1_3", "-ciphersuites", "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384"]);
    assert!(new.contains("tls TLSv1.3 TLS_AES_256_GCM_SHA384"), "{new}");
    let ciphers = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384";
    let old = s_client(both, &["-tls1_2", "-cipher", ciphers]);
    assert!(old.contains("tls TLSv1.2 ECDHE-ECDSA-AES256-GCM-SHA384"), "{old}");
    assert!(s_client(both, &["-alpn", "h2,http/1.1"]).contains("ALPN protocol: h2"));
    assert!(s_client(both, &["-alpn", "http/1.1"]).contains("ALPN protocol: http/1.1"));
    let spec = TlsHostSpec { versions: TlsVersions::Tls13, ..setup.spec("new", ClientAuth::None) };
    let only_new = setup.listen("new", spec);
    assert!(s_client(only_new, &["-tls1_2"]).contains("alert protocol version"));
    let tickets = s_client(both, &["-tls1_3"]).matches("Post-Handshake New Session Ticket arrived").count();
    assert_eq!(tickets, 1);
}

#[test]
fn names_that_nobody_serves_get_the_unrecognized_name_alert() {
    let mut setup = setup();
    let pattern = handfast_route::HostPattern::parse("a.localhost").expect("a name");
    let spec = TlsHostSpec { pattern: Some(pattern), ..setup.spec("a", ClientAuth::None) };
    let host = TlsHost::build(spec, "a", &setup.engine.shared_clock(), None).expect("usable");
    let mut state = setup.engine.state(Arc::new(Echo::default()), None);
    state.tls = Some(TlsTable::new(vec![host], None, Vec::new()));
    let address = setup.listen_with("a", state);
    assert!(s_client(address, &["-servername", "a.localhost"]).contains("HTTP/1.1 200 OK"));
    for wrong in [&["-servername", "b.localhost"][..], &["-noservername"][..]] {
        let said = s_client(address, wrong);
        assert!(said.contains("unrecognized name"), "{said}");
    }
}

#[test]
fn each_protocol_on_the_port_of_the_other_is_told_so() {
    let mut setup = setup();
    let spec = setup.spec("tls", ClientAuth::None);
    let tls = setup.listen("tls", spec);
    assert_eq!(statuses(&converse(tls, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")), [400]);
    let state = setup.engine.state(Arc::new(Echo::default()), None);
    let plain = setup.listen_with("plain", state);
    let mut hello = vec![22, 3, 1, 0, 200, 1, 0, 0, 196, 3, 3];
    hello.resize(205, 0);
    let mut stream = TcpStream::connect(plain).expect("open");
    stream.write_all(&hello).expect("open");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("closed in good order");
    assert_eq!(statuses(&answer), [400]);
}

#[test]
fn sessions_resume_with_their_chain_and_only_on_the_same_host_mode_and_trust() {
    let mut setup = setup();
    let client = setup.write_credential(&setup.pki.client("somebody"));
    let ask = || ClientAuth::Request { hints: Vec::new() };
    let specs = [
        setup.spec("same", ask()),
        setup.spec("other-mode", ClientAuth::None),
        setup.spec("other-demand", ClientAuth::Require { trust: setup.pki.trust() }),
        TlsHostSpec { trust_version: [1; 32], ..setup.spec("same", ask()) },
        setup.spec("other-listener", ask()),
    ];
    // All show the same certificate for the same name.
    let credential = setup.pki.server("a.localhost");
    let names = ["same", "mode", "demand", "trust", "listener"];
    let addresses: Vec<SocketAddr> = specs
        .into_iter()
        .zip(names)
        .map(|(spec, name)| setup.listen(name, TlsHostSpec { credential: credential.clone(), ..spec }))
        .collect();
    let client = text(&client);
    for version in ["-tls1_2", "-tls1_3"] {
        let path = setup.path("session");
        let session = text(&path);
        let common =
            [version, "-servername", "a.localhost", "-cert", client, "-cert_chain", client, "-key", client];
        let first = s_client(addresses[0], &[&common[..], &["-sess_out", session]].concat());
        assert!(first.contains("client CN=somebody"), "{first}");
        let again = s_client(addresses[0], &[version, "-servername", "a.localhost", "-sess_in", session]);
        assert!(again.contains("Reused, TLSv1"), "{version}: {again}");
        assert!(again.contains("client CN=somebody"), "the chain comes back with the session");
        for (address, name) in addresses.iter().zip(names).skip(1) {
            let said = s_client(*address, &[&common[..], &["-sess_in", session]].concat());
            assert!(!said.contains("Reused, TLSv1"), "{version} {name}: {said}");
            assert!(said.contains("HTTP/1.1 200 OK"), "{version} {name}: falls back to a full handshake");
        }
    }
}

#[test]
fn a_demanded_certificate_that_has_expired_does_not_resume() {
    let mut setup = setup();
    let day = std::time::Duration::from_secs(24 * 3600);
    let client = setup.write_credential(&setup.pki.client_for("brief", day / 24));
    let spec = setup.spec("strict", ClientAuth::Require { trust: setup.pki.trust() });
    let address = setup.listen("strict", spec);
    let path = setup.path("session");
    let (client, session) = (text(&client), text(&path));
    let common = ["-tls1_3", "-cert", client, "-cert_chain", client, "-key", client];
    let first = s_client(address, &[&common[..], &["-sess_out", session]].concat());
    assert!(first.contains("client CN=brief"), "{first}");
    setup.engine.clock.advance(day / 12);
    let again = s_client(address, &[&common[..], &["-sess_in", session]].concat());
    assert!(!again.contains("HTTP/1.1 200 OK"), "{again}");
    assert!(!s_client(address, &["-tls1_3"]).contains("HTTP/1.1"), "none was sent");
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a plain path")
}
