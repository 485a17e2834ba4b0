//! The example of `examples/mtls-chain` in a folder of its own, with its two services in this process and
//! the `handfast` binary as a child.
#![allow(dead_code, reason = "each test binary uses its part")]

use handfast_net::tls::{ClientAuth, TrustSet};
use handfast_pki::{Credential, pem};
use handfast_testkit::{Echo, TestEngine};
use serde_json::Value;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// The repository.
pub(crate) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The certificates of the example, made once for all tests of a binary.
pub(crate) fn certificates() -> &'static Path {
    static MADE: OnceLock<PathBuf> = OnceLock::new();
    MADE.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("mtls-chain");
        std::fs::create_dir_all(&folder).expect("a folder for certificates");
        let script = folder.join("make-certificates.sh");
        std::fs::copy(repository().join("examples/mtls-chain/make-certificates.sh"), &script)
            .expect("the script");
        let made = Command::new("bash").arg(&script).status().expect("bash runs");
        assert!(made.success(), "certificates are made");
        folder.join(".generated")
    })
}

/// A file of the certificates.
pub(crate) fn certificate(name: &str) -> PathBuf {
    certificates().join(name)
}

/// The services behind the gateway.
pub(crate) struct Services {
    engine: TestEngine,
    pub(crate) echo: Arc<Echo>,
    pub(crate) orders: SocketAddr,
    pub(crate) customers: SocketAddr,
}

impl Services {
    /// Starts both; they demand a certificate of the internal root.
    pub(crate) fn start() -> Self {
        let mut engine = TestEngine::start(handfast_net::Hop::Wire);
        let echo = Arc::new(Echo::default());
        let roots =
            pem::certificates(&std::fs::read(certificate("internal-root.pem")).expect("root")).expect("PEM");
        let trust = Arc::new(TrustSet::new(roots, Vec::new()));
        let mut listen = |name: &str| {
            let read =
                |kind: &str| std::fs::read(certificate(&format!("{name}.localhost.{kind}"))).expect("PEM");
            let both = [read("pem"), read("key")].concat();
            let credential = Arc::new(Credential::from_pem(&both, None).expect("a credential"));
            let host = engine.host(name, credential, ClientAuth::Require { trust: trust.clone() }, true);
            let state = engine.state(echo.clone(), Some(host));
            engine.listen(name, state)
        };
        let (orders, customers) = (listen("orders"), listen("customers"));
        Self { engine, echo, orders, customers }
    }
}

/// A copy of the example that a test may edit.
pub(crate) struct Example {
    folder: tempfile::TempDir,
}

impl Example {
    /// Copies the example.
    pub(crate) fn copy() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let source = repository().join("examples/mtls-chain");
        std::fs::create_dir(folder.path().join("policies")).expect("a folder");
        std::fs::copy(source.join("main.json"), folder.path().join("main.json")).expect("the template");
        for policy in std::fs::read_dir(source.join("policies")).expect("the policies") {
            let policy = policy.expect("a policy");
            let copy = folder.path().join("policies").join(policy.file_name());
            std::fs::copy(policy.path(), copy).expect("a policy of the example");
        }
        let parameters = certificate("main.parameters.json");
        std::fs::copy(parameters, folder.path().join("main.parameters.json")).expect("parameters");
        Self { folder }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Replaces a text in a file; it must be there. The file is replaced at once, as editors do.
    pub(crate) fn edit(&self, file: &str, from: &str, to: &str) {
        let path = self.path().join(file);
        let text = std::fs::read_to_string(&path).expect("the file");
        assert!(text.contains(from), "{file} has {from:?}");
        self.write(file, &text.replacen(from, to, 1));
    }

    /// Replaces a file at once.
    pub(crate) fn write(&self, file: &str, text: &str) {
        let new = self.path().join("new");
        std::fs::write(&new, text).expect("a file");
        std::fs::rename(new, self.path().join(file)).expect("a file");
    }

    /// The value of a parameter.
    pub(crate) fn parameter(&self, name: &str) -> String {
        let text = std::fs::read_to_string(self.path().join("main.parameters.json")).expect("parameters");
        let document: Value = serde_json::from_str(&text).expect("JSON");
        document["parameters"][name]["value"].as_str().expect("a text").to_owned()
    }

    /// Replaces the value of a parameter.
    pub(crate) fn set_parameter(&self, name: &str, value: &str) {
        let text = std::fs::read_to_string(self.path().join("main.parameters.json")).expect("parameters");
        let mut document: Value = serde_json::from_str(&text).expect("JSON");
        document["parameters"][name]["value"] = value.into();
        self.write("main.parameters.json", &document.to_string());
    }
}

/// A loopback port that is free now.
pub(crate) fn free_port() -> u16 {
    let probe = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    probe.local_addr().expect("bound").port()
}

/// A running `handfast up`.
pub(crate) struct Up {
    child: Child,
    pub(crate) ready: Value,
    pub(crate) port: u16,
    errors: Receiver<String>,
    seen_errors: String,
}

impl Up {
    /// Starts it and waits until it says that it is ready.
    pub(crate) fn start(example: &Example, services: &Services, arguments: &[&str]) -> Self {
        Self::start_on(free_port(), example, services, arguments)
    }

    /// The same, with the shop on a given port.
    pub(crate) fn start_on(port: u16, example: &Example, services: &Services, arguments: &[&str]) -> Self {
        Self::spawn(port, command(example, services, port, arguments))
    }

    /// Runs a command that becomes `handfast up`, with the shop on a given port.
    pub(crate) fn spawn(port: u16, mut command: Command) -> Self {
        let mut child =
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("handfast starts");
        let mut lines = BufReader::new(child.stdout.take().expect("piped"));
        let errors = follow(child.stderr.take().expect("piped"));
        let mut line = String::new();
        lines.read_line(&mut line).expect("standard output");
        let Ok(ready) = serde_json::from_str(&line) else {
            let said: String = errors.iter().collect();
            panic!("handfast did not get ready: {line:?}\n{said}");
        };
        Self { child, ready, port, errors, seen_errors: String::new() }
    }

    /// Waits until standard error has said something; all that it said.
    pub(crate) fn wait_for(&mut self, text: &str) -> &str {
        while !self.seen_errors.contains(text) {
            match self.errors.recv_timeout(Duration::from_secs(20)) {
                Ok(line) => self.seen_errors.push_str(&line),
                Err(_) => panic!("handfast never said {text:?}, but:\n{}", self.seen_errors),
            }
        }
        &self.seen_errors
    }

    /// Forgets what standard error said so far.
    pub(crate) fn forget(&mut self) {
        while self.errors.try_recv().is_ok() {}
        self.seen_errors.clear();
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", signal, &pid]).status().expect("kill runs");
        assert!(sent.success());
    }

    /// Ends it with a signal and waits for its end.
    pub(crate) fn stop(mut self, signal: &str) -> std::process::ExitStatus {
        self.signal(signal);
        self.child.wait().expect("it ends")
    }

    /// Whether it has not ended.
    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("a child").is_none()
    }

    /// A request in flight: curl sends a body whose rest never comes. It has begun when this returns.
    pub(crate) fn endless_upload(&self, example: &Example, services: &Services) -> Upload {
        let before = services.echo.seen();
        let key = format!("Ocp-Apim-Subscription-Key: {}", example.parameter("subscriptionKey"));
        let mut command = Command::new("curl");
        command.args(["--silent", "--http1.1", "--cacert"]).arg(certificate("internal-root.pem"));
        command.arg("--cert").arg(certificate("valid.chain.pem")).arg("--key").arg(certificate("valid.key"));
        command
            .args(["--header", &key, "--header", "Expect:", "--request", "POST", "--upload-file", "-"])
            .arg(self.url("/orders/"));
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("curl runs");
        let mut body = child.stdin.take().expect("piped");
        std::io::Write::write_all(&mut body, b"begun").expect("curl reads");
        let deadline = std::time::Instant::now() + Duration::from_secs(20);
        while services.echo.seen() == before {
            assert!(std::time::Instant::now() < deadline, "the request never reached its service");
            std::thread::yield_now();
        }
        Upload { child, _body: body }
    }

    /// A request through curl.
    pub(crate) fn curl(&self, client: &str, arguments: &[&str]) -> String {
        let output = curl(client, arguments);
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// The URL of a target of the shop.
    pub(crate) fn url(&self, target: &str) -> String {
        format!("https://shop.localhost:{}{target}", self.port)
    }
}

/// A curl that waits for the rest of its body.
pub(crate) struct Upload {
    child: Child,
    _body: std::process::ChildStdin,
}

impl Drop for Upload {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `handfast up` of an example with the services of this process.
pub(crate) fn command(example: &Example, services: &Services, port: u16, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_handfast"));
    command.arg("up").arg(example.path()).arg("--json").args(arguments);
    for word in [
        format!("shopPort={port}"),
        format!("ordersUrl=https://orders.localhost:{}", services.orders.port()),
        format!("customersUrl=https://customers.localhost:{}", services.customers.port()),
    ] {
        command.args(["--param", &word]);
    }
    command.stdin(Stdio::null());
    command
}

/// curl with a client certificate (`none` for none) and trust in the internal root; head and body are printed.
pub(crate) fn curl(client: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new("curl");
    command.args(["--silent", "--show-error", "--include", "--path-as-is", "--max-time", "20", "--cacert"]);
    command.arg(certificate("internal-root.pem"));
    if client != "none" {
        command.arg("--cert").arg(certificate(&format!("{client}.chain.pem")));
        command.arg("--key").arg(certificate(&format!("{client}.key")));
    }
    command.args(arguments).output().expect("curl runs")
}

fn follow(stderr: ChildStderr) -> Receiver<String> {
    let (sender, receiver) = sync_channel(1024);
    std::thread::spawn(move || {
        let mut reader = BufReader::new(stderr);
        loop {
            let mut line = String::new();
            match reader.read_line(&mut line) {
                Ok(count) if count > 0 && sender.send(line).is_ok() => {}
                _ => return,
            }
        }
    });
    receiver
}

/// Everything that a stream has.
pub(crate) fn read_all(mut stream: impl Read) -> String {
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("text");
    text
}
