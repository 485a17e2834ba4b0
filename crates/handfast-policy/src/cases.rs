//! Cases: text files that say which policies and request give which response. They are the crate's own
//! tests and what `handfast policy test` runs for users; the format is described in `cases/README.md`.
//!
//! A case is data only: [`Case::parse`] reads it, [`Case::run`] plays it against the step machine with a
//! scripted backend, counters and a virtual clock, and reports every expectation that does not hold.

mod compare;
mod facts;
mod host;
mod parse;
mod play;

#[cfg(test)]
mod tests;

use crate::certificate::ClientCertificate;
use crate::context::Context;
use crate::failure::Failure;
use crate::section::Scope;
use crate::trace::TraceRecord;
use handfast_core::Diagnostic;
use handfast_core::message::ResponseHead;
use handfast_openapi::contract::Compiled;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// One case file.
#[derive(Debug, Default)]
pub struct Case {
    /// The first line, without `#`.
    pub title: String,
    documents: Vec<Document>,
    fragments: HashMap<String, String>,
    named_values: HashMap<String, String>,
    backends: Option<Vec<String>>,
    loggers: Option<Vec<String>>,
    /// Thumbprints by certificate id.
    certificates: HashMap<String, String>,
    /// What stands behind metadata documents, at first and after newer keys were asked for.
    issuers: [HashMap<String, Block>; 2],
    /// Schemas of the service.
    schemas: HashMap<String, Arc<Compiled>>,
    facts: facts::Facts,
    exchanges: Vec<Exchange>,
    diagnostics: Option<Block>,
}

#[derive(Debug)]
struct Document {
    scope: Scope,
    format: crate::Format,
    text: String,
}

/// One request with what is expected of it.
#[derive(Debug, Default)]
struct Exchange {
    line: usize,
    after: Duration,
    request: Block,
    replies: Vec<Delayed>,
    expectations: Vec<(Expectation, Block)>,
}

/// What the scripted backend does.
#[derive(Clone, Debug)]
enum Reply {
    Response(Block),
    Timeout,
    Refused(String),
}

/// A reply with the time that it takes.
#[derive(Clone, Debug)]
struct Delayed {
    after: Duration,
    reply: Reply,
}

/// Which part of the outcome a block describes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expectation {
    Forward,
    NoForward,
    Sent,
    Response,
    Trace,
    Variables,
    LastError,
    Metrics,
    Logged,
    Waits,
}

/// The lines of a section and where they begin.
#[derive(Clone, Debug, Default)]
struct Block {
    line: usize,
    text: String,
}

/// Why a file is not a case.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("line {line}: {message}")]
pub struct CaseError {
    /// 1-based line.
    pub line: usize,
    /// What was found and what would be accepted.
    pub message: String,
}

impl CaseError {
    /// Stable code.
    pub fn code(&self) -> &'static str {
        "InvalidCase"
    }

    fn new(line: usize, message: impl Into<String>) -> Self {
        Self { line, message: message.into() }
    }
}

/// An expectation that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// The line of the expectation in the case file.
    pub line: usize,
    /// What was compared.
    pub what: String,
    /// The lines that were expected.
    pub expected: Vec<String>,
    /// The lines that came.
    pub actual: Vec<String>,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "  line {}: {}", self.line, self.what)?;
        let (mut expected, mut actual) = (self.expected.iter().peekable(), self.actual.iter().peekable());
        while expected.peek().is_some() || actual.peek().is_some() {
            match (expected.next(), actual.next()) {
                (Some(one), Some(other)) if one == other => writeln!(f, "      {one}")?,
                (one, other) => {
                    if let Some(line) = one {
                        writeln!(f, "    - {line}")?;
                    }
                    if let Some(line) = other {
                        writeln!(f, "    + {line}")?;
                    }
                }
            }
        }
        Ok(())
    }
}

impl Case {
    /// Reads a case file.
    pub fn parse(text: &str) -> Result<Self, CaseError> {
        parse::parse(text)
    }

    /// Plays the case; an empty list means that everything is as expected.
    pub fn run(&self) -> Result<Vec<Mismatch>, CaseError> {
        host::run(self)
    }

    /// Plays the case whatever it expects; what compiling said, and what each request came to.
    pub fn trace(&self) -> Result<(Vec<Diagnostic>, Vec<Traced>), CaseError> {
        host::trace(self)
    }

    /// One document, one request and what the backend answers, each written as in a case file. A document of a
    /// narrow scope gets the global one around it that forwards.
    pub fn of_document(scope: Scope, text: &str, request: &str, backend: Option<&str>) -> Self {
        const GLOBAL: &str =
            "<policies><inbound /><backend><forward-request /></backend><outbound /><on-error /></policies>";
        let document =
            |scope, text: &str| Document { scope, format: crate::Format::RawXml, text: text.to_owned() };
        let block = |text: &str| Block { line: 0, text: text.to_owned() };
        let mut documents = vec![document(scope, text)];
        if scope != Scope::Global {
            documents.push(document(Scope::Global, GLOBAL));
        }
        let at_once = |text| Delayed { after: Duration::ZERO, reply: Reply::Response(block(text)) };
        let replies = backend.map(at_once).into_iter().collect();
        let exchange = Exchange { request: block(request), replies, ..Exchange::default() };
        Self { documents, exchanges: vec![exchange], ..Self::default() }
    }
}

/// What a request of a case came to.
#[derive(Clone, Debug)]
pub struct Traced {
    /// Method and target.
    pub request: String,
    /// The steps.
    pub records: Vec<TraceRecord>,
    /// The same as the JSON document of the gateway (specification 7.2).
    pub document: String,
    /// `name = value`, in order of first writing.
    pub variables: Vec<String>,
    /// The last error, if there was one.
    pub last_error: Vec<String>,
    /// The response to the client.
    pub response: ResponseHead,
    /// Its body.
    pub body: Vec<u8>,
}

/// What the host of a case is told about the request besides its text.
struct Setup {
    context: Context,
    certificate: Option<ClientCertificate>,
    rejection: Option<Failure>,
}

/// What a request came to.
struct Outcome {
    forwards: Vec<compare::Forwarded>,
    sends: Vec<String>,
    waits: Vec<Duration>,
    /// Samples of `emit-metric` and its like.
    metrics: Vec<String>,
    /// Events of `log-to-eventhub`.
    logged: Vec<String>,
    context: Context,
    response: ResponseHead,
    body: Vec<u8>,
}
