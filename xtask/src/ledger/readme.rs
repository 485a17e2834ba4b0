//! The README's ledger section: between two markers, generated, never written by hand.

use super::{Area, State};
use std::fmt::Write;

/// The file that has the section.
pub(super) const FILE: &str = "README.md";
/// What is said when it has not.
pub(super) const NO_SECTION: &str =
    "no ledger section; the lines \"<!-- ledger -->\" and \"<!-- /ledger -->\" are expected, in this order";
const BEGIN: &str = "<!-- ledger -->";
const END: &str = "<!-- /ledger -->";

/// The numbers as a Markdown table.
pub(super) fn table(areas: &[Area]) -> String {
    let mut out = String::from("| Area | works | partial | refused | not yet |\n|---|--:|--:|--:|--:|\n");
    for area in areas {
        let [works, partial, refused, not_yet] = State::ALL.map(|state| area.count(state));
        let _ = writeln!(out, "| {} | {works} | {partial} | {refused} | {not_yet} |", area.title);
    }
    let [works, partial, refused, not_yet] =
        State::ALL.map(|state| areas.iter().map(|area| area.count(state)).sum::<usize>());
    let _ = writeln!(out, "| **All** | **{works}** | **{partial}** | **{refused}** | **{not_yet}** |");
    out
}

/// The text with its section replaced; `None` when it has no section.
pub(super) fn replace(text: &str, areas: &[Area]) -> Option<String> {
    let (before, rest) = text.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n{}{END}{after}", table(areas)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_section_changes_and_writing_is_idempotent() {
        let text = "# Title\n<!-- ledger -->\nold\n<!-- /ledger -->\nrest\n";
        let once = replace(text, &[]).expect("a section");
        assert!(
            once.starts_with("# Title\n<!-- ledger -->\n| Area |")
                && once.ends_with("<!-- /ledger -->\nrest\n")
        );
        assert_eq!(replace(&once, &[]).as_deref(), Some(once.as_str()));
        assert_eq!(replace("<!-- /ledger --> <!-- ledger -->", &[]), None);
    }
}
