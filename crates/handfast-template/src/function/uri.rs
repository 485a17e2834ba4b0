//! Functions over addresses and base64 (§10.2).

use super::{FunctionEntry, eager, object_at, printed, str_at};
use crate::fault::{Evaluated, fault};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

pub(super) const TABLE: &[FunctionEntry] = &[
    eager("base64", 1, 1, |_, a| Ok(STANDARD.encode(str_at(&a, 0)?).into())),
    eager("base64ToString", 1, 1, |_, a| decode(str_at(&a, 0)?).map(Value::String)),
    eager("base64ToJson", 1, 1, |_, a| match crate::json::parse_json(&decode(str_at(&a, 0)?)?) {
        Ok(value) => Ok(value),
        Err(error) => fault(format!("the decoded text is not JSON: {error}")),
    }),
    eager("dataUri", 1, 1, |_, a| {
        let text = a.first().map(printed).unwrap_or_default();
        Ok(format!("data:text/plain;charset=utf-8;base64,{}", STANDARD.encode(text)).into())
    }),
    eager("dataUriToString", 1, 1, |_, a| data_uri_to_string(str_at(&a, 0)?).map(Value::String)),
    eager("uri", 2, 2, |_, a| combine(str_at(&a, 0)?, str_at(&a, 1)?).map(Value::String)),
    eager("uriComponent", 1, 1, |_, a| Ok(percent_encode(str_at(&a, 0)?).into())),
    eager("uriComponentToString", 1, 1, |_, a| percent_decode(str_at(&a, 0)?).map(Value::String)),
    eager("parseUri", 1, 1, |_, a| parse(str_at(&a, 0)?)),
    eager("buildUri", 1, 1, |_, a| Ok(build(object_at(&a, 0)?).into())),
];

fn decode(text: &str) -> Evaluated<String> {
    let decoded = STANDARD.decode(text.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    decoded.map_or_else(|| fault("the argument is not the base64 of a UTF-8 text"), Ok)
}

fn data_uri_to_string(uri: &str) -> Evaluated<String> {
    let parts = uri.strip_prefix("data:").and_then(|rest| rest.split_once(','));
    let Some((kind, data)) = parts else { return fault("the argument is not a data URI") };
    if kind.ends_with(";base64") { decode(data) } else { percent_decode(data) }
}

/// Scheme and authority, path, query of an absolute URL.
fn split(url: &str) -> Option<(&str, &str, &str, &str)> {
    let (scheme, rest) = url.split_once("://")?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, rest) = rest.split_at(end);
    let rest = rest.split('#').next().unwrap_or_default();
    let (path, query) = rest.split_at(rest.find('?').unwrap_or(rest.len()));
    (!scheme.is_empty() && !authority.is_empty()).then_some((scheme, authority, path, query))
}

/// RFC 3986 §5.2, as .NET does it.
fn combine(base: &str, relative: &str) -> Evaluated<String> {
    let Some((scheme, authority, path, _)) = split(base) else {
        return fault(format!("\"{base}\" is not an absolute address"));
    };
    if split(relative).is_some() {
        return Ok(relative.to_owned());
    }
    let (relative_path, tail) = relative.split_at(relative.find(['?', '#']).unwrap_or(relative.len()));
    let folder = path.rfind('/').and_then(|at| path.get(..=at)).unwrap_or("/");
    let joined = match relative_path {
        "" => path.to_owned(),
        absolute if absolute.starts_with('/') => absolute.to_owned(),
        other => format!("{folder}{other}"),
    };
    Ok(format!("{scheme}://{authority}{}{tail}", without_dots(&joined)))
}

fn without_dots(path: &str) -> String {
    let mut out: Vec<&str> = Vec::new();
    let segments: Vec<&str> = path.split('/').skip(1).collect();
    let ends_open = matches!(segments.last(), Some(&("." | ".." | "")));
    for segment in segments {
        match segment {
            "." => {}
            ".." => {
                out.pop();
            }
            other => out.push(other),
        }
    }
    let mut text = format!("/{}", out.join("/"));
    if ends_open && !text.ends_with('/') {
        text.push('/');
    }
    text
}

fn percent_encode(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

fn percent_decode(text: &str) -> Evaluated<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let hex = after.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        match hex.filter(|_| *first == b'%').and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).or_else(|_| fault("the decoded bytes are not a UTF-8 text"))
}

fn parse(url: &str) -> Evaluated<Value> {
    let Some((scheme, authority, path, query)) = split(url) else {
        return fault(format!("\"{url}\" is not an absolute address"));
    };
    let authority = authority.rsplit('@').next().unwrap_or_default();
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, port.parse::<u16>().ok()),
        _ => (authority, None),
    };
    let default = match scheme {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    };
    let mut map = Map::new();
    map.insert("scheme".into(), scheme.into());
    map.insert("host".into(), host.into());
    map.insert("port".into(), port.filter(|port| Some(*port) != default).into());
    map.insert("path".into(), if path.is_empty() { "/" } else { path }.into());
    map.insert("query".into(), query.into());
    Ok(Value::Object(map))
}

fn build(parts: &Map<String, Value>) -> String {
    let text = |name: &str| parts.get(name).map(printed).unwrap_or_default();
    let mut url = format!("{}://{}", text("scheme"), text("host"));
    let port = text("port");
    if !port.is_empty() {
        url.push(':');
        url.push_str(&port);
    }
    let (path, query) = (text("path"), text("query"));
    if !path.starts_with('/') {
        url.push('/');
    }
    url.push_str(&path);
    if !query.is_empty() && !query.starts_with('?') {
        url.push('?');
    }
    url + &query
}
