//! `authentication-certificate`: the client certificate towards the backend (specification 5.2).

use super::Policy;
use crate::compile::{Compiler, Parts};
use crate::context::CertificateSelection;
use crate::machine::evaluate::unfit;
use crate::machine::step::{At, Flow, Halt, Ran, Step};
use crate::schema::messages::not_supported;
use crate::schema::{AttributeSchema, Content, ElementSchema, Kind};
use crate::setting::{Setting, Text};
use crate::tree::Element;
use handfast_expression::Value;

pub(crate) static SCHEMA: ElementSchema = ElementSchema {
    attributes: &[
        AttributeSchema::new("thumbprint", Kind::Name),
        AttributeSchema::new("certificate-id", Kind::Name),
        AttributeSchema::new("body", Kind::Name),
        AttributeSchema::new("password", Kind::Text),
    ],
    content: Content::Empty,
};

pub(crate) static POLICY: Policy = Policy { name: "authentication-certificate", schema: &SCHEMA, compile };

/// Which certificate, or the expression that names it.
#[derive(Debug)]
pub(crate) enum Selected {
    Known(CertificateSelection),
    Thumbprint(Text),
    Id(Text),
}

fn compile(element: &Element, compiler: &mut Compiler<'_>) -> Option<Parts> {
    Parts::leaf(read(element, compiler)?)
}

/// Reads one element; also for the children of `send-request`.
pub(crate) fn read(element: &Element, compiler: &mut Compiler<'_>) -> Option<Selected> {
    let given = ["thumbprint", "certificate-id", "body"].map(|name| element.attribute(name).is_some());
    match given {
        [true, false, false] => match compiler.text(element, "thumbprint") {
            Setting::Literal(text) => {
                let selection = by_thumbprint(&text);
                if selection.is_none() {
                    compiler.refuse(
                        element,
                        format!("The value '{text}' is not a SHA-1 thumbprint of 40 hex digits"),
                    );
                }
                selection.map(Selected::Known)
            }
            expression => Some(Selected::Thumbprint(expression)),
        },
        [false, true, false] => Some(match compiler.text(element, "certificate-id") {
            Setting::Literal(id) => Selected::Known(CertificateSelection::Id((*id).into())),
            expression => Selected::Id(expression),
        }),
        [false, false, true] if compiler.text(element, "body").literal().is_some() => {
            compiler.refuse(
                element,
                "The attribute 'body' takes the bytes of an expression; a literal is not one",
            );
            None
        }
        [false, false, true] => {
            compiler.push(not_supported(element, "The attribute 'body', a certificate made per request,"));
            None
        }
        _ => {
            compiler.refuse(
                element,
                "Exactly one of the attributes 'thumbprint', 'certificate-id' and 'body' is required",
            );
            None
        }
    }
}

/// Hex digits with anything between them, as certificate dialogs show them.
fn by_thumbprint(text: &str) -> Option<CertificateSelection> {
    let hex: String = text.chars().filter(char::is_ascii_hexdigit).collect();
    (hex.len() == 40).then(|| CertificateSelection::Thumbprint(hex.to_ascii_uppercase().into()))
}

impl Selected {
    /// The selection.
    pub(crate) fn get(&self, at: &mut At<'_>) -> Result<CertificateSelection, Halt> {
        match self {
            Self::Known(selection) => Ok(selection.clone()),
            Self::Thumbprint(text) => {
                let text = at.text(text)?;
                by_thumbprint(&text)
                    .ok_or_else(|| unfit(&Value::str(&*text), "a SHA-1 thumbprint of 40 hex digits"))
            }
            Self::Id(id) => Ok(CertificateSelection::Id((*at.text(id)?).into())),
        }
    }
}

impl Step for Selected {
    fn run(&self, at: &mut At<'_>) -> Ran {
        let selection = self.get(at)?;
        at.note(|| match &selection {
            CertificateSelection::Thumbprint(thumbprint) => {
                format!("client certificate '{thumbprint}' selected")
            }
            CertificateSelection::Id(id) => format!("client certificate '{id}' selected"),
        });
        at.context.backend.certificate = Some(selection);
        Ok(Flow::Next)
    }
}
