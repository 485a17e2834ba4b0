//! `mock-response`: ends the pipeline with an example of the operation, else with a sample that is made from the
//! schema of its response (specification 5.8).

use super::{Policy, read};
use crate::compile::{Compiler, Parts};
use crate::context::{Body, Context, Example, Response};
use crate::machine::step::{At, Flow, Ran, Step};
use crate::schema::{AttributeSchema, Content, ElementSchema, Kind};
use crate::tree::Element;
use bytes::Bytes;
use handfast_core::message::ResponseHead;
use handfast_openapi::contract::{BodyRule, Rule, media_type};
use handfast_openapi::schema::sample::sample;

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

    /// A sample for the representation of status and type, else for one of the status: its type and its text.
    fn sample(&self, context: &Context) -> Option<(String, Bytes)> {
        let contract = context.operation.as_ref()?.contract.as_ref()?;
        let bodies = &contract.response(self.status)?.bodies;
        let is_wanted = |body: &&BodyRule| {
            self.content_type
                .as_deref()
                .is_none_or(|wanted| body.content_type.eq_ignore_ascii_case(media_type(wanted)))
        };
        let made = |body: &BodyRule| {
            let Rule::Json(schema) = &body.rule else { return None };
            let text = serde_json::to_string(&sample(schema)).ok()?;
            // Only JSON can be made of a JSON schema.
            let json = body.content_type.to_ascii_lowercase().contains("json");
            json.then(|| (body.content_type.clone(), Bytes::from(text)))
        };
        bodies.iter().filter(is_wanted).find_map(made).or_else(|| bodies.iter().find_map(made))
    }
}

impl Step for MockResponse {
    fn run(&self, at: &mut At<'_>) -> Ran {
        let mut response =
            Response { head: ResponseHead::new(self.status), body: Body::Replace(Bytes::new()) };
        if let Some(example) = self.example(at.context) {
            let _ = response.head.fields.set(b"Content-Type", example.content_type.as_bytes());
            response.body = Body::Replace(example.body.clone());
        } else if let Some((content_type, body)) = self.sample(at.context) {
            let _ = response.head.fields.set(b"Content-Type", content_type.as_bytes());
            response.body = Body::Replace(body);
        } else if let Some(content_type) = &self.content_type {
            let _ = response.head.fields.set(b"Content-Type", content_type.as_bytes());
        }
        at.context.set_response(response);
        at.note(|| format!("mocked response {}", self.status));
        Ok(Flow::Finish)
    }
}
