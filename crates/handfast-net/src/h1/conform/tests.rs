//! A fused hop and a wire hop make the same of a head.

use super::*;
use crate::h1::{Framing, Persistence, encode_request, encode_response_head, parse_request, parse_response};

fn request(method: &str, target: &str, fields: &[(&str, &str)]) -> RequestHead {
    let mut head = RequestHead { method: Method::parse(method).expect("a method"), ..RequestHead::default() };
    head.target.assign(target);
    for (name, value) in fields {
        head.fields.append(name.as_bytes(), value.as_bytes()).expect("a field");
    }
    head
}

fn lines(fields: &Fields) -> Vec<(Vec<u8>, Vec<u8>)> {
    fields.iter().map(|(name, value)| (name.to_vec(), value.to_vec())).collect()
}

#[test]
fn requests_arrive_alike() {
    let limits = Limits { head_bytes_max: 400, target_bytes_max: 200, fields_max: 8, ..Limits::default() };
    let long = "v".repeat(330);
    let path = format!("/{}", "p".repeat(250));
    let field_sets: [&[(&str, &str)]; 11] = [
        &[("Host", "a.example")],
        &[("Host", "a.example:8443"), ("Content-Length", "7"), ("A", "b")],
        &[("Host", "a.example"), ("Upgrade", "websocket")],
        &[("Host", "a.example"), ("TE", "trailers"), ("Keep-Alive", "x"), ("Trailer", "b")],
        &[("Host", "a.example"), ("TE", "gzip"), ("Proxy-Connection", "close")],
        &[("Host", "a b")],
        &[("Host", "a"), ("Host", "a")],
        &[],
        &[("Host", "a"), ("Long", &long)],
        &[("Host", "a"), ("B", "1"), ("B", "2"), ("B", "3"), ("B", "4"), ("B", "5"), ("B", "6"), ("B", "7")],
        &[("Host", "a"), ("B", "1"), ("B", "2"), ("B", "3"), ("B", "4"), ("B", "5"), ("B", "6")],
    ];
    let mut checked = 0;
    for fields in field_sets {
        for method in ["GET", "POST", "PATCH", "OPTIONS", "TRACE", "DELETE"] {
            for target in ["/", "/a?b=c", "*", "/a#b", &path] {
                for length in [Some(0), Some(5), None] {
                    for upgrade in [false, true] {
                        let mut fused = request(method, target, fields);
                        let mut out = Vec::new();
                        let framing = match length {
                            Some(0) => Framing::Absent,
                            Some(length) => Framing::Length(length),
                            None => Framing::Chunked,
                        };
                        let asks = upgrade && fused.fields.contains(b"upgrade");
                        encode_request(&fused, framing, asks, &mut out);
                        let mut wire = RequestHead::default();
                        let read = parse_request(&out, &limits, &mut wire);
                        let case = format!("{method} {target} {fields:?} {length:?} {upgrade}");
                        match (read, conform_request(&mut fused, length, upgrade, &limits)) {
                            (Ok(Some(parsed)), Ok(upgrade)) => {
                                assert_eq!(parsed.connection.upgrade, upgrade, "{case}");
                                assert_eq!(lines(&wire.fields), lines(&fused.fields), "{case}");
                                assert_eq!(wire.authority, fused.authority, "{case}");
                                assert_eq!(wire.target.as_str(), fused.target.as_str(), "{case}");
                            }
                            (Err(wire), Err(fused)) => assert_eq!(wire.status(), fused.status(), "{case}"),
                            (wire, fused) => panic!("{case}: wire {wire:?}, fused {fused:?}"),
                        }
                        checked += 1;
                    }
                }
            }
        }
    }
    assert_eq!(checked, 11 * 6 * 5 * 3 * 2);
}

#[test]
fn responses_arrive_alike() {
    let limits = Limits { head_bytes_max: 300, fields_max: 6, ..Limits::default() };
    let long = "v".repeat(280);
    let field_sets: [&[(&str, &str)]; 6] = [
        &[],
        &[("Content-Length", "7"), ("A", "b")],
        &[("Upgrade", "websocket"), ("Keep-Alive", "x"), ("A", "b")],
        &[("Long", &long)],
        &[("B", "1"), ("B", "2"), ("B", "3"), ("B", "4"), ("B", "5"), ("B", "6"), ("B", "7")],
        &[("B", "1"), ("B", "2"), ("B", "3"), ("B", "4"), ("B", "5")],
    ];
    for fields in field_sets {
        for status in [101, 200, 204, 304, 404, 503] {
            for length in [Some(0), Some(5), None] {
                for is_head in [false, true] {
                    let mut fused = ResponseHead::new(status);
                    for (name, value) in fields {
                        fused.fields.append(name.as_bytes(), value.as_bytes()).expect("a field");
                    }
                    let declared = fused.fields.contains(b"content-length");
                    let framing = match length {
                        _ if status < 200 || status == 204 => Framing::Absent,
                        _ if status == 304 || (is_head && declared) => Framing::Declared,
                        Some(0) | None if is_head => Framing::Absent,
                        Some(length) => Framing::Length(length),
                        None => Framing::Chunked,
                    };
                    let mut out = Vec::new();
                    encode_response_head(&fused, framing, Persistence::KeepAlive, &mut out);
                    let mut wire = ResponseHead::default();
                    let method = if is_head { Method::Head } else { Method::Get };
                    let case = format!("{status} {fields:?} {length:?} {is_head}");
                    match (
                        parse_response(&out, &limits, &method, &mut wire),
                        conform_response(&mut fused, length, is_head, &limits),
                    ) {
                        (Ok(Some(_)), Ok(())) => {
                            assert_eq!(lines(&wire.fields), lines(&fused.fields), "{case}");
                            assert_eq!((wire.status, wire.reason), (fused.status, fused.reason), "{case}");
                        }
                        (Err(wire), Err(fused)) => assert_eq!(wire, fused, "{case}"),
                        (wire, fused) => panic!("{case}: wire {wire:?}, fused {fused:?}"),
                    }
                }
            }
        }
    }
}
