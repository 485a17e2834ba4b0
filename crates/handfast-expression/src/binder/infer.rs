//! Type inference for generic methods, and the binding of lambdas.

use super::overload::{Argument, eta};
use super::{Binder, Bound, FunctionState, fail};
use crate::surface;
use crate::syntax::{Lambda, LambdaBody};
use crate::tree::{Function, Kind, Step, Typed};
use crate::types::Type;
use std::sync::Arc;

/// Learns type parameters from a value of a type given where another is wanted.
fn unify(types: &mut [Option<Type>], wanted: &Type, given: &Type) {
    match (wanted, given) {
        (Type::Param(index), _) => {
            let Some(place) = types.get_mut(usize::from(*index)) else { return };
            match place {
                Some(known)
                    if known != given
                        && *given != Type::Null
                        && super::convert::implicit(known, given).is_some() =>
                {
                    *place = Some(given.clone());
                }
                None if !matches!(given, Type::Null | Type::Void) => *place = Some(given.clone()),
                _ => {}
            }
        }
        (Type::Array(a), Type::Array(b)) => unify(types, a, b),
        (Type::Nullable(a), b) => unify(types, a, b.stripped()),
        (Type::Class(name, a), _) => {
            if let Some(Type::Class(_, b)) = surface::as_base(given, name) {
                for (a, b) in a.iter().zip(&b) {
                    unify(types, a, b);
                }
            }
        }
        (Type::Func(a, r), Type::Func(b, s)) => {
            for (a, b) in a.iter().zip(b) {
                unify(types, a, b);
            }
            unify(types, r, s);
        }
        _ => {}
    }
}

impl Binder {
    /// Both phases: values first, then lambdas whose parameters are known. Gives the result types of lambdas.
    pub(super) fn infer(
        &mut self,
        types: &mut [Option<Type>],
        parameters: &[(Type, usize)],
        arguments: &[Argument],
        at: usize,
    ) -> Bound<Vec<Option<Type>>> {
        for (argument, (of, _)) in arguments.iter().zip(parameters) {
            match argument {
                Argument::Value(value) => unify(types, of, &value.of),
                Argument::Out(_, declared) | Argument::Declare(Some(declared), ..) => {
                    unify(types, of, declared)
                }
                _ => {}
            }
        }
        let mut lambdas = vec![None; arguments.len()];
        for _ in 0..=arguments.len() {
            let mut progress = false;
            for (index, (argument, (of, _))) in arguments.iter().zip(parameters).enumerate() {
                let eta_lambda;
                let (lambda, lambda_at) = match (argument, of) {
                    (Argument::Lambda(lambda, at), _) => (lambda, *at),
                    (Argument::Group(expr), Type::Func(inner, _)) => {
                        eta_lambda = eta(expr, inner.len());
                        (&eta_lambda, expr.at)
                    }
                    (Argument::Group(_), _) => {
                        return fail(
                            "CS1503",
                            format!("Argument {}: cannot convert from 'method group' to '{of}'", index + 1),
                            at,
                        );
                    }
                    _ => continue,
                };
                if lambdas[index].is_some() {
                    continue;
                }
                let Type::Func(inner, result) = of else {
                    return fail(
                        "CS1660",
                        format!(
                            "Cannot convert lambda expression to type '{}' because it is not a delegate type",
                            of.substitute(types)
                        ),
                        lambda_at,
                    );
                };
                if inner.len() != lambda.parameters.len() {
                    return fail(
                        "CS1593",
                        format!("Delegate '{of}' does not take {} arguments", lambda.parameters.len()),
                        lambda_at,
                    );
                }
                let inner: Vec<_> = inner.iter().map(|t| t.substitute(types)).collect();
                if !inner.iter().all(Type::is_closed) {
                    continue;
                }
                let (_, found) = self.function(lambda, &inner, None, lambda_at)?;
                unify(types, result, &found);
                lambdas[index] = Some(found);
                progress = true;
            }
            if !progress {
                break;
            }
        }
        Ok(lambdas)
    }

    /// A lambda for a known delegate type.
    pub(super) fn lambda(&mut self, lambda: &Lambda, target: &Type, at: usize) -> Bound<Typed> {
        let Type::Func(parameters, result) = target else {
            return fail(
                "CS1660",
                format!(
                    "Cannot convert lambda expression to type '{target}' because it is not a delegate type"
                ),
                at,
            );
        };
        if parameters.len() != lambda.parameters.len() {
            return fail(
                "CS1593",
                format!("Delegate '{target}' does not take {} arguments", lambda.parameters.len()),
                at,
            );
        }
        let (function, _) = self.function(lambda, parameters, Some((**result).clone()), at)?;
        Ok(Typed { of: target.clone(), at, kind: Kind::Lambda(Box::new(function)) })
    }

    /// Binds a body; without a wanted result it finds out which one it has.
    pub(super) fn function(
        &mut self,
        lambda: &Lambda,
        parameters: &[Type],
        result: Option<Type>,
        at: usize,
    ) -> Bound<(Function, Type)> {
        self.functions.push(FunctionState { slots: 0, result: result.clone(), returned: Vec::new() });
        self.scopes.push(Vec::new());
        let loops = std::mem::take(&mut self.loops);
        let unassigned = self.unassigned.clone();
        let bound = self.function_body(lambda, parameters, result, at);
        self.unassigned = unassigned;
        self.loops = loops;
        self.scopes.pop();
        let state = self.functions.pop();
        let (body, of) = bound?;
        let slots = state.map_or(0, |state| state.slots);
        Ok((Function { parameters: parameters.len(), slots, body }, of))
    }

    fn function_body(
        &mut self,
        lambda: &Lambda,
        parameters: &[Type],
        result: Option<Type>,
        at: usize,
    ) -> Bound<(Vec<Step>, Type)> {
        for ((class, name), of) in lambda.parameters.iter().zip(parameters) {
            if let Some(class) = class {
                let written = self.type_of(class)?;
                if written != *of {
                    return fail(
                        "CS1661",
                        format!(
                            "Cannot convert lambda expression to delegate type because the parameter types do not match: '{written}' and '{of}'"
                        ),
                        at,
                    );
                }
            }
            self.declare(name, of.clone(), at)?;
        }
        match &lambda.body {
            LambdaBody::Expr(expr) => {
                let value = self.expr(expr)?;
                let of = value.of.clone();
                match result {
                    None => Ok((Vec::new(), of)),
                    Some(Type::Void) => Ok((vec![Step::Eval(value)], Type::Void)),
                    Some(wanted) => {
                        let value = self.convert(value, &wanted)?;
                        Ok((vec![Step::Return(value)], wanted))
                    }
                }
            }
            LambdaBody::Block(body) => {
                let (steps, ends) = self.statements(body)?;
                let returned =
                    self.functions.last_mut().map(|f| std::mem::take(&mut f.returned)).unwrap_or_default();
                let of = match &result {
                    Some(of) => of.clone(),
                    None => best_common(&returned.iter().map(|value| value.of.clone()).collect::<Vec<_>>())
                        .unwrap_or(Type::Void),
                };
                if ends && of != Type::Void {
                    return fail(
                        "CS1643",
                        "Not all code paths return a value in lambda expression of type 'Func'",
                        at,
                    );
                }
                Ok((steps, of))
            }
        }
    }
}

/// The type that all convert to, if one of them is it.
pub(super) fn best_common(types: &[Type]) -> Option<Type> {
    types
        .iter()
        .find(|candidate| {
            **candidate != Type::Null
                && types.iter().all(|of| super::convert::implicit(of, candidate).is_some())
        })
        .cloned()
}

/// `T[]` of an element type.
pub(super) fn array_of(element: Type) -> Type {
    Type::Array(Arc::new(element))
}
