//! Reading a document with types. A [`View`] is a place in a document; reading through it never fails and
//! never panics: a value of the wrong type is reported to the shared [`Report`], with resource and JSON
//! path, and reads as absent. So a compiler goes on and finds everything that is wrong in one pass.
//!
//! Member names are found without regard to case if there is no exact match; enum words always are.
//!
//! ```
//! use handfast_model::{Report, Resource, ResourceId, View};
//! # let id = ResourceId::parse("/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/applicationGateways/e").unwrap();
//! # let document = serde_json::json!({ "properties": { "httpListeners": [
//! #     { "name": "web", "properties": { "protocol": "HTTPS", "hostName": 7,
//! #       "frontendPort": { "id": format!("{id}/frontendPorts/p443") } } }] } });
//! # let resource = Resource::new(id, "2024-05-01", document);
//! #[derive(Clone, Copy, Debug, PartialEq)]
//! enum Protocol { Http, Https }
//!
//! let report = Report::of(&resource);
//! let properties = View::of(&resource, &report).field("properties");
//! for listener in properties.array("httpListeners") {
//!     let name = listener.require_str("name");
//!     let listener = listener.field("properties");
//!     let protocol = listener.one_of("protocol", &[("Http", Protocol::Http), ("Https", Protocol::Https)]);
//!     let port = listener.id_ref("frontendPort");
//!     let host = listener.str("hostName"); // a number: reported, reads as absent
//!     assert_eq!((name, protocol, host), (Some("web"), Some(Protocol::Https), None));
//!     assert_eq!(port.unwrap().name(), "p443");
//! }
//! let diagnostics = report.into_diagnostics();
//! assert_eq!(diagnostics.len(), 1);
//! assert_eq!(diagnostics[0].place.as_ref().unwrap().to_string(), "properties.httpListeners[0].properties.hostName");
//! ```

use crate::id::ResourceId;
use crate::pattern::{join, member};
use crate::resource::Resource;
use crate::secret::{SecretRef, placeholder};
use handfast_core::{Diagnostic, Place};
use serde_json::Value;
use std::cell::RefCell;
use std::ops::RangeInclusive;

/// Collects what views find wrong with one resource.
#[derive(Debug)]
pub struct Report {
    resource: String,
    diagnostics: RefCell<Vec<Diagnostic>>,
}

impl Report {
    /// An empty report about a resource.
    pub fn of(resource: &Resource) -> Self {
        Self::about(resource.id.as_str())
    }

    /// An empty report about a resource id.
    pub fn about(resource: impl Into<String>) -> Self {
        Self { resource: resource.into(), diagnostics: RefCell::default() }
    }

    /// Adds a diagnostic; it gets the resource's id if it names none.
    pub fn add(&self, mut diagnostic: Diagnostic) {
        diagnostic.resource.get_or_insert_with(|| self.resource.clone());
        self.diagnostics.borrow_mut().push(diagnostic);
    }

    /// Whether an error was reported.
    pub fn has_errors(&self) -> bool {
        self.diagnostics.borrow().iter().any(Diagnostic::is_error)
    }

    /// The number of diagnostics so far: remember it to see whether a part added any.
    pub fn len(&self) -> usize {
        self.diagnostics.borrow().len()
    }

    /// Whether nothing was reported.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Everything reported, in order.
    pub fn into_diagnostics(self) -> Vec<Diagnostic> {
        self.diagnostics.into_inner()
    }
}

/// A place in a document, which may be absent.
#[derive(Clone, Debug)]
pub struct View<'a> {
    value: &'a Value,
    path: String,
    report: &'a Report,
    owner: Option<&'a Resource>,
}

impl<'a> View<'a> {
    /// The root of a resource's document.
    pub fn of(resource: &'a Resource, report: &'a Report) -> Self {
        Self { value: &resource.document, path: String::new(), report, owner: Some(resource) }
    }

    /// A value that belongs to no resource, at a given path.
    pub fn over(value: &'a Value, path: impl Into<String>, report: &'a Report) -> Self {
        Self { value, path: path.into(), report, owner: None }
    }

    /// The value itself; `null` if absent.
    pub fn value(&self) -> &'a Value {
        self.value
    }

    /// Path from the document root, such as `properties.httpListeners[0].name`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Whether there is a value other than `null`.
    pub fn exists(&self) -> bool {
        !self.value.is_null()
    }

    /// Whether the member exists and is not `null`.
    pub fn has(&self, name: &str) -> bool {
        self.at(name).exists()
    }

    fn at(&self, name: &str) -> View<'a> {
        let value = member(self.value, name).map_or(&Value::Null, |(_, value)| value);
        View { value, path: join(&self.path, name), report: self.report, owner: self.owner }
    }

    /// A member that should be an object; an absent view if it is not there.
    pub fn field(&self, name: &str) -> View<'a> {
        let mut inner = self.at(name);
        if inner.exists() && !inner.value.is_object() {
            inner.wrong_type("an object");
            inner.value = &Value::Null;
        }
        inner
    }

    /// A member of any type.
    pub fn any(&self, name: &str) -> View<'a> {
        self.at(name)
    }

    /// The elements of a member that should be an array; empty if it is not there.
    pub fn array(&self, name: &str) -> Vec<View<'a>> {
        let inner = self.at(name);
        let Some(items) = inner.read("an array", Value::as_array) else { return Vec::new() };
        let element = |(index, value)| View {
            value,
            path: format!("{}[{index}]", inner.path),
            report: self.report,
            owner: self.owner,
        };
        items.iter().enumerate().map(element).collect()
    }

    /// The members of this object, with their names, in document order.
    pub fn members(&self) -> Vec<(&'a str, View<'a>)> {
        let inner = |(name, value): (&'a String, &'a Value)| {
            let path = join(&self.path, name);
            (name.as_str(), View { value, path, report: self.report, owner: self.owner })
        };
        self.value.as_object().into_iter().flatten().map(inner).collect()
    }

    /// A text member.
    pub fn str(&self, name: &str) -> Option<&'a str> {
        self.at(name).as_str()
    }

    /// A text member that must be there and not empty.
    pub fn require_str(&self, name: &str) -> Option<&'a str> {
        let text = self.required(name)?.as_str()?;
        if text.is_empty() {
            self.at(name).missing();
            return None;
        }
        Some(text)
    }

    /// The text elements of an array member.
    pub fn strings(&self, name: &str) -> Vec<&'a str> {
        self.array(name).iter().filter_map(View::as_str).collect()
    }

    /// A boolean member; the words `true` and `false` are accepted as texts too.
    pub fn bool(&self, name: &str) -> Option<bool> {
        let word = |value: &Value| match value {
            Value::Bool(flag) => Some(*flag),
            Value::String(text) if text.eq_ignore_ascii_case("true") => Some(true),
            Value::String(text) if text.eq_ignore_ascii_case("false") => Some(false),
            _ => None,
        };
        self.at(name).read("true or false", word)
    }

    /// A boolean member with a default.
    pub fn bool_or(&self, name: &str, default: bool) -> bool {
        self.bool(name).unwrap_or(default)
    }

    /// A whole-number member; a decimal text is accepted too.
    pub fn integer(&self, name: &str) -> Option<i64> {
        let whole = |value: &Value| value.as_i64().or_else(|| value.as_str()?.trim().parse().ok());
        self.at(name).read("a whole number", whole)
    }

    /// A whole-number member within limits; outside of them it is reported and reads as absent.
    pub fn integer_in<T: TryFrom<i64>>(&self, name: &str, range: RangeInclusive<i64>) -> Option<T> {
        let found = self.integer(name)?;
        match T::try_from(found) {
            Ok(value) if range.contains(&found) => Some(value),
            _ => {
                let (low, high) = (range.start(), range.end());
                let message = format!("\"{name}\" is {found}; {low} to {high} would be accepted");
                self.at(name).error("InvalidProperty", message);
                None
            }
        }
    }

    /// A word out of a list, without regard to case.
    pub fn one_of<T: Clone>(&self, name: &str, accepted: &[(&str, T)]) -> Option<T> {
        let inner = self.at(name);
        let found = inner.as_str()?;
        let hit = accepted.iter().find(|(word, _)| word.eq_ignore_ascii_case(found));
        if hit.is_none() {
            let words: Vec<String> = accepted.iter().map(|(word, _)| format!("\"{word}\"")).collect();
            let message = format!("\"{name}\" is \"{found}\"; {} would be accepted", words.join(", "));
            inner.error("InvalidEnumValue", message);
        }
        hit.map(|(_, value)| value.clone())
    }

    /// A reference `{"id": "…"}`.
    pub fn id_ref(&self, name: &str) -> Option<ResourceId> {
        self.field(name).id("id")
    }

    /// A reference `{"id": "…"}` that must be there.
    pub fn require_id_ref(&self, name: &str) -> Option<ResourceId> {
        self.required(name)?;
        let inner = self.field(name);
        inner.required("id")?;
        inner.id("id")
    }

    /// The references of an array of `{"id": "…"}`.
    pub fn id_refs(&self, name: &str) -> Vec<ResourceId> {
        self.array(name).iter().filter_map(|item| item.id("id")).collect()
    }

    /// A member that is an id itself, such as `subnetResourceId`.
    pub fn id(&self, name: &str) -> Option<ResourceId> {
        let inner = self.at(name);
        match ResourceId::parse(inner.as_str()?) {
            Ok(id) => Some(id),
            Err(error) => {
                inner.error(error.code(), error.to_string());
                None
            }
        }
    }

    /// The write-only value that stood at a member when the document was PUT.
    pub fn secret(&self, name: &str) -> Option<SecretRef> {
        let owner = self.owner?;
        placeholder(self.at(name).value).filter(|found| found.belongs_to(&owner.id))
    }

    /// The member, reported if it is absent.
    pub fn required(&self, name: &str) -> Option<View<'a>> {
        let inner = self.at(name);
        if !inner.exists() {
            inner.missing();
            return None;
        }
        Some(inner)
    }

    /// This value as text.
    pub fn as_str(&self) -> Option<&'a str> {
        self.read("a string", Value::as_str)
    }

    /// Reports an error at this place.
    pub fn error(&self, code: &'static str, message: impl Into<String>) {
        self.report.add(Diagnostic::error(code, message).at(Place::json(self.path.clone())));
    }

    /// Reports a warning at this place.
    pub fn warning(&self, code: &'static str, message: impl Into<String>) {
        self.report.add(Diagnostic::warning(code, message).at(Place::json(self.path.clone())));
    }

    fn read<T>(&self, wanted: &str, read: impl FnOnce(&'a Value) -> Option<T>) -> Option<T> {
        if !self.exists() {
            return None;
        }
        let found = read(self.value);
        if found.is_none() {
            self.wrong_type(wanted);
        }
        found
    }

    fn wrong_type(&self, wanted: &str) {
        let found = match self.value {
            Value::Null => "null",
            Value::Bool(_) => "a boolean",
            Value::Number(_) => "a number",
            Value::String(_) => "a string",
            Value::Array(_) => "an array",
            Value::Object(_) => "an object",
        };
        self.error("InvalidPropertyType", format!("\"{}\" is {found}; {wanted} is needed", self.last()));
    }

    fn missing(&self) {
        self.error("MissingProperty", format!("\"{}\" is missing", self.last()));
    }

    fn last(&self) -> &str {
        self.path.rsplit('.').next().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(document: Value, read: impl Fn(&View<'_>), expect: &[&str]) {
        let report = Report::about("/r");
        read(&View::over(&document, "properties", &report));
        let found: Vec<String> = report
            .into_diagnostics()
            .iter()
            .map(|d| {
                let place = d.place.as_ref().map(ToString::to_string).unwrap_or_default();
                format!("{place}: {}", d.message)
            })
            .collect();
        assert_eq!(found, expect);
    }

    #[test]
    fn an_unknown_word_is_reported_with_the_accepted_ones() {
        let words = [("Http", 1), ("Https", 2)];
        check(
            json!({ "Protocol": "https", "mode": "tcp" }),
            |view| {
                assert_eq!(view.one_of("protocol", &words), Some(2));
                assert_eq!(view.one_of("mode", &words), None);
                assert_eq!(view.one_of("absent", &words), None);
            },
            &["properties.mode: \"mode\" is \"tcp\"; \"Http\", \"Https\" would be accepted"],
        );
    }

    #[test]
    fn numbers_outside_their_limits_are_reported() {
        check(
            json!({ "port": 70000, "text": "443" }),
            |view| {
                assert_eq!(view.integer_in::<u16>("port", 1..=65535), None);
                assert_eq!(view.integer_in::<u16>("text", 1..=65535), Some(443));
            },
            &["properties.port: \"port\" is 70000; 1 to 65535 would be accepted"],
        );
    }

    #[test]
    fn absent_objects_read_as_absent_all_the_way_down() {
        check(json!({}), |view| assert_eq!(view.field("a").field("b").str("c"), None), &[]);
        check(
            json!({ "list": [1, "x"], "a": [] }),
            |view| {
                assert_eq!(view.strings("list"), ["x"]);
                assert!(!view.field("a").exists());
                view.require_str("name");
                view.require_id_ref("probe");
            },
            &[
                "properties.list[0]: \"list[0]\" is a number; a string is needed",
                "properties.a: \"a\" is an array; an object is needed",
                "properties.name: \"name\" is missing",
                "properties.probe: \"probe\" is missing",
            ],
        );
    }
}
