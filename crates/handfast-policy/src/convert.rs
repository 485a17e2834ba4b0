//! Message bodies between JSON and XML, as `json-to-xml`, `xml-to-json` and Liquid templates see them
//! (specification 5.8). What no source confirms stands behind a function of its own.

mod from_json;
mod from_xml;

#[cfg(test)]
mod tests;

pub(crate) use from_json::{JsonOptions, json_to_xml};
pub(crate) use from_xml::{Kind, XmlOptions, elements_by_local_name, xml_to_json};

/// Nesting of elements, objects and arrays.
const DEPTH_MAX: usize = 128;
/// Elements, attributes and members of one document.
const NODES_MAX: usize = 200_000;

/// A body that is not what it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ConvertError {
    /// It is no JSON.
    #[error("the body is no JSON: {0}")]
    Json(String),
    /// It is no XML.
    #[error("the body is no XML: {0}")]
    Xml(String),
    /// It has a document type declaration, which could define entities.
    #[error("the body has a document type declaration, which is not accepted")]
    DocumentType,
    /// It is nested too deeply or has too many parts.
    #[error("the body has more than {0}")]
    TooLarge(&'static str),
}
