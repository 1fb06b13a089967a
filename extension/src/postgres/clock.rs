//! The one clock.

use pgrx::{IntoDatum, pg_sys};
use sendgate_decision::clock::Instant;

use crate::entry::{Answer, Args, sql_reading};
use crate::settings;

sql_reading!(sendgate_clock, pg_finfo_sendgate_clock, clock);

/// The instant by which sendgate decides: the real time, or the test clock's.
pub fn now() -> Instant {
    if let Some(frozen) = settings::frozen_now() {
        return frozen;
    }
    let real = unsafe { pg_sys::GetCurrentTimestamp() };
    Instant(real).plus(settings::clock_offset())
}

fn clock(_args: &Args) -> Answer {
    Ok(now().0.into_datum())
}
