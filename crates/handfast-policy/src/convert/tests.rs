//! Documents both ways.

use super::{ConvertError, JsonOptions, Kind, XmlOptions, elements_by_local_name, json_to_xml, xml_to_json};

#[test]
fn json_becomes_xml() {
    let plain = JsonOptions::default();
    let spaces = JsonOptions {
        namespace_separator: ":".to_owned(),
        namespace_prefix: Some("xmlns".to_owned()),
        attribute_block: Some("#attrs".to_owned()),
    };
    for (json, options, xml) in [
        (r#"{"a":{"b":1,"c":"x<&>"}}"#, &plain, "<a><b>1</b><c>x&lt;&amp;&gt;</c></a>"),
        (r#"{"a":1,"b":2}"#, &plain, "<Document><a>1</a><b>2</b></Document>"),
        ("[1,2]", &plain, "<Document>1</Document><Document>2</Document>"),
        (r#"{"a":{"i":[1,{"x":2}],"e":[]}}"#, &plain, "<a><i>1</i><i><x>2</x></i><e /></a>"),
        (
            r#"{"a":{"t":true,"f":false,"d":1.50,"s":""}}"#,
            &plain,
            "<a><t>True</t><f>False</f><d>1.5</d><s /></a>",
        ),
        (
            r#"{"a":{"n":null}}"#,
            &plain,
            "<a><n xsi:nil=\"true\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" /></a>",
        ),
        (r#"{"a":{"1 b":"x","c_d":"y"}}"#, &plain, "<a><_x0031__x0020_b>x</_x0031__x0020_b><c_d>y</c_d></a>"),
        (
            r##"{"s:a":{"xmlns:s":"urn:x","xmlns":"urn:d","#attrs":{"id":7,"q":"\"n\""},"s:b":1}}"##,
            &spaces,
            "<s:a xmlns:s=\"urn:x\" xmlns=\"urn:d\" id=\"7\" q=\"&quot;n&quot;\"><s:b>1</s:b></s:a>",
        ),
        (r##"{"a":{"#attrs":{"id":7}}}"##, &spaces, "<a id=\"7\" />"),
    ] {
        assert_eq!(json_to_xml(json, options).as_deref(), Ok(xml), "{json}");
    }
    assert!(matches!(json_to_xml("{", &plain), Err(ConvertError::Json(_))));
    let deep = format!("{}1{}", "{\"a\":".repeat(200), "}".repeat(200));
    assert!(json_to_xml(&deep, &plain).is_err());
}

#[test]
fn xml_becomes_json() {
    let direct = XmlOptions::default();
    let friendly = XmlOptions { kind: Kind::JavascriptFriendly, ..direct };
    let arrays = XmlOptions { always_arrays: true, ..direct };
    for (xml, options, json) in [
        ("<a><b>1</b><c/></a>", direct, r#"{"a":{"b":"1","c":null}}"#),
        ("<a>t</a>", direct, r#"{"a":"t"}"#),
        ("<a><b>1</b><b>2</b></a>", direct, r#"{"a":{"b":["1","2"]}}"#),
        ("<a><b>1</b></a>", arrays, r#"{"a":{"b":["1"]}}"#),
        (
            "<?xml version=\"1.0\" encoding=\"utf-8\"?><p:a xmlns:p=\"urn:x\" xmlns=\"urn:d\" k=\"v\">text<p:b/></p:a>",
            direct,
            r##"{"version":"1.0","encoding":"utf-8","p$a":{"@xmlns$p":"urn:x","@xmlns":"urn:d","@k":"v","#text":"text","p$b":null}}"##,
        ),
        ("<a my-k=\"v\">t</a>", friendly, r#"{"a":{"my_k":"v","text":"t"}}"#),
        ("<a>&lt;&#65;&#x42;<![CDATA[<x>]]>&amp;</a>", direct, r#"{"a":"<AB<x>&"}"#),
        ("<!-- c --><a><?pi x?><!-- d -->t</a>\n", direct, r#"{"a":"t"}"#),
    ] {
        assert_eq!(xml_to_json(xml, options).as_deref(), Ok(json), "{xml}");
    }
}

#[test]
fn what_is_no_xml_or_could_explode_is_refused() {
    for xml in
        ["", "<a>", "<a></b>", "<a/><b/>", "x<a/>", "<a/>y", "<a>&unknown;</a>", "<a k='1' k='2'/>", "{}"]
    {
        assert!(matches!(xml_to_json(xml, XmlOptions::default()), Err(ConvertError::Xml(_))), "{xml}");
    }
    let bomb = "<!DOCTYPE a [<!ENTITY x \"y\">]><a>&x;</a>";
    assert_eq!(xml_to_json(bomb, XmlOptions::default()), Err(ConvertError::DocumentType));
    let deep = "<a>".repeat(1000) + &"</a>".repeat(1000);
    assert_eq!(xml_to_json(&deep, XmlOptions::default()), Err(ConvertError::TooLarge("128 levels")));
    let wide = format!("<a>{}</a>", "<b/>".repeat(150_000));
    assert_eq!(xml_to_json(&wide, XmlOptions::default()), Err(ConvertError::TooLarge("200,000 parts")));
}

#[test]
fn liquid_sees_elements_by_local_name() {
    let xml =
        "<s:Envelope xmlns:s=\"urn:s\"><s:Body><Get id=\"1\"><cust>42</cust></Get></s:Body></s:Envelope>";
    let value = elements_by_local_name(xml).expect("XML");
    assert_eq!(value["Envelope"]["Body"]["Get"]["cust"], "42");
}
