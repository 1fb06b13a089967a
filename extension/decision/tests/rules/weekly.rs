//! Weekly caps beside daily ones, in random histories of several weeks over the turn of a year: a week is
//! the seven days that end today, counted one by one from the list of grants.

use crate::calendar::{day, instant, midnight, next_date};
use crate::ledger::{GENEROUS, Ledger, ask, request};
use chrono::{DateTime, Days, TimeDelta, TimeZone, Utc};
use proptest::prelude::*;
use sendgate_decision::account::{Account, CapOverride};
use sendgate_decision::budget::TierCap;
use sendgate_decision::clock::Instant;
use sendgate_decision::external::record;
use sendgate_decision::failures::Limits;
use sendgate_decision::gate::{Counts, Request};
use sendgate_decision::names::{Action, Reason};

/// Two actions are enough to see that each has its own week.
const ACTIONS: [Action; 2] = [Action::Inmail, Action::Invite];

#[derive(Clone, Debug)]
enum Step {
    Ask(usize),
    WaitHours(i64),
    /// To the next midnight, or the microsecond before it.
    Midnight {
        before: bool,
    },
    /// Some days on, at the same time of day.
    WaitDays(u64),
    /// A slot that was granted so many days ago is given back, if there was one.
    GiveBack(usize, u64),
    /// A send by hand, so many days ago.
    External(usize, u64),
    Override(usize, CapOverride),
    Tier(usize, TierCap),
}

fn weekly() -> impl Strategy<Value = Option<i32>> {
    prop_oneof![3 => (1i32..7).prop_map(Some), 1 => Just(Some(0)), 1 => Just(None)]
}

fn tier() -> impl Strategy<Value = TierCap> {
    (0i32..5, weekly()).prop_map(|(daily, weekly)| TierCap { daily, weekly, ..GENEROUS })
}

fn step() -> impl Strategy<Value = Step> {
    let caps =
        (prop::option::of(0i32..6), weekly()).prop_map(|(daily, weekly)| CapOverride { daily, weekly });
    prop_oneof![
        12 => (0usize..2).prop_map(Step::Ask),
        3 => (1i64..40).prop_map(Step::WaitHours),
        2 => any::<bool>().prop_map(|before| Step::Midnight { before }),
        2 => (1u64..9).prop_map(Step::WaitDays),
        1 => (0usize..2, 0u64..9).prop_map(|(of, ago)| Step::GiveBack(of, ago)),
        1 => (0usize..2, 0u64..9).prop_map(|(of, ago)| Step::External(of, ago)),
        1 => (0usize..2, caps).prop_map(|(of, caps)| Step::Override(of, caps)),
        1 => (0usize..2, tier()).prop_map(|(of, tier)| Step::Tier(of, tier)),
    ]
}

struct World {
    now: DateTime<Utc>,
    tiers: [TierCap; 2],
    account: Account,
    grants: Ledger,
}

impl World {
    fn live(&mut self, step: &Step) -> Result<(), TestCaseError> {
        let edge = |before| TimeDelta::microseconds(i64::from(before));
        match *step {
            Step::Ask(of) => self.ask(of)?,
            Step::WaitHours(hours) => self.now += TimeDelta::hours(hours),
            Step::Midnight { before } => self.now = self.now.max(self.next_midnight() - edge(before)),
            Step::WaitDays(days) => self.now += TimeDelta::days(days as i64),
            Step::GiveBack(of, ago) => self.give_back(ACTIONS[of], ago),
            Step::External(of, ago) => {
                let at = self.now - Days::new(ago);
                self.account =
                    record(&self.account, ACTIONS[of], instant(at), &self.tiers[of], instant(self.now))
                        .account;
                self.grants.0.push((ACTIONS[of], at));
            }
            Step::Override(of, caps) => self.account.caps[ACTIONS[of].index()] = caps,
            Step::Tier(of, tier) => self.tiers[of] = tier,
        }
        Ok(())
    }

    fn next_midnight(&self) -> DateTime<Utc> {
        midnight(next_date(self.now.date_naive(), |_| true))
    }

    fn give_back(&mut self, action: Action, ago: u64) {
        let date = self.now.date_naive() - Days::new(ago);
        let granted = |grant: &&(Action, DateTime<Utc>)| grant.0 == action && grant.1.date_naive() == date;
        let Some(found) = self.grants.0.iter().find(granted).copied() else { return };
        let place = self.grants.0.iter().position(|grant| *grant == found).unwrap();
        self.grants.0.remove(place);
        self.account.roll(instant(self.now));
        self.account.give_back_slot(action, day(date));
    }

    /// The first midnight at which the seven days hold less than the cap, found by trying one after the
    /// other as if nothing else was sent.
    fn lets_go(&self, action: Action, cap: i32) -> Option<Instant> {
        let mut dates = self.now.date_naive().iter_days().skip(1).take(8);
        let free = dates.find(|&date| self.grants.in_week(action, date) < cap);
        free.map(|date| instant(midnight(date)))
    }

    /// Why the list of grants forbids another, the week's reason before the day's.
    fn forbidden(&self, of: usize) -> Option<(Reason, Option<Instant>)> {
        let (action, today) = (ACTIONS[of], self.now.date_naive());
        let own = self.account.caps[action.index()];
        let weekly = own.weekly.or(self.tiers[of].weekly);
        let daily = own.daily.unwrap_or(self.tiers[of].daily);
        if let Some(cap) = weekly.filter(|&cap| self.grants.in_week(action, today) >= cap) {
            return Some((Reason::WeeklyCapReached, self.lets_go(action, cap)));
        }
        if self.grants.on_day(action, today) >= daily {
            return Some((Reason::DailyCapReached, (daily != 0).then(|| instant(self.next_midnight()))));
        }
        None
    }

    /// The counts that go with an answer; a cap that was lowered leaves nothing, not less.
    fn counts(&self, of: usize) -> Counts {
        let (action, today) = (ACTIONS[of], self.now.date_naive());
        let own = self.account.caps[action.index()];
        let daily_cap = own.daily.unwrap_or(self.tiers[of].daily);
        let sent_today = self.grants.on_day(action, today);
        let mut remaining = daily_cap - sent_today;
        if let Some(cap) = own.weekly.or(self.tiers[of].weekly) {
            remaining = remaining.min(cap - self.grants.in_week(action, today));
        }
        Counts { sent_today, daily_cap, remaining: remaining.max(0) }
    }

    fn ask(&mut self, of: usize) -> Result<(), TestCaseError> {
        let expected = self.forbidden(of);
        // A slot that came back was an attempt all the same, which is another test's subject.
        let limits = Limits { attempt_percent: 0, ..Limits::default() };
        let request = Request { limits, ..request(ACTIONS[of], self.now, self.tiers[of]) };
        match ask(&self.account, &request) {
            Ok(grant) => {
                prop_assert_eq!(expected, None);
                self.grants.0.push((ACTIONS[of], self.now));
                prop_assert_eq!(grant.counts, self.counts(of));
                self.account = grant.account;
            }
            Err(refusal) => {
                prop_assert_eq!(Some((refusal.reason, refusal.retry_at)), expected);
                prop_assert_eq!(refusal.counts, self.counts(of));
            }
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// 2026 has a week 53 that ends in 2027: neither the year nor its first week cuts a week short.
    #[test]
    fn a_week_refuses_exactly_when_its_cap_is_reached(
        first_day in 0u64..21, tiers in prop::array::uniform2(tier()),
        steps in prop::collection::vec(step(), 20..150),
    ) {
        let now = Utc.with_ymd_and_hms(2026, 12, 14, 12, 0, 0).unwrap() + Days::new(first_day);
        let grants = Ledger::default();
        let mut world = World { now, tiers, account: grants.account(now), grants };
        for step in &steps {
            world.live(step)?;
        }
    }
}
