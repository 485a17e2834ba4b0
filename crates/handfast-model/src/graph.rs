//! All resources at one revision. A persistent map: cloning is O(1), a change costs O(log n), and old
//! clones stay as they were, so a compile or an answer works on one consistent picture.
//!
//! Three indices are kept with it: children by collection, resources by type, and who names whom.

use crate::id::ResourceId;
use crate::kind;
use crate::pattern::member;
use crate::reference::references_of;
use crate::resource::Resource;
use imbl::{HashMap, OrdMap, OrdSet};
use std::collections::BTreeSet;
use std::ops::Bound;
use std::sync::Arc;

/// The resource graph.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    revision: u64,
    resources: OrdMap<ResourceId, Arc<Resource>>,
    /// Members by lower-case type.
    by_kind: HashMap<String, OrdSet<ResourceId>>,
    /// Members by lower-case `parent/collection`.
    by_collection: HashMap<String, OrdSet<ResourceId>>,
    /// Who names this id.
    named_by: HashMap<ResourceId, OrdSet<ResourceId>>,
}

impl Graph {
    /// An empty graph at revision 0.
    pub fn new() -> Self {
        Self::default()
    }

    /// A graph of stored resources, indices rebuilt.
    pub fn from_resources(revision: u64, resources: impl IntoIterator<Item = Resource>) -> Self {
        let mut graph = Self { revision, ..Self::default() };
        resources.into_iter().for_each(|resource| graph.insert(Arc::new(resource)));
        graph
    }

    /// The revision; it grows with every commit that changes something.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    pub(crate) fn set_revision(&mut self, revision: u64) {
        self.revision = revision;
    }

    /// The resource of that id.
    pub fn get(&self, id: &ResourceId) -> Option<&Arc<Resource>> {
        self.resources.get(id)
    }

    /// The number of resources.
    pub fn len(&self) -> usize {
        self.resources.len()
    }

    /// Whether there is no resource.
    pub fn is_empty(&self) -> bool {
        self.resources.is_empty()
    }

    /// All resources, ordered by id key.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Resource>> {
        self.resources.values()
    }

    /// Direct children in one collection, such as `apis`, ordered by id key. The collection of another
    /// provider below this id is written `providers/Namespace/type`.
    pub fn children<'g>(
        &'g self,
        parent: &ResourceId,
        collection: &str,
    ) -> impl Iterator<Item = &'g Arc<Resource>> {
        self.members(self.by_collection.get(&format!("{}/{}", parent.key(), collection.to_lowercase())))
    }

    /// All resources of a type, ordered by id key.
    pub fn of_kind<'g>(&'g self, kind: &str) -> impl Iterator<Item = &'g Arc<Resource>> {
        self.members(self.by_kind.get(&kind.to_lowercase()))
    }

    /// Everything below an id: children, their children, extension resources; for a group, its resources.
    pub fn below<'g>(&'g self, id: &ResourceId) -> impl Iterator<Item = &'g Arc<Resource>> + use<'g> {
        let from = format!("{}/", id.key());
        let id = id.clone();
        let range = (Bound::Included(from.as_str()), Bound::Unbounded);
        self.resources.range::<_, str>(range).map(|(_, r)| r).take_while(move |r| r.id.is_below(&id))
    }

    /// Resources whose documents name this id (a named value is also named by its `displayName`).
    pub fn named_by(&self, id: &ResourceId) -> BTreeSet<ResourceId> {
        let mut all = BTreeSet::new();
        let mut add = |id: &ResourceId| all.extend(self.named_by.get(id).into_iter().flatten().cloned());
        add(id);
        if let Some(alias) = self.get(id).and_then(|resource| alias(resource)) {
            add(&alias);
        }
        all
    }

    fn members<'g>(&'g self, set: Option<&'g OrdSet<ResourceId>>) -> impl Iterator<Item = &'g Arc<Resource>> {
        set.into_iter().flatten().filter_map(|id| self.resources.get(id))
    }

    pub(crate) fn insert(&mut self, resource: Arc<Resource>) {
        let id = resource.id.clone();
        self.remove(&id);
        self.by_kind.entry(resource.kind().to_lowercase()).or_default().insert(id.clone());
        self.by_collection.entry(collection_of(&id)).or_default().insert(id.clone());
        for target in references_of(&resource) {
            self.named_by.entry(target).or_default().insert(id.clone());
        }
        self.resources.insert(id, resource);
    }

    pub(crate) fn remove(&mut self, id: &ResourceId) -> Option<Arc<Resource>> {
        let old = self.resources.remove(id)?;
        take(&mut self.by_kind, &old.kind().to_lowercase(), id);
        take(&mut self.by_collection, &collection_of(id), id);
        for target in references_of(&old) {
            take(&mut self.named_by, &target, id);
        }
        Some(old)
    }
}

fn take<K: Clone + Eq + std::hash::Hash>(
    index: &mut HashMap<K, OrdSet<ResourceId>>,
    key: &K,
    id: &ResourceId,
) {
    let Some(set) = index.get_mut(key) else { return };
    set.remove(id);
    if set.is_empty() {
        index.remove(key);
    }
}

/// The key without its last segment.
fn collection_of(id: &ResourceId) -> String {
    id.key().rsplit_once('/').map_or_else(String::new, |(collection, _)| collection.to_owned())
}

/// The id under which `{{displayName}}` is indexed.
pub(crate) fn alias(resource: &Resource) -> Option<ResourceId> {
    if !resource.is_kind(kind::NAMED_VALUE) {
        return None;
    }
    let name = member(resource.properties(), "displayName")?.1.as_str()?;
    let plain = !name.is_empty() && !name.contains('/');
    plain.then(|| resource.id.parent().map(|service| service.child("namedValues", name))).flatten()
}

/// The API Management service that an id is, or lies in.
pub(crate) fn service_of(id: &ResourceId) -> Option<ResourceId> {
    let mut at = Some(id.clone());
    while let Some(id) = at {
        if id.is_kind(kind::SERVICE) {
            return Some(id);
        }
        at = id.parent_resource();
    }
    None
}

impl PartialEq for Graph {
    /// Same revision and same resources; the indices follow from them.
    fn eq(&self, other: &Self) -> bool {
        self.revision == other.revision && self.resources == other.resources
    }
}
