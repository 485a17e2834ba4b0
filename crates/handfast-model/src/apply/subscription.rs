//! API Management subscriptions (`spec/arm.md` §12.6): keys that are absent on create are made up, and every
//! service has the built-in all-access subscription.

use super::Context;
use crate::id::ResourceId;
use crate::kind;
use crate::pattern::member;
use crate::resource::Resource;
use handfast_core::Diagnostic;
use serde_json::{Value, json};

const KIND: &str = "Microsoft.ApiManagement/service/subscriptions";
/// The name of the built-in subscription.
const ALL_ACCESS: &str = "master";

/// Adds the keys that a new subscription's body leaves out; a replaced one keeps what it has.
pub(super) fn complete(
    id: &ResourceId,
    body: &mut Value,
    previous: Option<&Resource>,
    context: &mut Context<'_>,
) {
    if previous.is_some() || !id.is_kind(KIND) {
        return;
    }
    let key = member(body, "properties").map_or("properties", |(key, _)| key).to_owned();
    let Some(properties) = body.as_object_mut().map(|map| map.entry(key).or_insert_with(|| json!({}))) else {
        return;
    };
    for name in ["primaryKey", "secondaryKey"] {
        let absent = member(properties, name).is_none_or(|(_, value)| !value.is_string());
        if let Some(map) = properties.as_object_mut().filter(|_| absent) {
            map.insert(name.into(), context.random_hex::<16>().into());
        }
    }
}

/// The built-in subscription of a service that is being created, whose keys open all of its APIs.
pub(super) fn all_access(service: &ResourceId, exists: bool) -> Option<(ResourceId, Value)> {
    if exists || !service.is_kind(kind::SERVICE) {
        return None;
    }
    let properties = json!({
        "displayName": "Built-in all-access subscription",
        "scope": format!("{service}/"),
        "state": "active",
    });
    Some((service.child("subscriptions", ALL_ACCESS), json!({ "properties": properties })))
}

/// The built-in subscription goes with its service only.
pub(super) fn objection_to_removal(id: &ResourceId) -> Option<Diagnostic> {
    let built_in = id.is_kind(KIND) && id.name().eq_ignore_ascii_case(ALL_ACCESS);
    built_in.then(|| {
        let message = format!("subscription \"{}\" is built in and cannot be deleted", id.name());
        Diagnostic::error("ValidationError", message).on(id.as_str())
    })
}
