//! The API gateway: `Microsoft.ApiManagement/service` documents compiled to plans, and the plans run as a
//! [`handfast_net::Service`] that hosts the policy machine.
//!
//! [`compile`] is total: what is wrong with one API, policy, backend or certificate is a diagnostic, and the
//! rest serves; a part that no longer compiles keeps its last good version. [`GatewayPlan::frontends`] says
//! what to listen on, [`GatewayPlan::names`] which host name leads where.
//!
//! A request runs through: host, API (`router`), operation, subscription key (`keys`), effective policy
//! (`host`), backend (`forward`), and one log line; when its client may ask for it, a trace (`debug`).
//!
//! *Not* here: sockets, TLS records and HTTP framing (`handfast-net`), what a policy does
//! (`handfast-policy`), path validation (`handfast-pki`).

mod answers;
mod backend;
mod base_url;
mod brought_certificates;
mod client_certificate;
mod coding;
mod compile;
mod connections;
mod dapr;
mod debug;
mod eventhub;
mod flights;
mod forward;
mod host;
mod identity;
mod key_sets;
mod keys;
mod log;
mod metered;
mod pipeline;
mod plan;
mod proxy;
mod router;
mod shared;
mod similar;
mod tls_clients;

pub use compile::{Environment, Issue, compile};
pub use dapr::sidecar_from_environment;
pub use debug::{DebugError, DebugKey, debug_credentials};
pub use identity::IdentityEndpoint;
pub use plan::{Frontend, FrontendAddress, GatewayPlan, Work};
