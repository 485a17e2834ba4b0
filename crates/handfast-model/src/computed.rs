//! Read-only values that belong to a resource although nobody wrote them: addresses, generated names,
//! identities, `provisioningState`. They are stable, part of the graph, and visible to `reference()`.

use crate::address;
use crate::apply::Context;
use crate::graph::Graph;
use crate::id::ResourceId;
use crate::kind;
use crate::pattern::member;
use crate::resource::{Resource, merge};
use handfast_core::{Diagnostic, Place};
use serde_json::{Map, Value, json};
use std::net::Ipv4Addr;

type Compute = fn(&mut Task<'_, '_>) -> Map<String, Value>;

/// One kind with values of its own, below `properties`.
const ROWS: &[(&str, Compute)] = &[
    (kind::SERVICE, service),
    (kind::APPLICATION_GATEWAY, application_gateway),
    (kind::PUBLIC_IP_ADDRESS, public_ip_address),
    (kind::VAULT, vault),
    (kind::IDENTITY, user_assigned_identity),
];

/// Members that every read shows and no write sets.
const READ_ONLY: &[&str] = &["id", "name", "type", "etag", "systemData"];

/// Members of `properties` that belong to the graph: kind (`*` for all) and names.
const READ_ONLY_PROPERTIES: &[(&str, &[&str])] = &[
    ("*", &["provisioningState"]),
    (
        kind::SERVICE,
        &[
            "targetProvisioningState",
            "gatewayUrl",
            "gatewayRegionalUrl",
            "portalUrl",
            "developerPortalUrl",
            "managementApiUrl",
            "scmUrl",
            "privateIPAddresses",
            "publicIPAddresses",
        ],
    ),
    (kind::APPLICATION_GATEWAY, &["operationalState"]),
    (kind::PUBLIC_IP_ADDRESS, &["ipAddress"]),
    (kind::VAULT, &["vaultUri"]),
    (kind::IDENTITY, &["principalId", "clientId", "tenantId"]),
];

/// Removes read-only members from a body, because clients PUT back what they GET.
pub(crate) fn remove_read_only(kind: &str, body: &mut Value) {
    let Some(map) = body.as_object_mut() else { return };
    map.retain(|key, _| !READ_ONLY.iter().any(|name| name.eq_ignore_ascii_case(key)));
    for (key, inner) in map.iter_mut() {
        let Some(inner) = inner.as_object_mut() else { continue };
        if key.eq_ignore_ascii_case("identity") {
            inner.retain(|key, _| key != "principalId" && key != "tenantId");
        } else if key.eq_ignore_ascii_case("properties") {
            for (_, names) in
                READ_ONLY_PROPERTIES.iter().filter(|(of, _)| *of == "*" || of.eq_ignore_ascii_case(kind))
            {
                inner.retain(|key, _| !names.iter().any(|name| name.eq_ignore_ascii_case(key)));
            }
        }
    }
}

/// What a computation sees: the graph around the resource, and the resource with the values it had.
struct Task<'t, 'c> {
    graph: &'t Graph,
    resource: &'t Resource,
    context: &'t mut Context<'c>,
    diagnostics: &'t mut Vec<Diagnostic>,
}

/// The computed values of a resource, in the shape of its document.
pub(crate) fn compute(
    graph: &Graph,
    resource: &Resource,
    context: &mut Context<'_>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Value {
    let mut task = Task { graph, resource, context, diagnostics };
    let mut properties = Map::new();
    properties.insert("provisioningState".into(), "Succeeded".into());
    if let Some((_, row)) = ROWS.iter().find(|(kind, _)| resource.is_kind(kind)) {
        properties.extend(row(&mut task));
    }
    let mut all = json!({ "properties": properties });
    if let Some(identity) = system_identity(&mut task) {
        merge(&mut all, &json!({ "identity": identity }));
    }
    all
}

/// `SystemAssigned` identities have a principal of their own, for as long as the resource lives.
fn system_identity(task: &mut Task<'_, '_>) -> Option<Value> {
    let identity = member(&task.resource.document, "identity")?.1;
    let kind = member(identity, "type")?.1.as_str()?;
    if !kind.to_lowercase().split(',').any(|part| part.trim() == "systemassigned") {
        return None;
    }
    let principal = task.kept_or_random("/identity/principalId");
    Some(json!({ "principalId": principal, "tenantId": task.context.settings.tenant_id }))
}

impl Task<'_, '_> {
    fn text(&self, name: &str) -> Option<&str> {
        member(self.resource.properties(), name)?.1.as_str()
    }

    fn kept_or_random(&mut self, pointer: &str) -> String {
        match self.resource.computed_str(pointer) {
            Some(kept) => kept.to_owned(),
            None => self.context.random_uuid(),
        }
    }

    fn error(&mut self, code: &'static str, path: &str, message: String) {
        let place = Place::json(path);
        self.diagnostics.push(Diagnostic::error(code, message).on(self.resource.id.as_str()).at(place));
    }

    /// The subnet's address for this resource: the kept one if it still fits, else the first free.
    fn subnet_address(&mut self, subnet: &str, kept: Option<&str>, path: &str) -> Option<Ipv4Addr> {
        let (id, net) = self.subnet(subnet, path)?;
        let mut taken = address::taken(self.graph, &id, &self.resource.id);
        taken.extend(self.static_addresses());
        let kept = kept
            .and_then(|text| text.parse().ok())
            .filter(|a| address::usable(net, *a) && !taken.contains(a));
        let found = kept.or_else(|| address::first_free(net, &taken));
        if found.is_none() {
            self.error("SubnetIsFull", path, format!("subnet \"{subnet}\" has no free address in {net}"));
        }
        found
    }

    fn subnet(&mut self, subnet: &str, path: &str) -> Option<(ResourceId, ipnet::Ipv4Net)> {
        let id = ResourceId::parse(subnet).ok();
        let net = id.as_ref().and_then(|id| address::subnet_prefix(self.graph, id));
        let (Some(id), Some(net)) = (id, net) else {
            let message = format!("subnet \"{subnet}\" does not exist or has no IPv4 \"addressPrefix\"");
            self.error("InvalidResourceReference", path, message);
            return None;
        };
        Some((id, net))
    }

    /// Addresses that the own document claims.
    fn static_addresses(&self) -> impl Iterator<Item = Ipv4Addr> + use<> {
        let mut bare = self.resource.clone();
        bare.computed = json!({});
        address::held_addresses(&bare).into_iter()
    }
}

/// §12.3 and §2.4 of the specifications: generated host names and the addresses of the network mode.
fn service(task: &mut Task<'_, '_>) -> Map<String, Value> {
    let (name, domain) = (task.resource.name().to_lowercase(), task.context.settings.gateway_domain.clone());
    let region: String = task.resource.location().unwrap_or_default().to_lowercase().replace(' ', "");
    let host = |part: &str| format!("https://{name}{part}.{domain}");
    let mut values = Map::new();
    values.insert("targetProvisioningState".into(), "".into());
    values.insert("gatewayUrl".into(), host("").into());
    values
        .insert("gatewayRegionalUrl".into(), format!("https://{name}-{region}-01.regional.{domain}").into());
    for (key, part) in [("portalUrl", ".portal"), ("developerPortalUrl", ".developer")] {
        values.insert(key.into(), host(part).into());
    }
    for (key, part) in [("managementApiUrl", ".management"), ("scmUrl", ".scm")] {
        values.insert(key.into(), host(part).into());
    }
    let mode = task.text("virtualNetworkType").unwrap_or("None").to_lowercase();
    let mut private = Vec::new();
    if mode == "internal" || mode == "external" {
        private.extend(service_private_address(task).map(|address| Value::from(address.to_string())));
        values.insert("privateIPAddresses".into(), private.into());
    }
    let public = match mode.as_str() {
        "internal" => Vec::new(),
        _ => vec![Value::from(service_public_address(task))],
    };
    values.insert("publicIPAddresses".into(), public.into());
    values
}

fn service_private_address(task: &mut Task<'_, '_>) -> Option<Ipv4Addr> {
    const PATH: &str = "properties.virtualNetworkConfiguration.subnetResourceId";
    let configuration =
        member(task.resource.properties(), "virtualNetworkConfiguration").map(|(_, value)| value);
    let subnet =
        configuration.and_then(|value| member(value, "subnetResourceId")).and_then(|(_, v)| v.as_str());
    let Some(subnet) = subnet else {
        let message = "\"virtualNetworkType\" Internal and External need \"subnetResourceId\"".to_owned();
        task.error("MissingProperty", PATH, message);
        return None;
    };
    let kept = task.resource.computed_str("/properties/privateIPAddresses/0").map(str::to_owned);
    task.subnet_address(subnet, kept.as_deref(), PATH)
}

fn service_public_address(task: &Task<'_, '_>) -> String {
    let named = task.text("publicIpAddressId").and_then(|id| ResourceId::parse(id).ok());
    let named = named.and_then(|id| address::public_address(task.graph.get(&id)?));
    named.unwrap_or(task.context.settings.front_door).to_string()
}

/// Private frontends: `Static` ones are checked, `Dynamic` ones allocated.
fn application_gateway(task: &mut Task<'_, '_>) -> Map<String, Value> {
    let frontends =
        member(task.resource.properties(), "frontendIPConfigurations").map(|(_, value)| value.clone());
    let mut computed = Vec::new();
    for (index, frontend) in frontends.iter().filter_map(Value::as_array).flatten().enumerate() {
        let path = format!("properties.frontendIPConfigurations[{index}].properties");
        let (Some(name), Some((_, properties))) = (frontend["name"].as_str(), member(frontend, "properties"))
        else {
            continue;
        };
        let subnet = member(properties, "subnet").and_then(|(_, subnet)| member(subnet, "id"));
        let Some(subnet) = subnet.and_then(|(_, id)| id.as_str()) else { continue };
        let address = match member(properties, "privateIPAddress").and_then(|(_, value)| value.as_str()) {
            Some(text) => static_address(task, subnet, text, &path),
            None => {
                let kept = kept_frontend(task.resource, name);
                task.subnet_address(subnet, kept.as_deref(), &format!("{path}.subnet"))
            }
        };
        if let Some(address) = address {
            computed.push(json!({ "name": name, "properties": { "privateIPAddress": address.to_string() } }));
        }
    }
    let mut values = Map::new();
    values.insert("operationalState".into(), "Running".into());
    if !computed.is_empty() {
        values.insert("frontendIPConfigurations".into(), computed.into());
    }
    values
}

fn kept_frontend(resource: &Resource, name: &str) -> Option<String> {
    let frontends = resource.computed.pointer("/properties/frontendIPConfigurations")?.as_array()?;
    let frontend = frontends.iter().find(|frontend| frontend["name"] == name)?;
    frontend.pointer("/properties/privateIPAddress")?.as_str().map(str::to_owned)
}

fn static_address(task: &mut Task<'_, '_>, subnet: &str, text: &str, path: &str) -> Option<Ipv4Addr> {
    let path = format!("{path}.privateIPAddress");
    let (id, net) = task.subnet(subnet, &path)?;
    let Ok(address) = text.parse::<Ipv4Addr>() else {
        task.error("InvalidProperty", &path, format!("\"{text}\" is not an IPv4 address"));
        return None;
    };
    if !address::usable(net, address) {
        let message =
            format!("\"{text}\" is not a usable address of {net}; its first four and its last are reserved");
        task.error("PrivateIPAddressNotInSubnet", &path, message);
        return None;
    }
    if address::taken(task.graph, &id, &task.resource.id).contains(&address) {
        task.error(
            "PrivateIPAddressInUse",
            &path,
            format!("\"{text}\" is in use by another resource of the subnet"),
        );
        return None;
    }
    Some(address)
}

fn public_ip_address(task: &mut Task<'_, '_>) -> Map<String, Value> {
    let mut values = Map::new();
    let wanted = task.resource.tag("handfast:address").map(str::to_owned);
    let address = match wanted {
        Some(text) if text.parse::<std::net::IpAddr>().is_ok() => Some(text),
        Some(text) => {
            let message = format!("\"{text}\" is not an IP address");
            task.error("InvalidProperty", "tags.handfast:address", message);
            None
        }
        None => kept_public(task),
    };
    values.extend(address.map(|address| ("ipAddress".to_owned(), address.into())));
    let label =
        member(task.resource.properties(), "dnsSettings").and_then(|(_, dns)| member(dns, "domainNameLabel"));
    if let Some(label) = label.and_then(|(_, label)| label.as_str()) {
        let location = task.resource.location().unwrap_or("global").to_lowercase().replace(' ', "");
        let fqdn = format!("{label}.{location}.cloudapp.{}", task.context.settings.domain);
        values.insert("dnsSettings".into(), json!({ "fqdn": fqdn.to_lowercase() }));
    }
    values
}

fn kept_public(task: &mut Task<'_, '_>) -> Option<String> {
    let pool = task.context.settings.public_pool;
    let kept = address::public_address(task.resource).filter(|address| match address {
        std::net::IpAddr::V4(address) => pool.contains(address),
        std::net::IpAddr::V6(_) => false,
    });
    let found = kept.map(|a| a.to_string()).or_else(|| {
        address::first_free_public(task.graph, pool, &task.resource.id).map(|address| address.to_string())
    });
    if found.is_none() {
        task.error(
            "PublicAddressPoolIsFull",
            "properties.ipAddress",
            format!("the public pool {pool} has no free address"),
        );
    }
    found
}

fn vault(task: &mut Task<'_, '_>) -> Map<String, Value> {
    let url =
        format!("https://{}.{}/", task.resource.name().to_lowercase(), task.context.settings.vault_domain);
    Map::from_iter([("vaultUri".to_owned(), url.into())])
}

fn user_assigned_identity(task: &mut Task<'_, '_>) -> Map<String, Value> {
    let mut values = Map::new();
    for key in ["principalId", "clientId"] {
        values.insert(key.into(), task.kept_or_random(&format!("/properties/{key}")).into());
    }
    values.insert("tenantId".into(), task.context.settings.tenant_id.clone().into());
    values
}
