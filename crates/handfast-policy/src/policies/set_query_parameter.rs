//! `set-query-parameter`: the same edits as `set-header`, on the query of the request (specification 5.8).

use super::Policy;
use super::multimap::{Entry, ExistsAction, SCHEMA};
use super::set_header::describe;
use crate::compile::{Compiler, Parts};
use crate::machine::evaluate::Words;
use crate::machine::step::{At, Flow, Ran, Step};
use crate::tree::Element;

pub(crate) static POLICY: Policy = Policy { name: "set-query-parameter", schema: &SCHEMA, compile };

#[derive(Debug)]
struct SetQueryParameter(Entry);

fn compile(element: &Element, compiler: &mut Compiler<'_>) -> Option<Parts> {
    Parts::leaf(SetQueryParameter(Entry::read(element, compiler)))
}

/// `name=value&name=value`, percent-encoded.
fn encoded(name: &str, values: &[Words<'_>]) -> String {
    let mut out = String::new();
    for value in values {
        if !out.is_empty() {
            out.push('&');
        }
        percent_encode(name, &mut out);
        out.push('=');
        percent_encode(value, &mut out);
    }
    out
}

impl Step for SetQueryParameter {
    fn run(&self, at: &mut At<'_>) -> Ran {
        let name = at.text(&self.0.name)?;
        let action = self.0.action.get(at)?;
        let values = at.texts(&self.0.values)?;
        let query = at.context.request.target.query().unwrap_or_default();
        let exists = pairs(query).any(|(known, _)| name_is(known, &name));
        let remove = match action {
            ExistsAction::Skip if exists => return Ok(Flow::Next),
            ExistsAction::Override | ExistsAction::Delete => exists,
            ExistsAction::Skip | ExistsAction::Append => false,
        };
        let add = if action == ExistsAction::Delete { String::new() } else { encoded(&name, &values) };
        if remove || !add.is_empty() {
            let mut new = String::with_capacity(query.len() + add.len() + 1);
            for (_, pair) in pairs(query).filter(|(known, _)| !remove || !name_is(known, &name)) {
                push_pair(pair, &mut new);
            }
            push_pair(&add, &mut new);
            at.context.request.target.set_query((!new.is_empty()).then_some(&new));
        }
        at.note(|| format!("query parameter '{name}' {}", describe(action, &values)));
        Ok(Flow::Next)
    }
}

/// The `name=value` pieces of a raw query with their raw names; empty pieces are dropped.
pub(crate) fn pairs(query: &str) -> impl Iterator<Item = (&str, &str)> {
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| (pair.split('=').next().unwrap_or(pair), pair))
}

/// Adds a piece to a query.
pub(crate) fn push_pair(pair: &str, query: &mut String) {
    if !pair.is_empty() {
        if !query.is_empty() {
            query.push('&');
        }
        query.push_str(pair);
    }
}

/// Whether a raw name is this name once decoded; letter case does not matter.
pub(crate) fn name_is(raw: &str, name: &str) -> bool {
    raw.eq_ignore_ascii_case(name)
        || (raw.contains(['%', '+']) && percent_decode(raw).eq_ignore_ascii_case(name.as_bytes()))
}

/// Bytes of a query piece, `+` as a blank.
pub(crate) fn percent_decode(text: &str) -> Vec<u8> {
    let digit = |byte: Option<&u8>| byte.and_then(|&b| char::from(b).to_digit(16));
    let bytes = text.as_bytes();
    let (mut out, mut at) = (Vec::with_capacity(bytes.len()), 0);
    while let Some(&byte) = bytes.get(at) {
        match (byte, digit(bytes.get(at + 1)), digit(bytes.get(at + 2))) {
            (b'%', Some(high), Some(low)) => {
                out.push((high * 16 + low) as u8);
                at += 2;
            }
            (b'+', ..) => out.push(b' '),
            _ => out.push(byte),
        }
        at += 1;
    }
    out
}

/// Percent-encodes everything but the unreserved characters of RFC 3986 §2.3.
pub(crate) fn percent_encode(text: &str, out: &mut String) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push(char::from(HEX[usize::from(byte >> 4)]));
            out.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
}
