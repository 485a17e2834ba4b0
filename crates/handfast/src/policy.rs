//! `handfast policy`: check documents without a server, and run case files.

use crate::cli::{PolicyCommand, PolicyScope};
use crate::output::{self, Failure};
use handfast_core::{Diagnostic, Place, Severity};
use handfast_policy::cases::Case;
use handfast_policy::{CompileOptions, Format, FragmentSource, Scope, compile};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// Files larger than this are no policies and no cases.
const FILE_BYTES_MAX: u64 = 4 << 20;

pub(crate) fn run(command: PolicyCommand) -> Result<(), Failure> {
    match command {
        PolicyCommand::Check { paths, scope, json } => check(&paths, scope, json),
        PolicyCommand::Test { paths } => test(&paths),
    }
}

fn check(paths: &[PathBuf], scope: PolicyScope, as_json: bool) -> Result<(), Failure> {
    let files = find(paths, &["xml", "cshtml"])?;
    let scope = match scope {
        PolicyScope::Global => Scope::Global,
        PolicyScope::Workspace => Scope::Workspace,
        PolicyScope::Product => Scope::Product,
        PolicyScope::Api => Scope::Api,
        PolicyScope::Operation => Scope::Operation,
    };
    let (mut wrong, mut documents) = (0, Vec::new());
    for file in &files {
        let text = read(file)?;
        let found = check_text(&text, scope);
        wrong += usize::from(found.iter().any(Diagnostic::is_error));
        if as_json {
            documents.push(json!({ "file": file.display().to_string(), "diagnostics": found.iter().map(as_value).collect::<Vec<_>>() }));
            continue;
        }
        for diagnostic in &found {
            output::print(&excerpt(file, &text, diagnostic));
        }
    }
    if as_json {
        output::print(&serde_json::to_string_pretty(&Value::Array(documents)).unwrap_or_default());
    } else {
        output::note(&format!("{} checked, {wrong} refused", count(files.len(), "document")));
    }
    if wrong == 0 {
        Ok(())
    } else {
        Err(Failure::Message(format!("{} would be refused", count(wrong, "document"))))
    }
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

fn position(diagnostic: &Diagnostic) -> Option<(u32, u32)> {
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

fn test(paths: &[PathBuf]) -> Result<(), Failure> {
    let files = find(paths, &["case"])?;
    let mut failed = 0;
    for file in &files {
        let text = read(file)?;
        let verdict = match Case::parse(&text) {
            Err(error) => Err(format!("  {error}")),
            Ok(case) => match case.run() {
                Err(error) => Err(format!("  {error}")),
                Ok(mismatches) if mismatches.is_empty() => Ok(()),
                Ok(mismatches) => Err(mismatches.iter().map(ToString::to_string).collect()),
            },
        };
        if let Err(report) = verdict {
            failed += 1;
            output::print(&format!(
                "{} {}\n{}",
                output::paint_severity(Severity::Error, "failed"),
                file.display(),
                report.trim_end()
            ));
        }
    }
    output::print(&format!("{} passed, {failed} failed", files.len() - failed));
    if failed == 0 { Ok(()) } else { Err(Failure::Message(format!("{} failed", count(failed, "case")))) }
}

fn count(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

/// The files themselves, and those with one of the endings below folders, in order.
fn find(paths: &[PathBuf], endings: &[&str]) -> Result<Vec<PathBuf>, Failure> {
    let mut files = Vec::new();
    let mut folders: Vec<PathBuf> = Vec::new();
    for path in paths {
        let failed = |error: std::io::Error| Failure::Message(format!("\"{}\": {error}", path.display()));
        if std::fs::metadata(path).map_err(failed)?.is_dir() {
            folders.push(path.clone());
        } else {
            files.push(path.clone());
        }
    }
    while let Some(folder) = folders.pop() {
        let failed = |error: std::io::Error| Failure::Message(format!("\"{}\": {error}", folder.display()));
        for entry in std::fs::read_dir(&folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            // Links are not followed, so that a circle of them has an end.
            let kind = entry.file_type().map_err(failed)?;
            let path = entry.path();
            if kind.is_dir() {
                folders.push(path);
            } else if path
                .extension()
                .and_then(|found| found.to_str())
                .is_some_and(|found| endings.contains(&found))
            {
                files.push(path);
            }
        }
    }
    files.sort();
    if files.is_empty() {
        let endings: Vec<String> = endings.iter().map(|ending| format!("\".{ending}\"")).collect();
        return Err(Failure::Message(format!("no file that ends in {} was found", endings.join(" or "))));
    }
    Ok(files)
}

fn read(file: &Path) -> Result<String, Failure> {
    let failed = |error: std::io::Error| Failure::Message(format!("\"{}\": {error}", file.display()));
    let size = std::fs::metadata(file).map_err(failed)?.len();
    if size > FILE_BYTES_MAX {
        return Err(Failure::Message(format!(
            "\"{}\" has {size} bytes; {FILE_BYTES_MAX} are accepted",
            file.display()
        )));
    }
    std::fs::read_to_string(file).map_err(failed)
}
