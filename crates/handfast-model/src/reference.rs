//! Which resources a document names. References are `{"id": "…"}` members anywhere, identity maps keyed
//! by id, and the id-valued properties of a table; API Management also refers by short path
//! (`/products/x`), and by name from policies, named values and fragments.
//!
//! A reference need not lead anywhere: the index is asked "who names this id", before and after the
//! target exists.

use crate::graph::service_of;
use crate::id::ResourceId;
use crate::pattern::{steps, visit};
use crate::resource::Resource;
use serde_json::Value;
use std::collections::BTreeSet;

/// One id-valued property: kind (`*` for all) and path.
struct Row(&'static str, &'static str);

/// Values that are full ids, or paths below the API Management service that owns the document.
const ID_VALUED: &[Row] = &[
    Row("*", "properties.virtualNetworkConfiguration.subnetResourceId"),
    Row("*", "properties.additionalLocations[].virtualNetworkConfiguration.subnetResourceId"),
    Row("*", "properties.publicIpAddressId"),
    Row("*", "properties.additionalLocations[].publicIpAddressId"),
    Row("*", "properties.privateLinkServiceConnections[].properties.privateLinkServiceId"),
    Row("*", "properties.manualPrivateLinkServiceConnections[].properties.privateLinkServiceId"),
    Row("*", "properties.privateDnsZoneConfigs[].properties.privateDnsZoneId"),
    Row("*", "properties.roleDefinitionId"),
    Row("*", "properties.workspaceId"),
    Row("Microsoft.ApiManagement/service/apis", "properties.apiVersionSetId"),
    Row("Microsoft.ApiManagement/service/apis", "properties.sourceApiId"),
    Row("Microsoft.ApiManagement/service/apis/releases", "properties.apiId"),
    Row("Microsoft.ApiManagement/service/apis/diagnostics", "properties.loggerId"),
    Row("Microsoft.ApiManagement/service/diagnostics", "properties.loggerId"),
    Row("Microsoft.ApiManagement/service/subscriptions", "properties.scope"),
    Row("Microsoft.ApiManagement/service/subscriptions", "properties.ownerId"),
    Row("Microsoft.ApiManagement/service/backends", "properties.credentials.certificateIds[]"),
    Row("Microsoft.ApiManagement/service/backends", "properties.pool.services[].id"),
    Row("Microsoft.ApiManagement/service/backends", "properties.resourceId"),
    Row("Microsoft.ApiManagement/service/products/apiLinks", "properties.apiId"),
    Row("Microsoft.ApiManagement/service/products/groupLinks", "properties.groupId"),
    Row("Microsoft.ApiManagement/service/tags/apiLinks", "properties.apiId"),
    Row("Microsoft.ApiManagement/service/tags/operationLinks", "properties.operationId"),
    Row("Microsoft.ApiManagement/service/tags/productLinks", "properties.productId"),
    Row("Microsoft.ApiManagement/service/gateways/hostnameConfigurations", "properties.certificateId"),
];

/// Policy attributes that name a sibling by its last segment, and the collection they name it in.
const POLICY_ATTRIBUTES: &[(&str, &str)] = &[
    ("backend-id=", "backends"),
    ("fragment-id=", "policyFragments"),
    ("certificate-id=", "certificates"),
    ("logger-id=", "loggers"),
    ("provider-id=", "authorizationProviders"),
];

/// Every resource that the document names, itself and its inner parts excepted.
pub(crate) fn references_of(resource: &Resource) -> BTreeSet<ResourceId> {
    let mut collector =
        Collector { own: &resource.id, service: service_of(&resource.id), found: BTreeSet::new() };
    collector.walk(&resource.document);
    for Row(kind, path) in ID_VALUED {
        if *kind == "*" || resource.is_kind(kind) {
            visit(&resource.document, &steps(path), "", &mut |_, value| collector.id_value(value));
        }
    }
    if resource.kind().to_ascii_lowercase().ends_with("/policies")
        || resource.is_kind("Microsoft.ApiManagement/service/policyFragments")
    {
        collector.policy(resource.properties());
    }
    collector.found
}

struct Collector<'a> {
    own: &'a ResourceId,
    service: Option<ResourceId>,
    found: BTreeSet<ResourceId>,
}

impl Collector<'_> {
    fn add(&mut self, target: ResourceId) {
        if target != *self.own && !target.is_below(self.own) {
            self.found.insert(target);
        }
    }

    fn id_value(&mut self, value: &Value) {
        let Some(text) = value.as_str().filter(|text| text.starts_with('/')) else { return };
        if let Ok(target) = ResourceId::parse(text) {
            return self.add(target);
        }
        let short = text.trim_matches('/');
        if let Some(service) = self.service.as_ref().filter(|_| !short.is_empty())
            && let Ok(target) = ResourceId::parse(&format!("{service}/{short}"))
        {
            self.add(target);
        }
    }

    fn walk(&mut self, value: &Value) {
        match value {
            Value::Object(map) => {
                for (key, inner) in map {
                    if key.eq_ignore_ascii_case("id") {
                        self.id_value(inner);
                    } else if key.eq_ignore_ascii_case("userAssignedIdentities") {
                        let keys = inner.as_object().into_iter().flatten().map(|(key, _)| key);
                        keys.filter_map(|key| ResourceId::parse(key).ok()).for_each(|id| self.add(id));
                    }
                    self.walk(inner);
                }
            }
            Value::Array(items) => items.iter().for_each(|item| self.walk(item)),
            Value::String(text) => self.named_values(text),
            _ => {}
        }
    }

    /// `{{name}}`, in any text of an API Management child.
    fn named_values(&mut self, text: &str) {
        let Some(service) = self.service.clone().filter(|service| service != self.own) else { return };
        for part in text.split("{{").skip(1) {
            let Some((name, _)) = part.split_once("}}") else { continue };
            if is_name(name) {
                self.add(service.child("namedValues", name));
            }
        }
    }

    fn policy(&mut self, properties: &Value) {
        let (Some(service), Some(text)) = (self.service.clone(), properties["value"].as_str()) else {
            return;
        };
        for (attribute, collection) in POLICY_ATTRIBUTES {
            for part in text.split(attribute).skip(1) {
                let quote = part.chars().next().filter(|c| *c == '"' || *c == '\'');
                let name = quote.and_then(|quote| part.get(1..)?.split(quote).next());
                if let Some(name) = name.filter(|name| is_name(name)) {
                    self.add(service.child(collection, name));
                }
            }
        }
    }
}

fn is_name(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._".contains(&b);
    !name.is_empty() && name.len() <= 256 && name.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const SERVICE: &str = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ApiManagement/service/x";

    fn names(id: &str, document: Value) -> Vec<String> {
        let resource = Resource::new(ResourceId::parse(id).unwrap(), "v", document);
        let own = format!("{SERVICE}/");
        references_of(&resource).iter().map(|id| id.as_str().replace(&own, "")).collect()
    }

    #[test]
    fn policies_name_backends_fragments_and_named_values() {
        let value = r#"<set-backend-service backend-id="orders" /><include-fragment fragment-id='auth'/>{{limit}} @($"{{not a name}}")"#;
        let found =
            names(&format!("{SERVICE}/apis/a/policies/policy"), json!({ "properties": { "value": value } }));
        assert_eq!(found, ["backends/orders", "namedValues/limit", "policyFragments/auth"]);
    }

    #[test]
    fn short_paths_are_read_below_the_service() {
        let found =
            names(&format!("{SERVICE}/subscriptions/k"), json!({ "properties": { "scope": "/products/p" } }));
        assert_eq!(found, ["products/p"]);
        let pool = json!({ "properties": { "pool": { "services": [{ "id": "/backends/b" }] } } });
        assert_eq!(names(&format!("{SERVICE}/backends/pool"), pool), ["backends/b"]);
    }

    #[test]
    fn identities_and_subnets_are_named_but_own_children_are_not() {
        let identity =
            "/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/i";
        let subnet =
            "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/virtualNetworks/v/subnets/n";
        let found = names(
            SERVICE,
            json!({ "identity": { "userAssignedIdentities": { identity: {} } }, "properties": {
                "virtualNetworkConfiguration": { "subnetResourceId": subnet },
                "inner": { "id": format!("{SERVICE}/hostnames/h") } } }),
        );
        assert_eq!(found, [identity, subnet]);
    }
}
