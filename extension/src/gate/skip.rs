//! What is skipped: an InMail by an open breaker, logged once, and its enrollment deferred; a send of a campaign
//! to a suppressed prospect, logged once.

use crate::gate::look::Ask;
use crate::postgres::error::Result;
use crate::postgres::statement::Spi;
use crate::tables::accounts::{self, AccountRow};
use crate::tables::breaker_log;
use crate::tables::campaign_events::spared::{self, Spared};
use crate::tables::campaign_events::{self, Skip, count_repeat};
use crate::tables::enrollments;
use crate::tables::suppressions::Suppressed;
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
    let (held, row) = accounts::hold(skip.account)?;
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

/// Logs once per prospect, campaign, action and suppression that a campaign may not write to the prospect for
/// good; `false` when the account has changed meanwhile and it is to be decided anew. Nothing is logged
/// about a suppression that ends by itself: the work only waits.
///
/// # Errors
/// `SG301` when another session holds the account for too long.
pub fn spare(
    spi: &Spi,
    ask: &Ask<'_>,
    seen: &AccountRow,
    campaign: &str,
    suppressed: Suppressed,
    now: Instant,
) -> Result<bool> {
    let Some(prospect) = ask.prospect.filter(|_| suppressed.rule.until.is_none()) else {
        return Ok(true);
    };
    if spared::is_noted(spi, ask.account, prospect, campaign, ask.action, suppressed.since) {
        return Ok(true);
    }
    let (account, row) = accounts::hold(ask.account)?;
    if row.version != seen.version {
        return Ok(false);
    }
    let action = ask.action;
    spared::note(spi, &[Spared { account, prospect, campaign, action, since: suppressed.since }], now);
    Ok(true)
}
