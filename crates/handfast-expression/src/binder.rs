//! Syntax tree to typed tree: names, types, overloads, conversions, lambdas, by the rules of C# 7, with the
//! compiler's texts for what is wrong.

mod access;
mod convert;
mod create;
mod infer;
mod names;
mod operators;
mod overload;
mod statement;

use crate::lexer::Problem;
use crate::syntax::{Expr, Node, Pattern};
use crate::tree::{Function, Kind, Slot, Step, Test, Typed};
use crate::types::Type;
use crate::value::Value;
use std::collections::HashSet;

/// Nodes that may be bound, those of lambdas counted each time they are tried.
const WORK_MAX: usize = 200_000;
/// Errors of one block that are reported.
const PROBLEMS_MAX: usize = 20;
/// Deepest nesting of a syntax tree, chains of operators and members included.
const DEPTH_MAX: usize = 256;

pub(crate) type Bound<T> = Result<T, Problem>;

#[derive(Clone, Debug)]
struct Variable {
    name: String,
    function: usize,
    index: usize,
    of: Type,
    constant: Option<Value>,
    read_only: bool,
}

struct FunctionState {
    slots: usize,
    /// What `return` must convert to; `None` while a lambda's result is being inferred.
    result: Option<Type>,
    returned: Vec<Typed>,
}

pub(crate) struct Binder {
    strict: bool,
    checked: bool,
    /// How many `unchecked` surround the current node.
    unchecked_depth: usize,
    scopes: Vec<Vec<Variable>>,
    functions: Vec<FunctionState>,
    unassigned: HashSet<(usize, usize)>,
    receivers: Vec<(Slot, usize, Type)>,
    work: usize,
    depth: usize,
    /// Breakable and continuable statements around the current one.
    loops: Vec<bool>,
    /// Errors of statements that were passed over to find more.
    problems: Vec<Problem>,
}

fn fail<T>(code: &'static str, message: impl Into<String>, at: usize) -> Bound<T> {
    Err(Problem::new(code, message, at))
}

/// What stands for a value that an earlier error left unknown.
fn unknown(at: usize) -> Typed {
    Typed { of: Type::Unknown, at, kind: Kind::Const(Value::Null) }
}

/// Binds an expression to a target type.
pub(crate) fn expression(expr: &Expr, target: &Type, strict: bool) -> Bound<Function> {
    let mut binder = Binder::new(target.clone(), strict);
    let value = binder.expr(expr)?;
    let value = binder.returned(value, target)?;
    Ok(Function { parameters: 0, slots: binder.functions[0].slots, body: vec![Step::Return(value)] })
}

/// Binds the statements of a block body.
pub(crate) fn block(
    body: &[crate::syntax::Stmt],
    target: &Type,
    strict: bool,
) -> Result<Function, Vec<Problem>> {
    let mut binder = Binder::new(target.clone(), strict);
    let bound = binder.statements(body);
    let mut problems = std::mem::take(&mut binder.problems);
    let (body, ends) = match bound {
        Ok(bound) => bound,
        Err(problem) => {
            problems.push(problem);
            return Err(problems);
        }
    };
    if ends && problems.is_empty() {
        problems.push(Problem::new("CS0161", "'Expression': not all code paths return a value", 0));
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    Ok(Function { parameters: 0, slots: binder.functions[0].slots, body })
}

impl Binder {
    fn new(target: Type, strict: bool) -> Self {
        Self {
            strict,
            checked: false,
            unchecked_depth: 0,
            scopes: vec![Vec::new()],
            functions: vec![FunctionState { slots: 0, result: Some(target), returned: Vec::new() }],
            unassigned: HashSet::new(),
            receivers: Vec::new(),
            work: 0,
            depth: 0,
            loops: Vec::new(),
            problems: Vec::new(),
        }
    }

    /// A result converted to the target; the lenient profile turns anything into a string.
    fn returned(&mut self, value: Typed, target: &Type) -> Bound<Typed> {
        let outermost = self.functions.len() == 1;
        if outermost && !self.strict && *target == Type::String && value.of != Type::String {
            return Ok(value);
        }
        self.convert(value, target)
    }

    fn new_slot(&mut self) -> usize {
        let Some(function) = self.functions.last_mut() else { return 0 };
        function.slots += 1;
        function.slots - 1
    }

    /// A variable of the compiler's own.
    fn temporary(&mut self) -> Slot {
        Slot { up: 0, index: self.new_slot() }
    }

    fn declare(&mut self, name: &str, of: Type, at: usize) -> Bound<Slot> {
        let function = self.functions.len() - 1;
        let index = self.new_slot();
        if name != "_" {
            let inner = self.scopes.last().is_some_and(|scope| scope.iter().any(|v| v.name == name));
            if inner {
                return fail(
                    "CS0128",
                    format!("A local variable or function named '{name}' is already defined in this scope"),
                    at,
                );
            }
            if self.scopes.iter().flatten().any(|v| v.name == name) || name == "context" {
                let text = format!(
                    "A local or parameter named '{name}' cannot be declared in this scope because that name is used in an enclosing local scope to define a local or parameter"
                );
                return fail("CS0136", text, at);
            }
        }
        let variable =
            Variable { name: name.to_owned(), function, index, of, constant: None, read_only: false };
        if let Some(scope) = self.scopes.last_mut() {
            scope.push(variable);
        }
        Ok(Slot { up: 0, index })
    }

    fn find(&self, name: &str) -> Option<&Variable> {
        self.scopes.iter().rev().flat_map(|scope| scope.iter().rev()).find(|variable| variable.name == name)
    }

    fn slot_of(&self, variable: &Variable) -> Slot {
        Slot { up: self.functions.len() - 1 - variable.function, index: variable.index }
    }

    fn scoped<T>(&mut self, inner: impl FnOnce(&mut Self) -> Bound<T>) -> Bound<T> {
        self.scopes.push(Vec::new());
        let result = inner(self);
        self.scopes.pop();
        result
    }

    /// Binds an expression that must have a value.
    pub(crate) fn expr(&mut self, expr: &Expr) -> Bound<Typed> {
        self.work += 1;
        if self.work > WORK_MAX || self.depth >= DEPTH_MAX {
            return fail("CS8078", "An expression is too long or complex to compile", expr.at);
        }
        self.depth += 1;
        let result = self.node(expr);
        self.depth -= 1;
        result
    }

    fn node(&mut self, expr: &Expr) -> Bound<Typed> {
        let at = expr.at;
        let typed = |of: Type, kind: Kind| Ok(Typed { of, at, kind });
        match &expr.node {
            Node::Literal(value) => typed(value.type_of(), Kind::Const(value.clone())),
            Node::Interpolated(parts) => self.interpolated(parts, at),
            Node::Name(..) | Node::Member(..) | Node::Predefined(_) => self.value_of(expr),
            Node::Index(receiver, args) => self.index(receiver, args, at),
            Node::Call(target, args) => self.call(target, args, at),
            Node::Conditional(receiver, rest) => self.conditional(receiver, rest, at),
            Node::Receiver => match self.receivers.last().cloned() {
                Some((slot, function, of)) => {
                    let up = self.functions.len() - function;
                    typed(of, Kind::Slot(Slot { up, index: slot.index }))
                }
                None => fail("CS1525", "Invalid expression term '.'", at),
            },
            Node::Unary(op, operand) => self.unary(op, operand, at),
            Node::Step(op, before, operand) => self.step(op, *before, operand, at),
            Node::Binary("??", left, right) => self.coalesce(left, right, at),
            Node::Binary("&&", left, right) | Node::Binary("||", left, right) => {
                let and = matches!(expr.node, Node::Binary("&&", ..));
                self.logic(and, left, right, at)
            }
            Node::Binary(op, left, right) => {
                let (left, right) = (self.expr(left)?, self.expr(right)?);
                self.binary(op, left, right, at)
            }
            Node::Assign(op, left, right) => self.assign(op, left, right, at),
            Node::Choice(condition, yes, no) => self.choice(condition, yes, no, at),
            Node::Cast(class, operand) => {
                let of = self.type_of(class)?;
                let operand = match &operand.node {
                    Node::Lambda(lambda) => self.lambda(lambda, &of, operand.at)?,
                    _ => self.expr(operand)?,
                };
                self.cast(operand, &of, at)
            }
            Node::Is(operand, pattern) => self.is(operand, pattern, at),
            Node::As(operand, class) => {
                let (operand, of) = (self.expr(operand)?, self.type_of(class)?);
                if of.is_value() {
                    return fail(
                        "CS0077",
                        format!(
                            "The as operator must be used with a reference type or nullable type ('{of}' is a non-nullable value type)"
                        ),
                        at,
                    );
                }
                typed(of.clone(), Kind::As(Box::new(operand), of))
            }
            Node::Lambda(_) => fail("CS8917", "The delegate type could not be inferred.", at),
            Node::New(class, args, init) => self.creation(class.as_ref(), args, init.as_deref(), at),
            Node::NewArray(class, sizes, items) => {
                self.new_array(class.as_ref(), sizes, items.as_deref(), at)
            }
            Node::Anonymous(fields) => self.anonymous(fields, at),
            Node::Default(class) => match class {
                Some(class) => {
                    let of = self.type_of(class)?;
                    let value = crate::arith::default_of(&of);
                    typed(of, Kind::Const(value))
                }
                None => typed(Type::Null, Kind::Const(Value::Null)),
            },
            Node::NameOf(inner) => {
                let name = match &inner.node {
                    Node::Name(name, _) | Node::Member(_, name, _) => name,
                    _ => return fail("CS8081", "Expression does not have a name.", at),
                };
                typed(Type::String, Kind::Const(Value::str(name)))
            }
            Node::TypeOf => {
                fail("APIM0001", "Usage of type 'System.Type' is not supported within expressions", at)
            }
            Node::Checked(checked, inner) => {
                let before = std::mem::replace(&mut self.checked, *checked);
                self.unchecked_depth += usize::from(!*checked);
                let result = self.expr(inner);
                self.unchecked_depth -= usize::from(!*checked);
                self.checked = before;
                result
            }
            Node::Paren(inner) => self.expr(inner),
            Node::Throw(inner) => {
                let inner = self.expr(inner)?;
                typed(Type::Unknown, Kind::Throw(Box::new(inner)))
            }
        }
    }

    fn condition(&mut self, expr: &Expr) -> Bound<Typed> {
        let value = self.expr(expr)?;
        self.convert(value, &Type::BOOL)
    }

    fn interpolated(&mut self, parts: &[crate::syntax::Piece], at: usize) -> Bound<Typed> {
        let mut out = Vec::new();
        for (text, hole) in parts {
            let hole = match hole {
                Some((expr, align, format)) => {
                    let value = self.expr(expr)?;
                    if value.of == Type::Void {
                        return fail("CS1503", "Argument 1: cannot convert from 'void' to 'object'", at);
                    }
                    let align = align.as_ref().map(|align| self.expr(align)).transpose()?;
                    let align = match align.map(|align| align.kind) {
                        Some(Kind::Const(value)) => value.as_int().unwrap_or(0),
                        Some(_) => return fail("CS0150", "A constant value is expected", at),
                        None => 0,
                    };
                    Some((value, align, format.clone()))
                }
                None => None,
            };
            out.push((text.clone(), hole));
        }
        Ok(Typed { of: Type::String, at, kind: Kind::Interpolated(out) })
    }

    fn conditional(&mut self, receiver: &Expr, rest: &Expr, at: usize) -> Bound<Typed> {
        let receiver = self.expr(receiver)?;
        if receiver.of.is_value() {
            return fail(
                "CS0023",
                format!("Operator '?' cannot be applied to operand of type '{}'", receiver.of),
                at,
            );
        }
        let slot = self.temporary();
        let inner = receiver.of.stripped().clone();
        self.receivers.push((slot, self.functions.len(), inner));
        let rest = self.expr(rest);
        self.receivers.pop();
        let rest = rest?;
        let of = rest.of.clone().nullable();
        Ok(Typed { of, at, kind: Kind::Conditional(slot, Box::new(receiver), Box::new(rest)) })
    }

    fn is(&mut self, operand: &Expr, pattern: &Pattern, at: usize) -> Bound<Typed> {
        let operand = self.expr(operand)?;
        let test = self.pattern(pattern, &operand.of, at)?;
        Ok(Typed { of: Type::BOOL, at, kind: Kind::Is(Box::new(operand), test) })
    }

    fn pattern(&mut self, pattern: &Pattern, subject: &Type, at: usize) -> Bound<Test> {
        Ok(match pattern {
            Pattern::Type(class, name) => {
                // A lone name may be a constant.
                let of = match self.type_of(class) {
                    Ok(of) => of,
                    Err(problem) => return self.constant_pattern(class, problem),
                };
                let slot = name.as_ref().map(|name| self.declare(name, of.clone(), class.at)).transpose()?;
                Test::Type(of, slot)
            }
            Pattern::Var(name) => Test::Any(self.declare(name, subject.clone(), at)?),
            Pattern::Const(value) => Test::Equals(Box::new(self.expr(value)?)),
        })
    }

    fn constant_pattern(&mut self, class: &crate::syntax::TypeName, problem: Problem) -> Bound<Test> {
        let crate::syntax::TypeShape::Name(name, _) = &class.shape else { return Err(problem) };
        let mut parts = name.split('.');
        let first = parts.next().unwrap_or("").to_owned();
        let start = Expr { at: class.at, node: Node::Name(first, Vec::new()) };
        let expr = parts.fold(start, |inner, part| Expr {
            at: class.at,
            node: Node::Member(Box::new(inner), part.to_owned(), Vec::new()),
        });
        match self.expr(&expr) {
            Ok(value) if matches!(value.kind, Kind::Const(_)) => Ok(Test::Equals(Box::new(value))),
            _ => Err(problem),
        }
    }
}
