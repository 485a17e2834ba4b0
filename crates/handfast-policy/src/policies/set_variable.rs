//! `set-variable`: stores a value for later policies (specification 5.8). A literal is always a string.

use super::{Policy, read};
use crate::compile::{Compiler, Parts};
use crate::context::Variable;
use crate::machine::step::{At, Flow, Step};
use crate::schema::{AttributeSchema, Content, ElementSchema, Kind};
use crate::tree::Element;
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
    value: Arc<str>,
}

fn compile(element: &Element, _compiler: &mut Compiler<'_>) -> Option<Parts> {
    Parts::leaf(SetVariable {
        name: read::text(element, "name").into(),
        value: read::text(element, "value").into(),
    })
}

impl Step for SetVariable {
    fn run(&self, at: &mut At<'_>) -> Flow {
        at.context.variables.set(&self.name, Variable::Text(Arc::clone(&self.value)));
        at.note(|| format!("variable '{}' set to '{}'", self.name, self.value));
        Flow::Next
    }
}
