//! Absolute `http` and `https` URLs of backends, split without copying. `ws` and `wss` mean the same as the
//! HTTP scheme below them.

/// The parts of a backend's URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BaseUrl<'a> {
    pub(crate) tls: bool,
    /// Host and port as written: what `Host` says.
    pub(crate) authority: &'a str,
    /// Without brackets.
    pub(crate) host: &'a str,
    pub(crate) port: u16,
    /// Raw path, empty or beginning with `/`.
    pub(crate) path: &'a str,
    /// Raw query without `?`.
    pub(crate) query: Option<&'a str>,
}

impl<'a> BaseUrl<'a> {
    /// Reads a URL; `None` when it is not absolute, has user information or a bad port.
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        let text = text.trim();
        let (scheme, rest) = text.split_once("://")?;
        let tls = match scheme {
            _ if scheme.eq_ignore_ascii_case("https") || scheme.eq_ignore_ascii_case("wss") => true,
            _ if scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("ws") => false,
            _ => return None,
        };
        let rest = rest.split('#').next().unwrap_or_default();
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, target) = rest.split_at(end);
        let printable = |text: &str| text.bytes().all(|byte| byte > b' ' && byte != 0x7f);
        if !printable(rest) || authority.contains(['@', '\\']) {
            return None;
        }
        let (host, port) = split(authority)?;
        let port = match port {
            Some(digits) => digits.parse().ok().filter(|port| *port > 0)?,
            None if tls => 443,
            None => 80,
        };
        if host.is_empty() {
            return None;
        }
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (target, None),
        };
        Some(Self { tls, authority, host, port, path, query })
    }

    /// This URL's path followed by another, with exactly one `/` between them.
    pub(crate) fn join(&self, rest: &str) -> String {
        let base = self.path.trim_end_matches('/');
        let rest = rest.trim_start_matches('/');
        match (base.is_empty(), rest.is_empty()) {
            (true, true) => "/".to_owned(),
            (false, true) => self.path.to_owned(),
            _ => format!("{base}/{rest}"),
        }
    }
}

fn split(authority: &str) -> Option<(&str, Option<&str>)> {
    if let Some(rest) = authority.strip_prefix('[') {
        let (host, after) = rest.split_once(']')?;
        return match after {
            "" => Some((host, None)),
            _ => Some((host, Some(after.strip_prefix(':')?))),
        };
    }
    match authority.split_once(':') {
        Some((host, port)) => Some((host, Some(port))),
        None => Some((authority, None)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_split_into_their_parts() {
        let parts = |text| BaseUrl::parse(text).map(|url| (url.tls, url.host, url.port, url.path, url.query));
        assert_eq!(parts("https://a.test"), Some((true, "a.test", 443, "", None)));
        assert_eq!(parts("HTTP://a.test:81/b/?c"), Some((false, "a.test", 81, "/b/", Some("c"))));
        assert_eq!(parts("wss://[::1]:9443/x"), Some((true, "::1", 9443, "/x", None)));
        for bad in
            ["a.test/x", "ftp://a", "https://", "https://u@a", "https://a:0", "https://a:b", "https://a b"]
        {
            assert_eq!(BaseUrl::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn paths_are_joined_with_one_slash() {
        for (base, rest, joined) in [
            ("https://a", "", "/"),
            ("https://a", "/x", "/x"),
            ("https://a/", "/x/", "/x/"),
            ("https://a/b", "", "/b"),
            ("https://a/b/", "/x", "/b/x"),
            ("https://a/b", "x", "/b/x"),
        ] {
            assert_eq!(BaseUrl::parse(base).expect("a URL").join(rest), joined, "{base} {rest}");
        }
    }
}
