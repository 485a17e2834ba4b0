//! `trace`: a record of the document author's own (specification 5.10).

use super::{Policy, read};
use crate::compile::{Compiler, Parts};
use crate::machine::step::{At, Flow, Step};
use crate::schema::{AttributeSchema, Content, ElementSchema, Kind, Particle, TEXT};
use crate::tree::Element;

static METADATA: ElementSchema = ElementSchema {
    attributes: &[
        AttributeSchema::new("name", Kind::Name).required(),
        AttributeSchema::new("value", Kind::Text).required(),
    ],
    content: Content::Empty,
};

static SCHEMA: ElementSchema = ElementSchema {
    attributes: &[
        AttributeSchema::new("source", Kind::Name).required(),
        AttributeSchema::new("severity", Kind::OneOf(&["verbose", "information", "error"])).literal(),
    ],
    content: Content::TextOr(&[Particle::one("message", &TEXT), Particle::any("metadata", &METADATA)]),
};

pub(crate) static POLICY: Policy = Policy { name: "trace", schema: &SCHEMA, compile };

#[derive(Debug)]
struct Trace(Box<str>);

fn compile(element: &Element, _compiler: &mut Compiler<'_>) -> Option<Parts> {
    let message = match element.child("message") {
        Some(message) => message.trimmed_text(),
        None => element.trimmed_text(),
    };
    let severity = element.get("severity").unwrap_or("verbose");
    let mut text = format!("{} {severity}: {message}", read::text(element, "source"));
    for metadata in element.named("metadata") {
        text.push_str(&format!("; {}={}", read::text(metadata, "name"), read::text(metadata, "value")));
    }
    Parts::leaf(Trace(text.into()))
}

impl Step for Trace {
    fn run(&self, at: &mut At<'_>) -> Flow {
        at.note(|| self.0.to_string());
        Flow::Next
    }
}
