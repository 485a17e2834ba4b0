//! Every bound that the engine sets on a peer, with its default and where the number comes from.
//! Durations carry their unit in the type, byte counts in the name.

use std::time::Duration;

/// Bounds on one listener's peers and on upstream servers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Request or response head, HTTP/1.1, bytes. Azure Application Gateway: 32 KiB.
    pub head_bytes_max: usize,
    /// Request target, bytes. Azure Application Gateway: 32 KiB.
    pub target_bytes_max: usize,
    /// Header lines in a head. Envoy and hyper: 100.
    pub fields_max: usize,
    /// Header list of an HTTP/2 request, decoded bytes. Azure: 16 KiB.
    pub h2_head_bytes_max: u32,
    /// Concurrent HTTP/2 streams of one connection. Envoy edge: 100.
    pub h2_streams_max: u32,
    /// Requests on one connection before it is closed in good order. Azure and nginx: 1000 on HTTP/2.
    pub h2_requests_max: u64,
    /// Chunk extensions of one body, bytes. hyper: 16 KiB.
    pub chunk_extension_bytes_max: usize,
    /// Trailer section, bytes. hyper: 16 KiB.
    pub trailer_bytes_max: usize,
    /// Body of a request, bytes. Azure Application Gateway Standard: 4 GiB.
    pub body_bytes_max: u64,
    /// TLS handshake with a client. linkerd's detect timeout: 10 s.
    pub handshake_timeout: Duration,
    /// From the first byte of a request head to its end. Azure: 60 s.
    pub head_timeout: Duration,
    /// Between two reads of a request body, and between two writes of a response. nginx: 60 s.
    pub body_idle_timeout: Duration,
    /// Body of declared length, bytes per second of waiting for it, once `body_rate_grace` was waited. Ours: 500.
    pub body_rate_min: u64,
    /// How long a body of declared length may be slower than `body_rate_min`. Ours: 20 s.
    pub body_rate_grace: Duration,
    /// Between two bytes, either way, of a connection that was upgraded. Azure's public addresses: 4 min.
    pub tunnel_idle_timeout: Duration,
    /// Between two requests of a kept-alive HTTP/1.1 connection. Azure v2 and nginx: 75 s.
    pub keep_alive_timeout: Duration,
    /// An HTTP/2 connection without streams. Azure: 180 s.
    pub h2_idle_timeout: Duration,
    /// Unread request body that is read away to keep a connection, bytes.
    pub drain_bytes_max: u64,
    /// 1xx responses accepted before the final one.
    pub interim_responses_max: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head_bytes_max: 32 * 1024,
            target_bytes_max: 32 * 1024,
            fields_max: 100,
            h2_head_bytes_max: 16 * 1024,
            h2_streams_max: 100,
            h2_requests_max: 1000,
            chunk_extension_bytes_max: 16 * 1024,
            trailer_bytes_max: 16 * 1024,
            body_bytes_max: 4 << 30,
            handshake_timeout: Duration::from_secs(10),
            head_timeout: Duration::from_secs(60),
            body_idle_timeout: Duration::from_secs(60),
            body_rate_min: 500,
            body_rate_grace: Duration::from_secs(20),
            tunnel_idle_timeout: Duration::from_secs(240),
            keep_alive_timeout: Duration::from_secs(75),
            h2_idle_timeout: Duration::from_secs(180),
            drain_bytes_max: 64 * 1024,
            interim_responses_max: 10,
        }
    }
}

/// Bounds on the whole process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GlobalLimits {
    /// Open client connections. Envoy's edge example: 50 000.
    pub connections_max: usize,
    /// Requests in flight. linkerd: 100 000.
    pub requests_max: usize,
    /// Memory of the process, bytes. From 95 % on no new connection is accepted, from 98 % on new requests are
    /// answered 503 (Envoy's overload actions). Whoever measures tells [`crate::Engine::report_memory`].
    pub memory_bytes_max: u64,
    /// Open connections of one source address.
    pub connections_per_source_max: u32,
    /// New connections of one source address per second, sustained.
    pub accepts_per_source_per_second: u32,
    /// New connections of one source address at once.
    pub accepts_per_source_burst: u32,
    /// Idle upstream connections kept per target and core. ingress-nginx: 320.
    pub idle_upstreams_max: usize,
    /// How long an idle upstream connection is kept. ingress-nginx: 60 s.
    pub idle_upstream_timeout: Duration,
}

impl Default for GlobalLimits {
    fn default() -> Self {
        Self {
            connections_max: 50_000,
            requests_max: 100_000,
            memory_bytes_max: u64::MAX,
            connections_per_source_max: 1_000,
            accepts_per_source_per_second: 200,
            accepts_per_source_burst: 400,
            idle_upstreams_max: 320,
            idle_upstream_timeout: Duration::from_secs(60),
        }
    }
}
