//! `handfast up` as a user has it: ready line, restart, `kill -9`, bad input, and files that change while it
//! serves.

#[path = "support/world.rs"]
mod world;

use std::process::{Command, Stdio};
use world::{Example, Services, Up, certificate, command, free_port};

fn list_orders(up: &Up, example: &Example) -> String {
    let key = format!("Ocp-Apim-Subscription-Key: {}", example.parameter("subscriptionKey"));
    up.curl("valid", &["--http1.1", "--header", &key, &up.url("/orders/")])
}

/// Runs `up` on an example that cannot be deployed whole, and returns what it said.
fn refused(example: &Example, services: &Services) -> String {
    let output = command(example, services, free_port(), &["--no-watch"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .output()
        .expect("handfast runs");
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn the_ready_line_names_every_address_the_ca_and_the_time_it_took() {
    let (example, services) = (Example::copy(), Services::start());
    let file = example.path().join("ready.json");
    let up = Up::start(&example, &services, &["--ready-file", file.to_str().expect("a path")]);
    let written: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(&file).expect("the ready file")).expect("JSON");
    assert_eq!(written, up.ready);
    assert!(up.ready["milliseconds"].as_u64().is_some());
    assert!(std::path::Path::new(up.ready["caFile"].as_str().expect("a path")).exists());
    assert_eq!(up.ready["outputs"]["gatewayAddress"], "10.10.1.4");
    let endpoints = up.ready["endpoints"].as_array().expect("endpoints");
    let of = |address: &str| {
        endpoints.iter().find(|endpoint| endpoint["address"] == address).expect("an endpoint")
    };
    assert_eq!(of(&format!("127.0.0.1:{}", up.port))["bound"], format!("127.0.0.1:{}", up.port));
    assert!(of("10.10.1.4:443")["bound"].is_null(), "nothing outside reaches the gateway");
    let named = |endpoint: &serde_json::Value| endpoint["name"].as_str().expect("a name").to_owned();
    assert!(
        named(of(&format!("127.0.0.1:{}", up.port))).starts_with("Microsoft.Network/applicationGateways/")
    );
    assert!(named(of("10.10.1.4:443")).starts_with("Microsoft.ApiManagement/service/"));
    assert!(up.stop("INT").success(), "Ctrl-C drains and ends in good order");
}

#[test]
fn state_survives_kill_9_and_a_restart() {
    let (example, services) = (Example::copy(), Services::start());
    let state = example.path().join("state");
    let arguments = ["--state", state.to_str().expect("a path")];
    let up = Up::start(&example, &services, &arguments);
    assert!(list_orders(&up, &example).starts_with("HTTP/1.1 200"));
    let ca = std::fs::read_to_string(state.join("ca.pem")).expect("the CA");
    assert!(!up.stop("KILL").success());
    let up = Up::start(&example, &services, &arguments);
    assert_eq!(std::fs::read_to_string(state.join("ca.pem")).expect("the CA"), ca);
    assert!(list_orders(&up, &example).starts_with("HTTP/1.1 200"));
}

#[test]
fn a_debug_token_of_the_state_folder_traces_requests_to_its_api() {
    let (example, services) = (Example::copy(), Services::start());
    let state = example.path().join("state");
    let state = state.to_str().expect("a path");
    let up = Up::start(&example, &services, &["--state", state]);
    let debug_token = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_handfast"));
        command.args(["policy", "debug-token", "--state", state]).args(arguments).output().expect("it runs")
    };
    let token = debug_token(&["orders", "--expire-after", "PT10M"]);
    assert!(token.status.success(), "{}", String::from_utf8_lossy(&token.stderr));
    let token = format!("Apim-Debug-Authorization: {}", String::from_utf8_lossy(&token.stdout).trim());
    let key = format!("Ocp-Apim-Subscription-Key: {}", example.parameter("subscriptionKey"));
    let get = |target: &str| {
        let lines = ["--http1.1", "--header", &key, "--header", &token];
        up.curl("valid", &[&lines[..], &[&up.url(target)]].concat())
    };
    let answer = get("/orders/");
    let id = answer.lines().find_map(|line| line.strip_prefix("Apim-Trace-Id: ")).expect("an id");
    let trace = get(&format!("/internal-trace-0123456789abcdef/{}", id.trim()));
    assert!(trace.contains("\"api-inspector\"") && trace.contains(id.trim()), "{trace}");
    assert!(!trace.contains(&example.parameter("subscriptionKey")), "{trace}");
    let refused = debug_token(&["no-such-api"]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && said.contains("/apis/no-such-api"), "{said}");
}

#[test]
fn a_policy_file_that_changes_is_live_without_a_restart() {
    let (example, services) = (Example::copy(), Services::start());
    let mut up = Up::start(&example, &services, &[]);
    assert!(list_orders(&up, &example).contains("X-Served-By: orders"));
    example.edit("policies/orders.xml", "<value>orders</value>", "<value>orders, second edition</value>");
    up.wait_for("changed files are live");
    assert!(list_orders(&up, &example).contains("X-Served-By: orders, second edition"));
}

#[test]
fn a_parameter_file_that_appears_later_is_followed() {
    let (example, services) = (Example::copy(), Services::start());
    let (file, away) = (example.path().join("main.parameters.json"), example.path().join("away.json"));
    std::fs::rename(&file, &away).expect("it is moved");
    let mut up = Up::start(&example, &services, &[]);
    up.wait_for("waiting for the files to change");
    std::fs::rename(&away, &file).expect("it is moved back");
    up.wait_for("changed files are live");
    assert!(list_orders(&up, &example).starts_with("HTTP/1.1 200"));
}

#[test]
fn a_policy_with_a_wrong_child_is_refused_with_its_place_and_the_old_one_serves() {
    let (example, services) = (Example::copy(), Services::start());
    let mut up = Up::start(&example, &services, &[]);
    example.edit("policies/orders.xml", "<value>orders</value>", "<text>orders</text>");
    let said = up.wait_for("the change was refused").to_owned();
    assert!(said.contains("invalid child element 'text'") && said.contains("'value'"), "{said}");
    assert!(said.contains("line 12, column 14"), "{said}");
    assert!(list_orders(&up, &example).contains("X-Served-By: orders"));
    up.forget();
    example.edit("policies/orders.xml", "<text>orders</text>", "<value>mended</value>");
    up.wait_for("changed files are live");
    assert!(list_orders(&up, &example).contains("X-Served-By: mended"));
}

#[test]
fn an_expression_that_does_not_compile_is_refused_with_line_and_column() {
    let (example, services) = (Example::copy(), Services::start());
    example.edit("policies/orders.xml", "<value>orders</value>", "<value>@(context.RequestIdd)</value>");
    let said = refused(&example, &services);
    assert!(said.contains("12:"), "{said}");
    assert!(said.contains("does not contain a definition for 'RequestIdd'"), "{said}");
}

#[test]
fn a_broken_pfx_and_a_wrong_password_are_told_apart() {
    let (example, services) = (Example::copy(), Services::start());
    example.set_parameter("shopPfx", "QUJDREVGRw==");
    let said = refused(&example, &services);
    assert!(said.contains("ApplicationGatewaySslCertificateDataMustBePfx"), "{said}");
    assert!(said.contains("properties.sslCertificates[0]"), "{said}");
    let example = Example::copy();
    example.set_parameter("pfxPassword", "wrong");
    let said = refused(&example, &services);
    assert!(said.contains("password"), "{said}");
    assert!(!said.contains("\"wrong\""), "a password is never printed: {said}");
}

#[test]
fn a_pfx_without_a_key_is_refused_as_such() {
    let (example, services) = (Example::copy(), Services::start());
    let file = example.path().join("no-key.pfx");
    let made = std::process::Command::new("openssl")
        .args(["pkcs12", "-export", "-nokeys", "-passout", "pass:P@ssw0rd", "-in"])
        .arg(certificate("shop.localhost.pem"))
        .arg("-out")
        .arg(&file)
        .status()
        .expect("openssl runs");
    assert!(made.success());
    let encoded = std::process::Command::new("openssl")
        .args(["base64", "-A", "-in"])
        .arg(&file)
        .output()
        .expect("openssl runs");
    example.set_parameter("shopPfx", &String::from_utf8_lossy(&encoded.stdout));
    let said = refused(&example, &services);
    assert!(said.contains("no private key"), "{said}");
}

#[test]
fn an_unknown_reference_names_what_would_be_accepted() {
    let (example, services) = (Example::copy(), Services::start());
    example.edit("main.json", "{0}/backendAddressPools/gateway'", "{0}/backendAddressPools/gatway'");
    let said = refused(&example, &services);
    assert!(
        said.contains("InvalidResourceReference") && said.contains("\"gateway\" would be accepted"),
        "{said}"
    );
    assert!(said.contains("properties.requestRoutingRules[0].properties.backendAddressPool"), "{said}");
}

#[test]
fn two_listeners_that_cannot_be_told_apart_are_refused() {
    let (example, services) = (Example::copy(), Services::start());
    let text = std::fs::read_to_string(example.path().join("main.json")).expect("the template");
    let start = text.find("\"httpListeners\": [").expect("listeners") + "\"httpListeners\": [".len();
    let end = start + text[start..].find("\n        ],").expect("the end of listeners");
    let second = text[start..end].replace("\"name\": \"shop\"", "\"name\": \"twin\"");
    example.write("main.json", &format!("{},{}{}", &text[..end], second, &text[end..]));
    let said = refused(&example, &services);
    assert!(
        said.contains("ApplicationGatewayHttpListenersUsingSameFrontendPortAndFrontendIpConfig"),
        "{said}"
    );
    assert!(said.contains("\"shop\" and \"twin\""), "{said}");
}

#[test]
fn a_bad_template_is_refused_with_its_place() {
    let (example, services) = (Example::copy(), Services::start());
    example.edit(
        "main.json",
        "resourceId('Microsoft.ApiManagement/service', variables('apim'))",
        "resourseId('a', 'b')",
    );
    let said = refused(&example, &services);
    assert!(said.contains("resourseId") && said.contains("resourceId"), "{said}");
    example.write("main.json", "{ \"resources\": [ }");
    let said = refused(&example, &services);
    assert!(said.contains("main.json:1:"), "{said}");
}

#[test]
fn a_certificate_that_breaks_while_serving_leaves_the_last_good_one() {
    let (example, services) = (Example::copy(), Services::start());
    let mut up = Up::start(&example, &services, &[]);
    example.set_parameter("shopPfx", "QUJDREVGRw==");
    up.wait_for("the change was refused");
    assert!(list_orders(&up, &example).starts_with("HTTP/1.1 200"));
}

#[test]
fn nobody_reaches_the_gateway_or_a_service_but_the_hop_before() {
    let (example, services) = (Example::copy(), Services::start());
    let gateway = free_port();
    let mapped = format!("10.10.1.4:443=127.0.0.1:{gateway}");
    let up = Up::start(&example, &services, &["--address", &mapped]);
    // The gateway, mapped to a socket: a caller without the edge's certificate is refused by policy.
    let url = format!("https://gateway.contoso.internal:{gateway}/orders/");
    let resolve = format!("gateway.contoso.internal:{gateway}:127.0.0.1");
    let key = format!("Ocp-Apim-Subscription-Key: {}", example.parameter("subscriptionKey"));
    let answer = up.curl("none", &["--http1.1", "--resolve", &resolve, "--header", &key, &url]);
    assert!(answer.starts_with("HTTP/1.1 401") && answer.contains("Client certificate missing"), "{answer}");
    let answer = up.curl("valid", &["--http1.1", "--resolve", &resolve, "--header", &key, &url]);
    assert!(answer.starts_with("HTTP/1.1 401") && answer.contains("Invalid client certificate"), "{answer}");
    assert_eq!(services.echo.seen(), 0);
    // A service: the handshake fails without the gateway's certificate, so curl sees no answer.
    let url = format!("https://orders.localhost:{}/", services.orders.port());
    let output = world::curl("none", &[&url]);
    assert!(!output.status.success() && output.stdout.is_empty(), "{output:?}");
    assert_eq!(services.echo.seen(), 0);
}

#[test]
fn a_socket_that_was_handed_over_is_served() {
    let (example, services) = (Example::copy(), Services::start());
    // A socket that is bound without SO_REUSEPORT: whoever binds the address again fails.
    let hand_over = "import os, socket, sys\n\
        s = socket.socket(); s.bind(('127.0.0.1', int(sys.argv[1]))); s.listen(64)\n\
        os.dup2(s.fileno(), 3); os.set_inheritable(3, True)\n\
        os.environ.update(LISTEN_FDS='1', LISTEN_PID=str(os.getpid()))\n\
        os.execv(sys.argv[2], sys.argv[2:])";
    let port = free_port();
    let handfast = command(&example, &services, port, &[]);
    let mut python = std::process::Command::new("python3");
    python.args(["-c", hand_over, &port.to_string()]).arg(handfast.get_program()).args(handfast.get_args());
    let mut up = Up::spawn(port, python);
    assert!(list_orders(&up, &example).starts_with("HTTP/1.1 200"));
    // The listener stays through a change.
    example.edit("policies/orders.xml", "<value>orders</value>", "<value>changed</value>");
    up.wait_for("changed files are live");
    assert!(list_orders(&up, &example).contains("X-Served-By: changed"));
}

#[test]
fn a_listener_that_cannot_be_opened_is_not_claimed_and_tried_again() {
    let (example, services) = (Example::copy(), Services::start());
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("bound").to_string();
    let mapped = format!("10.10.1.4:443={address}");
    let mut up = Up::start(&example, &services, &["--address", &mapped]);
    assert_eq!(up.ready["ready"], false);
    let endpoints = up.ready["endpoints"].as_array().expect("endpoints").clone();
    let gateway =
        endpoints.iter().find(|endpoint| endpoint["address"] == "10.10.1.4:443").expect("an endpoint");
    assert!(gateway["bound"].is_null() && gateway["error"].as_str().is_some_and(|e| e.contains("in use")));
    let said = up.wait_for("--address").to_owned();
    assert!(said.contains("ListenerNotOpened"), "{said}");
    drop(taken);
    example.edit("policies/orders.xml", "<value>orders</value>", "<value>changed</value>");
    up.wait_for("changed files are live");
    std::net::TcpStream::connect(&address).expect("it is open now");
}

#[test]
fn a_state_folder_has_one_instance_at_a_time() {
    let (example, services) = (Example::copy(), Services::start());
    let state = example.path().join("state");
    let arguments = ["--state", state.to_str().expect("a path")];
    let _up = Up::start(&example, &services, &arguments);
    let second = command(&example, &services, free_port(), &arguments).output().expect("handfast runs");
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert_eq!(second.status.code(), Some(1), "{said}");
    assert!(said.contains("is in use by another handfast"), "{said}");
}

#[test]
fn a_second_ctrl_c_ends_at_once() {
    let (example, services) = (Example::copy(), Services::start());
    let mut up = Up::start(&example, &services, &["--grace", "600"]);
    // A request whose body never ends keeps the drain waiting.
    let upload = up.endless_upload(&example, &services);
    up.signal("INT");
    up.wait_for("another Ctrl-C ends at once");
    assert!(up.is_running(), "the request is waited for");
    assert_eq!(up.stop("INT").code(), Some(1));
    drop(upload);
}

#[test]
fn flags_that_make_no_sense_are_a_matter_of_usage() {
    let (example, services) = (Example::copy(), Services::start());
    let arguments = ["--address", "nonsense", "--no-watch"];
    let output = command(&example, &services, free_port(), &arguments).output().expect("handfast runs");
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("10.0.1.4:443=127.0.0.1:9443"), "{said}");
}
