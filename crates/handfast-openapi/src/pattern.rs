//! Regular expressions of schemas, by whoever compiles them: this crate has no engine of its own, because the
//! one of policy expressions has the flavour and the step budget that are wanted.

use std::fmt;
use std::sync::Arc;

/// Compiles a pattern, or says why it is none.
pub type Patterns<'a> = &'a dyn Fn(&str) -> Result<Match, String>;

/// Whether a text has a match; `None` when the search is given up.
pub type Match = Arc<dyn Fn(&str) -> Option<bool> + Send + Sync>;

/// A compiled pattern with its source.
#[derive(Clone)]
pub struct Pattern {
    /// As written in the schema.
    pub source: Arc<str>,
    matches: Match,
}

impl Pattern {
    /// Compiles a pattern; `text` is what the engine gets when it differs from the source.
    pub(crate) fn compile(source: &str, text: &str, patterns: Patterns<'_>) -> Result<Self, String> {
        Ok(Self { source: source.into(), matches: patterns(text)? })
    }

    /// Whether a text has a match; `None` when the search is given up.
    pub(crate) fn is_match(&self, text: &str) -> Option<bool> {
        (self.matches)(text)
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pattern({})", self.source)
    }
}
