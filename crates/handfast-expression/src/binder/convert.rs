//! Implicit and explicit conversions.

use super::{Binder, Bound, fail};
use crate::arith;
use crate::surface;
use crate::tree::{Conversion, Kind, Typed};
use crate::types::{Prim, Type};
use crate::value::Value;

/// Types that convert to and from `JToken`.
fn is_scalar_of_json(of: &Type) -> bool {
    match of.stripped() {
        Type::String => true,
        Type::Prim(prim) => *prim != Prim::Char,
        Type::Class(name, _) => matches!(*name, "DateTime" | "DateTimeOffset" | "TimeSpan" | "Guid" | "Uri"),
        Type::Array(inner) => **inner == Type::Prim(Prim::Byte),
        _ => false,
    }
}

fn is_token(of: &Type) -> bool {
    surface::as_base(of, "JToken").is_some()
}

/// Whether a value of one reference type always is one of the other.
pub(super) fn is_subtype(from: &Type, to: &Type) -> bool {
    match (from, to) {
        _ if from == to => true,
        (Type::Void, _) => false,
        (_, Type::Object) => true,
        (Type::Array(a), Type::Array(b)) => !a.is_value() && !b.is_value() && is_subtype(a, b),
        (_, Type::Class(name, wanted)) => surface::as_base(from, name).is_some_and(|base| match base {
            Type::Class(_, found) => {
                let covariant = name.starts_with("IEnumerable")
                    || name.starts_with("IReadOnly")
                    || name.starts_with("IGrouping");
                found == *wanted
                    || (wanted.is_empty() && *name == "IEnumerable")
                    || (found.len() == wanted.len()
                        && covariant
                        && found
                            .iter()
                            .zip(wanted)
                            .all(|(f, w)| f == w || (!f.is_value() && is_subtype(f, w))))
            }
            _ => false,
        }),
        _ => false,
    }
}

/// The implicit conversion between two types: none, one without effect, or one with.
pub(super) fn implicit(from: &Type, to: &Type) -> Option<Option<Conversion>> {
    if from == to || *from == Type::Unknown || *to == Type::Unknown {
        return Some(None);
    }
    match (from, to) {
        (Type::Void, _) | (_, Type::Void) => return None,
        (Type::Null, _) => return to.admits_null().then_some(None),
        (Type::Prim(a), Type::Prim(b)) => return a.widens_to(*b).then_some(Some(Conversion::Numeric(*b))),
        (_, Type::Nullable(inner)) => return implicit(from.stripped(), inner),
        (Type::Class("DateTime", _), Type::Class("DateTimeOffset", _)) => {
            return Some(Some(Conversion::DateToOffset));
        }
        (Type::Func(a, r), Type::Func(b, s)) => {
            return (a == b && (**r == **s || (!r.is_value() && is_subtype(r, s)))).then_some(None);
        }
        _ => {}
    }
    if is_subtype(from, to) {
        return Some(None);
    }
    if let (Type::String, Type::Class(class @ ("XName" | "XNamespace"), _)) = (from, to) {
        return Some(Some(Conversion::XmlName(class)));
    }
    if to.is("JToken") && is_scalar_of_json(from) {
        return Some(Some(Conversion::ToToken));
    }
    None
}

impl Binder {
    /// As [`implicit`], with what constants may do besides.
    pub(super) fn implicit_of(&self, value: &Typed, to: &Type) -> Option<Option<Conversion>> {
        if let Some(found) = implicit(&value.of, to) {
            return Some(found);
        }
        let Kind::Const(constant) = &value.kind else { return None };
        let number = constant.integer()?;
        match (&value.of, to.stripped()) {
            (Type::Prim(Prim::Int), Type::Prim(prim)) if prim.is_integral() && *prim != Prim::Char => {
                let (low, high) = prim.range();
                (low..=high).contains(&number).then_some(Some(Conversion::Numeric(*prim)))
            }
            (Type::Prim(Prim::Long), Type::Prim(Prim::ULong)) if number >= 0 => {
                Some(Some(Conversion::Numeric(Prim::ULong)))
            }
            (Type::Prim(Prim::Int), Type::Enum(def)) if number == 0 => Some(Some(Conversion::Enum(def))),
            _ => None,
        }
    }

    /// Converts implicitly, or says why not.
    pub(super) fn convert(&mut self, value: Typed, to: &Type) -> Bound<Typed> {
        match self.implicit_of(&value, to) {
            Some(conversion) => Ok(self.apply(value, to, conversion)),
            None if value.of == Type::Null => fail(
                "CS0037",
                format!("Cannot convert null to '{to}' because it is a non-nullable value type"),
                value.at,
            ),
            None if explicit(&value.of, to).is_some() => {
                let text = format!(
                    "Cannot implicitly convert type '{}' to '{to}'. An explicit conversion exists (are you missing a cast?)",
                    value.of
                );
                fail("CS0266", text, value.at)
            }
            None => {
                fail("CS0029", format!("Cannot implicitly convert type '{}' to '{to}'", value.of), value.at)
            }
        }
    }

    /// Wraps a value in a conversion; constants are converted at once.
    pub(super) fn apply(&self, value: Typed, to: &Type, conversion: Option<Conversion>) -> Typed {
        let at = value.at;
        let Some(conversion) = conversion else { return Typed { of: to.clone(), ..value } };
        if let (Kind::Const(constant), Conversion::Numeric(prim)) = (&value.kind, &conversion)
            && let Ok(converted) = arith::to_prim(constant, *prim, false)
        {
            return Typed { of: to.clone(), at, kind: Kind::Const(converted) };
        }
        Typed { of: to.clone(), at, kind: Kind::Convert(Box::new(value), conversion, self.checked) }
    }

    /// `(T)x`.
    pub(super) fn cast(&mut self, value: Typed, to: &Type, at: usize) -> Bound<Typed> {
        if let (Kind::Const(constant), Some(prim)) = (&value.kind, to.prim())
            && let Some(number) = constant.integer()
            && prim.is_integral()
        {
            let (low, high) = prim.range();
            if !(low..=high).contains(&number) && !self.unchecked_constant() {
                let text = format!(
                    "Constant value '{number}' cannot be converted to a '{to}' (use 'unchecked' syntax to override)"
                );
                return fail("CS0221", text, at);
            }
        }
        if let Some(conversion) = self.implicit_of(&value, to) {
            return Ok(self.apply(value, to, conversion));
        }
        match explicit(&value.of, to) {
            Some(conversions) => {
                let mut value = value;
                for conversion in conversions {
                    value = self.apply(value, to, Some(conversion));
                }
                Ok(Typed { of: to.clone(), ..value })
            }
            None => fail("CS0030", format!("Cannot convert type '{}' to '{to}'", value.of), at),
        }
    }

    /// Whether an explicit `unchecked` surrounds the constant.
    fn unchecked_constant(&self) -> bool {
        self.unchecked_depth > 0
    }
}

/// The explicit conversion between two types that has no implicit one.
pub(super) fn explicit(from: &Type, to: &Type) -> Option<Vec<Conversion>> {
    if let Some(found) = implicit(from, to) {
        return Some(found.into_iter().collect());
    }
    match (from, to) {
        (Type::Prim(a), Type::Prim(b)) if a.is_numeric() && b.is_numeric() => {
            return Some(vec![Conversion::Numeric(*b)]);
        }
        (Type::Enum(_), Type::Prim(prim)) if prim.is_numeric() => {
            return Some(vec![Conversion::Numeric(*prim)]);
        }
        (Type::Prim(prim), Type::Enum(def)) if prim.is_numeric() => return Some(vec![Conversion::Enum(def)]),
        (Type::Enum(_), Type::Enum(def)) => return Some(vec![Conversion::Enum(def)]),
        (Type::Void, _) | (_, Type::Void) => return None,
        _ => {}
    }
    if (from.is("XElement") || from.is("XAttribute")) && is_scalar_of_json(to) {
        return Some(vec![Conversion::FromXml(to.clone())]);
    }
    if is_token(from) && is_scalar_of_json(to) {
        return Some(vec![Conversion::FromToken(to.clone())]);
    }
    if let Type::Nullable(inner) = from
        && !matches!(to, Type::Nullable(_))
    {
        let mut conversions = vec![Conversion::Unwrap];
        conversions.extend(explicit(inner, to)?);
        return Some(conversions);
    }
    if let Type::Nullable(inner) = to
        && from.is_value() | matches!(from, Type::Nullable(_))
    {
        return explicit(from.stripped(), inner);
    }
    let related = *from == Type::Object
        || is_subtype(to, from)
        || (is_interface(from) && !to.is_value())
        || (is_interface(to) && !from.is_value() && !matches!(from, Type::String | Type::Array(_)))
        || matches!((from, to), (Type::Array(a), Type::Array(b)) if !a.is_value() && !b.is_value());
    related.then(|| vec![Conversion::Test(to.clone())])
}

fn is_interface(of: &Type) -> bool {
    matches!(of, Type::Class(name, _) if name.starts_with('I') && name.chars().nth(1).is_some_and(char::is_uppercase))
}

/// Whether a constant is the given truth.
pub(super) fn constant_truth(value: &Typed) -> Option<bool> {
    match &value.kind {
        Kind::Const(Value::Bool(truth)) => Some(*truth),
        _ => None,
    }
}
