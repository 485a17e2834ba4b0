//! `choose`: the first `when` whose condition is true, else `otherwise` (specification 5.12). Literal
//! conditions are decided at compile time.

use super::{Policy, read};
use crate::compile::{Compiler, Parts, with_segments};
use crate::machine::step::{At, BlockState, Flow, Step};
use crate::schema::{AttributeSchema, Content, ElementSchema, Kind, Particle};
use crate::tree::Element;

static WHEN: ElementSchema = ElementSchema {
    attributes: &[AttributeSchema::new("condition", Kind::Boolean).required()],
    content: Content::Policies,
};

static OTHERWISE: ElementSchema = ElementSchema { attributes: &[], content: Content::Policies };

static SCHEMA: ElementSchema = ElementSchema {
    attributes: &[],
    content: Content::Sequence(&[Particle::some("when", &WHEN), Particle::optional("otherwise", &OTHERWISE)]),
};

pub(crate) static POLICY: Policy = Policy { name: "choose", schema: &SCHEMA, compile };

/// The branch that is taken, with its path segment.
#[derive(Debug)]
struct Choose(Option<(usize, String)>);

fn compile(element: &Element, compiler: &mut Compiler<'_>) -> Option<Parts> {
    let mut blocks = Vec::new();
    let mut taken = None;
    for (index, (branch, segment)) in with_segments(element).enumerate() {
        blocks.push(compiler.block(branch, Some(&segment)));
        if taken.is_none() && (branch.name == "otherwise" || read::boolean(branch, "condition", false)) {
            taken = Some((index, segment));
        }
    }
    Parts::wrapper(Choose(taken), blocks)
}

impl Step for Choose {
    fn run(&self, at: &mut At<'_>) -> Flow {
        match &self.0 {
            Some((block, segment)) => {
                at.note(|| format!("branch '{segment}' taken"));
                Flow::Enter(*block, BlockState::Plain)
            }
            None => {
                at.note(|| "no branch taken");
                Flow::Next
            }
        }
    }
}
