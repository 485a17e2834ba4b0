//! What `set-header` and `set-query-parameter` share: a name, values, and what to do if the name exists.

use crate::compile::Compiler;
use crate::machine::evaluate::unfit;
use crate::machine::step::{At, Halt};
use crate::schema::{AttributeSchema, Content, ElementSchema, Kind, Particle, TEXT};
use crate::setting::{Setting, Text};
use crate::tree::Element;
use handfast_expression::Value;

/// Values of `exists-action`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ExistsAction {
    Override,
    Skip,
    Append,
    Delete,
}

/// A name with values.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) name: Text,
    pub(crate) action: ActionSetting,
    pub(crate) values: Vec<Text>,
}

/// What to do if the name exists, or the expression that says it.
#[derive(Debug)]
pub(crate) enum ActionSetting {
    Known(ExistsAction),
    Named(Text),
}

pub(crate) static SCHEMA: ElementSchema = ElementSchema {
    attributes: &[
        AttributeSchema::new("name", Kind::Name).required(),
        AttributeSchema::new("exists-action", Kind::OneOf(&["override", "skip", "append", "delete"])),
    ],
    content: Content::Sequence(&[Particle::any("value", &TEXT)]),
};

impl ExistsAction {
    fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "override" => Self::Override,
            "skip" => Self::Skip,
            "append" => Self::Append,
            "delete" => Self::Delete,
            _ => return None,
        })
    }
}

impl ActionSetting {
    pub(crate) fn get(&self, at: &mut At<'_>) -> Result<ExistsAction, Halt> {
        match self {
            Self::Known(action) => Ok(*action),
            Self::Named(name) => {
                let name = at.text(name)?;
                ExistsAction::parse(&name)
                    .ok_or_else(|| unfit(&Value::str(&*name), "one of: override, skip, append, delete"))
            }
        }
    }
}

impl Entry {
    pub(crate) fn read(element: &Element, compiler: &mut Compiler<'_>) -> Self {
        let action = match compiler.optional_text(element, "exists-action") {
            None => ActionSetting::Known(ExistsAction::Override),
            Some(Setting::Literal(name)) => {
                ActionSetting::Known(ExistsAction::parse(&name).unwrap_or(ExistsAction::Override))
            }
            Some(expression) => ActionSetting::Named(expression),
        };
        let values = element.named("value").map(|value| compiler.content(value)).collect();
        let name = compiler.text(element, "name").map(|name| name.trim().into());
        Self { name, action, values }
    }
}
