//! An upstream server that plays a script over a plain socket: what it does is in the hands of the test.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// A server that runs one function per connection.
pub struct ScriptedUpstream {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
}

impl ScriptedUpstream {
    /// Listens on a free loopback port; the script gets each connection with its number, from 0.
    pub fn start(script: impl Fn(usize, Peer) + Send + Sync + 'static) -> Self {
        Self::start_at(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), script)
    }

    /// The same at a given address, for servers that differ in address and share a port.
    pub fn start_at(address: SocketAddr, script: impl Fn(usize, Peer) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(address).expect("a free port");
        let address = listener.local_addr().expect("bound");
        let connections = Arc::new(AtomicUsize::new(0));
        let (count, script) = (connections.clone(), Arc::new(script));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let number = count.fetch_add(1, Ordering::SeqCst);
                let script = script.clone();
                stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a socket");
                std::thread::spawn(move || script(number, Peer(stream)));
            }
        });
        Self { address, connections }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Connections so far.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

/// One connection of a scripted server.
pub struct Peer(TcpStream);

impl Peer {
    /// Reads up to and with the end of a head; empty when the client has closed.
    pub fn read_head(&mut self) -> String {
        let mut head = Vec::new();
        let mut byte = [0u8; 1];
        while !head.ends_with(b"\r\n\r\n") {
            match self.0.read(&mut byte) {
                Ok(1) => head.push(byte[0]),
                _ => return String::new(),
            }
        }
        String::from_utf8_lossy(&head).into_owned()
    }

    /// Reads so many bytes; false when the client has closed before.
    pub fn read_bytes(&mut self, count: usize) -> Option<Vec<u8>> {
        let mut bytes = vec![0; count];
        self.0.read_exact(&mut bytes).ok().map(|()| bytes)
    }

    /// Reads until the client closes; whether it did, and in good order.
    pub fn reads_to_end(&mut self) -> bool {
        self.0.read_to_end(&mut Vec::new()).is_ok()
    }

    /// Reads until the client ends its direction; what it sent.
    pub fn read_to_end(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        // That it ended with a reset shows in what is missing.
        let _ = self.0.read_to_end(&mut bytes);
        bytes
    }

    /// Says that nothing more is sent, and goes on reading.
    pub fn finish_sending(&mut self) {
        self.0.shutdown(std::net::Shutdown::Write).expect("the connection is open");
    }

    /// Writes bytes; false when the client has closed.
    pub fn write(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.0.write_all(bytes.as_ref()).is_ok()
    }
}
