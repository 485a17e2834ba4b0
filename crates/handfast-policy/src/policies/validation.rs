//! What the validating policies share: actions, findings, and how they become variables, traces and answers
//! (specification 5.3).

pub(crate) mod parameters;

use crate::compile::Compiler;
use crate::failure::Failure;
use crate::machine::evaluate::unfit;
use crate::machine::io::Side;
use crate::machine::step::{At, Flow, Halt, Ran};
use crate::schema::{AttributeSchema, Kind};
use crate::setting::Text;
use crate::tree::Element;
use handfast_expression::{Token, Value};
use handfast_openapi::contract::Contract;
use serde_json::json;
use std::sync::Arc;

/// The public text of everything that is not the client's to know.
pub(crate) const INTERNAL: &str =
    "The request could not be processed due to an internal error. Contact the API owner.";

/// The words of an action.
pub(crate) const ACTIONS: Kind = Kind::OneOf(&["ignore", "prevent", "detect"]);

/// An attribute that is an action.
pub(crate) const fn action(name: &'static str) -> AttributeSchema {
    AttributeSchema::new(name, ACTIONS)
}

/// What is done about a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Nothing is looked at.
    Ignore,
    /// It is told.
    Detect,
    /// It is told, and the message goes no further.
    Prevent,
}

impl Action {
    fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "ignore" => Self::Ignore,
            "detect" => Self::Detect,
            "prevent" => Self::Prevent,
            _ => return None,
        })
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Ignore => "ignore",
            Self::Detect => "detect",
            Self::Prevent => "prevent",
        }
    }
}

impl At<'_> {
    /// The action of a setting.
    pub(crate) fn action(&mut self, setting: &Text) -> Result<Action, Halt> {
        let word = self.text(setting)?;
        Action::parse(&word).ok_or_else(|| unfit(&Value::str(&*word), "ignore, prevent or detect"))
    }

    /// What the operation of the request promises.
    pub(crate) fn contract(&self) -> Option<Arc<Contract>> {
        self.context.operation.as_ref()?.contract.clone()
    }
}

/// An error of the table of specification 5.3.
#[derive(Debug)]
pub(crate) struct Finding {
    /// The content type, parameter, header or status; empty when it is about none.
    pub(crate) name: String,
    /// `RequestBody`, `QueryParameter` and so on.
    pub(crate) of: &'static str,
    /// The rule that is broken; empty when it is the schema itself.
    pub(crate) rule: &'static str,
    /// For who runs the API.
    pub(crate) details: String,
    /// For the client.
    pub(crate) public: String,
    pub(crate) action: Action,
}

impl Finding {
    /// The schema of the API is missing, or has nothing in it.
    pub(crate) fn no_schema(details: &str, action: Action) -> Self {
        Self {
            name: String::new(),
            of: "ApiSchema",
            rule: "",
            details: details.to_owned(),
            public: INTERNAL.to_owned(),
            action,
        }
    }
}

/// The variable that findings go to; the authoring library writes the attribute's name in two ways.
pub(crate) fn variable(element: &Element, compiler: &mut Compiler<'_>) -> Option<Arc<str>> {
    let of = |name: &str| element.get(name).filter(|value| !value.is_empty());
    if element.attribute("error-variable-name").is_some()
        && element.attribute("errors-variable-name").is_some()
    {
        compiler.refuse(
            element,
            "'errors-variable-name' and 'error-variable-name' name the same; use one of them",
        );
    }
    of("errors-variable-name").or_else(|| of("error-variable-name")).map(Arc::from)
}

/// Tells the findings, and answers with the first that prevents.
pub(crate) fn settle(at: &mut At<'_>, mut findings: Vec<Finding>, variable: Option<&Arc<str>>) -> Ran {
    findings.retain(|finding| finding.action != Action::Ignore);
    if findings.is_empty() {
        at.note(|| "valid");
        return Ok(Flow::Next);
    }
    if let Some(variable) = variable {
        at.context.variables.set(variable, listed(&findings));
    }
    for finding in &findings {
        at.note(|| format!("{}: {}", finding.action.as_str(), finding.details));
    }
    let Some(first) = findings.into_iter().find(|finding| finding.action == Action::Prevent) else {
        return Ok(Flow::Next);
    };
    let (status, reason) = match at.side() {
        Side::Request => (400, "Bad request"),
        Side::Response => (502, "Response not allowed"),
    };
    Err(Failure::denied(status, reason, first.details, first.public).into())
}

/// The list that the variable holds: an array of objects (the class behind it is unverified).
fn listed(findings: &[Finding]) -> Value {
    let object = |finding: &Finding| {
        json!({
            "Name": finding.name,
            "Type": finding.of,
            "ValidationRule": finding.rule,
            "Details": finding.details,
            "Action": finding.action.as_str(),
        })
    };
    let all: serde_json::Value = findings.iter().map(object).collect();
    Token::parse(&all.to_string()).map_or(Value::Null, Value::Json)
}
