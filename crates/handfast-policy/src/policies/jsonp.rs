//! `jsonp`: wraps the response body in a call of the function that the query names (specification 5.7).

use super::set_query_parameter::{name_is, pairs};
use super::{Policy, whole_body};
use crate::compile::{Compiler, Parts};
use crate::context::Context;
use crate::failure::Failure;
use crate::machine::io::Input;
use crate::machine::step::{At, Flow, Ran, Step};
use crate::schema::{AttributeSchema, Content, ElementSchema, Kind};
use crate::setting::Text;
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
struct Jsonp(Text);

fn compile(element: &Element, compiler: &mut Compiler<'_>) -> Option<Parts> {
    Parts::leaf(Jsonp(compiler.text(element, "callback-parameter-name")))
}

/// The raw value of the callback parameter. An identifier needs no percent-decoding.
fn callback<'c>(context: &'c Context, parameter: &str) -> Option<&'c str> {
    let query = context.request.target.query()?;
    let (_, pair) = pairs(query).find(|(name, _)| name_is(name, parameter))?;
    Some(pair.split_once('=').map_or("", |(_, value)| value))
}

impl Jsonp {
    fn wrap(&self, at: &mut At<'_>, body: &[u8]) -> Ran {
        let parameter = at.text(&self.0)?;
        let callback = callback(at.context, &parameter).unwrap_or_default().as_bytes();
        let mut wrapped = Vec::with_capacity(callback.len() + body.len() + 2);
        wrapped.extend_from_slice(callback);
        wrapped.push(b'(');
        wrapped.extend_from_slice(body);
        wrapped.push(b')');
        at.context.set_response_body(Bytes::from(wrapped));
        if let Some(response) = &mut at.context.response {
            let _ = response.head.fields.set(b"Content-Type", b"application/javascript");
        }
        at.note(|| "body wrapped in the callback");
        Ok(Flow::Next)
    }
}

impl Step for Jsonp {
    fn run(&self, at: &mut At<'_>) -> Ran {
        let parameter = at.text(&self.0)?;
        match callback(at.context, &parameter) {
            None => return Ok(Flow::Next),
            Some(callback) if !is_identifier_path(callback) => {
                let message =
                    format!("Value of callback parameter {parameter} is not a valid JavaScript identifier.");
                let failure = Failure::denied(400, "CallbackParameterInvalid", message.clone(), message);
                return Err(failure.into());
            }
            Some(_) => {}
        }
        match whole_body::at_hand(at, BODY_BYTES_MAX) {
            Ok(body) => self.wrap(at, &body),
            Err(flow) => Ok(flow),
        }
    }

    fn resume(&self, at: &mut At<'_>, answer: Input) -> Ran {
        let body = whole_body::read(at, answer)?;
        self.wrap(at, &body)
    }
}

/// `name` or `name.name`, each an ASCII JavaScript identifier.
fn is_identifier_path(text: &str) -> bool {
    text.split('.').all(|name| {
        let begins = |byte: u8| byte.is_ascii_alphabetic() || matches!(byte, b'_' | b'$');
        name.bytes().next().is_some_and(begins) && name.bytes().all(|b| begins(b) || b.is_ascii_digit())
    })
}
