//! Entities and character references of XML 1.0 (§4.1, §4.6): the five predefined ones and `&#...;`.

use std::borrow::Cow;

/// The longest reference that is recognised, `&#x10FFFF;` with some leading zeros.
const REFERENCE_MAX: usize = 16;

/// A `&` that does not begin a reference this reader knows.
pub(crate) struct BadEntity {
    /// Its byte offset in the text.
    pub(crate) offset: usize,
    /// The name between `&` and `;`, if there is one.
    pub(crate) name: Option<String>,
}

/// Decodes every reference; the first bad one is an error.
pub(crate) fn decode_strict(text: &str) -> Result<Cow<'_, str>, BadEntity> {
    decode(text, |offset, name| Err(BadEntity { offset, name: name.map(str::to_owned) }))
}

/// Decodes every reference that is one and leaves other `&` alone.
pub(crate) fn decode_tolerant(text: &str) -> Cow<'_, str> {
    decode::<std::convert::Infallible>(text, |_, _| Ok(())).unwrap_or_else(|never| match never {})
}

fn decode<E>(
    text: &str,
    mut on_bad: impl FnMut(usize, Option<&str>) -> Result<(), E>,
) -> Result<Cow<'_, str>, E> {
    if !text.contains('&') {
        return Ok(Cow::Borrowed(text));
    }
    let mut out = String::with_capacity(text.len());
    let (mut rest, mut offset) = (text, 0);
    while let Some((before, after)) = rest.split_once('&') {
        out.push_str(before);
        offset += before.len();
        let end = after.bytes().take(REFERENCE_MAX).position(|byte| byte == b';');
        let name = end.and_then(|end| after.get(..end));
        if let (Some(name), Some(character)) = (name, name.and_then(character)) {
            out.push(character);
            rest = after.get(name.len() + 1..).unwrap_or_default();
            offset += name.len() + 2;
        } else {
            on_bad(offset, name)?;
            out.push('&');
            rest = after;
            offset += 1;
        }
    }
    out.push_str(rest);
    Ok(Cow::Owned(out))
}

fn character(name: &str) -> Option<char> {
    let code = match name {
        "amp" => return Some('&'),
        "lt" => return Some('<'),
        "gt" => return Some('>'),
        "quot" => return Some('"'),
        "apos" => return Some('\''),
        _ => name.strip_prefix('#')?,
    };
    let number = match code.strip_prefix('x') {
        Some(hex) => u32::from_str_radix(hex, 16).ok()?,
        None => code.parse().ok()?,
    };
    char::from_u32(number).filter(|&c| c >= ' ' || matches!(c, '\t' | '\n' | '\r'))
}

/// Escapes for an attribute value in the given quote.
pub(crate) fn escape_attribute(text: &str, quote: u8, out: &mut String) {
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '"' => out.push_str("&quot;"),
            '\'' if quote == b'\'' => out.push_str("&apos;"),
            other => out.push(other),
        }
    }
}

/// Escapes for element text.
pub(crate) fn escape_text(text: &str, out: &mut String) {
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            other => out.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn predefined_entities_and_references_are_decoded() {
        assert_eq!(decode_tolerant("&lt;&#65;&#x42;&amp;amp;&quot;&apos;&gt;"), "<AB&amp;\"'>");
        assert_eq!(decode_tolerant("a && b &nbsp; &#0; &"), "a && b &nbsp; &#0; &");
        let Err(bad) = decode_strict("x&amp;&nbsp;") else { panic!("undeclared entity accepted") };
        assert_eq!((bad.offset, bad.name.as_deref()), (6, Some("nbsp")));
    }
}
