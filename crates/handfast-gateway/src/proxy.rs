//! The way through an HTTP proxy (policies specification 5.5): a tunnel to `https` targets, the absolute form of the
//! request target for `http` ones (RFC 9112 §3.2.2). Credentials are the proxy's own and go no further.

use crate::base_url::BaseUrl;
use handfast_core::message::RequestHead;
use handfast_net::{Response, Tunnel};
use handfast_policy::{ForwardFailure, ProxySelection};
use std::sync::Arc;

/// A proxy on the way to a target.
pub(crate) struct Via<'a> {
    /// Of the proxy.
    pub(crate) url: BaseUrl<'a>,
    selection: &'a ProxySelection,
    tunnels: bool,
}

impl<'a> Via<'a> {
    /// The way to a target.
    pub(crate) fn new(selection: &'a ProxySelection, target: &BaseUrl<'_>) -> Result<Self, ForwardFailure> {
        let url = BaseUrl::parse(&selection.url).filter(|url| !url.tls).ok_or_else(|| {
            ForwardFailure::Connection(format!("\"{}\" is no proxy such as http://proxy:8080", selection.url))
        })?;
        Ok(Self { url, selection, tunnels: target.tls })
    }

    /// What the proxy is asked for: a tunnel, or the request itself in the form for proxies.
    pub(crate) fn prepare(&self, target: &BaseUrl<'_>, head: &mut RequestHead) -> Option<Arc<Tunnel>> {
        let authorization = self.selection.authorization.clone();
        if self.tunnels {
            let host =
                if target.host.contains(':') { format!("[{}]", target.host) } else { target.host.to_owned() };
            return Some(Arc::new(Tunnel { authority: format!("{host}:{}", target.port), authorization }));
        }
        let absolute = format!("http://{}{}", target.authority, head.target.as_str());
        head.target.assign(&absolute);
        if let Some(value) = authorization {
            let _ = head.fields.set(b"Proxy-Authorization", value.expose().as_bytes());
        }
        None
    }

    /// A 407 of the proxy itself is no answer of the backend.
    pub(crate) fn judge(&self, response: Response) -> Result<Response, ForwardFailure> {
        if self.tunnels || response.head.status != 407 {
            return Ok(response);
        }
        let challenges = response.head.fields.get_all(b"Proxy-Authenticate");
        let challenges: Vec<String> =
            challenges.map(|one| String::from_utf8_lossy(one).into_owned()).collect();
        Err(ForwardFailure::Connection(Tunnel::refusal(challenges.iter().map(String::as_str))))
    }
}
