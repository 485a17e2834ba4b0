//! The filters, one table. Names are found in any case and with or without underscores, so that both the
//! C# names (`DividedBy`) and the standard ones (`divided_by`) work.

use super::value::{compare, from_number, is_empty, member, number, text};
use serde_json::Value;
use std::cmp::Ordering;
use std::ops::RangeInclusive;

/// A filter.
pub(super) struct Filter {
    name: &'static str,
    /// How many arguments it takes.
    pub(super) arguments: RangeInclusive<usize>,
    pub(super) apply: fn(Value, &[Value]) -> Result<Value, String>,
}

impl std::fmt::Debug for Filter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

pub(super) fn find(name: &str) -> Option<&'static Filter> {
    let plain = name.replace('_', "").to_ascii_lowercase();
    FILTERS.iter().find(|filter| filter.name.eq_ignore_ascii_case(&plain))
}

const fn filter(
    name: &'static str,
    arguments: RangeInclusive<usize>,
    apply: fn(Value, &[Value]) -> Result<Value, String>,
) -> Filter {
    Filter { name, arguments, apply }
}

/// Text that one filter may make: a bound on a single step, beside the budget of the rendering.
const TEXT_BYTES_MAX: usize = 4 << 20;

static FILTERS: &[Filter] =
    &[
        filter("Abs", 0..=0, |value, _| math(&value, &Value::from(0), |a, _| Some(a.abs()))),
        filter("Append", 1..=1, |value, args| joined(&[text(&value), argument(args, 0)])),
        filter("AtLeast", 1..=1, |value, args| math(&value, &args[0], |a, b| Some(a.max(b)))),
        filter("AtMost", 1..=1, |value, args| math(&value, &args[0], |a, b| Some(a.min(b)))),
        filter("Capitalize", 0..=0, |value, _| {
            // DotLiquid capitalises every word (TextInfo.ToTitleCase); words in capitals stay.
            let text = text(&value);
            let mut out = String::with_capacity(text.len());
            let mut starts = true;
            for c in text.chars() {
                if starts {
                    out.extend(c.to_uppercase())
                } else {
                    out.push(c)
                }
                starts = !c.is_alphanumeric() && c != '\'';
            }
            Ok(out.into())
        }),
        filter("Compact", 0..=0, |value, _| list(value, |items| items.retain(|item| !item.is_null()))),
        filter("Currency", 0..=1, |value, _| match number(&value) {
            Some(number) => Ok(currency(number).into()),
            None => Ok(value),
        }),
        filter("Default", 1..=1, |value, args| {
            Ok(if is_empty(&value) || value == Value::Bool(false) { args[0].clone() } else { value })
        }),
        filter("DividedBy", 1..=1, |value, args| {
            let whole = value.is_i64() && args[0].is_i64();
            math(&value, &args[0], move |a, b| match b {
                0.0 => None,
                _ if whole => Some((a / b).trunc()),
                _ => Some(a / b),
            })
        }),
        filter("Downcase", 0..=0, |value, _| Ok(text(&value).to_lowercase().into())),
        filter("Escape", 0..=0, |value, _| Ok(escape(&text(&value)).into())),
        filter("First", 0..=0, |value, _| Ok(member(&value, "first").into_owned())),
        filter("H", 0..=0, |value, _| Ok(escape(&text(&value)).into())),
        filter("Join", 0..=1, |value, args| {
            let glue = if args.is_empty() { " ".to_owned() } else { argument(args, 0) };
            match value {
                Value::Array(items) => {
                    let parts: Vec<String> = items.iter().map(text).collect();
                    bounded(parts.join(&glue))
                }
                other => Ok(other),
            }
        }),
        filter("Last", 0..=0, |value, _| Ok(member(&value, "last").into_owned())),
        filter("Lstrip", 0..=0, |value, _| Ok(text(&value).trim_start().into())),
        filter("Map", 1..=1, |value, args| match value {
            Value::Array(items) => {
                let name = argument(args, 0);
                Ok(items.iter().map(|item| member(item, &name).into_owned()).collect())
            }
            other => Ok(other),
        }),
        filter("Minus", 1..=1, |value, args| math(&value, &args[0], |a, b| Some(a - b))),
        filter("Modulo", 1..=1, |value, args| math(&value, &args[0], |a, b| (b != 0.0).then(|| a % b))),
        filter("NewlineToBr", 0..=0, |value, _| {
            bounded(text(&value).replace("\r\n", "\n").replace('\n', "<br />\n"))
        }),
        filter("Plus", 1..=1, |value, args| match (number(&value), number(&args[0])) {
            (Some(_), Some(_)) => math(&value, &args[0], |a, b| Some(a + b)),
            _ => joined(&[text(&value), argument(args, 0)]),
        }),
        filter("Prepend", 1..=1, |value, args| joined(&[argument(args, 0), text(&value)])),
        filter("Remove", 1..=1, |value, args| {
            Ok(replaced(&text(&value), &argument(args, 0), "", usize::MAX)?.into())
        }),
        filter("RemoveFirst", 1..=1, |value, args| {
            Ok(replaced(&text(&value), &argument(args, 0), "", 1)?.into())
        }),
        filter("Replace", 1..=2, |value, args| {
            Ok(replaced(&text(&value), &argument(args, 0), &argument(args, 1), usize::MAX)?.into())
        }),
        filter("ReplaceFirst", 1..=2, |value, args| {
            Ok(replaced(&text(&value), &argument(args, 0), &argument(args, 1), 1)?.into())
        }),
        filter("Round", 0..=1, |value, args| {
            let places = args.first().and_then(number).unwrap_or_default().clamp(0.0, 15.0) as i32;
            let scale = 10f64.powi(places);
            match number(&value) {
                Some(number) => Ok(from_number((number * scale).round_ties_even() / scale, places == 0)),
                None => Ok(value),
            }
        }),
        filter("Rstrip", 0..=0, |value, _| Ok(text(&value).trim_end().into())),
        filter("Size", 0..=0, |value, _| match &value {
            Value::Array(_) | Value::Object(_) | Value::String(_) => Ok(match &value {
                Value::Object(members) => members.len().into(),
                _ => member(&value, "size").into_owned(),
            }),
            _ => Ok(0.into()),
        }),
        filter("Slice", 1..=2, |value, args| {
            let from = args.first().and_then(number).unwrap_or_default() as i64;
            let length = args.get(1).and_then(number).unwrap_or(1.0).max(0.0) as usize;
            let text: Vec<char> = text(&value).chars().collect();
            let from = if from < 0 { from.saturating_add(text.len() as i64).max(0) } else { from };
            let from = usize::try_from(from).unwrap_or(usize::MAX);
            Ok(text.iter().skip(from).take(length).collect::<String>().into())
        }),
        filter("Sort", 0..=1, |value, args| {
            let name = args.first().map(text);
            list(value, |items| {
                let key = |item: &Value| {
                    name.as_ref().map_or_else(|| item.clone(), |name| member(item, name).into_owned())
                };
                items.sort_by(|a, b| compare(&key(a), &key(b)).unwrap_or(Ordering::Equal));
            })
        }),
        filter("Split", 1..=1, |value, args| {
            let (text, by) = (text(&value), argument(args, 0));
            if by.is_empty() {
                return Ok(text.chars().map(|c| Value::String(c.to_string())).collect());
            }
            // DotLiquid drops empty pieces.
            Ok(text
                .split(&by)
                .filter(|piece| !piece.is_empty())
                .map(|piece| Value::String(piece.to_owned()))
                .collect())
        }),
        filter("Strip", 0..=0, |value, _| Ok(text(&value).trim().into())),
        filter("StripHtml", 0..=0, |value, _| Ok(strip_html(&text(&value)).into())),
        filter("StripNewlines", 0..=0, |value, _| Ok(text(&value).replace(['\r', '\n'], "").into())),
        filter("Times", 1..=1, |value, args| math(&value, &args[0], |a, b| Some(a * b))),
        filter("Truncate", 0..=2, |value, args| {
            let (length, end) = truncation(args, 50);
            let text = text(&value);
            if text.chars().count() <= length {
                return Ok(text.into());
            }
            let kept = length.saturating_sub(end.chars().count());
            Ok((text.chars().take(kept).collect::<String>() + &end).into())
        }),
        filter("TruncateWords", 0..=2, |value, args| {
            let (count, end) = truncation(args, 15);
            let text = text(&value);
            let words: Vec<&str> = text.split(' ').collect();
            if words.len() <= count {
                return Ok(text.into());
            }
            Ok((words[..count].join(" ") + &end).into())
        }),
        filter("Uniq", 0..=0, |value, _| {
            list(value, |items| {
                let mut seen = std::collections::HashSet::new();
                items.retain(|item| seen.insert(item.to_string()));
            })
        }),
        filter("Upcase", 0..=0, |value, _| Ok(text(&value).to_uppercase().into())),
        filter("UrlDecode", 0..=0, |value, _| Ok(url_decode(&text(&value)).into())),
        filter("UrlEncode", 0..=0, |value, _| Ok(url_encode(&text(&value)).into())),
    ];

fn argument(args: &[Value], index: usize) -> String {
    args.get(index).map(text).unwrap_or_default()
}

fn bounded(text: String) -> Result<Value, String> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(format!("a filter made a text of {} bytes; {TEXT_BYTES_MAX} are accepted", text.len()));
    }
    Ok(Value::String(text))
}

fn joined(parts: &[String]) -> Result<Value, String> {
    bounded(parts.concat())
}

fn math(left: &Value, right: &Value, apply: impl Fn(f64, f64) -> Option<f64>) -> Result<Value, String> {
    let (Some(a), Some(b)) = (number(left), number(right)) else {
        return Ok(Value::Null);
    };
    let whole = |value: &Value| match value {
        Value::String(text) => !text.contains(['.', 'e', 'E']),
        other => !other.is_f64(),
    };
    let result = apply(a, b).ok_or("divided by zero")?;
    Ok(from_number(result, whole(left) && whole(right)))
}

fn list(mut value: Value, change: impl FnOnce(&mut Vec<Value>)) -> Result<Value, String> {
    if let Value::Array(items) = &mut value {
        change(items);
    }
    Ok(value)
}

fn replaced(text: &str, from: &str, to: &str, times: usize) -> Result<String, String> {
    if from.is_empty() {
        return Ok(text.to_owned());
    }
    let count = text.matches(from).take(times).count();
    let bytes = text.len() + count.saturating_mul(to.len());
    if bytes > TEXT_BYTES_MAX {
        return Err(format!("a filter made a text of {bytes} bytes; {TEXT_BYTES_MAX} are accepted"));
    }
    Ok(text.replacen(from, to, times))
}

fn truncation(args: &[Value], length: usize) -> (usize, String) {
    let length = args.first().and_then(number).map_or(length, |number| number.max(0.0) as usize);
    (length, args.get(1).map_or_else(|| "...".to_owned(), text))
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// Text without what stands in `<…>`.
fn strip_html(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(open) = rest.find('<') {
        let Some(close) = rest[open..].find('>') else { break };
        out.push_str(&rest[..open]);
        rest = &rest[open + close + 1..];
    }
    out.push_str(rest);
    out
}

/// `1,234.50` after the currency sign of the invariant culture.
fn currency(number: f64) -> String {
    let text = format!("{:.2}", number.abs());
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, "00"));
    let mut grouped = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    match number < 0.0 {
        true => format!("(\u{a4}{grouped}.{fraction})"),
        false => format!("\u{a4}{grouped}.{fraction}"),
    }
}

/// Form encoding: a blank is `+`.
fn url_encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' => out.push(byte as char),
            b' ' => out.push('+'),
            other => out.push_str(&format!("%{other:02X}")),
        }
    }
    out
}

fn url_decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let hex = |offset: usize| bytes.get(at + offset).and_then(|&byte| (byte as char).to_digit(16));
        match (byte, hex(1), hex(2)) {
            (b'%', Some(high), Some(low)) => {
                out.push((high * 16 + low) as u8);
                at += 3;
                continue;
            }
            (b'+', ..) => out.push(b' '),
            (other, ..) => out.push(other),
        }
        at += 1;
    }
    String::from_utf8_lossy(&out).into_owned()
}
