//! `System.Text.RegularExpressions` for the patterns whose meaning the linear engine shares. A pattern that
//! needs look-around, back-references or balancing is refused with an exception that says so.

use crate::call::Call;
use crate::each;
use crate::fault::{Fault, throw};
use crate::surface::{PLAIN, Row, TypeDef};
use crate::types::EnumDef;
use crate::value::{Object, Value};

/// A compiled pattern.
pub struct Pattern {
    /// As written.
    pub text: String,
    compiled: regex::Regex,
}

/// Bytes that a compiled pattern may take.
const PATTERN_BYTES_MAX: usize = 1 << 20;

pub(super) static REGEX_OPTIONS: EnumDef = EnumDef {
    name: "RegexOptions",
    namespace: "System.Text.RegularExpressions",
    flags: true,
    members: &[
        ("None", 0),
        ("IgnoreCase", 1),
        ("Multiline", 2),
        ("ExplicitCapture", 4),
        ("Compiled", 8),
        ("Singleline", 16),
        ("IgnorePatternWhitespace", 32),
        ("CultureInvariant", 512),
    ],
};

fn compile(text: &str, options: i64) -> Result<Pattern, Fault> {
    let multiline = options & 2 != 0;
    // `$` also stands before a final newline, unless lines are matched one by one.
    let (mut translated, mut chars, mut class) = (String::new(), text.chars(), false);
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('Z') => translated.push_str("(?:\\n?\\z)"),
                Some(next) => translated.extend(['\\', next]),
                None => translated.push('\\'),
            },
            '[' if class => {
                // Class subtraction, which the linear engine would read as a nested class.
                return Err(throw(
                    "ArgumentException",
                    format!("Invalid pattern '{text}'. nested classes are not supported"),
                ));
            }
            '[' => {
                class = true;
                translated.push('[');
            }
            ']' => {
                class = false;
                translated.push(']');
            }
            '$' if !class && !multiline => translated.push_str("(?:\\n?\\z)"),
            other => translated.push(other),
        }
    }
    let compiled = regex::RegexBuilder::new(&translated)
        .case_insensitive(options & 1 != 0)
        .multi_line(multiline)
        .dot_matches_new_line(options & 16 != 0)
        .ignore_whitespace(options & 32 != 0)
        .size_limit(PATTERN_BYTES_MAX)
        .build();
    match compiled {
        Ok(compiled) => Ok(Pattern { text: text.to_owned(), compiled }),
        Err(error) => {
            let reason =
                error.to_string().lines().last().unwrap_or("").trim_start_matches("error: ").to_owned();
            Err(throw("ArgumentException", format!("Invalid pattern '{text}'. {reason}")))
        }
    }
}

/// Pattern and input of a static or an instance call, and where further arguments start.
fn parts(call: &Call<'_>) -> Result<(std::sync::Arc<Object>, std::sync::Arc<str>, usize), Fault> {
    if !call.member.is_static {
        return Ok((call.object(0)?, call.text(1)?, 2));
    }
    let options = (2..call.count()).find_map(|at| match call.arg(at) {
        Value::Enum(_, number) => Some(*number),
        _ => None,
    });
    let pattern = compile(&call.text(1)?, options.unwrap_or(0))?;
    Ok((std::sync::Arc::new(Object::Regex(pattern)), call.text(0)?, 2))
}

fn pattern(object: &Object) -> Result<&regex::Regex, Fault> {
    match object {
        Object::Regex(pattern) => Ok(&pattern.compiled),
        _ => Err(crate::fault::null_reference()),
    }
}

fn create(call: &mut Call<'_>) -> Result<Value, Fault> {
    let options = if call.count() > 1 { call.int(1)? } else { 0 };
    Ok(Value::object(Object::Regex(compile(&call.text(0)?, options)?)))
}

fn is_match(call: &mut Call<'_>) -> Result<Value, Fault> {
    let (object, input, _) = parts(call)?;
    Ok(Value::Bool(pattern(&object)?.is_match(&input)))
}

fn group(
    class: &'static str,
    input: &str,
    name: &str,
    found: Option<regex::Match<'_>>,
    mut more: Vec<(&'static str, Value)>,
) -> Value {
    let (text, at) = found.map_or(("", 0), |found| (found.as_str(), found.start()));
    let index = crate::text::utf16_len(input.get(..at).unwrap_or(""));
    let mut fields = vec![
        ("Success", Value::Bool(found.is_some())),
        ("Value", Value::str(text)),
        ("Index", Value::count(index)),
        ("Length", Value::count(crate::text::utf16_len(text))),
        ("Name", Value::str(name)),
    ];
    fields.append(&mut more);
    Value::record(class, fields)
}

/// A match as an object; groups without a name come first, as .NET numbers them.
fn match_of(pattern: &regex::Regex, input: &str, found: Option<&regex::Captures<'_>>) -> Value {
    let Some(captures) = found else {
        return group("Match", input, "0", None, vec![("Groups", Value::sequence(Vec::new()))]);
    };
    let names: Vec<_> = pattern.capture_names().collect();
    let numbered = names.iter().enumerate().filter(|(_, name)| name.is_none());
    let named = names.iter().enumerate().filter(|(_, name)| name.is_some());
    let groups = numbered.chain(named).enumerate().map(|(number, (index, name))| {
        group(
            "Group",
            input,
            &name.map_or_else(|| number.to_string(), str::to_owned),
            captures.get(index),
            Vec::new(),
        )
    });
    let groups = Value::sequence(groups.collect());
    group("Match", input, "0", captures.get(0), vec![("Groups", groups)])
}

fn first(call: &mut Call<'_>) -> Result<Value, Fault> {
    let (object, input, _) = parts(call)?;
    let pattern = pattern(&object)?;
    Ok(match_of(pattern, &input, pattern.captures(&input).as_ref()))
}

fn all(call: &mut Call<'_>) -> Result<Value, Fault> {
    let (object, input, _) = parts(call)?;
    let pattern = pattern(&object)?;
    call.allocate(input.len().saturating_mul(64))?;
    Ok(Value::sequence(
        pattern.captures_iter(&input).map(|found| match_of(pattern, &input, Some(&found))).collect(),
    ))
}

/// A .NET replacement pattern: what is no reference stays as it is.
fn expand(pattern: &regex::Regex, captures: &regex::Captures<'_>, replacement: &str, out: &mut String) {
    let mut rest = replacement;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            out.push('$');
            rest = after;
            continue;
        }
        if let Some(after) = rest.strip_prefix('&') {
            out.push_str(captures.get(0).map_or("", |found| found.as_str()));
            rest = after;
            continue;
        }
        let (name, after) = match rest.strip_prefix('{').and_then(|inner| inner.split_once('}')) {
            Some((name, after)) => (name, after),
            None => rest.split_at(rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len())),
        };
        let index = name
            .parse::<usize>()
            .ok()
            .or_else(|| pattern.capture_names().position(|known| known == Some(name)));
        match index.filter(|index| *index < captures.len() && !name.is_empty()) {
            Some(index) => {
                out.push_str(captures.get(index).map_or("", |found| found.as_str()));
                rest = after;
            }
            None => out.push('$'),
        }
    }
    out.push_str(rest);
}

fn replace(call: &mut Call<'_>) -> Result<Value, Fault> {
    let (object, input, at) = parts(call)?;
    let pattern = pattern(&object)?;
    if let Value::Str(replacement) = call.arg(at).clone() {
        let limit = call
            .arg(at + 1)
            .as_int()
            .filter(|_| !call.member.is_static)
            .filter(|limit| *limit >= 0)
            .map_or(usize::MAX, |limit| limit as usize);
        let (mut out, mut last) = (String::new(), 0);
        for captures in pattern.captures_iter(&input).take(limit) {
            let Some(found) = captures.get(0) else { continue };
            out.push_str(&input[last..found.start()]);
            expand(pattern, &captures, &replacement, &mut out);
            last = found.end();
            call.allocate(replacement.len())?;
        }
        out.push_str(&input[last..]);
        return Ok(Value::str(out));
    }
    let function = call.arg(at).clone();
    let found: Vec<_> = pattern.captures_iter(&input).collect();
    let matches: Vec<_> = found.iter().map(|captures| match_of(pattern, &input, Some(captures))).collect();
    let ranges: Vec<_> =
        found.iter().filter_map(|captures| captures.get(0)).map(|found| found.range()).collect();
    let input = input.clone();
    Err(each::map(&function, &matches, move |results| {
        let (mut out, mut last) = (String::new(), 0);
        for (range, result) in ranges.iter().zip(results) {
            out.push_str(&input[last..range.start]);
            out.push_str(&result.to_text());
            last = range.end;
        }
        out.push_str(&input[last..]);
        Ok(Value::str(out))
    }))
}

fn split(call: &mut Call<'_>) -> Result<Value, Fault> {
    let (object, input, _) = parts(call)?;
    let (mut out, mut last) = (Vec::new(), 0);
    for captures in pattern(&object)?.captures_iter(&input) {
        let Some(found) = captures.get(0) else { continue };
        out.push(input[last..found.start()].to_owned());
        out.extend(captures.iter().skip(1).flatten().map(|group| group.as_str().to_owned()));
        last = found.end();
    }
    out.push(input[last..].to_owned());
    Ok(Value::strings(out))
}

fn group_at(call: &mut Call<'_>) -> Result<Value, Fault> {
    let groups = call.items(0)?;
    let found = match call.arg(1) {
        Value::Str(name) => groups.into_iter().find(|group| field(group, "Name").as_str() == Some(name)),
        other => other.as_int().and_then(|at| groups.into_iter().nth(usize::try_from(at).ok()?)),
    };
    Ok(found.unwrap_or_else(|| group("Group", "", "", None, Vec::new())))
}

fn field(record: &Value, name: &str) -> Value {
    match record {
        Value::Object(object) => match &**object {
            Object::Record(_, fields) => {
                fields.iter().find(|field| field.0 == name).map_or(Value::Null, |field| field.1.clone())
            }
            _ => Value::Null,
        },
        _ => Value::Null,
    }
}

const SPACE: TypeDef = TypeDef { namespace: "System.Text.RegularExpressions", ..PLAIN };

pub(super) const TYPES: &[TypeDef] = &[
    TypeDef {
        name: "Regex",
        rows: &[
            Row(
                "new(string pattern); new(string pattern, RegexOptions options); new(string pattern, RegexOptions options, TimeSpan matchTimeout)",
                create,
            ),
            Row(
                "bool IsMatch(string input); static bool IsMatch(string input, string pattern); static bool IsMatch(string input, string pattern, RegexOptions options); static bool IsMatch(string input, string pattern, RegexOptions options, TimeSpan matchTimeout)",
                is_match,
            ),
            Row(
                "Match Match(string input); static Match Match(string input, string pattern); static Match Match(string input, string pattern, RegexOptions options); static Match Match(string input, string pattern, RegexOptions options, TimeSpan matchTimeout)",
                first,
            ),
            Row(
                "IEnumerable<Match> Matches(string input); static IEnumerable<Match> Matches(string input, string pattern); static IEnumerable<Match> Matches(string input, string pattern, RegexOptions options)",
                all,
            ),
            Row(
                "string Replace(string input, string replacement); string Replace(string input, string replacement, int count); string Replace(string input, MatchEvaluator evaluator)",
                replace,
            ),
            Row(
                "static string Replace(string input, string pattern, string replacement); static string Replace(string input, string pattern, string replacement, RegexOptions options); static string Replace(string input, string pattern, MatchEvaluator evaluator)",
                replace,
            ),
            Row(
                "string[] Split(string input); static string[] Split(string input, string pattern); static string[] Split(string input, string pattern, RegexOptions options)",
                split,
            ),
        ],
        ..SPACE
    },
    TypeDef {
        name: "Capture",
        rows: &[Row("string Value; int Index; int Length", super::context::field)],
        ..SPACE
    },
    TypeDef {
        name: "Group",
        bases: &["Capture"],
        rows: &[Row("bool Success; lenient string Name", super::context::field)],
        ..SPACE
    },
    TypeDef {
        name: "Match",
        bases: &["Group"],
        rows: &[Row("GroupCollection Groups", super::context::field)],
        ..SPACE
    },
    TypeDef {
        name: "GroupCollection",
        bases: &["IEnumerable<Group>"],
        rows: &[
            Row("Group this[int index]; Group this[string name]", group_at),
            Row("int Count", super::linq::count),
        ],
        ..SPACE
    },
];
