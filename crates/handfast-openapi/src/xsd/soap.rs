//! SOAP messages: the envelope by its own rules, the payload by the schema (SOAP 1.1 §4, SOAP 1.2 part 1 §5).
//! A fault is the protocol's own; only its details are looked at.

use super::check::document;
use super::{Unjudged, Violation, XmlSchema};
use crate::xml::{self, Element};

/// A version of SOAP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SoapVersion {
    /// 1.1, `text/xml`.
    V11,
    /// 1.2, `application/soap+xml`.
    V12,
}

impl SoapVersion {
    /// The version that a media type speaks of.
    pub fn of_media_type(media_type: &str) -> Option<Self> {
        if media_type.eq_ignore_ascii_case("application/soap+xml") {
            return Some(Self::V12);
        }
        media_type.eq_ignore_ascii_case("text/xml").then_some(Self::V11)
    }

    fn namespace(self) -> &'static str {
        match self {
            Self::V11 => "http://schemas.xmlsoap.org/soap/envelope/",
            Self::V12 => "http://www.w3.org/2003/05/soap-envelope",
        }
    }
}

pub(super) fn check(
    schema: &XmlSchema,
    text: &str,
    version: SoapVersion,
    violations_max: usize,
) -> Result<Vec<Violation>, Unjudged> {
    let envelope = xml::parse(text)?;
    let space = version.namespace();
    let one = |element: &Element, message: String| Ok(vec![Violation { message, place: element.start }]);
    if !envelope.name.is(space, "Envelope") {
        return one(&envelope, format!("The root element must be 'Envelope' in namespace '{space}'."));
    }
    let mut body = None;
    for (index, part) in envelope.elements().enumerate() {
        if part.name.is(space, "Body") && body.is_none() {
            body = Some(part);
        } else if !(part.name.is(space, "Header") && index == 0) {
            let text = format!(
                "The element 'Envelope' in namespace '{space}' has invalid child element '{}'. List of possible elements expected: 'Header, Body' in namespace '{space}'.",
                part.name.local
            );
            return one(part, text);
        }
    }
    let Some(body) = body else {
        let text = format!(
            "The element 'Envelope' in namespace '{space}' has incomplete content. List of possible elements expected: 'Body' in namespace '{space}'."
        );
        return one(&envelope, text);
    };
    let mut found = Vec::new();
    for payload in body.elements().filter(|payload| !payload.name.is(space, "Fault")) {
        let left = violations_max - found.len();
        found.extend(document(schema, payload, left)?);
    }
    Ok(found)
}
