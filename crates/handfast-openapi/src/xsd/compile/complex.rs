//! Complex types: content models and attributes, derived or not (part 1 §3.4).

use super::{Compiled, Compiler, Source, parts, problem, refused, required, spaces, truth};
use crate::xml::{Element, Name};
use crate::xsd::particle::{Particle, Term};
use crate::xsd::{AttributeRule, ComplexType, Content, TypeId};

/// The namespace of `xml:lang` and its like, whose declarations nobody gives.
const XML: &str = "http://www.w3.org/XML/1998/namespace";

impl<'e> Compiler<'e> {
    /// The place of a named complex type, which is filled now or is being filled.
    pub(super) fn complex_id(
        &mut self,
        name: &Name,
        source: Source<'e>,
        element: &'e Element,
    ) -> Compiled<usize> {
        let id = match self.schema.named.get(name) {
            Some(TypeId::Complex(id)) => *id,
            _ => {
                let id = self.reserve();
                self.schema.named.insert(name.clone(), TypeId::Complex(id));
                id
            }
        };
        self.fill(id, source, element)?;
        Ok(id)
    }

    pub(super) fn anonymous(&mut self, source: Source<'e>, element: &'e Element) -> Compiled<usize> {
        let id = self.reserve();
        self.fill(id, source, element)?;
        Ok(id)
    }

    fn reserve(&mut self) -> usize {
        self.schema.types.push(ComplexType::default());
        self.begun.push(false);
        self.begun.len() - 1
    }

    fn fill(&mut self, id: usize, source: Source<'e>, element: &'e Element) -> Compiled<()> {
        if self.begun.get(id).copied().unwrap_or(true) {
            return Ok(());
        }
        if let Some(begun) = self.begun.get_mut(id) {
            *begun = true;
        }
        if element.attribute("block").is_some() {
            return Err(refused(element, "block"));
        }
        let mut of = ComplexType { is_abstract: truth(element, "abstract"), ..ComplexType::default() };
        self.content(source, element, truth(element, "mixed"), &mut of)?;
        if let Some(slot) = self.schema.types.get_mut(id) {
            *slot = of;
        }
        Ok(())
    }

    fn content(
        &mut self,
        source: Source<'e>,
        element: &'e Element,
        mixed: bool,
        of: &mut ComplexType,
    ) -> Compiled<()> {
        let is_content = |part: &&Element| matches!(&*part.name.local, "simpleContent" | "complexContent");
        if let Some(part) = parts(element).find(is_content) {
            let mixed = mixed || truth(part, "mixed");
            let derivation = parts(part).next();
            let derivation =
                derivation.ok_or_else(|| problem(part, "an extension or restriction is missing"))?;
            return match &*part.name.local {
                "simpleContent" => self.text_content(source, derivation, of),
                _ => self.derived(source, derivation, mixed, of),
            };
        }
        let own = self.own_particle(source, element, of)?;
        of.content = children(own, mixed);
        Ok(())
    }

    /// The particle directly in a type or derivation, with the attributes beside it.
    fn own_particle(
        &mut self,
        source: Source<'e>,
        element: &'e Element,
        of: &mut ComplexType,
    ) -> Compiled<Option<Particle>> {
        let mut own = None;
        for part in parts(element) {
            match &*part.name.local {
                "attribute" | "attributeGroup" | "anyAttribute" => self.attribute_part(source, part, of)?,
                "sequence" | "choice" | "all" | "group" => own = self.particle(source, part)?,
                other => return Err(refused(part, other)),
            }
        }
        Ok(own)
    }

    fn derived(
        &mut self,
        source: Source<'e>,
        derivation: &'e Element,
        mixed: bool,
        of: &mut ComplexType,
    ) -> Compiled<()> {
        let base_name = self.reference(derivation, "base")?;
        let base = self.deeper(derivation, |this| this.named_type(&base_name, derivation))?;
        let extends = &*derivation.name.local == "extension";
        let inherited = match base {
            TypeId::Complex(id) => {
                of.base = Some(id);
                self.schema.types.get(id).cloned()
            }
            TypeId::Any => None,
            TypeId::Simple(_) => {
                return Err(problem(derivation, "the base of complex content is a simple type"));
            }
        };
        let inherited = inherited.unwrap_or_default();
        of.attributes = inherited.attributes;
        of.any_attribute = inherited.any_attribute.filter(|_| extends);
        let own = self.own_particle(source, derivation, of)?;
        if !extends {
            of.content = children(own, mixed);
            return Ok(());
        }
        of.content = match (inherited.content, own) {
            (Content::Children { particle, mixed: also }, Some(own)) => {
                let both = Term::Sequence(vec![particle, own]);
                children(Some(Particle::once(both)), mixed || also)
            }
            (Content::Empty, own) => children(own, mixed),
            (content, _) => content,
        };
        Ok(())
    }

    fn text_content(
        &mut self,
        source: Source<'e>,
        derivation: &'e Element,
        of: &mut ComplexType,
    ) -> Compiled<()> {
        let base_name = self.reference(derivation, "base")?;
        let base = self.deeper(derivation, |this| this.named_type(&base_name, derivation))?;
        let text = match base {
            TypeId::Simple(id) => id,
            TypeId::Complex(id) => {
                let inherited = self.schema.types.get(id).cloned().unwrap_or_default();
                of.base = Some(id);
                of.attributes = inherited.attributes;
                of.any_attribute = inherited.any_attribute;
                match inherited.content {
                    Content::Text(text) => text,
                    _ => return Err(problem(derivation, "the base of simple content has no text")),
                }
            }
            TypeId::Any => return Err(problem(derivation, "the base of simple content has no text")),
        };
        for part in parts(derivation) {
            if matches!(&*part.name.local, "attribute" | "attributeGroup" | "anyAttribute") {
                self.attribute_part(source, part, of)?;
            }
        }
        let restricts = &*derivation.name.local == "restriction";
        of.content = Content::Text(match restricts {
            true => self.restricted(source, derivation, text, None)?,
            false => text,
        });
        Ok(())
    }

    fn attribute_part(
        &mut self,
        source: Source<'e>,
        part: &'e Element,
        of: &mut ComplexType,
    ) -> Compiled<()> {
        match &*part.name.local {
            "anyAttribute" => of.any_attribute = Some(spaces(source, part)),
            "attributeGroup" => {
                let name = self.reference(part, "ref")?;
                let Some((source, group)) = self.global("attributeGroup", &name) else {
                    return Err(Self::unresolved(part, "attribute group", &name));
                };
                for inner in parts(group) {
                    self.deeper(inner, |this| this.attribute_part(source, inner, of))?;
                }
            }
            "attribute" => {
                let (name, rule) = self.attribute(source, part)?;
                of.attributes.retain(|(known, _)| *known != name);
                of.attributes.push((name, rule));
            }
            other => return Err(refused(part, other)),
        }
        Ok(())
    }

    fn attribute(&mut self, source: Source<'e>, part: &'e Element) -> Compiled<(Name, AttributeRule)> {
        if part.attribute("ref").is_none() {
            let name = source.local_name(part, required(part, "name")?, "attributeFormDefault");
            return Ok((name, self.attribute_rule(source, part)?));
        }
        let name = self.reference(part, "ref")?;
        let mut rule = match self.global("attribute", &name) {
            Some((source, declaration)) => self.attribute_rule(source, declaration)?,
            None if &*name.space == XML => {
                AttributeRule { of: None, required: false, prohibited: false, fixed: None }
            }
            None => return Err(Self::unresolved(part, "attribute", &name)),
        };
        rule.required = part.attribute("use") == Some("required");
        rule.prohibited = part.attribute("use") == Some("prohibited");
        Ok((name, rule))
    }

    pub(super) fn attribute_rule(
        &mut self,
        source: Source<'e>,
        element: &'e Element,
    ) -> Compiled<AttributeRule> {
        let of = match self.type_of(source, element)? {
            Some(TypeId::Simple(id)) => Some(id),
            None => None,
            Some(_) => return Err(problem(element, "the type of an attribute is no simple type")),
        };
        Ok(AttributeRule {
            of,
            required: element.attribute("use") == Some("required"),
            prohibited: element.attribute("use") == Some("prohibited"),
            fixed: element.attribute("fixed").map(str::to_owned),
        })
    }
}

fn children(particle: Option<Particle>, mixed: bool) -> Content {
    match particle {
        Some(particle) => Content::Children { particle, mixed },
        None if mixed => Content::Children { particle: Particle::once(Term::Sequence(Vec::new())), mixed },
        None => Content::Empty,
    }
}
