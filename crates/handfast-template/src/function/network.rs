//! Address ranges (§10.2): `parseCidr`, `cidrSubnet`, `cidrHost`.

use super::{FunctionEntry, eager, int_at, str_at};
use crate::fault::{Evaluated, fault};
use ipnet::IpNet;
use serde_json::{Map, Value};
use std::net::IpAddr;

pub(super) const TABLE: &[FunctionEntry] = &[
    eager("parseCidr", 1, 1, |_, a| parse_cidr(str_at(&a, 0)?)),
    eager("cidrSubnet", 3, 3, |_, a| {
        let net = range(str_at(&a, 0)?)?;
        let (Ok(prefix), Ok(index)) = (u8::try_from(int_at(&a, 1)?), usize::try_from(int_at(&a, 2)?)) else {
            return fault("prefix length and index must not be negative");
        };
        match subnet(net, prefix, index) {
            Some(subnet) => Ok(subnet.to_string().into()),
            None => fault(format!("{net} has no subnet {index} of length {prefix}")),
        }
    }),
    eager("cidrHost", 2, 2, |_, a| {
        let net = range(str_at(&a, 0)?)?;
        let index = u128::try_from(int_at(&a, 1)?).ok();
        let first = number(net.network()) + u128::from(net.addr().is_ipv4() && net.prefix_len() < 31);
        let host = index.and_then(|index| first.checked_add(index)).map(|host| address(net, host));
        match host.filter(|host| net.contains(host)) {
            Some(host) => Ok(host.to_string().into()),
            None => fault(format!("{net} has no host of that index")),
        }
    }),
];

fn range(text: &str) -> Evaluated<IpNet> {
    text.parse().or_else(|_| fault(format!("\"{text}\" is not an address range such as \"10.0.0.0/24\"")))
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(u32::from(address)),
        IpAddr::V6(address) => u128::from(address),
    }
}

fn address(net: IpNet, number: u128) -> IpAddr {
    match net {
        IpNet::V4(_) => IpAddr::V4(u32::try_from(number).unwrap_or(u32::MAX).into()),
        IpNet::V6(_) => IpAddr::V6(number.into()),
    }
}

fn subnet(net: IpNet, prefix: u8, index: usize) -> Option<IpNet> {
    let extra = u32::from(prefix.checked_sub(net.prefix_len())?);
    let size = u32::from(net.max_prefix_len().checked_sub(prefix)?);
    let index = u128::try_from(index).ok()?;
    if extra < 128 && index >> extra != 0 {
        return None;
    }
    let start = number(net.network()).checked_add(index.checked_shl(size)?)?;
    IpNet::new(address(net, start), prefix).ok()
}

fn parse_cidr(text: &str) -> Evaluated<Value> {
    let net = range(text)?;
    let (first, last) = (number(net.network()), number(net.broadcast()));
    let usable =
        if net.addr().is_ipv4() && net.prefix_len() < 31 { (first + 1, last - 1) } else { (first, last) };
    let mut map = Map::new();
    let mut set = |name: &str, value: IpAddr| map.insert(name.to_owned(), value.to_string().into());
    set("network", net.network());
    set("netmask", net.netmask());
    if net.addr().is_ipv4() {
        set("broadcast", net.broadcast());
    }
    set("firstUsable", address(net, usable.0));
    set("lastUsable", address(net, usable.1));
    map.insert("cidr".into(), net.prefix_len().into());
    Ok(Value::Object(map))
}
