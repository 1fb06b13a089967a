//! Campaign work as an application hands it in, and the ranges of its step, priority and payload.

use crate::postgres::error::{Code, Error, Result};
use crate::postgres::function::check_number;
use crate::postgres::jsonb::Jsonb;
use sendgate_decision::clock::Instant;
use sendgate_decision::names::Action;

/// Most steps of a sequence.
const STEP_MAX: i32 = 1_000;

/// Highest priority; the lowest is its negative.
const PRIORITY_MAX: i32 = 100;

/// Longest payload, in bytes of its text: a message with what fills it in, not a file.
const PAYLOAD_BYTES_MAX: usize = 8_192;

/// A piece of work.
pub struct Work<'a> {
    /// On whose behalf.
    pub campaign: &'a str,
    /// Whom it is for.
    pub prospect: &'a str,
    /// The account to send through.
    pub account: &'a str,
    /// What to send.
    pub action: Action,
    /// Not before; none = now.
    pub dispatch_at: Option<Instant>,
    /// Whether the prospect is connected to the account.
    pub is_connection: bool,
    /// Which message of a sequence.
    pub step: i16,
    /// What the worker gets with it.
    pub payload: Option<Jsonb>,
    /// How urgent it is.
    pub priority: i16,
}

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
