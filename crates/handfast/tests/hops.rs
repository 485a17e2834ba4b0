//! Tools that are not ours against each hop of the chain: curl, openssl s_client, nghttp and h2load at the
//! edge, at the gateway (mapped to a socket) and at a service.

#[path = "support/world.rs"]
mod world;

use std::io::Write;
use std::process::{Command, Stdio};
use world::{Example, Services, Up, certificate, free_port};

/// A hop, and the certificate that it asks for.
struct Target<'a> {
    name: &'a str,
    port: u16,
    client: &'a str,
}

/// Runs a tool with something to read; standard output and error together.
fn run(tool: &str, arguments: &[&str], input: &str) -> String {
    let mut child = Command::new(tool)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{tool} is installed: {error}"));
    child.stdin.take().expect("piped").write_all(input.as_bytes()).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn path(name: &str) -> String {
    certificate(name).to_str().expect("a path").to_owned()
}

/// What openssl says of a handshake and of a request over it.
fn s_client(target: &Target<'_>, extra: &[&str], request: &str) -> String {
    let (connect, root) = (format!("127.0.0.1:{}", target.port), path("internal-root.pem"));
    let (chain, key) = (path(&format!("{}.pem", target.client)), path(&format!("{}.key", target.client)));
    let mut arguments =
        vec!["s_client", "-connect", &connect, "-servername", target.name, "-verify_hostname", target.name];
    arguments.extend(["-CAfile", &root, "-verify_return_error", "-ign_eof", "-cert", &chain, "-key", &key]);
    let chain = path(&format!("{}.chain.pem", target.client));
    if target.client == "valid" {
        arguments.extend(["-cert_chain", &chain]);
    }
    arguments.extend(extra);
    run("openssl", &arguments, request)
}

#[test]
fn each_hop_speaks_with_tools_that_are_not_ours() {
    let (example, services) = (Example::copy(), Services::start());
    let gateway = free_port();
    let mapped = format!("10.10.1.4:443=127.0.0.1:{gateway}");
    let up = Up::start(&example, &services, &["--address", &mapped]);
    let key = example.parameter("subscriptionKey");
    let hops = [
        (Target { name: "shop.localhost", port: up.port, client: "valid" }, "/orders/"),
        (Target { name: "gateway.contoso.internal", port: gateway, client: "edge" }, "/orders/"),
        (Target { name: "orders.localhost", port: services.orders.port(), client: "gateway" }, "/"),
    ];
    for (hop, target) in &hops {
        openssl(hop, target, &key);
        curl(hop, target, &key);
        nghttp(hop, target, &key);
    }
    let shop = &hops[0].0;
    let url = format!("https://shop.localhost:{}/orders/", shop.port);
    let connect = format!("127.0.0.1:{}", shop.port);
    // h2load has no client certificate: the edge answers all of them 400, over connections that last.
    let said = run("h2load", &["-n", "50", "-c", "2", "-m", "5", "--connect-to", &connect, &url], "");
    assert!(said.contains("50 done, 0 succeeded, 50 failed, 0 errored, 0 timeout"), "{said}");
    assert!(said.contains("50 4xx"), "{said}");
}

fn openssl(hop: &Target<'_>, target: &str, key: &str) {
    let request = format!(
        "GET {target} HTTP/1.1\r\nHost: {}\r\nOcp-Apim-Subscription-Key: {key}\r\nConnection: close\r\n\r\n",
        hop.name
    );
    for (version, protocol) in [("-tls1_3", "TLSv1.3"), ("-tls1_2", "TLSv1.2")] {
        let said = s_client(hop, &[version], &request);
        assert!(said.contains("Verify return code: 0 (ok)"), "{} {protocol}: {said}", hop.name);
        assert!(said.contains(&format!("New, {protocol}")), "{} {protocol}: {said}", hop.name);
        assert!(said.contains("HTTP/1.1 200"), "{} {protocol}: {said}", hop.name);
    }
    let said = s_client(hop, &["-tls1_1"], &request);
    assert!(!said.contains("HTTP/1.1 200"), "TLS 1.1 is refused by {}: {said}", hop.name);
}

fn curl(hop: &Target<'_>, target: &str, key: &str) {
    let url = format!("https://{}:{}{target}", hop.name, hop.port);
    let resolve = format!("{}:{}:127.0.0.1", hop.name, hop.port);
    let (root, certificate) = (path("internal-root.pem"), path(&format!("{}.chain.pem", hop.client)));
    let certificate = if hop.client == "valid" { certificate } else { path(&format!("{}.pem", hop.client)) };
    let (private, header) =
        (path(&format!("{}.key", hop.client)), format!("Ocp-Apim-Subscription-Key: {key}"));
    for version in ["--http1.0", "--http1.1", "--http2"] {
        let said = run(
            "curl",
            &[
                "-sS",
                "-i",
                version,
                "--resolve",
                &resolve,
                "--cacert",
                &root,
                "--cert",
                &certificate,
                "--key",
                &private,
                "--header",
                &header,
                &url,
            ],
            "",
        );
        assert!(
            said.lines().next().is_some_and(|line| line.contains(" 200")),
            "{} {version}: {said}",
            hop.name
        );
    }
}

fn nghttp(hop: &Target<'_>, target: &str, key: &str) {
    let url = format!("https://127.0.0.1:{}{target}", hop.port);
    let certificate =
        if hop.client == "valid" { path("valid.chain.pem") } else { path(&format!("{}.pem", hop.client)) };
    let (cert, private) =
        (format!("--cert={certificate}"), format!("--key={}", path(&format!("{}.key", hop.client))));
    let (host, header) = (format!(":authority: {}", hop.name), format!("Ocp-Apim-Subscription-Key: {key}"));
    let said =
        run("nghttp", &["-v", "--no-verify-peer", &cert, &private, "-H", &host, "-H", &header, &url], "");
    assert!(said.contains(":status: 200"), "{}: {said}", hop.name);
}
