//! `set-body`: replaces the body of the section's message by literal text or markup (specification 5.8).
//! Liquid templates are refused. The content type stays what it is.

use super::Policy;
use crate::compile::{Compiler, Parts};
use crate::context::{Body, Response};
use crate::machine::step::{At, Flow, Step};
use crate::schema::messages::coded;
use crate::schema::{AttributeSchema, Content, ElementSchema, Kind};
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
struct SetBody(Bytes);

fn compile(element: &Element, compiler: &mut Compiler<'_>) -> Option<Parts> {
    Parts::leaf(SetBody(read(element, compiler)?))
}

/// Reads the bytes of one element; also for `return-response`.
pub(crate) fn read(element: &Element, compiler: &mut Compiler<'_>) -> Option<Bytes> {
    if element.attribute("template").is_some() {
        let text = "The attribute 'template' asks for a liquid template, which is not supported";
        compiler.push(coded("LiquidNotSupported", element, text).help("write the body as literal text"));
        return None;
    }
    let mut children = element.elements();
    let content = match (children.next(), children.next()) {
        // Generated documents wrap the whole content in one value element.
        (Some(value), None) if value.name == "value" && element.text_position().is_none() => value.content(),
        _ => element.content(),
    };
    Some(Bytes::from(content.text().to_owned()))
}

impl Step for SetBody {
    fn run(&self, at: &mut At<'_>) -> Flow {
        let body = Body::Replace(self.0.clone());
        if at.section.is_response_side() {
            at.context.response.get_or_insert_with(Response::default).body = body;
        } else {
            at.context.request_body = body;
        }
        at.note(|| format!("body replaced by {} bytes", self.0.len()));
        Flow::Next
    }
}
