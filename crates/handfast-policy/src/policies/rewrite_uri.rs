//! `rewrite-uri`: another path and query towards the backend (specification 5.8). The original URL stays.

use super::set_query_parameter::{name_is, pairs, percent_encode, push_pair};
use super::{Policy, read};
use crate::compile::{Compiler, Parts};
use crate::context::Context;
use crate::failure::Failure;
use crate::machine::step::{At, Flow, Step};
use crate::schema::{AttributeSchema, Content, ElementSchema, Kind};
use crate::tree::Element;

static SCHEMA: ElementSchema = ElementSchema {
    attributes: &[
        AttributeSchema::new("template", Kind::Name).required(),
        AttributeSchema::new("copy-unmatched-params", Kind::Boolean),
    ],
    content: Content::Empty,
};

pub(crate) static POLICY: Policy = Policy { name: "rewrite-uri", schema: &SCHEMA, compile };

#[derive(Debug)]
struct RewriteUri {
    pieces: Vec<Piece>,
    copy_unmatched: bool,
}

#[derive(Debug)]
enum Piece {
    Literal(String),
    Parameter(String),
}

fn compile(element: &Element, compiler: &mut Compiler<'_>) -> Option<Parts> {
    let template = read::text(element, "template").trim();
    if template.bytes().any(|byte| byte <= b' ' || byte == 0x7f || byte == b'#') {
        compiler.refuse(
            element,
            format!(
                "The value '{template}' of the attribute 'template' is not a path with an optional query"
            ),
        );
        return None;
    }
    let copy_unmatched = read::boolean(element, "copy-unmatched-params", true);
    Parts::leaf(RewriteUri { pieces: pieces(template), copy_unmatched })
}

/// Splits a template at its `{name}` parameters; a brace without its partner is literal.
fn pieces(template: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut literal = if template.starts_with('/') { String::new() } else { "/".to_owned() };
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        literal.push_str(before);
        let Some((name, tail)) = after.split_once('}') else {
            literal.push('{');
            rest = after;
            continue;
        };
        pieces.push(Piece::Literal(std::mem::take(&mut literal)));
        pieces.push(Piece::Parameter(name.to_owned()));
        rest = tail;
    }
    literal.push_str(rest);
    pieces.push(Piece::Literal(literal));
    pieces
}

impl RewriteUri {
    /// The template with its parameters filled in; `Err` is an unknown name.
    fn filled(&self, context: &Context) -> Result<String, &str> {
        let mut out = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Literal(text) => out.push_str(text),
                Piece::Parameter(name) => {
                    let value = context.matched_parameters.iter().find(|(known, _)| known == name);
                    let (_, value) = value.ok_or(name.as_str())?;
                    percent_encode(value, &mut out);
                }
            }
        }
        Ok(out)
    }
}

impl Step for RewriteUri {
    fn run(&self, at: &mut At<'_>) -> Flow {
        let filled = match self.filled(at.context) {
            Ok(filled) => filled,
            Err(name) => {
                let message = format!("The template parameter '{name}' is not a parameter of the operation.");
                return Flow::fail(Failure::internal("TemplateParameterNotFound", message));
            }
        };
        let (path, own) = filled.split_once('?').unwrap_or((&filled, ""));
        let mut query = own.to_owned();
        if self.copy_unmatched {
            let known = |name: &str| {
                at.context.template_query_names.iter().any(|known| name_is(name, known))
                    || pairs(own).any(|(own, _)| own.eq_ignore_ascii_case(name))
            };
            let received = at.context.request.target.query().unwrap_or_default();
            for (_, pair) in pairs(received).filter(|(name, _)| !known(name)) {
                push_pair(pair, &mut query);
            }
        }
        let target = &mut at.context.request.target;
        target.assign(path);
        target.set_query((!query.is_empty()).then_some(&query));
        at.note(|| format!("URL rewritten to '{filled}'"));
        Flow::Next
    }
}
