//! `handfast policy check`: what saving a document would say, as text, JSON or SARIF.

use super::{count, find, read, sarif};
use crate::cli::PolicyScope;
use crate::output::{self, Failure};
use handfast_core::{Diagnostic, Place};
use handfast_policy::{CompileOptions, Format, FragmentSource, Scope, compile};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// How the findings are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Report {
    /// For people: the line with a caret.
    Text,
    /// An array with an object per document.
    Json,
    /// SARIF 2.1.0, for code scanning services.
    Sarif,
}

/// A document and what is wrong with it.
pub(super) struct Checked {
    pub(super) file: PathBuf,
    pub(super) found: Vec<Diagnostic>,
}

/// Checks files and folders; fails when one document would be refused.
pub(super) fn run(paths: &[PathBuf], scope: PolicyScope, report: Report) -> Result<(), Failure> {
    let scope = scope.scope();
    let mut documents = Vec::new();
    for file in find(paths, &["xml", "cshtml"])? {
        let text = read(&file)?;
        let found = check_text(&text, scope);
        if report == Report::Text {
            for diagnostic in &found {
                output::print(&excerpt(&file, &text, diagnostic));
            }
        }
        documents.push(Checked { file, found });
    }
    let wrong = documents.iter().filter(|one| one.found.iter().any(Diagnostic::is_error)).count();
    match report {
        Report::Text => {
            output::note(&format!("{} checked, {wrong} refused", count(documents.len(), "document")));
        }
        Report::Json => {
            let value = |one: &Checked| json!({ "file": one.file.display().to_string(), "diagnostics": one.found.iter().map(as_value).collect::<Vec<_>>() });
            print_json(&documents.iter().map(value).collect());
        }
        Report::Sarif => print_json(&sarif::log(&documents)),
    }
    if wrong == 0 {
        Ok(())
    } else {
        Err(Failure::Message(format!("{} would be refused", count(wrong, "document"))))
    }
}

fn print_json(value: &Value) {
    output::print(&serde_json::to_string_pretty(value).unwrap_or_default());
}

/// Checks a document on its own: fragments, named values and backends may be anywhere, so they all exist.
fn check_text(text: &str, scope: Scope) -> Vec<Diagnostic> {
    let fragment = |_: &str| Some(FragmentSource { text: "<fragment />".to_owned(), format: Format::RawXml });
    let mut options = CompileOptions::new(scope, Format::RawXml);
    options.fragment = &fragment;
    options.backend_exists = &|_| true;
    let keep = |name: &str| Some(format!("{{{{{name}}}}}"));
    options.named_value = &keep;
    compile(text, &options).diagnostics
}

fn as_value(diagnostic: &Diagnostic) -> Value {
    let (line, column) = position(diagnostic).unwrap_or_default();
    json!({
        "severity": diagnostic.severity.as_str(),
        "code": diagnostic.code,
        "line": line,
        "column": column,
        "message": diagnostic.message,
        "help": diagnostic.help,
    })
}

pub(super) fn position(diagnostic: &Diagnostic) -> Option<(u32, u32)> {
    match diagnostic.place {
        Some(Place::Text { line, column, .. }) => Some((line, column)),
        _ => None,
    }
}

/// `file:line:column: severity[code]: message`, and below it the line with a caret.
fn excerpt(file: &Path, text: &str, diagnostic: &Diagnostic) -> String {
    let label = output::paint_severity(
        diagnostic.severity,
        &format!("{}[{}]", diagnostic.severity.as_str(), diagnostic.code),
    );
    let Some((line, column)) = position(diagnostic) else {
        return format!("{}: {label}: {}", file.display(), diagnostic.message);
    };
    let mut out = format!("{}:{line}:{column}: {label}: {}", file.display(), diagnostic.message);
    if let Some(source) = text.lines().nth(line.saturating_sub(1) as usize) {
        let number = line.to_string();
        let margin = " ".repeat(number.len());
        // Tabs stay tabs, so that the caret stands under its character.
        let lead: String = source
            .chars()
            .take(column.saturating_sub(1) as usize)
            .map(|c| if c == '\t' { '\t' } else { ' ' })
            .collect();
        out.push_str(&format!("\n{margin} |\n{number} | {source}\n{margin} | {lead}^"));
    }
    if let Some(help) = &diagnostic.help {
        out.push_str(&format!("\n  help: {help}"));
    }
    out
}
