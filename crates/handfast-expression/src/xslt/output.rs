//! The result: a tree that is built from instructions, and its text by one of the output methods (§16).

use super::{RESULT_BYTES_MAX, XsltError};
use crate::xml::{Kind, Name, Node, XMLNS};

/// What is being made: open elements and the text that joins.
pub(super) struct Builder {
    open: Vec<Node>,
    text: String,
    bytes: usize,
}

impl Default for Builder {
    fn default() -> Self {
        Self { open: vec![Node::document()], text: String::new(), bytes: 0 }
    }
}

type Done = Result<(), XsltError>;

impl Builder {
    fn spend(&mut self, bytes: usize) -> Done {
        self.bytes += bytes;
        match self.bytes <= RESULT_BYTES_MAX {
            true => Ok(()),
            false => Err(XsltError::Limit(format!("the result is larger than {RESULT_BYTES_MAX} bytes"))),
        }
    }

    fn top(&self) -> Option<&Node> {
        self.open.last()
    }

    fn flush(&mut self) {
        if self.text.is_empty() {
            return;
        }
        let text = std::mem::take(&mut self.text);
        if let Some(top) = self.top() {
            top.insert(usize::MAX, Node::text(&text));
        }
    }

    pub(super) fn text(&mut self, text: &str) -> Done {
        self.spend(text.len())?;
        self.text.push_str(text);
        Ok(())
    }

    pub(super) fn open(&mut self, name: Name, prefixes: &[(String, String)]) -> Done {
        self.spend(name.local.len() + 2)?;
        if self.open.len() > crate::xml::DEPTH_MAX {
            let text = format!("elements of the result nest deeper than {}", crate::xml::DEPTH_MAX);
            return Err(XsltError::Limit(text));
        }
        self.flush();
        let own = name.space.clone();
        let element = Node::element(name);
        if let Some(top) = self.top() {
            top.insert(usize::MAX, element.clone());
        }
        for (prefix, space) in prefixes {
            self.bind_on(&element, prefix, space);
        }
        if own.is_empty() && element.namespace_of("").is_some_and(|around| !around.is_empty()) {
            element.put_attribute(Node::attribute_of(Name::new("", "xmlns"), ""));
        }
        self.open.push(element);
        Ok(())
    }

    /// Binds a prefix at an element unless it is so bound already; those of the element itself stay.
    pub(super) fn bind_on(&self, element: &Node, prefix: &str, space: &str) {
        let name = if prefix.is_empty() { Name::new("", "xmlns") } else { Name::new(XMLNS, prefix) };
        let around = match self.top().filter(|_| element.parent().is_none()) {
            Some(top) => top.namespace_of(prefix),
            None => element.namespace_of(prefix),
        };
        let bound = around.as_deref().unwrap_or_default() == space || element.attribute(&name).is_some();
        // An element without namespace cannot stand under a default namespace.
        let unnamed = prefix.is_empty() && element.name().is_some_and(|name| name.space.is_empty());
        if !bound && !unnamed && prefix != "xml" && (prefix.is_empty() || !space.is_empty()) {
            element.put_attribute(Node::attribute_of(name, space));
        }
    }

    /// Binds a prefix at the element that is open.
    pub(super) fn bind(&self, prefix: &str, space: &str) {
        if let Some(top) = self.top().filter(|top| top.is_element()) {
            self.bind_on(top, prefix, space);
        }
    }

    pub(super) fn close(&mut self) -> Done {
        self.flush();
        self.open.pop();
        Ok(())
    }

    pub(super) fn attribute(&mut self, name: Name, value: &str) -> Done {
        self.spend(name.local.len() + value.len())?;
        match self.top() {
            Some(top) if top.is_element() && self.text.is_empty() && top.nodes().is_empty() => {
                top.put_attribute(Node::attribute_of(name, value));
                Ok(())
            }
            // One that comes too late, or has no element, is left out (§7.1.3).
            _ => Ok(()),
        }
    }

    /// A finished node.
    pub(super) fn add(&mut self, node: Node) -> Done {
        let size = 16 + node.descendants().len() * 16;
        self.spend(size)?;
        self.flush();
        if let Some(top) = self.top() {
            top.insert(usize::MAX, node);
        }
        Ok(())
    }

    /// The document of what was made.
    pub(super) fn finish(mut self) -> Result<Node, XsltError> {
        self.flush();
        self.open.into_iter().next().ok_or_else(|| XsltError::Failed("nothing was made".to_owned()))
    }
}

/// The output methods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Method {
    Xml,
    Html,
    Text,
}

/// `xsl:output`.
#[derive(Clone, Debug, Default)]
pub(super) struct Output {
    method: Option<Method>,
    omit: Option<bool>,
    indent: Option<bool>,
    standalone: Option<bool>,
}

impl Output {
    pub(super) fn set(&mut self, get: &dyn Fn(&str) -> Option<String>) -> Result<(), String> {
        let truth = |name: &str| get(name).map(|text| text.trim() == "yes");
        match get("method").as_deref() {
            None => {}
            Some("xml") => self.method = Some(Method::Xml),
            Some("html") => self.method = Some(Method::Html),
            Some("text") => self.method = Some(Method::Text),
            Some(other) => {
                return Err(format!(
                    "the output method '{other}' is not available; xml, html and text would be accepted"
                ));
            }
        }
        let encoding = get("encoding").unwrap_or_default();
        if !encoding.is_empty() && !encoding.eq_ignore_ascii_case("utf-8") {
            return Err(format!("the encoding '{encoding}' is not available; utf-8 would be accepted"));
        }
        self.omit = truth("omit-xml-declaration").or(self.omit);
        self.indent = truth("indent").or(self.indent);
        self.standalone = truth("standalone").or(self.standalone);
        Ok(())
    }

    pub(super) fn text(&self, result: &Node) -> Result<String, XsltError> {
        let text = match self.method.unwrap_or_else(|| natural(result)) {
            Method::Text => result.value(),
            Method::Html => {
                let mut out = String::new();
                result.nodes().iter().for_each(|node| html(node, &mut out));
                out
            }
            Method::Xml => self.xml(result),
        };
        match text.len() <= RESULT_BYTES_MAX {
            true => Ok(text),
            false => Err(XsltError::Limit(format!("the result is larger than {RESULT_BYTES_MAX} bytes"))),
        }
    }

    fn xml(&self, result: &Node) -> String {
        let indent = self.indent.unwrap_or(false);
        let body = result.to_text(!indent);
        if self.omit.unwrap_or(false) {
            return body;
        }
        let standalone = match self.standalone {
            Some(true) => " standalone=\"yes\"",
            Some(false) => " standalone=\"no\"",
            None => "",
        };
        let line = if indent { "\n" } else { "" };
        format!("<?xml version=\"1.0\" encoding=\"utf-8\"{standalone}?>{line}{body}")
    }
}

/// HTML when the first element is `html` and no text stands before it (§16).
fn natural(result: &Node) -> Method {
    for node in result.nodes() {
        if node.is_element() {
            let name = node.name().unwrap_or_default();
            let html = name.space.is_empty() && name.local.eq_ignore_ascii_case("html");
            return if html { Method::Html } else { Method::Xml };
        }
        if node.look(|kind| matches!(kind, Kind::Text(text) if !text.trim().is_empty())) {
            break;
        }
    }
    Method::Xml
}

/// Elements of HTML that have no end tag.
const VOID: &[&str] = &[
    "area", "base", "basefont", "br", "col", "frame", "hr", "img", "input", "isindex", "link", "meta",
    "param",
];

fn html(node: &Node, out: &mut String) {
    enum What {
        Text(String),
        Comment(String),
        Instruction(String, String),
        Element(Name),
        Other,
    }
    let what = node.look(|kind| match kind {
        Kind::Text(text) | Kind::CData(text) => What::Text(text.clone()),
        Kind::Comment(text) => What::Comment(text.clone()),
        Kind::Instruction { target, data } => What::Instruction(target.clone(), data.clone()),
        Kind::Element { name, .. } => What::Element(name.clone()),
        _ => What::Other,
    });
    match what {
        What::Text(text) => out.push_str(&escaped(&text, false)),
        What::Comment(text) => out.push_str(&format!("<!--{text}-->")),
        What::Instruction(target, data) => out.push_str(&format!("<?{target} {data}>")),
        What::Element(name) if name.space.is_empty() => html_element(node, &name.local, out),
        What::Element(_) => out.push_str(&node.to_text(true)),
        What::Other => {}
    }
}

fn html_element(node: &Node, name: &str, out: &mut String) {
    out.push('<');
    out.push_str(name);
    for attribute in node.attributes() {
        let of = attribute.name().unwrap_or_default();
        if of.space.is_empty() && &*of.local != "xmlns" {
            out.push_str(&format!(" {}=\"{}\"", of.local, escaped(&attribute.value(), true)));
        }
    }
    out.push('>');
    let lower = name.to_ascii_lowercase();
    if VOID.contains(&lower.as_str()) {
        return;
    }
    match matches!(lower.as_str(), "script" | "style") {
        true => out.push_str(&node.value()),
        false => node.nodes().iter().for_each(|child| html(child, out)),
    }
    out.push_str(&format!("</{name}>"));
}

/// In HTML, `<` of an attribute stays as it is (§16.2).
fn escaped(text: &str, attribute: bool) -> String {
    let text = text.replace('&', "&amp;");
    match attribute {
        true => text.replace('"', "&quot;"),
        false => text.replace('<', "&lt;").replace('>', "&gt;"),
    }
}
