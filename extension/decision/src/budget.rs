//! How much an account may send: caps, the ramp under them, and what is left.

use crate::account::Account;
use crate::clock::{Day, Instant};
use crate::names::{Action, Reason};

/// What a tier allows for one action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TierCap {
    /// Slots a UTC day, 0 or more.
    pub daily: i32,
    /// Slots a UTC week, 0 or more; none = no weekly cap.
    pub weekly: Option<i32>,
    /// Percent of the daily cap with which a ramp starts, 1–100.
    pub ramp_start_percent: i32,
    /// Percent of the daily cap that each sending day adds, 0–100.
    pub ramp_step_percent: i32,
    /// Least time between two grants of this action, in microseconds.
    pub minimum_gap: i64,
}

impl TierCap {
    /// An action that a tier does not name: nothing may be sent.
    pub const NOTHING: TierCap =
        TierCap { daily: 0, weekly: None, ramp_start_percent: 100, ramp_step_percent: 0, minimum_gap: 0 };
}

/// The budget of one action on one account, as of the day that the row counts on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Slots taken on the row's day.
    pub sent_today: i32,
    /// The effective daily cap: tier cap or override, or the ramp's where that is lower.
    pub daily_cap: i32,
    /// Slots taken in the row's week.
    pub sent_this_week: i32,
    /// Weekly cap: override or the tier's; none = no weekly cap.
    pub weekly_cap: Option<i32>,
    /// Least instant of the next grant, from the minimum gap; none = at once.
    pub paced_until: Option<Instant>,
}

impl Budget {
    /// The budget of `action` on an account that is already rolled to the instant of interest.
    pub fn of(account: &Account, action: Action, tier: &TierCap) -> Budget {
        let i = action.index();
        let daily = account.caps[i].daily.unwrap_or(tier.daily);
        let paced_until = account.last_granted_at[i]
            .filter(|_| tier.minimum_gap > 0)
            .map(|last| last.plus(tier.minimum_gap));
        Budget {
            sent_today: account.sent_today[i],
            daily_cap: if account.ramp {
                daily.min(ramp_cap(daily, account.ramp_days, tier.ramp_start_percent, tier.ramp_step_percent))
            } else {
                daily
            },
            sent_this_week: account.sent_this_week[i],
            weekly_cap: account.caps[i].weekly.or(tier.weekly),
            paced_until,
        }
    }

    /// Slots left today: what both caps leave, never negative.
    pub fn remaining(&self) -> i32 {
        let today = self.daily_cap.saturating_sub(self.sent_today);
        let week = self.weekly_cap.map_or(today, |cap| cap.saturating_sub(self.sent_this_week));
        today.min(week).max(0)
    }

    /// The first cap that refuses, and when it lets go: weeks before days. A cap of 0 does not let
    /// go by itself.
    pub fn exhausted(&self, account: &Account) -> Option<(Reason, Option<Instant>)> {
        if let Some(cap) = self.weekly_cap.filter(|&cap| self.sent_this_week >= cap) {
            let next_week = Day(account.week.0.saturating_add(7)).start();
            return Some((Reason::WeeklyCapReached, (cap > 0).then_some(next_week)));
        }
        if self.sent_today >= self.daily_cap {
            let tomorrow = account.day.next().start();
            return Some((Reason::DailyCapReached, (self.daily_cap > 0).then_some(tomorrow)));
        }
        None
    }
}

/// The ramp's cap: a share of the daily cap that starts with `start_percent` and grows by
/// `step_percent` with each sending day, rounded up.
pub fn ramp_cap(daily_cap: i32, ramp_days: i32, start_percent: i32, step_percent: i32) -> i32 {
    let percent = i64::from(start_percent) + i64::from(step_percent) * i64::from(ramp_days);
    let percent = percent.clamp(0, 100);
    ((i64::from(daily_cap) * percent + 99) / 100) as i32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::CapOverride;
    use crate::account::fixture::account;

    const TIER: TierCap = TierCap {
        daily: 50,
        weekly: Some(60),
        ramp_start_percent: 20,
        ramp_step_percent: 20,
        minimum_gap: 0,
    };

    #[test]
    fn the_ramp_climbs_to_the_cap_and_no_further() {
        let caps: Vec<i32> = (0..7).map(|days| ramp_cap(50, days, 20, 20)).collect();
        assert_eq!(caps, [10, 20, 30, 40, 50, 50, 50]);
        assert_eq!(ramp_cap(1, 0, 20, 20), 1, "rounded up");
        assert_eq!(ramp_cap(0, 3, 20, 20), 0);
        assert_eq!(ramp_cap(i32::MAX, i32::MAX, 20, 20), i32::MAX);
    }

    #[test]
    fn an_override_replaces_the_tier_and_null_means_the_tier() {
        let mut a = account();
        a.caps[0] = CapOverride { daily: Some(7), weekly: None };
        let budget = Budget::of(&a, Action::Inmail, &TIER);
        assert_eq!((budget.daily_cap, budget.weekly_cap), (7, Some(60)));
    }

    #[test]
    fn weeks_refuse_before_days() {
        let mut a = account();
        a.sent_today[0] = 50;
        a.sent_this_week[0] = 60;
        let budget = Budget::of(&a, Action::Inmail, &TIER);
        let (reason, retry_at) = budget.exhausted(&a).unwrap();
        assert_eq!(reason, Reason::WeeklyCapReached);
        assert_eq!(retry_at.unwrap().day().iso_weekday(), 1);
        assert_eq!(budget.remaining(), 0);
        a.sent_this_week[0] = 59;
        assert_eq!(Budget::of(&a, Action::Inmail, &TIER).exhausted(&a).unwrap().0, Reason::DailyCapReached);
    }
}
