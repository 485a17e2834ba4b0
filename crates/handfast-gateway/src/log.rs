//! The access log: one line per request, in the shape and words of API Management's `GatewayLogs`.

use crate::host::BackendExchange;
use crate::plan::ApiService;
use handfast_core::message::{Method, Scheme};
use handfast_net::{ConnectionInfo, Core, Request, Response};
use handfast_policy::Context;
use handfast_telemetry::JsonLine;
use std::rc::Rc;
use std::time::Instant;

/// What a line needs and the request no longer has at its end.
pub(crate) struct AccessRecord {
    started: Instant,
    method: Method,
    authority: String,
    target: String,
    version: &'static str,
    connection: Rc<ConnectionInfo>,
}

impl AccessRecord {
    pub(crate) fn of(request: &Request, started: Instant) -> Self {
        let head = &request.head;
        Self {
            started,
            method: head.method.clone(),
            authority: head.authority.clone(),
            target: head.target.as_str().to_owned(),
            version: head.version.as_str(),
            connection: request.connection.clone(),
        }
    }

    /// The line of a request that reached a service.
    pub(crate) fn finish(
        &self,
        core: &Core,
        service: &ApiService,
        response: &Response,
        context: &Context,
        exchange: &BackendExchange,
    ) {
        core.log(|line| {
            self.begin(line, core, response);
            line.text("resourceId", &service.log_id)
                .text("serviceName", &service.name)
                .text("correlationId", &context.request_id)
                .maybe("apiId", context.api.as_ref().map(|api| api.id.as_str()))
                .maybe("apiRevision", context.api.as_ref().map(|api| api.revision.as_str()))
                .maybe("operationId", context.operation.as_ref().map(|operation| operation.id.as_str()))
                .maybe("productId", context.product.as_ref().map(|product| product.id.as_str()))
                .maybe("apimSubscriptionId", context.subscription.as_ref().map(|one| one.id.as_str()));
            if exchange.made {
                line.number("backendResponseCode", u64::from(exchange.status.unwrap_or(0)))
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
        });
    }

    /// The line of a request that no service took.
    pub(crate) fn finish_without_service(&self, core: &Core, response: &Response) {
        core.log(|line| self.begin(line, core, response));
    }

    fn begin(&self, line: &mut JsonLine<'_>, core: &Core, response: &Response) {
        let connection = &self.connection;
        let tls = connection.tls.as_ref();
        let scheme = if connection.scheme == Scheme::Https { "https" } else { "http" };
        let path = self.target.split('?').next().unwrap_or_default();
        line.text("time", &core.clock().now().to_string())
            .text("category", "GatewayLogs")
            .text("operationName", "Microsoft.ApiManagement/GatewayLogs")
            .text("method", self.method.as_str())
            // Without the query, which may hold a subscription key.
            .text("url", &format!("{scheme}://{}{path}", self.authority))
            .number("responseCode", u64::from(response.head.status))
            .number("totalTimeMicroseconds", self.started.elapsed().as_micros() as u64)
            .text("clientIp", &connection.client_ip().to_string())
            .text("clientProtocol", self.version)
            .maybe("clientTlsVersion", tls.map(|tls| tls.protocol))
            .maybe("clientTlsCipher", tls.map(|tls| tls.cipher))
            .number("connection", connection.id)
            .text("hop", connection.hop.as_str());
        if let Some(leaf) = tls.and_then(|tls| tls.client_chain.leaf()) {
            line.text("clientCertThumbprint", &leaf.thumbprint());
        }
    }
}
