//! Pattern text to a tree, with .NET's texts for what is wrong.

use super::class::{self, Class, Named};
use super::{ECMA, EXPLICIT, IGNORE_CASE, IGNORE_SPACE, MULTILINE, RIGHT_TO_LEFT, SINGLELINE};

/// Deepest nesting of groups.
const DEPTH_MAX: usize = 200;

/// What is wrong, and after how many characters.
pub(super) struct Problem {
    pub(super) at: usize,
    pub(super) message: String,
}

/// A group as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Label {
    /// The how-manieth unnamed group, from 1.
    Ordinal(usize),
    Number(usize),
    Name(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Anchor {
    LineStart,
    LineEnd,
    Start,
    /// The end, or before a final newline.
    EndOrNewline,
    End,
    /// Where the search began.
    Here,
    Boundary,
    NoBoundary,
}

#[derive(Clone, Debug)]
pub(super) enum Node {
    Empty,
    Char(char, bool),
    /// Any but a newline, or any at all.
    Any(bool),
    Class(Box<Class>),
    Anchor(Anchor, bool),
    Group(Option<Label>, Option<Label>, Box<Node>),
    Concat(Vec<Node>),
    Either(Vec<Node>),
    Repeat {
        inner: Box<Node>,
        min: u32,
        max: u32,
        lazy: bool,
    },
    Reference(Label, bool),
    Look {
        behind: bool,
        negative: bool,
        inner: Box<Node>,
    },
    Atomic(Box<Node>),
    /// Depends on a group having matched, or on a look ahead.
    Choice(Result<Label, Box<Node>>, Box<Node>, Box<Node>),
}

/// A parsed pattern.
pub(super) struct Parsed {
    pub(super) node: Node,
    pub(super) unnamed: usize,
    /// Names and explicit numbers in order of appearance.
    pub(super) labels: Vec<Label>,
    pub(super) reverse: bool,
}

struct Parser {
    chars: Vec<char>,
    at: usize,
    options: i64,
    unnamed: usize,
    labels: Vec<Label>,
    depth: usize,
}

type Parse<T> = Result<T, Problem>;

pub(super) fn parse(text: &str, options: i64) -> Parse<Parsed> {
    let mut parser =
        Parser { chars: text.chars().collect(), at: 0, options, unnamed: 0, labels: Vec::new(), depth: 0 };
    let node = parser.either()?;
    if parser.at < parser.chars.len() {
        return parser.fail("Too many )'s.");
    }
    let reverse = options & RIGHT_TO_LEFT != 0;
    Ok(Parsed { node, unnamed: parser.unnamed, labels: parser.labels, reverse })
}

impl Parser {
    fn fail<T>(&self, message: impl Into<String>) -> Parse<T> {
        Err(Problem { at: self.at, message: message.into() })
    }

    fn has(&self, option: i64) -> bool {
        self.options & option != 0
    }

    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn take(&mut self, token: &str) -> bool {
        let length = token.chars().count();
        let found = self
            .chars
            .get(self.at..self.at + length)
            .is_some_and(|have| have.iter().copied().eq(token.chars()));
        self.at += if found { length } else { 0 };
        found
    }

    /// Blanks and comments where the option makes them meaningless; `(?#…)` always.
    fn blanks(&mut self) -> Parse<()> {
        loop {
            if self.take("(?#") {
                while self.peek().is_some_and(|c| c != ')') {
                    self.at += 1;
                }
                if !self.take(")") {
                    return self.fail("Unterminated (?#...) comment.");
                }
            } else if self.has(IGNORE_SPACE) && self.peek() == Some('#') {
                while self.peek().is_some_and(|c| c != '\n') {
                    self.at += 1;
                }
            } else if self.has(IGNORE_SPACE) && self.peek().is_some_and(char::is_whitespace) {
                self.at += 1;
            } else {
                return Ok(());
            }
        }
    }

    fn either(&mut self) -> Parse<Node> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return self.fail(format!("Groups are nested more than {DEPTH_MAX} deep."));
        }
        let options = self.options;
        let mut parts = vec![self.sequence()?];
        while self.take("|") {
            parts.push(self.sequence()?);
        }
        self.options = options;
        self.depth -= 1;
        Ok(if parts.len() == 1 { parts.remove(0) } else { Node::Either(parts) })
    }

    fn sequence(&mut self) -> Parse<Node> {
        let mut parts = Vec::new();
        loop {
            self.blanks()?;
            match self.peek() {
                None | Some('|' | ')') => break,
                Some(_) => {}
            }
            if let Some(atom) = self.atom()? {
                parts.push(self.quantified(atom)?);
            }
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Node::Concat(parts) })
    }

    fn quantified(&mut self, mut atom: Node) -> Parse<Node> {
        let mut count = 0;
        loop {
            self.blanks()?;
            let Some((min, max)) = self.quantifier()? else { return Ok(atom) };
            count += 1;
            if count > 1 {
                return self.fail("Nested quantifier.");
            }
            let lazy = self.take("?");
            if min > max {
                return self.fail("Illegal {x,y} with x > y.");
            }
            atom = Node::Repeat { inner: Box::new(atom), min, max, lazy };
        }
    }

    fn quantifier(&mut self) -> Parse<Option<(u32, u32)>> {
        let simple = match self.peek() {
            Some('*') => Some((0, u32::MAX)),
            Some('+') => Some((1, u32::MAX)),
            Some('?') => Some((0, 1)),
            _ => None,
        };
        if simple.is_some() {
            self.at += 1;
            return Ok(simple);
        }
        let start = self.at;
        if !self.take("{") {
            return Ok(None);
        }
        let min = self.number()?;
        let max = if self.take(",") { self.number()?.or(Some(u32::MAX)) } else { min };
        match (min, max) {
            (Some(min), Some(max)) if self.take("}") => Ok(Some((min, max))),
            _ => {
                // Anything else in braces is text.
                self.at = start;
                Ok(None)
            }
        }
    }

    fn number(&mut self) -> Parse<Option<u32>> {
        let start = self.at;
        let mut number: u32 = 0;
        while let Some(digit) = self.peek().and_then(|c| c.to_digit(10)) {
            let Some(next) =
                number.checked_mul(10).and_then(|n| n.checked_add(digit)).filter(|n| *n < i32::MAX as u32)
            else {
                return self.fail("Capture group numbers must be less than or equal to Int32.MaxValue.");
            };
            number = next;
            self.at += 1;
        }
        Ok((self.at > start).then_some(number))
    }

    fn atom(&mut self) -> Parse<Option<Node>> {
        let fold = self.has(IGNORE_CASE);
        let Some(c) = self.peek() else { return Ok(None) };
        self.at += 1;
        Ok(Some(match c {
            '(' => return self.group(),
            '[' => Node::Class(Box::new(self.class()?)),
            '\\' => self.escape()?,
            '.' => Node::Any(self.has(SINGLELINE)),
            '^' => Node::Anchor(if self.has(MULTILINE) { Anchor::LineStart } else { Anchor::Start }, false),
            '$' => {
                Node::Anchor(if self.has(MULTILINE) { Anchor::LineEnd } else { Anchor::EndOrNewline }, false)
            }
            '*' | '+' | '?' => {
                return self.fail(format!("Quantifier '{c}' following nothing."));
            }
            '{' => {
                self.at -= 1;
                if self.quantifier()?.is_some() {
                    return self.fail("Quantifier '{' following nothing.");
                }
                self.at += 1;
                Node::Char('{', fold)
            }
            c => Node::Char(c, fold),
        }))
    }

    fn close(&mut self) -> Parse<()> {
        if self.take(")") { Ok(()) } else { self.fail("Not enough )'s.") }
    }

    fn group(&mut self) -> Parse<Option<Node>> {
        let outside = self.options;
        let node = if self.take("?") {
            match self.special()? {
                Some(node) => node,
                // Options for the rest of the enclosing group.
                None => return Ok(None),
            }
        } else if self.has(EXPLICIT) {
            let inner = self.either()?;
            Node::Group(None, None, Box::new(inner))
        } else {
            self.unnamed += 1;
            let label = Label::Ordinal(self.unnamed);
            let inner = self.either()?;
            Node::Group(Some(label), None, Box::new(inner))
        };
        self.close()?;
        self.options = outside;
        Ok(Some(node))
    }

    fn special(&mut self) -> Parse<Option<Node>> {
        let look = |behind, negative, inner| Node::Look { behind, negative, inner: Box::new(inner) };
        for (token, behind, negative) in
            [("=", false, false), ("!", false, true), ("<=", true, false), ("<!", true, true)]
        {
            if self.take(token) {
                return Ok(Some(look(behind, negative, self.either()?)));
            }
        }
        if self.take(">") {
            return Ok(Some(Node::Atomic(Box::new(self.either()?))));
        }
        if self.take("(") {
            return self.choice().map(Some);
        }
        for (open, close) in [("<", ">"), ("'", "'")] {
            if self.take(open) {
                return self.named(close).map(Some);
            }
        }
        let mut on = true;
        loop {
            let Some(c) = self.peek() else { return self.fail("Unrecognized grouping construct.") };
            let option = match c.to_ascii_lowercase() {
                'i' => IGNORE_CASE,
                'm' => MULTILINE,
                'n' => EXPLICIT,
                's' => SINGLELINE,
                'x' => IGNORE_SPACE,
                '-' => 0,
                '+' => 0,
                ':' => {
                    self.at += 1;
                    let inner = self.either()?;
                    return Ok(Some(Node::Group(None, None, Box::new(inner))));
                }
                ')' => {
                    self.at += 1;
                    return Ok(None);
                }
                _ => return self.fail("Unrecognized grouping construct."),
            };
            self.at += 1;
            match (c, on) {
                ('-', _) => on = false,
                ('+', _) => on = true,
                (_, true) => self.options |= option,
                (_, false) => self.options &= !option,
            }
        }
    }

    fn word(&mut self) -> String {
        let start = self.at;
        while self.peek().is_some_and(|c| class::is_word(c, false)) {
            self.at += 1;
        }
        self.chars.get(start..self.at).unwrap_or(&[]).iter().collect()
    }

    fn label(&mut self) -> Parse<Option<Label>> {
        let word = self.word();
        if word.is_empty() {
            return Ok(None);
        }
        if word.starts_with(|c: char| c.is_ascii_digit()) {
            return match word.parse::<u32>() {
                Ok(number) => Ok(Some(Label::Number(number as usize))),
                Err(_) => self.fail("Invalid group name: Group names must begin with a word character."),
            };
        }
        Ok(Some(Label::Name(word)))
    }

    fn named(&mut self, close: &str) -> Parse<Node> {
        let label = self.label()?;
        if label == Some(Label::Number(0)) {
            return self.fail("Capture number cannot be zero.");
        }
        let other = if self.take("-") { self.label()? } else { None };
        if !self.take(close) || (label.is_none() && other.is_none()) {
            return self.fail("Invalid group name: Group names must begin with a word character.");
        }
        if let Some(label) = &label
            && !self.labels.contains(label)
        {
            self.labels.push(label.clone());
        }
        let inner = self.either()?;
        Ok(Node::Group(label, other, Box::new(inner)))
    }

    /// `(?(test)yes|no)`; the test's bracket is already open.
    fn choice(&mut self) -> Parse<Node> {
        let start = self.at;
        let label = self.label()?;
        let known = match &label {
            Some(Label::Number(_)) => true,
            Some(label) => self.labels.contains(label),
            None => false,
        };
        let test = if known && self.take(")") {
            Ok(label.unwrap_or(Label::Number(0)))
        } else {
            self.at = start;
            let negative = self.take("?!");
            let look_behind = !negative && self.take("?<=");
            let _ = !negative && !look_behind && self.take("?=");
            let inner = self.either()?;
            self.close()?;
            let inner = if negative || look_behind {
                Node::Look { behind: look_behind, negative, inner: Box::new(inner) }
            } else {
                inner
            };
            Err(Box::new(inner))
        };
        let options = self.options;
        let yes = self.sequence()?;
        let no = if self.take("|") { self.sequence()? } else { Node::Empty };
        self.options = options;
        if self.peek() == Some('|') {
            return self.fail("Too many | in (?()|).");
        }
        Ok(Node::Choice(test, Box::new(yes), Box::new(no)))
    }

    fn hex(&mut self, count: usize) -> Parse<char> {
        let digits: String = self.chars.get(self.at..self.at + count).unwrap_or(&[]).iter().collect();
        let valid = digits.len() == count && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        let Some(code) = u32::from_str_radix(&digits, 16).ok().filter(|_| valid) else {
            return self.fail("Insufficient hexadecimal digits.");
        };
        self.at += count;
        Ok(char::from_u32(code).unwrap_or('\u{fffd}'))
    }

    /// An escape that is one character, in and out of classes.
    fn plain_escape(&mut self, c: char) -> Parse<char> {
        Ok(match c {
            'a' => '\u{7}',
            'b' => '\u{8}',
            'e' => '\u{1b}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'v' => '\u{b}',
            'x' => self.hex(2)?,
            'u' => self.hex(4)?,
            'c' => {
                let letter = self.peek().map(|c| c.to_ascii_uppercase()).filter(|c| ('@'..='_').contains(c));
                let Some(letter) = letter else { return self.fail("Missing control character.") };
                self.at += 1;
                char::from_u32(letter as u32 - 64).unwrap_or('\0')
            }
            '0'..='7' => {
                let mut code = c.to_digit(8).unwrap_or(0);
                for _ in 0..2 {
                    let Some(digit) = self.peek().and_then(|c| c.to_digit(8)) else { break };
                    code = code * 8 + digit;
                    self.at += 1;
                }
                char::from_u32(code & 0xff).unwrap_or('\0')
            }
            c if class::is_word(c, false) => {
                return self.fail(format!("Unrecognized escape sequence \\{c}."));
            }
            c => c,
        })
    }

    /// A class that an escape names.
    fn named_class(&mut self, c: char) -> Parse<Option<(Named, bool)>> {
        Ok(Some(match c {
            'd' | 'D' => (Named::Digit, c == 'D'),
            'w' | 'W' => (Named::Word, c == 'W'),
            's' | 'S' => (Named::Space, c == 'S'),
            'p' | 'P' => {
                if !self.take("{") {
                    return self.fail("Malformed \\p{X} character escape.");
                }
                let start = self.at;
                while self.peek().is_some_and(|c| c != '}') {
                    self.at += 1;
                }
                let name: String = self.chars.get(start..self.at).unwrap_or(&[]).iter().collect();
                if !self.take("}") {
                    return self.fail("Incomplete \\p{X} character escape.");
                }
                match class::named(&name) {
                    Some(named) => (named, c == 'P'),
                    None => return self.fail(format!("Unknown property '{name}'.")),
                }
            }
            _ => return Ok(None),
        }))
    }

    fn escape(&mut self) -> Parse<Node> {
        let Some(c) = self.peek() else { return self.fail("Illegal \\ at end of pattern.") };
        self.at += 1;
        let (fold, ascii) = (self.has(IGNORE_CASE), self.has(ECMA));
        let anchor = match c {
            'A' => Some(Anchor::Start),
            'Z' => Some(Anchor::EndOrNewline),
            'z' => Some(Anchor::End),
            'G' => Some(Anchor::Here),
            'b' => Some(Anchor::Boundary),
            'B' => Some(Anchor::NoBoundary),
            _ => None,
        };
        if let Some(anchor) = anchor {
            return Ok(Node::Anchor(anchor, ascii));
        }
        if let Some(named) = self.named_class(c)? {
            return Ok(Node::Class(Box::new(Class { named: vec![named], ascii, ..Class::default() })));
        }
        if c == 'k' {
            let close = if self.take("<") {
                ">"
            } else if self.take("'") {
                "'"
            } else {
                return self.fail("Malformed \\k<...> named back reference.");
            };
            return match self.label()? {
                Some(label) if self.take(close) => Ok(Node::Reference(label, fold)),
                _ => self.fail("Malformed \\k<...> named back reference."),
            };
        }
        if ('1'..='9').contains(&c) {
            let start = self.at;
            self.at -= 1;
            let number = self.number()?.unwrap_or(0) as usize;
            // A number of one digit always refers; a longer one does when there is such a group by now.
            if number < 10 || number <= self.unnamed || self.labels.contains(&Label::Number(number)) {
                return Ok(Node::Reference(Label::Number(number), fold));
            }
            self.at = start;
        }
        Ok(Node::Char(self.plain_escape(c)?, fold))
    }

    fn class(&mut self) -> Parse<Class> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return self.fail(format!("Groups are nested more than {DEPTH_MAX} deep."));
        }
        let mut class = Class { fold: self.has(IGNORE_CASE), ascii: self.has(ECMA), ..Class::default() };
        class.negated = self.take("^");
        let mut first = true;
        loop {
            let Some(c) = self.peek() else { return self.fail("Unterminated [] set.") };
            self.at += 1;
            if c == ']' && !first {
                self.depth -= 1;
                return Ok(class);
            }
            first = false;
            if c == '-' && self.take("[") {
                class.minus = Some(Box::new(self.class()?));
                if self.peek() != Some(']') {
                    return self.fail("A subtraction must be the last element in a character class.");
                }
                continue;
            }
            let low = if c == '\\' {
                let Some(escaped) = self.peek() else { return self.fail("Illegal \\ at end of pattern.") };
                self.at += 1;
                if let Some(named) = self.named_class(escaped)? {
                    class.named.push(named);
                    continue;
                }
                self.plain_escape(escaped)?
            } else {
                c
            };
            let high = self.range_end()?.unwrap_or(low);
            if high < low {
                return self.fail("[x-y] range in reverse order.");
            }
            class.ranges.push((low, high));
        }
    }

    /// The upper end of a range, if one stands here.
    fn range_end(&mut self) -> Parse<Option<char>> {
        let next = self.chars.get(self.at + 1).copied();
        if self.peek() != Some('-') || matches!(next, None | Some(']' | '[')) {
            return Ok(None);
        }
        let start = self.at;
        self.at += 2;
        match next {
            Some('\\') => {
                let Some(escaped) = self.peek() else { return self.fail("Illegal \\ at end of pattern.") };
                self.at += 1;
                if matches!(escaped, 'd' | 'D' | 'w' | 'W' | 's' | 'S' | 'p' | 'P') {
                    self.at = start;
                    return self.fail(format!("Cannot include class \\{escaped} in character range."));
                }
                self.plain_escape(escaped).map(Some)
            }
            other => Ok(other),
        }
    }
}
