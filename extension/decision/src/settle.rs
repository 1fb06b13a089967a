//! What settles an operation: `confirm`, `rollback` and `resolve_operation` as pure functions.
//!
//! Each takes the account row and the operation as they are, and answers what they become. An
//! operation is settled at most once; truth wins over an earlier give-back.

use crate::account::Account;
use crate::breaker::{ClearReason, OperationId};
use crate::clock::{Day, Instant};
use crate::names::{Action, OperationState, Outcome, Status};

/// An operation of the journal, as far as settling it needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operation {
    /// Its id.
    pub id: OperationId,
    /// What was to be sent.
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
        let proves =
            breaker.is_probe(&op.id) || breaker.is_evidence(op.reserved_at, delivery.occurred_at, now);
        if proves && breaker.clear(now) {
            settled.breaker.push(BreakerChange::Clear(ClearReason::RecentSuccessEvidence));
        }
    }
    settled
}

/// Settles an operation as not delivered, or holds its slot where nobody knows. For operations
/// that are reserved or indeterminate.
pub fn fail(account: &Account, op: &Operation, outcome: Outcome, cooldown: i64, now: Instant) -> Settled {
    let mut row = account.rolled(now);
    if outcome == Outcome::Indeterminate {
        return Settled::new(row, OperationState::Indeterminate, Some(outcome));
    }
    row.give_back_slot(op.action, op.counted_on);
    match outcome {
        Outcome::RateLimited => row.cool_down(now.plus(cooldown)),
        Outcome::AccountRestricted => row.status = Status::Restricted,
        Outcome::AuthLost if row.status != Status::Restricted => row.status = Status::Disconnected,
        _ => {}
    }
    let mut settled = Settled::new(row, OperationState::Released, Some(outcome));
    if op.action == Action::Inmail {
        settle_breaker(&mut settled, op, outcome, now);
    }
    settled
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
    } else if was_probe {
        // Nothing was said about credits: the permit is back at once, for as long as a fresh one.
        if let Some(probe) = &mut breaker.probe {
            let lease = op.expires_at.0.saturating_sub(op.reserved_at.0);
            probe.taken_by = None;
            probe.lease_until = now.plus(lease);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::fixture::account;
    use crate::breaker::Probe;
    use crate::clock::{DAY, HOUR, MINUTE};

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
        let mut restricted = a.clone();
        restricted.status = Status::Restricted;
        let settled = fail(&restricted, &o, Outcome::AuthLost, HOUR, o.reserved_at);
        assert_eq!(settled.account.status, Status::Restricted, "never to something milder");
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
    fn only_inmails_touch_the_breaker() {
        let a = sent_one();
        let o = Operation { action: Action::Message, ..op(&a, OperationState::Reserved) };
        let settled = fail(&a, &o, Outcome::CreditsExhausted, HOUR, o.reserved_at);
        assert_eq!((settled.account.breaker.exhausted_at, settled.breaker), (None, vec![]));
    }
}
