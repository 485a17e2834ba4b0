//! `handfast policy`: check documents without a server, run case files, and trace requests, also those of a server.

mod check;
mod debug_token;
mod junit;
mod sarif;
mod test;
mod trace;

use crate::cli::PolicyCommand;
use crate::output::Failure;
use std::path::{Path, PathBuf};

/// Files larger than this are no policies and no cases.
const FILE_BYTES_MAX: u64 = 4 << 20;

pub(crate) fn run(command: PolicyCommand) -> Result<(), Failure> {
    match command {
        PolicyCommand::Check { paths, scope, json, sarif } => {
            let format = match (json, sarif) {
                (true, _) => check::Report::Json,
                (_, true) => check::Report::Sarif,
                _ => check::Report::Text,
            };
            check::run(&paths, scope, format)
        }
        PolicyCommand::DebugToken(options) => debug_token::run(&options),
        PolicyCommand::Trace(options) => trace::run(&options),
        PolicyCommand::Test { paths, update, json, junit } => {
            test::run(&paths, &test::Options { update, json, junit })
        }
    }
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

fn read(file: impl AsRef<Path>) -> Result<String, Failure> {
    let file = file.as_ref();
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
