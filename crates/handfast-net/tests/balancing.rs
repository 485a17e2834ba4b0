//! Pools over real servers: shares by weight, and the server with the fewest requests in flight.

use handfast_net::balance::{Algorithm, Pool, Server};
use handfast_net::{
    ConnectionInfo, Core, Hop, LocalFuture, Refusal, Request, Response, Service, UpstreamRequest,
    UpstreamTimeouts,
};
use handfast_testkit::{Echo, RawClient, ScriptedUpstream, TestEngine};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

/// Sends each request to a server of a pool.
struct Balanced(Pool<SocketAddr>);

impl Service for Balanced {
    fn call(self: Arc<Self>, core: Core, request: Request) -> LocalFuture<Response> {
        Box::pin(async move {
            let Some((_, server, _in_flight)) = self.0.choose(&[], core.random()) else {
                return Response::full(502, "text/plain", "no server");
            };
            let Request { head, body, upgrade, .. } = request;
            let request = UpstreamRequest { head, body, upgrade, timeouts: UpstreamTimeouts::default() };
            match core.send(&TestEngine::plain_target(server.target), request).await {
                Ok(mut response) => {
                    // The request is in flight until its answer is there as a whole.
                    let body = response.body.collect(1 << 20).await.expect("a whole body");
                    response.body = body.into();
                    response
                }
                Err(error) => Response::full(502, "text/plain", error.failure.to_string()),
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

/// A server that answers with its name, once it may.
fn server(name: &'static str, wait: impl Fn() + Send + Sync + 'static) -> ScriptedUpstream {
    ScriptedUpstream::start(move |_, mut peer| {
        while !peer.read_head().is_empty() {
            wait();
            peer.write(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{name}", name.len()));
        }
    })
}

fn front(servers: Vec<Server<SocketAddr>>, algorithm: Algorithm) -> (TestEngine, SocketAddr) {
    let mut engine = TestEngine::start(Hop::Wire);
    let state = engine.state(Arc::new(Balanced(Pool::new(servers, algorithm))), None);
    let address = engine.listen("front", state);
    (engine, address)
}

#[test]
fn servers_get_requests_by_their_weight() {
    let (three, one) = (server("three", || {}), server("one", || {}));
    let weighted = |upstream: &ScriptedUpstream, weight| Server { weight, ..Server::new(upstream.address()) };
    let servers = vec![weighted(&three, 3), weighted(&one, 1)];
    let (_engine, address) = front(servers, Algorithm::RoundRobin);
    let mut client = RawClient::plain(address);
    let answers: Vec<String> = (0..40).map(|_| client.get("a.test", "/").text()).collect();
    assert_eq!(answers.iter().filter(|answer| *answer == "three").count(), 30, "{answers:?}");
    assert!(answers.windows(4).all(|four| four.iter().any(|answer| answer == "one")), "in even turns");
}

#[test]
fn the_server_with_fewer_requests_in_flight_is_preferred() {
    let (go, may_go) = mpsc::channel::<()>();
    let may_go = Mutex::new(may_go);
    let (arrived, got) = mpsc::channel();
    let tell = Arc::new(Mutex::new(arrived));
    let told = tell.clone();
    let slow = server("slow", move || {
        told.lock().expect("not poisoned").send("slow").expect("the test waits");
        may_go.lock().expect("not poisoned").recv().expect("the test sends");
    });
    let quick = server("quick", move || {
        tell.lock().expect("not poisoned").send("quick").expect("the test waits");
    });
    let servers = vec![Server::new(slow.address()), Server::new(quick.address())];
    let (_engine, address) = front(servers, Algorithm::LeastRequest);
    // One request after another, until one is held by the slow server.
    let mut held = loop {
        let mut client = RawClient::plain(address);
        client.send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
        if got.recv_timeout(Duration::from_secs(10)) == Ok("slow") {
            break client;
        }
        assert_eq!(client.response().text(), "quick");
    };
    let mut client = RawClient::plain(address);
    for _ in 0..30 {
        assert_eq!(client.get("a.test", "/").text(), "quick");
    }
    go.send(()).expect("the server waits");
    assert_eq!(held.response().text(), "slow");
}
