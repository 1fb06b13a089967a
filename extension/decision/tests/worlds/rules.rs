//! The rule under test: the crate's own functions and the extension's guards, each behind a pointer,
//! so that a mutant replaces exactly one.

use sendgate_decision::account::Account;
use sendgate_decision::books::{Correction, Counted, reconcile};
use sendgate_decision::breaker::Breaker;
use sendgate_decision::clock::{HOUR, Instant};
use sendgate_decision::credits::journal::{Sending, Told, tell};
use sendgate_decision::credits::{Allowance, Calendar, Credits, Observation};
use sendgate_decision::failures::Limits;
use sendgate_decision::gate::{Grant, ProspectHistory, Request, Verdict, decide};
use sendgate_decision::names::{ACTIONS, OperationState};
use sendgate_decision::settle::{Delivery, Failure, Operation, Settled, deliver, expire, fail};

use crate::state::{Op, State};
use crate::time::DECISION_AGE_MAX;

/// What a sweep does between its two looks at the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recount {
    /// Counts again once the row is held; only that is written.
    Held,
    /// Writes what it counted before. Only a mutant does that.
    Never,
}

/// Hears a balance.
pub type Tell = fn(Option<&Credits>, Observation, &[Sending], &Calendar, Allowance, Instant) -> Told;

/// Everything that decides.
#[derive(Clone, Copy)]
pub struct Rules {
    /// `gate::decide`.
    pub decide: fn(&Account, &Request<'_>) -> Verdict,
    /// `settle::deliver`.
    pub deliver: fn(&Account, &Operation, Delivery, Instant) -> Settled,
    /// `settle::fail`.
    pub fail: fn(&Account, &Operation, &Failure, &Limits, Instant) -> Settled,
    /// `settle::expire`.
    pub expire: fn(&Account, &Operation, &Limits, Instant) -> Settled,
    /// `books::reconcile`.
    pub reconcile: fn(&mut Account, &[Counted; ACTIONS]) -> Vec<Correction>,
    /// `Account::roll`, as `midnight_reset` uses it.
    pub roll: fn(&mut Account, Instant),
    /// Whether an event proves that there are credits, as the statement in the journal asks it.
    pub proves: fn(&Breaker, &Op, Instant) -> bool,
    /// What the journal says about a prospect.
    pub history: fn(&State, u8, Instant) -> ProspectHistory,
    /// `credits::journal::tell`.
    pub tell: Tell,
    /// When the first InMail expires that is unanswered and inside its time, as the journal says it.
    pub first_expiry: fn(&State, Instant) -> Option<Instant>,
    /// Whether a write of this look goes through: the guard on the row's version.
    pub finds_version: fn(stale: bool) -> bool,
    /// Whether a grant still holds when its row is written.
    pub holds: fn(&Grant, Instant, Instant) -> bool,
    /// Whether the journal's count has this operation in it.
    pub counts: fn(&Op, Instant) -> bool,
    /// When a sweep counts.
    pub recount: Recount,
    /// How long after its reservation an operation that was given back may turn out to be delivered.
    pub late_delivery: i64,
    /// Whether a repeated rollback changes nothing.
    pub repeats_do_nothing: bool,
    /// Whether a permit may be granted beside this breaker's own.
    pub may_probe: fn(&Breaker, Instant) -> bool,
    /// Whether the audit lets the account cool down once a day.
    pub cools_once_a_day: bool,
}

/// The rule as it is.
pub const REAL: Rules = Rules {
    decide,
    deliver,
    fail,
    expire,
    reconcile,
    roll: Account::roll,
    proves,
    history,
    tell,
    first_expiry,
    finds_version: |stale| !stale,
    holds: |grant, decided_at, written_at| {
        written_at < grant.valid_until.min(decided_at.plus(DECISION_AGE_MAX))
    },
    counts: |op, _| op.is_kept(),
    recount: Recount::Held,
    late_delivery: 72 * HOUR,
    repeats_do_nothing: true,
    may_probe: |breaker, now| breaker.leased(now).is_none(),
    cools_once_a_day: true,
};

/// `journal::has_evidence`, for one event.
fn proves(breaker: &Breaker, op: &Op, now: Instant) -> bool {
    let Some((occurred_at, recorded_at)) = op.event else { return false };
    let recent = occurred_at >= now.plus(-sendgate_decision::breaker::EVIDENCE_WINDOW) && occurred_at <= now;
    breaker.exhausted_at.is_some_and(|stamp| {
        recent && occurred_at > stamp && recorded_at > stamp && op.operation.reserved_at > stamp
    })
}

/// What `reserve` folds from the journal: of this prospect, whatever was not given back.
fn history(state: &State, prospect: u8, _: Instant) -> ProspectHistory {
    let kept = || state.ops.iter().filter(|op| op.prospect == prospect && op.is_kept());
    ProspectHistory {
        unresolved: kept().any(|op| op.operation.state.is_unresolved()),
        last_kept_at: kept().map(|op| op.operation.reserved_at).max(),
    }
}

/// `credits::first_expiry`.
fn first_expiry(state: &State, now: Instant) -> Option<Instant> {
    let open = state.ops.iter().filter(|op| op.operation.state.is_unresolved());
    open.map(|op| op.operation.expires_at).filter(|&at| at > now).min()
}

/// Whether an operation waits for an operator: expired, or of unknown outcome.
pub fn is_for_an_operator(op: &Op, now: Instant) -> bool {
    match op.operation.state {
        OperationState::Indeterminate => true,
        OperationState::Reserved => now >= op.operation.expires_at,
        _ => false,
    }
}
