//! The edge: `Microsoft.Network/applicationGateways` documents compiled to plans, and the plans run as a
//! [`handfast_net::Service`].
//!
//! [`compile`] is total: what is wrong with one listener, rule or certificate is a diagnostic, and the rest
//! serves. A listener that no longer compiles keeps its last good version. [`EdgePlan::frontends`] says
//! what to listen on; [`EdgePlan::probers`] what to run beside.
//!
//! *Not* here: sockets, TLS records, HTTP framing (`handfast-net`), and path validation (`handfast-pki`).

mod affinity;
mod client_auth;
mod compile;
mod forward;
mod log;
mod pages;
mod pipeline;
mod plan;
mod probe;
mod rewrite;
mod summary;
mod variables;

pub use compile::{Environment, compile};
pub use plan::{EdgePlan, Frontend, FrontendAddress};
pub use probe::{Prober, ServerHealth};
