//! Expressions: `[concat('a', parameters('b').c[0])]` to a tree (`spec/arm.md` §9).
//!
//! A text is an expression if its first character is `[`, its last is `]` and it does not begin with
//! `[[`. There are no operators; `''` is the only escape in a string.

use crate::fault::{Evaluated, fault};

/// The longest expression that is read, in bytes.
const EXPRESSION_BYTES_MAX: usize = 24_576;
/// Deeper nesting is refused.
const DEPTH_MAX: u32 = 100;

/// One term.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Expression {
    Text(String),
    Number(i64),
    Call { name: String, arguments: Vec<Expression> },
    Property { of: Box<Expression>, name: String },
    Index { of: Box<Expression>, index: Box<Expression> },
}

/// What a JSON text of a template stands for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Text {
    Literal(String),
    Expression(Expression),
}

/// Reads a JSON text (value or member name).
pub(crate) fn parse_text(text: &str) -> Evaluated<Text> {
    if !text.starts_with('[') || !text.ends_with(']') {
        return Ok(Text::Literal(text.to_owned()));
    }
    if text.starts_with("[[") {
        return Ok(Text::Literal(text.get(1..).unwrap_or_default().to_owned()));
    }
    if text.len() > EXPRESSION_BYTES_MAX {
        return fault(format!("the expression is longer than {EXPRESSION_BYTES_MAX} bytes"));
    }
    let inner = text.get(1..text.len() - 1).unwrap_or_default();
    let mut parser = Parser { text: inner, at: 0 };
    let term = parser.term(0)?;
    parser.blank();
    match parser.peek() {
        None => Ok(Text::Expression(term)),
        Some(found) => fault(format!(
            "found \"{found}\" at position {} of expression \"{text}\" where \"]\" was expected",
            parser.at + 1
        )),
    }
}

struct Parser<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Parser<'t> {
    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn blank(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
    }

    fn take(&mut self, wanted: char) -> bool {
        self.blank();
        let hit = self.peek() == Some(wanted);
        if hit {
            self.at += wanted.len_utf8();
        }
        hit
    }

    fn unexpected<T>(&self, wanted: &str) -> Evaluated<T> {
        let found = self.peek().map_or_else(|| "the end".to_owned(), |found| format!("\"{found}\""));
        let (at, text) = (self.at + 1, self.text);
        fault(format!(
            "found {found} at position {at} of expression \"[{text}]\" where {wanted} was expected"
        ))
    }

    fn while_in(&mut self, part: impl Fn(char) -> bool) -> &'t str {
        let rest = self.rest();
        let len = rest.find(|c| !part(c)).unwrap_or(rest.len());
        self.at += len;
        rest.get(..len).unwrap_or_default()
    }

    fn term(&mut self, depth: u32) -> Evaluated<Expression> {
        if depth > DEPTH_MAX {
            return fault(format!("the expression is nested deeper than {DEPTH_MAX} levels"));
        }
        self.blank();
        let start = match self.peek() {
            Some('\'') => Expression::Text(self.string()?),
            Some(c) if c.is_ascii_digit() || c == '-' => self.number()?,
            Some(c) if c.is_alphabetic() || c == '_' => self.call(depth)?,
            _ => return self.unexpected("a function, a string or a number"),
        };
        self.accessors(start, depth)
    }

    fn accessors(&mut self, mut term: Expression, depth: u32) -> Evaluated<Expression> {
        loop {
            if self.take('.') {
                self.blank();
                let name = self.while_in(|c| c.is_alphanumeric() || c == '_' || c == '$').to_owned();
                if name.is_empty() {
                    return self.unexpected("a property name");
                }
                term = Expression::Property { of: Box::new(term), name };
            } else if self.take('[') {
                let index = Box::new(self.term(depth + 1)?);
                if !self.take(']') {
                    return self.unexpected("\"]\"");
                }
                term = Expression::Index { of: Box::new(term), index };
            } else {
                return Ok(term);
            }
        }
    }

    fn string(&mut self) -> Evaluated<String> {
        let start = self.at + 1;
        self.at += 1;
        let mut text = String::new();
        loop {
            text.push_str(self.while_in(|c| c != '\''));
            if self.peek().is_none() {
                return fault(format!(
                    "string at position {start} of expression \"[{}]\" is not closed",
                    self.text
                ));
            }
            self.at += 1;
            if self.peek() != Some('\'') {
                return Ok(text);
            }
            text.push('\'');
            self.at += 1;
        }
    }

    fn number(&mut self) -> Evaluated<Expression> {
        let word = self.while_in(|c| c.is_ascii_digit() || c == '-');
        match word.parse() {
            Ok(number) => Ok(Expression::Number(number)),
            Err(_) => fault(format!("\"{word}\" is not a whole number")),
        }
    }

    fn call(&mut self, depth: u32) -> Evaluated<Expression> {
        let name = self.while_in(|c| c.is_alphanumeric() || matches!(c, '_' | '.' | '$' | '-')).to_owned();
        if !self.take('(') {
            return self.unexpected(&format!("\"(\" after \"{name}\""));
        }
        let mut arguments = Vec::new();
        if self.take(')') {
            return Ok(Expression::Call { name, arguments });
        }
        loop {
            arguments.push(self.term(depth + 1)?);
            if self.take(')') {
                return Ok(Expression::Call { name, arguments });
            }
            if !self.take(',') {
                return self.unexpected("\",\" or \")\"");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::Stop;

    #[test]
    fn literals_and_escapes_are_told_from_expressions() {
        for (text, literal) in [("plain", "plain"), ("[[x]", "[x]"), ("[open", "[open"), ("", "")] {
            assert_eq!(parse_text(text), Ok(Text::Literal(literal.to_owned())));
        }
        let Ok(Text::Expression(term)) = parse_text("[ f ( 'it''s', -3 ) .a [ g() ] ]") else { panic!() };
        let Expression::Index { of, .. } = term else { panic!() };
        let Expression::Property { of, name } = *of else { panic!() };
        let arguments = vec![Expression::Text("it's".into()), Expression::Number(-3)];
        assert_eq!((name.as_str(), *of), ("a", Expression::Call { name: "f".into(), arguments }));
    }

    #[test]
    fn mistakes_name_position_and_expectation() {
        for (text, message) in [
            (
                "[f(]",
                "found the end at position 3 of expression \"[f(]\" where a function, a string or a number was expected",
            ),
            (
                "[f('x']",
                "found the end at position 6 of expression \"[f('x']\" where \",\" or \")\" was expected",
            ),
            ("[f]", "found the end at position 2 of expression \"[f]\" where \"(\" after \"f\" was expected"),
            ("[f('x]", "string at position 3 of expression \"[f('x]\" is not closed"),
            ("[f() g()]", "found \"g\" at position 5 of expression \"[f() g()]\" where \"]\" was expected"),
        ] {
            let Err(Stop::Fault(fault)) = parse_text(text) else { panic!("{text}") };
            assert_eq!(fault.message, message);
        }
        assert!(parse_text(&format!("[{}1{}]", "f(".repeat(200), ")".repeat(200))).is_err());
    }
}
