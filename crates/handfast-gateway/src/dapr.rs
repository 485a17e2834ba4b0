//! Where the Dapr sidecar is, in the words of its own SDKs: `DAPR_HTTP_ENDPOINT`, or `DAPR_HTTP_PORT` on this machine.

use std::sync::Arc;

/// The base URL that the environment names, if it does.
pub fn sidecar_from_environment(variable: impl Fn(&str) -> Option<String>) -> Option<Arc<str>> {
    let named = |name| variable(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
    if let Some(url) = named("DAPR_HTTP_ENDPOINT") {
        return Some(url.into());
    }
    named("DAPR_HTTP_PORT").map(|port| format!("http://localhost:{port}").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_endpoint_goes_before_the_port() {
        let of = |variables: &[(&str, &str)]| {
            let find = |name: &str| variables.iter().find(|one| one.0 == name).map(|one| one.1.to_owned());
            sidecar_from_environment(find).map(|url| url.to_string())
        };
        let (endpoint, port) = (("DAPR_HTTP_ENDPOINT", "https://dapr.test"), ("DAPR_HTTP_PORT", "3501"));
        assert_eq!(of(&[port, endpoint]).as_deref(), Some("https://dapr.test"));
        assert_eq!(of(&[port]).as_deref(), Some("http://localhost:3501"));
        assert_eq!(of(&[("DAPR_HTTP_PORT", " ")]), None);
    }
}
