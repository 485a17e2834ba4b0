//! The policies that are built: one module each, one table of them.
//!
//! A module holds the element's schema, a compile function that turns a checked element into a step, and the
//! step. Where it may stand is a row of the catalogue; what it does is shown by the cases of its name.

mod authentication_basic;
mod authentication_certificate;
mod authentication_managed_identity;
mod backend_call;
mod cache_response;
mod cache_value;
mod check_header;
mod choose;
mod convert_body;
pub(crate) mod cors;
pub(crate) mod cross_domain;
mod dapr;
mod dimension;
mod emit_metric;
mod find_and_replace;
mod forward_request;
mod get_authorization_context;
mod include_fragment;
mod ip_filter;
mod jsonp;
mod limit_concurrency;
mod llm_content_safety;
mod log_to_eventhub;
mod mock_response;
mod multimap;
mod proxy;
mod quota;
mod rate_limit;
mod read;
mod redirect_content_urls;
mod refreshed_value;
mod retry;
mod return_response;
mod rewrite_uri;
mod semantic_cache;
mod send_request;
mod service_bus;
mod set_backend_service;
mod set_body;
mod set_header;
mod set_method;
pub(crate) mod set_query_parameter;
mod set_status;
mod set_variable;
mod token;
mod token_limit;
mod token_metric;
mod trace;
mod validate_azure_ad_token;
mod validate_client_certificate;
mod validate_content;
mod validate_headers;
mod validate_jwt;
mod validate_parameters;
mod validate_status_code;
mod validation;
mod wait;
mod whole_body;
mod xsl_transform;

use crate::compile::{Compiler, Parts};
use crate::schema::ElementSchema;
use crate::tree::Element;

/// One built policy.
pub(crate) struct Policy {
    pub(crate) name: &'static str,
    pub(crate) schema: &'static ElementSchema,
    /// Called with an element that the schema has passed. `None` when it reported something.
    pub(crate) compile: fn(&Element, &mut Compiler<'_>) -> Option<Parts>,
}

static ALL: &[&Policy] = &[
    &authentication_basic::POLICY,
    &authentication_certificate::POLICY,
    &authentication_managed_identity::POLICY,
    &token_metric::AZURE_OPENAI,
    &semantic_cache::AZURE_LOOKUP,
    &semantic_cache::AZURE_STORE,
    &token_limit::AZURE_OPENAI,
    &cache_response::LOOKUP,
    &cache_value::LOOKUP,
    &cache_value::REMOVE,
    &cache_response::STORE,
    &cache_value::STORE,
    &refreshed_value::POLICY,
    &check_header::POLICY,
    &choose::POLICY,
    &cors::POLICY,
    &cross_domain::POLICY,
    &emit_metric::POLICY,
    &find_and_replace::POLICY,
    &forward_request::POLICY,
    &get_authorization_context::POLICY,
    &include_fragment::POLICY,
    &dapr::INVOKE,
    &ip_filter::POLICY,
    &convert_body::TO_XML,
    &jsonp::POLICY,
    &limit_concurrency::POLICY,
    &llm_content_safety::POLICY,
    &token_metric::LLM,
    &semantic_cache::LOOKUP,
    &semantic_cache::STORE,
    &token_limit::LLM,
    &log_to_eventhub::POLICY,
    &mock_response::POLICY,
    &proxy::POLICY,
    &dapr::PUBLISH,
    &quota::POLICY,
    &quota::BY_KEY,
    &rate_limit::POLICY,
    &rate_limit::BY_KEY,
    &redirect_content_urls::POLICY,
    &retry::POLICY,
    &return_response::POLICY,
    &rewrite_uri::POLICY,
    &send_request::ONE_WAY,
    &send_request::POLICY,
    &service_bus::POLICY,
    &set_backend_service::POLICY,
    &set_body::POLICY,
    &set_header::POLICY,
    &set_method::POLICY,
    &set_query_parameter::POLICY,
    &set_status::POLICY,
    &set_variable::POLICY,
    &trace::POLICY,
    &validate_azure_ad_token::POLICY,
    &validate_client_certificate::POLICY,
    &validate_content::POLICY,
    &validate_headers::POLICY,
    &validate_jwt::POLICY,
    &validate_parameters::POLICY,
    &validate_status_code::POLICY,
    &wait::POLICY,
    &convert_body::TO_JSON,
    &xsl_transform::POLICY,
];

/// The policy of an element name.
pub(crate) fn find(name: &str) -> Option<&'static Policy> {
    ALL.iter().copied().find(|policy| policy.name == name)
}

/// The names of the policies that are built, sorted.
pub fn names() -> impl Iterator<Item = &'static str> {
    ALL.iter().map(|policy| policy.name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::CATALOGUE;

    #[test]
    fn every_policy_is_in_the_catalogue_and_sorted() {
        let all: Vec<&str> = names().collect();
        assert!(all.is_sorted());
        assert!(all.iter().all(|name| CATALOGUE.iter().any(|entry| entry.name == *name)));
    }
}
