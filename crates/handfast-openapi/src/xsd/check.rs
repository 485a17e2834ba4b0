//! A document against its schema: every violation with its text and place.

use super::particle::{Process, Taken, assign, listed};
use super::simple::{Misfit, Space, judge, spaced};
use super::{AttributeRule, ComplexType, Content, ELEMENTS_MAX, ElementRule, TypeId, Unjudged, Violation};
use super::{XSI, XmlSchema};
use crate::json::Place;
use crate::xml::{Element, Name, Node};

type Checked = Result<(), Unjudged>;

/// Judges a whole document by the global element of its root.
pub(super) fn document(
    schema: &XmlSchema,
    root: &Element,
    violations_max: usize,
) -> Result<Vec<Violation>, Unjudged> {
    let mut check = Check { schema, left: ELEMENTS_MAX, violations_max, found: Vec::new() };
    check.global(root, Process::Strict)?;
    Ok(check.found)
}

struct Check<'s> {
    schema: &'s XmlSchema,
    left: usize,
    violations_max: usize,
    found: Vec<Violation>,
}

/// `'x' in namespace 'urn:y'`.
fn shown(name: &Name) -> String {
    match &*name.space {
        "" => format!("'{}'", name.local),
        space => format!("'{}' in namespace '{space}'", name.local),
    }
}

/// `urn:y:x`.
fn qualified(name: &Name) -> String {
    match &*name.space {
        "" => name.local.to_string(),
        space => format!("{space}:{}", name.local),
    }
}

/// What may stand there instead.
fn expectation(expected: &[Name]) -> String {
    match expected {
        [] => String::new(),
        names => format!(" List of possible elements expected: {}.", listed(names)),
    }
}

impl<'s> Check<'s> {
    fn report(&mut self, place: Place, message: String) {
        if self.found.len() < self.violations_max {
            self.found.push(Violation { message, place });
        }
    }

    /// An element that only its name says something about.
    fn global(&mut self, element: &Element, process: Process) -> Checked {
        let schema = self.schema;
        match schema.elements.get(&element.name) {
            _ if process == Process::Skip => Ok(()),
            Some(rule) => self.element(element, rule),
            None if process == Process::Lax => {
                element.elements().try_for_each(|child| self.global(child, Process::Lax))
            }
            None => {
                self.report(
                    element.start,
                    format!("The '{}' element is not declared.", qualified(&element.name)),
                );
                Ok(())
            }
        }
    }

    fn element(&mut self, element: &Element, rule: &ElementRule) -> Checked {
        self.left = self.left.checked_sub(1).ok_or(Unjudged::TooLarge)?;
        let name = qualified(&element.name);
        if rule.is_abstract {
            self.report(element.start, format!("The element '{name}' is abstract or its type is abstract."));
            return Ok(());
        }
        let Some(of) = self.actual_type(element, rule) else { return Ok(()) };
        let nil = element.attribute_in(XSI, "nil").is_some_and(|nil| matches!(nil.trim(), "true" | "1"));
        if nil && !rule.nillable {
            let text = format!(
                "If the 'nillable' attribute is false in the schema, the 'xsi:nil' attribute must not be present in the instance ('{name}')."
            );
            self.report(element.start, text);
        }
        let of_complex = match of {
            TypeId::Any => {
                return element.elements().try_for_each(|child| self.global(child, Process::Lax));
            }
            TypeId::Complex(id) => self.schema.types.get(id),
            TypeId::Simple(_) => None,
        };
        self.attributes(element, of_complex)?;
        if nil {
            if !element.children.is_empty() {
                self.report(
                    element.start,
                    format!("Element '{name}' must have no character or element children."),
                );
            }
            return Ok(());
        }
        match (of, of_complex.map(|of| &of.content)) {
            (TypeId::Simple(id), _) | (_, Some(&Content::Text(id))) => self.text(element, id, rule),
            (_, Some(Content::Children { particle, mixed })) => {
                let names: Vec<&Name> = element.elements().map(|child| &child.name).collect();
                if !mixed {
                    self.no_text(element);
                }
                match assign(particle, &names) {
                    Ok(taken) => {
                        element.elements().zip(taken).try_for_each(|(child, taken)| self.child(child, taken))
                    }
                    Err(misfit) => {
                        self.misfit(element, misfit.at, &misfit.expected);
                        Ok(())
                    }
                }
            }
            _ => {
                self.empty(element);
                Ok(())
            }
        }
    }

    fn child(&mut self, child: &Element, taken: Taken<'s>) -> Checked {
        match taken {
            Taken::Element(Some(rule)) => self.element(child, rule),
            Taken::Element(None) => self.global(child, Process::Strict),
            Taken::Any(process) => self.global(child, process),
        }
    }

    /// The type that `xsi:type` names, if it does and may, else the declared one.
    fn actual_type(&mut self, element: &Element, rule: &ElementRule) -> Option<TypeId> {
        let declared = rule.of;
        let mut of = declared;
        if let Some(named) = element.attribute_in(XSI, "type") {
            let found = element.resolve(named).and_then(|name| self.schema.named.get(&name).copied());
            match found.filter(|found| self.schema.derives(*found, declared)) {
                Some(found) => of = found,
                None => {
                    let text = format!("This is an invalid xsi:type '{}'.", named.trim());
                    self.report(element.start, text);
                    return None;
                }
            }
        }
        if let TypeId::Complex(id) = of
            && self.schema.types.get(id).is_some_and(|of| of.is_abstract)
        {
            let text =
                format!("The element '{}' is abstract or its type is abstract.", qualified(&element.name));
            self.report(element.start, text);
            return None;
        }
        Some(of)
    }

    fn misfit(&mut self, element: &Element, at: Option<usize>, expected: &[Name]) {
        let parent = shown(&element.name);
        match at.and_then(|at| element.elements().nth(at)) {
            Some(child) => {
                let text = format!(
                    "The element {parent} has invalid child element {}.{}",
                    shown(&child.name),
                    expectation(expected)
                );
                self.report(child.start, text);
            }
            None => {
                let text = format!("The element {parent} has incomplete content.{}", expectation(expected));
                self.report(element.end, text);
            }
        }
    }

    fn no_text(&mut self, element: &Element) {
        let text =
            element.children.iter().any(|node| matches!(node, Node::Text(text) if !text.trim().is_empty()));
        if text {
            self.report(element.start, format!("The element {} cannot contain text.", shown(&element.name)));
        }
    }

    fn empty(&mut self, element: &Element) {
        let parent = shown(&element.name);
        if let Some(child) = element.elements().next() {
            let text = format!(
                "The element {parent} cannot contain child element {} because the parent element's content model is empty.",
                shown(&child.name)
            );
            self.report(child.start, text);
        } else if !element.text().trim().is_empty() {
            let text = format!("The element {parent} cannot contain text. Content model is empty.");
            self.report(element.start, text);
        }
    }

    fn text(&mut self, element: &Element, of: usize, rule: &ElementRule) -> Checked {
        if let Some(child) = element.elements().next() {
            let text = format!(
                "The element {} cannot contain child element {} because the parent element's content model is text only.",
                shown(&element.name),
                shown(&child.name)
            );
            self.report(child.start, text);
            return Ok(());
        }
        let text = element.text();
        let name = qualified(&element.name);
        self.value(of, &text, element.end, &format!("The '{name}' element is invalid"))?;
        if rule.fixed.as_ref().is_some_and(|fixed| *fixed != text) {
            self.report(
                element.end,
                format!("The value of the '{name}' element does not equal its fixed value."),
            );
        }
        Ok(())
    }

    fn value(&mut self, of: usize, text: &str, place: Place, what: &str) -> Checked {
        match judge(&self.schema.simple, of, text, 0) {
            Ok(()) => {}
            Err(Misfit::Pattern(source)) => return Err(Unjudged::Pattern(source)),
            Err(Misfit::Reason(reason)) => {
                let datatype = self.schema.simple.get(of).map_or("", |of| of.shown.as_str());
                let message = format!(
                    "{what} - The value '{}' is invalid according to its datatype '{datatype}' - {reason}",
                    crate::json::shortened(text)
                );
                self.report(place, message);
            }
        }
        Ok(())
    }

    fn attributes(&mut self, element: &Element, of: Option<&'s ComplexType>) -> Checked {
        let declared: &[(Name, AttributeRule)] = of.map_or(&[], |of| &of.attributes);
        for (name, value) in element.attributes.iter().filter(|(name, _)| &*name.space != XSI) {
            let shown = qualified(name);
            let rule = declared.iter().find(|(known, _)| known == name).map(|(_, rule)| rule);
            let rule = match rule.filter(|rule| !rule.prohibited) {
                Some(rule) => rule,
                None => {
                    let any = of.and_then(|of| of.any_attribute.as_ref());
                    if any.is_some_and(|any| any.takes(&name.space)) {
                        match self.schema.attributes.get(name) {
                            Some(rule) => rule,
                            None => continue,
                        }
                    } else {
                        self.report(element.start, format!("The '{shown}' attribute is not declared."));
                        continue;
                    }
                }
            };
            if let Some(of) = rule.of {
                self.value(of, value, element.start, &format!("The '{shown}' attribute is invalid"))?;
            }
            if rule.fixed.as_ref().is_some_and(|fixed| *fixed != spaced(value, Space::Collapse)) {
                let text = format!("The value of the '{shown}' attribute does not equal its fixed value.");
                self.report(element.start, text);
            }
        }
        for (name, _) in declared.iter().filter(|(_, rule)| rule.required) {
            if element.attribute_in(&name.space, &name.local).is_none() {
                let text = format!("The required attribute '{}' is missing.", qualified(name));
                self.report(element.start, text);
            }
        }
        Ok(())
    }
}

impl XmlSchema {
    /// Whether a type is another one or derived from it.
    fn derives(&self, of: TypeId, base: TypeId) -> bool {
        use super::simple::Variety;
        let mut at = of;
        for _ in 0..64 {
            if at == base || base == TypeId::Any {
                return true;
            }
            at = match at {
                TypeId::Complex(id) => match self.types.get(id) {
                    Some(ComplexType { base: Some(base), .. }) => TypeId::Complex(*base),
                    Some(ComplexType { content: Content::Text(text), .. }) => TypeId::Simple(*text),
                    _ => return false,
                },
                TypeId::Simple(id) => match self.simple.get(id).map(|of| &of.variety) {
                    Some(Variety::Restricts(base)) => TypeId::Simple(*base),
                    _ => return false,
                },
                TypeId::Any => return false,
            };
        }
        false
    }
}
