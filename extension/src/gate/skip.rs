//! An InMail that an open breaker skips: logged once, and its enrollment deferred.

use crate::postgres::error::Result;
use crate::postgres::statement::Spi;
use crate::tables::accounts;
use crate::tables::breaker_log;
use crate::tables::campaign_events::{self, Skip, count_repeat};
use crate::tables::enrollments;
use sendgate_decision::clock::Instant;

/// Logs a skip once per prospect, campaign and stamp, defers the enrollment, and only counts the
/// repeats; `false` when the account has changed meanwhile and the skip is to be decided anew. The
/// first skip holds the account, like every other write about it. A repeat locks only its own line, so
/// that workers who ask an exhausted account again and again do not slow down its other actions.
///
/// # Errors
/// `SG301` when another session holds the account, or the line, for too long.
pub fn skip(spi: &Spi, skip: &Skip<'_>, now: Instant) -> Result<bool> {
    if count_repeat(spi, skip, now)? {
        return Ok(true);
    }
    let (held, row) = accounts::hold(spi, skip.account)?;
    if row.version != skip.seen.version {
        return Ok(false);
    }
    // The hold may have waited for another session's first skip of the same.
    if count_repeat(spi, skip, now)? {
        return Ok(true);
    }
    campaign_events::skipped(spi, held, skip, now);
    breaker_log::write_skip(spi, held, skip, now);
    if let (Some(prospect), Some(campaign)) = (skip.prospect, skip.campaign) {
        enrollments::defer(spi, held, prospect, campaign, skip.retry_at, now);
    }
    Ok(true)
}
