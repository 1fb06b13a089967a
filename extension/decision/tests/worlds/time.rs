//! The instants at which a world lives. A few are enough: rules change their mind at midnight, at the
//! start of a week and of a credit period, when an operation or a lease runs out, and an hour after a
//! delivery.

use sendgate_decision::clock::{Day, Instant, MINUTE, SECOND};

/// How long an operation has for its answer, and a permit for its probe.
pub const TTL: i64 = 15 * MINUTE;

/// A decision older than this is made again, as the extension does.
pub const DECISION_AGE_MAX: i64 = SECOND;

const fn clock(hour: i64, minute: i64, second: i64, milli: i64) -> i64 {
    ((hour * 60 + minute) * 60 + second) * SECOND + milli * 1_000
}

/// A moment of 2026: month, day, and microseconds into the day.
pub type Moment = (u8, u8, i64);

/// Two midnights in a row; the second starts a week (2026-06-01 is a Monday) and a credit period.
pub const TWO_MIDNIGHTS: &[Moment] =
    &[(5, 30, clock(23, 59, 59, 600)), (5, 31, clock(0, 0, 0, 0)), (6, 1, 0)];

/// The end of a credit period: an operation lives across it, and then everything runs out.
pub const PERIOD_END: &[Moment] = &[
    (5, 31, clock(23, 59, 59, 600)),
    (6, 1, clock(0, 0, 0, 0)),
    (6, 1, clock(0, 6, 0, 0)),
    (6, 1, clock(1, 30, 0, 0)),
];

/// A credit period begins while an operation is in flight; then that one runs out.
pub const PERIOD_START: &[Moment] =
    &[(5, 31, clock(23, 50, 0, 0)), (6, 1, clock(0, 1, 0, 0)), (6, 1, clock(0, 20, 0, 0))];

/// An operation runs out, and later its day ends.
pub const RUNNING_OUT: &[Moment] = &[(5, 30, clock(9, 0, 0, 0)), (5, 30, clock(9, 20, 0, 0)), (5, 31, 0)];

/// A morning with time for an operation to run out.
pub const ONE_MORNING: &[Moment] =
    &[(5, 13, clock(9, 0, 0, 0)), (5, 13, clock(9, 10, 0, 0)), (5, 13, clock(9, 20, 0, 0))];

/// An action fails, is silent for ten minutes, and one attempt after the other finds out: each runs out in its
/// turn.
pub const SILENCES: &[Moment] =
    &[(5, 13, clock(9, 0, 0, 0)), (5, 13, clock(9, 12, 0, 0)), (5, 13, clock(9, 30, 0, 0))];

/// The instant of a moment.
pub fn instant((month, day, micros): Moment) -> Instant {
    Day::from_civil(2026, month, day).start().plus(micros)
}

/// The month that an instant lies in: with credits on the 1st, its credit period. Written without the
/// crate's periods.
pub fn month(at: Instant) -> (i32, u8) {
    let (year, month, _) = at.day().civil();
    (year, month)
}
