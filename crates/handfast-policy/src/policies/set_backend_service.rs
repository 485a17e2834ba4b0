//! `set-backend-service`: where the request goes (specification 5.5). A backend id goes before a base URL,
//! whichever came first.

use super::Policy;
use crate::compile::{Compiler, Parts};
use crate::machine::evaluate::unfit;
use crate::machine::step::{At, Flow, Ran, Step};
use crate::schema::{AttributeSchema, Content, ElementSchema, Kind};
use crate::setting::Setting;
use crate::tree::Element;
use handfast_expression::Value;
use std::sync::Arc;

static SCHEMA: ElementSchema = ElementSchema {
    attributes: &[
        AttributeSchema::new("base-url", Kind::Name),
        AttributeSchema::new("backend-id", Kind::Name),
    ],
    content: Content::Empty,
};

pub(crate) static POLICY: Policy = Policy { name: "set-backend-service", schema: &SCHEMA, compile };

#[derive(Debug)]
enum SetBackendService {
    BaseUrl(Setting<Arc<str>>),
    BackendId(Setting<Arc<str>>),
}

fn compile(element: &Element, compiler: &mut Compiler<'_>) -> Option<Parts> {
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
        (None, Some(Setting::Literal(id))) if !(compiler.options.backend_exists)(&id) => {
            compiler.refuse(element, format!("Backend with id '{id}' could not be found."));
            None
        }
        (None, Some(id)) => Parts::leaf(SetBackendService::BackendId(id.map(Into::into))),
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
        }
        Ok(Flow::Next)
    }
}
