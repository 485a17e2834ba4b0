//! The HTTP/1.1 codec (RFC 9112), without IO: bytes in, heads and body steps out, and heads out as bytes.
//!
//! It is strict where leniency is a vulnerability: one framing only, CRLF only, no folding, no blanks
//! before a colon, one `Host`. What is refused, and with which status, is [`Refusal`]; limits are
//! [`crate::Limits`]. Tokenising is done by `httparse`; everything with a meaning is decided here.

mod body;
mod conform;
mod encode;
mod refusal;
mod request;
mod response;
mod scan;

pub(crate) use body::is_allowed_trailer;
pub use body::{BodyDecoder, BodyFailure, Step};
pub(crate) use conform::{conform_request, conform_response};
pub use encode::{
    Framing, Persistence, encode_chunk_end, encode_chunk_start, encode_request, encode_response,
    encode_response_head, encode_trailers,
};
pub use refusal::Refusal;
pub use request::{Connection, Parsed, RequestFraming, parse_request};
pub use response::{ResponseFailure, ResponseFraming, ResponseMeta, parse_response};

/// Rules about fields and authorities that HTTP/2 shares.
pub(crate) mod request_rules {
    pub(crate) use super::request::{decimal, is_authority, is_hop_by_hop};
}
