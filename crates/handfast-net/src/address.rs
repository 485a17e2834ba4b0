//! Addresses as templates name them and as the host has them.
//!
//! A *virtual* address belongs to a virtual network of the resource graph; nothing in the kernel answers
//! on it. The [`Fabric`] maps virtual and real addresses to the listeners of this process, so that an edge
//! reaches an internal gateway by its private address and nobody outside does.

use crate::listener::Listener;
use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// Where to connect to, or where a listener answers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Address {
    /// A socket address of the host or of the world outside.
    Real(SocketAddr),
    /// An address of a virtual network.
    Virtual {
        /// The virtual network's resource id, lower case.
        network: Arc<str>,
        /// The address inside it.
        ip: IpAddr,
        /// The port.
        port: u16,
    },
}

impl Address {
    /// The IP address.
    pub fn ip(&self) -> IpAddr {
        match self {
            Self::Real(address) => address.ip(),
            Self::Virtual { ip, .. } => *ip,
        }
    }

    /// The port.
    pub fn port(&self) -> u16 {
        match self {
            Self::Real(address) => address.port(),
            Self::Virtual { port, .. } => *port,
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        SocketAddr::new(self.ip(), self.port()).fmt(f)
    }
}

/// The listeners of this process by address.
#[derive(Clone, Default)]
pub struct Fabric {
    listeners: HashMap<Address, Arc<Listener>>,
}

impl Fabric {
    /// A fabric of these listeners; each is known by its own address and by its aliases.
    pub fn new(listeners: impl IntoIterator<Item = Arc<Listener>>) -> Self {
        Self::with_aliases(listeners.into_iter().map(|listener| (listener.aliases().to_vec(), listener)))
    }

    /// A fabric of listeners with the aliases that they have now.
    pub(crate) fn with_aliases(listeners: impl IntoIterator<Item = (Vec<Address>, Arc<Listener>)>) -> Self {
        let mut map = HashMap::new();
        for (aliases, listener) in listeners {
            map.extend(aliases.into_iter().map(|alias| (alias, listener.clone())));
            map.insert(listener.address().clone(), listener);
        }
        Self { listeners: map }
    }

    /// The listener that answers on an address, if it is one of ours.
    pub fn get(&self, address: &Address) -> Option<&Arc<Listener>> {
        self.listeners.get(address)
    }
}
