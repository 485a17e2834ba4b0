//! JSON to XML.

use super::{ConvertError, DEPTH_MAX, NODES_MAX};
use serde_json::{Map, Value};

/// The attributes of `json-to-xml` that shape the document.
#[derive(Clone, Debug)]
pub(crate) struct JsonOptions {
    /// What stands between prefix and local name of a member; written as `:`.
    pub(crate) namespace_separator: String,
    /// Members whose name begins with this declare namespaces.
    pub(crate) namespace_prefix: Option<String>,
    /// The member whose members become attributes.
    pub(crate) attribute_block: Option<String>,
}

impl Default for JsonOptions {
    fn default() -> Self {
        Self { namespace_separator: "_".to_owned(), namespace_prefix: None, attribute_block: None }
    }
}

/// The element around a document that is not one member.
const ROOT: &str = "Document";
const XSI: &str = "http://www.w3.org/2001/XMLSchema-instance";

/// Converts a document.
pub(crate) fn json_to_xml(text: &str, options: &JsonOptions) -> Result<String, ConvertError> {
    let value: Value = serde_json::from_str(text).map_err(|error| ConvertError::Json(error.to_string()))?;
    let mut writer = Writer { options, out: String::with_capacity(text.len() * 2), nodes: 0 };
    match &value {
        Value::Object(members) if members.len() == 1 && !members.values().any(Value::is_array) => {
            for (name, value) in members {
                writer.element(&writer.name(name), value, 0)?;
            }
        }
        other => writer.element(ROOT, other, 0)?,
    }
    Ok(writer.out)
}

struct Writer<'a> {
    options: &'a JsonOptions,
    out: String,
    nodes: usize,
}

impl Writer<'_> {
    /// An element, or one for each item of an array.
    fn element(&mut self, name: &str, value: &Value, depth: usize) -> Result<(), ConvertError> {
        if depth > DEPTH_MAX {
            return Err(ConvertError::TooLarge("128 levels"));
        }
        self.nodes += 1;
        if self.nodes > NODES_MAX {
            return Err(ConvertError::TooLarge("200,000 members"));
        }
        match value {
            Value::Array(items) if items.is_empty() => self.empty(name),
            Value::Array(items) => {
                for item in items {
                    match item {
                        // A list in a list keeps its level.
                        Value::Array(_) => {
                            self.out.push_str(&format!("<{name}>"));
                            self.element(name, item, depth + 1)?;
                            self.out.push_str(&format!("</{name}>"));
                        }
                        item => self.element(name, item, depth + 1)?,
                    }
                }
            }
            Value::Object(members) => self.object(name, members, depth)?,
            Value::Null => self.out.push_str(&format!("<{name} xsi:nil=\"true\" xmlns:xsi=\"{XSI}\" />")),
            simple => {
                let text = simple_text(simple);
                if text.is_empty() {
                    self.empty(name);
                } else {
                    self.out.push_str(&format!("<{name}>"));
                    escape(&text, false, &mut self.out);
                    self.out.push_str(&format!("</{name}>"));
                }
            }
        }
        Ok(())
    }

    fn empty(&mut self, name: &str) {
        self.out.push_str(&format!("<{name} />"));
    }

    fn object(&mut self, name: &str, members: &Map<String, Value>, depth: usize) -> Result<(), ConvertError> {
        self.out.push_str(&format!("<{name}"));
        let mut children = Vec::new();
        for (member, value) in members {
            let prefix = self.options.namespace_prefix.as_deref().filter(|prefix| !prefix.is_empty());
            if self.options.attribute_block.as_deref() == Some(member) {
                for (attribute, value) in value.as_object().into_iter().flatten() {
                    let attribute = self.name(attribute);
                    self.attribute(&attribute, &simple_text(value));
                }
            } else if let Some(declared) = prefix.and_then(|prefix| member.strip_prefix(prefix)) {
                let declared = declared.trim_start_matches(&*self.options.namespace_separator);
                let name = if declared.is_empty() {
                    "xmlns".to_owned()
                } else {
                    format!("xmlns:{}", encode(declared))
                };
                self.attribute(&name, &simple_text(value));
            } else {
                children.push((self.name(member), value));
            }
        }
        if children.is_empty() {
            self.out.push_str(" />");
            return Ok(());
        }
        self.out.push('>');
        for (child, value) in children {
            self.element(&child, value, depth + 1)?;
        }
        self.out.push_str(&format!("</{name}>"));
        Ok(())
    }

    fn attribute(&mut self, name: &str, value: &str) {
        self.out.push_str(&format!(" {name}=\""));
        escape(value, true, &mut self.out);
        self.out.push('"');
    }

    /// The name of an element: with a prefix where the separator is `:` or another that stands once in the name
    /// and is not the default (which ordinary names are full of).
    fn name(&self, member: &str) -> String {
        let separator = self.options.namespace_separator.as_str();
        match member.split_once(separator) {
            Some((prefix, local))
                if separator != "_" && !separator.is_empty() && !prefix.is_empty() && !local.is_empty() =>
            {
                format!("{}:{}", encode(prefix), encode(local))
            }
            _ => encode(member),
        }
    }
}

/// Text of a value without parts; booleans as .NET prints them.
fn simple_text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A name that XML accepts: other characters become `_xHHHH_`, as .NET's `XmlConvert.EncodeLocalName` writes them.
fn encode(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for (index, c) in name.chars().enumerate() {
        let starts = c.is_alphabetic() || c == '_';
        let goes_on = starts || c.is_alphanumeric() || c == '-' || c == '.';
        if starts || (index > 0 && goes_on) {
            out.push(c);
        } else {
            out.push_str(&format!("_x{:04X}_", u32::from(c)));
        }
    }
    if out.is_empty() { "_".to_owned() } else { out }
}

/// Text for XML 1.0; characters that it cannot hold become U+FFFD.
fn escape(text: &str, in_attribute: bool, out: &mut String) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' if in_attribute => out.push_str("&quot;"),
            '\n' | '\r' | '\t' if in_attribute => out.push_str(&format!("&#x{:X};", u32::from(c))),
            '\r' => out.push_str("&#xD;"),
            '\n' | '\t' => out.push(c),
            c if c < ' ' || c == '\u{fffe}' || c == '\u{ffff}' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
}
