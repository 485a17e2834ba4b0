//! A JSON object written straight into a byte buffer: no tree, no allocation per member.
//! Objects may hold objects, and a line may be left open and gone on with later.
//!
//! Strings are escaped as RFC 8259 §7 demands; bytes that are not UTF-8 become U+FFFD, so a hostile
//! header cannot break a log line or forge another one.

use std::io::Write as _;
use std::time::Duration;

/// One JSON object under construction, ended with a line feed by [`JsonLine::end`].
pub struct JsonLine<'a> {
    out: &'a mut Vec<u8>,
    first: bool,
    /// Objects that are open, the line's own included.
    depth: u8,
}

impl<'a> JsonLine<'a> {
    /// Opens an object at the end of `out`.
    pub fn begin(out: &'a mut Vec<u8>) -> Self {
        out.push(b'{');
        Self { out, first: true, depth: 1 }
    }

    /// Goes on with a line that was [left open](JsonLine::leave) in `out`.
    pub fn resume(out: &'a mut Vec<u8>, depth: u8) -> Self {
        let first = out.last() == Some(&b'{');
        Self { out, first, depth }
    }

    /// Leaves the line as it is; the number is what [`JsonLine::resume`] wants.
    pub fn leave(self) -> u8 {
        self.depth
    }

    /// Opens an object as a member; what follows goes into it, until [`JsonLine::close`] or the line's end.
    pub fn open(&mut self, name: &'static str) -> &mut Self {
        self.name(name);
        self.out.push(b'{');
        self.first = true;
        self.depth += 1;
        self
    }

    /// Closes the object opened last.
    pub fn close(&mut self) -> &mut Self {
        if self.depth > 1 {
            self.out.push(b'}');
            self.first = false;
            self.depth -= 1;
        }
        self
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

    /// Adds a boolean member.
    pub fn flag(&mut self, name: &'static str, value: bool) -> &mut Self {
        self.name(name);
        self.out.extend_from_slice(if value { b"true" } else { b"false" });
        self
    }

    /// Adds a duration as a number of seconds with three decimals, as Azure's logs have it.
    pub fn seconds(&mut self, name: &'static str, value: Duration) -> &mut Self {
        self.name(name);
        self.write_seconds(value);
        self
    }

    /// Adds a duration as a string of seconds with three decimals.
    pub fn seconds_text(&mut self, name: &'static str, value: Duration) -> &mut Self {
        self.name(name);
        self.out.push(b'"');
        self.write_seconds(value);
        self.out.push(b'"');
        self
    }

    /// Closes what is open, and the line.
    pub fn end(self) {
        for _ in 0..self.depth {
            self.out.push(b'}');
        }
        self.out.push(b'\n');
    }

    fn write_seconds(&mut self, value: Duration) {
        // Writing to a vector cannot fail.
        let _ = write!(self.out, "{}.{:03}", value.as_secs(), value.subsec_millis());
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

    #[test]
    fn a_line_holds_objects_and_is_gone_on_with_later() {
        let mut out = Vec::new();
        let mut line = JsonLine::begin(&mut out);
        line.text("a", "1").open("b").open("c").flag("d", true).close();
        let depth = line.leave();
        let mut line = JsonLine::resume(&mut out, depth);
        line.seconds("e", Duration::from_micros(1_002_900)).seconds_text("f", Duration::ZERO).open("g");
        let depth = line.leave();
        let mut line = JsonLine::resume(&mut out, depth);
        line.number("h", 1);
        line.end();
        assert_eq!(
            String::from_utf8(out).expect("utf-8"),
            "{\"a\":\"1\",\"b\":{\"c\":{\"d\":true},\"e\":1.002,\"f\":\"0.000\",\"g\":{\"h\":1}}}\n"
        );
    }
}
