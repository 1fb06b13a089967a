//! What known credits come to before a decision: a period begins, or the breaker is stamped because none are left.

use crate::postgres::clock;
use crate::postgres::error::Result;
use crate::postgres::statement::Spi;
use crate::tables::accounts::{self, AccountRow};
use crate::tables::breaker_log::{self, BreakerLine};
use crate::tables::credits;
use sendgate_decision::account::Account;
use sendgate_decision::breaker::ClearReason;
use sendgate_decision::clock::Instant;
use sendgate_decision::credits::stamp::Cause;

/// Why a breaker was stamped before the provider had to say so.
pub const SPENT: &str = "credits_spent";

/// Stamps the breaker of an account that has no known credits left. Whether a stamp of an earlier period went
/// on the way: there is none, because the rule clears it first.
pub fn arm(account: &mut Account, now: Instant) {
    account.breaker.arm_for(Cause::Spent, account.credit_reset_day, now, now);
}

/// Stamps the breaker because the rule found no credits left; `false` when the row has moved on.
pub fn arm_by_rule(
    spi: &Spi,
    id: &str,
    row: &AccountRow,
    (prospect, campaign): (Option<&str>, Option<&str>),
    now: Instant,
) -> Result<bool> {
    let mut account = row.account.rolled(now);
    arm(&mut account, now);
    let Some(held) = accounts::write(spi, id, row.version, &account)? else {
        return Ok(false);
    };
    let exhausted_at = account.breaker.exhausted_at;
    let line = BreakerLine {
        account: held,
        reason: SPENT,
        exhausted_at,
        prospect,
        campaign,
        note: None,
        cause: breaker_log::Cause::default(),
    };
    breaker_log::write(spi, "set", &line, now);
    Ok(true)
}

/// Carries the known credits of an account over the start of a period, with the row held.
pub fn begin_periods(spi: &Spi, id: &str) -> Result<()> {
    let (held, mut row) = accounts::hold(id)?;
    if credits::roll(spi, id, &mut row, clock::now()) {
        accounts::write_held(spi, held, row.version, &row.account)?;
    }
    Ok(())
}

/// Whether a stamp has to go because of the balance that is known.
pub fn let_go(row: &AccountRow, now: Instant) -> Option<ClearReason> {
    row.account.balance_lets_go(now).then_some(ClearReason::BalanceEvidence)
}
