//! The gateway on a real engine: a graph built with commands, compiled, and served over TLS in front of
//! services that demand a client certificate.

mod backends;
mod change;
mod client_certificates;
mod connections;
mod debug;
mod equality;
mod eventhub;
mod example;
mod expressions;
mod hostile;
mod identity;
mod keys;
mod language_models;
mod log;
mod matching;
mod messages;
mod network;
mod policies;
mod proxies;
mod shared;
mod tokens;
mod upgrade;
mod validation;
mod versions;
mod wait;
mod world;
