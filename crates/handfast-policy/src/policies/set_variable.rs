//! `set-variable`: stores a value for later policies (specification 5.8). A literal is always a string, an
//! expression's value keeps its type.

use super::{Policy, read};
use crate::compile::{Compiler, Parts};
use crate::machine::step::{At, Flow, Ran, Step};
use crate::schema::{AttributeSchema, Content, ElementSchema, Kind};
use crate::setting::Setting;
use crate::tree::Element;
use handfast_expression::Value;
use std::sync::Arc;

static SCHEMA: ElementSchema = ElementSchema {
    attributes: &[
        AttributeSchema::new("name", Kind::Name).required().literal(),
        AttributeSchema::new("value", Kind::Text).required(),
    ],
    content: Content::Empty,
};

pub(crate) static POLICY: Policy = Policy { name: "set-variable", schema: &SCHEMA, compile };

#[derive(Debug)]
struct SetVariable {
    name: Arc<str>,
    value: Setting<Value>,
}

fn compile(element: &Element, compiler: &mut Compiler<'_>) -> Option<Parts> {
    Parts::leaf(SetVariable {
        name: read::text(element, "name").into(),
        value: compiler.value(element, "value"),
    })
}

impl Step for SetVariable {
    fn run(&self, at: &mut At<'_>) -> Ran {
        let value = at.value(&self.value)?;
        at.note(|| format!("variable '{}' set to '{}'", self.name, value.to_text()));
        at.context.variables.set(&self.name, value);
        Ok(Flow::Next)
    }
}
