//! Operators and conversions on values.

use crate::fault::{Fault, overflow, throw};
use crate::tree::{Conversion, Operands};
use crate::types::{Prim, Type};
use crate::value::{Date, Object, Value};
use rust_decimal::Decimal;
use rust_decimal::prelude::{FromPrimitive, ToPrimitive};
use std::cmp::Ordering;
use std::sync::Arc;

/// The value of `default(T)`.
pub(crate) fn default_of(of: &Type) -> Value {
    match of {
        Type::Prim(Prim::Bool) => Value::Bool(false),
        Type::Prim(Prim::Char) => Value::Char(0),
        Type::Prim(Prim::Single) => Value::Single(0.0),
        Type::Prim(Prim::Double) => Value::Double(0.0),
        Type::Prim(Prim::Decimal) => Value::Decimal(Decimal::ZERO),
        Type::Prim(prim) => Value::Int(*prim, 0),
        Type::Enum(def) => Value::Enum(def, 0),
        Type::Class("DateTime", _) => Value::Date(Date { ticks: 0, kind: 0 }),
        Type::Class("DateTimeOffset", _) => Value::Offset(0, 0),
        Type::Class("TimeSpan", _) => Value::Span(0),
        Type::Class("Guid", _) => Value::Guid(0),
        Type::Class("KeyValuePair", _) => Value::pair(Value::Null, Value::Null),
        _ => Value::Null,
    }
}

pub(crate) fn to_double(value: &Value) -> Option<f64> {
    match value {
        Value::Single(number) => Some(f64::from(*number)),
        Value::Double(number) => Some(*number),
        Value::Decimal(number) => number.to_f64(),
        other => other.integer().map(|number| number as f64),
    }
}

pub(crate) fn to_decimal(value: &Value) -> Option<Decimal> {
    match value {
        Value::Decimal(number) => Some(*number),
        Value::Single(number) => Decimal::from_f32(*number),
        Value::Double(number) => Decimal::from_f64(*number),
        other => other.integer().and_then(Decimal::from_i128),
    }
}

/// An integer of a type; `checked` refuses what does not fit, else it wraps.
pub(crate) fn integer(prim: Prim, number: i128, checked: bool) -> Result<Value, Fault> {
    let (low, high) = prim.range();
    if checked && !(low..=high).contains(&number) {
        return Err(throw("OverflowException", "Arithmetic operation resulted in an overflow."));
    }
    Ok(match prim {
        Prim::Char => Value::Char(number as u16),
        Prim::SByte => Value::Int(prim, (number as i8).into()),
        Prim::Byte => Value::Int(prim, (number as u8).into()),
        Prim::Short => Value::Int(prim, (number as i16).into()),
        Prim::UShort => Value::Int(prim, (number as u16).into()),
        Prim::Int => Value::Int(prim, (number as i32).into()),
        Prim::UInt => Value::Int(prim, (number as u32).into()),
        _ => Value::Int(prim, number as i64),
    })
}

/// A numeric conversion; null stays null.
pub(crate) fn to_prim(value: &Value, prim: Prim, checked: bool) -> Result<Value, Fault> {
    let wide = || throw("OverflowException", "Arithmetic operation resulted in an overflow.");
    Ok(match (prim, value) {
        (_, Value::Null) => Value::Null,
        (Prim::Bool, other) => other.clone(),
        (Prim::Double, other) => Value::Double(to_double(other).unwrap_or(0.0)),
        (Prim::Single, other) => Value::Single(to_double(other).unwrap_or(0.0) as f32),
        (Prim::Decimal, other) => Value::Decimal(to_decimal(other).ok_or_else(|| overflow(Prim::Decimal))?),
        (_, Value::Decimal(number)) => {
            integer(prim, number.trunc().to_i128().ok_or_else(wide)?, true).map_err(|_| overflow(prim))?
        }
        (_, Value::Single(_) | Value::Double(_)) => {
            let number = to_double(value).unwrap_or(0.0).trunc();
            let (low, high) = prim.range();
            let fits = number >= low as f64 && number <= high as f64;
            if !fits && checked {
                return Err(wide());
            }
            if fits {
                integer(prim, number as i128, false)?
            } else {
                integer(prim, if prim == Prim::Int { i32::MIN.into() } else { i64::MIN.into() }, false)?
            }
        }
        (_, other) => integer(prim, other.integer().unwrap_or(0), checked)?,
    })
}

/// Applies a conversion.
pub(crate) fn convert(value: Value, conversion: &Conversion, checked: bool) -> Result<Value, Fault> {
    match conversion {
        Conversion::Numeric(prim) => to_prim(&value, *prim, checked),
        Conversion::Enum(def) => Ok(match value.integer() {
            Some(number) => Value::Enum(def, number as i64),
            None => Value::Null,
        }),
        Conversion::Unwrap if value.is_null() => {
            Err(throw("InvalidOperationException", "Nullable object must have a value."))
        }
        Conversion::Unwrap => Ok(value),
        Conversion::Test(of) => {
            if value.is_null() {
                return if of.is_value() { Err(crate::fault::null_reference()) } else { Ok(value) };
            }
            if is_instance(&value, of) {
                return Ok(value);
            }
            let text = format!(
                "Unable to cast object of type '{}' to type '{}'.",
                value.type_of().clr(),
                of.stripped().clr()
            );
            Err(throw("InvalidCastException", text))
        }
        Conversion::ToToken if value.is_null() => Ok(value),
        Conversion::ToToken => Ok(Value::Json(crate::json::from_value(&value))),
        Conversion::FromToken(of) => crate::json::to_type(&value, of, true),
        Conversion::XmlName(class) => crate::library::xml::named_from(&value, class),
        Conversion::FromXml(of) => crate::library::xml::to_type(&value, of),
        Conversion::DateToOffset => Ok(match value {
            Value::Date(date) => Value::Offset(date.ticks, 0),
            other => other,
        }),
    }
}

/// Whether a value that is not null is of a type.
pub(crate) fn is_instance(value: &Value, of: &Type) -> bool {
    let of = of.stripped();
    let exact = value.type_of();
    if value.is_null() || *of == Type::Object || exact == *of {
        return !value.is_null();
    }
    match (of, &exact) {
        (Type::Class(wanted, _), _) if crate::surface::as_base(&exact, wanted).is_some() => true,
        (
            Type::Class("IEnumerable" | "IList" | "ICollection" | "IReadOnlyCollection" | "IReadOnlyList", _),
            Type::Class(..),
        ) => {
            matches!(value, Value::Object(object) if crate::call::enumerate(object).is_some())
        }
        (Type::Array(a), Type::Array(b)) => {
            !a.is_value() && !b.is_value() && (**a == Type::Object || is_base(b, a))
        }
        (Type::Func(..), Type::Class("Delegate", _)) => true,
        _ => false,
    }
}

fn is_base(of: &Type, base: &Type) -> bool {
    matches!(base, Type::Class(name, _) if crate::surface::as_base(of, name).is_some())
}

pub(crate) fn unary(op: &str, value: &Value, checked: bool) -> Result<Value, Fault> {
    Ok(match (op, value) {
        (_, Value::Null) => Value::Null,
        ("!", Value::Bool(truth)) => Value::Bool(!truth),
        ("+", other) => other.clone(),
        ("-", Value::Double(number)) => Value::Double(-number),
        ("-", Value::Single(number)) => Value::Single(-number),
        // No sign of a decimal zero is ever shown.
        ("-", Value::Decimal(number)) if number.is_zero() => Value::Decimal(*number),
        ("-", Value::Decimal(number)) => Value::Decimal(-*number),
        ("-", Value::Span(ticks)) => Value::Span(ticks.wrapping_neg()),
        ("-", Value::Int(prim, _)) => integer(*prim, -value.integer().unwrap_or(0), checked)?,
        ("~", Value::Int(prim, bits)) => integer(*prim, i128::from(!bits), false)?,
        (_, other) => other.clone(),
    })
}

/// A binary operator on promoted operands.
pub(crate) fn binary(
    op: &str,
    operands: Operands,
    left: &Value,
    right: &Value,
    checked: bool,
) -> Result<Value, Fault> {
    if matches!(op, "==" | "!=") {
        let same = match operands {
            Operands::Reference => identical(left, right),
            _ => equals(left, right),
        };
        return Ok(Value::Bool(same == (op == "==")));
    }
    if let (Operands::String, "+", Value::Str(a), Value::Str(b)) = (operands, op, left, right) {
        return Ok(Value::str([&**a, &**b].concat()));
    }
    if let (Operands::String, "+") = (operands, op) {
        return Ok(Value::str(format!("{}{}", crate::text::display(left), crate::text::display(right))));
    }
    if left.is_null() || right.is_null() {
        return Ok(match (op, left, right) {
            ("<" | ">" | "<=" | ">=", ..) => Value::Bool(false),
            ("&", Value::Bool(false), _) | ("&", _, Value::Bool(false)) => Value::Bool(false),
            ("|", Value::Bool(true), _) | ("|", _, Value::Bool(true)) => Value::Bool(true),
            _ => Value::Null,
        });
    }
    if matches!(op, "<" | ">" | "<=" | ">=") {
        return Ok(Value::Bool(match (numeric_order(left, right), op) {
            (None, _) => false,
            (Some(order), "<") => order == Ordering::Less,
            (Some(order), ">") => order == Ordering::Greater,
            (Some(order), "<=") => order != Ordering::Greater,
            (Some(order), _) => order != Ordering::Less,
        }));
    }
    match operands {
        Operands::Prim(Prim::Bool) => Ok(logic(op, left, right)),
        Operands::Prim(Prim::Double) => Ok(Value::Double(real(op, to_double(left), to_double(right)))),
        Operands::Prim(Prim::Single) => {
            let (a, b) = (to_double(left).unwrap_or(0.0) as f32, to_double(right).unwrap_or(0.0) as f32);
            Ok(Value::Single(match op {
                "+" => a + b,
                "-" => a - b,
                "*" => a * b,
                "/" => a / b,
                _ => a % b,
            }))
        }
        Operands::Prim(Prim::Decimal) => decimal(op, left, right),
        Operands::Prim(prim) => integral(op, prim, left, right, checked),
        _ => own(op, left, right),
    }
}

fn logic(op: &str, left: &Value, right: &Value) -> Value {
    let (a, b) = (left.as_bool().unwrap_or(false), right.as_bool().unwrap_or(false));
    Value::Bool(match op {
        "&" => a && b,
        "|" => a || b,
        _ => a != b,
    })
}

fn real(op: &str, left: Option<f64>, right: Option<f64>) -> f64 {
    let (a, b) = (left.unwrap_or(0.0), right.unwrap_or(0.0));
    match op {
        "+" => a + b,
        "-" => a - b,
        "*" => a * b,
        "/" => a / b,
        _ => a % b,
    }
}

fn divide_by_zero() -> Fault {
    throw("DivideByZeroException", "Attempted to divide by zero.")
}

fn decimal(op: &str, left: &Value, right: &Value) -> Result<Value, Fault> {
    let (Some(a), Some(b)) = (to_decimal(left), to_decimal(right)) else {
        return Err(overflow(Prim::Decimal));
    };
    if matches!(op, "/" | "%") && b.is_zero() {
        return Err(divide_by_zero());
    }
    let result = match op {
        "+" => a.checked_add(b),
        "-" => a.checked_sub(b),
        "*" => a.checked_mul(b),
        "/" => a.checked_div(b),
        _ => a.checked_rem(b),
    };
    let mut result = result.ok_or_else(|| overflow(Prim::Decimal))?;
    // The library drops the places of an operand that is zero.
    let places = match op {
        "+" | "-" => a.scale().max(b.scale()),
        "*" => (a.scale() + b.scale()).min(Decimal::MAX_SCALE),
        "/" => a.scale().saturating_sub(b.scale()),
        _ => result.scale(),
    };
    if (a.is_zero() || b.is_zero()) && result.scale() < places {
        result.rescale(places);
    }
    if result.is_zero() {
        result.set_sign_positive(true);
    }
    Ok(Value::Decimal(result))
}

fn integral(op: &str, prim: Prim, left: &Value, right: &Value, checked: bool) -> Result<Value, Fault> {
    let (a, b) = (left.integer().unwrap_or(0), right.integer().unwrap_or(0));
    let mask = if matches!(prim, Prim::Long | Prim::ULong) { 63 } else { 31 };
    let (number, wraps) = match op {
        "+" => (a + b, !checked),
        "-" => (a - b, !checked),
        "*" => (a * b, !checked),
        "/" | "%" if b == 0 => return Err(divide_by_zero()),
        "/" => (a / b, false),
        "%" => (a % b, false),
        "&" => (a & b, true),
        "|" => (a | b, true),
        "^" => (a ^ b, true),
        "<<" => (a << (b & mask), true),
        _ => (a >> (b & mask), true),
    };
    integer(prim, number, !wraps)
}

fn own(op: &str, left: &Value, right: &Value) -> Result<Value, Fault> {
    let sum = |a: i64, b: i64| {
        let sum = if op == "+" { a.checked_add(b) } else { a.checked_sub(b) };
        sum.ok_or_else(|| {
            crate::fault::out_of_range(
                "value",
                "The added or subtracted value results in an un-representable DateTime.",
            )
        })
    };
    let date = |ticks: i64| {
        let valid = (0..=crate::library::time::TICKS_MAX).contains(&ticks);
        valid.then_some(ticks).ok_or_else(|| {
            crate::fault::out_of_range(
                "value",
                "The added or subtracted value results in an un-representable DateTime.",
            )
        })
    };
    if left.type_of().is("XNamespace") {
        return crate::library::xml::joined(left, right);
    }
    Ok(match (left, right) {
        (Value::Date(a), Value::Span(b)) => {
            Value::Date(Date { ticks: date(sum(a.ticks, *b)?)?, kind: a.kind })
        }
        (Value::Offset(a, offset), Value::Span(b)) => Value::Offset(date(sum(*a, *b)?)?, *offset),
        (Value::Date(a), Value::Date(b)) => Value::Span(a.ticks - b.ticks),
        (Value::Span(a), Value::Span(b)) => Value::Span(sum(*a, *b)?),
        (Value::Offset(..) | Value::Date(_), _) => Value::Span(instant(left) - instant(right)),
        (Value::Enum(def, a), _) => {
            let b = right.integer().unwrap_or(0) as i64;
            let number = match op {
                "&" => a & b,
                "|" => a | b,
                "^" => a ^ b,
                "+" => a.wrapping_add(b),
                _ if matches!(right, Value::Enum(..)) => return Ok(Value::Int(Prim::Int, a.wrapping_sub(b))),
                _ => a.wrapping_sub(b),
            };
            Value::Enum(def, number)
        }
        _ => Value::Null,
    })
}

/// Ticks in UTC.
pub(crate) fn instant(value: &Value) -> i64 {
    match value {
        Value::Date(date) => date.ticks,
        Value::Offset(ticks, minutes) => ticks - i64::from(*minutes) * crate::library::time::MINUTE,
        _ => 0,
    }
}

/// The order of two values of one comparable type; `None` for NaN and for what has no order.
pub(crate) fn numeric_order(left: &Value, right: &Value) -> Option<Ordering> {
    match (left, right) {
        (Value::Date(_) | Value::Offset(..), Value::Date(_) | Value::Offset(..)) => {
            Some(instant(left).cmp(&instant(right)))
        }
        (Value::Span(a), Value::Span(b)) => Some(a.cmp(b)),
        (Value::Guid(a), Value::Guid(b)) => Some(a.cmp(b)),
        (Value::Bool(a), Value::Bool(b)) => Some(a.cmp(b)),
        _ => {
            if let (Some(a), Some(b)) = (left.integer(), right.integer()) {
                return Some(a.cmp(&b));
            }
            if matches!(left, Value::Decimal(_)) || matches!(right, Value::Decimal(_)) {
                return to_decimal(left)?.partial_cmp(&to_decimal(right)?);
            }
            to_double(left)?.partial_cmp(&to_double(right)?)
        }
    }
}

/// `Comparer<T>.Default`: null first, strings by culture, tokens by value.
pub(crate) fn order(left: &Value, right: &Value) -> Ordering {
    match (left, right) {
        (Value::Null, Value::Null) => Ordering::Equal,
        (Value::Null, _) => Ordering::Less,
        (_, Value::Null) => Ordering::Greater,
        (Value::Str(a), Value::Str(b)) => crate::text::compare(a, b),
        (Value::Json(a), Value::Json(b)) => order(&a.scalar(), &b.scalar()),
        _ => numeric_order(left, right).unwrap_or(Ordering::Equal),
    }
}

/// `object.Equals`: same exact type and value; objects by identity.
pub(crate) fn equals(left: &Value, right: &Value) -> bool {
    same(left, right, 0)
}

/// Values inside values that are compared.
const COMPARED_DEPTH_MAX: usize = 256;

fn same(left: &Value, right: &Value, depth: usize) -> bool {
    let equals = |left: &Value, right: &Value| depth < COMPARED_DEPTH_MAX && same(left, right, depth + 1);
    match (left, right) {
        (Value::Null, Value::Null) => true,
        (Value::Str(a), Value::Str(b)) => a == b,
        (Value::Json(a), Value::Json(b)) => a.equals(b),
        (Value::Double(a), Value::Double(b)) => a == b,
        (Value::Single(a), Value::Single(b)) => a == b,
        (Value::Enum(..), Value::Int(..)) | (Value::Int(..), Value::Enum(..)) => {
            left.integer() == right.integer()
        }
        (Value::Object(a), Value::Object(b)) => match (&**a, &**b) {
            (Object::Anonymous(x), Object::Anonymous(y)) => {
                x.len() == y.len() && x.iter().zip(y).all(|(x, y)| x.0 == y.0 && equals(&x.1, &y.1))
            }
            (Object::Record(s, x), Object::Record(t, y))
                if s == t
                    && matches!(
                        s,
                        Type::Class("KeyValuePair" | "Tuple" | "XName" | "XNamespace" | "IPAddress", _)
                    ) =>
            {
                x.iter().zip(y).all(|(x, y)| equals(&x.1, &y.1))
            }
            (Object::Uri(a), Object::Uri(b)) => a.same(b),
            (Object::Xml(a), Object::Xml(b)) => a.same(b),
            (Object::Certificate(a), Object::Certificate(b)) => a.certificate.der() == b.certificate.der(),
            _ => Arc::ptr_eq(a, b),
        },
        (Value::Int(p, a), Value::Int(q, b)) => p == q && a == b,
        (Value::Null, _) | (_, Value::Null) => false,
        _ => {
            left.type_of() == right.type_of() && numeric_order(left, right) == Some(Ordering::Equal)
                || matches!(
                    (left, right),
                    (Value::Date(_), Value::Offset(..)) | (Value::Offset(..), Value::Date(_))
                ) && instant(left) == instant(right)
        }
    }
}

/// Identity: boxed values never are the same.
fn identical(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Null, Value::Null) => true,
        (Value::Str(a), Value::Str(b)) => Arc::ptr_eq(a, b),
        (Value::Json(a), Value::Json(b)) => a.same(b),
        (Value::Object(a), Value::Object(b)) => match (&**a, &**b) {
            (Object::Part(x), Object::Part(y)) => x == y,
            (Object::Xml(a), Object::Xml(b)) => a.same(b),
            _ => Arc::ptr_eq(a, b),
        },
        _ => false,
    }
}
