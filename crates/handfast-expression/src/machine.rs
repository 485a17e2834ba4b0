//! Runs instructions over an explicit stack, a slice of fuel at a time. It can stop between any two
//! instructions, also between two calls of a lambda, and go on later.

use crate::arith;
use crate::call::Call;
use crate::code::{CallOp, Code, Op};
use crate::context::{ContextView, Part};
use crate::each::Each;
use crate::fault::{Fault, Need, null_reference, throw};
use crate::tree::Slot;
use crate::value::{Closure, Deferred, Exception, Object, Value, lock};
use std::cell::Cell;
use std::sync::{Arc, Mutex};

/// Deepest nesting of calls.
const FRAMES_MAX: usize = 256;

/// What an evaluation may use.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    /// Instructions in all.
    pub steps: u64,
    /// Bytes allocated in all.
    pub bytes: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Self { steps: 10_000_000, bytes: 64 << 20 }
    }
}

/// How a slice ended.
#[derive(Debug)]
pub enum Outcome {
    /// The value.
    Done(Value),
    /// The slice is used up; run again.
    Yield,
    /// The host must bring something first; run again then.
    Need(Need),
    /// An exception left the expression, or the budget is used up.
    Failed(Exception),
}

struct Handler {
    target: usize,
    height: usize,
}

struct Frame {
    function: usize,
    at: usize,
    environment: usize,
    handlers: Vec<Handler>,
}

enum Activity {
    Code(Frame),
    Each(Box<Each>),
    /// Makes a value from the items of a query, which is enumerated before.
    Finish(Value, Option<crate::each::Finish>),
    /// A query is being enumerated for the instruction below.
    Force {
        query: Arc<Object>,
        awaits: bool,
        outer: Vec<Arc<Object>>,
    },
}

struct Environment {
    values: Vec<Value>,
    outer: usize,
}

/// An evaluation in progress.
pub struct Evaluation {
    code: Arc<Vec<Code>>,
    frames: Vec<Activity>,
    environments: Vec<Environment>,
    stack: Vec<Value>,
    steps: u64,
    memory: usize,
    /// Queries whose items wait for the instruction that is being made.
    forced: Vec<Arc<Object>>,
}

impl std::fmt::Debug for Evaluation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Evaluation")
            .field("steps", &self.steps)
            .field("memory", &self.memory)
            .finish_non_exhaustive()
    }
}

/// The exception that nothing in an expression can catch.
fn exhausted() -> Exception {
    Exception {
        kind: "EvaluationBudgetException",
        message: "The expression exceeded its evaluation budget.".into(),
    }
}

/// Empty vectors of an evaluation that is over, for the next one of the thread.
#[derive(Default)]
struct Spare {
    frames: Vec<Activity>,
    environments: Vec<Environment>,
    stack: Vec<Value>,
}

/// Vectors that have grown beyond this many entries are not kept.
const SPARE_ENTRIES_MAX: usize = 256;

thread_local! {
    static SPARE: Cell<Spare> = Cell::default();
}

impl Drop for Evaluation {
    fn drop(&mut self) {
        let mut spare = Spare {
            frames: std::mem::take(&mut self.frames),
            environments: std::mem::take(&mut self.environments),
            stack: std::mem::take(&mut self.stack),
        };
        if spare.stack.capacity().max(spare.environments.capacity()) > SPARE_ENTRIES_MAX {
            return;
        }
        // What these hold may be evaluations' own values, so they are dropped before the thread's place is touched.
        spare.frames.clear();
        spare.environments.clear();
        spare.stack.clear();
        // A thread that ends has no place any more.
        let _ = SPARE.try_with(|place| place.set(spare));
    }
}

impl Evaluation {
    pub(crate) fn new(code: Arc<Vec<Code>>, budget: Budget) -> Self {
        let Spare { frames, environments, stack } = SPARE.take();
        let mut evaluation = Self {
            code,
            frames,
            environments,
            stack,
            steps: budget.steps,
            memory: budget.bytes,
            forced: Vec::new(),
        };
        // The entry function always exists and the stack of frames is empty.
        let _ = evaluation.enter(Closure { function: 0, environment: 0 });
        evaluation
    }

    /// What is left of its budget.
    pub fn left(&self) -> Budget {
        Budget { steps: self.steps, bytes: self.memory }
    }

    /// Runs for about `fuel` steps: what a member costs counts, and is not interrupted.
    pub fn run(&mut self, host: &mut dyn ContextView, fuel: u32) -> Outcome {
        let code = self.code.clone();
        let end = self.steps.saturating_sub(u64::from(fuel));
        while self.steps > end {
            self.steps -= 1;
            let result = match self.frames.last_mut() {
                None => match self.finished() {
                    Ok(Some(value)) => return Outcome::Done(value),
                    Ok(None) => Ok(()),
                    Err(fault) => Err(fault),
                },
                Some(Activity::Each(_)) => self.iterate(),
                Some(Activity::Force { .. }) => self.force(host),
                Some(Activity::Finish(..)) => self.finish(),
                Some(Activity::Code(_)) => self.instruction(&code, host),
            };
            match result {
                Ok(()) => {}
                Err(Fault::Budget) => return Outcome::Failed(exhausted()),
                Err(Fault::Need(need)) => return Outcome::Need(need),
                Err(Fault::Items(query, finish)) => {
                    if self.frames.len() >= FRAMES_MAX {
                        return Outcome::Failed(exhausted());
                    }
                    self.frames.push(Activity::Finish(query, Some(finish)));
                }
                Err(Fault::Force(query)) => {
                    if let Err(exception) = self.begin_force(query) {
                        return Outcome::Failed(exception);
                    }
                }
                Err(Fault::Each(each)) => {
                    if let Err(exception) = self.begin(each) {
                        return Outcome::Failed(exception);
                    }
                }
                Err(Fault::Throw(exception)) => {
                    if let Some(exception) = self.unwind(exception) {
                        return Outcome::Failed(exception);
                    }
                }
            }
        }
        if self.steps == 0 { Outcome::Failed(exhausted()) } else { Outcome::Yield }
    }

    fn begin(&mut self, each: Box<Each>) -> Result<(), Exception> {
        if self.frames.len() >= FRAMES_MAX {
            return Err(exhausted());
        }
        self.frames.push(Activity::Each(each));
        Ok(())
    }

    fn begin_force(&mut self, query: Value) -> Result<(), Exception> {
        let Value::Object(query) = query else { return Err(exhausted()) };
        if self.frames.len() >= FRAMES_MAX {
            return Err(exhausted());
        }
        let outer = std::mem::take(&mut self.forced);
        self.frames.push(Activity::Force { query, awaits: false, outer });
        Ok(())
    }

    /// Runs a query: makes the call that was put off, and keeps its items for who asked.
    fn force(&mut self, host: &mut dyn ContextView) -> Result<(), Fault> {
        let Some(Activity::Force { query, awaits, .. }) = self.frames.last_mut() else { return Ok(()) };
        let query = query.clone();
        let Object::Deferred(deferred) = &*query else { return Err(null_reference()) };
        let made = if *awaits {
            self.pop()
        } else {
            let mut args = deferred.args.clone();
            let mut call = Call {
                member: deferred.member,
                args: &mut args,
                types: &deferred.types,
                host,
                memory: &mut self.memory,
                steps: &mut self.steps,
            };
            match (deferred.member.eval)(&mut call) {
                Ok(made) => made,
                Err(Fault::Each(each)) => {
                    *awaits = true;
                    self.release();
                    return Err(Fault::Each(each));
                }
                Err(other) => return Err(other),
            }
        };
        self.release();
        let items = match &made {
            Value::Object(object) => crate::call::enumerate(object),
            _ => None,
        };
        let Some(items) = items else {
            // What a query made is a query itself.
            if let Some(Activity::Force { awaits, .. }) = self.frames.last_mut() {
                *awaits = true;
            }
            self.stack.push(made.clone());
            return Err(Fault::Force(made));
        };
        *lock(&deferred.items) = Some(items);
        if let Some(Activity::Force { query, outer, .. }) = self.frames.pop() {
            self.forced = outer;
            self.forced.push(query);
        }
        Ok(())
    }

    /// Hands the items of a query on, once it is enumerated.
    fn finish(&mut self) -> Result<(), Fault> {
        let Some(Activity::Finish(query, finish)) = self.frames.last_mut() else { return Ok(()) };
        let items = match &*query {
            Value::Object(object) => crate::call::enumerate(object),
            _ => None,
        };
        let Some(items) = items else { return Err(Fault::Force(query.clone())) };
        let finish = finish.take();
        self.frames.pop();
        self.release();
        self.allocate(items.len().saturating_mul(size_of::<Value>()))?;
        if let Some(finish) = finish {
            let value = finish(items)?;
            self.stack.push(value);
        }
        Ok(())
    }

    /// Forgets the items of queries: the next enumeration runs them again.
    fn release(&mut self) {
        for query in self.forced.drain(..) {
            if let Object::Deferred(deferred) = &*query {
                *lock(&deferred.items) = None;
            }
        }
    }

    /// The value of the program; a query is enumerated before it leaves.
    fn finished(&mut self) -> Result<Option<Value>, Fault> {
        let value = self.stack.pop().unwrap_or(Value::Null);
        let Value::Object(object) = &value else { return Ok(Some(value)) };
        let Object::Deferred(deferred) = &**object else { return Ok(Some(value)) };
        let items = lock(&deferred.items).clone();
        match items {
            Some(items) => Ok(Some(Value::sequence(items))),
            None => {
                self.stack.push(value.clone());
                Err(Fault::Force(value))
            }
        }
    }

    /// Goes to the nearest handler; gives the exception back when there is none.
    fn unwind(&mut self, exception: Exception) -> Option<Exception> {
        while let Some(activity) = self.frames.last_mut() {
            if let Activity::Code(frame) = activity
                && let Some(handler) = frame.handlers.pop()
            {
                frame.at = handler.target;
                self.stack.truncate(handler.height);
                self.stack.push(Value::object(Object::Exception(exception)));
                return None;
            }
            if let Some(Activity::Force { outer, .. }) = self.frames.pop() {
                self.release();
                self.forced = outer;
            }
        }
        self.release();
        Some(exception)
    }

    fn enter(&mut self, closure: Closure) -> Result<(), Fault> {
        if self.frames.len() >= FRAMES_MAX {
            return Err(Fault::Budget);
        }
        let slots = self.code.get(closure.function).map_or(0, |code| code.slots);
        self.allocate(slots.saturating_mul(size_of::<Value>()) + 64)?;
        self.environments.push(Environment { values: vec![Value::Null; slots], outer: closure.environment });
        let environment = self.environments.len() - 1;
        self.frames.push(Activity::Code(Frame {
            function: closure.function,
            at: 0,
            environment,
            handlers: Vec::new(),
        }));
        Ok(())
    }

    fn allocate(&mut self, bytes: usize) -> Result<(), Fault> {
        self.memory = self.memory.checked_sub(bytes).ok_or(Fault::Budget)?;
        Ok(())
    }

    /// One turn of an iteration: takes the last result, makes the next call or ends.
    fn iterate(&mut self) -> Result<(), Fault> {
        let Some(Activity::Each(each)) = self.frames.last_mut() else { return Ok(()) };
        let stopped = each.stop.is_some() && each.results.last().and_then(Value::as_bool) == each.stop;
        let next = if stopped { None } else { each.calls.next() };
        let Some(mut arguments) = next else {
            let Some(Activity::Each(each)) = self.frames.pop() else { return Ok(()) };
            let value = (each.finish)(each.results)?;
            self.stack.push(value);
            return Ok(());
        };
        if each.fold {
            arguments.insert(0, each.results.pop().unwrap_or(Value::Null));
        }
        let function = each.function.clone();
        self.stack.extend(arguments);
        self.invoke(&function)
    }

    /// Enters a delegate whose arguments are on the stack.
    fn invoke(&mut self, function: &Value) -> Result<(), Fault> {
        match function {
            Value::Object(object) => match **object {
                Object::Closure(closure) => self.enter(closure),
                _ => Err(null_reference()),
            },
            _ => Err(null_reference()),
        }
    }

    fn pop(&mut self) -> Value {
        self.stack.pop().unwrap_or(Value::Null)
    }

    fn environment(&self, mut at: usize, up: usize) -> usize {
        for _ in 0..up {
            at = self.environments.get(at).map_or(0, |environment| environment.outer);
        }
        at
    }

    fn load(&self, environment: usize, slot: Slot) -> Value {
        let at = self.environment(environment, slot.up);
        self.environments.get(at).and_then(|e| e.values.get(slot.index)).cloned().unwrap_or(Value::Null)
    }

    fn store(&mut self, environment: usize, slot: Slot, value: Value) {
        let at = self.environment(environment, slot.up);
        if let Some(place) = self.environments.get_mut(at).and_then(|e| e.values.get_mut(slot.index)) {
            *place = value;
        }
    }

    fn jump(&mut self, to: usize) {
        if let Some(Activity::Code(frame)) = self.frames.last_mut() {
            frame.at = to;
        }
    }

    fn instruction(&mut self, code: &[Code], host: &mut dyn ContextView) -> Result<(), Fault> {
        let Some(Activity::Code(frame)) = self.frames.last_mut() else { return Ok(()) };
        let (function, at, environment) = (frame.function, frame.at, frame.environment);
        frame.at += 1;
        let Some(op) = code.get(function).and_then(|code| code.ops.get(at)) else {
            return Err(Fault::Budget);
        };
        match op {
            Op::Push(value) => self.stack.push(value.clone()),
            Op::Context => self.stack.push(Value::object(Object::Part(Part::Root))),
            Op::Load(slot) => {
                let value = self.load(environment, *slot);
                self.stack.push(value);
            }
            Op::Store(slot) => {
                let value = self.pop();
                self.store(environment, *slot, value);
            }
            Op::Pop => {
                self.pop();
            }
            Op::Jump(to) => self.jump(*to),
            Op::JumpIfFalse(to) => {
                if !matches!(self.pop(), Value::Bool(true)) {
                    self.jump(*to);
                }
            }
            Op::JumpIfFalseKeep(to) => {
                if !matches!(self.stack.last(), Some(Value::Bool(true))) {
                    self.jump(*to);
                }
            }
            Op::JumpIfTrueKeep(to) => {
                if matches!(self.stack.last(), Some(Value::Bool(true))) {
                    self.jump(*to);
                }
            }
            Op::JumpIfNullKeep(to) => {
                if self.stack.last().is_none_or(Value::is_null) {
                    self.jump(*to);
                }
            }
            Op::JumpIfSomeKeep(to) => {
                if !self.stack.last().is_none_or(Value::is_null) {
                    self.jump(*to);
                }
            }
            Op::Call(call) => return self.call(call, at, environment, host),
            Op::Invoke(count) => {
                let at = self.stack.len().saturating_sub(count + 1);
                let function = if at < self.stack.len() { self.stack.remove(at) } else { Value::Null };
                return self.invoke(&function);
            }
            Op::Closure(function) => {
                self.stack.push(Value::object(Object::Closure(Closure { function: *function, environment })));
            }
            Op::Iterate(slot, pairs) => {
                let value = self.pop();
                let items = self.items(&value, *pairs, host);
                if let Err(Fault::Force(query)) = items {
                    self.stack.push(value);
                    self.jump(at);
                    return Err(Fault::Force(query));
                }
                self.release();
                let mut items = items?;
                items.reverse();
                self.store(environment, *slot, Value::sequence(items));
            }
            Op::Next(slot, to) => match self.next(environment, *slot) {
                Some(item) => self.stack.push(item),
                None => self.jump(*to),
            },
            Op::Throw => return Err(thrown(self.pop())),
            Op::EnterTry(target) => {
                let height = self.stack.len();
                if let Some(Activity::Code(frame)) = self.frames.last_mut() {
                    frame.handlers.push(Handler { target: *target, height });
                }
            }
            Op::LeaveTry => {
                if let Some(Activity::Code(frame)) = self.frames.last_mut() {
                    frame.handlers.pop();
                }
            }
            Op::Return => return self.leave(),
            other => return self.compute(other, host),
        }
        Ok(())
    }

    fn leave(&mut self) -> Result<(), Fault> {
        self.frames.pop();
        if let Some(Activity::Each(_)) = self.frames.last() {
            let value = self.pop();
            self.allocate(size_of::<Value>())?;
            if let Some(Activity::Each(each)) = self.frames.last_mut() {
                each.results.push(value);
            }
        }
        Ok(())
    }

    fn next(&self, environment: usize, slot: Slot) -> Option<Value> {
        match self.load(environment, slot) {
            Value::Object(object) => match &*object {
                Object::List(_, items) => lock(items).pop(),
                _ => None,
            },
            _ => None,
        }
    }

    fn items(&mut self, value: &Value, pairs: bool, host: &mut dyn ContextView) -> Result<Vec<Value>, Fault> {
        let Some(member) = crate::surface::entry("Object").and_then(|entry| entry.members.first()) else {
            return Err(Fault::Budget);
        };
        let mut call = Call {
            member,
            args: &mut [],
            types: &[],
            host,
            memory: &mut self.memory,
            steps: &mut self.steps,
        };
        let items = match value {
            Value::Json(token) if pairs => Some(token.pairs()),
            other => call.items_of(other)?,
        };
        let items = items.ok_or_else(null_reference)?;
        self.allocate(items.len().saturating_mul(size_of::<Value>()))?;
        Ok(items)
    }

    fn call(
        &mut self,
        op: &CallOp,
        at: usize,
        environment: usize,
        host: &mut dyn ContextView,
    ) -> Result<(), Fault> {
        let base = self.stack.len().saturating_sub(op.count);
        let Some(args) = self.stack.get_mut(base..) else { return Err(Fault::Budget) };
        if !op.member.is_static
            && args.first().is_some_and(Value::is_null)
            && !op.member.extension
            && op.member.owner != "Nullable"
        {
            return Err(null_reference());
        }
        if op.member.lazy {
            if op.member.extension && args.first().is_some_and(Value::is_null) {
                return Err(crate::fault::argument_null("source"));
            }
            let query = Deferred {
                member: op.member,
                types: op.types.clone(),
                args: args.to_vec(),
                items: Mutex::new(None),
            };
            self.allocate(size_of::<Deferred>() + op.count * size_of::<Value>())?;
            self.stack.truncate(base);
            self.stack.push(Value::object(Object::Deferred(Box::new(query))));
            return Ok(());
        }
        let mut call = Call {
            member: op.member,
            args,
            types: &op.types,
            host,
            memory: &mut self.memory,
            steps: &mut self.steps,
        };
        let result = (op.member.eval)(&mut call);
        match result {
            // The same call is made again when the host has what it needs.
            Err(Fault::Need(need)) => {
                self.jump(at);
                return Err(Fault::Need(need));
            }
            Err(Fault::Force(query)) => {
                self.jump(at);
                return Err(Fault::Force(query));
            }
            _ => {}
        }
        self.release();
        let deep_receiver = self.stack.get(base).is_some_and(too_deep);
        for (index, slot) in &op.outs {
            let value = self.stack.get(base + index).cloned().unwrap_or(Value::Null);
            self.store(environment, *slot, value);
        }
        self.stack.truncate(base);
        let value = result?;
        if too_deep(&value) || deep_receiver {
            return Err(Fault::Budget);
        }
        if let Value::Str(text) = &value {
            self.allocate(text.len())?;
        }
        self.stack.push(value);
        Ok(())
    }

    fn compute(&mut self, op: &Op, host: &mut dyn ContextView) -> Result<(), Fault> {
        let value = match op {
            Op::Convert(conversion, checked) => {
                let value = self.pop();
                arith::convert(value, conversion, *checked)?
            }
            Op::Unary(op, checked) => {
                let value = self.pop();
                arith::unary(op, &value, *checked)?
            }
            Op::Binary(op, operands, checked) => {
                let (right, left) = (self.pop(), self.pop());
                let value = arith::binary(op, *operands, &left, &right, *checked)?;
                if let Value::Str(text) = &value {
                    self.allocate(text.len())?;
                }
                value
            }
            Op::Element => {
                let (index, receiver) = (self.pop(), self.pop());
                crate::library::array::get(&receiver, &index)?
            }
            Op::SetElement => {
                let (value, index, receiver) = (self.pop(), self.pop(), self.pop());
                crate::library::array::set(&receiver, &index, value.clone())?;
                value
            }
            Op::Array(of, count) => {
                let items = self.stack.split_off(self.stack.len().saturating_sub(*count));
                self.allocate(count.saturating_mul(size_of::<Value>()))?;
                crate::library::array::make(of, items)
            }
            Op::NewArray(of) => {
                let size = self.pop().integer().unwrap_or(0);
                let size = usize::try_from(size).map_err(|_| {
                    throw("OverflowException", "Arithmetic operation resulted in an overflow.")
                })?;
                self.allocate(size.saturating_mul(size_of::<Value>()))?;
                crate::library::array::make(of, vec![arith::default_of(of); size])
            }
            Op::Anonymous(names) => {
                let values = self.stack.split_off(self.stack.len().saturating_sub(names.len()));
                self.allocate(64 + names.len() * size_of::<(String, Value)>())?;
                Value::object(Object::Anonymous(names.iter().cloned().zip(values).collect()))
            }
            Op::Interpolate(parts, count) => {
                let values = self.stack.split_off(self.stack.len().saturating_sub(*count));
                let text = crate::text::interpolate(parts, values, self.memory)?;
                self.allocate(text.len())?;
                Value::str(text)
            }
            Op::Is(of) => {
                let value = self.pop();
                Value::Bool(!value.is_null() && arith::is_instance(&value, of))
            }
            Op::Same => {
                let (right, left) = (self.pop(), self.pop());
                Value::Bool(arith::equals(&left, &right))
            }
            Op::As(of) => {
                let value = self.pop();
                if arith::is_instance(&value, of) { value } else { Value::Null }
            }
            _ => Value::Null,
        };
        let _ = host;
        self.stack.push(value);
        Ok(())
    }
}

/// Levels of a token; what goes over trees by recursion relies on it.
const TOKEN_HEIGHT_MAX: usize = 512;

fn too_deep(value: &Value) -> bool {
    matches!(value, Value::Json(token) if token.height() > TOKEN_HEIGHT_MAX)
}

fn thrown(value: Value) -> Fault {
    match value {
        Value::Object(object) => match &*object {
            Object::Exception(exception) => Fault::Throw(exception.clone()),
            _ => null_reference(),
        },
        _ => null_reference(),
    }
}
