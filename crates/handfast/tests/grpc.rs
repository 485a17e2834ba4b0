//! gRPC through edge and gateway to a service, with TLS and certificates on each hop: client and service are
//! Python programs of grpcio, and what the client sees is the same over wire and fused hops.

#[path = "support/world.rs"]
mod world;

use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use world::{Example, Services, Up, certificate, command, free_port, repository};

/// The interpreter with grpcio, which `cargo xtask test` installs.
fn python() -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("the target folder");
    let python = target.join("python/bin/python3");
    assert!(python.is_file(), "\"{}\" is missing; \"cargo xtask test\" installs it", python.display());
    python
}

fn script(name: &str) -> PathBuf {
    repository().join("crates/handfast/tests/grpc").join(name)
}

/// The Python service.
struct Tea {
    child: Child,
    _input: ChildStdin,
    port: u16,
}

impl Tea {
    fn start() -> Self {
        let mut child = Command::new(python())
            .arg(script("service.py"))
            .arg(certificate("orders.localhost.pem"))
            .arg(certificate("orders.localhost.key"))
            .arg(certificate("internal-root.pem"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python runs");
        let input = child.stdin.take().expect("piped");
        let mut line = String::new();
        let mut output = BufReader::new(child.stdout.take().expect("piped"));
        output.read_line(&mut line).expect("the port");
        let port = line.trim().parse().expect("a port");
        Self { child, _input: input, port }
    }
}

impl Drop for Tea {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Adds an API that carries gRPC to the example, and lets all hops speak HTTP/2.
fn with_grpc(example: &Example) {
    let text = std::fs::read_to_string(example.path().join("main.json")).expect("the template");
    let mut template: Value = serde_json::from_str(&text).expect("JSON");
    let resources = template["resources"].as_array_mut().expect("resources");
    let edge = resources
        .iter_mut()
        .find(|resource| resource["type"].as_str() == Some("Microsoft.Network/applicationGateways"));
    edge.expect("the edge")["tags"]["handfast:backendHttpSettings:gateway:backendProtocol"] = "h2".into();
    let (version, apim) = ("2024-05-01", "[variables('apimId')]");
    let named = |part: &str| format!("[format('{{0}}/tea{part}', variables('apim'))]");
    let policy = "<policies><inbound><base /><set-backend-service backend-id=\"orders\" /></inbound>\
        <backend><forward-request timeout=\"20\" http-version=\"2or1\" buffer-response=\"false\" /></backend>\
        <outbound><base /></outbound><on-error><base /></on-error></policies>";
    resources.extend([
        json!({
            "type": "Microsoft.ApiManagement/service/apis", "apiVersion": version, "name": named(""),
            "dependsOn": [apim],
            "properties": {
                "displayName": "Tea", "path": "handfast.test.Tea", "protocols": ["https"],
                "subscriptionRequired": true
            }
        }),
        json!({
            "type": "Microsoft.ApiManagement/service/apis/operations", "apiVersion": version,
            "name": named("/call"),
            "dependsOn": ["[resourceId('Microsoft.ApiManagement/service/apis', variables('apim'), 'tea')]"],
            "properties": { "displayName": "Call", "method": "POST", "urlTemplate": "/*" }
        }),
        json!({
            "type": "Microsoft.ApiManagement/service/apis/policies", "apiVersion": version,
            "name": named("/policy"),
            "dependsOn": [
                "[resourceId('Microsoft.ApiManagement/service/apis', variables('apim'), 'tea')]", "backends"
            ],
            "properties": { "format": "rawxml", "value": policy }
        }),
    ]);
    example.write("main.json", &template.to_string());
}

/// What the Python client says of its calls.
fn calls(hop: &str) -> Vec<Value> {
    let (example, services, tea) = (Example::copy(), Services::start(), Tea::start());
    with_grpc(&example);
    let port = free_port();
    let mut up = command(&example, &services, port, &["--no-watch", "--hop", hop]);
    let url = format!("ordersUrl=https://orders.localhost:{}/handfast.test.Tea", tea.port);
    let up = Up::spawn(port, {
        up.args(["--param", &url]);
        up
    });
    let client = Command::new(python())
        .arg(script("client.py"))
        .args([&up.port.to_string(), "shop.localhost"])
        .arg(certificate("internal-root.pem"))
        .arg(certificate("valid.chain.pem"))
        .arg(certificate("valid.key"))
        .arg(example.parameter("subscriptionKey"))
        .output()
        .expect("python runs");
    let said = String::from_utf8_lossy(&client.stdout);
    assert!(client.status.success(), "{hop}: {said}\n{}", String::from_utf8_lossy(&client.stderr));
    said.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

#[test]
fn every_kind_of_call_goes_through_edge_and_gateway_over_wire_and_fused_hops() {
    let failed = |call: &str, code: &str, details: &str| json!({ "call": call, "code": code, "details": details, "trailers": {} });
    let mut with_trailer = failed("error in trailers", "FAILED_PRECONDITION", "no tea, 100% sure: ü");
    with_trailer["trailers"] = json!({ "reason-bin": "0102" });
    let expected = [
        json!({ "call": "unary", "answer": "tea black", "code": "OK", "raw": "00ff", "seen": "service" }),
        json!({ "call": "server streaming", "inorder": true, "count": 2000 }),
        json!({ "call": "client streaming", "answer": "0+1+2+3+4" }),
        json!({ "call": "bidirectional", "answers": ["eno", "owt", "eerht"] }),
        with_trailer,
        failed("error after messages", "DATA_LOSS", "broke off"),
        failed("unknown method", "UNIMPLEMENTED", "Method not found!"),
        failed("without key", "UNAUTHENTICATED", "Received http2 header with status: 401"),
        failed("deadline", "DEADLINE_EXCEEDED", ""),
        json!({ "call": "deadline reached the service", "answer": "yes" }),
        json!({ "call": "large message", "size": 8 << 20, "same": true }),
    ];
    for hop in ["wire", "fused"] {
        let got = calls(hop);
        assert_eq!(got, expected, "{hop}");
    }
}
