//! `handfast policy` as a user has it: places, exit codes, JSON, and case files.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::{Command, Output};

const GOOD: &str = "<policies>\n  <inbound>\n    <base />\n  </inbound>\n</policies>\n";
const BAD: &str = "<policies>\n\t<inbound>\n\t<set-heeder name=\"a\" />\n  </inbound>\n</policies>\n";

fn policy(folder: &Path, arguments: &[&OsStr]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_handfast"));
    command.current_dir(folder).arg("policy").args(arguments).output().expect("handfast runs")
}

fn words<'a>(words: &'a [&'a str]) -> Vec<&'a OsStr> {
    words.iter().map(OsStr::new).collect()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_wrong_document_is_shown_with_its_place() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("good.xml"), GOOD).expect("a file");
    std::fs::write(folder.path().join("bad.xml"), BAD).expect("a file");
    let output = policy(folder.path(), &words(&["check", "good.xml"]));
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(text(&output.stderr), "1 document checked, 0 refused\n");
    let output = policy(folder.path(), &words(&["check", "."]));
    let (shown, said) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(1));
    assert!(shown.contains("bad.xml:2:") && shown.contains("'set-heeder' stands at line 3"), "{shown}");
    assert!(shown.contains("2 | \t<inbound>\n  | \t"), "{shown}");
    assert!(said.contains("2 documents checked, 1 refused"), "{said}");
}

#[test]
fn json_has_severity_code_and_place() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("bad.xml"), BAD).expect("a file");
    let output = policy(folder.path(), &words(&["check", "bad.xml", "--json"]));
    assert_eq!(output.status.code(), Some(1));
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let found = &json[0]["diagnostics"][0];
    assert_eq!(
        (&json[0]["file"], &found["severity"], &found["line"]),
        (&"bad.xml".into(), &"error".into(), &2.into())
    );
}

#[test]
fn case_files_pass_and_fail() {
    let folder = tempfile::tempdir().expect("a folder");
    let all = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../cases/policy");
    let output = policy(folder.path(), &[OsStr::new("test"), all.as_os_str()]);
    assert!(output.status.success(), "{}", text(&output.stdout));
    assert!(text(&output.stdout).ends_with(" passed, 0 failed\n"));
    std::fs::write(folder.path().join("broken.case"), "this is no case\n").expect("a file");
    let output = policy(folder.path(), &words(&["test", "broken.case"]));
    assert_eq!(output.status.code(), Some(1));
    let shown = text(&output.stdout);
    assert!(shown.contains("failed broken.case") && shown.contains("0 passed, 1 failed"), "{shown}");
}

#[test]
fn missing_files_and_names_that_are_no_text_are_dealt_with() {
    let folder = tempfile::tempdir().expect("a folder");
    let output = policy(folder.path(), &words(&["check", "missing.xml"]));
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("\"missing.xml\""));
    let output = policy(folder.path(), &words(&["check", "."]));
    assert!(text(&output.stderr).contains("no file that ends in \".xml\""));
    assert_eq!(policy(folder.path(), &words(&["check"])).status.code(), Some(2));
    let name = OsStr::from_bytes(b"caf\xe9.xml");
    std::fs::write(folder.path().join(name), GOOD).expect("a file");
    let output = policy(folder.path(), &[OsStr::new("check"), name]);
    assert!(output.status.success(), "{}", text(&output.stderr));
}

/// A case that holds, but for what `expected` makes of its response.
fn case(expected: &str) -> String {
    format!(
        "# A header & a status\n== policy api\n<policies><outbound><set-status code=\"418\" reason=\"Teapot\" />\
         </outbound></policies>\n== request\nGET /\n== expect response\n{expected}\n== expect no forward\n"
    )
    .replace("== expect no forward\n", "== expect last-error\n(none)\n")
}

#[test]
fn cases_are_updated_and_reported_for_build_servers() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("a.case"), case("200 OK")).expect("a file");
    let arguments = ["test", "a.case", "--junit", "report.xml", "--json"];
    let output = policy(folder.path(), &words(&arguments));
    assert_eq!(output.status.code(), Some(1));
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!((&json[0]["passed"], &json[0]["title"]), (&false.into(), &"A header & a status".into()));
    let report = std::fs::read_to_string(folder.path().join("report.xml")).expect("a report");
    assert!(
        report.contains("tests=\"1\" failures=\"1\"") && report.contains("name=\"A header &amp; a status\"")
    );
    assert!(report.contains("- 200 OK") && report.contains("+ 418 Teapot"), "{report}");
    let output = policy(folder.path(), &words(&["test", "a.case", "--update"]));
    assert!(output.status.success(), "{}", text(&output.stdout));
    assert_eq!(text(&output.stdout), "1 passed, 0 failed, 1 file updated\n");
    let updated = std::fs::read_to_string(folder.path().join("a.case")).expect("the case");
    assert_eq!(updated, case("418 Teapot"));
    let output = policy(folder.path(), &words(&["test", "a.case"]));
    assert_eq!(text(&output.stdout), "1 passed, 0 failed\n");
}

#[test]
fn findings_are_written_as_sarif() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("bad one.xml"), BAD).expect("a file");
    let output = policy(folder.path(), &words(&["check", ".", "--sarif"]));
    assert_eq!(output.status.code(), Some(1));
    let log: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let run = &log["runs"][0];
    assert_eq!((&log["version"], &run["tool"]["driver"]["name"]), (&"2.1.0".into(), &"handfast".into()));
    let result = &run["results"][0];
    assert_eq!((&result["ruleId"], &result["level"]), (&"ValidationError".into(), &"error".into()));
    let place = &result["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], "bad%20one.xml");
    assert_eq!(place["region"], serde_json::json!({ "startLine": 2, "startColumn": 3 }));
}

#[test]
fn a_request_is_traced_step_by_step() {
    let folder = tempfile::tempdir().expect("a folder");
    let document = "<policies><inbound><base /><set-variable name=\"who\" value=\"@(context.Request.Headers.GetValueOrDefault(&quot;X-Who&quot;, &quot;nobody&quot;))\" />\
        <choose><when condition=\"@((string)context.Variables[&quot;who&quot;] == &quot;ada&quot;)\"><set-header name=\"X-Is\"><value>ada</value></set-header></when></choose>\
        </inbound><backend><base /></backend><outbound><base /></outbound></policies>";
    std::fs::write(folder.path().join("p.xml"), document).expect("a file");
    std::fs::write(folder.path().join("answer"), "201 Created\nX-From: backend\n\nhello").expect("a file");
    let arguments =
        ["trace", "p.xml", "/x?y=1", "-X", "POST", "-H", "X-Who: ada", "-d", "body", "--backend", "answer"];
    let output = policy(folder.path(), &words(&arguments));
    let shown = text(&output.stdout);
    assert!(output.status.success(), "{}", text(&output.stderr));
    for part in [
        "POST /x?y=1",
        "inbound",
        "variable 'who' set to 'ada'",
        "choose/when/set-header",
        "who = ada",
        "201 Created",
        "X-From: backend",
        "hello",
    ] {
        assert!(shown.contains(part), "{part:?} is not in\n{shown}");
    }
    let output = policy(folder.path(), &words(&["trace", "p.xml", "--json"]));
    let documents: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert!(documents[0]["traceEntries"]["inbound"].as_array().is_some_and(|entries| entries.len() > 2));
    std::fs::write(folder.path().join("bad.xml"), BAD).expect("a file");
    let output = policy(folder.path(), &words(&["trace", "bad.xml"]));
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("set-heeder"), "{}", text(&output.stderr));
}
