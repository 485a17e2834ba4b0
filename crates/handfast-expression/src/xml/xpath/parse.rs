//! Text to tree (XPath 1.0 §2 and §3), with a bound on nesting.

use super::axis::Axis;
use super::{Expr, Problem, Step, Test};

/// Deepest nesting of expressions.
const DEPTH_MAX: usize = 64;
/// Longest expression.
const BYTES_MAX: usize = 16 << 10;

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Number(f64),
    Text(String),
    Name(String),
    /// An operator or a bracket.
    Sign(&'static str),
}

const SIGNS: &[&str] = &[
    "::", "//", "..", "!=", "<=", ">=", "(", ")", "[", "]", ".", "@", ",", "/", "|", "+", "-", "=", "<", ">",
    "*", "$",
];

/// The operators of each level, loosest first.
const LEVELS: &[&[&str]] =
    &[&["or"], &["and"], &["=", "!="], &["<", "<=", ">", ">="], &["+", "-"], &["*", "div", "mod"]];

fn wrong(text: &str) -> Problem {
    Problem::Syntax(format!("'{text}' has an invalid token."))
}

/// Parses; `namespace` gives the namespace of a prefix.
pub(crate) fn parse(text: &str, namespace: &dyn Fn(&str) -> Option<String>) -> Result<Expr, Problem> {
    if text.len() > BYTES_MAX {
        return Err(Problem::Syntax(format!("The expression is longer than {BYTES_MAX} bytes.")));
    }
    let tokens = tokens(text).ok_or_else(|| wrong(text))?;
    let mut parser = Parser { source: text, tokens, at: 0, depth: 0, namespace };
    let expr = parser.level(0)?;
    if parser.at < parser.tokens.len() { Err(wrong(text)) } else { Ok(expr) }
}

fn is_name_char(c: char) -> bool {
    c.is_alphanumeric() || "_-.".contains(c)
}

fn tokens(text: &str) -> Option<Vec<Token>> {
    let mut out = Vec::new();
    let mut rest = text.trim_start();
    while let Some(c) = rest.chars().next() {
        let length = if c == '"' || c == '\'' {
            let end = rest.get(1..)?.find(c)?;
            out.push(Token::Text(rest.get(1..1 + end)?.to_owned()));
            end + 2
        } else if c.is_ascii_digit() || (c == '.' && rest.chars().nth(1).is_some_and(|c| c.is_ascii_digit()))
        {
            let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
            out.push(Token::Number(rest.get(..end)?.parse().ok()?));
            end
        } else if c.is_alphabetic() || c == '_' {
            let end = rest.find(|c| !is_name_char(c)).unwrap_or(rest.len());
            let mut name = rest.get(..end)?.to_owned();
            let after = rest.get(end..)?;
            let mut length = end;
            if let Some(local) = after.strip_prefix(':').filter(|local| !local.starts_with(':')) {
                let more = if local.starts_with('*') {
                    1
                } else {
                    local.find(|c| !is_name_char(c)).unwrap_or(local.len())
                };
                name = format!("{name}:{}", local.get(..more).filter(|local| !local.is_empty())?);
                length += 1 + more;
            }
            out.push(Token::Name(name));
            length
        } else {
            let sign = SIGNS.iter().find(|sign| rest.starts_with(**sign))?;
            out.push(Token::Sign(sign));
            sign.len()
        };
        rest = rest.get(length..)?.trim_start();
    }
    Some(out)
}

struct Parser<'a> {
    source: &'a str,
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
    namespace: &'a dyn Fn(&str) -> Option<String>,
}

impl Parser<'_> {
    fn is(&self, sign: &str) -> bool {
        matches!(self.tokens.get(self.at), Some(Token::Sign(found)) if *found == sign)
    }

    fn take(&mut self, sign: &str) -> bool {
        let found = self.is(sign);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, sign: &str) -> Result<(), Problem> {
        if self.take(sign) { Ok(()) } else { Err(wrong(self.source)) }
    }

    /// An operator of a level at this place; words are operators only where an operand has ended.
    fn operator(&mut self, level: usize) -> Option<&'static str> {
        let operators = LEVELS.get(level)?;
        let found = match self.tokens.get(self.at)? {
            Token::Sign(sign) => operators.iter().find(|op| *op == sign),
            Token::Name(name) => operators.iter().find(|op| **op == name.as_str()),
            _ => None,
        };
        self.at += usize::from(found.is_some());
        found.copied()
    }

    fn level(&mut self, level: usize) -> Result<Expr, Problem> {
        if level == LEVELS.len() {
            return self.unary();
        }
        let mut left = self.level(level + 1)?;
        while let Some(op) = self.operator(level) {
            let right = self.level(level + 1)?;
            left = Expr::Binary(op, Box::new(left), Box::new(right));
        }
        Ok(left)
    }

    fn unary(&mut self) -> Result<Expr, Problem> {
        let mut negative = false;
        let mut any = false;
        while self.take("-") {
            negative = !negative;
            any = true;
        }
        let mut left = self.path()?;
        while self.take("|") {
            let right = self.path()?;
            left = Expr::Binary("|", Box::new(left), Box::new(right));
        }
        Ok(match (any, negative) {
            (_, true) => Expr::Negate(Box::new(left)),
            (true, false) => Expr::Negate(Box::new(Expr::Negate(Box::new(left)))),
            _ => left,
        })
    }

    fn nested<T>(&mut self, body: impl FnOnce(&mut Self) -> Result<T, Problem>) -> Result<T, Problem> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(Problem::Syntax(format!("The expression is nested more than {DEPTH_MAX} deep.")));
        }
        let result = body(self);
        self.depth -= 1;
        result
    }

    /// Whether a name with a bracket behind it is a node test, not a function.
    fn is_function(&self) -> bool {
        let Some(Token::Name(name)) = self.tokens.get(self.at) else { return false };
        matches!(self.tokens.get(self.at + 1), Some(Token::Sign("(")))
            && !matches!(name.as_str(), "node" | "text" | "comment" | "processing-instruction")
    }

    fn path(&mut self) -> Result<Expr, Problem> {
        let primary = match self.tokens.get(self.at) {
            Some(Token::Number(number)) => Some(Expr::Number(*number)),
            Some(Token::Text(text)) => Some(Expr::Text(text.clone())),
            _ => None,
        };
        let primary = if let Some(primary) = primary {
            self.at += 1;
            primary
        } else if self.take("(") {
            let inner = self.nested(|parser| parser.level(0))?;
            self.expect(")")?;
            inner
        } else if self.take("$") {
            self.variable()?
        } else if self.is_function() {
            self.function()?
        } else {
            return self.location();
        };
        let predicates = self.predicates()?;
        let mut steps = Vec::new();
        if self.is("/") || self.is("//") {
            self.slash(&mut steps);
            self.relative(&mut steps)?;
        }
        if predicates.is_empty() && steps.is_empty() {
            return Ok(primary);
        }
        Ok(Expr::Filter(Box::new(primary), predicates, steps))
    }

    fn variable(&mut self) -> Result<Expr, Problem> {
        let Some(Token::Name(name)) = self.tokens.get(self.at).cloned() else {
            return Err(wrong(self.source));
        };
        self.at += 1;
        let Some((prefix, local)) = name.split_once(':') else { return Ok(Expr::Variable(name)) };
        match (self.namespace)(prefix) {
            Some(space) => Ok(Expr::Variable(format!("{{{space}}}{local}"))),
            None => Err(Problem::Syntax(format!("Namespace prefix '{prefix}' is not defined."))),
        }
    }

    fn function(&mut self) -> Result<Expr, Problem> {
        let Some(Token::Name(name)) = self.tokens.get(self.at).cloned() else {
            return Err(wrong(self.source));
        };
        self.at += 2;
        let mut args = Vec::new();
        while !self.take(")") {
            if !args.is_empty() {
                self.expect(",")?;
            }
            args.push(self.nested(|parser| parser.level(0))?);
        }
        Ok(Expr::Call(name, args))
    }

    /// Takes `/` or `//`; the latter is a step of its own.
    fn slash(&mut self, steps: &mut Vec<Step>) {
        if self.take("//") {
            steps.push(Step { axis: Axis::DescendantOrSelf, test: Test::Node, predicates: Vec::new() });
        } else {
            self.take("/");
        }
    }

    fn location(&mut self) -> Result<Expr, Problem> {
        let mut steps = Vec::new();
        let absolute = self.is("/") || self.is("//");
        let deep = self.is("//");
        if absolute {
            self.slash(&mut steps);
        }
        let starts =
            matches!(self.tokens.get(self.at), Some(Token::Name(_) | Token::Sign("." | ".." | "@" | "*")));
        if starts {
            self.relative(&mut steps)?;
        } else if !absolute || deep {
            return Err(wrong(self.source));
        }
        Ok(Expr::Path(absolute, steps))
    }

    fn relative(&mut self, steps: &mut Vec<Step>) -> Result<(), Problem> {
        loop {
            steps.push(self.step()?);
            if !self.is("/") && !self.is("//") {
                return Ok(());
            }
            self.slash(steps);
        }
    }

    fn step(&mut self) -> Result<Step, Problem> {
        for (sign, axis) in [("..", Axis::Parent), (".", Axis::SelfNode)] {
            if self.take(sign) {
                return Ok(Step { axis, test: Test::Node, predicates: self.predicates()? });
            }
        }
        let mut axis = if self.take("@") { Axis::Attribute } else { Axis::Child };
        if let (Some(Token::Name(name)), Some(Token::Sign("::"))) =
            (self.tokens.get(self.at), self.tokens.get(self.at + 1))
        {
            axis = Axis::named(name).ok_or_else(|| wrong(self.source))?;
            self.at += 2;
        }
        let test = self.test()?;
        Ok(Step { axis, test, predicates: self.predicates()? })
    }

    fn test(&mut self) -> Result<Test, Problem> {
        if self.take("*") {
            return Ok(Test::Any);
        }
        let Some(Token::Name(name)) = self.tokens.get(self.at).cloned() else {
            return Err(wrong(self.source));
        };
        self.at += 1;
        if self.take("(") {
            let argument = match self.tokens.get(self.at).cloned() {
                Some(Token::Text(text)) => {
                    self.at += 1;
                    Some(text)
                }
                _ => None,
            };
            self.expect(")")?;
            return match (name.as_str(), argument) {
                ("node", None) => Ok(Test::Node),
                ("text", None) => Ok(Test::Text),
                ("comment", None) => Ok(Test::Comment),
                ("processing-instruction", target) => Ok(Test::Instruction(target)),
                _ => Err(wrong(self.source)),
            };
        }
        let Some((prefix, local)) = name.split_once(':') else { return Ok(Test::Name(String::new(), name)) };
        let Some(space) = (self.namespace)(prefix) else {
            return Err(Problem::Syntax(format!("Namespace prefix '{prefix}' is not defined.")));
        };
        Ok(if local == "*" { Test::Space(space) } else { Test::Name(space, local.to_owned()) })
    }

    fn predicates(&mut self) -> Result<Vec<Expr>, Problem> {
        let mut out = Vec::new();
        while self.take("[") {
            out.push(self.nested(|parser| parser.level(0))?);
            self.expect("]")?;
        }
        Ok(out)
    }
}
