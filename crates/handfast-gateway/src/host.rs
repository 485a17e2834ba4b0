//! The host of the policy machine: does the IO that a request's plan asks for, and makes the engine's
//! response of what the machine leaves.

use crate::base_url::BaseUrl;
use crate::flights::Flights;
use crate::forward::{Forwarder, Outgoing, Route};
use crate::metered::{Metered, Settler};
use crate::shared::Own;
use crate::{answers, coding, eventhub, key_sets, plan::ApiService};
use bytes::Bytes;
use handfast_core::message::{Fields, Method, RequestHead, Scheme};
use handfast_net::{Body, BodyFailure, Core, Response, Upgrade, give_way, sleep};
use handfast_policy::{
    BackendVersion, Body as PolicyBody, BodyForm, Context, ForwardFailure, ForwardRequest, Input, Machine,
    Output, ReadFailure, Response as PolicyResponse, SendRequest, Side, StreamWork,
};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Bytes of a request body that is kept to be sent again, and of a response to `send-request`.
const BUFFERED_BYTES_MAX: usize = 16 << 20;

/// One request and the IO around it.
pub(crate) struct Host<'a> {
    pub(crate) core: &'a Core,
    pub(crate) service: &'a Arc<ApiService>,
    /// Index of the matched API.
    pub(crate) api: Option<usize>,
    pub(crate) client_ip: IpAddr,
    pub(crate) body: Body,
    pub(crate) upgrade: bool,
    /// Whether the client asked for a head only, whatever policies make of the method.
    pub(crate) head_only: bool,
    /// Why the client's body could not be read to its end. What is left of it must not pass for the whole.
    broken_body: Option<BodyFailure>,
    /// What came with the last response head.
    received: Option<Received>,
    exchange: BackendExchange,
    client_gone: bool,
    /// What follows from a streamed answer.
    metered: Vec<StreamWork>,
    /// When the request came in.
    began: Instant,
}

/// The last exchange with a backend, for the log.
#[derive(Clone, Debug, Default)]
pub(crate) struct BackendExchange {
    pub(crate) status: Option<u16>,
    pub(crate) took: Duration,
    /// Whether there was one.
    pub(crate) made: bool,
}

struct Received {
    body: Body,
    upgrade: Option<Upgrade>,
}

/// How a request ended.
pub(crate) struct Finished {
    pub(crate) response: Response,
    pub(crate) context: Context,
    pub(crate) exchange: BackendExchange,
}

impl<'a> Host<'a> {
    pub(crate) fn new(core: &'a Core, service: &'a Arc<ApiService>, client_ip: IpAddr, body: Body) -> Self {
        Self {
            core,
            service,
            api: None,
            client_ip,
            body,
            upgrade: false,
            head_only: false,
            broken_body: None,
            received: None,
            exchange: BackendExchange::default(),
            client_gone: false,
            metered: Vec::new(),
            began: Instant::now(),
        }
    }

    /// Runs a machine to its end.
    pub(crate) async fn run(mut self, mut machine: Machine, begin: Input) -> Finished {
        let mut flights = Flights::default();
        let mut input = begin;
        loop {
            let now = self.core.clock().now();
            machine.context_mut().elapsed = self.began.elapsed();
            input = match machine.step(input, now) {
                Output::Done(_) => break,
                Output::AwaitAny { begin, cancel } => {
                    flights.cancel(&cancel);
                    self.first(&mut flights, begin, machine.context_mut()).await
                }
                output => {
                    flights.clear();
                    self.answer(output, machine.context_mut()).await
                }
            };
        }
        let mut context = machine.into_context();
        let response = self.response(&mut context);
        Finished { response, context, exchange: self.exchange }
    }

    /// Does what one output asks for.
    pub(crate) async fn answer(&mut self, output: Output, context: &mut Context) -> Input {
        match output {
            Output::Forward(forward) => self.forward(&forward, context).await,
            Output::Send(request) => self.send(*request).await,
            Output::ReadBody { side, bytes_max, form } => self.read(side, (bytes_max, form), context).await,
            Output::Acquire { key, max } => Input::Permit(self.shared().acquire(&key, max)),
            Output::Keys { urls, newer } => {
                let found = key_sets::find(self.core, self.service, self.client_ip, &urls, newer);
                Input::Keys(found.await)
            }
            Output::Token { resource, client_id } => {
                Input::Token(self.forwarder().token(&resource, client_id.as_deref()).await)
            }
            Output::Authorization(request) => {
                Input::Authorization(self.forwarder().authorization(&request).await)
            }
            Output::Sleep(time) => {
                sleep(time).await;
                Input::Slept
            }
            Output::Log(event) => {
                eventhub::log(self.core, self.service, *event);
                Input::Stored
            }
            Output::Settle(all) => {
                self.settler().settle(all);
                Input::Stored
            }
            Output::Meter(work) => {
                self.metered.push(*work);
                Input::Stored
            }
            Output::Yield => {
                give_way().await;
                Input::Resumed
            }
            shared => self.ask_shared(shared),
        }
    }

    /// Asks what the requests of the service share.
    fn ask_shared(&self, output: Output) -> Input {
        let shared = self.shared();
        match output {
            Output::Count(count) => Input::Counted(shared.count(&count)),
            Output::CacheGet { key } => Input::Cached(shared.cached(&key)),
            Output::CacheSet { key, entry, life } => {
                shared.keep(&key, entry, life);
                Input::Stored
            }
            Output::CacheRemove { key } => {
                shared.forget(&key);
                Input::Stored
            }
            Output::CacheNearest { partition, vector, distance_max } => {
                Input::Cached(shared.nearest(&partition, &vector, distance_max))
            }
            Output::CacheNear { partition, vector, entry, life } => {
                shared.keep_near(&partition, vector, entry, life);
                Input::Stored
            }
            Output::QuotaUsed(period) => Input::Used(shared.quota_used(&period)),
            // All others are answered before; the machine tells this as an answer out of turn.
            _ => Input::Resumed,
        }
    }

    fn shared(&self) -> Own<'_> {
        self.service.shared.of(&self.service.log_id, self.core.clock().now_ms())
    }

    fn settler(&self) -> Settler {
        Settler { core: self.core.clone(), service: self.service.clone() }
    }

    fn forwarder(&self) -> Forwarder<'_> {
        let api = self.api.and_then(|api| self.service.apis.entries.get(api)).map(|entry| &*entry.api);
        Forwarder { core: self.core, service: self.service, api, client_ip: self.client_ip }
    }

    async fn forward(&mut self, forward: &ForwardRequest, context: &mut Context) -> Input {
        context.forwarded_to = None;
        let mut head = context.request.clone();
        let body = match &context.request_body {
            PolicyBody::Replace(bytes) => {
                remove_framing(&mut head.fields);
                Body::from(bytes.clone())
            }
            PolicyBody::Keep => match self.own_body(forward.options.buffer_request_body).await {
                Ok(body) => body,
                Err(failure) => return self.failed(failure),
            },
        };
        self.received = None;
        let began = Instant::now();
        let outgoing = Outgoing { head, body, upgrade: self.upgrade };
        let result = self.forwarder().forward(forward, outgoing).await;
        self.exchange.made = true;
        self.exchange.took = began.elapsed();
        match result {
            Ok((Response { head, body, upgrade, .. }, url)) => {
                context.forwarded_to = url;
                self.exchange.status = Some(head.status);
                self.received = Some(Received { body, upgrade });
                Input::Response(head)
            }
            Err(failure) => self.failed(failure),
        }
    }

    fn failed(&mut self, failure: ForwardFailure) -> Input {
        self.client_gone |= failure == ForwardFailure::Client;
        self.exchange.status = None;
        Input::ForwardFailed(failure)
    }

    /// The client's body: a copy when it is in memory, else the stream itself.
    async fn own_body(&mut self, buffer: bool) -> Result<Body, ForwardFailure> {
        if let Some(failure) = self.broken_body {
            return Err(body_failure(failure));
        }
        if buffer && matches!(self.body, Body::Stream(_)) {
            match self.body.collect(BUFFERED_BYTES_MAX).await {
                Ok(bytes) => self.body = Body::from(bytes),
                Err(failure) => {
                    self.broken_body = Some(failure);
                    return Err(body_failure(failure));
                }
            }
        }
        Ok(match &self.body {
            Body::Full(bytes) => Body::Full(bytes.clone()),
            _ => std::mem::take(&mut self.body),
        })
    }

    /// A request of the document's own.
    async fn send(&mut self, request: SendRequest) -> Input {
        let body = match self.bytes_of(&request).await {
            Ok(body) => body,
            Err(failure) => return Input::Sent(Err(failure)),
        };
        if !request.detached {
            return Input::Sent(self.forwarder().send_own(&request, body).await);
        }
        let (core, service, client_ip) = (self.core.clone(), self.service.clone(), self.client_ip);
        self.core.spawn(async move {
            let forwarder = Forwarder { core: &core, service: &service, api: None, client_ip };
            // Nobody waits for the outcome.
            let _ = forwarder.send_own(&request, body).await;
        });
        Input::Sent(Ok(PolicyResponse::default()))
    }

    /// The body of a policy's own request.
    pub(crate) async fn bytes_of(&mut self, request: &SendRequest) -> Result<Bytes, ForwardFailure> {
        match &request.body {
            PolicyBody::Replace(bytes) => Ok(bytes.clone()),
            PolicyBody::Keep => self.kept_bytes().await,
        }
    }

    /// The client's body in memory, still there afterwards.
    async fn kept_bytes(&mut self) -> Result<Bytes, ForwardFailure> {
        match self.own_body(true).await? {
            Body::Full(bytes) => Ok(bytes),
            _ => Ok(Bytes::new()),
        }
    }

    async fn read(&mut self, side: Side, asked: (usize, BodyForm), context: &mut Context) -> Input {
        let (bytes_max, form) = asked;
        if let (Side::Request, Some(failure)) = (side, self.broken_body) {
            return Input::BodyFailed(read_failure(failure));
        }
        let (body, fields) = match side {
            Side::Request => (&mut self.body, Some(&mut context.request.fields)),
            Side::Response => {
                let fields = context.response.as_mut().map(|response| &mut response.head.fields);
                let Some(received) = &mut self.received else { return Input::Body(Bytes::new()) };
                (&mut received.body, fields)
            }
        };
        if (side, form) == (Side::Response, BodyForm::AsReceived) {
            // What is too large for a reader still goes to the client.
            return match body.peek(bytes_max).await {
                Ok(Some(bytes)) => Input::Body(bytes),
                Ok(None) => Input::BodyFailed(ReadFailure::TooLarge),
                Err(failure) => Input::BodyFailed(read_failure(failure)),
            };
        }
        let collected = body.collect(bytes_max).await;
        if let (Side::Request, Err(failure)) = (side, &collected) {
            self.broken_body = Some(*failure);
            self.client_gone |= body_failure(*failure) == ForwardFailure::Client;
        }
        let read = collected.map_err(read_failure);
        if form == BodyForm::AsReceived {
            return match read {
                Ok(bytes) => {
                    *body = Body::from(bytes.clone());
                    Input::Body(bytes)
                }
                Err(failure) => Input::BodyFailed(failure),
            };
        }
        let coding =
            fields.as_ref().and_then(|fields| fields.get_str("content-encoding")).unwrap_or_default();
        match read.and_then(|bytes| coding::decode(coding, bytes, bytes_max)) {
            Ok(bytes) => {
                *body = Body::from(bytes.clone());
                if let Some(fields) = fields {
                    remove_framing(fields);
                }
                Input::Body(bytes)
            }
            Err(failure) => Input::BodyFailed(failure),
        }
    }

    /// What goes to the client.
    fn response(&mut self, context: &mut Context) -> Response {
        if self.client_gone {
            // The prepared 500 would reach nobody; the connection ends.
            return answers::message(400, "Bad request").closing();
        }
        let PolicyResponse { mut head, body } = context.response.take().unwrap_or_default();
        match body {
            PolicyBody::Replace(bytes) => {
                remove_framing(&mut head.fields);
                if self.head_only {
                    let _ = head.fields.set(b"Content-Length", bytes.len().to_string().as_bytes());
                }
                Response { head, body: Body::from(bytes), ..Response::default() }
            }
            PolicyBody::Keep => {
                let received = self.received.take();
                let (body, upgrade) = received.map_or((Body::Empty, None), |one| (one.body, one.upgrade));
                let upgrade = upgrade.filter(|_| head.status == 101);
                let body = match self.metered.is_empty() {
                    true => body,
                    false => Metered::of(body, std::mem::take(&mut self.metered), self.settler()),
                };
                if !self.head_only && context.request.method == Method::Head {
                    // A policy made a HEAD of another method: the length is of a body that does not come.
                    remove_framing(&mut head.fields);
                }
                Response { head, body, close: upgrade.is_some(), upgrade, ..Response::default() }
            }
        }
    }
}

/// What a client's body means that broke off: too large is told, everything else ends the connection.
pub(crate) fn body_failure(failure: BodyFailure) -> ForwardFailure {
    match failure {
        BodyFailure::BodyTooLarge => ForwardFailure::BodyTooLarge,
        _ => ForwardFailure::Client,
    }
}

fn read_failure(failure: BodyFailure) -> ReadFailure {
    match failure {
        BodyFailure::BodyTooLarge => ReadFailure::TooLarge,
        other => ReadFailure::Unreadable(other.to_string()),
    }
}

fn remove_framing(fields: &mut Fields) {
    for name in [&b"Content-Length"[..], b"Transfer-Encoding", b"Content-Encoding"] {
        fields.remove(name);
    }
}

impl Forwarder<'_> {
    /// Sends a policy's own request and reads the whole response.
    pub(crate) async fn send_own(
        &self,
        request: &SendRequest,
        body: Bytes,
    ) -> Result<PolicyResponse, ForwardFailure> {
        let single = match &request.backend_id {
            Some(id) => self.entity(id).map(Some)?,
            None => None,
        };
        let single = single.as_deref();
        let whole = single.map(|one| format!("{}{}", one.url.trim_end_matches('/'), request.url));
        let text = whole.as_ref().unwrap_or(&request.url);
        let Some(url) = BaseUrl::parse(text) else {
            return Err(ForwardFailure::Connection(format!("\"{text}\" is no absolute URL")));
        };
        let selected = match &request.certificate {
            Some(selection) => Some(self.certificate(selection).await?),
            None => None,
        };
        let credential = selected.as_ref().or_else(|| single.and_then(|one| one.credential.as_ref()));
        let mut head = RequestHead {
            method: request.method.clone(),
            scheme: if url.tls { Scheme::Https } else { Scheme::Http },
            authority: url.authority.to_owned(),
            fields: request.fields.clone(),
            ..RequestHead::default()
        };
        head.target.assign(if url.path.is_empty() { "/" } else { url.path });
        head.target.set_query(url.query);
        head.fields.remove(b"Content-Length");
        if !head.fields.contains(b"Host") {
            let _ = head.fields.set(b"Host", url.authority.as_bytes());
        }
        if let Some(single) = single {
            single.authorize(&mut head);
        }
        let mode = single.map(|one| one.mode).unwrap_or_default();
        let version = BackendVersion::Http1;
        let proxy = request.proxy.as_ref();
        let route = Route { url, mode, version, credential, timeout: request.timeout, proxy };
        let outgoing = Outgoing { head, body: Body::from(body), upgrade: false };
        let result = self.send(&route, outgoing).await;
        self.record(single, &result);
        let Response { mut head, mut body, .. } = result?;
        let read = body.collect(BUFFERED_BYTES_MAX).await;
        let mut bytes = read.map_err(|error| ForwardFailure::Connection(error.to_string()))?;
        let coding = head.fields.get_str("content-encoding").unwrap_or_default();
        if let Ok(decoded) = coding::decode(coding, bytes.clone(), BUFFERED_BYTES_MAX) {
            bytes = decoded;
            remove_framing(&mut head.fields);
        }
        Ok(PolicyResponse { head, body: PolicyBody::Replace(bytes) })
    }
}
