//! Findings as SARIF 2.1.0 (OASIS), which code hosting services show at the lines that they are about.

use super::check::{Checked, position};
use handfast_core::{Diagnostic, Severity};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// The whole log: one run, one rule for each code.
pub(super) fn log(documents: &[Checked]) -> Value {
    let codes: BTreeSet<&str> =
        documents.iter().flat_map(|one| &one.found).map(|diagnostic| diagnostic.code).collect();
    let results: Vec<Value> = documents
        .iter()
        .flat_map(|one| one.found.iter().map(|diagnostic| result(&one.file.to_string_lossy(), diagnostic)))
        .collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [ {
            "tool": { "driver": {
                "name": "handfast",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": codes.iter().map(|code| json!({ "id": code })).collect::<Vec<_>>(),
            } },
            // Columns count characters.
            "columnKind": "unicodeCodePoints",
            "results": results,
        } ],
    })
}

fn result(file: &str, diagnostic: &Diagnostic) -> Value {
    let level = match diagnostic.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Info => "note",
    };
    let mut text = diagnostic.message.clone();
    if let Some(help) = &diagnostic.help {
        text.push_str(&format!(" ({help})"));
    }
    let mut location = json!({ "artifactLocation": { "uri": uri(file) } });
    if let Some((line, column)) = position(diagnostic) {
        location["region"] = json!({ "startLine": line.max(1), "startColumn": column.max(1) });
    }
    json!({
        "ruleId": diagnostic.code,
        "level": level,
        "message": { "text": text },
        "locations": [ { "physicalLocation": location } ],
    })
}

/// A path as a URI reference (RFC 3986): relative ones stay relative, which is what services expect.
fn uri(file: &str) -> String {
    let mut out = String::new();
    for byte in file.trim_start_matches("./").bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'/' | b'-' | b'.' | b'_' | b'~' => {
                out.push(byte as char)
            }
            other => out.push_str(&format!("%{other:02X}")),
        }
    }
    if file.starts_with('/') { format!("file://{out}") } else { out }
}
