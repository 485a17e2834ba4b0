//! `json-to-xml` and `xml-to-json`: the body of the section's message in the other format (specification 5.8).

use super::{Policy, whole_body};
use crate::compile::{Compiler, Parts};
use crate::convert::{self, ConvertError, JsonOptions, XmlOptions};
use crate::failure::Failure;
use crate::machine::io::Input;
use crate::machine::step::{At, Flow, Halt, Ran, Step};
use crate::schema::{AttributeSchema, Content, ElementSchema, Kind};
use crate::setting::{Setting, Text};
use crate::tree::Element;
use bytes::Bytes;
use handfast_core::message::Fields;
use std::fmt;

/// The largest body that is converted.
const BODY_BYTES_MAX: usize = 8 << 20;

static TO_XML_SCHEMA: ElementSchema = ElementSchema {
    attributes: &[
        AttributeSchema::new("apply", Kind::OneOf(&["always", "content-type-json"])).required(),
        AttributeSchema::new("consider-accept-header", Kind::Boolean),
        AttributeSchema::new("parse-date", Kind::Boolean).literal(),
        AttributeSchema::new("namespace-separator", Kind::Text),
        AttributeSchema::new("namespace-prefix", Kind::Text),
        AttributeSchema::new("attribute-block-name", Kind::Text),
    ],
    content: Content::Empty,
};

static TO_JSON_SCHEMA: ElementSchema = ElementSchema {
    attributes: &[
        AttributeSchema::new("kind", Kind::OneOf(&["direct", "javascript-friendly"])).required(),
        AttributeSchema::new("apply", Kind::OneOf(&["always", "content-type-xml"])).required(),
        AttributeSchema::new("consider-accept-header", Kind::Boolean),
        AttributeSchema::new("always-array-child-elements", Kind::Boolean),
    ],
    content: Content::Empty,
};

pub(crate) static TO_XML: Policy =
    Policy { name: "json-to-xml", schema: &TO_XML_SCHEMA, compile: compile_to_xml };
pub(crate) static TO_JSON: Policy =
    Policy { name: "xml-to-json", schema: &TO_JSON_SCHEMA, compile: compile_to_json };

/// Which way, with what only that way needs.
enum Way {
    ToXml { separator: Option<Text>, prefix: Option<Text>, attributes: Option<Text> },
    ToJson { kind: Text, arrays: Setting<bool> },
}

struct Convert {
    way: Way,
    apply: Text,
    considers_accept: Setting<bool>,
}

impl fmt::Debug for Convert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if matches!(self.way, Way::ToXml { .. }) { "json-to-xml" } else { "xml-to-json" })
    }
}

fn compile_to_xml(element: &Element, compiler: &mut Compiler<'_>) -> Option<Parts> {
    let way = Way::ToXml {
        separator: compiler.optional_text(element, "namespace-separator"),
        prefix: compiler.optional_text(element, "namespace-prefix"),
        attributes: compiler.optional_text(element, "attribute-block-name"),
    };
    Parts::leaf(Convert::read(way, element, compiler))
}

fn compile_to_json(element: &Element, compiler: &mut Compiler<'_>) -> Option<Parts> {
    let way = Way::ToJson {
        kind: compiler.text(element, "kind"),
        arrays: compiler.boolean(element, "always-array-child-elements", false),
    };
    Parts::leaf(Convert::read(way, element, compiler))
}

/// What a conversion was asked for, worked out.
enum Wanted {
    Xml(JsonOptions),
    Json(XmlOptions),
}

impl Convert {
    fn read(way: Way, element: &Element, compiler: &mut Compiler<'_>) -> Self {
        Self {
            way,
            apply: compiler.text(element, "apply"),
            considers_accept: compiler.boolean(element, "consider-accept-header", true),
        }
    }

    fn wanted(&self, at: &mut At<'_>) -> Result<Wanted, Halt> {
        Ok(match &self.way {
            Way::ToXml { separator, prefix, attributes } => {
                let text =
                    |words: Option<crate::machine::evaluate::Words<'_>>| words.map(|words| words.to_string());
                let separator = text(at.optional_text(separator.as_ref())?);
                Wanted::Xml(JsonOptions {
                    namespace_separator: separator.unwrap_or_else(|| "_".to_owned()),
                    namespace_prefix: text(at.optional_text(prefix.as_ref())?),
                    attribute_block: text(at.optional_text(attributes.as_ref())?),
                })
            }
            Way::ToJson { kind, arrays } => Wanted::Json(XmlOptions {
                kind: match &*at.text(kind)? {
                    "javascript-friendly" => convert::Kind::JavascriptFriendly,
                    _ => convert::Kind::Direct,
                },
                always_arrays: at.boolean(arrays)?,
            }),
        })
    }

    /// Whether this message is to be converted.
    fn applies(&self, at: &mut At<'_>) -> Result<bool, Halt> {
        let always = &*at.text(&self.apply)? == "always";
        let considers = at.boolean(&self.considers_accept)?;
        let (from, to) = match self.way {
            Way::ToXml { .. } => ("json", "xml"),
            Way::ToJson { .. } => ("xml", "json"),
        };
        let of_type =
            |fields: &Fields| fields.get_str("content-type").is_some_and(|found| is_media(found, from));
        let right_type = always || at.context.fields(at.side()).is_some_and(of_type);
        // Without Accept, and with one that takes anything, the client asks for everything.
        let accepts = match at.context.request.fields.get_str("accept") {
            Some(accept) if considers => {
                accept.split(',').any(|one| is_media(one, to) || one.contains("*/*"))
            }
            _ => true,
        };
        Ok(right_type && accepts)
    }

    fn convert(&self, at: &mut At<'_>, body: &[u8]) -> Ran {
        let wanted = self.wanted(at)?;
        let text = String::from_utf8_lossy(body);
        let (converted, content_type) = match &wanted {
            Wanted::Xml(options) => (convert::json_to_xml(&text, options), "text/xml"),
            Wanted::Json(options) => (convert::xml_to_json(&text, *options), "application/json"),
        };
        let converted = converted.map_err(failure)?;
        at.note(|| format!("body converted to {content_type}, {} bytes", converted.len()));
        let side = at.side();
        let converted = Bytes::from(converted);
        at.context.set_body(side, converted);
        if let Some(fields) = at.context.fields_mut(side) {
            let _ = fields.set(b"Content-Type", content_type.as_bytes());
        }
        Ok(Flow::Next)
    }
}

fn failure(error: ConvertError) -> Halt {
    Failure::internal("BodyConversionFailed", error.to_string()).into()
}

/// `application/json`, `text/json`, `application/problem+json`, parameters or not.
fn is_media(content_type: &str, format: &str) -> bool {
    let media = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let subtype = media.split('/').nth(1).unwrap_or_default();
    subtype == format || subtype.strip_suffix(format).is_some_and(|rest| rest.ends_with('+'))
}

impl Step for Convert {
    fn run(&self, at: &mut At<'_>) -> Ran {
        self.wanted(at)?;
        if !self.applies(at)? {
            at.note(|| "the body is not converted");
            return Ok(Flow::Next);
        }
        match whole_body::at_hand(at, BODY_BYTES_MAX) {
            Ok(body) => self.convert(at, &body),
            Err(flow) => Ok(flow),
        }
    }

    fn resume(&self, at: &mut At<'_>, answer: Input) -> Ran {
        let body = whole_body::read(at, answer)?;
        if body.is_empty() { Ok(Flow::Next) } else { self.convert(at, &body) }
    }
}
