//! Objects whose properties can be set: a type and named values behind a lock.

use crate::call::Call;
use crate::fault::Fault;
use crate::types::Type;
use crate::value::{Object, Value, lock};
use std::sync::Mutex;

pub(super) fn make(of: Type, fields: Vec<(&'static str, Value)>) -> Value {
    Value::object(Object::Cell(of, Mutex::new(fields)))
}

/// A property; null when the object has none of that name.
pub(super) fn of(value: &Value, name: &str) -> Value {
    match value {
        Value::Object(object) => match &**object {
            Object::Cell(_, fields) => {
                lock(fields).iter().find(|field| field.0 == name).map_or(Value::Null, |field| field.1.clone())
            }
            _ => Value::Null,
        },
        _ => Value::Null,
    }
}

/// Sets a property that the object has.
pub(super) fn put(value: &Value, name: &str, new: Value) {
    if let Value::Object(object) = value
        && let Object::Cell(_, fields) = &**object
        && let Some(field) = lock(fields).iter_mut().find(|field| field.0 == name)
    {
        field.1 = new;
    }
}

/// Evaluates a property by its own name.
pub(super) fn get(call: &mut Call<'_>) -> Result<Value, Fault> {
    Ok(of(call.arg(0), &call.member.name))
}

/// Evaluates the setter of a property by its own name.
pub(super) fn set(call: &mut Call<'_>) -> Result<Value, Fault> {
    put(call.arg(0), &call.member.name, call.arg(1).clone());
    Ok(call.arg(1).clone())
}

/// Evaluates members that have nothing to do, such as `Dispose`.
pub(super) fn nothing(_: &mut Call<'_>) -> Result<Value, Fault> {
    Ok(Value::Null)
}
