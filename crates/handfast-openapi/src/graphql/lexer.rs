//! Tokens (§2.1), and the parts that requests and schemas share: values and references to types.

use super::{DEPTH_MAX, GraphQlError, TEXT_BYTES_MAX, TypeRef, Value};
use crate::json::Place;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    Sign(&'static str),
    Name(String),
    Int(String),
    Float(String),
    String(String),
    End,
}

const SIGNS: &[&str] = &["...", "!", "$", "&", "(", ")", ":", "=", "@", "[", "]", "{", "}", "|"];

/// A reader of tokens that looks one ahead.
pub(super) struct Reader<'t> {
    text: &'t str,
    at: usize,
    /// A byte offset whose place is known.
    counted: (usize, Place),
    pub(super) next: Token,
    /// Where the next token begins, and behind the one before.
    pub(super) start: usize,
    pub(super) before: usize,
    depth: usize,
}

pub(super) type Read<T> = Result<T, GraphQlError>;

impl<'t> Reader<'t> {
    pub(super) fn new(text: &'t str) -> Read<Self> {
        let first = Place { line: 1, position: 1 };
        if text.len() > TEXT_BYTES_MAX {
            return Err(GraphQlError::new(format!("The text is longer than {TEXT_BYTES_MAX} bytes."), first));
        }
        let mut reader =
            Self { text, at: 0, counted: (0, first), next: Token::End, start: 0, before: 0, depth: 0 };
        reader.advance()?;
        Ok(reader)
    }

    /// The place of the next token.
    pub(super) fn place(&mut self) -> Place {
        let (from, mut place) = self.counted;
        for c in self.text.get(from..self.start).unwrap_or_default().chars() {
            if c == '\n' {
                (place.line, place.position) = (place.line + 1, 1);
            } else {
                place.position += 1;
            }
        }
        self.counted = (self.start, place);
        place
    }

    pub(super) fn fail<T>(&mut self, message: impl Into<String>) -> Read<T> {
        let place = self.place();
        Err(GraphQlError::new(message, place))
    }

    pub(super) fn unexpected<T>(&mut self, wanted: &str) -> Read<T> {
        let found = match &self.next {
            Token::Sign(sign) => format!("'{sign}'"),
            Token::Name(name) => format!("'{name}'"),
            Token::Int(text) | Token::Float(text) => format!("'{text}'"),
            Token::String(_) => "a string".to_owned(),
            Token::End => "the end".to_owned(),
        };
        self.fail(format!("Syntax Error: Expected {wanted}, found {found}."))
    }

    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// Reads the next token.
    pub(super) fn advance(&mut self) -> Read<Token> {
        self.before = self.at;
        loop {
            let rest = self
                .rest()
                .trim_start_matches(|c: char| c.is_ascii_whitespace() || matches!(c, ',' | '\u{feff}'));
            self.at = self.text.len() - rest.len();
            if !rest.starts_with('#') {
                break;
            }
            self.at += rest.find(['\n', '\r']).unwrap_or(rest.len());
        }
        self.start = self.at;
        let rest = self.rest();
        let token = match rest.chars().next() {
            None => Token::End,
            Some('"') => self.string()?,
            Some(c) if c.is_ascii_alphabetic() || c == '_' => {
                let length =
                    rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(rest.len());
                self.at += length;
                Token::Name(rest.get(..length).unwrap_or_default().to_owned())
            }
            Some(c) if c.is_ascii_digit() || c == '-' => self.number()?,
            Some(c) => match SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
                Some(sign) => {
                    self.at += sign.len();
                    Token::Sign(sign)
                }
                None => return self.fail(format!("Syntax Error: Unexpected character '{c}'.")),
            },
        };
        Ok(std::mem::replace(&mut self.next, token))
    }

    fn number(&mut self) -> Read<Token> {
        let rest = self.rest();
        let length = rest
            .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.' | '_')))
            .unwrap_or(rest.len());
        let text = rest.get(..length).unwrap_or_default();
        if !crate::json::is_number(text) {
            return self.fail(format!("Syntax Error: Invalid number '{text}'."));
        }
        self.at += length;
        Ok(match text.contains(['.', 'e', 'E']) {
            true => Token::Float(text.to_owned()),
            false => Token::Int(text.to_owned()),
        })
    }

    fn string(&mut self) -> Read<Token> {
        if let Some(block) = self.rest().strip_prefix("\"\"\"") {
            let mut end = 0;
            loop {
                let Some(found) = block.get(end..).and_then(|rest| rest.find("\"\"\"")) else {
                    return self.fail("Syntax Error: Unterminated string.");
                };
                end += found;
                if !block.get(..end).is_some_and(|before| before.ends_with('\\')) {
                    break;
                }
                end += 3;
            }
            self.at += end + 6;
            let text = block.get(..end).unwrap_or_default();
            return Ok(Token::String(text.replace("\\\"\"\"", "\"\"\"")));
        }
        let rest = self.rest();
        let mut end = None;
        let mut escaped = false;
        for (at, c) in rest.char_indices().skip(1) {
            match c {
                '"' if !escaped => {
                    end = Some(at);
                    break;
                }
                '\n' | '\r' => break,
                c => escaped = c == '\\' && !escaped,
            }
        }
        let Some(end) = end else { return self.fail("Syntax Error: Unterminated string.") };
        let written = rest.get(..=end).unwrap_or_default();
        // The escapes are those of JSON, with braces around longer code points in newer texts.
        match serde_json::from_str::<String>(&written.replace('\t', "\\t")) {
            Ok(text) => {
                self.at += end + 1;
                Ok(Token::String(text))
            }
            Err(_) => self.fail("Syntax Error: Invalid escape sequence in a string."),
        }
    }

    pub(super) fn is(&self, sign: &str) -> bool {
        matches!(&self.next, Token::Sign(found) if *found == sign)
    }

    pub(super) fn is_word(&self, word: &str) -> bool {
        matches!(&self.next, Token::Name(name) if name == word)
    }

    pub(super) fn take(&mut self, sign: &str) -> Read<bool> {
        let found = self.is(sign);
        if found {
            self.advance()?;
        }
        Ok(found)
    }

    pub(super) fn take_word(&mut self, word: &str) -> Read<bool> {
        let found = self.is_word(word);
        if found {
            self.advance()?;
        }
        Ok(found)
    }

    pub(super) fn expect(&mut self, sign: &str) -> Read<()> {
        if self.take(sign)? { Ok(()) } else { self.unexpected(&format!("'{sign}'")) }
    }

    pub(super) fn name(&mut self) -> Read<String> {
        match &self.next {
            Token::Name(_) => match self.advance()? {
                Token::Name(name) => Ok(name),
                _ => Ok(String::new()),
            },
            _ => self.unexpected("a name"),
        }
    }

    /// One level deeper.
    pub(super) fn nested<T>(&mut self, body: impl FnOnce(&mut Self) -> Read<T>) -> Read<T> {
        if self.depth >= DEPTH_MAX {
            return self.fail(format!("Syntax Error: The text nests deeper than {DEPTH_MAX}."));
        }
        self.depth += 1;
        let result = body(self);
        self.depth -= 1;
        result
    }

    pub(super) fn type_ref(&mut self) -> Read<TypeRef> {
        let of = if self.take("[")? {
            let inner = self.nested(Self::type_ref)?;
            self.expect("]")?;
            TypeRef::List(Box::new(inner))
        } else {
            TypeRef::Named(self.name()?)
        };
        Ok(if self.take("!")? { TypeRef::NonNull(Box::new(of)) } else { of })
    }

    pub(super) fn value(&mut self) -> Read<Value> {
        self.nested(Self::value_here)
    }

    fn value_here(&mut self) -> Read<Value> {
        let place = self.place();
        if self.take("$")? {
            return Ok(Value::Variable(self.name()?, place));
        }
        if self.take("[")? {
            let mut items = Vec::new();
            while !self.take("]")? {
                items.push(self.value()?);
            }
            return Ok(Value::List(items));
        }
        if self.take("{")? {
            let mut fields = Vec::new();
            while !self.take("}")? {
                let name = self.name()?;
                self.expect(":")?;
                fields.push((name, self.value()?));
            }
            return Ok(Value::Object(fields));
        }
        if matches!(self.next, Token::Sign(_) | Token::End) {
            return self.unexpected("a value");
        }
        Ok(match self.advance()? {
            Token::Int(text) => Value::Int(text),
            Token::Float(text) => Value::Float(text),
            Token::String(text) => Value::String(text),
            Token::Name(name) => match name.as_str() {
                "true" | "false" => Value::Boolean(name == "true"),
                "null" => Value::Null,
                _ => Value::Enum(name),
            },
            Token::Sign(_) | Token::End => Value::Null,
        })
    }
}
