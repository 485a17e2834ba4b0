//! Scope, deployment and resource functions (§10.6).

use super::{ANY, FunctionEntry, eager, str_at};
use crate::evaluate::Environment;
use crate::fault::{Evaluated, fault};
use crate::parameter::object;
use crate::scope::Scope;
use serde_json::{Value, json};

pub(super) const TABLE: &[FunctionEntry] = &[
    eager("parameters", 1, 1, |environment, a| environment.parameter(str_at(&a, 0)?)),
    eager("variables", 1, 1, |environment, a| environment.variable(str_at(&a, 0)?)),
    eager("copyIndex", 0, 2, copy_index),
    eager("deployment", 0, 0, |environment, _| Ok(deployment(environment))),
    eager("deployer", 0, 0, |environment, _| Ok(environment.frame.scope.deployer.clone())),
    eager("environment", 0, 0, |environment, _| Ok(environment.frame.scope.environment.clone())),
    eager("resourceGroup", 0, 0, resource_group),
    eager("subscription", 0, 0, subscription),
    eager("tenant", 0, 0, |environment, _| {
        let tenant = &environment.frame.scope.tenant_id;
        Ok(json!({ "tenantId": tenant, "country": "", "countryCode": "", "displayName": "Handfast" }))
    }),
    eager("resourceId", 2, ANY, |environment, a| resource_id(&environment.frame.scope, &a)),
    eager("subscriptionResourceId", 2, ANY, |environment, a| {
        let (before, rest) = split_at_type(&a, 1)?;
        let own = environment.frame.scope.subscription_id.clone();
        match before.first().map(|given| (*given).to_owned()).or(own) {
            Some(subscription) => compose(&format!("/subscriptions/{subscription}"), rest),
            None => fault("there is no subscription at tenant scope; name one as the first argument"),
        }
    }),
    eager("tenantResourceId", 2, ANY, |_, a| compose("", &a)),
    eager("managementGroupResourceId", 2, ANY, |_, a| {
        let (before, rest) = split_at_type(&a, 1)?;
        match before.first() {
            Some(group) => {
                compose(&format!("/providers/Microsoft.Management/managementGroups/{group}"), rest)
            }
            None => fault("the management group must be named as the first argument"),
        }
    }),
    eager("extensionResourceId", 3, ANY, |_, a| {
        compose(str_at(&a, 0)?.trim_end_matches('/'), a.get(1..).unwrap_or_default())
    }),
    eager("reference", 1, 3, |environment, a| {
        let full = a.get(2).and_then(Value::as_str).is_some_and(|word| word.eq_ignore_ascii_case("full"));
        let api_version = a.get(1).and_then(Value::as_str);
        environment.runtime("reference")?.reference(str_at(&a, 0)?, api_version, full)
    }),
    eager("references", 1, 2, |environment, a| {
        let full = a.get(1).and_then(Value::as_str).is_some_and(|word| word.eq_ignore_ascii_case("full"));
        environment.runtime("references")?.references(str_at(&a, 0)?, full)
    }),
    eager("resourceInfo", 1, 1, |environment, a| environment.runtime("resourceInfo")?.info(str_at(&a, 0)?)),
    eager("pickZones", 3, 5, |_, a| {
        let count = a.get(3).and_then(Value::as_u64).unwrap_or(1);
        let offset = a.get(4).and_then(Value::as_u64).unwrap_or(0);
        let zones = (1..=3_u64).map(|zone| Value::from(zone.to_string()));
        let skip = usize::try_from(offset).unwrap_or(usize::MAX);
        Ok(Value::Array(zones.skip(skip).take(usize::try_from(count).unwrap_or(usize::MAX)).collect()))
    }),
    eager("providers", 1, 2, |_, a| {
        let kind = a.get(1).and_then(Value::as_str).unwrap_or_default();
        Ok(json!({ "resourceType": kind, "locations": [], "apiVersions": [] }))
    }),
];

/// `copyIndex([offset])` and `copyIndex(name[, offset])`.
fn copy_index(environment: &Environment<'_>, a: Vec<Value>) -> Evaluated<Value> {
    let name = a.first().and_then(Value::as_str);
    let offset = a.iter().find_map(Value::as_i64).unwrap_or(0);
    let index = i64::try_from(environment.copy_index(name)?).unwrap_or(i64::MAX);
    Ok(index.saturating_add(offset).into())
}

fn deployment(environment: &Environment<'_>) -> Value {
    let scope = &environment.frame.scope;
    let template = environment.frame.template.document();
    let mut all = json!({
        "name": scope.deployment_name,
        "properties": { "template": { "$schema": template["$schema"], "contentVersion": template["contentVersion"] },
            "mode": "Incremental", "provisioningState": "Accepted" }
    });
    if let Some(map) = all.as_object_mut().filter(|_| scope.resource_group.is_none()) {
        map.insert("location".into(), scope.location.as_str().into());
    }
    all
}

fn resource_group(environment: &Environment<'_>, _: Vec<Value>) -> Evaluated<Value> {
    let scope = &environment.frame.scope;
    let (Some(name), Some(id)) = (&scope.resource_group, scope.id()) else {
        return fault("\"resourceGroup\" may be used only in deployments to a resource group");
    };
    Ok(object([
        ("id", id.as_str().into()),
        ("name", name.as_str().into()),
        ("type", "Microsoft.Resources/resourceGroups".into()),
        ("location", scope.location.as_str().into()),
        ("tags", scope.group_tags.clone()),
        ("properties", json!({ "provisioningState": "Succeeded" })),
    ]))
}

fn subscription(environment: &Environment<'_>, _: Vec<Value>) -> Evaluated<Value> {
    let scope = &environment.frame.scope;
    let Some(id) = &scope.subscription_id else {
        return fault("\"subscription\" may not be used in deployments to a tenant");
    };
    Ok(json!({ "id": format!("/subscriptions/{id}"), "subscriptionId": id, "tenantId": scope.tenant_id,
        "displayName": "Handfast" }))
}

/// Splits off the arguments before the first one that looks like a resource type.
fn split_at_type(arguments: &[Value], most: usize) -> Evaluated<(Vec<&str>, &[Value])> {
    let is_type = |value: &Value| {
        value
            .as_str()
            .and_then(|text| text.split_once('/'))
            .is_some_and(|(namespace, _)| namespace.contains('.'))
    };
    let at = arguments.iter().position(is_type).filter(|at| *at <= most);
    let Some(at) = at else {
        return fault("a resource type such as \"Microsoft.Network/virtualNetworks\" is needed");
    };
    let (before, rest) = arguments.split_at(at);
    let before = before.iter().filter_map(Value::as_str).collect();
    Ok((before, rest))
}

fn resource_id(scope: &Scope, arguments: &[Value]) -> Evaluated<Value> {
    let (before, rest) = split_at_type(arguments, 2)?;
    let prefix = match (before.as_slice(), &scope.subscription_id) {
        ([], _) => scope.prefix(),
        ([group], Some(subscription)) if scope.resource_group.is_some() => {
            format!("/subscriptions/{subscription}/resourceGroups/{group}")
        }
        ([subscription], _) => format!("/subscriptions/{subscription}"),
        ([subscription, group, ..], _) => format!("/subscriptions/{subscription}/resourceGroups/{group}"),
    };
    compose(&prefix, rest)
}

/// `prefix/providers/Namespace/type/name/…` from a type and one name for each of its segments.
fn compose(prefix: &str, arguments: &[Value]) -> Evaluated<Value> {
    let kind = str_at(arguments, 0)?;
    let mut names = Vec::new();
    for index in 1..arguments.len() {
        names.push(str_at(arguments, index)?);
    }
    let Some(path) = interleave(kind, &names) else {
        let wanted = kind.split('/').count().saturating_sub(1);
        return fault(format!("type \"{kind}\" needs {wanted} names, {} were given", names.len()));
    };
    Ok(format!("{prefix}/providers/{path}").into())
}

/// Type segments and names in turn: `Microsoft.X/a/b` and `[1, 2]` give `Microsoft.X/a/1/b/2`.
pub(crate) fn interleave(kind: &str, names: &[&str]) -> Option<String> {
    let mut types = kind.split('/');
    let mut path = types.next()?.to_owned();
    let types: Vec<&str> = types.collect();
    if types.len() != names.len() || types.is_empty() || names.iter().any(|name| name.is_empty()) {
        return None;
    }
    for (kind, name) in types.iter().zip(names) {
        path.push('/');
        path.push_str(kind);
        path.push('/');
        path.push_str(name);
    }
    Some(path)
}
