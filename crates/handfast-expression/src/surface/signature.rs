//! Parses the signatures of the tables. They are ours, not a user's: a mistake is found by the test that
//! walks the whole surface.

use super::{Entry, Member, MemberKind, Mode, Param, Row, TypeDef};
use crate::types::{Prim, Type};
use crate::value::Value;
use std::sync::Arc;

/// Parses all rows of a type.
pub(super) fn entry(def: &'static TypeDef) -> Entry {
    let bases = def.bases.iter().map(|text| Reader::new(text, def.generics).class()).collect();
    Entry { def, bases, members: def.rows.iter().flat_map(|row| members(def, row)).collect() }
}

/// A row may hold several signatures, separated by `;`.
fn members(def: &'static TypeDef, row: &'static Row) -> Vec<Member> {
    row.0.split(';').map(|text| member(def, text.trim(), row)).collect()
}

fn member(def: &'static TypeDef, text: &'static str, row: &'static Row) -> Member {
    let mut reader = Reader::new(text, def.generics);
    let lenient = reader.take("lenient");
    let lazy = reader.take("lazy");
    let is_static = reader.take("static");
    let setter = reader.take("set");
    let declared_at = reader.at;
    let mut result = Type::Void;
    let is_new = reader.take("new");
    let name = if is_new {
        ".ctor".to_owned()
    } else {
        // Type parameters of the method are declared after its name but may be used before it.
        let tail = reader.rest().split('(').next().unwrap_or("");
        if let Some((head, list)) = tail.trim_end().strip_suffix('>').and_then(|t| t.rsplit_once('<'))
            && reader.rest().contains('(')
            && head.ends_with(|c: char| c.is_alphanumeric())
            && head.contains(' ')
        {
            reader.generics.extend(list.split(',').map(str::trim));
        }
        reader.at = declared_at;
        result = reader.class();
        reader.word().to_owned()
    };
    if reader.take("<") {
        while !reader.take(">") {
            reader.word();
            reader.take(",");
        }
    }
    let own_generics = reader.generics.len() - def.generics.len();
    let (kind, close) = match (is_new, reader.take("("), setter) {
        (true, ..) => (MemberKind::New, ")"),
        (_, true, _) => (MemberKind::Method, ")"),
        (_, _, set) if reader.take("[") => {
            (if set { MemberKind::SetIndexer } else { MemberKind::Indexer }, "]")
        }
        (_, _, true) => (MemberKind::SetProperty, ""),
        _ => (MemberKind::Property, ""),
    };
    let extension = !close.is_empty() && reader.take("this");
    let mut params = Vec::new();
    while !close.is_empty() && !reader.take(close) {
        params.push(reader.param());
        reader.take(",");
    }
    if kind == MemberKind::New {
        let arguments = (0..def.generics.len()).map(|index| Type::Param(u8::try_from(index).unwrap_or(0)));
        result = named(def.name, arguments.collect());
    }
    Member {
        owner: def.name,
        name,
        kind,
        is_static,
        extension,
        lenient,
        lazy,
        owner_generics: def.generics.len(),
        own_generics,
        result,
        params,
        eval: row.1,
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    generics: Vec<&'a str>,
}

impl<'a> Reader<'a> {
    fn new(text: &'a str, generics: &[&'a str]) -> Self {
        Self { text, at: 0, generics: generics.to_vec() }
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or("").trim_start()
    }

    fn skip_to(&mut self, rest: &str) {
        self.at = self.text.len() - rest.len();
    }

    fn word(&mut self) -> &'a str {
        let rest = self.rest();
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        self.skip_to(&rest[end..]);
        &rest[..end]
    }

    fn take(&mut self, token: &str) -> bool {
        let rest = self.rest();
        let Some(after) = rest.strip_prefix(token) else { return false };
        let whole = !token.ends_with(char::is_alphanumeric)
            || !after.starts_with(|c: char| c.is_alphanumeric() || c == '_');
        if whole {
            self.skip_to(after);
        }
        whole
    }

    fn param(&mut self) -> Param {
        let mode = if self.take("out") {
            Mode::Out
        } else if self.take("params") {
            Mode::Params
        } else {
            Mode::In
        };
        let of = self.class();
        let name = self.word().to_owned();
        let default = self.take("=").then(|| match self.word() {
            "false" => Value::Bool(false),
            "true" => Value::Bool(true),
            number if number.parse::<i32>().is_ok() => Value::int(number.parse().unwrap_or(0)),
            _ => Value::Null,
        });
        Param { name, of, mode, default }
    }

    fn class(&mut self) -> Type {
        let name = self.word();
        let mut arguments = Vec::new();
        if self.take("<") {
            while !self.take(">") {
                arguments.push(self.class());
                self.take(",");
            }
        }
        let mut of = match self.generics.iter().position(|generic| *generic == name) {
            Some(index) => Type::Param(u8::try_from(index).unwrap_or(0)),
            None => named(name, arguments),
        };
        loop {
            if self.take("[]") {
                of = Type::Array(Arc::new(of));
            } else if self.take("?") {
                of = Type::Nullable(Arc::new(of));
            } else {
                return of;
            }
        }
    }
}

/// A type by its name, delegates by their shape.
pub(crate) fn named(name: &str, mut arguments: Vec<Type>) -> Type {
    let first = arguments.first().cloned().unwrap_or(Type::Object);
    match name {
        "void" => return Type::Void,
        "object" | "Object" => return Type::Object,
        "string" | "String" => return Type::String,
        "Func" => {
            let result = arguments.pop().unwrap_or(Type::Void);
            return Type::Func(arguments, Arc::new(result));
        }
        "Action" => return Type::Func(arguments, Arc::new(Type::Void)),
        "Predicate" => return Type::Func(vec![first], Arc::new(Type::BOOL)),
        "Comparison" => return Type::Func(vec![first.clone(), first], Arc::new(Type::INT)),
        "Converter" => {
            let result = arguments.pop().unwrap_or(Type::Void);
            return Type::Func(arguments, Arc::new(result));
        }
        "MatchEvaluator" => return Type::Func(vec![Type::class("Match")], Arc::new(Type::String)),
        "Nullable" => return first.nullable(),
        "Array" if arguments.len() == 1 => return Type::Array(Arc::new(first)),
        _ => {}
    }
    if let Some(prim) = Prim::named(name) {
        return Type::Prim(prim);
    }
    if let Some(def) = crate::library::enums().find(|def| def.name == name) {
        return Type::Enum(def);
    }
    match crate::library::types().find(|def| def.name == name) {
        Some(def) => Type::Class(def.name, arguments),
        None => Type::Unknown,
    }
}
