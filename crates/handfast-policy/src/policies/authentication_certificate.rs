//! `authentication-certificate`: the client certificate towards the backend (specification 5.2).

use super::Policy;
use crate::compile::{Compiler, Parts};
use crate::context::CertificateSelection;
use crate::machine::step::{At, Flow, Step};
use crate::schema::{AttributeSchema, Content, ElementSchema, Kind};
use crate::tree::Element;

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

#[derive(Debug)]
struct AuthenticationCertificate(CertificateSelection);

fn compile(element: &Element, compiler: &mut Compiler<'_>) -> Option<Parts> {
    Parts::leaf(AuthenticationCertificate(read(element, compiler)?))
}

/// Reads one element; also for the children of `send-request`.
pub(crate) fn read(element: &Element, compiler: &mut Compiler<'_>) -> Option<CertificateSelection> {
    let given = ["thumbprint", "certificate-id", "body"].map(|name| element.get(name));
    match given {
        [Some(thumbprint), None, None] => {
            let hex: String = thumbprint.chars().filter(char::is_ascii_hexdigit).collect();
            if hex.len() != 40 {
                compiler.refuse(
                    element,
                    format!("The value '{thumbprint}' is not a SHA-1 thumbprint of 40 hex digits"),
                );
                return None;
            }
            Some(CertificateSelection::Thumbprint(hex.to_ascii_uppercase().into()))
        }
        [None, Some(id), None] => Some(CertificateSelection::Id(id.into())),
        [None, None, Some(_)] => {
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

impl Step for AuthenticationCertificate {
    fn run(&self, at: &mut At<'_>) -> Flow {
        at.context.backend.certificate = Some(self.0.clone());
        at.note(|| match &self.0 {
            CertificateSelection::Thumbprint(thumbprint) => {
                format!("client certificate '{thumbprint}' selected")
            }
            CertificateSelection::Id(id) => format!("client certificate '{id}' selected"),
        });
        Flow::Next
    }
}
