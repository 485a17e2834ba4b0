//! Connections of the credential manager: `authorizationProviders`, their `authorizations` and who may use them
//! (vault specification 2.13).

use super::Task;
use crate::base_url::BaseUrl;
use crate::connections::{AccessPolicy, Connection, Connections, Grant};
use handfast_core::Secret;
use handfast_model::{Report, Resource, View};

/// What a provider says about getting tokens.
struct Provider {
    token_url: String,
    client_id: Option<String>,
    client_secret: Option<Secret<String>>,
    scopes: Option<String>,
    resource: Option<String>,
}

/// All connections by `provider/authorization`, lower case.
pub(super) fn connections(task: &Task<'_>) -> Connections {
    let mut connections = Connections::new();
    task.each_child("authorizationProviders", |resource, root| {
        let Some(provider) = provider(task, root) else { return };
        for authorization in task.graph.children(&resource.id, "authorizations") {
            let report = Report::of(authorization);
            let view = View::of(authorization, &report);
            let policies = access_policies(task, authorization);
            if let Some(grant) = grant(task, &view, &provider) {
                let name = format!("{}/{}", resource.name(), authorization.name()).to_lowercase();
                let revision = authorization.revision.max(resource.revision);
                connections.insert(name, Connection { grant, policies, revision });
            }
            task.take(report);
        }
    });
    connections
}

/// How a provider gives tokens; `None` with a report when it cannot be used.
fn provider(task: &Task<'_>, root: &View<'_>) -> Option<Provider> {
    let properties = root.field("properties");
    let kinds = properties.field("oauth2").field("grantTypes");
    if kinds.has("authorizationCode") {
        kinds.any("authorizationCode").error(
            "PropertyNotSupported",
            "\"authorizationCode\" is refused: people cannot log in to a provider here yet; \"clientCredentials\" is accepted",
        );
        return None;
    }
    let given = kinds.required("clientCredentials")?;
    let text = |name: &str| given.str(name).map(str::to_owned).filter(|text| !text.is_empty());
    let is_tenant = properties.str("identityProvider").is_some_and(|kind| kind.eq_ignore_ascii_case("aad"));
    let token_url = match is_tenant {
        true => tenant_token_url(given.str("loginUri"), given.require_str("tenantId")?),
        false => given.require_str("tokenUrl")?.to_owned(),
    };
    if BaseUrl::parse(&token_url).is_none() {
        given.any("tokenUrl").error("ValidationError", format!("\"{token_url}\" is no absolute https URL"));
        return None;
    }
    Some(Provider {
        token_url,
        client_id: text("clientId"),
        client_secret: secret(task, &given),
        scopes: text("scopes"),
        resource: text("resourceUri"),
    })
}

/// Version 1 of a tenant's token endpoint, which takes a resource (unverified).
fn tenant_token_url(login: Option<&str>, tenant: &str) -> String {
    let login = login.unwrap_or(handfast_policy::TENANT_AUTHORITY).trim_end_matches('/');
    format!("{login}/{tenant}/oauth2/token")
}

/// What is sent for a token: the connection's own values go before the provider's.
fn grant(task: &Task<'_>, view: &View<'_>, provider: &Provider) -> Option<Grant> {
    let own = view.field("properties").field("parameters");
    let text = |name: &str, other: &Option<String>| {
        own.str(name).map(str::to_owned).filter(|text| !text.is_empty()).or_else(|| other.clone())
    };
    let Some(client_id) = text("clientId", &provider.client_id) else {
        own.error("MissingProperty", "neither the connection nor its provider has a \"clientId\"");
        return None;
    };
    let Some(client_secret) = secret(task, &own).or_else(|| provider.client_secret.clone()) else {
        own.error("MissingProperty", "neither the connection nor its provider has a \"clientSecret\"");
        return None;
    };
    Some(Grant {
        token_url: provider.token_url.clone(),
        client_id,
        client_secret,
        scopes: text("scopes", &provider.scopes),
        resource: text("resourceUri", &provider.resource),
    })
}

fn secret(task: &Task<'_>, view: &View<'_>) -> Option<Secret<String>> {
    let found = view.secret("clientSecret").and_then(|reference| task.material.get(&reference))?;
    Some(Secret::new(String::from_utf8_lossy(found.expose()).into_owned()))
}

fn access_policies(task: &Task<'_>, authorization: &Resource) -> Vec<AccessPolicy> {
    let mut policies = Vec::new();
    for resource in task.graph.children(&authorization.id, "accessPolicies") {
        let report = Report::of(resource);
        let properties = View::of(resource, &report).field("properties");
        if let (Some(tenant), Some(object)) =
            (properties.require_str("tenantId"), properties.require_str("objectId"))
        {
            let policy = AccessPolicy { tenant: tenant.to_lowercase(), object: object.to_lowercase() };
            policies.push(policy);
        }
        task.take(report);
    }
    policies
}
