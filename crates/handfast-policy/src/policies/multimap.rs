//! What `set-header` and `set-query-parameter` share: a name, values, and what to do if the name exists.

use super::read;
use crate::schema::{AttributeSchema, Content, ElementSchema, Kind, Particle, TEXT};
use crate::tree::Element;

/// Values of `exists-action`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ExistsAction {
    Override,
    Skip,
    Append,
    Delete,
}

/// A name with literal values.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) name: Box<str>,
    pub(crate) action: ExistsAction,
    pub(crate) values: Vec<Box<str>>,
}

pub(crate) static SCHEMA: ElementSchema = ElementSchema {
    attributes: &[
        AttributeSchema::new("name", Kind::Name).required(),
        AttributeSchema::new("exists-action", Kind::OneOf(&["override", "skip", "append", "delete"])),
    ],
    content: Content::Sequence(&[Particle::any("value", &TEXT)]),
};

impl Entry {
    pub(crate) fn read(element: &Element) -> Self {
        let action = match element.get("exists-action") {
            Some("skip") => ExistsAction::Skip,
            Some("append") => ExistsAction::Append,
            Some("delete") => ExistsAction::Delete,
            _ => ExistsAction::Override,
        };
        let values = element.named("value").map(|value| value.trimmed_text().into()).collect();
        Self { name: read::text(element, "name").trim().into(), action, values }
    }
}
