//! The data-plane engine: listeners, TLS, HTTP/1.1 and HTTP/2 on both sides, upstream pools and hop fusion.
//!
//! One current-thread runtime per core; a connection lives on the core that accepted it, and one task drives
//! it together with its upstream connection. Roles (edge, gateway, ingress) are [`Service`]s over one
//! request context that assumes neither TCP nor HTTP/1.1.
//!
//! *Not* here: what a request means. The engine knows no resource, no policy and no route.

mod address;
pub mod balance;
mod body;
mod client;
mod deadline;
mod delivery;
mod engine;
mod exchange;
pub mod h1;
mod h2_body;
mod io;
mod limits;
mod listener;
pub mod proxy_protocol;
mod resolver;
mod server;
mod signal;
pub mod tls;
mod upgrade;
mod writer;

pub use address::{Address, Fabric};
pub use body::{Body, BodyStream};
pub use client::{
    Target, Tunnel, UpstreamError, UpstreamFailure, UpstreamProtocol, UpstreamRequest, UpstreamTimeouts,
};
pub use delivery::{BodyMeter, Delivered, Delivery, EndLine, Received};
pub use engine::{
    BrokenOff, Engine, EngineConfig, ListenError, ListenSource, ListenerPlan, give_way, off_core, sleep,
    within,
};
pub use exchange::{ConnectionInfo, Hop, LocalFuture, Request, Response, Service};
pub use h1::{BodyFailure, Refusal};
pub use limits::{GlobalLimits, Limits};
pub use listener::{Listener, ListenerState, SourceFilter};
pub use resolver::{PrivateName, Resolver, Unresolvable};
pub use server::Core;
pub use upgrade::Upgrade;

/// Names of servers, as TLS checks them.
pub use rustls_pki_types::ServerName;
