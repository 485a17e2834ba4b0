use super::compile;
use crate::fault::Fault;

/// All matches as `start..end` with the groups that took something.
fn matches(pattern: &str, options: i64, input: &str) -> String {
    let regex = match compile(pattern, options) {
        Ok(regex) => regex,
        Err(Fault::Throw(exception)) => return exception.message,
        Err(_) => return "budget".into(),
    };
    let chars: Vec<char> = input.chars().collect();
    let mut steps = 2_000_000;
    let mut out = Vec::new();
    let mut from = Some(regex.start(chars.len()));
    while let Some(at) = from {
        match regex.find(&chars, at, &mut steps) {
            Ok(Some(found)) => {
                from = regex.after(&found, chars.len());
                let text = |(a, b): (usize, usize)| chars[a..b].iter().collect::<String>();
                let groups = (1..regex.groups.len()).map(|slot| found.last(slot).map_or("-".into(), text));
                let all: Vec<String> = std::iter::once(text(found.range())).chain(groups).collect();
                out.push(all.join(","));
            }
            Ok(None) => break,
            Err(Fault::Throw(exception)) => return exception.kind.to_owned(),
            Err(_) => return "budget".into(),
        }
    }
    out.join("|")
}

#[test]
fn patterns_of_the_flavour_match_as_they_do_there() {
    for (pattern, options, input, expected) in [
        ("a|ab", 0, "ab", "a"),
        ("(a)(?<n>b)(c)", 0, "abc", "abc,a,c,b"),
        ("(?<n>a)|(?<n>b)", 0, "ab", "a,a|b,b"),
        (r"(\w)\1", 0, "aabbc", "aa,a|bb,b"),
        ("(?<q>['\"]).*?\\k<q>", 0, "'a' \"b\"", "'a','|\"b\",\""),
        ("x*", 0, "axb", "|x||"),
        ("a{2}", 0, "aaaaa", "aa|aa"),
        ("a{2,3}?", 0, "aaaaa", "aa|aa"),
        ("a{,2}", 0, "a{,2}", "a{,2}"),
        ("(?>a+)ab", 0, "aaab", ""),
        ("(?<!a)b", 0, "ab b", "b"),
        (r"(?<=\$\d{1,3})\.\d\d", 0, "$12.34", ".34"),
        ("(?<=(a)(b))c", 0, "abc", "c,a,b"),
        ("(?=(a+))", 0, "aa", ",aa|,a"),
        ("^a$", 2, "a\na", "a|a"),
        ("(?m:^b)|a", 0, "a\nb", "a|b"),
        ("a b # note\nc", 32, "abc", "abc"),
        (r"[a-z-[aeiou]]+", 0, "hello", "h|ll"),
        (r"\p{Lu}\p{IsGreek}", 0, "Aα", "Aα"),
        (r"\bfoo\b", 0, "foo food", "foo"),
        ("(?i)straSSe", 0, "STRASSE", "STRASSE"),
        ("É", 1, "é", "é"),
        ("a.c", 16, "a\nc", "a\nc"),
        (r"\d+", 64, "12 34", "34|12"),
        ("(a)?(?(1)b|c)", 0, "ab c", "ab,a|c,-"),
        ("(?(?=a)ab|cd)", 0, "ab cd", "ab|cd"),
        (r"^(?<o>\()*[^()]*(?<-o>\))*(?(o)(?!))$", 0, "((x))", "((x)),-"),
        (r"^(?<o>\()*[^()]*(?<-o>\))*(?(o)(?!))$", 0, "((x)", ""),
        (r"\G\d", 0, "12a3", "1|2"),
        ("(a*)*", 0, "b", ",|,"),
        ("(a|b)*c", 0, "abac", "abac,a"),
        (r"\x41\u0042\cA\07", 0, "AB\u{1}\u{7}", "AB\u{1}\u{7}"),
        ("(?n)(a)(?<x>b)", 0, "ab", "ab,b"),
        (r"\d", 256, "٣3", "3"),
    ] {
        assert_eq!(matches(pattern, options, input), expected, "{pattern} on {input:?}");
    }
}

#[test]
fn what_is_no_pattern_is_said_with_the_place() {
    for (pattern, expected) in [
        ("(", "Invalid pattern '(' at offset 1. Not enough )'s."),
        (")", "Invalid pattern ')' at offset 0. Too many )'s."),
        ("[a", "Invalid pattern '[a' at offset 2. Unterminated [] set."),
        ("a++", "Invalid pattern 'a++' at offset 3. Nested quantifier."),
        ("*", "Invalid pattern '*' at offset 1. Quantifier '*' following nothing."),
        ("[z-a]", "Invalid pattern '[z-a]' at offset 4. [x-y] range in reverse order."),
        (r"\q", r"Invalid pattern '\q' at offset 2. Unrecognized escape sequence \q."),
        (r"\k<n>", r"Invalid pattern '\k<n>' at offset 5. Reference to undefined group name 'n'."),
        ("(?z)", "Invalid pattern '(?z)' at offset 2. Unrecognized grouping construct."),
    ] {
        assert_eq!(matches(pattern, 0, ""), expected);
    }
}

#[test]
fn exponential_patterns_end_in_time() {
    let input = "a".repeat(64) + "b";
    for pattern in ["^(a+)+$", "^(a|aa)+$", "^(a|a)*$", "(.*)*x", "(a*)*b*c", r"(?=(a+)+c)"] {
        assert_eq!(matches(pattern, 0, &input), "RegexMatchTimeoutException", "{pattern}");
    }
    assert!(matches(&"(".repeat(5_000), 0, "").contains("nested more than"));
    assert!(matches(&"(a{1000}){1000}".repeat(40), 0, &input).len() < 100);
}
