//! Patterns (§5.2): the paths that say which nodes a template is for.

use super::XsltError;
use crate::xml::xpath::{self, Axis, Expr, Host, Problem, Scope, Step, Test, Value};
use crate::xml::{Kind, Node};

/// A template rule.
pub(super) struct Rule {
    pub(super) path: Expr,
    pub(super) mode: Option<String>,
    pub(super) priority: f64,
    pub(super) template: usize,
}

/// The alternatives of a pattern, each a path that can be matched.
pub(super) fn alternatives(expr: Expr) -> Result<Vec<Expr>, XsltError> {
    let wrong =
        || XsltError::Stylesheet("a pattern is a path of children and attributes, or a key".to_owned());
    match expr {
        Expr::Binary("|", left, right) => {
            let mut all = alternatives(*left)?;
            all.extend(alternatives(*right)?);
            Ok(all)
        }
        Expr::Path(absolute, steps) => {
            let is_gap = |step: &Step| step.axis == Axis::DescendantOrSelf && step.test == Test::Node;
            let legal = |step: &Step| matches!(step.axis, Axis::Child | Axis::Attribute) || is_gap(step);
            if !steps.iter().all(legal) || steps.last().is_some_and(is_gap) {
                return Err(wrong());
            }
            Ok(vec![Expr::Path(absolute, steps)])
        }
        Expr::Call(name, args) if name == "key" => Ok(vec![Expr::Call(name, args)]),
        _ => Err(wrong()),
    }
}

/// The priority of a rule that does not give one (§5.5).
pub(super) fn default_priority(path: &Expr) -> f64 {
    let Expr::Path(false, steps) = path else { return 0.5 };
    let [Step { test, predicates, .. }] = steps.as_slice() else { return 0.5 };
    if !predicates.is_empty() {
        return 0.5;
    }
    match test {
        Test::Name(..) | Test::Instruction(Some(_)) => 0.0,
        Test::Space(_) => -0.25,
        _ => -0.5,
    }
}

/// Whether a node is one of those that a path is for.
pub(super) fn matches(
    path: &Expr,
    node: &Node,
    host: &dyn Host,
    budget: &mut usize,
) -> Result<bool, Problem> {
    match path {
        Expr::Path(absolute, steps) => steps_match(*absolute, steps, node, host, budget),
        key => {
            let scope = Scope { node, position: 1, size: 1 };
            let found = xpath::evaluate_with(key, &scope, host, budget)?;
            Ok(matches!(found, Value::Nodes(nodes) if nodes.iter().any(|one| one.same(node))))
        }
    }
}

fn is_root(node: &Node) -> bool {
    node.look(|kind| matches!(kind, Kind::Document { .. }))
}

fn steps_match(
    absolute: bool,
    steps: &[Step],
    node: &Node,
    host: &dyn Host,
    budget: &mut usize,
) -> Result<bool, Problem> {
    *budget = budget.checked_sub(1).ok_or(Problem::Budget)?;
    let Some((last, before)) = steps.split_last() else { return Ok(!absolute || is_root(node)) };
    if last.axis == Axis::DescendantOrSelf {
        // Any number of levels.
        let mut at = Some(node.clone());
        while let Some(around) = at {
            if steps_match(absolute, before, &around, host, budget)? {
                return Ok(true);
            }
            at = around.parent();
        }
        return Ok(false);
    }
    if is_root(node) || node.is_attribute() != (last.axis == Axis::Attribute) {
        return Ok(false);
    }
    if !xpath::matches(&last.test, last.axis, node) {
        return Ok(false);
    }
    let Some(parent) = node.parent() else { return Ok(before.is_empty() && !absolute) };
    if !last.predicates.iter().any(xpath::is_positional) {
        let scope = Scope { node, position: 1, size: 1 };
        for predicate in &last.predicates {
            if !xpath::evaluate_with(predicate, &scope, host, budget)?.truth() {
                return Ok(false);
            }
        }
    } else {
        let step = Step { axis: last.axis, test: last.test.clone(), predicates: last.predicates.clone() };
        let scope = Scope { node: &parent, position: 1, size: 1 };
        let found = xpath::evaluate_with(&Expr::Path(false, vec![step]), &scope, host, budget)?;
        let Value::Nodes(found) = found else { return Ok(false) };
        if !found.iter().any(|one| one.same(node)) {
            return Ok(false);
        }
    }
    match before {
        [] if !absolute => Ok(true),
        before => steps_match(absolute, before, &parent, host, budget),
    }
}
