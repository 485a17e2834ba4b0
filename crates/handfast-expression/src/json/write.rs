//! Tokens to JSON text, byte for byte as Newtonsoft writes it.

use super::{Kind, Token};
use crate::types::Prim;
use crate::value::Value;
use std::fmt::Write as _;

pub(super) fn text(token: &Token, indented: bool) -> String {
    let mut out = String::new();
    write(token, indented, 0, &mut out);
    out
}

fn write(token: &Token, indented: bool, depth: usize, out: &mut String) {
    token.look(|kind| match kind {
        Kind::Object(items) => list(items, ('{', '}'), indented, depth, out),
        Kind::Array(items) => list(items, ('[', ']'), indented, depth, out),
        Kind::Property(name, value) => {
            string(name, out);
            out.push_str(if indented { ": " } else { ":" });
            write(value, indented, depth, out);
        }
        Kind::Value(value) => scalar(value, out),
    })
}

fn list(items: &[Token], brackets: (char, char), indented: bool, depth: usize, out: &mut String) {
    out.push(brackets.0);
    let line = |depth: usize, out: &mut String| {
        if indented {
            let _ = write!(out, "\n{:1$}", "", depth * 2);
        }
    };
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        line(depth + 1, out);
        write(item, indented, depth + 1, out);
    }
    if !items.is_empty() {
        line(depth, out);
    }
    out.push(brackets.1);
}

fn scalar(value: &Value, out: &mut String) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Enum(..) => out.push_str("undefined"),
        Value::Bool(truth) => out.push_str(if *truth { "true" } else { "false" }),
        Value::Int(Prim::ULong, bits) => out.push_str(&(*bits as u64).to_string()),
        Value::Int(_, number) => out.push_str(&number.to_string()),
        Value::Single(_) | Value::Double(_) | Value::Decimal(_) => {
            let text = crate::text::display(value);
            if crate::arith::to_double(value).is_some_and(|number| !number.is_finite()) {
                return string(&text, out);
            }
            out.push_str(&text);
            if !text.contains(['.', 'E']) {
                out.push_str(".0");
            }
        }
        Value::Date(date) => string(
            &crate::library::time::json(
                date.ticks,
                match date.kind {
                    1 => "Z".into(),
                    2 => "+00:00".into(),
                    _ => String::new(),
                },
            ),
            out,
        ),
        Value::Offset(ticks, minutes) => {
            string(&crate::library::time::json(*ticks, crate::library::time::offset_text(*minutes)), out);
        }
        Value::Object(_) => match value.as_bytes() {
            Some(bytes) => string(&crate::library::convert::base64(&bytes), out),
            None => match value {
                Value::Object(object) => match &**object {
                    crate::value::Object::Uri(uri) => string(&uri.original, out),
                    crate::value::Object::Record(of, _) if of.is("BigInteger") => {
                        out.push_str(&crate::text::display(value));
                    }
                    _ => string(&crate::text::display(value), out),
                },
                _ => string(&crate::text::display(value), out),
            },
        },
        other => string(&crate::text::display(other), out),
    }
}

fn string(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if (c as u32) < 32 || matches!(c, '\u{85}' | '\u{2028}' | '\u{2029}') => {
                let _ = write!(out, "\\u{:04x}", c as u32);
            }
            c => out.push(c),
        }
    }
    out.push('"');
}
