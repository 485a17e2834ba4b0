//! The transformation: templates chosen and run over the source, what they make collected in a result tree.

use super::compile::prefixes;
use super::function::Functions;
use super::output::Builder;
use super::{Avt, Binding, DEPTH_MAX, Op, Part, STEPS_MAX, Sort, Stylesheet, Variable, XsltError, pattern};
use crate::xml::xpath::{self, Expr, Problem, Scope, Value};
use crate::xml::{Kind, Name, Node};
use std::cell::{Cell, RefCell};
use std::cmp::Ordering;
use std::collections::HashMap;

pub(super) fn apply(
    sheet: &Stylesheet,
    source: &Node,
    parameters: &[(&str, &str)],
) -> Result<String, XsltError> {
    strip(sheet, source);
    let run = Run {
        sheet,
        steps: Cell::new(STEPS_MAX),
        globals: RefCell::default(),
        keys: RefCell::default(),
        ids: RefCell::default(),
    };
    run.globals(source, parameters)?;
    let mut out = Builder::default();
    let focus = Focus { node: source.clone(), position: 1, size: 1 };
    run.rule(&focus, None, &Vec::new(), &mut out, 0)?;
    sheet.output.text(&out.finish()?)
}

/// Drops the white space that the stylesheet says (§3.4).
fn strip(sheet: &Stylesheet, source: &Node) {
    if sheet.spaces.is_empty() {
        return;
    }
    for node in source.descendants() {
        let blank = node.look(|kind| matches!(kind, Kind::Text(text) if text.trim().is_empty()));
        let Some(parent) = node.parent().filter(|_| blank) else { continue };
        let fits = |test: &xpath::Test| xpath::matches(test, xpath::Axis::Child, &parent);
        if sheet.spaces.iter().rev().find(|(test, _)| fits(test)).is_some_and(|(_, strips)| *strips) {
            node.detach();
        }
    }
}

/// The current node with its place among those that are being worked through.
pub(super) struct Focus {
    pub(super) node: Node,
    pub(super) position: usize,
    pub(super) size: usize,
}

pub(super) type Locals = Vec<(String, Value)>;
type Done = Result<(), XsltError>;

pub(super) struct Run<'s> {
    pub(super) sheet: &'s Stylesheet,
    steps: Cell<usize>,
    pub(super) globals: RefCell<Locals>,
    /// Nodes by name and value of a key, for the document whose root stands beside.
    pub(super) keys: RefCell<HashMap<(String, String), Vec<Node>>>,
    /// Nodes that have been given an id.
    pub(super) ids: RefCell<Vec<Node>>,
}

impl Run<'_> {
    fn spend(&self, count: usize) -> Done {
        let left = self.steps.get().checked_sub(count);
        self.steps.set(left.ok_or_else(|| XsltError::of(Problem::Budget))?);
        Ok(())
    }

    pub(super) fn eval(&self, expr: &Expr, focus: &Focus, locals: &Locals) -> Result<Value, XsltError> {
        let host = Functions { run: self, locals, current: &focus.node };
        let scope = Scope { node: &focus.node, position: focus.position, size: focus.size };
        let mut budget = self.steps.get();
        let value = xpath::evaluate_with(expr, &scope, &host, &mut budget);
        self.steps.set(budget);
        value.map_err(XsltError::of)
    }

    pub(super) fn is_match(&self, path: &Expr, node: &Node) -> Result<bool, XsltError> {
        let locals = Vec::new();
        let host = Functions { run: self, locals: &locals, current: node };
        let mut budget = self.steps.get();
        let found = pattern::matches(path, node, &host, &mut budget);
        self.steps.set(budget);
        found.map_err(XsltError::of)
    }

    /// Global variables, in an order in which each finds those that it names (§11.4).
    fn globals(&self, source: &Node, parameters: &[(&str, &str)]) -> Done {
        let focus = Focus { node: source.clone(), position: 1, size: 1 };
        let mut waiting: Vec<&Variable> = self.sheet.globals.iter().collect();
        while !waiting.is_empty() {
            let (before, mut failed, mut why) = (waiting.len(), Vec::new(), None);
            for variable in waiting {
                let given = parameters.iter().find(|(name, _)| variable.parameter && *name == variable.name);
                let value = match given {
                    Some((_, text)) => Ok(Value::Text((*text).to_owned())),
                    None => self.bound(&variable.value, &focus, &Vec::new(), 0),
                };
                match value {
                    Ok(value) => self.globals.borrow_mut().push((variable.name.clone(), value)),
                    Err(error @ XsltError::Limit(_)) => return Err(error),
                    Err(error) => {
                        failed.push(variable);
                        why = Some(error);
                    }
                }
            }
            if let Some(error) = why.filter(|_| failed.len() == before) {
                return Err(error);
            }
            waiting = failed;
        }
        Ok(())
    }

    fn bound(
        &self,
        binding: &Binding,
        focus: &Focus,
        locals: &Locals,
        depth: usize,
    ) -> Result<Value, XsltError> {
        match binding {
            Binding::Select(expr) => self.eval(expr, focus, locals),
            Binding::Body(body) => {
                let mut out = Builder::default();
                self.body(body, focus, &mut locals.clone(), &mut out, depth + 1)?;
                Ok(Value::Nodes(vec![out.finish()?]))
            }
        }
    }

    fn values(
        &self,
        with: &[Variable],
        focus: &Focus,
        locals: &Locals,
        depth: usize,
    ) -> Result<Locals, XsltError> {
        with.iter().map(|one| Ok((one.name.clone(), self.bound(&one.value, focus, locals, depth)?))).collect()
    }

    /// Runs the rule for a node, or what is built in (§5.8).
    fn rule(
        &self,
        focus: &Focus,
        mode: Option<&str>,
        with: &Locals,
        out: &mut Builder,
        depth: usize,
    ) -> Done {
        self.spend(1)?;
        for rule in self.sheet.rules.iter().filter(|rule| rule.mode.as_deref() == mode) {
            if self.is_match(&rule.path, &focus.node)? {
                return self.template(rule.template, focus, with, out, depth);
            }
        }
        let text = focus.node.look(|kind| match kind {
            Kind::Text(text) | Kind::CData(text) => Some(text.clone()),
            Kind::Attribute { value, .. } => Some(value.clone()),
            Kind::Comment(_) | Kind::Instruction { .. } => Some(String::new()),
            Kind::Document { .. } | Kind::Element { .. } => None,
        });
        match text {
            Some(text) => out.text(&text),
            None => self.all(&focus.node.nodes(), mode, &Vec::new(), out, depth),
        }
    }

    fn all(
        &self,
        nodes: &[Node],
        mode: Option<&str>,
        with: &Locals,
        out: &mut Builder,
        depth: usize,
    ) -> Done {
        if depth >= DEPTH_MAX {
            return Err(XsltError::Limit(format!("templates nest deeper than {DEPTH_MAX}")));
        }
        let size = nodes.len();
        for (index, node) in nodes.iter().enumerate() {
            let focus = Focus { node: node.clone(), position: index + 1, size };
            self.rule(&focus, mode, with, out, depth + 1)?;
        }
        Ok(())
    }

    fn template(&self, index: usize, focus: &Focus, with: &Locals, out: &mut Builder, depth: usize) -> Done {
        if depth >= DEPTH_MAX {
            return Err(XsltError::Limit(format!("templates nest deeper than {DEPTH_MAX}")));
        }
        let Some(template) = self.sheet.templates.get(index) else { return Ok(()) };
        let mut locals = Locals::new();
        for parameter in &template.parameters {
            let given = with.iter().find(|(name, _)| *name == parameter.name).map(|(_, value)| value.clone());
            let value = match given {
                Some(value) => value,
                None => self.bound(&parameter.value, focus, &locals, depth)?,
            };
            locals.push((parameter.name.clone(), value));
        }
        self.body(&template.body, focus, &mut locals, out, depth)
    }

    fn body(&self, ops: &[Op], focus: &Focus, locals: &mut Locals, out: &mut Builder, depth: usize) -> Done {
        let before = locals.len();
        for op in ops {
            self.spend(1)?;
            self.op(op, focus, locals, out, depth)?;
        }
        locals.truncate(before);
        Ok(())
    }

    fn op(&self, op: &Op, focus: &Focus, locals: &mut Locals, out: &mut Builder, depth: usize) -> Done {
        match op {
            Op::Text(text) => out.text(text),
            Op::ValueOf(expr) => out.text(&self.eval(expr, focus, locals)?.text()),
            Op::CopyOf(expr) => match self.eval(expr, focus, locals)? {
                Value::Nodes(nodes) => nodes.iter().try_for_each(|node| self.copied(node, out)),
                other => out.text(&other.text()),
            },
            Op::Variable(variable) => {
                let value = self.bound(&variable.value, focus, locals, depth)?;
                locals.push((variable.name.clone(), value));
                Ok(())
            }
            Op::Choose(branches) => {
                for (test, body) in branches {
                    let holds = match test {
                        Some(test) => self.eval(test, focus, locals)?.truth(),
                        None => true,
                    };
                    if holds {
                        return self.body(body, focus, locals, out, depth);
                    }
                }
                Ok(())
            }
            Op::ForEach { select, sorts, body } => {
                let nodes = self.sorted(self.nodes(select, focus, locals)?, sorts, locals)?;
                let size = nodes.len();
                for (index, node) in nodes.into_iter().enumerate() {
                    self.body(body, &Focus { node, position: index + 1, size }, locals, out, depth)?;
                }
                Ok(())
            }
            Op::Apply { select, mode, sorts, with } => {
                let nodes = match select {
                    Some(select) => self.nodes(select, focus, locals)?,
                    None => focus.node.nodes(),
                };
                let nodes = self.sorted(nodes, sorts, locals)?;
                let with = self.values(with, focus, locals, depth)?;
                self.all(&nodes, mode.as_deref(), &with, out, depth)
            }
            Op::Call { name, with } => {
                let Some(index) = self.sheet.named.get(name) else {
                    return Err(XsltError::Failed(format!("there is no template with the name '{name}'")));
                };
                let with = self.values(with, focus, locals, depth)?;
                self.template(*index, focus, &with, out, depth + 1)
            }
            other => self.made(other, focus, locals, out, depth),
        }
    }

    /// Instructions that make a node.
    fn made(&self, op: &Op, focus: &Focus, locals: &mut Locals, out: &mut Builder, depth: usize) -> Done {
        match op {
            Op::Literal { name, prefixes, attributes, body } => {
                out.open(name.clone(), prefixes)?;
                for (name, value) in attributes {
                    let value = self.avt(value, focus, locals)?;
                    out.attribute(name.clone(), &value)?;
                }
                self.body(body, focus, locals, out, depth)?;
                out.close()
            }
            Op::Element { name, space, prefixes, body } => {
                let (name, prefix) = self.name(name, space.as_ref(), (prefixes, true), (focus, locals))?;
                let bound = [(prefix, name.space.to_string())];
                out.open(name, &bound)?;
                self.body(body, focus, locals, out, depth)?;
                out.close()
            }
            Op::Attribute { name, space, prefixes, body } => {
                let (name, prefix) = self.name(name, space.as_ref(), (prefixes, false), (focus, locals))?;
                let value = self.inner(body, focus, locals, depth)?;
                if !prefix.is_empty() && !name.space.is_empty() {
                    out.bind(&prefix, &name.space);
                }
                out.attribute(name, &value)
            }
            Op::Copy(body) => self.copy(body, focus, locals, out, depth),
            Op::Comment(body) => {
                let text = self.inner(body, focus, locals, depth)?.replace("--", "- -");
                out.add(Node::new(Kind::Comment(text)))
            }
            Op::Instruction { name, body } => {
                let target = self.avt(name, focus, locals)?;
                let data = self.inner(body, focus, locals, depth)?.replace("?>", "? >");
                out.add(Node::new(Kind::Instruction { target, data }))
            }
            Op::Number(numbering) => {
                let text = numbering.text(self, focus, locals)?;
                out.text(&text)
            }
            Op::Message { terminate, body } => {
                let text = self.inner(body, focus, locals, depth)?;
                match terminate {
                    true => {
                        Err(XsltError::Failed(format!("the stylesheet ended the transformation: {text}")))
                    }
                    false => Ok(()),
                }
            }
            _ => Ok(()),
        }
    }

    fn copy(&self, body: &[Op], focus: &Focus, locals: &mut Locals, out: &mut Builder, depth: usize) -> Done {
        enum What {
            Document,
            Element(Name),
            Leaf,
        }
        let what = focus.node.look(|kind| match kind {
            Kind::Document { .. } => What::Document,
            Kind::Element { name, .. } => What::Element(name.clone()),
            _ => What::Leaf,
        });
        match what {
            What::Document => self.body(body, focus, locals, out, depth),
            What::Leaf => self.copied(&focus.node, out),
            What::Element(name) => {
                out.open(name, &prefixes(&focus.node))?;
                self.body(body, focus, locals, out, depth)?;
                out.close()
            }
        }
    }

    /// A node with everything below it; of a document what is in it.
    fn copied(&self, node: &Node, out: &mut Builder) -> Done {
        self.spend(1 + node.descendants().len())?;
        let leaf = node.look(|kind| match kind {
            Kind::Document { .. } => None,
            Kind::Attribute { name, value } => Some(Ok((name.clone(), value.clone()))),
            Kind::Text(text) | Kind::CData(text) => Some(Err(text.clone())),
            _ => Some(Err(String::new())),
        });
        match leaf {
            None => node.nodes().iter().try_for_each(|child| self.copied(child, out)),
            Some(Ok((name, value))) => out.attribute(name, &value),
            Some(Err(text)) if !text.is_empty() => out.text(&text),
            Some(Err(_)) => {
                let copy = node.deep_clone();
                if copy.is_element() {
                    for (prefix, space) in prefixes(node) {
                        out.bind_on(&copy, &prefix, &space);
                    }
                }
                out.add(copy)
            }
        }
    }

    fn nodes(&self, select: &Expr, focus: &Focus, locals: &Locals) -> Result<Vec<Node>, XsltError> {
        match self.eval(select, focus, locals)? {
            Value::Nodes(nodes) => Ok(nodes),
            _ => Err(XsltError::Failed("an expression gives no nodes where nodes are selected".to_owned())),
        }
    }

    fn sorted(&self, nodes: Vec<Node>, sorts: &[Sort], locals: &Locals) -> Result<Vec<Node>, XsltError> {
        if sorts.is_empty() {
            return Ok(nodes);
        }
        let size = nodes.len();
        let mut keyed = Vec::with_capacity(size);
        let mut directions = Vec::new();
        for (index, node) in nodes.into_iter().enumerate() {
            let focus = Focus { node, position: index + 1, size };
            let mut keys = Vec::with_capacity(sorts.len());
            for sort in sorts {
                if directions.len() < sorts.len() {
                    let numeric = self.avt(&sort.numeric, &focus, locals)? == "number";
                    directions.push((numeric, self.avt(&sort.order, &focus, locals)? == "descending"));
                }
                let value = self.eval(&sort.select, &focus, locals)?;
                keys.push(value.text());
            }
            keyed.push((keys, focus.node));
        }
        self.spend(size)?;
        keyed.sort_by(|(a, _), (b, _)| {
            let order = |((one, other), (numeric, descending)): ((&String, &String), &(bool, bool))| {
                let order = if *numeric { by_number(one, other) } else { by_text(one, other) };
                if *descending { order.reverse() } else { order }
            };
            a.iter().zip(b).zip(&directions).map(order).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
        });
        Ok(keyed.into_iter().map(|(_, node)| node).collect())
    }

    /// The text that instructions make.
    fn inner(
        &self,
        body: &[Op],
        focus: &Focus,
        locals: &mut Locals,
        depth: usize,
    ) -> Result<String, XsltError> {
        let mut out = Builder::default();
        self.body(body, focus, locals, &mut out, depth)?;
        Ok(out.finish()?.value())
    }

    pub(super) fn avt(&self, parts: &Avt, focus: &Focus, locals: &Locals) -> Result<String, XsltError> {
        let mut out = String::new();
        for part in parts {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Value(expr) => out.push_str(&self.eval(expr, focus, locals)?.text()),
            }
        }
        Ok(out)
    }

    /// A name that is worked out, with its prefix; the default namespace counts for elements only.
    fn name(
        &self,
        name: &Avt,
        space: Option<&Avt>,
        (prefixes, element): (&[(String, String)], bool),
        (focus, locals): (&Focus, &Locals),
    ) -> Result<(Name, String), XsltError> {
        let text = self.avt(name, focus, locals)?;
        let (prefix, local) = text.split_once(':').unwrap_or(("", &text));
        let legal = |part: &str| {
            part.starts_with(|c: char| c.is_alphabetic() || c == '_')
                && part.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '\u{b7}'))
        };
        if !legal(local) || !(prefix.is_empty() || legal(prefix)) || (!element && text == "xmlns") {
            return Err(XsltError::Failed(format!("'{text}' is no name of an element or attribute")));
        }
        let space = match space {
            Some(space) => self.avt(space, focus, locals)?,
            None if prefix.is_empty() && !element => String::new(),
            None => match prefixes.iter().find(|(known, _)| known == prefix) {
                Some((_, space)) => space.clone(),
                None if prefix.is_empty() => String::new(),
                None => return Err(XsltError::Failed(format!("the prefix of '{text}' is not declared"))),
            },
        };
        Ok((Name::new(&space, local), prefix.to_owned()))
    }
}

/// Numbers first that are none, then by value (§10).
fn by_number(one: &str, other: &str) -> Ordering {
    let number = |text: &str| Value::Text(text.to_owned()).number();
    let (a, b) = (number(one), number(other));
    match (a.is_nan(), b.is_nan()) {
        (true, true) => Ordering::Equal,
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
        _ => a.total_cmp(&b),
    }
}

/// As a reader would look it up: letter case only decides between equals, lower case first.
fn by_text(one: &str, other: &str) -> Ordering {
    one.to_lowercase().cmp(&other.to_lowercase()).then_with(|| other.cmp(one))
}
