//! `set-method`: the request's method (specification 5.8).

use super::Policy;
use crate::compile::{Compiler, Parts};
use crate::machine::step::{At, Flow, Step};
use crate::schema::TEXT;
use crate::tree::Element;
use handfast_core::message::Method;

pub(crate) static POLICY: Policy = Policy { name: "set-method", schema: &TEXT, compile };

#[derive(Debug)]
struct SetMethod(Method);

fn compile(element: &Element, compiler: &mut Compiler<'_>) -> Option<Parts> {
    Parts::leaf(SetMethod(read(element, compiler)?))
}

/// Reads one element; also for the children of `send-request`.
pub(crate) fn read(element: &Element, compiler: &mut Compiler<'_>) -> Option<Method> {
    let text = element.trimmed_text();
    let method = Method::parse(&text);
    if method.is_none() {
        compiler.refuse(element, format!("The text '{text}' is not an HTTP method"));
    }
    method
}

impl Step for SetMethod {
    fn run(&self, at: &mut At<'_>) -> Flow {
        at.context.request.method.clone_from(&self.0);
        at.note(|| format!("method set to '{}'", self.0));
        Flow::Next
    }
}
