//! Expressions and their results as text: `id | expression => result`, one line each in `data/*.txt`. A
//! result is a type and a value, `throws Type: message`, or `error: message` for what does not compile.
//!
//! The request that they see is the fixture below; clock and randomness stand still.

use handfast_expression::value::{Dictionary, Object};
use handfast_expression::{
    Body, BodyState, Budget, ContextView, Form, Lookup, Part, Prim, Side, Target, Type, Value, compile,
};
use std::sync::Arc;

const BODY: &str = r#"{"customer":{"name":"Ann","tags":["x","y"]},"total":12.5,"note":null}"#;
const TOKEN: &str = "Bearer eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJodHRwczovL2lkcC50ZXN0LyIsInN1YiI6InUxIiwiYXVkIjoiYXBpOi8vb3JkZXJzIiwicm9sZXMiOlsicmVhZGVyIiwid3JpdGVyIl0sImV4cCI6MTcwNDE2ODI0NSwiYXBwaWQiOiJhcHAtMSJ9.c2ln";

struct Fixture {
    read: bool,
}

fn json(text: &str) -> Value {
    let source = format!("JObject.Parse(@\"{}\")", text.replace('"', "\"\""));
    let program = compile(&source, Form::Expression, Target::Object, false).expect("fixture compiles");
    program.evaluate(&mut Fixture { read: true }, Budget::default()).expect("fixture evaluates")
}

/// Headers of a stored response, as a host makes them.
fn headers_of(pairs: &[(&str, &str)]) -> Value {
    let mut map = Dictionary::new(true, true);
    for (name, value) in pairs {
        map.set(Value::str(name), Value::strings([value]));
    }
    let of = Type::Class("IReadOnlyDictionary", vec![Type::String, Type::Array(Arc::new(Type::String))]);
    Value::Object(Arc::new(Object::Dictionary(of, std::sync::Mutex::new(map))))
}

impl Fixture {
    fn headers(lookup: Lookup) -> Vec<(&'static str, Vec<&'static str>)> {
        match lookup {
            Lookup::RequestHeaders => vec![
                ("Host", vec!["api.contoso.test"]),
                ("Content-Type", vec!["application/json"]),
                ("X-Multi", vec!["one", "two"]),
                ("X-Empty", vec![""]),
                ("Authorization", vec![TOKEN]),
            ],
            Lookup::ResponseHeaders => vec![("Cache-Control", vec!["public, max-age=60"])],
            Lookup::Query | Lookup::OriginalQuery => vec![("expand", vec!["items"]), ("tag", vec!["a", "b"])],
            _ => Vec::new(),
        }
    }

    fn variables() -> Vec<(String, Value)> {
        let stored = Value::record(
            "IResponse",
            vec![
                ("StatusCode", Value::int(200)),
                ("StatusReason", Value::str("OK")),
                ("Headers", headers_of(&[("X-A", "1")])),
                ("Body", {
                    let text = br#"{"access_token":"tok","items":[{"id":1},{"id":2}]}"#;
                    Value::Object(Arc::new(handfast_expression::value::Object::Body(Body::Stored(
                        Arc::from(&text[..]),
                    ))))
                }),
            ],
        );
        vec![
            ("str".into(), Value::str("hello")),
            ("num".into(), Value::int(42)),
            ("flag".into(), Value::Bool(true)),
            ("nul".into(), Value::Null),
            ("json".into(), json(r#"{"a":{"b":[1,2]},"name":"Ann"}"#)),
            ("resp".into(), stored),
        ]
    }
}

impl ContextView for Fixture {
    fn present(&self, part: Part) -> bool {
        !matches!(part, Part::Product | Part::LastError | Part::Backend | Part::Workspace)
    }

    fn field(&self, part: Part, name: &str) -> Value {
        let date = |ticks| Value::Date(handfast_expression::value::Date { ticks, kind: 1 });
        let group = |id: &str, name: &str| {
            Value::record("IGroup", vec![("Id", Value::str(id)), ("Name", Value::str(name))])
        };
        match (part, name) {
            (Part::Root, "RequestId") => Value::Guid(0x0f8f_ad5b_d9cb_469f_a165_7086_7728_950e),
            (Part::Root, "Timestamp") => date(638_397_614_456_780_000),
            (Part::Request, "Method") => Value::str("POST"),
            (Part::Request, "IpAddress") => Value::str("203.0.113.7"),
            (Part::OriginalUrl, "Path") => Value::str("/shop/v2/orders/42"),
            (Part::OriginalUrl | Part::RequestUrl, "QueryString") => Value::str("?expand=items&tag=a&tag=b"),
            (Part::RequestUrl, "Host") => Value::str("backend.internal"),
            (Part::RequestUrl, "Port") => Value::int(8443),
            (Part::RequestUrl, "Text") => {
                Value::str("https://backend.internal:8443/v2/orders/42?expand=items&tag=a&tag=b")
            }
            (Part::OriginalUrl, "Text") => {
                Value::str("https://api.contoso.test/shop/v2/orders/42?expand=items&tag=a&tag=b")
            }
            (Part::Response, "StatusCode") => Value::int(404),
            (Part::Response, "StatusReason") => Value::str("Not Found"),
            (Part::User, "Email") => Value::str("ann@contoso.test"),
            (Part::User, "Groups") => {
                Value::array(Type::class("IGroup"), vec![group("1", "Developers"), group("2", "Admins")])
            }
            (Part::Subscription, "Id") => Value::str("sub-1"),
            (Part::Subscription, "CreatedDate") => date(638_397_614_450_000_000),
            _ => Value::Null,
        }
    }

    fn lookup(&self, lookup: Lookup, key: &str) -> Option<Value> {
        match lookup {
            Lookup::Variables => {
                Self::variables().into_iter().find(|entry| entry.0 == key).map(|entry| entry.1)
            }
            Lookup::MatchedParameters => (key == "id").then(|| Value::str("42")),
            _ => Self::headers(lookup)
                .iter()
                .find(|h| h.0.eq_ignore_ascii_case(key))
                .map(|h| Value::strings(&h.1)),
        }
    }

    fn entries(&self, lookup: Lookup) -> Vec<(String, Value)> {
        match lookup {
            Lookup::Variables => Self::variables(),
            _ => Self::headers(lookup)
                .into_iter()
                .map(|(name, values)| (name.to_owned(), Value::strings(values)))
                .collect(),
        }
    }

    fn has_body(&self, _: Side) -> bool {
        true
    }

    fn body(&mut self, side: Side, _: bool) -> BodyState {
        if !std::mem::replace(&mut self.read, true) {
            return BodyState::Unread;
        }
        BodyState::Bytes(Arc::from(if side == Side::Request { BODY.as_bytes() } else { b"not json" }))
    }

    fn trace(&mut self, _: &str, _: &str) {}

    fn now_ticks(&self) -> i64 {
        638_397_614_456_780_000
    }

    fn random(&mut self, bytes: &mut [u8]) {
        bytes.fill(7);
    }
}

fn shown(value: &Value) -> String {
    let escaped =
        value.to_text().replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n").replace('\t', "\\t");
    match value {
        Value::Null => "null".into(),
        Value::Str(_) => format!("string \"{escaped}\""),
        Value::Char(_) => format!("char '{}'", value.to_text()),
        Value::Bool(truth) => format!("bool {truth}"),
        Value::Int(Prim::Int, number) => format!("int {number}"),
        other => format!("{} {}", other.type_of(), other.to_text()),
    }
}

fn run(source: &str, target: Target) -> String {
    run_in(source, target, false)
}

fn run_in(source: &str, target: Target, strict: bool) -> String {
    let (text, form) = match source.strip_prefix('{').and_then(|inner| inner.strip_suffix('}')) {
        Some(inner) => (inner, Form::Block),
        None => (source, Form::Expression),
    };
    let program = match compile(text, form, target, strict) {
        Ok(program) => program,
        Err(problems) => return format!("error: {}", problems[0].message),
    };
    let mut host = Fixture { read: false };
    let mut evaluation = program.start(Budget { steps: 1_000_000, ..Budget::default() });
    loop {
        // A slice of three steps stops and resumes everywhere.
        match evaluation.run(&mut host, 3) {
            handfast_expression::Outcome::Done(value) => return shown(&program.target_value(value)),
            handfast_expression::Outcome::Failed(e) => {
                return format!("throws {}: \"{}\"", e.kind, e.message.replace('"', "\\\""));
            }
            _ => {}
        }
    }
}

fn check(file: &str, text: &str, target: Target) {
    check_in(file, text, target, false);
}

fn check_in(file: &str, text: &str, target: Target, strict: bool) {
    let mut wrong = Vec::new();
    let mut count = 0;
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (id, rest) = line.split_once(" | ").expect("a line has an id");
        let (source, expected) = rest.rsplit_once(" => ").expect("a line has a result");
        count += 1;
        let found = run_in(source, target, strict);
        if found != expected
            && !(expected.starts_with("throws") && !expected.contains(':') && found.starts_with(expected))
        {
            wrong.push(format!("{id} | {source}\n    expected {expected}\n    found    {found}"));
        }
    }
    assert!(count > 0, "{file} has no lines");
    assert!(wrong.is_empty(), "{file}: {} of {count} differ\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn expressions_give_the_recorded_results() {
    check("results.txt", include_str!("data/results.txt"), Target::Object);
}

#[test]
fn what_does_not_compile_is_refused_with_the_recorded_text() {
    check("errors.txt", include_str!("data/errors.txt"), Target::String);
}

#[test]
fn the_strict_profile_refuses_what_azure_refuses() {
    check_in("strict.txt", include_str!("data/strict.txt"), Target::String, true);
}

#[test]
fn bool_targets_take_no_object_and_the_strict_profile_no_object_members() {
    let refused = |source, target, strict| match compile(source, Form::Expression, target, strict) {
        Ok(_) => String::new(),
        Err(problems) => problems[0].message.clone(),
    };
    assert_eq!(
        refused("context.Variables[\"flag\"]", Target::Bool, false),
        "Cannot implicitly convert type 'object' to 'bool'. An explicit conversion exists (are you missing a cast?)"
    );
    assert_eq!(
        refused("context.Variables[\"x\"].ToString()", Target::String, true),
        "Usage of member 'ToString' of type 'System.Object' is not supported within expressions"
    );
}

#[test]
fn all_errors_of_a_block_are_told_at_once() {
    let source = "int a = \"x\"; var b = nope; string c = a + b; return c.Foo;";
    let problems = compile(source, Form::Block, Target::String, false).expect_err("three errors");
    let texts: Vec<_> = problems.iter().map(|problem| problem.message.as_str()).collect();
    assert_eq!(texts.len(), 3, "{texts:?}");
    assert_eq!(texts[1], "The name 'nope' does not exist in the current context");
}

#[test]
fn broken_expressions_neither_panic_nor_escape_their_budget() {
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut next = |bound: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % bound as u64).unwrap_or(0)
    };
    for line in include_str!("data/results.txt").lines() {
        let Some(source) =
            line.split_once(" | ").and_then(|(_, rest)| rest.rsplit_once(" => ")).map(|(source, _)| source)
        else {
            continue;
        };
        for _ in 0..8 {
            let mut chars: Vec<char> = source.chars().collect();
            match next(3) {
                0 => drop(chars.remove(next(chars.len()))),
                1 => chars.insert(next(chars.len()), ['(', ')', '"', '.', '0', '{', '[', '-'][next(8)]),
                _ => {
                    let (a, b) = (next(chars.len()), next(chars.len()));
                    chars.swap(a, b);
                }
            }
            run(&chars.into_iter().collect::<String>(), Target::Object);
        }
    }
}

#[test]
fn hostile_expressions_end_within_steps_and_bytes() {
    for source in [
        "{ while (true) { } }",
        "{ for (;;) { } }",
        "{ var s = \"a\"; while (true) { s += s; } }",
        "new string('a', 1000000000)",
        "\"x\".PadLeft(1000000000)",
        "\"x\".PadRight(2000000000)",
        "{ var s = new string('a', 1000000); return string.Join(s, Enumerable.Repeat(s, 100000)); }",
        "string.Concat(Enumerable.Repeat(\"abc\", 100000000))",
        "Enumerable.Range(0, 2000000000).Count()",
        "new int[2000000000].Length",
        "new byte[2000000000].Length",
        "{ int F(int a) => F(a + 1); return F(0); }",
        "{ Func<int, int> f = null; f = x => f(x) + f(x); return f(1); }",
        "{ var l = new List<int>(); while (true) { l.Add(1); } }",
        "{ var d = new Dictionary<int, int>(); var i = 0; while (true) { d[i++] = 1; } }",
        "{ var o = new JObject(); while (true) { o = new JObject(new JProperty(\"a\", o)); } }",
        "{ var e = new XElement(\"a\"); while (true) { e = new XElement(\"a\", e, e); } }",
        "{ var sb = new StringBuilder(\"ab\"); while (true) { sb.Append(sb.ToString()); } }",
        "{ var s = \"aaaaaaaa\"; while (true) { s = s.Replace(\"a\", \"aaaaaaaa\"); } }",
        "{ var s = \"a\"; while (true) { s = Regex.Replace(s, \"a\", \"aaaa\"); } }",
        "{ var q = Enumerable.Range(0, 1000); return q.SelectMany(a => q.SelectMany(b => q)).Count(); }",
        "{ object o = null; while (true) { o = new { a = o }; } }",
        "{ object o = null; while (true) { o = new object[] { o }; } }",
        "{ var s = new string('a', 1000000); return string.Format(string.Concat(Enumerable.Repeat(\"{0}\", 3000)), s); }",
        "{ while (true) { try { throw new Exception(\"x\"); } catch { } } }",
    ] {
        let found = run(source, Target::Object);
        assert!(
            found.starts_with("throws EvaluationBudgetException"),
            "{source}: {}",
            &found[..found.len().min(200)]
        );
    }
    for (source, expected) in [
        ("Regex.IsMatch(new string('a', 64) + \"b\", \"^(a+)+$\")", "throws RegexMatchTimeoutException"),
        ("JToken.Parse(new string('[', 100000)).Type", "throws JsonReaderException"),
        ("XElement.Parse(string.Concat(Enumerable.Repeat(\"<a>\", 1000))).Name", "throws XmlException"),
        (
            "XElement.Parse(\"<a \" + string.Concat(Enumerable.Range(0, 5000).Select(i => \"a\" + i + \"='' \")) + \"/>\").Name",
            "throws XmlException",
        ),
        ("XElement.Parse(\"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>\").Value", "throws XmlException"),
        ("new Regex(new string('(', 10000)).ToString()", "throws ArgumentException"),
    ] {
        let found = run(source, Target::Object);
        assert!(found.starts_with(expected), "{source}: {}", &found[..found.len().min(200)]);
    }
}

#[test]
fn deep_nesting_is_refused_and_endless_loops_end() {
    for deep in [
        "(".repeat(20_000),
        "-".repeat(20_000),
        "new[]{".repeat(20_000),
        "a.b".repeat(20_000),
        "a?.b".repeat(20_000),
        "x=>".repeat(20_000),
    ] {
        assert!(run(&deep, Target::Object).starts_with("error: "), "{}", &deep[..8]);
    }
    assert!(run("{ while (true) { } }", Target::Object).starts_with("throws EvaluationBudgetException"));
    assert!(
        run("new string('x', 2000000000)", Target::Object).starts_with("throws EvaluationBudgetException")
    );
    assert!(
        run("{ int F(int a) => F(a + 1); return F(0); }", Target::Object)
            .starts_with("throws EvaluationBudgetException")
    );
}
