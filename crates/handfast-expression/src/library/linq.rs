//! `System.Linq.Enumerable`. Sequences are made whole when they are asked for; a lambda with effects is
//! therefore run for all items, where .NET runs it while the result is enumerated.

use crate::arith;
use crate::call::{Call, enumerate};
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
    if call.count() < 2 {
        return Ok(Value::count(items.len()));
    }
    Err(each::map(&call.arg(1).clone(), &items, |results| {
        Ok(Value::count(results.iter().filter(|r| truth(Some(r))).count()))
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
    Err(each::map(&call.arg(1).clone(), &items, |results| {
        let inner = |value: &Value| match value {
            Value::Object(object) => enumerate(object).unwrap_or_default(),
            Value::Json(token) => token.enumerate().unwrap_or_default(),
            Value::Str(text) => text.encode_utf16().map(Value::Char).collect(),
            _ => Vec::new(),
        };
        Ok(Value::sequence(results.iter().flat_map(inner).collect()))
    }))
}

fn filter(call: &mut Call<'_>) -> Result<Value, Fault> {
    let items = call.items(0)?;
    let kept = items.clone();
    Err(each::map(&call.arg(1).clone(), &items, move |results| {
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

fn order(call: &mut Call<'_>) -> Result<Value, Fault> {
    let items = call.items(0)?;
    let descending = call.member.name.ends_with("Descending");
    let ordinal = super::context::named(call.arg(2), "Ordinal").as_bool() == Some(true);
    let kept = items.clone();
    Err(each::map(&call.arg(1).clone(), &items, move |keys| {
        let mut pairs: Vec<_> = keys.into_iter().zip(kept).collect();
        pairs.sort_by(|a, b| {
            let order = match (&a.0, &b.0) {
                (Value::Str(a), Value::Str(b)) if ordinal => a.encode_utf16().cmp(b.encode_utf16()),
                (a, b) => arith::order(a, b),
            };
            if descending { order.reverse() } else { order }
        });
        Ok(Value::sequence(pairs.into_iter().map(|pair| pair.1).collect()))
    }))
}

fn slice(call: &mut Call<'_>) -> Result<Value, Fault> {
    let items = call.items(0)?;
    let count = usize::try_from(call.int(1)?).unwrap_or(0).min(items.len());
    Ok(Value::sequence(if call.member.name == "Take" {
        items[..count].to_vec()
    } else {
        items[count..].to_vec()
    }))
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
    Ok(Value::sequence(
        items.into_iter().map(|item| arith::convert(item, &conversion, false)).collect::<Result<_, _>>()?,
    ))
}

/// Set operations, by equality, in order.
fn sets(call: &mut Call<'_>) -> Result<Value, Fault> {
    let items = call.items(0)?;
    let others = if call.count() > 1 { call.items(1)? } else { Vec::new() };
    let name = call.member.name.as_str();
    let mut seen = Dictionary::default();
    let mut other = Dictionary::default();
    for item in &others {
        other.set(item.clone(), Value::Null);
    }
    let all =
        if name == "Union" || name == "Concat" { items.into_iter().chain(others).collect() } else { items };
    let kept = |item: &Value| match name {
        "Concat" => true,
        "Except" => other.get(item).is_none(),
        "Intersect" => other.get(item).is_some(),
        _ => true,
    };
    let kept: Vec<_> = all
        .into_iter()
        .filter(kept)
        .filter(|item| seen.set(item.clone(), Value::Null) || name == "Concat")
        .collect();
    Ok(Value::sequence(kept))
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
        return Err(each::fold(&call.arg(2).clone(), call.arg(1).clone(), items, Ok));
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

fn to_dictionary(call: &mut Call<'_>) -> Result<Value, Fault> {
    let items = call.items(0)?;
    let of = Type::Class("Dictionary", call.types.get(1..).unwrap_or(&[]).to_vec());
    let make = move |keys: Vec<Value>, values: Vec<Value>| {
        let mut map = Dictionary::default();
        for (key, value) in keys.into_iter().zip(values) {
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
    let value = (call.count() > 2).then(|| call.arg(2).clone());
    let kept = items.clone();
    Err(each::map(&call.arg(1).clone(), &items, move |keys| match value {
        None => make(keys, kept),
        Some(function) => Err(each::map(&function, &kept, move |values| make(keys, values))),
    }))
}

fn group_by(call: &mut Call<'_>) -> Result<Value, Fault> {
    let items = call.items(0)?;
    let kept = items.clone();
    Err(each::map(&call.arg(1).clone(), &items, move |keys| {
        let mut groups: Vec<(Value, Vec<Value>)> = Vec::new();
        let mut index = std::collections::HashMap::new();
        for (key, item) in keys.into_iter().zip(kept) {
            let at = *index.entry(crate::text::hash_key(&key)).or_insert(groups.len());
            if at == groups.len() {
                groups.push((key, Vec::new()));
            }
            groups[at].1.push(item);
        }
        Ok(Value::sequence(
            groups
                .into_iter()
                .map(|(key, items)| {
                    Value::record("IGrouping", vec![("Key", key), ("Items", Value::sequence(items))])
                })
                .collect(),
        ))
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

pub(super) const TYPES: &[TypeDef] = &[
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
                "static int Count<T>(this IEnumerable<T> source); static int Count<T>(this IEnumerable<T> source, Func<T, bool> predicate)",
                count,
            ),
            Row(
                "static IEnumerable<R> Select<T, R>(this IEnumerable<T> source, Func<T, R> selector); static IEnumerable<R> Select<T, R>(this IEnumerable<T> source, Func<T, int, R> selector)",
                select,
            ),
            Row(
                "static IEnumerable<R> SelectMany<T, R>(this IEnumerable<T> source, Func<T, IEnumerable<R>> selector)",
                select_many,
            ),
            Row(
                "static IEnumerable<T> Where<T>(this IEnumerable<T> source, Func<T, bool> predicate)",
                filter,
            ),
            Row(
                "static IEnumerable<T> TakeWhile<T>(this IEnumerable<T> source, Func<T, bool> predicate); static IEnumerable<T> SkipWhile<T>(this IEnumerable<T> source, Func<T, bool> predicate)",
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
                "static IEnumerable<T> OrderBy<T, K>(this IEnumerable<T> source, Func<T, K> keySelector); static IEnumerable<T> OrderBy<T, K>(this IEnumerable<T> source, Func<T, K> keySelector, StringComparer comparer); static IEnumerable<T> OrderByDescending<T, K>(this IEnumerable<T> source, Func<T, K> keySelector)",
                order,
            ),
            Row(
                "static IEnumerable<T> Take<T>(this IEnumerable<T> source, int count); static IEnumerable<T> Skip<T>(this IEnumerable<T> source, int count)",
                slice,
            ),
            Row("static IEnumerable<T> Reverse<T>(this IEnumerable<T> source)", reverse),
            Row(
                "static List<T> ToList<T>(this IEnumerable<T> source); static T[] ToArray<T>(this IEnumerable<T> source); static IEnumerable<T> AsEnumerable<T>(this IEnumerable<T> source)",
                same,
            ),
            Row(
                "static IEnumerable<R> OfType<R>(this IEnumerable<object> source); static IEnumerable<R> Cast<R>(this IEnumerable<object> source)",
                of_type,
            ),
            Row(
                "static IEnumerable<T> Distinct<T>(this IEnumerable<T> source); static IEnumerable<T> Concat<T>(this IEnumerable<T> source, IEnumerable<T> second); static IEnumerable<T> Union<T>(this IEnumerable<T> source, IEnumerable<T> second); static IEnumerable<T> Except<T>(this IEnumerable<T> source, IEnumerable<T> second); static IEnumerable<T> Intersect<T>(this IEnumerable<T> source, IEnumerable<T> second)",
                sets,
            ),
            Row(
                "static bool Contains<T>(this IEnumerable<T> source, T value); static bool Contains<T>(this IEnumerable<T> source, T value, StringComparer comparer)",
                contains,
            ),
            Row(
                "static bool SequenceEqual<T>(this IEnumerable<T> source, IEnumerable<T> second)",
                sequence_equal,
            ),
            Row(
                "static int Sum(this IEnumerable<int> source); static long Sum(this IEnumerable<long> source); static double Sum(this IEnumerable<double> source); static decimal Sum(this IEnumerable<decimal> source); static double Average(this IEnumerable<int> source); static double Average(this IEnumerable<double> source); static T Max<T>(this IEnumerable<T> source); static T Min<T>(this IEnumerable<T> source)",
                aggregate_numbers,
            ),
            Row(
                "static int Sum<T>(this IEnumerable<T> source, Func<T, int> selector); static long Sum<T>(this IEnumerable<T> source, Func<T, long> selector); static double Sum<T>(this IEnumerable<T> source, Func<T, double> selector); static double Average<T>(this IEnumerable<T> source, Func<T, int> selector); static double Average<T>(this IEnumerable<T> source, Func<T, double> selector); static R Max<T, R>(this IEnumerable<T> source, Func<T, R> selector); static R Min<T, R>(this IEnumerable<T> source, Func<T, R> selector)",
                aggregate_numbers,
            ),
            Row(
                "static T Aggregate<T>(this IEnumerable<T> source, Func<T, T, T> func); static A Aggregate<T, A>(this IEnumerable<T> source, A seed, Func<A, T, A> func)",
                aggregate,
            ),
            Row(
                "static IEnumerable<R> Zip<T, U, R>(this IEnumerable<T> first, IEnumerable<U> second, Func<T, U, R> resultSelector)",
                zip,
            ),
            Row(
                "static Dictionary<K, T> ToDictionary<T, K>(this IEnumerable<T> source, Func<T, K> keySelector); static Dictionary<K, V> ToDictionary<T, K, V>(this IEnumerable<T> source, Func<T, K> keySelector, Func<T, V> elementSelector)",
                to_dictionary,
            ),
            Row(
                "static IEnumerable<IGrouping<K, T>> GroupBy<T, K>(this IEnumerable<T> source, Func<T, K> keySelector)",
                group_by,
            ),
            Row(
                "static IEnumerable<int> Range(int start, int count); static IEnumerable<T> Repeat<T>(T element, int count)",
                range,
            ),
            Row(
                "static IEnumerable<T> DefaultIfEmpty<T>(this IEnumerable<T> source); static IEnumerable<T> DefaultIfEmpty<T>(this IEnumerable<T> source, T defaultValue)",
                default_if_empty,
            ),
        ],
        ..PLAIN
    },
];
