//! Sends from outside: what they count for, and whose they are.

use super::*;
use crate::account::fixture::account;
use crate::clock::{DAY, HOUR, MINUTE};

const TIER: TierCap =
    TierCap { daily: 1, weekly: None, ramp_start_percent: 100, ramp_step_percent: 0, minimum_gap: HOUR };

fn noon(account: &Account) -> Instant {
    account.day.start().plus(12 * HOUR)
}

fn sent(account: &Account, action: Action) -> (i32, i32) {
    (account.sent_today[action.index()], account.sent_in_seven_days(action).unwrap())
}

#[test]
fn it_counts_on_its_own_day_even_above_the_cap_and_is_no_attempt() {
    let a = account();
    let now = noon(&a);
    let mut today = a.clone();
    for nth in 1..=3 {
        today = record(&today, Action::Inmail, now, &TIER, now).account;
        assert_eq!(sent(&today, Action::Inmail), (nth, nth));
    }
    assert_eq!(today.inmail_cap_today, 1, "the audit measures against the day's cap");
    assert_eq!(today.attempts_today, [0; 5]);
    let yesterday = record(&a, Action::Inmail, now.plus(-DAY), &TIER, now);
    assert_eq!(yesterday.counted_on.next(), a.day);
    assert_eq!(sent(&yesterday.account, Action::Inmail), (0, 1));
    let long_ago = record(&a, Action::Inmail, now.plus(-7 * DAY), &TIER, now).account;
    assert_eq!(sent(&long_ago, Action::Inmail), (0, 0));
}

#[test]
fn a_clock_may_be_five_minutes_ahead() {
    let now = noon(&account());
    assert_eq!(counts_at(now.plus(-HOUR), now), Some(now.plus(-HOUR)));
    assert_eq!(counts_at(now.plus(5 * MINUTE), now), Some(now));
    assert_eq!(counts_at(now.plus(5 * MINUTE + 1), now), None);
}

#[test]
fn an_older_day_that_the_row_has_not_left_yet_is_a_day_of_sending() {
    let a = Account { ramp: true, ..account() };
    let now = noon(&a).plus(DAY);
    let after = record(&a, Action::Invite, noon(&a), &TIER, now).account;
    assert_eq!((after.ramp_days, sent(&after, Action::Invite)), (1, (0, 1)));
    let between = record(&a, Action::Invite, noon(&a).plus(DAY), &TIER, now.plus(DAY)).account;
    assert_eq!((between.ramp_days, sent(&between, Action::Invite)), (1, (0, 1)));
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

const LATE: i64 = 72 * HOUR;

fn gate(state: OperationState, reserved_at: Instant) -> Candidate {
    let settled = !matches!(state, OperationState::Reserved);
    let settled_at = settled.then_some(reserved_at.plus(MINUTE));
    let outcome = (state == OperationState::Released).then_some(Outcome::Transient);
    Candidate {
        id: [1; 16],
        origin: Origin::Gate,
        state,
        outcome,
        reserved_at,
        expires_at: reserved_at,
        settled_at,
        event: None,
    }
}

fn message(has_chat_id: bool, occurred_at: Instant) -> Told {
    Told { action: Action::Message, has_chat_id, occurred_at, told_at: occurred_at }
}

fn reads(candidates: &[Candidate], has_chat_id: bool, at: Instant) -> Reading {
    read(candidates, &message(has_chat_id, at), LATE)
}

#[test]
fn an_open_operation_is_delivered_by_it() {
    let at = noon(&account());
    for state in [OperationState::Reserved, OperationState::Indeterminate] {
        let c = gate(state, at);
        for late in [-5 * MINUTE, 0, DAY] {
            assert_eq!(reads(&[c], true, at.plus(late)), Reading::Delivers([1; 16]), "{state:?} {late}");
        }
        assert_eq!(reads(&[c], true, at.plus(-5 * MINUTE - 1)), Reading::New, "it was before");
    }
    let newer = Candidate { id: [2; 16], ..gate(OperationState::Reserved, at.plus(MINUTE)) };
    let older = gate(OperationState::Indeterminate, at);
    assert_eq!(reads(&[newer, older], false, at.plus(HOUR)), Reading::Delivers([2; 16]));
    assert_eq!(reads(&[newer, older], false, at), Reading::Delivers([1; 16]), "the other begins later");
    let external = Candidate { origin: Origin::External, ..gate(OperationState::Delivered, at) };
    assert_eq!(reads(&[external], false, at), Reading::New);
}

#[test]
fn one_that_was_given_back_is_delivered_late() {
    let at = noon(&account());
    let back = gate(OperationState::Released, at);
    assert_eq!(reads(&[back], true, at.plus(LATE)), Reading::Delivers([1; 16]));
    assert_eq!(reads(&[back], true, at.plus(LATE + 1)), Reading::New, "too late");
    assert_eq!(reads(&[back], true, at), Reading::New, "not before it");
    let without_credits = Candidate { outcome: Some(Outcome::CreditsExhausted), ..back };
    assert_eq!(reads(&[without_credits], true, at.plus(HOUR)), Reading::New, "nothing was sent");
    let latest = Candidate { id: [2; 16], ..gate(OperationState::Released, at.plus(HOUR)) };
    assert_eq!(reads(&[back, latest], true, at.plus(DAY)), Reading::Delivers([2; 16]));
    let open = Candidate { id: [3; 16], ..gate(OperationState::Reserved, at.plus(-HOUR)) };
    assert_eq!(reads(&[back, open], true, at.plus(DAY)), Reading::Delivers([3; 16]), "an open one first");
    let soon = Candidate { id: [4; 16], ..gate(OperationState::Reserved, at.plus(2 * MINUTE)) };
    assert_eq!(reads(&[back, soon], true, at.plus(MINUTE)), Reading::Delivers([1; 16]), "this one last");
    assert_eq!(reads(&[soon], true, at.plus(MINUTE)), Reading::Delivers([4; 16]));
}

#[test]
fn a_webhook_after_the_confirm_says_nothing_new() {
    let at = noon(&account());
    let delivered = |same| Candidate { event: Some(([9; 16], same)), ..gate(OperationState::Delivered, at) };
    assert_eq!(reads(&[delivered(true)], true, at.plus(6 * MINUTE)), Reading::Known([9; 16]));
    assert_eq!(reads(&[delivered(true)], true, at.plus(6 * MINUTE + 1)), Reading::New, "long after");
    assert_eq!(reads(&[delivered(false)], true, at), Reading::New, "another chat is another send");
    let open = gate(OperationState::Reserved, at);
    assert_eq!(reads(&[open, delivered(true)], true, at), Reading::Known([9; 16]));
    assert_eq!(reads(&[open, delivered(true)], false, at), Reading::Delivers([1; 16]));
    let back = gate(OperationState::Released, at.plus(-MINUTE));
    assert_eq!(reads(&[back, delivered(true)], false, at), Reading::Known([9; 16]));
}

#[test]
fn an_inmail_is_the_same_by_its_chat_id_and_others_within_a_second() {
    let at = noon(&account());
    let event = Some(([9; 16], true));
    let told = Candidate { origin: Origin::External, event, ..gate(OperationState::Delivered, at) };
    let inmail = Told { action: Action::Inmail, ..message(true, at.plus(DAY)) };
    for candidate in [told, Candidate { origin: Origin::Gate, ..told }] {
        assert_eq!(read(&[candidate], &inmail, LATE), Reading::Known([9; 16]));
    }
    for (apart, reading) in [(SECOND, Reading::Known([9; 16])), (SECOND + 1, Reading::New)] {
        assert_eq!(reads(&[told], true, at.plus(apart)), reading);
        assert_eq!(reads(&[told], true, at.plus(-apart)), reading);
        assert_eq!(reads(&[told], false, at.plus(apart)), reading);
        // Told ahead of the clock by a provider whose own is: first now, and again when it counts later.
        let ahead = Candidate { expires_at: at.plus(3 * MINUTE), ..told };
        for counts in [MINUTE, 3 * MINUTE] {
            let again = Told { told_at: at.plus(3 * MINUTE + apart), ..message(true, at.plus(counts)) };
            assert_eq!(read(&[ahead], &again, LATE), reading);
        }
    }
}

#[test]
fn a_proof_comes_late_for_what_an_operator_settled_as_sent() {
    let at = noon(&account());
    let settled = gate(OperationState::Delivered, at);
    assert_eq!(reads(&[settled], true, at), Reading::Delivers([1; 16]));
    assert_eq!(reads(&[settled], true, at.plus(HOUR)), Reading::New);
}
