//! Which API a request is for (specification 3.3): by path, longest first, then version, then revision. Paths
//! are looked up by hash, once per depth that some API has, so the number of APIs does not matter.
//!
//! Paths compare without regard to case and after decoding of unreserved characters.

pub(crate) mod template;

#[cfg(test)]
mod tests;

use handfast_core::message::{RequestHead, Scheme};
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

/// How the versions of an API are told apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Versioning {
    /// There is one.
    #[default]
    None,
    /// By the segment after the path.
    Segment,
    /// By a header.
    Header(String),
    /// By a query parameter.
    Query(String),
}

/// One API revision as the router takes it.
#[derive(Clone, Debug)]
pub(crate) struct ApiRoute {
    /// Without slashes around it; may be empty. Texts are shared: a recompile clones every route.
    pub(crate) path: Arc<str>,
    pub(crate) http: bool,
    pub(crate) https: bool,
    pub(crate) versioning: Arc<Versioning>,
    /// Empty for the original.
    pub(crate) version: Arc<str>,
    pub(crate) revision: Arc<str>,
    pub(crate) current: bool,
    pub(crate) online: bool,
    /// What a match returns.
    pub(crate) target: usize,
}

/// An API that takes a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ApiMatch {
    pub(crate) target: usize,
    /// Segments of the path that belong to the API and its version.
    pub(crate) depth: usize,
}

/// The index of all APIs.
#[derive(Debug, Default)]
pub(crate) struct Router {
    by_path: HashMap<String, Vec<ApiRoute>>,
    /// Numbers of segments that paths have, longest first.
    depths: Vec<usize>,
}

impl Router {
    pub(crate) fn new(routes: Vec<ApiRoute>) -> Self {
        let mut by_path: HashMap<String, Vec<ApiRoute>> = HashMap::with_capacity(routes.len());
        let mut depths = Vec::new();
        for route in routes {
            let key = route.path.to_lowercase();
            depths.push(if key.is_empty() { 0 } else { key.split('/').count() });
            by_path.entry(key).or_default().push(route);
        }
        depths.sort_unstable_by(|a, b| b.cmp(a));
        depths.dedup();
        Self { by_path, depths }
    }

    /// The API of a request. `path` is the comparable form of the request's path.
    pub(crate) fn find(&self, path: &str, head: &RequestHead) -> Option<ApiMatch> {
        let path = Segments::new(path);
        for &depth in &self.depths {
            let Some((key, revision)) = path.prefix(depth) else { continue };
            let Some(candidates) = self.by_path.get(key) else { continue };
            let asked = Asked { path: &path, depth, revision, head };
            if candidates.iter().any(|route| asked.speaks(route)) {
                // The longest path decides, also when it has no version or operation for the request.
                return asked.choose(candidates);
            }
        }
        None
    }
}

/// A path in lower case, with the ends of its segments.
struct Segments {
    lower: String,
    /// End of each segment in `lower`.
    ends: Vec<usize>,
    /// The first segment that ends in `;rev=n`: index, and where the suffix begins.
    revision: Option<(usize, usize)>,
}

impl Segments {
    fn new(path: &str) -> Self {
        let lower = path.strip_prefix('/').unwrap_or(path).to_lowercase();
        let mut ends: Vec<usize> = lower.match_indices('/').map(|(at, _)| at).collect();
        if !lower.is_empty() {
            ends.push(lower.len());
        }
        let revision = lower.find(";rev=").and_then(|at| {
            let segment = ends.iter().position(|end| *end > at)?;
            let digits = lower.get(at + 5..*ends.get(segment)?)?;
            let number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
            number.then_some((segment, at))
        });
        Self { lower, ends, revision }
    }

    /// The first segments, with the revision that ends them; `None` when there are not so many.
    fn prefix(&self, depth: usize) -> Option<(&str, Option<&str>)> {
        if depth == 0 {
            return Some(("", None));
        }
        let end = *self.ends.get(depth - 1)?;
        match self.revision {
            Some((segment, at)) if segment + 1 == depth => {
                Some((&self.lower[..at], Some(&self.lower[at + 5..end])))
            }
            _ => Some((&self.lower[..end], None)),
        }
    }

    /// One segment, with the revision that ends it.
    fn segment(&self, index: usize) -> Option<(&str, Option<&str>)> {
        let end = *self.ends.get(index)?;
        let start = if index == 0 { 0 } else { self.ends.get(index - 1)? + 1 };
        match self.revision {
            Some((segment, at)) if segment == index => {
                Some((&self.lower[start..at], Some(&self.lower[at + 5..end])))
            }
            _ => Some((&self.lower[start..end], None)),
        }
    }
}

/// What a request asks of the APIs of one path.
struct Asked<'a> {
    path: &'a Segments,
    depth: usize,
    revision: Option<&'a str>,
    head: &'a RequestHead,
}

impl Asked<'_> {
    fn speaks(&self, route: &ApiRoute) -> bool {
        match self.head.scheme {
            Scheme::Http => route.http,
            Scheme::Https => route.https,
        }
    }

    /// An identifier that was sent must be known; without one the original answers.
    fn choose(&self, candidates: &[ApiRoute]) -> Option<ApiMatch> {
        let mut original = None;
        let mut identified = false;
        for route in candidates.iter().filter(|route| self.speaks(route)) {
            let sent = self.sent(&route.versioning);
            let (version, revision) = sent.unwrap_or(("", None));
            if route.version.is_empty() {
                if self.is_revision(route, self.revision) {
                    original = Some(ApiMatch { target: route.target, depth: self.depth });
                }
                continue;
            }
            let by_segment = *route.versioning == Versioning::Segment;
            identified |= !by_segment && !version.is_empty();
            let revision = if by_segment { revision } else { self.revision };
            if route.version.eq_ignore_ascii_case(version) && self.is_revision(route, revision) {
                let depth = self.depth + usize::from(by_segment);
                return Some(ApiMatch { target: route.target, depth });
            }
        }
        if identified { None } else { original }
    }

    fn is_revision(&self, route: &ApiRoute, asked: Option<&str>) -> bool {
        match asked {
            None => route.current,
            Some(revision) => route.online && *route.revision == *revision,
        }
    }

    /// The version identifier of the request, and a revision that came with it.
    fn sent(&self, versioning: &Versioning) -> Option<(&str, Option<&str>)> {
        match versioning {
            Versioning::None => None,
            Versioning::Segment => self.path.segment(self.depth),
            Versioning::Header(name) => Some((self.head.fields.get_str(name)?.trim(), None)),
            Versioning::Query(name) => Some((query_value(self.head.target.query()?, name)?, None)),
        }
    }
}

/// The first raw value of a query parameter; names compare without regard to case.
pub(crate) fn query_value<'q>(query: &'q str, name: &str) -> Option<&'q str> {
    query.split('&').find_map(|pair| {
        let (found, value) = pair.split_once('=').unwrap_or((pair, ""));
        let same = found.eq_ignore_ascii_case(name) || decode(found).eq_ignore_ascii_case(name);
        same.then_some(value)
    })
}

/// Percent-decodes; what is not UTF-8 afterwards is replaced.
pub(crate) fn decode(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let hex = text.get(at + 1..at + 3).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match hex.filter(|_| byte == b'%') {
            Some(decoded) => {
                out.push(decoded);
                at += 3;
            }
            None => {
                out.push(byte);
                at += 1;
            }
        }
    }
    let decoded = String::from_utf8(out);
    Cow::Owned(decoded.unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
}
