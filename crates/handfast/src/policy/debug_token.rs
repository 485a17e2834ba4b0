//! `handfast policy debug-token`: what `listDebugCredentials` answers, for who may read the state folder.

use crate::cli::DebugTokenOptions;
use crate::instance::debugging_of;
use crate::output::{self, Failure};
use handfast_core::Clock;
use handfast_gateway::debug_credentials;
use handfast_model::{Graph, ResourceId, kind};
use serde_json::json;

/// Prints a token for the API.
pub(super) fn run(options: &DebugTokenOptions) -> Result<(), Failure> {
    let (key, graph) = debugging_of(&options.state)?;
    let service = service(&graph, options.service.as_deref())?;
    let api = match options.api.starts_with('/') {
        true => options.api.clone(),
        false => format!("{}/apis/{}", service.as_str(), options.api),
    };
    let body = json!({
        "apiId": api,
        "purposes": ["tracing"],
        "credentialsExpireAfter": options.expire_after,
    });
    let now = crate::clock::SystemClock.now();
    let token = debug_credentials(&key, &graph, &service, &body, now).map_err(Failure::new)?;
    output::print(token.expose());
    Ok(())
}

/// The service of a name, or the only one.
fn service(graph: &Graph, name: Option<&str>) -> Result<ResourceId, Failure> {
    let named = |id: &ResourceId| name.is_none_or(|name| id.name().eq_ignore_ascii_case(name));
    let mut found = graph.of_kind(kind::SERVICE).map(|resource| resource.id.clone()).filter(named);
    match (found.next(), found.next(), name) {
        (Some(service), None, _) => Ok(service),
        (None, _, Some(name)) => Err(Failure::Message(format!("the state folder has no service \"{name}\""))),
        (None, _, None) => Err(Failure::Message("the state folder has no service".to_owned())),
        (Some(_), Some(_), _) => {
            Err(Failure::Usage("the state folder has several services; say which with --service".to_owned()))
        }
    }
}
