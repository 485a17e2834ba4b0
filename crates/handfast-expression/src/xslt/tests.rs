//! What the oracle cannot say: parameters, refusals, limits.

use super::*;

fn sheet(inner: &str) -> Result<Stylesheet, XsltError> {
    Stylesheet::compile(&format!(
        "<xsl:stylesheet version='1.0' xmlns:xsl='{XSLT}'><xsl:output omit-xml-declaration='yes'/>{inner}</xsl:stylesheet>"
    ))
}

fn applied(inner: &str, document: &str) -> Result<String, XsltError> {
    sheet(inner)?.apply(document, &[])
}

#[test]
fn parameters_come_from_outside() {
    let sheet = sheet("<xsl:param name='who'>nobody</xsl:param><xsl:variable name='fixed'>f</xsl:variable><xsl:template match='/'><r><xsl:value-of select='concat($who, $fixed)'/></r></xsl:template>").expect("a stylesheet");
    assert_eq!(
        sheet.apply("<a/>", &[("who", "x"), ("fixed", "y"), ("other", "z")]),
        Ok("<r>xf</r>".to_owned())
    );
    assert_eq!(sheet.apply("<a/>", &[]), Ok("<r>nobodyf</r>".to_owned()));
}

#[test]
fn what_is_not_built_is_refused_by_name() {
    let cases = [
        ("<xsl:import href='x'/>", "'import' is not available"),
        ("<xsl:attribute-set name='x'/>", "'attribute-set' is not available"),
        (
            "<xsl:template match='/'><xsl:value-of select='.' disable-output-escaping='yes'/></xsl:template>",
            "'disable-output-escaping'",
        ),
        ("<xsl:template match='/'><xsl:apply-imports/></xsl:template>", "'apply-imports'"),
        (
            "<xsl:template match='/'><xsl:for-each select='a'><xsl:sort lang='de'/></xsl:for-each></xsl:template>",
            "'lang'",
        ),
        ("<xsl:template match='/'><xsl:nonsense/></xsl:template>", "'nonsense' is no instruction"),
        ("<xsl:template match='/'><xsl:value-of select='a ='/></xsl:template>", "the expression 'a ='"),
        ("<xsl:template match='a/..'/>", "a pattern is a path"),
        ("<xsl:template match='/'><a b='{c'/></xsl:template>", "without '}'"),
        ("<xsl:output method='yaml'/>", "the output method 'yaml'"),
        ("<xsl:template match='p:a'/>", "'p'"),
    ];
    for (inner, expected) in cases {
        let error = sheet(inner).expect_err("an error").to_string();
        assert!(error.contains(expected), "{inner}: {error}");
    }
}

#[test]
fn nothing_outside_the_message_is_read_and_work_is_bounded() {
    let document = applied(
        "<xsl:template match='/'><xsl:copy-of select=\"document('file:///etc/passwd')\"/></xsl:template>",
        "<a/>",
    );
    assert!(document.expect_err("refused").to_string().contains("document() is not available"));
    let endless =
        applied("<xsl:template match='/' name='t'><xsl:call-template name='t'/></xsl:template>", "<a/>");
    assert_eq!(endless.expect_err("a limit").code(), "TransformationTooLarge");
    let many = format!("<a>{}</a>", "<b/>".repeat(2_000));
    let slow = applied(
        "<xsl:template match='/'><xsl:for-each select='//b'><xsl:value-of select='count(//b[count(//b) > 1])'/></xsl:for-each></xsl:template>",
        &many,
    );
    assert_eq!(slow.expect_err("a limit").code(), "TransformationTooLarge");
    assert_eq!(applied("", "<a").expect_err("no XML").code(), "InvalidXml");
    let ended = applied(
        "<xsl:template match='/'><xsl:message terminate='yes'>stop</xsl:message></xsl:template>",
        "<a/>",
    );
    assert!(ended.expect_err("an end").to_string().ends_with("stop"));
}

#[test]
fn a_declaration_is_written_unless_it_is_left_out() {
    let text = format!(
        "<xsl:stylesheet version='1.0' xmlns:xsl='{XSLT}'><xsl:template match='/'><r/></xsl:template></xsl:stylesheet>"
    );
    let sheet = Stylesheet::compile(&text).expect("a stylesheet");
    assert_eq!(sheet.apply("<a/>", &[]), Ok("<?xml version=\"1.0\" encoding=\"utf-8\"?><r />".to_owned()));
}
