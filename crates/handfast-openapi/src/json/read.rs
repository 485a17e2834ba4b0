//! The reader: one pass over the text, places counted on the way.

use super::{DEPTH_MAX, Json, JsonError, Kind, Member, Number, Place};
use std::collections::HashSet;
use std::fmt::Write;

pub(super) fn parse(text: &str) -> Result<Json, JsonError> {
    let mut reader = Reader { text, at: 0, line: 1, line_start: 0, path: Vec::new() };
    reader.space();
    let value = reader.value()?;
    reader.space();
    match reader.peek() {
        None => Ok(value),
        Some(c) => {
            Err(reader
                .error(format!("Additional text encountered after finished reading JSON content: {c}.")))
        }
    }
}

enum Segment {
    Name(String),
    Index(usize),
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    line: usize,
    /// Where the line begins.
    line_start: usize,
    path: Vec<Segment>,
}

impl Reader<'_> {
    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn place(&self) -> Place {
        let before = self.text.get(self.line_start..self.at).unwrap_or_default();
        Place { line: self.line, position: before.chars().count() }
    }

    fn path(&self) -> String {
        let mut out = String::new();
        for segment in &self.path {
            match segment {
                Segment::Index(index) => {
                    let _ = write!(out, "[{index}]");
                }
                Segment::Name(name) => {
                    if !out.is_empty() {
                        out.push('.');
                    }
                    out.push_str(name);
                }
            }
        }
        out
    }

    fn error(&self, message: impl Into<String>) -> JsonError {
        JsonError { message: message.into(), path: self.path(), place: self.place() }
    }

    fn end(&self) -> JsonError {
        self.error("Unexpected end when reading JSON.")
    }

    fn space(&mut self) {
        while let Some(byte) = self.text.as_bytes().get(self.at) {
            match byte {
                b'\n' => {
                    self.line += 1;
                    self.line_start = self.at + 1;
                }
                b' ' | b'\t' | b'\r' => {}
                _ => return,
            }
            self.at += 1;
        }
    }

    fn value(&mut self) -> Result<Json, JsonError> {
        if self.path.len() > DEPTH_MAX {
            return Err(self.error(format!("The reader's MaxDepth of {DEPTH_MAX} has been exceeded.")));
        }
        match self.peek() {
            Some('{') => self.object(),
            Some('[') => self.array(),
            Some('"') => {
                let text = self.string()?;
                Ok(self.token(Kind::String(text)))
            }
            Some(c) => self.word(c),
            None => Err(self.end()),
        }
    }

    /// A value of one token, which ends here.
    fn token(&self, kind: Kind) -> Json {
        let place = self.place();
        Json { kind, start: place, end: place }
    }

    fn word(&mut self, first: char) -> Result<Json, JsonError> {
        let rest = self.rest();
        let length = rest
            .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.')))
            .unwrap_or(rest.len());
        let word = rest.get(..length).unwrap_or_default();
        let kind = match word {
            "null" => Kind::Null,
            "true" => Kind::Bool(true),
            "false" => Kind::Bool(false),
            number if is_number(number) => Kind::Number(Number(number.to_owned())),
            _ => {
                let text = format!("Unexpected character encountered while parsing value: {first}.");
                return Err(self.error(text));
            }
        };
        self.at += length;
        Ok(self.token(kind))
    }

    fn object(&mut self) -> Result<Json, JsonError> {
        self.at += 1;
        let start = self.place();
        let (mut members, mut known) = (Vec::new(), HashSet::new());
        self.space();
        if self.peek() == Some('}') {
            self.at += 1;
            return Ok(Json { kind: Kind::Object(members), start, end: self.place() });
        }
        loop {
            self.space();
            let name = match self.peek() {
                Some('"') => self.string()?,
                Some(c) => return Err(self.error(format!("Invalid property identifier character: {c}."))),
                None => return Err(self.end()),
            };
            self.space();
            match self.peek() {
                Some(':') => self.at += 1,
                Some(c) => {
                    return Err(self.error(format!(
                        "Invalid character after parsing property name. Expected ':' but got: {c}."
                    )));
                }
                None => return Err(self.end()),
            }
            let place = self.place();
            if !known.insert(name.clone()) {
                return Err(self.error(format!("Property with the name '{name}' already exists.")));
            }
            self.space();
            self.path.push(Segment::Name(name.clone()));
            let value = self.value()?;
            members.push(Member { name, place, value });
            if self.is_over('}')? {
                return Ok(Json { kind: Kind::Object(members), start, end: self.place() });
            }
        }
    }

    fn array(&mut self) -> Result<Json, JsonError> {
        self.at += 1;
        let start = self.place();
        let mut items = Vec::new();
        self.space();
        if self.peek() == Some(']') {
            self.at += 1;
            return Ok(Json { kind: Kind::Array(items), start, end: self.place() });
        }
        loop {
            self.space();
            self.path.push(Segment::Index(items.len()));
            items.push(self.value()?);
            if self.is_over(']')? {
                return Ok(Json { kind: Kind::Array(items), start, end: self.place() });
            }
        }
    }

    /// Goes past what follows a value in a container: whether that closed it.
    fn is_over(&mut self, close: char) -> Result<bool, JsonError> {
        self.space();
        let over = match self.peek() {
            Some(',') => false,
            Some(c) if c == close => true,
            Some(c) => {
                return Err(self
                    .error(format!("After parsing a value an unexpected character was encountered: {c}.")));
            }
            None => return Err(self.end()),
        };
        self.at += 1;
        self.path.pop();
        Ok(over)
    }

    fn string(&mut self) -> Result<String, JsonError> {
        self.at += 1;
        let mut out = String::new();
        loop {
            let rest = self.rest();
            let plain = rest.find(|c: char| matches!(c, '"' | '\\') || c < ' ').unwrap_or(rest.len());
            out.push_str(rest.get(..plain).unwrap_or_default());
            self.at += plain;
            match self.peek() {
                None => return Err(self.error("Unterminated string. Expected delimiter: \".")),
                Some('"') => {
                    self.at += 1;
                    return Ok(out);
                }
                Some('\\') => self.escape(&mut out)?,
                Some(_) => return Err(self.error("A control character stands in a string.")),
            }
        }
    }

    fn escape(&mut self, out: &mut String) -> Result<(), JsonError> {
        self.at += 1;
        let Some(escaped) = self.peek() else { return Err(self.end()) };
        self.at += escaped.len_utf8();
        out.push(match escaped {
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            '"' | '\\' | '/' => escaped,
            'u' => {
                let mut code = self.unit()?;
                if (0xd800..0xdc00).contains(&code) && self.rest().starts_with("\\u") {
                    self.at += 2;
                    let low = self.unit()?;
                    code = match low {
                        0xdc00..0xe000 => 0x1_0000 + ((code - 0xd800) << 10) + (low - 0xdc00),
                        _ => return Err(self.error("A surrogate has no partner.")),
                    };
                }
                char::from_u32(code).ok_or_else(|| self.error("A surrogate has no partner."))?
            }
            other => return Err(self.error(format!("Bad JSON escape sequence: \\{other}."))),
        });
        Ok(())
    }

    fn unit(&mut self) -> Result<u32, JsonError> {
        let digits = self.rest().get(..4).filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
        let code = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        let code = code.ok_or_else(|| self.error("Four hexadecimal digits are missing after \\u."))?;
        self.at += 4;
        Ok(code)
    }
}

/// `-? int frac? exp?` of RFC 8259.
pub(crate) fn is_number(text: &str) -> bool {
    let text = text.strip_prefix('-').unwrap_or(text);
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    digits(whole)
        && (whole == "0" || !whole.starts_with('0'))
        && fraction.is_none_or(digits)
        && exponent.is_none_or(|exponent| digits(exponent.strip_prefix(['+', '-']).unwrap_or(exponent)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        parse(text).expect_err("no JSON").to_string()
    }

    #[test]
    fn places_are_behind_the_values() {
        let json = parse("{\n  \"a\": \"x\",\n  \"b\": [1, 2]\n}").expect("JSON");
        let Kind::Object(members) = &json.kind else { panic!("an object") };
        let place = |line, position| Place { line, position };
        assert_eq!((json.start, json.end), (place(1, 1), place(4, 1)));
        assert_eq!(members[0].value.start, place(2, 10));
        assert_eq!((members[1].value.start, members[1].value.end), (place(3, 8), place(3, 13)));
    }

    #[test]
    fn what_is_not_json_is_refused_with_its_place() {
        let cases = [
            ("", "Unexpected end when reading JSON. Path '', line 1, position 0."),
            (
                "{\"a\": tru}",
                "Unexpected character encountered while parsing value: t. Path 'a', line 1, position 6.",
            ),
            (
                "[1 2]",
                "After parsing a value an unexpected character was encountered: 2. Path '[0]', line 1, position 3.",
            ),
            ("{\"a\":1,\"a\":2}", "Property with the name 'a' already exists. Path '', line 1, position 11."),
            (
                "1 x",
                "Additional text encountered after finished reading JSON content: x. Path '', line 1, position 2.",
            ),
            ("{'a':1}", "Invalid property identifier character: '. Path '', line 1, position 1."),
            (
                "[1,]",
                "Unexpected character encountered while parsing value: ]. Path '[1]', line 1, position 3.",
            ),
            ("\"\\ud800\"", "A surrogate has no partner. Path '', line 1, position 7."),
        ];
        for (text, expected) in cases {
            assert_eq!(error(text), expected, "{text}");
        }
        for text in ["01", "1.", ".5", "+1", "1e", "NaN", "-"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn nesting_has_a_limit() {
        let deep = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(parse(&deep(DEPTH_MAX)).is_ok());
        assert!(error(&deep(DEPTH_MAX + 2)).starts_with("The reader's MaxDepth of 64"));
    }

    #[test]
    fn numbers_compare_by_value() {
        let number = |text: &str| Number(text.to_owned());
        assert_eq!(number("1.0"), number("1"));
        assert_ne!(number("9007199254740993"), number("9007199254740992"));
        assert!(number("0.3").is_multiple_of(&number("0.1")));
        assert!(!number("7").is_multiple_of(&number("2")));
    }
}
