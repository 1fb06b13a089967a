//! Rules that are wrong in one place. The search of each property has to find one.

use crate::properties::{ALL, config, search};
use crate::rules::{REAL, Rules};
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};
use sendgate_decision::clock::{DAY, HOUR};
use sendgate_decision::credits::journal::{self, Told};
use sendgate_decision::credits::{Credits, Observation, Reading, Unanswered};

fn is_found(property: &str, rules: Rules) {
    let asked: Vec<_> = ALL.iter().copied().filter(|known| known.name == property).collect();
    assert_eq!(asked.len(), 1, "there is no property {property}");
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(config(20_000), rng);
    let broken = search(rules, &asked, asked[0].honest, &mut runner);
    println!("{}", broken.expect("the property holds in every history"));
}

macro_rules! mutants {
    ($($name:ident: $property:literal with $rules:expr;)+) => {
        $(#[test] fn $name() { is_found($property, $rules); })+

        #[test]
        fn every_property_has_a_mutant() {
            let named = [$($property),+];
            for property in ALL {
                assert!(named.contains(&property.name), "{} has none", property.name);
            }
        }
    };
}

mutants! {
    a_balance_forgets_what_is_in_flight: "never_more_than_the_provider_has" with Rules {
        tell: |last, page, _, calendar, tier, now| journal::tell(last, page, &[], calendar, tier, now), ..REAL };
    an_older_balance_counts: "counted_as_the_oracle_counts" with Rules {
        tell: |_, page, ops, calendar, tier, now| journal::tell(None, page, ops, calendar, tier, now), ..REAL };
    a_balance_told_late_counts_from_now: "never_more_than_the_provider_has" with Rules {
        tell: |last, page, ops, calendar, tier, now| {
            let page = Observation { observed_at: now, ..page };
            journal::tell(last, page, ops, calendar, tier, now)
        }, ..REAL };
    a_grant_is_free: "no_counted_call_is_doomed" with Rules { take: |credits, _| credits.left <= 0, ..REAL };
    what_was_given_back_stays_away: "counted_as_the_oracle_counts" with Rules {
        give_back: |_, _, _| {}, ..REAL };
    what_expired_before_the_balance_comes_back: "never_more_than_the_provider_has" with Rules {
        give_back: |credits, _, _| credits.left += 1, ..REAL };
    it_gives_back_twice: "layer_1_finds_no_drift" with Rules {
        give_back: |credits, reserved, expires| {
            credits.give_back(reserved, expires);
            credits.give_back(reserved, expires);
        }, ..REAL };
    a_late_truth_takes_nothing: "layer_1_finds_no_drift" with Rules { take_back: |_, _, _, _| {}, ..REAL };
    a_late_truth_leaves_the_base: "layer_1_finds_no_drift" with Rules {
        take_back: |credits, reserved, expires, released| {
            let base = credits.base;
            credits.take_back(reserved, expires, released);
            credits.base = base;
        }, ..REAL };
    a_send_by_hand_is_free: "never_more_than_the_provider_has" with Rules { take_external: |_, _| {}, ..REAL };
    a_send_by_hand_before_the_balance_counts: "counted_as_the_oracle_counts" with Rules {
        take_external: |credits, at| {
            let observed_at = std::mem::replace(&mut credits.observed_at, at.plus(-1));
            credits.take_external(at);
            credits.observed_at = observed_at;
        }, ..REAL };
    a_refusal_leaves_the_number: "counted_as_the_oracle_counts" with Rules {
        exhausted: |_, _, _, _| false, ..REAL };
    a_refusal_of_the_last_period_counts_now: "counted_as_the_oracle_counts" with Rules {
        exhausted: |credits, _, _, now| { credits.left = 0; credits.spent_at = Some(now); true }, ..REAL };
    a_refusal_forgets_its_time: "layer_1_finds_no_drift" with Rules {
        exhausted: |credits, reserved, day, now| {
            let fresh = credits.exhausted(reserved, day, now);
            if fresh { credits.spent_at = None; }
            fresh
        }, ..REAL };
    a_period_takes_nothing_off_again: "never_more_than_the_provider_has" with Rules {
        begin_period: |credits, start, _, tier, calendar| {
            credits.begin_period(start, Unanswered::default(), tier, calendar)
        }, ..REAL };
    a_period_ignores_the_ceiling: "never_more_than_the_provider_has" with Rules {
        begin_period: |credits, start, open, tier, calendar| {
            let tier = sendgate_decision::credits::Allowance { ceiling: Some(i32::MAX), ..tier };
            credits.begin_period(start, open, tier, calendar)
        }, ..REAL };
    a_period_grants_twice: "never_more_than_the_provider_has" with Rules {
        begin_period: |credits, start, open, tier, calendar| {
            let once = credits.begin_period(start, open, tier, calendar)?;
            once.begin_period(start, open, tier, calendar)
        }, ..REAL };
    a_balance_is_never_forgotten: "counted_as_the_oracle_counts" with Rules {
        begin_period: |credits, start, open, tier, calendar| {
            let fresh = Credits { observed_at: start.plus(-DAY), ..*credits };
            let begun = fresh.begin_period(start, open, tier, calendar)?;
            Some(Credits { observed_at: credits.observed_at.max(start.plus(-40 * DAY)), ..begun })
        }, ..REAL };
    a_proof_that_the_books_are_wrong_is_ignored: "counted_as_the_oracle_counts" with Rules {
        is_contradicted_by: |_, _, _| false, ..REAL };
    it_sends_on_nothing: "no_counted_call_is_doomed" with Rules {
        read: |_, _| Reading::Enough, take: |credits, now| { credits.take(now); false }, ..REAL };
    it_stamps_while_one_is_in_flight: "our_own_stamp_stands_while_none_are_left" with Rules {
        read: |credits, _| credits.read(|| None), ..REAL };
    its_own_stamp_outlives_the_top_up: "our_own_stamp_stands_while_none_are_left" with Rules {
        stands: |_, _| true, is_cleared_by: |_, _, _, _| false, ..REAL };
    a_provider_stamp_goes_with_the_number: "a_provider_stamp_goes_by_balance_or_period" with Rules {
        stands: |_, credits| credits.is_some_and(|c| c.left <= 0), ..REAL };
    an_old_page_is_as_good: "no_counted_call_is_doomed" with Rules {
        tell: |_, page, ops, calendar, tier, now| match journal::tell(None, page, ops, calendar, tier, now) {
            Told::Counts(Some(credits)) => Told::Counts(Some(Credits { left: page.balance, ..credits })),
            told => told,
        }, ..REAL };
}

#[test]
fn an_unchanged_balance_is_logged_once_a_day() {
    let noon = sendgate_decision::clock::Day::from_civil(2026, 5, 24).start().plus(12 * HOUR);
    assert!(journal::is_logged(None, 0, noon));
    assert!(!journal::is_logged(Some((5, noon)), 5, noon.plus(12 * HOUR - 1)));
    assert!(journal::is_logged(Some((5, noon)), 5, noon.plus(12 * HOUR)));
    assert!(journal::is_logged(Some((5, noon)), 4, noon));
}
