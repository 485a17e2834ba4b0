//! What service documents compile to: immutable, shared by all cores, read once per request.

use crate::backend::Backend;
use crate::connections::Connections;
use crate::debug::DebugKey;
use crate::eventhub::EventHub;
use crate::identity::IdentityEndpoint;
use crate::key_sets::KeySets;
use crate::keys::KeyIndex;
use crate::router::template::Operations;
use crate::router::{ApiRoute, Router};
use crate::shared::Shared;
use crate::tls_clients::TlsClients;
use handfast_core::Diagnostic;
use handfast_model::ResourceId;
use handfast_net::ListenerState;
use handfast_net::tls::{TlsHost, TrustSet};
use handfast_pki::Credential;
use handfast_policy::{
    ApiIdentity, DeploymentIdentity, OperationIdentity, Plan, ProductIdentity, ScopedDocument,
    compile_effective,
};
use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, OnceLock};

/// All services of a graph.
#[derive(Default)]
pub struct GatewayPlan {
    pub(crate) services: BTreeMap<String, Arc<ApiService>>,
    pub(crate) frontends: Vec<Frontend>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) work: Work,
}

/// What a compile did anew rather than take over from the plan before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// Policy documents compiled.
    pub documents: usize,
    /// APIs read from their resources.
    pub apis: usize,
    /// APIs tied to their documents and products again.
    pub entries: usize,
    /// Certificates read.
    pub certificates: usize,
}

impl GatewayPlan {
    /// What the compile that made this plan did anew.
    pub fn work(&self) -> Work {
        self.work
    }

    /// What to listen on.
    pub fn frontends(&self) -> &[Frontend] {
        &self.frontends
    }

    /// `listTrace` of a service: the document of a traced request, as long as it is kept.
    pub fn trace(&self, service: &ResourceId, id: &str, now_ms: u64) -> Option<Arc<str>> {
        self.shared.traces.find(service.key(), id, now_ms).map(|trace| trace.document)
    }

    /// Host names in lower case, and where each is served.
    pub fn names(&self) -> Vec<(String, FrontendAddress)> {
        let of_service = |service: &Arc<ApiService>| {
            let address = service.exposure.preferred();
            let names = service.hosts.iter().map(|host| host.name.clone());
            names.filter_map(|name| Some((name, address.clone()?))).collect::<Vec<_>>()
        };
        self.services.values().flat_map(of_service).collect()
    }
}

/// One address and port of the gateway.
#[derive(Clone)]
pub struct Frontend {
    /// Name for logs.
    pub name: String,
    /// The address as the graph has it.
    pub address: FrontendAddress,
    /// The port.
    pub port: u16,
    /// What answers.
    pub state: ListenerState,
}

/// Where a gateway host is served.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FrontendAddress {
    /// The front door, which all services outside a virtual network share.
    FrontDoor,
    /// An address of a virtual network.
    Private {
        /// The network's resource id, lower case.
        network: Arc<str>,
        /// The address.
        ip: IpAddr,
    },
}

/// Where a service can be reached (edge specification §2.4).
#[derive(Clone, Default)]
pub(crate) struct Exposure {
    pub(crate) front_door: bool,
    pub(crate) private: Option<PrivateAddress>,
}

/// An address of a service inside a virtual network.
#[derive(Clone)]
pub(crate) struct PrivateAddress {
    pub(crate) network: Arc<str>,
    pub(crate) ip: IpAddr,
    pub(crate) prefixes: Vec<ipnet::IpNet>,
    /// Only sources inside the network may connect.
    pub(crate) internal: bool,
}

impl Exposure {
    fn preferred(&self) -> Option<FrontendAddress> {
        if self.front_door {
            return Some(FrontendAddress::FrontDoor);
        }
        self.private.as_ref().map(PrivateAddress::address)
    }
}

impl PrivateAddress {
    pub(crate) fn address(&self) -> FrontendAddress {
        FrontendAddress::Private { network: self.network.clone(), ip: self.ip }
    }

    pub(crate) fn contains(&self, ip: IpAddr) -> bool {
        self.prefixes.iter().any(|prefix| prefix.contains(&ip))
    }
}

/// A compiled service.
pub(crate) struct ApiService {
    pub(crate) id: ResourceId,
    /// Resource id in upper case, as logs have it.
    pub(crate) log_id: String,
    /// Resource name.
    pub(crate) name: String,
    /// What policies see of it.
    pub(crate) deployment: Arc<DeploymentIdentity>,
    pub(crate) hosts: Vec<GatewayHost>,
    pub(crate) exposure: Exposure,
    /// Whether a request without a client certificate is refused (Consumption tier, ARM specification §12.3).
    pub(crate) demands_certificate: bool,
    pub(crate) apis: Arc<Apis>,
    pub(crate) products: Arc<Products>,
    pub(crate) keys: Arc<Keys>,
    /// By lower-case name.
    pub(crate) backends: HashMap<String, Arc<Backend>>,
    /// Event hubs by lower-case name.
    pub(crate) loggers: HashMap<String, Arc<EventHub>>,
    /// Client certificates by lower-case name.
    pub(crate) credentials: BTreeMap<String, Arc<Credential>>,
    /// Names of certificates that were read from their document, with its revision then.
    pub(crate) credential_revisions: BTreeMap<String, u64>,
    /// SHA-1 thumbprints of all certificates by lower-case name.
    pub(crate) thumbprints: BTreeMap<String, String>,
    /// Of the credential manager.
    pub(crate) connections: Connections,
    /// The object id of its system-assigned identity.
    pub(crate) principal: Option<String>,
    /// Where the tenants of callers are, when a token has to be believed that no policy checks.
    pub(crate) token_authority: String,
    pub(crate) tls: Arc<TlsClients>,
    /// The keys of token issuers, as long as what they are verified with stays the same.
    pub(crate) key_sets: Arc<KeySets>,
    /// Roots and intermediates that client certificates are judged with.
    pub(crate) client_trust: Arc<TrustSet>,
    /// The global document of the service's own.
    pub(crate) own_global: Option<Document>,
    /// SHA-256 over the named values that the documents were compiled with.
    pub(crate) named_values: [u8; 32],
    /// Schemas of the service by lower-case name, with the revision of their document.
    pub(crate) schemas: Schemas,
    /// The global document alone: what runs when nothing matches.
    pub(crate) global: Arc<Plan>,
    pub(crate) global_document: Arc<ScopedDocument>,
    pub(crate) shared: Arc<Shared>,
    /// Where tokens of its identities come from.
    pub(crate) identity: Option<Arc<IdentityEndpoint>>,
    /// What debug tokens are signed with.
    pub(crate) debug_key: Arc<DebugKey>,
}

/// A host name of a service.
#[derive(Clone)]
pub(crate) struct GatewayHost {
    /// Lower case.
    pub(crate) name: String,
    pub(crate) tls: Arc<TlsHost>,
    /// Whether clients are asked for a certificate.
    pub(crate) asks: bool,
    /// Whether it serves clients without or with an unknown server name.
    pub(crate) default: bool,
    /// The revision of the service's document that the certificate was read from, if it stands there.
    pub(crate) read_at: Option<u64>,
}

/// A compiled policy document.
#[derive(Clone)]
pub(crate) struct Document {
    pub(crate) document: Arc<ScopedDocument>,
    pub(crate) wants_certificate: bool,
    /// Whether its text may name what has no id in it: named values, and certificates.
    pub(crate) names_values: bool,
    /// What the last compile said; with an error among it the document is the last good one.
    pub(crate) diagnostics: Arc<[Diagnostic]>,
}

impl Document {
    pub(crate) fn new(
        document: Arc<ScopedDocument>,
        names_values: bool,
        diagnostics: Arc<[Diagnostic]>,
    ) -> Self {
        let wants_certificate = compile_effective(std::slice::from_ref(&document)).wants_client_certificate();
        Self { document, wants_certificate, names_values, diagnostics }
    }
}

/// Policy documents by resource id key of the policy.
pub(crate) type Documents = BTreeMap<String, Document>;

/// APIs of products by family: index, and whether the product needs no subscription.
pub(crate) type Memberships = HashMap<String, Vec<(usize, bool)>>;

/// The products of a service.
#[derive(Default)]
pub(crate) struct Products {
    pub(crate) list: Vec<Product>,
    /// Lower-case resource names, in the order of the list.
    pub(crate) names: Vec<String>,
    pub(crate) memberships: Memberships,
    pub(crate) documents: Documents,
    /// Whether each can be used, and none may name a named value or certificate.
    pub(crate) settled: bool,
    /// What was found when they were read.
    pub(crate) diagnostics: Vec<Diagnostic>,
}

impl Products {
    /// By index: whether effective plans made with that product of the others hold with this one.
    pub(crate) fn same_as(&self, others: &Self) -> Vec<bool> {
        let same = |(index, product): (usize, &Product)| {
            let Some(other) = others.list.get(index) else { return false };
            let documents = match (&product.document, &other.document) {
                (Some(a), Some(b)) => Arc::ptr_eq(a, b),
                (None, None) => true,
                _ => false,
            };
            documents && product.identity == other.identity
        };
        self.list.iter().enumerate().map(same).collect()
    }
}

/// Compiled schemas by lower-case name, with the revision of the document that they were read from.
pub(crate) type Schemas = BTreeMap<String, (u64, Arc<handfast_openapi::contract::Compiled>)>;

/// The APIs of a service.
#[derive(Default)]
pub(crate) struct Apis {
    pub(crate) router: Router,
    /// What the router's results index.
    pub(crate) entries: Vec<Arc<ApiEntry>>,
    /// The same by resource id: what an untouched API keeps and a broken one falls back to.
    pub(crate) by_id: HashMap<ResourceId, Arc<ApiEntry>>,
    /// Whether some document looks at client certificates.
    pub(crate) wants_certificate: bool,
    /// Whether some document may name a named value or certificate.
    pub(crate) names_values: bool,
    /// Whether every API is served.
    pub(crate) complete: bool,
    /// What was found when they were read.
    pub(crate) diagnostics: Vec<Diagnostic>,
}

/// The keys of a service, and what was found when they were read.
#[derive(Default)]
pub(crate) struct Keys {
    pub(crate) index: KeyIndex,
    pub(crate) diagnostics: Vec<Diagnostic>,
}

/// A product.
pub(crate) struct Product {
    pub(crate) identity: Arc<ProductIdentity>,
    pub(crate) document: Option<Arc<ScopedDocument>>,
}

/// One API revision.
pub(crate) struct Api {
    pub(crate) id: ResourceId,
    pub(crate) identity: Arc<ApiIdentity>,
    pub(crate) base_url: Option<Arc<str>>,
    pub(crate) subscription_required: bool,
    pub(crate) key_header: String,
    pub(crate) key_query: String,
    pub(crate) matcher: Operations,
    pub(crate) operations: Vec<Operation>,
    /// Served by protocol upgrade only.
    pub(crate) websocket: bool,
}

/// An operation of an API.
pub(crate) struct Operation {
    pub(crate) id: ResourceId,
    pub(crate) identity: Arc<OperationIdentity>,
    /// Names of the query parameters of the URL template.
    pub(crate) query_names: Vec<String>,
}

/// An API among the documents around it.
pub(crate) struct ApiEntry {
    pub(crate) api: Arc<Api>,
    /// Resource name without revision.
    pub(crate) family: String,
    /// How requests reach it; the target is filled in when the router is made.
    pub(crate) route: ApiRoute,
    pub(crate) document: Option<Arc<ScopedDocument>>,
    /// By operation.
    pub(crate) operation_documents: Vec<Option<Arc<ScopedDocument>>>,
    /// All of its documents, as the next compile takes them over.
    pub(crate) documents: Documents,
    /// Products that contain the API, as indices.
    pub(crate) products: Vec<usize>,
    /// The product that needs no subscription.
    pub(crate) open_product: Option<usize>,
    /// The products as they were read.
    pub(crate) members: Vec<(usize, bool)>,
    /// Whether some document of its own looks at client certificates.
    pub(crate) wants_certificate: bool,
    /// Whether some document of its own may name a named value or certificate.
    pub(crate) names_values: bool,
    /// What was found when it was read.
    pub(crate) diagnostics: Vec<Diagnostic>,
    /// Effective plans by operation (the last row: none) and product (the first column: none), composed when
    /// first needed.
    plans: Box<[OnceLock<Arc<Plan>>]>,
}

impl ApiEntry {
    /// An API with its own documents and those of its operations, in the products of `members`.
    pub(crate) fn new(
        api: Arc<Api>,
        route: ApiRoute,
        family: String,
        documents: Documents,
        members: &[(usize, bool)],
    ) -> Self {
        let products: Vec<usize> = members.iter().map(|(product, _)| *product).collect();
        let count = (api.operations.len() + 1) * (products.len() + 1);
        let of = |owner: &ResourceId| {
            let id = owner.child("policies", "policy");
            documents.get(id.key()).map(|document| document.document.clone())
        };
        Self {
            document: of(&api.id),
            operation_documents: api.operations.iter().map(|operation| of(&operation.id)).collect(),
            plans: (0..count).map(|_| OnceLock::new()).collect(),
            open_product: members.iter().find(|(_, open)| *open).map(|(product, _)| *product),
            members: members.to_vec(),
            wants_certificate: documents.values().any(|document| document.wants_certificate),
            names_values: documents.values().any(|document| document.names_values),
            diagnostics: Vec::new(),
            api,
            route,
            family,
            documents,
            products,
        }
    }

    /// The effective plan of an operation in the context of a product (an index of the service's).
    pub(crate) fn plan(
        &self,
        service: &ApiService,
        operation: Option<usize>,
        product: Option<usize>,
    ) -> Arc<Plan> {
        let row = operation.unwrap_or(self.api.operations.len());
        let column = product
            .and_then(|product| self.products.iter().position(|known| *known == product))
            .map_or(0, |position| position + 1);
        let compose = || {
            let own = operation.and_then(|operation| self.operation_documents.get(operation)?.clone());
            let product = product.and_then(|product| service.products.list.get(product)?.document.clone());
            let chain: Vec<Arc<ScopedDocument>> = [own, self.document.clone(), product]
                .into_iter()
                .flatten()
                .chain([service.global_document.clone()])
                .collect();
            Arc::new(compile_effective(&chain))
        };
        match self.plans.get(row * (self.products.len() + 1) + column) {
            Some(slot) => slot.get_or_init(compose).clone(),
            None => compose(),
        }
    }
}
