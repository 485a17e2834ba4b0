//! The ARM template language: reading templates and parameter files, evaluating their expressions, and
//! planning and driving a deployment as a step machine without IO (`spec/arm.md` §7–§11).
//!
//! ```text
//! text → Template::parse → Deployment::new (parameters, conditions, loops, ids, dependency graph)
//!      → step(): Put(ready set) | Get | Action → answers → … → Done(outputs)
//! ```
//!
//! *Not* here: what a resource means, access decisions, fetching of linked templates, storage. Time and
//! randomness are part of the [`Scope`].

mod date;
mod deployment;
mod evaluate;
mod expand;
mod expression;
mod fault;
mod function;
mod json;
mod parameter;
mod scope;
mod template;

pub use deployment::{Deployment, Host, Outcome, Planned, Put, Step, deploy};
pub use function::{FunctionEntry, functions};
pub use json::{SyntaxError, parse_json};
pub use parameter::{Parameters, VaultReference};
pub use scope::Scope;
pub use template::Template;
