//! Parameters and headers against the contract of an operation, for `validate-parameters` and
//! `validate-headers`: the rows of the table of specification 5.3 that begin with "params" and "headers".

use super::{Action, Finding, INTERNAL};
use handfast_openapi::contract::{ParameterRule, Rule};
use handfast_openapi::description::Location;
use handfast_openapi::json::Json;
use handfast_openapi::parameter::{takes_many, value};
use handfast_openapi::schema::{JsonSchema, Options, Violation};

/// What is being looked at, in the words of the messages.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Words {
    /// The `Type` of findings.
    pub(crate) of: &'static str,
    /// In the middle of a sentence.
    kind: &'static str,
    /// At its beginning.
    kind_first: &'static str,
    response: bool,
}

pub(crate) static RESPONSE_HEADER: Words =
    Words { of: "ResponseHeader", kind: "header", kind_first: "Header", response: true };
static REQUEST_HEADER: Words =
    Words { of: "RequestHeader", kind: "header", kind_first: "Header", response: false };
static QUERY: Words =
    Words { of: "QueryParameter", kind: "query parameter", kind_first: "Query parameter", response: false };
static PATH: Words =
    Words { of: "PathParameter", kind: "path parameter", kind_first: "Path parameter", response: false };

/// The words for a place of parameters.
pub(crate) fn words(location: Location) -> &'static Words {
    match location {
        Location::Path => &PATH,
        Location::Query => &QUERY,
        Location::Header => &REQUEST_HEADER,
    }
}

impl Words {
    fn finding(
        &self,
        name: &str,
        rule: &'static str,
        details: String,
        public: String,
        action: Action,
    ) -> Finding {
        let public = if self.response { INTERNAL.to_owned() } else { public };
        Finding { name: name.to_owned(), of: self.of, rule, details, public, action }
    }

    /// A name that the contract does not know.
    pub(crate) fn unspecified(&self, name: &str, action: Action) -> Finding {
        let details = format!("Unspecified {} {name} is not allowed.", self.kind);
        self.finding(name, "Unspecified", details.clone(), details, action)
    }

    /// One that must be there and is not (the row is of our own, no source has one).
    fn missing(&self, name: &str, action: Action) -> Finding {
        let why = format!("\n\nRequired properties are missing from object: {name}. Line: 0, Position: 0");
        let details = format!("Value of the {} {name} does not conform to the definition.{why}", self.kind);
        let public =
            format!("The value of the {} {name} does not conform to the definition.{why}", self.kind);
        self.finding(name, "IncorrectMessage", details, public, action)
    }

    fn several(&self, name: &str, action: Action) -> Finding {
        let message = if self.response { "Response" } else { "Request" };
        let details = format!("{message} cannot contain multiple values for the {} {name}.", self.kind);
        self.finding(name, "IncorrectMessage", details.clone(), details, action)
    }

    fn misfit(&self, name: &str, violation: &Violation, action: Action) -> Finding {
        let why = shown(violation);
        let details =
            format!("Value of the {} {name} does not conform to the definition.\n\n{why}", self.kind);
        let public =
            format!("The value of the {} {name} does not conform to the definition.\n\n{why}", self.kind);
        self.finding(name, "IncorrectMessage", details, public, action)
    }

    fn unreadable(&self, name: &str, why: &str, action: Action) -> Finding {
        if self.response {
            let details =
                format!("Value of the {} {name} couldn't be parsed according to the definition.", self.kind);
            return self.finding(name, "IncorrectMessage", details, String::new(), action);
        }
        let details = format!(
            "Value of the {} {name} cannot be parsed according to the definition. \n\n{why}",
            self.kind
        );
        let public = format!(
            "Value of the {} {name} couldn't be parsed according to the definition. \n\n{why}",
            self.kind
        );
        self.finding(name, "IncorrectMessage", details, public, action)
    }

    fn unjudged(&self, name: &str, why: &str, action: Action) -> Finding {
        let details = format!("{} {name} cannot be validated.\n\n{why}", self.kind_first);
        self.finding(name, "ValidationError", details, INTERNAL.to_owned(), action)
    }

    /// A declared parameter with the values that were sent.
    pub(crate) fn judge(&self, rule: &ParameterRule, values: &[&str], action: Action) -> Vec<Finding> {
        let name = rule.name.as_str();
        if values.is_empty() {
            return if rule.required { vec![self.missing(name, action)] } else { Vec::new() };
        }
        let schema = match &rule.rule {
            Rule::Json(schema) => Some(schema),
            Rule::None => None,
            Rule::MissingDefinition => {
                let details = format!(
                    "API's schema does not contain definition {}, which is associated with the {} {name}.",
                    rule.definition, self.kind
                );
                return vec![self.finding(name, "MissingDefinition", details, INTERNAL.to_owned(), action)];
            }
            Rule::NoDocument => {
                return vec![Finding::no_schema(
                    "API's schema doesn't exist or it couldn't be resolved.",
                    action,
                )];
            }
            Rule::NoDefinitions => {
                return vec![Finding::no_schema("API schema does not specify definitions.", action)];
            }
            Rule::Unusable(why) => return vec![self.unjudged(name, why, action)],
            Rule::Xml(_) => {
                let why = "its definition is an XML schema; a JSON schema would be accepted";
                return vec![self.unjudged(name, why, action)];
            }
        };
        if values.len() > 1 && !schema.is_some_and(takes_many) {
            return vec![self.several(name, action)];
        }
        schema.map(|schema| self.against(schema, name, values, action)).unwrap_or_default()
    }

    fn against(&self, schema: &JsonSchema, name: &str, values: &[&str], action: Action) -> Vec<Finding> {
        let value: Json = match value(schema, values) {
            Ok(value) => value,
            Err(error) => return vec![self.unreadable(name, &error.to_string(), action)],
        };
        match schema.check(&value, &Options::default()) {
            Ok(violations) => violations.iter().map(|one| self.misfit(name, one, action)).collect(),
            Err(unjudged) => vec![self.unjudged(name, &unjudged.to_string(), action)],
        }
    }
}

/// `{message} Line: {l}, Position: {p}`.
pub(crate) fn shown(violation: &Violation) -> String {
    let Violation { message, place } = violation;
    format!("{message} Line: {}, Position: {}", place.line, place.position)
}
