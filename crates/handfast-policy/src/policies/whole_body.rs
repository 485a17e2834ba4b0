//! The body of the section's message for policies that edit it: at hand, or read by the host without its content
//! coding.

use crate::context::Body;
use crate::machine::io::{BodyForm, Input, Output};
use crate::machine::step::{At, Flow, Halt};
use bytes::Bytes;

/// The body when it is at hand, else what has to happen first: it is read, up to so many bytes. Nothing has to be
/// done without a message.
pub(super) fn at_hand(at: &At<'_>, bytes_max: usize) -> Result<Bytes, Flow> {
    let side = at.side();
    match at.context.body(side) {
        Some(Body::Replace(bytes)) => Ok(bytes.clone()),
        Some(Body::Keep) => Err(Flow::Await(Output::ReadBody { side, bytes_max, form: BodyForm::Decoded })),
        None => Err(Flow::Next),
    }
}

/// The body that the host has read.
pub(super) fn read(at: &At<'_>, answer: Input) -> Result<Bytes, Halt> {
    match answer {
        Input::Body(bytes) => Ok(bytes),
        Input::BodyFailed(failure) => Err(failure.failure(at.side()).into()),
        other => Err(other.out_of_turn().into()),
    }
}
