//! `rewrite-uri`: another path and query towards the backend (specification 5.8). The original URL stays.

use super::Policy;
use super::set_query_parameter::{name_is, pairs, percent_encode, push_pair};
use crate::compile::{Compiler, Parts};
use crate::context::Context;
use crate::failure::Failure;
use crate::machine::evaluate::unfit;
use crate::machine::step::{At, Flow, Halt, Ran, Step};
use crate::schema::{AttributeSchema, Content, ElementSchema, Kind};
use crate::setting::{Setting, Text};
use crate::tree::Element;
use handfast_expression::Value;

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
    template: Template,
    copy_unmatched: Setting<bool>,
}

#[derive(Debug)]
enum Template {
    Known(Vec<Piece>),
    Given(Text),
}

#[derive(Debug)]
enum Piece {
    Literal(String),
    Parameter(String),
}

fn compile(element: &Element, compiler: &mut Compiler<'_>) -> Option<Parts> {
    let template = match compiler.text(element, "template") {
        Setting::Literal(text) if !is_template(text.trim()) => {
            let text = text.trim();
            compiler.refuse(
                element,
                format!(
                    "The value '{text}' of the attribute 'template' is not a path with an optional query"
                ),
            );
            return None;
        }
        Setting::Literal(text) => Template::Known(pieces(text.trim())),
        expression => Template::Given(expression),
    };
    let copy_unmatched = compiler.boolean(element, "copy-unmatched-params", true);
    Parts::leaf(RewriteUri { template, copy_unmatched })
}

/// Whether a text can stand in a request line.
fn is_template(text: &str) -> bool {
    !text.bytes().any(|byte| byte <= b' ' || byte == 0x7f || byte == b'#')
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

/// The template with its parameters filled in; `Err` is an unknown name.
fn fill(pieces: &[Piece], context: &Context) -> Result<String, String> {
    let mut out = String::new();
    for piece in pieces {
        match piece {
            Piece::Literal(text) => out.push_str(text),
            Piece::Parameter(name) => {
                let value = context.matched_parameters.iter().find(|(known, _)| known == name);
                let (_, value) = value.ok_or_else(|| name.clone())?;
                percent_encode(value, &mut out);
            }
        }
    }
    Ok(out)
}

impl RewriteUri {
    fn filled(&self, at: &mut At<'_>) -> Result<String, Halt> {
        let filled = match &self.template {
            Template::Known(pieces) => fill(pieces, at.context),
            Template::Given(template) => {
                let template = at.text(template)?;
                if !is_template(template.trim()) {
                    return Err(unfit(&Value::str(&*template), "a path with an optional query"));
                }
                fill(&pieces(template.trim()), at.context)
            }
        };
        filled.map_err(|name| {
            let message = format!("The template parameter '{name}' is not a parameter of the operation.");
            Failure::internal("TemplateParameterNotFound", message).into()
        })
    }
}

impl Step for RewriteUri {
    fn run(&self, at: &mut At<'_>) -> Ran {
        let copy_unmatched = at.boolean(&self.copy_unmatched)?;
        let filled = self.filled(at)?;
        let (path, own) = filled.split_once('?').unwrap_or((&filled, ""));
        let mut query = own.to_owned();
        if copy_unmatched {
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
        Ok(Flow::Next)
    }
}
