//! The parity ledger: `parity/*.json`, one file per area, one row per feature that a user may look for, each
//! with its state and, where it works, a test that shows it.
//!
//! [`check`] keeps the ledger honest: a witness must exist, the rows of policies and template functions must be
//! those of the code's own tables, and the README must show the numbers that the rows give.

mod catalogues;
mod readme;
mod witness;

use crate::tidy::Finding;
use crate::workspace::Workspace;
use anyhow::{Context, Result, bail};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// How far a feature is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// As its users expect; a witness shows it.
    Works,
    /// Useful, with the gap named in the note.
    Partial,
    /// Recognised and refused with a message.
    Refused,
    /// Nothing there.
    NotYet,
}

impl State {
    /// All, in the order of tables.
    pub(crate) const ALL: [Self; 4] = [Self::Works, Self::Partial, Self::Refused, Self::NotYet];

    /// The word in the files.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Works => "works",
            Self::Partial => "partial",
            Self::Refused => "refused",
            Self::NotYet => "not-yet",
        }
    }
}

/// One feature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    /// Its name, as users know it.
    pub(crate) item: String,
    /// How far it is.
    pub(crate) state: State,
    /// `path::test name`, or a case file; empty when there is none.
    pub(crate) witness: String,
    /// What is missing, or how it is meant.
    pub(crate) note: String,
    /// 1-based line in the ledger file.
    pub(crate) line: usize,
}

/// One file of the ledger.
#[derive(Clone, Debug)]
pub(crate) struct Area {
    /// The file, relative to the root.
    pub(crate) file: String,
    /// What the README calls it.
    pub(crate) title: String,
    /// Its rows, in file order.
    pub(crate) rows: Vec<Row>,
}

impl Area {
    /// How many rows are in that state.
    pub(crate) fn count(&self, state: State) -> usize {
        self.rows.iter().filter(|row| row.state == state).count()
    }
}

/// `cargo xtask ledger`.
pub(crate) fn run(workspace: &Workspace) -> Result<bool> {
    let areas = read(workspace)?;
    println!("{}", readme::table(&areas));
    let path = workspace.path(readme::FILE);
    let text = std::fs::read_to_string(&path).unwrap_or_default();
    let Some(written) = readme::replace(&text, &areas) else {
        eprintln!("{}: {}", readme::FILE, readme::NO_SECTION);
        return Ok(false);
    };
    if written != text {
        std::fs::write(&path, written).context("cannot write \"README.md\"")?;
        println!("README.md: section written");
    }
    Ok(true)
}

/// Checks the ledger for `tidy`.
pub(crate) fn check(workspace: &Workspace) -> Result<Vec<Finding>> {
    let areas = read(workspace)?;
    let mut findings = Vec::new();
    for area in &areas {
        check_rows(workspace, area, &mut findings);
        catalogues::check(area, &mut findings);
    }
    let text = std::fs::read_to_string(workspace.path(readme::FILE)).unwrap_or_default();
    match readme::replace(&text, &areas) {
        None => findings.push(Finding::new(readme::FILE, 0, readme::NO_SECTION)),
        Some(written) if written != text => {
            let message = "the ledger section differs from the ledger; \"cargo xtask ledger\" writes it";
            findings.push(Finding::new(readme::FILE, 0, message));
        }
        Some(_) => {}
    }
    Ok(findings)
}

fn check_rows(workspace: &Workspace, area: &Area, findings: &mut Vec<Finding>) {
    let mut seen = BTreeSet::new();
    for row in &area.rows {
        let mut report = |message: String| findings.push(Finding::new(&area.file, row.line, message));
        if !seen.insert(&row.item) {
            report(format!("\"{}\" has two rows", row.item));
        }
        match (row.state, row.witness.is_empty()) {
            (State::Works, true) => report(format!("\"{}\" works, but no witness shows it", row.item)),
            (_, true) => {}
            (_, false) => {
                if let Err(reason) = witness::find(workspace.root(), &row.witness) {
                    report(format!("witness of \"{}\" is gone: {reason}", row.item));
                }
            }
        }
        if row.state == State::Partial && row.note.is_empty() {
            report(format!("\"{}\" is partial; its note must say what is missing", row.item));
        }
    }
}

fn read(workspace: &Workspace) -> Result<Vec<Area>> {
    let files = workspace.files()?;
    let files = files.iter().filter(|file| file.starts_with("parity/") && file.ends_with(".json"));
    files.map(|file| parse(file, &workspace.read(file)?)).collect()
}

/// Reads one file. A row stands on one line, so that a change is one line of a diff.
fn parse(file: &str, text: &str) -> Result<Area> {
    let document: Value = serde_json::from_str(text).with_context(|| format!("\"{file}\" is not JSON"))?;
    let title = document["area"].as_str().with_context(|| format!("\"{file}\" has no \"area\""))?;
    let rows = document["rows"].as_array().with_context(|| format!("\"{file}\" has no \"rows\""))?;
    let lines = text.lines().enumerate().filter(|(_, line)| line.trim_start().starts_with("{ \"item\""));
    let lines: Vec<usize> = lines.map(|(index, _)| index + 1).collect();
    if lines.len() != rows.len() {
        bail!("\"{file}\": every row stands on a line of its own that begins with \"{{ \"item\"\"");
    }
    let rows = rows.iter().zip(lines).map(|(row, line)| {
        parse_row(row, line).with_context(|| format!("\"{file}\" line {line}: row cannot be read"))
    });
    Ok(Area { file: file.to_owned(), title: title.to_owned(), rows: rows.collect::<Result<_>>()? })
}

fn parse_row(row: &Value, line: usize) -> Result<Row> {
    let row: &Map<String, Value> = row.as_object().context("a row is an object")?;
    if let Some(name) = row.keys().find(|k| !["item", "state", "witness", "note"].contains(&k.as_str())) {
        bail!("\"{name}\" is not a member; item, state, witness and note are");
    }
    let text = |name: &str| row.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let state = text("state");
    let state = State::ALL.into_iter().find(|known| known.as_str() == state);
    let state = state.context("\"state\" is works, partial, refused or not-yet")?;
    let item = text("item");
    if item.is_empty() {
        bail!("\"item\" is empty");
    }
    Ok(Row { item, state, witness: text("witness"), note: text("note"), line })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_with_their_lines() {
        let text = concat!(
            "{\n  \"area\": \"Things\",\n  \"rows\": [\n",
            "    { \"item\": \"a\", \"state\": \"works\", \"witness\": \"x.rs::t\" },\n",
            "    { \"item\": \"b\", \"state\": \"not-yet\" }\n  ]\n}\n"
        );
        let area = parse("parity/x.json", text).expect("readable");
        assert_eq!((area.title.as_str(), area.rows.len()), ("Things", 2));
        assert_eq!((area.rows[1].line, area.rows[1].state), (5, State::NotYet));
        assert_eq!(area.count(State::Works), 1);
    }

    #[test]
    fn unknown_states_and_members_are_refused() {
        for row in [
            "{ \"item\": \"a\", \"state\": \"maybe\" }",
            "{ \"item\": \"a\", \"state\": \"works\", \"x\": 1 }",
        ] {
            let text = format!("{{\n\"area\": \"T\", \"rows\": [\n{row}\n]}}");
            assert!(parse("parity/x.json", &text).is_err(), "{row}");
        }
    }
}
