use super::*;

/// A name of (oid, tag, value) attributes, one RDN each.
fn name(attributes: &[(&str, u8, &[u8])]) -> Name {
    let rdns: Vec<Vec<u8>> = attributes
        .iter()
        .map(|(oid, tag, value)| {
            der::constructed(tag::SET, &[der::sequence(&[der::oid(oid), der::tlv(*tag, value)])])
        })
        .collect();
    Name::parse(&der::sequence(&rdns)).unwrap()
}

const COUNTRY: (&str, u8, &[u8]) = ("2.5.4.6", tag::PRINTABLE_STRING, b"US");

#[test]
fn golden_texts_of_both_styles() {
    let cases: Vec<(Name, &str, &str)> = vec![
        (
            name(&[
                COUNTRY,
                ("2.5.4.8", 12, b"Ohio"),
                ("2.5.4.10", 12, b"Fabrikam, Inc."),
                ("2.5.4.3", 12, b"api"),
            ]),
            "CN=api, O=\"Fabrikam, Inc.\", S=Ohio, C=US",
            "CN=api,O=Fabrikam\\, Inc.,ST=Ohio,C=US",
        ),
        (
            name(&[("1.2.840.113549.1.9.1", 22, b"ops@a.test"), ("2.5.4.3", 12, b"say \"hi\"")]),
            "CN=\"say \"\"hi\"\"\", E=ops@a.test",
            "CN=say \\\"hi\\\",emailAddress=ops@a.test",
        ),
        (
            name(&[("1.2.3.4", 12, b"x"), ("2.5.4.3", 12, b" lead")]),
            "CN=\" lead\", OID.1.2.3.4=x",
            "CN=\\ lead,1.2.3.4=#0C0178",
        ),
        (name(&[("2.5.4.3", 12, "Zoë".as_bytes())]), "CN=Zoë", "CN=Zo\\C3\\AB"),
        (name(&[("2.5.4.3", tag::BMP_STRING, &[0, 0x5a, 0x20, 0xac])]), "CN=Z€", "CN=Z\\E2\\82\\AC"),
        (name(&[("2.5.4.3", 12, b"#1")]), "CN=\"#1\"", "CN=\\#1"),
        (name(&[("0.9.2342.19200300.100.1.25", 22, b"test")]), "DC=test", "DC=test"),
        (name(&[]), "", ""),
    ];
    for (name, dotnet, rfc2253) in cases {
        assert_eq!(name.dotnet(), dotnet);
        assert_eq!(name.rfc2253(), rfc2253);
    }
}

#[test]
fn multi_valued_rdns_print_with_a_plus() {
    let rdn = der::constructed(
        tag::SET,
        &[
            der::sequence(&[der::oid("2.5.4.3"), der::tlv(12, b"a")]),
            der::sequence(&[der::oid("2.5.4.11"), der::tlv(12, b"b")]),
        ],
    );
    let name = Name::parse(&der::sequence(&[rdn])).unwrap();
    assert_eq!(name.dotnet(), "CN=a + OU=b");
    assert_eq!(name.rfc2253(), "OU=b+CN=a");
}

#[test]
fn comparison_ignores_case_blanks_and_string_type() {
    let one = name(&[("2.5.4.3", tag::PRINTABLE_STRING, b"Root  CA")]);
    let two = name(&[("2.5.4.3", tag::UTF8_STRING, b" root ca ")]);
    let three = name(&[("2.5.4.3", tag::UTF8_STRING, b"rootca")]);
    assert!(one.matches(&two));
    assert!(!one.matches(&three));
    let below = name(&[("2.5.4.3", tag::UTF8_STRING, b"root ca"), COUNTRY]);
    assert!(below.is_within(&one));
    assert!(!one.is_within(&below));
}
