//! XML text to a tree of elements that know their place, for schemas and for messages that are judged by them.
//!
//! Sources: XML 1.0 (fifth edition) and Namespaces in XML 1.0, over `quick-xml`. Document type declarations are
//! refused, so there are no entities but the five of the standard. Places are those of .NET's reader: line and
//! position from 1, at the first character of an element's name.

use crate::json::Place;
use quick_xml::XmlVersion;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesStart, Event};
use quick_xml::reader::Reader;
use std::collections::HashSet;
use std::sync::Arc;

/// Deepest nesting of elements.
const DEPTH_MAX: usize = 256;
/// Attributes of one element.
const ATTRIBUTES_MAX: usize = 1_024;
/// The namespace that the prefix `xml` is bound to.
const XML: &str = "http://www.w3.org/XML/1998/namespace";

/// A name with its namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Name {
    /// Empty for none.
    pub(crate) space: Arc<str>,
    pub(crate) local: Arc<str>,
}

impl Name {
    pub(crate) fn new(space: &str, local: &str) -> Self {
        Self { space: space.into(), local: local.into() }
    }

    pub(crate) fn is(&self, space: &str, local: &str) -> bool {
        &*self.space == space && &*self.local == local
    }
}

/// An element.
#[derive(Debug)]
pub(crate) struct Element {
    pub(crate) name: Name,
    /// Without namespace declarations.
    pub(crate) attributes: Vec<(Name, String)>,
    pub(crate) children: Vec<Node>,
    /// The name in the start tag.
    pub(crate) start: Place,
    /// The name in the end tag.
    pub(crate) end: Place,
    scope: Option<Arc<Scope>>,
}

/// What stands in an element.
#[derive(Debug)]
pub(crate) enum Node {
    Element(Element),
    Text(String),
}

/// Prefixes bound by an element, and those around it.
#[derive(Debug)]
struct Scope {
    bound: Vec<(String, Arc<str>)>,
    outer: Option<Arc<Scope>>,
}

/// Why a text is not XML.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message} Line {line}, position {position}.", line = place.line, position = place.position)]
pub struct XmlError {
    /// What was found.
    pub message: String,
    /// Where.
    pub place: Place,
}

impl XmlError {
    /// Stable code.
    pub fn code(&self) -> &'static str {
        "InvalidXml"
    }
}

impl Element {
    /// An attribute without namespace.
    pub(crate) fn attribute(&self, local: &str) -> Option<&str> {
        self.attribute_in("", local)
    }

    pub(crate) fn attribute_in(&self, space: &str, local: &str) -> Option<&str> {
        self.attributes.iter().find(|(name, _)| name.is(space, local)).map(|(_, value)| value.as_str())
    }

    pub(crate) fn elements(&self) -> impl Iterator<Item = &Self> {
        self.children.iter().filter_map(|node| match node {
            Node::Element(element) => Some(element),
            Node::Text(_) => None,
        })
    }

    /// The text directly in the element.
    pub(crate) fn text(&self) -> String {
        let texts = self.children.iter().filter_map(|node| match node {
            Node::Text(text) => Some(text.as_str()),
            Node::Element(_) => None,
        });
        texts.collect()
    }

    /// What a prefix stands for here; the empty one is the default namespace.
    pub(crate) fn namespace(&self, prefix: &str) -> Option<Arc<str>> {
        lookup(self.scope.as_ref(), prefix)
    }

    /// The name that a `prefix:local` in an attribute value or text means here.
    pub(crate) fn resolve(&self, qualified: &str) -> Option<Name> {
        let qualified = qualified.trim();
        let (prefix, local) = qualified.split_once(':').unwrap_or(("", qualified));
        let space = match self.namespace(prefix) {
            Some(space) => space,
            None if prefix.is_empty() => "".into(),
            None => return None,
        };
        Some(Name { space, local: local.into() })
    }
}

fn lookup(scope: Option<&Arc<Scope>>, prefix: &str) -> Option<Arc<str>> {
    if prefix == "xml" {
        return Some(XML.into());
    }
    let mut at = scope;
    while let Some(scope) = at {
        if let Some((_, space)) = scope.bound.iter().find(|(bound, _)| bound == prefix) {
            return Some(space.clone());
        }
        at = scope.outer.as_ref();
    }
    None
}

/// Reads a document.
pub(crate) fn parse(text: &str) -> Result<Element, XmlError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = Reader::from_str(text);
    reader.config_mut().check_end_names = true;
    Builder { text, reader, counted: (0, Place { line: 1, position: 1 }), open: Vec::new(), root: None }
        .read()
}

struct Builder<'t> {
    text: &'t str,
    reader: Reader<&'t [u8]>,
    /// A byte offset whose place is known.
    counted: (usize, Place),
    open: Vec<Element>,
    root: Option<Element>,
}

impl Builder<'_> {
    /// The place of a byte offset; offsets only grow.
    fn place(&mut self, offset: usize) -> Place {
        let (from, mut place) = self.counted;
        for c in self.text.get(from..offset).unwrap_or_default().chars() {
            if c == '\n' {
                (place.line, place.position) = (place.line + 1, 1);
            } else {
                place.position += 1;
            }
        }
        self.counted = (offset.max(from), place);
        place
    }

    fn error(&mut self, offset: usize, message: impl Into<String>) -> XmlError {
        let place = self.place(offset);
        XmlError { message: message.into(), place }
    }

    fn read(mut self) -> Result<Element, XmlError> {
        loop {
            let before = usize::try_from(self.reader.buffer_position()).unwrap_or(usize::MAX);
            let event = match self.reader.read_event() {
                Ok(event) => event,
                Err(error) => return Err(self.error(before, format!("{error}."))),
            };
            match event {
                Event::Start(tag) => {
                    let element = self.element(before, &tag)?;
                    self.open.push(element);
                }
                Event::Empty(tag) => {
                    let element = self.element(before, &tag)?;
                    self.close(element, before)?;
                }
                Event::End(_) => {
                    let end = self.place(before + 2);
                    if let Some(mut element) = self.open.pop() {
                        element.end = end;
                        self.close(element, before)?;
                    }
                }
                Event::Text(text) => {
                    let text = text.to_string();
                    self.characters(&text, before)?;
                }
                Event::CData(data) => {
                    let text = data.to_string();
                    self.characters(&text, before)?;
                }
                Event::GeneralRef(reference) => {
                    let name = reference.to_string();
                    let text = match reference.resolve_char_ref() {
                        Ok(Some(c)) => Some(c.to_string()),
                        Ok(None) => resolve_predefined_entity(&name).map(str::to_owned),
                        Err(_) => None,
                    };
                    let Some(text) = text else {
                        return Err(self.error(before, format!("Reference to undeclared entity '{name}'.")));
                    };
                    self.characters(&text, before)?;
                }
                Event::DocType(_) => {
                    return Err(
                        self.error(before, "For security reasons DTD is prohibited in this XML document.")
                    );
                }
                Event::Comment(_) | Event::PI(_) | Event::Decl(_) => {}
                Event::Eof => break,
            }
        }
        if let Some(open) = self.open.last() {
            let message =
                format!("Unexpected end of file has occurred. '{}' is not closed.", open.name.local);
            return Err(self.error(self.text.len(), message));
        }
        match self.root.take() {
            Some(root) => Ok(root),
            None => Err(self.error(self.text.len(), "Root element is missing.")),
        }
    }

    fn characters(&mut self, text: &str, offset: usize) -> Result<(), XmlError> {
        match self.open.last_mut() {
            Some(element) => match element.children.last_mut() {
                Some(Node::Text(before)) => before.push_str(text),
                _ => element.children.push(Node::Text(text.to_owned())),
            },
            None if text.trim().is_empty() => {}
            None => return Err(self.error(offset, "Data at the root level is invalid.")),
        }
        Ok(())
    }

    fn close(&mut self, element: Element, offset: usize) -> Result<(), XmlError> {
        match self.open.last_mut() {
            Some(parent) => parent.children.push(Node::Element(element)),
            None if self.root.is_none() => self.root = Some(element),
            None => return Err(self.error(offset, "There are multiple root elements.")),
        }
        Ok(())
    }

    fn element(&mut self, before: usize, tag: &BytesStart<'_>) -> Result<Element, XmlError> {
        let start = self.place(before + 1);
        let fail = |message: String| XmlError { message, place: start };
        if self.open.len() >= DEPTH_MAX {
            return Err(fail(format!("Elements nest deeper than {DEPTH_MAX}.")));
        }
        let (mut bound, mut plain) = (Vec::new(), Vec::new());
        for attribute in tag.attributes() {
            let attribute = attribute.map_err(|error| fail(format!("{error}.")))?;
            let name = attribute.key.as_ref().to_owned();
            let value = attribute
                .normalized_value(XmlVersion::Explicit1_0)
                .map_err(|error| fail(format!("{error}.")))?
                .into_owned();
            match name.strip_prefix("xmlns") {
                Some("") => bound.push((String::new(), value.into())),
                Some(prefix) if prefix.starts_with(':') => {
                    bound.push((prefix.trim_start_matches(':').to_owned(), value.into()));
                }
                _ => plain.push((name, value)),
            }
            if plain.len() + bound.len() > ATTRIBUTES_MAX {
                return Err(fail(format!("An element has more than {ATTRIBUTES_MAX} attributes.")));
            }
        }
        let outer = self.open.last().and_then(|parent| parent.scope.clone());
        let scope = if bound.is_empty() { outer } else { Some(Arc::new(Scope { bound, outer })) };
        let resolve = |qualified: &str, default: bool| -> Result<Name, XmlError> {
            let (prefix, local) = qualified.split_once(':').unwrap_or(("", qualified));
            let space = match lookup(scope.as_ref(), prefix) {
                Some(space) if default || !prefix.is_empty() => space,
                _ if prefix.is_empty() => "".into(),
                _ => return Err(fail(format!("'{prefix}' is an undeclared prefix."))),
            };
            Ok(Name { space, local: local.into() })
        };
        let name = resolve(tag.name().as_ref(), true)?;
        let mut attributes = Vec::with_capacity(plain.len());
        let mut known = HashSet::new();
        for (qualified, value) in plain {
            let name = resolve(&qualified, false)?;
            if !known.insert(name.clone()) {
                return Err(fail(format!("'{qualified}' is a duplicate attribute name.")));
            }
            attributes.push((name, value));
        }
        Ok(Element { name, attributes, children: Vec::new(), start, end: start, scope })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_places_and_texts_are_read() {
        let root = parse("<?xml version=\"1.0\"?>\n<a:r xmlns:a='urn:a' xmlns='urn:d' a:k='1' k='2'>\n  x &amp; <![CDATA[<y>]]>\n <b/></a:r>").expect("XML");
        assert!(root.name.is("urn:a", "r"));
        assert_eq!((root.attribute_in("urn:a", "k"), root.attribute("k")), (Some("1"), Some("2")));
        assert_eq!(root.text().trim(), "x & <y>");
        let child = root.elements().next().expect("a child");
        assert!(child.name.is("urn:d", "b"));
        assert_eq!(
            (root.start, child.start),
            (Place { line: 2, position: 2 }, Place { line: 4, position: 3 })
        );
        assert_eq!(root.end, Place { line: 4, position: 8 });
        assert_eq!(root.resolve("a:t"), Some(Name::new("urn:a", "t")));
    }

    #[test]
    fn what_is_not_well_formed_is_refused() {
        for text in [
            "",
            "x",
            "<a>",
            "<a></b>",
            "<a/><b/>",
            "<!DOCTYPE a><a/>",
            "<p:a/>",
            "<a>&x;</a>",
            "<a b='1' b='2'/>",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
