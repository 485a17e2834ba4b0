//! `include-fragment`: the policies of a fragment in its place (specification 1.6), compiled with the document.

use super::{Policy, read};
use crate::compile::{Compiler, Parts};
use crate::machine::step::{At, BlockState, Flow, Ran, Step};
use crate::schema::{AttributeSchema, Content, ElementSchema, Kind};
use crate::tree::Element;

static SCHEMA: ElementSchema = ElementSchema {
    attributes: &[AttributeSchema::new("fragment-id", Kind::Name).required().literal()],
    content: Content::Empty,
};

pub(crate) static POLICY: Policy = Policy { name: "include-fragment", schema: &SCHEMA, compile };

#[derive(Debug)]
struct IncludeFragment;

fn compile(element: &Element, compiler: &mut Compiler<'_>) -> Option<Parts> {
    let children = compiler.inline(element, read::text(element, "fragment-id"))?;
    Parts::wrapper(IncludeFragment, vec![children])
}

impl Step for IncludeFragment {
    fn run(&self, _at: &mut At<'_>) -> Ran {
        Ok(Flow::Enter(0, BlockState::Plain))
    }
}
