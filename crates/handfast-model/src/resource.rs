//! One resource of the graph: its document as PUT without secrets, the values that the graph computed for
//! it, and the revision it last changed in.

use crate::id::ResourceId;
use crate::kind;
use crate::pattern::member;
use crate::secret;
use base64::Engine;
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// A resource. Held by the graph as `Arc<Resource>`; never changed in place.
#[derive(Clone, Debug, PartialEq)]
pub struct Resource {
    /// Its id, in the spelling of the first PUT.
    pub id: ResourceId,
    /// The `api-version` of the last PUT.
    pub api_version: String,
    /// The whole body of the last PUT; each write-only value is a placeholder `{"$secret": "…"}`.
    pub document: Value,
    /// Read-only values, in the shape of the document: addresses, generated names, `provisioningState`.
    pub computed: Value,
    /// The graph revision in which document or computed values last changed.
    pub revision: u64,
    pub(crate) kind: Arc<str>,
}

impl Resource {
    /// A resource with nothing computed yet.
    pub fn new(id: ResourceId, api_version: impl Into<String>, document: Value) -> Self {
        let kind = id.resource_type().into();
        Self { id, api_version: api_version.into(), document, computed: json!({}), revision: 0, kind }
    }

    /// The type, such as `Microsoft.Network/virtualNetworks`, as spelled in the id.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// Whether the type is this one, without regard to case.
    pub fn is_kind(&self, kind: &str) -> bool {
        self.kind.eq_ignore_ascii_case(kind)
    }

    /// The last segment of the id.
    pub fn name(&self) -> &str {
        self.id.name()
    }

    /// The location as written.
    pub fn location(&self) -> Option<&str> {
        member(&self.document, "location")?.1.as_str()
    }

    /// The value of a tag; names compare without regard to case.
    pub fn tag(&self, name: &str) -> Option<&str> {
        member(member(&self.document, "tags")?.1, name)?.1.as_str()
    }

    /// All tags with text values, in document order.
    pub fn tags(&self) -> impl Iterator<Item = (&str, &str)> {
        let tags = member(&self.document, "tags").and_then(|(_, tags)| tags.as_object());
        tags.into_iter().flatten().filter_map(|(name, value)| Some((name.as_str(), value.as_str()?)))
    }

    /// The `properties` of the document, `null` if there are none.
    pub fn properties(&self) -> &Value {
        member(&self.document, "properties").map_or(&Value::Null, |(_, value)| value)
    }

    /// The revision as an opaque tag: eight bytes, big endian, in base64.
    pub fn etag(&self) -> String {
        base64::engine::general_purpose::STANDARD.encode(self.revision.to_be_bytes())
    }

    /// A computed value by JSON pointer, such as `/properties/privateIPAddresses/0`.
    pub fn computed_str(&self, pointer: &str) -> Option<&str> {
        self.computed.pointer(pointer)?.as_str()
    }

    /// The secret that a document holds at a JSON pointer, such as `/properties/data`. A placeholder that
    /// names another resource's secret is never honoured.
    pub fn secret_ref(&self, pointer: &str) -> Option<secret::SecretRef> {
        secret::placeholder(self.document.pointer(pointer)?).filter(|found| found.belongs_to(&self.id))
    }

    /// What a read shows and what `reference()` sees: the document without its secrets, with computed
    /// values merged in and `id`, `name`, `type` first.
    pub fn effective(&self) -> Value {
        let mut all = Map::new();
        all.insert("id".into(), self.id.as_str().into());
        all.insert("name".into(), self.name().into());
        all.insert("type".into(), self.kind().into());
        if let Some(document) = self.document.as_object() {
            let own = |key: &&str| !["id", "name", "type"].contains(key);
            let keys = document.iter().filter(|(key, _)| own(&key.as_str()));
            all.extend(keys.map(|(key, value)| (key.clone(), value.clone())));
        }
        let mut all = Value::Object(all);
        secret::remove_placeholders(&self.kind, &mut all);
        merge(&mut all, &self.computed);
        if self.is_kind(kind::APPLICATION_GATEWAY) {
            self.name_children(&mut all);
        }
        all
    }

    /// Children that live only in their parent's document have ids and types all the same.
    fn name_children(&self, all: &mut Value) {
        let Some(properties) = all.get_mut("properties").and_then(Value::as_object_mut) else { return };
        for (collection, items) in properties {
            for item in items.as_array_mut().into_iter().flatten() {
                let name = item.get("name").and_then(Value::as_str).map(str::to_owned);
                if let (Some(name), Some(item)) = (name, item.as_object_mut()) {
                    item.insert("id".into(), self.id.child(collection, &name).as_str().into());
                    item.insert("type".into(), format!("{}/{collection}", self.kind).into());
                }
            }
        }
    }
}

/// Lays `over` on `base`: objects member by member, arrays of named objects element by element, anything
/// else replaced.
pub(crate) fn merge(base: &mut Value, over: &Value) {
    match (base, over) {
        (Value::Object(base), Value::Object(over)) => {
            for (key, value) in over {
                match base.get_mut(key) {
                    Some(slot) => merge(slot, value),
                    None => {
                        base.insert(key.clone(), value.clone());
                    }
                }
            }
        }
        (Value::Array(base), Value::Array(over)) if over.iter().all(|item| item["name"].is_string()) => {
            for item in over {
                match base.iter_mut().find(|slot| slot["name"] == item["name"]) {
                    Some(slot) => merge(slot, item),
                    None => base.push(item.clone()),
                }
            }
        }
        (base, over) => *base = over.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_effective_view_merges_computed_values_and_hides_secrets() {
        let id = ResourceId::parse(
            "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/applicationGateways/e",
        )
        .unwrap();
        let mut resource = Resource::new(
            id,
            "2024-05-01",
            json!({ "name": "E", "tags": { "Env": "t" }, "properties": {
                "sslCertificates": [{ "name": "c", "properties": { "data": { "$secret": "x@1" } } }],
                "frontendIPConfigurations": [{ "name": "f", "properties": { "subnet": { "id": "s" } } }]
            } }),
        );
        resource.computed = json!({ "properties": { "provisioningState": "Succeeded",
            "frontendIPConfigurations": [{ "name": "f", "properties": { "privateIPAddress": "10.0.0.4" } }] } });
        let seen = resource.effective();
        assert_eq!(seen["name"], "e");
        assert_eq!(seen["properties"]["sslCertificates"][0]["properties"], json!({}));
        let frontend = &seen["properties"]["frontendIPConfigurations"][0];
        assert_eq!(
            frontend["properties"],
            json!({ "subnet": { "id": "s" }, "privateIPAddress": "10.0.0.4" })
        );
        assert!(
            frontend["id"].as_str().unwrap().ends_with("/applicationGateways/e/frontendIPConfigurations/f")
        );
        assert_eq!(resource.tag("env"), Some("t"));
        assert_eq!(resource.secret_ref("/properties/sslCertificates/0/properties/data"), None);
    }

    #[test]
    fn etags_are_eight_byte_counters() {
        let id = ResourceId::of_group("s", "g");
        let resource = Resource { revision: 14, ..Resource::new(id, "v", json!({})) };
        assert_eq!(resource.etag(), "AAAAAAAAAA4=");
    }
}
