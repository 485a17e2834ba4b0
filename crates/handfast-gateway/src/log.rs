//! The access log: one line per request, in the shape and words of API Management's `GatewayLogs` (the reference
//! "Gateway log schema"). It begins when the response is known and ends when the response is delivered.

use crate::host::BackendExchange;
use crate::plan::ApiService;
use handfast_core::message::{Method, ResponseHead, Scheme};
use handfast_net::{ConnectionInfo, Core, Delivered, Received, Request, Response};
use handfast_policy::Context;
use handfast_telemetry::JsonLine;
use std::rc::Rc;
use std::time::Instant;

/// What a line needs and the request no longer has at its end. Dropped before it is finished it says that the
/// client went away, or that the request panicked.
pub(crate) struct AccessRecord {
    core: Core,
    started: Instant,
    received: Received,
    method: Method,
    authority: String,
    target: String,
    version: &'static str,
    connection: Rc<ConnectionInfo>,
    finished: bool,
}

/// What became of a request that reached a service.
pub(crate) struct Outcome<'a> {
    pub(crate) service: &'a ApiService,
    pub(crate) context: &'a Context,
    pub(crate) exchange: &'a BackendExchange,
}

impl AccessRecord {
    pub(crate) fn of(request: &Request, core: &Core) -> Self {
        let head = &request.head;
        Self {
            core: core.clone(),
            started: Instant::now(),
            received: Received::of(request),
            method: head.method.clone(),
            authority: head.authority.clone(),
            target: head.target.as_str().to_owned(),
            version: head.version.as_str(),
            connection: request.connection.clone(),
            finished: false,
        }
    }

    /// Begins the line of a response; `outcome` is absent when no service took the request.
    pub(crate) fn finish(mut self, mut response: Response, outcome: Option<&Outcome<'_>>) -> Response {
        self.finished = true;
        self.log(&mut response, outcome);
        response
    }

    /// Writes no line: the request was none of a client's.
    pub(crate) fn discard(mut self) {
        self.finished = true;
    }

    fn log(&self, response: &mut Response, outcome: Option<&Outcome<'_>>) {
        let received = (self.received.clone(), self.started);
        self.core.log_delivery(response, received, |line, head| self.write(line, head, outcome), end);
    }

    fn write(&self, line: &mut JsonLine<'_>, head: &ResponseHead, outcome: Option<&Outcome<'_>>) {
        begin(line, &self.core, &self.connection, head.status);
        if let Some(Outcome { service, context, .. }) = outcome {
            line.text("resourceId", &service.log_id).text("correlationId", &context.request_id);
        }
        properties(line, &self.connection, head.status);
        let scheme = if self.connection.scheme == Scheme::Https { "https" } else { "http" };
        let path = self.target.split('?').next().unwrap_or_default();
        line.text("method", self.method.as_str())
            // Without the query, which may hold a subscription key.
            .text("url", &format!("{scheme}://{}{path}", self.authority))
            .text("clientProtocol", self.version);
        if let Some(outcome) = outcome {
            outcome.write(line);
        }
    }
}

impl Drop for AccessRecord {
    fn drop(&mut self) {
        if self.finished {
            return;
        }
        // The status says that nothing was sent, except for a panic, which is answered.
        let status = if std::thread::panicking() { 500 } else { 0 };
        let mut never_sent = Response { head: ResponseHead::new(status), ..Response::default() };
        self.log(&mut never_sent, None);
    }
}

impl Outcome<'_> {
    fn write(&self, line: &mut JsonLine<'_>) {
        let Self { service, context, exchange } = self;
        line.text("serviceName", &service.name)
            .maybe("apiId", context.api.as_ref().map(|api| api.id.as_str()))
            .maybe("apiRevision", context.api.as_ref().map(|api| api.revision.as_str()))
            .maybe("operationId", context.operation.as_ref().map(|operation| operation.id.as_str()))
            .maybe("productId", context.product.as_ref().map(|product| product.id.as_str()))
            .maybe("apimSubscriptionId", context.subscription.as_ref().map(|one| one.id.as_str()));
        if exchange.made {
            line.number("backendResponseCode", u64::from(exchange.status.unwrap_or(0)))
                .number("backendTime", exchange.took.as_millis() as u64)
                .number("backendTimeMicroseconds", exchange.took.as_micros() as u64)
                .maybe("backendId", context.backend.backend_id.as_deref());
        }
        if let Some(error) = &context.last_error {
            line.text("lastErrorSource", error.source)
                .text("lastErrorReason", error.reason)
                .text("lastErrorMessage", &error.message)
                .maybe("lastErrorScope", error.scope.map(|scope| scope.as_str()))
                .maybe("lastErrorSection", error.section.map(|section| section.as_str()));
        }
    }
}

/// An answer to a request that the codec refused, with its line: nothing of the request is known but its
/// connection.
pub(crate) fn refused(core: &Core, info: &ConnectionInfo, mut response: Response) -> Response {
    let received = (Received::default(), Instant::now());
    core.log_delivery(
        &mut response,
        received,
        |line, head| {
            begin(line, core, info, head.status);
            properties(line, info, head.status);
        },
        end,
    );
    response
}

/// The members of the line itself.
fn begin(line: &mut JsonLine<'_>, core: &Core, info: &ConnectionInfo, status: u16) {
    line.text("time", &core.clock().now().to_string())
        .text("category", "GatewayLogs")
        .text("operationName", "Microsoft.ApiManagement/GatewayLogs")
        .text("callerIpAddress", &info.client_ip().to_string())
        .flag("isRequestSuccess", (200..400).contains(&status));
}

/// Opens the properties, with what is known of every request.
fn properties(line: &mut JsonLine<'_>, info: &ConnectionInfo, status: u16) {
    let tls = info.tls.as_ref();
    line.open("properties")
        .number("responseCode", u64::from(status))
        .text("clientIp", &info.client_ip().to_string())
        .maybe("clientTlsVersion", tls.map(|tls| tls.protocol))
        .maybe("clientTlsCipher", tls.map(|tls| tls.cipher))
        .number("connection", info.id)
        .text("hop", info.hop.as_str());
    if let Some(leaf) = tls.and_then(|tls| tls.client_chain.leaf()) {
        line.text("clientCertThumbprint", &leaf.thumbprint());
    }
}

/// What is known when the response was delivered. Times are milliseconds, as the schema has them.
fn end(line: &mut JsonLine<'_>, delivered: &Delivered) {
    line.number("requestSize", delivered.received_bytes)
        .number("responseSize", delivered.sent_bytes)
        .number("clientTime", delivered.sending.as_millis() as u64)
        .number("totalTimeMicroseconds", delivered.took.as_micros() as u64)
        .close()
        .number("durationMs", delivered.took.as_millis() as u64);
}
