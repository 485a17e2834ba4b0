//! Rewrite rule sets (edge specification §1.9): values that mix text and variables, conditions whose captures
//! values may use, and the actions on headers and URL.

use crate::variables::Variables;
use handfast_core::message::{Fields, RequestHead};
use regex::Regex;
use std::collections::HashMap;

/// Rules in ascending sequence.
pub(crate) struct RewriteSet {
    pub(crate) rules: Vec<RewriteRule>,
}

pub(crate) struct RewriteRule {
    pub(crate) conditions: Vec<Condition>,
    pub(crate) request_headers: Vec<HeaderAction>,
    pub(crate) response_headers: Vec<HeaderAction>,
    pub(crate) url: Option<UrlAction>,
}

/// A condition on a variable.
pub(crate) struct Condition {
    /// As written, for instance `http_req_X` or `var_host`: captures are spelled in the same case.
    pub(crate) variable: String,
    pub(crate) source: Source,
    pub(crate) pattern: Regex,
    pub(crate) negate: bool,
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    RequestHeader(String),
    ResponseHeader(String),
    Variable(String),
}

impl Source {
    /// Reads `http_req_Name`, `http_resp_Name` or `var_name`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if let Some(name) = text.strip_prefix("http_req_") {
            return Some(Self::RequestHeader(name.to_owned()));
        }
        if let Some(name) = text.strip_prefix("http_resp_") {
            return Some(Self::ResponseHeader(name.to_owned()));
        }
        text.strip_prefix("var_").map(|name| Self::Variable(name.to_owned()))
    }

    /// Whether it is known only once there is a response.
    pub(crate) fn is_of_response(&self) -> bool {
        matches!(self, Self::ResponseHeader(_)) || *self == Self::Variable("http_status".to_owned())
    }
}

/// A value: text and sources in turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Template {
    pub(crate) parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Text(String),
    Source {
        /// As written between the braces.
        name: String,
        source: Source,
    },
}

impl Template {
    /// Splits a value at its `{…}`; braces around anything else stay text.
    pub(crate) fn parse(text: &str) -> Self {
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(open) = rest.find('{') {
            let (before, after) = rest.split_at(open);
            literal.push_str(before);
            let inside = after[1..].find('}').map(|close| &after[1..=close]);
            match inside.and_then(|name| Source::parse(name).map(|source| (name, source))) {
                Some((name, source)) => {
                    if !literal.is_empty() {
                        parts.push(Part::Text(std::mem::take(&mut literal)));
                    }
                    parts.push(Part::Source { name: name.to_owned(), source });
                    rest = &after[name.len() + 2..];
                }
                None => {
                    literal.push('{');
                    rest = &after[1..];
                }
            }
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            parts.push(Part::Text(literal));
        }
        Self { parts }
    }

    /// The sources that it reads.
    pub(crate) fn sources(&self) -> impl Iterator<Item = (&str, &Source)> {
        self.parts.iter().filter_map(|part| match part {
            Part::Source { name, source } => Some((name.as_str(), source)),
            Part::Text(_) => None,
        })
    }
}

/// Sets a header, or removes it when the value is empty.
pub(crate) struct HeaderAction {
    pub(crate) name: String,
    pub(crate) value: Template,
    /// For `Set-Cookie` responses: only matching lines are replaced.
    pub(crate) matcher: Option<(Regex, bool)>,
}

pub(crate) struct UrlAction {
    pub(crate) path: Option<Template>,
    pub(crate) query: Option<Template>,
    pub(crate) reroute: bool,
}

/// What a phase reads from and, through captures, remembers within one rule.
struct Scope<'a> {
    variables: &'a Variables<'a>,
    request: &'a RequestHead,
    response: Option<&'a Fields>,
    captures: HashMap<String, String>,
}

impl Scope<'_> {
    fn source(&self, source: &Source) -> String {
        let text =
            |value: Option<&[u8]>| value.map(|v| String::from_utf8_lossy(v).into_owned()).unwrap_or_default();
        match source {
            Source::RequestHeader(name) => text(self.request.fields.get(name.as_bytes())),
            Source::ResponseHeader(name) => {
                text(self.response.and_then(|fields| fields.get(name.as_bytes())))
            }
            Source::Variable(name) => self.variables.value(name, self.request),
        }
    }

    fn holds(&mut self, condition: &Condition) -> bool {
        let value = self.source(&condition.source);
        let found = condition.pattern.captures(&value);
        if let Some(found) = &found {
            for (index, group) in found.iter().enumerate().skip(1) {
                let text = group.map(|group| group.as_str()).unwrap_or_default();
                self.captures.insert(format!("{}_{index}", condition.variable), text.to_owned());
            }
        }
        found.is_some() != condition.negate
    }

    fn render(&self, template: &Template) -> String {
        let mut out = String::new();
        for part in &template.parts {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Source { name, source } => match self.captures.get(name) {
                    Some(capture) => out.push_str(capture),
                    None => out.push_str(&self.source(source)),
                },
            }
        }
        out
    }
}

/// What the request phase did.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Change<'a> {
    /// Path or query differ.
    pub(crate) url: bool,
    pub(crate) reroute: bool,
    /// Names of the headers that were set or removed: what the edge adds by itself does not replace them.
    pub(crate) written: Vec<&'a str>,
}

impl RewriteSet {
    /// The request phase.
    pub(crate) fn apply_request(&self, variables: &Variables<'_>, head: &mut RequestHead) -> Change<'_> {
        let mut change = Change::default();
        for rule in self.rules.iter().filter(|rule| !rule.is_of_response()) {
            let mut scope = Scope { variables, request: head, response: None, captures: HashMap::new() };
            if !rule.conditions.iter().all(|condition| scope.holds(condition)) {
                continue;
            }
            let headers: Vec<(&str, String)> = rule
                .request_headers
                .iter()
                .map(|action| (action.name.as_str(), scope.render(&action.value)))
                .collect();
            let url = rule.url.as_ref().map(|url| {
                let render =
                    |template: &Option<Template>| template.as_ref().map(|template| scope.render(template));
                (render(&url.path), render(&url.query), url.reroute)
            });
            for (name, value) in headers {
                set_or_remove(&mut head.fields, name, &value);
                change.written.push(name);
            }
            if let Some((path, query, reroute)) = url {
                change.url |= set_url(head, path, query);
                change.reroute |= reroute;
            }
        }
        change
    }

    /// Whether the response phase has anything to do.
    pub(crate) fn has_response_phase(&self) -> bool {
        self.rules.iter().any(|rule| !rule.response_headers.is_empty())
    }

    /// The response phase.
    pub(crate) fn apply_response(
        &self,
        variables: &Variables<'_>,
        request: &RequestHead,
        fields: &mut Fields,
    ) {
        for rule in &self.rules {
            if rule.response_headers.is_empty() {
                continue;
            }
            let mut scope = Scope { variables, request, response: Some(fields), captures: HashMap::new() };
            if !rule.conditions.iter().all(|condition| scope.holds(condition)) {
                continue;
            }
            let headers: Vec<(&HeaderAction, String)> =
                rule.response_headers.iter().map(|action| (action, scope.render(&action.value))).collect();
            for (action, value) in headers {
                match &action.matcher {
                    Some((pattern, negate)) => {
                        replace_matching(fields, &action.name, pattern, *negate, &value)
                    }
                    None => set_or_remove(fields, &action.name, &value),
                }
            }
        }
    }
}

impl RewriteRule {
    fn is_of_response(&self) -> bool {
        self.conditions.iter().any(|condition| condition.source.is_of_response())
    }
}

/// A value with bytes that no field may have comes from a peer; the header is then removed, not forged.
fn set_or_remove(fields: &mut Fields, name: &str, value: &str) {
    let value = value.trim();
    if value.is_empty() || fields.set(name.as_bytes(), value.as_bytes()).is_err() {
        fields.remove(name.as_bytes());
    }
}

fn replace_matching(fields: &mut Fields, name: &str, pattern: &Regex, negate: bool, value: &str) {
    let lines: Vec<String> =
        fields.get_all(name.as_bytes()).map(|line| String::from_utf8_lossy(line).into_owned()).collect();
    let hits = |line: &String| pattern.is_match(line) != negate;
    let hit = lines.iter().any(hits);
    fields.remove(name.as_bytes());
    for line in lines {
        let line = if hits(&line) { value } else { &line };
        if !line.is_empty() {
            let _ = fields.append(name.as_bytes(), line.as_bytes());
        }
    }
    if !hit && !value.is_empty() {
        let _ = fields.append(name.as_bytes(), value.as_bytes());
    }
}

/// Replaces path and query. Bytes that may not stand in a target are percent-encoded.
fn set_url(head: &mut RequestHead, path: Option<String>, query: Option<String>) -> bool {
    let before = head.target.as_str().to_owned();
    if let Some(path) = path {
        let path = encode(&path, b"?#");
        let path = if path.starts_with('/') { path } else { format!("/{path}") };
        head.target.set_path(&path);
    }
    if let Some(query) = query {
        let query = encode(query.trim_start_matches('?'), b"#");
        head.target.set_query(Some(query.as_str()).filter(|query| !query.is_empty()));
    }
    head.target.as_str() != before
}

fn encode(text: &str, also: &[u8]) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if (0x21..=0x7e).contains(&byte) && !also.contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_split_into_text_and_sources() {
        let template = Template::parse("a{var_host}/{http_req_X-Y_1}{not this}{");
        let names: Vec<&str> = template.sources().map(|(name, _)| name).collect();
        assert_eq!(names, ["var_host", "http_req_X-Y_1"]);
        assert_eq!(template.parts.last(), Some(&Part::Text("{not this}{".to_owned())));
    }

    #[test]
    fn values_from_peers_cannot_break_a_target() {
        let mut head = RequestHead::default();
        head.target.assign("/old?q");
        assert!(set_url(&mut head, Some("a b\r\nX: y".into()), Some("?c=d#e".into())));
        assert_eq!(head.target.as_str(), "/a%20b%0D%0AX:%20y?c=d%23e");
        assert!(set_url(&mut head, None, Some(String::new())));
        assert_eq!(head.target.as_str(), "/a%20b%0D%0AX:%20y");
    }
}
