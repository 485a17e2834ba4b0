//! The core function library (XPath 1.0 §4).

use super::{Problem, Scope, Value};
use crate::xml::{Name, Node};

/// White space as the language defines it.
fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r')
}

/// §4.4: digits, one point, an optional minus; anything else is not a number.
pub(super) fn to_number(text: &str) -> f64 {
    let trimmed = text.trim_matches(is_space);
    let digits = trimmed.strip_prefix('-').unwrap_or(trimmed);
    let valid = !digits.is_empty()
        && digits != "."
        && digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    if valid { trimmed.parse().unwrap_or(f64::NAN) } else { f64::NAN }
}

/// §4.2: never scientific.
pub(crate) fn from_number(number: f64) -> String {
    if number.is_nan() {
        "NaN".into()
    } else if number.is_infinite() {
        if number > 0.0 { "Infinity" } else { "-Infinity" }.into()
    } else if number == 0.0 {
        "0".into()
    } else {
        number.to_string()
    }
}

fn round(number: f64) -> f64 {
    (number + 0.5).floor()
}

fn nodes(value: Option<Value>, scope: &Scope<'_>) -> Result<Vec<Node>, Problem> {
    match value {
        None => Ok(vec![scope.node.clone()]),
        Some(Value::Nodes(nodes)) => Ok(nodes),
        Some(_) => Err(Problem::Syntax("The argument must be a node-set.".into())),
    }
}

fn name(value: Option<Value>, scope: &Scope<'_>) -> Result<Name, Problem> {
    Ok(nodes(value, scope)?.first().and_then(Node::name).unwrap_or_default())
}

fn qualified(node: Option<&Node>) -> String {
    let Some(node) = node else { return String::new() };
    let Some(name) = node.name() else { return String::new() };
    match node.prefix_of(&name.space).filter(|prefix| !name.space.is_empty() && !prefix.is_empty()) {
        Some(prefix) => format!("{prefix}:{}", name.local),
        None => name.local.to_string(),
    }
}

/// The part of a text from a 1-based, rounded position on.
fn substring(text: &str, start: f64, length: Option<f64>) -> String {
    let first = round(start);
    let last = length.map(|length| first + round(length));
    text.chars()
        .enumerate()
        .filter(|(index, _)| {
            let position = (*index + 1) as f64;
            position >= first && last.is_none_or(|last| position < last)
        })
        .map(|pair| pair.1)
        .collect()
}

pub(super) fn call(function: &str, args: Vec<Value>, scope: &Scope<'_>) -> Result<Value, Problem> {
    let count = args.len();
    let arity: std::ops::RangeInclusive<usize> = match function {
        "last" | "position" | "true" | "false" => 0..=0,
        "local-name" | "namespace-uri" | "name" | "string" | "string-length" | "normalize-space"
        | "number" => 0..=1,
        "count" | "boolean" | "not" | "lang" | "sum" | "floor" | "ceiling" | "round" | "id" => 1..=1,
        "starts-with" | "contains" | "substring-before" | "substring-after" => 2..=2,
        "substring" => 2..=3,
        "translate" => 3..=3,
        "concat" => 2..=usize::MAX,
        other => {
            return Err(Problem::Syntax(format!(
                "Namespace Manager or XsltContext needed. '{other}' is not a known function."
            )));
        }
    };
    if !arity.contains(&count) {
        return Err(Problem::Syntax(format!("Function '{function}' has an invalid number of arguments.")));
    }
    let mut args = args.into_iter();
    let first = args.next();
    let text = |value: &Option<Value>| value.as_ref().map_or_else(|| scope.node.value(), Value::text);
    let number =
        |value: &Option<Value>| value.as_ref().map_or_else(|| to_number(&scope.node.value()), Value::number);
    let mut rest = || args.next().map(|value| value.text()).unwrap_or_default();
    Ok(match function {
        "last" => Value::Number(scope.size as f64),
        "position" => Value::Number(scope.position as f64),
        "true" | "false" => Value::Truth(function == "true"),
        "count" => Value::Number(nodes(first, scope)?.len() as f64),
        "id" => Value::Nodes(Vec::new()),
        "local-name" => Value::Text(name(first, scope)?.local.to_string()),
        "namespace-uri" => Value::Text(name(first, scope)?.space.to_string()),
        "name" => Value::Text(qualified(nodes(first, scope)?.first())),
        "string" => Value::Text(text(&first)),
        "string-length" => Value::Number(crate::text::utf16_len(&text(&first)) as f64),
        "normalize-space" => Value::Text(
            text(&first).split(is_space).filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" "),
        ),
        "number" => Value::Number(number(&first)),
        "boolean" => Value::Truth(first.is_some_and(|value| value.truth())),
        "not" => Value::Truth(!first.is_some_and(|value| value.truth())),
        "sum" => Value::Number(nodes(first, scope)?.iter().map(|node| to_number(&node.value())).sum()),
        "floor" => Value::Number(number(&first).floor()),
        "ceiling" => Value::Number(number(&first).ceil()),
        "round" => Value::Number(round(number(&first))),
        "starts-with" => Value::Truth(text(&first).starts_with(&rest())),
        "contains" => Value::Truth(text(&first).contains(&rest())),
        "substring-before" => Value::Text(text(&first).split_once(&rest()).map_or("", |p| p.0).to_owned()),
        "substring-after" => Value::Text(text(&first).split_once(&rest()).map_or("", |p| p.1).to_owned()),
        "substring" => {
            let (start, length) =
                (args.next().map_or(f64::NAN, |v| v.number()), args.next().map(|v| v.number()));
            Value::Text(substring(&text(&first), start, length))
        }
        "translate" => {
            let (from, to): (Vec<char>, Vec<char>) = (rest().chars().collect(), rest().chars().collect());
            let changed = |c: char| match from.iter().position(|known| *known == c) {
                None => Some(c),
                Some(at) => to.get(at).copied(),
            };
            Value::Text(text(&first).chars().filter_map(changed).collect())
        }
        "lang" => {
            let wanted = text(&first).to_lowercase();
            let xml_lang = Name::new(crate::xml::XML, "lang");
            let line = std::iter::once(scope.node.clone()).chain(scope.node.ancestors());
            let found =
                line.filter_map(|node| node.attribute(&xml_lang)).next().map(|a| a.value().to_lowercase());
            Value::Truth(found.is_some_and(|lang| lang == wanted || lang.starts_with(&format!("{wanted}-"))))
        }
        _ => {
            let mut out = text(&first);
            args.for_each(|value| out.push_str(&value.text()));
            Value::Text(out)
        }
    })
}
