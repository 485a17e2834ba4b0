//! Cookie-based affinity: a keyed hash of pool, settings and server, so that the cookie names a server
//! without telling which.

use crate::plan::Member;
use handfast_core::message::Fields;
use handfast_net::balance::Server;
use sha2::{Digest, Sha256};

/// The affinity of one backend.
pub(crate) struct Affinity {
    cookie: String,
    values: Vec<String>,
}

impl Affinity {
    pub(crate) fn new(cookie: String, key: &[u8; 32], scope: &str, servers: &[Server<Member>]) -> Self {
        let value = |server: &Server<Member>| {
            let mut hash = Sha256::new();
            for part in [key.as_slice(), scope.as_bytes(), server.target.host.as_bytes()] {
                hash.update((part.len() as u64).to_be_bytes());
                hash.update(part);
            }
            hash.finalize()[..16].iter().map(|byte| format!("{byte:02x}")).collect()
        };
        Self { cookie, values: servers.iter().map(value).collect() }
    }

    fn cors_cookie(&self) -> String {
        format!("{}CORS", self.cookie)
    }

    /// The server that the request's cookie names.
    pub(crate) fn wanted(&self, fields: &Fields) -> Option<usize> {
        let value = cookie(fields, &self.cors_cookie()).or_else(|| cookie(fields, &self.cookie))?;
        self.values.iter().position(|known| *known == value)
    }

    /// Removes our cookies from the request.
    pub(crate) fn remove(&self, fields: &mut Fields) {
        let ours = [self.cookie.clone(), self.cors_cookie()];
        if !ours.iter().any(|name| cookie(fields, name).is_some()) {
            return;
        }
        let Some(all) = fields.get_str("cookie") else { return };
        let kept: Vec<&str> = all
            .split(';')
            .map(str::trim)
            .filter(|pair| !ours.iter().any(|name| pair.split('=').next() == Some(name)))
            .collect();
        if kept.is_empty() {
            fields.remove(b"cookie");
        } else {
            let kept = kept.join("; ");
            let _ = fields.set(b"Cookie", kept.as_bytes());
        }
    }

    /// Adds the cookies for a server to the response.
    pub(crate) fn set(&self, server: usize, fields: &mut Fields) {
        let Some(value) = self.values.get(server) else { return };
        let cors = format!("{}={value}; Path=/; SameSite=None; Secure", self.cors_cookie());
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
        let affinity = Affinity::new("A".into(), &[7; 32], "pool/settings", &[server("a"), server("b")]);
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
}
