//! What settles an operation: `confirm`, `rollback` and `resolve_operation` as pure functions.
//!
//! Each takes the account row and the operation as they are, and answers what they become. An
//! operation is settled at most once; truth wins over an earlier give-back.

use crate::account::Account;
use crate::breaker::{ClearReason, Probe};
use crate::clock::{Day, Instant, MINUTE, credit_period_start};
use crate::credits::Credits;
use crate::credits::stamp::Cause;
use crate::failures::{Attempt, Change, Limits};
use crate::names::{Action, CooldownCause, OperationId, OperationState, Outcome, Scope, Status};

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
    /// Whether it came through the gate; an external send is no attempt.
    pub is_attempt: bool,
    /// Whether layer 1 listed it as expired: its end is counted then.
    pub listed: bool,
    /// When it was delivered or given back; none while neither is known.
    pub settled_at: Option<Instant>,
    /// Whether it was granted where no known credit was left.
    pub beyond_credits: bool,
}

impl Operation {
    /// Its end, as failures in a row count it.
    fn attempt(&self) -> Attempt {
        Attempt {
            reserved_at: self.reserved_at,
            expires_at: self.expires_at,
            counted: self.listed || self.state != OperationState::Reserved,
        }
    }
}

/// A change of a cooldown that goes into its log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CooldownChange {
    /// Which action cools down; none = the account.
    pub action: Option<Action>,
    /// Why.
    pub cause: CooldownCause,
    /// Until when from now on; none = it is over.
    pub until: Option<Instant>,
    /// Whether the cooldown begins with this: none lasted before.
    pub began: bool,
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
    /// What happened to cooldowns, in order.
    pub cooldowns: Vec<CooldownChange>,
    /// The operation had been given back and was delivered all the same.
    pub after_rollback: bool,
}

impl Settled {
    fn new(account: Account, state: OperationState, outcome: Option<Outcome>) -> Settled {
        Settled { account, state, outcome, breaker: Vec::new(), cooldowns: Vec::new(), after_rollback: false }
    }
}

impl Settled {
    fn note_failures(&mut self, action: Action, change: Option<Change>) {
        let Some(change) = change else { return };
        let failing = self.account.failures[action.index()].failing;
        self.cooldowns.push(CooldownChange {
            action: Some(action),
            cause: CooldownCause::Failing,
            until: failing.map(|failing| failing.until),
            began: change == Change::Began,
        });
    }

    /// Lets the account or an action cool down, and notes it unless it did so for longer already.
    fn cool_down(&mut self, action: Option<Action>, cause: CooldownCause, until: Instant, now: Instant) {
        let row = &mut self.account;
        let old = match action {
            Some(action) => row.action_cooldown_until[action.index()],
            None => row.cooldown_until,
        };
        match action {
            Some(action) => row.cool_down_action(action, until),
            None => row.cool_down(until),
        }
        if old < Some(until) {
            let began = old.is_none_or(|old| old <= now);
            self.cooldowns.push(CooldownChange { action, cause, until: Some(until), began });
        }
    }
}

/// A failure reported by the caller, as the classifier read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What it came to.
    pub outcome: Outcome,
    /// What a rate limit stops.
    pub scope: Scope,
    /// How long the cooldown lasts, or the recipient is left alone, in microseconds; 0 or more. Outcomes
    /// that know no wait leave it aside.
    pub wait: i64,
}

impl Failure {
    /// A delivery that was reported without proof.
    pub const UNPROVEN: Failure = Failure { outcome: Outcome::Indeterminate, scope: Scope::Account, wait: 0 };

    /// An operator's verdict that nothing was sent.
    pub const NOT_SENT: Failure = Failure { outcome: Outcome::NotSent, scope: Scope::Account, wait: 0 };
}

/// A delivery reported by the caller.
#[derive(Clone, Copy, Debug)]
pub struct Delivery {
    /// Whether a non-blank chat id came with it.
    pub proven: bool,
    /// When the provider delivered.
    pub occurred_at: Instant,
    /// Whether it is an operator's verdict, which says nothing about failures in a row.
    pub by_operator: bool,
}

/// Settles an operation as delivered; an InMail without proof becomes indeterminate. The caller
/// has already dealt with an operation that has its event.
pub fn deliver(account: &Account, op: &Operation, delivery: Delivery, now: Instant) -> Settled {
    let mut row = account.rolled(now);
    let after_rollback = op.state == OperationState::Released;
    if after_rollback {
        row.take_back_slot(op.action, op.counted_on);
        if op.is_attempt && op.outcome == Some(Outcome::Released) {
            row.take_back_attempt(op.action, op.counted_on);
        }
        if let (Action::Inmail, Some(credits), Some(at)) = (op.action, &mut row.credits, op.settled_at) {
            credits.take_back(op.reserved_at, op.expires_at, at);
        }
    }
    if op.action == Action::Inmail && !delivery.proven {
        let mut settled = Settled::new(row, OperationState::Indeterminate, Some(Outcome::Indeterminate));
        settled.after_rollback = after_rollback;
        return settled;
    }
    let mut settled = Settled::new(row, OperationState::Delivered, None);
    settled.after_rollback = after_rollback;
    if op.is_attempt && !delivery.by_operator {
        let change = settled.account.failures[op.action.index()].deliver(&op.attempt());
        settled.note_failures(op.action, change);
    }
    if op.action == Action::Inmail {
        let breaker = &mut settled.account.breaker;
        // A probe that answers after its lease is judged like any other delivery.
        let probe_proves = breaker.is_probe(&op.id) && breaker.leased(now).is_some();
        let proves = probe_proves || breaker.is_evidence(op.reserved_at, delivery.occurred_at, now);
        if proves && breaker.clear(now) {
            settled.breaker.push(BreakerChange::Clear(ClearReason::RecentSuccessEvidence));
        }
        let row = &mut settled.account;
        row.credits = row.credits.filter(|c| !c.is_contradicted_by(op.reserved_at, op.beyond_credits));
        let_go_by_balance(&mut settled, now);
    }
    settled
}

/// Removes our own stamp where the credits that it was set for are there again, or are not counted any more.
fn let_go_by_balance(settled: &mut Settled, now: Instant) {
    if settled.account.balance_lets_go(now) && settled.account.breaker.clear(now) {
        settled.breaker.push(BreakerChange::Clear(ClearReason::BalanceEvidence));
    }
}

/// Settles an operation as failed; what is unknown holds its slot. For operations that are reserved or
/// indeterminate: a definite answer that comes late still settles.
pub fn fail(account: &Account, op: &Operation, failure: &Failure, limits: &Limits, now: Instant) -> Settled {
    fail_among(account, op, failure, limits, 0, now)
}

/// The same, where the provider found no credits and a balance is counted: `others_unanswered` InMails are in
/// flight beside this one.
pub fn fail_among(
    account: &Account,
    op: &Operation,
    failure: &Failure,
    limits: &Limits,
    others_unanswered: i32,
    now: Instant,
) -> Settled {
    let outcome = failure.outcome;
    let row = account.rolled(now);
    let mut settled = if outcome == Outcome::Indeterminate {
        Settled::new(row, OperationState::Indeterminate, Some(Outcome::Indeterminate))
    } else {
        release(row, op, outcome)
    };
    if outcome != Outcome::NotSent {
        let failures = &mut settled.account.failures[op.action.index()];
        let change = failures.fail(limits, &op.attempt(), outcome, now);
        settled.note_failures(op.action, change);
    }
    cool_down(&mut settled, op.action, failure, now);
    let row = &mut settled.account;
    match outcome {
        Outcome::AccountRestricted => row.set_status(Status::Restricted),
        // A reconnection must not undo what an operator paused or the provider restricted.
        Outcome::AuthLost if row.status == Status::Connected => row.set_status(Status::Disconnected),
        _ => {}
    }
    if op.action == Action::Inmail {
        let before = settle_credits(&mut settled, op, outcome, now);
        settle_breaker(&mut settled, op, outcome, (before, others_unanswered), now);
        let_go_by_balance(&mut settled, now);
    }
    settled
}

/// The cooldown that the provider's answer asks for, failures in a row aside.
fn cool_down(settled: &mut Settled, action: Action, failure: &Failure, now: Instant) {
    let (of, cause) = match (failure.outcome, failure.scope) {
        (Outcome::RateLimited, Scope::Account) => (None, CooldownCause::RateLimited),
        (Outcome::RateLimited, Scope::Action) => (Some(action), CooldownCause::RateLimited),
        (Outcome::ActionUnavailable, _) => (Some(action), CooldownCause::ActionUnavailable),
        _ => return,
    };
    settled.cool_down(of, cause, now.plus(failure.wait), now);
}

/// Lists an operation that has expired, once: it holds its slot, and counts as a failure. The state stays `reserved`.
pub fn expire(account: &Account, op: &Operation, limits: &Limits, now: Instant) -> Settled {
    let mut settled = Settled::new(account.rolled(now), op.state, op.outcome);
    if op.is_attempt {
        let change = settled.account.failures[op.action.index()].expire(limits, &op.attempt(), now);
        settled.note_failures(op.action, change);
    }
    settled
}

fn release(mut row: Account, op: &Operation, outcome: Outcome) -> Settled {
    row.give_back_slot(op.action, op.counted_on);
    if outcome == Outcome::Released {
        row.give_back_attempt(op.action, op.counted_on);
    }
    Settled::new(row, OperationState::Released, Some(outcome))
}

/// What a released InMail changes of known credits, which are returned as they were before.
fn settle_credits(settled: &mut Settled, op: &Operation, outcome: Outcome, now: Instant) -> Option<Credits> {
    let reset_day = settled.account.credit_reset_day;
    let before = settled.account.credits;
    if let Some(credits) = settled.account.credits.as_mut().filter(|_| outcome != Outcome::Indeterminate) {
        let none_left =
            outcome == Outcome::CreditsExhausted && credits.exhausted(op.reserved_at, reset_day, now);
        if !none_left {
            credits.give_back(op.reserved_at, op.expires_at);
        }
    }
    before
}

fn settle_breaker(
    settled: &mut Settled,
    op: &Operation,
    outcome: Outcome,
    (credits, others_unanswered): (Option<Credits>, i32),
    now: Instant,
) {
    let reset_day = settled.account.credit_reset_day;
    let breaker = &mut settled.account.breaker;
    let was_probe = breaker.is_probe(&op.id);
    if outcome == Outcome::CreditsExhausted {
        if was_probe {
            // The probe found the account empty: the old stamp stays, the permit is used up.
            breaker.probe = None;
        }
        if credits.is_some_and(|credits| credits.outdates(op.reserved_at, now)) {
            return;
        }
        let cause = Cause::provider(credits.as_ref(), others_unanswered);
        let stands = breaker.exhausted_at.is_some() && !breaker.is_stale(op.reserved_at, now);
        if let Some(armed) = breaker.arm_for(cause, reset_day, op.reserved_at, now) {
            if armed.cleared_lapsed {
                settled.breaker.push(BreakerChange::Clear(ClearReason::MonthlyReset));
            }
            settled.breaker.push(BreakerChange::Set);
        } else if stands && op.reserved_at >= credit_period_start(reset_day, now) {
            breaker.cause = breaker.cause.and_provider(credits.as_ref(), others_unanswered);
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
mod tests;
