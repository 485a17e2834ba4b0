//! Members of values and types, elements, and what of them can be assigned to.

use super::names::Entity;
use super::{Binder, Bound, fail};
use crate::surface::{self, Member, MemberKind};
use crate::syntax::{Arg, Expr};
use crate::tree::{CallTree, Kind, Place, Typed};
use crate::types::Type;
use crate::value::Value;

/// The type, its bases outwards, and `object` last.
pub(super) fn levels(of: &Type) -> Vec<Type> {
    let mut levels = vec![of.clone()];
    let mut at = 0;
    while let Some(level) = levels.get(at).cloned() {
        for base in surface::bases(&level) {
            if !levels.contains(&base) {
                levels.push(base);
            }
        }
        at += 1;
    }
    if *of != Type::Object {
        levels.push(Type::Object);
    }
    levels
}

/// Type arguments of a type, as its members see them.
pub(super) fn arguments_of(of: &Type) -> Vec<Type> {
    match of {
        Type::Class(_, arguments) => arguments.clone(),
        Type::Array(inner) | Type::Nullable(inner) => vec![(**inner).clone()],
        _ => Vec::new(),
    }
}

fn is_kind(member: &Member, kinds: &[MemberKind]) -> bool {
    kinds.contains(&member.kind)
}

impl Binder {
    /// Refuses what the strict profile does not have.
    pub(super) fn allowed(&self, member: &Member, at: usize) -> Bound<()> {
        let refused_type = surface::entry(member.owner).is_some_and(|entry| entry.def.lenient);
        if self.strict && refused_type && !member.extension {
            let full = surface::full_name(member.owner);
            return fail(
                "APIM0001",
                format!("Usage of type '{full}' is not supported within expressions"),
                at,
            );
        }
        if self.strict && member.lenient {
            let text = format!(
                "Usage of member '{}' of type '{}' is not supported within expressions",
                member.name,
                surface::full_name(member.owner)
            );
            return fail("APIM0002", text, at);
        }
        Ok(())
    }

    pub(super) fn static_member(&mut self, of: &Type, name: &str, at: usize) -> Bound<Typed> {
        if let Type::Enum(def) = of {
            return match def.members.iter().find(|member| member.0 == name) {
                Some(member) => {
                    Ok(Typed { of: of.clone(), at, kind: Kind::Const(Value::Enum(def, member.1)) })
                }
                None => fail("CS0117", format!("'{of}' does not contain a definition for '{name}'"), at),
            };
        }
        let members = surface::table_of(of).map(|entry| surface::declared(entry, name)).unwrap_or_default();
        if let Some(member) =
            members.iter().find(|member| member.is_static && member.kind == MemberKind::Property)
        {
            self.allowed(member, at)?;
            if let (Some(prim), "MaxValue" | "MinValue") =
                (member.result.prim().filter(|prim| prim.is_integral()), name)
            {
                let (low, high) = prim.range();
                let value = Value::Int(prim, if name == "MaxValue" { high } else { low } as i64);
                return Ok(Typed { of: member.result.clone(), at, kind: Kind::Const(value) });
            }
            let types = arguments_of(of);
            let result = member.result.clone();
            let tree = CallTree { member, types, args: Vec::new(), outs: Vec::new() };
            return Ok(Typed { of: result, at, kind: Kind::Call(tree) });
        }
        if members.iter().any(|member| member.kind == MemberKind::Method) {
            return fail(
                "CS0428",
                format!(
                    "Cannot convert method group '{name}' to non-delegate type 'object'. Did you intend to invoke the method?"
                ),
                at,
            );
        }
        if members.iter().any(|member| !member.is_static) {
            return fail(
                "CS0120",
                format!(
                    "An object reference is required for the non-static field, method, or property '{of}.{name}'"
                ),
                at,
            );
        }
        if let Some(member) = known_but_refused(of, name) {
            return fail("APIM0002", member, at);
        }
        fail("CS0117", format!("'{of}' does not contain a definition for '{name}'"), at)
    }

    pub(super) fn instance_member(&mut self, receiver: Typed, name: &str, at: usize) -> Bound<Typed> {
        if receiver.of == Type::Unknown {
            return Ok(super::unknown(at));
        }
        if let Type::Anonymous(shape) = &receiver.of
            && let Some((_, of)) = shape.iter().find(|field| field.0 == name)
        {
            let key = Typed { of: Type::String, at, kind: Kind::Const(Value::str(name)) };
            return Ok(Typed { of: of.clone(), at, kind: Kind::Element(Box::new(receiver), Box::new(key)) });
        }
        let mut method = false;
        for level in levels(&receiver.of) {
            let Some(entry) = surface::table_of(&level) else { continue };
            let members = surface::declared(entry, name);
            method |= members.iter().any(|member| member.kind == MemberKind::Method);
            let property = members.into_iter().find(|m| m.kind == MemberKind::Property && !m.is_static);
            if let Some(member) = property {
                self.allowed(member, at)?;
                return Ok(self.property(member, receiver, &level, at));
            }
        }
        method |= !surface::extensions(name).is_empty();
        if method {
            return fail(
                "CS0428",
                format!(
                    "Cannot convert method group '{name}' to non-delegate type 'object'. Did you intend to invoke the method?"
                ),
                at,
            );
        }
        Err(self.no_member(&receiver.of, name, at))
    }

    pub(super) fn no_member(&self, of: &Type, name: &str, at: usize) -> crate::lexer::Problem {
        if let Some(text) = known_but_refused(of, name) {
            return crate::lexer::Problem::new("APIM0002", text, at);
        }
        let text = format!(
            "'{of}' does not contain a definition for '{name}' and no accessible extension method '{name}' accepting a first argument of type '{of}' could be found (are you missing a using directive or an assembly reference?)"
        );
        crate::lexer::Problem::new("CS1061", text, at)
    }

    fn property(&self, member: &'static Member, receiver: Typed, level: &Type, at: usize) -> Typed {
        let types = arguments_of(level);
        let filled: Vec<_> = types.iter().cloned().map(Some).collect();
        let of = member.result.substitute(&filled);
        let tree = CallTree { member, types, args: vec![receiver], outs: Vec::new() };
        Typed { of, at, kind: Kind::Call(tree) }
    }

    pub(super) fn index(&mut self, receiver: &Expr, args: &[Arg], at: usize) -> Bound<Typed> {
        let receiver = self.expr(receiver)?;
        if receiver.of == Type::Unknown {
            return Ok(super::unknown(at));
        }
        if let Type::Array(element) = &receiver.of {
            let element = (**element).clone();
            let index = self.array_index(args, at)?;
            return Ok(Typed { of: element, at, kind: Kind::Element(Box::new(receiver), Box::new(index)) });
        }
        self.indexer(receiver, args, MemberKind::Indexer, at)
    }

    fn array_index(&mut self, args: &[Arg], at: usize) -> Bound<Typed> {
        let [Arg { value: crate::syntax::ArgValue::In(index), .. }] = args else {
            return fail("CS0022", "Wrong number of indices inside []; expected 1", at);
        };
        let index = self.expr(index)?;
        let long = Type::Prim(crate::types::Prim::Long);
        self.convert(index, &long)
    }

    fn indexer(&mut self, receiver: Typed, args: &[Arg], kind: MemberKind, at: usize) -> Bound<Typed> {
        let mut first = None;
        for level in levels(&receiver.of) {
            let Some(entry) = surface::table_of(&level) else { continue };
            let members: Vec<_> = entry.members.iter().filter(|member| member.kind == kind).collect();
            if !members.is_empty() {
                let types = arguments_of(&level);
                match self.resolve("this", members, &types, &[], Some(receiver.clone()), args, at) {
                    Ok(found) => return Ok(found),
                    Err(problem) => first = first.or(Some(problem)),
                }
            }
        }
        if let Some(problem) = first {
            return Err(problem);
        }
        fail(
            "CS0021",
            format!("Cannot apply indexing with [] to an expression of type '{}'", receiver.of),
            at,
        )
    }

    pub(super) fn member_place(&mut self, receiver: &Expr, name: &str, at: usize) -> Bound<(Place, Type)> {
        let of = match self.entity(receiver)? {
            Entity::Value(value) => value,
            _ => {
                return fail(
                    "CS0131",
                    "The left-hand side of an assignment must be a variable, property or indexer",
                    at,
                );
            }
        };
        self.member_place_of(of, name, at)
    }

    pub(super) fn member_place_of(&mut self, receiver: Typed, name: &str, at: usize) -> Bound<(Place, Type)> {
        for level in levels(&receiver.of) {
            let Some(entry) = surface::table_of(&level) else { continue };
            let members = surface::declared(entry, name);
            let Some(set) = members.iter().find(|member| member.kind == MemberKind::SetProperty).copied()
            else {
                continue;
            };
            self.allowed(set, at)?;
            let get = members.iter().find(|member| is_kind(member, &[MemberKind::Property])).copied();
            let types = arguments_of(&level);
            let filled: Vec<_> = types.iter().cloned().map(Some).collect();
            let of = set.result.substitute(&filled);
            return Ok((Place::Member { parts: vec![receiver], get, set, types }, of));
        }
        let of = receiver.of.clone();
        self.instance_member(receiver, name, at)?;
        fail(
            "CS0200",
            format!("Property or indexer '{of}.{name}' cannot be assigned to -- it is read only"),
            at,
        )
    }

    pub(super) fn index_place(&mut self, receiver: &Expr, args: &[Arg], at: usize) -> Bound<(Place, Type)> {
        let receiver = self.expr(receiver)?;
        self.index_place_of(receiver, args, at)
    }

    pub(super) fn index_place_of(
        &mut self,
        receiver: Typed,
        args: &[Arg],
        at: usize,
    ) -> Bound<(Place, Type)> {
        if let Type::Array(element) = &receiver.of {
            let element = (**element).clone();
            let index = self.array_index(args, at)?;
            return Ok((Place::Element(Box::new(receiver), Box::new(index)), element));
        }
        let of = receiver.of.clone();
        let read = self.indexer(receiver.clone(), args, MemberKind::Indexer, at);
        let Ok(write) = self.indexer(receiver, args, MemberKind::SetIndexer, at) else {
            let read = read?;
            let Kind::Call(tree) = read.kind else {
                return fail(
                    "CS0131",
                    "The left-hand side of an assignment must be a variable, property or indexer",
                    at,
                );
            };
            let inner: Vec<_> = tree
                .member
                .params
                .iter()
                .map(|p| {
                    p.of.substitute(&tree.types.iter().cloned().map(Some).collect::<Vec<_>>()).to_string()
                })
                .collect();
            let text = format!(
                "Property or indexer '{of}.this[{}]' cannot be assigned to -- it is read only",
                inner.join(", ")
            );
            return fail("CS0200", text, at);
        };
        let get = match read.map(|read| read.kind) {
            Ok(Kind::Call(tree)) => Some(tree.member),
            _ => None,
        };
        match write.kind {
            Kind::Call(tree) => {
                Ok((Place::Member { parts: tree.args, get, set: tree.member, types: tree.types }, write.of))
            }
            _ => fail(
                "CS0131",
                "The left-hand side of an assignment must be a variable, property or indexer",
                at,
            ),
        }
    }
}

/// Members that exist in .NET and stay out of reach, with the text that says so.
fn known_but_refused(of: &Type, name: &str) -> Option<String> {
    const MEMBERS: &[(&str, &str)] = &[
        ("XDocument", "Load Save"),
        ("XElement", "Load Save"),
        ("XmlDocument", "Load Save"),
        ("Object", "GetType ReferenceEquals"),
        ("DateTime", "FromFileTime ToFileTime FromBinary ToBinary FromOADate ToOADate"),
        ("X509Certificate2", "Import"),
        ("TimeZoneInfo", "ClearCachedData"),
        ("Regex", "CompileToAssembly"),
    ];
    let known = |table: &str| {
        MEMBERS.iter().any(|row| row.0 == table && row.1.split(' ').any(|member| member == name))
    };
    let level = levels(of)
        .into_iter()
        .filter_map(|level| surface::table_of(&level))
        .find(|entry| known(entry.def.name))?;
    let full = surface::full_name(level.def.name);
    Some(format!("Usage of member '{name}' of type '{full}' is not supported within expressions"))
}
