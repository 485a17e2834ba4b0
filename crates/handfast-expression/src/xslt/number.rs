//! Numbers: `format-number` with its decimal formats (§12.3), and `xsl:number` (§7.7).

use super::run::{Focus, Locals, Run};
use super::{Avt, XsltError};
use crate::xml::Node;
use crate::xml::xpath::{self, Expr};

/// The largest number of digits of a fraction.
const DIGITS_MAX: usize = 30;

/// `xsl:decimal-format`.
#[derive(Clone, Debug)]
pub(super) struct DecimalFormat {
    point: char,
    group: char,
    minus: char,
    percent: char,
    mille: char,
    zero: char,
    digit: char,
    separator: char,
    infinity: String,
    nan: String,
}

impl Default for DecimalFormat {
    fn default() -> Self {
        Self {
            point: '.',
            group: ',',
            minus: '-',
            percent: '%',
            mille: '\u{2030}',
            zero: '0',
            digit: '#',
            separator: ';',
            infinity: "Infinity".to_owned(),
            nan: "NaN".to_owned(),
        }
    }
}

impl DecimalFormat {
    pub(super) fn read(get: &dyn Fn(&str) -> Option<String>) -> Self {
        let standard = Self::default();
        let one =
            |name: &str, default: char| get(name).and_then(|text| text.chars().next()).unwrap_or(default);
        Self {
            point: one("decimal-separator", standard.point),
            group: one("grouping-separator", standard.group),
            minus: one("minus-sign", standard.minus),
            percent: one("percent", standard.percent),
            mille: one("per-mille", standard.mille),
            zero: one("zero-digit", standard.zero),
            digit: one("digit", standard.digit),
            separator: one("pattern-separator", standard.separator),
            infinity: get("infinity").unwrap_or(standard.infinity),
            nan: get("NaN").unwrap_or(standard.nan),
        }
    }
}

/// One half of a picture.
#[derive(Default)]
struct Picture {
    before: String,
    after: String,
    whole_min: usize,
    fraction_min: usize,
    fraction_max: usize,
    group: usize,
    factor: f64,
}

fn picture(text: &str, format: &DecimalFormat) -> Result<Picture, String> {
    let is_active = |c: char| [format.zero, format.digit, format.point, format.group].contains(&c);
    let start = text.find(is_active).ok_or_else(|| format!("'{text}' has no place for digits"))?;
    let end =
        text.rfind(is_active).map_or(start, |at| at + text[at..].chars().next().map_or(1, char::len_utf8));
    let (before, rest) = text.split_at(start);
    let (digits, after) = rest.split_at(end - start);
    let mut made =
        Picture { before: before.to_owned(), after: after.to_owned(), factor: 1.0, ..Picture::default() };
    let (whole, fraction) = digits.split_once(format.point).unwrap_or((digits, ""));
    made.whole_min = whole.chars().filter(|c| *c == format.zero).count();
    if let Some((_, last)) = whole.rsplit_once(format.group) {
        made.group = last.chars().count();
    }
    made.fraction_min = fraction.chars().filter(|c| *c == format.zero).count();
    made.fraction_max =
        fraction.chars().filter(|c| *c == format.zero || *c == format.digit).count().min(DIGITS_MAX);
    for c in before.chars().chain(after.chars()) {
        if c == format.percent {
            made.factor = 100.0;
        } else if c == format.mille {
            made.factor = 1_000.0;
        }
    }
    Ok(made)
}

/// A number by a picture.
pub(super) fn format_number(number: f64, text: &str, format: &DecimalFormat) -> Result<String, String> {
    if number.is_nan() {
        return Ok(format.nan.clone());
    }
    let (positive, negative) = match text.split_once(format.separator) {
        Some((positive, negative)) => (positive, Some(negative)),
        None => (text, None),
    };
    let main = picture(positive, format)?;
    let (mut before, mut after) = (main.before.clone(), main.after.clone());
    if number.is_sign_negative() && number != 0.0 {
        match negative {
            Some(negative) => {
                let own = picture(negative, format)?;
                (before, after) = (own.before, own.after);
            }
            None => before.insert(0, format.minus),
        }
    }
    if number.is_infinite() {
        return Ok(format!("{before}{}{after}", format.infinity));
    }
    let digits = rounded((number * main.factor).abs(), main.fraction_max);
    let (whole, fraction) = digits.split_once('.').unwrap_or((&digits, ""));
    let whole = whole.trim_start_matches('0');
    let mut whole: String = "0".repeat(main.whole_min.saturating_sub(whole.len())) + whole;
    let mut fraction = fraction.trim_end_matches('0').to_owned();
    while fraction.len() < main.fraction_min {
        fraction.push('0');
    }
    if whole.is_empty() && fraction.is_empty() {
        whole.push('0');
    }
    let mut out = before;
    let length = whole.len();
    for (index, c) in whole.chars().enumerate() {
        if main.group > 0 && index > 0 && (length - index).is_multiple_of(main.group) {
            out.push(format.group);
        }
        out.push(shifted(c, format.zero));
    }
    if !fraction.is_empty() {
        out.push(format.point);
        out.extend(fraction.chars().map(|c| shifted(c, format.zero)));
    }
    out.push_str(&after);
    Ok(out)
}

/// Decimal digits, rounded half away from zero as the number is written.
fn rounded(number: f64, digits: usize) -> String {
    let exact = number.to_string();
    let (whole, fraction) = exact.split_once('.').unwrap_or((&exact, ""));
    if fraction.len() <= digits {
        return exact;
    }
    let up = fraction.as_bytes().get(digits).is_some_and(|digit| *digit >= b'5');
    let kept = format!("{whole}{}", fraction.get(..digits).unwrap_or_default());
    let mut digits_out: Vec<u8> = kept.into_bytes();
    let mut carry = up;
    for digit in digits_out.iter_mut().rev() {
        if !carry {
            break;
        }
        carry = *digit == b'9';
        *digit = if carry { b'0' } else { *digit + 1 };
    }
    if carry {
        digits_out.insert(0, b'1');
    }
    let text = String::from_utf8(digits_out).unwrap_or_default();
    let at = text.len() - digits;
    let (whole, fraction) = text.split_at(at);
    if digits == 0 { whole.to_owned() } else { format!("{whole}.{fraction}") }
}

/// A digit of another script.
fn shifted(digit: char, zero: char) -> char {
    let offset = digit.to_digit(10).unwrap_or(0);
    char::from_u32(u32::from(zero) + offset).unwrap_or(digit)
}

/// `xsl:number`.
pub(super) struct Numbering {
    pub(super) value: Option<Expr>,
    /// Level `any`, else `single`.
    pub(super) any: bool,
    pub(super) count: Option<Vec<Expr>>,
    pub(super) from: Option<Vec<Expr>>,
    pub(super) format: Avt,
    pub(super) separator: Avt,
    pub(super) size: Avt,
}

impl Numbering {
    pub(super) fn text(&self, run: &Run<'_>, focus: &Focus, locals: &Locals) -> Result<String, XsltError> {
        let number = match &self.value {
            Some(value) => {
                let number = run.eval(value, focus, locals)?.number();
                if !(0.5..1e15).contains(&number) {
                    return Ok(xpath::from_number(number));
                }
                Some((number + 0.5).floor() as u64)
            }
            None if self.any => self.counted_anywhere(run, &focus.node)?,
            None => self.counted_among_siblings(run, &focus.node)?,
        };
        let Some(number) = number else { return Ok(String::new()) };
        let format = run.avt(&self.format, focus, locals)?;
        let separator = run.avt(&self.separator, focus, locals)?;
        let size = run.avt(&self.size, focus, locals)?.trim().parse().unwrap_or(0);
        Ok(numbered(number, &format, &separator, size))
    }

    fn is_any(&self, run: &Run<'_>, patterns: &[Expr], node: &Node) -> Result<bool, XsltError> {
        for pattern in patterns {
            if run.is_match(pattern, node)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether a node counts: by the pattern, else when it is of the same kind and name.
    fn counts(&self, run: &Run<'_>, node: &Node, current: &Node) -> Result<bool, XsltError> {
        match &self.count {
            Some(patterns) => self.is_any(run, patterns, node),
            None => Ok(node.class() == current.class() && node.name() == current.name()),
        }
    }

    fn is_from(&self, run: &Run<'_>, node: &Node) -> Result<bool, XsltError> {
        self.from.as_ref().map_or(Ok(false), |patterns| self.is_any(run, patterns, node))
    }

    /// The place among siblings of the nearest node around that counts.
    fn counted_among_siblings(&self, run: &Run<'_>, current: &Node) -> Result<Option<u64>, XsltError> {
        let line = std::iter::once(current.clone()).chain(current.ancestors());
        for node in line {
            if self.counts(run, &node, current)? {
                let mut number = 1;
                let siblings = node.position().map(|(parent, at)| (parent.nodes(), at));
                for before in siblings.iter().flat_map(|(all, at)| all.iter().take(*at)) {
                    number += u64::from(self.counts(run, before, current)?);
                }
                return Ok(Some(number));
            }
            if self.is_from(run, &node)? {
                return Ok(None);
            }
        }
        Ok(None)
    }

    /// The count of nodes up to here in document order, since the last one that counting begins at.
    fn counted_anywhere(&self, run: &Run<'_>, current: &Node) -> Result<Option<u64>, XsltError> {
        let root = current.root();
        let mut number = 0;
        for node in std::iter::once(root.clone()).chain(root.descendants()) {
            if self.is_from(run, &node)? {
                number = 0;
            }
            number += u64::from(self.counts(run, &node, current)?);
            if node.same(current) {
                break;
            }
        }
        Ok((number > 0).then_some(number))
    }
}

/// A number in the form that a format names, with what stands around it.
fn numbered(number: u64, format: &str, separator: &str, size: usize) -> String {
    let start = format.find(char::is_alphanumeric).unwrap_or(format.len());
    let (before, rest) = format.split_at(start);
    let end = rest.find(|c: char| !c.is_alphanumeric()).unwrap_or(rest.len());
    let (token, after) = rest.split_at(end);
    let body = match token {
        "a" => letters(number).to_lowercase(),
        "A" => letters(number),
        "i" => roman(number).to_lowercase(),
        "I" => roman(number),
        token => grouped(&format!("{number:0width$}", width = token.len().min(DIGITS_MAX)), separator, size),
    };
    format!("{before}{body}{after}")
}

fn grouped(digits: &str, separator: &str, size: usize) -> String {
    let mut out = String::new();
    for (index, c) in digits.chars().enumerate() {
        if size > 0 && index > 0 && (digits.len() - index).is_multiple_of(size) {
            out.push_str(separator);
        }
        out.push(c);
    }
    out
}

/// A, B, … Z, AA.
fn letters(mut number: u64) -> String {
    let mut out = Vec::new();
    while number > 0 {
        number -= 1;
        out.push(b'A' + u8::try_from(number % 26).unwrap_or(0));
        number /= 26;
    }
    out.reverse();
    String::from_utf8(out).unwrap_or_default()
}

fn roman(mut number: u64) -> String {
    const SIGNS: &[(u64, &str)] = &[
        (1000, "M"),
        (900, "CM"),
        (500, "D"),
        (400, "CD"),
        (100, "C"),
        (90, "XC"),
        (50, "L"),
        (40, "XL"),
        (10, "X"),
        (9, "IX"),
        (5, "V"),
        (4, "IV"),
        (1, "I"),
    ];
    if number >= 4_000 {
        return number.to_string();
    }
    let mut out = String::new();
    for (value, sign) in SIGNS {
        while number >= *value {
            out.push_str(sign);
            number -= value;
        }
    }
    out
}
