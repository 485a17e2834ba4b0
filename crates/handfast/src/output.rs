//! What people read: diagnostics and failures, coloured on a terminal only.

use handfast_core::{Diagnostic, Severity};
use std::io::{IsTerminal, Write as _};

/// A line to standard error. Whoever reads may have gone; that is no reason to stop serving.
macro_rules! say {
    ($($part:tt)*) => {
        let _ = writeln!(std::io::stderr().lock(), $($part)*);
    };
}

/// A command that failed: one sentence, or diagnostics.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// What went wrong, in one sentence.
    #[error("{0}")]
    Message(String),
    /// A flag whose value cannot be used, in one sentence.
    #[error("{0}")]
    Usage(String),
    /// What is wrong with the input.
    #[error("{} problems", .0.len())]
    Diagnostics(Vec<Diagnostic>),
}

impl Failure {
    pub(crate) fn new(message: impl std::fmt::Display) -> Self {
        Self::Message(message.to_string())
    }
}

impl From<Vec<Diagnostic>> for Failure {
    fn from(diagnostics: Vec<Diagnostic>) -> Self {
        Self::Diagnostics(diagnostics)
    }
}

/// Prints why a command failed.
pub(crate) fn failure(failure: &Failure) {
    match failure {
        Failure::Message(message) | Failure::Usage(message) => {
            say!("{} {message}", paint(Severity::Error, "error:"));
        }
        Failure::Diagnostics(found) => diagnostics(found),
    }
}

/// Prints diagnostics to standard error, errors last so that they are not scrolled away.
pub(crate) fn diagnostics(found: &[Diagnostic]) {
    let mut sorted: Vec<&Diagnostic> = found.iter().collect();
    sorted.sort_by_key(|diagnostic| diagnostic.severity);
    for diagnostic in sorted {
        let label = format!("{}[{}]:", diagnostic.severity.as_str(), diagnostic.code);
        say!("{} {}", paint(diagnostic.severity, &label), diagnostic.message);
        if let Some(place) = &diagnostic.place {
            say!("   at {place}");
        }
        if let Some(resource) = &diagnostic.resource {
            say!("   on {}", short(resource));
        }
        if let Some(help) = &diagnostic.help {
            say!("   help: {help}");
        }
    }
}

/// A line about what happens, to standard error.
pub(crate) fn note(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// A line that was asked for, to standard output.
pub(crate) fn print(text: &str) {
    // Whoever reads may have gone (`… | head`); there is nobody left to tell.
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

/// A resource id without the part that is the same for all.
pub(crate) fn short(id: &str) -> &str {
    let at = id.to_ascii_lowercase().find("/providers/");
    at.map_or(id, |at| &id[at + "/providers/".len()..])
}

/// Text for standard output in the colour of a severity.
pub(crate) fn paint_severity(severity: Severity, text: &str) -> String {
    colour(severity, text, std::io::stdout().is_terminal())
}

/// Text for standard output in the colour of success.
pub(crate) fn paint_good(text: &str) -> String {
    code(32, text, std::io::stdout().is_terminal())
}

fn paint(severity: Severity, text: &str) -> String {
    colour(severity, text, std::io::stderr().is_terminal())
}

fn colour(severity: Severity, text: &str, terminal: bool) -> String {
    let colour = match severity {
        Severity::Error => 31,
        Severity::Warning => 33,
        Severity::Info => 36,
    };
    code(colour, text, terminal)
}

fn code(colour: u8, text: &str, terminal: bool) -> String {
    if !terminal || std::env::var_os("NO_COLOR").is_some() {
        return text.to_owned();
    }
    format!("\u{1b}[1;{colour}m{text}\u{1b}[0m")
}
