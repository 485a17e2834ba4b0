//! `set-body`: replaces the body of the section's message by text, markup, the value of an expression, or what a
//! Liquid template makes of the message (specification 5.8). The content type stays what it is.

use super::Policy;
use crate::compile::{Compiler, Parts};
use crate::failure::Failure;
use crate::liquid::{Budget, Inputs, Template};
use crate::machine::step::{At, Flow, Halt, Ran, Step};
use crate::schema::messages::coded;
use crate::schema::{AttributeSchema, Content, ElementSchema, Kind};
use crate::setting::Setting;
use crate::tree::Element;
use crate::view;
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

/// Where the bytes of a body come from.
#[derive(Debug)]
pub(crate) enum Source {
    Setting(Setting<Bytes>),
    Liquid(Box<Template>),
}

#[derive(Debug)]
struct SetBody(Source);

fn compile(element: &Element, compiler: &mut Compiler<'_>) -> Option<Parts> {
    Parts::leaf(SetBody(read(element, compiler)?))
}

/// Reads one element; also for policies that make messages of their own.
pub(crate) fn read(element: &Element, compiler: &mut Compiler<'_>) -> Option<Source> {
    read_template(element, element, compiler)
}

/// The same for an element whose `template` attribute stands at another.
pub(crate) fn read_template(
    owner: &Element,
    element: &Element,
    compiler: &mut Compiler<'_>,
) -> Option<Source> {
    if owner.attribute("template").is_some() {
        return liquid(element, compiler).map(Source::Liquid);
    }
    let mut children = element.elements();
    Some(Source::Setting(match (children.next(), children.next()) {
        // Generated documents wrap the whole content in one value element.
        (Some(value), None) if value.name == "value" && element.text_position().is_none() => {
            compiler.body(value)
        }
        _ => compiler.body(element),
    }))
}

fn liquid(element: &Element, compiler: &mut Compiler<'_>) -> Option<Box<Template>> {
    let content = element.content();
    match Template::parse(content.text().trim()) {
        Ok(template) => Some(Box::new(template)),
        Err(error) => {
            let text = format!("The Liquid template cannot be parsed: {error}");
            compiler.push(coded("ValidationError", element, text));
            None
        }
    }
}

impl Source {
    /// The bytes. Templates of messages of their own do not see the current body.
    pub(crate) fn bytes(&self, at: &mut At<'_>, sees_body: bool) -> Result<Bytes, Halt> {
        let template = match self {
            Self::Setting(setting) => return at.bytes(setting),
            Self::Liquid(template) => template,
        };
        let mut inputs = Inputs::default();
        if template.uses_body() && sees_body {
            inputs.body = view::liquid::body(at)?;
        }
        if template.uses_context() {
            inputs.context = view::liquid::context(at);
        }
        let rendered = template.render(&inputs, Budget::default());
        let rendered =
            rendered.map_err(|error| Failure::internal("LiquidRenderingFailed", error.to_string()))?;
        Ok(Bytes::from(rendered))
    }
}

impl Step for SetBody {
    fn run(&self, at: &mut At<'_>) -> Ran {
        let body = self.0.bytes(at, true)?;
        at.note(|| format!("body replaced by {} bytes", body.len()));
        at.context.set_body(at.side(), body);
        Ok(Flow::Next)
    }
}
