//! Load over the whole chain, HTTP/2 by h2load over fused hops and HTTP/1.1 by wrk over wire hops, while a policy changes and certificates
//! of all hops rotate: no request fails.
//!
//! `HANDFAST_LOAD_SECONDS` sets the length of each run (20 by default; 600 for the long run of
//! `docs/reports`). The edge's listener asks for no client certificate here, because neither tool can present
//! one; the hops behind it stay mutual.

#[path = "support/world.rs"]
mod world;

use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use world::{Example, Services, Up, certificates, read_all};

fn seconds() -> u64 {
    std::env::var("HANDFAST_LOAD_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(20)
}

/// The limit of requests on one HTTP/2 connection, which h2load does not follow by connecting again.
const UNLIMITED: &str = "\"tags\": { \"handfast:limits.requestsPerConnection\": \"0\", ";

/// Issues a new certificate for a name from the internal root; the PFX as base64.
fn reissue(name: &str, common_name: &str, profile: &str) -> String {
    let script = format!(
        "set -e; cd '{folder}'; new=$(mktemp -d); export SAN=unused
         openssl req -new -newkey rsa:2048 -nodes -keyout $new/key -out $new/csr -subj '/CN={common_name}' -config openssl.cnf 2>/dev/null
         SAN='{common_name}' openssl ca -batch -notext -config openssl.cnf -in $new/csr -out $new/pem -cert internal-root.pem \
           -keyfile internal-root.key -extensions {profile} -startdate $(date -u -d '-1 hour' +%Y%m%d%H%M%SZ) -enddate $(date -u -d '+100 days' +%Y%m%d%H%M%SZ) 2>/dev/null
         openssl pkcs12 -export -inkey $new/key -in $new/pem -certfile internal-root.pem -out $new/pfx -passout pass:P@ssw0rd
         openssl base64 -A -in $new/pfx",
        folder = certificates().display(),
    );
    let output = Command::new("bash").args(["-c", &script]).output().expect("bash runs");
    assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("base64")
}

/// The serial number of the certificate that the shop serves now.
fn served_serial(port: u16) -> String {
    let script = format!(
        "openssl s_client -connect 127.0.0.1:{port} -servername shop.localhost </dev/null 2>/dev/null | openssl x509 -noout -serial"
    );
    let output = Command::new("bash").args(["-c", &script]).output().expect("openssl runs");
    String::from_utf8(output.stdout).expect("text")
}

/// One load at a time: they share the machine and the authority's database.
static TURN: Mutex<()> = Mutex::new(());

struct Load {
    example: Example,
    up: Up,
    key: String,
    _services: Services,
}

impl Load {
    fn start(hop: &str) -> Self {
        let (example, services) = (Example::copy(), Services::start());
        example.edit(
            "main.json",
            ",\n              \"sslProfile\": { \"id\": \"[format('{0}/sslProfiles/partners', variables('edgeId'))]\" }",
            "",
        );
        example.edit(
            "main.json",
            "\"tags\": { \"handfast:backendHttpSettings",
            &format!("{UNLIMITED}\"handfast:backendHttpSettings"),
        );
        // The example's rate limit is for clients, not for a load generator.
        example.edit("policies/global.xml", "calls=\"100000\"", "calls=\"4000000000\"");
        let up = Up::start(&example, &services, &["--hop", hop]);
        let key = format!("Ocp-Apim-Subscription-Key: {}", example.parameter("subscriptionKey"));
        Self { example, up, key, _services: services }
    }

    /// Runs a tool, and changes a policy and every certificate while it runs.
    fn run(&mut self, tool: &mut Command) -> String {
        let started = Instant::now();
        let child =
            tool.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the tool is installed");
        let third = Duration::from_secs(seconds()) / 3;
        self.change_at(started + third, |example| {
            example.edit("policies/orders.xml", "<value>orders</value>", "<value>orders again</value>");
        });
        let before = served_serial(self.up.port);
        self.change_at(started + 2 * third, |example| {
            for (parameter, name, profile) in [
                ("shopPfx", "shop.localhost", "server"),
                ("gatewayPfx", "gateway.contoso.internal", "server"),
                ("edgeClientPfx", "edge.contoso.internal", "client"),
                ("gatewayClientPfx", "gateway.contoso.internal", "client"),
            ] {
                example.set_parameter(parameter, &reissue(parameter, name, profile));
            }
        });
        assert_ne!(served_serial(self.up.port), before, "the new certificate is served");
        let report = finish(child);
        self.record(&report);
        report
    }

    /// Adds the report to the file that `HANDFAST_LOAD_REPORT` names.
    fn record(&self, report: &str) {
        let Some(file) = std::env::var_os("HANDFAST_LOAD_REPORT") else { return };
        let mut text = std::fs::read_to_string(&file).unwrap_or_default();
        text.push_str(report);
        text.push('\n');
        std::fs::write(file, text).expect("the report is written");
    }

    fn change_at(&mut self, at: Instant, change: impl FnOnce(&Example)) {
        std::thread::sleep(at.saturating_duration_since(Instant::now()));
        self.up.forget();
        change(&self.example);
        self.up.wait_for("changed files are live");
    }
}

fn finish(mut child: Child) -> String {
    let out = read_all(child.stdout.take().expect("piped"));
    let errors = read_all(child.stderr.take().expect("piped"));
    let status = child.wait().expect("it ends");
    assert!(status.success(), "{out}\n{errors}");
    out
}

/// The number in front of a word in a line that begins with `start`.
fn figure(report: &str, start: &str, word: &str) -> Option<u64> {
    let line = report.lines().find(|line| line.trim_start().starts_with(start))?;
    let words: Vec<&str> = line.split([' ', ',']).filter(|word| !word.is_empty()).collect();
    let at = words.iter().position(|found| *found == word)?;
    words.get(at.checked_sub(1)?)?.parse().ok()
}

#[test]
fn http_2_load_survives_changes_without_a_failed_request() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let mut load = Load::start("fused");
    let (url, key, length) = (load.up.url("/orders/"), load.key.clone(), seconds().to_string());
    let connect = format!("127.0.0.1:{}", load.up.port);
    let mut tool = Command::new("h2load");
    tool.args(["--duration", &length, "--clients", "8", "--max-concurrent-streams", "10", "--header", &key]);
    tool.args(["--connect-to", &connect, &url]);
    let report = load.run(&mut tool);
    for word in ["failed", "errored", "timeout"] {
        assert_eq!(figure(&report, "requests:", word), Some(0), "{report}");
    }
    for word in ["3xx", "4xx", "5xx"] {
        assert_eq!(figure(&report, "status codes:", word), Some(0), "{report}");
    }
    // Every connection lasted: none was closed by us and left idle.
    assert!(figure(&report, "requests:", "succeeded") > Some(1000 * seconds()), "{report}");
}

#[test]
fn http_1_1_load_survives_changes_without_a_failed_request() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let mut load = Load::start("wire");
    // wrk resolves names with the system's resolver, which need not know names below localhost.
    let url = format!("https://127.0.0.1:{}/orders/", load.up.port);
    let (key, length) = (load.key.clone(), format!("{}s", seconds()));
    let mut tool = Command::new("wrk");
    tool.args(["--threads", "1", "--connections", "16", "--duration", &length, "--header", &key]);
    tool.args(["--header", "Host: shop.localhost", &url]);
    let report = load.run(&mut tool);
    assert!(!report.contains("Socket errors") && !report.contains("Non-2xx"), "{report}");
    let served = report.lines().find(|line| line.contains(" requests in ")).expect("a count of requests");
    assert!(
        served.trim().split(' ').next().and_then(|count| count.parse::<u64>().ok()) > Some(1000),
        "{report}"
    );
}
