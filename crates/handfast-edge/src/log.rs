//! The access log (edge specification §1.20): one line per request, in Azure's shape and names. It begins when
//! the response is known and ends when the response is delivered.

use crate::pages::reason_of;
use crate::pipeline::FrontendService;
use crate::plan::{Backend, Gateway, HttpListener};
use crate::variables::client_ip;
use handfast_core::UnixTime;
use handfast_core::message::{Method, ResponseHead, Scheme};
use handfast_net::{ConnectionInfo, Core, Delivered, Hop, Received, Refusal, Request, Response};
use handfast_pki::edge::EdgeVerdict;
use handfast_telemetry::JsonLine;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// What a request's line will say, gathered on its way. Dropped before it is finished it says that the client
/// went away, or that the request panicked.
pub(crate) struct AccessRecord<'a> {
    pub(crate) trace_id: String,
    pub(crate) listener: Option<&'a HttpListener>,
    pub(crate) rule: Option<&'a str>,
    pub(crate) verdict: Option<EdgeVerdict>,
    pub(crate) backend: Option<(&'a Backend, Option<usize>)>,
    /// What the backend answered, and how long it took to begin.
    pub(crate) answered: Option<(u16, Duration)>,
    /// `Host` after rewrites.
    pub(crate) host: String,
    /// Path and query as received.
    pub(crate) target: String,
    core: Core,
    gateway: &'a Gateway,
    method: Method,
    authority: String,
    user_agent: String,
    version: &'static str,
    connection: Rc<ConnectionInfo>,
    received: Received,
    started: Instant,
    finished: bool,
}

/// The status in the log of a request whose client went away before it was answered; it is never sent.
const CLIENT_CLOSED: u16 = 499;

impl<'a> AccessRecord<'a> {
    pub(crate) fn of(request: &Request, service: &'a FrontendService, core: &Core) -> Self {
        let head = &request.head;
        Self {
            trace_id: format!("{:016x}{:016x}", core.random(), core.random()),
            listener: None,
            rule: None,
            verdict: None,
            backend: None,
            answered: None,
            host: String::new(),
            core: core.clone(),
            gateway: &service.gateway,
            method: head.method.clone(),
            target: head.target.as_str().to_owned(),
            authority: head.authority.clone(),
            user_agent: head.fields.get_str("user-agent").unwrap_or_default().to_owned(),
            version: head.version.as_str(),
            connection: request.connection.clone(),
            received: Received::of(request),
            started: Instant::now(),
            finished: false,
        }
    }

    /// Begins the line of a response.
    pub(crate) fn finish(mut self, mut response: Response, reason: &'static str) -> Response {
        self.finished = true;
        let received = (self.received.clone(), self.started);
        let core = self.core.clone();
        core.log_delivery(&mut response, received, |line, head| self.write(line, head, reason), end);
        response
    }

    fn write(&self, line: &mut JsonLine<'_>, head: &ResponseHead, reason: &'static str) {
        begin(line, self.core.clock().now(), self.gateway);
        line.maybe("listenerName", self.listener.map(|listener| listener.name.as_str()))
            .maybe("ruleName", self.rule);
        if let Some((backend, _)) = &self.backend {
            line.text("backendPoolName", &backend.pool_name)
                .text("backendSettingName", &backend.settings.name);
        }
        line.open("properties");
        connection(line, &self.connection);
        let (path, query) = self.target.split_once('?').unwrap_or((&self.target, ""));
        line.text("httpMethod", self.method.as_str())
            .text("originalRequestUriWithArgs", &self.target)
            .text("requestUri", path)
            .text("requestQuery", query)
            .text("userAgent", &self.user_agent)
            .number("httpStatus", u64::from(head.status))
            .text("httpVersion", self.version)
            .text("transactionId", &self.trace_id);
        self.write_server(line);
        if let Some(verdict) = self.verdict {
            line.text("sslClientVerify", &verdict.to_string());
            if let Some(leaf) = self.connection.tls.as_ref().and_then(|tls| tls.client_chain.leaf()) {
                line.text("sslClientCertificateFingerprint", &leaf.thumbprint().to_ascii_lowercase())
                    .text("sslClientCertificateIssuerName", &leaf.issuer().rfc2253());
            }
        }
        let host = if self.host.is_empty() { &self.authority } else { &self.host };
        line.text("originalHost", &self.authority)
            .text("host", host)
            .maybe("contentType", head.fields.get_str("content-type"))
            .text("error_info", reason);
    }

    /// Numbers as text, which is what Azure writes.
    fn write_server(&self, line: &mut JsonLine<'_>) {
        let Some((backend, server)) = &self.backend else { return };
        if let Some(server) = server.and_then(|index| backend.server(index)) {
            line.text("serverRouted", &format!("{}:{}", server.target.host, backend.settings.port));
        }
        if let Some((status, latency)) = self.answered {
            line.text("serverStatus", &status.to_string()).seconds_text("serverResponseLatency", latency);
        }
    }
}

impl Drop for AccessRecord<'_> {
    fn drop(&mut self) {
        if self.finished {
            return;
        }
        let (status, reason) = match std::thread::panicking() {
            true => (500, "ERRORINFO_INTERNAL_ERROR"),
            false => (CLIENT_CLOSED, "ERRORINFO_CLIENT_CLOSED_REQUEST"),
        };
        let mut never_sent = Response { head: ResponseHead::new(status), ..Response::default() };
        let received = (self.received.clone(), self.started);
        let core = self.core.clone();
        core.log_delivery(&mut never_sent, received, |line, head| self.write(line, head, reason), end);
    }
}

/// The answer to a request that the codec refused, with its line: nothing of the request is known but its
/// connection.
pub(crate) fn refused(core: &Core, gateway: &Gateway, info: &ConnectionInfo, refusal: Refusal) -> Response {
    let mut response = gateway.pages.refusal(refusal);
    let received = (Received::default(), Instant::now());
    core.log_delivery(
        &mut response,
        received,
        |line, head| {
            begin(line, core.clock().now(), gateway);
            line.open("properties");
            connection(line, info);
            line.number("httpStatus", u64::from(head.status)).text("error_info", reason_of(refusal));
        },
        end,
    );
    response
}

fn begin(line: &mut JsonLine<'_>, now: UnixTime, gateway: &Gateway) {
    let time = now.to_string();
    line.text("timeStamp", &format!("{}+00:00", time.trim_end_matches('Z')))
        .text("category", "ApplicationGatewayAccessLog")
        .text("operationName", "ApplicationGatewayAccess")
        .text("resourceId", &gateway.log_id);
}

fn connection(line: &mut JsonLine<'_>, info: &ConnectionInfo) {
    let tls = info.tls.as_ref();
    line.text("instanceId", INSTANCE)
        .text("clientIP", &client_ip(info).to_string())
        .number("clientPort", u64::from(info.client.port()))
        .text("sslEnabled", if info.scheme == Scheme::Https { "on" } else { "off" })
        .maybe("sslProtocol", tls.map(|tls| tls.protocol))
        .maybe("sslCipher", tls.map(|tls| tls.cipher))
        .number("connection", info.id)
        .text("hop", if info.hop == Hop::Fused { "fused" } else { "wire" });
}

/// There is one instance of a gateway in a process.
const INSTANCE: &str = "appgw_0";

/// What is known when the response was delivered.
fn end(line: &mut JsonLine<'_>, delivered: &Delivered) {
    line.number("receivedBytes", delivered.received_bytes)
        .number("sentBytes", delivered.sent_bytes)
        .seconds("clientResponseTime", delivered.sending)
        .seconds("timeTaken", delivered.took)
        .number("timeTakenMicroseconds", delivered.took.as_micros() as u64);
}
