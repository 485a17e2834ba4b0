//! Server variables of rewrite rules (edge specification §1.10).

use crate::affinity::cookie;
use crate::plan::HttpListener;
use handfast_core::message::{Fields, RequestHead, Scheme};
use handfast_net::ConnectionInfo;
use handfast_net::tls::cipher_list;
use handfast_pki::edge::{CertificateVariables, EdgeVerdict};
use std::cell::OnceCell;
use std::net::IpAddr;

/// The names without a parameter, as the vocabulary operation lists them.
pub(crate) const NAMES: &[&str] = &[
    "add_x_forwarded_for_proxy",
    "ciphers_supported",
    "ciphers_used",
    "client_certificate",
    "client_certificate_end_date",
    "client_certificate_fingerprint",
    "client_certificate_issuer",
    "client_certificate_serial",
    "client_certificate_start_date",
    "client_certificate_subject",
    "client_certificate_verification",
    "client_ip",
    "client_port",
    "client_tcp_rtt",
    "client_user",
    "host",
    "http_method",
    "http_status",
    "http_version",
    "query_string",
    "received_bytes",
    "request_query",
    "request_scheme",
    "request_uri",
    "sent_bytes",
    "server_port",
    "ssl_connection_protocol",
    "ssl_enabled",
    "uri_path",
];

/// Whether a name, without `var_`, is a variable.
pub(crate) fn is_known(name: &str) -> bool {
    NAMES.contains(&name) || name.strip_prefix("cookie_").is_some_and(|cookie| !cookie.is_empty())
}

/// What the variables of one request come from.
pub(crate) struct Variables<'a> {
    pub(crate) connection: &'a ConnectionInfo,
    /// Port of the listener, which may be mapped to another one of the host.
    pub(crate) port: u16,
    pub(crate) verdict: EdgeVerdict,
    /// Status of the response, once there is one.
    pub(crate) status: Option<u16>,
    /// Whether certificate variables are filled: only behind a client-auth profile.
    pub(crate) show_certificate: bool,
    certificate: OnceCell<Option<CertificateVariables>>,
}

impl<'a> Variables<'a> {
    pub(crate) fn new(connection: &'a ConnectionInfo, verdict: EdgeVerdict, listener: &HttpListener) -> Self {
        let (port, show_certificate) = (listener.port, listener.client_auth.is_some());
        Self { connection, port, verdict, status: None, show_certificate, certificate: OnceCell::new() }
    }

    /// The value of a variable, without `var_`; unknown ones are empty.
    pub(crate) fn value(&self, name: &str, head: &RequestHead) -> String {
        let connection = self.connection;
        let tls = connection.tls.as_ref();
        match name {
            "add_x_forwarded_for_proxy" => {
                let mut list = forwarded_for(&head.fields);
                list.push_str(&client_ip(connection).to_string());
                list
            }
            "client_ip" => client_ip(connection).to_string(),
            "client_port" => connection.client.port().to_string(),
            "client_user" => basic_user(head).unwrap_or_default(),
            "host" => head.host().to_ascii_lowercase(),
            "http_method" => head.method.as_str().to_owned(),
            "http_status" => self.status.map(|status| status.to_string()).unwrap_or_default(),
            "http_version" => head.version.as_str().to_owned(),
            "query_string" | "request_query" => head.target.query().unwrap_or_default().to_owned(),
            "request_scheme" => connection.scheme.as_str().to_owned(),
            "request_uri" => head.target.as_str().to_owned(),
            "uri_path" => uri_path(head.target.path()),
            "server_port" => self.port.to_string(),
            "ssl_connection_protocol" => tls.map(|tls| tls.protocol).unwrap_or_default().to_owned(),
            "ssl_enabled" => if connection.scheme == Scheme::Https { "on" } else { "" }.to_owned(),
            "ciphers_supported" => tls.map(|tls| cipher_list(&tls.client_ciphers)).unwrap_or_default(),
            // Measured over the handshake: reading the kernel's estimate is not possible in safe code.
            "client_tcp_rtt" => tls.map(|tls| tls.round_trip.as_micros().to_string()).unwrap_or_default(),
            "received_bytes" => received_bytes(head).to_string(),
            // Rewrites happen before the first byte of the response is sent.
            "sent_bytes" => "0".to_owned(),
            "ciphers_used" => tls.map(|tls| tls.cipher).unwrap_or_default().to_owned(),
            "client_certificate_verification" if self.show_certificate => self.verdict.to_string(),
            _ => match name.strip_prefix("cookie_") {
                Some(name) => cookie(&head.fields, name).unwrap_or_default(),
                None => self.of_certificate(name).unwrap_or_default(),
            },
        }
    }

    fn of_certificate(&self, name: &str) -> Option<String> {
        if !self.show_certificate {
            return None;
        }
        let leaf = || self.connection.tls.as_ref()?.client_chain.leaf().map(CertificateVariables::of);
        let variables = self.certificate.get_or_init(leaf).as_ref()?;
        Some(match name {
            "client_certificate" => variables.certificate.clone(),
            "client_certificate_start_date" => variables.start_date.clone(),
            "client_certificate_end_date" => variables.end_date.clone(),
            "client_certificate_fingerprint" => variables.fingerprint.clone(),
            "client_certificate_serial" => variables.serial.clone(),
            "client_certificate_issuer" => variables.issuer.clone(),
            "client_certificate_subject" => variables.subject.clone(),
            _ => return None,
        })
    }
}

/// The client's address; one that came in through a dual-stack socket is shown as the IPv4 address it is.
pub(crate) fn client_ip(connection: &ConnectionInfo) -> IpAddr {
    connection.client_ip().to_canonical()
}

/// What a client sent as `X-Forwarded-For`, all lines of it, ready for our own entry to be appended.
pub(crate) fn forwarded_for(fields: &Fields) -> String {
    let mut list = String::new();
    for line in fields.get_all(b"x-forwarded-for").filter_map(|line| std::str::from_utf8(line).ok()) {
        list.push_str(line);
        list.push_str(", ");
    }
    list
}

/// Bytes of the request line and the fields as HTTP/1.1 writes them, and the declared body.
fn received_bytes(head: &RequestHead) -> u64 {
    let line = head.method.as_str().len() + head.target.as_str().len() + " HTTP/1.1 \r\n".len();
    let fields: usize =
        head.fields.iter().map(|(name, value)| name.len() + value.len() + ": \r\n".len()).sum();
    let body: u64 = head.fields.get_str("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    (line + fields + "\r\n".len()) as u64 + body
}

/// Decoded and normalised, without the query.
fn uri_path(raw: &str) -> String {
    let normal = handfast_route::normalise(raw).unwrap_or(raw.into());
    let mut decoded = Vec::with_capacity(normal.len());
    let bytes = normal.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let hex = bytes.get(at + 1..at + 3).and_then(|hex| std::str::from_utf8(hex).ok());
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()).filter(|_| bytes[at] == b'%') {
            Some(byte) => {
                decoded.push(byte);
                at += 3;
            }
            None => {
                decoded.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

/// The user of Basic authorization (RFC 7617).
fn basic_user(head: &RequestHead) -> Option<String> {
    use base64::Engine;
    let value = head.fields.get_str("authorization")?;
    let (scheme, token) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = base64::engine::general_purpose::STANDARD.decode(token.trim()).ok()?;
    let text = String::from_utf8(decoded).ok()?;
    text.split_once(':').map(|(user, _)| user.to_owned())
}
