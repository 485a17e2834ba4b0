//! `System.Math`.

use crate::arith;
use crate::call::Call;
use crate::fault::{Fault, throw};
use crate::surface::{PLAIN, Row, TypeDef};
use crate::types::{EnumDef, Prim, Type};
use crate::value::Value;
use rust_decimal::RoundingStrategy;
use std::cmp::Ordering;

pub(super) static MIDPOINT: EnumDef = EnumDef {
    name: "MidpointRounding",
    namespace: "System",
    flags: false,
    members: &[
        ("ToEven", 0),
        ("AwayFromZero", 1),
        ("ToZero", 2),
        ("ToNegativeInfinity", 3),
        ("ToPositiveInfinity", 4),
    ],
};

fn pick(call: &mut Call<'_>) -> Result<Value, Fault> {
    let is_nan = |at: usize| arith::to_double(call.arg(at)).is_some_and(f64::is_nan);
    if is_nan(0) {
        return Ok(call.arg(0).clone());
    }
    let less = arith::numeric_order(call.arg(0), call.arg(1)) == Some(Ordering::Less) || is_nan(1);
    Ok(call.arg(usize::from(less == (call.member.name == "Max"))).clone())
}

fn absolute(call: &mut Call<'_>) -> Result<Value, Fault> {
    let overflow =
        || throw("OverflowException", "Negating the minimum value of a twos complement number is invalid.");
    match call.arg(0) {
        Value::Int(prim, _) => {
            arith::integer(*prim, call.arg(0).integer().unwrap_or(0).abs(), true).map_err(|_| overflow())
        }
        Value::Decimal(number) => Ok(Value::Decimal(number.abs())),
        Value::Single(number) => Ok(Value::Single(number.abs())),
        _ => Ok(Value::Double(call.double(0)?.abs())),
    }
}

fn sign(call: &mut Call<'_>) -> Result<Value, Fault> {
    let zero = arith::default_of(&call.arg(0).type_of());
    match arith::numeric_order(call.arg(0), &zero) {
        Some(order) => Ok(Value::int(order as i32)),
        None => {
            Err(throw("ArithmeticException", "Function does not accept floating point Not-a-Number values."))
        }
    }
}

fn real(call: &mut Call<'_>) -> Result<Value, Fault> {
    let x = call.double(0)?;
    let y = if call.count() > 1 { call.double(1)? } else { 0.0 };
    Ok(Value::Double(match call.member.name.as_str() {
        "Sqrt" => x.sqrt(),
        "Cbrt" => x.cbrt(),
        "Exp" => x.exp(),
        "Log" if call.count() > 1 => x.ln() / y.ln(),
        "Log" => x.ln(),
        "Log2" => x.log2(),
        "Log10" => x.log10(),
        "Pow" => x.powf(y),
        "Sin" => x.sin(),
        "Cos" => x.cos(),
        "Tan" => x.tan(),
        "Asin" => x.asin(),
        "Acos" => x.acos(),
        "Atan" => x.atan(),
        "Atan2" => x.atan2(y),
        "Sinh" => x.sinh(),
        "Cosh" => x.cosh(),
        "Tanh" => x.tanh(),
        _ => x - y * (x / y).round_ties_even(),
    }))
}

fn constant(call: &mut Call<'_>) -> Result<Value, Fault> {
    Ok(Value::Double(if call.member.name == "PI" { std::f64::consts::PI } else { std::f64::consts::E }))
}

/// `Floor`, `Ceiling`, `Truncate`, `Round`.
fn rounded(call: &mut Call<'_>) -> Result<Value, Fault> {
    let digits = call
        .args
        .iter()
        .skip(1)
        .find_map(|arg| matches!(arg, Value::Int(..)).then(|| arg.as_int()))
        .flatten();
    let mode = call.args.iter().find_map(|arg| match arg {
        Value::Enum(_, mode) => Some(*mode),
        _ => None,
    });
    let mode = match call.member.name.as_str() {
        "Floor" => 3,
        "Ceiling" => 4,
        "Truncate" => 2,
        _ => mode.unwrap_or(0),
    };
    let digits = digits.unwrap_or(0);
    if let Value::Decimal(number) = call.arg(0) {
        let digits = places(
            digits,
            28,
            "decimals",
            "Decimal can only round to between 0 and 28 digits of precision.",
        )?;
        let strategy = match mode {
            1 => RoundingStrategy::MidpointAwayFromZero,
            2 => RoundingStrategy::ToZero,
            3 => RoundingStrategy::ToNegativeInfinity,
            4 => RoundingStrategy::ToPositiveInfinity,
            _ => RoundingStrategy::MidpointNearestEven,
        };
        return Ok(Value::Decimal(number.round_dp_with_strategy(digits, strategy)));
    }
    let number = call.double(0)?;
    let digits = places(digits, 15, "digits", "Rounding digits must be between 0 and 15, inclusive.")?;
    if number.abs() >= 1e16 {
        return Ok(Value::Double(number));
    }
    let power = 10f64.powi(i32::try_from(digits).unwrap_or(0));
    let scaled = number * power;
    let whole = match mode {
        1 => scaled.round(),
        2 => scaled.trunc(),
        3 => scaled.floor(),
        4 => scaled.ceil(),
        _ => scaled.round_ties_even(),
    };
    Ok(Value::Double(whole / power))
}

fn places(digits: i32, most: u32, name: &str, message: &str) -> Result<u32, Fault> {
    let digits = u32::try_from(digits).ok().filter(|digits| *digits <= most);
    digits.ok_or_else(|| crate::fault::out_of_range(name, message))
}

fn divide(call: &mut Call<'_>) -> Result<Value, Fault> {
    let (a, b) = (call.arg(0).integer().unwrap_or(0), call.arg(1).integer().unwrap_or(0));
    let Type::Prim(prim) = call.member.result else { return Ok(Value::Null) };
    if call.member.name == "BigMul" {
        return arith::integer(Prim::Long, a * b, false);
    }
    if b == 0 {
        return Err(throw("DivideByZeroException", "Attempted to divide by zero."));
    }
    call.set(2, arith::integer(prim, a % b, false)?);
    arith::integer(prim, a / b, false)
}

fn clamp(call: &mut Call<'_>) -> Result<Value, Fault> {
    let (value, low, high) = (call.arg(0), call.arg(1), call.arg(2));
    if arith::numeric_order(low, high) == Some(Ordering::Greater) {
        let text = format!("'{}' cannot be greater than {}.", low.to_text(), high.to_text());
        return Err(throw("ArgumentException", text));
    }
    Ok(match (arith::numeric_order(value, low), arith::numeric_order(value, high)) {
        (Some(Ordering::Less), _) => low.clone(),
        (_, Some(Ordering::Greater)) => high.clone(),
        _ => value.clone(),
    })
}

pub(super) const TYPES: &[TypeDef] = &[TypeDef {
    name: "Math",
    rows: &[
        Row(
            "static int Max(int a, int b); static uint Max(uint a, uint b); static long Max(long a, long b); static ulong Max(ulong a, ulong b); static double Max(double a, double b); static float Max(float a, float b); static decimal Max(decimal a, decimal b); static int Min(int a, int b); static uint Min(uint a, uint b); static long Min(long a, long b); static ulong Min(ulong a, ulong b); static double Min(double a, double b); static float Min(float a, float b); static decimal Min(decimal a, decimal b)",
            pick,
        ),
        Row(
            "static int Abs(int value); static long Abs(long value); static float Abs(float value); static double Abs(double value); static decimal Abs(decimal value)",
            absolute,
        ),
        Row(
            "static int Sign(int value); static int Sign(long value); static int Sign(double value); static int Sign(decimal value)",
            sign,
        ),
        Row(
            "static double Floor(double d); static decimal Floor(decimal d); static double Ceiling(double d); static decimal Ceiling(decimal d); static double Truncate(double d); static decimal Truncate(decimal d); static double Round(double a); static double Round(double a, int digits); static double Round(double a, MidpointRounding mode); static double Round(double a, int digits, MidpointRounding mode); static decimal Round(decimal d); static decimal Round(decimal d, int decimals); static decimal Round(decimal d, MidpointRounding mode); static decimal Round(decimal d, int decimals, MidpointRounding mode)",
            rounded,
        ),
        Row(
            "static double Sqrt(double d); static double Cbrt(double d); static double Exp(double d); static double Log(double d); static double Log(double a, double newBase); static double Log2(double d); static double Log10(double d); static double Pow(double x, double y); static double Sin(double a); static double Cos(double d); static double Tan(double a); static double Asin(double d); static double Acos(double d); static double Atan(double d); static double Atan2(double y, double x); static double Sinh(double value); static double Cosh(double value); static double Tanh(double value); static double IEEERemainder(double x, double y)",
            real,
        ),
        Row("static double PI; static double E", constant),
        Row(
            "static int DivRem(int a, int b, out int result); static long DivRem(long a, long b, out long result); static long BigMul(int a, int b)",
            divide,
        ),
        Row(
            "static int Clamp(int value, int min, int max); static long Clamp(long value, long min, long max); static double Clamp(double value, double min, double max); static decimal Clamp(decimal value, decimal min, decimal max)",
            clamp,
        ),
    ],
    ..PLAIN
}];
