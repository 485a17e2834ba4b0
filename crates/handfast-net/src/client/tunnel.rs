//! Tunnels through HTTP proxies: `CONNECT` (RFC 9110 §9.3.6) on a new connection, before TLS. Once the proxy has agreed,
//! the connection is the server's, and is pooled as such.
//!
//! Credentials go out as the caller has them, at once and without being asked. Proxies that authenticate the
//! connection in several steps (NTLM, Negotiate) are not spoken to.

use crate::io::Raw;
use handfast_core::Secret;
use std::hash::{Hash, Hasher};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Bytes of a proxy's answer.
const HEAD_BYTES_MAX: usize = 16 * 1024;

/// What a proxy is asked for.
#[derive(Clone, Debug)]
pub struct Tunnel {
    /// Host and port of the server.
    pub authority: String,
    /// The value of `Proxy-Authorization`.
    pub authorization: Option<Secret<String>>,
}

impl Tunnel {
    fn credentials(&self) -> Option<&str> {
        self.authorization.as_ref().map(|value| value.expose().as_str())
    }

    /// Why a proxy that answered 407 is of no use, by its challenges.
    pub fn refusal<'c>(challenges: impl Iterator<Item = &'c str>) -> String {
        let mut schemes: Vec<&str> = challenges.filter_map(|value| value.split([' ', ',']).next()).collect();
        schemes.dedup();
        if schemes.iter().any(|scheme| scheme.eq_ignore_ascii_case("Basic")) {
            return "the proxy refuses the credentials (407)".to_owned();
        }
        let schemes = if schemes.is_empty() { "credentials".to_owned() } else { schemes.join(" or ") };
        format!("the proxy wants {schemes} (407); only Basic is spoken")
    }

    /// Asks for the tunnel; the error is for people.
    pub(super) async fn open(&self, raw: &mut Raw) -> Result<(), String> {
        let broken = |error: std::io::Error| format!("the proxy broke off: {error}");
        let Self { authority, .. } = self;
        let mut text = format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n");
        if let Some(value) = self.credentials() {
            text.push_str(&format!("Proxy-Authorization: {value}\r\n"));
        }
        text.push_str("\r\n");
        let text = Secret::new(text);
        raw.write_all(text.expose().as_bytes()).await.map_err(broken)?;
        raw.flush().await.map_err(broken)?;
        let mut head = Vec::with_capacity(256);
        while !head.ends_with(b"\r\n\r\n") {
            if head.len() >= HEAD_BYTES_MAX {
                return Err("the proxy's answer is too long".to_owned());
            }
            // One at a time: what follows the head is the server's.
            head.push(raw.read_u8().await.map_err(broken)?);
        }
        judge(&String::from_utf8_lossy(&head))
    }
}

/// Whether an answer opens the tunnel.
fn judge(head: &str) -> Result<(), String> {
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.strip_prefix("HTTP/1.")?.get(2..5)?.parse::<u16>().ok());
    match status {
        Some(200..=299) => Ok(()),
        Some(407) => {
            let challenges = lines.filter_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("proxy-authenticate").then_some(value.trim())
            });
            Err(Tunnel::refusal(challenges))
        }
        Some(status) => Err(format!("the proxy answered {status}")),
        None => Err("the proxy's answer is no HTTP/1.1".to_owned()),
    }
}

impl PartialEq for Tunnel {
    fn eq(&self, other: &Self) -> bool {
        self.authority == other.authority && self.credentials() == other.credentials()
    }
}

impl Eq for Tunnel {}

impl Hash for Tunnel {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.authority.hash(state);
        self.credentials().hash(state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_of_proxies() {
        let of = |head: &str| judge(head);
        assert_eq!(of("HTTP/1.1 200 Connection established\r\n\r\n"), Ok(()));
        assert_eq!(of("HTTP/1.0 200\r\n\r\n"), Ok(()));
        for (head, why) in [
            ("HTTP/1.1 502 Bad Gateway\r\n\r\n", "the proxy answered 502"),
            (
                "HTTP/1.1 407 X\r\nProxy-Authenticate: Basic realm=\"a\"\r\n\r\n",
                "the proxy refuses the credentials (407)",
            ),
            (
                "HTTP/1.1 407 X\r\nproxy-authenticate: Negotiate\r\nProxy-Authenticate: NTLM\r\n\r\n",
                "the proxy wants Negotiate or NTLM (407); only Basic is spoken",
            ),
            ("HTTP/1.1 407 X\r\n\r\n", "the proxy wants credentials (407); only Basic is spoken"),
            ("SSH-2.0-x\r\n\r\n", "the proxy's answer is no HTTP/1.1"),
            ("HTTP/1.1 \u{e9}\r\n\r\n", "the proxy's answer is no HTTP/1.1"),
        ] {
            assert_eq!(of(head), Err(why.to_owned()));
        }
    }
}
