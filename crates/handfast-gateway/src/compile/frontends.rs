//! Frontends: one front door for all services outside of virtual networks, and one private address for each
//! service inside one.

use crate::pipeline::{FrontendService, HostTarget};
use crate::plan::{ApiService, Frontend, FrontendAddress, PrivateAddress};
use handfast_core::Diagnostic;
use handfast_net::tls::TlsTable;
use handfast_net::{Limits, ListenerState, SourceFilter};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

const PORT: u16 = 443;

type Services = BTreeMap<String, Arc<ApiService>>;

pub(super) fn frontends(services: &Services, diagnostics: &mut Vec<Diagnostic>) -> Vec<Frontend> {
    let mut frontends = Vec::new();
    let public: Vec<&Arc<ApiService>> =
        services.values().filter(|service| service.exposure.front_door).collect();
    if !public.is_empty() {
        frontends.push(Frontend {
            name: "front-door".to_owned(),
            address: FrontendAddress::FrontDoor,
            port: PORT,
            state: state(&public, SourceFilter::default(), diagnostics),
        });
    }
    for (key, service) in services {
        let Some(private) = &service.exposure.private else { continue };
        frontends.push(Frontend {
            name: format!("{key}/{}:{PORT}", private.ip),
            address: private.address(),
            port: PORT,
            state: state(&[service], filter(private), diagnostics),
        });
    }
    frontends
}

/// An internal service answers its own network only.
fn filter(private: &PrivateAddress) -> SourceFilter {
    match private.internal {
        true => SourceFilter::new(private.prefixes.iter().map(|prefix| (*prefix, true)).collect(), false),
        false => SourceFilter::default(),
    }
}

fn state(
    services: &[&Arc<ApiService>],
    filter: SourceFilter,
    diagnostics: &mut Vec<Diagnostic>,
) -> ListenerState {
    let mut hosts = HashMap::new();
    let mut tls = Vec::new();
    let mut default = None;
    for service in services {
        for host in &service.hosts {
            let target = HostTarget { service: (*service).clone(), asks: host.asks };
            if hosts.contains_key(&host.name) {
                let message = format!("host name \"{}\" is served by another service already", host.name);
                diagnostics.push(Diagnostic::error("HostNameInUse", message).on(service.id.as_str()));
                continue;
            }
            hosts.insert(host.name.clone(), target);
            if host.default && default.is_none() {
                default = Some(tls.len());
            }
            tls.push(host.tls.clone());
        }
    }
    ListenerState {
        tls: Some(TlsTable::new(tls, default, Vec::new())),
        service: Arc::new(FrontendService { hosts }),
        limits: Arc::new(Limits::default()),
        filter,
        trusted_proxies: Arc::new([]),
    }
}
