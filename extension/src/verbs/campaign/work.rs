//! What campaign work may be: the ranges of its step, priority and payload.

use crate::postgres::error::{Code, Error, Result};
use crate::postgres::function::check_number;
use crate::postgres::jsonb::Jsonb;

/// Most steps of a sequence.
const STEP_MAX: i32 = 1_000;

/// Highest priority; the lowest is its negative.
const PRIORITY_MAX: i32 = 100;

/// Longest payload, in bytes of its text: a message with what fills it in, not a file.
const PAYLOAD_BYTES_MAX: usize = 8_192;

/// Passes a step, 1 to 1,000.
///
/// # Errors
/// `SG003`.
pub fn step(step: i32) -> Result<i16> {
    check_number(step, "step", 1, STEP_MAX).map(|step| step as i16)
}

/// Passes a priority, -100 to 100.
///
/// # Errors
/// `SG003`.
pub fn priority(priority: i32) -> Result<i16> {
    check_number(priority, "priority", -PRIORITY_MAX, PRIORITY_MAX).map(|priority| priority as i16)
}

/// Passes a payload of at most 8,192 bytes.
///
/// # Errors
/// `SG003`.
pub fn payload(payload: Jsonb) -> Result<Jsonb> {
    let bytes = payload.text_bytes();
    if bytes <= PAYLOAD_BYTES_MAX {
        return Ok(payload);
    }
    Err(Error::new(
        Code::NumberOutOfRange,
        format!("payload is too large: {bytes} bytes"),
        format!("Allowed are {PAYLOAD_BYTES_MAX} bytes of text, as PostgreSQL writes the value."),
        "Keep what is large in a table of your own, and pass its key.",
    ))
}
