//! A request through the edge (edge specification §1.7): listener by host, client certificate, rule, path
//! map, redirect, rewrite, backend, response rewrite, log.

use crate::client_auth::{Admission, admit, verdict};
use crate::compile::is_path_less;
use crate::forward::{self, Forwarded};
use crate::log::{self, AccessRecord};
use crate::pages::{BAD_CERTIFICATE, NO_CERTIFICATE, Pages};
use crate::plan::{
    Action, Backend, Gateway, HttpListener, PathMap, Redirect, RedirectTarget, Route, Routing, Rule,
    Underscores,
};
use crate::rewrite::RewriteSet;
use crate::variables::Variables;
use handfast_core::message::{Method, RequestHead, Scheme};
use handfast_net::{ConnectionInfo, Core, LocalFuture, Refusal, Request, Response, Service};
use handfast_pki::edge::EdgeVerdict;
use std::rc::Rc;
use std::sync::Arc;

/// Rounds of rewrite and re-route before a request is a loop.
const REROUTES_MAX: usize = 10;

/// What answers on one address and port of a gateway.
pub(crate) struct FrontendService {
    pub(crate) gateway: Arc<Gateway>,
    /// In ascending rule priority.
    pub(crate) listeners: Vec<Arc<HttpListener>>,
}

impl Service for FrontendService {
    fn call(self: Arc<Self>, core: Core, request: Request) -> LocalFuture<Response> {
        Box::pin(async move { self.serve(core, request).await })
    }

    fn refuse(&self, core: &Core, connection: &Rc<ConnectionInfo>, refusal: Refusal) -> Response {
        log::refused(core, &self.gateway, connection, refusal)
    }

    fn fail(&self, _connection: &ConnectionInfo, status: u16) -> Response {
        self.gateway.pages.page(status)
    }
}

/// How a request ends before or at its backend.
enum Decision<'a> {
    /// Answered here, with the reason for the log.
    Answer(Box<Response>, &'static str),
    /// Sent on under this route.
    Forward(Onward<'a>),
}

/// A request that goes to a backend.
struct Onward<'a> {
    rule: &'a Rule,
    backend: &'a Arc<Backend>,
    rewrite: Option<&'a RewriteSet>,
    /// What the pattern of the path rule matched.
    path_prefix: Option<&'a str>,
    /// Headers that rewrites wrote.
    written: Vec<&'a str>,
}

impl FrontendService {
    async fn serve(&self, core: Core, mut request: Request) -> Response {
        let connection = request.connection.clone();
        let mut record = AccessRecord::of(&request, self, &core);
        let has_underscores = self.gateway.underscores == Underscores::Reject
            && request.head.fields.iter().any(|(name, _)| name.contains(&b'_'));
        self.clean_headers(&mut request.head);
        if has_underscores {
            return record.finish(self.gateway.pages.page(400).closing(), "ERRORINFO_INVALID_REQUEST");
        }
        let Some(listener) = self.listener(request.head.host()) else {
            return record.finish(self.gateway.pages.page(404), "ERRORINFO_INVALID_HOST");
        };
        record.listener = Some(listener);
        let now = core.clock().now();
        let judged = verdict(listener.client_auth.as_ref(), &connection, now);
        record.verdict = listener.client_auth.as_ref().map(|_| judged);
        let mut variables = Variables::new(&connection, judged, listener);
        let onward = match self.decide(listener, &mut request.head, &connection, judged, &variables) {
            Decision::Answer(response, reason) => return record.finish(*response, reason),
            Decision::Forward(onward) => onward,
        };
        record.rule = Some(&onward.rule.name);
        record.host = request.head.fields.get_str("host").unwrap_or_default().to_owned();
        // Only a response phase reads the request again.
        let rewrite = onward.rewrite.filter(|set| set.has_response_phase());
        let kept = rewrite.map(|set| (set, request.head.clone()));
        let exchange = forward::Exchange {
            core: &core,
            connection: connection.id,
            backend: onward.backend,
            listener,
            path_prefix: onward.path_prefix,
            written: &onward.written,
            original: &record.target,
        };
        record.backend = Some((onward.backend, None));
        let Forwarded { mut response, reason, server, latency, affinity } =
            exchange.run(request, &self.gateway.pages, &record.trace_id).await;
        let generated = reason != forward::NO_ERROR;
        if let (Some((rewrite, head)), false) = (kept, generated) {
            variables.status = Some(response.head.status);
            rewrite.apply_response(&variables, &head, &mut response.head.fields);
        }
        // After the rewrites, so that a rule for Set-Cookie does not lose the server (§1.7, step 17).
        if let (Some(cookies), Some(server)) = (affinity, server) {
            cookies.set(server, &mut response.head.fields);
        }
        record.backend = Some((onward.backend, server));
        record.answered = latency.map(|latency| (response.head.status, latency));
        record.finish(response, reason)
    }

    /// Headers that may not come from outside (DESIGN §12, edge specification §1.9).
    fn clean_headers(&self, head: &mut RequestHead) {
        let stripped = &self.gateway.stripped_headers;
        let keep_underscores = self.gateway.underscores == Underscores::Allow;
        head.fields.retain(|name, _| {
            let plain = |b: &u8| b.is_ascii_alphanumeric() || *b == b'-' || (keep_underscores && *b == b'_');
            let odd = !name.iter().all(plain);
            let forged = stripped.iter().any(|header| same_header(header.as_bytes(), name));
            !odd && !forged
        });
    }

    fn listener(&self, host: &str) -> Option<&Arc<HttpListener>> {
        self.listeners.iter().find(|listener| listener.matches(host))
    }

    fn decide<'a>(
        &'a self,
        listener: &'a HttpListener,
        head: &mut RequestHead,
        connection: &ConnectionInfo,
        judged: EdgeVerdict,
        variables: &Variables<'_>,
    ) -> Decision<'a> {
        let pages = &self.gateway.pages;
        if is_confused(listener, connection) {
            return Decision::Answer(Box::new(pages.page(421)), "ERRORINFO_INVALID_HOST");
        }
        match admit(listener, judged) {
            Admission::Admitted => {}
            Admission::NoCertificate => {
                return Decision::Answer(
                    Box::new(pages.explained(NO_CERTIFICATE)),
                    "ERRORINFO_HTTPS_NO_CERT",
                );
            }
            Admission::BadCertificate => {
                return Decision::Answer(
                    Box::new(pages.explained(BAD_CERTIFICATE)),
                    "ERRORINFO_HTTPS_NO_CERT",
                );
            }
        }
        let Some(rule) = &listener.rule else {
            return Decision::Answer(Box::new(pages.page(404)), "ERRORINFO_INVALID_HOST");
        };
        route(rule, listener, head, variables, pages)
    }
}

/// The listener that the Host selects asks for a certificate, but the one chosen at the ClientHello was another:
/// its rules on client certificates did not apply to this connection.
fn is_confused(listener: &HttpListener, connection: &ConnectionInfo) -> bool {
    listener.client_auth.is_some()
        && connection.tls.as_ref().is_none_or(|tls| tls.host.name() != listener.name)
}

/// Path map, redirect, rewrite and re-route.
fn route<'a>(
    rule: &'a Rule,
    listener: &'a HttpListener,
    head: &mut RequestHead,
    variables: &Variables<'_>,
    pages: &Pages,
) -> Decision<'a> {
    let answer = |status: u16, reason| Decision::Answer(Box::new(pages.page(status)), reason);
    let Ok(mut path) = comparable_path(head) else {
        return Decision::Answer(Box::new(pages.page(400).closing()), "ERRORINFO_REQUEST_URI_INVALID");
    };
    let mut written: Vec<&str> = Vec::new();
    for _ in 0..=REROUTES_MAX {
        let (route, path_prefix) = match &rule.routing {
            Routing::Basic(route) => (route, None),
            Routing::Paths(map) => find_route(map, &path),
        };
        let backend = match &route.action {
            Action::Redirect(redirect) => {
                let location = location(redirect, head, listener);
                return Decision::Answer(
                    Box::new(pages.redirect(redirect.status, &location)),
                    forward::NO_ERROR,
                );
            }
            Action::Forward(backend) => backend,
        };
        let rewrite = route.rewrite.as_deref();
        let change = rewrite.map(|rewrite| rewrite.apply_request(variables, head)).unwrap_or_default();
        written.extend(change.written);
        if !change.reroute || !change.url {
            return Decision::Forward(Onward { rule, backend, rewrite, path_prefix, written });
        }
        match comparable_path(head) {
            Ok(rewritten) => path = rewritten,
            Err(()) => return answer(500, "ERRORINFO_INVALID_REQUEST"),
        }
    }
    answer(500, "ERRORINFO_INVALID_REQUEST")
}

fn comparable_path(head: &RequestHead) -> Result<String, ()> {
    if head.method == Method::Options && head.target.as_str() == "*" {
        return Ok("/".to_owned());
    }
    handfast_route::normalise(head.target.path()).map(std::borrow::Cow::into_owned).map_err(|_| ())
}

/// The route of a path, and for a prefix rule what its pattern matched.
fn find_route<'a>(map: &'a PathMap, path: &str) -> (&'a Route, Option<&'a str>) {
    for rule in &map.rules {
        if let Some(pattern) = rule.patterns.iter().find(|pattern| pattern.matches(path)) {
            return (&rule.route, Some(&pattern.text));
        }
    }
    (&map.default, None)
}

/// Edge specification §1.8.
fn location(redirect: &Redirect, head: &RequestHead, listener: &HttpListener) -> String {
    let (mut location, takes_path) = match &redirect.target {
        RedirectTarget::Url(url) => {
            let path_less = is_path_less(url);
            (if path_less { url.trim_end_matches('/') } else { url }.to_owned(), path_less)
        }
        RedirectTarget::Listener { https, host, port } => {
            let scheme = if *https { Scheme::Https } else { Scheme::Http };
            let host = host.as_deref().unwrap_or_else(|| head.host());
            // A front that is mapped to another port is reached on the port that the client used.
            let port = match head.port() {
                Some(used) if *port == listener.port => used,
                _ => *port,
            };
            let port = if port == scheme.default_port() { String::new() } else { format!(":{port}") };
            (format!("{}://{host}{port}", scheme.as_str()), true)
        }
    };
    if redirect.include_path && takes_path {
        location.push_str(head.target.path());
    } else if matches!(redirect.target, RedirectTarget::Listener { .. }) {
        location.push('/');
    }
    if let Some(query) = head.target.query().filter(|query| redirect.include_query && !query.is_empty()) {
        location.push(if location.contains('?') { '&' } else { '?' });
        location.push_str(query);
    }
    location
}

/// Header names as CGI-style backends see them: `_` and `-` are the same.
fn same_header(known: &[u8], name: &[u8]) -> bool {
    known.len() == name.len()
        && known.iter().zip(name).all(|(a, b)| {
            let fold = |byte: u8| if byte == b'_' { b'-' } else { byte.to_ascii_lowercase() };
            fold(*a) == fold(*b)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listener() -> HttpListener {
        HttpListener {
            name: "web".into(),
            https: true,
            port: 443,
            hosts: Vec::new(),
            client_auth: None,
            rule: None,
        }
    }

    fn head(target: &str) -> RequestHead {
        let mut head = RequestHead { authority: "a.test:8443".into(), ..RequestHead::default() };
        head.target.assign(target);
        head
    }

    #[test]
    fn redirects_carry_path_and_query_as_configured() {
        let to_listener = |https, port, include_path, include_query| Redirect {
            status: 301,
            target: RedirectTarget::Listener { https, host: None, port },
            include_path,
            include_query,
        };
        let request = head("/x/y?q=1");
        assert_eq!(
            location(&to_listener(true, 443, true, true), &request, &listener()),
            "https://a.test:8443/x/y?q=1"
        );
        assert_eq!(
            location(&to_listener(true, 444, true, false), &request, &listener()),
            "https://a.test:444/x/y"
        );
        assert_eq!(location(&to_listener(false, 80, false, false), &request, &listener()), "http://a.test/");
        let to_url = |url: &str, include_path| Redirect {
            status: 302,
            target: RedirectTarget::Url(url.into()),
            include_path,
            include_query: true,
        };
        assert_eq!(
            location(&to_url("https://b.test", true), &request, &listener()),
            "https://b.test/x/y?q=1"
        );
        assert_eq!(
            location(&to_url("https://b.test/p", true), &request, &listener()),
            "https://b.test/p?q=1"
        );
        assert_eq!(
            location(&to_url("https://b.test/p?z=0", false), &request, &listener()),
            "https://b.test/p?z=0&q=1"
        );
    }

    #[test]
    fn forged_certificate_headers_are_recognised_in_any_spelling() {
        assert!(same_header(b"X-Client-Certificate", b"x_client-certificate"));
        assert!(!same_header(b"X-Client-Certificate", b"x-client-cert"));
    }
}
