//! Types as written, and the questions that decide between a type and an expression.

use super::{Parsed, Parser};
use crate::lexer::Tok;
use crate::syntax::{TypeName, TypeShape};
use crate::types::Prim;

const KEYWORDS: &[&str] = &[
    "abstract",
    "as",
    "base",
    "break",
    "case",
    "catch",
    "checked",
    "class",
    "const",
    "continue",
    "default",
    "delegate",
    "do",
    "else",
    "enum",
    "event",
    "explicit",
    "extern",
    "false",
    "finally",
    "fixed",
    "for",
    "foreach",
    "goto",
    "if",
    "implicit",
    "in",
    "interface",
    "internal",
    "is",
    "lock",
    "namespace",
    "new",
    "null",
    "operator",
    "out",
    "override",
    "params",
    "private",
    "protected",
    "public",
    "readonly",
    "ref",
    "return",
    "sealed",
    "sizeof",
    "stackalloc",
    "static",
    "struct",
    "switch",
    "this",
    "throw",
    "true",
    "try",
    "typeof",
    "unchecked",
    "unsafe",
    "using",
    "virtual",
    "volatile",
    "while",
];

pub(super) fn is_keyword(word: &str) -> bool {
    KEYWORDS.contains(&word) || is_predefined(word)
}

/// Keywords that are types.
pub(super) fn is_predefined(word: &str) -> bool {
    matches!(word, "object" | "string" | "void")
        || Prim::named(word).is_some_and(|prim| prim.keyword() == word)
}

impl Parser<'_> {
    pub(super) fn type_name(&mut self) -> Parsed<TypeName> {
        let mut class = self.array_element_type()?;
        loop {
            self.link()?;
            let at = class.at;
            if self.is("[") && matches!(self.ahead(1), Tok::Punct("]")) {
                self.at += 2;
                class = TypeName { at, shape: TypeShape::Array(Box::new(class)) };
            } else if self.take("?") {
                class = TypeName { at, shape: TypeShape::Nullable(Box::new(class)) };
            } else {
                return Ok(class);
            }
        }
    }

    /// A type where a `?` may also begin the branches of a choice: `x is string ? a : b`.
    pub(super) fn type_name_before_choice(&mut self) -> Parsed<TypeName> {
        let mut class = self.simple_type()?;
        loop {
            self.link()?;
            let at = class.at;
            if self.is("[") && matches!(self.ahead(1), Tok::Punct("]")) {
                self.at += 2;
                class = TypeName { at, shape: TypeShape::Array(Box::new(class)) };
            } else if self.is("?") && self.ends_type(1) {
                self.at += 1;
                class = TypeName { at, shape: TypeShape::Nullable(Box::new(class)) };
            } else {
                return Ok(class);
            }
        }
    }

    fn ends_type(&self, by: usize) -> bool {
        matches!(
            self.ahead(by),
            Tok::End | Tok::Punct(")" | ";" | "," | "]" | "}" | "&&" | "||" | "??" | "==" | "!=")
        )
    }

    /// A type up to, not including, array brackets; `T?` counts when an array follows.
    pub(super) fn array_element_type(&mut self) -> Parsed<TypeName> {
        let class = self.simple_type()?;
        if self.is("?") && matches!(self.ahead(1), Tok::Punct("[")) {
            self.at += 1;
            return Ok(TypeName { at: class.at, shape: TypeShape::Nullable(Box::new(class)) });
        }
        Ok(class)
    }

    pub(super) fn simple_type(&mut self) -> Parsed<TypeName> {
        let at = self.here();
        let mut name = match self.peek().clone() {
            Tok::Word(word, false) if is_predefined(&word) => {
                self.at += 1;
                return Ok(TypeName { at, shape: TypeShape::Name(word, Vec::new()) });
            }
            _ => self.name()?,
        };
        loop {
            let arguments = if self.is("<") { self.type_arguments()? } else { Vec::new() };
            if self.is(".") && arguments.is_empty() && matches!(self.ahead(1), Tok::Word(..)) {
                self.at += 1;
                name = format!("{name}.{}", self.name()?);
                continue;
            }
            return Ok(TypeName { at, shape: TypeShape::Name(name, arguments) });
        }
    }

    fn type_arguments(&mut self) -> Parsed<Vec<TypeName>> {
        // A failed attempt is given up by callers, so the depth must be as before.
        let depth = self.depth;
        let result = self.type_arguments_inner();
        self.depth = depth;
        result
    }

    fn type_arguments_inner(&mut self) -> Parsed<Vec<TypeName>> {
        self.deeper()?;
        self.expect("<")?;
        let mut arguments = vec![self.type_name()?];
        while self.take(",") {
            arguments.push(self.type_name()?);
        }
        self.expect(">")?;
        self.depth -= 1;
        Ok(arguments)
    }

    /// `<T>` after a name in an expression, when what follows says that it is no comparison.
    pub(super) fn type_arguments_of_expr(&mut self) -> Vec<TypeName> {
        let (start, depth) = (self.at, self.depth);
        if self.is("<")
            && let Ok(arguments) = self.type_arguments()
            && matches!(
                self.peek(),
                Tok::End
                    | Tok::Punct(
                        "(" | ")"
                            | "]"
                            | "}"
                            | ":"
                            | ";"
                            | ","
                            | "."
                            | "?."
                            | "?"
                            | "=="
                            | "!="
                            | "|"
                            | "^"
                            | "&&"
                            | "||"
                            | "&"
                            | "["
                    )
            )
        {
            return arguments;
        }
        (self.at, self.depth) = (start, depth);
        Vec::new()
    }

    /// `(T)` of a cast, if one starts here and an operand follows.
    pub(super) fn cast(&mut self) -> Parsed<Option<TypeName>> {
        let (start, depth) = (self.at, self.depth);
        self.at += 1;
        if let Ok(class) = self.type_name()
            && self.take(")")
        {
            let sure = match &class.shape {
                TypeShape::Name(name, arguments) => is_predefined(name) || !arguments.is_empty(),
                _ => true,
            };
            let follows = match self.peek() {
                Tok::Word(word, false) => !matches!(word.as_str(), "is" | "as" | "in" | "when"),
                Tok::Word(..) | Tok::Literal(_) | Tok::Interpolated(_) => true,
                Tok::Punct(p) => {
                    matches!(*p, "(" | "!" | "~") || (sure && matches!(*p, "-" | "+" | "++" | "--"))
                }
                Tok::End => false,
            };
            if follows {
                return Ok(Some(class));
            }
        }
        (self.at, self.depth) = (start, depth);
        Ok(None)
    }
}
