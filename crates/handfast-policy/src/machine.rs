//! The policy step machine: runs an [effective plan](crate::Plan) over a [context](crate::Context) without
//! doing any IO. `step` runs until something is needed and says what; the host does it and answers.
//!
//! Order (specification 2.2): inbound, backend, outbound; an error prepares its response and runs on-error.
//! Time and elapsed time come from the host. Literal policies allocate nothing but what they write.
//!
//! An expression that needs a body, or more time than its slice, stops its policy: the machine asks the host
//! and then runs the policy again, which finds the values it has.

mod branches;
pub(crate) mod evaluate;
pub(crate) mod io;
pub(crate) mod step;

#[cfg(test)]
mod tests;

use crate::context::{Context, Response};
use crate::failure::{Answer, Failure, LastError};
use crate::plan::{Node, Plan};
use crate::policies::cors::{Cors, Said};
use crate::policies::cross_domain;
use crate::section::Section;
use crate::trace::header_lines;
use branches::{Branches, Ended, Failed};
use evaluate::Evaluations;
use handfast_core::UnixTime;
use handfast_core::message::{Fields, ResponseHead};
use io::{Input, Output, Side, Verdict};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use step::{After, At, BlockState, Flow, Halt, Ran};

/// One request on its way through its plan.
#[derive(Debug)]
pub struct Machine {
    plan: Arc<Plan>,
    context: Context,
    section: Section,
    frames: Vec<Frame>,
    waiting: Waiting,
    evaluations: Evaluations,
    /// Policies that have something left to do when the response is final.
    deferred: VecDeque<Arc<Node>>,
    /// Whether it runs one list of policies for another machine.
    is_branch: bool,
    /// How a branch ended.
    ended: Option<Ended>,
}

/// A list of policies being run; the first frame is the section itself.
#[derive(Debug)]
struct Frame {
    /// Which block of the wrapper that the frame below stands at.
    block: usize,
    index: usize,
    state: BlockState,
}

#[derive(Debug)]
enum Waiting {
    ToStart,
    /// The answer belongs to the policy.
    ForAnswer,
    /// The answer belongs to an expression; then this is done again.
    ForValue(Asked, Again),
    ForSleep,
    /// For answers to its branches.
    ForBranches(Box<Branches>),
    /// Nobody looks at the answer.
    ForDeferred(Verdict),
    Over,
}

/// What an expression waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Body(Side),
    Turn,
}

/// What is done when an expression has what it needs.
#[derive(Debug)]
enum Again {
    /// The policy is run.
    Run,
    /// The wrapper decides after its children.
    After,
    /// The wrapper decides about a failure of a child.
    Failing(Box<Failure>),
    /// The policy does what it has left to do.
    Deferred(Verdict),
    /// This `cors` policy and those behind it answer a preflight.
    Preflight(usize),
    /// They mark the refusal of a request.
    Reject(usize, Box<Failure>),
}

impl Machine {
    /// A machine that has not begun.
    pub fn new(plan: Arc<Plan>, mut context: Context) -> Self {
        context.keeps_request_body = plan.keeps_request_body;
        if context.trace && context.received_headers.is_none() {
            context.received_headers = Some(header_lines(&context.request.fields));
        }
        Self::bare(plan, context)
    }

    fn bare(plan: Arc<Plan>, context: Context) -> Self {
        Self {
            plan,
            context,
            section: Section::Inbound,
            frames: Vec::with_capacity(4),
            waiting: Waiting::ToStart,
            evaluations: Evaluations::default(),
            deferred: VecDeque::new(),
            is_branch: false,
            ended: None,
        }
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
            if !matches!(flow, Flow::Await(_)) {
                self.evaluations.clear();
            }
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
                Flow::Split(end) => self.split(end, now),
                Flow::FromCache if self.is_branch => self.end(Ended::FromCache),
                Flow::FromCache => {
                    self.enter(Section::Outbound);
                    if let Some(frame) = self.frames.first_mut() {
                        frame.index = plan.behind_cache_store();
                    }
                    self.run(&plan, now)
                }
                Flow::Finish => self.finish(Verdict::Answered, now),
                Flow::Fail(failure) => self.fail(&plan, failure, now),
                Flow::Unwind(failure) => self.unwind(&plan, failure, now),
            };
        }
    }

    /// Takes the host's input.
    fn accept(&mut self, plan: &Plan, input: Input, now: UnixTime) -> Flow {
        let waiting = std::mem::replace(&mut self.waiting, Waiting::ForAnswer);
        match (waiting, input) {
            (Waiting::ToStart, Input::Start) => {
                self.enter(if self.is_branch { self.section } else { Section::Inbound });
                self.run(plan, now)
            }
            (Waiting::ToStart, Input::Preflight) => self.preflight(plan, 0, now),
            (Waiting::ToStart, Input::Reject(failure)) => {
                match cross_domain::for_rejection(plan, &self.context, &failure) {
                    Some(file) => {
                        self.context.response = Some(file);
                        Flow::Finish
                    }
                    None => self.reject(plan, (0, failure), now),
                }
            }
            (Waiting::ForSleep, Input::Slept) => self.run(plan, now),
            (Waiting::ForValue(asked, again), answer) => self.have(plan, (asked, again), answer, now),
            (Waiting::ForAnswer, answer) => match current(plan, self.section, &self.frames) {
                Some(node) => {
                    let ran = node.step.resume(&mut self.at(node, now, true), answer);
                    self.flow(ran, Again::Run)
                }
                None => Flow::unexpected(&answer),
            },
            (Waiting::ForBranches(branches), Input::Branch(number, answer)) => {
                self.resume_branch(branches, (number, *answer), now)
            }
            (Waiting::ForDeferred(verdict), _) => self.finish(verdict, now),
            (Waiting::Over, _) => Flow::Await(self.done(Verdict::Failed)),
            (Waiting::ToStart | Waiting::ForSleep | Waiting::ForBranches(_), other) => {
                Flow::unexpected(&other)
            }
        }
    }

    /// Answers a preflight by the `cors` policies directly in the inbound section, from this one on.
    fn preflight(&mut self, plan: &Plan, from: usize, now: UnixTime) -> Flow {
        let mut head = None;
        for (index, (node, cors)) in direct_cors(plan).enumerate().skip(from) {
            let said = match cors.preflight(&mut self.at(node, now, false)) {
                Ok(said) => said,
                Err(halt) => return self.flow(Err(halt), Again::Preflight(index)),
            };
            self.evaluations.clear();
            head.get_or_insert_with(ResponseHead::default);
            match said {
                Said::Answer(answer) => head = Some(answer),
                Said::Next => continue,
                Said::Stop => {}
            }
            break;
        }
        let Some(head) = head else { return Flow::fail(Failure::operation_not_found()) };
        self.context.response = Some(Response { head, ..Response::default() });
        Flow::Finish
    }

    /// Refuses the request, its response marked by the same policies. One that fails marks nothing.
    fn reject(&mut self, plan: &Plan, rejection: (usize, Box<Failure>), now: UnixTime) -> Flow {
        let (from, failure) = rejection;
        for (index, (node, cors)) in direct_cors(plan).enumerate().skip(from) {
            let said = cors.mark_rejection(&mut self.at(node, now, false));
            if let Err(halt @ Halt::Wait(_)) = said {
                return self.flow(Err(halt), Again::Reject(index, failure));
            }
            self.evaluations.clear();
            if matches!(said, Ok(Said::Stop)) {
                break;
            }
        }
        Flow::Fail(failure)
    }

    /// Goes on where an expression has stopped.
    fn have(&mut self, plan: &Plan, stopped: (Asked, Again), answer: Input, now: UnixTime) -> Flow {
        let (asked, again) = stopped;
        match (asked, answer) {
            (Asked::Body(side), Input::Body(bytes)) => self.context.keep_body(side, &bytes),
            (Asked::Turn, Input::Resumed) => {}
            (Asked::Body(side), Input::BodyFailed(failure)) => {
                return self.refuse(again, failure.failure(side), now);
            }
            (_, other) => {
                return self.refuse(again, other.out_of_turn(), now);
            }
        }
        match again {
            Again::Run | Again::After => self.run_or_leave(plan, matches!(again, Again::After), now),
            Again::Failing(failure) => self.unwind(plan, failure, now),
            Again::Deferred(verdict) => self.finish(verdict, now),
            Again::Preflight(from) => self.preflight(plan, from, now),
            Again::Reject(from, failure) => self.reject(plan, (from, failure), now),
        }
    }

    /// An expression does not get what it needs. A response that is final stays.
    fn refuse(&mut self, again: Again, failure: Failure, now: UnixTime) -> Flow {
        match again {
            Again::Deferred(verdict) => {
                self.deferred.pop_front();
                self.finish(verdict, now)
            }
            // The block whose wrapper was asked is over.
            Again::After | Again::Failing(_) => {
                self.frames.pop();
                Flow::fail(failure)
            }
            Again::Run | Again::Preflight(_) => Flow::fail(failure),
            // The refusal itself stands.
            Again::Reject(_, rejection) => Flow::Fail(rejection),
        }
    }

    fn at<'m>(&'m mut self, node: &'m Arc<Node>, now: UnixTime, resuming: bool) -> At<'m> {
        let Self { context, section, evaluations, deferred, .. } = self;
        At { context, section: *section, node, now, evaluations, resuming, deferred }
    }

    /// What a step came to; when an expression has to wait, what is done again then.
    fn flow(&mut self, ran: Ran, again: Again) -> Flow {
        match ran {
            Ok(flow) => flow,
            Err(Halt::Fail(failure)) => Flow::Fail(failure),
            Err(Halt::Wait(output)) => {
                let asked = match &output {
                    Output::ReadBody { side, .. } => Asked::Body(*side),
                    _ => Asked::Turn,
                };
                self.waiting = Waiting::ForValue(asked, again);
                Flow::Await(output)
            }
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
        self.run_or_leave(plan, false, now)
    }

    /// The same; with `leave`, the innermost list has ended and its wrapper is asked once more.
    fn run_or_leave(&mut self, plan: &Plan, mut leave: bool, now: UnixTime) -> Flow {
        loop {
            let node = if leave { None } else { current(plan, self.section, &self.frames) };
            leave = false;
            if let Some(node) = node {
                let ran = node.step.run(&mut self.at(node, now, false));
                return self.flow(ran, Again::Run);
            }
            if self.frames.len() > 1 {
                match self.leave_block(plan, false, now) {
                    Ok(After::Leave) => self.skip(),
                    Ok(After::Again(pause)) if pause.is_zero() => {}
                    Ok(After::Again(pause)) => return self.sleep(pause),
                    Ok(After::Ask(output)) => return self.ask(output),
                    Ok(After::Recover) => self.skip(),
                    Err(halt) => return self.flow(Err(halt), Again::After),
                }
            } else if self.is_branch {
                return self.end(Ended::Through);
            } else if let Some(verdict) = self.end_section() {
                return self.finish(verdict, now);
            }
        }
    }

    /// Leaves the innermost block; when its wrapper wants it again, it stands at its start.
    fn leave_block(&mut self, plan: &Plan, failed: bool, now: UnixTime) -> Result<After, Halt> {
        let Some(mut frame) = self.frames.pop() else { return Ok(After::Leave) };
        let Some(node) = current(plan, self.section, &self.frames) else { return Ok(After::Leave) };
        let after = node.step.after(&mut self.at(node, now, false), &mut frame.state, failed);
        match &after {
            Ok(After::Again(_)) => {
                frame.index = 0;
                self.frames.push(frame);
            }
            Err(Halt::Wait(_)) => {
                self.frames.push(frame);
                return after;
            }
            Ok(After::Leave | After::Recover | After::Ask(_)) | Err(Halt::Fail(_)) => {}
        }
        self.evaluations.clear();
        after
    }

    /// Waits for an answer to a wrapper whose block was left.
    fn ask(&mut self, output: Output) -> Flow {
        self.waiting = Waiting::ForAnswer;
        Flow::Await(output)
    }

    /// The end of a branch; what follows is the other machine's.
    fn end(&mut self, ended: Ended) -> Flow {
        self.ended = Some(ended);
        self.waiting = Waiting::Over;
        self.frames.clear();
        Flow::Await(Output::Done(Verdict::Completed))
    }

    fn sleep(&mut self, pause: Duration) -> Flow {
        self.waiting = Waiting::ForSleep;
        Flow::Await(Output::Sleep(pause))
    }

    /// Goes to the next section; a verdict is the end.
    fn end_section(&mut self) -> Option<Verdict> {
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
            Section::Outbound => return Some(Verdict::Completed),
            Section::OnError => return Some(Verdict::Failed),
        }
        None
    }

    /// Ties a failure to its place, offers it to the wrappers around, and begins on-error.
    fn fail(&mut self, plan: &Plan, failure: Box<Failure>, now: UnixTime) -> Flow {
        self.context.last_error = Some(self.last_error(plan, &failure));
        self.unwind(plan, failure, now)
    }

    fn unwind(&mut self, plan: &Plan, failure: Box<Failure>, now: UnixTime) -> Flow {
        while self.frames.len() > 1 {
            match self.leave_block(plan, true, now) {
                Ok(After::Leave) => {}
                Ok(After::Again(pause)) if pause.is_zero() => return self.run(plan, now),
                Ok(After::Again(pause)) => return self.sleep(pause),
                Ok(After::Ask(output)) => return self.ask(output),
                Ok(After::Recover) => {
                    self.context.last_error = None;
                    self.skip();
                    return self.run(plan, now);
                }
                Err(halt) => return self.flow(Err(halt), Again::Failing(failure)),
            }
        }
        if self.is_branch {
            let error = self.context.last_error.clone();
            return self.end(Ended::Failed(Failed { failure, error }));
        }
        if self.section != Section::OnError
            && let Some(response) = failure.response(&self.context.request_id)
        {
            self.context.set_response(response);
        }
        if self.context.response.is_none() {
            let internal = Failure { answer: Answer::Internal, ..*failure };
            self.context.response = internal.response(&self.context.request_id);
        }
        self.context.pending_status = None;
        if self.section == Section::OnError {
            return self.finish(Verdict::Failed, now);
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

    /// Lets the policies that asked for it do what they have left to do, then stops. The response is final:
    /// a failure changes nothing any more.
    fn finish(&mut self, verdict: Verdict, now: UnixTime) -> Flow {
        if self.is_branch {
            return self.end(Ended::Final);
        }
        while let Some(node) = self.deferred.front().map(Arc::clone) {
            let left = node.step.after_response(&mut self.at(&node, now, false));
            if let Err(halt @ Halt::Wait(_)) = left {
                return self.flow(Err(halt), Again::Deferred(verdict));
            }
            self.deferred.pop_front();
            self.evaluations.clear();
            if let Ok(Some(output)) = left {
                self.waiting = Waiting::ForDeferred(verdict);
                return Flow::Await(output);
            }
        }
        Flow::Await(self.done(verdict))
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

/// The `cors` policies that take part before the sections run.
fn direct_cors(plan: &Plan) -> impl Iterator<Item = (&Arc<Node>, &Cors)> {
    plan.section(Section::Inbound).iter().filter_map(|node| Some((node, node.step.cors()?)))
}

/// The policy that the frames point at.
fn current<'p>(plan: &'p Plan, section: Section, frames: &[Frame]) -> Option<&'p Arc<Node>> {
    let (first, rest) = frames.split_first()?;
    let mut node = plan.section(section).get(first.index);
    for frame in rest {
        node = node?.blocks.get(frame.block)?.get(frame.index);
    }
    node
}
