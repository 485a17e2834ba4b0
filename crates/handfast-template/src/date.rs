//! Dates (§10.4): ISO 8601 texts, durations, and the .NET formats that templates use. All times are UTC.

use crate::evaluate::{Environment, Phase};
use crate::fault::{Evaluated, fault};
use crate::function::{FunctionEntry, eager, int_at, str_at};
use handfast_core::UnixTime;
use handfast_core::time::days_in_month;
use serde_json::Value;

pub(crate) const TABLE: &[FunctionEntry] = &[
    eager("utcNow", 0, 1, utc_now),
    eager("dateTimeAdd", 2, 3, date_time_add),
    eager("dateTimeToEpoch", 1, 1, |_, a| Ok(parse(str_at(&a, 0)?)?.0.into())),
    eager("dateTimeFromEpoch", 1, 1, |_, a| format(UnixTime(int_at(&a, 0)?), ISO).map(Value::String)),
];

const ISO: &str = "yyyy-MM-ddTHH:mm:ssZ";
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] = ["Thursday", "Friday", "Saturday", "Sunday", "Monday", "Tuesday", "Wednesday"];
/// Years 0001 to 9999, as .NET has them.
const SECONDS: std::ops::RangeInclusive<i64> = -62_135_596_800..=253_402_300_799;

fn utc_now(environment: &Environment<'_>, a: Vec<Value>) -> Evaluated<Value> {
    if environment.phase != Phase::Default {
        return fault("\"utcNow\" may be used only in the default value of a parameter");
    }
    let pattern = if a.is_empty() { "yyyyMMddTHHmmssZ" } else { str_at(&a, 0)? };
    format(environment.frame.scope.now, pattern).map(Value::String)
}

fn date_time_add(_: &Environment<'_>, a: Vec<Value>) -> Evaluated<Value> {
    let (base, duration) = (parse(str_at(&a, 0)?)?, str_at(&a, 1)?);
    let Some((months, seconds)) = parse_duration(duration) else {
        return fault(format!("\"{duration}\" is not an ISO 8601 duration such as \"P1DT2H\""));
    };
    let pattern = if a.len() > 2 { str_at(&a, 2)? } else { ISO };
    let moved = add_months(base, months).and_then(|time| time.0.checked_add(seconds));
    match moved.filter(|time| SECONDS.contains(time)) {
        Some(time) => format(UnixTime(time), pattern).map(Value::String),
        None => fault("the result lies outside of the years 1 to 9999"),
    }
}

fn add_months(time: UnixTime, months: i64) -> Option<UnixTime> {
    if months == 0 {
        return Some(time);
    }
    let (year, month, day, ..) = time.civil();
    let total = year.checked_mul(12)?.checked_add(i64::from(month) - 1)?.checked_add(months)?;
    let (year, month) = (total.div_euclid(12), total.rem_euclid(12) + 1);
    if !(1..=9999).contains(&year) {
        return None;
    }
    let day = i64::from(day).min(days_in_month(year, month));
    let midnight = UnixTime::from_civil(year, month, day, 0, 0, 0)?;
    Some(UnixTime(midnight.0 + time.0.rem_euclid(86_400)))
}

/// Reads `2023-03-31`, `2023-03-31T01:00:38Z`, with fraction or offset, and the compact default form.
fn parse(text: &str) -> Evaluated<UnixTime> {
    match parse_civil(text.trim()).filter(|time| SECONDS.contains(&time.0)) {
        Some(time) => Ok(time),
        None => fault(format!("\"{text}\" is not a date such as \"2026-04-09T17:14:58Z\"")),
    }
}

fn parse_civil(text: &str) -> Option<UnixTime> {
    let (date, time) = text.split_once(['T', ' ']).unwrap_or((text, "00:00:00Z"));
    let date: String = date.chars().filter(|c| *c != '-').collect();
    let (year, month, day) = (number(&date, 0, 4)?, number(&date, 4, 6)?, number(&date, 6, 8)?);
    if date.len() != 8 {
        return None;
    }
    let zone_at = time.find(['Z', 'z', '+', '-']).unwrap_or(time.len());
    let (clock, zone) = time.split_at(zone_at);
    let clock: String = clock.split('.').next()?.chars().filter(|c| *c != ':').collect();
    let second = if clock.len() > 4 { number(&clock, 4, 6)? } else { 0 };
    let (hour, minute) = (number(&clock, 0, 2)?, number(&clock, 2, 4)?);
    let offset = match zone.chars().next() {
        None | Some('Z' | 'z') => 0,
        Some(sign) => {
            let digits: String = zone.chars().filter(char::is_ascii_digit).collect();
            let minutes =
                number(&digits, 0, 2)? * 60 + if digits.len() > 2 { number(&digits, 2, 4)? } else { 0 };
            if sign == '-' { -minutes * 60 } else { minutes * 60 }
        }
    };
    let time = UnixTime::from_civil(year, month, day, hour, minute, second)?;
    Some(UnixTime(time.0 - offset))
}

fn number(text: &str, from: usize, to: usize) -> Option<i64> {
    let digits = text.get(from..to)?;
    digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
}

/// Months and seconds of `[-]P1Y2M3W4DT5H6M7S`.
fn parse_duration(text: &str) -> Option<(i64, i64)> {
    let (sign, rest) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text),
    };
    let rest = rest.strip_prefix('P').filter(|rest| !rest.is_empty())?;
    let (mut months, mut seconds, mut in_time, mut digits) = (0_i64, 0_i64, false, String::new());
    for c in rest.chars() {
        if c.is_ascii_digit() {
            digits.push(c);
            continue;
        }
        if c == 'T' && digits.is_empty() {
            in_time = true;
            continue;
        }
        let amount: i64 = std::mem::take(&mut digits).parse().ok()?;
        let (unit_months, unit_seconds) = match (c, in_time) {
            ('Y', false) => (12, 0),
            ('M', false) => (1, 0),
            ('W', false) => (0, 604_800),
            ('D', false) => (0, 86_400),
            ('H', true) => (0, 3_600),
            ('M', true) => (0, 60),
            ('S', true) => (0, 1),
            _ => return None,
        };
        months = months.checked_add(amount.checked_mul(unit_months)?)?;
        seconds = seconds.checked_add(amount.checked_mul(unit_seconds)?)?;
    }
    digits.is_empty().then_some((sign * months, sign * seconds))
}

/// The .NET standard formats as custom ones (invariant culture).
fn standard(pattern: &str) -> Option<&'static str> {
    Some(match pattern {
        "d" => "MM/dd/yyyy",
        "D" => "dddd, dd MMMM yyyy",
        "f" => "dddd, dd MMMM yyyy HH:mm",
        "F" | "U" => "dddd, dd MMMM yyyy HH:mm:ss",
        "g" => "MM/dd/yyyy HH:mm",
        "G" => "MM/dd/yyyy HH:mm:ss",
        "m" | "M" => "MMMM dd",
        "o" | "O" => "yyyy-MM-ddTHH:mm:ss.fffffffZ",
        "r" | "R" => "ddd, dd MMM yyyy HH:mm:ss 'GMT'",
        "s" => "yyyy-MM-ddTHH:mm:ss",
        "t" => "HH:mm",
        "T" => "HH:mm:ss",
        "u" => "yyyy-MM-dd HH:mm:ssZ",
        "y" | "Y" => "yyyy MMMM",
        _ => return None,
    })
}

fn format(time: UnixTime, pattern: &str) -> Evaluated<String> {
    let pattern = standard(pattern).unwrap_or(pattern);
    let mut out = String::new();
    let mut rest = pattern.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\\' => out.extend(rest.next()),
            '\'' | '"' => out.extend(rest.by_ref().take_while(|next| *next != c)),
            '%' => {}
            c if "yMdHhmsfFtKz".contains(c) => {
                let mut count = 1;
                while rest.next_if_eq(&c).is_some() {
                    count += 1;
                }
                out.push_str(&field(time, c, count));
            }
            other => out.push(other),
        }
    }
    Ok(out)
}

fn field(time: UnixTime, letter: char, count: usize) -> String {
    let (year, month, day, hour, minute, second) = time.civil();
    let padded = |number: i64| if count == 1 { number.to_string() } else { format!("{number:02}") };
    let month_name = MONTHS.get(usize::from(month) - 1).copied().unwrap_or_default();
    let weekday = usize::try_from(time.0.div_euclid(86_400).rem_euclid(7)).unwrap_or_default();
    let day_name = DAYS.get(weekday).copied().unwrap_or_default();
    let short = |name: &str| name.get(..3).unwrap_or(name).to_owned();
    match (letter, count) {
        ('y', 1 | 2) => padded(year.rem_euclid(100)),
        ('y', _) => format!("{year:0count$}"),
        ('M', 1 | 2) => padded(month.into()),
        ('M', 3) => short(month_name),
        ('M', _) => month_name.to_owned(),
        ('d', 1 | 2) => padded(day.into()),
        ('d', 3) => short(day_name),
        ('d', _) => day_name.to_owned(),
        ('H', _) => padded(hour.into()),
        ('h', _) => padded(i64::from((hour + 11) % 12) + 1),
        ('m', _) => padded(minute.into()),
        ('s', _) => padded(second.into()),
        ('f', _) => "0".repeat(count),
        ('t', 1) => if hour < 12 { "A" } else { "P" }.to_owned(),
        ('t', _) => if hour < 12 { "AM" } else { "PM" }.to_owned(),
        ('K', _) => "Z".to_owned(),
        ('z', 1) => "+0".to_owned(),
        ('z', 2) => "+00".to_owned(),
        ('z', _) => "+00:00".to_owned(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_and_printed() {
        for text in [
            "2023-03-31T01:00:38Z",
            "20230331T010038Z",
            "2023-03-31 01:00:38",
            "2023-03-31T03:00:38.123+02:00",
        ] {
            assert_eq!(parse(text).unwrap().to_string(), "2023-03-31T01:00:38Z", "{text}");
        }
        for text in ["2023-02-29", "2023-13-01", "x", "2023-01-01T25:00:00Z"] {
            assert!(parse(text).is_err(), "{text}");
        }
        let time = UnixTime(1_709_204_645);
        for (pattern, printed) in [
            ("R", "Thu, 29 Feb 2024 11:04:05 GMT"),
            ("D", "Thursday, 29 February 2024"),
            ("o", "2024-02-29T11:04:05.0000000Z"),
            ("yy-M-d h:m:s tt zzz", "24-2-29 11:4:5 AM +00:00"),
            ("'day' d \\d", "day 29 d"),
        ] {
            assert_eq!(format(time, pattern).unwrap(), printed);
        }
    }

    #[test]
    fn months_are_added_by_the_calendar() {
        let add = |base: &str, text: &str| {
            let (months, seconds) = parse_duration(text).unwrap();
            UnixTime(add_months(parse(base).unwrap(), months).unwrap().0 + seconds).to_string()
        };
        assert_eq!(add("2024-01-31", "P1M"), "2024-02-29T00:00:00Z");
        assert_eq!(add("2023-03-31T01:00:38Z", "P1D"), "2023-04-01T01:00:38Z");
        assert_eq!(add("2024-02-29", "-P1Y"), "2023-02-28T00:00:00Z");
        assert_eq!(add("2024-01-01", "P1Y2M10DT2H30M"), "2025-03-11T02:30:00Z");
        assert!(
            parse_duration("P").is_none() && parse_duration("1D").is_none() && parse_duration("P1").is_none()
        );
    }
}
