//! Puts named values in the place of `{{name}}` (specification 1.5): textual, not recursive, before
//! expressions are looked at. A value may turn a literal into an expression.

use crate::position::Position;
use crate::tree::{Element, Node, Value};
use handfast_core::Diagnostic;

/// The policies that take templates.
const TEMPLATES: &[&str] = &["invoke-dapr-binding", "publish-to-dapr", "set-body"];
/// The longest display name.
const NAME_MAX: usize = 256;

type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Replaces every reference in the values below an element; unknown names are errors except in Liquid.
pub(crate) fn substitute(element: &mut Element, lookup: Lookup<'_>, diagnostics: &mut Vec<Diagnostic>) {
    let liquid = is_template(element);
    substitute_below(element, liquid, lookup, diagnostics);
}

/// Whether an element's text is a Liquid template, in which braces have a meaning of their own.
fn is_template(element: &Element) -> bool {
    TEMPLATES.contains(&element.name.as_str()) && element.attribute("template").is_some()
}

fn substitute_below(
    element: &mut Element,
    liquid: bool,
    lookup: Lookup<'_>,
    diagnostics: &mut Vec<Diagnostic>,
) {
    for attribute in &mut element.attributes {
        if let Some(text) = replaced(attribute.value.text(), attribute.position, false, lookup, diagnostics) {
            let position = attribute.position.after_blank(&text);
            attribute.value = Value::of(text, position);
        }
    }
    if let Some(markup) = &mut element.markup
        && let Some(text) = replaced(markup, element.position, liquid, lookup, diagnostics)
    {
        *markup = text;
    }
    for child in &mut element.children {
        match child {
            Node::Element(child) if element.markup.is_none() => {
                let liquid = liquid || is_template(child);
                substitute_below(child, liquid, lookup, diagnostics);
            }
            Node::Text { text, position } if element.markup.is_none() => {
                if let Some(new) = replaced(text, *position, liquid, lookup, diagnostics) {
                    *text = new;
                }
            }
            _ => {}
        }
    }
}

/// The text with its references replaced; `None` when it has none.
fn replaced(
    text: &str,
    position: Position,
    liquid: bool,
    lookup: Lookup<'_>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<String> {
    if !text.contains("{{") {
        return None;
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        out.push_str(before);
        let len = after.bytes().take(NAME_MAX).take_while(|&byte| is_name_byte(byte)).count();
        let name = after.get(..len).filter(|_| len > 0 && after[len..].starts_with("}}"));
        let Some(name) = name else {
            out.push_str("{{");
            rest = after;
            continue;
        };
        match lookup(name) {
            Some(value) => out.push_str(&value),
            None => {
                if !liquid {
                    diagnostics.push(unknown(name, position));
                }
                out.push_str("{{");
                out.push_str(name);
                out.push_str("}}");
            }
        }
        rest = after.get(len + 2..).unwrap_or_default();
    }
    out.push_str(rest);
    Some(out)
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_')
}

fn unknown(name: &str, position: Position) -> Diagnostic {
    Diagnostic::error("ValidationError", format!("Cannot find a property '{name}'"))
        .at(position.place())
        .help(format!("create a named value with the display name '{name}'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(text: &str, liquid: bool) -> (Option<String>, usize) {
        let mut diagnostics = Vec::new();
        let lookup = |name: &str| (name == "n").then(|| "{{5}}".to_owned());
        let out = replaced(text, Position::START, liquid, &lookup, &mut diagnostics);
        (out, diagnostics.len())
    }

    #[test]
    fn references_are_exact_and_not_recursive() {
        assert_eq!(put("a{{n}}b{{ n }}{{n", false), (Some("a{{5}}b{{ n }}{{n".to_owned()), 0));
        assert_eq!(put("{{zz}}", false).1, 1);
        assert_eq!(put("{{body.x}}{{n}}", true), (Some("{{body.x}}{{5}}".to_owned()), 0));
        assert_eq!(put("{{{n}}}", false), (Some("{{{n}}}".to_owned()), 0));
        assert_eq!(put("plain", false), (None, 0));
    }
}
