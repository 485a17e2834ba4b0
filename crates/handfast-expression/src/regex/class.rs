//! Classes of characters: `[a-z-[aeiou]]`, `\d`, `\w`, `\s`, `\p{L}`, `\p{IsGreek}`.
//!
//! Tables of Unicode categories are those of the `regex` crate, asked one character at a time.

use std::sync::{Arc, LazyLock};

/// A named class.
#[derive(Clone, Debug)]
pub(super) enum Named {
    Digit,
    Word,
    Space,
    /// A Unicode category, as the tables know it.
    Category(Arc<regex::Regex>),
    /// A Unicode block.
    Block(u32, u32),
}

/// A class.
#[derive(Clone, Debug, Default)]
pub(super) struct Class {
    pub(super) negated: bool,
    pub(super) ranges: Vec<(char, char)>,
    /// Named classes, and whether each is negated.
    pub(super) named: Vec<(Named, bool)>,
    pub(super) minus: Option<Box<Class>>,
    /// Only ASCII belongs to `\d`, `\w` and `\s`.
    pub(super) ascii: bool,
    pub(super) fold: bool,
}

static WORD: LazyLock<Option<regex::Regex>> =
    LazyLock::new(|| regex::Regex::new(r"^[\p{L}\p{Mn}\p{Nd}\p{Pc}\x{200c}\x{200d}]$").ok());
static DIGIT: LazyLock<Option<regex::Regex>> = LazyLock::new(|| regex::Regex::new(r"^\p{Nd}$").ok());

fn asked(table: &Option<regex::Regex>, c: char) -> bool {
    table.as_ref().is_some_and(|table| table.is_match(c.encode_utf8(&mut [0; 4])))
}

pub(super) fn is_word(c: char, ascii: bool) -> bool {
    if c.is_ascii() { c.is_ascii_alphanumeric() || c == '_' } else { !ascii && asked(&WORD, c) }
}

pub(super) fn is_digit(c: char, ascii: bool) -> bool {
    if c.is_ascii() { c.is_ascii_digit() } else { !ascii && asked(&DIGIT, c) }
}

fn is_space(c: char, ascii: bool) -> bool {
    if c.is_ascii() { matches!(c, '\t'..='\r' | ' ') } else { !ascii && c.is_whitespace() }
}

/// The blocks that patterns name, with the names that .NET has for them.
const BLOCKS: &[(&str, u32, u32)] = &[
    ("IsBasicLatin", 0, 0x7f),
    ("IsLatin-1Supplement", 0x80, 0xff),
    ("IsLatinExtended-A", 0x100, 0x17f),
    ("IsLatinExtended-B", 0x180, 0x24f),
    ("IsIPAExtensions", 0x250, 0x2af),
    ("IsSpacingModifierLetters", 0x2b0, 0x2ff),
    ("IsCombiningDiacriticalMarks", 0x300, 0x36f),
    ("IsGreek", 0x370, 0x3ff),
    ("IsGreekandCoptic", 0x370, 0x3ff),
    ("IsCyrillic", 0x400, 0x4ff),
    ("IsCyrillicSupplement", 0x500, 0x52f),
    ("IsArmenian", 0x530, 0x58f),
    ("IsHebrew", 0x590, 0x5ff),
    ("IsArabic", 0x600, 0x6ff),
    ("IsSyriac", 0x700, 0x74f),
    ("IsDevanagari", 0x900, 0x97f),
    ("IsBengali", 0x980, 0x9ff),
    ("IsThai", 0xe00, 0xe7f),
    ("IsLao", 0xe80, 0xeff),
    ("IsTibetan", 0xf00, 0xfff),
    ("IsGeorgian", 0x10a0, 0x10ff),
    ("IsHangulJamo", 0x1100, 0x11ff),
    ("IsLatinExtendedAdditional", 0x1e00, 0x1eff),
    ("IsGreekExtended", 0x1f00, 0x1fff),
    ("IsGeneralPunctuation", 0x2000, 0x206f),
    ("IsSuperscriptsandSubscripts", 0x2070, 0x209f),
    ("IsCurrencySymbols", 0x20a0, 0x20cf),
    ("IsLetterlikeSymbols", 0x2100, 0x214f),
    ("IsNumberForms", 0x2150, 0x218f),
    ("IsArrows", 0x2190, 0x21ff),
    ("IsMathematicalOperators", 0x2200, 0x22ff),
    ("IsBoxDrawing", 0x2500, 0x257f),
    ("IsCJKSymbolsandPunctuation", 0x3000, 0x303f),
    ("IsHiragana", 0x3040, 0x309f),
    ("IsKatakana", 0x30a0, 0x30ff),
    ("IsCJKUnifiedIdeographs", 0x4e00, 0x9fff),
    ("IsHangulSyllables", 0xac00, 0xd7af),
    ("IsPrivateUse", 0xe000, 0xf8ff),
    ("IsSpecials", 0xfff0, 0xffff),
];

/// What `\p{name}` names.
pub(super) fn named(name: &str) -> Option<Named> {
    if let Some(block) = BLOCKS.iter().find(|block| block.0 == name) {
        return Some(Named::Block(block.1, block.2));
    }
    let category = name.len() <= 2 && name.bytes().all(|byte| byte.is_ascii_alphabetic());
    let table = regex::Regex::new(&format!(r"^\p{{{name}}}$")).ok().filter(|_| category)?;
    Some(Named::Category(Arc::new(table)))
}

impl Class {
    /// Whether a character belongs to the class.
    pub(super) fn has(&self, c: char) -> bool {
        let found = self.holds(c) || self.fold && other_cases(c).any(|other| self.holds(other));
        (found != self.negated) && self.minus.as_ref().is_none_or(|minus| !minus.has(c))
    }

    fn holds(&self, c: char) -> bool {
        self.ranges.iter().any(|range| (range.0..=range.1).contains(&c))
            || self.named.iter().any(|(named, negated)| {
                let found = match named {
                    Named::Digit => is_digit(c, self.ascii),
                    Named::Word => is_word(c, self.ascii),
                    Named::Space => is_space(c, self.ascii),
                    Named::Category(table) => table.is_match(c.encode_utf8(&mut [0; 4])),
                    Named::Block(first, last) => (*first..=*last).contains(&(c as u32)),
                };
                found != *negated
            })
    }
}

fn other_cases(c: char) -> impl Iterator<Item = char> {
    c.to_lowercase().chain(c.to_uppercase()).filter(move |other| *other != c)
}

/// One character without its case.
pub(super) fn folded(c: char) -> char {
    if c.is_ascii() {
        return c.to_ascii_lowercase();
    }
    let mut lower = c.to_lowercase();
    match (lower.next(), lower.next()) {
        (Some(only), None) => only,
        _ => c,
    }
}
