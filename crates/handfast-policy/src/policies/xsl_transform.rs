//! `xsl-transform`: the body of the section's message through a stylesheet that stands in the document
//! (specification 5.8). The stylesheet is compiled with the document; parameters are worked out per request.

use super::{Policy, whole_body};
use crate::compile::{Compiler, Parts};
use crate::failure::Failure;
use crate::machine::io::Input;
use crate::machine::step::{At, Flow, Ran, Step};
use crate::reader::{escape_attribute, escape_text};
use crate::schema::{AttributeSchema, Content, ElementSchema, Kind, Particle};
use crate::setting::Text;
use crate::tree::{Element, Node};
use bytes::Bytes;
use handfast_expression::xslt::Stylesheet;

/// The largest body that is transformed.
const BODY_BYTES_MAX: usize = 4 << 20;

static PARAMETER: ElementSchema = ElementSchema {
    attributes: &[
        AttributeSchema::new("parameter-name", Kind::Name).literal(),
        AttributeSchema::new("name", Kind::Name).literal(),
    ],
    content: Content::Text,
};

static STYLESHEET: ElementSchema = ElementSchema { attributes: &[], content: Content::Foreign };

static SCHEMA: ElementSchema = ElementSchema {
    attributes: &[],
    content: Content::Sequence(&[
        Particle::any("parameter", &PARAMETER),
        Particle::optional("xsl:stylesheet", &STYLESHEET),
        Particle::optional("xsl:transform", &STYLESHEET),
    ]),
};

pub(crate) static POLICY: Policy = Policy { name: "xsl-transform", schema: &SCHEMA, compile };

#[derive(Debug)]
struct XslTransform {
    parameters: Vec<(Box<str>, Text)>,
    stylesheet: Stylesheet,
}

fn compile(element: &Element, compiler: &mut Compiler<'_>) -> Option<Parts> {
    let mut parameters = Vec::new();
    for child in element.named("parameter") {
        match child.get("parameter-name").or_else(|| child.get("name")) {
            Some(name) => parameters.push((name.into(), compiler.content(child))),
            None => compiler.refuse(child, "The required attribute 'parameter-name' is missing."),
        }
    }
    let mut sheets = element.elements().filter(|child| child.name != "parameter");
    let (Some(sheet), None) = (sheets.next(), sheets.next()) else {
        let text = "The element 'xsl-transform' has incomplete content. List of possible elements expected: 'xsl:stylesheet'.";
        compiler.refuse(element, text);
        return None;
    };
    let mut text = String::new();
    write(sheet, &mut text);
    match Stylesheet::compile(&text) {
        Ok(stylesheet) => Parts::leaf(XslTransform { parameters, stylesheet }),
        Err(error) => {
            compiler.refuse(sheet, format!("The stylesheet cannot be used: {error}."));
            None
        }
    }
}

/// The stylesheet as XML again: the document's reader is tolerant, a stylesheet is not.
fn write(element: &Element, out: &mut String) {
    out.push('<');
    out.push_str(&element.name);
    for attribute in &element.attributes {
        out.push(' ');
        out.push_str(&attribute.name);
        out.push_str("=\"");
        let mut value = String::new();
        escape_attribute(attribute.value.text(), b'"', &mut value);
        // A parser makes blanks of these as they stand.
        out.push_str(&value.replace('\n', "&#10;").replace('\t', "&#9;"));
        out.push('"');
    }
    out.push('>');
    for child in &element.children {
        match child {
            Node::Element(child) => write(child, out),
            Node::Text { text, .. } => escape_text(text, out),
        }
    }
    out.push_str("</");
    out.push_str(&element.name);
    out.push('>');
}

impl XslTransform {
    fn transform(&self, at: &mut At<'_>, body: &[u8]) -> Ran {
        let mut parameters = Vec::with_capacity(self.parameters.len());
        for (name, value) in &self.parameters {
            parameters.push((&**name, at.text(value)?));
        }
        let parameters: Vec<(&str, &str)> =
            parameters.iter().map(|(name, value)| (*name, &**value)).collect();
        let result = self.stylesheet.apply(&String::from_utf8_lossy(body), &parameters);
        let result = result.map_err(|error| Failure::internal("XslTransformFailed", error.to_string()))?;
        at.note(|| format!("body transformed to {} bytes", result.len()));
        let side = at.side();
        at.context.set_body(side, Bytes::from(result));
        Ok(Flow::Next)
    }
}

impl Step for XslTransform {
    fn run(&self, at: &mut At<'_>) -> Ran {
        for (_, value) in &self.parameters {
            at.text(value)?;
        }
        match whole_body::at_hand(at, BODY_BYTES_MAX) {
            Ok(body) => self.transform(at, &body),
            Err(flow) => Ok(flow),
        }
    }

    fn resume(&self, at: &mut At<'_>, answer: Input) -> Ran {
        let body = whole_body::read(at, answer)?;
        if body.is_empty() { Ok(Flow::Next) } else { self.transform(at, &body) }
    }
}
