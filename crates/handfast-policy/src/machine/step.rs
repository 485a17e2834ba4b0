//! What a policy is to the machine: run, take an answer, and for wrappers decide after their children.

use super::evaluate::Evaluations;
use super::io::{Input, Output, Permit, Side};
use crate::context::Context;
use crate::failure::Failure;
use crate::plan::Node;
use crate::policies::cors::Cors;
use crate::policies::cross_domain::CrossDomain;
use crate::trace::Detail;
use handfast_core::UnixTime;
use handfast_expression::Value;
use std::borrow::Cow;
use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// A compiled policy.
pub(crate) trait Step: fmt::Debug + Send + Sync {
    /// Does its work, or says what it needs first. It evaluates its expressions before it changes anything,
    /// because it is called again from the start when one of them had to wait.
    fn run(&self, at: &mut At<'_>) -> Ran;

    /// Goes on with the answer to what [`Step::run`] asked for.
    fn resume(&self, at: &mut At<'_>, answer: Input) -> Ran {
        let _ = at;
        Ok(Flow::unexpected(&answer))
    }

    /// A wrapper's children ended, or one of them failed. Like [`Step::run`], it evaluates first.
    fn after(&self, at: &mut At<'_>, state: &mut BlockState, failed: bool) -> Result<After, Halt> {
        let _ = (at, state, failed);
        Ok(After::Leave)
    }

    /// What it has to do when the response is final, if it asked for that with [`At::defer`]: an output whose
    /// answer nobody looks at.
    fn after_response(&self, at: &mut At<'_>) -> Result<Option<Output>, Halt> {
        let _ = at;
        Ok(None)
    }

    /// The file of a `cross-domain` policy, which answers requests that no operation takes.
    fn cross_domain(&self) -> Option<&CrossDomain> {
        None
    }

    /// The rules of a `cors` policy, which take part before the sections run.
    fn cors(&self) -> Option<&Cors> {
        None
    }
}

/// A step's view of the request.
pub(crate) struct At<'a> {
    pub(crate) context: &'a mut Context,
    pub(crate) section: crate::Section,
    pub(crate) node: &'a Arc<Node>,
    pub(crate) now: UnixTime,
    /// The values of the policy's expressions.
    pub(crate) evaluations: &'a mut Evaluations,
    /// Whether an answer of the host is being taken.
    pub(crate) resuming: bool,
    /// The policies that are asked when the response is final.
    pub(crate) deferred: &'a mut VecDeque<Arc<Node>>,
}

/// What a step comes to.
pub(crate) type Ran = Result<Flow, Halt>;

/// Why a step does not come to its end.
pub(crate) enum Halt {
    /// An expression needs this first; the step is run again then.
    Wait(Output),
    /// On to on-error.
    Fail(Box<Failure>),
}

impl From<Failure> for Halt {
    fn from(failure: Failure) -> Self {
        Self::Fail(Box::new(failure))
    }
}

impl At<'_> {
    /// Whose message the section is about.
    pub(crate) fn side(&self) -> Side {
        if self.section.is_response_side() { Side::Response } else { Side::Request }
    }

    /// The same with what it happened with.
    pub(crate) fn note_with<M: Into<Cow<'static, str>>>(
        &mut self,
        fill: impl FnOnce() -> (M, Vec<(&'static str, Detail)>),
    ) {
        let node = self.node;
        self.context.record_with(node.name, (self.section, Some(node.scope), &node.path), fill);
    }

    /// Asks for [`Step::after_response`].
    pub(crate) fn defer(&mut self) {
        self.deferred.push_back(Arc::clone(self.node));
    }

    /// Leaves a trace record of the running policy; the message is built only when tracing.
    pub(crate) fn note<M: Into<Cow<'static, str>>>(&mut self, message: impl FnOnce() -> M) {
        let node = self.node;
        self.context.record(node.name, (self.section, Some(node.scope), &node.path), message);
    }
}

/// What happens after a step.
pub(crate) enum Flow {
    /// The next policy.
    Next,
    /// A block of the wrapper that just ran.
    Enter(usize, BlockState),
    /// Wait for the host.
    Await(Output),
    /// All blocks of the wrapper that just ran, beside one another.
    Split(BranchesEnd),
    /// The response came from a cache: on to outbound, behind the policy that would have stored it.
    FromCache,
    /// The response is final.
    Finish,
    /// On to on-error.
    Fail(Box<Failure>),
    /// The same with an error whose place is known already.
    Unwind(Box<Failure>),
}

/// When blocks that run beside one another are over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum BranchesEnd {
    /// When all have ended.
    #[default]
    All,
    /// When one has.
    Any,
}

impl Flow {
    /// A failure of the running policy.
    pub(crate) fn fail(failure: Failure) -> Self {
        Self::Fail(Box::new(failure))
    }

    /// The host answered something else than what was asked.
    pub(crate) fn unexpected(answer: &Input) -> Self {
        Self::fail(answer.out_of_turn())
    }
}

/// What a wrapper keeps while its children run.
#[derive(Debug)]
pub(crate) enum BlockState {
    Plain,
    /// Runs begun so far.
    Attempts(u32),
    /// Freed when the block is left.
    Permit {
        _held: Permit,
    },
    /// Where the cache keeps the value that is being made, and what it has of it that is old.
    Refresh {
        key: String,
        stale: Option<Value>,
    },
}

/// What a wrapper does after its children.
pub(crate) enum After {
    /// Go on behind the wrapper, or let the failure pass.
    Leave,
    /// Run the children again after this time.
    Again(Duration),
    /// Go on behind the wrapper though a child has failed.
    Recover,
    /// Leave the block, and take the answer to this.
    Ask(Output),
}
