//! XML text to nodes. Total and bounded: depth, attributes per element, no document type, no entities but the
//! five predefined ones and character references (XML 1.0 §4.6, §4.1).

use super::{ATTRIBUTES_MAX, DEPTH_MAX, Declaration, Kind, Name, Node, XML, XMLNS};

/// Why a text is no XML, with the place behind it.
type Refusal = String;

struct Reader<'a> {
    text: &'a str,
    at: usize,
    keep_space: bool,
}

/// An element whose end tag has not come yet.
struct Open {
    written: String,
    place: (usize, usize),
    node: Node,
    /// Prefix bindings that were in force before it.
    bindings: usize,
}

/// Parses a document; white space between elements is kept only when `keep_space` is set.
pub(crate) fn parse(text: &str, keep_space: bool) -> Result<Node, Refusal> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = Reader { text, at: 0, keep_space };
    reader.document()
}

fn is_name_start(c: char) -> bool {
    c.is_alphabetic() || c == '_' || c == ':'
}

fn is_name_char(c: char) -> bool {
    is_name_start(c)
        || c.is_numeric()
        || matches!(c, '-' | '.' | '\u{b7}')
        || ('\u{300}'..='\u{36f}').contains(&c)
}

/// XML 1.0 §2.2.
fn is_char(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{fffd}' | '\u{10000}'..='\u{10ffff}')
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r')
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or("")
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn take(&mut self, token: &str) -> bool {
        let found = self.rest().starts_with(token);
        if found {
            self.at += token.len();
        }
        found
    }

    fn space(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start_matches(is_space).len();
    }

    /// Line and column of a place, 1-based.
    fn place(&self, at: usize) -> (usize, usize) {
        let before = self.text.get(..at).unwrap_or(self.text);
        let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
        (line, before.rsplit('\n').next().unwrap_or("").chars().count() + 1)
    }

    fn refuse<T>(&self, message: &str, at: usize) -> Result<T, Refusal> {
        let (line, column) = self.place(at);
        Err(format!("{message} Line {line}, position {column}."))
    }

    fn ended<T>(&self) -> Result<T, Refusal> {
        self.refuse("Unexpected end of file has occurred.", self.text.len())
    }

    fn document(&mut self) -> Result<Node, Refusal> {
        let document = Node::document();
        if self.rest().starts_with("<?xml") && self.rest().chars().nth(5).is_some_and(is_space) {
            let declaration = self.declaration()?;
            document.change(|kind| {
                if let Kind::Document { declaration: place, .. } = kind {
                    *place = Some(declaration);
                }
            });
        }
        let mut bindings: Vec<(String, String)> = vec![("xml".into(), XML.into())];
        let mut open: Vec<Open> = Vec::new();
        let mut has_root = false;
        loop {
            if open.is_empty() {
                self.space();
            }
            let Some(next) = self.peek() else { break };
            let start = self.at;
            if next != '<' {
                let Some(current) = open.last() else {
                    return self.refuse("Data at the root level is invalid.", start);
                };
                let node = current.node.clone();
                self.characters(&node)?;
                continue;
            }
            let place = open.last().map_or(&document, |open| &open.node).clone();
            if self.take("<!--") {
                let body = self.until("-->")?;
                place.insert(usize::MAX, Node::new(Kind::Comment(lines(body))));
            } else if self.take("<![CDATA[") {
                if open.is_empty() {
                    return self.refuse("Data at the root level is invalid.", start);
                }
                let body = self.until("]]>")?;
                place.insert(usize::MAX, Node::new(Kind::CData(lines(body))));
            } else if self.rest().starts_with("<!") {
                return Err("For security reasons DTD is prohibited in this XML document. To enable DTD processing set the DtdProcessing property on XmlReaderSettings to Parse and pass the settings into XmlReader.Create method.".into());
            } else if self.take("<?") {
                let target = self.name()?;
                if target.eq_ignore_ascii_case("xml") {
                    return self.refuse("Unexpected XML declaration. The XML declaration must be the first node in the document, and no white space characters are allowed to appear before it.", start + 2);
                }
                self.space();
                let data = lines(self.until("?>")?);
                place.insert(usize::MAX, Node::new(Kind::Instruction { target, data }));
            } else if self.take("</") {
                self.end_tag(&mut open, &mut bindings)?;
            } else {
                if open.is_empty() && has_root {
                    return self.refuse("There are multiple root elements.", start + 1);
                }
                if open.len() >= DEPTH_MAX {
                    return self.refuse(&format!("Elements are nested more than {DEPTH_MAX} deep."), start);
                }
                has_root = true;
                self.start_tag(&place, &mut open, &mut bindings)?;
            }
        }
        if !open.is_empty() {
            let (line, column) = self.place(self.text.len());
            let names: Vec<_> = open.iter().rev().map(|open| open.written.as_str()).collect();
            return Err(format!(
                "Unexpected end of file has occurred. The following elements are not closed: {}. Line {line}, position {column}.",
                names.join(", ")
            ));
        }
        if has_root { Ok(document) } else { Err("Root element is missing.".into()) }
    }

    fn until(&mut self, end: &str) -> Result<&'a str, Refusal> {
        let rest = self.rest();
        let Some(length) = rest.find(end) else { return self.ended() };
        let body = &rest[..length];
        if let Some(bad) = body.find(|c| !is_char(c)) {
            return self.invalid_char(self.at + bad);
        }
        self.at += length + end.len();
        Ok(body)
    }

    fn invalid_char<T>(&self, at: usize) -> Result<T, Refusal> {
        let c = self.text.get(at..).and_then(|rest| rest.chars().next()).unwrap_or('\0');
        let message = format!("'{c}', hexadecimal value 0x{:02X}, is an invalid character.", c as u32);
        self.refuse(&message, at)
    }

    fn declaration(&mut self) -> Result<Declaration, Refusal> {
        self.at += 5;
        let mut found = Declaration::default();
        loop {
            self.space();
            if self.take("?>") {
                return Ok(found);
            }
            let name = self.name()?;
            let value = Some(self.attribute_value()?);
            match name.as_str() {
                "version" => found.version = value,
                "encoding" => found.encoding = value,
                "standalone" => found.standalone = value,
                _ => return self.refuse("Syntax for an XML declaration is invalid.", self.at),
            }
        }
    }

    fn name(&mut self) -> Result<String, Refusal> {
        let rest = self.rest();
        let end = rest.find(|c| !is_name_char(c)).unwrap_or(rest.len());
        let name = &rest[..end];
        if !name.starts_with(is_name_start) {
            return match rest.chars().next() {
                None => self.ended(),
                Some(c) => {
                    let message = format!(
                        "Name cannot begin with the '{c}' character, hexadecimal value 0x{:02X}.",
                        c as u32
                    );
                    self.refuse(&message, self.at)
                }
            };
        }
        self.at += end;
        Ok(name.to_owned())
    }

    fn attribute_value(&mut self) -> Result<String, Refusal> {
        self.space();
        if !self.take("=") {
            return self.unexpected("=");
        }
        self.space();
        let quote = match self.peek() {
            Some(quote @ ('"' | '\'')) => quote,
            None => return self.ended(),
            Some(_) => return self.unexpected("\"' or '''"),
        };
        self.at += 1;
        let mut out = String::new();
        loop {
            match self.peek() {
                None => return self.ended(),
                Some(c) if c == quote => {
                    self.at += 1;
                    return Ok(out);
                }
                Some('<') => {
                    return self
                        .refuse("'<', hexadecimal value 0x3C, is an invalid attribute character.", self.at);
                }
                Some('&') => self.reference(&mut out)?,
                Some(c) if !is_char(c) => return self.invalid_char(self.at),
                Some('\r') => {
                    self.at += 1;
                    self.take("\n");
                    out.push(' ');
                }
                Some(c) => {
                    self.at += c.len_utf8();
                    out.push(if is_space(c) { ' ' } else { c });
                }
            }
        }
    }

    fn unexpected<T>(&self, wanted: &str) -> Result<T, Refusal> {
        let found = self.peek().unwrap_or(' ');
        self.refuse(&format!("'{found}' is an unexpected token. The expected token is '{wanted}'."), self.at)
    }

    /// A character reference or one of the five entities.
    fn reference(&mut self, out: &mut String) -> Result<(), Refusal> {
        let start = self.at;
        let rest = self.rest();
        let end = rest.bytes().take(12).position(|byte| byte == b';');
        let Some(name) = end.and_then(|end| rest.get(1..end)) else {
            return self.refuse("An error occurred while parsing EntityName.", start + 1);
        };
        let number = name.strip_prefix('#').map(|digits| match digits.strip_prefix('x') {
            Some(hex) => u32::from_str_radix(hex, 16).ok(),
            None => digits.parse().ok(),
        });
        let c = match (number, name) {
            (Some(code), _) => match code.and_then(char::from_u32).filter(|c| is_char(*c)) {
                Some(c) => c,
                None => return self.refuse("Invalid character reference.", start),
            },
            (None, "amp") => '&',
            (None, "lt") => '<',
            (None, "gt") => '>',
            (None, "quot") => '"',
            (None, "apos") => '\'',
            _ => {
                let text = format!("Reference to undeclared entity '{name}'.");
                return self.refuse(&text, start + 1);
            }
        };
        out.push(c);
        self.at += name.len() + 2;
        Ok(())
    }

    fn characters(&mut self, parent: &Node) -> Result<(), Refusal> {
        let start = self.at;
        let mut out = String::new();
        while let Some(c) = self.peek().filter(|c| *c != '<') {
            match c {
                '&' => self.reference(&mut out)?,
                ']' if self.rest().starts_with("]]>") => {
                    return self.refuse("']]>' is not allowed in character data.", self.at);
                }
                '\r' => {
                    self.at += 1;
                    self.take("\n");
                    out.push('\n');
                }
                c if !is_char(c) => return self.invalid_char(self.at),
                c => {
                    self.at += c.len_utf8();
                    out.push(c);
                }
            }
        }
        let raw = self.text.get(start..self.at).unwrap_or("");
        if self.keep_space || !raw.chars().all(is_space) {
            parent.insert(usize::MAX, Node::text(&out));
        }
        Ok(())
    }

    fn start_tag(
        &mut self,
        parent: &Node,
        open: &mut Vec<Open>,
        bindings: &mut Vec<(String, String)>,
    ) -> Result<(), Refusal> {
        self.at += 1;
        let name_at = self.at;
        let written = self.name()?;
        let before = bindings.len();
        let mut found: Vec<(String, String, usize)> = Vec::new();
        let closed = loop {
            let spaced = self.peek().is_some_and(is_space);
            self.space();
            match self.peek() {
                None => return self.ended(),
                Some('>') => {
                    self.at += 1;
                    break false;
                }
                Some('/') => {
                    self.at += 1;
                    if !self.take(">") {
                        return self.unexpected(">");
                    }
                    break true;
                }
                Some(_) if !spaced => return self.unexpected(">"),
                Some(_) => {
                    let at = self.at;
                    let name = self.name()?;
                    let value = self.attribute_value()?;
                    if found.len() >= ATTRIBUTES_MAX {
                        return self
                            .refuse(&format!("An element has more than {ATTRIBUTES_MAX} attributes."), at);
                    }
                    match name.strip_prefix("xmlns:") {
                        Some(prefix) => bindings.push((prefix.to_owned(), value.clone())),
                        None if name == "xmlns" => bindings.push((String::new(), value.clone())),
                        None => {}
                    }
                    found.push((name, value, at));
                }
            }
        };
        let name = self.resolved(&written, true, bindings, name_at)?;
        let mut seen = std::collections::HashSet::new();
        let mut attributes = Vec::new();
        for (attribute, value, at) in found {
            let full = match attribute.strip_prefix("xmlns:") {
                Some(prefix) => Name::new(XMLNS, prefix),
                None if attribute == "xmlns" => Name::new("", "xmlns"),
                None => self.resolved(&attribute, false, bindings, at)?,
            };
            if !seen.insert(full.clone()) {
                return self.refuse(&format!("'{attribute}' is a duplicate attribute name."), at);
            }
            attributes.push(Node::attribute_of(full, &value));
        }
        let node = Node::new(Kind::Element { name, attributes, nodes: Vec::new(), open: !closed });
        parent.insert(usize::MAX, node.clone());
        if closed {
            bindings.truncate(before);
        } else {
            let place = self.place(name_at);
            open.push(Open { written, place, node, bindings: before });
        }
        Ok(())
    }

    fn resolved(
        &self,
        written: &str,
        element: bool,
        bindings: &[(String, String)],
        at: usize,
    ) -> Result<Name, Refusal> {
        let bound =
            |prefix: &str| bindings.iter().rev().find(|entry| entry.0 == prefix).map(|entry| &*entry.1);
        match written.split_once(':') {
            Some((prefix, local)) if local.contains(':') || prefix.is_empty() || local.is_empty() => {
                self.refuse("The ':' character, hexadecimal value 0x3A, cannot be included in a name.", at)
            }
            Some((prefix, local)) => match bound(prefix) {
                Some(space) => Ok(Name::new(space, local)),
                None => self.refuse(&format!("'{prefix}' is an undeclared prefix."), at),
            },
            None if element => Ok(Name::new(bound("").unwrap_or(""), written)),
            None => Ok(Name::new("", written)),
        }
    }

    fn end_tag(&mut self, open: &mut Vec<Open>, bindings: &mut Vec<(String, String)>) -> Result<(), Refusal> {
        let at = self.at;
        let name = self.name()?;
        let Some(last) = open.pop() else {
            return self.refuse("Unexpected end tag.", at);
        };
        if last.written != name {
            let (line, column) = last.place;
            let text = format!(
                "The '{}' start tag on line {line} position {column} does not match the end tag of '{name}'.",
                last.written
            );
            return self.refuse(&text, at);
        }
        self.space();
        if !self.take(">") {
            return self.unexpected(">");
        }
        bindings.truncate(last.bindings);
        Ok(())
    }
}

/// Line ends as one newline (XML 1.0 §2.11).
fn lines(text: &str) -> String {
    if text.contains('\r') { text.replace("\r\n", "\n").replace('\r', "\n") } else { text.to_owned() }
}
