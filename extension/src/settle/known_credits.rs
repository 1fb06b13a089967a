//! What an answer does to known credits, beside the row: work that waited for them may go on.

use crate::postgres::statement::Spi;
use crate::tables::accounts::held::Held;
use crate::tables::breaker_log::{self, BreakerLine};
use crate::tables::dispatch_queue;
use crate::tables::enrollments;
use crate::tables::journal::JournalRow;
use sendgate_decision::account::Account;
use sendgate_decision::breaker::ClearReason;
use sendgate_decision::clock::Instant;
use sendgate_decision::names::Action;
use sendgate_decision::settle::{BreakerChange, Settled};

/// Makes InMails due that waited for a credit, where there is one now: those that the breaker deferred, or those
/// that waited for the ones in flight.
pub fn wake(spi: &Spi, account: Held<'_>, before: &Account, settled: &Settled, now: Instant) {
    if settled.breaker.contains(&BreakerChange::Clear(ClearReason::BalanceEvidence)) {
        enrollments::release(spi, account, now);
    } else if wants_a_look(before, &settled.account) {
        dispatch_queue::wake(spi, account, Some(Action::Inmail), now);
    }
}

/// Whether dispatch should look at InMails now: credits let them pass that stopped them before, or none are left
/// and one fewer is in flight that they wait for; the breaker may have to be stamped.
pub fn wants_a_look(before: &Account, after: &Account) -> bool {
    let none_left = |account: &Account| account.credits.is_some_and(|credits| credits.left <= 0);
    none_left(before) && (after.breaker.exhausted_at.is_none() || !none_left(after))
}

/// Whether known credits let InMails pass that they stopped before.
pub fn let_pass(before: &Account, after: &Account) -> bool {
    let none_left = |account: &Account| account.credits.is_some_and(|credits| credits.left <= 0);
    none_left(before) && !none_left(after)
}

/// The same for an operator's verdict that an InMail was not sent, which changes the breaker only by this.
pub fn tell_resolved(
    spi: &Spi,
    account: Held<'_>,
    row: &JournalRow,
    before: &Account,
    settled: &Settled,
    now: Instant,
) {
    let line = BreakerLine {
        account,
        reason: "",
        exhausted_at: None,
        prospect: Some(&row.prospect),
        campaign: row.campaign.as_deref(),
        note: None,
        cause: breaker_log::Cause { operation: Some(row.operation.id), ..Default::default() },
    };
    breaker_log::write_changes(spi, &settled.breaker, before.breaker.exhausted_at, None, &line, now);
    wake(spi, account, before, settled, now);
}
