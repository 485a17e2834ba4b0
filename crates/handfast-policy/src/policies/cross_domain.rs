//! `cross-domain`: the cross-domain policy file of Adobe's clients (specification 5.7; "Cross Domain Policy File
//! Specification" 2.0). Whoever asks for `/crossdomain.xml` gets what stands in the document, whether an API would
//! have taken the request or not.

use super::Policy;
use crate::compile::{Compiler, Parts};
use crate::context::{Body, Context, Response};
use crate::failure::Failure;
use crate::machine::step::{At, Flow, Ran, Step};
use crate::plan::Plan;
use crate::reader::escape_attribute;
use crate::schema::{AttributeSchema, Content, ElementSchema, Kind, Particle};
use crate::section::Section;
use crate::tree::{Element, Value};
use bytes::Bytes;
use handfast_core::message::{Method, ResponseHead};

const FILE: &str = "/crossdomain.xml";

const SECURE: AttributeSchema = AttributeSchema::new("secure", Kind::Boolean).literal();
const DOMAIN: AttributeSchema = AttributeSchema::new("domain", Kind::Name).required().literal();
const CONTROLS: &[&str] = &["all", "by-content-type", "by-ftp-filename", "master-only", "none"];

static SITE_CONTROL: ElementSchema = ElementSchema {
    attributes: &[AttributeSchema::new("permitted-cross-domain-policies", Kind::OneOf(CONTROLS))
        .required()
        .literal()],
    content: Content::Empty,
};
static ACCESS: ElementSchema = ElementSchema {
    attributes: &[DOMAIN, AttributeSchema::new("to-ports", Kind::Name).literal(), SECURE],
    content: Content::Empty,
};
static HEADERS: ElementSchema = ElementSchema {
    attributes: &[DOMAIN, AttributeSchema::new("headers", Kind::Name).required().literal(), SECURE],
    content: Content::Empty,
};
static CERTIFICATE: ElementSchema = ElementSchema {
    attributes: &[
        AttributeSchema::new("fingerprint", Kind::Name).required().literal(),
        AttributeSchema::new("fingerprint-algorithm", Kind::Name).required().literal(),
    ],
    content: Content::Empty,
};
static SIGNATORY: ElementSchema = ElementSchema {
    attributes: &[],
    content: Content::Sequence(&[Particle::one("certificate", &CERTIFICATE)]),
};
static IDENTITY: ElementSchema =
    ElementSchema { attributes: &[], content: Content::Sequence(&[Particle::one("signatory", &SIGNATORY)]) };
static ADOBE: ElementSchema = ElementSchema {
    attributes: &[],
    content: Content::AnyOrder(
        &[
            Particle::optional("site-control", &SITE_CONTROL),
            Particle::any("allow-access-from", &ACCESS),
            Particle::any("allow-http-request-headers-from", &HEADERS),
            Particle::any("allow-access-from-identity", &IDENTITY),
        ],
        0,
    ),
};
static SCHEMA: ElementSchema = ElementSchema {
    attributes: &[],
    content: Content::Sequence(&[Particle::one("cross-domain-policy", &ADOBE)]),
};

pub(crate) static POLICY: Policy = Policy { name: "cross-domain", schema: &SCHEMA, compile };

/// The file.
#[derive(Debug)]
pub(crate) struct CrossDomain(Bytes);

fn compile(element: &Element, _: &mut Compiler<'_>) -> Option<Parts> {
    let mut text = String::new();
    write(element.child("cross-domain-policy")?, &mut text);
    Parts::leaf(CrossDomain(Bytes::from(text)))
}

/// An element without texts, as XML.
fn write(element: &Element, out: &mut String) {
    out.push('<');
    out.push_str(&element.name);
    for attribute in &element.attributes {
        // The schema takes no expressions here.
        let Value::Literal(value) = &attribute.value else { continue };
        out.push_str(&format!(" {}=\"", attribute.name));
        escape_attribute(value, b'"', out);
        out.push('"');
    }
    if element.elements().next().is_none() {
        out.push_str(" />");
        return;
    }
    out.push('>');
    element.elements().for_each(|child| write(child, out));
    out.push_str(&format!("</{}>", element.name));
}

impl CrossDomain {
    fn response(&self) -> Response {
        let mut head = ResponseHead::new(200);
        let _ = head.fields.set(b"Content-Type", b"text/x-cross-domain-policy");
        Response { head, body: Body::Replace(self.0.clone()) }
    }
}

/// Whether the client asks for the file.
fn is_asked(context: &Context) -> bool {
    let method = context.original_method.as_ref().unwrap_or(&context.request.method);
    let rest = context.original_url.split_once("://").map_or("", |(_, rest)| rest);
    let target = rest.find('/').and_then(|at| rest.get(at..)).unwrap_or_default();
    let path = target.split(['?', '#']).next().unwrap_or_default();
    matches!(method, Method::Get | Method::Head) && path == FILE
}

/// The answer to a request for the file that no operation takes.
pub(crate) fn for_rejection(plan: &Plan, context: &Context, failure: &Failure) -> Option<Response> {
    if failure.reason != Failure::operation_not_found().reason || !is_asked(context) {
        return None;
    }
    let file = plan.section(Section::Inbound).iter().find_map(|node| node.step.cross_domain());
    file.map(CrossDomain::response)
}

impl Step for CrossDomain {
    fn run(&self, at: &mut At<'_>) -> Ran {
        if !is_asked(at.context) {
            return Ok(Flow::Next);
        }
        at.note(|| "cross-domain policy file");
        at.context.set_response(self.response());
        Ok(Flow::Finish)
    }

    fn cross_domain(&self) -> Option<&CrossDomain> {
        Some(self)
    }
}
