//! Loggers of a service: event hubs by connection string or by a managed identity. Others are reported, because nothing is sent to them.

use super::Task;
use crate::eventhub::{Access, EventHub};
use handfast_model::View;
use std::collections::HashMap;
use std::sync::Arc;

/// Event hubs by lower-case name; one that is as before keeps its queue, and a broken one its last good version.
pub(super) fn loggers(
    task: &Task<'_>,
    named_values: &HashMap<String, String>,
) -> HashMap<String, Arc<EventHub>> {
    let mut loggers = HashMap::new();
    task.each_child("loggers", |resource, root| {
        let properties = root.field("properties");
        let name = resource.name().to_lowercase();
        let last_good = task.previous.and_then(|previous| previous.loggers.get(&name)).cloned();
        let kind = properties.str("loggerType").unwrap_or_default();
        if !kind.eq_ignore_ascii_case("azureEventHub") {
            properties.any("loggerType").warning(
                "LoggerNotAvailable",
                format!("logger type \"{kind}\" has no effect; \"azureEventHub\" would be accepted"),
            );
            return;
        }
        let credentials = properties.field("credentials");
        let secret = credentials.secret("connectionString").and_then(|secret| task.material.get(&secret));
        let written = match secret {
            Some(secret) => Some(String::from_utf8_lossy(secret.expose()).into_owned()),
            None => credentials.str("connectionString").map(str::to_owned),
        };
        let hub = match written {
            Some(written) => {
                let referred = written.trim().strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}"));
                let connection =
                    referred.and_then(|value| named_values.get(value.trim())).unwrap_or(&written);
                EventHub::parse(connection, credentials.str("name"))
            }
            None => by_identity(&credentials),
        };
        match hub {
            Ok(hub) => {
                let kept = last_good.filter(|before| before.is_same(&hub));
                loggers.insert(name, kept.unwrap_or_else(|| Arc::new(hub)));
            }
            Err(why) => {
                let message = format!("the credentials of logger \"{name}\" cannot be used: {why}");
                properties.any("credentials").error("ValidationError", message);
                loggers.extend(last_good.map(|hub| (name, hub)));
            }
        }
    });
    loggers
}

/// `endpointAddress`, `identityClientId` (`systemAssigned` or a client id) and `name`.
fn by_identity(credentials: &View<'_>) -> Result<EventHub, &'static str> {
    let identity = credentials.str("identityClientId");
    let missing = "they have neither a \"connectionString\" nor an \"identityClientId\"";
    let identity = identity.map(str::trim).filter(|id| !id.is_empty()).ok_or(missing)?;
    let endpoint = credentials.str("endpointAddress").ok_or("they have no \"endpointAddress\"")?;
    let hub = credentials.str("name").ok_or("they have no \"name\" of the hub")?;
    let namespace = endpoint.split_once("://").map_or(endpoint, |(_, authority)| authority);
    let own = identity.eq_ignore_ascii_case("systemAssigned");
    Ok(EventHub::new(namespace, hub, Access::Identity((!own).then(|| identity.to_owned()))))
}
