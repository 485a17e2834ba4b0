//! Tests against fixtures of the `openssl` command line and against rustls-webpki.

#[path = "../support/openssl.rs"]
mod openssl;

mod certificates;
mod differential;
mod edge;
mod hostile;
mod paths;
mod pem;
mod pfx;
