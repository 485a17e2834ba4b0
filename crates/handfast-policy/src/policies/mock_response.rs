//! `mock-response`: ends the pipeline with an example of the operation (specification 5.8). Examples come with
//! the operation; samples made from a schema are the host's to add to them.

use super::{Policy, read};
use crate::compile::{Compiler, Parts};
use crate::context::{Body, Context, Example, Response};
use crate::machine::step::{At, Flow, Ran, Step};
use crate::schema::{AttributeSchema, Content, ElementSchema, Kind};
use crate::tree::Element;
use bytes::Bytes;
use handfast_core::message::ResponseHead;

static SCHEMA: ElementSchema = ElementSchema {
    attributes: &[
        AttributeSchema::new("status-code", Kind::Unsigned { min: 100, max: 999 }).literal(),
        AttributeSchema::new("content-type", Kind::Name).literal(),
        AttributeSchema::new("index", read::NUMBER).literal(),
    ],
    content: Content::Empty,
};

pub(crate) static POLICY: Policy = Policy { name: "mock-response", schema: &SCHEMA, compile };

#[derive(Debug)]
struct MockResponse {
    status: u16,
    content_type: Option<Box<str>>,
    index: usize,
}

fn compile(element: &Element, _compiler: &mut Compiler<'_>) -> Option<Parts> {
    Parts::leaf(MockResponse {
        status: read::number(element, "status-code").and_then(|code| u16::try_from(code).ok()).unwrap_or(200),
        content_type: element.get("content-type").map(Into::into),
        index: read::number(element, "index").unwrap_or(0) as usize,
    })
}

impl MockResponse {
    /// The example of status and type, else one of the status.
    fn example<'c>(&self, context: &'c Context) -> Option<&'c Example> {
        let examples = &context.operation.as_ref()?.examples;
        let of_status = || examples.iter().filter(|example| example.status == self.status);
        let wanted = self.content_type.as_deref();
        let of_type = |example: &&Example| {
            wanted.is_none_or(|wanted| example.content_type.eq_ignore_ascii_case(wanted))
        };
        of_status()
            .filter(of_type)
            .nth(self.index)
            .or_else(|| of_status().find(of_type))
            .or_else(|| of_status().next())
    }
}

impl Step for MockResponse {
    fn run(&self, at: &mut At<'_>) -> Ran {
        let mut response =
            Response { head: ResponseHead::new(self.status), body: Body::Replace(Bytes::new()) };
        if let Some(example) = self.example(at.context) {
            let _ = response.head.fields.set(b"Content-Type", example.content_type.as_bytes());
            response.body = Body::Replace(example.body.clone());
        } else if let Some(content_type) = &self.content_type {
            let _ = response.head.fields.set(b"Content-Type", content_type.as_bytes());
        }
        at.context.set_response(response);
        at.note(|| format!("mocked response {}", self.status));
        Ok(Flow::Finish)
    }
}
