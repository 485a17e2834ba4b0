//! Values and the text that XML Schema has for them (`XmlConvert`).

use super::node_of;
use crate::fault::{Fault, argument_null, throw};
use crate::library::{convert, time};
use crate::types::{Prim, Type};
use crate::value::Value;

/// A value as content.
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::Bool(truth) => truth.to_string(),
        Value::Double(number) if number.is_infinite() => {
            if *number > 0.0 { "INF" } else { "-INF" }.to_owned()
        }
        Value::Date(date) => {
            let zone = time::Zone::of(date.kind);
            time::format(date.ticks, zone, "yyyy-MM-ddTHH:mm:ss.FFFFFFFK").unwrap_or_default()
        }
        Value::Offset(ticks, minutes) => {
            let zone = time::Zone::Offset(*minutes);
            let text = time::format(*ticks, zone, "yyyy-MM-ddTHH:mm:ss.FFFFFFFzzz").unwrap_or_default();
            text.strip_suffix("+00:00").map_or_else(|| text.clone(), |plain| format!("{plain}Z"))
        }
        Value::Span(ticks) => duration(*ticks),
        other => other.to_text(),
    }
}

/// `PnDTnHnMnS`.
fn duration(ticks: i64) -> String {
    let sign = if ticks < 0 { "-" } else { "" };
    let mut rest = ticks.unsigned_abs();
    let mut take = |unit: i64| {
        let count = rest / unit.unsigned_abs();
        rest %= unit.unsigned_abs();
        count
    };
    let (days, hours, minutes, seconds) =
        (take(time::DAY), take(time::HOUR), take(time::MINUTE), take(time::SECOND));
    let mut out = format!("{sign}P");
    if days > 0 {
        out.push_str(&format!("{days}D"));
    }
    let fraction = format!("{rest:07}").trim_end_matches('0').to_owned();
    if hours + minutes + seconds > 0 || !fraction.is_empty() || days == 0 {
        out.push('T');
        for (count, unit) in [(hours, 'H'), (minutes, 'M')] {
            if count > 0 {
                out.push_str(&format!("{count}{unit}"));
            }
        }
        let point = if fraction.is_empty() { "" } else { "." };
        if seconds > 0 || !fraction.is_empty() || hours + minutes == 0 {
            out.push_str(&format!("{seconds}{point}{fraction}S"));
        }
    }
    out
}

fn parse_duration(text: &str) -> Option<i64> {
    let (negative, rest) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let (days, clock) = rest.strip_prefix('P')?.split_once('T').unwrap_or((rest.strip_prefix('P')?, ""));
    let mut ticks = 0f64;
    for (part, units) in [
        (days, &[('Y', 365 * time::DAY), ('M', 30 * time::DAY), ('D', time::DAY)][..]),
        (clock, &[('H', time::HOUR), ('M', time::MINUTE), ('S', time::SECOND)][..]),
    ] {
        let mut rest = part;
        while !rest.is_empty() {
            let end = rest.find(|c: char| c.is_ascii_alphabetic())?;
            let unit = units.iter().find(|unit| rest[end..].starts_with(unit.0))?.1;
            ticks += rest[..end].parse::<f64>().ok()? * unit as f64;
            rest = &rest[end + 1..];
        }
    }
    Some(if negative { -(ticks as i64) } else { ticks as i64 })
}

/// `(T)element`, `(T)attribute`: null where the node is null and the type has one.
pub(crate) fn to_type(value: &Value, of: &Type) -> Result<Value, Fault> {
    let Some(node) = node_of(value) else {
        if of.admits_null() {
            return Ok(Value::Null);
        }
        return Err(argument_null("element"));
    };
    let text = node.value();
    let trimmed = text.trim();
    match of.stripped() {
        Type::String => Ok(Value::str(text)),
        Type::Prim(Prim::Bool) => match trimmed {
            "true" | "1" => Ok(Value::Bool(true)),
            "false" | "0" => Ok(Value::Bool(false)),
            other => {
                Err(throw("FormatException", format!("The string '{other}' is not a valid Boolean value.")))
            }
        },
        Type::Prim(Prim::Double | Prim::Single) if matches!(trimmed, "INF" | "-INF") => {
            let number = if trimmed == "INF" { f64::INFINITY } else { f64::NEG_INFINITY };
            crate::arith::to_prim(&Value::Double(number), of.stripped().prim().unwrap_or(Prim::Double), false)
        }
        Type::Class("TimeSpan", _) => parse_duration(trimmed).map(Value::Span).ok_or_else(|| {
            throw("FormatException", format!("The string '{trimmed}' is not a valid TimeSpan value."))
        }),
        Type::Class("DateTime", _) => {
            let mut parsed = convert::change(&Value::str(trimmed), of.stripped())?;
            if let (Value::Date(date), true) = (&mut parsed, trimmed.ends_with('Z')) {
                date.kind = 1;
            }
            Ok(parsed)
        }
        other => convert::change(&Value::str(trimmed), other),
    }
}
