//! `System.Text.RegularExpressions` over the matcher of [`crate::regex`].

use crate::call::Call;
use crate::each;
use crate::fault::{Fault, out_of_range};
use crate::regex::{self, Captures, Regex};
use crate::surface::{PLAIN, Row, TypeDef};
use crate::types::{EnumDef, Type};
use crate::value::{Object, Value};
use std::sync::Arc;

/// A match with what it takes to expand a replacement from it and to find the next one.
pub struct Found {
    regex: Arc<Regex>,
    input: Arc<[char]>,
    captures: Captures,
}

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
        ("RightToLeft", 64),
        ("ECMAScript", 256),
        ("CultureInvariant", 512),
        ("NonBacktracking", 1024),
    ],
};

fn create(call: &mut Call<'_>) -> Result<Value, Fault> {
    let options = if call.count() > 1 { call.int(1)? } else { 0 };
    Ok(Value::object(Object::Regex(regex::cached(&call.text(0)?, options)?)))
}

/// Pattern, input and where the search begins, of a static or an instance call.
struct Search {
    regex: Arc<Regex>,
    input: Arc<[char]>,
    from: usize,
}

fn search(call: &mut Call<'_>, start: Option<usize>) -> Result<Search, Fault> {
    let (regex, text) = if call.member.is_static {
        let options = call.args.iter().skip(2).find_map(|arg| match arg {
            Value::Enum(_, number) => Some(*number),
            _ => None,
        });
        (regex::cached(&call.text(1)?, options.unwrap_or(0))?, call.text(0)?)
    } else {
        (of(call, 0)?, call.text(1)?)
    };
    call.allocate(text.len().saturating_mul(size_of::<char>()))?;
    let input: Arc<[char]> = text.chars().collect();
    let from = match start.filter(|at| !call.member.is_static && *at < call.count()) {
        Some(at) => {
            usize::try_from(call.int(at)?).ok().filter(|from| *from <= input.len()).ok_or_else(|| {
                out_of_range("startat", "Start index cannot be less than 0 or greater than input length.")
            })?
        }
        None => regex.start(input.len()),
    };
    Ok(Search { regex, input, from })
}

fn of(call: &Call<'_>, at: usize) -> Result<Arc<Regex>, Fault> {
    match &*call.object(at)? {
        Object::Regex(regex) => Ok(regex.clone()),
        _ => Err(call.missing(at)),
    }
}

impl Search {
    /// All matches, at most so many, in the order in which they are found.
    fn all(&self, call: &mut Call<'_>, most: usize) -> Result<Vec<Captures>, Fault> {
        let mut out = Vec::new();
        let mut from = Some(self.from);
        while let Some(at) = from.filter(|_| out.len() < most) {
            let Some(found) = self.regex.find(&self.input, at, call.steps)? else { break };
            let pieces: usize = found.0.iter().map(Vec::len).sum();
            call.allocate(64 + pieces.saturating_mul(16))?;
            from = self.regex.after(&found, self.input.len());
            out.push(found);
        }
        Ok(out)
    }

    fn text(&self, from: usize, to: usize) -> String {
        self.input.get(from..to).unwrap_or(&[]).iter().collect()
    }
}

/// A position in UTF-16 units.
fn units(input: &[char], at: usize) -> usize {
    at + input.iter().take(at).filter(|c| **c as u32 > 0xffff).count()
}

fn piece(
    class: &'static str,
    input: &[char],
    range: Option<(usize, usize)>,
    more: Vec<(&'static str, Value)>,
) -> Value {
    let (from, to) = range.unwrap_or((0, 0));
    let text: String = input.get(from..to).unwrap_or(&[]).iter().collect();
    let index = units(input, from);
    let mut fields = vec![
        ("Value", Value::str(text)),
        ("Index", Value::count(index)),
        ("Length", Value::count(units(input, to) - index)),
    ];
    fields.extend(more);
    Value::record(class, fields)
}

fn group(
    class: &'static str,
    input: &[char],
    name: &str,
    all: &[(usize, usize)],
    more: Vec<(&'static str, Value)>,
) -> Value {
    let captures = all.iter().map(|range| piece("Capture", input, Some(*range), Vec::new())).collect();
    let mut fields = vec![
        ("Success", Value::Bool(!all.is_empty())),
        ("Name", Value::str(name)),
        ("Captures", Value::list(Type::class("CaptureCollection"), captures)),
    ];
    fields.extend(more);
    piece(class, input, all.last().copied(), fields)
}

fn no_match() -> Value {
    let groups = ("Groups", Value::list(Type::class("GroupCollection"), Vec::new()));
    group("Match", &[], "0", &[], vec![groups])
}

fn match_of(call: &mut Call<'_>, search: &Search, captures: Captures) -> Result<Value, Fault> {
    let pieces: usize = captures.0.iter().map(Vec::len).sum();
    call.allocate((pieces + captures.0.len()).saturating_mul(300))?;
    let groups = search
        .regex
        .groups
        .iter()
        .zip(&captures.0)
        .map(|((_, name), all)| group("Group", &search.input, name, all, Vec::new()))
        .collect();
    let whole = captures.0.first().cloned().unwrap_or_default();
    let found = Found { regex: search.regex.clone(), input: search.input.clone(), captures };
    let more = vec![
        ("Groups", Value::list(Type::class("GroupCollection"), groups)),
        ("Found", Value::object(Object::Found(Box::new(found)))),
    ];
    Ok(group("Match", &search.input, "0", &whole, more))
}

fn is_match(call: &mut Call<'_>) -> Result<Value, Fault> {
    let search = search(call, Some(2))?;
    Ok(Value::Bool(search.regex.find(&search.input, search.from, call.steps)?.is_some()))
}

fn first(call: &mut Call<'_>) -> Result<Value, Fault> {
    let mut search = search(call, Some(2))?;
    if !call.member.is_static && call.count() > 3 {
        let end =
            search.from.saturating_add(usize::try_from(call.int(3)?).unwrap_or(0)).min(search.input.len());
        search.input = search.input.get(..end).unwrap_or(&[]).into();
    }
    match search.regex.find(&search.input, search.from, call.steps)? {
        Some(found) => match_of(call, &search, found),
        None => Ok(no_match()),
    }
}

fn all(call: &mut Call<'_>) -> Result<Value, Fault> {
    let search = search(call, Some(2))?;
    let found = search.all(call, usize::MAX)?;
    let mut out = Vec::with_capacity(found.len());
    for captures in found {
        out.push(match_of(call, &search, captures)?);
    }
    Ok(Value::list(Type::class("MatchCollection"), out))
}

fn found(call: &Call<'_>) -> Option<(Search, Captures)> {
    match super::context::named(call.arg(0), "Found") {
        Value::Object(object) => match &*object {
            Object::Found(found) => {
                let search = Search { regex: found.regex.clone(), input: found.input.clone(), from: 0 };
                Some((search, found.captures.clone()))
            }
            _ => None,
        },
        _ => None,
    }
}

fn next(call: &mut Call<'_>) -> Result<Value, Fault> {
    let Some((search, captures)) = found(call) else { return Ok(no_match()) };
    let Some(from) = search.regex.after(&captures, search.input.len()) else { return Ok(no_match()) };
    match search.regex.find(&search.input, from, call.steps)? {
        Some(found) => match_of(call, &search, found),
        None => Ok(no_match()),
    }
}

fn result(call: &mut Call<'_>) -> Result<Value, Fault> {
    let pattern = call.text(1)?;
    let Some((search, captures)) = found(call) else {
        return Err(crate::fault::throw(
            "NotSupportedException",
            "Result cannot be called on a failed Match.",
        ));
    };
    let mut out = String::new();
    regex::expand(&search.regex, &search.input, &captures, &pattern, &mut out);
    call.allocate(out.len())?;
    Ok(Value::str(out))
}

/// Matches in the order of the text, whatever the direction of the search.
fn in_order(mut found: Vec<Captures>) -> Vec<Captures> {
    found.sort_by_key(Captures::range);
    found
}

fn replace(call: &mut Call<'_>) -> Result<Value, Fault> {
    let search = search(call, Some(4))?;
    let count = if call.member.is_static || call.count() < 4 { -1 } else { call.int(3)? };
    let found = in_order(search.all(call, usize::try_from(count).unwrap_or(usize::MAX))?);
    if let Value::Str(replacement) = call.arg(2).clone() {
        let (mut out, mut last) = (String::new(), 0);
        for captures in &found {
            let (start, end) = captures.range();
            let before = out.len();
            out.push_str(&search.text(last, start));
            regex::expand(&search.regex, &search.input, captures, &replacement, &mut out);
            call.allocate(out.len() - before)?;
            last = end;
        }
        out.push_str(&search.text(last, search.input.len()));
        return Ok(Value::str(out));
    }
    if call.arg(2).is_null() {
        return Err(call.missing(2));
    }
    let function = call.arg(2).clone();
    let mut matches = Vec::with_capacity(found.len());
    let ranges: Vec<_> = found.iter().map(Captures::range).collect();
    for captures in found {
        matches.push(match_of(call, &search, captures)?);
    }
    Err(each::map(&function, &matches, move |results| {
        let (mut out, mut last) = (String::new(), 0);
        for ((start, end), result) in ranges.iter().zip(results) {
            out.push_str(&search.text(last, *start));
            out.push_str(&result.to_text());
            last = *end;
        }
        out.push_str(&search.text(last, search.input.len()));
        Ok(Value::str(out))
    }))
}

fn split(call: &mut Call<'_>) -> Result<Value, Fault> {
    let search = search(call, Some(3))?;
    let count = if call.member.is_static || call.count() < 3 { 0 } else { call.int(2)? };
    let most = usize::try_from(count).ok().filter(|count| *count > 0).map_or(usize::MAX, |count| count - 1);
    let (mut out, mut last) = (Vec::new(), 0);
    for captures in in_order(search.all(call, most)?) {
        let (start, end) = captures.range();
        out.push(search.text(last, start));
        for slot in 1..search.regex.groups.len() {
            out.extend(captures.last(slot).map(|(from, to)| search.text(from, to)));
        }
        last = end;
    }
    out.push(search.text(last, search.input.len()));
    call.allocate(out.len().saturating_mul(size_of::<Value>()) + search.input.len())?;
    Ok(Value::strings(out))
}

fn escaped(call: &mut Call<'_>) -> Result<Value, Fault> {
    let text = call.text(0)?;
    call.allocate(text.len().saturating_mul(2))?;
    Ok(Value::str(if call.member.name == "Escape" { regex::escape(&text) } else { regex::unescape(&text) }))
}

fn group_at(call: &mut Call<'_>) -> Result<Value, Fault> {
    let groups = call.items(0)?;
    let found = match call.arg(1) {
        Value::Str(name) => {
            groups.into_iter().find(|group| super::context::named(group, "Name").as_str() == Some(name))
        }
        other => other.as_int().and_then(|at| groups.into_iter().nth(usize::try_from(at).ok()?)),
    };
    Ok(found.unwrap_or_else(|| group("Group", &[], "", &[], Vec::new())))
}

fn item_at(call: &mut Call<'_>) -> Result<Value, Fault> {
    let items = call.items(0)?;
    let found = usize::try_from(call.int(1)?).ok().and_then(|at| items.get(at).cloned());
    found.ok_or_else(|| out_of_range("i", "Specified argument was out of the range of valid values."))
}

fn about(call: &mut Call<'_>) -> Result<Value, Fault> {
    let regex = of(call, 0)?;
    Ok(match call.member.name.as_str() {
        "Options" => Value::Enum(&REGEX_OPTIONS, regex.options),
        "RightToLeft" => Value::Bool(regex.is_reverse()),
        "GetGroupNames" => Value::strings(regex.groups.iter().map(|group| group.1.as_str())),
        "GetGroupNumbers" => {
            Value::array(Type::INT, regex.groups.iter().map(|group| Value::count(group.0)).collect())
        }
        _ => Value::str(&regex.text),
    })
}

fn empty(_: &mut Call<'_>) -> Result<Value, Fault> {
    Ok(no_match())
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
                "bool IsMatch(string input); bool IsMatch(string input, int startat); static bool IsMatch(string input, string pattern); static bool IsMatch(string input, string pattern, RegexOptions options); static bool IsMatch(string input, string pattern, RegexOptions options, TimeSpan matchTimeout)",
                is_match,
            ),
            Row(
                "Match Match(string input); Match Match(string input, int startat); Match Match(string input, int beginning, int length); static Match Match(string input, string pattern); static Match Match(string input, string pattern, RegexOptions options); static Match Match(string input, string pattern, RegexOptions options, TimeSpan matchTimeout)",
                first,
            ),
            Row(
                "MatchCollection Matches(string input); MatchCollection Matches(string input, int startat); static MatchCollection Matches(string input, string pattern); static MatchCollection Matches(string input, string pattern, RegexOptions options); static MatchCollection Matches(string input, string pattern, RegexOptions options, TimeSpan matchTimeout)",
                all,
            ),
            Row(
                "string Replace(string input, string replacement); string Replace(string input, string replacement, int count); string Replace(string input, string replacement, int count, int startat); string Replace(string input, MatchEvaluator evaluator); string Replace(string input, MatchEvaluator evaluator, int count); string Replace(string input, MatchEvaluator evaluator, int count, int startat)",
                replace,
            ),
            Row(
                "static string Replace(string input, string pattern, string replacement); static string Replace(string input, string pattern, string replacement, RegexOptions options); static string Replace(string input, string pattern, string replacement, RegexOptions options, TimeSpan matchTimeout); static string Replace(string input, string pattern, MatchEvaluator evaluator); static string Replace(string input, string pattern, MatchEvaluator evaluator, RegexOptions options); static string Replace(string input, string pattern, MatchEvaluator evaluator, RegexOptions options, TimeSpan matchTimeout)",
                replace,
            ),
            Row(
                "string[] Split(string input); string[] Split(string input, int count); string[] Split(string input, int count, int startat); static string[] Split(string input, string pattern); static string[] Split(string input, string pattern, RegexOptions options); static string[] Split(string input, string pattern, RegexOptions options, TimeSpan matchTimeout)",
                split,
            ),
            Row("static string Unescape(string str); lenient static string Escape(string str)", escaped),
            Row(
                "lenient RegexOptions Options; lenient bool RightToLeft; lenient string[] GetGroupNames(); lenient int[] GetGroupNumbers(); lenient string ToString()",
                about,
            ),
        ],
        ..SPACE
    },
    TypeDef {
        name: "Capture",
        rows: &[
            Row("string Value; int Index; int Length", super::context::field),
            Row("lenient string ToString()", value_text),
        ],
        ..SPACE
    },
    TypeDef {
        name: "Group",
        bases: &["Capture"],
        rows: &[Row("bool Success; CaptureCollection Captures; lenient string Name", super::context::field)],
        ..SPACE
    },
    TypeDef {
        name: "Match",
        bases: &["Group"],
        rows: &[
            Row("GroupCollection Groups", super::context::field),
            Row("static Match Empty", empty),
            Row("string Result(string replacement)", result),
            Row("lenient Match NextMatch()", next),
        ],
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
    TypeDef {
        name: "CaptureCollection",
        bases: &["IEnumerable<Capture>"],
        rows: &[Row("Capture this[int index]", item_at), Row("int Count", super::linq::count)],
        ..SPACE
    },
    TypeDef {
        name: "MatchCollection",
        bases: &["IEnumerable<Match>"],
        rows: &[Row("lenient Match this[int index]", item_at), Row("lenient int Count", super::linq::count)],
        ..SPACE
    },
];

fn value_text(call: &mut Call<'_>) -> Result<Value, Fault> {
    Ok(super::context::named(call.arg(0), "Value"))
}
