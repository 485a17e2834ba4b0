//! What stands between the braces: operands, filters and conditions.

use super::LiquidError;
use super::filters::{self, Filter};
use serde_json::Value;

/// A value that is written down or looked up.
#[derive(Debug, Clone)]
pub(super) enum Operand {
    Literal(Value),
    /// `empty` and `blank`, which equal anything without content.
    Empty,
    Path {
        root: String,
        steps: Vec<Step>,
    },
    Range(Box<Operand>, Box<Operand>),
}

/// One step of a path.
#[derive(Debug, Clone)]
pub(super) enum Step {
    Name(String),
    Index(Operand),
}

/// An operand and what is done to it.
#[derive(Debug)]
pub(super) struct Output {
    pub(super) operand: Operand,
    pub(super) filters: Vec<Call>,
}

#[derive(Debug)]
pub(super) struct Call {
    pub(super) filter: &'static Filter,
    pub(super) arguments: Vec<Operand>,
}

#[derive(Debug)]
pub(super) enum Condition {
    Truth(Operand),
    Compare(Operand, Comparison, Operand),
    And(Box<Condition>, Box<Condition>),
    Or(Box<Condition>, Box<Condition>),
    Not(Box<Condition>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Contains,
    StartsWith,
    EndsWith,
}

/// Nesting of `[...]` in paths and of ranges.
const DEPTH_MAX: usize = 32;

/// Reads what stands between braces.
pub(super) struct Reader<'a> {
    source: &'a str,
    at: usize,
    /// Where the text begins in the template.
    offset: usize,
    depth: usize,
    /// Roots of the paths that were read.
    pub(super) roots: Vec<String>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(source: &'a str, offset: usize) -> Self {
        Self { source, at: 0, offset, depth: 0, roots: Vec::new() }
    }

    pub(super) fn error(&self, message: impl Into<String>) -> LiquidError {
        LiquidError { offset: self.offset + self.at, message: message.into() }
    }

    fn rest(&self) -> &'a str {
        self.source.get(self.at..).unwrap_or_default()
    }

    fn skip_space(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start().len();
    }

    /// Takes this text if it comes next.
    pub(super) fn take(&mut self, text: &str) -> bool {
        self.skip_space();
        let found = self.rest().starts_with(text);
        if found {
            self.at += text.len();
        }
        found
    }

    /// Takes this word, in any case, if it comes next.
    pub(super) fn take_word(&mut self, word: &str) -> bool {
        self.skip_space();
        let found = self.peek_word().is_some_and(|next| next.eq_ignore_ascii_case(word));
        if found {
            self.at += word.len();
        }
        found
    }

    fn peek_word(&self) -> Option<&'a str> {
        let rest = self.rest();
        let name = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
        let end = rest.find(|c| !name(c)).unwrap_or(rest.len());
        let word = rest.get(..end)?;
        word.starts_with(|c: char| c.is_alphabetic() || c == '_').then_some(word)
    }

    pub(super) fn word(&mut self, what: &str) -> Result<String, LiquidError> {
        self.skip_space();
        let word = self.peek_word().ok_or_else(|| self.error(format!("{what} is expected")))?;
        self.at += word.len();
        Ok(word.to_owned())
    }

    pub(super) fn end(&mut self) -> Result<(), LiquidError> {
        self.skip_space();
        match self.rest().is_empty() {
            true => Ok(()),
            false => Err(self.error(format!("\"{}\" is not expected here", self.rest()))),
        }
    }

    /// An operand with filters, to the end.
    pub(super) fn output(&mut self) -> Result<Output, LiquidError> {
        let operand = self.operand()?;
        let mut calls = Vec::new();
        while self.take("|") {
            let name = self.word("the name of a filter")?;
            let filter =
                filters::find(&name).ok_or_else(|| self.error(format!("unknown filter \"{name}\"")))?;
            let mut arguments = Vec::new();
            if self.take(":") {
                arguments.push(self.operand()?);
                while self.take(",") {
                    arguments.push(self.operand()?);
                }
            }
            if !filter.arguments.contains(&arguments.len()) {
                let (least, most) = (filter.arguments.start(), filter.arguments.end());
                return Err(self.error(format!(
                    "filter \"{name}\" has {} arguments; {least} to {most} are accepted",
                    arguments.len()
                )));
            }
            calls.push(Call { filter, arguments });
        }
        self.end()?;
        Ok(Output { operand, filters: calls })
    }

    pub(super) fn operand(&mut self) -> Result<Operand, LiquidError> {
        if self.depth >= DEPTH_MAX {
            return Err(self.error("the expression is nested too deeply"));
        }
        self.depth += 1;
        let operand = self.operand_inner();
        self.depth -= 1;
        operand
    }

    fn operand_inner(&mut self) -> Result<Operand, LiquidError> {
        self.skip_space();
        let next = self.rest().chars().next();
        match next {
            Some(quote @ ('"' | '\'')) => {
                let text = &self.rest()[1..];
                let end = text.find(quote).ok_or_else(|| self.error("the string has no end"))?;
                self.at += end + 2;
                Ok(Operand::Literal(Value::String(text[..end].to_owned())))
            }
            Some('(') => {
                self.at += 1;
                let from = self.operand()?;
                if !self.take("..") {
                    return Err(self.error("\"..\" is expected"));
                }
                let to = self.operand()?;
                match self.take(")") {
                    true => Ok(Operand::Range(Box::new(from), Box::new(to))),
                    false => Err(self.error("\")\" is expected")),
                }
            }
            Some(c) if c.is_ascii_digit() || c == '-' => self.number(),
            _ => self.path(),
        }
    }

    fn number(&mut self) -> Result<Operand, LiquidError> {
        let rest = self.rest();
        let digits = rest[1..].find(|c: char| !c.is_ascii_digit()).map_or(rest.len(), |end| end + 1);
        let fraction = rest[digits..]
            .strip_prefix('.')
            .map(|tail| tail.find(|c: char| !c.is_ascii_digit()).unwrap_or(tail.len()))
            .filter(|&length| length > 0);
        let end = digits + fraction.map_or(0, |length| length + 1);
        let text = &rest[..end];
        let value = match fraction {
            None => text.parse::<i64>().ok().map(Value::from),
            Some(_) => text.parse::<f64>().ok().map(Value::from),
        };
        let value = value.ok_or_else(|| self.error(format!("\"{text}\" is no number")))?;
        self.at += end;
        Ok(Operand::Literal(value))
    }

    fn path(&mut self) -> Result<Operand, LiquidError> {
        let root = self.word("a value")?;
        match root.as_str() {
            "true" => return Ok(Operand::Literal(Value::Bool(true))),
            "false" => return Ok(Operand::Literal(Value::Bool(false))),
            "nil" | "null" => return Ok(Operand::Literal(Value::Null)),
            "empty" | "blank" => return Ok(Operand::Empty),
            _ => {}
        }
        let mut steps = Vec::new();
        loop {
            if self.rest().starts_with('.') && !self.rest().starts_with("..") {
                self.at += 1;
                steps.push(Step::Name(self.word("a name")?));
            } else if self.take("[") {
                steps.push(Step::Index(self.operand()?));
                if !self.take("]") {
                    return Err(self.error("\"]\" is expected"));
                }
            } else {
                break;
            }
        }
        self.roots.push(root.clone());
        Ok(Operand::Path { root, steps })
    }

    /// A condition, to the end. `and` and `or` have one rank and group from the right, as in every Liquid.
    pub(super) fn condition(&mut self) -> Result<Condition, LiquidError> {
        if self.depth >= DEPTH_MAX {
            return Err(self.error("the condition has too many parts"));
        }
        let left = self.operand()?;
        let comparison = self.comparison()?;
        let simple = match comparison {
            None => Condition::Truth(left),
            Some(comparison) => Condition::Compare(left, comparison, self.operand()?),
        };
        self.depth += 1;
        let whole = if self.take_word("and") {
            Condition::And(Box::new(simple), Box::new(self.condition()?))
        } else if self.take_word("or") {
            Condition::Or(Box::new(simple), Box::new(self.condition()?))
        } else {
            self.end()?;
            simple
        };
        self.depth -= 1;
        Ok(whole)
    }

    fn comparison(&mut self) -> Result<Option<Comparison>, LiquidError> {
        const SIGNS: &[(&str, Comparison)] = &[
            ("==", Comparison::Equal),
            ("!=", Comparison::NotEqual),
            ("<>", Comparison::NotEqual),
            ("<=", Comparison::LessOrEqual),
            (">=", Comparison::GreaterOrEqual),
            ("<", Comparison::Less),
            (">", Comparison::Greater),
        ];
        const WORDS: &[(&str, Comparison)] = &[
            ("contains", Comparison::Contains),
            ("startswith", Comparison::StartsWith),
            ("endswith", Comparison::EndsWith),
        ];
        if let Some((_, comparison)) = SIGNS.iter().find(|(sign, _)| self.take(sign)) {
            return Ok(Some(*comparison));
        }
        if let Some((_, comparison)) = WORDS.iter().find(|(word, _)| self.take_word(word)) {
            return Ok(Some(*comparison));
        }
        self.skip_space();
        match self.peek_word() {
            None if self.rest().is_empty() => Ok(None),
            Some(word) if word.eq_ignore_ascii_case("and") || word.eq_ignore_ascii_case("or") => Ok(None),
            _ => Err(self.error("a comparison such as \"==\" or \"contains\" is expected")),
        }
    }
}
