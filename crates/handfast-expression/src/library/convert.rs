//! `Convert`, `Math`, the parsing members of the number types, `Encoding`, hashes.

use crate::arith;
use crate::call::Call;
use crate::fault::{Fault, format_error, overflow, throw};
use crate::surface::{PLAIN, Row, TypeDef};
use crate::types::{EnumDef, Prim, Type};
use crate::value::{Date, Value};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

pub(crate) fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Text as a value of a type.
fn parse(text: &str, of: &Type) -> Result<Value, Fault> {
    let trimmed = text.trim();
    match of {
        Type::Prim(Prim::Bool) if trimmed.eq_ignore_ascii_case("true") => Ok(Value::Bool(true)),
        Type::Prim(Prim::Bool) if trimmed.eq_ignore_ascii_case("false") => Ok(Value::Bool(false)),
        Type::Prim(Prim::Bool) => {
            Err(throw("FormatException", format!("String '{text}' was not recognized as a valid Boolean.")))
        }
        Type::Prim(Prim::Double | Prim::Single) => {
            let number = match trimmed {
                "NaN" => f64::NAN,
                "Infinity" | "∞" => f64::INFINITY,
                "-Infinity" | "-∞" => f64::NEG_INFINITY,
                other if other.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c)) => {
                    let plain = other.replace(',', "");
                    let lettered = plain.contains(|c: char| c.is_alphabetic() && c != 'e' && c != 'E');
                    plain.parse().ok().filter(|_| !lettered).ok_or_else(format_error)?
                }
                _ => return Err(format_error()),
            };
            arith::to_prim(&Value::Double(number), of.prim().unwrap_or(Prim::Double), false)
        }
        Type::Prim(Prim::Decimal) => {
            let plain = trimmed.replace(',', "");
            plain.trim_start_matches('+').parse().map(Value::Decimal).map_err(|_| format_error())
        }
        Type::Prim(Prim::Char) => {
            let mut units = text.encode_utf16();
            match (units.next(), units.next()) {
                (Some(unit), None) => Ok(Value::Char(unit)),
                _ => Err(throw("FormatException", "String must be exactly one character long.")),
            }
        }
        Type::Prim(prim) => {
            let digits = trimmed.strip_prefix(['+', '-']).unwrap_or(trimmed);
            if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
                return Err(format_error());
            }
            let number = trimmed.parse::<i128>().map_err(|_| overflow(*prim))?;
            arith::integer(*prim, number, true).map_err(|_| overflow(*prim))
        }
        Type::Class("Guid", _) => guid(trimmed).map(Value::Guid).ok_or_else(|| {
            throw(
                "FormatException",
                "Guid should contain 32 digits with 4 dashes (xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx).",
            )
        }),
        Type::Class(name @ ("DateTime" | "DateTimeOffset"), _) => {
            let (ticks, offset) = super::time::parse(text).ok_or_else(|| {
                throw("FormatException", format!("String '{text}' was not recognized as a valid DateTime."))
            })?;
            Ok(match (*name, offset) {
                ("DateTimeOffset", offset) => {
                    Value::Offset(ticks, i16::try_from(offset.unwrap_or(0)).unwrap_or(0))
                }
                (_, None) => Value::Date(Date { ticks, kind: 0 }),
                (_, Some(offset)) => {
                    Value::Date(Date { ticks: ticks - offset * super::time::MINUTE, kind: 2 })
                }
            })
        }
        Type::Class("TimeSpan", _) => super::time::parse_span(text).map(Value::Span).ok_or_else(|| {
            throw("FormatException", format!("String '{text}' was not recognized as a valid TimeSpan."))
        }),
        _ => Ok(Value::str(text)),
    }
}

fn guid(text: &str) -> Option<u128> {
    let inner = text
        .strip_prefix('{')
        .and_then(|t| t.strip_suffix('}'))
        .or_else(|| text.strip_prefix('(').and_then(|t| t.strip_suffix(')')));
    let inner = inner.unwrap_or(text);
    let shaped = inner.len() == 32
        || (inner.len() == 36 && [8, 13, 18, 23].iter().all(|at| inner.as_bytes().get(*at) == Some(&b'-')));
    let digits = inner.replace('-', "");
    (shaped && digits.len() == 32 && digits.bytes().all(|b| b.is_ascii_hexdigit()))
        .then(|| u128::from_str_radix(&digits, 16).ok())
        .flatten()
}

/// A scalar as another type, as `Convert` and the casts of tokens do it.
pub(crate) fn change(value: &Value, of: &Type) -> Result<Value, Fault> {
    match (value, of) {
        (Value::Str(text), _) => parse(text, of),
        (Value::Date(date), Type::String) => Ok(Value::str(
            super::time::format(date.ticks, super::time::Zone::of(date.kind), "MM/dd/yyyy HH:mm:ss")
                .unwrap_or_default(),
        )),
        (_, Type::String) => Ok(Value::str(value.to_text())),
        (Value::Bool(truth), Type::Prim(prim)) if *prim != Prim::Bool => {
            arith::to_prim(&Value::int(i32::from(*truth)), *prim, true)
        }
        (_, Type::Prim(Prim::Bool)) => Ok(Value::Bool(match value {
            Value::Bool(truth) => *truth,
            other => arith::to_double(other).is_some_and(|number| number != 0.0),
        })),
        (Value::Double(_) | Value::Single(_) | Value::Decimal(_), Type::Prim(prim)) if prim.is_integral() => {
            let rounded = match value {
                Value::Decimal(number) => Value::Decimal(number.round()),
                other => Value::Double(arith::to_double(other).unwrap_or(0.0).round_ties_even()),
            };
            arith::to_prim(&rounded, *prim, true).map_err(|_| overflow(*prim))
        }
        (_, Type::Prim(prim)) => arith::to_prim(value, *prim, true).map_err(|_| overflow(*prim)),
        (Value::Date(date), Type::Class("DateTimeOffset", _)) => Ok(Value::Offset(date.ticks, 0)),
        _ if arith::is_instance(value, of) => Ok(value.clone()),
        _ => Err(throw(
            "InvalidCastException",
            format!("Invalid cast from '{}' to '{}'.", value.type_of().clr(), of.clr()),
        )),
    }
}

/// `NumberStyles.AllowHexSpecifier`.
const HEX_STYLE: i64 = 512;

fn parse_number(call: &mut Call<'_>) -> Result<Value, Fault> {
    let text = call.text(0)?;
    let of = call.member.result.clone();
    let hex = call.args.iter().any(|arg| matches!(arg, Value::Enum(_, style) if style & HEX_STYLE != 0));
    if let (true, Some(prim)) = (hex, of.prim()) {
        let number = u64::from_str_radix(text.trim(), 16).map_err(|_| format_error())?;
        return arith::integer(prim, number.into(), false);
    }
    parse(&text, &of)
}

pub(super) fn try_parse(call: &mut Call<'_>) -> Result<Value, Fault> {
    let of = call.member.params.last().map_or(Type::Object, |param| param.of.clone());
    let hex = call.args.iter().any(|arg| matches!(arg, Value::Enum(_, style) if style & HEX_STYLE != 0));
    let parsed = call.arg(0).as_str().and_then(|text| match (hex, of.prim()) {
        (true, Some(prim)) => {
            let number = u64::from_str_radix(text.trim(), 16).ok()?;
            arith::integer(prim, number.into(), false).ok()
        }
        _ => parse(text, &of).ok(),
    });
    let found = parsed.is_some();
    let out = call.count() - 1;
    call.set(out, parsed.unwrap_or_else(|| arith::default_of(&of)));
    Ok(Value::Bool(found))
}

pub(super) fn parse_guid(call: &mut Call<'_>) -> Result<Value, Fault> {
    parse(&call.text(0)?, &Type::class("Guid"))
}

/// The first three fields are little-endian, the rest as written.
pub(super) fn guid_bytes(call: &mut Call<'_>) -> Result<Value, Fault> {
    let swapped = |mut bytes: [u8; 16]| {
        bytes[..4].reverse();
        bytes[4..6].reverse();
        bytes[6..8].reverse();
        bytes
    };
    if let Value::Guid(id) = call.arg(0) {
        return Ok(Value::bytes(swapped(id.to_be_bytes()).to_vec()));
    }
    let bytes = <[u8; 16]>::try_from(call.bytes(0)?).map_err(|_| {
        throw("ArgumentException", "Byte array for Guid must be exactly 16 bytes long. (Parameter 'b')")
    })?;
    Ok(Value::Guid(u128::from_be_bytes(swapped(bytes))))
}

pub(super) fn new_guid(call: &mut Call<'_>) -> Result<Value, Fault> {
    let mut bytes = [0; 16];
    call.host.random(&mut bytes);
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    Ok(Value::Guid(u128::from_be_bytes(bytes)))
}

pub(super) fn empty_guid(_: &mut Call<'_>) -> Result<Value, Fault> {
    Ok(Value::Guid(0))
}

fn real_is(call: &mut Call<'_>) -> Result<Value, Fault> {
    let number = call.double(0)?;
    Ok(Value::Bool(match call.member.name.as_str() {
        "IsNaN" => number.is_nan(),
        "IsInfinity" => number.is_infinite(),
        "IsPositiveInfinity" => number == f64::INFINITY,
        _ => number == f64::NEG_INFINITY,
    }))
}

fn limit(call: &mut Call<'_>) -> Result<Value, Fault> {
    if call.member.result == Type::String {
        return Ok(Value::str(call.member.name.trim_end_matches("String")));
    }
    let Type::Prim(prim) = call.member.result else { return Ok(Value::Null) };
    let high = call.member.name == "MaxValue";
    Ok(match prim {
        Prim::Double => Value::Double(match call.member.name.as_str() {
            "MaxValue" => f64::MAX,
            "MinValue" => f64::MIN,
            "Epsilon" => f64::from_bits(1),
            "PositiveInfinity" => f64::INFINITY,
            "NegativeInfinity" => f64::NEG_INFINITY,
            _ => f64::NAN,
        }),
        Prim::Single => Value::Single(match call.member.name.as_str() {
            "MaxValue" => f32::MAX,
            "MinValue" => f32::MIN,
            "Epsilon" => f32::from_bits(1),
            "PositiveInfinity" => f32::INFINITY,
            "NegativeInfinity" => f32::NEG_INFINITY,
            _ => f32::NAN,
        }),
        Prim::Decimal if !call.member.name.ends_with("Value") => {
            Value::Decimal(match call.member.name.as_str() {
                "Zero" => rust_decimal::Decimal::ZERO,
                "One" => rust_decimal::Decimal::ONE,
                _ => rust_decimal::Decimal::NEGATIVE_ONE,
            })
        }
        Prim::Decimal => {
            Value::Decimal(if high { rust_decimal::Decimal::MAX } else { rust_decimal::Decimal::MIN })
        }
        _ => {
            let (low, top) = prim.range();
            arith::integer(prim, if high { top } else { low }, false)?
        }
    })
}

fn to_text(call: &mut Call<'_>) -> Result<Value, Fault> {
    // A culture may stand in the format's place; there is only one.
    let format = call.arg(1).as_str().unwrap_or("").to_owned();
    Ok(Value::str(crate::text::formatted(call.arg(0), &format)?))
}

fn convert(call: &mut Call<'_>) -> Result<Value, Fault> {
    let of = call.member.result.clone();
    if let (true, Some(radix), Some(prim)) =
        (matches!(call.arg(1), Value::Int(..)), call.arg(1).as_int(), of.prim())
    {
        let text = call.text(0)?;
        let radix = u32::try_from(radix).ok().filter(|radix| matches!(radix, 2 | 8 | 10 | 16));
        let radix = radix.ok_or_else(|| throw("ArgumentException", "Invalid Base."))?;
        let number = u64::from_str_radix(text.trim_start_matches("0x"), radix)
            .map_err(|_| throw("FormatException", "Could not find any recognizable digits."))?;
        return arith::integer(prim, number.into(), false);
    }
    match call.arg(0) {
        Value::Null => Ok(if of == Type::String { Value::str("") } else { arith::default_of(&of) }),
        Value::Json(token) => change(&token.scalar(), &of),
        value => change(value, &of),
    }
}

fn in_base(call: &mut Call<'_>) -> Result<Value, Fault> {
    let Value::Int(prim, bits) = *call.arg(0) else { return convert(call) };
    let bits = if prim == Prim::Long { bits as u64 } else { u64::from(bits as u32) };
    Ok(Value::str(match call.int(1)? {
        2 => format!("{bits:b}"),
        8 => format!("{bits:o}"),
        10 => call.arg(0).to_text(),
        16 => format!("{bits:x}"),
        _ => return Err(throw("ArgumentException", "Invalid Base.")),
    }))
}

/// Characters of a line with line breaks (RFC 2045).
const LINE: usize = 76;

pub(super) static BASE64_OPTIONS: EnumDef = EnumDef {
    name: "Base64FormattingOptions",
    namespace: "System",
    flags: true,
    members: &[("None", 0), ("InsertLineBreaks", 1)],
};

fn to_base64(call: &mut Call<'_>) -> Result<Value, Fault> {
    let mut bytes = call.bytes(0)?;
    if call.count() > 2 {
        let range = usize::try_from(call.int(1)?).ok().zip(usize::try_from(call.int(2)?).ok());
        let piece = range.and_then(|(from, count)| bytes.get(from..from.checked_add(count)?));
        bytes = piece.map(<[u8]>::to_vec).ok_or_else(|| {
            crate::fault::out_of_range("offset", "Offset and length must refer to a position in the string.")
        })?;
    }
    call.allocate(bytes.len().saturating_mul(2))?;
    let text = base64(&bytes);
    if matches!(call.arg(1), Value::Enum(_, 1)) {
        let lines: Vec<_> = text.as_bytes().chunks(LINE).map(|line| String::from_utf8_lossy(line)).collect();
        return Ok(Value::str(lines.join("\r\n")));
    }
    Ok(Value::str(text))
}

/// There is no database here, so nothing is its null.
fn is_db_null(call: &mut Call<'_>) -> Result<Value, Fault> {
    let _ = call.arg(0);
    Ok(Value::Bool(false))
}

fn from_base64(call: &mut Call<'_>) -> Result<Value, Fault> {
    let text: String = call.text(0)?.chars().filter(|c| !c.is_whitespace()).collect();
    STANDARD.decode(text).map(Value::bytes).map_err(|_| {
        throw("FormatException", "The input is not a valid Base-64 string as it contains a non-base 64 character, more than two padding characters, or an illegal character among the padding characters.")
    })
}

macro_rules! number_type {
    ($name:literal, $keyword:literal $(, $more:literal $(, $facts:literal)?)?) => {
        TypeDef {
            name: $name,
            rows: &[
                Row(concat!("static ", $keyword, " Parse(string s)"), parse_number),
                Row(concat!("static bool TryParse(string s, out ", $keyword, " result)"), try_parse),
                Row(concat!("static ", $keyword, " MaxValue; static ", $keyword, " MinValue"), limit),
                Row("string ToString(); string ToString(string format)", to_text),
                Row(concat!("bool Equals(", $keyword, " obj)"), equals),
                Row("bool Equals(object obj)", equals),
                Row(concat!("int CompareTo(", $keyword, " value)"), compare),
                Row("int GetHashCode()", super::strings::hash),
                Row("lenient string ToString(CultureInfo provider); lenient string ToString(string format, CultureInfo provider)", to_text),
                Row(concat!("lenient static ", $keyword, " Parse(string s, CultureInfo provider); lenient static ", $keyword, " Parse(string s, NumberStyles style); lenient static ", $keyword, " Parse(string s, NumberStyles style, CultureInfo provider)"), parse_number),
                Row(concat!("lenient static bool TryParse(string s, NumberStyles style, CultureInfo provider, out ", $keyword, " result)"), try_parse),
                $(Row($more, limit), $(Row($facts, real_is),)?)?
            ],
            ..PLAIN
        }
    };
}

fn equals(call: &mut Call<'_>) -> Result<Value, Fault> {
    Ok(Value::Bool(arith::equals(call.arg(0), call.arg(1))))
}

pub(super) fn compare(call: &mut Call<'_>) -> Result<Value, Fault> {
    Ok(Value::int(arith::order(call.arg(0), call.arg(1)) as i32))
}

fn has_value(call: &mut Call<'_>) -> Result<Value, Fault> {
    Ok(Value::Bool(!call.arg(0).is_null()))
}

fn nullable_value(call: &mut Call<'_>) -> Result<Value, Fault> {
    match call.arg(0) {
        Value::Null => Err(throw("InvalidOperationException", "Nullable object must have a value.")),
        value => Ok(value.clone()),
    }
}

fn value_or_default(call: &mut Call<'_>) -> Result<Value, Fault> {
    let of = call.types.first().cloned().unwrap_or(Type::Object);
    Ok(match (call.arg(0), call.count()) {
        (Value::Null, 2) => call.arg(1).clone(),
        (Value::Null, _) => arith::default_of(&of),
        (value, _) => value.clone(),
    })
}

pub(super) const TYPES: &[TypeDef] = &[
    number_type!("Int32", "int"),
    number_type!("Int64", "long"),
    number_type!("Int16", "short"),
    number_type!("Byte", "byte"),
    number_type!("SByte", "sbyte"),
    number_type!("UInt16", "ushort"),
    number_type!("UInt32", "uint"),
    number_type!("UInt64", "ulong"),
    number_type!(
        "Double",
        "double",
        "static double NaN; static double Epsilon; static double PositiveInfinity; static double NegativeInfinity",
        "static bool IsNaN(double d); static bool IsInfinity(double d); static bool IsPositiveInfinity(double d); static bool IsNegativeInfinity(double d)"
    ),
    number_type!(
        "Single",
        "float",
        "static float NaN; static float Epsilon; static float PositiveInfinity; static float NegativeInfinity",
        "static bool IsNaN(float f); static bool IsInfinity(float f)"
    ),
    number_type!("Decimal", "decimal", "static decimal Zero; static decimal One; static decimal MinusOne"),
    number_type!("Boolean", "bool", "static string TrueString; static string FalseString"),
    TypeDef {
        name: "Nullable",
        generics: &["T"],
        rows: &[
            Row("bool HasValue", has_value),
            Row("T Value", nullable_value),
            Row("T GetValueOrDefault(); T GetValueOrDefault(T defaultValue)", value_or_default),
            Row("string ToString()", to_text),
        ],
        ..PLAIN
    },
    TypeDef {
        name: "Convert",
        rows: &[
            Row(
                "static int ToInt32(object value); static int ToInt32(string value, int fromBase); static long ToInt64(object value); static short ToInt16(object value); static byte ToByte(object value); static byte ToByte(string value, int fromBase); static long ToInt64(string value, int fromBase); static short ToInt16(string value, int fromBase); static uint ToUInt32(object value); static uint ToUInt32(string value, int fromBase); static ulong ToUInt64(object value); static ulong ToUInt64(string value, int fromBase); static ushort ToUInt16(object value); static sbyte ToSByte(object value); static float ToSingle(object value); static char ToChar(object value); lenient static int ToInt32(object value, CultureInfo provider); lenient static long ToInt64(object value, CultureInfo provider); lenient static double ToDouble(object value, CultureInfo provider); lenient static decimal ToDecimal(object value, CultureInfo provider); lenient static bool ToBoolean(object value, CultureInfo provider); lenient static string ToString(object value, CultureInfo provider); static double ToDouble(object value); static decimal ToDecimal(object value); static bool ToBoolean(object value); static DateTime ToDateTime(object value); static string ToString(object value)",
                convert,
            ),
            Row(
                "static string ToString(int value, int toBase); static string ToString(long value, int toBase); static string ToString(short value, int toBase); static string ToString(byte value, int toBase)",
                in_base,
            ),
            Row(
                "static string ToBase64String(byte[] inArray); static string ToBase64String(byte[] inArray, Base64FormattingOptions options); static string ToBase64String(byte[] inArray, int offset, int length)",
                to_base64,
            ),
            Row("static byte[] FromBase64String(string s)", from_base64),
            Row("static bool IsDBNull(object value)", is_db_null),
        ],
        ..PLAIN
    },
];
