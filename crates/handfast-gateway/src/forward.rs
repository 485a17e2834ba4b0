//! Exchanges with backends (specification 3.7): which URL, which TLS configuration and certificate, which
//! header lines, and what failed. Stale kept-alive connections are the engine's matter.

use crate::backend::{Ending, SingleBackend};
use crate::base_url::BaseUrl;
use crate::host::body_failure;
use crate::plan::{Api, ApiService};
use crate::proxy::Via;
use crate::tls_clients::TlsMode;
use handfast_core::message::{Method, RequestHead};
use handfast_net::{
    Address, Body, Core, Response, ServerName, Target, UpstreamError, UpstreamFailure, UpstreamProtocol,
    UpstreamRequest, UpstreamTimeouts,
};
use handfast_pki::Credential;
use handfast_policy::{
    BackendTarget, BackendVersion, CertificateSelection, ForwardFailure, ForwardRequest, ProxySelection,
};
use std::io::Write;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// Connecting takes at most this long, whatever a policy's timeout.
const CONNECT_TIMEOUT_MAX: Duration = Duration::from_secs(30);
/// Between two reads of a response body. Azure's front end closes idle connections after four minutes.
const BODY_IDLE_TIMEOUT: Duration = Duration::from_secs(240);
/// Redirects followed for one request.
const REDIRECTS_MAX: usize = 10;

/// Calls of the gateway to itself within one request (edge specification §2.4).
const SELF_CALLS_MAX: u32 = 10;
/// Counts them.
const DEPTH_HEADER: &str = "X-Handfast-Depth";

/// The surroundings of an exchange.
#[derive(Clone, Copy)]
pub(crate) struct Forwarder<'a> {
    pub(crate) core: &'a Core,
    pub(crate) service: &'a Arc<ApiService>,
    pub(crate) api: Option<&'a Api>,
    pub(crate) client_ip: IpAddr,
}

/// A request on its way to a URL.
pub(crate) struct Outgoing {
    pub(crate) head: RequestHead,
    pub(crate) body: Body,
    pub(crate) upgrade: bool,
}

/// How a URL is reached.
pub(crate) struct Route<'a> {
    pub(crate) url: BaseUrl<'a>,
    pub(crate) mode: TlsMode,
    pub(crate) version: BackendVersion,
    pub(crate) credential: Option<&'a Arc<Credential>>,
    pub(crate) timeout: Duration,
    /// The HTTP proxy to go through.
    pub(crate) proxy: Option<&'a ProxySelection>,
}

impl Route<'_> {
    /// `2or1` leaves the choice to the server, by ALPN; without TLS there is none to offer, and an upgrade is
    /// a matter of HTTP/1.1.
    fn speaks_http2(&self, upgrade: bool) -> bool {
        let wanted = match self.version {
            BackendVersion::Http1 => false,
            BackendVersion::Http2 => true,
            BackendVersion::Http2Or1 => self.url.tls,
        };
        // A proxy understands requests of HTTP/1.1; what goes through a tunnel is not its matter.
        let understood = self.url.tls || self.proxy.is_none();
        wanted && understood && !upgrade
    }
}

impl Forwarder<'_> {
    /// Sends the request of a machine to its backend; also gives the URL of the backend entity that was chosen.
    pub(crate) async fn forward(
        &self,
        forward: &ForwardRequest,
        mut outgoing: Outgoing,
    ) -> Result<(Response, Option<Arc<str>>), ForwardFailure> {
        let single = match &forward.backend.backend_id {
            Some(id) => Some(self.entity(id)?),
            None => None,
        };
        let single = single.as_deref();
        let base = match (single, &forward.backend.base_url) {
            (Some(single), _) => single.url.clone(),
            (None, Some(url)) => url.clone(),
            (None, None) => self
                .api
                .and_then(|api| api.base_url.clone())
                .ok_or_else(|| ForwardFailure::Connection("the API has no backend URL".to_owned()))?,
        };
        let url = BaseUrl::parse(&base)
            .ok_or_else(|| ForwardFailure::Connection(format!("\"{base}\" is no absolute URL")))?;
        let chosen = match &forward.backend.certificate {
            Some(selection) => Some(self.certificate(selection).await?),
            None => None,
        };
        let mode = single.map(|single| single.mode).unwrap_or_default();
        let version = forward.options.http_version;
        let credential = chosen.as_ref().or_else(|| single.and_then(|single| single.credential.as_ref()));
        let proxy = forward.backend.proxy.as_ref();
        let route = Route { url, mode, version, credential, timeout: forward.options.timeout, proxy };
        self.prepare(&mut outgoing.head, &forward.backend, single, &url);
        let result = match forward.options.follow_redirects {
            true => self.follow(&route, outgoing).await,
            false => self.send(&route, outgoing).await,
        };
        self.record(single, &result);
        Ok((result?, single.map(|single| single.url.clone())))
    }

    /// The backend entity that a policy named.
    pub(crate) fn entity(&self, name: &str) -> Result<Arc<SingleBackend>, ForwardFailure> {
        let Some(backend) = self.service.backends.get(&name.to_lowercase()) else {
            return Err(ForwardFailure::Connection(format!("backend \"{name}\" does not exist")));
        };
        let chosen = backend.choose(self.core.clock().now(), self.core.random());
        let unavailable =
            || ForwardFailure::Unavailable(format!("the circuit of backend \"{name}\" is open"));
        chosen.ok_or_else(unavailable)
    }

    /// The client certificate that a policy selected.
    pub(crate) async fn certificate(
        &self,
        selection: &CertificateSelection,
    ) -> Result<Arc<Credential>, ForwardFailure> {
        let (found, name) = match selection {
            CertificateSelection::Id(id) => (self.service.credentials.get(&id.to_lowercase()), id),
            CertificateSelection::Thumbprint(print) => {
                let has = |one: &&Arc<Credential>| one.leaf().has_thumbprint(print);
                (self.service.credentials.values().find(has), print)
            }
            CertificateSelection::Pfx(pfx) => return self.service.shared.brought.get(self.core, pfx).await,
        };
        found.cloned().ok_or_else(|| {
            ForwardFailure::Connection(format!(
                "client certificate \"{name}\" does not exist or has no private key"
            ))
        })
    }

    /// Target and header lines towards the backend.
    fn prepare(
        &self,
        head: &mut RequestHead,
        target: &BackendTarget,
        single: Option<&SingleBackend>,
        url: &BaseUrl<'_>,
    ) {
        let path = url.join(head.target.path());
        head.target.set_path(&path);
        head.fields
            .retain(|name, _| !name.get(..6).is_some_and(|start| start.eq_ignore_ascii_case(b"proxy-")));
        // Values come from heads that the codec has checked, and from addresses.
        if !target.keeps_host {
            let _ = head.fields.set(b"Host", url.authority.as_bytes());
        }
        let mut forwarded = Vec::with_capacity(64);
        for line in head.fields.get_all(b"X-Forwarded-For").filter(|line| !line.is_empty()) {
            forwarded.extend_from_slice(line);
            forwarded.extend_from_slice(b", ");
        }
        // Writing to memory cannot fail.
        let _ = write!(forwarded, "{}", self.client_ip);
        let _ = head.fields.set(b"X-Forwarded-For", &forwarded);
        if let Some(single) = single {
            single.authorize(head);
        }
    }

    pub(crate) fn record(&self, single: Option<&SingleBackend>, result: &Result<Response, ForwardFailure>) {
        let Some(breaker) = single.and_then(|single| single.breaker.as_ref()) else { return };
        let ending = match result {
            Ok(response) => {
                let after = response.head.fields.get_str("retry-after").and_then(|text| text.parse().ok());
                Ending::Status(response.head.status, after)
            }
            Err(ForwardFailure::Timeout) => Ending::Failure("Timeout"),
            Err(ForwardFailure::Client | ForwardFailure::BodyTooLarge) => return breaker.forget(),
            Err(_) => Ending::Failure("BackendConnectionFailure"),
        };
        breaker.record(ending, self.core.clock().now());
    }

    /// Sends a request and follows where the responses lead, as long as its body can be sent again.
    async fn follow(&self, route: &Route<'_>, outgoing: Outgoing) -> Result<Response, ForwardFailure> {
        let Outgoing { mut head, body, upgrade } = outgoing;
        let mut replay = match &body {
            Body::Full(bytes) => Some(Body::Full(bytes.clone())),
            Body::Empty => Some(Body::Empty),
            Body::Stream(_) => None,
        };
        let first = Outgoing { head: head.clone(), body, upgrade };
        let mut response = self.send(route, first).await?;
        let mut base = format!("{}://{}", if route.url.tls { "https" } else { "http" }, route.url.authority);
        for _ in 0..REDIRECTS_MAX {
            let location = response.head.fields.get_str("location");
            let (Some(location), Some(body)) = (location, replay.take()) else { break };
            let status = response.head.status;
            if !matches!(status, 301 | 302 | 303 | 307 | 308) {
                break;
            }
            let absolute = match location.starts_with('/') && !location.starts_with("//") {
                true => format!("{base}{location}"),
                false => location.to_owned(),
            };
            let Some(url) = BaseUrl::parse(&absolute) else { break };
            let to_get = status == 303 || (status < 303 && head.method == Method::Post);
            let body = if to_get { Body::Empty } else { body };
            if to_get && head.method != Method::Head {
                head.method = Method::Get;
            }
            let same_origin = url.authority == route.url.authority && url.tls == route.url.tls;
            if !same_origin {
                head.fields.remove(b"Authorization");
            }
            let path = if url.path.is_empty() { "/" } else { url.path };
            head.target.assign(path);
            head.target.set_query(url.query);
            let _ = head.fields.set(b"Host", url.authority.as_bytes());
            replay = match &body {
                Body::Full(bytes) => Some(Body::Full(bytes.clone())),
                _ => Some(Body::Empty),
            };
            let credential = route.credential.filter(|_| same_origin);
            let next = Route { url, credential, ..*route };
            response = self.send(&next, Outgoing { head: head.clone(), body, upgrade: false }).await?;
            base = format!("{}://{}", if url.tls { "https" } else { "http" }, url.authority);
        }
        Ok(response)
    }

    /// One exchange.
    pub(crate) async fn send(
        &self,
        route: &Route<'_>,
        outgoing: Outgoing,
    ) -> Result<Response, ForwardFailure> {
        let url = &route.url;
        let mode = TlsMode { http2: route.speaks_http2(outgoing.upgrade), ..route.mode };
        let tls = match url.tls {
            false => None,
            true => Some(self.service.tls.get(mode, route.credential).ok_or_else(|| {
                ForwardFailure::Connection("the client certificate cannot be used for TLS".to_owned())
            })?),
        };
        let Outgoing { mut head, body, upgrade } = outgoing;
        let via = route.proxy.map(|proxy| Via::new(proxy, url)).transpose()?;
        let address = self.address(via.as_ref().map_or(url, |via| &via.url)).await?;
        self.count_self_calls(&mut head, &address)?;
        let tunnel = via.as_ref().and_then(|via| via.prepare(url, &mut head));
        let target = Target {
            address,
            tls,
            server_name: ServerName::try_from(url.host.to_owned()).ok(),
            protocol: if mode.http2 { UpstreamProtocol::Http2 } else { UpstreamProtocol::Http1 },
            source: self.service.exposure.private.as_ref().map(|private| private.ip),
            dedicated: None,
            tunnel,
        };
        let timeouts = UpstreamTimeouts {
            connect: route.timeout.min(CONNECT_TIMEOUT_MAX),
            response: route.timeout,
            body_idle: BODY_IDLE_TIMEOUT,
        };
        let request = UpstreamRequest { head, body, upgrade, timeouts };
        let response = self.core.send(&target, request).await.map_err(failure)?;
        match via {
            Some(via) => via.judge(response),
            None => Ok(response),
        }
    }

    /// A request to a listener of this process carries how often that has happened, so that APIs which lead
    /// to each other end.
    fn count_self_calls(&self, head: &mut RequestHead, address: &Address) -> Result<(), ForwardFailure> {
        if !self.core.is_local(address) {
            head.fields.remove(DEPTH_HEADER.as_bytes());
            return Ok(());
        }
        let sent = head.fields.get_str(DEPTH_HEADER).map_or(0, |text| text.parse().unwrap_or(SELF_CALLS_MAX));
        let depth = sent.saturating_add(1);
        if depth > SELF_CALLS_MAX {
            let reason = format!("the gateway called itself more than {SELF_CALLS_MAX} times in a row");
            return Err(ForwardFailure::Connection(reason));
        }
        let _ = head.fields.set(DEPTH_HEADER.as_bytes(), depth.to_string().as_bytes());
        Ok(())
    }

    /// The address of a URL's host: virtual when it lies in the service's network and is answered here.
    async fn address(&self, url: &BaseUrl<'_>) -> Result<Address, ForwardFailure> {
        if let (Some(private), Ok(ip)) = (&self.service.exposure.private, url.host.parse::<IpAddr>())
            && private.contains(ip)
        {
            let address = Address::Virtual { network: private.network.clone(), ip, port: url.port };
            if self.core.is_local(&address) {
                return Ok(address);
            }
            return Ok(Address::Real(SocketAddr::new(ip, url.port)));
        }
        let resolver = self.core.resolver();
        if let Some(address) = resolver.known(url.host, url.port) {
            return Ok(address);
        }
        let addresses = resolver
            .resolve(url.host, url.port)
            .await
            .map_err(|error| ForwardFailure::Connection(error.to_string()))?;
        let index = self.core.random() as usize % addresses.len().max(1);
        addresses
            .into_iter()
            .nth(index)
            .ok_or_else(|| ForwardFailure::Connection(format!("host \"{}\" has no address", url.host)))
    }
}

fn failure(error: UpstreamError) -> ForwardFailure {
    match error.failure {
        UpstreamFailure::Timeout => ForwardFailure::Timeout,
        UpstreamFailure::RequestBody(failure) => body_failure(failure),
        other => ForwardFailure::Connection(other.to_string()),
    }
}
