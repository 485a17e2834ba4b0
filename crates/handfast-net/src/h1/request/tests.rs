use super::*;

fn parse(text: &str) -> Result<Option<(Parsed, RequestHead)>, Refusal> {
    let mut head = RequestHead::default();
    Ok(parse_request(text.as_bytes(), &Limits::default(), &mut head)?.map(|parsed| (parsed, head)))
}

fn refused(text: &str) -> Refusal {
    match parse(text) {
        Err(refusal) => refusal,
        other => panic!("not refused: {text:?}: {other:?}"),
    }
}

fn accepted(text: &str) -> (Parsed, RequestHead) {
    parse(text).unwrap_or_else(|e| panic!("refused as {e:?}: {text:?}")).expect("complete")
}

#[test]
fn a_plain_request_is_read() {
    let text = "GET /a?b=c HTTP/1.1\r\nHost: x.test:81\r\nAccept: */*\r\n\r\nleft";
    let (parsed, head) = accepted(text);
    assert_eq!(parsed.consumed, text.len() - 4);
    assert_eq!(parsed.framing, RequestFraming::None);
    assert_eq!(parsed.connection, Connection::default());
    assert_eq!((head.host(), head.port(), head.target.as_str()), ("x.test", Some(81), "/a?b=c"));
    assert_eq!(head.fields.get(b"accept"), Some(&b"*/*"[..]));
}

#[test]
fn framing_that_two_parsers_could_read_differently_is_refused() {
    let with = |lines: &str| format!("POST / HTTP/1.1\r\nHost: a\r\n{lines}\r\n\r\n");
    for lines in [
        "Transfer-Encoding: chunked\r\nContent-Length: 5",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding: chunked,",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: identity",
    ] {
        assert_eq!(refused(&with(lines)), Refusal::Framing, "{lines}");
    }
    for lines in [
        "Content-Length: +5",
        "Content-Length: -5",
        "Content-Length: 5, 5",
        "Content-Length: 5\r\nContent-Length: 5",
        "Content-Length: 5\r\nContent-Length: 6",
        "Content-Length: 0x5",
        "Content-Length: 9223372036854775808",
        "Content-Length: ",
    ] {
        assert_eq!(refused(&with(lines)), Refusal::ContentLength, "{lines}");
    }
    for lines in
        ["Transfer-Encoding : chunked", "Content-Length: 5\u{b}", " folded: x", "A: b\r\n c", "A", ": v"]
    {
        assert_eq!(refused(&with(lines)), Refusal::Malformed, "{lines:?}");
    }
    assert_eq!(refused("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"), Refusal::Framing);
}

#[test]
fn transfer_encoding_is_written_in_the_plain_way_or_refused() {
    for plain in ["Transfer-Encoding: CHUNKED", "Transfer-Encoding:chunked"] {
        let (parsed, _) = accepted(&format!("POST / HTTP/1.1\r\nHost: a\r\n{plain}\r\n\r\n"));
        assert_eq!(parsed.framing, RequestFraming::Chunked);
    }
    for hidden in [":\tchunked", ":  chunked", ": chunked ", ": chunked\t"] {
        let text = format!("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding{hidden}\r\n\r\n");
        assert_eq!(refused(&text), Refusal::Framing, "{hidden:?}");
    }
    let (parsed, _) = accepted("POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\t007 \r\n\r\n");
    assert_eq!(parsed.framing, RequestFraming::Length(7));
}

#[test]
fn a_host_that_is_only_in_the_target_becomes_a_field() {
    let (_, head) = accepted("GET http://a.example/x HTTP/1.0\r\n\r\n");
    assert_eq!((head.fields.get_str("host"), head.target.as_str()), (Some("a.example"), "/x"));
}

#[test]
fn host_is_demanded_once_and_agrees_with_an_absolute_target() {
    assert_eq!(refused("GET / HTTP/1.1\r\n\r\n"), Refusal::Host);
    assert_eq!(refused("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"), Refusal::Host);
    assert_eq!(refused("GET / HTTP/1.1\r\nHost: a:1:2\r\n\r\n"), Refusal::Host);
    assert_eq!(refused("GET / HTTP/1.1\r\nHost: a b\r\n\r\n"), Refusal::Host);
    assert_eq!(refused("GET / HTTP/1.1\r\nHost: a@b\r\n\r\n"), Refusal::Host);
    assert_eq!(refused("GET / HTTP/1.1\r\nHost: \r\n\r\n"), Refusal::Host);
    assert_eq!(refused("GET http://a/ HTTP/1.1\r\nHost: b\r\n\r\n"), Refusal::Host);
    let (_, head) = accepted("GET http://A.test?x HTTP/1.1\r\nHost: a.test\r\n\r\n");
    assert_eq!((head.host(), head.target.as_str()), ("A.test", "/?x"));
    let (_, head) = accepted("GET / HTTP/1.0\r\n\r\n");
    assert_eq!(head.host(), "");
    accepted("GET / HTTP/1.1\r\nHost: [::1]:8443\r\n\r\n");
}

#[test]
fn targets_and_methods_are_checked() {
    assert_eq!(refused("GET a HTTP/1.1\r\nHost: a\r\n\r\n"), Refusal::Target);
    assert_eq!(refused("GET * HTTP/1.1\r\nHost: a\r\n\r\n"), Refusal::Target);
    assert_eq!(refused("GET /#f HTTP/1.1\r\nHost: a\r\n\r\n"), Refusal::Target);
    assert_eq!(refused("CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n"), Refusal::Method);
    assert_eq!(refused("TRACE / HTTP/1.1\r\nHost: a\r\n\r\n"), Refusal::Method);
    assert_eq!(refused("GET  / HTTP/1.1\r\nHost: a\r\n\r\n"), Refusal::Malformed);
    assert_eq!(refused("GET /\r\nHost: a\r\n\r\n"), Refusal::Malformed);
    assert_eq!(refused("GET / HTTP/3.0\r\nHost: a\r\n\r\n"), Refusal::Version);
    assert!(parse("GET /\u{e9} HTTP/1.1\r\nHost: a\r\n\r\n").is_err());
    accepted("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n");
}

#[test]
fn hop_by_hop_fields_are_removed_and_protected_ones_cannot_be_named() {
    let (parsed, head) = accepted(
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: 5\r\nTE: gzip\r\nUpgrade: h2c\r\nX: 2\r\n\r\n",
    );
    assert!(parsed.connection.close && !parsed.connection.upgrade);
    let names: Vec<_> = head.fields.iter().map(|(n, _)| String::from_utf8_lossy(n).into_owned()).collect();
    assert_eq!(names, ["Host", "X"]);
    for name in ["Host", "X-Forwarded-For", "Authorization", "cookie", "X-Original-URL"] {
        let text = format!("GET / HTTP/1.1\r\nHost: a\r\nConnection: {name}\r\n\r\n");
        assert_eq!(refused(&text), Refusal::ConnectionOptions, "{name}");
    }
    let (parsed, head) = accepted(
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nTE: trailers\r\n\r\n",
    );
    assert!(parsed.connection.upgrade);
    assert!(
        head.fields.contains(b"upgrade")
            && head.fields.contains(b"te")
            && !head.fields.contains(b"connection")
    );
}

#[test]
fn limits_hold_at_the_limit() {
    let limits = Limits::default();
    let fields = |count: usize| {
        let lines: String = (1..count).map(|n| format!("X{n}: 1\r\n")).collect();
        format!("GET / HTTP/1.1\r\nHost: a\r\n{lines}\r\n")
    };
    accepted(&fields(limits.fields_max));
    assert_eq!(refused(&fields(limits.fields_max + 1)), Refusal::HeadTooLarge);
    let cookie = format!("GET / HTTP/1.1\r\nHost: a\r\nCookie: {}\r\n\r\n", "c".repeat(33 * 1024));
    assert_eq!(refused(&cookie), Refusal::HeadTooLarge);
    assert_eq!(refused(&cookie[..33 * 1024]), Refusal::HeadTooLarge);
    let url = format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "u".repeat(33 * 1024));
    assert_eq!(refused(&url), Refusal::TargetTooLong);
}
