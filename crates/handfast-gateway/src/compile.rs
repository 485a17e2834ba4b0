//! Documents to plans. Each part reports what is wrong with it and is left out or keeps its last good
//! version. What would be open without a broken policy is not served at all.

mod access;
mod apis;
mod backends;
mod certificates;
mod connections;
mod contracts;
mod frontends;
mod hosts;
mod loggers;
mod policies;
mod touched;

use crate::debug::DebugKey;
use crate::identity::IdentityEndpoint;
use crate::plan::{ApiService, GatewayPlan, Work};
use crate::shared::Shared;
use crate::tls_clients::TlsClients;
use handfast_core::{Clock, Diagnostic};
use handfast_model::{ChangeSet, Graph, Material, Report, Resource, View, kind};
use handfast_net::tls::TrustSet;
use handfast_pki::Credential;
use handfast_policy::{DeploymentIdentity, TENANT_AUTHORITY};
use policies::Policies;
use std::cell::{Cell, RefCell};
use std::sync::Arc;
use touched::Touched;

/// Gives a certificate of the instance's CA for a host name.
pub type Issue = Arc<dyn Fn(&str) -> Option<Arc<Credential>> + Send + Sync>;

/// What a compile needs beside the graph.
#[derive(Clone)]
pub struct Environment {
    /// The clock of the engine.
    pub clock: Arc<dyn Clock>,
    /// Trust towards backends: the system's roots and this instance's own CA.
    pub default_trust: Arc<TrustSet>,
    /// Certificates of the instance's CA for host names, cached by the caller.
    pub issue: Issue,
    /// Where tokens of managed identities come from.
    pub identity: Option<Arc<IdentityEndpoint>>,
    /// What debug tokens are signed with.
    pub debug_key: Arc<DebugKey>,
    /// The base URL of the Dapr sidecar, when it is not `http://localhost:3500`.
    pub dapr: Option<Arc<str>>,
    /// The domain of gateway hosts, `azure-api.net` for instance.
    pub domain: String,
}

/// Compiles every service of the graph. `changes` tells which to look at again; the others are taken over
/// from `previous`.
pub fn compile(
    previous: Option<&GatewayPlan>,
    graph: &Graph,
    changes: &ChangeSet,
    material: &Material,
    env: &Environment,
) -> (GatewayPlan, Vec<Diagnostic>) {
    let shared = previous.map_or_else(Arc::default, |previous| previous.shared.clone());
    let mut plan = GatewayPlan { shared, ..GatewayPlan::default() };
    let mut diagnostics = Vec::new();
    for resource in graph.of_kind(kind::SERVICE) {
        let key = resource.id.key().to_owned();
        let before = previous.and_then(|previous| previous.services.get(&key));
        if let Some(before) = before.filter(|_| !changes.touches(&resource.id)) {
            plan.services.insert(key, before.clone());
            continue;
        }
        let task = Task {
            graph,
            resource,
            changes,
            material,
            env,
            previous: before.map(|before| &**before),
            shared: &plan.shared,
            touched: Touched::of(changes, &resource.id),
            work: Cell::new(plan.work),
            diagnostics: RefCell::default(),
        };
        let service = task.compile();
        plan.work = task.work.get();
        diagnostics.extend(task.diagnostics.into_inner());
        plan.services.insert(key, Arc::new(service));
    }
    plan.frontends = frontends::frontends(&plan.services, &mut diagnostics);
    (plan, diagnostics)
}

/// The compile of one service.
struct Task<'a> {
    graph: &'a Graph,
    resource: &'a Resource,
    changes: &'a ChangeSet,
    material: &'a Material,
    env: &'a Environment,
    previous: Option<&'a ApiService>,
    shared: &'a Arc<Shared>,
    touched: Touched,
    work: Cell<Work>,
    diagnostics: RefCell<Vec<Diagnostic>>,
}

/// Properties that would change what is let through, and are not built: refused, not ignored.
const REFUSED: &[(&str, &str)] = &[("additionalLocations", "additional locations are not available yet")];

impl<'a> Task<'a> {
    fn compile(&self) -> ApiService {
        let report = Report::of(self.resource);
        let root = View::of(self.resource, &report);
        let properties = root.field("properties");
        for (name, why) in REFUSED {
            let found = properties.any(name);
            if found.value().as_array().map_or(found.exists(), |items| !items.is_empty()) {
                found.error("PropertyNotSupported", format!("\"{name}\" is refused: {why}"));
            }
        }
        if self.graph.children(&self.resource.id, "workspaces").next().is_some() {
            root.warning("WorkspacesNotAvailable", "workspaces have no effect: they are not available yet");
        }
        let sku = root.field("sku").str("name");
        let consumption = sku.is_some_and(|name| name.eq_ignore_ascii_case("Consumption"));
        let exposure = hosts::exposure(self, &properties);
        let (client_trust, backend_trust) = certificates::trust(self, &properties);
        let certificates = certificates::certificates(self);
        let credentials = certificates.credentials;
        let backends = backends::backends(self, &credentials);
        let previous_tls = self.previous.map(|previous| &*previous.tls);
        let tls = TlsClients::new(backend_trust, credentials.values(), &self.env.clock, previous_tls);
        let kept = self.previous.filter(|previous| previous.tls.trust_id() == tls.trust_id());
        let key_sets = kept.map_or_else(Arc::default, |previous| previous.key_sets.clone());
        let found = (&certificates.thumbprints, &credentials, &certificates.bare);
        let policies = Policies::new(self, backends.keys(), found);
        let global = policies.global();
        let products = access::products(self, &policies);
        let apis = apis::apis(self, &policies, &products, &global);
        let keys = access::keys(self, &products);
        let named_values = policies.values_id();
        let schemas = policies.schemas();
        let shared = global.own.iter().chain(products.documents.values());
        let wants = shared.into_iter().any(|document| document.wants_certificate) || apis.wants_certificate;
        let deployment = Arc::new(DeploymentIdentity {
            service_name: self.resource.name().to_owned(),
            service_id: self.resource.id.as_str().to_owned(),
            region: root.str("location").unwrap_or_default().to_owned(),
            gateway_id: "managed".to_owned(),
            instance_id: "managed".to_owned(),
            certificates: credentials.iter().map(|(name, one)| (name.clone(), one.clone())).collect(),
            backends: backends.iter().filter_map(|(id, one)| Some((id.clone(), one.url()?))).collect(),
            trust: Some(Arc::new(client_trust.trust().clone())),
            dapr: self.env.dapr.clone(),
        });
        let hosts = hosts::hosts(self, &properties, wants, client_trust.id());
        let demands_certificate = consumption && properties.bool_or("enableClientCertificate", false);
        let authority = self.resource.tag("handfast:tokenAuthority").unwrap_or(TENANT_AUTHORITY);
        let token_authority = authority.to_owned();
        self.take(report);
        ApiService {
            id: self.resource.id.clone(),
            log_id: self.resource.id.as_str().to_uppercase(),
            name: self.resource.name().to_owned(),
            hosts,
            exposure,
            demands_certificate,
            apis,
            products,
            keys,
            backends,
            loggers: loggers::loggers(self, policies.named_values()),
            credentials,
            credential_revisions: certificates.revisions,
            thumbprints: certificates.thumbprints,
            connections: connections::connections(self),
            principal: self.resource.computed_str("/identity/principalId").map(str::to_owned),
            token_authority,
            tls: Arc::new(tls),
            key_sets,
            client_trust,
            own_global: global.own,
            named_values,
            schemas,
            global: global.plan,
            global_document: global.document,
            shared: self.shared.clone(),
            identity: self.env.identity.clone(),
            debug_key: self.env.debug_key.clone(),
            deployment,
        }
    }

    /// Takes over what a report found.
    fn take(&self, report: Report) {
        self.diagnostics.borrow_mut().extend(report.into_diagnostics());
    }

    /// Counts what is done anew.
    fn count(&self, add: impl FnOnce(&mut Work)) {
        let mut work = self.work.get();
        add(&mut work);
        self.work.set(work);
    }

    /// Runs a part of the compile and returns what it found beside its result; that is also reported.
    fn watched<T>(&self, part: impl FnOnce() -> T) -> (T, Vec<Diagnostic>) {
        let before = self.diagnostics.borrow().len();
        let result = part();
        let found = self.diagnostics.borrow().get(before..).unwrap_or_default().to_vec();
        (result, found)
    }

    /// Reports again what was found when a part was compiled that is taken over now.
    fn again(&self, found: &[Diagnostic]) {
        self.diagnostics.borrow_mut().extend_from_slice(found);
    }

    /// The children of the service in a collection, each with a report that is taken over afterwards.
    fn each_child(&self, collection: &str, mut read: impl FnMut(&'a Arc<Resource>, &View<'_>)) {
        for resource in self.graph.children(&self.resource.id, collection) {
            let report = Report::of(resource);
            read(resource, &View::of(resource, &report));
            self.take(report);
        }
    }
}
