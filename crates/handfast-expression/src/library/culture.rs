//! `System.Globalization`, as far as the lenient profile has it: the one culture there is, and the styles of
//! parsing. Formatting is always that of en-US, which agrees with the invariant culture but for dates.

use crate::call::Call;
use crate::fault::Fault;
use crate::surface::{PLAIN, Row, TypeDef};
use crate::types::EnumDef;
use crate::value::Value;

pub(super) static NUMBER_STYLES: EnumDef = EnumDef {
    name: "NumberStyles",
    namespace: "System.Globalization",
    flags: true,
    members: &[
        ("None", 0),
        ("AllowLeadingWhite", 1),
        ("AllowTrailingWhite", 2),
        ("AllowLeadingSign", 4),
        ("Integer", 7),
        ("AllowTrailingSign", 8),
        ("AllowParentheses", 16),
        ("AllowDecimalPoint", 32),
        ("AllowThousands", 64),
        ("Number", 111),
        ("AllowExponent", 128),
        ("Float", 167),
        ("AllowCurrencySymbol", 256),
        ("Currency", 383),
        ("Any", 511),
        ("AllowHexSpecifier", 512),
        ("HexNumber", 515),
    ],
};

pub(super) static DATE_STYLES: EnumDef = EnumDef {
    name: "DateTimeStyles",
    namespace: "System.Globalization",
    flags: true,
    members: &[
        ("None", 0),
        ("AllowLeadingWhite", 1),
        ("AllowTrailingWhite", 2),
        ("AllowInnerWhite", 4),
        ("AllowWhiteSpaces", 7),
        ("NoCurrentDateDefault", 8),
        ("AdjustToUniversal", 16),
        ("AssumeLocal", 32),
        ("AssumeUniversal", 64),
        ("RoundtripKind", 128),
    ],
};

fn culture(call: &mut Call<'_>) -> Result<Value, Fault> {
    let name = match call.member.name.as_str() {
        "InvariantCulture" => String::new(),
        "CurrentCulture" | "CurrentUICulture" => "en-US".to_owned(),
        _ => call.text(0)?.to_string(),
    };
    Ok(Value::record("CultureInfo", vec![("Name", Value::str(name))]))
}

const SPACE: TypeDef = TypeDef { namespace: "System.Globalization", ..PLAIN };

pub(super) const TYPES: &[TypeDef] = &[TypeDef {
    name: "CultureInfo",
    lenient: true,
    rows: &[
        Row(
            "static CultureInfo InvariantCulture; static CultureInfo CurrentCulture; static CultureInfo CurrentUICulture",
            culture,
        ),
        Row("new(string name); static CultureInfo GetCultureInfo(string name)", culture),
        Row("string Name", super::context::field),
    ],
    ..SPACE
}];
