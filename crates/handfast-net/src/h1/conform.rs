//! What a hop between two HTTP/1.1 peers does to a head, without writing and reading it: the checks and
//! changes of [`super::encode_request`] and [`super::parse_request`], and of their response counterparts, in
//! one pass. A test compares the two.

use super::request::{is_authority, is_hop_by_hop};
use super::{Refusal, ResponseFailure};
use crate::Limits;
use handfast_core::message::{Fields, Method, RequestHead, ResponseHead};

/// A request head as the server would read it; whether it still asks for an upgrade.
pub(crate) fn conform_request(
    head: &mut RequestHead,
    length: Option<u64>,
    upgrade: bool,
    limits: &Limits,
) -> Result<bool, Refusal> {
    let hosts = head.fields.get_all(b"host").count();
    let is_valid = |host: &[u8]| std::str::from_utf8(host).is_ok_and(is_authority);
    let valid = head.fields.get_all(b"host").all(is_valid);
    let upgrade = upgrade && head.fields.contains(b"upgrade");
    strip(&mut head.fields, upgrade, false);
    match length {
        Some(0) if matches!(head.method, Method::Post | Method::Put | Method::Patch) => {
            let _ = head.fields.append(b"content-length", b"0");
        }
        Some(length) if length > 0 => append_length(&mut head.fields, length),
        Some(_) | None => {}
    }
    let line = head.method.as_str().len() + head.target.as_str().len() + " HTTP/1.1\r\n".len() + 1;
    let framing = match (length, upgrade) {
        (None, true) => "transfer-encoding: chunked\r\nconnection: upgrade\r\n".len(),
        (None, false) => "transfer-encoding: chunked\r\n".len(),
        (Some(_), true) => "connection: upgrade\r\n".len(),
        (Some(_), false) => 0,
    };
    let lines = head.fields.len() + usize::from(length.is_none()) + usize::from(upgrade);
    if line + encoded_bytes(&head.fields) + framing > limits.head_bytes_max {
        let long = line > limits.target_bytes_max;
        return Err(if long { Refusal::TargetTooLong } else { Refusal::HeadTooLarge });
    }
    if head.target.as_str().len() > limits.target_bytes_max {
        return Err(Refusal::TargetTooLong);
    }
    if lines > limits.fields_max {
        return Err(Refusal::HeadTooLarge);
    }
    if !valid {
        return Err(Refusal::Host);
    }
    head.authority.clear();
    head.authority.push_str(head.fields.get_str("host").unwrap_or_default());
    let target = head.target.as_str();
    if !target.bytes().all(|b| (0x21..=0x7e).contains(&b) && b != b'#') {
        return Err(Refusal::Target);
    }
    if matches!(head.method, Method::Connect | Method::Trace) {
        return Err(Refusal::Method);
    }
    if hosts != 1 {
        return Err(Refusal::Host);
    }
    match target.starts_with('/') || (target == "*" && head.method == Method::Options) {
        true => Ok(upgrade),
        false => Err(Refusal::Target),
    }
}

/// A response head as the client would read it.
pub(crate) fn conform_response(
    head: &mut ResponseHead,
    length: Option<u64>,
    is_head: bool,
    limits: &Limits,
) -> Result<(), ResponseFailure> {
    if !(100..=999).contains(&head.status) {
        return Err(ResponseFailure::Malformed);
    }
    let bodiless = head.status < 200 || head.status == 204;
    let declared = head.fields.contains(b"content-length");
    let keeps_length = head.status == 304 || (is_head && declared && !bodiless);
    strip(&mut head.fields, head.status == 101, keeps_length);
    let framing = match length {
        _ if bodiless || keeps_length => 0,
        Some(0) | None if is_head => 0,
        Some(length) => {
            append_length(&mut head.fields, length);
            0
        }
        None => "transfer-encoding: chunked\r\n".len(),
    };
    let line = "HTTP/1.1 200 \r\n\r\n".len() + head.reason.len();
    let lines = head.fields.len() + usize::from(framing > 0);
    if line + encoded_bytes(&head.fields) + framing > limits.head_bytes_max || lines > limits.fields_max {
        return Err(ResponseFailure::TooLarge);
    }
    Ok(())
}

fn encoded_bytes(fields: &Fields) -> usize {
    fields.iter().map(|(name, value)| name.len() + value.len() + ": \r\n".len()).sum::<usize>() + 2
}

fn append_length(fields: &mut Fields, length: u64) {
    // Digits are a field value.
    let _ = fields.append(b"content-length", length.to_string().as_bytes());
}

/// Removes what concerns one connection only, and the declared length, which is written anew.
fn strip(fields: &mut Fields, keep_upgrade: bool, keep_length: bool) {
    fields.retain(|name, value| match name.len() {
        2 if name.eq_ignore_ascii_case(b"te") => value.eq_ignore_ascii_case(b"trailers"),
        7 if name.eq_ignore_ascii_case(b"upgrade") => keep_upgrade,
        14 => keep_length || !name.eq_ignore_ascii_case(b"content-length"),
        _ => !is_hop_by_hop(name),
    });
}

#[cfg(test)]
mod tests;
