//! Backend entities: single ones and pools.

use super::Task;
use crate::backend::{Backend, Breaker, BreakerRule, SingleBackend, Threshold};
use crate::base_url::BaseUrl;
use crate::tls_clients::TlsMode;
use handfast_core::Secret;
use handfast_model::{Resource, View};
use handfast_net::balance::{Algorithm, Pool, Server};
use handfast_pki::Credential;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

/// Members that would change who is spoken to and how, and are not built.
const REFUSED: &[&str] = &["proxy", "properties"];

type Credentials = BTreeMap<String, Arc<Credential>>;

/// Backends by lower-case name; a broken one keeps its last good version.
pub(super) fn backends(task: &Task<'_>, credentials: &Credentials) -> HashMap<String, Arc<Backend>> {
    let mut backends: HashMap<String, Arc<Backend>> = HashMap::new();
    let last_good = |name: &str| task.previous.and_then(|previous| previous.backends.get(name));
    let mut pools = Vec::new();
    task.each_child("backends", |resource, root| {
        let properties = root.field("properties");
        let name = resource.name().to_lowercase();
        if properties.str("type").is_some_and(|kind| kind.eq_ignore_ascii_case("Pool")) {
            pools.push(resource);
            return;
        }
        let reader = Reader { task, resource, properties: &properties, credentials };
        match reader.single(last_good(&name)) {
            Some(single) => {
                backends.insert(name, Arc::new(Backend::Single(Arc::new(single))));
            }
            None => backends.extend(last_good(&name).map(|known| (name, known.clone()))),
        }
    });
    for resource in pools {
        let report = handfast_model::Report::of(resource);
        let properties = View::of(resource, &report).field("properties");
        let name = resource.name().to_lowercase();
        match pool(&properties, &backends) {
            Some(pool) => {
                backends.insert(name, Arc::new(pool));
            }
            None => backends.extend(last_good(&name).map(|known| (name, known.clone()))),
        }
        task.take(report);
    }
    backends
}

/// A pool by priority; members are single backends.
fn pool(properties: &View<'_>, backends: &HashMap<String, Arc<Backend>>) -> Option<Backend> {
    let pool = properties.field("pool");
    if pool.has("sessionAffinity") {
        pool.any("sessionAffinity").error("PropertyNotSupported", "\"sessionAffinity\" is not available yet");
    }
    let mut groups: BTreeMap<i64, Vec<Server<Arc<SingleBackend>>>> = BTreeMap::new();
    for view in pool.array("services") {
        let id = view.require_str("id")?;
        let name = id.trim_end_matches('/').rsplit('/').next().unwrap_or_default().to_lowercase();
        let Some(Backend::Single(single)) = backends.get(&name).map(|backend| &**backend) else {
            view.any("id")
                .error("ValidationError", format!("\"{id}\" is no single backend that can be used"));
            return None;
        };
        let weight = view.integer_in("weight", 0..=100).unwrap_or(1);
        let priority = view.integer("priority").unwrap_or(0);
        groups.entry(priority).or_default().push(Server { weight, ..Server::new(single.clone()) });
    }
    if groups.is_empty() {
        pool.error("ValidationError", "a backend of type Pool needs \"pool.services\"");
        return None;
    }
    let groups = groups.into_values().map(|servers| Pool::new(servers, Algorithm::RoundRobin)).collect();
    Some(Backend::Pool(groups))
}

struct Reader<'a> {
    task: &'a Task<'a>,
    resource: &'a Resource,
    properties: &'a View<'a>,
    credentials: &'a Credentials,
}

impl Reader<'_> {
    fn single(&self, last_good: Option<&Arc<Backend>>) -> Option<SingleBackend> {
        let properties = self.properties;
        let url = properties.require_str("url")?;
        if BaseUrl::parse(url).is_none() {
            properties.any("url").error(
                "ValidationError",
                format!("\"{url}\" is no absolute http or https URL without user information"),
            );
            return None;
        }
        for name in REFUSED {
            let found = properties.any(name);
            if found.value().as_object().map_or(found.exists(), |members| !members.is_empty()) {
                found.error(
                    "PropertyNotSupported",
                    format!("\"{name}\" of a backend is refused: it is not available yet"),
                );
                return None;
            }
        }
        let tls = properties.field("tls");
        for name in ["serverCertificateThumbprints", "serverX509Names"] {
            if tls.any(name).value().as_array().is_some_and(|items| !items.is_empty()) {
                tls.any(name)
                    .error("PropertyNotSupported", format!("\"{name}\" is refused: it is not available yet"));
                return None;
            }
        }
        let mode = TlsMode {
            check_chain: tls.bool_or("validateCertificateChain", true),
            check_name: tls.bool_or("validateCertificateName", true),
            http2: false,
        };
        if !mode.check_chain {
            tls.warning(
                "BackendNotVerified",
                "anybody can pose as this backend: \"validateCertificateChain\" is false",
            );
        }
        let credentials = properties.field("credentials");
        if credentials.has("managedIdentity") {
            credentials
                .any("managedIdentity")
                .error("PropertyNotSupported", "\"managedIdentity\" is refused: it is not available yet");
            return None;
        }
        let mut headers = self.values(&credentials, "header");
        headers.extend(self.authorization(&credentials)?);
        Some(SingleBackend {
            url: url.trim().into(),
            mode,
            credential: self.credential(&credentials)?,
            headers,
            query: self.values(&credentials, "query"),
            breaker: self.breaker(last_good)?,
        })
    }

    /// `Some(None)`: no authorisation. `None`: refused.
    #[allow(clippy::type_complexity, reason = "the two levels of absence differ, as documented")]
    fn authorization(&self, credentials: &View<'_>) -> Option<Option<(String, Secret<Vec<u8>>)>> {
        let authorization = credentials.field("authorization");
        let Some(scheme) = authorization.str("scheme") else { return Some(None) };
        let secret = authorization.secret("parameter").and_then(|one| self.task.material.get(&one));
        let Some(parameter) = secret else {
            authorization.error("MissingProperty", "\"authorization\" needs \"parameter\"");
            return None;
        };
        let mut value = format!("{scheme} ").into_bytes();
        value.extend_from_slice(parameter.expose());
        Some(Some(("Authorization".to_owned(), Secret::new(value))))
    }

    /// Named lists of values, each a secret.
    fn values(&self, credentials: &View<'_>, member: &str) -> Vec<(String, Secret<Vec<u8>>)> {
        let mut values = Vec::new();
        for (name, list) in credentials.field(member).members() {
            let count = list.value().as_array().map_or(0, Vec::len);
            for index in 0..count {
                let escaped = name.replace('~', "~0").replace('/', "~1");
                let pointer = format!("/properties/credentials/{member}/{escaped}/{index}");
                if let Some(secret) = self.task.material.secret_at(self.resource, &pointer) {
                    values.push((name.to_owned(), secret.clone()));
                } else if let Some(text) = list.value().get(index).and_then(|value| value.as_str()) {
                    values.push((name.to_owned(), Secret::new(text.as_bytes().to_vec())));
                }
            }
        }
        values
    }

    /// The first client certificate that is named, by id or thumbprint.
    fn credential(&self, credentials: &View<'_>) -> Option<Option<Arc<Credential>>> {
        let ids = credentials.strings("certificateIds");
        let prints = credentials.strings("certificate");
        let (found, name) = match (ids.first(), prints.first()) {
            (Some(id), _) => {
                let name = id.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
                (self.credentials.get(&name.to_lowercase()), *id)
            }
            (None, Some(print)) => {
                (self.credentials.values().find(|one| one.leaf().has_thumbprint(print)), *print)
            }
            (None, None) => return Some(None),
        };
        if found.is_none() {
            let message = format!("certificate \"{name}\" does not exist or has no private key");
            credentials.error("ValidationError", message);
        }
        found.map(|found| Some(found.clone()))
    }

    fn breaker(&self, last_good: Option<&Arc<Backend>>) -> Option<Option<Arc<Breaker>>> {
        let rules = self.properties.field("circuitBreaker").array("rules");
        let Some(view) = rules.first() else { return Some(None) };
        let rule = breaker_rule(view)?;
        let known = match last_good.map(|backend| &**backend) {
            Some(Backend::Single(single)) => single.breaker.as_ref().filter(|breaker| breaker.rule == rule),
            _ => None,
        };
        Some(Some(known.cloned().unwrap_or_else(|| Arc::new(Breaker::new(rule)))))
    }
}

fn breaker_rule(view: &View<'_>) -> Option<BreakerRule> {
    let condition = view.field("failureCondition");
    let threshold =
        match (condition.integer_in("count", 1..=1_000_000), condition.integer_in("percentage", 1..=100)) {
            (Some(count), _) => Threshold::Count(count),
            (None, Some(percentage)) => Threshold::Percentage(percentage),
            (None, None) => {
                condition.error("ValidationError", "\"failureCondition\" needs \"count\" or \"percentage\"");
                return None;
            }
        };
    let statuses = condition
        .array("statusCodeRanges")
        .into_iter()
        .filter_map(|range| Some((range.integer_in("min", 200..=599)?, range.integer_in("max", 200..=599)?)));
    Some(BreakerRule {
        threshold,
        interval: duration(&condition, "interval")?,
        statuses: statuses.collect(),
        reasons: condition.strings("errorReasons").into_iter().map(str::to_owned).collect(),
        trip: duration(view, "tripDuration")?,
        accept_retry_after: view.bool_or("acceptRetryAfter", false),
    })
}

fn duration(view: &View<'_>, name: &str) -> Option<Duration> {
    let text = view.require_str(name)?;
    let found = iso_duration(text);
    if found.is_none() {
        let message = format!("\"{name}\" is \"{text}\"; a duration such as \"PT1M30S\" would be accepted");
        view.any(name).error("ValidationError", message);
    }
    found
}

/// ISO 8601: days, hours, minutes and seconds.
fn iso_duration(text: &str) -> Option<Duration> {
    let rest = text.strip_prefix('P')?;
    let (days, time) = rest.split_once('T').unwrap_or((rest, ""));
    let mut seconds = 0u64;
    for (part, units) in
        [(days, [('D', 86_400), (' ', 0), (' ', 0)]), (time, [('H', 3600), ('M', 60), ('S', 1)])]
    {
        let mut part = part;
        while !part.is_empty() {
            let end = part.find(|c: char| !c.is_ascii_digit())?;
            let number: u64 = part.get(..end)?.parse().ok()?;
            let unit = part.get(end..)?.chars().next()?;
            let (_, factor) = units.iter().find(|(known, _)| *known == unit && unit != ' ')?;
            seconds = seconds.checked_add(number.checked_mul(*factor)?)?;
            part = part.get(end + 1..)?;
        }
    }
    (seconds > 0).then_some(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_in_iso_form() {
        let seconds = |text| iso_duration(text).map(|duration| duration.as_secs());
        assert_eq!(
            ["PT10S", "PT1M30S", "PT1H", "P1D", "P1DT1S"].map(seconds),
            [Some(10), Some(90), Some(3600), Some(86_400), Some(86_401)]
        );
        assert_eq!(["", "P", "PT", "10S", "PT1X", "PTS", "P1M"].map(seconds), [None; 7]);
    }
}
