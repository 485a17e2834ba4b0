//! `new`: objects with initialisers, arrays, anonymous objects.

use super::infer::{array_of, best_common};
use super::{Binder, Bound, fail};
use crate::surface::{self, MemberKind};
use crate::syntax::{Arg, ArgValue, Expr, Init, TypeName};
use crate::tree::{Kind, Typed};
use crate::types::Type;
use crate::value::Value;
use std::sync::Arc;

impl Binder {
    pub(super) fn creation(
        &mut self,
        class: Option<&TypeName>,
        args: &[Arg],
        init: Option<&[Init]>,
        at: usize,
    ) -> Bound<Typed> {
        let Some(class) = class else { return fail("CS1526", "A new expression requires a type", at) };
        let of = self.type_of(class)?;
        let members: Vec<_> = surface::table_of(&of)
            .map(|entry| entry.members.iter().filter(|member| member.kind == MemberKind::New).collect())
            .unwrap_or_default();
        let object = if members.is_empty() && args.is_empty() && of.is_value() {
            Typed { of: of.clone(), at, kind: Kind::Const(crate::arith::default_of(&of)) }
        } else if members.is_empty() {
            return fail(
                "CS0144",
                format!("Cannot create an instance of the abstract type or interface '{of}'"),
                at,
            );
        } else {
            let generics = super::access::arguments_of(&of);
            let made =
                self.resolve(".ctor", members, &generics, &[], None, args, at).map_err(|mut problem| {
                    if problem.code == "CS1501" {
                        problem.code = "CS1729";
                        problem.message = format!(
                            "'{of}' does not contain a constructor that takes {} arguments",
                            args.len()
                        );
                    }
                    problem
                })?;
            Typed { of: of.clone(), ..made }
        };
        let Some(init) = init else { return Ok(object) };
        let slot = self.temporary();
        let me = Typed { of: of.clone(), at, kind: Kind::Slot(slot) };
        // Steps may stand in a lambda's own function only when they are bound there; they are not.
        let mut steps = Vec::new();
        for item in init {
            steps.push(match item {
                Init::Member(name, value, at) => {
                    let (place, of) = self.member_place_of(me.clone(), name, *at)?;
                    let value = self.argument(value, &of)?;
                    let value = Box::new(self.convert(value, &of)?);
                    Typed { of, at: *at, kind: Kind::Assign(place, value) }
                }
                Init::Index(args, value) => {
                    let (place, of) = self.index_place_of(me.clone(), args, at)?;
                    let value = self.argument(value, &of)?;
                    let value = Box::new(self.convert(value, &of)?);
                    Typed { of, at, kind: Kind::Assign(place, value) }
                }
                Init::Add(values, at) => {
                    let args: Vec<_> = values
                        .iter()
                        .map(|value| Arg { name: None, value: ArgValue::In(value.clone()) })
                        .collect();
                    self.add(me.clone(), &args, *at)?
                }
            });
        }
        Ok(Typed { of, at, kind: Kind::Initialise(slot, Box::new(object), steps) })
    }

    fn add(&mut self, receiver: Typed, args: &[Arg], at: usize) -> Bound<Typed> {
        for level in super::access::levels(&receiver.of) {
            let Some(entry) = surface::table_of(&level) else { continue };
            let methods: Vec<_> = surface::declared(entry, "Add")
                .into_iter()
                .filter(|m| m.kind == MemberKind::Method)
                .collect();
            if !methods.is_empty() {
                let types = super::access::arguments_of(&level);
                return self.resolve("Add", methods, &types, &[], Some(receiver), args, at);
            }
        }
        fail(
            "CS1922",
            format!(
                "Cannot initialize type '{}' with a collection initializer because it does not implement 'System.Collections.IEnumerable'",
                receiver.of
            ),
            at,
        )
    }

    pub(super) fn new_array(
        &mut self,
        class: Option<&TypeName>,
        sizes: &[Expr],
        items: Option<&[Expr]>,
        at: usize,
    ) -> Bound<Typed> {
        let mut element = class.map(|class| self.type_of(class)).transpose()?;
        let Some(items) = items else {
            let element = element.unwrap_or(Type::Object);
            let Some(size) = sizes.first() else {
                return fail("CS1586", "Array creation must have array size or array initializer", at);
            };
            let size = self.expr(size)?;
            let size = self.convert(size, &Type::Prim(crate::types::Prim::Long))?;
            let kind = Kind::NewArray(element.clone(), Box::new(size));
            return Ok(Typed { of: array_of(element), at, kind });
        };
        let mut values: Vec<Typed> = Vec::new();
        for item in items {
            let value = match &element {
                Some(of) => self.argument(item, of)?,
                None => self.expr(item)?,
            };
            values.push(value);
        }
        if element.is_none() {
            element = best_common(&values.iter().map(|value| value.of.clone()).collect::<Vec<_>>());
        }
        let Some(element) = element else {
            return fail("CS0826", "No best type found for implicitly-typed array", at);
        };
        let values = values.into_iter().map(|value| self.convert(value, &element)).collect::<Bound<_>>()?;
        Ok(Typed { of: array_of(element.clone()), at, kind: Kind::Array(element, values) })
    }

    pub(super) fn anonymous(&mut self, fields: &[(String, Expr)], at: usize) -> Bound<Typed> {
        let mut values = Vec::new();
        for (name, expr) in fields {
            let value = self.expr(expr)?;
            if matches!(value.of, Type::Null | Type::Void) {
                return fail(
                    "CS0828",
                    format!("Cannot assign {} to anonymous type property", value.of),
                    expr.at,
                );
            }
            values.push((name.clone(), value));
        }
        let shape = values.iter().map(|(name, value)| (name.clone(), value.of.clone())).collect();
        Ok(Typed { of: Type::Anonymous(Arc::new(shape)), at, kind: Kind::Anonymous(values) })
    }

    /// A constant's value, if the tree is one.
    pub(super) fn constant(value: &Typed) -> Option<Value> {
        match &value.kind {
            Kind::Const(value) => Some(value.clone()),
            _ => None,
        }
    }
}
