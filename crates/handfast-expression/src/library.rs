//! The tables of the surface and the functions behind them, one module per family of types.

pub(crate) mod array;
mod cell;
pub(crate) mod certificate;
mod collections;
mod context;
pub(crate) mod convert;
pub(crate) mod crypto;
mod culture;
mod dates;
mod encoding;
mod exact;
pub(crate) mod gateway;
mod linq;
mod math;
pub(crate) mod number;
pub(crate) mod random;
mod readers;
pub(crate) mod regex;
mod strings;
pub(crate) mod time;
pub(crate) mod tokens;
pub(crate) mod uri;
mod web;
pub(crate) mod xml;
mod zones;

pub(crate) use context::lookup_of;

use crate::surface::TypeDef;
use crate::types::EnumDef;

/// All types.
pub(crate) fn types() -> impl Iterator<Item = &'static TypeDef> {
    [
        collections::TYPES,
        certificate::TYPES,
        context::TYPES,
        convert::TYPES,
        crypto::TYPES,
        culture::TYPES,
        dates::TYPES,
        encoding::TYPES,
        gateway::TYPES,
        linq::TYPES,
        math::TYPES,
        random::TYPES,
        readers::TYPES,
        regex::TYPES,
        strings::TYPES,
        tokens::TYPES,
        uri::TYPES,
        web::TYPES,
        zones::TYPES,
    ]
    .into_iter()
    .flatten()
    .chain(xml::types())
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
        &convert::BASE64_OPTIONS,
        &culture::NUMBER_STYLES,
        &culture::DATE_STYLES,
        &math::MIDPOINT,
        &certificate::NAME_TYPE,
        &certificate::CONTENT_TYPE,
        &context::PRODUCT_STATE,
        &context::BACKEND_TYPE,
        &crypto::CIPHER_MODE,
        &crypto::PADDING_MODE,
        &xml::SAVE_OPTIONS,
        &xml::LOAD_OPTIONS,
        &xml::NODE_TYPE,
        &uri::URI_KIND,
        &uri::URI_PARTIAL,
        &uri::ADDRESS_FAMILY,
    ]
    .into_iter()
}
