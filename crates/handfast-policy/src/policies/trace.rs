//! `trace`: a record of the document author's own (specification 5.10).

use super::Policy;
use crate::compile::{Compiler, Parts};
use crate::machine::step::{At, Flow, Ran, Step};
use crate::schema::{AttributeSchema, Content, ElementSchema, Kind, Particle, TEXT};
use crate::setting::Text;
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
struct Trace {
    source: Text,
    severity: Box<str>,
    message: Text,
    metadata: Vec<(Text, Text)>,
}

fn compile(element: &Element, compiler: &mut Compiler<'_>) -> Option<Parts> {
    let metadata = element.named("metadata");
    Parts::leaf(Trace {
        source: compiler.text(element, "source"),
        severity: element.get("severity").unwrap_or("verbose").into(),
        message: compiler.content(element.child("message").unwrap_or(element)),
        metadata: metadata.map(|one| (compiler.text(one, "name"), compiler.text(one, "value"))).collect(),
    })
}

impl Step for Trace {
    fn run(&self, at: &mut At<'_>) -> Ran {
        let source = at.text(&self.source)?;
        let message = at.text(&self.message)?;
        let mut metadata = Vec::with_capacity(self.metadata.len());
        for (name, value) in &self.metadata {
            metadata.push((at.text(name)?, at.text(value)?));
        }
        at.note(|| {
            let mut text = format!("{source} {}: {message}", self.severity);
            for (name, value) in &metadata {
                text.push_str(&format!("; {name}={value}"));
            }
            text
        });
        Ok(Flow::Next)
    }
}
