//! A year of credit periods, against a list that was written by hand.

use proptest::prelude::*;
use sendgate_decision::clock::{DAY, Day, HOUR, Instant, MINUTE, next_credit_period};
use sendgate_decision::credits::journal::{Fate, Sending, Told, tell};
use sendgate_decision::credits::{Allowance, Calendar, Credits, Observation, Unanswered};

const TIER: Allowance = Allowance { monthly: Some(50), ceiling: Some(150) };

fn on(year: i32, month: u8, day: u8) -> Instant {
    Day::from_civil(year, month, day).start()
}

fn told(balance: i32, at: Instant, calendar: &Calendar, tier: Allowance) -> Option<Credits> {
    match tell(None, Observation { balance, observed_at: at }, &[], calendar, tier, at) {
        Told::Counts(credits) => credits,
        Told::Older => panic!("nothing was told before"),
    }
}

fn rolled(mut credits: Credits, calendar: &Calendar, tier: Allowance, now: Instant) -> Option<Credits> {
    while let Some(start) = credits.due(calendar, now) {
        credits = credits.begin_period(start, Unanswered::default(), tier, calendar)?;
    }
    Some(credits)
}

/// The month's last day, in a leap year: no start is skipped, none comes twice, the ceiling holds.
#[test]
fn a_leap_year_of_days_31() {
    let last_days = [
        (1, 31),
        (2, 29),
        (3, 31),
        (4, 30),
        (5, 31),
        (6, 30),
        (7, 31),
        (8, 31),
        (9, 30),
        (10, 31),
        (11, 30),
        (12, 31),
    ];
    let calendar = Calendar { reset_day: 31, changed_at: None };
    let mut credits = told(10, on(2028, 1, 1), &calendar, TIER).unwrap();
    let expected = [60, 110, 150, 150, 150, 150, 150, 150, 150, 150, 150, 150];
    for ((month, day), expected) in last_days.into_iter().zip(expected) {
        let start = on(2028, month, day);
        assert_eq!(rolled(credits, &calendar, TIER, start.plus(-1)), Some(credits), "{month}: not before");
        let begun = rolled(credits, &calendar, TIER, start).unwrap();
        assert_eq!((begun.left, begun.since), (expected, start), "month {month}");
        // Told anew each month, or it would be forgotten.
        credits = told(begun.left, start.plus(DAY / 2), &calendar, TIER).unwrap();
    }
}

#[test]
fn a_balance_above_the_ceiling_stays_and_grows_no_more() {
    let calendar = Calendar { reset_day: 1, changed_at: None };
    let credits = told(400, on(2026, 5, 24), &calendar, TIER).unwrap();
    assert_eq!(rolled(credits, &calendar, TIER, on(2026, 6, 1)).unwrap().left, 400);
}

#[test]
fn two_whole_periods_without_news_end_the_counting() {
    let calendar = Calendar { reset_day: 1, changed_at: None };
    let credits = told(1, on(2026, 5, 24), &calendar, TIER).unwrap();
    assert_eq!(rolled(credits, &calendar, TIER, on(2026, 6, 1)).unwrap().left, 51);
    assert_eq!(rolled(credits, &calendar, TIER, on(2026, 8, 1).plus(-1)).unwrap().left, 101);
    assert_eq!(rolled(credits, &calendar, TIER, on(2026, 8, 1)), None);
    assert_eq!(rolled(credits, &calendar, TIER, on(2031, 8, 1)), None, "in three steps, not in sixty");
}

#[test]
fn a_tier_that_names_no_credits_ends_the_counting() {
    let calendar = Calendar { reset_day: 1, changed_at: None };
    let own = Allowance { monthly: None, ceiling: None };
    let credits = told(7, on(2026, 5, 24), &calendar, own).unwrap();
    assert_eq!(rolled(credits, &calendar, own, on(2026, 6, 1).plus(-1)), Some(credits));
    assert_eq!(rolled(credits, &calendar, own, on(2026, 6, 1)), None);
    let free = Allowance { monthly: Some(0), ceiling: Some(0) };
    let credits = told(7, on(2026, 5, 24), &calendar, free).unwrap();
    assert_eq!(rolled(credits, &calendar, free, on(2026, 6, 1)).unwrap().left, 7);
    let unbounded = Allowance { monthly: Some(5), ceiling: None };
    let begin = |left| {
        let credits = told(left, on(2026, 5, 24), &calendar, unbounded).unwrap();
        rolled(credits, &calendar, unbounded, on(2026, 6, 1)).unwrap().left
    };
    assert_eq!((begin(2), begin(9)), (5, 9), "without a ceiling nothing is carried over");
}

#[test]
fn a_start_before_the_change_of_the_day_adds_nothing() {
    let changed = on(2026, 5, 20);
    let calendar = Calendar { reset_day: 15, changed_at: Some(changed) };
    // Told on the 10th, when the day was still the 1st: the 15th was no start then.
    let late = tell(
        None,
        Observation { balance: 3, observed_at: on(2026, 5, 10) },
        &[],
        &calendar,
        TIER,
        on(2026, 5, 21),
    );
    let Told::Counts(Some(credits)) = late else { panic!("{late:?}") };
    assert_eq!(credits.left, 3);
    assert_eq!(rolled(credits, &calendar, TIER, on(2026, 6, 14)).unwrap().left, 3);
    assert_eq!(rolled(credits, &calendar, TIER, on(2026, 6, 15)).unwrap().left, 53);
}

/// A search found this: the refusal of the old period was taken for one of the new.
#[test]
fn a_refusal_ends_with_its_period() {
    let start = on(2026, 6, 1);
    let calendar = Calendar { reset_day: 1, changed_at: None };
    let sending = |minutes: i64, fate: Fate| Sending {
        reserved_at: start.plus(minutes * MINUTE),
        expires_at: start.plus((minutes + 15) * MINUTE),
        settled_at: (fate == Fate::Refused).then_some(start.plus(-MINUTE)),
        fate,
    };
    let journal = [sending(-3, Fate::Refused), sending(-2, Fate::Unanswered)];
    let page = Observation { balance: 9, observed_at: on(2026, 5, 30) };
    let Told::Counts(Some(credits)) = tell(None, page, &journal, &calendar, TIER, start.plus(MINUTE)) else {
        panic!("it counts")
    };
    assert_eq!((credits.base, credits.left, credits.spent_at), (50, 49, None), "one may still take its own");
}

proptest! {
    /// A grant asks only for the dates that it needs: the answer is that of both sentences of the contract.
    #[test]
    fn a_start_is_due_as_its_sentences_say(
        reset_day in 1u8..=31,
        changed in prop::option::of(-100i64..200),
        since in 0i64..120,
        observed in -200i64..120,
        hours in 0i64..24 * 300,
    ) {
        let at = |days: i64| on(2026, 5, 1).plus(days * DAY + 7 * HOUR);
        let calendar = Calendar { reset_day, changed_at: changed.map(at) };
        let credits = Credits { left: 1, base: 1, since: at(since), observed_at: at(observed), spent_at: None };
        let now = on(2026, 5, 1).plus(hours * HOUR);
        let grants = next_credit_period(reset_day, calendar.changed_at.map_or(at(since), |c| c.max(at(since))));
        let forgotten = (0..3).fold(at(observed), |from, _| next_credit_period(reset_day, from));
        let first = grants.min(forgotten);
        prop_assert_eq!(credits.due(&calendar, now), (first <= now).then_some(first));
    }
}

/// A row in which a part is missing: without its base none is counted, without the number none are left.
#[test]
fn a_row_without_its_number_has_no_credits() {
    let at = Some(on(2026, 5, 24));
    let counted = Credits::of_columns(Some(3), Some(5), at, at, None).unwrap();
    assert_eq!((counted.left, counted.base), (3, 5));
    assert_eq!(Credits::of_columns(None, Some(5), at, at, None).unwrap().left, 0);
    assert_eq!(Credits::of_columns(Some(3), None, None, None, None), None);
}
