//! From schema texts to rules: global names first, then what they mean. Named types have their place before they
//! are filled, so that they may contain themselves.

mod complex;
mod simple;

use super::particle::{Particle, Process, Term};
use super::{ElementRule, SchemaProblem, Spaces, TypeId, XSD, XmlSchema};
use crate::json::Place;
use crate::pattern::Patterns;
use crate::xml::{self, Element, Name};
use std::collections::HashMap;

/// The deepest nesting of groups and derivations.
const DEPTH_MAX: usize = 64;
/// Parts of content models of all types.
const PARTS_MAX: usize = 100_000;

type Compiled<T> = Result<T, SchemaProblem>;

/// One `schema` element.
#[derive(Clone, Copy)]
struct Source<'e> {
    element: &'e Element,
}

impl<'e> Source<'e> {
    fn target(self) -> &'e str {
        self.element.attribute("targetNamespace").unwrap_or_default()
    }

    /// The name of a local element or attribute: in the target namespace when it is qualified.
    fn local_name(self, declaration: &Element, name: &str, default: &str) -> Name {
        let form = declaration.attribute("form").or_else(|| self.element.attribute(default));
        let space = if form == Some("qualified") { self.target() } else { "" };
        Name::new(space, name)
    }
}

/// A global declaration with the schema that it stands in.
type Global<'e> = (Source<'e>, &'e Element);

/// Elements of `schema` that only people read, or that only say where something is.
const SKIPPED: &[&str] = &["annotation", "import", "include"];

pub(super) fn compile(sources: &[String], patterns: Patterns<'_>) -> Compiled<XmlSchema> {
    let mut roots = Vec::new();
    for source in sources {
        let parsed = xml::parse(source);
        roots.push(parsed.map_err(|error| SchemaProblem { message: error.message, place: error.place })?);
    }
    let mut schemas = Vec::new();
    roots.iter().for_each(|root| collect(root, &mut schemas));
    if schemas.is_empty() {
        let message = format!("there is no 'schema' element of namespace '{XSD}'");
        return Err(SchemaProblem { message, place: Place { line: 1, position: 1 } });
    }
    let mut compiler = Compiler {
        patterns,
        globals: HashMap::new(),
        schema: XmlSchema::default(),
        begun: Vec::new(),
        depth: 0,
        parts: 0,
    };
    compiler.run(&schemas)?;
    Ok(compiler.schema)
}

/// The schemas in a document, wherever they stand.
fn collect<'e>(element: &'e Element, out: &mut Vec<Source<'e>>) {
    if element.name.is(XSD, "schema") {
        return out.push(Source { element });
    }
    element.elements().for_each(|child| collect(child, out));
}

struct Compiler<'e> {
    patterns: Patterns<'e>,
    /// By kind of declaration and name.
    globals: HashMap<(&'static str, Name), Global<'e>>,
    schema: XmlSchema,
    /// By complex type: whether its filling has begun.
    begun: Vec<bool>,
    depth: usize,
    parts: usize,
}

/// The kinds of global declarations.
const KINDS: &[&str] = &["element", "complexType", "simpleType", "attribute", "group", "attributeGroup"];

fn problem(element: &Element, message: impl Into<String>) -> SchemaProblem {
    SchemaProblem { message: message.into(), place: element.start }
}

/// A part of XML Schema that is refused.
fn refused(element: &Element, what: &str) -> SchemaProblem {
    problem(element, format!("'{what}' is not available; a schema without it would be accepted"))
}

/// The elements of XML Schema below one.
fn parts(element: &Element) -> impl Iterator<Item = &Element> {
    element.elements().filter(|child| &*child.name.space == XSD && &*child.name.local != "annotation")
}

fn required<'e>(element: &'e Element, attribute: &str) -> Compiled<&'e str> {
    element.attribute(attribute).ok_or_else(|| {
        problem(element, format!("'{}' needs the attribute '{attribute}'", element.name.local))
    })
}

fn truth(element: &Element, attribute: &str) -> bool {
    element.attribute(attribute).is_some_and(|text| matches!(text.trim(), "true" | "1"))
}

impl<'e> Compiler<'e> {
    fn run(&mut self, schemas: &[Source<'e>]) -> Compiled<()> {
        for (name, of) in super::simple::all() {
            self.schema.named.insert(Name::new(XSD, name), TypeId::Simple(self.schema.simple.len()));
            self.schema.simple.push(of);
        }
        self.schema.named.insert(Name::new(XSD, "anyType"), TypeId::Any);
        for source in schemas {
            self.index(*source)?;
        }
        let mut globals: Vec<((&'static str, Name), Global<'e>)> =
            self.globals.iter().map(|(key, global)| (key.clone(), *global)).collect();
        globals.sort_by(|a, b| a.0.cmp(&b.0));
        for ((kind, name), (source, element)) in &globals {
            match *kind {
                "complexType" => drop(self.complex_id(name, *source, element)?),
                "simpleType" => drop(self.named_type(name, element)?),
                _ => {}
            }
        }
        for ((kind, name), (source, element)) in &globals {
            match *kind {
                "element" => {
                    let rule = self.element_rule(*source, element)?;
                    self.schema.elements.insert(name.clone(), rule);
                }
                "attribute" => {
                    let rule = self.attribute_rule(*source, element)?;
                    self.schema.attributes.insert(name.clone(), rule);
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn index(&mut self, source: Source<'e>) -> Compiled<()> {
        for declaration in source.element.elements().filter(|child| &*child.name.space == XSD) {
            let local = &*declaration.name.local;
            if SKIPPED.contains(&local) {
                continue;
            }
            let Some(kind) = KINDS.iter().find(|kind| **kind == local) else {
                return Err(refused(declaration, local));
            };
            let name = Name::new(source.target(), required(declaration, "name")?);
            self.globals.insert((kind, name), (source, declaration));
        }
        Ok(())
    }

    fn global(&self, kind: &'static str, name: &Name) -> Option<Global<'e>> {
        self.globals.get(&(kind, name.clone())).copied()
    }

    /// The name that an attribute refers to.
    fn reference(&self, element: &Element, attribute: &str) -> Compiled<Name> {
        let text = required(element, attribute)?;
        element
            .resolve(text)
            .ok_or_else(|| problem(element, format!("the prefix of '{text}' is not declared")))
    }

    fn unresolved(element: &Element, kind: &str, name: &Name) -> SchemaProblem {
        let text = format!(
            "there is no {kind} '{}' in namespace '{}' among the schemas that are given",
            name.local, name.space
        );
        problem(element, text)
    }

    /// Counts one level of groups or derivations.
    fn deeper<T>(&mut self, element: &Element, body: impl FnOnce(&mut Self) -> Compiled<T>) -> Compiled<T> {
        if self.depth >= DEPTH_MAX {
            return Err(problem(element, format!("groups and derivations nest deeper than {DEPTH_MAX}")));
        }
        self.depth += 1;
        let result = body(self);
        self.depth -= 1;
        result
    }

    /// A named type.
    fn named_type(&mut self, name: &Name, user: &Element) -> Compiled<TypeId> {
        if let Some(known) = self.schema.named.get(name) {
            return Ok(*known);
        }
        if let Some((source, element)) = self.global("complexType", name) {
            return self.complex_id(name, source, element).map(TypeId::Complex);
        }
        let Some((source, element)) = self.global("simpleType", name) else {
            return Err(Self::unresolved(user, "type", name));
        };
        let id = self.deeper(element, |this| this.simple_type(source, element, Some(name)))?;
        self.schema.named.insert(name.clone(), TypeId::Simple(id));
        Ok(TypeId::Simple(id))
    }

    /// The type of an element or attribute: named, in place, or none.
    fn type_of(&mut self, source: Source<'e>, element: &'e Element) -> Compiled<Option<TypeId>> {
        if element.attribute("type").is_some() {
            let name = self.reference(element, "type")?;
            return self.named_type(&name, element).map(Some);
        }
        for part in parts(element) {
            match &*part.name.local {
                "complexType" => return self.anonymous(source, part).map(|id| Some(TypeId::Complex(id))),
                "simpleType" => {
                    let id = self.deeper(part, |this| this.simple_type(source, part, None))?;
                    return Ok(Some(TypeId::Simple(id)));
                }
                _ => {}
            }
        }
        Ok(None)
    }

    fn element_rule(&mut self, source: Source<'e>, element: &'e Element) -> Compiled<ElementRule> {
        for attribute in ["substitutionGroup", "block"] {
            if element.attribute(attribute).is_some() {
                return Err(refused(element, attribute));
            }
        }
        if let Some(part) =
            parts(element).find(|part| matches!(&*part.name.local, "key" | "keyref" | "unique"))
        {
            return Err(refused(part, &part.name.local));
        }
        Ok(ElementRule {
            of: self.type_of(source, element)?.unwrap_or(TypeId::Any),
            nillable: truth(element, "nillable"),
            is_abstract: truth(element, "abstract"),
            fixed: element.attribute("fixed").map(str::to_owned),
        })
    }

    /// A part of a content model; `None` for what is none.
    fn particle(&mut self, source: Source<'e>, element: &'e Element) -> Compiled<Option<Particle>> {
        self.parts += 1;
        if self.parts > PARTS_MAX {
            return Err(problem(element, format!("content models have more than {PARTS_MAX} parts")));
        }
        let (min, max) = occurrences(element)?;
        let term = match &*element.name.local {
            "element" => self.element_term(source, element)?,
            "any" => {
                let process = match element.attribute("processContents") {
                    Some("lax") => Process::Lax,
                    Some("skip") => Process::Skip,
                    _ => Process::Strict,
                };
                Term::Any(spaces(source, element), process)
            }
            "sequence" => Term::Sequence(self.particles(source, element)?),
            "choice" => Term::Choice(self.particles(source, element)?),
            "all" => Term::All(self.particles(source, element)?),
            "group" => {
                let name = self.reference(element, "ref")?;
                let Some((source, group)) = self.global("group", &name) else {
                    return Err(Self::unresolved(element, "group", &name));
                };
                Term::Sequence(self.deeper(group, |this| this.particles(source, group))?)
            }
            _ => return Ok(None),
        };
        Ok((max != Some(0)).then_some(Particle { min, max, term }))
    }

    fn particles(&mut self, source: Source<'e>, element: &'e Element) -> Compiled<Vec<Particle>> {
        let mut out = Vec::new();
        for part in parts(element) {
            match self.particle(source, part)? {
                Some(particle) => out.push(particle),
                None if part.attribute("maxOccurs") == Some("0") => {}
                None => return Err(refused(part, &part.name.local)),
            }
        }
        Ok(out)
    }

    fn element_term(&mut self, source: Source<'e>, element: &'e Element) -> Compiled<Term> {
        if element.attribute("ref").is_some() {
            let name = self.reference(element, "ref")?;
            return match self.global("element", &name) {
                Some(_) => Ok(Term::Element(name, None)),
                None => Err(Self::unresolved(element, "element", &name)),
            };
        }
        let name = source.local_name(element, required(element, "name")?, "elementFormDefault");
        let rule = self.element_rule(source, element)?;
        Ok(Term::Element(name, Some(Box::new(rule))))
    }
}

fn occurrences(element: &Element) -> Compiled<(usize, Option<usize>)> {
    let number = |attribute: &str| match element.attribute(attribute) {
        None => Ok(1),
        Some(text) => text
            .trim()
            .parse()
            .map_err(|_| problem(element, format!("'{attribute}' is '{text}'; a number would be accepted"))),
    };
    let min = number("minOccurs")?;
    if element.attribute("maxOccurs") == Some("unbounded") {
        return Ok((min, None));
    }
    Ok((min, Some(number("maxOccurs")?)))
}

/// The namespaces of a wildcard.
fn spaces(source: Source<'_>, element: &Element) -> Spaces {
    match element.attribute("namespace").unwrap_or("##any").trim() {
        "##any" => Spaces::Any,
        "##other" => Spaces::Other(source.target().to_owned()),
        list => Spaces::Of(
            list.split_whitespace()
                .map(|one| match one {
                    "##targetNamespace" => source.target(),
                    "##local" => "",
                    other => other,
                })
                .map(str::to_owned)
                .collect(),
        ),
    }
}
