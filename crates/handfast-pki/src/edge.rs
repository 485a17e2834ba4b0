//! Client certificates at the edge, as an Application Gateway treats them: the uploaded trust bundles, the
//! verdict on a presented chain with OpenSSL's reasons, and the values of the certificate variables.
//!
//! The verdict is made after the handshake and never ends it; whoever calls decides by the listener's mode.
//! Revocation by OCSP needs the network and is asked by the caller, after a [`EdgeVerdict::Success`].

mod bundle;
mod variables;
mod verdict;

pub use bundle::{BUNDLE_BYTES_MAX, BundleError, TrustedClientBundle};
pub use variables::CertificateVariables;
pub use verdict::{ClientProfile, EdgeJudgement, EdgeVerdict, judge_edge_client, reason};
