//! What whole-engine tests are made of: a clock that a test sets, certificates from an own CA, services that
//! tell what they saw, an engine with its listeners, and a client that sends bytes as they are given.
//!
//! A dev-dependency only. Panics are its way to fail a test.
#![allow(clippy::expect_used, clippy::missing_panics_doc, reason = "a test helper fails by panicking")]

pub mod client;
pub mod clock;
pub mod corpus;
pub mod engine;
pub mod h2;
pub mod h2_server;
pub mod identities;
pub mod services;
pub mod upstream;

pub use client::{RawClient, RawResponse};
pub use clock::TestClock;
pub use engine::TestEngine;
pub use h2::H2Client;
pub use h2_server::H2Peer;
pub use identities::TestPki;
pub use services::{Echo, Forward, Recorder};
pub use upstream::{Peer, ScriptedUpstream};
