//! The outcome of case files as JUnit XML, which build servers show.

use super::test::Ran;
use std::fmt::Write as _;

/// One test suite with a test case for each file.
pub(super) fn report(cases: &[Ran]) -> String {
    let failed = cases.iter().filter(|case| case.failure.is_some()).count();
    let seconds = |case: &Ran| format!("{:.3}", case.took.as_secs_f64());
    let total: f64 = cases.iter().map(|case| case.took.as_secs_f64()).sum();
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    // Writing to a string cannot fail.
    let _ = writeln!(
        out,
        "<testsuites tests=\"{all}\" failures=\"{failed}\" time=\"{total:.3}\">\n  \
         <testsuite name=\"handfast policy test\" tests=\"{all}\" failures=\"{failed}\" time=\"{total:.3}\">",
        all = cases.len(),
    );
    for case in cases {
        let (file, title) = (escape(&case.file.to_string_lossy()), escape(&case.title));
        let start = format!("    <testcase classname=\"{file}\" name=\"{title}\" time=\"{}\"", seconds(case));
        let _ = match &case.failure {
            None => writeln!(out, "{start} />"),
            Some(text) => {
                writeln!(
                    out,
                    "{start}>\n      <failure>{}</failure>\n    </testcase>",
                    escape(text.trim_end())
                )
            }
        };
    }
    out.push_str("  </testsuite>\n</testsuites>\n");
    out
}

/// Text for XML 1.0; characters that it cannot hold become U+FFFD.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\t' => out.push(c),
            c if c < ' ' || c == '\u{fffe}' || c == '\u{ffff}' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}
