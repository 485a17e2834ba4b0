//! APIs, their revisions, versions and operations.

use super::policies::{Broken, Global, Policies};
use super::{Task, contracts};
use crate::base_url::BaseUrl;
use crate::plan::{Api, ApiEntry, ApiService, Apis, Documents, Operation, Products};
use crate::router::template::{Operations, Template};
use crate::router::{ApiRoute, Router, Versioning};
use handfast_model::{Report, Resource, ResourceId, View};
use handfast_policy::{ApiIdentity, OperationIdentity, Scope};
use std::collections::HashMap;
use std::sync::Arc;

const KEY_HEADER: &str = "Ocp-Apim-Subscription-Key";
const KEY_QUERY: &str = "subscription-key";
/// The only operation of a WebSocket API.
const HANDSHAKE: &str = "onHandshake";
const RELEASE: &str = "Microsoft.ApiManagement/service/apis/releases";

/// Compiles the APIs, those that a change touches anew; none is served when the global document cannot be
/// used.
pub(super) fn apis(
    task: &Task<'_>,
    policies: &Policies<'_>,
    products: &Arc<Products>,
    global: &Global,
) -> Arc<Apis> {
    let keeper = Keeper {
        task,
        previous: task.previous.filter(|one| Arc::ptr_eq(&one.global_document, &global.document)),
        same_values: policies.are_as_before(),
        same_products: task.previous.map(|one| products.same_as(&one.products)).unwrap_or_default(),
    };
    if let Some(kept) = keeper.all(products).filter(|_| global.usable) {
        task.again(&kept.diagnostics);
        return kept.clone();
    }
    let (mut apis, diagnostics) = task.watched(|| read_apis(&keeper, policies, products, global.usable));
    apis.diagnostics = diagnostics;
    Arc::new(apis)
}

fn read_apis(keeper: &Keeper<'_>, policies: &Policies<'_>, products: &Products, usable: bool) -> Apis {
    let task = keeper.task;
    let resources: Vec<&Arc<Resource>> = task.graph.children(&task.resource.id, "apis").collect();
    let current = current_revisions(task, &resources);
    let count = resources.len();
    let mut apis = Apis { by_id: HashMap::with_capacity(count), ..Apis::default() };
    let mut routes: Vec<ApiRoute> = Vec::with_capacity(count);
    let mut by_path: HashMap<String, Vec<usize>> = HashMap::with_capacity(count);
    for resource in resources {
        let family = family_in(&resource.id);
        let members = products.memberships.get(family).map(Vec::as_slice).unwrap_or_default();
        let is_current = current.get(family).is_some_and(|one| Arc::ptr_eq(one, resource));
        let place = Place { family, is_current, members };
        let kept = keeper.kept(resource, place);
        let Some(entry) = kept.or_else(|| build(task, policies, resource, place)) else { continue };
        let route = ApiRoute { target: apis.entries.len(), ..entry.route.clone() };
        let same_path = by_path.entry(route.path.to_lowercase()).or_default();
        let mut others = same_path.iter().filter_map(|index| routes.get(*index));
        if let Some(other) = others.find(|other| collides(other, &route)) {
            let other = apis.entries.get(other.target).map_or("", |entry| entry.api.identity.id.as_str());
            report_collision(task, resource, &route, other);
            continue;
        }
        same_path.push(routes.len());
        routes.push(route);
        apis.wants_certificate |= entry.wants_certificate;
        apis.names_values |= entry.names_values;
        apis.by_id.insert(resource.id.clone(), entry.clone());
        apis.entries.push(entry);
    }
    apis.complete = usable && apis.entries.len() == count;
    if usable {
        apis.router = Router::new(routes);
    }
    apis
}

/// What is around an API.
#[derive(Clone, Copy)]
struct Place<'a> {
    family: &'a str,
    is_current: bool,
    members: &'a [(usize, bool)],
}

/// Tells which APIs of the previous plan can be taken over.
struct Keeper<'a> {
    task: &'a Task<'a>,
    /// With the same global document.
    previous: Option<&'a ApiService>,
    same_values: bool,
    /// By index of the product.
    same_products: Vec<bool>,
}

impl<'a> Keeper<'a> {
    /// All APIs of the previous plan, when nothing in and around any has changed.
    fn all(&self, products: &Arc<Products>) -> Option<&'a Arc<Apis>> {
        let previous = self.previous.filter(|_| !self.task.touched.any("apis"))?;
        let apis = &previous.apis;
        let same_values = self.same_values || !apis.names_values;
        (apis.complete && same_values && Arc::ptr_eq(&previous.products, products)).then_some(apis)
    }

    /// The API of the previous plan, when nothing in and around it has changed.
    fn kept(&self, resource: &Resource, place: Place<'_>) -> Option<Arc<ApiEntry>> {
        if self.task.touched.contains("apis", name_in(&resource.id)) {
            return None;
        }
        let entry = self.previous?.apis.by_id.get(&resource.id)?;
        let same_place = entry.route.current == place.is_current && entry.members == place.members;
        let is_same = |(product, _): &(usize, bool)| self.same_products.get(*product) == Some(&true);
        let same_plans = entry.members.iter().all(is_same) && (self.same_values || !entry.names_values);
        if !same_place || !same_plans {
            return None;
        }
        self.task.again(&entry.diagnostics);
        Some(entry.clone())
    }
}

/// Reads what has changed of an API and its documents.
fn build(
    task: &Task<'_>,
    policies: &Policies<'_>,
    resource: &Resource,
    place: Place<'_>,
) -> Option<Arc<ApiEntry>> {
    task.count(|work| work.entries += 1);
    let before = task.previous.and_then(|previous| previous.apis.by_id.get(&resource.id));
    let (entry, found) = task.watched(|| {
        let report = Report::of(resource);
        let properties = View::of(resource, &report).field("properties");
        let untouched = !task.touched.contains("apis", name_in(&resource.id));
        let api = match before.filter(|before| untouched && before.diagnostics.is_empty()) {
            Some(before) => Some(before.api.clone()),
            None => {
                let read = read_api(task, resource, &properties).map(Arc::new);
                read.or_else(|| Some(before?.api.clone()))
            }
        };
        let entry = api.and_then(|api| {
            let documents = documents(policies, &api, before.map(|before| &before.documents)).ok()?;
            let route = read_route(task, &properties, &api, place.is_current);
            Some(ApiEntry::new(api, route, place.family.to_owned(), documents, place.members))
        });
        task.take(report);
        entry
    });
    entry.map(|mut entry| {
        entry.diagnostics = found;
        Arc::new(entry)
    })
}

fn report_collision(task: &Task<'_>, resource: &Resource, route: &ApiRoute, other: &str) {
    let report = Report::of(resource);
    View::of(resource, &report).field("properties").any("path").error(
        "ValidationError",
        format!("path \"{}\" with this version is taken by API \"{other}\"", route.path),
    );
    task.take(report);
}

/// The name of an API as its id key has it: lower case.
fn name_in(id: &ResourceId) -> &str {
    id.key().rsplit('/').next().unwrap_or_default()
}

/// The same without the revision.
fn family_in(id: &ResourceId) -> &str {
    let name = name_in(id);
    name.split_once(";rev=").map_or(name, |(family, _)| family)
}

/// The current revision of each family: the one that the newest release names, else the one that says so,
/// else the plain name, else the highest number.
fn current_revisions<'a>(
    task: &Task<'a>,
    resources: &[&'a Arc<Resource>],
) -> HashMap<&'a str, &'a Arc<Resource>> {
    let released = released(task);
    let mut best: HashMap<&str, ((u8, u64), &Arc<Resource>)> = HashMap::with_capacity(resources.len());
    for resource in resources {
        let (name, family) = (name_in(&resource.id), family_in(&resource.id));
        let numbered = name.split_once(";rev=").map(|(_, number)| number.parse().unwrap_or(0));
        let says_so = || resource.properties().get("isCurrent").and_then(|value| value.as_bool());
        let rank = match (released.get(name), numbered) {
            (Some(revision), _) => (3, *revision),
            (None, Some(number)) if says_so() == Some(true) => (2, number),
            (None, None) => (1, 0),
            (None, Some(number)) => (0, number),
        };
        let entry = best.entry(family).or_insert((rank, resource));
        if rank > entry.0 {
            *entry = (rank, resource);
        }
    }
    best.into_iter().map(|(family, (_, resource))| (family, resource)).collect()
}

/// APIs that a release of their family names, by name in lower case, with the graph revision of the newest.
fn released(task: &Task<'_>) -> HashMap<String, u64> {
    let mut released = HashMap::new();
    for release in task.graph.of_kind(RELEASE).filter(|release| release.id.is_below(&task.resource.id)) {
        let id = release.properties().get("apiId").and_then(|id| id.as_str()).unwrap_or_default();
        let named = id.rsplit('/').next().unwrap_or_default().to_lowercase();
        let owner = release.id.parent_resource();
        let owner = owner.as_ref().map(name_in).unwrap_or_default();
        if owner == named || named.split(";rev=").next() == Some(owner) {
            let newest = released.entry(named).or_insert(release.revision);
            *newest = release.revision.max(*newest);
        }
    }
    released
}

/// Whether two APIs of one path cannot be told apart.
fn collides(a: &ApiRoute, b: &ApiRoute) -> bool {
    a.version.eq_ignore_ascii_case(&b.version)
        && a.current == b.current
        && (a.current || a.revision == b.revision)
        && ((a.https && b.https) || (a.http && b.http))
}

/// The documents of an API and its operations. A broken one takes the whole API out: another operation
/// might otherwise answer in its place, under other policies.
fn documents(policies: &Policies<'_>, api: &Api, before: Option<&Documents>) -> Result<Documents, Broken> {
    let own = policies.document(Scope::Api, &api.id, before);
    let operations = api.operations.iter().map(|one| policies.document(Scope::Operation, &one.id, before));
    // All are compiled before the first broken one ends it, so that all are reported.
    let all: Vec<_> = std::iter::once(own).chain(operations).collect();
    let mut documents = Documents::new();
    for document in all {
        documents.extend(document?);
    }
    Ok(documents)
}

fn read_route(task: &Task<'_>, properties: &View<'_>, api: &Api, current: bool) -> ApiRoute {
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
        path: api.identity.path.as_str().into(),
        http,
        https,
        versioning: Arc::new(versioning),
        version: version.into(),
        revision: api.identity.revision.as_str().into(),
        current,
        online: properties.bool_or("isOnline", true),
        target: 0,
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
    task.count(|work| work.apis += 1);
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
            is_current: properties.bool_or("isCurrent", true),
            service_url: base_url.map(|url| url.trim().to_owned()),
            protocols: properties.strings("protocols").into_iter().map(str::to_owned).collect(),
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
        ..OperationIdentity::default()
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
    let documents = contracts::documents(task, api);
    for resource in task.graph.children(&api.id, "operations") {
        let report = Report::of(resource);
        let properties = View::of(resource, &report).field("properties");
        if let Some((operation, template)) = read_operation(resource, &properties, &documents) {
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

fn read_operation(
    resource: &Resource,
    properties: &View<'_>,
    documents: &Arc<contracts::Documents>,
) -> Option<(Operation, Template)> {
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
        examples: contracts::examples(properties),
        contract: Some(Arc::new(contracts::contract(properties, documents))),
    };
    let query_names = template.query_names().map(str::to_owned).collect();
    let operation = Operation { id: resource.id.clone(), identity: Arc::new(identity), query_names };
    Some((operation, template))
}
