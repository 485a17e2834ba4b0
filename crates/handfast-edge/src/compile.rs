//! Documents to plans. Each part reports what is wrong with it and is left out; a listener that cannot be
//! compiled keeps its last good version.

mod backends;
mod checks;
mod children;
mod listeners;
mod rewrites;
mod routing;
mod ssl_policy;

use crate::pages::Pages;
use crate::plan::{EdgePlan, Frontend, Gateway, Underscores};
use children::Children;
use handfast_core::{Clock, Diagnostic, UnixTime};
use handfast_model::{ChangeSet, Graph, Material, Report, Resource, View, kind};
use handfast_net::tls::TrustSet;
pub(crate) use routing::is_path_less;
pub(crate) use ssl_policy::SslPolicy;
use std::sync::Arc;

/// What a compile needs beside the graph.
#[derive(Clone)]
pub struct Environment {
    /// The clock of the engine.
    pub clock: Arc<dyn Clock>,
    /// Trust towards backends whose settings name no roots: the system's and this instance's own CA.
    pub default_trust: Arc<TrustSet>,
    /// Key of affinity cookies; stable for an installation.
    pub affinity_key: [u8; 32],
}

impl Environment {
    fn now(&self) -> UnixTime {
        self.clock.now()
    }
}

/// Compiles every application gateway of the graph. `changes` tells which to look at again; the others, and
/// unchanged parts of those, are taken over from `previous`.
pub fn compile(
    previous: Option<&EdgePlan>,
    graph: &Graph,
    changes: &ChangeSet,
    material: &Material,
    environment: &Environment,
) -> (EdgePlan, Vec<Diagnostic>) {
    let mut plan = EdgePlan::default();
    let mut diagnostics = Vec::new();
    for resource in graph.of_kind(kind::APPLICATION_GATEWAY) {
        let key = resource.id.key().to_owned();
        let before = previous.and_then(|previous| previous.gateways.get(&key));
        if let (Some(before), Some(previous)) = (before, previous)
            && !changes.touches(&resource.id)
        {
            plan.gateways.insert(key.clone(), before.clone());
            let below = format!("{key}/");
            let kept = previous.frontends.iter().filter(|frontend| frontend.name.starts_with(&below));
            plan.frontends.extend(kept.cloned());
            continue;
        }
        let report = Report::of(resource);
        let task = Task {
            graph,
            resource,
            material,
            environment,
            previous: before.map(|before| &**before),
            plan: previous,
        };
        let (gateway, frontends) = task.compile(&report);
        plan.gateways.insert(key, gateway);
        plan.frontends.extend(frontends);
        diagnostics.extend(report.into_diagnostics());
    }
    (plan, diagnostics)
}

/// The compile of one gateway.
struct Task<'a> {
    graph: &'a Graph,
    resource: &'a Resource,
    material: &'a Material,
    environment: &'a Environment,
    previous: Option<&'a Gateway>,
    plan: Option<&'a EdgePlan>,
}

impl<'a> Task<'a> {
    fn compile(&self, report: &Report) -> (Arc<Gateway>, Vec<Frontend>) {
        let root = View::of(self.resource, report);
        let properties = root.field("properties");
        checks::run(self, &root, &properties);
        let children = Children::read(self.resource, &properties);
        let rewrites = rewrites::compile(&properties);
        let backends = backends::Backends::compile(self, &properties, &children);
        let redirects = routing::redirects(&properties, &children);
        let (rules, broken) =
            routing::rules(self, &properties, &children, &backends, &redirects, &rewrites.sets);
        let hosts = listeners::Listeners::compile(self, &properties, &children, rules, broken);
        let gateway = Arc::new(Gateway {
            log_id: self.resource.id.as_str().to_uppercase(),
            listeners: hosts.by_name(),
            backends: backends.into_map(),
            stripped_headers: self.stripped_headers(&root, rewrites.certificate_headers),
            pages: self.pages(&properties),
            underscores: self.underscores(),
        });
        let frontends = hosts.frontends(self, &gateway);
        (gateway, frontends)
    }

    /// The frontends of this gateway in the plan before.
    fn previous_frontends(&self) -> impl Iterator<Item = &'a Frontend> + use<'a> {
        let key = format!("{}/", self.resource.id.key());
        self.plan
            .into_iter()
            .flat_map(|plan| &plan.frontends)
            .filter(move |frontend| frontend.name.starts_with(&key))
    }

    fn pages(&self, properties: &View<'_>) -> Pages {
        let hide =
            properties.field("globalConfiguration").bool_or("disableDefaultServerHeaderInResponse", false);
        let token = self.resource.tag("handfast:serverToken").filter(|token| checks::is_server_token(token));
        let token = token.unwrap_or("Handfast").to_owned();
        Pages { token, server_header: !hide }
    }

    /// A wrong word was reported with the tags; then the default holds.
    fn underscores(&self) -> Underscores {
        match self.resource.tag("handfast:headers.underscores").map(str::to_ascii_lowercase).as_deref() {
            Some("allow") => Underscores::Allow,
            Some("reject") => Underscores::Reject,
            _ => Underscores::Drop,
        }
    }

    fn stripped_headers(&self, root: &View<'_>, headers: Vec<String>) -> Vec<String> {
        const TAG: &str = "handfast:stripClientCertHeaders";
        if self.resource.tag(TAG).is_some_and(|value| value.eq_ignore_ascii_case("false")) {
            if !headers.is_empty() {
                root.field("tags").any(TAG).warning(
                    "ClientCertificateHeadersNotStripped",
                    format!("clients can forge {}: \"{TAG}\" is false", headers.join(", ")),
                );
            }
            return Vec::new();
        }
        headers
    }
}
