//! `System.IO.StringReader` and `StringWriter`: text that is read or written piece by piece.

use super::cell;
use crate::call::Call;
use crate::fault::Fault;
use crate::surface::{PLAIN, Row, TypeDef};
use crate::types::Type;
use crate::value::{Object, Value, lock};
use std::sync::Mutex;

fn new_reader(call: &mut Call<'_>) -> Result<Value, Fault> {
    let text = Value::Str(call.text(0)?);
    Ok(cell::make(Type::class("StringReader"), vec![("Text", text), ("At", Value::int(0))]))
}

/// The text that is left, and how much of it a member takes.
fn read(call: &mut Call<'_>) -> Result<Value, Fault> {
    let text = cell::of(call.arg(0), "Text").to_text();
    let at = cell::of(call.arg(0), "At").integer().and_then(|at| usize::try_from(at).ok()).unwrap_or(0);
    let rest = text.get(at..).unwrap_or("");
    let (value, taken) = match call.member.name.as_str() {
        "ReadToEnd" => (Value::str(rest), rest.len()),
        "ReadLine" if rest.is_empty() => (Value::Null, 0),
        "ReadLine" => {
            let end = rest.find(['\r', '\n']).unwrap_or(rest.len());
            let after = rest.get(end..).unwrap_or("");
            let ending = if after.starts_with("\r\n") { 2 } else { usize::from(!after.is_empty()) };
            (Value::str(&rest[..end]), end + ending)
        }
        name => match rest.chars().next() {
            None => (Value::int(-1), 0),
            Some(c) => (Value::int(c as i32), if name == "Read" { c.len_utf8() } else { 0 }),
        },
    };
    call.allocate(taken)?;
    cell::put(call.arg(0), "At", Value::Int(crate::types::Prim::Long, (at + taken) as i64));
    Ok(value)
}

fn new_writer(_: &mut Call<'_>) -> Result<Value, Fault> {
    let builder = Value::object(Object::Builder(Mutex::new(String::new())));
    Ok(cell::make(Type::class("StringWriter"), vec![("Builder", builder)]))
}

fn write(call: &mut Call<'_>) -> Result<Value, Fault> {
    let mut text = match call.count() {
        1 => String::new(),
        2 => call.arg(1).to_text(),
        _ => crate::text::composite(&call.text(1)?, &call.items(2)?, *call.memory)?,
    };
    if call.member.name == "WriteLine" {
        text.push('\n');
    }
    call.allocate(text.len())?;
    if let Value::Object(object) = cell::of(call.arg(0), "Builder")
        && let Object::Builder(builder) = &*object
    {
        lock(builder).push_str(&text);
    }
    Ok(Value::Null)
}

fn written(call: &mut Call<'_>) -> Result<Value, Fault> {
    let builder = cell::of(call.arg(0), "Builder");
    Ok(if call.member.name == "GetStringBuilder" { builder } else { Value::str(builder.to_text()) })
}

const SPACE: TypeDef = TypeDef { namespace: "System.IO", ..PLAIN };

pub(super) const TYPES: &[TypeDef] = &[
    TypeDef { name: "TextReader", ..SPACE },
    TypeDef {
        name: "StringReader",
        bases: &["TextReader"],
        rows: &[
            Row("new(string s)", new_reader),
            Row("string ReadLine(); string ReadToEnd(); int Peek(); int Read()", read),
            Row("void Dispose(); void Close()", cell::nothing),
        ],
        ..SPACE
    },
    TypeDef {
        name: "StringWriter",
        rows: &[
            Row("new()", new_writer),
            Row(
                "void Write(object value); void Write(string format, params object[] arg); void WriteLine(); void WriteLine(object value); void WriteLine(string format, params object[] arg)",
                write,
            ),
            Row("string ToString(); StringBuilder GetStringBuilder()", written),
            Row("void Dispose(); void Close(); void Flush()", cell::nothing),
        ],
        ..SPACE
    },
];
