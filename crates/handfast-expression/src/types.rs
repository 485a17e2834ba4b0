//! Static types of the language: what the binder reasons about and what error texts print.

use std::fmt;
use std::sync::Arc;

/// The predefined value types.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names are the language's own")]
pub enum Prim {
    Bool,
    Char,
    SByte,
    Byte,
    Short,
    UShort,
    Int,
    UInt,
    Long,
    ULong,
    Single,
    Double,
    Decimal,
}

use Prim::*;

/// Keyword, CLR name and kind of every predefined value type.
const PRIMS: &[(&str, &str, Prim)] = &[
    ("bool", "Boolean", Bool),
    ("char", "Char", Char),
    ("sbyte", "SByte", SByte),
    ("byte", "Byte", Byte),
    ("short", "Int16", Short),
    ("ushort", "UInt16", UShort),
    ("int", "Int32", Int),
    ("uint", "UInt32", UInt),
    ("long", "Int64", Long),
    ("ulong", "UInt64", ULong),
    ("float", "Single", Single),
    ("double", "Double", Double),
    ("decimal", "Decimal", Decimal),
];

impl Prim {
    /// The keyword, as error texts print it.
    pub fn keyword(self) -> &'static str {
        PRIMS.iter().find(|row| row.2 == self).map_or("", |row| row.0)
    }

    /// The CLR name without its namespace.
    pub fn clr(self) -> &'static str {
        PRIMS.iter().find(|row| row.2 == self).map_or("", |row| row.1)
    }

    /// By keyword or by CLR name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        PRIMS.iter().find(|row| row.0 == name || row.1 == name).map(|row| row.2)
    }

    /// Everything but `bool`.
    pub(crate) fn is_numeric(self) -> bool {
        self != Bool
    }

    /// Integers and `char`.
    pub(crate) fn is_integral(self) -> bool {
        !matches!(self, Bool | Single | Double | Decimal)
    }

    /// Smallest and largest value of an integral type.
    pub(crate) fn range(self) -> (i128, i128) {
        match self {
            SByte => (i8::MIN.into(), i8::MAX.into()),
            Byte => (0, u8::MAX.into()),
            Short => (i16::MIN.into(), i16::MAX.into()),
            UShort | Char => (0, u16::MAX.into()),
            Int => (i32::MIN.into(), i32::MAX.into()),
            UInt => (0, u32::MAX.into()),
            ULong => (0, u64::MAX.into()),
            _ => (i64::MIN.into(), i64::MAX.into()),
        }
    }

    /// The implicit numeric conversions.
    pub(crate) fn widens_to(self, to: Self) -> bool {
        let targets: &[Self] = match self {
            SByte => &[Short, Int, Long, Single, Double, Decimal],
            Byte => &[Short, UShort, Int, UInt, Long, ULong, Single, Double, Decimal],
            Short => &[Int, Long, Single, Double, Decimal],
            UShort => &[Int, UInt, Long, ULong, Single, Double, Decimal],
            Int => &[Long, Single, Double, Decimal],
            UInt => &[Long, ULong, Single, Double, Decimal],
            Long | ULong => &[Single, Double, Decimal],
            Char => &[UShort, Int, UInt, Long, ULong, Single, Double, Decimal],
            Single => &[Double],
            _ => &[],
        };
        targets.contains(&to)
    }
}

/// An enumeration of the surface.
#[derive(Debug)]
pub struct EnumDef {
    /// The name as written in an expression.
    pub name: &'static str,
    /// The namespace.
    pub namespace: &'static str,
    /// Whether values combine with `|`.
    pub flags: bool,
    /// Names and values.
    pub members: &'static [(&'static str, i64)],
}

/// A static type.
#[derive(Clone, Debug)]
pub enum Type {
    /// No value.
    Void,
    /// The type of `null`.
    Null,
    /// A type that an earlier error left unknown; everything converts to and from it.
    Unknown,
    /// `object`.
    Object,
    /// `string`.
    String,
    /// A predefined value type.
    Prim(Prim),
    /// `T?`.
    Nullable(Arc<Type>),
    /// `T[]`.
    Array(Arc<Type>),
    /// A class, structure or interface of the surface, with its type arguments.
    Class(&'static str, Vec<Type>),
    /// An enumeration.
    Enum(&'static EnumDef),
    /// A delegate; `Void` as result for actions.
    Func(Vec<Type>, Arc<Type>),
    /// A type parameter of a member signature.
    Param(u8),
    /// An anonymous type: names and types of its properties.
    Anonymous(Arc<Vec<(String, Type)>>),
}

impl PartialEq for Type {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Prim(a), Self::Prim(b)) => a == b,
            (Self::Nullable(a), Self::Nullable(b)) | (Self::Array(a), Self::Array(b)) => a == b,
            (Self::Class(a, x), Self::Class(b, y)) => a == b && x == y,
            (Self::Enum(a), Self::Enum(b)) => std::ptr::eq(*a, *b),
            (Self::Func(a, r), Self::Func(b, s)) => a == b && r == s,
            (Self::Param(a), Self::Param(b)) => a == b,
            (Self::Anonymous(a), Self::Anonymous(b)) => a == b,
            _ => std::mem::discriminant(self) == std::mem::discriminant(other),
        }
    }
}

impl Type {
    /// `int`.
    pub const INT: Self = Self::Prim(Int);
    /// `bool`.
    pub const BOOL: Self = Self::Prim(Bool);

    /// A class without type arguments.
    pub fn class(name: &'static str) -> Self {
        Self::Class(name, Vec::new())
    }

    /// A class with one type argument.
    pub(crate) fn generic(name: &'static str, argument: Self) -> Self {
        Self::Class(name, vec![argument])
    }

    /// `T?`, unless it already admits null.
    pub(crate) fn nullable(self) -> Self {
        if self.is_value() { Self::Nullable(Arc::new(self)) } else { self }
    }

    /// The `T` of `T?`.
    pub(crate) fn underlying(&self) -> Option<&Self> {
        match self {
            Self::Nullable(inner) => Some(inner),
            _ => None,
        }
    }

    /// `T?` without its question mark.
    pub(crate) fn stripped(&self) -> &Self {
        self.underlying().unwrap_or(self)
    }

    pub(crate) fn prim(&self) -> Option<Prim> {
        match self {
            Self::Prim(prim) => Some(*prim),
            _ => None,
        }
    }

    /// Value types that do not admit null.
    pub(crate) fn is_value(&self) -> bool {
        match self {
            Self::Prim(_) | Self::Enum(_) => true,
            Self::Class(name, _) => crate::surface::is_struct(name),
            _ => false,
        }
    }

    /// Whether `null` is among its values.
    pub(crate) fn admits_null(&self) -> bool {
        !self.is_value() && !matches!(self, Self::Void)
    }

    pub(crate) fn is(&self, class: &str) -> bool {
        matches!(self, Self::Class(name, _) if *name == class)
    }

    /// Replaces type parameters; those without an argument stay.
    pub(crate) fn substitute(&self, arguments: &[Option<Self>]) -> Self {
        let each = |types: &[Self]| types.iter().map(|t| t.substitute(arguments)).collect();
        match self {
            Self::Param(index) => {
                arguments.get(usize::from(*index)).cloned().flatten().unwrap_or_else(|| self.clone())
            }
            Self::Nullable(inner) => inner.substitute(arguments).nullable(),
            Self::Array(inner) => Self::Array(Arc::new(inner.substitute(arguments))),
            Self::Class(name, inner) => Self::Class(name, each(inner)),
            Self::Func(parameters, result) => {
                Self::Func(each(parameters), Arc::new(result.substitute(arguments)))
            }
            other => other.clone(),
        }
    }

    /// Whether no type parameter is left.
    pub(crate) fn is_closed(&self) -> bool {
        match self {
            Self::Param(_) => false,
            Self::Nullable(inner) | Self::Array(inner) => inner.is_closed(),
            Self::Class(_, inner) => inner.iter().all(Self::is_closed),
            Self::Func(parameters, result) => parameters.iter().all(Self::is_closed) && result.is_closed(),
            _ => true,
        }
    }

    /// The full CLR name, as exception messages print it.
    pub fn clr(&self) -> String {
        match self {
            Self::Object => "System.Object".into(),
            Self::String => "System.String".into(),
            Self::Prim(prim) => format!("System.{}", prim.clr()),
            Self::Array(inner) => format!("{}[]", inner.clr()),
            Self::Enum(def) => format!("{}.{}", def.namespace, def.name),
            Self::Nullable(inner) => format!("System.Nullable`1[{}]", inner.clr()),
            Self::Class(name, arguments) => {
                let full = crate::surface::full_name(name);
                if arguments.is_empty() {
                    return full;
                }
                let inner: Vec<_> = arguments.iter().map(Self::clr).collect();
                format!("{full}`{}[{}]", inner.len(), inner.join(","))
            }
            other => other.to_string(),
        }
    }
}

fn list(types: &[Type]) -> String {
    types.iter().map(Type::to_string).collect::<Vec<_>>().join(", ")
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Void => f.write_str("void"),
            Self::Null => f.write_str("<null>"),
            Self::Unknown => f.write_str("?"),
            Self::Object => f.write_str("object"),
            Self::String => f.write_str("string"),
            Self::Prim(prim) => f.write_str(prim.keyword()),
            Self::Nullable(inner) => write!(f, "{inner}?"),
            Self::Array(inner) => write!(f, "{inner}[]"),
            Self::Class(name, arguments) if arguments.is_empty() => f.write_str(name),
            Self::Class(name, arguments) => write!(f, "{name}<{}>", list(arguments)),
            Self::Enum(def) => f.write_str(def.name),
            Self::Func(parameters, result) if **result == Self::Void && parameters.is_empty() => {
                f.write_str("Action")
            }
            Self::Func(parameters, result) if **result == Self::Void => {
                write!(f, "Action<{}>", list(parameters))
            }
            Self::Func(parameters, result) if parameters.is_empty() => write!(f, "Func<{result}>"),
            Self::Func(parameters, result) => write!(f, "Func<{}, {result}>", list(parameters)),
            Self::Param(index) => write!(f, "T{index}"),
            Self::Anonymous(shape) => {
                let inner: Vec<_> = shape.iter().map(|(name, of)| format!("{of} {name}")).collect();
                write!(f, "<anonymous type: {}>", inner.join(", "))
            }
        }
    }
}
