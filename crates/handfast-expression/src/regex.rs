//! Regular expressions of the .NET flavour: an own backtracking matcher with a budget of steps.
//!
//! Why own: look-around of any length, back-references, capture lists, balancing groups, conditionals and matching
//! from right to left are part of the flavour, and no linear engine has them. The budget makes up for the worst
//! case. Characters are code points; positions are counted in them and turned into UTF-16 at the border.

mod class;
mod compile;
mod exec;
mod parse;
mod replace;

pub(crate) use replace::{escape, expand, unescape};

use crate::fault::{Fault, throw};
use std::cell::RefCell;
use std::sync::Arc;

/// Steps of one search; more is reported as .NET reports a match that takes too long.
pub(crate) const STEPS_MAX: u64 = 500_000;
/// Longest pattern.
const PATTERN_BYTES_MAX: usize = 32 << 10;
/// Instructions of a compiled pattern.
const CODE_MAX: usize = 50_000;
/// Compiled patterns that a thread keeps.
const CACHE_MAX: usize = 64;

pub(crate) const IGNORE_CASE: i64 = 1;
pub(crate) const MULTILINE: i64 = 2;
pub(crate) const EXPLICIT: i64 = 4;
pub(crate) const SINGLELINE: i64 = 16;
pub(crate) const IGNORE_SPACE: i64 = 32;
pub(crate) const RIGHT_TO_LEFT: i64 = 64;
pub(crate) const ECMA: i64 = 256;

/// A compiled pattern.
#[derive(Debug)]
pub struct Regex {
    /// As written.
    pub text: String,
    /// `RegexOptions`.
    pub(crate) options: i64,
    code: Vec<compile::Op>,
    registers: usize,
    /// Number and name of each group, in the order of numbers; the first is the whole match.
    pub(crate) groups: Vec<(usize, String)>,
    /// What every match begins with, if that is one certain character.
    first: Option<char>,
    /// Whether a match can only be at the start of the input.
    anchored: bool,
}

/// A match: for each group the pieces it took, in order; the last one counts.
#[derive(Clone, Debug)]
pub(crate) struct Captures(pub(crate) Vec<Vec<(usize, usize)>>);

impl Captures {
    /// What a group took last.
    pub(crate) fn last(&self, slot: usize) -> Option<(usize, usize)> {
        self.0.get(slot).and_then(|all| all.last()).copied()
    }

    /// The whole match.
    pub(crate) fn range(&self) -> (usize, usize) {
        self.last(0).unwrap_or((0, 0))
    }
}

/// Compiles; an invalid pattern is an `ArgumentException`.
pub(crate) fn compile(text: &str, options: i64) -> Result<Regex, Fault> {
    if text.len() > PATTERN_BYTES_MAX {
        return Err(throw(
            "ArgumentException",
            format!("The pattern is longer than {PATTERN_BYTES_MAX} bytes."),
        ));
    }
    let parsed = parse::parse(text, options).map_err(|problem| {
        throw(
            "ArgumentException",
            format!("Invalid pattern '{text}' at offset {}. {}", problem.at, problem.message),
        )
    })?;
    compile::program(text, options, &parsed).map_err(|message| {
        throw(
            "ArgumentException",
            format!("Invalid pattern '{text}' at offset {}. {message}", text.chars().count()),
        )
    })
}

thread_local! {
    static CACHE: RefCell<Vec<(i64, Arc<Regex>)>> = const { RefCell::new(Vec::new()) };
}

/// As [`compile`], remembered per thread: policies use few patterns, and most of them are constant.
pub(crate) fn cached(text: &str, options: i64) -> Result<Arc<Regex>, Fault> {
    let known = CACHE.with_borrow_mut(|cache| {
        let at = cache.iter().position(|entry| entry.0 == options && entry.1.text == text)?;
        cache.get(at).map(|entry| entry.1.clone())
    });
    if let Some(known) = known {
        return Ok(known);
    }
    let made = Arc::new(compile(text, options)?);
    CACHE.with_borrow_mut(|cache| {
        if cache.len() >= CACHE_MAX {
            cache.remove(0);
        }
        cache.push((options, made.clone()));
    });
    Ok(made)
}

/// A pattern for whoever is no expression, such as a schema.
#[derive(Debug)]
pub struct Pattern(Regex);

impl Pattern {
    /// Compiles, or says why it is none.
    pub fn compile(text: &str) -> Result<Self, String> {
        match compile(text, 0) {
            Ok(regex) => Ok(Self(regex)),
            Err(Fault::Throw(exception)) => Err(exception.message),
            Err(_) => Err("it is too complex".to_owned()),
        }
    }

    /// Whether a text has a match; `None` when that takes too many steps.
    pub fn is_match(&self, text: &str) -> Option<bool> {
        let mut budget = usize::try_from(STEPS_MAX).unwrap_or(usize::MAX);
        self.0.is_match(text, &mut budget).ok()
    }
}

impl Regex {
    /// The first match at or after (from right to left: before) a position.
    pub(crate) fn find(
        &self,
        input: &[char],
        from: usize,
        steps: &mut u64,
    ) -> Result<Option<Captures>, Fault> {
        let limit = (*steps).min(STEPS_MAX);
        let mut left = limit;
        let found = exec::search(self, input, from, &mut left);
        *steps -= limit - left;
        match found {
            Ok(found) => Ok(found),
            Err(exec::Exhausted) if *steps == 0 => Err(Fault::Budget),
            Err(exec::Exhausted) => Err(throw(
                "RegexMatchTimeoutException",
                "The Regex engine has timed out while trying to match a pattern to an input string. This can occur for many reasons, including very large inputs or excessive backtracking caused by nested quantifiers, back-references and other factors.",
            )),
        }
    }

    /// Whether there is a match; the budget is that of a search over tokens.
    pub(crate) fn is_match(&self, text: &str, budget: &mut usize) -> Result<bool, Fault> {
        let input: Vec<char> = text.chars().collect();
        let mut steps = u64::try_from(*budget).unwrap_or(u64::MAX);
        let found = self.find(&input, self.start(input.len()), &mut steps)?;
        *budget = usize::try_from(steps).unwrap_or(usize::MAX);
        Ok(found.is_some())
    }

    /// Where a search begins.
    pub(crate) fn start(&self, length: usize) -> usize {
        if self.is_reverse() { length } else { 0 }
    }

    pub(crate) fn is_reverse(&self) -> bool {
        self.options & RIGHT_TO_LEFT != 0
    }

    /// Where the search for the next match begins; `None` at the end.
    pub(crate) fn after(&self, found: &Captures, length: usize) -> Option<usize> {
        let (start, end) = found.range();
        match (self.is_reverse(), start == end) {
            (false, false) => Some(end),
            (false, true) => (end < length).then_some(end + 1),
            (true, false) => Some(start),
            (true, true) => start.checked_sub(1),
        }
    }

    /// The slot of a group by number.
    pub(crate) fn by_number(&self, number: usize) -> Option<usize> {
        self.groups.iter().position(|group| group.0 == number)
    }

    /// The slot of a group by name or by number as text.
    pub(crate) fn by_name(&self, name: &str) -> Option<usize> {
        self.groups.iter().position(|group| group.1 == name)
    }
}

#[cfg(test)]
mod tests;
