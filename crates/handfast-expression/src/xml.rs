//! The tree of LINQ to XML: nodes shared by reference, changed in place, each with its parent. `XmlDocument`
//! is a view of the same tree.
//!
//! Sources: XML 1.0 (fifth edition), Namespaces in XML 1.0, and the documented output of `XNode.ToString`. Document
//! type declarations are refused, so there are no entities but the five of the standard.

mod read;
mod write;
pub(crate) mod xpath;

pub(crate) use read::parse;

use crate::value::lock;
use std::sync::{Arc, Mutex, Weak};

/// Deepest nesting of elements.
pub(crate) const DEPTH_MAX: usize = 256;
/// Attributes of one element.
pub(crate) const ATTRIBUTES_MAX: usize = 4096;
/// The namespace of namespace declarations.
pub(crate) const XMLNS: &str = "http://www.w3.org/2000/xmlns/";
/// The namespace that the prefix `xml` is bound to.
pub(crate) const XML: &str = "http://www.w3.org/XML/1998/namespace";

/// A name with its namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Name {
    /// The namespace, empty for none.
    pub(crate) space: Arc<str>,
    /// The local part.
    pub(crate) local: Arc<str>,
}

impl Name {
    pub(crate) fn new(space: &str, local: &str) -> Self {
        Self { space: Arc::from(space), local: Arc::from(local) }
    }

    /// From `local` or `{namespace}local`.
    pub(crate) fn expanded(text: &str) -> Self {
        match text.strip_prefix('{').and_then(|rest| rest.rsplit_once('}')) {
            Some((space, local)) => Self::new(space, local),
            None => Self::new("", text),
        }
    }
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.space.is_empty() {
            f.write_str(&self.local)
        } else {
            write!(f, "{{{}}}{}", self.space, self.local)
        }
    }
}

/// What a node is.
#[derive(Clone)]
pub(crate) enum Kind {
    Document {
        declaration: Option<Declaration>,
        nodes: Vec<Node>,
    },
    /// `open` when an element without content is written with an end tag.
    Element {
        name: Name,
        attributes: Vec<Node>,
        nodes: Vec<Node>,
        open: bool,
    },
    Attribute {
        name: Name,
        value: String,
    },
    Text(String),
    CData(String),
    Comment(String),
    Instruction {
        target: String,
        data: String,
    },
}

/// An XML declaration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Declaration {
    pub(crate) version: Option<String>,
    pub(crate) encoding: Option<String>,
    pub(crate) standalone: Option<String>,
}

struct Inner {
    kind: Mutex<Kind>,
    parent: Mutex<Weak<Inner>>,
}

/// A node; clones are the same node. Beside it stands the root that it was reached from, so that a node keeps its
/// parents as long as it is held. Nodes inside a tree stand without: they would hold it forever.
#[derive(Clone)]
pub struct Node(Arc<Inner>, Option<Arc<Inner>>);

/// Long chains are taken apart one by one, not by recursion.
impl Drop for Inner {
    fn drop(&mut self) {
        let mut pending = Vec::new();
        let take = |kind: &mut Kind, pending: &mut Vec<Node>| {
            if let Kind::Document { nodes, .. } | Kind::Element { nodes, .. } = kind {
                pending.append(nodes);
            }
        };
        take(self.kind.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner), &mut pending);
        while let Some(node) = pending.pop() {
            if let Some(mut inner) = Arc::into_inner(node.0) {
                take(inner.kind.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner), &mut pending);
            }
        }
    }
}

impl Node {
    pub(crate) fn new(kind: Kind) -> Self {
        let all = |nodes: Vec<Self>| nodes.into_iter().map(Self::bare).collect();
        let kind = match kind {
            Kind::Document { declaration, nodes } => Kind::Document { declaration, nodes: all(nodes) },
            Kind::Element { name, attributes, nodes, open } => {
                Kind::Element { name, attributes: all(attributes), nodes: all(nodes), open }
            }
            leaf => leaf,
        };
        let node = Self(Arc::new(Inner { kind: Mutex::new(kind), parent: Mutex::new(Weak::new()) }), None);
        for child in node.attributes().iter().chain(&node.nodes()) {
            *lock(&child.0.parent) = Arc::downgrade(&node.0);
        }
        node
    }

    /// The node without what keeps its parents.
    fn bare(self) -> Self {
        Self(self.0, None)
    }

    /// Another node of the same tree.
    fn beside(&self, node: &Self) -> Self {
        Self(node.0.clone(), Some(self.1.clone().unwrap_or_else(|| self.0.clone())))
    }

    pub(crate) fn element(name: Name) -> Self {
        Self::new(Kind::Element { name, attributes: Vec::new(), nodes: Vec::new(), open: false })
    }

    pub(crate) fn document() -> Self {
        Self::new(Kind::Document { declaration: None, nodes: Vec::new() })
    }

    pub(crate) fn attribute_of(name: Name, value: &str) -> Self {
        Self::new(Kind::Attribute { name, value: value.to_owned() })
    }

    pub(crate) fn text(text: &str) -> Self {
        Self::new(Kind::Text(text.to_owned()))
    }

    /// Looks at what the node is.
    pub(crate) fn look<T>(&self, body: impl FnOnce(&Kind) -> T) -> T {
        body(&lock(&self.0.kind))
    }

    pub(crate) fn change<T>(&self, body: impl FnOnce(&mut Kind) -> T) -> T {
        body(&mut lock(&self.0.kind))
    }

    /// The class that the node is of.
    pub fn class(&self) -> &'static str {
        self.look(|kind| match kind {
            Kind::Document { .. } => "XDocument",
            Kind::Element { .. } => "XElement",
            Kind::Attribute { .. } => "XAttribute",
            Kind::Text(_) => "XText",
            Kind::CData(_) => "XCData",
            Kind::Comment(_) => "XComment",
            Kind::Instruction { .. } => "XProcessingInstruction",
        })
    }

    pub(crate) fn is_element(&self) -> bool {
        self.look(|kind| matches!(kind, Kind::Element { .. }))
    }

    pub(crate) fn is_attribute(&self) -> bool {
        self.look(|kind| matches!(kind, Kind::Attribute { .. }))
    }

    /// Tells nodes apart while they live.
    pub(crate) fn address(&self) -> usize {
        Arc::as_ptr(&self.0).addr()
    }

    pub(crate) fn same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    pub(crate) fn parent(&self) -> Option<Self> {
        lock(&self.0.parent).upgrade().map(|node| Self(node, self.1.clone()))
    }

    /// Name of an element or attribute; the target of an instruction.
    pub(crate) fn name(&self) -> Option<Name> {
        self.look(|kind| match kind {
            Kind::Element { name, .. } | Kind::Attribute { name, .. } => Some(name.clone()),
            Kind::Instruction { target, .. } => Some(Name::new("", target)),
            _ => None,
        })
    }

    pub(crate) fn nodes(&self) -> Vec<Self> {
        self.look(|kind| match kind {
            Kind::Document { nodes, .. } | Kind::Element { nodes, .. } => {
                nodes.iter().map(|node| self.beside(node)).collect()
            }
            _ => Vec::new(),
        })
    }

    pub(crate) fn attributes(&self) -> Vec<Self> {
        self.look(|kind| match kind {
            Kind::Element { attributes, .. } => attributes.iter().map(|node| self.beside(node)).collect(),
            _ => Vec::new(),
        })
    }

    pub(crate) fn elements(&self) -> Vec<Self> {
        self.nodes().into_iter().filter(Self::is_element).collect()
    }

    pub(crate) fn child(&self, name: &Name) -> Option<Self> {
        self.elements().into_iter().find(|child| child.name().as_ref() == Some(name))
    }

    pub(crate) fn attribute(&self, name: &Name) -> Option<Self> {
        self.attributes().into_iter().find(|found| found.name().as_ref() == Some(name))
    }

    /// All nodes below, in document order.
    pub(crate) fn descendants(&self) -> Vec<Self> {
        let mut out = Vec::new();
        let mut pending: Vec<Self> = self.nodes();
        pending.reverse();
        while let Some(node) = pending.pop() {
            let mut below = node.nodes();
            below.reverse();
            out.push(node);
            pending.append(&mut below);
        }
        out
    }

    /// The text of the node and everything below it.
    pub(crate) fn value(&self) -> String {
        let own = |node: &Self| {
            node.look(|kind| match kind {
                Kind::Attribute { value, .. } => Some(value.clone()),
                Kind::Text(text) | Kind::CData(text) => Some(text.clone()),
                _ => None,
            })
        };
        let special = self.look(|kind| match kind {
            Kind::Comment(text) => Some(text.clone()),
            Kind::Instruction { data, .. } => Some(data.clone()),
            _ => None,
        });
        match special.or_else(|| own(self)) {
            Some(text) => text,
            None => self.descendants().iter().filter_map(own).collect(),
        }
    }

    /// Replaces what [`Self::value`] gives.
    pub(crate) fn set_value(&self, new: &str) {
        let container = self.look(|kind| matches!(kind, Kind::Document { .. } | Kind::Element { .. }));
        if container {
            self.remove_nodes();
            if !new.is_empty() {
                self.insert(usize::MAX, Self::text(new));
            }
            self.change(|kind| {
                if let Kind::Element { open, .. } = kind {
                    *open = true;
                }
            });
            return;
        }
        self.change(|kind| match kind {
            Kind::Attribute { value, .. } => *value = new.to_owned(),
            Kind::Text(text) | Kind::CData(text) | Kind::Comment(text) => *text = new.to_owned(),
            Kind::Instruction { data, .. } => *data = new.to_owned(),
            _ => {}
        });
    }

    pub(crate) fn deep_clone(&self) -> Self {
        let all = |nodes: &[Self]| nodes.iter().map(Self::deep_clone).collect();
        Self::new(self.look(|kind| match kind {
            Kind::Document { declaration, nodes } => {
                Kind::Document { declaration: declaration.clone(), nodes: all(nodes) }
            }
            Kind::Element { name, attributes, nodes, open } => Kind::Element {
                name: name.clone(),
                attributes: all(attributes),
                nodes: all(nodes),
                open: *open,
            },
            other => other.clone(),
        }))
    }

    /// The node itself, or a copy when it already has a parent.
    pub(crate) fn free(self) -> Self {
        if self.parent().is_some() { self.deep_clone() } else { self }
    }

    /// Inserts a node among the children; a text joins a text before it.
    pub(crate) fn insert(&self, at: usize, child: Self) {
        let child = child.free().bare();
        *lock(&child.0.parent) = Arc::downgrade(&self.0);
        self.change(|kind| {
            if let Kind::Document { nodes, .. } | Kind::Element { nodes, .. } = kind {
                nodes.insert(at.min(nodes.len()), child);
            }
        });
    }

    /// Adds an attribute, or replaces the one of its name.
    pub(crate) fn put_attribute(&self, attribute: Self) {
        let attribute = attribute.free().bare();
        let name = attribute.name();
        *lock(&attribute.0.parent) = Arc::downgrade(&self.0);
        let old = self.attributes().iter().position(|found| found.name() == name);
        self.change(|kind| {
            if let Kind::Element { attributes, .. } = kind {
                match old.and_then(|at| attributes.get_mut(at)) {
                    Some(place) => *place = attribute,
                    None => attributes.push(attribute),
                }
            }
        });
    }

    /// Where the node stands among its siblings.
    pub(crate) fn position(&self) -> Option<(Self, usize)> {
        let parent = self.parent()?;
        let siblings = if self.is_attribute() { parent.attributes() } else { parent.nodes() };
        let at = siblings.iter().position(|node| node.same(self))?;
        Some((parent, at))
    }

    /// Takes the node out of its parent; whether it had one.
    pub(crate) fn detach(&self) -> bool {
        let Some((parent, at)) = self.position() else { return false };
        let attribute = self.is_attribute();
        parent.change(|kind| match kind {
            Kind::Element { attributes, .. } if attribute => drop(attributes.remove(at)),
            Kind::Document { nodes, .. } | Kind::Element { nodes, .. } => drop(nodes.remove(at)),
            _ => {}
        });
        *lock(&self.0.parent) = Weak::new();
        true
    }

    pub(crate) fn remove_nodes(&self) {
        for node in self.nodes() {
            node.detach();
        }
    }

    pub(crate) fn remove_attributes(&self) {
        for attribute in self.attributes() {
            attribute.detach();
        }
    }

    /// The outermost node.
    pub(crate) fn root(&self) -> Self {
        let mut at = self.clone();
        while let Some(parent) = at.parent() {
            at = parent;
        }
        at
    }

    pub(crate) fn ancestors(&self) -> Vec<Self> {
        let mut out = Vec::new();
        let mut at = self.parent();
        while let Some(node) = at {
            at = node.parent();
            out.push(node);
        }
        out
    }

    /// How deep the node's own tree is.
    pub(crate) fn depth(&self) -> usize {
        self.ancestors().len()
    }

    /// The namespace that a prefix stands for here.
    pub(crate) fn namespace_of(&self, prefix: &str) -> Option<String> {
        if prefix == "xml" {
            return Some(XML.to_owned());
        }
        let wanted = if prefix.is_empty() { Name::new("", "xmlns") } else { Name::new(XMLNS, prefix) };
        let declared = |node: &Self| node.attribute(&wanted).map(|attribute| attribute.value());
        declared(self).or_else(|| self.ancestors().iter().find_map(declared))
    }

    /// The prefix that is bound to a namespace here, empty for the default.
    pub(crate) fn prefix_of(&self, space: &str) -> Option<String> {
        let declared = |node: &Self| {
            node.attributes().iter().find_map(|attribute| {
                let name = attribute.name()?;
                let prefix = match (&*name.space, &*name.local) {
                    ("", "xmlns") => "",
                    (XMLNS, local) => local,
                    _ => return None,
                };
                (attribute.value() == space).then(|| prefix.to_owned())
            })
        };
        declared(self).or_else(|| self.ancestors().iter().find_map(declared))
    }

    /// The text, as `ToString` gives it; `plain` without indentation.
    pub(crate) fn to_text(&self, plain: bool) -> String {
        write::text(self, plain)
    }

    /// The text of the children only.
    pub(crate) fn inner_text(&self) -> String {
        self.nodes().iter().map(|node| node.to_text(true)).collect()
    }

    /// Structure and content compared.
    pub(crate) fn deep_equals(&self, other: &Self) -> bool {
        self.class() == other.class() && self.to_text(true) == other.to_text(true)
    }
}
