//! Functions that take a lambda (§10.5).

use super::{FunctionEntry, array_at, bool_of, eager, lazy, object_at, printed, str_at};
use crate::evaluate::{Environment, Lambda};
use crate::expression::Expression;
use crate::fault::{Evaluated, fault};
use serde_json::{Map, Value};

pub(super) const TABLE: &[FunctionEntry] = &[
    lazy("lambda", 1, 4, |_, _| {
        fault("\"lambda\" may be used only as an argument of a function that takes one")
    }),
    eager("lambdaVariables", 1, 1, |environment, a| environment.local(str_at(&a, 0)?)),
    lazy("map", 2, 2, |environment, a| {
        let (items, lambda) = (items(environment, a)?, Lambda::of(a.get(1), 2)?);
        let each = items
            .into_iter()
            .enumerate()
            .map(|(index, item)| environment.lambda(&lambda, &[item, index.into()]));
        each.collect::<Evaluated<_>>().map(Value::Array)
    }),
    lazy("filter", 2, 2, |environment, a| {
        let (items, lambda) = (items(environment, a)?, Lambda::of(a.get(1), 2)?);
        let mut kept = Vec::new();
        for (index, item) in items.into_iter().enumerate() {
            if bool_of(&environment.lambda(&lambda, &[item.clone(), index.into()])?)? {
                kept.push(item);
            }
        }
        Ok(Value::Array(kept))
    }),
    lazy("reduce", 3, 3, |environment, a| {
        let (items, lambda) = (items(environment, a)?, Lambda::of(a.get(2), 3)?);
        let Some(initial) = a.get(1) else { return fault("an initial value is needed") };
        let initial = environment.term(initial)?;
        let mut numbered = items.into_iter().enumerate();
        numbered
            .try_fold(initial, |all, (index, item)| environment.lambda(&lambda, &[all, item, index.into()]))
    }),
    lazy("sort", 2, 2, |environment, a| {
        let (items, lambda) = (items(environment, a)?, Lambda::of(a.get(1), 2)?);
        merge_sort(items, &|a, b| bool_of(&environment.lambda(&lambda, &[a.clone(), b.clone()])?))
            .map(Value::Array)
    }),
    lazy("toObject", 2, 3, |environment, a| {
        let mut map = Map::new();
        for (key, value) in keyed(environment, a)? {
            if map.contains_key(&key) {
                return fault(format!("key \"{key}\" comes twice"));
            }
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }),
    lazy("groupBy", 2, 3, |environment, a| {
        let mut map = Map::new();
        for (key, value) in keyed(environment, a)? {
            if let Value::Array(group) = map.entry(key).or_insert_with(|| Value::Array(Vec::new())) {
                group.push(value);
            }
        }
        Ok(Value::Object(map))
    }),
    lazy("mapValues", 2, 2, |environment, a| {
        let Some(first) = a.first() else { return fault("an object is needed") };
        let lambda = Lambda::of(a.get(1), 1)?;
        let mut map = Map::new();
        for (key, value) in object_at(&[environment.term(first)?], 0)? {
            map.insert(key.clone(), environment.lambda(&lambda, std::slice::from_ref(value))?);
        }
        Ok(Value::Object(map))
    }),
];

fn items(environment: &Environment<'_>, arguments: &[Expression]) -> Evaluated<Vec<Value>> {
    let Some(first) = arguments.first() else { return fault("an array is needed") };
    let value = environment.term(first)?;
    array_at(&[value], 0).cloned()
}

/// Key and value of each item, by one or two lambdas.
fn keyed(environment: &Environment<'_>, arguments: &[Expression]) -> Evaluated<Vec<(String, Value)>> {
    let items = items(environment, arguments)?;
    let key = Lambda::of(arguments.get(1), 1)?;
    let value = arguments.get(2).map(|argument| Lambda::of(Some(argument), 1)).transpose()?;
    let mut all = Vec::with_capacity(items.len());
    for item in items {
        let item = [item];
        let name = printed(&environment.lambda(&key, &item)?);
        let value = match &value {
            Some(value) => environment.lambda(value, &item)?,
            None => item.into_iter().next().unwrap_or_default(),
        };
        all.push((name, value));
    }
    Ok(all)
}

/// A stable merge sort, because the order may fail and need not be one.
fn merge_sort(
    items: Vec<Value>,
    before: &dyn Fn(&Value, &Value) -> Evaluated<bool>,
) -> Evaluated<Vec<Value>> {
    if items.len() < 2 {
        return Ok(items);
    }
    let mut left = items;
    let right = left.split_off(left.len() / 2);
    let mut left = merge_sort(left, before)?.into_iter().peekable();
    let mut right = merge_sort(right, before)?.into_iter().peekable();
    let mut all = Vec::new();
    while let (Some(a), Some(b)) = (left.peek(), right.peek()) {
        let take_right = !before(a, b)? && before(b, a)?;
        all.extend(if take_right { right.next() } else { left.next() });
    }
    all.extend(left.chain(right));
    Ok(all)
}
