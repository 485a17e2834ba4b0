//! Children that Azure also lets a parent carry in its own document: subnets of a virtual network, rules
//! of a network security group. The parent's document holds them all; each is mirrored as a resource of
//! its own, so that it has an id to refer to, a revision and dependents.

use crate::computed::remove_read_only;
use crate::id::ResourceId;
use crate::kind;
use crate::pattern::member;
use crate::resource::Resource;
use serde_json::{Map, Value, json};

/// One collection that is both inline and a child.
#[derive(Clone, Copy, Debug)]
pub(crate) struct InlineRow {
    parent: &'static str,
    /// The array below `properties`, which is also the child's type segment.
    pub(crate) collection: &'static str,
}

const ROWS: &[InlineRow] = &[
    InlineRow { parent: kind::VIRTUAL_NETWORK, collection: "subnets" },
    InlineRow { parent: kind::NETWORK_SECURITY_GROUP, collection: "securityRules" },
    InlineRow { parent: "Microsoft.Network/routeTables", collection: "routes" },
];

/// The inline collections of a parent's kind.
pub(crate) fn of_parent(kind: &str) -> impl Iterator<Item = &'static InlineRow> {
    ROWS.iter().filter(move |row| row.parent.eq_ignore_ascii_case(kind))
}

/// The row by which this id is an inline child.
pub(crate) fn of_child(id: &ResourceId) -> Option<(&'static InlineRow, ResourceId)> {
    let parent = id.parent_resource()?;
    let own = id.resource_type();
    let segment = own.rsplit('/').next()?.to_owned();
    let kind = parent.resource_type();
    let row = of_parent(&kind).find(|row| row.collection.eq_ignore_ascii_case(&segment))?;
    Some((row, parent))
}

/// The array of a collection in a document, absent if the document does not have it.
pub(crate) fn array<'v>(document: &'v Value, row: &InlineRow) -> Option<&'v Vec<Value>> {
    member(member(document, "properties")?.1, row.collection)?.1.as_array()
}

/// A PUT of the parent without the collection keeps the children that it has.
pub(crate) fn keep_absent(kind: &str, document: &mut Value, previous: Option<&Resource>) {
    for row in of_parent(kind) {
        let Some(stored) = previous.and_then(|resource| array(&resource.document, row)) else { continue };
        if array(document, row).is_none() {
            set_array(document, row, stored.clone());
        }
    }
}

/// The child resources that a parent's document declares.
pub(crate) fn declared(parent: &Resource, row: &InlineRow) -> Vec<(ResourceId, Value)> {
    let items = array(&parent.document, row).into_iter().flatten();
    let named = items.filter_map(|item| Some((member(item, "name")?.1.as_str()?, item)));
    let child = |(name, item): (&str, &Value)| {
        let id = parent.id.child(row.collection, name);
        let mut document = item.clone();
        remove_read_only(&id.resource_type(), &mut document);
        (id, document)
    };
    named.map(child).collect()
}

/// The parent's document with one child put or removed.
pub(crate) fn with_child(parent: &Resource, row: &InlineRow, name: &str, child: Option<&Value>) -> Value {
    let mut document = parent.document.clone();
    let mut items = array(&document, row).cloned().unwrap_or_default();
    let is_it = |item: &Value| {
        member(item, "name").and_then(|(_, v)| v.as_str()).is_some_and(|n| n.eq_ignore_ascii_case(name))
    };
    let at = items.iter().position(is_it);
    match (child, at) {
        (Some(child), at) => {
            let mut item = Map::new();
            item.insert("name".into(), name.into());
            let body = child.as_object().into_iter().flatten();
            item.extend(body.filter(|(key, _)| *key != "name").map(|(k, v)| (k.clone(), v.clone())));
            match at {
                Some(at) => items[at] = Value::Object(item),
                None => items.push(Value::Object(item)),
            }
        }
        (None, Some(at)) => {
            items.remove(at);
        }
        (None, None) => {}
    }
    set_array(&mut document, row, items);
    document
}

fn set_array(document: &mut Value, row: &InlineRow, items: Vec<Value>) {
    let properties_key = member(document, "properties").map_or("properties", |(key, _)| key).to_owned();
    let Some(map) = document.as_object_mut() else { return };
    let properties = map.entry(properties_key).or_insert_with(|| json!({}));
    let key = member(properties, row.collection).map_or(row.collection, |(key, _)| key).to_owned();
    if let Some(properties) = properties.as_object_mut() {
        properties.insert(key, Value::Array(items));
    }
}
