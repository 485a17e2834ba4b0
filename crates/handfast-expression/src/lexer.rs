//! Text to tokens, by the lexical rules of C# 7. Offsets are bytes into the expression text.
//!
//! Interpolated strings become one token whose holes are ranges of the text, parsed later in place.

use crate::types::Prim;
use crate::value::Value;
use rust_decimal::Decimal;

/// What a token is.
#[derive(Clone, Debug)]
pub(crate) enum Tok {
    /// Identifier or keyword; `@name` is never a keyword.
    Word(String, bool),
    Literal(Value),
    Interpolated(Vec<Part>),
    Punct(&'static str),
    End,
}

/// A piece of an interpolated string.
#[derive(Clone, Debug)]
pub(crate) enum Part {
    Text(String),
    /// Where the expression and its alignment stand, and the format text.
    Hole {
        start: usize,
        end: usize,
        format: Option<String>,
    },
}

/// A token and where it starts.
#[derive(Clone, Debug)]
pub(crate) struct Token {
    pub(crate) tok: Tok,
    pub(crate) at: usize,
    pub(crate) end: usize,
}

/// A lexical or syntax error.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    pub(crate) code: &'static str,
    pub(crate) message: String,
    pub(crate) at: usize,
}

impl Problem {
    pub(crate) fn new(code: &'static str, message: impl Into<String>, at: usize) -> Self {
        Self { code, message: message.into(), at }
    }
}

const PUNCTS: &[&str] = &[
    "<<=", ">>=", "??=", "=>", "==", "!=", "<=", ">=", "&&", "||", "??", "?.", "?[", "++", "--", "+=", "-=",
    "*=", "/=", "%=", "&=", "|=", "^=", "<<", "::", "(", ")", "[", "]", "{", "}", ";", ",", ".", ":", "?",
    "+", "-", "*", "/", "%", "&", "|", "^", "!", "~", "<", ">", "=",
];

/// Tokens of the text between two offsets.
pub(crate) fn lex(text: &str, from: usize, to: usize) -> Result<Vec<Token>, Problem> {
    let mut lexer = Lexer { text, holes: 0, at: from, to };
    let mut tokens = Vec::new();
    loop {
        lexer.skip_space()?;
        let at = lexer.at;
        if at >= lexer.to {
            tokens.push(Token { tok: Tok::End, at: to, end: to });
            return Ok(tokens);
        }
        let tok = lexer.token()?;
        tokens.push(Token { tok, at, end: lexer.at });
    }
}

/// Deepest nesting of interpolated strings.
const HOLES_MAX: usize = 16;

struct Lexer<'a> {
    text: &'a str,
    holes: usize,
    at: usize,
    to: usize,
}

impl Lexer<'_> {
    fn rest(&self) -> &str {
        self.text.get(self.at..self.to).unwrap_or("")
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn bump(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at += next.len_utf8();
        Some(next)
    }

    fn skip_space(&mut self) -> Result<(), Problem> {
        loop {
            let rest = self.rest();
            if rest.starts_with("//") {
                self.at += rest.find('\n').unwrap_or(rest.len());
            } else if rest.starts_with("/*") {
                let Some(end) = rest.find("*/") else {
                    return Err(Problem::new("CS1035", "End-of-file found, '*/' expected", self.at));
                };
                self.at += end + 2;
            } else if self.peek().is_some_and(|c| c.is_whitespace() || c == '\u{feff}') {
                self.bump();
            } else {
                return Ok(());
            }
        }
    }

    fn token(&mut self) -> Result<Tok, Problem> {
        let rest = self.rest();
        for (prefix, verbatim, interpolated) in [
            ("$@\"", true, true),
            ("@$\"", true, true),
            ("$\"", false, true),
            ("@\"", true, false),
            ("\"", false, false),
        ] {
            if rest.starts_with(prefix) {
                self.at += prefix.len();
                return if interpolated { self.interpolated(verbatim) } else { self.string(verbatim) };
            }
        }
        let first = self.peek().unwrap_or(' ');
        if first == '\'' {
            return self.character();
        }
        if first.is_ascii_digit() || (first == '.' && rest[1..].starts_with(|c: char| c.is_ascii_digit())) {
            return self.number();
        }
        let verbatim = first == '@' && rest[1..].starts_with(is_start);
        if is_start(first) || verbatim {
            self.at += usize::from(verbatim);
            let word: String = self.rest().chars().take_while(|c| is_start(*c) || c.is_numeric()).collect();
            self.at += word.len();
            return Ok(Tok::Word(word, verbatim));
        }
        let conditional = rest.starts_with("?.") && rest[2..].starts_with(|c: char| c.is_ascii_digit());
        for punct in PUNCTS {
            if rest.starts_with(punct) && !(conditional && *punct == "?.") {
                self.at += punct.len();
                return Ok(Tok::Punct(punct));
            }
        }
        Err(Problem::new("CS1056", format!("Unexpected character '{first}'"), self.at))
    }

    fn string(&mut self, verbatim: bool) -> Result<Tok, Problem> {
        let mut units = Vec::new();
        loop {
            let at = self.at;
            match self.bump() {
                Some('"') if verbatim && self.rest().starts_with('"') => {
                    self.at += 1;
                    units.push(u16::from(b'"'));
                }
                Some('"') => return Ok(Tok::Literal(Value::str(String::from_utf16_lossy(&units)))),
                Some('\\') if !verbatim => self.escape(at, &mut units)?,
                Some('\n') | None if !verbatim => {
                    return Err(Problem::new("CS1010", "Newline in constant", at));
                }
                None => return Err(Problem::new("CS1039", "Unterminated string literal", at)),
                Some(other) => push(&mut units, other),
            }
        }
    }

    fn escape(&mut self, at: usize, units: &mut Vec<u16>) -> Result<(), Problem> {
        let wrong = || Problem::new("CS1009", "Unrecognized escape sequence", at);
        let plain = match self.bump().ok_or_else(wrong)? {
            c @ ('\'' | '"' | '\\') => c,
            '0' => '\0',
            'a' => '\u{7}',
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'v' => '\u{b}',
            c @ ('x' | 'u' | 'U') => {
                let max = match c {
                    'U' => 8,
                    _ => 4,
                };
                let digits: String =
                    self.rest().chars().take(max).take_while(char::is_ascii_hexdigit).collect();
                if digits.is_empty() || (c != 'x' && digits.len() < max) {
                    return Err(wrong());
                }
                self.at += digits.len();
                let number = u32::from_str_radix(&digits, 16).map_err(|_| wrong())?;
                match u16::try_from(number) {
                    Ok(unit) => units.push(unit),
                    Err(_) => push(units, char::from_u32(number).ok_or_else(wrong)?),
                }
                return Ok(());
            }
            _ => return Err(wrong()),
        };
        push(units, plain);
        Ok(())
    }

    fn character(&mut self) -> Result<Tok, Problem> {
        let at = self.at;
        self.at += 1;
        let mut units = Vec::new();
        loop {
            let here = self.at;
            match self.bump() {
                Some('\'') if units.is_empty() => {
                    return Err(Problem::new("CS1011", "Empty character literal", at));
                }
                Some('\'') => break,
                Some('\\') => self.escape(here, &mut units)?,
                Some('\n') | None => return Err(Problem::new("CS1010", "Newline in constant", at)),
                Some(other) => push(&mut units, other),
            }
        }
        match units[..] {
            [unit] => Ok(Tok::Literal(Value::Char(unit))),
            _ => Err(Problem::new("CS1012", "Too many characters in character literal", at)),
        }
    }

    fn number(&mut self) -> Result<Tok, Problem> {
        let at = self.at;
        let lower = self.rest().to_ascii_lowercase();
        for (prefix, radix) in [("0x", 16), ("0b", 2)] {
            if lower.starts_with(prefix) {
                self.at += 2;
                let digits: String =
                    self.rest().chars().take_while(|c| c.is_digit(radix) || *c == '_').collect();
                self.at += digits.len();
                let number = u64::from_str_radix(&digits.replace('_', ""), radix);
                return self.integer(number.map_err(|_| Problem::new("CS1013", "Invalid number", at))?, at);
            }
        }
        let digits = |lexer: &mut Self| {
            let run: String = lexer.rest().chars().take_while(|c| c.is_ascii_digit() || *c == '_').collect();
            lexer.at += run.len();
            run.replace('_', "")
        };
        let mut text = digits(self);
        let mut real = false;
        if self.rest().starts_with('.') && self.rest()[1..].starts_with(|c: char| c.is_ascii_digit()) {
            self.at += 1;
            real = true;
            text = format!("{text}.{}", digits(self));
        }
        let exponent = self.rest().trim_start_matches(['e', 'E']);
        let sign = exponent.starts_with(['+', '-']);
        if self.rest().starts_with(['e', 'E'])
            && exponent[usize::from(sign)..].starts_with(|c: char| c.is_ascii_digit())
        {
            let mark = if exponent.starts_with('-') { "e-" } else { "e" };
            self.at += 1 + usize::from(sign);
            real = true;
            text = format!("{text}{mark}{}", digits(self));
        }
        let text = if text.starts_with('.') { format!("0{text}") } else { text };
        let suffix = self.peek().map(|c| c.to_ascii_lowercase());
        let wrong =
            |_| Problem::new("CS0594", "Floating-point constant is outside the range of type 'double'", at);
        let value = match suffix {
            Some('f') => Value::Single(text.parse().map_err(|_| wrong(()))?),
            Some('d') => Value::Double(text.parse().map_err(|_| wrong(()))?),
            Some('m') => {
                let parsed = Decimal::from_str_exact(&text).or_else(|_| Decimal::from_scientific(&text));
                Value::Decimal(parsed.map_err(|_| wrong(()))?)
            }
            _ if real => return Ok(Tok::Literal(Value::Double(text.parse().map_err(|_| wrong(()))?))),
            _ => {
                let parsed = text.parse::<u64>();
                return self.integer(
                    parsed.map_err(|_| Problem::new("CS1021", "Integral constant is too large", at))?,
                    at,
                );
            }
        };
        self.at += 1;
        Ok(Tok::Literal(value))
    }

    fn integer(&mut self, number: u64, _at: usize) -> Result<Tok, Problem> {
        let suffix: String = self.rest().chars().take_while(|c| "uUlL".contains(*c)).take(2).collect();
        self.at += suffix.len();
        let suffix = suffix.to_ascii_lowercase();
        let (unsigned, long) = (suffix.contains('u'), suffix.contains('l'));
        let prim = [Prim::Int, Prim::UInt, Prim::Long, Prim::ULong]
            .into_iter()
            .filter(|prim| !unsigned || matches!(prim, Prim::UInt | Prim::ULong))
            .filter(|prim| !long || matches!(prim, Prim::Long | Prim::ULong))
            .find(|prim| i128::from(number) <= prim.range().1)
            .unwrap_or(Prim::ULong);
        Ok(Tok::Literal(Value::Int(prim, number as i64)))
    }

    fn interpolated(&mut self, verbatim: bool) -> Result<Tok, Problem> {
        let (mut parts, mut units) = (Vec::new(), Vec::new());
        loop {
            let at = self.at;
            let doubled = |lexer: &Self, c: char| lexer.rest().starts_with(c);
            match self.bump() {
                Some('"') if verbatim && doubled(self, '"') => {
                    self.at += 1;
                    units.push(u16::from(b'"'));
                }
                Some('"') => {
                    parts.push(Part::Text(String::from_utf16_lossy(&units)));
                    return Ok(Tok::Interpolated(parts));
                }
                Some(brace @ ('{' | '}')) if doubled(self, brace) => {
                    self.at += 1;
                    push(&mut units, brace);
                }
                Some('{') => {
                    parts.push(Part::Text(String::from_utf16_lossy(&std::mem::take(&mut units))));
                    if self.holes >= HOLES_MAX {
                        return Err(Problem::new(
                            "CS8078",
                            "An expression is too long or complex to compile",
                            at,
                        ));
                    }
                    self.holes += 1;
                    parts.push(self.hole()?);
                    self.holes -= 1;
                }
                Some('\\') if !verbatim => self.escape(at, &mut units)?,
                Some('\n') | None if !verbatim => {
                    return Err(Problem::new("CS1010", "Newline in constant", at));
                }
                None => return Err(Problem::new("CS1039", "Unterminated string literal", at)),
                Some(other) => push(&mut units, other),
            }
        }
    }

    /// A hole: tokens up to the `}` or the `:` that belongs to it.
    fn hole(&mut self) -> Result<Part, Problem> {
        let (start, mut depth) = (self.at, 0i32);
        loop {
            self.skip_space()?;
            let end = self.at;
            if end >= self.to {
                return Err(Problem::new(
                    "CS8076",
                    "Missing close delimiter '}' for interpolated expression started with '{'.",
                    start,
                ));
            }
            match self.token()? {
                Tok::Punct("(" | "[" | "{" | "?[") => depth += 1,
                Tok::Punct("}") if depth == 0 => return Ok(Part::Hole { start, end, format: None }),
                Tok::Punct(":") if depth == 0 => {
                    let format: String = self.rest().chars().take_while(|c| *c != '}' && *c != '"').collect();
                    self.at += format.len();
                    if self.bump() != Some('}') {
                        return Err(Problem::new("CS1002", "} expected", self.at));
                    }
                    return Ok(Part::Hole { start, end, format: Some(format) });
                }
                Tok::Punct(")" | "]" | "}") => depth -= 1,
                _ => {}
            }
        }
    }
}

fn is_start(c: char) -> bool {
    c.is_alphabetic() || c == '_'
}

fn push(units: &mut Vec<u16>, c: char) {
    units.extend_from_slice(c.encode_utf16(&mut [0; 2]));
}
