//! `find-and-replace`: all occurrences of a text in the section's message body, ordinal (specification 5.8).

use super::{Policy, whole_body};
use crate::compile::{Compiler, Parts};
use crate::machine::io::Input;
use crate::machine::step::{At, Flow, Ran, Step};
use crate::schema::{AttributeSchema, Content, ElementSchema, Kind};
use crate::setting::Text;
use crate::tree::Element;
use bytes::Bytes;

/// The largest body that is edited.
const BODY_BYTES_MAX: usize = 8 * 1024 * 1024;

static SCHEMA: ElementSchema = ElementSchema {
    attributes: &[
        AttributeSchema::new("from", Kind::Name).required(),
        AttributeSchema::new("to", Kind::Text).required(),
    ],
    content: Content::Empty,
};

pub(crate) static POLICY: Policy = Policy { name: "find-and-replace", schema: &SCHEMA, compile };

#[derive(Debug)]
struct FindAndReplace {
    from: Text,
    to: Text,
}

fn compile(element: &Element, compiler: &mut Compiler<'_>) -> Option<Parts> {
    Parts::leaf(FindAndReplace { from: compiler.text(element, "from"), to: compiler.text(element, "to") })
}

impl FindAndReplace {
    fn edit(&self, at: &mut At<'_>, body: &[u8]) -> Ran {
        let (from, to) = (at.text(&self.from)?, at.text(&self.to)?);
        let (edited, count) = replace_all(body, from.as_bytes(), to.as_bytes());
        let edited = Bytes::from(edited);
        at.context.set_body(at.side(), edited);
        at.note(|| format!("{count} occurrences of '{from}' replaced"));
        Ok(Flow::Next)
    }
}

impl Step for FindAndReplace {
    fn run(&self, at: &mut At<'_>) -> Ran {
        // The texts are worked out before the body is asked for.
        at.text(&self.from)?;
        at.text(&self.to)?;
        match whole_body::at_hand(at, BODY_BYTES_MAX) {
            Ok(body) => self.edit(at, &body),
            Err(flow) => Ok(flow),
        }
    }

    fn resume(&self, at: &mut At<'_>, answer: Input) -> Ran {
        let body = whole_body::read(at, answer)?;
        self.edit(at, &body)
    }
}

pub(super) fn replace_all(body: &[u8], from: &[u8], to: &[u8]) -> (Vec<u8>, usize) {
    let (mut out, mut rest, mut count) = (Vec::with_capacity(body.len()), body, 0);
    while let Some(at) = find(rest, from) {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(to);
        rest = &rest[at + from.len()..];
        count += 1;
    }
    out.extend_from_slice(rest);
    (out, count)
}

fn find(body: &[u8], needle: &[u8]) -> Option<usize> {
    let first = *needle.first()?;
    let mut from = 0;
    loop {
        let at = from + body.get(from..)?.iter().position(|&byte| byte == first)?;
        if body[at..].starts_with(needle) {
            return Some(at);
        }
        from = at + 1;
    }
}
