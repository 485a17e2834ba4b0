//! `set-body`: replaces the body of the section's message by text, markup or the value of an expression
//! (specification 5.8).
//! Liquid templates are refused. The content type stays what it is.

use super::Policy;
use crate::compile::{Compiler, Parts};
use crate::machine::step::{At, Flow, Ran, Step};
use crate::schema::messages::coded;
use crate::schema::{AttributeSchema, Content, ElementSchema, Kind};
use crate::setting::Setting;
use crate::tree::Element;
use bytes::Bytes;

pub(crate) static SCHEMA: ElementSchema = ElementSchema {
    attributes: &[
        AttributeSchema::new("template", Kind::OneOfAnyCase(&["liquid"])).literal(),
        AttributeSchema::new("xsi-nil", Kind::OneOf(&["blank", "null"])).literal(),
        AttributeSchema::new("parse-date", Kind::Boolean).literal(),
    ],
    content: Content::Markup,
};

pub(crate) static POLICY: Policy = Policy { name: "set-body", schema: &SCHEMA, compile };

#[derive(Debug)]
struct SetBody(Setting<Bytes>);

fn compile(element: &Element, compiler: &mut Compiler<'_>) -> Option<Parts> {
    Parts::leaf(SetBody(read(element, compiler)?))
}

/// Reads one element; also for `return-response`.
pub(crate) fn read(element: &Element, compiler: &mut Compiler<'_>) -> Option<Setting<Bytes>> {
    if element.attribute("template").is_some() {
        let text = "The attribute 'template' asks for a liquid template, which is not supported";
        compiler.push(coded("LiquidNotSupported", element, text).help("write the body as literal text"));
        return None;
    }
    let mut children = element.elements();
    match (children.next(), children.next()) {
        // Generated documents wrap the whole content in one value element.
        (Some(value), None) if value.name == "value" && element.text_position().is_none() => {
            Some(compiler.body(value))
        }
        _ => Some(compiler.body(element)),
    }
}

impl Step for SetBody {
    fn run(&self, at: &mut At<'_>) -> Ran {
        let body = at.bytes(&self.0)?;
        at.note(|| format!("body replaced by {} bytes", body.len()));
        if at.section.is_response_side() {
            at.context.set_response_body(body);
        } else {
            at.context.set_request_body(body);
        }
        Ok(Flow::Next)
    }
}
