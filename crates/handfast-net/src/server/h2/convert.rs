//! HTTP/2 heads to and from the request context (RFC 9113 §8.3). What the `h2` crate does not reject but a
//! gateway must, so that an HTTP/1.1 hop cannot be confused, is rejected here.

use crate::h1::Refusal;
use crate::h1::request_rules::{is_authority, is_hop_by_hop};
use crate::limits::Limits;
use handfast_core::message::{Method, RequestHead, ResponseHead, Scheme, Version, is_field_value};
use http::HeaderValue;
use http::header::HeaderName;

/// A request that is not handed to a role.
pub(super) enum Rejected {
    /// Stream error PROTOCOL_ERROR (RFC 9113 §8.1.1).
    Malformed,
    /// Answered with a status.
    Refused(Refusal),
}

pub(super) fn read_head<B>(request: &http::Request<B>, limits: &Limits) -> Result<RequestHead, Rejected> {
    let uri = request.uri();
    let method = Method::parse(request.method().as_str()).ok_or(Rejected::Malformed)?;
    if matches!(method, Method::Connect | Method::Trace) {
        return Err(Rejected::Refused(Refusal::Method));
    }
    let target = uri.path_and_query().map(|target| target.as_str()).ok_or(Rejected::Malformed)?;
    if !(target.starts_with('/') || (target == "*" && method == Method::Options)) {
        return Err(Rejected::Malformed);
    }
    if target.len() > limits.target_bytes_max {
        return Err(Rejected::Refused(Refusal::TargetTooLong));
    }
    if !target.bytes().all(|b| (0x21..=0x7e).contains(&b) && b != b'#') {
        return Err(Rejected::Refused(Refusal::Target));
    }
    let mut head =
        RequestHead { method, version: Version::Http2, scheme: Scheme::Https, ..RequestHead::default() };
    head.target.assign(target);
    read_authority(request, &mut head)?;
    read_fields(request, limits, &mut head)?;
    Ok(head)
}

/// `:authority` and `Host` must agree when both are there; one of them must be.
fn read_authority<B>(request: &http::Request<B>, head: &mut RequestHead) -> Result<(), Rejected> {
    let mut hosts = request.headers().get_all(http::header::HOST).iter();
    let host = hosts.next().map(|host| host.to_str().map_err(|_| Rejected::Malformed)).transpose()?;
    if hosts.next().is_some() {
        return Err(Rejected::Malformed);
    }
    let authority = request.uri().authority().map(|authority| authority.as_str());
    let chosen = match (authority, host) {
        (Some(authority), Some(host)) if !authority.eq_ignore_ascii_case(host) => {
            return Err(Rejected::Malformed);
        }
        (Some(authority), _) => authority,
        (None, Some(host)) => host,
        (None, None) => return Err(Rejected::Refused(Refusal::Host)),
    };
    if !is_authority(chosen) {
        return Err(Rejected::Refused(Refusal::Host));
    }
    head.authority.push_str(chosen);
    // Roles and the HTTP/1.1 side find the authority in Host, whatever version it came with.
    head.fields.append(b"Host", chosen.as_bytes()).map_err(|_| Rejected::Malformed)
}

fn read_fields<B>(
    request: &http::Request<B>,
    limits: &Limits,
    head: &mut RequestHead,
) -> Result<(), Rejected> {
    if request.headers().len() > limits.fields_max {
        return Err(Rejected::Refused(Refusal::HeadTooLarge));
    }
    let mut cookie = Vec::new();
    for (name, value) in request.headers() {
        let (name, value) = (name.as_str().as_bytes(), value.as_bytes());
        if name == b"host" || name == b"expect" {
            continue;
        }
        if !is_field_value(value) {
            return Err(Rejected::Malformed);
        }
        if name == b"te" && value.eq_ignore_ascii_case(b"trailers") {
            head.fields.append(name, value).map_err(|_| Rejected::Malformed)?;
            continue;
        }
        if is_hop_by_hop(name) {
            return Err(Rejected::Malformed);
        }
        if name == b"cookie" {
            // RFC 9113 §8.2.3: the pieces are one field on any other hop.
            if !cookie.is_empty() {
                cookie.extend_from_slice(b"; ");
            }
            cookie.extend_from_slice(value);
            continue;
        }
        head.fields.append(name, value).map_err(|_| Rejected::Malformed)?;
    }
    if !cookie.is_empty() {
        head.fields.append(b"cookie", &cookie).map_err(|_| Rejected::Malformed)?;
    }
    Ok(())
}

/// The head of an answer whose body has `length` bytes, if that is known. `None` when a field cannot be
/// carried, which our own checks on fields make impossible.
pub(super) fn response_head(
    head: &ResponseHead,
    length: Option<u64>,
    is_head: bool,
) -> Option<http::Response<()>> {
    // The answer to HEAD, and 304, say how long a body would be that they do not have.
    let keeps_declared = is_head || head.status == 304;
    let mut response = http::Response::new(());
    *response.status_mut() = http::StatusCode::from_u16(head.status).ok()?;
    let fields = response.headers_mut();
    for (name, value) in head.fields.iter() {
        if is_hop_by_hop(name) || (!keeps_declared && name.eq_ignore_ascii_case(b"content-length")) {
            continue;
        }
        fields.append(HeaderName::from_bytes(name).ok()?, HeaderValue::from_bytes(value).ok()?);
    }
    if let Some(length) = length.filter(|_| !keeps_declared && head.status != 204) {
        fields.insert(http::header::CONTENT_LENGTH, HeaderValue::from(length));
    }
    Some(response)
}
