//! The gateway on a real engine: a graph built with commands, compiled, and served over TLS in front of
//! services that demand a client certificate.

mod backends;
mod change;
mod client_certificates;
mod connections;
mod debug;
mod equality;
mod example;
mod expressions;
mod identity;
mod keys;
mod log;
mod matching;
mod network;
mod policies;
mod shared;
mod tokens;
mod upgrade;
mod validation;
mod versions;
mod world;
