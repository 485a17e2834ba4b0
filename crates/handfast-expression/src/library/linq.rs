//! `System.Linq.Enumerable`. Rows marked `lazy` are put off until somebody enumerates their result, and run anew
//! each time. A query that runs is run whole, where .NET goes item by item: who takes only the first item of a
//! query pays, in steps and in effects of its lambdas, for all.

use crate::arith;
use crate::call::Call;
use crate::each;
use crate::fault::{Fault, throw};
use crate::surface::{PLAIN, Row, TypeDef};
use crate::types::{Prim, Type};
use crate::value::{Dictionary, Object, Value};
use std::sync::Mutex;

fn truth(value: Option<&Value>) -> bool {
    value.and_then(Value::as_bool) == Some(true)
}

pub(super) fn count(call: &mut Call<'_>) -> Result<Value, Fault> {
    let items = call.items(0)?;
    let of = if call.member.name == "LongCount" { Prim::Long } else { Prim::Int };
    let made = move |count: usize| arith::integer(of, count as i128, true);
    if call.count() < 2 {
        return made(items.len());
    }
    Err(each::map(&call.arg(1).clone(), &items, move |results| {
        made(results.iter().filter(|r| truth(Some(r))).count())
    }))
}

fn select(call: &mut Call<'_>) -> Result<Value, Fault> {
    let items = call.items(0)?;
    let indexed = matches!(&call.member.params[1].of, Type::Func(inner, _) if inner.len() == 2);
    let calls = items
        .into_iter()
        .enumerate()
        .map(|(at, item)| if indexed { vec![item, Value::count(at)] } else { vec![item] });
    Err(each::calls(call.arg(1).clone(), calls.collect(), |results| Ok(Value::sequence(results))))
}

fn select_many(call: &mut Call<'_>) -> Result<Value, Fault> {
    let items = call.items(0)?;
    let kept = items.clone();
    let combine = (call.count() > 2).then(|| call.arg(2).clone());
    Err(each::map(&call.arg(1).clone(), &items, move |results| {
        each::flattened(results, move |collections| {
            let pairs = kept.into_iter().zip(collections);
            let Some(combine) = combine else {
                return Ok(Value::sequence(pairs.flat_map(|pair| pair.1).collect()));
            };
            let calls = pairs.flat_map(|(outer, inner)| {
                inner.into_iter().map(move |item| vec![outer.clone(), item]).collect::<Vec<_>>()
            });
            Err(each::calls(combine, calls.collect(), |results| Ok(Value::sequence(results))))
        })
    }))
}

fn filter(call: &mut Call<'_>) -> Result<Value, Fault> {
    let items = call.items(0)?;
    let kept = items.clone();
    let indexed = matches!(&call.member.params[1].of, Type::Func(inner, _) if inner.len() == 2);
    let calls = items
        .into_iter()
        .enumerate()
        .map(|(at, item)| if indexed { vec![item, Value::count(at)] } else { vec![item] });
    Err(each::calls(call.arg(1).clone(), calls.collect(), move |results| {
        Ok(Value::sequence(
            kept.into_iter().zip(results).filter(|(_, r)| truth(Some(r))).map(|(item, _)| item).collect(),
        ))
    }))
}

fn while_true(call: &mut Call<'_>) -> Result<Value, Fault> {
    let items = call.items(0)?;
    let (all, take) = (items.clone(), call.member.name == "TakeWhile");
    Err(each::until(false, &call.arg(1).clone(), &items, move |results| {
        let passed = results.iter().filter(|r| truth(Some(r))).count();
        Ok(Value::sequence(if take { all[..passed].to_vec() } else { all[passed..].to_vec() }))
    }))
}

fn any(call: &mut Call<'_>) -> Result<Value, Fault> {
    let items = call.items(0)?;
    if call.count() < 2 {
        return Ok(Value::Bool(!items.is_empty()));
    }
    Err(each::until(true, &call.arg(1).clone(), &items, |results| Ok(Value::Bool(truth(results.last())))))
}

fn all(call: &mut Call<'_>) -> Result<Value, Fault> {
    let items = call.items(0)?;
    Err(each::until(false, &call.arg(1).clone(), &items, |results| {
        Ok(Value::Bool(results.iter().all(|r| truth(Some(r)))))
    }))
}

/// `First`, `Last`, `Single`, with `OrDefault` or not, with a condition or not.
fn one(call: &mut Call<'_>) -> Result<Value, Fault> {
    let items = call.items(0)?;
    let name = call.member.name.clone();
    let default =
        name.ends_with("OrDefault").then(|| call.types.last().map_or(Value::Null, arith::default_of));
    let conditional = call.count() > 1;
    let pick = move |mut items: Vec<Value>| {
        if name.starts_with("Single") && items.len() > 1 {
            return Err(throw("InvalidOperationException", "Sequence contains more than one element"));
        }
        let found = if name.starts_with("Last") { items.pop() } else { items.into_iter().next() };
        found.or(default).ok_or_else(|| {
            let what = if conditional { "matching element" } else { "elements" };
            throw("InvalidOperationException", format!("Sequence contains no {what}"))
        })
    };
    if !conditional {
        return pick(items);
    }
    let kept = items.clone();
    Err(each::map(&call.arg(1).clone(), &items, move |results| {
        pick(kept.into_iter().zip(results).filter(|(_, r)| truth(Some(r))).map(|(item, _)| item).collect())
    }))
}

fn element_at(call: &mut Call<'_>) -> Result<Value, Fault> {
    let items = call.items(0)?;
    let found = usize::try_from(call.int(1)?).ok().and_then(|at| items.get(at).cloned());
    match (found, call.member.name.as_str()) {
        (Some(value), _) => Ok(value),
        (None, "ElementAt") => Err(crate::fault::out_of_range(
            "index",
            "Index was out of range. Must be non-negative and less than the size of the collection.",
        )),
        _ => Ok(call.types.last().map_or(Value::Null, arith::default_of)),
    }
}

/// One key of an order: the selector, whether it descends, how strings compare.
struct SortKey {
    selector: Value,
    descending: bool,
    comparison: super::strings::Comparison,
}

/// `OrderBy` and the `ThenBy`s behind it: the keys, most significant first, over the source of the first.
fn order(call: &mut Call<'_>) -> Result<Value, Fault> {
    let mut keys = vec![sort_key(&call.member.name, call.args)];
    let mut source = call.arg(0).clone();
    while call.member.name.starts_with("ThenBy") {
        let Value::Object(object) = &source else { break };
        let Object::Deferred(query) = &**object else { break };
        let name = &query.member.name;
        if !name.starts_with("OrderBy") && !name.starts_with("ThenBy") {
            break;
        }
        keys.push(sort_key(name, &query.args));
        let first = name.starts_with("OrderBy");
        let next = query.args.first().cloned().unwrap_or(Value::Null);
        source = next;
        if first {
            break;
        }
    }
    keys.reverse();
    let items = call.items_of(&source)?.ok_or_else(|| call.missing(0))?;
    call.allocate(items.len().saturating_mul(keys.len() * size_of::<Value>()))?;
    next_key(keys, 0, items, Vec::new())
}

fn sort_key(name: &str, args: &[Value]) -> SortKey {
    SortKey {
        selector: args.get(1).cloned().unwrap_or(Value::Null),
        descending: name.ends_with("Descending"),
        comparison: super::strings::Comparison::of_comparer(args.get(2).unwrap_or(&Value::Null)),
    }
}

fn next_key(
    keys: Vec<SortKey>,
    at: usize,
    items: Vec<Value>,
    mut columns: Vec<Vec<Value>>,
) -> Result<Value, Fault> {
    let Some(key) = keys.get(at) else { return Ok(sorted(&keys, &items, &columns)) };
    let selector = key.selector.clone();
    let kept = items.clone();
    Err(each::map(&selector, &items, move |column| {
        columns.push(column);
        next_key(keys, at + 1, kept, columns)
    }))
}

fn sorted(keys: &[SortKey], items: &[Value], columns: &[Vec<Value>]) -> Value {
    let mut indexes: Vec<usize> = (0..items.len()).collect();
    indexes.sort_by(|a, b| {
        for (key, column) in keys.iter().zip(columns) {
            let (Some(x), Some(y)) = (column.get(*a), column.get(*b)) else { continue };
            let order = key.comparison.order(x, y);
            let order = if key.descending { order.reverse() } else { order };
            if order.is_ne() {
                return order;
            }
        }
        std::cmp::Ordering::Equal
    });
    Value::sequence(indexes.into_iter().filter_map(|at| items.get(at).cloned()).collect())
}

fn slice(call: &mut Call<'_>) -> Result<Value, Fault> {
    let mut items = call.items(0)?;
    let count = usize::try_from(call.int(1)?).unwrap_or(0).min(items.len());
    let rest = items.len() - count;
    Ok(Value::sequence(match call.member.name.as_str() {
        "Take" => {
            items.truncate(count);
            items
        }
        "Skip" => items.split_off(count),
        "TakeLast" => items.split_off(rest),
        _ => {
            items.truncate(rest);
            items
        }
    }))
}

/// `Append`, `Prepend`.
fn one_more(call: &mut Call<'_>) -> Result<Value, Fault> {
    let mut items = call.items(0)?;
    let at = if call.member.name == "Append" { items.len() } else { 0 };
    items.insert(at, call.arg(1).clone());
    Ok(Value::sequence(items))
}

fn reverse(call: &mut Call<'_>) -> Result<Value, Fault> {
    let mut items = call.items(0)?;
    items.reverse();
    Ok(Value::sequence(items))
}

fn same(call: &mut Call<'_>) -> Result<Value, Fault> {
    let items = call.items(0)?;
    Ok(match call.member.name.as_str() {
        "ToList" => Value::list(Type::Class("List", call.types.to_vec()), items),
        "ToArray" => super::array::make(call.types.last().unwrap_or(&Type::Object), items),
        "ToHashSet" => {
            let mut set = set_for(call);
            for item in items {
                set.set(item, Value::Null);
            }
            Value::object(Object::Set(Type::Class("HashSet", call.types.to_vec()), Mutex::new(set)))
        }
        _ => Value::sequence(items),
    })
}

fn of_type(call: &mut Call<'_>) -> Result<Value, Fault> {
    let of = call.types.last().cloned().unwrap_or(Type::Object);
    let mut items = call.items(0)?;
    if call.member.name == "OfType" {
        items.retain(|item| arith::is_instance(item, &of));
        return Ok(Value::sequence(items));
    }
    let conversion = crate::tree::Conversion::Test(of);
    call.allocate(items.len())?;
    Ok(Value::sequence(
        items.into_iter().map(|item| arith::convert(item, &conversion, false)).collect::<Result<_, _>>()?,
    ))
}

/// A set that compares as the comparer among the arguments does.
fn set_for(call: &Call<'_>) -> Dictionary {
    Dictionary::new(super::collections::ignores_case(call), false)
}

/// Set operations, by equality, in order.
fn sets(call: &mut Call<'_>) -> Result<Value, Fault> {
    let name = call.member.name.as_str();
    let items = call.items(0)?;
    let others = if name == "Distinct" { Vec::new() } else { call.items(1)? };
    if name == "Concat" {
        return Ok(Value::sequence(items.into_iter().chain(others).collect()));
    }
    let (mut seen, mut other) = (set_for(call), set_for(call));
    for item in &others {
        other.set(item.clone(), Value::Null);
    }
    let all: Vec<Value> = if name == "Union" { items.into_iter().chain(others).collect() } else { items };
    let kept = |item: &Value| match name {
        "Except" => other.get(item).is_none(),
        "Intersect" => other.get(item).is_some(),
        _ => true,
    };
    Ok(Value::sequence(
        all.into_iter().filter(kept).filter(|item| seen.set(item.clone(), Value::Null)).collect(),
    ))
}

fn contains(call: &mut Call<'_>) -> Result<Value, Fault> {
    let items = call.items(0)?;
    let fold = super::context::named(call.arg(2), "IgnoreCase").as_bool() == Some(true);
    let wanted = call.arg(1).clone();
    Ok(Value::Bool(items.iter().any(|item| {
        arith::equals(item, &wanted)
            || fold && item.to_text().to_uppercase() == wanted.to_text().to_uppercase()
    })))
}

fn sequence_equal(call: &mut Call<'_>) -> Result<Value, Fault> {
    let (a, b) = (call.items(0)?, call.items(1)?);
    Ok(Value::Bool(a.len() == b.len() && a.iter().zip(&b).all(|(a, b)| arith::equals(a, b))))
}

fn total(name: &str, of: &Type, items: Vec<Value>) -> Result<Value, Fault> {
    let items: Vec<_> = items.into_iter().filter(|item| !item.is_null()).collect();
    let none = || throw("InvalidOperationException", "Sequence contains no elements");
    match name {
        "Sum" => {
            let Type::Prim(prim) = of.stripped() else { return Ok(Value::Null) };
            let operands = crate::tree::Operands::Prim(*prim);
            items.iter().try_fold(arith::default_of(of.stripped()), |sum, item| {
                arith::binary("+", operands, &sum, item, true)
            })
        }
        "Average" if items.is_empty() => Err(none()),
        "Average" if *of == Type::Prim(Prim::Decimal) => {
            let sum: rust_decimal::Decimal = items.iter().filter_map(arith::to_decimal).sum();
            Ok(Value::Decimal(sum / rust_decimal::Decimal::from(items.len())))
        }
        "Average" => {
            Ok(Value::Double(items.iter().filter_map(arith::to_double).sum::<f64>() / items.len() as f64))
        }
        _ => {
            let best = if name == "Max" {
                items.into_iter().max_by(arith::order)
            } else {
                items.into_iter().min_by(arith::order)
            };
            match best {
                Some(value) => Ok(value),
                None if of.admits_null() => Ok(Value::Null),
                None => Err(none()),
            }
        }
    }
}

fn aggregate_numbers(call: &mut Call<'_>) -> Result<Value, Fault> {
    let items = call.items(0)?;
    let (name, of) = (
        call.member.name.clone(),
        match &call.member.result {
            Type::Param(_) => call.types.last().cloned().unwrap_or(Type::Object),
            other => other.clone(),
        },
    );
    if call.count() < 2 {
        return total(&name, &of, items);
    }
    Err(each::map(&call.arg(1).clone(), &items, move |results| total(&name, &of, results)))
}

fn aggregate(call: &mut Call<'_>) -> Result<Value, Fault> {
    let mut items = call.items(0)?;
    if call.count() > 2 {
        let last = (call.count() > 3).then(|| call.arg(3).clone());
        return Err(each::fold(&call.arg(2).clone(), call.arg(1).clone(), items, move |total| match last {
            None => Ok(total),
            Some(last) => {
                Err(each::map(&last, &[total], |mut results| Ok(results.pop().unwrap_or(Value::Null))))
            }
        }));
    }
    if items.is_empty() {
        return Err(throw("InvalidOperationException", "Sequence contains no elements"));
    }
    let seed = items.remove(0);
    Err(each::fold(&call.arg(1).clone(), seed, items, Ok))
}

fn zip(call: &mut Call<'_>) -> Result<Value, Fault> {
    let (a, b) = (call.items(0)?, call.items(1)?);
    let pairs = a.into_iter().zip(b).map(|(a, b)| vec![a, b]).collect();
    Err(each::calls(call.arg(2).clone(), pairs, |results| Ok(Value::sequence(results))))
}

fn is_function(value: &Value) -> bool {
    matches!(value, Value::Object(object) if matches!(**object, Object::Closure(_)))
}

fn to_dictionary(call: &mut Call<'_>) -> Result<Value, Fault> {
    let items = call.items(0)?;
    let mut map = set_for(call);
    let of = Type::Class("Dictionary", call.types.get(1..).unwrap_or(&[]).to_vec());
    let of = match of {
        Type::Class(name, arguments) if arguments.len() == 1 => {
            let item = call.types.first().cloned().unwrap_or(Type::Object);
            Type::Class(name, vec![arguments[0].clone(), item])
        }
        other => other,
    };
    let make = move |keys: Vec<Value>, values: Vec<Value>| {
        for (key, value) in keys.into_iter().zip(values) {
            if key.is_null() {
                return Err(crate::fault::argument_null("key"));
            }
            let text = key.to_text();
            if !map.set(key, value) {
                return Err(throw(
                    "ArgumentException",
                    format!("An item with the same key has already been added. Key: {text}"),
                ));
            }
        }
        Ok(Value::object(Object::Dictionary(of, Mutex::new(map))))
    };
    let value = Some(call.arg(2).clone()).filter(is_function);
    let kept = items.clone();
    Err(each::map(&call.arg(1).clone(), &items, move |keys| match value {
        None => make(keys, kept),
        Some(function) => Err(each::map(&function, &kept, move |values| make(keys, values))),
    }))
}

/// Items by key, keys in order of appearance.
fn grouped(keys: Vec<Value>, items: Vec<Value>, fold: bool) -> Vec<(Value, Vec<Value>)> {
    let mut groups: Vec<(Value, Vec<Value>)> = Vec::new();
    let mut index = std::collections::HashMap::new();
    for (key, item) in keys.into_iter().zip(items) {
        let hash = crate::text::hash_key(&key);
        let hash = if fold { hash.to_uppercase() } else { hash };
        let at = *index.entry(hash).or_insert(groups.len());
        match groups.get_mut(at) {
            Some(group) => group.1.push(item),
            None => groups.push((key, vec![item])),
        }
    }
    groups
}

fn grouping(key: Value, items: Vec<Value>) -> Value {
    Value::record("IGrouping", vec![("Key", key), ("Items", Value::sequence(items))])
}

/// `GroupBy` with an element selector, a result selector, both or none.
fn group_by(call: &mut Call<'_>) -> Result<Value, Fault> {
    let items = call.items(0)?;
    let fold = super::collections::ignores_case(call);
    let arity = |at: usize| match call.member.params.get(at).map(|param| &param.of) {
        Some(Type::Func(inner, _)) => inner.len(),
        _ => 0,
    };
    let element = (2..call.count()).find(|at| arity(*at) == 1).map(|at| call.arg(at).clone());
    let result = (2..call.count()).find(|at| arity(*at) == 2).map(|at| call.arg(at).clone());
    let kept = items.clone();
    let finish = move |keys: Vec<Value>, items: Vec<Value>| {
        let groups = grouped(keys, items, fold);
        let Some(result) = result else {
            return Ok(Value::sequence(
                groups.into_iter().map(|(key, items)| grouping(key, items)).collect(),
            ));
        };
        let calls = groups.into_iter().map(|(key, items)| vec![key, Value::sequence(items)]).collect();
        Err(each::calls(result, calls, |results| Ok(Value::sequence(results))))
    };
    Err(each::map(&call.arg(1).clone(), &items, move |keys| match element {
        None => finish(keys, kept),
        Some(element) => Err(each::map(&element, &kept, move |items| finish(keys, items))),
    }))
}

/// `ToLookup`: groups that are found by key.
fn to_lookup(call: &mut Call<'_>) -> Result<Value, Fault> {
    let items = call.items(0)?;
    let fold = super::collections::ignores_case(call);
    let element = Some(call.arg(2).clone()).filter(is_function);
    let kept = items.clone();
    let finish = move |keys: Vec<Value>, items: Vec<Value>| {
        let groups =
            grouped(keys, items, fold).into_iter().map(|(key, items)| grouping(key, items)).collect();
        Ok(Value::list(Type::class("ILookup"), groups))
    };
    Err(each::map(&call.arg(1).clone(), &items, move |keys| match element {
        None => finish(keys, kept),
        Some(element) => Err(each::map(&element, &kept, move |items| finish(keys, items))),
    }))
}

fn lookup_get(call: &mut Call<'_>) -> Result<Value, Fault> {
    let groups = call.items(0)?;
    let found = groups.iter().find(|group| arith::equals(&super::context::named(group, "Key"), call.arg(1)));
    if call.member.name == "Contains" {
        return Ok(Value::Bool(found.is_some()));
    }
    Ok(found.map_or_else(|| Value::sequence(Vec::new()), |group| super::context::named(group, "Items")))
}

/// `Join` and `GroupJoin`.
fn join(call: &mut Call<'_>) -> Result<Value, Fault> {
    let (outer, inner) = (call.items(0)?, call.items(1)?);
    let fold = super::collections::ignores_case(call);
    let (inner_key, result) = (call.arg(3).clone(), call.arg(4).clone());
    let whole = call.member.name == "GroupJoin";
    let outers = outer.clone();
    Err(each::map(&call.arg(2).clone(), &outer, move |outer_keys| {
        let inners = inner.clone();
        Err(each::map(&inner_key, &inner, move |inner_keys| {
            let groups = grouped(inner_keys, inners, fold);
            let hash = |key: &Value| {
                let hash = crate::text::hash_key(key);
                if fold { hash.to_uppercase() } else { hash }
            };
            let index: std::collections::HashMap<_, _> = groups
                .iter()
                .filter(|group| !group.0.is_null())
                .map(|group| (hash(&group.0), &group.1))
                .collect();
            let mut calls = Vec::new();
            for (item, key) in outers.into_iter().zip(outer_keys) {
                let found = index.get(&hash(&key)).map(|items| items.to_vec()).unwrap_or_default();
                if whole {
                    calls.push(vec![item, Value::sequence(found)]);
                } else {
                    calls.extend(found.into_iter().map(|inner| vec![item.clone(), inner]));
                }
            }
            Err(each::calls(result, calls, |results| Ok(Value::sequence(results))))
        }))
    }))
}

fn range(call: &mut Call<'_>) -> Result<Value, Fault> {
    let count = usize::try_from(call.int(1)?).map_err(|_| {
        crate::fault::out_of_range("count", "Specified argument was out of the range of valid values.")
    })?;
    call.allocate(count.saturating_mul(size_of::<Value>()))?;
    let first = call.arg(0).clone();
    if call.member.name == "Repeat" {
        return Ok(Value::sequence(vec![first; count]));
    }
    let start = call.int(0)?;
    Ok(Value::sequence((0..count as i64).map(|offset| Value::Int(Prim::Int, start + offset)).collect()))
}

fn default_if_empty(call: &mut Call<'_>) -> Result<Value, Fault> {
    let items = call.items(0)?;
    let default = if call.count() > 1 {
        call.arg(1).clone()
    } else {
        call.types.last().map_or(Value::Null, arith::default_of)
    };
    Ok(Value::sequence(if items.is_empty() { vec![default] } else { items }))
}

fn empty(_: &mut Call<'_>) -> Result<Value, Fault> {
    Ok(Value::sequence(Vec::new()))
}

pub(super) const TYPES: &[TypeDef] = &[
    TypeDef {
        name: "IOrderedEnumerable",
        namespace: "System.Linq",
        generics: &["T"],
        bases: &["IEnumerable<T>"],
        ..PLAIN
    },
    TypeDef {
        name: "ILookup",
        namespace: "System.Linq",
        generics: &["K", "T"],
        bases: &["IEnumerable<IGrouping<K, T>>"],
        lenient: true,
        rows: &[Row("IEnumerable<T> this[K key]; bool Contains(K key)", lookup_get), Row("int Count", count)],
    },
    TypeDef {
        name: "IGrouping",
        namespace: "System.Linq",
        generics: &["K", "T"],
        bases: &["IEnumerable<T>"],
        lenient: true,
        rows: &[Row("K Key", super::context::field)],
    },
    TypeDef {
        name: "Enumerable",
        namespace: "System.Linq",
        rows: &[
            Row(
                "static int Count<T>(this IEnumerable<T> source); static int Count<T>(this IEnumerable<T> source, Func<T, bool> predicate); static long LongCount<T>(this IEnumerable<T> source); static long LongCount<T>(this IEnumerable<T> source, Func<T, bool> predicate)",
                count,
            ),
            Row(
                "lazy static IEnumerable<R> Select<T, R>(this IEnumerable<T> source, Func<T, R> selector); lazy static IEnumerable<R> Select<T, R>(this IEnumerable<T> source, Func<T, int, R> selector)",
                select,
            ),
            Row(
                "lazy static IEnumerable<R> SelectMany<T, R>(this IEnumerable<T> source, Func<T, IEnumerable<R>> selector); lazy static IEnumerable<R> SelectMany<T, C, R>(this IEnumerable<T> source, Func<T, IEnumerable<C>> collectionSelector, Func<T, C, R> resultSelector)",
                select_many,
            ),
            Row(
                "lazy static IEnumerable<T> Where<T>(this IEnumerable<T> source, Func<T, bool> predicate); lazy static IEnumerable<T> Where<T>(this IEnumerable<T> source, Func<T, int, bool> predicate)",
                filter,
            ),
            Row(
                "lazy static IEnumerable<T> TakeWhile<T>(this IEnumerable<T> source, Func<T, bool> predicate); lazy static IEnumerable<T> SkipWhile<T>(this IEnumerable<T> source, Func<T, bool> predicate)",
                while_true,
            ),
            Row(
                "static bool Any<T>(this IEnumerable<T> source); static bool Any<T>(this IEnumerable<T> source, Func<T, bool> predicate)",
                any,
            ),
            Row("static bool All<T>(this IEnumerable<T> source, Func<T, bool> predicate)", all),
            Row(
                "static T First<T>(this IEnumerable<T> source); static T First<T>(this IEnumerable<T> source, Func<T, bool> predicate); static T FirstOrDefault<T>(this IEnumerable<T> source); static T FirstOrDefault<T>(this IEnumerable<T> source, Func<T, bool> predicate); static T Last<T>(this IEnumerable<T> source); static T Last<T>(this IEnumerable<T> source, Func<T, bool> predicate); static T LastOrDefault<T>(this IEnumerable<T> source); static T LastOrDefault<T>(this IEnumerable<T> source, Func<T, bool> predicate); static T Single<T>(this IEnumerable<T> source); static T Single<T>(this IEnumerable<T> source, Func<T, bool> predicate); static T SingleOrDefault<T>(this IEnumerable<T> source); static T SingleOrDefault<T>(this IEnumerable<T> source, Func<T, bool> predicate)",
                one,
            ),
            Row(
                "static T ElementAt<T>(this IEnumerable<T> source, int index); static T ElementAtOrDefault<T>(this IEnumerable<T> source, int index)",
                element_at,
            ),
            Row(
                "lazy static IOrderedEnumerable<T> OrderBy<T, K>(this IEnumerable<T> source, Func<T, K> keySelector); lazy static IOrderedEnumerable<T> OrderBy<T, K>(this IEnumerable<T> source, Func<T, K> keySelector, StringComparer comparer); lazy static IOrderedEnumerable<T> OrderByDescending<T, K>(this IEnumerable<T> source, Func<T, K> keySelector); lazy static IOrderedEnumerable<T> OrderByDescending<T, K>(this IEnumerable<T> source, Func<T, K> keySelector, StringComparer comparer); lazy static IOrderedEnumerable<T> ThenBy<T, K>(this IOrderedEnumerable<T> source, Func<T, K> keySelector); lazy static IOrderedEnumerable<T> ThenBy<T, K>(this IOrderedEnumerable<T> source, Func<T, K> keySelector, StringComparer comparer); lazy static IOrderedEnumerable<T> ThenByDescending<T, K>(this IOrderedEnumerable<T> source, Func<T, K> keySelector); lazy static IOrderedEnumerable<T> ThenByDescending<T, K>(this IOrderedEnumerable<T> source, Func<T, K> keySelector, StringComparer comparer)",
                order,
            ),
            Row(
                "lazy static IEnumerable<T> Take<T>(this IEnumerable<T> source, int count); lazy static IEnumerable<T> Skip<T>(this IEnumerable<T> source, int count); lazy static IEnumerable<T> TakeLast<T>(this IEnumerable<T> source, int count); lazy static IEnumerable<T> SkipLast<T>(this IEnumerable<T> source, int count)",
                slice,
            ),
            Row(
                "lazy static IEnumerable<T> Append<T>(this IEnumerable<T> source, T element); lazy static IEnumerable<T> Prepend<T>(this IEnumerable<T> source, T element)",
                one_more,
            ),
            Row("lazy static IEnumerable<T> Reverse<T>(this IEnumerable<T> source)", reverse),
            Row(
                "static List<T> ToList<T>(this IEnumerable<T> source); static T[] ToArray<T>(this IEnumerable<T> source); static HashSet<T> ToHashSet<T>(this IEnumerable<T> source); static HashSet<T> ToHashSet<T>(this IEnumerable<T> source, StringComparer comparer); lazy static IEnumerable<T> AsEnumerable<T>(this IEnumerable<T> source)",
                same,
            ),
            Row(
                "lazy static IEnumerable<R> OfType<R>(this IEnumerable source); lazy static IEnumerable<R> Cast<R>(this IEnumerable source)",
                of_type,
            ),
            Row(
                "lazy static IEnumerable<T> Distinct<T>(this IEnumerable<T> source); lazy static IEnumerable<T> Distinct<T>(this IEnumerable<T> source, StringComparer comparer); lazy static IEnumerable<T> Concat<T>(this IEnumerable<T> source, IEnumerable<T> second); lazy static IEnumerable<T> Union<T>(this IEnumerable<T> source, IEnumerable<T> second); lazy static IEnumerable<T> Union<T>(this IEnumerable<T> source, IEnumerable<T> second, StringComparer comparer); lazy static IEnumerable<T> Except<T>(this IEnumerable<T> source, IEnumerable<T> second); lazy static IEnumerable<T> Except<T>(this IEnumerable<T> source, IEnumerable<T> second, StringComparer comparer); lazy static IEnumerable<T> Intersect<T>(this IEnumerable<T> source, IEnumerable<T> second); lazy static IEnumerable<T> Intersect<T>(this IEnumerable<T> source, IEnumerable<T> second, StringComparer comparer)",
                sets,
            ),
            Row(
                "static bool Contains<T>(this IEnumerable<T> source, T value); static bool Contains<T>(this IEnumerable<T> source, T value, StringComparer comparer)",
                contains,
            ),
            Row(
                "static bool SequenceEqual<T>(this IEnumerable<T> source, IEnumerable<T> second); static bool SequenceEqual<T>(this IEnumerable<T> source, IEnumerable<T> second, StringComparer comparer)",
                sequence_equal,
            ),
            Row(
                "static int Sum(this IEnumerable<int> source); static long Sum(this IEnumerable<long> source); static double Sum(this IEnumerable<double> source); static decimal Sum(this IEnumerable<decimal> source); static float Sum(this IEnumerable<float> source); static int? Sum(this IEnumerable<int?> source); static double? Sum(this IEnumerable<double?> source); static double Average(this IEnumerable<int> source); static double Average(this IEnumerable<long> source); static double Average(this IEnumerable<double> source); static decimal Average(this IEnumerable<decimal> source); static T Max<T>(this IEnumerable<T> source); static T Min<T>(this IEnumerable<T> source)",
                aggregate_numbers,
            ),
            Row(
                "static int Sum<T>(this IEnumerable<T> source, Func<T, int> selector); static long Sum<T>(this IEnumerable<T> source, Func<T, long> selector); static double Sum<T>(this IEnumerable<T> source, Func<T, double> selector); static decimal Sum<T>(this IEnumerable<T> source, Func<T, decimal> selector); static double Average<T>(this IEnumerable<T> source, Func<T, int> selector); static decimal Average<T>(this IEnumerable<T> source, Func<T, decimal> selector); static double Average<T>(this IEnumerable<T> source, Func<T, double> selector); static R Max<T, R>(this IEnumerable<T> source, Func<T, R> selector); static R Min<T, R>(this IEnumerable<T> source, Func<T, R> selector)",
                aggregate_numbers,
            ),
            Row(
                "static T Aggregate<T>(this IEnumerable<T> source, Func<T, T, T> func); static A Aggregate<T, A>(this IEnumerable<T> source, A seed, Func<A, T, A> func); static R Aggregate<T, A, R>(this IEnumerable<T> source, A seed, Func<A, T, A> func, Func<A, R> resultSelector)",
                aggregate,
            ),
            Row(
                "lazy static IEnumerable<R> Zip<T, U, R>(this IEnumerable<T> first, IEnumerable<U> second, Func<T, U, R> resultSelector)",
                zip,
            ),
            Row(
                "static Dictionary<K, T> ToDictionary<T, K>(this IEnumerable<T> source, Func<T, K> keySelector); static Dictionary<K, V> ToDictionary<T, K, V>(this IEnumerable<T> source, Func<T, K> keySelector, Func<T, V> elementSelector); static Dictionary<K, T> ToDictionary<T, K>(this IEnumerable<T> source, Func<T, K> keySelector, StringComparer comparer); static Dictionary<K, V> ToDictionary<T, K, V>(this IEnumerable<T> source, Func<T, K> keySelector, Func<T, V> elementSelector, StringComparer comparer)",
                to_dictionary,
            ),
            Row(
                "lazy static IEnumerable<IGrouping<K, T>> GroupBy<T, K>(this IEnumerable<T> source, Func<T, K> keySelector); lazy static IEnumerable<IGrouping<K, T>> GroupBy<T, K>(this IEnumerable<T> source, Func<T, K> keySelector, StringComparer comparer); lazy static IEnumerable<IGrouping<K, E>> GroupBy<T, K, E>(this IEnumerable<T> source, Func<T, K> keySelector, Func<T, E> elementSelector); lazy static IEnumerable<R> GroupBy<T, K, R>(this IEnumerable<T> source, Func<T, K> keySelector, Func<K, IEnumerable<T>, R> resultSelector); lazy static IEnumerable<R> GroupBy<T, K, E, R>(this IEnumerable<T> source, Func<T, K> keySelector, Func<T, E> elementSelector, Func<K, IEnumerable<E>, R> resultSelector)",
                group_by,
            ),
            Row(
                "static ILookup<K, T> ToLookup<T, K>(this IEnumerable<T> source, Func<T, K> keySelector); static ILookup<K, T> ToLookup<T, K>(this IEnumerable<T> source, Func<T, K> keySelector, StringComparer comparer); static ILookup<K, V> ToLookup<T, K, V>(this IEnumerable<T> source, Func<T, K> keySelector, Func<T, V> elementSelector)",
                to_lookup,
            ),
            Row(
                "lazy static IEnumerable<R> Join<O, I, K, R>(this IEnumerable<O> outer, IEnumerable<I> inner, Func<O, K> outerKeySelector, Func<I, K> innerKeySelector, Func<O, I, R> resultSelector); lazy static IEnumerable<R> GroupJoin<O, I, K, R>(this IEnumerable<O> outer, IEnumerable<I> inner, Func<O, K> outerKeySelector, Func<I, K> innerKeySelector, Func<O, IEnumerable<I>, R> resultSelector)",
                join,
            ),
            Row("static IEnumerable<T> Empty<T>()", empty),
            Row(
                "static IEnumerable<int> Range(int start, int count); static IEnumerable<T> Repeat<T>(T element, int count)",
                range,
            ),
            Row(
                "lazy static IEnumerable<T> DefaultIfEmpty<T>(this IEnumerable<T> source); lazy static IEnumerable<T> DefaultIfEmpty<T>(this IEnumerable<T> source, T defaultValue)",
                default_if_empty,
            ),
        ],
        ..PLAIN
    },
];
