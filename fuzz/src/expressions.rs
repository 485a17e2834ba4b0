//! C# policy expressions and the small languages inside them: .NET patterns, JSON paths, Liquid templates.

use handfast_expression::{
    BodyState, Budget, ContextView, Form, Lookup, Outcome, Part, Program, Side, Target, Value, compile,
};
use handfast_policy::Scope;
use handfast_policy::cases::Case;
use std::sync::{Arc, LazyLock};

/// What one input may spend: enough to reach every member, little enough for many inputs a second.
const BUDGET: Budget = Budget { steps: 200_000, bytes: 4 << 20 };
/// Steps of a slice, so that an evaluation stops and goes on everywhere.
const SLICE: u32 = 7;
/// What a Liquid template may write, by the policy's own limit.
const RENDERED_BYTES_MAX: usize = 8 << 20;

/// A request with a few headers and variables, and what the input gave.
struct Host<'a> {
    variables: [(&'static str, Value); 4],
    body: &'a str,
    read: bool,
}

impl<'a> Host<'a> {
    fn new(first: &str, second: &'a str) -> Self {
        let variables = [
            ("a", Value::str(first)),
            ("b", Value::str(second)),
            ("num", Value::int(42)),
            ("nul", Value::Null),
        ];
        Self { variables, body: second, read: false }
    }
}

impl ContextView for Host<'_> {
    fn present(&self, part: Part) -> bool {
        !matches!(part, Part::LastError | Part::Product)
    }

    fn field(&self, part: Part, name: &str) -> Value {
        match (part, name) {
            (Part::Request, "Method") => Value::str("GET"),
            (_, "Text") => Value::str("https://gateway.test/a/b?c=d"),
            (_, "Path") => Value::str("/a/b"),
            (Part::Response, "StatusCode") => Value::int(200),
            _ => Value::Null,
        }
    }

    fn lookup(&self, lookup: Lookup, key: &str) -> Option<Value> {
        match lookup {
            Lookup::Variables => {
                self.variables.iter().find(|known| known.0 == key).map(|known| known.1.clone())
            }
            _ => key.eq_ignore_ascii_case("X-Id").then(|| Value::strings(["one", "two"])),
        }
    }

    fn entries(&self, lookup: Lookup) -> Vec<(String, Value)> {
        match lookup {
            Lookup::Variables => {
                self.variables.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
            }
            _ => vec![("X-Id".to_owned(), Value::strings(["one", "two"]))],
        }
    }

    fn has_body(&self, _: Side) -> bool {
        true
    }

    fn body(&mut self, _: Side, _: bool) -> BodyState {
        match std::mem::replace(&mut self.read, true) {
            true => BodyState::Bytes(Arc::from(self.body.as_bytes())),
            false => BodyState::Unread,
        }
    }

    fn trace(&mut self, _: &str, _: &str) {}

    fn now_ticks(&self) -> i64 {
        638_397_614_456_780_000
    }

    fn random(&mut self, bytes: &mut [u8]) {
        bytes.fill(7);
    }
}

/// What an evaluation comes to, as text, and the steps that it leaves.
fn run(program: &Program, host: &mut Host<'_>, slice: u32) -> (String, u64) {
    let mut evaluation = program.start(BUDGET);
    loop {
        match evaluation.run(host, slice) {
            Outcome::Done(value) => {
                return (program.target_value(value).to_text(), evaluation.left().steps);
            }
            Outcome::Failed(exception) => {
                let text = format!("{}: {}", exception.kind, exception.message);
                return (text, evaluation.left().steps);
            }
            Outcome::Yield | Outcome::Need(_) => {}
        }
    }
}

/// An expression is refused with reasons that lie inside it, or runs within its budget, and it comes to the
/// same in one go and in slices.
pub(crate) fn csharp(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (source, form) = match text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
        Some(inner) => (inner, Form::Block),
        None => (text, Form::Expression),
    };
    for target in [Target::Object, Target::String, Target::Bool, Target::Int] {
        let program = match compile(source, form, target, false) {
            Ok(program) => program,
            Err(problems) => {
                assert!(!problems.is_empty(), "a refusal must have a reason");
                assert!(compile(source, form, target, true).is_err(), "the strict profile accepts no more");
                continue;
            }
        };
        let body = "{\"a\":[1,{\"b\":null}]}";
        let whole = run(&program, &mut Host::new("x", body), u32::MAX);
        let sliced = run(&program, &mut Host::new("x", body), SLICE);
        assert_eq!(whole.0, sliced.0, "a slice is no difference");
    }
}

static PATTERN: LazyLock<Program> = LazyLock::new(|| {
    block(
        r#"
        string p = (string)context.Variables["a"], i = (string)context.Variables["b"];
        if (!Regex.IsMatch(p, @"\A" + Regex.Escape(p) + @"\z")) { return "an escaped text matches itself"; }
        if (Regex.Unescape(Regex.Escape(p)) != p) { return "what is escaped reads back"; }
        try {
            var found = Regex.Matches(i, p).Cast<Match>().ToList();
            if (Regex.IsMatch(i, p) != (found.Count > 0)) { return "IsMatch and Matches agree"; }
            if (Regex.Replace(i, p, "$&") != i) { return "a match replaced by itself is no change"; }
            if (found.Any(m => i.Substring(m.Index, m.Length) != m.Value)) { return "a match lies where it says"; }
            return "";
        }
        catch (ArgumentException) { return ""; }
"#,
    )
});

static SELECT: LazyLock<Program> = LazyLock::new(|| {
    block(
        r#"
        JToken root;
        try { root = JToken.Parse((string)context.Variables["b"]); }
        catch (JsonReaderException) { return ""; }
        try {
            var path = (string)context.Variables["a"];
            var found = root.SelectTokens(path).ToList();
            if (found.Count < 2 && root.SelectToken(path) != found.FirstOrDefault()) { return "one is the first of all"; }
            if (found.Any(t => t.Root != root)) { return "what is selected is inside"; }
            return "";
        }
        catch (JsonException) { return ""; }
        catch (ArgumentException) { return ""; }
"#,
    )
});

fn block(source: &str) -> Program {
    match compile(source, Form::Block, Target::String, false) {
        Ok(program) => program,
        Err(problems) => panic!("the property does not compile: {problems:?}"),
    }
}

/// How an evaluation ends that spends too much.
const SPENT: [&str; 2] = ["EvaluationBudgetException", "RegexMatchTimeoutException"];

/// Runs a property over the first line of the input and the rest: it says what does not hold. It may run out
/// of its budget.
fn holds(program: &Program, data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
    let (said, _) = run(program, &mut Host::new(first, rest), u32::MAX);
    assert!(said.is_empty() || SPENT.iter().any(|spent| said.starts_with(spent)), "{said}");
}

/// A .NET pattern and, from the second line, the text it is matched against.
pub(crate) fn pattern(data: &[u8]) {
    holds(&PATTERN, data);
}

/// A JSON path and, from the second line, the document it selects from.
pub(crate) fn select(data: &[u8]) {
    holds(&SELECT, data);
}

/// A Liquid template and, after a line `---`, the body that it sees: it is refused with a reason, or renders the
/// same twice, within the limit.
pub(crate) fn liquid(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (template, body) = text.split_once("\n---\n").unwrap_or((text, "{}"));
    let escaped = template.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let document = format!(
        "<policies><inbound><base/></inbound><backend><base/></backend><outbound><set-body template=\"liquid\">{escaped}</set-body></outbound></policies>"
    );
    let backend = format!("200 OK\nContent-Type: application/json\n\n{body}");
    let case = Case::of_document(Scope::Api, &document, "GET /\n", Some(&backend));
    let rendered = || {
        let (_, requests) = case.trace().ok()?;
        requests.into_iter().next().map(|one| (one.response.status, one.body))
    };
    let Some(first) = rendered() else { return };
    assert!(first.1.len() <= RENDERED_BYTES_MAX, "what is written is bounded");
    // What ran out of its budget would only do so again.
    if first.0 == 200 {
        assert_eq!(Some(first), rendered(), "a template renders the same twice");
    }
}
