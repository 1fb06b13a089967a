//! Sends that did not pass the gate: made by hand, or told by a provider's webhook.
//!
//! A webhook often tells what the gate knows already. An echo of an operation settles that
//! operation, or says nothing new; only what is neither counts as a send of its own.

use crate::account::Account;
use crate::breaker::ClearReason;
use crate::budget::{Budget, TierCap};
use crate::clock::{Day, Instant};
use crate::names::{Action, OperationId, OperationState, Origin};
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

/// Counts a send on the UTC day and week in which it occurred, where those are still current, also
/// above the cap. An InMail is one with proof; others cannot be recorded.
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
    let mut recorded = Recorded { account: row, counted_on, breaker: Vec::new() };
    let breaker = &mut recorded.account.breaker;
    let proves = action == Action::Inmail && breaker.is_evidence(occurred_at, occurred_at, now);
    if proves && breaker.clear(now) {
        recorded.breaker.push(BreakerChange::Clear(ClearReason::RecentSuccessEvidence));
    }
    recorded
}

/// An operation of the same account, prospect and action that was not given back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Its id.
    pub id: OperationId,
    /// Where it came from.
    pub origin: Origin,
    /// Its state.
    pub state: OperationState,
    /// When its slot was taken.
    pub reserved_at: Instant,
    /// When it was settled, if it was.
    pub settled_at: Option<Instant>,
    /// Its event, if it has one, and whether that has the chat id of the send.
    pub event: Option<(OperationId, bool)>,
}

/// What a send turns out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// The delivery of this operation, whose outcome or proof was missing.
    Delivers(OperationId),
    /// The delivery that this event tells of already.
    Known(OperationId),
    /// A send of its own.
    New,
}

/// Reads a send in the light of what the gate did for the same prospect. A chat id that is known
/// says more than an operation that is open, and that more than a delivery that has no chat id
/// either.
pub fn read(candidates: &[Candidate], has_chat_id: bool, occurred_at: Instant) -> Reading {
    let ours = || candidates.iter().filter(|c| c.origin == Origin::Gate);
    let known = || {
        let echo = ours().filter(|c| c.is_within(occurred_at)).filter_map(|c| c.event);
        echo.filter(|event| event.1).map(|event| Reading::Known(event.0)).next()
    };
    let open = || {
        let latest = ours().filter(|c| c.awaits(occurred_at)).max_by_key(|c| c.reserved_at);
        latest.map(|c| Reading::Delivers(c.id))
    };
    let reading = if has_chat_id { known().or_else(open) } else { open().or_else(known) };
    reading.unwrap_or(Reading::New)
}

impl Candidate {
    /// Whether a send at that instant can be what this operation was for. Its outcome may be open
    /// for days; one that an operator settled as sent without proof ended when he did.
    fn awaits(&self, at: Instant) -> bool {
        let without_proof = self.state == OperationState::Delivered && self.event.is_none();
        (self.state.is_unresolved() && self.begins_before(at)) || (without_proof && self.is_within(at))
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
mod tests {
    use super::*;
    use crate::account::fixture::account;
    use crate::clock::{DAY, HOUR, MINUTE};

    const TIER: TierCap =
        TierCap { daily: 1, weekly: None, ramp_start_percent: 100, ramp_step_percent: 0, minimum_gap: HOUR };

    fn noon(account: &Account) -> Instant {
        account.day.start().plus(12 * HOUR)
    }

    #[test]
    fn it_counts_on_its_own_day_and_week_even_above_the_cap() {
        let a = account();
        let now = noon(&a);
        let mut today = a.clone();
        for sent in 1..=3 {
            today = record(&today, Action::Inmail, now, &TIER, now).account;
            assert_eq!((today.sent_today[0], today.sent_this_week[0]), (sent, sent));
        }
        assert_eq!(today.inmail_cap_today, 1, "the audit measures against the day's cap");
        let yesterday = record(&a, Action::Inmail, now.plus(-DAY), &TIER, now);
        assert_eq!(yesterday.counted_on.next(), a.day);
        assert_eq!((yesterday.account.sent_today[0], yesterday.account.sent_this_week[0]), (0, 1));
        let last_week = record(&a, Action::Inmail, now.plus(-7 * DAY), &TIER, now).account;
        assert_eq!((last_week.sent_today[0], last_week.sent_this_week[0]), (0, 0));
    }

    #[test]
    fn an_older_day_that_the_row_has_not_left_yet_is_a_day_of_sending() {
        let a = Account { ramp: true, ..account() };
        // 2026-05-24 is a Sunday: the row moves on into a new week.
        let now = noon(&a).plus(DAY);
        let after = record(&a, Action::Invite, noon(&a), &TIER, now).account;
        assert_eq!((after.ramp_days, after.sent_today[1], after.sent_this_week[1]), (1, 0, 0));
        let between = record(&a, Action::Invite, noon(&a).plus(DAY), &TIER, now.plus(DAY)).account;
        assert_eq!((between.ramp_days, between.sent_today[1], between.sent_this_week[1]), (1, 0, 1));
    }

    #[test]
    fn pacing_counts_from_the_latest_send() {
        let a = account();
        let now = noon(&a);
        let after = record(&a, Action::Message, now, &TIER, now).account;
        assert_eq!(after.last_granted_at[2], Some(now));
        let again = record(&after, Action::Message, now.plus(-HOUR), &TIER, now).account;
        assert_eq!(again.last_granted_at[2], Some(now));
    }

    #[test]
    fn a_recent_inmail_proves_that_there_are_credits() {
        let mut a = account();
        let now = noon(&a);
        a.breaker.exhausted_at = Some(now.plus(-2 * HOUR));
        let clears = |action, at| record(&a, action, at, &TIER, now).account.breaker.exhausted_at.is_none();
        assert!(clears(Action::Inmail, now));
        assert!(!clears(Action::Message, now), "other actions need no credits");
        assert!(!clears(Action::Inmail, now.plus(-HOUR - 1)), "too old");
        assert!(!clears(Action::Inmail, now.plus(-2 * HOUR)), "as old as the stamp");
    }

    fn gate(state: OperationState, reserved_at: Instant) -> Candidate {
        let settled = !matches!(state, OperationState::Reserved);
        let settled_at = settled.then_some(reserved_at.plus(MINUTE));
        Candidate { id: [1; 16], origin: Origin::Gate, state, reserved_at, settled_at, event: None }
    }

    #[test]
    fn an_open_operation_is_delivered_by_it() {
        let at = noon(&account());
        for state in [OperationState::Reserved, OperationState::Indeterminate] {
            let c = gate(state, at);
            for late in [-5 * MINUTE, 0, DAY] {
                assert_eq!(read(&[c], true, at.plus(late)), Reading::Delivers([1; 16]), "{state:?} {late}");
            }
            assert_eq!(read(&[c], true, at.plus(-5 * MINUTE - 1)), Reading::New, "it was before");
        }
        let newer = Candidate { id: [2; 16], ..gate(OperationState::Reserved, at.plus(MINUTE)) };
        let older = gate(OperationState::Indeterminate, at);
        assert_eq!(read(&[newer, older], false, at.plus(HOUR)), Reading::Delivers([2; 16]));
        let external = Candidate { origin: Origin::External, ..gate(OperationState::Delivered, at) };
        assert_eq!(read(&[external], false, at), Reading::New);
    }

    #[test]
    fn a_webhook_after_the_confirm_says_nothing_new() {
        let at = noon(&account());
        let delivered =
            |same| Candidate { event: Some(([9; 16], same)), ..gate(OperationState::Delivered, at) };
        assert_eq!(read(&[delivered(true)], true, at.plus(6 * MINUTE)), Reading::Known([9; 16]));
        assert_eq!(read(&[delivered(true)], true, at.plus(6 * MINUTE + 1)), Reading::New, "long after");
        assert_eq!(read(&[delivered(false)], true, at), Reading::New, "another chat is another send");
        let open = gate(OperationState::Reserved, at);
        assert_eq!(read(&[open, delivered(true)], true, at), Reading::Known([9; 16]));
        assert_eq!(read(&[open, delivered(true)], false, at), Reading::Delivers([1; 16]));
    }

    #[test]
    fn a_proof_comes_late_for_what_an_operator_settled_as_sent() {
        let at = noon(&account());
        let settled = gate(OperationState::Delivered, at);
        assert_eq!(read(&[settled], true, at), Reading::Delivers([1; 16]));
        assert_eq!(read(&[settled], true, at.plus(HOUR)), Reading::New);
    }
}
