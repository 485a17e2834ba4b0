//! Write-only values: which they are, how they leave a document, and what stands in their place.
//!
//! A table names them per kind. When a document is PUT, each value found at such a path becomes a
//! [`SecretRef`] and the document keeps `{"$secret": "name@version"}`. A PUT without the value keeps the
//! stored one where the table says so, because clients PUT back what they GET. The name of a secret is the
//! resource's id key, `#`, and the place in the document, so a reference cannot point into another
//! resource; versions are graph revisions and never come twice.

use crate::id::ResourceId;
use crate::material::Material;
use crate::pattern::{Step, join, member, steps, visit, visit_mut};
use crate::resource::Resource;
use handfast_core::Secret;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// The name and version of a secret value. Not secret itself.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SecretRef {
    name: Arc<str>,
    version: u64,
}

impl SecretRef {
    /// A reference by its parts.
    pub fn new(name: impl Into<Arc<str>>, version: u64) -> Self {
        Self { name: name.into(), version }
    }

    /// Reads `name@version`.
    pub fn parse(text: &str) -> Option<Self> {
        let (name, version) = text.rsplit_once('@')?;
        Some(Self::new(name, version.parse().ok()?))
    }

    /// The name, which stays the same when the value changes.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The graph revision that set the value.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Whether the secret was taken from that resource's document.
    pub fn belongs_to(&self, id: &ResourceId) -> bool {
        self.name.strip_prefix(id.key()).is_some_and(|rest| rest.starts_with('#'))
    }
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.name, self.version)
    }
}

/// One row of the table of write-only values.
#[derive(Clone, Copy, Debug)]
pub struct SecretRule {
    /// The resource type.
    pub kind: &'static str,
    /// Where the value stands; `[]` is every element, `*` every member.
    pub path: &'static str,
    /// Only when this member of `properties` is `true`.
    pub when: Option<&'static str>,
    /// Whether a PUT that leaves the value out keeps the stored one.
    pub keep: bool,
    /// A sibling member whose presence says that the value now comes from elsewhere: nothing is kept.
    pub unless: Option<&'static str>,
}

const fn row(kind: &'static str, path: &'static str) -> SecretRule {
    SecretRule { kind, path, when: None, keep: true, unless: None }
}

const fn unless(kind: &'static str, path: &'static str, sibling: &'static str) -> SecretRule {
    SecretRule { unless: Some(sibling), ..row(kind, path) }
}

const fn replaced(kind: &'static str, path: &'static str) -> SecretRule {
    SecretRule { keep: false, ..row(kind, path) }
}

const GATEWAY: &str = "Microsoft.Network/applicationGateways";
const SERVICE: &str = "Microsoft.ApiManagement/service";
const CERTIFICATES: &str = "Microsoft.ApiManagement/service/certificates";
const SUBSCRIPTIONS: &str = "Microsoft.ApiManagement/service/subscriptions";
const BACKENDS: &str = "Microsoft.ApiManagement/service/backends";
const SERVERS: &str = "Microsoft.ApiManagement/service/authorizationServers";

const RULES: &[SecretRule] = &[
    unless(GATEWAY, "properties.sslCertificates[].properties.data", "keyVaultSecretId"),
    unless(GATEWAY, "properties.sslCertificates[].properties.password", "keyVaultSecretId"),
    unless(SERVICE, "properties.hostnameConfigurations[].encodedCertificate", "keyVaultId"),
    unless(SERVICE, "properties.hostnameConfigurations[].certificatePassword", "keyVaultId"),
    row(SERVICE, "properties.certificates[].certificatePassword"),
    unless(CERTIFICATES, "properties.data", "keyVault"),
    unless(CERTIFICATES, "properties.password", "keyVault"),
    row(SUBSCRIPTIONS, "properties.primaryKey"),
    row(SUBSCRIPTIONS, "properties.secondaryKey"),
    SecretRule {
        when: Some("secret"),
        ..unless("Microsoft.ApiManagement/service/namedValues", "properties.value", "keyVault")
    },
    row(BACKENDS, "properties.credentials.authorization.parameter"),
    replaced(BACKENDS, "properties.credentials.header.*[]"),
    replaced(BACKENDS, "properties.credentials.query.*[]"),
    row(BACKENDS, "properties.proxy.password"),
    row(SERVERS, "properties.clientSecret"),
    row(SERVERS, "properties.resourceOwnerPassword"),
    row("Microsoft.ApiManagement/service/openidConnectProviders", "properties.clientSecret"),
    row("Microsoft.ApiManagement/service/identityProviders", "properties.clientSecret"),
    row(
        "Microsoft.ApiManagement/service/authorizationProviders",
        "properties.oauth2.grantTypes.*.clientSecret",
    ),
    row(
        "Microsoft.ApiManagement/service/authorizationProviders/authorizations",
        "properties.parameters.clientSecret",
    ),
    row("Microsoft.ApiManagement/service/users", "properties.password"),
    row("Microsoft.ApiManagement/service/loggers", "properties.credentials.connectionString"),
    row("Microsoft.ApiManagement/service/caches", "properties.connectionString"),
    row("Microsoft.KeyVault/vaults/secrets", "properties.value"),
];

/// The write-only values of a kind.
pub fn secret_rules(kind: &str) -> impl Iterator<Item = &'static SecretRule> {
    RULES.iter().filter(move |rule| rule.kind.eq_ignore_ascii_case(kind))
}

/// What taking the secrets out of a document gave.
#[derive(Debug, Default)]
pub(crate) struct Extracted {
    /// Values that are new or changed.
    pub(crate) fresh: Vec<(SecretRef, Secret<Vec<u8>>)>,
    /// All references that the document now holds.
    pub(crate) held: Vec<SecretRef>,
}

/// Takes the write-only values out of `document`, comparing with the stored ones so that an unchanged
/// value keeps its version.
pub(crate) fn extract(
    id: &ResourceId,
    document: &mut Value,
    previous: Option<&Resource>,
    material: &Material,
    version: u64,
) -> Extracted {
    let mut extracted = Extracted::default();
    let kind = id.resource_type();
    for rule in secret_rules(&kind) {
        let active = rule.when.is_none_or(|flag| flag_is_set(document, flag));
        let Some((last, containers)) = split_last(rule.path) else { continue };
        let stored = previous.map(|resource| values_at(&resource.document, rule.path)).unwrap_or_default();
        let mut taker = Taker { id, rule, stored, material, version, out: &mut extracted };
        visit_mut(document, &containers, "", &mut |path, container| match last {
            Step::Field(name) => taker.member(&path, container, name, active),
            Step::AnyField => {}
            Step::Each => taker.elements(&path, container, active),
        });
    }
    extracted
}

fn split_last(path: &'static str) -> Option<(Step<'static>, Vec<Step<'static>>)> {
    let mut containers = steps(path);
    let last = containers.pop()?;
    Some((last, containers))
}

fn flag_is_set(document: &Value, flag: &str) -> bool {
    let properties = member(document, "properties").map(|(_, value)| value);
    properties.and_then(|value| member(value, flag)).is_some_and(|(_, value)| *value == Value::Bool(true))
}

fn values_at<'v>(document: &'v Value, path: &'static str) -> BTreeMap<String, &'v Value> {
    let mut values = BTreeMap::new();
    visit(document, &steps(path), "", &mut |path, value| {
        values.insert(path, value);
    });
    values
}

struct Taker<'a> {
    id: &'a ResourceId,
    rule: &'static SecretRule,
    stored: BTreeMap<String, &'a Value>,
    material: &'a Material,
    version: u64,
    out: &'a mut Extracted,
}

impl Taker<'_> {
    fn member(&mut self, path: &str, container: &mut Value, name: &str, active: bool) {
        let from_elsewhere = self.rule.unless.is_some_and(|sibling| present(container, sibling));
        let key = member(container, name).map(|(key, _)| key.to_owned());
        let Some(map) = container.as_object_mut() else { return };
        let path = join(path, name);
        let given = key.as_deref().and_then(|key| map.get(key)).cloned();
        let kept = active && self.rule.keep && !from_elsewhere;
        match self.replacement(&path, given.as_ref(), active, kept) {
            Some(value) => {
                map.insert(key.unwrap_or_else(|| name.to_owned()), value);
            }
            None => {
                key.and_then(|key| map.shift_remove(&key));
            }
        }
    }

    fn elements(&mut self, path: &str, container: &mut Value, active: bool) {
        let Some(items) = container.as_array_mut() else { return };
        for (index, item) in items.iter_mut().enumerate() {
            let path = format!("{path}[{index}]");
            *item = self.replacement(&path, Some(item), active, true).unwrap_or(Value::Null);
        }
    }

    /// What stands in the document afterwards: a placeholder, the plain value, or nothing.
    fn replacement(&mut self, path: &str, given: Option<&Value>, active: bool, keep: bool) -> Option<Value> {
        let given = given.filter(|value| !value.is_null() && !is_placeholder(value));
        if !active {
            return given.cloned();
        }
        let stored = self.stored.get(path).copied();
        match given {
            Some(Value::String(text)) => Some(self.take(path, text, stored)),
            Some(other) => Some(other.clone()),
            None if !keep => None,
            None => match stored? {
                Value::String(text) => Some(self.take(path, text, None)),
                other => {
                    let found = placeholder(other)?;
                    self.out.held.push(found);
                    Some(other.clone())
                }
            },
        }
    }

    fn take(&mut self, path: &str, text: &str, stored: Option<&Value>) -> Value {
        let name = format!("{}#{path}", self.id.key());
        let same = stored.and_then(placeholder).filter(|old| {
            old.name() == name && self.material.get(old).is_some_and(|value| value.equals(text.as_bytes()))
        });
        let reference = same.unwrap_or_else(|| {
            let fresh = SecretRef::new(name, self.version);
            self.out.fresh.push((fresh.clone(), Secret::new(text.as_bytes().to_vec())));
            fresh
        });
        let value = json!({ PLACEHOLDER: reference.to_string() });
        self.out.held.push(reference);
        value
    }
}

const PLACEHOLDER: &str = "$secret";

fn present(container: &Value, name: &str) -> bool {
    member(container, name).is_some_and(|(_, value)| !value.is_null())
}

fn is_placeholder(value: &Value) -> bool {
    value.as_object().is_some_and(|map| map.contains_key(PLACEHOLDER))
}

/// Reads a placeholder object.
pub(crate) fn placeholder(value: &Value) -> Option<SecretRef> {
    let map = value.as_object().filter(|map| map.len() == 1)?;
    SecretRef::parse(map.get(PLACEHOLDER)?.as_str()?)
}

/// All references that a stored document holds.
pub(crate) fn held(resource: &Resource) -> Vec<SecretRef> {
    let mut held = Vec::new();
    for rule in secret_rules(resource.kind()) {
        visit(&resource.document, &steps(rule.path), "", &mut |_, value| held.extend(placeholder(value)));
    }
    held
}

/// Removes the placeholders from a copy of a document that is to be shown.
pub(crate) fn remove_placeholders(kind: &str, document: &mut Value) {
    for rule in secret_rules(kind) {
        let Some((last, containers)) = split_last(rule.path) else { continue };
        visit_mut(document, &containers, "", &mut |_, container| match (last, container) {
            (Step::Field(name), container) => {
                let key =
                    member(container, name).filter(|(_, v)| is_placeholder(v)).map(|(k, _)| k.to_owned());
                if let (Some(key), Some(map)) = (key, container.as_object_mut()) {
                    map.shift_remove(&key);
                }
            }
            (_, Value::Array(items)) => items.retain(|item| !is_placeholder(item)),
            _ => {}
        });
    }
}
