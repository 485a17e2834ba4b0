//! What policies in public repositories use, most used first, against the surface: every item must be there, but
//! for those that no gateway has.

use handfast_expression::{Form, Target, compile, members};
use std::collections::HashSet;

/// Items that policies name and that do not exist anywhere, each with the reason.
const INVENTED: &[(&str, &str)] = &[
    ("Jwt.FromHeader()", "no such member; the list of errors has it"),
    (".GetClaimValue()", "no such member on tokens"),
    ("System.Net", "a namespace"),
    ("System.Text", "a namespace"),
    ("System.Xml", "a namespace"),
    ("System.Security", "a namespace"),
    ("Newtonsoft.Json", "a namespace"),
];

/// Parts of qualified names that are written like members.
const NAME_PARTS: &[&str] = &[
    "WebUtility",
    "Encoding",
    "RegularExpressions",
    "Formatting",
    "Regex",
    "Cryptography",
    "Linq",
    "HMACSHA256",
    "Create",
    "JsonConvert",
    "JObject",
    "JProperty",
    "JArray",
    "IPAddress",
    "RSASignaturePadding",
    "XDocument",
    "XElement",
    "XPath",
    "Extensions",
    "RegexOptions",
    "Uri",
    "String",
    "StringComparison",
    "Convert",
    "Random",
];

fn compiles(source: &str) -> bool {
    compile(source, Form::Expression, Target::Object, false).is_ok()
        || compile(&format!("{source}; return 1;"), Form::Block, Target::Object, false).is_ok()
}

/// Whether an item of the list is on the surface.
fn known(kind: &str, item: &str, names: &HashSet<String>) -> bool {
    let bare = item.trim_end_matches("()");
    let last = bare.rsplit('.').next().unwrap_or(bare);
    match kind {
        "context" if item.contains("()") => names.contains(last),
        "context" => compiles(bare),
        "static" => {
            compiles(bare)
                || (item.ends_with("()") && names.contains(last))
                || compiles(&format!("default({bare})"))
        }
        "new" | "cast" => compiles(&format!("default({bare})")),
        "generic" => {
            let (_, of) = bare.split_once('<').unwrap_or(("", ""));
            compiles(&format!("default({})", of.strip_suffix('>').unwrap_or(of)))
        }
        _ => {
            let of_enum = [
                "StringComparison",
                "JTokenType",
                "RegexOptions",
                "CipherMode",
                "PaddingMode",
                "StringSplitOptions",
            ];
            names.contains(last)
                || NAME_PARTS.contains(&last)
                || of_enum.iter().any(|name| compiles(&format!("{name}.{last}")))
                || compiles(&format!("Newtonsoft.Json.Formatting.{last}"))
        }
    }
}

#[test]
fn what_policies_use_is_on_the_surface() {
    let names: HashSet<String> = members().into_iter().map(|member| member.1).collect();
    let mut missing = Vec::new();
    let mut count = 0;
    for line in include_str!("data/frequency.txt").lines().filter(|line| !line.starts_with('#')) {
        let mut parts = line.splitn(4, ' ').skip(2);
        let (kind, item) = (parts.next().expect("a kind"), parts.next().expect("an item"));
        count += 1;
        if !INVENTED.iter().any(|row| row.0 == item) && !known(kind, item, &names) {
            missing.push(line);
        }
    }
    assert!(missing.is_empty(), "{} of {count} are missing:\n{}", missing.len(), missing.join("\n"));
}
