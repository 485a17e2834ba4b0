//! Products and subscriptions.

use super::Task;
use super::policies::Policies;
use crate::keys::{KeyIndex, KeyScope, Subscription};
use crate::plan::{Keys, Product, Products};
use handfast_core::{Secret, UnixTime};
use handfast_model::{ResourceId, View};
use handfast_policy::{GroupIdentity, ProductIdentity, Scope, SubscriptionIdentity, UserIdentity};
use std::collections::HashMap;
use std::sync::Arc;

/// Products whose document can be used; taken over when nothing in them has changed.
pub(super) fn products(task: &Task<'_>, policies: &Policies<'_>) -> Arc<Products> {
    let kept = task.previous.filter(|previous| {
        !task.touched.any("products")
            && !task.touched.any("groups")
            && (previous.products.settled || policies.are_as_before())
    });
    if let Some(kept) = kept {
        task.again(&kept.products.diagnostics);
        return kept.products.clone();
    }
    let (mut products, diagnostics) = task.watched(|| read_products(task, policies));
    products.diagnostics = diagnostics;
    Arc::new(products)
}

fn read_products(task: &Task<'_>, policies: &Policies<'_>) -> Products {
    let mut products = Products::default();
    let before = task.previous.map(|previous| &previous.products.documents);
    task.each_child("products", |resource, root| {
        let properties = root.field("properties");
        let Ok(document) = policies.document(Scope::Product, &resource.id, before) else { return };
        let open = !properties.bool_or("subscriptionRequired", true);
        let name = properties.str("displayName").unwrap_or(resource.name()).to_owned();
        let limit = properties.integer("subscriptionsLimit");
        let identity = Arc::new(ProductIdentity {
            id: resource.name().to_owned(),
            name,
            approval_required: properties.bool_or("approvalRequired", false),
            subscription_required: !open,
            subscriptions_limit: limit.and_then(|limit| i32::try_from(limit).ok()),
            groups: groups(task, task.graph.children(&resource.id, "groups").map(|group| group.name())),
        });
        let index = products.list.len();
        for family in members(task, &resource.id) {
            products.memberships.entry(family).or_default().push((index, open));
        }
        products.names.push(resource.name().to_lowercase());
        let scoped = document.as_ref().map(|(_, document)| document.document.clone());
        products.documents.extend(document);
        products.list.push(Product { identity, document: scoped });
    });
    let count = task.graph.children(&task.resource.id, "products").count();
    let names_values = products.documents.values().any(|document| document.names_values);
    products.settled = products.list.len() == count && !names_values;
    products
}

/// The APIs of a product, lower case, without revision.
fn members(task: &Task<'_>, product: &ResourceId) -> Vec<String> {
    let direct = task.graph.children(product, "apis").map(|member| family(member.name()));
    let linked = task.graph.children(product, "apiLinks").filter_map(|link| {
        let id = link.properties().get("apiId")?.as_str()?;
        Some(family(id.rsplit('/').next().unwrap_or_default()))
    });
    let mut members: Vec<String> = direct.chain(linked).collect();
    members.sort();
    members.dedup();
    members
}

/// An API's name without its revision, lower case.
pub(super) fn family(name: &str) -> String {
    let lower = name.to_lowercase();
    match lower.split_once(";rev=") {
        Some((family, _)) => family.to_owned(),
        None => lower,
    }
}

/// The keys of all subscriptions; taken over when neither they nor the products' places have changed.
pub(super) fn keys(task: &Task<'_>, products: &Products) -> Arc<Keys> {
    let kept = task.previous.filter(|previous| {
        !["subscriptions", "users", "groups"].iter().any(|name| task.touched.any(name))
            && previous.products.names == products.names
    });
    if let Some(kept) = kept {
        task.again(&kept.keys.diagnostics);
        return kept.keys.clone();
    }
    let (index, diagnostics) = task.watched(|| read_keys(task, products));
    Arc::new(Keys { index, diagnostics })
}

fn read_keys(task: &Task<'_>, products: &Products) -> KeyIndex {
    let mut keys = KeyIndex::default();
    let users = users(task);
    task.each_child("subscriptions", |resource, root| {
        let properties = root.field("properties");
        let Some(scope) = read_scope(task, &properties, products) else { return };
        let state = properties.str("state").unwrap_or("active");
        let date = |name: &str| read_date(&properties, name);
        let (Ok(starts), Ok(expires), Ok(ends)) =
            (date("startDate"), date("expirationDate"), date("endDate"))
        else {
            return;
        };
        let key = |member: &str| {
            let key = properties.secret(member).and_then(|reference| task.material.get(&reference))?;
            Some(Secret::new(String::from_utf8_lossy(key.expose()).into_owned()))
        };
        let owner = properties.str("ownerId").and_then(|id| id.rsplit('/').next()).map(str::to_lowercase);
        let of_developer = owner.as_ref().is_some_and(|owner| !is_administrator(owner, users.get(owner)));
        let user = owner.and_then(|owner| users.get(&owner).cloned());
        let subscription = Arc::new(Subscription {
            identity: Arc::new(SubscriptionIdentity {
                id: resource.name().to_owned(),
                name: properties.str("displayName").unwrap_or_default().to_owned(),
                primary_key: key("primaryKey"),
                secondary_key: key("secondaryKey"),
                created: date("createdDate").ok().flatten().unwrap_or_default(),
                starts,
                ends,
            }),
            user,
            scope,
            active: state.eq_ignore_ascii_case("active"),
            starts,
            ends: [expires, ends].into_iter().flatten().min(),
            allows_tracing: properties.bool_or("allowTracing", false),
            of_developer,
        });
        for member in ["primaryKey", "secondaryKey"] {
            let key = properties.secret(member).and_then(|reference| task.material.get(&reference));
            let Some(key) = key.filter(|key| !key.expose().is_empty()) else { continue };
            if !keys.insert(key.expose(), &subscription) {
                properties.any(member).error(
                    "ValidationError",
                    format!("\"{member}\" is the key of another subscription; keys are unique"),
                );
            }
        }
    });
    keys
}

/// Whether a user is one of the service's administrators: the first, or a member of their group.
fn is_administrator(name: &str, user: Option<&Arc<UserIdentity>>) -> bool {
    let mut groups = user.iter().flat_map(|user| &user.groups);
    name == "1" || groups.any(|group| group.id.eq_ignore_ascii_case("administrators"))
}

/// The users by lower-case name, with the groups that they are in.
fn users(task: &Task<'_>) -> HashMap<String, Arc<UserIdentity>> {
    let mut member_of: HashMap<String, Vec<&str>> = HashMap::new();
    for group in task.graph.children(&task.resource.id, "groups") {
        for member in task.graph.children(&group.id, "users") {
            member_of.entry(member.name().to_lowercase()).or_default().push(group.name());
        }
    }
    let mut users = HashMap::new();
    task.each_child("users", |resource, root| {
        let properties = root.field("properties");
        let text = |name: &str| properties.str(name).unwrap_or_default().to_owned();
        let identity = |view: &View<'_>| {
            let text = |name: &str| view.str(name).unwrap_or_default().to_owned();
            (text("provider"), text("id"))
        };
        let name = resource.name().to_lowercase();
        let groups = groups(task, member_of.remove(&name).unwrap_or_default().into_iter());
        let user = UserIdentity {
            id: resource.name().to_owned(),
            email: text("email"),
            first_name: text("firstName"),
            last_name: text("lastName"),
            note: text("note"),
            registered: read_date(&properties, "registrationDate").ok().flatten().unwrap_or_default(),
            groups,
            identities: properties.array("identities").iter().map(identity).collect(),
        };
        users.insert(name, Arc::new(user));
    });
    users
}

/// Groups by name with their display names; the built-in ones have no resource of their own.
fn groups<'n>(task: &Task<'_>, names: impl Iterator<Item = &'n str>) -> Vec<GroupIdentity> {
    let known: Vec<_> = task.graph.children(&task.resource.id, "groups").collect();
    let group = |name: &str| {
        let resource = known.iter().find(|group| group.name().eq_ignore_ascii_case(name));
        let display = resource.and_then(|group| group.properties().get("displayName")?.as_str());
        GroupIdentity { id: name.to_owned(), name: display.unwrap_or(name).to_owned() }
    };
    names.map(group).collect()
}

/// A full id below the service or a path such as `/products/x`; `None` is reported, or a product that is
/// broken.
fn read_scope(task: &Task<'_>, properties: &View<'_>, products: &Products) -> Option<KeyScope> {
    let text = properties.require_str("scope")?;
    let lower = text.to_lowercase();
    let path = lower.strip_prefix(task.resource.id.key()).unwrap_or(&lower);
    let mut segments = path.split('/').filter(|segment| !segment.is_empty());
    match (segments.next(), segments.next(), segments.next()) {
        (None, ..) | (Some("apis"), None, _) => Some(KeyScope::AllApis),
        (Some("apis"), Some(api), None) => Some(KeyScope::Api(family(api))),
        (Some("products"), Some(product), None) => {
            let index = products.names.iter().position(|known| known == product);
            if index.is_none() {
                properties.any("scope").error(
                    "ValidationError",
                    format!("scope \"{text}\" names a product that does not exist or cannot be used"),
                );
            }
            index.map(KeyScope::Product)
        }
        _ => {
            properties.any("scope").error(
                "ValidationError",
                format!("scope \"{text}\" is unknown; \"/apis\", \"/apis/{{name}}\" and \"/products/{{name}}\" would be accepted"),
            );
            None
        }
    }
}

/// `Err` is a date that cannot be read; it is reported.
fn read_date(properties: &View<'_>, name: &str) -> Result<Option<UnixTime>, ()> {
    let Some(text) = properties.str(name) else { return Ok(None) };
    match text.parse::<jiff::Timestamp>() {
        Ok(time) => Ok(Some(UnixTime(time.as_second()))),
        Err(_) => {
            let message = format!(
                "\"{name}\" is \"{text}\"; a date such as \"2026-01-31T00:00:00Z\" would be accepted"
            );
            properties.any(name).error("ValidationError", message);
            Err(())
        }
    }
}
