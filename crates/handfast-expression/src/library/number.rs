//! Numbers to text: standard and custom format strings, culture en-US.

use crate::arith;
use crate::types::Prim;
use crate::value::Value;

/// Shortest round-trip text, scientific where .NET goes scientific. `exact` is the `{:e}` form.
pub(crate) fn general(number: f64, exact: &str) -> String {
    if number.is_nan() {
        return "NaN".into();
    }
    if number.is_infinite() {
        return if number > 0.0 { "Infinity" } else { "-Infinity" }.into();
    }
    let (mantissa, exponent) = exact.split_once('e').unwrap_or((exact, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let (sign, mantissa) = mantissa.strip_prefix('-').map_or(("", mantissa), |rest| ("-", rest));
    if number == 0.0 {
        return format!("{sign}0");
    }
    if (-5..17).contains(&exponent) && exponent > -5 {
        let digits = mantissa.replace('.', "");
        return format!("{sign}{}", place_point(&digits, exponent));
    }
    let mark = if exponent < 0 { '-' } else { '+' };
    format!("{sign}{mantissa}E{mark}{:02}", exponent.abs())
}

/// Digits with the decimal point after the digit of weight 10^0.
fn place_point(digits: &str, exponent: i32) -> String {
    if exponent < 0 {
        return format!("0.{}{digits}", "0".repeat(exponent.unsigned_abs() as usize - 1));
    }
    let whole = exponent as usize + 1;
    if digits.len() <= whole {
        return format!("{digits}{}", "0".repeat(whole - digits.len()));
    }
    let (a, b) = digits.split_at(whole);
    format!("{a}.{b}")
}

fn fixed(value: &Value, places: usize) -> String {
    match value {
        Value::Double(number) => format!("{number:.places$}"),
        Value::Single(number) => format!("{number:.places$}"),
        other => {
            let number = arith::to_decimal(other).unwrap_or_default();
            let strategy = rust_decimal::RoundingStrategy::MidpointAwayFromZero;
            let rounded = number.round_dp_with_strategy(places.min(28) as u32, strategy);
            format!("{rounded:.places$}")
        }
    }
}

fn grouped(text: &str) -> String {
    let (sign, rest) = text.strip_prefix('-').map_or(("", text), |rest| ("-", rest));
    let (whole, fraction) = rest.split_once('.').map_or((rest, None), |(w, f)| (w, Some(f)));
    let mut out = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    match fraction {
        Some(fraction) => format!("{sign}{out}.{fraction}"),
        None => format!("{sign}{out}"),
    }
}

/// A number in a format; `None` when the format does not fit it.
pub(crate) fn format(value: &Value, format: &str) -> Option<String> {
    let letter = format.chars().next()?;
    let precision =
        format.get(1..).filter(|rest| rest.len() <= 2 && rest.chars().all(|c| c.is_ascii_digit()));
    let (true, Some(precision)) = (letter.is_ascii_alphabetic(), precision) else {
        return Some(custom(value, format));
    };
    let places: Option<usize> = precision.parse().ok();
    let integer = matches!(value, Value::Int(..));
    let text = match letter.to_ascii_uppercase() {
        'G' | 'R' => match places.filter(|places| *places > 0 && letter != 'R') {
            Some(places) if !integer || places < 19 => significant(value, places, letter),
            _ => crate::text::display(value),
        },
        'D' if integer => {
            let number = value.integer()?;
            let digits = format!("{:0width$}", number.unsigned_abs(), width = places.unwrap_or(1));
            format!("{}{digits}", if number < 0 { "-" } else { "" })
        }
        'X' if integer => {
            let Value::Int(prim, bits) = value else { return None };
            let mask = match prim {
                Prim::Byte | Prim::SByte => 0xff,
                Prim::Short | Prim::UShort => 0xffff,
                Prim::Int | Prim::UInt => 0xffff_ffff,
                _ => u64::MAX,
            };
            let (bits, width) = (*bits as u64 & mask, places.unwrap_or(1));
            if letter == 'X' { format!("{bits:0width$X}") } else { format!("{bits:0width$x}") }
        }
        'F' => fixed(value, places.unwrap_or(2)),
        'N' => grouped(&fixed(value, places.unwrap_or(2))),
        'P' => grouped(&fixed(&scaled(value), places.unwrap_or(2))) + "%",
        'C' => {
            let text = grouped(&fixed(value, places.unwrap_or(2)));
            text.strip_prefix('-').map_or_else(|| format!("${text}"), |rest| format!("-${rest}"))
        }
        'E' => {
            let text = format!("{:.*e}", places.unwrap_or(6), arith::to_double(value)?);
            let (mantissa, exponent) = text.split_once('e')?;
            let exponent: i32 = exponent.parse().ok()?;
            format!("{mantissa}{letter}{}{:03}", if exponent < 0 { '-' } else { '+' }, exponent.abs())
        }
        _ => return None,
    };
    Some(text)
}

fn scaled(value: &Value) -> Value {
    match value {
        Value::Double(number) => Value::Double(number * 100.0),
        Value::Single(number) => Value::Double(f64::from(*number) * 100.0),
        other => {
            Value::Decimal(arith::to_decimal(other).unwrap_or_default() * rust_decimal::Decimal::ONE_HUNDRED)
        }
    }
}

fn significant(value: &Value, places: usize, letter: char) -> String {
    let number = arith::to_double(value).unwrap_or(0.0);
    let text = format!("{:.*e}", places - 1, number);
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let mantissa =
        if mantissa.contains('.') { mantissa.trim_end_matches('0').trim_end_matches('.') } else { mantissa };
    if exponent > -5 && exponent < i32::try_from(places).unwrap_or(i32::MAX) {
        let (sign, digits) = mantissa.strip_prefix('-').map_or(("", mantissa), |rest| ("-", rest));
        return format!("{sign}{}", place_point(&digits.replace('.', ""), exponent));
    }
    let e = if letter == 'g' { 'e' } else { 'E' };
    format!("{mantissa}{e}{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs())
}

/// Custom formats: digit places, grouping, percent, sections, literals.
fn custom(value: &Value, format: &str) -> String {
    let sections: Vec<&str> = format.split(';').collect();
    let number = arith::to_double(value).unwrap_or(0.0);
    let section = match (sections.len(), number) {
        (3.., 0.0) => sections[2],
        (2.., n) if n < 0.0 => sections[1],
        _ => sections.first().copied().unwrap_or(""),
    };
    let negative = number < 0.0 && sections.len() < 2;
    let percent = section.contains('%');
    let (whole, fraction) = section.split_once('.').unwrap_or((section, ""));
    let places = |text: &str| text.chars().filter(|c| matches!(c, '0' | '#')).count();
    let zeros = |text: &str| text.chars().filter(|c| *c == '0').count();
    let value = if percent { scaled(value) } else { value.clone() };
    let rounded = match &value {
        Value::Double(_) | Value::Single(_) => {
            // Half away from zero on the shortest decimal form.
            let exact =
                crate::text::display(&value).parse().map(Value::Decimal).unwrap_or_else(|_| value.clone());
            fixed(&exact, places(fraction))
        }
        other => fixed(other, places(fraction)),
    };
    let rounded = rounded.trim_start_matches('-');
    let (digits, decimals) = rounded.split_once('.').unwrap_or((rounded, ""));
    let digits = digits.trim_start_matches('0');
    let digits = format!("{}{digits}", "0".repeat(zeros(whole).saturating_sub(digits.len())));
    let digits = if whole.contains(',') { grouped(&digits) } else { digits };
    let last_zero = fraction
        .chars()
        .filter(|c| matches!(c, '0' | '#'))
        .collect::<String>()
        .rfind('0')
        .map_or(0, |at| at + 1);
    let trimmed = decimals.trim_end_matches('0');
    let decimals = decimals.get(..trimmed.len().max(last_zero)).unwrap_or(decimals);
    let mut out = String::new();
    if negative && rounded.chars().any(|c| matches!(c, '1'..='9')) {
        out.push('-');
    }
    literal(whole, &digits, &mut out);
    if !decimals.is_empty() {
        out.push('.');
    }
    literal(fraction, decimals, &mut out);
    out
}

/// Writes a part of a format: its literals, and the digits where its first place stands.
fn literal(part: &str, digits: &str, out: &mut String) {
    let (mut chars, mut written) = (part.chars(), false);
    while let Some(c) = chars.next() {
        match c {
            '0' | '#' if !written => {
                out.push_str(digits);
                written = true;
            }
            '0' | '#' | ',' => {}
            '\\' => out.extend(chars.next()),
            '\'' | '"' => out.extend(chars.by_ref().take_while(|next| *next != c)),
            other => out.push(other),
        }
    }
}
