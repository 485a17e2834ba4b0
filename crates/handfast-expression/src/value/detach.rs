//! Copies of values that outlive the request they were made in: what a cache keeps.

use super::{Dictionary, Object, Value, lock};
use crate::context::Body;
use std::sync::Mutex;

/// Nesting of lists, objects and records.
const DEPTH_MAX: usize = 64;
/// What a value costs beside its own content.
const VALUE_BYTES: usize = 32;

impl Value {
    /// A copy that shares nothing with the original that can be changed, and how many bytes it holds on to,
    /// roughly. `None` for what cannot outlive its request (delegates, live parts of the context), and for
    /// values of more than `bytes_max`.
    pub fn detached(&self, bytes_max: usize) -> Option<(Self, usize)> {
        let mut left = bytes_max;
        let copy = copy(self, &mut left, 0)?;
        Some((copy, bytes_max - left))
    }
}

fn copy(value: &Value, left: &mut usize, depth: usize) -> Option<Value> {
    if depth > DEPTH_MAX {
        return None;
    }
    let mut pay = |bytes: usize| -> Option<()> {
        *left = left.checked_sub(bytes)?;
        Some(())
    };
    pay(VALUE_BYTES)?;
    let object = match value {
        Value::Str(text) => {
            pay(text.len())?;
            return Some(value.clone());
        }
        Value::Json(token) => {
            // The text is about as long as the tree is large.
            pay(token.to_json(false).len().saturating_mul(4))?;
            return Some(Value::Json(token.deep_clone()));
        }
        Value::Object(object) => object,
        _ => return Some(value.clone()),
    };
    Some(match &**object {
        Object::Array(of, items) => Value::object(Object::Array(of.clone(), list(items, left, depth)?)),
        Object::List(of, items) => Value::object(Object::List(of.clone(), list(items, left, depth)?)),
        Object::Bytes(bytes) => {
            let bytes = lock(bytes).clone();
            pay(bytes.len())?;
            Value::bytes(bytes)
        }
        Object::Dictionary(of, entries) => {
            Value::object(Object::Dictionary(of.clone(), dictionary(entries, left, depth)?))
        }
        Object::Set(of, entries) => Value::object(Object::Set(of.clone(), dictionary(entries, left, depth)?)),
        Object::Record(of, fields) => {
            let fields = fields.iter().map(|(name, value)| Some((*name, copy(value, left, depth + 1)?)));
            Value::object(Object::Record(of.clone(), fields.collect::<Option<_>>()?))
        }
        Object::Anonymous(fields) => {
            let fields =
                fields.iter().map(|(name, value)| Some((name.clone(), copy(value, left, depth + 1)?)));
            Value::object(Object::Anonymous(fields.collect::<Option<_>>()?))
        }
        Object::Body(Body::Stored(bytes)) => {
            pay(bytes.len())?;
            value.clone()
        }
        Object::Xml(node) => {
            pay(node.to_text(true).len().saturating_mul(4))?;
            Value::object(Object::Xml(node.deep_clone()))
        }
        Object::Uri(_) | Object::Certificate(_) | Object::Regex(_) | Object::Exception(_) => value.clone(),
        _ => return None,
    })
}

fn list(items: &Mutex<Vec<Value>>, left: &mut usize, depth: usize) -> Option<Mutex<Vec<Value>>> {
    let items = lock(items).clone();
    items.iter().map(|item| copy(item, left, depth + 1)).collect::<Option<_>>().map(Mutex::new)
}

fn dictionary(entries: &Mutex<Dictionary>, left: &mut usize, depth: usize) -> Option<Mutex<Dictionary>> {
    let entries = lock(entries);
    let mut fresh =
        Dictionary { grows: entries.grows, ..Dictionary::new(entries.ignore_case, entries.lenient) };
    for (key, value) in &entries.entries {
        fresh.set(copy(key, left, depth + 1)?, copy(value, left, depth + 1)?);
    }
    Some(Mutex::new(fresh))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Type;

    #[test]
    fn a_copy_does_not_see_later_changes_and_has_a_price() {
        let list = Value::list(Type::Object, vec![Value::str("a"), Value::int(1)]);
        let (kept, bytes) = list.detached(1 << 10).expect("a list");
        if let Value::Object(object) = &list
            && let Object::List(_, items) = &**object
        {
            lock(items).push(Value::str("later"));
        }
        assert!(bytes > 3 * VALUE_BYTES);
        let Value::Object(object) = &kept else { panic!("no object") };
        let Object::List(_, items) = &**object else { panic!("no list") };
        assert_eq!(lock(items).len(), 2);
        assert!(Value::str("x".repeat(100)).detached(100).is_none(), "too large");
        assert!(Value::object(Object::Part(crate::context::Part::Request)).detached(1 << 10).is_none());
    }
}
