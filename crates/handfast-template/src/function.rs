//! The template functions, one table row each (`spec/arm.md` §10). The table is the only list of them:
//! calls are checked against it, and reference documents are generated from it.

use crate::evaluate::Environment;
use crate::expression::Expression;
use crate::fault::{Evaluated, Fault, did_you_mean, fault};
use crate::parameter::describe;
use serde_json::Value;

mod collection;
mod hash;
mod lambda;
mod network;
mod number;
mod place;
mod text;
mod uri;

pub(crate) use place::interleave;

/// How a function gets its arguments.
#[derive(Clone, Copy)]
pub(crate) enum Evaluator {
    /// All evaluated, left to right.
    Eager(fn(&Environment<'_>, Vec<Value>) -> Evaluated<Value>),
    /// As terms, because not all of them are evaluated, or not here.
    Lazy(fn(&Environment<'_>, &[Expression]) -> Evaluated<Value>),
}

/// One function of the template language.
#[derive(Clone, Copy)]
pub struct FunctionEntry {
    /// The name in its documented case; calls may use any.
    pub name: &'static str,
    /// The least number of arguments.
    pub arguments_min: usize,
    /// The greatest number of arguments; `usize::MAX` for any number.
    pub arguments_max: usize,
    pub(crate) evaluator: Evaluator,
}

/// Any number of arguments.
pub(crate) const ANY: usize = usize::MAX;

pub(crate) const fn eager(
    name: &'static str,
    arguments_min: usize,
    arguments_max: usize,
    evaluate: fn(&Environment<'_>, Vec<Value>) -> Evaluated<Value>,
) -> FunctionEntry {
    FunctionEntry { name, arguments_min, arguments_max, evaluator: Evaluator::Eager(evaluate) }
}

pub(crate) const fn lazy(
    name: &'static str,
    arguments_min: usize,
    arguments_max: usize,
    evaluate: fn(&Environment<'_>, &[Expression]) -> Evaluated<Value>,
) -> FunctionEntry {
    FunctionEntry { name, arguments_min, arguments_max, evaluator: Evaluator::Lazy(evaluate) }
}

const TABLES: &[&[FunctionEntry]] = &[
    collection::TABLE,
    text::TABLE,
    uri::TABLE,
    number::TABLE,
    hash::TABLE,
    lambda::TABLE,
    network::TABLE,
    place::TABLE,
    crate::date::TABLE,
];

/// All functions but the `list…` actions, which are as many as the resource providers have.
pub fn functions() -> impl Iterator<Item = &'static FunctionEntry> {
    TABLES.iter().copied().flatten()
}

/// The function of that name, checked for its number of arguments; `None` for a `list…` action.
pub(crate) fn find(name: &str, arguments: usize) -> Evaluated<Option<&'static FunctionEntry>> {
    Ok(lookup(name, arguments)?)
}

/// Whether a call can be right.
pub(crate) fn check_call(name: &str, arguments: usize) -> Result<(), Fault> {
    lookup(name, arguments).map(|_| ())
}

fn lookup(name: &str, arguments: usize) -> Result<Option<&'static FunctionEntry>, Fault> {
    let Some(entry) = functions().find(|entry| entry.name.eq_ignore_ascii_case(name)) else {
        if name.len() > 4 && name.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("list")) {
            let message = format!("function \"{name}\" takes 1 to 3 arguments, {arguments} were given");
            return if (1..=3).contains(&arguments) { Ok(None) } else { Err(Fault::new(message)) };
        }
        let help = did_you_mean(name, functions().map(|entry| entry.name));
        return Err(Fault::new(format!("\"{name}\" is not a template function")).help(help));
    };
    let (min, max) = (entry.arguments_min, entry.arguments_max);
    if (min..=max).contains(&arguments) {
        return Ok(Some(entry));
    }
    let takes = match (min, max) {
        (min, ANY) => format!("at least {min}"),
        (min, max) if min == max => min.to_string(),
        (min, max) => format!("{min} to {max}"),
    };
    Err(Fault::new(format!("function \"{}\" takes {takes} arguments, {arguments} were given", entry.name)))
}

/// `list…(id or symbol, apiVersion, body)`.
pub(crate) fn list_action(
    environment: &Environment<'_>,
    name: &str,
    arguments: Vec<Value>,
) -> Evaluated<Value> {
    let runtime = environment.runtime(name)?;
    let target = str_at(&arguments, 0)?;
    let api_version = arguments.get(1).and_then(Value::as_str).unwrap_or_default();
    runtime.action(name, target, api_version, arguments.get(2).cloned().unwrap_or(Value::Null))
}

/// An argument that must be a string.
pub(crate) fn str_at(arguments: &[Value], index: usize) -> Evaluated<&str> {
    match arguments.get(index) {
        Some(Value::String(text)) => Ok(text),
        other => wrong(index, other, "a string"),
    }
}

/// An argument that must be a whole number.
pub(crate) fn int_at(arguments: &[Value], index: usize) -> Evaluated<i64> {
    match arguments.get(index).map(|value| (value, value.as_i64())) {
        Some((_, Some(number))) => Ok(number),
        other => wrong(index, other.map(|(value, _)| value), "a whole number"),
    }
}

/// An argument that must be an array.
pub(crate) fn array_at(arguments: &[Value], index: usize) -> Evaluated<&Vec<Value>> {
    match arguments.get(index) {
        Some(Value::Array(items)) => Ok(items),
        other => wrong(index, other, "an array"),
    }
}

/// An argument that must be an object.
pub(crate) fn object_at(arguments: &[Value], index: usize) -> Evaluated<&serde_json::Map<String, Value>> {
    match arguments.get(index) {
        Some(Value::Object(map)) => Ok(map),
        other => wrong(index, other, "an object"),
    }
}

/// A value that must be a boolean.
pub(crate) fn bool_of(value: &Value) -> Evaluated<bool> {
    match value {
        Value::Bool(flag) => Ok(*flag),
        other => fault(format!("a boolean is needed, {} was given", describe(other))),
    }
}

/// The error for an argument of the wrong type.
pub(crate) fn wrong<T>(index: usize, found: Option<&Value>, wanted: &str) -> Evaluated<T> {
    let found = found.map_or("nothing", describe);
    fault(format!("argument {} must be {wanted}, {found} was given", index + 1))
}

/// A value as the language prints it inside other text.
pub(crate) fn printed(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests;
