//! Why an evaluation stops before its end, for a while or for good.

use crate::each::Each;
use crate::value::{Exception, Value};

/// Something the host must bring before the evaluation can go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// The body of the request.
    RequestBody,
    /// The body of the response.
    ResponseBody,
}

/// Why a member did not return a value.
pub(crate) enum Fault {
    /// An exception that the expression may catch.
    Throw(Exception),
    /// A budget is used up; nothing can catch it.
    Budget,
    /// The same call must be made again when the host has brought this.
    Need(Need),
    /// The result of the call is what this makes of the items of a query.
    Items(Value, crate::each::Finish),
    /// The same call must be made again when this query has been enumerated.
    Force(Value),
    /// The result of the call is the result of this iteration.
    Each(Box<Each>),
}

/// An exception of a type with a message.
pub(crate) fn throw(kind: &'static str, message: impl Into<String>) -> Fault {
    Fault::Throw(Exception { kind, message: message.into() })
}

pub(crate) fn null_reference() -> Fault {
    throw("NullReferenceException", "Object reference not set to an instance of an object.")
}

pub(crate) fn argument_null(name: &str) -> Fault {
    throw("ArgumentNullException", format!("Value cannot be null. (Parameter '{name}')"))
}

pub(crate) fn out_of_range(name: &str, message: &str) -> Fault {
    throw("ArgumentOutOfRangeException", format!("{message} (Parameter '{name}')"))
}

pub(crate) fn format_error() -> Fault {
    throw("FormatException", "Input string was not in a correct format.")
}

pub(crate) fn overflow(prim: crate::types::Prim) -> Fault {
    let article = if prim.clr().starts_with("Int") { "an" } else { "a" };
    throw(
        "OverflowException",
        format!("Value was either too large or too small for {article} {}.", prim.clr()),
    )
}
