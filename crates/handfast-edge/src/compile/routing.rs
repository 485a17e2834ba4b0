//! Redirects, path maps and rules.

use super::Task;
use super::backends::Backends;
use super::children::Children;
use crate::plan::{Action, PathMap, PathPattern, PathRule, Redirect, RedirectTarget, Route, Routing, Rule};
use crate::rewrite::{RewriteRule, RewriteSet};
use handfast_model::View;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

type Redirects = BTreeMap<String, Arc<Redirect>>;
type Rewrites = BTreeMap<String, Arc<RewriteSet>>;

/// Redirect configurations by lower-case name.
pub(super) fn redirects(properties: &View<'_>, children: &Children<'_>) -> Redirects {
    let mut redirects = BTreeMap::new();
    for view in properties.array("redirectConfigurations") {
        let Some(name) = view.str("name") else { continue };
        let inner = view.field("properties");
        let kinds = [("Permanent", 301), ("Found", 302), ("SeeOther", 303), ("Temporary", 307)];
        let Some(status) = inner.one_of("redirectType", &kinds) else {
            inner.required("redirectType");
            continue;
        };
        let Some(target) = redirect_target(properties, &inner, children) else { continue };
        let redirect = Redirect {
            status,
            target,
            include_path: inner.bool_or("includePath", false),
            include_query: inner.bool_or("includeQueryString", false),
        };
        redirects.insert(name.to_lowercase(), Arc::new(redirect));
    }
    redirects
}

fn redirect_target(
    properties: &View<'_>,
    inner: &View<'_>,
    children: &Children<'_>,
) -> Option<RedirectTarget> {
    if let Some(url) = inner.str("targetUrl").filter(|url| !url.is_empty()) {
        let scheme = url.starts_with("http://") || url.starts_with("https://");
        if !scheme || url.bytes().any(|b| !(0x21..=0x7e).contains(&b)) {
            inner
                .any("targetUrl")
                .error("InvalidProperty", format!("\"{url}\" is no absolute http or https URL"));
            return None;
        }
        if inner.has("targetListener") {
            inner
                .any("targetListener")
                .error("InvalidProperty", "\"targetListener\" and \"targetUrl\" exclude each other");
            return None;
        }
        if inner.bool_or("includePath", false) && !is_path_less(url) {
            inner.any("includePath").warning(
                "IncludePathWithoutEffect",
                "\"includePath\" has no effect: \"targetUrl\" has a path of its own",
            );
        }
        return Some(RedirectTarget::Url(url.to_owned()));
    }
    if !inner.has("targetListener") {
        inner.error("MissingProperty", "a redirect needs \"targetListener\" or \"targetUrl\"");
        return None;
    }
    let name = children.reference(inner, "targetListener", "httpListeners")?;
    let listener = named(properties, "httpListeners", &name)?.field("properties");
    let hosts = listener.strings("hostNames");
    let host = listener.str("hostName").or(hosts.first().copied()).filter(|host| !host.is_empty());
    if hosts.len() > 1 || host.is_some_and(|host| host.contains(['*', '?'])) {
        inner.any("targetListener").error(
            "ApplicationGatewayRedirectTargetListenerHasWildcard",
            format!("listener \"{name}\" has a wildcard or several host names; a redirect needs one exact name or none"),
        );
        return None;
    }
    let port = children.reference(&listener, "frontendPort", "frontendPorts")?;
    let port =
        named(properties, "frontendPorts", &port)?.field("properties").integer_in("port", 1..=65535)?;
    let https = listener.one_of("protocol", &[("Http", false), ("Https", true)])?;
    Some(RedirectTarget::Listener { https, host: host.map(str::to_owned), port })
}

/// Whether a URL ends with its authority, so that a path can be appended.
pub(crate) fn is_path_less(url: &str) -> bool {
    url.splitn(4, '/').nth(3).is_none_or(str::is_empty) && !url.contains(['?', '#'])
}

/// The child of a collection with a lower-case name.
pub(super) fn named<'v>(properties: &View<'v>, collection: &str, name: &str) -> Option<View<'v>> {
    properties
        .array(collection)
        .into_iter()
        .find(|child| child.str("name").is_some_and(|n| n.to_lowercase() == name))
}

/// A rule with the lower-case name of its listener.
pub(super) struct RuleOf {
    pub(super) listener: String,
    pub(super) rule: Rule,
}

/// All rules that compile, in ascending priority, and the listeners of those that do not.
pub(super) fn rules(
    task: &Task<'_>,
    properties: &View<'_>,
    children: &Children<'_>,
    backends: &Backends<'_>,
    redirects: &Redirects,
    rewrites: &Rewrites,
) -> (Vec<RuleOf>, BTreeSet<String>) {
    let mut broken = BTreeSet::new();
    let reader = Reader { children, backends, redirects, rewrites };
    let mut rules: Vec<RuleOf> = Vec::new();
    let mut priorities: BTreeMap<u32, String> = BTreeMap::new();
    let views = properties.array("requestRoutingRules");
    let with_priority = views.iter().filter(|view| view.field("properties").has("priority")).count();
    for (index, view) in views.iter().enumerate() {
        let Some(name) = view.str("name") else { continue };
        let inner = view.field("properties");
        let priority = inner.integer_in("priority", 1..=20000);
        match priority {
            None if task.resource.api_version.as_str() >= "2021-08-01" && !inner.has("priority") => {
                let id = task.resource.id.child("requestRoutingRules", name);
                inner.error(
                    "ApplicationGatewayRequestRoutingRulePriorityCannotBeEmpty",
                    format!("rule \"{}\" needs a \"priority\" from 1 to 20000", id.as_str()),
                );
            }
            None if with_priority > 0 && !inner.has("priority") => inner.error(
                "ApplicationGatewayRequestRoutingRulePartialPriorityDefined",
                format!("rule \"{name}\" has no \"priority\", but others have one"),
            ),
            _ => {}
        }
        let priority = priority.unwrap_or(10_000 + index as u32);
        if let Some(other) = priorities.insert(priority, name.to_owned()) {
            inner.any("priority").error(
                "ApplicationGatewayRequestRoutingRuleDuplicatePriority",
                format!("rules \"{other}\" and \"{name}\" have the same priority {priority}"),
            );
        }
        let Some(listener) = reader.listener(&inner) else { continue };
        if let Some(other) = rules.iter().find(|rule| rule.listener == listener) {
            inner.any("httpListener").error(
                "ApplicationGatewayListenerMustBeUsedByOneRule",
                format!("listener \"{listener}\" is used by rules \"{}\" and \"{name}\"", other.rule.name),
            );
            continue;
        }
        match reader.routing(properties, &inner) {
            Some(routing) => {
                rules.push(RuleOf { listener, rule: Rule { name: name.to_owned(), priority, routing } })
            }
            None => {
                broken.insert(listener);
            }
        }
    }
    rules.sort_by_key(|rule| rule.rule.priority);
    (rules, broken)
}

struct Reader<'a> {
    children: &'a Children<'a>,
    backends: &'a Backends<'a>,
    redirects: &'a Redirects,
    rewrites: &'a Rewrites,
}

impl Reader<'_> {
    fn listener(&self, inner: &View<'_>) -> Option<String> {
        self.children.required(inner, "httpListener", "httpListeners")
    }

    fn routing(&self, properties: &View<'_>, inner: &View<'_>) -> Option<Routing> {
        let kinds = [("Basic", false), ("PathBasedRouting", true)];
        inner.required("ruleType")?;
        let by_path = inner.one_of("ruleType", &kinds)?;
        if !by_path {
            let route = self.route(
                inner,
                ["backendAddressPool", "backendHttpSettings", "redirectConfiguration", "rewriteRuleSet"],
            )?;
            let reroutes =
                |set: &Arc<RewriteSet>| set.rules.iter().any(|r| r.url.as_ref().is_some_and(|u| u.reroute));
            if route.rewrite.as_ref().is_some_and(reroutes) {
                inner.any("rewriteRuleSet").error(
                    "ApplicationGatewayRerouteNotAllowedForBasicRule",
                    "\"reroute\" needs a rule of type PathBasedRouting",
                );
                return None;
            }
            return Some(Routing::Basic(route));
        }
        let name = self.children.required(inner, "urlPathMap", "urlPathMaps")?;
        self.path_map(&named(properties, "urlPathMaps", &name)?.field("properties")).map(Routing::Paths)
    }

    fn path_map(&self, map: &View<'_>) -> Option<PathMap> {
        let default = self.route(
            map,
            [
                "defaultBackendAddressPool",
                "defaultBackendHttpSettings",
                "defaultRedirectConfiguration",
                "defaultRewriteRuleSet",
            ],
        )?;
        let views = map.array("pathRules");
        // One that cannot be read breaks the map: its requests would go to the default otherwise.
        let rules: Vec<PathRule> = views.iter().filter_map(|rule| self.path_rule(rule)).collect();
        if rules.len() != views.len() {
            return None;
        }
        let routes = || rules.iter().map(|rule| &rule.route).chain([&default]);
        if routes().filter_map(|route| route.rewrite.as_ref()).any(|set| always_reroutes(set)) {
            map.error(
                "ApplicationGatewayRerouteNotAllowedForBasicRule",
                "a rewrite set in which every rule reroutes without a condition never ends",
            );
            return None;
        }
        Some(PathMap { rules, default })
    }

    fn path_rule(&self, rule: &View<'_>) -> Option<PathRule> {
        let inner = rule.field("properties");
        let paths = inner.array("paths");
        if paths.is_empty() {
            inner.error("MissingProperty", "\"paths\" needs at least one path");
            return None;
        }
        let patterns: Vec<PathPattern> = paths.iter().filter_map(pattern).collect();
        let route = self.route(
            &inner,
            ["backendAddressPool", "backendHttpSettings", "redirectConfiguration", "rewriteRuleSet"],
        )?;
        (patterns.len() == paths.len()).then_some(PathRule { patterns, route })
    }

    /// A route from the fields (pool, settings, redirect, rewrite) of a rule, path rule or path map.
    fn route(&self, view: &View<'_>, [pool, settings, redirect, rewrite]: [&str; 4]) -> Option<Route> {
        let set = self
            .children
            .reference(view, rewrite, "rewriteRuleSets")
            .and_then(|name| self.rewrites.get(&name));
        if view.has(rewrite) && set.is_none() {
            return None;
        }
        let rewrite = set.cloned();
        if view.has(redirect) {
            let name = self.children.reference(view, redirect, "redirectConfigurations")?;
            return Some(Route { action: Action::Redirect(self.redirects.get(&name)?.clone()), rewrite });
        }
        if !view.has(pool) || !view.has(settings) {
            view.error(
                "MissingProperty",
                format!("\"{pool}\" with \"{settings}\", or \"{redirect}\", is needed"),
            );
            return None;
        }
        let pool = self.children.reference(view, pool, "backendAddressPools");
        let settings = self.children.reference(view, settings, "backendHttpSettingsCollection");
        let backend = self.backends.get(&pool?, &settings?)?;
        Some(Route { action: Action::Forward(backend), rewrite })
    }
}

fn always_reroutes(set: &RewriteSet) -> bool {
    let always =
        |rule: &RewriteRule| rule.conditions.is_empty() && rule.url.as_ref().is_some_and(|url| url.reroute);
    !set.rules.is_empty() && set.rules.iter().all(always)
}

/// A path of a path rule (edge specification §1.4).
fn pattern(view: &View<'_>) -> Option<PathPattern> {
    let text = view.as_str()?;
    let stem = text.strip_suffix('*').unwrap_or(text);
    if !text.starts_with('/') || stem.contains(['*', '?', '#']) {
        view.error(
            "InvalidPathPattern",
            format!("\"{text}\" is no path pattern; it must begin with \"/\", may end in one \"*\", and has no \"?\" or \"#\""),
        );
        return None;
    }
    Some(PathPattern { text: stem.to_ascii_lowercase(), prefix: stem.len() != text.len() })
}
