//! Addresses of templates to addresses of the host (DESIGN §7).
//!
//! A public address is bound as it is when the host can; where the port needs a privilege that we do not
//! have, or is taken, another port of the same address is bound and the ready line says which. A private
//! address has no socket unless the user maps it.

use handfast_net::{Address, ListenSource};
use listenfd::ListenFd;
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr, TcpListener};

/// Which addresses were given real ones, and which ports were chosen.
#[derive(Default)]
pub(crate) struct AddressMap {
    mapped: HashMap<SocketAddr, SocketAddr>,
    chosen: HashMap<SocketAddr, SocketAddr>,
    /// Sockets that were handed over, by the address that they are bound to; taken once.
    inherited: HashMap<SocketAddr, Vec<TcpListener>>,
}

impl AddressMap {
    /// Reads `FROM=TO` words, each an address with a port.
    pub(crate) fn parse(words: &[String]) -> Result<Self, String> {
        let mut mapped = HashMap::new();
        for word in words {
            let parsed =
                word.split_once('=').and_then(|(from, to)| Some((from.parse().ok()?, to.parse().ok()?)));
            let Some((from, to)) = parsed else {
                return Err(format!(
                    "\"{word}\" is no address mapping; \"10.0.1.4:443=127.0.0.1:9443\" would be accepted"
                ));
            };
            mapped.insert(from, to);
        }
        Ok(Self { mapped, chosen: HashMap::new(), inherited: inherited() })
    }

    /// Where connections to a socket address come from: a socket that was handed over, or one that we bind.
    /// One that was taken before comes back as an empty list, and the engine keeps what it has.
    pub(crate) fn source(&mut self, address: SocketAddr) -> ListenSource {
        match self.inherited.get_mut(&address) {
            Some(sockets) => ListenSource::Inherit(std::mem::take(sockets)),
            None => ListenSource::Bind(address),
        }
    }

    /// The socket address for a public one. Once chosen it stays.
    pub(crate) fn public(&mut self, ip: IpAddr, port: u16) -> SocketAddr {
        let declared = SocketAddr::new(ip, port);
        if let Some(mapped) = self.mapped.get(&declared) {
            return *mapped;
        }
        if self.inherited.contains_key(&declared) {
            return declared;
        }
        *self.chosen.entry(declared).or_insert_with(|| {
            let alternatives = [port, port.saturating_add(8000), 0];
            alternatives.into_iter().find_map(|port| try_bind(SocketAddr::new(ip, port))).unwrap_or(declared)
        })
    }

    /// Where connections to a private address come from: this process only, or a mapped socket too.
    pub(crate) fn private(&mut self, ip: IpAddr, port: u16) -> ListenSource {
        match self.mapped.get(&SocketAddr::new(ip, port)).copied() {
            Some(real) => self.source(real),
            None => ListenSource::Memory,
        }
    }
}

/// Sockets of `LISTEN_FDS`, when they are meant for this process.
fn inherited() -> HashMap<SocketAddr, Vec<TcpListener>> {
    let mut given = ListenFd::from_env();
    let mut sockets: HashMap<SocketAddr, Vec<TcpListener>> = HashMap::new();
    for index in 0..given.len() {
        // What is no TCP listener is not for us.
        if let Ok(Some(socket)) = given.take_tcp_listener(index)
            && let Ok(address) = socket.local_addr()
        {
            sockets.entry(address).or_default().push(socket);
        }
    }
    sockets
}

/// The fabric's name for an address inside a network.
pub(crate) fn virtual_address(network: &std::sync::Arc<str>, ip: IpAddr, port: u16) -> Address {
    Address::Virtual { network: network.clone(), ip, port }
}

/// The address with its port, if it can be bound now.
fn try_bind(address: SocketAddr) -> Option<SocketAddr> {
    use socket2::{Domain, Socket, Type};
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None).ok()?;
    socket.set_reuse_address(true).ok()?;
    // Without SO_REUSEPORT: a port that another process serves is taken, not shared.
    socket.bind(&address.into()).ok()?;
    socket.listen(1).ok()?;
    socket.local_addr().ok()?.as_socket()
}
