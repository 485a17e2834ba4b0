//! What must not stand in a file: left-overs in Rust sources, and traces of the machine it was written on.

use super::Finding;

/// Left-overs that no source may have, with the way out. Written in two parts, so that this file passes.
const LEFTOVERS: &[(&str, &str)] = &[
    (concat!("#[", "ignore"), "a test runs or does not exist"),
    (concat!("todo", "!("), "finish it or leave it out"),
    (concat!("unimplemented", "!("), "finish it or leave it out"),
    (concat!("dbg", "!("), "remove it"),
];

/// Places that exist on one machine only.
const MACHINE: &[&str] = &[
    concat!("/work", "/main"),
    concat!("/work", "/shared"),
    concat!("/root", "/."),
    concat!("/Use", "rs/"),
    concat!("/home", "/runner"),
    concat!("arti", "factory"),
    concat!("bash", "_jobs"),
];

/// Checks one file.
pub(super) fn check(file: &str, content: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, line) in content.lines().enumerate() {
        if let Some(trace) = MACHINE.iter().find(|trace| line.contains(**trace)) {
            findings.push(Finding::new(file, index + 1, format!("\"{trace}\" belongs to one machine")));
        }
    }
    if !file.ends_with(".rs") {
        return findings;
    }
    if file.ends_with("/mod.rs") {
        let message = "module file is named \"mod.rs\"; \"name.rs\" beside the folder \"name\" is accepted";
        findings.push(Finding::new(file, 0, message));
    }
    // Unit tests in a file of their own belong to the module beside them, whose doc speaks for both.
    if !content.starts_with("//!") && !file.ends_with("/tests.rs") {
        findings.push(Finding::new(file, 1, "file does not open with \"//!\": say what it is and what not"));
    }
    for (index, line) in content.lines().enumerate() {
        if line.trim_start().starts_with("//") {
            continue;
        }
        for (leftover, way_out) in LEFTOVERS.iter().filter(|(leftover, _)| line.contains(leftover)) {
            findings.push(Finding::new(file, index + 1, format!("\"{leftover}\" is left over: {way_out}")));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(file: &str, content: &str) -> Vec<usize> {
        check(file, content).into_iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn leftovers_are_found_with_their_line() {
        let body = ["//! Doc.", "", "fn f() {", concat!("    todo", "!()"), "}"].join("\n");
        assert_eq!(found("a.rs", &body), [4]);
        let ignored = ["//! Doc.", concat!("#[", "ignore]"), "fn f() {}"].join("\n");
        assert_eq!(found("a.rs", &ignored), [2]);
        assert!(found("a.rs", concat!("//! Says that todo", "!() is refused.\n// dbg", "!(x)\n")).is_empty());
        assert!(found("notes.md", concat!("todo", "!()")).is_empty());
    }

    #[test]
    fn files_without_a_module_doc_and_mod_rs_are_refused() {
        assert_eq!(found("a.rs", "use std::fmt;\n"), [1]);
        assert!(found("src/a/tests.rs", "use super::*;\n").is_empty());
        assert_eq!(found("src/a/mod.rs", "//! Doc.\n"), [0]);
    }

    #[test]
    fn traces_of_a_machine_are_found_in_any_text() {
        assert_eq!(found("README.md", concat!("one\nsee /work", "/main/README.md\n")), [2]);
        assert!(found("x.case", "/root/item and /home/page are paths of requests\n").is_empty());
    }
}
