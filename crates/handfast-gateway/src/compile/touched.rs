//! Which children of a service a change touches, by collection and name: what is not among them is taken over.

use handfast_model::{ChangeSet, ResourceId};
use std::collections::{HashMap, HashSet};

/// Children that changed, are gone, name something that did, or have something below them that did.
#[derive(Debug, Default)]
pub(super) struct Touched(HashMap<String, HashSet<String>>);

impl Touched {
    pub(super) fn of(changes: &ChangeSet, service: &ResourceId) -> Self {
        let mut touched = Self::default();
        let below = |id: &ResourceId| {
            let rest = id.key().strip_prefix(service.key())?.strip_prefix('/')?;
            let (collection, rest) = rest.split_once('/')?;
            Some((collection.to_owned(), rest.split('/').next()?.to_owned()))
        };
        for (collection, name) in changes.touched().filter_map(below) {
            touched.0.entry(collection).or_default().insert(name);
        }
        touched
    }

    /// Whether a child is touched; names are in lower case.
    pub(super) fn contains(&self, collection: &str, name: &str) -> bool {
        self.0.get(collection).is_some_and(|names| names.contains(name))
    }

    /// Whether a child of a collection is touched.
    pub(super) fn any(&self, collection: &str) -> bool {
        self.0.contains_key(collection)
    }
}
