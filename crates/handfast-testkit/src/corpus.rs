//! Messages kept as text files: what a rule demands of them, and the bytes.
//!
//! A file is a list of `key: value` lines, a line `---`, and the message. In the message, line ends of the
//! file are ignored and `\r`, `\n`, `\t`, `\\` and `\xHH` stand for bytes; `\{300 a\r\n}` is a text 300 times.

use std::collections::BTreeMap;
use std::path::Path;

/// One file.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The file's name without its ending.
    pub name: String,
    /// What is said about the message.
    pub facts: BTreeMap<String, String>,
    /// The message.
    pub bytes: Vec<u8>,
}

impl Entry {
    /// What is said under a key; empty when nothing is.
    pub fn fact(&self, key: &str) -> &str {
        self.facts.get(key).map_or("", String::as_str)
    }
}

/// All files of a directory in order of their names.
pub fn load(directory: &Path) -> Vec<Entry> {
    let mut entries: Vec<Entry> = std::fs::read_dir(directory)
        .expect("the corpus is there")
        .map(|file| file.expect("a readable directory").path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "txt"))
        .map(|path| {
            let text = std::fs::read_to_string(&path).expect("a text file");
            let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
            parse(name, &text)
        })
        .collect();
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    assert!(!entries.is_empty(), "no file in {}", directory.display());
    entries
}

fn parse(name: String, text: &str) -> Entry {
    let (facts, message) = text.split_once("\n---\n").expect("a line ---");
    let facts = facts
        .lines()
        .map(|line| line.split_once(':').expect("key: value"))
        .map(|(key, value)| (key.to_owned(), value.trim().to_owned()))
        .collect();
    Entry { name, facts, bytes: unescape(message) }
}

fn unescape(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text.bytes().filter(|&byte| byte != b'\n');
    while let Some(byte) = rest.next() {
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        match rest.next().expect("an escape") {
            b'r' => bytes.push(b'\r'),
            b'n' => bytes.push(b'\n'),
            b't' => bytes.push(b'\t'),
            b'\\' => bytes.push(b'\\'),
            b'x' => {
                let digits = [rest.next().expect("a digit"), rest.next().expect("a digit")];
                let digits = std::str::from_utf8(&digits).expect("digits");
                bytes.push(u8::from_str_radix(digits, 16).expect("hex digits"));
            }
            b'{' => {
                let inside: Vec<u8> = rest.by_ref().take_while(|&byte| byte != b'}').collect();
                let inside = String::from_utf8(inside).expect("text");
                let (count, part) = inside.split_once(' ').expect("a count and a text");
                bytes.extend(unescape(part).repeat(count.parse().expect("a count")));
            }
            other => panic!("unknown escape \\{}", char::from(other)),
        }
    }
    bytes
}
