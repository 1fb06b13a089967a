//! The breaker's verbs, and the clear that they share with the gate.

mod check;
mod manual;
mod report;

use sendgate_decision::breaker::ClearReason;
use sendgate_decision::clock::Instant;

use crate::account_row::{self, AccountRow};
use crate::enrollment;
use crate::error::Result;
use crate::log::{self, BreakerLine};
use crate::statement::Spi;

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
    if !account_row::write(spi, id, row.version, &account)? {
        return Ok(false);
    }
    let exhausted_at = row.account.breaker.exhausted_at;
    let line = BreakerLine {
        account: id,
        reason: reason.name(),
        exhausted_at,
        prospect,
        campaign: None,
        note: None,
    };
    log::breaker(spi, "clear", &line, now);
    enrollment::release(spi, id, now);
    Ok(true)
}
