//! `Convert`, `Math`, the parsing members of the number types, `Encoding`, hashes.

use crate::arith;
use crate::call::Call;
use crate::fault::{Fault, format_error, overflow, throw};
use crate::surface::{PLAIN, Row, TypeDef};
use crate::types::{Prim, Type};
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

fn parse_number(call: &mut Call<'_>) -> Result<Value, Fault> {
    let text = call.text(0)?;
    parse(&text, &call.member.result.clone())
}

pub(super) fn try_parse(call: &mut Call<'_>) -> Result<Value, Fault> {
    let of = call.member.params.last().map_or(Type::Object, |param| param.of.clone());
    let parsed = call.arg(0).as_str().and_then(|text| parse(text, &of).ok());
    let found = parsed.is_some();
    call.set(1, parsed.unwrap_or_else(|| arith::default_of(&of)));
    Ok(Value::Bool(found))
}

pub(super) fn parse_guid(call: &mut Call<'_>) -> Result<Value, Fault> {
    parse(&call.text(0)?, &Type::class("Guid"))
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

fn limit(call: &mut Call<'_>) -> Result<Value, Fault> {
    let Type::Prim(prim) = call.member.result else { return Ok(Value::Null) };
    let high = call.member.name == "MaxValue";
    Ok(match prim {
        Prim::Double => Value::Double(match call.member.name.as_str() {
            "MaxValue" => f64::MAX,
            "MinValue" => f64::MIN,
            _ => f64::NAN,
        }),
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
    let format = call.arg(1).as_str().unwrap_or("").to_owned();
    Ok(Value::str(crate::text::formatted(call.arg(0), &format)?))
}

fn convert(call: &mut Call<'_>) -> Result<Value, Fault> {
    let of = call.member.result.clone();
    if let (Some(radix), Some(prim)) = (call.arg(1).as_int(), of.prim()) {
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

fn to_base64(call: &mut Call<'_>) -> Result<Value, Fault> {
    let bytes = call.bytes(0)?;
    Ok(Value::str(base64(&bytes)))
}

fn from_base64(call: &mut Call<'_>) -> Result<Value, Fault> {
    let text: String = call.text(0)?.chars().filter(|c| !c.is_whitespace()).collect();
    STANDARD.decode(text).map(Value::bytes).map_err(|_| {
        throw("FormatException", "The input is not a valid Base-64 string as it contains a non-base 64 character, more than two padding characters, or an illegal character among the padding characters.")
    })
}

fn math(call: &mut Call<'_>) -> Result<Value, Fault> {
    let name = call.member.name.as_str();
    if matches!(name, "Max" | "Min") {
        let less = arith::numeric_order(call.arg(0), call.arg(1)) == Some(std::cmp::Ordering::Less);
        return Ok(call.arg(usize::from(less == (name == "Max"))).clone());
    }
    if let (Value::Int(prim, _), "Abs") = (call.arg(0), name) {
        let number = call.arg(0).integer().unwrap_or(0).abs();
        return arith::integer(*prim, number, true).map_err(|_| {
            throw("OverflowException", "Negating the minimum value of a twos complement number is invalid.")
        });
    }
    let number = call.double(0)?;
    Ok(Value::Double(match name {
        "Abs" => number.abs(),
        "Floor" => number.floor(),
        "Ceiling" => number.ceil(),
        "Truncate" => number.trunc(),
        "Sqrt" => number.sqrt(),
        "Exp" => number.exp(),
        "Log" => number.ln(),
        "Log10" => number.log10(),
        "Pow" => number.powf(call.double(1)?),
        _ => {
            let power = 10f64.powi(if call.count() > 1 { call.int(1)?.clamp(0, 15) as i32 } else { 0 });
            (number * power).round_ties_even() / power
        }
    }))
}

fn utf8(_: &mut Call<'_>) -> Result<Value, Fault> {
    Ok(Value::record("Encoding", vec![("WebName", Value::str("utf-8"))]))
}

fn ascii(_: &mut Call<'_>) -> Result<Value, Fault> {
    Ok(Value::record("Encoding", vec![("WebName", Value::str("us-ascii"))]))
}

fn encoding(call: &mut Call<'_>) -> Result<Value, Fault> {
    let name = call.text(0)?.to_ascii_lowercase();
    let known = match name.as_str() {
        "utf-8" | "utf8" => "utf-8",
        "us-ascii" | "ascii" => "us-ascii",
        "iso-8859-1" | "latin1" => "iso-8859-1",
        _ => {
            return Err(throw(
                "ArgumentException",
                format!("'{name}' is not a supported encoding name. (Parameter 'name')"),
            ));
        }
    };
    Ok(Value::record("Encoding", vec![("WebName", Value::str(known))]))
}

fn get_bytes(call: &mut Call<'_>) -> Result<Value, Fault> {
    let (name, text) = (super::context::named(call.arg(0), "WebName").to_text(), call.text(1)?);
    call.allocate(text.len())?;
    let most = if name == "us-ascii" { 0x7f } else { 0xff };
    Ok(Value::bytes(match name.as_str() {
        "utf-8" => text.as_bytes().to_vec(),
        _ => {
            text.chars().map(|c| u8::try_from(c as u32).ok().filter(|b| *b <= most).unwrap_or(b'?')).collect()
        }
    }))
}

fn get_string(call: &mut Call<'_>) -> Result<Value, Fault> {
    let (name, bytes) = (super::context::named(call.arg(0), "WebName").to_text(), call.bytes(1)?);
    Ok(Value::str(match name.as_str() {
        "utf-8" => String::from_utf8_lossy(&bytes).into_owned(),
        "us-ascii" => bytes.iter().map(|b| if b.is_ascii() { char::from(*b) } else { '?' }).collect(),
        _ => bytes.iter().map(|b| char::from(*b)).collect(),
    }))
}

fn hex(call: &mut Call<'_>) -> Result<Value, Fault> {
    let parts: Vec<_> = call.bytes(0)?.iter().map(|byte| format!("{byte:02X}")).collect();
    Ok(Value::str(parts.join("-")))
}

macro_rules! number_type {
    ($name:literal, $keyword:literal) => {
        TypeDef {
            name: $name,
            rows: &[
                Row(concat!("static ", $keyword, " Parse(string s)"), parse_number),
                Row(concat!("static bool TryParse(string s, out ", $keyword, " result)"), try_parse),
                Row(concat!("static ", $keyword, " MaxValue; static ", $keyword, " MinValue"), limit),
                Row("string ToString(); string ToString(string format)", to_text),
                Row(concat!("bool Equals(", $keyword, " obj)"), equals),
                Row(concat!("int CompareTo(", $keyword, " value)"), compare),
            ],
            ..PLAIN
        }
    };
}

fn equals(call: &mut Call<'_>) -> Result<Value, Fault> {
    Ok(Value::Bool(arith::equals(call.arg(0), call.arg(1))))
}

fn compare(call: &mut Call<'_>) -> Result<Value, Fault> {
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
    number_type!("Double", "double"),
    number_type!("Single", "float"),
    number_type!("Decimal", "decimal"),
    number_type!("Boolean", "bool"),
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
                "static int ToInt32(object value); static int ToInt32(string value, int fromBase); static long ToInt64(object value); static short ToInt16(object value); static byte ToByte(object value); static byte ToByte(string value, int fromBase); static double ToDouble(object value); static decimal ToDecimal(object value); static bool ToBoolean(object value); static DateTime ToDateTime(object value); static string ToString(object value)",
                convert,
            ),
            Row(
                "static string ToString(int value, int toBase); static string ToString(long value, int toBase)",
                in_base,
            ),
            Row("static string ToBase64String(byte[] inArray)", to_base64),
            Row("static byte[] FromBase64String(string s)", from_base64),
        ],
        ..PLAIN
    },
    TypeDef {
        name: "Math",
        rows: &[
            Row(
                "static int Max(int a, int b); static long Max(long a, long b); static double Max(double a, double b); static int Min(int a, int b); static long Min(long a, long b); static double Min(double a, double b)",
                math,
            ),
            Row(
                "static int Abs(int value); static long Abs(long value); static double Abs(double value); static double Floor(double d); static double Ceiling(double d); static double Truncate(double d); static double Sqrt(double d); static double Exp(double d); static double Log(double d); static double Log10(double d); static double Pow(double x, double y); static double Round(double a); static double Round(double a, int digits)",
                math,
            ),
        ],
        ..PLAIN
    },
    TypeDef {
        name: "Encoding",
        namespace: "System.Text",
        rows: &[
            Row("static Encoding UTF8; static Encoding Default", utf8),
            Row("static Encoding ASCII", ascii),
            Row("static Encoding GetEncoding(string name)", encoding),
            Row("byte[] GetBytes(string s)", get_bytes),
            Row("string GetString(byte[] bytes)", get_string),
            Row("string WebName", super::context::field),
        ],
        ..PLAIN
    },
    TypeDef { name: "BitConverter", rows: &[Row("static string ToString(byte[] value)", hex)], ..PLAIN },
];
