//! Functions over strings (§10.2), but for addresses and hashes.

use super::{ANY, FunctionEntry, eager, int_at, printed, str_at, wrong};
use crate::evaluate::Environment;
use crate::fault::{Evaluated, fault};
use serde_json::Value;

pub(super) const TABLE: &[FunctionEntry] = &[
    eager("endsWith", 2, 2, |_, a| Ok(lower(&a, 0)?.ends_with(&lower(&a, 1)?).into())),
    eager("startsWith", 2, 2, |_, a| Ok(lower(&a, 0)?.starts_with(&lower(&a, 1)?).into())),
    eager("format", 1, ANY, |_, a| format(str_at(&a, 0)?, a.get(1..).unwrap_or_default()).map(Value::String)),
    eager("like", 2, 2, |_, a| Ok(like(&lower(&a, 0)?, &lower(&a, 1)?).into())),
    eager("padLeft", 2, 3, pad_left),
    eager("replace", 3, 3, |_, a| {
        let (text, old) = (str_at(&a, 0)?, str_at(&a, 1)?);
        if old.is_empty() {
            return fault("the text to replace must not be empty");
        }
        Ok(text.replace(old, str_at(&a, 2)?).into())
    }),
    eager("split", 2, 2, split),
    eager("string", 1, 1, |_, a| Ok(a.first().map(printed).unwrap_or_default().into())),
    eager("substring", 2, 3, substring),
    eager("toLower", 1, 1, |_, a| Ok(lower(&a, 0)?.into())),
    eager("toUpper", 1, 1, |_, a| Ok(str_at(&a, 0)?.to_uppercase().into())),
    eager("trim", 1, 1, |_, a| Ok(str_at(&a, 0)?.trim().into())),
    eager("fail", 1, 1, |_, a| fault(format!("the template fails: \"{}\"", str_at(&a, 0)?))),
];

fn lower(a: &[Value], index: usize) -> Evaluated<String> {
    str_at(a, index).map(str::to_lowercase)
}

/// `*` is any run of characters; both texts are in lower case.
fn like(text: &str, pattern: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        let Some((_, after)) = rest.split_once(part) else { return false };
        rest = after;
    }
    rest.ends_with(last)
}

const WIDTH_MAX: i64 = 10_000;

fn width(number: i64) -> Evaluated<usize> {
    match usize::try_from(number) {
        Ok(width) if number <= WIDTH_MAX => Ok(width),
        _ => fault(format!("the width is {number}; 0 to {WIDTH_MAX} would be accepted")),
    }
}

fn pad_left(_: &Environment<'_>, a: Vec<Value>) -> Evaluated<Value> {
    let text = match a.first() {
        Some(value @ (Value::String(_) | Value::Number(_))) => printed(value),
        other => return wrong(0, other, "a string or a number"),
    };
    let width = width(int_at(&a, 1)?)?;
    let fill = if a.len() > 2 { str_at(&a, 2)? } else { " " };
    let mut characters = fill.chars();
    let (Some(fill), None) = (characters.next(), characters.next()) else {
        return fault("the fill must be one character");
    };
    let missing = width.saturating_sub(text.chars().count());
    Ok(std::iter::repeat_n(fill, missing).chain(text.chars()).collect::<String>().into())
}

fn split(_: &Environment<'_>, a: Vec<Value>) -> Evaluated<Value> {
    let text = str_at(&a, 0)?;
    let delimiters: Vec<&str> = match a.get(1) {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(many)) => many.iter().filter_map(Value::as_str).collect(),
        other => return wrong(1, other, "a string or an array of strings"),
    };
    let (mut parts, mut start, mut at) = (Vec::new(), 0, 0);
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let hit = delimiters.iter().find(|delimiter| !delimiter.is_empty() && rest.starts_with(**delimiter));
        match hit {
            Some(delimiter) => {
                parts.push(Value::from(text.get(start..at).unwrap_or_default()));
                at += delimiter.len();
                start = at;
            }
            None => at += rest.chars().next().map_or(1, char::len_utf8),
        }
    }
    parts.push(text.get(start..).unwrap_or_default().into());
    Ok(Value::Array(parts))
}

fn substring(_: &Environment<'_>, a: Vec<Value>) -> Evaluated<Value> {
    let units: Vec<u16> = str_at(&a, 0)?.encode_utf16().collect();
    let start = usize::try_from(int_at(&a, 1)?).ok();
    let start = start.filter(|start| *start <= units.len());
    let len = match (a.len(), start) {
        (3, _) => usize::try_from(int_at(&a, 2)?).ok(),
        (_, Some(start)) => Some(units.len() - start),
        _ => None,
    };
    let end = start.zip(len).and_then(|(start, len)| Some(start..start.checked_add(len)?));
    match end.and_then(|range| units.get(range)) {
        Some(part) => Ok(String::from_utf16_lossy(part).into()),
        None => {
            fault(format!("start and length must lie within the text, which has {} characters", units.len()))
        }
    }
}

/// .NET composite formatting with the invariant culture: `{index[,alignment][:specifier]}`.
pub(super) fn format(pattern: &str, values: &[Value]) -> Evaluated<String> {
    let mut out = String::new();
    let mut rest = pattern;
    while let Some(at) = rest.find(['{', '}']) {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        if let Some(after) = from.strip_prefix("{{") {
            out.push('{');
            rest = after;
        } else if let Some(after) = from.strip_prefix("}}") {
            out.push('}');
            rest = after;
        } else if let Some((item, after)) = from.strip_prefix('{').and_then(|from| from.split_once('}')) {
            out.push_str(&format_item(item, values)?);
            rest = after;
        } else {
            return fault(format!("the format \"{pattern}\" has a single brace; write it twice"));
        }
    }
    out.push_str(rest);
    Ok(out)
}

fn format_item(item: &str, values: &[Value]) -> Evaluated<String> {
    let (head, specifier) = item.split_once(':').unwrap_or((item, ""));
    let (index, alignment) = head.split_once(',').unwrap_or((head, "0"));
    let value = index.trim().parse::<usize>().ok().and_then(|index| values.get(index));
    let (Some(value), Ok(alignment)) = (value, alignment.trim().parse::<i64>()) else {
        return fault(format!(
            "the format item \"{{{item}}}\" names no argument; there are {}",
            values.len()
        ));
    };
    let text = match value.as_i64() {
        Some(number) if !specifier.is_empty() => format_number(number, specifier)?,
        _ => printed(value),
    };
    let fill = width(alignment.abs())?.saturating_sub(text.chars().count());
    let fill = " ".repeat(fill);
    Ok(if alignment < 0 { text + &fill } else { fill + &text })
}

/// The standard numeric formats of whole numbers: `D`, `G`, `N`, `F`, `X`, and `0` custom padding.
fn format_number(number: i64, specifier: &str) -> Evaluated<String> {
    let mut characters = specifier.chars();
    let letter = characters.next().unwrap_or('G');
    let digits = characters.as_str();
    let precision = if digits.is_empty() { Some(None) } else { digits.parse::<i64>().ok().map(Some) };
    if specifier.chars().all(|c| c == '0') {
        return Ok(format!(
            "{}{:0>2$}",
            if number < 0 { "-" } else { "" },
            number.unsigned_abs(),
            width(specifier.len() as i64)?
        ));
    }
    let Some(precision) = precision else { return fault(format!("\"{specifier}\" is not a number format")) };
    let sign = if number < 0 { "-" } else { "" };
    let digits = width(precision.unwrap_or(0))?;
    Ok(match letter.to_ascii_uppercase() {
        'D' => format!("{sign}{:0>digits$}", number.unsigned_abs()),
        'G' => number.to_string(),
        'X' if letter == 'X' => format!("{number:0>digits$X}"),
        'X' => format!("{number:0>digits$x}"),
        'N' | 'F' => {
            let fraction = width(precision.unwrap_or(2))?;
            let whole = number.unsigned_abs().to_string();
            let whole = if letter.eq_ignore_ascii_case(&'N') { grouped(&whole) } else { whole };
            let fraction = if fraction == 0 { String::new() } else { format!(".{}", "0".repeat(fraction)) };
            format!("{sign}{whole}{fraction}")
        }
        _ => return fault(format!("\"{specifier}\" is not a number format; D, F, G, N and X are known")),
    })
}

fn grouped(digits: &str) -> String {
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}
