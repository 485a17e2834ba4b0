//! What an evaluator of the surface sees: its arguments, the host, and the budget of memory.

use crate::context::ContextView;
use crate::fault::{Fault, argument_null, null_reference, throw};
use crate::surface::Member;
use crate::types::Type;
use crate::value::{Object, Value, lock};
use std::sync::Arc;

/// One call of a member.
pub(crate) struct Call<'a> {
    pub(crate) member: &'static Member,
    pub(crate) args: &'a mut [Value],
    /// Type arguments: of the receiver's type, then of the method.
    pub(crate) types: &'a [Type],
    pub(crate) host: &'a mut dyn ContextView,
    /// Bytes that may still be allocated.
    pub(crate) memory: &'a mut usize,
    /// Steps that may still be made.
    pub(crate) steps: &'a mut u64,
}

impl Call<'_> {
    /// Accounts for bytes about to be allocated.
    pub(crate) fn allocate(&mut self, bytes: usize) -> Result<(), Fault> {
        *self.memory = self.memory.checked_sub(bytes).ok_or(Fault::Budget)?;
        Ok(())
    }

    pub(crate) fn count(&self) -> usize {
        self.args.len()
    }

    pub(crate) fn arg(&self, index: usize) -> &Value {
        self.args.get(index).unwrap_or(&Value::Null)
    }

    pub(crate) fn set(&mut self, index: usize, value: Value) {
        if let Some(place) = self.args.get_mut(index) {
            *place = value;
        }
    }

    /// What a null argument means.
    pub(crate) fn missing(&self, index: usize) -> Fault {
        let instance = !self.member.is_static && index == 0;
        if instance {
            return null_reference();
        }
        let position = index.saturating_sub(usize::from(!self.member.is_static));
        argument_null(self.member.params.get(position).map_or("value", |param| param.name.as_str()))
    }

    /// A string argument.
    pub(crate) fn text(&self, index: usize) -> Result<Arc<str>, Fault> {
        match self.arg(index) {
            Value::Str(text) => Ok(text.clone()),
            Value::Null => Err(self.missing(index)),
            other => Ok(Arc::from(other.to_text())),
        }
    }

    /// An integer argument.
    pub(crate) fn int(&self, index: usize) -> Result<i64, Fault> {
        self.arg(index)
            .integer()
            .and_then(|number| i64::try_from(number).ok())
            .ok_or_else(|| self.missing(index))
    }

    pub(crate) fn truth(&self, index: usize) -> bool {
        matches!(self.arg(index), Value::Bool(true))
    }

    pub(crate) fn double(&self, index: usize) -> Result<f64, Fault> {
        crate::arith::to_double(self.arg(index)).ok_or_else(|| self.missing(index))
    }

    pub(crate) fn bytes(&self, index: usize) -> Result<Vec<u8>, Fault> {
        let value = self.arg(index);
        match value {
            Value::Null => Err(self.missing(index)),
            _ => value
                .as_bytes()
                .ok_or_else(|| throw("ArgumentException", "Object must be an array of bytes.")),
        }
    }

    /// The object behind an argument.
    pub(crate) fn object(&self, index: usize) -> Result<Arc<Object>, Fault> {
        match self.arg(index) {
            Value::Object(object) => Ok(object.clone()),
            _ => Err(self.missing(index)),
        }
    }

    /// All items of an argument that can be enumerated.
    pub(crate) fn items(&mut self, index: usize) -> Result<Vec<Value>, Fault> {
        let value = self.arg(index).clone();
        let items = self.items_of(&value)?.ok_or_else(|| self.missing(index))?;
        self.allocate(items.len().saturating_mul(size_of::<Value>()))?;
        Ok(items)
    }

    /// Makes sure that every query inside a value has been enumerated, for those who take values apart.
    pub(crate) fn deep(&mut self, value: &Value, depth: usize) -> Result<(), Fault> {
        let Value::Object(object) = value else { return Ok(()) };
        if depth > 64 {
            return Err(Fault::Budget);
        }
        match &**object {
            Object::Deferred(query) => match lock(&query.items).clone() {
                None => Err(Fault::Force(value.clone())),
                Some(items) => items.iter().try_for_each(|item| self.deep(item, depth + 1)),
            },
            Object::Anonymous(fields) => fields.iter().try_for_each(|field| self.deep(&field.1, depth + 1)),
            Object::Record(_, fields) => fields.iter().try_for_each(|field| self.deep(&field.1, depth + 1)),
            Object::Array(..) | Object::List(..) | Object::Dictionary(..) => {
                enumerate(object).unwrap_or_default().iter().try_for_each(|item| self.deep(item, depth + 1))
            }
            _ => Ok(()),
        }
    }

    /// The items of a value; `None` when it has none to enumerate.
    pub(crate) fn items_of(&mut self, value: &Value) -> Result<Option<Vec<Value>>, Fault> {
        Ok(match value {
            Value::Str(text) => Some(text.encode_utf16().map(Value::Char).collect()),
            Value::Json(token) => Some(token.enumerate()?),
            Value::Object(object) => match &**object {
                Object::Lookup(lookup) => {
                    let entries = self.host.entries(*lookup);
                    Some(
                        entries.into_iter().map(|(key, value)| Value::pair(Value::str(key), value)).collect(),
                    )
                }
                Object::Deferred(query) => match lock(&query.items).clone() {
                    Some(items) => Some(items),
                    None => return Err(Fault::Force(value.clone())),
                },
                other => enumerate(other),
            },
            _ => None,
        })
    }
}

/// The items of a collection.
pub(crate) fn enumerate(object: &Object) -> Option<Vec<Value>> {
    match object {
        Object::Array(_, items) | Object::List(_, items) => Some(lock(items).clone()),
        Object::Bytes(bytes) => Some(
            lock(bytes).iter().map(|byte| Value::Int(crate::types::Prim::Byte, (*byte).into())).collect(),
        ),
        Object::Dictionary(_, map) => Some(
            lock(map).entries.iter().map(|(key, value)| Value::pair(key.clone(), value.clone())).collect(),
        ),
        Object::Deferred(query) => lock(&query.items).clone(),
        Object::Set(_, map) => Some(lock(map).entries.iter().map(|(key, _)| key.clone()).collect()),
        Object::Record(of, fields) if of.is("IGrouping") => {
            let items = fields.iter().find(|field| field.0 == "Items")?;
            match &items.1 {
                Value::Object(object) => enumerate(object),
                _ => None,
            }
        }
        _ => None,
    }
}
