//! Tokens to syntax tree: expressions here, statements in [`statement`], types in [`names`].
//!
//! The first error ends the parse, with the compiler's own text. Depth is bounded, so that no input can
//! exhaust the native stack.

mod names;
mod statement;

use crate::lexer::{Part, Problem, Tok, Token, lex};
use crate::syntax::{Arg, ArgValue, Expr, Init, Lambda, LambdaBody, Node, Pattern, Stmt};
use crate::value::Value;

/// Longest chains, all together.
const CHAIN_MAX: usize = 4096;
/// Deepest nesting of a syntax tree.
const DEPTH_MAX: usize = 128;

type Parsed<T> = Result<T, Problem>;

pub(crate) struct Parser<'a> {
    text: &'a str,
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
    /// Operators and members of chains, which nest to the left, in the statement being read.
    chain: usize,
}

/// Binary operators by level, loosest first; `is` and `as` stand with the comparisons.
const LEVELS: &[&[&str]] = &[
    &["||"],
    &["&&"],
    &["|"],
    &["^"],
    &["&"],
    &["==", "!="],
    &["<", ">", "<=", ">="],
    &["<<", ">>"],
    &["+", "-"],
    &["*", "/", "%"],
];

const COMPARISON_LEVEL: usize = 6;

const ASSIGNMENTS: &[&str] = &["=", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "<<=", ">>=", "??="];

/// Parses one whole expression.
pub(crate) fn expression(text: &str) -> Parsed<Expr> {
    let mut parser = Parser::new(text, 0, text.len())?;
    let expr = parser.expr()?;
    match parser.peek() {
        Tok::End => Ok(expr),
        Tok::Punct(";") => Err(Problem::new("CS1026", ") expected", parser.here())),
        _ => Err(Problem::new("CS1026", ") expected", parser.here())),
    }
}

/// Parses the statements of a block body.
pub(crate) fn block(text: &str) -> Parsed<Vec<Stmt>> {
    let mut parser = Parser::new(text, 0, text.len())?;
    parser.statements_to_end()
}

impl<'a> Parser<'a> {
    fn new(text: &'a str, from: usize, to: usize) -> Parsed<Self> {
        Ok(Self { text, tokens: lex(text, from, to)?, at: 0, depth: 0, chain: 0 })
    }

    // === Tokens ===

    fn peek(&self) -> &Tok {
        self.ahead(0)
    }

    fn ahead(&self, by: usize) -> &Tok {
        self.tokens.get(self.at + by).map_or(&Tok::End, |token| &token.tok)
    }

    fn here(&self) -> usize {
        self.tokens.get(self.at).or(self.tokens.last()).map_or(0, |token| token.at)
    }

    /// Where the token before this one ends: the place the compiler reports a missing token at.
    fn behind(&self) -> usize {
        self.at.checked_sub(1).and_then(|at| self.tokens.get(at)).map_or(0, |token| token.end)
    }

    fn is(&self, punct: &str) -> bool {
        matches!(self.peek(), Tok::Punct(p) if *p == punct)
    }

    fn is_word(&self, word: &str) -> bool {
        matches!(self.peek(), Tok::Word(w, false) if w == word)
    }

    fn take(&mut self, punct: &str) -> bool {
        let found = self.is(punct);
        self.at += usize::from(found);
        found
    }

    fn take_word(&mut self, word: &str) -> bool {
        let found = self.is_word(word);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, punct: &'static str) -> Parsed<()> {
        if self.take(punct) {
            return Ok(());
        }
        let (code, text) = match punct {
            ";" => ("CS1002", "; expected".to_owned()),
            ")" => ("CS1026", ") expected".to_owned()),
            "}" => ("CS1513", "} expected".to_owned()),
            "{" => ("CS1514", "{ expected".to_owned()),
            other => ("CS1003", format!("Syntax error, '{other}' expected")),
        };
        Err(Problem::new(code, text, self.behind()))
    }

    fn name(&mut self) -> Parsed<String> {
        match self.peek().clone() {
            Tok::Word(word, verbatim) if verbatim || !names::is_keyword(&word) => {
                self.at += 1;
                Ok(word)
            }
            _ => Err(Problem::new("CS1001", "Identifier expected", self.here())),
        }
    }

    fn invalid_term(&self) -> Problem {
        let text = match self.peek() {
            Tok::Word(word, _) => word.clone(),
            Tok::Punct(punct) => (*punct).to_owned(),
            Tok::End => return Problem::new("CS1733", "Expected expression", self.here()),
            _ => String::new(),
        };
        Problem::new("CS1525", format!("Invalid expression term '{text}'"), self.here())
    }

    // === Expressions ===

    pub(crate) fn expr(&mut self) -> Parsed<Expr> {
        self.deeper()?;
        let result = self.assignment();
        self.depth -= 1;
        result
    }

    fn assignment(&mut self) -> Parsed<Expr> {
        let at = self.here();
        if let Some(lambda) = self.lambda()? {
            return Ok(Expr { at, node: Node::Lambda(lambda) });
        }
        if self.is_word("from") && self.is_query() {
            return self.query();
        }
        if self.take_word("throw") {
            return Ok(Expr { at, node: Node::Throw(Box::new(self.expr()?)) });
        }
        let left = self.choice()?;
        if let Tok::Punct(op) = *self.peek()
            && ASSIGNMENTS.contains(&op)
        {
            let at = self.here();
            self.at += 1;
            let right = self.expr()?;
            return Ok(Expr { at, node: Node::Assign(op, Box::new(left), Box::new(right)) });
        }
        Ok(left)
    }

    fn choice(&mut self) -> Parsed<Expr> {
        let condition = self.coalesce()?;
        let at = condition.at;
        if !self.take("?") {
            // `a ?[` and `a ?.5` are lexed as conditional access; nothing else can follow here.
            return Ok(condition);
        }
        let yes = self.expr()?;
        self.expect(":")?;
        let no = self.expr()?;
        Ok(Expr { at, node: Node::Choice(Box::new(condition), Box::new(yes), Box::new(no)) })
    }

    fn coalesce(&mut self) -> Parsed<Expr> {
        let left = self.binary(0)?;
        let at = self.here();
        if !self.take("??") {
            return Ok(left);
        }
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(Problem::new("CS8078", "An expression is too long or complex to compile", at));
        }
        let right = if self.is_word("throw") { self.assignment()? } else { self.coalesce()? };
        self.depth -= 1;
        Ok(Expr { at, node: Node::Binary("??", Box::new(left), Box::new(right)) })
    }

    fn binary(&mut self, level: usize) -> Parsed<Expr> {
        let Some(operators) = LEVELS.get(level) else { return self.unary() };
        let mut left = self.binary(level + 1)?;
        loop {
            let at = self.here();
            if level == COMPARISON_LEVEL && self.take_word("is") {
                self.link()?;
                let pattern = self.pattern()?;
                left = Expr { at, node: Node::Is(Box::new(left), pattern) };
                continue;
            }
            if level == COMPARISON_LEVEL && self.take_word("as") {
                self.link()?;
                let class = self.type_name_before_choice()?;
                left = Expr { at, node: Node::As(Box::new(left), class) };
                continue;
            }
            let Tok::Punct(mut op) = *self.peek() else { return Ok(left) };
            if op == ">" && level + 1 < LEVELS.len() {
                let adjacent = self
                    .tokens
                    .get(self.at + 1)
                    .is_some_and(|next| matches!(next.tok, Tok::Punct(">")) && next.at == self.here() + 1);
                if adjacent && operators.contains(&">>") {
                    self.at += 1;
                    op = ">>";
                } else if adjacent {
                    return Ok(left);
                }
            }
            if !operators.contains(&op) {
                return Ok(left);
            }
            self.at += 1;
            self.link()?;
            let right = self.binary(level + 1)?;
            left = Expr { at, node: Node::Binary(op, Box::new(left), Box::new(right)) };
        }
    }

    pub(super) fn pattern(&mut self) -> Parsed<Pattern> {
        if self.is_word("var") {
            self.at += 1;
            return Ok(Pattern::Var(self.name()?));
        }
        let start = self.at;
        if let Ok(class) = self.type_name_before_choice() {
            if let Tok::Word(word, _) = self.peek()
                && !names::is_keyword(word)
                && word != "when"
            {
                let name = self.name()?;
                return Ok(Pattern::Type(class, Some(name)));
            }
            if !self.is(".") && !self.is("(") {
                return Ok(Pattern::Type(class, None));
            }
        }
        self.at = start;
        Ok(Pattern::Const(Box::new(self.binary(COMPARISON_LEVEL + 1)?)))
    }

    fn unary(&mut self) -> Parsed<Expr> {
        self.deeper()?;
        let result = self.unary_inner();
        self.depth -= 1;
        result
    }

    fn unary_inner(&mut self) -> Parsed<Expr> {
        let at = self.here();
        match *self.peek() {
            Tok::Punct(op @ ("-" | "+" | "!" | "~")) => {
                self.at += 1;
                // -2147483648 is one constant of type int.
                if let ("-", Tok::Literal(value)) = (op, self.peek().clone())
                    && let Some(negated) = negated_minimum(&value)
                {
                    self.at += 1;
                    return self.postfix(Expr { at, node: Node::Literal(negated) });
                }
                let operand = self.unary()?;
                Ok(Expr { at, node: Node::Unary(op, Box::new(operand)) })
            }
            Tok::Punct(op @ ("++" | "--")) => {
                self.at += 1;
                let operand = self.unary()?;
                Ok(Expr { at, node: Node::Step(op, true, Box::new(operand)) })
            }
            Tok::Punct("(") => {
                if let Some(class) = self.cast()? {
                    let operand = self.unary()?;
                    return Ok(Expr { at, node: Node::Cast(class, Box::new(operand)) });
                }
                let primary = self.primary()?;
                self.postfix(primary)
            }
            _ => {
                let primary = self.primary()?;
                self.postfix(primary)
            }
        }
    }

    fn postfix(&mut self, mut expr: Expr) -> Parsed<Expr> {
        loop {
            let at = self.here();
            match *self.peek() {
                Tok::Punct(op @ ("++" | "--")) => {
                    self.at += 1;
                    expr = Expr { at, node: Node::Step(op, false, Box::new(expr)) };
                }
                Tok::Punct(op @ ("?." | "?[")) => {
                    // `c ?[` could open `c ? [..]`, which C# 7 does not have.
                    let mut rest = Expr { at, node: Node::Receiver };
                    if op == "?[" {
                        self.at += 1;
                        let args = self.args("]")?;
                        rest = Expr { at, node: Node::Index(Box::new(rest), args) };
                    } else {
                        self.at += 1;
                        rest = self.member(rest)?;
                    }
                    self.deeper()?;
                    let rest = self.postfix(rest)?;
                    self.depth -= 1;
                    return Ok(Expr { at, node: Node::Conditional(Box::new(expr), Box::new(rest)) });
                }
                Tok::Punct(".") => {
                    self.at += 1;
                    expr = self.member(expr)?;
                }
                Tok::Punct("(") => {
                    self.at += 1;
                    let args = self.args(")")?;
                    expr = Expr { at: expr.at, node: Node::Call(Box::new(expr), args) };
                }
                Tok::Punct("[") => {
                    self.at += 1;
                    let args = self.args("]")?;
                    expr = Expr { at, node: Node::Index(Box::new(expr), args) };
                }
                _ => return Ok(expr),
            }
            self.link()?;
        }
    }

    /// Chains nest to the left without recursion here, but later passes recurse over them.
    fn link(&mut self) -> Parsed<()> {
        self.chain += 1;
        if self.chain > CHAIN_MAX { Err(self.too_complex()) } else { Ok(()) }
    }

    fn too_complex(&self) -> Problem {
        Problem::new("CS8078", "An expression is too long or complex to compile", self.here())
    }

    /// One level deeper, if that is not too deep.
    fn deeper(&mut self) -> Parsed<()> {
        self.depth += 1;
        if self.depth > DEPTH_MAX { Err(self.too_complex()) } else { Ok(()) }
    }

    fn member(&mut self, receiver: Expr) -> Parsed<Expr> {
        let at = self.here();
        let name = self.name()?;
        let arguments = self.type_arguments_of_expr();
        Ok(Expr { at, node: Node::Member(Box::new(receiver), name, arguments) })
    }

    pub(super) fn args(&mut self, close: &'static str) -> Parsed<Vec<Arg>> {
        let mut args = Vec::new();
        if self.take(close) {
            return Ok(args);
        }
        loop {
            let mut name = None;
            if let (Tok::Word(word, _), Tok::Punct(":")) = (self.peek().clone(), self.ahead(1)) {
                self.at += 2;
                name = Some(word);
            }
            let at = self.here();
            let value = if self.take_word("out") { self.out_arg(at)? } else { ArgValue::In(self.expr()?) };
            args.push(Arg { name, value });
            if self.take(close) {
                return Ok(args);
            }
            if self.take(",") {
                continue;
            }
            self.expect(if close == ")" { ")" } else { "]" })?;
        }
    }

    fn out_arg(&mut self, at: usize) -> Parsed<ArgValue> {
        let start = self.at;
        if let Ok(class) = self.type_name()
            && let Tok::Word(word, _) = self.peek().clone()
        {
            self.at += 1;
            let inferred =
                matches!(&class.shape, crate::syntax::TypeShape::Name(n, a) if n == "var" && a.is_empty());
            return Ok(ArgValue::Declare((!inferred).then_some(class), word, at));
        }
        self.at = start;
        if self.is_word("_") {
            self.at += 1;
            return Ok(ArgValue::Declare(None, "_".into(), at));
        }
        Ok(ArgValue::Out(self.unary()?))
    }

    fn primary(&mut self) -> Parsed<Expr> {
        let at = self.here();
        let node = match self.peek().clone() {
            Tok::Literal(value) => {
                self.at += 1;
                Node::Literal(value)
            }
            Tok::Interpolated(parts) => {
                self.at += 1;
                self.interpolated(parts)?
            }
            Tok::Punct("(") => {
                self.at += 1;
                let inner = self.expr()?;
                self.expect(")")?;
                return Ok(match inner.node {
                    Node::Conditional(..) => Expr { at, node: Node::Paren(Box::new(inner)) },
                    _ => inner,
                });
            }
            Tok::Word(word, false) => return self.word(&word, at),
            Tok::Word(word, true) => {
                self.at += 1;
                Node::Name(word, Vec::new())
            }
            _ => return Err(self.invalid_term()),
        };
        Ok(Expr { at, node })
    }

    fn word(&mut self, word: &str, at: usize) -> Parsed<Expr> {
        self.at += 1;
        let node = match word {
            "true" => Node::Literal(Value::Bool(true)),
            "false" => Node::Literal(Value::Bool(false)),
            "null" => Node::Literal(Value::Null),
            "new" => self.creation(at)?,
            "checked" | "unchecked" => {
                self.expect("(")?;
                let inner = self.expr()?;
                self.expect(")")?;
                Node::Checked(word == "checked", Box::new(inner))
            }
            "default" if self.take("(") => {
                let class = self.type_name()?;
                self.expect(")")?;
                Node::Default(Some(class))
            }
            "default" => Node::Default(None),
            "typeof" => {
                self.expect("(")?;
                self.type_name()?;
                self.expect(")")?;
                Node::TypeOf
            }
            "nameof" if self.take("(") => {
                let inner = self.expr()?;
                self.expect(")")?;
                Node::NameOf(Box::new(inner))
            }
            _ if names::is_predefined(word) => {
                self.at -= 1;
                let class = self.simple_type()?;
                Node::Predefined(class)
            }
            _ if names::is_keyword(word) => {
                self.at -= 1;
                return Err(self.invalid_term());
            }
            _ => {
                let arguments = self.type_arguments_of_expr();
                Node::Name(word.to_owned(), arguments)
            }
        };
        Ok(Expr { at, node })
    }

    fn interpolated(&mut self, parts: Vec<Part>) -> Parsed<Node> {
        let mut out = Vec::new();
        for part in parts {
            match part {
                Part::Text(text) => out.push((text, None)),
                Part::Hole { start, end, format } => {
                    let mut inner = Parser {
                        text: self.text,
                        tokens: lex(self.text, start, end)?,
                        at: 0,
                        depth: self.depth + 1,
                        chain: self.chain,
                    };
                    let expr = inner.expr()?;
                    let align = if inner.take(",") { Some(inner.expr()?) } else { None };
                    if !matches!(inner.peek(), Tok::End) {
                        return Err(Problem::new("CS1073", "Unexpected token", inner.here()));
                    }
                    out.push((String::new(), Some((expr, align, format))));
                }
            }
        }
        Ok(Node::Interpolated(out))
    }

    fn creation(&mut self, at: usize) -> Parsed<Node> {
        if self.is("{") {
            return self.anonymous();
        }
        if self.take("[") {
            self.expect("]")?;
            let items = self.braced()?;
            return Ok(Node::NewArray(None, Vec::new(), Some(items)));
        }
        let class = self.array_element_type()?;
        if self.take("[") {
            let mut sizes = Vec::new();
            let mut rank = 0;
            if !self.is("]") {
                sizes.push(self.expr()?);
            }
            self.expect("]")?;
            while self.is("[") && matches!(self.ahead(1), Tok::Punct("]")) {
                self.at += 2;
                rank += 1;
            }
            let items = if self.is("{") { Some(self.braced()?) } else { None };
            if items.is_none() && sizes.is_empty() {
                return Err(Problem::new(
                    "CS1586",
                    "Array creation must have array size or array initializer",
                    at,
                ));
            }
            let class = (0..rank).fold(class, |inner, _| crate::syntax::TypeName {
                at,
                shape: crate::syntax::TypeShape::Array(Box::new(inner)),
            });
            return Ok(Node::NewArray(Some(class), sizes, items));
        }
        let args = if self.take("(") {
            self.args(")")?
        } else if self.is("{") {
            Vec::new()
        } else {
            return Err(Problem::new(
                "CS1526",
                "A new expression requires an argument list or (), [], or {} after type",
                self.here(),
            ));
        };
        let init = if self.is("{") { Some(self.initialiser()?) } else { None };
        Ok(Node::New(Some(class), args, init))
    }

    fn braced(&mut self) -> Parsed<Vec<Expr>> {
        self.expect("{")?;
        self.deeper()?;
        let mut items = Vec::new();
        while !self.take("}") {
            let at = self.here();
            let item = if self.is("{") {
                let inner = self.braced()?;
                Expr { at, node: Node::NewArray(None, Vec::new(), Some(inner)) }
            } else {
                self.expr()?
            };
            items.push(item);
            if !self.take(",") && !self.is("}") {
                self.expect("}")?;
            }
        }
        self.depth -= 1;
        Ok(items)
    }

    fn initialiser(&mut self) -> Parsed<Vec<Init>> {
        self.expect("{")?;
        let mut items = Vec::new();
        while !self.take("}") {
            let at = self.here();
            if self.is("{") {
                items.push(Init::Add(self.braced()?, at));
            } else if self.take("[") {
                let args = self.args("]")?;
                self.expect("=")?;
                items.push(Init::Index(args, self.expr()?));
            } else if let (Tok::Word(name, _), Tok::Punct("=")) = (self.peek().clone(), self.ahead(1)) {
                self.at += 2;
                items.push(Init::Member(name, self.expr()?, at));
            } else {
                items.push(Init::Add(vec![self.expr()?], at));
            }
            if !self.take(",") && !self.is("}") {
                self.expect("}")?;
            }
        }
        Ok(items)
    }

    fn anonymous(&mut self) -> Parsed<Node> {
        self.expect("{")?;
        let mut fields = Vec::new();
        while !self.take("}") {
            let mut name = None;
            if let (Tok::Word(word, _), Tok::Punct("=")) = (self.peek().clone(), self.ahead(1)) {
                self.at += 2;
                name = Some(word);
            }
            let value = self.expr()?;
            let name = match (name, &value.node) {
                (Some(name), _) => name,
                (None, Node::Name(name, _) | Node::Member(_, name, _)) => name.clone(),
                _ => {
                    return Err(Problem::new(
                        "CS0746",
                        "Invalid anonymous type member declarator. Anonymous type members must be declared with a member assignment, simple name or member access.",
                        value.at,
                    ));
                }
            };
            fields.push((name, value));
            if !self.take(",") && !self.is("}") {
                self.expect("}")?;
            }
        }
        Ok(Node::Anonymous(fields))
    }

    /// A lambda, if one starts here.
    fn lambda(&mut self) -> Parsed<Option<Lambda>> {
        let start = self.at;
        let mut parameters = Vec::new();
        if let (Tok::Word(name, _), Tok::Punct("=>")) = (self.peek().clone(), self.ahead(1)) {
            self.at += 1;
            parameters.push((None, name));
        } else if self.take("(") {
            while !self.take(")") {
                if let (Tok::Word(name, _), Tok::Punct("," | ")")) = (self.peek().clone(), self.ahead(1)) {
                    self.at += 1;
                    parameters.push((None, name));
                } else {
                    let class = self.type_name();
                    let (Ok(class), Ok(name)) = (class, self.name()) else {
                        self.at = start;
                        return Ok(None);
                    };
                    parameters.push((Some(class), name));
                }
                if !self.take(",") && !self.is(")") {
                    self.at = start;
                    return Ok(None);
                }
            }
        }
        if !self.take("=>") {
            self.at = start;
            return Ok(None);
        }
        Ok(Some(Lambda { parameters, body: self.lambda_body()? }))
    }

    pub(super) fn lambda_body(&mut self) -> Parsed<LambdaBody> {
        Ok(if self.is("{") {
            LambdaBody::Block(self.braces()?)
        } else {
            LambdaBody::Expr(Box::new(self.expr()?))
        })
    }

    fn is_query(&self) -> bool {
        matches!((self.ahead(1), self.ahead(2)), (Tok::Word(..), Tok::Word(word, _)) if word == "in")
    }

    /// `from x in s (where c | orderby k [descending])* select e`, as calls of the query methods.
    fn query(&mut self) -> Parsed<Expr> {
        self.at += 1;
        let name = self.name()?;
        self.at += 1;
        let mut source = self.expr()?;
        let call = |source: Expr, method: &str, body: Expr| {
            let at = body.at;
            let lambda =
                Lambda { parameters: vec![(None, name.clone())], body: LambdaBody::Expr(Box::new(body)) };
            let arg = Arg { name: None, value: ArgValue::In(Expr { at, node: Node::Lambda(lambda) }) };
            let target = Expr { at, node: Node::Member(Box::new(source), method.to_owned(), Vec::new()) };
            Expr { at, node: Node::Call(Box::new(target), vec![arg]) }
        };
        loop {
            if self.take_word("where") {
                source = call(source, "Where", self.expr()?);
            } else if self.take_word("orderby") {
                let mut first = true;
                loop {
                    let key = self.expr()?;
                    let descending = self.take_word("descending");
                    let _ = self.take_word("ascending");
                    let method = match (first, descending) {
                        (true, false) => "OrderBy",
                        (true, true) => "OrderByDescending",
                        (false, false) => "ThenBy",
                        (false, true) => "ThenByDescending",
                    };
                    source = call(source, method, key);
                    first = false;
                    if !self.take(",") {
                        break;
                    }
                }
            } else if self.take_word("select") {
                return Ok(call(source, "Select", self.expr()?));
            } else {
                return Err(Problem::new(
                    "CS0742",
                    "A query body must end with a select clause or a group clause",
                    self.here(),
                ));
            }
        }
    }
}

/// `-n` where `n` alone needs a wider type.
fn negated_minimum(value: &Value) -> Option<Value> {
    use crate::types::Prim::{Int, Long, UInt, ULong};
    match value {
        Value::Int(UInt, 2_147_483_648) => Some(Value::Int(Int, i32::MIN.into())),
        Value::Int(ULong, i64::MIN) => Some(Value::Int(Long, i64::MIN)),
        _ => None,
    }
}
