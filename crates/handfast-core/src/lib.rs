//! The vocabulary that every Handfast crate shares: diagnostics with a place, secrets that cannot be
//! printed, the seams for time and randomness, and the HTTP message heads that travel from the wire
//! codec through roles and policies and back.
//!
//! *Not* here: sockets, files, the wall clock, TLS, resource documents. Nothing in this crate performs IO.

pub mod diagnostic;
pub mod message;
pub mod secret;
pub mod time;

pub use diagnostic::{Diagnostic, Place, Severity};
pub use secret::Secret;
pub use time::{Clock, UnixTime};
