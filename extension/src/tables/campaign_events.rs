//! `campaign_events`: what a campaign's prospects were spared, and why.

pub mod many;
pub mod spared;

use crate::postgres::error::Result;
use crate::postgres::ids;
use crate::postgres::param::{params, types};
use crate::postgres::statement::{Spi, Statement};
use crate::tables::accounts::AccountRow;
use crate::tables::accounts::held::Held;
use crate::tables::journal::JournalRow;
use pgrx::pg_sys;
use sendgate_decision::clock::Instant;

static REFUSED: Statement = Statement::new(
    "INSERT INTO sendgate.campaign_events (id, at, account_id, prospect_id, campaign_id, action,
         event_type, reason, operation_id, detail)
     VALUES ($1, $2, $3, $4, $5, $6, 'linkedin_skipped', $7, $8, $9)",
    types![uuid, instant, text, text, text, text, text, uuid, text],
);

const REPEAT_TYPES: &[pg_sys::Oid] = types![text, instant, text, text, instant];

static REPEAT: Statement = Statement::new(
    "UPDATE sendgate.campaign_events e
     SET repeats = e.repeats OPERATOR(pg_catalog.+) 1, last_repeat_at = $5
     WHERE e.account_id OPERATOR(pg_catalog.=) $1 AND e.exhausted_at OPERATOR(pg_catalog.=) $2
       AND e.prospect_id OPERATOR(pg_catalog.=) $3 AND e.campaign_id OPERATOR(pg_catalog.=) $4",
    REPEAT_TYPES,
);

/// Apart from the one above, which finds its row by the whole key.
static REPEAT_WITHOUT_ALL: Statement = Statement::new(
    "UPDATE sendgate.campaign_events e
     SET repeats = e.repeats OPERATOR(pg_catalog.+) 1, last_repeat_at = $5
     WHERE e.account_id OPERATOR(pg_catalog.=) $1 AND e.exhausted_at OPERATOR(pg_catalog.=) $2
       AND (e.prospect_id OPERATOR(pg_catalog.=) $3 OR (e.prospect_id IS NULL AND $3 IS NULL))
       AND (e.campaign_id OPERATOR(pg_catalog.=) $4 OR (e.campaign_id IS NULL AND $4 IS NULL))",
    REPEAT_TYPES,
);

static SKIPPED: Statement = Statement::new(
    "INSERT INTO sendgate.campaign_events AS e (id, at, deferred_to, exhausted_at, account_id,
         prospect_id, campaign_id, action, event_type, reason)
     VALUES ($1, $2, $3, $4, $5, $6, $7, 'inmail', 'linkedin_skipped', 'account_inmail_credits_exhausted')
     ON CONFLICT (account_id, prospect_id, campaign_id, exhausted_at) WHERE exhausted_at IS NOT NULL
     DO UPDATE SET repeats = e.repeats OPERATOR(pg_catalog.+) 1, last_repeat_at = EXCLUDED.at",
    types![uuid, instant, instant, instant, text, text, text],
);

/// Notes that the recipient's side refused for good.
pub(super) fn refused(
    spi: &Spi,
    account: Held<'_>,
    row: &JournalRow,
    reason: &str,
    error: Option<&str>,
    now: Instant,
) {
    let operation = &row.operation;
    spi.run(
        &REFUSED,
        params![
            ids::fresh(),
            now,
            account.id(),
            &row.prospect,
            row.campaign.as_deref(),
            operation.action.name(),
            reason,
            operation.id,
            error
        ],
    );
}

/// An InMail that the breaker skipped.
pub struct Skip<'a> {
    /// The account.
    pub account: &'a str,
    /// The account as the skip was decided on.
    pub seen: &'a AccountRow,
    /// Whom the InMail was for, if the caller said so.
    pub prospect: Option<&'a str>,
    /// Its campaign, if the caller said so.
    pub campaign: Option<&'a str>,
    /// The start of the next credit period.
    pub retry_at: Instant,
}

/// Notes that the breaker skipped an InMail, or counts a repeat where that is noted.
pub fn skipped(spi: &Spi, account: Held<'_>, skip: &Skip<'_>, now: Instant) {
    let stamp = skip.seen.account.breaker.exhausted_at;
    let (id, until) = (ids::fresh(), skip.retry_at);
    spi.run(&SKIPPED, params![id, now, until, stamp, account.id(), skip.prospect, skip.campaign]);
}

/// Counts a repeat of a skip that is noted; `false` when none is.
///
/// # Errors
/// `SG301` when another session holds the same line for too long.
pub fn count_repeat(spi: &Spi, skip: &Skip<'_>, now: Instant) -> Result<bool> {
    let whole = skip.prospect.is_some() && skip.campaign.is_some();
    let statement = if whole { &REPEAT } else { &REPEAT_WITHOUT_ALL };
    let stamp = skip.seen.account.breaker.exhausted_at;
    let values = params![skip.account, stamp, skip.prospect, skip.campaign, now];
    Ok(spi.run_waiting(statement, values)?.count() > 0)
}
