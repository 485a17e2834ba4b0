//! Dates by an exact custom format: `ParseExact` and `TryParseExact`.

use super::time::{self, DAYS, MONTHS};

#[derive(Default)]
struct Parts {
    year: Option<i64>,
    month: Option<i64>,
    day: Option<i64>,
    hour: i64,
    minute: i64,
    second: i64,
    fraction: i64,
    afternoon: Option<bool>,
    offset: Option<i64>,
}

struct Reader<'a> {
    rest: &'a str,
}

impl Reader<'_> {
    fn digits(&mut self, least: usize, most: usize) -> Option<i64> {
        let count = self.rest.bytes().take(most).take_while(u8::is_ascii_digit).count();
        let (digits, rest) = self.rest.split_at(count);
        self.rest = rest;
        if count < least { None } else { digits.parse().ok() }
    }

    fn literal(&mut self, text: &str) -> Option<()> {
        self.rest = self.rest.strip_prefix(text)?;
        Some(())
    }

    /// The index of a name that stands here, in full or by its first three letters.
    fn name(&mut self, names: &[&str], full: bool) -> Option<usize> {
        names.iter().position(|name| {
            let wanted = if full { name } else { &name[..3] };
            let found = self.rest.get(..wanted.len()).is_some_and(|text| text.eq_ignore_ascii_case(wanted));
            if found {
                self.rest = &self.rest[wanted.len()..];
            }
            found
        })
    }

    /// `+hh:mm`, in minutes.
    fn offset(&mut self, minutes: bool) -> Option<i64> {
        let sign = match self.rest.chars().next()? {
            '+' => 1,
            '-' => -1,
            _ => return None,
        };
        self.rest = &self.rest[1..];
        let hours = self.digits(1, 2)?;
        let rest = if minutes {
            self.rest = self.rest.strip_prefix(':').unwrap_or(self.rest);
            self.digits(2, 2)?
        } else {
            0
        };
        Some(sign * (hours * 60 + rest))
    }
}

/// Standard formats of one letter, as the custom format that they stand for.
fn expanded(format: &str) -> &str {
    match format {
        "d" => "M/d/yyyy",
        "D" => "dddd, MMMM d, yyyy",
        "t" => "h:mm tt",
        "T" => "h:mm:ss tt",
        "f" => "dddd, MMMM d, yyyy h:mm tt",
        "F" => "dddd, MMMM d, yyyy h:mm:ss tt",
        "g" => "M/d/yyyy h:mm tt",
        "G" => "M/d/yyyy h:mm:ss tt",
        "o" | "O" => "yyyy-MM-ddTHH:mm:ss.fffffffK",
        "r" | "R" => "ddd, dd MMM yyyy HH:mm:ss 'GMT'",
        "s" => "yyyy-MM-ddTHH:mm:ss",
        "u" => "yyyy-MM-dd HH:mm:ss'Z'",
        "m" | "M" => "MMMM d",
        "y" | "Y" => "MMMM yyyy",
        other => other.strip_prefix('%').unwrap_or(other),
    }
}

/// Ticks on the clock that the text shows, and the offset in minutes if it has one; `today` fills a missing date.
pub(super) fn parse(text: &str, format: &str, today: i64) -> Option<(i64, Option<i64>)> {
    let mut parts = Parts::default();
    let mut reader = Reader { rest: text };
    let pattern: Vec<char> = expanded(format).chars().collect();
    let mut at = 0;
    while let Some(c) = pattern.get(at).copied() {
        let run = pattern.iter().skip(at).take_while(|next| **next == c).count();
        match c {
            '\'' | '"' => {
                let end = pattern.iter().skip(at + 1).position(|next| *next == c)?;
                let literal: String = pattern.get(at + 1..at + 1 + end)?.iter().collect();
                reader.literal(&literal)?;
                at += end + 2;
                continue;
            }
            '\\' => {
                reader.literal(&pattern.get(at + 1)?.to_string())?;
                at += 2;
                continue;
            }
            '%' => {
                at += 1;
                continue;
            }
            _ if "dMyhHmsfFtzK".contains(c) => field(c, run, &mut reader, &mut parts)?,
            _ => {
                reader.literal(&c.to_string())?;
                at += 1;
                continue;
            }
        }
        at += run;
    }
    if !reader.rest.is_empty() {
        return None;
    }
    finished(&parts, today)
}

fn field(c: char, run: usize, reader: &mut Reader<'_>, parts: &mut Parts) -> Option<()> {
    // A number may be shorter than its field only where the field is one letter.
    let two = |reader: &mut Reader<'_>| reader.digits(run.min(2), 2);
    match c {
        'd' if run >= 3 => drop(reader.name(&DAYS, run > 3)?),
        'd' => parts.day = Some(two(reader)?),
        'M' if run >= 3 => parts.month = Some(reader.name(&MONTHS, run > 3)? as i64 + 1),
        'M' => parts.month = Some(two(reader)?),
        'y' if run <= 2 => {
            let year = two(reader)?;
            parts.year = Some(if year < 50 { 2000 + year } else { 1900 + year });
        }
        'y' => parts.year = Some(reader.digits(run, run.max(4))?),
        'h' => parts.hour = two(reader).filter(|hour| (1..=12).contains(hour))?,
        'H' => parts.hour = two(reader)?,
        'm' => parts.minute = two(reader)?,
        's' => parts.second = two(reader)?,
        'f' | 'F' => {
            let before = reader.rest.len();
            let least = if c == 'f' { run } else { 0 };
            let number = reader.digits(least, run).unwrap_or(0);
            let count = before - reader.rest.len();
            if count < least {
                return None;
            }
            parts.fraction = number * 10i64.pow(7u32.checked_sub(u32::try_from(count).ok()?)?);
        }
        't' => {
            let upper = reader.rest.get(..run.min(2))?.to_ascii_uppercase();
            parts.afternoon = Some(upper.starts_with('P'));
            reader.rest = reader.rest.get(upper.len()..)?;
            if !upper.starts_with(['A', 'P']) {
                return None;
            }
        }
        'K' | 'z' => {
            parts.offset = match reader.rest.strip_prefix('Z') {
                Some(rest) => {
                    reader.rest = rest;
                    Some(0)
                }
                None if c == 'K' && reader.rest.is_empty() => None,
                None => Some(reader.offset(c == 'K' || run > 2)?),
            };
        }
        _ => return None,
    }
    Some(())
}

fn finished(parts: &Parts, today: i64) -> Option<(i64, Option<i64>)> {
    let (year, month, day) = time::civil(today);
    let dated = parts.year.is_some() || parts.month.is_some() || parts.day.is_some();
    let (month, day) = if dated { (1, 1) } else { (month, day) };
    let hour = match parts.afternoon {
        Some(true) if parts.hour < 12 => parts.hour + 12,
        Some(false) if parts.hour == 12 => 0,
        _ => parts.hour,
    };
    let ticks = time::ticks_of(
        parts.year.unwrap_or(year),
        parts.month.unwrap_or(month),
        parts.day.unwrap_or(day),
        hour,
        parts.minute,
        parts.second,
    )?;
    Some((ticks + parts.fraction, parts.offset))
}
