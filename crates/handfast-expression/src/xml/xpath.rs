//! XPath 1.0 over the nodes of [`super`]: parsed to a small tree, evaluated with a budget of visited nodes.
//!
//! Source: the W3C recommendation of 16 November 1999. Variables do not exist here, and the namespace axis is
//! refused; `id()` finds nothing because there are no document types.

mod axis;
mod function;
mod parse;

pub(crate) use parse::parse;

use super::Node;
use axis::Axis;

/// Why an expression has no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Problem {
    /// It is not XPath; the text says what was found.
    Syntax(String),
    /// The budget is used up.
    Budget,
}

/// A value of the language.
#[derive(Clone)]
pub(crate) enum Value {
    Nodes(Vec<Node>),
    Text(String),
    Number(f64),
    Truth(bool),
}

/// What a step keeps of the nodes on its axis.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Test {
    /// `*`.
    Any,
    /// `prefix:*`.
    Space(String),
    /// A name: namespace and local part.
    Name(String, String),
    Text,
    Comment,
    Instruction(Option<String>),
    Node,
}

/// One step of a path.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Step {
    pub(crate) axis: Axis,
    pub(crate) test: Test,
    pub(crate) predicates: Vec<Expr>,
}

/// An expression.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Expr {
    Number(f64),
    Text(String),
    /// From the root or from the context node.
    Path(bool, Vec<Step>),
    /// An expression, its predicates, further steps.
    Filter(Box<Expr>, Vec<Expr>, Vec<Step>),
    Binary(&'static str, Box<Expr>, Box<Expr>),
    Negate(Box<Expr>),
    Call(String, Vec<Expr>),
}

/// Where an expression is evaluated.
struct Scope<'a> {
    node: &'a Node,
    position: usize,
    size: usize,
}

/// Evaluates over a node; `budget` counts visited nodes.
pub(crate) fn evaluate(expr: &Expr, node: &Node, budget: &mut usize) -> Result<Value, Problem> {
    Evaluator { budget }.expr(expr, &Scope { node, position: 1, size: 1 })
}

struct Evaluator<'a> {
    budget: &'a mut usize,
}

impl Evaluator<'_> {
    fn spend(&mut self, count: usize) -> Result<(), Problem> {
        *self.budget = self.budget.checked_sub(count).ok_or(Problem::Budget)?;
        Ok(())
    }

    fn expr(&mut self, expr: &Expr, scope: &Scope<'_>) -> Result<Value, Problem> {
        self.spend(1)?;
        Ok(match expr {
            Expr::Number(number) => Value::Number(*number),
            Expr::Text(text) => Value::Text(text.clone()),
            Expr::Negate(inner) => Value::Number(-self.expr(inner, scope)?.number()),
            Expr::Call(name, args) => {
                let mut values = Vec::new();
                for arg in args {
                    values.push(self.expr(arg, scope)?);
                }
                function::call(name, values, scope)?
            }
            Expr::Path(absolute, steps) => {
                let start = if *absolute { axis::root(scope.node) } else { scope.node.clone() };
                Value::Nodes(self.steps(vec![start], steps)?)
            }
            Expr::Filter(inner, predicates, steps) => {
                let value = self.expr(inner, scope)?;
                if predicates.is_empty() && steps.is_empty() {
                    return Ok(value);
                }
                let Value::Nodes(mut nodes) = value else {
                    return Err(Problem::Syntax("Expression must evaluate to a node-set.".into()));
                };
                for predicate in predicates {
                    nodes = self.kept(nodes, predicate)?;
                }
                Value::Nodes(self.steps(nodes, steps)?)
            }
            Expr::Binary(op, left, right) => self.binary(op, left, right, scope)?,
        })
    }

    fn steps(&mut self, mut nodes: Vec<Node>, steps: &[Step]) -> Result<Vec<Node>, Problem> {
        for step in steps {
            let mut out = Vec::new();
            let single = nodes.len() < 2;
            for node in &nodes {
                let found = axis::nodes(step.axis, node);
                self.spend(found.len() + 1)?;
                let mut kept: Vec<Node> =
                    found.into_iter().filter(|found| axis::matches(&step.test, step.axis, found)).collect();
                for predicate in &step.predicates {
                    kept = self.kept(kept, predicate)?;
                }
                out.append(&mut kept);
            }
            nodes = if single && !step.axis.is_reverse() { out } else { self.in_order(out)? };
        }
        Ok(nodes)
    }

    fn kept(&mut self, nodes: Vec<Node>, predicate: &Expr) -> Result<Vec<Node>, Problem> {
        let size = nodes.len();
        let mut out = Vec::new();
        for (index, node) in nodes.into_iter().enumerate() {
            let position = index + 1;
            let keep = match self.expr(predicate, &Scope { node: &node, position, size })? {
                Value::Number(number) => number == position as f64,
                other => other.truth(),
            };
            if keep {
                out.push(node);
            }
        }
        Ok(out)
    }

    /// Sorted into document order, each node once.
    fn in_order(&mut self, nodes: Vec<Node>) -> Result<Vec<Node>, Problem> {
        let mut keyed = Vec::with_capacity(nodes.len());
        for node in nodes {
            let key = axis::order_key(&node);
            self.spend(key.len())?;
            keyed.push((key, node));
        }
        keyed.sort_by(|a, b| a.0.cmp(&b.0));
        keyed.dedup_by(|a, b| a.1.same(&b.1));
        Ok(keyed.into_iter().map(|pair| pair.1).collect())
    }

    fn binary(&mut self, op: &str, left: &Expr, right: &Expr, scope: &Scope<'_>) -> Result<Value, Problem> {
        let a = self.expr(left, scope)?;
        if matches!(op, "or" | "and") && a.truth() == (op == "or") {
            return Ok(Value::Truth(op == "or"));
        }
        let b = self.expr(right, scope)?;
        Ok(match op {
            "or" | "and" => Value::Truth(b.truth()),
            "|" => match (a, b) {
                (Value::Nodes(mut a), Value::Nodes(b)) => {
                    a.extend(b);
                    Value::Nodes(self.in_order(a)?)
                }
                _ => return Err(Problem::Syntax("Expression must evaluate to a node-set.".into())),
            },
            "+" => Value::Number(a.number() + b.number()),
            "-" => Value::Number(a.number() - b.number()),
            "*" => Value::Number(a.number() * b.number()),
            "div" => Value::Number(a.number() / b.number()),
            "mod" => Value::Number(a.number() % b.number()),
            _ => {
                if let (Value::Nodes(a), Value::Nodes(b)) = (&a, &b) {
                    self.spend(a.len().saturating_mul(b.len()))?;
                }
                Value::Truth(compared(op, &a, &b))
            }
        })
    }
}

/// Comparison: node sets compare when one of their nodes does (§3.4).
fn compared(op: &str, a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Nodes(nodes), Value::Truth(_)) | (Value::Truth(_), Value::Nodes(nodes)) => {
            let truth = Value::Truth(!nodes.is_empty());
            if matches!(a, Value::Nodes(_)) { scalars(op, &truth, b) } else { scalars(op, a, &truth) }
        }
        (Value::Nodes(nodes), other) => {
            nodes.iter().any(|node| compared(op, &text_for(op, node.value(), other), other))
        }
        (other, Value::Nodes(nodes)) => {
            nodes.iter().any(|node| compared(op, other, &text_for(op, node.value(), other)))
        }
        _ => scalars(op, a, b),
    }
}

fn text_for(_: &str, text: String, other: &Value) -> Value {
    match other {
        Value::Number(_) => Value::Number(function::to_number(&text)),
        _ => Value::Text(text),
    }
}

fn scalars(op: &str, a: &Value, b: &Value) -> bool {
    if matches!(op, "=" | "!=") {
        let same = match (a, b) {
            (Value::Truth(_), _) | (_, Value::Truth(_)) => a.truth() == b.truth(),
            (Value::Number(_), _) | (_, Value::Number(_)) => a.number() == b.number(),
            _ => a.text() == b.text(),
        };
        return same == (op == "=");
    }
    let (a, b) = (a.number(), b.number());
    match op {
        "<" => a < b,
        "<=" => a <= b,
        ">" => a > b,
        _ => a >= b,
    }
}

impl Value {
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Nodes(nodes) => nodes.first().map(Node::value).unwrap_or_default(),
            Self::Text(text) => text.clone(),
            Self::Truth(truth) => truth.to_string(),
            Self::Number(number) => function::from_number(*number),
        }
    }

    pub(crate) fn number(&self) -> f64 {
        match self {
            Self::Number(number) => *number,
            Self::Truth(truth) => f64::from(u8::from(*truth)),
            other => function::to_number(&other.text()),
        }
    }

    pub(crate) fn truth(&self) -> bool {
        match self {
            Self::Truth(truth) => *truth,
            Self::Number(number) => *number != 0.0 && !number.is_nan(),
            Self::Text(text) => !text.is_empty(),
            Self::Nodes(nodes) => !nodes.is_empty(),
        }
    }
}

#[cfg(test)]
mod tests;
