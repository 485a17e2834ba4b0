//! `System.Uri`, `UriBuilder`, `System.Net.IPAddress`.

use super::cell;
use crate::call::Call;
use crate::fault::{Fault, throw};
use crate::surface::{PLAIN, Row, TypeDef};
use crate::types::{EnumDef, Type};
use crate::uri::{self, Problem, Uri};
use crate::value::{Object, Value};

pub(super) static URI_KIND: EnumDef = EnumDef {
    name: "UriKind",
    namespace: "System",
    flags: false,
    members: &[("RelativeOrAbsolute", 0), ("Absolute", 1), ("Relative", 2)],
};

pub(super) static URI_PARTIAL: EnumDef = EnumDef {
    name: "UriPartial",
    namespace: "System",
    flags: false,
    members: &[("Scheme", 0), ("Authority", 1), ("Path", 2), ("Query", 3)],
};

pub(super) static ADDRESS_FAMILY: EnumDef = EnumDef {
    name: "AddressFamily",
    namespace: "System.Net.Sockets",
    flags: false,
    members: &[("InterNetwork", 2), ("InterNetworkV6", 23)],
};

fn invalid(problem: Problem) -> Fault {
    throw("UriFormatException", problem.text())
}

/// A URI as a value.
pub(crate) fn value(uri: Uri) -> Value {
    Value::object(Object::Uri(Box::new(uri)))
}

fn uri(call: &Call<'_>, at: usize) -> Result<Uri, Fault> {
    match &*call.object(at)? {
        Object::Uri(uri) => Ok((**uri).clone()),
        _ => Err(call.missing(at)),
    }
}

fn create(call: &mut Call<'_>) -> Result<Value, Fault> {
    if matches!(call.arg(0), Value::Str(_)) {
        let text = call.text(0)?;
        return Uri::parse(&text).map(value).map_err(invalid);
    }
    let base = uri(call, 0)?;
    let made = match call.arg(1) {
        Value::Str(text) => base.resolve(text),
        _ => base.resolve(&uri(call, 1)?.original),
    };
    made.map(value).map_err(invalid)
}

fn try_create(call: &mut Call<'_>) -> Result<Value, Fault> {
    let found = match (call.arg(0), call.arg(1)) {
        (Value::Str(text), Value::Enum(_, 0 | 1)) => Uri::parse(text).ok(),
        (Value::Object(_), Value::Str(relative)) => uri(call, 0)?.resolve(relative).ok(),
        _ => None,
    };
    let is_some = found.is_some();
    call.set(2, found.map_or(Value::Null, value));
    Ok(Value::Bool(is_some))
}

fn part(call: &mut Call<'_>) -> Result<Value, Fault> {
    let uri = uri(call, 0)?;
    Ok(Value::str(match call.member.name.as_str() {
        "Scheme" => uri.scheme,
        "Host" => uri.host,
        "DnsSafeHost" | "IdnHost" => uri.host.trim_matches(['[', ']']).to_owned(),
        "Authority" => uri.authority_text(),
        "AbsolutePath" => uri.path,
        "AbsoluteUri" => uri.absolute(),
        "PathAndQuery" => format!("{}{}", uri.path, uri.query),
        "Query" => uri.query,
        "Fragment" => uri.fragment,
        "UserInfo" => uri.user,
        "OriginalString" => uri.original,
        "LocalPath" => uri::unescape(&uri.path, |_| false),
        _ => uri.display(),
    }))
}

fn fact(call: &mut Call<'_>) -> Result<Value, Fault> {
    let uri = uri(call, 0)?;
    Ok(match call.member.name.as_str() {
        "Port" => Value::int(uri.port),
        "IsDefaultPort" => Value::Bool(uri.is_default_port()),
        "IsLoopback" => Value::Bool(matches!(uri.host.as_str(), "localhost" | "127.0.0.1" | "[::1]")),
        "IsFile" => Value::Bool(uri.scheme == "file"),
        "IsUnc" => Value::Bool(false),
        "Segments" => Value::strings(uri.segments()),
        _ => Value::Bool(true),
    })
}

fn left_part(call: &mut Call<'_>) -> Result<Value, Fault> {
    Ok(Value::str(uri(call, 0)?.left_part(call.int(1)?)))
}

fn make_relative(call: &mut Call<'_>) -> Result<Value, Fault> {
    Ok(Value::str(uri(call, 0)?.relative_to(&uri(call, 1)?)))
}

fn is_base_of(call: &mut Call<'_>) -> Result<Value, Fault> {
    let (base, other) = (uri(call, 0)?, uri(call, 1)?);
    let folder = base.path.rfind('/').map_or("", |at| &base.path[..=at]);
    Ok(Value::Bool(base.left_part(1) == other.left_part(1) && other.path.starts_with(folder)))
}

fn equals(call: &mut Call<'_>) -> Result<Value, Fault> {
    Ok(Value::Bool(crate::arith::equals(call.arg(0), call.arg(1))))
}

/// What `EscapeDataString` leaves.
pub(super) fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte)
}

fn escaped(call: &mut Call<'_>) -> Result<Value, Fault> {
    let text = call.text(0)?;
    call.allocate(text.len().saturating_mul(3))?;
    Ok(Value::str(match call.member.name.as_str() {
        "EscapeDataString" => uri::escape_all(&text, is_unreserved),
        "EscapeUriString" => {
            uri::escape_all(&text, |byte| is_unreserved(byte) || b":/?#[]@!$&'()*+,;=".contains(&byte))
        }
        "HexEscape" => uri::escape_all(&text, |_| false),
        _ => uri::unescape(&text, |_| false),
    }))
}

fn well_formed(call: &mut Call<'_>) -> Result<Value, Fault> {
    let Value::Str(text) = call.arg(0) else { return Ok(Value::Bool(false)) };
    let absolute = Uri::parse(text);
    let clean = !text.contains(|c: char| c.is_whitespace() || c.is_control() || "<>\"{}|^`\\".contains(c));
    Ok(Value::Bool(
        clean
            && match call.int(1)? {
                1 => absolute.is_ok(),
                2 => uri::split_scheme(text).is_none(),
                _ => absolute.is_ok() || uri::split_scheme(text).is_none(),
            },
    ))
}

fn check_scheme(call: &mut Call<'_>) -> Result<Value, Fault> {
    let text = call.text(0)?;
    Ok(Value::Bool(
        text.starts_with(|c: char| c.is_ascii_alphabetic())
            && text.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c)),
    ))
}

fn scheme_name(call: &mut Call<'_>) -> Result<Value, Fault> {
    let name = call.member.name.trim_start_matches("UriScheme").to_ascii_lowercase();
    Ok(Value::str(if name == "schemedelimiter" { "://".to_owned() } else { name }))
}

// === UriBuilder ===

fn builder(call: &mut Call<'_>) -> Result<Value, Fault> {
    let parsed = match (call.arg(0), call.count()) {
        (_, 0) => Some(Uri::parse("http://localhost/").map_err(invalid)?),
        (Value::Str(text), 1) => {
            let text =
                if uri::split_scheme(text).is_some() { text.to_string() } else { format!("http://{text}") };
            Some(Uri::parse(&text).map_err(invalid)?)
        }
        (_, 1) => Some(uri(call, 0)?),
        _ => None,
    };
    let slash = |path: String| if path.starts_with('/') { path } else { format!("/{path}") };
    let (scheme, host, port, path, query, fragment, user) = match parsed {
        Some(uri) => (uri.scheme, uri.host, uri.port, uri.path, uri.query, uri.fragment, uri.user),
        None => {
            let port = if call.count() > 2 { call.arg(2).as_int().unwrap_or(-1) } else { -1 };
            let path = if call.count() > 3 { call.text(3)?.to_string() } else { "/".into() };
            let (scheme, host) = (call.text(0)?.to_ascii_lowercase(), call.text(1)?.to_string());
            (scheme, host, port, slash(path), String::new(), String::new(), String::new())
        }
    };
    let (name, password) = user.split_once(':').unwrap_or((&user, ""));
    Ok(cell::make(
        Type::class("UriBuilder"),
        vec![
            ("Scheme", Value::str(scheme)),
            ("Host", Value::str(host)),
            ("Port", Value::int(port)),
            ("Path", Value::str(path)),
            ("Query", Value::str(query)),
            ("Fragment", Value::str(fragment)),
            ("UserName", Value::str(name)),
            ("Password", Value::str(password)),
        ],
    ))
}

fn set_builder(call: &mut Call<'_>) -> Result<Value, Fault> {
    let text = call.arg(1).to_text();
    let marked = |mark: char| match text.as_str() {
        "" => String::new(),
        other if other.starts_with(mark) => other.to_owned(),
        other => format!("{mark}{other}"),
    };
    let value = match call.member.name.as_str() {
        "Query" => Value::str(marked('?')),
        "Fragment" => Value::str(marked('#')),
        "Path" if text.starts_with('/') => Value::str(&text),
        "Path" => Value::str(format!("/{text}")),
        _ => call.arg(1).clone(),
    };
    cell::put(call.arg(0), &call.member.name, value);
    Ok(call.arg(1).clone())
}

fn builder_text(call: &mut Call<'_>) -> Result<Value, Fault> {
    let get = |name: &str| cell::of(call.arg(0), name).to_text();
    let user = match (get("UserName").as_str(), get("Password").as_str()) {
        ("", _) => String::new(),
        (name, "") => format!("{name}@"),
        (name, password) => format!("{name}:{password}@"),
    };
    let port = cell::of(call.arg(0), "Port").as_int().filter(|port| *port >= 0);
    let port = port.map_or_else(String::new, |port| format!(":{port}"));
    let text = format!(
        "{}://{user}{}{port}{}{}{}",
        get("Scheme"),
        get("Host"),
        get("Path"),
        get("Query"),
        get("Fragment")
    );
    match call.member.name.as_str() {
        "Uri" => Uri::parse(&text).map(value).map_err(invalid),
        _ => Ok(Value::str(text)),
    }
}

// === IPAddress ===

/// An address, also in the short forms of IPv4 (`1.2.3` is `1.2.0.3`).
fn address(text: &str) -> Option<std::net::IpAddr> {
    let inner = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')).unwrap_or(text);
    if let Ok(address) = inner.split('%').next().unwrap_or("").parse() {
        return Some(address);
    }
    let parts: Vec<_> = inner.split('.').collect();
    let number = |part: &&str| match part.strip_prefix("0x") {
        Some(hex) => u32::from_str_radix(hex, 16).ok(),
        None if part.len() > 1 && part.starts_with('0') => u32::from_str_radix(part, 8).ok(),
        None if !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()) => part.parse().ok(),
        None => None,
    };
    let numbers: Vec<u32> = parts.iter().map(number).collect::<Option<_>>()?;
    let (last, first) = numbers.split_last()?;
    if first.len() > 3 || first.iter().any(|byte| *byte > 255) {
        return None;
    }
    let room = 32 - 8 * u32::try_from(first.len()).ok()?;
    if room < 32 && *last >= 1 << room {
        return None;
    }
    let high = first.iter().enumerate().fold(0u32, |sum, (at, byte)| sum | byte << (24 - 8 * at));
    Some(std::net::Ipv4Addr::from(high | last).into())
}

fn ip_value(address: std::net::IpAddr) -> Value {
    Value::record("IPAddress", vec![("Text", Value::str(address.to_string()))])
}

fn ip(call: &Call<'_>, at: usize) -> Result<std::net::IpAddr, Fault> {
    if call.arg(at).is_null() {
        return Err(call.missing(at));
    }
    address(&super::context::named(call.arg(at), "Text").to_text()).ok_or_else(|| call.missing(at))
}

fn parse_ip(call: &mut Call<'_>) -> Result<Value, Fault> {
    address(&call.text(0)?)
        .map(ip_value)
        .ok_or_else(|| throw("FormatException", "An invalid IP address was specified."))
}

fn try_parse_ip(call: &mut Call<'_>) -> Result<Value, Fault> {
    let found = call.arg(0).as_str().and_then(address);
    call.set(1, found.map_or(Value::Null, ip_value));
    Ok(Value::Bool(found.is_some()))
}

fn ip_part(call: &mut Call<'_>) -> Result<Value, Fault> {
    let address = ip(call, 0)?;
    Ok(match call.member.name.as_str() {
        "AddressFamily" => Value::Enum(&ADDRESS_FAMILY, if address.is_ipv4() { 2 } else { 23 }),
        "GetAddressBytes" => Value::bytes(match address {
            std::net::IpAddr::V4(address) => address.octets().to_vec(),
            std::net::IpAddr::V6(address) => address.octets().to_vec(),
        }),
        "IsLoopback" => Value::Bool(address.is_loopback()),
        "Equals" => Value::Bool(ip(call, 1).is_ok_and(|other| other == address)),
        _ => Value::str(address.to_string()),
    })
}

pub(super) const TYPES: &[TypeDef] = &[
    TypeDef {
        name: "Uri",
        rows: &[
            Row(
                "new(string uriString); new(Uri baseUri, string relativeUri); new(Uri baseUri, Uri relativeUri); lenient new(string uriString, UriKind uriKind)",
                create,
            ),
            Row(
                "static bool TryCreate(string uriString, UriKind uriKind, out Uri result); static bool TryCreate(Uri baseUri, string relativeUri, out Uri result)",
                try_create,
            ),
            Row(
                "string Scheme; string Host; string DnsSafeHost; string IdnHost; string Authority; string AbsolutePath; string AbsoluteUri; string PathAndQuery; string Query; string Fragment; string UserInfo; string OriginalString; string LocalPath; string ToString()",
                part,
            ),
            Row(
                "int Port; bool IsDefaultPort; bool IsLoopback; bool IsFile; bool IsUnc; bool IsAbsoluteUri; string[] Segments",
                fact,
            ),
            Row("string GetLeftPart(UriPartial part)", left_part),
            Row("string MakeRelative(Uri toUri); string MakeRelativeUri(Uri uri)", make_relative),
            Row("bool IsBaseOf(Uri uri)", is_base_of),
            Row("bool Equals(object comparand)", equals),
            Row("int GetHashCode()", super::strings::hash),
            Row(
                "static string EscapeDataString(string stringToEscape); static string UnescapeDataString(string stringToUnescape); static string EscapeUriString(string stringToEscape); static string HexEscape(char character)",
                escaped,
            ),
            Row("static bool IsWellFormedUriString(string uriString, UriKind uriKind)", well_formed),
            Row("static bool CheckSchemeName(string schemeName)", check_scheme),
            Row(
                "static string UriSchemeHttp; static string UriSchemeHttps; static string UriSchemeFtp; static string UriSchemeFile; static string UriSchemeMailto; static string SchemeDelimiter",
                scheme_name,
            ),
        ],
        ..PLAIN
    },
    TypeDef {
        name: "UriBuilder",
        lenient: true,
        rows: &[
            Row(
                "new(); new(string uri); new(Uri uri); new(string schemeName, string hostName); new(string scheme, string host, int portNumber); new(string scheme, string host, int port, string pathValue)",
                builder,
            ),
            Row(
                "string Scheme; string Host; int Port; string Path; string Query; string Fragment; string UserName; string Password",
                cell::get,
            ),
            Row(
                "set string Scheme; set string Host; set int Port; set string Path; set string Query; set string Fragment; set string UserName; set string Password",
                set_builder,
            ),
            Row("Uri Uri; string ToString()", builder_text),
        ],
        ..PLAIN
    },
    TypeDef {
        name: "IPAddress",
        namespace: "System.Net",
        rows: &[
            Row("static IPAddress Parse(string ipString)", parse_ip),
            Row("static bool TryParse(string ipString, out IPAddress address)", try_parse_ip),
            Row(
                "AddressFamily AddressFamily; byte[] GetAddressBytes(); bool Equals(object comparand); string ToString(); static bool IsLoopback(IPAddress address)",
                ip_part,
            ),
        ],
        ..PLAIN
    },
];
