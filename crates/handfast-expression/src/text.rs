//! Values to text: what `ToString()` gives, composite formats, the order of strings.

use crate::fault::{Fault, throw};
use crate::library::{number, time};
use crate::types::Prim;
use crate::value::{Object, Value};
use std::cmp::Ordering;

/// `ToString()` in the culture en-US; null is empty.
pub(crate) fn display(value: &Value) -> String {
    shown(value, 0)
}

/// Values inside values that are shown.
const SHOWN_DEPTH_MAX: usize = 64;

fn shown(value: &Value, depth: usize) -> String {
    if depth > SHOWN_DEPTH_MAX {
        return "...".to_owned();
    }
    match value {
        Value::Null => String::new(),
        Value::Bool(truth) => if *truth { "True" } else { "False" }.to_owned(),
        Value::Char(unit) => String::from_utf16_lossy(&[*unit]),
        Value::Int(Prim::ULong, bits) => (*bits as u64).to_string(),
        Value::Int(_, number) => number.to_string(),
        Value::Single(number) => number::general(f64::from(*number), &format!("{number:e}")),
        Value::Double(number) => number::general(*number, &format!("{number:e}")),
        Value::Decimal(number) => number.to_string(),
        Value::Str(text) => text.to_string(),
        Value::Date(date) => time::format(date.ticks, time::Zone::of(date.kind), "G").unwrap_or_default(),
        Value::Offset(ticks, minutes) => {
            let text = time::format(*ticks, time::Zone::Offset(*minutes), "G").unwrap_or_default();
            format!("{text} {}", time::offset_text(*minutes))
        }
        Value::Span(ticks) => time::span(*ticks, "c").unwrap_or_default(),
        Value::Guid(id) => guid(*id, "D").unwrap_or_default(),
        Value::Enum(def, number) => enumeration(def, *number),
        Value::Json(token) => token.display(),
        Value::Object(object) => of_object(object, value, depth + 1),
    }
}

fn enumeration(def: &crate::types::EnumDef, number: i64) -> String {
    if let Some(member) = def.members.iter().find(|member| member.1 == number) {
        return member.0.to_owned();
    }
    let names: Vec<_> = def.members.iter().filter(|m| def.flags && m.1 != 0 && number & m.1 == m.1).collect();
    let all = names.iter().fold(0, |sum, member| sum | member.1);
    if !names.is_empty() && all == number {
        return names.iter().map(|member| member.0).collect::<Vec<_>>().join(", ");
    }
    number.to_string()
}

fn of_object(object: &Object, value: &Value, depth: usize) -> String {
    match object {
        Object::Builder(text) => crate::value::lock(text).clone(),
        Object::Exception(exception) => format!("System.{}: {}", exception.kind, exception.message),
        Object::Anonymous(fields) => {
            let inner: Vec<_> =
                fields.iter().map(|(name, value)| format!("{name} = {}", shown(value, depth))).collect();
            format!("{{ {} }}", inner.join(", "))
        }
        Object::Record(of, fields) => {
            let inner = || fields.iter().map(|field| shown(&field.1, depth)).collect::<Vec<_>>().join(", ");
            match of {
                crate::types::Type::Class("KeyValuePair", _) => format!("[{}]", inner()),
                crate::types::Type::Class("Tuple", _) => format!("({})", inner()),
                crate::types::Type::Class("XName", _) => {
                    let part = |at: usize| fields.get(at).map(|f| display(&f.1)).unwrap_or_default();
                    crate::xml::Name::new(&part(1), &part(0)).to_string()
                }
                crate::types::Type::Class("XNamespace", _) => inner(),
                crate::types::Type::Class("IUrl" | "IPAddress" | "BigInteger", _) => {
                    fields.iter().find(|f| f.0 == "Text").map(|f| display(&f.1)).unwrap_or_default()
                }
                crate::types::Type::Class("Match" | "Group" | "Capture", _) => {
                    fields.iter().find(|f| f.0 == "Value").map(|f| display(&f.1)).unwrap_or_default()
                }
                other => other.clr(),
            }
        }
        Object::Uri(uri) => uri.display(),
        Object::Xml(node) => node.to_text(false),
        Object::Certificate(held) => crate::library::certificate::short(&held.certificate),
        Object::Regex(pattern) => pattern.text.clone(),
        _ => value.type_of().clr(),
    }
}

/// A `Guid` in one of its formats.
pub(crate) fn guid(id: u128, format: &str) -> Option<String> {
    let hex = format!("{id:032x}");
    let dashed = || format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]);
    Some(match format {
        "" | "D" | "d" => dashed(),
        "N" | "n" => hex,
        "B" | "b" => format!("{{{}}}", dashed()),
        "P" | "p" => format!("({})", dashed()),
        _ => return None,
    })
}

/// `ToString(format)`.
pub(crate) fn formatted(value: &Value, format: &str) -> Result<String, Fault> {
    let wrong = || throw("FormatException", "Input string was not in a correct format.");
    match value {
        _ if format.is_empty() => Ok(display(value)),
        Value::Int(..) | Value::Single(_) | Value::Double(_) | Value::Decimal(_) => number::format(value, format).ok_or_else(wrong),
        Value::Date(date) => time::format(date.ticks, time::Zone::of(date.kind), format).ok_or_else(wrong),
        Value::Offset(ticks, minutes) => time::format(*ticks, time::Zone::Offset(*minutes), format).ok_or_else(wrong),
        Value::Span(ticks) => time::span(*ticks, format).ok_or_else(wrong),
        Value::Guid(id) => guid(*id, format).ok_or_else(|| {
            throw("FormatException", "Format string can be only \"D\", \"d\", \"N\", \"n\", \"P\", \"p\", \"B\", \"b\", \"X\" or \"x\".")
        }),
        Value::Enum(_, number) if matches!(format, "D" | "d") => Ok(number.to_string()),
        Value::Enum(_, number) if matches!(format, "X" | "x") => Ok(format!("{number:08X}")),
        other => Ok(display(other)),
    }
}

fn pad(text: String, align: i32) -> String {
    let width = align.unsigned_abs().min(100_000) as usize;
    let missing = width.saturating_sub(utf16_len(&text));
    match align >= 0 {
        true => format!("{}{text}", " ".repeat(missing)),
        false => format!("{text}{}", " ".repeat(missing)),
    }
}

/// The pieces of an interpolated string, put together; more than so many bytes are refused.
pub(crate) fn interpolate(
    parts: &[crate::code::Piece],
    values: Vec<Value>,
    bytes_max: usize,
) -> Result<String, Fault> {
    let mut out = String::new();
    let mut values = values.into_iter();
    for (text, hole) in parts {
        out.push_str(text);
        if let Some((align, format)) = hole {
            let value = values.next().unwrap_or(Value::Null);
            out.push_str(&pad(formatted(&value, format.as_deref().unwrap_or(""))?, *align));
            if out.len() > bytes_max {
                return Err(Fault::Budget);
            }
        }
    }
    Ok(out)
}

/// `string.Format`; more than so many bytes are refused.
pub(crate) fn composite(format: &str, args: &[Value], bytes_max: usize) -> Result<String, Fault> {
    let wrong = || throw("FormatException", "Input string was not in a correct format.");
    let (mut out, mut chars) = (String::new(), format.chars().peekable());
    while let Some(c) = chars.next() {
        match c {
            '{' | '}' if chars.peek() == Some(&c) => {
                chars.next();
                out.push(c);
            }
            '}' => return Err(wrong()),
            '{' => {
                let mut hole = String::new();
                loop {
                    match chars.next() {
                        Some('}') => break,
                        Some(c) => hole.push(c),
                        None => return Err(wrong()),
                    }
                }
                let (head, format) = hole.split_once(':').unwrap_or((&hole, ""));
                let (index, align) = head.split_once(',').unwrap_or((head, "0"));
                let index: usize = index.trim().parse().map_err(|_| wrong())?;
                let align: i32 = align.trim().parse().map_err(|_| wrong())?;
                let value = args.get(index).ok_or_else(|| {
                    throw("FormatException", "Index (zero based) must be greater than or equal to zero and less than the size of the argument list.")
                })?;
                out.push_str(&pad(formatted(value, format)?, align));
                if out.len() > bytes_max {
                    return Err(Fault::Budget);
                }
            }
            c => out.push(c),
        }
    }
    Ok(out)
}

/// Length in UTF-16 units.
pub(crate) fn utf16_len(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { text.encode_utf16().count() }
}

/// The order of a culture: letters without case first, lower case before upper.
pub(crate) fn compare(a: &str, b: &str) -> Ordering {
    let class = |c: char| match c {
        c if c.is_alphabetic() => 2,
        c if c.is_numeric() => 1,
        _ => 0,
    };
    let key = |text: &str| -> Vec<(u8, char)> { text.chars().map(|c| (class(c), base_letter(c))).collect() };
    let accents =
        |text: &str| -> Vec<char> { text.chars().map(|c| c.to_lowercase().next().unwrap_or(c)).collect() };
    key(a)
        .cmp(&key(b))
        .then_with(|| accents(a).cmp(&accents(b)))
        .then_with(|| a.chars().map(char::is_uppercase).cmp(b.chars().map(char::is_uppercase)))
}

/// The letter without case and, in Latin-1, without accent.
fn base_letter(c: char) -> char {
    let c = c.to_lowercase().next().unwrap_or(c);
    const PLAIN: &[(&str, char)] = &[
        ("àáâãäå", 'a'),
        ("ç", 'c'),
        ("èéêë", 'e'),
        ("ìíîï", 'i'),
        ("ñ", 'n'),
        ("òóôõöø", 'o'),
        ("ùúûü", 'u'),
        ("ýÿ", 'y'),
    ];
    PLAIN.iter().find(|row| row.0.contains(c)).map_or(c, |row| row.1)
}

/// What makes two keys of a dictionary the same.
pub(crate) fn hash_key(value: &Value) -> String {
    match value {
        Value::Object(object) => match &**object {
            Object::Anonymous(_) | Object::Record(..) | Object::Uri(_) => display(value),
            _ => format!("{:p}", std::sync::Arc::as_ptr(object)),
        },
        other => display(other),
    }
}
