//! `Newtonsoft.Json`: tokens and `JsonConvert`.

use crate::call::Call;
use crate::fault::{Fault, throw};
use crate::json::{self, Kind, Token};
use crate::surface::{PLAIN, Row, TypeDef};
use crate::types::{EnumDef, Type};
use crate::value::Value;

pub(super) static FORMATTING: EnumDef = EnumDef {
    name: "Formatting",
    namespace: "Newtonsoft.Json",
    flags: false,
    members: &[("None", 0), ("Indented", 1)],
};

pub(crate) static TOKEN_TYPE: EnumDef = EnumDef {
    name: "JTokenType",
    namespace: "Newtonsoft.Json.Linq",
    flags: false,
    members: &[
        ("None", 0),
        ("Object", 1),
        ("Array", 2),
        ("Constructor", 3),
        ("Property", 4),
        ("Comment", 5),
        ("Integer", 6),
        ("Float", 7),
        ("String", 8),
        ("Boolean", 9),
        ("Null", 10),
        ("Undefined", 11),
        ("Date", 12),
        ("Raw", 13),
        ("Bytes", 14),
        ("Guid", 15),
        ("Uri", 16),
        ("TimeSpan", 17),
    ],
};

fn token(call: &Call<'_>, at: usize) -> Result<Token, Fault> {
    match call.arg(at) {
        Value::Json(token) => Ok(token.clone()),
        Value::Null if at == 0 => Err(call.missing(0)),
        other => Ok(json::from_value(other)),
    }
}

fn or_null(token: Option<Token>) -> Value {
    token.map_or(Value::Null, Value::Json)
}

fn parse(call: &mut Call<'_>) -> Result<Value, Fault> {
    let text = call.text(0)?;
    call.allocate(text.len().saturating_mul(8))?;
    Ok(Value::Json(json::parse(&text, call.member.owner)?))
}

fn from_object(call: &mut Call<'_>) -> Result<Value, Fault> {
    if call.arg(0).is_null() {
        return Err(call.missing(0));
    }
    let value = call.arg(0).clone();
    call.deep(&value, 0)?;
    Ok(Value::Json(token(call, 0)?))
}

fn child(token: &Token, key: &Value) -> Result<Value, Fault> {
    let shown = key.as_str().map_or_else(|| key.to_text(), |text| format!("\"{text}\""));
    match (token.class(), key) {
        ("JObject", Value::Str(name)) => Ok(or_null(token.get(name))),
        ("JObject", _) => Err(throw(
            "ArgumentException",
            format!(
                "Accessed JObject values with invalid key value: {shown}. Object property name expected."
            ),
        )),
        ("JArray", Value::Int(_, at)) => {
            let items = token.children();
            usize::try_from(*at).ok().and_then(|at| items.get(at).cloned()).map(Value::Json).ok_or_else(|| {
                crate::fault::out_of_range("index", "Index was out of range. Must be non-negative and less than the size of the collection.")
            })
        }
        ("JArray", _) => Err(throw(
            "ArgumentException",
            format!("Accessed JArray values with invalid key value: {shown}. Int32 array index expected."),
        )),
        (class, _) => Err(throw(
            "InvalidOperationException",
            format!("Cannot access child value on Newtonsoft.Json.Linq.{class}."),
        )),
    }
}

fn get(call: &mut Call<'_>) -> Result<Value, Fault> {
    child(&token(call, 0)?, call.arg(1))
}

fn set(call: &mut Call<'_>) -> Result<Value, Fault> {
    let (target, value) = (token(call, 0)?, token(call, 2)?);
    match (target.class(), call.arg(1)) {
        ("JObject", Value::Str(name)) => target.set(name, value),
        _ => match child(&target, call.arg(1))? {
            Value::Json(old) => old.replace(value)?,
            _ => return Err(crate::fault::null_reference()),
        },
    }
    Ok(call.arg(2).clone())
}

fn display(call: &mut Call<'_>) -> Result<Value, Fault> {
    let token = token(call, 0)?;
    let text = match call.arg(1) {
        Value::Enum(_, format) => token.to_json(*format == 1),
        _ => token.display(),
    };
    call.allocate(text.len())?;
    Ok(Value::str(text))
}

fn kind(call: &mut Call<'_>) -> Result<Value, Fault> {
    let name = token(call, 0)?.type_name();
    let number = TOKEN_TYPE.members.iter().find(|member| member.0 == name).map_or(0, |member| member.1);
    Ok(Value::Enum(&TOKEN_TYPE, number))
}

fn property_of_token(call: &mut Call<'_>) -> Result<Value, Fault> {
    let token = token(call, 0)?;
    Ok(match call.member.name.as_str() {
        "Path" => Value::str(token.path()),
        "Parent" => or_null(token.parent()),
        "Root" => {
            let mut root = token;
            while let Some(parent) = root.parent() {
                root = parent;
            }
            Value::Json(root)
        }
        "HasValues" => Value::Bool(!token.children().is_empty()),
        "Count" => Value::count(token.children().len()),
        "First" => or_null(token.children().into_iter().next()),
        "Last" => or_null(token.children().pop()),
        "Name" => Value::str(token.name()),
        _ => match token.kind() {
            Kind::Value(value) => value,
            _ => Value::Json(token.value()),
        },
    })
}

fn value_as(call: &mut Call<'_>) -> Result<Value, Fault> {
    let of = call.types.last().cloned().unwrap_or(Type::Object);
    let value = if call.count() > 1 { child(&token(call, 0)?, call.arg(1))? } else { call.arg(0).clone() };
    json::to_type(&value, &of, false)
}

fn values(call: &mut Call<'_>) -> Result<Value, Fault> {
    let of = call.types.last().cloned().unwrap_or(Type::class("JToken"));
    let children = token(call, 0)?.children();
    let kept = children.into_iter().map(Value::Json).map(|value| json::to_type(&value, &of, false));
    Ok(Value::sequence(kept.collect::<Result<_, _>>()?))
}

fn children(call: &mut Call<'_>) -> Result<Value, Fault> {
    let items = token(call, 0)?.enumerate()?;
    let of = call.types.last().cloned().unwrap_or(Type::class("JToken"));
    Ok(Value::sequence(items.into_iter().filter(|item| crate::arith::is_instance(item, &of)).collect()))
}

fn clone(call: &mut Call<'_>) -> Result<Value, Fault> {
    Ok(Value::Json(token(call, 0)?.deep_clone()))
}

fn change(call: &mut Call<'_>) -> Result<Value, Fault> {
    let me = token(call, 0)?;
    call.allocate(64)?;
    for at in 1..call.count() {
        let value = call.arg(at).clone();
        call.deep(&value, 0)?;
    }
    match call.member.name.as_str() {
        "Remove" if call.count() > 1 => {
            let found = match call.arg(1) {
                Value::Str(name) => me.find(name),
                other => me
                    .children()
                    .into_iter()
                    .find(|item| matches!(other, Value::Json(token) if token.same(item))),
            };
            if let Some(found) = &found {
                found.detach()?;
            }
            return Ok(Value::Bool(found.is_some()));
        }
        "Remove" => me.detach()?,
        "RemoveAt" => {
            if let Value::Json(item) = child(&me, call.arg(1))? {
                item.detach()?;
            }
        }
        "Replace" => me.replace(token(call, 1)?)?,
        "RemoveAll" | "Clear" => me.clear(),
        "AddFirst" => me.insert(0, token(call, 1)?),
        "Insert" => me.insert(usize::try_from(call.int(1)?).unwrap_or(0), token(call, 2)?),
        "AddAfterSelf" | "AddBeforeSelf" => {
            let (parent, at) =
                me.position().ok_or_else(|| throw("InvalidOperationException", "The parent is missing."))?;
            parent.insert(at + usize::from(call.member.name == "AddAfterSelf"), token(call, 1)?);
        }
        "Merge" => merge(&me, &token(call, 1)?),
        _ => add(&me, call.arg(1), call.arg(2), call.count())?,
    }
    Ok(Value::Null)
}

fn add(me: &Token, first: &Value, second: &Value, count: usize) -> Result<(), Fault> {
    let content = match (count, first) {
        (3, Value::Str(name)) => Token::property(name, json::from_value(second)),
        _ => json::from_value(first),
    };
    if me.class() == "JObject" && me.find(&content.name()).is_some() {
        let text = format!(
            "Can not add property {} to Newtonsoft.Json.Linq.JObject. Property with the same name already exists on object.",
            content.name()
        );
        return Err(throw("ArgumentException", text));
    }
    me.insert(usize::MAX, content);
    Ok(())
}

fn merge(into: &Token, from: &Token) {
    for item in from.children() {
        match (into.class(), item.class()) {
            ("JObject", _) => match into.get(&item.name()) {
                Some(old) if old.class() == item.value().class() && old.class() != "JValue" => {
                    merge(&old, &item.value())
                }
                _ => into.set(&item.name(), item.value().deep_clone()),
            },
            _ => into.insert(usize::MAX, item),
        }
    }
}

/// Constructors: content is added item by item, collections flattened.
fn create(call: &mut Call<'_>) -> Result<Value, Fault> {
    call.allocate(64)?;
    for at in 0..call.count() {
        let value = call.arg(at).clone();
        call.deep(&value, 0)?;
    }
    if call.member.owner == "JValue" {
        return Ok(Value::Json(token(call, 0)?.free()));
    }
    let last = call.count() - 1;
    let mut items = if call.arg(last).is_null() { vec![Value::Null] } else { call.items(last)? };
    if let [only] = &items[..]
        && !matches!(only, Value::Str(_))
        && !matches!(only, Value::Json(token) if call.member.owner != "JArray" || token.class() != "JArray")
        && only.as_bytes().is_none()
        && let Some(inner) = call.items_of(&only.clone())?
    {
        items = inner;
    }
    if call.member.owner == "JProperty" {
        let name = call.text(0)?;
        let value = match &items[..] {
            [only] => json::from_value(only),
            many => Token::new(Kind::Array(many.iter().map(|item| json::from_value(item).free()).collect())),
        };
        return Ok(Value::Json(Token::property(&name, value)));
    }
    let made = Token::new(if call.member.owner == "JObject" {
        Kind::Object(Vec::new())
    } else {
        Kind::Array(Vec::new())
    });
    for item in &items {
        add(&made, item, &Value::Null, 2)?;
    }
    Ok(Value::Json(made))
}

fn new_property(call: &mut Call<'_>) -> Result<Value, Fault> {
    let content = call.arg(1).clone();
    call.deep(&content, 0)?;
    let value = match call.arg(1) {
        Value::Json(token) => token.clone(),
        other => json::from_value(other),
    };
    Ok(Value::Json(Token::property(&call.text(0)?, value)))
}

fn property(call: &mut Call<'_>) -> Result<Value, Fault> {
    let (me, name) = (token(call, 0)?, call.text(1)?);
    let fold = matches!(call.arg(2), Value::Enum(_, number) if number % 2 == 1);
    let found = me
        .children()
        .into_iter()
        .find(|p| p.name() == *name || fold && p.name().to_uppercase() == name.to_uppercase());
    Ok(match call.member.name.as_str() {
        "Property" => or_null(found),
        "ContainsKey" => Value::Bool(found.is_some()),
        "TryGetValue" => {
            let is_some = found.is_some();
            call.set(2, or_null(found.map(|p| p.value())));
            Value::Bool(is_some)
        }
        _ => or_null(found.map(|p| p.value())),
    })
}

fn set_value(call: &mut Call<'_>) -> Result<Value, Fault> {
    token(call, 0)?.set_value(token(call, 1)?);
    Ok(call.arg(1).clone())
}

fn deep_equals(call: &mut Call<'_>) -> Result<Value, Fault> {
    Ok(Value::Bool(token(call, 0)?.deep_equals(&token(call, 1)?)))
}

fn select(call: &mut Call<'_>) -> Result<Value, Fault> {
    let (me, path, strict) = (token(call, 0)?, call.text(1)?, call.truth(2));
    let before = usize::try_from(*call.steps).unwrap_or(usize::MAX);
    let mut budget = before;
    let found = json::select(&me, &path, strict, &mut budget);
    *call.steps -= u64::try_from(before - budget).unwrap_or(0);
    let mut found = found?;
    call.allocate(found.len().saturating_mul(size_of::<Value>()))?;
    if call.member.name == "SelectTokens" {
        return Ok(Value::sequence(found.into_iter().map(Value::Json).collect()));
    }
    if found.len() > 1 {
        return Err(throw("JsonException", "Path returned multiple tokens."));
    }
    Ok(or_null(found.pop()))
}

fn serialize(call: &mut Call<'_>) -> Result<Value, Fault> {
    let value = call.arg(0).clone();
    call.deep(&value, 0)?;
    let indented = matches!(call.arg(1), Value::Enum(_, 1));
    let text = json::from_value(call.arg(0)).to_json(indented);
    call.allocate(text.len())?;
    Ok(Value::str(text))
}

fn deserialize(call: &mut Call<'_>) -> Result<Value, Fault> {
    let parsed = json::parse(&call.text(0)?, "JToken")?;
    json::to_type(&Value::Json(parsed), &call.types.last().cloned().unwrap_or(Type::Object), false)
}

const LINQ: TypeDef = TypeDef { namespace: "Newtonsoft.Json.Linq", ..PLAIN };

pub(super) const TYPES: &[TypeDef] = &[
    TypeDef {
        name: "JToken",
        bases: &["IEnumerable<JToken>"],
        rows: &[
            Row("static JToken Parse(string json)", parse),
            Row("static JToken FromObject(object o)", from_object),
            Row("JToken this[object key]", get),
            Row("set JToken this[object key]", set),
            Row("string ToString(); string ToString(Formatting formatting)", display),
            Row("JTokenType Type", kind),
            Row(
                "string Path; JToken Parent; JToken Root; bool HasValues; JToken First; JToken Last",
                property_of_token,
            ),
            Row("T Value<T>(object key); T ToObject<T>()", value_as),
            Row("IEnumerable<T> Values<T>()", values),
            Row("IEnumerable<JToken> Children(); IEnumerable<T> Children<T>()", children),
            Row("JToken DeepClone()", clone),
            Row(
                "void Remove(); void Replace(JToken value); void AddAfterSelf(object content); void AddBeforeSelf(object content)",
                change,
            ),
            Row("static bool DeepEquals(JToken t1, JToken t2)", deep_equals),
            Row(
                "JToken SelectToken(string path); JToken SelectToken(string path, bool errorWhenNoMatch); IEnumerable<JToken> SelectTokens(string path); IEnumerable<JToken> SelectTokens(string path, bool errorWhenNoMatch)",
                select,
            ),
        ],
        ..LINQ
    },
    TypeDef {
        name: "JContainer",
        bases: &["JToken"],
        rows: &[
            Row("int Count", property_of_token),
            Row("void RemoveAll(); void AddFirst(object content); void Merge(object content)", change),
        ],
        ..LINQ
    },
    TypeDef {
        name: "JObject",
        bases: &["JContainer"],
        rows: &[
            Row("new(params object[] content)", create),
            Row("static JObject Parse(string json)", parse),
            Row("static JObject FromObject(object o)", from_object),
            Row("JToken this[string propertyName]", get),
            Row("set JToken this[string propertyName]", set),
            Row(
                "void Add(string propertyName, JToken value); void Add(object content); bool Remove(string propertyName)",
                change,
            ),
            Row(
                "JProperty Property(string name); JToken GetValue(string propertyName); JToken GetValue(string propertyName, StringComparison comparison); bool ContainsKey(string propertyName); bool TryGetValue(string propertyName, out JToken value)",
                property,
            ),
            Row("IEnumerable<JProperty> Properties()", children),
        ],
        ..LINQ
    },
    TypeDef {
        name: "JArray",
        bases: &["JContainer"],
        rows: &[
            Row("new(params object[] content)", create),
            Row("static JArray Parse(string json)", parse),
            Row("static JArray FromObject(object o)", from_object),
            Row("JToken this[int index]", get),
            Row("set JToken this[int index]", set),
            Row(
                "void Add(object content); void Insert(int index, JToken item); void RemoveAt(int index); bool Remove(JToken item); void Clear()",
                change,
            ),
        ],
        ..LINQ
    },
    TypeDef {
        name: "JProperty",
        bases: &["JContainer"],
        rows: &[
            Row("new(string name, object content)", new_property),
            Row("new(string name, params object[] content)", create),
            Row("string Name; JToken Value", property_of_token),
            Row("set JToken Value", set_value),
        ],
        ..LINQ
    },
    TypeDef {
        name: "JValue",
        bases: &["JToken"],
        rows: &[Row("new(object value)", create), Row("object Value", property_of_token)],
        ..LINQ
    },
    TypeDef {
        name: "Extensions",
        rows: &[Row("static T Value<T>(this IEnumerable<JToken> value)", value_as)],
        ..LINQ
    },
    TypeDef {
        name: "JsonConvert",
        namespace: "Newtonsoft.Json",
        rows: &[
            Row(
                "static string SerializeObject(object value); static string SerializeObject(object value, Formatting formatting)",
                serialize,
            ),
            Row(
                "static object DeserializeObject(string value); static T DeserializeObject<T>(string value)",
                deserialize,
            ),
        ],
        ..PLAIN
    },
];
