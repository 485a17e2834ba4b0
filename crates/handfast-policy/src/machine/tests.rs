//! What cases cannot show: hosts that answer out of turn, sharing of compiled nodes, steps after the end.

use crate::{
    CompileOptions, Context, Format, Input, Machine, Output, Plan, Scope, ScopedDocument, Section, Verdict,
    compile, compile_effective,
};
use handfast_core::UnixTime;
use handfast_core::message::ResponseHead;
use std::sync::Arc;

fn document(scope: Scope, text: &str) -> Arc<ScopedDocument> {
    let compiled = compile(text, &CompileOptions::new(scope, Format::RawXml));
    assert!(compiled.diagnostics.is_empty(), "{:?}", compiled.diagnostics);
    compiled.document.expect("compiled")
}

fn plan(text: &str) -> Arc<Plan> {
    Arc::new(compile_effective(&[document(Scope::Global, text)]))
}

const FORWARD: &str = "<policies><backend><forward-request /></backend></policies>";

#[test]
fn an_answer_out_of_turn_ends_in_a_500() {
    let mut machine = Machine::new(plan(FORWARD), Context::default());
    assert!(matches!(machine.step(Input::Start, UnixTime(0)), Output::Forward(_)));
    assert!(matches!(machine.step(Input::Slept, UnixTime(0)), Output::Done(Verdict::Failed)));
    let context = machine.into_context();
    assert_eq!(context.response.map(|response| response.head.status), Some(500));
    assert_eq!(context.last_error.map(|error| error.reason), Some("UnexpectedAnswer"));
}

#[test]
fn a_machine_that_is_over_stays_over() {
    let mut machine = Machine::new(plan(FORWARD), Context::default());
    machine.step(Input::Start, UnixTime(0));
    let response = ResponseHead::new(204);
    assert!(matches!(machine.step(Input::Response(response), UnixTime(0)), Output::Done(Verdict::Completed)));
    for _ in 0..3 {
        assert!(matches!(machine.step(Input::Start, UnixTime(0)), Output::Done(_)));
    }
    assert_eq!(machine.context().response.as_ref().map(|response| response.head.status), Some(204));
}

#[test]
fn a_machine_that_has_not_begun_takes_only_beginnings() {
    let mut machine = Machine::new(plan(FORWARD), Context::default());
    assert!(matches!(machine.step(Input::Slept, UnixTime(0)), Output::Done(Verdict::Failed)));
}

#[test]
fn plans_share_the_nodes_of_their_documents() {
    let global = document(Scope::Global, FORWARD);
    let api = document(Scope::Api, "<policies><inbound><base /></inbound></policies>");
    let one = compile_effective(&[Arc::clone(&api), Arc::clone(&global)]);
    let other = compile_effective(&[global]);
    let (one, other) = (one.section(Section::Backend), other.section(Section::Backend));
    assert!(Arc::ptr_eq(&one[0], &other[0]));
}

#[test]
fn plans_say_whether_they_want_a_client_certificate() {
    let nested = "<policies><inbound><choose><when condition=\"false\"><validate-client-certificate /></when></choose></inbound></policies>";
    assert!(plan(nested).wants_client_certificate());
    assert!(!plan(FORWARD).wants_client_certificate());
}

#[test]
fn documents_over_the_limit_are_refused() {
    let options = CompileOptions { bytes_max: 10, ..CompileOptions::new(Scope::Api, Format::Xml) };
    let compiled = compile(FORWARD, &options);
    assert!(compiled.document.is_none());
    assert_eq!(compiled.diagnostics[0].code, "PolicyTooLarge");
}

#[test]
fn credentials_do_not_show_in_debug_output() {
    let text = "<policies><inbound><set-variable name=\"v\" value=\"s3cret\" />\
        <set-header name=\"X\"><value>s3cret</value></set-header><set-body>s3cret</set-body></inbound></policies>";
    let mut machine = Machine::new(plan(text), Context::default());
    machine.context_mut().original_url = "https://a.test/?subscription-key=s3cret".to_owned();
    machine.step(Input::Start, UnixTime(0));
    assert!(!format!("{machine:?}").contains("s3cret"));
}
