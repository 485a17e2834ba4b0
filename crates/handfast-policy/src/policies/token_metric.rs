//! `llm-emit-token-metric` and `azure-openai-emit-token-metric`: prompt, completion and total tokens of the answer as
//! metrics (specification 5.10). What a streamed answer used is known when it has gone by.

use super::emit_metric::NAMESPACE;
use super::{Policy, dimension};
use crate::compile::{Compiler, Parts};
use crate::machine::io::Output;
use crate::machine::step::{At, Flow, Halt, Ran, Step};
use crate::schema::{AttributeSchema, Content, ElementSchema, Kind, Particle};
use crate::tree::Element;
use crate::usage::{TokenUse, prompt_estimate, settle};

static SCHEMA: ElementSchema = ElementSchema {
    attributes: &[AttributeSchema::new("namespace", Kind::Name).literal()],
    content: Content::Sequence(&[Particle::some("dimension", &dimension::SCHEMA)]),
};

pub(crate) static AZURE_OPENAI: Policy =
    Policy { name: "azure-openai-emit-token-metric", schema: &SCHEMA, compile };
pub(crate) static LLM: Policy = Policy { name: "llm-emit-token-metric", schema: &SCHEMA, compile };

#[derive(Debug)]
struct TokenMetric {
    namespace: Box<str>,
    dimensions: dimension::Dimensions,
}

fn compile(element: &Element, compiler: &mut Compiler<'_>) -> Option<Parts> {
    Parts::leaf(TokenMetric {
        namespace: element.get("namespace").unwrap_or(NAMESPACE).into(),
        dimensions: dimension::read(element, compiler)?,
    })
}

impl Step for TokenMetric {
    fn run(&self, at: &mut At<'_>) -> Ran {
        prompt_estimate(at)?;
        at.defer();
        Ok(Flow::Next)
    }

    fn after_response(&self, at: &mut At<'_>) -> Result<Option<Output>, Halt> {
        let dimensions = self.dimensions.get(at)?;
        let work = TokenUse::Metrics { namespace: self.namespace.to_string(), dimensions };
        settle(at, work, |_, _| {})
    }
}
