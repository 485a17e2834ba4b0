//! Typed tree to instructions for the stack machine.

use crate::context::Part;
use crate::surface::{Member, MemberKind};
use crate::tree::{CallTree, Conversion, Function, Kind, Operands, Place, Slot, Step, Test, Typed, Update};
use crate::types::Type;
use crate::value::{Object, Value};

/// A call of a member: what, with which type arguments, on how many arguments, which of them write.
#[derive(Debug)]
pub(crate) struct CallOp {
    pub(crate) member: &'static Member,
    pub(crate) types: Vec<Type>,
    pub(crate) count: usize,
    pub(crate) outs: Vec<(usize, Slot)>,
}

/// A piece of an interpolated string: text, or alignment and format of a value.
pub(crate) type Piece = (String, Option<(i32, Option<String>)>);

#[derive(Debug)]
pub(crate) enum Op {
    Push(Value),
    Context,
    Load(Slot),
    Store(Slot),
    Pop,
    Convert(Conversion, bool),
    Unary(&'static str, bool),
    Binary(&'static str, Operands, bool),
    Jump(usize),
    JumpIfFalse(usize),
    /// Keeps the value when it jumps.
    JumpIfFalseKeep(usize),
    JumpIfTrueKeep(usize),
    JumpIfNullKeep(usize),
    JumpIfSomeKeep(usize),
    Call(Box<CallOp>),
    Invoke(usize),
    Element,
    SetElement,
    Closure(usize),
    Array(Type, usize),
    NewArray(Type),
    Anonymous(Vec<String>),
    Interpolate(Vec<Piece>, usize),
    Is(Type),
    Same,
    As(Type),
    /// Turns a collection into what [`Op::Next`] takes from; a `JObject` into pairs.
    Iterate(Slot, bool),
    Next(Slot, usize),
    Throw,
    EnterTry(usize),
    LeaveTry,
    Return,
}

/// Instructions of one function.
#[derive(Debug, Default)]
pub(crate) struct Code {
    pub(crate) slots: usize,
    pub(crate) ops: Vec<Op>,
}

/// Instructions of a program; the first function is its entry.
pub(crate) fn generate(function: &Function) -> Vec<Code> {
    let mut all = Vec::new();
    emit_function(function, &mut all);
    all
}

fn emit_function(function: &Function, all: &mut Vec<Code>) -> usize {
    let index = all.len();
    all.push(Code::default());
    let mut emitter = Emitter { all, ops: Vec::new(), exits: Vec::new(), caught: Vec::new() };
    for slot in (0..function.parameters).rev() {
        emitter.ops.push(Op::Store(Slot { up: 0, index: slot }));
    }
    emitter.steps(&function.body);
    emitter.ops.push(Op::Push(Value::Null));
    emitter.ops.push(Op::Return);
    let ops = emitter.ops;
    if let Some(code) = all.get_mut(index) {
        *code = Code { slots: function.slots, ops };
    }
    index
}

/// What a jump out of here must pass.
enum Exit {
    /// A loop or switch: jumps to patch for `break` and for `continue`.
    Target { is_loop: bool, breaks: Vec<usize>, continues: Vec<usize> },
    /// A handler to leave, and the steps of its `finally`.
    Try(Vec<Step>),
}

struct Emitter<'a> {
    all: &'a mut Vec<Code>,
    ops: Vec<Op>,
    exits: Vec<Exit>,
    /// Variables of the catches around the current step.
    caught: Vec<Slot>,
}

impl Emitter<'_> {
    fn push(&mut self, op: Op) -> usize {
        self.ops.push(op);
        self.ops.len() - 1
    }

    /// One of two ways, as the condition says.
    fn fork(&mut self, condition: &Typed, yes: impl FnOnce(&mut Self), no: impl FnOnce(&mut Self)) {
        self.value(condition);
        let skip = self.push(Op::JumpIfFalse(0));
        yes(self);
        let over = self.push(Op::Jump(0));
        self.land(&[skip]);
        no(self);
        self.land(&[over]);
    }

    /// Lets the jumps at these places go here.
    fn land(&mut self, places: &[usize]) {
        let here = self.ops.len();
        for place in places {
            if let Some(
                Op::Jump(to)
                | Op::JumpIfFalse(to)
                | Op::JumpIfFalseKeep(to)
                | Op::JumpIfTrueKeep(to)
                | Op::JumpIfNullKeep(to)
                | Op::JumpIfSomeKeep(to)
                | Op::Next(_, to)
                | Op::EnterTry(to),
            ) = self.ops.get_mut(*place)
            {
                *to = here;
            }
        }
    }

    // === Steps ===

    fn steps(&mut self, steps: &[Step]) {
        for step in steps {
            self.step(step);
        }
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Eval(value) => {
                self.value(value);
                self.push(Op::Pop);
            }
            Step::Store(slot, value) => {
                self.value(value);
                self.push(Op::Store(*slot));
            }
            Step::If(condition, yes, no) => {
                self.fork(condition, |code| code.steps(yes), |code| code.steps(no));
            }
            Step::Loop { condition, body, after, first } => {
                self.repeat(condition.as_ref(), body, after, *first)
            }
            Step::ForEach { source, state, item, convert, body } => {
                self.value(source);
                self.push(Op::Iterate(*state, source.of.is("JObject")));
                let start = self.ops.len();
                let next = self.push(Op::Next(*state, 0));
                if let Some(conversion) = convert {
                    self.push(Op::Convert(conversion.clone(), false));
                }
                self.push(Op::Store(*item));
                self.exits.push(Exit::Target { is_loop: true, breaks: Vec::new(), continues: Vec::new() });
                self.steps(body);
                let (breaks, continues) = self.end_target();
                self.land(&continues);
                self.push(Op::Jump(start));
                self.land(&[next]);
                self.land(&breaks);
            }
            Step::Switch { sections } => self.switch(sections),
            Step::Break | Step::Continue => self.leave(matches!(step, Step::Continue)),
            Step::Return(value) => {
                self.value(value);
                self.finally_of(0);
                self.push(Op::Return);
            }
            Step::Throw(value) => match value {
                Some(value) => {
                    self.value(value);
                    self.push(Op::Throw);
                }
                // `throw;` throws what the nearest catch around it has caught.
                None => {
                    let caught = self.caught.last().copied();
                    self.push(caught.map_or(Op::Push(Value::Null), Op::Load));
                    self.push(Op::Throw);
                }
            },
            Step::Try { body, error, catches, last } => self.guarded(body, *error, catches, last),
        }
    }

    fn end_target(&mut self) -> (Vec<usize>, Vec<usize>) {
        match self.exits.pop() {
            Some(Exit::Target { breaks, continues, .. }) => (breaks, continues),
            _ => Default::default(),
        }
    }

    fn repeat(&mut self, condition: Option<&Typed>, body: &[Step], after: &[Step], first: bool) {
        let start = self.ops.len();
        let mut out = Vec::new();
        if let (Some(condition), true) = (condition, first) {
            self.value(condition);
            out.push(self.push(Op::JumpIfFalse(0)));
        }
        self.exits.push(Exit::Target { is_loop: true, breaks: Vec::new(), continues: Vec::new() });
        self.steps(body);
        let (breaks, continues) = self.end_target();
        self.land(&continues);
        self.steps(after);
        if let (Some(condition), false) = (condition, first) {
            self.value(condition);
            out.push(self.push(Op::JumpIfFalse(0)));
        }
        self.push(Op::Jump(start));
        self.land(&out);
        self.land(&breaks);
    }

    fn switch(&mut self, sections: &[(Vec<Option<Typed>>, Vec<Step>)]) {
        let mut entries: Vec<Vec<usize>> = Vec::new();
        let mut default = None;
        for (index, (tests, _)) in sections.iter().enumerate() {
            let mut places = Vec::new();
            for test in tests {
                let Some(test) = test else {
                    default = Some(index);
                    continue;
                };
                self.value(test);
                let skip = self.push(Op::JumpIfFalse(0));
                places.push(self.push(Op::Jump(0)));
                self.land(&[skip]);
            }
            entries.push(places);
        }
        let otherwise = self.push(Op::Jump(0));
        self.exits.push(Exit::Target { is_loop: false, breaks: Vec::new(), continues: Vec::new() });
        for (index, ((_, body), places)) in sections.iter().zip(&entries).enumerate() {
            self.land(places);
            if default == Some(index) {
                self.land(&[otherwise]);
            }
            self.steps(body);
        }
        let (breaks, _) = self.end_target();
        if default.is_none() {
            self.land(&[otherwise]);
        }
        self.land(&breaks);
    }

    /// Runs the `finally` parts between here and the exit at `from`.
    fn finally_of(&mut self, from: usize) {
        let taken: Vec<Exit> = self.exits.drain(from..).collect();
        for exit in taken.iter().rev() {
            if let Exit::Try(last) = exit {
                self.push(Op::LeaveTry);
                self.steps(last);
            }
        }
        self.exits.extend(taken);
    }

    fn leave(&mut self, to_next: bool) {
        let target = self
            .exits
            .iter()
            .rposition(|exit| matches!(exit, Exit::Target { is_loop, .. } if *is_loop || !to_next));
        let Some(target) = target else { return };
        self.finally_of(target + 1);
        let jump = self.push(Op::Jump(0));
        if let Some(Exit::Target { breaks, continues, .. }) = self.exits.get_mut(target) {
            if to_next { continues.push(jump) } else { breaks.push(jump) }
        }
    }

    fn guarded(
        &mut self,
        body: &[Step],
        error: Slot,
        catches: &[(Option<Type>, Option<Typed>, Vec<Step>)],
        last: &[Step],
    ) {
        let outer = (!last.is_empty()).then(|| self.push(Op::EnterTry(0)));
        if outer.is_some() {
            self.exits.push(Exit::Try(last.to_vec()));
        }
        let inner = self.push(Op::EnterTry(0));
        self.exits.push(Exit::Try(Vec::new()));
        self.steps(body);
        self.exits.pop();
        self.push(Op::LeaveTry);
        let mut over = vec![self.push(Op::Jump(0))];
        self.land(&[inner]);
        self.push(Op::Store(error));
        for (of, filter, steps) in catches {
            let mut skip = Vec::new();
            if let Some(of) = of {
                self.push(Op::Load(error));
                self.push(Op::Is(of.clone()));
                skip.push(self.push(Op::JumpIfFalse(0)));
            }
            if let Some(filter) = filter {
                self.value(filter);
                skip.push(self.push(Op::JumpIfFalse(0)));
            }
            self.caught.push(error);
            self.steps(steps);
            self.caught.pop();
            over.push(self.push(Op::Jump(0)));
            self.land(&skip);
        }
        self.push(Op::Load(error));
        self.push(Op::Throw);
        self.land(&over);
        if let Some(outer) = outer {
            self.exits.pop();
            self.push(Op::LeaveTry);
            self.steps(last);
            let over = self.push(Op::Jump(0));
            self.land(&[outer]);
            self.push(Op::Store(error));
            self.steps(last);
            self.push(Op::Load(error));
            self.push(Op::Throw);
            self.land(&[over]);
        }
    }

    // === Values ===

    fn values(&mut self, values: &[Typed]) {
        for value in values {
            self.value(value);
        }
    }

    fn value(&mut self, value: &Typed) {
        match &value.kind {
            Kind::Const(value) => {
                self.push(Op::Push(value.clone()));
            }
            Kind::Slot(slot) => {
                self.push(Op::Load(*slot));
            }
            Kind::Context => {
                self.push(Op::Context);
            }
            Kind::Convert(inner, conversion, checked) => {
                self.value(inner);
                self.push(Op::Convert(conversion.clone(), *checked));
            }
            Kind::Unary(op, inner, checked) => {
                self.value(inner);
                self.push(Op::Unary(op, *checked));
            }
            Kind::Binary(op, operands, left, right, checked) => {
                self.value(left);
                self.value(right);
                self.push(Op::Binary(op, *operands, *checked));
            }
            Kind::Logic(and, left, right) => {
                self.value(left);
                let skip = self.push(if *and { Op::JumpIfFalseKeep(0) } else { Op::JumpIfTrueKeep(0) });
                self.push(Op::Pop);
                self.value(right);
                self.land(&[skip]);
            }
            Kind::Coalesce(left, right) => {
                self.value(left);
                let skip = self.push(Op::JumpIfSomeKeep(0));
                self.push(Op::Pop);
                self.value(right);
                self.land(&[skip]);
            }
            Kind::Choice(condition, yes, no) => {
                self.fork(condition, |code| code.value(yes), |code| code.value(no));
            }
            Kind::Conditional(slot, receiver, rest) => {
                self.value(receiver);
                let skip = self.push(Op::JumpIfNullKeep(0));
                self.push(Op::Store(*slot));
                self.value(rest);
                self.land(&[skip]);
            }
            Kind::Call(call) => self.call(call),
            Kind::Invoke(function, args) => {
                self.value(function);
                self.values(args);
                self.push(Op::Invoke(args.len()));
            }
            Kind::Element(receiver, index) => {
                self.value(receiver);
                self.value(index);
                self.push(Op::Element);
            }
            Kind::Lambda(function) => {
                let index = emit_function(function, self.all);
                self.push(Op::Closure(index));
            }
            Kind::Array(of, items) => {
                self.values(items);
                self.push(Op::Array(of.clone(), items.len()));
            }
            Kind::NewArray(of, size) => {
                self.value(size);
                self.push(Op::NewArray(of.clone()));
            }
            Kind::Anonymous(fields) => {
                for (_, value) in fields {
                    self.value(value);
                }
                self.push(Op::Anonymous(fields.iter().map(|field| field.0.clone()).collect()));
            }
            Kind::Initialise(slot, object, steps) => {
                self.value(object);
                self.push(Op::Store(*slot));
                for step in steps {
                    self.value(step);
                    self.push(Op::Pop);
                }
                self.push(Op::Load(*slot));
            }
            Kind::Interpolated(parts) => self.interpolated(parts),
            Kind::Assign(place, value) => self.assign(place, value),
            Kind::Update(update) => self.update(update),
            Kind::Is(inner, test) => self.test(inner, test),
            Kind::As(inner, of) => {
                self.value(inner);
                self.push(Op::As(of.clone()));
            }
            Kind::Throw(inner) => {
                self.value(inner);
                self.push(Op::Throw);
            }
        }
    }

    /// A chain from `context` over parts that are always there is known now; so is a dictionary of theirs.
    fn settled(&mut self, call: &CallTree) -> bool {
        let part = match (call.args.len(), self.ops.last()) {
            (1, Some(Op::Context)) => Part::Root,
            (1, Some(Op::Push(Value::Object(object)))) => match **object {
                Object::Part(part) => part,
                _ => return false,
            },
            _ => return false,
        };
        let name = call.member.name.as_str();
        let always = |child: &Part| {
            matches!(child, Part::Request | Part::RequestUrl | Part::OriginalUrl | Part::Deployment)
        };
        let known = match (part.child(name).filter(always), crate::library::lookup_of(part, name)) {
            (Some(child), _) => Object::Part(child),
            (None, Some(lookup)) => Object::Lookup(lookup),
            _ => return false,
        };
        if call.member.owner != part.class() || call.member.kind != MemberKind::Property {
            return false;
        }
        self.ops.pop();
        self.push(Op::Push(Value::object(known)));
        true
    }

    fn call(&mut self, call: &CallTree) {
        self.values(&call.args);
        if self.settled(call) {
            return;
        }
        self.member(call.member, &call.types, call.args.len(), call.outs.clone());
    }

    fn member(&mut self, member: &'static Member, types: &[Type], count: usize, outs: Vec<(usize, Slot)>) {
        self.push(Op::Call(Box::new(CallOp { member, types: types.to_vec(), count, outs })));
    }

    fn interpolated(&mut self, parts: &[crate::tree::Piece]) {
        let mut shape = Vec::new();
        let mut count = 0;
        for (text, hole) in parts {
            if let Some((value, ..)) = hole {
                self.value(value);
                count += 1;
            }
            shape.push((text.clone(), hole.as_ref().map(|hole| (hole.1, hole.2.clone()))));
        }
        self.push(Op::Interpolate(shape, count));
    }

    /// Assignments keep their value: setters return it.
    fn assign(&mut self, place: &Place, value: &Typed) {
        match place {
            Place::Slot(slot) => {
                self.value(value);
                self.push(Op::Store(*slot));
                self.push(Op::Load(*slot));
            }
            Place::Member { parts, set, types, .. } => {
                self.values(parts);
                self.value(value);
                self.member(set, types, parts.len() + 1, Vec::new());
            }
            Place::Element(receiver, index) => {
                self.value(receiver);
                self.value(index);
                self.value(value);
                self.push(Op::SetElement);
            }
        }
    }

    fn update(&mut self, update: &Update) {
        let Update { before, place, old, value, result_is_old } = update;
        let (old, result_is_old) = (*old, *result_is_old);
        for (slot, value) in before {
            self.value(value);
            self.push(Op::Store(*slot));
        }
        match place {
            Place::Slot(slot) => {
                self.push(Op::Load(*slot));
                self.push(Op::Store(old));
                self.value(value);
                self.push(Op::Store(*slot));
                self.push(Op::Load(*slot));
            }
            Place::Member { parts, get, set, types } => {
                self.values(parts);
                if let Some(get) = get {
                    self.member(get, types, parts.len(), Vec::new());
                }
                self.push(Op::Store(old));
                self.values(parts);
                self.value(value);
                self.member(set, types, parts.len() + 1, Vec::new());
            }
            Place::Element(receiver, index) => {
                self.value(receiver);
                self.value(index);
                self.push(Op::Element);
                self.push(Op::Store(old));
                self.value(receiver);
                self.value(index);
                self.value(value);
                self.push(Op::SetElement);
            }
        }
        if result_is_old {
            self.push(Op::Pop);
            self.push(Op::Load(old));
        }
    }

    fn test(&mut self, inner: &Typed, test: &Test) {
        self.value(inner);
        match test {
            Test::Type(of, None) => {
                self.push(Op::Is(of.clone()));
            }
            Test::Type(of, Some(slot)) => {
                self.push(Op::Store(*slot));
                self.push(Op::Load(*slot));
                self.push(Op::Is(of.clone()));
            }
            Test::Equals(value) => {
                self.value(value);
                self.push(Op::Same);
            }
            Test::Any(slot) => {
                self.push(Op::Store(*slot));
                self.push(Op::Push(Value::Bool(true)));
            }
        }
    }
}
