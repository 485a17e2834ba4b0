//! `wait`: its children run beside one another, until all have ended or the first has (specification 5.12). The
//! machine runs them; what the first makes superfluous is cancelled.

use super::{Policy, cache_value, choose, send_request};
use crate::compile::{Compiler, Parts};
use crate::machine::evaluate::unfit;
use crate::machine::step::{At, BranchesEnd, Flow, Ran, Step};
use crate::schema::{AttributeSchema, Content, ElementSchema, Kind, Particle};
use crate::setting::{Setting, Text};
use crate::tree::Element;
use handfast_expression::Value;

static SCHEMA: ElementSchema = ElementSchema {
    attributes: &[AttributeSchema::new("for", Kind::OneOf(&["all", "any"]))],
    content: Content::AnyOrder(
        &[
            Particle::any("send-request", &send_request::SCHEMA),
            Particle::any("cache-lookup-value", &cache_value::LOOKUP_SCHEMA),
            Particle::any("choose", &choose::SCHEMA),
        ],
        1,
    ),
};

pub(crate) static POLICY: Policy = Policy { name: "wait", schema: &SCHEMA, compile };

#[derive(Debug)]
struct Wait(Text);

fn compile(element: &Element, compiler: &mut Compiler<'_>) -> Option<Parts> {
    let end = compiler.optional_text(element, "for").unwrap_or(Setting::Literal("all".into()));
    let children = compiler.block(element, None);
    Parts::wrapper(Wait(end), children.into_iter().map(|child| vec![child]).collect())
}

impl Step for Wait {
    fn run(&self, at: &mut At<'_>) -> Ran {
        let name = at.text(&self.0)?;
        let end = match &*name {
            "all" => BranchesEnd::All,
            "any" => BranchesEnd::Any,
            _ => return Err(unfit(&Value::str(&*name), "'all' or 'any'")),
        };
        let count = at.node.blocks.len();
        at.note(|| format!("waiting for {name} of {count} policies"));
        Ok(Flow::Split(end))
    }
}
