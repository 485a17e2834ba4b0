//! `validate-headers`: the response's header against what the operation promises for its status
//! (specification 5.3).

use super::Policy;
use super::validation::parameters::RESPONSE_HEADER;
use super::validation::{action, settle, variable};
use crate::compile::{Compiler, Parts};
use crate::machine::step::{At, Flow, Ran, Step};
use crate::schema::{AttributeSchema, Content, ElementSchema, Kind, Particle};
use crate::setting::Text;
use crate::tree::Element;
use std::sync::Arc;

static HEADER: ElementSchema = ElementSchema {
    attributes: &[AttributeSchema::new("name", Kind::Name).required().literal(), action("action").required()],
    content: Content::Empty,
};

static SCHEMA: ElementSchema = ElementSchema {
    attributes: &[
        action("specified-header-action").required(),
        action("unspecified-header-action").required(),
        AttributeSchema::new("errors-variable-name", Kind::Text).literal(),
        AttributeSchema::new("error-variable-name", Kind::Text).literal(),
    ],
    content: Content::Sequence(&[Particle::any("header", &HEADER)]),
};

pub(crate) static POLICY: Policy = Policy { name: "validate-headers", schema: &SCHEMA, compile };

#[derive(Debug)]
struct ValidateHeaders {
    specified: Text,
    unspecified: Text,
    named: Vec<(Box<str>, Text)>,
    variable: Option<Arc<str>>,
}

fn compile(element: &Element, compiler: &mut Compiler<'_>) -> Option<Parts> {
    Parts::leaf(ValidateHeaders {
        specified: compiler.text(element, "specified-header-action"),
        unspecified: compiler.text(element, "unspecified-header-action"),
        named: element
            .named("header")
            .map(|child| (super::read::text(child, "name").into(), compiler.text(child, "action")))
            .collect(),
        variable: variable(element, compiler),
    })
}

impl Step for ValidateHeaders {
    fn run(&self, at: &mut At<'_>) -> Ran {
        let (specified, unspecified) = (at.action(&self.specified)?, at.action(&self.unspecified)?);
        let mut named = Vec::with_capacity(self.named.len());
        for (name, action) in &self.named {
            named.push((&**name, at.action(action)?));
        }
        let action_of = |name: &str, default| {
            named.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map_or(default, |(_, own)| *own)
        };
        let contract = at.contract();
        let Some(head) = at.context.response.as_ref().map(|response| &response.head) else {
            return Ok(Flow::Next);
        };
        let promised = contract.as_ref().and_then(|contract| contract.response(head.status));
        let rules = promised.map(|response| response.headers.as_slice()).unwrap_or_default();
        let mut findings = Vec::new();
        for rule in rules {
            let values: Vec<String> = head
                .fields
                .get_all(rule.name.as_bytes())
                .map(|value| String::from_utf8_lossy(value).into_owned())
                .collect();
            let values: Vec<&str> = values.iter().map(String::as_str).collect();
            findings.extend(RESPONSE_HEADER.judge(rule, &values, action_of(&rule.name, specified)));
        }
        let mut seen: Vec<String> = Vec::new();
        for (name, _) in head.fields.iter() {
            let name = String::from_utf8_lossy(name).into_owned();
            let is = |other: &str| other.eq_ignore_ascii_case(&name);
            if !rules.iter().any(|rule| is(&rule.name)) && !seen.iter().any(|seen| is(seen)) {
                findings.push(RESPONSE_HEADER.unspecified(&name, action_of(&name, unspecified)));
                seen.push(name);
            }
        }
        settle(at, findings, self.variable.as_ref())
    }
}
