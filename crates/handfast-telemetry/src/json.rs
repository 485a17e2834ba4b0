//! A JSON object written straight into a byte buffer: no tree, no allocation per member.
//!
//! Strings are escaped as RFC 8259 §7 demands; bytes that are not UTF-8 become U+FFFD, so a hostile
//! header cannot break a log line or forge another one.

/// One JSON object under construction, ended with a line feed by [`JsonLine::end`].
pub struct JsonLine<'a> {
    out: &'a mut Vec<u8>,
    first: bool,
}

impl<'a> JsonLine<'a> {
    /// Opens an object at the end of `out`.
    pub fn begin(out: &'a mut Vec<u8>) -> Self {
        out.push(b'{');
        Self { out, first: true }
    }

    /// Adds a string member.
    pub fn text(&mut self, name: &'static str, value: &str) -> &mut Self {
        self.name(name);
        self.out.push(b'"');
        escape(value, self.out);
        self.out.push(b'"');
        self
    }

    /// Adds a string member from bytes of a peer.
    pub fn bytes(&mut self, name: &'static str, value: &[u8]) -> &mut Self {
        match std::str::from_utf8(value) {
            Ok(text) => self.text(name, text),
            Err(_) => self.text(name, &String::from_utf8_lossy(value)),
        }
    }

    /// Adds a string member if there is a value.
    pub fn maybe(&mut self, name: &'static str, value: Option<&str>) -> &mut Self {
        if let Some(value) = value {
            self.text(name, value);
        }
        self
    }

    /// Adds an integer member.
    pub fn number(&mut self, name: &'static str, value: u64) -> &mut Self {
        self.name(name);
        let mut digits = [0u8; 20];
        let mut at = digits.len();
        let mut rest = value;
        loop {
            at -= 1;
            digits[at] = b'0' + (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        self.out.extend_from_slice(&digits[at..]);
        self
    }

    /// Closes the object and the line.
    pub fn end(self) {
        self.out.extend_from_slice(b"}\n");
    }

    fn name(&mut self, name: &'static str) {
        if !self.first {
            self.out.push(b',');
        }
        self.first = false;
        self.out.push(b'"');
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
    }
}

fn escape(value: &str, out: &mut Vec<u8>) {
    let bytes = value.as_bytes();
    let mut copied = 0;
    for (at, &byte) in bytes.iter().enumerate() {
        if byte >= 0x20 && byte != b'"' && byte != b'\\' && byte != 0x7f {
            continue;
        }
        out.extend_from_slice(&bytes[copied..at]);
        copied = at + 1;
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            other => {
                const HEX: &[u8; 16] = b"0123456789abcdef";
                out.extend_from_slice(b"\\u00");
                out.push(HEX[usize::from(other >> 4)]);
                out.push(HEX[usize::from(other & 15)]);
            }
        }
    }
    out.extend_from_slice(&bytes[copied..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_escaped() {
        let mut out = Vec::new();
        let mut line = JsonLine::begin(&mut out);
        line.text("a", "x\"\\\n\u{1}é")
            .number("b", 0)
            .number("c", u64::MAX)
            .bytes("d", b"\xff")
            .maybe("e", None);
        line.end();
        assert_eq!(
            String::from_utf8(out).expect("utf-8"),
            "{\"a\":\"x\\\"\\\\\\n\\u0001é\",\"b\":0,\"c\":18446744073709551615,\"d\":\"\u{fffd}\"}\n"
        );
    }
}
