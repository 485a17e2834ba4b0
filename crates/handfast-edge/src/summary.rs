//! What a plan serves, as text: for comparisons. Live state and secrets are not in it.

use crate::plan::{Action, CompiledListener, EdgePlan, Redirect, RedirectTarget, Route, Routing};
use std::fmt::Write as _;

impl EdgePlan {
    /// One line per frontend, listener, route and backend, in a stable order. Two plans with equal lines
    /// answer alike.
    pub fn summary(&self) -> Vec<String> {
        let mut lines: Vec<String> = self
            .frontends
            .iter()
            .map(|frontend| {
                let hosts = frontend.state.tls.as_ref().map_or(0, |tls| tls.hosts().len());
                format!("frontend {} {:?} TLS hosts {hosts}", frontend.name, frontend.address)
            })
            .collect();
        for (key, gateway) in &self.gateways {
            lines.push(format!("gateway {key} strips {:?}, {:?}", gateway.stripped_headers, gateway.pages));
            lines.extend(gateway.listeners.values().map(|made| listener(key, made)));
            for ((pool, settings), backend) in &gateway.backends {
                let members: Vec<&str> =
                    backend.servers.servers().iter().map(|server| server.target.host.as_str()).collect();
                lines.push(format!(
                    "backend {key} {pool}/{settings} {members:?} port {} {:?} {:?} path {:?} TLS {} {:?} affinity {}",
                    backend.settings.port,
                    backend.settings.host,
                    backend.settings.timeouts,
                    backend.settings.path,
                    backend.settings.tls.is_some(),
                    backend.probe,
                    backend.affinity.is_some(),
                ));
            }
        }
        lines.sort();
        lines
    }
}

fn listener(key: &str, made: &CompiledListener) -> String {
    let listener = &made.listener;
    let mut line = format!(
        "listener {key} {} on {} port {} https {} hosts {:?} priority {}",
        made.key, made.frontend, listener.port, listener.https, listener.hosts, made.priority
    );
    if let Some(parts) = &made.tls {
        let _ = write!(line, " certificate {}", parts.credential.leaf().thumbprint());
    }
    if let Some(auth) = &listener.client_auth {
        let _ = write!(line, " strict {}", auth.strict);
    }
    if let Some(rule) = &listener.rule {
        let _ = write!(line, " rule {}", rule.name);
        match &rule.routing {
            Routing::Basic(to) => route(&mut line, to),
            Routing::Paths(map) => {
                for rule in &map.rules {
                    let _ = write!(line, " {:?}", rule.patterns);
                    route(&mut line, &rule.route);
                }
                route(&mut line, &map.default);
            }
        }
    }
    line
}

fn route(line: &mut String, route: &Route) {
    let _ = match &route.action {
        Action::Forward(backend) => write!(line, " → {}/{}", backend.pool_name, backend.settings.name),
        Action::Redirect(redirect) => {
            let Redirect { status, target, include_path, include_query } = &**redirect;
            match target {
                RedirectTarget::Url(url) => write!(line, " → {status} {url} {include_path} {include_query}"),
                RedirectTarget::Listener { https, host, port } => {
                    write!(line, " → {status} {https} {host:?} {port} {include_path} {include_query}")
                }
            }
        }
    };
    if let Some(set) = &route.rewrite {
        let _ = write!(line, " with {} rewrite rules", set.rules.len());
    }
}
