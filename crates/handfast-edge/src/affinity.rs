//! Cookie-based affinity: a keyed hash of pool, settings and server, so that the cookie names a server
//! without telling which.

use crate::plan::Member;
use handfast_core::message::Fields;
use handfast_net::balance::Server;
use sha2::{Digest, Sha256};

/// The affinity of one backend.
pub(crate) struct Affinity {
    cookie: String,
    cors: String,
    values: Vec<String>,
}

impl Affinity {
    pub(crate) fn new<'a>(
        cookie: String,
        key: &[u8; 32],
        scope: &str,
        servers: impl Iterator<Item = &'a Server<Member>>,
    ) -> Self {
        let value = |server: &Server<Member>| {
            let mut hash = Sha256::new();
            for part in [key.as_slice(), scope.as_bytes(), server.target.host.as_bytes()] {
                hash.update((part.len() as u64).to_be_bytes());
                hash.update(part);
            }
            hash.finalize()[..16].iter().map(|byte| format!("{byte:02x}")).collect()
        };
        let cors = format!("{cookie}CORS");
        Self { cookie, cors, values: servers.map(value).collect() }
    }

    /// The server that the request's cookie names.
    pub(crate) fn wanted(&self, fields: &Fields) -> Option<usize> {
        let value = cookie(fields, &self.cors).or_else(|| cookie(fields, &self.cookie))?;
        self.values.iter().position(|known| *known == value)
    }

    /// Removes our cookies from the request. HTTP/2 clients may send one line for each cookie (RFC 9113 §8.2.3).
    pub(crate) fn remove(&self, fields: &mut Fields) {
        if !self.names().iter().any(|name| cookie(fields, name).is_some()) {
            return;
        }
        let lines: Vec<Vec<u8>> = fields.get_all(b"cookie").map(<[u8]>::to_vec).collect();
        fields.remove(b"cookie");
        for line in lines {
            let kept: Vec<&[u8]> = line
                .split(|&byte| byte == b';')
                .map(<[u8]>::trim_ascii)
                .filter(|pair| !self.is_ours(pair))
                .collect();
            if !kept.is_empty() {
                // The bytes were a valid value before.
                let _ = fields.append(b"Cookie", &kept.join(&b"; "[..]));
            }
        }
    }

    fn names(&self) -> [&str; 2] {
        [&self.cookie, &self.cors]
    }

    fn is_ours(&self, pair: &[u8]) -> bool {
        let name = pair.split(|&byte| byte == b'=').next().unwrap_or_default();
        self.names().iter().any(|ours| ours.as_bytes() == name)
    }

    /// Adds the cookies for a server to the response.
    pub(crate) fn set(&self, server: usize, fields: &mut Fields) {
        let Some(value) = self.values.get(server) else { return };
        let cors = format!("{}={value}; Path=/; SameSite=None; Secure", self.cors);
        let plain = format!("{}={value}; Path=/", self.cookie);
        for line in [cors, plain] {
            let _ = fields.append(b"Set-Cookie", line.as_bytes());
        }
    }
}

/// The value of a cookie (RFC 6265 §4.2).
pub(crate) fn cookie(fields: &Fields, name: &str) -> Option<String> {
    fields.get_all(b"cookie").filter_map(|line| std::str::from_utf8(line).ok()).find_map(|line| {
        line.split(';').find_map(|pair| {
            let (found, value) = pair.trim().split_once('=')?;
            (found == name).then(|| value.to_owned())
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cookie_leads_back_to_its_server_and_is_hidden_from_it() {
        let server = |host: &str| Server::new(Member { host: host.into(), address: None });
        let affinity =
            Affinity::new("A".into(), &[7; 32], "pool/settings", [server("a"), server("b")].iter());
        let mut response = Fields::new();
        affinity.set(1, &mut response);
        let line = response.get_str("set-cookie").expect("a cookie");
        assert!(line.starts_with("ACORS=") && line.ends_with("; Path=/; SameSite=None; Secure"), "{line}");
        let pair = line.split(';').next().expect("a pair");
        let mut request = Fields::new();
        request.append(b"Cookie", format!("x=1; {pair}; y=2").as_bytes()).expect("valid");
        assert_eq!(affinity.wanted(&request), Some(1));
        affinity.remove(&mut request);
        assert_eq!(request.get_str("cookie"), Some("x=1; y=2"));
        assert_eq!(affinity.wanted(&request), None);
    }

    #[test]
    fn cookies_of_the_client_stay_when_each_has_a_line() {
        let affinity = Affinity::new("A".into(), &[7; 32], "scope", [].iter());
        let mut request = Fields::new();
        for line in ["A=1", "own=2", "ACORS=3; more=4"] {
            request.append(b"Cookie", line.as_bytes()).expect("valid");
        }
        affinity.remove(&mut request);
        let left: Vec<&[u8]> = request.get_all(b"cookie").collect();
        assert_eq!(left, [&b"own=2"[..], b"more=4"]);
    }
}
