//! What a name stands for: a variable, a type, or a namespace.

use super::{Binder, Bound, fail};
use crate::surface;
use crate::syntax::{Expr, Node, TypeName, TypeShape};
use crate::tree::{Kind, Typed};
use crate::types::Type;
use std::sync::Arc;

/// What stands left of a dot.
pub(super) enum Entity {
    Value(Typed),
    Type(Type),
    Namespace(String),
}

impl Binder {
    pub(super) fn type_of(&mut self, name: &TypeName) -> Bound<Type> {
        match &name.shape {
            TypeShape::Array(inner) => Ok(Type::Array(Arc::new(self.type_of(inner)?))),
            TypeShape::Nullable(inner) => Ok(self.type_of(inner)?.nullable()),
            TypeShape::Name(text, arguments) => {
                let arguments: Vec<_> = arguments.iter().map(|a| self.type_of(a)).collect::<Bound<_>>()?;
                let (namespace, short) = match text.rsplit_once('.') {
                    Some((namespace, short)) => (Some(namespace), short),
                    None => (None, text.as_str()),
                };
                self.named(namespace, short, arguments, name.at)?.map_or_else(
                    || {
                        let text = format!("The type or namespace name '{text}' could not be found (are you missing a using directive or an assembly reference?)");
                        fail("CS0246", text, name.at)
                    },
                    Ok,
                )
            }
        }
    }

    fn named(
        &self,
        namespace: Option<&str>,
        short: &str,
        arguments: Vec<Type>,
        at: usize,
    ) -> Bound<Option<Type>> {
        if let Some(full) = surface::refused(namespace, short) {
            return fail(
                "APIM0001",
                format!("Usage of type '{full}' is not supported within expressions"),
                at,
            );
        }
        if namespace.is_none() && short == "dynamic" {
            return fail("APIM0006", "Dynamic member invocation is not supported", at);
        }
        // Two classes of helpers share one name; the tables know them apart.
        let short = match (namespace, short) {
            (Some("System.Xml.XPath"), "Extensions") => "XPathExtensions",
            (Some("System.Xml.Linq"), "Extensions") => "XmlLinqExtensions",
            _ => short,
        };
        let of = surface::of_name(short, arguments);
        let of = of.filter(|of| {
            let space = surface::table_of(of).map_or("System", |entry| entry.def.namespace);
            let space = match of {
                Type::Enum(def) => def.namespace,
                _ => space,
            };
            // Only imported namespaces are reached by a short name.
            namespace
                .map_or(space != "System.Net" && space != "System.Globalization" || !self.strict, |wanted| {
                    wanted == space
                })
        });
        if self.strict
            && let Some(entry) = of.as_ref().and_then(surface::table_of)
            && entry.def.lenient
        {
            let full = surface::full_name(entry.def.name);
            return fail(
                "APIM0001",
                format!("Usage of type '{full}' is not supported within expressions"),
                at,
            );
        }
        Ok(of)
    }

    /// A name, a dotted name or any other expression, as what it stands for.
    pub(super) fn entity(&mut self, expr: &Expr) -> Bound<Entity> {
        if self.depth >= super::DEPTH_MAX {
            return fail("CS8078", "An expression is too long or complex to compile", expr.at);
        }
        self.depth += 1;
        let result = self.entity_of(expr);
        self.depth -= 1;
        result
    }

    fn entity_of(&mut self, expr: &Expr) -> Bound<Entity> {
        match &expr.node {
            Node::Name(name, arguments) => {
                if arguments.is_empty()
                    && let Some(value) = self.variable(name, expr.at)?
                {
                    return Ok(Entity::Value(value));
                }
                let arguments: Vec<_> = arguments.iter().map(|a| self.type_of(a)).collect::<Bound<_>>()?;
                if let Some(of) = self.named(None, name, arguments, expr.at)? {
                    return Ok(Entity::Type(of));
                }
                if surface::is_namespace(name) {
                    return Ok(Entity::Namespace(name.clone()));
                }
                fail("CS0103", format!("The name '{name}' does not exist in the current context"), expr.at)
            }
            Node::Predefined(name) => Ok(Entity::Type(self.type_of(name)?)),
            Node::Member(inner, name, arguments) => match self.entity(inner)? {
                Entity::Namespace(namespace) => {
                    let arguments: Vec<_> =
                        arguments.iter().map(|a| self.type_of(a)).collect::<Bound<_>>()?;
                    if let Some(of) = self.named(Some(&namespace), name, arguments, inner.at)? {
                        return Ok(Entity::Type(of));
                    }
                    let full = format!("{namespace}.{name}");
                    if surface::is_namespace(&full) {
                        return Ok(Entity::Namespace(full));
                    }
                    let text = format!(
                        "The type or namespace name '{name}' does not exist in the namespace '{namespace}' (are you missing an assembly reference?)"
                    );
                    fail("CS0234", text, expr.at)
                }
                Entity::Type(of) => Ok(Entity::Value(self.static_member(&of, name, expr.at)?)),
                Entity::Value(receiver) => Ok(Entity::Value(self.instance_member(receiver, name, expr.at)?)),
            },
            _ => Ok(Entity::Value(self.expr(expr)?)),
        }
    }

    pub(super) fn value_of(&mut self, expr: &Expr) -> Bound<Typed> {
        match self.entity(expr)? {
            Entity::Value(value) => Ok(value),
            Entity::Type(of) => {
                fail("CS0119", format!("'{of}' is a type, which is not valid in the given context"), expr.at)
            }
            Entity::Namespace(name) => {
                fail("CS0118", format!("'{name}' is a namespace but is used like a variable"), expr.at)
            }
        }
    }

    fn variable(&mut self, name: &str, at: usize) -> Bound<Option<Typed>> {
        if let Some(variable) = self.find(name).cloned() {
            if let Some(value) = variable.constant {
                return Ok(Some(Typed { of: variable.of, at, kind: Kind::Const(value) }));
            }
            if self.unassigned.contains(&(variable.function, variable.index)) {
                return fail("CS0165", format!("Use of unassigned local variable '{name}'"), at);
            }
            let slot = self.slot_of(&variable);
            return Ok(Some(Typed { of: variable.of, at, kind: Kind::Slot(slot) }));
        }
        let context = (name == "context").then(|| Typed {
            of: Type::class("IProxyRequestContext"),
            at,
            kind: Kind::Context,
        });
        Ok(context)
    }
}
