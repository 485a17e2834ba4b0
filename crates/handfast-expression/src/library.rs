//! The tables of the surface and the functions behind them, one module per family of types.

pub(crate) mod array;
mod collections;
mod context;
pub(crate) mod convert;
mod dates;
mod linq;
pub(crate) mod number;
pub(crate) mod random;
pub(crate) mod regex;
mod strings;
pub(crate) mod time;
mod tokens;

use crate::surface::TypeDef;
use crate::types::EnumDef;

/// All types.
pub(crate) fn types() -> impl Iterator<Item = &'static TypeDef> {
    [
        collections::TYPES,
        context::TYPES,
        convert::TYPES,
        dates::TYPES,
        linq::TYPES,
        random::TYPES,
        regex::TYPES,
        strings::TYPES,
        tokens::TYPES,
    ]
    .into_iter()
    .flatten()
}

/// All enumerations.
pub(crate) fn enums() -> impl Iterator<Item = &'static EnumDef> {
    [
        &strings::STRING_COMPARISON,
        &strings::SPLIT_OPTIONS,
        &regex::REGEX_OPTIONS,
        &dates::DATE_KIND,
        &dates::DAY_OF_WEEK,
        &tokens::TOKEN_TYPE,
        &tokens::FORMATTING,
    ]
    .into_iter()
}
