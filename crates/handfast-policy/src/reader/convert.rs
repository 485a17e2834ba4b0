//! Writes a document in the other text form (specification 1.3, last paragraphs). Only the values are
//! rewritten; comments, indentation and order of the author stay.

use super::entity::{escape_attribute, escape_text};
use super::scan::expression_len;
use super::{Format, Tree, ValueSpan};

/// The document as `xml` or `rawxml`; `source` is the text that `tree` was read from.
pub fn write(source: &str, tree: &Tree, format: Format) -> String {
    let mut out = String::with_capacity(source.len() + source.len() / 8);
    let mut at = 0;
    for span in &tree.spans {
        out.push_str(source.get(at..span.start).unwrap_or_default());
        let original = source.get(span.start..span.end).unwrap_or_default();
        match format {
            Format::Xml if tree.well_formed && !span.is_expression => out.push_str(original),
            Format::Xml => escape(span, &mut out),
            Format::RawXml if span.is_expression && reads_back(span) => out.push_str(&span.decoded),
            Format::RawXml => out.push_str(original),
        }
        at = span.end;
    }
    out.push_str(source.get(at..).unwrap_or_default());
    out
}

fn escape(span: &ValueSpan, out: &mut String) {
    match span.quote {
        Some(quote) => escape_attribute(&span.decoded, quote, out),
        None => escape_text(&span.decoded, out),
    }
}

/// Whether the tolerant reader would find the same end of the expression.
fn reads_back(span: &ValueSpan) -> bool {
    let text = span.decoded.trim();
    expression_len(text.as_bytes(), span.quote) == Ok(text.len())
}
