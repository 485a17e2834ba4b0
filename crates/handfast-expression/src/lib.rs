//! C# policy expressions: `@(…)` and `@{…}` of API Management policies, statically bound and run in a closed
//! world.
//!
//! A pure crate: no clock, randomness or request of its own; a host lends them through [`ContextView`].
//! There is no runtime behind it: what is not in the tables of [`surface`] cannot be reached.
//!
//! | module | what it does |
//! |---|---|
//! | `lexer`, `parser`, `syntax` | text to syntax tree, errors with the compiler's texts |
//! | `binder`, `tree`, `types` | names, overloads, conversions, lambdas: syntax tree to typed tree |
//! | `code`, [`machine`] | typed tree to instructions; a stack machine that stops and goes on |
//! | `surface`, `library` | the types and members, each with its signature and its evaluator |
//! | [`xslt`] | stylesheets of `xsl-transform`, on the same XPath |
//! | [`value`], `json`, `arith`, `text` | values and what operators and formats do with them |
//!
//! Limits: source length and nesting at compile; steps and bytes per evaluation ([`Budget`]).

mod arith;
mod binder;
mod call;
mod code;
pub mod context;
mod each;
mod fault;
mod json;
mod lexer;
mod library;
pub mod machine;
mod parser;
pub mod program;
mod regex;
mod surface;
mod syntax;
mod text;
mod tree;
mod types;
mod uri;
pub mod value;
mod xml;
pub mod xslt;

pub use context::{Body, BodyState, ContextView, Lookup, Part, Revocation, Side};
pub use fault::Need;
pub use json::Token;
pub use machine::{Budget, Evaluation, Outcome};
pub use program::{Facts, Form, Program, Target, compile};
pub use regex::Pattern;
pub use surface::members;
pub use types::{EnumDef, Prim, Type};
pub use value::{Exception, Value};
