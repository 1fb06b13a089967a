//! Clears a breaker for a reason that the rule found.

use crate::postgres::error::Result;
use crate::postgres::statement::Spi;
use crate::tables::accounts::{self, AccountRow};
use crate::tables::breaker_log::{self, BreakerLine, Cause};
use crate::tables::enrollments;
use sendgate_decision::breaker::ClearReason;
use sendgate_decision::clock::Instant;

/// Removes the stamp for a reason that the rule found; `false` when the row has moved on.
pub fn clear_by_rule(
    spi: &Spi,
    id: &str,
    row: &AccountRow,
    reason: ClearReason,
    prospect: Option<&str>,
    now: Instant,
) -> Result<bool> {
    let mut account = row.account.rolled(now);
    account.breaker.clear(now);
    let Some(held) = accounts::write(spi, id, row.version, &account)? else {
        return Ok(false);
    };
    let exhausted_at = row.account.breaker.exhausted_at;
    let line = BreakerLine {
        account: held,
        reason: reason.name(),
        exhausted_at,
        prospect,
        campaign: None,
        note: None,
        cause: Cause::default(),
    };
    breaker_log::write(spi, "clear", &line, now);
    enrollments::release(spi, held, now);
    Ok(true)
}
