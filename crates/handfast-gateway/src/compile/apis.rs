//! APIs, their revisions, versions and operations.

use super::Task;
use super::access::{Memberships, family};
use super::policies::{Broken, Policies};
use crate::base_url::BaseUrl;
use crate::plan::{Api, ApiEntry, Operation};
use crate::router::template::{Operations, Template};
use crate::router::{ApiRoute, Router, Versioning};
use bytes::Bytes;
use handfast_model::{Report, Resource, ResourceId, View};
use handfast_policy::{ApiIdentity, Example, OperationIdentity, Scope, ScopedDocument};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

const KEY_HEADER: &str = "Ocp-Apim-Subscription-Key";
const KEY_QUERY: &str = "subscription-key";
/// The only operation of a WebSocket API.
const HANDSHAKE: &str = "onHandshake";

/// All APIs of a service.
#[derive(Default)]
pub(super) struct Apis {
    pub(super) router: Router,
    pub(super) entries: Vec<ApiEntry>,
    pub(super) by_key: BTreeMap<String, Arc<Api>>,
    /// Keys of those with errors.
    pub(super) broken: BTreeSet<String>,
}

/// Compiles the APIs; none is served when the global document cannot be used.
pub(super) fn apis(
    task: &Task<'_>,
    policies: &mut Policies<'_>,
    memberships: &Memberships,
    usable: bool,
) -> Apis {
    let mut apis = Apis::default();
    let mut routes: Vec<ApiRoute> = Vec::new();
    let mut by_path: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    let current = current_revisions(task);
    task.each_child("apis", |resource, root| {
        let properties = root.field("properties");
        let Some(api) = kept_or_read(task, resource, &properties, &mut apis.broken) else { return };
        let Ok(documents) = documents(policies, &api) else { return };
        let family = family(resource.name());
        let is_current = current.get(&family).is_some_and(|id| *id == resource.id);
        let route = read_route(task, resource, &properties, &api, apis.entries.len());
        let route = ApiRoute { current: is_current, ..route };
        let same_path = by_path.entry(route.path.to_lowercase()).or_default();
        let mut others = same_path.iter().filter_map(|index| routes.get(*index));
        if let Some(other) = others.find(|other| collides(other, &route)) {
            let other = apis.entries.get(other.target).map_or("", |entry| entry.api.identity.id.as_str());
            properties.any("path").error(
                "ValidationError",
                format!("path \"{}\" with this version is taken by API \"{other}\"", route.path),
            );
            return;
        }
        same_path.push(routes.len());
        routes.push(route);
        let members = memberships.get(&family).map(Vec::as_slice).unwrap_or_default();
        let products = members.iter().map(|(product, _)| *product).collect();
        let open = members.iter().find(|(_, open)| *open).map(|(product, _)| *product);
        apis.by_key.insert(resource.id.key().to_owned(), api.clone());
        apis.entries.push(ApiEntry::new(api, family, documents, products, open));
    });
    if usable {
        apis.router = Router::new(routes);
    }
    apis
}

/// The API as it was when nothing in it has changed, else as it reads now, else its last good version.
fn kept_or_read(
    task: &Task<'_>,
    resource: &Resource,
    properties: &View<'_>,
    broken: &mut BTreeSet<String>,
) -> Option<Arc<Api>> {
    let key = resource.id.key();
    let kept = task.previous.and_then(|previous| {
        let clean = !previous.broken_apis.contains(key);
        Some((previous.apis_by_key.get(key)?, clean))
    });
    if let Some((kept, true)) = kept.filter(|_| !task.changes.touches(&resource.id)) {
        return Some(kept.clone());
    }
    match read_api(task, resource, properties) {
        Some(api) => Some(Arc::new(api)),
        None => {
            broken.insert(key.to_owned());
            kept.map(|(last_good, _)| last_good.clone())
        }
    }
}

/// The current revision of each family: the one that the newest release names, else the one that says so,
/// else the plain name, else the highest number.
fn current_revisions(task: &Task<'_>) -> BTreeMap<String, ResourceId> {
    let mut best: BTreeMap<String, ((u8, u64), ResourceId)> = BTreeMap::new();
    for resource in task.graph.children(&task.resource.id, "apis") {
        let name = resource.name().to_lowercase();
        let numbered = name.split_once(";rev=").map(|(_, number)| number.parse().unwrap_or(0));
        let says_so = resource.properties().get("isCurrent").and_then(|value| value.as_bool());
        let rank = match (released(task, resource), numbered, says_so) {
            (Some(revision), ..) => (3, revision),
            (None, Some(number), Some(true)) => (2, number),
            (None, None, _) => (1, 0),
            (None, Some(number), _) => (0, number),
        };
        let entry = best.entry(family(&name)).or_insert_with(|| (rank, resource.id.clone()));
        if rank > entry.0 {
            *entry = (rank, resource.id.clone());
        }
    }
    best.into_iter().map(|(family, (_, id))| (family, id)).collect()
}

/// The graph revision of the newest release that names this API revision.
fn released(task: &Task<'_>, resource: &Resource) -> Option<u64> {
    let owners = [resource.id.clone(), task.resource.id.child("apis", &family(resource.name()))];
    let releases = owners.iter().flat_map(|owner| task.graph.children(owner, "releases"));
    let names_it = releases.filter(|release| {
        let id = release.properties().get("apiId").and_then(|id| id.as_str()).unwrap_or_default();
        id.rsplit('/').next().is_some_and(|name| name.eq_ignore_ascii_case(resource.name()))
    });
    names_it.map(|release| release.revision).max()
}

/// Whether two APIs of one path cannot be told apart.
fn collides(a: &ApiRoute, b: &ApiRoute) -> bool {
    a.version.eq_ignore_ascii_case(&b.version)
        && a.current == b.current
        && (a.current || a.revision == b.revision)
        && ((a.https && b.https) || (a.http && b.http))
}

type Documents = (Option<Arc<ScopedDocument>>, Vec<Option<Arc<ScopedDocument>>>);

/// The documents of an API and its operations. A broken one takes the whole API out: another operation
/// might otherwise answer in its place, under other policies.
fn documents(policies: &mut Policies<'_>, api: &Api) -> Result<Documents, Broken> {
    let own = policies.document(Scope::Api, &api.id);
    let of_operations: Vec<_> =
        api.operations.iter().map(|operation| policies.document(Scope::Operation, &operation.id)).collect();
    Ok((own?, of_operations.into_iter().collect::<Result<_, _>>()?))
}

fn read_route(
    task: &Task<'_>,
    resource: &Resource,
    properties: &View<'_>,
    api: &Api,
    target: usize,
) -> ApiRoute {
    let mut protocols = properties.strings("protocols");
    if protocols.is_empty() {
        protocols.push("https");
    }
    let any = |words: [&str; 2]| protocols.iter().any(|p| words.iter().any(|w| p.eq_ignore_ascii_case(w)));
    let (http, https) = (any(["http", "ws"]), any(["https", "wss"]));
    let versioning = read_versioning(task, properties);
    let version = match versioning {
        Versioning::None => String::new(),
        _ => api.identity.version.clone().unwrap_or_default(),
    };
    ApiRoute {
        path: api.identity.path.clone(),
        http,
        https,
        versioning,
        version,
        revision: api.identity.revision.clone(),
        current: !resource.name().contains(";rev="),
        online: properties.bool_or("isOnline", true),
        target,
    }
}

fn read_versioning(task: &Task<'_>, properties: &View<'_>) -> Versioning {
    let Some(reference) = properties.str("apiVersionSetId").filter(|id| !id.is_empty()) else {
        return versioning(&properties.field("apiVersionSet"));
    };
    let name = reference.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    let id = task.resource.id.child("apiVersionSets", name);
    let Some(set) = task.graph.get(&id) else {
        properties
            .any("apiVersionSetId")
            .error("ValidationError", format!("version set \"{reference}\" does not exist"));
        return Versioning::None;
    };
    let report = Report::of(set);
    versioning(&View::of(set, &report).field("properties"))
}

fn versioning(set: &View<'_>) -> Versioning {
    let name = |member: &str| set.str(member).unwrap_or_default().to_owned();
    match set.str("versioningScheme").unwrap_or_default().to_ascii_lowercase().as_str() {
        "segment" => Versioning::Segment,
        "header" => Versioning::Header(name("versionHeaderName")),
        "query" => Versioning::Query(name("versionQueryName")),
        _ => Versioning::None,
    }
}

/// An API; `None` when something in it is refused.
fn read_api(task: &Task<'_>, resource: &Resource, properties: &View<'_>) -> Option<Api> {
    let kind = properties.str("type").or_else(|| properties.str("apiType")).unwrap_or("http");
    let websocket = kind.eq_ignore_ascii_case("websocket");
    if !websocket && !kind.eq_ignore_ascii_case("http") {
        properties.any("type").error(
            "ApiTypeNotSupported",
            format!("API type \"{kind}\" is not available yet; \"http\" and \"websocket\" would be accepted"),
        );
        return None;
    }
    let path = properties.str("path").unwrap_or_default().trim_matches('/').to_owned();
    let base_url = properties.str("serviceUrl").filter(|url| !url.trim().is_empty());
    if let Some(url) = base_url.filter(|url| BaseUrl::parse(url).is_none()) {
        properties.any("serviceUrl").error(
            "ValidationError",
            format!("\"{url}\" is no absolute http or https URL without user information"),
        );
        return None;
    }
    let revision = resource.name().to_lowercase().split_once(";rev=").map(|(_, number)| number.to_owned());
    let revision = revision
        .or_else(|| properties.str("apiRevision").map(str::to_owned))
        .unwrap_or_else(|| "1".to_owned());
    let version = properties.str("apiVersion").filter(|version| !version.is_empty()).map(str::to_owned);
    let names = properties.field("subscriptionKeyParameterNames");
    let (matcher, operations) = match websocket {
        true => (Operations::default(), vec![handshake(&resource.id)]),
        false => read_operations(task, resource)?,
    };
    Some(Api {
        id: resource.id.clone(),
        identity: Arc::new(ApiIdentity {
            id: resource.name().split(";rev=").next().unwrap_or_default().to_owned(),
            name: properties.str("displayName").unwrap_or(resource.name()).to_owned(),
            path,
            revision,
            version,
        }),
        base_url: base_url.map(|url| url.trim().into()),
        subscription_required: properties.bool_or("subscriptionRequired", true),
        key_header: names.str("header").unwrap_or(KEY_HEADER).to_owned(),
        key_query: names.str("query").unwrap_or(KEY_QUERY).to_owned(),
        matcher,
        operations,
        websocket,
    })
}

fn handshake(api: &ResourceId) -> Operation {
    let identity = OperationIdentity {
        id: HANDSHAKE.to_owned(),
        name: HANDSHAKE.to_owned(),
        method: "GET".to_owned(),
        url_template: "/*".to_owned(),
        examples: Vec::new(),
    };
    Operation {
        id: api.child("operations", HANDSHAKE),
        identity: Arc::new(identity),
        query_names: Vec::new(),
    }
}

/// The operations of an API; `None` when one of them is refused.
fn read_operations(task: &Task<'_>, api: &Resource) -> Option<(Operations, Vec<Operation>)> {
    let (mut matcher, mut operations) = (Operations::default(), Vec::new());
    let mut refused = false;
    for resource in task.graph.children(&api.id, "operations") {
        let report = Report::of(resource);
        let properties = View::of(resource, &report).field("properties");
        if let Some((operation, template)) = read_operation(resource, &properties) {
            if matcher.insert(&operation.identity.method, template, operations.len()) {
                operations.push(operation);
            } else {
                let (method, template) = (&operation.identity.method, &operation.identity.url_template);
                let message = format!("{method} \"{template}\" is the template of another operation already");
                properties.any("urlTemplate").error("ValidationError", message);
            }
        }
        refused |= report.has_errors();
        task.take(report);
    }
    (!refused).then_some((matcher, operations))
}

fn read_operation(resource: &Resource, properties: &View<'_>) -> Option<(Operation, Template)> {
    let method = properties.require_str("method")?.to_ascii_uppercase();
    let url_template = properties.required("urlTemplate")?.as_str()?;
    let template = match Template::parse(url_template) {
        Ok(template) => template,
        Err(error) => {
            let message = format!("URL template \"{url_template}\": {}", error.message());
            properties.any("urlTemplate").error("ValidationError", message);
            return None;
        }
    };
    let identity = OperationIdentity {
        id: resource.name().to_owned(),
        name: properties.str("displayName").unwrap_or(resource.name()).to_owned(),
        method,
        url_template: url_template.to_owned(),
        examples: examples(properties),
    };
    let query_names = template.query_names().map(str::to_owned).collect();
    let operation = Operation { id: resource.id.clone(), identity: Arc::new(identity), query_names };
    Some((operation, template))
}

/// Example responses: the first example of each representation.
fn examples(properties: &View<'_>) -> Vec<Example> {
    let mut examples = Vec::new();
    for response in properties.array("responses") {
        let Some(status) = response.integer_in("statusCode", 100..=999) else { continue };
        for representation in response.array("representations") {
            let members = representation.field("examples").members();
            let value = members.first().map(|(_, example)| example.any("value").value());
            let value = value.unwrap_or_else(|| representation.any("sample").value());
            let body = match value {
                serde_json::Value::Null => continue,
                serde_json::Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            examples.push(Example {
                status,
                content_type: representation.str("contentType").unwrap_or_default().to_owned(),
                body: Bytes::from(body),
            });
        }
    }
    examples
}
