//! What service documents compile to: immutable, shared by all cores, read once per request.

use crate::backend::Backend;
use crate::counters::Counters;
use crate::keys::KeyIndex;
use crate::router::Router;
use crate::router::template::Operations;
use crate::tls_clients::TlsClients;
use handfast_core::Diagnostic;
use handfast_model::ResourceId;
use handfast_net::ListenerState;
use handfast_net::tls::{TlsHost, TrustSet};
use handfast_pki::Credential;
use handfast_policy::{
    ApiIdentity, OperationIdentity, Plan, ProductIdentity, ScopedDocument, compile_effective,
};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, OnceLock};

/// All services of a graph.
#[derive(Default)]
pub struct GatewayPlan {
    pub(crate) services: BTreeMap<String, Arc<ApiService>>,
    pub(crate) frontends: Vec<Frontend>,
    pub(crate) counters: Arc<Counters>,
}

impl GatewayPlan {
    /// What to listen on.
    pub fn frontends(&self) -> &[Frontend] {
        &self.frontends
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
    pub(crate) hosts: Vec<GatewayHost>,
    pub(crate) exposure: Exposure,
    /// Whether a request without a client certificate is refused (Consumption tier, ARM specification §12.3).
    pub(crate) demands_certificate: bool,
    pub(crate) router: Router,
    /// What the router's results index.
    pub(crate) apis: Vec<ApiEntry>,
    /// What broken APIs fall back to, by resource id key.
    pub(crate) apis_by_key: BTreeMap<String, Arc<Api>>,
    /// APIs whose document has errors now: their diagnostics are made again with every compile.
    pub(crate) broken_apis: BTreeSet<String>,
    pub(crate) products: Vec<Product>,
    pub(crate) keys: KeyIndex,
    /// By lower-case name.
    pub(crate) backends: HashMap<String, Arc<Backend>>,
    /// Client certificates by lower-case name.
    pub(crate) credentials: BTreeMap<String, Arc<Credential>>,
    pub(crate) tls: Arc<TlsClients>,
    /// Roots and intermediates that client certificates are judged with.
    pub(crate) client_trust: Arc<TrustSet>,
    /// By resource id key of the policy.
    pub(crate) documents: BTreeMap<String, Document>,
    /// SHA-256 over the named values that the documents were compiled with.
    pub(crate) named_values: [u8; 32],
    /// The global document alone: what runs when nothing matches.
    pub(crate) global: Arc<Plan>,
    pub(crate) global_document: Arc<ScopedDocument>,
    pub(crate) counters: Arc<Counters>,
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
}

/// A compiled policy document.
#[derive(Clone)]
pub(crate) struct Document {
    pub(crate) document: Arc<ScopedDocument>,
    pub(crate) wants_certificate: bool,
    /// What the last compile said; with an error among it the document is the last good one.
    pub(crate) diagnostics: Arc<[Diagnostic]>,
}

impl Document {
    pub(crate) fn new(document: Arc<ScopedDocument>, diagnostics: Arc<[Diagnostic]>) -> Self {
        let wants_certificate = compile_effective(std::slice::from_ref(&document)).wants_client_certificate();
        Self { document, wants_certificate, diagnostics }
    }
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
    pub(crate) document: Option<Arc<ScopedDocument>>,
    /// By operation.
    pub(crate) operation_documents: Vec<Option<Arc<ScopedDocument>>>,
    /// Products that contain the API, as indices.
    pub(crate) products: Vec<usize>,
    /// The product that needs no subscription.
    pub(crate) open_product: Option<usize>,
    /// Effective plans by operation (the last row: none) and product (the first column: none), composed when
    /// first needed.
    plans: Box<[OnceLock<Arc<Plan>>]>,
}

impl ApiEntry {
    pub(crate) fn new(
        api: Arc<Api>,
        family: String,
        documents: (Option<Arc<ScopedDocument>>, Vec<Option<Arc<ScopedDocument>>>),
        products: Vec<usize>,
        open_product: Option<usize>,
    ) -> Self {
        let count = (api.operations.len() + 1) * (products.len() + 1);
        let plans = (0..count).map(|_| OnceLock::new()).collect();
        let (document, operation_documents) = documents;
        Self { api, family, document, operation_documents, products, open_product, plans }
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
            let product = product.and_then(|product| service.products.get(product)?.document.clone());
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
