//! `set-header`: sets, adds to or removes a header of the section's message (specification 5.8).

use super::Policy;
use super::multimap::{ActionSetting, Entry, ExistsAction, SCHEMA};
use crate::compile::{Compiler, Parts};
use crate::context::Response;
use crate::machine::evaluate::{Words, unfit};
use crate::machine::step::{At, Flow, Halt, Ran, Step};
use crate::setting::{Setting, Text};
use crate::tree::Element;
use handfast_core::message::{Fields, is_field_value, is_token};
use handfast_expression::Value;

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

/// A compiled header edit.
#[derive(Debug)]
pub(crate) struct SetHeader {
    name: Text,
    action: ActionSetting,
    values: Values,
}

#[derive(Debug)]
enum Values {
    /// All literal: joined to lines once.
    Lines(Vec<Box<str>>),
    Given(Vec<Text>),
}

/// A header edit of a request, all values worked out.
pub(crate) struct Edit<'s> {
    name: Words<'s>,
    action: ExistsAction,
    lines: Lines<'s>,
}

enum Lines<'s> {
    Known(&'s [Box<str>]),
    Made(Vec<Box<str>>),
}

fn compile(element: &Element, compiler: &mut Compiler<'_>) -> Option<Parts> {
    Parts::leaf(read(element, compiler)?)
}

/// Reads one element; also for the children of `return-response`.
pub(crate) fn read(element: &Element, compiler: &mut Compiler<'_>) -> Option<SetHeader> {
    let Entry { name, action, values } = Entry::read(element, compiler);
    if let Some(name) = name.literal().filter(|name| !is_token(name.as_bytes())) {
        compiler.refuse(element, format!("The value '{name}' of the attribute 'name' is not a header name"));
        return None;
    }
    let mut literals = values.iter().filter_map(Setting::literal);
    if let Some(value) = literals.find(|value| !is_field_value(value.as_bytes())) {
        compiler.refuse(element, format!("The value '{value}' cannot stand in a header"));
        return None;
    }
    let known: Option<Vec<&str>> = values.iter().map(|value| value.literal().map(|text| &**text)).collect();
    let values = match (name.literal(), known) {
        (Some(name), Some(known)) => Values::Lines(joined(name, &known)),
        _ => Values::Given(values),
    };
    Some(SetHeader { name, action, values })
}

/// The header lines of several values.
fn joined(name: &str, values: &[&str]) -> Vec<Box<str>> {
    if values.len() < 2 || is_one_of(SEPARATE, name) {
        return values.iter().map(|value| (*value).into()).collect();
    }
    vec![values.join(",").into()]
}

fn is_one_of(list: &[&str], name: &str) -> bool {
    list.iter().any(|known| known.eq_ignore_ascii_case(name))
}

impl SetHeader {
    /// Works out what is to be done.
    pub(crate) fn edit<'s>(&'s self, at: &mut At<'_>) -> Result<Edit<'s>, Halt> {
        let name = at.text(&self.name)?;
        let action = self.action.get(at)?;
        let lines = match &self.values {
            Values::Lines(lines) => Lines::Known(lines),
            Values::Given(values) => {
                let values = at.texts(values)?;
                if let Some(value) = values.iter().find(|value| !is_field_value(value.as_bytes())) {
                    return Err(unfit(&Value::str(&**value), "a header value"));
                }
                let values: Vec<&str> = values.iter().map(|value| &**value).collect();
                Lines::Made(joined(&name, &values))
            }
        };
        if !is_token(name.as_bytes()) {
            return Err(unfit(&Value::str(&*name), "a header name"));
        }
        Ok(Edit { name, action, lines })
    }
}

/// What several elements have to do, worked out before any of it is done.
pub(crate) fn edits<'s>(headers: &'s [SetHeader], at: &mut At<'_>) -> Result<Vec<Edit<'s>>, Halt> {
    headers.iter().map(|header| header.edit(at)).collect()
}

impl Edit<'_> {
    fn lines(&self) -> &[Box<str>] {
        match &self.lines {
            Lines::Known(lines) => lines,
            Lines::Made(lines) => lines,
        }
    }

    /// Edits a header section.
    pub(crate) fn apply(&self, fields: &mut Fields) {
        if is_one_of(FIXED, &self.name) {
            return;
        }
        let name = self.name.as_bytes();
        match (self.action, self.lines()) {
            (ExistsAction::Skip, _) if fields.contains(name) => return,
            (ExistsAction::Delete, _) => {
                fields.remove(name);
                return;
            }
            (ExistsAction::Override, [line]) => {
                let _ = fields.set(name, line.as_bytes());
                return;
            }
            (ExistsAction::Override, _) => {
                fields.remove(name);
            }
            (ExistsAction::Skip | ExistsAction::Append, _) => {}
        }
        for line in self.lines() {
            let _ = fields.append(name, line.as_bytes());
        }
    }

    fn removes(&self, name: &str) -> bool {
        let deletes = self.action == ExistsAction::Delete
            || (self.action == ExistsAction::Override && self.lines().is_empty());
        deletes && self.name.eq_ignore_ascii_case(name)
    }
}

impl Step for SetHeader {
    fn run(&self, at: &mut At<'_>) -> Ran {
        let edit = self.edit(at)?;
        if at.section.is_response_side() {
            if !edit.removes("Server") {
                edit.apply(&mut at.context.response.get_or_insert_with(Response::default).head.fields);
            }
        } else {
            edit.apply(&mut at.context.request.fields);
            if edit.name.eq_ignore_ascii_case("Host")
                && let Some(host) = at.context.request.fields.get_str("Host")
            {
                let host = host.to_owned();
                at.context.request.authority = host;
                at.context.backend.keeps_host = true;
            }
        }
        at.note(|| format!("header '{}' {}", edit.name, describe(edit.action, edit.lines())));
        Ok(Flow::Next)
    }
}

/// For traces: what was done with which values.
pub(crate) fn describe<S: AsRef<str>>(action: ExistsAction, values: &[S]) -> String {
    let values = || values.iter().map(AsRef::as_ref).collect::<Vec<_>>().join(",");
    match action {
        ExistsAction::Delete => "removed".to_owned(),
        ExistsAction::Override => format!("set to '{}'", values()),
        ExistsAction::Skip => format!("set to '{}' unless present", values()),
        ExistsAction::Append => format!("extended by '{}'", values()),
    }
}
