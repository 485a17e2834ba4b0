//! `set-header`: sets, adds to or removes a header of the section's message (specification 5.8).

use super::Policy;
use super::multimap::{Entry, ExistsAction, SCHEMA};
use crate::compile::{Compiler, Parts};
use crate::context::Response;
use crate::machine::step::{At, Flow, Step};
use crate::tree::Element;
use handfast_core::message::{Fields, is_field_value, is_token};

pub(crate) static POLICY: Policy = Policy { name: "set-header", schema: &SCHEMA, compile };

/// Headers whose values stay separate lines, because a comma may be part of one.
const SEPARATE: &[&str] = &[
    "cookie",
    "date",
    "expires",
    "if-modified-since",
    "if-unmodified-since",
    "last-modified",
    "proxy-authenticate",
    "retry-after",
    "set-cookie",
    "user-agent",
    "warning",
    "www-authenticate",
];

/// Headers that belong to the gateway; attempts are ignored.
const FIXED: &[&str] = &["connection", "content-length", "keep-alive", "transfer-encoding"];

/// A compiled header edit. Values are joined to lines once.
#[derive(Debug)]
pub(crate) struct SetHeader {
    name: Box<str>,
    action: ExistsAction,
    lines: Vec<Box<str>>,
    fixed: bool,
}

fn compile(element: &Element, compiler: &mut Compiler<'_>) -> Option<Parts> {
    Parts::leaf(read(element, compiler)?)
}

/// Reads one element; also for the children of `return-response`.
pub(crate) fn read(element: &Element, compiler: &mut Compiler<'_>) -> Option<SetHeader> {
    let Entry { name, action, values } = Entry::read(element);
    if !is_token(name.as_bytes()) {
        compiler.refuse(element, format!("The value '{name}' of the attribute 'name' is not a header name"));
        return None;
    }
    if let Some(value) = values.iter().find(|value| !is_field_value(value.as_bytes())) {
        compiler.refuse(element, format!("The value '{value}' cannot stand in a header"));
        return None;
    }
    let is = |list: &[&str]| list.iter().any(|known| known.eq_ignore_ascii_case(&name));
    let (separate, fixed) = (is(SEPARATE), is(FIXED));
    let lines = if separate || values.len() < 2 { values } else { vec![values.join(",").into()] };
    Some(SetHeader { name, action, lines, fixed })
}

impl SetHeader {
    /// Edits a header section.
    pub(crate) fn apply(&self, fields: &mut Fields) {
        if self.fixed {
            return;
        }
        let name = self.name.as_bytes();
        match self.action {
            ExistsAction::Skip if fields.contains(name) => return,
            ExistsAction::Delete => {
                fields.remove(name);
                return;
            }
            ExistsAction::Override if self.lines.len() == 1 => {
                let value = self.lines.first().map(|line| line.as_bytes()).unwrap_or_default();
                let _ = fields.set(name, value);
                return;
            }
            ExistsAction::Override => {
                fields.remove(name);
            }
            ExistsAction::Skip | ExistsAction::Append => {}
        }
        for line in &self.lines {
            let _ = fields.append(name, line.as_bytes());
        }
    }

    fn removes(&self, name: &str) -> bool {
        let deletes = self.action == ExistsAction::Delete
            || (self.action == ExistsAction::Override && self.lines.is_empty());
        deletes && self.name.eq_ignore_ascii_case(name)
    }
}

impl Step for SetHeader {
    fn run(&self, at: &mut At<'_>) -> Flow {
        if at.section.is_response_side() {
            if !self.removes("Server") {
                self.apply(&mut at.context.response.get_or_insert_with(Response::default).head.fields);
            }
        } else {
            self.apply(&mut at.context.request.fields);
            if self.name.eq_ignore_ascii_case("Host")
                && let Some(host) = at.context.request.fields.get_str("Host")
            {
                let host = host.to_owned();
                at.context.request.authority = host;
                at.context.backend.keeps_host = true;
            }
        }
        at.note(|| format!("header '{}' {}", self.name, describe(self.action, &self.lines)));
        Flow::Next
    }
}

/// For traces: what was done with which values.
pub(crate) fn describe(action: ExistsAction, values: &[Box<str>]) -> String {
    match action {
        ExistsAction::Delete => "removed".to_owned(),
        ExistsAction::Override => format!("set to '{}'", values.join(",")),
        ExistsAction::Skip => format!("set to '{}' unless present", values.join(",")),
        ExistsAction::Append => format!("extended by '{}'", values.join(",")),
    }
}
