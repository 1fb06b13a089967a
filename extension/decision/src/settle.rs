//! What settles an operation: `confirm`, `rollback` and `resolve_operation` as pure functions.
//!
//! Each takes the account row and the operation as they are, and answers what they become. An
//! operation is settled at most once; truth wins over an earlier give-back.

use crate::account::Account;
use crate::breaker::{ClearReason, Probe};
use crate::clock::{Day, Instant, MINUTE};
use crate::names::{Action, OperationId, OperationState, Outcome, Status};

/// How far a provider's clock may differ from ours: a delivery must not be lost over it.
pub const CLOCK_SKEW_MAX: i64 = 5 * MINUTE;

/// An operation of the journal, as far as settling it needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operation {
    /// Its id.
    pub id: OperationId,
    /// The action.
    pub action: Action,
    /// Its state.
    pub state: OperationState,
    /// The UTC day its slot counts on.
    pub counted_on: Day,
    /// When the slot was taken.
    pub reserved_at: Instant,
    /// Until when it is in flight; later it is expired.
    pub expires_at: Instant,
    /// What it came to, once settled.
    pub outcome: Option<Outcome>,
}

/// A change of the breaker that goes into its log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BreakerChange {
    /// It was stamped.
    Set,
    /// Its stamp was removed.
    Clear(ClearReason),
}

/// What an answer changes.
#[derive(Clone, Debug, PartialEq)]
pub struct Settled {
    /// The row afterwards.
    pub account: Account,
    /// The operation's state afterwards.
    pub state: OperationState,
    /// The outcome to note.
    pub outcome: Option<Outcome>,
    /// What happened to the breaker, in order.
    pub breaker: Vec<BreakerChange>,
    /// The operation had been given back and was delivered all the same.
    pub after_rollback: bool,
}

impl Settled {
    fn new(account: Account, state: OperationState, outcome: Option<Outcome>) -> Settled {
        Settled { account, state, outcome, breaker: Vec::new(), after_rollback: false }
    }
}

/// A delivery reported by the caller.
#[derive(Clone, Copy, Debug)]
pub struct Delivery {
    /// Whether a non-blank chat id came with it.
    pub proven: bool,
    /// When the provider delivered.
    pub occurred_at: Instant,
}

/// Settles an operation as delivered; an InMail without proof becomes indeterminate. The caller
/// has already dealt with an operation that has its event.
pub fn deliver(account: &Account, op: &Operation, delivery: Delivery, now: Instant) -> Settled {
    let mut row = account.rolled(now);
    let after_rollback = op.state == OperationState::Released;
    if after_rollback {
        row.take_back_slot(op.action, op.counted_on);
    }
    if op.action == Action::Inmail && !delivery.proven {
        let mut settled = Settled::new(row, OperationState::Indeterminate, Some(Outcome::Indeterminate));
        settled.after_rollback = after_rollback;
        return settled;
    }
    let mut settled = Settled::new(row, OperationState::Delivered, None);
    settled.after_rollback = after_rollback;
    if op.action == Action::Inmail {
        let breaker = &mut settled.account.breaker;
        // A probe that answers after its lease is judged like any other delivery.
        let probe_proves = breaker.is_probe(&op.id) && breaker.leased(now).is_some();
        let proves = probe_proves || breaker.is_evidence(op.reserved_at, delivery.occurred_at, now);
        if proves && breaker.clear(now) {
            settled.breaker.push(BreakerChange::Clear(ClearReason::RecentSuccessEvidence));
        }
    }
    settled
}

/// Settles an operation as failed with this outcome; what is unknown holds its slot. For operations
/// that are reserved or indeterminate: a definite answer that comes late still settles.
pub fn fail(account: &Account, op: &Operation, outcome: Outcome, cooldown: i64, now: Instant) -> Settled {
    let row = account.rolled(now);
    let mut settled = if outcome == Outcome::Indeterminate {
        Settled::new(row, OperationState::Indeterminate, Some(Outcome::Indeterminate))
    } else {
        release(row, op, outcome)
    };
    let row = &mut settled.account;
    match outcome {
        Outcome::RateLimited => row.cool_down(now.plus(cooldown)),
        Outcome::AccountRestricted => row.status = Status::Restricted,
        // A reconnection must not undo what an operator paused or the provider restricted.
        Outcome::AuthLost if row.status == Status::Connected => row.status = Status::Disconnected,
        _ => {}
    }
    if op.action == Action::Inmail {
        settle_breaker(&mut settled, op, outcome, now);
    }
    settled
}

fn release(mut row: Account, op: &Operation, outcome: Outcome) -> Settled {
    row.give_back_slot(op.action, op.counted_on);
    Settled::new(row, OperationState::Released, Some(outcome))
}

fn settle_breaker(settled: &mut Settled, op: &Operation, outcome: Outcome, now: Instant) {
    let reset_day = settled.account.credit_reset_day;
    let breaker = &mut settled.account.breaker;
    let was_probe = breaker.is_probe(&op.id);
    if outcome == Outcome::CreditsExhausted {
        if was_probe {
            // The probe found the account empty: the old stamp stays, the permit is used up.
            breaker.probe = None;
        }
        if let Some(armed) = breaker.arm(reset_day, op.reserved_at, now) {
            if armed.cleared_lapsed {
                settled.breaker.push(BreakerChange::Clear(ClearReason::MonthlyReset));
            }
            settled.breaker.push(BreakerChange::Set);
        }
    } else if was_probe && settled.state == OperationState::Released {
        // Nothing was said about credits: the permit is back at once, for as long as a fresh one.
        // One whose lease is over has lapsed and stays so.
        let lease = op.expires_at.0.saturating_sub(op.reserved_at.0);
        breaker.probe =
            breaker.leased(now).is_some().then(|| Probe { lease_until: now.plus(lease), taken_by: None });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::fixture::account;
    use crate::clock::{DAY, HOUR};

    fn op(account: &Account, state: OperationState) -> Operation {
        let reserved_at = account.day.start().plus(12 * HOUR);
        Operation {
            id: [7; 16],
            action: Action::Inmail,
            state,
            counted_on: account.day,
            reserved_at,
            expires_at: reserved_at.plus(15 * MINUTE),
            outcome: None,
        }
    }

    fn sent_one() -> Account {
        let mut a = account();
        a.take_slot(Action::Inmail);
        a
    }

    fn proven(at: Instant) -> Delivery {
        Delivery { proven: true, occurred_at: at }
    }

    #[test]
    fn a_delivery_without_proof_holds_its_slot() {
        let a = sent_one();
        let o = op(&a, OperationState::Reserved);
        let settled = deliver(&a, &o, Delivery { proven: false, occurred_at: o.reserved_at }, o.reserved_at);
        assert_eq!(settled.state, OperationState::Indeterminate);
        assert_eq!(settled.account.sent_today[0], 1);
    }

    #[test]
    fn truth_wins_over_a_rollback_even_above_the_cap() {
        let a = account();
        let o = op(&a, OperationState::Released);
        let settled = deliver(&a, &o, proven(o.reserved_at), o.reserved_at);
        assert!(settled.after_rollback);
        assert_eq!((settled.account.sent_today[0], settled.account.sent_this_week[0]), (1, 1));
        // A day later, the same week's counter only (2026-05-24 is a Sunday, so neither).
        let settled = deliver(&a, &o, proven(o.reserved_at), o.reserved_at.plus(DAY));
        assert_eq!((settled.account.sent_today[0], settled.account.sent_this_week[0]), (0, 0));
    }

    #[test]
    fn outcomes_do_what_the_contract_says() {
        let a = sent_one();
        let o = op(&a, OperationState::Reserved);
        let after = |outcome| fail(&a, &o, outcome, HOUR, o.reserved_at);
        for outcome in Outcome::ALL {
            let held = *outcome == Outcome::Indeterminate;
            let settled = after(*outcome);
            assert_eq!(settled.account.sent_today[0], i32::from(held), "{outcome:?}");
            assert_eq!(settled.state == OperationState::Indeterminate, held);
            let armed = settled.account.breaker.exhausted_at.is_some();
            assert_eq!(armed, *outcome == Outcome::CreditsExhausted, "{outcome:?}");
        }
        assert_eq!(after(Outcome::RateLimited).account.cooldown_until, Some(o.reserved_at.plus(HOUR)));
        assert_eq!(after(Outcome::AccountRestricted).account.status, Status::Restricted);
        assert_eq!(after(Outcome::AuthLost).account.status, Status::Disconnected);
        for status in [Status::Restricted, Status::Paused] {
            let stopped = Account { status, ..a.clone() };
            let settled = fail(&stopped, &o, Outcome::AuthLost, HOUR, o.reserved_at);
            assert_eq!(settled.account.status, status, "a reconnection must not undo it");
        }
    }

    fn probing() -> (Account, Operation) {
        let mut a = sent_one();
        let o = op(&a, OperationState::Reserved);
        a.breaker.exhausted_at = Some(o.reserved_at.plus(-HOUR));
        a.breaker.probe = Some(Probe { lease_until: o.expires_at, taken_by: Some(o.id) });
        (a, o)
    }

    #[test]
    fn a_probe_delivers_fails_or_says_nothing() {
        let (a, o) = probing();
        let now = o.reserved_at.plus(MINUTE);
        let delivered = deliver(&a, &o, proven(now), now);
        assert_eq!(delivered.account.breaker.exhausted_at, None);
        assert_eq!(delivered.breaker, [BreakerChange::Clear(ClearReason::RecentSuccessEvidence)]);

        let empty = fail(&a, &o, Outcome::CreditsExhausted, HOUR, now);
        assert_eq!(empty.account.breaker.exhausted_at, a.breaker.exhausted_at, "the old stamp");
        assert_eq!((empty.account.breaker.probe, empty.breaker), (None, vec![]));

        let nothing = fail(&a, &o, Outcome::RecipientRefused, HOUR, now);
        assert!(nothing.account.breaker.has_permit(now), "back at once");

        let unknown = fail(&a, &o, Outcome::Indeterminate, HOUR, now);
        assert!(!unknown.account.breaker.has_permit(now), "held until it lapses");
    }

    #[test]
    fn a_probe_that_answers_after_its_lease_is_no_probe_any_more() {
        let (a, o) = probing();
        let late = o.expires_at.plus(DAY);
        let nothing = fail(&a, &o, Outcome::RecipientRefused, HOUR, late);
        assert_eq!(nothing.account.breaker.probe, None, "a lapsed permit does not come back");
        let stale = Delivery { proven: true, occurred_at: o.reserved_at };
        let delivered = deliver(&a, &o, stale, late);
        assert_eq!(delivered.account.breaker.exhausted_at, a.breaker.exhausted_at, "a day old is no proof");
    }

    #[test]
    fn a_definite_answer_settles_an_unknown_outcome() {
        let a = sent_one();
        let o = op(&a, OperationState::Indeterminate);
        let settled = fail(&a, &o, Outcome::RecipientRefused, HOUR, o.reserved_at);
        assert_eq!((settled.state, settled.account.sent_today[0]), (OperationState::Released, 0));
        let resolved = fail(&a, &o, Outcome::Released, HOUR, o.reserved_at);
        assert_eq!((resolved.state, resolved.account.sent_today[0]), (OperationState::Released, 0));
    }

    #[test]
    fn only_inmails_touch_the_breaker() {
        let a = sent_one();
        let o = Operation { action: Action::Message, ..op(&a, OperationState::Reserved) };
        let settled = fail(&a, &o, Outcome::CreditsExhausted, HOUR, o.reserved_at);
        assert_eq!((settled.account.breaker.exhausted_at, settled.breaker), (None, vec![]));
    }
}
