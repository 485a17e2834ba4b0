//! The typed tree that the binder makes: names resolved, overloads chosen, conversions explicit.

use crate::surface::Member;
use crate::types::{Prim, Type};
use crate::value::Value;

/// A variable: how many functions outwards it was declared, and its place there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slot {
    pub(crate) up: usize,
    pub(crate) index: usize,
}

/// How operands are to be understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operands {
    Prim(Prim),
    String,
    /// Dates, spans, identifiers, enumerations: by their own rules.
    Own,
    /// Identity.
    Reference,
}

/// A conversion with a run-time effect.
#[derive(Clone, Debug)]
pub(crate) enum Conversion {
    Numeric(Prim),
    /// Enumeration from a number.
    Enum(&'static crate::types::EnumDef),
    /// Reference cast and unboxing: the value must be of the type.
    Test(Type),
    /// `T?` to `T`.
    Unwrap,
    ToToken,
    FromToken(Type),
    DateToOffset,
    /// A string to an `XName` or `XNamespace`.
    XmlName(&'static str),
    /// An element or attribute to a scalar.
    FromXml(Type),
}

#[derive(Clone, Debug)]
pub(crate) struct Typed {
    pub(crate) of: Type,
    pub(crate) at: usize,
    pub(crate) kind: Kind,
}

/// A call of a member of the surface.
#[derive(Clone, Debug)]
pub(crate) struct CallTree {
    pub(crate) member: &'static Member,
    pub(crate) types: Vec<Type>,
    pub(crate) args: Vec<Typed>,
    /// Arguments that write to a variable.
    pub(crate) outs: Vec<(usize, Slot)>,
}

#[derive(Clone, Debug)]
pub(crate) enum Place {
    Slot(Slot),
    /// Receiver and indexes, the getter and the setter.
    Member {
        parts: Vec<Typed>,
        get: Option<&'static Member>,
        set: &'static Member,
        types: Vec<Type>,
    },
    Element(Box<Typed>, Box<Typed>),
}

/// A piece of an interpolated string: text, or value, alignment and format.
pub(crate) type Piece = (String, Option<(Typed, i32, Option<String>)>);

#[derive(Clone, Debug)]
pub(crate) enum Kind {
    Const(Value),
    Slot(Slot),
    Context,
    Convert(Box<Typed>, Conversion, bool),
    Unary(&'static str, Box<Typed>, bool),
    Binary(&'static str, Operands, Box<Typed>, Box<Typed>, bool),
    Logic(bool, Box<Typed>, Box<Typed>),
    Coalesce(Box<Typed>, Box<Typed>),
    Choice(Box<Typed>, Box<Typed>, Box<Typed>),
    /// Stores the receiver in the slot; when it is not null, the rest reads it from there.
    Conditional(Slot, Box<Typed>, Box<Typed>),
    Call(CallTree),
    Invoke(Box<Typed>, Vec<Typed>),
    Element(Box<Typed>, Box<Typed>),
    Lambda(Box<Function>),
    Array(Type, Vec<Typed>),
    NewArray(Type, Box<Typed>),
    Anonymous(Vec<(String, Typed)>),
    /// Stores the object in the slot, runs the steps, gives the object.
    Initialise(Slot, Box<Typed>, Vec<Typed>),
    /// Text, value, alignment, format of each piece.
    Interpolated(Vec<Piece>),
    Assign(Place, Box<Typed>),
    /// The new value is computed from the old one, which stands in a slot. The result is the new value, or the
    /// old one for `x++`.
    Update(Box<Update>),
    Is(Box<Typed>, Test),
    As(Box<Typed>, Type),
    Throw(Box<Typed>),
}

/// A compound assignment or a step by one.
#[derive(Clone, Debug)]
pub(crate) struct Update {
    /// Receiver and indexes, which are evaluated once.
    pub(crate) before: Vec<(Slot, Typed)>,
    pub(crate) place: Place,
    pub(crate) old: Slot,
    pub(crate) value: Typed,
    pub(crate) result_is_old: bool,
}

#[derive(Clone, Debug)]
pub(crate) enum Test {
    Type(Type, Option<Slot>),
    Equals(Box<Typed>),
    Any(Slot),
}

/// A lambda, a local function, or the program itself.
#[derive(Clone, Debug)]
pub(crate) struct Function {
    pub(crate) parameters: usize,
    pub(crate) slots: usize,
    pub(crate) body: Vec<Step>,
}

#[derive(Clone, Debug)]
pub(crate) enum Step {
    Eval(Typed),
    Store(Slot, Typed),
    If(Typed, Vec<Step>, Vec<Step>),
    /// Condition (none: always), body, steps after each turn; whether the condition is tested first.
    Loop {
        condition: Option<Typed>,
        body: Vec<Step>,
        after: Vec<Step>,
        first: bool,
    },
    /// Items, counter and item variable.
    ForEach {
        source: Typed,
        state: Slot,
        item: Slot,
        convert: Option<Conversion>,
        body: Vec<Step>,
    },
    /// Subject variable; per section its tests and body.
    Switch {
        sections: Vec<(Vec<Option<Typed>>, Vec<Step>)>,
    },
    Break,
    Continue,
    Return(Typed),
    Throw(Option<Typed>),
    Try {
        body: Vec<Step>,
        error: Slot,
        catches: Vec<(Option<Type>, Option<Typed>, Vec<Step>)>,
        last: Vec<Step>,
    },
}
