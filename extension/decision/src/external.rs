//! Sends that did not pass the gate: made by hand, or told by a provider's webhook.
//!
//! A webhook often tells what the gate knows already. An echo of an operation settles that
//! operation, or says nothing new; only what is neither counts as a send of its own.

use crate::account::Account;
use crate::breaker::ClearReason;
use crate::budget::{Budget, TierCap};
use crate::clock::{Day, Instant, SECOND};
use crate::names::{Action, OperationId, OperationState, Origin, Outcome};
use crate::settle::{BreakerChange, CLOCK_SKEW_MAX};

/// What a send outside the gate changes.
#[derive(Clone, Debug, PartialEq)]
pub struct Recorded {
    /// The row afterwards.
    pub account: Account,
    /// The UTC day that it counts on.
    pub counted_on: Day,
    /// What happened to the breaker.
    pub breaker: Vec<BreakerChange>,
}

/// When a send counts: as told, and now where a provider's clock is up to five minutes ahead; none for what
/// has not happened yet.
pub fn counts_at(told: Instant, now: Instant) -> Option<Instant> {
    (told <= now.plus(CLOCK_SKEW_MAX)).then(|| told.min(now))
}

/// Counts a send on the UTC day in which it occurred, where that is one of the last seven, also above the
/// cap. It is no attempt. An InMail is one with proof; others cannot be recorded.
pub fn record(
    account: &Account,
    action: Action,
    occurred_at: Instant,
    tier: &TierCap,
    now: Instant,
) -> Recorded {
    let counted_on = occurred_at.day();
    // First to the day of the send, so that it is a day of sending for the ramp too.
    let mut row = account.rolled(occurred_at);
    row.take_back_slot(action, counted_on);
    let last = &mut row.last_granted_at[action.index()];
    *last = (*last).max(Some(occurred_at));
    if action == Action::Inmail && counted_on == row.day {
        row.inmail_cap_today = row.inmail_cap_today.max(Budget::of(&row, action, tier).daily_cap);
    }
    row.roll(now);
    if let (Action::Inmail, Some(credits)) = (action, &mut row.credits) {
        credits.take_external(occurred_at);
    }
    let mut recorded = Recorded { account: row, counted_on, breaker: Vec::new() };
    let breaker = &mut recorded.account.breaker;
    let proves = action == Action::Inmail && breaker.is_evidence(occurred_at, occurred_at, now);
    if proves && breaker.clear(now) {
        recorded.breaker.push(BreakerChange::Clear(ClearReason::RecentSuccessEvidence));
    }
    recorded
}

/// An operation of the same account, prospect and action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Its id.
    pub id: OperationId,
    /// Where it came from.
    pub origin: Origin,
    /// Its state.
    pub state: OperationState,
    /// What it came to, once settled.
    pub outcome: Option<Outcome>,
    /// When its slot was taken; of a send from outside, when it occurred.
    pub reserved_at: Instant,
    /// Until when it is in flight; of a send from outside, the instant as it was told, which may be ahead of when
    /// it counts.
    pub expires_at: Instant,
    /// When it was settled, if it was.
    pub settled_at: Option<Instant>,
    /// Its event, if it has one, and whether that has the chat id of the send (or neither has one).
    pub event: Option<(OperationId, bool)>,
}

/// A send that is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told {
    /// The action of the send.
    pub action: Action,
    /// Whether a chat id came with it.
    pub has_chat_id: bool,
    /// When it occurred.
    pub occurred_at: Instant,
    /// The instant as it was told, which may be up to five minutes later than that.
    pub told_at: Instant,
}

/// What a send turns out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// The delivery of this operation, whose outcome or proof was missing, or that was given back.
    Delivers(OperationId),
    /// The delivery that this event tells of already.
    Known(OperationId),
    /// A send of its own.
    New,
}

/// Reads a send in the light of what is known for the same prospect: the first of these that there is.
/// 1. An event with its chat id.
/// 2. The latest operation without an outcome, or without its proof, reserved at the send or before it.
/// 3. An event without a chat id, of a send that has none either.
/// 4. The latest operation that was given back, reserved before the send and at most `late_delivery`
///    (microseconds) before it. Without credits nothing was sent, so such a one is none of them.
/// 5. An operation without an outcome that was reserved up to five minutes after the send.
pub fn read(candidates: &[Candidate], told: &Told, late_delivery: i64) -> Reading {
    let at = told.occurred_at;
    let latest = |which: &dyn Fn(&Candidate) -> bool| {
        let ours = candidates.iter().filter(|c| c.origin == Origin::Gate && which(c));
        ours.max_by_key(|c| c.reserved_at).map(|c| Reading::Delivers(c.id))
    };
    let known = |has_chat_id: bool| {
        let told_of = candidates.iter().filter(|c| told.has_chat_id == has_chat_id && c.tells_of(told));
        told_of.filter_map(|c| c.event).map(|event| Reading::Known(event.0)).next()
    };
    known(true)
        .or_else(|| latest(&|c| c.awaits(at) && c.reserved_at <= at))
        .or_else(|| known(false))
        .or_else(|| latest(&|c| c.was_given_back_before(at, late_delivery)))
        .or_else(|| latest(&|c| c.awaits(at)))
        .unwrap_or(Reading::New)
}

impl Candidate {
    /// Whether its event is that of the send. An InMail is the same by its chat id; other chats go on.
    fn tells_of(&self, told: &Told) -> bool {
        let same_event = self.event.is_some_and(|event| event.1);
        let same_time = match self.origin {
            Origin::Gate => self.is_within(told.occurred_at),
            Origin::External => (self.expires_at.0 - told.told_at.0).abs() <= SECOND,
        };
        same_event && (same_time || (told.action == Action::Inmail && told.has_chat_id))
    }

    /// Whether a send at that instant can be what this operation was for. Its outcome may be open
    /// for days; one that an operator settled as sent without proof ended when he did.
    fn awaits(&self, at: Instant) -> bool {
        let without_proof = self.state == OperationState::Delivered && self.event.is_none();
        (self.state.is_unresolved() && self.begins_before(at)) || (without_proof && self.is_within(at))
    }

    fn was_given_back_before(&self, at: Instant, late_delivery: i64) -> bool {
        self.state == OperationState::Released
            && self.outcome != Some(Outcome::CreditsExhausted)
            && self.reserved_at < at
            && at <= self.reserved_at.plus(late_delivery)
    }

    fn is_within(&self, at: Instant) -> bool {
        let ended_after = self.settled_at.is_none_or(|settled| at <= settled.plus(CLOCK_SKEW_MAX));
        self.begins_before(at) && ended_after
    }

    fn begins_before(&self, at: Instant) -> bool {
        at >= self.reserved_at.plus(-CLOCK_SKEW_MAX)
    }
}

#[cfg(test)]
mod tests;
