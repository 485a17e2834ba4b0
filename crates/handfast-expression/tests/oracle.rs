//! Mono as an oracle: the recorded results of `data/results.txt` compared with what a C# compiler and a .NET of
//! others' making give for the same text. All rows are one program, so it is one compile.
//!
//! `data/oracle.txt` names every row that is not compared, with the reason, and every row whose result differs in
//! Mono, with Mono's result and the reason; what it says is checked too, as far as it can be. Exceptions are
//! compared by type, because the words are those of the library's version.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Output};

const RESULTS: &str = include_str!("data/results.txt");
const EXCEPTIONS: &str = include_str!("data/oracle.txt");
const PROGRAM: &str = include_str!("oracle/program.cs");
/// Assemblies beside the standard ones.
const REFERENCES: &[&str] =
    &["System.Core.dll", "System.Xml.dll", "System.Xml.Linq.dll", "System.Security.dll"];
/// Where Debian has Json.NET.
const JSON_FOLDER: &str = "/usr/lib/cli/Newtonsoft.Json-5.0";

struct Row {
    id: &'static str,
    source: &'static str,
    expected: &'static str,
}

/// What `data/oracle.txt` says of a row.
enum Exception {
    /// It is not in the program.
    Absent,
    /// Mono gives this.
    Differs(&'static str),
}

fn lines(text: &'static str) -> impl Iterator<Item = &'static str> {
    text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'))
}

fn rows() -> Vec<Row> {
    let row = |line: &'static str| {
        let (id, rest) = line.split_once(" | ").expect("a line has an id");
        let (source, expected) = rest.rsplit_once(" => ").expect("a line has a result");
        Row { id, source, expected }
    };
    lines(RESULTS).map(row).collect()
}

/// Lines `id | reason` and `id | reason => Mono's result`.
fn exceptions() -> BTreeMap<&'static str, Exception> {
    let mut exceptions = BTreeMap::new();
    for line in lines(EXCEPTIONS) {
        let (id, reason) = line.split_once(" | ").expect("a line has an id and a reason");
        let exception = match reason.split_once(" => ") {
            Some((_, result)) => Exception::Differs(result),
            None => Exception::Absent,
        };
        assert!(exceptions.insert(id, exception).is_none(), "{id} is listed twice");
    }
    exceptions
}

/// The C# program of some rows. An error names the row as its file.
fn program(rows: &[&Row]) -> String {
    let mut text = PROGRAM.to_owned();
    let mut calls = String::new();
    for (number, Row { id, source, .. }) in rows.iter().enumerate() {
        let body = match source.starts_with('{') {
            true => (*source).to_owned(),
            false => format!("{{ return (object)({source}\n); }}"),
        };
        let _ = writeln!(text, "static object Row{number}()\n#line 1 \"{id}\"\n{body}");
        let _ = writeln!(calls, "Run(\"{id}\", Row{number});");
    }
    let _ = write!(text, "static void Rows() {{\n{calls}}}\n}}\n");
    text
}

fn run(folder: &Path, program: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new(program);
    command.current_dir(folder).args(arguments).env("TZ", "UTC").env("MONO_PATH", JSON_FOLDER);
    command.output().unwrap_or_else(|error| {
        panic!("\"{program}\" does not run: {error}; \"cargo xtask test\" installs it")
    })
}

/// What Mono gives, by row.
fn judged(rows: &[&Row]) -> BTreeMap<String, String> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("oracle");
    std::fs::create_dir_all(&folder).expect("a folder");
    std::fs::write(folder.join("rows.cs"), program(rows)).expect("a file");
    let mut arguments = vec!["-nologo", "-nowarn:1030,0219,0168,0162,0649", "-out:rows.exe", "rows.cs"];
    let references: Vec<String> = REFERENCES.iter().map(|name| format!("-r:{name}")).collect();
    arguments.extend(references.iter().map(String::as_str));
    let json = format!("-r:{JSON_FOLDER}/Newtonsoft.Json.dll");
    arguments.push(&json);
    let compiled = run(&folder, "mcs", &arguments);
    let said = String::from_utf8_lossy(&compiled.stderr).into_owned();
    assert!(
        compiled.status.success(),
        "Mono's compiler refuses rows; each is named before its error\n{said}"
    );
    let ran = run(&folder, "mono", &["rows.exe"]);
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let text = String::from_utf8(ran.stdout).expect("text");
    let pair = |record: &str| record.split_once('\t').map(|(id, result)| (id.to_owned(), result.to_owned()));
    text.split('\u{1e}').filter_map(pair).collect()
}

/// Whether a result of Mono's is a recorded one; exceptions by type.
fn agrees(recorded: &str, found: &str) -> bool {
    let kind = |text: &str| {
        text.strip_prefix("throws ").map(|rest| rest.split(':').next().unwrap_or(rest).to_owned())
    };
    match kind(recorded) {
        Some(kind_recorded) => kind(found) == Some(kind_recorded),
        None => recorded == found,
    }
}

#[test]
fn mono_gives_the_recorded_results() {
    let (rows, exceptions) = (rows(), exceptions());
    for id in exceptions.keys() {
        assert!(rows.iter().any(|row| row.id == *id), "{id} is listed, but there is no such row");
    }
    let compared: Vec<&Row> =
        rows.iter().filter(|row| !matches!(exceptions.get(row.id), Some(Exception::Absent))).collect();
    let found = judged(&compared);
    let mut wrong = Vec::new();
    for row in &compared {
        let result = found.get(row.id).map_or("nothing", String::as_str);
        let expected = match exceptions.get(row.id) {
            Some(Exception::Differs(result)) => result,
            _ => row.expected,
        };
        if !agrees(expected, result) {
            wrong
                .push(format!("{} | {}\n    expected {expected}\n    Mono     {result}", row.id, row.source));
        }
    }
    assert!(wrong.is_empty(), "{} of {} rows differ\n{}", wrong.len(), compared.len(), wrong.join("\n"));
    assert!(compared.len() > 600, "only {} of {} rows are compared", compared.len(), rows.len());
}
