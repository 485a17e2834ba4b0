//! Trace records: what each step of a request did, for people. Collected only while
//! [`crate::Context::trace`] is on; the elapsed time is the host's.

use crate::section::{Scope, Section};
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceRecord {
    /// The policy's element name or the built-in step.
    pub source: &'static str,
    /// The section that ran.
    pub section: Section,
    /// The scope of the document that the policy stands in.
    pub scope: Option<Scope>,
    /// The position in its section, `choose[2]/when[1]/set-header`.
    pub path: Arc<str>,
    /// Time since receipt of the request.
    pub elapsed: Duration,
    /// What happened.
    pub message: Cow<'static, str>,
}
