//! Policy documents of a service: each is compiled once, against the service's named values, fragments and
//! backends. A document with errors keeps its last good version; without one, what it protects is not served.

use super::{Task, contracts};
use crate::plan::{Document, Documents, Schemas};
use handfast_core::Diagnostic;
use handfast_model::{Resource, ResourceId, View};
use handfast_pki::{Certificate, Credential};
use handfast_policy::{
    CompileOptions, Format, FragmentSource, Plan, Scope, ScopedDocument, ServiceCertificate, compile,
    compile_effective,
};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, LazyLock};

/// The global document of a service that has none of its own (specification 1.1).
const DEFAULT_GLOBAL: &str =
    "<policies><inbound /><backend><forward-request /></backend><outbound /><on-error /></policies>";

static FORWARDING: LazyLock<Arc<ScopedDocument>> = LazyLock::new(|| {
    let options = CompileOptions::new(Scope::Global, Format::RawXml);
    // The text is a constant that every service without a document of its own compiles.
    compile(DEFAULT_GLOBAL, &options).document.expect("the default document compiles")
});

/// A document that has errors and no last good version.
#[derive(Debug)]
pub(super) struct Broken;

/// The document of a scope with the key of its policy, if it has one.
pub(super) type Scoped = Result<Option<(String, Document)>, Broken>;

/// The global document.
pub(super) struct Global {
    pub(super) plan: Arc<Plan>,
    pub(super) document: Arc<ScopedDocument>,
    /// What the service has of its own.
    pub(super) own: Option<Document>,
    /// Whether APIs may be served under it.
    pub(super) usable: bool,
}

/// What documents are compiled against.
pub(super) struct Policies<'a> {
    task: &'a Task<'a>,
    named_values: HashMap<String, String>,
    values_id: [u8; 32],
    fragments: HashMap<String, FragmentSource>,
    backends: BTreeSet<String>,
    loggers: BTreeSet<String>,
    certificates: Found<'a>,
    schemas: Schemas,
}

/// Certificates by lower-case name: their thumbprints, those with a key, those without.
pub(super) type Found<'a> =
    (&'a BTreeMap<String, String>, &'a BTreeMap<String, Arc<Credential>>, &'a BTreeMap<String, Certificate>);

impl<'a> Policies<'a> {
    pub(super) fn new<'b>(
        task: &'a Task<'a>,
        backends: impl Iterator<Item = &'b String>,
        certificates: Found<'a>,
    ) -> Self {
        let named_values = named_values(task);
        let schemas = contracts::schemas(task);
        Self {
            task,
            values_id: identity(&named_values, &schemas),
            named_values,
            fragments: fragments(task),
            backends: backends.cloned().collect(),
            loggers: hubs(task),
            certificates,
            schemas,
        }
    }

    fn certificate(&self, id: &str) -> Option<ServiceCertificate> {
        let (_, credentials, bare) = self.certificates;
        let id = id.to_lowercase();
        if let Some(credential) = credentials.get(&id) {
            let (certificate, key) = (credential.leaf().clone(), credential.key().clone());
            return Some(ServiceCertificate { certificate: Some(certificate), key: Some(key) });
        }
        let certificate = bare.get(&id)?.clone();
        Some(ServiceCertificate { certificate: Some(certificate), key: None })
    }

    pub(super) fn global(&self) -> Global {
        let id = &self.task.resource.id;
        let before = self.task.previous.and_then(|previous| previous.own_global.clone());
        let before = before.map(|document| (id.child("policies", "policy").key().to_owned(), document));
        let own = self.document(Scope::Global, id, Some(&before.into_iter().collect()));
        let usable = own.is_ok();
        let own = own.ok().flatten().map(|(_, document)| document);
        let document = own.as_ref().map_or_else(|| FORWARDING.clone(), |own| own.document.clone());
        let plan = Arc::new(compile_effective(std::slice::from_ref(&document)));
        Global { plan, document, own, usable }
    }

    /// The document attached to a resource; `before` is where its last version is.
    pub(super) fn document(&self, scope: Scope, owner: &ResourceId, before: Option<&Documents>) -> Scoped {
        let id = owner.child("policies", "policy");
        let Some(resource) = self.task.graph.get(&id) else { return Ok(None) };
        let previous = before.and_then(|before| before.get(id.key()));
        let document = match previous.filter(|_| self.is_unchanged(resource)) {
            Some(kept) => Some(kept.clone()),
            None => {
                let (compiled, diagnostics) = self.compile(scope, resource);
                let document = compiled.or_else(|| Some(previous?.document.clone()));
                let diagnostics: Arc<[Diagnostic]> = diagnostics.into();
                if document.is_none() {
                    self.report(&diagnostics);
                }
                document.map(|document| Document::new(document, names_values(resource), diagnostics))
            }
        };
        let Some(document) = document else { return Err(Broken) };
        self.report(&document.diagnostics);
        Ok(Some((id.key().to_owned(), document)))
    }

    /// Values by display name.
    pub(super) fn named_values(&self) -> &HashMap<String, String> {
        &self.named_values
    }

    /// The service's schemas.
    pub(super) fn schemas(&self) -> Schemas {
        self.schemas.clone()
    }

    /// What identifies the named values and schemas that went into the documents.
    pub(super) fn values_id(&self) -> [u8; 32] {
        self.values_id
    }

    /// Whether named values and certificates are those of the previous compile.
    pub(super) fn are_as_before(&self) -> bool {
        self.task.previous.is_some_and(|previous| {
            previous.named_values == self.values_id && previous.thumbprints == *self.certificates.0
        })
    }

    /// Whether compiling again would give the same: neither the document nor what it names has changed.
    fn is_unchanged(&self, resource: &Resource) -> bool {
        if self.task.changes.touches(&resource.id) {
            return false;
        }
        self.are_as_before() || !names_values(resource)
    }

    fn compile(&self, scope: Scope, resource: &Resource) -> (Option<Arc<ScopedDocument>>, Vec<Diagnostic>) {
        let on = |diagnostic: Diagnostic| diagnostic.on(resource.id.as_str());
        let (text, format) = match source(resource) {
            Ok(source) => source,
            Err(diagnostic) => return (None, vec![on(*diagnostic)]),
        };
        self.task.count(|work| work.documents += 1);
        let options = CompileOptions {
            named_value: &|name| self.named_values.get(name).cloned(),
            fragment: &|id| self.fragments.get(&id.to_lowercase()).cloned(),
            backend_exists: &|id| self.backends.contains(&id.to_lowercase()),
            logger_exists: &|id| self.loggers.contains(&id.to_lowercase()),
            certificate_thumbprint: &|id| self.certificates.0.get(&id.to_lowercase()).cloned(),
            certificate: &|id| self.certificate(id),
            schema: &|id| self.schemas.get(&id.to_lowercase()).map(|(_, schema)| schema.clone()),
            ..CompileOptions::new(scope, format)
        };
        let compiled = compile(&text, &options);
        (compiled.document, compiled.diagnostics.into_iter().map(on).collect())
    }

    fn report(&self, diagnostics: &[Diagnostic]) {
        self.task.diagnostics.borrow_mut().extend(diagnostics.iter().cloned());
    }
}

/// Whether a document may name a named value, certificate or schema, itself or in a fragment.
fn names_values(resource: &Resource) -> bool {
    let text = resource.properties().get("value").and_then(|value| value.as_str()).unwrap_or_default();
    ["{{", "include-fragment", "certificate-id", "schema-id"].iter().any(|name| text.contains(name))
}

/// A SHA-256 over all names and values, and over the schemas with their revisions.
fn identity(values: &HashMap<String, String>, schemas: &Schemas) -> [u8; 32] {
    let mut sorted: Vec<_> = values.iter().collect();
    sorted.sort();
    let mut hash = Sha256::new();
    for text in sorted.into_iter().flat_map(|(name, value)| [name, value]) {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text);
    }
    for (name, (revision, _)) in schemas {
        hash.update(revision.to_be_bytes());
        hash.update(name);
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

/// Loggers that are event hubs, by lower-case id.
fn hubs(task: &Task<'_>) -> BTreeSet<String> {
    let is_hub = |resource: &&Arc<Resource>| {
        let kind = resource.properties().get("loggerType").and_then(|kind| kind.as_str());
        kind.is_some_and(|kind| kind.eq_ignore_ascii_case("azureEventHub"))
    };
    let loggers = task.graph.children(&task.resource.id, "loggers").filter(is_hub);
    loggers.map(|resource| resource.name().to_lowercase()).collect()
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
