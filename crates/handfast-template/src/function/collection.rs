//! Functions over arrays and objects (§10.1).

use super::{ANY, FunctionEntry, array_at, eager, int_at, lazy, object_at, printed, str_at, wrong};
use crate::evaluate::{Environment, element};
use crate::expression::Expression;
use crate::fault::{Evaluated, Stop, fault};
use crate::parameter::{describe, object};
use crate::template::member_of;
use serde_json::{Map, Value};

pub(super) const TABLE: &[FunctionEntry] = &[
    eager("array", 1, 1, |_, a| {
        Ok(match a.into_iter().next() {
            Some(Value::Array(items)) => Value::Array(items),
            other => Value::Array(other.into_iter().collect()),
        })
    }),
    eager("concat", 0, ANY, concat),
    eager("contains", 2, 2, contains),
    eager("createArray", 0, ANY, |_, a| Ok(Value::Array(a))),
    eager("createObject", 0, ANY, create_object),
    eager("distinct", 1, 1, |_, a| Ok(distinct(array_at(&a, 0)?.iter()))),
    eager("empty", 1, 1, |_, a| {
        Ok(Value::Bool(match a.first() {
            Some(Value::String(text)) => text.is_empty(),
            Some(Value::Array(items)) => items.is_empty(),
            Some(Value::Object(map)) => map.is_empty(),
            Some(Value::Null) | None => true,
            other => return wrong(0, other, "a string, an array or an object"),
        }))
    }),
    eager("first", 1, 1, |_, a| end(&a, false)),
    eager("last", 1, 1, |_, a| end(&a, true)),
    eager("flatten", 1, 1, flatten),
    eager("indexFromEnd", 2, 2, |_, a| match from_end(&a)? {
        Some(value) => Ok(value),
        None => fault("the index is out of bounds"),
    }),
    eager("tryIndexFromEnd", 2, 2, |_, a| Ok(from_end(&a)?.unwrap_or(Value::Null))),
    eager("indexOf", 2, 2, |_, a| index_of(&a, false)),
    eager("lastIndexOf", 2, 2, |_, a| index_of(&a, true)),
    eager("intersection", 2, ANY, |_, a| fold(a, intersect)),
    eager("union", 2, ANY, |_, a| fold(a, unite)),
    eager("items", 1, 1, |_, a| {
        let sorted = sorted(object_at(&a, 0)?);
        let item = |(key, value): (&String, &Value)| {
            object([("key", key.as_str().into()), ("value", value.clone())])
        };
        Ok(Value::Array(sorted.into_iter().map(item).collect()))
    }),
    eager("objectKeys", 1, 1, |_, a| {
        Ok(Value::Array(sorted(object_at(&a, 0)?).into_iter().map(|(key, _)| key.as_str().into()).collect()))
    }),
    eager("join", 2, 2, |_, a| {
        let parts: Vec<String> = array_at(&a, 0)?.iter().map(printed).collect();
        Ok(parts.join(str_at(&a, 1)?).into())
    }),
    eager("json", 1, 1, |_, a| match crate::json::parse_json(str_at(&a, 0)?) {
        Ok(value) => Ok(value),
        Err(error) => fault(format!("the text is not JSON: {error}")),
    }),
    eager("length", 1, 1, |_, a| {
        Ok(match a.first() {
            Some(Value::String(text)) => text.encode_utf16().count(),
            Some(Value::Array(items)) => items.len(),
            Some(Value::Object(map)) => map.len(),
            other => return wrong(0, other, "a string, an array or an object"),
        }
        .into())
    }),
    eager("range", 2, 2, range),
    eager("shallowMerge", 1, 1, shallow_merge),
    eager("skip", 2, 2, |_, a| slice(&a, |len, count| (count.min(len), len))),
    eager("take", 2, 2, |_, a| slice(&a, |len, count| (0, count.min(len)))),
    lazy("tryGet", 2, ANY, try_get),
];

const COUNT_MAX: i64 = 10_000;

fn concat(_: &Environment<'_>, arguments: Vec<Value>) -> Evaluated<Value> {
    if arguments.first().is_some_and(Value::is_array) {
        let mut all = Vec::new();
        for (index, argument) in arguments.into_iter().enumerate() {
            match argument {
                Value::Array(items) => all.extend(items),
                other => return wrong(index, Some(&other), "an array like the first"),
            }
        }
        return Ok(Value::Array(all));
    }
    if let Some((index, found)) = arguments.iter().enumerate().find(|(_, a)| a.is_array() || a.is_object()) {
        return wrong(index, Some(found), "a string, number or boolean like the first");
    }
    Ok(arguments.iter().map(printed).collect::<String>().into())
}

fn contains(_: &Environment<'_>, a: Vec<Value>) -> Evaluated<Value> {
    Ok(Value::Bool(match (a.first(), a.get(1)) {
        (Some(Value::String(text)), Some(item)) => text.contains(&printed(item)),
        (Some(Value::Array(items)), Some(item)) => items.contains(item),
        (Some(Value::Object(map)), Some(Value::String(key))) => member_of(map, key).is_some(),
        (found, _) => return wrong(0, found, "a string, an array or an object"),
    }))
}

fn create_object(_: &Environment<'_>, arguments: Vec<Value>) -> Evaluated<Value> {
    if arguments.len() % 2 == 1 {
        return fault("names and values must come in pairs");
    }
    let mut map = Map::new();
    let mut rest = arguments.into_iter();
    while let (Some(name), Some(value)) = (rest.next(), rest.next()) {
        match name {
            Value::String(name) => map.insert(name, value),
            other => return fault(format!("a member name must be a string, {} was given", describe(&other))),
        };
    }
    Ok(Value::Object(map))
}

fn distinct<'v>(items: impl Iterator<Item = &'v Value>) -> Value {
    let mut seen: Vec<Value> = Vec::new();
    for item in items {
        if !seen.contains(item) {
            seen.push(item.clone());
        }
    }
    Value::Array(seen)
}

fn end(a: &[Value], last: bool) -> Evaluated<Value> {
    Ok(match a.first() {
        Some(Value::Array(items)) => {
            if last { items.last() } else { items.first() }.cloned().unwrap_or_default()
        }
        Some(Value::String(text)) => {
            let found = if last { text.chars().next_back() } else { text.chars().next() };
            found.map(String::from).unwrap_or_default().into()
        }
        other => return wrong(0, other, "an array or a string"),
    })
}

fn flatten(_: &Environment<'_>, a: Vec<Value>) -> Evaluated<Value> {
    let mut all = Vec::new();
    for item in array_at(&a, 0)? {
        match item {
            Value::Array(items) => all.extend(items.iter().cloned()),
            other => return fault(format!("every element must be an array, {} was found", describe(other))),
        }
    }
    Ok(Value::Array(all))
}

fn from_end(a: &[Value]) -> Evaluated<Option<Value>> {
    let (items, index) = (array_at(a, 0)?, int_at(a, 1)?);
    let back = usize::try_from(index).ok().filter(|index| *index > 0);
    Ok(back.and_then(|index| items.len().checked_sub(index)).and_then(|at| items.get(at)).cloned())
}

fn index_of(a: &[Value], last: bool) -> Evaluated<Value> {
    let found = match (a.first(), a.get(1)) {
        (Some(Value::String(text)), Some(Value::String(item))) => {
            let (text, item) = (text.to_lowercase(), item.to_lowercase());
            let at = if last { text.rfind(&item) } else { text.find(&item) };
            at.and_then(|at| text.get(..at)).map(|before| before.encode_utf16().count())
        }
        (Some(Value::Array(items)), Some(item)) if last => items.iter().rposition(|known| known == item),
        (Some(Value::Array(items)), Some(item)) => items.iter().position(|known| known == item),
        (found, _) => return wrong(0, found, "an array, or a string searched for a string"),
    };
    Ok(found.and_then(|at| i64::try_from(at).ok()).unwrap_or(-1).into())
}

fn fold(arguments: Vec<Value>, join: fn(&Value, &Value) -> Evaluated<Value>) -> Evaluated<Value> {
    let mut rest = arguments.into_iter();
    let first = rest.next().unwrap_or_default();
    rest.try_fold(first, |all, next| join(&all, &next))
}

fn intersect(a: &Value, b: &Value) -> Evaluated<Value> {
    match (a, b) {
        (Value::Array(a), Value::Array(b)) => Ok(distinct(a.iter().filter(|item| b.contains(item)))),
        (Value::Object(a), Value::Object(b)) => {
            let mut both = Map::new();
            for (key, value) in a {
                let Some(other) = b.get(key) else { continue };
                if value.is_object() && other.is_object() {
                    both.insert(key.clone(), intersect(value, other)?);
                } else if value == other {
                    both.insert(key.clone(), value.clone());
                }
            }
            Ok(Value::Object(both))
        }
        _ => fault("all arguments must be arrays, or all objects"),
    }
}

fn unite(a: &Value, b: &Value) -> Evaluated<Value> {
    match (a, b) {
        (Value::Array(a), Value::Array(b)) => Ok(distinct(a.iter().chain(b))),
        (Value::Object(a), Value::Object(b)) => {
            let mut all = a.clone();
            for (key, value) in b {
                let merged = match all.get(key) {
                    Some(known) if known.is_object() && value.is_object() => unite(known, value)?,
                    _ => value.clone(),
                };
                all.insert(key.clone(), merged);
            }
            Ok(Value::Object(all))
        }
        _ => fault("all arguments must be arrays, or all objects"),
    }
}

fn sorted(map: &Map<String, Value>) -> Vec<(&String, &Value)> {
    let mut items: Vec<_> = map.iter().collect();
    items.sort_by_key(|(key, _)| key.to_lowercase());
    items
}

fn range(_: &Environment<'_>, a: Vec<Value>) -> Evaluated<Value> {
    let (start, count) = (int_at(&a, 0)?, int_at(&a, 1)?);
    if !(0..=COUNT_MAX).contains(&count) {
        return fault(format!("the count is {count}; 0 to {COUNT_MAX} would be accepted"));
    }
    match start.checked_add(count) {
        Some(end) => Ok(Value::Array((start..end).map(Value::from).collect())),
        None => fault("the range leaves the 64-bit numbers"),
    }
}

fn shallow_merge(_: &Environment<'_>, a: Vec<Value>) -> Evaluated<Value> {
    let mut all = Map::new();
    for item in array_at(&a, 0)? {
        match item {
            Value::Object(map) => all.extend(map.clone()),
            other => return fault(format!("every element must be an object, {} was found", describe(other))),
        }
    }
    Ok(Value::Object(all))
}

fn slice(a: &[Value], bounds: fn(usize, usize) -> (usize, usize)) -> Evaluated<Value> {
    let count = usize::try_from(int_at(a, 1)?).unwrap_or(0);
    Ok(match a.first() {
        Some(Value::Array(items)) => {
            let (from, to) = bounds(items.len(), count);
            Value::Array(items.get(from..to).unwrap_or_default().to_vec())
        }
        Some(Value::String(text)) => {
            let (from, to) = bounds(text.chars().count(), count);
            text.chars().skip(from).take(to - from).collect::<String>().into()
        }
        other => return wrong(0, other, "an array or a string"),
    })
}

fn try_get(environment: &Environment<'_>, arguments: &[Expression]) -> Evaluated<Value> {
    let Some((first, path)) = arguments.split_first() else { return Ok(Value::Null) };
    let mut at = missing_is_null(environment.term(first))?;
    for step in path {
        let key = environment.term(step)?;
        at = match (&at, &key) {
            (_, Value::Object(map)) => {
                let index = map.get("value").cloned().unwrap_or_default();
                let back = map.get("fromEnd") == Some(&Value::Bool(true));
                if back {
                    from_end(&[at, index]).ok().flatten().unwrap_or_default()
                } else {
                    missing_is_null(element(&at, &index))?
                }
            }
            _ => missing_is_null(element(&at, &key))?,
        };
        if at.is_null() {
            return Ok(Value::Null);
        }
    }
    Ok(at)
}

/// What is not there reads as null; a question to the host stays one.
fn missing_is_null(value: Evaluated<Value>) -> Evaluated<Value> {
    match value {
        Err(Stop::Fault(_)) => Ok(Value::Null),
        other => other,
    }
}
