//! `rewriteRuleSets`.

use crate::rewrite::{Condition, HeaderAction, RewriteRule, RewriteSet, Source, Template, UrlAction};
use crate::variables;
use handfast_core::message::is_token;
use handfast_model::View;
use regex::{Regex, RegexBuilder};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Size of a compiled pattern, bytes: a bound on what a document can make us allocate.
const PATTERN_BYTES_MAX: usize = 1 << 20;

/// Headers that belong to the connection or frame the message: a rewrite of them would desynchronise hops.
const NOT_REWRITTEN: &[&str] =
    &["Connection", "Upgrade", "Content-Length", "Transfer-Encoding", "TE", "Trailer"];

pub(super) struct Rewrites {
    /// By lower-case name.
    pub(super) sets: BTreeMap<String, Arc<RewriteSet>>,
    /// Request headers that are filled from a client certificate somewhere.
    pub(super) certificate_headers: Vec<String>,
}

pub(super) fn compile(properties: &View<'_>) -> Rewrites {
    let mut rewrites = Rewrites { sets: BTreeMap::new(), certificate_headers: Vec::new() };
    for set in properties.array("rewriteRuleSets") {
        let Some(name) = set.str("name") else { continue };
        let mut broken = false;
        let mut rules: Vec<(i64, RewriteRule)> = Vec::new();
        for rule in set.field("properties").array("rewriteRules") {
            let sequence = rule.integer("ruleSequence").unwrap_or(100);
            match compile_rule(&rule, &mut rewrites.certificate_headers) {
                Some(rule) => rules.push((sequence, rule)),
                None => broken = true,
            }
        }
        // Half of a set may be the half that opens a door: rules that use it keep their last good version.
        if broken {
            continue;
        }
        rules.sort_by_key(|(sequence, _)| *sequence);
        let rules = rules.into_iter().map(|(_, rule)| rule).collect();
        rewrites.sets.insert(name.to_lowercase(), Arc::new(RewriteSet { rules }));
    }
    rewrites
}

fn compile_rule(rule: &View<'_>, certificate_headers: &mut Vec<String>) -> Option<RewriteRule> {
    let actions = rule.field("actionSet");
    let request_headers = headers(&actions, "requestHeaderConfigurations")?;
    let response_headers = headers(&actions, "responseHeaderConfigurations")?;
    for action in &request_headers {
        let of_certificate = |(_, source): (&str, &Source)| matches!(source, Source::Variable(name) if name.starts_with("client_certificate"));
        let known = certificate_headers.iter().any(|name| name.eq_ignore_ascii_case(&action.name));
        if action.value.sources().any(of_certificate) && !known {
            certificate_headers.push(action.name.clone());
        }
    }
    let conditions = rule.array("conditions");
    let compiled: Vec<Condition> = conditions.iter().filter_map(condition).collect();
    if compiled.len() != conditions.len() {
        return None;
    }
    let of_response = compiled.iter().any(|condition| condition.source.is_of_response());
    if of_response && (!request_headers.is_empty() || actions.has("urlConfiguration")) {
        actions.warning(
            "RequestActionsWithoutEffect",
            "actions on the request have no effect in a rule with a condition on the response",
        );
    }
    let url = actions.field("urlConfiguration");
    let template = |field: &str| url.str(field).map(|text| checked_template(&url.any(field), text));
    let url = url.exists().then(|| UrlAction {
        path: template("modifiedPath"),
        query: template("modifiedQueryString"),
        reroute: url.bool_or("reroute", false),
    });
    Some(RewriteRule { conditions: compiled, request_headers, response_headers, url })
}

fn condition(view: &View<'_>) -> Option<Condition> {
    let variable = view.require_str("variable")?;
    let Some(source) = Source::parse(variable).filter(is_known) else {
        view.any("variable").error(
            "InvalidServerVariable",
            format!("\"{variable}\" is no variable; \"http_req_Name\", \"http_resp_Name\" and \"var_name\" are accepted, with name one of {}", variables::NAMES.join(", ")),
        );
        return None;
    };
    let pattern = pattern(view)?;
    Some(Condition { variable: variable.to_owned(), source, pattern, negate: view.bool_or("negate", false) })
}

fn is_known(source: &Source) -> bool {
    match source {
        Source::Variable(name) => variables::is_known(name),
        Source::RequestHeader(name) | Source::ResponseHeader(name) => is_token(name.as_bytes()),
    }
}

fn pattern(view: &View<'_>) -> Option<Regex> {
    let text = view.require_str("pattern")?;
    let built = RegexBuilder::new(text)
        .case_insensitive(view.bool_or("ignoreCase", false))
        .size_limit(PATTERN_BYTES_MAX)
        .build();
    match built {
        Ok(pattern) => Some(pattern),
        Err(error) => {
            let reason = error.to_string().lines().last().unwrap_or_default().to_owned();
            view.any("pattern")
                .error("InvalidPattern", format!("\"{text}\" is no regular expression: {reason}"));
            None
        }
    }
}

/// All of them, or nothing when one is wrong.
fn headers(actions: &View<'_>, field: &str) -> Option<Vec<HeaderAction>> {
    let of_request = field.starts_with("request");
    actions.array(field).iter().map(|view| header(view, of_request)).collect()
}

fn header(view: &View<'_>, of_request: bool) -> Option<HeaderAction> {
    let name = view.require_str("headerName")?;
    let value = view.str("headerValue").unwrap_or_default();
    let forbidden = NOT_REWRITTEN.iter().any(|forbidden| name.eq_ignore_ascii_case(forbidden));
    let deletes_host = of_request && value.is_empty() && name.eq_ignore_ascii_case("host");
    if forbidden || deletes_host || !is_token(name.as_bytes()) {
        view.any("headerName").error(
            "ApplicationGatewayHeaderNotAllowedForRewrite",
            format!("header \"{name}\" cannot be rewritten; any name but {} is accepted, and \"Host\" cannot be deleted", NOT_REWRITTEN.join(", ")),
        );
        return None;
    }
    let matcher = view.field("headerValueMatcher");
    let matcher = match matcher.exists() {
        true => Some((pattern(&matcher)?, matcher.bool_or("negate", false))),
        false => None,
    };
    let value = checked_template(&view.any("headerValue"), value);
    Some(HeaderAction { name: name.to_owned(), value, matcher })
}

/// A template whose variables exist; a capture of a condition ends in `_N`.
fn checked_template(view: &View<'_>, text: &str) -> Template {
    let template = Template::parse(text);
    for (name, source) in template.sources() {
        let Source::Variable(variable) = source else { continue };
        let capture =
            variable.rsplit_once('_').filter(|(_, n)| n.parse::<u32>().is_ok()).map(|(base, _)| base);
        if !variables::is_known(variable) && !capture.is_some_and(variables::is_known) {
            view.warning("UnknownServerVariable", format!("\"{name}\" is no variable and is always empty"));
        }
    }
    template
}
