//! One request of a case under way: the answers to what the machine asks, what went out, and time.
//!
//! A reply may take its time. What the machine waits for beside one another comes in the order in which it is due,
//! and what is due at once in the order in which it was asked for.

use super::compare::{self, Forwarded};
use super::host::{Nearby, World, response};
use super::{CaseError, Delayed, Outcome, Reply};
use crate::context::{Body, Context, Response};
use crate::machine::io::{
    ForwardFailure, HubEvent, Input, MetricSample, Output, Permit, Settlement, Side, TokenFailure,
};
use crate::prompt::cosine_distance;
use crate::usage::{StreamWork, TokenStream};
use bytes::Bytes;
use handfast_core::message::ResponseHead;
use handfast_core::{Secret, UnixTime};
use std::slice::Iter;
use std::time::Duration;

pub(super) struct Play<'w, 'c> {
    world: &'w mut World<'c>,
    /// The client's body.
    sent: Bytes,
    /// The body that came with the last response.
    received: Bytes,
    replies: Iter<'w, Delayed>,
    under_way: Vec<UnderWay>,
    works: Vec<StreamWork>,
    forwards: Vec<Forwarded>,
    sends: Vec<String>,
    waits: Vec<Duration>,
    metrics: Vec<String>,
    logged: Vec<String>,
}

/// An answer that is on its way.
struct UnderWay {
    due: UnixTime,
    number: u32,
    answer: Input,
}

impl<'w, 'c> Play<'w, 'c> {
    pub(super) fn new(world: &'w mut World<'c>, sent: Bytes, replies: &'w [Delayed]) -> Self {
        Self {
            world,
            sent,
            received: Bytes::new(),
            replies: replies.iter(),
            under_way: Vec::new(),
            works: Vec::new(),
            forwards: Vec::new(),
            sends: Vec::new(),
            waits: Vec::new(),
            metrics: Vec::new(),
            logged: Vec::new(),
        }
    }

    pub(super) fn now(&self) -> UnixTime {
        self.world.now
    }

    /// The answer to an output; time passes until it comes.
    pub(super) fn answer(&mut self, output: Output, context: &Context) -> Result<Input, CaseError> {
        let Output::AwaitAny { begin, cancel } = output else {
            self.under_way.clear();
            let (answer, takes) = self.begin(output, context)?;
            self.world.now = self.world.now.plus(takes);
            return Ok(answer);
        };
        self.under_way.retain(|one| !cancel.contains(&one.number));
        for (number, output) in begin {
            let (answer, takes) = self.begin(output, context)?;
            self.under_way.push(UnderWay { due: self.world.now.plus(takes), number, answer });
        }
        let first = self.under_way.iter().map(|one| one.due).min();
        let at = self.under_way.iter().position(|one| Some(one.due) == first);
        let Some(at) = at else { return Ok(Input::Resumed) };
        let UnderWay { due, number, answer } = self.under_way.remove(at);
        self.world.now = self.world.now.max(due);
        Ok(Input::Branch(number, Box::new(answer)))
    }

    /// The answer to one question, and how long it takes.
    fn begin(&mut self, output: Output, context: &Context) -> Result<(Input, Duration), CaseError> {
        let mut takes = Duration::ZERO;
        let answer = match output {
            Output::Send(request) => {
                self.sends.push(compare::sent_text(&request));
                if request.detached {
                    Input::Sent(Ok(Response::default()))
                } else {
                    let (reply, body, after) = self.reply()?;
                    takes = after;
                    Input::Sent(match reply {
                        Ok(head) => Ok(Response { head, body: Body::Replace(body) }),
                        Err(failure) => Err(failure),
                    })
                }
            }
            Output::Forward(forward) => {
                self.forwards.push(Forwarded::new(&forward, context, &self.sent));
                let (reply, body, after) = self.reply()?;
                takes = after;
                self.received = body;
                reply.map_or_else(Input::ForwardFailed, Input::Response)
            }
            Output::ReadBody { side: Side::Request, .. } => Input::Body(self.sent.clone()),
            Output::ReadBody { side: Side::Response, .. } => Input::Body(self.received.clone()),
            Output::Acquire { key, .. } => {
                let taken = self.world.case.facts.permits_taken.iter().any(|taken| **taken == *key);
                Input::Permit((!taken).then(|| Permit::new(())))
            }
            Output::Keys { urls, newer } => Input::Keys(self.world.keys(&urls, newer)?),
            Output::Token { resource, client_id } => {
                let token = self.world.case.facts.token(&resource, client_id.as_deref());
                let none = || TokenFailure { message: format!("there is no token for '{resource}'") };
                Input::Token(token.map(|token| Secret::new(token.to_owned())).ok_or_else(none))
            }
            Output::Authorization(asked) => {
                let name = format!("{}/{}", asked.provider, asked.authorization);
                let caller = asked.caller.as_ref().map(|caller| caller.expose().as_str());
                let token = self.world.case.facts.token(&name, caller);
                let none = || TokenFailure { message: format!("there is no authorization '{name}'") };
                Input::Authorization(token.map(|token| Secret::new(token.to_owned())).ok_or_else(none))
            }
            Output::Sleep(time) => {
                takes = time;
                self.waits.push(time);
                Input::Slept
            }
            Output::Meter(work) => {
                self.works.push(*work);
                Input::Stored
            }
            Output::Log(event) => {
                self.logged.push(event_text(&event));
                Input::Stored
            }
            Output::Settle(all) => {
                self.settle(all);
                Input::Stored
            }
            Output::Yield => Input::Resumed,
            shared => self.shared(shared),
        };
        Ok((answer, takes))
    }

    /// Answers what the requests of a case share.
    fn shared(&mut self, output: Output) -> Input {
        let world = &mut *self.world;
        match output {
            Output::Count(count) => Input::Counted(world.count(count)),
            Output::CacheGet { key } => {
                let now = world.now;
                let left = |end: UnixTime| u64::try_from(end.0 - now.0).ok().filter(|left| *left > 0);
                Input::Cached(world.cache.get(&key).and_then(|(cached, end)| {
                    left(*end).map(|left| (cached.clone(), Duration::from_secs(left)))
                }))
            }
            Output::CacheSet { key, entry, life } => {
                world.cache.insert(key, (entry, world.now.plus(life)));
                Input::Stored
            }
            Output::CacheRemove { key } => {
                world.cache.remove(&key);
                Input::Stored
            }
            Output::CacheNearest { partition, vector, distance_max } => {
                let now = world.now;
                let fresh = world.near.iter().filter(|one| one.partition == partition && one.end > now);
                let near = fresh.filter_map(|one| Some((cosine_distance(&one.vector, &vector)?, one)));
                let near = near.filter(|(distance, _)| *distance <= distance_max);
                let nearest = near.min_by(|one, other| one.0.total_cmp(&other.0));
                Input::Cached(nearest.map(|(_, one)| (one.entry.clone(), Duration::from_secs(1))))
            }
            Output::CacheNear { partition, vector, entry, life } => {
                world.near.push(Nearby { partition, vector, entry, end: world.now.plus(life) });
                Input::Stored
            }
            Output::QuotaUsed(period) => {
                let used = world.quotas.get(&world.quota(&period)).copied();
                Input::Used(used.unwrap_or_default())
            }
            // All others are answered before; the machine tells this as an answer out of turn.
            _ => Input::Resumed,
        }
    }

    fn settle(&mut self, all: Vec<Settlement>) {
        for one in all {
            match one {
                Settlement::Count(count) => _ = self.world.count(count),
                Settlement::Quota(period, more) => self.world.add(&period, more),
                Settlement::Emit(sample) => {
                    let named = sample.dimensions.iter().map(|(name, value)| format!("{name}={value}"));
                    let dimensions = named.collect::<Vec<_>>().join(", ");
                    let MetricSample { namespace, name, value, .. } = sample;
                    self.metrics.push(format!("{namespace}/{name} = {value} {{{dimensions}}}"));
                }
            }
        }
    }

    /// The next scripted reply, its body, and how long it takes.
    fn reply(&mut self) -> Result<(Result<ResponseHead, ForwardFailure>, Bytes, Duration), CaseError> {
        let Some(Delayed { after, reply }) = self.replies.next() else {
            return Ok((Ok(ResponseHead::new(200)), Bytes::new(), Duration::ZERO));
        };
        let (outcome, body) = match reply {
            Reply::Timeout => (Err(ForwardFailure::Timeout), Bytes::new()),
            Reply::Refused(text) => (Err(ForwardFailure::Connection(text.clone())), Bytes::new()),
            Reply::Response(block) => {
                let (head, body) = response(block)?;
                (Ok(head), body)
            }
        };
        Ok((outcome, body, *after))
    }

    /// What the request came to; a stream has gone by then.
    pub(super) fn outcome(mut self, mut context: Context) -> Outcome {
        for StreamWork { prompt, work } in std::mem::take(&mut self.works) {
            let mut stream = TokenStream::new(prompt);
            stream.take(&self.received);
            self.settle(work.settlements(stream.usage()));
        }
        let response = context.response.take().unwrap_or_default();
        let body = match response.body {
            Body::Replace(bytes) => bytes.to_vec(),
            Body::Keep => self.received.to_vec(),
        };
        let Self { forwards, sends, waits, metrics, logged, .. } = self;
        Outcome { forwards, sends, waits, metrics, logged, context, response: response.head, body }
    }
}

fn event_text(event: &HubEvent) -> String {
    let id = event.partition_id.iter().map(|id| format!(" partition {id}"));
    let key = event.partition_key.iter().map(|key| format!(" key {key}"));
    format!("{}{}: {}", event.logger, id.chain(key).collect::<String>(), event.text)
}
