//! The minimum gap, in random histories of grants of every action, each with a gap of its own.

use crate::calendar::instant;
use crate::ledger::{GENEROUS, Ledger, ask, request};
use chrono::{DateTime, TimeDelta, TimeZone, Utc};
use proptest::prelude::*;
use sendgate_decision::account::Account;
use sendgate_decision::budget::TierCap;
use sendgate_decision::clock::{DAY, HOUR, MINUTE};
use sendgate_decision::names::{ACTIONS, Action, Reason};

#[derive(Clone, Debug)]
enum Step {
    Ask(Action),
    /// Time goes by; backwards when the clock is put right.
    Wait(i64),
    /// To so many microseconds after the end of an action's gap.
    GapEnds(Action, i64),
    /// The last grant's slot is given back. The gap runs from the grant, so it goes on.
    GiveBack(Action),
}

fn step() -> impl Strategy<Value = Step> {
    let action = || (0..ACTIONS).prop_map(|i| Action::ALL[i]);
    let wait = prop_oneof![
        4 => 0i64..3,
        4 => 0i64..HOUR,
        2 => 0i64..3 * DAY,
        1 => -HOUR..0,
    ];
    prop_oneof![
        8 => action().prop_map(Step::Ask),
        3 => wait.prop_map(Step::Wait),
        4 => (action(), -1i64..=1).prop_map(|(action, past)| Step::GapEnds(action, past)),
        1 => action().prop_map(Step::GiveBack),
    ]
}

struct World {
    now: DateTime<Utc>,
    gaps: [i64; ACTIONS],
    account: Account,
    grants: Ledger,
}

impl World {
    fn new(gaps: [i64; ACTIONS]) -> World {
        let now = Utc.with_ymd_and_hms(2026, 5, 24, 23, 50, 0).unwrap();
        World { now, gaps, account: Ledger::default().account(now), grants: Ledger::default() }
    }

    fn gap(&self, action: Action) -> TimeDelta {
        TimeDelta::microseconds(self.gaps[action.index()])
    }

    fn live(&mut self, step: &Step) -> Result<(), TestCaseError> {
        match *step {
            Step::Ask(action) => self.ask(action)?,
            Step::Wait(micros) => self.now += TimeDelta::microseconds(micros),
            Step::GapEnds(action, past) => {
                if let Some(last) = self.grants.last(action) {
                    self.now = last + self.gap(action) + TimeDelta::microseconds(past);
                }
            }
            Step::GiveBack(action) => {
                let counted_on = self.account.day;
                self.account.give_back_slot(action, counted_on);
            }
        }
        Ok(())
    }

    fn ask(&mut self, action: Action) -> Result<(), TestCaseError> {
        let gap = self.gap(action);
        let tier = TierCap { minimum_gap: self.gaps[action.index()], ..GENEROUS };
        let ends = self.grants.last(action).map(|last| last + gap);
        let too_close = !gap.is_zero() && ends.is_some_and(|ends| self.now < ends);
        match ask(&self.account, &request(action, self.now, tier)) {
            Ok(grant) => {
                prop_assert!(!too_close, "{:?} again before {:?}", action, ends);
                self.grants.0.push((action, self.now));
                self.account = grant.account;
            }
            Err(refusal) => {
                prop_assert!(too_close, "{:?} refused, though its gap was over at {:?}", action, ends);
                prop_assert_eq!((refusal.reason, refusal.retry_at), (Reason::Pacing, ends.map(instant)));
            }
        }
        Ok(())
    }

    fn check_gaps(&self) -> Result<(), TestCaseError> {
        for (nth, (action, at)) in self.grants.0.iter().enumerate() {
            for (_, other) in self.grants.0[..nth].iter().filter(|grant| grant.0 == *action) {
                prop_assert!((*at - *other).abs() >= self.gap(*action), "{:?}: {} and {}", action, other, at);
            }
        }
        Ok(())
    }
}

fn gap() -> impl Strategy<Value = i64> {
    prop_oneof![
        1 => Just(0),
        1 => 1i64..4,
        3 => (1i64..120).prop_map(|minutes| minutes * MINUTE),
        1 => HOUR..2 * DAY,
        1 => Just(31 * DAY),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// Each action keeps its own gap and no other: what one action does never delays another.
    #[test]
    fn no_two_grants_of_an_action_are_closer_than_its_gap(
        gaps in prop::array::uniform5(gap()), steps in prop::collection::vec(step(), 1..60),
    ) {
        let mut world = World::new(gaps);
        for step in &steps {
            world.live(step)?;
        }
        world.check_gaps()?;
    }
}
