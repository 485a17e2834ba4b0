//! Host names of a service with their certificates, and where the service can be reached.

use super::Task;
use super::certificates;
use crate::plan::{Exposure, GatewayHost, PrivateAddress};
use handfast_model::View;
use handfast_net::tls::{ClientAuth, Identity, Suite, TlsHost, TlsHostSpec, TlsVersions};
use handfast_pki::Credential;
use handfast_route::HostPattern;
use std::sync::Arc;

const HTTP2: &str = "Microsoft.WindowsAzure.ApiManagement.Gateway.Protocols.Server.Http2";

/// A host name before its TLS configuration is built.
struct Wanted {
    name: String,
    credential: Option<Arc<Credential>>,
    negotiate: bool,
    default: bool,
    read_at: Option<u64>,
}

/// The service's own host name and the custom ones of type Proxy.
pub(super) fn hosts(
    task: &Task<'_>,
    properties: &View<'_>,
    policies_want_certificate: bool,
    trust: &Identity,
) -> Vec<GatewayHost> {
    let own = format!("{}.{}", task.resource.name(), task.env.domain).to_lowercase();
    let issued = (task.env.issue)(&own);
    let mut wanted =
        vec![Wanted { name: own, credential: issued, negotiate: false, default: false, read_at: None }];
    for view in properties.array("hostnameConfigurations") {
        let kind = view.str("type").unwrap_or_default();
        let Some(name) = view.require_str("hostName").filter(|_| kind.eq_ignore_ascii_case("Proxy")) else {
            continue;
        };
        let host = read_host(task, &view, name.to_lowercase());
        wanted.retain(|known| known.name != host.name);
        wanted.push(host);
    }
    if !wanted.iter().any(|host| host.default)
        && let Some(first) = wanted.first_mut()
    {
        first.default = true;
    }
    let always = policies_want_certificate || properties.bool_or("enableClientCertificate", false);
    let http2 = properties.field("customProperties").bool_or(HTTP2, false);
    let scope = task.resource.id.key();
    let mut hosts = Vec::new();
    for host in wanted {
        let before =
            task.previous.and_then(|previous| previous.hosts.iter().find(|one| one.name == host.name));
        let credential = host.credential.or_else(|| Some(before?.tls.credential().clone()));
        let (Some(credential), Ok(pattern)) = (credential, HostPattern::parse(&host.name)) else {
            properties.warning(
                "HostNameNotServed",
                format!("host name \"{}\" has no certificate and is not served", host.name),
            );
            continue;
        };
        let asks = always || host.negotiate;
        let spec = TlsHostSpec {
            name: format!("{scope}/{}", host.name),
            pattern: Some(pattern),
            credential,
            client_auth: if asks { ClientAuth::Request { hints: Vec::new() } } else { ClientAuth::None },
            trust_version: *trust,
            versions: TlsVersions::default(),
            suites: Suite::ALL.to_vec(),
            http2,
        };
        match TlsHost::build(spec, scope, &task.env.clock, before.map(|before| &before.tls)) {
            Ok(tls) => hosts.push(GatewayHost {
                name: host.name,
                tls,
                asks,
                default: host.default,
                read_at: host.read_at,
            }),
            Err(error) => properties.error(error.code(), error.to_string()),
        }
    }
    hosts
}

fn read_host(task: &Task<'_>, view: &View<'_>, name: String) -> Wanted {
    let vault = view.str("keyVaultId");
    let given = view.has("encodedCertificate") || vault.is_some_and(|url| !url.is_empty());
    let inline = given && vault.is_none_or(str::is_empty);
    let credential = match given {
        false => (task.env.issue)(&name),
        true => {
            let members = ("encodedCertificate", "certificatePassword");
            let read = match known(task, &name).filter(|_| inline) {
                Some(known) => Ok(known),
                None => {
                    task.count(|work| work.certificates += 1);
                    certificates::credential(task, view, members, vault)
                }
            };
            match read {
                Ok(credential) => {
                    warn_about_dates(task, view, &credential);
                    Some(credential)
                }
                Err((code, reason)) => {
                    view.error(code, format!("certificate of host name \"{name}\": {reason}"));
                    None
                }
            }
        }
    };
    if !given && credential.is_none() {
        view.error(
            "MissingProperty",
            format!("host name \"{name}\" needs \"encodedCertificate\" or \"keyVaultId\""),
        );
    }
    let read_at = credential.as_ref().filter(|_| inline).map(|_| task.resource.revision);
    Wanted {
        name,
        credential,
        read_at,
        negotiate: view.bool_or("negotiateClientCertificate", false),
        default: view.bool_or("defaultSslBinding", false),
    }
}

/// The certificate of a host name that was read from this revision of the service's document.
fn known(task: &Task<'_>, name: &str) -> Option<Arc<Credential>> {
    let before = task.previous?.hosts.iter().find(|host| host.name == name)?;
    (before.read_at == Some(task.resource.revision)).then(|| before.tls.credential().clone())
}

fn warn_about_dates(task: &Task<'_>, view: &View<'_>, credential: &Credential) {
    let (leaf, now) = (credential.leaf(), task.env.clock.now());
    if now > leaf.not_after() {
        let text = format!("the certificate expired at {}; it is served all the same", leaf.not_after());
        view.warning("CertificateExpired", text);
    } else if leaf.not_after().minus(std::time::Duration::from_secs(30 * 86_400)) < now {
        view.warning("ExpiresSoon", format!("the certificate expires at {}", leaf.not_after()));
    }
}

/// Network mode and addresses (edge specification §2.4).
pub(super) fn exposure(task: &Task<'_>, properties: &View<'_>) -> Exposure {
    #[derive(Clone, Copy, PartialEq)]
    enum Mode {
        None,
        External,
        Internal,
    }
    let words = [("None", Mode::None), ("External", Mode::External), ("Internal", Mode::Internal)];
    let mode = match properties.has("virtualNetworkType") {
        // A word that is not known must not open the front door.
        true => properties.one_of("virtualNetworkType", &words).unwrap_or(Mode::Internal),
        false => Mode::None,
    };
    let public =
        properties.one_of("publicNetworkAccess", &[("Enabled", true), ("Disabled", false)]).unwrap_or(true);
    let front_door = public && mode != Mode::Internal;
    if mode == Mode::None {
        return Exposure { front_door, private: None };
    }
    let subnet = properties.field("virtualNetworkConfiguration").id("subnetResourceId");
    let network = subnet.and_then(|subnet| task.graph.get(&subnet.parent_resource()?));
    let ip = task
        .resource
        .computed_str("/properties/privateIPAddresses/0")
        .and_then(|address| address.parse().ok());
    let (Some(network), Some(ip)) = (network, ip) else {
        properties.error(
            "InvalidResourceReference",
            "\"virtualNetworkConfiguration.subnetResourceId\" names no subnet that exists; the service has no private address",
        );
        return Exposure { front_door, private: None };
    };
    let prefixes = network.properties().pointer("/addressSpace/addressPrefixes");
    let prefixes = prefixes.and_then(|prefixes| prefixes.as_array()).into_iter().flatten();
    let prefixes = prefixes.filter_map(|prefix| prefix.as_str()?.parse().ok()).collect();
    let private =
        PrivateAddress { network: network.id.key().into(), ip, prefixes, internal: mode == Mode::Internal };
    Exposure { front_door, private: Some(private) }
}
