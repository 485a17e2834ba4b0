//! A blocking client that sends bytes as they are given and reads one response at a time.

use handfast_pki::{Certificate, Credential};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

trait Stream: Read + Write {
    /// Ends the sending direction only.
    fn finish(&mut self) -> std::io::Result<()>;
}

impl Stream for TcpStream {
    fn finish(&mut self) -> std::io::Result<()> {
        self.shutdown(std::net::Shutdown::Write)
    }
}

impl Stream for StreamOwned<ClientConnection, TcpStream> {
    fn finish(&mut self) -> std::io::Result<()> {
        self.conn.send_close_notify();
        self.flush()
    }
}

/// A connection.
pub struct RawClient {
    stream: Box<dyn Stream>,
    received: Vec<u8>,
    head_only: bool,
    reset: bool,
}

/// A response.
#[derive(Debug)]
pub struct RawResponse {
    /// Status line and fields.
    pub head: String,
    /// The body, chunked coding removed.
    pub body: Vec<u8>,
}

impl RawResponse {
    /// The status code.
    pub fn status(&self) -> u16 {
        self.head.get(9..12).and_then(|code| code.parse().ok()).expect("a status line")
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The value of a field.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

const TIMEOUT: Duration = Duration::from_secs(20);

impl RawClient {
    /// Without TLS.
    pub fn plain(address: SocketAddr) -> Self {
        Self { stream: Box::new(connect(address)), received: Vec::new(), head_only: false, reset: false }
    }

    /// With TLS; the handshake happens with the first write.
    pub fn tls(address: SocketAddr, host: &str, root: &Certificate, credential: Option<&Credential>) -> Self {
        let config = Arc::new(client_config(root, credential));
        Self::tls_with(address, host, config)
    }

    /// With TLS under a configuration, to share its session cache.
    pub fn tls_with(address: SocketAddr, host: &str, config: Arc<ClientConfig>) -> Self {
        let name = ServerName::try_from(host.to_owned()).expect("a host name");
        let connection = ClientConnection::new(config, name).expect("a usable configuration");
        Self {
            stream: Box::new(StreamOwned::new(connection, connect(address))),
            received: Vec::new(),
            head_only: false,
            reset: false,
        }
    }

    /// Sends bytes; `Err` when the connection broke.
    pub fn try_send(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.stream.write_all(bytes)?;
        self.stream.flush()
    }

    /// Sends bytes.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.try_send(bytes.as_ref()).expect("the connection is open");
    }

    /// Says that nothing more is sent, and goes on reading.
    pub fn finish_sending(&mut self) {
        self.stream.finish().expect("the connection is open");
    }

    /// Sends a GET and reads the response.
    pub fn get(&mut self, host: &str, target: &str) -> RawResponse {
        self.send(format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        self.response()
    }

    /// Sends a HEAD and reads the response.
    pub fn head(&mut self, host: &str, target: &str) -> RawResponse {
        self.send(format!("HEAD {target} HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        self.head_only = true;
        self.response()
    }

    /// Sends bytes in small pieces until the server stops taking them, and reads one response.
    pub fn send_while_reading(&mut self, bytes: impl AsRef<[u8]>) -> RawResponse {
        for piece in bytes.as_ref().chunks(64 * 1024) {
            if self.try_send(piece).is_err() {
                break;
            }
        }
        self.response()
    }

    /// Reads so many bytes.
    pub fn read_bytes(&mut self, count: usize) -> Vec<u8> {
        self.exactly(count).expect("the connection is open")
    }

    /// Reads to the end; whether it was a reset and no orderly close.
    pub fn ends_with_reset(&mut self) -> bool {
        while self.fill().is_some() {}
        self.reset
    }

    /// Reads one response.
    pub fn response(&mut self) -> RawResponse {
        self.try_response().expect("a complete response")
    }

    /// Reads the head of a response and leaves its body.
    pub fn response_head(&mut self) -> String {
        self.head_only = true;
        self.response().head
    }

    /// Reads the response to a request with that method; `None` when the connection ended before it was complete.
    pub fn try_response_to(&mut self, method: &str) -> Option<RawResponse> {
        self.head_only = method == "HEAD";
        self.try_response()
    }

    /// Reads one response; `None` when the connection ended before it was complete.
    pub fn try_response(&mut self) -> Option<RawResponse> {
        let end = loop {
            if let Some(at) = find(&self.received, b"\r\n\r\n") {
                break at + 4;
            }
            self.fill()?;
        };
        let head = String::from_utf8_lossy(&self.received[..end]).into_owned();
        self.received.drain(..end);
        let mut response = RawResponse { head, body: Vec::new() };
        let status = response.status();
        if std::mem::take(&mut self.head_only) || status < 200 || status == 204 || status == 304 {
            return Some(response);
        }
        if response.field("transfer-encoding").is_some() {
            response.body = self.chunked()?;
        } else if let Some(length) = response.field("content-length").and_then(|length| length.parse().ok()) {
            response.body = self.exactly(length)?;
        } else {
            while self.fill().is_some() {}
            response.body = std::mem::take(&mut self.received);
        }
        Some(response)
    }

    /// Whether the server has closed; waits until it does or sends something.
    pub fn is_closed(&mut self) -> bool {
        self.received.is_empty() && self.fill().is_none()
    }

    fn chunked(&mut self) -> Option<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let at = loop {
                match find(&self.received, b"\r\n") {
                    Some(at) => break at,
                    None => self.fill()?,
                }
            };
            let size = usize::from_str_radix(std::str::from_utf8(&self.received[..at]).ok()?, 16).ok()?;
            self.received.drain(..at + 2);
            body.extend(self.exactly(size)?);
            self.exactly(2)?;
            if size == 0 {
                return Some(body);
            }
        }
    }

    fn exactly(&mut self, length: usize) -> Option<Vec<u8>> {
        while self.received.len() < length {
            self.fill()?;
        }
        Some(self.received.drain(..length).collect())
    }

    fn fill(&mut self) -> Option<()> {
        let mut buffer = [0u8; 16 * 1024];
        match self.stream.read(&mut buffer) {
            Ok(count) if count > 0 => {
                self.received.extend_from_slice(&buffer[..count]);
                Some(())
            }
            Ok(_) => None,
            Err(error) => {
                use std::io::ErrorKind::{TimedOut, WouldBlock};
                assert!(!matches!(error.kind(), TimedOut | WouldBlock), "the server does not answer");
                self.reset = error.kind() == std::io::ErrorKind::ConnectionReset;
                None
            }
        }
    }
}

/// Sends bytes over a plain connection and returns all that comes back until the server closes.
pub fn converse(address: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut stream = connect(address);
    // That the server has closed before it took everything shows in what came back.
    let _ = stream.write_all(bytes);
    let mut received = Vec::new();
    let _ = stream.read_to_end(&mut received);
    received
}

/// The status codes in what a server sent, for bodies that do not hold the name of the protocol.
pub fn statuses(received: &[u8]) -> Vec<u16> {
    let text = String::from_utf8_lossy(received);
    text.split("HTTP/1.").skip(1).filter_map(|part| part.get(2..5)?.parse().ok()).collect()
}

/// A configuration that trusts one root.
pub fn client_config(root: &Certificate, credential: Option<&Credential>) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(root.to_pki_types()).expect("a root");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("protocol versions")
        .with_root_certificates(roots);
    match credential {
        None => builder.with_no_client_auth(),
        Some(credential) => builder
            .with_client_auth_cert(credential.chain_pki_types(), credential.key_pki_types())
            .expect("a usable certificate"),
    }
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("the listener is open");
    stream.set_nodelay(true).expect("a socket");
    stream.set_read_timeout(Some(TIMEOUT)).expect("a socket");
    stream
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}
