//! JSON text to tokens, as tolerant as Newtonsoft: comments, single quotes, bare names, trailing commas.

use super::{Kind, Token};
use crate::fault::{Fault, throw};
use crate::types::Prim;
use crate::value::Value;

/// Deepest nesting.
const DEPTH_MAX: usize = 64;

/// Parses a text that must be one value of the wanted class (`JToken` for any).
pub(crate) fn parse(text: &str, wanted: &str) -> Result<Token, Fault> {
    let mut reader = Reader { chars: text.chars().collect(), at: 0, dates: true };
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
    let mut reader = Reader { chars: text.chars().collect(), at: 0, dates: false };
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

struct Reader {
    chars: Vec<char>,
    at: usize,
    /// Whether strings that look like dates become dates.
    dates: bool,
}

impl Reader {
    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn place(&self) -> String {
        let before = self.chars.get(..self.at).unwrap_or(&[]);
        let line = before.iter().filter(|c| **c == '\n').count() + 1;
        let position = before.iter().rev().take_while(|c| **c != '\n').count();
        format!("line {line}, position {position}")
    }

    fn space(&mut self) {
        while let Some(c) = self.peek() {
            match (c, self.chars.get(self.at + 1)) {
                ('/', Some('*')) => {
                    self.at += 2;
                    while self.at < self.chars.len()
                        && !(self.peek() == Some('*') && self.chars.get(self.at + 1) == Some(&'/'))
                    {
                        self.at += 1;
                    }
                    self.at = (self.at + 2).min(self.chars.len());
                }
                ('/', Some('/')) => {
                    while self.peek().is_some_and(|c| c != '\n') {
                        self.at += 1;
                    }
                }
                _ if c.is_whitespace() || c == '\u{feff}' => self.at += 1,
                _ => return,
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
            self.at += 1;
        }
        let word: String = self.chars.get(start..self.at).unwrap_or(&[]).iter().collect();
        let value = match word.as_str() {
            "null" | "undefined" => Some(Value::Null),
            "true" => Some(Value::Bool(true)),
            "false" => Some(Value::Bool(false)),
            "NaN" => Some(Value::Double(f64::NAN)),
            "Infinity" => Some(Value::Double(f64::INFINITY)),
            "-Infinity" => Some(Value::Double(f64::NEG_INFINITY)),
            _ => number(&word),
        };
        value.map(Token::scalar_of).ok_or_else(|| {
            let c = self.chars.get(start).copied().unwrap_or(' ');
            self.at = start;
            error(format!(
                "Unexpected character encountered while parsing value: {c}. Path '{path}', {}.",
                self.place()
            ))
        })
    }

    fn object(&mut self, depth: usize, path: &str) -> Result<Token, Fault> {
        self.at += 1;
        let token = Token::new(Kind::Object(Vec::new()));
        loop {
            self.space();
            let name = match self.peek() {
                Some('}') => {
                    self.at += 1;
                    return Ok(token);
                }
                None if depth == 0 && token.children().is_empty() => {
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
                        self.at += 1;
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
            token.set(&name, value);
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
        let mut units: Vec<u16> = Vec::new();
        while let Some(c) = self.peek() {
            self.at += 1;
            match c {
                c if c == quote => return Ok(String::from_utf16_lossy(&units)),
                '\\' => {
                    let escaped = self.peek().unwrap_or(' ');
                    self.at += 1;
                    let plain = match escaped {
                        'b' => 8,
                        'f' => 12,
                        'n' => 10,
                        'r' => 13,
                        't' => 9,
                        '"' | '\'' | '\\' | '/' => escaped as u16,
                        'u' => {
                            let digits: String = self.chars.iter().skip(self.at).take(4).collect();
                            self.at += digits.chars().count();
                            u16::from_str_radix(&digits, 16).map_err(|_| {
                                error(format!(
                                    "Invalid Unicode escape sequence: \\u{digits}. Path '{path}', {}.",
                                    self.place()
                                ))
                            })?
                        }
                        other => {
                            return Err(error(format!(
                                "Bad JSON escape sequence: \\{other}. Path '{path}', {}.",
                                self.place()
                            )));
                        }
                    };
                    units.push(plain);
                }
                c => units.extend_from_slice(c.encode_utf16(&mut [0; 2])),
            }
        }
        Err(error(format!(
            "Unterminated string. Expected delimiter: {quote}. Path '{path}', {}.",
            self.place()
        )))
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
    match word.parse::<i64>() {
        Ok(number) => Some(long(number)),
        Err(_) => word.parse::<f64>().ok().map(Value::Double),
    }
}
