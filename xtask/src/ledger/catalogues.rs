//! Ledger rows that the code's own tables decide: a policy cannot be missing from the ledger, and cannot work
//! when it is not built; the same for template functions.

use super::{Area, State};
use crate::tidy::Finding;
use std::collections::BTreeSet;

/// Elements that are no rows of the policy catalogue but of the ledger: `base` composes documents.
const BESIDE_THE_CATALOGUE: &[&str] = &["base"];

/// Compares an area with its table, if it has one.
pub(super) fn check(area: &Area, findings: &mut Vec<Finding>) {
    match area.file.as_str() {
        "parity/policies.json" => {
            let known: BTreeSet<&str> = handfast_policy::CATALOGUE
                .iter()
                .map(|entry| entry.name)
                .chain(BESIDE_THE_CATALOGUE.iter().copied())
                .collect();
            let built = handfast_policy::built_policies().chain(BESIDE_THE_CATALOGUE.iter().copied());
            compare(area, &known, &built.collect(), findings);
        }
        "parity/template-functions.json" => {
            let built: BTreeSet<&str> = handfast_template::functions().map(|entry| entry.name).collect();
            compare(area, &built, &built, findings);
        }
        _ => {}
    }
}

/// Every known name has a row; a row is built if and only if it works or works in part. Rows beyond the known
/// names are features that are not there.
fn compare(area: &Area, known: &BTreeSet<&str>, built: &BTreeSet<&str>, findings: &mut Vec<Finding>) {
    let rows: BTreeSet<&str> = area.rows.iter().map(|row| row.item.as_str()).collect();
    for name in known.difference(&rows) {
        findings.push(Finding::new(&area.file, 0, format!("\"{name}\" has no row")));
    }
    for row in &area.rows {
        let claimed = matches!(row.state, State::Works | State::Partial);
        let is_built = built.contains(row.item.as_str());
        // `list*` is a family, not an entry of the table.
        if claimed != is_built && !row.item.contains('*') {
            let (name, state) = (&row.item, row.state.as_str());
            let fact = if is_built { "is built" } else { "is not built" };
            findings.push(Finding::new(&area.file, row.line, format!("\"{name}\" is {state}, but {fact}")));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Row;
    use super::*;

    #[test]
    fn rows_follow_the_table() {
        let row = |item: &str, state| Row {
            item: item.to_owned(),
            state,
            witness: String::new(),
            note: String::new(),
            line: 1,
        };
        let area = Area {
            file: "parity/x.json".to_owned(),
            title: "X".to_owned(),
            rows: vec![row("a", State::Works), row("b", State::NotYet), row("d", State::Partial)],
        };
        let mut findings = Vec::new();
        compare(&area, &["a", "b", "c"].into(), &["a", "b"].into(), &mut findings);
        let messages: Vec<&str> = findings.iter().map(|finding| finding.message.as_str()).collect();
        assert_eq!(
            messages,
            ["\"c\" has no row", "\"b\" is not-yet, but is built", "\"d\" is partial, but is not built"]
        );
    }
}
