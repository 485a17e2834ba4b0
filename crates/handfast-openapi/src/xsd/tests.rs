//! Schemas against documents: texts, places, and what is refused.

use super::*;
use crate::pattern::Match;
use std::sync::Arc;

/// What the tests' patterns can be: digits of a count, written `[0-9]{n}`.
fn digits(source: &str) -> Result<Match, String> {
    let count = source.split(['{', '}']).nth(1).and_then(|count| count.parse::<usize>().ok());
    let count = count.ok_or_else(|| format!("'{source}' is not of this test"))?;
    Ok(Arc::new(move |text: &str| Some(text.len() == count && text.bytes().all(|b| b.is_ascii_digit()))))
}

fn schema(inner: &str) -> Result<XmlSchema, SchemaProblem> {
    let text = format!(
        "<xs:schema xmlns:xs='{XSD}' xmlns:t='urn:t' targetNamespace='urn:t' elementFormDefault='qualified'>{inner}</xs:schema>"
    );
    XmlSchema::compile(&[text], &digits)
}

fn violations(schema: &XmlSchema, text: &str) -> Vec<String> {
    let found = schema.check(text, 20).expect("a judgement");
    found.iter().map(|one| format!("{} {}:{}", one.message, one.place.line, one.place.position)).collect()
}

const ORDER: &str = "
<xs:element name='order' type='t:Order'/>
<xs:complexType name='Order'>
  <xs:sequence>
    <xs:element name='id' type='xs:int'/>
    <xs:element name='line' type='t:Line' maxOccurs='unbounded'/>
    <xs:choice minOccurs='0'><xs:element name='card' type='xs:string'/><xs:element name='cash'><xs:complexType/></xs:element></xs:choice>
    <xs:element name='order' type='t:Order' minOccurs='0' nillable='true'/>
  </xs:sequence>
  <xs:attribute name='state' use='required'><xs:simpleType><xs:restriction base='xs:string'>
    <xs:enumeration value='new'/><xs:enumeration value='old'/></xs:restriction></xs:simpleType></xs:attribute>
</xs:complexType>
<xs:complexType name='Line'><xs:simpleContent><xs:extension base='t:Code'><xs:attribute name='count' type='xs:positiveInteger'/></xs:extension></xs:simpleContent></xs:complexType>
<xs:simpleType name='Code'><xs:restriction base='xs:string'><xs:pattern value='[0-9]{3}'/></xs:restriction></xs:simpleType>";

fn order(inner: &str) -> String {
    format!("<order xmlns='urn:t' state='new'>{inner}</order>")
}

#[test]
fn content_models_take_and_refuse() {
    let schema = schema(ORDER).expect("a schema");
    let cases: &[(&str, &[&str])] = &[
        ("<id>1</id><line count='2'>123</line><line>456</line><cash/>", &[]),
        (
            "<id>1</id><line>123</line><order xsi:nil='true' state='old' xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance'/>",
            &[],
        ),
        (
            "<line>123</line>",
            &[
                "The element 'order' in namespace 'urn:t' has invalid child element 'line' in namespace 'urn:t'. List of possible elements expected: 'id' in namespace 'urn:t'. 1:35",
            ],
        ),
        (
            "<id>1</id>",
            &[
                "The element 'order' in namespace 'urn:t' has incomplete content. List of possible elements expected: 'line' in namespace 'urn:t'. 1:46",
            ],
        ),
        (
            "<id>1</id><line>123</line><x/>",
            &[
                "The element 'order' in namespace 'urn:t' has invalid child element 'x' in namespace 'urn:t'. List of possible elements expected: 'line, card, cash, order' in namespace 'urn:t'. 1:61",
            ],
        ),
        (
            "<id>one</id><line>123</line>",
            &[
                "The 'urn:t:id' element is invalid - The value 'one' is invalid according to its datatype 'http://www.w3.org/2001/XMLSchema:int' - The string 'one' is not a valid Int32 value. 1:43",
            ],
        ),
        (
            "<id>1</id><line count='0'>12</line>",
            &[
                "The 'count' attribute is invalid - The value '0' is invalid according to its datatype 'http://www.w3.org/2001/XMLSchema:positiveInteger' - The string '0' is not a valid PositiveInteger value. 1:45",
                "The 'urn:t:line' element is invalid - The value '12' is invalid according to its datatype 'urn:t:Code' - The Pattern constraint failed. 1:64",
            ],
        ),
    ];
    for (inner, expected) in cases {
        assert_eq!(violations(&schema, &order(inner)), *expected, "{inner}");
    }
    assert_eq!(
        violations(&schema, "<order xmlns='urn:t' state='x'><id>1</id><line>123</line></order>"),
        [
            "The 'state' attribute is invalid - The value 'x' is invalid according to its datatype 'String' - The Enumeration constraint failed. 1:2"
        ]
    );
    assert_eq!(violations(&schema, "<order/>"), ["The 'order' element is not declared. 1:2"]);
    assert_eq!(
        violations(&schema, "<order xmlns='urn:t' x='1'><id>1</id><line>123</line></order>"),
        ["The 'x' attribute is not declared. 1:2", "The required attribute 'state' is missing. 1:2"]
    );
}

#[test]
fn types_are_derived_and_named_in_documents() {
    let schema = schema(
        "<xs:element name='animal' type='t:Animal'/>
        <xs:complexType name='Animal' abstract='true'><xs:sequence><xs:element name='name' type='xs:token'/></xs:sequence></xs:complexType>
        <xs:complexType name='Dog'><xs:complexContent><xs:extension base='t:Animal'><xs:all><xs:element name='a' type='xs:boolean'/><xs:element name='b' type='xs:date' minOccurs='0'/></xs:all></xs:extension></xs:complexContent></xs:complexType>
        <xs:complexType name='Stone'/>",
    )
    .expect("a schema");
    let animal = |of: &str, inner: &str| {
        format!("<t:animal xmlns:t='urn:t' xmlns:xsi='{XSI}'{of}><t:name>x</t:name>{inner}</t:animal>")
    };
    let dog = " xsi:type='t:Dog'";
    assert!(violations(&schema, &animal("", ""))[0].contains("is abstract"));
    assert!(
        violations(&schema, &animal(" xsi:type='t:Stone'", ""))[0]
            .starts_with("This is an invalid xsi:type 't:Stone'.")
    );
    assert_eq!(violations(&schema, &animal(dog, "<t:b>2024-02-30</t:b><t:a>1</t:a>")).len(), 1);
    assert!(violations(&schema, &animal(dog, "<t:a>true</t:a>")).is_empty());
    assert!(violations(&schema, &animal(dog, "<t:b>2024-02-29Z</t:b>"))[0].contains("incomplete content"));
}

#[test]
fn simple_types_have_all_their_facets() {
    let cases: &[(&str, &str, &str)] = &[
        ("<xs:minInclusive value='2'/>", "2", "1"),
        ("<xs:maxExclusive value='2'/>", "1", "2"),
        ("<xs:totalDigits value='3'/>", "012.3", "123.4"),
        ("<xs:fractionDigits value='1'/>", "1.50", "1.25"),
    ];
    for (facets, good, bad) in cases {
        let schema = schema(&format!(
            "<xs:element name='e'><xs:simpleType><xs:restriction base='xs:decimal'>{facets}</xs:restriction></xs:simpleType></xs:element>"
        ))
        .expect("a schema");
        let of = |value: &str| violations(&schema, &format!("<e xmlns='urn:t'> {value} </e>")).len();
        assert_eq!((of(good), of(bad)), (0, 1), "{facets}");
    }
    let schema = schema(
        "<xs:element name='e'><xs:simpleType><xs:restriction><xs:simpleType><xs:list itemType='t:Either'/></xs:simpleType><xs:maxLength value='2'/></xs:restriction></xs:simpleType></xs:element>
         <xs:simpleType name='Either'><xs:union memberTypes='xs:int xs:date'/></xs:simpleType>",
    )
    .expect("a schema");
    let of = |value: &str| violations(&schema, &format!("<e xmlns='urn:t'>{value}</e>")).len();
    assert_eq!((of("1 2024-01-01"), of("1 2 3"), of("x")), (0, 1, 1));
}

#[test]
fn what_is_not_built_is_refused_by_name() {
    let cases = [
        ("<xs:redefine schemaLocation='x'/>", "'redefine' is not available"),
        ("<xs:element name='a' substitutionGroup='t:b'/>", "'substitutionGroup' is not available"),
        ("<xs:element name='a'><xs:complexType/><xs:key name='k'/></xs:element>", "'key' is not available"),
        ("<xs:element name='a' type='t:Nothing'/>", "there is no type 'Nothing' in namespace 'urn:t'"),
        (
            "<xs:simpleType name='d'><xs:restriction base='xs:date'><xs:minInclusive value='2024-01-01'/></xs:restriction></xs:simpleType>",
            "'minInclusive' of what is no number",
        ),
        (
            "<xs:complexType name='a'><xs:group ref='t:a'/></xs:complexType><xs:group name='a'><xs:group ref='t:a'/></xs:group>",
            "nest deeper than 64",
        ),
    ];
    for (inner, expected) in cases {
        let problem = schema(inner).expect_err("a problem").to_string();
        assert!(problem.contains(expected), "{inner}: {problem}");
    }
    assert_eq!(
        XmlSchema::compile(&["<a/>".to_owned()], &digits).expect_err("a problem").code(),
        "XmlSchemaNotUsable"
    );
}

#[test]
fn payloads_of_soap_messages_are_judged() {
    let schema = schema(ORDER).expect("a schema");
    let message = |space: &str, inner: &str| {
        format!("<s:Envelope xmlns:s='{space}'><s:Header/><s:Body>{inner}</s:Body></s:Envelope>")
    };
    let of = |text: &str, version| schema.check_soap(text, version, 5).expect("a judgement").len();
    let (v11, v12) = ("http://schemas.xmlsoap.org/soap/envelope/", "http://www.w3.org/2003/05/soap-envelope");
    let good = order("<id>1</id><line>123</line>");
    assert_eq!(of(&message(v11, &good), SoapVersion::V11), 0);
    assert_eq!(of(&message(v12, &good), SoapVersion::V12), 0);
    assert_eq!(of(&message(v12, &good), SoapVersion::V11), 1);
    assert_eq!(of(&message(v11, &order("")), SoapVersion::V11), 1);
    assert_eq!(of(&message(v11, "<s:Fault><faultcode/></s:Fault>"), SoapVersion::V11), 0);
    assert_eq!(of(&good, SoapVersion::V11), 1);
    assert_eq!(SoapVersion::of_media_type("text/XML"), Some(SoapVersion::V11));
}

#[test]
fn schemas_of_a_wsdl_are_found_with_all_their_namespaces() {
    let text = format!(
        "<w:definitions xmlns:w='http://schemas.xmlsoap.org/wsdl/'><w:types>
        <xs:schema xmlns:xs='{XSD}' targetNamespace='urn:a'><xs:import namespace='urn:b'/><xs:element name='a'><xs:complexType><xs:sequence><xs:element xmlns:b='urn:b' ref='b:b'/><xs:any namespace='##other' processContents='lax' minOccurs='0'/></xs:sequence></xs:complexType></xs:element></xs:schema>
        <xs:schema xmlns:xs='{XSD}' targetNamespace='urn:b'><xs:element name='b' type='xs:int' fixed='1'/></xs:schema>
        </w:types></w:definitions>"
    );
    let schema = XmlSchema::compile(&[text], &digits).expect("a schema");
    assert!(violations(&schema, "<a xmlns='urn:a'><b xmlns='urn:b'>1</b><c xmlns='urn:c'/></a>").is_empty());
    assert_eq!(
        violations(&schema, "<a xmlns='urn:a'><b xmlns='urn:b'>2</b></a>"),
        ["The value of the 'urn:b:b' element does not equal its fixed value. 1:38"]
    );
}
