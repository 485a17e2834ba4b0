//! Fetching an issuer's metadata and keys: two documents of at most 1 MiB, over TLS whose certificate and name
//! are verified, redirects to the same host only, ten seconds for all of it.

use super::Fetched;
use crate::base_url::BaseUrl;
use crate::coding;
use crate::forward::{Forwarder, Outgoing, Route};
use crate::plan::ApiService;
use crate::tls_clients::TlsMode;
use bytes::Bytes;
use handfast_core::message::{Method, RequestHead, Scheme};
use handfast_net::{Body, Core, sleep};
use handfast_pki::jose::{DOCUMENT_BYTES_MAX, Discovery, KeySet};
use handfast_policy::{BackendVersion, IssuerKeys};
use sha2::{Digest, Sha256};
use std::future::{Future, poll_fn};
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

/// For both documents together.
const TIME_MAX: Duration = Duration::from_secs(10);
const REDIRECTS_MAX: usize = 3;

/// The keys behind a metadata document.
pub(super) async fn fetch(core: &Core, service: &Arc<ApiService>, client_ip: IpAddr, url: &str) -> Fetched {
    let forwarder = Forwarder { core, service, api: None, client_ip };
    match within(TIME_MAX, both(&forwarder, url)).await {
        Some(outcome) => outcome,
        None => Err(format!("no answer within {} seconds", TIME_MAX.as_secs())),
    }
}

async fn both(forwarder: &Forwarder<'_>, url: &str) -> Fetched {
    let metadata = document(forwarder, url).await?;
    let Discovery { issuer, jwks_uri } = Discovery::parse(&metadata).map_err(|error| error.to_string())?;
    let bytes = document(forwarder, &jwks_uri).await?;
    let keys = KeySet::parse(&bytes).map_err(|error| format!("\"{jwks_uri}\": {error}"))?;
    if keys.keys.is_empty() {
        let reasons: Vec<String> = keys.left_out.iter().take(8).map(ToString::to_string).collect();
        return Err(format!("\"{jwks_uri}\" has no key that can be used; {}", reasons.join("; ")));
    }
    let mut version = Sha256::new();
    version.update((issuer.len() as u64).to_be_bytes());
    version.update(&issuer);
    version.update(&bytes);
    Ok((IssuerKeys { issuer, keys }, version.finalize().into()))
}

/// One document.
async fn document(forwarder: &Forwarder<'_>, url: &str) -> Result<Bytes, String> {
    let mut url = url.to_owned();
    for _ in 0..=REDIRECTS_MAX {
        let place = BaseUrl::parse(&url).filter(|place| place.tls);
        let place = place.ok_or_else(|| format!("\"{url}\" is no https URL"))?;
        let mut head = RequestHead {
            method: Method::Get,
            scheme: Scheme::Https,
            authority: place.authority.to_owned(),
            ..RequestHead::default()
        };
        head.target.assign(if place.path.is_empty() { "/" } else { place.path });
        head.target.set_query(place.query);
        for (name, value) in [("Host", place.authority), ("Accept", "application/json")] {
            head.fields.append(name.as_bytes(), value.as_bytes()).map_err(|error| error.to_string())?;
        }
        let (mode, version) = (TlsMode::default(), BackendVersion::Http1);
        let route = Route { url: place, mode, version, credential: None, timeout: TIME_MAX, proxy: None };
        let outgoing = Outgoing { head, body: Body::Empty, upgrade: false };
        let sent = forwarder.send(&route, outgoing).await;
        let mut response = sent.map_err(|failure| format!("\"{url}\": {failure:?}"))?;
        let fields = &response.head.fields;
        match response.head.status {
            200 => {
                let coding = fields.get_str("content-encoding").unwrap_or_default().to_owned();
                let read = response.body.collect(DOCUMENT_BYTES_MAX).await;
                let bytes = read.map_err(|failure| format!("\"{url}\": {failure}"))?;
                let decoded = coding::decode(&coding, bytes, DOCUMENT_BYTES_MAX);
                return decoded.map_err(|failure| format!("\"{url}\": {failure:?}"));
            }
            301 | 302 | 303 | 307 | 308 => {
                let location = fields.get_str("location").unwrap_or_default();
                url = redirected(&place, location)
                    .ok_or_else(|| format!("\"{url}\" leads to \"{location}\", which is another host"))?;
            }
            status => return Err(format!("\"{url}\" answered with status {status}")),
        }
    }
    Err(format!("more than {REDIRECTS_MAX} redirects"))
}

/// Where a redirect leads, if that is the same host.
fn redirected(from: &BaseUrl<'_>, location: &str) -> Option<String> {
    let absolute = match location.starts_with('/') && !location.starts_with("//") {
        true => format!("https://{}{location}", from.authority),
        false => location.to_owned(),
    };
    let same = BaseUrl::parse(&absolute).is_some_and(|to| to.tls && to.authority == from.authority);
    same.then_some(absolute)
}

/// A future's value, unless it takes longer than that.
async fn within<T>(limit: Duration, future: impl Future<Output = T>) -> Option<T> {
    let (mut future, mut limit) = (pin!(future), pin!(sleep(limit)));
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(value) => Poll::Ready(Some(value)),
        Poll::Pending => limit.as_mut().poll(cx).map(|_| None),
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_stay_on_their_host() {
        let from = BaseUrl::parse("https://a.test/x").expect("a URL");
        assert_eq!(redirected(&from, "/y?z").as_deref(), Some("https://a.test/y?z"));
        assert_eq!(redirected(&from, "https://a.test/y").as_deref(), Some("https://a.test/y"));
        for other in ["//b.test/y", "https://b.test/y", "http://a.test/y", "https://a.test:444/y", "", "y"] {
            assert_eq!(redirected(&from, other), None, "{other}");
        }
    }
}
