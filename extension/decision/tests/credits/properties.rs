//! What holds after every step.

use crate::oracle;
use crate::rules::{REAL, Rules};
use crate::steps::{Step, allowance, any_step, honest, reset_day};
use crate::world::World;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestError, TestRunner};
use sendgate_decision::clock::{Instant, credit_period_start};
use sendgate_decision::credits::journal::Fate;
use sendgate_decision::credits::stamp::Cause;

/// The stamp before the step: when it was set, and why.
type Stamp = Option<(Instant, Cause)>;

/// A property: its name, whether it is about honest histories alone, and what must hold of a world
/// that lived one step more, given the stamp before it.
#[derive(Clone, Copy)]
pub struct Property {
    pub name: &'static str,
    pub honest: bool,
    pub holds: fn(&World, Stamp) -> Result<(), String>,
}

pub const ALL: [Property; 6] = [
    Property { name: "counted_as_the_oracle_counts", honest: false, holds: as_the_oracle },
    Property { name: "layer_1_finds_no_drift", honest: false, holds: no_drift },
    Property { name: "never_more_than_the_provider_has", honest: true, holds: within_the_provider },
    Property { name: "no_counted_call_is_doomed", honest: true, holds: not_doomed },
    Property { name: "our_own_stamp_stands_while_none_are_left", honest: false, holds: own_stamp },
    Property { name: "a_provider_stamp_goes_by_balance_or_period", honest: false, holds: provider_stamp },
];

fn expect(holds: bool, what: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(what()) }
}

fn as_the_oracle(world: &World, _: Stamp) -> Result<(), String> {
    let (counted, oracle) = (world.rolled().map(|c| c.left), oracle::left(world));
    expect(counted == oracle, || format!("counted {counted:?}, the history says {oracle:?}"))
}

fn no_drift(world: &World, _: Stamp) -> Result<(), String> {
    let Some(credits) = world.rolled() else { return Ok(()) };
    let again = (world.rules.left)(&credits, &world.journal(), world.now);
    expect(again == credits.left, || format!("{credits:?}, layer 1 counts {again}"))
}

/// Each InMail in flight that was not called for yet may take one more.
fn within_the_provider(world: &World, _: Stamp) -> Result<(), String> {
    let Some(credits) = world.rolled() else { return Ok(()) };
    let has = (world.balance - world.to_come()).max(0);
    expect((0..=has).contains(&credits.shown()), || format!("{credits:?}, the provider has {has}"))
}

fn not_doomed(world: &World, _: Stamp) -> Result<(), String> {
    expect(!world.doomed, || "the provider refused a call that a counted credit allowed".into())
}

fn own_stamp(world: &World, _: Stamp) -> Result<(), String> {
    let Some((at, Cause::Spent)) = world.stamp else { return Ok(()) };
    let none_left = world.credits.is_some_and(|c| c.left <= 0);
    let fresh = at == world.now;
    expect(none_left && !(fresh && world.first_expiry().is_some()), || {
        format!("stamped {at:?} with {:?}, first expiry {:?}", world.credits, world.first_expiry())
    })
}

fn provider_stamp(world: &World, before: Stamp) -> Result<(), String> {
    let Some((at, Cause::Provider { .. })) = before else { return Ok(()) };
    let period = credit_period_start(world.calendar.reset_day, world.now);
    // The step that changes the day still went by the old one.
    let changed = world.calendar.changed_at == Some(world.now);
    let gone = world.stamp.is_none() && at >= period && !changed;
    expect(!gone || world.told, || format!("the provider's stamp of {at:?} is gone"))
}

/// Searches random histories for one that breaks a property; the same ones every time for a mutant.
pub fn search(
    rules: Rules,
    properties: &[Property],
    honest_only: bool,
    runner: &mut TestRunner,
) -> Option<String> {
    let steps = if honest_only { honest().boxed() } else { any_step().boxed() };
    let histories = (prop::collection::vec(steps, 1..80), reset_day(), allowance(), 0i32..6);
    let lived = runner.run(&histories, |(steps, reset_day, allowance, balance)| {
        let mut world = World::new(rules, reset_day, allowance, balance);
        for (i, step) in steps.iter().enumerate() {
            let before = world.stamp;
            world.live(step);
            for property in properties {
                (property.holds)(&world, before).map_err(|what| {
                    TestCaseError::fail(format!("{} after step {i}: {what}", property.name))
                })?;
            }
        }
        Ok(())
    });
    match lived {
        Ok(()) => None,
        Err(TestError::Fail(why, (steps, reset_day, allowance, balance))) => {
            Some(format!("{why}\nreset day {reset_day}, {allowance:?}, balance {balance}\n{steps:#?}"))
        }
        Err(TestError::Abort(why)) => panic!("{why}"),
    }
}

pub fn config(cases: u32) -> Config {
    Config { cases, max_shrink_iters: 4_000, failure_persistence: None, ..Config::default() }
}

fn all_hold(honest: bool) {
    let asked: Vec<_> = ALL.iter().copied().filter(|known| honest || !known.honest).collect();
    if let Some(broken) = search(REAL, &asked, honest, &mut TestRunner::new(config(4_000))) {
        panic!("{broken}");
    }
}

#[test]
fn every_honest_history_keeps_the_properties() {
    all_hold(true);
}

#[test]
fn every_history_keeps_the_books() {
    all_hold(false);
}

/// Rules that must not be asked at all.
const NEVER: Rules = Rules {
    read: |_, _| panic!("read"),
    take: |_, _| panic!("take"),
    give_back: |_, _, _| panic!("give_back"),
    take_back: |_, _, _, _| panic!("take_back"),
    take_external: |_, _| panic!("take_external"),
    exhausted: |_, _, _, _| panic!("exhausted"),
    begin_period: |_, _, _, _, _| panic!("begin_period"),
    ..REAL
};

proptest! {
    /// Without a balance nothing is counted, only the provider's stamp refuses, and it is set and cleared exactly
    /// as the breaker alone does it.
    #[test]
    fn without_a_balance_it_is_as_before(steps in prop::collection::vec(any_step(), 1..80), reset in 1u8..=31) {
        use sendgate_decision::breaker::Breaker;
        let tier = sendgate_decision::credits::Allowance { monthly: Some(3), ceiling: Some(9) };
        let mut world = World::new(NEVER, reset, tier, 2);
        let mut breaker = Breaker::default();
        for step in steps.iter().filter(|step| !matches!(step, Step::Tell { .. } | Step::ResetDay { .. })) {
            let refused = |world: &World| {
                world.ops.iter().map(|op| op.sending).filter(|s| s.fate == Fate::Refused).collect::<Vec<_>>()
            };
            let (known, granted) = (refused(&world), world.ops.len());
            world.live(step);
            if breaker.read(reset, world.now) == sendgate_decision::breaker::Reading::Lapsed {
                breaker.clear(world.now);
                breaker.cleared_at = None;
            }
            if let Step::Reserve { forced: false } = step {
                prop_assert_eq!(world.ops.len() > granted, breaker.exhausted_at.is_none());
            }
            for sending in refused(&world).iter().filter(|s| !known.contains(s)) {
                breaker.arm(reset, sending.reserved_at, world.now);
            }
            let period = credit_period_start(reset, world.now);
            let standing = |stamp: Option<_>| stamp.filter(|&at| at >= period);
            prop_assert_eq!(standing(world.stamp.map(|(at, _)| at)), standing(breaker.exhausted_at));
            prop_assert_eq!(world.credits, None);
        }
    }
}
