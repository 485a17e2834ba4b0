//! `set-method`: the request's method (specification 5.8).

use super::Policy;
use crate::compile::{Compiler, Parts};
use crate::machine::evaluate::unfit;
use crate::machine::step::{At, Flow, Halt, Ran, Step};
use crate::schema::TEXT;
use crate::setting::{Setting, Text};
use crate::tree::Element;
use handfast_core::message::Method;
use handfast_expression::Value;

pub(crate) static POLICY: Policy = Policy { name: "set-method", schema: &TEXT, compile };

#[derive(Debug)]
struct SetMethod(MethodSetting);

/// A method, or the expression that names one.
#[derive(Debug)]
pub(crate) enum MethodSetting {
    Known(Method),
    Named(Text),
}

fn compile(element: &Element, compiler: &mut Compiler<'_>) -> Option<Parts> {
    Parts::leaf(SetMethod(read(element, compiler)?))
}

/// Reads one element; also for the children of `send-request`.
pub(crate) fn read(element: &Element, compiler: &mut Compiler<'_>) -> Option<MethodSetting> {
    let text = match compiler.content(element) {
        Setting::Literal(text) => text,
        expression => return Some(MethodSetting::Named(expression)),
    };
    let method = Method::parse(&text);
    if method.is_none() {
        compiler.refuse(element, format!("The text '{text}' is not an HTTP method"));
    }
    method.map(MethodSetting::Known)
}

impl MethodSetting {
    /// The method.
    pub(crate) fn get(&self, at: &mut At<'_>) -> Result<Method, Halt> {
        match self {
            Self::Known(method) => Ok(method.clone()),
            Self::Named(name) => {
                let name = at.text(name)?;
                Method::parse(name.trim()).ok_or_else(|| unfit(&Value::str(&*name), "an HTTP method"))
            }
        }
    }
}

impl Step for SetMethod {
    fn run(&self, at: &mut At<'_>) -> Ran {
        let method = self.0.get(at)?;
        at.note(|| format!("method set to '{method}'"));
        at.context.request.method = method;
        Ok(Flow::Next)
    }
}
