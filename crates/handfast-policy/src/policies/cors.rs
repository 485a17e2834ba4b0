//! `cors`: answers preflights and marks cross-origin responses (specification 3.5, 5.7).
//!
//! It takes part at three places: before the sections run for a preflight, before the host refuses a request,
//! and as an ordinary inbound policy.

use super::{Policy, read};
use crate::compile::{Compiler, Parts};
use crate::context::{Body, Context, Response};
use crate::machine::step::{At, Flow, Ran, Step};
use crate::plan::Plan;
use crate::schema::{AttributeSchema, Content, ElementSchema, Kind, Particle, TEXT};
use crate::section::Section;
use crate::tree::Element;
use bytes::Bytes;
use handfast_core::message::{Method, ResponseHead};

static ORIGINS: ElementSchema =
    ElementSchema { attributes: &[], content: Content::Sequence(&[Particle::some("origin", &TEXT)]) };
static METHODS: ElementSchema = ElementSchema {
    attributes: &[AttributeSchema::new("preflight-result-max-age", read::NUMBER)],
    content: Content::Sequence(&[Particle::some("method", &TEXT)]),
};
static HEADERS: ElementSchema =
    ElementSchema { attributes: &[], content: Content::Sequence(&[Particle::some("header", &TEXT)]) };

static SCHEMA: ElementSchema = ElementSchema {
    attributes: &[
        AttributeSchema::new("allow-credentials", Kind::Boolean),
        AttributeSchema::new("terminate-unmatched-request", Kind::Boolean),
    ],
    content: Content::Sequence(&[
        Particle::one("allowed-origins", &ORIGINS),
        Particle::optional("allowed-methods", &METHODS),
        Particle::optional("allowed-headers", &HEADERS),
        Particle::optional("expose-headers", &HEADERS),
    ]),
};

pub(crate) static POLICY: Policy = Policy { name: "cors", schema: &SCHEMA, compile };

/// Compiled rules.
#[derive(Debug)]
pub(crate) struct Cors {
    credentials: bool,
    terminate_unmatched: bool,
    /// Normalised; empty with `any_origin`.
    origins: Vec<String>,
    any_origin: bool,
    methods: List,
    headers: List,
    exposed: Option<String>,
    max_age: u32,
}

/// A list of names in which `*` stands for all.
#[derive(Debug)]
struct List {
    any: bool,
    names: Vec<String>,
    joined: String,
}

impl List {
    fn read(element: Option<&Element>, item: &str, absent: &[&str]) -> Self {
        let names: Vec<String> = match element {
            Some(element) => element.named(item).map(Element::trimmed_text).collect(),
            None => absent.iter().map(|name| (*name).to_owned()).collect(),
        };
        Self { any: names.iter().any(|name| name == "*"), joined: names.join(","), names }
    }

    fn allows(&self, name: &str) -> bool {
        self.any || self.names.iter().any(|known| known.eq_ignore_ascii_case(name))
    }
}

fn compile(element: &Element, compiler: &mut Compiler<'_>) -> Option<Parts> {
    let texts: Vec<String> = element
        .named("allowed-origins")
        .flat_map(|origins| origins.named("origin"))
        .map(Element::trimmed_text)
        .collect();
    let any_origin = texts.iter().any(|text| text == "*");
    let mut origins = Vec::new();
    for text in texts.iter().filter(|text| *text != "*") {
        let Some(origin) = normalise(text) else {
            compiler
                .refuse(element, format!("The value '{text}' is not an origin such as https://example.com"));
            return None;
        };
        origins.push(origin);
    }
    let exposed = element.child("expose-headers").map(|list| List::read(Some(list), "header", &[]).joined);
    Parts::leaf(Cors {
        credentials: read::boolean(element, "allow-credentials", false),
        terminate_unmatched: read::boolean(element, "terminate-unmatched-request", true),
        origins,
        any_origin,
        methods: List::read(element.child("allowed-methods"), "method", &["GET", "POST"]),
        headers: List::read(element.child("allowed-headers"), "header", &[]),
        exposed,
        max_age: element
            .child("allowed-methods")
            .and_then(|methods| read::number(methods, "preflight-result-max-age"))
            .unwrap_or(0),
    })
}

/// Scheme, host and port in one form: lower case, default port filled in, no trailing slash.
fn normalise(origin: &str) -> Option<String> {
    let origin = origin.trim().trim_end_matches('/').to_ascii_lowercase();
    let (scheme, authority) = origin.split_once("://")?;
    if authority.is_empty() || authority.contains(['/', '?', '#', '@', ' ', '*']) {
        return None;
    }
    let after_host = authority.rsplit(']').next().unwrap_or(authority);
    let default_port = match scheme {
        "http" => ":80",
        "https" => ":443",
        _ => "",
    };
    let port = if after_host.contains(':') { "" } else { default_port };
    Some(format!("{scheme}://{authority}{port}"))
}

impl Cors {
    fn allows_origin(&self, origin: &str) -> bool {
        self.any_origin || normalise(origin).is_some_and(|origin| self.origins.contains(&origin))
    }

    /// The value of `Access-Control-Allow-Origin`.
    fn echo<'o>(&self, origin: &'o str) -> &'o str {
        if self.any_origin && !self.credentials { "*" } else { origin }
    }

    /// Keeps the header lines of a matched cross-origin request for the response.
    fn record(&self, origin: &str, context: &mut Context) {
        context.record_field("Access-Control-Allow-Origin", self.echo(origin));
        if let Some(exposed) = &self.exposed {
            context.record_field("Access-Control-Expose-Headers", exposed);
        }
        if self.credentials {
            context.record_field("Access-Control-Allow-Credentials", "true");
        }
        context.vary_by_origin = true;
    }

    fn answer_preflight(&self, asked: &Preflight<'_>) -> Option<ResponseHead> {
        let matched = self.allows_origin(asked.origin)
            && self.methods.allows(asked.method)
            && asked.header_names().all(|name| self.headers.allows(name));
        if !matched {
            return None;
        }
        let mut head = ResponseHead::new(200);
        let mut set = |name: &str, value: &str| {
            let _ = head.fields.set(name.as_bytes(), value.as_bytes());
        };
        set("Access-Control-Allow-Origin", self.echo(asked.origin));
        set(
            "Access-Control-Allow-Methods",
            if self.methods.any { asked.method } else { &self.methods.joined },
        );
        let headers = if self.headers.any { asked.headers } else { &self.headers.joined };
        if !headers.is_empty() {
            set("Access-Control-Allow-Headers", headers);
        }
        if self.max_age > 0 {
            set("Access-Control-Max-Age", &self.max_age.to_string());
        }
        if self.credentials {
            set("Access-Control-Allow-Credentials", "true");
        }
        set("Vary", "Origin");
        Some(head)
    }
}

impl Step for Cors {
    fn run(&self, at: &mut At<'_>) -> Ran {
        let Some(origin) = at.context.request.fields.get_str("Origin").map(str::to_owned) else {
            at.note(
                || "Origin header was missing or empty and the request was classified as not cross-origin.",
            );
            return Ok(Flow::Next);
        };
        if self.allows_origin(&origin) {
            self.record(&origin, at.context);
            at.note(|| format!("Origin '{origin}' matched."));
            return Ok(Flow::Next);
        }
        at.note(|| format!("Origin '{origin}' did not match."));
        let simple = matches!(at.context.request.method, Method::Get | Method::Head);
        if self.terminate_unmatched && simple {
            at.context.response = Some(Response { body: Body::Replace(Bytes::new()), ..Response::default() });
            return Ok(Flow::Finish);
        }
        Ok(Flow::Next)
    }

    fn cors(&self) -> Option<&Cors> {
        Some(self)
    }
}

/// What a preflight asks for.
struct Preflight<'a> {
    origin: &'a str,
    method: &'a str,
    headers: &'a str,
}

impl Preflight<'_> {
    fn header_names(&self) -> impl Iterator<Item = &str> {
        self.headers.split(',').map(str::trim).filter(|name| !name.is_empty())
    }
}

/// The answer to a preflight by the `cors` policies directly in the inbound section; `None` when there is no
/// such policy.
pub(crate) fn preflight(plan: &Plan, context: &Context) -> Option<ResponseHead> {
    let fields = &context.request.fields;
    let asked = Preflight {
        origin: fields.get_str("Origin").unwrap_or_default(),
        method: fields.get_str("Access-Control-Request-Method").unwrap_or_default(),
        headers: fields.get_str("Access-Control-Request-Headers").unwrap_or_default(),
    };
    let mut any = false;
    for cors in direct(plan) {
        any = true;
        if let Some(head) = cors.answer_preflight(&asked) {
            return Some(head);
        }
        if cors.terminate_unmatched {
            break;
        }
    }
    any.then(ResponseHead::default)
}

/// Marks the response of a request that the host refuses before inbound runs. `Vary` shows that the stage ran.
pub(crate) fn record_for_rejection(plan: &Plan, context: &mut Context) {
    let origin = context.request.fields.get_str("Origin").map(str::to_owned);
    for cors in direct(plan) {
        context.vary_by_origin = true;
        if let Some(origin) = origin.as_deref().filter(|origin| cors.allows_origin(origin)) {
            cors.record(origin, context);
            return;
        }
    }
}

fn direct(plan: &Plan) -> impl Iterator<Item = &Cors> {
    plan.section(Section::Inbound).iter().filter_map(|node| node.step.cors())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_compare_after_normalisation() {
        assert_eq!(normalise("HTTPS://Example.com/"), normalise("https://example.com:443"));
        assert_eq!(normalise("http://[::1]"), Some("http://[::1]:80".to_owned()));
        assert_eq!(normalise("https://*.example.com"), None);
        assert_eq!(normalise("null"), None);
    }
}
