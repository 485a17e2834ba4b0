//! The catalogue of write-time messages (specification 9). The wording is a contract: tools compare it.

use crate::position::Position;
use crate::tree::Element;
use handfast_core::Diagnostic;

/// The code of everything that is wrong with a document.
pub(crate) const VALIDATION: &str = "ValidationError";
/// The code of a policy that is known and not built.
pub(crate) const POLICY_NOT_SUPPORTED: &str = "PolicyNotSupported";
/// The code of an expression that no policy reads.
pub(crate) const EXPRESSION_NOT_SUPPORTED: &str = "ExpressionNotSupported";

/// `Error in element 'x' on line 1, column 2: ` before a text, at the element's name.
pub(crate) fn in_element(element: &Element, text: impl AsRef<str>) -> Diagnostic {
    coded(VALIDATION, element, text)
}

/// The same under another code.
pub(crate) fn coded(code: &'static str, element: &Element, text: impl AsRef<str>) -> Diagnostic {
    let Position { line, column } = element.position;
    let message =
        format!("Error in element '{}' on line {line}, column {column}: {}", element.name, text.as_ref());
    Diagnostic::error(code, message).at(element.position.place())
}

/// The policy that a document is being compiled at: what messages about its expressions name.
#[derive(Clone, Debug)]
pub(crate) struct PolicyPlace {
    pub(crate) name: String,
    pub(crate) position: Position,
}

/// What the C# compiler says about an expression of a policy (specification 9; expressions 7.2): the message
/// names the policy's element, also when the expression stands in a child of it.
pub(crate) fn in_policy(policy: &PolicyPlace, text: &str) -> Diagnostic {
    let Position { line, column } = policy.position;
    let message = format!("Error in element '{}' on line {line}, column {column}: {text}", policy.name);
    Diagnostic::error(VALIDATION, message)
}

/// A child that may not stand where it stands.
pub(crate) fn invalid_child(parent: &Element, child: &Element, expected: &[&str]) -> Diagnostic {
    let expected = expected_list(expected);
    let text = format!("The element '{}' has invalid child element '{}'.{expected}", parent.name, child.name);
    in_element(parent, text)
}

/// Children that are missing.
pub(crate) fn incomplete(element: &Element, expected: &[&str]) -> Diagnostic {
    let expected = expected_list(expected);
    in_element(element, format!("The element '{}' has incomplete content.{expected}", element.name))
}

/// Text where only elements may stand.
pub(crate) fn no_text(element: &Element, expected: &[&str]) -> Diagnostic {
    let expected = expected_list(expected);
    in_element(element, format!("The element '{}' cannot contain text.{expected}", element.name))
}

/// An expression at a place where the policy takes literals only, and the real service takes it.
pub(crate) fn expression(element: &Element, whose: &str, position: Position) -> Diagnostic {
    let text = format!("{whose} is a policy expression; only literal values are supported");
    coded(EXPRESSION_NOT_SUPPORTED, element, text)
        .at(position.place())
        .help("write the value as a literal or take it from a named value")
}

fn expected_list(names: &[&str]) -> String {
    if names.is_empty() {
        return String::new();
    }
    format!(" List of possible elements expected: '{}'.", names.join(", "))
}

/// The element that a diagnostic's message is about, `representation` when it is about the whole text:
/// the `target` of an ARM error detail.
pub fn target(diagnostic: &Diagnostic) -> &str {
    diagnostic
        .message
        .strip_prefix("Error in element '")
        .and_then(|rest| rest.split('\'').next())
        .unwrap_or("representation")
}
