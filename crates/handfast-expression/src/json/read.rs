//! JSON text to tokens, as tolerant as Newtonsoft: comments, single quotes, bare names, trailing commas.

use super::{Kind, Token};
use crate::fault::{Fault, throw};
use crate::types::Prim;
use crate::value::Value;
use std::collections::HashMap;

/// Deepest nesting.
const DEPTH_MAX: usize = 64;
/// Digits of an integer.
const DIGITS_MAX: usize = 380;
/// `JTokenType.Undefined`.
const UNDEFINED: i64 = 11;

/// Parses a text that must be one value of the wanted class (`JToken` for any).
pub(crate) fn parse(text: &str, wanted: &str) -> Result<Token, Fault> {
    let mut reader = Reader { text, at: 0, dates: true };
    reader.space();
    let first = reader.peek();
    let opens = match wanted {
        "JObject" => Some(('{', "an object")),
        "JArray" => Some(('[', "an array")),
        _ => None,
    };
    if let Some((bracket, what)) = opens
        && first != Some(bracket)
    {
        let found = match first {
            None => {
                return Err(error(format!(
                    "Error reading {wanted} from JsonReader. Path '', line 0, position 0."
                )));
            }
            Some('[') => "StartArray",
            Some('{') => "StartObject",
            Some('"' | '\'') => "String",
            Some(c) if c.is_ascii_digit() || c == '-' => "Integer",
            Some('t' | 'f') => "Boolean",
            Some(c) => {
                return Err(error(format!(
                    "Unexpected character encountered while parsing value: {c}. Path '', line 0, position 0."
                )));
            }
        };
        let text = format!(
            "Error reading {wanted} from JsonReader. Current JsonReader item is not {what}: {found}. Path '', line 1, position 1."
        );
        return Err(error(text));
    }
    if first.is_none() {
        return Err(error("Error reading JToken from JsonReader. Path '', line 0, position 0.".into()));
    }
    let token = reader.value(0, "")?;
    reader.space();
    match reader.peek() {
        None => Ok(token),
        Some(c) => Err(error(format!(
            "Additional text encountered after finished reading JSON content: {c}. Path '', {}.",
            reader.place()
        ))),
    }
}

/// As [`parse`] for any value, strings that look like dates kept as strings.
pub(crate) fn parse_plain(text: &str) -> Result<Token, Fault> {
    let mut reader = Reader { text, at: 0, dates: false };
    let token = reader.value(0, "")?;
    reader.space();
    match reader.peek() {
        None => Ok(token),
        Some(_) => Err(error("Additional text encountered after finished reading JSON content.".into())),
    }
}

fn error(text: String) -> Fault {
    throw("JsonReaderException", text)
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    /// Whether strings that look like dates become dates.
    dates: bool,
}

impl Reader<'_> {
    fn peek(&self) -> Option<char> {
        let rest = self.text.get(self.at..)?;
        match rest.as_bytes().first() {
            Some(byte) if byte.is_ascii() => Some(char::from(*byte)),
            _ => rest.chars().next(),
        }
    }

    fn place(&self) -> String {
        let before = self.text.get(..self.at).unwrap_or(self.text);
        let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
        let position = before.rsplit('\n').next().unwrap_or("").chars().count();
        format!("line {line}, position {position}")
    }

    /// Goes past the character that stands here.
    fn skip(&mut self) {
        self.at += self.peek().map_or(0, char::len_utf8);
    }

    fn space(&mut self) {
        while let Some(c) = self.peek() {
            let rest = self.text.get(self.at..).unwrap_or("");
            if rest.starts_with("/*") {
                let length = rest.find("*/").map_or(rest.len(), |end| end + 2);
                self.at += length;
            } else if rest.starts_with("//") {
                self.at += rest.find('\n').unwrap_or(rest.len());
            } else if c.is_whitespace() || c == '\u{feff}' {
                self.skip();
            } else {
                return;
            }
        }
    }

    fn value(&mut self, depth: usize, path: &str) -> Result<Token, Fault> {
        if depth > DEPTH_MAX {
            return Err(error(format!(
                "The reader's MaxDepth of {DEPTH_MAX} has been exceeded. Path '{path}', {}.",
                self.place()
            )));
        }
        self.space();
        match self.peek() {
            Some('{') => self.object(depth, path),
            Some('[') => self.array(depth, path),
            Some(quote @ ('"' | '\'')) => {
                let text = self.string(quote, path)?;
                let date = if self.dates { crate::library::time::json_date(&text) } else { None };
                Ok(Token::scalar_of(date.unwrap_or_else(|| Value::str(&text))))
            }
            Some(_) => self.literal(path),
            None => Err(error(format!(
                "Unexpected end of content while loading JSON. Path '{path}', {}.",
                self.place()
            ))),
        }
    }

    fn literal(&mut self, path: &str) -> Result<Token, Fault> {
        let start = self.at;
        while self.peek().is_some_and(|c| c.is_alphanumeric() || "+-._".contains(c)) {
            self.skip();
        }
        let word = self.text.get(start..self.at).unwrap_or("");
        let value = match word {
            "null" => Some(Value::Null),
            "undefined" => Some(Value::Enum(&crate::library::tokens::TOKEN_TYPE, UNDEFINED)),
            "true" => Some(Value::Bool(true)),
            "false" => Some(Value::Bool(false)),
            "NaN" => Some(Value::Double(f64::NAN)),
            "Infinity" => Some(Value::Double(f64::INFINITY)),
            "-Infinity" => Some(Value::Double(f64::NEG_INFINITY)),
            _ => number(word),
        };
        value.map(Token::scalar_of).ok_or_else(|| {
            self.at = start;
            let c = self.peek().unwrap_or(' ');
            error(format!(
                "Unexpected character encountered while parsing value: {c}. Path '{path}', {}.",
                self.place()
            ))
        })
    }

    fn object(&mut self, depth: usize, path: &str) -> Result<Token, Fault> {
        self.at += 1;
        let mut items: Vec<Token> = Vec::new();
        let mut known: HashMap<String, usize> = HashMap::new();
        loop {
            self.space();
            let name = match self.peek() {
                Some('}') => {
                    self.at += 1;
                    return Ok(Token::new(Kind::Object(items)));
                }
                None if depth == 0 && items.is_empty() => {
                    return Err(error(format!(
                        "Error reading JObject from JsonReader. Path '', {}.",
                        self.place()
                    )));
                }
                Some(quote @ ('"' | '\'')) => self.string(quote, path)?,
                Some(c) if c.is_alphanumeric() || c == '_' || c == '$' => {
                    let mut name = String::new();
                    while let Some(c) = self.peek().filter(|c| c.is_alphanumeric() || *c == '_' || *c == '$')
                    {
                        name.push(c);
                        self.skip();
                    }
                    name
                }
                Some(c) => {
                    return Err(error(format!(
                        "Invalid property identifier character: {c}. Path '{path}', {}.",
                        self.place()
                    )));
                }
                None => {
                    return Err(error(format!(
                        "Unexpected end of content while loading JObject. Path '{path}', {}.",
                        self.place()
                    )));
                }
            };
            self.space();
            match self.peek() {
                Some(':') => self.at += 1,
                Some(c) => {
                    return Err(error(format!(
                        "Invalid character after parsing property name. Expected ':' but got: {c}. Path '{path}', {}.",
                        self.place()
                    )));
                }
                None => {
                    return Err(error(format!(
                        "Unexpected end of content while loading JObject. Path '{path}', {}.",
                        self.place()
                    )));
                }
            }
            let inner = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            let value = self.value(depth + 1, &inner)?;
            match known.get(&name) {
                // The last of a name counts, at the place of the first.
                Some(at) => {
                    if let Some(place) = items.get_mut(*at) {
                        *place = Token::property(&name, value);
                    }
                }
                None => {
                    known.insert(name.clone(), items.len());
                    items.push(Token::property(&name, value));
                }
            }
            self.separator('}', &inner)?;
        }
    }

    fn array(&mut self, depth: usize, path: &str) -> Result<Token, Fault> {
        self.at += 1;
        let mut items = Vec::new();
        loop {
            self.space();
            if self.peek() == Some(']') {
                self.at += 1;
                return Ok(Token::new(Kind::Array(items)));
            }
            let inner = format!("{path}[{}]", items.len());
            items.push(self.value(depth + 1, &inner)?);
            self.separator(']', &inner)?;
        }
    }

    fn separator(&mut self, close: char, path: &str) -> Result<(), Fault> {
        self.space();
        match self.peek() {
            Some(',') => {
                self.at += 1;
                Ok(())
            }
            Some(c) if c == close => Ok(()),
            Some(c) => Err(error(format!(
                "After parsing a value an unexpected character was encountered: {c}. Path '{path}', {}.",
                self.place()
            ))),
            None => Err(error(format!(
                "Unexpected end of content while loading JSON. Path '{path}', {}.",
                self.place()
            ))),
        }
    }

    fn string(&mut self, quote: char, path: &str) -> Result<String, Fault> {
        self.at += 1;
        let mut out = String::new();
        loop {
            let rest = self.text.get(self.at..).unwrap_or("");
            let plain = rest.find([quote, '\\']).unwrap_or(rest.len());
            out.push_str(&rest[..plain]);
            self.at += plain;
            match self.peek() {
                None => {
                    return Err(error(format!(
                        "Unterminated string. Expected delimiter: {quote}. Path '{path}', {}.",
                        self.place()
                    )));
                }
                Some('\\') => self.escape(path, &mut out)?,
                Some(_) => {
                    self.at += 1;
                    return Ok(out);
                }
            }
        }
    }

    fn escape(&mut self, path: &str, out: &mut String) -> Result<(), Fault> {
        self.at += 1;
        let escaped = self.peek().unwrap_or(' ');
        self.skip();
        out.push(match escaped {
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            '"' | '\'' | '\\' | '/' => escaped,
            'u' => {
                let unit = self.unit(path)?;
                let low = self.text.get(self.at..).is_some_and(|rest| rest.starts_with("\\u"));
                match char::from_u32(unit) {
                    Some(c) => c,
                    None if low && unit < 0xdc00 => {
                        self.at += 2;
                        let low = self.unit(path)?;
                        char::decode_utf16([unit as u16, low as u16])
                            .next()
                            .and_then(Result::ok)
                            .unwrap_or('\u{fffd}')
                    }
                    None => '\u{fffd}',
                }
            }
            other => {
                return Err(error(format!(
                    "Bad JSON escape sequence: \\{other}. Path '{path}', {}.",
                    self.place()
                )));
            }
        });
        Ok(())
    }

    /// The four digits of an escape.
    fn unit(&mut self, path: &str) -> Result<u32, Fault> {
        let digits: String = self.text.get(self.at..).unwrap_or("").chars().take(4).collect();
        self.at += digits.len();
        let valid = digits.len() == 4 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        u32::from_str_radix(&digits, 16).ok().filter(|_| valid).ok_or_else(|| {
            error(format!("Invalid Unicode escape sequence: \\u{digits}. Path '{path}', {}.", self.place()))
        })
    }
}

fn number(word: &str) -> Option<Value> {
    let long = |number: i64| Value::Int(Prim::Long, number);
    if let Some(hex) = word.strip_prefix("0x").or_else(|| word.strip_prefix("0X")) {
        return i64::from_str_radix(hex, 16).ok().map(long);
    }
    if word.len() > 1 && word.starts_with('0') && word.chars().all(|c| c.is_digit(8)) {
        return i64::from_str_radix(word, 8).ok().map(long);
    }
    if !word.starts_with(|c: char| c.is_ascii_digit() || c == '-' || c == '.') {
        return None;
    }
    let digits = word.strip_prefix('-').unwrap_or(word);
    match word.parse::<i64>() {
        Ok(number) => Some(long(number)),
        Err(_) if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) => (digits.len()
            <= DIGITS_MAX)
            .then(|| Value::record("BigInteger", vec![("Text", Value::str(word))])),
        Err(_) => word.parse::<f64>().ok().map(Value::Double),
    }
}
