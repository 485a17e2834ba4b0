//! `cargo xtask tidy`: the rules that no compiler checks. Every finding names a file and, where there is one,
//! a line; one finding is enough to fail.

mod directions;
mod size;
mod text;

use crate::ledger;
use crate::workspace::Workspace;
use anyhow::Result;
use std::fmt;

/// Something that breaks a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    /// The file, relative to the root.
    pub(crate) file: String,
    /// 1-based; 0 when the finding is about the whole file.
    pub(crate) line: usize,
    /// What was found and what would be accepted.
    pub(crate) message: String,
}

impl Finding {
    /// A finding about a line, or about the whole file when it is 0.
    pub(crate) fn new(file: impl Into<String>, line: usize, message: impl Into<String>) -> Self {
        Self { file: file.into(), line, message: message.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.file, self.message),
            line => write!(f, "{}:{line}: {}", self.file, self.message),
        }
    }
}

/// Runs all checks and prints what they find.
pub(crate) fn run(workspace: &Workspace) -> Result<bool> {
    let files = workspace.files()?;
    let packages = workspace.packages()?;
    let mut findings = directions::check(&packages);
    let mut long = Vec::new();
    for file in &files {
        let Ok(content) = std::fs::read(workspace.path(file)) else { continue };
        // Corpora and certificates are bytes, not text.
        let Ok(content) = String::from_utf8(content) else { continue };
        findings.extend(text::check(file, &content));
        size::check(file, &content, &mut long, &mut findings);
    }
    findings.extend(ledger::check(workspace)?);
    for (file, lines) in &long {
        println!("note: {file} has {lines} lines; {} are aimed at", size::LINES_AIM);
    }
    for finding in &findings {
        eprintln!("{finding}");
    }
    let count = findings.len();
    println!("tidy: {} files, {} packages, {count} finding(s)", files.len(), packages.len());
    Ok(findings.is_empty())
}
