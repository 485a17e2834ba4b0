//! Paths with placeholders into a JSON document, for the tables of secrets and references:
//! `properties.sslCertificates[].properties.data`, `properties.credentials.header.*[]`.
//!
//! A visit reports each place as a *keyed path*, in which an array element is named by its `name` or
//! `hostName` member when it has one, so that reordering an array does not change the path.

use serde_json::Value;

/// One step of a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step<'p> {
    /// The member of that name, found without regard to case if there is no exact one.
    Field(&'p str),
    /// Every member of an object.
    AnyField,
    /// Every element of an array.
    Each,
}

/// Splits a pattern into steps.
pub(crate) fn steps(pattern: &str) -> Vec<Step<'_>> {
    let mut steps = Vec::new();
    for part in pattern.split('.') {
        let name = part.trim_end_matches("[]");
        steps.push(if name == "*" { Step::AnyField } else { Step::Field(name) });
        steps.extend((name.len()..part.len()).step_by(2).map(|_| Step::Each));
    }
    steps
}

/// The member of that name; case matters only if two members differ in nothing else.
pub(crate) fn member<'v>(value: &'v Value, name: &str) -> Option<(&'v str, &'v Value)> {
    let map = value.as_object()?;
    match map.get_key_value(name) {
        Some((key, value)) => Some((key, value)),
        None => map.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(k, v)| (k.as_str(), v)),
    }
}

/// How an array element is named in a keyed path.
pub(crate) fn element_key(element: &Value, index: usize) -> String {
    let text = |name| member(element, name).and_then(|(_, value)| value.as_str());
    match (text("name"), text("hostName"), text("type")) {
        (Some(name), ..) => name.to_lowercase(),
        (None, Some(host), kind) => format!("{}:{}", kind.unwrap_or_default(), host).to_lowercase(),
        _ => index.to_string(),
    }
}

/// Calls `found(keyed path, value)` for every place that the steps lead to.
pub(crate) fn visit<'v>(
    value: &'v Value,
    steps: &[Step<'_>],
    path: &str,
    found: &mut dyn FnMut(String, &'v Value),
) {
    let Some((step, rest)) = steps.split_first() else {
        found(path.to_owned(), value);
        return;
    };
    match (step, value) {
        (Step::Field(name), _) => {
            if let Some((_, inner)) = member(value, name) {
                visit(inner, rest, &join(path, name), found);
            }
        }
        (Step::AnyField, Value::Object(map)) => {
            map.iter().for_each(|(name, inner)| visit(inner, rest, &join(path, name), found));
        }
        (Step::Each, Value::Array(items)) => {
            for (index, item) in items.iter().enumerate() {
                visit(item, rest, &format!("{path}[{}]", element_key(item, index)), found);
            }
        }
        _ => {}
    }
}

/// As [`visit`], for changing.
pub(crate) fn visit_mut(
    value: &mut Value,
    steps: &[Step<'_>],
    path: &str,
    found: &mut dyn FnMut(String, &mut Value),
) {
    let Some((step, rest)) = steps.split_first() else {
        found(path.to_owned(), value);
        return;
    };
    match step {
        Step::Field(name) => {
            let Some(key) = member(value, name).map(|(key, _)| key.to_owned()) else { return };
            if let Some(inner) = value.get_mut(&key) {
                visit_mut(inner, rest, &join(path, name), found);
            }
        }
        Step::AnyField => {
            let Some(map) = value.as_object_mut() else { return };
            map.iter_mut().for_each(|(name, inner)| visit_mut(inner, rest, &join(path, name), found));
        }
        Step::Each => {
            let Some(items) = value.as_array_mut() else { return };
            for (index, item) in items.iter_mut().enumerate() {
                let path = format!("{path}[{}]", element_key(item, index));
                visit_mut(item, rest, &path, found);
            }
        }
    }
}

/// Appends a member name to a path.
pub(crate) fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn patterns_reach_every_place_and_name_elements() {
        let document =
            json!({ "a": { "list": [{ "name": "X", "v": 1 }, { "v": 2 }], "m": { "p": [3], "q": [4, 5] } } });
        let collect = |pattern| {
            let mut all = Vec::new();
            visit(&document, &steps(pattern), "", &mut |path, value| all.push(format!("{path}={value}")));
            all
        };
        assert_eq!(collect("a.LIST[].v"), ["a.LIST[x].v=1", "a.LIST[1].v=2"]);
        assert_eq!(collect("a.m.*[]"), ["a.m.p[0]=3", "a.m.q[0]=4", "a.m.q[1]=5"]);
        assert!(collect("a.none.x").is_empty());
    }
}
