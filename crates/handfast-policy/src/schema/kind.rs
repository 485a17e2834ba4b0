//! Literal types of attributes, with the .NET schema validator's words for a value that does not fit.

/// What a literal attribute value must look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Any text.
    Text,
    /// Text with at least one character.
    Name,
    /// `true` or `false` in any letter case.
    Boolean,
    /// A decimal number within inclusive bounds.
    Unsigned {
        /// The smallest value.
        min: u32,
        /// The largest value.
        max: u32,
    },
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// One of these words in any letter case.
    OneOfAnyCase(&'static [&'static str]),
}

impl Kind {
    /// Why the value does not fit: the text after `The 'x' attribute is invalid - `.
    pub(crate) fn objection(self, value: &str) -> Option<String> {
        let invalid = |datatype: &str, reason: &str| {
            Some(format!("The value '{value}' is invalid according to its datatype '{datatype}' - {reason}"))
        };
        match self {
            Self::Name if value.is_empty() => {
                invalid(STRING, "The actual length is less than the MinLength value.")
            }
            Self::Boolean if parse_bool(value).is_none() => {
                invalid(BOOLEAN, &format!("The string '{value}' is not a valid Boolean value."))
            }
            Self::Unsigned { min, max } => match value.trim().parse::<u32>() {
                Err(_) => invalid(UNSIGNED, &format!("The string '{value}' is not a valid UInt32 value.")),
                Ok(number) if number < min => invalid(UNSIGNED, "The MinInclusive constraint failed."),
                Ok(number) if number > max => invalid(UNSIGNED, "The MaxInclusive constraint failed."),
                Ok(_) => None,
            },
            Self::OneOf(words) if !words.contains(&value) => invalid(STRING, ENUMERATION),
            Self::OneOfAnyCase(words) if !words.iter().any(|word| word.eq_ignore_ascii_case(value)) => {
                invalid(STRING, ENUMERATION)
            }
            _ => None,
        }
    }

    /// The words to choose from, for the help line.
    pub(crate) fn accepted(self) -> Option<String> {
        match self {
            Self::OneOf(words) | Self::OneOfAnyCase(words) => {
                Some(format!("use one of: {}", words.join(", ")))
            }
            Self::Unsigned { min, max } if max < u32::MAX => {
                Some(format!("use a number from {min} to {max}"))
            }
            Self::Boolean => Some("use true or false".to_owned()),
            _ => None,
        }
    }
}

const STRING: &str = "http://www.w3.org/2001/XMLSchema:string";
const BOOLEAN: &str = "http://www.w3.org/2001/XMLSchema:boolean";
const UNSIGNED: &str = "http://www.w3.org/2001/XMLSchema:unsignedInt";
const ENUMERATION: &str = "The Enumeration constraint failed.";

/// `true` or `false` in any letter case.
pub(crate) fn parse_bool(value: &str) -> Option<bool> {
    let value = value.trim();
    if value.eq_ignore_ascii_case("true") {
        return Some(true);
    }
    value.eq_ignore_ascii_case("false").then_some(false)
}
