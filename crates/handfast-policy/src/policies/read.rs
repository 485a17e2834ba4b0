//! Typed access to the attributes of an element that the schema has passed.

use crate::schema::Kind;
use crate::tree::Element;

/// A Boolean literal, or the default.
pub(crate) fn boolean(element: &Element, name: &str, default: bool) -> bool {
    match element.get(name) {
        Some(text) => text.trim().eq_ignore_ascii_case("true"),
        None => default,
    }
}

/// A number, if the attribute is there.
pub(crate) fn number(element: &Element, name: &str) -> Option<u32> {
    element.get(name)?.trim().parse().ok()
}

/// The text of an attribute, empty when absent.
pub(crate) fn text<'a>(element: &'a Element, name: &str) -> &'a str {
    element.get(name).unwrap_or_default()
}

/// Any unsigned number.
pub(crate) const NUMBER: Kind = Kind::Unsigned { min: 0, max: u32::MAX };
