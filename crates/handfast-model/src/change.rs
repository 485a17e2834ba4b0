//! What one commit changed, so that compilers recompile that and no more.

use crate::graph::Graph;
use crate::id::ResourceId;
use std::collections::BTreeSet;

/// The difference between two graph revisions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChangeSet {
    /// The revision of the graph after the change.
    pub revision: u64,
    /// Resources that are new or differ.
    pub changed: BTreeSet<ResourceId>,
    /// Resources that are gone.
    pub removed: BTreeSet<ResourceId>,
    /// Resources that name a changed or removed one, directly or through others; disjoint from the rest.
    pub dependents: BTreeSet<ResourceId>,
}

impl ChangeSet {
    /// A change set that names every resource: what a full compile gets.
    pub fn everything(graph: &Graph) -> Self {
        let changed = graph.iter().map(|resource| resource.id.clone()).collect();
        Self { revision: graph.revision(), changed, ..Self::default() }
    }

    /// Whether nothing changed.
    pub fn is_empty(&self) -> bool {
        self.changed.is_empty() && self.removed.is_empty()
    }

    /// All ids to look at: changed, removed and dependents, in order.
    pub fn touched(&self) -> impl Iterator<Item = &ResourceId> {
        self.changed.iter().chain(&self.removed).chain(&self.dependents)
    }

    /// Whether the resource or anything below it is touched.
    pub fn touches(&self, id: &ResourceId) -> bool {
        [&self.changed, &self.removed, &self.dependents].into_iter().any(|set| {
            if set.contains(id) {
                return true;
            }
            let below = format!("{}/", id.key());
            set.range::<str, _>((std::ops::Bound::Included(below.as_str()), std::ops::Bound::Unbounded))
                .next()
                .is_some_and(|next| next.is_below(id))
        })
    }

    /// Adds what a later commit changed.
    pub fn merge(&mut self, later: ChangeSet) {
        self.revision = self.revision.max(later.revision);
        for id in later.changed {
            self.removed.remove(&id);
            self.dependents.remove(&id);
            self.changed.insert(id);
        }
        for id in later.removed {
            self.changed.remove(&id);
            self.dependents.remove(&id);
            self.removed.insert(id);
        }
        let known = |id: &ResourceId| self.changed.contains(id) || self.removed.contains(id);
        let fresh: Vec<_> = later.dependents.into_iter().filter(|id| !known(id)).collect();
        self.dependents.extend(fresh);
    }
}
