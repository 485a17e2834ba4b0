//! The PROXY protocol, versions 1 and 2 (haproxy.org, "The PROXY protocol", §2): a header in front of a
//! connection that names the client behind a load balancer. Accepted only on listeners that expect it and
//! only from trusted peers; there it is mandatory, so a client cannot choose its own address.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The longest header that is accepted: 16 bytes and 520 of addresses and TLVs.
pub const HEADER_BYTES_MAX: usize = 536;
const V2_SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";

/// What a header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Header {
    /// The proxied client and the address it connected to.
    Proxied {
        /// Address and port of the client.
        source: SocketAddr,
        /// Address and port that the client connected to.
        destination: SocketAddr,
    },
    /// `LOCAL` or `UNKNOWN`: the load balancer itself speaks, a health check for instance.
    Local,
}

/// Bytes that are no PROXY header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("connection does not begin with a valid PROXY header")]
pub struct Malformed;

/// Reads a header; `Ok(None)` asks for more bytes. On success also the number of bytes it took.
pub fn parse(bytes: &[u8]) -> Result<Option<(Header, usize)>, Malformed> {
    if bytes.starts_with(V2_SIGNATURE) {
        return parse_v2(bytes);
    }
    if bytes.len() < V2_SIGNATURE.len() && V2_SIGNATURE.starts_with(bytes) {
        return Ok(None);
    }
    if bytes.starts_with(b"PROXY ") {
        return parse_v1(bytes);
    }
    if b"PROXY ".starts_with(bytes) { Ok(None) } else { Err(Malformed) }
}

fn parse_v1(bytes: &[u8]) -> Result<Option<(Header, usize)>, Malformed> {
    // The longest line has 107 bytes, CRLF included.
    let Some(end) = bytes.iter().take(107).position(|&b| b == b'\n') else {
        return if bytes.len() >= 107 { Err(Malformed) } else { Ok(None) };
    };
    let line = bytes[..end].strip_suffix(b"\r").ok_or(Malformed)?;
    let line = std::str::from_utf8(line).map_err(|_| Malformed)?;
    let parts: Vec<&str> = line.split(' ').collect();
    let header = match parts.as_slice() {
        ["PROXY", "UNKNOWN", ..] => Header::Local,
        ["PROXY", family @ ("TCP4" | "TCP6"), source, destination, source_port, destination_port] => {
            let address = |ip: &str, port: &str| -> Result<SocketAddr, Malformed> {
                let ip: IpAddr = ip.parse().map_err(|_| Malformed)?;
                if ip.is_ipv4() != (*family == "TCP4") {
                    return Err(Malformed);
                }
                Ok(SocketAddr::new(ip, port.parse().map_err(|_| Malformed)?))
            };
            Header::Proxied {
                source: address(source, source_port)?,
                destination: address(destination, destination_port)?,
            }
        }
        _ => return Err(Malformed),
    };
    Ok(Some((header, end + 1)))
}

fn parse_v2(bytes: &[u8]) -> Result<Option<(Header, usize)>, Malformed> {
    let Some(fixed) = bytes.get(..16) else { return Ok(None) };
    let (version_command, family) = (fixed[12], fixed[13]);
    let total = 16 + usize::from(u16::from_be_bytes([fixed[14], fixed[15]]));
    if version_command >> 4 != 2 || total > HEADER_BYTES_MAX {
        return Err(Malformed);
    }
    let Some(payload) = bytes.get(16..total) else { return Ok(None) };
    let header = match (version_command & 15, family) {
        (0, _) => Header::Local,
        (1, 0x11) => {
            let block: &[u8; 12] = payload.first_chunk().ok_or(Malformed)?;
            let ip = |at: usize| Ipv4Addr::new(block[at], block[at + 1], block[at + 2], block[at + 3]);
            let port = |at: usize| u16::from_be_bytes([block[at], block[at + 1]]);
            Header::Proxied {
                source: SocketAddr::new(ip(0).into(), port(8)),
                destination: SocketAddr::new(ip(4).into(), port(10)),
            }
        }
        (1, 0x21) => {
            let block: &[u8; 36] = payload.first_chunk().ok_or(Malformed)?;
            let ip = |at: usize| {
                let mut octets = [0u8; 16];
                octets.copy_from_slice(&block[at..at + 16]);
                Ipv6Addr::from(octets)
            };
            let port = |at: usize| u16::from_be_bytes([block[at], block[at + 1]]);
            Header::Proxied {
                source: SocketAddr::new(ip(0).into(), port(32)),
                destination: SocketAddr::new(ip(16).into(), port(34)),
            }
        }
        (1, _) => Header::Local,
        _ => return Err(Malformed),
    };
    Ok(Some((header, total)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_versions_name_the_client() {
        let text = b"PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\nrest";
        let expected = Header::Proxied {
            source: "192.0.2.1:56324".parse().expect("address"),
            destination: "198.51.100.2:443".parse().expect("address"),
        };
        assert_eq!(parse(text), Ok(Some((expected, text.len() - 4))));
        let mut binary = V2_SIGNATURE.to_vec();
        binary.extend_from_slice(&[0x21, 0x11, 0, 12, 192, 0, 2, 1, 198, 51, 100, 2, 0xdc, 0x04, 0x01, 0xbb]);
        assert_eq!(parse(&binary), Ok(Some((expected, binary.len()))));
        for cut in 0..binary.len() {
            assert_eq!(parse(&binary[..cut]), Ok(None), "{cut}");
        }
        assert_eq!(parse(b"PROXY UNKNOWN\r\n"), Ok(Some((Header::Local, 15))));
    }

    #[test]
    fn anything_else_is_refused() {
        for bad in [
            &b"GET / HTTP/1.1\r\n"[..],
            b"PROXY TCP4 1.2.3.4\r\n",
            b"PROXY TCP6 1.2.3.4 1.2.3.4 1 2\r\n",
            b"PROXY TCP4 1.2.3.4 1.2.3.4 1 99999\r\n",
            &[b"PROXY ".to_vec(), vec![b'x'; 120]].concat(),
            &[V2_SIGNATURE.to_vec(), vec![0x31, 0x11, 0, 12]].concat(),
            &[V2_SIGNATURE.to_vec(), vec![0x21, 0x11, 0xff, 0xff]].concat(),
        ] {
            assert_eq!(parse(bad), Err(Malformed), "{:?}", String::from_utf8_lossy(bad));
        }
    }
}
