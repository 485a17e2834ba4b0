//! The section matrix (specification 11.1): every policy name, where it may stand, how often.
//! It has the policies that are not built too, so that a document using one is told so by name.

use crate::section::Scope::{Api, Global, Operation, Product, Workspace};
use crate::section::Section::{Backend, Inbound, OnError, Outbound};
use crate::section::{Scopes, Sections};

/// One row of the matrix.
#[derive(Debug)]
pub struct Entry {
    /// The element name.
    pub name: &'static str,
    /// The sections in which it may stand.
    pub sections: Sections,
    /// The scopes at which it may stand.
    pub scopes: Scopes,
    /// Whether it may stand only once per section of one document.
    pub once: bool,
}

const ANYWHERE: Sections = Sections::of(&[Inbound, Backend, Outbound, OnError]);

const fn entry(name: &'static str, sections: Sections, scopes: Scopes, once: bool) -> Entry {
    Entry { name, sections, scopes, once }
}

/// All policies, by name.
pub static ALL: &[Entry] = &[
    entry("authentication-basic", Sections::of(&[Inbound]), Scopes::ALL, false),
    entry("authentication-certificate", Sections::of(&[Inbound]), Scopes::ALL, false),
    entry("authentication-managed-identity", Sections::of(&[Inbound, Outbound]), Scopes::ALL, false),
    entry("azure-openai-emit-token-metric", Sections::of(&[Inbound]), Scopes::ALL, false),
    entry(
        "azure-openai-semantic-cache-lookup",
        Sections::of(&[Inbound]),
        Scopes::of(&[Global, Product, Api, Operation]),
        true,
    ),
    entry(
        "azure-openai-semantic-cache-store",
        Sections::of(&[Outbound]),
        Scopes::of(&[Global, Product, Api, Operation]),
        true,
    ),
    entry("azure-openai-token-limit", Sections::of(&[Inbound]), Scopes::ALL, false),
    entry("cache-lookup", Sections::of(&[Inbound]), Scopes::ALL, true),
    entry("cache-lookup-value", ANYWHERE, Scopes::ALL, false),
    entry("cache-remove-value", ANYWHERE, Scopes::ALL, false),
    entry("cache-store", Sections::of(&[Outbound]), Scopes::ALL, false),
    entry("cache-store-value", ANYWHERE, Scopes::ALL, false),
    // Known to the authoring library only (specification 5.6).
    entry("cache-value", ANYWHERE, Scopes::ALL, false),
    entry("check-header", Sections::of(&[Inbound]), Scopes::ALL, false),
    entry("choose", ANYWHERE, Scopes::ALL, false),
    entry("cors", Sections::of(&[Inbound]), Scopes::ALL, true),
    entry("cross-domain", Sections::of(&[Inbound]), Scopes::of(&[Global]), true),
    entry("emit-metric", ANYWHERE, Scopes::ALL, false),
    entry("find-and-replace", ANYWHERE, Scopes::ALL, false),
    entry("forward-request", Sections::of(&[Backend]), Scopes::ALL, false),
    entry("get-authorization-context", Sections::of(&[Inbound, Backend, Outbound]), Scopes::ALL, false),
    entry("include-fragment", ANYWHERE, Scopes::ALL, false),
    entry(
        "invoke-dapr-binding",
        Sections::of(&[Inbound, Outbound, OnError]),
        Scopes::of(&[Global, Product, Api, Operation]),
        false,
    ),
    entry("ip-filter", Sections::of(&[Inbound]), Scopes::ALL, false),
    entry("json-to-xml", ANYWHERE, Scopes::ALL, false),
    entry("jsonp", Sections::of(&[Outbound]), Scopes::ALL, true),
    entry("limit-concurrency", ANYWHERE, Scopes::ALL, false),
    entry(
        "llm-content-safety",
        Sections::of(&[Inbound, Outbound]),
        Scopes::of(&[Global, Workspace, Product, Api]),
        false,
    ),
    entry("llm-emit-token-metric", Sections::of(&[Inbound]), Scopes::ALL, false),
    entry(
        "llm-semantic-cache-lookup",
        Sections::of(&[Inbound]),
        Scopes::of(&[Global, Product, Api, Operation]),
        true,
    ),
    entry(
        "llm-semantic-cache-store",
        Sections::of(&[Outbound]),
        Scopes::of(&[Global, Product, Api, Operation]),
        true,
    ),
    entry("llm-token-limit", Sections::of(&[Inbound]), Scopes::ALL, false),
    entry("log-to-eventhub", ANYWHERE, Scopes::ALL, false),
    entry("mock-response", Sections::of(&[Inbound, Outbound, OnError]), Scopes::ALL, false),
    entry("proxy", Sections::of(&[Inbound]), Scopes::ALL, false),
    entry(
        "publish-to-dapr",
        Sections::of(&[Inbound, Outbound, OnError]),
        Scopes::of(&[Global, Product, Api, Operation]),
        false,
    ),
    entry("quota", Sections::of(&[Inbound]), Scopes::of(&[Product]), true),
    entry("quota-by-key", Sections::of(&[Inbound]), Scopes::ALL, false),
    entry("rate-limit", Sections::of(&[Inbound]), Scopes::of(&[Product, Api, Operation]), true),
    entry("rate-limit-by-key", Sections::of(&[Inbound]), Scopes::ALL, false),
    entry("redirect-content-urls", Sections::of(&[Inbound, Outbound]), Scopes::ALL, true),
    entry("retry", ANYWHERE, Scopes::ALL, false),
    entry("return-response", ANYWHERE, Scopes::ALL, false),
    entry("rewrite-uri", Sections::of(&[Inbound]), Scopes::ALL, false),
    entry("send-one-way-request", ANYWHERE, Scopes::ALL, false),
    entry("send-request", ANYWHERE, Scopes::ALL, false),
    entry(
        "send-service-bus-message",
        Sections::of(&[Inbound, Outbound, OnError]),
        Scopes::of(&[Global, Product, Api, Operation]),
        false,
    ),
    entry("set-backend-service", ANYWHERE, Scopes::ALL, false),
    entry("set-body", ANYWHERE, Scopes::ALL, false),
    entry("set-header", ANYWHERE, Scopes::ALL, false),
    entry("set-method", ANYWHERE, Scopes::ALL, false),
    entry("set-query-parameter", ANYWHERE, Scopes::ALL, false),
    entry("set-status", ANYWHERE, Scopes::ALL, false),
    entry("set-variable", ANYWHERE, Scopes::ALL, false),
    entry("trace", ANYWHERE, Scopes::ALL, false),
    entry("validate-azure-ad-token", Sections::of(&[Inbound]), Scopes::ALL, false),
    entry("validate-client-certificate", Sections::of(&[Inbound]), Scopes::ALL, false),
    entry("validate-content", Sections::of(&[Inbound, Outbound, OnError]), Scopes::ALL, false),
    entry(
        "validate-graphql-request",
        Sections::of(&[Inbound]),
        Scopes::of(&[Global, Workspace, Product, Api]),
        true,
    ),
    entry("validate-headers", Sections::of(&[Outbound, OnError]), Scopes::ALL, true),
    entry("validate-jwt", Sections::of(&[Inbound]), Scopes::ALL, false),
    entry(
        "validate-odata-request",
        Sections::of(&[Inbound]),
        Scopes::of(&[Global, Workspace, Product, Api]),
        true,
    ),
    entry("validate-parameters", Sections::of(&[Inbound]), Scopes::ALL, true),
    entry("validate-status-code", Sections::of(&[Outbound, OnError]), Scopes::ALL, true),
    entry("wait", ANYWHERE, Scopes::ALL, false),
    entry("xml-to-json", ANYWHERE, Scopes::ALL, false),
    entry("xsl-transform", Sections::of(&[Inbound, Outbound, OnError]), Scopes::ALL, true),
];

/// The row of a name.
pub(crate) fn find(name: &str) -> Option<&'static Entry> {
    ALL.binary_search_by(|entry| entry.name.cmp(name)).ok().and_then(|index| ALL.get(index))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_sorted_and_unique() {
        assert!(ALL.windows(2).all(|pair| pair[0].name < pair[1].name));
        assert!(ALL.iter().all(|entry| find(entry.name).is_some()));
    }
}
