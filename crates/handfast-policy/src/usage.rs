//! Tokens of language models: what a request will use by estimate, what an answer says that it used, and what
//! follows from it (specification 5.1, "llm-token-limit").
//!
//! Sources: the `usage` of chat, completion and embedding answers (`prompt_tokens`, `completion_tokens`) and of
//! responses and messages (`input_tokens`, `output_tokens`). An estimate takes four characters for a token; it is not the
//! model's own count (unverified how near the real service comes).

mod stream;

use crate::context::Body;
use crate::machine::io::{
    BodyForm, CountRequest, MetricSample, Output, QuotaPeriod, QuotaUsage, Settlement, Side,
};
use crate::machine::step::{At, Halt};
use crate::prompt::{self, BODY_BYTES_MAX};
use serde_json::Value;
pub use stream::TokenStream;

/// Characters of a token.
const TOKEN_CHARS: usize = 4;
/// Tokens of an image.
const IMAGE_TOKENS: usize = 1_200;
/// Levels of a prompt that are looked at.
const DEPTH_MAX: usize = 16;

/// Tokens of one exchange.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TokenUsage {
    /// Of the prompt.
    pub prompt: u32,
    /// Of the answer.
    pub completion: u32,
}

impl TokenUsage {
    /// Both.
    pub fn total(self) -> u32 {
        self.prompt.saturating_add(self.completion)
    }

    /// The `usage` of an answer or of an event, wherever the API puts it.
    fn of(document: &Value) -> Option<Self> {
        let places = ["/usage", "/response/usage", "/message/usage"];
        let usage = places.iter().find_map(|place| document.pointer(place).filter(|one| one.is_object()))?;
        let number = |names: [&str; 2]| {
            let value = names.iter().find_map(|name| usage.get(name)?.as_u64());
            value.map(|number| u32::try_from(number).unwrap_or(u32::MAX))
        };
        let prompt = number(["prompt_tokens", "input_tokens"]);
        let completion = number(["completion_tokens", "output_tokens"]);
        (prompt.is_some() || completion.is_some())
            .then(|| Self { prompt: prompt.unwrap_or_default(), completion: completion.unwrap_or_default() })
    }
}

fn of_chars(chars: usize) -> u32 {
    u32::try_from(chars.div_ceil(TOKEN_CHARS)).unwrap_or(u32::MAX)
}

/// The tokens of a prompt by estimate, for the policy that runs: once per request.
pub(crate) fn prompt_estimate(at: &mut At<'_>) -> Result<u32, Halt> {
    if let Some(known) = at.context.prompt_estimate {
        return Ok(known);
    }
    let tokens = prompt::of_body(at, Side::Request, estimate)?;
    at.context.prompt_estimate = Some(tokens);
    Ok(tokens)
}

fn estimate(body: &[u8]) -> u32 {
    let Ok(document) = serde_json::from_slice::<Value>(body) else { return 0 };
    let parts = ["messages", "prompt", "input", "system", "instructions", "tools"];
    let (mut chars, mut images) = (0, 0);
    for part in parts.iter().filter_map(|name| document.get(name)) {
        weigh(part, DEPTH_MAX, &mut chars, &mut images);
    }
    of_chars(chars).saturating_add(u32::try_from(images * IMAGE_TOKENS).unwrap_or(u32::MAX))
}

/// Characters of the texts in a part of a prompt, and its images.
fn weigh(part: &Value, depth: usize, chars: &mut usize, images: &mut usize) {
    let is_image = part.get("image_url").is_some()
        || part.get("type").and_then(Value::as_str).is_some_and(|kind| kind.contains("image"));
    match part {
        _ if is_image => *images += 1,
        _ if depth == 0 => {}
        Value::String(text) => *chars += text.chars().count(),
        Value::Array(items) => items.iter().for_each(|item| weigh(item, depth - 1, chars, images)),
        Value::Object(members) => members.values().for_each(|item| weigh(item, depth - 1, chars, images)),
        _ => {}
    }
}

/// What follows from the tokens of an answer.
#[derive(Clone, Debug)]
pub enum TokenUse {
    /// They count for a limit per minute and a quota.
    Limit {
        /// The counter of the minute; its amount is filled in.
        minute: Option<CountRequest>,
        /// The quota.
        quota: Option<QuotaPeriod>,
        /// What the minute's counter has of this request already.
        reserved: u32,
    },
    /// They are metrics.
    Metrics {
        /// Of the metrics.
        namespace: String,
        /// Of each of them.
        dimensions: Vec<(String, String)>,
    },
}

impl TokenUse {
    /// What the host has to do.
    pub fn settlements(self, usage: TokenUsage) -> Vec<Settlement> {
        match self {
            Self::Limit { minute, quota, reserved } => {
                let amount = usage.total().saturating_sub(reserved);
                let minute = minute.filter(|_| amount > 0);
                let minute = minute.map(|count| Settlement::Count(CountRequest { amount, ..count }));
                let used = QuotaUsage { calls: usage.total().into(), bytes: 0 };
                minute.into_iter().chain(quota.map(|period| Settlement::Quota(period, used))).collect()
            }
            Self::Metrics { namespace, dimensions } => {
                let values = [
                    ("Total Tokens", usage.total()),
                    ("Prompt Tokens", usage.prompt),
                    ("Completion Tokens", usage.completion),
                ];
                let emit = |(name, value): (&str, u32)| {
                    Settlement::Emit(MetricSample {
                        namespace: namespace.clone(),
                        name: name.to_owned(),
                        value: value.into(),
                        dimensions: dimensions.clone(),
                    })
                };
                values.into_iter().map(emit).collect()
            }
        }
    }
}

/// A streamed answer's part: the host shows it to a [`TokenStream`] as it goes by, untouched, and settles at its end.
#[derive(Clone, Debug)]
pub struct StreamWork {
    /// The prompt's tokens by estimate.
    pub prompt: u32,
    /// What follows.
    pub work: TokenUse,
}

/// For a policy that is asked when the response is final: what the host has to do about the answer's tokens.
/// `known` hears of them unless the answer is a stream.
pub(crate) fn settle(
    at: &mut At<'_>,
    work: TokenUse,
    known: impl FnOnce(&mut At<'_>, TokenUsage),
) -> Result<Option<Output>, Halt> {
    let Some(response) = at.context.response.as_ref().filter(|one| one.head.status < 400) else {
        return Ok(None);
    };
    let streamed = prompt::is_stream(Some(response));
    let usage = match (&response.body, &at.context.response_bytes) {
        (Body::Keep, _) if streamed => {
            let prompt = at.context.prompt_estimate.unwrap_or_default();
            return Ok(Some(Output::Meter(Box::new(StreamWork { prompt, work }))));
        }
        (Body::Replace(bytes), _) => of_bytes(bytes),
        (Body::Keep, Some(bytes)) => of_bytes(bytes),
        (Body::Keep, None) => {
            // Counting needs the text, so a coded answer goes on without its coding.
            let coded = response.head.fields.contains(b"Content-Encoding");
            let form = if coded { BodyForm::Decoded } else { BodyForm::AsReceived };
            let (side, bytes_max) = (Side::Response, BODY_BYTES_MAX);
            return Err(Halt::Wait(Output::ReadBody { side, bytes_max, form }));
        }
    };
    let Some(usage) = usage else { return Ok(None) };
    known(at, usage);
    Ok(Some(Output::Settle(work.settlements(usage))))
}

fn of_bytes(bytes: &[u8]) -> Option<TokenUsage> {
    TokenUsage::of(&serde_json::from_slice(bytes).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prompts_are_estimated_by_their_texts_and_images() {
        let of = |text: &str| estimate(text.as_bytes());
        assert_eq!(of(r#"{"messages":[{"role":"user","content":"12345678"}]}"#), 3);
        assert_eq!(of(r#"{"prompt":["1234","5678"],"model":"not counted"}"#), 2);
        assert_eq!(of(r#"{"messages":[{"content":[{"type":"image_url","image_url":{"url":"x"}}]}]}"#), 1200);
        assert_eq!(of("no json"), 0);
    }

    #[test]
    fn usage_is_read_in_every_shape() {
        for (text, prompt, completion) in [
            (r#"{"usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7}}"#, 3, 4),
            (r#"{"usage":{"prompt_tokens":3,"total_tokens":3}}"#, 3, 0),
            (r#"{"usage":{"input_tokens":5,"output_tokens":6}}"#, 5, 6),
            (
                r#"{"type":"response.completed","response":{"usage":{"input_tokens":5,"output_tokens":6}}}"#,
                5,
                6,
            ),
        ] {
            assert_eq!(of_bytes(text.as_bytes()), Some(TokenUsage { prompt, completion }), "{text}");
        }
        assert_eq!(of_bytes(br#"{"usage":null}"#), None);
        assert_eq!(of_bytes(b"text"), None);
    }
}
