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

/// Decodes entities in an expression that also has raw quotes, but not in its C# strings: `a &amp;&amp; "&amp;"`
/// is what authors write who mix both, and `&amp;` outside of a string is no C#.
pub(super) fn decode_outside_strings(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(at) = rest.find('"') {
        let (before, string) = rest.split_at(at);
        out.push_str(&decode_tolerant(before));
        let verbatim = before.ends_with('@') || before.ends_with("@$");
        let len = string_len(string, verbatim);
        out.push_str(&string[..len]);
        rest = &string[len..];
    }
    out.push_str(&decode_tolerant(rest));
    out
}

/// Bytes of a C# string with its quotes; to the end when it is not closed.
fn string_len(string: &str, verbatim: bool) -> usize {
    let mut characters = string.char_indices().skip(1).peekable();
    while let Some((at, character)) = characters.next() {
        let doubled = matches!(characters.peek(), Some((_, '"')));
        match character {
            '\\' if !verbatim => {
                characters.next();
            }
            '"' if verbatim && doubled => {
                characters.next();
            }
            '"' => return at + 1,
            _ => {}
        }
    }
    string.len()
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

    #[test]
    fn entities_in_strings_of_an_expression_stay() {
        for (source, decoded) in [
            (r#"a != "GET" &amp;&amp; b &lt; 1"#, r#"a != "GET" && b < 1"#),
            (r#"x.Replace("&", "&amp;") &gt; y"#, r#"x.Replace("&", "&amp;") > y"#),
            (r#"@"\" + "\"&lt;" + @"""&lt;" &lt; 1"#, r#"@"\" + "\"&lt;" + @"""&lt;" < 1"#),
            (r#"open "&amp;"#, r#"open "&amp;"#),
        ] {
            assert_eq!(decode_outside_strings(source), decoded);
        }
    }
}
