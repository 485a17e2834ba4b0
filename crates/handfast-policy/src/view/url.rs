//! `IUrl`: the parts of an absolute URL (expressions 4.3).

use crate::context::Context;
use crate::policies::set_query_parameter::{pairs, percent_decode};
use handfast_expression::Value;
use serde_json::json;
use std::collections::HashMap;

/// An absolute URL in its parts; path and query as they are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Url {
    scheme: String,
    host: String,
    port: u16,
    path: String,
    query: Option<String>,
}

impl Url {
    /// Reads `scheme://host[:port][/path][?query]`; a fragment is dropped.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (scheme, rest) = text.split_once("://")?;
        let scheme = scheme.to_ascii_lowercase();
        let rest = rest.split('#').next().unwrap_or_default();
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, rest) = rest.split_at(end);
        let (path, query) = match rest.split_once('?') {
            Some((path, query)) => (path, Some(query.to_owned())),
            None => (rest, None),
        };
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, port.parse().ok()),
            _ => (authority, None),
        };
        let default = default_port(&scheme)?;
        let path = if path.is_empty() { "/" } else { path }.to_owned();
        Some(Self { host: host.to_owned(), port: port.unwrap_or(default), scheme, path, query })
    }

    /// The URL that the request will be sent to: the base that a policy or the API gives, and the request's
    /// own target. A backend of an id keeps its URL to itself, so the API's is shown.
    pub(super) fn of_request(context: &Context) -> Option<Self> {
        let Some(api) = &context.api else { return Self::parse(&context.original_url) };
        let base = context.backend.base_url.as_deref().or(api.service_url.as_deref());
        let mut url = Self::parse(base.unwrap_or(&context.original_url))?;
        let target = &context.request.target;
        let before = if base.is_some() { url.path.trim_end_matches('/') } else { "" };
        url.path = format!("{before}/{}", target.path().trim_start_matches('/'));
        url.query = target.query().map(str::to_owned);
        Some(url)
    }

    /// A member by its name in C#; `Text` is the whole.
    pub(super) fn field(&self, name: &str) -> Option<Value> {
        Some(match name {
            "Scheme" => Value::str(&self.scheme),
            "Host" => Value::str(&self.host),
            "Port" => Value::int(self.port.into()),
            "Path" => Value::str(&self.path),
            "QueryString" => Value::str(self.query_string()),
            "Text" => Value::str(self.text()),
            _ => return None,
        })
    }

    /// The query parameters: decoded, one entry per name, its values in order.
    pub(super) fn query_entries(&self) -> Vec<(String, Value)> {
        self.query_values().into_iter().map(|(name, values)| (name, Value::strings(values))).collect()
    }

    fn query_values(&self) -> Vec<(String, Vec<String>)> {
        let mut entries: Vec<(String, Vec<String>)> = Vec::new();
        for (name, pair) in pairs(self.query.as_deref().unwrap_or_default()) {
            let name = decoded(name);
            let value = decoded(pair.split_once('=').map_or("", |(_, value)| value));
            match entries.iter_mut().find(|(known, _)| known.eq_ignore_ascii_case(&name)) {
                Some((_, values)) => values.push(value),
                None => entries.push((name, vec![value])),
            }
        }
        entries
    }

    /// As a trace shows it (specification 7.2).
    pub(super) fn described(&self) -> serde_json::Value {
        json!({
            "scheme": self.scheme,
            "host": self.host,
            "port": self.port,
            "path": self.path,
            "queryString": self.query_string(),
            "query": self.query_values().into_iter().collect::<HashMap<_, _>>(),
            "isDefaultPort": default_port(&self.scheme) == Some(self.port),
        })
    }

    fn query_string(&self) -> String {
        match self.query.as_deref() {
            Some(query) if !query.is_empty() => format!("?{query}"),
            _ => String::new(),
        }
    }

    fn text(&self) -> String {
        let port = match default_port(&self.scheme) == Some(self.port) {
            true => String::new(),
            false => format!(":{}", self.port),
        };
        format!("{}://{}{port}{}{}", self.scheme, self.host, self.path, self.query_string())
    }
}

fn decoded(text: &str) -> String {
    String::from_utf8_lossy(&percent_decode(text)).into_owned()
}

fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" | "ws" => Some(80),
        "https" | "wss" => Some(443),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn default_ports_are_filled_in_and_not_written() {
        let url = Url::parse("https://[::1]:443/a%20b?x=1&x=%32&y#f").expect("a URL");
        assert_eq!((url.host.as_str(), url.port, url.path.as_str()), ("[::1]", 443, "/a%20b"));
        assert_eq!(url.text(), "https://[::1]/a%20b?x=1&x=%32&y");
        assert_eq!(Url::parse("http://h:8080").map(|url| url.text()).as_deref(), Some("http://h:8080/"));
        assert_eq!(url.query_entries().len(), 2);
        assert_eq!(url.described()["query"], json!({ "x": ["1", "2"], "y": [""] }));
        assert_eq!(url.described()["isDefaultPort"], true);
    }
}
