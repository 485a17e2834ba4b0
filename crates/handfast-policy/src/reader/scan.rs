//! Finds where a C# expression ends without understanding C#: brackets are balanced, strings, character
//! literals and comments are stepped over (specification 1.3, rule 4). One pass, explicit stack.

/// What the scan is inside of.
enum Frame {
    /// A bracket that waits for this closing byte.
    Bracket(u8),
    /// An interpolated string.
    Interpolated { verbatim: bool },
}

/// The deepest nesting of brackets and strings that is followed.
const DEPTH_MAX: usize = 512;

/// The length of the expression that `bytes` begins with (`@(` or `@{`), up to and including its closing
/// bracket; `Err` holds how many bytes were looked at in vain. `quote` is the quote around the value, if
/// the expression stands in an attribute.
pub(crate) fn expression_len(bytes: &[u8], quote: Option<u8>) -> Result<usize, usize> {
    let Some(close) = bytes.get(1).copied().and_then(closing) else { return Err(0) };
    if bytes.first() != Some(&b'@') || close == b']' {
        return Err(0);
    }
    let mut scan = Scan { bytes, at: 2, stack: vec![Frame::Bracket(close)], quote };
    while let Some(top) = scan.stack.last() {
        let going = match *top {
            Frame::Interpolated { verbatim } => scan.string_step(verbatim),
            Frame::Bracket(close) => scan.code_step(close),
        };
        if !going || scan.stack.len() > DEPTH_MAX {
            return Err(scan.at);
        }
    }
    Ok(scan.at)
}

struct Scan<'t> {
    bytes: &'t [u8],
    at: usize,
    stack: Vec<Frame>,
    quote: Option<u8>,
}

impl Scan<'_> {
    fn peek(&self, ahead: usize) -> Option<u8> {
        self.bytes.get(self.at + ahead).copied()
    }

    /// One token of code; `false` when the expression cannot end any more.
    fn code_step(&mut self, close: u8) -> bool {
        let Some(byte) = self.peek(0) else { return false };
        match byte {
            b'(' | b'[' | b'{' => {
                self.at += 1;
                self.stack.extend(closing(byte).map(Frame::Bracket));
            }
            b')' | b']' | b'}' => {
                self.at += 1;
                if byte != close {
                    return false;
                }
                self.stack.pop();
            }
            b'/' if self.peek(1) == Some(b'/') => self.skip_to(b'\n'),
            b'/' if self.peek(1) == Some(b'*') => return self.skip_block_comment(),
            b'\'' => self.skip_character(),
            b'"' => return self.skip_string(false, 1),
            b'@' if self.peek(1) == Some(b'"') => return self.skip_string(true, 2),
            b'$' if self.peek(1) == Some(b'"') => self.open_interpolated(false, 2),
            b'$' | b'@' if matches!(self.peek(1), Some(b'@' | b'$')) && self.peek(2) == Some(b'"') => {
                self.open_interpolated(true, 3);
            }
            _ => self.at += 1,
        }
        true
    }

    /// One piece of an interpolated string.
    fn string_step(&mut self, verbatim: bool) -> bool {
        let Some(byte) = self.peek(0) else { return false };
        let next = self.peek(1);
        match byte {
            b'"' if verbatim && next == Some(b'"') => self.at += 2,
            b'"' => {
                self.at += 1;
                self.stack.pop();
            }
            b'\\' if !verbatim => self.at = (self.at + 2).min(self.bytes.len()),
            b'{' if next == Some(b'{') => self.at += 2,
            b'{' => {
                self.at += 1;
                self.stack.push(Frame::Bracket(b'}'));
            }
            _ => self.at += 1,
        }
        true
    }

    fn open_interpolated(&mut self, verbatim: bool, opening: usize) {
        self.at += opening;
        self.stack.push(Frame::Interpolated { verbatim });
    }

    fn skip_to(&mut self, end: u8) {
        while self.peek(0).is_some_and(|byte| byte != end) {
            self.at += 1;
        }
    }

    fn skip_block_comment(&mut self) -> bool {
        self.at += 2;
        while let Some(byte) = self.peek(0) {
            if byte == b'*' && self.peek(1) == Some(b'/') {
                self.at += 2;
                return true;
            }
            self.at += 1;
        }
        false
    }

    fn skip_string(&mut self, verbatim: bool, opening: usize) -> bool {
        self.at += opening;
        while let Some(byte) = self.peek(0) {
            self.at += 1;
            match byte {
                b'"' if verbatim && self.peek(0) == Some(b'"') => self.at += 1,
                b'"' => return true,
                b'\\' if !verbatim => self.at = (self.at + 1).min(self.bytes.len()),
                _ => {}
            }
        }
        false
    }

    /// A character literal, or a string that an author wrote in single quotes, or a lone quote.
    fn skip_character(&mut self) {
        self.at += 1;
        let escaped = self.peek(0) == Some(b'\\');
        let window = if escaped { 10 } else { 4 };
        let start = if escaped { 2 } else { 1 };
        let literal = (start..=window).find(|&ahead| self.peek(ahead) == Some(b'\''));
        let is_character = literal.is_some_and(|end| escaped || self.is_one_character(end));
        if is_character {
            self.at += literal.unwrap_or(0) + 1;
            return;
        }
        if self.quote != Some(b'"') {
            return;
        }
        let line = self.bytes.get(self.at..).unwrap_or_default();
        let end = line.iter().position(|&byte| matches!(byte, b'\'' | b'\n')).unwrap_or(line.len());
        if line.get(end) == Some(&b'\'') {
            self.at += end + 1;
        }
    }

    fn is_one_character(&self, len: usize) -> bool {
        let bytes = self.bytes.get(self.at..self.at + len).unwrap_or_default();
        std::str::from_utf8(bytes).is_ok_and(|text| text.chars().count() == 1)
    }
}

fn closing(open: u8) -> Option<u8> {
    match open {
        b'(' => Some(b')'),
        b'[' => Some(b']'),
        b'{' => Some(b'}'),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_end_at_their_balanced_bracket() {
        for expression in [
            r#"@("x")"#,
            r#"@($"{(true ? "a" : "b")}")"#,
            r#"@(@"c:\d")"#,
            r#"@(@"a""b)")"#,
            r#"@{ /* } */ return "}"; }"#,
            "@{ // it's }\n return 1; }",
            r#"@(s.Split('"')[0] + ')' + '\u0029' + '\'')"#,
            r#"@($"{{ {d["k"]} }}" + $@"\{x}"" )")"#,
            "@('text with ) in it')",
            "@(x == 'é')",
        ] {
            let text = format!("{expression}\" tail=\"1\">)}}");
            assert_eq!(expression_len(text.as_bytes(), Some(b'"')), Ok(expression.len()), "{expression}");
        }
    }

    #[test]
    fn an_open_expression_says_how_far_it_was_read() {
        for (text, seen) in [("@(a", 3), ("@(\"a)", 5), ("@(a]", 4), ("@[a]", 0), ("@{ /* }", 7), ("@", 0)] {
            assert_eq!(expression_len(text.as_bytes(), None), Err(seen), "{text}");
        }
    }
}
