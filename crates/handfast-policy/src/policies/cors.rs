//! `cors`: answers preflights and marks cross-origin responses (specification 3.5, 5.7).
//!
//! It takes part at three places: before the sections run for a preflight, before the host refuses a request,
//! and as an ordinary inbound policy.

use super::{Policy, read};
use crate::compile::{Compiler, Parts};
use crate::context::{Body, Context, Response};
use crate::machine::step::{At, Flow, Halt, Ran, Step};
use crate::schema::{AttributeSchema, Content, ElementSchema, Kind, Particle, TEXT};
use crate::setting::{Setting, Text};
use crate::tree::Element;
use bytes::Bytes;
use handfast_core::message::{Method, ResponseHead};
use std::sync::Arc;

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

/// One policy: its rules, or the settings that give them per request.
#[derive(Debug)]
pub(crate) enum Cors {
    Known(Arc<Rules>),
    Made(Box<Settings>),
}

/// The policy as written.
#[derive(Debug)]
pub(crate) struct Settings {
    credentials: Setting<bool>,
    terminate_unmatched: Setting<bool>,
    origins: Vec<Text>,
    methods: Vec<Text>,
    headers: Vec<Text>,
    exposed: Option<Vec<Text>>,
    max_age_s: Setting<u32>,
}

/// What holds for a request.
#[derive(Debug)]
pub(crate) struct Rules {
    credentials: bool,
    terminate_unmatched: bool,
    /// Normalised; empty with `any_origin`.
    origins: Vec<String>,
    any_origin: bool,
    methods: List,
    headers: List,
    exposed: Option<String>,
    max_age_s: u32,
}

/// A list of names in which `*` stands for all.
#[derive(Debug)]
struct List {
    any: bool,
    names: Vec<String>,
    joined: String,
}

impl List {
    fn new<S: AsRef<str>>(names: &[S]) -> Self {
        let names: Vec<String> = names.iter().map(|name| name.as_ref().trim().to_owned()).collect();
        Self { any: names.iter().any(|name| name == "*"), joined: names.join(","), names }
    }

    fn allows(&self, name: &str) -> bool {
        self.any || self.names.iter().any(|known| known.eq_ignore_ascii_case(name))
    }
}

fn compile(element: &Element, compiler: &mut Compiler<'_>) -> Option<Parts> {
    let settings = Settings::read(element, compiler);
    for origin in settings.origins.iter().filter_map(Setting::literal) {
        if &**origin != "*" && normalise(origin).is_none() {
            compiler.refuse(
                element,
                format!("The value '{origin}' is not an origin such as https://example.com"),
            );
            return None;
        }
    }
    Parts::leaf(match settings.known() {
        Some(rules) => Cors::Known(Arc::new(rules)),
        None => Cors::Made(Box::new(settings)),
    })
}

impl Settings {
    fn read(element: &Element, compiler: &mut Compiler<'_>) -> Self {
        let list = |compiler: &mut Compiler<'_>, name: &str, item: &str| {
            let list = element.child(name)?;
            Some(list.named(item).map(|item| compiler.content(item)).collect::<Vec<_>>())
        };
        let absent = || ["GET", "POST"].map(|name| Setting::Literal(name.into())).into();
        Self {
            credentials: compiler.boolean(element, "allow-credentials", false),
            terminate_unmatched: compiler.boolean(element, "terminate-unmatched-request", true),
            origins: list(compiler, "allowed-origins", "origin").unwrap_or_default(),
            methods: list(compiler, "allowed-methods", "method").unwrap_or_else(absent),
            headers: list(compiler, "allowed-headers", "header").unwrap_or_default(),
            exposed: list(compiler, "expose-headers", "header"),
            max_age_s: match element.child("allowed-methods") {
                Some(methods) => compiler.number(methods, "preflight-result-max-age", 0),
                None => Setting::default(),
            },
        }
    }

    /// The rules, when nothing depends on the request.
    fn known(&self) -> Option<Rules> {
        let texts = |list: &[Text]| {
            list.iter().map(|text| Some(text.literal()?.to_string())).collect::<Option<Vec<_>>>()
        };
        let origins = texts(&self.origins)?;
        Some(Rules {
            credentials: *self.credentials.literal()?,
            terminate_unmatched: *self.terminate_unmatched.literal()?,
            any_origin: origins.iter().any(|origin| origin == "*"),
            origins: origins.iter().filter_map(|origin| normalise(origin)).collect(),
            methods: List::new(&texts(&self.methods)?),
            headers: List::new(&texts(&self.headers)?),
            exposed: match &self.exposed {
                Some(names) => Some(List::new(&texts(names)?).joined),
                None => None,
            },
            max_age_s: *self.max_age_s.literal()?,
        })
    }

    /// The rules for the request. An origin that is none matches nothing.
    fn make(&self, at: &mut At<'_>) -> Result<Rules, Halt> {
        let origins = at.texts(&self.origins)?;
        Ok(Rules {
            credentials: at.boolean(&self.credentials)?,
            terminate_unmatched: at.boolean(&self.terminate_unmatched)?,
            any_origin: origins.iter().any(|origin| origin.trim() == "*"),
            origins: origins.iter().filter_map(|origin| normalise(origin)).collect(),
            methods: List::new(&at.texts(&self.methods)?),
            headers: List::new(&at.texts(&self.headers)?),
            exposed: match &self.exposed {
                Some(names) => Some(List::new(&at.texts(names)?).joined),
                None => None,
            },
            max_age_s: at.number(&self.max_age_s)?,
        })
    }
}

impl Cors {
    /// What holds for the request.
    fn rules(&self, at: &mut At<'_>) -> Result<Arc<Rules>, Halt> {
        match self {
            Self::Known(rules) => Ok(Arc::clone(rules)),
            Self::Made(settings) => settings.make(at).map(Arc::new),
        }
    }
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

impl Rules {
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
        if self.max_age_s > 0 {
            set("Access-Control-Max-Age", &self.max_age_s.to_string());
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
        let rules = self.rules(at)?;
        if rules.allows_origin(&origin) {
            rules.record(&origin, at.context);
            at.note(|| format!("Origin '{origin}' matched."));
            return Ok(Flow::Next);
        }
        at.note(|| format!("Origin '{origin}' did not match."));
        let simple = matches!(at.context.request.method, Method::Get | Method::Head);
        if rules.terminate_unmatched && simple {
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

/// What one `cors` policy says to a request that is not run through the sections.
pub(crate) enum Said {
    /// This is the answer to the preflight.
    Answer(ResponseHead),
    /// The next one is asked.
    Next,
    /// No other is asked.
    Stop,
}

impl Cors {
    /// The answer to a preflight.
    pub(crate) fn preflight(&self, at: &mut At<'_>) -> Result<Said, Halt> {
        let rules = self.rules(at)?;
        let fields = &at.context.request.fields;
        let asked = Preflight {
            origin: fields.get_str("Origin").unwrap_or_default(),
            method: fields.get_str("Access-Control-Request-Method").unwrap_or_default(),
            headers: fields.get_str("Access-Control-Request-Headers").unwrap_or_default(),
        };
        Ok(match rules.answer_preflight(&asked) {
            Some(head) => Said::Answer(head),
            None if rules.terminate_unmatched => Said::Stop,
            None => Said::Next,
        })
    }

    /// Marks the response of a request that the host refuses before inbound runs. `Vary` shows that the stage
    /// ran.
    pub(crate) fn mark_rejection(&self, at: &mut At<'_>) -> Result<Said, Halt> {
        let origin = at.context.request.fields.get_str("Origin").map(str::to_owned);
        at.context.vary_by_origin = true;
        let Some(origin) = origin else { return Ok(Said::Stop) };
        let rules = self.rules(at)?;
        if !rules.allows_origin(&origin) {
            return Ok(Said::Next);
        }
        rules.record(&origin, at.context);
        Ok(Said::Stop)
    }
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
