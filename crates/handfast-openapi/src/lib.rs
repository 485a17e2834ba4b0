//! Descriptions of APIs in a neutral form, and judgement of values by the schemas in them.
//!
//! | module | what it does |
//! |---|---|
//! | [`json`] | JSON text to values that know their place |
//! | [`schema`] | JSON schemas: compiled once, violations with the real service's words |
//! | [`description`] | the neutral description of an API |
//! | [`openapi`] | OpenAPI 2.0, 3.0 and 3.1 to that form |
//! | [`contract`] | the same compiled: each parameter and body with its rule |
//! | [`parameter`] | the text of a parameter as a value |
//! | [`xsd`] | XML schemas for documents and SOAP payloads |
//! | [`graphql`] | schemas and requests of GraphQL, and whether one is valid for the other |
//! | [`pattern`] | the regular expressions in schemas, lent by the caller |
//!
//! A pure crate. *Not* here: fetching documents, the resources of API Management, HTTP messages.

pub mod contract;
pub mod description;
pub mod graphql;
pub mod json;
pub mod openapi;
pub mod parameter;
pub mod pattern;
pub mod schema;
mod xml;
pub mod xsd;
