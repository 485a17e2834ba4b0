//! The generic checker: walks a tree with named values put in and reports everything it finds, with the
//! messages of the real service.

use super::messages::{self, POLICY_NOT_SUPPORTED, coded, in_element, incomplete, invalid_child, no_text};
use super::{AttributeSchema, CATALOGUE, Content, ElementSchema, Particle, find_in_catalogue, suggest};
use crate::policies;
use crate::position::Position;
use crate::section::{Scope, Section};
use crate::tree::{Element, Value};
use handfast_core::Diagnostic;
use std::collections::HashSet;

/// The most diagnostics reported for one document.
const DIAGNOSTICS_MAX: usize = 200;

/// Checks one document or fragment.
pub(crate) struct Checker<'a> {
    pub(crate) scope: Scope,
    pub(crate) diagnostics: &'a mut Vec<Diagnostic>,
    /// Every expression at a place that may have one, with what is said when no policy reads it.
    pub(crate) expressions: Vec<(Position, Diagnostic)>,
}

/// Where a list of policies stands.
#[derive(Clone, Copy)]
struct Site {
    section: Section,
    /// Directly below the section element.
    direct: bool,
}

impl Checker<'_> {
    /// Checks a whole `policies` document.
    pub(crate) fn document(&mut self, root: &Element) {
        if root.name != "policies" {
            self.report(in_element(root, "Policy section is not allowed in the specified scope"));
            return;
        }
        let names = Section::ALL.map(Section::as_str);
        if root.text_position().is_some() {
            self.report(no_text(root, &names));
        }
        for attribute in &root.attributes {
            self.undeclared(root, &attribute.name, &[]);
        }
        let mut seen = HashSet::new();
        for child in root.elements() {
            match Section::parse(&child.name) {
                Some(section) if seen.insert(section) => self.section(child, section),
                _ => {
                    let left: Vec<&str> = names
                        .into_iter()
                        .filter(|name| Section::parse(name).is_some_and(|section| !seen.contains(&section)))
                        .collect();
                    let diagnostic = invalid_child(root, child, &left);
                    self.report(with_hint(diagnostic, child, names));
                }
            }
        }
    }

    /// Checks the children of a fragment as if they stood in that section.
    pub(crate) fn fragment(&mut self, root: &Element, section: Section) {
        self.policies(root, Site { section, direct: false });
    }

    fn section(&mut self, element: &Element, section: Section) {
        for attribute in &element.attributes {
            self.undeclared(element, &attribute.name, &[]);
        }
        if section == Section::Backend
            && let Some(second) = element.elements().nth(1)
        {
            let help = "the backend section has at most one child; put several policies into a wrapper such as choose";
            self.report(invalid_child(element, second, &[]).help(help));
        }
        self.policies(element, Site { section, direct: true });
    }

    /// Checks a list of policies: the content of a section, of a wrapper, or of a fragment.
    fn policies(&mut self, parent: &Element, site: Site) {
        if parent.text_position().is_some() {
            self.report(no_text(parent, &[]));
        }
        let mut once = HashSet::new();
        for child in parent.elements() {
            if child.name == "base" {
                self.base(parent, child, site, once.insert("base"));
                continue;
            }
            let Some(entry) = find_in_catalogue(&child.name) else {
                self.unknown(parent, child);
                continue;
            };
            if !entry.sections.contains(site.section) {
                self.report(in_element(child, "Policy is not allowed in the specified section"));
            }
            if !entry.scopes.contains(self.scope) {
                self.report(in_element(child, "Policy is not allowed in the specified scope"));
            }
            if entry.once && !once.insert(entry.name) {
                self.report(in_element(child, "Policy is allowed only once in the specified section"));
            }
            match policies::find(entry.name) {
                Some(policy) => self.element(child, policy.schema, site, true),
                None => {
                    let text = format!("The policy '{}' is not supported", child.name);
                    self.report(coded(POLICY_NOT_SUPPORTED, child, text));
                }
            }
        }
    }

    fn base(&mut self, parent: &Element, base: &Element, site: Site, first: bool) {
        if !site.direct || !first {
            let help = "base stands at most once, directly below a section";
            self.report(invalid_child(parent, base, &[]).help(help));
        } else {
            self.element(base, &EMPTY, site, true);
        }
    }

    fn unknown(&mut self, parent: &Element, child: &Element) {
        let names = CATALOGUE.iter().map(|entry| entry.name);
        let diagnostic = invalid_child(parent, child, &[]);
        self.report(with_hint(diagnostic, child, names.chain(["base"])));
    }

    fn element(&mut self, element: &Element, schema: &ElementSchema, site: Site, policy: bool) {
        if matches!(schema.content, Content::Foreign) {
            return;
        }
        self.attributes(element, schema, policy);
        let text = element.text_position();
        match &schema.content {
            Content::Empty => {
                if let Some(child) = element.elements().next() {
                    self.report(invalid_child(element, child, &[]));
                }
                if text.is_some() {
                    self.report(no_text(element, &[]));
                }
            }
            Content::Text => {
                if let Some(child) = element.elements().next() {
                    self.report(invalid_child(element, child, &[]));
                }
                self.text_expression(element);
            }
            Content::Foreign => {}
            Content::Markup => self.text_expression(element),
            Content::TextOr(_) if element.elements().next().is_none() => self.text_expression(element),
            Content::Sequence(particles) | Content::TextOr(particles) => {
                self.sequence(element, particles, site);
            }
            Content::AnyOrder(particles, min) => self.any_order(element, particles, *min, site),
            Content::Policies => self.policies(element, Site { direct: false, ..site }),
        }
    }

    fn text_expression(&mut self, element: &Element) {
        if let Value::Expression(expression) = element.content() {
            self.expect(messages::expression(element, "the text", expression.position), expression.position);
        }
    }

    /// Notes an expression that some policy has to read.
    fn expect(&mut self, unread: Diagnostic, position: Position) {
        self.expressions.push((position, unread));
    }

    fn attributes(&mut self, element: &Element, schema: &ElementSchema, policy: bool) {
        for attribute in &element.attributes {
            let known = schema.attributes.iter().find(|known| known.name == attribute.name);
            match (known, &attribute.value) {
                (None, _) if policy && attribute.name == "id" => {}
                (None, _) => self.undeclared(element, &attribute.name, schema.attributes),
                (Some(known), Value::Expression(expression)) if known.expression => {
                    let whose = format!("the attribute '{}'", known.name);
                    self.expect(
                        messages::expression(element, &whose, expression.position),
                        expression.position,
                    );
                }
                (Some(known), Value::Expression(expression)) => {
                    let objection = known.kind.objection(&expression.text);
                    let objection =
                        objection.as_deref().unwrap_or("A policy expression is not allowed here.");
                    let text = format!("The '{}' attribute is invalid - {objection}", known.name);
                    self.report(in_element(element, text).at(expression.position.place()));
                }
                (Some(known), Value::Literal(text)) => self.literal(element, known, text),
            }
        }
        for required in schema.attributes.iter().filter(|attribute| attribute.required) {
            if element.attribute(required.name).is_none() {
                let text = format!("The required attribute '{}' is missing.", required.name);
                self.report(in_element(element, text));
            }
        }
    }

    fn literal(&mut self, element: &Element, known: &AttributeSchema, text: &str) {
        if let Some(objection) = known.kind.objection(text) {
            let message = format!("The '{}' attribute is invalid - {objection}", known.name);
            let diagnostic = in_element(element, message);
            self.report(match known.kind.accepted() {
                Some(help) => diagnostic.help(help),
                None => diagnostic,
            });
        }
    }

    fn undeclared(&mut self, element: &Element, name: &str, known: &[AttributeSchema]) {
        let diagnostic = in_element(element, format!("The '{name}' attribute is not declared."));
        self.report(match suggest::nearest(name, known.iter().map(|attribute| attribute.name)) {
            Some(meant) => diagnostic.help(format!("did you mean '{meant}'?")),
            None => diagnostic,
        });
    }

    fn sequence(&mut self, element: &Element, particles: &'static [Particle], site: Site) {
        let names: Vec<&str> = particles.iter().map(|particle| particle.name).collect();
        if element.text_position().is_some() {
            self.report(no_text(element, &names));
        }
        let (mut index, mut count) = (0, 0);
        for child in element.elements() {
            let found = position(particles, index, count, &child.name);
            let Some(at) = found else {
                let diagnostic = invalid_child(element, child, &expected(particles, index, count));
                self.report(with_hint(diagnostic, child, names));
                return;
            };
            count = if at == index { count + 1 } else { 1 };
            index = at;
            if let Some(particle) = particles.get(at) {
                self.element(child, particle.element, site, find_in_catalogue(particle.name).is_some());
            }
        }
        let open = particles.get(index).is_some_and(|particle| count < particle.min);
        let rest = particles.iter().skip(index + 1).any(|particle| particle.min > 0);
        if open || rest {
            self.report(incomplete(element, &expected(particles, index, count)));
        }
    }

    fn any_order(&mut self, element: &Element, particles: &'static [Particle], min: usize, site: Site) {
        let names: Vec<&str> = particles.iter().map(|particle| particle.name).collect();
        if element.text_position().is_some() {
            self.report(no_text(element, &names));
        }
        for child in element.elements() {
            match particles.iter().find(|particle| particle.name == child.name) {
                Some(particle) => {
                    self.element(child, particle.element, site, find_in_catalogue(particle.name).is_some());
                }
                None => {
                    let diagnostic = invalid_child(element, child, &names);
                    self.report(with_hint(diagnostic, child, names.iter().copied()));
                }
            }
        }
        if element.elements().count() < min {
            self.report(incomplete(element, &names));
        }
    }

    fn report(&mut self, diagnostic: Diagnostic) {
        if self.diagnostics.len() < DIAGNOSTICS_MAX {
            self.diagnostics.push(diagnostic);
        }
    }
}

static EMPTY: ElementSchema = ElementSchema { attributes: &[], content: Content::Empty };

/// The particle that takes a child of that name when `count` of particle `index` have been seen.
fn position(particles: &[Particle], index: usize, count: usize, name: &str) -> Option<usize> {
    for (at, particle) in particles.iter().enumerate().skip(index) {
        let seen = if at == index { count } else { 0 };
        if particle.name == name && seen < particle.max {
            return Some(at);
        }
        if seen < particle.min {
            return None;
        }
    }
    None
}

/// The names that may come next in a sequence.
fn expected(particles: &[Particle], index: usize, count: usize) -> Vec<&'static str> {
    let mut names = Vec::new();
    for (at, particle) in particles.iter().enumerate().skip(index) {
        let seen = if at == index { count } else { 0 };
        if seen < particle.max {
            names.push(particle.name);
        }
        if seen < particle.min {
            break;
        }
    }
    names
}

/// Adds where the child stands and what may have been meant.
fn with_hint<'a>(
    diagnostic: Diagnostic,
    child: &Element,
    names: impl IntoIterator<Item = &'a str>,
) -> Diagnostic {
    let place =
        format!("'{}' stands at line {}, column {}", child.name, child.position.line, child.position.column);
    match suggest::nearest(&child.name, names).filter(|meant| *meant != child.name) {
        Some(meant) => diagnostic.help(format!("{place}; did you mean '{meant}'?")),
        None => diagnostic.help(place),
    }
}
