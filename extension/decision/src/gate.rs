//! The gate: may this account do this now, and what does its row look like afterwards?

use crate::account::Account;
use crate::breaker::{ClearReason, Probe, Reading};
use crate::budget::{Budget, TierCap};
use crate::clock::{Day, Instant};
use crate::names::{Action, OperationId, Reason, Status};
use crate::window::Zone;

/// What a decision needs beside the account row.
pub struct Request<'a> {
    /// What is to be sent.
    pub action: Action,
    /// The instant of the decision.
    pub now: Instant,
    /// The operation that asks.
    pub operation: OperationId,
    /// Whether `pause_all` is on.
    pub paused: bool,
    /// Whether the event log proves a delivery after the breaker's stamp.
    pub evidence: bool,
    /// What the journal says about this prospect and action; none = nothing asked (`preview`).
    pub prospect: Option<ProspectHistory>,
    /// What the account's tier allows for the action.
    pub tier: TierCap,
    /// Least time between two sends of one action to one prospect, in microseconds.
    pub prospect_cooldown: i64,
    /// Time an operation has for its answer, in microseconds.
    pub operation_ttl: i64,
    /// The account's time zone.
    pub zone: &'a dyn Zone,
}

/// What the journal says about earlier operations for one prospect and action.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProspectHistory {
    /// Whether one is unresolved.
    pub unresolved: bool,
    /// When the youngest that was not given back was reserved.
    pub last_kept_at: Option<Instant>,
}

/// The counts that go with every answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    /// Slots of the action taken today.
    pub sent_today: i32,
    /// The effective daily cap.
    pub daily_cap: i32,
    /// Slots left under both caps.
    pub remaining: i32,
}

impl From<Budget> for Counts {
    fn from(budget: Budget) -> Counts {
        Counts { sent_today: budget.sent_today, daily_cap: budget.daily_cap, remaining: budget.remaining() }
    }
}

/// A slot.
#[derive(Clone, Debug, PartialEq)]
pub struct Grant {
    /// The row with the slot taken.
    pub account: Account,
    /// The UTC day the slot counts on.
    pub counted_on: Day,
    /// After this instant the worker must not call the provider any more.
    pub expires_at: Instant,
    /// The answer holds for a row written before this instant; later it is to be decided again.
    pub valid_until: Instant,
    /// The counts with this slot taken.
    pub counts: Counts,
}

/// A refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The first rule that refuses.
    pub reason: Reason,
    /// When that rule lets go by itself; none when only an event can change it.
    pub retry_at: Option<Instant>,
    /// The counts as they are.
    pub counts: Counts,
}

/// The gate's answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// First remove the breaker's stamp for this reason, then ask again.
    ClearBreaker(ClearReason),
    /// Go.
    Grant(Box<Grant>),
    /// No.
    Refuse(Refusal),
}

/// The counts of an action on an account as of `now`, for answers that no rule was asked for.
pub fn counts(account: &Account, action: Action, tier: &TierCap, now: Instant) -> Counts {
    Budget::of(&account.rolled(now), action, tier).into()
}

/// The rule that stands above all others, replays included: the one switch, and the status.
pub fn stopped(account: &Account, paused: bool) -> Option<Reason> {
    if paused {
        Some(Reason::PausedByOperator)
    } else if account.status != Status::Connected {
        Some(Reason::AccountNotConnected)
    } else {
        None
    }
}

/// Asks every rule in the contract's order; the first that holds refuses.
pub fn decide(account: &Account, request: &Request<'_>) -> Verdict {
    let now = request.now;
    let row = account.rolled(now);
    let budget = Budget::of(&row, request.action, &request.tier);
    let refuse = |reason, retry_at| Verdict::Refuse(Refusal { reason, retry_at, counts: budget.into() });

    if let Some(reason) = stopped(&row, request.paused) {
        return refuse(reason, None);
    }
    let mut probing = false;
    if request.action == Action::Inmail {
        match row.breaker.read(row.credit_reset_day, now) {
            Reading::Closed => {}
            Reading::ForcedOpen => return refuse(Reason::BreakerForcedOpen, None),
            Reading::Lapsed => return Verdict::ClearBreaker(ClearReason::MonthlyReset),
            Reading::Open { .. } if request.evidence => {
                return Verdict::ClearBreaker(ClearReason::RecentSuccessEvidence);
            }
            Reading::Open { .. } if row.breaker.has_permit(now) => probing = true,
            Reading::Open { retry_at } => return refuse(Reason::CreditsExhausted, Some(retry_at)),
        }
    }
    if let Some(until) = row.cooldown_until.filter(|&until| until > now) {
        return refuse(Reason::AccountCooldown, Some(until));
    }
    let mut valid_until = now.day().next().start();
    if probing && let Some(permit) = &row.breaker.probe {
        valid_until = valid_until.min(permit.lease_until);
    }
    if let Some(window) = row.window {
        let reading = window.read(request.zone, now);
        if !reading.open {
            return refuse(Reason::OutsideSendingWindow, Some(reading.until));
        }
        valid_until = valid_until.min(reading.until);
    }
    if let Some(history) = request.prospect {
        if history.unresolved {
            return refuse(Reason::OperationInFlight, None);
        }
        let warm = history.last_kept_at.map(|at| at.plus(request.prospect_cooldown));
        if let Some(until) = warm.filter(|&until| until > now) {
            return refuse(Reason::ProspectCooldown, Some(until));
        }
    }
    if let Some(until) = budget.paced_until.filter(|&until| until > now) {
        return refuse(Reason::Pacing, Some(until));
    }
    if let Some((reason, retry_at)) = budget.exhausted(&row) {
        return refuse(reason, retry_at);
    }
    Verdict::Grant(Box::new(grant(row, request, valid_until, probing)))
}

fn grant(mut row: Account, request: &Request<'_>, valid_until: Instant, probing: bool) -> Grant {
    let expires_at = request.now.plus(request.operation_ttl);
    row.take_slot(request.action);
    row.last_granted_at[request.action.index()] = Some(request.now);
    let budget = Budget::of(&row, request.action, &request.tier);
    if request.action == Action::Inmail {
        row.inmail_cap_today = row.inmail_cap_today.max(budget.daily_cap);
    }
    if probing {
        // The lease outlives the operation, so that there are never two at a time.
        row.breaker.probe = row.breaker.probe.map(|permit| Probe {
            lease_until: permit.lease_until.max(expires_at),
            taken_by: Some(request.operation),
        });
    }
    Grant { counted_on: row.day, expires_at, valid_until, counts: budget.into(), account: row }
}

#[cfg(test)]
mod tests;
