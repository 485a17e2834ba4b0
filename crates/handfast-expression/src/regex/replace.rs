//! Replacement patterns, and escapes taken back.

use super::{Captures, Regex};

fn text(input: &[char], range: (usize, usize)) -> String {
    input.get(range.0..range.1).unwrap_or(&[]).iter().collect()
}

/// Appends a replacement: `$1`, `${name}`, `$$`, `$&`, `` $` ``, `$'`, `$+`, `$_`; anything else stays.
pub(crate) fn expand(regex: &Regex, input: &[char], found: &Captures, pattern: &str, out: &mut String) {
    let (start, end) = found.range();
    let mut rest = pattern;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let special = match rest.chars().next() {
            Some('$') => Some("$".to_owned()),
            Some('&') => Some(text(input, (start, end))),
            Some('`') => Some(text(input, (0, start))),
            Some('\'') => Some(text(input, (end, input.len()))),
            Some('_') => Some(text(input, (0, input.len()))),
            Some('+') => {
                Some(found.last(regex.groups.len() - 1).map_or_else(String::new, |range| text(input, range)))
            }
            _ => None,
        };
        if let Some(special) = special {
            out.push_str(&special);
            rest = &rest[1..];
            continue;
        }
        let (slot, after) = match rest.strip_prefix('{').and_then(|inner| inner.split_once('}')) {
            Some((name, after)) => (regex.by_name(name), after),
            None => numbered(regex, rest),
        };
        match slot {
            Some(slot) => {
                out.push_str(&found.last(slot).map_or_else(String::new, |range| text(input, range)));
                rest = after;
            }
            None => out.push('$'),
        }
    }
    out.push_str(rest);
}

/// The longest number that is a group's.
fn numbered<'a>(regex: &Regex, rest: &'a str) -> (Option<usize>, &'a str) {
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    match rest[..digits].parse().ok().and_then(|number| regex.by_number(number)) {
        Some(slot) => (Some(slot), &rest[digits..]),
        None => (None, rest),
    }
}

/// `Regex.Unescape`.
pub(crate) fn unescape(text: &str) -> String {
    let (mut out, mut chars) = (String::new(), text.chars());
    while let Some(c) = chars.next() {
        let escaped = if c == '\\' { chars.next() } else { None };
        let hex = |chars: &mut std::str::Chars<'_>, count: usize| {
            let digits: String = chars.by_ref().take(count).collect();
            u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32).unwrap_or('\u{fffd}')
        };
        out.push(match escaped {
            None => c,
            Some('n') => '\n',
            Some('t') => '\t',
            Some('r') => '\r',
            Some('f') => '\u{c}',
            Some('v') => '\u{b}',
            Some('e') => '\u{1b}',
            Some('a') => '\u{7}',
            Some('x') => hex(&mut chars, 2),
            Some('u') => hex(&mut chars, 4),
            Some(other) => other,
        });
    }
    out
}

/// `Regex.Escape`.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            '\u{c}' => out.push_str("\\f"),
            c if "\\*+?|{[()^$.# ".contains(c) => out.extend(['\\', c]),
            c => out.push(c),
        }
    }
    out
}
