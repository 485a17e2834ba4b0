//! Messages as values: `IResponse` of `send-request` in a variable and back, header dictionaries.

use crate::context::{Body, Response};
use handfast_core::message::{Fields, ResponseHead};
use handfast_expression::value::{Dictionary, Object};
use handfast_expression::{Body as BodyValue, Type, Value};
use std::sync::{Arc, Mutex, PoisonError};

/// The class of a response in a variable.
const RESPONSE: &str = "IResponse";

/// The lines of a header as a `string[]`.
pub(super) fn lines(fields: &Fields, name: &[u8]) -> Value {
    Value::strings(fields.get_all(name).map(String::from_utf8_lossy))
}

/// All headers in the order in which their names first stand.
pub(super) fn header_entries(fields: &Fields) -> Vec<(String, Value)> {
    let mut seen: Vec<&[u8]> = Vec::new();
    for (name, _) in fields.iter() {
        if !seen.iter().any(|known| known.eq_ignore_ascii_case(name)) {
            seen.push(name);
        }
    }
    seen.into_iter().map(|name| (String::from_utf8_lossy(name).into_owned(), lines(fields, name))).collect()
}

/// A response as an `IResponse` of its own, independent of the response under way.
pub(crate) fn response_value(response: &Response) -> Value {
    let mut headers = Dictionary::new(true, true);
    for (name, lines) in header_entries(&response.head.fields) {
        headers.set(Value::str(name), lines);
    }
    let headers = Object::Dictionary(Type::class("IReadOnlyDictionary"), Mutex::new(headers));
    let bytes: &[u8] = match &response.body {
        Body::Replace(bytes) => bytes,
        Body::Keep => &[],
    };
    Value::record(
        RESPONSE,
        vec![
            ("StatusCode", Value::int(response.head.status.into())),
            ("StatusReason", Value::str(&response.head.reason)),
            ("Headers", Value::Object(Arc::new(headers))),
            ("Body", Value::Object(Arc::new(Object::Body(BodyValue::Stored(bytes.into()))))),
        ],
    )
}

/// The response that such a value holds.
pub(crate) fn response_of(value: &Value) -> Option<Response> {
    let Value::Object(object) = value else { return None };
    let Object::Record(class, fields) = &**object else { return None };
    if *class != Type::class(RESPONSE) {
        return None;
    }
    let field = |name: &str| fields.iter().find(|(known, _)| *known == name).map(|(_, value)| value);
    let mut head =
        ResponseHead::new(field("StatusCode")?.as_int().and_then(|code| u16::try_from(code).ok())?);
    head.reason = field("StatusReason")?.to_text().into();
    if let Some(Value::Object(headers)) = field("Headers")
        && let Object::Dictionary(_, headers) = &**headers
    {
        let headers = headers.lock().unwrap_or_else(PoisonError::into_inner);
        for (name, lines) in &headers.entries {
            for line in strings(lines) {
                let _ = head.fields.append(name.to_text().as_bytes(), line.as_bytes());
            }
        }
    }
    let body = match field("Body") {
        Some(Value::Object(body)) => match &**body {
            Object::Body(BodyValue::Stored(bytes)) => bytes::Bytes::copy_from_slice(bytes),
            _ => bytes::Bytes::new(),
        },
        _ => bytes::Bytes::new(),
    };
    Some(Response { head, body: Body::Replace(body) })
}

/// The items of a `string[]`.
fn strings(value: &Value) -> Vec<Arc<str>> {
    let Value::Object(object) = value else { return Vec::new() };
    let Object::Array(_, items) = &**object else { return Vec::new() };
    let items = items.lock().unwrap_or_else(PoisonError::into_inner);
    items.iter().map(|item| item.to_text().into()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_in_a_variable_comes_back_as_it_was() {
        let mut head = ResponseHead::new(418);
        head.reason = "Teapot".into();
        for (name, value) in [("Set-Cookie", "a=1"), ("X", "y"), ("set-cookie", "b=2")] {
            head.fields.append(name.as_bytes(), value.as_bytes()).expect("a header");
        }
        let response = Response { head, body: Body::Replace(bytes::Bytes::from_static(b"tea")) };
        let back = response_of(&response_value(&response)).expect("a response");
        assert_eq!((back.head.status, &*back.head.reason), (418, "Teapot"));
        let cookies: Vec<&[u8]> = back.head.fields.get_all(b"Set-Cookie").collect();
        assert_eq!(cookies, [b"a=1", b"b=2"]);
        assert_eq!(back.body, response.body);
        assert!(response_of(&Value::str("no response")).is_none());
    }
}
