//! Reader tests: nasty documents, error texts, both forms, and mutation with a fixed seed.

use super::{Format, read, write};
use crate::tree::{Element, Value};

fn raw(text: &str) -> Element {
    read(text, Format::RawXml).expect("tolerant").root
}

fn refused(text: &str, format: Format) -> String {
    read(text, format).expect_err("refused").to_string()
}

#[test]
fn raw_expressions_keep_quotes_angle_brackets_and_ampersands() {
    for expression in [
        r#"@(context.Request.Headers.GetValueOrDefault("a","") == "b" && 1 < 2)"#,
        r#"@("x")"#,
        r#"@('x')"#,
        r#"@($"{(true ? "a" : "b")}")"#,
        r#"@(@"c:\d")"#,
        r#"@{ /* } */ return "}"; }"#,
    ] {
        let root = raw(&format!("<policies>\n <when condition=\"{expression}\" /></policies>"));
        let value = &root.child("when").expect("child").attribute("condition").expect("attribute").value;
        assert!(matches!(value, Value::Expression(_)), "{expression}");
        assert_eq!(value.text(), expression);
    }
}

#[test]
fn text_expressions_are_whole_and_other_text_is_markup() {
    let root = raw(
        "<p><set-body>\n @{ return \"<a>1</a>\"; }\n</set-body><set-body><a>1 &amp; 2</a></set-body></p>",
    );
    let bodies: Vec<Value> = root.elements().map(Element::content).collect();
    assert_eq!(bodies[0].text(), "@{ return \"<a>1</a>\"; }");
    assert!(matches!(bodies[0], Value::Expression(_)));
    assert_eq!(bodies[1], Value::Literal("<a>1 &amp; 2</a>".to_owned()));
}

#[test]
fn cdata_comments_and_entities_are_read() {
    let root = raw(
        "<?xml version=\"1.0\"?>\n<!-- a > b --><p>\n<v a='&lt;&#65;'><!-- <x> --><![CDATA[<&amp;>]]> &gt;</v></p>",
    );
    let value = root.child("v").expect("child");
    assert_eq!(value.get("a"), Some("<A"));
    assert_eq!(value.content().text(), "<&amp;> >");
    assert_eq!((value.position.line, value.position.column), (3, 2));
}

#[test]
fn entities_in_expressions_follow_what_the_author_meant() {
    let escaped_only = raw("<p a=\"@(x == &quot;1&quot;)\" b=\"@(y(\"&amp;\"))\" c=\"a && b &lt;\"/>");
    assert_eq!(escaped_only.get("a"), Some("@(x == \"1\")"));
    assert_eq!(escaped_only.get("b"), Some("@(y(\"&amp;\"))"));
    assert_eq!(escaped_only.get("c"), Some("a && b <"));
    let well_formed = raw("<p a='@(x(\"&amp;\"))'/>");
    assert_eq!(well_formed.get("a"), Some("@(x(\"&\"))"));
}

#[test]
fn strict_errors_have_the_net_wording() {
    for (text, error) in [
        (
            "<policies>\n <when condition=\"@(a(\"b\"))\" />",
            "'b' is an unexpected token. Expecting white space. Line 2, position 24.",
        ),
        ("<a b=>", "'>' is an unexpected token. The expected token is '\"' or '''. Line 1, position 6."),
        (
            "<policies>\n    <inbound>\n</policies>",
            "The 'inbound' start tag on line 2 position 6 does not match the end tag of 'policies'. Line 3, position 3.",
        ),
        ("<a b='1' b='2'/>", "'b' is a duplicate attribute name. Line 1, position 10."),
        (
            "<a b='1 < 2'/>",
            "'<', hexadecimal value 0x3C, is an invalid attribute character. Line 1, position 9.",
        ),
        ("<a>&nbsp;</a>", "Reference to undeclared entity 'nbsp'. Line 1, position 5."),
        ("<a>x && y</a>", "An error occurred while parsing EntityName. Line 1, position 7."),
        (
            "<a><b>",
            "Unexpected end of file has occurred. The following elements are not closed: b, a. Line 1, position 7.",
        ),
        ("", "Root element is missing. Line 1, position 1."),
        ("x", "Data at the root level is invalid. Line 1, position 1."),
        ("<a/><b/>", "There are multiple root elements. Line 1, position 6."),
        ("<1/>", "Name cannot begin with the '1' character, hexadecimal value 0x31. Line 1, position 2."),
        (
            "<!DOCTYPE a><a/>",
            "For security reasons DTD is prohibited in this XML document. Line 1, position 1.",
        ),
    ] {
        assert_eq!(refused(text, Format::Xml), error);
    }
}

#[test]
fn each_form_is_written_from_the_other() {
    let raw_text =
        "<p>\n  <!-- & --><w c=\"@(a(\"b\") && 1 < 2)\" d='x'/>\n  <t>@{ return \"<a/>\"; }</t></p>";
    let tree = read(raw_text, Format::RawXml).expect("raw");
    let xml = write(raw_text, &tree, Format::Xml);
    assert_eq!(
        xml,
        "<p>\n  <!-- & --><w c=\"@(a(&quot;b&quot;) &amp;&amp; 1 &lt; 2)\" d='x'/>\n  <t>@{ return \"&lt;a/&gt;\"; }</t></p>"
    );
    let strict = read(&xml, Format::Xml).expect("well-formed");
    assert_eq!(write(&xml, &strict, Format::RawXml), raw_text);
    assert_eq!(write(&xml, &strict, Format::Xml), xml);
}

#[test]
fn nesting_is_bounded() {
    let deep = "<a>".repeat(100_000);
    assert!(refused(&deep, Format::RawXml).starts_with("The elements are nested too deeply."));
}

#[test]
fn documents_full_of_open_expressions_are_read_in_linear_time() {
    let text = format!("<p {}/>", "a=\"@(\" ".repeat(70_000));
    assert!(read(&text, Format::RawXml).is_err());
    let elements = format!("<p>{}</p>", "<a b=\"@(\"/>@(".repeat(40_000));
    assert!(read(&elements, Format::RawXml).is_ok());
}

/// Changes documents at random places; the reader must answer, whatever comes.
#[test]
fn mutated_documents_never_panic() {
    let seeds = [
        "<policies><inbound><set-header name=\"a\"><value>@(\"x\" + '\"')</value></set-header></inbound></policies>",
        "<?xml version='1.0'?><p a='@{ return $\"{x[\"k\"]:D}\"; }'><![CDATA[ ]] ]]><!-- é --></p>",
        "<p a=\"@(@\"c:\\\" + /* ) */ 'q')\" b='&#x41;&amp;'>&lt;{{x}}</p>",
    ];
    let pieces =
        ["<", ">", "\"", "'", "@(", "@{", "&", ";", "</", "<!--", "]]>", "é", "{", ")", "$@\"", "\\", "\0"];
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = move |bound: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % bound as u64) as usize
    };
    for round in 0..30_000 {
        let mut text: Vec<char> = seeds[round % seeds.len()].chars().collect();
        for _ in 0..=next(4) {
            let at = next(text.len());
            match next(3) {
                0 => drop(text.drain(at..(at + 1 + next(8)).min(text.len()))),
                1 => drop(text.splice(at..at, pieces[next(pieces.len())].chars())),
                _ => text.truncate(at.max(1)),
            }
            if text.is_empty() {
                text.push('<');
            }
        }
        let text: String = text.into_iter().collect();
        for format in [Format::Xml, Format::RawXml] {
            if let Ok(tree) = read(&text, format) {
                let _ = (write(&text, &tree, Format::Xml), write(&text, &tree, Format::RawXml));
            }
        }
    }
}
