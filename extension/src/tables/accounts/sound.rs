//! Rules over several columns of an account's row: they hold for the gate's writes and for a DBA's.

use crate::postgres::error::{Code, Error, Result};
use crate::postgres::trigger::Watched;
use sendgate_decision::window::Window;

/// How many columns [`check`] reads.
pub const COLUMNS: usize = 10;

/// Checks these columns of a row: start, end and days of the sending window; the stamp, the lease and the holder
/// of a permit; a balance's base, since when it counts, when it was observed, and when it was spent.
///
/// # Errors
/// `23514`, which says what does not fit.
pub fn check(columns: &[Watched<'_>; COLUMNS]) -> Result<()> {
    let [start, end, days, stamp, lease, holder, base, since, observed, spent] = columns;
    let number = |column: &Watched| column.value().map(|datum| datum.value() as i64);
    let has_window = [start, end, days].iter().any(|part| part.is_some());
    if has_window && !window_is_sound(number(start), number(end), number(days).map(|days| days as i16)) {
        return Err(impossible(
            "the sending window of an account cannot be",
            "window_start, window_end and window_days are all NULL, or a window of some length on some day.",
            "Call sendgate.set_window(account_id, start, end, days).",
        ));
    }
    if !permit_is_sound(lease.is_some(), holder.is_some(), stamp.is_some()) {
        return Err(impossible(
            "the permit of an account cannot be",
            "A permit lies only under a stamp of exhausted credits, and one that is taken has a lease.",
            "Call sendgate.breaker_probe(account_id) or sendgate.breaker_clear(account_id, …).",
        ));
    }
    let parts = [base, since, observed].map(|part| part.is_some());
    if parts.iter().any(|part| *part != parts[0]) || (spent.is_some() && !parts[0]) {
        return Err(impossible(
            "the InMail balance of an account has only some of its parts",
            "credits_base, credits_since and credits_observed_at are all NULL or none of them, and credits_spent_at needs them.",
            "Call sendgate.record_credit_balance(account_id, balance) or sendgate.forget_credit_balance(account_id, note).",
        ));
    }
    Ok(())
}

/// A window has all of its parts or none, and can be.
pub fn window_is_sound(start: Option<i64>, end: Option<i64>, days: Option<i16>) -> bool {
    match (start, end, days) {
        (None, None, None) => true,
        (Some(start), Some(end), Some(days)) => {
            u8::try_from(days).is_ok_and(|days| Window::new(start, end, days).is_ok())
        }
        _ => false,
    }
}

/// A permit lies only under a stamp, and one that is taken has a lease.
pub fn permit_is_sound(is_leased: bool, is_taken: bool, is_stamped: bool) -> bool {
    (is_leased || !is_taken) && (is_stamped || !is_leased)
}

fn impossible(message: &str, detail: &str, hint: &str) -> Error {
    Error::new(Code::Impossible, message, detail, hint)
}
