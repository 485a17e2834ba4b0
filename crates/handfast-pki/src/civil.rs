//! Certificate times: UTCTime and GeneralizedTime (RFC 5280 §4.1.2.5) to and from [`UnixTime`].

use crate::der::{self, DerError, Reader, tag};
use handfast_core::UnixTime;

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Reads one time: `YYMMDDHHMMSSZ` (50–99 mean 19xx) or `YYYYMMDDHHMMSSZ`; no fraction, no offset.
pub(crate) fn read(reader: &mut Reader<'_>) -> Result<UnixTime, DerError> {
    let element = reader.any()?;
    let digits = element.value.strip_suffix(b"Z").ok_or(DerError)?;
    if !digits.iter().all(u8::is_ascii_digit) {
        return Err(DerError);
    }
    let (year, rest) = match (element.tag, digits.len()) {
        (tag::UTC_TIME, 12) => {
            let (short, rest) = digits.split_at_checked(2).ok_or(DerError)?;
            let short = decimal(short);
            (if short >= 50 { 1900 + short } else { 2000 + short }, rest)
        }
        (tag::GENERALIZED_TIME, 14) => {
            let (year, rest) = digits.split_at_checked(4).ok_or(DerError)?;
            (decimal(year), rest)
        }
        _ => return Err(DerError),
    };
    let mut fields = rest.chunks(2).map(decimal);
    let mut next = || fields.next().unwrap_or(99);
    let (month, day, hour, minute, second) = (next(), next(), next(), next(), next());
    UnixTime::from_civil(year, month, day, hour, minute, second).ok_or(DerError)
}

/// Writes a time as RFC 5280 asks: UTCTime up to 2049, GeneralizedTime after.
pub(crate) fn write(time: UnixTime) -> Vec<u8> {
    let (year, month, day, hour, minute, second) = time.civil();
    let tail = format!("{month:02}{day:02}{hour:02}{minute:02}{second:02}Z");
    if (1950..2050).contains(&year) {
        der::tlv(tag::UTC_TIME, format!("{:02}{tail}", year % 100).as_bytes())
    } else {
        der::tlv(tag::GENERALIZED_TIME, format!("{year:04}{tail}").as_bytes())
    }
}

/// OpenSSL's print form, as the edge's date variables have it: `Mar  4 09:15:00 2031 GMT`.
pub(crate) fn openssl_text(time: UnixTime) -> String {
    let (year, month, day, hour, minute, second) = time.civil();
    let name = MONTHS.get(usize::from(month.saturating_sub(1))).copied().unwrap_or("???");
    format!("{name} {day:>2} {hour:02}:{minute:02}:{second:02} {year} GMT")
}

fn decimal(digits: &[u8]) -> i64 {
    digits.iter().fold(0, |sum, &digit| sum * 10 + i64::from(digit - b'0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(tag: u8, text: &str) -> Result<UnixTime, DerError> {
        read(&mut Reader::new(&der::tlv(tag, text.as_bytes())))
    }

    #[test]
    fn both_forms_are_read_and_written_back() {
        let cases = [
            (tag::UTC_TIME, "500101000000Z", "1950-01-01T00:00:00Z"),
            (tag::UTC_TIME, "491231235959Z", "2049-12-31T23:59:59Z"),
            (tag::GENERALIZED_TIME, "20500101000000Z", "2050-01-01T00:00:00Z"),
            (tag::GENERALIZED_TIME, "99991231235959Z", "9999-12-31T23:59:59Z"),
            (tag::UTC_TIME, "000229120000Z", "2000-02-29T12:00:00Z"),
        ];
        for (tag, text, expected) in cases {
            let time = parse(tag, text).unwrap();
            assert_eq!(time.to_string(), expected);
            assert_eq!(write(time), der::tlv(tag, text.as_bytes()));
        }
    }

    #[test]
    fn impossible_and_imprecise_times_are_refused() {
        for text in [
            "20300230000000Z",
            "20301301000000Z",
            "20300101240000Z",
            "20300101000000.5Z",
            "20300101000000+01",
        ] {
            assert_eq!(parse(tag::GENERALIZED_TIME, text), Err(DerError), "{text}");
        }
        assert_eq!(parse(tag::UTC_TIME, "3001010000Z"), Err(DerError));
    }

    #[test]
    fn edge_dates_pad_the_day_with_a_blank() {
        let time = parse(tag::UTC_TIME, "310304091500Z").unwrap();
        assert_eq!(openssl_text(time), "Mar  4 09:15:00 2031 GMT");
    }
}
