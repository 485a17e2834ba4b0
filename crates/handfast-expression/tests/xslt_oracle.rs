//! Stylesheets of `tests/xslt`, each applied by this crate and by `xsltproc`.

use handfast_expression::xslt::Stylesheet;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Stylesheet and document of a case.
fn parts(text: &str) -> (&str, &str) {
    let text = text.strip_prefix("== stylesheet\n").expect("a case begins with '== stylesheet'");
    let (stylesheet, document) = text.split_once("== document\n").expect("a case has '== document'");
    (stylesheet, document.trim_end())
}

fn xsltproc(name: &str, stylesheet: &str, document: &str) -> String {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let write = |extension: &str, text: &str| {
        let path = folder.join(format!("{name}.{extension}"));
        std::fs::write(&path, text).expect("a file can be written");
        path
    };
    let (stylesheet, document) = (write("xsl", stylesheet), write("xml", document));
    let output = Command::new("xsltproc").arg("--nonet").arg(stylesheet).arg(document).output();
    let output = output.expect("xsltproc is installed");
    assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

/// Where the two may differ: the blank before `/>`, and the end of the last line.
fn normal(text: &str) -> String {
    text.replace(" />", "/>").trim_end().to_owned()
}

#[test]
fn results_are_those_of_xsltproc() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/xslt");
    let mut cases: Vec<PathBuf> =
        std::fs::read_dir(folder).expect("the cases").map(|entry| entry.expect("a case").path()).collect();
    cases.sort();
    assert!(cases.len() >= 9);
    let mut failures = Vec::new();
    for case in &cases {
        let name = case.file_stem().expect("a name").to_string_lossy().into_owned();
        let text = std::fs::read_to_string(case).expect("text");
        let (stylesheet, document) = parts(&text);
        let ours = Stylesheet::compile(stylesheet).and_then(|sheet| sheet.apply(document, &[]));
        let ours = ours.unwrap_or_else(|error| format!("({error})"));
        let oracle = xsltproc(&name, stylesheet, document);
        if normal(&ours) != normal(&oracle) {
            failures.push(format!("{name}\n  ours:   {}\n  oracle: {}", normal(&ours), normal(&oracle)));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
