//! Mutated documents through the whole way: whatever compiles also runs to its end.

use crate::{
    CompileOptions, Context, Counted, Format, Input, Machine, Output, Permit, QuotaUsage, Response, Scope,
    compile, compile_effective,
};
use bytes::Bytes;
use handfast_core::message::ResponseHead;
use handfast_core::{Secret, UnixTime};
use std::sync::Arc;
use std::time::Duration;

const DOCUMENT: &str = r#"<policies>
  <inbound>
    <base />
    <cors><allowed-origins><origin>https://a.test</origin></allowed-origins></cors>
    <authentication-managed-identity resource="r" />
    <check-header name="Host" failed-check-httpcode="400" />
    <choose><when condition="false" /><when condition="true"><set-variable name="a" value="{{v}}" /></when><otherwise /></choose>
    <rate-limit-by-key calls="1" renewal-period="60" counter-key="k" />
    <rewrite-uri template="/a/{id}?b=c" />
    <set-query-parameter name="q" exists-action="append"><value>1</value></set-query-parameter>
    <ip-filter action="forbid"><address-range from="10.0.0.1" to="10.0.0.9" /></ip-filter>
  </inbound>
  <backend><retry condition="true" count="2" interval="1"><limit-concurrency key="k" max-count="1"><forward-request timeout="3" /></limit-concurrency></retry></backend>
  <outbound><find-and-replace from="a" to="b" /><set-header name="X"><value>1</value></set-header></outbound>
  <on-error><return-response><set-status code="500" /><set-body>text</set-body></return-response></on-error>
</policies>"#;

/// Answers whatever is asked; of questions beside one another, the first of the new ones or nothing.
fn answer(output: Output) -> Option<Input> {
    Some(match output {
        Output::Done(_) => return None,
        Output::Forward(_) => Input::Response(ResponseHead::new(503)),
        Output::Send(_) => Input::Sent(Ok(Response::default())),
        Output::ReadBody { .. } => Input::Body(Bytes::from_static(b"aba")),
        Output::Count(_) => {
            Input::Counted(Counted { allowed: true, remaining: 0, retry_after: Duration::ZERO })
        }
        Output::CacheGet { .. } | Output::CacheNearest { .. } => Input::Cached(None),
        Output::CacheSet { .. } | Output::CacheNear { .. } | Output::CacheRemove { .. } => Input::Stored,
        Output::QuotaUsed(_) => Input::Used(QuotaUsage::default()),
        Output::Acquire { .. } => Input::Permit(Some(Permit::new(()))),
        Output::Keys { .. } => return None,
        Output::Log(_) | Output::Settle(_) | Output::Meter(_) => Input::Stored,
        Output::Token { .. } => Input::Token(Ok(Secret::new("t".to_owned()))),
        Output::Authorization(_) => Input::Authorization(Ok(Secret::new("t".to_owned()))),
        Output::AwaitAny { begin, .. } => {
            let (number, output) = begin.into_iter().next()?;
            Input::Branch(number, Box::new(answer(output)?))
        }
        Output::Sleep(_) => Input::Slept,
        Output::Yield => Input::Resumed,
    })
}

#[test]
fn the_document_that_is_mutated_compiles_without_a_word() {
    let options = CompileOptions {
        named_value: &|name| (name == "v").then(|| "value".to_owned()),
        ..CompileOptions::new(Scope::Api, Format::RawXml)
    };
    let compiled = compile(DOCUMENT, &options);
    assert!(compiled.document.is_some() && compiled.diagnostics.is_empty(), "{:?}", compiled.diagnostics);
}

#[test]
fn mutated_documents_compile_to_diagnostics_or_to_plans_that_end() {
    let pieces = ["", "9", "true", "<", ">", "\"", "/", "{", "}", "é", "base", "{{v}}", "@(1)", " ", "&amp;"];
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = move |bound: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % bound as u64) as usize
    };
    let (mut ran, mut refused) = (0, 0);
    for _ in 0..3_000 {
        let mut text: Vec<char> = DOCUMENT.chars().collect();
        let at = next(text.len());
        let end = (at + next(6)).min(text.len());
        text.splice(at..end, pieces[next(pieces.len())].chars());
        let text: String = text.into_iter().collect();
        let options = CompileOptions {
            named_value: &|name| (name == "v").then(|| "value".to_owned()),
            ..CompileOptions::new(Scope::Api, Format::RawXml)
        };
        let Some(document) = compile(&text, &options).document else {
            refused += 1;
            continue;
        };
        let mut context = Context::default();
        context.request.target.assign("/x?y=1");
        context.matched_parameters.push(("id".to_owned(), "7".to_owned()));
        let mut machine = Machine::new(Arc::new(compile_effective(&[document])), context);
        let mut input = Some(Input::Start);
        let mut steps = 0;
        while let Some(now) = input {
            input = answer(machine.step(now, UnixTime(0)));
            steps += 1;
            assert!(steps < 1_000, "the plan does not end:\n{text}");
        }
        ran += 1;
    }
    // Most edits break so dense a document; both ways must have been taken often.
    assert!(ran > 100 && refused > 100, "{ran} ran, {refused} were refused");
}
