//! Whether a witness is alive: a test function in the file it names, or a file that is a test by itself.

use std::path::Path;

/// `Ok` when the witness exists, else why not.
pub(super) fn find(root: &Path, witness: &str) -> Result<(), String> {
    let Some((file, test)) = witness.split_once("::") else {
        let is_test = witness.ends_with(".case") || witness.contains("/tests/");
        return match root.join(witness).is_file() {
            _ if !is_test => Err(format!("\"{witness}\" is no case file and names no test")),
            true => Ok(()),
            false => Err(format!("file \"{witness}\" does not exist")),
        };
    };
    let text =
        std::fs::read_to_string(root.join(file)).map_err(|_| format!("file \"{file}\" does not exist"))?;
    if is_test(&text, test) { Ok(()) } else { Err(format!("\"{file}\" has no test \"{test}\"")) }
}

/// Whether the text has a test function of that name.
fn is_test(text: &str, name: &str) -> bool {
    let lines: Vec<&str> = text.lines().map(str::trim_start).collect();
    let begins = |line: &str| {
        let line = line.trim_start_matches("pub ").trim_start_matches("async ");
        line.strip_prefix("fn ")
            .and_then(|rest| rest.strip_prefix(name))
            .is_some_and(|rest| rest.starts_with('('))
    };
    let attributes = |at: usize| {
        lines[..at].iter().rev().take_while(|line| line.starts_with("#[") || line.starts_with("//"))
    };
    (0..lines.len()).any(|at| {
        begins(lines[at]) && attributes(at).any(|line| line.starts_with("#[test]") || line.contains("::test"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_test_functions_count() {
        let text = "#[test]\nfn one() {}\nfn two() {}\n#[tokio::test]\nasync fn three() {}\n#[test]\n#[should_panic]\nfn four() {}";
        for (name, expected) in
            [("one", true), ("two", false), ("three", true), ("four", true), ("on", false)]
        {
            assert_eq!(is_test(text, name), expected, "{name}");
        }
    }

    #[test]
    fn missing_files_and_files_that_test_nothing_are_named() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        assert_eq!(find(root, "src/ledger/witness.rs::only_test_functions_count"), Ok(()));
        assert!(find(root, "src/ledger/witness.rs::gone").is_err());
        assert!(find(root, "src/gone.rs::x").is_err());
        assert!(find(root, "Cargo.toml").is_err());
    }
}
