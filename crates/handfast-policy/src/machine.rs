//! The policy step machine: runs an [effective plan](crate::Plan) over a [context](crate::Context) without
//! doing any IO. `step` runs until something is needed and says what; the host does it and answers.
//!
//! Order (specification 2.2): inbound, backend, outbound; an error prepares its response and runs on-error.
//! Time and elapsed time come from the host. Literal policies allocate nothing but what they write.

pub(crate) mod io;
pub(crate) mod step;

#[cfg(test)]
mod tests;

use crate::context::{Context, Response};
use crate::failure::{Answer, Failure, LastError};
use crate::plan::{Node, Plan};
use crate::policies::cors;
use crate::section::Section;
use handfast_core::UnixTime;
use handfast_core::message::{Fields, ResponseHead};
use io::{Input, Output, Verdict};
use std::sync::Arc;
use std::time::Duration;
use step::{After, At, BlockState, Flow};

/// One request on its way through its plan.
#[derive(Debug)]
pub struct Machine {
    plan: Arc<Plan>,
    context: Context,
    section: Section,
    frames: Vec<Frame>,
    waiting: Waiting,
}

/// A list of policies being run; the first frame is the section itself.
#[derive(Debug)]
struct Frame {
    /// Which block of the wrapper that the frame below stands at.
    block: usize,
    index: usize,
    state: BlockState,
}

#[derive(Debug, PartialEq, Eq)]
enum Waiting {
    ToStart,
    ForAnswer,
    ForSleep,
    Over,
}

impl Machine {
    /// A machine that has not begun.
    pub fn new(plan: Arc<Plan>, context: Context) -> Self {
        let frames = Vec::with_capacity(4);
        Self { plan, context, section: Section::Inbound, frames, waiting: Waiting::ToStart }
    }

    /// The request's state.
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// The request's state, to be changed by the host between steps.
    pub fn context_mut(&mut self) -> &mut Context {
        &mut self.context
    }

    /// The state at the end.
    pub fn into_context(self) -> Context {
        self.context
    }

    /// Runs until the next output. After [`Output::Done`] further inputs change nothing.
    pub fn step(&mut self, input: Input, now: UnixTime) -> Output {
        let plan = Arc::clone(&self.plan);
        let mut flow = self.accept(&plan, input, now);
        loop {
            flow = match flow {
                Flow::Next => {
                    self.skip();
                    self.run(&plan, now)
                }
                Flow::Enter(block, state) => {
                    self.frames.push(Frame { block, index: 0, state });
                    self.run(&plan, now)
                }
                Flow::Await(output) => return output,
                Flow::Finish => Flow::Await(self.done(Verdict::Answered)),
                Flow::Fail(failure) => self.fail(&plan, *failure, now),
            };
        }
    }

    /// Takes the host's input.
    fn accept(&mut self, plan: &Plan, input: Input, now: UnixTime) -> Flow {
        let waiting = std::mem::replace(&mut self.waiting, Waiting::ForAnswer);
        match (waiting, input) {
            (Waiting::ToStart, Input::Start) => {
                self.enter(Section::Inbound);
                self.run(plan, now)
            }
            (Waiting::ToStart, Input::Preflight) => match cors::preflight(plan, &self.context) {
                Some(head) => {
                    self.context.response = Some(Response { head, ..Response::default() });
                    Flow::Finish
                }
                None => Flow::fail(Failure::operation_not_found()),
            },
            (Waiting::ToStart, Input::Reject(failure)) => {
                cors::record_for_rejection(plan, &mut self.context);
                Flow::Fail(failure)
            }
            (Waiting::ForSleep, Input::Slept) => self.run(plan, now),
            (Waiting::ForAnswer, answer) => match current(plan, self.section, &self.frames) {
                Some(node) => {
                    let mut at = At { context: &mut self.context, section: self.section, node, now };
                    node.step.resume(&mut at, answer)
                }
                None => Flow::unexpected(&answer),
            },
            (Waiting::Over, _) => Flow::Await(self.done(Verdict::Failed)),
            (Waiting::ToStart | Waiting::ForSleep, other) => Flow::unexpected(&other),
        }
    }

    fn enter(&mut self, section: Section) {
        self.section = section;
        self.frames.clear();
        self.frames.push(Frame { block: 0, index: 0, state: BlockState::Plain });
    }

    fn skip(&mut self) {
        if let Some(frame) = self.frames.last_mut() {
            frame.index += 1;
        }
    }

    /// Runs the policy at the current place, leaving lists and sections that have ended.
    fn run(&mut self, plan: &Plan, now: UnixTime) -> Flow {
        loop {
            if let Some(node) = current(plan, self.section, &self.frames) {
                let mut at = At { context: &mut self.context, section: self.section, node, now };
                return node.step.run(&mut at);
            }
            if self.frames.len() > 1 {
                match self.leave_block(plan, false, now) {
                    After::Leave => self.skip(),
                    After::Again(pause) if pause.is_zero() => {}
                    After::Again(pause) => return self.sleep(pause),
                }
            } else if let Some(output) = self.end_section() {
                return Flow::Await(output);
            }
        }
    }

    /// Leaves the innermost block; when its wrapper wants it again, it stands at its start.
    fn leave_block(&mut self, plan: &Plan, failed: bool, now: UnixTime) -> After {
        let Some(mut frame) = self.frames.pop() else { return After::Leave };
        let Some(node) = current(plan, self.section, &self.frames) else { return After::Leave };
        let mut at = At { context: &mut self.context, section: self.section, node, now };
        let after = node.step.after(&mut at, &mut frame.state, failed);
        if let After::Again(_) = after {
            frame.index = 0;
            self.frames.push(frame);
        }
        after
    }

    fn sleep(&mut self, pause: Duration) -> Flow {
        self.waiting = Waiting::ForSleep;
        Flow::Await(Output::Sleep(pause))
    }

    /// Goes to the next section; the output is the end.
    fn end_section(&mut self) -> Option<Output> {
        match self.section {
            Section::Inbound => self.enter(Section::Backend),
            Section::Backend => {
                if self.context.response.is_none() {
                    let mut head = ResponseHead::new(200);
                    if let Some((status, reason)) = self.context.pending_status.take() {
                        (head.status, head.reason) = (status, reason);
                    }
                    self.context.response = Some(Response { head, ..Response::default() });
                }
                self.enter(Section::Outbound);
            }
            Section::Outbound => return Some(self.done(Verdict::Completed)),
            Section::OnError => return Some(self.done(Verdict::Failed)),
        }
        None
    }

    /// Ties a failure to its place, offers it to the wrappers around, and begins on-error.
    fn fail(&mut self, plan: &Plan, failure: Failure, now: UnixTime) -> Flow {
        self.context.last_error = Some(self.last_error(plan, &failure));
        while self.frames.len() > 1 {
            match self.leave_block(plan, true, now) {
                After::Leave => {}
                After::Again(pause) if pause.is_zero() => return self.run(plan, now),
                After::Again(pause) => return self.sleep(pause),
            }
        }
        if self.section != Section::OnError
            && let Some(response) = failure.response(&self.context.request_id)
        {
            self.context.response = Some(response);
        }
        if self.context.response.is_none() {
            let internal = Failure { answer: Answer::Internal, ..failure };
            self.context.response = internal.response(&self.context.request_id);
        }
        self.context.pending_status = None;
        if self.section == Section::OnError {
            return Flow::Await(self.done(Verdict::Failed));
        }
        self.enter(Section::OnError);
        self.run(plan, now)
    }

    fn last_error(&mut self, plan: &Plan, failure: &Failure) -> LastError {
        let node = current(plan, self.section, &self.frames);
        let source = match (failure.source, node) {
            ("", Some(node)) => node.name,
            ("", None) => "configuration",
            (source, _) => source,
        };
        let section = self.section;
        if let Some(node) = node {
            let at = (section, Some(node.scope), &node.path);
            self.context.record(source, at, || failure.message.clone());
        }
        LastError {
            source,
            reason: failure.reason,
            message: failure.message.clone(),
            scope: node.map(|node| node.scope),
            section: node.map(|_| section),
            path: node.map(|node| Arc::clone(&node.path)),
            policy_id: node.and_then(|node| node.id.clone()),
        }
    }

    /// Puts the recorded header lines onto the response and stops.
    fn done(&mut self, verdict: Verdict) -> Output {
        self.waiting = Waiting::Over;
        self.frames.clear();
        let recorded = std::mem::take(&mut self.context.recorded_fields);
        if let Some(response) = &mut self.context.response {
            for (name, value) in recorded.iter() {
                let _ = response.head.fields.set(name, value);
            }
            if self.context.vary_by_origin && !varies_by_origin(&response.head.fields) {
                let _ = response.head.fields.append(b"Vary", b"Origin");
            }
        }
        Output::Done(verdict)
    }
}

/// Whether `Vary` names `Origin` or everything.
fn varies_by_origin(fields: &Fields) -> bool {
    let mut names = fields.get_all(b"Vary").flat_map(|line| line.split(|byte| *byte == b','));
    names.any(|name| matches!(name.trim_ascii(), b"*") || name.trim_ascii().eq_ignore_ascii_case(b"Origin"))
}

/// The policy that the frames point at.
fn current<'p>(plan: &'p Plan, section: Section, frames: &[Frame]) -> Option<&'p Node> {
    let (first, rest) = frames.split_first()?;
    let mut node = plan.section(section).get(first.index);
    for frame in rest {
        node = node?.blocks.get(frame.block)?.get(frame.index);
    }
    node.map(|node| &**node)
}
