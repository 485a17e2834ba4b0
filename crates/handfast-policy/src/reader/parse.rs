//! The parser behind [`super::read`]: one loop over the text with a stack of open elements.

use super::entity::{decode_outside_strings, decode_strict, decode_tolerant};
use super::scan::expression_len;
use super::{ReadError, Tree, ValueSpan};
use crate::position::Locator;
use crate::tree::{Attribute, Element, Node, Value};

/// The deepest nesting of elements.
const DEPTH_MAX: usize = 128;
/// The most attributes of one element.
const ATTRIBUTES_MAX: usize = 128;
/// How many bytes, as a multiple of the text's length, scans that find no expression may look at.
const FAILED_SCAN_FACTOR: usize = 16;

/// How forgiving the parser is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// XML 1.0.
    Strict,
    /// Raw expressions; `well_formed` says that the text is XML too, so entities are decoded everywhere.
    Tolerant { well_formed: bool },
}

struct Open {
    element: Element,
    tag_at: usize,
    content_at: usize,
}

struct Parser<'t> {
    text: &'t str,
    bytes: &'t [u8],
    at: usize,
    mode: Mode,
    locator: Locator<'t>,
    failed_scan: usize,
    spans: Vec<ValueSpan>,
}

/// Parses a whole text.
pub(crate) fn parse(text: &str, mode: Mode) -> Result<Tree, ReadError> {
    let mut parser = Parser {
        text,
        bytes: text.as_bytes(),
        at: 0,
        mode,
        locator: Locator::new(text),
        failed_scan: 0,
        spans: Vec::new(),
    };
    if text.starts_with('\u{feff}') {
        parser.at = 3;
    }
    let root = parser.document()?;
    let well_formed = mode != Mode::Tolerant { well_formed: false };
    Ok(Tree { root, well_formed, spans: parser.spans })
}

impl Parser<'_> {
    fn document(&mut self) -> Result<Element, ReadError> {
        self.misc()?;
        match self.peek() {
            None => return Err(self.error(self.at, "Root element is missing.")),
            Some(b'<') => {}
            Some(_) => return Err(self.error(self.at, "Data at the root level is invalid.")),
        }
        let root = self.tree()?;
        self.misc()?;
        match self.peek() {
            None => Ok(root),
            Some(b'<') => Err(self.error(self.at + 1, "There are multiple root elements.")),
            Some(_) => Err(self.error(self.at, "Data at the root level is invalid.")),
        }
    }

    /// White space, comments and the declaration around the root element.
    fn misc(&mut self) -> Result<(), ReadError> {
        loop {
            self.skip_space();
            if self.looking_at("<!--") {
                self.skip_past("-->", 4)?;
            } else if self.looking_at("<?") {
                self.skip_past("?>", 2)?;
            } else if self.looking_at("<!") {
                return Err(
                    self.error(self.at, "For security reasons DTD is prohibited in this XML document.")
                );
            } else {
                return Ok(());
            }
        }
    }

    /// One element with everything below it.
    fn tree(&mut self) -> Result<Element, ReadError> {
        let mut stack: Vec<Open> = Vec::new();
        loop {
            let closed = if self.looking_at("</") {
                let Some(open) = stack.pop() else { return Err(self.unexpected("name")) };
                Some(self.end_tag(open)?)
            } else if self.looking_at("<!--") {
                self.skip_past("-->", 4)?;
                None
            } else if self.looking_at("<![CDATA[") {
                let node = self.cdata()?;
                self.attach(&mut stack, node)?;
                None
            } else if self.looking_at("<?") {
                self.skip_past("?>", 2)?;
                None
            } else if self.peek() == Some(b'<') {
                self.start_tag(&mut stack)?
            } else if self.peek().is_some() {
                let node = self.text(stack.last().is_some_and(|open| open.content_at == self.at))?;
                self.attach(&mut stack, node)?;
                None
            } else {
                return Err(self.unclosed(&stack, None));
            };
            let Some(element) = closed else { continue };
            let Some(parent) = stack.last_mut() else { return Ok(element) };
            parent.element.children.push(Node::Element(element));
        }
    }

    fn attach(&mut self, stack: &mut [Open], node: Node) -> Result<(), ReadError> {
        let Some(open) = stack.last_mut() else {
            return Err(self.error(self.at, "Data at the root level is invalid."));
        };
        open.element.children.push(node);
        Ok(())
    }

    /// A start tag: opens an element, or yields it when it is empty.
    fn start_tag(&mut self, stack: &mut Vec<Open>) -> Result<Option<Element>, ReadError> {
        let tag_at = self.at + 1;
        self.at = tag_at;
        let name = self.name()?;
        let position = self.locator.locate(tag_at);
        let mut element =
            Element { name, position, attributes: Vec::new(), children: Vec::new(), markup: None };
        loop {
            let spaced = self.skip_space();
            match self.peek() {
                Some(b'>') => {
                    self.at += 1;
                    if stack.len() >= DEPTH_MAX {
                        return Err(self.error(tag_at, "The elements are nested too deeply."));
                    }
                    stack.push(Open { element, tag_at, content_at: self.at });
                    return Ok(None);
                }
                Some(b'/') => {
                    self.at += 1;
                    self.expect(b'>')?;
                    return Ok(Some(element));
                }
                Some(byte) if !spaced => {
                    let found = self.character_at(byte);
                    let message = format!("'{found}' is an unexpected token. Expecting white space.");
                    return Err(self.error(self.at, &message));
                }
                Some(_) => self.attribute(&mut element)?,
                None => return Err(self.unclosed(stack, Some(&element.name))),
            }
        }
    }

    fn attribute(&mut self, element: &mut Element) -> Result<(), ReadError> {
        let name_at = self.at;
        let name = self.name()?;
        if element.attribute(&name).is_some() {
            return Err(self.error(name_at, &format!("'{name}' is a duplicate attribute name.")));
        }
        if element.attributes.len() >= ATTRIBUTES_MAX {
            return Err(self.error(name_at, "The element has too many attributes."));
        }
        self.skip_space();
        self.expect(b'=')?;
        self.skip_space();
        let Some(quote @ (b'"' | b'\'')) = self.peek() else { return Err(self.unexpected("\"' or ''")) };
        self.at += 1;
        let start = self.at;
        let position = self.locator.locate(start);
        let (end, scanned) = match self.expression_in_quotes(quote) {
            Some(end) => (end, true),
            None => (self.find(quote, start).ok_or_else(|| self.eof("attribute value"))?, false),
        };
        let source = self.text.get(start..end).unwrap_or_default();
        if let (Mode::Strict, Some(bad)) = (self.mode, source.find('<')) {
            let message = "'<', hexadecimal value 0x3C, is an invalid attribute character.";
            return Err(self.error(start + bad, message));
        }
        let decoded = self.decode(source, start, scanned)?;
        let value = Value::of(decoded.clone(), position.after_blank(&decoded));
        let is_expression = matches!(value, Value::Expression(_));
        self.spans.push(ValueSpan { start, end, quote: Some(quote), is_expression, decoded });
        element.attributes.push(Attribute { name, position, value });
        self.at = end + 1;
        Ok(())
    }

    /// Rule 2: an expression that fills the value; its end is the place of the closing quote.
    fn expression_in_quotes(&mut self, quote: u8) -> Option<usize> {
        let start = self.at + self.space_at(self.at);
        let end = self.scan(start, Some(quote))?;
        let end = end + self.space_at(end);
        (self.bytes.get(end) == Some(&quote)).then_some(end)
    }

    /// Scans an expression at `start` in the tolerant modes, as long as failures stay within bounds.
    fn scan(&mut self, start: usize, quote: Option<u8>) -> Option<usize> {
        if self.mode == Mode::Strict || self.failed_scan > self.bytes.len().saturating_mul(FAILED_SCAN_FACTOR)
        {
            return None;
        }
        match expression_len(self.bytes.get(start..)?, quote) {
            Ok(len) => Some(start + len),
            Err(seen) => {
                self.failed_scan += seen;
                None
            }
        }
    }

    /// Rule 3: text up to the next markup, or a whole expression right after the start tag.
    fn text(&mut self, first: bool) -> Result<Node, ReadError> {
        let start = self.at;
        let expression_at = start + self.space_at(start);
        if first && let Some(end) = self.scan(expression_at, None) {
            let after = end + self.space_at(end);
            if self.bytes.get(after) == Some(&b'<') {
                return self.text_node(expression_at, end, after, true);
            }
        }
        let end = self.find(b'<', start).unwrap_or(self.bytes.len());
        self.text_node(start, end, end, false)
    }

    fn text_node(&mut self, start: usize, end: usize, next: usize, scanned: bool) -> Result<Node, ReadError> {
        let source = self.text.get(start..end).unwrap_or_default();
        let text = self.decode(source, start, scanned)?;
        let blank = source.len() - source.trim_start().len();
        let position = self.locator.locate(start + blank);
        if !text.trim().is_empty() {
            let is_expression = matches!(Value::of(text.clone(), position), Value::Expression(_));
            self.spans.push(ValueSpan { start, end, quote: None, is_expression, decoded: text.clone() });
        }
        self.at = next;
        Ok(Node::Text { text, position })
    }

    fn cdata(&mut self) -> Result<Node, ReadError> {
        let start = self.at + "<![CDATA[".len();
        self.skip_past("]]>", "<![CDATA[".len())?;
        let text = self.text.get(start..self.at - 3).unwrap_or_default().to_owned();
        let position = self.locator.locate(start).after_blank(&text);
        Ok(Node::Text { text, position })
    }

    /// Rule 5.
    fn decode(&mut self, source: &str, at: usize, scanned: bool) -> Result<String, ReadError> {
        match self.mode {
            Mode::Strict => decode_strict(source).map(std::borrow::Cow::into_owned).map_err(|bad| {
                let message = match bad.name.filter(|name| name_len(name.as_bytes()) == name.len()) {
                    Some(name) => format!("Reference to undeclared entity '{name}'."),
                    None => "An error occurred while parsing EntityName.".to_owned(),
                };
                self.error(at + bad.offset + 1, &message)
            }),
            Mode::Tolerant { well_formed: false } if scanned => {
                let escaped = source.contains("&quot;") && !source.contains('"');
                Ok(if escaped {
                    decode_tolerant(source).into_owned()
                } else {
                    decode_outside_strings(source)
                })
            }
            Mode::Tolerant { .. } => Ok(decode_tolerant(source).into_owned()),
        }
    }

    fn end_tag(&mut self, mut open: Open) -> Result<Element, ReadError> {
        let inner_end = self.at;
        let name_at = self.at + 2;
        self.at = name_at;
        let name = self.name()?;
        if name != open.element.name {
            let start = open.element.position;
            let message = format!(
                "The '{}' start tag on line {} position {} does not match the end tag of '{name}'.",
                open.element.name, start.line, start.column
            );
            return Err(self.error(name_at, &message));
        }
        self.skip_space();
        self.expect(b'>')?;
        if name == "set-body" && open.element.elements().next().is_some() {
            open.element.markup = self.text.get(open.content_at..inner_end).map(str::to_owned);
        }
        debug_assert!(open.tag_at < open.content_at);
        Ok(open.element)
    }

    fn name(&mut self) -> Result<String, ReadError> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let len = name_len(rest);
        if len == 0 {
            let Some(byte) = self.peek() else { return Err(self.eof("name")) };
            let found = self.character_at(byte);
            let message = format!(
                "Name cannot begin with the '{found}' character, hexadecimal value 0x{:02X}.",
                u32::from(found)
            );
            return Err(self.error(self.at, &message));
        }
        let name = self.text.get(self.at..self.at + len).unwrap_or_default().to_owned();
        self.at += len;
        Ok(name)
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn looking_at(&self, start: &str) -> bool {
        self.bytes.get(self.at..).is_some_and(|rest| rest.starts_with(start.as_bytes()))
    }

    fn find(&self, byte: u8, from: usize) -> Option<usize> {
        self.bytes.get(from..)?.iter().position(|&b| b == byte).map(|at| from + at)
    }

    fn space_at(&self, at: usize) -> usize {
        let rest = self.bytes.get(at..).unwrap_or_default();
        rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count()
    }

    fn skip_space(&mut self) -> bool {
        let len = self.space_at(self.at);
        self.at += len;
        len > 0
    }

    fn skip_past(&mut self, end: &str, opening: usize) -> Result<(), ReadError> {
        let from = self.at + opening;
        let Some(at) = self.text.get(from..).and_then(|rest| rest.find(end)) else {
            return Err(self.eof("markup"));
        };
        self.at = from + at + end.len();
        Ok(())
    }

    fn expect(&mut self, byte: u8) -> Result<(), ReadError> {
        if self.peek() == Some(byte) {
            self.at += 1;
            return Ok(());
        }
        Err(self.unexpected(&char::from(byte).to_string()))
    }

    fn character_at(&self, byte: u8) -> char {
        self.text.get(self.at..).and_then(|rest| rest.chars().next()).unwrap_or(char::from(byte))
    }

    fn unexpected(&mut self, expected: &str) -> ReadError {
        let Some(byte) = self.peek() else { return self.eof(expected) };
        let found = self.character_at(byte);
        self.error(self.at, &format!("'{found}' is an unexpected token. The expected token is '{expected}'."))
    }

    fn eof(&mut self, inside: &str) -> ReadError {
        let message = format!("Unexpected end of file while parsing {inside} has occurred.");
        self.error(self.bytes.len(), &message)
    }

    /// The text ends inside the start tag of `innermost` or, without one, inside the stack's last element.
    fn unclosed(&mut self, stack: &[Open], innermost: Option<&str>) -> ReadError {
        let open = stack.iter().rev().map(|open| open.element.name.as_str());
        let names: Vec<&str> = innermost.into_iter().chain(open).collect();
        let message = format!(
            "Unexpected end of file has occurred. The following elements are not closed: {}.",
            names.join(", ")
        );
        self.error(self.bytes.len(), &message)
    }

    fn error(&mut self, offset: usize, message: &str) -> ReadError {
        let position = self.locator.locate(offset);
        ReadError {
            message: format!("{message} Line {}, position {}.", position.line, position.column),
            position,
        }
    }
}

/// The length of the XML name that the bytes begin with; names beyond ASCII are not checked further.
fn name_len(bytes: &[u8]) -> usize {
    let starts = |b: u8| b.is_ascii_alphabetic() || matches!(b, b'_' | b':') || b >= 0x80;
    let goes_on = |b: u8| starts(b) || b.is_ascii_digit() || matches!(b, b'-' | b'.');
    if !bytes.first().copied().is_some_and(starts) {
        return 0;
    }
    bytes.iter().take_while(|&&b| goes_on(b)).count()
}
