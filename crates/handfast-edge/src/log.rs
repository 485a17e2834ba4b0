//! The access log (edge specification §1.20): one line per request, in Azure's shape and names.

use crate::pipeline::FrontendService;
use crate::plan::Backend;
use handfast_core::message::Scheme;
use handfast_net::{ConnectionInfo, Core, Hop, Request, Response};
use handfast_pki::edge::EdgeVerdict;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

/// What a request's line will say, gathered on its way.
pub(crate) struct AccessRecord {
    pub(crate) trace_id: String,
    pub(crate) listener: Option<String>,
    pub(crate) rule: Option<String>,
    pub(crate) verdict: Option<EdgeVerdict>,
    pub(crate) backend: Option<(Arc<Backend>, Option<usize>)>,
    method: String,
    target: String,
    authority: String,
    user_agent: String,
    version: &'static str,
    connection: Rc<ConnectionInfo>,
}

impl AccessRecord {
    pub(crate) fn of(request: &Request, core: &Core) -> Self {
        let head = &request.head;
        Self {
            trace_id: format!("{:016x}{:016x}", core.random(), core.random()),
            listener: None,
            rule: None,
            verdict: None,
            backend: None,
            method: head.method.as_str().to_owned(),
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
                .maybe("listenerName", self.listener.as_deref())
                .maybe("ruleName", self.rule.as_deref());
            if let Some((backend, server)) = &self.backend {
                line.text("backendPoolName", &backend.pool_name)
                    .text("backendSettingName", &backend.settings.name);
                if let Some(server) = server.and_then(|index| backend.servers.servers().get(index)) {
                    line.text("serverRouted", &format!("{}:{}", server.target.host, backend.settings.port))
                        .number("serverStatus", u64::from(response.head.status));
                }
            }
            line.text("clientIP", &connection.client_ip().to_string())
                .number("clientPort", u64::from(connection.client.port()))
                .text("httpMethod", &self.method)
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
                .number("connection", connection.id)
                .text("hop", if connection.hop == Hop::Fused { "fused" } else { "wire" })
                .text("error_info", reason);
        });
    }
}
