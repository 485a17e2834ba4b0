//! Evaluating expressions, and JSON with expressions in it, in an [`Environment`].
//!
//! Parameters and variables are evaluated when first asked for and remembered in the [`Frame`] of their
//! template; a value that needs itself is an error. Every evaluation has a budget of steps.

use crate::expression::{Expression, Text, parse_text};
use crate::fault::{Evaluated, Fault, Stop, did_you_mean, fault};
use crate::function::{self, Evaluator};
use crate::parameter::{Parameters, describe};
use crate::scope::Scope;
use crate::template::{Template, Variable, member, member_of};
use serde_json::{Map, Value};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Steps of one evaluation, all that it calls included.
const STEPS_MAX: u32 = 2_000_000;
/// Depth of calls through parameters, variables and user functions.
const CALL_DEPTH_MAX: u32 = 200;
/// The most instances of one loop.
pub(crate) const COPY_COUNT_MAX: usize = 800;

/// A template with its parameters: what expressions of one deployment share.
pub(crate) struct Frame {
    pub(crate) template: Template,
    pub(crate) given: Parameters,
    /// The scope that functions speak of.
    pub(crate) scope: Scope,
    /// The scope that resources are deployed to; differs only in nested templates with outer scope.
    pub(crate) target: Scope,
    /// Loops of parents around a nested template with outer scope.
    pub(crate) loops: Vec<(String, usize)>,
    memo: Mutex<HashMap<String, Value>>,
}

impl Frame {
    pub(crate) fn new(template: Template, given: Parameters, scope: Scope) -> Self {
        let target = scope.clone();
        Self { template, given, scope, target, loops: Vec::new(), memo: Mutex::default() }
    }

    /// Takes over the loops and the values already evaluated of the frame whose names this one shares.
    pub(crate) fn inherit(&mut self, parent: &Frame) {
        self.loops = parent.loops.clone();
        *self.memo() = parent.memo().clone();
    }

    /// A panic while the lock is held cannot leave a half-written entry, so poisoning is ignored.
    fn memo(&self) -> MutexGuard<'_, HashMap<String, Value>> {
        self.memo.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// When an expression is evaluated: some functions exist only at some times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// A parameter's default value: `newGuid` and `utcNow` are allowed.
    Default,
    /// Before the deployment starts: names, conditions, counts.
    Start,
    /// When all dependencies are deployed: `reference` and `list*` are allowed.
    Run,
}

/// The state of deployed resources, as expressions see it.
pub(crate) trait Runtime {
    /// `reference()`: the resource by id, symbolic name or name.
    fn reference(&self, target: &str, api_version: Option<&str>, full: bool) -> Evaluated<Value>;
    /// `references()`: all instances of a loop.
    fn references(&self, target: &str, full: bool) -> Evaluated<Value>;
    /// `list*()`.
    fn action(&self, name: &str, target: &str, api_version: &str, body: Value) -> Evaluated<Value>;
    /// `resourceInfo()`.
    fn info(&self, symbol: &str) -> Evaluated<Value>;
}

/// Where one expression is evaluated.
pub(crate) struct Environment<'e> {
    pub(crate) frame: &'e Frame,
    pub(crate) runtime: Option<&'e dyn Runtime>,
    pub(crate) phase: Phase,
    /// Loops around the expression, innermost last.
    loops: RefCell<Vec<(String, usize)>>,
    locals: RefCell<Vec<(String, Value)>>,
    own_parameters: Option<Map<String, Value>>,
    /// Parameters and variables being evaluated, to find circles.
    open: RefCell<Vec<String>>,
    steps: Cell<u32>,
    depth: Cell<u32>,
}

impl<'e> Environment<'e> {
    pub(crate) fn new(frame: &'e Frame, phase: Phase) -> Self {
        Self {
            frame,
            runtime: None,
            phase,
            loops: RefCell::new(frame.loops.clone()),
            locals: RefCell::default(),
            own_parameters: None,
            open: RefCell::default(),
            steps: Cell::new(STEPS_MAX),
            depth: Cell::new(0),
        }
    }

    pub(crate) fn with_runtime(mut self, runtime: &'e dyn Runtime) -> Self {
        self.runtime = Some(runtime);
        self.phase = Phase::Run;
        self
    }

    pub(crate) fn with_loop(self, entry: Option<&(String, usize)>) -> Self {
        self.loops.borrow_mut().extend(entry.cloned());
        self
    }

    /// An environment of the same evaluation with another phase or function parameters; it shares the budget
    /// by taking it along and handing it back in [`Environment::join`].
    fn fork(&self, phase: Phase) -> Environment<'e> {
        Environment {
            frame: self.frame,
            runtime: None,
            phase,
            loops: RefCell::default(),
            locals: RefCell::default(),
            own_parameters: None,
            open: RefCell::new(self.open.borrow().clone()),
            steps: Cell::new(self.steps.get()),
            depth: Cell::new(self.depth.get() + 1),
        }
    }

    fn join(&self, fork: &Environment<'_>) {
        self.steps.set(fork.steps.get());
    }

    fn step(&self) -> Evaluated<()> {
        match self.steps.get().checked_sub(1) {
            Some(left) => {
                self.steps.set(left);
                Ok(())
            }
            None => fault(format!("the evaluation takes more than {STEPS_MAX} steps")),
        }
    }

    /// Evaluates all expressions in a JSON value.
    pub(crate) fn value(&self, value: &Value) -> Evaluated<Value> {
        self.step()?;
        match value {
            Value::String(text) => self.text(text),
            Value::Array(items) => {
                items.iter().map(|item| self.value(item)).collect::<Evaluated<_>>().map(Value::Array)
            }
            Value::Object(map) => self.object(map).map(Value::Object),
            other => Ok(other.clone()),
        }
    }

    pub(crate) fn text(&self, text: &str) -> Evaluated<Value> {
        match parse_text(text)? {
            Text::Literal(literal) => Ok(Value::String(literal)),
            Text::Expression(term) => self.term(&term),
        }
    }

    fn object(&self, map: &Map<String, Value>) -> Evaluated<Map<String, Value>> {
        let mut out = Map::new();
        for (key, value) in map {
            if let Some(loops) = copy_entries(key, value) {
                for entry in loops {
                    let name = self.string(&entry["name"], "copy name")?;
                    out.insert(name, Value::Array(self.copied(entry)?));
                }
                continue;
            }
            let key = match self.text(key)? {
                Value::String(key) => key,
                other => {
                    return fault(format!(
                        "member name \"{key}\" evaluates to {}; a string is needed",
                        describe(&other)
                    ));
                }
            };
            out.insert(key, self.value(value)?);
        }
        Ok(out)
    }

    /// The elements of a property, variable or output loop.
    pub(crate) fn copied(&self, entry: &Value) -> Evaluated<Vec<Value>> {
        let name = entry["name"].as_str().unwrap_or_default().to_owned();
        let count = self.count(&entry["count"])?;
        let mut items = Vec::new();
        for index in 0..count {
            self.loops.borrow_mut().push((name.clone(), index));
            let item = self.value(&entry["input"]);
            self.loops.borrow_mut().pop();
            items.push(item?);
        }
        Ok(items)
    }

    /// A loop count.
    pub(crate) fn count(&self, count: &Value) -> Evaluated<usize> {
        let value = self.value(count)?;
        match value.as_i64().and_then(|count| usize::try_from(count).ok()) {
            Some(count) if count <= COPY_COUNT_MAX => Ok(count),
            _ => fault(format!("copy count is {value}; 0 to {COPY_COUNT_MAX} would be accepted")),
        }
    }

    /// Evaluates something that must be a string.
    pub(crate) fn string(&self, value: &Value, what: &str) -> Evaluated<String> {
        match self.value(value)? {
            Value::String(text) => Ok(text),
            other => fault(format!("{what} is {}; a string is needed", describe(&other))),
        }
    }

    pub(crate) fn term(&self, term: &Expression) -> Evaluated<Value> {
        self.step()?;
        match term {
            Expression::Text(text) => Ok(Value::String(text.clone())),
            Expression::Number(number) => Ok((*number).into()),
            Expression::Property { of, name } => property(&self.term(of)?, name),
            Expression::Index { of, index } => element(&self.term(of)?, &self.term(index)?),
            Expression::Call { name, arguments } => self.call(name, arguments),
        }
    }

    fn call(&self, name: &str, arguments: &[Expression]) -> Evaluated<Value> {
        if name.contains('.') {
            return self.user_function(name, arguments);
        }
        let Some(entry) = function::find(name, arguments.len())? else {
            let values = self.terms(arguments)?;
            return function::list_action(self, name, values);
        };
        match entry.evaluator {
            Evaluator::Lazy(evaluate) => evaluate(self, arguments),
            Evaluator::Eager(evaluate) => {
                let values = self.terms(arguments)?;
                evaluate(self, values).map_err(|stop| in_function(stop, entry.name))
            }
        }
    }

    fn terms(&self, arguments: &[Expression]) -> Evaluated<Vec<Value>> {
        arguments.iter().map(|argument| self.term(argument)).collect()
    }

    fn user_function(&self, name: &str, arguments: &[Expression]) -> Evaluated<Value> {
        let Some(function) = self.frame.template.user_function(name) else {
            return fault(format!("user function \"{name}\" is not defined"));
        };
        let declared = function["parameters"].as_array().map(Vec::as_slice).unwrap_or_default();
        if declared.len() != arguments.len() {
            let (wanted, found) = (declared.len(), arguments.len());
            return fault(format!("user function \"{name}\" takes {wanted} arguments, {found} were given"));
        }
        let mut own = Map::new();
        for (parameter, argument) in declared.iter().zip(arguments) {
            own.insert(parameter["name"].as_str().unwrap_or_default().to_lowercase(), self.term(argument)?);
        }
        let mut inner = self.deeper(Phase::Start)?;
        inner.own_parameters = Some(own);
        let value = inner.value(&function["output"]["value"]);
        self.join(&inner);
        value
    }

    fn deeper(&self, phase: Phase) -> Evaluated<Environment<'e>> {
        if self.depth.get() >= CALL_DEPTH_MAX {
            return fault(format!("calls are nested deeper than {CALL_DEPTH_MAX} levels"));
        }
        Ok(self.fork(phase))
    }

    /// `parameters('name')`.
    pub(crate) fn parameter(&self, name: &str) -> Evaluated<Value> {
        if let Some(own) = self.own_parameters.as_ref().and_then(|own| own.get(&name.to_lowercase())) {
            return Ok(own.clone());
        }
        let template = &self.frame.template;
        let Some((name, declaration)) =
            template.parameters().find(|(known, _)| known.eq_ignore_ascii_case(name))
        else {
            let help = did_you_mean(name, template.parameters().map(|(name, _)| name));
            return Err(Fault::new(format!("the template parameter \"{name}\" is not defined"))
                .help(help)
                .into());
        };
        if let Some(given) = self.frame.given.get(name) {
            return Ok(given.clone());
        }
        match member(declaration, "defaultValue") {
            Some(default) => {
                self.remembered(format!("parameter {name}"), Phase::Default, |inner| inner.value(default))
            }
            None if member(template.resolve(declaration), "nullable").or(member(declaration, "nullable"))
                == Some(&Value::Bool(true)) =>
            {
                Ok(Value::Null)
            }
            None => fault(format!("the value for the template parameter \"{name}\" is not provided")),
        }
    }

    /// `variables('name')`.
    pub(crate) fn variable(&self, name: &str) -> Evaluated<Value> {
        if self.phase == Phase::Default {
            return fault("\"variables\" may not be used in the default value of a parameter");
        }
        match self.frame.template.variable(name) {
            Some(Variable::Plain(value)) => {
                self.remembered(format!("variable {name}"), Phase::Start, |inner| inner.value(value))
            }
            Some(Variable::Loop(entry)) => {
                self.remembered(format!("variable {name}"), Phase::Start, |inner| {
                    inner.copied(entry).map(Value::Array)
                })
            }
            None => {
                let help = did_you_mean(name, self.frame.template.section("variables").map(|(name, _)| name));
                Err(Fault::new(format!("the template variable \"{name}\" is not defined")).help(help).into())
            }
        }
    }

    fn remembered(
        &self,
        key: String,
        phase: Phase,
        evaluate: impl FnOnce(&Environment<'e>) -> Evaluated<Value>,
    ) -> Evaluated<Value> {
        let key = key.to_lowercase();
        if let Some(known) = self.frame.memo().get(&key) {
            return Ok(known.clone());
        }
        if self.open.borrow().contains(&key) {
            return fault(format!("the value of \"{key}\" depends on itself"));
        }
        let inner = self.deeper(phase)?;
        inner.open.borrow_mut().push(key.clone());
        let value = evaluate(&inner);
        self.join(&inner);
        let value = value?;
        self.frame.memo().insert(key, value.clone());
        Ok(value)
    }

    /// What the evaluation is at: different for every call of a function in one deployment.
    pub(crate) fn asked_for(&self) -> String {
        format!("{} {}", self.open.borrow().join(" "), self.steps.get())
    }

    /// `copyIndex()`: of the innermost loop, or of the named one.
    pub(crate) fn copy_index(&self, name: Option<&str>) -> Evaluated<usize> {
        let loops = self.loops.borrow();
        let found = match name {
            Some(name) => loops.iter().rev().find(|(known, _)| known.eq_ignore_ascii_case(name)),
            None => loops.last(),
        };
        match (found, name) {
            (Some((_, index)), _) => Ok(*index),
            (None, Some(name)) => fault(format!("there is no loop \"{name}\" around this expression")),
            (None, None) => fault("\"copyIndex\" is used outside of a loop"),
        }
    }

    /// Evaluates a lambda body with its variables bound.
    pub(crate) fn lambda(&self, lambda: &Lambda<'_>, values: &[Value]) -> Evaluated<Value> {
        let before = self.locals.borrow().len();
        let bound = lambda.names.iter().cloned().zip(values.iter().cloned());
        self.locals.borrow_mut().extend(bound);
        let value = self.term(lambda.body);
        self.locals.borrow_mut().truncate(before);
        value
    }

    /// `lambdaVariables('name')`.
    pub(crate) fn local(&self, name: &str) -> Evaluated<Value> {
        let locals = self.locals.borrow();
        match locals.iter().rev().find(|(known, _)| known.eq_ignore_ascii_case(name)) {
            Some((_, value)) => Ok(value.clone()),
            None => fault(format!("there is no lambda variable \"{name}\"")),
        }
    }

    /// The state of deployed resources, where it may be asked.
    pub(crate) fn runtime(&self, function: &str) -> Evaluated<&'e dyn Runtime> {
        match self.runtime {
            Some(runtime) => Ok(runtime),
            None => {
                fault(format!("\"{function}\" may be used only in properties of resources and in outputs"))
            }
        }
    }
}

/// The parts of `lambda('a', 'b', body)`.
pub(crate) struct Lambda<'x> {
    pub(crate) names: Vec<String>,
    pub(crate) body: &'x Expression,
}

impl<'x> Lambda<'x> {
    /// Reads an argument that must be a lambda with one to `most` variables.
    pub(crate) fn of(argument: Option<&'x Expression>, most: usize) -> Evaluated<Self> {
        let Some(Expression::Call { name, arguments }) = argument else { return fault("a lambda is needed") };
        let Some((body, names)) = arguments.split_last().filter(|_| name.eq_ignore_ascii_case("lambda"))
        else {
            return fault(format!("\"{name}\" is used where a lambda is needed"));
        };
        let name_of = |term: &Expression| match term {
            Expression::Text(name) => Some(name.clone()),
            _ => None,
        };
        match names.iter().map(name_of).collect::<Option<Vec<_>>>() {
            Some(names) if names.len() <= most => Ok(Self { names, body }),
            _ => fault(format!("a lambda here takes at most {most} variables, named by string literals")),
        }
    }
}

/// Whether this member is a property loop rather than a property called `copy`.
fn copy_entries<'v>(key: &str, value: &'v Value) -> Option<&'v Vec<Value>> {
    let entries =
        value.as_array().filter(|entries| key.eq_ignore_ascii_case("copy") && !entries.is_empty())?;
    entries
        .iter()
        .all(|e| e.get("name").is_some() && e.get("count").is_some() && e.get("input").is_some())
        .then_some(entries)
}

fn in_function(stop: Stop, name: &str) -> Stop {
    match stop {
        Stop::Fault(fault) if !fault.message.contains('"') => {
            Stop::Fault(Fault { message: format!("function \"{name}\": {}", fault.message), ..fault })
        }
        other => other,
    }
}

/// `value.name`.
pub(crate) fn property(value: &Value, name: &str) -> Evaluated<Value> {
    let Some(map) = value.as_object() else {
        return fault(format!("property \"{name}\" is read from {}; an object is needed", describe(value)));
    };
    member_of(map, name).cloned().ok_or_else(|| {
        let names: Vec<&str> = map.keys().map(String::as_str).collect();
        let message = format!(
            "the language expression property \"{name}\" does not exist, available properties are \"{}\"",
            names.join(", ")
        );
        Fault::new(message).help(did_you_mean(name, names)).into()
    })
}

/// `value[index]`.
pub(crate) fn element(value: &Value, index: &Value) -> Evaluated<Value> {
    match (value, index) {
        (Value::Object(_), Value::String(name)) => property(value, name),
        (Value::Array(items), Value::Number(number)) => {
            let at = number.as_u64().and_then(|at| usize::try_from(at).ok());
            at.and_then(|at| items.get(at)).cloned().ok_or_else(|| {
                Fault::new(format!(
                    "array index \"{number}\" is out of bounds, the array has {} elements",
                    items.len()
                ))
                .into()
            })
        }
        _ => fault(format!("{} cannot be indexed by {}", describe(value), describe(index))),
    }
}
