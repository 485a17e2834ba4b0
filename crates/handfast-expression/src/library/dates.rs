//! `DateTime`, `DateTimeOffset`, `TimeSpan`.

use super::time::{self, DAY, HOUR, MINUTE, SECOND, UNIX_EPOCH};
use crate::arith;
use crate::call::Call;
use crate::fault::{Fault, out_of_range};
use crate::surface::{PLAIN, Row, TypeDef};
use crate::types::{EnumDef, Prim};
use crate::value::{Date, Value};

pub(super) static DATE_KIND: EnumDef = EnumDef {
    name: "DateTimeKind",
    namespace: "System",
    flags: false,
    members: &[("Unspecified", 0), ("Utc", 1), ("Local", 2)],
};

pub(super) static DAY_OF_WEEK: EnumDef = EnumDef {
    name: "DayOfWeek",
    namespace: "System",
    flags: false,
    members: &[
        ("Sunday", 0),
        ("Monday", 1),
        ("Tuesday", 2),
        ("Wednesday", 3),
        ("Thursday", 4),
        ("Friday", 5),
        ("Saturday", 6),
    ],
};

fn invalid() -> Fault {
    out_of_range("value", "Year, Month, and Day parameters describe an un-representable DateTime.")
}

/// Ticks as the receiver's clock shows them.
fn ticks(value: &Value) -> i64 {
    match value {
        Value::Date(date) => date.ticks,
        Value::Offset(ticks, _) | Value::Span(ticks) => *ticks,
        _ => 0,
    }
}

/// The same kind of date at other ticks.
fn moved(value: &Value, ticks: Option<i64>) -> Result<Value, Fault> {
    let ticks = ticks.filter(|ticks| (0..=time::TICKS_MAX).contains(ticks)).ok_or_else(invalid)?;
    Ok(match value {
        Value::Offset(_, minutes) => Value::Offset(ticks, *minutes),
        Value::Date(date) => Value::Date(Date { ticks, kind: date.kind }),
        _ => Value::Span(ticks),
    })
}

fn create(call: &mut Call<'_>) -> Result<Value, Fault> {
    if call.count() == 1 {
        return Ok(match call.arg(0) {
            Value::Date(date) => Value::Offset(date.ticks, 0),
            _ => moved(&Value::Date(Date { ticks: 0, kind: 0 }), Some(call.int(0)?))?,
        });
    }
    let part = |call: &Call<'_>, at: usize| match call.arg(at) {
        Value::Int(_, number) => *number,
        _ => 0,
    };
    let ticks = time::ticks_of(
        part(call, 0),
        part(call, 1),
        part(call, 2),
        part(call, 3),
        part(call, 4),
        part(call, 5),
    );
    let ticks = ticks.ok_or_else(invalid)? + part(call, 6) * 10_000;
    let last = call.arg(call.count() - 1);
    Ok(match last {
        Value::Span(offset) => Value::Offset(ticks, (offset / MINUTE) as i16),
        Value::Enum(_, kind) => Value::Date(Date { ticks, kind: *kind as u8 }),
        _ => Value::Date(Date { ticks, kind: 0 }),
    })
}

fn now(call: &mut Call<'_>) -> Result<Value, Fault> {
    let ticks = call.host.now_ticks();
    Ok(match (call.member.owner, call.member.name.as_str()) {
        ("DateTimeOffset", _) => Value::Offset(ticks, 0),
        (_, "UtcNow") => Value::Date(Date { ticks, kind: 1 }),
        (_, "Today") => Value::Date(Date { ticks: ticks - ticks % DAY, kind: 2 }),
        _ => Value::Date(Date { ticks, kind: 2 }),
    })
}

fn limit(call: &mut Call<'_>) -> Result<Value, Fault> {
    let ticks = if call.member.name == "MaxValue" { time::TICKS_MAX } else { 0 };
    Ok(if call.member.owner == "DateTimeOffset" {
        Value::Offset(ticks, 0)
    } else {
        Value::Date(Date { ticks, kind: 0 })
    })
}

fn add(call: &mut Call<'_>) -> Result<Value, Fault> {
    let value = call.arg(0).clone();
    let at = ticks(&value);
    let unit = match call.member.name.as_str() {
        "AddDays" => DAY,
        "AddHours" => HOUR,
        "AddMinutes" => MINUTE,
        "AddSeconds" => SECOND,
        "AddMilliseconds" => 10_000,
        "AddMonths" => return moved(&value, time::add_months(at, call.int(1)?)),
        "AddYears" => {
            return moved(
                &value,
                call.int(1)?.checked_mul(12).and_then(|months| time::add_months(at, months)),
            );
        }
        "AddTicks" => return moved(&value, at.checked_add(call.int(1)?)),
        _ => return moved(&value, at.checked_add(ticks(call.arg(1)))),
    };
    let delta = call.double(1)? * unit as f64;
    let fits = delta.abs() < time::TICKS_MAX as f64;
    moved(&value, if fits { at.checked_add(delta as i64) } else { None })
}

fn subtract(call: &mut Call<'_>) -> Result<Value, Fault> {
    arith::binary("-", crate::tree::Operands::Own, call.arg(0), call.arg(1), false)
}

fn part(call: &mut Call<'_>) -> Result<Value, Fault> {
    let at = ticks(call.arg(0));
    let (year, month, day) = time::civil(at);
    let clock = at.rem_euclid(DAY);
    let number = match call.member.name.as_str() {
        "Year" => year,
        "Month" => month,
        "Day" => day,
        "Hour" => clock / HOUR,
        "Minute" => clock / MINUTE % 60,
        "Second" => clock / SECOND % 60,
        "Millisecond" => clock / 10_000 % 1000,
        "DayOfYear" => time::day_of_year(at),
        "Ticks" => return Ok(Value::Int(Prim::Long, at)),
        "DayOfWeek" => return Ok(Value::Enum(&DAY_OF_WEEK, time::weekday(at))),
        "TimeOfDay" => return Ok(Value::Span(clock)),
        "Kind" => {
            let Value::Date(date) = call.arg(0) else { return Ok(Value::Null) };
            return Ok(Value::Enum(&DATE_KIND, date.kind.into()));
        }
        "Date" => {
            let kind = if let Value::Date(date) = call.arg(0) { date.kind } else { 0 };
            return Ok(Value::Date(Date { ticks: at - clock, kind }));
        }
        _ => 0,
    };
    Ok(Value::int(number as i32))
}

fn offset_part(call: &mut Call<'_>) -> Result<Value, Fault> {
    let value = call.arg(0);
    let utc = arith::instant(value);
    Ok(match call.member.name.as_str() {
        "Offset" => Value::Span(ticks(value) - utc),
        "UtcDateTime" => Value::Date(Date { ticks: utc, kind: 1 }),
        "LocalDateTime" => Value::Date(Date { ticks: utc, kind: 2 }),
        "DateTime" => Value::Date(Date { ticks: ticks(value), kind: 0 }),
        "UtcTicks" => Value::Int(Prim::Long, utc),
        "ToUnixTimeSeconds" => Value::Int(Prim::Long, (utc - UNIX_EPOCH).div_euclid(SECOND)),
        "ToUnixTimeMilliseconds" => Value::Int(Prim::Long, (utc - UNIX_EPOCH).div_euclid(10_000)),
        _ => Value::Offset(utc, 0),
    })
}

fn from_unix(call: &mut Call<'_>) -> Result<Value, Fault> {
    let unit = if call.member.name.ends_with("Milliseconds") { 10_000 } else { SECOND };
    let ticks = call.int(0)?.checked_mul(unit).and_then(|ticks| ticks.checked_add(UNIX_EPOCH));
    moved(&Value::Offset(0, 0), ticks)
}

fn zoned(call: &mut Call<'_>) -> Result<Value, Fault> {
    let kind = if call.member.name == "ToUniversalTime" { 1 } else { 2 };
    Ok(Value::Date(Date { ticks: ticks(call.arg(0)), kind }))
}

fn calendar(call: &mut Call<'_>) -> Result<Value, Fault> {
    Ok(match call.member.name.as_str() {
        "IsLeapYear" => Value::Bool(time::is_leap(call.int(0)?)),
        _ => Value::int(time::days_in_month(call.int(0)?, call.int(1)?) as i32),
    })
}

fn parse(call: &mut Call<'_>) -> Result<Value, Fault> {
    super::convert::change(&Value::Str(call.text(0)?), &call.member.result.clone())
}

/// `DateTimeStyles.AdjustToUniversal` and `AssumeUniversal`, `RoundtripKind`.
const ADJUST: i64 = 16;
const ASSUME_UTC: i64 = 64;
const ROUND_TRIP: i64 = 128;

/// A parsed clock and offset as a value of a type, with the styles among the arguments.
fn styled(call: &Call<'_>, offset_type: bool, ticks: i64, offset: Option<i64>) -> Value {
    let styles = call.args.iter().find_map(|arg| match arg {
        Value::Enum(_, styles) => Some(*styles),
        _ => None,
    });
    let styles = styles.unwrap_or(0);
    if offset_type {
        return Value::Offset(ticks, i16::try_from(offset.unwrap_or(0)).unwrap_or(0));
    }
    let offset = offset.or((styles & ASSUME_UTC != 0).then_some(0));
    let Some(minutes) = offset else { return Value::Date(Date { ticks, kind: 0 }) };
    let utc = styles & ADJUST != 0 || (styles & ROUND_TRIP != 0 && minutes == 0);
    Value::Date(Date { ticks: ticks - minutes * MINUTE, kind: if utc { 1 } else { 2 } })
}

/// `ParseExact`, `TryParseExact` with one format or several, `Parse` and `TryParse` with a culture.
fn parse_exact(call: &mut Call<'_>) -> Result<Value, Fault> {
    let name = call.member.name.clone();
    let trying = name.starts_with("Try");
    let offset_type = call.member.owner == "DateTimeOffset";
    let found = match call.arg(0).clone() {
        Value::Str(text) if name.ends_with("Exact") => {
            let formats = match call.arg(1).clone() {
                Value::Str(format) => vec![Value::Str(format)],
                other => call.items_of(&other)?.ok_or_else(|| call.missing(1))?,
            };
            let today = call.host.now_ticks();
            formats.iter().find_map(|format| super::exact::parse(&text, &format.to_text(), today))
        }
        Value::Str(text) => time::parse(&text),
        _ if trying => None,
        _ => return Err(call.missing(0)),
    };
    let value = found.map(|(ticks, offset)| styled(call, offset_type, ticks, offset));
    if trying {
        let out = call.count() - 1;
        let is_some = value.is_some();
        let of = crate::types::Type::class(call.member.owner);
        call.set(out, value.unwrap_or_else(|| arith::default_of(&of)));
        return Ok(Value::Bool(is_some));
    }
    value.ok_or_else(|| {
        let text = format!("String '{}' was not recognized as a valid DateTime.", call.arg(0).to_text());
        crate::fault::throw("FormatException", text)
    })
}

fn specify_kind(call: &mut Call<'_>) -> Result<Value, Fault> {
    let kind = u8::try_from(call.int(1)?).unwrap_or(0);
    Ok(Value::Date(Date { ticks: ticks(call.arg(0)), kind }))
}

fn is_daylight(_: &mut Call<'_>) -> Result<Value, Fault> {
    Ok(Value::Bool(false))
}

/// `ToShortDateString` and its kin.
fn short_text(call: &mut Call<'_>) -> Result<Value, Fault> {
    let format = match call.member.name.as_str() {
        "ToShortDateString" => "d",
        "ToLongDateString" => "D",
        "ToShortTimeString" => "t",
        _ => "T",
    };
    Ok(Value::str(crate::text::formatted(call.arg(0), format)?))
}

fn to_offset(call: &mut Call<'_>) -> Result<Value, Fault> {
    let (utc, span) = (arith::instant(call.arg(0)), ticks(call.arg(1)));
    let minutes = i16::try_from(span / MINUTE).ok().filter(|minutes| minutes.abs() <= 14 * 60);
    let minutes =
        minutes.ok_or_else(|| out_of_range("offset", "Offset must be within plus or minus 14 hours."))?;
    moved(&Value::Offset(0, minutes), utc.checked_add(span))
}

fn new_offset(call: &mut Call<'_>) -> Result<Value, Fault> {
    let at = match call.arg(0) {
        Value::Date(date) => date.ticks,
        _ => call.int(0)?,
    };
    moved(&Value::Offset(0, (ticks(call.arg(1)) / MINUTE) as i16), Some(at))
}

fn span_math(call: &mut Call<'_>) -> Result<Value, Fault> {
    let (a, b) = (ticks(call.arg(0)), ticks(call.arg(1)));
    let made = match call.member.name.as_str() {
        "Add" => a.checked_add(b),
        "Subtract" => a.checked_sub(b),
        "Negate" => a.checked_neg(),
        "FromTicks" => Some(call.int(0)?),
        "MaxValue" => Some(i64::MAX),
        _ => Some(i64::MIN),
    };
    made.map(Value::Span).ok_or_else(|| {
        crate::fault::throw("OverflowException", "TimeSpan overflowed because the duration is too long.")
    })
}

fn text(call: &mut Call<'_>) -> Result<Value, Fault> {
    let format = call.arg(1).as_str().unwrap_or("").to_owned();
    Ok(Value::str(crate::text::formatted(call.arg(0), &format)?))
}

fn equals(call: &mut Call<'_>) -> Result<Value, Fault> {
    Ok(Value::Bool(arith::equals(call.arg(0), call.arg(1))))
}

fn compare(call: &mut Call<'_>) -> Result<Value, Fault> {
    Ok(Value::int(arith::order(call.arg(0), call.arg(1)) as i32))
}

fn span(call: &mut Call<'_>) -> Result<Value, Fault> {
    let parts = (0..call.count()).map(|at| call.int(at)).collect::<Result<Vec<_>, _>>()?;
    let sum = match parts[..] {
        [ticks] => Some(ticks),
        [h, m, s] => clock(0, h, m, s, 0),
        [d, h, m, s] => clock(d, h, m, s, 0),
        [d, h, m, s, ms] => clock(d, h, m, s, ms),
        _ => Some(0),
    };
    sum.map(Value::Span).ok_or_else(invalid)
}

fn clock(d: i64, h: i64, m: i64, s: i64, ms: i64) -> Option<i64> {
    d.checked_mul(DAY)?.checked_add(h.checked_mul(HOUR)?)?.checked_add(m * MINUTE + s * SECOND + ms * 10_000)
}

fn span_from(call: &mut Call<'_>) -> Result<Value, Fault> {
    let unit = match call.member.name.as_str() {
        "FromDays" => DAY,
        "FromHours" => HOUR,
        "FromMinutes" => MINUTE,
        "FromSeconds" => SECOND,
        _ => 10_000,
    };
    let ticks = call.double(0)? * unit as f64;
    if ticks.is_nan() || ticks.abs() >= i64::MAX as f64 {
        return Err(crate::fault::throw(
            "OverflowException",
            "TimeSpan overflowed because the duration is too long.",
        ));
    }
    Ok(Value::Span(ticks.round() as i64))
}

fn span_zero(_: &mut Call<'_>) -> Result<Value, Fault> {
    Ok(Value::Span(0))
}

fn span_part(call: &mut Call<'_>) -> Result<Value, Fault> {
    let at = ticks(call.arg(0));
    let total = |unit: i64| Value::Double(at as f64 / unit as f64);
    let whole = |number: i64| Value::int(number as i32);
    Ok(match call.member.name.as_str() {
        "TotalDays" => total(DAY),
        "TotalHours" => total(HOUR),
        "TotalMinutes" => total(MINUTE),
        "TotalSeconds" => total(SECOND),
        "TotalMilliseconds" => total(10_000),
        "Days" => whole(at / DAY),
        "Hours" => whole(at / HOUR % 24),
        "Minutes" => whole(at / MINUTE % 60),
        "Seconds" => whole(at / SECOND % 60),
        "Milliseconds" => whole(at / 10_000 % 1000),
        "Ticks" => Value::Int(Prim::Long, at),
        _ => Value::Span(at.saturating_abs()),
    })
}

pub(super) const TYPES: &[TypeDef] = &[
    TypeDef {
        name: "DateTime",
        rows: &[
            Row(
                "new(int year, int month, int day); new(int year, int month, int day, int hour, int minute, int second); new(int year, int month, int day, int hour, int minute, int second, DateTimeKind kind); new(int year, int month, int day, int hour, int minute, int second, int millisecond); new(int year, int month, int day, int hour, int minute, int second, int millisecond, DateTimeKind kind); new(long ticks)",
                create,
            ),
            Row("static DateTime Now; static DateTime UtcNow; static DateTime Today", now),
            Row("static DateTime MinValue; static DateTime MaxValue", limit),
            Row(
                "DateTime AddDays(double value); DateTime AddHours(double value); DateTime AddMinutes(double value); DateTime AddSeconds(double value); DateTime AddMilliseconds(double value); DateTime AddMonths(int months); DateTime AddYears(int value); DateTime AddTicks(long value); DateTime Add(TimeSpan value)",
                add,
            ),
            Row("TimeSpan Subtract(DateTime value); DateTime Subtract(TimeSpan value)", subtract),
            Row(
                "int Year; int Month; int Day; int Hour; int Minute; int Second; int Millisecond; int DayOfYear; long Ticks; DayOfWeek DayOfWeek; TimeSpan TimeOfDay; DateTime Date; lenient DateTimeKind Kind",
                part,
            ),
            Row("static bool IsLeapYear(int year); static int DaysInMonth(int year, int month)", calendar),
            Row("lenient DateTime ToUniversalTime(); lenient DateTime ToLocalTime()", zoned),
            Row("static DateTime Parse(string s)", parse),
            Row("lenient static bool TryParse(string s, out DateTime result)", super::convert::try_parse),
            Row("string ToString(); string ToString(string format)", text),
            Row(
                "lenient string ToString(CultureInfo provider); lenient string ToString(string format, CultureInfo provider)",
                text,
            ),
            Row(
                "lenient static DateTime Parse(string s, CultureInfo provider); lenient static DateTime Parse(string s, CultureInfo provider, DateTimeStyles styles); lenient static DateTime ParseExact(string s, string format, CultureInfo provider); lenient static DateTime ParseExact(string s, string format, CultureInfo provider, DateTimeStyles style); lenient static DateTime ParseExact(string s, string[] formats, CultureInfo provider, DateTimeStyles style); lenient static bool TryParse(string s, CultureInfo provider, DateTimeStyles styles, out DateTime result); lenient static bool TryParseExact(string s, string format, CultureInfo provider, DateTimeStyles style, out DateTime result); lenient static bool TryParseExact(string s, string[] formats, CultureInfo provider, DateTimeStyles style, out DateTime result)",
                parse_exact,
            ),
            Row("lenient static DateTime SpecifyKind(DateTime value, DateTimeKind kind)", specify_kind),
            Row("bool IsDaylightSavingTime()", is_daylight),
            Row(
                "lenient string ToShortDateString(); lenient string ToLongDateString(); lenient string ToShortTimeString(); lenient string ToLongTimeString()",
                short_text,
            ),
            Row("lenient static int Compare(DateTime t1, DateTime t2)", compare),
            Row("bool Equals(DateTime value); lenient bool Equals(object value)", equals),
            Row("lenient int GetHashCode()", super::strings::hash),
            Row("lenient int CompareTo(DateTime value)", compare),
        ],
        ..PLAIN
    },
    TypeDef {
        name: "DateTimeOffset",
        rows: &[
            Row(
                "new(DateTime dateTime); new(int year, int month, int day, int hour, int minute, int second, TimeSpan offset)",
                create,
            ),
            Row("static DateTimeOffset Now; static DateTimeOffset UtcNow", now),
            Row("static DateTimeOffset MinValue; static DateTimeOffset MaxValue", limit),
            Row(
                "static DateTimeOffset FromUnixTimeSeconds(long seconds); static DateTimeOffset FromUnixTimeMilliseconds(long milliseconds)",
                from_unix,
            ),
            Row(
                "DateTimeOffset AddDays(double value); DateTimeOffset AddHours(double value); DateTimeOffset AddMinutes(double value); DateTimeOffset AddSeconds(double value); DateTimeOffset AddMilliseconds(double value); DateTimeOffset AddMonths(int months); DateTimeOffset AddYears(int value); DateTimeOffset Add(TimeSpan value)",
                add,
            ),
            Row("TimeSpan Subtract(DateTimeOffset value); DateTimeOffset Subtract(TimeSpan value)", subtract),
            Row(
                "int Year; int Month; int Day; int Hour; int Minute; int Second; int Millisecond; int DayOfYear; long Ticks; DayOfWeek DayOfWeek; TimeSpan TimeOfDay; DateTime Date",
                part,
            ),
            Row(
                "TimeSpan Offset; long UtcTicks; DateTime UtcDateTime; DateTime LocalDateTime; DateTime DateTime; long ToUnixTimeSeconds(); long ToUnixTimeMilliseconds(); DateTimeOffset ToUniversalTime(); DateTimeOffset ToLocalTime()",
                offset_part,
            ),
            Row("static DateTimeOffset Parse(string input)", parse),
            Row("static bool TryParse(string input, out DateTimeOffset result)", super::convert::try_parse),
            Row("string ToString(); string ToString(string format)", text),
            Row(
                "lenient string ToString(CultureInfo provider); lenient string ToString(string format, CultureInfo provider)",
                text,
            ),
            Row(
                "lenient static DateTimeOffset Parse(string s, CultureInfo provider); lenient static DateTimeOffset Parse(string s, CultureInfo provider, DateTimeStyles styles); lenient static DateTimeOffset ParseExact(string s, string format, CultureInfo provider); lenient static DateTimeOffset ParseExact(string s, string format, CultureInfo provider, DateTimeStyles style); lenient static DateTimeOffset ParseExact(string s, string[] formats, CultureInfo provider, DateTimeStyles style); lenient static bool TryParse(string s, CultureInfo provider, DateTimeStyles styles, out DateTimeOffset result); lenient static bool TryParseExact(string s, string format, CultureInfo provider, DateTimeStyles style, out DateTimeOffset result); lenient static bool TryParseExact(string s, string[] formats, CultureInfo provider, DateTimeStyles style, out DateTimeOffset result)",
                parse_exact,
            ),
            Row("DateTimeOffset ToOffset(TimeSpan offset)", to_offset),
            Row("new(DateTime dateTime, TimeSpan offset); new(long ticks, TimeSpan offset)", new_offset),
            Row("DateTimeOffset AddTicks(long ticks)", add),
            Row("static int Compare(DateTimeOffset first, DateTimeOffset second)", compare),
            Row(
                "bool Equals(DateTimeOffset other); bool EqualsExact(DateTimeOffset other); bool Equals(object obj)",
                equals,
            ),
            Row("int GetHashCode()", super::strings::hash),
            Row("int CompareTo(DateTimeOffset other)", compare),
        ],
        ..PLAIN
    },
    TypeDef {
        name: "TimeSpan",
        rows: &[
            Row(
                "new(long ticks); new(int hours, int minutes, int seconds); new(int days, int hours, int minutes, int seconds); new(int days, int hours, int minutes, int seconds, int milliseconds)",
                span,
            ),
            Row(
                "static TimeSpan FromDays(double value); static TimeSpan FromHours(double value); static TimeSpan FromMinutes(double value); static TimeSpan FromSeconds(double value); static TimeSpan FromMilliseconds(double value)",
                span_from,
            ),
            Row("static TimeSpan Zero", span_zero),
            Row(
                "double TotalDays; double TotalHours; double TotalMinutes; double TotalSeconds; double TotalMilliseconds; int Days; int Hours; int Minutes; int Seconds; int Milliseconds; long Ticks; TimeSpan Duration()",
                span_part,
            ),
            Row("static TimeSpan Parse(string s)", parse),
            Row("static bool TryParse(string s, out TimeSpan result)", super::convert::try_parse),
            Row("string ToString(); string ToString(string format)", text),
            Row(
                "TimeSpan Add(TimeSpan ts); TimeSpan Subtract(TimeSpan ts); TimeSpan Negate(); static TimeSpan FromTicks(long value); static TimeSpan MaxValue; static TimeSpan MinValue",
                span_math,
            ),
            Row("int CompareTo(TimeSpan value); static int Compare(TimeSpan t1, TimeSpan t2)", compare),
            Row("bool Equals(TimeSpan obj); bool Equals(object obj)", equals),
            Row("int GetHashCode()", super::strings::hash),
            Row("lenient string ToString(string format, CultureInfo formatProvider)", text),
        ],
        ..PLAIN
    },
];
