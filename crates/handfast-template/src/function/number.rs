//! Numbers, logic and comparison (§10.3).

use super::{ANY, FunctionEntry, bool_of, eager, int_at, lazy, wrong};
use crate::evaluate::Environment;
use crate::expression::Expression;
use crate::fault::{Evaluated, fault};
use crate::parameter::describe;
use serde_json::{Number, Value};
use std::cmp::Ordering;

pub(super) const TABLE: &[FunctionEntry] = &[
    eager("add", 2, 2, |_, a| arithmetic(&a, i64::checked_add)),
    eager("sub", 2, 2, |_, a| arithmetic(&a, i64::checked_sub)),
    eager("mul", 2, 2, |_, a| arithmetic(&a, i64::checked_mul)),
    eager("div", 2, 2, |_, a| arithmetic(&a, i64::checked_div)),
    eager("mod", 2, 2, |_, a| arithmetic(&a, i64::checked_rem)),
    eager("int", 1, 1, int),
    eager("float", 1, 1, float),
    eager("min", 1, ANY, |_, a| extreme(&a, false)),
    eager("max", 1, ANY, |_, a| extreme(&a, true)),
    lazy("if", 3, 3, |environment, a| match a {
        [condition, yes, no] => {
            environment.term(if bool_of(&environment.term(condition)?)? { yes } else { no })
        }
        _ => fault("three arguments are needed"),
    }),
    lazy("and", 2, ANY, |environment, a| all(environment, a, true)),
    lazy("or", 2, ANY, |environment, a| all(environment, a, false)),
    lazy("coalesce", 1, ANY, coalesce),
    eager("not", 1, 1, |_, a| Ok(Value::Bool(!bool_of(a.first().unwrap_or(&Value::Null))?))),
    eager("bool", 1, 1, boolean),
    eager("true", 0, 0, |_, _| Ok(Value::Bool(true))),
    eager("false", 0, 0, |_, _| Ok(Value::Bool(false))),
    eager("null", 0, 0, |_, _| Ok(Value::Null)),
    eager("equals", 2, 2, |_, a| Ok(Value::Bool(a.first() == a.get(1)))),
    eager("less", 2, 2, |_, a| compare(&a, Ordering::is_lt)),
    eager("lessOrEquals", 2, 2, |_, a| compare(&a, Ordering::is_le)),
    eager("greater", 2, 2, |_, a| compare(&a, Ordering::is_gt)),
    eager("greaterOrEquals", 2, 2, |_, a| compare(&a, Ordering::is_ge)),
];

fn arithmetic(a: &[Value], operation: fn(i64, i64) -> Option<i64>) -> Evaluated<Value> {
    match operation(int_at(a, 0)?, int_at(a, 1)?) {
        Some(number) => Ok(number.into()),
        None => fault("the result is not a 64-bit number"),
    }
}

fn int(_: &Environment<'_>, a: Vec<Value>) -> Evaluated<Value> {
    let number = match a.first() {
        Some(Value::String(text)) => text.trim().parse().ok(),
        Some(Value::Number(number)) => number.as_i64().or_else(|| number.as_f64().map(|f| f as i64)),
        other => return wrong(0, other, "a number or a decimal string"),
    };
    number.map(Value::from).map_or_else(|| fault("the text is not a whole decimal number"), Ok)
}

fn float(_: &Environment<'_>, a: Vec<Value>) -> Evaluated<Value> {
    let number = match a.first() {
        Some(Value::String(text)) => text.trim().parse().ok(),
        Some(Value::Number(number)) => number.as_f64(),
        other => return wrong(0, other, "a number or a decimal string"),
    };
    number
        .and_then(Number::from_f64)
        .map_or_else(|| fault("the text is not a number"), |n| Ok(Value::Number(n)))
}

fn extreme(a: &[Value], greatest: bool) -> Evaluated<Value> {
    let items = match a {
        [Value::Array(items)] => items.as_slice(),
        other => other,
    };
    let numbers = items.iter().enumerate().map(|(index, _)| int_at(items, index));
    let numbers = numbers.collect::<Evaluated<Vec<i64>>>()?;
    let found = if greatest { numbers.iter().max() } else { numbers.iter().min() };
    found.map_or_else(|| fault("at least one number is needed"), |number| Ok((*number).into()))
}

/// `and` looks for the first `false`, `or` for the first `true`; what follows is not evaluated.
fn all(environment: &Environment<'_>, arguments: &[Expression], goes_on: bool) -> Evaluated<Value> {
    for argument in arguments {
        if bool_of(&environment.term(argument)?)? != goes_on {
            return Ok(Value::Bool(!goes_on));
        }
    }
    Ok(Value::Bool(goes_on))
}

fn coalesce(environment: &Environment<'_>, arguments: &[Expression]) -> Evaluated<Value> {
    for argument in arguments {
        let value = environment.term(argument)?;
        if !value.is_null() {
            return Ok(value);
        }
    }
    Ok(Value::Null)
}

fn boolean(_: &Environment<'_>, a: Vec<Value>) -> Evaluated<Value> {
    let flag = match a.first() {
        Some(Value::Bool(flag)) => Some(*flag),
        Some(Value::Number(number)) => number.as_i64().map(|number| number != 0),
        Some(Value::String(text)) if text.eq_ignore_ascii_case("true") => Some(true),
        Some(Value::String(text)) if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    };
    flag.map_or_else(
        || wrong(0, a.first(), "a boolean, a number, \"true\" or \"false\""),
        |flag| Ok(flag.into()),
    )
}

fn compare(a: &[Value], holds: fn(Ordering) -> bool) -> Evaluated<Value> {
    let ordering = match (a.first(), a.get(1)) {
        (Some(Value::Number(_)), Some(Value::Number(_))) => int_at(a, 0)?.cmp(&int_at(a, 1)?),
        (Some(Value::String(a)), Some(Value::String(b))) => a.encode_utf16().cmp(b.encode_utf16()),
        (a, b) => {
            let name = |value: Option<&Value>| value.map_or("nothing", describe);
            return fault(format!(
                "two numbers or two strings are needed, {} and {} were given",
                name(a),
                name(b)
            ));
        }
    };
    Ok(Value::Bool(holds(ordering)))
}
