//! Nanoseconds per evaluation of typical expressions, over a host that costs next to nothing. Not a test: the numbers
//! depend on the machine.
#![allow(clippy::print_stdout, reason = "a program for people")]

use handfast_expression::{BodyState, Budget, ContextView, Form, Lookup, Part, Side, Target, Value, compile};
use std::sync::Arc;
use std::time::Instant;

struct Host {
    header: Value,
}

impl ContextView for Host {
    fn present(&self, _: Part) -> bool {
        true
    }

    fn field(&self, part: Part, name: &str) -> Value {
        match (part, name) {
            (Part::Response, "StatusCode") => Value::int(200),
            _ => Value::Null,
        }
    }

    fn lookup(&self, _: Lookup, _: &str) -> Option<Value> {
        Some(self.header.clone())
    }

    fn entries(&self, _: Lookup) -> Vec<(String, Value)> {
        Vec::new()
    }

    fn has_body(&self, _: Side) -> bool {
        true
    }

    fn body(&mut self, _: Side, _: bool) -> BodyState {
        BodyState::Bytes(Arc::from(&br#"{"a":{"b":[1,2,3]},"name":"Ann","total":12.5}"#[..]))
    }

    fn trace(&mut self, _: &str, _: &str) {}

    fn now_ticks(&self) -> i64 {
        638_397_614_456_780_000
    }

    fn random(&mut self, bytes: &mut [u8]) {
        bytes.fill(7);
    }
}

fn main() {
    let sources = [
        r#"context.Request.Headers.GetValueOrDefault("X","") + "-a""#,
        "context.Response.StatusCode >= 400 && context.Response.StatusCode < 500",
        r#"context.Request.Body.As<JObject>(true)["name"].ToString()"#,
        r#"string.Join(",", new[] { 3, 1, 2 }.Where(x => x > 1).Select(x => x * 2))"#,
        r#"Regex.IsMatch(context.Request.Headers.GetValueOrDefault("X",""), "^[a-z]+-\\d{3}$")"#,
        r#"$"{context.Request.Headers.GetValueOrDefault("X","")}:{context.Response.StatusCode}""#,
    ];
    let mut host = Host { header: Value::strings(["abc-123"]) };
    for source in sources {
        let Ok(program) = compile(source, Form::Expression, Target::Object, false) else {
            println!("does not compile: {source}");
            continue;
        };
        const ROUNDS: u32 = 200_000;
        let begin = Instant::now();
        for _ in 0..ROUNDS {
            let _ = program.evaluate(&mut host, Budget::default());
        }
        println!("{:>8} ns  {source}", begin.elapsed().as_nanos() / u128::from(ROUNDS));
    }
}
