//! How much an account may send: caps, the ramp under them, and what is left.

use crate::account::Account;
use crate::clock::{Day, Instant};
use crate::failures::Limits;
use crate::names::{Action, Reason};

/// What a tier allows for one action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TierCap {
    /// Slots a UTC day, 0 or more.
    pub daily: i32,
    /// Slots in seven UTC days, today included, 0 or more; none = no weekly cap.
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
    /// Slots taken in the seven days that end with the row's day; none until they are counted.
    pub sent_in_seven_days: Option<i32>,
    /// Weekly cap: override or the tier's; none = no weekly cap.
    pub weekly_cap: Option<i32>,
}

/// A rule that refuses, and when it lets go by itself.
pub type Exhausted = Option<(Reason, Option<Instant>)>;

impl Budget {
    /// The budget of `action` on an account that is already rolled to the instant of interest.
    pub fn of(account: &Account, action: Action, tier: &TierCap) -> Budget {
        let i = action.index();
        let daily = account.caps[i].daily.unwrap_or(tier.daily);
        Budget {
            sent_today: account.sent_today[i],
            daily_cap: if account.ramp {
                daily.min(ramp_cap(daily, account.ramp_days, tier.ramp_start_percent, tier.ramp_step_percent))
            } else {
                daily
            },
            sent_in_seven_days: account.sent_in_seven_days(action),
            weekly_cap: account.caps[i].weekly.or(tier.weekly),
        }
    }

    /// Whether nothing can be said before the row is counted from the journal: the days before its own, and the
    /// attempts of that, which matter without a weekly cap too.
    pub fn needs_count(&self) -> bool {
        self.sent_in_seven_days.is_none()
    }

    /// Slots left today: what both caps leave, never negative.
    pub fn remaining(&self) -> i32 {
        let today = self.daily_cap.saturating_sub(self.sent_today);
        let week = self.weekly_cap.zip(self.sent_in_seven_days);
        let week = week.map_or(today, |(cap, sent)| cap.saturating_sub(sent));
        today.min(week).max(0)
    }

    /// Whether the weekly cap is reached; it lets go at the first midnight at which enough falls out of
    /// the seven days, one of 0 never.
    pub fn week_is_full(&self, account: &Account, action: Action) -> Exhausted {
        let (cap, sent) = self.weekly_cap.zip(self.sent_in_seven_days)?;
        (sent >= cap).then(|| (Reason::WeeklyCapReached, falls_out(account, action, sent, cap)))
    }

    /// Whether the effective daily cap is reached; it lets go at midnight, one of 0 not by itself.
    pub fn day_is_full(&self, account: &Account) -> Exhausted {
        let tomorrow = account.day.next().start();
        (self.sent_today >= self.daily_cap)
            .then_some((Reason::DailyCapReached, (self.daily_cap > 0).then_some(tomorrow)))
    }

    /// Whether the action was tried too often on the row's day, whatever came of it.
    pub fn attempts_are_spent(&self, account: &Account, action: Action, limits: &Limits) -> Exhausted {
        let most = limits.attempts(self.daily_cap)?;
        let spent = account.attempts_today[action.index()] >= most;
        spent.then(|| (Reason::DailyAttemptsReached, Some(account.day.next().start())))
    }
}

/// The first midnight at which the seven days that begin later hold less than `cap`, if nothing else is
/// sent; none for a cap of 0.
fn falls_out(account: &Account, action: Action, mut sent: i32, cap: i32) -> Option<Instant> {
    let i = action.index();
    let oldest_first = account.sent_before?[i].into_iter().rev().chain([account.sent_today[i]]);
    for (days, falls) in (1..).zip(oldest_first) {
        sent = sent.saturating_sub(falls);
        if sent < cap {
            return Some(Day(account.day.0.saturating_add(days)).start());
        }
    }
    None
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
    fn a_week_lets_go_when_enough_has_fallen_out() {
        let mut a = account();
        let lets_go = |a: &Account, cap| {
            let tier = TierCap { weekly: Some(cap), ..TIER };
            let full = Budget::of(a, Action::Inmail, &tier).week_is_full(a, Action::Inmail);
            full.map(|(_, at)| at.map(|at| at.day().0 - a.day.0))
        };
        a.sent_today[0] = 4;
        // Yesterday 3, six days ago 10.
        a.sent_before = a.sent_before.map(|mut before| {
            before[0] = [3, 0, 0, 0, 0, 10];
            before
        });
        assert_eq!(lets_go(&a, 18), None);
        assert_eq!(lets_go(&a, 17), Some(Some(1)), "ten fall out at midnight");
        assert_eq!(lets_go(&a, 8), Some(Some(1)));
        assert_eq!(lets_go(&a, 7), Some(Some(6)), "yesterday's three, five days later");
        assert_eq!(lets_go(&a, 4), Some(Some(7)), "today's four");
        assert_eq!(lets_go(&a, 0), Some(None), "a cap of 0 does not let go");
        assert_eq!(Budget::of(&a, Action::Inmail, &TIER).remaining(), 43);
    }

    #[test]
    fn a_row_that_was_not_counted_is_counted_first() {
        let a = Account { sent_before: None, ..account() };
        assert!(Budget::of(&a, Action::Inmail, &TIER).needs_count());
        let no_week = TierCap { weekly: None, ..TIER };
        assert!(Budget::of(&a, Action::Inmail, &no_week).needs_count(), "its attempts are not known either");
        assert!(!Budget::of(&account(), Action::Inmail, &TIER).needs_count());
    }

    #[test]
    fn attempts_are_spent_at_twice_the_cap() {
        let mut a = account();
        let spent = |a: &Account, percent| {
            let limits = Limits { attempt_percent: percent, ..Limits::default() };
            Budget::of(a, Action::Inmail, &TIER).attempts_are_spent(a, Action::Inmail, &limits)
        };
        a.attempts_today[0] = 99;
        assert_eq!(spent(&a, 200), None);
        a.attempts_today[0] = 100;
        let midnight = a.day.next().start();
        assert_eq!(spent(&a, 200), Some((Reason::DailyAttemptsReached, Some(midnight))));
        assert_eq!((spent(&a, 0), spent(&a, 201)), (None, None));
    }
}
