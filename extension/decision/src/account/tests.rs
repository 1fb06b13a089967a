//! Tests of the row.

use super::fixture::account;
use super::*;
use crate::clock::{DAY, HOUR};
use crate::failures::Failing;

#[test]
fn midnight_rolls_counters_marker_and_ramp_together() {
    let mut a = account();
    a.ramp = true;
    a.take_slot(Action::Invite);
    let last_instant = a.day.next().start().plus(-1);
    assert_eq!(a.rolled(last_instant), a);
    let midnight = a.rolled(a.day.next().start());
    assert_eq!((midnight.sent_today, midnight.attempts_today), ([0; ACTIONS], [0; ACTIONS]));
    assert_eq!(midnight.sent_before.unwrap()[1], [1, 0, 0, 0, 0, 0]);
    assert_eq!(midnight.ramp_days, 1);
    assert_eq!(midnight.rolled(midnight.day.next().start()).ramp_days, 1, "a day without a send is no step");
}

#[test]
fn days_move_on_by_as_many_as_have_passed() {
    assert_eq!(shifted([2, 3, 4, 5, 6, 7], 1, 1), [1, 2, 3, 4, 5, 6]);
    assert_eq!(shifted([2, 3, 4, 5, 6, 7], 1, 3), [0, 0, 1, 2, 3, 4]);
    assert_eq!(shifted([2, 3, 4, 5, 6, 7], 1, 6), [0, 0, 0, 0, 0, 1]);
    assert_eq!(shifted([2, 3, 4, 5, 6, 7], 1, 7), [0; 6]);
    assert_eq!(shifted([2, 3, 4, 5, 6, 7], 1, 7_000), [0; 6]);
}

#[test]
fn days_that_are_not_counted_stay_so() {
    let mut a = account();
    a.sent_before = None;
    a.take_slot(Action::Invite);
    a.roll(a.day.start().plus(30 * DAY));
    assert_eq!((a.sent_before, a.sent_in_seven_days(Action::Invite)), (None, None));
    a.give_back_slot(Action::Invite, a.day);
    assert_eq!(a.sent_today, [0; ACTIONS]);
}

#[test]
fn markers_never_go_back() {
    let mut a = account();
    a.take_slot(Action::Inmail);
    let yesterday = a.day.start().plus(-HOUR);
    assert!(a.is_ahead_of(yesterday));
    assert_eq!(a.rolled(yesterday), a);
}

#[test]
fn a_slot_goes_back_to_the_day_it_came_from() {
    let mut a = account();
    let sunday = a.day;
    a.take_slot(Action::Inmail);
    a.roll(a.day.start().plus(DAY));
    a.take_slot(Action::Inmail);
    assert_eq!(a.sent_in_seven_days(Action::Inmail), Some(2));
    a.give_back_slot(Action::Inmail, sunday);
    assert_eq!((a.sent_today[0], a.sent_in_seven_days(Action::Inmail)), (1, Some(1)));
    a.give_back_slot(Action::Inmail, sunday);
    assert_eq!(a.sent_in_seven_days(Action::Inmail), Some(1), "never below zero");
    a.take_back_slot(Action::Inmail, sunday);
    assert_eq!(a.sent_before.unwrap()[0], [1, 0, 0, 0, 0, 0], "truth wins");
    a.roll(a.day.start().plus(6 * DAY));
    a.give_back_slot(Action::Inmail, sunday);
    assert_eq!(a.sent_before.unwrap()[0], [0, 0, 0, 0, 0, 1], "Sunday is seven days ago");
}

#[test]
fn an_attempt_goes_back_on_its_own_day() {
    let mut a = account();
    let sunday = a.day;
    a.take_slot(Action::Invite);
    a.give_back_slot(Action::Invite, sunday);
    assert_eq!(a.attempts_today[1], 1, "a slot that comes back is no attempt that comes back");
    a.give_back_attempt(Action::Invite, sunday);
    a.give_back_attempt(Action::Invite, sunday);
    assert_eq!(a.attempts_today[1], 0);
    a.roll(a.day.next().start());
    a.take_slot(Action::Invite);
    a.give_back_attempt(Action::Invite, sunday);
    assert_eq!(a.attempts_today[1], 1, "of another day");
}

#[test]
fn a_ramp_starts_afresh_after_a_restriction() {
    let mut a = Account { ramp: true, ramp_days: 3, ..account() };
    a.set_status(Status::Paused);
    a.set_status(Status::Restricted);
    assert_eq!(a.ramp_days, 3);
    a.set_status(Status::Connected);
    assert_eq!(a.ramp_days, 0);
}

#[test]
fn clearing_one_action_leaves_the_others() {
    let mut a = account();
    a.cool_down(Instant(9));
    for &action in Action::ALL {
        a.cool_down_action(action, Instant(9));
        a.failures[action.index()].count = 3;
    }
    assert!(a.clear_cooldowns(Some(Action::Invite)));
    assert!(!a.clear_cooldowns(Some(Action::Invite)), "nothing left to end");
    let left = a.action_cooldown_until.iter().filter(|until| until.is_some()).count();
    assert_eq!((left, a.cooldown_until), (4, Some(Instant(9))));
    assert!(a.clear_cooldowns(None));
    assert_eq!(a, account());
}

#[test]
fn what_lies_ahead_of_a_clock_that_was_put_back_is_forgotten() {
    let mut a = account();
    a.last_granted_at = [Some(Instant(9)), Some(Instant(11)), None, None, None];
    let failing = |since| Failing { since: Instant(since), until: Instant(99) };
    a.failures[0] = Failures { count: 9, level: 1, failing: Some(failing(10)) };
    a.failures[1] = Failures { count: 9, level: 1, failing: Some(failing(11)) };
    a.forget_what_lies_ahead(Instant(10));
    assert_eq!(a.last_granted_at, [Some(Instant(9)), None, None, None, None]);
    assert_eq!((a.failures[0].count, a.failures[1]), (9, Failures::default()));
}

#[test]
fn a_cooldown_is_never_shortened() {
    let mut a = account();
    a.cool_down(Instant(100));
    a.cool_down(Instant(50));
    assert_eq!(a.cooldown_until, Some(Instant(100)));
}
