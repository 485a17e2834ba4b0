//! Simple types: the built-in ones, and those made of them with facets, as lists and as unions (part 2).

use crate::pattern::Pattern;
use crate::schema::{is_base64, is_date, is_time};

/// A simple type among those of its schema.
#[derive(Clone, Debug)]
pub(super) struct SimpleType {
    /// As messages name it.
    pub(super) shown: String,
    pub(super) variety: Variety,
    pub(super) facets: Vec<Facet>,
    pub(super) space: Space,
}

/// What a value is made of.
#[derive(Clone, Debug)]
pub(super) enum Variety {
    Atomic(&'static BuiltIn),
    /// Items of a type, between white space.
    List(usize),
    /// One of these types.
    Union(Vec<usize>),
    /// What another type takes, with more facets.
    Restricts(usize),
}

/// What is done to white space before a value is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Space {
    Preserve,
    Replace,
    Collapse,
}

/// One restriction. Several patterns or enumerations of one step are one facet: one of them must hold.
#[derive(Clone, Debug)]
pub(super) enum Facet {
    Length(usize),
    LengthMin(usize),
    LengthMax(usize),
    Patterns(Vec<Pattern>),
    Enumeration(Vec<String>),
    /// Inclusive or exclusive lower and upper bounds.
    Min(f64, bool),
    Max(f64, bool),
    TotalDigits(usize),
    FractionDigits(usize),
}

/// A type of the standard.
#[derive(Debug)]
pub(super) struct BuiltIn {
    name: &'static str,
    /// The type of .NET that messages name.
    shown: &'static str,
    /// Whether bounds and digits can be asked of it.
    pub(super) is_number: bool,
    space: Space,
    fits: fn(&str) -> bool,
}

impl BuiltIn {
    /// What .NET calls the values.
    pub(super) fn code(&self) -> &'static str {
        match self.space {
            Space::Collapse if self.name != self.shown => self.shown,
            _ => "String",
        }
    }
}

const fn text(name: &'static str, space: Space, fits: fn(&str) -> bool) -> BuiltIn {
    BuiltIn { name, shown: name, is_number: false, space, fits }
}

const fn number(name: &'static str, shown: &'static str, fits: fn(&str) -> bool) -> BuiltIn {
    BuiltIn { name, shown, is_number: true, space: Space::Collapse, fits }
}

const fn typed(name: &'static str, shown: &'static str, fits: fn(&str) -> bool) -> BuiltIn {
    BuiltIn { name, shown, is_number: false, space: Space::Collapse, fits }
}

fn anything(_: &str) -> bool {
    true
}

/// An integer within bounds.
fn within(text: &str, min: i128, max: i128) -> bool {
    integer(text).is_some_and(|number| (min..=max).contains(&number))
}

fn integer(text: &str) -> Option<i128> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
}

/// An integer of any size.
fn is_integer(text: &str) -> bool {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_decimal(text: &str) -> bool {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let plain = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    (!whole.is_empty() || !fraction.is_empty()) && plain(whole) && plain(fraction)
}

fn is_float(text: &str) -> bool {
    if matches!(text, "INF" | "-INF" | "NaN") {
        return true;
    }
    match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => is_decimal(mantissa) && is_integer(exponent),
        None => is_decimal(text),
    }
}

/// Without its time zone.
fn zoned(text: &str, fits: fn(&str) -> bool) -> bool {
    if fits(text.strip_suffix('Z').unwrap_or(text)) {
        return true;
    }
    let Some(at) = text.len().checked_sub(6) else { return false };
    let (Some(value), Some(offset)) = (text.get(..at), text.get(at..)) else { return false };
    let zone = offset.strip_prefix(['+', '-']).is_some_and(|zone| is_time(&format!("{zone}:00")));
    zone && fits(value)
}

fn is_signed_date(text: &str) -> bool {
    is_date(text.strip_prefix('-').unwrap_or(text))
}

fn is_date_time(text: &str) -> bool {
    text.split_once('T').is_some_and(|(date, time)| is_signed_date(date) && is_time(time))
}

/// `P1Y2M3DT4H5M6.7S`.
fn is_duration(text: &str) -> bool {
    let Some(rest) = text.strip_prefix('-').unwrap_or(text).strip_prefix('P') else { return false };
    let (date, time) = match rest.split_once('T') {
        Some((date, time)) => (date, Some(time)),
        None => (rest, None),
    };
    let parts = |mut text: &str, designators: &str| {
        for designator in designators.chars() {
            if let Some((number, behind)) = text.split_once(designator) {
                let fraction = designator == 'S' && is_decimal(number) && !number.starts_with(['+', '-']);
                if !(fraction || (!number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))) {
                    return false;
                }
                text = behind;
            }
        }
        text.is_empty()
    };
    !rest.is_empty() && parts(date, "YMD") && time.is_none_or(|time| !time.is_empty() && parts(time, "HMS"))
}

/// A part of a date, `fits` being asked about the whole date.
fn is_part(text: &str, before: &'static str, after: &'static str, skip: &str) -> bool {
    text.strip_prefix(skip).is_some_and(|text| is_date(&format!("{before}{text}{after}")))
}

fn is_name_char(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '\u{b7}')
}

fn is_token_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(is_name_char)
}

fn is_name(text: &str) -> bool {
    is_token_name(text) && text.starts_with(|c: char| c.is_alphabetic() || matches!(c, '_' | ':'))
}

fn is_local_name(text: &str) -> bool {
    is_name(text) && !text.contains(':')
}

fn is_qualified(text: &str) -> bool {
    let (prefix, local) = text.split_once(':').unwrap_or(("x", text));
    is_local_name(prefix) && is_local_name(local)
}

fn is_language(text: &str) -> bool {
    let part = |part: &str| (1..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric());
    text.split('-').all(part) && text.as_bytes().first().is_some_and(u8::is_ascii_alphabetic)
}

fn is_hex(text: &str) -> bool {
    text.len().is_multiple_of(2) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

static BUILT_IN: &[BuiltIn] = &[
    text("string", Space::Preserve, anything),
    text("normalizedString", Space::Replace, anything),
    text("token", Space::Collapse, anything),
    text("anySimpleType", Space::Preserve, anything),
    text("anyURI", Space::Collapse, anything),
    typed("boolean", "Boolean", |text| matches!(text, "true" | "false" | "1" | "0")),
    number("decimal", "Decimal", is_decimal),
    number("integer", "Integer", is_integer),
    number("nonNegativeInteger", "NonNegativeInteger", |t| {
        is_integer(t) && (!t.starts_with('-') || integer(t) == Some(0))
    }),
    number("positiveInteger", "PositiveInteger", |t| {
        is_integer(t) && !t.starts_with('-') && integer(t) != Some(0)
    }),
    number("nonPositiveInteger", "NonPositiveInteger", |t| {
        is_integer(t) && (t.starts_with('-') || integer(t) == Some(0))
    }),
    number("negativeInteger", "NegativeInteger", |t| {
        is_integer(t) && t.starts_with('-') && integer(t) != Some(0)
    }),
    number("long", "Int64", |text| within(text, i64::MIN.into(), i64::MAX.into())),
    number("int", "Int32", |text| within(text, i32::MIN.into(), i32::MAX.into())),
    number("short", "Int16", |text| within(text, i16::MIN.into(), i16::MAX.into())),
    number("byte", "SByte", |text| within(text, i8::MIN.into(), i8::MAX.into())),
    number("unsignedLong", "UInt64", |text| within(text, 0, u64::MAX.into())),
    number("unsignedInt", "UInt32", |text| within(text, 0, u32::MAX.into())),
    number("unsignedShort", "UInt16", |text| within(text, 0, u16::MAX.into())),
    number("unsignedByte", "Byte", |text| within(text, 0, u8::MAX.into())),
    number("float", "Single", is_float),
    number("double", "Double", is_float),
    typed("dateTime", "DateTime", |text| zoned(text, is_date_time)),
    typed("date", "Date", |text| zoned(text, is_signed_date)),
    typed("time", "Time", |text| zoned(text, is_time)),
    typed("duration", "Duration", is_duration),
    typed("gYear", "Year", |text| zoned(text, |text| is_part(text, "", "-01-01", ""))),
    typed("gYearMonth", "YearMonth", |text| zoned(text, |text| is_part(text, "", "-01", ""))),
    typed("gMonth", "Month", |text| zoned(text, |text| is_part(text, "2000-", "-01", "--"))),
    typed("gMonthDay", "MonthDay", |text| zoned(text, |text| is_part(text, "2000-", "", "--"))),
    typed("gDay", "Day", |text| zoned(text, |text| is_part(text, "2000-01-", "", "---"))),
    typed("base64Binary", "Base64", |text| {
        is_base64(&text.chars().filter(|c| !c.is_ascii_whitespace()).collect::<String>())
    }),
    typed("hexBinary", "HexBinary", is_hex),
    typed("QName", "QName", is_qualified),
    typed("Name", "Name", is_name),
    typed("NCName", "NCName", is_local_name),
    typed("ID", "ID", is_local_name),
    typed("IDREF", "IDREF", is_local_name),
    typed("NMTOKEN", "NMTOKEN", is_token_name),
    typed("language", "language", is_language),
];

/// The built-in types, as the first ones of every schema.
pub(super) fn all() -> impl Iterator<Item = (&'static str, SimpleType)> {
    BUILT_IN.iter().map(|one| {
        let shown = format!("{}:{}", super::XSD, one.name);
        let variety = Variety::Atomic(one);
        (one.name, SimpleType { shown, variety, facets: Vec::new(), space: one.space })
    })
}

/// Why a text is no value of a type.
pub(super) enum Misfit {
    Reason(String),
    /// The search of this pattern was given up.
    Pattern(String),
}

/// Judges a text by a type. `depth` bounds types that are made of themselves.
pub(super) fn judge(types: &[SimpleType], id: usize, text: &str, depth: usize) -> Result<(), Misfit> {
    let Some(of) = types.get(id).filter(|_| depth < 32) else { return Ok(()) };
    let text = spaced(text, of.space);
    match &of.variety {
        Variety::Atomic(built_in) => {
            if !(built_in.fits)(&text) {
                let reason = format!("The string '{text}' is not a valid {} value.", built_in.shown);
                return Err(Misfit::Reason(reason));
            }
        }
        Variety::Restricts(base) => judge(types, *base, &text, depth + 1)?,
        Variety::List(items) => {
            for item in text.split_whitespace() {
                judge(types, *items, item, depth + 1)?;
            }
        }
        Variety::Union(members) => {
            let fits = |member: &usize| judge(types, *member, &text, depth + 1).is_ok();
            if !members.iter().any(fits) {
                let reason = format!(
                    "The value '{text}' is not valid according to any of the memberTypes of the union."
                );
                return Err(Misfit::Reason(reason));
            }
        }
    }
    let is_list = is_list(types, id, 0);
    of.facets.iter().try_for_each(|facet| facet.judge(&text, is_list))
}

fn is_list(types: &[SimpleType], id: usize, depth: usize) -> bool {
    match types.get(id).filter(|_| depth < 32).map(|of| &of.variety) {
        Some(Variety::List(_)) => true,
        Some(Variety::Restricts(base)) => is_list(types, *base, depth + 1),
        _ => false,
    }
}

pub(super) fn spaced(text: &str, space: Space) -> String {
    match space {
        Space::Preserve => text.to_owned(),
        Space::Replace => text.replace(['\t', '\n', '\r'], " "),
        Space::Collapse => text.split_ascii_whitespace().collect::<Vec<_>>().join(" "),
    }
}

impl Facet {
    fn judge(&self, text: &str, is_list: bool) -> Result<(), Misfit> {
        let length = || if is_list { text.split_whitespace().count() } else { text.chars().count() };
        let digits = |text: &str| text.bytes().filter(u8::is_ascii_digit).count();
        let value = || text.parse::<f64>().unwrap_or(f64::NAN);
        let (fits, reason) = match self {
            Self::Length(wanted) => {
                (length() == *wanted, "The actual length is not equal to the specified length.")
            }
            Self::LengthMin(min) => (length() >= *min, "The actual length is less than the MinLength value."),
            Self::LengthMax(max) => {
                (length() <= *max, "The actual length is greater than the MaxLength value.")
            }
            Self::Patterns(patterns) => {
                for pattern in patterns {
                    match pattern.is_match(text) {
                        Some(true) => return Ok(()),
                        Some(false) => {}
                        None => return Err(Misfit::Pattern(pattern.source.to_string())),
                    }
                }
                (false, "The Pattern constraint failed.")
            }
            Self::Enumeration(values) => {
                (values.iter().any(|one| one == text), "The Enumeration constraint failed.")
            }
            Self::Min(min, true) => (value() > *min, "The MinExclusive constraint failed."),
            Self::Min(min, false) => (value() >= *min, "The MinInclusive constraint failed."),
            Self::Max(max, true) => (value() < *max, "The MaxExclusive constraint failed."),
            Self::Max(max, false) => (value() <= *max, "The MaxInclusive constraint failed."),
            Self::TotalDigits(max) => {
                let plain = text.trim_start_matches(['+', '-', '0']);
                (digits(plain) <= *max, "The TotalDigits constraint failed.")
            }
            Self::FractionDigits(max) => {
                let fraction =
                    text.split_once('.').map_or("", |(_, fraction)| fraction.trim_end_matches('0'));
                (fraction.len() <= *max, "The FractionDigits constraint failed.")
            }
        };
        if fits { Ok(()) } else { Err(Misfit::Reason(reason.to_owned())) }
    }
}
