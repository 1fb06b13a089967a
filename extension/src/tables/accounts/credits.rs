//! Known credits in the account row, and who stamped its breaker. An account without a told balance has NULL in
//! all these columns.

use crate::postgres::row::Row;
use sendgate_decision::breaker::Breaker;
use sendgate_decision::credits::Credits;
use sendgate_decision::credits::stamp::Cause;

/// The provider refused an InMail.
const PROVIDER: &str = "provider";

/// None were left by our own count.
const SPENT: &str = "credits_spent";

/// An operator.
const MANUAL: &str = "manual";

/// Reads `credits_left`, `credits_base`, `credits_since`, `credits_observed_at`, `credits_spent_at`.
pub(super) fn read(row: &mut Row) -> Option<Credits> {
    let (left, base) = (row.nullable(), row.nullable());
    let (since, observed_at, spent_at) =
        (row.nullable_instant(), row.nullable_instant(), row.nullable_instant());
    Credits::of_columns(left, base, since, observed_at, spent_at)
}

/// Reads `inmail_credits_stamp`, `inmail_credits_above`. A stamp of before 0.3.0 says neither: it counts as the
/// provider's, with nothing counted.
pub(super) fn read_cause(row: &mut Row) -> Cause {
    let (stamp, above) = (row.nullable::<&str>(), row.nullable());
    match stamp {
        Some(SPENT) => Cause::Spent,
        Some(MANUAL) => Cause::Manual,
        _ => Cause::Provider { above: above.unwrap_or(0) },
    }
}

/// The same columns of a breaker: NULL without a stamp.
pub(super) fn cause_columns(breaker: &Breaker) -> (Option<&'static str>, Option<i32>) {
    match breaker.cause {
        _ if breaker.exhausted_at.is_none() => (None, None),
        Cause::Provider { above } => (Some(PROVIDER), Some(above)),
        Cause::Spent => (Some(SPENT), None),
        Cause::Manual => (Some(MANUAL), None),
    }
}
