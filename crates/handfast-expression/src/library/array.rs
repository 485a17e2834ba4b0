//! Elements of arrays, and the fields of anonymous objects.

use crate::fault::{Fault, null_reference, throw};
use crate::types::{Prim, Type};
use crate::value::{Object, Value, lock};
use std::sync::Mutex;

fn outside() -> Fault {
    throw("IndexOutOfRangeException", "Index was outside the bounds of the array.")
}

/// An array of values; bytes are kept as bytes.
pub(crate) fn make(of: &Type, items: Vec<Value>) -> Value {
    if *of == Type::Prim(Prim::Byte) {
        let bytes = items.iter().map(|item| item.integer().unwrap_or(0) as u8).collect();
        return Value::bytes(bytes);
    }
    Value::object(Object::Array(of.clone(), Mutex::new(items)))
}

pub(crate) fn get(receiver: &Value, index: &Value) -> Result<Value, Fault> {
    let Value::Object(object) = receiver else { return Err(null_reference()) };
    let at = index.integer().and_then(|number| usize::try_from(number).ok());
    match &**object {
        Object::Anonymous(fields) => {
            let name = index.as_str().unwrap_or("");
            Ok(fields.iter().find(|field| field.0 == name).map_or(Value::Null, |field| field.1.clone()))
        }
        Object::Array(_, items) => at.and_then(|at| lock(items).get(at).cloned()).ok_or_else(outside),
        Object::Bytes(bytes) => {
            let byte = at.and_then(|at| lock(bytes).get(at).copied()).ok_or_else(outside)?;
            Ok(Value::Int(Prim::Byte, byte.into()))
        }
        _ => Err(null_reference()),
    }
}

pub(crate) fn set(receiver: &Value, index: &Value, value: Value) -> Result<(), Fault> {
    let Value::Object(object) = receiver else { return Err(null_reference()) };
    let at = index.integer().and_then(|number| usize::try_from(number).ok()).ok_or_else(outside)?;
    match &**object {
        Object::Array(_, items) => *lock(items).get_mut(at).ok_or_else(outside)? = value,
        Object::Bytes(bytes) => {
            *lock(bytes).get_mut(at).ok_or_else(outside)? = value.integer().unwrap_or(0) as u8
        }
        _ => return Err(null_reference()),
    }
    Ok(())
}
