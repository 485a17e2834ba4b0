//! The schema definition language (§3): definitions and extensions.

use super::lexer::{Read, Reader, Token};
use super::query::directives;
use super::schema::{FieldDef, InputDef, Schema, Shape, TypeDef};

/// Types of a schema.
const TYPES_MAX: usize = 20_000;

/// Reads definitions into a schema.
pub(super) fn read(reader: &mut Reader<'_>, schema: &mut Schema) -> Read<()> {
    while reader.next != Token::End {
        description(reader)?;
        let extends = reader.take_word("extend")?;
        let word = match &reader.next {
            Token::Name(word) => word.clone(),
            _ => return reader.unexpected("a definition"),
        };
        let shape = match word.as_str() {
            "schema" => {
                roots(reader, schema)?;
                continue;
            }
            "directive" if !extends => {
                directive(reader, schema)?;
                continue;
            }
            "scalar" => Shape::Scalar,
            "type" => Shape::Object,
            "interface" => Shape::Interface,
            "union" => Shape::Union,
            "enum" => Shape::Enum,
            "input" => Shape::Input,
            _ => {
                return reader.unexpected("schema, scalar, type, interface, union, enum, input or directive");
            }
        };
        reader.advance()?;
        let name = reader.name()?;
        let more = definition(reader, shape)?;
        match (schema.types.get_mut(&name), extends) {
            (Some(known), true) if known.shape == shape => {
                known.fields.extend(more.fields);
                known.related.extend(more.related);
                known.values.extend(more.values);
                known.inputs.extend(more.inputs);
            }
            (_, true) => {
                return reader.fail(format!("Cannot extend '{name}': there is no {word} of that name."));
            }
            (Some(known), false) if !(known.shape == Shape::Scalar && shape == Shape::Scalar) => {
                return reader.fail(format!("There can be only one type named '{name}'."));
            }
            (_, false) => {
                schema.types.insert(name, more);
            }
        }
        if schema.types.len() > TYPES_MAX {
            return reader.fail(format!("The schema has more than {TYPES_MAX} types."));
        }
    }
    Ok(())
}

fn description(reader: &mut Reader<'_>) -> Read<()> {
    if matches!(reader.next, Token::String(_)) {
        reader.advance()?;
    }
    Ok(())
}

fn roots(reader: &mut Reader<'_>, schema: &mut Schema) -> Read<()> {
    reader.advance()?;
    directives(reader)?;
    if !reader.take("{")? {
        return Ok(());
    }
    while !reader.take("}")? {
        let kind = reader.name()?;
        reader.expect(":")?;
        let name = Some(reader.name()?);
        match kind.as_str() {
            "query" => schema.query = name,
            "mutation" => schema.mutation = name,
            "subscription" => schema.subscription = name,
            other => return reader.fail(format!("Unknown operation '{other}'.")),
        }
    }
    Ok(())
}

fn directive(reader: &mut Reader<'_>, schema: &mut Schema) -> Read<()> {
    reader.advance()?;
    reader.expect("@")?;
    let name = reader.name()?;
    let arguments = if reader.take("(")? { inputs(reader, ")")? } else { Vec::new() };
    reader.take_word("repeatable")?;
    if !reader.take_word("on")? {
        return reader.unexpected("'on'");
    }
    reader.take("|")?;
    reader.name()?;
    while reader.take("|")? {
        reader.name()?;
    }
    schema.directives.insert(name, arguments);
    Ok(())
}

fn definition(reader: &mut Reader<'_>, shape: Shape) -> Read<TypeDef> {
    let mut of =
        TypeDef { shape, fields: Vec::new(), related: Vec::new(), values: Vec::new(), inputs: Vec::new() };
    if matches!(shape, Shape::Object | Shape::Interface) && reader.take_word("implements")? {
        reader.take("&")?;
        of.related.push(reader.name()?);
        while reader.take("&")? || matches!(reader.next, Token::Name(_)) && !starts_definition(reader) {
            of.related.push(reader.name()?);
        }
    }
    directives(reader)?;
    if shape == Shape::Union {
        if reader.take("=")? {
            reader.take("|")?;
            of.related.push(reader.name()?);
            while reader.take("|")? {
                of.related.push(reader.name()?);
            }
        }
        return Ok(of);
    }
    if shape == Shape::Scalar || !reader.take("{")? {
        return Ok(of);
    }
    match shape {
        Shape::Input => of.inputs = inputs(reader, "}")?,
        Shape::Enum => {
            while !reader.take("}")? {
                description(reader)?;
                of.values.push(reader.name()?);
                directives(reader)?;
            }
        }
        _ => {
            while !reader.take("}")? {
                of.fields.push(field(reader)?);
            }
        }
    }
    Ok(of)
}

/// In old texts interfaces follow one another without `&`; what begins a definition is none of them.
fn starts_definition(reader: &Reader<'_>) -> bool {
    ["extend", "schema", "scalar", "type", "interface", "union", "enum", "input", "directive"]
        .iter()
        .any(|word| reader.is_word(word))
}

fn field(reader: &mut Reader<'_>) -> Read<FieldDef> {
    description(reader)?;
    let name = reader.name()?;
    let arguments = if reader.take("(")? { inputs(reader, ")")? } else { Vec::new() };
    reader.expect(":")?;
    let of = reader.type_ref()?;
    directives(reader)?;
    Ok(FieldDef { name, of, arguments })
}

fn inputs(reader: &mut Reader<'_>, close: &str) -> Read<Vec<InputDef>> {
    let mut out = Vec::new();
    while !reader.take(close)? {
        description(reader)?;
        let name = reader.name()?;
        reader.expect(":")?;
        let of = reader.type_ref()?;
        let has_default = reader.take("=")?;
        if has_default {
            reader.value()?;
        }
        directives(reader)?;
        out.push(InputDef { name, of, has_default });
    }
    Ok(out)
}
