//! One type for everything that can be wrong with what a user wrote: `policy check` output, ARM error
//! details, portal banners and Kubernetes conditions are all rendered from it.
//!
//! Messages start in lower case, have no final period, name the thing in quotes and say what would be
//! accepted; `help` carries the next step.

use std::fmt;

/// How much a diagnostic matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Worth knowing; nothing is lost.
    Info,
    /// Honoured, but probably not what was meant.
    Warning,
    /// The object is refused or keeps its last good version.
    Error,
}

impl Severity {
    /// The word printed for people and written to JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// Where in the user's input a diagnostic points.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// A text position; line and column are 1-based and count characters.
    Text {
        /// File name or document name as the user knows it; empty when the text has none.
        file: String,
        /// 1-based line.
        line: u32,
        /// 1-based column.
        column: u32,
    },
    /// A JSON path such as `properties.httpListeners[0].name`, below an optional file.
    Json {
        /// File name; empty when the document came over the wire.
        file: String,
        /// Path from the document root, dotted, with `[n]` for array elements.
        path: String,
    },
}

impl Place {
    /// A text position without a file name.
    pub fn text(line: u32, column: u32) -> Self {
        Self::Text { file: String::new(), line, column }
    }

    /// A JSON path without a file name.
    pub fn json(path: impl Into<String>) -> Self {
        Self::Json { file: String::new(), path: path.into() }
    }

    /// The same place, in a named file.
    #[must_use]
    pub fn in_file(self, name: impl Into<String>) -> Self {
        match self {
            Self::Text { line, column, .. } => Self::Text { file: name.into(), line, column },
            Self::Json { path, .. } => Self::Json { file: name.into(), path },
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text { file, line, column } if file.is_empty() => write!(f, "{line}:{column}"),
            Self::Text { file, line, column } => write!(f, "{file}:{line}:{column}"),
            Self::Json { file, path } if file.is_empty() => write!(f, "{path}"),
            Self::Json { file, path } => write!(f, "{file}: {path}"),
        }
    }
}

/// Something to tell the user about an object: what, where, how bad, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Diagnostic {
    /// Stable code, `PascalCase`; Azure's own code where Azure has one.
    pub code: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// Resource id of the object, if it is about one.
    pub resource: Option<String>,
    /// Where in the input, if it is about a text or document.
    pub place: Option<Place>,
    /// What was found and what would be accepted.
    pub message: String,
    /// The next step, if there is one.
    pub help: Option<String>,
}

impl Diagnostic {
    /// A diagnostic of severity error.
    pub fn error(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, code, message)
    }

    /// A diagnostic of severity warning.
    pub fn warning(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, code, message)
    }

    fn new(severity: Severity, code: &'static str, message: impl Into<String>) -> Self {
        Self { code, severity, resource: None, place: None, message: message.into(), help: None }
    }

    /// Names the resource that the diagnostic is about.
    #[must_use]
    pub fn on(mut self, resource: impl Into<String>) -> Self {
        self.resource = Some(resource.into());
        self
    }

    /// Points into the input.
    #[must_use]
    pub fn at(mut self, place: Place) -> Self {
        self.place = Some(place);
        self
    }

    /// Adds the next step.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Whether the object is refused because of this.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[{}]: {}", self.severity.as_str(), self.code, self.message)?;
        if let Some(resource) = &self.resource {
            write!(f, "\n  on {resource}")?;
        }
        if let Some(place) = &self.place {
            write!(f, "\n  at {place}")?;
        }
        if let Some(help) = &self.help {
            write!(f, "\n  help: {help}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_diagnostic_prints_code_place_and_help() {
        let diagnostic = Diagnostic::error("InvalidResourceReference", "no listener \"web\"")
            .at(Place::json("properties.requestRoutingRules[0]").in_file("main.json"))
            .help("declare it under httpListeners");
        assert_eq!(
            diagnostic.to_string(),
            "error[InvalidResourceReference]: no listener \"web\"\n  at main.json: properties.requestRoutingRules[0]\n  \
             help: declare it under httpListeners"
        );
    }
}
