//! `validate-status-code`: statuses that the operation does not promise (specification 5.3).

use super::Policy;
use super::validation::{Finding, INTERNAL, action, settle, variable};
use crate::compile::{Compiler, Parts};
use crate::machine::step::{At, Flow, Ran, Step};
use crate::schema::{AttributeSchema, Content, ElementSchema, Kind, Particle};
use crate::setting::Text;
use crate::tree::Element;
use std::sync::Arc;

static CODE: ElementSchema = ElementSchema {
    attributes: &[
        AttributeSchema::new("code", Kind::Unsigned { min: 100, max: 999 }).required().literal(),
        action("action").required(),
    ],
    content: Content::Empty,
};

static SCHEMA: ElementSchema = ElementSchema {
    attributes: &[
        action("unspecified-status-code-action").required(),
        AttributeSchema::new("errors-variable-name", Kind::Text).literal(),
        AttributeSchema::new("error-variable-name", Kind::Text).literal(),
    ],
    content: Content::Sequence(&[Particle::any("status-code", &CODE)]),
};

pub(crate) static POLICY: Policy = Policy { name: "validate-status-code", schema: &SCHEMA, compile };

#[derive(Debug)]
struct ValidateStatusCode {
    unspecified: Text,
    codes: Vec<(u32, Text)>,
    variable: Option<Arc<str>>,
}

fn compile(element: &Element, compiler: &mut Compiler<'_>) -> Option<Parts> {
    let code = |child: &Element| super::read::number(child, "code").unwrap_or_default();
    Parts::leaf(ValidateStatusCode {
        unspecified: compiler.text(element, "unspecified-status-code-action"),
        codes: element
            .named("status-code")
            .map(|child| (code(child), compiler.text(child, "action")))
            .collect(),
        variable: variable(element, compiler),
    })
}

impl Step for ValidateStatusCode {
    fn run(&self, at: &mut At<'_>) -> Ran {
        let Some(status) = at.context.response.as_ref().map(|response| response.head.status) else {
            return Ok(Flow::Next);
        };
        let own = self.codes.iter().find(|(code, _)| *code == u32::from(status)).map(|(_, action)| action);
        let action = at.action(own.unwrap_or(&self.unspecified))?;
        let specified = at.contract().is_some_and(|contract| contract.response(status).is_some());
        let finding = || Finding {
            name: status.to_string(),
            of: "StatusCode",
            rule: "Unspecified",
            details: format!("Response status code {status} is not allowed."),
            public: INTERNAL.to_owned(),
            action,
        };
        settle(at, (!specified).then(finding).into_iter().collect(), self.variable.as_ref())
    }
}
