//! Policy documents, template files and template expressions.

use handfast_policy::reader::{self, Format};
use handfast_policy::tree::{Element, Node};
use handfast_policy::{CompileOptions, Scope as PolicyScope, compile};
use handfast_template::{Deployment, Parameters, Scope, Template, parse_json};
use serde_json::{Value, json};
use std::fmt::Write;

/// Well-formed XML is also accepted as raw XML with the same elements; a place lies inside the text; the
/// compiler refuses with a reason or gives a document.
pub(crate) fn policy(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let lines = text.lines().count().max(1) + 1;
    match (reader::read(text, Format::Xml), reader::read(text, Format::RawXml)) {
        (Ok(strict), Ok(raw)) => {
            assert!(strict.well_formed && raw.well_formed);
            let written = reader::write(text, &strict, Format::Xml);
            let again = reader::read(&written, Format::Xml).expect("own XML is readable");
            assert_eq!(shape(&strict.root), shape(&again.root));
        }
        (Ok(_), Err(error)) => panic!("well-formed XML must also be raw XML: {error}"),
        (Err(error), _) => assert!(error.position().line as usize <= lines, "{error}"),
    }
    for format in [Format::Xml, Format::RawXml] {
        let compiled = compile(text, &CompileOptions::new(PolicyScope::Api, format));
        let refused = compiled.diagnostics.iter().any(handfast_core::Diagnostic::is_error);
        assert_eq!(compiled.document.is_none(), refused, "refused exactly when there is an error");
    }
}

/// The element with its children, attributes and text, without positions.
fn shape(element: &Element) -> String {
    let mut out = format!("<{}", element.name);
    for attribute in &element.attributes {
        let _ = write!(out, " {}={:?}", attribute.name, attribute.value.text());
    }
    for node in &element.children {
        match node {
            Node::Element(child) => out.push_str(&shape(child)),
            Node::Text { text, .. } => {
                let _ = write!(out, "{text:?}");
            }
        }
    }
    out + ">"
}

/// Strict JSON is accepted, what is read writes back stably, and a refused template says why.
pub(crate) fn template(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let read = parse_json(text);
    if serde_json::from_str::<Value>(text).is_ok() {
        // serde_json refuses what nests 128 deep, one level before this reader.
        assert!(read.is_ok(), "strict JSON must be accepted: {read:?}");
    }
    let Ok(value) = read else { return };
    let written = value.to_string();
    let again = parse_json(&written).expect("own JSON is readable");
    assert_eq!(again.to_string(), written);
    match Template::from_value(value, "fuzz.json") {
        Ok(template) => drop(plan(&template)),
        Err(diagnostics) => assert!(!diagnostics.is_empty(), "a refusal must have a reason"),
    }
}

/// An expression in the name and the properties of a resource: it evaluates, or the refusal says why.
pub(crate) fn expression(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let document = json!({
        "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
        "contentVersion": "1.0.0.0",
        "variables": { "v": "fuzz", "list": [1, 2, 3], "map": { "a": { "b": true } } },
        "resources": [{
            "type": "Microsoft.ApiManagement/service", "apiVersion": "2024-05-01",
            "name": format!("[{text}]"), "properties": { "x": format!("[{text}]") }
        }]
    });
    match Template::from_value(document, "fuzz.json") {
        Ok(template) => drop(plan(&template)),
        Err(diagnostics) => assert!(!diagnostics.is_empty(), "a refusal must have a reason"),
    }
}

fn plan(template: &Template) -> Option<usize> {
    let scope = Scope::group("00000000-0000-0000-0000-000000000002", "fuzz");
    match Deployment::new(template, Parameters::new(), scope) {
        Ok(mut deployment) => {
            let planned = deployment.plan().len();
            let _ = deployment.step();
            Some(planned)
        }
        Err(diagnostics) => {
            assert!(!diagnostics.is_empty(), "a refusal must have a reason");
            None
        }
    }
}
