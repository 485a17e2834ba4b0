//! The children of `validate-content`: which type a message counts as, and what is asked of each type.

use super::{At, Halt, media_type};
use crate::compile::Compiler;
use crate::policies::read;
use crate::setting::{Setting, Text};
use crate::tree::Element;
use handfast_openapi::contract::{Compiled, Rule};
use handfast_openapi::schema::Options;
use std::sync::Arc;

/// `content-type-map`: the type that a message counts as.
#[derive(Debug, Default)]
pub(super) struct TypeMap {
    any: Option<String>,
    missing: Option<String>,
    types: Vec<Mapped>,
}

/// `type`.
#[derive(Debug)]
struct Mapped {
    from: Option<String>,
    when: Option<Setting<bool>>,
    to: String,
}

impl TypeMap {
    pub(super) fn read(element: Option<&Element>, compiler: &mut Compiler<'_>) -> Self {
        let Some(element) = element else { return Self::default() };
        let text = |element: &Element, name: &str| {
            element.get(name).filter(|text| !text.is_empty()).map(str::to_owned)
        };
        let mut types = Vec::new();
        for child in element.named("type") {
            let from = text(child, "from");
            let when = child.attribute("when").map(|_| compiler.boolean(child, "when", false));
            if from.is_some() == when.is_some() {
                compiler.refuse(
                    child,
                    "The element 'type' takes either the attribute 'from' or the attribute 'when'.",
                );
            }
            types.push(Mapped { from, when, to: text(child, "to").unwrap_or_default() });
        }
        Self {
            any: text(element, "any-content-type-value"),
            missing: text(element, "missing-content-type-value"),
            types,
        }
    }

    /// The media type that the section's message counts as; the first entry that fits says it.
    pub(super) fn content_type(&self, at: &mut At<'_>) -> Result<String, Halt> {
        if let Some(any) = &self.any {
            return Ok(any.clone());
        }
        let fields = at.context.fields(at.side());
        let said =
            fields.and_then(|fields| fields.get_str("content-type")).map(media_type).unwrap_or_default();
        let said = said.to_owned();
        for mapped in &self.types {
            let fits = match &mapped.when {
                Some(when) => at.boolean(when)?,
                None => mapped.from.as_ref().is_some_and(|from| media_type(from).eq_ignore_ascii_case(&said)),
            };
            if fits {
                return Ok(mapped.to.clone());
            }
        }
        let missing = self.missing.clone().filter(|_| said.is_empty());
        Ok(missing.unwrap_or(said))
    }
}

/// How a body is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Json,
    Xml,
    Soap,
}

/// `content`: what is asked of a type.
#[derive(Debug)]
pub(super) struct ContentRule {
    /// Empty takes all types of the API's schema.
    pub(super) content_type: String,
    pub(super) form: Form,
    pub(super) action: Text,
    /// The service-level schema, by the name that messages give it.
    pub(super) own: Option<(String, Rule)>,
    pub(super) options: Options,
}

impl ContentRule {
    pub(super) fn read(element: &Element, compiler: &mut Compiler<'_>) -> Option<Self> {
        let form = match read::text(element, "validate-as") {
            "xml" => Form::Xml,
            "soap" => Form::Soap,
            _ => Form::Json,
        };
        let additional = element.attribute("allow-additional-properties");
        let options = Options {
            additional_properties: additional
                .map(|_| read::boolean(element, "allow-additional-properties", true)),
            ignore_case: read::boolean(element, "case-insensitive-property-names", false),
            ..Options::default()
        };
        let text = |name: &str| element.get(name).filter(|text| !text.is_empty());
        let own = match (text("schema-id"), text("schema-ref")) {
            (Some(id), reference) => Some(own(element, compiler, form, (id, reference))?),
            (None, Some(_)) => {
                compiler.refuse(element, "The attribute 'schema-ref' needs the attribute 'schema-id'.");
                return None;
            }
            (None, None) => None,
        };
        Some(Self {
            content_type: media_type(read::text(element, "type")).to_owned(),
            form,
            action: compiler.text(element, "action"),
            own,
            options,
        })
    }

    /// Whether the rule is about a type by name, or about all.
    pub(super) fn takes(&self, content_type: &str) -> bool {
        self.content_type.is_empty() || self.content_type.eq_ignore_ascii_case(content_type)
    }
}

/// A service-level schema, or the part of it that is referred to.
fn own(
    element: &Element,
    compiler: &mut Compiler<'_>,
    form: Form,
    (id, reference): (&str, Option<&str>),
) -> Option<(String, Rule)> {
    let Some(schema): Option<Arc<Compiled>> = (compiler.options.schema)(id) else {
        // The wording is unverified.
        compiler.refuse(element, format!("Schema with id '{id}' could not be found."));
        return None;
    };
    let name = reference.map_or_else(|| id.to_owned(), |reference| format!("{id}{reference}"));
    let rule = match (&*schema, form) {
        (Compiled::Json(document), Form::Json) => {
            match document.at(reference.unwrap_or("#"), &crate::patterns::compile) {
                Some(Ok(schema)) => Rule::Json(schema),
                Some(Err(problems)) => {
                    let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
                    compiler.refuse(
                        element,
                        format!("The schema '{id}' cannot be used: {}", problems.join("; ")),
                    );
                    return None;
                }
                None => {
                    let text = format!("The schema '{id}' has no '{}'.", reference.unwrap_or("#"));
                    compiler.refuse(element, text);
                    return None;
                }
            }
        }
        (Compiled::Xml(schema), Form::Xml | Form::Soap) if reference.is_none() => Rule::Xml(schema.clone()),
        (Compiled::Xml(_), Form::Xml | Form::Soap) => {
            compiler.refuse(element, "The attribute 'schema-ref' is for JSON schemas only.");
            return None;
        }
        (Compiled::Unusable(why), _) => {
            compiler.refuse(element, format!("The schema '{id}' cannot be used: {why}"));
            return None;
        }
        (Compiled::Json(_), _) => {
            compiler
                .refuse(element, format!("The schema '{id}' is a JSON schema; 'validate-as' must be json."));
            return None;
        }
        (Compiled::Xml(_), Form::Json) => {
            compiler.refuse(
                element,
                format!("The schema '{id}' is an XML schema; 'validate-as' must be xml or soap."),
            );
            return None;
        }
    };
    Some((name, rule))
}
