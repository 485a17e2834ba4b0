//! The child collections of a gateway by name, and references between them.

use handfast_model::{Resource, ResourceId, View};
use std::collections::BTreeMap;

/// Names of the children of each collection, as written, by lower-case name.
pub(super) struct Children<'a> {
    gateway: &'a ResourceId,
    names: BTreeMap<String, BTreeMap<String, String>>,
}

const COLLECTIONS: &[&str] = &[
    "frontendIPConfigurations",
    "frontendPorts",
    "sslCertificates",
    "trustedRootCertificates",
    "trustedClientCertificates",
    "authenticationCertificates",
    "sslProfiles",
    "httpListeners",
    "backendAddressPools",
    "backendHttpSettingsCollection",
    "probes",
    "requestRoutingRules",
    "urlPathMaps",
    "redirectConfigurations",
    "rewriteRuleSets",
];

impl<'a> Children<'a> {
    pub(super) fn read(resource: &'a Resource, properties: &View<'_>) -> Self {
        let mut names = BTreeMap::new();
        for collection in COLLECTIONS {
            let mut known: BTreeMap<String, String> = BTreeMap::new();
            for child in properties.array(collection) {
                let Some(name) = child.require_str("name") else { continue };
                if !is_name(name) {
                    child.any("name").error(
                        "InvalidResourceName",
                        format!("\"{name}\" is no child name; 1 to 80 letters, digits, \".\", \"_\" and \"-\" are accepted, beginning with a letter or digit and not ending with \".\" or \"-\""),
                    );
                }
                if known.insert(name.to_lowercase(), name.to_owned()).is_some() {
                    child.any("name").error(
                        "DuplicateResourceName",
                        format!("\"{name}\" is used twice in \"{collection}\""),
                    );
                }
            }
            names.insert((*collection).to_owned(), known);
        }
        Self { gateway: &resource.id, names }
    }

    /// The lower-case name of the child that a reference leads to. A reference to anything else is reported.
    pub(super) fn reference(&self, view: &View<'_>, field: &str, collection: &str) -> Option<String> {
        let id = view.id_ref(field)?;
        self.check(&id, &view.any(field), collection)
    }

    /// The same for a reference that must be there.
    pub(super) fn required(&self, view: &View<'_>, field: &str, collection: &str) -> Option<String> {
        let id = view.require_id_ref(field)?;
        self.check(&id, &view.any(field), collection)
    }

    /// The same for a list of references: all of them, or nothing when one leads nowhere.
    pub(super) fn references(&self, view: &View<'_>, field: &str, collection: &str) -> Option<Vec<String>> {
        let items = view.array(field);
        let found: Vec<String> = items
            .iter()
            .filter_map(|item| self.check(&item.required("id").and(item.id("id"))?, item, collection))
            .collect();
        (found.len() == items.len()).then_some(found)
    }

    fn check(&self, id: &ResourceId, place: &View<'_>, collection: &str) -> Option<String> {
        let key = id.name().to_lowercase();
        let known = self.names.get(collection)?;
        let expected = self.gateway.child(collection, id.name());
        if expected == *id && known.contains_key(&key) {
            return Some(key);
        }
        let accepted: Vec<String> = known.values().map(|name| format!("\"{name}\"")).collect();
        let accepted = match accepted.is_empty() {
            true => format!("there are no {collection}"),
            false => format!("{} would be accepted", accepted.join(", ")),
        };
        place.error(
            "InvalidResourceReference",
            format!("\"{}\" is none of this gateway's {collection}; {accepted}", id.as_str()),
        );
        None
    }
}

fn is_name(name: &str) -> bool {
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    (1..=80).contains(&name.len())
        && edge(name.chars().next())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
        && !name.ends_with(['.', '-'])
}
