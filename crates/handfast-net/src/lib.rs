//! The data-plane engine: listeners, TLS, HTTP/1.1 and HTTP/2 on both sides, upstream pools and hop fusion.
//!
//! One current-thread runtime per core; a connection lives on the core that accepted it, and one task drives
//! it together with its upstream connection. Roles (edge, gateway, ingress) are [`Service`]s over one
//! request context that assumes neither TCP nor HTTP/1.1.
//!
//! *Not* here: what a request means. The engine knows no resource, no policy and no route.

pub mod h1;
mod limits;

pub use limits::{GlobalLimits, Limits};
