//! JSONPath in Newtonsoft's dialect: `SelectToken` and `SelectTokens`.
//!
//! A path is parsed to steps, then evaluated breadth by breadth. Filters know comparisons, `&&`, `||`, `=~` and
//! existence; they have no functions. The budget counts visited tokens.

use super::Token;
use crate::arith;
use crate::fault::{Fault, throw};
use crate::regex;
use crate::value::Value;
use std::cmp::Ordering;

/// Longest path.
const BYTES_MAX: usize = 16 << 10;
/// Deepest nesting of filters.
const DEPTH_MAX: usize = 32;

#[derive(Debug)]
enum Step {
    /// A property by name; from here, or from everywhere below.
    Field(String, bool),
    Fields(Vec<String>, bool),
    Index(usize),
    Indexes(Vec<usize>),
    Slice(Option<i64>, Option<i64>, i64),
    /// `*`.
    All(bool),
    Filter(Condition, bool),
}

#[derive(Debug)]
enum Operand {
    /// A path from the item (`@`) or from the root (`$`).
    Path(bool, Vec<Step>),
    Literal(Value),
    Pattern(Box<regex::Regex>),
}

#[derive(Debug)]
enum Condition {
    Exists(Operand),
    Compare(&'static str, Operand, Operand),
    All(Vec<Condition>),
    Any(Vec<Condition>),
}

fn wrong(text: impl Into<String>) -> Fault {
    throw("JsonException", text)
}

struct Parser<'a> {
    rest: &'a str,
    depth: usize,
}

/// Selects tokens; with `strict` what is missing is an error.
pub(crate) fn select(
    root: &Token,
    path: &str,
    strict: bool,
    budget: &mut usize,
) -> Result<Vec<Token>, Fault> {
    if path.len() > BYTES_MAX {
        return Err(wrong(format!("The path is longer than {BYTES_MAX} bytes.")));
    }
    let mut parser = Parser { rest: path, depth: 0 };
    if let Some(rest) = parser.rest.strip_prefix('$') {
        parser.rest = rest;
    }
    let steps = parser.steps(true)?;
    let mut search = Search { root, budget, strict };
    search.run(vec![root.clone()], &steps)
}

impl<'a> Parser<'a> {
    fn take(&mut self, token: &str) -> bool {
        match self.rest.strip_prefix(token) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn space(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn until(&mut self, end: impl Fn(char) -> bool) -> &'a str {
        let length = self.rest.find(end).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(length);
        self.rest = rest;
        word
    }

    /// Steps up to the end, or inside a filter up to what cannot belong to a path.
    fn steps(&mut self, whole: bool) -> Result<Vec<Step>, Fault> {
        let mut out = Vec::new();
        loop {
            if self.rest.is_empty() {
                return Ok(out);
            }
            let deep = self.take("..");
            let dotted = deep || self.take(".");
            if self.take("[") {
                out.push(self.bracket(deep)?);
            } else if self.take("*") {
                out.push(Step::All(deep));
            } else {
                let stops =
                    |c: char| ".[".contains(c) || (!whole && (c.is_whitespace() || "]()=<>!&|,".contains(c)));
                let name = self.until(stops);
                if name.is_empty() {
                    if dotted {
                        return Err(wrong("Unexpected end while parsing path."));
                    }
                    return if whole {
                        Err(wrong(format!("Unexpected character while parsing path: {}", self.rest)))
                    } else {
                        Ok(out)
                    };
                }
                out.push(Step::Field(name.to_owned(), deep));
            }
        }
    }

    fn quoted(&mut self) -> Result<Option<String>, Fault> {
        let Some(quote) = self.rest.chars().next().filter(|c| matches!(c, '\'' | '"')) else {
            return Ok(None);
        };
        let mut out = String::new();
        let mut chars = self.rest.char_indices().skip(1);
        while let Some((at, c)) = chars.next() {
            match c {
                '\\' => out.push(match chars.next().map(|pair| pair.1) {
                    Some('n') => '\n',
                    Some('t') => '\t',
                    Some('r') => '\r',
                    Some(other) => other,
                    None => break,
                }),
                c if c == quote => {
                    self.rest = &self.rest[at + 1..];
                    return Ok(Some(out));
                }
                c => out.push(c),
            }
        }
        Err(wrong("Path ended with an open string."))
    }

    fn close(&mut self) -> Result<(), Fault> {
        self.space();
        if self.take("]") { Ok(()) } else { Err(wrong("Path ended with open indexer.")) }
    }

    fn bracket(&mut self, deep: bool) -> Result<Step, Fault> {
        self.space();
        if self.take("?") {
            self.space();
            if !self.take("(") {
                return Err(wrong("Unexpected character while parsing path query."));
            }
            let condition = self.any()?;
            self.space();
            if !self.take(")") {
                return Err(wrong("Path ended with open query."));
            }
            self.close()?;
            return Ok(Step::Filter(condition, deep));
        }
        if self.take("*") {
            self.close()?;
            return Ok(Step::All(deep));
        }
        if let Some(first) = self.quoted()? {
            let mut names = vec![first];
            self.space();
            while self.take(",") {
                self.space();
                names.push(
                    self.quoted()?
                        .ok_or_else(|| wrong("Unexpected character while parsing path indexer."))?,
                );
                self.space();
            }
            self.close()?;
            return Ok(match names.len() {
                1 => Step::Field(names.remove(0), deep),
                _ => Step::Fields(names, deep),
            });
        }
        let inside = self.until(|c| c == ']');
        self.close()?;
        self.numbers(inside)
    }

    fn numbers(&self, inside: &str) -> Result<Step, Fault> {
        let bad = || wrong(format!("Unexpected character while parsing path indexer: {inside}"));
        let number = |text: &str| -> Result<Option<i64>, Fault> {
            match text.trim() {
                "" => Ok(None),
                digits => digits.parse().map(Some).map_err(|_| bad()),
            }
        };
        if inside.contains(':') {
            let parts = inside.split(':').map(number).collect::<Result<Vec<_>, _>>()?;
            let part = |at: usize| parts.get(at).copied().flatten();
            let step = part(2).unwrap_or(1);
            if step == 0 || parts.len() > 3 {
                return Err(wrong("Step cannot be zero."));
            }
            return Ok(Step::Slice(part(0), part(1), step));
        }
        let indexes =
            inside.split(',').map(|text| number(text)?.ok_or_else(bad)).collect::<Result<Vec<_>, _>>()?;
        let plain = indexes.iter().map(|index| {
            usize::try_from(*index).map_err(|_| {
                crate::fault::out_of_range(
                    "index",
                    "Index was out of range. Must be non-negative and less than the size of the collection.",
                )
            })
        });
        let mut plain = plain.collect::<Result<Vec<_>, _>>()?;
        Ok(if plain.len() == 1 { Step::Index(plain.remove(0)) } else { Step::Indexes(plain) })
    }

    fn any(&mut self) -> Result<Condition, Fault> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(wrong(format!("The filter is nested more than {DEPTH_MAX} deep.")));
        }
        let mut parts = vec![self.all()?];
        self.space();
        while self.take("||") {
            parts.push(self.all()?);
            self.space();
        }
        self.depth -= 1;
        Ok(if parts.len() == 1 { parts.remove(0) } else { Condition::Any(parts) })
    }

    fn all(&mut self) -> Result<Condition, Fault> {
        let mut parts = vec![self.condition()?];
        self.space();
        while self.take("&&") {
            parts.push(self.condition()?);
            self.space();
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Condition::All(parts) })
    }

    fn condition(&mut self) -> Result<Condition, Fault> {
        self.space();
        if self.take("(") {
            let inner = self.any()?;
            self.space();
            return if self.take(")") { Ok(inner) } else { Err(wrong("Path ended with open query.")) };
        }
        let left = self.operand()?;
        self.space();
        const OPERATORS: &[&str] = &["===", "!==", "==", "!=", "<>", "<=", ">=", "=~", "<", ">"];
        let Some(op) = OPERATORS.iter().find(|op| self.rest.starts_with(**op)).copied() else {
            return Ok(Condition::Exists(left));
        };
        self.take(op);
        self.space();
        let right = if op == "=~" { self.pattern()? } else { self.operand()? };
        Ok(Condition::Compare(op, left, right))
    }

    fn operand(&mut self) -> Result<Operand, Fault> {
        self.space();
        if self.take("@") {
            return Ok(Operand::Path(false, self.steps(false)?));
        }
        if self.take("$") {
            return Ok(Operand::Path(true, self.steps(false)?));
        }
        if let Some(text) = self.quoted()? {
            return Ok(Operand::Literal(Value::str(text)));
        }
        let word = self.until(|c| c.is_whitespace() || ")]=!<>&|".contains(c));
        let scalar = match word {
            "true" | "false" => Some(Value::Bool(word == "true")),
            "null" => Some(Value::Null),
            _ => word
                .parse::<i64>()
                .map(|number| Value::Int(crate::types::Prim::Long, number))
                .or_else(|_| word.parse::<f64>().map(Value::Double))
                .ok(),
        };
        scalar
            .map(Operand::Literal)
            .ok_or_else(|| wrong(format!("Could not read query operator or value: {word}{}", self.rest)))
    }

    fn pattern(&mut self) -> Result<Operand, Fault> {
        if !self.take("/") {
            return Err(wrong("Could not read query operator."));
        }
        let mut text = String::new();
        loop {
            let mut chars = self.rest.chars();
            match chars.next() {
                Some('/') => break,
                Some('\\') if chars.as_str().starts_with('/') => {
                    text.push('/');
                    self.rest = &self.rest[2..];
                    continue;
                }
                Some('\\') => {
                    text.push('\\');
                    text.extend(chars.next());
                }
                Some(c) => text.push(c),
                None => return Err(wrong("Path ended with an open regex.")),
            }
            self.rest = chars.as_str();
        }
        self.take("/");
        let flags = self.until(|c| !c.is_ascii_alphabetic());
        let options = flags.chars().fold(0, |sum, flag| {
            sum | match flag {
                'i' => 1,
                'm' => 2,
                's' => 16,
                'x' => 32,
                _ => 0,
            }
        });
        Ok(Operand::Pattern(Box::new(regex::compile(&text, options)?)))
    }
}

struct Search<'a> {
    root: &'a Token,
    budget: &'a mut usize,
    strict: bool,
}

impl Search<'_> {
    fn spend(&mut self, count: usize) -> Result<(), Fault> {
        *self.budget = self.budget.checked_sub(count).ok_or(Fault::Budget)?;
        Ok(())
    }

    fn run(&mut self, mut tokens: Vec<Token>, steps: &[Step]) -> Result<Vec<Token>, Fault> {
        for step in steps {
            let mut next = Vec::new();
            for token in &tokens {
                self.spend(1)?;
                self.step(token, step, &mut next)?;
            }
            tokens = next;
        }
        Ok(tokens)
    }

    /// Values of an object's properties, or an array's items.
    fn values(&mut self, token: &Token) -> Result<Vec<Token>, Fault> {
        let children = token.children();
        self.spend(children.len())?;
        Ok(children.iter().map(Token::value).collect())
    }

    /// Everything below, outer before inner.
    fn below(&mut self, token: &Token) -> Result<Vec<Token>, Fault> {
        let mut out = Vec::new();
        let mut pending = vec![token.clone()];
        while let Some(current) = pending.pop() {
            let mut inner = self.values(&current)?;
            inner.reverse();
            out.push(current);
            pending.append(&mut inner);
        }
        Ok(out)
    }

    fn missing(&self, text: String) -> Result<(), Fault> {
        if self.strict { Err(wrong(text)) } else { Ok(()) }
    }

    fn step(&mut self, token: &Token, step: &Step, out: &mut Vec<Token>) -> Result<(), Fault> {
        let deep = matches!(step, Step::Field(_, true) | Step::Fields(_, true) | Step::Filter(_, true));
        let sources = if deep { self.below(token)? } else { vec![token.clone()] };
        match step {
            Step::Field(name, _) => {
                for source in &sources {
                    match (source.class(), source.get_in(name)) {
                        (_, Some(found)) => out.push(found),
                        (_, None) if deep => {}
                        ("JObject", None) => {
                            self.missing(format!("Property '{name}' does not exist on JObject."))?
                        }
                        (class, None) => self.missing(format!("Property '{name}' not valid on {class}."))?,
                    }
                }
            }
            Step::Fields(names, _) => {
                for source in &sources {
                    out.extend(names.iter().filter_map(|name| source.get_in(name)));
                }
            }
            Step::Index(index) => self.index(token, *index, out)?,
            Step::Indexes(indexes) => {
                for index in indexes {
                    self.index(token, *index, out)?;
                }
            }
            Step::Slice(start, end, step) => {
                if token.class() != "JArray" {
                    return self.missing(format!("Array slice is not valid on {}.", token.class()));
                }
                let items = token.children();
                self.spend(items.len())?;
                out.extend(sliced(items, *start, *end, *step));
            }
            Step::All(false) => out.extend(self.values(token)?),
            Step::All(true) => {
                for source in self.below(token)?.iter().skip(1) {
                    out.push(source.clone());
                }
            }
            Step::Filter(condition, _) => {
                for source in &sources {
                    for item in self.values(source)? {
                        if self.holds(&item, condition)? {
                            out.push(item);
                        }
                    }
                }
            }
        }
        Ok(())
    }

    fn index(&mut self, token: &Token, index: usize, out: &mut Vec<Token>) -> Result<(), Fault> {
        if token.class() != "JArray" {
            return self.missing(format!("Index {index} not valid on {}.", token.class()));
        }
        match token.child_at(index) {
            Some(found) => out.push(found),
            None => self.missing(format!("Index {index} outside the bounds of JArray."))?,
        }
        Ok(())
    }

    fn holds(&mut self, item: &Token, condition: &Condition) -> Result<bool, Fault> {
        match condition {
            Condition::All(parts) => {
                for part in parts {
                    if !self.holds(item, part)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Condition::Any(parts) => {
                for part in parts {
                    if self.holds(item, part)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Condition::Exists(operand) => Ok(!self.operand(item, operand)?.is_empty()),
            Condition::Compare("=~", left, Operand::Pattern(pattern)) => {
                for token in self.operand(item, left)? {
                    if let Value::Str(text) = token.scalar()
                        && pattern.is_match(&text, self.budget)?
                    {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Condition::Compare(op, left, right) => {
                let (left, right) = (self.operand(item, left)?, self.operand(item, right)?);
                self.spend(left.len().saturating_mul(right.len()))?;
                Ok(left.iter().any(|a| right.iter().any(|b| compared(op, a, b))))
            }
        }
    }

    fn operand(&mut self, item: &Token, operand: &Operand) -> Result<Vec<Token>, Fault> {
        match operand {
            Operand::Literal(value) => Ok(vec![Token::scalar_of(value.clone())]),
            Operand::Pattern(_) => Ok(Vec::new()),
            Operand::Path(from_root, steps) => {
                let start = if *from_root { self.root.clone() } else { item.clone() };
                let strict = std::mem::replace(&mut self.strict, false);
                let found = self.run(vec![start], steps);
                self.strict = strict;
                found
            }
        }
    }
}

fn sliced(items: Vec<Token>, start: Option<i64>, end: Option<i64>, step: i64) -> Vec<Token> {
    let count = items.len() as i64;
    let from_end = |index: i64| if index < 0 { index + count } else { index };
    let (default_start, default_end) = if step > 0 { (0, count) } else { (count - 1, -1) };
    let (low, high) = if step > 0 { (0, count) } else { (-1, count - 1) };
    let mut at = start.map_or(default_start, from_end).clamp(low, high);
    let end = end.map_or(default_end, from_end).clamp(low.min(-1), high.max(0));
    let mut out = Vec::new();
    while (step > 0 && at < end) || (step < 0 && at > end) {
        if let Some(item) = usize::try_from(at).ok().and_then(|at| items.get(at)) {
            out.push(item.clone());
        }
        at = at.saturating_add(step);
    }
    out
}

/// `===` wants the same type, `==` compares as text where types differ.
fn compared(op: &str, a: &Token, b: &Token) -> bool {
    if a.class() != "JValue" || b.class() != "JValue" {
        return match op {
            "==" | "===" => a.deep_equals(b),
            "!=" | "!==" | "<>" => !a.deep_equals(b),
            _ => false,
        };
    }
    let (x, y) = (a.scalar(), b.scalar());
    let number = |value: &Value| !matches!(value, Value::Bool(_)) && arith::to_double(value).is_some();
    let order = match (&x, &y) {
        (Value::Null, Value::Null) => Some(Ordering::Equal),
        (Value::Null, _) | (_, Value::Null) => None,
        (Value::Str(a), Value::Str(b)) => Some(a.as_ref().cmp(b.as_ref())),
        _ if number(&x) && number(&y) => arith::numeric_order(&x, &y),
        (Value::Bool(a), Value::Bool(b)) => Some(a.cmp(b)),
        // A number beside a string is compared as the number that the string spells.
        (Value::Str(text), other) | (other, Value::Str(text)) if number(other) && !op.ends_with("===") => {
            let spelled = text.parse::<f64>().ok().zip(arith::to_double(other));
            let order = spelled.and_then(|(spelled, other)| spelled.partial_cmp(&other));
            if matches!(x, Value::Str(_)) { order } else { order.map(Ordering::reverse) }
        }
        _ if op == "===" || op == "!==" => None,
        _ => Some(x.to_text().cmp(&y.to_text())),
    };
    match op {
        "==" | "===" => order == Some(Ordering::Equal),
        "!=" | "!==" | "<>" => order != Some(Ordering::Equal),
        "<" => order == Some(Ordering::Less),
        "<=" => matches!(order, Some(Ordering::Less | Ordering::Equal)),
        ">" => order == Some(Ordering::Greater),
        _ => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
    }
}
