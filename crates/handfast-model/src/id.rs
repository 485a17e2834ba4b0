//! Resource ids: the path that names a resource in ARM REST, in templates and in the graph
//! (`spec/arm.md` §1.3).
//!
//! Ids compare without regard to case in every segment, and keep the spelling they were first written
//! with; only the words `subscriptions`, `resourceGroups` and `providers` are put into their usual case.
//! Doubled and trailing slashes are dropped. An id does *not* say whether the resource exists.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;
use std::sync::Arc;

/// The longest id that is read, in bytes.
pub const ID_BYTES_MAX: usize = 4096;

/// A well-formed resource id. Cloning is cheap.
///
/// ```
/// use handfast_model::ResourceId;
/// let api: ResourceId = "/subscriptions/s/resourcegroups/g/providers/Microsoft.ApiManagement/service/x/apis/echo"
///     .parse()
///     .unwrap();
/// assert_eq!(api.resource_type(), "Microsoft.ApiManagement/service/apis");
/// assert_eq!(api.name(), "echo");
/// assert_eq!(api.parent().unwrap().name(), "x");
/// ```
#[derive(Clone)]
pub struct ResourceId {
    text: Arc<str>,
    key: Arc<str>,
}

/// Why a text is not a resource id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidResourceId {
    /// The text does not start with `/`, or nothing follows.
    #[error("resource id \"{0}\" does not start with \"/subscriptions/\" or \"/providers/\"")]
    NotAbsolute(String),
    /// A type has no name, or a namespace no type.
    #[error("resource id \"{0}\" is incomplete: every type must be followed by a name")]
    Incomplete(String),
    /// A segment stands where a known word was expected.
    #[error("resource id \"{id}\" has \"{found}\" where \"{expected}\" was expected")]
    Unexpected {
        /// The whole text.
        id: String,
        /// The segment found.
        found: String,
        /// What would be accepted.
        expected: &'static str,
    },
    /// More than [`ID_BYTES_MAX`] bytes.
    #[error("resource id is longer than {ID_BYTES_MAX} bytes")]
    TooLong,
}

impl InvalidResourceId {
    /// The stable code of every malformed id.
    pub fn code(&self) -> &'static str {
        "InvalidResourceId"
    }
}

impl ResourceId {
    /// Reads an id; see [`FromStr`].
    pub fn parse(text: &str) -> Result<Self, InvalidResourceId> {
        if text.len() > ID_BYTES_MAX {
            return Err(InvalidResourceId::TooLong);
        }
        if !text.starts_with('/') {
            return Err(InvalidResourceId::NotAbsolute(text.to_owned()));
        }
        let mut segments: Vec<&str> = text.split('/').filter(|s| !s.is_empty()).collect();
        canonicalise(text, &mut segments)?;
        Ok(Self::from_segments(&segments))
    }

    /// The id of a subscription.
    pub fn of_subscription(subscription: &str) -> Self {
        Self::from_segments(&["subscriptions", subscription])
    }

    /// The id of a resource group.
    pub fn of_group(subscription: &str, group: &str) -> Self {
        Self::from_segments(&["subscriptions", subscription, "resourceGroups", group])
    }

    fn from_segments(segments: &[&str]) -> Self {
        let mut text = String::with_capacity(segments.iter().map(|s| s.len() + 1).sum());
        for segment in segments {
            text.push('/');
            text.push_str(segment);
        }
        let key = text.to_lowercase().into();
        Self { text: text.into(), key }
    }

    /// The id in its kept spelling.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The id in lower case: equal ids have equal keys.
    pub fn key(&self) -> &str {
        &self.key
    }

    fn segments(&self) -> Vec<&str> {
        self.text.split('/').skip(1).collect()
    }

    /// Index of the last `providers` word, if there is one.
    fn last_provider(segments: &[&str]) -> Option<usize> {
        let mut at = scope_len(segments);
        let mut found = None;
        while segments.get(at).is_some_and(|s| *s == PROVIDERS) {
            found = Some(at);
            at += 2;
            while segments.get(at).is_some_and(|s| *s != PROVIDERS) {
                at += 2;
            }
        }
        found
    }

    /// The subscription, unless the id is at tenant or management-group level.
    pub fn subscription(&self) -> Option<&str> {
        let segments = self.segments();
        (segments.first() == Some(&SUBSCRIPTIONS)).then(|| segments.get(1).copied()).flatten()
    }

    /// The resource group, if the id lies in one.
    pub fn resource_group(&self) -> Option<&str> {
        let segments = self.segments();
        (segments.get(2) == Some(&RESOURCE_GROUPS)).then(|| segments.get(3).copied()).flatten()
    }

    /// The namespace of the last `providers` part, such as `Microsoft.Network`.
    pub fn provider(&self) -> Option<&str> {
        let segments = self.segments();
        segments.get(Self::last_provider(&segments)? + 1).copied()
    }

    /// `Namespace/type/childType`; for groups and subscriptions their type under `Microsoft.Resources`.
    pub fn resource_type(&self) -> String {
        let segments = self.segments();
        let Some(provider) = Self::last_provider(&segments) else {
            return match segments.len() {
                2 => "Microsoft.Resources/subscriptions".to_owned(),
                _ => "Microsoft.Resources/resourceGroups".to_owned(),
            };
        };
        let mut kind = segments.get(provider + 1).copied().unwrap_or_default().to_owned();
        for part in segments.iter().skip(provider + 2).step_by(2) {
            kind.push('/');
            kind.push_str(part);
        }
        kind
    }

    /// Whether the type is this one, without regard to case.
    pub fn is_kind(&self, kind: &str) -> bool {
        self.resource_type().eq_ignore_ascii_case(kind)
    }

    /// The last segment.
    pub fn name(&self) -> &str {
        self.text.rsplit('/').next().unwrap_or_default()
    }

    /// The names of the last `providers` part, outermost first: `["x", "echo"]` for `…/service/x/apis/echo`.
    pub fn names(&self) -> Vec<&str> {
        let segments = self.segments();
        match Self::last_provider(&segments) {
            Some(provider) => segments.iter().skip(provider + 3).step_by(2).copied().collect(),
            None => vec![self.name()],
        }
    }

    /// One step outwards: a child's parent, an extension's target, a resource's group, a group's
    /// subscription.
    pub fn parent(&self) -> Option<Self> {
        let segments = self.segments();
        let Some(provider) = Self::last_provider(&segments) else {
            return (segments.len() == 4).then(|| Self::from_segments(&segments[..2]));
        };
        let keep = if segments.len() > provider + 4 { segments.len() - 2 } else { provider };
        (keep > 0).then(|| Self::from_segments(&segments[..keep]))
    }

    /// The parent if that is a resource of a provider, not a group or subscription.
    pub fn parent_resource(&self) -> Option<Self> {
        self.parent().filter(|parent| parent.provider().is_some())
    }

    /// The part before the last `/providers/`: group, subscription, extended resource; `None` at tenant
    /// level.
    pub fn scope(&self) -> Option<Self> {
        let segments = self.segments();
        match Self::last_provider(&segments) {
            Some(0) => None,
            Some(provider) => Some(Self::from_segments(&segments[..provider])),
            None => Some(self.clone()),
        }
    }

    /// Whether the resource extends another one (`…/providers/X/y/z/providers/W/v/u`).
    pub fn is_extension(&self) -> bool {
        self.scope().is_some_and(|scope| scope != *self && scope.provider().is_some())
    }

    /// The id of a child: `kind` is the child's own type segment, such as `apis`.
    #[must_use]
    pub fn child(&self, kind: &str, name: &str) -> Self {
        let mut segments = self.segments();
        segments.extend([kind, name]);
        Self::from_segments(&segments)
    }

    /// The id of a resource of another provider on this scope: `kind` is `Namespace/type`.
    pub fn provided(&self, kind: &str, name: &str) -> Result<Self, InvalidResourceId> {
        Self::parse(&format!("{}/{PROVIDERS}/{kind}/{name}", self.text))
    }

    /// Whether this id lies below the other one.
    pub fn is_below(&self, other: &Self) -> bool {
        self.key.strip_prefix(&*other.key).is_some_and(|rest| rest.starts_with('/'))
    }
}

const SUBSCRIPTIONS: &str = "subscriptions";
const RESOURCE_GROUPS: &str = "resourceGroups";
const PROVIDERS: &str = "providers";

/// How many segments precede the first `providers`, for canonical segments.
fn scope_len(segments: &[&str]) -> usize {
    match (segments.first(), segments.get(2)) {
        (Some(&SUBSCRIPTIONS), Some(&RESOURCE_GROUPS)) => 4,
        (Some(&SUBSCRIPTIONS), _) => 2,
        _ => 0,
    }
}

/// Puts the known words into their usual case and checks that types and names alternate.
fn canonicalise(text: &str, segments: &mut [&str]) -> Result<(), InvalidResourceId> {
    let Some(first) = segments.first().copied() else {
        return Err(InvalidResourceId::NotAbsolute(text.to_owned()));
    };
    let mut at = 0;
    if first.eq_ignore_ascii_case(SUBSCRIPTIONS) {
        segments[0] = SUBSCRIPTIONS;
        at = 2;
        if segments.get(2).is_some_and(|s| s.eq_ignore_ascii_case(RESOURCE_GROUPS)) {
            segments[2] = RESOURCE_GROUPS;
            at = 4;
        }
    } else if !first.eq_ignore_ascii_case(PROVIDERS) {
        return Err(InvalidResourceId::NotAbsolute(text.to_owned()));
    }
    if segments.len() < at {
        return Err(InvalidResourceId::Incomplete(text.to_owned()));
    }
    while at < segments.len() {
        if !segments[at].eq_ignore_ascii_case(PROVIDERS) {
            let (id, found) = (text.to_owned(), segments[at].to_owned());
            return Err(InvalidResourceId::Unexpected { id, found, expected: PROVIDERS });
        }
        segments[at] = PROVIDERS;
        at += 2;
        let first_type = at;
        while at < segments.len() && !(at > first_type && segments[at].eq_ignore_ascii_case(PROVIDERS)) {
            at += 2;
        }
        if at > segments.len() || at == first_type {
            return Err(InvalidResourceId::Incomplete(text.to_owned()));
        }
    }
    Ok(())
}

impl FromStr for ResourceId {
    type Err = InvalidResourceId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl fmt::Display for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ResourceId({})", self.text)
    }
}

impl PartialEq for ResourceId {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl Eq for ResourceId {}

impl PartialOrd for ResourceId {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ResourceId {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key.cmp(&other.key)
    }
}

impl Hash for ResourceId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key.hash(state);
    }
}

impl Borrow<str> for ResourceId {
    /// The key, so maps can be searched by lower-case text.
    fn borrow(&self) -> &str {
        &self.key
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> ResourceId {
        text.parse().unwrap()
    }

    #[test]
    fn ids_print_as_written_but_for_known_words_and_stray_slashes() {
        for (text, printed) in [
            ("/subscriptions/S", "/subscriptions/S"),
            ("/Subscriptions/s/RESOURCEGROUPS/Rg/", "/subscriptions/s/resourceGroups/Rg"),
            (
                "/providers/Microsoft.Management/managementGroups/m",
                "/providers/Microsoft.Management/managementGroups/m",
            ),
            ("/subscriptions/s//providers/A.B/c/d", "/subscriptions/s/providers/A.B/c/d"),
        ] {
            assert_eq!(id(text).to_string(), printed);
            assert_eq!(id(printed).to_string(), printed);
        }
    }

    #[test]
    fn ids_compare_without_regard_to_case() {
        let (a, b) = (id("/subscriptions/S/resourceGroups/G"), id("/SUBSCRIPTIONS/s/resourcegroups/g"));
        assert_eq!(a, b);
        assert_eq!(std::collections::HashSet::from([a, b]).len(), 1);
    }

    #[test]
    fn parts_of_a_child_are_read() {
        let echo = id(
            "/subscriptions/s/resourceGroups/g/providers/Microsoft.ApiManagement/service/x/apis/echo;rev=2",
        );
        assert_eq!(echo.subscription(), Some("s"));
        assert_eq!(echo.resource_group(), Some("g"));
        assert_eq!(echo.provider(), Some("Microsoft.ApiManagement"));
        assert_eq!(echo.names(), ["x", "echo;rev=2"]);
        let service = echo.parent().unwrap();
        assert_eq!(service.resource_type(), "Microsoft.ApiManagement/service");
        assert_eq!(service.child("apis", "ECHO;rev=2"), echo);
        let group = service.parent().unwrap();
        assert_eq!(group, ResourceId::of_group("s", "g"));
        assert_eq!(group.parent().unwrap(), ResourceId::of_subscription("s"));
        assert_eq!(ResourceId::of_subscription("s").parent(), None);
        assert!(echo.is_below(&group) && !service.is_below(&service));
    }

    #[test]
    fn extension_resources_have_the_extended_resource_as_parent() {
        let lock = id(
            "/subscriptions/s/resourceGroups/g/providers/A.B/providers/providers/providers/Microsoft.Authorization/locks/l",
        );
        assert_eq!(lock.resource_type(), "Microsoft.Authorization/locks");
        assert!(lock.is_extension());
        assert_eq!(
            lock.parent().unwrap().to_string(),
            "/subscriptions/s/resourceGroups/g/providers/A.B/providers/providers"
        );
        let tenant = id("/providers/A.B/c/d");
        assert_eq!((tenant.parent(), tenant.scope()), (None, None));
        assert_eq!(
            tenant.provided("X.Y/z", "w").unwrap().to_string(),
            "/providers/A.B/c/d/providers/X.Y/z/w"
        );
    }

    #[test]
    fn malformed_ids_are_refused() {
        for text in [
            "",
            "/",
            "x",
            "/subscriptions",
            "/subscriptions/s/resourceGroups",
            "/subscriptions/s/other/x",
            "/subscriptions/s/providers/A.B",
            "/subscriptions/s/providers/A.B/c",
            "/subscriptions/s/providers/A.B/c/d/e",
            "https://vault.test/secrets/x",
        ] {
            assert!(ResourceId::parse(text).is_err(), "{text}");
        }
        assert_eq!(ResourceId::parse(&"/a".repeat(ID_BYTES_MAX)), Err(InvalidResourceId::TooLong));
    }
}
