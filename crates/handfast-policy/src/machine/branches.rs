//! The branches of a `wait`: child machines over one context, each with its own place, wait and expressions
//! (specification 5.12). The machine asks for what they need beside one another and takes the answers as they come.
//!
//! A branch is the same [`Machine`] with one list of policies. It borrows the context for each of its steps, so
//! variables are seen by the others at once. What a policy keeps in the context between a question and its answer
//! stays with its branch.

use super::io::{Input, Output};
use super::step::{BranchesEnd, Flow};
use super::{Machine, Waiting};
use crate::context::Context;
use crate::failure::{Failure, LastError};
use crate::plan::Plan;
use handfast_core::UnixTime;
use std::sync::Arc;

/// The branches that have not ended.
#[derive(Debug, Default)]
pub(super) struct Branches {
    end: BranchesEnd,
    running: Vec<Branch>,
    /// Questions of the host's that are open, by their number here.
    open: Vec<Open>,
    next: u32,
    /// The first failure.
    failed: Option<Failed>,
    /// The error that was being handled before.
    before: Option<LastError>,
}

#[derive(Debug)]
struct Branch {
    index: usize,
    machine: Box<Machine>,
}

/// One question.
#[derive(Debug)]
struct Open {
    number: u32,
    branch: usize,
    /// Its number within the branch, when that waits for branches itself.
    inner: Option<u32>,
}

/// How a branch failed, with its place.
#[derive(Debug)]
pub(super) struct Failed {
    pub(super) failure: Box<Failure>,
    pub(super) error: Option<LastError>,
}

/// How a machine that is a branch ended.
#[derive(Debug)]
pub(super) enum Ended {
    /// Its policies ran to their end.
    Through,
    /// The response is final.
    Final,
    /// The response came from a cache.
    FromCache,
    Failed(Failed),
}

/// What the host has to do.
#[derive(Default)]
struct Asked {
    begin: Vec<(u32, Output)>,
    cancel: Vec<u32>,
}

impl Branches {
    /// Makes the open questions of a branch void.
    fn cancel(&mut self, branch: usize, asked: &mut Asked) {
        let void = self.open.extract_if(.., |open| open.branch == branch);
        asked.cancel.extend(void.map(|open| open.number));
    }

    /// Opens a question.
    fn ask(&mut self, branch: usize, inner: Option<u32>, output: Output, asked: &mut Asked) {
        let number = self.next;
        self.next += 1;
        self.open.push(Open { number, branch, inner });
        asked.begin.push((number, output));
    }
}

impl Machine {
    /// A machine for one list of policies.
    fn branch(&self, nodes: &[Arc<crate::plan::Node>]) -> Self {
        let plan = Arc::new(Plan::of_section(self.section, nodes.to_vec()));
        let mut machine = Self::bare(plan, Context::default());
        (machine.section, machine.is_branch) = (self.section, true);
        machine
    }

    /// Begins the blocks of the policy that runs, all of them.
    pub(super) fn split(&mut self, end: BranchesEnd, now: UnixTime) -> Flow {
        let plan = Arc::clone(&self.plan);
        let Some(node) = super::current(&plan, self.section, &self.frames) else { return Flow::Next };
        let mut branches = Branches { end, before: self.context.last_error.clone(), ..Branches::default() };
        for (index, nodes) in node.blocks.iter().enumerate() {
            branches.running.push(Branch { index, machine: Box::new(self.branch(nodes)) });
        }
        let mut asked = Asked::default();
        for index in 0..node.blocks.len() {
            if let Some(flow) = self.step_branch(&mut branches, (index, Input::Start), &mut asked, now) {
                return self.leave(branches, flow);
            }
        }
        self.wait_for(branches, asked)
    }

    /// Takes the answer to one question.
    pub(super) fn resume_branch(
        &mut self,
        mut branches: Box<Branches>,
        (number, answer): (u32, Input),
        now: UnixTime,
    ) -> Flow {
        let mut asked = Asked::default();
        // One that is void already is not missed.
        if let Some(at) = branches.open.iter().position(|open| open.number == number) {
            let Open { branch, inner, .. } = branches.open.swap_remove(at);
            let answer = match inner {
                Some(inner) => Input::Branch(inner, Box::new(answer)),
                None => answer,
            };
            if let Some(flow) = self.step_branch(&mut branches, (branch, answer), &mut asked, now) {
                return self.leave(*branches, flow);
            }
        }
        self.wait_for(*branches, asked)
    }

    /// Gives up what is left. What was asked for when the response is final still stands.
    fn leave(&mut self, branches: Branches, flow: Flow) -> Flow {
        for Branch { mut machine, .. } in branches.running {
            self.deferred.append(&mut machine.deferred);
        }
        flow
    }

    /// Waits, or goes on when no branch is left.
    fn wait_for(&mut self, branches: Branches, asked: Asked) -> Flow {
        if branches.running.is_empty() {
            return self.join(branches.failed);
        }
        self.waiting = Waiting::ForBranches(Box::new(branches));
        Flow::Await(Output::AwaitAny { begin: asked.begin, cancel: asked.cancel })
    }

    /// Goes on behind the wait.
    fn join(&mut self, failed: Option<Failed>) -> Flow {
        match failed {
            None => Flow::Next,
            Some(Failed { failure, error }) => {
                self.context.last_error = error;
                Flow::Unwind(failure)
            }
        }
    }

    /// Steps one branch. A flow means that the wait is over, whatever the others are at.
    fn step_branch(
        &mut self,
        branches: &mut Branches,
        (branch, input): (usize, Input),
        asked: &mut Asked,
        now: UnixTime,
    ) -> Option<Flow> {
        let at = branches.running.iter().position(|one| one.index == branch)?;
        let machine = &mut branches.running.get_mut(at)?.machine;
        let output = self.lend(machine, |machine| machine.step(input, now));
        match output {
            Output::AwaitAny { begin, cancel } => {
                for void in cancel {
                    let of_branch = |open: &mut Open| (open.branch, open.inner) == (branch, Some(void));
                    asked.cancel.extend(branches.open.extract_if(.., of_branch).map(|open| open.number));
                }
                for (inner, output) in begin {
                    branches.ask(branch, Some(inner), output, asked);
                }
                None
            }
            Output::Done(_) => {
                branches.cancel(branch, asked);
                let Branch { mut machine, .. } = branches.running.swap_remove(at);
                self.deferred.append(&mut machine.deferred);
                self.ended(branches, machine.ended.take().unwrap_or(Ended::Through))
            }
            output => {
                branches.cancel(branch, asked);
                branches.ask(branch, None, output, asked);
                None
            }
        }
    }

    /// Lends a branch the context and what is left of the request's budget.
    fn lend(&mut self, branch: &mut Self, step: impl FnOnce(&mut Self) -> Output) -> Output {
        let swap = |one: &mut Self, other: &mut Self| {
            std::mem::swap(&mut one.context, &mut other.context);
            let (context, rest) = (&mut one.context, &mut other.context);
            std::mem::swap(&mut context.held, &mut rest.held);
            std::mem::swap(&mut context.turn, &mut rest.turn);
        };
        swap(self, branch);
        branch.evaluations.share(&mut self.evaluations);
        let output = step(branch);
        branch.evaluations.share(&mut self.evaluations);
        swap(self, branch);
        output
    }

    /// A branch is at its end. With `any`, a branch that fails leaves it to the others (unverified); a wait for all
    /// fails with the first failure when all have ended (unverified).
    fn ended(&mut self, branches: &mut Branches, ended: Ended) -> Option<Flow> {
        match ended {
            Ended::Final => Some(Flow::Finish),
            Ended::FromCache => Some(Flow::FromCache),
            Ended::Through if branches.end == BranchesEnd::Any => Some(Flow::Next),
            Ended::Through => None,
            Ended::Failed(failed) => {
                self.context.last_error.clone_from(&branches.before);
                branches.failed.get_or_insert(failed);
                None
            }
        }
    }
}
