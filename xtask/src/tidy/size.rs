//! File sizes: files that outgrow a reader's head are reported, and refused when nobody can hold them.

use super::Finding;

/// Longer files are reported.
pub(super) const LINES_AIM: usize = 500;
/// Longer files fail.
const LINES_MAX: usize = 900;

/// Measures a Rust file.
pub(super) fn check(file: &str, content: &str, long: &mut Vec<(String, usize)>, findings: &mut Vec<Finding>) {
    if !file.ends_with(".rs") {
        return;
    }
    let lines = content.lines().count();
    if lines > LINES_MAX {
        let message = format!("file has {lines} lines; at most {LINES_MAX} are accepted: split it");
        findings.push(Finding::new(file, LINES_MAX + 1, message));
    } else if lines > LINES_AIM {
        long.push((file.to_owned(), lines));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_files_are_reported_and_very_long_ones_fail() {
        let (mut long, mut findings) = (Vec::new(), Vec::new());
        for (file, lines) in [("a.rs", 500), ("b.rs", 501), ("c.rs", 901), ("d.md", 2000)] {
            check(file, &"x\n".repeat(lines), &mut long, &mut findings);
        }
        assert_eq!(long, [("b.rs".to_owned(), 501)]);
        assert_eq!(findings.iter().map(|f| f.file.as_str()).collect::<Vec<_>>(), ["c.rs"]);
    }
}
