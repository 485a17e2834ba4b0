//! JSON tokens as Newtonsoft's: shared by reference, changed in place, each with its parent.

mod path;
mod read;
mod write;

pub(crate) use path::select;
pub(crate) use read::{parse, parse_plain};

use crate::fault::{Fault, argument_null, throw};
use crate::types::{Prim, Type};
use crate::value::{Object, Value, lock};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};

/// A token; clones are the same token. Beside the node stands the root that it was reached from, so that a token
/// keeps its parents as long as it is held. Tokens inside a tree stand without: they would hold it forever.
#[derive(Clone)]
pub struct Token(Arc<Node>, Option<Arc<Node>>);

struct Node {
    kind: Mutex<Kind>,
    parent: Mutex<Weak<Node>>,
    /// Levels below, at least; it does not shrink when tokens are taken out.
    height: AtomicUsize,
}

/// Long chains are taken apart one by one, not by recursion.
impl Drop for Node {
    fn drop(&mut self) {
        let mut pending = Vec::new();
        let take = |kind: &mut Kind, pending: &mut Vec<Token>| match kind {
            Kind::Object(items) | Kind::Array(items) => pending.append(items),
            Kind::Property(_, value) if value.height() > 0 => {
                pending.push(std::mem::replace(value, Token::scalar_of(Value::Null)));
            }
            _ => {}
        };
        take(self.kind.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner), &mut pending);
        while let Some(token) = pending.pop() {
            if let Some(mut node) = Arc::into_inner(token.0) {
                take(node.kind.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner), &mut pending);
            }
        }
    }
}

/// What a token is.
#[derive(Clone)]
pub(crate) enum Kind {
    /// Properties, in order.
    Object(Vec<Token>),
    Array(Vec<Token>),
    Property(String, Token),
    /// A scalar, or null.
    Value(Value),
}

impl Token {
    /// Reads a text; strings that look like dates stay strings. `None` when it is not JSON.
    pub fn parse(text: &str) -> Option<Self> {
        parse_plain(text).ok()
    }

    pub(crate) fn new(kind: Kind) -> Self {
        let kind = match kind {
            Kind::Object(items) => Kind::Object(items.into_iter().map(Self::bare).collect()),
            Kind::Array(items) => Kind::Array(items.into_iter().map(Self::bare).collect()),
            Kind::Property(name, value) => Kind::Property(name, value.bare()),
            scalar => scalar,
        };
        let node =
            Node { kind: Mutex::new(kind), parent: Mutex::new(Weak::new()), height: AtomicUsize::new(0) };
        let token = Self(Arc::new(node), None);
        for child in token.children() {
            child.adopt(&token);
        }
        token
    }

    /// The node without what keeps its parents.
    fn bare(self) -> Self {
        Self(self.0, None)
    }

    /// Another token of the same tree.
    fn beside(&self, token: Self) -> Self {
        Self(token.0, Some(self.1.clone().unwrap_or_else(|| self.0.clone())))
    }

    pub(crate) fn scalar_of(value: Value) -> Self {
        Self::new(Kind::Value(value))
    }

    pub(crate) fn property(name: &str, value: Self) -> Self {
        Self::new(Kind::Property(name.to_owned(), value.free()))
    }

    fn adopt(&self, parent: &Self) {
        *lock(&self.0.parent) = Arc::downgrade(&parent.0);
        let mut height = self.height() + 1;
        let mut above = Some(parent.clone());
        while let Some(token) = above.filter(|token| token.height() < height) {
            token.0.height.store(height, Ordering::Relaxed);
            height += 1;
            above = token.parent();
        }
    }

    /// Levels below this token, at least.
    pub(crate) fn height(&self) -> usize {
        self.0.height.load(Ordering::Relaxed)
    }

    pub(crate) fn parent(&self) -> Option<Self> {
        lock(&self.0.parent).upgrade().map(|node| Self(node, self.1.clone()))
    }

    /// The token itself, or a copy when it already has a parent.
    pub(crate) fn free(self) -> Self {
        if self.parent().is_some() { self.deep_clone() } else { self }
    }

    /// Looks at what the token is, without copying it.
    pub(crate) fn look<T>(&self, body: impl FnOnce(&Kind) -> T) -> T {
        body(&lock(&self.0.kind))
    }

    pub(crate) fn kind(&self) -> Kind {
        lock(&self.0.kind).clone()
    }

    pub(crate) fn deep_clone(&self) -> Self {
        Self::new(match self.kind() {
            Kind::Object(items) => Kind::Object(items.iter().map(Self::deep_clone).collect()),
            Kind::Array(items) => Kind::Array(items.iter().map(Self::deep_clone).collect()),
            Kind::Property(name, value) => Kind::Property(name, value.deep_clone()),
            Kind::Value(value) => Kind::Value(value),
        })
    }

    /// The class that the token is of.
    pub fn class(&self) -> &'static str {
        match *lock(&self.0.kind) {
            Kind::Object(_) => "JObject",
            Kind::Array(_) => "JArray",
            Kind::Property(..) => "JProperty",
            Kind::Value(_) => "JValue",
        }
    }

    pub(crate) fn same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// `Equals`: scalars by type and value, containers by identity.
    pub(crate) fn equals(&self, other: &Self) -> bool {
        match (self.kind(), other.kind()) {
            (Kind::Value(a), Kind::Value(b)) => crate::arith::equals(&a, &b),
            _ => self.same(other),
        }
    }

    pub(crate) fn deep_equals(&self, other: &Self) -> bool {
        match (self.kind(), other.kind()) {
            (Kind::Value(a), Kind::Value(b)) => crate::arith::equals(&a, &b),
            (Kind::Array(a), Kind::Array(b)) => {
                a.len() == b.len() && a.iter().zip(&b).all(|(a, b)| a.deep_equals(b))
            }
            (Kind::Property(n, a), Kind::Property(m, b)) => n == m && a.deep_equals(&b),
            (Kind::Object(a), Kind::Object(b)) => {
                a.len() == b.len()
                    && a.iter()
                        .all(|p| other.get(&p.name()).is_some_and(|value| p.value().deep_equals(&value)))
            }
            _ => false,
        }
    }

    /// The value of a scalar, null for others.
    pub(crate) fn scalar(&self) -> Value {
        match &*lock(&self.0.kind) {
            Kind::Value(value) => value.clone(),
            _ => Value::Null,
        }
    }

    pub(crate) fn children(&self) -> Vec<Self> {
        match &*lock(&self.0.kind) {
            Kind::Object(items) | Kind::Array(items) => {
                items.iter().map(|item| self.beside(item.clone())).collect()
            }
            Kind::Property(_, value) => vec![self.beside(value.clone())],
            Kind::Value(_) => Vec::new(),
        }
    }

    pub(crate) fn enumerate(&self) -> Result<Vec<Value>, Fault> {
        Ok(self.children().into_iter().map(Value::Json).collect())
    }

    /// Properties as pairs, as `foreach` over a `JObject` gives them.
    pub(crate) fn pairs(&self) -> Vec<Value> {
        self.children().iter().map(|p| Value::pair(Value::str(p.name()), Value::Json(p.value()))).collect()
    }

    pub(crate) fn name(&self) -> String {
        match &*lock(&self.0.kind) {
            Kind::Property(name, _) => name.clone(),
            _ => String::new(),
        }
    }

    pub(crate) fn value(&self) -> Self {
        match &*lock(&self.0.kind) {
            Kind::Property(_, value) => self.beside(value.clone()),
            _ => self.clone(),
        }
    }

    pub(crate) fn find(&self, name: &str) -> Option<Self> {
        match &*lock(&self.0.kind) {
            Kind::Object(items) => items
                .iter()
                .find(|item| matches!(&*lock(&item.0.kind), Kind::Property(found, _) if found == name))
                .map(|item| self.beside(item.clone())),
            _ => None,
        }
    }

    pub(crate) fn get(&self, name: &str) -> Option<Self> {
        self.get_in(name)
    }

    /// The value of a property, when this is an object that has it.
    pub(crate) fn get_in(&self, name: &str) -> Option<Self> {
        match &*lock(&self.0.kind) {
            Kind::Object(items) => items.iter().find_map(|item| match &*lock(&item.0.kind) {
                Kind::Property(found, value) if found == name => Some(self.beside(value.clone())),
                _ => None,
            }),
            _ => None,
        }
    }

    /// The child at a place.
    pub(crate) fn child_at(&self, at: usize) -> Option<Self> {
        match &*lock(&self.0.kind) {
            Kind::Object(items) | Kind::Array(items) => items.get(at).map(|item| self.beside(item.clone())),
            _ => None,
        }
    }

    pub(crate) fn set_value(&self, value: Self) {
        let value = value.free().bare();
        value.adopt(self);
        if let Kind::Property(_, place) = &mut *lock(&self.0.kind) {
            *place = value;
        }
    }

    pub(crate) fn set(&self, name: &str, value: Self) {
        match self.find(name) {
            Some(property) => property.set_value(value),
            None => self.insert(usize::MAX, Self::property(name, value)),
        }
    }

    pub(crate) fn insert(&self, at: usize, child: Self) {
        let child = child.free().bare();
        child.adopt(self);
        if let Kind::Object(items) | Kind::Array(items) = &mut *lock(&self.0.kind) {
            items.insert(at.min(items.len()), child);
        }
    }

    pub(crate) fn position(&self) -> Option<(Self, usize)> {
        let parent = self.parent()?;
        let at = parent.children().iter().position(|child| child.same(self))?;
        Some((parent, at))
    }

    /// Takes the token out of its parent.
    pub(crate) fn detach(&self) -> Result<(), Fault> {
        let Some((parent, at)) = self.position() else {
            return Err(throw("InvalidOperationException", "The parent is missing."));
        };
        if parent.class() == "JProperty" {
            return parent.detach();
        }
        if let Kind::Object(items) | Kind::Array(items) = &mut *lock(&parent.0.kind) {
            items.remove(at);
        }
        *lock(&self.0.parent) = Weak::new();
        Ok(())
    }

    pub(crate) fn replace(&self, other: Self) -> Result<(), Fault> {
        let Some((parent, at)) = self.position() else {
            return Err(throw("InvalidOperationException", "The parent is missing."));
        };
        if parent.class() == "JProperty" {
            parent.set_value(other);
            return Ok(());
        }
        self.detach()?;
        parent.insert(at, other);
        Ok(())
    }

    pub(crate) fn clear(&self) {
        if let Kind::Object(items) | Kind::Array(items) = &mut *lock(&self.0.kind) {
            items.clear();
        }
    }

    /// `Type` as its name.
    pub(crate) fn type_name(&self) -> &'static str {
        match self.kind() {
            Kind::Object(_) => "Object",
            Kind::Array(_) => "Array",
            Kind::Property(..) => "Property",
            Kind::Value(value) => match value {
                Value::Null => "Null",
                Value::Bool(_) => "Boolean",
                Value::Int(..) => "Integer",
                Value::Single(_) | Value::Double(_) | Value::Decimal(_) => "Float",
                Value::Date(_) | Value::Offset(..) => "Date",
                Value::Guid(_) => "Guid",
                Value::Span(_) => "TimeSpan",
                Value::Enum(..) => "Undefined",
                Value::Object(object) if matches!(*object, Object::Uri(_)) => "Uri",
                Value::Object(object) if matches!(*object, Object::Record(..)) => "Integer",
                Value::Object(_) => "Bytes",
                _ => "String",
            },
        }
    }

    /// The JSON text.
    pub fn to_json(&self, indented: bool) -> String {
        write::text(self, indented)
    }

    /// `ToString()`: scalars as text, containers as indented JSON.
    pub(crate) fn display(&self) -> String {
        match self.kind() {
            Kind::Value(Value::Enum(..)) => String::new(),
            Kind::Value(value) => crate::text::display(&value),
            _ => self.to_json(true),
        }
    }

    /// `a.b[0]`.
    pub(crate) fn path(&self) -> String {
        let Some((parent, at)) = self.position() else { return String::new() };
        let base = parent.path();
        match (parent.class(), self.class()) {
            ("JArray", _) => format!("{base}[{at}]"),
            (_, "JProperty") => {
                let name = self.name();
                let plain = name.chars().all(|c| c.is_alphanumeric() || c == '_');
                match (plain, base.is_empty()) {
                    (true, true) => name,
                    (true, false) => format!("{base}.{name}"),
                    _ => format!("{base}['{name}']"),
                }
            }
            _ => base,
        }
    }
}

/// A value as a token, as `JToken.FromObject` and the implicit conversions make it.
pub(crate) fn from_value(value: &Value) -> Token {
    made(value, 0)
}

/// Values inside values that become tokens; what is deeper becomes null.
const VALUE_DEPTH_MAX: usize = 128;

fn made(value: &Value, depth: usize) -> Token {
    if depth > VALUE_DEPTH_MAX {
        return Token::scalar_of(Value::Null);
    }
    let from_value = |value: &Value| made(value, depth + 1);
    match value {
        Value::Json(token) => token.clone(),
        Value::Enum(_, number) => Token::scalar_of(Value::Int(Prim::Long, *number)),
        Value::Char(_) => Token::scalar_of(Value::str(value.to_text())),
        Value::Object(object) => match &**object {
            Object::Bytes(_) => Token::scalar_of(value.clone()),
            Object::Anonymous(fields) => Token::new(Kind::Object(
                fields.iter().map(|(name, value)| Token::property(name, from_value(value))).collect(),
            )),
            Object::Record(_, fields) if !matches!(value.type_of(), Type::Class("IGrouping" | "Uri", _)) => {
                Token::new(Kind::Object(
                    fields.iter().map(|(name, value)| Token::property(name, from_value(value))).collect(),
                ))
            }
            Object::Dictionary(_, map) => {
                let entries = lock(map).entries.clone();
                Token::new(Kind::Object(
                    entries
                        .iter()
                        .map(|(key, value)| Token::property(&key.to_text(), from_value(value)))
                        .collect(),
                ))
            }
            other => match crate::call::enumerate(other) {
                Some(items) => {
                    Token::new(Kind::Array(items.iter().map(|item| from_value(item).free()).collect()))
                }
                None if matches!(other, Object::Uri(_)) => Token::scalar_of(value.clone()),
                None => Token::scalar_of(Value::str(value.to_text())),
            },
        },
        other => Token::scalar_of(other.clone()),
    }
}

/// A token (or none) as a value of a type. `strict`, as casts are: null is refused where the type has none.
pub(crate) fn to_type(value: &Value, of: &Type, strict: bool) -> Result<Value, Fault> {
    let Value::Json(token) = value else {
        return match of.admits_null() || !strict {
            true => Ok(crate::arith::default_of(of)),
            false => Err(argument_null("value")),
        };
    };
    let token = token.value();
    if crate::arith::is_instance(&Value::Json(token.clone()), of) && *of != Type::Object {
        return Ok(Value::Json(token));
    }
    match token.kind() {
        Kind::Value(Value::Null | Value::Enum(..)) if of.admits_null() || !strict => {
            Ok(crate::arith::default_of(of))
        }
        Kind::Value(number) if number.type_of().is("BigInteger") => {
            // Too large for a long: as the number that its digits spell.
            crate::library::convert::change(&Value::str(number.to_text()), of.stripped())
        }
        Kind::Value(scalar) => {
            let wanted = of.stripped();
            if *wanted == Type::Object {
                return Ok(scalar);
            }
            if scalar.is_null() {
                let short = wanted.clr();
                return Err(throw(
                    "ArgumentException",
                    format!("Can not convert Null to {}.", short.rsplit('.').next().unwrap_or("")),
                ));
            }
            crate::library::convert::change(&scalar, wanted)
        }
        Kind::Array(items) => {
            let element = match of {
                Type::Array(inner) => (**inner).clone(),
                Type::Class("List" | "IList" | "IEnumerable" | "ICollection", arguments) => {
                    arguments.first().cloned().unwrap_or(Type::Object)
                }
                _ => return Err(cannot(&token, of, strict)),
            };
            let values = items
                .iter()
                .map(|item| to_type(&Value::Json(item.clone()), &element, false))
                .collect::<Result<Vec<_>, _>>()?;
            Ok(match of {
                Type::Array(_) => crate::library::array::make(&element, values),
                _ => Value::list(Type::generic("List", element), values),
            })
        }
        Kind::Object(properties) => match of {
            Type::Class("Dictionary" | "IDictionary", arguments) => {
                let inner = arguments.get(1).cloned().unwrap_or(Type::Object);
                let mut map = crate::value::Dictionary::default();
                for property in properties {
                    map.set(
                        Value::str(property.name()),
                        to_type(&Value::Json(property.value()), &inner, false)?,
                    );
                }
                Ok(Value::object(Object::Dictionary(
                    Type::Class("Dictionary", arguments.clone()),
                    Mutex::new(map),
                )))
            }
            Type::Object => Ok(Value::Json(token)),
            _ => Err(cannot(&token, of, strict)),
        },
        Kind::Property(..) => Err(cannot(&token, of, strict)),
    }
}

fn cannot(token: &Token, of: &Type, strict: bool) -> Fault {
    let name = of.stripped().clr();
    let short = name.rsplit('.').next().unwrap_or("").to_owned();
    if strict {
        throw("ArgumentException", format!("Can not convert {} to {short}.", token.type_name()))
    } else {
        throw(
            "InvalidCastException",
            format!("Cannot cast Newtonsoft.Json.Linq.{} to {}.", token.class(), name),
        )
    }
}
