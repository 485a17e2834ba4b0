//! `limit-concurrency`: at most so many requests of a key inside its children (specification 5.1). The host
//! hands out permits; leaving the block drops the permit, also by an error.

use super::{Policy, read};
use crate::compile::{Compiler, Parts};
use crate::failure::Failure;
use crate::machine::io::{Input, Output};
use crate::machine::step::{At, BlockState, Flow, Step};
use crate::schema::{AttributeSchema, Content, ElementSchema, Kind};
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
    key: Arc<str>,
    max: u32,
}

fn compile(element: &Element, compiler: &mut Compiler<'_>) -> Option<Parts> {
    let children = compiler.block(element, None);
    let step = LimitConcurrency {
        key: read::text(element, "key").into(),
        max: read::number(element, "max-count").unwrap_or(1),
    };
    Parts::wrapper(step, vec![children])
}

impl Step for LimitConcurrency {
    fn run(&self, _at: &mut At<'_>) -> Flow {
        Flow::Await(Output::Acquire { key: Arc::clone(&self.key), max: self.max })
    }

    fn resume(&self, at: &mut At<'_>, answer: Input) -> Flow {
        match answer {
            Input::Permit(Some(permit)) => {
                at.note(|| format!("permit of '{}' taken", self.key));
                Flow::Enter(0, BlockState::Permit { _held: permit })
            }
            Input::Permit(None) => Flow::fail(Failure::denied(
                429,
                "ConcurrencyLimitExceeded",
                format!("At most {} concurrent calls of '{}' are allowed.", self.max, self.key),
                "Too many requests",
            )),
            other => Flow::unexpected(&other),
        }
    }
}
