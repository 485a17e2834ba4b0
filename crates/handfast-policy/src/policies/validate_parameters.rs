//! `validate-parameters`: header, query and path parameters of the request against what the operation declares
//! (specification 5.3). The request is looked at as it is when the policy runs.

use super::Policy;
use super::set_query_parameter::{pairs, percent_decode};
use super::validation::parameters::words;
use super::validation::{Action, Finding, action, settle, variable};
use crate::compile::{Compiler, Parts};
use crate::context::Context;
use crate::machine::step::{At, Halt, Ran, Step};
use crate::schema::{AttributeSchema, Content, ElementSchema, Kind, Particle};
use crate::setting::Text;
use crate::tree::Element;
use handfast_openapi::contract::Contract;
use handfast_openapi::description::Location;
use std::sync::Arc;

static PARAMETER: ElementSchema = ElementSchema {
    attributes: &[AttributeSchema::new("name", Kind::Name).required().literal(), action("action").required()],
    content: Content::Empty,
};

static PLACE: ElementSchema = ElementSchema {
    attributes: &[
        action("specified-parameter-action").required(),
        action("unspecified-parameter-action").required(),
    ],
    content: Content::Sequence(&[Particle::any("parameter", &PARAMETER)]),
};

static PATH: ElementSchema = ElementSchema {
    attributes: &[action("specified-parameter-action").required()],
    content: Content::Sequence(&[Particle::any("parameter", &PARAMETER)]),
};

static SCHEMA: ElementSchema = ElementSchema {
    attributes: &[
        action("specified-parameter-action").required(),
        action("unspecified-parameter-action").required(),
        AttributeSchema::new("errors-variable-name", Kind::Text).literal(),
        AttributeSchema::new("error-variable-name", Kind::Text).literal(),
    ],
    content: Content::Sequence(&[
        Particle::optional("headers", &PLACE),
        Particle::optional("query", &PLACE),
        Particle::optional("path", &PATH),
    ]),
};

pub(crate) static POLICY: Policy = Policy { name: "validate-parameters", schema: &SCHEMA, compile };

/// The places in the order of the policy's children.
const PLACES: [(&str, Location); 3] =
    [("headers", Location::Header), ("query", Location::Query), ("path", Location::Path)];

#[derive(Debug)]
struct ValidateParameters {
    specified: Text,
    unspecified: Text,
    places: Vec<Place>,
    variable: Option<Arc<str>>,
}

/// What a child element says about its place.
#[derive(Debug)]
struct Place {
    location: Location,
    specified: Option<Text>,
    unspecified: Option<Text>,
    named: Vec<(Box<str>, Text)>,
}

fn compile(element: &Element, compiler: &mut Compiler<'_>) -> Option<Parts> {
    let mut place = |(name, location): (&str, Location)| {
        let child = element.child(name);
        let mut read = |attribute: &str| compiler.optional_text(child?, attribute);
        let (specified, unspecified) =
            (read("specified-parameter-action"), read("unspecified-parameter-action"));
        let parameters = child.into_iter().flat_map(|child| child.named("parameter"));
        let named = parameters
            .map(|one| (super::read::text(one, "name").into(), compiler.text(one, "action")))
            .collect();
        Place { location, specified, unspecified, named }
    };
    let places = PLACES.into_iter().map(&mut place).collect();
    Parts::leaf(ValidateParameters {
        specified: compiler.text(element, "specified-parameter-action"),
        unspecified: compiler.text(element, "unspecified-parameter-action"),
        places,
        variable: variable(element, compiler),
    })
}

/// The actions of a place, worked out.
struct Actions<'p> {
    specified: Action,
    unspecified: Action,
    named: Vec<(&'p str, Action)>,
}

impl Actions<'_> {
    fn of(&self, name: &str, declared: bool) -> Action {
        let own = self.named.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        own.map_or(if declared { self.specified } else { self.unspecified }, |(_, action)| *action)
    }
}

impl ValidateParameters {
    fn actions<'p>(&'p self, place: &'p Place, at: &mut At<'_>) -> Result<Actions<'p>, Halt> {
        let specified = at.action(place.specified.as_ref().unwrap_or(&self.specified))?;
        let unspecified = at.action(place.unspecified.as_ref().unwrap_or(&self.unspecified))?;
        let mut named = Vec::with_capacity(place.named.len());
        for (name, action) in &place.named {
            named.push((&**name, at.action(action)?));
        }
        Ok(Actions { specified, unspecified, named })
    }
}

/// What was sent at a place: names with their values in order.
fn sent(location: Location, context: &Context) -> Vec<(String, String)> {
    match location {
        Location::Path => context.matched_parameters.clone(),
        Location::Header => {
            let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
            context.request.fields.iter().map(|(name, value)| (text(name), text(value))).collect()
        }
        Location::Query => {
            let text = |raw: &str| String::from_utf8_lossy(&percent_decode(raw)).into_owned();
            pairs(context.request.target.query().unwrap_or_default())
                .map(|(name, pair)| (text(name), text(pair.split_once('=').map_or("", |(_, value)| value))))
                .collect()
        }
    }
}

/// Names of the query parameters that are part of the URL template count as path parameters.
fn is_of_template(location: Location, name: &str, context: &Context) -> bool {
    location == Location::Query
        && context.template_query_names.iter().any(|own| own.eq_ignore_ascii_case(name))
}

fn judge(location: Location, contract: &Contract, actions: &Actions<'_>, context: &Context) -> Vec<Finding> {
    let (words, sent) = (words(location), sent(location, context));
    let is = |one: &str, other: &str| one.eq_ignore_ascii_case(other);
    let mut findings = Vec::new();
    let rules = || contract.parameters.iter().filter(|rule| rule.location == location);
    for rule in rules() {
        let mine = sent.iter().filter(|(name, _)| is(name, &rule.name));
        let values: Vec<&str> = mine.map(|(_, value)| value.as_str()).collect();
        findings.extend(words.judge(rule, &values, actions.of(&rule.name, true)));
    }
    let mut seen: Vec<&str> = Vec::new();
    for (name, _) in sent.iter().filter(|_| location != Location::Path) {
        let known = rules().any(|rule| is(name, &rule.name)) || is_of_template(location, name, context);
        if !known && !seen.iter().any(|seen| is(seen, name)) {
            findings.push(words.unspecified(name, actions.of(name, false)));
            seen.push(name);
        }
    }
    findings
}

impl Step for ValidateParameters {
    fn run(&self, at: &mut At<'_>) -> Ran {
        let mut all = Vec::with_capacity(self.places.len());
        for place in &self.places {
            all.push((place.location, self.actions(place, at)?));
        }
        let contract = at.contract().unwrap_or_default();
        let findings = all
            .iter()
            .flat_map(|(location, actions)| judge(*location, &contract, actions, at.context))
            .collect();
        settle(at, findings, self.variable.as_ref())
    }
}
