//! `handfast policy test`: runs case files, and with `--update` writes what came into them.

use super::{count, find, junit, read};
use crate::output::{self, Failure};
use handfast_core::Severity;
use handfast_policy::cases::{Case, Mismatch};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// What else is wanted.
pub(super) struct Options {
    /// Write what came into the case files.
    pub(super) update: bool,
    /// Print JSON.
    pub(super) json: bool,
    /// Write a JUnit report here.
    pub(super) junit: Option<PathBuf>,
}

/// A case that ran.
pub(super) struct Ran {
    pub(super) file: PathBuf,
    pub(super) title: String,
    pub(super) took: Duration,
    /// Why it failed.
    pub(super) failure: Option<String>,
    updated: bool,
}

/// Runs files and folders; fails when one case does.
pub(super) fn run(paths: &[PathBuf], options: &Options) -> Result<(), Failure> {
    let mut cases = Vec::new();
    for file in find(paths, &["case"])? {
        let case = run_file(file, options.update)?;
        if let (Some(report), false) = (&case.failure, options.json) {
            let label = output::paint_severity(Severity::Error, "failed");
            output::print(&format!("{label} {}: {}\n{}", case.file.display(), case.title, report.trim_end()));
        }
        cases.push(case);
    }
    if let Some(file) = &options.junit {
        let failed =
            |error: std::io::Error| Failure::Message(format!("JUnit report \"{}\": {error}", file.display()));
        std::fs::write(file, junit::report(&cases)).map_err(failed)?;
    }
    let failed = cases.iter().filter(|case| case.failure.is_some()).count();
    if options.json {
        let all: Vec<Value> = cases.iter().map(as_value).collect();
        output::print(&serde_json::to_string_pretty(&all).unwrap_or_default());
    } else {
        output::print(&summary(&cases, failed));
    }
    if failed == 0 { Ok(()) } else { Err(Failure::Message(format!("{} failed", count(failed, "case")))) }
}

fn summary(cases: &[Ran], failed: usize) -> String {
    let updated = cases.iter().filter(|case| case.updated).count();
    let written = if updated == 0 { String::new() } else { format!(", {} updated", count(updated, "file")) };
    format!("{} passed, {failed} failed{written}", cases.len() - failed)
}

fn run_file(file: PathBuf, update: bool) -> Result<Ran, Failure> {
    let text = read(&file)?;
    let started = Instant::now();
    let (title, outcome) = play(&text);
    let mut updated = false;
    let failure = match outcome {
        Err(error) => Some(format!("  {error}")),
        Ok(mismatches) if mismatches.is_empty() => None,
        Ok(mismatches) => {
            let rewritten = update.then(|| rewrite(&text, &mismatches)).flatten();
            match rewritten.filter(|text| play(text).1.is_ok_and(|left| left.is_empty())) {
                Some(text) => {
                    updated = true;
                    write(&file, &text)?;
                    None
                }
                None => Some(mismatches.iter().map(ToString::to_string).collect()),
            }
        }
    };
    Ok(Ran { file, title, took: started.elapsed(), failure, updated })
}

/// The title, and what is not as expected.
fn play(text: &str) -> (String, Result<Vec<Mismatch>, handfast_policy::cases::CaseError>) {
    match Case::parse(text) {
        Err(error) => (String::new(), Err(error)),
        Ok(case) => {
            let outcome = case.run();
            (case.title, outcome)
        }
    }
}

fn write(file: &Path, text: &str) -> Result<(), Failure> {
    std::fs::write(file, text).map_err(|error| Failure::Message(format!("\"{}\": {error}", file.display())))
}

/// The case with what came in place of what was expected; nothing where that is not a matter of an expectation's
/// lines (a request too many). The lines of a section run to the next one.
fn rewrite(text: &str, mismatches: &[Mismatch]) -> Option<String> {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let mut sorted: Vec<&Mismatch> = mismatches.iter().collect();
    sorted.sort_by_key(|mismatch| std::cmp::Reverse(mismatch.line));
    for mismatch in sorted {
        if mismatch.line == 0 && mismatch.what == "diagnostics" {
            lines.push("== expect diagnostics".to_owned());
            lines.extend(mismatch.actual.iter().cloned());
            continue;
        }
        let head = mismatch.line.checked_sub(1)?;
        if !lines.get(head)?.starts_with("== expect ") {
            return None;
        }
        let end = (head + 1..lines.len()).find(|&at| lines[at].starts_with("== ")).unwrap_or(lines.len());
        lines.splice(head + 1..end, mismatch.actual.iter().cloned());
    }
    Some(lines.join("\n") + "\n")
}

fn as_value(case: &Ran) -> Value {
    json!({
        "file": case.file.display().to_string(),
        "title": case.title,
        "passed": case.failure.is_none(),
        "updated": case.updated,
        "failure": case.failure,
        "microseconds": case.took.as_micros() as u64,
    })
}
