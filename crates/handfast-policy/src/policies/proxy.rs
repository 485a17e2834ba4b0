//! `proxy`: the HTTP proxy that a request goes through (specification 5.5; RFC 9110 §9.3.6). The host tunnels to `https`
//! targets and asks the proxy for `http` ones. Credentials go out as Basic; proxies that want NTLM are not spoken to:
//! their 407 is the failure.

use super::Policy;
use super::authentication_basic::header;
use super::set_backend_service::is_http_url;
use crate::compile::{Compiler, Parts};
use crate::context::ProxySelection;
use crate::machine::evaluate::unfit;
use crate::machine::step::{At, Flow, Halt, Ran, Step};
use crate::schema::{AttributeSchema, Content, ElementSchema, Kind};
use crate::setting::{Setting, Text};
use crate::tree::Element;
use handfast_expression::Value;

pub(crate) static SCHEMA: ElementSchema = ElementSchema {
    attributes: &[
        AttributeSchema::new("url", Kind::Name).required(),
        AttributeSchema::new("username", Kind::Text),
        AttributeSchema::new("password", Kind::Text),
    ],
    content: Content::Empty,
};

pub(crate) static POLICY: Policy = Policy { name: "proxy", schema: &SCHEMA, compile };

/// Which proxy, with which credentials.
#[derive(Debug)]
pub(crate) struct Proxy {
    url: Text,
    credentials: Option<(Text, Text)>,
}

fn compile(element: &Element, compiler: &mut Compiler<'_>) -> Option<Parts> {
    Parts::leaf(read(element, compiler)?)
}

/// Whether a text is `http://host:port`.
fn is_proxy_url(text: &str) -> bool {
    let rest = text.trim().get("http://".len()..).unwrap_or_default();
    let is_plain = text.trim().to_ascii_lowercase().starts_with("http://");
    is_plain && is_http_url(text) && !rest.trim_end_matches('/').contains('/')
}

/// Reads one element; also for the children of `send-request`.
pub(crate) fn read(element: &Element, compiler: &mut Compiler<'_>) -> Option<Proxy> {
    let url = compiler.text(element, "url");
    if let Setting::Literal(url) = &url
        && !is_proxy_url(url)
    {
        let text =
            format!("The value '{url}' of the attribute 'url' is not a proxy such as http://proxy.test:8080");
        compiler.refuse(element, text);
        return None;
    }
    let (user, password) =
        (compiler.optional_text(element, "username"), compiler.optional_text(element, "password"));
    if user.is_some() != password.is_some() {
        compiler.refuse(element, "The attributes 'username' and 'password' go together");
        return None;
    }
    Some(Proxy { url, credentials: user.zip(password) })
}

impl Proxy {
    /// The proxy of this request.
    pub(crate) fn get(&self, at: &mut At<'_>) -> Result<ProxySelection, Halt> {
        let url = at.text(&self.url)?;
        if !is_proxy_url(&url) {
            return Err(unfit(&Value::str(&*url), "a proxy such as http://proxy.test:8080"));
        }
        let url = url.trim().into();
        let authorization = match &self.credentials {
            Some((user, password)) => Some(header(&at.text(user)?, &at.text(password)?)),
            None => None,
        };
        Ok(ProxySelection { url, authorization })
    }
}

impl Step for Proxy {
    fn run(&self, at: &mut At<'_>) -> Ran {
        let proxy = self.get(at)?;
        at.note(|| format!("requests go through '{}'", proxy.url));
        at.context.backend.proxy = Some(proxy);
        Ok(Flow::Next)
    }
}
