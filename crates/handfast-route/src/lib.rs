//! Neutral layer-7 matching: host patterns and paths, in the terms of no particular product. Edge, gateway
//! and ingress compile their own documents to it.
//!
//! *Not* here: sockets, certificates, resource documents, policies.

pub mod host;
pub mod path;

pub use host::{HostPattern, HostPatternError};
pub use path::{PathError, normalise};
