//! The tokens of a streamed answer: server-sent events as they go by (WHATWG HTML §9.2), in whatever pieces.

use super::{TokenUsage, of_chars};
use serde_json::Value;

/// The longest line that is looked at; of a longer one only the length counts.
const LINE_BYTES_MAX: usize = 256 << 10;

/// Adds up the events of one answer.
#[derive(Debug, Default)]
pub struct TokenStream {
    prompt: u32,
    line: Vec<u8>,
    /// Bytes of a line that is too long to be kept.
    skipped: usize,
    chars: usize,
    said: Option<TokenUsage>,
}

impl TokenStream {
    /// An answer to a prompt of so many tokens by estimate.
    pub fn new(prompt: u32) -> Self {
        Self { prompt, ..Self::default() }
    }

    /// Looks at the next bytes.
    pub fn take(&mut self, mut bytes: &[u8]) {
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            let (piece, rest) = bytes.split_at(end);
            self.keep(piece);
            self.end_line();
            bytes = rest.get(1..).unwrap_or_default();
        }
        self.keep(bytes);
    }

    /// What was used: as the answer said, else by estimate.
    pub fn usage(mut self) -> TokenUsage {
        self.end_line();
        self.said.unwrap_or(TokenUsage { prompt: self.prompt, completion: of_chars(self.chars) })
    }

    fn keep(&mut self, piece: &[u8]) {
        if self.skipped > 0 || self.line.len() + piece.len() > LINE_BYTES_MAX {
            self.skipped += self.line.len() + piece.len();
            self.line.clear();
        } else {
            self.line.extend_from_slice(piece);
        }
    }

    fn end_line(&mut self) {
        self.chars += std::mem::take(&mut self.skipped);
        let line = std::mem::take(&mut self.line);
        if let Some(event) = line.strip_prefix(b"data:").and_then(|data| serde_json::from_slice(data).ok()) {
            self.event(&event);
        }
        // The buffer is used again.
        self.line = line;
        self.line.clear();
    }

    fn event(&mut self, event: &Value) {
        if let Some(more) = TokenUsage::of(event) {
            // Messages say the prompt's tokens at the begin and the answer's at the end.
            let before = self.said.unwrap_or_default();
            self.said = Some(TokenUsage {
                prompt: before.prompt.max(more.prompt),
                completion: before.completion.max(more.completion),
            });
        }
        let text =
            |value: Option<&Value>| value.and_then(Value::as_str).map_or(0, |text| text.chars().count());
        self.chars += text(event.get("delta")) + text(event.pointer("/delta/text"));
        let choices = event.get("choices").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        for choice in choices {
            self.chars += text(choice.pointer("/delta/content")) + text(choice.get("text"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"Hello \"}}],\"usage\":null}\r\n\r\ndata: {\"choices\":[{\"delta\":{\"content\":\"there\"}}]}\n\ndata: [DONE]\n\n";

    #[test]
    fn streams_without_usage_are_estimated_whatever_the_pieces() {
        for size in [1, 7, 1000] {
            let mut stream = TokenStream::new(9);
            STREAM.as_bytes().chunks(size).for_each(|piece| stream.take(piece));
            assert_eq!(stream.usage(), TokenUsage { prompt: 9, completion: 3 }, "{size}");
        }
    }

    #[test]
    fn what_a_stream_says_goes_before_the_estimate() {
        let mut stream = TokenStream::new(9);
        stream.take(STREAM.as_bytes());
        stream.take(b"data: {\"choices\":[],\"usage\":{\"prompt_tokens\":11,\"completion_tokens\":2}}");
        assert_eq!(stream.usage(), TokenUsage { prompt: 11, completion: 2 });
        let mut stream = TokenStream::new(9);
        stream.take(b"data: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":5,\"output_tokens\":1}}}\n");
        stream.take(b"data: {\"type\":\"message_delta\",\"delta\":{},\"usage\":{\"output_tokens\":8}}\n");
        assert_eq!(stream.usage(), TokenUsage { prompt: 5, completion: 8 });
    }

    #[test]
    fn a_line_without_end_is_not_kept() {
        let mut stream = TokenStream::new(0);
        for _ in 0..1000 {
            stream.take(&[b'x'; 1024]);
            assert!(stream.line.len() <= LINE_BYTES_MAX);
        }
        assert_eq!(stream.usage().completion, 256 * 1000);
    }
}
