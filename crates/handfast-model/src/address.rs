//! The virtual address plan: which address a resource gets from a subnet or from the public pool
//! (`spec/edge-and-network.md` §2.1, §2.2).
//!
//! Allocation is first free from the fifth address of the subnet (.4), and stable: an address that a
//! resource has stays its own while the resource lives and the subnet still contains it. Mapping virtual
//! addresses to sockets is *not* done here.

use crate::graph::Graph;
use crate::id::ResourceId;
use crate::kind;
use crate::pattern::{steps, visit};
use crate::resource::Resource;
use ipnet::{IpNet, Ipv4Net};
use serde_json::Value;
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

/// Azure keeps the first four addresses of a subnet for itself, and the last.
const RESERVED_AT_START: u32 = 4;

/// The IPv4 prefix of a subnet resource.
pub(crate) fn subnet_prefix(graph: &Graph, subnet: &ResourceId) -> Option<Ipv4Net> {
    let resource = graph.get(subnet).filter(|resource| resource.is_kind(kind::SUBNET))?;
    prefixes(resource.properties()).into_iter().find_map(|prefix| match prefix {
        IpNet::V4(net) => Some(net),
        IpNet::V6(_) => None,
    })
}

/// `addressPrefix` and `addressPrefixes` of subnet properties; texts that are no prefix are left out.
pub(crate) fn prefixes(properties: &Value) -> Vec<IpNet> {
    let mut all = Vec::new();
    for path in ["addressPrefix", "addressPrefixes[]"] {
        visit(properties, &steps(path), "", &mut |_, value| {
            all.extend(value.as_str().and_then(|text| text.parse::<IpNet>().ok()));
        });
    }
    all.dedup();
    all
}

/// Where a resource may hold addresses of a subnet.
const HOLDING: &[&str] = &[
    "properties.privateIPAddresses[]",
    "properties.frontendIPConfigurations[].properties.privateIPAddress",
    "properties.ipConfigurations[].properties.privateIPAddress",
    "properties.customDnsConfigs[].ipAddresses[]",
];

/// The private addresses that a resource holds, computed and static ones.
pub(crate) fn held_addresses(resource: &Resource) -> BTreeSet<Ipv4Addr> {
    let mut held = BTreeSet::new();
    for document in [&resource.document, &resource.computed] {
        for path in HOLDING {
            visit(document, &steps(path), "", &mut |_, value| {
                held.extend(value.as_str().and_then(|text| text.parse::<Ipv4Addr>().ok()));
            });
        }
    }
    held
}

/// The addresses of a subnet that other resources than `except` hold.
pub(crate) fn taken(graph: &Graph, subnet: &ResourceId, except: &ResourceId) -> BTreeSet<Ipv4Addr> {
    let users = graph.named_by(subnet).into_iter().filter(|user| user != except);
    users.filter_map(|user| graph.get(&user)).flat_map(|user| held_addresses(user)).collect()
}

/// The first free address of a subnet.
pub(crate) fn first_free(net: Ipv4Net, taken: &BTreeSet<Ipv4Addr>) -> Option<Ipv4Addr> {
    let first = u32::from(net.network()).checked_add(RESERVED_AT_START)?;
    let last = u32::from(net.broadcast()).checked_sub(1)?;
    (first..=last).map(Ipv4Addr::from).find(|address| !taken.contains(address))
}

/// Whether a resource may hold this address of the subnet.
pub(crate) fn usable(net: Ipv4Net, address: Ipv4Addr) -> bool {
    let address = u32::from(address);
    address >= u32::from(net.network()).saturating_add(RESERVED_AT_START)
        && address < u32::from(net.broadcast())
}

/// The first address of the public pool that no other public address has.
pub(crate) fn first_free_public(graph: &Graph, pool: Ipv4Net, except: &ResourceId) -> Option<Ipv4Addr> {
    let others = graph.of_kind(kind::PUBLIC_IP_ADDRESS).filter(|resource| resource.id != *except);
    let taken: BTreeSet<IpAddr> = others.filter_map(|resource| public_address(resource)).collect();
    let hosts = u32::from(pool.network()).saturating_add(1)..u32::from(pool.broadcast());
    hosts.map(Ipv4Addr::from).find(|address| !taken.contains(&IpAddr::V4(*address)))
}

/// The address of a `publicIPAddresses` resource.
pub(crate) fn public_address(resource: &Resource) -> Option<IpAddr> {
    resource.computed_str("/properties/ipAddress")?.parse().ok()
}
