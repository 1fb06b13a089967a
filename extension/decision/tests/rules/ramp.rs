//! The ramp: how much an account may send a day while it warms up, from the list of its grants.

use crate::calendar::{instant, midnight, next_date};
use crate::ledger::{GENEROUS, Ledger, ask, ramp_cap, request};
use chrono::{DateTime, NaiveDate, TimeDelta, TimeZone, Utc};
use proptest::prelude::*;
use sendgate_decision::account::Account;
use sendgate_decision::budget::TierCap;
use sendgate_decision::names::{Action, Reason};

const ACTIONS: [Action; 2] = [Action::Invite, Action::Message];

#[derive(Clone, Debug)]
enum Step {
    /// Asks so many times in a row.
    Ask(usize, usize),
    WaitHours(i64),
    /// To the next midnight, or the microsecond before it.
    Midnight {
        before: bool,
    },
    /// Switches the ramp on, on a day on which nothing was sent yet. Afresh unless it is on.
    On,
    Off,
    Override(Option<i32>),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        10 => (0usize..2, 1usize..20).prop_map(|(of, times)| Step::Ask(of, times)),
        2 => (1i64..60).prop_map(Step::WaitHours),
        5 => any::<bool>().prop_map(|before| Step::Midnight { before }),
        1 => Just(Step::On),
        1 => Just(Step::Off),
        1 => prop::option::of(0i32..40).prop_map(Step::Override),
    ]
}

/// As shipped (20 % and 20 % more a day) in every other history.
fn tier() -> impl Strategy<Value = TierCap> {
    let percents = prop_oneof![Just((20, 20)), (1i32..=100, 0i32..=100)];
    (0i32..60, percents).prop_map(|(daily, (ramp_start_percent, ramp_step_percent))| TierCap {
        daily,
        ramp_start_percent,
        ramp_step_percent,
        ..GENEROUS
    })
}

struct World {
    now: DateTime<Utc>,
    tier: TierCap,
    account: Account,
    grants: Ledger,
    /// The day on which the ramp was switched on.
    ramp_since: Option<NaiveDate>,
}

impl World {
    fn new(tier: TierCap) -> World {
        let now = Utc.with_ymd_and_hms(2026, 2, 26, 9, 0, 0).unwrap();
        let grants = Ledger::default();
        World { now, tier, account: grants.account(now), grants, ramp_since: None }
    }

    fn live(&mut self, step: &Step) -> Result<(), TestCaseError> {
        match *step {
            Step::Ask(of, times) => (0..times).try_for_each(|_| self.ask(ACTIONS[of]))?,
            Step::WaitHours(hours) => self.now += TimeDelta::hours(hours),
            Step::Midnight { before } => {
                let edge = TimeDelta::microseconds(i64::from(before));
                self.now = self.now.max(self.tomorrow() - edge);
            }
            Step::On => self.switch_on(),
            Step::Off => {
                self.account.roll(instant(self.now));
                self.account.ramp = false;
                self.ramp_since = None;
            }
            Step::Override(daily) => self.account.caps[Action::Invite.index()].daily = daily,
        }
        Ok(())
    }

    fn tomorrow(&self) -> DateTime<Utc> {
        midnight(next_date(self.now.date_naive(), |_| true))
    }

    fn switch_on(&mut self) {
        if self.ramp_since.is_none() {
            if self.grants.0.iter().any(|grant| grant.1.date_naive() == self.now.date_naive()) {
                self.now = self.tomorrow();
            }
            // As the verb does it: the row is rolled first.
            self.account.roll(instant(self.now));
            (self.account.ramp, self.account.ramp_days) = (true, 0);
            self.ramp_since = Some(self.now.date_naive());
        }
    }

    /// The effective cap: the account's own or the tier's, and the ramp's where that is less.
    fn cap(&self, action: Action) -> i32 {
        let daily = self.account.caps[action.index()].daily.unwrap_or(self.tier.daily);
        match self.ramp_since {
            None => daily,
            Some(since) => {
                let days = self.grants.sending_days(since, self.now.date_naive());
                daily.min(ramp_cap(&self.tier, daily, days))
            }
        }
    }

    fn ask(&mut self, action: Action) -> Result<(), TestCaseError> {
        let cap = self.cap(action);
        let sent = self.grants.on_day(action, self.now.date_naive());
        match ask(&self.account, &request(action, self.now, self.tier)) {
            Ok(grant) => {
                prop_assert!(sent < cap, "granted {} after {} of {}", action.name(), sent, cap);
                prop_assert_eq!((grant.counts.sent_today, grant.counts.daily_cap), (sent + 1, cap));
                self.grants.0.push((action, self.now));
                self.account = grant.account;
            }
            Err(refusal) => {
                prop_assert!(sent >= cap, "refused {} after {} of {}", action.name(), sent, cap);
                let retry_at = (cap != 0).then(|| instant(self.tomorrow()));
                prop_assert_eq!((refusal.reason, refusal.retry_at), (Reason::DailyCapReached, retry_at));
                prop_assert_eq!((refusal.counts.sent_today, refusal.counts.daily_cap), (sent, cap));
            }
        }
        Ok(())
    }
}

#[test]
fn ramp_of_twelve_climbs_in_rounded_fifths() {
    let caps: Vec<i32> = (0..6).map(|days| ramp_cap(&GENEROUS, 12, days)).collect();
    assert_eq!(caps, [3, 5, 8, 10, 12, 12], "2.4, 4.8, 7.2 and 9.6, rounded up");
    assert_eq!(ramp_cap(&GENEROUS, 0, 2), 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// A step for each day before today on which anything was sent since switching on, and none for
    /// a day without.
    #[test]
    fn the_ramp_climbs_with_the_days_on_which_the_account_sent(
        tier in tier(), on_at_first in prop::bool::weighted(0.7),
        steps in prop::collection::vec(step(), 5..50),
    ) {
        let mut world = World::new(tier);
        if on_at_first {
            world.live(&Step::On)?;
        }
        for step in &steps {
            world.live(step)?;
        }
    }
}
