//! The clock of every decision: the server's, or the test clock that a setting freezes or shifts.

use crate::postgres::function::{Answer, Args, sql_reading};
use crate::postgres::gucs;
use pgrx::{IntoDatum, pg_sys};
use sendgate_decision::clock::Instant;

sql_reading!(sendgate_clock, pg_finfo_sendgate_clock, clock);

/// The instant by which sendgate decides: the real time, or the test clock's.
pub fn now() -> Instant {
    if let Some(frozen) = gucs::frozen_now() {
        return frozen;
    }
    let real = unsafe { pg_sys::GetCurrentTimestamp() };
    Instant(real).plus(gucs::clock_offset())
}

fn clock(_args: &Args) -> Answer {
    Ok(now().0.into_datum())
}
