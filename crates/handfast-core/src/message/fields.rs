//! The header section of one message: an ordered multimap over one byte arena.
//!
//! A request typically has ten to twenty fields, so a linear scan over (length, first byte) beats
//! hashing, and appending to one arena costs no allocation per field once the buffer has grown.
//! Removing a field leaves its bytes in the arena until [`Fields::clear`]; heads are short-lived.

use std::fmt;

/// An ordered list of header fields, names compared without regard to case.
#[derive(Clone, Default)]
pub struct Fields {
    arena: Vec<u8>,
    entries: Vec<Entry>,
}

#[derive(Clone, Copy)]
struct Entry {
    name_at: u32,
    name_len: u16,
    value_at: u32,
    value_len: u32,
}

/// A name or value that may not stand in a header section (RFC 9110 §5.1, §5.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvalidField {
    /// The name is empty or has a byte outside `tchar`.
    Name,
    /// The value has CR, LF, NUL or another control byte.
    Value,
    /// The section would grow past 4 GiB or the name past 64 KiB.
    TooLong,
}

impl fmt::Display for InvalidField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Name => "header name is not a token",
            Self::Value => "header value has a control character",
            Self::TooLong => "header field is too long",
        })
    }
}

impl std::error::Error for InvalidField {}

impl Fields {
    /// An empty section.
    pub fn new() -> Self {
        Self::default()
    }

    /// The number of field lines.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no field line.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Drops all lines and keeps the memory for the next message.
    pub fn clear(&mut self) {
        self.arena.clear();
        self.entries.clear();
    }

    /// Adds a line after all others.
    pub fn append(&mut self, name: &[u8], value: &[u8]) -> Result<(), InvalidField> {
        if !is_token(name) {
            return Err(InvalidField::Name);
        }
        if !is_field_value(value) {
            return Err(InvalidField::Value);
        }
        self.append_checked(name, value)
    }

    /// Adds a line whose bytes a codec has already checked.
    pub fn append_checked(&mut self, name: &[u8], value: &[u8]) -> Result<(), InvalidField> {
        debug_assert!(is_token(name) && is_field_value(value));
        let name_at = u32::try_from(self.arena.len()).map_err(|_| InvalidField::TooLong)?;
        let name_len = u16::try_from(name.len()).map_err(|_| InvalidField::TooLong)?;
        let value_len = u32::try_from(value.len()).map_err(|_| InvalidField::TooLong)?;
        let value_at = name_at.checked_add(u32::from(name_len)).ok_or(InvalidField::TooLong)?;
        value_at.checked_add(value_len).ok_or(InvalidField::TooLong)?;
        self.arena.extend_from_slice(name);
        self.arena.extend_from_slice(value);
        self.entries.push(Entry { name_at, name_len, value_at, value_len });
        Ok(())
    }

    /// Replaces all lines of that name by one; its place is that of the first, or the end.
    pub fn set(&mut self, name: &[u8], value: &[u8]) -> Result<(), InvalidField> {
        let first = self.position(name);
        self.append(name, value)?;
        let Some(first) = first else { return Ok(()) };
        let Some(line) = self.entries.pop() else { return Ok(()) };
        let (arena, mut index) = (&self.arena, 0);
        self.entries.retain(|entry| {
            let keep = index <= first || !entry.name(arena).eq_ignore_ascii_case(name);
            index += 1;
            keep
        });
        self.entries[first] = line;
        Ok(())
    }

    /// Removes all lines of that name; says whether there was one.
    pub fn remove(&mut self, name: &[u8]) -> bool {
        let before = self.entries.len();
        let arena = &self.arena;
        self.entries.retain(|entry| !entry.name(arena).eq_ignore_ascii_case(name));
        self.entries.len() != before
    }

    /// Keeps the lines for which `keep(name, value)` says so.
    pub fn retain(&mut self, mut keep: impl FnMut(&[u8], &[u8]) -> bool) {
        let arena = &self.arena;
        self.entries.retain(|entry| keep(entry.name(arena), entry.value(arena)));
    }

    /// The value of the first line of that name.
    pub fn get(&self, name: &[u8]) -> Option<&[u8]> {
        self.entries.iter().find(|e| e.name_is(&self.arena, name)).map(|e| e.value(&self.arena))
    }

    /// The value of the first line of that name, if it is UTF-8.
    pub fn get_str(&self, name: &str) -> Option<&str> {
        std::str::from_utf8(self.get(name.as_bytes())?).ok()
    }

    /// The values of all lines of that name, in order.
    pub fn get_all<'a>(&'a self, name: &'a [u8]) -> impl Iterator<Item = &'a [u8]> + 'a {
        self.entries.iter().filter(move |e| e.name_is(&self.arena, name)).map(|e| e.value(&self.arena))
    }

    /// Whether a line of that name exists.
    pub fn contains(&self, name: &[u8]) -> bool {
        self.position(name).is_some()
    }

    /// All lines as (name, value), in order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.entries.iter().map(|entry| (entry.name(&self.arena), entry.value(&self.arena)))
    }

    fn position(&self, name: &[u8]) -> Option<usize> {
        self.entries.iter().position(|entry| entry.name_is(&self.arena, name))
    }
}

impl Entry {
    fn name<'a>(&self, arena: &'a [u8]) -> &'a [u8] {
        &arena[self.name_at as usize..][..usize::from(self.name_len)]
    }

    fn value<'a>(&self, arena: &'a [u8]) -> &'a [u8] {
        &arena[self.value_at as usize..][..self.value_len as usize]
    }

    fn name_is(&self, arena: &[u8], name: &[u8]) -> bool {
        usize::from(self.name_len) == name.len() && self.name(arena).eq_ignore_ascii_case(name)
    }
}

impl fmt::Debug for Fields {
    /// Names only: values may be credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.iter().map(|(name, _)| String::from_utf8_lossy(name).into_owned()))
            .finish()
    }
}

/// Whether the bytes are a non-empty `token` (RFC 9110 §5.6.2).
pub fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|&b| TOKEN[usize::from(b)])
}

/// Whether the bytes may be a field value: no control byte but tab, no leading or trailing blank
/// (RFC 9110 §5.5; obs-text is allowed).
pub fn is_field_value(bytes: &[u8]) -> bool {
    let blank = |b: Option<&u8>| matches!(b, Some(b' ' | b'\t'));
    !blank(bytes.first())
        && !blank(bytes.last())
        && bytes.iter().all(|&b| b == b'\t' || (b >= b' ' && b != 0x7f))
}

const TOKEN: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        let b = byte as u8;
        table[byte] = b.is_ascii_alphanumeric()
            || matches!(
                b,
                b'!' | b'#'
                    | b'$'
                    | b'%'
                    | b'&'
                    | b'\''
                    | b'*'
                    | b'+'
                    | b'-'
                    | b'.'
                    | b'^'
                    | b'_'
                    | b'`'
                    | b'|'
                    | b'~'
            );
        byte += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(fields: &Fields) -> Vec<String> {
        fields
            .iter()
            .map(|(n, v)| format!("{}: {}", String::from_utf8_lossy(n), String::from_utf8_lossy(v)))
            .collect()
    }

    #[test]
    fn set_replaces_all_lines_at_the_place_of_the_first() {
        let mut fields = Fields::new();
        for (name, value) in [("A", "1"), ("x", "2"), ("B", "3"), ("X", "4")] {
            fields.append(name.as_bytes(), value.as_bytes()).expect("valid");
        }
        fields.set(b"X", b"9").expect("valid");
        assert_eq!(lines(&fields), ["A: 1", "X: 9", "B: 3"]);
        assert_eq!(fields.get(b"x"), Some(&b"9"[..]));
        assert!(fields.remove(b"a"));
        assert!(!fields.remove(b"a"));
        fields.set(b"new", b"").expect("valid");
        assert_eq!(lines(&fields), ["X: 9", "B: 3", "new: "]);
    }

    #[test]
    fn control_bytes_and_blank_names_are_refused() {
        let mut fields = Fields::new();
        assert_eq!(fields.append(b"", b"v"), Err(InvalidField::Name));
        assert_eq!(fields.append(b"a b", b"v"), Err(InvalidField::Name));
        assert_eq!(fields.append(b"a", b"v\r\nevil: 1"), Err(InvalidField::Value));
        assert_eq!(fields.append(b"a", b"v\0"), Err(InvalidField::Value));
        assert_eq!(fields.append(b"a", b" v"), Err(InvalidField::Value));
        assert_eq!(fields.append(b"a", b"caf\xe9"), Ok(()));
    }

    #[test]
    fn debug_shows_names_only() {
        let mut fields = Fields::new();
        fields.append(b"Authorization", b"Bearer abc").expect("valid");
        assert_eq!(format!("{fields:?}"), "[\"Authorization\"]");
    }
}
