//! Metrics that policies emit, and tokens of language models: whole answers and streams, over the wire.

use crate::world::{HOST, World, request};
use handfast_net::Hop;
use handfast_testkit::{RawResponse, ScriptedUpstream};
use serde_json::json;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

const USAGE: &str = r#"{"choices":[],"usage":{"prompt_tokens":6,"completion_tokens":5,"total_tokens":11}}"#;
const STREAM: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"Hello \"}}]}\n\ndata: {\"choices\":[{\"delta\":{\"content\":\"there\"}}]}\n\ndata: [DONE]\n\n";

/// An open API `a` in front of a model: `POST /whole` tells its usage, `POST /stream` streams in small pieces.
fn world(policies: &str) -> (World, ScriptedUpstream) {
    let answers = AtomicUsize::new(0);
    let model = ScriptedUpstream::start(move |_, mut peer| {
        loop {
            let head = peer.read_head();
            let head = head.to_ascii_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            let Some(length) = length.and_then(|text| text.parse().ok()) else { return };
            if peer.read_bytes(length).is_none() {
                return;
            }
            let whole = match head.split(' ').nth(1) {
                Some("/whole") => Some(USAGE),
                // The services beside the model, which want the backend's key.
                Some(_) if !head.contains("\r\napi-key: k\r\n") => None,
                Some("/emb?api-version=2024-06-01") => Some("{\"data\":[{\"embedding\":[0.6,0.8]}]}"),
                Some("/cs/contentsafety/text:analyze?api-version=2024-09-01") => {
                    Some("{\"categoriesAnalysis\":[{\"category\":\"Hate\",\"severity\":2}]}")
                }
                _ => None,
            };
            if let Some(whole) = whole {
                let (length, number) = (whole.len(), answers.fetch_add(1, Ordering::Relaxed));
                peer.write(format!(
                    "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nX-Number: {number}\r\n\r\n{whole}"
                ));
                continue;
            }
            peer.write(
                "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n",
            );
            for piece in STREAM.as_bytes().chunks(10) {
                peer.write(format!("{:x}\r\n{}\r\n", piece.len(), String::from_utf8_lossy(piece)));
            }
            peer.write("0\r\n\r\n");
        }
    });
    let mut world = World::new(Hop::Wire);
    let url = format!("http://{}", model.address());
    let properties = json!({ "serviceUrl": url, "subscriptionRequired": false });
    world.api("a", properties, &["POST /whole", "POST /stream"]);
    for (name, path) in [("embeddings", "emb"), ("safety", "cs/")] {
        let key = json!({ "header": { "api-key": ["k"] } });
        let url = format!("{url}/{path}");
        let properties = json!({ "url": url, "protocol": "http", "credentials": key });
        world.put(&format!("backends/{name}"), json!({ "properties": properties }));
    }
    let text = format!(
        "<policies><inbound><base />{policies}</inbound><backend><base /></backend><outbound><llm-semantic-cache-store duration=\"60\" /></outbound></policies>"
    );
    world.policy("apis/a", &text);
    world.serve();
    (world, model)
}

fn post(world: &World, path: &str) -> RawResponse {
    let body = r#"{"messages":[{"role":"user","content":"1234567890123456"}]}"#;
    let mut client = world.client(None);
    client.send(request("POST", path, &[&format!("Content-Length: {}", body.len())]));
    client.send(body);
    client.response()
}

#[test]
fn emitted_metrics_stand_in_the_exposition() {
    let (world, _model) = world(
        "<emit-metric name=\"Chats\" namespace=\"own\" value=\"2\"><dimension name=\"API ID\" /><dimension name=\"Host\" value=\"@(context.Request.OriginalUrl.Host)\" /></emit-metric>\
         <llm-emit-token-metric namespace=\"llm\"><dimension name=\"API ID\" /></llm-emit-token-metric>",
    );
    assert_eq!(post(&world, "/a/whole").text(), USAGE);
    assert_eq!(post(&world, "/a/stream").text(), STREAM);
    assert_eq!(post(&world, "/a/whole").status(), 200);
    let text = world.engine.metrics.prometheus();
    for line in [
        format!("handfast_custom_chats_sum{{api_id=\"a\",host=\"{HOST}\",namespace=\"own\"}} 6\n"),
        format!("handfast_custom_chats_count{{api_id=\"a\",host=\"{HOST}\",namespace=\"own\"}} 3\n"),
        // Twice 11 as the model says, and once 5 and 3 by estimate.
        "handfast_custom_total_tokens_sum{api_id=\"a\",namespace=\"llm\"} 30\n".to_owned(),
        "handfast_custom_prompt_tokens_sum{api_id=\"a\",namespace=\"llm\"} 17\n".to_owned(),
        "handfast_custom_completion_tokens_sum{api_id=\"a\",namespace=\"llm\"} 13\n".to_owned(),
    ] {
        assert!(text.contains(&line), "{line}{text}");
    }
}

#[test]
fn whole_and_streamed_answers_count_for_a_limit_that_slides_and_a_quota() {
    let (world, _model) = world(
        "<azure-openai-token-limit counter-key=\"k\" tokens-per-minute=\"18\" token-quota=\"40\" token-quota-period=\"Yearly\" estimate-prompt-tokens=\"false\" tokens-consumed-header-name=\"x-consumed\" />",
    );
    let whole = post(&world, "/a/whole");
    assert_eq!((whole.status(), whole.field("x-consumed")), (200, Some("11")));
    let stream = post(&world, "/a/stream");
    assert_eq!((stream.status(), stream.text().as_str(), stream.field("x-consumed")), (200, STREAM, None));
    // 11 and 8 are over 18.
    let refused = post(&world, "/a/whole");
    assert_eq!((refused.status(), refused.field("retry-after")), (429, Some("60")));
    world.engine.clock.advance(Duration::from_secs(60));
    assert_eq!(post(&world, "/a/whole").status(), 200);
    assert_eq!(post(&world, "/a/whole").status(), 200);
    // 41 of 40.
    world.engine.clock.advance(Duration::from_secs(60));
    let refused = post(&world, "/a/whole");
    assert_eq!(refused.status(), 403);
    assert!(refused.text().contains("Token quota is exceeded. Try again in "), "{}", refused.text());
}

#[test]
fn a_prompt_that_was_answered_is_not_asked_again() {
    let (world, _model) =
        world("<llm-semantic-cache-lookup score-threshold=\"0.05\" embeddings-backend-id=\"embeddings\" />");
    let number = |world: &World| post(world, "/a/whole").field("x-number").map(str::to_owned);
    let first = number(&world);
    assert!(first.is_some());
    assert_eq!(number(&world), first, "the model was not asked again");
    world.engine.clock.advance(Duration::from_secs(61));
    assert_ne!(number(&world), first, "and is when the answer's time is over");
}

#[test]
fn a_prompt_is_judged_by_a_backend_with_its_own_key() {
    for (threshold, status) in [(2, 403), (3, 200)] {
        let (world, _model) = world(&format!(
            "<llm-content-safety backend-id=\"safety\"><categories><category name=\"Hate\" threshold=\"{threshold}\" /></categories></llm-content-safety>"
        ));
        assert_eq!(post(&world, "/a/whole").status(), status, "threshold {threshold}");
    }
}
