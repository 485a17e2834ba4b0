//! The durable graph, embedded: SQLite in WAL mode, synchronous on every commit, so an acknowledged
//! revision survives `kill -9` and power loss. Resources, sealed secrets and the change feed of one
//! command are written in one transaction, compared and swapped on the graph revision.
//!
//! Secrets are sealed with AES-256-GCM under a key file beside the database (mode 0600, created once,
//! never replaced); the name and version of each secret is authenticated with it, so a sealed value put
//! into another row does not open. Losing the key file loses the secrets: back it up apart.
//!
//! *Not* here: what a command means (that is `handfast-model`), caching, notification of followers.
//! All calls block; asynchronous callers run them on a blocking thread.

mod error;
mod key;
mod schema;
mod seal;
mod store;

pub use error::StoreError;
pub use store::{Commit, Loaded, Store};
