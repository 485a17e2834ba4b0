//! Keys of API Management subscriptions: absent on create, they are made up (`spec/arm.md` §12.6).

use super::Context;
use crate::id::ResourceId;
use crate::pattern::member;
use crate::resource::Resource;
use serde_json::{Value, json};

const KIND: &str = "Microsoft.ApiManagement/service/subscriptions";

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
