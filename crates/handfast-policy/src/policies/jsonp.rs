//! `jsonp`: wraps the response body in a call of the function that the query names (specification 5.7).

use super::set_query_parameter::{name_is, pairs};
use super::{Policy, read};
use crate::compile::{Compiler, Parts};
use crate::context::{Body, Context, Response};
use crate::failure::Failure;
use crate::machine::io::{Input, Output, Side};
use crate::machine::step::{At, Flow, Step};
use crate::schema::{AttributeSchema, Content, ElementSchema, Kind};
use crate::tree::Element;
use bytes::Bytes;

/// The largest body that is wrapped.
const BODY_BYTES_MAX: usize = 8 * 1024 * 1024;

static SCHEMA: ElementSchema = ElementSchema {
    attributes: &[AttributeSchema::new("callback-parameter-name", Kind::Name).required()],
    content: Content::Empty,
};

pub(crate) static POLICY: Policy = Policy { name: "jsonp", schema: &SCHEMA, compile };

#[derive(Debug)]
struct Jsonp(Box<str>);

fn compile(element: &Element, _compiler: &mut Compiler<'_>) -> Option<Parts> {
    Parts::leaf(Jsonp(read::text(element, "callback-parameter-name").into()))
}

impl Jsonp {
    /// The raw value of the callback parameter. An identifier needs no percent-decoding.
    fn callback<'c>(&self, context: &'c Context) -> Option<&'c str> {
        let query = context.request.target.query()?;
        let (_, pair) = pairs(query).find(|(name, _)| name_is(name, &self.0))?;
        Some(pair.split_once('=').map_or("", |(_, value)| value))
    }

    fn wrap(&self, at: &mut At<'_>, body: &[u8]) -> Flow {
        let callback = self.callback(at.context).unwrap_or_default().as_bytes();
        let mut wrapped = Vec::with_capacity(callback.len() + body.len() + 2);
        wrapped.extend_from_slice(callback);
        wrapped.push(b'(');
        wrapped.extend_from_slice(body);
        wrapped.push(b')');
        let response = at.context.response.get_or_insert_with(Response::default);
        response.body = Body::Replace(Bytes::from(wrapped));
        let _ = response.head.fields.set(b"Content-Type", b"application/javascript");
        at.note(|| "body wrapped in the callback");
        Flow::Next
    }
}

impl Step for Jsonp {
    fn run(&self, at: &mut At<'_>) -> Flow {
        match self.callback(at.context) {
            None => return Flow::Next,
            Some(callback) if !is_identifier_path(callback) => {
                let name = &self.0;
                let message =
                    format!("Value of callback parameter {name} is not a valid JavaScript identifier.");
                return Flow::fail(Failure::denied(
                    400,
                    "CallbackParameterInvalid",
                    message.clone(),
                    message,
                ));
            }
            Some(_) => {}
        }
        match at.context.response.as_ref().map(|response| &response.body) {
            Some(Body::Replace(bytes)) => {
                let bytes = bytes.clone();
                self.wrap(at, &bytes)
            }
            _ => Flow::Await(Output::ReadBody { side: Side::Response, bytes_max: BODY_BYTES_MAX }),
        }
    }

    fn resume(&self, at: &mut At<'_>, answer: Input) -> Flow {
        match answer {
            Input::Body(bytes) => self.wrap(at, &bytes),
            Input::BodyFailed(failure) => Flow::fail(failure.failure(Side::Response)),
            other => Flow::unexpected(&other),
        }
    }
}

/// `name` or `name.name`, each an ASCII JavaScript identifier.
fn is_identifier_path(text: &str) -> bool {
    text.split('.').all(|name| {
        let begins = |byte: u8| byte.is_ascii_alphabetic() || matches!(byte, b'_' | b'$');
        name.bytes().next().is_some_and(begins) && name.bytes().all(|b| begins(b) || b.is_ascii_digit())
    })
}
