//! Services for tests: one that tells what it saw, and one that forwards.

use bytes::Bytes;
use handfast_net::{
    Body, ConnectionInfo, Core, LocalFuture, Refusal, Request, Response, Service, Target, UpstreamFailure,
    UpstreamRequest, UpstreamTimeouts,
};
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// Answers 200 and tells, one line each, what it saw: method and target, `peer`, `tls`, `client`, the fields
/// and the body. A path `/bytes/N` is answered with N bytes, `/panic` panics, `/status/N` with that status.
#[derive(Default)]
pub struct Echo {
    seen: AtomicUsize,
}

impl Echo {
    /// Requests that reached it.
    pub fn seen(&self) -> usize {
        self.seen.load(Ordering::SeqCst)
    }

    async fn answer(request: Request) -> Response {
        let Request { head, mut body, connection, .. } = request;
        let path = head.target.path().to_owned();
        if path == "/panic" {
            panic!("asked for");
        }
        if let Some(count) = path.strip_prefix("/bytes/").and_then(|count| count.parse().ok()) {
            return Response::full(200, "application/octet-stream", vec![b'x'; count]);
        }
        let sent = match body.collect(16 << 20).await {
            Ok(sent) => sent,
            Err(failure) => return Response::full(400, "text/plain", failure.to_string()),
        };
        let status = path.strip_prefix("/status/").and_then(|status| status.parse().ok()).unwrap_or(200);
        let mut text = format!("{} {} {}\n", head.method, head.target.as_str(), head.version.as_str());
        text += &format!("client-ip {}\n", connection.client_ip());
        if let Some(tls) = &connection.tls {
            text += &format!("tls {} {} {:?}\n", tls.protocol, tls.cipher, tls.server_name.as_deref());
            let subject = tls.client_chain.leaf().map(|leaf| leaf.subject().rfc2253());
            text += &format!("client {}\n", subject.as_deref().unwrap_or("-"));
        }
        for (name, value) in head.fields.iter() {
            text += &format!("{}: {}\n", String::from_utf8_lossy(name), String::from_utf8_lossy(value));
        }
        let mut answer = text.into_bytes();
        answer.extend_from_slice(b"\n");
        answer.extend_from_slice(&sent);
        Response::full(status, "text/plain", answer)
    }
}

impl Service for Echo {
    fn call(self: Arc<Self>, _core: Core, request: Request) -> LocalFuture<Response> {
        self.seen.fetch_add(1, Ordering::SeqCst);
        Box::pin(Self::answer(request))
    }

    fn refuse(&self, _: &Core, _: &Rc<ConnectionInfo>, refusal: Refusal) -> Response {
        Response::full(refusal.status(), "text/plain", refusal.to_string()).closing()
    }

    fn fail(&self, _connection: &ConnectionInfo, status: u16) -> Response {
        Response::full(status, "text/plain", "failed")
    }
}

/// Forwards every request to one target; failures are 502 or 504 with the failure's text.
pub struct Forward {
    /// Where to.
    pub target: Target,
    /// Time limits.
    pub timeouts: UpstreamTimeouts,
}

impl Service for Forward {
    fn call(self: Arc<Self>, core: Core, request: Request) -> LocalFuture<Response> {
        Box::pin(async move {
            let Request { head, body, upgrade, .. } = request;
            let request = UpstreamRequest { head, body, upgrade, timeouts: self.timeouts };
            match core.send(&self.target, request).await {
                Ok(response) => response,
                Err(error) => {
                    let status = match &error.failure {
                        UpstreamFailure::RequestBody(_) => 400,
                        failure if failure.is_timeout() => 504,
                        _ => 502,
                    };
                    Response::full(status, "text/plain", error.failure.to_string())
                }
            }
        })
    }

    fn refuse(&self, core: &Core, connection: &Rc<ConnectionInfo>, refusal: Refusal) -> Response {
        Echo::default().refuse(core, connection, refusal)
    }

    fn fail(&self, connection: &ConnectionInfo, status: u16) -> Response {
        Echo::default().fail(connection, status)
    }
}

/// Answers 200 and remembers what it was asked: method, target and body, a blank between.
#[derive(Default)]
pub struct Recorder {
    seen: Mutex<Vec<String>>,
}

impl Recorder {
    /// What was asked since this was called last.
    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.seen.lock().expect("not poisoned"))
    }
}

impl Service for Recorder {
    fn call(self: Arc<Self>, _core: Core, request: Request) -> LocalFuture<Response> {
        Box::pin(async move {
            let Request { head, mut body, .. } = request;
            match body.collect(16 << 20).await {
                Ok(body) => {
                    let body = String::from_utf8_lossy(&body);
                    let seen = format!("{} {} {body}", head.method, head.target.as_str());
                    self.seen.lock().expect("not poisoned").push(seen.trim_end().to_owned());
                    Response::full(200, "text/plain", "seen")
                }
                Err(failure) => Response::full(400, "text/plain", failure.to_string()).closing(),
            }
        })
    }

    fn refuse(&self, core: &Core, connection: &Rc<ConnectionInfo>, refusal: Refusal) -> Response {
        Echo::default().refuse(core, connection, refusal)
    }

    fn fail(&self, connection: &ConnectionInfo, status: u16) -> Response {
        Echo::default().fail(connection, status)
    }
}

/// A body in memory.
pub fn full(bytes: impl Into<Bytes>) -> Body {
    Body::from(bytes.into())
}
