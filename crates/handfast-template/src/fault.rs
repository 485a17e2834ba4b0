//! Why an expression has no value: it is wrong, or it waits for something that only the host can answer.

use crate::parameter::VaultReference;
use handfast_core::{Diagnostic, Place};
use handfast_model::ResourceId;
use serde_json::Value;

/// The code of every mistake in a template, as Azure has it.
pub(crate) const INVALID_TEMPLATE: &str = "InvalidTemplate";

/// A mistake, before its place is known.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Fault {
    pub(crate) message: String,
    pub(crate) help: Option<String>,
}

/// A question to the host.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Need {
    /// The current state of a resource outside of the template.
    Get { id: ResourceId, api_version: String },
    /// A secret of a vault, for a parameter of a nested deployment.
    Secret(VaultReference),
    /// The answer of a `list…` action.
    Action { id: ResourceId, name: String, api_version: String, body: Value },
}

/// Why evaluation stopped.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Stop {
    Fault(Fault),
    Need(Box<Need>),
}

pub(crate) type Evaluated<T> = Result<T, Stop>;

impl Fault {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), help: None }
    }

    pub(crate) fn help(mut self, help: Option<String>) -> Self {
        self.help = help;
        self
    }

    /// The diagnostic at a JSON path of a file.
    pub(crate) fn at(self, file: &str, path: &str) -> Diagnostic {
        let mut diagnostic =
            Diagnostic::error(INVALID_TEMPLATE, self.message).at(Place::json(path).in_file(file));
        diagnostic.help = self.help;
        diagnostic
    }
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// A fault as an error.
pub(crate) fn fault<T>(message: impl Into<String>) -> Evaluated<T> {
    Err(Stop::Fault(Fault::new(message)))
}

/// The help line for a word that is not known: the nearest known one.
pub(crate) fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let word = word.to_lowercase();
    let scored = known.into_iter().map(|other| (distance(&word, &other.to_lowercase()), other));
    let (distance, nearest) = scored.min_by_key(|(distance, _)| *distance)?;
    (distance <= 1 + word.len() / 4).then(|| format!("did you mean \"{nearest}\"?"))
}

/// The number of single-character edits between two words (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (cell, y) in row.iter_mut().skip(1).zip(&b) {
            let best = (diagonal + usize::from(x != *y)).min(*cell + 1).min(left + 1);
            diagonal = *cell;
            *cell = best;
            left = best;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_words_are_suggested_and_far_ones_are_not() {
        assert_eq!(did_you_mean("conact", ["concat", "contains"]).unwrap(), "did you mean \"concat\"?");
        assert_eq!(did_you_mean("xyz", ["concat"]), None);
        assert_eq!((distance("kitten", "sitting"), distance("", "ab"), distance("a", "a")), (3, 2, 0));
    }
}
