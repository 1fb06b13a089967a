//! Known credits in layer 1: carried over the periods that have begun, and counted again from the last balance and
//! the journal.

use crate::books::sweep::Seen;
use crate::postgres::statement::Spi;
use crate::tables::accounts::AccountRow;
use crate::tables::accounts::held::Held;
use crate::tables::breaker_log::{self, BreakerLine};
use crate::tables::credits::{journals, roll};
use crate::tables::enrollments;
use sendgate_decision::account::Account;
use sendgate_decision::books::{Correction, reconcile_credits};
use sendgate_decision::breaker::ClearReason;
use sendgate_decision::clock::Instant;
use sendgate_decision::credits::journal::Sending;

/// How the credits of an account in hand were changed.
pub(super) struct Counted {
    /// Which of them.
    pub at: usize,
    /// What that corrected; none where a period began, and no more.
    pub correction: Option<Correction>,
    /// The stamp of our own that it cleared, because credits are left after all.
    cleared: Option<Instant>,
}

/// The InMails that count against the credits of each account that has any.
fn of_counted<'a>(
    spi: &Spi,
    accounts: impl Iterator<Item = (usize, &'a str, &'a Account)>,
) -> Vec<(usize, Vec<Sending>)> {
    let counted: Vec<(usize, (&str, Instant))> = accounts
        .filter_map(|(i, id, account)| account.credits.map(|credits| (i, (id, credits.since))))
        .collect();
    let asked: Vec<(&str, Instant)> = counted.iter().map(|(_, asked)| *asked).collect();
    counted.iter().map(|(i, _)| *i).zip(journals(spi, &asked)).collect()
}

/// Those of the accounts whose credits a period has begun for, or are not what the journal counts.
pub(super) fn suspects<'a>(spi: &Spi, seen: &[Seen<'a>], now: Instant) -> Vec<&'a str> {
    let all = seen.iter().enumerate().map(|(i, (id, row))| (i, *id, &row.account));
    let wrong = |(i, sendings): (usize, Vec<Sending>)| {
        let (id, row) = seen[i];
        let mut account = row.account.clone();
        let due = account.credits_due(now).is_some();
        (due || reconcile_credits(&mut account, &sendings, now).is_some()).then_some(id)
    };
    of_counted(spi, all).into_iter().filter_map(wrong).collect()
}

/// Counts the credits of accounts that are held again, in their rows in hand, which are to be written.
pub(super) fn count(spi: &Spi, in_hand: &mut [(Held<'_>, AccountRow)], now: Instant) -> Vec<Counted> {
    let rolled: Vec<bool> = in_hand.iter_mut().map(|(held, row)| roll(spi, held.id(), row, now)).collect();
    let all = in_hand.iter().enumerate().map(|(i, (held, row))| (i, held.id(), &row.account));
    let mut counted = Vec::new();
    for (at, sendings) in of_counted(spi, all) {
        let account = &mut in_hand[at].1.account;
        account.roll(now);
        let correction = reconcile_credits(account, &sendings, now);
        counted.push(Counted { at, correction, cleared: None });
    }
    // The counting of some may have ended.
    counted.extend(
        (0..in_hand.len())
            .filter(|&at| rolled[at] && in_hand[at].1.account.credits.is_none())
            .map(|at| Counted { at, correction: None, cleared: None }),
    );
    counted.retain(|counted| counted.correction.is_some() || rolled[counted.at]);
    for counted in &mut counted {
        let account = &mut in_hand[counted.at].1.account;
        let stamp = account.breaker.exhausted_at;
        if account.balance_lets_go(now) && account.breaker.clear(now) {
            counted.cleared = stamp;
        }
    }
    counted
}

/// Logs the stamps that were cleared, and releases the work that they deferred.
pub(super) fn tell(spi: &Spi, in_hand: &[(Held<'_>, AccountRow)], counted: &[Counted], now: Instant) {
    for counted in counted.iter().filter(|counted| counted.cleared.is_some()) {
        let (account, exhausted_at) = (in_hand[counted.at].0, counted.cleared);
        let reason = ClearReason::BalanceEvidence.name();
        let line = BreakerLine {
            account,
            reason,
            exhausted_at,
            prospect: None,
            campaign: None,
            note: None,
            cause: breaker_log::Cause::default(),
        };
        breaker_log::write(spi, "clear", &line, now);
        enrollments::release(spi, account, now);
    }
}
