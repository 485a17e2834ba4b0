//! The gateway on a real engine: a graph built with commands, compiled, and served over TLS in front of
//! services that demand a client certificate.

mod first;
mod world;
