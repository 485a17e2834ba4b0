//! `redirect-content-urls`: the backend's base URL in a response's body becomes the gateway's URL of the API, and the
//! other way round in a request's (specification 5.8). Header lines are not touched.

use super::find_and_replace::replace_all;
use super::{Policy, whole_body};
use crate::compile::{Compiler, Parts};
use crate::context::Context;
use crate::machine::io::{Input, Side};
use crate::machine::step::{At, Flow, Ran, Step};
use crate::schema::{Content, ElementSchema};
use crate::tree::Element;
use bytes::Bytes;

/// The largest body that is edited.
const BODY_BYTES_MAX: usize = 8 * 1024 * 1024;

static SCHEMA: ElementSchema = ElementSchema { attributes: &[], content: Content::Empty };

pub(crate) static POLICY: Policy = Policy { name: "redirect-content-urls", schema: &SCHEMA, compile };

#[derive(Debug)]
struct RedirectContentUrls;

fn compile(_: &Element, _: &mut Compiler<'_>) -> Option<Parts> {
    Parts::leaf(RedirectContentUrls)
}

/// The backend's URL and the gateway's, without a slash at the end. Of a pool it is the member that answered; before
/// the request is forwarded, the first one.
fn urls(context: &Context) -> Option<(String, String)> {
    let api = context.api.as_ref()?;
    let named = || {
        let id = context.backend.backend_id.as_ref()?.to_lowercase();
        let known = &context.deployment.as_ref()?.backends;
        known.iter().find(|(name, _)| *name == id).map(|(_, url)| &**url)
    };
    let written = || context.backend.base_url.as_deref().or(api.service_url.as_deref());
    let backend = context.forwarded_to.as_deref().or_else(named).or_else(written)?;
    let (scheme, rest) = context.original_url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let gateway = format!("{scheme}://{authority}/{}", api.path);
    Some((backend.trim_end_matches('/').to_owned(), gateway.trim_end_matches('/').to_owned()))
}

fn edit(at: &mut At<'_>, body: &[u8]) -> Ran {
    let Some((backend, gateway)) = urls(at.context) else { return Ok(Flow::Next) };
    let (from, to) = match at.side() {
        Side::Response => (backend, gateway),
        Side::Request => (gateway, backend),
    };
    let (edited, count) = replace_all(body, from.as_bytes(), to.as_bytes());
    let edited = Bytes::from(edited);
    at.context.set_body(at.side(), edited);
    at.note(|| format!("{count} occurrences of '{from}' redirected to '{to}'"));
    Ok(Flow::Next)
}

impl Step for RedirectContentUrls {
    fn run(&self, at: &mut At<'_>) -> Ran {
        if urls(at.context).is_none() {
            at.note(|| "the API has no backend URL, nothing redirected");
            return Ok(Flow::Next);
        }
        match whole_body::at_hand(at, BODY_BYTES_MAX) {
            Ok(body) => edit(at, &body),
            Err(flow) => Ok(flow),
        }
    }

    fn resume(&self, at: &mut At<'_>, answer: Input) -> Ran {
        let body = whole_body::read(at, answer)?;
        edit(at, &body)
    }
}
