//! Each answer to an operation, and what it does to the row.

use super::*;
use crate::account::fixture::account;
use crate::clock::{DAY, HOUR};
use crate::failures::Failures;

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
        is_attempt: true,
        listed: false,
        settled_at: None,
        beyond_credits: false,
    }
}

fn with(outcome: Outcome) -> Failure {
    Failure { outcome, scope: Scope::Account, wait: HOUR }
}

fn fails(a: &Account, o: &Operation, outcome: Outcome, now: Instant) -> Settled {
    fail(a, o, &with(outcome), &Limits::default(), now)
}

fn sent_one() -> Account {
    let mut a = account();
    a.take_slot(Action::Inmail);
    a
}

fn proven(at: Instant) -> Delivery {
    Delivery { proven: true, occurred_at: at, by_operator: false }
}

#[test]
fn a_delivery_without_proof_holds_its_slot() {
    let a = sent_one();
    let o = op(&a, OperationState::Reserved);
    let settled = deliver(&a, &o, Delivery { proven: false, ..proven(o.reserved_at) }, o.reserved_at);
    assert_eq!(settled.state, OperationState::Indeterminate);
    assert_eq!(settled.account.sent_today[0], 1);
}

#[test]
fn truth_wins_over_a_rollback_even_above_the_cap() {
    let a = account();
    let o = op(&a, OperationState::Released);
    let settled = deliver(&a, &o, proven(o.reserved_at), o.reserved_at);
    assert!(settled.after_rollback);
    assert_eq!(settled.account.sent_today[0], 1);
    let settled = deliver(&a, &o, proven(o.reserved_at), o.reserved_at.plus(DAY));
    assert_eq!(settled.account.sent_today[0], 0);
    assert_eq!(settled.account.sent_in_seven_days(Action::Inmail), Some(1), "on its own day");
}

#[test]
fn outcomes_do_what_the_contract_says() {
    let a = sent_one();
    let o = op(&a, OperationState::Reserved);
    let after = |outcome| fails(&a, &o, outcome, o.reserved_at);
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
        let settled = fails(&stopped, &o, Outcome::AuthLost, o.reserved_at);
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

    let empty = fails(&a, &o, Outcome::CreditsExhausted, now);
    assert_eq!(empty.account.breaker.exhausted_at, a.breaker.exhausted_at, "the old stamp");
    assert_eq!((empty.account.breaker.probe, empty.breaker), (None, vec![]));

    let nothing = fails(&a, &o, Outcome::RecipientRefused, now);
    assert!(nothing.account.breaker.has_permit(now), "back at once");

    let unknown = fails(&a, &o, Outcome::Indeterminate, now);
    assert!(!unknown.account.breaker.has_permit(now), "held until it lapses");
}

#[test]
fn a_probe_that_answers_after_its_lease_is_no_probe_any_more() {
    let (a, o) = probing();
    let late = o.expires_at.plus(DAY);
    let nothing = fails(&a, &o, Outcome::RecipientRefused, late);
    assert_eq!(nothing.account.breaker.probe, None, "a lapsed permit does not come back");
    let stale = proven(o.reserved_at);
    let delivered = deliver(&a, &o, stale, late);
    assert_eq!(delivered.account.breaker.exhausted_at, a.breaker.exhausted_at, "a day old is no proof");
}

#[test]
fn a_definite_answer_settles_an_unknown_outcome() {
    let a = sent_one();
    let o = op(&a, OperationState::Indeterminate);
    let settled = fails(&a, &o, Outcome::RecipientRefused, o.reserved_at);
    assert_eq!((settled.state, settled.account.sent_today[0]), (OperationState::Released, 0));
    let resolved = fail(&a, &o, &Failure::NOT_SENT, &Limits::default(), o.reserved_at);
    assert_eq!((resolved.state, resolved.account.sent_today[0]), (OperationState::Released, 0));
}

#[test]
fn only_inmails_touch_the_breaker() {
    let a = sent_one();
    let o = Operation { action: Action::Message, ..op(&a, OperationState::Reserved) };
    let settled = fails(&a, &o, Outcome::CreditsExhausted, o.reserved_at);
    assert_eq!((settled.account.breaker.exhausted_at, settled.breaker), (None, vec![]));
}

#[test]
fn only_a_worker_gives_an_attempt_back() {
    let a = sent_one();
    let o = op(&a, OperationState::Reserved);
    for &outcome in Outcome::ALL {
        let attempts = fails(&a, &o, outcome, o.reserved_at).account.attempts_today[0];
        assert_eq!(attempts, i32::from(outcome != Outcome::Released), "{outcome:?}");
    }
    let released = Operation { outcome: Some(Outcome::Released), ..op(&a, OperationState::Released) };
    let none = Account { attempts_today: [0; 5], ..a };
    let settled = deliver(&none, &released, proven(o.reserved_at), o.reserved_at);
    assert_eq!(settled.account.attempts_today[0], 1, "it was one after all");
}

#[test]
fn a_rate_limit_stops_what_its_scope_says_and_an_action_that_is_lacking_itself() {
    let a = sent_one();
    let o = op(&a, OperationState::Reserved);
    let until = o.reserved_at.plus(HOUR);
    let of_action = Failure { scope: Scope::Action, ..with(Outcome::RateLimited) };
    for failure in [of_action, with(Outcome::ActionUnavailable)] {
        let settled = fail(&a, &o, &failure, &Limits::default(), o.reserved_at);
        assert_eq!(settled.account.action_cooldown_until, [Some(until), None, None, None, None]);
        assert_eq!(settled.account.cooldown_until, None);
        let change = settled.cooldowns[0];
        assert_eq!((change.action, change.until, change.began), (Some(Action::Inmail), Some(until), true));
        let again = fail(&settled.account, &o, &failure, &Limits::default(), o.reserved_at.plus(-1));
        assert_eq!((again.account.action_cooldown_until[0], again.cooldowns), (Some(until), vec![]));
    }
    assert_eq!(fails(&a, &o, Outcome::RateLimited, o.reserved_at).cooldowns[0].action, None);
}

#[test]
fn ten_failures_stop_the_action_and_a_late_delivery_ends_it() {
    let mut a = sent_one();
    let mut o = op(&a, OperationState::Reserved);
    for nth in 1..=10 {
        let settled = fails(&a, &o, Outcome::Rejected, o.reserved_at.plus(nth));
        assert_eq!(settled.cooldowns.len(), usize::from(nth == 10));
        a = settled.account;
    }
    let since = o.reserved_at.plus(10);
    assert_eq!(a.failures[0].failing.map(|f| (f.since, f.until)), Some((since, since.plus(HOUR))));
    let in_flight = deliver(&a, &o, proven(since), since.plus(1));
    assert_eq!(in_flight.account.failures, a.failures, "it was in flight with them");
    (o.reserved_at, o.expires_at) = (since.plus(HOUR), since.plus(2 * HOUR));
    let expired = expire(&a, &o, &Limits::default(), o.expires_at);
    assert_eq!((expired.account.failures[0].level, expired.state), (1, OperationState::Reserved));
    let listed = Operation { listed: true, ..o };
    let twice = fails(&expired.account, &listed, Outcome::Rejected, o.expires_at);
    assert_eq!(twice.account.failures, expired.account.failures, "counted once");
    let settled = deliver(&expired.account, &listed, proven(o.expires_at), o.expires_at);
    assert_eq!(settled.account.failures[0], Failures::default());
    assert_eq!(settled.cooldowns[0].until, None);
}

#[test]
fn what_says_nothing_counts_nothing() {
    let mut a = sent_one();
    a.failures[0].count = 9;
    let o = op(&a, OperationState::Reserved);
    let unproven = Delivery { proven: false, ..proven(o.reserved_at) };
    assert_eq!(deliver(&a, &o, unproven, o.reserved_at).account.failures, a.failures);
    let by_operator = Delivery { by_operator: true, ..proven(o.reserved_at) };
    assert_eq!(deliver(&a, &o, by_operator, o.reserved_at).account.failures, a.failures);
    let verdict = fail(&a, &o, &Failure::NOT_SENT, &Limits::default(), o.reserved_at);
    assert_eq!(verdict.account.failures, a.failures);
}
