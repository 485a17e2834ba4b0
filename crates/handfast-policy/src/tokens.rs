//! Keys of token issuers, as the host hands them to `validate-jwt` and `validate-azure-ad-token`.

use handfast_pki::jose::KeySet;
use std::sync::Arc;

/// What an issuer's metadata led to. A host shares one value between requests for as long as the keys are the
/// same, and makes another when they change: policies tell versions apart by the pointer.
#[derive(Debug)]
pub struct IssuerKeys {
    /// The issuer of its tokens; `{tenantid}` stands for the token's tenant.
    pub issuer: String,
    /// Its keys.
    pub keys: KeySet,
}

/// The keys behind some metadata documents, in the order of the request.
#[derive(Debug)]
pub struct FoundKeys {
    /// One per address.
    pub issuers: Vec<Arc<IssuerKeys>>,
    /// Whether they are the answer to a request for newer ones.
    pub newer: bool,
}

/// A metadata document or its keys that could not be had, in the host's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeysUnavailable(pub String);
