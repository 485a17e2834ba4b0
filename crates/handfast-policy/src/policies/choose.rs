//! `choose`: the first `when` whose condition is true, else `otherwise` (specification 5.12). Conditions
//! are evaluated in order, up to the first that is true.

use super::Policy;
use crate::compile::{Compiler, Parts, with_segments};
use crate::machine::step::{At, BlockState, Flow, Ran, Step};
use crate::schema::{AttributeSchema, Content, ElementSchema, Kind, Particle};
use crate::setting::Setting;
use crate::tree::Element;

static WHEN: ElementSchema = ElementSchema {
    attributes: &[AttributeSchema::new("condition", Kind::Boolean).required()],
    content: Content::Policies,
};

static OTHERWISE: ElementSchema = ElementSchema { attributes: &[], content: Content::Policies };

pub(super) static SCHEMA: ElementSchema = ElementSchema {
    attributes: &[],
    content: Content::Sequence(&[Particle::some("when", &WHEN), Particle::optional("otherwise", &OTHERWISE)]),
};

pub(crate) static POLICY: Policy = Policy { name: "choose", schema: &SCHEMA, compile };

/// The branches that may be taken, in order.
#[derive(Debug)]
struct Choose(Vec<Branch>);

#[derive(Debug)]
struct Branch {
    condition: Setting<bool>,
    block: usize,
    /// Its segment in paths.
    segment: String,
}

fn compile(element: &Element, compiler: &mut Compiler<'_>) -> Option<Parts> {
    let mut blocks = Vec::new();
    let mut branches = Vec::new();
    for (block, (branch, segment)) in with_segments(element).enumerate() {
        // An `otherwise` has no condition, which is as good as a true one.
        let condition = compiler.boolean(branch, "condition", true);
        blocks.push(compiler.block(branch, Some(&segment)));
        branches.push(Branch { condition, block, segment });
    }
    Parts::wrapper(Choose(branches), blocks)
}

impl Step for Choose {
    fn run(&self, at: &mut At<'_>) -> Ran {
        for Branch { condition, block, segment } in &self.0 {
            if at.boolean(condition)? {
                at.note(|| format!("branch '{segment}' taken"));
                return Ok(Flow::Enter(*block, BlockState::Plain));
            }
        }
        at.note(|| "no branch taken");
        Ok(Flow::Next)
    }
}
