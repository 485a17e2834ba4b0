//! Calls: candidates, applicability, the better member.

use super::access::{arguments_of, levels};
use super::names::Entity;
use super::{Binder, Bound, fail};
use crate::lexer::Problem;
use crate::surface::{self, Member, MemberKind, Mode};
use crate::syntax::{Arg, ArgValue, Expr, Lambda, LambdaBody, Node};
use crate::tree::{CallTree, Kind, Slot, Typed};
use crate::types::Type;
use crate::value::Value;

/// An argument before the parameter's type is known.
#[derive(Clone)]
pub(super) enum Argument {
    Value(Typed),
    Lambda(Lambda, usize),
    /// A method by name, for a delegate.
    Group(Expr),
    Out(Slot, Type),
    /// `out var x`: declared once the type is known.
    Declare(Option<Type>, String, usize),
}

/// A member that could be meant: which argument fills which parameter.
struct Candidate {
    member: &'static Member,
    types: Vec<Type>,
    /// Parameter type of each argument, and its index among the parameters.
    slots: Vec<(Type, usize)>,
    expanded: bool,
    /// Result types of lambdas.
    lambdas: Vec<Option<Type>>,
}

impl Binder {
    pub(super) fn argument(&mut self, expr: &Expr, target: &Type) -> Bound<Typed> {
        match (&expr.node, target) {
            (Node::Lambda(lambda), _) => self.lambda(lambda, target, expr.at),
            (Node::Name(..) | Node::Member(..), Type::Func(parameters, _)) => match self.expr(expr) {
                Err(problem) if problem.code == "CS0428" => {
                    let lambda = eta(expr, parameters.len());
                    self.lambda(&lambda, target, expr.at)
                }
                other => other,
            },
            _ => self.expr(expr),
        }
    }

    fn arguments(&mut self, args: &[Arg]) -> Bound<Vec<(Option<String>, Argument)>> {
        let mut out = Vec::new();
        for arg in args {
            let value = match &arg.value {
                ArgValue::In(expr) => match &expr.node {
                    Node::Lambda(lambda) => Argument::Lambda(lambda.clone(), expr.at),
                    Node::Name(..) | Node::Member(..) => match self.expr(expr) {
                        Err(problem) if problem.code == "CS0428" => Argument::Group(expr.clone()),
                        other => Argument::Value(other?),
                    },
                    _ => Argument::Value(self.expr(expr)?),
                },
                ArgValue::Out(expr) => match self.place(expr, false)? {
                    (crate::tree::Place::Slot(slot), of) => Argument::Out(slot, of),
                    _ => return fail("CS1510", "A ref or out value must be an assignable variable", expr.at),
                },
                ArgValue::Declare(class, name, at) => {
                    let of = class.as_ref().map(|class| self.type_of(class)).transpose()?;
                    Argument::Declare(of, name.clone(), *at)
                }
            };
            out.push((arg.name.clone(), value));
        }
        Ok(out)
    }

    pub(super) fn call(&mut self, target: &Expr, args: &[Arg], at: usize) -> Bound<Typed> {
        match &target.node {
            Node::Member(inner, name, generics) => {
                let generics: Vec<_> = generics.iter().map(|g| self.type_of(g)).collect::<Bound<_>>()?;
                match self.entity(inner)? {
                    Entity::Type(of) => self.static_call(&of, name, &generics, args, target.at),
                    Entity::Value(receiver) => self.instance_call(receiver, name, &generics, args, target.at),
                    Entity::Namespace(space) => fail(
                        "CS0234",
                        format!(
                            "The type or namespace name '{name}' does not exist in the namespace '{space}' (are you missing an assembly reference?)"
                        ),
                        target.at,
                    ),
                }
            }
            Node::Name(name, _) if self.find(name).is_none() && name != "context" => {
                fail("CS0103", format!("The name '{name}' does not exist in the current context"), at)
            }
            _ => {
                let function = self.expr(target)?;
                self.invoke(function, args, at)
            }
        }
    }

    fn invoke(&mut self, function: Typed, args: &[Arg], at: usize) -> Bound<Typed> {
        let Type::Func(parameters, result) = function.of.clone() else {
            return fail("CS0149", "Method name expected", at);
        };
        if parameters.len() != args.len() {
            return fail(
                "CS1593",
                format!("Delegate '{}' does not take {} arguments", function.of, args.len()),
                at,
            );
        }
        let mut values = Vec::new();
        for (arg, of) in args.iter().zip(&parameters) {
            let ArgValue::In(expr) = &arg.value else {
                return fail("CS1615", "Argument may not be passed with the 'out' keyword", at);
            };
            let value = self.argument(expr, of)?;
            values.push(self.convert(value, of)?);
        }
        Ok(Typed { of: (*result).clone(), at, kind: Kind::Invoke(Box::new(function), values) })
    }

    fn static_call(
        &mut self,
        of: &Type,
        name: &str,
        generics: &[Type],
        args: &[Arg],
        at: usize,
    ) -> Bound<Typed> {
        let entry = surface::table_of(of);
        let all = |entry: &'static surface::Entry| -> Vec<_> {
            let wanted =
                |m: &&Member| m.name == name && m.kind == MemberKind::Method && (m.is_static || m.extension);
            entry.members.iter().filter(wanted).collect()
        };
        let mut members = entry.map(all).unwrap_or_default();
        if members.is_empty() {
            members = levels(of)
                .iter()
                .filter_map(surface::table_of)
                .map(all)
                .find(|found| !found.is_empty())
                .unwrap_or_default();
        }
        if members.is_empty() {
            self.static_member(of, name, at)?;
            return fail(
                "CS1955",
                format!("Non-invocable member '{of}.{name}' cannot be used like a method."),
                at,
            );
        }
        self.resolve(name, members, &arguments_of(of), generics, None, args, at)
    }

    fn instance_call(
        &mut self,
        receiver: Typed,
        name: &str,
        generics: &[Type],
        args: &[Arg],
        at: usize,
    ) -> Bound<Typed> {
        if receiver.of == Type::Unknown {
            return Ok(super::unknown(at));
        }
        let mut first: Option<Problem> = None;
        let mut property = false;
        for level in levels(&receiver.of) {
            let Some(entry) = surface::table_of(&level) else { continue };
            let members = surface::declared(entry, name);
            property |= members.iter().any(|m| m.kind == MemberKind::Property && !m.is_static);
            let methods: Vec<_> =
                members.into_iter().filter(|m| m.kind == MemberKind::Method && !m.is_static).collect();
            if methods.is_empty() {
                continue;
            }
            match self.resolve(
                name,
                methods,
                &arguments_of(&level),
                generics,
                Some(receiver.clone()),
                args,
                at,
            ) {
                Ok(call) => return Ok(call),
                Err(problem) if problem.code.starts_with("APIM") => return Err(problem),
                Err(problem) => first = first.or(Some(problem)),
            }
        }
        let extensions = surface::extensions(name);
        if !extensions.is_empty() {
            let applicable: Vec<_> = extensions
                .into_iter()
                .filter(|member| member.params.first().is_some_and(|p| self.may_extend(&receiver, &p.of)))
                .collect();
            if !applicable.is_empty() {
                match self.resolve(name, applicable, &[], generics, Some(receiver.clone()), args, at) {
                    Ok(call) => return Ok(call),
                    Err(problem) => first = first.or(Some(problem)),
                }
            }
        }
        if let Some(problem) = first {
            return Err(problem);
        }
        if property {
            let value = self.instance_member(receiver.clone(), name, at)?;
            if matches!(value.of, Type::Func(..)) {
                return self.invoke(value, args, at);
            }
            return fail(
                "CS1955",
                format!("Non-invocable member '{}.{name}' cannot be used like a method.", receiver.of),
                at,
            );
        }
        Err(self.no_member(&receiver.of, name, at))
    }

    fn may_extend(&self, receiver: &Typed, parameter: &Type) -> bool {
        match parameter {
            Type::Class(name, _) => surface::as_base(&receiver.of, name).is_some(),
            Type::Param(_) => true,
            other => self.implicit_of(receiver, other).is_some(),
        }
    }

    /// Chooses among members of one name and makes the call.
    #[allow(clippy::too_many_arguments, reason = "each is a separate part of a call")]
    pub(super) fn resolve(
        &mut self,
        name: &str,
        members: Vec<&'static Member>,
        owner: &[Type],
        generics: &[Type],
        receiver: Option<Typed>,
        args: &[Arg],
        at: usize,
    ) -> Bound<Typed> {
        let written = self.arguments(args)?;
        let mut candidates: Vec<Candidate> = Vec::new();
        let (mut problem, mut fits) = (None, false);
        for member in members {
            let mut arguments = written.clone();
            if let (true, Some(receiver)) = (member.extension, &receiver) {
                arguments.insert(0, (None, Argument::Value(receiver.clone())));
            }
            let mut found = false;
            for expanded in [false, true] {
                let Some(slots) = slots(member, &arguments, expanded) else { continue };
                fits = true;
                match self.applicable(member, slots, owner, generics, &arguments, expanded, at) {
                    Ok(candidate) => {
                        candidates.push(candidate);
                        found = true;
                        break;
                    }
                    Err(reason) => problem = problem.or(Some(reason)),
                }
            }
            let _ = found;
        }
        if candidates.is_empty() {
            if let (true, Some(problem)) = (fits, problem) {
                return Err(problem);
            }
            let text = match name {
                ".ctor" => format!(
                    "'{}' does not contain a constructor that takes {} arguments",
                    receiver.map_or_else(|| owner_name(owner), |r| r.of.to_string()),
                    args.len()
                ),
                _ => format!("No overload for method '{name}' takes {} arguments", args.len()),
            };
            return fail("CS1501", text, at);
        }
        let best = self.best(&candidates, &written);
        let candidate = candidates.swap_remove(best);
        self.allowed(candidate.member, at)?;
        let mut arguments: Vec<_> = written.into_iter().map(|(_, argument)| argument).collect();
        let mut args = Vec::new();
        match receiver {
            Some(receiver) if candidate.member.extension => arguments.insert(0, Argument::Value(receiver)),
            Some(receiver) => args.push(receiver),
            None => {}
        }
        self.make_call(candidate, arguments, args, at)
    }

    #[allow(clippy::too_many_arguments, reason = "each is a separate part of a call")]
    fn applicable(
        &mut self,
        member: &'static Member,
        slots: Vec<usize>,
        owner: &[Type],
        generics: &[Type],
        arguments: &[(Option<String>, Argument)],
        expanded: bool,
        at: usize,
    ) -> Bound<Candidate> {
        if !generics.is_empty() && generics.len() != member.own_generics {
            let text = format!(
                "The non-generic method '{}.{}' cannot be used with type arguments",
                member.owner, member.name
            );
            return fail("CS0308", text, at);
        }
        let parameters: Vec<(Type, usize)> = slots
            .iter()
            .map(|index| {
                let parameter = &member.params[*index];
                let of = match (&parameter.of, expanded && parameter.mode == Mode::Params) {
                    (Type::Array(inner), true) => (**inner).clone(),
                    (other, _) => other.clone(),
                };
                (of, *index)
            })
            .collect();
        let mut types: Vec<Option<Type>> = vec![None; member.owner_generics + member.own_generics];
        for (place, of) in types.iter_mut().zip(owner) {
            *place = Some(of.clone());
        }
        for (place, of) in types.iter_mut().skip(member.owner_generics).zip(generics) {
            *place = Some(of.clone());
        }
        let plain: Vec<_> = arguments.iter().map(|(_, argument)| argument.clone()).collect();
        let lambdas = self.infer(&mut types, &parameters, &plain, at)?;
        if types.iter().any(Option::is_none) {
            let text = format!(
                "The type arguments for method '{}.{}' cannot be inferred from the usage. Try specifying the type arguments explicitly.",
                member.owner, member.name
            );
            return fail("CS0411", text, at);
        }
        let parameters: Vec<_> =
            parameters.into_iter().map(|(of, index)| (of.substitute(&types), index)).collect();
        for (position, (argument, (of, _))) in plain.iter().zip(&parameters).enumerate() {
            let converts = match argument {
                Argument::Value(value) => self.implicit_of(value, of).is_some(),
                Argument::Out(_, declared) => declared == of,
                Argument::Declare(declared, ..) => declared.as_ref().is_none_or(|declared| declared == of),
                Argument::Lambda(..) | Argument::Group(_) => {
                    matches!(of, Type::Func(..))
                        && lambdas[position].as_ref().is_some_and(|found| {
                            let Type::Func(_, result) = of else { return false };
                            **result == Type::Void
                                || super::convert::implicit(found, result).is_some()
                                || *found == Type::INT && result.prim().is_some()
                        })
                }
            };
            if !converts {
                let shown = position + 1 - usize::from(member.extension && position > 0);
                let from = match argument {
                    Argument::Value(value) => value.of.to_string(),
                    Argument::Out(_, of) => format!("out {of}"),
                    Argument::Lambda(..) => "lambda expression".into(),
                    _ => "method group".into(),
                };
                return fail(
                    "CS1503",
                    format!("Argument {shown}: cannot convert from '{from}' to '{of}'"),
                    at,
                );
            }
        }
        let types = types.into_iter().flatten().collect();
        Ok(Candidate { member, types, slots: parameters, expanded, lambdas })
    }

    fn best(&self, candidates: &[Candidate], _written: &[(Option<String>, Argument)]) -> usize {
        let mut best = 0;
        for (index, candidate) in candidates.iter().enumerate().skip(1) {
            if self.is_better(candidate, &candidates[best], _written) {
                best = index;
            }
        }
        best
    }

    fn is_better(&self, a: &Candidate, b: &Candidate, written: &[(Option<String>, Argument)]) -> bool {
        let (skip_a, skip_b) = (a.slots.len() - written.len(), b.slots.len() - written.len());
        let (mut better, mut worse) = (false, false);
        for (index, (_, argument)) in written.iter().enumerate() {
            let (p, q) = (&a.slots[skip_a + index].0, &b.slots[skip_b + index].0);
            if p == q {
                continue;
            }
            let lambda = (a.lambdas.get(skip_a + index).cloned().flatten(), p, q);
            let order = match (argument, lambda) {
                (Argument::Value(value), _) => better_conversion(Some(&value.of), p, q),
                (_, (Some(found), Type::Func(_, r), Type::Func(_, s))) => {
                    better_conversion(Some(&found), r, s)
                }
                _ => 0,
            };
            better |= order > 0;
            worse |= order < 0;
        }
        if better != worse {
            return better;
        }
        // Tie-breakers: non-generic, normal form, fewer parameters left to defaults, more specific.
        let rank = |c: &Candidate| {
            (
                c.member.own_generics > 0,
                c.expanded,
                c.member.params.len() - c.slots.len().min(c.member.params.len()),
            )
        };
        if rank(a) != rank(b) {
            return rank(a) < rank(b);
        }
        let open = |c: &Candidate| c.member.params.iter().filter(|p| matches!(p.of, Type::Param(_))).count();
        open(a) < open(b)
    }

    fn make_call(
        &mut self,
        candidate: Candidate,
        arguments: Vec<Argument>,
        mut args: Vec<Typed>,
        at: usize,
    ) -> Bound<Typed> {
        let Candidate { member, types, slots, expanded, .. } = candidate;
        let filled: Vec<_> = types.iter().cloned().map(Some).collect();
        let receiver = args.len();
        let (mut outs, mut rest) = (Vec::new(), Vec::new());
        let mut values: Vec<Option<Typed>> = vec![None; member.params.len()];
        for (argument, (of, index)) in arguments.into_iter().zip(slots) {
            let out = |at| Typed { of: of.clone(), at, kind: Kind::Const(Value::Null) };
            let value = match argument {
                Argument::Value(value) => self.convert(value, &of)?,
                Argument::Lambda(lambda, at) => self.lambda(&lambda, &of, at)?,
                Argument::Group(expr) => self.argument(&expr, &of)?,
                Argument::Out(slot, _) => {
                    outs.push((receiver + index, slot));
                    out(at)
                }
                Argument::Declare(_, name, at) => {
                    let slot = self.declare(&name, of.clone(), at)?;
                    outs.push((receiver + index, slot));
                    out(at)
                }
            };
            match expanded && member.params[index].mode == Mode::Params {
                true => rest.push(value),
                false => values[index] = Some(value),
            }
        }
        for (parameter, value) in member.params.iter().zip(values) {
            let of = parameter.of.substitute(&filled);
            args.push(match (value, parameter.mode) {
                (Some(value), _) => value,
                (None, Mode::Params) => {
                    let element = match &of {
                        Type::Array(inner) => (**inner).clone(),
                        _ => Type::Object,
                    };
                    Typed { of, at, kind: Kind::Array(element, std::mem::take(&mut rest)) }
                }
                (None, _) => {
                    let value = match &parameter.default {
                        Some(Value::Null) | None => crate::arith::default_of(&of),
                        Some(value) => value.clone(),
                    };
                    Typed { of, at, kind: Kind::Const(value) }
                }
            });
        }
        let of = member.result.substitute(&filled);
        Ok(Typed { of, at, kind: Kind::Call(CallTree { member, types, args, outs }) })
    }
}

fn owner_name(owner: &[Type]) -> String {
    owner.first().map_or_else(String::new, Type::to_string)
}

/// Which parameter each argument fills; `None` when counts or names do not fit.
fn slots(member: &Member, arguments: &[(Option<String>, Argument)], expanded: bool) -> Option<Vec<usize>> {
    let last = member.params.len().checked_sub(1);
    let is_params = last.is_some_and(|last| member.params[last].mode == Mode::Params);
    if expanded && !is_params {
        return None;
    }
    let mut slots = Vec::new();
    for (position, (name, argument)) in arguments.iter().enumerate() {
        let index = match name {
            Some(name) => member.params.iter().position(|p| p.name == *name)?,
            None if expanded => position.min(last?),
            None => position,
        };
        let parameter = member.params.get(index)?;
        let is_out = matches!(argument, Argument::Out(..) | Argument::Declare(..));
        if is_out != (parameter.mode == Mode::Out) {
            return None;
        }
        slots.push(index);
    }
    let filled = |index: usize| slots.contains(&index);
    let optional = |index: usize| member.params[index].default.is_some() || (expanded && Some(index) == last);
    (0..member.params.len()).all(|index| filled(index) || optional(index)).then_some(slots)
}

/// Positive when converting to `p` is better than to `q`.
fn better_conversion(from: Option<&Type>, p: &Type, q: &Type) -> i32 {
    if p == q {
        return 0;
    }
    match from {
        Some(from) if from == p => return 1,
        Some(from) if from == q => return -1,
        _ => {}
    }
    let (forward, backward) =
        (super::convert::implicit(p, q).is_some(), super::convert::implicit(q, p).is_some());
    match (forward, backward) {
        (true, false) => 1,
        (false, true) => -1,
        _ => match (p.prim(), q.prim()) {
            (Some(a), Some(b)) if a.is_integral() && b.is_integral() => {
                let signed = |prim: crate::types::Prim| prim.range().0 < 0;
                i32::from(signed(a)) - i32::from(signed(b))
            }
            _ => 0,
        },
    }
}

/// A method as a lambda that calls it.
pub(super) fn eta(method: &Expr, count: usize) -> Lambda {
    let names: Vec<_> = (0..count).map(|index| format!("<{index}>")).collect();
    let at = method.at;
    let args = names
        .iter()
        .map(|name| Arg {
            name: None,
            value: ArgValue::In(Expr { at, node: Node::Name(name.clone(), Vec::new()) }),
        })
        .collect();
    let body = Expr { at, node: Node::Call(Box::new(method.clone()), args) };
    Lambda {
        parameters: names.into_iter().map(|name| (None, name)).collect(),
        body: LambdaBody::Expr(Box::new(body)),
    }
}
