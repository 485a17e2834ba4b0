//! `TimeZoneInfo`, by Windows and by IANA ids. The local zone is UTC. Data is the IANA database that comes with
//! `jiff`; a time that a change of clocks skips is refused, one that it repeats is read as standard time.

mod windows;

use super::time::{self, MINUTE, SECOND, UNIX_EPOCH};
use crate::call::Call;
use crate::fault::{Fault, throw};
use crate::surface::{PLAIN, Row, TypeDef};
use crate::value::{Date, Value};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{Timestamp, civil};

fn not_found(id: &str) -> Fault {
    throw(
        "TimeZoneNotFoundException",
        format!("The time zone ID '{id}' was not found on the local computer."),
    )
}

/// A zone by either kind of id.
fn zone(id: &str) -> Result<TimeZone, Fault> {
    let known = windows::ZONES.iter().find(|row| row.0.eq_ignore_ascii_case(id));
    TimeZone::get(known.map_or(id, |row| row.1)).map_err(|_| not_found(id))
}

fn value(id: &str) -> Value {
    Value::record("TimeZoneInfo", vec![("Id", Value::str(id))])
}

fn id_of(value: &Value) -> String {
    super::context::named(value, "Id").to_text()
}

fn of(call: &Call<'_>, at: usize) -> Result<TimeZone, Fault> {
    if call.arg(at).is_null() {
        return Err(call.missing(at));
    }
    match call.arg(at) {
        Value::Str(id) => zone(id),
        other => zone(&id_of(other)),
    }
}

fn find(call: &mut Call<'_>) -> Result<Value, Fault> {
    let id = call.text(0)?;
    zone(&id)?;
    Ok(value(&id))
}

fn known(_: &mut Call<'_>) -> Result<Value, Fault> {
    Ok(value("UTC"))
}

fn timestamp(utc: i64) -> Timestamp {
    Timestamp::from_second((utc - UNIX_EPOCH).div_euclid(SECOND)).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// Ticks that a zone is ahead of UTC, at a time in UTC.
fn offset_at(zone: &TimeZone, utc: i64) -> i64 {
    i64::from(zone.to_offset(timestamp(utc)).seconds()) * SECOND
}

fn is_daylight(zone: &TimeZone, utc: i64) -> bool {
    zone.to_offset_info(timestamp(utc)).dst().is_dst()
}

/// What the clocks of a zone say about a local time.
fn local(zone: &TimeZone, ticks: i64) -> Option<AmbiguousOffset> {
    let (year, month, day) = time::civil(ticks);
    let clock = ticks.rem_euclid(time::DAY);
    let small = |number: i64| i8::try_from(number).ok();
    let date = civil::DateTime::new(
        i16::try_from(year).ok()?,
        small(month)?,
        small(day)?,
        small(clock / time::HOUR)?,
        small(clock / MINUTE % 60)?,
        small(clock / SECOND % 60)?,
        0,
    );
    Some(zone.to_ambiguous_timestamp(date.ok()?).offset())
}

/// A local time of a zone in UTC.
fn to_utc(zone: &TimeZone, ticks: i64) -> Result<i64, Fault> {
    let offset = match local(zone, ticks) {
        Some(AmbiguousOffset::Unambiguous { offset }) => offset,
        // The clocks are set back: the second pass is standard time.
        Some(AmbiguousOffset::Fold { after, .. }) => after,
        Some(AmbiguousOffset::Gap { .. }) => {
            return Err(throw(
                "ArgumentException",
                "The supplied DateTime represents an invalid time.  For example, when the clock is adjusted forward, any time in the period that is skipped is invalid. (Parameter 'dateTime')",
            ));
        }
        None => return Ok(ticks),
    };
    Ok(ticks - i64::from(offset.seconds()) * SECOND)
}

fn date(ticks: i64, kind: u8) -> Result<Value, Fault> {
    let ticks = ticks.clamp(0, time::TICKS_MAX);
    Ok(Value::Date(Date { ticks, kind }))
}

/// The time in UTC that an argument stands for, read in a zone when it does not say.
fn instant(value: &Value, zone: Option<&TimeZone>) -> Result<i64, Fault> {
    match (value, zone) {
        (Value::Date(date), Some(zone)) if date.kind == 0 => to_utc(zone, date.ticks),
        _ => Ok(crate::arith::instant(value)),
    }
}

fn shown(value: &Value, utc: i64, zone: &TimeZone, id: &str) -> Result<Value, Fault> {
    let offset = offset_at(zone, utc);
    match value {
        Value::Offset(..) => Ok(Value::Offset(
            (utc + offset).clamp(0, time::TICKS_MAX),
            i16::try_from(offset / MINUTE).unwrap_or(0),
        )),
        _ => date(utc + offset, if id.eq_ignore_ascii_case("utc") { 1 } else { 0 }),
    }
}

fn convert(call: &mut Call<'_>) -> Result<Value, Fault> {
    let value = call.arg(0).clone();
    let name = call.member.name.as_str();
    if name == "ConvertTimeToUtc" {
        let zone = if call.count() > 1 { Some(of(call, 1)?) } else { None };
        return date(instant(&value, zone.as_ref())?, 1);
    }
    let target = call.count() - 1;
    let id = match call.arg(target) {
        Value::Str(id) => id.to_string(),
        other => id_of(other),
    };
    let zone = of(call, target)?;
    let source = if target == 2 { Some(of(call, 1)?) } else { None };
    let utc = instant(&value, source.as_ref())?;
    shown(&value, utc, &zone, &id)
}

/// The offset without daylight saving, now.
fn base(call: &Call<'_>, zone: &TimeZone) -> i64 {
    let now = call.host.now_ticks();
    let half_year = 182 * time::DAY;
    let standard = [now, now - half_year].into_iter().find(|at| !is_daylight(zone, *at)).unwrap_or(now);
    offset_at(zone, standard)
}

fn display_name(call: &Call<'_>, zone: &TimeZone) -> String {
    let id = id_of(call.arg(0));
    if id.eq_ignore_ascii_case("utc") {
        return "(UTC) Coordinated Universal Time".into();
    }
    let minutes = i16::try_from(base(call, zone) / MINUTE).unwrap_or(0);
    format!("(UTC{}) {id}", time::offset_text(minutes))
}

fn property(call: &mut Call<'_>) -> Result<Value, Fault> {
    let zone = of(call, 0)?;
    Ok(match call.member.name.as_str() {
        "BaseUtcOffset" => Value::Span(base(call, &zone)),
        "SupportsDaylightSavingTime" => {
            let now = call.host.now_ticks();
            Value::Bool((0..12).any(|month| is_daylight(&zone, now + month * 31 * time::DAY)))
        }
        "DisplayName" | "ToString" => Value::str(display_name(call, &zone)),
        "DaylightName" => Value::str(id_of(call.arg(0)).replace("Standard", "Daylight")),
        _ => Value::str(id_of(call.arg(0))),
    })
}

fn about_time(call: &mut Call<'_>) -> Result<Value, Fault> {
    let zone = of(call, 0)?;
    let value = call.arg(1).clone();
    let clock = match &value {
        Value::Date(date) if date.kind == 0 => local(&zone, date.ticks),
        _ => None,
    };
    Ok(match call.member.name.as_str() {
        "IsInvalidTime" => Value::Bool(matches!(clock, Some(AmbiguousOffset::Gap { .. }))),
        "IsAmbiguousTime" => Value::Bool(matches!(clock, Some(AmbiguousOffset::Fold { .. }))),
        name => {
            let utc = match clock {
                Some(AmbiguousOffset::Gap { before, .. }) => {
                    crate::arith::instant(&value) - i64::from(before.seconds()) * SECOND
                }
                _ => instant(&value, Some(&zone))?,
            };
            match name {
                "GetUtcOffset" => Value::Span(offset_at(&zone, utc)),
                _ => Value::Bool(is_daylight(&zone, utc)),
            }
        }
    })
}

fn same(call: &mut Call<'_>) -> Result<Value, Fault> {
    Ok(Value::Bool(id_of(call.arg(0)).eq_ignore_ascii_case(&id_of(call.arg(1)))))
}

pub(super) const TYPES: &[TypeDef] = &[TypeDef {
    name: "TimeZoneInfo",
    rows: &[
        Row("static TimeZoneInfo FindSystemTimeZoneById(string id)", find),
        Row("static TimeZoneInfo Utc; static TimeZoneInfo Local", known),
        Row(
            "static DateTime ConvertTimeToUtc(DateTime dateTime); static DateTime ConvertTimeToUtc(DateTime dateTime, TimeZoneInfo sourceTimeZone); static DateTime ConvertTimeFromUtc(DateTime dateTime, TimeZoneInfo destinationTimeZone); static DateTime ConvertTime(DateTime dateTime, TimeZoneInfo destinationTimeZone); static DateTimeOffset ConvertTime(DateTimeOffset dateTimeOffset, TimeZoneInfo destinationTimeZone); static DateTime ConvertTime(DateTime dateTime, TimeZoneInfo sourceTimeZone, TimeZoneInfo destinationTimeZone); static DateTime ConvertTimeBySystemTimeZoneId(DateTime dateTime, string destinationTimeZoneId); static DateTimeOffset ConvertTimeBySystemTimeZoneId(DateTimeOffset dateTimeOffset, string destinationTimeZoneId); static DateTime ConvertTimeBySystemTimeZoneId(DateTime dateTime, string sourceTimeZoneId, string destinationTimeZoneId)",
            convert,
        ),
        Row(
            "string Id; string StandardName; string DaylightName; string DisplayName; TimeSpan BaseUtcOffset; bool SupportsDaylightSavingTime; string ToString()",
            property,
        ),
        Row(
            "TimeSpan GetUtcOffset(DateTime dateTime); TimeSpan GetUtcOffset(DateTimeOffset dateTimeOffset); bool IsDaylightSavingTime(DateTime dateTime); bool IsDaylightSavingTime(DateTimeOffset dateTimeOffset); bool IsInvalidTime(DateTime dateTime); bool IsAmbiguousTime(DateTime dateTime)",
            about_time,
        ),
        Row("bool Equals(TimeZoneInfo other); bool HasSameRules(TimeZoneInfo other)", same),
    ],
    ..PLAIN
}];

#[cfg(test)]
mod tests {
    use super::{windows, zone};

    #[test]
    fn every_windows_id_leads_to_a_zone() {
        for (id, iana) in windows::ZONES {
            assert!(zone(id).is_ok(), "{id} is {iana}");
        }
    }
}
