//! Lists, dictionaries, sets, arrays.

use crate::arith;
use crate::call::Call;
use crate::each;
use crate::fault::{Fault, argument_null, out_of_range, throw};
use crate::surface::{PLAIN, Row, TypeDef};
use crate::types::Type;
use crate::value::{Dictionary, Object, Value, lock};
use std::sync::{Mutex, MutexGuard};

fn with<T>(
    call: &Call<'_>,
    body: impl FnOnce(MutexGuard<'_, Vec<Value>>) -> Result<T, Fault>,
) -> Result<T, Fault> {
    match &*call.object(0)? {
        Object::List(_, items) | Object::Array(_, items) => body(lock(items)),
        _ => Err(call.missing(0)),
    }
}

fn with_map<T>(
    call: &Call<'_>,
    body: impl FnOnce(MutexGuard<'_, Dictionary>) -> Result<T, Fault>,
) -> Result<T, Fault> {
    match &*call.object(0)? {
        Object::Dictionary(_, map) | Object::Set(_, map) => body(lock(map)),
        _ => Err(call.missing(0)),
    }
}

fn new_list(call: &mut Call<'_>) -> Result<Value, Fault> {
    let of = Type::Class(call.member.owner, call.types.to_vec());
    let items =
        if call.count() > 0 && !matches!(call.arg(0), Value::Int(..)) { call.items(0)? } else { Vec::new() };
    Ok(Value::list(of, items))
}

fn index(call: &Call<'_>, at: usize, len: usize) -> Result<usize, Fault> {
    let index = call.int(at)?;
    usize::try_from(index).ok().filter(|index| *index < len).ok_or_else(|| {
        out_of_range(
            "index",
            "Index was out of range. Must be non-negative and less than the size of the collection.",
        )
    })
}

fn get(call: &mut Call<'_>) -> Result<Value, Fault> {
    let items = call.items(0)?;
    let at = index(call, 1, items.len())?;
    Ok(items[at].clone())
}

fn set(call: &mut Call<'_>) -> Result<Value, Fault> {
    with(call, |mut items| {
        let at = index(call, 1, items.len())?;
        items[at] = call.arg(2).clone();
        Ok(call.arg(2).clone())
    })
}

fn add(call: &mut Call<'_>) -> Result<Value, Fault> {
    call.allocate(size_of::<Value>())?;
    with(call, |mut items| {
        items.push(call.arg(1).clone());
        Ok(Value::Null)
    })
}

fn add_range(call: &mut Call<'_>) -> Result<Value, Fault> {
    let more = call.items(1)?;
    with(call, |mut items| {
        items.extend(more);
        Ok(Value::Null)
    })
}

fn insert(call: &mut Call<'_>) -> Result<Value, Fault> {
    call.allocate(size_of::<Value>())?;
    with(call, |mut items| {
        let at = index(call, 1, items.len() + 1)?;
        items.insert(at, call.arg(2).clone());
        Ok(Value::Null)
    })
}

fn remove_at(call: &mut Call<'_>) -> Result<Value, Fault> {
    with(call, |mut items| {
        let at = index(call, 1, items.len())?;
        items.remove(at);
        Ok(Value::Null)
    })
}

fn remove(call: &mut Call<'_>) -> Result<Value, Fault> {
    with(call, |mut items| {
        let at = items.iter().position(|item| arith::equals(item, call.arg(1)));
        if let Some(at) = at {
            items.remove(at);
        }
        Ok(Value::Bool(at.is_some()))
    })
}

fn clear(call: &mut Call<'_>) -> Result<Value, Fault> {
    with(call, |mut items| {
        items.clear();
        Ok(Value::Null)
    })
}

fn sort(call: &mut Call<'_>) -> Result<Value, Fault> {
    with(call, |mut items| {
        items.sort_by(arith::order);
        Ok(Value::Null)
    })
}

fn take_end(call: &mut Call<'_>) -> Result<Value, Fault> {
    let first = call.member.name == "Dequeue";
    with(call, |mut items| {
        if items.is_empty() {
            return Err(throw("InvalidOperationException", format!("{} empty.", call.member.owner)));
        }
        Ok(if first { items.remove(0) } else { items.pop().unwrap_or(Value::Null) })
    })
}

fn position(call: &mut Call<'_>) -> Result<Value, Fault> {
    let items = call.items(0)?;
    let found = items.iter().position(|item| arith::equals(item, call.arg(1)));
    Ok(found.map_or(Value::int(-1), Value::count))
}

fn exists(call: &mut Call<'_>) -> Result<Value, Fault> {
    let items = call.items(0)?;
    Err(each::until(true, &call.arg(1).clone(), &items, |results| {
        Ok(Value::Bool(results.last().and_then(Value::as_bool) == Some(true)))
    }))
}

fn copy(call: &mut Call<'_>) -> Result<Value, Fault> {
    let (from, to, at) = match call.count() {
        3 => (0, 0, 1),
        _ => (call.int(1)?, call.int(3)?, 2),
    };
    let count = call.int(call.count() - 1)?;
    let (source, target) = (call.items(0)?, call.arg(at).clone());
    for offset in 0..count {
        let item = usize::try_from(from + offset).ok().and_then(|at| source.get(at));
        let item = item.ok_or_else(|| throw("ArgumentException", "Source array was not long enough. Check the source index, length, and the array's lower bounds."))?;
        super::array::set(&target, &Value::Int(crate::types::Prim::Long, to + offset), item.clone())?;
    }
    Ok(Value::Null)
}

/// Whether a comparer among the arguments ignores case.
pub(super) fn ignores_case(call: &Call<'_>) -> bool {
    call.args.iter().any(|arg| {
        arg.type_of().is("StringComparer") && super::context::named(arg, "IgnoreCase").as_bool() == Some(true)
    })
}

fn new_map(call: &mut Call<'_>) -> Result<Value, Fault> {
    let of = Type::Class(call.member.owner, call.types.to_vec());
    let mut map = Dictionary::new(ignores_case(call), false);
    if call.member.owner == "HashSet" {
        if call.count() > 0 && !call.arg(0).type_of().is("StringComparer") {
            for item in call.items(0)? {
                map.set(item, Value::Null);
            }
        }
        return Ok(Value::object(Object::Set(of, Mutex::new(map))));
    }
    Ok(Value::object(Object::Dictionary(of, Mutex::new(map))))
}

fn map_add(call: &mut Call<'_>) -> Result<Value, Fault> {
    call.allocate(4 * size_of::<Value>())?;
    if call.arg(1).is_null() {
        return Err(argument_null("key"));
    }
    let added = with_map(call, |mut map| {
        let known = map.get(call.arg(1)).is_some();
        if !known {
            map.set(call.arg(1).clone(), call.arg(2).clone());
        }
        Ok(!known)
    })?;
    match (added, call.member.owner) {
        (_, "HashSet") => Ok(Value::Bool(added)),
        (true, _) => Ok(Value::Null),
        _ => Err(throw(
            "ArgumentException",
            format!("An item with the same key has already been added. Key: {}", call.arg(1).to_text()),
        )),
    }
}

fn map_set(call: &mut Call<'_>) -> Result<Value, Fault> {
    call.allocate(4 * size_of::<Value>())?;
    with_map(call, |mut map| {
        map.set(call.arg(1).clone(), call.arg(2).clone());
        Ok(call.arg(2).clone())
    })
}

fn map_get(call: &mut Call<'_>) -> Result<Value, Fault> {
    let lenient = match &*call.object(0)? {
        Object::Dictionary(_, map) => lock(map).lenient,
        _ => true,
    };
    match super::context::entry(call)? {
        Some(value) => Ok(value),
        None if grows(call) => {
            let list = Value::list(Type::generic("List", Type::String), Vec::new());
            with_map(call, |mut map| {
                map.set(call.arg(1).clone(), list.clone());
                Ok(list.clone())
            })
        }
        None if lenient => Ok(Value::Null),
        None => Err(throw(
            "KeyNotFoundException",
            format!("The given key '{}' was not present in the dictionary.", call.arg(1).to_text()),
        )),
    }
}

fn grows(call: &Call<'_>) -> bool {
    with_map(call, |map| Ok(map.grows)).unwrap_or(false)
}

fn contains_key(call: &mut Call<'_>) -> Result<Value, Fault> {
    Ok(Value::Bool(super::context::entry(call)?.is_some()))
}

fn set_contains(call: &mut Call<'_>) -> Result<Value, Fault> {
    with_map(call, |map| Ok(Value::Bool(map.get(call.arg(1)).is_some())))
}

fn try_get(call: &mut Call<'_>) -> Result<Value, Fault> {
    let found = super::context::entry(call)?;
    let is_some = found.is_some();
    let default = call.types.get(1).map_or(Value::Null, arith::default_of);
    call.set(2, found.unwrap_or(default));
    Ok(Value::Bool(is_some))
}

fn map_remove(call: &mut Call<'_>) -> Result<Value, Fault> {
    with_map(call, |mut map| Ok(Value::Bool(map.remove(call.arg(1)))))
}

fn map_clear(call: &mut Call<'_>) -> Result<Value, Fault> {
    with_map(call, |mut map| {
        map.clear();
        Ok(Value::Null)
    })
}

fn sides(call: &mut Call<'_>) -> Result<Value, Fault> {
    let name = if call.member.name == "Keys" { "Key" } else { "Value" };
    let pairs = call.items(0)?;
    Ok(Value::sequence(pairs.iter().map(|pair| super::context::named(pair, name)).collect()))
}

fn comparer(call: &mut Call<'_>) -> Result<Value, Fault> {
    let name = call.member.name.as_str();
    Ok(Value::record(
        "StringComparer",
        vec![
            ("IgnoreCase", Value::Bool(name.ends_with("IgnoreCase"))),
            ("Ordinal", Value::Bool(name.starts_with("Ordinal"))),
        ],
    ))
}

fn tuple(call: &mut Call<'_>) -> Result<Value, Fault> {
    let names = ["Item1", "Item2", "Item3"];
    Ok(Value::record("Tuple", names.into_iter().zip(call.args.iter().cloned()).collect()))
}

const GENERIC: TypeDef = TypeDef { namespace: "System.Collections.Generic", generics: &["T"], ..PLAIN };
const MAP: TypeDef = TypeDef { generics: &["K", "V"], ..GENERIC };

pub(super) const TYPES: &[TypeDef] = &[
    TypeDef { name: "IEnumerable", ..GENERIC },
    TypeDef {
        name: "IReadOnlyCollection",
        bases: &["IEnumerable<T>"],
        rows: &[Row("int Count", super::linq::count)],
        ..GENERIC
    },
    TypeDef {
        name: "ICollection",
        bases: &["IEnumerable<T>"],
        rows: &[Row("int Count", super::linq::count)],
        ..GENERIC
    },
    TypeDef {
        name: "IReadOnlyList",
        bases: &["IReadOnlyCollection<T>"],
        rows: &[Row("T this[int index]", get)],
        ..GENERIC
    },
    TypeDef {
        name: "IList",
        bases: &["ICollection<T>"],
        rows: &[
            Row("T this[int index]", get),
            Row("set T this[int index]", set),
            Row("void Add(T item)", add),
        ],
        ..GENERIC
    },
    TypeDef {
        name: "Array",
        namespace: "System",
        bases: &["IList<T>", "IReadOnlyList<T>"],
        rows: &[
            Row("int Length", super::linq::count),
            Row("static int IndexOf<E>(E[] array, E value)", position),
            Row("static bool Exists<E>(E[] array, Predicate<E> match)", exists),
            Row(
                "static void Copy<E>(E[] sourceArray, E[] destinationArray, int length); static void Copy<E>(E[] sourceArray, int sourceIndex, E[] destinationArray, int destinationIndex, int length)",
                copy,
            ),
        ],
        ..GENERIC
    },
    TypeDef {
        name: "List",
        bases: &["IList<T>", "IReadOnlyList<T>"],
        rows: &[
            Row("new(); new(int capacity); new(IEnumerable<T> collection)", new_list),
            Row("T this[int index]", get),
            Row("set T this[int index]", set),
            Row("void Add(T item)", add),
            Row("void AddRange(IEnumerable<T> collection)", add_range),
            Row("void Insert(int index, T item)", insert),
            Row("void RemoveAt(int index)", remove_at),
            Row("bool Remove(T item)", remove),
            Row("void Clear()", clear),
            Row("void Sort()", sort),
            Row("int IndexOf(T item)", position),
            Row("bool Exists(Predicate<T> match)", exists),
        ],
        ..GENERIC
    },
    TypeDef {
        name: "Queue",
        bases: &["IReadOnlyCollection<T>"],
        rows: &[
            Row("new(); new(IEnumerable<T> collection)", new_list),
            Row("void Enqueue(T item)", add),
            Row("T Dequeue()", take_end),
        ],
        ..GENERIC
    },
    TypeDef {
        name: "Stack",
        bases: &["IReadOnlyCollection<T>"],
        rows: &[
            Row("new(); new(IEnumerable<T> collection)", new_list),
            Row("void Push(T item)", add),
            Row("T Pop()", take_end),
        ],
        ..GENERIC
    },
    TypeDef {
        name: "HashSet",
        bases: &["ICollection<T>"],
        rows: &[
            Row(
                "new(); new(IEnumerable<T> collection); new(StringComparer comparer); new(IEnumerable<T> collection, StringComparer comparer)",
                new_map,
            ),
            Row("bool Add(T item)", map_add),
            Row("bool Contains(T item)", set_contains),
            Row("bool Remove(T item)", map_remove),
            Row("void Clear()", map_clear),
        ],
        ..GENERIC
    },
    TypeDef { name: "KeyValuePair", rows: &[Row("K Key; V Value", super::context::field)], ..MAP },
    TypeDef {
        name: "IReadOnlyDictionary",
        bases: &["IReadOnlyCollection<KeyValuePair<K, V>>"],
        rows: &[
            Row("V this[K key]", map_get),
            Row("bool ContainsKey(K key)", contains_key),
            Row("bool TryGetValue(K key, out V value)", try_get),
            Row("IEnumerable<K> Keys; IEnumerable<V> Values", sides),
        ],
        ..MAP
    },
    TypeDef {
        name: "IDictionary",
        bases: &["IReadOnlyDictionary<K, V>"],
        rows: &[
            Row("V this[K key]", map_get),
            Row("set V this[K key]", map_set),
            Row("void Add(K key, V value)", map_add),
            Row("bool Remove(K key)", map_remove),
        ],
        ..MAP
    },
    TypeDef {
        name: "Dictionary",
        bases: &["IDictionary<K, V>"],
        rows: &[
            Row("new(); new(StringComparer comparer)", new_map),
            Row("V this[K key]", map_get),
            Row("set V this[K key]", map_set),
            Row("void Add(K key, V value)", map_add),
            Row("bool Remove(K key)", map_remove),
            Row("void Clear()", map_clear),
        ],
        ..MAP
    },
    TypeDef {
        name: "StringComparer",
        rows: &[Row(
            "static StringComparer Ordinal; static StringComparer OrdinalIgnoreCase; static StringComparer InvariantCulture; static StringComparer InvariantCultureIgnoreCase; static StringComparer CurrentCulture; static StringComparer CurrentCultureIgnoreCase",
            comparer,
        )],
        ..PLAIN
    },
    TypeDef {
        name: "Tuple",
        rows: &[Row(
            "static object Create(object item1, object item2); static object Create(object item1, object item2, object item3)",
            tuple,
        )],
        ..PLAIN
    },
];
