//! Policy documents of a service: each is compiled once, against the service's named values, fragments and
//! backends. A document with errors keeps its last good version; without one, what it protects is not served.

use super::Task;
use crate::plan::Document;
use handfast_core::Diagnostic;
use handfast_model::{Resource, ResourceId, View};
use handfast_policy::{
    CompileOptions, Format, FragmentSource, Plan, Scope, ScopedDocument, compile, compile_effective,
};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// The global document of a service that has none of its own (specification 1.1).
const DEFAULT_GLOBAL: &str =
    "<policies><inbound /><backend><forward-request /></backend><outbound /><on-error /></policies>";

/// A document that has errors and no last good version.
#[derive(Debug)]
pub(super) struct Broken;

/// The document of a scope, if it has one.
pub(super) type Scoped = Result<Option<Arc<ScopedDocument>>, Broken>;

/// The global document.
pub(super) struct Global {
    pub(super) plan: Arc<Plan>,
    pub(super) document: Arc<ScopedDocument>,
    /// Whether APIs may be served under it.
    pub(super) usable: bool,
}

/// The documents compiled so far.
pub(super) struct Policies<'a> {
    task: &'a Task<'a>,
    named_values: HashMap<String, String>,
    values_id: [u8; 32],
    fragments: HashMap<String, FragmentSource>,
    backends: BTreeSet<String>,
    documents: BTreeMap<String, Document>,
}

impl<'a> Policies<'a> {
    pub(super) fn new<'b>(task: &'a Task<'a>, backends: impl Iterator<Item = &'b String>) -> Self {
        let named_values = named_values(task);
        Self {
            task,
            values_id: identity(&named_values),
            named_values,
            fragments: fragments(task),
            backends: backends.cloned().collect(),
            documents: BTreeMap::new(),
        }
    }

    pub(super) fn global(&mut self) -> Global {
        let own = self.document(Scope::Global, &self.task.resource.id);
        let usable = own.is_ok();
        let document = own.ok().flatten().unwrap_or_else(|| {
            let options = CompileOptions::new(Scope::Global, Format::RawXml);
            // The text is a constant that a test compiles.
            compile(DEFAULT_GLOBAL, &options).document.expect("the default document compiles")
        });
        Global { plan: Arc::new(compile_effective(std::slice::from_ref(&document))), document, usable }
    }

    /// The document attached to a resource.
    pub(super) fn document(&mut self, scope: Scope, owner: &ResourceId) -> Scoped {
        let id = owner.child("policies", "policy");
        let Some(resource) = self.task.graph.get(&id) else { return Ok(None) };
        let previous = self.task.previous.and_then(|previous| previous.documents.get(id.key()));
        let document = match previous.filter(|_| self.is_unchanged(resource)) {
            Some(kept) => Some(kept.clone()),
            None => {
                let (compiled, diagnostics) = self.compile(scope, resource);
                let document = compiled.or_else(|| Some(previous?.document.clone()));
                let diagnostics: Arc<[Diagnostic]> = diagnostics.into();
                if document.is_none() {
                    self.report(&diagnostics);
                }
                document.map(|document| Document::new(document, diagnostics))
            }
        };
        let Some(document) = document else { return Err(Broken) };
        self.report(&document.diagnostics);
        let scoped = document.document.clone();
        self.documents.insert(id.key().to_owned(), document);
        Ok(Some(scoped))
    }

    /// All documents, and what identifies the named values that went into them.
    pub(super) fn finish(self) -> (BTreeMap<String, Document>, [u8; 32]) {
        (self.documents, self.values_id)
    }

    /// Whether compiling again would give the same: neither the document nor what it names has changed.
    fn is_unchanged(&self, resource: &Resource) -> bool {
        if self.task.changes.touches(&resource.id) {
            return false;
        }
        let text = resource.properties().get("value").and_then(|value| value.as_str()).unwrap_or_default();
        let same_values = self.task.previous.is_some_and(|previous| previous.named_values == self.values_id);
        same_values || !(text.contains("{{") || text.contains("include-fragment"))
    }

    fn compile(&self, scope: Scope, resource: &Resource) -> (Option<Arc<ScopedDocument>>, Vec<Diagnostic>) {
        let on = |diagnostic: Diagnostic| diagnostic.on(resource.id.as_str());
        let (text, format) = match source(resource) {
            Ok(source) => source,
            Err(diagnostic) => return (None, vec![on(*diagnostic)]),
        };
        let options = CompileOptions {
            named_value: &|name| self.named_values.get(name).cloned(),
            fragment: &|id| self.fragments.get(&id.to_lowercase()).cloned(),
            backend_exists: &|id| self.backends.contains(&id.to_lowercase()),
            ..CompileOptions::new(scope, format)
        };
        let compiled = compile(&text, &options);
        (compiled.document, compiled.diagnostics.into_iter().map(on).collect())
    }

    fn report(&self, diagnostics: &[Diagnostic]) {
        self.task.diagnostics.borrow_mut().extend(diagnostics.iter().cloned());
    }
}

/// A SHA-256 over all names and values.
fn identity(values: &HashMap<String, String>) -> [u8; 32] {
    let mut sorted: Vec<_> = values.iter().collect();
    sorted.sort();
    let mut hash = Sha256::new();
    for text in sorted.into_iter().flat_map(|(name, value)| [name, value]) {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text);
    }
    hash.finalize().into()
}

/// Text and form of a policy or fragment.
fn source(resource: &Resource) -> Result<(String, Format), Box<Diagnostic>> {
    let report = handfast_model::Report::of(resource);
    let properties = View::of(resource, &report).field("properties");
    let written = properties.str("format").unwrap_or("xml");
    if written.to_ascii_lowercase().ends_with("-link") {
        let message =
            format!("format \"{written}\" cannot be followed here; \"xml\" and \"rawxml\" would be accepted");
        return Err(Box::new(Diagnostic::error("PolicyLinkNotSupported", message)));
    }
    let format = Format::parse(&written.to_ascii_lowercase()).ok_or_else(|| {
        let message = format!("format \"{written}\" is unknown; \"xml\" and \"rawxml\" would be accepted");
        Box::new(Diagnostic::error("ValidationError", message))
    })?;
    match properties.str("value") {
        Some(text) => Ok((text.to_owned(), format)),
        None => Err(Box::new(Diagnostic::error("ValidationError", "\"value\" is missing"))),
    }
}

/// Values by display name.
fn named_values(task: &Task<'_>) -> HashMap<String, String> {
    let mut values = HashMap::new();
    task.each_child("namedValues", |resource, root| {
        let properties = root.field("properties");
        let Some(name) = properties.str("displayName").or(Some(resource.name())) else { return };
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if let Some(url) = properties.field("keyVault").str("secretIdentifier") {
            match task.material.vault(url) {
                Some((_, secret)) => {
                    values.insert(name.to_owned(), text(secret.expose()));
                }
                None => properties.any("keyVault").error(
                    "KeyVaultSecretUnreadable",
                    format!("vault secret \"{url}\" of named value \"{name}\" cannot be read"),
                ),
            }
            return;
        }
        let secret = properties.secret("value").and_then(|reference| task.material.get(&reference));
        let value = match secret {
            Some(secret) => Some(text(secret.expose())),
            None => properties.str("value").map(str::to_owned),
        };
        values.extend(value.map(|value| (name.to_owned(), value)));
    });
    values
}

/// Fragments by lower-case id.
fn fragments(task: &Task<'_>) -> HashMap<String, FragmentSource> {
    let mut fragments = HashMap::new();
    for resource in task.graph.children(&task.resource.id, "policyFragments") {
        match source(resource) {
            Ok((text, format)) => {
                let source = FragmentSource { text, format };
                fragments.insert(resource.name().to_lowercase(), source);
            }
            Err(diagnostic) => {
                task.diagnostics.borrow_mut().push(diagnostic.on(resource.id.as_str()));
            }
        }
    }
    fragments
}
