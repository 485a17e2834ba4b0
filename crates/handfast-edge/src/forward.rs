//! Sending a request to its backend: host, path override, forwarded headers, server choice, one retry
//! (edge specification §1.11, §1.12).

use crate::affinity::Affinity;
use crate::pages::Pages;
use crate::plan::{Backend, BackendHost, HttpListener, Member};
use crate::variables::{client_ip, forwarded_for};
use handfast_core::message::RequestHead;
use handfast_net::balance::{InFlight, Server};
use handfast_net::{
    Address, ConnectionInfo, Core, Delivery, Request, Response, ServerName, Target, UpstreamError,
    UpstreamFailure, UpstreamProtocol, UpstreamRequest,
};
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Servers tried for one request: the chosen one and one more.
const ATTEMPTS_MAX: usize = 2;

/// One request on its way to its backend.
pub(crate) struct Exchange<'a> {
    pub(crate) core: &'a Core,
    /// Id of the client's connection.
    pub(crate) connection: u64,
    pub(crate) backend: &'a Backend,
    pub(crate) listener: &'a HttpListener,
    /// What the prefix pattern of the path rule matched.
    pub(crate) path_prefix: Option<&'a str>,
    /// Headers that rewrites wrote, and that are therefore left as they are.
    pub(crate) written: &'a [&'a str],
    /// Path and query as received.
    pub(crate) original: &'a str,
}

/// The reason of a request that its backend answered.
pub(crate) const NO_ERROR: &str = "ERRORINFO_NO_ERROR";

/// What came of it.
pub(crate) struct Forwarded<'a> {
    pub(crate) response: Response,
    /// [`NO_ERROR`], or why the edge made the response.
    pub(crate) reason: &'static str,
    /// Index of the server that answered, or that was tried last.
    pub(crate) server: Option<usize>,
    /// How long the backend took to answer.
    pub(crate) latency: Option<Duration>,
    /// Cookies that are to be set for that server.
    pub(crate) affinity: Option<&'a Affinity>,
}

impl<'a> Exchange<'a> {
    pub(crate) async fn run(&self, request: Request, pages: &Pages, trace_id: &str) -> Forwarded<'a> {
        let Request { mut head, body, connection, upgrade, .. } = request;
        let backend: &'a Backend = self.backend;
        let affinity = backend.affinity.as_ref();
        let wanted = affinity.and_then(|affinity| affinity.wanted(&head.fields));
        if let Some(affinity) = affinity {
            affinity.remove(&mut head.fields);
        }
        let client_host = head.host().to_owned();
        self.set_forwarded(&mut head, &connection, trace_id);
        self.override_path(&mut head);
        let timeouts = self.backend.settings.timeouts;
        let mut request = Some(UpstreamRequest { head, body, upgrade, timeouts });
        let mut tried = Vec::new();
        let mut last = None;
        while let Some(current) = request.take() {
            let chosen = self.choose(wanted, &tried);
            let Some((index, server, in_flight)) = chosen else { break };
            tried.push(index);
            let started = Instant::now();
            let attempt = self.attempt(&server.target, &client_host, current);
            match self.core.while_in_pool(&in_flight, attempt).await {
                // The server left its pool, and had its time.
                None => last = Some((index, UpstreamFailure::Closed)),
                Some(Ok(mut response)) => {
                    response.delivery = Delivery::of_server(self.core, in_flight);
                    let affinity = affinity.filter(|_| wanted != Some(index));
                    let latency = Some(started.elapsed());
                    return Forwarded { response, reason: NO_ERROR, server: Some(index), latency, affinity };
                }
                Some(Err(error)) => {
                    let again = error.failure.is_before_sending() || is_idempotent(&error);
                    last = Some((index, error.failure));
                    if again && tried.len() < ATTEMPTS_MAX {
                        request = error.request.map(|request| *request);
                    }
                }
            }
        }
        let (status, reason, server) = match &last {
            Some((index, failure)) if failure.is_timeout() => {
                (504, "ERRORINFO_UPSTREAM_TIMED_OUT", Some(*index))
            }
            Some((index, _)) => (502, "ERRORINFO_UPSTREAM_CLOSED_CONNECTION", Some(*index)),
            None => (502, "ERRORINFO_UPSTREAM_NO_LIVE", None),
        };
        Forwarded { response: pages.page(status), reason, server, latency: None, affinity: None }
    }

    fn choose(&self, wanted: Option<usize>, tried: &[usize]) -> Option<(usize, &Server<Member>, InFlight)> {
        let servers = &self.backend.servers;
        if let Some(wanted) = wanted.filter(|_| tried.is_empty()) {
            if let Some((server, in_flight)) = servers.take(wanted) {
                return Some((wanted, server, in_flight));
            }
            let leaving = self.backend.server(wanted).filter(|_| wanted >= servers.servers().len());
            if let Some(server) = leaving.filter(|server| !server.state.is_gone()) {
                return Some((wanted, server, InFlight::enter(&server.state)));
            }
        }
        servers.choose(tried, self.core.random())
    }

    async fn attempt(
        &self,
        member: &Member,
        client_host: &str,
        mut request: UpstreamRequest,
    ) -> Result<Response, UpstreamError> {
        let settings = &self.backend.settings;
        let host = match &settings.host {
            BackendHost::Client => None,
            BackendHost::Fixed(host) => Some(host.as_str()),
            BackendHost::Member => Some(member.host.as_str()),
        };
        if let Some(host) = host.filter(|_| !self.is_written("host")) {
            let value = authority(host, settings.port, settings.tls.is_some());
            let _ = request.head.fields.set(b"Host", value.as_bytes());
        }
        let server_name = settings
            .server_name
            .as_deref()
            .or(match &settings.host {
                BackendHost::Fixed(host) => Some(host.as_str()),
                _ => None,
            })
            .or(member.address.is_none().then_some(member.host.as_str()))
            .unwrap_or(client_host);
        let address = resolve(self.core, member, settings.port).await;
        let address = match address {
            Ok(address) => address,
            Err(failure) => return Err(UpstreamError { failure, request: Some(Box::new(request)) }),
        };
        let target = Target {
            address,
            tls: settings.tls.clone(),
            server_name: tls_name(server_name, member),
            protocol: if settings.http2 { UpstreamProtocol::Http2 } else { UpstreamProtocol::Http1 },
            source: settings.source,
            dedicated: settings.dedicated.then_some(self.connection),
            tunnel: None,
        };
        self.core.send(&target, request).await
    }

    /// Headers towards the backend (§1.11).
    fn set_forwarded(&self, head: &mut RequestHead, connection: &ConnectionInfo, trace_id: &str) {
        let client = SocketAddr::new(client_ip(connection), connection.client.port());
        let mut forwarded_for = forwarded_for(&head.fields);
        // Writing to a string cannot fail.
        let _ = write!(forwarded_for, "{client}");
        let authority = head.authority.clone();
        let port = self.listener.port.to_string();
        let scheme = if self.listener.https { "https" } else { "http" };
        let fields: [(&str, &str); 6] = [
            ("X-Forwarded-For", &forwarded_for),
            ("X-Forwarded-Proto", scheme),
            ("X-Forwarded-Port", &port),
            ("X-Original-Host", &authority),
            ("X-Original-URL", self.original),
            ("X-AppGW-Trace-Id", trace_id),
        ];
        for (name, value) in fields {
            if self.is_written(name) {
                continue;
            }
            // Values come from a head that the codec has checked.
            let _ = head.fields.set(name.as_bytes(), value.as_bytes());
        }
        head.fields.remove(b"x-msft-entra-identity");
    }

    fn is_written(&self, name: &str) -> bool {
        self.written.iter().any(|written| written.eq_ignore_ascii_case(name))
    }

    /// The settings' `path` in front of the request's (§1.12, table).
    fn override_path(&self, head: &mut RequestHead) {
        let Some(path) = &self.backend.settings.path else { return };
        // What the path rule matched is the normalised path, so that is what the prefix is taken from.
        let request = handfast_route::normalise(head.target.path());
        let request = request.as_deref().unwrap_or(head.target.path());
        let overridden = overridden_path(path, request, self.path_prefix);
        head.target.set_path(&overridden);
    }
}

fn overridden_path(path: &str, request: &str, prefix: Option<&str>) -> String {
    let rest = match prefix {
        Some(prefix)
            if request.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix)) =>
        {
            &request[prefix.len()..]
        }
        _ => request,
    };
    format!("{}/{}", path.trim_end_matches('/'), rest.trim_start_matches('/'))
}

fn is_idempotent(error: &UpstreamError) -> bool {
    error.request.as_ref().is_some_and(|request| request.head.method.is_idempotent())
}

/// Where a member is: its literal address, or what its name resolves to.
pub(crate) async fn resolve(core: &Core, member: &Member, port: u16) -> Result<Address, UpstreamFailure> {
    if let Some(address) = &member.address {
        let address = match address {
            Address::Virtual { network, ip, .. } => {
                Address::Virtual { network: network.clone(), ip: *ip, port }
            }
            Address::Real(address) => Address::Real(SocketAddr::new(address.ip(), port)),
        };
        // Nothing of ours there: the address may still be one of the host's network.
        let foreign = matches!(address, Address::Virtual { .. }) && !core.is_local(&address);
        return Ok(if foreign { Address::Real(SocketAddr::new(address.ip(), port)) } else { address });
    }
    let addresses =
        core.resolver().resolve(&member.host, port).await.map_err(|error| UpstreamFailure::Connect {
            address: Address::Real(SocketAddr::new(std::net::Ipv4Addr::UNSPECIFIED.into(), port)),
            reason: error.to_string(),
        })?;
    let index = core.random() as usize % addresses.len().max(1);
    addresses.get(index).cloned().ok_or_else(|| UpstreamFailure::Connect {
        address: Address::Real(SocketAddr::new(std::net::Ipv4Addr::UNSPECIFIED.into(), port)),
        reason: format!("\"{}\" has no address", member.host),
    })
}

/// A name for TLS; an IP literal is checked against the certificate's addresses and never sent.
pub(crate) fn tls_name(name: &str, member: &Member) -> Option<ServerName<'static>> {
    ServerName::try_from(name.to_owned()).or_else(|_| ServerName::try_from(member.host.clone())).ok()
}

/// `Host` for a backend: the port only when it is not the scheme's own.
pub(crate) fn authority(host: &str, port: u16, tls: bool) -> String {
    let default = if tls { 443 } else { 80 };
    if port == default { host.to_owned() } else { format!("{host}:{port}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_override_joins_with_one_slash() {
        for (request, prefix, path, sent) in [
            ("/home/x/", None, "/o/", "/o/home/x/"),
            ("/r/home/", Some("/r"), "/o/", "/o/home/"),
            ("/home/", None, "/o/", "/o/home/"),
            ("/r/home/x/", Some("/r/home"), "/o/", "/o/x/"),
            ("/r/", Some("/r/"), "/o/", "/o/"),
        ] {
            assert_eq!(overridden_path(path, request, prefix), sent, "{request} {prefix:?}");
        }
    }
}
