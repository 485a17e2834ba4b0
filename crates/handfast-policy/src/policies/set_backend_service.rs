//! `set-backend-service`: where the request goes (specification 5.5). A backend id goes before a base URL,
//! whichever came first.

use super::Policy;
use super::dapr::{segment, sidecar};
use crate::compile::{Compiler, Parts};
use crate::context::Context;
use crate::machine::evaluate::unfit;
use crate::machine::step::{At, Flow, Ran, Step};
use crate::schema::{AttributeSchema, Content, ElementSchema, Kind};
use crate::setting::{Setting, Text};
use crate::tree::Element;
use handfast_expression::Value;
use std::sync::Arc;

static SCHEMA: ElementSchema = ElementSchema {
    attributes: &[
        AttributeSchema::new("base-url", Kind::Name),
        AttributeSchema::new("backend-id", Kind::Name),
        AttributeSchema::new("dapr-app-id", Kind::Name),
        AttributeSchema::new("dapr-method", Kind::Name),
        AttributeSchema::new("dapr-namespace", Kind::Name),
    ],
    content: Content::Empty,
};

pub(crate) static POLICY: Policy = Policy { name: "set-backend-service", schema: &SCHEMA, compile };

#[derive(Debug)]
enum SetBackendService {
    BaseUrl(Setting<Arc<str>>),
    BackendId(Setting<Arc<str>>),
    Dapr { app: Text, method: Text, namespace: Option<Text> },
}

/// The backend id that stands for the Dapr sidecar.
const DAPR: &str = "dapr";

fn compile_dapr(element: &Element, compiler: &mut Compiler<'_>) -> Option<Parts> {
    let app = compiler.optional_text(element, "dapr-app-id");
    let method = compiler.optional_text(element, "dapr-method");
    let namespace = compiler.optional_text(element, "dapr-namespace");
    let (Some(app), Some(method)) = (app, method) else {
        let text = "The attributes 'dapr-app-id' and 'dapr-method' are required with the backend 'dapr'";
        compiler.refuse(element, text);
        return None;
    };
    Parts::leaf(SetBackendService::Dapr { app, method, namespace })
}

fn compile(element: &Element, compiler: &mut Compiler<'_>) -> Option<Parts> {
    let is_dapr = element.get("backend-id") == Some(DAPR) && element.attribute("base-url").is_none();
    let about_dapr = ["dapr-app-id", "dapr-method", "dapr-namespace"];
    let named = about_dapr.into_iter().find(|name| element.attribute(name).is_some());
    match named {
        Some(name) if !is_dapr => {
            let text =
                format!("The attribute '{name}' is accepted with the attribute 'backend-id' of 'dapr' only");
            compiler.refuse(element, text);
            return None;
        }
        _ if is_dapr => return compile_dapr(element, compiler),
        _ => {}
    }
    let url = compiler.optional_text(element, "base-url");
    let id = compiler.optional_text(element, "backend-id");
    match (url, id) {
        (Some(Setting::Literal(url)), None) if !is_http_url(&url) => {
            compiler.refuse(
                element,
                format!("The value '{url}' of the attribute 'base-url' is not an absolute http or https URL"),
            );
            None
        }
        (Some(url), None) => Parts::leaf(SetBackendService::BaseUrl(url.map(|url| url.trim().into()))),
        (None, Some(id)) => {
            check_backend(element, &id, compiler)?;
            Parts::leaf(SetBackendService::BackendId(id.map(Into::into)))
        }
        (Some(_), Some(_)) => {
            compiler.refuse(element, "The attributes 'base-url' and 'backend-id' exclude each other");
            None
        }
        (None, None) => {
            compiler.refuse(element, "One of the attributes 'base-url' and 'backend-id' is required");
            None
        }
    }
}

/// Whether a backend that is named outright exists; reports that it does not.
pub(crate) fn check_backend(element: &Element, id: &Text, compiler: &mut Compiler<'_>) -> Option<()> {
    let Some(id) = id.literal().filter(|id| !(compiler.options.backend_exists)(id)) else { return Some(()) };
    compiler.refuse(element, format!("Backend with id '{id}' could not be found."));
    None
}

/// Whether the text is an absolute URL with a host and without query, fragment and blanks.
pub(crate) fn is_http_url(text: &str) -> bool {
    let text = text.trim();
    let rest = ["http://", "https://"].into_iter().find_map(|scheme| {
        let start = text.get(..scheme.len())?;
        start.eq_ignore_ascii_case(scheme).then(|| &text[scheme.len()..])
    });
    rest.is_some_and(|rest| {
        !rest.is_empty()
            && !rest.starts_with('/')
            && rest
                .bytes()
                .all(|byte| byte > b' ' && byte != 0x7f && !matches!(byte, b'?' | b'#' | b'@' | b'\\'))
    })
}

/// The sidecar's URL of a method (Dapr "Service invocation" API reference). It is the whole URL: the request's path is
/// not appended, its query is (unverified).
fn invocation(context: &Context, (app, namespace): (&str, Option<&str>), method: &str) -> String {
    let namespace = namespace.map(|name| format!(".{}", segment(name))).unwrap_or_default();
    let method: Vec<String> = method.trim_matches('/').split('/').map(segment).collect();
    format!("{}/v1.0/invoke/{}{namespace}/method/{}", sidecar(context), segment(app), method.join("/"))
}

impl Step for SetBackendService {
    fn run(&self, at: &mut At<'_>) -> Ran {
        match self {
            Self::BaseUrl(url) => {
                let url = at.shared_text(url)?;
                if !is_http_url(&url) {
                    return Err(unfit(&Value::Str(url), "an absolute http or https URL"));
                }
                at.note(|| format!("backend base URL set to '{url}'"));
                at.context.backend.base_url = Some(url);
            }
            Self::BackendId(id) => {
                let id = at.shared_text(id)?;
                at.note(|| format!("backend set to '{id}'"));
                at.context.backend.backend_id = Some(id);
            }
            Self::Dapr { app, method, namespace } => {
                let (app, method) = (at.text(app)?, at.text(method)?);
                let namespace = at.optional_text(namespace.as_ref())?;
                let url = invocation(at.context, (&app, namespace.as_deref()), &method);
                at.note(|| format!("backend set to '{url}'"));
                at.context.backend.base_url = Some(url.into());
                at.context.backend.backend_id = None;
                at.context.request.target.set_path("/");
            }
        }
        Ok(Flow::Next)
    }
}
