//! Checks that are tables: what is refused because it does not exist yet, what has no effect, how many of
//! each thing there may be (edge specification §1.19), and the tags that are understood.

use super::Task;
use handfast_model::View;

/// Properties that would be a security control or change routing, and are not built: refused, not ignored.
/// By the collection that they stand in; `""` is the gateway itself.
const REFUSED: &[(&str, &str, &str)] = &[
    ("", "firewallPolicy", "the web application firewall is not available yet"),
    ("", "webApplicationFirewallConfiguration", "the web application firewall is not available yet"),
    ("", "listeners", "layer 4 listeners are not available yet"),
    ("", "routingRules", "layer 4 rules are not available yet"),
    ("", "backendSettingsCollection", "layer 4 backends are not available yet"),
    ("", "entraJWTValidationConfigs", "token validation at the edge is not available yet; use validate-jwt"),
    ("", "loadDistributionPolicies", "load distribution policies are not available yet"),
    ("", "advancedRoutingMaps", "advanced routing is not available yet"),
    ("", "advancedRoutingConditionSets", "advanced routing is not available yet"),
    ("", "customErrorConfigurations", "custom error pages are not available yet"),
    ("httpListeners", "firewallPolicy", "the web application firewall is not available yet"),
    ("httpListeners", "customErrorConfigurations", "custom error pages are not available yet"),
    ("requestRoutingRules", "loadDistributionPolicy", "load distribution policies are not available yet"),
    ("requestRoutingRules", "entraJWTValidationConfig", "token validation at the edge is not available yet"),
    ("requestRoutingRules", "advancedRoutingMap", "advanced routing is not available yet"),
    ("urlPathMaps", "defaultLoadDistributionPolicy", "load distribution policies are not available yet"),
    ("pathRules", "firewallPolicy", "the web application firewall is not available yet"),
    ("pathRules", "loadDistributionPolicy", "load distribution policies are not available yet"),
    ("probes", "enableProbeProxyProtocolHeader", "probes send no PROXY header yet"),
];

/// Properties that are stored and change nothing, where an author may expect that they do.
const WITHOUT_EFFECT: &[(&str, &str, &str)] = &[
    ("", "privateLinkConfigurations", "private link is not available yet"),
    ("requestRoutingRules", "authConfigs", "it is stored only"),
];

/// Collections and the most entries they may have.
const COUNTS: &[(&str, usize, &str)] = &[
    ("frontendIPConfigurations", 4, "ApplicationGatewayFrontendIPConfigurationsLimitExceeded"),
    ("frontendPorts", 100, "ApplicationGatewayFrontendPortsLimitExceeded"),
    ("backendAddressPools", 100, "ApplicationGatewayBackendAddressPoolsLimitExceeded"),
    ("httpListeners", 200, "ApplicationGatewayHttpListenersLimitExceeded"),
    ("requestRoutingRules", 400, "ApplicationGatewayRequestRoutingRulesLimitExceeded"),
    ("backendHttpSettingsCollection", 100, "ApplicationGatewayBackendHttpSettingsLimitExceeded"),
    ("sslCertificates", 100, "ApplicationGatewaySslCertificatesLimitExceeded"),
    ("trustedClientCertificates", 200, "ApplicationGatewayTrustedClientCertificatesLimitExceeded"),
    ("trustedRootCertificates", 100, "ApplicationGatewayTrustedRootCertificatesLimitExceeded"),
    ("redirectConfigurations", 100, "ApplicationGatewayRedirectConfigurationsLimitExceeded"),
    ("rewriteRuleSets", 400, "ApplicationGatewayRewriteRuleSetsLimitExceeded"),
    ("privateLinkConfigurations", 2, "ApplicationGatewayPrivateLinkConfigurationsLimitExceeded"),
];

/// Lists inside of the entries of a collection: collection, list, most entries, code.
const INNER_COUNTS: &[(&str, &str, usize, &str)] = &[
    (
        "backendAddressPools",
        "backendAddresses",
        1200,
        "ApplicationGatewayBackendAddressPoolTargetsLimitExceeded",
    ),
    ("urlPathMaps", "pathRules", 100, "ApplicationGatewayPathRulesLimitExceeded"),
    (
        "sslProfiles",
        "trustedClientCertificates",
        100,
        "ApplicationGatewaySslProfileTrustedClientCertificatesLimitExceeded",
    ),
    ("rewriteRuleSets", "rewriteRules", 40, "ApplicationGatewayRewriteRulesLimitExceeded"),
];

/// Header actions, and conditions, in all rules of one rewrite set.
const REWRITE_SET_MAX: usize = 40;

/// Tags of the gateway, and the words that they accept; none for free text and numbers.
const TAGS: &[(&str, &[&str])] = &[
    ("handfast:serverToken", &[]),
    ("handfast:headers.underscores", &["allow", "drop", "reject"]),
    ("handfast:limits.requestsPerConnection", &[]),
    ("handfast:limits", &["on", "off"]),
    ("handfast:stripClientCertHeaders", &["true", "false"]),
];

/// Tags of children: collection, key, accepted words.
const CHILD_TAGS: &[(&str, &str, &[&str])] = &[
    ("backendHttpSettings", "lb", &["round-robin", "least-request", "random"]),
    ("backendHttpSettings", "backendProtocol", &["http1", "h2"]),
    ("backendHttpSettings", "clientCertificate", &[]),
    ("httpListeners", "trustedProxies", &[]),
];

/// All of it for one gateway.
pub(super) fn run(task: &Task<'_>, root: &View<'_>, properties: &View<'_>) {
    each(properties, REFUSED, |found, name, why| {
        found.error("PropertyNotSupported", format!("\"{name}\" is refused: {why}"));
    });
    each(properties, WITHOUT_EFFECT, |found, name, why| {
        found.warning("PropertyWithoutEffect", format!("\"{name}\" has no effect: {why}"));
    });
    sku(properties);
    if !task.resource.tag("handfast:limits").is_some_and(|value| value.eq_ignore_ascii_case("off")) {
        counts(properties);
    }
    tags(task, root, properties);
}

/// Calls `report` for every property of a table that is used.
fn each(
    properties: &View<'_>,
    table: &[(&str, &'static str, &'static str)],
    report: impl Fn(&View<'_>, &'static str, &'static str),
) {
    for (collection, name, why) in table {
        for holder in holders(properties, collection) {
            let found = holder.any(name);
            let used = match found.value() {
                serde_json::Value::Array(items) => !items.is_empty(),
                serde_json::Value::Bool(on) => *on,
                _ => found.exists(),
            };
            if used {
                report(&found, name, why);
            }
        }
    }
}

/// The `properties` of every entry of a collection. The wrong type of a collection is reported where it is read.
fn holders<'v>(properties: &View<'v>, collection: &str) -> Vec<View<'v>> {
    let entries = |view: &View<'v>, name: &str| -> Vec<View<'v>> {
        if !view.any(name).value().is_array() {
            return Vec::new();
        }
        view.array(name)
            .iter()
            .filter(|entry| entry.any("properties").value().is_object())
            .map(|entry| entry.field("properties"))
            .collect()
    };
    match collection {
        "" => vec![properties.clone()],
        "pathRules" => {
            entries(properties, "urlPathMaps").iter().flat_map(|map| entries(map, "pathRules")).collect()
        }
        _ => entries(properties, collection),
    }
}

fn length(view: &View<'_>, name: &str) -> usize {
    view.any(name).value().as_array().map_or(0, Vec::len)
}

fn counts(properties: &View<'_>) {
    let over = |view: View<'_>, found: usize, most: usize, code: &'static str, what: &str| {
        if found > most {
            view.error(
                code,
                format!("{found} {what}; {most} are accepted, or tag \"handfast:limits\" = off"),
            );
        }
    };
    for (name, most, code) in COUNTS {
        over(properties.any(name), length(properties, name), *most, code, name);
    }
    for (collection, name, most, code) in INNER_COUNTS {
        for holder in holders(properties, collection) {
            over(holder.any(name), length(&holder, name), *most, code, name);
        }
    }
    for set in holders(properties, "rewriteRuleSets") {
        if !set.any("rewriteRules").value().is_array() {
            continue;
        }
        let rules = set.array("rewriteRules");
        let conditions = rules.iter().map(|rule| length(rule, "conditions")).sum();
        let actions = rules
            .iter()
            .map(|rule| rule.any("actionSet"))
            .map(|set| {
                length(&set, "requestHeaderConfigurations") + length(&set, "responseHeaderConfigurations")
            })
            .sum();
        let place = || set.any("rewriteRules");
        let code = "ApplicationGatewayRewriteConditionsLimitExceeded";
        over(place(), conditions, REWRITE_SET_MAX, code, "conditions of one set");
        let code = "ApplicationGatewayRewriteConfigurationsLimitExceeded";
        over(place(), actions, REWRITE_SET_MAX, code, "header configurations of one set");
    }
}

fn sku(properties: &View<'_>) {
    let sku = properties.field("sku");
    let tiers = [
        ("Standard_v2", true),
        ("WAF_v2", true),
        ("Basic", true),
        ("Basic_v2", true),
        ("Basic_WAF_v2", true),
        ("Standard", false),
        ("WAF", false),
    ];
    if sku.one_of("tier", &tiers) == Some(false) {
        sku.any("tier").warning("SkuRunsAsV2", "this tier is retired; the gateway runs as its v2 successor");
    }
    let capacity: Option<u32> = sku.integer_in("capacity", 1..=125);
    if capacity.is_some() && properties.has("autoscaleConfiguration") {
        sku.any("capacity").error(
            "ApplicationGatewayCapacityAndAutoscaleConfigurationSpecified",
            "\"capacity\" and \"autoscaleConfiguration\" exclude each other",
        );
    }
}

/// Tags whose value has a form: a wrong one is reported, and the default holds. Unknown ones are told.
fn tags(task: &Task<'_>, root: &View<'_>, properties: &View<'_>) {
    for (name, value) in task.resource.tags().filter(|(name, _)| name.starts_with("handfast:")) {
        let place = root.field("tags").any(name);
        let parts: Vec<&str> = name.splitn(4, ':').collect();
        let accepted = match parts.as_slice() {
            [_, collection, child, key] => {
                let known = CHILD_TAGS.iter().find(|(c, k, _)| c == collection && k == key);
                let own = if *collection == "backendHttpSettings" {
                    "backendHttpSettingsCollection"
                } else {
                    collection
                };
                if known.is_some() && super::routing::named(properties, own, &child.to_lowercase()).is_none()
                {
                    place.warning(
                        "TagWithoutEffect",
                        format!("tag \"{name}\" has no effect: there is no \"{child}\" in \"{own}\""),
                    );
                    continue;
                }
                known.map(|(.., accepted)| *accepted)
            }
            _ => TAGS.iter().find(|(known, _)| *known == name).map(|(_, accepted)| *accepted),
        };
        let Some(accepted) = accepted else {
            let known: Vec<String> = TAGS
                .iter()
                .map(|(tag, _)| format!("\"{tag}\""))
                .chain(CHILD_TAGS.iter().map(|(c, k, _)| format!("\"handfast:{c}:<name>:{k}\"")))
                .collect();
            place.warning(
                "UnknownTag",
                format!("tag \"{name}\" has no effect; {} are understood", known.join(", ")),
            );
            continue;
        };
        if !accepted.is_empty() && !accepted.iter().any(|word| word.eq_ignore_ascii_case(value)) {
            let words: Vec<String> = accepted.iter().map(|word| format!("\"{word}\"")).collect();
            place.error(
                "InvalidTagValue",
                format!("\"{name}\" is \"{value}\"; {} would be accepted", words.join(", ")),
            );
        }
        value_form(name, value, &place);
    }
}

fn value_form(name: &str, value: &str, place: &View<'_>) {
    if name == "handfast:limits.requestsPerConnection" && value.parse::<u64>().is_err() {
        let message = format!("\"{name}\" is \"{value}\"; a whole number would be accepted, 0 for no limit");
        place.error("InvalidTagValue", message);
    }
    if name == "handfast:serverToken" && !is_server_token(value) {
        let message = format!(
            "\"{name}\" is \"{value}\"; letters, digits, \"/\", \".\", \"-\", \"_\" and spaces would be accepted"
        );
        place.error("InvalidTagValue", message);
    }
    if name.ends_with(":trustedProxies") {
        let wrong = value.split(',').map(str::trim).filter(|n| n.parse::<ipnet::IpNet>().is_err());
        for network in wrong {
            let message = format!("\"{network}\" is no network; \"10.0.0.0/24\" would be accepted");
            place.error("InvalidTagValue", message);
        }
    }
}

/// A word that may stand in a header and in a page as it is.
pub(super) fn is_server_token(value: &str) -> bool {
    !value.trim().is_empty() && value.bytes().all(|b| b.is_ascii_alphanumeric() || b"/.-_ ".contains(&b))
}
