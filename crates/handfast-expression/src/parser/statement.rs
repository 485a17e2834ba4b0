//! Statements of a block body.

use super::{Parsed, Parser, names};
use crate::lexer::{Problem, Tok};
use crate::syntax::{Catch, Expr, Lambda, Node, Section, Stmt, StmtNode, TypeName};

impl Parser<'_> {
    pub(super) fn statements_to_end(&mut self) -> Parsed<Vec<Stmt>> {
        let mut out = Vec::new();
        while !matches!(self.peek(), Tok::End) {
            out.push(self.statement()?);
        }
        Ok(out)
    }

    pub(super) fn braces(&mut self) -> Parsed<Vec<Stmt>> {
        self.expect("{")?;
        let mut out = Vec::new();
        while !self.take("}") {
            if matches!(self.peek(), Tok::End) {
                return Err(Problem::new("CS1513", "} expected", self.behind()));
            }
            out.push(self.statement()?);
        }
        Ok(out)
    }

    fn statement(&mut self) -> Parsed<Stmt> {
        if self.depth == 0 {
            self.chain = 0;
        }
        self.deeper()?;
        let at = self.here();
        let node = match self.peek().clone() {
            Tok::Punct(";") => {
                self.at += 1;
                StmtNode::Empty
            }
            Tok::Punct("{") => StmtNode::Block(self.braces()?),
            Tok::Word(word, false) => self.keyword_statement(&word)?,
            _ => self.simple()?,
        };
        self.depth -= 1;
        Ok(Stmt { at, node })
    }

    fn boxed(&mut self) -> Parsed<Box<Stmt>> {
        Ok(Box::new(self.statement()?))
    }

    fn parenthesised(&mut self) -> Parsed<Expr> {
        self.expect("(")?;
        let inner = self.expr()?;
        self.expect(")")?;
        Ok(inner)
    }

    fn keyword_statement(&mut self, word: &str) -> Parsed<StmtNode> {
        let start = self.at;
        self.at += 1;
        Ok(match word {
            "if" => {
                let condition = self.parenthesised()?;
                let yes = self.boxed()?;
                let no = if self.take_word("else") { Some(self.boxed()?) } else { None };
                StmtNode::If(condition, yes, no)
            }
            "while" => StmtNode::While(self.parenthesised()?, self.boxed()?),
            "do" => {
                let body = self.boxed()?;
                if !self.take_word("while") {
                    return Err(Problem::new("CS1003", "Syntax error, 'while' expected", self.here()));
                }
                let condition = self.parenthesised()?;
                self.expect(";")?;
                StmtNode::Do(body, condition)
            }
            "for" => self.for_statement()?,
            "foreach" => {
                self.expect("(")?;
                let class = self.type_name()?;
                let name = self.name()?;
                if !self.take_word("in") {
                    return Err(Problem::new("CS1515", "'in' expected", self.here()));
                }
                let source = self.expr()?;
                self.expect(")")?;
                StmtNode::ForEach(class, name, source, self.boxed()?)
            }
            "switch" => self.switch()?,
            "break" | "continue" => {
                self.expect(";")?;
                if word == "break" { StmtNode::Break } else { StmtNode::Continue }
            }
            "return" | "throw" => {
                let value = if self.is(";") { None } else { Some(self.expr()?) };
                self.expect(";")?;
                if word == "return" { StmtNode::Return(value) } else { StmtNode::Throw(value) }
            }
            "try" => self.try_statement()?,
            "using" | "lock" => {
                self.expect("(")?;
                let at = self.here();
                let node = match self.declaration(false)? {
                    Some(declaration) => declaration,
                    None => StmtNode::Expr(self.expr()?),
                };
                self.expect(")")?;
                StmtNode::Using(Box::new(Stmt { at, node }), self.boxed()?)
            }
            "checked" | "unchecked" if self.is("{") => StmtNode::Checked(word == "checked", self.braces()?),
            "const" => {
                let declared = self.declaration(true)?;
                self.expect(";")?;
                declared.ok_or_else(|| Problem::new("CS1031", "Type expected", self.here()))?
            }
            _ => {
                self.at = start;
                self.simple()?
            }
        })
    }

    /// A declaration, local function or expression statement.
    fn simple(&mut self) -> Parsed<StmtNode> {
        if let Some(function) = self.local_function()? {
            return Ok(function);
        }
        let node = match self.declaration(false)? {
            Some(declaration) => declaration,
            None => StmtNode::Expr(self.expr()?),
        };
        self.expect(";")?;
        Ok(node)
    }

    /// `T a = x, b`, if one starts here.
    fn declaration(&mut self, constant: bool) -> Parsed<Option<StmtNode>> {
        let (start, depth) = (self.at, self.depth);
        let Some(class) = self.type_then_name() else {
            (self.at, self.depth) = (start, depth);
            return Ok(None);
        };
        let mut names = Vec::new();
        loop {
            let at = self.here();
            let name = self.name()?;
            let value = if self.take("=") {
                let at = self.here();
                Some(if self.is("{") {
                    let items = self.braced()?;
                    let element = match &class.shape {
                        crate::syntax::TypeShape::Array(inner) => Some((**inner).clone()),
                        _ => None,
                    };
                    Expr { at, node: Node::NewArray(element, Vec::new(), Some(items)) }
                } else {
                    self.expr()?
                })
            } else {
                None
            };
            names.push((name, at, value));
            if !self.take(",") {
                break;
            }
        }
        Ok(Some(StmtNode::Declare { class, constant, names }))
    }

    /// A type, when an identifier that can be declared follows.
    fn type_then_name(&mut self) -> Option<TypeName> {
        if self.is_word("await") {
            return None;
        }
        let class = self.type_name().ok()?;
        match self.peek() {
            Tok::Word(word, verbatim) if *verbatim || !names::is_keyword(word) => {}
            _ => return None,
        }
        matches!(
            self.ahead(1),
            Tok::End | Tok::Punct("=" | ";" | "," | ")") | Tok::Word(..) | Tok::Literal(_) | Tok::Punct("}")
        )
        .then_some(class)
    }

    fn local_function(&mut self) -> Parsed<Option<StmtNode>> {
        let (start, depth) = (self.at, self.depth);
        let _ = self.take_word("static");
        let head = self.type_name().and_then(|result| Ok((result, self.name()?)));
        let (Ok((result, name)), true) = (head, self.take("(")) else {
            (self.at, self.depth) = (start, depth);
            return Ok(None);
        };
        let mut parameters = Vec::new();
        while !self.take(")") {
            let pair = self.type_name().and_then(|class| Ok((Some(class), self.name()?)));
            let Ok(pair) = pair else {
                (self.at, self.depth) = (start, depth);
                return Ok(None);
            };
            parameters.push(pair);
            if !self.take(",") && !self.is(")") {
                (self.at, self.depth) = (start, depth);
                return Ok(None);
            }
        }
        if !self.is("=>") && !self.is("{") {
            (self.at, self.depth) = (start, depth);
            return Ok(None);
        }
        let arrow = self.take("=>");
        let body = self.lambda_body()?;
        if arrow {
            self.expect(";")?;
        }
        Ok(Some(StmtNode::Function { result, name, lambda: Lambda { parameters, body } }))
    }

    fn for_statement(&mut self) -> Parsed<StmtNode> {
        self.expect("(")?;
        let at = self.here();
        let mut first = Vec::new();
        if !self.is(";") {
            match self.declaration(false)? {
                Some(node) => first.push(Stmt { at, node }),
                None => {
                    first.extend(self.comma_list()?.into_iter().map(|e| Stmt { at, node: StmtNode::Expr(e) }))
                }
            }
        }
        self.expect(";")?;
        let condition = if self.is(";") { None } else { Some(self.expr()?) };
        self.expect(";")?;
        let steps = if self.is(")") { Vec::new() } else { self.comma_list()? };
        self.expect(")")?;
        Ok(StmtNode::For(first, condition, steps, self.boxed()?))
    }

    fn comma_list(&mut self) -> Parsed<Vec<Expr>> {
        let mut list = vec![self.expr()?];
        while self.take(",") {
            list.push(self.expr()?);
        }
        Ok(list)
    }

    fn switch(&mut self) -> Parsed<StmtNode> {
        let subject = self.parenthesised()?;
        self.expect("{")?;
        let mut sections: Vec<Section> = Vec::new();
        while !self.take("}") {
            let mut labels = Vec::new();
            loop {
                let at = self.here();
                if self.take_word("case") {
                    let pattern = self.pattern()?;
                    let filter = if self.take_word("when") { Some(self.expr()?) } else { None };
                    labels.push((at, Some(pattern), filter));
                } else if self.is_word("default") && matches!(self.ahead(1), Tok::Punct(":")) {
                    self.at += 1;
                    labels.push((at, None, None));
                } else {
                    break;
                }
                self.expect(":")?;
            }
            if labels.is_empty() {
                return Err(Problem::new("CS1513", "} expected", self.behind()));
            }
            let mut body = Vec::new();
            while !self.is("}") && !self.is_word("case") && !self.is_default_label() {
                body.push(self.statement()?);
            }
            sections.push(Section { labels, body });
        }
        Ok(StmtNode::Switch(subject, sections))
    }

    fn is_default_label(&self) -> bool {
        self.is_word("default") && matches!(self.ahead(1), Tok::Punct(":"))
    }

    fn try_statement(&mut self) -> Parsed<StmtNode> {
        let body = self.braces()?;
        let mut catches = Vec::new();
        while self.take_word("catch") {
            let (mut class, mut name) = (None, None);
            if self.take("(") {
                class = Some(self.type_name()?);
                if !self.is(")") {
                    name = Some(self.name()?);
                }
                self.expect(")")?;
            }
            let filter = if self.take_word("when") { Some(self.parenthesised()?) } else { None };
            catches.push(Catch { class, name, filter, body: self.braces()? });
        }
        let last = if self.take_word("finally") { Some(self.braces()?) } else { None };
        if catches.is_empty() && last.is_none() {
            return Err(Problem::new("CS1524", "Expected catch or finally", self.behind()));
        }
        Ok(StmtNode::Try(body, catches, last))
    }
}
