//! Operations of an API by method and URL template (specification 3.4). Templates of a method form a trie by
//! segment; from left to right a literal goes before a segment with parameters, and that before `*`.
//!
//! Each node is looked at once per request, because a node has one depth: the work is bounded by the
//! templates, and with distinct literals by the length of the path. Literals compare without regard to case.

use super::{decode, query_value};
use std::borrow::Cow;
use std::collections::HashMap;

/// What is wrong with a URL template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TemplateError {
    /// A brace without its partner, or an empty name.
    Brace,
    /// `*` elsewhere than as the last segment.
    Wildcard,
    /// Two parameters without a literal between them.
    Adjacent,
}

impl TemplateError {
    pub(crate) fn message(self) -> &'static str {
        match self {
            Self::Brace => "a brace has no partner or no name inside",
            Self::Wildcard => "\"*\" is accepted only as the last segment",
            Self::Adjacent => "two parameters touch; a literal between them would be accepted",
        }
    }
}

/// A part of a path segment.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    /// Lower case.
    Literal(String),
    Parameter(String),
}

/// A segment of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment {
    /// Lower case.
    Literal(String),
    Pattern(Vec<Piece>),
    Wildcard,
}

/// A query parameter that must be there.
#[derive(Clone, Debug, PartialEq, Eq)]
struct QueryPart {
    name: String,
    /// Its literal value, or the name of the parameter that takes it.
    value: Result<String, String>,
}

/// A URL template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Template {
    segments: Vec<Segment>,
    query: Vec<QueryPart>,
}

impl Template {
    pub(crate) fn parse(text: &str) -> Result<Self, TemplateError> {
        let (path, query) = match text.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (text, None),
        };
        let path = path.strip_prefix('/').unwrap_or(path);
        let mut segments = Vec::new();
        for segment in path.split('/').filter(|_| !path.is_empty()) {
            if segments.contains(&Segment::Wildcard) {
                return Err(TemplateError::Wildcard);
            }
            segments.push(parse_segment(segment)?);
        }
        let mut parts = Vec::new();
        for pair in query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let parameter = value.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
            let value = match parameter {
                Some(parameter) => Err(parameter.trim_start_matches('*').to_owned()),
                None => Ok(decode(value).into_owned()),
            };
            parts.push(QueryPart { name: decode(name).into_owned(), value });
        }
        Ok(Self { segments, query: parts })
    }

    /// Names of the query parameters.
    pub(crate) fn query_names(&self) -> impl Iterator<Item = &str> {
        self.query.iter().map(|part| part.name.as_str())
    }
}

fn parse_segment(text: &str) -> Result<Segment, TemplateError> {
    if text == "*" || (text.starts_with("{*") && text.ends_with('}')) {
        return Ok(Segment::Wildcard);
    }
    if text.contains('*') {
        return Err(TemplateError::Wildcard);
    }
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((literal, after)) = rest.split_once('{') {
        let (name, tail) = after.split_once('}').ok_or(TemplateError::Brace)?;
        if name.is_empty() || name.contains('{') || literal.contains('}') {
            return Err(TemplateError::Brace);
        }
        if !literal.is_empty() {
            pieces.push(Piece::Literal(literal.to_lowercase()));
        } else if matches!(pieces.last(), Some(Piece::Parameter(_))) {
            return Err(TemplateError::Adjacent);
        }
        pieces.push(Piece::Parameter(name.to_owned()));
        rest = tail;
    }
    if rest.contains('}') {
        return Err(TemplateError::Brace);
    }
    if pieces.is_empty() {
        return Ok(Segment::Literal(rest.to_lowercase()));
    }
    if !rest.is_empty() {
        pieces.push(Piece::Literal(rest.to_lowercase()));
    }
    Ok(Segment::Pattern(pieces))
}

/// A matched operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OperationMatch {
    /// The operation's index.
    pub(crate) operation: usize,
    /// Values of the template's parameters, percent-decoded.
    pub(crate) parameters: Vec<(String, String)>,
}

/// All operations of an API.
#[derive(Debug, Default)]
pub(crate) struct Operations {
    by_method: HashMap<String, Node>,
}

#[derive(Debug, Default)]
struct Node {
    literals: HashMap<String, Node>,
    /// In order of precedence.
    patterns: Vec<(Vec<Piece>, Node)>,
    wildcard: Vec<Leaf>,
    leaves: Vec<Leaf>,
}

/// A template's end. More query parameters go first.
#[derive(Debug)]
struct Leaf {
    template: Template,
    operation: usize,
}

impl Operations {
    /// Adds an operation; `false` when the same method and template is there already.
    pub(crate) fn insert(&mut self, method: &str, template: Template, operation: usize) -> bool {
        let mut node = self.by_method.entry(method.to_owned()).or_default();
        let mut wildcard = false;
        for segment in &template.segments {
            node = match segment {
                Segment::Literal(text) => node.literals.entry(text.clone()).or_default(),
                Segment::Pattern(pieces) => node.pattern(pieces),
                Segment::Wildcard => {
                    wildcard = true;
                    node
                }
            };
        }
        let leaves = if wildcard { &mut node.wildcard } else { &mut node.leaves };
        let same = |leaf: &Leaf| same_query(&leaf.template, &template);
        if leaves.iter().any(same) {
            return false;
        }
        leaves.push(Leaf { template, operation });
        leaves.sort_by_key(|leaf| std::cmp::Reverse(leaf.template.query.len()));
        true
    }

    /// The operation for a method, the raw path below the API, and the raw query.
    pub(crate) fn find(&self, method: &str, rest: &str, query: &str) -> Option<OperationMatch> {
        let root = self.by_method.get(method)?;
        let rest = rest.strip_prefix('/').unwrap_or(rest);
        let raw: Vec<&str> = if rest.is_empty() { Vec::new() } else { rest.split('/').collect() };
        let decoded: Vec<Cow<'_, str>> = raw.iter().map(|segment| decode(segment)).collect();
        let lower: Vec<Cow<'_, str>> = decoded.iter().map(|segment| lower_case(segment)).collect();
        let path = Path { decoded: &decoded, lower: &lower, query };
        let leaf = root.find(&path, 0)?;
        Some(OperationMatch { operation: leaf.operation, parameters: path.parameters(&leaf.template) })
    }
}

/// Borrowed when there is nothing to do, which is the common case.
fn lower_case(text: &str) -> Cow<'_, str> {
    let changes = text.bytes().any(|byte| byte.is_ascii_uppercase() || !byte.is_ascii());
    if changes { Cow::Owned(text.to_lowercase()) } else { Cow::Borrowed(text) }
}

fn same_query(a: &Template, b: &Template) -> bool {
    let shape = |template: &Template| {
        let mut shape: Vec<_> = template
            .query
            .iter()
            .map(|part| (part.name.to_lowercase(), part.value.as_ref().ok().cloned()))
            .collect();
        shape.sort();
        shape
    };
    shape(a) == shape(b)
}

impl Node {
    /// The child for a pattern; parameter names do not matter.
    fn pattern(&mut self, pieces: &[Piece]) -> &mut Node {
        let found = self.patterns.iter().position(|(known, _)| same_pattern(known, pieces));
        let at = found.unwrap_or_else(|| {
            let at = self.patterns.partition_point(|(known, _)| specificity(known) >= specificity(pieces));
            self.patterns.insert(at, (pieces.to_vec(), Node::default()));
            at
        });
        &mut self.patterns[at].1
    }

    fn find(&self, path: &Path<'_>, depth: usize) -> Option<&Leaf> {
        let Some(segment) = path.lower.get(depth) else {
            return path.first(&self.leaves).or_else(|| path.first(&self.wildcard));
        };
        if let Some(leaf) = self.literals.get(&**segment).and_then(|node| node.find(path, depth + 1)) {
            return Some(leaf);
        }
        let patterns = self.patterns.iter().filter(|(pieces, _)| {
            path.decoded.get(depth).is_some_and(|segment| capture(pieces, segment).is_some())
        });
        for (_, node) in patterns {
            if let Some(leaf) = node.find(path, depth + 1) {
                return Some(leaf);
            }
        }
        path.first(&self.wildcard)
    }
}

fn same_pattern(a: &[Piece], b: &[Piece]) -> bool {
    a.len() == b.len()
        && a.iter().zip(b).all(|pair| match pair {
            (Piece::Literal(a), Piece::Literal(b)) => a == b,
            (Piece::Parameter(_), Piece::Parameter(_)) => true,
            _ => false,
        })
}

/// More literal characters go first.
fn specificity(pieces: &[Piece]) -> usize {
    let literal = |piece: &Piece| match piece {
        Piece::Literal(text) => text.len(),
        Piece::Parameter(_) => 0,
    };
    pieces.iter().map(literal).sum()
}

/// The values of a pattern's parameters in a segment; each takes at least one character, and as few as the
/// literal after it allows. The last literal must end the segment.
fn capture<'p, 's>(pieces: &'p [Piece], segment: &'s str) -> Option<Vec<(&'p str, &'s str)>> {
    let mut captured = Vec::new();
    let mut rest = segment;
    let mut open: Option<&str> = None;
    for (index, piece) in pieces.iter().enumerate() {
        match piece {
            Piece::Parameter(name) => open = Some(name),
            Piece::Literal(literal) => {
                let last = index + 1 == pieces.len();
                let at = match open {
                    None => starts_with(rest, literal).then_some(0)?,
                    Some(_) if last => ends_with(rest, literal)?,
                    Some(_) => find_literal(rest, literal)?,
                };
                if let Some(name) = open.take() {
                    captured.push((name, rest.get(..at).filter(|value| !value.is_empty())?));
                }
                rest = rest.get(at + literal.len()..)?;
            }
        }
    }
    match open {
        Some(name) if !rest.is_empty() => captured.push((name, rest)),
        None if rest.is_empty() => {}
        _ => return None,
    }
    Some(captured)
}

fn starts_with(text: &str, literal: &str) -> bool {
    text.get(..literal.len()).is_some_and(|start| start.eq_ignore_ascii_case(literal))
}

fn ends_with(text: &str, literal: &str) -> Option<usize> {
    let at = text.len().checked_sub(literal.len())?;
    text.get(at..)?.eq_ignore_ascii_case(literal).then_some(at)
}

/// The first place of a literal after at least one character.
fn find_literal(text: &str, literal: &str) -> Option<usize> {
    (1..text.len()).find(|&at| text.get(at..).is_some_and(|rest| starts_with(rest, literal)))
}

/// A request's path below its API.
struct Path<'a> {
    decoded: &'a [Cow<'a, str>],
    lower: &'a [Cow<'a, str>],
    query: &'a str,
}

impl Path<'_> {
    /// The first of the leaves whose query parameters are all there.
    fn first<'l>(&self, leaves: &'l [Leaf]) -> Option<&'l Leaf> {
        leaves.iter().find(|leaf| {
            leaf.template.query.iter().all(|part| match query_value(self.query, &part.name) {
                None => false,
                Some(found) => part.value.as_ref().map_or(true, |wanted| decode(found) == *wanted),
            })
        })
    }

    fn parameters(&self, template: &Template) -> Vec<(String, String)> {
        let mut parameters = Vec::new();
        for (index, segment) in template.segments.iter().enumerate() {
            match segment {
                Segment::Literal(_) => {}
                Segment::Pattern(pieces) => {
                    let captured = self.decoded.get(index).and_then(|segment| capture(pieces, segment));
                    let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
                    parameters.extend(captured.into_iter().flatten().map(owned));
                }
                Segment::Wildcard => {
                    let rest = self.decoded.get(index..).unwrap_or_default().join("/");
                    parameters.push(("*".to_owned(), rest));
                }
            }
        }
        for part in &template.query {
            if let Err(name) = &part.value {
                let value = query_value(self.query, &part.name).unwrap_or_default();
                parameters.push((name.clone(), decode(value).into_owned()));
            }
        }
        parameters
    }
}
