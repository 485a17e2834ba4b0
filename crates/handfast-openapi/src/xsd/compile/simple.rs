//! Simple types: restrictions with their facets, lists, unions (part 2 §4).

use super::{Compiled, Compiler, Source, parts, problem, refused, required};
use crate::pattern::Pattern;
use crate::xml::{Element, Name};
use crate::xsd::TypeId;
use crate::xsd::simple::{Facet, SimpleType, Space, Variety};

impl<'e> Compiler<'e> {
    pub(super) fn simple_type(
        &mut self,
        source: Source<'e>,
        element: &'e Element,
        name: Option<&Name>,
    ) -> Compiled<usize> {
        let Some(part) = parts(element).next() else {
            return Err(problem(element, "a restriction, list or union is missing"));
        };
        match &*part.name.local {
            "restriction" => {
                let base = self.simple_base(source, part, "base")?;
                self.restricted(source, part, base, name)
            }
            "list" => {
                let items = self.simple_base(source, part, "itemType")?;
                Ok(self.push(name, "String", Variety::List(items), Vec::new(), Space::Collapse))
            }
            "union" => {
                let mut members = Vec::new();
                for text in part.attribute("memberTypes").unwrap_or_default().split_whitespace() {
                    let name = part.resolve(text).unwrap_or_default();
                    members.push(self.simple_named(&name, part)?);
                }
                for inner in parts(part) {
                    members.push(self.deeper(inner, |this| this.simple_type(source, inner, None))?);
                }
                Ok(self.push(name, "String", Variety::Union(members), Vec::new(), Space::Preserve))
            }
            other => Err(refused(part, other)),
        }
    }

    fn push(
        &mut self,
        name: Option<&Name>,
        code: &str,
        variety: Variety,
        facets: Vec<Facet>,
        space: Space,
    ) -> usize {
        let shown = match name {
            Some(name) if name.space.is_empty() => name.local.to_string(),
            Some(name) => format!("{}:{}", name.space, name.local),
            None => code.to_owned(),
        };
        self.schema.simple.push(SimpleType { shown, variety, facets, space });
        self.schema.simple.len() - 1
    }

    fn simple_named(&mut self, name: &Name, user: &Element) -> Compiled<usize> {
        match self.deeper(user, |this| this.named_type(name, user))? {
            TypeId::Simple(id) => Ok(id),
            _ => Err(problem(user, format!("'{}' is no simple type", name.local))),
        }
    }

    /// The type that an attribute names, or that stands in place.
    fn simple_base(&mut self, source: Source<'e>, part: &'e Element, attribute: &str) -> Compiled<usize> {
        if part.attribute(attribute).is_some() {
            let name = self.reference(part, attribute)?;
            return self.simple_named(&name, part);
        }
        let inner = parts(part).find(|inner| &*inner.name.local == "simpleType");
        let inner =
            inner.ok_or_else(|| problem(part, format!("'{attribute}' or a simple type is missing")))?;
        self.deeper(inner, |this| this.simple_type(source, inner, None))
    }

    /// A type with the facets of a restriction.
    pub(super) fn restricted(
        &mut self,
        source: Source<'e>,
        restriction: &'e Element,
        base: usize,
        name: Option<&Name>,
    ) -> Compiled<usize> {
        let mut base = base;
        // In a restriction of simple content, a type in place narrows the base.
        if let Some(inner) = parts(restriction).find(|part| &*part.name.local == "simpleType")
            && &*restriction.name.local == "restriction"
            && restriction.attribute("base").is_some()
        {
            base = self.deeper(inner, |this| this.simple_type(source, inner, None))?;
        }
        let (mut facets, mut patterns, mut values) = (Vec::new(), Vec::new(), Vec::new());
        let mut space = self.schema.simple.get(base).map_or(Space::Preserve, |of| of.space);
        for part in parts(restriction) {
            match &*part.name.local {
                "pattern" => patterns.push(self.pattern(part)?),
                "enumeration" => values.push(crate::xsd::simple::spaced(required(part, "value")?, space)),
                "whiteSpace" => {
                    space = match required(part, "value")? {
                        "collapse" => Space::Collapse,
                        "replace" => Space::Replace,
                        _ => Space::Preserve,
                    };
                }
                "simpleType" | "attribute" | "attributeGroup" | "anyAttribute" => {}
                facet => facets.push(self.facet(part, facet, base)?),
            }
        }
        if !patterns.is_empty() {
            facets.push(Facet::Patterns(patterns));
        }
        if !values.is_empty() {
            facets.push(Facet::Enumeration(values));
        }
        let code = self.type_code(base);
        Ok(self.push(name, code, Variety::Restricts(base), facets, space))
    }

    /// What messages call a type without a name.
    fn type_code(&self, mut id: usize) -> &'static str {
        for _ in 0..super::DEPTH_MAX {
            match self.schema.simple.get(id).map(|of| &of.variety) {
                Some(Variety::Restricts(base)) => id = *base,
                Some(Variety::Atomic(built_in)) => return built_in.code(),
                _ => break,
            }
        }
        "String"
    }

    fn is_number(&self, mut id: usize) -> bool {
        for _ in 0..super::DEPTH_MAX {
            match self.schema.simple.get(id).map(|of| &of.variety) {
                Some(Variety::Restricts(base)) => id = *base,
                Some(Variety::Atomic(built_in)) => return built_in.is_number,
                _ => return false,
            }
        }
        false
    }

    fn facet(&self, part: &Element, name: &str, base: usize) -> Compiled<Facet> {
        let text = required(part, "value")?.trim();
        let wrong = || problem(part, format!("'{name}' is '{text}'; a number would be accepted"));
        let count = || text.parse::<usize>().map_err(|_| wrong());
        let number = || text.parse::<f64>().map_err(|_| wrong());
        let bounds = matches!(name, "minInclusive" | "minExclusive" | "maxInclusive" | "maxExclusive");
        if bounds && !self.is_number(base) {
            return Err(refused(part, &format!("{name}' of what is no number, '{text}")));
        }
        Ok(match name {
            "length" => Facet::Length(count()?),
            "minLength" => Facet::LengthMin(count()?),
            "maxLength" => Facet::LengthMax(count()?),
            "minInclusive" => Facet::Min(number()?, false),
            "minExclusive" => Facet::Min(number()?, true),
            "maxInclusive" => Facet::Max(number()?, false),
            "maxExclusive" => Facet::Max(number()?, true),
            "totalDigits" => Facet::TotalDigits(count()?),
            "fractionDigits" => Facet::FractionDigits(count()?),
            other => return Err(refused(part, other)),
        })
    }

    fn pattern(&self, part: &Element) -> Compiled<Pattern> {
        let source = required(part, "value")?;
        Pattern::compile(source, &translated(source), self.patterns)
            .map_err(|error| problem(part, format!("'{source}' is no regular expression: {error}")))
    }
}

/// A pattern of XML Schema in the .NET flavour: it is about the whole value, `^` and `$` are characters, and names
/// have classes of their own (part 2 appendix F).
fn translated(source: &str) -> String {
    let mut out = String::from(r"\A(?:");
    let (mut characters, mut in_class) = (source.chars(), 0_usize);
    while let Some(c) = characters.next() {
        match c {
            '\\' => {
                let escaped = characters.next().unwrap_or('\\');
                let class = match escaped {
                    'i' => r"\p{L}_:",
                    'c' => r"\p{L}\p{N}._:\-",
                    _ => "",
                };
                match (class, in_class) {
                    ("", _) => out.extend(['\\', escaped]),
                    (class, 0) => out.push_str(&format!("[{class}]")),
                    (class, _) => out.push_str(class),
                }
            }
            '[' => {
                in_class += 1;
                out.push('[');
            }
            ']' => {
                in_class = in_class.saturating_sub(1);
                out.push(']');
            }
            '^' | '$' if in_class == 0 => out.extend(['\\', c]),
            other => out.push(other),
        }
    }
    out.push_str(r")\z");
    out
}
