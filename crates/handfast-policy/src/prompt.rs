//! Prompts and answers of language models as texts: what is asked, without the words around it.
//!
//! Sources: the chat (`messages`, `choices[].message`), completion (`prompt`, `choices[].text`), embedding and responses
//! (`input`, `output[].content[].text`) shapes of OpenAI-compatible endpoints, and `content` of Anthropic's.

use crate::context::{Body, Response};
use crate::machine::io::{BodyForm, Output, Side};
use crate::machine::step::{At, Halt};
use serde_json::Value;

/// The largest message that is read for its texts; prompts may hold images.
pub(crate) const BODY_BYTES_MAX: usize = 16 << 20;
/// Levels of a message that are looked at.
const DEPTH_MAX: usize = 16;

/// A message of a dialogue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Turn {
    /// `system`, `user`, `assistant` and others; empty when nobody is named.
    pub(crate) role: String,
    /// All texts of it, one per line.
    pub(crate) text: String,
}

/// What a function makes of a whole body as it came, of an empty one when there is none; the machine reads it when it
/// is not at hand. The message stays as it is.
pub(crate) fn of_body<T>(at: &At<'_>, side: Side, make: impl FnOnce(&[u8]) -> T) -> Result<T, Halt> {
    let context = &at.context;
    let (body, kept) = match side {
        Side::Request => (Some(&context.request_body), &context.request_bytes),
        Side::Response => (context.response.as_ref().map(|one| &one.body), &context.response_bytes),
    };
    let nothing = side == Side::Request && !context.request_has_body;
    match (body, kept) {
        (Some(Body::Replace(bytes)), _) => Ok(make(bytes)),
        (Some(Body::Keep), Some(bytes)) => Ok(make(bytes)),
        (Some(Body::Keep), None) if !nothing => {
            Err(Halt::Wait(Output::ReadBody { side, bytes_max: BODY_BYTES_MAX, form: BodyForm::AsReceived }))
        }
        _ => Ok(make(&[])),
    }
}

/// Whether a response is a stream of events.
pub(crate) fn is_stream(response: Option<&Response>) -> bool {
    let kind = response.and_then(|response| response.head.fields.get_str("content-type"));
    kind.is_some_and(|kind| kind.trim_start().to_ascii_lowercase().starts_with("text/event-stream"))
}

/// A body as JSON; null when it is none.
pub(crate) fn json(at: &At<'_>, side: Side) -> Result<Value, Halt> {
    of_body(at, side, |bytes| serde_json::from_slice(bytes).unwrap_or_default())
}

/// The turns of a prompt, oldest first.
pub(crate) fn turns(prompt: &Value) -> Vec<Turn> {
    let plain = |name: &str, role: &str| {
        let text = all_text(prompt.get(name)?);
        (!text.is_empty()).then(|| Turn { role: role.to_owned(), text })
    };
    let mut turns: Vec<Turn> =
        [("system", "system"), ("instructions", "system")].iter().filter_map(|(n, r)| plain(n, r)).collect();
    for name in ["messages", "input"] {
        let Some(messages) = prompt.get(name).and_then(Value::as_array) else { continue };
        for message in messages.iter().filter(|message| message.is_object()) {
            let role = message.get("role").and_then(Value::as_str).unwrap_or_default().to_owned();
            let text = message.get("content").map(all_text).unwrap_or_default();
            turns.push(Turn { role, text });
        }
    }
    let is_dialogue =
        prompt.get("input").and_then(Value::as_array).is_some_and(|all| all.iter().any(Value::is_object));
    turns.extend(plain("prompt", ""));
    if !is_dialogue {
        turns.extend(plain("input", ""));
    }
    turns
}

/// The text of an answer.
pub(crate) fn answer(document: &Value) -> String {
    let mut texts = Vec::new();
    for choice in document.get("choices").and_then(Value::as_array).into_iter().flatten() {
        let said = choice.pointer("/message/content").or_else(|| choice.pointer("/delta/content"));
        texts.extend(said.or_else(|| choice.get("text")).map(all_text));
    }
    for item in document.get("output").and_then(Value::as_array).into_iter().flatten() {
        texts.extend(item.get("content").map(all_text));
    }
    texts.extend(document.get("content").map(all_text));
    texts.retain(|text| !text.is_empty());
    texts.join("\n")
}

/// All texts in a part, one per line; images and their kind are no text.
fn all_text(part: &Value) -> String {
    let mut texts = Vec::new();
    collect(part, DEPTH_MAX, &mut texts);
    texts.join("\n")
}

fn collect<'v>(part: &'v Value, depth: usize, texts: &mut Vec<&'v str>) {
    match part {
        Value::String(text) => texts.push(text),
        Value::Array(items) if depth > 0 => items.iter().for_each(|item| collect(item, depth - 1, texts)),
        Value::Object(members) if depth > 0 => {
            for name in ["text", "content"] {
                members.get(name).into_iter().for_each(|item| collect(item, depth - 1, texts));
            }
        }
        _ => {}
    }
}

/// One minus the cosine of the angle between two vectors: 0 for the same direction, 2 for opposite ones; `None` when
/// they cannot be compared.
pub fn cosine_distance(one: &[f32], other: &[f32]) -> Option<f32> {
    if one.len() != other.len() {
        return None;
    }
    let (mut product, mut squares, mut other_squares) = (0.0_f32, 0.0_f32, 0.0_f32);
    for (a, b) in one.iter().zip(other) {
        product += a * b;
        squares += a * a;
        other_squares += b * b;
    }
    let lengths = (squares * other_squares).sqrt();
    (lengths > 0.0 && lengths.is_finite()).then(|| 1.0 - product / lengths)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn said(prompt: Value) -> Vec<(String, String)> {
        turns(&prompt).into_iter().map(|turn| (turn.role, turn.text)).collect()
    }

    fn turn(role: &str, text: &str) -> (String, String) {
        (role.to_owned(), text.to_owned())
    }

    #[test]
    fn prompts_are_read_in_every_shape() {
        let image = json!({ "type": "image_url", "image_url": { "url": "data:" } });
        let parts = json!([{ "type": "text", "text": "a" }, image, { "type": "text", "text": "b" }]);
        let chat = json!({ "model": "m", "messages": [{ "role": "system", "content": "s" }, { "role": "user", "content": parts }] });
        assert_eq!(said(chat), [turn("system", "s"), turn("user", "a\nb")]);
        assert_eq!(said(json!({ "prompt": ["x", "y"] })), [turn("", "x\ny")]);
        assert_eq!(said(json!({ "input": "x" })), [turn("", "x")]);
        let responses = json!({ "instructions": "i", "input": [{ "role": "user", "content": [{ "type": "input_text", "text": "q" }] }] });
        assert_eq!(said(responses), [turn("system", "i"), turn("user", "q")]);
        assert_eq!(said(json!([1])), []);
    }

    #[test]
    fn answers_are_read_in_every_shape() {
        for (document, text) in [
            (
                json!({ "choices": [{ "message": { "content": "a" } }, { "message": { "content": "b" } }] }),
                "a\nb",
            ),
            (json!({ "choices": [{ "text": "a" }] }), "a"),
            (json!({ "choices": [{ "delta": { "content": "a" } }] }), "a"),
            (
                json!({ "output": [{ "type": "message", "content": [{ "type": "output_text", "text": "a" }] }] }),
                "a",
            ),
            (json!({ "content": [{ "type": "text", "text": "a" }] }), "a"),
            (json!({ "error": {} }), ""),
        ] {
            assert_eq!(answer(&document), text, "{document}");
        }
    }
}
