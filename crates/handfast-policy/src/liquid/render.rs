//! Nodes to text.

use super::expression::{Comparison, Condition, Operand, Output, Step};
use super::{Budget, For, Inputs, Node, RenderError, value};
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::collections::HashMap;

pub(super) fn render(nodes: &[Node], inputs: &Inputs, budget: Budget) -> Result<String, RenderError> {
    let mut machine = Machine {
        inputs,
        scopes: vec![HashMap::new()],
        counters: HashMap::new(),
        cycles: HashMap::new(),
        steps: budget.steps,
        bytes: budget.bytes,
    };
    let mut out = String::new();
    machine.nodes(nodes, &mut out)?;
    Ok(out)
}

struct Machine<'a> {
    inputs: &'a Inputs,
    /// Variables; the first are the template's own, each loop has its item.
    scopes: Vec<HashMap<String, Value>>,
    counters: HashMap<String, i64>,
    cycles: HashMap<String, usize>,
    steps: u64,
    bytes: usize,
}

/// How a list of nodes ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flow {
    On,
    Break,
    Continue,
}

impl<'a> Machine<'a> {
    fn step(&mut self, count: usize) -> Result<(), RenderError> {
        self.steps = self.steps.checked_sub(count as u64 + 1).ok_or(RenderError::Budget("steps"))?;
        Ok(())
    }

    fn write(&mut self, text: &str, out: &mut String) -> Result<(), RenderError> {
        self.bytes = self.bytes.checked_sub(text.len()).ok_or(RenderError::Budget("bytes"))?;
        out.push_str(text);
        Ok(())
    }

    fn nodes(&mut self, nodes: &[Node], out: &mut String) -> Result<Flow, RenderError> {
        for node in nodes {
            self.step(0)?;
            let flow = self.node(node, out)?;
            if flow != Flow::On {
                return Ok(flow);
            }
        }
        Ok(Flow::On)
    }

    fn node(&mut self, node: &Node, out: &mut String) -> Result<Flow, RenderError> {
        match node {
            Node::Text(text) => self.write(text, out)?,
            Node::Output(output) => {
                let text = value::text(&self.output(output)?);
                self.write(&text, out)?;
            }
            Node::Assign { name, value } => {
                let value = self.output(value)?;
                self.set(name, value);
            }
            Node::Capture { name, body } => {
                let mut captured = String::new();
                let flow = self.nodes(body, &mut captured)?;
                self.set(name, Value::String(captured));
                return Ok(flow);
            }
            Node::If(branches) => {
                for (condition, nodes) in branches {
                    if condition.as_ref().map_or(Ok(true), |condition| self.holds(condition))? {
                        return self.nodes(nodes, out);
                    }
                }
            }
            Node::Case { subject, branches, otherwise } => {
                let subject = self.value(subject)?.into_owned();
                let mut matched = false;
                for (values, nodes) in branches {
                    if self.any_equals(values, &subject)? {
                        matched = true;
                        let flow = self.nodes(nodes, out)?;
                        if flow != Flow::On {
                            return Ok(flow);
                        }
                    }
                }
                if !matched {
                    return self.nodes(otherwise, out);
                }
            }
            Node::For(parts) => self.for_loop(parts, out)?,
            Node::Cycle { key, values } => {
                let turn = self.cycles.entry(key.clone()).or_default();
                let at = *turn % values.len().max(1);
                *turn += 1;
                if let Some(operand) = values.get(at) {
                    let text = value::text(&*self.value(operand)?);
                    self.write(&text, out)?;
                }
            }
            Node::Step { name, by } => {
                let counter = self.counters.entry(name.clone()).or_default();
                let shown = if *by > 0 { *counter } else { *counter - 1 };
                *counter += by;
                self.write(&shown.to_string(), out)?;
            }
            Node::Break => return Ok(Flow::Break),
            Node::Continue => return Ok(Flow::Continue),
        }
        Ok(Flow::On)
    }

    fn for_loop(&mut self, parts: &For, out: &mut String) -> Result<(), RenderError> {
        let mut items = self.items(&parts.list)?;
        let number = |machine: &mut Self, operand: &Option<Operand>| -> Result<Option<usize>, RenderError> {
            let Some(operand) = operand else { return Ok(None) };
            let found = value::number(&*machine.value(operand)?);
            Ok(found.map(|number| number.max(0.0) as usize))
        };
        if let Some(offset) = number(self, &parts.offset)? {
            items.drain(..offset.min(items.len()));
        }
        if let Some(limit) = number(self, &parts.limit)? {
            items.truncate(limit);
        }
        if parts.reversed {
            items.reverse();
        }
        if items.is_empty() {
            self.nodes(&parts.otherwise, out)?;
            return Ok(());
        }
        let length = items.len();
        for (index, item) in items.into_iter().enumerate() {
            self.step(1)?;
            if parts.json_array && index > 0 {
                self.write(",", out)?;
            }
            let mut scope = HashMap::with_capacity(2);
            scope.insert(parts.variable.clone(), item);
            scope.insert("forloop".to_owned(), position(index, length));
            self.scopes.push(scope);
            let flow = self.nodes(&parts.body, out);
            self.scopes.pop();
            if flow? == Flow::Break {
                break;
            }
        }
        Ok(())
    }

    /// The items of a list, the pairs of an object, the numbers of a range.
    fn items(&mut self, list: &Operand) -> Result<Vec<Value>, RenderError> {
        if let Operand::Range(from, to) = list {
            let bound = |value: &Value| value::number(value).unwrap_or_default() as i64;
            let (from, to) = (bound(&*self.value(from)?), bound(&*self.value(to)?));
            let length = to.saturating_sub(from).saturating_add(1).max(0) as usize;
            self.step(length)?;
            return Ok((from..=to).map(Value::from).collect());
        }
        let items = match &*self.value(list)? {
            Value::Array(items) => items.clone(),
            Value::Object(members) => members
                .iter()
                .map(|(name, value)| Value::Array(vec![name.clone().into(), value.clone()]))
                .collect(),
            _ => Vec::new(),
        };
        self.step(items.len())?;
        Ok(items)
    }

    fn set(&mut self, name: &str, value: Value) {
        if let Some(scope) = self.scopes.first_mut() {
            scope.insert(name.to_owned(), value);
        }
    }

    fn output(&mut self, output: &Output) -> Result<Value, RenderError> {
        let mut value = self.value(&output.operand)?.into_owned();
        for call in &output.filters {
            let mut arguments = Vec::with_capacity(call.arguments.len());
            for argument in &call.arguments {
                arguments.push(self.value(argument)?.into_owned());
            }
            self.step(size(&value))?;
            value = (call.filter.apply)(value, &arguments).map_err(RenderError::Filter)?;
            self.step(size(&value))?;
        }
        Ok(value)
    }

    fn value<'m>(&'m mut self, operand: &'m Operand) -> Result<Cow<'m, Value>, RenderError> {
        self.step(0)?;
        match operand {
            Operand::Literal(value) => Ok(Cow::Borrowed(value)),
            Operand::Empty => Ok(Cow::Owned(Value::String(String::new()))),
            Operand::Range(..) => {
                let items = self.items(operand)?;
                Ok(Cow::Owned(Value::Array(items)))
            }
            Operand::Path { root, steps } => {
                let mut indices = Vec::new();
                for step in steps {
                    if let Step::Index(operand) = step {
                        indices.push(self.value(operand)?.into_owned());
                    }
                }
                let mut indices = indices.into_iter();
                let mut current = self.root(root);
                for step in steps {
                    let index = match step {
                        Step::Name(name) => Value::String(name.clone()),
                        Step::Index(_) => indices.next().unwrap_or(Value::Null),
                    };
                    current = match current {
                        Cow::Borrowed(value) => value::item(value, &index),
                        Cow::Owned(value) => Cow::Owned(value::item(&value, &index).into_owned()),
                    };
                }
                Ok(current)
            }
        }
    }

    fn root(&self, name: &str) -> Cow<'_, Value> {
        let variable = self.scopes.iter().rev().find_map(|scope| scope.get(name));
        match (variable, name) {
            (Some(value), _) => Cow::Borrowed(value),
            (None, "body") => Cow::Borrowed(&self.inputs.body),
            (None, "context") => Cow::Borrowed(&self.inputs.context),
            (None, _) => Cow::Owned(self.counters.get(name).map_or(Value::Null, |&counter| counter.into())),
        }
    }

    fn any_equals(&mut self, operands: &[Operand], subject: &Value) -> Result<bool, RenderError> {
        for operand in operands {
            if matches!(operand, Operand::Empty) && value::is_empty(subject) {
                return Ok(true);
            }
            if value::equal(&*self.value(operand)?, subject) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn holds(&mut self, condition: &Condition) -> Result<bool, RenderError> {
        Ok(match condition {
            Condition::Truth(operand) => value::is_true(&*self.value(operand)?),
            Condition::Not(inner) => !self.holds(inner)?,
            Condition::And(left, right) => self.holds(left)? && self.holds(right)?,
            Condition::Or(left, right) => self.holds(left)? || self.holds(right)?,
            Condition::Compare(left, comparison, right) => self.compares(left, *comparison, right)?,
        })
    }

    fn compares(
        &mut self,
        left: &Operand,
        comparison: Comparison,
        right: &Operand,
    ) -> Result<bool, RenderError> {
        if matches!(comparison, Comparison::Equal | Comparison::NotEqual) {
            let wanted = comparison == Comparison::Equal;
            let one = match (left, right) {
                (Operand::Empty, other) | (other, Operand::Empty) => Some(other),
                _ => None,
            };
            if let Some(operand) = one {
                return Ok(value::is_empty(&*self.value(operand)?) == wanted);
            }
        }
        let left = self.value(left)?.into_owned();
        let right = self.value(right)?;
        let order = value::compare(&left, &right);
        Ok(match comparison {
            Comparison::Equal => value::equal(&left, &right),
            Comparison::NotEqual => !value::equal(&left, &right),
            Comparison::Less => order.is_some_and(|order| order.is_lt()),
            Comparison::LessOrEqual => order.is_some_and(|order| order.is_le()),
            Comparison::Greater => order.is_some_and(|order| order.is_gt()),
            Comparison::GreaterOrEqual => order.is_some_and(|order| order.is_ge()),
            Comparison::StartsWith => value::text(&left).starts_with(&value::text(&right)),
            Comparison::EndsWith => value::text(&left).ends_with(&value::text(&right)),
            Comparison::Contains => match &left {
                Value::Array(items) => items.iter().any(|item| value::equal(item, &right)),
                Value::Object(members) => members.contains_key(&value::text(&right)),
                other => value::text(other).contains(&value::text(&right)),
            },
        })
    }
}

/// `forloop` of an item.
fn position(index: usize, length: usize) -> Value {
    let mut position = Map::new();
    for (name, number) in [
        ("index", index + 1),
        ("index0", index),
        ("rindex", length - index),
        ("rindex0", length - index - 1),
        ("length", length),
    ] {
        position.insert(name.to_owned(), number.into());
    }
    position.insert("first".to_owned(), (index == 0).into());
    position.insert("last".to_owned(), (index + 1 == length).into());
    Value::Object(position)
}

/// What a filter works through: characters or items.
fn size(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len() / 16,
        Value::Array(items) => items.iter().map(|item| 1 + size(item)).sum(),
        _ => 0,
    }
}
