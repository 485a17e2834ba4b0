//! What a gateway document compiles to: immutable, shared by all cores, read once per request.

use crate::affinity::Affinity;
use crate::compile::SslPolicy;
use crate::pages::Pages;
use crate::probe::Prober;
use crate::rewrite::RewriteSet;
use handfast_net::balance::{Pool, Server};
use handfast_net::tls::{ClientTls, Identity};
use handfast_net::{Address, ListenerState, UpstreamTimeouts};
use handfast_pki::Credential;
use handfast_pki::edge::ClientProfile;
use handfast_route::HostPattern;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// All gateways of a graph.
#[derive(Default)]
pub struct EdgePlan {
    pub(crate) gateways: BTreeMap<String, Arc<Gateway>>,
    pub(crate) frontends: Vec<Frontend>,
}

impl EdgePlan {
    /// What to listen on.
    pub fn frontends(&self) -> &[Frontend] {
        &self.frontends
    }

    /// The probers to run: each on one core, until its gateway no longer has it.
    pub fn probers(&self) -> Vec<Prober> {
        self.backends().map(Prober::of).collect()
    }

    /// Takes over from `previous`: servers that are in no pool any more drain, those that are back stay. The
    /// engine must be told ([`handfast_net::Engine::announce`]).
    pub fn settle(&self, previous: &Self) {
        for (key, before) in &previous.gateways {
            let after = self.gateways.get(key);
            for (name, old) in &before.backends {
                let new = after.and_then(|gateway| gateway.backends.get(name));
                if !new.is_some_and(|new| Arc::ptr_eq(new, old)) {
                    Backend::replace(old, new.map(|new| &**new));
                }
            }
        }
    }

    pub(crate) fn backends(&self) -> impl Iterator<Item = &Arc<Backend>> {
        self.gateways.values().flat_map(|gateway| gateway.backends.values())
    }
}

/// One address and port of a gateway.
#[derive(Clone)]
pub struct Frontend {
    /// Gateway and ports, for logs.
    pub name: String,
    /// The address as the graph has it.
    pub address: FrontendAddress,
    /// The port.
    pub port: u16,
    /// What answers.
    pub state: ListenerState,
}

/// An address as the graph has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FrontendAddress {
    /// The address of a publicIPAddress resource, which the host may or may not have.
    Public(IpAddr),
    /// An address of a virtual network.
    Private {
        /// The network's resource id, lower case.
        network: Arc<str>,
        /// The address.
        ip: IpAddr,
    },
}

/// A compiled gateway.
pub(crate) struct Gateway {
    /// Resource id in upper case, as logs have it.
    pub(crate) log_id: String,
    /// By listener name, lower case: what a broken listener falls back to.
    pub(crate) listeners: BTreeMap<String, Arc<CompiledListener>>,
    /// By (pool, settings), lower case.
    pub(crate) backends: BTreeMap<(String, String), Arc<Backend>>,
    /// Request headers that some rewrite set fills from a client certificate: removed on arrival.
    pub(crate) stripped_headers: Vec<String>,
    pub(crate) pages: Pages,
    pub(crate) underscores: Underscores,
}

/// What happens to request headers with `_` in their name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Underscores {
    #[default]
    Drop,
    Allow,
    Reject,
}

/// A compiled HTTP listener.
pub(crate) struct HttpListener {
    pub(crate) name: String,
    pub(crate) https: bool,
    pub(crate) port: u16,
    /// Empty for a basic listener, which takes every host.
    pub(crate) hosts: Vec<HostPattern>,
    pub(crate) client_auth: Option<ClientAuthRule>,
    /// Absent when the listener has no rule that compiles.
    pub(crate) rule: Option<Arc<Rule>>,
}

/// A listener with what its frontend needs.
#[derive(Clone)]
pub(crate) struct CompiledListener {
    pub(crate) key: String,
    pub(crate) listener: Arc<HttpListener>,
    /// Lower-case name of the frontendIPConfiguration.
    pub(crate) frontend: String,
    pub(crate) tls: Option<HostParts>,
    pub(crate) priority: u32,
}

/// What the TLS host of a listener is made from.
#[derive(Clone)]
pub(crate) struct HostParts {
    pub(crate) credential: Arc<Credential>,
    pub(crate) policy: SslPolicy,
    /// Strict, trust version, and names of the CAs.
    pub(crate) auth: Option<(bool, Identity, Vec<Vec<u8>>)>,
}

impl HttpListener {
    pub(crate) fn matches(&self, host: &str) -> bool {
        self.hosts.is_empty() || self.hosts.iter().any(|pattern| pattern.matches(host))
    }
}

/// The client-certificate side of an sslProfile.
#[derive(Clone)]
pub(crate) struct ClientAuthRule {
    pub(crate) strict: bool,
    pub(crate) profile: ClientProfile,
}

/// A request routing rule.
pub(crate) struct Rule {
    pub(crate) name: String,
    pub(crate) priority: u32,
    pub(crate) routing: Routing,
}

pub(crate) enum Routing {
    Basic(Route),
    Paths(PathMap),
}

/// A path map; the first pattern that matches decides.
pub(crate) struct PathMap {
    pub(crate) rules: Vec<PathRule>,
    pub(crate) default: Route,
}

pub(crate) struct PathRule {
    pub(crate) patterns: Vec<PathPattern>,
    pub(crate) route: Route,
}

/// A path of a path rule, lower case: exact, or everything that begins with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PathPattern {
    pub(crate) text: String,
    pub(crate) prefix: bool,
}

impl PathPattern {
    pub(crate) fn matches(&self, path: &str) -> bool {
        if self.prefix {
            path.get(..self.text.len()).is_some_and(|start| start.eq_ignore_ascii_case(&self.text))
        } else {
            path.eq_ignore_ascii_case(&self.text)
        }
    }
}

/// What a rule or path rule leads to.
#[derive(Clone)]
pub(crate) struct Route {
    pub(crate) action: Action,
    pub(crate) rewrite: Option<Arc<RewriteSet>>,
}

#[derive(Clone)]
pub(crate) enum Action {
    Forward(Arc<Backend>),
    Redirect(Arc<Redirect>),
}

/// A redirect configuration.
pub(crate) struct Redirect {
    pub(crate) status: u16,
    pub(crate) target: RedirectTarget,
    pub(crate) include_path: bool,
    pub(crate) include_query: bool,
}

pub(crate) enum RedirectTarget {
    /// Scheme, the single exact host if there is one, port.
    Listener {
        https: bool,
        host: Option<String>,
        port: u16,
    },
    Url(String),
}

/// A pool under HTTP settings.
pub(crate) struct Backend {
    pub(crate) pool_name: String,
    pub(crate) settings: HttpSettings,
    pub(crate) servers: Pool<Member>,
    /// Servers that left the pool: clients whose affinity cookie names one still reach it while it drains.
    pub(crate) leaving: Vec<Server<Member>>,
    pub(crate) probe: ProbeSettings,
    pub(crate) affinity: Option<Affinity>,
}

impl Backend {
    /// A server by its index; those that left the pool come after those that are in it.
    pub(crate) fn server(&self, index: usize) -> Option<&Server<Member>> {
        let servers = self.servers.servers();
        servers.get(index).or_else(|| self.leaving.get(index.checked_sub(servers.len())?))
    }

    fn replace(old: &Self, new: Option<&Self>) {
        let now: &[Server<Member>] = new.map_or(&[], |new| new.servers.servers());
        let drain = new.unwrap_or(old).settings.drain;
        for server in old.servers.servers() {
            if !now.iter().any(|kept| Arc::ptr_eq(&kept.state, &server.state)) {
                server.state.leave(drain);
            }
        }
        for server in now {
            server.state.stay();
        }
    }
}

/// A server of a pool.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Member {
    /// IP literal or FQDN as written.
    pub(crate) host: String,
    /// The address of an IP literal, virtual when it lies in the gateway's network.
    pub(crate) address: Option<Address>,
}

/// A backendHttpSettings entry.
#[derive(Clone)]
pub(crate) struct HttpSettings {
    pub(crate) name: String,
    pub(crate) port: u16,
    pub(crate) tls: Option<Arc<ClientTls>>,
    pub(crate) http2: bool,
    pub(crate) host: BackendHost,
    pub(crate) server_name: Option<String>,
    pub(crate) path: Option<String>,
    pub(crate) timeouts: UpstreamTimeouts,
    /// Our side's address in the virtual network.
    pub(crate) source: Option<IpAddr>,
    /// How long a server that left the pool may go on serving what it began.
    pub(crate) drain: Duration,
    /// Whether a client's connection has backend connections of its own.
    pub(crate) dedicated: bool,
}

/// Which host the backend sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum BackendHost {
    /// The client's.
    Client,
    /// The settings' `hostName`.
    Fixed(String),
    /// The pool member's FQDN.
    Member,
}

/// A probe, with the defaults filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ProbeSettings {
    pub(crate) host: Option<String>,
    pub(crate) path: String,
    pub(crate) port: u16,
    pub(crate) interval_s: u32,
    pub(crate) timeout_s: u32,
    pub(crate) unhealthy_threshold: u32,
    pub(crate) eligible_min: usize,
    pub(crate) statuses: Vec<(u16, u16)>,
    pub(crate) body: Option<String>,
}
