//! `handfast policy trace`: one request through a document, or the requests of a case file, step by step.

use super::read;
use crate::cli::TraceOptions;
use crate::output::{self, Failure};
use handfast_core::Severity;
use handfast_policy::cases::{Case, Traced};
use handfast_policy::{Detail, Section, TraceRecord};
use serde_json::Value;
use std::fmt::Write as _;

/// Traces a file.
pub(super) fn run(options: &TraceOptions) -> Result<(), Failure> {
    let text = read(&options.file)?;
    let file = options.file.display();
    let case = match options.file.extension().is_some_and(|extension| extension == "case") {
        true => Case::parse(&text).map_err(|error| Failure::Message(format!("{file}: {error}")))?,
        false => {
            let backend = options.backend.as_deref().map(read).transpose()?;
            Case::of_document(options.scope.scope(), &text, &request(options), backend.as_deref())
        }
    };
    let traced = case.trace().map_err(|error| Failure::Message(format!("{file}: {error}")))?;
    let (diagnostics, requests) = traced;
    if diagnostics.iter().any(handfast_core::Diagnostic::is_error) {
        return Err(diagnostics.into());
    }
    output::diagnostics(&diagnostics);
    if options.json {
        let documents = requests.iter().map(|one| serde_json::from_str::<Value>(&one.document));
        let documents: Vec<Value> = documents.collect::<Result<_, _>>().map_err(Failure::new)?;
        output::print(&serde_json::to_string_pretty(&documents).unwrap_or_default());
        return Ok(());
    }
    for one in &requests {
        output::print(&shown(one));
    }
    Ok(())
}

/// The request as a case file writes it.
fn request(options: &TraceOptions) -> String {
    let mut text = format!("{} {}\n", options.method, options.target);
    for header in &options.headers {
        text.push_str(header.trim());
        text.push('\n');
    }
    if let Some(body) = &options.data {
        text.push('\n');
        text.push_str(body);
    }
    text
}

fn shown(one: &Traced) -> String {
    let mut out = format!("{}\n", output::paint_good(&one.request));
    let mut section: Option<Section> = None;
    let width = one.records.iter().map(|record| record.path.chars().count()).max().unwrap_or(0).min(48);
    for record in &one.records {
        if section != Some(record.section) {
            section = Some(record.section);
            let _ = writeln!(out, "{}", record.section.as_str());
        }
        write_record(&mut out, record, width);
    }
    if !one.variables.is_empty() {
        out.push_str("variables\n");
        for line in &one.variables {
            let _ = writeln!(out, "  {line}");
        }
    }
    if !one.last_error.is_empty() {
        let _ = writeln!(out, "{}", output::paint_severity(Severity::Error, "last error"));
        for line in &one.last_error {
            let _ = writeln!(out, "  {line}");
        }
    }
    let _ = writeln!(out, "response\n  {} {}", one.response.status, one.response.reason);
    for (name, value) in one.response.fields.iter() {
        let _ = writeln!(out, "  {}: {}", String::from_utf8_lossy(name), String::from_utf8_lossy(value));
    }
    if !one.body.is_empty() {
        let _ = writeln!(out, "\n{}", String::from_utf8_lossy(&one.body).trim_end());
    }
    out
}

fn write_record(out: &mut String, record: &TraceRecord, width: usize) {
    let scope = record.scope.map_or("-", |scope| scope.as_str());
    let elapsed = format!("{} ms", record.elapsed.as_millis());
    let _ = writeln!(out, "  {elapsed:>8}  {scope:<9}  {:<width$}  {}", record.path, record.message);
    for (name, detail) in &record.details {
        match detail {
            Detail::Text(text) => {
                let _ = writeln!(out, "              {name}: {text}");
            }
            Detail::Request { method, url, headers } => {
                let _ = writeln!(out, "              {name}: {method} {url}");
                write_headers(out, headers);
            }
            Detail::Response { status, reason, headers } => {
                let _ = writeln!(out, "              {name}: {status} {reason}");
                write_headers(out, headers);
            }
        }
    }
}

fn write_headers(out: &mut String, headers: &[(String, String)]) {
    for (name, value) in headers {
        let _ = writeln!(out, "                {name}: {value}");
    }
}
