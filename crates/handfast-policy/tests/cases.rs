//! Runs every file below `cases/policy` and prints what differs.

use handfast_policy::cases::Case;
use std::path::{Path, PathBuf};

#[test]
fn every_case_file_holds() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../cases/policy");
    let mut files = Vec::new();
    collect(&root, &mut files);
    files.sort();
    assert!(files.len() >= 60, "only {} case files below {}", files.len(), root.display());
    let failures: Vec<String> = files.iter().filter_map(|file| failure(&root, file)).collect();
    assert!(
        failures.is_empty(),
        "{} of {} cases failed\n\n{}",
        failures.len(),
        files.len(),
        failures.join("\n")
    );
}

#[test]
fn every_built_policy_has_a_case_folder() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../cases/policy");
    let missing: Vec<&str> =
        handfast_policy::built_policies().filter(|name| !root.join(name).is_dir()).collect();
    assert!(missing.is_empty(), "no folder below cases/policy for {missing:?}");
}

fn failure(root: &Path, file: &Path) -> Option<String> {
    let name = file.strip_prefix(root).unwrap_or(file).display();
    let text = std::fs::read_to_string(file).expect("case files are readable text");
    let case = match Case::parse(&text) {
        Ok(case) => case,
        Err(error) => return Some(format!("{name}: {error}")),
    };
    let mismatches = match case.run() {
        Ok(mismatches) if mismatches.is_empty() => return None,
        Ok(mismatches) => mismatches,
        Err(error) => return Some(format!("{name}: {error}")),
    };
    let details: String = mismatches.iter().map(ToString::to_string).collect();
    Some(format!("{name}: {}\n{details}", case.title))
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("case folders are readable") {
        let path = entry.expect("case folders are readable").path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "case") {
            files.push(path);
        }
    }
}
