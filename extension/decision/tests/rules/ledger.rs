//! The list of grants, and what is counted from it: one by one, by the calendar.

use crate::calendar::{day, instant};
use chrono::{DateTime, Days, NaiveDate, Utc};
use sendgate_decision::account::{Account, CapOverride, Pace};
use sendgate_decision::breaker::Breaker;
use sendgate_decision::budget::TierCap;
use sendgate_decision::clock::{DAY, MINUTE};
use sendgate_decision::failures::{Failures, Limits};
use sendgate_decision::gate::{Grant, ProspectHistory, Refusal, Request, Verdict, decide};
use sendgate_decision::names::{ACTIONS, Action, Status};
use sendgate_decision::window;
use std::collections::BTreeSet;

/// Caps that refuse nothing.
pub const GENEROUS: TierCap =
    TierCap { daily: 1_000_000, weekly: None, ramp_start_percent: 20, ramp_step_percent: 20, minimum_gap: 0 };

/// Every grant there was, in no order.
#[derive(Clone, Debug, Default)]
pub struct Ledger(pub Vec<(Action, DateTime<Utc>)>);

impl Ledger {
    fn of(&self, action: Action) -> impl Iterator<Item = DateTime<Utc>> {
        self.0.iter().filter(move |grant| grant.0 == action).map(|grant| grant.1)
    }

    pub fn on_day(&self, action: Action, date: NaiveDate) -> i32 {
        self.of(action).filter(|at| at.date_naive() == date).count() as i32
    }

    pub fn in_week(&self, action: Action, date: NaiveDate) -> i32 {
        let first = date - Days::new(6);
        self.of(action).filter(|at| (first..=date).contains(&at.date_naive())).count() as i32
    }

    /// The last grant of any action.
    pub fn last_of_all(&self) -> Option<DateTime<Utc>> {
        self.0.iter().map(|grant| grant.1).max()
    }

    pub fn last(&self, action: Action) -> Option<DateTime<Utc>> {
        self.of(action).max()
    }

    /// On how many dates from `from` on and before `before` anything was sent, whatever it was.
    pub fn sending_days(&self, from: NaiveDate, before: NaiveDate) -> i32 {
        let dates: BTreeSet<_> = self.0.iter().map(|grant| grant.1.date_naive()).collect();
        dates.range(from..before.max(from)).count() as i32
    }

    /// The account as its row was last written at `at`: connected, with these grants counted.
    pub fn account(&self, at: DateTime<Utc>) -> Account {
        let date = at.date_naive();
        let per_action = |count: &dyn Fn(Action) -> i32| -> [i32; ACTIONS] {
            std::array::from_fn(|i| count(Action::ALL[i]))
        };
        Account {
            status: Status::Connected,
            day: day(date),
            sent_today: per_action(&|action| self.on_day(action, date)),
            sent_before: Some(std::array::from_fn(|i| {
                let ago = |days: usize| date - Days::new(days as u64 + 1);
                std::array::from_fn(|days| self.on_day(Action::ALL[i], ago(days)))
            })),
            attempts_today: per_action(&|action| self.on_day(action, date)),
            inmail_cap_today: 0,
            ramp: false,
            ramp_days: self.sending_days(NaiveDate::MIN, date),
            last_granted_at: std::array::from_fn(|i| self.last(Action::ALL[i]).map(instant)),
            caps: [CapOverride::default(); ACTIONS],
            cooldown_until: None,
            action_cooldown_until: [None; ACTIONS],
            failures: [Failures::default(); ACTIONS],
            pace: Pace::default(),
            credit_reset_day: 1,
            breaker: Breaker::default(),
            window: None,
            credits: None,
            credit_reset_changed_at: None,
        }
    }
}

/// A request that only the account's own rules can refuse.
pub fn request(action: Action, now: DateTime<Utc>, tier: TierCap) -> Request<'static> {
    Request {
        account_id: "account",
        action,
        now: instant(now),
        operation: [7; 16],
        paused: false,
        evidence: false,
        first_expiry: None,
        prospect: Some(ProspectHistory::default()),
        suppressed: None,
        campaign: None,
        tier,
        limits: Limits::default(),
        prospect_cooldown: DAY,
        operation_ttl: 15 * MINUTE,
        zone: &window::Utc,
    }
}

/// The gate's yes or no, where no breaker is in the way.
pub fn ask(account: &Account, request: &Request<'_>) -> Result<Grant, Refusal> {
    match decide(account, request) {
        Verdict::Grant(grant) => Ok(*grant),
        Verdict::Refuse(refusal) => Err(refusal),
        other => panic!("all days are counted, and there is no stamp to clear: {other:?}"),
    }
}

/// The ramp's cap after so many sending days: the least number of slots that is the share or more.
pub fn ramp_cap(tier: &TierCap, daily: i32, sending_days: i32) -> i32 {
    let steps = i64::from(tier.ramp_step_percent) * i64::from(sending_days);
    let percent = (i64::from(tier.ramp_start_percent) + steps).min(100);
    (0..=daily).find(|&slots| i64::from(slots) * 100 >= i64::from(daily) * percent).unwrap()
}
