//! `cache-lookup` and `cache-store`: whole responses (specification 5.6). A hit goes on in outbound, behind the policy
//! that would have stored it.

use super::Policy;
use super::cache_value::{CACHING_TYPE, DURATION, stored};
use crate::compile::{Compiler, Parts};
use crate::context::{Body, CacheKey, Context, Response};
use crate::machine::io::{BodyForm, Cached, CachedContent, Input, Output, Side};
use crate::machine::step::{At, Flow, Halt, Ran, Step};
use crate::schema::{AttributeSchema, Content, ElementSchema, Kind, Particle, TEXT};
use crate::setting::{Setting, Text};
use crate::tree::Element;
use bytes::Bytes;
use handfast_core::message::Method;
use std::fmt::{self, Write as _};
use std::sync::Arc;
use std::time::Duration;

/// The largest response that is kept (specification 5.6).
const RESPONSE_BYTES_MAX: usize = 2 << 20;

/// Request headers that would make the backend send less than the whole answer.
const CONDITIONAL: [&str; 6] =
    ["If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since", "If-Range", "Range"];

static LOOKUP_SCHEMA: ElementSchema = ElementSchema {
    attributes: &[
        AttributeSchema::new("vary-by-developer", Kind::Boolean).required(),
        AttributeSchema::new("vary-by-developer-groups", Kind::Boolean).required(),
        CACHING_TYPE,
        AttributeSchema::new("downstream-caching-type", Kind::OneOf(&["none", "private", "public"])),
        AttributeSchema::new("must-revalidate", Kind::Boolean),
        AttributeSchema::new("allow-private-response-caching", Kind::Boolean),
    ],
    content: Content::AnyOrder(
        &[Particle::any("vary-by-header", &TEXT), Particle::any("vary-by-query-parameter", &TEXT)],
        0,
    ),
};

pub(super) static STORE_SCHEMA: ElementSchema = ElementSchema {
    attributes: &[
        AttributeSchema::new("duration", DURATION).required(),
        AttributeSchema::new("cache-response", Kind::Boolean),
    ],
    content: Content::Empty,
};

pub(crate) static LOOKUP: Policy =
    Policy { name: "cache-lookup", schema: &LOOKUP_SCHEMA, compile: compile_lookup };
pub(crate) static STORE: Policy =
    Policy { name: "cache-store", schema: &STORE_SCHEMA, compile: compile_store };

#[derive(Debug)]
struct Lookup {
    by_developer: Setting<bool>,
    by_groups: Setting<bool>,
    downstream: Text,
    must_revalidate: Setting<bool>,
    allow_private: Setting<bool>,
    headers: Vec<Text>,
    parameters: Vec<Text>,
}

fn compile_lookup(element: &Element, compiler: &mut Compiler<'_>) -> Option<Parts> {
    Parts::leaf(Lookup {
        by_developer: compiler.boolean(element, "vary-by-developer", false),
        by_groups: compiler.boolean(element, "vary-by-developer-groups", false),
        downstream: compiler.text(element, "downstream-caching-type"),
        must_revalidate: compiler.boolean(element, "must-revalidate", true),
        allow_private: compiler.boolean(element, "allow-private-response-caching", false),
        headers: element.named("vary-by-header").map(|child| compiler.content(child)).collect(),
        parameters: element.named("vary-by-query-parameter").map(|child| compiler.content(child)).collect(),
    })
}

impl Lookup {
    /// The key of the request, and what clients are told; `None` when it is not for the cache.
    fn key(&self, at: &mut At<'_>) -> Result<Option<CacheKey>, Halt> {
        let (by_developer, by_groups) = (at.boolean(&self.by_developer)?, at.boolean(&self.by_groups)?);
        let allow_private = at.boolean(&self.allow_private)?;
        let revalidate = at.boolean(&self.must_revalidate)?;
        let downstream = match &*at.text(&self.downstream)? {
            "private" => Some(("private", revalidate)),
            "public" => Some(("public", revalidate)),
            _ => None,
        };
        let (headers, parameters) = (at.texts(&self.headers)?, at.texts(&self.parameters)?);
        let names = |texts: &[crate::machine::evaluate::Words<'_>]| -> Vec<String> {
            let names = texts.iter().flat_map(|text| text.split(';'));
            names.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect()
        };
        let context = &at.context;
        let is_private = context.request.fields.contains(b"Authorization");
        if context.request.method != Method::Get || (is_private && !allow_private) {
            return Ok(None);
        }
        let mut key = base_key(context);
        query_key(context, &names(&parameters), &mut key);
        for name in names(&headers) {
            for value in context.request.fields.get_all(name.as_bytes()) {
                part(&mut key, &name.to_ascii_lowercase(), &String::from_utf8_lossy(value));
            }
        }
        if let Some(user) = context.user.as_ref().filter(|_| by_developer) {
            part(&mut key, "developer", &user.id);
        }
        if let Some(user) = context.user.as_ref().filter(|_| by_groups) {
            let mut groups: Vec<&str> = user.groups.iter().map(|group| group.id.as_str()).collect();
            groups.sort_unstable();
            part(&mut key, "groups", &groups.join(","));
        }
        Ok(Some(CacheKey { key, downstream }))
    }
}

/// A part of a key; lengths keep parts apart whatever is in them.
fn part(key: &mut String, name: &str, value: &str) {
    let _ = write!(key, "\n{}:{name}={}:{value}", name.len(), value.len());
}

/// API, revision, operation and URL without its query.
fn base_key(context: &Context) -> String {
    let mut key = String::from("response:");
    if let Some(api) = &context.api {
        part(&mut key, "api", &api.id);
        part(&mut key, "revision", &api.revision);
    }
    part(&mut key, "operation", context.operation.as_ref().map_or("", |operation| &operation.id));
    part(&mut key, "url", context.original_url.split('?').next().unwrap_or_default());
    key
}

/// The listed query parameters, or all of them when none is listed.
fn query_key(context: &Context, listed: &[String], key: &mut String) {
    let query = context.original_url.split_once('?').map_or("", |(_, query)| query);
    let mut pairs: Vec<&str> = query.split('&').filter(|pair| !pair.is_empty()).collect();
    if !listed.is_empty() {
        pairs.retain(|pair| {
            let name = pair.split('=').next().unwrap_or_default();
            listed.iter().any(|wanted| wanted.eq_ignore_ascii_case(name))
        });
    }
    pairs.sort_unstable();
    part(key, "query", &pairs.join("&"));
}

impl Step for Lookup {
    fn run(&self, at: &mut At<'_>) -> Ran {
        let Some(key) = self.key(at)? else {
            at.note(|| "the request is not for the cache");
            return Ok(Flow::Next);
        };
        let wanted = key.key.clone();
        at.context.cache_key = Some(key);
        Ok(Flow::Await(Output::CacheGet { key: wanted }))
    }

    fn resume(&self, at: &mut At<'_>, answer: Input) -> Ran {
        let Input::Cached(found) = answer else { return Ok(Flow::unexpected(&answer)) };
        if let Some((Cached { content: CachedContent::Response(response), .. }, left)) = found {
            let key = at.context.cache_key.take();
            let mut response = Response::clone(&response);
            tell_clients(&mut response, key.and_then(|key| key.downstream), left);
            at.context.set_response(response);
            at.note(|| format!("answered from the cache, which keeps it for {} s", left.as_secs()));
            return Ok(Flow::FromCache);
        }
        for name in CONDITIONAL {
            at.context.request.fields.remove(name.as_bytes());
        }
        at.note(|| "not in the cache");
        Ok(Flow::Next)
    }
}

/// `Cache-Control` for clients (unverified word for word).
fn tell_clients(response: &mut Response, downstream: Option<(&'static str, bool)>, left: Duration) {
    let value = match downstream {
        None => "no-store, must-revalidate, no-cache".to_owned(),
        Some((kind, true)) => format!("{kind}, must-revalidate, max-age={}", left.as_secs()),
        Some((kind, false)) => format!("{kind}, max-age={}", left.as_secs()),
    };
    let _ = response.head.fields.set(b"Cache-Control", value.as_bytes());
}

/// A policy that keeps the response: `cache-store`, or a store of the semantic caches.
#[derive(Debug)]
pub(super) struct Store<P> {
    duration: Setting<u32>,
    cache_response: Option<Setting<bool>>,
    place: P,
}

/// Where a response is kept.
pub(super) trait Place: fmt::Debug + Send + Sync {
    /// Whether the request was looked up there, so that its response may be kept.
    fn is_known(&self, context: &Context) -> bool;

    /// Takes the place from the request: how the response is kept in it, and what clients are told.
    fn take(&self, context: &mut Context, entry: Cached, life: Duration) -> Option<Output>;
}

impl<P: Place> Store<P> {
    pub(super) fn read(element: &Element, compiler: &mut Compiler<'_>, place: P) -> Self {
        let cache_response = element.attribute("cache-response").is_some();
        Self {
            duration: compiler.number(element, "duration", 0),
            cache_response: cache_response.then(|| compiler.boolean(element, "cache-response", true)),
            place,
        }
    }

    fn keep(&self, at: &mut At<'_>, body: Bytes) -> Ran {
        let life = Duration::from_secs(at.number(&self.duration)?.into());
        let Some(response) = &at.context.response else { return Ok(Flow::Next) };
        let bytes = body.len() + 512;
        let kept = Response { head: response.head.clone(), body: Body::Replace(body) };
        let entry = Cached { content: CachedContent::Response(Arc::new(kept)), bytes };
        let Some(output) = self.place.take(at.context, entry, life) else { return Ok(Flow::Next) };
        at.note(|| format!("response stored for {} s", life.as_secs()));
        Ok(Flow::Await(output))
    }
}

impl<P: Place> Step for Store<P> {
    fn run(&self, at: &mut At<'_>) -> Ran {
        at.number(&self.duration)?;
        let wanted = self.cache_response.as_ref().map(|setting| at.boolean(setting)).transpose()?;
        let status = at.context.response.as_ref().map(|response| response.head.status);
        if !wanted.unwrap_or(status == Some(200)) || !self.place.is_known(at.context) {
            at.note(|| "the response is not for the cache");
            return Ok(Flow::Next);
        }
        match at.context.response.as_ref().map(|response| &response.body) {
            Some(Body::Replace(bytes)) if bytes.len() <= RESPONSE_BYTES_MAX => {
                let bytes = bytes.clone();
                self.keep(at, bytes)
            }
            Some(Body::Keep) if !is_declared_too_large(at.context) => Ok(Flow::Await(Output::ReadBody {
                side: Side::Response,
                bytes_max: RESPONSE_BYTES_MAX,
                form: BodyForm::AsReceived,
            })),
            _ => {
                at.note(|| "the response is too large for the cache");
                Ok(Flow::Next)
            }
        }
    }

    fn resume(&self, at: &mut At<'_>, answer: Input) -> Ran {
        match answer {
            Input::Body(bytes) => self.keep(at, bytes),
            Input::BodyFailed(_) => {
                at.note(|| "the response could not be read for the cache");
                Ok(Flow::Next)
            }
            other => Ok(stored(&other)),
        }
    }
}

/// Under the key that `cache-lookup` made.
#[derive(Debug)]
struct ByKey;

fn compile_store(element: &Element, compiler: &mut Compiler<'_>) -> Option<Parts> {
    Parts::leaf(Store::read(element, compiler, ByKey))
}

impl Place for ByKey {
    fn is_known(&self, context: &Context) -> bool {
        context.cache_key.is_some()
    }

    fn take(&self, context: &mut Context, entry: Cached, life: Duration) -> Option<Output> {
        let CacheKey { key, downstream } = context.cache_key.take()?;
        tell_clients(context.response.as_mut()?, downstream, life);
        Some(Output::CacheSet { key, entry, life })
    }
}

fn is_declared_too_large(context: &Context) -> bool {
    let fields = context.response.as_ref().map(|response| &response.head.fields);
    let length =
        fields.and_then(|fields| fields.get_str("content-length")).and_then(|text| text.parse().ok());
    length.is_some_and(|length: usize| length > RESPONSE_BYTES_MAX)
}
