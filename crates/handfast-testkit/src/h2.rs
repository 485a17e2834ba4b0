//! A blocking HTTP/2 client that writes frames as they are given, valid or not (RFC 9113 §4.1).

use crate::client::client_config;
use handfast_pki::Certificate;
use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

/// Frame types of RFC 9113 §6.
#[allow(missing_docs, reason = "the names are those of the RFC")]
pub mod kind {
    pub const DATA: u8 = 0;
    pub const HEADERS: u8 = 1;
    pub const PRIORITY: u8 = 2;
    pub const RST_STREAM: u8 = 3;
    pub const SETTINGS: u8 = 4;
    pub const PING: u8 = 6;
    pub const GOAWAY: u8 = 7;
    pub const WINDOW_UPDATE: u8 = 8;
    pub const CONTINUATION: u8 = 9;
}

/// Flags of RFC 9113 §6.
#[allow(missing_docs, reason = "the names are those of the RFC")]
pub mod flag {
    pub const END_STREAM: u8 = 1;
    pub const END_HEADERS: u8 = 4;
}

/// A received frame.
#[derive(Clone, Debug)]
pub struct Frame {
    /// Its type.
    pub kind: u8,
    /// Its flags.
    pub flags: u8,
    /// Its stream.
    pub stream: u32,
    /// What it carries.
    pub payload: Vec<u8>,
}

impl Frame {
    /// The error code of RST_STREAM and GOAWAY.
    pub fn error(&self) -> u32 {
        let at = if self.kind == kind::GOAWAY { 4 } else { 0 };
        let code = self.payload.get(at..at + 4).expect("an error code");
        u32::from_be_bytes(code.try_into().expect("four bytes"))
    }
}

/// A connection.
pub struct H2Client {
    stream: StreamOwned<ClientConnection, TcpStream>,
}

impl H2Client {
    /// Connects with TLS and ALPN `h2`, and sends the preface with empty settings.
    pub fn connect(address: SocketAddr, host: &str, root: &Certificate) -> Self {
        let mut config = client_config(root, None);
        config.alpn_protocols = vec![b"h2".to_vec()];
        let name = ServerName::try_from(host.to_owned()).expect("a host name");
        let connection = ClientConnection::new(Arc::new(config), name).expect("a usable configuration");
        let socket = TcpStream::connect(address).expect("the listener is open");
        socket.set_read_timeout(Some(Duration::from_secs(20))).expect("a socket");
        socket.set_nodelay(true).expect("a socket");
        let mut client = Self { stream: StreamOwned::new(connection, socket) };
        client.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        client.frame(kind::SETTINGS, 0, 0, &[]);
        client
    }

    /// Writes bytes. That the server has closed already is seen when reading.
    pub fn write(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).and_then(|()| self.stream.flush()).is_ok()
    }

    /// Writes one frame; false when the server has closed.
    pub fn frame(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> bool {
        self.write(&frame(kind, flags, stream, payload))
    }

    /// Writes a request head.
    pub fn request(&mut self, stream: u32, end: bool, fields: &[(&str, &str)]) -> bool {
        let flags = flag::END_HEADERS | if end { flag::END_STREAM } else { 0 };
        self.frame(kind::HEADERS, flags, stream, &header_block(fields))
    }

    /// The next frame; `None` when the server has closed.
    pub fn read(&mut self) -> Option<Frame> {
        let mut header = [0u8; 9];
        self.stream.read_exact(&mut header).ok()?;
        let length = u32::from_be_bytes([0, header[0], header[1], header[2]]) as usize;
        let mut payload = vec![0; length];
        self.stream.read_exact(&mut payload).ok()?;
        let stream = u32::from_be_bytes([header[5], header[6], header[7], header[8]]) & (u32::MAX >> 1);
        Some(Frame { kind: header[3], flags: header[4], stream, payload })
    }

    /// Reads until a frame is one of these types, past all others.
    pub fn read_one_of(&mut self, kinds: &[u8]) -> Option<Frame> {
        loop {
            let frame = self.read()?;
            if kinds.contains(&frame.kind) {
                return Some(frame);
            }
        }
    }
}

/// A frame as bytes.
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = (payload.len() as u32).to_be_bytes()[1..].to_vec();
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

/// Fields as literals without indexing and without Huffman coding (RFC 7541 §6.2.2).
pub fn header_block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        for text in [name, value] {
            string_length(text.len(), &mut block);
            block.extend_from_slice(text.as_bytes());
        }
    }
    block
}

/// A length as an integer with a prefix of seven bits (RFC 7541 §5.1).
fn string_length(length: usize, block: &mut Vec<u8>) {
    if length < 127 {
        return block.push(length as u8);
    }
    block.push(127);
    let mut rest = length - 127;
    while rest >= 128 {
        block.push((rest % 128) as u8 | 128);
        rest /= 128;
    }
    block.push(rest as u8);
}
