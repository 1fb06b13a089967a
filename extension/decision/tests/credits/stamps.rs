//! Which balance clears a provider's stamp: a page may lag.

use crate::rules::REAL;
use proptest::prelude::*;
use sendgate_decision::clock::{DAY, Day, Instant, MINUTE};
use sendgate_decision::credits::stamp::Cause;
use sendgate_decision::credits::{Credits, Observation};

type ClearedBy = fn(&mut Cause, Instant, &Observation, Option<&Credits>) -> bool;

fn stamped_at() -> Instant {
    Day::from_civil(2026, 5, 24).start()
}

fn told(balance: i32, observed_at: Instant) -> Option<Credits> {
    Some(Credits { left: balance, base: balance, since: observed_at, observed_at, spent_at: None })
}

/// The pages told one after the other; which of them clears the stamp.
fn first_that_clears(rule: ClearedBy, above: i32, pages: &[(i32, i64)]) -> Option<usize> {
    let mut cause = Cause::Provider { above };
    pages.iter().position(|&(balance, minutes)| {
        let page = Observation { balance, observed_at: stamped_at().plus(minutes * MINUTE) };
        rule(&mut cause, stamped_at(), &page, told(balance, page.observed_at).as_ref())
    })
}

/// By the contract's sentence: observed after it, above 0, and more than was counted, or than another
/// that was told in between.
fn by_the_contract(above: i32, pages: &[(i32, i64)]) -> Option<usize> {
    let fresh = |&&(_, minutes): &&(i32, i64)| minutes > 0;
    (0..pages.len()).find(|&i| {
        let lower = pages[..i].iter().filter(fresh).any(|page| page.0 < pages[i].0);
        pages[i].1 > 0 && pages[i].0 > 0 && (pages[i].0 > above || lower)
    })
}

fn check(rule: ClearedBy) -> bool {
    let pages = || (0i32..6).flat_map(|balance| [-1i64, 1].map(|minutes| (balance, minutes)));
    (0..5).all(|above| {
        pages().all(|a| {
            pages().all(|b| {
                pages().all(|c| {
                    let told = [a, b, (c.0, c.1)];
                    first_that_clears(rule, above, &told) == by_the_contract(above, &told)
                })
            })
        })
    })
}

#[test]
fn a_provider_stamp_is_cleared_as_the_contract_says() {
    assert!(check(REAL.is_cleared_by));
}

#[test]
fn mutants_are_found() {
    let any: ClearedBy = |_, at, page, _| page.observed_at > at && page.balance > 0;
    let forgetful: ClearedBy = |cause, at, page, credits| {
        let mut copy = *cause;
        copy.is_cleared_by(at, page, credits)
    };
    let whenever: ClearedBy = |cause, _, page, credits| cause.is_cleared_by(Instant(i64::MIN), page, credits);
    for (name, mutant) in [("any", any), ("forgetful", forgetful), ("whenever", whenever)] {
        assert!(!check(mutant), "{name}");
    }
}

#[test]
fn what_was_counted_is_the_measure() {
    let now = stamped_at();
    let credits = told(3, now.plus(-DAY));
    // Three left, two more in flight beside the one that was refused: a page that says 6 may lag.
    assert_eq!(Cause::provider(credits.as_ref(), 2), Cause::Provider { above: 6 });
    assert_eq!(Cause::provider(None, 2), Cause::Provider { above: 0 }, "nothing was counted: any");
    let owing = Credits { left: -4, ..credits.unwrap() };
    assert_eq!(Cause::provider(Some(&owing), 0), Cause::Provider { above: 0 });
    assert_eq!(Cause::Spent.and_provider(Some(&owing), 5), Cause::Provider { above: 2 });
    for known in [Cause::Manual, Cause::Provider { above: 1 }] {
        assert_eq!(known.and_provider(credits.as_ref(), 2), known, "the first stays");
    }
}

proptest! {
    #[test]
    fn no_balance_clears_an_operators_stamp(balance in 0i32..100, minutes in -5i64..5) {
        let page = Observation { balance, observed_at: stamped_at().plus(minutes * MINUTE) };
        let credits = told(balance, page.observed_at);
        prop_assert!(!Cause::Manual.is_cleared_by(stamped_at(), &page, credits.as_ref()));
        prop_assert!(Cause::Manual.stands(credits.as_ref()) && Cause::Manual.stands(None));
        // Our own goes with the first credit, and with the counting.
        prop_assert_eq!(Cause::Spent.is_cleared_by(stamped_at(), &page, credits.as_ref()), balance > 0);
        prop_assert!(!Cause::Spent.stands(None));
    }
}
