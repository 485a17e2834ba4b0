//! Dates, spans and their texts. Ticks are 100 ns since 0001-01-01T00:00:00; the local zone is UTC.

use crate::value::{Date, Value};
use handfast_core::UnixTime;
pub(crate) use handfast_core::time::days_in_month;

pub(crate) const SECOND: i64 = 10_000_000;
pub(crate) const MINUTE: i64 = 60 * SECOND;
pub(crate) const HOUR: i64 = 60 * MINUTE;
pub(crate) const DAY: i64 = 24 * HOUR;
/// Ticks of 1970-01-01.
pub(crate) const UNIX_EPOCH: i64 = 621_355_968_000_000_000;
/// Ticks of the last moment of 9999.
pub(crate) const TICKS_MAX: i64 = 3_155_378_975_999_999_999;

pub(super) const MONTHS: [&str; 12] = [
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
pub(super) const DAYS: [&str; 7] =
    ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

/// What a zone specifier prints.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Zone {
    None,
    Utc,
    Local,
    Offset(i16),
}

impl Zone {
    pub(crate) fn of(kind: u8) -> Self {
        match kind {
            1 => Self::Utc,
            2 => Self::Local,
            _ => Self::None,
        }
    }

    fn offset(self) -> String {
        match self {
            Self::Offset(minutes) => offset_text(minutes),
            _ => "+00:00".into(),
        }
    }
}

pub(crate) fn offset_text(minutes: i16) -> String {
    let sign = if minutes < 0 { '-' } else { '+' };
    format!("{sign}{:02}:{:02}", minutes.unsigned_abs() / 60, minutes.unsigned_abs() % 60)
}

pub(crate) fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

/// Ticks of a civil date and time; `None` when a part is out of range.
pub(crate) fn ticks_of(year: i64, month: i64, day: i64, hour: i64, minute: i64, second: i64) -> Option<i64> {
    let time = UnixTime::from_civil(year, month, day, hour, minute, second)?;
    (1..=9999).contains(&year).then_some(UNIX_EPOCH + time.0 * SECOND)
}

/// Year, month, day.
pub(crate) fn civil(ticks: i64) -> (i64, i64, i64) {
    let (year, month, day, ..) = UnixTime((ticks - UNIX_EPOCH).div_euclid(SECOND)).civil();
    (year, month.into(), day.into())
}

pub(crate) fn weekday(ticks: i64) -> i64 {
    (ticks.div_euclid(DAY) + 1).rem_euclid(7)
}

pub(crate) fn day_of_year(ticks: i64) -> i64 {
    let (year, ..) = civil(ticks);
    ticks_of(year, 1, 1, 0, 0, 0).map_or(1, |start| (ticks - start) / DAY + 1)
}

pub(crate) fn add_months(ticks: i64, months: i64) -> Option<i64> {
    let (year, month, day) = civil(ticks);
    let index = year.checked_mul(12)?.checked_add(month - 1)?.checked_add(months)?;
    let (year, month) = (index.div_euclid(12), index.rem_euclid(12) + 1);
    let day = day.min(days_in_month(year, month));
    Some(ticks_of(year, month, day, 0, 0, 0)? + ticks.rem_euclid(DAY))
}

/// As JSON writes it, before the zone.
pub(crate) fn json(ticks: i64, zone: String) -> String {
    let text = format(ticks, Zone::None, "yyyy-MM-ddTHH:mm:ss.FFFFFFF").unwrap_or_default();
    format!("{text}{zone}")
}

/// A string that Newtonsoft takes for a date.
pub(crate) fn json_date(text: &str) -> Option<Value> {
    if let Some(milliseconds) = text.strip_prefix("/Date(").and_then(|rest| rest.strip_suffix(")/")) {
        let ticks = milliseconds.parse::<i64>().ok()?.checked_mul(10_000)?.checked_add(UNIX_EPOCH)?;
        return Some(Value::Date(Date { ticks, kind: 1 }));
    }
    let bytes = text.as_bytes();
    let shaped = (19..=40).contains(&bytes.len())
        && bytes[0].is_ascii_digit()
        && bytes[10] == b'T'
        && bytes.get(16) == Some(&b':');
    if !shaped {
        return None;
    }
    match iso(text)? {
        (ticks, Some(0)) if text.ends_with('Z') => Some(Value::Date(Date { ticks, kind: 1 })),
        (ticks, Some(minutes)) => Some(Value::Date(Date { ticks: ticks - minutes * MINUTE, kind: 2 })),
        (ticks, None) => Some(Value::Date(Date { ticks, kind: 0 })),
    }
}

/// `yyyy-MM-dd[(T| )HH:mm[:ss[.f]][Z|±hh:mm]]`: ticks and offset in minutes.
fn iso(text: &str) -> Option<(i64, Option<i64>)> {
    let number = |range: std::ops::Range<usize>| {
        text.get(range).filter(|t| t.bytes().all(|b| b.is_ascii_digit()))?.parse::<i64>().ok()
    };
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    if text.get(4..5)? != text.get(7..8)? || !matches!(text.get(4..5)?, "-" | "/") {
        return None;
    }
    if text.len() == 10 {
        return Some((ticks_of(year, month, day, 0, 0, 0)?, None));
    }
    if !matches!(text.get(10..11)?, "T" | " ") || text.get(13..14)? != ":" {
        return None;
    }
    let (hour, minute) = (number(11..13)?, number(14..16)?);
    let mut rest = text.get(16..)?;
    let (mut second, mut fraction) = (0, 0);
    if let Some(after) = rest.strip_prefix(':') {
        second = after.get(..2)?.parse().ok()?;
        rest = after.get(2..)?;
    }
    if let Some(after) = rest.strip_prefix('.') {
        let digits: String = after.chars().take_while(char::is_ascii_digit).collect();
        rest = after.get(digits.len()..)?;
        fraction = format!("{digits:0<7}").get(..7)?.parse().ok()?;
    }
    let offset = match rest.trim() {
        "" => None,
        "Z" => Some(0),
        zone => {
            let sign = match zone.get(..1)? {
                "+" => 1,
                "-" => -1,
                _ => return None,
            };
            let digits = zone.get(1..)?.replace(':', "");
            let (hours, minutes) = (
                digits.get(..2)?.parse::<i64>().ok()?,
                digits.get(2..4).unwrap_or("00").parse::<i64>().ok()?,
            );
            Some(sign * (hours * 60 + minutes))
        }
    };
    Some((ticks_of(year, month, day, hour, minute, second)? + fraction, offset))
}

/// What `DateTime.Parse` accepts: ISO, RFC 1123, `M/d/yyyy`, names of months; ticks and offset.
pub(crate) fn parse(text: &str) -> Option<(i64, Option<i64>)> {
    let text = text.trim();
    if let Some(found) = iso(text) {
        return Some(found);
    }
    let (mut year, mut month, mut day, mut clock, mut afternoon, mut offset) =
        (None, None, None, None, None, None);
    let mut numbers = Vec::new();
    for word in text.split([' ', ',']).filter(|word| !word.is_empty()) {
        let upper = word.to_ascii_uppercase();
        if word.contains(':') {
            clock = Some(word);
        } else if matches!(upper.as_str(), "AM" | "PM") {
            afternoon = Some(upper == "PM");
        } else if matches!(upper.as_str(), "GMT" | "Z" | "UTC") {
            offset = Some(0);
        } else if word.contains('/') {
            let parts: Vec<i64> = word.split('/').map(|part| part.parse().ok()).collect::<Option<_>>()?;
            match parts[..] {
                [y, m, d] if y > 31 => (year, month, day) = (Some(y), Some(m), Some(d)),
                [m, d, y] => (year, month, day) = (Some(y), Some(m), Some(d)),
                _ => return None,
            }
        } else if let Some(index) =
            MONTHS.iter().position(|name| upper.len() >= 3 && name.to_ascii_uppercase().starts_with(&upper))
        {
            month = Some(index as i64 + 1);
        } else if DAYS.iter().any(|name| upper.len() >= 3 && name.to_ascii_uppercase().starts_with(&upper)) {
        } else {
            numbers.push(word.parse::<i64>().ok()?);
        }
    }
    if let (Some(_), [d, y]) = (month.filter(|_| day.is_none()), &numbers[..]) {
        (day, year) = (Some(*d), Some(*y));
    } else if !numbers.is_empty() {
        return None;
    }
    let year = year.map(|year| {
        if year < 50 {
            year + 2000
        } else if year < 100 {
            year + 1900
        } else {
            year
        }
    });
    let (mut hour, mut minute, mut second) = (0, 0, 0);
    if let Some(clock) = clock {
        let parts: Vec<i64> = clock.split(':').map(|part| part.parse().ok()).collect::<Option<_>>()?;
        (hour, minute) = (*parts.first()?, *parts.get(1)?);
        second = parts.get(2).copied().unwrap_or(0);
        if let Some(afternoon) = afternoon {
            hour = hour % 12 + if afternoon { 12 } else { 0 };
        }
    }
    Some((ticks_of(year?, month?, day?, hour, minute, second)?, offset))
}

/// A date in a format; `None` for an unknown one.
pub(crate) fn format(ticks: i64, zone: Zone, format: &str) -> Option<String> {
    let utc = match zone {
        Zone::Offset(minutes) => ticks - i64::from(minutes) * MINUTE,
        _ => ticks,
    };
    let custom = |pattern: &str| Some(write(ticks, zone, pattern));
    match format {
        "" | "G" => custom("M/d/yyyy h:mm:ss tt"),
        "g" => custom("M/d/yyyy h:mm tt"),
        "d" => custom("M/d/yyyy"),
        "D" => custom("dddd, MMMM d, yyyy"),
        "t" => custom("h:mm tt"),
        "T" => custom("h:mm:ss tt"),
        "f" => custom("dddd, MMMM d, yyyy h:mm tt"),
        "F" | "U" => custom("dddd, MMMM d, yyyy h:mm:ss tt"),
        "m" | "M" => custom("MMMM d"),
        "y" | "Y" => custom("MMMM yyyy"),
        "o" | "O" => custom(if matches!(zone, Zone::Offset(_)) {
            "yyyy-MM-ddTHH:mm:ss.fffffffzzz"
        } else {
            "yyyy-MM-ddTHH:mm:ss.fffffffK"
        }),
        "s" => custom("yyyy-MM-ddTHH:mm:ss"),
        "r" | "R" => Some(write(utc, zone, "ddd, dd MMM yyyy HH:mm:ss 'GMT'")),
        "u" => Some(write(utc, zone, "yyyy-MM-dd HH:mm:ss'Z'")),
        _ if format.chars().count() == 1 => None,
        _ => custom(format),
    }
}

fn write(ticks: i64, zone: Zone, pattern: &str) -> String {
    let (year, month, day) = civil(ticks);
    let clock = ticks.rem_euclid(DAY);
    let (hour, minute, second) = (clock / HOUR, clock / MINUTE % 60, clock / SECOND % 60);
    let fraction = format!("{:07}", clock % SECOND);
    let chars: Vec<char> = pattern.chars().collect();
    let (mut out, mut at) = (String::new(), 0);
    while let Some(&c) = chars.get(at) {
        let run = chars.iter().skip(at).take_while(|next| **next == c).count();
        at += 1;
        if !"dMyhHmsfFtzK\\'\"%".contains(c) {
            out.push(c);
            continue;
        }
        match c {
            '%' => continue,
            '\\' => {
                out.extend(chars.get(at));
                at += 1;
                continue;
            }
            '\'' | '"' => {
                while let Some(&inner) = chars.get(at) {
                    at += 1;
                    if inner == c {
                        break;
                    }
                    out.push(inner);
                }
                continue;
            }
            _ => at += run - 1,
        }
        let padded = |number: i64| format!("{number:0width$}", width = run.min(2));
        let name = |names: &[&str], index: i64| names.get(index as usize).copied().unwrap_or("").to_owned();
        let text = match (c, run) {
            ('d', 3) => name(&DAYS, weekday(ticks))[..3].to_owned(),
            ('d', 4..) => name(&DAYS, weekday(ticks)),
            ('d', _) => padded(day),
            ('M', 3) => name(&MONTHS, month - 1)[..3].to_owned(),
            ('M', 4..) => name(&MONTHS, month - 1),
            ('M', _) => padded(month),
            ('y', 1) => (year % 100).to_string(),
            ('y', 2) => format!("{:02}", year % 100),
            ('y', _) => format!("{year:0run$}"),
            ('h', _) => padded((hour + 11) % 12 + 1),
            ('H', _) => padded(hour),
            ('m', _) => padded(minute),
            ('s', _) => padded(second),
            ('f', _) => fraction.get(..run.min(7)).unwrap_or("").to_owned(),
            ('F', _) => {
                let text = fraction.get(..run.min(7)).unwrap_or("").trim_end_matches('0').to_owned();
                if text.is_empty() && out.ends_with('.') {
                    out.pop();
                }
                text
            }
            ('t', 1) => if hour < 12 { "A" } else { "P" }.to_owned(),
            ('t', _) => if hour < 12 { "AM" } else { "PM" }.to_owned(),
            ('z', 3..) => zone.offset(),
            ('z', 2) => zone.offset().get(..3).unwrap_or("").to_owned(),
            ('z', _) => zone.offset().get(..3).unwrap_or("").replacen('0', "", 1),
            ('K', _) => match zone {
                Zone::None => String::new(),
                Zone::Utc => "Z".to_owned(),
                _ => zone.offset(),
            },
            _ => String::new(),
        };
        out.push_str(&text);
    }
    out
}

/// A span in a format.
pub(crate) fn span(ticks: i64, format: &str) -> Option<String> {
    let sign = if ticks < 0 { "-" } else { "" };
    let all = ticks.unsigned_abs();
    let unit = |ticks: i64| all / ticks.unsigned_abs();
    let (days, hours, minutes, seconds) = (unit(DAY), unit(HOUR) % 24, unit(MINUTE) % 60, unit(SECOND) % 60);
    let fraction = format!("{:07}", all % SECOND.unsigned_abs());
    match format {
        "" | "c" | "t" | "T" => {
            let day = if days > 0 { format!("{days}.") } else { String::new() };
            let tail = if fraction == "0000000" { String::new() } else { format!(".{fraction}") };
            Some(format!("{sign}{day}{hours:02}:{minutes:02}:{seconds:02}{tail}"))
        }
        "g" => {
            let day = if days > 0 { format!("{days}:") } else { String::new() };
            let tail = fraction.trim_end_matches('0');
            let tail = if tail.is_empty() { String::new() } else { format!(".{tail}") };
            Some(format!("{sign}{day}{hours}:{minutes:02}:{seconds:02}{tail}"))
        }
        "G" => Some(format!("{sign}{days}:{hours:02}:{minutes:02}:{seconds:02}.{fraction}")),
        _ => {
            let (mut out, mut chars) = (String::new(), format.chars().peekable());
            while let Some(c) = chars.next() {
                let mut run = 1;
                while c.is_alphabetic() && chars.peek() == Some(&c) {
                    chars.next();
                    run += 1;
                }
                match c {
                    'd' => out.push_str(&format!("{days:0run$}")),
                    'h' => out.push_str(&format!("{hours:0run$}")),
                    'm' => out.push_str(&format!("{minutes:0run$}")),
                    's' => out.push_str(&format!("{seconds:0run$}")),
                    'f' => out.push_str(fraction.get(..run.min(7))?),
                    'F' => out.push_str(fraction.get(..run.min(7))?.trim_end_matches('0')),
                    '\\' => out.extend(chars.next()),
                    '\'' => out.extend(chars.by_ref().take_while(|next| *next != '\'')),
                    '%' => {}
                    _ => return None,
                }
            }
            Some(out)
        }
    }
}

/// `TimeSpan.Parse`.
pub(crate) fn parse_span(text: &str) -> Option<i64> {
    let (sign, text) = text.trim().strip_prefix('-').map_or((1, text.trim()), |rest| (-1, rest));
    let (days, clock) = match (text.split_once('.'), text.contains(':')) {
        (_, false) => return Some(sign * text.parse::<i64>().ok()?.checked_mul(DAY)?),
        (Some((days, clock)), _) if !days.contains(':') => (days.parse::<i64>().ok()?, clock),
        _ => (0, text),
    };
    let parts: Vec<&str> = clock.split(':').collect();
    let hours: i64 = parts.first()?.parse().ok()?;
    let minutes: i64 = parts.get(1)?.parse().ok()?;
    let seconds: f64 = parts.get(2).unwrap_or(&"0").parse().ok()?;
    if !(0..24).contains(&hours) || !(0..60).contains(&minutes) || !(0.0..60.0).contains(&seconds) {
        return None;
    }
    let ticks = days.checked_mul(DAY)?.checked_add(hours * HOUR + minutes * MINUTE)?;
    Some(sign * ticks.checked_add((seconds * SECOND as f64).round() as i64)?)
}
