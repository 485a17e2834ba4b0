//! Numbers and dates as text and back, over seeded random values, against models that are written here from the
//! rules and share no code with the library.

use handfast_expression::value::Date;
use handfast_expression::{
    BodyState, Budget, ContextView, Form, Lookup, Part, Prim, Program, Side, Target, Value, compile,
};

const ROUNDS: usize = 3_000;
const TICKS_PER_DAY: i64 = 864_000_000_000;
/// 9999-12-31T23:59:59.9999999.
const TICKS_MAX: i64 = 3_155_378_975_999_999_999;

/// The variables `a` and `b`, and nothing else.
struct Variables([Value; 2]);

impl ContextView for Variables {
    fn present(&self, _: Part) -> bool {
        false
    }

    fn field(&self, _: Part, _: &str) -> Value {
        Value::Null
    }

    fn lookup(&self, lookup: Lookup, key: &str) -> Option<Value> {
        match (lookup, key) {
            (Lookup::Variables, "a") => Some(self.0[0].clone()),
            (Lookup::Variables, "b") => Some(self.0[1].clone()),
            _ => None,
        }
    }

    fn entries(&self, _: Lookup) -> Vec<(String, Value)> {
        Vec::new()
    }

    fn has_body(&self, _: Side) -> bool {
        false
    }

    fn body(&mut self, _: Side, _: bool) -> BodyState {
        BodyState::Consumed
    }

    fn trace(&mut self, _: &str, _: &str) {}

    fn now_ticks(&self) -> i64 {
        0
    }

    fn random(&mut self, bytes: &mut [u8]) {
        bytes.fill(0);
    }
}

/// An expression over `a` and `b`, given with their types.
struct Expression(Program);

impl Expression {
    fn new(source: &str, a: &str, b: &str) -> Self {
        let text = format!(
            "var a = ({a})context.Variables[\"a\"]; var b = ({b})context.Variables[\"b\"]; return {source};"
        );
        match compile(&text, Form::Block, Target::Object, false) {
            Ok(program) => Self(program),
            Err(problems) => panic!("{source}: {problems:?}"),
        }
    }

    fn of(&self, a: Value, b: Value) -> String {
        match self.0.evaluate(&mut Variables([a, b]), Budget::default()) {
            Ok(value) => value.to_text(),
            Err(exception) => format!("{}: {}", exception.kind, exception.message),
        }
    }
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: i64) -> i64 {
        i64::try_from(self.next() % u64::try_from(bound).expect("positive")).expect("below")
    }

    /// Numbers of every size, not only large ones.
    fn long(&mut self) -> i64 {
        let shift = self.next() % 64;
        (self.next() as i64) >> shift
    }

    fn double(&mut self) -> f64 {
        loop {
            let number = match self.next() % 3 {
                0 => f64::from_bits(self.next()),
                1 => self.long() as f64 / 1000.0,
                _ => self.below(2_000_001) as f64 / 100.0 - 10_000.0,
            };
            if number.is_finite() {
                return number;
            }
        }
    }
}

/// `G` of .NET 3.0 and later: the shortest digits that read back, with an exponent from 1E+17 and below 1E-04.
fn general(number: f64) -> String {
    if number == 0.0 {
        return if number.is_sign_negative() { "-0".into() } else { "0".into() };
    }
    let text = format!("{number:e}");
    let (mantissa, exponent) = text.split_once('e').expect("an exponent");
    let exponent: i32 = exponent.parse().expect("a number");
    let (sign, mantissa) = mantissa.strip_prefix('-').map_or(("", mantissa), |rest| ("-", rest));
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    if !(-4..17).contains(&exponent) {
        let mark = if exponent < 0 { '-' } else { '+' };
        return format!("{sign}{mantissa}E{mark}{:02}", exponent.abs());
    }
    let whole = usize::try_from(exponent.max(-1) + 1).expect("small");
    let zeros = "0".repeat(usize::try_from((-1 - exponent).max(0)).expect("small"));
    let digits = format!("{zeros}{digits}");
    let padded = format!("{digits:0<whole$}");
    match padded.split_at(whole) {
        (before, "") => format!("{sign}{before}"),
        ("", after) => format!("{sign}0.{after}"),
        (before, after) => format!("{sign}{before}.{after}"),
    }
}

/// `Fn`: the exact value, a half to the even neighbour (expressions 5.2).
fn fixed(number: f64, places: usize) -> String {
    // A double has at most 1,074 decimals, so this is exact.
    let exact = format!("{:.1080}", number.abs());
    let (whole, decimals) = exact.split_once('.').expect("a point");
    let mut digits: Vec<u8> = whole.bytes().chain(decimals.bytes().take(places)).collect();
    let odd = digits.last().is_some_and(|digit| digit % 2 == 1);
    let (half, rest) = decimals[places..].split_at(1);
    if half > "5" || half == "5" && (odd || rest.bytes().any(|digit| digit != b'0')) {
        let nines = digits.iter().rev().take_while(|digit| **digit == b'9').count();
        let length = digits.len();
        digits[length - nines..].fill(b'0');
        match length.checked_sub(nines + 1) {
            Some(at) => digits[at] += 1,
            None => digits.insert(0, b'1'),
        }
    }
    let text = String::from_utf8(digits).expect("digits");
    let (before, after) = text.split_at(text.len() - places);
    let sign = if number.is_sign_negative() { "-" } else { "" };
    if places == 0 { format!("{sign}{before}") } else { format!("{sign}{before}.{after}") }
}

/// `N0`: digits in groups of three.
fn grouped(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    if number < 0 { format!("-{out}") } else { out }
}

/// Year, month and day, by walking over the years.
fn civil(mut days: i64) -> (i64, i64, i64) {
    let leap = |year: i64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let mut year = 1 + days / 146_097 * 400;
    days %= 146_097;
    loop {
        let length = if leap(year) { 366 } else { 365 };
        if days < length {
            break;
        }
        days -= length;
        year += 1;
    }
    let february = if leap(year) { 29 } else { 28 };
    let mut month = 1;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    (year, month, days + 1)
}

/// The forms `o`, `s`, `u`, `R` and a custom one of a date in UTC.
fn written(ticks: i64) -> [String; 5] {
    let (days, rest) = (ticks / TICKS_PER_DAY, ticks % TICKS_PER_DAY);
    let (year, month, day) = civil(days);
    let (seconds, fraction) = (rest / 10_000_000, rest % 10_000_000);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let date = format!("{year:04}-{month:02}-{day:02}");
    let time = format!("{hour:02}:{minute:02}:{second:02}");
    let month_name = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let month_name = month_name[usize::try_from(month - 1).expect("a month")];
    // 0001-01-01 was a Monday.
    let weekday = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
    let weekday = weekday[usize::try_from(days % 7).expect("a weekday")];
    let half = if hour < 12 { "AM" } else { "PM" };
    let hour_of_half = if hour % 12 == 0 { 12 } else { hour % 12 };
    [
        format!("{date}T{time}.{fraction:07}Z"),
        format!("{date}T{time}"),
        format!("{date} {time}Z"),
        format!("{weekday}, {day:02} {month_name} {year:04} {time} GMT"),
        format!("{day}/{month}/{year:04} {hour_of_half}:{minute:02} {half} {:03}", fraction / 10_000),
    ]
}

/// `c` of a time span.
fn span(ticks: i64) -> String {
    let sign = if ticks < 0 { "-" } else { "" };
    let ticks = ticks.unsigned_abs();
    let (seconds, fraction) = (ticks / 10_000_000, ticks % 10_000_000);
    let (days, seconds) = (seconds / 86_400, seconds % 86_400);
    let days = if days > 0 { format!("{days}.") } else { String::new() };
    let fraction = if fraction > 0 { format!(".{fraction:07}") } else { String::new() };
    format!("{sign}{days}{:02}:{:02}:{:02}{fraction}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

fn long(number: i64) -> Value {
    Value::Int(Prim::Long, number as u64 as _)
}

#[test]
fn doubles_are_written_shortest_and_read_back() {
    let (write, read) = (
        Expression::new("a.ToString()", "double", "object"),
        Expression::new("double.Parse(b).ToString() == b && double.Parse(b) == a", "double", "string"),
    );
    let fixed_of = [0, 1, 2, 5]
        .map(|places| (places, Expression::new(&format!("a.ToString(\"F{places}\")"), "double", "object")));
    let mut random = Random(1);
    for _ in 0..ROUNDS {
        let number = random.double();
        let text = write.of(Value::Double(number), Value::Null);
        assert_eq!(text, general(number), "{number:e}");
        assert_eq!(read.of(Value::Double(number), Value::str(&text)), "True", "{text}");
        if number.abs() < 1e15 {
            for (places, expression) in &fixed_of {
                let found = expression.of(Value::Double(number), Value::Null);
                assert_eq!(found, fixed(number, *places), "{number:e} with {places} places");
            }
        }
    }
}

#[test]
fn integers_are_written_and_read_back() {
    let forms = [
        "a.ToString()",
        "a.ToString(\"N0\")",
        "a.ToString(\"D25\")",
        "a.ToString(\"X\")",
        "a.ToString(\"x4\")",
    ];
    let forms = forms.map(|form| Expression::new(form, "long", "object"));
    let read = Expression::new(
        "long.Parse(a.ToString()) == a && Convert.ToInt64(a.ToString(\"X\"), 16) == a && (long)(decimal)a == a",
        "long",
        "object",
    );
    let mut random = Random(2);
    for _ in 0..ROUNDS {
        let number = random.long();
        let padded =
            if number < 0 { format!("-{:025}", number.unsigned_abs()) } else { format!("{number:025}") };
        let expected =
            [number.to_string(), grouped(number), padded, format!("{number:X}"), format!("{number:04x}")];
        for (form, expected) in forms.iter().zip(expected) {
            assert_eq!(form.of(long(number), Value::Null), expected);
        }
        assert_eq!(read.of(long(number), Value::Null), "True", "{number}");
    }
}

#[test]
fn decimals_keep_their_places_and_add_exactly() {
    let [parse, add, subtract, multiply] = [
        "decimal.Parse(a)",
        "decimal.Parse(a) + decimal.Parse(b)",
        "decimal.Parse(a) - decimal.Parse(b)",
        "decimal.Parse(a) * decimal.Parse(b)",
    ]
    .map(|form| Expression::new(form, "string", "string"));
    let shown = |units: i128, places: usize| {
        let digits = format!("{:0>width$}", units.unsigned_abs(), width = places + 1);
        let (whole, rest) = digits.split_at(digits.len() - places);
        let sign = if units < 0 { "-" } else { "" };
        if places == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{rest}") }
    };
    let mut random = Random(3);
    for _ in 0..ROUNDS {
        let (a, b) = (i128::from(random.long() >> 16), i128::from(random.long() >> 32));
        let places = [random.below(8), random.below(8)].map(|places| usize::try_from(places).expect("small"));
        let (text_a, text_b) = (shown(a, places[0]), shown(b, places[1]));
        let most = places[0].max(places[1]);
        let scaled =
            |number: i128, places: usize| number * 10_i128.pow(u32::try_from(most - places).expect("small"));
        let (wide_a, wide_b) = (scaled(a, places[0]), scaled(b, places[1]));
        for (expression, expected) in [
            (&parse, text_a.clone()),
            (&add, shown(wide_a + wide_b, most)),
            (&subtract, shown(wide_a - wide_b, most)),
            (&multiply, shown(a * b, places[0] + places[1])),
        ] {
            let found = expression.of(Value::str(&text_a), Value::str(&text_b));
            assert_eq!(found, expected, "{text_a} and {text_b}");
        }
    }
}

#[test]
fn dates_are_written_in_every_form_and_read_back() {
    let forms = ["o", "s", "u", "R", "d/M/yyyy h:mm tt fff"];
    let forms = forms.map(|form| Expression::new(&format!("a.ToString(\"{form}\")"), "DateTime", "object"));
    let read = Expression::new(
        "DateTime.Parse(b).ToUniversalTime().Ticks == a.Ticks && DateTimeOffset.Parse(b).UtcTicks == a.Ticks && new DateTime(a.Year, a.Month, a.Day).AddTicks(a.TimeOfDay.Ticks).Ticks == a.Ticks",
        "DateTime",
        "string",
    );
    let mut random = Random(4);
    for round in 0..ROUNDS {
        let ticks = match round {
            0 => 0,
            1 => TICKS_MAX,
            // The last and first days of years are where calendars go wrong.
            _ if round % 3 == 0 => {
                random.below(9999) * 365 * TICKS_PER_DAY + random.below(3000) * TICKS_PER_DAY
            }
            _ => random.below(TICKS_MAX),
        }
        .min(TICKS_MAX);
        let date = Value::Date(Date { ticks, kind: 1 });
        let expected = written(ticks);
        for (form, expected) in forms.iter().zip(&expected) {
            assert_eq!(&form.of(date.clone(), Value::Null), expected, "{ticks} ticks");
        }
        assert_eq!(read.of(date, Value::str(&expected[0])), "True", "{}", expected[0]);
    }
}

#[test]
fn time_spans_are_written_and_read_back() {
    let write = Expression::new("a.ToString()", "TimeSpan", "object");
    let read =
        Expression::new("TimeSpan.Parse(b) == a && TimeSpan.FromTicks(a.Ticks) == a", "TimeSpan", "string");
    let mut random = Random(5);
    for _ in 0..ROUNDS {
        let ticks = random.long();
        let text = write.of(Value::Span(ticks), Value::Null);
        assert_eq!(text, span(ticks));
        assert_eq!(read.of(Value::Span(ticks), Value::str(&text)), "True", "{text}");
    }
}
