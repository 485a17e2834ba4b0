//! `authentication-certificate`: the client certificate towards the backend (specification 5.2).

use super::Policy;
use crate::compile::{Compiler, Parts};
use crate::context::{CertificateSelection, PfxBody};
use crate::machine::evaluate::unfit;
use crate::machine::step::{At, Flow, Halt, Ran, Step};
use crate::schema::{AttributeSchema, Content, ElementSchema, Kind};
use crate::setting::{Setting, Text};
use crate::tree::{self, Element};
use bytes::Bytes;
use handfast_core::Secret;
use handfast_expression::Value;
use std::sync::Arc;

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
    Pfx { bytes: Setting<Bytes>, password: Text },
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
        [false, false, true] => {
            let (bytes, password) = (compiler.bytes(element, "body"), compiler.text(element, "password"));
            let written = element.attribute("body").map(|attribute| &attribute.value);
            if matches!(written, Some(tree::Value::Expression(_))) {
                return Some(Selected::Pfx { bytes, password });
            }
            compiler.refuse(
                element,
                "The attribute 'body' takes the bytes of an expression; a literal is not one",
            );
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
            Self::Pfx { bytes, password } => {
                let (bytes, password) = (at.bytes(bytes)?, at.text(password)?);
                let password = Secret::from(password.to_string());
                let pfx = PfxBody { bytes: Secret::from(Vec::from(bytes)), password };
                Ok(CertificateSelection::Pfx(Arc::new(pfx)))
            }
        }
    }
}

impl Step for Selected {
    fn run(&self, at: &mut At<'_>) -> Ran {
        let selection = self.get(at)?;
        at.note(|| format!("client certificate selected: {selection}"));
        at.context.backend.certificate = Some(selection);
        Ok(Flow::Next)
    }
}
