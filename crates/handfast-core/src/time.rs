//! Wall-clock time as a value and as a seam. Pure crates take [`UnixTime`] as an argument; only the
//! binary and the data plane hold a [`Clock`].

use std::fmt;
use std::time::Duration;

/// Seconds since 1970-01-01T00:00:00Z, leap seconds not counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixTime(pub i64);

impl UnixTime {
    /// This time plus a span, saturating.
    #[must_use]
    pub fn plus(self, span: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(span.as_secs()).unwrap_or(i64::MAX)))
    }

    /// This time minus a span, saturating.
    #[must_use]
    pub fn minus(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(span.as_secs()).unwrap_or(i64::MAX)))
    }

    /// The time of a civil date and clock in UTC, if there is one (proleptic Gregorian calendar, no leap seconds).
    pub fn from_civil(year: i64, month: i64, day: i64, hour: i64, minute: i64, second: i64) -> Option<Self> {
        let exists = (1..=12).contains(&month)
            && (1..=days_in_month(year, month)).contains(&day)
            && (0..24).contains(&hour)
            && (0..60).contains(&minute)
            && (0..60).contains(&second);
        if !exists {
            return None;
        }
        // Count from 1 March, so that the leap day is the last of its year.
        let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
        let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
        let day_of_year = (153 * month + 2) / 5 + day - 1;
        let days =
            era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468;
        Some(Self(days * 86_400 + hour * 3_600 + minute * 60 + second))
    }

    /// Year, month (1–12), day (1–31), hour, minute, second in UTC (proleptic Gregorian calendar).
    pub fn civil(self) -> (i64, u8, u8, u8, u8, u8) {
        let days = self.0.div_euclid(86_400);
        let second_of_day = self.0.rem_euclid(86_400);
        // Days to civil date, after Howard Hinnant's public algorithm "days_from_civil" run backwards.
        let shifted = days + 719_468;
        let era = shifted.div_euclid(146_097);
        let day_of_era = shifted.rem_euclid(146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_index = (5 * day_of_year + 2) / 153;
        let day = (day_of_year - (153 * month_index + 2) / 5 + 1) as u8;
        let month = if month_index < 10 { month_index + 3 } else { month_index - 9 } as u8;
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        let (hour, rest) = (second_of_day / 3_600, second_of_day % 3_600);
        (year, month, day, hour as u8, (rest / 60) as u8, (rest % 60) as u8)
    }
}

/// Days of a month (1–12).
pub fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

impl fmt::Display for UnixTime {
    /// RFC 3339, UTC, whole seconds: `2026-11-25T08:47:10Z`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day, hour, minute, second) = self.civil();
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
    }
}

/// Where the current time comes from. The binary uses the system clock, tests a virtual one.
pub trait Clock: Send + Sync {
    /// The current wall-clock time.
    fn now(&self) -> UnixTime;

    /// The current wall-clock time in milliseconds since 1970, for windows shorter than seconds.
    fn now_ms(&self) -> u64 {
        u64::try_from(self.now().0).unwrap_or(0).saturating_mul(1000)
    }
}

impl<T: Clock + ?Sized> Clock for std::sync::Arc<T> {
    fn now(&self) -> UnixTime {
        (**self).now()
    }

    fn now_ms(&self) -> u64 {
        (**self).now_ms()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn civil_times_are_read_back_and_others_do_not_exist() {
        for seconds in [0, -1, 951_782_400, 951_868_799, 1_796_338_030, 4_102_444_800, -62_135_596_800] {
            let (year, month, day, hour, minute, second) = UnixTime(seconds).civil();
            let [month, day, hour, minute, second] = [month, day, hour, minute, second].map(i64::from);
            assert_eq!(
                UnixTime::from_civil(year, month, day, hour, minute, second),
                Some(UnixTime(seconds)),
                "{seconds}"
            );
        }
        for (year, month, day, hour, minute, second) in [
            (2026, 2, 29, 0, 0, 0),
            (1900, 2, 29, 0, 0, 0),
            (2026, 4, 31, 0, 0, 0),
            (2026, 13, 1, 0, 0, 0),
            (2026, 0, 1, 0, 0, 0),
            (2026, 1, 0, 0, 0, 0),
            (2026, 1, 1, 24, 0, 0),
            (2026, 1, 1, 0, 60, 0),
            (2026, 1, 1, 0, 0, 60),
            (2026, 1, 1, -1, 0, 0),
        ] {
            assert_eq!(UnixTime::from_civil(year, month, day, hour, minute, second), None);
        }
    }

    #[test]
    fn times_print_as_rfc_3339() {
        assert_eq!(UnixTime(0).to_string(), "1970-01-01T00:00:00Z");
        assert_eq!(UnixTime(951_782_400).to_string(), "2000-02-29T00:00:00Z");
        assert_eq!(UnixTime(1_796_338_030).to_string(), "2026-12-03T22:47:10Z");
        assert_eq!(UnixTime(-1).to_string(), "1969-12-31T23:59:59Z");
        assert_eq!(UnixTime(4_102_444_800).to_string(), "2100-01-01T00:00:00Z");
    }
}
