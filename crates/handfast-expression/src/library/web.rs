//! `System.Net.WebUtility`, `System.Web.HttpUtility`: encodings of URLs, forms and HTML.

use crate::call::Call;
use crate::fault::Fault;
use crate::surface::{PLAIN, Row, TypeDef};
use crate::uri;
use crate::value::Value;

/// Form encoding as `WebUtility.UrlEncode` does it.
pub(crate) fn form_encode(text: &str) -> String {
    uri::escape_all(text, |byte| byte.is_ascii_alphanumeric() || b"-_.!*() ".contains(&byte))
        .replace(' ', "+")
}

/// Form decoding: `+` is a space, invalid escapes stay.
pub(crate) fn form_decode(text: &str) -> String {
    uri::unescape(&text.replace('+', " "), |_| false)
}

fn url_encode(call: &mut Call<'_>) -> Result<Value, Fault> {
    let Value::Str(text) = call.arg(0).clone() else { return Ok(Value::Null) };
    call.allocate(text.len().saturating_mul(3))?;
    let encoded = form_encode(&text);
    if call.member.owner == "WebUtility" {
        return Ok(Value::str(encoded));
    }
    // `HttpUtility` writes its hexadecimal digits in lower case.
    let mut out = String::with_capacity(encoded.len());
    let mut left = 0;
    for c in encoded.chars() {
        left = if c == '%' { 2 } else { i32::max(left - 1, -1) };
        out.push(if left >= 0 { c.to_ascii_lowercase() } else { c });
        if left == 0 {
            left = -1;
        }
    }
    Ok(Value::str(out))
}

fn url_decode(call: &mut Call<'_>) -> Result<Value, Fault> {
    let Value::Str(text) = call.arg(0).clone() else { return Ok(Value::Null) };
    call.allocate(text.len())?;
    Ok(Value::str(form_decode(&text)))
}

fn html_encode(call: &mut Call<'_>) -> Result<Value, Fault> {
    let Value::Str(text) = call.arg(0).clone() else { return Ok(Value::Null) };
    call.allocate(text.len().saturating_mul(6))?;
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c if (160..256).contains(&(c as u32)) || c as u32 > 0xffff => {
                out.push_str(&format!("&#{};", c as u32));
            }
            c => out.push(c),
        }
    }
    Ok(Value::str(out))
}

fn html_decode(call: &mut Call<'_>) -> Result<Value, Fault> {
    let Value::Str(text) = call.arg(0).clone() else { return Ok(Value::Null) };
    call.allocate(text.len())?;
    let mut out = String::with_capacity(text.len());
    let mut rest = &*text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let end = rest.bytes().take(40).position(|byte| byte == b';');
        match end.and_then(|end| Some((entity(rest.get(1..end)?)?, end))) {
            Some((c, end)) => {
                out.push(c);
                rest = &rest[end + 1..];
            }
            None => {
                out.push('&');
                rest = &rest[1..];
            }
        }
    }
    out.push_str(rest);
    Ok(Value::str(out))
}

/// What an entity stands for: numbers, and the names of HTML 4.
fn entity(name: &str) -> Option<char> {
    if let Some(number) = name.strip_prefix('#') {
        let code = match number.strip_prefix(['x', 'X']) {
            Some(hex) => u32::from_str_radix(hex, 16).ok()?,
            None => number.parse().ok()?,
        };
        return char::from_u32(code);
    }
    if let Some(at) = LATIN.split(' ').position(|known| known == name) {
        return char::from_u32(160 + u32::try_from(at).ok()?);
    }
    let row = ENTITIES.iter().find(|row| row.1.split(' ').any(|known| known == name))?;
    let at = row.1.split(' ').position(|known| known == name)?;
    char::from_u32(row.0 + u32::try_from(at).ok()?)
}

/// Names of U+00A0 to U+00FF, in order.
const LATIN: &str = "nbsp iexcl cent pound curren yen brvbar sect uml copy ordf laquo not shy reg macr deg plusmn sup2 sup3 acute micro para middot cedil sup1 ordm raquo frac14 frac12 frac34 iquest Agrave Aacute Acirc Atilde Auml Aring AElig Ccedil Egrave Eacute Ecirc Euml Igrave Iacute Icirc Iuml ETH Ntilde Ograve Oacute Ocirc Otilde Ouml times Oslash Ugrave Uacute Ucirc Uuml Yacute THORN szlig agrave aacute acirc atilde auml aring aelig ccedil egrave eacute ecirc euml igrave iacute icirc iuml eth ntilde ograve oacute ocirc otilde ouml divide oslash ugrave uacute ucirc uuml yacute thorn yuml";

/// Runs of names: the first code point, and the names from there on (`-` where there is none).
const ENTITIES: &[(u32, &str)] = &[
    (34, "quot"),
    (38, "amp apos"),
    (60, "lt"),
    (62, "gt"),
    (338, "OElig oelig"),
    (352, "Scaron scaron"),
    (376, "Yuml"),
    (402, "fnof"),
    (710, "circ"),
    (732, "tilde"),
    (
        913,
        "Alpha Beta Gamma Delta Epsilon Zeta Eta Theta Iota Kappa Lambda Mu Nu Xi Omicron Pi Rho - Sigma Tau Upsilon Phi Chi Psi Omega",
    ),
    (
        945,
        "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho sigmaf sigma tau upsilon phi chi psi omega",
    ),
    (977, "thetasym upsih"),
    (982, "piv"),
    (8194, "ensp emsp"),
    (8201, "thinsp"),
    (8204, "zwnj zwj lrm rlm"),
    (8211, "ndash mdash"),
    (8216, "lsquo rsquo sbquo - ldquo rdquo bdquo - dagger Dagger bull"),
    (8230, "hellip"),
    (8240, "permil - prime Prime"),
    (8249, "lsaquo rsaquo"),
    (8254, "oline"),
    (8260, "frasl"),
    (8364, "euro"),
    (8465, "image"),
    (8472, "weierp"),
    (8476, "real"),
    (8482, "trade"),
    (8501, "alefsym"),
    (8592, "larr uarr rarr darr harr"),
    (8629, "crarr"),
    (8656, "lArr uArr rArr dArr hArr"),
    (8704, "forall - part exist - empty - nabla isin notin - ni - - - prod - sum minus"),
    (8727, "lowast"),
    (8730, "radic"),
    (8733, "prop infin"),
    (8736, "ang"),
    (8743, "and or cap cup int"),
    (8756, "there4"),
    (8764, "sim"),
    (8773, "cong"),
    (8776, "asymp"),
    (8800, "ne equiv - - le ge"),
    (8834, "sub sup nsub - sube supe"),
    (8853, "oplus - otimes"),
    (8869, "perp"),
    (8901, "sdot"),
    (8968, "lceil rceil lfloor rfloor"),
    (9001, "lang rang"),
    (9674, "loz"),
    (9824, "spades - - clubs - hearts diams"),
];

fn bytes_of(call: &mut Call<'_>) -> Result<Value, Fault> {
    let bytes = call.bytes(0)?;
    let from = usize::try_from(call.int(1)?).unwrap_or(0).min(bytes.len());
    let to = from.saturating_add(usize::try_from(call.int(2)?).unwrap_or(0)).min(bytes.len());
    let text: String = bytes[from..to].iter().map(|byte| char::from(*byte)).collect();
    let latin = |text: &str| text.chars().map(|c| c as u32 as u8).collect::<Vec<_>>();
    Ok(Value::bytes(match call.member.name.as_str() {
        "UrlEncodeToBytes" => {
            let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.!*()".contains(byte);
            bytes[from..to]
                .iter()
                .flat_map(|byte| match byte {
                    b' ' => vec![b'+'],
                    byte if plain(byte) => vec![*byte],
                    byte => format!("%{byte:02X}").into_bytes(),
                })
                .collect()
        }
        _ => {
            let text = text.replace('+', " ");
            let mut out = Vec::new();
            let mut rest = text.as_str();
            while let Some(c) = rest.chars().next() {
                let escape = rest.strip_prefix('%').and_then(|digits| digits.get(..2));
                match escape.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
                    Some(byte) => {
                        out.push(byte);
                        rest = &rest[3..];
                    }
                    None => {
                        out.extend(latin(&c.to_string()));
                        rest = &rest[c.len_utf8()..];
                    }
                }
            }
            out
        }
    }))
}

const SHARED: &[Row] = &[
    Row("static string UrlEncode(string value)", url_encode),
    Row("static string UrlDecode(string value)", url_decode),
    Row("static string HtmlEncode(string value)", html_encode),
    Row("static string HtmlDecode(string value)", html_decode),
];

pub(super) const TYPES: &[TypeDef] = &[
    TypeDef {
        name: "WebUtility",
        namespace: "System.Net",
        rows: &[
            Row("static string UrlEncode(string value)", url_encode),
            Row("static string UrlDecode(string encodedValue)", url_decode),
            Row("static string HtmlEncode(string value)", html_encode),
            Row("static string HtmlDecode(string value)", html_decode),
            Row(
                "static byte[] UrlEncodeToBytes(byte[] value, int offset, int count); static byte[] UrlDecodeToBytes(byte[] encodedValue, int offset, int count)",
                bytes_of,
            ),
        ],
        ..PLAIN
    },
    TypeDef { name: "HttpUtility", namespace: "System.Web", lenient: true, rows: SHARED, ..PLAIN },
];
