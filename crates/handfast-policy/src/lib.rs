//! API Management policy documents, from text to behaviour.
//!
//! 1. [`reader`] turns text (`xml` or `rawxml`) into a [`tree`] with positions.
//! 2. [`compile`](compile()) puts named values and fragments in, checks it with the real service's messages, and
//!    makes a [`ScopedDocument`].
//! 3. [`compile_effective`] composes the documents of a request's scopes to a [`Plan`].
//! 4. [`Machine`] runs a plan over a [`Context`], step by step; the host does the IO.
//!
//! One policy is one module under `policies`, with its schema, its compile function and its step. [`cases`]
//! runs text files that say which requests give which responses.
//!
//! A value that may be an expression is a [`setting`]; what expressions see of a request is the [`view`].
//!
//! *Not* here: sockets, files, the clock, fetching keys of token issuers, API matching.

pub mod cases;
mod certificate;
mod compile;
mod context;
mod convert;
mod failure;
mod liquid;
mod machine;
mod patterns;
mod plan;
mod policies;
mod position;
mod prompt;
pub mod reader;
mod schema;
mod section;
mod setting;
mod tenant;
mod tokens;
mod trace;
pub mod tree;
mod usage;
mod view;

pub use handfast_expression::Value;

pub use certificate::{ClientCertificate, Revocation, Trust};
pub use compile::{
    CompileOptions, Compiled, DOCUMENT_BYTES_MAX, FragmentSource, ServiceCertificate, compile,
};
pub use context::{
    ApiIdentity, BackendTarget, Body, CertificateSelection, Context, DeploymentIdentity, Entropy, Example,
    GroupIdentity, OperationIdentity, PfxBody, ProductIdentity, ProxySelection, Response,
    SubscriptionIdentity, UserIdentity, Variables,
};
pub use failure::{Answer, Failure, LastError};
pub use machine::Machine;
pub use machine::io::{
    BackendVersion, BodyForm, Cached, CachedContent, ConnectionRequest, CountRequest, CountWhen, Counted,
    ForwardFailure, ForwardOptions, ForwardRequest, HubEvent, Input, MetricSample, Output, Permit,
    QuotaPeriod, QuotaUsage, ReadFailure, SendRequest, Settlement, Side, TokenFailure, Verdict,
};
pub use patterns::compile as schema_pattern;
pub use plan::{Node, Plan, ScopedDocument, compile_effective};
pub use policies::names as built_policies;
pub use position::Position;
pub use prompt::cosine_distance;
pub use reader::Format;
pub use schema::messages::target as diagnostic_target;
pub use schema::{CATALOGUE, CatalogueEntry};
pub use section::{Scope, Scopes, Section, Sections};
/// Tenants of Microsoft Entra ID and what speaks like it.
pub use tenant::{
    AUTHORITY as TENANT_AUTHORITY, issuers_of_metadata as tenant_issuers, metadata as tenant_metadata,
};
pub use tokens::{FoundKeys, IssuerKeys, KeysUnavailable};
pub use trace::{Detail, TraceRecord, trace_document};
pub use usage::{StreamWork, TokenStream, TokenUsage, TokenUse};
