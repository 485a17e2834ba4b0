//! `set-backend-service`: where the request goes (specification 5.5). A backend id goes before a base URL,
//! whichever came first.

use super::Policy;
use crate::compile::{Compiler, Parts};
use crate::machine::step::{At, Flow, Step};
use crate::schema::{AttributeSchema, Content, ElementSchema, Kind};
use crate::tree::Element;
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
    BaseUrl(Arc<str>),
    BackendId(Arc<str>),
}

fn compile(element: &Element, compiler: &mut Compiler<'_>) -> Option<Parts> {
    match (element.get("base-url"), element.get("backend-id")) {
        (Some(url), None) if is_http_url(url) => Parts::leaf(SetBackendService::BaseUrl(url.trim().into())),
        (Some(url), None) => {
            compiler.refuse(
                element,
                format!("The value '{url}' of the attribute 'base-url' is not an absolute http or https URL"),
            );
            None
        }
        (None, Some(id)) if (compiler.options.backend_exists)(id) => {
            Parts::leaf(SetBackendService::BackendId(id.into()))
        }
        (None, Some(id)) => {
            compiler.refuse(element, format!("Backend with id '{id}' could not be found."));
            None
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
    fn run(&self, at: &mut At<'_>) -> Flow {
        match self {
            Self::BaseUrl(url) => {
                at.context.backend.base_url = Some(Arc::clone(url));
                at.note(|| format!("backend base URL set to '{url}'"));
            }
            Self::BackendId(id) => {
                at.context.backend.backend_id = Some(Arc::clone(id));
                at.note(|| format!("backend set to '{id}'"));
            }
        }
        Flow::Next
    }
}
