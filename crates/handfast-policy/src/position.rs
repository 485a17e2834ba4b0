//! Text positions as people count them: 1-based line and column, columns in characters.

use handfast_core::Place;
use std::fmt;

/// A 1-based line and column in the text that the user submitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// 1-based line.
    pub line: u32,
    /// 1-based column, in characters.
    pub column: u32,
}

impl Position {
    /// The first character of a text.
    pub const START: Self = Self { line: 1, column: 1 };

    /// The position of the first character that is not white space of a text that begins here.
    #[must_use]
    pub fn after_blank(self, text: &str) -> Self {
        let blank = text.chars().take_while(|character| character.is_whitespace());
        blank.fold(self, |Self { line, column }, character| match character {
            '\n' => Self { line: line + 1, column: 1 },
            _ => Self { line, column: column + 1 },
        })
    }

    /// The position as a diagnostic's place.
    pub fn place(self) -> Place {
        Place::text(self.line, self.column)
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// Turns byte offsets into positions. Offsets asked in rising order cost one pass over the text in all.
pub(crate) struct Locator<'t> {
    text: &'t str,
    offset: usize,
    position: Position,
}

impl<'t> Locator<'t> {
    pub(crate) fn new(text: &'t str) -> Self {
        Self { text, offset: 0, position: Position::START }
    }

    /// The position of a byte offset; offsets past the end give the end.
    pub(crate) fn locate(&mut self, offset: usize) -> Position {
        if offset < self.offset {
            (self.offset, self.position) = (0, Position::START);
        }
        let rest = self.text.get(self.offset..).unwrap_or_default();
        for (index, character) in rest.char_indices() {
            if self.offset + index >= offset {
                break;
            }
            if character == '\n' {
                self.position.line += 1;
                self.position.column = 1;
            } else {
                self.position.column += 1;
            }
        }
        self.offset = offset.min(self.text.len());
        self.position
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters_not_bytes() {
        let mut locator = Locator::new("é<a>\r\n  x");
        assert_eq!(locator.locate(2), Position { line: 1, column: 2 });
        assert_eq!(locator.locate(9), Position { line: 2, column: 3 });
        assert_eq!(locator.locate(0), Position::START);
        assert_eq!(locator.locate(99), Position { line: 2, column: 4 });
    }
}
