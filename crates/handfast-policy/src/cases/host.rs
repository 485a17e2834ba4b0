//! The host of a case: scripted backend, in-memory counters, a clock that moves when the machine sleeps.

use super::compare;
use super::facts::START;
use super::play::Play;
use super::{Block, Case, CaseError, Exchange, Mismatch, Outcome, Setup, Traced};
use crate::compile::{CompileOptions, FragmentSource, compile};
use crate::context::Context;
use crate::machine::Machine;
use crate::machine::io::{Cached, CountRequest, CountWhen, Counted, Input, Output, QuotaPeriod, QuotaUsage};
use crate::plan::{Plan, ScopedDocument, compile_effective};
use crate::reader::Format;
use crate::tokens::{FoundKeys, IssuerKeys, KeysUnavailable};
use crate::trace::trace_document;
use bytes::Bytes;
use handfast_core::message::{Method, RequestHead, ResponseHead, standard_reason};
use handfast_core::{Diagnostic, UnixTime};
use handfast_pki::jose::KeySet;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// The most outputs of one request; a plan that asks for more does not end.
const STEPS_MAX: usize = 10_000;

pub(super) fn run(case: &Case) -> Result<Vec<Mismatch>, CaseError> {
    let (plan, diagnostics) = prepare(case);
    let mut mismatches = compare::diagnostics(case.diagnostics.as_ref(), &diagnostics);
    if diagnostics.iter().any(Diagnostic::is_error) {
        return Ok(mismatches);
    }
    play(case, &plan, |exchange, outcome| mismatches.extend(compare::exchange(exchange, outcome)))?;
    Ok(mismatches)
}

/// Plays the case and tells what each request came to.
pub(super) fn trace(case: &Case) -> Result<(Vec<Diagnostic>, Vec<Traced>), CaseError> {
    let (plan, diagnostics) = prepare(case);
    let mut traced = Vec::new();
    if !diagnostics.iter().any(Diagnostic::is_error) {
        play(case, &plan, |exchange, outcome| {
            let request = exchange.request.text.lines().next().unwrap_or_default().to_owned();
            let (variables, last_error) = compare::state(&outcome.context);
            traced.push(Traced {
                request,
                records: outcome.context.records.clone(),
                document: trace_document(&outcome.context, None),
                variables,
                last_error,
                response: outcome.response.clone(),
                body: outcome.body.clone(),
            });
        })?;
    }
    Ok((diagnostics, traced))
}

fn play(case: &Case, plan: &Arc<Plan>, mut then: impl FnMut(&Exchange, &Outcome)) -> Result<(), CaseError> {
    let mut world = World {
        now: START,
        counters: HashMap::new(),
        cache: HashMap::new(),
        near: Vec::new(),
        quotas: HashMap::new(),
        case,
    };
    for exchange in &case.exchanges {
        world.now = world.now.plus(exchange.after);
        let outcome = world.exchange(plan, exchange)?;
        then(exchange, &outcome);
    }
    Ok(())
}

fn prepare(case: &Case) -> (Arc<Plan>, Vec<Diagnostic>) {
    let (mut documents, mut diagnostics) = (Vec::new(), Vec::new());
    for document in &case.documents {
        let fragment = |id: &str| {
            let text = case.fragments.get(id)?.clone();
            Some(FragmentSource { text, format: Format::RawXml })
        };
        let options = CompileOptions {
            named_value: &|name| case.named_values.get(name).cloned(),
            fragment: &fragment,
            backend_exists: &|id| case.backends.as_ref().is_none_or(|known| known.iter().any(|k| k == id)),
            logger_exists: &|id| case.loggers.as_ref().is_none_or(|known| known.iter().any(|k| k == id)),
            certificate_thumbprint: &|id| case.certificates.get(id).cloned(),
            schema: &|id| case.schemas.get(id).cloned(),
            ..CompileOptions::new(document.scope, document.format)
        };
        let compiled = compile(&document.text, &options);
        documents.extend(compiled.document);
        diagnostics.extend(compiled.diagnostics);
    }
    documents.sort_by_key(|document: &Arc<ScopedDocument>| std::cmp::Reverse(document.scope()));
    (Arc::new(compile_effective(&documents)), diagnostics)
}

/// A response that is kept for a prompt.
pub(super) struct Nearby {
    pub(super) partition: String,
    pub(super) vector: Arc<[f32]>,
    pub(super) entry: Cached,
    pub(super) end: UnixTime,
}

pub(super) struct World<'c> {
    pub(super) now: UnixTime,
    /// End of the window and calls in it, by key.
    counters: HashMap<String, (UnixTime, u32)>,
    /// What is cached, and until when.
    pub(super) cache: HashMap<String, (Cached, UnixTime)>,
    /// What is found by likeness.
    pub(super) near: Vec<Nearby>,
    /// By key and begin of the period.
    pub(super) quotas: HashMap<(String, i64), QuotaUsage>,
    pub(super) case: &'c Case,
}

impl World<'_> {
    fn exchange(&mut self, plan: &Arc<Plan>, exchange: &Exchange) -> Result<Outcome, CaseError> {
        let Setup { mut context, certificate, rejection } = self.case.facts.setup()?;
        context.certificate = certificate.map(Arc::new);
        let sent = request(&exchange.request, &mut context)?;
        let began = self.now;
        context.received = began;
        let begin = match rejection {
            Some(failure) => Input::Reject(Box::new(failure)),
            None if self.case.facts.preflight => Input::Preflight,
            None => Input::Start,
        };
        let mut machine = Machine::new(Arc::clone(plan), context);
        let mut play = Play::new(self, sent, &exchange.replies);
        let mut input = begin;
        for _ in 0..STEPS_MAX {
            let now = play.now();
            let seconds = u64::try_from(now.0 - began.0).unwrap_or(0);
            machine.context_mut().elapsed = Duration::from_secs(seconds);
            input = match machine.step(input, now) {
                Output::Done(_) => return Ok(play.outcome(machine.into_context())),
                output => play.answer(output, machine.context())?,
            };
        }
        Err(CaseError::new(exchange.line, "the request did not end"))
    }

    pub(super) fn add(&mut self, period: &QuotaPeriod, more: QuotaUsage) {
        let used = self.quotas.entry(self.quota(period)).or_default();
        (used.calls, used.bytes) = (used.calls + more.calls, used.bytes + more.bytes);
    }

    /// The counter of the period that it is now.
    pub(super) fn quota(&self, period: &QuotaPeriod) -> (String, i64) {
        let length = i64::try_from(period.length.as_secs()).unwrap_or(i64::MAX);
        let begin =
            if length == 0 { 0 } else { self.now.0 - (self.now.0 - period.anchor.0).rem_euclid(length) };
        (period.key.clone(), begin)
    }

    /// The keys that the case has for metadata documents.
    pub(super) fn keys(
        &self,
        urls: &[Arc<str>],
        newer: bool,
    ) -> Result<Result<FoundKeys, KeysUnavailable>, CaseError> {
        let [first, later] = &self.case.issuers;
        let mut issuers = Vec::new();
        for url in urls {
            let found = later.get(&**url).filter(|_| newer).or_else(|| first.get(&**url));
            let Some(block) = found else {
                return Ok(Err(KeysUnavailable(format!("the case has no issuer behind '{url}'"))));
            };
            issuers.push(Arc::new(issuer(block)?));
        }
        Ok(Ok(FoundKeys { issuers, newer }))
    }

    /// Fixed windows that begin with their first call.
    pub(super) fn count(&mut self, count: CountRequest) -> Counted {
        let now = self.now;
        let window = self.counters.entry(count.key).or_insert((now.plus(count.period), 0));
        if window.0 <= now {
            *window = (now.plus(count.period), 0);
        }
        let after = window.1.saturating_add(count.amount);
        let allowed = after <= count.limit;
        if allowed || count.when == CountWhen::AfterResponse {
            window.1 = after;
        }
        let left = u64::try_from(window.0.0 - now.0).unwrap_or(0);
        let remaining = count.limit.saturating_sub(window.1);
        Counted { allowed, remaining, retry_after: Duration::from_secs(left) }
    }
}

/// An object with `issuer` and `keys`.
fn issuer(block: &Block) -> Result<IssuerKeys, CaseError> {
    let wrong = |text: String| CaseError::new(block.line + 1, text);
    let document: serde_json::Value =
        serde_json::from_str(&block.text).map_err(|error| wrong(error.to_string()))?;
    let issuer = document.get("issuer").and_then(serde_json::Value::as_str);
    let issuer = issuer.ok_or_else(|| wrong("expected a JSON object with 'issuer' and 'keys'".to_owned()))?;
    let keys = KeySet::parse(block.text.as_bytes()).map_err(|error| wrong(error.to_string()))?;
    Ok(IssuerKeys { issuer: issuer.to_owned(), keys })
}

/// `GET /path`, header lines, an empty line, the body.
fn request(block: &Block, context: &mut Context) -> Result<Bytes, CaseError> {
    let (head, body) = split(&block.text);
    let mut lines = head.lines();
    let first = lines.next().unwrap_or_default();
    let mut words = first.split_whitespace();
    let (method, target) = (words.next().and_then(Method::parse), words.next());
    let (Some(method), Some(target)) = (method, target) else {
        return Err(CaseError::new(block.line + 1, "expected 'METHOD /path' after '== request'"));
    };
    let mut request = RequestHead { method, authority: "gateway.test".to_owned(), ..RequestHead::default() };
    request.target.assign(target);
    for (index, line) in lines.enumerate() {
        let (name, value) = field(line, block.line + index + 2)?;
        if name.eq_ignore_ascii_case("Host") {
            request.authority = value.to_owned();
        }
        append(&mut request.fields, name, value, block.line + index + 2)?;
    }
    if !request.fields.contains(b"Host") {
        append(&mut request.fields, "Host", "gateway.test", block.line)?;
    }
    context.original_url = format!("https://{}{target}", request.authority);
    context.request = request;
    context.request_has_body = body.is_some_and(|body| !body.is_empty());
    Ok(Bytes::from(body.unwrap_or_default().to_owned()))
}

/// `200 OK`, header lines, an empty line, the body.
pub(super) fn response(block: &Block) -> Result<(ResponseHead, Bytes), CaseError> {
    let (head, body) = split(&block.text);
    let mut lines = head.lines();
    let first = lines.next().unwrap_or_default();
    let (status, reason) = first.split_once(' ').unwrap_or((first, ""));
    let Ok(status) = status.parse::<u16>() else {
        return Err(CaseError::new(block.line + 1, "expected 'STATUS REASON' after '== backend'"));
    };
    let mut response = ResponseHead::new(status);
    if reason != standard_reason(status) {
        response.reason = reason.to_owned().into();
    }
    for (index, line) in lines.enumerate() {
        let (name, value) = field(line, block.line + index + 2)?;
        append(&mut response.fields, name, value, block.line + index + 2)?;
    }
    Ok((response, Bytes::from(body.unwrap_or_default().to_owned())))
}

/// Head and body around the first empty line.
pub(super) fn split(text: &str) -> (&str, Option<&str>) {
    match text.split_once("\n\n") {
        Some((head, body)) => (head, Some(body)),
        None => (text, None),
    }
}

fn field(line: &str, number: usize) -> Result<(&str, &str), CaseError> {
    let (name, value) = line
        .split_once(':')
        .ok_or_else(|| CaseError::new(number, format!("expected 'Name: value', found '{line}'")))?;
    Ok((name.trim(), value.trim()))
}

fn append(
    fields: &mut handfast_core::message::Fields,
    name: &str,
    value: &str,
    number: usize,
) -> Result<(), CaseError> {
    fields
        .append(name.as_bytes(), value.as_bytes())
        .map_err(|error| CaseError::new(number, format!("'{name}': {error}")))
}
