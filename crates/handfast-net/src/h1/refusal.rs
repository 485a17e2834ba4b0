//! Why a request was refused before any role saw it.

/// A request that the codec refuses. The role of the listener turns it into bytes, so that an edge answers
/// HTML and an API gateway JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Refusal {
    /// The request line or a header line is not what RFC 9112 §3 and §5 allow.
    #[error("malformed request head")]
    Malformed,
    /// A method that is not a token, or a target form that the method does not allow.
    #[error("malformed request target")]
    Target,
    /// A version other than HTTP/1.0 and HTTP/1.1 (RFC 9112 §2.3).
    #[error("unsupported HTTP version")]
    Version,
    /// `Host` is missing, repeated, malformed or contradicts the target (RFC 9112 §3.2).
    #[error("missing or invalid Host")]
    Host,
    /// `Content-Length` is repeated, not digits, or above 2^63 − 1 (RFC 9112 §6.3).
    #[error("invalid Content-Length")]
    ContentLength,
    /// `Transfer-Encoding` with `Content-Length`, on HTTP/1.0, or other than exactly `chunked` (RFC 9112 §6.1).
    #[error("conflicting or unsupported message framing")]
    Framing,
    /// `Connection` names a field that must not be hop-by-hop.
    #[error("Connection names a protected field")]
    ConnectionOptions,
    /// The head is longer than allowed or has too many lines.
    #[error("request header or cookie too large")]
    HeadTooLarge,
    /// The target is longer than allowed.
    #[error("request target too long")]
    TargetTooLong,
    /// `CONNECT` or `TRACE`, which a gateway does not serve.
    #[error("method not allowed")]
    Method,
    /// The head did not arrive in time.
    #[error("request head timed out")]
    HeadTimeout,
    /// TLS bytes on a listener without TLS, or the reverse.
    #[error("plain HTTP request on a TLS listener")]
    PlainOnTls,
}

impl Refusal {
    /// The status code of the answer.
    pub fn status(self) -> u16 {
        match self {
            Self::HeadTimeout => 408,
            Self::TargetTooLong => 414,
            Self::Method => 405,
            Self::Malformed
            | Self::Target
            | Self::Version
            | Self::Host
            | Self::ContentLength
            | Self::Framing
            | Self::ConnectionOptions
            | Self::HeadTooLarge
            | Self::PlainOnTls => 400,
        }
    }
}
