//! Run-time values: small, tagged with their exact type, cheap to clone.
//!
//! Strings are UTF-8 and counted in UTF-16 units where the language does; a lone surrogate becomes U+FFFD.
//! `T?` is the value itself or [`Value::Null`], as boxing does it.

mod detach;

use crate::json::Token;
use crate::types::{EnumDef, Prim, Type};
use handfast_pki::{Certificate, PrivateKey};
use rust_decimal::Decimal;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};

/// A date: ticks of 100 ns since 0001-01-01, and what kind of clock it is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Date {
    /// Ticks of 100 ns since 0001-01-01.
    pub ticks: i64,
    /// 0 unspecified, 1 UTC, 2 local (which is UTC here).
    pub kind: u8,
}

/// A value of an expression.
#[derive(Clone)]
pub enum Value {
    /// `null`.
    Null,
    /// `bool`.
    Bool(bool),
    /// `char`: one UTF-16 unit.
    Char(u16),
    /// An integer of the given type; `ulong` keeps its bits.
    Int(Prim, i64),
    /// `float`.
    Single(f32),
    /// `double`.
    Double(f64),
    /// `decimal`.
    Decimal(Decimal),
    /// `string`.
    Str(Arc<str>),
    /// `DateTime`.
    Date(Date),
    /// `DateTimeOffset`: local ticks and offset in minutes.
    Offset(i64, i16),
    /// `TimeSpan` in ticks of 100 ns.
    Span(i64),
    /// `Guid`, as the number its text spells.
    Guid(u128),
    /// A member of an enumeration.
    Enum(&'static EnumDef, i64),
    /// A JSON token.
    Json(Token),
    /// Anything else; compared by identity.
    Object(Arc<Object>),
}

/// An exception: type name without namespace, and message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exception {
    /// Name of the type, such as `FormatException`.
    pub kind: &'static str,
    /// The message.
    pub message: String,
}

/// A dictionary that keeps the order of insertion.
#[derive(Default)]
pub struct Dictionary {
    /// Keys and values.
    pub entries: Vec<(Value, Value)>,
    index: HashMap<String, usize>,
    /// Whether keys are compared without case.
    pub ignore_case: bool,
    /// Whether a missing key reads as null instead of throwing, as the gateway's own dictionaries do.
    pub lenient: bool,
    /// Whether reading a missing key makes an empty list of strings there, as forms do.
    pub grows: bool,
}

/// A certificate, the private key if the gateway holds it, and what came with it.
#[derive(Clone)]
pub struct CertificateValue {
    /// The certificate.
    pub certificate: Certificate,
    /// Its private key; never readable from an expression, only usable.
    pub key: Option<PrivateKey>,
    /// Further certificates, for building a path.
    pub chain: Vec<Certificate>,
}

impl Dictionary {
    /// An empty dictionary.
    pub fn new(ignore_case: bool, lenient: bool) -> Self {
        Self { ignore_case, lenient, ..Self::default() }
    }

    fn hash(&self, key: &Value) -> String {
        let text = crate::text::hash_key(key);
        if self.ignore_case { text.to_uppercase() } else { text }
    }

    /// The value of a key.
    pub fn get(&self, key: &Value) -> Option<&Value> {
        self.index.get(&self.hash(key)).and_then(|at| self.entries.get(*at)).map(|entry| &entry.1)
    }

    /// Adds or replaces; `false` when the key was there.
    pub fn set(&mut self, key: Value, value: Value) -> bool {
        let hash = self.hash(&key);
        if let Some(entry) = self.index.get(&hash).and_then(|at| self.entries.get_mut(*at)) {
            entry.1 = value;
            return false;
        }
        self.index.insert(hash, self.entries.len());
        self.entries.push((key, value));
        true
    }

    /// Removes a key; whether it was there.
    pub fn remove(&mut self, key: &Value) -> bool {
        let Some(at) = self.index.remove(&self.hash(key)) else { return false };
        self.entries.remove(at);
        for index in self.index.values_mut().filter(|index| **index > at) {
            *index -= 1;
        }
        true
    }

    /// Removes everything.
    pub fn clear(&mut self) {
        self.entries.clear();
        self.index.clear();
    }
}

/// A delegate: a function of the program and the environment it was made in.
#[derive(Clone, Copy, Debug)]
pub struct Closure {
    pub(crate) function: usize,
    pub(crate) environment: usize,
}

/// A call whose result is made when it is enumerated.
pub struct Deferred {
    pub(crate) member: &'static crate::surface::Member,
    pub(crate) types: Vec<Type>,
    pub(crate) args: Vec<Value>,
    /// The items, while the instruction that asked for them is being made.
    pub(crate) items: Mutex<Option<Vec<Value>>>,
}

/// Values with identity.
pub enum Object {
    /// `T[]`.
    Array(Type, Mutex<Vec<Value>>),
    /// `byte[]`.
    Bytes(Mutex<Vec<u8>>),
    /// `List<T>`, `Queue<T>`, `Stack<T>` and sequences made by queries.
    List(Type, Mutex<Vec<Value>>),
    /// `Dictionary<K, V>` and the read-only ones.
    Dictionary(Type, Mutex<Dictionary>),
    /// `HashSet<T>`: a dictionary without values.
    Set(Type, Mutex<Dictionary>),
    /// `KeyValuePair`, `Tuple`, groupings, and the gateway's own objects: a type and named fields.
    Record(Type, Vec<(&'static str, Value)>),
    /// An anonymous object.
    Anonymous(Vec<(String, Value)>),
    /// A part of the request context, read when asked.
    Part(crate::context::Part),
    /// A dictionary of the request context, read when asked.
    Lookup(crate::context::Lookup),
    /// The body of a message.
    Body(crate::context::Body),
    /// `StringBuilder`.
    Builder(Mutex<String>),
    /// `Random`: the state of the seeded generator.
    Random(Mutex<crate::library::random::Random>),
    /// An object whose properties can be set: a type and named values.
    Cell(Type, Mutex<Vec<(&'static str, Value)>>),
    /// A URI.
    Uri(Box<crate::uri::Uri>),
    /// A certificate.
    Certificate(Box<CertificateValue>),
    /// An XML node; compared by what it refers to.
    Xml(crate::xml::Node),
    /// An RSA key.
    Rsa(Mutex<crate::library::crypto::RsaKey>),
    /// A compiled regular expression.
    Regex(Arc<crate::regex::Regex>),
    /// A match of one, for what comes after it.
    Found(Box<crate::library::regex::Found>),
    /// A query that runs when it is enumerated.
    Deferred(Box<Deferred>),
    /// A delegate.
    Closure(Closure),
    /// An exception.
    Exception(Exception),
}

/// Values inside values are let go one by one: a chain of a million must not be a recursion of a million.
impl Drop for Object {
    fn drop(&mut self) {
        let mut pending = Vec::new();
        self.take_inner(&mut pending);
        while let Some(inner) = pending.pop() {
            if let Some(mut object) = Arc::into_inner(inner) {
                object.take_inner(&mut pending);
            }
        }
    }
}

impl Object {
    /// Takes the objects out that this one holds.
    fn take_inner(&mut self, out: &mut Vec<Arc<Self>>) {
        let mut take = |value: &mut Value| {
            if matches!(value, Value::Object(_))
                && let Value::Object(inner) = std::mem::replace(value, Value::Null)
            {
                out.push(inner);
            }
        };
        fn inner<T>(mutex: &mut Mutex<T>) -> &mut T {
            mutex.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner)
        }
        match self {
            Self::Array(_, items) | Self::List(_, items) => inner(items).iter_mut().for_each(take),
            Self::Dictionary(_, map) | Self::Set(_, map) => {
                inner(map).entries.iter_mut().for_each(|entry| take(&mut entry.1));
            }
            Self::Record(_, fields) => fields.iter_mut().for_each(|field| take(&mut field.1)),
            Self::Cell(_, fields) => inner(fields).iter_mut().for_each(|field| take(&mut field.1)),
            Self::Anonymous(fields) => fields.iter_mut().for_each(|field| take(&mut field.1)),
            Self::Deferred(query) => {
                query.args.iter_mut().for_each(&mut take);
                inner(&mut query.items).iter_mut().flatten().for_each(take);
            }
            _ => {}
        }
    }
}

impl Value {
    /// A string.
    pub fn str(text: impl AsRef<str>) -> Self {
        Self::Str(Arc::from(text.as_ref()))
    }

    /// An `int`.
    pub fn int(number: i32) -> Self {
        Self::Int(Prim::Int, number.into())
    }

    /// A length or index as an `int`.
    pub(crate) fn count(number: usize) -> Self {
        Self::Int(Prim::Int, i64::try_from(number).unwrap_or(i64::MAX).min(i32::MAX.into()))
    }

    pub(crate) fn object(object: Object) -> Self {
        Self::Object(Arc::new(object))
    }

    /// A sequence or list.
    pub(crate) fn list(of: Type, items: Vec<Self>) -> Self {
        Self::object(Object::List(of, Mutex::new(items)))
    }

    /// A sequence as queries make it.
    pub(crate) fn sequence(items: Vec<Self>) -> Self {
        Self::list(Type::class("IEnumerable"), items)
    }

    /// An array.
    pub fn array(of: Type, items: Vec<Self>) -> Self {
        Self::object(Object::Array(of, Mutex::new(items)))
    }

    /// A `string[]`.
    pub fn strings<S: AsRef<str>>(items: impl IntoIterator<Item = S>) -> Self {
        Self::array(Type::String, items.into_iter().map(Self::str).collect())
    }

    /// The items of an array or list, as texts.
    pub fn texts(&self) -> Option<Vec<String>> {
        match self {
            Self::Object(object) => match &**object {
                Object::Array(_, items) | Object::List(_, items) => {
                    Some(lock(items).iter().map(Self::to_text).collect())
                }
                _ => None,
            },
            _ => None,
        }
    }

    /// A `byte[]`.
    pub fn bytes(bytes: Vec<u8>) -> Self {
        Self::object(Object::Bytes(Mutex::new(bytes)))
    }

    /// One of the gateway's own objects, or a pair.
    pub fn record(class: &'static str, fields: Vec<(&'static str, Value)>) -> Self {
        Self::object(Object::Record(Type::class(class), fields))
    }

    /// An `X509Certificate2`; `chain` helps to build a path.
    pub fn certificate(certificate: Certificate, key: Option<PrivateKey>, chain: Vec<Certificate>) -> Self {
        Self::object(Object::Certificate(Box::new(CertificateValue { certificate, key, chain })))
    }

    /// A compact token as a `Jwt`, unverified; `None` when it is none.
    pub fn jwt(token: &str) -> Option<Self> {
        crate::library::gateway::jwt(token)
    }

    /// An `Authorization` with an access token and no claims.
    pub fn authorization(access_token: &str) -> Self {
        let claims = crate::library::gateway::no_claims();
        Self::record("Authorization", vec![("AccessToken", Self::str(access_token)), ("Claims", claims)])
    }

    pub(crate) fn pair(key: Self, value: Self) -> Self {
        Self::record("KeyValuePair", vec![("Key", key), ("Value", value)])
    }

    /// Whether this is `null`.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// The text of a string; `None` for anything else.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Str(text) => Some(text),
            _ => None,
        }
    }

    /// Integers, characters and enumeration members as a number.
    pub(crate) fn integer(&self) -> Option<i128> {
        match self {
            Self::Int(Prim::ULong, bits) => Some((*bits as u64).into()),
            Self::Int(_, number) | Self::Enum(_, number) => Some((*number).into()),
            Self::Char(unit) => Some((*unit).into()),
            _ => None,
        }
    }

    /// The value as an `int`, if it is an integer that fits.
    pub fn as_int(&self) -> Option<i32> {
        self.integer().and_then(|number| i32::try_from(number).ok())
    }

    /// The value as a `bool`.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(truth) => Some(*truth),
            _ => None,
        }
    }

    /// The bytes of a `byte[]`.
    pub fn as_bytes(&self) -> Option<Vec<u8>> {
        match self {
            Self::Object(object) => match &**object {
                Object::Bytes(bytes) => Some(lock(bytes).clone()),
                _ => None,
            },
            _ => None,
        }
    }

    /// The value as text in the culture-independent way; what a `string` target receives.
    pub fn to_text(&self) -> String {
        crate::text::display(self)
    }

    /// The exact type.
    pub fn type_of(&self) -> Type {
        match self {
            Self::Null => Type::Null,
            Self::Bool(_) => Type::BOOL,
            Self::Char(_) => Type::Prim(Prim::Char),
            Self::Int(prim, _) => Type::Prim(*prim),
            Self::Single(_) => Type::Prim(Prim::Single),
            Self::Double(_) => Type::Prim(Prim::Double),
            Self::Decimal(_) => Type::Prim(Prim::Decimal),
            Self::Str(_) => Type::String,
            Self::Date(_) => Type::class("DateTime"),
            Self::Offset(..) => Type::class("DateTimeOffset"),
            Self::Span(_) => Type::class("TimeSpan"),
            Self::Guid(_) => Type::class("Guid"),
            Self::Enum(def, _) => Type::Enum(def),
            Self::Json(token) => Type::class(token.class()),
            Self::Object(object) => object.type_of(),
        }
    }
}

impl Object {
    fn type_of(&self) -> Type {
        match self {
            Self::Array(of, _) => Type::Array(Arc::new(of.clone())),
            Self::Bytes(_) => Type::Array(Arc::new(Type::Prim(Prim::Byte))),
            Self::List(of, _)
            | Self::Dictionary(of, _)
            | Self::Set(of, _)
            | Self::Record(of, _)
            | Self::Cell(of, _) => of.clone(),
            Self::Anonymous(fields) => Type::Anonymous(Arc::new(
                fields.iter().map(|(name, value)| (name.clone(), value.type_of())).collect(),
            )),
            Self::Part(part) => Type::class(part.class()),
            Self::Lookup(_) => Type::class("IReadOnlyDictionary"),
            Self::Body(_) => Type::class("IMessageBody"),
            Self::Builder(_) => Type::class("StringBuilder"),
            Self::Random(_) => Type::class("Random"),
            Self::Uri(_) => Type::class("Uri"),
            Self::Certificate(_) => Type::class("X509Certificate2"),
            Self::Xml(node) => Type::class(node.class()),
            Self::Rsa(_) => Type::class("RSA"),
            Self::Regex(_) => Type::class("Regex"),
            Self::Found(_) => Type::class("Match"),
            Self::Deferred(_) => Type::class("IEnumerable"),
            Self::Closure(_) => Type::class("Delegate"),
            Self::Exception(exception) => Type::class(exception.kind),
        }
    }
}

/// Locks; a panic elsewhere does not poison values.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}", self.type_of(), self.to_text())
    }
}

impl fmt::Debug for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.type_of())
    }
}
