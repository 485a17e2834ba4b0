//! XML to JSON.

use super::{ConvertError, DEPTH_MAX, NODES_MAX};
use quick_xml::Reader;
use quick_xml::events::{BytesDecl, BytesRef, BytesStart, Event};
use serde_json::{Map, Value};

/// The attribute `kind` of `xml-to-json`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Attributes and text keep their sigils.
    #[default]
    Direct,
    /// Names that JavaScript can write after a point.
    JavascriptFriendly,
}

/// The attributes of `xml-to-json` that shape the document.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct XmlOptions {
    pub(crate) kind: Kind,
    /// Single children become lists of one.
    pub(crate) always_arrays: bool,
}

/// An element that is being read.
#[derive(Default)]
struct Open {
    name: String,
    attributes: Vec<(String, String)>,
    children: Vec<(String, Value)>,
    text: String,
}

/// How a tree becomes JSON.
trait Shape {
    fn name(&self, name: &str) -> String;
    fn attribute(&self, name: &str) -> Option<String>;
    fn text_member(&self) -> &'static str;
    fn always_arrays(&self) -> bool;
}

struct Policy(XmlOptions);

impl Shape for Policy {
    fn name(&self, name: &str) -> String {
        name.replace(':', "$")
    }

    fn attribute(&self, name: &str) -> Option<String> {
        let name = self.name(name);
        Some(if self.0.kind == Kind::Direct { format!("@{name}") } else { legal(&name) })
    }

    fn text_member(&self) -> &'static str {
        if self.0.kind == Kind::Direct { "#text" } else { "text" }
    }

    fn always_arrays(&self) -> bool {
        self.0.always_arrays
    }
}

/// Elements by local name, without attributes: `body` of a Liquid template.
struct ByLocalName;

impl Shape for ByLocalName {
    fn name(&self, name: &str) -> String {
        name.rsplit(':').next().unwrap_or(name).to_owned()
    }

    fn attribute(&self, _name: &str) -> Option<String> {
        None
    }

    fn text_member(&self) -> &'static str {
        "text"
    }

    fn always_arrays(&self) -> bool {
        false
    }
}

/// Converts a document.
pub(crate) fn xml_to_json(text: &str, options: XmlOptions) -> Result<String, ConvertError> {
    Ok(read(text, &Policy(options))?.to_string())
}

/// A document as nested objects, keyed by local names.
pub(crate) fn elements_by_local_name(text: &str) -> Result<Value, ConvertError> {
    read(text, &ByLocalName)
}

/// A name that can stand after a point (unverified for the original).
fn legal(name: &str) -> String {
    name.chars().map(|c| if c.is_alphanumeric() || c == '_' || c == '$' { c } else { '_' }).collect()
}

fn read(text: &str, shape: &dyn Shape) -> Result<Value, ConvertError> {
    let mut reader = Reader::from_str(text.trim_start_matches('\u{feff}'));
    reader.config_mut().expand_empty_elements = true;
    let mut top = Map::new();
    let mut open: Vec<Open> = Vec::new();
    let (mut nodes, mut ended) = (0usize, false);
    loop {
        let event = reader.read_event().map_err(|error| ConvertError::Xml(error.to_string()))?;
        nodes += 1;
        if nodes > NODES_MAX {
            return Err(ConvertError::TooLarge("200,000 parts"));
        }
        match event {
            Event::Decl(declaration) => {
                if shape.attribute("x").is_some() {
                    read_declaration(&declaration, &mut top);
                }
            }
            Event::DocType(_) => return Err(ConvertError::DocumentType),
            Event::Start(start) => {
                if ended || open.len() >= DEPTH_MAX {
                    let second = ConvertError::Xml("there is a second root element".to_owned());
                    return Err(if ended { second } else { ConvertError::TooLarge("128 levels") });
                }
                open.push(element(&start, shape)?);
                nodes += start.attributes().count();
            }
            Event::End(_) => {
                let Some(done) = open.pop() else { continue };
                let name = shape.name(&done.name);
                let value = value(done, shape);
                match open.last_mut() {
                    Some(parent) => parent.children.push((name, value)),
                    None => {
                        top.insert(name, value);
                        ended = true;
                    }
                }
            }
            Event::Text(part) => {
                push(&mut open, &part.xml10_content())?;
            }
            Event::CData(part) => {
                push(&mut open, &part.xml10_content())?;
            }
            Event::GeneralRef(reference) => {
                let part = resolve(&reference)?;
                push(&mut open, &part)?;
            }
            Event::Comment(_) | Event::PI(_) | Event::Empty(_) => {}
            Event::Eof => break,
        }
    }
    match ended && open.is_empty() {
        true => Ok(Value::Object(top)),
        false => Err(ConvertError::Xml("the root element is missing or has no end".to_owned())),
    }
}

fn push(open: &mut [Open], part: &str) -> Result<(), ConvertError> {
    match open.last_mut() {
        Some(element) => element.text.push_str(part),
        None if part.trim().is_empty() => {}
        None => return Err(ConvertError::Xml("there is text outside of the root element".to_owned())),
    }
    Ok(())
}

fn element(start: &BytesStart<'_>, shape: &dyn Shape) -> Result<Open, ConvertError> {
    let mut open = Open { name: start.name().as_ref().to_owned(), ..Open::default() };
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|error| ConvertError::Xml(error.to_string()))?;
        let Some(name) = shape.attribute(attribute.key.as_ref()) else { continue };
        let value = attribute
            .normalized_value(quick_xml::XmlVersion::Explicit1_0)
            .map_err(|error| ConvertError::Xml(error.to_string()))?;
        open.attributes.push((name, value.into_owned()));
    }
    Ok(open)
}

/// The five entities of the standard, and characters by number.
fn resolve(reference: &BytesRef<'_>) -> Result<String, ConvertError> {
    let failed = |error: String| ConvertError::Xml(error);
    if let Some(c) = reference.resolve_char_ref().map_err(|error| failed(error.to_string()))? {
        return Ok(c.to_string());
    }
    let name: &str = reference;
    let known = quick_xml::escape::resolve_predefined_entity(name);
    known.map(str::to_owned).ok_or_else(|| failed(format!("unknown entity \"{name}\"")))
}

fn read_declaration(declaration: &BytesDecl<'_>, top: &mut Map<String, Value>) {
    let text = |text: &str| Value::String(text.to_owned());
    if let Ok(version) = declaration.version() {
        top.insert("version".to_owned(), text(&version));
    }
    if let Some(Ok(encoding)) = declaration.encoding() {
        top.insert("encoding".to_owned(), text(&encoding));
    }
}

/// A leaf is its text; anything else an object. Siblings of one name become a list.
fn value(open: Open, shape: &dyn Shape) -> Value {
    let Open { attributes, children, text, .. } = open;
    if attributes.is_empty() && children.is_empty() {
        return if text.is_empty() { Value::Null } else { Value::String(text) };
    }
    let mut members = Map::new();
    for (name, value) in attributes {
        members.insert(name, Value::String(value));
    }
    let text = if children.is_empty() { text.as_str() } else { text.trim() };
    if !text.is_empty() {
        members.insert(shape.text_member().to_owned(), Value::String(text.to_owned()));
    }
    for (name, value) in children {
        match members.get_mut(&name) {
            Some(Value::Array(items)) => items.push(value),
            Some(first) => *first = Value::Array(vec![first.take(), value]),
            None if shape.always_arrays() => {
                members.insert(name, Value::Array(vec![value]));
            }
            None => {
                members.insert(name, value);
            }
        }
    }
    Value::Object(members)
}
