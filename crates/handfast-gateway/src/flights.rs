//! What a `wait` has under way: exchanges beside one another on the request's own task (policies specification 5.12).
//!
//! Requests of policies' own, tokens, keys and pauses run at the same time. What concerns the client's message itself,
//! forwarding it and reading its bodies, is done one after the other, while the others go on. Dropping an exchange
//! gives it up.

use crate::forward::Forwarder;
use crate::host::Host;
use crate::key_sets;
use handfast_net::{LocalFuture, give_way, sleep};
use handfast_policy::{Context, Input, Output};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::pin;
use std::task::{self, Poll};

/// Everything under way, by number.
#[derive(Default)]
pub(crate) struct Flights {
    flying: Vec<(u32, LocalFuture<Input>)>,
    /// What has come to its end and was not told yet.
    landed: VecDeque<(u32, Input)>,
    /// What concerns the client's message, in its order.
    own: VecDeque<(u32, Output)>,
}

impl Flights {
    /// Gives up some of them.
    pub(crate) fn cancel(&mut self, numbers: &[u32]) {
        if numbers.is_empty() {
            return;
        }
        self.flying.retain(|(number, _)| !numbers.contains(number));
        self.landed.retain(|(number, _)| !numbers.contains(number));
        self.own.retain(|(number, _)| !numbers.contains(number));
    }

    /// Gives up all of them.
    pub(crate) fn clear(&mut self) {
        self.flying.clear();
        self.landed.clear();
        self.own.clear();
    }

    /// Looks after what is flying.
    fn poll(&mut self, cx: &mut task::Context<'_>) {
        let landed = &mut self.landed;
        self.flying.retain_mut(|(number, future)| match future.as_mut().poll(cx) {
            Poll::Ready(answer) => {
                landed.push_back((*number, answer));
                false
            }
            Poll::Pending => true,
        });
    }

    fn next(&mut self) -> Option<Input> {
        self.landed.pop_front().map(|(number, answer)| Input::Branch(number, Box::new(answer)))
    }
}

impl Host<'_> {
    /// Begins what is new, and waits for the first of all to end.
    pub(crate) async fn first(
        &mut self,
        flights: &mut Flights,
        begin: Vec<(u32, Output)>,
        context: &mut Context,
    ) -> Input {
        for (number, output) in begin {
            self.begin(flights, (number, output), context).await;
        }
        loop {
            if let Some(answer) = flights.next() {
                return answer;
            }
            let Some((number, output)) = flights.own.pop_front() else {
                if flights.flying.is_empty() {
                    // The machine waits for nothing, which it does not do.
                    return Input::Resumed;
                }
                poll_fn(|cx| {
                    flights.poll(cx);
                    if flights.landed.is_empty() { Poll::Pending } else { Poll::Ready(()) }
                })
                .await;
                continue;
            };
            let mut own = pin!(self.answer(output, context));
            let answer = poll_fn(|cx| {
                flights.poll(cx);
                own.as_mut().poll(cx)
            })
            .await;
            flights.landed.push_back((number, answer));
        }
    }

    async fn begin(&mut self, flights: &mut Flights, asked: (u32, Output), context: &mut Context) {
        let (number, output) = asked;
        let (core, service, client_ip) = (self.core.clone(), self.service.clone(), self.client_ip);
        let future: LocalFuture<Input> = match output {
            Output::Send(request) if !request.detached => {
                let body = match self.bytes_of(&request).await {
                    Ok(body) => body,
                    Err(failure) => return flights.landed.push_back((number, Input::Sent(Err(failure)))),
                };
                Box::pin(async move {
                    let forwarder = Forwarder { core: &core, service: &service, api: None, client_ip };
                    Input::Sent(forwarder.send_own(&request, body).await)
                })
            }
            Output::Token { resource, client_id } => Box::pin(async move {
                let forwarder = Forwarder { core: &core, service: &service, api: None, client_ip };
                Input::Token(forwarder.token(&resource, client_id.as_deref()).await)
            }),
            Output::Keys { urls, newer } => Box::pin(async move {
                Input::Keys(key_sets::find(&core, &service, client_ip, &urls, newer).await)
            }),
            Output::Authorization(request) => Box::pin(async move {
                let forwarder = Forwarder { core: &core, service: &service, api: None, client_ip };
                Input::Authorization(forwarder.authorization(&request).await)
            }),
            Output::Sleep(time) => Box::pin(async move {
                sleep(time).await;
                Input::Slept
            }),
            Output::Yield => Box::pin(async move {
                give_way().await;
                Input::Resumed
            }),
            own @ (Output::Forward(_) | Output::ReadBody { .. }) => {
                return flights.own.push_back((number, own));
            }
            other => {
                // Nothing of these takes time.
                let answer = self.answer(other, context).await;
                return flights.landed.push_back((number, answer));
            }
        };
        flights.flying.push((number, future));
    }
}
