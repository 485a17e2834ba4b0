//! Hexadecimal text of fingerprints and serial numbers.

/// Upper-case hex without separators.
pub(crate) fn upper(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}

/// Lower-case hex without separators.
pub fn lower(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The hex digits of what people paste as a thumbprint or serial number: blanks, colons, letter case and
/// the invisible U+200E of the Windows dialog do not matter. Upper case.
pub fn normalise(text: &str) -> String {
    let noise = |c: &char| c.is_whitespace() || matches!(c, ':' | '-' | '\u{200e}' | '\u{200f}' | '\u{feff}');
    text.chars().filter(|c| !noise(c)).map(|digit| digit.to_ascii_uppercase()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thumbprint_pasted_from_the_windows_dialog_is_understood() {
        assert_eq!(normalise("\u{200e}ab cd:12"), "ABCD12");
        assert_eq!(normalise("hello"), "HELLO", "other text must not turn into digits");
        assert_eq!(upper(&[0, 0xab]), "00AB");
        assert_eq!(lower(&[0, 0xab]), "00ab");
    }
}
