//! A body against the schema that a rule or the operation has for it.

use super::read::{ContentRule, Form};
use super::{Action, Finding, INTERNAL, Side, kind, shown};
use handfast_openapi::contract::{BodyRule, Rule};
use handfast_openapi::json::Json;
use handfast_openapi::schema::Violation;
use handfast_openapi::xsd::SoapVersion;

/// What is being judged.
pub(super) struct About<'a> {
    pub(super) side: Side,
    pub(super) content_type: &'a str,
    pub(super) action: Action,
}

impl ContentRule {
    /// Judges a body by the rule's own schema, else by that of the representation.
    pub(super) fn judge(
        &self,
        about: &About<'_>,
        representation: Option<&BodyRule>,
        text: &str,
    ) -> Vec<Finding> {
        let (definition, rule) = match (&self.own, representation) {
            (Some((name, rule)), _) => (name.as_str(), rule),
            (None, Some(body)) => (body.definition.as_str(), &body.rule),
            (None, None) => return vec![Finding::no_schema(NOT_THERE, about.action)],
        };
        let judged = match (rule, self.form) {
            (Rule::Json(schema), Form::Json) => match Json::parse(text) {
                Ok(value) => schema.check(&value, &self.options).map_err(|error| error.to_string()),
                Err(error) => Err(error.to_string()),
            },
            (Rule::Xml(schema), Form::Xml) => {
                schema.check(text, self.options.violations_max).map_err(|error| error.to_string())
            }
            (Rule::Xml(schema), Form::Soap) => match SoapVersion::of_media_type(about.content_type) {
                Some(version) => {
                    let checked = schema.check_soap(text, version, self.options.violations_max);
                    checked.map_err(|error| error.to_string())
                }
                None => Err("SOAP messages are 'text/xml' or 'application/soap+xml'.".to_owned()),
            },
            (Rule::None | Rule::NoDocument, _) => return vec![Finding::no_schema(NOT_THERE, about.action)],
            (Rule::NoDefinitions, _) => {
                return vec![Finding::no_schema("API's schema does not specify definitions.", about.action)];
            }
            (Rule::MissingDefinition, _) => return vec![about.missing(definition)],
            (Rule::Unusable(why), _) => Err(why.clone()),
            (Rule::Json(_), _) => Err("The schema is a JSON schema.".to_owned()),
            (Rule::Xml(_), Form::Json) => Err("The schema is an XML schema.".to_owned()),
        };
        match judged {
            Ok(violations) => violations.iter().map(|one| about.misfit(definition, one)).collect(),
            Err(why) => vec![unjudged(about.side, about.content_type, &why, about.action)],
        }
    }
}

const NOT_THERE: &str = "API's schema does not exist or it could not be resolved.";

fn whose(side: Side) -> &'static str {
    match side {
        Side::Request => "request",
        Side::Response => "response",
    }
}

/// A body that could not be judged.
pub(super) fn unjudged(side: Side, content_type: &str, why: &str, action: Action) -> Finding {
    let whose = whose(side);
    Finding {
        name: String::new(),
        of: kind(side),
        rule: "ValidationException",
        details: format!(
            "Body of the {whose} cannot be validated for the content type {content_type}.\n\n{why}"
        ),
        public: INTERNAL.to_owned(),
        action,
    }
}

impl About<'_> {
    fn missing(&self, definition: &str) -> Finding {
        let details = format!(
            "API's schema does not contain definition {definition}, which is associated with the content type {}.",
            self.content_type
        );
        Finding {
            name: self.content_type.to_owned(),
            of: kind(self.side),
            rule: "MissingDefinition",
            details,
            public: INTERNAL.to_owned(),
            action: self.action,
        }
    }

    fn misfit(&self, definition: &str, violation: &Violation) -> Finding {
        // A schema that stands in place has no name.
        let named = match definition {
            "" => String::new(),
            name => format!(" {name},"),
        };
        let details = format!(
            "Body of the {} does not conform to the definition{named} which is associated with the content type {}.\n\n{}",
            whose(self.side),
            self.content_type,
            shown(violation)
        );
        Finding {
            name: self.content_type.to_owned(),
            of: kind(self.side),
            rule: "IncorrectMessage",
            public: if self.side == Side::Request { details.clone() } else { INTERNAL.to_owned() },
            details,
            action: self.action,
        }
    }
}
