//! Pace: the gaps of actions and of the account, jitter, and slots spread over the window.

use crate::calendar::{instant, utc};
use crate::ledger::{GENEROUS, Ledger, ask, request};
use chrono::{DateTime, TimeDelta, TimeZone, Utc};
use proptest::prelude::*;
use sendgate_decision::account::{Account, Pace};
use sendgate_decision::budget::TierCap;
use sendgate_decision::clock::{DAY, HOUR, MINUTE};
use sendgate_decision::names::{ACTIONS, Action, Reason};
use sendgate_decision::window::Window;

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

    /// Whatever the action, no two grants of an account are nearer than its gap, nor kept apart for longer
    /// than its jitter allows; and what the refusal says is when it lets go, asked as often as one likes.
    #[test]
    fn no_two_grants_of_an_account_are_nearer_than_its_gap(
        gap in gap(), jitter_percent in 0i32..=100,
        asked in prop::collection::vec((0..ACTIONS, prop_oneof![Just(0i64), 0..HOUR, 0..9 * DAY]), 1..30),
    ) {
        let mut world = World::new([0; ACTIONS]);
        world.account.pace = Pace { minimum_gap: gap, jitter_percent, spread: false };
        let mut last: Option<DateTime<Utc>> = None;
        for (action, wait) in asked {
            world.now += TimeDelta::microseconds(wait);
            let request = |now| request(Action::ALL[action], now, GENEROUS);
            if let Err(refusal) = ask(&world.account, &request(world.now)) {
                prop_assert_eq!(refusal.reason, Reason::Pacing);
                let lets_go = utc(refusal.retry_at.unwrap());
                let widest = TimeDelta::microseconds(gap + (i128::from(gap) * i128::from(jitter_percent) / 100) as i64);
                prop_assert!(lets_go <= last.unwrap() + widest, "kept apart for longer than {widest}");
                let just_before = lets_go - TimeDelta::microseconds(1);
                prop_assert_eq!(ask(&world.account, &request(just_before)).unwrap_err().retry_at, refusal.retry_at);
                world.now = lets_go;
            }
            let grant = ask(&world.account, &request(world.now));
            prop_assert!(grant.is_ok(), "{:?}", grant);
            prop_assert!(last.is_none_or(|last| world.now - last >= TimeDelta::microseconds(gap)), "too near");
            last = Some(world.now);
            world.account = grant.unwrap().account;
        }
    }

    /// A worker that asks as soon as it may gets every slot of the day, in equal steps, and the last of them a step
    /// before the window closes: or midnight, if that is first. A cap of seven days that leaves less is
    /// shared out in the same way.
    #[test]
    fn spread_uses_the_window_up_to_its_end(
        daily in 1i32..40, weekly in prop::option::of(1i32..40), start in 0i64..20 * HOUR,
        length in prop_oneof![2 * HOUR..4 * HOUR, 2 * HOUR..23 * HOUR, Just(0)], late in 0i64..HOUR,
    ) {
        let slots = weekly.map_or(daily, |weekly| weekly.min(daily));
        let today = Utc.with_ymd_and_hms(2026, 5, 24, 0, 0, 0).unwrap();
        let mut world = World::new([0; ACTIONS]);
        world.account.pace = Pace { minimum_gap: 0, jitter_percent: 0, spread: true };
        // No length: no window.
        world.account.window = Window::new(start, (start + length) % DAY, 127).ok();
        let ends = if length == 0 { DAY } else { (start + length).min(DAY) };
        world.now = today + TimeDelta::microseconds(start + late);
        let tier = TierCap { daily, weekly, ..GENEROUS };
        let mut at = Vec::new();
        let refused = loop {
            match ask(&world.account, &request(Action::Invite, world.now, tier)) {
                Ok(grant) => {
                    at.push((world.now - today).num_microseconds().unwrap());
                    world.account = grant.account;
                }
                Err(refusal) if refusal.reason == Reason::Pacing => world.now = utc(refusal.retry_at.unwrap()),
                Err(refusal) => break refusal.reason,
            }
        };
        prop_assert!([Reason::DailyCapReached, Reason::WeeklyCapReached].contains(&refused), "{:?}", refused);
        prop_assert_eq!(at.len(), slots as usize);
        let step = (ends - at[0]) / i64::from(slots);
        for (nth, &instant) in (0..).zip(&at) {
            let even = at[0] + nth * step;
            prop_assert!((instant - even).abs() <= i64::from(slots) * i64::from(slots), "{nth}: {instant}, not {even}");
        }
        prop_assert!(*at.last().unwrap() < ends);
    }

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
