//! `System.Text.Encoding`, `System.BitConverter`.

use crate::call::Call;
use crate::fault::{Fault, throw};
use crate::surface::{PLAIN, Row, TypeDef};
use crate::types::{Prim, Type};
use crate::value::Value;
use std::fmt::Write as _;

/// Names by which an encoding is asked for, its own name first, and its code page.
const NAMES: &[(&str, &[&str], i32)] = &[
    ("utf-8", &["utf8", "unicode-1-1-utf-8"], 65001),
    ("us-ascii", &["ascii", "ansi_x3.4-1968", "iso646-us"], 20127),
    ("iso-8859-1", &["latin1", "l1", "iso_8859-1"], 28591),
    ("windows-1252", &["cp1252", "x-ansi"], 1252),
    ("utf-16", &["unicode", "utf-16le", "ucs-2"], 1200),
    ("utf-16BE", &["utf-16be", "unicodefffe"], 1201),
    ("utf-32", &["utf-32le"], 12000),
    ("utf-7", &["unicode-1-1-utf-7"], 65000),
];

/// Windows-1252 where it differs from Latin-1: U+0080 to U+009F.
const WINDOWS_1252: &str = "€\u{81}‚ƒ„…†‡ˆ‰Š‹Œ\u{8d}Ž\u{8f}\u{90}‘’“”•–—˜™š›œ\u{9d}žŸ";

fn made(name: &str) -> Value {
    Value::record("Encoding", vec![("WebName", Value::str(name))])
}

fn by_member(call: &mut Call<'_>) -> Result<Value, Fault> {
    Ok(made(match call.member.name.as_str() {
        "ASCII" => "us-ascii",
        "Unicode" => "utf-16",
        "BigEndianUnicode" => "utf-16BE",
        "UTF32" => "utf-32",
        "UTF7" => "utf-7",
        "Latin1" => "iso-8859-1",
        _ => "utf-8",
    }))
}

fn by_name(call: &mut Call<'_>) -> Result<Value, Fault> {
    let found = match call.arg(0) {
        Value::Int(_, page) => NAMES.iter().find(|row| i64::from(row.2) == *page),
        _ => {
            let wanted = call.text(0)?.to_ascii_lowercase();
            NAMES.iter().find(|row| row.0.to_ascii_lowercase() == wanted || row.1.contains(&wanted.as_str()))
        }
    };
    found.map(|row| made(row.0)).ok_or_else(|| {
        let name = call.arg(0).to_text();
        throw("ArgumentException", format!("'{name}' is not a supported encoding name. For information on defining a custom encoding, see the documentation for the Encoding.RegisterProvider method. (Parameter 'name')"))
    })
}

fn name(call: &Call<'_>) -> String {
    super::context::named(call.arg(0), "WebName").to_text()
}

fn encode(name: &str, text: &str) -> Vec<u8> {
    let single = |most: u32| text.chars().map(move |c| if c as u32 <= most { c as u32 as u8 } else { b'?' });
    match name {
        "us-ascii" | "utf-7" => single(0x7f).collect(),
        "iso-8859-1" => single(0xff).collect(),
        "windows-1252" => text
            .chars()
            .map(|c| match WINDOWS_1252.chars().position(|known| known == c) {
                Some(at) => 0x80 + at as u8,
                None => u8::try_from(c as u32).unwrap_or(b'?'),
            })
            .collect(),
        "utf-16" => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        "utf-16BE" => text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
        "utf-32" => text.chars().flat_map(|c| (c as u32).to_le_bytes()).collect(),
        _ => text.as_bytes().to_vec(),
    }
}

fn decode(name: &str, bytes: &[u8]) -> String {
    let pair = |big: bool| {
        move |pair: &[u8]| {
            let (a, b) = (pair.first().copied().unwrap_or(0), pair.get(1).copied().unwrap_or(0));
            if big { u16::from_be_bytes([a, b]) } else { u16::from_le_bytes([a, b]) }
        }
    };
    match name {
        "us-ascii" | "utf-7" => {
            bytes.iter().map(|b| if b.is_ascii() { char::from(*b) } else { '?' }).collect()
        }
        "iso-8859-1" => bytes.iter().map(|b| char::from(*b)).collect(),
        "windows-1252" => bytes
            .iter()
            .map(|b| match b {
                0x80..=0x9f => WINDOWS_1252.chars().nth(usize::from(*b - 0x80)).unwrap_or('?'),
                other => char::from(*other),
            })
            .collect(),
        "utf-16" | "utf-16BE" => {
            let units: Vec<u16> = bytes.chunks(2).map(pair(name == "utf-16BE")).collect();
            String::from_utf16_lossy(&units)
        }
        "utf-32" => bytes
            .chunks(4)
            .map(|four| {
                <[u8; 4]>::try_from(four)
                    .map(u32::from_le_bytes)
                    .ok()
                    .and_then(char::from_u32)
                    .unwrap_or('\u{fffd}')
            })
            .collect(),
        _ => String::from_utf8_lossy(bytes).into_owned(),
    }
}

/// The text of an argument: a string, or an array of characters.
fn text(call: &mut Call<'_>) -> Result<String, Fault> {
    match call.arg(1) {
        Value::Object(_) => {
            let units: Vec<u16> =
                call.items(1)?.iter().filter_map(|c| c.integer()).map(|c| c as u16).collect();
            Ok(String::from_utf16_lossy(&units))
        }
        _ => Ok(call.text(1)?.to_string()),
    }
}

fn get_bytes(call: &mut Call<'_>) -> Result<Value, Fault> {
    let (name, text) = (name(call), text(call)?);
    call.allocate(text.len().saturating_mul(4))?;
    let bytes = encode(&name, &text);
    Ok(if call.member.name == "GetByteCount" { Value::count(bytes.len()) } else { Value::bytes(bytes) })
}

fn get_string(call: &mut Call<'_>) -> Result<Value, Fault> {
    let (name, mut bytes) = (name(call), call.bytes(1)?);
    if call.count() > 3 {
        let range = usize::try_from(call.int(2)?).ok().zip(usize::try_from(call.int(3)?).ok());
        let piece =
            range.and_then(|(from, count)| bytes.get(from..from.checked_add(count)?)).map(<[u8]>::to_vec);
        bytes = piece.ok_or_else(|| {
            crate::fault::out_of_range("bytes", "Index and count must refer to a location within the buffer.")
        })?;
    }
    call.allocate(bytes.len().saturating_mul(3))?;
    let text = decode(&name, &bytes);
    Ok(match call.member.name.as_str() {
        "GetCharCount" => Value::count(crate::text::utf16_len(&text)),
        "GetChars" => Value::array(Type::Prim(Prim::Char), text.encode_utf16().map(Value::Char).collect()),
        _ => Value::str(text),
    })
}

fn about(call: &mut Call<'_>) -> Result<Value, Fault> {
    let name = name(call);
    Ok(match call.member.name.as_str() {
        "CodePage" => Value::int(NAMES.iter().find(|row| row.0 == name).map_or(0, |row| row.2)),
        "GetPreamble" => Value::bytes(match name.as_str() {
            "utf-8" => vec![0xef, 0xbb, 0xbf],
            "utf-16" => vec![0xff, 0xfe],
            "utf-16BE" => vec![0xfe, 0xff],
            "utf-32" => vec![0xff, 0xfe, 0, 0],
            _ => Vec::new(),
        }),
        _ => Value::str(name),
    })
}

// === BitConverter ===

fn hex(call: &mut Call<'_>) -> Result<Value, Fault> {
    let bytes = call.bytes(0)?;
    let from = if call.count() > 1 { usize::try_from(call.int(1)?).unwrap_or(usize::MAX) } else { 0 };
    let count = if call.count() > 2 {
        usize::try_from(call.int(2)?).unwrap_or(usize::MAX)
    } else {
        bytes.len().saturating_sub(from)
    };
    let piece = from.checked_add(count).and_then(|end| bytes.get(from..end));
    let piece = piece.ok_or_else(|| {
        crate::fault::out_of_range(
            "startIndex",
            "Index was out of range. Must be non-negative and less than the size of the collection.",
        )
    })?;
    call.allocate(piece.len().saturating_mul(3))?;
    let mut out = String::with_capacity(piece.len() * 3);
    for (at, byte) in piece.iter().enumerate() {
        let _ = write!(out, "{}{byte:02X}", if at > 0 { "-" } else { "" });
    }
    Ok(Value::str(out))
}

fn bytes_of(call: &mut Call<'_>) -> Result<Value, Fault> {
    Ok(Value::bytes(match call.arg(0) {
        Value::Bool(truth) => vec![u8::from(*truth)],
        Value::Char(unit) => unit.to_le_bytes().to_vec(),
        Value::Single(number) => number.to_le_bytes().to_vec(),
        Value::Double(number) => number.to_le_bytes().to_vec(),
        Value::Int(Prim::Short | Prim::UShort, number) => (*number as u16).to_le_bytes().to_vec(),
        Value::Int(Prim::Long | Prim::ULong, number) => number.to_le_bytes().to_vec(),
        other => (other.integer().unwrap_or(0) as u32).to_le_bytes().to_vec(),
    }))
}

fn from_bytes(call: &mut Call<'_>) -> Result<Value, Fault> {
    let bytes = call.bytes(0)?;
    let Type::Prim(prim) = call.member.result else { return Ok(Value::Null) };
    let size = match prim {
        Prim::Bool => 1,
        Prim::Char | Prim::Short | Prim::UShort => 2,
        Prim::Long | Prim::ULong | Prim::Double => 8,
        _ => 4,
    };
    let from = usize::try_from(call.int(1)?).unwrap_or(usize::MAX);
    let piece = from.checked_add(size).and_then(|end| bytes.get(from..end)).ok_or_else(|| {
        throw("ArgumentException", "Destination array is not long enough to copy all the items in the collection. Check array index and length. (Parameter 'value')")
    })?;
    let number = piece.iter().rev().fold(0u64, |sum, byte| sum << 8 | u64::from(*byte));
    Ok(match prim {
        Prim::Bool => Value::Bool(number != 0),
        Prim::Single => Value::Single(f32::from_bits(number as u32)),
        Prim::Double => Value::Double(f64::from_bits(number)),
        _ => crate::arith::integer(prim, number.into(), false)?,
    })
}

fn bits(call: &mut Call<'_>) -> Result<Value, Fault> {
    Ok(match call.arg(0) {
        Value::Double(number) => Value::Int(Prim::Long, number.to_bits() as i64),
        other => Value::Double(f64::from_bits(other.integer().unwrap_or(0) as u64)),
    })
}

fn little_endian(_: &mut Call<'_>) -> Result<Value, Fault> {
    Ok(Value::Bool(true))
}

pub(super) const TYPES: &[TypeDef] = &[
    TypeDef {
        name: "Encoding",
        namespace: "System.Text",
        rows: &[
            Row(
                "static Encoding UTF8; static Encoding Default; static Encoding ASCII; static Encoding Unicode; static Encoding BigEndianUnicode; static Encoding UTF32; static Encoding UTF7; static Encoding Latin1",
                by_member,
            ),
            Row(
                "static Encoding GetEncoding(string name); static Encoding GetEncoding(int codepage)",
                by_name,
            ),
            Row(
                "byte[] GetBytes(string s); byte[] GetBytes(char[] chars); int GetByteCount(string s); int GetByteCount(char[] chars)",
                get_bytes,
            ),
            Row(
                "string GetString(byte[] bytes); string GetString(byte[] bytes, int index, int count); int GetCharCount(byte[] bytes); char[] GetChars(byte[] bytes)",
                get_string,
            ),
            Row(
                "string WebName; string HeaderName; string BodyName; string EncodingName; int CodePage; byte[] GetPreamble()",
                about,
            ),
        ],
        ..PLAIN
    },
    TypeDef {
        name: "BitConverter",
        rows: &[
            Row(
                "static string ToString(byte[] value); static string ToString(byte[] value, int startIndex); static string ToString(byte[] value, int startIndex, int length)",
                hex,
            ),
            Row(
                "static byte[] GetBytes(bool value); static byte[] GetBytes(char value); static byte[] GetBytes(short value); static byte[] GetBytes(ushort value); static byte[] GetBytes(int value); static byte[] GetBytes(uint value); static byte[] GetBytes(long value); static byte[] GetBytes(ulong value); static byte[] GetBytes(float value); static byte[] GetBytes(double value)",
                bytes_of,
            ),
            Row(
                "static bool ToBoolean(byte[] value, int startIndex); static char ToChar(byte[] value, int startIndex); static short ToInt16(byte[] value, int startIndex); static ushort ToUInt16(byte[] value, int startIndex); static int ToInt32(byte[] value, int startIndex); static uint ToUInt32(byte[] value, int startIndex); static long ToInt64(byte[] value, int startIndex); static ulong ToUInt64(byte[] value, int startIndex); static float ToSingle(byte[] value, int startIndex); static double ToDouble(byte[] value, int startIndex)",
                from_bytes,
            ),
            Row(
                "static long DoubleToInt64Bits(double value); static double Int64BitsToDouble(long value)",
                bits,
            ),
            Row("static bool IsLittleEndian", little_endian),
        ],
        ..PLAIN
    },
];
