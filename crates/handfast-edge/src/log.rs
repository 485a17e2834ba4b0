//! The access log (edge specification §1.20): one line per request, in Azure's shape and names.

use crate::pipeline::FrontendService;
use crate::plan::{Backend, HttpListener};
use crate::variables::client_ip;
use handfast_core::message::{Method, Scheme};
use handfast_net::{ConnectionInfo, Core, Hop, Request, Response};
use handfast_pki::edge::EdgeVerdict;
use std::rc::Rc;
use std::time::Instant;

/// What a request's line will say, gathered on its way.
pub(crate) struct AccessRecord<'a> {
    pub(crate) trace_id: String,
    pub(crate) listener: Option<&'a HttpListener>,
    pub(crate) rule: Option<&'a str>,
    pub(crate) verdict: Option<EdgeVerdict>,
    pub(crate) backend: Option<(&'a Backend, Option<usize>)>,
    /// What the backend answered.
    pub(crate) status: Option<u16>,
    /// `Host` after rewrites.
    pub(crate) host: String,
    /// Path and query as received.
    pub(crate) target: String,
    method: Method,
    authority: String,
    user_agent: String,
    version: &'static str,
    connection: Rc<ConnectionInfo>,
}

impl AccessRecord<'_> {
    pub(crate) fn of(request: &Request, core: &Core) -> Self {
        let head = &request.head;
        Self {
            trace_id: format!("{:016x}{:016x}", core.random(), core.random()),
            listener: None,
            rule: None,
            verdict: None,
            backend: None,
            status: None,
            host: String::new(),
            method: head.method.clone(),
            target: head.target.as_str().to_owned(),
            authority: head.authority.clone(),
            user_agent: head.fields.get_str("user-agent").unwrap_or_default().to_owned(),
            version: head.version.as_str(),
            connection: request.connection.clone(),
        }
    }

    pub(crate) fn finish(
        &self,
        core: &Core,
        service: &FrontendService,
        response: &Response,
        reason: &'static str,
        started: Instant,
    ) {
        let connection = &self.connection;
        let tls = connection.tls.as_ref();
        let (path, query) = self.target.split_once('?').unwrap_or((&self.target, ""));
        core.log(|line| {
            line.text("timeStamp", &core.clock().now().to_string())
                .text("category", "ApplicationGatewayAccessLog")
                .text("operationName", "ApplicationGatewayAccess")
                .text("resourceId", &service.gateway.log_id)
                .maybe("listenerName", self.listener.map(|listener| listener.name.as_str()))
                .maybe("ruleName", self.rule);
            if let Some((backend, server)) = &self.backend {
                line.text("backendPoolName", &backend.pool_name)
                    .text("backendSettingName", &backend.settings.name);
                if let Some(server) = server.and_then(|index| backend.servers.servers().get(index)) {
                    line.text("serverRouted", &format!("{}:{}", server.target.host, backend.settings.port));
                }
                // As text, which is what Azure writes.
                if let Some(status) = self.status {
                    line.text("serverStatus", &status.to_string());
                }
            }
            line.text("clientIP", &client_ip(connection).to_string())
                .number("clientPort", u64::from(connection.client.port()))
                .text("httpMethod", self.method.as_str())
                .text("originalRequestUriWithArgs", &self.target)
                .text("requestUri", path)
                .text("requestQuery", query)
                .text("userAgent", &self.user_agent)
                .number("httpStatus", u64::from(response.head.status))
                .text("httpVersion", self.version)
                .number("timeTakenMicroseconds", started.elapsed().as_micros() as u64)
                .text("transactionId", &self.trace_id)
                .text("sslEnabled", if connection.scheme == Scheme::Https { "on" } else { "off" })
                .maybe("sslProtocol", tls.map(|tls| tls.protocol))
                .maybe("sslCipher", tls.map(|tls| tls.cipher));
            if let Some(verdict) = self.verdict {
                line.text("sslClientVerify", &verdict.to_string());
                if let Some(leaf) = tls.and_then(|tls| tls.client_chain.leaf()) {
                    line.text("sslClientCertificateFingerprint", &leaf.thumbprint().to_ascii_lowercase())
                        .text("sslClientCertificateIssuerName", &leaf.issuer().rfc2253());
                }
            }
            line.text("originalHost", &self.authority)
                .maybe("host", Some(self.host.as_str()).filter(|host| !host.is_empty()))
                .maybe("contentType", response.head.fields.get_str("content-type"))
                .number("connection", connection.id)
                .text("hop", if connection.hop == Hop::Fused { "fused" } else { "wire" })
                .text("error_info", reason);
        });
    }
}
