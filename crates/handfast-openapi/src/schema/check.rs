//! A value against a schema: every violation with its text and place.
//!
//! Texts and places are those of the schema library of the real service (unverified where no document shows
//! them; all are in this file): a violation of a scalar stands behind it, one of a whole object or array behind
//! its closing bracket, and one of a property's name behind the name.

use super::{Additional, Bound, JsonSchema, Node, STEPS_MAX, SchemaId, Types};
use crate::json::{Json, Kind, Member, Number, Place, shortened};
use std::cmp::Ordering;

/// Schemas inside schemas that are looked at for one value.
const DEPTH_MAX: usize = 400;

/// How a value is judged beside its schema.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Overrides what the schema says about properties that it does not name.
    pub additional_properties: Option<bool>,
    /// Compare property names without letter case.
    pub ignore_case: bool,
    /// The most violations that are told.
    pub violations_max: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { additional_properties: None, ignore_case: false, violations_max: 20 }
    }
}

/// One way in which a value does not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// What is wrong.
    pub message: String,
    /// Where.
    pub place: Place,
}

/// Why there is no judgement.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unjudged {
    /// The work was cut off.
    #[error("the schema asks for more than {STEPS_MAX} comparisons, or refers to itself without end")]
    Budget,
    /// The search of a regular expression was given up.
    #[error("matching the pattern '{0}' takes too long")]
    Pattern(String),
}

impl Unjudged {
    /// Stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Budget => "SchemaTooComplex",
            Self::Pattern(_) => "PatternTimeout",
        }
    }
}

pub(super) fn check(
    schema: &JsonSchema,
    value: &Json,
    options: &Options,
) -> Result<Vec<Violation>, Unjudged> {
    let mut steps = STEPS_MAX;
    let mut check = Check { schema, options, steps: &mut steps, depth: 0, quiet: false, found: Vec::new() };
    check.schema(schema.root, value, true)?;
    let mut found = check.found;
    found.truncate(options.violations_max);
    Ok(found)
}

struct Check<'a> {
    schema: &'a JsonSchema,
    options: &'a Options,
    steps: &'a mut usize,
    depth: usize,
    /// Only whether there is a violation is asked.
    quiet: bool,
    found: Vec<Violation>,
}

type Checked = Result<(), Unjudged>;

/// The types that a value is of.
fn types_of(value: &Json) -> Types {
    match &value.kind {
        Kind::Null => Types::NULL,
        Kind::Bool(_) => Types::BOOLEAN,
        Kind::Number(number) if number.is_integer() => Types::INTEGER.with(Types::NUMBER),
        Kind::Number(_) => Types::NUMBER,
        Kind::String(_) => Types::STRING,
        Kind::Array(_) => Types::ARRAY,
        Kind::Object(_) => Types::OBJECT,
    }
}

/// The one name that messages use for the type of a value.
fn type_shown(value: &Json) -> String {
    match &value.kind {
        Kind::Number(number) if number.is_integer() => Types::INTEGER.shown(),
        _ => types_of(value).shown(),
    }
}

impl<'a> Check<'a> {
    fn report(&mut self, place: Place, message: impl FnOnce() -> String) {
        let message = if self.quiet { String::new() } else { message() };
        if self.found.len() <= self.options.violations_max {
            self.found.push(Violation { message, place });
        }
    }

    /// Whether a value fits a schema, without telling why not.
    fn fits(&mut self, id: SchemaId, value: &Json) -> Result<bool, Unjudged> {
        let mut inner = Check {
            schema: self.schema,
            options: self.options,
            steps: &mut *self.steps,
            depth: self.depth,
            quiet: true,
            found: Vec::new(),
        };
        inner.schema(id, value, false)?;
        Ok(inner.found.is_empty())
    }

    /// `outermost`: no other schema is applied to the same value around this one.
    fn schema(&mut self, id: SchemaId, value: &Json, outermost: bool) -> Checked {
        *self.steps = self.steps.checked_sub(1).ok_or(Unjudged::Budget)?;
        if self.depth >= DEPTH_MAX {
            return Err(Unjudged::Budget);
        }
        if self.quiet && !self.found.is_empty() {
            return Ok(());
        }
        let Some(node) = self.schema.node(id) else { return Ok(()) };
        self.depth += 1;
        let checked = self.node(id, node, value, outermost);
        self.depth -= 1;
        checked
    }

    fn node(&mut self, id: SchemaId, node: &'a Node, value: &Json, outermost: bool) -> Checked {
        if node.never {
            self.report(value.start, || "Schema always fails validation.".to_owned());
            return Ok(());
        }
        if let Some(types) = node.types
            && !types.has(types_of(value))
        {
            self.report(value.start, || {
                format!("Invalid type. Expected {} but got {}.", types.shown(), type_shown(value))
            });
            return Ok(());
        }
        self.values(node, value);
        match &value.kind {
            Kind::Number(number) => self.number(node, number, value.start),
            Kind::String(text) => self.string(node, text, value.start)?,
            Kind::Array(items) => self.array(node, items, value)?,
            Kind::Object(members) => {
                let forbids = outermost && self.options.additional_properties == Some(false);
                self.object(node, members, value)?;
                if forbids {
                    self.unnamed(id, members);
                }
            }
            Kind::Null | Kind::Bool(_) => {}
        }
        if let Some(reference) = node.reference {
            self.schema(reference, value, false)?;
        }
        self.combined(node, value)
    }

    fn values(&mut self, node: &Node, value: &Json) {
        if let Some(values) = &node.one_of_values
            && !values.iter().any(|one| one.same(value))
        {
            self.report(value.end, || format!("Value {} is not defined in enum.", value.shown()));
        }
        if let Some(constant) = &node.constant
            && !constant.same(value)
        {
            self.report(value.end, || format!("Value {} does not match const.", value.shown()));
        }
    }

    fn number(&mut self, node: &Node, number: &Number, place: Place) {
        let what = if number.is_integer() { "Integer" } else { "Float" };
        let rules = &node.number;
        let mut bound = |bound: &Bound, beyond: Ordering, verb: &str, name: &str| {
            let order = number.order(&bound.value);
            if order == Some(beyond) {
                self.report(place, || {
                    format!("{what} {} {verb} {name} value of {}.", number.0, bound.value.0)
                });
            } else if bound.exclusive && order == Some(Ordering::Equal) {
                self.report(place, || {
                    format!(
                        "{what} {} equals {name} value of {} and exclusive {name} is true.",
                        number.0, bound.value.0
                    )
                });
            }
        };
        if let Some(maximum) = &rules.maximum {
            bound(maximum, Ordering::Greater, "exceeds", "maximum");
        }
        if let Some(minimum) = &rules.minimum {
            bound(minimum, Ordering::Less, "is less than", "minimum");
        }
        if let Some(step) = rules.multiple_of.as_ref().filter(|step| !number.is_multiple_of(step)) {
            self.report(place, || format!("{what} {} is not a multiple of {}.", number.0, step.0));
        }
    }

    fn string(&mut self, node: &Node, text: &str, place: Place) -> Checked {
        let rules = &node.string;
        let length = text.chars().count();
        if let Some(max) = rules.length_max.filter(|max| length > *max) {
            self.report(place, || format!("String '{}' exceeds maximum length of {max}.", shortened(text)));
        }
        if let Some(min) = rules.length_min.filter(|min| length < *min) {
            self.report(place, || {
                format!("String '{}' is less than minimum length of {min}.", shortened(text))
            });
        }
        if let Some(pattern) = &rules.pattern {
            match pattern.is_match(text) {
                Some(true) => {}
                Some(false) => self.report(place, || {
                    format!("String '{}' does not match regex pattern '{}'.", shortened(text), pattern.source)
                }),
                None => return Err(Unjudged::Pattern(pattern.source.to_string())),
            }
        }
        if let Some(format) = rules.format.filter(|format| !(format.fits)(text)) {
            self.report(place, || {
                format!("String '{}' does not validate against format '{}'.", shortened(text), format.name)
            });
        }
        Ok(())
    }

    fn array(&mut self, node: &Node, items: &[Json], value: &Json) -> Checked {
        let rules = &node.array;
        for (index, item) in items.iter().enumerate() {
            if let Some(id) = rules.first.get(index).copied().or(rules.rest) {
                self.schema(id, item, true)?;
            }
        }
        if let Some(max) = rules.count_max.filter(|max| items.len() > *max) {
            self.report(value.end, || {
                format!("Array item count {} exceeds maximum count of {max}.", items.len())
            });
        }
        if let Some(min) = rules.count_min.filter(|min| items.len() < *min) {
            self.report(value.end, || {
                format!("Array item count {} is less than minimum count of {min}.", items.len())
            });
        }
        if rules.unique {
            self.unique(items)?;
        }
        let Some((id, at_least, at_most)) = rules.contains else { return Ok(()) };
        let mut count = 0;
        for item in items {
            count += usize::from(self.fits(id, item)?);
        }
        if count < at_least {
            self.report(value.end, || "No items match contains.".to_owned());
        } else if at_most.is_some_and(|most| count > most) {
            self.report(value.end, || format!("{count} items match contains, which is more than allowed."));
        }
        Ok(())
    }

    fn unique(&mut self, items: &[Json]) -> Checked {
        for (index, item) in items.iter().enumerate() {
            let before = items.get(..index).unwrap_or_default();
            *self.steps = self.steps.checked_sub(before.len()).ok_or(Unjudged::Budget)?;
            if before.iter().any(|other| other.same(item)) {
                self.report(item.end, || format!("Non-unique array item at index {index}."));
            }
        }
        Ok(())
    }

    fn is_name(&self, one: &str, other: &str) -> bool {
        one == other || (self.options.ignore_case && one.to_lowercase() == other.to_lowercase())
    }

    fn has(&self, members: &[Member], name: &str) -> bool {
        members.iter().any(|member| self.is_name(&member.name, name))
    }

    fn object(&mut self, node: &'a Node, members: &[Member], value: &Json) -> Checked {
        let rules = &node.object;
        for member in members {
            self.member(node, member)?;
        }
        let missing = |check: &Self, names: &[String]| -> Vec<String> {
            names.iter().filter(|name| !check.has(members, name)).cloned().collect()
        };
        let absent = missing(self, &rules.required);
        if !absent.is_empty() {
            self.report(value.end, || {
                format!("Required properties are missing from object: {}.", absent.join(", "))
            });
        }
        let count = members.len();
        if let Some(max) = rules.count_max.filter(|max| count > *max) {
            self.report(value.end, || {
                format!("Object property count {count} exceeds maximum count of {max}.")
            });
        }
        if let Some(min) = rules.count_min.filter(|min| count < *min) {
            self.report(value.end, || {
                format!("Object property count {count} is less than minimum count of {min}.")
            });
        }
        for (name, needed) in &rules.needs {
            let absent = if self.has(members, name) { missing(self, needed) } else { Vec::new() };
            if !absent.is_empty() {
                self.report(value.end, || {
                    format!(
                        "Dependencies for property '{name}' failed. Missing required keys: {}.",
                        absent.join(", ")
                    )
                });
            }
        }
        for (name, id) in &rules.implies {
            if self.has(members, name) {
                self.schema(*id, value, false)?;
            }
        }
        Ok(())
    }

    fn member(&mut self, node: &'a Node, member: &Member) -> Checked {
        let rules = &node.object;
        *self.steps = self.steps.checked_sub(1 + rules.patterns.len()).ok_or(Unjudged::Budget)?;
        if let Some(id) = rules.names {
            let mut name = Json::alone(&member.name);
            (name.start, name.end) = (member.place, member.place);
            self.schema(id, &name, true)?;
        }
        let mut named = false;
        if let Some((_, id)) = rules.properties.iter().find(|(name, _)| self.is_name(name, &member.name)) {
            named = true;
            self.schema(*id, &member.value, true)?;
        }
        for (pattern, id) in &rules.patterns {
            match pattern.is_match(&member.name) {
                Some(true) => {
                    named = true;
                    self.schema(*id, &member.value, true)?;
                }
                Some(false) => {}
                None => return Err(Unjudged::Pattern(pattern.source.to_string())),
            }
        }
        if named || self.options.additional_properties.is_some() {
            return Ok(());
        }
        match rules.additional {
            Additional::Unsaid => {}
            Additional::Refused => self.not_allowed(member),
            Additional::Like(id) => self.schema(id, &member.value, true)?,
        }
        Ok(())
    }

    fn not_allowed(&mut self, member: &Member) {
        self.report(member.place, || {
            format!(
                "Property '{}' has not been defined and the schema does not allow additional properties.",
                member.name
            )
        });
    }

    /// Refuses what no schema names that is applied to the object: the override of a policy, which knows
    /// nothing of how a schema is put together.
    fn unnamed(&mut self, id: SchemaId, members: &[Member]) {
        let (mut pending, mut seen, mut is_object) = (vec![id], Vec::new(), false);
        while let Some(id) = pending.pop() {
            let Some(node) = self.schema.node(id).filter(|_| !seen.contains(&id)) else { continue };
            seen.push(id);
            is_object |= node.types.is_some_and(|types| types.has(Types::OBJECT));
            is_object |= !node.object.properties.is_empty();
            pending.extend(node.reference);
            pending.extend(node.all_of.iter().chain(&node.any_of).chain(&node.one_of));
            if let Some((question, then, otherwise)) = node.condition {
                pending.extend([Some(question), then, otherwise].into_iter().flatten());
            }
        }
        for member in members.iter().filter(|_| is_object) {
            let named = seen.iter().filter_map(|id| self.schema.node(*id)).any(|node| {
                node.object.properties.iter().any(|(name, _)| self.is_name(name, &member.name))
                    || node.object.patterns.iter().any(|(one, _)| one.is_match(&member.name) == Some(true))
            });
            if !named {
                self.not_allowed(member);
            }
        }
    }

    fn combined(&mut self, node: &Node, value: &Json) -> Checked {
        for id in &node.all_of {
            self.schema(*id, value, false)?;
        }
        if !node.any_of.is_empty() {
            let mut any = false;
            for id in &node.any_of {
                any = any || self.fits(*id, value)?;
            }
            if !any {
                self.report(value.end, || "JSON does not match any schemas from 'anyOf'.".to_owned());
            }
        }
        if !node.one_of.is_empty() {
            self.exactly_one(&node.one_of, value)?;
        }
        if let Some(id) = node.not
            && self.fits(id, value)?
        {
            self.report(value.end, || "JSON is valid against schema from 'not'.".to_owned());
        }
        if let Some((question, then, otherwise)) = node.condition {
            let branch = if self.fits(question, value)? { then } else { otherwise };
            if let Some(id) = branch {
                self.schema(id, value, false)?;
            }
        }
        Ok(())
    }

    fn exactly_one(&mut self, ids: &[SchemaId], value: &Json) -> Checked {
        let mut fitting = Vec::new();
        for (index, id) in ids.iter().enumerate() {
            if self.fits(*id, value)? {
                fitting.push(index.to_string());
            }
        }
        match fitting.len() {
            1 => {}
            0 => self.report(value.end, || "JSON is valid against no schemas from 'oneOf'.".to_owned()),
            _ => self.report(value.end, || {
                let indexes = fitting.join(", ");
                format!(
                    "JSON is valid against more than one schema from 'oneOf'. Valid schema indexes: {indexes}."
                )
            }),
        }
        Ok(())
    }
}
