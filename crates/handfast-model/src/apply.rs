//! The one way to change a graph: a [`Command`] applied under a [`Context`].
//!
//! A command is applied whole or not at all. The result carries everything that storage must write in one
//! transaction and everything that compilers must look at. Applying an unchanged document changes
//! nothing: no revision, no new secret version. Time and randomness come in through the context.

use crate::change::ChangeSet;
use crate::computed;
use crate::graph::{Graph, alias};
use crate::id::ResourceId;
use crate::inline;
use crate::material::Material;
use crate::resource::Resource;
use crate::secret::{self, SecretRef};
use handfast_core::{Diagnostic, Secret};
use ipnet::Ipv4Net;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

mod network;
mod subscription;

/// A change that someone asks for.
#[derive(Clone, Debug)]
pub enum Command {
    /// Create or replace one resource.
    Put {
        /// The resource.
        id: ResourceId,
        /// The version of the body's shape.
        api_version: String,
        /// The whole document.
        body: Value,
    },
    /// Remove a resource and everything below it. Removing what is not there changes nothing.
    Delete {
        /// The resource.
        id: ResourceId,
    },
    /// Several changes, in order, all or none.
    Batch(Vec<Command>),
}

/// Facts about the instance that go into computed values.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where public addresses without a tag come from; under `up` a loopback range.
    pub public_pool: Ipv4Net,
    /// The address of the front-door listener.
    pub front_door: IpAddr,
    /// The suffix of generated gateway host names.
    pub gateway_domain: String,
    /// The suffix of vault host names.
    pub vault_domain: String,
    /// The instance's own domain.
    pub domain: String,
    /// The tenant of the instance.
    pub tenant_id: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            public_pool: Ipv4Net::new_assert(Ipv4Addr::new(127, 20, 0, 0), 16),
            front_door: IpAddr::V4(Ipv4Addr::LOCALHOST),
            gateway_domain: "azure-api.net".to_owned(),
            vault_domain: "vault.azure.net".to_owned(),
            domain: "handfast.localhost".to_owned(),
            tenant_id: "00000000-0000-0000-0000-000000000001".to_owned(),
        }
    }
}

/// What applying a command may look at beside the graph.
pub struct Context<'c> {
    /// Facts about the instance.
    pub settings: &'c Settings,
    /// The stored secrets, to tell an unchanged value from a new one.
    pub material: &'c Material,
    /// Fills a buffer with random bytes.
    pub random: &'c mut dyn FnMut(&mut [u8]),
}

impl Context<'_> {
    /// Random lower-case hexadecimal digits, two per byte.
    pub(crate) fn random_hex<const BYTES: usize>(&mut self) -> String {
        let mut bytes = [0; BYTES];
        (self.random)(&mut bytes);
        bytes.iter().fold(String::with_capacity(2 * BYTES), |mut text, byte| {
            // Writing to a string cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
    }

    /// A random UUID (version 4).
    pub(crate) fn random_uuid(&mut self) -> String {
        let mut hex = self.random_hex::<16>();
        let variant = ["8", "9", "a", "b"][usize::from(hex.as_bytes()[16]) % 4];
        hex.replace_range(12..13, "4");
        hex.replace_range(16..17, variant);
        format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
    }
}

/// A command that was applied.
#[derive(Debug)]
pub struct Applied {
    /// The next graph. Equal to the old one if nothing changed.
    pub graph: Graph,
    /// The revision that the command was applied to; storing compares it.
    pub base_revision: u64,
    /// What changed.
    pub changes: ChangeSet,
    /// New secret values.
    pub secrets: Vec<(SecretRef, Secret<Vec<u8>>)>,
    /// Secrets that no document holds any more.
    pub dropped_secrets: Vec<SecretRef>,
    /// Warnings and notes.
    pub diagnostics: Vec<Diagnostic>,
}

/// Applies a command to a graph, or says what is wrong with it.
pub fn apply(graph: &Graph, command: Command, context: &mut Context<'_>) -> Result<Applied, Vec<Diagnostic>> {
    let mut work = Work {
        before: graph,
        graph: graph.clone(),
        revision: graph.revision() + 1,
        context,
        changed: BTreeSet::new(),
        removed: BTreeSet::new(),
        secrets: Vec::new(),
        diagnostics: Vec::new(),
    };
    work.command(command);
    let dependents = work.settle();
    if work.diagnostics.iter().any(Diagnostic::is_error) {
        return Err(work.diagnostics);
    }
    Ok(work.finish(dependents))
}

struct Work<'w, 'c> {
    before: &'w Graph,
    graph: Graph,
    revision: u64,
    context: &'w mut Context<'c>,
    changed: BTreeSet<ResourceId>,
    removed: BTreeSet<ResourceId>,
    secrets: Vec<(SecretRef, Secret<Vec<u8>>)>,
    diagnostics: Vec<Diagnostic>,
}

impl Work<'_, '_> {
    fn command(&mut self, command: Command) {
        match command {
            Command::Put { id, api_version, body } => self.put(id, api_version, body),
            Command::Delete { id } => self.delete(&id),
            Command::Batch(commands) => commands.into_iter().for_each(|command| self.command(command)),
        }
    }

    fn put(&mut self, id: ResourceId, api_version: String, mut body: Value) {
        if !body.is_object() {
            let message = format!("the body of \"{id}\" must be a JSON object");
            return self
                .diagnostics
                .push(Diagnostic::error("InvalidRequestContent", message).on(id.as_str()));
        }
        if let Some(parent) = id.parent_resource().filter(|parent| self.graph.get(parent).is_none()) {
            let message = format!("the parent \"{parent}\" of \"{}\" does not exist", id.name());
            return self
                .diagnostics
                .push(Diagnostic::error("ParentResourceNotFound", message).on(id.as_str()));
        }
        let previous = self.graph.get(&id).cloned();
        let api_version_of_parent = api_version.clone();
        computed::remove_read_only(&id.resource_type(), &mut body);
        subscription::complete(&id, &mut body, previous.as_deref(), self.context);
        inline::keep_absent(&id.resource_type(), &mut body, previous.as_deref());
        let stored = previous.as_deref();
        let taken = secret::extract(&id, &mut body, stored, self.context.material, self.revision);
        self.secrets.extend(taken.fresh);
        self.write(id.clone(), api_version, body);
        if let Some((row, parent)) = inline::of_child(&id) {
            self.mirror_upwards(row, &parent, &id);
        }
        self.mirror_downwards(&id);
        if let Some((id, body)) = subscription::all_access(&id, previous.is_some()) {
            self.put(id, api_version_of_parent, body);
        }
    }

    /// Puts a document that has no secrets left into the graph, if it differs from the stored one.
    fn write(&mut self, id: ResourceId, api_version: String, document: Value) {
        let previous = self.graph.get(&id).cloned();
        // The spelling of the first PUT is kept.
        let kept_id = previous.as_ref().map_or(id, |resource| resource.id.clone());
        let mut next = Resource::new(kept_id, api_version, document);
        if let Some(previous) = &previous {
            next.computed = previous.computed.clone();
            next.revision = previous.revision;
        }
        network::check(&next, &mut self.diagnostics);
        next.computed = computed::compute(&self.graph, &next, self.context, &mut self.diagnostics);
        if previous.as_deref() == Some(&next) {
            return;
        }
        next.revision = self.revision;
        self.removed.remove(&next.id);
        self.changed.insert(next.id.clone());
        self.graph.insert(Arc::new(next));
    }

    /// A child that its parent also carries: writes it into the parent's document.
    fn mirror_upwards(&mut self, row: &inline::InlineRow, parent: &ResourceId, id: &ResourceId) {
        let child = self.graph.get(id).map(|child| child.document.clone());
        let Some(parent) = self.graph.get(parent).cloned() else { return };
        let document = inline::with_child(&parent, row, id.name(), child.as_ref());
        self.write(parent.id.clone(), parent.api_version.clone(), document);
    }

    /// A parent with inline children: makes each a resource and removes those it no longer lists.
    fn mirror_downwards(&mut self, id: &ResourceId) {
        let Some(parent) = self.graph.get(id).cloned() else { return };
        for row in inline::of_parent(parent.kind()) {
            let declared = inline::declared(&parent, row);
            let gone: Vec<ResourceId> = self
                .graph
                .children(id, row.collection)
                .map(|child| child.id.clone())
                .filter(|child| !declared.iter().any(|(id, _)| id == child))
                .collect();
            gone.iter().for_each(|child| self.remove_tree(child));
            for (child, document) in declared {
                self.write(child, parent.api_version.clone(), document);
            }
        }
    }

    fn delete(&mut self, id: &ResourceId) {
        self.diagnostics.extend(subscription::objection_to_removal(id));
        if self.graph.get(id).is_none() && self.graph.below(id).next().is_none() {
            return;
        }
        let stored = self.graph.get(id).map(|resource| resource.id.clone());
        self.remove_tree(id);
        if let (Some(id), Some((row, parent))) = (stored, inline::of_child(id)) {
            self.mirror_upwards(row, &parent, &id);
        }
    }

    fn remove_tree(&mut self, id: &ResourceId) {
        let below: Vec<ResourceId> = self.graph.below(id).map(|resource| resource.id.clone()).collect();
        for id in below.iter().chain([id]) {
            if let Some(old) = self.graph.remove(id) {
                self.changed.remove(id);
                self.removed.insert(old.id.clone());
            }
        }
    }

    /// Recomputes the dependents of what changed, and returns all that did not change themselves.
    fn settle(&mut self) -> BTreeSet<ResourceId> {
        let mut seen: BTreeSet<ResourceId> = BTreeSet::new();
        let mut open: Vec<ResourceId> = self.changed.iter().chain(&self.removed).cloned().collect();
        for id in &self.removed {
            network::check_removal(&self.graph, id, &mut self.diagnostics);
        }
        while let Some(id) = open.pop() {
            let mut users = self.graph.named_by(&id);
            // A named value may have been renamed or removed: its old name counts too.
            if let Some(old) = self.before.get(&id).and_then(|resource| alias(resource)) {
                users.extend(self.graph.named_by(&old));
            }
            for user in users {
                if seen.insert(user.clone()) {
                    self.recompute(&user);
                    open.push(user);
                }
            }
        }
        seen.retain(|id| !self.changed.contains(id) && !self.removed.contains(id));
        seen
    }

    fn recompute(&mut self, id: &ResourceId) {
        let Some(old) = self.graph.get(id).cloned() else { return };
        let computed = computed::compute(&self.graph, &old, self.context, &mut self.diagnostics);
        if computed != old.computed {
            let next = Resource { computed, revision: self.revision, ..(*old).clone() };
            self.changed.insert(id.clone());
            self.graph.insert(Arc::new(next));
        }
    }

    fn finish(mut self, dependents: BTreeSet<ResourceId>) -> Applied {
        let base_revision = self.before.revision();
        // What was created and removed in one batch never was.
        let before = self.before;
        self.removed.retain(|id| before.get(id).is_some());
        let mut changes =
            ChangeSet { revision: base_revision, changed: self.changed, removed: self.removed, dependents };
        if !changes.is_empty() {
            self.graph.set_revision(self.revision);
            changes.revision = self.revision;
        }
        let touched = || changes.changed.iter().chain(&changes.removed);
        let held =
            |graph: &Graph, id: &ResourceId| graph.get(id).map(|r| secret::held(r)).unwrap_or_default();
        let now: BTreeSet<SecretRef> = touched().flat_map(|id| held(&self.graph, id)).collect();
        let dropped = touched().flat_map(|id| held(before, id)).filter(|old| !now.contains(old)).collect();
        self.secrets.retain(|(reference, _)| now.contains(reference));
        Applied {
            graph: self.graph,
            base_revision,
            changes,
            secrets: self.secrets,
            dropped_secrets: dropped,
            diagnostics: self.diagnostics,
        }
    }
}

#[cfg(test)]
mod tests;
