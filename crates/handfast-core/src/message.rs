//! HTTP message heads as the whole data plane sees them: the wire codecs fill them, roles and policies
//! read and edit them, and the codec of the next hop writes them out. They assume neither HTTP/1.1 nor
//! HTTP/2, and own no body.
//!
//! Bytes are kept as received. Field values are octets (RFC 9110 §5.5), so they are `[u8]`, not `str`.

mod fields;
mod head;

pub use fields::{Fields, InvalidField, is_field_value, is_token};
pub use head::{Method, RequestHead, ResponseHead, Scheme, Target, Version, standard_reason};
