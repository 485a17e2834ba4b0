//! A tolerant JSON reader for template files and deployment bodies (`spec/arm.md` §7.2): comments,
//! unquoted member names, single-quoted texts, raw line breaks in texts, trailing commas and a byte order
//! mark are accepted. Errors carry line and column, 1-based, counted in characters.

use serde_json::{Map, Number, Value};
use std::fmt;

/// Deeper nesting is refused.
const DEPTH_MAX: u32 = 128;

/// Where and why a text is not JSON, even read with tolerance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyntaxError {
    /// 1-based line.
    pub line: u32,
    /// 1-based column.
    pub column: u32,
    /// What was found and what was expected.
    pub message: String,
}

impl fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.message)
    }
}

impl std::error::Error for SyntaxError {}

/// Reads one JSON value with tolerance.
pub fn parse_json(text: &str) -> Result<Value, SyntaxError> {
    let mut reader = Reader { text: text.strip_prefix('\u{feff}').unwrap_or(text), at: 0 };
    reader.blank()?;
    let value = reader.value(0)?;
    reader.blank()?;
    match reader.peek() {
        None => Ok(value),
        Some(_) => Err(reader.unexpected("the end of the text")),
    }
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Reader<'t> {
    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let found = self.peek()?;
        self.at += found.len_utf8();
        Some(found)
    }

    fn error(&self, at: usize, message: String) -> SyntaxError {
        let before = self.text.get(..at).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let count = |text: &str| u32::try_from(text.chars().count()).unwrap_or(u32::MAX);
        let lines = before.matches('\n').count();
        let column = count(before.get(line_start..).unwrap_or_default()).saturating_add(1);
        SyntaxError { line: u32::try_from(lines).unwrap_or(u32::MAX).saturating_add(1), column, message }
    }

    fn unexpected(&self, wanted: &str) -> SyntaxError {
        let found =
            self.peek().map_or_else(|| "the end of the text".to_owned(), |found| format!("\"{found}\""));
        self.error(self.at, format!("found {found} where {wanted} was expected"))
    }

    /// Skips white space and comments.
    fn blank(&mut self) -> Result<(), SyntaxError> {
        loop {
            let rest = self.rest();
            let trimmed = rest.trim_start();
            self.at += rest.len() - trimmed.len();
            if trimmed.starts_with("//") {
                self.at += trimmed.find('\n').unwrap_or(trimmed.len());
            } else if trimmed.starts_with("/*") {
                let Some(end) = trimmed.find("*/") else {
                    return Err(self.error(self.at, "comment is not closed; \"*/\" was expected".to_owned()));
                };
                self.at += end + 2;
            } else {
                return Ok(());
            }
        }
    }

    fn value(&mut self, depth: u32) -> Result<Value, SyntaxError> {
        if depth > DEPTH_MAX {
            return Err(self.error(self.at, format!("nested deeper than {DEPTH_MAX} levels")));
        }
        match self.peek() {
            Some('{') => self.object(depth),
            Some('[') => self.array(depth),
            Some(quote @ ('"' | '\'')) => self.text(quote).map(Value::String),
            _ => self.word(),
        }
    }

    fn object(&mut self, depth: u32) -> Result<Value, SyntaxError> {
        self.next();
        let mut map = Map::new();
        loop {
            self.blank()?;
            let key = match self.peek() {
                Some('}') => {
                    self.next();
                    return Ok(Value::Object(map));
                }
                Some(quote @ ('"' | '\'')) => self.text(quote)?,
                _ => self.name()?,
            };
            self.blank()?;
            self.expect(':')?;
            self.blank()?;
            let value = self.value(depth + 1)?;
            map.insert(key, value);
            self.blank()?;
            if self.peek() != Some('}') {
                self.expect_separator("\",\" or \"}\"")?;
            }
        }
    }

    fn array(&mut self, depth: u32) -> Result<Value, SyntaxError> {
        self.next();
        let mut items = Vec::new();
        loop {
            self.blank()?;
            if self.peek() == Some(']') {
                self.next();
                return Ok(Value::Array(items));
            }
            items.push(self.value(depth + 1)?);
            self.blank()?;
            if self.peek() != Some(']') {
                self.expect_separator("\",\" or \"]\"")?;
            }
        }
    }

    fn expect(&mut self, wanted: char) -> Result<(), SyntaxError> {
        if self.peek() != Some(wanted) {
            return Err(self.unexpected(&format!("\"{wanted}\"")));
        }
        self.next();
        Ok(())
    }

    fn expect_separator(&mut self, wanted: &str) -> Result<(), SyntaxError> {
        if self.peek() != Some(',') {
            return Err(self.unexpected(wanted));
        }
        self.next();
        Ok(())
    }

    fn name(&mut self) -> Result<String, SyntaxError> {
        let part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '$' | '-' | '.');
        let name: String = self.rest().chars().take_while(|c| part(*c)).collect();
        if name.is_empty() {
            return Err(self.unexpected("a member name"));
        }
        self.at += name.len();
        Ok(name)
    }

    fn text(&mut self, quote: char) -> Result<String, SyntaxError> {
        let start = self.at;
        self.next();
        let mut text = String::new();
        loop {
            match self.next() {
                None => return Err(self.error(start, format!("text is not closed; {quote} was expected"))),
                Some('\\') => text.push(self.escape()?),
                Some(found) if found == quote => return Ok(text),
                Some(found) => text.push(found),
            }
        }
    }

    fn escape(&mut self) -> Result<char, SyntaxError> {
        let start = self.at;
        Ok(match self.next() {
            Some('n') => '\n',
            Some('t') => '\t',
            Some('r') => '\r',
            Some('b') => '\u{8}',
            Some('f') => '\u{c}',
            Some(plain @ ('"' | '\'' | '\\' | '/')) => plain,
            Some('u') => self.unicode()?,
            _ => return Err(self.error(start, "unknown escape in text".to_owned())),
        })
    }

    fn unicode(&mut self) -> Result<char, SyntaxError> {
        let start = self.at;
        let high = self.hex4()?;
        let code = if (0xd800..0xdc00).contains(&high) && self.rest().starts_with("\\u") {
            self.at += 2;
            let low = self.hex4()?;
            0x10000 + ((high - 0xd800) << 10) + (low.wrapping_sub(0xdc00) & 0x3ff)
        } else {
            high
        };
        char::from_u32(code).ok_or_else(|| self.error(start, "half of a surrogate pair in text".to_owned()))
    }

    fn hex4(&mut self) -> Result<u32, SyntaxError> {
        let digits = self.rest().get(..4).and_then(|digits| u32::from_str_radix(digits, 16).ok());
        let Some(code) = digits else { return Err(self.unexpected("four hexadecimal digits")) };
        self.at += 4;
        Ok(code)
    }

    fn word(&mut self) -> Result<Value, SyntaxError> {
        let part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
        let word: String = self.rest().chars().take_while(|c| part(*c)).collect();
        let value = match word.as_str() {
            "true" => Value::Bool(true),
            "false" => Value::Bool(false),
            "null" => Value::Null,
            "" => return Err(self.unexpected("a value")),
            number => match number.parse::<Number>() {
                Ok(number) => Value::Number(number),
                Err(_) => return Err(self.error(self.at, format!("\"{word}\" is not a JSON value"))),
            },
        };
        self.at += word.len();
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_clients_send_is_read() {
        let text = "\u{feff}{\"a\": {}, template:{\n  // comment\n /* block */ 'b': \"one\ntwo\", c: [1, -2.5e1, true, null,], },}";
        let expected = json!({ "a": {}, "template": { "b": "one\ntwo", "c": [1, -25.0, true, null] } });
        assert_eq!(parse_json(text).unwrap(), expected);
        assert_eq!(parse_json(r#""\u00e9\ud83d\ude00\/\n""#).unwrap(), json!("é😀/\n"));
    }

    #[test]
    fn printed_json_is_read_back_the_same() {
        let value = json!({ "a": [1, 2.5, "q\"\\\u{1}é", {}, []], "": null, "b": { "c": i64::MAX } });
        assert_eq!(parse_json(&value.to_string()).unwrap(), value);
        assert_eq!(parse_json(&serde_json::to_string_pretty(&value).unwrap()).unwrap(), value);
    }

    #[test]
    fn errors_have_line_and_column() {
        for (text, printed) in [
            ("{\n  \"a\": 1\n  \"b\": 2 }", "3:3: found \"\"\" where \",\" or \"}\" was expected"),
            ("{ \"é\" 1 }", "1:7: found \"1\" where \":\" was expected"),
            ("[1, tru]", "1:5: \"tru\" is not a JSON value"),
            ("{ \"a\": \"x", "1:8: text is not closed; \" was expected"),
            ("/* x", "1:1: comment is not closed; \"*/\" was expected"),
            ("{} {}", "1:4: found \"{\" where the end of the text was expected"),
            ("\"\\ud800\"", "1:4: half of a surrogate pair in text"),
        ] {
            assert_eq!(parse_json(text).unwrap_err().to_string(), printed);
        }
        assert!(parse_json(&"[".repeat(200)).unwrap_err().message.contains("nested deeper"));
    }
}
