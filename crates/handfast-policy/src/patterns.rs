//! The regular expressions of schemas, by the engine of policy expressions: .NET's flavour, with a budget of
//! steps per search.

use handfast_expression::Pattern;
use handfast_openapi::pattern::Match;
use std::sync::Arc;

/// Compiles a pattern for a schema.
pub fn compile(source: &str) -> Result<Match, String> {
    let pattern = Pattern::compile(source)?;
    Ok(Arc::new(move |text: &str| pattern.is_match(text)))
}
