//! Operators: which one applies to the operand types, what they are promoted to, what is known at once.

use super::convert::is_subtype;
use super::{Binder, Bound, fail};
use crate::arith;
use crate::fault::Fault;
use crate::syntax::Expr;
use crate::tree::{Kind, Operands, Place, Slot, Typed, Update};
use crate::types::{Prim, Type};
use crate::value::Value;

impl Binder {
    pub(super) fn logic(&mut self, and: bool, left: &Expr, right: &Expr, at: usize) -> Bound<Typed> {
        let left = self.expr(left)?;
        let assigned = self.unassigned.clone();
        let right = self.expr(right)?;
        if !and {
            self.unassigned = assigned;
        }
        if left.of != Type::BOOL || right.of != Type::BOOL {
            return self.refuse(if and { "&&" } else { "||" }, &left, &right, at);
        }
        Ok(Typed { of: Type::BOOL, at, kind: Kind::Logic(and, Box::new(left), Box::new(right)) })
    }

    fn refuse<T>(&self, op: &str, left: &Typed, right: &Typed, at: usize) -> Bound<T> {
        let text =
            format!("Operator '{op}' cannot be applied to operands of type '{}' and '{}'", left.of, right.of);
        fail("CS0019", text, at)
    }

    pub(super) fn binary(&mut self, op: &'static str, left: Typed, right: Typed, at: usize) -> Bound<Typed> {
        if left.of == Type::Unknown || right.of == Type::Unknown {
            return Ok(super::unknown(at));
        }
        if left.of == Type::Void || right.of == Type::Void {
            return self.refuse(op, &left, &right, at);
        }
        if op == "+" && left.of.is("XNamespace") && right.of == Type::String {
            return self.make(op, Operands::Own, left, right, Type::class("XName"), at);
        }
        if op == "+" && (left.of == Type::String || right.of == Type::String) {
            return self.make(op, Operands::String, left, right, Type::String, at);
        }
        let (a, b) = (left.of.stripped().clone(), right.of.stripped().clone());
        let lifted = a != left.of || b != right.of;
        let equality = matches!(op, "==" | "!=");
        let comparison = equality || matches!(op, "<" | ">" | "<=" | ">=");
        let result = |of: Type| {
            if comparison {
                Type::BOOL
            } else if lifted {
                of.nullable()
            } else {
                of
            }
        };
        if let (Type::Prim(p), Type::Prim(q)) = (&a, &b) {
            if *p == Prim::Bool && *q == Prim::Bool && (equality || matches!(op, "&" | "|" | "^")) {
                return self.make(op, Operands::Prim(Prim::Bool), left, right, result(Type::BOOL), at);
            }
            let shift = matches!(op, "<<" | ">>");
            let Some(prim) = self.promote(op, *p, *q, &left, &right) else {
                return self.refuse(op, &left, &right, at);
            };
            let to = |of: &Type| {
                if matches!(of, Type::Nullable(_)) { Type::Prim(prim).nullable() } else { Type::Prim(prim) }
            };
            let (l, r) = (to(&left.of), to(&right.of));
            let left = self.apply_numeric(left, &l, prim);
            let right = if shift { right } else { self.apply_numeric(right, &r, prim) };
            return self.make(op, Operands::Prim(prim), left, right, result(Type::Prim(prim)), at);
        }
        if equality {
            return self.equality(op, left, right, at);
        }
        if lifted && (left.of == Type::Null || right.of == Type::Null) {
            return self.make(op, Operands::Own, left, right, result(a), at);
        }
        let own = match (&a, &b, op) {
            (Type::Enum(x), Type::Enum(y), "&" | "|" | "^") if std::ptr::eq(*x, *y) => Some(a.clone()),
            (Type::Enum(x), Type::Enum(y), "-") if std::ptr::eq(*x, *y) => Some(Type::INT),
            (Type::Enum(_), Type::Prim(_), "+" | "-") => Some(a.clone()),
            (Type::Enum(x), Type::Enum(y), _) if comparison && std::ptr::eq(*x, *y) => Some(Type::BOOL),
            (Type::Class(x, _), Type::Class(y, _), _) => own_operator(x, op, y),
            _ => None,
        };
        match own {
            Some(of) => self.make(op, Operands::Own, left, right, result(of), at),
            None => self.refuse(op, &left, &right, at),
        }
    }

    fn apply_numeric(&self, value: Typed, to: &Type, prim: Prim) -> Typed {
        if value.of == *to {
            value
        } else {
            self.apply(value, to, Some(crate::tree::Conversion::Numeric(prim)))
        }
    }

    /// Binary numeric promotion.
    fn promote(&self, op: &str, p: Prim, q: Prim, left: &Typed, right: &Typed) -> Option<Prim> {
        use Prim::{Bool, Decimal, Double, Int, Long, Single, UInt, ULong};
        if p == Bool || q == Bool {
            return None;
        }
        let one = |p: Prim| if matches!(p, UInt | Long | ULong) { p } else { Int };
        if matches!(op, "<<" | ">>") {
            return (p.is_integral() && q.is_integral()).then(|| one(p));
        }
        let either = |prim: Prim| p == prim || q == prim;
        let real = |p: Prim| matches!(p, Single | Double);
        if either(Decimal) {
            return (!real(p) && !real(q)).then_some(Decimal);
        }
        let bits = matches!(op, "&" | "|" | "^");
        if real(p) || real(q) {
            return (!bits).then_some(if either(Double) { Double } else { Single });
        }
        let signed = |p: Prim| p.range().0 < 0;
        if either(ULong) {
            let fits = |p: Prim, value: &Typed| {
                !signed(p) || matches!(&value.kind, Kind::Const(c) if c.integer().is_some_and(|n| n >= 0))
            };
            return (fits(p, left) && fits(q, right)).then_some(ULong);
        }
        if either(Long) {
            return Some(Long);
        }
        if either(UInt) {
            let negative = |p: Prim, value: &Typed| {
                signed(p) && !matches!(&value.kind, Kind::Const(c) if c.integer().is_some_and(|n| n >= 0))
            };
            return Some(if negative(p, left) || negative(q, right) { Long } else { UInt });
        }
        Some(Int)
    }

    fn equality(&mut self, op: &'static str, left: Typed, right: Typed, at: usize) -> Bound<Typed> {
        let (a, b) = (left.of.stripped(), right.of.stripped());
        let own = |of: &Type| of.is_value();
        let operands = match (a, b) {
            (Type::Null, Type::Null) => Operands::Reference,
            (Type::Null, _) if right.of.admits_null() => Operands::Reference,
            (_, Type::Null) if left.of.admits_null() => Operands::Reference,
            (Type::String, Type::String) => Operands::String,
            _ if own(a) && a == b => Operands::Own,
            (Type::Enum(_), _) if self.implicit_of(&right, a).is_some() => Operands::Own,
            (_, Type::Enum(_)) if self.implicit_of(&left, b).is_some() => Operands::Own,
            (
                Type::Class("DateTime" | "DateTimeOffset", _),
                Type::Class("DateTime" | "DateTimeOffset", _),
            ) => Operands::Own,
            (Type::Class(x, _), Type::Class(y, _))
                if x == y && matches!(*x, "Uri" | "XName" | "XNamespace") =>
            {
                Operands::Own
            }
            _ if !own(a) && !own(b) && !matches!(a, Type::Void) && (is_subtype(a, b) || is_subtype(b, a)) => {
                Operands::Reference
            }
            (Type::Unknown, _) | (_, Type::Unknown) => Operands::Reference,
            _ => return self.refuse(op, &left, &right, at),
        };
        self.make(op, operands, left, right, Type::BOOL, at)
    }

    /// The operation, evaluated at once when both operands are constants.
    fn make(
        &self,
        op: &'static str,
        operands: Operands,
        left: Typed,
        right: Typed,
        of: Type,
        at: usize,
    ) -> Bound<Typed> {
        if let (Kind::Const(a), Kind::Const(b)) = (&left.kind, &right.kind)
            && matches!(operands, Operands::Prim(_) | Operands::String)
        {
            let checked = self.unchecked_depth == 0;
            match arith::binary(op, operands, a, b, checked) {
                Ok(value) => return Ok(Typed { of, at, kind: Kind::Const(value) }),
                Err(Fault::Throw(e)) if e.kind == "OverflowException" && checked => {
                    return fail("CS0220", "The operation overflows at compile time in checked mode", at);
                }
                Err(Fault::Throw(e)) if e.kind == "DivideByZeroException" => {
                    return fail("CS0020", "Division by constant zero", at);
                }
                Err(_) => {}
            }
        }
        Ok(Typed { of, at, kind: Kind::Binary(op, operands, Box::new(left), Box::new(right), self.checked) })
    }

    pub(super) fn unary(&mut self, op: &'static str, operand: &Expr, at: usize) -> Bound<Typed> {
        let operand = self.expr(operand)?;
        let wrong = |operand: &Typed| {
            fail(
                "CS0023",
                format!("Operator '{op}' cannot be applied to operand of type '{}'", operand.of),
                at,
            )
        };
        let Type::Prim(prim) = operand.of.stripped().clone() else {
            if op == "-" && operand.of.is("TimeSpan") {
                return Ok(Typed {
                    of: operand.of.clone(),
                    at,
                    kind: Kind::Unary(op, Box::new(operand), false),
                });
            }
            return wrong(&operand);
        };
        let to = match (op, prim) {
            ("!", Prim::Bool) => Prim::Bool,
            ("!", _) | (_, Prim::Bool) => return wrong(&operand),
            ("~", Prim::Single | Prim::Double | Prim::Decimal) => return wrong(&operand),
            ("-", Prim::ULong) => return wrong(&operand),
            ("-", Prim::UInt) => Prim::Long,
            (_, Prim::UInt | Prim::Long | Prim::ULong | Prim::Single | Prim::Double | Prim::Decimal) => prim,
            _ => Prim::Int,
        };
        let of =
            if matches!(operand.of, Type::Nullable(_)) { Type::Prim(to).nullable() } else { Type::Prim(to) };
        let operand = self.apply_numeric(operand, &of, to);
        if let Kind::Const(value) = &operand.kind
            && let Ok(value) = arith::unary(op, value, true)
        {
            return Ok(Typed { of, at, kind: Kind::Const(value) });
        }
        Ok(Typed { of, at, kind: Kind::Unary(op, Box::new(operand), self.checked) })
    }

    pub(super) fn coalesce(&mut self, left: &Expr, right: &Expr, at: usize) -> Bound<Typed> {
        let left = self.expr(left)?;
        let right = self.expr(right)?;
        if !left.of.admits_null() || left.of == Type::Null {
            return self.refuse("??", &left, &right, at);
        }
        let inner = left.of.stripped().clone();
        let of = if self.implicit_of(&right, &inner).is_some() {
            inner
        } else if self.implicit_of(&right, &left.of).is_some() {
            left.of.clone()
        } else if self.implicit_of(&left, &right.of).is_some() {
            right.of.clone()
        } else {
            return self.refuse("??", &left, &right, at);
        };
        let right = self.convert(right, &of)?;
        let left = if matches!(left.of, Type::Nullable(_)) {
            self.convert_inner(left, &of)?
        } else {
            self.convert(left, &of)?
        };
        Ok(Typed { of, at, kind: Kind::Coalesce(Box::new(left), Box::new(right)) })
    }

    fn convert_inner(&mut self, left: Typed, of: &Type) -> Bound<Typed> {
        let wide = of.clone().nullable();
        self.convert(left, &wide)
    }

    pub(super) fn choice(&mut self, condition: &Expr, yes: &Expr, no: &Expr, at: usize) -> Bound<Typed> {
        let condition = self.condition(condition)?;
        let before = self.unassigned.clone();
        let yes = self.expr(yes)?;
        let after_yes = std::mem::replace(&mut self.unassigned, before);
        let no = self.expr(no)?;
        self.unassigned.extend(after_yes);
        let forward =
            self.implicit_of(&yes, &no.of).is_some() && no.of != Type::Null && no.of != Type::Unknown;
        let backward =
            self.implicit_of(&no, &yes.of).is_some() && yes.of != Type::Null && yes.of != Type::Unknown;
        let of = match (yes.of == no.of, forward, backward) {
            (true, ..) => yes.of.clone(),
            (_, true, true) if matches!(yes.kind, Kind::Const(_)) && yes.of == Type::INT => no.of.clone(),
            (_, _, true) => yes.of.clone(),
            (_, true, _) => no.of.clone(),
            _ => {
                let text = format!(
                    "Type of conditional expression cannot be determined because there is no implicit conversion between '{}' and '{}'",
                    yes.of, no.of
                );
                return fail("CS0173", text, at);
            }
        };
        let (yes, no) = (self.convert(yes, &of)?, self.convert(no, &of)?);
        if let Some(truth) = super::convert::constant_truth(&condition) {
            return Ok(if truth { yes } else { no });
        }
        Ok(Typed { of, at, kind: Kind::Choice(Box::new(condition), Box::new(yes), Box::new(no)) })
    }

    pub(super) fn step(&mut self, op: &'static str, before: bool, operand: &Expr, at: usize) -> Bound<Typed> {
        let (place, of) = self.place(operand, true)?;
        let Type::Prim(prim) = of.stripped() else {
            return fail(
                "CS0023",
                format!("Operator '{op}' cannot be applied to operand of type '{of}'"),
                at,
            );
        };
        let old = self.temporary();
        let left = Typed { of: of.clone(), at, kind: Kind::Slot(old) };
        let one = Typed { of: Type::INT, at, kind: Kind::Const(Value::int(1)) };
        let sum = self.binary(if op == "++" { "+" } else { "-" }, left, one, at)?;
        let kind = Kind::Convert(Box::new(sum), crate::tree::Conversion::Numeric(*prim), self.checked);
        let value = Typed { of: of.clone(), at, kind };
        let (first, place) = self.once(place);
        let update = Update { before: first, place, old, value, result_is_old: !before };
        Ok(Typed { of, at, kind: Kind::Update(Box::new(update)) })
    }

    pub(super) fn assign(&mut self, op: &'static str, left: &Expr, right: &Expr, at: usize) -> Bound<Typed> {
        if op == "=" {
            let value_first = matches!(left.node, crate::syntax::Node::Name(..));
            if value_first {
                // The value is bound first: `int x; x = x + 1` reads an unassigned variable.
                let of = self.place_type(left)?;
                let value = self.argument(right, &of)?;
                let (place, of) = self.place(left, false)?;
                let value = Box::new(self.convert(value, &of)?);
                return Ok(Typed { of, at, kind: Kind::Assign(place, value) });
            }
            let (place, of) = self.place(left, false)?;
            let value = self.argument(right, &of)?;
            let value = Box::new(self.convert(value, &of)?);
            return Ok(Typed { of, at, kind: Kind::Assign(place, value) });
        }
        let (place, of) = self.place(left, true)?;
        let old = self.temporary();
        let before = Typed { of: of.clone(), at, kind: Kind::Slot(old) };
        let right = self.expr(right)?;
        let operator = op.strip_suffix('=').unwrap_or(op);
        let value = if operator == "??" {
            let right = self.convert(right, &of)?;
            Typed { of: of.clone(), at, kind: Kind::Coalesce(Box::new(before), Box::new(right)) }
        } else {
            let operator = BINARY_OF.iter().find(|known| **known == operator).copied().unwrap_or("+");
            self.binary(operator, before, right, at)?
        };
        let value = match (of.prim(), value.of.prim()) {
            (Some(to), Some(from)) if to != from => self.cast(value, &of, at)?,
            _ => self.convert(value, &of)?,
        };
        let (before, place) = self.once(place);
        let update = Update { before, place, old, value, result_is_old: false };
        Ok(Typed { of, at, kind: Kind::Update(Box::new(update)) })
    }

    /// Puts receiver and indexes of a place into variables, so that they are evaluated once.
    fn once(&mut self, place: Place) -> (Vec<(Slot, Typed)>, Place) {
        let mut before = Vec::new();
        let mut kept = |binder: &mut Self, part: Typed| {
            if matches!(part.kind, Kind::Const(_) | Kind::Context) {
                return part;
            }
            let slot = binder.temporary();
            let (of, at) = (part.of.clone(), part.at);
            before.push((slot, part));
            Typed { of, at, kind: Kind::Slot(slot) }
        };
        let place = match place {
            Place::Slot(slot) => Place::Slot(slot),
            Place::Member { parts, get, set, types } => {
                let parts = parts.into_iter().map(|part| kept(self, part)).collect();
                Place::Member { parts, get, set, types }
            }
            Place::Element(receiver, index) => {
                let receiver = kept(self, *receiver);
                Place::Element(Box::new(receiver), Box::new(kept(self, *index)))
            }
        };
        (before, place)
    }

    fn place_type(&mut self, left: &Expr) -> Bound<Type> {
        if let crate::syntax::Node::Name(name, _) = &left.node
            && let Some(variable) = self.find(name)
        {
            return Ok(variable.of.clone());
        }
        Ok(self.expr(left)?.of)
    }

    /// Something that can be assigned to.
    pub(super) fn place(&mut self, expr: &Expr, read: bool) -> Bound<(Place, Type)> {
        use crate::syntax::Node;
        match &expr.node {
            Node::Name(name, _) if self.find(name).is_some() => {
                let variable = self.find(name).cloned();
                let Some(variable) = variable.filter(|v| v.constant.is_none() && !v.read_only) else {
                    return fail(
                        "CS0131",
                        "The left-hand side of an assignment must be a variable, property or indexer",
                        expr.at,
                    );
                };
                if read {
                    self.expr(expr)?;
                }
                self.unassigned.remove(&(variable.function, variable.index));
                Ok((Place::Slot(self.slot_of(&variable)), variable.of))
            }
            Node::Member(receiver, name, _) => self.member_place(receiver, name, expr.at),
            Node::Index(receiver, args) => self.index_place(receiver, args, expr.at),
            _ => fail(
                "CS0131",
                "The left-hand side of an assignment must be a variable, property or indexer",
                expr.at,
            ),
        }
    }
}

const BINARY_OF: &[&str] = &["+", "-", "*", "/", "%", "&", "|", "^", "<<", ">>"];

/// Operators that structures of the surface define.
fn own_operator(left: &str, op: &str, right: &str) -> Option<Type> {
    let comparison = matches!(op, "<" | ">" | "<=" | ">=");
    let date = |name: &str| matches!(name, "DateTime" | "DateTimeOffset");
    match (left, op, right) {
        _ if comparison
            && (left == right || (date(left) && date(right)))
            && (date(left) || left == "TimeSpan") =>
        {
            Some(Type::BOOL)
        }
        _ if date(left) && date(right) && op == "-" => Some(Type::class("TimeSpan")),
        ("DateTime", "+" | "-", "TimeSpan") => Some(Type::class("DateTime")),
        ("DateTimeOffset", "+" | "-", "TimeSpan") => Some(Type::class("DateTimeOffset")),
        ("TimeSpan", "+" | "-", "TimeSpan") => Some(Type::class("TimeSpan")),
        _ => None,
    }
}
