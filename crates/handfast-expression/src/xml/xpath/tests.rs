use super::{Problem, evaluate, parse};
use crate::xml;

const DOCUMENT: &str =
    "<r xmlns:p='urn:p'><a i='1'>x</a><a i='2'>y<b>z</b></a><p:c>5</p:c><!--n--><d>7</d></r>";

fn run(expression: &str) -> String {
    let document = xml::parse(DOCUMENT, false).expect("the document");
    let space = |prefix: &str| (prefix == "q").then(|| "urn:p".to_owned());
    let mut budget = 10_000;
    match parse(expression, &space).and_then(|expr| evaluate(&expr, &document, &mut budget)) {
        Ok(super::Value::Nodes(nodes)) => nodes.iter().map(|n| n.to_text(true)).collect::<Vec<_>>().join("|"),
        Ok(other) => other.text(),
        Err(Problem::Syntax(_)) => "syntax".into(),
        Err(Problem::Budget) => "budget".into(),
    }
}

#[test]
fn paths_predicates_functions_and_operators_are_those_of_the_recommendation() {
    for (expression, expected) in [
        ("/r/a[1]", "<a i=\"1\">x</a>"),
        ("//a[@i='2']/b", "<b>z</b>"),
        ("//b/..//text()", "y|z"),
        ("count(//a) + 1", "3"),
        ("/r/q:c", "<p:c xmlns:p=\"urn:p\">5</p:c>"),
        ("sum(/r/*[number(.) = number(.)])", "12"),
        ("string(//a[last()]/@i)", "2"),
        ("//a[position() < 2]/@i", "i=\"1\""),
        ("//comment()", "<!--n-->"),
        ("name(/r/q:c)", "p:c"),
        ("local-name(/*)", "r"),
        ("concat('a', 1 div 2, true())", "a0.5true"),
        ("substring('12345', 1.5, 2.6)", "234"),
        ("translate('bar', 'abc', 'AB')", "BAr"),
        ("normalize-space('  a  b ')", "a b"),
        ("//b/ancestor::*[1]/@i", "i=\"2\""),
        ("//d/preceding-sibling::a[1]/@i", "i=\"2\""),
        ("//a[2] | //a[1] | //a[2]", "<a i=\"1\">x</a>|<a i=\"2\">y<b>z</b></a>"),
        ("7 mod 4 * -1", "-3"),
        ("not(//nope) and 1 < 2", "true"),
        ("//a[.='x' or @i=2][2]/@i", "i=\"2\""),
        ("/r/a/following::d", "<d>7</d>"),
        ("a[", "syntax"),
        ("//z:x", "syntax"),
        ("nope()", "syntax"),
        ("", "syntax"),
    ] {
        assert_eq!(run(expression), expected, "{expression}");
    }
}

#[test]
fn deep_nesting_and_endless_work_end() {
    assert_eq!(run(&"(".repeat(10_000)), "syntax");
    assert_eq!(run(&format!("{}r{}", "a[".repeat(200), "]".repeat(200))), "syntax");
    assert_eq!(run(&format!("count({})", "//node()/..".repeat(1_000))), "budget");
}
