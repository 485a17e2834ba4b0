//! Requests (§2.2 to §2.12): operations, fragments, selections with their places in the text.

use super::lexer::{Read, Reader, Token};
use super::{GraphQlError, TypeRef, Value};
use crate::json::Place;
use std::ops::Range;

/// A parsed request.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Document {
    /// The operations.
    pub operations: Vec<Operation>,
    /// The fragments.
    pub fragments: Vec<Fragment>,
}

/// What an operation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Reads.
    Query,
    /// Writes.
    Mutation,
    /// Listens.
    Subscription,
}

impl Kind {
    /// The word of the language.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Query => "query",
            Self::Mutation => "mutation",
            Self::Subscription => "subscription",
        }
    }
}

/// An operation.
#[derive(Clone, Debug, PartialEq)]
pub struct Operation {
    /// What it does.
    pub kind: Kind,
    /// Its name, if it has one.
    pub name: Option<String>,
    /// Its variables.
    pub variables: Vec<Variable>,
    /// The bytes of their list with its brackets.
    pub variables_span: Range<usize>,
    /// Directives on it.
    pub directives: Vec<Directive>,
    /// What it selects.
    pub selections: Vec<Selection>,
    /// Where it begins.
    pub place: Place,
}

/// A variable of an operation.
#[derive(Clone, Debug, PartialEq)]
pub struct Variable {
    /// The name without `$`.
    pub name: String,
    /// The type.
    pub of: TypeRef,
    /// The default.
    pub default: Option<Value>,
    /// Its bytes in the text.
    pub span: Range<usize>,
    /// Where it stands.
    pub place: Place,
}

/// A fragment.
#[derive(Clone, Debug, PartialEq)]
pub struct Fragment {
    /// The name.
    pub name: String,
    /// The type that it is on.
    pub on: String,
    /// Its bytes in the text.
    pub span: Range<usize>,
    /// What it selects.
    pub selections: Vec<Selection>,
    /// Where it begins.
    pub place: Place,
}

/// A directive.
#[derive(Clone, Debug, PartialEq)]
pub struct Directive {
    /// The name without `@`.
    pub name: String,
    /// The arguments.
    pub arguments: Vec<(String, Value)>,
    /// Where it stands.
    pub place: Place,
}

/// A part of a selection set.
#[derive(Clone, Debug, PartialEq)]
pub enum Selection {
    /// A field.
    Field(Field),
    /// `...Name`.
    Spread {
        /// The fragment.
        name: String,
        /// Directives on it.
        directives: Vec<Directive>,
        /// Where it stands.
        place: Place,
        /// Its bytes in the text.
        span: Range<usize>,
    },
    /// `... on Type { }`.
    Inline {
        /// The type, if it is given.
        on: Option<String>,
        /// Directives on it.
        directives: Vec<Directive>,
        /// What it selects.
        selections: Vec<Selection>,
        /// Where it stands.
        place: Place,
        /// Its bytes in the text.
        span: Range<usize>,
    },
}

/// A field of a selection set.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// The name in the response, when it is another.
    pub alias: Option<String>,
    /// The name in the schema.
    pub name: String,
    /// The arguments.
    pub arguments: Vec<(String, Value)>,
    /// Directives on it.
    pub directives: Vec<Directive>,
    /// What it selects.
    pub selections: Vec<Selection>,
    /// Where it stands.
    pub place: Place,
    /// Its bytes in the text, selections and all.
    pub span: Range<usize>,
}

/// Reads a request.
pub fn parse(text: &str) -> Result<Document, GraphQlError> {
    let mut reader = Reader::new(text)?;
    let mut document = Document::default();
    while reader.next != Token::End {
        let (place, start) = (reader.place(), reader.start);
        if reader.is("{") {
            let selections = selections(&mut reader)?;
            document.operations.push(Operation {
                kind: Kind::Query,
                name: None,
                variables: Vec::new(),
                variables_span: start..start,
                directives: Vec::new(),
                selections,
                place,
            });
        } else if reader.take_word("fragment")? {
            let name = reader.name()?;
            if name == "on" || !reader.take_word("on")? {
                return reader.unexpected("'on'");
            }
            let on = reader.name()?;
            directives(&mut reader)?;
            let selections = selections(&mut reader)?;
            let span = start..reader.before;
            document.fragments.push(Fragment { name, on, span, selections, place });
        } else {
            document.operations.push(operation(&mut reader, place)?);
        }
    }
    match document.operations.is_empty() && document.fragments.is_empty() {
        true => reader.unexpected("a definition"),
        false => Ok(document),
    }
}

fn operation(reader: &mut Reader<'_>, place: Place) -> Read<Operation> {
    let kinds = [Kind::Query, Kind::Mutation, Kind::Subscription];
    let Some(kind) = kinds.into_iter().find(|kind| reader.is_word(kind.as_str())) else {
        return reader.unexpected("query, mutation, subscription, fragment or '{'");
    };
    reader.advance()?;
    let name = match reader.next {
        Token::Name(_) => Some(reader.name()?),
        _ => None,
    };
    let mut variables = Vec::new();
    let list_start = reader.start;
    let mut variables_span = list_start..list_start;
    if reader.take("(")? {
        while !reader.take(")")? {
            let (place, start) = (reader.place(), reader.start);
            reader.expect("$")?;
            let name = reader.name()?;
            reader.expect(":")?;
            let of = reader.type_ref()?;
            let default = if reader.take("=")? { Some(reader.value()?) } else { None };
            directives(reader)?;
            let span = start..reader.before;
            variables.push(Variable { name, of, default, span, place });
        }
        variables_span.end = reader.before;
    }
    let directives = directives(reader)?;
    let selections = selections(reader)?;
    Ok(Operation { kind, name, variables, variables_span, directives, selections, place })
}

fn arguments(reader: &mut Reader<'_>) -> Read<Vec<(String, Value)>> {
    let mut out = Vec::new();
    if reader.take("(")? {
        while !reader.take(")")? {
            let name = reader.name()?;
            reader.expect(":")?;
            out.push((name, reader.value()?));
        }
    }
    Ok(out)
}

pub(super) fn directives(reader: &mut Reader<'_>) -> Read<Vec<Directive>> {
    let mut out = Vec::new();
    loop {
        let place = reader.place();
        if !reader.take("@")? {
            return Ok(out);
        }
        out.push(Directive { name: reader.name()?, arguments: arguments(reader)?, place });
    }
}

fn selections(reader: &mut Reader<'_>) -> Read<Vec<Selection>> {
    reader.expect("{")?;
    let mut out = Vec::new();
    while !reader.take("}")? {
        out.push(reader.nested(selection)?);
    }
    if out.is_empty() {
        return reader.fail("Syntax Error: A selection set is empty.");
    }
    Ok(out)
}

fn selection(reader: &mut Reader<'_>) -> Read<Selection> {
    let (place, start) = (reader.place(), reader.start);
    if reader.take("...")? {
        if matches!(reader.next, Token::Name(_)) && !reader.is_word("on") {
            let (name, directives) = (reader.name()?, directives(reader)?);
            return Ok(Selection::Spread { name, directives, place, span: start..reader.before });
        }
        let on = if reader.take_word("on")? { Some(reader.name()?) } else { None };
        let directives = directives(reader)?;
        let selections = selections(reader)?;
        return Ok(Selection::Inline { on, directives, selections, place, span: start..reader.before });
    }
    let first = reader.name()?;
    let (alias, name) = if reader.take(":")? { (Some(first), reader.name()?) } else { (None, first) };
    let arguments = arguments(reader)?;
    let directives = directives(reader)?;
    let selections = if reader.is("{") { selections(reader)? } else { Vec::new() };
    let span = start..reader.before;
    Ok(Selection::Field(Field { alias, name, arguments, directives, selections, place, span }))
}
