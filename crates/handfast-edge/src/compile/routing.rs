//! Redirects, path maps and rules.

use super::Task;
use super::backends::Backends;
use super::children::Children;
use crate::plan::{Action, PathMap, PathPattern, PathRule, Redirect, RedirectTarget, Route, Routing, Rule};
use crate::rewrite::RewriteSet;
use handfast_model::View;
use std::collections::BTreeMap;
use std::sync::Arc;

type Redirects = BTreeMap<String, Arc<Redirect>>;
type Rewrites = BTreeMap<String, Arc<RewriteSet>>;

/// Redirect configurations by lower-case name.
pub(super) fn redirects(task: &Task<'_>, properties: &View<'_>, children: &Children<'_>) -> Redirects {
    let mut redirects = BTreeMap::new();
    for view in properties.array("redirectConfigurations") {
        let Some(name) = view.str("name") else { continue };
        let inner = view.field("properties");
        let kinds = [("Permanent", 301), ("Found", 302), ("SeeOther", 303), ("Temporary", 307)];
        let Some(status) = inner.one_of("redirectType", &kinds) else {
            inner.required("redirectType");
            continue;
        };
        let Some(target) = redirect_target(task, properties, &inner, children) else { continue };
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
    _task: &Task<'_>,
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

/// All rules that compile, in ascending priority.
pub(super) fn rules(
    task: &Task<'_>,
    properties: &View<'_>,
    children: &Children<'_>,
    backends: &Backends<'_>,
    redirects: &Redirects,
    rewrites: &Rewrites,
) -> Vec<RuleOf> {
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
        if let Some(routing) = reader.routing(properties, &inner) {
            rules.push(RuleOf { listener, rule: Rule { name: name.to_owned(), priority, routing } });
        }
    }
    rules.sort_by_key(|rule| rule.rule.priority);
    rules
}

struct Reader<'a> {
    children: &'a Children<'a>,
    backends: &'a Backends<'a>,
    redirects: &'a Redirects,
    rewrites: &'a Rewrites,
}

impl Reader<'_> {
    fn listener(&self, inner: &View<'_>) -> Option<String> {
        if !inner.has("httpListener") {
            inner.required("httpListener");
            return None;
        }
        self.children.reference(inner, "httpListener", "httpListeners")
    }

    fn routing(&self, properties: &View<'_>, inner: &View<'_>) -> Option<Routing> {
        let kinds = [("Basic", false), ("PathBasedRouting", true)];
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
        if !inner.has("urlPathMap") {
            inner.required("urlPathMap");
            return None;
        }
        let name = self.children.reference(inner, "urlPathMap", "urlPathMaps")?;
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
        let mut rules = Vec::new();
        for rule in map.array("pathRules") {
            let inner = rule.field("properties");
            let patterns: Vec<PathPattern> = inner.array("paths").iter().filter_map(pattern).collect();
            let route = self.route(
                &inner,
                ["backendAddressPool", "backendHttpSettings", "redirectConfiguration", "rewriteRuleSet"],
            );
            if let Some(route) = route {
                rules.push(PathRule { patterns, route });
            }
        }
        Some(PathMap { rules, default })
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
    Some(PathPattern { text: stem.to_lowercase(), prefix: stem.len() != text.len() })
}
