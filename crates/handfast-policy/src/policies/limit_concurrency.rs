//! `limit-concurrency`: at most so many requests of a key inside its children (specification 5.1). The host
//! hands out permits; leaving the block drops the permit, also by an error.

use super::{Policy, read};
use crate::compile::{Compiler, Parts};
use crate::failure::Failure;
use crate::machine::io::{Input, Output};
use crate::machine::step::{At, BlockState, Flow, Ran, Step};
use crate::schema::{AttributeSchema, Content, ElementSchema, Kind};
use crate::setting::Setting;
use crate::tree::Element;
use std::sync::Arc;

static SCHEMA: ElementSchema = ElementSchema {
    attributes: &[
        AttributeSchema::new("key", Kind::Name).required(),
        AttributeSchema::new("max-count", Kind::Unsigned { min: 1, max: u32::MAX }).required().literal(),
    ],
    content: Content::Policies,
};

pub(crate) static POLICY: Policy = Policy { name: "limit-concurrency", schema: &SCHEMA, compile };

#[derive(Debug)]
struct LimitConcurrency {
    key: Setting<Arc<str>>,
    max: u32,
}

fn compile(element: &Element, compiler: &mut Compiler<'_>) -> Option<Parts> {
    let step = LimitConcurrency {
        key: compiler.text(element, "key").map(Into::into),
        max: read::number(element, "max-count").unwrap_or(1),
    };
    let children = compiler.block(element, None);
    Parts::wrapper(step, vec![children])
}

impl Step for LimitConcurrency {
    fn run(&self, at: &mut At<'_>) -> Ran {
        let key = at.shared_text(&self.key)?;
        Ok(Flow::Await(Output::Acquire { key, max: self.max }))
    }

    fn resume(&self, at: &mut At<'_>, answer: Input) -> Ran {
        let key = at.shared_text(&self.key)?;
        match answer {
            Input::Permit(Some(permit)) => {
                at.note(|| format!("permit of '{key}' taken"));
                Ok(Flow::Enter(0, BlockState::Permit { _held: permit }))
            }
            Input::Permit(None) => Err(Failure::denied(
                429,
                "ConcurrencyLimitExceeded",
                format!("At most {} concurrent calls of '{key}' are allowed.", self.max),
                "Too many requests",
            )
            .into()),
            other => Ok(Flow::unexpected(&other)),
        }
    }
}
