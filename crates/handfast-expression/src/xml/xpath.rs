//! XPath 1.0 over the nodes of [`super`]: parsed to a small tree, evaluated with a budget of visited nodes.
//!
//! Source: the W3C recommendation of 16 November 1999. Variables and further functions are those of a [`Host`],
//! and the namespace axis is refused; `id()` finds nothing because there are no document types.

mod axis;
mod function;
mod parse;

pub(crate) use axis::{Order, matches};
pub(crate) use function::from_number;
pub(crate) use parse::parse;

use super::Node;
pub(crate) use axis::Axis;

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
    Variable(String),
    Call(String, Vec<Expr>),
}

/// Where an expression is evaluated.
pub(crate) struct Scope<'a> {
    pub(crate) node: &'a Node,
    pub(crate) position: usize,
    pub(crate) size: usize,
}

/// What an expression may reach beside its document.
pub(crate) trait Host {
    /// A variable by its expanded name.
    fn variable(&self, name: &str) -> Option<Value>;

    /// A function that is not of the core library; `None` when it is not known either.
    fn call(
        &self,
        function: &str,
        args: &[Value],
        scope: &Scope<'_>,
        budget: &mut usize,
    ) -> Option<Result<Value, Problem>>;
}

/// Evaluates over a node; `budget` counts visited nodes.
pub(crate) fn evaluate(expr: &Expr, node: &Node, budget: &mut usize) -> Result<Value, Problem> {
    Evaluator { budget, host: None }.expr(expr, &Scope { node, position: 1, size: 1 })
}

/// The same with variables and functions of a host.
pub(crate) fn evaluate_with(
    expr: &Expr,
    scope: &Scope<'_>,
    host: &dyn Host,
    budget: &mut usize,
) -> Result<Value, Problem> {
    Evaluator { budget, host: Some(host) }.expr(expr, scope)
}

struct Evaluator<'a> {
    budget: &'a mut usize,
    host: Option<&'a dyn Host>,
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
                match self.host.and_then(|host| host.call(name, &values, scope, self.budget)) {
                    Some(value) => value?,
                    None => function::call(name, values, scope)?,
                }
            }
            Expr::Variable(name) => match self.host.and_then(|host| host.variable(name)) {
                Some(value) => value,
                None => {
                    return Err(Problem::Syntax(format!(
                        "The variable or parameter '{name}' is not defined."
                    )));
                }
            },
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
        let mut steps = steps.iter();
        while let Some(step) = steps.next() {
            let together = steps.as_slice().first().and_then(|next| descendants(step, next));
            let step = match &together {
                Some(both) => {
                    steps.next();
                    both
                }
                None => step,
            };
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
        let mut order = axis::Order::default();
        for node in nodes {
            let key = order.key(&node);
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

/// `//` and the step behind it as one step, where that finds the same nodes: no predicate asks for a place.
fn descendants(step: &Step, next: &Step) -> Option<Step> {
    let gap = step.axis == Axis::DescendantOrSelf && step.test == Test::Node && step.predicates.is_empty();
    let plain = next.axis == Axis::Child && !next.predicates.iter().any(is_positional);
    (gap && plain).then(|| Step {
        axis: Axis::Descendant,
        test: next.test.clone(),
        predicates: next.predicates.clone(),
    })
}

/// Whether a predicate may depend on the place of a node among the others.
pub(crate) fn is_positional(predicate: &Expr) -> bool {
    const NUMBERS: &[&str] =
        &["position", "last", "count", "sum", "number", "floor", "ceiling", "round", "string-length"];
    match predicate {
        Expr::Text(_) | Expr::Path(..) => false,
        Expr::Number(_) | Expr::Negate(_) | Expr::Variable(_) => true,
        Expr::Binary("+" | "-" | "*" | "div" | "mod", ..) => true,
        Expr::Binary(_, left, right) => asks_for_place(left) || asks_for_place(right),
        Expr::Call(name, args) => {
            NUMBERS.contains(&name.as_str()) || name.contains(':') || args.iter().any(asks_for_place)
        }
        Expr::Filter(inner, ..) => asks_for_place(inner),
    }
}

/// Whether a part of a predicate calls `position()` or `last()` of that predicate.
fn asks_for_place(expr: &Expr) -> bool {
    match expr {
        Expr::Call(name, args) => {
            matches!(name.as_str(), "position" | "last") || args.iter().any(asks_for_place)
        }
        Expr::Binary(_, left, right) => asks_for_place(left) || asks_for_place(right),
        Expr::Negate(inner) | Expr::Filter(inner, ..) => asks_for_place(inner),
        Expr::Number(_) | Expr::Text(_) | Expr::Variable(_) | Expr::Path(..) => false,
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
